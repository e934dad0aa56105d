//! Whose turn it is on an adapter whose context belongs to one thread at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::egl::{Context, Current};

/// Held by whoever calls wgpu for a GLES adapter: wgpu panics in a thread that wants the context for more than a second
/// (Windows) or six while another has it.
///
/// Where the context is of this crate's own it is current for as long.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    turn: Mutex<()>,
    context: Option<Context>,
}

impl Turns {
    /// For an adapter on a context of this crate's own.
    pub(crate) fn with(context: Context) -> Self {
        Self {
            turn: Mutex::default(),
            context: Some(context),
        }
    }

    /// Whether wgpu's objects may be used and dropped in turns only; else wgpu makes its context current itself.
    pub(crate) fn has_context(&self) -> bool {
        self.context.is_some()
    }

    /// Waits for its turn.
    pub(crate) fn take(&self) -> Turn<'_> {
        // There is nothing in it that a panic could have left half done.
        let lock = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let current = match &self.context {
            None => Ok(None),
            Some(context) => context.enter().map(Some),
        };
        Turn { current, _lock: lock }
    }

    #[cfg(all(test, target_os = "linux", feature = "gles"))]
    pub(crate) fn end_context(&self) {
        self.context.as_ref().expect("one of its own").end();
    }
}

/// A turn, over when it is dropped: first the context is released, then the lock.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    current: Result<Option<Current<'a>>, String>,
    _lock: MutexGuard<'a, ()>,
}

impl Turn<'_> {
    /// Why the context is not current. wgpu's objects may be dropped then, as OpenGL does nothing without one, but not used.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.current.as_ref().err().map(String::as_str)
    }
}
