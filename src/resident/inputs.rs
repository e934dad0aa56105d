//! How an operator is given inputs that lie on the device.

use super::buffer::{DeviceBuffer, DeviceStrings, View};
use crate::{
    error::Error,
    gpu::{Memory as Raw, Table},
    task::{Inputs, Strings, Whole},
};

/// Inputs that can lie on the device: columns of numbers as a tuple of [`View`]s, [`Strings`] of
/// `Vec<u8>` as [`DeviceStrings`], and a [`Whole`] as one [`View`].
///
/// This trait is implemented for all kinds of [`Inputs`], and not elsewhere.
pub trait OnDevice: Inputs + 'static {
    /// The inputs on the device.
    type Views<'a>: Copy;

    /// What the executor needs to know of them; the two numbers are the lengths of inputs that
    /// differ.
    #[doc(hidden)]
    fn bound(views: Self::Views<'_>, chain: u64, owner: u64) -> Result<Result<Bound<'_>, [usize; 2]>, Error>;

    /// Calls `work` with the inputs in the host's memory.
    #[doc(hidden)]
    fn on_host(views: Self::Views<'_>, work: impl for<'s> FnOnce(Self::Slices<'s>));
}

/// Inputs of a chain without their types.
#[doc(hidden)]
pub struct Bound<'a> {
    pub(super) memory: Vec<&'a Raw>,
    /// Where the buffers' descriptions are, so that two can be told apart.
    pub(super) buffers: Vec<*const ()>,
    pub(super) table: Table<'a>,
    pub(super) elements: usize,
    pub(super) words: usize,
    pub(super) longest: usize,
}

impl<'a> Bound<'a> {
    fn numbers(elements: usize) -> Self {
        Self {
            memory: Vec::new(),
            buffers: Vec::new(),
            table: Table::None,
            elements,
            words: 0,
            longest: 0,
        }
    }

    /// Strings of equal length that lie end to end in a buffer; empty ones are not elements.
    pub(super) fn ends<T: bytemuck::Pod + Send + Sync>(
        buffer: &'a DeviceBuffer<T>,
        bytes: impl Iterator<Item = usize>,
    ) -> Option<Self> {
        let mut bound = Self::numbers(0);
        bound.buffers.push(std::ptr::from_ref(buffer).cast());
        let mut lengths = Vec::new();
        for bytes in bytes.filter(|&bytes| bytes > 0) {
            let words = bytes.div_ceil(8) * 2;
            bound.words = bound.words.checked_add(words)?;
            bound.longest = bound.longest.max(words);
            lengths.push(u32::try_from(bytes).ok()?);
        }
        u32::try_from(bound.words).ok()?;
        bound.elements = lengths.len();
        bound.memory.extend(buffer.raw());
        bound.table = Table::Lengths(lengths);
        Some(bound)
    }
}

impl<'a, T: bytemuck::Pod + Send + Sync> View<'a, T> {
    /// Whether a chain can read it: it is of the same executor, and no other chain is to write it.
    pub(super) fn check(self, chain: u64, owner: u64) -> Result<(), Error> {
        self.buffer.check_owner(owner)?;
        match self.chain {
            Some(writer) if writer != chain => Err(Error::WrongChain),
            _ => Ok(()),
        }
    }
}

macro_rules! columns {
    ($($column:ident $index:tt),+) => {
        impl<$($column: bytemuck::Pod + Send + Sync),+> OnDevice for ($($column,)+) {
            type Views<'a> = ($(View<'a, $column>,)+);

            fn bound(views: Self::Views<'_>, chain: u64, owner: u64) -> Result<Result<Bound<'_>, [usize; 2]>, Error> {
                let first = views.0.buffer.len();
                let mut bound = Bound::numbers(first);
                $(
                    let view = views.$index;
                    view.check(chain, owner)?;
                    if view.buffer.len() != first {
                        return Ok(Err([first, view.buffer.len()]));
                    }
                    bound.memory.extend(view.buffer.raw());
                    bound.buffers.push(std::ptr::from_ref(view.buffer).cast());
                )+
                Ok(Ok(bound))
            }

            fn on_host(views: Self::Views<'_>, work: impl for<'s> FnOnce(Self::Slices<'s>)) {
                let guards = ($(views.$index.buffer.host(),)+);
                work(($(guards.$index.as_deref().map_or(&[], Vec::as_slice),)+));
            }
        }
    };
}

columns!(A 0);
columns!(A 0, B 1);
columns!(A 0, B 1, C 2);
columns!(A 0, B 1, C 2, D 3);

impl OnDevice for Strings<Vec<u8>> {
    type Views<'a> = &'a DeviceStrings;

    fn bound(views: Self::Views<'_>, _: u64, owner: u64) -> Result<Result<Bound<'_>, [usize; 2]>, Error> {
        if views.owner != owner {
            return Err(Error::WrongExecutor);
        }
        let mut bound = Bound::numbers(views.len);
        if let Some((table, words)) = views.raw() {
            bound.memory.push(words);
            bound.table = Table::Memory(table);
        }
        (bound.words, bound.longest) = (views.words, views.longest);
        Ok(Ok(bound))
    }

    fn on_host(views: Self::Views<'_>, work: impl for<'s> FnOnce(Self::Slices<'s>)) {
        work(views.host());
    }
}

impl<E: bytemuck::Pod + Send + Sync> OnDevice for Whole<E> {
    type Views<'a> = View<'a, E>;

    fn bound(view: Self::Views<'_>, chain: u64, owner: u64) -> Result<Result<Bound<'_>, [usize; 2]>, Error> {
        view.check(chain, owner)?;
        let bytes = view.buffer.len().saturating_mul(size_of::<E>());
        let bound = Bound::ends(view.buffer, std::iter::once(bytes));
        bound.map(Ok).ok_or_else(|| Error::too_many_words(bytes))
    }

    fn on_host(view: Self::Views<'_>, work: impl for<'s> FnOnce(Self::Slices<'s>)) {
        if let Some(items) = view.buffer.host() {
            work(&items);
        }
    }
}
