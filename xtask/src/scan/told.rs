//! The forms of a scan: a table, CSV files for `docs/data/`, the CSV this project began with, and a page with its curves.

use bench_gate::{
    crossover::rounded,
    figures::{Axis, Figure, Lines, Mark, Point, Series, Unit, anchor, count, duration},
    html::{Content, Page, Section},
    table::Table,
    tags::Tags,
};

use super::{Scan, Scanned, middle};
use crate::{curves, scan_file};

/// A row for each operator, backend and clock.
pub(crate) fn table(scans: &[Scan]) -> Table {
    let mut table = Table::new(
        "From how many elements on a GPU takes less time than the CPU",
        &[
            "operator",
            "backend",
            "clock",
            ">pays from",
            ">all rounds",
            "bound by",
            ">cold first call",
            ">warm call",
        ],
    );
    for (scan, scanned) in all(scans) {
        let [from, extremes] = scanned
            .crossover()
            .map_or_else(Default::default, |found| curves::words(&found));
        let never = scanned.crossover().is_some_and(|found| found.median().is_infinite());
        let cold = scanned
            .cold_ns
            .get("first")
            .map_or_else(String::new, |ns| duration(*ns as f64));
        let warm = scanned
            .sizes
            .get(&scanned.cold_size)
            .map(|measured| duration(middle(&measured.gpu_ns)));
        table.push_tagged(
            tags(scanned),
            [
                scanned.op.clone(),
                name(scans, scan, scanned),
                scanned.clock.word().to_owned(),
                from,
                extremes,
                // What bounds it is a question only where it does not pay.
                if never {
                    scanned.bound().word().to_owned()
                } else {
                    String::new()
                },
                cold,
                warm.unwrap_or_default(),
            ],
        );
    }
    table
}

fn all(scans: &[Scan]) -> impl Iterator<Item = (&Scan, &Scanned)> {
    scans
        .iter()
        .flat_map(|scan| scan.curves.iter().map(move |scanned| (scan, scanned)))
}

/// The backend, with the machine's label where several are shown.
fn name(scans: &[Scan], scan: &Scan, scanned: &Scanned) -> String {
    match scans.len() {
        1 => scanned.backend.clone(),
        _ => format!("{}, {}", scanned.backend, scan.label),
    }
}

fn tags(scanned: &Scanned) -> Tags {
    vec![
        ("operator".to_owned(), scanned.op.clone()),
        ("backend".to_owned(), scanned.backend.clone()),
        ("clock".to_owned(), scanned.clock.word().to_owned()),
    ]
}

/// `size,device,duration_ms,first,backend_mask_hint`, with whole milliseconds, of one operator on one backend. The first element
/// of the result is left out: every element was compared with the CPU's before anything was measured.
pub(crate) fn csv(scanned: &Scanned) -> String {
    let mut csv = format!("{}\n", scan_file::HEADER);
    for (size, measured) in &scanned.sizes {
        for (device, rounds_ns) in [("Cpu", &measured.cpu_ns), ("Gpu", &measured.gpu_ns)] {
            let ms = (middle(rounds_ns) / 1e6) as u64;
            csv.push_str(&format!("{size},{device},{ms},,{}\n", scanned.backend));
        }
    }
    csv
}

/// The crossovers as a file of `docs/data/`. Empty cells of `elements` mean that the GPU is not faster at the largest size, which
/// `up_to` has; 0 means that it is faster at every size.
pub(crate) fn crossovers_csv(scans: &[&Scan], commit: &str) -> String {
    let mut csv = head(scans, commit);
    csv.push_str("operator,backend,clock,elements,elements_low,elements_high,up_to,bound_by\n");
    for scanned in scans.iter().flat_map(|scan| &scan.curves) {
        let Some(found) = scanned.crossover() else { continue };
        let size = |size: f64| match size.is_finite() {
            true => rounded(size).to_string(),
            false => String::new(),
        };
        let never = found.median().is_infinite();
        let (low, high) = found.extremes().filter(|_| !never).unzip();
        csv.push_str(&format!(
            "{},{},{},{},{},{},{},{}\n",
            scanned.op,
            scanned.backend,
            scanned.clock.word(),
            size(found.median()),
            low.map_or_else(String::new, size),
            high.map_or_else(String::new, size),
            found.sizes.1,
            if never { scanned.bound().word() } else { "" },
        ));
    }
    csv
}

/// The curves as a file of `docs/data/`: medians over the rounds, with the least and the most of them.
pub(crate) fn curves_csv(scans: &[&Scan], commit: &str) -> String {
    let mut csv = head(scans, commit);
    csv.push_str("operator,backend,clock,elements,cpu_ns,cpu_low_ns,cpu_high_ns,gpu_ns,gpu_low_ns,gpu_high_ns\n");
    for scanned in scans.iter().flat_map(|scan| &scan.curves) {
        for (size, measured) in &scanned.sizes {
            let key = format!("{},{},{},{size}", scanned.op, scanned.backend, scanned.clock.word());
            csv.push_str(&key);
            for rounds_ns in [&measured.cpu_ns, &measured.gpu_ns] {
                let least = rounds_ns.iter().copied().fold(f64::INFINITY, f64::min);
                let most = rounds_ns.iter().copied().fold(0.0, f64::max);
                csv.push_str(&format!(",{:.0},{least:.0},{most:.0}", middle(rounds_ns)));
            }
            csv.push('\n');
        }
    }
    csv
}

/// Command, machine and commit; scans of one machine may be several.
fn head(scans: &[&Scan], commit: &str) -> String {
    let mut head: String = scans
        .iter()
        .map(|scan| format!("# command: {}\n", scan.command))
        .collect();
    if let Some(scan) = scans.first() {
        let adapters = scan
            .adapters
            .iter()
            .map(|(backend, adapter)| format!("{backend} {adapter}"));
        let adapters: Vec<String> = adapters.collect();
        head.push_str(&format!(
            "# machine: {}: {}\n# commit: {commit}\n# started: {}\n",
            scan.label,
            adapters.join("; "),
            scan.started
        ));
    }
    head
}

/// The page: the table, and a figure for each operator with all backends of all scans.
pub(crate) fn page(scans: &[Scan]) -> Page {
    let mut ops: Vec<&str> = all(scans).map(|(_, scanned)| scanned.op.as_str()).collect();
    ops.sort_unstable();
    ops.dedup();
    let mut sections = vec![Section {
        id: "thresholds".to_owned(),
        title: "From which size does the GPU pay?".to_owned(),
        content: vec![Content::Table(table(scans))],
        ..Section::default()
    }];
    sections.extend(ops.into_iter().map(|op| Section {
        id: anchor("operator", op),
        title: op.to_owned(),
        content: vec![figure(scans, op).into()],
        tags: vec![("operator".to_owned(), op.to_owned())],
        ..Section::default()
    }));
    let facts = scans.iter().flat_map(|scan| {
        let started = (format!("{}: started", scan.label), scan.started.clone());
        let adapters = scan
            .adapters
            .iter()
            .map(|(backend, adapter)| (format!("{}: {backend}", scan.label), adapter.clone()));
        std::iter::once(started).chain(adapters)
    });
    Page {
        title: "Threshold scan".to_owned(),
        sections,
        facts: facts.collect(),
        command: scans
            .iter()
            .map(|scan| scan.command.as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        ..Page::default()
    }
}

fn figure(scans: &[Scan], op: &str) -> Figure {
    let mut series: Vec<Series> = Vec::new();
    let mut marks = Vec::new();
    for (number, scan) in scans.iter().enumerate() {
        let of_op: Vec<&Scanned> = scan.curves.iter().filter(|scanned| scanned.op == op).collect();
        // The CPU's curve is measured beside each backend's; one of them stands for all.
        if let Some(scanned) = of_op.iter().max_by_key(|scanned| scanned.sizes.len()) {
            let label = if scans.len() > 1 {
                format!("cpu, {}", scan.label)
            } else {
                "cpu".to_owned()
            };
            series.push(line(scanned, label, "cpu", number, |measured| &measured.cpu_ns));
        }
        for scanned in of_op {
            let has_both = scan.curves.iter().any(|other| {
                (&other.op, &other.backend) == (&scanned.op, &scanned.backend) && other.clock != scanned.clock
            });
            let clock = if has_both {
                format!(", {}", scanned.clock.word())
            } else {
                String::new()
            };
            let label = format!("{}{clock}", name(scans, scan, scanned));
            let dash = number + usize::from(has_both && scanned.clock == super::Clock::AsItComes);
            if let Some((found, size)) = scanned
                .crossover()
                .and_then(|found| Some((found.clone(), found.size()?)))
            {
                marks.push(Mark {
                    colour: curves::colour(&scanned.backend),
                    x: size,
                    interval: found
                        .extremes()
                        .filter(|(first, last)| *first > 0.0 && last.is_finite()),
                    label: format!("{label} pays from {}", count(rounded(size) as f64)),
                    tags: tags(scanned)[1..].to_vec(),
                });
            }
            series.push(line(scanned, label, &scanned.backend, dash, |measured| {
                &measured.gpu_ns
            }));
        }
    }
    let axis = |label: &str, unit| Axis {
        label: label.to_owned(),
        unit,
        is_log: true,
    };
    let lines = Lines {
        id: anchor("scan", op),
        title: format!("{op}: time of a call against its size"),
        summary:
            "Medians over the rounds; the band holds all of them. Where a GPU's line falls below the CPU's, it pays."
                .to_owned(),
        x: axis("elements", Unit::Count),
        y: axis("time per call", Unit::Nanos),
        series,
        marks,
        band: "all rounds".to_owned(),
        ..Lines::default()
    };
    lines.draw()
}

fn line(scanned: &Scanned, name: String, backend: &str, dash: usize, of: fn(&super::Measured) -> &Vec<f64>) -> Series {
    let point = |(size, measured): (&u64, &super::Measured)| {
        let rounds_ns = of(measured);
        let least = rounds_ns.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rounds_ns.iter().copied().fold(0.0, f64::max);
        Point::new(*size as f64, middle(rounds_ns)).with_band(least, most)
    };
    Series {
        name,
        points: scanned.sizes.iter().map(point).collect(),
        colour: curves::colour(backend),
        dash,
        tags: vec![("backend".to_owned(), backend.to_owned())],
        ..Series::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Clock, tests::scanned};

    fn scan(label: &str, curves: Vec<Scanned>) -> Scan {
        Scan {
            schema: super::super::SCHEMA,
            label: label.to_owned(),
            started: "2026-01-02T03:04:05Z".to_owned(),
            command: format!("cargo xtask scan --label {label}"),
            adapters: [("vulkan".to_owned(), "NVIDIA H200".to_owned())].into(),
            curves,
        }
    }

    #[test]
    fn the_files_for_documents_have_command_machine_and_commit() {
        let never = Scanned {
            op: "mul".to_owned(),
            ..scanned(1.0, 2.0, 0.0)
        };
        let scan = scan("h200", vec![scanned(100_000.0, 0.5, 0.0), never]);
        let text = crossovers_csv(&[&scan], "abc1234");
        let mut lines = text.lines();
        for expected in [
            "# command: cargo xtask scan --label h200",
            "# machine: h200: vulkan NVIDIA H200",
            "# commit: abc1234",
            "# started: 2026-01-02T03:04:05Z",
            "operator,backend,clock,elements,elements_low,elements_high,up_to,bound_by",
            "add,vulkan,as it comes,200000,200000,200000,16777216,",
            "mul,vulkan,as it comes,,,,16777216,not measured",
        ] {
            assert_eq!(lines.next(), Some(expected));
        }
        let text = curves_csv(&[&scan], "abc1234");
        let line = "add,vulkan,as it comes,256,256,256,256,100128,100128,100128";
        assert!(text.lines().any(|found| found == line), "{text}");
    }

    #[test]
    fn a_scan_says_from_where_or_never_and_why() {
        let pays = scanned(100_000.0, 0.5, 0.0);
        let mut never = Scanned {
            op: "mul".to_owned(),
            clock: Clock::KeptBusy,
            ..scanned(1.0, 2.0, 0.0)
        };
        for (name, ns) in [("upload", 5.0), ("queue", 9.0), ("device", 8.0), ("readback", 5.0)] {
            never.phases_ns.insert(name.to_owned(), ns);
        }
        never.cold_ns.insert("first".to_owned(), 9_000_000);
        never.cold_size = 256;
        let text = table(&[scan("here", vec![pays, never])]).text();
        let mut lines = text.lines().skip(1);
        assert_eq!(
            lines.next().unwrap().split_whitespace().collect::<Vec<_>>().join(" "),
            "add vulkan as it comes 200,000 all the same"
        );
        assert_eq!(
            lines.next().unwrap().split_whitespace().collect::<Vec<_>>().join(" "),
            "mul vulkan kept busy never up to 16,777,216 all the same transfer 9 ms 513 ns"
        );
    }

    #[test]
    fn the_file_is_one_that_can_be_read() {
        let csv = csv(&scanned(5e6, 0.5, 0.0));
        assert!(
            csv.starts_with("size,device,duration_ms,first,backend_mask_hint\n256,Cpu,0,,vulkan\n256,Gpu,5,,vulkan\n"),
            "{csv}"
        );
        let read = crate::scan_file::Scan::parse(&csv).unwrap();
        assert_eq!((read.backend.as_str(), read.gpu_ms[0]), ("vulkan", (256, 5)));
    }

    #[test]
    fn scans_of_several_machines_share_a_picture() {
        let of = |backend: &str| Scanned {
            backend: backend.to_owned(),
            ..scanned(100_000.0, 0.5, 0.0)
        };
        let page = page(&[
            scan("linux", vec![of("vulkan"), of("gles")]),
            scan("windows", vec![of("dx12")]),
        ]);
        let figures: Vec<&Figure> = page.figures().collect();
        let text = figures[0].table.text();
        for name in [
            "cpu, linux",
            "vulkan, linux",
            "gles, linux",
            "cpu, windows",
            "dx12, windows",
        ] {
            assert!(text.contains(&format!("\n{name} ")), "{name}: {text}");
        }
        assert!(page.render().contains("NVIDIA H200"));
    }
}
