// field_mul's product without 64-bit integers: 20 limbs of 13 bits. Sums of 40 products of limbs fit 32 bits, so that carries
// wait until a product is complete. Every index is a constant, so that limbs lie in registers.

const BITS = 13u;
const LIMBS = 20u;
const P = array<u32, LIMBS>(
    0x1u, 0x0u, 0x4fcu, 0x3ebu, 0x143eu, 0x1848u, 0x6e5u, 0x90fu, 0x13e8u, 0x941u, 0x1617u, 0x302u, 0x1b68u,
    0x822u, 0x6e1u, 0x1405u, 0x131u, 0x1397u, 0x1913u, 0x60u,
);

const MASK = (1u << BITS) - 1u;

// The number that grows, the one it is multiplied by, and their product as it grows.
var<private> x: array<u32, LIMBS>;
var<private> y: array<u32, LIMBS>;
var<private> t: array<u32, 19>;

// x = eight words, the lowest first.
fn cut(low: vec4<u32>, high: vec4<u32>) {
    x[0] = low.x & MASK;
    x[1] = (low.x >> 13u) & MASK;
    x[2] = ((low.x >> 26u) | (low.y << 6u)) & MASK;
    x[3] = (low.y >> 7u) & MASK;
    x[4] = ((low.y >> 20u) | (low.z << 12u)) & MASK;
    x[5] = (low.z >> 1u) & MASK;
    x[6] = (low.z >> 14u) & MASK;
    x[7] = ((low.z >> 27u) | (low.w << 5u)) & MASK;
    x[8] = (low.w >> 8u) & MASK;
    x[9] = ((low.w >> 21u) | (high.x << 11u)) & MASK;
    x[10] = (high.x >> 2u) & MASK;
    x[11] = (high.x >> 15u) & MASK;
    x[12] = ((high.x >> 28u) | (high.y << 4u)) & MASK;
    x[13] = (high.y >> 9u) & MASK;
    x[14] = ((high.y >> 22u) | (high.z << 10u)) & MASK;
    x[15] = (high.z >> 3u) & MASK;
    x[16] = (high.z >> 16u) & MASK;
    x[17] = ((high.z >> 29u) | (high.w << 3u)) & MASK;
    x[18] = (high.w >> 10u) & MASK;
    x[19] = (high.w >> 23u) & MASK;
}

// Takes 2^shift * p from x, unless that is negative.
fn less(shift: u32) {
    let up = BITS - shift;
    var z: array<u32, LIMBS>;
    var d = i32(x[0]) - i32((P[0] << shift) & MASK);
    z[0] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[1]) - i32(((P[1] << shift) | (P[0] >> up)) & MASK);
    z[1] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[2]) - i32(((P[2] << shift) | (P[1] >> up)) & MASK);
    z[2] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[3]) - i32(((P[3] << shift) | (P[2] >> up)) & MASK);
    z[3] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[4]) - i32(((P[4] << shift) | (P[3] >> up)) & MASK);
    z[4] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[5]) - i32(((P[5] << shift) | (P[4] >> up)) & MASK);
    z[5] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[6]) - i32(((P[6] << shift) | (P[5] >> up)) & MASK);
    z[6] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[7]) - i32(((P[7] << shift) | (P[6] >> up)) & MASK);
    z[7] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[8]) - i32(((P[8] << shift) | (P[7] >> up)) & MASK);
    z[8] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[9]) - i32(((P[9] << shift) | (P[8] >> up)) & MASK);
    z[9] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[10]) - i32(((P[10] << shift) | (P[9] >> up)) & MASK);
    z[10] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[11]) - i32(((P[11] << shift) | (P[10] >> up)) & MASK);
    z[11] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[12]) - i32(((P[12] << shift) | (P[11] >> up)) & MASK);
    z[12] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[13]) - i32(((P[13] << shift) | (P[12] >> up)) & MASK);
    z[13] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[14]) - i32(((P[14] << shift) | (P[13] >> up)) & MASK);
    z[14] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[15]) - i32(((P[15] << shift) | (P[14] >> up)) & MASK);
    z[15] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[16]) - i32(((P[16] << shift) | (P[15] >> up)) & MASK);
    z[16] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[17]) - i32(((P[17] << shift) | (P[16] >> up)) & MASK);
    z[17] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[18]) - i32(((P[18] << shift) | (P[17] >> up)) & MASK);
    z[18] = u32(d) & MASK;
    d = (d >> BITS) + i32(x[19]) - i32(((P[19] << shift) | (P[18] >> up)) & MASK);
    z[19] = u32(d) & MASK;
    if d >= 0i {
        x = z;
    }
}

// y = 2^4 * x, which fits.
fn prepare() {
    y[0] = (x[0] << 4u) & MASK;
    y[1] = ((x[1] << 4u) | (x[0] >> 9u)) & MASK;
    y[2] = ((x[2] << 4u) | (x[1] >> 9u)) & MASK;
    y[3] = ((x[3] << 4u) | (x[2] >> 9u)) & MASK;
    y[4] = ((x[4] << 4u) | (x[3] >> 9u)) & MASK;
    y[5] = ((x[5] << 4u) | (x[4] >> 9u)) & MASK;
    y[6] = ((x[6] << 4u) | (x[5] >> 9u)) & MASK;
    y[7] = ((x[7] << 4u) | (x[6] >> 9u)) & MASK;
    y[8] = ((x[8] << 4u) | (x[7] >> 9u)) & MASK;
    y[9] = ((x[9] << 4u) | (x[8] >> 9u)) & MASK;
    y[10] = ((x[10] << 4u) | (x[9] >> 9u)) & MASK;
    y[11] = ((x[11] << 4u) | (x[10] >> 9u)) & MASK;
    y[12] = ((x[12] << 4u) | (x[11] >> 9u)) & MASK;
    y[13] = ((x[13] << 4u) | (x[12] >> 9u)) & MASK;
    y[14] = ((x[14] << 4u) | (x[13] >> 9u)) & MASK;
    y[15] = ((x[15] << 4u) | (x[14] >> 9u)) & MASK;
    y[16] = ((x[16] << 4u) | (x[15] >> 9u)) & MASK;
    y[17] = ((x[17] << 4u) | (x[16] >> 9u)) & MASK;
    y[18] = ((x[18] << 4u) | (x[17] >> 9u)) & MASK;
    y[19] = ((x[19] << 4u) | (x[18] >> 9u)) & MASK;
}

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

fn low() -> vec4<u32> {
    return vec4(
        x[0] | (x[1] << 13u) | (x[2] << 26u),
        (x[2] >> 6u) | (x[3] << 7u) | (x[4] << 20u),
        (x[4] >> 12u) | (x[5] << 1u) | (x[6] << 14u) | (x[7] << 27u),
        (x[7] >> 5u) | (x[8] << 8u) | (x[9] << 21u),
    );
}

fn high() -> vec4<u32> {
    return vec4(
        (x[9] >> 11u) | (x[10] << 2u) | (x[11] << 15u) | (x[12] << 28u),
        (x[12] >> 4u) | (x[13] << 9u) | (x[14] << 22u),
        (x[14] >> 10u) | (x[15] << 3u) | (x[16] << 16u) | (x[17] << 29u),
        (x[17] >> 3u) | (x[18] << 10u) | (x[19] << 23u),
    );
}
