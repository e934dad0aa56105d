//! What a comparison keeps of every window it measured, one line each: written as blocks end, so that an interrupted comparison
//! can go on, and judged from nothing else.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use crate::{error::Error, quantile::harrell_davis};

/// Whose calls a window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Arm {
    /// The revision compared with.
    Base,
    /// The revision in question.
    Head,
    /// The base once more, in a process of its own: what differs from the base is noise.
    Again,
}

impl Arm {
    pub(crate) const ALL: [Self; 3] = [Self::Base, Self::Head, Self::Again];

    /// Number of its program: both bases run the same.
    pub(crate) fn program(self) -> usize {
        usize::from(self == Self::Head)
    }
}

/// Calls of one arm within some hundredths of a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) case: String,
    /// Number of the block, from 1: its processes are its own.
    pub(crate) block: u64,
    /// Number of the round within the block: every arm has one window in each.
    pub(crate) round: u64,
    pub(crate) arm: Arm,
    /// Samples kept; none if the machine was never quiet, and then there are no times.
    pub(crate) samples: u64,
    pub(crate) p10_ns: f64,
    pub(crate) p50_ns: f64,
    pub(crate) mean_ns: f64,
    /// Fastest tenth of the calibration kernel's times in this window.
    pub(crate) calibration_ns: f64,
    /// What the kernel might take at that time for the window to count; recordings of before it was written down have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit_ns: Option<f64>,
    /// Calls into wgpu per call, where the program counts them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) counters: BTreeMap<String, u64>,
    /// Medians of the phases of a call, where the program measures them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) phases_ns: BTreeMap<String, f64>,
}

/// A window as a program reports it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Measured {
    pub(crate) samples_ns: Vec<f64>,
    pub(crate) calibrations_ns: Vec<f64>,
    #[serde(default)]
    pub(crate) counters: BTreeMap<String, u64>,
    #[serde(default)]
    pub(crate) phases_ns: BTreeMap<String, Vec<f64>>,
}

impl Measured {
    /// Boils a window down to what is kept of it.
    pub(crate) fn window(self, case: &str, block: u64, round: u64, arm: Arm) -> Window {
        let quantile = |values: &[f64], p| sorted(values).map_or(0.0, |values| tidy(harrell_davis(&values, p) / 1e3));
        Window {
            case: case.to_owned(),
            block,
            round,
            arm,
            samples: self.samples_ns.len() as u64,
            p10_ns: quantile(&self.samples_ns, 0.10),
            p50_ns: quantile(&self.samples_ns, 0.50),
            mean_ns: tidy(self.samples_ns.iter().sum::<f64>() / self.samples_ns.len().max(1) as f64),
            calibration_ns: fastest_tenth(&self.calibrations_ns),
            limit_ns: None,
            counters: self.counters,
            phases_ns: self
                .phases_ns
                .into_iter()
                .filter(|(_, times)| !times.is_empty())
                .map(|(name, times)| (name, quantile(&times, 0.50)))
                .collect(),
        }
    }
}

/// Sorted whole picoseconds, since means of calls are no whole nanoseconds; `None` if there are none.
fn sorted(values_ns: &[f64]) -> Option<Vec<u64>> {
    let mut values: Vec<u64> = values_ns.iter().map(|ns| (ns * 1e3).round() as u64).collect();
    values.sort_unstable();
    (!values.is_empty()).then_some(values)
}

/// Rounded to picoseconds, which survive being written as decimals and read.
fn tidy(ns: f64) -> f64 {
    (ns * 1e3).round() / 1e3
}

/// The fastest tenth of some times; 0 if there are none.
pub(crate) fn fastest_tenth(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 10).copied().unwrap_or_default()
}

/// Renders windows, one line each.
pub(crate) fn to_lines(windows: &[Window]) -> String {
    let line = |window| serde_json::to_string(window).expect("plain data is always JSON") + "\n";
    windows.iter().map(line).collect()
}

/// Reads windows. A last line that was cut off, by a full disk or a kill, is dropped.
///
/// # Errors
/// The file and line of anything else that is no window.
pub(crate) fn from_lines(path: &Path, text: &str) -> Result<Vec<Window>, Error> {
    let mut windows: Vec<Window> = Vec::new();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if !line.ends_with('\n') {
            break;
        }
        windows.push(serde_json::from_str(line).map_err(|error| Error::Data {
            path: path.to_owned(),
            line: number,
            message: error.to_string(),
        })?);
    }
    Ok(windows)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn window(case: &str, block: u64, round: u64, arm: Arm, p10_ns: f64) -> Window {
        Window {
            case: case.to_owned(),
            block,
            round,
            arm,
            samples: 100,
            p10_ns,
            p50_ns: p10_ns + 10.0,
            mean_ns: p10_ns + 20.0,
            calibration_ns: 18_000.0,
            limit_ns: None,
            counters: BTreeMap::new(),
            phases_ns: BTreeMap::new(),
        }
    }

    #[test]
    fn windows_survive_being_written_and_read() {
        let mut windows = vec![window("a", 1, 1, Arm::Base, 10.5), window("a", 2, 1, Arm::Head, 11.5)];
        windows[1].counters.insert("dispatches".to_owned(), 1);
        let lines = to_lines(&windows);
        assert_eq!(from_lines(Path::new("x"), &lines).unwrap(), windows);
        let cut = &lines[..lines.len() - 10];
        assert_eq!(from_lines(Path::new("x"), cut).unwrap(), windows[..1], "a line cut off");
    }

    #[test]
    fn a_line_that_is_no_window_is_named() {
        let lines = format!("{}nonsense\n", to_lines(&[window("a", 1, 1, Arm::Base, 10.5)]));
        let message = from_lines(Path::new("windows.jsonl"), &lines).unwrap_err().to_string();
        assert!(message.starts_with("windows.jsonl:2: "), "{message}");
    }

    #[test]
    fn a_window_keeps_quantiles_of_its_samples() {
        let measured = Measured {
            samples_ns: (1..=1001).map(f64::from).collect(),
            calibrations_ns: (1..=20).map(f64::from).collect(),
            phases_ns: [("device".to_owned(), vec![3.0, 3.0]), ("queue".to_owned(), vec![])].into(),
            ..Measured::default()
        };
        let window = measured.window("a", 1, 2, Arm::Again);
        assert!(
            (window.p10_ns - 101.0).abs() < 1.0 && (window.p50_ns - 501.0).abs() < 1.0,
            "{window:?}"
        );
        assert_eq!(
            (window.mean_ns, window.calibration_ns, window.samples),
            (501.0, 3.0, 1001)
        );
        assert_eq!(window.phases_ns, [("device".to_owned(), 3.0)].into());
        let empty = Measured::default().window("a", 1, 1, Arm::Base);
        assert_eq!((empty.samples, empty.p10_ns), (0, 0.0));
    }
}
