//! The lock of an adapter whose OpenGL context belongs to one thread at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::egl::{Context, Current};

/// A thread holds it while it calls wgpu for a GLES adapter: wgpu panics in a thread that waits for
/// the context for more than a second (Windows) or six seconds while another thread has it.
///
/// Where the context is this crate's own, it is current while the lock is held.
#[derive(Debug, Default)]
pub(crate) struct ContextLock {
    lock: Mutex<()>,
    context: Option<Context>,
}

impl ContextLock {
    /// For an adapter on a context of this crate's own.
    pub(crate) fn with(context: Context) -> Self {
        Self {
            lock: Mutex::default(),
            context: Some(context),
        }
    }

    /// Whether wgpu's objects may be used and dropped only under the lock; otherwise wgpu makes its
    /// context current itself.
    pub(crate) fn has_context(&self) -> bool {
        self.context.is_some()
    }

    /// Waits for the lock.
    pub(crate) fn lock(&self) -> ContextGuard<'_> {
        // There is nothing in it that a panic could have left half done.
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let current = match &self.context {
            None => Ok(None),
            Some(context) => context.enter().map(Some),
        };
        ContextGuard { current, _lock: lock }
    }

    #[cfg(all(test, target_os = "linux", feature = "gles"))]
    pub(crate) fn end_context(&self) {
        self.context.as_ref().expect("one of its own").end();
    }
}

/// The lock, held until this is dropped: first the context is released, then the lock.
#[derive(Debug)]
pub(crate) struct ContextGuard<'a> {
    current: Result<Option<Current<'a>>, String>,
    _lock: MutexGuard<'a, ()>,
}

impl ContextGuard<'_> {
    /// Why the context is not current. wgpu's objects may be dropped then, as OpenGL does nothing
    /// without one, but not used.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.current.as_ref().err().map(String::as_str)
    }
}
