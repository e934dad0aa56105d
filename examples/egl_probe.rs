//! throw-away
#![allow(clippy::all, missing_docs, clippy::print_stdout, clippy::unwrap_used)]
use gpu_executor::*;
use std::time::*;
fn rss() -> String {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    s.lines()
        .filter(|l| l.starts_with("VmRSS") || l.starts_with("Threads"))
        .collect::<Vec<_>>()
        .join(" ")
        .replace('\t', " ")
}
fn fds() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
fn main() {
    let start = Instant::now();
    for a in Adapter::list(&Backend::built()) {
        println!("{:?}", a.info());
    }
    println!("list {:?}", start.elapsed());
    match Adapter::list_own_gles() {
        Ok(o) => println!("own: {}", o.len()),
        Err(e) => println!("own: {e}"),
    }
    let plain = Options {
        tuning: Some(Tuning::plain(Transfer::STAGED)),
        cache_dir: Some("".into()),
        ..Options::default()
    };
    for backend in [Backend::Vulkan, Backend::Gles] {
        for spin in [0, 1000] {
            let o = Options {
                tuning: Some(Tuning {
                    spin_us: spin,
                    ..Tuning::plain(Transfer::STAGED)
                }),
                ..plain.clone()
            };
            let Ok(a) = Adapter::pick(backend, None) else { continue };
            let e = match Executor::on(&a, o) {
                Ok(e) => e,
                Err(e) => {
                    println!("{e}");
                    continue;
                }
            };
            for n in [256usize, 1_000_000, 16_000_000] {
                let d = vec![1.5f32; n];
                let t = VectorAdd { a: &d, b: &d };
                for _ in 0..5 {
                    assert!(e.run(&t).unwrap().iter().all(|&x| x == 3.0));
                }
                let reps = if n == 256 { 3000 } else { 30 };
                let mut v: Vec<_> = (0..reps)
                    .map(|_| {
                        let s = Instant::now();
                        let r = e.run(&t).unwrap();
                        let w = s.elapsed();
                        drop(r);
                        w
                    })
                    .collect();
                v.sort();
                println!(
                    "{backend} spin {spin} n={n} median {:?} p10 {:?}",
                    v[reps / 2],
                    v[reps / 10]
                );
            }
            let (_, p) = e
                .run_timed(&VectorAdd {
                    a: &[1.0; 4096],
                    b: &[1.0; 4096],
                })
                .unwrap();
            println!("{backend} phases {p:?} counters {:?}", e.counters());
        }
    }
    for backend in [Backend::Gles, Backend::Vulkan] {
        let Ok(a) = Adapter::pick(backend, None) else { continue };
        if a.info().unusable.is_some() {
            continue;
        }
        let d = vec![1.0f32; 100_000];
        println!("{backend} executors on one adapter; before: {} fds {}", rss(), fds());
        for round in 0..4 {
            for _ in 0..10 {
                let e = Executor::on(&a, plain.clone()).unwrap();
                e.run(&VectorAdd { a: &d, b: &d }).unwrap();
            }
            println!("  {} executors: {} fds {}", (round + 1) * 10, rss(), fds());
        }
        println!("{backend} adapters");
        for round in 0..4 {
            for _ in 0..5 {
                let a = Adapter::pick(backend, None).unwrap();
                let e = Executor::on(&a, plain.clone()).unwrap();
                drop(a);
                e.run(&VectorAdd { a: &d, b: &d }).unwrap();
            }
            println!("  {} adapters: {} fds {}", (round + 1) * 5, rss(), fds());
        }
    }
    let v = Executor::new(Backend::Vulkan).unwrap();
    let g = Executor::new(Backend::Gles).unwrap();
    println!("tuning vulkan {:?}\ntuning gles {:?}", v.tuning(), g.tuning());
    let s = Instant::now();
    std::thread::scope(|scope| {
        for t in 0..8 {
            let e = if t % 4 == 3 { &v } else { &g };
            scope.spawn(move || {
                for i in 0..500usize {
                    let n = 1 + (i * 977 + t * 131) % 20000;
                    let d = vec![i as f32; n];
                    let r = e.run(&VectorAdd { a: &d, b: &d }).unwrap();
                    assert!(r.len() == n && r.iter().all(|&x| x == 2.0 * i as f32));
                }
            });
        }
    });
    println!("8 threads x 500 calls, right, {:?}", s.elapsed());
}
