// BLAKE3, read behind what hashes of messages have in common: one thread per message of 64 KiB at the most.
//
// A message is a list of chunks of 1,024 bytes, each of blocks of 64; the chaining values of chunks are the leaves of a tree
// whose left part is the largest full one. Values of full subtrees wait on a stack.

// There is no padding but zeros.
const FIRST_OF_PADDING: u32 = 0u;

const CHUNK_BYTES: u32 = 1024u;
const BLOCK_BYTES: u32 = 64u;

const CHUNK_START: u32 = 1u;
const CHUNK_END: u32 = 2u;
const PARENT: u32 = 4u;
const ROOT: u32 = 8u;

// The first bits of the square roots of the first primes.
const IV_LOW: vec4<u32> = vec4(0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au);
const IV_HIGH: vec4<u32> = vec4(0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u);

struct Block {
    a: vec4<u32>,
    b: vec4<u32>,
    c: vec4<u32>,
    d: vec4<u32>,
}

// Four columns, or diagonals, at once.
fn mixed(rows: Block, x: vec4<u32>, y: vec4<u32>) -> Block {
    var a = rows.a + rows.b + x;
    var d = right(rows.d ^ a, 16u);
    var c = rows.c + d;
    var b = right(rows.b ^ c, 12u);
    a = a + b + y;
    d = right(d ^ a, 8u);
    c = c + d;
    b = right(b ^ c, 7u);
    return Block(a, b, c, d);
}

fn right(x: vec4<u32>, by: u32) -> vec4<u32> {
    return (x >> vec4(by)) | (x << vec4(32u - by));
}

// The chaining value behind a block of `bytes` bytes, of chunk `counter`.
fn compressed(value: Digest, block: Block, counter: u32, bytes: u32, flags: u32) -> Digest {
    var rows = Block(value.low, value.high, IV_LOW, vec4(counter, 0u, bytes, flags));
    var m = block;
    for (var round = 0; round < 7; round++) {
        rows = mixed(rows, vec4(m.a.xz, m.b.xz), vec4(m.a.yw, m.b.yw));
        let turned = Block(rows.a, rows.b.yzwx, rows.c.zwxy, rows.d.wxyz);
        let diagonal = mixed(turned, vec4(m.c.xz, m.d.xz), vec4(m.c.yw, m.d.yw));
        rows = Block(diagonal.a, diagonal.b.wxyz, diagonal.c.zwxy, diagonal.d.yzwx);
        m = Block(
            vec4(m.a.z, m.b.z, m.a.w, m.c.z),
            vec4(m.b.w, m.a.x, m.b.x, m.d.y),
            vec4(m.a.y, m.c.w, m.d.x, m.b.y),
            vec4(m.c.y, m.d.z, m.d.w, m.c.x),
        );
    }
    return Digest(rows.a ^ rows.c, rows.b ^ rows.d);
}

fn parent(left: Digest, other: Digest, flags: u32) -> Digest {
    let block = Block(left.low, left.high, other.low, other.high);
    return compressed(Digest(IV_LOW, IV_HIGH), block, 0u, BLOCK_BYTES, PARENT | flags);
}

fn words_at(message: Message, at: u32) -> vec4<u32> {
    return vec4(padded(message, at), padded(message, at + 8u));
}

// The value of a chunk; `flags` go with its last block.
fn chunk(message: Message, number: u32, flags: u32) -> Digest {
    let begin = number * CHUNK_BYTES;
    let end = min(message.length, begin + CHUNK_BYTES);
    var value = Digest(IV_LOW, IV_HIGH);
    var at = begin;
    loop {
        let bytes = min(end - at, BLOCK_BYTES);
        let is_last = at + BLOCK_BYTES >= end;
        let block = Block(
            words_at(message, at),
            words_at(message, at + 16u),
            words_at(message, at + 32u),
            words_at(message, at + 48u),
        );
        let of_first = select(0u, CHUNK_START, at == begin);
        let of_last = select(0u, CHUNK_END | flags, is_last);
        value = compressed(value, block, number, bytes, of_first | of_last);
        if is_last {
            break;
        }
        at += BLOCK_BYTES;
    }
    return value;
}

fn digest(message: Message) -> Digest {
    let last = (max(message.length, 1u) - 1u) / CHUNK_BYTES;
    var waiting: array<Digest, 7>;
    var n = 0u;
    for (var number = 0u; number < last; number++) {
        var value = chunk(message, number, 0u);
        // A subtree is full as often as the number of chunks so far is even.
        for (var chunks = number + 1u; chunks % 2u == 0u; chunks /= 2u) {
            n--;
            value = parent(waiting[n], value, 0u);
        }
        waiting[n] = value;
        n++;
    }
    var value = chunk(message, last, select(0u, ROOT, last == 0u));
    while n > 0u {
        n--;
        value = parent(waiting[n], value, select(0u, ROOT, n == 0u));
    }
    return value;
}
