//! `cargo xtask report`, `compare` and `history`, as they are typed.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const QUANTILES: &str = "\
op,backend,size,tasks,runs,calls,p50_ns,p50_lo_ns,p50_hi_ns,p90_ns,p95_ns,p99_ns,submits,upload_ns,queue_ns,device_ns,readback_ns
vector_add,cpu,20000,1,1,900,1000000.0,990000.0,1010000.0,1400000.0,1500000.0,1600000.0,0,,,,
vector_add,cpu,1000000,1,1,900,9000000.0,8900000.0,9100000.0,9400000.0,9500000.0,9600000.0,0,,,,
vector_add,gles,20000,1,1,800,25500000.0,25000000.0,26000000.0,26000000.0,26100000.0,26200000.0,1,1000.0,30000.0,20000.0,500.0
vector_add,gles,1000000,1,1,800,3100000.0,3000000.0,3200000.0,3300000.0,3400000.0,3500000.0,1,1000.0,30000.0,20000.0,500.0
vector_add,dx12,20000,1,1,800,25600000.0,25100000.0,26100000.0,26000000.0,26100000.0,26200000.0,1,1000.0,30000.0,,500.0
vector_add,dx12,1000000,1,1,800,2100000.0,2000000.0,2200000.0,2300000.0,2400000.0,2500000.0,1,1000.0,30000.0,,500.0
";

/// A scan of the seed.
const SCAN: &str = "\
size,device,duration_ms,first,backend_mask_hint
20000,Cpu,0,0,dx12
20000,Gpu,13,0,dx12
50000,Cpu,0,0,dx12
50000,Gpu,4,0,dx12
";

fn xtask(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(arguments)
        .output()
        .unwrap()
}

/// What a command printed that ended with 0.
fn printed(arguments: &[&str]) -> String {
    let output = xtask(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(arguments: &[&str], expected: &str) {
    let output = xtask(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert!(error.contains(expected), "{arguments:?}: {error}");
}

fn run(place: &Path) -> String {
    let run = place.join("run");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("quantiles.csv"), QUANTILES).unwrap();
    run.to_str().unwrap().to_owned()
}

fn is_valid(json: &str, schema: &str) {
    let mut compiler = boon::Compiler::new();
    let mut schemas = boon::Schemas::new();
    compiler
        .add_resource("schema.json", serde_json::from_str(schema).unwrap())
        .unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    if let Err(error) = schemas.validate(&value, index) {
        panic!("{error:#}");
    }
}

#[test]
fn a_run_becomes_a_page_with_its_pictures() {
    let place = tempfile::tempdir().unwrap();
    let run = run(place.path());
    let page = place.path().join("out/report.html");
    let said = printed(&["report", &run, "--svg", "--out", page.to_str().unwrap()]);
    assert_eq!(said.trim_end(), page.to_str().unwrap());
    let html = fs::read_to_string(&page).unwrap();
    for part in [
        "vector_add: time of a call against its size",
        "gles pays from",
        "submission and waiting",
    ] {
        assert!(html.contains(part), "{part}");
    }
    let svg = fs::read_to_string(place.path().join("out/figures/curves-vector_add.svg")).unwrap();
    roxmltree::Document::parse(&svg).unwrap();
    assert!(place.path().join("out/figures/curves-vector_add-dark.svg").is_file());
    // Beside the run, if nothing else is said.
    printed(&["report", &run]);
    assert!(Path::new(&run).join("report.html").is_file());
    refused(
        &["report", place.path().to_str().unwrap()],
        "no case of a run or comparison",
    );
}

#[test]
fn two_backends_of_a_run_are_compared_in_every_form() {
    let place = tempfile::tempdir().unwrap();
    let run = run(place.path());
    let (left, right) = (format!("{run}:gles"), format!("{run}:dx12"));
    let text = printed(&["compare", &left, &right]);
    assert!(
        text.contains("gles faster in 0 of 2 cases, dx12 in 1, tie in 1"),
        "{text}"
    );
    let json = printed(&["compare", &left, &right, "--format", "json"]);
    is_valid(&json, include_str!("../../docs/compare.schema.json"));
    let csv = printed(&["compare", &left, &right, "--format", "csv"]);
    assert!(csv.starts_with("op,size,left,left_ns,"), "{csv}");
    assert!(printed(&["compare", &left, &right, "--format", "markdown"]).starts_with("| operator |"));
    let seed = printed(&["compare", &left, &right, "--seed-format"]);
    assert_eq!(
        seed,
        "\"size\",\"cpu_ms_gles\",\"gpu_ms_gles\",\"cpu_ms_dx12\",\"gpu_ms_dx12\",\"faster_backend\"\n\
         \"20000\",\"1\",\"25\",\"1\",\"25\",\"tie\"\n\
         \"1000000\",\"9\",\"3\",\"9\",\"2\",\"dx12\"\n"
    );
    refused(&["compare", &left, &format!("{run}:vulkan")], "vulkan was not measured");
    refused(&["compare", &left, &format!("{run}:vulcan")], "unknown backend");
    refused(
        &["compare", &left, &right, "--op", "sha256"],
        "no operator and size in common",
    );
}

#[test]
fn two_scans_are_compared_and_a_damaged_one_is_named() {
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = place.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let dx12 = file("dx12.csv", SCAN);
    let gles = file(
        "gles.csv",
        &SCAN
            .replace("dx12", "gles")
            .replace("Gpu,13", "Gpu,25")
            .replace("Gpu,4", "Gpu,3"),
    );
    let out = place.path().join("compare.csv");
    printed(&["compare", &gles, &dx12, "--seed-format", "--out", out.to_str().unwrap()]);
    assert_eq!(
        fs::read_to_string(out).unwrap(),
        "\"size\",\"cpu_ms_gles\",\"gpu_ms_gles\",\"cpu_ms_dx12\",\"gpu_ms_dx12\",\"faster_backend\"\n\
         \"20000\",\"0\",\"25\",\"0\",\"13\",\"dx12\"\n\
         \"50000\",\"0\",\"3\",\"0\",\"4\",\"gles\"\n"
    );
    let damaged = file("damaged.csv", &SCAN.replace("13", "1.3"));
    let output = xtask(&["compare", &damaged, &dx12]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("damaged.csv:3: `duration_ms` is not an integer"),
        "{error}"
    );
}

/// Of this repository; a copy without its history has nothing to tell.
#[test]
fn the_baselines_of_this_repository_have_a_history() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let log = Command::new("git")
        .args(["log", "--oneline", "--", "baselines/*.csv"])
        .current_dir(root)
        .output();
    if !log.is_ok_and(|log| log.status.success() && log.stdout.split(|byte| *byte == b'\n').count() > 3) {
        return;
    }
    let json = printed(&["history", "--format", "json", "--case", "vector_add/cpu"]);
    is_valid(&json, include_str!("../../docs/history.schema.json"));
    assert!(
        json.contains("vector_add/cpu/1000000") && !json.contains("vulkan/1000000"),
        "{json}"
    );
    refused(
        &["history", "--fingerprint", "no such machine"],
        "no baseline and no kept run",
    );
    refused(&["history", "--max-p", "1"], "between 0 and 1");
}
