//! The cases of a bench program, which criterion measures or which are served on request.

use std::{
    collections::BTreeMap,
    io::{BufRead, Write},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::{
    Error, bind,
    inject::{self, Every, Injection},
    record::Recorder,
    subject::{Fault, Subject, add_phases, cold_ns, nanos, per_call},
    wire::{Answer, Measure, PREFIX, PROTOCOL, Prepared, RECORD_ENV, Request, SERVE_ENV, Window},
};

/// How long the time of a call is looked for, which warms caches up as well.
const PROBE: Duration = Duration::from_millis(5);
/// Calls thrown away at the beginning of a window: another process has used the caches since.
const REWARM: Duration = Duration::from_millis(1);
/// Calls per window whose phases are timed, or as many as this time has room for.
const PHASED_CALLS: usize = 3;
const PHASED_TIME: Duration = Duration::from_millis(2);

type Make = dyn FnMut(&str, f64) -> Result<Box<dyn Subject>, Fault>;

/// The cases of a bench program.
pub struct Suite {
    cases: Vec<String>,
    make: Box<Make>,
}

impl Suite {
    /// Cases by their ids, which are criterion's full ids, and the function that builds one: `scale` is
    /// how many times the work that the id says it should do, 1 unless a slowdown is injected. Ids that
    /// are not among the cases may be asked for as well.
    pub fn new(
        cases: impl IntoIterator<Item = String>,
        make: impl FnMut(&str, f64) -> Result<Box<dyn Subject>, Fault> + 'static,
    ) -> Self {
        Self {
            cases: cases.into_iter().collect(),
            make: Box::new(make),
        }
    }

    /// Serves windows of calls until standard input ends, if [`SERVE_ENV`] asks for it; else gives the
    /// suite back.
    ///
    /// # Errors
    /// The suite itself, which is to be measured by criterion.
    pub fn serve_if_asked(self) -> Result<ExitCode, Self> {
        if std::env::var_os(SERVE_ENV).is_none() {
            return Err(self);
        }
        let injections = match inject::from_env() {
            Ok(injections) => injections,
            Err(error) => {
                say(&mut std::io::stdout(), &Answer::Failed(error.to_string()));
                return Ok(ExitCode::from(2));
            }
        };
        Server::new(self, injections).serve(std::io::stdin().lock(), std::io::stdout());
        Ok(ExitCode::SUCCESS)
    }

    /// Has `measure` hand each case to criterion, with `samples` as its sample size, and writes what was
    /// recorded into the folder of [`RECORD_ENV`], if that is set. Ends with the first failure, which is
    /// said on standard error.
    #[expect(clippy::print_stderr, reason = "what a person who runs the bench must see")]
    pub fn record_each(&mut self, samples: usize, mut measure: impl FnMut(&str, &mut Recorder)) -> ExitCode {
        let folder = std::env::var_os(RECORD_ENV).map(PathBuf::from);
        for id in self.cases.clone() {
            let recorded = self.recorder(&id, folder.is_some()).and_then(|mut recorder| {
                measure(&id, &mut recorder);
                let record = recorder.finish(samples)?;
                record
                    .zip(folder.as_ref())
                    .map_or(Ok(()), |(record, folder)| record.write(folder))
            });
            if let Err(error) = recorded {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
        ExitCode::SUCCESS
    }

    /// Builds a case to be recorded.
    ///
    /// # Errors
    /// [`Error::Call`] if it cannot be built or called.
    pub fn recorder(&mut self, id: &str, with_phases: bool) -> Result<Recorder, Error> {
        let subject = (self.make)(id, 1.0).map_err(Error::call(id))?;
        Recorder::new(id, subject, with_phases)
    }
}

/// Answers requests.
struct Server {
    suite: Suite,
    injections: Vec<(String, Injection)>,
    subjects: BTreeMap<String, Box<dyn Subject>>,
    /// The cores this process began with.
    cores: Vec<u32>,
    core: Option<u32>,
}

impl Server {
    fn new(suite: Suite, injections: Vec<(String, Injection)>) -> Self {
        Self {
            suite,
            injections,
            subjects: BTreeMap::new(),
            cores: bind::allowed_cores(),
            core: None,
        }
    }

    fn serve(mut self, requests: impl BufRead, mut answers: impl Write) {
        let greeting = Answer::Serving {
            protocol: PROTOCOL,
            cases: self.suite.cases.clone(),
        };
        say(&mut answers, &greeting);
        for line in requests.lines().map_while(Result::ok) {
            let request = serde_json::from_str(&line).map_err(|error| format!("`{line}` is no request: {error}"));
            let answer = request.and_then(|request| self.answer(request).map_err(|fault| in_full(&*fault)));
            say(&mut answers, &answer.unwrap_or_else(Answer::Failed));
        }
    }

    fn answer(&mut self, request: Request) -> Result<Answer, Fault> {
        match request {
            Request::Prepare { case } => self.prepare(&case).map(Answer::Prepared),
            Request::Measure(measure) => self.measure(&measure).map(Answer::Measured),
        }
    }

    fn prepare(&mut self, case: &str) -> Result<Prepared, Fault> {
        // Threads that are made meanwhile are not to be bound.
        self.bind(None)?;
        let injection = self
            .injections
            .iter()
            .find(|(id, _)| id == case)
            .map(|(_, injection)| *injection);
        let scale = if let Some(Injection::Scale(scale)) = injection {
            scale
        } else {
            1.0
        };
        let mut subject = (self.suite.make)(case, scale)?;
        let cold_ns = cold_ns(&mut *subject)?;
        if let Some(Injection::Every(every)) = injection {
            subject = Box::new(Every {
                inner: subject,
                every,
                calls: 0,
            });
        }
        let mut fastest = Duration::MAX;
        let start = Instant::now();
        for calls in 0.. {
            fastest = fastest.min(subject.call()?);
            if calls >= 3 && start.elapsed() > PROBE {
                break;
            }
        }
        self.subjects.insert(case.to_owned(), subject);
        Ok(Prepared {
            call_ns: nanos(fastest).max(1) as f64,
            cold_ns,
            threads: bind::threads(),
        })
    }

    fn measure(&mut self, request: &Measure) -> Result<Window, Fault> {
        self.bind(request.core)?;
        let case = &request.case;
        let subject = self
            .subjects
            .get_mut(case)
            .ok_or_else(|| format!("{case} is not prepared"))?;
        let start = Instant::now();
        while start.elapsed() < REWARM {
            subject.call()?;
        }
        let mut window = Window::default();
        let before = subject.counters();
        let (time, batch) = (Duration::from_nanos(request.time_ns), request.batch.max(1));
        let start = Instant::now();
        loop {
            let mut wall = Duration::ZERO;
            for _ in 0..batch {
                wall += subject.call()?;
            }
            window.samples_ns.push(wall.as_nanos() as f64 / batch as f64);
            if start.elapsed() >= time || window.samples_ns.len() as u64 >= request.max_samples {
                break;
            }
        }
        let calls = batch * window.samples_ns.len() as u64;
        window.counters = per_call(&before, &subject.counters(), calls)?;
        add_phases(&mut **subject, PHASED_CALLS, PHASED_TIME, &mut window.phases_ns)?;
        Ok(window)
    }

    /// Binds this thread, or frees it.
    fn bind(&mut self, core: Option<u32>) -> Result<(), Error> {
        if self.core != core {
            match core {
                Some(core) => bind::bind_calling_thread(&[core])?,
                None => bind::bind_calling_thread(&self.cores)?,
            }
            self.core = core;
        }
        Ok(())
    }
}

/// An error with what caused it.
fn in_full(mut error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    while let Some(source) = error.source() {
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(&format!(": {more}"));
        }
        error = source;
    }
    text
}

fn say(to: &mut impl Write, answer: &Answer) {
    let json = serde_json::to_string(answer).expect("plain data is always JSON");
    // Nobody to tell is no reason to stop.
    let _ = writeln!(to, "{PREFIX}{json}").and_then(|()| to.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{calls, wire::Counters};

    /// A call takes as many nanoseconds as its work, by its own clock; every one counts two dispatches.
    struct Work(f64, u64);

    impl Subject for Work {
        fn call(&mut self) -> Result<Duration, Fault> {
            self.1 += 2;
            std::hint::black_box(vec![0_u8; 1000]);
            Ok(Duration::from_nanos(self.0 as u64))
        }

        fn check(&mut self) -> Result<(), Fault> {
            if self.0 == 13.0 {
                Err("wrong result".into())
            } else {
                Ok(())
            }
        }

        fn counters(&self) -> Counters {
            Counters::from([("dispatches".to_owned(), self.1)])
        }

        fn phases(&mut self) -> Result<Vec<(&'static str, Duration)>, Fault> {
            Ok(vec![("device", Duration::from_nanos(7))])
        }

        fn cold(&self) -> Vec<(&'static str, Duration)> {
            vec![("device", Duration::from_nanos(9))]
        }
    }

    fn served(injections: &str, requests: &str) -> Vec<Answer> {
        let suite = Suite::new(["work/100".to_owned()], |id, scale| match id.split_once('/') {
            Some(("work", size)) => Ok(Box::new(Work(size.parse::<f64>()? * scale, 0)) as Box<dyn Subject>),
            _ => Err(format!("no case is named `{id}`").into()),
        });
        let mut said = Vec::new();
        Server::new(suite, inject::parse(injections).unwrap()).serve(requests.as_bytes(), &mut said);
        let lines = String::from_utf8(said).unwrap();
        let answer = |line: &str| serde_json::from_str(line.strip_prefix(PREFIX).unwrap()).unwrap();
        lines.lines().map(answer).collect()
    }

    const PREPARE: &str = r#"{"prepare":{"case":"work/100"}}"#;

    fn measure(core: &str) -> String {
        format!(r#"{{"measure":{{"case":"work/100","time_ns":1000000,"batch":2,"max_samples":5{core}}}}}"#)
    }

    #[test]
    fn a_case_is_prepared_and_measured() {
        let core = bind::allowed_cores()
            .last()
            .map_or(String::new(), |core| format!(",\"core\":{core}"));
        let said = served("", &[PREPARE, &measure(""), &measure(&core), PREPARE].join("\n"));
        assert_eq!(
            said[0],
            Answer::Serving {
                protocol: PROTOCOL,
                cases: vec!["work/100".to_owned()]
            }
        );
        let Answer::Prepared(prepared) = &said[1] else {
            panic!("{said:?}")
        };
        assert_eq!(
            (prepared.call_ns, prepared.cold_ns["device"], prepared.cold_ns["second"]),
            (100.0, 9, 100)
        );
        for answer in &said[2..4] {
            let Answer::Measured(window) = answer else {
                panic!("{said:?}")
            };
            assert_eq!(window.samples_ns, [100.0; 5]);
            assert_eq!(window.counters["dispatches"], 2);
            assert_eq!(window.phases_ns["device"][0], 7);
        }
        assert!(matches!(said[4], Answer::Prepared(_)));
    }

    #[test]
    fn any_case_can_be_asked_for_and_what_cannot_be_met_is_said() {
        let check = |request: &str, expected: &str| {
            let said = served("", request);
            let Answer::Failed(message) = &said[1] else {
                panic!("{said:?}")
            };
            assert!(message.contains(expected), "{message}");
        };
        assert!(matches!(
            served("", r#"{"prepare":{"case":"work/3"}}"#)[1],
            Answer::Prepared(_)
        ));
        check(r#"{"prepare":{"case":"other"}}"#, "no case is named `other`");
        check(r#"{"prepare":{"case":"work/13"}}"#, "wrong result");
        check("prepare work/100", "is no request");
        check(r#"{"prepare":{}}"#, "missing field `case`");
        check(&measure(""), "is not prepared");
        let both = [PREPARE, &measure(",\"core\":1000000")].join("\n");
        assert!(matches!(&served("", &both)[2], Answer::Failed(message) if message.contains("1000000")));
    }

    #[test]
    fn an_injected_case_does_more_of_its_work() {
        let both = [PREPARE, &measure("")].join("\n");
        let samples = |injections: &str| match &served(injections, &both)[2] {
            Answer::Measured(window) => window.samples_ns.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(samples("work/100=1.05"), [105.0; 5]);
        assert_eq!(samples("work/200=1.05"), [100.0; 5]);
        // Every second call is twice as long, so that each sample of two is half as long again.
        assert_eq!(samples("work/100=every2"), [150.0; 5]);
    }

    #[test]
    fn a_function_is_a_subject() {
        let mut suite = Suite::new(["f".to_owned()], |_, _| Ok(calls(|| 1 + 1)));
        let mut recorder = suite.recorder("f", true).unwrap();
        let total = recorder.sample(10);
        let record = recorder.finish(1).unwrap().unwrap();
        assert_eq!(Duration::from_nanos(record.samples_ns[0].iter().sum()), total);
        assert_eq!(record.samples_ns[0].len(), 10);
        assert!(record.phases_ns.is_empty());
    }
}
