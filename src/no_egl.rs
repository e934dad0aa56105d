//! Stands for contexts of this crate's own where there are none: not on Linux, or not built with
//! GLES.

use std::{convert::Infallible, marker::PhantomData};

/// There is none.
#[derive(Debug)]
pub(crate) struct Context(Infallible);

impl Context {
    pub(crate) fn enter(&self) -> Result<Current<'_>, String> {
        match self.0 {}
    }
}

/// There is none.
#[derive(Debug)]
pub(crate) struct Current<'a>(PhantomData<&'a Context>);

pub(crate) fn adapters() -> Result<Vec<(wgpu::Adapter, Context)>, String> {
    Err("this build makes no contexts of its own, which it does on Linux with the cargo feature `gles`".to_owned())
}
