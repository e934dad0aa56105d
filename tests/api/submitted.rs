//! Tasks that are submitted, and waited for as futures or not.

use std::{
    pin::pin,
    sync::{Arc, mpsc},
    task::{Context, Poll, Wake, Waker},
};

use gpu_executor::VectorAdd;

use super::{SIZES, common, numbers, sums};

#[test]
fn submitted_tasks_come_back_in_any_order() {
    for executor in common::executors(&common::options()) {
        let inputs: Vec<_> = SIZES.iter().map(|&n| (numbers(n, n), numbers(n, 1))).collect();
        let pending: Vec<_> = inputs
            .iter()
            .map(|(a, b)| executor.submit(&VectorAdd { a, b }).unwrap())
            .collect();
        for ((a, b), pending) in inputs.iter().zip(pending).rev() {
            assert_eq!(pending.wait().unwrap(), sums(a, b), "{}", executor.backend());
        }
    }
}

/// Says so when it is woken.
struct Bell(mpsc::Sender<()>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // No waker is left once the future is done.
        let _ = self.0.send(());
    }
}

#[test]
fn a_submitted_task_is_a_future_that_wakes_its_task() {
    let (a, b) = (numbers(300_001, 1), numbers(300_001, 2));
    for executor in common::executors(&common::options()) {
        for _ in 0..5 {
            let mut pending = pin!(executor.submit(&VectorAdd { a: &a, b: &b }).unwrap());
            let (sender, bell) = mpsc::channel();
            let waker = Waker::from(Arc::new(Bell(sender)));
            let output = loop {
                match pending.as_mut().poll(&mut Context::from_waker(&waker)) {
                    Poll::Ready(output) => break output.unwrap(),
                    // Nothing else looks at the device: without a wake-up this would stand still.
                    Poll::Pending => bell.recv_timeout(std::time::Duration::from_secs(60)).unwrap(),
                }
            };
            assert_eq!(output, sums(&a, &b), "{}", executor.backend());
        }
    }
}

/// A waker that panics.
struct Faulty;

impl Wake for Faulty {
    fn wake(self: Arc<Self>) {
        panic!("a waker's own fault");
    }
}

#[test]
fn a_waker_that_panics_keeps_no_other_task_asleep() {
    let (a, b) = (numbers(300_001, 1), numbers(300_001, 2));
    let task = VectorAdd { a: &a, b: &b };
    for executor in common::executors(&common::options()) {
        let mut first = executor.submit(&task).unwrap();
        let mut second = executor.submit(&task).unwrap();
        let (sender, bell) = mpsc::channel();
        // The thread serves this request only after the panic.
        let bell_waker = Waker::from(Arc::new(Bell(sender)));
        let is_pending = pin!(&mut first)
            .poll(&mut Context::from_waker(&Waker::from(Arc::new(Faulty))))
            .is_pending();
        while pin!(&mut second)
            .poll(&mut Context::from_waker(&bell_waker))
            .is_pending()
        {
            bell.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
        }
        if is_pending {
            assert_eq!(first.wait().unwrap(), sums(&a, &b));
        }
    }
}

#[test]
fn a_submitted_task_may_outlive_its_executor_or_be_dropped() {
    let (a, b) = (numbers(70_000, 1), numbers(70_000, 2));
    let task = VectorAdd { a: &a, b: &b };
    for executor in common::executors(&common::options()) {
        drop(executor.submit(&task).unwrap());
        let pending = executor.submit(&task).unwrap();
        assert_eq!(executor.run(&task).unwrap(), sums(&a, &b));
        drop(executor);
        assert_eq!(pending.wait().unwrap(), sums(&a, &b));
    }
}
