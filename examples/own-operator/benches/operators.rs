//! Criterion groups for every operator, backend and size: `cargo bench`, and `cargo bench -- saxpy/vulkan` for some.

use criterion::{BenchmarkId, Criterion, Throughput};
use gpu_executor::{
    Backend, Executor,
    testkit::{OPERATORS, Operator},
};
use own_operator::{Messages, Vectors};

/// With `vector_add`, which does the same work without a factor, by a kernel without checks.
fn operators() -> [Operator; 3] {
    [
        OPERATORS[0],
        Operator::of::<Vectors>("a sum", 1),
        Operator::of::<Messages<64>>("a message of 64 bytes", 1000),
    ]
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for operator in operators() {
        let mut group = criterion.benchmark_group(operator.name);
        for &backend in Backend::ALL {
            let Ok(executor) = Executor::new(backend) else { continue };
            for size in [1_000, 30_000, 1_000_000] {
                let workload = (operator.workload)(size, 1, 1);
                // A benchmark is a test as well.
                workload.check(&executor).expect("what the CPU has");
                group.throughput(Throughput::Elements(size as u64));
                group.bench_function(BenchmarkId::new(backend.name(), size), |bencher| {
                    bencher.iter_custom(|calls| (0..calls).map(|_| workload.run(&executor).expect("a call")).sum());
                });
            }
        }
        group.finish();
    }
    criterion.final_summary();
}
