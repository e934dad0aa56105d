//! What a comparison keeps of every window it measured, one line each: written as blocks end, so that
//! an interrupted comparison can go on, and assessed from nothing else.

use std::{collections::BTreeMap, path::Path};

use bench_recorder::wire;
use serde::{Deserialize, Serialize};

use crate::{
    assess::{BASE, Block, CONTROL, Case, HEAD, Times},
    error::Error,
    stat::quantile::harrell_davis,
};

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
    /// Threads of the process, in its first window of the case, where the system says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// What the cold start of the case took, part by part, in the first window of the process.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cold_ns: BTreeMap<String, u64>,
    /// What the GPUs said of their clocks right after the window; never used to select or adjust.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Clock>,
}

impl Window {
    /// What is kept of a window that a program measured.
    #[must_use]
    pub fn new(case: &str, block: u64, round: u64, variant: Variant, measured: wire::Window) -> Self {
        let samples = measured.samples_ns;
        let picoseconds = sorted_ps(samples.iter().copied());
        let quantile = |p| rounded(harrell_davis(&picoseconds, p) / 1e3);
        let median = |times: Vec<u64>| rounded(harrell_davis(&sorted_ps(times.iter().map(|&ns| ns as f64)), 0.5) / 1e3);
        let phases = measured.phases_ns.into_iter().filter(|(_, times)| !times.is_empty());
        Self {
            case: case.to_owned(),
            block,
            round,
            variant,
            core: None,
            samples: samples.len() as u64,
            p10_ns: quantile(0.10),
            p50_ns: quantile(0.50),
            p95_ns: quantile(0.95),
            mean_ns: rounded(samples.iter().sum::<f64>() / samples.len() as f64),
            counters: measured.counters,
            phases_ns: phases.map(|(name, times)| (name, median(times))).collect(),
            threads: None,
            cold_ns: BTreeMap::new(),
            gpus: Vec::new(),
        }
    }

    /// Its times in the order of [`Statistic::ALL`](crate::assess::Statistic::ALL).
    fn times_ns(&self) -> [f64; 4] {
        [self.p10_ns, self.p50_ns, self.mean_ns, self.p95_ns]
    }
}

/// Whole picoseconds, ascending, since means of calls are no whole nanoseconds.
fn sorted_ps(samples_ns: impl Iterator<Item = f64>) -> Vec<u64> {
    let mut samples: Vec<u64> = samples_ns.map(|ns| (ns * 1e3).round() as u64).collect();
    samples.sort_unstable();
    samples
}

/// Rounded to picoseconds, which survive being written as decimals and read.
fn rounded(ns: f64) -> f64 {
    (ns * 1e3).round() / 1e3
}

/// Sorts windows by case, as an assessment reads them. A block counts in which all variants have a
/// window.
#[must_use]
pub fn cases(names: &[String], windows: &[Window]) -> Vec<Case> {
    let mut blocks: BTreeMap<&str, BTreeMap<u64, [Vec<&Window>; 3]>> = BTreeMap::new();
    for window in windows {
        let block = blocks.entry(&window.case).or_default().entry(window.block).or_default();
        let place = match window.variant {
            Variant::Head => HEAD,
            Variant::Base => BASE,
            Variant::Control => CONTROL,
        };
        block[place].push(window);
    }
    let case = |name: &String| {
        let mut case = Case {
            name: name.clone(),
            ..Case::default()
        };
        for (&number, processes) in blocks.get(name.as_str()).into_iter().flatten() {
            for (place, windows) in processes.iter().enumerate() {
                let counted = windows.iter().filter(|window| !window.counters.is_empty());
                case.counters[usize::from(place == HEAD)].extend(counted.map(|window| window.counters.clone()));
            }
            let times = processes
                .each_ref()
                .map(|windows| Times::of_windows(&windows.iter().map(|window| window.times_ns()).collect::<Vec<_>>()));
            if let [Some(head), Some(base), Some(control)] = times {
                case.blocks.push(Block {
                    number,
                    times: [head, base, control],
                });
                add_phases(&mut case, processes);
            }
        }
        case
    };
    names.iter().map(case).collect()
}

/// Adds the phases that all three processes of a block have.
fn add_phases(case: &mut Case, processes: &[Vec<&Window>; 3]) {
    let mean = |windows: &[&Window], name: &str| -> Option<f64> {
        let times = windows.iter().filter_map(|window| window.phases_ns.get(name));
        let logarithms: Vec<f64> = times.filter(|ns| **ns > 0.0).map(|ns| ns.ln()).collect();
        (!logarithms.is_empty()).then(|| logarithms.iter().sum::<f64>() / logarithms.len() as f64)
    };
    let names: std::collections::BTreeSet<&String> = processes[HEAD].iter().flat_map(|w| w.phases_ns.keys()).collect();
    for name in names {
        let means = processes.each_ref().map(|windows| mean(windows, name));
        if let [Some(head), Some(base), Some(control)] = means {
            case.phases.entry(name.clone()).or_default().push([head, base, control]);
        }
    }
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
            threads: None,
            cold_ns: BTreeMap::new(),
            gpus: Vec::new(),
        }
    }

    #[test]
    fn a_window_keeps_statistics_of_all_its_samples() {
        let measured = wire::Window {
            samples_ns: (1..=1001).map(f64::from).collect(),
            phases_ns: [("device".to_owned(), vec![3, 3]), ("queue".to_owned(), vec![])].into(),
            ..wire::Window::default()
        };
        let window = Window::new("a", 1, 2, Variant::Control, measured);
        for (found, expected) in window.times_ns().into_iter().zip([101.0, 501.0, 501.0, 952.0]) {
            assert!((found - expected).abs() < 1.0, "{window:?}");
        }
        assert_eq!(
            (window.samples, window.phases_ns),
            (1001, [("device".to_owned(), 3.0)].into())
        );
    }

    #[test]
    fn a_block_counts_in_which_every_variant_has_a_window() {
        let block = |number, ns: [f64; 3]| {
            Variant::ALL
                .iter()
                .zip(ns)
                .map(move |(&variant, ns)| window("a", number, 1, variant, ns))
        };
        let mut windows: Vec<Window> = (1..=3)
            .flat_map(|number| block(number, [100.0, 121.0, 100.0]))
            .collect();
        windows.extend(block(1, [100.0; 3]).map(|window| Window { round: 2, ..window }));
        windows.retain(|window| (window.block, window.variant) != (2, Variant::Control));
        for window in &mut windows {
            window.phases_ns = [("device".to_owned(), 1.0), ("upload".to_owned(), 2.0)].into();
            window
                .counters
                .insert("dispatches".to_owned(), 1 + u64::from(window.variant == Variant::Head));
        }
        windows.last_mut().unwrap().phases_ns.remove("device");
        windows
            .iter_mut()
            .filter(|w| w.block == 3)
            .for_each(|window| window.phases_ns.remove("upload").map_or((), drop));
        let names = ["a".to_owned(), "b".to_owned()];
        let cases = cases(&names, &windows);
        assert_eq!(
            cases[0].blocks.iter().map(|block| block.number).collect::<Vec<_>>(),
            [1, 3]
        );
        let three = cases[0].blocks[0].three(crate::assess::Statistic::Fast);
        // Two windows of 121 and 100 ns.
        assert!((three[HEAD] - 110.0_f64.ln()).abs() < 1e-9 && (three[BASE] - 100.0_f64.ln()).abs() < 1e-9);
        assert_eq!(
            (cases[0].phases["device"].len(), cases[0].phases["upload"].len()),
            (2, 1)
        );
        assert_eq!(
            cases[0].counters.each_ref().map(|c| c.first().unwrap()["dispatches"]),
            [1, 2]
        );
        assert!(cases[1].blocks.is_empty());
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
