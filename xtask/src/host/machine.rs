//! Reads what a fingerprint says of the machine.

use std::{collections::BTreeMap, path::Path};

use xshell::{Shell, cmd};

use split_audit::lock::Lock;

use crate::{
    error::Error,
    fingerprint::{AdapterPrint, Affinity, Fingerprint, SCHEMA},
};

/// The fingerprint of this machine with the given adapters.
pub(crate) fn fingerprint(sh: &Shell, adapters: Vec<AdapterPrint>, affinity: Affinity) -> Result<Fingerprint, Error> {
    Ok(Fingerprint {
        schema: SCHEMA,
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        cpu: cpu(sh),
        logical_cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
        affinity,
        compiler: compiler(sh)?,
        adapters,
    })
}

/// What takes part in every measurement beside compiler and drivers, which the fingerprint names.
const MEASURED_WITH: [&str; 3] = ["criterion", "gpu-executor", "wgpu"];

/// The locked versions of what is measured and what measures it; empty where there is no lock.
pub(crate) fn versions(root: &Path) -> BTreeMap<String, String> {
    std::fs::read_to_string(root.join("Cargo.lock")).map_or_else(|_| BTreeMap::new(), |lock| from_lock(&lock))
}

fn from_lock(text: &str) -> BTreeMap<String, String> {
    let mut versions: BTreeMap<String, String> = BTreeMap::new();
    let Ok(lock) = Lock::parse("Cargo.lock", text) else {
        return versions;
    };
    for package in lock
        .packages
        .into_iter()
        .filter(|p| MEASURED_WITH.contains(&p.id.name.as_str()))
    {
        let version = package.id.version.to_string();
        versions
            .entry(package.id.name)
            // Two at once are both told.
            .and_modify(|all| *all = format!("{all}, {version}"))
            .or_insert(version);
    }
    versions
}

/// The compiler's version, and the flags that change its code.
fn compiler(sh: &Shell) -> Result<String, Error> {
    let version = cmd!(sh, "rustc --version").quiet().read()?;
    Ok(match std::env::var("RUSTFLAGS") {
        Ok(flags) if !flags.trim().is_empty() => format!("{version} with RUSTFLAGS {}", flags.trim()),
        _ => version,
    })
}

/// The processor's model.
pub(crate) fn cpu(sh: &Shell) -> String {
    if let Ok(text) = std::fs::read_to_string("/proc/cpuinfo") {
        return from_cpuinfo(&text);
    }
    if let Ok(identifier) = std::env::var("PROCESSOR_IDENTIFIER") {
        return identifier;
    }
    let sysctl = cmd!(sh, "sysctl -n machdep.cpu.brand_string")
        .quiet()
        .ignore_stderr()
        .read();
    sysctl.unwrap_or_else(|_| "unknown".to_owned())
}

/// Clouds hide the model behind a family name; family, model and stepping still tell generations apart.
fn from_cpuinfo(text: &str) -> String {
    let value = |key: &str| {
        let of_key = |line: &str| {
            line.split_once(':')
                .filter(|(k, _)| k.trim() == key)
                .map(|(_, v)| v.trim().to_owned())
        };
        text.lines().find_map(of_key)
    };
    let parts = |keys: &[(&str, &str)]| {
        let known = keys
            .iter()
            .filter_map(|(key, name)| Some(format!("{name} {}", value(key)?)));
        known.collect::<Vec<_>>().join(" ")
    };
    match value("model name") {
        Some(model) => {
            format!(
                "{model} ({})",
                parts(&[("cpu family", "family"), ("model", "model"), ("stepping", "stepping")])
            )
        }
        None => parts(&[
            ("CPU implementer", "implementer"),
            ("CPU part", "part"),
            ("CPU variant", "variant"),
        ]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_told_by_model_and_generation() {
        let x86 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\
                   stepping\t: 1\ncpu MHz\t\t: 2596.1\n";
        assert_eq!(from_cpuinfo(x86), "AMD EPYC (family 25 model 17 stepping 1)");
        let arm = "processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n";
        assert_eq!(from_cpuinfo(arm), "implementer 0x41 part 0xd0c variant 0x3");
    }

    #[test]
    fn versions_are_those_of_the_lock() {
        let package =
            |name: &str, version: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n");
        let lock = [
            "version = 4\n\n".to_owned(),
            package("criterion", "0.8.2"),
            package("naga", "30.0.0"),
            package("wgpu", "29.0.0"),
            package("wgpu", "30.0.1"),
        ];
        let expected = [("criterion", "0.8.2"), ("wgpu", "29.0.0, 30.0.1")];
        let expected = expected.map(|(name, version)| (name.to_owned(), version.to_owned()));
        assert_eq!(from_lock(&lock.concat()), BTreeMap::from(expected));
        assert!(from_lock("no lock").is_empty());
        let ours = versions(&crate::host::workspace::root());
        assert!(MEASURED_WITH.iter().all(|name| ours.contains_key(*name)), "{ours:?}");
    }
}
