// keccak-f[1600] over 25 lanes of 64 bits, each a pair of u32, low half first. Lane (x, y) is a[5 * y + x].
//
// A part of keccak256.wgsl and merkle_root.wgsl, which are read behind it. Every index is a constant, so that the state
// lies in registers; the rounds are a loop, so that its code lies in the instruction cache.

var<private> a: array<vec2<u32>, 25>;

// Rotates a lane to the left by 0 < n < 32 bits; by n + 32 if its halves come swapped.
fn rol(lane: vec2<u32>, n: u32) -> vec2<u32> {
    return (lane << vec2(n)) | (lane.yx >> vec2(32u - n));
}

// The constant of a round has bits at 2^j - 1 only; bit `round` of each mask says which.
fn iota(round: u32) -> vec2<u32> {
    let bits = (vec4(0x50f4f1u, 0xdb916u, 0x8c7f94u, 0x327356u) >> vec4(round)) & vec4(1u);
    let more = (vec3(0xb5d4deu, 0xd81c68u, 0xbbe0ccu) >> vec3(round)) & vec3(1u);
    return vec2(
        bits.x | (bits.y << 1u) | (bits.z << 3u) | (bits.w << 7u) | (more.x << 15u) | (more.y << 31u),
        more.z << 31u,
    );
}

fn keccak_f() {
    for (var round = 0u; round < 24u; round++) {
        // Theta.
        let c0 = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20];
        let c1 = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21];
        let c2 = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22];
        let c3 = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23];
        let c4 = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24];
        let d0 = c4 ^ rol(c1, 1u);
        let d1 = c0 ^ rol(c2, 1u);
        let d2 = c1 ^ rol(c3, 1u);
        let d3 = c2 ^ rol(c4, 1u);
        let d4 = c3 ^ rol(c0, 1u);
        // Rho and pi: lane (x, y) goes to (y, 2x + 3y).
        let b0 = a[0] ^ d0;
        let b1 = rol((a[6] ^ d1).yx, 12u);
        let b2 = rol((a[12] ^ d2).yx, 11u);
        let b3 = rol(a[18] ^ d3, 21u);
        let b4 = rol(a[24] ^ d4, 14u);
        let b5 = rol(a[3] ^ d3, 28u);
        let b6 = rol(a[9] ^ d4, 20u);
        let b7 = rol(a[10] ^ d0, 3u);
        let b8 = rol((a[16] ^ d1).yx, 13u);
        let b9 = rol((a[22] ^ d2).yx, 29u);
        let b10 = rol(a[1] ^ d1, 1u);
        let b11 = rol(a[7] ^ d2, 6u);
        let b12 = rol(a[13] ^ d3, 25u);
        let b13 = rol(a[19] ^ d4, 8u);
        let b14 = rol(a[20] ^ d0, 18u);
        let b15 = rol(a[4] ^ d4, 27u);
        let b16 = rol((a[5] ^ d0).yx, 4u);
        let b17 = rol(a[11] ^ d1, 10u);
        let b18 = rol(a[17] ^ d2, 15u);
        let b19 = rol((a[23] ^ d3).yx, 24u);
        let b20 = rol((a[2] ^ d2).yx, 30u);
        let b21 = rol((a[8] ^ d3).yx, 23u);
        let b22 = rol((a[14] ^ d4).yx, 7u);
        let b23 = rol((a[15] ^ d0).yx, 9u);
        let b24 = rol(a[21] ^ d1, 2u);
        // Chi, and iota.
        a[0] = b0 ^ (~b1 & b2) ^ iota(round);
        a[1] = b1 ^ (~b2 & b3);
        a[2] = b2 ^ (~b3 & b4);
        a[3] = b3 ^ (~b4 & b0);
        a[4] = b4 ^ (~b0 & b1);
        a[5] = b5 ^ (~b6 & b7);
        a[6] = b6 ^ (~b7 & b8);
        a[7] = b7 ^ (~b8 & b9);
        a[8] = b8 ^ (~b9 & b5);
        a[9] = b9 ^ (~b5 & b6);
        a[10] = b10 ^ (~b11 & b12);
        a[11] = b11 ^ (~b12 & b13);
        a[12] = b12 ^ (~b13 & b14);
        a[13] = b13 ^ (~b14 & b10);
        a[14] = b14 ^ (~b10 & b11);
        a[15] = b15 ^ (~b16 & b17);
        a[16] = b16 ^ (~b17 & b18);
        a[17] = b17 ^ (~b18 & b19);
        a[18] = b18 ^ (~b19 & b15);
        a[19] = b19 ^ (~b15 & b16);
        a[20] = b20 ^ (~b21 & b22);
        a[21] = b21 ^ (~b22 & b23);
        a[22] = b22 ^ (~b23 & b24);
        a[23] = b23 ^ (~b24 & b20);
        a[24] = b24 ^ (~b20 & b21);
    }
}
