//! What a comparison keeps of every window it measured, one line each: written as blocks end, so that
//! an interrupted comparison can go on, and assessed from nothing else.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Whose calls a window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// The revision compared with.
    Base,
    /// The revision in question.
    Head,
    /// The base once more, in a process of its own: what differs from the base is noise.
    Control,
}

impl Variant {
    /// All variants, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Base, Self::Head, Self::Control];

    /// Number of its program: base and control run the same.
    #[must_use]
    pub fn program(self) -> usize {
        usize::from(self == Self::Head)
    }

    /// The word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Head => "head",
            Self::Control => "control",
        }
    }
}

/// Calls of one variant within some hundredths of a second. No window is ever left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The case's id.
    pub case: String,
    /// Number of the block, from 1: its processes are its own.
    pub block: u64,
    /// Number of the round within the block, from 1: every variant has one window in each.
    pub round: u64,
    /// Whose calls these are.
    pub variant: Variant,
    /// The core that the calling thread, or the whole process, was bound to; `None` where it was
    /// free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<u32>,
    /// Samples of the window: calls, or means of a few calls where one is as short as the clock's
    /// ticks.
    pub samples: u64,
    /// Tenth percentile of the samples, in nanoseconds (Harrell–Davis).
    pub p10_ns: f64,
    /// Median of the samples, in nanoseconds (Harrell–Davis).
    pub p50_ns: f64,
    /// 95th percentile of the samples, in nanoseconds (Harrell–Davis).
    pub p95_ns: f64,
    /// Mean of the samples, in nanoseconds.
    pub mean_ns: f64,
    /// Counters of each call, where the program counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
    /// Medians of the phases of a call, where the program measures them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub phases_ns: BTreeMap<String, f64>,
    /// What the GPUs said of their clocks right after the window; never used to select or adjust.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Clock>,
}

/// The clock of one GPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// Clock of the multiprocessors, in MHz.
    pub sm_mhz: u32,
    /// Why it is not higher, as NVML names the reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// Renders windows, one line each.
#[expect(clippy::missing_panics_doc, reason = "plain data is always JSON")]
#[must_use]
pub fn to_lines(windows: &[Window]) -> String {
    let line = |window| serde_json::to_string(window).expect("plain data is always JSON") + "\n";
    windows.iter().map(line).collect()
}

/// Reads windows. A last line that was cut off, by a full disk or a kill, is dropped.
///
/// # Errors
/// [`Error::Data`] with file and line of anything else that is no window.
pub fn from_lines(path: &Path, text: &str) -> Result<Vec<Window>, Error> {
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

    /// A window whose other times follow from its tenth percentile.
    pub(crate) fn window(case: &str, block: u64, round: u64, variant: Variant, p10_ns: f64) -> Window {
        Window {
            case: case.to_owned(),
            block,
            round,
            variant,
            core: Some(0),
            samples: 100,
            p10_ns,
            p50_ns: p10_ns + 10.0,
            p95_ns: p10_ns + 30.0,
            mean_ns: p10_ns + 20.0,
            counters: BTreeMap::new(),
            phases_ns: BTreeMap::new(),
            gpus: Vec::new(),
        }
    }

    #[test]
    fn windows_survive_being_written_and_read() {
        let mut windows = vec![
            window("a", 1, 1, Variant::Base, 10.5),
            window("a", 2, 1, Variant::Head, 11.5),
        ];
        windows[1].counters.insert("dispatches".to_owned(), 1);
        windows[1].gpus.push(Clock {
            sm_mhz: 1980,
            reasons: vec!["gpu idle".to_owned()],
        });
        let lines = to_lines(&windows);
        assert_eq!(from_lines(Path::new("x"), &lines).unwrap(), windows);
        let cut = &lines[..lines.len() - 10];
        assert_eq!(from_lines(Path::new("x"), cut).unwrap(), windows[..1], "a line cut off");
    }

    #[test]
    fn a_line_that_is_no_window_is_named() {
        let lines = format!("{}nonsense\n", to_lines(&[window("a", 1, 1, Variant::Base, 10.5)]));
        let message = from_lines(Path::new("windows.jsonl"), &lines).unwrap_err().to_string();
        assert!(message.starts_with("windows.jsonl:2: "), "{message}");
    }
}
