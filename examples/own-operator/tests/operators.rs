//! The operators are what their CPU functions say, on every adapter, and what official vectors say.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests say what they ran on")]

use gpu_executor::{Adapter, Backend, Executor, Hybrid, HybridOptions, Options, testkit};
use own_operator::{Blake3, Messages, Saxpy, Vectors};

#[test]
fn saxpy_is_what_its_cpu_function_says_in_every_way_that_a_task_takes() {
    println!("{}", testkit::check::<Vectors>().unwrap().join(", "));
    testkit::check_in_place::<Vectors>().unwrap();
}

#[test]
fn blake3_is_what_its_crate_says_in_every_way_that_a_task_takes() {
    println!("{}", testkit::check::<Messages<0>>().unwrap().join(", "));
    testkit::check::<Messages<61>>().unwrap();
    testkit::check::<Messages<1030>>().unwrap();
}

/// Executors on every adapter that can be used, the CPU included.
fn executors() -> Vec<Executor> {
    let usable = |adapter: &Adapter| adapter.info().unusable.is_none();
    Adapter::list(Backend::ALL)
        .into_iter()
        .filter(usable)
        .map(|adapter| Executor::on(&adapter, Options::default()).unwrap())
        .collect()
}

#[test]
fn blake3_has_the_official_vectors() {
    // Bytes of the message, which are 0, 1, …, 250, 0, 1, …, and the first 32 of the hash.
    // Source: the BLAKE3 team's test_vectors.json.
    let vectors = [
        (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"),
        (1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"),
        (1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"),
        (1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"),
        (2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a"),
        (2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030"),
        (3072, "b98cb0ff3623be03326b373de6b9095218513e64f1ee2edd2525c7ad1e5cffd2"),
        (3073, "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3"),
        (4096, "015094013f57a5277b59d8475c0501042c0b642e531b0a1c8f58d2163229e969"),
        (4097, "9b4052b38f1c5fc8b1f9ff7ac7b27cd242487b3d890d15c96a1c25b8aa0fb995"),
        (5120, "9cadc15fed8b5d854562b26a9536d9707cadeda9b143978f319ab34230535833"),
        (5121, "628bd2cb2004694adaab7bbd778a25df25c47b9d4155a55f8fbd79f2fe154cff"),
        (6144, "3e2e5b74e048f3add6d21faab3f83aa44d3b2278afb83b80b3c35164ebeca205"),
        (6145, "f1323a8631446cc50536a9f705ee5cb619424d46887f3c376c695b70e0f0507f"),
        (7168, "61da957ec2499a95d6b8023e2b0e604ec7f6b50e80a9678b89d2628e99ada77a"),
        (7169, "a003fc7a51754a9b3c7fae0367ab3d782dccf28855a03d435f8cfe74605e7817"),
    ];
    let message = |bytes: usize| (0..=250).cycle().take(bytes).collect::<Vec<u8>>();
    let messages: Vec<_> = vectors.iter().map(|&(bytes, _)| message(bytes)).collect();
    for executor in executors() {
        let hashes = executor.run(&Blake3 { messages: &messages }).unwrap();
        for (hash, (bytes, expected)) in hashes.iter().zip(vectors) {
            let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected, "{bytes} bytes on {}", executor.adapter().name);
        }
    }
}

#[test]
fn messages_of_every_number_of_chunks_are_hashed_by_the_device_or_the_host() {
    // To the last that the kernel takes, and one that it does not.
    let lengths = (0..=64)
        .map(|chunks| chunks * 1024)
        .chain([1, 63, 64, 65, 40_001, 65_535, 65_537, 100_000]);
    let messages: Vec<Vec<u8>> = lengths.map(|bytes| vec![0x5A; bytes]).collect();
    for executor in executors() {
        let hashes = executor.run(&Blake3 { messages: &messages }).unwrap();
        for (hash, message) in hashes.iter().zip(&messages) {
            let bytes = message.len();
            assert_eq!(
                hash,
                blake3::hash(message).as_bytes(),
                "{bytes} bytes on {}",
                executor.adapter().name
            );
        }
    }
}

#[test]
fn a_router_calibrates_an_operator_of_ones_own() {
    let budget = std::time::Duration::from_secs(60);
    let router = Hybrid::new(HybridOptions::default().budget(budget)).unwrap();
    let (x, y) = (vec![1.0; 100_000], vec![10.0; 100_000]);
    let routed = router.run(&Saxpy { a: 3.0, x: &x, y: &y }).unwrap();
    assert!(routed.output.iter().all(|&sum| sum == 13.0), "{}", routed.route);
    let devices = router.adapters().count();
    let measured = router.table::<Saxpy<'_>>().map_or(0, |table| table.times.len());
    assert_eq!(measured, if devices > 1 { devices } else { 0 }, "{}", routed.route);
}
