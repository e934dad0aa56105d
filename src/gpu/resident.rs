//! Data that stays on the device: memory of a program's, what goes to it and comes from it, and the
//! dispatches that work on it, many of them in one submission.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    commands::{Commands, Dispatch, MapResult},
    device::BindGroup,
    engine::{Engine, IN_FLIGHT},
    faults::{Inside, lock},
    kernel::{Kernel, MAX_INPUTS, Size},
    submission::Submission,
};
use crate::{
    error::Error,
    host::Copier,
    mapped::Mapped,
    plan::Chunk,
    task::{Parameters, Shape, Spec, TABLE_STRIDE},
};

/// Memory holds a multiple of this number of elements: a thread may compute elements beyond the
/// last.
pub(crate) const PADDED_ELEMENTS: usize = 64;

/// Memory of the device that a program holds.
#[derive(Debug)]
pub(crate) struct Memory {
    raw: wgpu::Buffer,
    /// No other has it, ever.
    id: u64,
}

/// It is one of wgpu's objects, and goes within a use of it.
impl Drop for Memory {
    fn drop(&mut self) {
        debug_assert!(
            Inside::is() || std::thread::panicking(),
            "memory is dropped while wgpu is not in use"
        );
    }
}

/// What an operator computes on memory.
pub(crate) struct Work<'m> {
    pub(crate) spec: &'static Spec,
    /// Columns of numbers, or one memory: of the words of strings, behind [`Work::table`].
    pub(crate) inputs: &'m [&'m Memory],
    pub(crate) table: Table<'m>,
    pub(crate) output: &'m Memory,
    pub(crate) elements: usize,
    pub(crate) words: usize,
    pub(crate) longest: usize,
    pub(crate) parameters: Parameters,
    /// How many times as long as one step an element takes.
    pub(crate) depth: usize,
}

/// Where strings begin, and how long they are.
pub(crate) enum Table<'m> {
    /// Inputs are numbers.
    None,
    /// It is in memory.
    Memory(&'m Memory),
    /// The bytes of each string, where strings lie end to end; kept for the next time.
    Lengths(Vec<u32>),
}

/// A dispatch or several of one kernel over one bind group, ready to be recorded.
#[derive(Debug)]
pub(crate) struct Ready {
    kernel: Arc<Kernel>,
    group: Arc<BindGroup>,
    chunk: Chunk,
    /// Where the output goes from the memory that has room for what lies between dispatches: from,
    /// to, bytes.
    moved: Option<(wgpu::Buffer, wgpu::Buffer, u64)>,
}

/// Takes one piece of memory after the other; an error if it is not aligned for what it is read as.
pub(crate) type Read<'r> = dyn FnMut(&[u8], Copier) -> Result<(), String> + 'r;

/// What the engine keeps for data that stays.
#[derive(Debug)]
pub(super) struct Residents {
    groups: Mutex<HashMap<GroupKey, Arc<BindGroup>>>,
    tables: Mutex<HashMap<Vec<u32>, Arc<Memory>>>,
    /// For outputs with what lies between dispatches behind them. One is enough: submissions are
    /// done in their order.
    scratch: Mutex<Option<Arc<Memory>>>,
    staging: Mutex<Vec<Staging>>,
    most_idle_bytes: u64,
}

/// A kernel, and the memory it is given: the number of each, and from where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct GroupKey {
    kernel: usize,
    bindings: [(u64, u64, u64); MAX_INPUTS + 1],
}

/// A buffer of the host's that is idle: mapped, if it is one to be written.
#[derive(Debug)]
struct Staging {
    raw: wgpu::Buffer,
    mapped: MapResult,
    to_host: bool,
}

/// Tables of strings that are kept, and bind groups: then they are made anew.
const MAX_KEPT: usize = 1024;

impl Memory {
    fn bytes(&self) -> u64 {
        self.raw.size()
    }
}

impl Engine {
    /// Memory for a number of elements, zero at first.
    pub(super) fn allocate(&self, elements: usize, stride: usize) -> Result<Memory, Error> {
        let padded = elements.max(1).checked_next_multiple_of(PADDED_ELEMENTS);
        let bytes = padded
            .and_then(|padded| padded.checked_mul(stride))
            .map(|bytes| bytes as u64);
        let most = self.limits().max_buffer_size;
        let bytes = bytes
            .filter(|&bytes| bytes <= most)
            .ok_or_else(|| Error::BufferTooLong {
                adapter: self.device.faults.adapter.clone(),
                bytes: (elements as u64).saturating_mul(stride as u64),
                most,
            })?;
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let create = || self.device.create_buffer("resident", bytes, usage, false);
        let raw = match create() {
            Err(Error::OutOfMemory { .. }) if self.drop_idle() => create()?,
            result => result?,
        };
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Ok(Memory {
            raw,
            id: NUMBERS.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// Forgets memory that a program gives back.
    pub(super) fn release(&self, memory: &Memory) {
        let is_of = |key: &GroupKey| key.bindings.iter().any(|&(id, _, bytes)| bytes > 0 && id == memory.id);
        lock(&self.residents.groups).retain(|key, _| !is_of(key));
    }

    /// Writes bytes from `first` on, in pieces: `write` is given the number of each.
    pub(super) fn upload(
        &self,
        to: &Memory,
        first: u64,
        pieces: impl Iterator<Item = u64>,
        mut write: impl FnMut(usize, Mapped<'_, u8>, Copier),
    ) -> Result<(), Error> {
        let mut on_their_way = VecDeque::with_capacity(IN_FLIGHT);
        let mut at = 0;
        for (number, bytes) in pieces.enumerate().filter(|&(_, bytes)| bytes > 0) {
            if on_their_way.len() == IN_FLIGHT
                && let Some((submission, staging)) = on_their_way.pop_front()
            {
                self.wait(&submission)?;
                self.give(staging);
            }
            let staging = self.staging(bytes, false)?;
            {
                let view = staging.raw.get_mapped_range_mut(0..bytes);
                let mut view = view.map_err(|error| self.device.faults.failed_by(error))?;
                write(number, Mapped::new(view.slice(..)), self.copier());
            }
            staging.raw.unmap();
            self.device.count_up(bytes);
            let mut commands = self.device.commands();
            commands.copy_range((&staging.raw, 0), (&to.raw, first + at), bytes);
            commands.map(&staging.raw, wgpu::MapMode::Write, staging.raw.size(), &staging.mapped);
            on_their_way.push_back((self.submit_commands(commands, Some(staging.mapped.clone()))?, staging));
            at += bytes;
        }
        for (submission, staging) in on_their_way {
            self.wait(&submission)?;
            self.give(staging);
        }
        Ok(())
    }

    /// Reads a range of bytes, piece by piece in their order.
    pub(super) fn download(&self, from: &Memory, range: Range<u64>, read: &mut Read<'_>) -> Result<(), Error> {
        let mut on_their_way = VecDeque::with_capacity(IN_FLIGHT);
        let piece = self.piece_bytes();
        let mut starts = range.clone().step_by(usize::try_from(piece).unwrap_or(usize::MAX));
        loop {
            let next = if on_their_way.len() < IN_FLIGHT {
                starts.next()
            } else {
                None
            };
            if let Some(start) = next {
                let bytes = piece.min(range.end - start);
                let staging = self.staging(bytes, true)?;
                let mut commands = self.device.commands();
                commands.copy_range((&from.raw, start), (&staging.raw, 0), bytes);
                commands.show_to_host(&staging.raw);
                commands.map(&staging.raw, wgpu::MapMode::Read, bytes, &staging.mapped);
                on_their_way.push_back((
                    self.submit_commands(commands, Some(staging.mapped.clone()))?,
                    staging,
                    bytes,
                ));
                continue;
            }
            let Some((submission, staging, bytes)) = on_their_way.pop_front() else {
                return Ok(());
            };
            self.wait(&submission)?;
            {
                let view = staging.raw.get_mapped_range(0..bytes);
                let view = view.map_err(|error| self.device.faults.failed_by(error))?;
                read(&view, self.copier()).map_err(|message| self.device.faults.failed(message))?;
            }
            staging.raw.unmap();
            self.device.count_down(bytes);
            self.give(staging);
        }
    }

    /// Bytes of a piece of what goes to and comes from memory: a multiple of what any offset must
    /// be.
    pub(super) fn piece_bytes(&self) -> u64 {
        let piece = self.chunk_bytes().min(8 << 20);
        (piece / 256 * 256).max(256)
    }

    /// Finds kernel and bind groups for some work, and how it is cut.
    pub(super) fn ready(&self, work: &Work<'_>) -> Result<Vec<Ready>, Error> {
        if work.elements == 0 {
            return Ok(Vec::new());
        }
        let kernel = self.kernel(work.spec)?;
        let whole = Chunk {
            task: 0,
            first: 0,
            elements: work.elements,
            words: work.words,
            longest: work.longest,
            parameters: work.parameters,
        };
        let size = Size::of(&whole);
        let operator = work.spec.operator();
        let refuse = |reason: String| Error::NotResident { operator, reason };
        let limits = self.limits();
        let longest = work.spec.longest();
        if work.longest.saturating_mul(4) > longest {
            return Err(refuse(format!(
                "its kernel takes strings of {longest} bytes at the most; `Executor::run` takes longer ones"
            )));
        }
        let most = kernel
            .layout
            .most_resident(limits, work.depth, work.words / work.elements);
        let has_steps = work.spec.kernel.dispatches.is_some();
        if has_steps {
            let room = kernel.layout.room_bytes(size);
            let binding = limits.max_storage_buffer_binding_size;
            if room > binding {
                return Err(refuse(format!(
                    "the nodes between its dispatches take {room} bytes, more than max_storage_buffer_binding_size, {binding}"
                )));
            }
            let scratch = self.scratch(room)?;
            let group = self.group(&kernel, work, &whole, (&scratch, room))?;
            let bytes = kernel.layout.output_bytes(work.elements);
            let moved = Some((scratch.raw.clone(), work.output.raw.clone(), bytes));
            return Ok(vec![Ready {
                kernel,
                group,
                chunk: whole,
                moved,
            }]);
        }
        let mut all = Vec::with_capacity(work.elements.div_ceil(most));
        let mut first = 0;
        while first < work.elements {
            let elements = most.min(work.elements - first);
            let chunk = Chunk {
                first,
                elements,
                ..whole
            };
            let bytes = kernel.layout.output_bytes(kernel.layout.padded(elements));
            let group = self.group(&kernel, work, &chunk, (work.output, bytes))?;
            all.push(Ready {
                kernel: Arc::clone(&kernel),
                group,
                chunk,
                moved: None,
            });
            first += elements;
        }
        Ok(all)
    }

    /// The bind group of a kernel over the chunk's part of some memory.
    fn group(
        &self,
        kernel: &Kernel,
        work: &Work<'_>,
        chunk: &Chunk,
        (output, output_bytes): (&Memory, u64),
    ) -> Result<Arc<BindGroup>, Error> {
        let made;
        let mut bindings: Vec<(&Memory, u64, u64)> = Vec::with_capacity(MAX_INPUTS + 1);
        let padded = kernel.layout.padded(chunk.elements) as u64;
        let at = |stride: usize| (chunk.first as u64 * stride as u64, padded * stride as u64);
        match work.spec.inputs {
            Shape::Numbers(strides) => {
                for (memory, &stride) in work.inputs.iter().zip(strides) {
                    let (offset, bytes) = at(stride);
                    bindings.push((memory, offset, bytes));
                }
            }
            Shape::Strings => {
                let table: &Memory = match &work.table {
                    Table::Memory(table) => table,
                    Table::Lengths(lengths) => {
                        made = self.table(lengths)?;
                        &made
                    }
                    Table::None => unreachable!("strings have a table"),
                };
                let (offset, bytes) = at(TABLE_STRIDE);
                bindings.push((table, offset, bytes));
                bindings.extend(
                    work.inputs
                        .iter()
                        .map(|words| (*words, 0, (work.words as u64 * 4).max(256))),
                );
            }
        }
        let output_at = if std::ptr::eq(output, work.output) {
            chunk.first as u64 * work.spec.output_stride as u64
        } else {
            0
        };
        bindings.push((output, output_at, output_bytes));
        let binding = self.limits().max_storage_buffer_binding_size;
        for &(memory, offset, bytes) in &bindings {
            let reason = if bytes > binding {
                format!("an input of {bytes} bytes, more than max_storage_buffer_binding_size, {binding}")
            } else if offset + bytes > memory.bytes() {
                format!(
                    "its threads compute {} elements each, and buffers are filled up to {PADDED_ELEMENTS} elements",
                    work.spec.kernel.elements_per_thread
                )
            } else {
                continue;
            };
            return Err(Error::NotResident {
                operator: work.spec.operator(),
                reason,
            });
        }
        let mut key = GroupKey {
            kernel: kernel.number,
            bindings: [(0, 0, 0); MAX_INPUTS + 1],
        };
        for (slot, &(memory, offset, bytes)) in key.bindings.iter_mut().zip(&bindings) {
            *slot = (memory.id, offset, bytes);
        }
        let mut groups = lock(&self.residents.groups);
        if let Some(group) = groups.get(&key) {
            return Ok(Arc::clone(group));
        }
        if groups.len() >= MAX_KEPT {
            groups.clear();
        }
        let ranges: Vec<_> = bindings
            .iter()
            .map(|&(memory, offset, bytes)| (&memory.raw, offset, bytes))
            .collect();
        let group = match kernel.bind_ranges(&self.device, &ranges) {
            Err(Error::TooManyInFlight { .. }) if !groups.is_empty() => {
                groups.clear();
                kernel.bind_ranges(&self.device, &ranges)?
            }
            result => result?,
        };
        let group = Arc::new(group);
        groups.insert(key, Arc::clone(&group));
        Ok(group)
    }

    /// The table of strings that lie end to end, each filled up to eight bytes.
    fn table(&self, lengths: &[u32]) -> Result<Arc<Memory>, Error> {
        if let Some(table) = lock(&self.residents.tables).get(lengths) {
            return Ok(Arc::clone(table));
        }
        let table = self.allocate(lengths.len(), TABLE_STRIDE)?;
        let mut first = 0;
        let entries: Vec<[u32; 2]> = lengths
            .iter()
            .map(|&bytes| {
                let entry = [first, bytes];
                first += bytes.div_ceil(8) * 2;
                entry
            })
            .collect();
        let bytes: &[u8] = bytemuck::cast_slice(&entries);
        self.upload(&table, 0, std::iter::once(bytes.len() as u64), |_, mut to, _| {
            to.copy_from_slice(bytes);
        })?;
        let table = Arc::new(table);
        let mut tables = lock(&self.residents.tables);
        if tables.len() >= MAX_KEPT {
            // Bind groups over them go as well, or would keep them.
            tables.clear();
            lock(&self.residents.groups).clear();
        }
        tables.insert(lengths.to_vec(), Arc::clone(&table));
        Ok(table)
    }

    /// Memory for what lies between dispatches.
    fn scratch(&self, bytes: u64) -> Result<Arc<Memory>, Error> {
        let mut scratch = lock(&self.residents.scratch);
        if let Some(scratch) = scratch.as_ref().filter(|scratch| scratch.bytes() >= bytes) {
            return Ok(Arc::clone(scratch));
        }
        let words = usize::try_from(bytes.div_ceil(4)).unwrap_or(usize::MAX);
        let larger = Arc::new(self.allocate(words, 4)?);
        if let Some(smaller) = scratch.replace(Arc::clone(&larger)) {
            let is_of = |key: &GroupKey| key.bindings.iter().any(|&(id, _, bytes)| bytes > 0 && id == smaller.id);
            lock(&self.residents.groups).retain(|key, _| !is_of(key));
        }
        Ok(larger)
    }

    /// Submits work that is ready, all of it at once.
    pub(super) fn start_ready(&self, all: &[Ready]) -> Result<Submission, Error> {
        let mut commands = self.device.commands();
        let most_groups = self.limits().max_compute_workgroups_per_dimension;
        // A pass ends where something is copied.
        for pass in all.split_inclusive(|ready| ready.moved.is_some()) {
            let dispatches = pass.iter().flat_map(|ready| {
                let inputs = ready.kernel.layout.inputs();
                let steps = ready.kernel.steps(&ready.chunk, most_groups);
                steps.map(move |(groups, immediates)| Dispatch {
                    pipeline: &ready.kernel.pipeline,
                    bind_group: &ready.group.raw,
                    offsets: &[0; MAX_INPUTS][..inputs],
                    immediates,
                    immediates_read: ready.kernel.immediates,
                    groups,
                })
            });
            commands.pass(None, dispatches);
            if let Some((from, to, bytes)) = pass.last().and_then(|ready| ready.moved.as_ref()) {
                commands.copy_range((from, 0), (to, 0), *bytes);
            }
        }
        let done = MapResult::default();
        commands.tell(&done);
        self.submit_commands(commands, Some(done))
    }

    fn submit_commands(&self, commands: Commands, done: Option<MapResult>) -> Result<Submission, Error> {
        Ok(Submission {
            number: Submission::next_number(),
            index: self.device.submit(commands.finish())?,
            placed_chunks: Vec::new(),
            timed: false,
            done,
        })
    }

    /// Waits until a submission is over.
    fn wait(&self, submission: &Submission) -> Result<(), Error> {
        let spin = Duration::from_micros(self.tuning().spin_us);
        self.device.wait(&submission.index, submission.mappings(), spin)
    }

    /// An idle buffer of the host's that holds `bytes`, or a new one.
    fn staging(&self, bytes: u64, to_host: bool) -> Result<Staging, Error> {
        use wgpu::BufferUsages as Usage;
        let size = bytes.max(256).next_power_of_two();
        let mut idle = lock(&self.residents.staging);
        let fits = |staging: &Staging| staging.to_host == to_host && staging.raw.size() == size;
        if let Some(at) = idle.iter().rposition(fits) {
            self.device.count_pool_hit();
            return Ok(idle.swap_remove(at));
        }
        drop(idle);
        let usage = if to_host {
            Usage::MAP_READ | Usage::COPY_DST
        } else {
            Usage::MAP_WRITE | Usage::COPY_SRC
        };
        Ok(Staging {
            raw: self.device.create_buffer("staging", size, usage, !to_host)?,
            mapped: MapResult::default(),
            to_host,
        })
    }

    /// Keeps an idle buffer for the next time; one that met an error is dropped instead.
    fn give(&self, staging: Staging) {
        let mut idle = lock(&self.residents.staging);
        idle.push(staging);
        let mut bytes: u64 = idle.iter().map(|staging| staging.raw.size()).sum();
        while bytes > self.residents.most_idle_bytes {
            bytes -= idle.remove(0).raw.size();
        }
    }
}

impl Residents {
    pub(super) fn new(most_idle_bytes: u64) -> Self {
        Self {
            groups: Mutex::default(),
            tables: Mutex::default(),
            scratch: Mutex::default(),
            staging: Mutex::default(),
            most_idle_bytes,
        }
    }

    /// Drops the host's idle buffers, and says whether there were any.
    pub(super) fn drop_idle(&self) -> bool {
        let mut idle = lock(&self.staging);
        let had_any = !idle.is_empty();
        idle.clear();
        had_any
    }
}
