// keccak256 of messages of any lengths, with Keccak's padding (0x01, as Ethereum has it; SHA3-256 has 0x06).
//
// Bindings (group 0):
//   0  messages  read            shape [n] or longer: the first word and the length in bytes of each
//   1  words     read            the messages, each filled up to whole words with zeros; a length of 2^32 - 1 stands for eight
//                                words that are the digest
//   2  digests   read and write  shape [n, 2] or longer
// One thread per message, 64 per workgroup. Grids of more than 65,535 workgroups are folded into rows: thread (x, y) has
// message y * row + x.

struct Params {
    // Number of messages.
    n: u32,
    // Threads per row of the grid.
    row: u32,
}

var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> messages: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(2) var<storage, read_write> digests: array<vec4<u32>>;

var<private> first: u32;
var<private> length: u32;

// The word at byte `at` of the padded message, but for its last byte.
fn padded(at: u32) -> u32 {
    var word = 0u;
    if at < length {
        word = words[first + at / 4u];
    }
    if at / 4u == length / 4u {
        word |= 1u << (8u * (length % 4u));
    }
    return word;
}

fn lane(at: u32) -> vec2<u32> {
    return vec2(padded(at), padded(at + 4u));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    let i = thread.y * params.row + thread.x;
    if i >= params.n {
        return;
    }
    first = messages[i].x;
    length = messages[i].y;
    if length == 0xffffffffu {
        digests[2u * i] = vec4(words[first], words[first + 1u], words[first + 2u], words[first + 3u]);
        digests[2u * i + 1u] = vec4(words[first + 4u], words[first + 5u], words[first + 6u], words[first + 7u]);
        return;
    }
    for (var at = 0u; at <= length; at += 136u) {
        a[0] ^= lane(at + 0u);
        a[1] ^= lane(at + 8u);
        a[2] ^= lane(at + 16u);
        a[3] ^= lane(at + 24u);
        a[4] ^= lane(at + 32u);
        a[5] ^= lane(at + 40u);
        a[6] ^= lane(at + 48u);
        a[7] ^= lane(at + 56u);
        a[8] ^= lane(at + 64u);
        a[9] ^= lane(at + 72u);
        a[10] ^= lane(at + 80u);
        a[11] ^= lane(at + 88u);
        a[12] ^= lane(at + 96u);
        a[13] ^= lane(at + 104u);
        a[14] ^= lane(at + 112u);
        a[15] ^= lane(at + 120u);
        a[16] ^= lane(at + 128u);
        if length - at < 136u {
            a[16].y ^= 0x80000000u;
        }
        keccak_f();
    }
    digests[2u * i] = vec4(a[0], a[1]);
    digests[2u * i + 1u] = vec4(a[2], a[3]);
}
