// sum[i] = a[i] + b[i], element-wise over f32, for adapters with 64-bit integers: two elements a load. Drivers that compute
// on the CPU load for each thread and component by itself, in a loop; half as many take a fifth less of the time.
//
// Bindings (group 0), each of shape [n / 4] or longer, rounded up; of the last four elements, those beyond n are written
// without a meaning. The element with the lower number is in the lower half:
//   0  a    read
//   1  b    read
//   2  sum  read and write
// One thread per 4 elements, 256 threads per workgroup. Grids of more than 65,535 workgroups are folded into rows:
// thread (x, y) computes the four elements from 4 * (y * row + x) on. More elements a thread are faster still on such
// drivers, and make the writes to a host's memory five times slower on an H200.

struct Params {
    // Number of elements.
    n: u32,
    // Threads per row of the grid.
    row: u32,
}

var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> a: array<vec2<u64>>;
@group(0) @binding(1) var<storage, read> b: array<vec2<u64>>;
@group(0) @binding(2) var<storage, read_write> sum: array<vec2<u64>>;

fn low(pair: u64) -> f32 {
    return bitcast<f32>(u32(pair));
}

fn high(pair: u64) -> f32 {
    return bitcast<f32>(u32(pair >> 32u));
}

fn add(x: u64, y: u64) -> u64 {
    let first = bitcast<u32>(low(x) + low(y));
    let second = bitcast<u32>(high(x) + high(y));
    return u64(first) | (u64(second) << 32u);
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    let i = thread.y * params.row + thread.x;
    if i < (params.n + 3) / 4 {
        let x = a[i];
        let y = b[i];
        sum[i] = vec2(add(x.x, y.x), add(x.y, y.y));
    }
}
