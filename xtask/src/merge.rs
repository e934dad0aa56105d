//! Joins the runs of shards into the run that one machine would have made.

use crate::{
    error::Error,
    fingerprint::Fingerprint,
    rows::Row,
    run::{Plan, Run},
    shard::Shard,
};

/// A run with the lines of its files that rows do not hold.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// As the person named it, for messages.
    pub(crate) name: String,
    pub(crate) run: Run,
    /// `calls.csv`, as it was written.
    pub(crate) calls: String,
    /// `cold.csv`, likewise.
    pub(crate) cold: String,
    /// `quantiles.csv`, likewise.
    pub(crate) quantiles: String,
}

/// Why runs are not joined.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// They are of different machines; in what.
    Mixed(String),
    /// They are not the shards of one run.
    Unfit(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Mixed(why) | Refusal::Unfit(why) => Self::Failed(why),
        }
    }
}

/// Joins all shards of a run, in whatever order they come.
pub(crate) fn merge(parts: &[Part]) -> Result<Part, Refusal> {
    let Some(first) = parts.first() else {
        return Err(Refusal::Unfit("there is nothing to merge".to_owned()));
    };
    // Shards of other machines have to be all the shards of one run as well.
    for part in parts {
        same_plan(first, part)?;
    }
    complete(&parts.iter().collect::<Vec<_>>())?;
    for part in parts {
        same_machine(first, part)?;
        if part.run.noop != first.run.noop {
            return Err(Refusal::Unfit(format!(
                "{} and {} are not of one program: their calls into wgpu differ without a driver",
                first.name, part.name
            )));
        }
    }
    let first = first.clone();
    let mut parts: Vec<&Part> = parts.iter().collect();
    parts.sort_by_key(|part| part.run.plan.shard);

    let mut merged = Part {
        name: "merged".to_owned(),
        run: Run {
            plan: Plan {
                shard: None,
                cases: parts.iter().flat_map(|part| part.run.plan.cases.clone()).collect(),
                command: commands(&parts),
                started: parts
                    .iter()
                    .map(|part| part.run.plan.started.clone())
                    .min()
                    .unwrap_or_default(),
                ..first.run.plan
            },
            fingerprint: first.run.fingerprint,
            rows: Vec::new(),
            noop: first.run.noop,
        },
        calls: String::new(),
        cold: String::new(),
        quantiles: String::new(),
    };
    let mut processes = 0;
    for part in &parts {
        let last = processes;
        // Rows of one number are one process; those of two shards are not.
        for row in &part.run.rows {
            let run = row.run + last;
            processes = processes.max(run);
            merged.run.rows.push(Row { run, ..row.clone() });
        }
        for (name, file, to) in [
            ("calls.csv", &part.calls, &mut merged.calls),
            ("cold.csv", &part.cold, &mut merged.cold),
        ] {
            let lines = renumbered(file, last)
                .map_err(|line| Refusal::Unfit(format!("{}: {name}:{line}: not a line of this program", part.name)))?;
            append(to, &lines);
        }
        append(&mut merged.quantiles, &part.quantiles);
    }
    merged
        .run
        .rows
        .sort_by(|a, b| (&a.case, a.stage, a.run).cmp(&(&b.case, b.stage, b.run)));
    merged.quantiles = in_order_of_cases(&merged.quantiles);
    Ok(merged)
}

fn same_machine(first: &Part, part: &Part) -> Result<(), Refusal> {
    let here: &Fingerprint = &first.run.fingerprint;
    if part.run.fingerprint == *here {
        return Ok(());
    }
    Err(Refusal::Mixed(format!(
        "{} and {} are of different machines, their times do not belong together: {}",
        first.name,
        part.name,
        here.differences(&part.run.fingerprint).join("; ")
    )))
}

fn same_plan(first: &Part, part: &Part) -> Result<(), Refusal> {
    let compared = |plan: &Plan| {
        [
            ("commit", plan.commit.clone()),
            ("versions", format!("{:?}", plan.versions)),
            ("pace", plan.pace.clone()),
            ("processes", plan.runs.to_string()),
            ("backends", plan.backends.join(",")),
            ("operators", format!("{:?}", plan.ops)),
            ("backends not measured", format!("{:?}", plan.skipped)),
            ("tuning", format!("{:?}", plan.tuning)),
            ("sizes", plan.sizes.join(",")),
            (
                "number of shards",
                plan.shard
                    .map_or_else(|| "none".to_owned(), |shard| shard.of.to_string()),
            ),
        ]
    };
    let (ours, theirs) = (compared(&first.run.plan), compared(&part.run.plan));
    match ours.into_iter().zip(theirs).find(|(a, b)| a != b) {
        None => Ok(()),
        Some(((what, here), (_, there))) => Err(Refusal::Unfit(format!(
            "{} and {} are not shards of one run: {what} {here} and {there}",
            first.name, part.name
        ))),
    }
}

/// Each shard once.
fn complete(parts: &[&Part]) -> Result<(), Refusal> {
    let there: Vec<Shard> = parts.iter().filter_map(|part| part.run.plan.shard).collect();
    let Some(Shard { of, .. }) = there.first().copied().filter(|_| there.len() == parts.len()) else {
        return Err(Refusal::Unfit(
            "these are no shards; `cargo xtask bench --shard 1/2` makes one".to_owned(),
        ));
    };
    for index in 1..=of {
        let shard = Shard { index, of };
        match there.iter().filter(|&&s| s == shard).count() {
            1 => {}
            0 => return Err(Refusal::Unfit(format!("shard {shard} is missing"))),
            _ => return Err(Refusal::Unfit(format!("shard {shard} is there twice"))),
        }
    }
    Ok(())
}

fn commands(parts: &[&Part]) -> String {
    parts
        .iter()
        .map(|part| part.run.plan.command.as_str())
        .collect::<Vec<_>>()
        .join(" + ")
}

/// `calls.csv` or `cold.csv` with other numbers of processes; the line at fault if it is none.
fn renumbered(calls: &str, last: u64) -> Result<String, usize> {
    let mut lines = calls.lines();
    let mut text = format!("{}\n", lines.next().unwrap_or_default());
    for (number, line) in (2_usize..).zip(lines) {
        let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        let run = fields.get_mut(4).ok_or(number)?;
        *run = (run.parse::<u64>().map_err(|_| number)? + last).to_string();
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    Ok(text)
}

/// Adds the lines of a file with a header to those of others with the same.
fn append(to: &mut String, file: &str) {
    let body = if to.is_empty() {
        file
    } else {
        file.split_once('\n').map_or("", |(_, body)| body)
    };
    to.push_str(body);
}

/// Orders lines as one run does: by operator, backend, tasks and size. The lines stay as they were written.
fn in_order_of_cases(quantiles: &str) -> String {
    let mut lines = quantiles.lines();
    let header = lines.next().unwrap_or_default();
    let mut lines: Vec<&str> = lines.collect();
    lines.sort_by_key(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let text = |at: usize| fields.get(at).copied().unwrap_or_default().to_owned();
        let number = |at: usize| text(at).parse::<u64>().unwrap_or_default();
        (text(0), text(1), number(3), number(2))
    });
    let mut text = format!("{header}\n");
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fingerprint::tests::example as fingerprint, noop::tests::example as noop, rows::tests::example as row,
        run::tests::plan,
    };

    const CALLS: &str = "op,backend,size,tasks,run,call,wall_ns\n";
    const COLD: &str = "op,backend,size,tasks,run,core,part,ns\n";
    const QUANTILES: &str = "op,backend,size,tasks,runs,calls,p50_ns\n";

    fn part(shard: &str, size: u64) -> Part {
        let mut plan = plan();
        plan.shard = Some(shard.parse().unwrap());
        Part {
            name: format!("shard-{shard}"),
            run: Run {
                plan,
                fingerprint: fingerprint(),
                rows: vec![row("cpu", size, 1, 100.0), row("cpu", size, 2, 100.0)],
                noop: Some(noop(1)),
            },
            calls: format!("{CALLS}vector_add,cpu,{size},1,1,0,10\nvector_add,cpu,{size},1,2,0,11\n"),
            cold: format!("{COLD}vector_add,cpu,{size},1,1,0,first,900\n"),
            quantiles: format!("{QUANTILES}vector_add,cpu,{size},1,2,2,10.5\n"),
        }
    }

    fn refused(parts: &[Part]) -> String {
        match merge(parts).unwrap_err() {
            Refusal::Mixed(why) => format!("mixed: {why}"),
            Refusal::Unfit(why) => why,
        }
    }

    #[test]
    fn shards_become_the_run_that_one_machine_would_have_made() {
        let merged = merge(&[part("2/2", 1000), part("1/2", 20_000)]).unwrap();
        assert_eq!(merged.run.plan.shard, None);
        assert_eq!(
            merged.quantiles,
            format!("{QUANTILES}vector_add,cpu,1000,1,2,2,10.5\nvector_add,cpu,20000,1,2,2,10.5\n")
        );
        assert_eq!(
            merged.cold,
            format!("{COLD}vector_add,cpu,20000,1,1,0,first,900\nvector_add,cpu,1000,1,3,0,first,900\n")
        );
        let rows: Vec<(u64, u64)> = merged.run.rows.iter().map(|row| (row.case.size, row.run)).collect();
        assert_eq!(rows, [(1000, 3), (1000, 4), (20_000, 1), (20_000, 2)]);
        assert_eq!(
            merged.calls,
            format!(
                "{CALLS}vector_add,cpu,20000,1,1,0,10\nvector_add,cpu,20000,1,2,0,11\n\
                 vector_add,cpu,1000,1,3,0,10\nvector_add,cpu,1000,1,4,0,11\n"
            )
        );
    }

    #[test]
    fn what_does_not_belong_together_is_refused_with_the_reason() {
        let check = |parts: Vec<Part>, expected: &str| {
            let message = refused(&parts);
            assert!(message.contains(expected), "{message}");
        };
        let changed = |change: fn(&mut Part)| {
            let mut second = part("2/2", 20_000);
            change(&mut second);
            vec![part("1/2", 1000), second]
        };
        check(vec![], "nothing to merge");
        check(
            changed(|p| p.run.fingerprint.logical_cores = 64),
            "mixed: shard-1/2 and shard-2/2",
        );
        check(changed(|p| p.run.fingerprint.cpu.push('2')), "processor");
        let mut other = part("2/3", 20_000);
        other.run.fingerprint.logical_cores = 64;
        check(vec![part("1/3", 1000), other.clone()], "shard 3/3 is missing");
        other.run.plan.commit.push('1');
        check(vec![part("1/3", 1000), other], "commit 0123456 and 01234561");
        check(changed(|p| p.run.plan.commit.push('1')), "commit 0123456 and 01234561");
        check(
            changed(|p| p.run.plan.pace = "quick".to_owned()),
            "pace default and quick",
        );
        check(changed(|p| p.run.plan.sizes.clear()), "sizes");
        check(changed(|p| p.run.plan.skipped.clear()), "backends not measured");
        check(changed(|p| p.run.plan.tuning.clear()), "tuning");
        check(changed(|p| p.run.noop = Some(noop(2))), "without a driver");
        check(changed(|p| p.run.noop = None), "without a driver");
        check(changed(|p| p.run.plan.shard = None), "number of shards 2 and none");
        check(vec![part("1/2", 1000), part("1/2", 1000)], "1/2 is there twice");
        check(vec![part("1/3", 1000), part("3/3", 20_000)], "2/3 is missing");
        check(changed(|p| p.calls.push_str("cut o")), "calls.csv:4");
        let mut whole = part("1/1", 1000);
        whole.run.plan.shard = None;
        check(vec![whole], "no shards");
    }
}
