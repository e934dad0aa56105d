//! What each operator takes on the CPU and on a GPU, and from which size on the GPU is faster.
//!
//! ```text
//! cargo run --release --example operators -- [--log2 20] [--rounds 15] [--cuda PROGRAM] [--crossover]
//! ```
//!
//! Everything is timed alternately within one process: the crates called directly with rayon, the
//! CPU executor, and the executor of the first backend in `GPU_EXECUTOR_BACKENDS` that is no CPU
//! (transfers included).
//!
//! Kernels follow apart, by the device's clock and with buffers of the device's own, without work
//! of the CPU between: a GPU that waits for some 100 ms lowers its clock, on an H200 to a fifth.
//! `--cuda` runs the program made of `benches/peers/cuda/operators.cu` alternately with them, and
//! compares results.

#![allow(clippy::print_stdout, reason = "a program for people")]

use std::{
    collections::BTreeMap,
    error::Error,
    hint::black_box,
    process::Command,
    time::{Duration, Instant},
};

use ark_bn254::Fr;
use ark_ff::BigInt;
use gpu_executor::{
    Adapter, AdapterChoice, Backend, Bn254FrMul, Executor, Keccak256, MerkleRoot, Options, Phases, Sha256, Task,
    Transfer, Tuning, testkit::OPERATORS,
};
use rayon::prelude::*;
use sha3::Digest as _;

/// The inputs of `benches/peers/cuda/operators.cu`.
///
/// Source: G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators",
/// OOPSLA 2014 (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn items<T: bytemuck::Pod, const WORDS: usize>(&mut self, n: usize, change: fn(&mut [u64; WORDS])) -> Vec<T> {
        (0..n)
            .map(|_| {
                let mut words = [(); WORDS].map(|()| self.next());
                change(&mut words);
                bytemuck::cast(words)
            })
            .collect()
    }
}

type Of<T> = Result<T, Box<dyn Error>>;
/// Something done by an executor.
type By<'a, T> = Box<dyn Fn(&Executor) -> Of<T> + 'a>;

/// One operator's work, and the same by the crates alone.
struct Case<'a> {
    name: &'static str,
    run: By<'a, (Duration, u32)>,
    phases: By<'a, Phases>,
    crates: Box<dyn Fn() -> Duration + 'a>,
}

fn case<'a, T: Task + 'a, R>(name: &'static str, task: T, crates: impl Fn() -> R + 'a) -> Case<'a> {
    Case {
        name,
        run: Box::new(move |executor| {
            let (output, wall) = timed(|| executor.run(black_box(&task)));
            let words: &[u32] = bytemuck::cast_slice(output.as_ref().map_err(Clone::clone)?);
            Ok((wall, words.iter().fold(0, |sum: u32, word| sum.wrapping_add(*word))))
        }),
        phases: Box::new(move |executor| Ok(executor.run_timed(&task)?.1.unwrap_or_default())),
        crates: Box::new(move || timed(&crates).1),
    }
}

/// What a call returns, and its time without that of dropping it.
fn timed<R>(call: impl FnOnce() -> R) -> (R, Duration) {
    let start = Instant::now();
    let result = black_box(call());
    (result, start.elapsed())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

struct Flags {
    n: usize,
    rounds: usize,
    cuda: Option<String>,
    crossover: bool,
}

impl Flags {
    fn parse() -> Of<Self> {
        let mut flags = Self {
            n: 1 << 20,
            rounds: 15,
            cuda: None,
            crossover: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{flag}: a value is missing"));
            match flag.as_str() {
                "--log2" => flags.n = 1 << value()?.parse::<u32>()?,
                "--rounds" => flags.rounds = value()?.parse::<usize>()?.max(1),
                "--cuda" => flags.cuda = Some(value()?),
                "--crossover" => flags.crossover = true,
                _ => return Err(format!("{flag}: there are --log2, --rounds, --cuda and --crossover").into()),
            }
        }
        Ok(flags)
    }
}

fn main() -> Of<()> {
    let flags = Flags::parse()?;
    let cpu = Executor::new(Backend::Cpu)?;
    let backends = Backend::selected()?;
    let choice = AdapterChoice::from_env()?;
    let adapter = backends
        .into_iter()
        .filter(|backend| *backend != Backend::Cpu)
        .find_map(|backend| choice.pick(backend).ok().filter(|a| a.info().unusable.is_none()))
        .ok_or("no adapter but the CPU")?;
    let gpu = Executor::on(&adapter, Options::from_env()?)?;
    let threads = rayon::current_num_threads();
    println!("{}: {}, {threads} threads", gpu.backend(), gpu.adapter().name);
    println!(
        "tuning: {}",
        gpu.tune()?.map_or_else(String::new, |tuning| tuning.to_string())
    );
    if flags.crossover {
        crossovers(&cpu, &gpu)
    } else {
        times(&flags, &cpu, &gpu, &adapter)
    }
}

/// Times of `n` elements each.
fn times(flags: &Flags, cpu: &Executor, gpu: &Executor, adapter: &Adapter) -> Of<()> {
    let n = flags.n;
    let plain = |int64| {
        Executor::on(
            adapter,
            Options::default().tuning(Tuning::plain(Transfer::STAGED)).int64(int64),
        )
    };
    // Where kernels write to the host's memory, their time is the bus's.
    let (staged, narrow) = (plain(true)?, plain(false)?);
    let mut random = Random(1);
    let mut elements = || random.items::<[u64; 4], 4>(n, |limbs| limbs[3] %= 0x3000_0000_0000_0000);
    let (a, b) = (elements(), elements());
    let (fr_a, fr_b): (Vec<_>, Vec<_>) = (as_fr(&a), as_fr(&b));
    let messages = Random(1).items::<[u8; 64], 8>(n, |_| {});
    let leaves = Random(1).items::<[u8; 32], 4>(n, |_| {});
    let chain = Bn254FrMul {
        a: &a,
        b: &b,
        products: 100,
    };
    let cases = [
        case("merkle_root", MerkleRoot { leaves: &leaves }, || tree(&leaves)),
        case("field_chain", chain, || chains(&fr_a, &fr_b)),
        case("keccak256", Keccak256 { messages: &messages }, || {
            let digests = messages
                .par_iter()
                .map(|message| sha3::Keccak256::digest(message).into());
            digests.collect::<Vec<[u8; 32]>>()
        }),
        case("sha256", Sha256 { messages: &messages }, || {
            let digests = messages.par_iter().map(|message| sha2::Sha256::digest(message).into());
            digests.collect::<Vec<[u8; 32]>>()
        }),
    ];
    println!(
        "n = {n}, medians of {} calls each, alternating; kernels: {ROUNDS} rounds of as many calls",
        flags.rounds
    );
    println!(
        "{:<12} {:>12} {:>12} {:>8} {:>12} {:>8} {:>12} {:>12}",
        "operator", "crates", "cpu", "cpu/cr.", "gpu", "cpu/gpu", "kernel", "no int64"
    );
    for case in &cases {
        let mut all = [(); 6].map(|()| Vec::new());
        let mut checksum = 0;
        for round in 0..=flags.rounds {
            // A call after the GPU's finds the caches and threads as that left them, so each
            // position is taken in turn.
            let before = (round % 2 == 0).then(|| (case.crates)());
            let (on_cpu, sum) = (case.run)(cpu)?;
            let crates = before.unwrap_or_else(|| (case.crates)());
            let (on_gpu, gpu_sum) = (case.run)(gpu)?;
            if sum != gpu_sum || (round > 0 && checksum != sum) {
                return Err(format!("{}: checksums differ: {sum} and {gpu_sum}", case.name).into());
            }
            checksum = sum;
            let phases = (case.phases)(gpu)?;
            // The first call makes pipelines and buffers.
            if round > 0 {
                let times = [crates, on_cpu, on_gpu, phases.upload, phases.queue, phases.readback];
                all.iter_mut().zip(times).for_each(|(all, time)| all.push(time));
            }
        }
        let mut pairs: Vec<f64> = all[1]
            .iter()
            .zip(&all[0])
            .map(|(cpu, crates)| ratio(*cpu, *crates))
            .collect();
        pairs.sort_by(f64::total_cmp);
        let n = pairs.len();
        let below = (n as f64 / 2.0 - 0.98 * (n as f64).sqrt()).floor().max(0.0) as usize;
        let [least, middle, most] = [below, n / 2, n - 1 - below].map(|rank| pairs[rank]);
        let [crates, on_cpu, on_gpu, upload, queue, readback] = all.each_mut().map(|times| median(times));
        let (kernel, narrow, lines) = kernels(case, flags, [&staged, &narrow], checksum)?;
        println!(
            "{:<12} {crates:>12.3?} {on_cpu:>12.3?} {:>8.3} {on_gpu:>12.3?} {:>8.2} {kernel:>12.3?} {narrow:>12.3?}",
            case.name,
            ratio(on_cpu, crates),
            ratio(on_cpu, on_gpu),
        );
        println!(
            "  CPU executor over crates with rayon, pair by pair: {middle:.3} ({least:.3} to {most:.3} with 95 of 100)"
        );
        println!("  phases of the GPU's calls: upload {upload:.3?}, queue {queue:.3?}, readback {readback:.3?}");
        lines.iter().for_each(|line| println!("{line}"));
    }
    Ok(())
}

/// Rounds of CUDA's kernels and this crate's.
const ROUNDS: usize = 5;

/// Times an operator's kernel, with 64-bit integers and without, and says how it compares with
/// CUDA's.
fn kernels(
    case: &Case<'_>,
    flags: &Flags,
    executors: [&Executor; 2],
    sum: u32,
) -> Of<(Duration, Duration, Vec<String>)> {
    let mut ours = [Vec::new(), Vec::new()];
    // For each of CUDA's kernels its times, and ours by them.
    let mut theirs: BTreeMap<String, (Vec<Duration>, Vec<f64>)> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let cuda = match &flags.cuda {
            Some(program) => cuda(program, case.name, flags.n, sum)?,
            None => Vec::new(),
        };
        for (all, executor) in ours.iter_mut().zip(executors) {
            let mut times = Vec::new();
            for call in 0..=flags.rounds {
                let time = (case.phases)(executor)?.device.unwrap_or_default();
                if call > 0 {
                    times.push(time);
                }
            }
            all.push(median(&mut times));
        }
        for (name, time) in cuda {
            let (times, ratios) = theirs.entry(name).or_default();
            times.push(time);
            ratios.extend(ours[0].last().map(|ours| ratio(*ours, time)));
        }
    }
    let lines = theirs.into_iter().map(|(name, (mut times, mut ratios))| {
        ratios.sort_by(f64::total_cmp);
        let [least, middle, most] = [0, ROUNDS / 2, ROUNDS - 1].map(|rank| ratios[rank]);
        let time = median(&mut times);
        format!(
            "  CUDA {name}: {time:.3?}, kernel/CUDA {middle:.3} ({least:.3} to {most:.3} in {ROUNDS} rounds), same result"
        )
    });
    let lines = lines.collect();
    let [kernel, narrow] = ours.each_mut().map(|times| median(times));
    Ok((kernel, narrow, lines))
}

/// Runs the CUDA kernels of an operator: what each takes.
fn cuda(program: &str, name: &str, n: usize, sum: u32) -> Of<Vec<(String, Duration)>> {
    let output = Command::new(program).args([name, &n.to_string(), "30"]).output()?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let mut times = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let [kernel, nanos, _, cuda_sum] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("{program}: `{line}`").into());
        };
        if cuda_sum.parse() != Ok(sum) {
            return Err(format!("{program}: {kernel} has another result: {cuda_sum} and {sum}").into());
        }
        times.push((kernel.to_owned(), Duration::from_secs_f64(nanos.parse::<f64>()? / 1e9)));
    }
    Ok(times)
}

fn as_fr(elements: &[[u64; 4]]) -> Vec<Fr> {
    elements.iter().map(|limbs| Fr::new_unchecked(BigInt(*limbs))).collect()
}

fn chains(a: &[Fr], b: &[Fr]) -> Vec<Fr> {
    let chain = |(a, b): (&Fr, &Fr)| {
        let mut x = *a;
        for _ in 0..100 {
            x *= b;
        }
        x
    };
    a.par_iter().zip(b).map(chain).collect()
}

fn tree(leaves: &[[u8; 32]]) -> [u8; 32] {
    let level = |nodes: &[[u8; 32]]| -> Vec<[u8; 32]> {
        let parents = nodes.par_chunks(2).map(|pair| match pair {
            [alone] => *alone,
            both => sha3::Keccak256::digest(both.as_flattened()).into(),
        });
        parents.collect()
    };
    let mut nodes = level(leaves);
    while nodes.len() > 1 {
        nodes = level(&nodes);
    }
    nodes[0]
}

/// Pairs of calls at each size, the CPU's time by the GPU's.
const PAIRS: usize = 21;
/// The 6th and the 16th of 21 ratios in order: an interval of 97 % for the median.
const RANKS: [usize; 3] = [5, 10, 15];

/// From which size on the GPU is faster, for every operator.
fn crossovers(cpu: &Executor, gpu: &Executor) -> Of<()> {
    println!("{PAIRS} pairs of calls a size; cpu/gpu as median (97 % interval)");
    for operator in OPERATORS {
        println!("{}, elements: {}", operator.name, operator.element);
        let mut curve = Vec::new();
        for log2 in 4..=22_u32 {
            let size = 1_usize << log2;
            let work = (operator.workload)(size, 1, 1);
            work.check(gpu)?;
            let mut ratios = Vec::new();
            let (mut cpu_times, mut gpu_times) = (Vec::new(), Vec::new());
            for pair in 0..PAIRS + 3 {
                let (on_cpu, on_gpu) = (work.run(cpu)?, work.run(gpu)?);
                if pair >= 3 {
                    ratios.push(ratio(on_cpu, on_gpu));
                    cpu_times.push(on_cpu);
                    gpu_times.push(on_gpu);
                }
            }
            ratios.sort_by(f64::total_cmp);
            let [low, middle, high] = RANKS.map(|rank| ratios[rank]);
            let (on_cpu, on_gpu) = (median(&mut cpu_times), median(&mut gpu_times));
            println!("  {size:>8}  cpu {on_cpu:>10.2?}  gpu {on_gpu:>10.2?}  {middle:.3} ({low:.3} to {high:.3})");
            curve.push((f64::from(log2), [high, middle, low]));
            // Long since decided, or too long to wait for.
            if on_cpu.max(on_gpu) > Duration::from_millis(60) || (low > 4.0 && log2 >= 16) {
                break;
            }
        }
        let [from, at, to] = [0, 1, 2].map(|bound| crossing(&curve, bound));
        let largest = curve.last().map_or(0.0, |(log2, _)| log2.exp2());
        let show =
            |size: Option<f64>| size.map_or_else(|| format!("none up to {largest}"), |size| format!("{size:.0}"));
        println!("  crossover: {} ({} to {})", show(at), show(from), show(to));
    }
    Ok(())
}

/// Where a curve of ratios comes above 1 for good, between sizes by its logarithms.
fn crossing(curve: &[(f64, [f64; 3])], bound: usize) -> Option<f64> {
    let above = curve.iter().rposition(|(_, ratios)| ratios[bound] < 1.0);
    let Some(last_below) = above else {
        return curve.first().map(|(log2, _)| log2.exp2());
    };
    let (x0, y0) = (curve[last_below].0, curve[last_below].1[bound].ln());
    let (x1, next) = curve.get(last_below + 1)?;
    let y1 = next[bound].ln();
    Some((x0 + (x1 - x0) * (-y0 / (y1 - y0))).exp2())
}
