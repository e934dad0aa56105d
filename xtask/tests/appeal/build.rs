//! Hangs when another tree than the work tree is built, where a file is named to say so in.

fn main() {
    println!("cargo:rerun-if-env-changed=APPEAL_HANG");
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    if let Ok(file) = std::env::var("APPEAL_HANG")
        && folder.contains("/cache/")
    {
        std::fs::write(file, folder).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}
