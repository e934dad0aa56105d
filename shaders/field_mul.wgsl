// products[i] = a[i] * b[i] * b[i] * … in the scalar field of BN254, in Montgomery form with R = 2^256: x * y stands for
// x * y / R mod p. For adapters without 64-bit integers; field_mul_int64.wgsl is for the others.
//
// Bindings (group 0), eight words for each element, the lowest first; any 256 bits are taken for their residue, what is written
// is below p:
//   0  a         read            shape [n, 8] or longer
//   1  b         read            shape [n, 8] or longer
//   2  products  read and write  shape [n, 8] or longer
// One thread per element, 64 per workgroup. Grids of more than 65,535 workgroups are folded into rows: thread (x, y) has
// element y * row + x.
//
// Numbers are cut into 20 limbs of 13 bits: sums of 40 products of limbs fit 32 bits, so that carries wait until a
// product is complete. It is Montgomery's with 260 bits in place of 256, for which b is taken times 2^4 once. As b < 2p, a product is
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

const MASK = 0x1fffu;

// The limbs of the number that grows, of the one it is multiplied by, and of their product.
var<private> x: array<u32, 20>;
var<private> y: array<u32, 20>;
var<private> t: array<u32, 19>;

// Adds limb * y to the product, and the multiple of p that makes it divisible by 2^13, and divides.
fn step(limb: u32) {
    let low = t[0] + limb * y[0];
    let m = ((low & MASK) * 0x1fffu) & MASK;
    t[0] = t[1] + limb * y[1] + m * 0u + ((low + m * 1u) >> 13u);
    t[1] = t[2] + limb * y[2] + m * 1276u;
    t[2] = t[3] + limb * y[3] + m * 1003u;
    t[3] = t[4] + limb * y[4] + m * 5182u;
    t[4] = t[5] + limb * y[5] + m * 6216u;
    t[5] = t[6] + limb * y[6] + m * 1765u;
    t[6] = t[7] + limb * y[7] + m * 2319u;
    t[7] = t[8] + limb * y[8] + m * 5096u;
    t[8] = t[9] + limb * y[9] + m * 2369u;
    t[9] = t[10] + limb * y[10] + m * 5655u;
    t[10] = t[11] + limb * y[11] + m * 770u;
    t[11] = t[12] + limb * y[12] + m * 7016u;
    t[12] = t[13] + limb * y[13] + m * 2082u;
    t[13] = t[14] + limb * y[14] + m * 1761u;
    t[14] = t[15] + limb * y[15] + m * 5125u;
    t[15] = t[16] + limb * y[16] + m * 305u;
    t[16] = t[17] + limb * y[17] + m * 5015u;
    t[17] = t[18] + limb * y[18] + m * 6419u;
    t[18] = limb * y[19] + m * 96u;
}

// x = x * y.
fn multiply() {
    t[0] = 0u;
    t[1] = 0u;
    t[2] = 0u;
    t[3] = 0u;
    t[4] = 0u;
    t[5] = 0u;
    t[6] = 0u;
    t[7] = 0u;
    t[8] = 0u;
    t[9] = 0u;
    t[10] = 0u;
    t[11] = 0u;
    t[12] = 0u;
    t[13] = 0u;
    t[14] = 0u;
    t[15] = 0u;
    t[16] = 0u;
    t[17] = 0u;
    t[18] = 0u;
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
    x[0] = t[0] & MASK;
    t[1] += t[0] >> 13u;
    x[1] = t[1] & MASK;
    t[2] += t[1] >> 13u;
    x[2] = t[2] & MASK;
    t[3] += t[2] >> 13u;
    x[3] = t[3] & MASK;
    t[4] += t[3] >> 13u;
    x[4] = t[4] & MASK;
    t[5] += t[4] >> 13u;
    x[5] = t[5] & MASK;
    t[6] += t[5] >> 13u;
    x[6] = t[6] & MASK;
    t[7] += t[6] >> 13u;
    x[7] = t[7] & MASK;
    t[8] += t[7] >> 13u;
    x[8] = t[8] & MASK;
    t[9] += t[8] >> 13u;
    x[9] = t[9] & MASK;
    t[10] += t[9] >> 13u;
    x[10] = t[10] & MASK;
    t[11] += t[10] >> 13u;
    x[11] = t[11] & MASK;
    t[12] += t[11] >> 13u;
    x[12] = t[12] & MASK;
    t[13] += t[12] >> 13u;
    x[13] = t[13] & MASK;
    t[14] += t[13] >> 13u;
    x[14] = t[14] & MASK;
    t[15] += t[14] >> 13u;
    x[15] = t[15] & MASK;
    t[16] += t[15] >> 13u;
    x[16] = t[16] & MASK;
    t[17] += t[16] >> 13u;
    x[17] = t[17] & MASK;
    t[18] += t[17] >> 13u;
    x[18] = t[18] & MASK;
    x[19] = t[18] >> 13u;
}

// Takes p from x, unless x is less.
fn take_p() {
    var d = i32(x[0]) - 1;
    let z0 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[1]) - 0;
    let z1 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[2]) - 1276;
    let z2 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[3]) - 1003;
    let z3 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[4]) - 5182;
    let z4 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[5]) - 6216;
    let z5 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[6]) - 1765;
    let z6 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[7]) - 2319;
    let z7 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[8]) - 5096;
    let z8 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[9]) - 2369;
    let z9 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[10]) - 5655;
    let z10 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[11]) - 770;
    let z11 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[12]) - 7016;
    let z12 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[13]) - 2082;
    let z13 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[14]) - 1761;
    let z14 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[15]) - 5125;
    let z15 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[16]) - 305;
    let z16 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[17]) - 5015;
    let z17 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[18]) - 6419;
    let z18 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[19]) - 96;
    let z19 = u32(d) & MASK;
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
        x[9] = z9;
        x[10] = z10;
        x[11] = z11;
        x[12] = z12;
        x[13] = z13;
        x[14] = z14;
        x[15] = z15;
        x[16] = z16;
        x[17] = z17;
        x[18] = z18;
        x[19] = z19;
    }
}

// Takes 2p from x, unless x is less.
fn take_2p() {
    var d = i32(x[0]) - 2;
    let z0 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[1]) - 0;
    let z1 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[2]) - 2552;
    let z2 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[3]) - 2006;
    let z3 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[4]) - 2172;
    let z4 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[5]) - 4241;
    let z5 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[6]) - 3531;
    let z6 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[7]) - 4638;
    let z7 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[8]) - 2000;
    let z8 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[9]) - 4739;
    let z9 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[10]) - 3118;
    let z10 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[11]) - 1541;
    let z11 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[12]) - 5840;
    let z12 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[13]) - 4165;
    let z13 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[14]) - 3522;
    let z14 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[15]) - 2058;
    let z15 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[16]) - 611;
    let z16 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[17]) - 1838;
    let z17 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[18]) - 4647;
    let z18 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[19]) - 193;
    let z19 = u32(d) & MASK;
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
        x[9] = z9;
        x[10] = z10;
        x[11] = z11;
        x[12] = z12;
        x[13] = z13;
        x[14] = z14;
        x[15] = z15;
        x[16] = z16;
        x[17] = z17;
        x[18] = z18;
        x[19] = z19;
    }
}

// Takes 4p from x, unless x is less.
fn take_4p() {
    var d = i32(x[0]) - 4;
    let z0 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[1]) - 0;
    let z1 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[2]) - 5104;
    let z2 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[3]) - 4012;
    let z3 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[4]) - 4344;
    let z4 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[5]) - 290;
    let z5 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[6]) - 7063;
    let z6 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[7]) - 1084;
    let z7 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[8]) - 4001;
    let z8 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[9]) - 1286;
    let z9 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[10]) - 6237;
    let z10 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[11]) - 3082;
    let z11 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[12]) - 3488;
    let z12 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[13]) - 139;
    let z13 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[14]) - 7045;
    let z14 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[15]) - 4116;
    let z15 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[16]) - 1222;
    let z16 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[17]) - 3676;
    let z17 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[18]) - 1102;
    let z18 = u32(d) & MASK;
    d = (d >> 13u) + i32(x[19]) - 387;
    let z19 = u32(d) & MASK;
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
        x[9] = z9;
        x[10] = z10;
        x[11] = z11;
        x[12] = z12;
        x[13] = z13;
        x[14] = z14;
        x[15] = z15;
        x[16] = z16;
        x[17] = z17;
        x[18] = z18;
        x[19] = z19;
    }
}

// x = the limbs of eight words.
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

// Four words of x, which is below 2^256.
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

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    let i = thread.y * params.row + thread.x;
    if i >= params.n {
        return;
    }
    cut(b[2u * i], b[2u * i + 1u]);
    take_4p();
    take_2p();
    // y = x * 2^4.
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
