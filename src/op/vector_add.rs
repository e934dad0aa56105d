//! `vector_add`: the element-wise sum of two vectors of f32, the yardstick that no transfer pays
//! for.

use crate::task::{Calibration, Cost, Generate, Kernel, Random, Task};

/// `sum[i] = a[i] + b[i]` over f32, rounded to nearest as IEEE 754 wants it. Overflow gives an
/// infinity, infinities of opposite sign a NaN; the payload of a NaN is unspecified, and a GPU may
/// flush subnormal numbers to zero.
#[derive(Clone, Copy, Debug)]
pub struct VectorAdd<'a> {
    /// Shape `[n]`.
    pub a: &'a [f32],
    /// Shape `[n]`.
    pub b: &'a [f32],
}

impl Task for VectorAdd<'_> {
    const KERNEL: Kernel = {
        let kernel = Kernel::new("vector_add", include_str!("../../shaders/vector_add.wgsl"))
            .with_int64(include_str!("../../shaders/vector_add_int64.wgsl"), &[])
            .elements_per_thread(4)
            .cost(Cost { element: 1, word: 0 });
        #[expect(unsafe_code, reason = "a reviewed kernel")]
        // SAFETY: each thread compares its number with that of the groups of four elements, rounded
        // up, before it touches a binding at that number and nowhere else. There is no loop and no
        // workgroup memory.
        unsafe {
            kernel.trusted::<Self>()
        }
    };
    const CALIBRATION: Option<Calibration> = Some(Calibration::of::<Input>());
    type Inputs = (f32, f32);
    type Parameters = ();
    type Item = f32;

    fn inputs(&self) -> (&[f32], &[f32]) {
        (self.a, self.b)
    }

    fn compute((a, b): (&[f32], &[f32]), (): (), output: &mut [f32]) {
        for (sum, (a, b)) in output.iter_mut().zip(a.iter().zip(b)) {
            *sum = a + b;
        }
    }

    fn append((a, b): (&[f32], &[f32]), (): (), output: &mut Vec<f32>) {
        output.extend(a.iter().zip(b).map(|(a, b)| a + b));
    }
}

/// Owned inputs, for tests and benches.
#[derive(Debug)]
pub(crate) struct Input {
    a: Vec<f32>,
    b: Vec<f32>,
}

impl Generate for Input {
    type Task<'a> = VectorAdd<'a>;

    fn generate(size: usize, random: &mut Random) -> Self {
        let mut vector = || (0..size).map(|_| random.f32()).collect();
        Self {
            a: vector(),
            b: vector(),
        }
    }

    fn task(&self) -> VectorAdd<'_> {
        VectorAdd { a: &self.a, b: &self.b }
    }

    fn same(device: &f32, cpu: &f32) -> bool {
        device == cpu || (device.is_nan() && cpu.is_nan())
    }
}
