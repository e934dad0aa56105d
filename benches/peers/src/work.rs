//! The work of the peers, and the check of its results.

use std::{fmt, str::FromStr};

/// Tasks of equal size, each the element-wise sum of two vectors.
pub(crate) struct Work {
    pub(crate) tasks: usize,
    /// Elements of each task.
    pub(crate) n: usize,
    /// Inputs of all tasks, of shape `[tasks × n]`.
    pub(crate) a: Vec<f32>,
    pub(crate) b: Vec<f32>,
}

/// What a call produced.
pub(crate) enum Output {
    None,
    /// Of shape `[tasks × n]`.
    Flat(Vec<f32>),
    /// Of shape `[tasks][n]`.
    Tasks(Vec<Vec<f32>>),
    /// The sum of the inputs that [`fill`] makes of a seed: all of it if it was to be kept, and its
    /// [`checksum`].
    Filled {
        seed: u32,
        checksum: u32,
        elements: Option<Vec<f32>>,
    },
}

impl FromStr for Work {
    type Err = String;

    /// Generates the inputs for `16000000`, or `1000x256` for 1000 tasks of 256 elements.
    fn from_str(size: &str) -> Result<Self, String> {
        let numbers: Result<Vec<usize>, _> = size.split('x').map(str::parse).collect();
        let (tasks, n) = match numbers.as_deref() {
            Ok([n]) => (1, *n),
            Ok([tasks, n]) => (*tasks, *n),
            _ => return Err(format!("`{size}` is no size")),
        };
        let mut state = 0x5EED_u64;
        let mut vector = || (0..tasks * n).map(|_| random(&mut state)).collect::<Vec<f32>>();
        Ok(Self {
            tasks,
            n,
            a: vector(),
            b: vector(),
        })
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tasks {
            1 => write!(f, "n={}", self.n),
            tasks => write!(f, "{tasks} tasks of {}", self.n),
        }
    }
}

impl Work {
    /// The inputs of each task.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&[f32], &[f32])> {
        self.a.chunks_exact(self.n).zip(self.b.chunks_exact(self.n))
    }

    /// Compares a result with the sums computed here.
    pub(crate) fn check(&self, output: &Output) -> Result<(), String> {
        match output {
            Output::None => Err("there is no result".to_owned()),
            Output::Flat(device) => same(device, self.a.iter().zip(&self.b).map(|(a, b)| a + b)),
            Output::Tasks(tasks) => {
                if tasks.len() != self.tasks {
                    return Err(format!("wrong result: {} tasks instead of {}", tasks.len(), self.tasks));
                }
                let mut pairs = tasks.iter().zip(self.pairs()).enumerate();
                pairs.try_for_each(|(at, (device, (a, b)))| {
                    same(device, a.iter().zip(b).map(|(a, b)| a + b)).map_err(|error| format!("task {at}: {error}"))
                })
            }
            Output::Filled {
                seed,
                checksum: device,
                elements,
            } => {
                let (mut a, mut b) = (vec![0.0; self.n], vec![0.0; self.n]);
                fill(&mut a, *seed);
                fill(&mut b, !seed);
                let sum: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
                match elements {
                    None => return Err("the result was not kept".to_owned()),
                    Some(device) => same(device, sum.iter().copied())?,
                }
                let cpu = checksum(&sum);
                if *device == cpu {
                    Ok(())
                } else {
                    Err(format!(
                        "wrong result: its checksum is {device:#x}, the CPU has {cpu:#x}"
                    ))
                }
            }
        }
    }
}

fn same(device: &[f32], cpu: impl ExactSizeIterator<Item = f32>) -> Result<(), String> {
    if device.len() != cpu.len() {
        return Err(format!(
            "wrong result: {} elements instead of {}",
            device.len(),
            cpu.len()
        ));
    }
    match device
        .iter()
        .zip(cpu)
        .enumerate()
        .find(|(_, (device, cpu))| *device != cpu)
    {
        None => Ok(()),
        Some((at, (device, cpu))) => Err(format!("wrong result: element {at} is {device}, the CPU has {cpu}")),
    }
}

/// The host's part before work in place: writes every element of an input.
pub(crate) fn fill(input: &mut [f32], seed: u32) {
    for (element, i) in input.iter_mut().zip(0_u32..) {
        *element = filled(i, seed);
    }
}

/// Element `i` of an input; a whole number below 2²³, so that sums are exact.
#[inline]
#[expect(clippy::cast_precision_loss, reason = "23 bits fit an f32 exactly")]
pub(crate) fn filled(i: u32, seed: u32) -> f32 {
    (i.wrapping_add(seed) & 0x7F_FFFF).cast_signed() as f32
}

/// The host's part after work in place: reads every element of the output.
pub(crate) fn checksum(output: &[f32]) -> u32 {
    output
        .iter()
        .fold(0, |sum, element| sum.wrapping_add(element.to_bits()))
}

/// Uniform in [-1, 1), in steps of 2⁻²³.
///
/// Source: G. L. Steele, D. Lea and C. H. Flood, OOPSLA 2014 (SplitMix64).
fn random(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit an f32 exactly")]
    let unit = (z >> 40) as f32 / 8_388_608.0;
    unit - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_result_is_told_with_its_place() {
        let work: Work = "3x2".parse().unwrap();
        let right: Vec<f32> = work.a.iter().zip(&work.b).map(|(a, b)| a + b).collect();
        let check = |output: Output, expected: Option<&str>| match (work.check(&output), expected) {
            (Ok(()), None) => {}
            (Err(error), Some(expected)) => assert!(error.contains(expected), "{error}"),
            (result, expected) => panic!("{result:?}, expected {expected:?}"),
        };
        let tasks = || right.chunks(2).map(<[f32]>::to_vec).collect::<Vec<_>>();
        check(Output::None, Some("no result"));
        check(Output::Flat(right.clone()), None);
        check(Output::Tasks(tasks()), None);
        check(Output::Flat(right[1..].to_vec()), Some("5 elements instead of 6"));
        check(Output::Tasks(tasks()[1..].to_vec()), Some("2 tasks instead of 3"));
        let mut wrong = right.clone();
        wrong[4] += 1.0;
        check(
            Output::Tasks(wrong.chunks(2).map(<[f32]>::to_vec).collect()),
            Some("task 2: wrong result: element 0"),
        );
        check(Output::Flat(wrong), Some("element 4"));
    }

    #[test]
    fn work_in_place_is_told_by_its_elements_and_by_its_checksum() {
        let work: Work = "300".parse().unwrap();
        let output = |seed: u32, off: f32, checksum_off: u32| {
            let elements: Vec<f32> = (0..300).map(|i| filled(i, seed) + filled(i, !seed) + off).collect();
            let checksum = checksum(&elements) + checksum_off;
            work.check(&Output::Filled {
                seed,
                checksum,
                elements: Some(elements),
            })
        };
        output(7, 0.0, 0).unwrap();
        assert!(output(7, 1.0, 0).unwrap_err().contains("element 0"));
        assert!(output(7, 0.0, 1).unwrap_err().contains("checksum"));
    }
}
