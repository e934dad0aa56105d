//! Has peers do the same work in turns.

use std::path::{Path, PathBuf};

use crate::{
    error::Error,
    fingerprint::AdapterPrint,
    host::{
        console,
        peer::{Answer, Process},
    },
    peers::{
        event::{self, Contestant, Event, Peer},
        ratio::Rounds,
        table::{Results, Section},
    },
};

/// How long a contestant's calls in one round should take; one call at least.
const TURN_NS: u64 = 20_000_000;
/// And no more calls than these.
const MOST_CALLS: u64 = 1000;

/// The programs of the peers.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) peers: PathBuf,
    /// Or why there is none.
    pub(crate) cuda: Result<PathBuf, String>,
}

/// How everything is measured.
#[derive(Debug)]
pub(crate) struct Contest<'a> {
    programs: &'a Programs,
    processes: u64,
    rounds: u64,
    random: fastrand::Rng,
}

impl<'a> Contest<'a> {
    pub(crate) fn new(programs: &'a Programs, processes: u64, rounds: u64, seed: u64) -> Self {
        Self {
            programs,
            processes,
            rounds,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Measures everything on one adapter.
    pub(crate) fn hold(&mut self, adapter: &AdapterPrint, bound: bool) -> Result<Section, Error> {
        let mut section = Section {
            adapter: adapter.clone(),
            bound,
            results: Vec::new(),
            about: String::new(),
            absent: Vec::new(),
        };
        for process in 1..=self.processes {
            // What one set of processes calibrated is not handed on to the next.
            let cache = tempfile::tempdir().map_err(Error::io("create a folder in", &std::env::temp_dir()))?;
            let mut peers = self.start(cache.path(), &mut section)?;
            if let Some((_, executor)) = peers.iter().find(|(peer, _)| *peer == Peer::Executor)
                && process == 1
            {
                section.about.clone_from(&executor.about);
            }
            for event in event::ALL {
                console::status(
                    "Measuring",
                    &format!(
                        "{}, {}, process {process} of {}",
                        adapter.backend, event.title, self.processes
                    ),
                );
                self.round_robin(event, &mut peers, &mut section)?;
            }
        }
        Ok(section)
    }

    /// One process of every peer there is.
    fn start(&self, cache: &Path, section: &mut Section) -> Result<Vec<(Peer, Process)>, Error> {
        let mut peers = Vec::new();
        for peer in Peer::ALL {
            let started = if peer.is_cuda() {
                match &self.programs.cuda {
                    Ok(program) => Process::start(program, &[peer.name()], cache, section.bound)?,
                    Err(reason) => {
                        note(section, format!("CUDA: {reason}"));
                        continue;
                    }
                }
            } else {
                let backend = if peer == Peer::Cpu {
                    "cpu"
                } else {
                    &section.adapter.backend
                };
                Process::start(&self.programs.peers, &[peer.name(), backend], cache, section.bound)?
            };
            match started {
                (process, Answer::Ready) => peers.push((peer, process)),
                (_, Answer::Absent(reason)) if peer.is_cuda() => note(section, format!("CUDA: {reason}")),
                (_, Answer::Absent(reason)) => note(section, format!("{}: {reason}", peer.name())),
            }
        }
        Ok(peers)
    }

    /// All contestants of an event, in rounds.
    fn round_robin(
        &mut self,
        event: &Event,
        peers: &mut [(Peer, Process)],
        section: &mut Section,
    ) -> Result<(), Error> {
        for (peer, process) in peers.iter_mut() {
            if event.contestants.iter().any(|c| c.peer == *peer) {
                process.work(event.size)?;
            }
        }
        // Who takes part, with the calls of a turn.
        let mut open: Vec<(Contestant, usize)> = Vec::new();
        for contestant in event.contestants {
            let Some(process) = process_of(peers, contestant) else {
                continue;
            };
            match process.open(contestant.method)? {
                Answer::Ready => open.push((*contestant, calls_per_turn(process, contestant.method)?)),
                Answer::Absent(reason) => note(section, format!("{}, {}: {reason}", event.title, contestant.label)),
            }
        }
        if open.first().is_none_or(|(first, _)| first.peer != Peer::Executor) {
            return Ok(());
        }
        let results = results_of(section, event, &open)?;
        for _ in 0..self.rounds {
            let mut order: Vec<usize> = (0..open.len()).collect();
            for last in (1..order.len()).rev() {
                order.swap(last, self.random.usize(..=last));
            }
            for at in order {
                let (contestant, calls) = open[at];
                let process = process_of(peers, &contestant).expect("it was opened");
                let times = process.calls(contestant.method, (calls / 10).max(1), calls)?;
                results.rounds[at].1.add(&times);
            }
        }
        for (contestant, _) in &open {
            process_of(peers, contestant)
                .expect("it was opened")
                .check(contestant.method)?;
        }
        Ok(())
    }
}

fn process_of<'p>(peers: &'p mut [(Peer, Process)], contestant: &Contestant) -> Option<&'p mut Process> {
    let of = peers.iter_mut().find(|(peer, _)| *peer == contestant.peer);
    of.map(|(_, process)| process)
}

/// As many calls as fill a turn.
fn calls_per_turn(process: &mut Process, method: &str) -> Result<usize, Error> {
    let once = process.calls(method, 0, 1)?[0];
    let typical = if once > TURN_NS / 4 {
        once
    } else {
        let mut few = process.calls(method, 5, 5)?;
        few.sort_unstable();
        few[2]
    };
    Ok(usize::try_from((TURN_NS / typical.max(1)).clamp(1, MOST_CALLS)).expect("a thousand fits"))
}

/// Where the rounds of an event go.
///
/// # Errors
/// [`Error::Failed`] if others take part than in the first set of processes: rounds would not be comparable.
fn results_of<'s>(
    section: &'s mut Section,
    event: &Event,
    open: &[(Contestant, usize)],
) -> Result<&'s mut Results, Error> {
    let known = section
        .results
        .iter()
        .position(|results| results.event.title == event.title);
    let at = known.unwrap_or_else(|| {
        section.results.push(Results {
            event: *event,
            rounds: open
                .iter()
                .map(|(contestant, _)| (*contestant, Rounds::default()))
                .collect(),
        });
        section.results.len() - 1
    });
    let results = &mut section.results[at];
    let before = results.rounds.iter().map(|(contestant, _)| contestant);
    if before.eq(open.iter().map(|(contestant, _)| contestant)) {
        Ok(results)
    } else {
        Err(Error::Failed(format!(
            "{}: not all who took part in the first processes do in later ones: {}",
            event.title,
            section.absent.join("; ")
        )))
    }
}

fn note(section: &mut Section, reason: String) {
    if !section.absent.contains(&reason) {
        section.absent.push(reason);
    }
}
