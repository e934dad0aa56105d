//! What a report has of operators and backends: time against size, from where a GPU pays, the cold first call.

use bench_gate::{
    crossover::{Crossover, Curve, crossover, rounded},
    figures::{Axis, Figure, Lines, Mark, Point, Series, Unit, anchor, count, duration},
    html::{
        Content, Section,
        folder::{Case, Folder},
        sections::{Naming, Phases},
    },
    stat::quantile::median,
    table::Table,
    tags::Tags,
};

/// This project's cases are `operator/backend/amount`.
pub(crate) const NAMING: Naming = Naming { tags, phases };

fn tags(id: &str) -> Tags {
    let tag = |(facet, value): (&str, &str)| (facet.to_owned(), value.to_owned());
    ["operator", "backend"]
        .into_iter()
        .zip(id.split('/'))
        .map(tag)
        .collect()
}

/// The device's time is a part of the queue's.
fn phases(phases: &[(String, f64)]) -> Phases {
    let of = |name: &str| phases.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let mut parts = phases.to_vec();
    for (name, value) in &mut parts {
        if let ("queue", Some(device)) = (name.as_str(), of("device")) {
            *name = "submission and waiting".to_owned();
            *value = (*value - device).max(0.0);
        }
    }
    parts
}

/// The backends in the order in which they are told of, each with its colour in every figure.
const BACKENDS: [(&str, usize); 5] = [("cpu", 5), ("vulkan", 0), ("gles", 1), ("dx12", 2), ("metal", 3)];

pub(crate) fn colour(backend: &str) -> usize {
    BACKENDS
        .iter()
        .find(|(known, _)| *known == backend)
        .map_or(4, |(_, colour)| *colour)
}

/// A single task: operator, backend and number of elements; batches are on no curve.
fn single(id: &str) -> Option<(&str, &str, u64)> {
    let (op, rest) = id.split_once('/')?;
    let (backend, size) = rest.split_once('/')?;
    Some((op, backend, size.parse().ok()?))
}

/// A section for each operator.
pub(crate) fn sections(folders: &[Folder]) -> Vec<Section> {
    let ops = distinct(folders, |(op, _, _)| op).into_iter();
    ops.filter_map(|op| section(folders, &op)).collect()
}

fn distinct(folders: &[Folder], of: impl for<'a> Fn((&'a str, &'a str, u64)) -> &'a str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for case in folders.iter().flat_map(|folder| &folder.cases) {
        let name = single(&case.id).map(&of);
        found.extend(
            name.filter(|name| !found.iter().any(|known| known == name))
                .map(str::to_owned),
        );
    }
    found
}

fn section(folders: &[Folder], op: &str) -> Option<Section> {
    let mut crossovers = Table::new(
        "From how many elements on a backend takes less time than the CPU",
        &["run", "backend", ">from", ">extremes of the processes", ">processes"],
    );
    let mut marks = Vec::new();
    for (number, folder) in folders.iter().enumerate() {
        for (backend, found) in pays(folder, op) {
            let tags = backend_tags(&backend);
            let [from, extremes] = words(&found);
            crossovers.push_tagged(
                tags.clone(),
                [
                    folder.name.clone(),
                    backend.clone(),
                    from,
                    extremes,
                    found.crossings.len().to_string(),
                ],
            );
            if number == 0 {
                marks.extend(found.size().map(|size| Mark {
                    colour: colour(&backend),
                    x: size,
                    interval: found.extremes().filter(|(_, last)| last.is_finite()),
                    label: format!("{backend} pays from {}", count(rounded(size) as f64)),
                    tags,
                }));
            }
        }
    }
    let mut content = vec![Content::from(curves(folders, op, marks)?)];
    if !crossovers.rows.is_empty() {
        content.push(Content::Table(crossovers));
    }
    content.extend(cold(&folders[0], op).map(Content::Table));
    Some(Section {
        id: anchor("operator", op),
        title: op.to_owned(),
        content,
        tags: vec![("operator".to_owned(), op.to_owned())],
        ..Section::default()
    })
}

fn backend_tags(backend: &str) -> Tags {
    vec![("backend".to_owned(), backend.to_owned())]
}

/// A line for each backend and run; `None` if no single task was measured.
fn curves(folders: &[Folder], op: &str, marks: Vec<Mark>) -> Option<Figure> {
    let mut series = Vec::new();
    for (number, folder) in folders.iter().enumerate() {
        for backend in distinct(folders, |(_, backend, _)| backend) {
            let point = |case: &Case| {
                let (_, _, size) = single(&case.id).filter(|(o, b, _)| *o == op && *b == backend)?;
                let times = case.times?;
                Some(Point::new(size as f64, times.p50_ns).with_band(times.p50_ns, times.p95_ns))
            };
            let points: Vec<Point> = folder.cases.iter().filter_map(point).collect();
            if points.is_empty() {
                continue;
            }
            series.push(Series {
                name: match folders.len() {
                    1 => backend.clone(),
                    _ => format!("{backend}, {}", folder.name),
                },
                points,
                colour: colour(&backend),
                dash: number,
                tags: backend_tags(&backend),
                ..Series::default()
            });
        }
    }
    let axis = |label: &str, unit| Axis {
        label: label.to_owned(),
        unit,
        is_log: true,
    };
    let lines = Lines {
        id: anchor("curves", op),
        title: format!("{op}: time of a call against its size"),
        summary: "Medians; the band reaches to the 95th percentile. Where a GPU's line falls below the CPU's, it pays."
            .to_owned(),
        x: axis("elements", Unit::Count),
        y: axis("time per call", Unit::Nanos),
        series,
        marks,
        band: "p95".to_owned(),
        ..Lines::default()
    };
    (!lines.series.is_empty()).then(|| lines.draw())
}

/// Where each backend becomes faster than the CPU, by the run's processes.
pub(crate) fn pays(folder: &Folder, op: &str) -> Vec<(String, Crossover)> {
    let backends = distinct(std::slice::from_ref(folder), |(_, backend, _)| backend);
    let cpu = processes(folder, op, "cpu");
    let others = backends.into_iter().filter(|backend| backend != "cpu");
    others
        .filter_map(|backend| {
            // The first process of one is held against the first of the other: they took turns.
            let gpu = processes(folder, op, &backend);
            let found = crossover(cpu.iter().zip(&gpu))?;
            Some((backend, found))
        })
        .collect()
}

/// The median times of each process by size; where calls were not kept, those of the whole run.
fn processes(folder: &Folder, op: &str, backend: &str) -> Vec<Curve> {
    let cases = || {
        let of = |case: &&Case| single(&case.id).is_some_and(|(o, b, _)| o == op && b == backend);
        folder.cases.iter().filter(of)
    };
    let size = |case: &Case| single(&case.id).map(|(_, _, size)| size);
    let mut runs: Vec<u64> = cases().flat_map(|case| case.calls_ns.keys().copied()).collect();
    runs.sort_unstable();
    runs.dedup();
    let of_run = |run: &u64| -> Curve {
        let median = |case: &Case| Some((size(case)?, median(case.calls_ns.get(run)?)));
        cases().filter_map(median).collect()
    };
    match runs.is_empty() {
        false => runs.iter().map(of_run).collect(),
        true => vec![
            cases()
                .filter_map(|case| Some((size(case)?, case.times?.p50_ns)))
                .collect(),
        ],
    }
}

/// From where on a backend pays, and between which sizes that may lie.
pub(crate) fn words(found: &Crossover) -> [String; 2] {
    let (smallest, largest) = found.sizes;
    let word = |crossing: f64| match crossing {
        0.0 => format!("{} or fewer", count(smallest as f64)),
        crossing if crossing.is_infinite() => format!("never up to {}", count(largest as f64)),
        crossing => count(rounded(crossing) as f64),
    };
    let extremes = found
        .extremes()
        .map(|(first, last)| match first.to_bits() == last.to_bits() {
            true => "all the same".to_owned(),
            false => format!("{} to {}", word(first), word(last)),
        });
    [word(found.median()), extremes.unwrap_or_default()]
}

/// The cold start beside a warm call: of each backend the case with which its processes began, or else the smallest.
fn cold(folder: &Folder, op: &str) -> Option<Table> {
    let mut table = Table::new(
        "The cold start of a process beside a warm call",
        &["case", "cold start", ">warm call", ">first call over warm"],
    );
    for backend in distinct(std::slice::from_ref(folder), |(_, backend, _)| backend) {
        let of = |case: &&Case| {
            single(&case.id).is_some_and(|(o, b, _)| o == op && b == backend) && !case.cold_ns.is_empty()
        };
        let first = |case: &&Case| {
            let size = single(&case.id).map(|(_, _, size)| size);
            (!case.cold_ns.contains_key("device"), size)
        };
        let cold = folder.cases.iter().filter(of).min_by_key(first);
        let Some((case, times)) = cold.and_then(|case| Some((case, case.times?))) else {
            continue;
        };
        let part = |(name, ns): (&String, &Vec<f64>)| format!("{name} {}", duration(median(ns)));
        let parts: Vec<String> = case.cold_ns.iter().map(part).collect();
        let first = case.cold_ns.get("first").map(|ns| median(ns) / times.p50_ns);
        table.push_tagged(
            backend_tags(&backend),
            [
                case.id.clone(),
                parts.join(", "),
                duration(times.p50_ns),
                first.map_or_else(String::new, |ratio| format!("{ratio:.1} ×")),
            ],
        );
    }
    (!table.rows.is_empty()).then_some(table)
}

#[cfg(test)]
pub(crate) mod tests {
    use bench_gate::html::folder::Times;

    use super::*;

    /// A run of one process, with a median for each case.
    pub(crate) fn run(name: &str, medians_ns: &[(&str, f64)]) -> Folder {
        let case = |(id, p50_ns): &(&str, f64)| Case {
            id: (*id).to_owned(),
            times: Some(Times {
                runs: 1,
                calls: 100,
                p50_ns: *p50_ns,
                p50_interval_ns: Some((p50_ns * 0.99, p50_ns * 1.01)),
                p95_ns: p50_ns * 1.2,
            }),
            ..Case::default()
        };
        Folder {
            name: name.to_owned(),
            cases: medians_ns.iter().map(case).collect(),
            ..Folder::default()
        }
    }

    fn example() -> Folder {
        run(
            "first",
            &[
                ("add/cpu/1000", 100.0),
                ("add/cpu/100000", 40_000.0),
                ("add/vulkan/1000", 10_000.0),
                ("add/vulkan/100000", 20_000.0),
                ("add/vulkan/1000x256", 90_000.0),
                ("hash/cpu/1000", 100.0),
            ],
        )
    }

    #[test]
    fn each_operator_has_its_curves_and_crossovers() {
        let sections = sections(&[example()]);
        let ids: Vec<&str> = sections.iter().map(|section| section.id.as_str()).collect();
        assert_eq!(ids, ["operator-add", "operator-hash"]);
        let Content::Figure(figure) = &sections[0].content[0] else {
            panic!()
        };
        let text = figure.table.text();
        assert!(text.contains("vulkan pays from"), "{text}");
        assert!(!text.contains("90 µs"), "batches are on no curve: {text}");
        assert_eq!(sections[1].content.len(), 1, "nothing to cross");
    }

    #[test]
    fn the_processes_of_a_run_give_the_extremes() {
        let mut folder = example();
        for case in &mut folder.cases {
            let p50_ns = case.times.unwrap().p50_ns;
            let slow = if case.id.contains("vulkan") { 1.5 } else { 1.0 };
            case.calls_ns = [(1, vec![p50_ns; 3]), (2, vec![p50_ns * slow; 3])].into();
        }
        let [(backend, found)] = pays(&folder, "add").try_into().unwrap();
        assert_eq!((backend.as_str(), found.crossings.len()), ("vulkan", 2));
        assert!(found.crossings[0] < found.crossings[1]);
        let [from, extremes] = words(&found);
        assert!(
            extremes.ends_with(&format!("to {from}")),
            "of two the later one: {from}, {extremes}"
        );
    }

    #[test]
    fn a_crossover_that_was_not_reached_says_up_to_where() {
        let slow = run(
            "slow",
            &[
                ("a/cpu/10", 1.0),
                ("a/cpu/1000", 2.0),
                ("a/gles/10", 3.0),
                ("a/gles/1000", 4.0),
            ],
        );
        assert_eq!(words(&pays(&slow, "a")[0].1), ["never up to 1,000", ""]);
        let fast = run(
            "fast",
            &[
                ("a/cpu/10", 9.0),
                ("a/cpu/1000", 9.0),
                ("a/gles/10", 3.0),
                ("a/gles/1000", 4.0),
            ],
        );
        assert_eq!(words(&pays(&fast, "a")[0].1), ["10 or fewer", ""]);
    }

    #[test]
    fn a_cold_start_stands_beside_a_warm_call() {
        let mut folder = example();
        let cases = folder
            .cases
            .iter_mut()
            .filter(|case| case.id.starts_with("add/vulkan/1000"));
        for (case, parts) in cases.zip([&["first"][..], &["device", "first"]]) {
            case.cold_ns = parts
                .iter()
                .map(|part| ((*part).to_owned(), vec![1e6, 2e6, 3e6]))
                .collect();
        }
        let text = cold(&folder, "add").unwrap().text();
        assert!(
            text.ends_with("add/vulkan/100000  device 2 ms, first 2 ms      20 µs               100.0 ×\n"),
            "the one with the device: {text}"
        );
        assert!(cold(&folder, "hash").is_none());
    }

    #[test]
    fn the_device_is_taken_out_of_the_queue() {
        let named = |name: &str, value| (name.to_owned(), value);
        let parts = phases(&[named("upload", 1.0), named("queue", 10.0), named("device", 4.0)]);
        assert_eq!(
            parts,
            [
                named("upload", 1.0),
                named("submission and waiting", 6.0),
                named("device", 4.0)
            ]
        );
        assert_eq!(phases(&[named("queue", 10.0)]), [named("queue", 10.0)]);
    }
}
