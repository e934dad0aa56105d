// products[i] = a[i] * b[i] * b[i] * … in the scalar field of BN254, in Montgomery form with R = 2^256: x * y stands for
// x * y / R mod p. Read behind field_mul_int64.wgsl, or field_mul_u32.wgsl for adapters without 64-bit integers, which have
//
//   const BITS, LIMBS, P   how numbers are cut, and the limbs of p, the lowest first
//   x, y, multiply()       x = x * y / 2^(BITS * LIMBS) mod p, below 0.4 x + p for y < 2^(BITS * LIMBS - 256) * 2p
//
// Bindings (group 0), eight words for each element, the lowest first; any 256 bits are taken for their residue, what is written
// is below p:
//   0  a         read            shape [n, 2] or longer
//   1  b         read            shape [n, 2] or longer
//   2  products  read and write  shape [n, 2] or longer
// One thread per element, 64 per workgroup. Grids of more than 65,535 workgroups are folded into rows: thread (x, y) has
// element y * row + x.
//
// Montgomery's form has BITS * LIMBS bits in place of 256 here, for which b is shifted by their difference once. As b < 2p,
// nothing is subtracted until the end, whatever a was. Loops are short and outside the chain: drivers that compute on the
// CPU end a kernel's loops after 65,535 rounds altogether.

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

// The workgroup's output, to be written end to end: where that is the host's memory, pieces of 16 bytes would cross the bus.
var<workgroup> together: array<vec4<u32>, 128>;

const MASK = (1u << BITS) - 1u;

alias Limbs = array<u32, LIMBS>;

// Eight words as limbs.
fn cut(low: vec4<u32>, high: vec4<u32>) -> Limbs {
    var words = array(low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w, 0u);
    var limbs: Limbs;
    for (var j = 0u; j < LIMBS; j++) {
        let word = BITS * j / 32u;
        let bit = BITS * j % 32u;
        // Two shifts, as none may be by 32.
        limbs[j] = ((words[word] >> bit) | ((words[word + 1u] << 1u) << (31u - bit))) & MASK;
    }
    return limbs;
}

// Limbs of what is below 2^256 as eight words, and a ninth that is 0.
fn join(number: Limbs) -> array<u32, 9> {
    var limbs = number;
    var words: array<u32, 9>;
    for (var j = 0u; j < LIMBS; j++) {
        let word = BITS * j / 32u;
        let bit = BITS * j % 32u;
        words[word] |= limbs[j] << bit;
        words[word + 1u] |= (limbs[j] >> 1u) >> (31u - bit);
    }
    return words;
}

// Times 2^shift, which must fit.
fn shifted(number: Limbs, shift: u32) -> Limbs {
    var limbs = number;
    var carry = 0u;
    for (var j = 0u; j < LIMBS; j++) {
        let limb = limbs[j];
        limbs[j] = ((limb << shift) | carry) & MASK;
        carry = limb >> (BITS - shift);
    }
    return limbs;
}

// Less another number, unless that is negative.
fn less(number: Limbs, other: Limbs) -> Limbs {
    var limbs = number;
    var taken = other;
    var d = 0i;
    for (var j = 0u; j < LIMBS; j++) {
        d = (d >> BITS) + i32(limbs[j]) - i32(taken[j]);
        limbs[j] = u32(d) & MASK;
    }
    if d < 0i {
        return number;
    }
    return limbs;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) thread: vec3<u32>, @builtin(local_invocation_index) me: u32) {
    let i = thread.y * params.row + thread.x;
    if i < params.n {
        let factor = less(less(cut(b[2u * i], b[2u * i + 1u]), shifted(P, 2u)), shifted(P, 1u));
        y = shifted(factor, BITS * LIMBS - 256u);
        x = cut(a[2u * i], a[2u * i + 1u]);
        for (var done = 0u; done < params.products; done++) {
            multiply();
        }
        let product = join(less(less(less(x, shifted(P, 2u)), shifted(P, 1u)), P));
        together[2u * me] = vec4(product[0], product[1], product[2], product[3]);
        together[2u * me + 1u] = vec4(product[4], product[5], product[6], product[7]);
    }
    workgroupBarrier();
    let first = 2u * (i - me);
    for (var k = me; k < 128u; k += 64u) {
        if first + k < 2u * params.n {
            products[first + k] = together[k];
        }
    }
}
