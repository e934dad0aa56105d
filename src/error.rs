//! What can go wrong: each error names the backend, adapter or argument at fault, and what to do
//! where that is known.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    backend::Backend,
    env::{BACKENDS_ENV, PCI_ENV, ROUTE_ENV, TUNING_ENV},
};

/// Why an executor could not be made, or a task not be run.
///
/// After [`Error::DeviceLost`] an executor is of no more use and a new one must be made; after
/// every other error it can be used again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that is no backend's.
    #[error(
        "unknown backend `{name}`; there are cpu, vulkan, gles, dx12, metal (also as a comma list in {BACKENDS_ENV})"
    )]
    UnknownBackend {
        /// The name as given.
        name: String,
    },
    /// The backend's cargo feature is off, or the platform does not have it.
    #[error("backend {backend} is not in this build: it needs the cargo feature `{backend}`{}", platform(*.backend))]
    BackendNotBuilt {
        /// The backend asked for.
        backend: Backend,
    },
    /// The backend has no adapter on this machine.
    #[error("no {backend} adapter on this machine: no driver for it is installed or none answers{}", install(*.backend))]
    NoAdapter {
        /// The backend asked for.
        backend: Backend,
    },
    /// None of the backend's adapters has the name or the place on the PCI bus asked for.
    #[error("no {backend} adapter has {wanted}; there are: {}", found.join(", "))]
    AdapterNotFound {
        /// The backend asked for.
        backend: Backend,
        /// What was asked for: part of a name, a PCI id, or both.
        wanted: String,
        /// The adapters there are, by name and PCI id.
        found: Vec<String>,
    },
    /// A PCI id that is none.
    #[error("{PCI_ENV}: `{given}` is not a PCI id; write it as `0000:65:00.0`, or `65:00.0` in domain 0")]
    BadPciId {
        /// The id as given.
        given: String,
    },
    /// A program's own device lacks what kernels need.
    #[error(
        "{adapter}: the device lacks {}; ask for `Executor::required_features` and `Executor::required_limits` when you request it",
        missing.join(", ")
    )]
    DeviceLacks {
        /// The adapter's name.
        adapter: String,
        /// The missing features and limits, each with the value needed.
        missing: Vec<String>,
    },
    /// No thread could be started to open a driver on.
    #[error("cannot start a thread to open the driver: {reason}")]
    NoThread {
        /// What the system said.
        reason: String,
    },
    /// A buffer of another executor.
    #[error("the buffer belongs to another executor; use it with the executor that made it")]
    WrongExecutor,
    /// A buffer that another chain is to write.
    #[error("the buffer is held by another chain, which has not run")]
    WrongChain,
    /// An operator would write what it reads.
    #[error("{operator}: the output is one of the inputs; write to another buffer")]
    Aliased {
        /// The operator's name.
        operator: &'static str,
    },
    /// Elements that a buffer does not have.
    #[error("elements {start} to {end} are out of range: the buffer has {len}")]
    OutOfRange {
        /// The first element asked for.
        start: usize,
        /// The end of those asked for.
        end: usize,
        /// Elements of the buffer.
        len: usize,
    },
    /// A buffer longer than the adapter has any.
    #[error("{adapter}: a buffer of {bytes} bytes, max_buffer_size is {most}; use several")]
    BufferTooLong {
        /// The adapter's name.
        adapter: String,
        /// Bytes asked for.
        bytes: u64,
        /// The adapter's limit.
        most: u64,
    },
    /// An operator cannot work on these buffers.
    #[error("{operator}: cannot run on these buffers: {reason}")]
    NotResident {
        /// The operator's name.
        operator: &'static str,
        /// What it goes beyond, by the limit's name.
        reason: String,
    },
    /// A ticket of another call, or one that was used before.
    #[error("the ticket belongs to another call, or its outputs were taken before")]
    WrongTicket,
    /// The output of a submitted task was taken before.
    #[error("the output of this task was taken before, by a poll of its future")]
    AlreadyTaken,
    /// No context of this crate's own could be made for GLES.
    #[error("no OpenGL ES context of this library's own: {reason}")]
    NoOwnContext {
        /// What EGL or wgpu said.
        reason: String,
    },
    /// The adapter is there but cannot run this library's kernels.
    #[error("the {backend} adapter {adapter} cannot be used: {reason}")]
    AdapterUnusable {
        /// The adapter's backend.
        backend: Backend,
        /// The adapter's name.
        adapter: String,
        /// What it lacks.
        reason: String,
    },
    /// A task's inputs do not have the lengths its operator wants.
    #[error("{operator}: task {task} has inputs of {left} and {right} elements, they must be equally long")]
    LengthMismatch {
        /// The operator's name.
        operator: &'static str,
        /// The task's place in the batch, 0 for a single one.
        task: usize,
        /// Elements of the first input.
        left: usize,
        /// Elements of the other input.
        right: usize,
    },
    /// An element that cannot be cut, and that no buffer of the adapter's holds.
    #[error(
        "{operator}: an input of {bytes} bytes, the adapter's buffers hold {most}; the backend `cpu` takes any length"
    )]
    TooLong {
        /// The operator's name.
        operator: &'static str,
        /// Bytes of the element's input.
        bytes: usize,
        /// Most bytes the adapter has a buffer for.
        most: usize,
    },
    /// The slice for the output is not as long as the output.
    #[error("{operator}: the output has {expected} elements, the slice for it {given}")]
    OutputLength {
        /// The operator's name.
        operator: &'static str,
        /// Elements of the output.
        expected: usize,
        /// Elements of the slice.
        given: usize,
    },
    /// More elements than one buffer of the adapter's holds or one dispatch may take, or none,
    /// cannot be written in place.
    #[error(
        "{operator}: {elements} elements cannot be written in place, 1 to {most} can; `Executor::run` takes any number"
    )]
    NotInPlace {
        /// The operator's name.
        operator: &'static str,
        /// Elements asked for.
        elements: usize,
        /// Most elements the adapter has buffers for and a dispatch may take.
        most: usize,
    },
    /// A setting of the tuning that is none.
    #[error(
        "{TUNING_ENV}: unknown setting `{part}`; there are upload=direct|staged, readback=direct|staged, small=, medium= and large=direct|staged/direct|staged, chunk=<bytes>, spin=<microseconds>, threads-from=<bytes>"
    )]
    BadTuning {
        /// The setting as given.
        part: String,
    },
    /// A route that is none.
    #[error(
        "{ROUTE_ENV}: unknown route `{part}`; there are auto, cpu, vulkan, gles, dx12, metal, and <operator>=<one of these>"
    )]
    BadRoute {
        /// The route as given.
        part: String,
    },
    /// A router does not have a device of this backend.
    #[error("this router has no {backend} device: it was made on {}; {ROUTE_ENV} or the program asks for it", devices.iter().map(|b| b.name()).collect::<Vec<_>>().join(", "))]
    NotRouted {
        /// The backend asked for.
        backend: Backend,
        /// The backends it has.
        devices: Vec<Backend>,
    },
    /// An operator's kernel is no WGSL, is not as its operator says, or is not taken by the
    /// adapter.
    #[error("{operator}: the kernel{}: {message}", at(*.line, *.column))]
    Kernel {
        /// The operator's name.
        operator: &'static str,
        /// The line of the operator's text, from 1 on; 0 if it is in none.
        line: usize,
        /// The character in the line, from 1 on; 0 if it is in none.
        column: usize,
        /// The reason.
        message: String,
        /// The error behind it, where wgpu gave one.
        source: Option<Cause>,
    },
    /// The adapter could not allocate what the task needs. On GLES wgpu reports this as
    /// [`Error::DeviceLost`] at times.
    #[error("{adapter}: out of memory allocating {bytes} bytes; set a smaller `Options::chunk_bytes`")]
    OutOfMemory {
        /// The adapter's name.
        adapter: String,
        /// Size of the allocation that failed.
        bytes: u64,
    },
    /// More tasks are in flight, or being written in place, than the device has descriptors for.
    #[error("{adapter}: {most} bindings are in use, all that are set aside; wait for tasks in flight")]
    TooManyInFlight {
        /// The adapter's name.
        adapter: String,
        /// Bindings that may be in use; a task takes one for each input and output.
        most: u64,
    },
    /// The device is gone: driver reset, unplugged, or destroyed. Make a new executor.
    #[error("{adapter}: the device was lost ({reason}); make a new executor")]
    DeviceLost {
        /// The adapter's name.
        adapter: String,
        /// What the driver said.
        reason: String,
    },
    /// The device did not finish in time. The work goes on there; its result is dropped.
    #[error("{adapter}: not finished after {waited:?}; raise `Options::timeout` if the task is that long")]
    Timeout {
        /// The adapter's name.
        adapter: String,
        /// How long the executor waited.
        waited: Duration,
    },
    /// Anything else wgpu or the driver reported.
    #[error("{adapter}: {message}")]
    Driver {
        /// The adapter's name.
        adapter: String,
        /// What was reported.
        message: String,
        /// The error behind it, where wgpu gave one.
        source: Option<Cause>,
    },
}

/// An error of another crate's that caused one of this crate's. [`std::error::Error::source`] leads
/// to it.
///
/// Two are equal if they say the same.
#[derive(Clone, Debug)]
pub struct Cause(Arc<dyn std::error::Error + Send + Sync>);

impl Cause {
    pub(crate) fn new(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Cause {}

impl Error {
    /// Strings longer than kernels count.
    pub(crate) fn too_many_words(bytes: usize) -> Self {
        Self::NotResident {
            operator: "strings",
            reason: format!("{bytes} bytes, more than kernels can count in u32"),
        }
    }

    /// Whether it is the device that cannot do the task, so that another one may.
    pub(crate) fn is_the_devices(&self) -> bool {
        let is_too_much = match self {
            // No device can help where the host's memory runs out.
            Self::OutOfMemory { adapter, .. } => adapter != HOST,
            Self::TooLong { .. } | Self::TooManyInFlight { .. } => true,
            _ => false,
        };
        is_too_much || self.ends_the_device()
    }

    /// Whether a router does not use the device any more.
    pub(crate) fn ends_the_device(&self) -> bool {
        matches!(
            self,
            Self::DeviceLost { .. } | Self::Timeout { .. } | Self::Driver { .. }
        )
    }

    /// The same error of another task of the batch.
    pub(crate) fn of_task(self, index: usize) -> Self {
        match self {
            Self::LengthMismatch {
                operator, left, right, ..
            } => Self::LengthMismatch {
                operator,
                task: index,
                left,
                right,
            },
            other => other,
        }
    }
}

/// Stands for an adapter's name where the host's memory ran out.
pub(crate) const HOST: &str = "host";

fn at(line: usize, column: usize) -> String {
    match line {
        0 => String::new(),
        line => format!(", line {line}, column {column}"),
    }
}

fn platform(backend: Backend) -> &'static str {
    match backend {
        Backend::Dx12 => ", and it exists on Windows only",
        Backend::Metal => ", and it exists on macOS and iOS only",
        Backend::Vulkan | Backend::Gles if cfg!(target_os = "macos") => ", and macOS does not have it",
        _ => "",
    }
}

fn install(backend: Backend) -> &'static str {
    match backend {
        Backend::Vulkan | Backend::Gles if cfg!(target_os = "linux") => {
            "; on Debian or Ubuntu `cargo xtask setup` installs Mesa's"
        }
        _ => "",
    }
}
