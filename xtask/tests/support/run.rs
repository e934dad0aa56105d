//! The files of a run and of a baseline, as `cargo xtask gate` finds them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

pub(crate) const FINGERPRINT: &str = r#"{"schema":1,"os":"linux","arch":"x86_64","cpu":"test","logical_cores":2,"affinity":"bound","compiler":"rustc 1.95.0","adapters":[]}"#;
pub(crate) const PLAN: &str = r#"{"schema":1,"started":"2026-01-02T03:04:05Z","commit":"0123456","command":"cargo xtask bench","pace":"default","runs":1,"backends":["cpu"],"skipped":[],"ops":null,"sizes":["1000","2000","3000","4000","5000","6000"]}"#;
pub(crate) const RECORDING: &str = r#"{"runs":[1,5],"date":"2026-01-01T00:00:00Z","commit":"0123456","versions":{"wgpu":"30.0.1"},"tuning":{},"command":"cargo xtask bench --save-baseline","pace":"default","forced":[]}"#;
pub(crate) const TIMES: &str = "p10_ns,p50_ns,mean_ns,p90_ns,p95_ns,p99_ns";
pub(crate) const COUNTERS: &str = "submits,passes,dispatches,copies,buffers_created,bind_groups_created,pipelines_created,bytes_up,bytes_down,maps,pool_hits";

pub(crate) fn times(p10_ns: f64) -> String {
    let times = [1.0, 1.5, 1.6, 2.0, 2.5, 3.0].map(|factor| format!("{:.1}", p10_ns * factor));
    times.join(",")
}

pub(crate) fn counters(dispatches: u64) -> String {
    format!("1,1,{dispatches},0,0,0,0,8000,4000,2,1")
}

/// Cases beside the one of 1000 elements, which show that the machine is as it was.
const OTHERS: [u64; 5] = [2000, 3000, 4000, 5000, 6000];

/// A row of a run.
pub(crate) fn row(stage: &str, run: usize, p10_ns: f64, dispatches: u64) -> String {
    row_of(1000, stage, run, p10_ns, dispatches)
}

fn row_of(size: u64, stage: &str, run: usize, p10_ns: f64, dispatches: u64) -> String {
    format!(
        "vector_add,cpu,{size},1,{stage},{run},1000,{},{}\n",
        times(p10_ns),
        counters(dispatches)
    )
}

/// A machine with a baseline of five runs around 10 µs.
pub(crate) struct Machine(pub(crate) tempfile::TempDir);

impl Machine {
    pub(crate) fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        fs::create_dir(machine.run_dir()).unwrap();
        fs::create_dir(machine.baselines()).unwrap();
        machine.write_run(&[row("screen", 1, 10_000.0, 1)]);
        fs::write(machine.run_dir().join("fingerprint.json"), FINGERPRINT).unwrap();
        fs::write(machine.run_dir().join("run.json"), PLAN).unwrap();
        machine
    }

    pub(crate) fn with_baseline() -> Self {
        let machine = Self::new();
        let times_of = |size: u64| -> String {
            let row = |run: u8| {
                format!(
                    "vector_add,cpu,{size},1,{run},1000,{}\n",
                    times(9990.0 + 5.0 * f64::from(run))
                )
            };
            (1..=5_u8).map(row).collect()
        };
        let sizes: Vec<u64> = std::iter::once(1000).chain(OTHERS).collect();
        let counted: String = sizes
            .iter()
            .map(|size| format!("vector_add,cpu,{size},1,{}\n", counters(1)))
            .collect();
        let rows: String = sizes.iter().map(|size| times_of(*size)).collect();
        let text = format!(
            "# gpu-executor baseline, schema 3\n# fingerprint {FINGERPRINT}\n# recording {RECORDING}\n\
             # counters: calls into wgpu of each call, exact\nop,backend,size,tasks,{COUNTERS}\n{counted}\
             # times: a line for each case and process\nop,backend,size,tasks,run,calls,{TIMES}\n\
             {rows}# end of 6 cases, 30 rows\n"
        );
        fs::write(machine.baseline(), text).unwrap();
        machine
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.0.path().join("run")
    }

    pub(crate) fn baselines(&self) -> PathBuf {
        self.0.path().join("baselines")
    }

    /// The name the gate looks for, as it says itself when there is none.
    pub(crate) fn baseline(&self) -> PathBuf {
        let output = Self::new().gate(&[]);
        let text = String::from_utf8(output.stdout).unwrap();
        let id = text.split_once("this machine (").unwrap().1.split_once(')').unwrap().0;
        self.baselines().join(format!("{id}.csv"))
    }

    /// Writes these rows, and those of the other cases behind them if there are any.
    pub(crate) fn write_run(&self, rows: &[String]) {
        let header = format!("op,backend,size,tasks,stage,run,calls,{TIMES},{COUNTERS}\n");
        let others = OTHERS.map(|size| row_of(size, "screen", 1, 10_000.0, 1)).concat();
        let others = if rows.iter().any(|row| row.ends_with('\n')) {
            others
        } else {
            String::new()
        };
        fs::write(
            self.run_dir().join("runs.csv"),
            format!("{header}{}{others}", rows.concat()),
        )
        .unwrap();
    }

    pub(crate) fn gate(&self, flags: &[&str]) -> Output {
        gate(&self.run_dir(), &self.baselines(), flags)
    }
}

pub(crate) fn gate(run: &Path, baselines: &Path, flags: &[&str]) -> Output {
    command(run, baselines, flags).output().unwrap()
}

pub(crate) fn command(run: &Path, baselines: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .arg("gate")
        .arg(run)
        .arg("--baselines")
        .arg(baselines)
        .args(flags);
    // These tests may themselves be run by GitHub Actions, whose summary is not theirs.
    command.env_remove("GITHUB_ACTIONS").env_remove("GITHUB_STEP_SUMMARY");
    command
}
