//! Which cases of a baseline differ too much between processes for the stored times to tell anything.

use std::collections::BTreeMap;

use crate::{case::CaseId, rows::Row};

/// Largest standard deviation of ln p10 between processes: with 5 of them a change is then noticed from 42 %.
const MAX_SPREAD: f64 = 0.15;

/// A warning for each case whose processes differ too much.
pub(crate) fn noise(rows: &[Row]) -> Vec<String> {
    let mut times: BTreeMap<&CaseId, Vec<f64>> = BTreeMap::new();
    for row in rows {
        times.entry(&row.case).or_default().push(row.p10_ns.ln());
    }
    let noisy = |(case, times): (&CaseId, Vec<f64>)| {
        let spread = deviation(&times);
        (spread > MAX_SPREAD).then(|| {
            format!(
                "{case}: its processes differ by {:.0} % (standard deviation): the baseline alone tells nothing of it, so \
                 `cargo xtask bench` compares it in turns each time",
                100.0 * spread.exp_m1()
            )
        })
    };
    times.into_iter().filter_map(noisy).collect()
}

fn deviation(times: &[f64]) -> f64 {
    let n = times.len() as f64;
    if n < 2.0 {
        return 0.0;
    }
    let mean = times.iter().sum::<f64>() / n;
    (times.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::tests::example;

    #[test]
    fn a_case_whose_processes_differ_too_much_is_named() {
        let noise_with = |step: f64| {
            let rows: Vec<Row> = (1..=5)
                .flat_map(|run| {
                    let mut row = example("cpu", 1000, run, 10_000.0);
                    row.p10_ns *= 1.0 + step * (run % 2) as f64;
                    [row, example("cpu", 2000, run, 20_000.0)]
                })
                .collect();
            noise(&rows)
        };
        assert!(noise_with(0.05).is_empty());
        let found = noise_with(0.4);
        assert!(
            found.len() == 1 && found[0].contains("vector_add/cpu/1000: its processes differ by 20 %"),
            "{found:?}"
        );
        assert!(
            noise(&[example("cpu", 1000, 1, 10.0)]).is_empty(),
            "one process has no spread"
        );
        assert!(noise(&[]).is_empty());
    }
}
