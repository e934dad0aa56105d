// products[i] = a[i] * b[i] * b[i] * … in the scalar field of BN254, in Montgomery form with R = 2^256: x * y stands for
// x * y / R mod p. With 64-bit integers.
//
// Bindings (group 0), eight words for each element, the lowest first; any 256 bits are taken for their residue, what is written
// is below p:
//   0  a         read            shape [n, 8] or longer
//   1  b         read            shape [n, 8] or longer
//   2  products  read and write  shape [n, 8] or longer
// One thread per element, 64 per workgroup. Grids of more than 65,535 workgroups are folded into rows: thread (x, y) has
// element y * row + x.
//
// Numbers are cut into 9 limbs of 29 bits: sums of 18 products of limbs fit 64 bits, so that carries wait until a
// product is complete. It is Montgomery's with 261 bits in place of 256, for which b is taken times 2^5 once. As b < 2p, a product is
// below 0.4 x + p, whatever x was, and nothing is subtracted until the end.

struct Params {
    // Number of elements.
    n: u32,
    // Threads per row of the grid.
    row: u32,
    // Products per element.
    products: u32,
}

var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> a: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> products: array<vec4<u32>>;

const MASK = 0x1fffffffu;

// The limbs of the number that grows, of the one it is multiplied by, and of their product.
var<private> x: array<u32, 9>;
var<private> y: array<u32, 9>;
var<private> t: array<u64, 8>;

// Adds limb * y to the product, and the multiple of p that makes it divisible by 2^29, and divides.
fn step(limb: u32) {
    let low = t[0] + u64(limb) * u64(y[0]);
    let m = ((u32(low) & MASK) * 0xfffffffu) & MASK;
    t[0] = t[1] + u64(limb) * u64(y[1]) + u64(m) * 521120927lu + ((low + u64(m) * 268435457lu) >> 29u);
    t[1] = t[2] + u64(limb) * u64(y[2]) + u64(m) * 240919632lu;
    t[2] = t[3] + u64(limb) * u64(y[3]) + u64(m) * 131109107lu;
    t[3] = t[4] + u64(limb) * u64(y[4]) + u64(m) * 361091715lu;
    t[4] = t[5] + u64(limb) * u64(y[5]) + u64(m) * 47923392lu;
    t[5] = t[6] + u64(limb) * u64(y[6]) + u64(m) * 10936641lu;
    t[6] = t[7] + u64(limb) * u64(y[7]) + u64(m) * 240920116lu;
    t[7] = u64(limb) * u64(y[8]) + u64(m) * 3171406lu;
}

// x = x * y.
fn multiply() {
    t[0] = 0lu;
    t[1] = 0lu;
    t[2] = 0lu;
    t[3] = 0lu;
    t[4] = 0lu;
    t[5] = 0lu;
    t[6] = 0lu;
    t[7] = 0lu;
    step(x[0]);
    step(x[1]);
    step(x[2]);
    step(x[3]);
    step(x[4]);
    step(x[5]);
    step(x[6]);
    step(x[7]);
    step(x[8]);
    x[0] = u32(t[0]) & MASK;
    t[1] += t[0] >> 29u;
    x[1] = u32(t[1]) & MASK;
    t[2] += t[1] >> 29u;
    x[2] = u32(t[2]) & MASK;
    t[3] += t[2] >> 29u;
    x[3] = u32(t[3]) & MASK;
    t[4] += t[3] >> 29u;
    x[4] = u32(t[4]) & MASK;
    t[5] += t[4] >> 29u;
    x[5] = u32(t[5]) & MASK;
    t[6] += t[5] >> 29u;
    x[6] = u32(t[6]) & MASK;
    t[7] += t[6] >> 29u;
    x[7] = u32(t[7]) & MASK;
    x[8] = u32(t[7] >> 29u);
}

// Takes p from x, unless x is less.
fn take_p() {
    var d = i32(x[0]) - 268435457;
    let z0 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[1]) - 521120927;
    let z1 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[2]) - 240919632;
    let z2 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[3]) - 131109107;
    let z3 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[4]) - 361091715;
    let z4 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[5]) - 47923392;
    let z5 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[6]) - 10936641;
    let z6 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[7]) - 240920116;
    let z7 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[8]) - 3171406;
    let z8 = u32(d) & MASK;
    if d >= 0 {
        x[0] = z0;
        x[1] = z1;
        x[2] = z2;
        x[3] = z3;
        x[4] = z4;
        x[5] = z5;
        x[6] = z6;
        x[7] = z7;
        x[8] = z8;
    }
}

// Takes 2p from x, unless x is less.
fn take_2p() {
    var d = i32(x[0]) - 2;
    let z0 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[1]) - 505370943;
    let z1 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[2]) - 481839265;
    let z2 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[3]) - 262218214;
    let z3 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[4]) - 185312518;
    let z4 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[5]) - 95846785;
    let z5 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[6]) - 21873282;
    let z6 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[7]) - 481840232;
    let z7 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[8]) - 6342812;
    let z8 = u32(d) & MASK;
    if d >= 0 {
        x[0] = z0;
        x[1] = z1;
        x[2] = z2;
        x[3] = z3;
        x[4] = z4;
        x[5] = z5;
        x[6] = z6;
        x[7] = z7;
        x[8] = z8;
    }
}

// Takes 4p from x, unless x is less.
fn take_4p() {
    var d = i32(x[0]) - 4;
    let z0 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[1]) - 473870974;
    let z1 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[2]) - 426807619;
    let z2 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[3]) - 524436429;
    let z3 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[4]) - 370625036;
    let z4 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[5]) - 191693570;
    let z5 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[6]) - 43746564;
    let z6 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[7]) - 426809552;
    let z7 = u32(d) & MASK;
    d = (d >> 29u) + i32(x[8]) - 12685625;
    let z8 = u32(d) & MASK;
    if d >= 0 {
        x[0] = z0;
        x[1] = z1;
        x[2] = z2;
        x[3] = z3;
        x[4] = z4;
        x[5] = z5;
        x[6] = z6;
        x[7] = z7;
        x[8] = z8;
    }
}

// x = the limbs of eight words.
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

// Four words of x, which is below 2^256.
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

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    let i = thread.y * params.row + thread.x;
    if i >= params.n {
        return;
    }
    cut(b[2u * i], b[2u * i + 1u]);
    take_4p();
    take_2p();
    // y = x * 2^5.
    y[0] = (x[0] << 5u) & MASK;
    y[1] = ((x[1] << 5u) | (x[0] >> 24u)) & MASK;
    y[2] = ((x[2] << 5u) | (x[1] >> 24u)) & MASK;
    y[3] = ((x[3] << 5u) | (x[2] >> 24u)) & MASK;
    y[4] = ((x[4] << 5u) | (x[3] >> 24u)) & MASK;
    y[5] = ((x[5] << 5u) | (x[4] >> 24u)) & MASK;
    y[6] = ((x[6] << 5u) | (x[5] >> 24u)) & MASK;
    y[7] = ((x[7] << 5u) | (x[6] >> 24u)) & MASK;
    y[8] = ((x[8] << 5u) | (x[7] >> 24u)) & MASK;
    cut(a[2u * i], a[2u * i + 1u]);
    for (var done = 0u; done < params.products; done++) {
        multiply();
    }
    take_4p();
    take_2p();
    take_p();
    products[2u * i] = low();
    products[2u * i + 1u] = high();
}
