//! What holds for any project: what changed, and each case in full.

use super::{
    Content, Section, Tone,
    folder::{Case, CaseVerdict, Folder},
};
use crate::{
    figures::{
        Axis, Figure, Forest, ForestRow, Level, Lines, Point, Series, Stack, StackRow, Unit, anchor, binned, duration,
        ecdf,
    },
    table::{Cell, Table},
    tags::Tags,
};

/// Parts of a whole, by name.
pub type Phases = Vec<(String, f64)>;

/// How a project's cases are read.
#[derive(Clone, Copy, Debug)]
pub struct Naming {
    /// What a case is of, by its id: `operator`, `backend` and the like. The first facet groups cases.
    pub tags: fn(&str) -> Tags,
    /// Phases that add up to a call: one that lies within another is taken out of it.
    pub phases: fn(&[(String, f64)]) -> Phases,
}

impl Naming {
    /// Of a criterion project of which nothing else is known: cases belong to their group, and phases follow each other.
    pub const CRITERION: Self = Self {
        tags: |id| {
            let group = id.split_once('/').map_or(id, |(group, _)| group);
            vec![("group".to_owned(), group.to_owned())]
        },
        phases: <[_]>::to_vec,
    };

    /// The tags of a case, with its verdict where there is one.
    pub fn tags_of(&self, case: &Case) -> Tags {
        let mut tags = (self.tags)(&case.id);
        tags.extend(
            case.verdict
                .as_ref()
                .map(|verdict| ("verdict".to_owned(), verdict.word.clone())),
        );
        tags
    }
}

/// The anchor of a case.
pub fn case_anchor(id: &str) -> String {
    anchor("case", id)
}

/// What changed: counters first, as they are exact, then times.
pub fn changes(folder: &Folder, naming: &Naming) -> Option<Section> {
    let judged: Vec<(&Case, &CaseVerdict)> = folder
        .cases
        .iter()
        .filter_map(|case| Some((case, case.verdict.as_ref()?)))
        .collect();
    // What is new or was not measured was compared with nothing.
    let is_compared = |verdict: &CaseVerdict| !matches!(verdict.word.as_str(), "new" | "not measured" | "missing");
    let compared = judged.iter().filter(|(_, verdict)| is_compared(verdict)).count();
    if compared == 0 {
        return None;
    }
    let mut content = Vec::new();
    let mut counters = Table::new("Counters that changed: exact, never noise", &["case", "change"]);
    for (case, verdict) in judged.iter().filter(|(_, verdict)| !verdict.counters.is_empty()) {
        counters.push_tagged(
            naming.tags_of(case),
            [
                Cell::link(&case.id, case_anchor(&case.id)),
                verdict.counters.join(", ").into(),
            ],
        );
    }
    match counters.rows.is_empty() {
        true => content.push(Content::Text(format!("Counters: unchanged ({compared} cases)."))),
        false => content.push(Content::Table(counters)),
    }
    let rows: Vec<ForestRow> = judged
        .iter()
        .filter(|(_, verdict)| verdict.change.is_some())
        .map(|(case, verdict)| ForestRow {
            name: case.id.clone(),
            target: Some(case_anchor(&case.id)),
            change: verdict.change,
            interval: verdict.interval,
            word: verdict.word.clone(),
            is_worse: match verdict.tone() {
                Tone::Worse => Some(true),
                Tone::Better => Some(false),
                Tone::Doubtful | Tone::Same => None,
            },
            tags: naming.tags_of(case),
        })
        .collect();
    if !rows.is_empty() {
        let forest = Forest {
            id: "changes".to_owned(),
            title: "Change of each case".to_owned(),
            summary: "The largest slowdown first; a bar is the interval, where one is known.".to_owned(),
            rows,
            interval: "interval".to_owned(),
        };
        content.push(forest.draw().into());
    }
    Some(Section {
        id: "changed".to_owned(),
        title: "What changed".to_owned(),
        content,
        ..Section::default()
    })
}

/// All cases in a table, with those of a second run beside them.
pub fn overview(folders: &[Folder], naming: &Naming) -> Section {
    let first = &folders[0];
    let mut headings = vec![
        "case".to_owned(),
        ">median".to_owned(),
        ">95 % interval".to_owned(),
        ">p95".to_owned(),
        ">calls".to_owned(),
    ];
    for other in &folders[1..] {
        headings.extend([format!(">median, {}", other.name), ">ratio".to_owned()]);
    }
    headings.push("verdict".to_owned());
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut table = Table::new("Median time of a call, and what is said of it", &headings);
    for case in first.cases.iter().filter(|case| case.is_told()) {
        let mut cells = vec![Cell::link(&case.id, case_anchor(&case.id))];
        let times = case.times;
        let interval = times.and_then(|times| times.p50_interval_ns);
        cells.extend([
            times.map_or_else(String::new, |times| duration(times.p50_ns)).into(),
            interval
                .map_or_else(String::new, |(low, high)| {
                    format!("{} to {}", duration(low), duration(high))
                })
                .into(),
            times.map_or_else(String::new, |times| duration(times.p95_ns)).into(),
            times
                .map_or_else(String::new, |times| crate::figures::count(times.calls as f64))
                .into(),
        ]);
        for other in &folders[1..] {
            let other = other.case(&case.id).and_then(|case| case.times);
            let ratio = times
                .zip(other)
                .map(|(times, other)| format!("{:.3}", other.p50_ns / times.p50_ns));
            cells.extend([
                Cell::from(other.map_or_else(String::new, |times| duration(times.p50_ns))),
                ratio.unwrap_or_default().into(),
            ]);
        }
        let verdict = case.verdict.as_ref();
        let note = |note: &String| format!(" ({note})");
        cells.push(
            verdict
                .map_or_else(String::new, |verdict| {
                    format!(
                        "{}{}",
                        verdict.word,
                        verdict.note.as_ref().map_or_else(String::new, note)
                    )
                })
                .into(),
        );
        table.push_tagged(naming.tags_of(case), cells);
    }
    Section {
        id: "all".to_owned(),
        title: "All cases".to_owned(),
        content: vec![Content::Table(table.without_empty_columns())],
        ..Section::default()
    }
}

/// What the calls consist of, a figure for each group of cases.
pub fn phases(folder: &Folder, naming: &Naming) -> Option<Section> {
    let mut groups: Vec<(String, Vec<&Case>)> = Vec::new();
    for case in folder.cases.iter().filter(|case| !case.phases_ns.is_empty()) {
        let group = (naming.tags)(&case.id)
            .into_iter()
            .next()
            .map_or_else(String::new, |(_, value)| value);
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, cases)) => cases.push(case),
            None => groups.push((group, vec![case])),
        }
    }
    let figure = |(group, cases): &(String, Vec<&Case>)| {
        let parts: Vec<Phases> = cases.iter().map(|case| (naming.phases)(&case.phases_ns)).collect();
        let mut names: Vec<String> = Vec::new();
        for (name, _) in parts.iter().flatten() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let part =
            |parts: &Phases, name: &String| parts.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        let row = |(case, parts): (&&Case, &Phases)| StackRow {
            name: case
                .id
                .strip_prefix(group.as_str())
                .unwrap_or(&case.id)
                .trim_start_matches('/')
                .to_owned(),
            parts: names.iter().map(|name| part(parts, name)).collect(),
            tags: naming.tags_of(case),
        };
        let stack = Stack {
            id: anchor("phases", group),
            title: format!("{group}: phases of a call"),
            summary: "What part of a call each phase takes; beside the bar is how long they take together.".to_owned(),
            rows: cases.iter().zip(&parts).map(row).collect(),
            parts: names.clone(),
            unit: None,
        };
        Content::from(stack.draw())
    };
    (!groups.is_empty()).then(|| Section {
        id: "phases".to_owned(),
        title: "Where the time goes".to_owned(),
        content: groups.iter().map(figure).collect(),
        ..Section::default()
    })
}

/// A section of each case: distribution, calls over time, blocks of a comparison, clock.
pub fn cases(folders: &[Folder], naming: &Naming) -> Vec<Section> {
    let of = |case: &Case| {
        let mut content = Vec::new();
        if let Some(verdict) = &case.verdict {
            let counters =
                (!verdict.counters.is_empty()).then(|| format!("Counters changed: {}.", verdict.counters.join(", ")));
            content.extend(counters.map(Content::Text));
            content.extend(verdict.note.clone().map(Content::Text));
        }
        let figures = [distribution(folders, &case.id), calls(case), blocks(case), clock(case)];
        content.extend(figures.into_iter().flatten().map(Content::from));
        Section {
            id: case_anchor(&case.id),
            title: case.id.clone(),
            badge: case
                .verdict
                .as_ref()
                .map(|verdict| (verdict.word.clone(), verdict.tone())),
            content,
            tags: naming.tags_of(case),
        }
    };
    folders[0].cases.iter().filter(|case| case.is_told()).map(of).collect()
}

fn time(label: &str) -> Axis {
    Axis {
        label: label.to_owned(),
        unit: Unit::Nanos,
        is_log: true,
    }
}

/// A line for each process of each run.
fn distribution(folders: &[Folder], id: &str) -> Option<Figure> {
    let mut series = Vec::new();
    for (number, folder) in folders.iter().enumerate() {
        let Some(case) = folder.case(id) else { continue };
        for (run, calls) in &case.calls_ns {
            let of = if folders.len() > 1 {
                format!("{}, ", folder.name)
            } else {
                String::new()
            };
            series.push(Series {
                name: format!("{of}process {run}"),
                points: ecdf(calls),
                colour: series.len(),
                dash: number,
                ..Series::default()
            });
        }
    }
    let lines = Lines {
        id: anchor("distribution", id),
        title: format!("{id}: distribution"),
        summary: "What part of the calls took at most so long. A line further right is slower; a step is a second kind of calls. The slowest half per cent is beyond the picture.".to_owned(),
        x: time("time of a call"),
        y: Axis {
            label: "part of the calls".to_owned(),
            unit: Unit::Share,
            is_log: false,
        },
        height: 260.0,
        series,
        ..Lines::default()
    };
    (!lines.series.is_empty()).then(|| lines.draw())
}

fn calls(case: &Case) -> Option<Figure> {
    let series = |(number, (run, calls)): (usize, (&u64, &Vec<f64>))| Series {
        name: format!("process {run}"),
        points: binned(calls, 150),
        colour: number,
        ..Series::default()
    };
    let lines = Lines {
        id: anchor("calls", &case.id),
        title: format!("{}: calls over time", case.id),
        summary: "Median of each stretch of calls, and its tenth to ninetieth percentile. A step or a slope is the machine's, as the code is the same.".to_owned(),
        x: Axis {
            label: "calls since the first".to_owned(),
            unit: Unit::Count,
            is_log: false,
        },
        y: time("time of a call"),
        series: case.calls_ns.iter().enumerate().map(series).collect(),
        band: "p10 to p90".to_owned(),
        height: 260.0,
        ..Lines::default()
    };
    (!lines.series.is_empty()).then(|| lines.draw())
}

/// The change in each block of a comparison, beside how much the base differs from itself.
fn blocks(case: &Case) -> Option<Figure> {
    let mut numbers: Vec<u64> = case.windows.iter().map(|window| window.block).collect();
    numbers.sort_unstable();
    numbers.dedup();
    // The windows of a variant within a block are some rounds of the same: what they took, taken together.
    let log = |block: u64, variant: &str| {
        let windows = case
            .windows
            .iter()
            .filter(|window| window.block == block && window.variant == variant && window.p10_ns > 0.0);
        let logs: Vec<f64> = windows.map(|window| window.p10_ns.ln()).collect();
        (!logs.is_empty()).then(|| logs.iter().sum::<f64>() / logs.len() as f64)
    };
    let points = |variant: &str| -> Vec<Point> {
        let change = |block: &u64| {
            let change = log(*block, variant)? - log(*block, "base")?;
            Some(Point::new(*block as f64, change.exp_m1() * 100.0))
        };
        numbers.iter().filter_map(change).collect()
    };
    let series = |(colour, (variant, name)): (usize, (&str, &str))| Series {
        name: name.to_owned(),
        points: points(variant),
        colour,
        is_loose: true,
        ..Series::default()
    };
    let both = [
        ("control", "base against itself (A/A control)"),
        ("head", "head against base"),
    ];
    let verdict = case
        .verdict
        .as_ref()
        .and_then(|verdict| Some((verdict.change?, verdict)));
    let lines = Lines {
        id: anchor("blocks", &case.id),
        title: format!("{}: block by block", case.id),
        summary: "Change of the fastest tenth of the calls in each block. A slowdown has its points above zero, further than those of the control.".to_owned(),
        x: Axis {
            label: "block".to_owned(),
            unit: Unit::Ordinal,
            is_log: false,
        },
        y: Axis {
            label: "change".to_owned(),
            unit: Unit::Change,
            is_log: false,
        },
        series: both.into_iter().enumerate().map(series).filter(|series| !series.points.is_empty()).collect(),
        levels: verdict
            .map(|(change, verdict)| Level {
                colour: 1,
                y: change,
                interval: verdict.interval,
                label: format!("{} ({})", Unit::Change.write(change), verdict.word),
            })
            .into_iter()
            .collect(),
        height: 260.0,
        ..Lines::default()
    };
    (!lines.series.is_empty()).then(|| lines.draw())
}

/// Clocks of the GPUs over a comparison's windows.
fn clock(case: &Case) -> Option<Figure> {
    let gpus = case.windows.iter().map(|window| window.gpus.len()).max()?;
    let series = |gpu: usize| Series {
        name: format!("GPU {gpu}"),
        points: case
            .windows
            .iter()
            .enumerate()
            .filter_map(|(at, window)| Some(Point::new((at + 1) as f64, window.gpus.get(gpu)?.sm_mhz)))
            .collect(),
        colour: gpu,
        ..Series::default()
    };
    let lines = Lines {
        id: anchor("clock", &case.id),
        title: format!("{}: GPU clock", case.id),
        summary:
            "Clock of the multiprocessors behind each window. Times that follow it are the clock's, not the code's."
                .to_owned(),
        x: Axis {
            label: "window".to_owned(),
            unit: Unit::Ordinal,
            is_log: false,
        },
        y: Axis {
            label: "clock".to_owned(),
            unit: Unit::Megahertz,
            is_log: false,
        },
        series: (0..gpus).map(series).collect(),
        height: 200.0,
        ..Lines::default()
    };
    (!lines.series.is_empty()).then(|| lines.draw())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::{
        Page,
        folder::tests::{CALLS, QUANTILES, VERDICTS, WINDOWS, folder},
    };

    fn texts(figure: &Figure) -> String {
        figure.table.text()
    }

    #[test]
    fn a_page_of_everything_has_its_figures_and_links() {
        let folder = folder(&[
            ("quantiles.csv", QUANTILES),
            ("calls.csv", CALLS),
            ("verdicts.json", VERDICTS),
            ("windows.jsonl", WINDOWS),
        ])
        .unwrap();
        let naming = Naming::CRITERION;
        let folders = [folder];
        let page = Page {
            title: "All".to_owned(),
            sections: [
                changes(&folders[0], &naming),
                phases(&folders[0], &naming),
                Some(overview(&folders, &naming)),
            ]
            .into_iter()
            .flatten()
            .collect(),
            cases: cases(&folders, &naming),
            ..Page::default()
        };
        let ids: Vec<&str> = page.figures().map(|figure| figure.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "changes",
                "phases-add",
                "distribution-add-cpu-1000",
                "calls-add-cpu-1000",
                "distribution-add-vulkan-256x1000",
                "calls-add-vulkan-256x1000",
                "blocks-other",
                "clock-other"
            ]
        );
        let blocks = page.figures().find(|figure| figure.id == "blocks-other").unwrap();
        let text = texts(blocks);
        assert!(
            text.contains("head against base") && text.contains("+8 % (+7 % to +9 %)"),
            "{text}"
        );
        let html = page.render();
        for link in html.split("href=\"#").skip(1) {
            let target = link.split('"').next().unwrap();
            assert!(html.contains(&format!("id=\"{target}\"")), "{target}");
        }
        assert!(html.contains("<select name=\"data-verdict\">"), "{html}");
        assert!(html.contains("dispatches 1 \u{2192} 2"), "{html}");
    }

    #[test]
    fn a_second_run_stands_beside_the_first() {
        let slower = QUANTILES.replace("130.0", "143.0");
        let mut folders = [
            folder(&[("quantiles.csv", QUANTILES)]).unwrap(),
            folder(&[("quantiles.csv", &slower)]).unwrap(),
        ];
        folders[1].name = "later".to_owned();
        let Content::Table(table) = &overview(&folders, &Naming::CRITERION).content[0] else {
            panic!()
        };
        let text = table.text();
        assert!(
            text.contains("median, later") && text.contains("143 ns") && text.contains("1.100"),
            "{text}"
        );
        assert!(changes(&folders[0], &Naming::CRITERION).is_none(), "nothing was judged");
    }
}
