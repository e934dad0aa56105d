// products[i] = a[i] * b[i] * b[i] * … in the scalar field of BN254, in Montgomery form with R = 2^256: x * y stands for
// x * y / R mod p. For adapters without 64-bit integers; field_mul_int64.wgsl is for the others.
//
// Bindings (group 0), eight words for each element, the lowest first; any 256 bits are taken for their residue, what is written
// is below p:
//   0  a         read            shape [n, 2] or longer
//   1  b         read            shape [n, 2] or longer
//   2  products  read and write  shape [n, 2] or longer
// One thread per element, 64 per workgroup. Grids of more than 65,535 workgroups are folded into rows: thread (x, y) has
// element y * row + x.
//
// Numbers are cut into 20 limbs of 13 bits: sums of 40 products of limbs fit 32 bits, so that carries wait until a product is
// complete. It is Montgomery's with 260 bits in place of 256, for which b is taken times 2^4 once. As b < 2p, a product is
// below 0.4 x + p, whatever x was, and nothing is subtracted until the end. A product is written out, without functions and
// arrays, so that it stays in registers with every driver.

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

// The workgroup's output, to be written end to end: where that is the host's memory, pieces of 16 bytes would cross the bus.
var<workgroup> together: array<vec4<u32>, 128>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) thread: vec3<u32>, @builtin(local_invocation_index) me: u32) {
    let i = thread.y * params.row + thread.x;
    if i < params.n {
        var low = b[2u * i];
        var high = b[2u * i + 1u];
        var x0 = low.x & MASK; var x1 = (low.x >> 13u) & MASK; var x2 = ((low.x >> 26u) | (low.y << 6u)) & MASK;
        var x3 = (low.y >> 7u) & MASK; var x4 = ((low.y >> 20u) | (low.z << 12u)) & MASK; var x5 = (low.z >> 1u) & MASK;
        var x6 = (low.z >> 14u) & MASK; var x7 = ((low.z >> 27u) | (low.w << 5u)) & MASK; var x8 = (low.w >> 8u) & MASK;
        var x9 = ((low.w >> 21u) | (high.x << 11u)) & MASK; var x10 = (high.x >> 2u) & MASK;
        var x11 = (high.x >> 15u) & MASK; var x12 = ((high.x >> 28u) | (high.y << 4u)) & MASK;
        var x13 = (high.y >> 9u) & MASK; var x14 = ((high.y >> 22u) | (high.z << 10u)) & MASK;
        var x15 = (high.z >> 3u) & MASK; var x16 = (high.z >> 16u) & MASK;
        var x17 = ((high.z >> 29u) | (high.w << 3u)) & MASK; var x18 = (high.w >> 10u) & MASK;
        var x19 = (high.w >> 23u) & MASK;
        var d: i32;
        var z0: u32; var z1: u32; var z2: u32; var z3: u32; var z4: u32; var z5: u32; var z6: u32; var z7: u32; var z8: u32;
        var z9: u32; var z10: u32; var z11: u32; var z12: u32; var z13: u32; var z14: u32; var z15: u32; var z16: u32;
        var z17: u32; var z18: u32; var z19: u32;
        // Less 4p, unless that is negative.
        d = i32(x0) - 0x4; z0 = u32(d) & MASK; d = (d >> 13u) + i32(x1) - 0x0; z1 = u32(d) & MASK;
        d = (d >> 13u) + i32(x2) - 0x13f0; z2 = u32(d) & MASK; d = (d >> 13u) + i32(x3) - 0xfac; z3 = u32(d) & MASK;
        d = (d >> 13u) + i32(x4) - 0x10f8; z4 = u32(d) & MASK; d = (d >> 13u) + i32(x5) - 0x122; z5 = u32(d) & MASK;
        d = (d >> 13u) + i32(x6) - 0x1b97; z6 = u32(d) & MASK; d = (d >> 13u) + i32(x7) - 0x43c; z7 = u32(d) & MASK;
        d = (d >> 13u) + i32(x8) - 0xfa1; z8 = u32(d) & MASK; d = (d >> 13u) + i32(x9) - 0x506; z9 = u32(d) & MASK;
        d = (d >> 13u) + i32(x10) - 0x185d; z10 = u32(d) & MASK; d = (d >> 13u) + i32(x11) - 0xc0a; z11 = u32(d) & MASK;
        d = (d >> 13u) + i32(x12) - 0xda0; z12 = u32(d) & MASK; d = (d >> 13u) + i32(x13) - 0x8b; z13 = u32(d) & MASK;
        d = (d >> 13u) + i32(x14) - 0x1b85; z14 = u32(d) & MASK; d = (d >> 13u) + i32(x15) - 0x1014; z15 = u32(d) & MASK;
        d = (d >> 13u) + i32(x16) - 0x4c6; z16 = u32(d) & MASK; d = (d >> 13u) + i32(x17) - 0xe5c; z17 = u32(d) & MASK;
        d = (d >> 13u) + i32(x18) - 0x44e; z18 = u32(d) & MASK; d = (d >> 13u) + i32(x19) - 0x183; z19 = u32(d) & MASK;
        if d >= 0 {
            x0 = z0; x1 = z1; x2 = z2; x3 = z3; x4 = z4; x5 = z5; x6 = z6; x7 = z7; x8 = z8; x9 = z9; x10 = z10; x11 = z11;
            x12 = z12; x13 = z13; x14 = z14; x15 = z15; x16 = z16; x17 = z17; x18 = z18; x19 = z19;
        }
        // Less 2p, unless that is negative.
        d = i32(x0) - 0x2; z0 = u32(d) & MASK; d = (d >> 13u) + i32(x1) - 0x0; z1 = u32(d) & MASK;
        d = (d >> 13u) + i32(x2) - 0x9f8; z2 = u32(d) & MASK; d = (d >> 13u) + i32(x3) - 0x7d6; z3 = u32(d) & MASK;
        d = (d >> 13u) + i32(x4) - 0x87c; z4 = u32(d) & MASK; d = (d >> 13u) + i32(x5) - 0x1091; z5 = u32(d) & MASK;
        d = (d >> 13u) + i32(x6) - 0xdcb; z6 = u32(d) & MASK; d = (d >> 13u) + i32(x7) - 0x121e; z7 = u32(d) & MASK;
        d = (d >> 13u) + i32(x8) - 0x7d0; z8 = u32(d) & MASK; d = (d >> 13u) + i32(x9) - 0x1283; z9 = u32(d) & MASK;
        d = (d >> 13u) + i32(x10) - 0xc2e; z10 = u32(d) & MASK; d = (d >> 13u) + i32(x11) - 0x605; z11 = u32(d) & MASK;
        d = (d >> 13u) + i32(x12) - 0x16d0; z12 = u32(d) & MASK; d = (d >> 13u) + i32(x13) - 0x1045; z13 = u32(d) & MASK;
        d = (d >> 13u) + i32(x14) - 0xdc2; z14 = u32(d) & MASK; d = (d >> 13u) + i32(x15) - 0x80a; z15 = u32(d) & MASK;
        d = (d >> 13u) + i32(x16) - 0x263; z16 = u32(d) & MASK; d = (d >> 13u) + i32(x17) - 0x72e; z17 = u32(d) & MASK;
        d = (d >> 13u) + i32(x18) - 0x1227; z18 = u32(d) & MASK; d = (d >> 13u) + i32(x19) - 0xc1; z19 = u32(d) & MASK;
        if d >= 0 {
            x0 = z0; x1 = z1; x2 = z2; x3 = z3; x4 = z4; x5 = z5; x6 = z6; x7 = z7; x8 = z8; x9 = z9; x10 = z10; x11 = z11;
            x12 = z12; x13 = z13; x14 = z14; x15 = z15; x16 = z16; x17 = z17; x18 = z18; x19 = z19;
        }
        // b * 2^4.
        let y0 = (x0 << 4u) & MASK; let y1 = ((x1 << 4u) | (x0 >> 9u)) & MASK; let y2 = ((x2 << 4u) | (x1 >> 9u)) & MASK;
        let y3 = ((x3 << 4u) | (x2 >> 9u)) & MASK; let y4 = ((x4 << 4u) | (x3 >> 9u)) & MASK;
        let y5 = ((x5 << 4u) | (x4 >> 9u)) & MASK; let y6 = ((x6 << 4u) | (x5 >> 9u)) & MASK;
        let y7 = ((x7 << 4u) | (x6 >> 9u)) & MASK; let y8 = ((x8 << 4u) | (x7 >> 9u)) & MASK;
        let y9 = ((x9 << 4u) | (x8 >> 9u)) & MASK; let y10 = ((x10 << 4u) | (x9 >> 9u)) & MASK;
        let y11 = ((x11 << 4u) | (x10 >> 9u)) & MASK; let y12 = ((x12 << 4u) | (x11 >> 9u)) & MASK;
        let y13 = ((x13 << 4u) | (x12 >> 9u)) & MASK; let y14 = ((x14 << 4u) | (x13 >> 9u)) & MASK;
        let y15 = ((x15 << 4u) | (x14 >> 9u)) & MASK; let y16 = ((x16 << 4u) | (x15 >> 9u)) & MASK;
        let y17 = ((x17 << 4u) | (x16 >> 9u)) & MASK; let y18 = ((x18 << 4u) | (x17 >> 9u)) & MASK;
        let y19 = ((x19 << 4u) | (x18 >> 9u)) & MASK;
        low = a[2u * i];
        high = a[2u * i + 1u];
        x0 = low.x & MASK; x1 = (low.x >> 13u) & MASK; x2 = ((low.x >> 26u) | (low.y << 6u)) & MASK;
        x3 = (low.y >> 7u) & MASK; x4 = ((low.y >> 20u) | (low.z << 12u)) & MASK; x5 = (low.z >> 1u) & MASK;
        x6 = (low.z >> 14u) & MASK; x7 = ((low.z >> 27u) | (low.w << 5u)) & MASK; x8 = (low.w >> 8u) & MASK;
        x9 = ((low.w >> 21u) | (high.x << 11u)) & MASK; x10 = (high.x >> 2u) & MASK; x11 = (high.x >> 15u) & MASK;
        x12 = ((high.x >> 28u) | (high.y << 4u)) & MASK; x13 = (high.y >> 9u) & MASK;
        x14 = ((high.y >> 22u) | (high.z << 10u)) & MASK; x15 = (high.z >> 3u) & MASK; x16 = (high.z >> 16u) & MASK;
        x17 = ((high.z >> 29u) | (high.w << 3u)) & MASK; x18 = (high.w >> 10u) & MASK; x19 = (high.w >> 23u) & MASK;
        for (var done = 0u; done < params.products; done++) {
            // Each limb of x times y is added, and the multiple of p that makes the sum divisible by 2^13, by which it is divided.
            var v: u32; var s: u32; var m: u32;
            var t0 = 0x0u; var t1 = 0x0u; var t2 = 0x0u; var t3 = 0x0u; var t4 = 0x0u; var t5 = 0x0u; var t6 = 0x0u;
            var t7 = 0x0u; var t8 = 0x0u; var t9 = 0x0u; var t10 = 0x0u; var t11 = 0x0u; var t12 = 0x0u; var t13 = 0x0u;
            var t14 = 0x0u; var t15 = 0x0u; var t16 = 0x0u; var t17 = 0x0u; var t18 = 0x0u;
            v = x0; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x1; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x2; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x3; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x4; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x5; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x6; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x7; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x8; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x9; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x10; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x11; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x12; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x13; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x14; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x15; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x16; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x17; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x18; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            v = x19; s = t0 + v * y0; m = (s * 0x1fffu) & MASK; t0 = t1 + v * y1 + m * 0x0u + ((s + m * 0x1u) >> 13u);
            t1 = t2 + v * y2 + m * 0x4fcu; t2 = t3 + v * y3 + m * 0x3ebu; t3 = t4 + v * y4 + m * 0x143eu;
            t4 = t5 + v * y5 + m * 0x1848u; t5 = t6 + v * y6 + m * 0x6e5u; t6 = t7 + v * y7 + m * 0x90fu;
            t7 = t8 + v * y8 + m * 0x13e8u; t8 = t9 + v * y9 + m * 0x941u; t9 = t10 + v * y10 + m * 0x1617u;
            t10 = t11 + v * y11 + m * 0x302u; t11 = t12 + v * y12 + m * 0x1b68u; t12 = t13 + v * y13 + m * 0x822u;
            t13 = t14 + v * y14 + m * 0x6e1u; t14 = t15 + v * y15 + m * 0x1405u; t15 = t16 + v * y16 + m * 0x131u;
            t16 = t17 + v * y17 + m * 0x1397u; t17 = t18 + v * y18 + m * 0x1913u; t18 = v * y19 + m * 0x60u;
            // Carries.
            x0 = t0 & MASK; t1 += t0 >> 13u; x1 = t1 & MASK; t2 += t1 >> 13u; x2 = t2 & MASK;
            t3 += t2 >> 13u; x3 = t3 & MASK; t4 += t3 >> 13u; x4 = t4 & MASK; t5 += t4 >> 13u; x5 = t5 & MASK;
            t6 += t5 >> 13u; x6 = t6 & MASK; t7 += t6 >> 13u; x7 = t7 & MASK; t8 += t7 >> 13u; x8 = t8 & MASK;
            t9 += t8 >> 13u; x9 = t9 & MASK; t10 += t9 >> 13u; x10 = t10 & MASK; t11 += t10 >> 13u; x11 = t11 & MASK;
            t12 += t11 >> 13u; x12 = t12 & MASK; t13 += t12 >> 13u; x13 = t13 & MASK; t14 += t13 >> 13u; x14 = t14 & MASK;
            t15 += t14 >> 13u; x15 = t15 & MASK; t16 += t15 >> 13u; x16 = t16 & MASK; t17 += t16 >> 13u; x17 = t17 & MASK;
            t18 += t17 >> 13u; x18 = t18 & MASK; x19 = t18 >> 13u;
        }
        // Less 4p, unless that is negative.
        d = i32(x0) - 0x4; z0 = u32(d) & MASK; d = (d >> 13u) + i32(x1) - 0x0; z1 = u32(d) & MASK;
        d = (d >> 13u) + i32(x2) - 0x13f0; z2 = u32(d) & MASK; d = (d >> 13u) + i32(x3) - 0xfac; z3 = u32(d) & MASK;
        d = (d >> 13u) + i32(x4) - 0x10f8; z4 = u32(d) & MASK; d = (d >> 13u) + i32(x5) - 0x122; z5 = u32(d) & MASK;
        d = (d >> 13u) + i32(x6) - 0x1b97; z6 = u32(d) & MASK; d = (d >> 13u) + i32(x7) - 0x43c; z7 = u32(d) & MASK;
        d = (d >> 13u) + i32(x8) - 0xfa1; z8 = u32(d) & MASK; d = (d >> 13u) + i32(x9) - 0x506; z9 = u32(d) & MASK;
        d = (d >> 13u) + i32(x10) - 0x185d; z10 = u32(d) & MASK; d = (d >> 13u) + i32(x11) - 0xc0a; z11 = u32(d) & MASK;
        d = (d >> 13u) + i32(x12) - 0xda0; z12 = u32(d) & MASK; d = (d >> 13u) + i32(x13) - 0x8b; z13 = u32(d) & MASK;
        d = (d >> 13u) + i32(x14) - 0x1b85; z14 = u32(d) & MASK; d = (d >> 13u) + i32(x15) - 0x1014; z15 = u32(d) & MASK;
        d = (d >> 13u) + i32(x16) - 0x4c6; z16 = u32(d) & MASK; d = (d >> 13u) + i32(x17) - 0xe5c; z17 = u32(d) & MASK;
        d = (d >> 13u) + i32(x18) - 0x44e; z18 = u32(d) & MASK; d = (d >> 13u) + i32(x19) - 0x183; z19 = u32(d) & MASK;
        if d >= 0 {
            x0 = z0; x1 = z1; x2 = z2; x3 = z3; x4 = z4; x5 = z5; x6 = z6; x7 = z7; x8 = z8; x9 = z9; x10 = z10; x11 = z11;
            x12 = z12; x13 = z13; x14 = z14; x15 = z15; x16 = z16; x17 = z17; x18 = z18; x19 = z19;
        }
        // Less 2p, unless that is negative.
        d = i32(x0) - 0x2; z0 = u32(d) & MASK; d = (d >> 13u) + i32(x1) - 0x0; z1 = u32(d) & MASK;
        d = (d >> 13u) + i32(x2) - 0x9f8; z2 = u32(d) & MASK; d = (d >> 13u) + i32(x3) - 0x7d6; z3 = u32(d) & MASK;
        d = (d >> 13u) + i32(x4) - 0x87c; z4 = u32(d) & MASK; d = (d >> 13u) + i32(x5) - 0x1091; z5 = u32(d) & MASK;
        d = (d >> 13u) + i32(x6) - 0xdcb; z6 = u32(d) & MASK; d = (d >> 13u) + i32(x7) - 0x121e; z7 = u32(d) & MASK;
        d = (d >> 13u) + i32(x8) - 0x7d0; z8 = u32(d) & MASK; d = (d >> 13u) + i32(x9) - 0x1283; z9 = u32(d) & MASK;
        d = (d >> 13u) + i32(x10) - 0xc2e; z10 = u32(d) & MASK; d = (d >> 13u) + i32(x11) - 0x605; z11 = u32(d) & MASK;
        d = (d >> 13u) + i32(x12) - 0x16d0; z12 = u32(d) & MASK; d = (d >> 13u) + i32(x13) - 0x1045; z13 = u32(d) & MASK;
        d = (d >> 13u) + i32(x14) - 0xdc2; z14 = u32(d) & MASK; d = (d >> 13u) + i32(x15) - 0x80a; z15 = u32(d) & MASK;
        d = (d >> 13u) + i32(x16) - 0x263; z16 = u32(d) & MASK; d = (d >> 13u) + i32(x17) - 0x72e; z17 = u32(d) & MASK;
        d = (d >> 13u) + i32(x18) - 0x1227; z18 = u32(d) & MASK; d = (d >> 13u) + i32(x19) - 0xc1; z19 = u32(d) & MASK;
        if d >= 0 {
            x0 = z0; x1 = z1; x2 = z2; x3 = z3; x4 = z4; x5 = z5; x6 = z6; x7 = z7; x8 = z8; x9 = z9; x10 = z10; x11 = z11;
            x12 = z12; x13 = z13; x14 = z14; x15 = z15; x16 = z16; x17 = z17; x18 = z18; x19 = z19;
        }
        // Less p, unless that is negative.
        d = i32(x0) - 0x1; z0 = u32(d) & MASK; d = (d >> 13u) + i32(x1) - 0x0; z1 = u32(d) & MASK;
        d = (d >> 13u) + i32(x2) - 0x4fc; z2 = u32(d) & MASK; d = (d >> 13u) + i32(x3) - 0x3eb; z3 = u32(d) & MASK;
        d = (d >> 13u) + i32(x4) - 0x143e; z4 = u32(d) & MASK; d = (d >> 13u) + i32(x5) - 0x1848; z5 = u32(d) & MASK;
        d = (d >> 13u) + i32(x6) - 0x6e5; z6 = u32(d) & MASK; d = (d >> 13u) + i32(x7) - 0x90f; z7 = u32(d) & MASK;
        d = (d >> 13u) + i32(x8) - 0x13e8; z8 = u32(d) & MASK; d = (d >> 13u) + i32(x9) - 0x941; z9 = u32(d) & MASK;
        d = (d >> 13u) + i32(x10) - 0x1617; z10 = u32(d) & MASK; d = (d >> 13u) + i32(x11) - 0x302; z11 = u32(d) & MASK;
        d = (d >> 13u) + i32(x12) - 0x1b68; z12 = u32(d) & MASK; d = (d >> 13u) + i32(x13) - 0x822; z13 = u32(d) & MASK;
        d = (d >> 13u) + i32(x14) - 0x6e1; z14 = u32(d) & MASK; d = (d >> 13u) + i32(x15) - 0x1405; z15 = u32(d) & MASK;
        d = (d >> 13u) + i32(x16) - 0x131; z16 = u32(d) & MASK; d = (d >> 13u) + i32(x17) - 0x1397; z17 = u32(d) & MASK;
        d = (d >> 13u) + i32(x18) - 0x1913; z18 = u32(d) & MASK; d = (d >> 13u) + i32(x19) - 0x60; z19 = u32(d) & MASK;
        if d >= 0 {
            x0 = z0; x1 = z1; x2 = z2; x3 = z3; x4 = z4; x5 = z5; x6 = z6; x7 = z7; x8 = z8; x9 = z9; x10 = z10; x11 = z11;
            x12 = z12; x13 = z13; x14 = z14; x15 = z15; x16 = z16; x17 = z17; x18 = z18; x19 = z19;
        }
        together[2u * me] = vec4(
            x0 | (x1 << 13u) | (x2 << 26u),
            (x2 >> 6u) | (x3 << 7u) | (x4 << 20u),
            (x4 >> 12u) | (x5 << 1u) | (x6 << 14u) | (x7 << 27u),
            (x7 >> 5u) | (x8 << 8u) | (x9 << 21u),
        );
        together[2u * me + 1u] = vec4(
            (x9 >> 11u) | (x10 << 2u) | (x11 << 15u) | (x12 << 28u),
            (x12 >> 4u) | (x13 << 9u) | (x14 << 22u),
            (x14 >> 10u) | (x15 << 3u) | (x16 << 16u) | (x17 << 29u),
            (x17 >> 3u) | (x18 << 10u) | (x19 << 23u),
        );
    }
    workgroupBarrier();
    let first = 2u * (i - me);
    for (var k = me; k < 128u; k += 64u) {
        if first + k < 2u * params.n {
            products[first + k] = together[k];
        }
    }
}
