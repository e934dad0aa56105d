// field_mul's product without 64-bit integers: 20 limbs of 13 bits. Sums of 40 products of limbs fit 32 bits, so that carries
// wait until a product is complete. Every index is a constant, so that limbs lie in registers.

const BITS = 13u;
const LIMBS = 20u;
const P = array<u32, LIMBS>(
    0x1u, 0x0u, 0x4fcu, 0x3ebu, 0x143eu, 0x1848u, 0x6e5u, 0x90fu, 0x13e8u, 0x941u, 0x1617u, 0x302u, 0x1b68u,
    0x822u, 0x6e1u, 0x1405u, 0x131u, 0x1397u, 0x1913u, 0x60u,
);

// The number that grows, the one it is multiplied by, and their product as it grows.
var<private> x: Limbs;
var<private> y: Limbs;
var<private> t: array<u32, 19>;

// Adds limb * y to the product, and the multiple of p that makes it divisible by 2^13, and divides.
fn step(limb: u32) {
    let low = t[0] + limb * y[0];
    let m = (low * 0x1fffu) & MASK;
    t[0] = t[1] + limb * y[1] + m * P[1] + ((low + m * P[0]) >> BITS);
    t[1] = t[2] + limb * y[2] + m * P[2];
    t[2] = t[3] + limb * y[3] + m * P[3];
    t[3] = t[4] + limb * y[4] + m * P[4];
    t[4] = t[5] + limb * y[5] + m * P[5];
    t[5] = t[6] + limb * y[6] + m * P[6];
    t[6] = t[7] + limb * y[7] + m * P[7];
    t[7] = t[8] + limb * y[8] + m * P[8];
    t[8] = t[9] + limb * y[9] + m * P[9];
    t[9] = t[10] + limb * y[10] + m * P[10];
    t[10] = t[11] + limb * y[11] + m * P[11];
    t[11] = t[12] + limb * y[12] + m * P[12];
    t[12] = t[13] + limb * y[13] + m * P[13];
    t[13] = t[14] + limb * y[14] + m * P[14];
    t[14] = t[15] + limb * y[15] + m * P[15];
    t[15] = t[16] + limb * y[16] + m * P[16];
    t[16] = t[17] + limb * y[17] + m * P[17];
    t[17] = t[18] + limb * y[18] + m * P[18];
    t[18] = limb * y[19] + m * P[19];
}

fn multiply() {
    t = array<u32, 19>();
    step(x[0]);
    step(x[1]);
    step(x[2]);
    step(x[3]);
    step(x[4]);
    step(x[5]);
    step(x[6]);
    step(x[7]);
    step(x[8]);
    step(x[9]);
    step(x[10]);
    step(x[11]);
    step(x[12]);
    step(x[13]);
    step(x[14]);
    step(x[15]);
    step(x[16]);
    step(x[17]);
    step(x[18]);
    step(x[19]);
    // Carries.
    x[0] = t[0] & MASK;
    t[1] += t[0] >> BITS;
    x[1] = t[1] & MASK;
    t[2] += t[1] >> BITS;
    x[2] = t[2] & MASK;
    t[3] += t[2] >> BITS;
    x[3] = t[3] & MASK;
    t[4] += t[3] >> BITS;
    x[4] = t[4] & MASK;
    t[5] += t[4] >> BITS;
    x[5] = t[5] & MASK;
    t[6] += t[5] >> BITS;
    x[6] = t[6] & MASK;
    t[7] += t[6] >> BITS;
    x[7] = t[7] & MASK;
    t[8] += t[7] >> BITS;
    x[8] = t[8] & MASK;
    t[9] += t[8] >> BITS;
    x[9] = t[9] & MASK;
    t[10] += t[9] >> BITS;
    x[10] = t[10] & MASK;
    t[11] += t[10] >> BITS;
    x[11] = t[11] & MASK;
    t[12] += t[11] >> BITS;
    x[12] = t[12] & MASK;
    t[13] += t[12] >> BITS;
    x[13] = t[13] & MASK;
    t[14] += t[13] >> BITS;
    x[14] = t[14] & MASK;
    t[15] += t[14] >> BITS;
    x[15] = t[15] & MASK;
    t[16] += t[15] >> BITS;
    x[16] = t[16] & MASK;
    t[17] += t[16] >> BITS;
    x[17] = t[17] & MASK;
    t[18] += t[17] >> BITS;
    x[18] = t[18] & MASK;
    x[19] = t[18] >> BITS;
}
