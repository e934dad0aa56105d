//! How often the gate is wrong: counted over suites of unchanged code and of planted slowdowns, beside other tools' tests on the
//! same recordings.

mod noise;
mod table;

use std::collections::BTreeMap;

pub(crate) use table::table;

use crate::{
    ab::{
        judge::{Judged, is_short, judge},
        recording::{Arm, Window},
    },
    stat::{
        looks::LAST,
        random::SplitMix64,
        rivals::{self, Change},
    },
    verdict::Verdict,
};

/// A finished suite.
#[derive(Clone, Debug)]
pub(crate) struct Suite {
    pub(crate) kind: Kind,
    pub(crate) cases: Vec<String>,
    pub(crate) windows: Vec<Window>,
}

/// What a suite compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A program with itself.
    Unchanged,
    /// A program with one that does the same and was built from another commit.
    Rebuilt,
    /// A program with itself and so many per cent more time.
    Planted(i32),
}

impl Kind {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Unchanged => "unchanged".to_owned(),
            Self::Rebuilt => "rebuilt".to_owned(),
            Self::Planted(percent) => format!("planted{percent:+}"),
        }
    }

    /// The kind of a name.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let percent = || name.strip_prefix("planted")?.parse().ok();
        match name {
            "unchanged" => Ok(Self::Unchanged),
            "rebuilt" => Ok(Self::Rebuilt),
            _ => percent()
                .map(Self::Planted)
                .ok_or_else(|| format!("`{name}` is no kind: write unchanged, rebuilt, or planted+5")),
        }
    }

    /// Whether any change that is found is a false alarm.
    fn is_same(self) -> bool {
        matches!(self, Self::Unchanged | Self::Rebuilt)
    }
}

/// Blocks that a comparison tries for each that the last look needs: some are never quiet.
const TRIES: usize = 2;

/// Tools in the order of the columns.
const TOOLS: [&str; 4] = [
    "this gate",
    "criterion's test",
    "tango-bench's test",
    "benchstat's test",
];

/// What every tool says of a case.
fn opinions(kind: Kind, judged: &Judged, windows: &[Window], random: &mut SplitMix64) -> [Change; 4] {
    let case = judged.case.as_str();
    let ours = match judged.verdict {
        // Other counters fail a comparison like a case that is slower.
        _ if kind.is_same() && judged.counters.is_some() => Change::Slower,
        Verdict::Slower => Change::Slower,
        Verdict::Faster => Change::Faster,
        _ => Change::None,
    };
    let of = |arm: Arm| {
        windows
            .iter()
            .filter(move |w| w.case == case && w.arm == arm && w.samples > 0)
    };
    let means = |arm| of(arm).map(|w| w.mean_ns).collect::<Vec<_>>();
    // One figure for each process.
    let medians = |arm| {
        let mut blocks: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for window in of(arm) {
            blocks.entry(window.block).or_default().push(window.p50_ns);
        }
        blocks
            .values()
            .map(|all| all.iter().sum::<f64>() / all.len() as f64)
            .collect::<Vec<_>>()
    };
    let paired: BTreeMap<(u64, u64), f64> = of(Arm::Base).map(|w| ((w.block, w.round), w.mean_ns)).collect();
    let (base, head): (Vec<f64>, Vec<f64>) = of(Arm::Head)
        .filter_map(|w| Some((*paired.get(&(w.block, w.round))?, w.mean_ns)))
        .unzip();
    [
        ours,
        rivals::criterion(&means(Arm::Base), &means(Arm::Head), random),
        rivals::tango(&base, &head),
        rivals::benchstat(&medians(Arm::Base), &medians(Arm::Head)),
    ]
}

/// Counts of one kind of suite.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) suites: usize,
    pub(crate) cases: usize,
    /// For each tool, suites in which any case was called slower, and faster.
    pub(crate) suites_slower: [usize; 4],
    pub(crate) suites_faster: [usize; 4],
    /// For each tool, cases called slower, and faster.
    pub(crate) slower: [usize; 4],
    pub(crate) faster: [usize; 4],
    /// Cases of which this gate said something: pass, slower or faster.
    pub(crate) judged: usize,
    /// Cases of which it did not.
    pub(crate) inconclusive: usize,
    pub(crate) noisy: usize,
    pub(crate) blocks: usize,
    /// The largest effect of a case, up or down.
    pub(crate) most_percent: f64,
}

impl Counts {
    /// Counts what is said of a suite, or of one of its cases, which is judged among the others.
    fn add(&mut self, suite: &Suite, only: Option<&String>, random: &mut SplitMix64) {
        let mut judged = judge(&suite.cases, &suite.windows).cases;
        judged.retain(|judged| only.is_none_or(|case| judged.case == *case));
        let all: Vec<[Change; 4]> = judged
            .iter()
            .map(|judged| opinions(suite.kind, judged, &suite.windows, random))
            .collect();
        self.suites += 1;
        self.cases += judged.len();
        for tool in 0..TOOLS.len() {
            let count = |change| all.iter().filter(|opinions| opinions[tool] == change).count();
            let (slower, faster) = (count(Change::Slower), count(Change::Faster));
            self.slower[tool] += slower;
            self.faster[tool] += faster;
            self.suites_slower[tool] += usize::from(slower > 0);
            self.suites_faster[tool] += usize::from(faster > 0);
        }
        let verdicts = |verdict| judged.iter().filter(|judged| judged.verdict == verdict).count();
        self.judged += verdicts(Verdict::Pass) + verdicts(Verdict::Slower) + verdicts(Verdict::Faster);
        self.inconclusive += verdicts(Verdict::Inconclusive);
        self.noisy += verdicts(Verdict::Noisy);
        self.blocks += judged.iter().map(|judged| judged.blocks).sum::<usize>();
        let effects = judged.iter().filter_map(|judged| judged.change_percent);
        self.most_percent = effects.map(f64::abs).fold(self.most_percent, f64::max);
    }
}

/// Counts of suites that were measured, by kind.
pub(crate) fn count(suites: &[Suite]) -> BTreeMap<Kind, Counts> {
    let mut random = SplitMix64(1);
    let mut counts: BTreeMap<Kind, Counts> = BTreeMap::new();
    for suite in suites {
        counts.entry(suite.kind).or_default().add(suite, None, &mut random);
    }
    counts
}

/// Counts of suites made by relabelling: every block of every suite of unchanged code goes into one pool, and each pseudo-suite
/// draws as many as a comparison tries, with its three processes in random roles. `percent` is added to all times of the head, and
/// then cases whose floor is 5 % are left out.
pub(crate) fn relabelled(suites: &[Suite], n: usize, percent: i32) -> Option<Counts> {
    let mut pool: BTreeMap<&str, Vec<Vec<&Window>>> = BTreeMap::new();
    for suite in suites.iter().filter(|suite| suite.kind.is_same()) {
        let mut blocks: BTreeMap<(&str, u64), Vec<&Window>> = BTreeMap::new();
        for window in &suite.windows {
            blocks.entry((&window.case, window.block)).or_default().push(window);
        }
        for ((case, _), windows) in blocks {
            pool.entry(case).or_default().push(windows);
        }
    }
    // Cases of which there is not even twice what a suite needs would make one suite again and again.
    pool.retain(|_, blocks| blocks.len() >= TRIES * LAST.blocks);
    if percent != 0 {
        let is_long = |case: &str, block: &[&Window]| block.iter().any(|window| !is_short(case, window.p10_ns));
        pool.retain(|case, blocks| blocks.iter().any(|block| is_long(case, block)));
    }
    if pool.is_empty() || n == 0 {
        return None;
    }
    let cases: Vec<String> = pool.keys().map(|case| (*case).to_owned()).collect();
    let slower = 1.0 + f64::from(percent) / 100.0;
    let mut random = SplitMix64(2);
    let mut counts = Counts::default();
    for _ in 0..n {
        let mut windows = Vec::new();
        for blocks in pool.values_mut() {
            random.shuffle(blocks);
            for (number, block) in (1..).zip(blocks.iter().take(TRIES * LAST.blocks)) {
                let mut roles = Arm::ALL;
                random.shuffle(&mut roles);
                windows.extend(block.iter().map(|window| {
                    let arm = roles[window.arm as usize];
                    let factor = if arm == Arm::Head { slower } else { 1.0 };
                    Window {
                        block: number,
                        arm,
                        p10_ns: window.p10_ns * factor,
                        p50_ns: window.p50_ns * factor,
                        mean_ns: window.mean_ns * factor,
                        ..(*window).clone()
                    }
                }));
            }
        }
        let suite = Suite {
            kind: if percent == 0 {
                Kind::Unchanged
            } else {
                Kind::Planted(percent)
            },
            cases: cases.clone(),
            windows,
        };
        counts.add(&suite, None, &mut random);
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ab::recording::tests::window;

    fn suite(kind: Kind, effect: f64, random: &mut SplitMix64) -> Suite {
        let mut windows = Vec::new();
        for block in 1..=40 {
            for arm in Arm::ALL {
                let noise = 1.0 + 0.01 * (random.below(1000) as f64 / 1000.0 - 0.5);
                let factor = if arm == Arm::Head { 1.0 + effect } else { 1.0 };
                windows.push(window("a", block, 1, arm, 100_000.0 * factor * noise));
            }
        }
        Suite {
            kind,
            cases: vec!["a".to_owned()],
            windows,
        }
    }

    #[test]
    fn a_kind_is_what_its_name_says() {
        for kind in [Kind::Unchanged, Kind::Rebuilt, Kind::Planted(3), Kind::Planted(-5)] {
            assert_eq!(Kind::named(&kind.name()), Ok(kind));
        }
        for name in ["", "planted", "plantedx", "Rebuilt"] {
            assert!(Kind::named(name).unwrap_err().contains("is no kind"), "{name}");
        }
    }

    #[test]
    fn suites_are_counted_by_kind() {
        let mut random = SplitMix64(1);
        let suites = [
            suite(Kind::Unchanged, 0.0, &mut random),
            suite(Kind::Rebuilt, 0.0, &mut random),
            suite(Kind::Planted(5), 0.05, &mut random),
            suite(Kind::Planted(-5), -0.05, &mut random),
        ];
        let counts = count(&suites);
        for kind in [Kind::Unchanged, Kind::Rebuilt] {
            assert_eq!((counts[&kind].suites, counts[&kind].suites_slower[0]), (1, 0));
            assert!(counts[&kind].most_percent < 1.0, "{counts:?}");
        }
        assert_eq!(counts[&Kind::Planted(5)].slower, [1; 4]);
        assert_eq!(counts[&Kind::Planted(-5)].faster, [1; 4]);
        let pseudo = relabelled(&suites, 20, 0).unwrap();
        assert_eq!(
            (pseudo.suites, pseudo.suites_slower[0], pseudo.suites_faster[0]),
            (20, 0, 0)
        );
        assert_eq!(
            relabelled(&suites[..1], 20, 0),
            None,
            "one recording is too little to relabel"
        );
        let slower = relabelled(&suites, 20, 5).unwrap();
        assert_eq!((slower.suites, slower.slower[0]), (20, 20));
        let table = table(&suites, &[(0, pseudo), (5, slower)]);
        for mut chatty in suites[..2].iter().cloned() {
            for window in &mut chatty.windows {
                window.counters = [("dispatches".to_owned(), 1 + window.arm.program() as u64)].into();
            }
            let kind = chatty.kind;
            let counts = count(&[chatty]);
            assert_eq!(counts[&kind].suites_slower[0], 1, "a counter that differs is an alarm");
        }
        assert!(
            table.contains("- unchanged: 1 suites, 1 cases, 1 judged, 0 inconclusive"),
            "{table}"
        );
        assert!(table.contains("| another build: effect |"), "{table}");
        assert!(
            table.contains("| measured, another build: false \"slower\" | 0 of 1 |"),
            "{table}"
        );
        assert!(table.contains("| relabelled: false \"slower\" | 0 of 20 |"), "{table}");
        assert!(table.contains("| **+5 %, all cases** | 1 of 1 |"), "{table}");
        assert!(table.contains("| +5 %: a (+4.9 %) | 1 of 1 |"), "{table}");
        assert!(
            table.contains("| relabelled, +5 % added to the head's times (cases above 10 µs) | 20 of 20 |"),
            "{table}"
        );
    }
}
