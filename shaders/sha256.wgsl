// sha256, of FIPS 180-4. Read behind messages.wgsl.

const FIRST_OF_PADDING = 0x80u;

fn swapped(word: u32) -> u32 {
    return (word << 24u) | ((word & 0xff00u) << 8u) | ((word >> 8u) & 0xff00u) | (word >> 24u);
}

fn ror(x: u32, n: u32) -> u32 {
    return (x >> n) | (x << (32u - n));
}

// What a round adds to `d`, and to what becomes `a`.
fn one(e: u32, f: u32, g: u32, h: u32, w: u32) -> u32 {
    return h + (ror(e, 6u) ^ ror(e, 11u) ^ ror(e, 25u)) + (g ^ (e & (f ^ g))) + w;
}

fn two(a: u32, b: u32, c: u32) -> u32 {
    return (ror(a, 2u) ^ ror(a, 13u) ^ ror(a, 22u)) + ((a & b) | (c & (a | b)));
}

// The addend of a word of the schedule when it is used again, 16 rounds later.
fn next(w1: u32, w9: u32, w14: u32) -> u32 {
    return (ror(w1, 7u) ^ ror(w1, 18u) ^ (w1 >> 3u)) + w9 + (ror(w14, 17u) ^ ror(w14, 19u) ^ (w14 >> 10u));
}

fn digest(message: Message) -> Digest {
    var left = vec4(0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au);
    var right = vec4(0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u);
    // The padding and the length, nine bytes, are behind the message.
    for (var at = 0u; at < message.length + 9u; at += 64u) {
        let p0 = padded(message, at + 0u);
        let p1 = padded(message, at + 8u);
        let p2 = padded(message, at + 16u);
        let p3 = padded(message, at + 24u);
        let p4 = padded(message, at + 32u);
        let p5 = padded(message, at + 40u);
        let p6 = padded(message, at + 48u);
        let p7 = padded(message, at + 56u);
        var w0 = swapped(p0.x);
        var w1 = swapped(p0.y);
        var w2 = swapped(p1.x);
        var w3 = swapped(p1.y);
        var w4 = swapped(p2.x);
        var w5 = swapped(p2.y);
        var w6 = swapped(p3.x);
        var w7 = swapped(p3.y);
        var w8 = swapped(p4.x);
        var w9 = swapped(p4.y);
        var w10 = swapped(p5.x);
        var w11 = swapped(p5.y);
        var w12 = swapped(p6.x);
        var w13 = swapped(p6.y);
        var w14 = swapped(p7.x);
        var w15 = swapped(p7.y);
        if message.length + 9u <= at + 64u {
            w14 = message.length >> 29u;
            w15 = message.length << 3u;
        }
        var a = left.x; var b = left.y; var c = left.z; var d = left.w;
        var e = right.x; var f = right.y; var g = right.z; var h = right.w;
        var x: u32;
        x = one(e, f, g, h, 0x428a2f98u + w0); d += x; h = x + two(a, b, c);
        x = one(d, e, f, g, 0x71374491u + w1); c += x; g = x + two(h, a, b);
        x = one(c, d, e, f, 0xb5c0fbcfu + w2); b += x; f = x + two(g, h, a);
        x = one(b, c, d, e, 0xe9b5dba5u + w3); a += x; e = x + two(f, g, h);
        x = one(a, b, c, d, 0x3956c25bu + w4); h += x; d = x + two(e, f, g);
        x = one(h, a, b, c, 0x59f111f1u + w5); g += x; c = x + two(d, e, f);
        x = one(g, h, a, b, 0x923f82a4u + w6); f += x; b = x + two(c, d, e);
        x = one(f, g, h, a, 0xab1c5ed5u + w7); e += x; a = x + two(b, c, d);
        x = one(e, f, g, h, 0xd807aa98u + w8); d += x; h = x + two(a, b, c);
        x = one(d, e, f, g, 0x12835b01u + w9); c += x; g = x + two(h, a, b);
        x = one(c, d, e, f, 0x243185beu + w10); b += x; f = x + two(g, h, a);
        x = one(b, c, d, e, 0x550c7dc3u + w11); a += x; e = x + two(f, g, h);
        x = one(a, b, c, d, 0x72be5d74u + w12); h += x; d = x + two(e, f, g);
        x = one(h, a, b, c, 0x80deb1feu + w13); g += x; c = x + two(d, e, f);
        x = one(g, h, a, b, 0x9bdc06a7u + w14); f += x; b = x + two(c, d, e);
        x = one(f, g, h, a, 0xc19bf174u + w15); e += x; a = x + two(b, c, d);
        w0 += next(w1, w9, w14);
        x = one(e, f, g, h, 0xe49b69c1u + w0); d += x; h = x + two(a, b, c);
        w1 += next(w2, w10, w15);
        x = one(d, e, f, g, 0xefbe4786u + w1); c += x; g = x + two(h, a, b);
        w2 += next(w3, w11, w0);
        x = one(c, d, e, f, 0x0fc19dc6u + w2); b += x; f = x + two(g, h, a);
        w3 += next(w4, w12, w1);
        x = one(b, c, d, e, 0x240ca1ccu + w3); a += x; e = x + two(f, g, h);
        w4 += next(w5, w13, w2);
        x = one(a, b, c, d, 0x2de92c6fu + w4); h += x; d = x + two(e, f, g);
        w5 += next(w6, w14, w3);
        x = one(h, a, b, c, 0x4a7484aau + w5); g += x; c = x + two(d, e, f);
        w6 += next(w7, w15, w4);
        x = one(g, h, a, b, 0x5cb0a9dcu + w6); f += x; b = x + two(c, d, e);
        w7 += next(w8, w0, w5);
        x = one(f, g, h, a, 0x76f988dau + w7); e += x; a = x + two(b, c, d);
        w8 += next(w9, w1, w6);
        x = one(e, f, g, h, 0x983e5152u + w8); d += x; h = x + two(a, b, c);
        w9 += next(w10, w2, w7);
        x = one(d, e, f, g, 0xa831c66du + w9); c += x; g = x + two(h, a, b);
        w10 += next(w11, w3, w8);
        x = one(c, d, e, f, 0xb00327c8u + w10); b += x; f = x + two(g, h, a);
        w11 += next(w12, w4, w9);
        x = one(b, c, d, e, 0xbf597fc7u + w11); a += x; e = x + two(f, g, h);
        w12 += next(w13, w5, w10);
        x = one(a, b, c, d, 0xc6e00bf3u + w12); h += x; d = x + two(e, f, g);
        w13 += next(w14, w6, w11);
        x = one(h, a, b, c, 0xd5a79147u + w13); g += x; c = x + two(d, e, f);
        w14 += next(w15, w7, w12);
        x = one(g, h, a, b, 0x06ca6351u + w14); f += x; b = x + two(c, d, e);
        w15 += next(w0, w8, w13);
        x = one(f, g, h, a, 0x14292967u + w15); e += x; a = x + two(b, c, d);
        w0 += next(w1, w9, w14);
        x = one(e, f, g, h, 0x27b70a85u + w0); d += x; h = x + two(a, b, c);
        w1 += next(w2, w10, w15);
        x = one(d, e, f, g, 0x2e1b2138u + w1); c += x; g = x + two(h, a, b);
        w2 += next(w3, w11, w0);
        x = one(c, d, e, f, 0x4d2c6dfcu + w2); b += x; f = x + two(g, h, a);
        w3 += next(w4, w12, w1);
        x = one(b, c, d, e, 0x53380d13u + w3); a += x; e = x + two(f, g, h);
        w4 += next(w5, w13, w2);
        x = one(a, b, c, d, 0x650a7354u + w4); h += x; d = x + two(e, f, g);
        w5 += next(w6, w14, w3);
        x = one(h, a, b, c, 0x766a0abbu + w5); g += x; c = x + two(d, e, f);
        w6 += next(w7, w15, w4);
        x = one(g, h, a, b, 0x81c2c92eu + w6); f += x; b = x + two(c, d, e);
        w7 += next(w8, w0, w5);
        x = one(f, g, h, a, 0x92722c85u + w7); e += x; a = x + two(b, c, d);
        w8 += next(w9, w1, w6);
        x = one(e, f, g, h, 0xa2bfe8a1u + w8); d += x; h = x + two(a, b, c);
        w9 += next(w10, w2, w7);
        x = one(d, e, f, g, 0xa81a664bu + w9); c += x; g = x + two(h, a, b);
        w10 += next(w11, w3, w8);
        x = one(c, d, e, f, 0xc24b8b70u + w10); b += x; f = x + two(g, h, a);
        w11 += next(w12, w4, w9);
        x = one(b, c, d, e, 0xc76c51a3u + w11); a += x; e = x + two(f, g, h);
        w12 += next(w13, w5, w10);
        x = one(a, b, c, d, 0xd192e819u + w12); h += x; d = x + two(e, f, g);
        w13 += next(w14, w6, w11);
        x = one(h, a, b, c, 0xd6990624u + w13); g += x; c = x + two(d, e, f);
        w14 += next(w15, w7, w12);
        x = one(g, h, a, b, 0xf40e3585u + w14); f += x; b = x + two(c, d, e);
        w15 += next(w0, w8, w13);
        x = one(f, g, h, a, 0x106aa070u + w15); e += x; a = x + two(b, c, d);
        w0 += next(w1, w9, w14);
        x = one(e, f, g, h, 0x19a4c116u + w0); d += x; h = x + two(a, b, c);
        w1 += next(w2, w10, w15);
        x = one(d, e, f, g, 0x1e376c08u + w1); c += x; g = x + two(h, a, b);
        w2 += next(w3, w11, w0);
        x = one(c, d, e, f, 0x2748774cu + w2); b += x; f = x + two(g, h, a);
        w3 += next(w4, w12, w1);
        x = one(b, c, d, e, 0x34b0bcb5u + w3); a += x; e = x + two(f, g, h);
        w4 += next(w5, w13, w2);
        x = one(a, b, c, d, 0x391c0cb3u + w4); h += x; d = x + two(e, f, g);
        w5 += next(w6, w14, w3);
        x = one(h, a, b, c, 0x4ed8aa4au + w5); g += x; c = x + two(d, e, f);
        w6 += next(w7, w15, w4);
        x = one(g, h, a, b, 0x5b9cca4fu + w6); f += x; b = x + two(c, d, e);
        w7 += next(w8, w0, w5);
        x = one(f, g, h, a, 0x682e6ff3u + w7); e += x; a = x + two(b, c, d);
        w8 += next(w9, w1, w6);
        x = one(e, f, g, h, 0x748f82eeu + w8); d += x; h = x + two(a, b, c);
        w9 += next(w10, w2, w7);
        x = one(d, e, f, g, 0x78a5636fu + w9); c += x; g = x + two(h, a, b);
        w10 += next(w11, w3, w8);
        x = one(c, d, e, f, 0x84c87814u + w10); b += x; f = x + two(g, h, a);
        w11 += next(w12, w4, w9);
        x = one(b, c, d, e, 0x8cc70208u + w11); a += x; e = x + two(f, g, h);
        w12 += next(w13, w5, w10);
        x = one(a, b, c, d, 0x90befffau + w12); h += x; d = x + two(e, f, g);
        w13 += next(w14, w6, w11);
        x = one(h, a, b, c, 0xa4506cebu + w13); g += x; c = x + two(d, e, f);
        w14 += next(w15, w7, w12);
        x = one(g, h, a, b, 0xbef9a3f7u + w14); f += x; b = x + two(c, d, e);
        w15 += next(w0, w8, w13);
        x = one(f, g, h, a, 0xc67178f2u + w15); e += x; a = x + two(b, c, d);
        left += vec4(a, b, c, d);
        right += vec4(e, f, g, h);
    }
    return Digest(
        vec4(swapped(left.x), swapped(left.y), swapped(left.z), swapped(left.w)),
        vec4(swapped(right.x), swapped(right.y), swapped(right.z), swapped(right.w)),
    );
}
