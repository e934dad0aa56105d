//! Memory of a device that the host writes.

use std::{fmt, ptr::NonNull};

use wgpu::WriteOnly;

use crate::host::{Copier, Target};

/// Memory of shape `[len]` that the device can reach, to be written. Reading is not offered: it may
/// be memory that a processor reads very slowly.
///
/// Parts of it can be sent to other threads, each of which writes its own.
pub struct Mapped<'a, E> {
    memory: WriteOnly<'a, [E]>,
    copier: Copier,
}

#[expect(unsafe_code, reason = "wgpu says so of single elements only")]
// SAFETY: `WriteOnly` is exclusive access to memory, like `&mut [E]`, which is `Send` if `E` is.
// wgpu declares the same of `WriteOnly<T>`, though only for sized `T`.
unsafe impl<E: Send> Send for Mapped<'_, E> {}

impl<'a, E: bytemuck::Pod> Mapped<'a, E> {
    pub(crate) fn new(memory: WriteOnly<'a, [E]>) -> Self {
        Self {
            memory,
            copier: Copier::ALONE,
        }
    }

    /// Bytes as the elements they are, copied to by as many threads as `copier` has.
    pub(crate) fn typed(mut bytes: WriteOnly<'a, [u8]>, copier: Copier) -> Self {
        let elements = bytes.len() / size_of::<E>();
        let start = bytes.as_raw_element_ptr().cast::<E>();
        assert!(start.is_aligned(), "inputs start at multiples of 16 bytes");
        #[expect(unsafe_code, reason = "wgpu casts elements to others of the same size only")]
        // SAFETY: `bytes` is the only access to this memory for its lifetime, which the result
        // takes over, and it is consumed here. The elements lie within it, as their number is
        // rounded down, and are aligned, as was just asserted. Any elements are good bytes and the
        // other way round, as `E` is `Pod`.
        let memory = unsafe { WriteOnly::new(NonNull::slice_from_raw_parts(start, elements)) };
        Self { memory, copier }
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.memory.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.memory.is_empty()
    }

    /// Writes all elements from a slice: with several threads where that was measured to be faster.
    ///
    /// # Panics
    /// If the slice has another length.
    pub fn copy_from_slice(&mut self, elements: &[E])
    where
        E: Send + Sync,
    {
        assert_eq!(elements.len(), self.len(), "the slice is as long as the memory");
        let memory = Mapped::new(self.memory.slice(..));
        self.copier.copy(memory, elements);
    }

    /// Writes the same to all elements.
    pub fn fill(&mut self, element: E) {
        self.memory.fill(element);
    }

    /// Writes all elements from an iterator.
    ///
    /// # Panics
    /// If it has fewer or more elements.
    pub fn write_iter(self, elements: impl IntoIterator<Item = E>) {
        self.memory.write_iter(elements);
    }

    /// Cuts it in two, the second beginning with element `at`.
    ///
    /// # Panics
    /// If there are fewer elements.
    #[must_use]
    pub fn split_at(self, at: usize) -> (Self, Self) {
        let copier = self.copier;
        let (left, right) = self.memory.split_at(at);
        (Self { memory: left, copier }, Self { memory: right, copier })
    }
}

impl<'a> Mapped<'a, u8> {
    /// Bytes as the elements they are.
    pub(crate) fn cast<E: bytemuck::Pod>(self) -> Mapped<'a, E> {
        Mapped::typed(self.memory, self.copier)
    }
}

impl<E: bytemuck::Pod + Send + Sync> Target for Mapped<'_, E> {
    type Item = E;

    fn split(self, at: usize) -> (Self, Self) {
        self.split_at(at)
    }

    fn write(mut self, from: &[E]) {
        self.memory.copy_from_slice(from);
    }
}

impl<E> fmt::Debug for Mapped<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapped({} elements)", self.memory.len())
    }
}
