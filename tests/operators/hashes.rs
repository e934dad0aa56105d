//! Hashes of messages.

use std::sync::atomic::{AtomicUsize, Ordering};

use gpu_executor::{Keccak256, Sha256};

use super::{bytes, common, executors, hex, keccak256, sha256};

/// Source: NIST, example values for SHA-256, and CAVP's SHA256ShortMsg.rsp.
#[test]
fn sha256_has_the_digests_that_nist_published() {
    let a_million = "a".repeat(1_000_000);
    let vectors: [(&[u8], &str); 8] = [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (
            b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
        ),
        (a_million.as_bytes(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        (&[0xd3], "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"),
        (&[0x11, 0xaf], "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98"),
        (&[0xb4, 0x19, 0x0e], "dff2e73091f6c05e528896c4c831b9448653dc2ff043528f6769437bc7b975c2"),
    ];
    let messages = vectors.map(|(message, _)| message);
    for executor in executors() {
        let digests = executor.run(&Sha256 { messages: &messages }).unwrap();
        let digests: Vec<_> = digests.iter().map(|digest| hex(digest)).collect();
        assert_eq!(digests, vectors.map(|(_, digest)| digest), "{}", executor.backend());
    }
}

/// Source: the Keccak team's ShortMsgKAT_256.txt (round 3), and digests every client of Ethereum
/// has: of nothing, and of an empty list in RLP.
#[test]
fn keccak256_has_the_digests_that_keccaks_authors_published() {
    let vectors: [(&[u8], &str); 6] = [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (
            &[0xcc],
            "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a",
        ),
        (
            &[0x41, 0xfb],
            "a8eaceda4d47b3281a795ad9e1ea2122b407baf9aabcb9e18b5717b7873537d2",
        ),
        (
            &[0xc0],
            "1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
        ),
        (
            b"abc",
            "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
        ),
        (
            b"The quick brown fox jumps over the lazy dog",
            "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15",
        ),
    ];
    let messages = vectors.map(|(message, _)| message);
    for executor in executors() {
        let digests = executor.run(&Keccak256 { messages: &messages }).unwrap();
        let digests: Vec<_> = digests.iter().map(|digest| hex(digest)).collect();
        assert_eq!(digests, vectors.map(|(_, digest)| digest), "{}", executor.backend());
    }
}

/// Every length around the blocks of both hashes, some of many blocks, and short ones in between.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    let mut lengths: Vec<usize> = (0..=280).collect();
    lengths.extend([407, 408, 409, 1000, 0, 4095, 4096, 4097, 3, 0, 70_000, 1]);
    lengths.into_iter().map(|n| bytes(n, n)).collect()
}

#[test]
fn messages_of_every_length_have_the_digests_of_the_crates() {
    let messages = messages();
    let by_sha2: Vec<_> = messages.iter().map(|message| sha256(message)).collect();
    let by_sha3: Vec<_> = messages.iter().map(|message| keccak256(message)).collect();
    for executor in executors() {
        let name = executor.backend();
        let (sha, keccak) = (Sha256 { messages: &messages }, Keccak256 { messages: &messages });
        assert_eq!(executor.run(&sha).unwrap(), by_sha2, "{name}");
        assert_eq!(executor.run(&keccak).unwrap(), by_sha3, "{name}");
        let mut digests = vec![[0; 32]; messages.len()];
        executor.run_into(&keccak, &mut digests).unwrap();
        assert_eq!(digests, by_sha3, "{name}");
        assert_eq!(executor.submit(&sha).unwrap().wait().unwrap(), by_sha2, "{name}");
    }
}

#[test]
fn batches_of_messages_come_back_in_order() {
    let messages = messages();
    let parts: Vec<_> = [0..0, 0..1, 1..200, 200..200, 200..messages.len()]
        .map(|range| Keccak256 {
            messages: &messages[range],
        })
        .into();
    let expected: Vec<_> = messages.iter().map(|message| keccak256(message)).collect();
    for executor in executors() {
        let flat = executor.run_batch_flat(&parts).unwrap();
        assert_eq!(flat.items(), expected, "{}", executor.backend());
        assert_eq!(flat.offsets(), [0, 0, 1, 200, 200, messages.len()]);
        assert_eq!(executor.run_batch(&parts).unwrap().concat(), expected);
    }
}

#[test]
fn a_message_too_long_for_one_thread_is_digested_too() {
    const LONGEST: usize = 256 << 10;
    let messages = [LONGEST - 1, 5, LONGEST, LONGEST + 1, 0, 3 * LONGEST + 7].map(|n| bytes(n, n));
    let expected = [
        messages.each_ref().map(|message| sha256(message)),
        messages.each_ref().map(|message| keccak256(message)),
    ];
    for executor in executors() {
        assert_eq!(
            executor.run(&Sha256 { messages: &messages }).unwrap(),
            expected[0],
            "{}",
            executor.backend()
        );
        let digests = executor.run(&Keccak256 { messages: &messages }).unwrap();
        assert_eq!(digests, expected[1], "{}", executor.backend());
    }
}

/// A message that is long at one of the times it is asked for its bytes.
struct Moody {
    asked: AtomicUsize,
    long_at: usize,
}

/// Its bytes.
static MOODY: [u8; 50_000] = [7; 50_000];
const MOODY_SHORT: usize = 5;

impl AsRef<[u8]> for Moody {
    fn as_ref(&self) -> &[u8] {
        let is_long = self.asked.fetch_add(1, Ordering::Relaxed) == self.long_at;
        if is_long { &MOODY } else { &MOODY[..MOODY_SHORT] }
    }
}

#[test]
fn a_message_that_changes_its_length_is_a_panic_or_one_of_its_digests() {
    let digests = [sha256(&MOODY[..MOODY_SHORT]), sha256(&MOODY)];
    for executor in common::gpu_executors(&common::options()) {
        let name = &executor.adapter().driver;
        let mut panics = 0;
        for long_at in 0..8 {
            let messages = [Moody {
                asked: AtomicUsize::new(0),
                long_at,
            }];
            let run = || executor.run(&Sha256 { messages: &messages });
            match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
                // What lies behind a message is never read.
                Ok(digest) => assert!(digests.contains(&digest.unwrap()[0]), "{name}: long at {long_at}"),
                Err(_) => panics += 1,
            }
        }
        assert!(panics > 0, "{name}: it is asked more than once");
        let after = executor.run(&Sha256 { messages: &[b"abc"] }).unwrap();
        assert_eq!(after, [sha256(b"abc")], "{name}: the executor goes on");
    }
}
