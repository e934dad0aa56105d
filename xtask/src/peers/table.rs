//! The table as Markdown.

use std::fmt::Write as _;

use crate::{
    fingerprint::AdapterPrint,
    peers::{
        event::{Contestant, Event, Machine, Target},
        ratio::{Ratio, Rounds, ratio},
    },
    report::cells::duration,
};

/// One run of all peers.
#[derive(Debug)]
pub(crate) struct Table {
    /// What there is to know of machine, programs and command, as list items.
    pub(crate) facts: Vec<String>,
    pub(crate) sections: Vec<Section>,
    /// Backends without a usable adapter, and why.
    pub(crate) absent: Vec<String>,
}

/// The results on one adapter.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) adapter: AdapterPrint,
    pub(crate) bound: bool,
    /// What this project's executor said of itself in the first process.
    pub(crate) about: String,
    pub(crate) results: Vec<Results>,
    /// Who was not measured, and why.
    pub(crate) absent: Vec<String>,
}

/// The results of one event: those who took part, this project first.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) event: Event,
    pub(crate) rounds: Vec<(Contestant, Rounds)>,
}

impl Table {
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("# Peers\n\nThe same work by several means, in one run.\n\n");
        for fact in &self.facts {
            _ = writeln!(text, "- {fact}");
        }
        text.push_str(LEGEND);
        for section in &self.sections {
            section.write(&mut text);
        }
        if !self.absent.is_empty() {
            text.push_str("\n## Not measured\n\n");
            for absent in &self.absent {
                _ = writeln!(text, "- {absent}");
            }
        }
        text
    }
}

const LEGEND: &str = "
Median: of the rounds' medians, wall time of a call until its result is in host memory. Ratio: the first row's time ÷ this
row's, the median over rounds of both in the same round, with its 95 % interval from order statistics over rounds. Target:
what this ratio is to be at most; `?` where the limit lies within the interval. Every result was compared with the CPU's,
element by element, before and after it was timed.
";

impl Section {
    fn write(&self, text: &mut String) {
        let AdapterPrint {
            backend,
            name,
            driver,
            driver_version,
            ..
        } = &self.adapter;
        let cores = if self.bound {
            "all peers bound to one core"
        } else {
            "all cores free"
        };
        _ = writeln!(
            text,
            "\n## {backend}: {name}\n\nDriver {driver} {driver_version}; {cores}.\n"
        );
        _ = writeln!(text, "Executor, in its first process: {}.\n", self.about);
        text.push_str("| work | by | median | ratio | 95 % | rounds, calls | target | holds |\n");
        text.push_str("|---|---|---:|---:|---:|---:|---:|---|\n");
        let machine = Machine::of(&self.adapter);
        for results in &self.results {
            results.write(text, machine);
        }
        if !self.absent.is_empty() {
            text.push_str("\nNot measured:\n\n");
            for absent in &self.absent {
                _ = writeln!(text, "- {absent}");
            }
        }
    }
}

impl Results {
    fn write(&self, text: &mut String, machine: Option<Machine>) {
        let Some((_, ours)) = self.rounds.first() else {
            return;
        };
        for (at, (contestant, rounds)) in self.rounds.iter().enumerate() {
            let title = if at == 0 { self.event.title } else { "" };
            let ratio = ratio(ours, rounds);
            let interval = match ratio.interval {
                _ if at == 0 => String::new(),
                Some((low, high)) => format!("{} … {}", number(low), number(high)),
                None => "too few rounds".to_owned(),
            };
            let (limit, holds) = match self.event.target(machine, contestant.label) {
                None => Default::default(),
                Some(target) => (limit(target), verdict(target, &ratio)),
            };
            _ = writeln!(
                text,
                "| {title} | {} | {} | {} | {interval} | {}, {} | {limit} | {holds} |",
                contestant.label,
                duration(rounds.median_ns()),
                number(ratio.median),
                rounds.medians_ns.len(),
                rounds.calls,
            );
        }
    }
}

/// `≤ 0.45`, `≤ 1/35`, `< 1`.
fn limit(target: &Target) -> String {
    if target.limit == 1.0 {
        "< 1".to_owned()
    } else if target.limit < 0.1 {
        format!("≤ 1/{:.0}", 1.0 / target.limit)
    } else {
        format!("≤ {}", target.limit)
    }
}

fn verdict(target: &Target, ratio: &Ratio) -> String {
    let word = if ratio.median <= target.limit { "yes" } else { "no" };
    match ratio.interval {
        Some((low, high)) if low > target.limit || high <= target.limit => word.to_owned(),
        _ => format!("{word} ?"),
    }
}

/// A ratio with three digits; small ones as fractions.
fn number(ratio: f64) -> String {
    match ratio {
        r if r < 0.1 => format!("1/{:.1}", 1.0 / r),
        r if r < 1.0 => format!("{r:.3}"),
        r if r < 10.0 => format!("{r:.2}"),
        r => format!("{r:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::event;

    #[test]
    fn the_table_is_the_golden_one() {
        let adapter = AdapterPrint {
            backend: "vulkan".to_owned(),
            name: "llvmpipe (LLVM 15.0.6, 256 bits)".to_owned(),
            kind: "software".to_owned(),
            driver: "llvmpipe".to_owned(),
            driver_version: "Mesa 22.3.6".to_owned(),
        };
        let rounds = |ns: &[u64]| {
            let mut rounds = Rounds::default();
            for &ns in ns {
                rounds.add(&[ns, ns + 2, ns - 2]);
            }
            rounds
        };
        let results = |event: &Event, times: &[&[u64]]| Results {
            event: *event,
            rounds: event
                .contestants
                .iter()
                .copied()
                .zip(times.iter().map(|ns| rounds(ns)))
                .collect(),
        };
        let table = Table {
            facts: vec!["Command: `cargo xtask peers`".to_owned(), "Seed: 7".to_owned()],
            sections: vec![Section {
                adapter,
                bound: true,
                about: "llvmpipe (LLVM 15.0.6, 256 bits)".to_owned(),
                results: vec![
                    results(
                        &event::ALL[0],
                        &[
                            &[40_000, 41_000, 42_000, 43_000, 44_000, 45_000],
                            &[90_000, 91_000, 92_000, 101_000, 102_000, 103_000],
                            &[300_000; 6],
                            &[80; 6],
                        ],
                    ),
                    results(&event::ALL[6], &[&[1_400_000], &[1_600_000], &[49_400_000]]),
                ],
                absent: vec!["CUDA: no nvcc".to_owned()],
            }],
            absent: vec!["gles: no adapter".to_owned()],
        };
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/peers.md");
        let made = table.markdown();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(golden, &made).unwrap();
        }
        assert_eq!(
            made,
            std::fs::read_to_string(golden).unwrap(),
            "UPDATE_GOLDEN=1 writes it anew"
        );
    }

    #[test]
    fn a_limit_within_the_interval_is_marked() {
        let target = Target {
            on: Machine::Lavapipe,
            against: "naive wgpu",
            limit: 0.45,
        };
        let check = |median, interval, expected: &str| {
            assert_eq!(verdict(&target, &Ratio { median, interval }), expected);
        };
        check(0.4, Some((0.3, 0.44)), "yes");
        check(0.4, Some((0.3, 0.46)), "yes ?");
        check(0.5, Some((0.46, 0.6)), "no");
        check(0.5, Some((0.44, 0.6)), "no ?");
        check(0.4, None, "yes ?");
    }

    #[test]
    fn figures_have_three_digits() {
        assert_eq!(
            [80.0, 9_996.0, 71_230.0, 218e6, 1.2e9].map(duration),
            ["80.0 ns", "10.0 µs", "71.2 µs", "218 ms", "1.20 s"]
        );
        assert_eq!(
            [0.0286, 0.4512, 1.0, 12.3, 512.2].map(number),
            ["1/35.0", "0.451", "1.00", "12", "512"]
        );
    }
}
