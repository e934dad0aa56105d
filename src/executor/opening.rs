//! An executor that is being opened on another thread.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    thread,
};

use super::Executor;
use crate::error::Error;

/// An executor that is being opened: a [`Future`], for any executor of futures. Drivers take tenths
/// of a second to open and offer no way to wait for them but to block, so that a thread does that
/// which ends with it. Dropped, it leaves the thread to open a device that is no longer wanted.
#[must_use = "the executor is lost unless it is awaited"]
pub struct Opening(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    result: Option<Result<Executor, Error>>,
    waker: Option<Waker>,
}

impl Opening {
    pub(crate) fn new(open: impl FnOnce() -> Result<Executor, Error> + Send + 'static) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let theirs = Arc::clone(&state);
        let run = move || {
            let result = catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| {
                Err(Error::NoThread {
                    reason: "it panicked".to_owned(),
                })
            });
            let mut state = theirs.lock().unwrap_or_else(PoisonError::into_inner);
            state.result = Some(result);
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        };
        let spawned = thread::Builder::new()
            .name("gpu-executor-opening".to_owned())
            .spawn(run);
        if let Err(error) = spawned {
            let reason = error.to_string();
            state.lock().unwrap_or_else(PoisonError::into_inner).result = Some(Err(Error::NoThread { reason }));
        }
        Self(state)
    }
}

impl Future for Opening {
    type Output = Result<Executor, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening")
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Opening>();
};
