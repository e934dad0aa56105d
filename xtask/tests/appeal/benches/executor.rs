//! A bench program whose calls take what the library says an element takes: counted or served, as it is asked to.

use std::env;

use gpu_executor::{DEVICE_NS, UPLOAD_NS};

const COUNTERS: &str = r#"{"submits":1,"passes":1,"dispatches":1,"copies":0,"buffers_created":0,"bind_groups_created":0,
    "pipelines_created":0,"bytes_up":8,"bytes_down":4,"maps":2,"pool_hits":1}"#;

fn main() {
    if env::var_os("GPU_EXECUTOR_BENCH_NOOP").is_some() {
        println!(r#"[{{"op":"vector_add","size":100,"tasks":1,"counters":{COUNTERS}}}]"#);
    } else {
        serve();
    }
}

fn serve() {
    let say = |json: &str| println!("bench-recorder: {}", json.replace('\n', ""));
    say(r#"{"serving":{"protocol":2,"cases":["vector_add/cpu/1000","vector_add/cpu/2000"]}}"#);
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let case = line.split(r#""case":""#).nth(1).unwrap().split('"').next().unwrap();
        let size: u64 = case.rsplit('/').next().unwrap().parse().unwrap();
        // The machine's mood is in per cent of what a call takes in a run; in turns, whose windows are smaller, there is none.
        let is_turn = line.contains(r#""max_samples":2000"#);
        let mood: u64 = env::var("APPEAL_MOOD").ok().filter(|_| !is_turn).map_or(100, |mood| mood.parse().unwrap());
        let (upload, device) = (size * UPLOAD_NS * mood / 100, size * DEVICE_NS * mood / 100);
        let ns = upload + device;
        if line.contains("prepare") {
            say(&format!(r#"{{"prepared":{{"call_ns":{ns}}}}}"#));
        } else {
            say(&format!(
                r#"{{"measured":{{"samples_ns":[{ns},{ns}],"counters":{COUNTERS},
                "phases_ns":{{"upload":[{upload}],"device":[{device}]}}}}}}"#
            ));
        }
    }
}
