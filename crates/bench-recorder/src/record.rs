//! Records what criterion measures: the wall time of every call, and what it counted.

use std::{collections::BTreeMap, path::Path, time::Duration};

use crate::{
    Error,
    subject::{Fault, Subject, add_phases, cold_ns, nanos, per_call},
    wire::{Counters, Record, SCHEMA},
};

/// Calls whose phases are timed after each sample, if anybody records them.
const PHASED_CALLS: usize = 3;
const PHASED_TIME: Duration = Duration::from_millis(2);

/// One call of criterion's closure.
struct Batch {
    walls_ns: Vec<u64>,
    counters: Counters,
}

/// What criterion measures of one case.
pub struct Recorder {
    id: String,
    subject: Box<dyn Subject>,
    /// Whether phases are timed, which takes time between the samples.
    with_phases: bool,
    cold_ns: BTreeMap<String, u64>,
    batches: Vec<Batch>,
    phases_ns: BTreeMap<String, Vec<u64>>,
    error: Option<Error>,
}

impl Recorder {
    /// A recorder of a case that nobody has called yet.
    ///
    /// # Errors
    /// [`Error::Call`] if one of its first two calls fails.
    pub fn new(id: &str, mut subject: Box<dyn Subject>, with_phases: bool) -> Result<Self, Error> {
        let cold_ns = cold_ns(&mut *subject).map_err(Error::call(id))?;
        Ok(Self {
            id: id.to_owned(),
            subject,
            with_phases,
            cold_ns,
            batches: Vec::new(),
            phases_ns: BTreeMap::new(),
            error: None,
        })
    }

    /// Makes so many calls and returns the sum of their wall times: criterion's `iter_custom`.
    ///
    /// Criterion has no way to fail: after an error, which [`Recorder::finish`] returns, a sample is a
    /// nanosecond.
    pub fn sample(&mut self, iterations: u64) -> Duration {
        if self.error.is_none() {
            match self.batch(iterations) {
                Ok(batch) => {
                    let total = Duration::from_nanos(batch.walls_ns.iter().sum());
                    self.batches.push(batch);
                    return total;
                }
                Err(error) => self.error = Some(error),
            }
        }
        Duration::from_nanos(1)
    }

    fn batch(&mut self, iterations: u64) -> Result<Batch, Error> {
        let before = self.subject.counters();
        let mut walls =
            || -> Result<Vec<u64>, Fault> { (0..iterations).map(|_| self.subject.call().map(nanos)).collect() };
        let walls_ns = walls().map_err(Error::call(&self.id))?;
        let counters = per_call(&before, &self.subject.counters(), iterations)?;
        if self.with_phases {
            add_phases(&mut *self.subject, PHASED_CALLS, PHASED_TIME, &mut self.phases_ns)
                .map_err(Error::call(&self.id))?;
        }
        Ok(Batch { walls_ns, counters })
    }

    /// The record, or `None` if criterion's filter left the case out.
    ///
    /// Criterion warms up through the same closure, so only the last `samples` batches are
    /// measurements.
    ///
    /// # Errors
    /// The first error of a call; [`Error::Unequal`] if calls differ in what they counted.
    pub fn finish(self, samples: usize) -> Result<Option<Record>, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let Some(first) = self.batches.len().checked_sub(samples.max(1)) else {
            return Ok(None);
        };
        let measured = &self.batches[first..];
        let counters = &measured[0].counters;
        if let Some(other) = measured.iter().find(|batch| batch.counters != *counters) {
            let changed = other.counters.iter().find(|(name, n)| counters.get(*name) != Some(*n));
            let (name, counted) = changed.map_or((String::new(), 0), |(name, n)| (name.clone(), *n));
            return Err(Error::Unequal {
                name,
                counted,
                calls: 1,
            });
        }
        Ok(Some(Record {
            schema: SCHEMA,
            id: self.id,
            counters: counters.clone(),
            samples_ns: measured.iter().map(|batch| batch.walls_ns.clone()).collect(),
            phases_ns: self.phases_ns,
            cold_ns: self.cold_ns,
        }))
    }
}

impl Record {
    /// Writes the record into a folder, whole or not at all, under a name made of its id.
    ///
    /// # Errors
    /// [`Error::Write`] with the path.
    #[expect(clippy::missing_panics_doc, reason = "plain data is always JSON")]
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let name: String = self
            .id
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let path = folder.join(format!("{name}.json"));
        let part = path.with_extension("part");
        let json = serde_json::to_vec(self).expect("plain data is always JSON");
        std::fs::write(&part, json)
            .and_then(|()| std::fs::rename(&part, &path))
            .map_err(|source| Error::Write { path, source })
    }

    /// Reads a record.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence without the file's name.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let record: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if record.schema != SCHEMA {
            return Err(format!("schema {}, this program reads schema {SCHEMA}", record.schema));
        }
        if record.samples_ns.is_empty() || record.samples_ns.iter().any(Vec::is_empty) {
            return Err(format!("{} has a sample without calls", record.id));
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call takes 10 ns more than the one before, and counts one submission.
    struct Steady(u64);

    impl Subject for Steady {
        fn call(&mut self) -> Result<Duration, Fault> {
            self.0 += 1;
            if self.0 == 100 {
                Err("device lost".into())
            } else {
                Ok(Duration::from_nanos(10 * self.0))
            }
        }

        fn counters(&self) -> Counters {
            Counters::from([("submits".to_owned(), self.0 + u64::from(self.0 > 50))])
        }
    }

    #[test]
    fn every_measured_call_is_recorded_and_the_warm_up_is_not() {
        let mut recorder = Recorder::new("a/1", Box::new(Steady(0)), true).unwrap();
        assert_eq!(recorder.sample(2), Duration::from_nanos(30 + 40));
        assert_eq!(recorder.sample(1), Duration::from_nanos(50));
        assert_eq!(recorder.sample(1), Duration::from_nanos(60));
        let record = recorder.finish(2).unwrap().unwrap();
        assert_eq!(record.samples_ns, [[50], [60]]);
        assert_eq!(record.counters, Counters::from([("submits".to_owned(), 1)]));
        assert_eq!(
            record.cold_ns,
            [("first".to_owned(), 10), ("second".to_owned(), 20)].into()
        );
        let folder = tempfile::tempdir().unwrap();
        record.write(folder.path()).unwrap();
        let json = std::fs::read(folder.path().join("a-1.json")).unwrap();
        assert_eq!(Record::parse(&json).unwrap(), record);
        let old = String::from_utf8(json).unwrap().replace("\"schema\":3", "\"schema\":2");
        assert!(Record::parse(old.as_bytes()).unwrap_err().contains("schema 2"));
    }

    #[test]
    fn what_criterion_filters_out_is_not_recorded_and_what_fails_is_an_error() {
        let recorder = Recorder::new("a", Box::new(Steady(0)), false).unwrap();
        assert_eq!(recorder.finish(2).unwrap(), None);
        let mut recorder = Recorder::new("a", Box::new(Steady(90)), false).unwrap();
        assert_eq!(recorder.sample(20), Duration::from_nanos(1));
        assert_eq!(recorder.finish(1).unwrap_err().to_string(), "a: device lost");
        // The call that counts two, alone in its sample or among others.
        for calls in [1, 3] {
            let mut recorder = Recorder::new("a", Box::new(Steady(47)), false).unwrap();
            recorder.sample(1);
            recorder.sample(calls);
            let message = recorder.finish(2).unwrap_err().to_string();
            assert!(message.contains("submits"), "{message}");
        }
    }
}
