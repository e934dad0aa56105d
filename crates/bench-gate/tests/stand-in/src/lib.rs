//! Behaves as a criterion bench program does, as far as a gate can see: `--list`, filters, times, `benchmark.json`
//! and `sample.json` in `new` folders. What a case takes is said by the bench, not measured.

use std::{collections::HashSet, fs, path::PathBuf};

/// One case: its id, and what an iteration takes, in nanoseconds unless the unit says otherwise.
pub struct Case {
    id: String,
    value: f64,
    unit: &'static str,
}

/// A case measured in time.
pub fn case(id: &str, ns: f64) -> Case {
    Case { id: id.to_owned(), value: ns, unit: "ns" }
}

/// A case of another measurement.
pub fn measured_in(unit: &'static str, id: &str, value: f64) -> Case {
    Case { id: id.to_owned(), value, unit }
}

/// What the command line asks for.
struct Asked {
    list: bool,
    filter: Option<String>,
    samples: usize,
}

fn asked() -> Asked {
    let mut asked = Asked { list: false, filter: None, samples: 100 };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--list" => asked.list = true,
            "--sample-size" => asked.samples = args.next().unwrap().parse().unwrap(),
            "--warm-up-time" | "--measurement-time" | "--nresamples" | "--format" | "--profile-time" => {
                args.next().unwrap().parse::<f64>().map(drop).unwrap_or_default();
            }
            flag if flag.starts_with("--") => {}
            filter => asked.filter = Some(filter.to_owned()),
        }
    }
    asked
}

/// A regular expression as gates write them: an escaped text, anchored or not.
fn matches(filter: &str, id: &str) -> bool {
    let start = filter.starts_with('^');
    let end = filter.ends_with('$') && !filter.ends_with("\\$");
    let inner = filter.strip_prefix('^').unwrap_or(filter);
    let inner = if end { &inner[..inner.len() - 1] } else { inner };
    let mut text = String::new();
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            text.push(c);
            escaped = false;
        }
    }
    match (start, end) {
        (true, true) => id == text,
        (true, false) => id.starts_with(&text),
        (false, true) => id.ends_with(&text),
        (false, false) => id.contains(&text),
    }
}

/// Criterion cuts titles at 100 bytes and numbers those that are the same.
fn title(id: &str, taken: &mut HashSet<String>) -> String {
    let mut end = id.len().min(100);
    while !id.is_char_boundary(end) {
        end -= 1;
    }
    let mut title = id[..end].to_owned();
    if title != id {
        title.push_str("...");
    }
    let plain = title.clone();
    let mut number = 2;
    while !taken.insert(title.clone()) {
        title = format!("{plain} #{number}");
        number += 1;
    }
    title
}

fn safe(name: &str) -> String {
    let mut name: String = name.chars().map(|c| if "?\"\\*<>:|^".contains(c) { '_' } else { c }).collect();
    name.truncate(64);
    name
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Does what criterion's `main` does.
pub fn main(cases: Vec<Case>) {
    let asked = asked();
    let home = std::env::var_os("CRITERION_HOME").map_or_else(|| PathBuf::from("target/criterion"), PathBuf::from);
    let mut titles = HashSet::new();
    let mut folders = HashSet::new();
    for Case { id, value, unit } in cases {
        let title = title(&id, &mut titles);
        if asked.filter.as_ref().is_some_and(|filter| !matches(filter, &id)) {
            continue;
        }
        if asked.list {
            println!("{title}: benchmark");
            continue;
        }
        let parts: Vec<String> = id.split('/').map(safe).collect();
        let mut folder = parts.join("/");
        let mut number = 2;
        while !folders.insert(folder.clone()) {
            folder = format!("{}_{number}", parts.join("/"));
            number += 1;
        }
        let new = home.join(&folder).join("new");
        fs::create_dir_all(&new).unwrap();
        let benchmark = format!(
            "{{\"group_id\":{},\"function_id\":null,\"value_str\":null,\"throughput\":null,\"full_id\":{},\
             \"directory_name\":{},\"title\":{}}}",
            quoted(&parts[0]),
            quoted(&id),
            quoted(&folder),
            quoted(&title)
        );
        fs::write(new.join("benchmark.json"), benchmark).unwrap();
        let iters: Vec<String> = (1..=asked.samples).map(|n| format!("{n}.0")).collect();
        let times: Vec<String> = (1..=asked.samples).map(|n| format!("{:.1}", n as f64 * value)).collect();
        fs::write(
            new.join("sample.json"),
            format!("{{\"sampling_mode\":\"Linear\",\"iters\":[{}],\"times\":[{}]}}", iters.join(","), times.join(",")),
        )
        .unwrap();
        // As criterion's report has it: with the unit of the measurement's formatter.
        println!("{title:<24}time:   [{value:.3} {unit} {value:.3} {unit} {value:.3} {unit}]");
    }
}
