//! The kind of machine a measurement was taken on: two runs are comparable if their fingerprints are equal.

use serde::{Deserialize, Serialize};

/// The version of the files of a run and of baselines.
pub(crate) const SCHEMA: u32 = 1;

/// One adapter, as far as it decides how fast things are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct AdapterPrint {
    pub(crate) backend: String,
    pub(crate) name: String,
    /// `hardware` or `software`.
    pub(crate) kind: String,
    pub(crate) driver: String,
    pub(crate) driver_version: String,
}

/// Whether processes were bound to one core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Affinity {
    /// Software adapters and the CPU ran on one core.
    Bound,
    /// Every process could use all cores.
    Free,
}

/// What of a machine decides how fast things are, and nothing that changes by itself: no clock speed, no host name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    pub(crate) schema: u32,
    pub(crate) os: String,
    pub(crate) arch: String,
    pub(crate) cpu: String,
    pub(crate) logical_cores: u64,
    pub(crate) affinity: Affinity,
    /// `rustc`'s version.
    pub(crate) compiler: String,
    /// The adapter of each backend that would be measured, whether or not it was.
    pub(crate) adapters: Vec<AdapterPrint>,
}

impl Fingerprint {
    /// The name of this machine's baseline, without extension: what a person recognises, and a checksum of the rest.
    pub(crate) fn id(&self) -> String {
        let json = serde_json::to_vec(self).expect("plain data is always JSON");
        let affinity = match self.affinity {
            Affinity::Bound => "bound",
            Affinity::Free => "free",
        };
        let mut words = vec![self.os.clone(), self.arch.clone(), self.cpu.clone()];
        words.push(format!("{}c", self.logical_cores));
        words.extend(
            self.adapters
                .iter()
                .filter(|a| a.backend != "cpu")
                .map(|a| a.backend.clone()),
        );
        words.push(affinity.to_owned());
        format!("{}-{:08x}", slug(&words.join("-")), checksum(&json))
    }

    /// In what another machine differs from this one, as `compiler: theirs, here ours`.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let named = |print: &Self| {
            let adapters: Vec<String> = print.adapters.iter().map(line).collect();
            [
                ("schema", print.schema.to_string()),
                ("system", format!("{} {}", print.os, print.arch)),
                ("processor", format!("{}, {} cores", print.cpu, print.logical_cores)),
                ("affinity", format!("{:?}", print.affinity).to_lowercase()),
                ("compiler", print.compiler.clone()),
                ("adapters", adapters.join(", ")),
            ]
        };
        named(self)
            .into_iter()
            .zip(named(other))
            .filter(|(ours, theirs)| ours != theirs)
            .map(|((name, ours), (_, theirs))| format!("{name}: {theirs}, here {ours}"))
            .collect()
    }
}

/// What an adapter is, in one line.
pub(crate) fn line(adapter: &AdapterPrint) -> String {
    let AdapterPrint {
        backend,
        name,
        kind,
        driver,
        driver_version,
    } = adapter;
    format!("{backend} {name} ({kind}, {driver} {driver_version})")
}

/// Lower-case letters, digits and single dashes only, so that it is a file name everywhere.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_matches('-').to_owned()
}

/// 32-bit FNV-1a: enough to tell a few dozen machines of the same name apart.
///
/// Source: G. Fowler, L. C. Noll, K.-P. Vo, D. Eastlake, "The FNV Non-Cryptographic Hash Algorithm".
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |hash, &byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> Fingerprint {
        Fingerprint {
            schema: SCHEMA,
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            cpu: "AMD EPYC (family 25 model 17)".to_owned(),
            logical_cores: 2,
            affinity: Affinity::Bound,
            compiler: "rustc 1.95.0".to_owned(),
            adapters: vec![AdapterPrint {
                backend: "vulkan".to_owned(),
                name: "llvmpipe".to_owned(),
                kind: "software".to_owned(),
                driver: "llvmpipe".to_owned(),
                driver_version: "Mesa 22.3.6".to_owned(),
            }],
        }
    }

    #[test]
    fn an_id_is_a_file_name_that_tells_the_machine() {
        let id = example().id();
        assert!(
            id.starts_with("linux-x86-64-amd-epyc-family-25-model-17-2c-vulkan-bound-"),
            "{id}"
        );
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{id}");
    }

    #[test]
    fn whatever_changes_speed_changes_the_id() {
        let id = example().id();
        let changes: [fn(&mut Fingerprint); 6] = [
            |f| f.adapters[0].driver_version.push('1'),
            |f| f.adapters.clear(),
            |f| f.affinity = Affinity::Free,
            |f| f.logical_cores = 4,
            |f| f.compiler.push('1'),
            |f| f.schema += 1,
        ];
        for change in changes {
            let mut other = example();
            change(&mut other);
            assert_ne!(other.id(), id);
        }
        assert_eq!(example().id(), id);
    }

    #[test]
    fn machines_are_told_apart_in_words() {
        assert!(example().differences(&example()).is_empty());
        let mut other = example();
        other.compiler = "rustc 1.96.0".to_owned();
        other.adapters[0].driver_version = "Mesa 25.0.7".to_owned();
        let differences = example().differences(&other);
        assert_eq!(differences.len(), 2, "{differences:?}");
        assert_eq!(differences[0], "compiler: rustc 1.96.0, here rustc 1.95.0");
        assert!(
            differences[1].contains("Mesa 25.0.7), here vulkan llvmpipe"),
            "{differences:?}"
        );
    }

    #[test]
    fn the_checksum_is_fnv_1a() {
        assert_eq!(checksum(b""), 0x811C_9DC5);
        assert_eq!(checksum(b"foobar"), 0xBF9C_F968);
    }
}
