use gpu_executor::task::{Calibration, Cost, Generate, Kernel, MESSAGES_WGSL, Random, Strings, Task, generated};

/// BLAKE3 of each message, 32 bytes of it.
///
/// Source: J. O'Connor, J.-P. Aumasson, S. Neves and Z. Wilcox-O'Hearn, "BLAKE3: one function, fast
/// everywhere" (2020).
#[derive(Debug)]
pub struct Blake3<'a, M> {
    /// Shape `[n]`, each of any length.
    pub messages: &'a [M],
}

// Derived, they would ask the same of messages.
impl<M> Clone for Blake3<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Blake3<'_, M> {}

/// The host hashes longer messages: the kernel's stack has room for 64 chunks of a kilobyte.
const LONGEST_BYTES: usize = 64 << 10;

/// Bytes of a block.
const BLOCK_BYTES: usize = 64;

fn digest(message: &[u8]) -> [u8; 32] {
    *blake3::hash(message).as_bytes()
}

impl<M: AsRef<[u8]> + Sync> Task for Blake3<'_, M> {
    const KERNEL: Kernel = Kernel::new("blake3", include_str!("blake3.wgsl"))
        .after(&[MESSAGES_WGSL])
        .digests_longer_than(LONGEST_BYTES, digest)
        .cost(Cost {
            element: 1000,
            word: 60,
        });
    const CALIBRATION: Option<Calibration> = Some(Calibration::of_depths(&[
        (1, generated::<Messages<64>>),
        (16, generated::<Messages<1024>>),
    ]));
    type Inputs = Strings<M>;
    type Parameters = ();
    type Item = [u8; 32];

    fn inputs(&self) -> &[M] {
        self.messages
    }

    fn steps(bytes: usize) -> usize {
        bytes.min(LONGEST_BYTES).div_ceil(BLOCK_BYTES).max(1)
    }

    fn compute(messages: &[M], (): (), output: &mut [[u8; 32]]) {
        for (to, message) in output.iter_mut().zip(messages) {
            *to = digest(message.as_ref());
        }
    }
}

/// Messages of `BYTES` bytes, for the router, tests and benches.
#[derive(Debug)]
pub struct Messages<const BYTES: usize>(Vec<[u8; BYTES]>);

impl<const BYTES: usize> Generate for Messages<BYTES> {
    type Task<'a> = Blake3<'a, [u8; BYTES]>;

    fn generate(size: usize, random: &mut Random) -> Self {
        let mut message = || std::array::from_fn(|_| random.u64().to_le_bytes()[0]);
        Self((0..size).map(|_| message()).collect())
    }

    fn task(&self) -> Self::Task<'_> {
        Blake3 { messages: &self.0 }
    }
}
