//! A picture of a document: time of a call against its size, by backend; or how many times as fast as the CPU a backend is, by
//! operator.
//!
//! Its file has the columns `operator`, `backend`, `elements`, `cpu_ns`, `gpu_ns`; with `cpu_low_ns`, `cpu_high_ns`, `gpu_low_ns`
//! and `gpu_high_ns` there are bands.

use std::path::PathBuf;

use bench_gate::{
    crossover::{Curve, crossover, rounded},
    figures::{Axis, Figure, Level, Lines, Mark, Point, Series, Theme, Unit, count},
};

use super::{Marker, data::Csv};
use crate::curves;

/// A size with the times of both sides, each with its band.
struct Measured {
    operator: String,
    backend: String,
    elements: f64,
    cpu: Point,
    gpu: Point,
    cpu_ns: f64,
    gpu_ns: f64,
}

/// The picture as Markdown, and its files.
pub(super) fn draw(csv: &Csv, marker: &Marker) -> Result<(String, Vec<(PathBuf, String)>), String> {
    let (name, title) = (marker.need("name")?, marker.need("title")?);
    let measured = read(csv, marker)?;
    let operators = distinct(&measured, |measured| &measured.operator);
    let backends = distinct(&measured, |measured| &measured.backend);
    let figure = match (&operators[..], &backends[..]) {
        ([_], _) => times(name, title, &measured, &backends),
        (_, [_]) => ratios(name, title, &measured, &operators),
        _ => return Err("several operators and several backends: `where` keeps one of either".to_owned()),
    };
    // Beside the data: `data/x.csv` of a document in `docs/` becomes `figures/NAME-light.svg`.
    let folder = marker.file.replace('\\', "/");
    let folder = folder.rsplit_once("data/").map_or("", |(before, _)| before);
    let path = |theme: &str| format!("{folder}figures/{name}-{theme}.svg");
    let markdown = format!(
        "<picture>\n<source media=\"(prefers-color-scheme: dark)\" srcset=\"{}\">\n<img alt=\"{title}\"\nsrc=\"{}\">\n</picture>\n",
        path("dark"),
        path("light"),
    );
    let files = [("light", Theme::Light), ("dark", Theme::Dark)];
    let files = files.map(|(word, theme)| (PathBuf::from(path(word)), figure.svg(theme)));
    Ok((markdown, files.into()))
}

fn read(csv: &Csv, marker: &Marker) -> Result<Vec<Measured>, String> {
    let column = |name: &str| csv.column(name);
    let (operator, backend, elements) = (column("operator")?, column("backend")?, column("elements")?);
    let sides = [column("cpu_ns")?, column("gpu_ns")?];
    let bands = ["cpu", "gpu"].map(|side| {
        let bound = |bound: &str| csv.column(&format!("{side}_{bound}_ns")).ok();
        bound("low").zip(bound("high"))
    });
    let number = |text: &str| text.parse::<f64>().map_err(|_| format!("`{text}` is not a number"));
    csv.filtered(&marker.filters()?)?
        .into_iter()
        .map(|row| {
            let x = number(&row[elements])?;
            let point = |side: usize| {
                let point = Point::new(x, number(&row[sides[side]])?);
                match bands[side] {
                    Some((low, high)) => Ok(point.with_band(number(&row[low])?, number(&row[high])?)),
                    None => Ok::<_, String>(point),
                }
            };
            Ok(Measured {
                operator: row[operator].clone(),
                backend: row[backend].clone(),
                elements: x,
                cpu: point(0)?,
                gpu: point(1)?,
                cpu_ns: number(&row[sides[0]])?,
                gpu_ns: number(&row[sides[1]])?,
            })
        })
        .collect()
}

fn distinct(measured: &[Measured], of: fn(&Measured) -> &String) -> Vec<&str> {
    let mut values: Vec<&str> = Vec::new();
    for value in measured.iter().map(|measured| of(measured).as_str()) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// The rows of one backend.
fn of_backend<'a>(measured: &'a [Measured], backend: &'a str) -> impl Iterator<Item = &'a Measured> {
    measured.iter().filter(move |measured| measured.backend == backend)
}

/// One operator: the CPU's curve, that of each backend, and where the latter comes to lie below the former.
fn times(name: &str, title: &str, measured: &[Measured], backends: &[&str]) -> Figure {
    let series = |name: &str, points: Vec<Point>| Series {
        name: name.to_owned(),
        points,
        colour: curves::colour(name),
        ..Series::default()
    };
    let first = backends.first().copied().unwrap_or_default();
    let mut drawn = vec![series(
        "cpu",
        of_backend(measured, first).map(|measured| measured.cpu).collect(),
    )];
    let mut marks = Vec::new();
    for backend in backends {
        drawn.push(series(
            backend,
            of_backend(measured, backend).map(|measured| measured.gpu).collect(),
        ));
        let curve = |ns: fn(&Measured) -> f64| -> Curve {
            of_backend(measured, backend)
                .map(|measured| (measured.elements as u64, ns(measured)))
                .collect()
        };
        let sides = (curve(|measured| measured.cpu_ns), curve(|measured| measured.gpu_ns));
        let found = crossover([(&sides.0, &sides.1)]).and_then(|found| found.size());
        marks.extend(found.map(|x| Mark {
            colour: curves::colour(backend),
            x,
            interval: None,
            label: format!("{backend} pays from {}", count(rounded(x) as f64)),
            tags: Vec::new(),
        }));
    }
    let lines = Lines {
        id: name.to_owned(),
        title: title.to_owned(),
        summary: "Median time of a call against its number of elements. Where the line of a backend lies below that of the CPU, \
                  it is faster."
            .to_owned(),
        x: axis("elements", Unit::Count),
        y: axis("time per call, transfers included", Unit::Nanos),
        series: drawn,
        marks,
        ..Lines::default()
    };
    lines.draw()
}

/// One backend: how many times as fast as the CPU it is, by operator.
fn ratios(name: &str, title: &str, measured: &[Measured], operators: &[&str]) -> Figure {
    let series = operators.iter().enumerate().map(|(at, operator)| {
        let of = measured.iter().filter(|measured| measured.operator == *operator);
        Series {
            name: (*operator).to_owned(),
            points: of
                .map(|measured| Point::new(measured.elements, measured.cpu_ns / measured.gpu_ns))
                .collect(),
            colour: at,
            ..Series::default()
        }
    });
    let lines = Lines {
        id: name.to_owned(),
        title: title.to_owned(),
        summary: "Time of a call on the CPU over its time on the GPU, against its number of elements. Above 1 the GPU is faster."
            .to_owned(),
        x: axis("elements", Unit::Count),
        y: axis("times as fast as the CPU", Unit::Ordinal),
        series: series.collect(),
        levels: vec![Level {
            colour: operators.len(),
            y: 1.0,
            interval: None,
            label: "as fast as the CPU".to_owned(),
        }],
        ..Lines::default()
    };
    lines.draw()
}

fn axis(label: &str, unit: Unit) -> Axis {
    Axis {
        label: label.to_owned(),
        unit,
        is_log: true,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CSV: &str = "# command: c\n# machine: m\n# commit: 1\n\
        operator,backend,elements,cpu_ns,gpu_ns\n\
        add,vulkan,1000,1000,33000\nadd,vulkan,100000,100000,66000\n\
        add,gles,1000,1000,90000\nadd,gles,100000,100000,120000\n\
        mul,vulkan,1000,50000,33000\nmul,vulkan,100000,5000000,66000\n";

    fn drawn(filter: &str) -> Result<(String, Vec<(PathBuf, String)>), String> {
        let csv = Csv::parse(Path::new("x"), CSV).unwrap();
        let line = format!("<!-- picture: docs/data/x.csv; name n; title T; where {filter} -->");
        draw(&csv, &Marker::parse(&line).unwrap().unwrap())
    }

    #[test]
    fn one_operator_has_a_line_for_each_backend_and_its_crossover() {
        let (markdown, files) = drawn("operator=add").unwrap();
        assert!(markdown.contains("src=\"docs/figures/n-light.svg\""), "{markdown}");
        assert_eq!(files[1].0, Path::new("docs/figures/n-dark.svg"));
        let svg = &files[0].1;
        for text in ["cpu", "vulkan", "gles", "vulkan pays from"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        assert!(!svg.contains("gles pays from"), "it never does");
    }

    #[test]
    fn one_backend_has_a_line_for_each_operator() {
        let (_, files) = drawn("backend=vulkan").unwrap();
        for text in ["add", "mul", "as fast as the CPU"] {
            assert!(files[0].1.contains(text), "{text}");
        }
        let error = drawn("elements=1000").unwrap_err();
        assert!(error.contains("several operators and several backends"), "{error}");
    }
}
