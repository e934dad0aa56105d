//! Where a router's tasks go.

use std::{cell::Cell, sync::atomic::Ordering, time::Duration};

use super::{
    Hybrid, NOT_FORCED,
    device::Device,
    feedback::{Call, Candidate, HYSTERESIS, Kind},
    learned,
    operators::Operator,
    route::{Reason, Route},
    table::Prediction,
};
use crate::{backend::Backend, task::Load};

/// Where tasks go.
pub(super) struct Decision {
    pub(super) route: Route,
    /// Whether devices compete for them.
    pub(super) competition: Option<Competition>,
    /// Whether what they take is to be learned, for an operator without a calibration.
    pub(super) is_learning: bool,
}

/// Calls of a kind that devices compete for.
pub(super) struct Competition {
    pub(super) kind: Kind,
    /// What they take on each device by calibration alone; 0 where nothing is predicted.
    calibrated_ns: [u64; Backend::ALL.len()],
    /// What they are predicted to take on the fastest.
    best_ns: u64,
}

impl Competition {
    /// The call as it was predicted; `None` if nothing was predicted of it there.
    pub(super) fn call(&self, route: &Route) -> Option<Call> {
        let calibrated_ns = self.calibrated_ns[route.backend as usize];
        (calibrated_ns > 0).then_some(Call {
            kind: self.kind,
            backend: route.backend,
            calibrated: Duration::from_nanos(calibrated_ns),
            best: (route.reason == Reason::Tried).then_some(Duration::from_nanos(self.best_ns)),
        })
    }
}

impl Hybrid {
    /// Whether it is so little that the CPU is the fastest whatever it is: asked before anything
    /// else, as such calls take less time than to predict one.
    #[inline]
    pub(super) fn is_small(&self, operator: &Operator, load: &Load) -> bool {
        operator.is_small(load) && self.forced.load(Ordering::Relaxed) == NOT_FORCED
    }

    /// The device that the predictions choose, and whether devices compete for the tasks.
    pub(super) fn decide(&self, operator: &Operator, load: Load) -> Decision {
        let (wanted, reason) = match self.forced() {
            Some(backend) => (Some(backend), Reason::Forced),
            None => (operator.directive, Reason::ForcedByEnvironment),
        };
        let calibrated = match wanted {
            // Forced calls are not measured.
            Some(_) => operator.table.get().and_then(Option::as_ref),
            None if self.devices.len() == 1 => None,
            None => self.table_of(operator),
        };
        let learns =
            calibrated.is_none() && operator.calibration.is_none() && self.devices.len() > 1 && wanted.is_none();
        if learns {
            let devices = self.devices.iter().map(Device::backend);
            let untried = operator
                .learned()
                .untried(&load, devices.filter(|&backend| self.is_in_use(backend)));
            if let Some(backend) = untried {
                return Decision {
                    route: Route {
                        operator: operator.identity.name,
                        load,
                        backend,
                        reason: Reason::Tried,
                        predicted_ns: Default::default(),
                    },
                    competition: None,
                    is_learning: true,
                };
            }
        }
        let learned = learns.then(|| operator.learned().table());
        let table = calibrated.or(learned.as_ref());
        // What was learned is of loads in one number.
        let given = load;
        let load = if learns { learned::flat(&given) } else { given };
        let kind = Kind::of(operator.number, &load);
        // Where the last call like this one went.
        let there = Cell::new(None);
        let factor = |backend| {
            let known = self.feedback.known(kind, backend);
            if known.is_there && self.is_in_use(backend) {
                there.set(Some(backend));
            }
            known.factor
        };
        let mut prediction = table.map_or(Prediction::default(), |table| table.predict(&load, factor));
        prediction.stay(there.get(), HYSTERESIS);
        let (backend, reason) = match (wanted, table) {
            (Some(backend), _) => (backend, reason),
            (None, None) if self.devices.len() == 1 => (Backend::Cpu, Reason::OnlyDevice),
            (None, None) => (Backend::Cpu, Reason::NotCalibrated),
            (None, Some(table)) => match table.threshold(&load).filter(|t| self.device(t.backend).is_ok()) {
                Some(threshold) => (threshold.backend, Reason::Threshold(threshold)),
                None => match prediction.fastest {
                    Some(backend) => (backend, Reason::Fastest),
                    None => (Backend::Cpu, Reason::NotCalibrated),
                },
            },
        };
        let is_contested = reason == Reason::Fastest && prediction.ns.iter().filter(|ns| **ns > 0).count() > 1;
        let competition = is_contested.then_some(Competition {
            kind,
            calibrated_ns: prediction.calibrated_ns,
            best_ns: prediction.ns[backend as usize],
        });
        let mut route = Route {
            operator: operator.identity.name,
            load: given,
            backend,
            reason,
            predicted_ns: prediction.ns,
        };
        if !self.is_in_use(backend) {
            let others = |other| other != backend && self.is_in_use(other);
            // By what was learned, as far as anything was predicted of them.
            let ns = |backend: Backend| prediction.ns[backend as usize];
            let known = Backend::ALL
                .iter()
                .copied()
                .filter(|&other| others(other) && ns(other) > 0);
            let next = table.filter(|_| wanted.is_none()).and_then(|table| {
                let next = known.min_by_key(|&other| ns(other));
                next.or_else(|| table.fastest(&load, others))
            });
            route.reason = Reason::OutOfUse(backend);
            route.backend = next.unwrap_or(Backend::Cpu);
        }
        Decision {
            route,
            competition,
            is_learning: false,
        }
    }

    /// Once in a while a device that calls pass by is tried, for a few calls in a row: because they
    /// took longer there than calibration has it, or to see whether they take less.
    pub(super) fn try_another(&self, competition: &Competition, route: &mut Route) {
        if route.reason != Reason::Fastest {
            return;
        }
        let candidates = self.devices.iter().filter_map(|device| {
            let backend = device.backend();
            let [calibrated_ns, ns] = [competition.calibrated_ns, route.predicted_ns].map(|ns| ns[backend as usize]);
            // To open one takes longer than any trial, and so is done for those alone that promise
            // to be faster.
            let is_ready = ns <= competition.best_ns || backend == Backend::Cpu || device.was_open();
            let competes = backend != route.backend && ns > 0 && is_ready && self.is_in_use(backend);
            competes.then_some(Candidate {
                backend,
                excess: ns as f64 / competition.best_ns as f64 - 1.0,
                is_calibrated: calibrated_ns < competition.best_ns,
            })
        });
        if let Some(backend) = self.feedback.tried(competition.kind, route.backend, candidates) {
            route.backend = backend;
            route.reason = Reason::Tried;
        }
    }
}
