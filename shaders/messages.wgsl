// What the hashes of messages of any lengths have in common: where messages lie, one thread for each, digests written together.
// Behind it is read the hash, which has the first byte of the padding and the digest:
//
//   const FIRST_OF_PADDING: u32
//   fn digest(message: Message) -> Digest
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

struct Digest {
    low: vec4<u32>,
    high: vec4<u32>,
}

fn message(entry: vec2<u32>) -> Message {
    let length = entry.y;
    let mark = FIRST_OF_PADDING << (8u * (length % 4u));
    return Message(
        length,
        select(entry.x / 2u, 0u, length == 0u),
        (max(length, 1u) - 1u) / 8u,
        select(vec2(0u, mark), vec2(mark, 0u), length % 8u < 4u),
    );
}

// Eight bytes of the message and the first of its padding from byte `at` on. Always loads, so that the loads of a block do not
// wait for each other.
fn padded(message: Message, at: u32) -> vec2<u32> {
    let loaded = words[message.first + min(at / 8u, message.last)];
    return select(vec2(0u), loaded, at < message.length) | select(vec2(0u), message.mark, at / 8u == message.length / 8u);
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
            let result = digest(message(entry));
            together[2u * me] = result.low;
            together[2u * me + 1u] = result.high;
        }
    }
    workgroupBarrier();
    // No loop: Mesa's drivers for CPUs end the loops of a kernel after 65,535 rounds altogether, and one before may take them all.
    let at = 2u * (i - me) + me;
    if at < 2u * params.n {
        digests[at] = together[me];
    }
    if at + 64u < 2u * params.n {
        digests[at + 64u] = together[me + 64u];
    }
}
