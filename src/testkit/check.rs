//! An operator against its CPU function, on every adapter and in every way that a task takes.

use super::{CheckError, Random};
use crate::{
    adapter::Adapter,
    backend::Backend,
    executor::Executor,
    options::Options,
    task::{Columns, Generate, Generated, Task, check_kernel, compare},
    tuning::{Transfer, Tuning},
};

/// Sizes that tend to be told apart: none, one, around the threads of a workgroup, more than a
/// workgroup.
const SIZES: [usize; 12] = [0, 1, 2, 3, 31, 63, 64, 65, 255, 256, 257, 1000];

/// A size that takes many chunks of [`CHUNK_BYTES`].
const LARGE: usize = 5000;

const CHUNK_BYTES: u64 = 4 << 10;

/// Checks the kernel of the operator whose tasks `G` generates, and holds it to its CPU function on
/// every adapter that can be used: single tasks and batches of many sizes, whole and in chunks,
/// with buffers that the host shares and with copies, as a call and as a future. Returns the
/// adapters' names.
///
/// # Errors
/// The first thing that is wrong, with operator, adapter, task and element.
pub fn check<G: Generate>() -> Result<Vec<String>, CheckError> {
    check_kernel::<G::Task<'_>>()?;
    let mut checked = Vec::new();
    on_every_adapter(|executor| {
        check_on::<G>(executor)?;
        let name = format!("{} ({})", executor.adapter().name, executor.backend());
        if !checked.contains(&name) {
            checked.push(name);
        }
        Ok(())
    })?;
    Ok(checked)
}

/// Checks tasks in place as [`check()`] does tasks: an operator whose inputs are columns computes
/// from memory that the device reaches what its CPU function does.
///
/// # Errors
/// Those of [`check()`].
pub fn check_in_place<G: Generate>() -> Result<(), CheckError>
where
    for<'a> G::Task<'a>: Task<Inputs: Columns>,
{
    on_every_adapter(|executor| {
        let mut random = Random::new(2);
        for size in SIZES.into_iter().filter(|&size| size > 0) {
            let inputs = G::generate(size, &mut random);
            let task = inputs.task();
            let mut place = executor.in_place::<G::Task<'_>>(task.elements()?, task.parameters())?;
            for _ in 0..2 {
                <<G::Task<'_> as Task>::Inputs as Columns>::copy(place.inputs()?, task.inputs());
                let output = place.run()?.to_vec();
                compare::<G>(&[task], &[output], &executor.adapter().name)?;
            }
        }
        Ok(())
    })
}

fn on_every_adapter(mut check: impl FnMut(&Executor) -> Result<(), CheckError>) -> Result<(), CheckError> {
    for adapter in Adapter::list(Backend::ALL) {
        if adapter.info().unusable.is_some() {
            continue;
        }
        for transfer in [Transfer::DIRECT, Transfer::STAGED] {
            for chunk_bytes in [Options::default().chunk_bytes, CHUNK_BYTES] {
                let options = Options {
                    chunk_bytes,
                    tuning: Some(Tuning::plain(transfer)),
                    cache_dir: None,
                    ..Options::default()
                };
                check(&Executor::on(&adapter, options)?)?;
            }
            if adapter.info().backend == Backend::Cpu {
                break;
            }
        }
    }
    Ok(())
}

fn check_on<G: Generate>(executor: &Executor) -> Result<(), CheckError> {
    let name = &executor.adapter().name;
    let mut random = Random::new(1);
    let inputs: Vec<G> = SIZES
        .into_iter()
        .chain([LARGE])
        .map(|size| G::generate(size, &mut random))
        .collect();
    let tasks: Vec<G::Task<'_>> = inputs.iter().map(G::task).collect();
    for task in &tasks {
        let one = std::slice::from_ref(task);
        compare::<G>(one, &[executor.run(task)?], name)?;
        compare::<G>(one, &[executor.submit(task)?.wait()?], name)?;
    }
    compare::<G>(&tasks, &executor.run_batch(&tasks)?, name)?;
    // The sizes from behind, so that others are neighbours; empty ones come first and last.
    let mut turned = tasks.clone();
    turned.reverse();
    let flat = executor.run_batch_flat(&turned)?;
    compare::<G>(&turned, &flat.iter().collect::<Vec<_>>(), name)?;
    let many = Generated::<G>::new(3, 200, 3);
    compare::<G>(&many.tasks(), &executor.run_batch(&many.tasks())?, name)?;
    let mut call = executor.call();
    let tickets = [call.add(&tasks)?, call.add(&turned)?];
    let mut outputs = call.run()?;
    for (tasks, ticket) in [&tasks, &turned].into_iter().zip(&tickets) {
        compare::<G>(tasks, &outputs.take(ticket)?.iter().collect::<Vec<_>>(), name)?;
    }
    Ok(())
}
