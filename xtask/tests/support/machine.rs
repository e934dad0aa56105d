//! A machine whose cargo and bench programs are shell scripts.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// Serves windows of the sizes it is asked for: ten samples of the file `time_ns` times the size, or of `time_ns_SIZE`. Waits for the file
/// `go` if there is a file `wait`. Every other process takes twice as long if there is a file `noisy`. In turns, whose windows are
/// smaller than those of a run, a call takes 100 ns an element in the program of a commit, in the work tree as long as the file
/// `served_ns` says. Or it counts calls without a driver, one case's dispatches being those of the file `noop_dispatches`.
pub(crate) const BENCH: &str = r#"#!/bin/sh
here=$(dirname "$0")
if [ -n "$GPU_EXECUTOR_BENCH_NOOP" ]; then
    [ -e "$here/no_noop" ] && { echo 'wgpu is built without it' >&2; exit 1; }
    count() { echo "{\"op\":\"vector_add\",\"size\":$1,\"tasks\":1,\"counters\":{\"submits\":1,\"passes\":1,\"dispatches\":$2,\"copies\":0,\"buffers_created\":0,
    \"bind_groups_created\":0,\"pipelines_created\":0,\"bytes_up\":8,\"bytes_down\":4,\"maps\":2,\"pool_hits\":1}}"; }
    echo "[$(count 100 1),$(count 1000 $(cat "$here/noop_dispatches"))]"
    exit 0
fi
[ -e "$here/broken" ] && { echo 'the device is on fire' >&2; exit 1; }
say() { echo "bench-recorder: $1"; }
ids=''
for backend in $(echo "$GPU_EXECUTOR_BACKENDS" | tr , ' '); do
    for size in $(echo "$GPU_EXECUTOR_BENCH_SIZES" | tr , ' '); do
        case $here in */programs) [ -e "$here/../../../lost" ] && [ $size = 200 ] && continue ;; esac
        ids="$ids,\"vector_add/$backend/$size\""
    done
done
say "{\"serving\":{\"protocol\":2,\"cases\":[${ids#,}]}}"
process=''; dispatches=1
while read -r line; do
    id=${line#*\"case\":\"}; id=${id%%\"*}; size=${id##*/}
    if [ -z "$process" ] && [ -e "$here/processes" ]; then
        process=$(($(cat "$here/processes") + 1)); echo $process > "$here/processes"; echo $$ > "$here/bench.pid"
        dispatches=$(cat "$here/dispatches"); echo "$GPU_EXECUTOR_TUNING" >> "$here/tunings"
    fi
    while [ -e "$here/wait" ] && [ ! -e "$here/go" ]; do kill -0 $PPID 2> /dev/null || exit 1; sleep 0.05; done
    case $line in
    *'"max_samples":2000,'*|*'"max_samples":2000}'*)
        case $here in
        */programs) each=100 ;;
        *) each=$(cat "$here/served_ns") ;;
        esac ;;
    *) each=$(cat "$here/time_ns_$size" 2> /dev/null || cat "$here/time_ns" 2> /dev/null || echo 100) ;;
    esac
    ns=$((each * size * 10)); [ -e "$here/noisy" ] && ns=$((ns * (1 + process % 2)))
    samples=''
    for sample in 1 2 3 4 5 6 7 8 9 10; do samples="$samples,$((ns + sample))"; done
    case $line in
    *prepare*) say "{\"prepared\":{\"call_ns\":$ns,\"cold_ns\":{\"first\":7}}}" ;;
    *) say "{\"measured\":{\"samples_ns\":[${samples#,}],\"counters\":{\"submits\":1,\"passes\":1,\"dispatches\":$dispatches,\"bytes_up\":8,\"bytes_down\":4,\"maps\":2,\"pool_hits\":1}}}" ;;
    esac
done
"#;

const ADAPTER: &str = r#"{"backend":"cpu","name":"host","kind":"software","driver":"none","driver_version":"","timestamps":false,"limits":null,"unusable":null}"#;

/// What `adapters --json` says.
pub(crate) fn listing() -> String {
    format!(r#"{{"adapters":[{ADAPTER}],"picked":[{ADAPTER}],"absent":[{{"backend":"gles","reason":"no driver"}}]}}"#)
}

/// A machine with programs that do as they are told.
pub(crate) struct Machine(tempfile::TempDir);

impl Machine {
    pub(crate) fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        let listing = listing();
        machine.script("executor", BENCH);
        machine.script("adapters", &format!("#!/bin/sh\necho '{listing}'\n"));
        let message = |name: &str, kind: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"path+file:///x#x@0.1.0","manifest_path":"/x/Cargo.toml","target":{{"kind":["{kind}"],"crate_types":["bin"],"name":"{name}","src_path":"/x/x.rs","edition":"2024","doc":false,"doctest":false,"test":false}},"profile":{{"opt_level":"3","debuginfo":0,"debug_assertions":false,"overflow_checks":false,"test":false}},"features":[],"filenames":[],"executable":"{}","fresh":true}}"#,
                machine.path(name).display()
            )
        };
        machine.script(
            "cargo",
            &format!(
                "#!/bin/sh\ncat <<'END'\n{}\n{}\nEND\n",
                message("executor", "bench"),
                message("adapters", "example")
            ),
        );
        machine.set("time_ns", "100");
        machine.set("served_ns", "100");
        machine.set("dispatches", "1");
        machine.set("noop_dispatches", "1");
        machine.set("processes", "0");
        machine
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn set(&self, name: &str, value: &str) {
        fs::write(self.path(name), value).unwrap();
    }

    pub(crate) fn script(&self, name: &str, text: &str) {
        self.set(name, text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("bench");
        for default in [["--size", "100,200,300,400,500,600"], ["--backend", "cpu"]] {
            if !flags.contains(&default[0]) {
                command.args(default);
            }
        }
        command
            .arg("--baselines")
            .arg(self.path("baselines"))
            .args(flags)
            .env("CARGO", self.path("cargo"))
            .env("CARGO_TARGET_DIR", self.path("target"))
            // These tests may themselves be run by GitHub Actions, whose summary is not theirs.
            .env_remove("GITHUB_ACTIONS");
        command
    }

    pub(crate) fn bench(&self, flags: &[&str]) -> Output {
        self.command(&[&["--no-ab"], flags].concat()).output().unwrap()
    }

    pub(crate) fn start(&self) -> Child {
        let child = self
            .command(&["--no-ab"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(&self.path("bench.pid"));
        child
    }

    /// The file of this machine, beside which there may be that of all.
    pub(crate) fn baseline(&self) -> PathBuf {
        let files = fs::read_dir(self.path("baselines")).unwrap();
        let mut files = files.map(|entry| entry.unwrap().path());
        files.find(|path| !path.ends_with("noop.csv")).unwrap()
    }

    pub(crate) fn latest(&self) -> PathBuf {
        PathBuf::from(fs::read_to_string(self.path("target/bench/latest")).unwrap().trim())
    }
}

fn wait_for(path: &Path) {
    let start = Instant::now();
    while fs::read_to_string(path).map_or(true, |text| text.is_empty()) {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{} does not appear",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
