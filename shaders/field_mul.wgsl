// products[i] = a[i] * b[i] * b[i] * … in the scalar field of BN254, in Montgomery form with R = 2^256: x * y stands for
// x * y / R mod p. Read behind field_mul_int64.wgsl, or field_mul_u32.wgsl for adapters without 64-bit integers, which have
//
//   cut(low, high)   x = eight words, the lowest first
//   less(shift)      takes 2^shift * p from x, unless that is negative
//   prepare()        y = 2^(bits - 256) * x
//   multiply()       x = x * y / 2^bits mod p, below 0.4 x + p for x < 2^256 and y < 2^(bits - 256) * 2p
//   low(), high()    four words each of x < 2^256
//
// Bindings (group 0), eight words for each element, the lowest first; any 256 bits are taken for their residue, what is written
// is below p:
//   0  a         read            shape [n, 2] or longer
//   1  b         read            shape [n, 2] or longer
//   2  products  read and write  shape [n, 2] or longer
// One thread per element, 64 per workgroup. Grids of more than 65,535 workgroups are folded into rows: thread (x, y) has
// element y * row + x.
//
// Montgomery's form has some bits more here than 256, as many as the limbs that numbers are cut into, for which b is shifted by
// the difference once. As b < 2p, nothing is subtracted until the end, whatever a was.

struct Params {
    // Number of elements.
    n: u32,
    // Threads per row of the grid.
    row: u32,
    // Products per element.
    products: u32,
    // Whether these follow those of the dispatch before this one, from where it left off.
    again: u32,
}

var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> a: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> products: array<vec4<u32>>;

// The workgroup's output, to be written end to end: where that is the host's memory, pieces of 16 bytes would cross the bus.
var<workgroup> together: array<vec4<u32>, 128>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) thread: vec3<u32>, @builtin(local_invocation_index) me: u32) {
    let i = thread.y * params.row + thread.x;
    if i < params.n {
        cut(b[2u * i], b[2u * i + 1u]);
        less(2u);
        less(1u);
        prepare();
        if params.again == 0u {
            cut(a[2u * i], a[2u * i + 1u]);
        } else {
            cut(products[2u * i], products[2u * i + 1u]);
        }
        for (var done = 0u; done < params.products; done++) {
            multiply();
        }
        less(2u);
        less(1u);
        less(0u);
        together[2u * me] = low();
        together[2u * me + 1u] = high();
    }
    workgroupBarrier();
    // No loop: Mesa's drivers for CPUs end the loops of a kernel after 65,535 rounds altogether, and one before may take them all.
    let at = 2u * (i - me) + me;
    if at < 2u * params.n {
        products[at] = together[me];
    }
    if at + 64u < 2u * params.n {
        products[at + 64u] = together[me + 64u];
    }
}
