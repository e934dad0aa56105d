//! How inputs lie: columns of numbers, or strings of bytes.

use std::marker::PhantomData;

use super::{Load, strings};
use crate::mapped::Mapped;

/// How the inputs of a chunk lie on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Arrays of numbers, as long as the output: the bytes per element of each, multiples of 4.
    Numbers(&'static [usize]),
    /// A string of bytes for each element of the output. Binding 0 has two u32 for each: the number
    /// of its first word in binding 1, and its length in bytes. Binding 1 has the strings as words,
    /// each string filled up to a multiple of eight bytes with zeros.
    Strings,
}

/// The inputs of an operator. There are:
/// - one to four columns of numbers, each as long as the output: `(A,)`, `(A, B)`, `(A, B, C)`,
///   `(A, B, C, D)`, whose slices are a tuple of `&[A]`, …;
/// - a string of bytes for each element of the output: [`Strings`], whose slices are `&[M]`;
/// - one string for the task, whose output is one element, or none without input: [`Whole`], whose
///   slices are `&[E]`.
///
/// The device knows no other ways, so that this trait is not implemented elsewhere.
pub trait Inputs: sealed::Sealed {
    /// The inputs where the host has them.
    type Slices<'s>: Copy + Send + Sync
    where
        Self: 's;

    /// How they lie on the device.
    const SHAPE: Shape;

    /// Of one string for the whole task: the bytes of each of its elements.
    #[doc(hidden)]
    const WHOLE: Option<usize> = None;

    /// Number of elements of the output.
    ///
    /// # Errors
    /// The lengths of two inputs that differ.
    #[doc(hidden)]
    fn elements(slices: Self::Slices<'_>) -> Result<usize, [usize; 2]>;

    /// The bytes of input `index` if it is a column, else those of the string of this number.
    #[doc(hidden)]
    fn bytes<'s>(slices: Self::Slices<'s>, index: usize) -> &'s [u8]
    where
        Self: 's;

    /// The work of one task over them, estimated from a sample of strings.
    #[doc(hidden)]
    fn load(slices: Self::Slices<'_>, samples: usize, depth: usize, steps: impl Fn(usize) -> usize) -> Load;
}

/// Inputs that are columns of numbers: they can be written in place.
pub trait Columns: Inputs + 'static {
    /// The inputs where the device reads them, to be written.
    type Mapped<'m>;

    /// `bytes` has one for each column.
    #[doc(hidden)]
    fn from_bytes<'s>(bytes: &[&'s [u8]]) -> Self::Slices<'s>;

    /// Writes the inputs of a task to memory of the same lengths.
    ///
    /// # Panics
    /// If lengths differ.
    fn copy(to: Self::Mapped<'_>, from: Self::Slices<'_>);

    /// `next` gives the memory of one column after the other.
    #[doc(hidden)]
    fn mapped<'m>(next: impl FnMut() -> Mapped<'m, u8>) -> Self::Mapped<'m>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! columns {
    ($($column:ident $index:tt),+) => {
        impl<$($column: bytemuck::Pod + Send + Sync),+> sealed::Sealed for ($($column,)+) {}

        impl<$($column: bytemuck::Pod + Send + Sync),+> Inputs for ($($column,)+) {
            type Slices<'s> = ($(&'s [$column],)+);

            const SHAPE: Shape = {
                $(
                    assert!(size_of::<$column>() > 0, "elements of an input have a size");
                    assert!(size_of::<$column>().is_multiple_of(4), "elements of an input are whole words");
                    assert!(align_of::<$column>() <= 8, "elements of an input are aligned to eight bytes at most");
                )+
                Shape::Numbers(&[$(size_of::<$column>()),+])
            };

            fn elements(slices: Self::Slices<'_>) -> Result<usize, [usize; 2]> {
                let first = slices.0.len();
                $(
                    if slices.$index.len() != first {
                        return Err([first, slices.$index.len()]);
                    }
                )+
                Ok(first)
            }

            fn bytes<'s>(slices: Self::Slices<'s>, index: usize) -> &'s [u8] {
                match index {
                    $($index => bytemuck::cast_slice(slices.$index),)+
                    _ => &[],
                }
            }

            fn load(slices: Self::Slices<'_>, _: usize, depth: usize, _: impl Fn(usize) -> usize) -> Load {
                Load::deep(slices.0.len(), depth)
            }
        }

        impl<$($column: bytemuck::Pod + Send + Sync),+> Columns for ($($column,)+) {
            type Mapped<'m> = ($(Mapped<'m, $column>,)+);

            fn from_bytes<'s>(bytes: &[&'s [u8]]) -> Self::Slices<'s> {
                ($(bytemuck::cast_slice(bytes[$index]),)+)
            }

            fn copy(mut to: Self::Mapped<'_>, from: Self::Slices<'_>) {
                $(to.$index.copy_from_slice(from.$index);)+
            }

            fn mapped<'m>(mut next: impl FnMut() -> Mapped<'m, u8>) -> Self::Mapped<'m> {
                ($(next().cast::<$column>(),)+)
            }
        }
    };
}

columns!(A 0);
columns!(A 0, B 1);
columns!(A 0, B 1, C 2);
columns!(A 0, B 1, C 2, D 3);

/// A string of bytes for each element of the output: slices, vectors or arrays of bytes. A call may
/// panic if one gives bytes of another length when it is asked again.
#[derive(Debug)]
pub struct Strings<M>(PhantomData<M>);

impl<M> sealed::Sealed for Strings<M> {}

impl<M: AsRef<[u8]> + Sync> Inputs for Strings<M> {
    type Slices<'s>
        = &'s [M]
    where
        Self: 's;

    const SHAPE: Shape = Shape::Strings;

    fn elements(slices: Self::Slices<'_>) -> Result<usize, [usize; 2]> {
        Ok(slices.len())
    }

    fn bytes<'s>(slices: Self::Slices<'s>, index: usize) -> &'s [u8]
    where
        Self: 's,
    {
        slices[index].as_ref()
    }

    #[inline(always)]
    fn load(slices: Self::Slices<'_>, samples: usize, _: usize, steps: impl Fn(usize) -> usize) -> Load {
        strings::load(slices, samples, steps)
    }
}

/// One string for the whole task, as the leaves of a tree: one element of output, or none without
/// input.
#[derive(Debug)]
pub struct Whole<E>(PhantomData<E>);

impl<E> sealed::Sealed for Whole<E> {}

impl<E: bytemuck::Pod + Send + Sync> Inputs for Whole<E> {
    type Slices<'s>
        = &'s [E]
    where
        Self: 's;

    const SHAPE: Shape = {
        assert!(size_of::<E>() > 0, "elements of a string have a size");
        Shape::Strings
    };

    const WHOLE: Option<usize> = Some(size_of::<E>());

    fn elements(slices: Self::Slices<'_>) -> Result<usize, [usize; 2]> {
        Ok(usize::from(!slices.is_empty()))
    }

    fn bytes<'s>(slices: Self::Slices<'s>, _: usize) -> &'s [u8] {
        bytemuck::cast_slice(slices)
    }

    fn load(slices: Self::Slices<'_>, _: usize, _: usize, _: impl Fn(usize) -> usize) -> Load {
        Load::flat(slices.len())
    }
}
