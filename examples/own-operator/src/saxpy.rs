use gpu_executor::task::{Calibration, Cost, Generate, Kernel, Random, Task};

/// `a · x[i] + y[i]` over f32; the GPU may round once where the CPU rounds twice.
#[derive(Clone, Copy, Debug)]
pub struct Saxpy<'a> {
    /// The factor.
    pub a: f32,
    /// Shape `[n]`.
    pub x: &'a [f32],
    /// Shape `[n]`.
    pub y: &'a [f32],
}

const WGSL: &str = "
    struct Call { elements: u32, row: u32, a: f32 }
    var<immediate> call: Call;
    @group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
    @group(0) @binding(1) var<storage, read> y: array<vec4<f32>>;
    @group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;
    @compute @workgroup_size(256)
    fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
        let i = thread.y * call.row + thread.x;
        if i < (call.elements + 3) / 4 { output[i] = call.a * x[i] + y[i]; }
    }";

impl Task for Saxpy<'_> {
    const KERNEL: Kernel = Kernel::new("saxpy", WGSL)
        .elements_per_thread(4)
        .cost(Cost { element: 1, word: 0 });
    const CALIBRATION: Option<Calibration> = Some(Calibration::of::<Vectors>());
    type Inputs = (f32, f32);
    type Parameters = f32;
    type Item = f32;

    fn inputs(&self) -> (&[f32], &[f32]) {
        (self.x, self.y)
    }

    fn parameters(&self) -> f32 {
        self.a
    }

    fn compute((x, y): (&[f32], &[f32]), a: f32, output: &mut [f32]) {
        for ((to, x), y) in output.iter_mut().zip(x).zip(y) {
            *to = a * x + y;
        }
    }
}

/// Inputs for the router, tests and benches.
#[derive(Debug)]
pub struct Vectors(Vec<f32>, Vec<f32>);

impl Generate for Vectors {
    type Task<'a> = Saxpy<'a>;

    fn generate(size: usize, random: &mut Random) -> Self {
        let mut vector = || (0..size).map(|_| random.f32()).collect();
        Self(vector(), vector())
    }

    fn task(&self) -> Saxpy<'_> {
        // A power of two: rounded once or twice, the result is the same.
        Saxpy {
            a: 2.0,
            x: &self.0,
            y: &self.1,
        }
    }
}
