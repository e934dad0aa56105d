// keccak256 of messages of any lengths, with Keccak's padding (0x01, as Ethereum has it; SHA3-256 has 0x06).
//
// Bindings (group 0):
//   0  messages  read            shape [n] or longer: the first word and the length in bytes of each
//   1  words     read            the messages, two words to an element, each filled up to whole elements with zeros; a length of
//                                2^32 - 1 stands for eight words that are the digest
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
@group(0) @binding(1) var<storage, read> words: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> digests: array<vec4<u32>>;

// The workgroup's output, to be written end to end: where that is the host's memory, pieces of 16 bytes would cross the bus.
var<workgroup> together: array<vec4<u32>, 128>;

// A message, and where to find it.
struct Message {
    length: u32,
    // Its first eight bytes, and how many come behind these; of an empty one any.
    first: u32,
    last: u32,
    // The byte that begins the padding, among the eight it lies in.
    mark: vec2<u32>,
}

fn message(entry: vec2<u32>) -> Message {
    let length = entry.y;
    let mark = 0x1u << (8u * (length % 4u));
    return Message(
        length,
        select(entry.x / 2u, 0u, length == 0u),
        (max(length, 1u) - 1u) / 8u,
        select(vec2(0u, mark), vec2(mark, 0u), length % 8u < 4u),
    );
}

// Eight bytes of the padded message from byte `at` on, but for its last byte. Always loads, so that the loads of a block
// do not wait for each other.
fn padded(message: Message, at: u32) -> vec2<u32> {
    let loaded = words[message.first + min(at / 8u, message.last)];
    return select(vec2(0u), loaded, at < message.length) | select(vec2(0u), message.mark, at / 8u == message.length / 8u);
}

fn digest(message: Message, me: u32) {
    for (var at = 0u; at <= message.length; at += 136u) {
        a[0] ^= padded(message, at + 0u);
        a[1] ^= padded(message, at + 8u);
        a[2] ^= padded(message, at + 16u);
        a[3] ^= padded(message, at + 24u);
        a[4] ^= padded(message, at + 32u);
        a[5] ^= padded(message, at + 40u);
        a[6] ^= padded(message, at + 48u);
        a[7] ^= padded(message, at + 56u);
        a[8] ^= padded(message, at + 64u);
        a[9] ^= padded(message, at + 72u);
        a[10] ^= padded(message, at + 80u);
        a[11] ^= padded(message, at + 88u);
        a[12] ^= padded(message, at + 96u);
        a[13] ^= padded(message, at + 104u);
        a[14] ^= padded(message, at + 112u);
        a[15] ^= padded(message, at + 120u);
        a[16] ^= padded(message, at + 128u);
        if message.length - at < 136u {
            a[16].y ^= 0x80000000u;
        }
        keccak_f();
    }
    together[2u * me] = vec4(a[0], a[1]);
    together[2u * me + 1u] = vec4(a[2], a[3]);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) thread: vec3<u32>, @builtin(local_invocation_index) me: u32) {
    let i = thread.y * params.row + thread.x;
    if i < params.n {
        let entry = messages[i];
        if entry.y == 0xffffffffu {
            let first = entry.x / 2u;
            together[2u * me] = vec4(words[first], words[first + 1u]);
            together[2u * me + 1u] = vec4(words[first + 2u], words[first + 3u]);
        } else {
            digest(message(entry), me);
        }
    }
    workgroupBarrier();
    let first = 2u * (i - me);
    for (var k = me; k < 128u; k += 64u) {
        if first + k < 2u * params.n {
            digests[first + k] = together[k];
        }
    }
}
