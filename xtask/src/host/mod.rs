//! The machine: its processes, folders, cores and terminal.

pub(crate) mod adapters;
pub(crate) mod affinity;
pub(crate) mod build;
pub(crate) mod contest;
pub(crate) mod github;
pub(crate) mod machine;
pub(crate) mod noop;
pub(crate) mod out;
pub(crate) mod peer;
pub(crate) mod revision;
pub(crate) mod session;
pub(crate) mod turns;
pub(crate) mod windows;
pub(crate) mod workspace;

pub(crate) use bench_gate::{console, interrupt, lines, lock};

/// Without a display, Mesa's OpenGL first looks for a Wayland server and complains if it is not told where; any folder
/// without one keeps it quiet.
pub(crate) fn quiet_display(command: &mut std::process::Command) {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    }
}
