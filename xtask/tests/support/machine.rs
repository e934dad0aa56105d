//! A machine whose cargo and bench programs are shell scripts.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// Measures every size it is asked for: ten samples of two calls, whose time is the file `time_ns` times the size. Waits
/// for the file `go` if there is a file `wait`. Every other process takes twice as long if there is a file `noisy`, and the
/// second one has company on its core if there is a file `company`. Asked to, it serves windows instead: of 100 ns an element as
/// the program of a commit, in the work tree of the time in the file `served_ns`, with company if there is none. Or it counts calls without
/// a driver, one case's dispatches being those of the file `noop_dispatches`.
pub(crate) const BENCH: &str = r#"#!/bin/sh
here=$(dirname "$0")
if [ -n "$GPU_EXECUTOR_BENCH_SERVE" ]; then
    say() { echo "gpu-executor-bench: $1"; }
    second=',"vector_add/cpu/200"'
    case $here in
    */programs) each=100; [ -e "$here/../../../lost" ] && second='' ;;
    *) each=$(cat "$here/served_ns") ;;
    esac
    say '{"serving":{"protocol":1,"cases":["vector_add/cpu/100"'"$second"']}}'
    while read -r verb case rest; do
        ns=$((${each:-100} * ${case##*/})); window="\"samples_ns\":[$ns,$ns],\"calibrations_ns\":[40000]"
        [ -z "$each" ] && window='"samples_ns":[],"calibrations_ns":[80000]'
        case $verb in
        prepare) say "{\"prepared\":{\"call_ns\":$ns,\"calibration_ns\":40000}}" ;;
        measure) say "{\"measured\":{$window}}" ;;
        esac
    done
    exit 0
fi
if [ -n "$GPU_EXECUTOR_BENCH_NOOP" ]; then
    [ -e "$here/no_noop" ] && { echo 'wgpu is built without it' >&2; exit 1; }
    count() { echo "{\"op\":\"vector_add\",\"size\":$1,\"tasks\":1,\"counters\":{\"submits\":1,\"passes\":1,\"dispatches\":$2,\"copies\":0,\"buffers_created\":0,
    \"bind_groups_created\":0,\"pipelines_created\":0,\"bytes_up\":8,\"bytes_down\":4,\"maps\":2,\"pool_hits\":1}}"; }
    echo "[$(count 100 1),$(count 1000 $(cat "$here/noop_dispatches"))]"
    exit 0
fi
exec 3<&0
echo $$ > "$here/bench.pid"
[ -e "$here/broken" ] && { echo 'the device is on fire' >&2; exit 1; }
process=$(($(cat "$here/processes") + 1)); echo $process > "$here/processes"
calibration=40000
[ -e "$here/company" ] && [ $process = 2 ] && calibration=80000
n=0
for size in $(echo "$GPU_EXECUTOR_BENCH_SIZES" | tr , ' '); do
    n=$((n + 1)); id="vector_add/$GPU_EXECUTOR_BACKENDS/$size"
    echo "gpu-executor-bench: $n $id"
    if [ -e "$here/wait" ]; then
        # As the bench does, end when the other end of standard input is gone.
        (cat; kill $$) <&3 > /dev/null 2>&1 &
        while [ ! -e "$here/go" ]; do sleep 0.05; done
    fi
    wall=$(($(cat "$here/time_ns") * size)); [ -e "$here/noisy" ] && wall=$((wall * (1 + process % 2))); samples=""; slices=""; iters=""; times=""
    for sample in 1 2 3 4 5 6 7 8 9 10; do
        samples="$samples,[$((wall + sample)),$((wall + sample))]"; slices="$slices,[{\"calls\":2,\"calibration_ns\":$calibration}]"; iters="$iters,2"; times="$times,$((2 * (wall + sample)))"
    done
    mkdir -p "$CRITERION_HOME/$n/new"
    echo "{\"full_id\":\"$id\"}" > "$CRITERION_HOME/$n/new/benchmark.json"
    echo "{\"iters\":[${iters#,}],\"times\":[${times#,}]}" > "$CRITERION_HOME/$n/new/sample.json"
    cat > "$GPU_EXECUTOR_BENCH_RECORD/$n.json" <<END
{"schema":2,"op":"vector_add","backend":"$GPU_EXECUTOR_BACKENDS","size":$size,"tasks":1,"id":"$id",
"counters":{"submits":1,"passes":1,"dispatches":$(cat "$here/dispatches"),"copies":0,"buffers_created":0,
"bind_groups_created":0,"pipelines_created":0,"bytes_up":8,"bytes_down":4,"maps":2,"pool_hits":1},"samples_ns":[${samples#,}],
"slices":[${slices#,}]}
END
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
        for default in [["--size", "100,200"], ["--backend", "cpu"]] {
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
