//! Work whose calls are measured.

use std::{
    collections::BTreeMap,
    error::Error as StdError,
    hint::black_box,
    time::{Duration, Instant},
};

use crate::{Error, wire::Counters};

/// Whatever a bench reports as an error.
pub type Fault = Box<dyn StdError + Send + Sync>;

/// Work that can be done again and again.
pub trait Subject {
    /// Does it once, and says how long that took: setting up and dropping results can be left out.
    ///
    /// # Errors
    /// What the work returns; whoever measures it stops.
    fn call(&mut self) -> Result<Duration, Fault>;

    /// Holds a result against one that is known to be right: a fast wrong result is worth nothing. It is
    /// done once, after the first calls.
    ///
    /// # Errors
    /// How the result differs.
    fn check(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// Counters since the subject was made. Only what equal calls count alike belongs here.
    fn counters(&self) -> Counters {
        Counters::new()
    }

    /// Does the work once, and says how long its phases took, by name; empty if it has none.
    ///
    /// # Errors
    /// As [`Subject::call`].
    fn phases(&mut self) -> Result<Vec<(&'static str, Duration)>, Fault> {
        Ok(Vec::new())
    }

    /// What was done once before the first call, by name, such as opening a device.
    fn cold(&self) -> Vec<(&'static str, Duration)> {
        Vec::new()
    }
}

/// A subject whose call is a function's; its result is dropped after the clock was read.
pub fn calls<R>(work: impl FnMut() -> R + 'static) -> Box<dyn Subject> {
    struct Calls<F>(F);

    impl<R, F: FnMut() -> R> Subject for Calls<F> {
        fn call(&mut self) -> Result<Duration, Fault> {
            let start = Instant::now();
            let result = black_box((self.0)());
            let wall = start.elapsed();
            drop(result);
            Ok(wall)
        }
    }

    Box::new(Calls(work))
}

/// What the first two calls took, behind what was done before them. The result is checked then.
pub(crate) fn cold_ns(subject: &mut dyn Subject) -> Result<BTreeMap<String, u64>, Fault> {
    let mut parts: Vec<(&str, Duration)> = subject.cold();
    for name in ["first", "second"] {
        parts.push((name, subject.call()?));
    }
    subject.check()?;
    Ok(parts
        .into_iter()
        .map(|(name, time)| (name.to_owned(), nanos(time)))
        .collect())
}

/// Adds the phases of a few calls. The first of them makes what times the others.
pub(crate) fn add_phases(
    subject: &mut dyn Subject,
    calls: usize,
    time: Duration,
    phases_ns: &mut BTreeMap<String, Vec<u64>>,
) -> Result<(), Fault> {
    if subject.phases()?.is_empty() {
        return Ok(());
    }
    let start = Instant::now();
    for _ in 0..calls {
        for (name, time) in subject.phases()? {
            phases_ns.entry(name.to_owned()).or_default().push(nanos(time));
        }
        if start.elapsed() >= time {
            break;
        }
    }
    Ok(())
}

/// What each of so many calls counted between two readings.
pub(crate) fn per_call(before: &Counters, after: &Counters, calls: u64) -> Result<Counters, Error> {
    let mut each = Counters::new();
    for (name, &after) in after {
        let counted = after.saturating_sub(before.get(name).copied().unwrap_or_default());
        if calls == 0 || !counted.is_multiple_of(calls) {
            return Err(Error::Unequal {
                name: name.clone(),
                counted,
                calls,
            });
        }
        each.insert(name.clone(), counted / calls);
    }
    Ok(each)
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_calls_count_alike_or_nothing_is_said_of_one() {
        let counters = |n: u64| Counters::from([("submits".to_owned(), n)]);
        assert_eq!(per_call(&counters(4), &counters(10), 3).unwrap(), counters(2));
        assert_eq!(per_call(&Counters::new(), &counters(6), 3).unwrap(), counters(2));
        let message = per_call(&counters(4), &counters(11), 3).unwrap_err().to_string();
        assert!(
            message.contains("submits") && message.contains("7 in 3 calls"),
            "{message}"
        );
        assert!(per_call(&counters(4), &counters(4), 0).is_err());
    }
}
