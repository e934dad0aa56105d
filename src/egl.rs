//! OpenGL ES contexts of this crate's own, for drivers that give wgpu one without compute shaders.
//!
//! wgpu asks EGL for desktop OpenGL 3.3, and NVIDIA's driver gives exactly that. Asked for OpenGL
//! ES 3.2 it gives that too, with compute shaders, and wgpu works with a context it is handed as
//! long as that is current whenever it is called.

use std::{ffi::c_void, fmt, ptr, sync::OnceLock};

use khronos_egl::{self as egl, Config, Display, Surface};

type Egl = egl::DynamicInstance<egl::EGL1_5>;

/// `eglQueryDevicesEXT`.
type QueryDevices = extern "system" fn(egl::Int, *mut *mut c_void, *mut egl::Int) -> egl::Boolean;

/// `EGL_PLATFORM_DEVICE_EXT`.
const PLATFORM_DEVICE: egl::Enum = 0x313F;

/// The EGL library, and a display for each device it knows.
///
/// Both stay for as long as the process: EGL has one display for a device, and terminating it takes
/// it from all.
struct Library {
    egl: Egl,
    displays: Vec<Display>,
    /// NVIDIA's driver (580.159.04) is one for Vulkan and EGL: with the last Vulkan instance of a
    /// process it ends EGL's displays and contexts as well. This one stays.
    _vulkan: wgpu::Instance,
}

#[expect(unsafe_code, reason = "EGL's handles are pointers")]
// SAFETY: displays are names of what EGL keeps, and EGL may be called from any thread.
unsafe impl Send for Library {}
#[expect(unsafe_code, reason = "EGL's handles are pointers")]
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    /// The library, opened on first use, or why there is none.
    fn get() -> Result<&'static Self, String> {
        static LIBRARY: OnceLock<Result<Library, String>> = OnceLock::new();
        LIBRARY.get_or_init(Self::open).as_ref().map_err(String::clone)
    }

    fn open() -> Result<Self, String> {
        #[expect(unsafe_code, reason = "what lies behind a library's name is not known")]
        // SAFETY: the file of that name must be an EGL library. It is what the system has under
        // EGL's own name, which wgpu opens as well.
        let egl = unsafe { Egl::load_required() }.map_err(|error| format!("no EGL 1.5: {error}"))?;
        let query = egl
            .get_proc_address("eglQueryDevicesEXT")
            .ok_or("EGL has no eglQueryDevicesEXT")?;
        #[expect(unsafe_code, reason = "EGL hands out functions without their types")]
        // SAFETY: that is the function's type in EGL_EXT_device_enumeration; both are pointers to
        // functions.
        let query = unsafe { std::mem::transmute::<extern "system" fn(), QueryDevices>(query) };
        let mut devices = [ptr::null_mut(); 64];
        let mut count = 0;
        let most = egl::Int::try_from(devices.len()).expect("a small number");
        if query(most, devices.as_mut_ptr(), &raw mut count) != egl::TRUE {
            return Err("EGL cannot list its devices".to_owned());
        }
        let count = usize::try_from(count).unwrap_or(0).min(devices.len());
        let display = |&device: &*mut c_void| {
            #[expect(unsafe_code, reason = "EGL cannot know what it is given")]
            // SAFETY: a device must be one of EGL's own, and EGL has just listed it; devices stay
            // for as long as the process.
            unsafe { egl.get_platform_display(PLATFORM_DEVICE, device, &[egl::ATTRIB_NONE]) }.ok()
        };
        let displays = devices[..count].iter().filter_map(display).collect();
        Ok(Self {
            egl,
            displays,
            _vulkan: instance(wgpu::Backends::VULKAN),
        })
    }
}

fn instance(backends: wgpu::Backends) -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    descriptor.flags = wgpu::InstanceFlags::from_build_config().with_env();
    wgpu::Instance::new(descriptor)
}

/// A context, and the smallest of surfaces, which not every driver can do without.
pub(crate) struct Context {
    egl: &'static Egl,
    display: Display,
    context: egl::Context,
    surface: Surface,
}

#[expect(unsafe_code, reason = "EGL's handles are pointers")]
// SAFETY: the handles are names of what EGL keeps, and EGL may be called from any thread. That a
// context is current in one thread at a time is EGL's own rule: it refuses the second.
unsafe impl Send for Context {}
#[expect(unsafe_code, reason = "EGL's handles are pointers")]
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    fn new(egl: &'static Egl, display: Display) -> Result<Self, egl::Error> {
        // Does nothing to a display that is initialised, as it is from the first context on unless
        // others end it.
        egl.initialize(display)?;
        egl.bind_api(egl::OPENGL_ES_API)?;
        let wanted = [
            egl::SURFACE_TYPE,
            egl::PBUFFER_BIT,
            egl::RENDERABLE_TYPE,
            egl::OPENGL_ES3_BIT,
            egl::NONE,
        ];
        let config = egl
            .choose_first_config(display, &wanted)?
            .ok_or(egl::Error::BadConfig)?;
        let context = Self::newest(egl, display, config)?;
        let size = [egl::WIDTH, 1, egl::HEIGHT, 1, egl::NONE];
        match egl.create_pbuffer_surface(display, config, &size) {
            Ok(surface) => Ok(Self {
                egl,
                display,
                context,
                surface,
            }),
            Err(error) => {
                let _ = egl.destroy_context(display, context);
                Err(error)
            }
        }
    }

    /// A context of OpenGL ES 3.2, else 3.1, which is the first that has compute shaders.
    fn newest(egl: &Egl, display: Display, config: Config) -> Result<egl::Context, egl::Error> {
        let version = |minor| {
            let attributes = [
                egl::CONTEXT_MAJOR_VERSION,
                3,
                egl::CONTEXT_MINOR_VERSION,
                minor,
                egl::NONE,
            ];
            egl.create_context(display, config, None, &attributes)
        };
        version(2).or_else(|_| version(1))
    }

    /// Makes it this thread's until the value is dropped.
    ///
    /// # Errors
    /// The error of EGL, as for a lost context. The thread has no context then, so that anything
    /// dropped there is not taken from another one.
    pub(crate) fn enter(&self) -> Result<Current<'_>, String> {
        let surface = Some(self.surface);
        // Releases the thread's context when it is dropped, whichever that is.
        let current = Current(self);
        self.egl
            .make_current(self.display, surface, surface, Some(self.context))
            .map_err(|error| format!("its context cannot be made current: {error}"))?;
        Ok(current)
    }

    /// wgpu's adapter on the context.
    fn adapter(&self) -> Result<wgpu::Adapter, String> {
        let _current = self.enter()?;
        let function = |name: &str| match self.egl.get_proc_address(name) {
            Some(function) => function as *const c_void,
            None => ptr::null(),
        };
        let options = wgpu::BackendOptions::from_env_or_default().gl;
        // One without backends makes no contexts.
        let instance = instance(wgpu::Backends::empty());
        #[expect(unsafe_code, reason = "wgpu cannot see to it that the context is current")]
        // SAFETY: the context must be current now, as it is, and whenever anything of the adapter's
        // is used or dropped. For that the adapter is handed out together with its context, and
        // `ContextLock` makes it current around every use of both. The adapter is made for an
        // instance without backends, which has no handle of its own it could be held against.
        let adapter = unsafe {
            wgpu::hal::gles::Adapter::new_external(function, options)
                .map(|adapter| instance.create_adapter_from_hal(adapter))
        };
        adapter.ok_or_else(|| "wgpu cannot use the driver's OpenGL ES".to_owned())
    }

    /// Ends the context, so that a test can see what happens then.
    #[cfg(test)]
    pub(crate) fn end(&self) {
        self.egl
            .destroy_context(self.display, self.context)
            .expect("there was one");
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // An error would mean that both are gone.
        let _ = self.egl.destroy_context(self.display, self.context);
        let _ = self.egl.destroy_surface(self.display, self.surface);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({:?})", self.context.as_ptr())
    }
}

/// A context that is current in this thread.
#[derive(Debug)]
pub(crate) struct Current<'a>(&'a Context);

impl Drop for Current<'_> {
    fn drop(&mut self) {
        // An error would mean that there is no current context to release.
        let _ = self.0.egl.make_current(self.0.display, None, None, None);
    }
}

/// An adapter on each of EGL's devices that gives a context, or why there is none.
pub(crate) fn adapters() -> Result<Vec<(wgpu::Adapter, Context)>, String> {
    let Library { egl, displays, .. } = Library::get()?;
    let mut refusals = Vec::new();
    let adapters: Vec<_> = displays
        .iter()
        .filter_map(|&display| {
            let context = Context::new(egl, display).map_err(|error| error.to_string());
            let both = context.and_then(|context| Ok((context.adapter()?, context)));
            both.map_err(|error| refusals.push(error)).ok()
        })
        .collect();
    if adapters.is_empty() {
        refusals.push("none of EGL's devices gives a context of OpenGL ES 3.1".to_owned());
        return Err(refusals.swap_remove(0));
    }
    Ok(adapters)
}
