//! The calibration kernel of the benches, for programs that have none of their own.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

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

/// How often the kernel is run beside another program: for two thousandths of the time, so that most of its samples know nothing of it.
const EVERY: Duration = Duration::from_millis(15);

/// Does `work`, and meanwhile runs the kernel now and then on the core that bound processes run on. It tells whether others had company
/// there even if they compute at the same time: it counts the time of its own thread, which then takes turns with theirs.
///
/// Returns the kernel's times in nanoseconds, the first from the beginning and the last from the end.
pub(crate) fn beside<R>(bound: bool, work: impl FnOnce() -> R) -> (R, Vec<f64>) {
    let (end, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let watch = scope.spawn(move || {
            let mut times_ns = vec![time_ns(bound)];
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                times_ns.push(time_ns(bound));
            }
            times_ns.push(time_ns(bound));
            times_ns
        });
        let result = work();
        drop(end);
        (result, watch.join().expect("additions do not panic"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_run_at_both_ends_and_in_between() {
        let (result, times_ns) = beside(affinity::is_possible(), || {
            thread::sleep(10 * EVERY);
            7
        });
        assert_eq!(result, 7);
        assert!(
            times_ns.len() >= 3 && times_ns.iter().all(|ns| *ns > 0.0),
            "{times_ns:?}"
        );
        assert!(beside(false, || ()).1.len() >= 2);
    }
}
