use super::*;
use crate::task::{Kernel, Task, TaskExt as _, check_kernel};

/// Two columns of f32, a factor, and f32 for output.
#[derive(Clone, Copy, Debug)]
struct Scaled;

const SCALED: &str = "struct Call { elements: u32, row: u32, factor: f32 }
var<immediate> call: Call;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
    output[thread.x] = call.factor * a[thread.x] + b[thread.x];
}";

impl Task for Scaled {
    const KERNEL: Kernel = Kernel::new("scaled", SCALED);
    type Inputs = (f32, f32);
    type Parameters = f32;
    type Item = f32;

    fn inputs(&self) -> (&[f32], &[f32]) {
        (&[], &[])
    }

    fn compute(_: (&[f32], &[f32]), _: f32, _: &mut [f32]) {}
}

fn with(wgsl: &'static str) -> Spec {
    Spec {
        kernel: Kernel::new("scaled", wgsl),
        ..Scaled::SPEC
    }
}

/// The text with a part replaced, which must be there.
fn changed(from: &str, to: &str) -> &'static str {
    assert!(SCALED.contains(from), "{from}");
    SCALED.replace(from, to).leak()
}

#[test]
fn what_a_kernel_says_of_itself_is_read() {
    let check = |wgsl: &'static str, workgroup_size, immediates| {
        let text = checked(&with(wgsl), false).unwrap();
        assert_eq!(
            (text.workgroup_size, text.immediates),
            (workgroup_size, immediates),
            "{wgsl}"
        );
        assert_eq!(text.wgsl, wgsl);
    };
    check(SCALED, 64, 3);
    check(changed("size(64)", "size(256)"), 256, 3);
    check(changed("size(64)", "size(1, 1, 1)"), 1, 3);
    let bare = changed("call.factor * ", "")
        .replace("var<immediate> call: Call;", "")
        .leak();
    check(bare, 64, 0);
}

#[test]
fn what_is_wrong_with_a_kernel_is_told_with_its_place() {
    let check = |wgsl: &'static str, place: (usize, usize), part: &str| {
        let Error::Kernel {
            operator,
            line,
            column,
            message,
            ..
        } = checked(&with(wgsl), false).unwrap_err()
        else {
            panic!("another error");
        };
        assert_eq!((operator, (line, column)), ("scaled", place), "{message}");
        assert!(message.contains(part), "{message}");
    };
    check("", (0, 0), "no `@compute fn main`");
    check("fn main() {", (1, 12), "expected");
    check(changed("call.factor", "call.divisor"), (8, 29), "divisor");
    check(changed("call.factor", "call.factor * äöü"), (8, 38), "äöü");
    // Found not by the parser but by validation.
    check(
        changed("output[thread.x] =", "output[thread.y] = u32(1); output[thread.x] ="),
        (8, 5),
        "",
    );
    check(changed("fn main(", "fn other("), (0, 0), "no `@compute fn main`");
    check(changed("size(64)", "size(8, 8)"), (0, 0), "@workgroup_size(8, 8, 1)");
    check(changed("size(64)", "size(257)"), (0, 0), "1 to 256");
    check(changed("@binding(1)", "@binding(3)"), (4, 23), "from 0 to 2");
    check(
        changed("@group(0) @binding(1)", "@group(1) @binding(1)"),
        (4, 23),
        "from 0 to 2",
    );
    check(
        changed("<storage, read> b", "<storage, read_write> b"),
        (4, 23),
        "`var<storage, read>`",
    );
    check(changed("read_write", "read"), (8, 5), "store");
    check(
        changed("row: u32,", "row: u32, more: vec4<f32>, still: vec4<f32>,"),
        (2, 1),
        "there are 3",
    );
    check(
        changed("factor: f32", "factor: f32, more: f32"),
        (2, 1),
        "4 words, there are 3",
    );
    let without = "@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@compute @workgroup_size(64) fn main() { output[0] = a[0]; }";
    check(without, (0, 0), "binding 1 is missing");
}

#[test]
fn elements_of_another_size_are_told() {
    let vectors = changed("call.factor * a[thread.x] + b[thread.x]", "a[thread.x].x")
        .replace("a: array<f32>", "a: array<vec4<f32>>")
        .leak();
    let error = checked(&with(vectors), false).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("line 3, column 23: an element of this array has 16 bytes"),
        "{error}"
    );
    let mut four = with(vectors);
    four.kernel = four.kernel.elements_per_thread(4);
    assert!(checked(&four, false).is_ok(), "four elements a thread are one of these");
}

#[test]
fn lines_are_counted_in_the_text_that_is_wrong() {
    let check = |prelude: &'static [&'static str], wgsl: &'static str, expected: &str| {
        let mut spec = with(wgsl);
        spec.kernel = spec.kernel.after(prelude);
        let error = checked(&spec, false).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let wrong = changed("call.factor", "call.divisor");
    check(&["// one\n// two", "// three\n"], wrong, "line 8, column 29");
    check(
        &["// one\n\nfn broken( {}", "// three\n"],
        SCALED,
        "line 3, column 12: in text 1 of those read before it",
    );
    check(
        &["// one", "fn broken( {}"],
        SCALED,
        "line 1, column 12: in text 2 of those read before it",
    );
}

#[test]
fn kernels_of_this_crate_are_as_their_operators_say() {
    check_kernel::<Scaled>().unwrap();
    check_kernel::<crate::op::VectorAdd<'_>>().unwrap();
    #[cfg(feature = "field")]
    check_kernel::<crate::op::Bn254FrMul<'_>>().unwrap();
    #[cfg(feature = "hash")]
    {
        check_kernel::<crate::op::Sha256<'_, &[u8]>>().unwrap();
        check_kernel::<crate::op::Keccak256<'_, &[u8]>>().unwrap();
        check_kernel::<crate::op::MerkleRoot<'_>>().unwrap();
    }
}
