// field_mul's product with 64-bit integers: 9 limbs of 29 bits. Sums of 18 products of limbs fit 64 bits, so that carries wait
// until a product is complete. Every index is a constant, so that limbs lie in registers, and every factor a u32 made
// longer, so that a multiplication is that of 32 bits by 32.

const BITS = 29u;
const LIMBS = 9u;
const P = array<u32, LIMBS>(
    0x10000001u, 0x1f0fac9fu, 0xe5c2450u, 0x7d090f3u, 0x1585d283u, 0x2db40c0u, 0xa6e141u, 0xe5c2634u, 0x30644eu,
);

const MASK = (1u << BITS) - 1u;

// The number that grows, the one it is multiplied by, and their product as it grows.
var<private> x: array<u32, LIMBS>;
var<private> y: array<u32, LIMBS>;
var<private> t: array<u64, 8>;

// x = eight words, the lowest first.
fn cut(low: vec4<u32>, high: vec4<u32>) {
    x[0] = low.x & MASK;
    x[1] = ((low.x >> 29u) | (low.y << 3u)) & MASK;
    x[2] = ((low.y >> 26u) | (low.z << 6u)) & MASK;
    x[3] = ((low.z >> 23u) | (low.w << 9u)) & MASK;
    x[4] = ((low.w >> 20u) | (high.x << 12u)) & MASK;
    x[5] = ((high.x >> 17u) | (high.y << 15u)) & MASK;
    x[6] = ((high.y >> 14u) | (high.z << 18u)) & MASK;
    x[7] = ((high.z >> 11u) | (high.w << 21u)) & MASK;
    x[8] = (high.w >> 8u) & MASK;
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
    if d >= 0i {
        x = z;
    }
}

// y = 2^5 * x, which fits.
fn prepare() {
    y[0] = (x[0] << 5u) & MASK;
    y[1] = ((x[1] << 5u) | (x[0] >> 24u)) & MASK;
    y[2] = ((x[2] << 5u) | (x[1] >> 24u)) & MASK;
    y[3] = ((x[3] << 5u) | (x[2] >> 24u)) & MASK;
    y[4] = ((x[4] << 5u) | (x[3] >> 24u)) & MASK;
    y[5] = ((x[5] << 5u) | (x[4] >> 24u)) & MASK;
    y[6] = ((x[6] << 5u) | (x[5] >> 24u)) & MASK;
    y[7] = ((x[7] << 5u) | (x[6] >> 24u)) & MASK;
    y[8] = ((x[8] << 5u) | (x[7] >> 24u)) & MASK;
}

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

fn low() -> vec4<u32> {
    return vec4(
        x[0] | (x[1] << 29u),
        (x[1] >> 3u) | (x[2] << 26u),
        (x[2] >> 6u) | (x[3] << 23u),
        (x[3] >> 9u) | (x[4] << 20u),
    );
}

fn high() -> vec4<u32> {
    return vec4(
        (x[4] >> 12u) | (x[5] << 17u),
        (x[5] >> 15u) | (x[6] << 14u),
        (x[6] >> 18u) | (x[7] << 11u),
        (x[7] >> 21u) | (x[8] << 8u),
    );
}
