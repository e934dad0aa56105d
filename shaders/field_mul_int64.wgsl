// products[i] = a[i] * b[i] * b[i] * … in the scalar field of BN254, in Montgomery form with R = 2^256: x * y stands for
// x * y / R mod p. With 64-bit integers.
//
// Bindings (group 0), eight words for each element, the lowest first; any 256 bits are taken for their residue, what is written
// is below p:
//   0  a         read            shape [n, 2] or longer
//   1  b         read            shape [n, 2] or longer
//   2  products  read and write  shape [n, 2] or longer
// One thread per element, 64 per workgroup. Grids of more than 65,535 workgroups are folded into rows: thread (x, y) has
// element y * row + x.
//
// Numbers are cut into 9 limbs of 29 bits: sums of 18 products of limbs fit 64 bits, so that carries wait until a product is
// complete. It is Montgomery's with 261 bits in place of 256, for which b is taken times 2^5 once. As b < 2p, a product is
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

const MASK = 0x1fffffffu;

// The workgroup's output, to be written end to end: where that is the host's memory, pieces of 16 bytes would cross the bus.
var<workgroup> together: array<vec4<u32>, 128>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) thread: vec3<u32>, @builtin(local_invocation_index) me: u32) {
    let i = thread.y * params.row + thread.x;
    if i < params.n {
        var low = b[2u * i];
        var high = b[2u * i + 1u];
        var x0 = low.x & MASK; var x1 = ((low.x >> 29u) | (low.y << 3u)) & MASK;
        var x2 = ((low.y >> 26u) | (low.z << 6u)) & MASK; var x3 = ((low.z >> 23u) | (low.w << 9u)) & MASK;
        var x4 = ((low.w >> 20u) | (high.x << 12u)) & MASK; var x5 = ((high.x >> 17u) | (high.y << 15u)) & MASK;
        var x6 = ((high.y >> 14u) | (high.z << 18u)) & MASK; var x7 = ((high.z >> 11u) | (high.w << 21u)) & MASK;
        var x8 = (high.w >> 8u) & MASK;
        var d: i32;
        var z0: u32; var z1: u32; var z2: u32; var z3: u32; var z4: u32; var z5: u32; var z6: u32; var z7: u32; var z8: u32;
        // Less 4p, unless that is negative.
        d = i32(x0) - 0x4; z0 = u32(d) & MASK; d = (d >> 29u) + i32(x1) - 0x1c3eb27e; z1 = u32(d) & MASK;
        d = (d >> 29u) + i32(x2) - 0x19709143; z2 = u32(d) & MASK; d = (d >> 29u) + i32(x3) - 0x1f4243cd; z3 = u32(d) & MASK;
        d = (d >> 29u) + i32(x4) - 0x16174a0c; z4 = u32(d) & MASK; d = (d >> 29u) + i32(x5) - 0xb6d0302; z5 = u32(d) & MASK;
        d = (d >> 29u) + i32(x6) - 0x29b8504; z6 = u32(d) & MASK; d = (d >> 29u) + i32(x7) - 0x197098d0; z7 = u32(d) & MASK;
        d = (d >> 29u) + i32(x8) - 0xc19139; z8 = u32(d) & MASK;
        if d >= 0 {
            x0 = z0; x1 = z1; x2 = z2; x3 = z3; x4 = z4; x5 = z5; x6 = z6; x7 = z7; x8 = z8;
        }
        // Less 2p, unless that is negative.
        d = i32(x0) - 0x2; z0 = u32(d) & MASK; d = (d >> 29u) + i32(x1) - 0x1e1f593f; z1 = u32(d) & MASK;
        d = (d >> 29u) + i32(x2) - 0x1cb848a1; z2 = u32(d) & MASK; d = (d >> 29u) + i32(x3) - 0xfa121e6; z3 = u32(d) & MASK;
        d = (d >> 29u) + i32(x4) - 0xb0ba506; z4 = u32(d) & MASK; d = (d >> 29u) + i32(x5) - 0x5b68181; z5 = u32(d) & MASK;
        d = (d >> 29u) + i32(x6) - 0x14dc282; z6 = u32(d) & MASK; d = (d >> 29u) + i32(x7) - 0x1cb84c68; z7 = u32(d) & MASK;
        d = (d >> 29u) + i32(x8) - 0x60c89c; z8 = u32(d) & MASK;
        if d >= 0 {
            x0 = z0; x1 = z1; x2 = z2; x3 = z3; x4 = z4; x5 = z5; x6 = z6; x7 = z7; x8 = z8;
        }
        // b * 2^5.
        let y0 = u64((x0 << 5u) & MASK); let y1 = u64(((x1 << 5u) | (x0 >> 24u)) & MASK);
        let y2 = u64(((x2 << 5u) | (x1 >> 24u)) & MASK); let y3 = u64(((x3 << 5u) | (x2 >> 24u)) & MASK);
        let y4 = u64(((x4 << 5u) | (x3 >> 24u)) & MASK); let y5 = u64(((x5 << 5u) | (x4 >> 24u)) & MASK);
        let y6 = u64(((x6 << 5u) | (x5 >> 24u)) & MASK); let y7 = u64(((x7 << 5u) | (x6 >> 24u)) & MASK);
        let y8 = u64(((x8 << 5u) | (x7 >> 24u)) & MASK);
        low = a[2u * i];
        high = a[2u * i + 1u];
        x0 = low.x & MASK; x1 = ((low.x >> 29u) | (low.y << 3u)) & MASK; x2 = ((low.y >> 26u) | (low.z << 6u)) & MASK;
        x3 = ((low.z >> 23u) | (low.w << 9u)) & MASK; x4 = ((low.w >> 20u) | (high.x << 12u)) & MASK;
        x5 = ((high.x >> 17u) | (high.y << 15u)) & MASK; x6 = ((high.y >> 14u) | (high.z << 18u)) & MASK;
        x7 = ((high.z >> 11u) | (high.w << 21u)) & MASK; x8 = (high.w >> 8u) & MASK;
        for (var done = 0u; done < params.products; done++) {
            // Each limb of x times y is added, and the multiple of p that makes the sum divisible by 2^29, by which it is divided.
            var v: u64; var s: u64; var m: u64;
            var t0 = 0x0lu; var t1 = 0x0lu; var t2 = 0x0lu; var t3 = 0x0lu; var t4 = 0x0lu; var t5 = 0x0lu; var t6 = 0x0lu;
            var t7 = 0x0lu;
            v = u64(x0); s = t0 + v * y0; m = u64((u32(s) * 0xfffffffu) & MASK);
            t0 = t1 + v * y1 + m * 0x1f0fac9flu + ((s + m * 0x10000001lu) >> 29u); t1 = t2 + v * y2 + m * 0xe5c2450lu;
            t2 = t3 + v * y3 + m * 0x7d090f3lu; t3 = t4 + v * y4 + m * 0x1585d283lu; t4 = t5 + v * y5 + m * 0x2db40c0lu;
            t5 = t6 + v * y6 + m * 0xa6e141lu; t6 = t7 + v * y7 + m * 0xe5c2634lu; t7 = v * y8 + m * 0x30644elu;
            v = u64(x1); s = t0 + v * y0; m = u64((u32(s) * 0xfffffffu) & MASK);
            t0 = t1 + v * y1 + m * 0x1f0fac9flu + ((s + m * 0x10000001lu) >> 29u); t1 = t2 + v * y2 + m * 0xe5c2450lu;
            t2 = t3 + v * y3 + m * 0x7d090f3lu; t3 = t4 + v * y4 + m * 0x1585d283lu; t4 = t5 + v * y5 + m * 0x2db40c0lu;
            t5 = t6 + v * y6 + m * 0xa6e141lu; t6 = t7 + v * y7 + m * 0xe5c2634lu; t7 = v * y8 + m * 0x30644elu;
            v = u64(x2); s = t0 + v * y0; m = u64((u32(s) * 0xfffffffu) & MASK);
            t0 = t1 + v * y1 + m * 0x1f0fac9flu + ((s + m * 0x10000001lu) >> 29u); t1 = t2 + v * y2 + m * 0xe5c2450lu;
            t2 = t3 + v * y3 + m * 0x7d090f3lu; t3 = t4 + v * y4 + m * 0x1585d283lu; t4 = t5 + v * y5 + m * 0x2db40c0lu;
            t5 = t6 + v * y6 + m * 0xa6e141lu; t6 = t7 + v * y7 + m * 0xe5c2634lu; t7 = v * y8 + m * 0x30644elu;
            v = u64(x3); s = t0 + v * y0; m = u64((u32(s) * 0xfffffffu) & MASK);
            t0 = t1 + v * y1 + m * 0x1f0fac9flu + ((s + m * 0x10000001lu) >> 29u); t1 = t2 + v * y2 + m * 0xe5c2450lu;
            t2 = t3 + v * y3 + m * 0x7d090f3lu; t3 = t4 + v * y4 + m * 0x1585d283lu; t4 = t5 + v * y5 + m * 0x2db40c0lu;
            t5 = t6 + v * y6 + m * 0xa6e141lu; t6 = t7 + v * y7 + m * 0xe5c2634lu; t7 = v * y8 + m * 0x30644elu;
            v = u64(x4); s = t0 + v * y0; m = u64((u32(s) * 0xfffffffu) & MASK);
            t0 = t1 + v * y1 + m * 0x1f0fac9flu + ((s + m * 0x10000001lu) >> 29u); t1 = t2 + v * y2 + m * 0xe5c2450lu;
            t2 = t3 + v * y3 + m * 0x7d090f3lu; t3 = t4 + v * y4 + m * 0x1585d283lu; t4 = t5 + v * y5 + m * 0x2db40c0lu;
            t5 = t6 + v * y6 + m * 0xa6e141lu; t6 = t7 + v * y7 + m * 0xe5c2634lu; t7 = v * y8 + m * 0x30644elu;
            v = u64(x5); s = t0 + v * y0; m = u64((u32(s) * 0xfffffffu) & MASK);
            t0 = t1 + v * y1 + m * 0x1f0fac9flu + ((s + m * 0x10000001lu) >> 29u); t1 = t2 + v * y2 + m * 0xe5c2450lu;
            t2 = t3 + v * y3 + m * 0x7d090f3lu; t3 = t4 + v * y4 + m * 0x1585d283lu; t4 = t5 + v * y5 + m * 0x2db40c0lu;
            t5 = t6 + v * y6 + m * 0xa6e141lu; t6 = t7 + v * y7 + m * 0xe5c2634lu; t7 = v * y8 + m * 0x30644elu;
            v = u64(x6); s = t0 + v * y0; m = u64((u32(s) * 0xfffffffu) & MASK);
            t0 = t1 + v * y1 + m * 0x1f0fac9flu + ((s + m * 0x10000001lu) >> 29u); t1 = t2 + v * y2 + m * 0xe5c2450lu;
            t2 = t3 + v * y3 + m * 0x7d090f3lu; t3 = t4 + v * y4 + m * 0x1585d283lu; t4 = t5 + v * y5 + m * 0x2db40c0lu;
            t5 = t6 + v * y6 + m * 0xa6e141lu; t6 = t7 + v * y7 + m * 0xe5c2634lu; t7 = v * y8 + m * 0x30644elu;
            v = u64(x7); s = t0 + v * y0; m = u64((u32(s) * 0xfffffffu) & MASK);
            t0 = t1 + v * y1 + m * 0x1f0fac9flu + ((s + m * 0x10000001lu) >> 29u); t1 = t2 + v * y2 + m * 0xe5c2450lu;
            t2 = t3 + v * y3 + m * 0x7d090f3lu; t3 = t4 + v * y4 + m * 0x1585d283lu; t4 = t5 + v * y5 + m * 0x2db40c0lu;
            t5 = t6 + v * y6 + m * 0xa6e141lu; t6 = t7 + v * y7 + m * 0xe5c2634lu; t7 = v * y8 + m * 0x30644elu;
            v = u64(x8); s = t0 + v * y0; m = u64((u32(s) * 0xfffffffu) & MASK);
            t0 = t1 + v * y1 + m * 0x1f0fac9flu + ((s + m * 0x10000001lu) >> 29u); t1 = t2 + v * y2 + m * 0xe5c2450lu;
            t2 = t3 + v * y3 + m * 0x7d090f3lu; t3 = t4 + v * y4 + m * 0x1585d283lu; t4 = t5 + v * y5 + m * 0x2db40c0lu;
            t5 = t6 + v * y6 + m * 0xa6e141lu; t6 = t7 + v * y7 + m * 0xe5c2634lu; t7 = v * y8 + m * 0x30644elu;
            // Carries.
            x0 = u32(t0) & MASK; t1 += t0 >> 29u; x1 = u32(t1) & MASK; t2 += t1 >> 29u; x2 = u32(t2) & MASK;
            t3 += t2 >> 29u; x3 = u32(t3) & MASK; t4 += t3 >> 29u; x4 = u32(t4) & MASK; t5 += t4 >> 29u; x5 = u32(t5) & MASK;
            t6 += t5 >> 29u; x6 = u32(t6) & MASK; t7 += t6 >> 29u; x7 = u32(t7) & MASK; x8 = u32(t7 >> 29u);
        }
        // Less 4p, unless that is negative.
        d = i32(x0) - 0x4; z0 = u32(d) & MASK; d = (d >> 29u) + i32(x1) - 0x1c3eb27e; z1 = u32(d) & MASK;
        d = (d >> 29u) + i32(x2) - 0x19709143; z2 = u32(d) & MASK; d = (d >> 29u) + i32(x3) - 0x1f4243cd; z3 = u32(d) & MASK;
        d = (d >> 29u) + i32(x4) - 0x16174a0c; z4 = u32(d) & MASK; d = (d >> 29u) + i32(x5) - 0xb6d0302; z5 = u32(d) & MASK;
        d = (d >> 29u) + i32(x6) - 0x29b8504; z6 = u32(d) & MASK; d = (d >> 29u) + i32(x7) - 0x197098d0; z7 = u32(d) & MASK;
        d = (d >> 29u) + i32(x8) - 0xc19139; z8 = u32(d) & MASK;
        if d >= 0 {
            x0 = z0; x1 = z1; x2 = z2; x3 = z3; x4 = z4; x5 = z5; x6 = z6; x7 = z7; x8 = z8;
        }
        // Less 2p, unless that is negative.
        d = i32(x0) - 0x2; z0 = u32(d) & MASK; d = (d >> 29u) + i32(x1) - 0x1e1f593f; z1 = u32(d) & MASK;
        d = (d >> 29u) + i32(x2) - 0x1cb848a1; z2 = u32(d) & MASK; d = (d >> 29u) + i32(x3) - 0xfa121e6; z3 = u32(d) & MASK;
        d = (d >> 29u) + i32(x4) - 0xb0ba506; z4 = u32(d) & MASK; d = (d >> 29u) + i32(x5) - 0x5b68181; z5 = u32(d) & MASK;
        d = (d >> 29u) + i32(x6) - 0x14dc282; z6 = u32(d) & MASK; d = (d >> 29u) + i32(x7) - 0x1cb84c68; z7 = u32(d) & MASK;
        d = (d >> 29u) + i32(x8) - 0x60c89c; z8 = u32(d) & MASK;
        if d >= 0 {
            x0 = z0; x1 = z1; x2 = z2; x3 = z3; x4 = z4; x5 = z5; x6 = z6; x7 = z7; x8 = z8;
        }
        // Less p, unless that is negative.
        d = i32(x0) - 0x10000001; z0 = u32(d) & MASK; d = (d >> 29u) + i32(x1) - 0x1f0fac9f; z1 = u32(d) & MASK;
        d = (d >> 29u) + i32(x2) - 0xe5c2450; z2 = u32(d) & MASK; d = (d >> 29u) + i32(x3) - 0x7d090f3; z3 = u32(d) & MASK;
        d = (d >> 29u) + i32(x4) - 0x1585d283; z4 = u32(d) & MASK; d = (d >> 29u) + i32(x5) - 0x2db40c0; z5 = u32(d) & MASK;
        d = (d >> 29u) + i32(x6) - 0xa6e141; z6 = u32(d) & MASK; d = (d >> 29u) + i32(x7) - 0xe5c2634; z7 = u32(d) & MASK;
        d = (d >> 29u) + i32(x8) - 0x30644e; z8 = u32(d) & MASK;
        if d >= 0 {
            x0 = z0; x1 = z1; x2 = z2; x3 = z3; x4 = z4; x5 = z5; x6 = z6; x7 = z7; x8 = z8;
        }
        together[2u * me] = vec4(
            x0 | (x1 << 29u),
            (x1 >> 3u) | (x2 << 26u),
            (x2 >> 6u) | (x3 << 23u),
            (x3 >> 9u) | (x4 << 20u),
        );
        together[2u * me + 1u] = vec4(
            (x4 >> 12u) | (x5 << 17u),
            (x5 >> 15u) | (x6 << 14u),
            (x6 >> 18u) | (x7 << 11u),
            (x7 >> 21u) | (x8 << 8u),
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
