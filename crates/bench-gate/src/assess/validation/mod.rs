//! How often the gate is wrong: counted over suites of unchanged code and of injected slowdowns,
//! beside reference tests on the same recordings.

mod table;

use std::collections::BTreeMap;

use fastrand::Rng;

pub use self::table::table;
use super::{
    Assessment, BASE, Block, CONTROL, Case, HEAD, assess,
    input::{Statistic, Times},
};
use crate::{
    stat::{
        plan::Plan,
        power,
        proportion::Count,
        reference::{self, Change},
    },
    verdict::Verdict,
};

/// What a suite compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A program with itself.
    Unchanged,
    /// A program with one that does the same and was built from another commit.
    Rebuilt,
    /// A program with itself, at so many per cent more time.
    Injected(i32),
    /// A program with itself, where one in so many calls takes twice as long.
    Every(u32),
}

impl Kind {
    /// The name on the command line: `unchanged`, `rebuilt`, `injected+5`, `every12`.
    pub fn name(self) -> String {
        match self {
            Self::Unchanged => "unchanged".to_owned(),
            Self::Rebuilt => "rebuilt".to_owned(),
            Self::Injected(percent) => format!("injected{percent:+}"),
            Self::Every(calls) => format!("every{calls}"),
        }
    }

    /// The kind of a name.
    ///
    /// # Errors
    /// A sentence, if there is none.
    pub fn named(name: &str) -> Result<Self, String> {
        let injected = || Some(Self::Injected(name.strip_prefix("injected")?.parse().ok()?));
        let every = || {
            Some(Self::Every(
                name.strip_prefix("every")?.parse().ok().filter(|calls| *calls > 1)?,
            ))
        };
        match name {
            "unchanged" => Ok(Self::Unchanged),
            "rebuilt" => Ok(Self::Rebuilt),
            _ => injected()
                .or_else(every)
                .ok_or_else(|| format!("unknown kind `{name}`: write unchanged, rebuilt, injected+5, or every12")),
        }
    }

    /// Whether any change that is found is a false alarm.
    pub fn is_same(self) -> bool {
        matches!(self, Self::Unchanged | Self::Rebuilt)
    }

    /// What is to be found where something was injected.
    fn expected(self) -> Change {
        match self {
            Self::Unchanged | Self::Rebuilt => Change::None,
            Self::Injected(percent) if percent < 0 => Change::Faster,
            Self::Injected(_) | Self::Every(_) => Change::Slower,
        }
    }
}

/// Calls of one process within some hundredths of a second, for the reference tests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// The block.
    pub block: u64,
    /// The round within the block.
    pub round: u64,
    /// [`HEAD`], [`BASE`] or [`CONTROL`].
    pub place: usize,
    /// Median of the calls, in nanoseconds.
    pub median_ns: f64,
    /// Mean of the calls, in nanoseconds.
    pub mean_ns: f64,
}

/// A finished comparison of a known kind.
#[derive(Clone, Debug)]
pub struct Suite {
    /// What was compared.
    pub kind: Kind,
    /// Its cases, with their windows.
    pub cases: Vec<(Case, Vec<Window>)>,
}

/// Tools in the order of the columns.
pub const TOOLS: [&str; 4] = [
    "this gate",
    "criterion's test",
    "tango-bench's test",
    "benchstat's test",
];

/// What is counted of a case in suites of one kind.
#[derive(Clone, Debug, Default)]
pub struct CaseRates {
    /// For each tool, how often it found what was injected.
    pub found: [Count; TOOLS.len()],
    /// For each tool, how often it called the case slower, and faster.
    pub slower: [Count; TOOLS.len()],
    /// As `slower`.
    pub faster: [Count; TOOLS.len()],
    /// How often this gate judged it: a confirmed change, or a pass.
    pub judged: Count,
    /// Blocks that this gate took.
    pub blocks: usize,
    /// The fastest tenth's change in each suite, in per cent, and its time in nanoseconds.
    pub changes_percent: Vec<f64>,
    /// As `changes_percent`.
    pub base_ns: Vec<f64>,
    /// Differences of each block's processes, as logarithms: head against both bases,
    pub blocks_differ: Vec<f64>,
    /// and the control against the base.
    pub controls_differ: Vec<f64>,
}

impl CaseRates {
    /// Standard deviation of a block's difference in the fastest tenth.
    pub fn deviation(&self) -> f64 {
        power::deviation(&self.blocks_differ)
    }
}

/// What is counted of suites of one kind.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    /// For each tool, suites in which it called any case slower, and faster.
    pub suites_slower: [Count; TOOLS.len()],
    /// As `suites_slower`.
    pub suites_faster: [Count; TOOLS.len()],
    /// By case.
    pub cases: BTreeMap<String, CaseRates>,
}

impl Rates {
    /// A count over all cases.
    pub fn all(&self, of: impl Fn(&CaseRates) -> Count) -> Count {
        self.cases.values().map(of).fold(Count::default(), |all, one| Count {
            found: all.found + one.found,
            n: all.n + one.n,
        })
    }

    fn add(&mut self, suite: &Suite, plan: &Plan, random: &mut Rng) {
        let cases: Vec<Case> = suite.cases.iter().map(|(case, _)| case.clone()).collect();
        let assessed = assess(&cases, plan).cases;
        let said: Vec<[Change; TOOLS.len()]> = assessed
            .iter()
            .zip(&suite.cases)
            .map(|(assessment, (_, windows))| said(suite.kind, assessment, windows, random))
            .collect();
        for tool in 0..TOOLS.len() {
            let any = |change| said.iter().any(|said| said[tool] == change);
            self.suites_slower[tool].add(any(Change::Slower));
            self.suites_faster[tool].add(any(Change::Faster));
        }
        for ((assessment, case), said) in assessed.iter().zip(&cases).zip(said) {
            let rates = self.cases.entry(case.name.clone()).or_default();
            for (tool, said) in said.into_iter().enumerate() {
                rates.found[tool].add(said == suite.kind.expected());
                rates.slower[tool].add(said == Change::Slower);
                rates.faster[tool].add(said == Change::Faster);
            }
            rates.judged.add(assessment.is_judged());
            rates.blocks += assessment.blocks;
            let fast = assessment.figures.first();
            rates.changes_percent.extend(fast.map(|figures| figures.change_percent));
            rates.base_ns.extend(fast.map(|figures| figures.base_ns));
            for block in &case.blocks {
                let times = block.three(Statistic::Fast);
                rates
                    .blocks_differ
                    .push(times[HEAD] - f64::midpoint(times[BASE], times[CONTROL]));
                rates.controls_differ.push(times[CONTROL] - times[BASE]);
            }
        }
    }
}

/// What every tool says of a case.
fn said(kind: Kind, assessment: &Assessment, windows: &[Window], random: &mut Rng) -> [Change; TOOLS.len()] {
    let ours = match assessment.verdict {
        // Other counters fail a comparison like a case that is slower.
        _ if kind.is_same() && assessment.counters.is_some() => Change::Slower,
        Verdict::Slower => Change::Slower,
        Verdict::Faster => Change::Faster,
        _ => Change::None,
    };
    let of = |place: usize| windows.iter().filter(move |window| window.place == place);
    let means = |place| of(place).map(|window| window.mean_ns).collect::<Vec<_>>();
    // One figure for each process.
    let medians = |place| {
        let mut blocks: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for window in of(place) {
            blocks.entry(window.block).or_default().push(window.median_ns);
        }
        let mean = |all: &Vec<f64>| all.iter().sum::<f64>() / all.len() as f64;
        blocks.values().map(mean).collect::<Vec<_>>()
    };
    let turn = |window: &Window| (window.block, window.round);
    let paired: BTreeMap<(u64, u64), f64> = of(BASE).map(|window| (turn(window), window.mean_ns)).collect();
    let (base, head): (Vec<f64>, Vec<f64>) = of(HEAD)
        .filter_map(|window| Some((*paired.get(&turn(window))?, window.mean_ns)))
        .unzip();
    [
        ours,
        reference::criterion(&means(BASE), &means(HEAD), random),
        reference::tango(&base, &head),
        reference::benchstat(&medians(BASE), &medians(HEAD)),
    ]
}

/// Counts suites by kind. Suites of several runs may be given together.
pub fn rates(suites: &[Suite], plan: &Plan) -> BTreeMap<Kind, Rates> {
    let mut random = Rng::with_seed(1);
    let mut rates: BTreeMap<Kind, Rates> = BTreeMap::new();
    for suite in suites {
        rates.entry(suite.kind).or_default().add(suite, plan, &mut random);
    }
    rates
}

/// `n` suites made by relabelling: the blocks of all suites of unchanged code go into one pool, and a
/// pseudo-suite draws as many as the plan's last analysis takes, with their three processes in random
/// roles. `percent` is added to all times of the head.
///
/// Relabelling imposes the symmetry that the test assumes, so it says how often noise of this shape is
/// taken for a change, and not whether the processes of a block are exchangeable.
pub fn relabelled(suites: &[Suite], n: usize, percent: i32, plan: &Plan) -> Vec<Suite> {
    let mut pool: BTreeMap<&str, Vec<(Block, Vec<Window>)>> = BTreeMap::new();
    for (case, windows) in suites
        .iter()
        .filter(|suite| suite.kind.is_same())
        .flat_map(|suite| &suite.cases)
    {
        let of = |block: &Block| {
            windows
                .iter()
                .filter(|window| window.block == block.number)
                .copied()
                .collect()
        };
        let blocks = case.blocks.iter().map(|block| (*block, of(block)));
        pool.entry(&case.name).or_default().extend(blocks);
    }
    // With fewer than twice the blocks of a suite, all suites would be nearly the same.
    let wanted = plan.last().blocks;
    pool.retain(|_, blocks| blocks.len() >= 2 * wanted);
    let factor = 1.0 + f64::from(percent) / 100.0;
    let mut random = Rng::with_seed(2);
    let mut suite = |_| {
        let mut cases = Vec::new();
        for (name, blocks) in &mut pool {
            random.shuffle(blocks);
            let (mut case, mut windows) = (Case::default(), Vec::new());
            (*name).clone_into(&mut case.name);
            for (number, (block, of_block)) in (1..).zip(blocks.iter().take(wanted)) {
                let mut roles = [HEAD, BASE, CONTROL];
                random.shuffle(&mut roles);
                let mut times = [Times::default(); 3];
                for (place, role) in roles.into_iter().enumerate() {
                    times[role] = block.times[place];
                }
                for statistic in Statistic::ALL {
                    times[HEAD][statistic] += factor.ln();
                }
                case.blocks.push(Block { number, times });
                windows.extend(of_block.iter().map(|window| {
                    let place = roles[window.place];
                    let factor = if place == HEAD { factor } else { 1.0 };
                    Window {
                        block: number,
                        place,
                        median_ns: window.median_ns * factor,
                        mean_ns: window.mean_ns * factor,
                        ..*window
                    }
                }));
            }
            cases.push((case, windows));
        }
        let kind = if percent == 0 {
            Kind::Unchanged
        } else {
            Kind::Injected(percent)
        };
        Suite { kind, cases }
    };
    (0..n).map(&mut suite).filter(|suite| !suite.cases.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stat::layout::Layout;

    fn suite(kind: Kind, effect: f64, random: &mut Rng) -> Suite {
        let (mut blocks, mut windows) = (Vec::new(), Vec::new());
        for number in 1..=40 {
            let mut time = |place: usize| {
                let noise = 0.01 * (random.f64() - 0.5);
                let ns = 100e3 * (1.0 + noise) * if place == HEAD { 1.0 + effect } else { 1.0 };
                for round in 1..=2 {
                    windows.push(Window {
                        block: number,
                        round,
                        place,
                        median_ns: ns,
                        mean_ns: ns,
                    });
                }
                Times::of_windows(&[[ns; 4]]).unwrap()
            };
            let times = [HEAD, BASE, CONTROL].map(&mut time);
            blocks.push(Block { number, times });
        }
        let case = Case {
            name: "a".to_owned(),
            blocks,
            layout: Some(Layout::same_program()),
            ..Case::default()
        };
        Suite {
            kind,
            cases: vec![(case, windows)],
        }
    }

    #[test]
    fn a_kind_is_what_its_name_says() {
        for kind in [
            Kind::Unchanged,
            Kind::Rebuilt,
            Kind::Injected(3),
            Kind::Injected(-5),
            Kind::Every(12),
        ] {
            assert_eq!(Kind::named(&kind.name()), Ok(kind));
        }
        for name in ["", "injected", "injectedx", "Rebuilt", "every", "every1", "every-3"] {
            assert!(Kind::named(name).unwrap_err().contains("unknown kind"), "{name}");
        }
    }

    #[test]
    fn suites_are_counted_by_kind_tool_and_case() {
        let mut random = Rng::with_seed(1);
        let suites = [
            suite(Kind::Unchanged, 0.0, &mut random),
            suite(Kind::Unchanged, 0.0, &mut random),
            suite(Kind::Injected(5), 0.05, &mut random),
            suite(Kind::Injected(-5), -0.05, &mut random),
        ];
        let rates = rates(&suites, &Plan::default());
        let same = &rates[&Kind::Unchanged];
        assert_eq!(same.suites_slower[0], Count { found: 0, n: 2 });
        assert_eq!(same.cases["a"].judged, Count { found: 2, n: 2 });
        assert!(
            (same.cases["a"].deviation() - 0.0035).abs() < 0.001,
            "{}",
            same.cases["a"].deviation()
        );
        assert_eq!(
            rates[&Kind::Injected(5)].cases["a"].found,
            [Count { found: 1, n: 1 }; 4]
        );
        assert_eq!(
            rates[&Kind::Injected(-5)].cases["a"].found,
            [Count { found: 1, n: 1 }; 4]
        );
        assert_eq!(
            rates[&Kind::Injected(5)].all(|case| case.slower[0]),
            Count { found: 1, n: 1 }
        );
    }

    #[test]
    fn counters_that_differ_are_an_alarm() {
        let mut chatty = suite(Kind::Unchanged, 0.0, &mut Rng::with_seed(2));
        let counters = |n| [[("dispatches".to_owned(), n)].into()].into();
        chatty.cases[0].0.counters = [counters(1), counters(2)];
        let rates = rates(&[chatty], &Plan::default());
        assert_eq!(rates[&Kind::Unchanged].suites_slower[0], Count { found: 1, n: 1 });
    }

    #[test]
    fn relabelled_suites_have_the_noise_and_the_change_that_is_added() {
        let mut random = Rng::with_seed(3);
        let suites: Vec<Suite> = (0..3).map(|_| suite(Kind::Unchanged, 0.0, &mut random)).collect();
        let plan = Plan::default();
        assert!(
            relabelled(&suites[..1], 20, 0, &plan).is_empty(),
            "one recording is too little"
        );
        for (percent, slower) in [(0, 0), (5, 20)] {
            let made = relabelled(&suites, 20, percent, &plan);
            let rates = rates(&made, &plan);
            let (_, rates) = rates.first_key_value().unwrap();
            assert_eq!(rates.suites_slower[0], Count { found: slower, n: 20 });
            assert_eq!(rates.cases["a"].blocks_differ.len(), 800);
        }
        let again = |seeded: &[Suite]| seeded[0].cases[0].0.blocks.clone();
        assert_eq!(
            again(&relabelled(&suites, 1, 0, &plan)),
            again(&relabelled(&suites, 1, 0, &plan))
        );
    }
}
