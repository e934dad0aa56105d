//! Buffers whose contents stay where an executor computes.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use crate::{
    error::Error,
    gpu::{Gpu, Memory as Raw},
    host::reserve,
    task::{Batch, TABLE_STRIDE, strings},
};

/// Where buffers are: on a device, or in the host's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) gpu: Option<&'a Arc<Gpu>>,
    /// The number of the executor.
    pub(crate) owner: u64,
}

/// Elements, of shape `[len]`, where an executor computes: in the device's memory, or on
/// [`Backend::Cpu`](crate::Backend::Cpu) in the host's. Only the executor that made it, or threads
/// that share that, can use it; it keeps the device, as a [`Pending`](crate::Pending) does.
///
/// ```
/// use gpu_executor::{Backend, Error, Executor};
///
/// let executor = Executor::new(Backend::Cpu)?;
/// let mut numbers = executor.upload(&[1_u32, 2, 3])?;
/// executor.write(&mut numbers, 1, &[20])?;
/// assert_eq!(executor.read_range(&numbers, 1..3)?, [20, 3]);
///
/// let other = Executor::new(Backend::Cpu)?;
/// assert_eq!(other.read(&numbers), Err(Error::WrongExecutor));
/// # Ok::<(), Error>(())
/// ```
pub struct DeviceBuffer<T> {
    len: usize,
    /// The number of its executor.
    owner: u64,
    memory: Memory<T>,
}

enum Memory<T> {
    Host(RwLock<Vec<T>>),
    Device(OnDevice),
}

/// Memory of a device, given back when it is dropped.
struct OnDevice {
    gpu: Arc<Gpu>,
    /// Present until it is dropped.
    raw: Option<Raw>,
}

impl OnDevice {
    fn new(gpu: &Arc<Gpu>, elements: usize, stride: usize) -> Result<Self, Error> {
        Ok(Self {
            raw: Some(gpu.allocate(elements, stride)?),
            gpu: Arc::clone(gpu),
        })
    }

    fn raw(&self) -> &Raw {
        self.raw.as_ref().expect("present until it is dropped")
    }
}

impl Drop for OnDevice {
    fn drop(&mut self) {
        if let Some(raw) = self.raw.take() {
            self.gpu.release(raw);
        }
    }
}

impl<T: bytemuck::Pod + Send + Sync> DeviceBuffer<T> {
    const STRIDE: usize = {
        assert!(size_of::<T>() > 0, "elements of a buffer have a size");
        assert!(size_of::<T>().is_multiple_of(4), "elements of a buffer are whole words");
        assert!(
            align_of::<T>() <= 8,
            "elements of a buffer are aligned to eight bytes at most"
        );
        size_of::<T>()
    };

    /// Zeros.
    pub(crate) fn new(place: Place<'_>, len: usize) -> Result<Self, Error> {
        let memory = match place.gpu {
            None => {
                let mut items = reserve(len)?;
                items.resize(len, T::zeroed());
                Memory::Host(RwLock::new(items))
            }
            Some(gpu) => Memory::Device(OnDevice::new(gpu, len, Self::STRIDE)?),
        };
        Ok(Self {
            len,
            owner: place.owner,
            memory,
        })
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// It as an input of a chain.
    #[must_use]
    pub fn view(&self) -> View<'_, T> {
        View {
            buffer: self,
            chain: None,
        }
    }

    /// Whether it is this executor's.
    pub(super) fn check_owner(&self, owner: u64) -> Result<(), Error> {
        if self.owner == owner {
            Ok(())
        } else {
            Err(Error::WrongExecutor)
        }
    }

    pub(super) fn raw(&self) -> Option<&Raw> {
        match &self.memory {
            Memory::Host(_) => None,
            Memory::Device(device) => Some(device.raw()),
        }
    }

    /// The elements in the host's memory; `None` on a device. There is nothing in them that a panic
    /// could have left half done.
    pub(super) fn host(&self) -> Option<RwLockReadGuard<'_, Vec<T>>> {
        match &self.memory {
            Memory::Host(items) => Some(items.read().unwrap_or_else(PoisonError::into_inner)),
            Memory::Device(_) => None,
        }
    }

    pub(super) fn host_mut(&self) -> Option<RwLockWriteGuard<'_, Vec<T>>> {
        match &self.memory {
            Memory::Host(items) => Some(items.write().unwrap_or_else(PoisonError::into_inner)),
            Memory::Device(_) => None,
        }
    }

    fn checked(&self, place: Place<'_>, range: &Range<usize>) -> Result<(), Error> {
        self.check_owner(place.owner)?;
        if range.start <= range.end && range.end <= self.len {
            return Ok(());
        }
        Err(Error::OutOfRange {
            start: range.start,
            end: range.end,
            len: self.len,
        })
    }

    pub(crate) fn write(&mut self, place: Place<'_>, first: usize, items: &[T]) -> Result<(), Error> {
        let range = first..first.saturating_add(items.len());
        self.checked(place, &range)?;
        match &self.memory {
            Memory::Host(_) => {
                if let Some(mut host) = self.host_mut() {
                    host[range].copy_from_slice(items);
                }
                Ok(())
            }
            Memory::Device(device) => {
                let bytes: &[u8] = bytemuck::cast_slice(items);
                let at = (first * Self::STRIDE) as u64;
                device.gpu.upload(device.raw(), at, bytes)
            }
        }
    }

    pub(crate) fn read(&self, place: Place<'_>, range: Range<usize>) -> Result<Vec<T>, Error> {
        self.checked(place, &range)?;
        let mut items: Vec<T> = reserve(range.len())?;
        match &self.memory {
            Memory::Host(_) => {
                if let Some(host) = self.host() {
                    items.extend_from_slice(&host[range]);
                }
            }
            Memory::Device(device) => {
                let [start, end] = [range.start, range.end].map(|at| (at * Self::STRIDE) as u64);
                device.gpu.download(device.raw(), start..end, &mut |bytes, copier| {
                    let piece = bytemuck::try_cast_slice(bytes);
                    let piece = piece.map_err(|error| format!("the mapping cannot be read: {error}"))?;
                    copier.append(&mut items, piece);
                    Ok(())
                })?;
            }
        }
        Ok(items)
    }
}

impl<T> fmt::Debug for DeviceBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceBuffer({} of {} bytes)", self.len, size_of::<T>())
    }
}

/// A buffer as an input of a chain.
pub struct View<'a, T> {
    pub(super) buffer: &'a DeviceBuffer<T>,
    /// The number of the chain that writes it, if one does.
    pub(super) chain: Option<u64>,
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

impl<T> fmt::Debug for View<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.buffer.fmt(f)
    }
}

/// Strings of bytes where an executor computes: messages, for a hash.
///
/// ```
/// use gpu_executor::{Backend, Executor, Sha256};
///
/// let executor = Executor::new(Backend::Cpu)?;
/// let messages = executor.upload_strings(&["a", "bc", ""])?;
/// let mut digests = executor.buffer::<[u8; 32]>(messages.len())?;
/// let mut chain = executor.chain();
/// chain.add::<Sha256<'_, Vec<u8>>>(&messages, (), &mut digests)?;
/// chain.run()?;
/// assert_eq!(executor.read(&digests)?, executor.run(&Sha256 { messages: &["a", "bc", ""] })?);
/// # Ok::<(), gpu_executor::Error>(())
/// ```
pub struct DeviceStrings {
    pub(super) len: usize,
    pub(super) words: usize,
    pub(super) longest: usize,
    pub(super) owner: u64,
    memory: StringMemory,
}

enum StringMemory {
    Host(Vec<Vec<u8>>),
    Device { table: OnDevice, words: OnDevice },
}

/// Bytes that go to the device together, roughly.
const PIECE_BYTES: usize = 4 << 20;

impl DeviceStrings {
    pub(crate) fn new<M: AsRef<[u8]> + Sync>(place: Place<'_>, given: &[M]) -> Result<Self, Error> {
        let (len, owner) = (given.len(), place.owner);
        let Some(gpu) = place.gpu else {
            let mut host = reserve(len)?;
            host.extend(given.iter().map(|string| string.as_ref().to_vec()));
            return Ok(Self {
                len,
                words: 0,
                longest: 0,
                owner,
                memory: StringMemory::Host(host),
            });
        };
        let batch = Batch {
            tasks: &[strings::Uploaded(given)],
            lengths: &[len],
        };
        let pieces = strings::pieces(&batch, PIECE_BYTES, gpu.copier());
        let (words, longest) = pieces
            .as_ref()
            .map_or((0, 0), |(whole, _)| (whole.words, whole.longest));
        // Kernels count words, and the bytes of a string, in u32.
        if u32::try_from(words).and(u32::try_from(longest * 4)).is_err() {
            return Err(Error::too_many_words(words.saturating_mul(4)));
        }
        let table = OnDevice::new(gpu, len, TABLE_STRIDE)?;
        let memory = OnDevice::new(gpu, words, 4)?;
        if let Some((whole, pieces)) = pieces {
            let table_bytes = (len * TABLE_STRIDE) as u64;
            gpu.upload_pieces(table.raw(), std::iter::once(table_bytes), |_, to, copier| {
                strings::write_table(&batch, whole, to, copier);
            })?;
            let lengths = pieces.iter().map(|piece| piece.words as u64 * 4);
            gpu.upload_pieces(memory.raw(), lengths, |number, to, copier| {
                strings::write_words(&batch, pieces[number], to, copier);
            })?;
        }
        Ok(Self {
            len,
            words,
            longest,
            owner,
            memory: StringMemory::Device { table, words: memory },
        })
    }

    /// Number of strings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Table and words.
    pub(super) fn raw(&self) -> Option<(&Raw, &Raw)> {
        match &self.memory {
            StringMemory::Host(_) => None,
            StringMemory::Device { table, words } => Some((table.raw(), words.raw())),
        }
    }

    pub(super) fn host(&self) -> &[Vec<u8>] {
        match &self.memory {
            StringMemory::Host(strings) => strings,
            StringMemory::Device { .. } => &[],
        }
    }
}

impl fmt::Debug for DeviceStrings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceStrings({})", self.len)
    }
}
