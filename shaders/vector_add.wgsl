// sum[i] = a[i] + b[i], element-wise over f32.
//
// Bindings (group 0), each of shape [n / 4] or longer, rounded up; of the last four, those beyond n are written without
// a meaning:
//   0  a    read
//   1  b    read
//   2  sum  read and write
// One thread per 4 elements, 256 threads per workgroup. Grids of more than 65,535 workgroups are folded into rows:
// thread (x, y) computes the four elements from 4 * (y * row + x) on.

struct Params {
    // Number of elements.
    n: u32,
    // Threads per row of the grid.
    row: u32,
}

var<immediate> params: Params;

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> sum: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    let i = thread.y * params.row + thread.x;
    if i < (params.n + 3) / 4 {
        sum[i] = a[i] + b[i];
    }
}
