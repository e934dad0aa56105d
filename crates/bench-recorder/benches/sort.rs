//! The example of the crate's documentation as a program: a criterion bench that can be recorded, and
//! measured in turns with another revision.

use std::process::ExitCode;

use bench_recorder::{Suite, calls};

fn main() -> ExitCode {
    let cases = ["sort/1000", "sort/10000"].map(str::to_owned);
    let suite = Suite::new(cases, |id, scale| {
        let size: f64 = id.strip_prefix("sort/").ok_or("unknown case")?.parse()?;
        let data: Vec<u64> = (0..(size * scale) as u64).rev().collect();
        Ok(calls(move || {
            let mut data = data.clone();
            data.sort_unstable_by_key(|n| n ^ 0x55);
            data
        }))
    });
    // Asked to serve windows of calls, it does nothing else.
    suite.serve_if_asked().unwrap_or_else(|mut suite| {
        let mut criterion = criterion::Criterion::default().configure_from_args().sample_size(10);
        let done = suite.record_each(10, |id, recorder| {
            criterion.bench_function(id, |bencher| bencher.iter_custom(|n| recorder.sample(n)));
        });
        criterion.final_summary();
        done
    })
}
