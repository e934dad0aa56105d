//! Tasks in place.

use gpu_executor::{Error, VectorAdd};

use super::{SIZES, common, numbers, sums};

#[test]
fn a_task_in_place_keeps_its_inputs() {
    for executor in common::executors(&common::options()) {
        for n in SIZES {
            let mut task = executor.in_place::<VectorAdd<'_>>(n, ()).unwrap();
            let (a, b, c) = (numbers(n, 1), numbers(n, 2), numbers(n, 3));
            let (mut x, mut y) = task.inputs().unwrap();
            x.copy_from_slice(&a);
            y.copy_from_slice(&b);
            assert_eq!(*task.run().unwrap(), sums(&a, &b), "{} {n}", executor.backend());
            let (_, y) = task.inputs().unwrap();
            y.write_iter(c.iter().copied());
            let mut copy = vec![0.0; n];
            task.run().unwrap().copy_to_slice(&mut copy);
            assert_eq!(copy, sums(&a, &c), "{} {n}", executor.backend());
            // Threads write parts of it.
            let (x, _) = task.inputs().unwrap();
            let (mut left, mut right) = x.split_at(n / 2);
            std::thread::scope(|scope| {
                scope.spawn(move || left.fill(1.0));
                right.fill(2.0);
            });
            let ones: Vec<f32> = (0..n).map(|i| if i < n / 2 { 1.0 } else { 2.0 }).collect();
            assert_eq!(*task.run().unwrap(), sums(&ones, &c), "{} {n}", executor.backend());
        }
    }
}

#[test]
fn a_task_in_place_begins_with_zeros_whatever_ran_before() {
    let sevens = [7.0_f32; 300];
    for executor in common::executors(&common::options()) {
        executor.run(&VectorAdd { a: &sevens, b: &sevens }).unwrap();
        let mut task = executor.in_place::<VectorAdd<'_>>(300, ()).unwrap();
        assert_eq!(*task.run().unwrap(), [0.0; 300], "{}", executor.backend());
        let (mut x, _) = task.inputs().unwrap();
        x.copy_from_slice(&sevens);
        assert_eq!(*task.run().unwrap(), sevens);
        drop(task);
        let mut again = executor.in_place::<VectorAdd<'_>>(299, ()).unwrap();
        assert_eq!(*again.run().unwrap(), [0.0; 299], "{}", executor.backend());
    }
}

#[test]
fn what_no_buffer_holds_is_not_written_in_place() {
    for executor in common::gpu_executors(&common::options()) {
        for elements in [0, 1 << 40] {
            let error = executor.in_place::<VectorAdd<'_>>(elements, ()).unwrap_err();
            assert!(matches!(error, Error::NotInPlace { .. }), "{error}");
        }
    }
}

#[test]
fn an_output_that_was_forgotten_does_not_block_later_calls() {
    for executor in common::executors(&common::options()) {
        for _ in 0..2 {
            let mut task = executor.in_place::<VectorAdd<'_>>(300, ()).unwrap();
            task.inputs().unwrap().0.fill(3.0);
            for _ in 0..2 {
                std::mem::forget(task.run().unwrap());
            }
            assert_eq!(*task.run().unwrap(), [3.0; 300], "{}", executor.backend());
            std::mem::forget(task.run().unwrap());
        }
        let ones = [1.0; 300];
        assert_eq!(executor.run(&VectorAdd { a: &ones, b: &ones }).unwrap(), [2.0; 300]);
    }
}

#[test]
fn a_task_in_place_fails_with_its_device() {
    for executor in common::gpu_executors(&common::options()) {
        let mut task = executor.in_place::<VectorAdd<'_>>(100, ()).unwrap();
        assert_eq!(task.run().unwrap()[99], 0.0);
        let pending = executor.submit(&VectorAdd { a: &[1.0], b: &[1.0] }).unwrap();
        executor.lose_device();
        for _ in 0..2 {
            let error = task.run().unwrap_err();
            assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
        }
        assert!(matches!(task.inputs().unwrap_err(), Error::DeviceLost { .. }));
        assert!(matches!(pending.wait().unwrap_err(), Error::DeviceLost { .. }));
    }
}
