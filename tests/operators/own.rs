//! Operators that the library knows nothing of.

use gpu_executor::{
    Backend, Error, Hybrid, HybridOptions, Reason, Task,
    task::{Generate, Kernel, Random, check_kernel},
    testkit,
};

use super::common;

/// `factor * x[i]`, by a kernel of the name `scaled` whose factor is in its text.
macro_rules! scaled {
    ($name:ident, $factor:literal, $body:literal) => {
        #[derive(Clone, Copy, Debug)]
        struct $name<'a>(&'a [u32]);

        impl Task for $name<'_> {
            const KERNEL: Kernel = Kernel::new(
                "scaled",
                concat!(
                    "struct Call { elements: u32, row: u32 }
                    var<immediate> call: Call;
                    @group(0) @binding(0) var<storage, read> x: array<u32>;
                    @group(0) @binding(1) var<storage, read_write> output: array<u32>;
                    @compute @workgroup_size(64)
                    fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
                        let i = thread.y * call.row + thread.x;
                        ",
                    $body,
                    "
                    }"
                ),
            );
            type Inputs = (u32,);
            type Parameters = ();
            type Item = u32;

            fn inputs(&self) -> (&[u32],) {
                (self.0,)
            }

            fn compute((x,): (&[u32],), (): (), output: &mut [u32]) {
                for (to, x) in output.iter_mut().zip(x) {
                    *to = $factor * x;
                }
            }
        }
    };
}

scaled!(Twice, 2, "if i < call.elements { output[i] = 2 * x[i]; }");
scaled!(Thrice, 3, "if i < call.elements { output[i] = 3 * x[i]; }");
// Every thread writes far beyond its buffer, and reads there, and loops until that ends it.
scaled!(
    Wild,
    5,
    "output[i + 0x10000000u] = x[i + 0x10000000u];
     output[i] = 5 * x[i];"
);
scaled!(Wrong, 7, "output[i] = seven * x[i];");

#[test]
fn operators_of_one_name_with_different_kernels_are_never_mixed_up() {
    let x: Vec<u32> = (0..1000).collect();
    let scaled = |factor: u32| x.iter().map(|x| factor * x).collect::<Vec<_>>();
    for executor in common::executors(&common::options()) {
        let name = &executor.adapter().name;
        for _ in 0..3 {
            assert_eq!(executor.run(&Twice(&x)).unwrap(), scaled(2), "{name}");
            assert_eq!(executor.run(&Thrice(&x)).unwrap(), scaled(3), "{name}");
        }
        let created = executor.counters();
        executor.run(&Twice(&x)).unwrap();
        executor.run(&Thrice(&x)).unwrap();
        let after = executor.counters();
        assert_eq!(created.pipelines_created, after.pipelines_created, "{name}");
        assert_eq!(created.buffers_created, after.buffers_created, "{name}");
    }
    let adapters = common::adapters();
    let router = Hybrid::on(&adapters, HybridOptions::default()).unwrap();
    for _ in 0..10 {
        assert_eq!(router.run(&Twice(&x)).unwrap().output, scaled(2));
        assert_eq!(router.run(&Thrice(&x)).unwrap().output, scaled(3));
    }
}

#[test]
fn a_kernel_that_reaches_beyond_its_buffers_reaches_nothing() {
    let x: Vec<u32> = (0..1000).collect();
    let expected: Vec<u32> = x.iter().map(|x| 5 * x).collect();
    for executor in common::executors(&common::options()) {
        let name = &executor.adapter().name;
        for _ in 0..3 {
            assert_eq!(executor.run(&Wild(&x)).unwrap(), expected, "{name}");
            assert_eq!(executor.run(&Twice(&x)).unwrap()[999], 1998, "{name}");
        }
    }
}

#[test]
fn a_wrong_kernel_is_an_error_with_its_place_and_ends_no_executor() {
    let is_expected = |error: Error| {
        assert!(
            matches!(
                error,
                Error::Kernel {
                    operator: "scaled",
                    line: 8,
                    column: 37,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("seven"), "{error}");
    };
    is_expected(check_kernel::<Wrong<'_>>().unwrap_err());
    for executor in common::executors(&common::options()) {
        if executor.backend() == Backend::Cpu {
            assert_eq!(executor.run(&Wrong(&[1])).unwrap(), [7], "there it is not needed");
            continue;
        }
        is_expected(executor.run(&Wrong(&[1])).unwrap_err());
        is_expected(executor.submit(&Wrong(&[1])).map(|_| ()).unwrap_err());
        is_expected(executor.in_place::<Wrong<'_>>(1, ()).map(|_| ()).unwrap_err());
        assert_eq!(executor.run(&Twice(&[1])).unwrap(), [2]);
    }
}

#[test]
fn an_operator_without_a_calibration_is_learned_from_its_calls() {
    let x = vec![1; 100_000];
    for gpu in common::adapters() {
        let backend = gpu.info().backend;
        if backend == Backend::Cpu {
            continue;
        }
        let router = Hybrid::on(&[gpu], HybridOptions::default()).unwrap();
        let routes: Vec<_> = (0..8)
            .map(|_| {
                let routed = router.run(&Twice(&x)).unwrap();
                assert!(routed.output.iter().all(|&x| x == 2), "{}", routed.route);
                routed.route
            })
            .collect();
        // Two calls on each device, the CPU first; then where they took the least.
        let tried: Vec<_> = routes[..4].iter().map(|route| (route.backend, &route.reason)).collect();
        let expected = [Backend::Cpu, Backend::Cpu, backend, backend];
        assert_eq!(tried, expected.map(|backend| (backend, &Reason::Tried)));
        let least = routes[4].predicted().min_by_key(|(_, time)| *time).unwrap().0;
        assert_eq!(
            (routes[4].backend, &routes[4].reason),
            (least, &Reason::Fastest),
            "{}",
            routes[4]
        );
        assert_eq!(router.table::<Twice<'_>>(), None);
        // A device that is forced is used, whatever was learned.
        router.force(Some(backend)).unwrap();
        assert_eq!(router.run(&Twice(&x)).unwrap().route.backend, backend);
    }
}

/// Inputs of [`Twice`].
struct Numbers(Vec<u32>);

impl Generate for Numbers {
    type Task<'a> = Twice<'a>;

    fn generate(size: usize, random: &mut Random) -> Self {
        Self((0..size).map(|_| random.u64() as u32 / 2).collect())
    }

    fn task(&self) -> Twice<'_> {
        Twice(&self.0)
    }
}

/// The same for a kernel that is not what its CPU function says.
struct Off(Vec<u32>);

scaled!(
    OffByOne,
    2,
    "if i < call.elements { output[i] = 2 * x[i] + u32(i == 255); }"
);

impl Generate for Off {
    type Task<'a> = OffByOne<'a>;

    fn generate(size: usize, _: &mut Random) -> Self {
        Self(vec![4; size])
    }

    fn task(&self) -> OffByOne<'_> {
        OffByOne(&self.0)
    }
}

#[test]
fn the_test_kit_passes_what_is_right_and_names_the_element_that_is_not() {
    let checked = testkit::check::<Numbers>().unwrap();
    testkit::check_in_place::<Numbers>().unwrap();
    assert!(checked.iter().any(|name| name.ends_with("(cpu)")), "{checked:?}");
    if common::adapters()
        .iter()
        .any(|adapter| adapter.info().backend != Backend::Cpu)
    {
        assert!(checked.len() > 1, "{checked:?}");
        let error = testkit::check::<Off>().unwrap_err().to_string();
        assert!(error.contains("element 255 is 9, the CPU has 8"), "{error}");
        let error = testkit::check_in_place::<Off>().unwrap_err().to_string();
        assert!(error.contains("element 255 is 9, the CPU has 8"), "{error}");
    }
}
