//! Slowdowns of real work, injected so that whoever should find them can be validated. None is a sleep:
//! a call does more of the same work.

use std::time::Duration;

use crate::{
    Error,
    subject::{Fault, Subject},
    wire::{Counters, INJECT_ENV},
};

/// What is injected into one case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Injection {
    /// So many times the work.
    Scale(f64),
    /// Every so many calls, one does its work twice.
    Every(u64),
}

/// Reads the list of [`INJECT_ENV`].
pub(crate) fn parse(list: &str) -> Result<Vec<(String, Injection)>, Error> {
    let injection = |entry: &str| {
        let wrong = || Error::Injection {
            entry: entry.to_owned(),
        };
        // Ids may have the sign themselves.
        let (id, what) = entry.rsplit_once('=').ok_or_else(wrong)?;
        let injection = match what.strip_prefix("every") {
            Some(every) => every.parse().ok().filter(|n| *n > 1).map(Injection::Every),
            None => what
                .parse()
                .ok()
                .filter(|f| (0.1..=10.0).contains(f))
                .map(Injection::Scale),
        };
        Ok((id.to_owned(), injection.ok_or_else(wrong)?))
    };
    list.split(',')
        .filter(|entry| !entry.is_empty())
        .map(injection)
        .collect()
}

/// What the environment asks for.
pub(crate) fn from_env() -> Result<Vec<(String, Injection)>, Error> {
    std::env::var(INJECT_ENV).map_or_else(|_| Ok(Vec::new()), |list| parse(&list))
}

/// A subject of which every so many calls one does its work twice.
pub(crate) struct Every {
    pub(crate) inner: Box<dyn Subject>,
    pub(crate) every: u64,
    pub(crate) calls: u64,
}

impl Subject for Every {
    fn call(&mut self) -> Result<Duration, Fault> {
        self.calls += 1;
        let mut wall = self.inner.call()?;
        if self.calls.is_multiple_of(self.every) {
            wall += self.inner.call()?;
        }
        Ok(wall)
    }

    fn check(&mut self) -> Result<(), Fault> {
        self.inner.check()
    }

    // The calls that are added would show in the counters, and what they hide in is the time.
    fn counters(&self) -> Counters {
        Counters::new()
    }

    fn phases(&mut self) -> Result<Vec<(&'static str, Duration)>, Fault> {
        self.inner.phases()
    }

    fn cold(&self) -> Vec<(&'static str, Duration)> {
        self.inner.cold()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls;

    #[test]
    fn injections_are_read_or_refused_with_the_entry_at_fault() {
        let read = parse("add/cpu/1=1.05,a=b=every12,").unwrap();
        let expected = [
            ("add/cpu/1".to_owned(), Injection::Scale(1.05)),
            ("a=b".to_owned(), Injection::Every(12)),
        ];
        assert_eq!(read, expected);
        assert_eq!(parse("").unwrap(), []);
        for wrong in [
            "a",
            "a=",
            "a=x",
            "a=0",
            "a=11",
            "a=every1",
            "a=every",
            "a=NaN",
            "b=1.1,a=-1",
        ] {
            let message = parse(wrong).unwrap_err().to_string();
            assert!(message.contains(INJECT_ENV) && message.contains("`a"), "{message}");
        }
    }

    #[test]
    fn every_third_call_does_its_work_twice() {
        let (sender, calls_made) = std::sync::mpsc::channel();
        let inner = calls(move || sender.send(()).unwrap());
        let mut subject = Every {
            inner,
            every: 3,
            calls: 0,
        };
        let made: Vec<usize> = (0..7)
            .map(|_| {
                subject.call().unwrap();
                calls_made.try_iter().count()
            })
            .collect();
        assert_eq!(made, [1, 1, 2, 1, 1, 2, 1]);
    }
}
