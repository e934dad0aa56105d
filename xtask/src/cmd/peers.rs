//! `cargo xtask peers`: the same work by this project and by others, measured against each other.

use std::path::PathBuf;

use xshell::{Shell, cmd};

use crate::{
    error::Error,
    exit::Exit,
    files,
    fingerprint::AdapterPrint,
    host::{
        adapters::{Listing, list},
        affinity, build, console,
        contest::{Contest, Programs},
        lock::Lock,
        machine, workspace,
    },
    peers::table::Table,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask peers --quick                    a look: 6 rounds
  cargo xtask peers --out docs/peers/NAME.md   9 rounds in 3 processes of each peer, the table into a file
  cargo xtask peers --program ./peers --cuda ./vector_add   programs built elsewhere

The peers: this project's executor; wgpu as tutorials use it; cubecl on wgpu; the CPU; and CUDA where there is nvcc and an NVIDIA device.
Software adapters are measured bound to one core, as `cargo xtask bench` does; GPUs with all cores free, as copies to them use several.")]
pub(crate) struct Flags {
    /// 6 rounds in 2 processes
    #[arg(long, conflicts_with_all = ["processes", "rounds"])]
    quick: bool,
    /// Fresh processes of each peer, one set after the other
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    processes: u64,
    /// Rounds with each set, everybody once per round, in random order
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// Backends, of vulkan, gles, dx12, metal [default: all with a usable adapter]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    backend: Option<Vec<String>>,
    /// Bind every process to one core [default: on software adapters]
    #[arg(long, conflicts_with = "free")]
    bind: bool,
    /// Let every process use all cores [default: on GPUs]
    #[arg(long)]
    free: bool,
    /// What the order of the rounds is drawn from [default: the time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Write the table into this file as well
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The peers program, built elsewhere: nothing is built here
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// The CUDA program, built elsewhere
    #[arg(long, value_name = "PATH")]
    cuda: Option<PathBuf>,
    /// The commit the programs were built from [default: what git says]
    #[arg(long, value_name = "ID")]
    commit: Option<String>,
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let sh = Shell::new()?;
    let _lock = match &flags.program {
        None => Some(Lock::take(&workspace::runs())?),
        // There may be no workspace where programs are carried to.
        Some(_) => None,
    };
    let programs = Programs {
        peers: match &flags.program {
            Some(program) => program.clone(),
            None => build::peers()?,
        },
        cuda: match &flags.cuda {
            Some(program) => Ok(program.clone()),
            None if flags.program.is_some() => Err("no program for it (--cuda)".to_owned()),
            None => build::cuda()?,
        },
    };
    let listing = list(&programs.peers)?;
    let adapters = adapters(flags, &listing)?;
    let seed = flags
        .seed
        .unwrap_or_else(|| jiff::Timestamp::now().as_microsecond().unsigned_abs() % 1_000_000);
    let (processes, rounds) = if flags.quick {
        (2, 3)
    } else {
        (flags.processes, flags.rounds)
    };
    let facts = facts(flags, &sh, &listing, seed, (processes, rounds));
    let mut contest = Contest::new(&programs, processes, rounds, seed);
    let mut sections = Vec::new();
    for adapter in adapters {
        let bound = flags.bind || (!flags.free && adapter.kind == "software" && affinity::is_possible());
        sections.push(contest.hold(adapter, bound)?);
    }
    let absent = listing
        .absent
        .iter()
        .filter(|absent| !matches!(absent.backend.as_str(), "dx12" | "metal") || flags.backend.is_some())
        .map(|absent| format!("{}: {}", absent.backend, absent.reason))
        .collect();
    let table = Table {
        facts,
        sections,
        absent,
    }
    .markdown();
    console::result(&table);
    if let Some(out) = &flags.out {
        files::write(out, table.as_bytes())?;
        console::status("Wrote", &out.display().to_string());
    }
    Ok(Exit::Pass)
}

/// The adapters asked for: with a GPU API behind them, and usable.
fn adapters<'a>(flags: &Flags, listing: &'a Listing) -> Result<Vec<&'a AdapterPrint>, Error> {
    let is_wanted = |adapter: &&AdapterPrint| {
        let asked = flags.backend.as_ref();
        adapter.backend != "cpu" && asked.is_none_or(|backends| backends.contains(&adapter.backend))
    };
    let found: Vec<&AdapterPrint> = listing
        .picked
        .iter()
        .map(|adapter| &adapter.print)
        .filter(is_wanted)
        .collect();
    if found.is_empty() {
        return Err(Error::Usage(format!(
            "no adapter to measure on{}; `cargo xtask adapters` says what there is",
            flags
                .backend
                .as_ref()
                .map_or_else(String::new, |b| format!(" of --backend {}", b.join(",")))
        )));
    }
    Ok(found)
}

/// What a reader must know to judge the table, and to make it again.
fn facts(flags: &Flags, sh: &Shell, listing: &Listing, seed: u64, (processes, rounds): (u64, u64)) -> Vec<String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let commit = flags.commit.clone().or_else(|| commit(sh));
    let mut facts = vec![
        format!("Command: `cargo xtask {}`", arguments.join(" ")),
        format!("{processes} processes of each peer, {rounds} rounds with each, order drawn from seed {seed}"),
        format!("Machine: {}, {cores} cores, {}", machine::cpu(sh), std::env::consts::OS),
        format!("Versions: {}", listing.versions.join(", ")),
    ];
    facts.extend(commit.map(|commit| format!("Commit: {commit}")));
    facts.push(format!("Day: {}", jiff::Timestamp::now().strftime("%Y-%m-%d")));
    facts
}

/// The commit of the tree; with changes it is said so.
fn commit(sh: &Shell) -> Option<String> {
    let _in = sh.push_dir(workspace::root());
    let read = |command: xshell::Cmd<'_>| command.quiet().ignore_stderr().read().ok();
    let id = read(cmd!(sh, "git rev-parse --short HEAD"))?;
    let changes = read(cmd!(sh, "git status --porcelain --untracked-files=no"))?;
    Some(if changes.is_empty() {
        id
    } else {
        format!("{id} with changes")
    })
}
