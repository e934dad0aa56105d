//! What it saves to leave data on the device, and what it costs to open one:
//!
//! cargo run --release --example resident -- [--log2 20] [--rounds 60] [--cuda PROGRAM]
//!
//! - `tree`: messages of 64 bytes → keccak256 → root, in two calls, resident from the messages on,
//!   and with the messages resident already;
//! - `chain`: ten additions over resident vectors in one submission; `--cuda` runs the program made
//!   of `benches/peers/cuda/resident.cu` alternating with it;
//! - `open`: `Executor::new` and `Executor::on` after the driver is loaded, against wgpu's
//!   `request_device` alone.
//!
//! Prints CSV: each variant's median in nanoseconds with a 95 % bootstrap interval, and the median
//! of the ratios to the base variant within a round, with its interval. Variants alternate, in a
//! random order for each round.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what it is for")]

use std::{
    error::Error,
    hint::black_box,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use gpu_executor::{
    Adapter, AdapterChoice, Backend, Executor, Keccak256, MerkleRoot, Options, VectorAdd, task::Random, wgpu,
};

type Of<T> = Result<T, Box<dyn Error>>;

/// Does the work once, and says how long it took.
type Variant<'v> = Box<dyn FnMut() -> Of<Duration> + 'v>;

struct Flags {
    n: usize,
    rounds: usize,
    cuda: Option<String>,
}

impl Flags {
    fn parse() -> Of<Self> {
        let mut flags = Self {
            n: 1 << 20,
            rounds: 60,
            cuda: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{flag} needs a value"));
            match flag.as_str() {
                "--log2" => flags.n = 1 << value()?.parse::<u32>()?.min(30),
                "--rounds" => flags.rounds = value()?.parse::<usize>()?.max(1),
                "--cuda" => flags.cuda = Some(value()?),
                _ => return Err(format!("{flag}: there are --log2, --rounds and --cuda").into()),
            }
        }
        Ok(flags)
    }
}

fn main() -> Of<()> {
    let flags = Flags::parse()?;
    let choice = AdapterChoice::from_env()?;
    println!("case,variant,backend,adapter,n,rounds,median_ns,low_ns,high_ns,base,ratio,ratio_low,ratio_high");
    for backend in Backend::selected()?
        .into_iter()
        .filter(|&backend| backend != Backend::Cpu)
    {
        let adapter = match choice.pick(backend) {
            Ok(adapter) if adapter.info().unusable.is_none() => adapter,
            Ok(_) => continue,
            Err(error) => {
                eprintln!("{error}");
                continue;
            }
        };
        let executor = Executor::on(&adapter, Options::from_env()?)?;
        // Before the first measurement, so that none of them depends on which came first.
        executor.tune()?;
        tree(&flags, &executor)?;
        chain(&flags, &executor)?;
        drop(executor);
        open(&flags, &adapter)?;
    }
    Ok(())
}

/// Messages, their digests, and the root over these.
fn tree(flags: &Flags, executor: &Executor) -> Of<()> {
    let mut random = Random::new(1);
    let messages: Vec<[u8; 64]> = (0..flags.n)
        .map(|_| bytemuck::cast([(); 8].map(|()| random.u64())))
        .collect();
    let expected = {
        let leaves = executor.run(&Keccak256 { messages: &messages })?;
        executor.run(&MerkleRoot { leaves: &leaves })?
    };
    let is_right = |root: &[[u8; 32]]| if root == expected { Ok(()) } else { Err("another root") };
    let two_calls = || {
        let start = Instant::now();
        let leaves = executor.run(&Keccak256 {
            messages: black_box(&messages[..]),
        })?;
        let root = executor.run(&MerkleRoot { leaves: &leaves })?;
        let time = start.elapsed();
        is_right(&root)?;
        Ok(time)
    };
    let mut digests = executor.buffer(flags.n)?;
    let mut root = executor.buffer(1)?;
    let resident = || {
        let start = Instant::now();
        let strings = executor.upload_strings(black_box(&messages[..]))?;
        let mut chain = executor.chain();
        let leaves = chain.add::<Keccak256<'_, Vec<u8>>>(&strings, (), &mut digests)?;
        chain.add::<MerkleRoot<'_>>(leaves.view(), (), &mut root)?;
        chain.run()?;
        let found = executor.read(&root)?;
        let time = start.elapsed();
        is_right(&found)?;
        Ok(time)
    };
    let strings = executor.upload_strings(&messages)?;
    let mut own_digests = executor.buffer(flags.n)?;
    let mut own_root = executor.buffer(1)?;
    let messages_resident = || {
        let start = Instant::now();
        let mut chain = executor.chain();
        let leaves = chain.add::<Keccak256<'_, Vec<u8>>>(&strings, (), &mut own_digests)?;
        chain.add::<MerkleRoot<'_>>(leaves.view(), (), &mut own_root)?;
        chain.run()?;
        let found = executor.read(&own_root)?;
        let time = start.elapsed();
        is_right(&found)?;
        Ok(time)
    };
    compare(
        flags,
        "tree",
        executor.adapter(),
        flags.rounds,
        vec![
            ("two calls", Box::new(two_calls)),
            ("resident", Box::new(resident)),
            ("messages resident", Box::new(messages_resident)),
        ],
    )
}

/// Ten additions, one after the other.
fn chain(flags: &Flags, executor: &Executor) -> Of<()> {
    let numbers: Vec<f32> = (0..flags.n).map(|i| (i % 1000) as f32).collect();
    let ones = executor.upload(&vec![1.0_f32; flags.n])?;
    let (mut a, mut b) = (executor.upload(&numbers)?, executor.buffer(flags.n)?);
    let mut chains = 0_u16;
    let ten = || {
        chains += 1;
        let start = Instant::now();
        let mut chain = executor.chain();
        let (mut from, mut to) = (chain.hold(&mut a)?, chain.hold(&mut b)?);
        for _ in 0..10 {
            chain.add::<VectorAdd<'_>>((from.view(), ones.view()), (), to)?;
            (from, to) = (to, from);
        }
        chain.run()?;
        Ok(start.elapsed())
    };
    let mut cuda = flags
        .cuda
        .as_ref()
        .map(|program| Cuda::start(program, flags.n))
        .transpose()?;
    let mut variants: Vec<(&str, Variant<'_>)> = Vec::new();
    if let Some(cuda) = &mut cuda {
        variants.push(("CUDA", Box::new(|| cuda.chain())));
    }
    variants.push(("chain of ten", Box::new(ten)));
    compare(flags, "chain", executor.adapter(), flags.rounds, variants)?;
    let sums = executor.read(&a)?;
    let added = 10.0 * f32::from(chains);
    if sums.iter().zip(&numbers).any(|(sum, number)| *sum != number + added) {
        return Err("the chain's sums are wrong".into());
    }
    if let Some(cuda) = cuda {
        let bits = |sum: &f32| sum.to_bits();
        let expected = sums.iter().map(bits).fold(0, u32::wrapping_add);
        let found = cuda.end()?;
        if found != expected {
            return Err(format!("CUDA's sums differ: {found} and {expected}").into());
        }
    }
    Ok(())
}

/// `benches/peers/cuda/resident.cu`.
struct Cuda {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Cuda {
    fn start(program: &str, n: usize) -> Of<Self> {
        let mut command = Command::new(program);
        let command = command.arg(n.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
        Ok(Self {
            to: child.stdin.take().ok_or("no standard input")?,
            from: BufReader::new(child.stdout.take().ok_or("no standard output")?),
            child,
        })
    }

    fn line(&mut self) -> Of<String> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    fn chain(&mut self) -> Of<Duration> {
        self.to.write_all(b"chain\n")?;
        Ok(Duration::from_nanos(
            self.line()?.parse().map_err(|_| "the CUDA program ended")?,
        ))
    }

    /// The checksum of its vector.
    fn end(mut self) -> Of<u32> {
        drop(self.to);
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        self.child.wait()?;
        let sum = line
            .trim()
            .strip_prefix("checksum ")
            .ok_or("no checksum from the CUDA program")?;
        Ok(sum.parse()?)
    }
}

/// Opens a device, in ways that differ in what comes with it. The driver is loaded, as `adapter` is
/// alive.
fn open(flags: &Flags, adapter: &Adapter) -> Of<()> {
    let backend = adapter.info().backend;
    let backends = wgpu::Backends::from_comma_list(backend.name());
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    let instance = wgpu::Instance::new(descriptor);
    let all = pollster::block_on(instance.enumerate_adapters(backends));
    let is_same = |found: &wgpu::Adapter| found.get_info().name == adapter.info().name;
    let Some(raw) = all.into_iter().find(is_same) else {
        eprintln!("wgpu itself has no adapter {}", adapter.info().name);
        return Ok(());
    };
    let welcome = wgpu::Features::MAPPABLE_PRIMARY_BUFFERS
        | wgpu::Features::TIMESTAMP_QUERY
        | wgpu::Features::PIPELINE_CACHE
        | wgpu::Features::SHADER_INT64;
    let request = || {
        let start = Instant::now();
        let device = pollster::block_on(raw.request_device(&wgpu::DeviceDescriptor {
            required_features: Executor::required_features() | (raw.features() & welcome),
            required_limits: raw.limits(),
            ..wgpu::DeviceDescriptor::default()
        }))?;
        let time = start.elapsed();
        drop(black_box(device));
        Ok(time)
    };
    let on = || {
        let start = Instant::now();
        let executor = Executor::on(adapter, Options::default())?;
        let time = start.elapsed();
        drop(black_box(executor));
        Ok(time)
    };
    let new = || {
        let start = Instant::now();
        let executor = Executor::new(backend)?;
        let time = start.elapsed();
        drop(black_box(executor));
        Ok(time)
    };
    compare(
        flags,
        "open",
        adapter.info(),
        flags.rounds.min(30),
        vec![
            ("request_device", Box::new(request)),
            ("Executor::on", Box::new(on)),
            ("Executor::new", Box::new(new)),
        ],
    )
}

/// Measures variants alternately, and prints their times; the first is the base.
fn compare(
    flags: &Flags,
    case: &str,
    adapter: &gpu_executor::AdapterInfo,
    rounds: usize,
    mut variants: Vec<(&str, Variant<'_>)>,
) -> Of<()> {
    for _ in 0..3 {
        for (_, variant) in &mut variants {
            variant()?;
        }
    }
    let mut times = vec![Vec::with_capacity(rounds); variants.len()];
    let mut random = Random::new(7);
    for _ in 0..rounds {
        let mut order: Vec<usize> = (0..variants.len()).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, random.below(last + 1));
        }
        for index in order {
            #[expect(clippy::cast_precision_loss, reason = "2^53 nanoseconds are a hundred days")]
            times[index].push(variants[index].1()?.as_nanos() as f64);
        }
    }
    for ((name, _), of) in variants.iter().zip(&times) {
        let ratios: Vec<f64> = of.iter().zip(&times[0]).map(|(time, base)| time / base).collect();
        let [time, ratio] = [median_with_interval(of), median_with_interval(&ratios)];
        println!(
            "{case},{name},{},{},{},{rounds},{:.0},{:.0},{:.0},{},{:.3},{:.3},{:.3}",
            adapter.backend,
            adapter.name.replace(',', " "),
            flags.n,
            time[0],
            time[1],
            time[2],
            variants[0].0,
            ratio[0],
            ratio[1],
            ratio[2]
        );
    }
    Ok(())
}

/// The median, and the 2.5 % and 97.5 % quantiles of 2,000 medians of as many values drawn with
/// replacement.
///
/// Source: B. Efron, "Bootstrap Methods: Another Look at the Jackknife", Ann. Statist. 7 (1979).
fn median_with_interval(values: &[f64]) -> [f64; 3] {
    const DRAWS: usize = 2000;
    let median = |values: &mut Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        let middle = values.len() / 2;
        if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        }
    };
    let mut random = Random::new(3);
    let mut medians: Vec<f64> = (0..DRAWS)
        .map(|_| median(&mut (0..values.len()).map(|_| values[random.below(values.len())]).collect()))
        .collect();
    medians.sort_unstable_by(f64::total_cmp);
    [
        median(&mut values.to_vec()),
        medians[DRAWS / 40],
        medians[DRAWS - 1 - DRAWS / 40],
    ]
}
