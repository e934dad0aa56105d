//! `vector_add`: the element-wise sum of two vectors of f32, the yardstick that no transfer pays for.

use super::{Cost, Elementwise, Shape, Spec, Step, Task};
use crate::{
    error::Error,
    workload::{Generate, Random},
};

/// `sum[i] = a[i] + b[i]` over f32, rounded to nearest as IEEE 754 wants it. Overflow gives an infinity, infinities of
/// opposite sign a NaN; the payload of a NaN is unspecified, and a GPU may flush subnormal numbers to zero.
#[derive(Clone, Copy, Debug)]
pub struct VectorAdd<'a> {
    /// Shape `[n]`.
    pub a: &'a [f32],
    /// Shape `[n]`.
    pub b: &'a [f32],
}

impl super::sealed::Sealed for VectorAdd<'_> {}

impl Task for VectorAdd<'_> {
    const SPEC: Spec = Spec {
        operator: "vector_add",
        shader: include_str!("../../shaders/vector_add.wgsl"),
        shader_int64: Some(include_str!("../../shaders/vector_add_int64.wgsl")),
        workgroup_size: 256,
        elements_per_thread: 4,
        inputs: Shape::Numbers(&[4, 4]),
        output_stride: 4,
        immediates: 2,
        step: Step::only,
        room: |elements, _| elements,
        cost: Cost { element: 1, word: 0 },
    };
    // A batch of a megabyte is added before another thread is awake.
    const PARALLEL: bool = false;
    type Item = f32;

    fn elements(&self) -> Result<usize, Error> {
        if self.a.len() == self.b.len() {
            Ok(self.a.len())
        } else {
            Err(Error::LengthMismatch {
                operator: Self::SPEC.operator,
                task: 0,
                left: self.a.len(),
                right: self.b.len(),
            })
        }
    }

    fn input(&self, index: usize) -> &[u8] {
        bytemuck::cast_slice([self.a, self.b][index])
    }

    fn run_on_cpu(&self, output: &mut Vec<f32>) {
        output.extend(self.a.iter().zip(self.b).map(|(a, b)| a + b));
    }

    fn run_on_cpu_into(&self, output: &mut [f32]) {
        for (sum, (a, b)) in output.iter_mut().zip(self.a.iter().zip(self.b)) {
            *sum = a + b;
        }
    }
}

impl Elementwise for VectorAdd<'_> {
    type Over<'a> = VectorAdd<'a>;

    fn over<'a>(inputs: &[&'a [u8]]) -> VectorAdd<'a> {
        VectorAdd {
            a: bytemuck::cast_slice(inputs[0]),
            b: bytemuck::cast_slice(inputs[1]),
        }
    }
}

/// Owned inputs, for tests and benches.
pub(super) struct Input {
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
