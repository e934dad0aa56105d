//! `field_mul`: products in the scalar field of BN254.

use ark_bn254::Fr;
use ark_ff::{BigInt, PrimeField};
use rayon::prelude::*;

use crate::task::{Calibration, Cost, Extent, Generate, Kernel, Random, Step, Task, generated, word};

/// An element of the field in Montgomery form with R = 2^256: four limbs, the lowest first, as
/// ark-ff keeps them.
pub type Element = [u64; 4];

/// `a[i] · b[i] · b[i] · …` in the scalar field of BN254, with as many factors `b[i]` as there are
/// products.
///
/// Inputs and output are in Montgomery form with R = 2^256. Any 256 bits are taken for their
/// residue modulo the field's order; the output is below it.
#[derive(Clone, Copy, Debug)]
pub struct Bn254FrMul<'a> {
    /// Shape `[n]`.
    pub a: &'a [Element],
    /// Shape `[n]`.
    pub b: &'a [Element],
    /// Products per element. None at all gives the residues of `a`.
    pub products: u16,
}

/// Products of one dispatch, at the most: Mesa's drivers for CPUs end a kernel's loops after 65,535
/// rounds, without a word.
const MAX_PRODUCTS: u32 = 1 << 15;

/// A chain that is longer goes on, in another dispatch, from what the one before it wrote.
fn step(extent: &Extent, number: usize) -> Option<Step> {
    let done = word(number).checked_mul(MAX_PRODUCTS)?;
    let left = extent.parameters[0].checked_sub(done)?;
    if number > 0 && left == 0 {
        return None;
    }
    let mut step = Step::only(extent, 0)?;
    step.immediates[2] = left.min(MAX_PRODUCTS);
    step.immediates[3] = u32::from(number > 0);
    Some(step)
}

/// Products that are computed before another thread is awake.
const FEW_PRODUCTS: usize = 1024;

impl Task for Bn254FrMul<'_> {
    const KERNEL: Kernel = {
        let kernel = Kernel::new("field_mul", include_str!("../../shaders/field_mul.wgsl"))
            .after(const { &[include_str!("../../shaders/field_mul_u32.wgsl")] })
            .with_int64(
                include_str!("../../shaders/field_mul.wgsl"),
                const { &[include_str!("../../shaders/field_mul_int64.wgsl")] },
            )
            .dispatches(step, |elements, _| elements)
            .cost(Cost { element: 1000, word: 0 });
        #[expect(unsafe_code, reason = "a reviewed kernel")]
        // SAFETY: each thread compares its number with that of the elements before it touches the
        // two vectors of its element in each binding, and nothing else. Its loops have constant
        // bounds, but for that over the products, whose number the host gives. There is no
        // workgroup memory.
        unsafe {
            kernel.trusted::<Self>()
        }
    };
    /// Single products and chains of 100.
    const CALIBRATION: Option<Calibration> = Some(Calibration::of_depths(&[
        (1, generated::<Input<1>>),
        (100, generated::<Input<100>>),
    ]));
    type Inputs = (Element, Element);
    type Parameters = u32;
    type Item = Element;

    fn inputs(&self) -> (&[Element], &[Element]) {
        (self.a, self.b)
    }

    fn parameters(&self) -> u32 {
        self.products.into()
    }

    fn depth(products: u32) -> usize {
        products.max(1) as usize
    }

    fn compute((a, b): (&[Element], &[Element]), products: u32, output: &mut [Element]) {
        let chain = |((a, b), to): ((&Element, &Element), &mut Element)| *to = chain(*a, *b, products);
        if are_few(a.len(), products) {
            a.iter().zip(b).zip(output).for_each(chain);
        } else {
            a.par_iter().zip(b).zip(output).for_each(chain);
        }
    }

    fn append((a, b): (&[Element], &[Element]), products: u32, output: &mut Vec<Element>) {
        let chain = |(a, b): (&Element, &Element)| chain(*a, *b, products);
        if are_few(a.len(), products) {
            output.extend(a.iter().zip(b).map(chain));
        } else {
            // Each thread faults its own part of the memory in.
            output.par_extend(a.par_iter().zip(b).map(chain));
        }
    }
}

fn are_few(elements: usize, products: u32) -> bool {
    // None at all takes the residue, which is as much as a product.
    elements.saturating_mul(Bn254FrMul::depth(products)) <= FEW_PRODUCTS
}

fn chain(a: Element, b: Element, products: u32) -> Element {
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

/// Owned inputs, for tests and benches, of `PRODUCTS` products per element.
#[derive(Debug)]
pub(crate) struct Input<const PRODUCTS: u16> {
    a: Vec<Element>,
    b: Vec<Element>,
}

impl<const PRODUCTS: u16> Generate for Input<PRODUCTS> {
    type Task<'a> = Bn254FrMul<'a>;

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

    fn task(&self) -> Bn254FrMul<'_> {
        Bn254FrMul {
            a: &self.a,
            b: &self.b,
            products: PRODUCTS,
        }
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
                parameters: [products, 0, 0, 0, 0, 0],
                groups: 2,
                ..Extent::default()
            };
            let steps = (0..).map_while(|number| step(&extent, number));
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
            assert_eq!(
                are_few(elements, products),
                expected,
                "{products} products over {elements}"
            );
        };
        for products in [0, 1] {
            check(FEW_PRODUCTS, products, true);
            check(FEW_PRODUCTS + 1, products, false);
        }
        check(1, 1024, true);
        check(1, 1025, false);
    }
}
