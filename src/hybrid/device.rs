//! A device of a router: not opened yet, open, or failed.

use std::sync::{
    Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    adapter::{Adapter, AdapterInfo},
    backend::Backend,
    error::Error,
    executor::Executor,
    options::Options,
};

#[derive(Debug)]
pub(super) struct Device {
    adapter: Adapter,
    options: Options,
    state: RwLock<State>,
    /// Whether the state is failed, for those who only look.
    failed: AtomicBool,
    /// Whether it could be opened, ever.
    was_open: AtomicBool,
}

#[derive(Debug)]
enum State {
    Closed,
    Open(Arc<Executor>),
    Failed(Error),
}

impl Device {
    pub(super) fn new(adapter: Adapter, options: Options) -> Self {
        Self {
            adapter,
            options,
            state: RwLock::new(State::Closed),
            failed: AtomicBool::new(false),
            was_open: AtomicBool::new(false),
        }
    }

    pub(super) fn info(&self) -> &AdapterInfo {
        self.adapter.info()
    }

    pub(super) fn backend(&self) -> Backend {
        self.info().backend
    }

    pub(super) fn is_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn was_open(&self) -> bool {
        self.was_open.load(Ordering::Relaxed)
    }

    /// How it failed, if it did.
    pub(super) fn failure(&self) -> Option<Error> {
        match &*self.read() {
            State::Failed(error) => Some(error.clone()),
            _ => None,
        }
    }

    /// The executor, made on first use. A device that cannot be opened has failed.
    pub(super) fn executor(&self) -> Result<Arc<Executor>, Error> {
        match &*self.read() {
            State::Open(executor) => return Ok(Arc::clone(executor)),
            State::Failed(error) => return Err(error.clone()),
            State::Closed => {}
        }
        let mut state = self.write();
        match &*state {
            State::Open(executor) => return Ok(Arc::clone(executor)),
            State::Failed(error) => return Err(error.clone()),
            State::Closed => {}
        }
        // Tuned before anything is measured on it: a calibration measures tasks, not how they came
        // to be tuned.
        let opened =
            Executor::on(&self.adapter, self.options.clone()).and_then(|executor| executor.tune().map(|_| executor));
        match opened {
            Ok(executor) => {
                self.was_open.store(true, Ordering::Relaxed);
                let executor = Arc::new(executor);
                *state = State::Open(Arc::clone(&executor));
                Ok(executor)
            }
            Err(error) => {
                *state = State::Failed(error.clone());
                self.failed.store(true, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Does some work; if the device fails at it, it is out of use from now on.
    pub(super) fn run<O>(&self, work: impl FnOnce(&Executor) -> Result<O, Error>) -> Result<O, Error> {
        let executor = self.executor()?;
        let result = work(&executor);
        if let Err(error) = &result {
            self.fail(&executor, error);
        }
        result
    }

    /// Takes an executor out of use, unless another one has taken its place meanwhile, or the error
    /// was not the device's.
    pub(super) fn fail(&self, executor: &Arc<Executor>, error: &Error) {
        if !error.ends_the_device() {
            return;
        }
        let mut state = self.write();
        if let State::Open(current) = &*state
            && Arc::ptr_eq(current, executor)
        {
            log::warn!("{} is out of use until it is rebuilt: {error}", self.backend());
            *state = State::Failed(error.clone());
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    /// Makes a new executor if the last one failed.
    pub(super) fn rebuild(&self) -> Result<(), Error> {
        {
            let mut state = self.write();
            if let State::Failed(_) = &*state {
                *state = State::Closed;
            }
            self.failed.store(false, Ordering::Relaxed);
        }
        self.executor().map(|_| ())
    }

    /// A panic while it was locked cannot have left anything half done: each state is written as a
    /// whole.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
