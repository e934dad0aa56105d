//! What wgpu reports outside of the call that caused it, and the errors made of that.

use std::{
    cell::Cell,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::ThreadId,
};

use crate::{
    error::{Cause, Error},
    own_device::Handlers,
};

thread_local! {
    /// How many of this library's calls this thread is within.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// A call of this library's: what wgpu reports meanwhile on this thread is of its own doing, and is
/// returned.
#[derive(Debug)]
pub(crate) struct Inside(PhantomData<*const ()>);

impl Inside {
    pub(crate) fn enter() -> Self {
        INSIDE.set(INSIDE.get() + 1);
        Self(PhantomData)
    }

    /// Whether this thread is within a call.
    pub(crate) fn is() -> bool {
        INSIDE.get() > 0
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(INSIDE.get() - 1);
    }
}

/// What was reported of one device.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    pub(super) adapter: String,
    reports: Arc<Mutex<Reports>>,
}

#[derive(Debug, Default)]
struct Reports {
    /// Why the device is gone; stays once it is set.
    lost: Option<String>,
    /// Errors not looked at yet, with the thread whose call caused each: wgpu reports them on that
    /// thread.
    errors: Vec<(ThreadId, wgpu::Error)>,
}

impl Faults {
    /// Listens to a device of the adapter of that name, and passes on to a program the errors that
    /// this library did not cause.
    pub(super) fn of(device: &wgpu::Device, adapter: &str, handlers: Handlers) -> Self {
        let reports = Arc::new(Mutex::new(Reports::default()));
        let Handlers { on_lost, on_error } = handlers;
        device.set_device_lost_callback({
            let reports = Arc::clone(&reports);
            move |reason, message| {
                let known = format!("{reason:?}: {message}").to_lowercase();
                lock(&reports).lost.get_or_insert(known);
                if let Some(on_lost) = &on_lost {
                    on_lost(reason, message);
                }
            }
        });
        // Without a handler of ours wgpu panics.
        device.on_uncaptured_error({
            let reports = Arc::clone(&reports);
            Arc::new(move |error: wgpu::Error| match &on_error {
                _ if Inside::is() => lock(&reports).errors.push((std::thread::current().id(), error)),
                Some(on_error) => on_error(error),
                None => log::error!("{error}"),
            })
        });
        Self {
            adapter: adapter.to_owned(),
            reports,
        }
    }

    /// What was reported of this thread's calls since the last look, or that the device is gone.
    pub(super) fn check(&self) -> Result<(), Error> {
        let mut reports = lock(&self.reports);
        if let Some(reason) = &reports.lost {
            return Err(self.lost(reason.clone()));
        }
        let this = std::thread::current().id();
        // All of them, so that none is left for the next call; the others follow from the first.
        let first = reports
            .errors
            .extract_if(.., |(thread, _)| *thread == this)
            .fold(None, |first: Option<wgpu::Error>, (_, error)| first.or(Some(error)));
        match first {
            None => Ok(()),
            Some(error) => Err(self.reported(error, 0)),
        }
    }

    /// The error for a call that failed: what wgpu reported meanwhile, the loss of the device above
    /// all, else `message`.
    pub(super) fn failed(&self, message: String) -> Error {
        self.check().err().unwrap_or_else(|| self.driver(message, None))
    }

    /// The same, for an error of wgpu's.
    pub(super) fn failed_by(&self, error: impl std::error::Error + Send + Sync + 'static) -> Error {
        let driver = || self.driver(error.to_string(), Some(Cause::new(error)));
        self.check().err().unwrap_or_else(driver)
    }

    /// The error for what wgpu reported when it created something of `bytes` bytes.
    pub(super) fn reported(&self, error: wgpu::Error, bytes: u64) -> Error {
        match error {
            wgpu::Error::OutOfMemory { .. } => Error::OutOfMemory {
                adapter: self.adapter.clone(),
                bytes,
            },
            other => self.driver(other.to_string(), Some(Cause::new(other))),
        }
    }

    /// The error of a device that is lost, for the reason that was known first.
    pub(super) fn gone(&self, reason: &str) -> Error {
        let lost = lock(&self.reports)
            .lost
            .get_or_insert_with(|| reason.to_owned())
            .clone();
        self.lost(lost)
    }

    /// The error of a device that is lost, whatever was reported.
    pub(super) fn lost(&self, reason: String) -> Error {
        Error::DeviceLost {
            adapter: self.adapter.clone(),
            reason,
        }
    }

    /// The error of a wait that took too long.
    pub(super) fn timed_out(&self, waited: std::time::Duration) -> Error {
        Error::Timeout {
            adapter: self.adapter.clone(),
            waited,
        }
    }

    fn driver(&self, message: String, source: Option<Cause>) -> Error {
        Error::Driver {
            adapter: self.adapter.clone(),
            message,
            source,
        }
    }
}

/// Locks, also after a panic of another thread: every value guarded here is whole between
/// statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_call_that_failed_nothing_is_left_for_the_next() {
        let report = |message: &str| wgpu::Error::Validation {
            source: message.into(),
            description: message.to_owned(),
        };
        let faults = Faults {
            adapter: "x".to_owned(),
            reports: Arc::default(),
        };
        let this = std::thread::current().id();
        let other = std::thread::spawn(|| std::thread::current().id()).join().unwrap();
        for (thread, message) in [(other, "another's"), (this, "first"), (this, "second"), (this, "third")] {
            lock(&faults.reports).errors.push((thread, report(message)));
        }
        let error = faults.check().unwrap_err().to_string();
        assert!(error.contains("first"), "{error}");
        assert_eq!(faults.check(), Ok(()));
        assert_eq!(lock(&faults.reports).errors.len(), 1, "another thread's");
    }
}
