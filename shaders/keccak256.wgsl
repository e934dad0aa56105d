// keccak256, with Keccak's padding (0x01, as Ethereum has it; SHA3-256 has 0x06). Read behind keccak_f.wgsl and messages.wgsl.

const FIRST_OF_PADDING = 0x01u;

fn digest(message: Message) -> Digest {
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
    return Digest(vec4(a[0], a[1]), vec4(a[2], a[3]));
}
