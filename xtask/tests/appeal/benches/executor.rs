//! A bench program whose calls take what the library says an element takes: counted, served or recorded, as it is asked to.

use std::{env, fs, path::PathBuf};

use gpu_executor::{DEVICE_NS, UPLOAD_NS};

const COUNTERS: &str = r#"{"submits":1,"passes":1,"dispatches":1,"copies":0,"buffers_created":0,"bind_groups_created":0,
    "pipelines_created":0,"bytes_up":8,"bytes_down":4,"maps":2,"pool_hits":1}"#;

fn main() {
    if env::var_os("GPU_EXECUTOR_BENCH_NOOP").is_some() {
        println!(r#"[{{"op":"vector_add","size":100,"tasks":1,"counters":{COUNTERS}}}]"#);
    } else if env::var_os("GPU_EXECUTOR_BENCH_SERVE").is_some() {
        serve();
    } else {
        record();
    }
}

fn say(json: &str) {
    println!("gpu-executor-bench: {}", json.replace('\n', ""));
}

fn serve() {
    say(r#"{"serving":{"protocol":1,"cases":["vector_add/cpu/100","vector_add/cpu/200"]}}"#);
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        let size: u64 = words[1].rsplit('/').next().unwrap().parse().unwrap();
        let (upload, device) = (size * UPLOAD_NS, size * DEVICE_NS);
        let ns = upload + device;
        match words[0] {
            "prepare" => say(&format!(r#"{{"prepared":{{"call_ns":{ns},"calibration_ns":40000}}}}"#)),
            _ => say(&format!(
                r#"{{"measured":{{"samples_ns":[{ns},{ns}],"calibrations_ns":[40000],"counters":{COUNTERS},
                "phases_ns":{{"upload":[{upload}],"device":[{device}]}}}}}}"#
            )),
        }
    }
}

/// Ten samples of two calls of each size; the machine's mood is in per cent of what they take, and unknown to the calibration.
fn record() {
    let folder = |name: &str| PathBuf::from(env::var(name).unwrap());
    let (records, criterion) = (folder("GPU_EXECUTOR_BENCH_RECORD"), folder("CRITERION_HOME"));
    let mood: u64 = env::var("APPEAL_MOOD").map_or(100, |mood| mood.parse().unwrap());
    for size in env::var("GPU_EXECUTOR_BENCH_SIZES").unwrap().split(',') {
        let id = format!("vector_add/cpu/{size}");
        let ns = size.parse::<u64>().unwrap() * (UPLOAD_NS + DEVICE_NS) * mood / 100;
        say(&format!("1 {id}"));
        let ten = |text: String| vec![text; 10].join(",");
        let new = criterion.join(size).join("new");
        fs::create_dir_all(&new).unwrap();
        fs::write(new.join("benchmark.json"), format!(r#"{{"full_id":"{id}"}}"#)).unwrap();
        let sample = format!(r#"{{"iters":[{}],"times":[{}]}}"#, ten("2".into()), ten((2 * ns).to_string()));
        fs::write(new.join("sample.json"), sample).unwrap();
        let (samples, slices) = (ten(format!("[{ns},{ns}]")), ten(r#"[{"calls":2,"calibration_ns":40000}]"#.into()));
        let record = format!(
            r#"{{"schema":2,"op":"vector_add","backend":"cpu","size":{size},"tasks":1,"id":"{id}","counters":{COUNTERS},
            "samples_ns":[{samples}],"slices":[{slices}]}}"#
        );
        fs::write(records.join(format!("{size}.json")), record).unwrap();
    }
}
