// field_mul's product with 64-bit integers: 9 limbs of 29 bits. Sums of 18 products of limbs fit 64 bits, so that carries wait
// until a product is complete. Every index is a constant, so that limbs lie in registers, and every factor a u32 made
// longer, so that a multiplication is that of 32 bits by 32.

const BITS = 29u;
const LIMBS = 9u;
const P = array<u32, LIMBS>(
    0x10000001u, 0x1f0fac9fu, 0xe5c2450u, 0x7d090f3u, 0x1585d283u, 0x2db40c0u, 0xa6e141u, 0xe5c2634u, 0x30644eu,
);

// The number that grows, the one it is multiplied by, and their product as it grows.
var<private> x: Limbs;
var<private> y: Limbs;
var<private> t: array<u64, 8>;

// Adds limb * y to the product, and the multiple of p that makes it divisible by 2^29, and divides.
fn step(limb: u32) {
    let low = t[0] + u64(limb) * u64(y[0]);
    let m = (u32(low) * 0xfffffffu) & MASK;
    t[0] = t[1] + u64(limb) * u64(y[1]) + u64(m) * u64(P[1]) + ((low + u64(m) * u64(P[0])) >> BITS);
    t[1] = t[2] + u64(limb) * u64(y[2]) + u64(m) * u64(P[2]);
    t[2] = t[3] + u64(limb) * u64(y[3]) + u64(m) * u64(P[3]);
    t[3] = t[4] + u64(limb) * u64(y[4]) + u64(m) * u64(P[4]);
    t[4] = t[5] + u64(limb) * u64(y[5]) + u64(m) * u64(P[5]);
    t[5] = t[6] + u64(limb) * u64(y[6]) + u64(m) * u64(P[6]);
    t[6] = t[7] + u64(limb) * u64(y[7]) + u64(m) * u64(P[7]);
    t[7] = u64(limb) * u64(y[8]) + u64(m) * u64(P[8]);
}

fn multiply() {
    t = array<u64, 8>();
    step(x[0]);
    step(x[1]);
    step(x[2]);
    step(x[3]);
    step(x[4]);
    step(x[5]);
    step(x[6]);
    step(x[7]);
    step(x[8]);
    // Carries.
    x[0] = u32(t[0]) & MASK;
    t[1] += t[0] >> BITS;
    x[1] = u32(t[1]) & MASK;
    t[2] += t[1] >> BITS;
    x[2] = u32(t[2]) & MASK;
    t[3] += t[2] >> BITS;
    x[3] = u32(t[3]) & MASK;
    t[4] += t[3] >> BITS;
    x[4] = u32(t[4]) & MASK;
    t[5] += t[4] >> BITS;
    x[5] = u32(t[5]) & MASK;
    t[6] += t[5] >> BITS;
    x[6] = u32(t[6]) & MASK;
    t[7] += t[6] >> BITS;
    x[7] = u32(t[7]) & MASK;
    x[8] = u32(t[7] >> BITS);
}
