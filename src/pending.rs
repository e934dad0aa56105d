//! A task on its way.

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
    gpu::{Flight, Gpu},
    task::Appended,
};

/// A task that was submitted: its inputs are taken, its output of items `I` is on its way.
///
/// It is a [`Future`] that any executor of futures can drive, and [`wait`](Self::wait) blocks for the same result.
/// Dropped, it leaves the device to finish what nobody wants any more. It may outlive its
/// [`Executor`](crate::Executor), whose device it keeps.
#[must_use = "the output is lost unless it is waited for"]
pub struct Pending<I>(State<I>);

enum State<I> {
    /// The CPU's result, or an error.
    Ready(Result<Vec<I>, Error>),
    OnItsWay(Flying<I>),
    /// Taken by a `poll` or a `wait`.
    Taken,
}

/// What is still to come, with the output so far.
struct Flying<I> {
    gpu: Arc<Gpu>,
    flights: VecDeque<Flight>,
    /// When the first flight was first found on its way.
    since: Option<Instant>,
    output: Appended<I>,
}

impl<I> Pending<I> {
    pub(crate) fn ready(result: Result<Vec<I>, Error>) -> Self {
        Self(State::Ready(result))
    }

    pub(crate) fn on_its_way(gpu: Arc<Gpu>, flights: VecDeque<Flight>, output: Appended<I>) -> Self {
        Self(State::OnItsWay(Flying {
            gpu,
            flights,
            since: None,
            output,
        }))
    }
}

impl<I: bytemuck::Pod + Send + Sync> Pending<I> {
    /// Blocks until the output is there, of shape `[elements]`.
    ///
    /// # Errors
    /// Those of [`Executor::run`](crate::Executor::run); [`Error::AlreadyTaken`] if the future was polled to its end before.
    pub fn wait(mut self) -> Result<Vec<I>, Error> {
        match std::mem::replace(&mut self.0, State::Taken) {
            State::Ready(result) => result,
            State::OnItsWay(mut flying) => {
                while let Some(flight) = flying.flights.pop_front() {
                    flying.finish(flight)?;
                }
                Ok(std::mem::take(&mut flying.output.0))
            }
            State::Taken => Err(Error::AlreadyTaken),
        }
    }
}

impl<I: bytemuck::Pod + Send + Sync> Flying<I> {
    fn finish(&mut self, flight: Flight) -> Result<(), Error> {
        self.gpu.finish(flight, &mut self.output)
    }

    /// Takes what is there; the first flight that is not over is told to wake the task.
    fn poll(&mut self, context: &Context<'_>) -> Poll<Result<(), Error>> {
        // A flight whose look fails stays with the others: all of them are dropped in a turn.
        while let Some(flight) = self.flights.front() {
            let since = *self.since.get_or_insert_with(Instant::now);
            if !self.gpu.look(flight, since)? {
                self.gpu.wake(flight, since, context.waker().clone());
                return Poll::Pending;
            }
            if let Some(flight) = self.flights.pop_front() {
                self.finish(flight)?;
            }
            self.since = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<I> Drop for Flying<I> {
    fn drop(&mut self) {
        if !self.flights.is_empty() {
            self.gpu.drop_flights(&mut self.flights);
        }
    }
}

/// Nothing in it is pinned.
impl<I> Unpin for Pending<I> {}

impl<I: bytemuck::Pod + Send + Sync> Future for Pending<I> {
    type Output = Result<Vec<I>, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &mut self.0 {
            State::OnItsWay(flying) => match flying.poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(result) => result.map(|()| std::mem::take(&mut flying.output.0)),
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
            State::OnItsWay(_) => "Pending(on its way)",
            State::Taken => "Pending(taken)",
        })
    }
}
