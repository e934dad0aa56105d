//! Products in the scalar field of BN254.

use ark_bn254::Fr;
use ark_ff::{BigInt, Field as _, PrimeField as _};
use gpu_executor::{Bn254FrMul, Error};

use super::{bytes, executors};

/// p, and what lies around its multiples and at the ends.
fn special() -> Vec<[u64; 4]> {
    let p = Fr::MODULUS;
    let mut numbers = vec![
        [0; 4],
        [1, 0, 0, 0],
        [u64::MAX; 4],
        [0, 0, 0, 1 << 63],
        Fr::R.0,
        Fr::R2.0,
    ];
    let mut multiple = p;
    for _ in 0..5 {
        let [low, a, b, c] = multiple.0;
        numbers.extend([[low - 1, a, b, c], [low, a, b, c], [low + 1, a, b, c]]);
        ark_ff::BigInteger::add_with_carry(&mut multiple, &p);
    }
    numbers
}

/// The product in Montgomery form, from residues that ark-ff makes of bytes.
fn product(a: [u64; 4], b: [u64; 4], products: u16) -> [u64; 4] {
    let residue = |limbs: [u64; 4]| Fr::from_le_bytes_mod_order(bytemuck::bytes_of(&limbs));
    let r = residue(Fr::R.0);
    let factor = residue(b) * r.inverse().unwrap();
    (residue(a) * factor.pow([u64::from(products)])).into_bigint().0
}

#[test]
fn products_are_those_of_ark_whatever_the_input() {
    let special = special();
    let mut pairs: Vec<_> = special
        .iter()
        .flat_map(|a| special.iter().map(move |b| (*a, *b)))
        .collect();
    let random: Vec<[u64; 4]> = bytemuck::pod_collect_to_vec(&bytes(32 * 600, 1));
    pairs.extend(random.chunks(2).map(|pair| (pair[0], pair[1])));
    let (a, b): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    for executor in executors() {
        for products in [0, 1, 2, 3, 100] {
            let task = Bn254FrMul { a: &a, b: &b, products };
            let output = executor.run(&task).unwrap();
            for (i, output) in output.iter().enumerate() {
                let expected = product(a[i], b[i], products);
                assert_eq!(
                    *output,
                    expected,
                    "{:x?} by {products} times {:x?} on {}, {:?}",
                    a[i],
                    b[i],
                    executor.backend(),
                    executor.adapter().driver
                );
            }
        }
    }
}

#[test]
fn one_and_what_ark_computes_with_are_in_the_same_form() {
    let one = Fr::from(1_u64).0.0;
    let (x, y) = (Fr::from(0xDEAD_BEEF_u64), -Fr::from(77_u64));
    for executor in executors() {
        let a = [one, x.0.0, x.0.0];
        let b = [one, one, y.0.0];
        let output = executor
            .run(&Bn254FrMul {
                a: &a,
                b: &b,
                products: 1,
            })
            .unwrap();
        let output: Vec<Fr> = output.iter().map(|limbs| Fr::new_unchecked(BigInt(*limbs))).collect();
        assert_eq!(output, [Fr::from(1_u64), x, x * y], "{}", executor.backend());
    }
}

#[test]
fn batches_join_only_tasks_of_as_many_products() {
    let a: Vec<[u64; 4]> = bytemuck::pod_collect_to_vec(&bytes(32 * 50, 5));
    let b: Vec<[u64; 4]> = bytemuck::pod_collect_to_vec(&bytes(32 * 50, 6));
    let shapes = [
        (0, 10, 1),
        (10, 10, 7),
        (10, 20, 1),
        (20, 23, 4),
        (23, 30, 4),
        (30, 30, 4),
        (30, 31, 0),
        (31, 50, 65_535),
    ];
    let tasks = shapes.map(|(from, to, products)| Bn254FrMul {
        a: &a[from..to],
        b: &b[from..to],
        products,
    });
    let expected: Vec<_> = tasks
        .iter()
        .flat_map(|task| {
            task.a
                .iter()
                .zip(task.b)
                .map(|(a, b)| product(*a, *b, task.products))
                .collect::<Vec<_>>()
        })
        .collect();
    for executor in executors() {
        assert_eq!(
            executor.run_batch_flat(&tasks).unwrap().items(),
            expected,
            "{}",
            executor.backend()
        );
    }
}

/// Mesa's drivers for CPUs end a kernel's loops after 65,535 rounds of all of them together,
/// without a word: long chains are two dispatches.
#[test]
fn the_longest_chains_are_right_in_every_place_of_a_workgroup() {
    let a: Vec<[u64; 4]> = bytemuck::pod_collect_to_vec(&bytes(32 * 130, 7));
    let b: Vec<[u64; 4]> = bytemuck::pod_collect_to_vec(&bytes(32 * 130, 8));
    let lengths = [65_535, 65_534, 32_769, 32_768];
    let expected = lengths.map(|products| -> Vec<_> { (0..130).map(|i| product(a[i], b[i], products)).collect() });
    for executor in executors() {
        for (products, expected) in lengths.into_iter().zip(&expected) {
            // Half a workgroup's output, all of it, and some of the next ones.
            for n in [64, 65, 130] {
                let (a, b) = (&a[..n], &b[..n]);
                let output = executor.run(&Bn254FrMul { a, b, products }).unwrap();
                let wrong: Vec<_> = (0..n).filter(|&i| output[i] != expected[i]).collect();
                assert!(
                    wrong.is_empty(),
                    "{products} products over {n} elements on {}, {:?}: elements {wrong:?} are wrong",
                    executor.backend(),
                    executor.adapter().driver
                );
            }
        }
    }
}

#[test]
fn products_of_different_numbers_of_elements_are_an_error() {
    for executor in executors() {
        let task = Bn254FrMul {
            a: &[[0; 4]; 3],
            b: &[[0; 4]; 2],
            products: 1,
        };
        let expected = Error::LengthMismatch {
            operator: "field_mul",
            task: 0,
            left: 3,
            right: 2,
        };
        assert_eq!(executor.run(&task).unwrap_err(), expected);
    }
}

#[test]
fn products_are_computed_in_place() {
    let a: Vec<[u64; 4]> = bytemuck::pod_collect_to_vec(&bytes(32 * 300, 5));
    for executor in executors() {
        let mut task = executor.in_place::<Bn254FrMul<'_>>(300, 1).unwrap();
        let (mut x, mut y) = task.inputs().unwrap();
        x.copy_from_slice(&a);
        y.copy_from_slice(&a);
        let expected: Vec<_> = a.iter().map(|a| product(*a, *a, 1)).collect();
        assert_eq!(*task.run().unwrap(), expected, "{}", executor.backend());
    }
}
