//! The operators that a router has met, each with its state.

use std::sync::{
    Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::{learned::Learned, table::Table};
use crate::{
    backend::Backend,
    task::{Calibration, Load, Task, TaskExt as _},
};

/// Which operator it is: two of one name may have different kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: &'static str,
    /// A number of its kernel and of how its inputs and output lie.
    pub(super) kernel: u64,
}

impl Identity {
    pub(super) const fn of<T: Task>() -> Self {
        Self {
            name: T::KERNEL.name(),
            kernel: T::SPEC.id,
        }
    }
}

/// The state of an operator.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) identity: Identity,
    /// Its number among the router's.
    pub(super) number: u32,
    pub(super) calibration: Option<Calibration>,
    /// Where the environment wants its tasks.
    pub(super) directive: Option<Backend>,
    /// What [`Table::small`] says, once it is known; 1 before that, so that nothing to do is
    /// nothing to decide. 0 where the environment decides.
    pub(super) small: AtomicU64,
    /// `None` inside if there was no time to measure it.
    pub(super) table: OnceLock<Option<Table>>,
    /// Whether the program did away with thresholds that are kept.
    pub(super) is_cleared: bool,
    /// What calls took, where there is no calibration.
    learned: Mutex<Learned>,
}

impl Operator {
    pub(super) fn new<T: Task>(number: u32, directive: Option<Backend>) -> Self {
        Self {
            identity: Identity::of::<T>(),
            number,
            calibration: T::CALIBRATION,
            directive,
            small: AtomicU64::new(u64::from(directive.is_none())),
            table: OnceLock::new(),
            is_cleared: false,
            learned: Mutex::default(),
        }
    }

    /// Whether a load is so little that the CPU is the fastest whatever it is.
    #[inline]
    pub(super) fn is_small(&self, load: &Load) -> bool {
        load.work() < self.small.load(Ordering::Relaxed)
    }

    /// What was learned of it; a panic while it was locked cannot have left much half done.
    pub(super) fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The choice that needs no table: none where the environment decides.
    pub(super) fn small_of(&self, table: &Table) -> u64 {
        if self.directive.is_none() {
            // Nothing at all is the CPU's in any case.
            table.small().max(1)
        } else {
            0
        }
    }
}

/// Operators of one part of the list.
const PLACES: usize = 32;

/// Operators, found without a lock: small calls take less time than one.
#[derive(Debug, Default)]
pub(super) struct Operators {
    /// Each at the first free place from that on which its kernel's number says.
    places: [OnceLock<Operator>; PLACES],
    more: OnceLock<Box<Operators>>,
}

impl Operators {
    /// The operator, which is made on first use.
    #[inline]
    pub(super) fn get<T: Task>(&self, make: impl FnOnce(u32) -> Operator) -> &Operator {
        let identity = const { Identity::of::<T>() };
        let first = const { (T::SPEC.id % PLACES as u64) as usize };
        match self.places[first].get() {
            Some(operator) if operator.identity.kernel == identity.kernel => operator,
            _ => self.get_or_make(identity, 0, make),
        }
    }

    #[inline(never)]
    fn get_or_make(&self, identity: Identity, numbered: usize, make: impl FnOnce(u32) -> Operator) -> &Operator {
        let first = usize::try_from(identity.kernel % PLACES as u64).unwrap_or(0);
        let mut make = Some(make);
        for index in (first..PLACES).chain(0..first) {
            let operator = self.places[index].get_or_init(|| {
                let make = make.take().expect("an operator is made once");
                make(u32::try_from(numbered + index).expect("operators are few"))
            });
            if operator.identity == identity {
                return operator;
            }
        }
        let more = self.more.get_or_init(Box::default);
        more.get_or_make(
            identity,
            numbered + PLACES,
            make.expect("no operator but this was made of it"),
        )
    }

    pub(super) fn get_mut<T: Task>(&mut self, make: impl FnOnce(u32) -> Operator) -> &mut Operator {
        let identity = const { Identity::of::<T>() };
        self.get::<T>(make);
        let mut part = self;
        loop {
            if part
                .places
                .iter()
                .any(|place| place.get().is_some_and(|o| o.identity == identity))
            {
                let mut places = part.places.iter_mut().filter_map(OnceLock::get_mut);
                return places
                    .find(|operator| operator.identity == identity)
                    .expect("just seen");
            }
            part = part.more.get_mut().expect("it is among those that are known");
        }
    }

    /// All that are known, in no order.
    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = &Operator> + '_> {
        let more = self.more.get().into_iter().flat_map(|more| more.iter());
        Box::new(self.places.iter().filter_map(OnceLock::get).chain(more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(kernel: u64) -> impl FnOnce(u32) -> Operator {
        move |number| Operator {
            identity: Identity { name: "some", kernel },
            ..Operator::new::<crate::op::VectorAdd<'_>>(number, None)
        }
    }

    #[test]
    fn each_operator_is_made_once_and_found_again_however_many_there_are() {
        let operators = Operators::default();
        let identity = |kernel| Identity { name: "some", kernel };
        // All of them want the same place, or its neighbour.
        let kernels: Vec<u64> = (0..100).map(|n| 7 + n * PLACES as u64 + n % 2).collect();
        let numbers: Vec<u32> = kernels
            .iter()
            .map(|&kernel| operators.get_or_make(identity(kernel), 0, operator(kernel)).number)
            .collect();
        let mut distinct = numbers.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!((distinct.len(), operators.iter().count()), (100, 100));
        for (&kernel, number) in kernels.iter().zip(numbers) {
            let again = operators.get_or_make(identity(kernel), 0, |_| panic!("{kernel} is known"));
            assert_eq!((again.identity.kernel, again.number), (kernel, number));
        }
        // Another name is another operator, whatever its kernel.
        let other = Identity {
            name: "other",
            kernel: 7,
        };
        let made = operators.get_or_make(other, 0, |number| Operator {
            identity: other,
            ..operator(7)(number)
        });
        assert_eq!((made.identity, operators.iter().count()), (other, 101));
    }
}
