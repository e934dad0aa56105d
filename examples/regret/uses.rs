//! The measured work: the operators as benches run them, and uses that lie between and beyond what
//! a calibration tries.

use gpu_executor::{
    Bn254FrMul, Keccak256, Sha256,
    op::Element,
    task::{Generate, Random},
    testkit::{OPERATORS, Operator, workload},
};

/// An operator, or a use of one.
pub(crate) struct Use {
    pub(crate) operator: Operator,
    /// Elements of all tasks, at most: longer ones take more memory.
    pub(crate) most: usize,
}

pub(crate) fn all() -> impl Iterator<Item = Use> {
    let of = |operator| Use {
        operator,
        most: usize::MAX,
    };
    OPERATORS.iter().copied().map(of).chain(OTHERS)
}

/// Uses that no calibration tries: chains of a length between those, messages much longer than one
/// block, and messages of lengths that differ.
const OTHERS: [Use; 5] = [
    Use {
        operator: other(
            "field_chain10",
            "10 products of `field_mul`, one after the other",
            10_000,
            workload::<Chain>,
        ),
        most: usize::MAX,
    },
    Use {
        operator: other(
            "sha256_long",
            "a message of 4 KiB",
            325_000,
            workload::<Messages<ToSha256, false>>,
        ),
        most: 30_000,
    },
    Use {
        operator: other(
            "keccak256_long",
            "a message of 4 KiB",
            217_000,
            workload::<Messages<ToKeccak256, false>>,
        ),
        most: 30_000,
    },
    Use {
        operator: other(
            "sha256_mixed",
            "a message of 0 bytes to 16 KiB",
            30_000,
            workload::<Messages<ToSha256, true>>,
        ),
        most: 300_000,
    },
    Use {
        operator: other(
            "keccak256_mixed",
            "a message of 0 bytes to 16 KiB",
            20_000,
            workload::<Messages<ToKeccak256, true>>,
        ),
        most: 300_000,
    },
];

const fn other(
    name: &'static str,
    element: &'static str,
    operations: u64,
    workload: fn(usize, usize, u64) -> Box<dyn gpu_executor::testkit::Workload>,
) -> Operator {
    Operator {
        name,
        element,
        operations,
        workload,
        jumps: &[],
        calibration: None,
    }
}

/// Chains of 10 products, where a calibration tries 1 and 100.
struct Chain([Vec<Element>; 2]);

impl Generate for Chain {
    type Task<'a> = Bn254FrMul<'a>;

    fn generate(size: usize, random: &mut Random) -> Self {
        // Any 256 bits stand for an element.
        Self([(); 2].map(|()| (0..size).map(|_| [(); 4].map(|()| random.u64())).collect()))
    }

    fn task(&self) -> Bn254FrMul<'_> {
        let [a, b] = &self.0;
        Bn254FrMul { a, b, products: 10 }
    }
}

/// A hash.
trait Hash: 'static {
    type Task<'a>: gpu_executor::Task<Item = [u8; 32]>;

    fn task(messages: &[Vec<u8>]) -> Self::Task<'_>;
}

struct ToSha256;

impl Hash for ToSha256 {
    type Task<'a> = Sha256<'a, Vec<u8>>;

    fn task(messages: &[Vec<u8>]) -> Self::Task<'_> {
        Sha256 { messages }
    }
}

struct ToKeccak256;

impl Hash for ToKeccak256 {
    type Task<'a> = Keccak256<'a, Vec<u8>>;

    fn task(messages: &[Vec<u8>]) -> Self::Task<'_> {
        Keccak256 { messages }
    }
}

/// Messages of 4 KiB, which are 65 blocks of SHA-256 and 31 of Keccak; or mixed: three of four have
/// up to 135 bytes, most others up to 1 KiB, and one of 64 up to 16 KiB.
struct Messages<H, const MIXED: bool> {
    messages: Vec<Vec<u8>>,
    hash: std::marker::PhantomData<H>,
}

impl<H: Hash, const MIXED: bool> Generate for Messages<H, MIXED> {
    type Task<'a> = H::Task<'a>;

    fn generate(size: usize, random: &mut Random) -> Self {
        let length = |random: &mut Random| match random.below(64) {
            _ if !MIXED => 4096,
            0 => random.below(16 << 10),
            1..16 => random.below(1 << 10),
            _ => random.below(136),
        };
        let any = |_| {
            let bytes = length(random);
            let words = (0..bytes.div_ceil(8)).flat_map(|_| random.u64().to_le_bytes());
            words.take(bytes).collect()
        };
        Self {
            messages: (0..size).map(any).collect(),
            hash: std::marker::PhantomData,
        }
    }

    fn task(&self) -> H::Task<'_> {
        H::task(&self.messages)
    }
}
