//! The calibration kernel of the benches, for programs that have none of their own.

use crate::host::affinity;

#[path = "../../../benches/executor/calibration.rs"]
mod kernel;

pub(crate) use kernel::MOST_DISTURBANCE;

/// Time of the kernel in nanoseconds, on the core that bound processes run on.
pub(crate) fn time_ns(bound: bool) -> f64 {
    let time_ns = || kernel::time_ns() as f64;
    if bound {
        affinity::on_one_core(time_ns).unwrap_or_else(time_ns)
    } else {
        time_ns()
    }
}
