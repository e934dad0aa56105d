//! A task in flight.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use crate::{
    error::Error,
    gpu::{Gpu, Submission},
    task::Appended,
};

/// A task that was submitted: its inputs are taken, its output of items `I` is in flight.
///
/// It is a [`Future`] that any executor of futures can drive, and [`wait`](Self::wait) blocks for
/// the same result. Dropped, it leaves the device to finish the work. It may outlive its
/// [`Executor`](crate::Executor), whose device it keeps.
#[must_use = "the output is lost unless it is waited for"]
pub struct Pending<I>(State<I>);

enum State<I> {
    /// The CPU's result, or an error.
    Ready(Result<Vec<I>, Error>),
    InFlight(InFlight<I>),
    /// Taken by a `poll` or a `wait`.
    Taken,
}

/// The submissions in flight, with the output so far.
struct InFlight<I> {
    gpu: Arc<Gpu>,
    submissions: VecDeque<Submission>,
    /// When the first submission was first found in flight.
    since: Option<Instant>,
    output: Appended<I>,
}

impl<I> Pending<I> {
    pub(crate) fn ready(result: Result<Vec<I>, Error>) -> Self {
        Self(State::Ready(result))
    }

    pub(crate) fn in_flight(gpu: Arc<Gpu>, submissions: VecDeque<Submission>, output: Appended<I>) -> Self {
        Self(State::InFlight(InFlight {
            gpu,
            submissions,
            since: None,
            output,
        }))
    }
}

impl<I: bytemuck::Pod + Send + Sync> Pending<I> {
    /// Blocks until the output is there, of shape `[elements]`.
    ///
    /// # Errors
    /// Those of [`Executor::run`](crate::Executor::run); [`Error::AlreadyTaken`] if the future was
    /// polled to its end before.
    pub fn wait(mut self) -> Result<Vec<I>, Error> {
        match std::mem::replace(&mut self.0, State::Taken) {
            State::Ready(result) => result,
            State::InFlight(mut in_flight) => {
                while let Some(submission) = in_flight.submissions.pop_front() {
                    in_flight.finish(submission)?;
                }
                Ok(std::mem::take(&mut in_flight.output.0))
            }
            State::Taken => Err(Error::AlreadyTaken),
        }
    }
}

impl<I: bytemuck::Pod + Send + Sync> InFlight<I> {
    fn finish(&mut self, submission: Submission) -> Result<(), Error> {
        self.gpu.finish(submission, &mut self.output)
    }

    /// Takes the output of submissions that are over; the first that is not will wake the task.
    fn poll(&mut self, context: &Context<'_>) -> Poll<Result<(), Error>> {
        // A submission whose check fails stays with the others: all of them are dropped under the
        // context lock.
        while let Some(submission) = self.submissions.front() {
            let since = *self.since.get_or_insert_with(Instant::now);
            if !self.gpu.is_over(submission, since)? {
                self.gpu.wake(submission, since, context.waker().clone());
                return Poll::Pending;
            }
            if let Some(submission) = self.submissions.pop_front() {
                self.finish(submission)?;
            }
            self.since = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<I> Drop for InFlight<I> {
    fn drop(&mut self) {
        if !self.submissions.is_empty() {
            self.gpu.drop_submissions(&mut self.submissions);
        }
    }
}

/// Nothing in it is pinned.
impl<I> Unpin for Pending<I> {}

impl<I: bytemuck::Pod + Send + Sync> Future for Pending<I> {
    type Output = Result<Vec<I>, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &mut self.0 {
            State::InFlight(in_flight) => match in_flight.poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(result) => result.map(|()| std::mem::take(&mut in_flight.output.0)),
            },
            state => match std::mem::replace(state, State::Taken) {
                State::Ready(result) => result,
                _ => panic!("a future is not polled after its end"),
            },
        };
        self.0 = State::Taken;
        Poll::Ready(result)
    }
}

impl<I> fmt::Debug for Pending<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            State::Ready(_) => "Pending(ready)",
            State::InFlight(_) => "Pending(in flight)",
            State::Taken => "Pending(taken)",
        })
    }
}
