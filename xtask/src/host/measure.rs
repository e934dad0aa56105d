//! Runs bench processes and collects what they recorded.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::{
    error::Error,
    host::{affinity, lines::lines, noop, quiet_display},
    record::{self, Record, Sample},
};

/// The library's environment variable for how tasks reach the adapter.
pub(crate) const TUNING_ENV: &str = "GPU_EXECUTOR_TUNING";

/// Lines that may wait to be read; who says more waits as well.
const MOST_LINES: usize = 1000;

/// One process: a backend and the cases it measures.
#[derive(Clone, Debug)]
pub(crate) struct Process<'a> {
    pub(crate) program: &'a Path,
    pub(crate) backend: &'a str,
    /// Comma list of operators; `None` for all.
    pub(crate) ops: Option<String>,
    /// Comma list of sizes.
    pub(crate) sizes: String,
    pub(crate) pace: &'a str,
    pub(crate) bound: bool,
    /// How tasks reach the adapter; `None` to leave that to the library.
    pub(crate) tuning: Option<&'a str>,
    /// Empty folder for its files, which nobody else uses.
    pub(crate) folder: PathBuf,
    /// How long its start, or a case, may take before it counts as hung.
    pub(crate) limit: Duration,
}

/// Runs a process to its end; `on_case` hears of each case that begins.
///
/// # Errors
/// [`Error::Usage`] if it refuses what it was asked for; [`Error::Failed`] with the end of its output if it fails, hangs, or
/// records something else than criterion measured.
pub(crate) fn run(process: &Process<'_>, mut on_case: impl FnMut(&str)) -> Result<Vec<Record>, Error> {
    let records = process.folder.join("records");
    let criterion = process.folder.join("criterion");
    for folder in [&records, &criterion] {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    let log_path = process.folder.join("stderr.txt");
    let log = fs::File::create(&log_path).map_err(Error::io("create", &log_path))?;
    let mut command = Command::new(process.program);
    command
        .arg("--bench")
        .env("CRITERION_HOME", &criterion)
        .env("GPU_EXECUTOR_BACKENDS", process.backend)
        .env("GPU_EXECUTOR_BENCH_RECORD", &records)
        .env("GPU_EXECUTOR_BENCH_PACE", process.pace)
        .env("GPU_EXECUTOR_BENCH_SIZES", &process.sizes)
        // Read by glibc alone: freed memory stays with the process. By default its heap shrinks and grows again with
        // every call of some cases, and page by page, depending on what happens to lie at its end.
        .env("MALLOC_TRIM_THRESHOLD_", "2147483648")
        .env("MALLOC_MMAP_THRESHOLD_", "33554432")
        // The process ends itself when this pipe closes, which the system does for us if we are killed.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log);
    if let Some(tuning) = process.tuning {
        command.env(TUNING_ENV, tuning);
    }
    command.env_remove(noop::BENCH_ENV);
    command.env("GPU_EXECUTOR_BENCH_OPS", process.ops.as_deref().unwrap_or("all"));
    quiet_display(&mut command);
    let mut child = if process.bound {
        affinity::on_one_core(|| command.spawn()).ok_or_else(affinity::impossible)?
    } else {
        command.spawn()
    }
    .map_err(Error::io("run", process.program))?;

    let (status, last_lines) = watch(&mut child, process.limit, &mut on_case)?;
    let Some(status) = status else {
        return Err(Error::Failed(format!(
            "the bench process for {} said nothing for {:?} and was stopped; it was at: {last_lines}",
            process.backend, process.limit
        )));
    };
    if !status.success() {
        let stderr = fs::read_to_string(&log_path).unwrap_or_default();
        let complaints: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        let tail = complaints[complaints.len().saturating_sub(12)..].join("\n  ");
        if status.code() == Some(2) {
            // A person said it by a flag.
            return Err(Error::Usage(tail.replace("GPU_EXECUTOR_BENCH_OPS", "--op")));
        }
        return Err(Error::Failed(format!(
            "the bench process for {} ended with {status} at {last_lines}:\n  {tail}",
            process.backend
        )));
    }
    collect(&records, &criterion)
}

/// Follows a child's output until it ends, or until the limit has passed and it is killed (`None`). Returns the last
/// case it began as well.
fn watch(
    child: &mut Child,
    limit: Duration,
    on_case: &mut impl FnMut(&str),
) -> Result<(Option<std::process::ExitStatus>, String), Error> {
    let stdout = child.stdout.take().expect("standard output is piped");
    // `wait` would close it, and the process takes that for our death.
    let _stdin = child.stdin.take();
    let (sender, said) = mpsc::sync_channel(MOST_LINES);
    std::thread::spawn(move || {
        for line in lines(stdout) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let mut deadline = Instant::now() + limit;
    let mut at = "its start".to_owned();
    loop {
        match said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Some((_, case)) = line
                    .strip_prefix("gpu-executor-bench: ")
                    .and_then(|l| l.split_once(' '))
                {
                    case.clone_into(&mut at);
                    on_case(case);
                    deadline = Instant::now() + limit;
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let failed = |error| Error::Failed(format!("cannot stop a bench process: {error}"));
                child.kill().map_err(failed)?;
                child.wait().map_err(failed)?;
                return Ok((None, at));
            }
            // Its output is closed, so it is ending.
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let status = child
                    .wait()
                    .map_err(|e| Error::Failed(format!("cannot wait for a bench process: {e}")))?;
                return Ok((Some(status), at));
            }
        }
    }
}

/// Reads what a process recorded, and checks every record against criterion's own figures.
fn collect(records: &Path, criterion: &Path) -> Result<Vec<Record>, Error> {
    let samples = samples(criterion)?;
    let mut collected = Vec::new();
    for entry in fs::read_dir(records).map_err(Error::io("read", records))? {
        let path = entry.map_err(Error::io("read", records))?.path();
        let bad = |message| Error::Data {
            path: path.clone(),
            line: 1,
            message,
        };
        let json = fs::read(&path).map_err(Error::io("read", &path))?;
        let record = record::parse(&json).map_err(bad)?;
        let sample = samples
            .iter()
            .find(|(id, _)| *id == record.id)
            .map(|(_, sample)| sample);
        let sample = sample.ok_or_else(|| bad(format!("criterion has no measurement of {}", record.id)))?;
        record::check(&record, sample).map_err(bad)?;
        collected.push(record);
    }
    if collected.len() != samples.len() {
        let ids: Vec<&str> = samples.iter().map(|(id, _)| id.as_str()).collect();
        return Err(Error::Failed(format!(
            "criterion measured {} cases and {} were recorded: {}",
            samples.len(),
            collected.len(),
            ids.join(", ")
        )));
    }
    collected.sort_by(|a, b| a.case.cmp(&b.case));
    Ok(collected)
}

/// Criterion's measurements below a folder, with their full ids: folder names are cut short and changed, ids are not.
pub(crate) fn samples(folder: &Path) -> Result<Vec<(String, Sample)>, Error> {
    #[derive(serde::Deserialize)]
    struct Benchmark {
        full_id: String,
    }
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
            let path = entry.map_err(Error::io("read", &folder))?.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name == "new") {
                let benchmark: Benchmark = json(&path.join("benchmark.json"))?;
                found.push((benchmark.full_id, json(&path.join("sample.json"))?));
            } else if path.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(found)
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&text).map_err(|error| Error::Data {
        path: path.to_owned(),
        line: error.line() as u64,
        message: error.to_string(),
    })
}

/// A bench process may do anything; these are shell scripts that do.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const RECORD: &str = r#"{"schema":2,"op":"o","backend":"cpu","size":1,"tasks":1,"id":"o/cpu/1",
        "counters":{"submits":0,"passes":0,"dispatches":0,"copies":0,"buffers_created":0,"bind_groups_created":0,
        "pipelines_created":0,"bytes_up":0,"bytes_down":0,"maps":0,"pool_hits":0},"samples_ns":[[10,20]],
        "slices":[[{"calls":2,"calibration_ns":5}]]}"#;

    /// Writes what criterion would have, with the given total time, and a record.
    fn honest(record: &str, total_ns: u64) -> String {
        format!(
            "mkdir -p $CRITERION_HOME/o/new\n\
             echo '{{\"full_id\":\"o/cpu/1\"}}' > $CRITERION_HOME/o/new/benchmark.json\n\
             echo '{{\"iters\":[2],\"times\":[{total_ns}]}}' > $CRITERION_HOME/o/new/sample.json\n\
             echo '{record}' > $GPU_EXECUTOR_BENCH_RECORD/o.json\n"
        )
    }

    fn run_script(body: &str, limit: Duration) -> (Result<Vec<Record>, Error>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bench.sh");
        fs::write(&program, format!("#!/bin/sh\n{body}")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let process = Process {
            program: &program,
            backend: "cpu",
            ops: None,
            sizes: "1".to_owned(),
            pace: "quick",
            bound: false,
            tuning: None,
            folder: folder.path().join("files"),
            limit,
        };
        let mut cases = Vec::new();
        // Another test's thread may be between fork and exec with the script open for writing.
        for _ in 0..50 {
            let result = run(&process, |case| cases.push(case.to_owned()));
            if !matches!(&result, Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::ExecutableFileBusy)
            {
                return (result, cases);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the script stays busy");
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_a_process_recorded_is_collected() {
        let body = format!(
            "echo 'Benchmarking'\necho 'gpu-executor-bench: 1 o/cpu/1'\n{}",
            honest(RECORD, 30)
        );
        let (records, cases) = run_script(&body, LONG);
        assert_eq!(records.unwrap().len(), 1);
        assert_eq!(cases, ["o/cpu/1"]);
    }

    #[test]
    fn whatever_else_a_process_does_is_an_error_that_says_so() {
        let check = |body: &str, expected: &[&str]| {
            let message = run_script(body, LONG).0.unwrap_err().to_string();
            assert!(expected.iter().all(|part| message.contains(part)), "{body}\n{message}");
        };
        check(
            "echo 'gpu-executor-bench: 1 o/cpu/1'; echo 'wrong result' >&2; exit 1",
            &["o/cpu/1", "wrong result", "1"],
        );
        check("kill -9 $$", &["signal", "its start"]);
        check(&honest("nonsense", 30), &["o.json"]);
        check(&honest(RECORD, 31), &["o.json", "30 ns", "31 ns"]);
        check(&honest(&RECORD.replace("schema\":2", "schema\":9"), 30), &["schema 9"]);
        check(
            &format!("{}rm $GPU_EXECUTOR_BENCH_RECORD/o.json", honest(RECORD, 30)),
            &["1 cases", "0 were recorded"],
        );
        check(
            &format!("{}rm -r $CRITERION_HOME/o", honest(RECORD, 30)),
            &["criterion has no measurement of o/cpu/1"],
        );
    }

    #[test]
    fn a_process_that_refuses_its_arguments_is_a_usage_error() {
        let (result, _) = run_script(
            "echo 'GPU_EXECUTOR_BENCH_OPS: no operator is named `x`' >&2; exit 2",
            LONG,
        );
        assert!(matches!(result, Err(Error::Usage(message)) if message == "--op: no operator is named `x`"));
    }

    #[test]
    fn a_process_that_hangs_is_stopped() {
        let (result, _) = run_script(
            "echo 'gpu-executor-bench: 1 o/cpu/1'; exec sleep 600",
            Duration::from_secs(3),
        );
        let message = result.unwrap_err().to_string();
        assert!(
            message.contains("was stopped") && message.contains("o/cpu/1"),
            "{message}"
        );
    }
}
