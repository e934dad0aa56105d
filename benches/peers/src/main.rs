//! Runs the same work by several means, so that `cargo xtask peers` can measure them against each
//! other.
//!
//! `peers --json` lists the adapters, as the library picks them, and which versions this is. `peers
//! PEER BACKEND` reads commands from standard input and answers each with one line, until the input
//! ends:
//!
//! | command | answer |
//! |---|---|
//! | (at the start) | `peer ADAPTER`, which may say more, or `absent REASON` |
//! | `work SIZE` or `work TASKSxSIZE` | `ready`; the inputs are generated, methods of other work are dropped |
//! | `open METHOD` | `ready` after a call whose result was right, or `absent REASON` |
//! | `calls METHOD WARM N` | `nanos` and N wall times, after WARM calls that are not timed |
//! | `check METHOD` | `right` |
//!
//! Whatever else happens ends the process with the reason on standard error. `cuda/vector_add.cu`
//! speaks the same.

mod listing;
mod peer;
mod work;

use std::{
    io::{BufRead as _, Write as _},
    process::ExitCode,
    rc::Rc,
    time::Duration,
};

use gpu_executor::Backend;

use crate::{
    peer::{Call, Method, Peer},
    work::{Output, Work},
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["--json"] => {
            println!("{}", listing::json());
            Ok(())
        }
        [peer, backend] => serve(peer, backend),
        _ => Err("usage: peers --json | peers PEER BACKEND".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Says one line, at once.
fn say(line: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot answer: {error}"))
}

/// The work at hand and who is open for it.
#[derive(Default)]
struct Session {
    work: Option<Rc<Work>>,
    open: Vec<(String, Call, Output)>,
}

fn serve(name: &str, backend: &str) -> Result<(), String> {
    let backend: Backend = backend.parse().map_err(|error| format!("{error}"))?;
    let (peer, adapter) = match attempt(|| peer::new(name, backend)) {
        Ok(peer) => peer,
        Err(reason) => return say(&format!("absent {}", one_line(&reason))),
    };
    say(&format!("peer {adapter}"))?;
    let mut session = Session::default();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| format!("cannot read a command: {error}"))?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = session.obey(peer.as_ref(), &words).map_err(|error| {
            let size = session
                .work
                .as_ref()
                .map_or_else(String::new, |work| format!(", {work}"));
            format!("{name} on {backend} ({adapter}){size}, at `{line}`: {error}")
        })?;
        say(&answer)?;
    }
    Ok(())
}

impl Session {
    fn obey(&mut self, peer: &dyn Peer, words: &[&str]) -> Result<String, String> {
        match words {
            ["work", size] => {
                self.open.clear();
                self.work = None;
                self.work = Some(Rc::new(size.parse()?));
                Ok("ready".to_owned())
            }
            ["open", method] => {
                let work = self.work.clone().ok_or("no work yet")?;
                let mut output = Output::None;
                let opened = attempt(|| match peer.open(method, &work)? {
                    Method::Absent(reason) => Ok(Err(reason)),
                    Method::Ready(mut call) => {
                        call(&mut output, true)?;
                        Ok(Ok(call))
                    }
                });
                match opened {
                    Ok(Ok(call)) => {
                        work.check(&output)?;
                        self.open.push(((*method).to_owned(), call, output));
                        Ok("ready".to_owned())
                    }
                    Ok(Err(reason)) => Ok(format!("absent {reason}")),
                    // What another project cannot do is no fault of this run.
                    Err(error) if peer.is_foreign() => Ok(format!("absent it fails: {}", one_line(&error))),
                    Err(error) => Err(error),
                }
            }
            ["calls", method, warm, n] => {
                let number = |word: &str| word.parse::<usize>().map_err(|error| format!("{word}: {error}"));
                let (warm, n) = (number(warm)?, number(n)?);
                let (call, output) = self.method(method)?;
                for _ in 0..warm {
                    call(output, false)?;
                }
                let mut answer = "nanos".to_owned();
                for _ in 0..n {
                    let wall: Duration = call(output, false)?;
                    answer.push_str(&format!(" {}", wall.as_nanos()));
                }
                Ok(answer)
            }
            ["check", method] => {
                let work = self.work.clone().ok_or("no work yet")?;
                let (call, output) = self.method(method)?;
                call(output, true)?;
                work.check(output)?;
                Ok("right".to_owned())
            }
            _ => Err("no such command".to_owned()),
        }
    }

    fn method(&mut self, method: &str) -> Result<(&mut Call, &mut Output), String> {
        let found = self.open.iter_mut().find(|(name, ..)| name == method);
        let (_, call, output) = found.ok_or_else(|| format!("`{method}` is not open"))?;
        Ok((call, output))
    }
}

/// Runs what may panic, as wgpu does on some errors, and makes an error of it.
fn attempt<R>(run: impl FnOnce() -> Result<R, String>) -> Result<R, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message
            .or(panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(format!("it panicked: {message}"))
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
