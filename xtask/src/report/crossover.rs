//! From how many elements on a call takes less time on a GPU backend than on the CPU.

use std::{collections::BTreeMap, fmt};

use crate::rows::{Row, Stage};

/// The crossover of one operator and backend, as the run's processes have it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Crossover {
    op: String,
    backend: String,
    /// The smallest and the largest size that were measured on both.
    sizes: (u64, u64),
    /// The crossing in each process, ascending: 0 if the backend is faster at every size, infinite if it is not at the largest.
    crossings: Vec<f64>,
}

/// Median times of the single tasks of one process, by size.
type Curve = BTreeMap<u64, f64>;

/// One for each operator and backend that share at least two sizes with the CPU.
pub(crate) fn crossovers(rows: &[Row]) -> Vec<Crossover> {
    let mut processes: BTreeMap<(&str, &str), BTreeMap<u64, Curve>> = BTreeMap::new();
    for row in rows
        .iter()
        .filter(|row| row.stage == Stage::Screen && row.case.tasks == 1)
    {
        let of_backend = processes.entry((&row.case.op, &row.case.backend)).or_default();
        let curve = of_backend.entry(row.run).or_default();
        curve.insert(row.case.size, row.p50_ns);
    }
    let found = processes.iter().filter_map(|(&(op, backend), of_backend)| {
        let of_cpu = processes.get(&(op, "cpu")).filter(|_| backend != "cpu")?;
        // The first process of one is held against the first of the other: they took turns.
        let mut logs: Vec<Vec<(u64, f64)>> = of_cpu
            .values()
            .zip(of_backend.values())
            .map(|(cpu, gpu)| logs(cpu, gpu))
            .collect();
        // A process that measured some cases once more says nothing of where the others lie.
        let most = logs.iter().map(Vec::len).max().filter(|&most| most > 1)?;
        logs.retain(|logs| logs.len() == most);
        let sizes = || logs.iter().flatten().map(|(size, _)| *size);
        let sizes = (sizes().min()?, sizes().max()?);
        let mut crossings: Vec<f64> = logs.iter().map(|logs| crossing(logs)).collect();
        crossings.sort_by(f64::total_cmp);
        Some(Crossover {
            op: op.to_owned(),
            backend: backend.to_owned(),
            sizes,
            crossings,
        })
    });
    found.collect()
}

/// The logarithm of the CPU's time over the backend's, at each size that both have.
fn logs(cpu: &Curve, gpu: &Curve) -> Vec<(u64, f64)> {
    let pairs = cpu.iter().filter_map(|(size, cpu)| Some((*size, cpu, gpu.get(size)?)));
    pairs.map(|(size, cpu, gpu)| (size, (cpu / gpu).ln())).collect()
}

/// From where on the logarithms stay above 0: on a straight line between two sizes, in logarithms of these as well.
fn crossing(logs: &[(u64, f64)]) -> f64 {
    let Some(below) = logs.iter().rposition(|(_, log)| *log <= 0.0) else {
        return 0.0;
    };
    let (Some((x0, y0)), Some((x1, y1))) = (logs.get(below), logs.get(below + 1)) else {
        return f64::INFINITY;
    };
    let (x0, x1) = (*x0 as f64, *x1 as f64);
    x0 * (x1 / x0).powf(-y0 / (y1 - y0))
}

/// `vector_add: vulkan takes less time than the CPU from 733000 elements on (618000 to 861000, the extremes of 5 processes)`.
impl fmt::Display for Crossover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            op,
            backend,
            sizes: (smallest, largest),
            crossings,
        } = self;
        let size = |crossing: f64| match crossing {
            0.0 => format!("{smallest} or fewer"),
            size if size.is_infinite() => format!("none up to {largest}"),
            size => rounded(size).to_string(),
        };
        let (first, last) = (crossings[0], crossings[crossings.len() - 1]);
        // Of an even number the later one: nothing is promised too early.
        match crossings[crossings.len() / 2] {
            crossing if crossing.is_infinite() => {
                write!(
                    f,
                    "{op}: {backend} takes more time than the CPU up to {largest} elements"
                )?;
            }
            0.0 => write!(
                f,
                "{op}: {backend} takes less time than the CPU from {smallest} elements on"
            )?,
            crossing => write!(
                f,
                "{op}: {backend} takes less time than the CPU from {} elements on",
                rounded(crossing)
            )?,
        }
        match crossings.len() {
            1 => f.write_str(" (one process, no interval)"),
            processes if first.to_bits() == last.to_bits() => write!(f, " (all of {processes} processes)"),
            processes => write!(
                f,
                " ({} to {}, the extremes of {processes} processes)",
                size(first),
                size(last)
            ),
        }
    }
}

/// To three digits: no crossover is known better.
fn rounded(size: f64) -> u64 {
    let unit = 10_f64.powf(size.max(1.0).log10().floor() - 2.0).max(1.0);
    ((size / unit).round() * unit) as u64
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rows::tests::example as row;

    const SIZES: [u64; 5] = [256, 4096, 65_536, 1_048_576, 16_777_216];

    /// What a report has of two backends.
    pub(in crate::report) fn examples() -> Vec<Crossover> {
        let crossover = |backend: &str, crossings: &[f64]| Crossover {
            op: "vector_add".to_owned(),
            backend: backend.to_owned(),
            sizes: (256, 1_000_000),
            crossings: crossings.to_vec(),
        };
        vec![
            crossover("gles", &[f64::INFINITY; 3]),
            crossover("vulkan", &[618_432.0, 733_123.0, 860_900.0]),
        ]
    }

    /// Rows of a CPU that takes `cpu` nanoseconds an element, and a backend that takes `fixed` and `each` in each process.
    fn rows(cpu: f64, processes: &[(f64, f64)]) -> Vec<Row> {
        let mut rows = Vec::new();
        for (run, (fixed, each)) in (1..).zip(processes) {
            for size in SIZES {
                rows.push(row("cpu", size, run, cpu * size as f64));
                rows.push(row("vulkan", size, run, fixed + each * size as f64));
            }
        }
        rows
    }

    fn found(rows: &[Row]) -> Crossover {
        let [crossover] = crossovers(rows).try_into().unwrap();
        crossover
    }

    #[test]
    fn a_crossover_is_told_with_what_it_rests_on() {
        let check = |processes: &[(f64, f64)], expected: &str| {
            let text = found(&rows(1.0, processes)).to_string();
            assert_eq!(text, expected);
        };
        let from = "vector_add: vulkan takes less time than the CPU from";
        // At 65,536 elements both take as long.
        check(
            &[(32_768.0, 0.5)],
            &format!("{from} 65500 elements on (one process, no interval)"),
        );
        check(
            &[(0.0, 0.5); 3],
            &format!("{from} 256 elements on (all of 3 processes)"),
        );
        check(
            &[(0.0, 0.5), (32_768.0, 0.5), (1e9, 0.5)],
            &format!("{from} 65500 elements on (256 or fewer to none up to 16777216, the extremes of 3 processes)"),
        );
        check(
            &[(1.0, 2.0); 2],
            "vector_add: vulkan takes more time than the CPU up to 16777216 elements (all of 2 processes)",
        );
    }

    #[test]
    fn nothing_is_told_without_two_sizes_of_both() {
        let check = |keep: fn(&Row) -> bool| {
            let mut rows = rows(1.0, &[(32_768.0, 0.5)]);
            rows.retain(keep);
            assert_eq!(crossovers(&rows), []);
        };
        check(|_| false);
        check(|row| row.case.backend == "cpu");
        check(|row| row.case.backend != "cpu");
        check(|row| row.case.size == 256);
        check(|row| (row.case.backend == "cpu") == (row.case.size < 5000));
    }

    #[test]
    fn batches_and_confirming_processes_are_not_looked_at() {
        let usual = rows(1.0, &[(32_768.0, 0.5)]);
        let mut more = usual.clone();
        let mut other = row("vulkan", 65_536, 1, 1.0);
        other.case.tasks = 10;
        more.push(other.clone());
        (other.case.tasks, other.stage) = (1, Stage::Confirm);
        more.push(other);
        assert_eq!(crossovers(&more), crossovers(&usual));
    }

    #[test]
    fn a_backend_that_is_faster_only_in_the_middle_does_not_pay_from_there_on() {
        let mut rows = rows(1.0, &[(32_768.0, 0.5)]);
        for row in rows
            .iter_mut()
            .filter(|row| row.case.backend == "vulkan" && row.case.size == SIZES[4])
        {
            row.p50_ns = 1e12;
        }
        assert!(found(&rows).crossings[0].is_infinite());
    }

    proptest! {
        #[test]
        fn it_lies_between_the_sizes_around_the_truth(truth in 300.0..1e7_f64, part in 0.1..0.9_f64) {
            let crossover = found(&rows(1.0, &[(truth * (1.0 - part), part)]));
            let at = crossover.crossings[0];
            let above = SIZES.iter().position(|&size| size as f64 > truth).unwrap();
            prop_assert!(at >= SIZES[above - 1] as f64 * 0.999 && at <= SIZES[above] as f64 * 1.001, "{at}, {truth}");
        }

        #[test]
        fn neither_the_unit_nor_the_order_of_rows_matters(
            processes in prop::collection::vec((1.0..1e7_f64, 0.1..2.0_f64), 1..6), unit in 0.01..100.0_f64,
        ) {
            let usual = rows(1.0, &processes);
            let mut other: Vec<Row> = usual.iter().rev().cloned().collect();
            other.iter_mut().for_each(|row| row.p50_ns *= unit);
            for (a, b) in found(&usual).crossings.iter().zip(&found(&other).crossings) {
                prop_assert!(a.to_bits() == b.to_bits() || (a / b - 1.0).abs() < 1e-6, "{a}, {b}");
            }
        }

        #[test]
        fn a_slower_backend_never_pays_earlier(
            processes in prop::collection::vec((1.0..1e7_f64, 0.1..2.0_f64), 1..6), slower in 1.0..3.0_f64,
        ) {
            let usual = found(&rows(1.0, &processes));
            let slow: Vec<_> = processes.iter().map(|(fixed, each)| (fixed * slower, each * slower)).collect();
            let slow = found(&rows(1.0, &slow));
            prop_assert!(usual.crossings.is_sorted());
            for (a, b) in usual.crossings.iter().zip(&slow.crossings) {
                prop_assert!(*b >= a * 0.999_999, "{a}, {b}");
            }
        }
    }
}
