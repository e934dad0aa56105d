//! The adapters peers are measured on, and the versions they are.

use gpu_executor::{AdapterChoice, AdapterInfo, Backend};
use serde_json::json;

/// What [`gpu_executor`] would pick on each backend, as the library's own listing has it.
pub(crate) fn json() -> String {
    let (mut picked, mut absent) = (Vec::new(), Vec::new());
    for backend in Backend::built() {
        let adapter = AdapterChoice::from_env().and_then(|choice| choice.pick(backend));
        match adapter.map(|adapter| adapter.info().clone()) {
            Ok(AdapterInfo {
                name,
                unusable: Some(reason),
                ..
            }) => absent.push(json!({"backend": backend, "reason": format!("{name} cannot be used: {reason}")})),
            Ok(info) => picked.push(info),
            Err(error) => absent.push(json!({"backend": backend, "reason": error.to_string()})),
        }
    }
    let versions: Vec<String> = ["gpu-executor", "wgpu", "cubecl"]
        .iter()
        .map(|name| format!("{name} {}", locked(name)))
        .collect();
    json!({"adapters": [], "picked": picked, "absent": absent, "versions": versions}).to_string()
}

/// A dependency's version in the lock this program was built with.
fn locked(name: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let header = format!("name = \"{name}\"");
    let mut lines = lock.lines().skip_while(|line| *line != header);
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = "));
    version.unwrap_or("unknown").trim_matches('"')
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_those_of_the_lock() {
        assert!(super::locked("wgpu").starts_with("30."));
        assert_eq!(super::locked("no such crate"), "unknown");
    }
}
