//! Two backends beside each other, by operator and size: ratios with intervals, and which is faster.

use bench_gate::{
    figures::duration,
    html::folder::{Case, Folder},
    table::Table,
};
use serde::Serialize;

use crate::scan_file::Scan;

/// A time, with its 95 % interval where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Timing {
    pub(crate) ns: f64,
    pub(crate) interval_ns: Option<(f64, f64)>,
}

/// One of the two sides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Side {
    /// The backend, with the run's name where both are of one backend.
    pub(crate) name: String,
    pub(crate) backend: String,
    /// By operator and amount (`20000`, `1000x256`), in their order.
    pub(crate) times: Vec<(String, String, Timing)>,
    /// The CPU's times of the same run or scan, likewise.
    pub(crate) cpu: Vec<(String, String, Timing)>,
}

impl Side {
    /// The cases of a backend in a run.
    pub(crate) fn of_run(folder: &Folder, backend: &str) -> Self {
        let of = |backend: &str| {
            let timing = |case: &Case| {
                let (op, rest) = case.id.split_once('/')?;
                let (of, amount) = rest.split_once('/')?;
                let times = case.times.filter(|_| of == backend)?;
                let timing = Timing {
                    ns: times.p50_ns,
                    interval_ns: times.p50_interval_ns,
                };
                Some((op.to_owned(), amount.to_owned(), timing))
            };
            folder.cases.iter().filter_map(timing).collect()
        };
        Self {
            name: backend.to_owned(),
            backend: backend.to_owned(),
            times: of(backend),
            cpu: of("cpu"),
        }
    }

    /// The GPU's times of a threshold scan.
    pub(crate) fn of_scan(scan: &Scan, op: &str) -> Self {
        let of = |times: &[(u64, u64)]| {
            let timing = |(size, ms): &(u64, u64)| {
                let timing = Timing {
                    ns: *ms as f64 * 1e6,
                    interval_ns: None,
                };
                (op.to_owned(), size.to_string(), timing)
            };
            times.iter().map(timing).collect()
        };
        Self {
            name: scan.backend.clone(),
            backend: scan.backend.clone(),
            times: of(&scan.gpu_ms),
            cpu: of(&scan.cpu_ms),
        }
    }
}

fn find(times: &[(String, String, Timing)], op: &str, amount: &str) -> Option<Timing> {
    let found = times.iter().find(|(o, a, _)| o == op && a == amount);
    found.map(|(_, _, timing)| *timing)
}

/// Which side is faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Faster {
    Left,
    Right,
    /// The interval of the ratio holds 1, or without intervals the times are equal.
    Tie,
}

/// A case that both sides have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Pair {
    pub(crate) op: String,
    pub(crate) amount: String,
    pub(crate) left: Timing,
    pub(crate) right: Timing,
    /// Right over left: below 1 the right side is faster. Absent if the left side took no time that was measured.
    pub(crate) ratio: Option<f64>,
    pub(crate) ratio_interval: Option<(f64, f64)>,
    pub(crate) faster: Faster,
}

/// The cases that both sides have, in the left one's order.
pub(crate) fn pairs(left: &Side, right: &Side) -> Vec<Pair> {
    let pair = |(op, amount, timing): &(String, String, Timing)| {
        let other = find(&right.times, op, amount)?;
        Some(pair(op, amount, *timing, other))
    };
    left.times.iter().filter_map(pair).collect()
}

fn pair(op: &str, amount: &str, left: Timing, right: Timing) -> Pair {
    let ratio_interval = ratio_interval(left, right);
    let faster = match ratio_interval {
        Some((low, high)) if low <= 1.0 && high >= 1.0 => Faster::Tie,
        _ if left.ns < right.ns => Faster::Left,
        _ if left.ns > right.ns => Faster::Right,
        _ => Faster::Tie,
    };
    Pair {
        op: op.to_owned(),
        amount: amount.to_owned(),
        left,
        right,
        ratio: Some(right.ns / left.ns).filter(|ratio| ratio.is_finite()),
        ratio_interval,
        faster,
    }
}

/// The interval of right over left from those of both: of the difference of logarithms, as the two were measured independently.
///
/// Source: G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27 (2008).
fn ratio_interval(left: Timing, right: Timing) -> Option<(f64, f64)> {
    let (left_low, left_high) = left.interval_ns?;
    let (right_low, right_high) = right.interval_ns?;
    let ln = (right.ns / left.ns).ln();
    let below = (right.ns / right_low).ln().hypot((left_high / left.ns).ln());
    let above = (right_high / right.ns).ln().hypot((left.ns / left_low).ln());
    Some(((ln - below).exp(), (ln + above).exp())).filter(|(low, high)| low.is_finite() && high.is_finite())
}

/// A comparison to be written.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub(crate) left: Side,
    pub(crate) right: Side,
    pub(crate) pairs: Vec<Pair>,
}

impl Comparison {
    pub(crate) fn new(left: Side, right: Side) -> Self {
        let pairs = pairs(&left, &right);
        Self { left, right, pairs }
    }

    fn word(&self, faster: Faster) -> &str {
        match faster {
            Faster::Left => &self.left.name,
            Faster::Right => &self.right.name,
            Faster::Tie => "tie",
        }
    }

    /// For a terminal and for Markdown; the bar is as long as one side is faster, a character for a fifth.
    pub(crate) fn table(&self) -> Table {
        let (left, right) = (&self.left.name, &self.right.name);
        let headings = [
            "operator".to_owned(),
            ">size".to_owned(),
            format!(">{left}"),
            format!(">{right}"),
            format!(">{right} / {left}"),
            ">95 % interval".to_owned(),
            "faster".to_owned(),
            String::new(),
        ];
        let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
        let mut table = Table::new(format!("{left} and {right}"), &headings);
        for pair in &self.pairs {
            table.push([
                pair.op.clone(),
                pair.amount.clone(),
                duration(pair.left.ns),
                duration(pair.right.ns),
                pair.ratio.map_or_else(String::new, |ratio| format!("{ratio:.3}")),
                pair.ratio_interval
                    .map_or_else(String::new, |(low, high)| format!("{low:.3} to {high:.3}")),
                self.word(pair.faster).to_owned(),
                bar(pair),
            ]);
        }
        table
    }

    /// How often each side is faster.
    pub(crate) fn summary(&self) -> String {
        let count = |faster: Faster| self.pairs.iter().filter(|pair| pair.faster == faster).count();
        format!(
            "{} faster in {} of {} cases, {} in {}, tie in {}",
            self.left.name,
            count(Faster::Left),
            self.pairs.len(),
            self.right.name,
            count(Faster::Right),
            count(Faster::Tie)
        )
    }

    /// For programs: times in nanoseconds.
    pub(crate) fn csv(&self) -> Result<String, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record([
            "op", "size", "left", "left_ns", "right", "right_ns", "ratio", "ratio_lo", "ratio_hi", "faster",
        ])?;
        for pair in &self.pairs {
            let (low, high) = pair.ratio_interval.unzip();
            let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.4}"));
            writer.write_record([
                &pair.op,
                &pair.amount,
                &self.left.name,
                &format!("{:.1}", pair.left.ns),
                &self.right.name,
                &format!("{:.1}", pair.right.ns),
                &number(pair.ratio),
                &number(low),
                &number(high),
                self.word(pair.faster),
            ])?;
        }
        Ok(text(writer))
    }

    /// `docs/compare.schema.json` documents it.
    pub(crate) fn json(&self) -> String {
        #[derive(Serialize)]
        struct Json<'a> {
            schema: u32,
            left: &'a str,
            right: &'a str,
            cases: &'a [Pair],
        }
        bench_gate::files::json(&Json {
            schema: 1,
            left: &self.left.name,
            right: &self.right.name,
            cases: &self.pairs,
        })
    }

    /// The comparison this project began with: every field in quotes, whole milliseconds, and a tie where these are equal.
    pub(crate) fn seed(&self, op: &str) -> Result<String, csv::Error> {
        let (left, right) = (&self.left.backend, &self.right.backend);
        let mut writer = csv::WriterBuilder::new()
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(Vec::new());
        writer.write_record([
            "size".to_owned(),
            format!("cpu_ms_{left}"),
            format!("gpu_ms_{left}"),
            format!("cpu_ms_{right}"),
            format!("gpu_ms_{right}"),
            "faster_backend".to_owned(),
        ])?;
        for pair in self.pairs.iter().filter(|pair| pair.op == op) {
            let cpu = |side: &Side| {
                find(&side.cpu, op, &pair.amount).map_or_else(String::new, |timing| ms(timing).to_string())
            };
            let (left_ms, right_ms) = (ms(pair.left), ms(pair.right));
            let faster = match left_ms.cmp(&right_ms) {
                std::cmp::Ordering::Less => left,
                std::cmp::Ordering::Greater => right,
                std::cmp::Ordering::Equal => "tie",
            };
            writer.write_record([
                &pair.amount,
                &cpu(&self.left),
                &left_ms.to_string(),
                &cpu(&self.right),
                &right_ms.to_string(),
                faster,
            ])?;
        }
        Ok(text(writer))
    }
}

fn text(writer: csv::Writer<Vec<u8>>) -> String {
    let bytes = writer.into_inner().expect("a vector takes everything");
    String::from_utf8(bytes).expect("what was written was text")
}

/// Whole milliseconds, as the standard library's `as_millis` has them.
fn ms(timing: Timing) -> u64 {
    (timing.ns / 1e6) as u64
}

/// A character for every factor of 1.2, to the side that is faster, no more than eight.
fn bar(pair: &Pair) -> String {
    let ln = pair.ratio.map_or(0.0, f64::ln);
    let length = ((ln.abs() / 1.2_f64.ln()).round() as usize).min(8);
    match pair.faster {
        Faster::Tie => format!("{:>8}|", ""),
        Faster::Left => format!("{:>8}|", "\u{2588}".repeat(length)),
        Faster::Right => format!("{:>8}|{}", "", "\u{2588}".repeat(length)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::curves::tests::run;

    fn timing(ns: f64, off: f64) -> Timing {
        Timing {
            ns,
            interval_ns: Some((ns / off, ns * off)),
        }
    }

    /// The comparisons of the seed, word by word.
    const SEED: [&str; 2] = [
        "\
\"size\",\"cpu_ms_gles\",\"gpu_ms_gles\",\"cpu_ms_dx12\",\"gpu_ms_dx12\",\"faster_backend\"
\"20000\",\"0\",\"25\",\"0\",\"14\",\"dx12\"
\"50000\",\"0\",\"3\",\"0\",\"3\",\"tie\"
\"100000\",\"0\",\"9\",\"0\",\"1\",\"dx12\"
\"250000\",\"1\",\"9\",\"0\",\"2\",\"dx12\"
\"500000\",\"1\",\"15\",\"0\",\"2\",\"dx12\"
\"1000000\",\"3\",\"30\",\"2\",\"4\",\"dx12\"
",
        "\
\"size\",\"cpu_ms_gles\",\"gpu_ms_gles\",\"cpu_ms_dx12\",\"gpu_ms_dx12\",\"faster_backend\"
\"20000\",\"0\",\"25\",\"0\",\"16\",\"dx12\"
\"50000\",\"0\",\"3\",\"0\",\"4\",\"gles\"
\"100000\",\"0\",\"9\",\"0\",\"1\",\"dx12\"
\"250000\",\"1\",\"9\",\"0\",\"2\",\"dx12\"
\"500000\",\"1\",\"15\",\"0\",\"3\",\"dx12\"
\"1000000\",\"3\",\"30\",\"1\",\"5\",\"dx12\"
",
    ];

    /// The scan from which the seed's script made one side of a comparison.
    fn scan(comparison: &str, backend: &str) -> Scan {
        let mut reader = csv::Reader::from_reader(comparison.as_bytes());
        let headers = reader.headers().unwrap().clone();
        let mut text = String::from("size,device,duration_ms,first,backend_mask_hint\n");
        for record in reader.records() {
            let record = record.unwrap();
            let field = |name: &str| &record[headers.iter().position(|header| header == name).unwrap()];
            for (device, column) in [("Cpu", "cpu_ms"), ("Gpu", "gpu_ms")] {
                let ms = field(&format!("{column}_{backend}"));
                text.push_str(&format!("{},{device},{ms},0,{backend}\n", field("size")));
            }
        }
        Scan::parse(&text).unwrap()
    }

    #[test]
    fn the_seeds_comparisons_come_out_as_they_were() {
        for expected in SEED {
            let side = |backend: &str| Side::of_scan(&scan(expected, backend), "vector_add");
            let comparison = Comparison::new(side("gles"), side("dx12"));
            assert_eq!(comparison.seed("vector_add").unwrap(), expected);
        }
    }

    #[test]
    fn a_tie_is_where_the_interval_holds_one() {
        let check = |left: Timing, right: Timing, expected: Faster| {
            let pair = pair("add", "1000", left, right);
            assert_eq!(pair.faster, expected, "{pair:?}");
        };
        check(timing(100.0, 1.01), timing(110.0, 1.01), Faster::Left);
        check(timing(110.0, 1.01), timing(100.0, 1.01), Faster::Right);
        check(timing(100.0, 1.05), timing(104.0, 1.05), Faster::Tie);
        let bare = |ns| Timing { ns, interval_ns: None };
        check(bare(100.0), bare(101.0), Faster::Left);
        check(bare(0.0), bare(0.0), Faster::Tie);
        check(bare(0.0), bare(1.0), Faster::Left);
    }

    #[test]
    fn only_what_both_have_is_compared() {
        let folder = run(
            "run",
            &[
                ("add/cpu/1000", 100.0),
                ("add/vulkan/1000", 30_000.0),
                ("add/vulkan/2000", 31_000.0),
                ("add/gles/1000", 20_000.0),
                ("hash/gles/1000", 20_000.0),
            ],
        );
        let comparison = Comparison::new(Side::of_run(&folder, "vulkan"), Side::of_run(&folder, "gles"));
        assert_eq!(
            comparison.table().text(),
            "operator  size  vulkan   gles  gles / vulkan   95 % interval  faster\n\
             add       1000   30 µs  20 µs          0.667  0.657 to 0.676  gles            |\u{2588}\u{2588}\n"
        );
        assert_eq!(
            comparison.summary(),
            "vulkan faster in 0 of 1 cases, gles in 1, tie in 0"
        );
        assert_eq!(
            comparison.csv().unwrap(),
            "op,size,left,left_ns,right,right_ns,ratio,ratio_lo,ratio_hi,faster\n\
             add,1000,vulkan,30000.0,gles,20000.0,0.6667,0.6573,0.6762,gles\n"
        );
        let json: serde_json::Value = serde_json::from_str(&comparison.json()).unwrap();
        assert_eq!(json["cases"][0]["faster"], "right");
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_ratio_and_turns_over_with_the_sides(
            left in 1.0..1e9_f64, right in 1.0..1e9_f64, off in 1.001..2.0_f64, other in 1.001..2.0_f64,
        ) {
            let (left, right) = (timing(left, off), timing(right, other));
            let (low, high) = ratio_interval(left, right).unwrap();
            let ratio = right.ns / left.ns;
            prop_assert!(low < ratio && ratio < high);
            let (back_low, back_high) = ratio_interval(right, left).unwrap();
            prop_assert!((low * back_high - 1.0).abs() < 1e-9 && (high * back_low - 1.0).abs() < 1e-9);
        }
    }
}
