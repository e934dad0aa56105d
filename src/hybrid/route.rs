//! Where a task ran and why, and what a person said about it beforehand.

use std::{fmt, time::Duration};

use super::table::Threshold;
use crate::{backend::Backend, env::ROUTE_ENV, error::Error, task::Load};

/// An output, and where it was computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed<O> {
    /// The output.
    pub output: O,
    /// Where it was computed, and why there.
    pub route: Route,
}

/// Where tasks run, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The operator's name.
    pub operator: &'static str,
    /// How much work it was.
    pub load: Load,
    /// Where it ran.
    pub backend: Backend,
    /// Why there.
    pub reason: Reason,
    /// In nanoseconds; 0 where nothing is.
    pub(super) predicted_ns: [u64; Backend::ALL.len()],
}

/// Why tasks run where they do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It is predicted to be the fastest there, by calibration and what calls like it took.
    Fastest,
    /// It takes less time than any other device's shortest call: nothing is predicted.
    Small,
    /// It is not predicted to be the fastest there, and it is time to see whether it is.
    Tried,
    /// A person's threshold says so.
    Threshold(Threshold),
    /// The program says so: [`HybridOptions::force`](super::HybridOptions::force) or
    /// [`Hybrid::force`](super::Hybrid::force).
    Forced,
    /// [`ROUTE_ENV`] says so.
    ForcedByEnvironment,
    /// There is no other device.
    OnlyDevice,
    /// The operator is not measured: there was no time left, another thread is at it, or no device
    /// could be used.
    NotCalibrated,
    /// The device that was to do it failed earlier, and is not used until
    /// [`Hybrid::rebuild`](super::Hybrid::rebuild).
    OutOfUse(Backend),
    /// The device that was to do it failed just now: the CPU did it.
    FellBack {
        /// The device that failed.
        from: Backend,
        /// How.
        error: Error,
    },
}

impl Route {
    #[inline]
    pub(super) fn small(operator: &'static str, load: Load) -> Self {
        Self {
            operator,
            load,
            backend: Backend::Cpu,
            reason: Reason::Small,
            predicted_ns: [0; Backend::ALL.len()],
        }
    }

    /// The predicted time on each device that may be the fastest.
    pub fn predicted(&self) -> impl Iterator<Item = (Backend, Duration)> {
        let times = Backend::ALL.iter().copied().zip(self.predicted_ns);
        times
            .filter(|(_, ns)| *ns > 0)
            .map(|(backend, ns)| (backend, Duration::from_nanos(ns)))
    }
}

/// `vulkan: the fastest by prediction (cpu 1.2ms, vulkan 400µs)`.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.backend, self.reason)?;
        for (index, (backend, time)) in self.predicted().enumerate() {
            let before = if index == 0 { " (predicted: " } else { ", " };
            write!(f, "{before}{backend} {time:.1?}")?;
        }
        if self.predicted().next().is_some() {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fastest => f.write_str("the fastest by prediction"),
            Self::Small => f.write_str("too little for any other device"),
            Self::Tried => f.write_str("tried, to see whether it is faster than predicted"),
            Self::Threshold(t) if t.depth > 1 => {
                write!(f, "a threshold: from {} items of {} steps on", t.items, t.depth)
            }
            Self::Threshold(t) => write!(f, "a threshold: from {} items on", t.items),
            Self::Forced => f.write_str("the program says so"),
            Self::ForcedByEnvironment => write!(f, "{ROUTE_ENV} says so"),
            Self::OnlyDevice => f.write_str("the only device"),
            Self::NotCalibrated => f.write_str("not calibrated, or not yet"),
            Self::OutOfUse(backend) => write!(f, "{backend} failed earlier and is out of use"),
            Self::FellBack { from, error } => write!(f, "fell back from {from}: {error}"),
        }
    }
}

/// What [`ROUTE_ENV`] says of where tasks run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directive {
    general: Option<Backend>,
    /// Operators' names, and where their tasks run; the last of a name counts.
    named: Vec<(String, Option<Backend>)>,
}

impl Directive {
    pub(super) fn from_env() -> Result<Self, Error> {
        match std::env::var_os(ROUTE_ENV) {
            None => Ok(Self::default()),
            Some(list) => Self::parse(&list.to_string_lossy()),
        }
    }

    /// Settings for one operator go before the setting for all.
    fn parse(list: &str) -> Result<Self, Error> {
        let mut directive = Self::default();
        for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let wrong = || Error::BadRoute { part: part.to_owned() };
            let (operator, name) = match part.split_once('=') {
                None => (None, part),
                Some((operator, name)) => (Some(operator.trim()), name.trim()),
            };
            let backend = match name {
                "auto" => None,
                name => Some(name.parse::<Backend>().map_err(|_| wrong())?),
            };
            match operator {
                None => directive.general = backend,
                Some("") => return Err(wrong()),
                Some(operator) => directive.named.push((operator.to_owned(), backend)),
            }
        }
        Ok(directive)
    }

    /// Where tasks of the operator of this name run.
    pub(super) fn of(&self, operator: &str) -> Option<Backend> {
        let named = self.named.iter().rev().find(|(name, _)| name == operator);
        named.map_or(self.general, |(_, backend)| *backend)
    }

    /// Every backend it names.
    pub(super) fn backends(&self) -> impl Iterator<Item = Backend> {
        self.named
            .iter()
            .map(|(_, backend)| *backend)
            .chain([self.general])
            .flatten()
    }

    /// The operators that it names: whether there are such is known once they have tasks.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_says_is_read() {
        let check = |list: &str, expected: Option<Backend>| {
            assert_eq!(Directive::parse(list).unwrap().of("vector_add"), expected, "{list}");
        };
        check("", None);
        check("auto", None);
        check("cpu", Some(Backend::Cpu));
        check(" vk ", Some(Backend::Vulkan));
        check("vulkan,vector_add=cpu", Some(Backend::Cpu));
        check("vector_add = gles , vulkan", Some(Backend::Gles));
        check("vulkan,vector_add=auto", None);
        check("vector_add=cpu,vector_add=gles", Some(Backend::Gles));
        // Operators of other crates have names too.
        check("vulkan,saxpy=cpu", Some(Backend::Vulkan));
        assert_eq!(
            Directive::parse("vulkan,saxpy=cpu").unwrap().of("saxpy"),
            Some(Backend::Cpu)
        );
    }

    #[test]
    fn what_is_no_route_is_named() {
        for part in ["fastest", "vector_add=", "=cpu", "vector_add=cpu=gles"] {
            let error = Directive::parse(&format!("cpu,{part}")).unwrap_err();
            assert_eq!(error, Error::BadRoute { part: part.to_owned() });
            assert!(error.to_string().contains("<operator>="), "{error}");
        }
    }
}
