//! `field_mul`: products in the scalar field of BN254.

use ark_bn254::Fr;
use ark_ff::{BigInt, PrimeField};
use rayon::prelude::*;

use super::{Cost, Elementwise, Extent, Load, Probe, Shape, Spec, Step, Task, word};
use crate::{
    error::Error,
    workload::{Generate, Random, generated},
};

/// An element of the field in Montgomery form with R = 2^256: four limbs, the lowest first, as ark-ff keeps them.
pub type Element = [u64; 4];

/// `a[i] · b[i] · b[i] · …` in the scalar field of BN254, with as many factors `b[i]` as there are products.
///
/// Inputs and output are in Montgomery form with R = 2^256. Any 256 bits are taken for their residue modulo the field's order;
/// the output is below it.
#[derive(Clone, Copy, Debug)]
pub struct FieldMul<'a> {
    /// Shape `[n]`.
    pub a: &'a [Element],
    /// Shape `[n]`.
    pub b: &'a [Element],
    /// Products per element. None at all gives the residues of `a`.
    pub products: u16,
}

/// Products of one dispatch, at the most: Mesa's drivers for CPUs end a kernel's loops after 65,535 rounds, without a word.
const MOST_PRODUCTS: u32 = 1 << 15;

/// A chain that is longer goes on, in another dispatch, from what the one before it wrote.
fn step(spec: &Spec, extent: &Extent, number: usize) -> Option<Step> {
    let done = word(number).checked_mul(MOST_PRODUCTS)?;
    let left = extent.parameter.checked_sub(done)?;
    if number > 0 && left == 0 {
        return None;
    }
    let mut step = Step::only(spec, extent, 0)?;
    step.immediates[2] = left.min(MOST_PRODUCTS);
    step.immediates[3] = u32::from(number > 0);
    Some(step)
}

/// Products that are computed before another thread is awake.
const FEW_PRODUCTS: usize = 1024;

impl super::sealed::Sealed for FieldMul<'_> {}

impl Task for FieldMul<'_> {
    const SPEC: Spec = Spec {
        operator: "field_mul",
        shader: concat!(
            include_str!("../../shaders/field_mul_u32.wgsl"),
            include_str!("../../shaders/field_mul.wgsl")
        ),
        shader_int64: Some(concat!(
            include_str!("../../shaders/field_mul_int64.wgsl"),
            include_str!("../../shaders/field_mul.wgsl")
        )),
        workgroup_size: 64,
        elements_per_thread: 1,
        inputs: Shape::Numbers(&[32, 32]),
        output_stride: 32,
        immediates: 4,
        step,
        room: |elements, _| elements,
        cost: Cost { element: 1000, word: 0 },
    };
    const PARALLEL: bool = true;
    type Item = Element;

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

    fn parameter(&self) -> Option<u32> {
        Some(u32::from(self.products))
    }

    fn load(&self) -> Load {
        Load::deep(self.a.len(), usize::from(self.products.max(1)))
    }

    fn run_on_cpu(&self, output: &mut Vec<Element>) {
        let chain = |(a, b): (&Element, &Element)| chain(*a, *b, self.products);
        if self.is_few() {
            output.extend(self.a.iter().zip(self.b).map(chain));
        } else {
            // Each thread faults its own part of the memory in.
            output.par_extend(self.a.par_iter().zip(self.b).map(chain));
        }
    }

    fn run_on_cpu_into(&self, output: &mut [Element]) {
        let chain = |((a, b), to): ((&Element, &Element), &mut Element)| *to = chain(*a, *b, self.products);
        if self.is_few() {
            self.a.iter().zip(self.b).zip(output).for_each(chain);
        } else {
            self.a.par_iter().zip(self.b).zip(output).for_each(chain);
        }
    }
}

impl FieldMul<'_> {
    fn is_few(&self) -> bool {
        // None at all takes the residue, which is as much as a product.
        self.a.len().saturating_mul(usize::from(self.products.max(1))) <= FEW_PRODUCTS
    }
}

/// In place there is one product per element.
impl Elementwise for FieldMul<'_> {
    type Over<'a> = FieldMul<'a>;

    fn over<'a>(inputs: &[&'a [u8]]) -> FieldMul<'a> {
        FieldMul {
            a: bytemuck::cast_slice(inputs[0]),
            b: bytemuck::cast_slice(inputs[1]),
            products: 1,
        }
    }
}

fn chain(a: Element, b: Element, products: u16) -> Element {
    let (mut x, b) = (residue(a), residue(b));
    for _ in 0..products {
        x *= b;
    }
    x.0.0
}

/// The element that any 256 bits stand for.
#[inline]
fn residue(limbs: Element) -> Fr {
    let mut limbs = BigInt(limbs);
    while limbs >= Fr::MODULUS {
        ark_ff::BigInteger::sub_with_borrow(&mut limbs, &Fr::MODULUS);
    }
    Fr::new_unchecked(limbs)
}

/// Single products and chains of 100.
pub(super) const PROBE: Probe = Probe {
    generate: |items, depth| match depth {
        1 => generated::<Input<1>>(items, 1, 1),
        _ => generated::<Input<100>>(items, 1, 1),
    },
    depths: &[1, 100],
};

/// Owned inputs, for tests and benches, of so many products per element.
pub(super) struct Input<const PRODUCTS: u16> {
    a: Vec<Element>,
    b: Vec<Element>,
}

impl<const PRODUCTS: u16> Generate for Input<PRODUCTS> {
    type Task<'a> = FieldMul<'a>;

    fn generate(size: usize, random: &mut Random) -> Self {
        // Below the field's order, which begins with 0x30.
        let mut element = || {
            [
                random.u64(),
                random.u64(),
                random.u64(),
                random.u64() % 0x3000_0000_0000_0000,
            ]
        };
        let mut vector = || (0..size).map(|_| element()).collect();
        Self {
            a: vector(),
            b: vector(),
        }
    }

    fn task(&self) -> FieldMul<'_> {
        FieldMul {
            a: &self.a,
            b: &self.b,
            products: PRODUCTS,
        }
    }

    fn same(device: &Element, cpu: &Element) -> bool {
        device == cpu
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_dispatch_has_more_products_than_a_driver_may_do_and_all_have_them_together() {
        let check = |products: u32, expected: &[[u32; 2]]| {
            let extent = Extent {
                elements: 100,
                words: 0,
                longest: 0,
                parameter: products,
            };
            let steps = (0..).map_while(|number| step(&FieldMul::SPEC, &extent, number));
            let immediates = steps.map(|step| {
                assert_eq!((step.groups, step.immediates[0]), (2, 100));
                [step.immediates[2], step.immediates[3]]
            });
            assert_eq!(immediates.collect::<Vec<_>>(), expected, "{products}");
        };
        // None at all takes the residue.
        check(0, &[[0, 0]]);
        check(1, &[[1, 0]]);
        check(32_768, &[[32_768, 0]]);
        check(32_769, &[[32_768, 0], [1, 1]]);
        check(65_535, &[[32_768, 0], [32_767, 1]]);
    }

    #[test]
    fn few_products_are_few_elements_too() {
        let check = |elements, products, expected| {
            let elements = vec![[0; 4]; elements];
            let task = FieldMul {
                a: &elements,
                b: &elements,
                products,
            };
            assert_eq!(task.is_few(), expected, "{products} products over {}", elements.len());
        };
        for products in [0, 1] {
            check(FEW_PRODUCTS, products, true);
            check(FEW_PRODUCTS + 1, products, false);
        }
        check(1, 1024, true);
        check(1, 1025, false);
    }
}
