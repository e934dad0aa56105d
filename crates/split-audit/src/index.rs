//! The releases of a crate, from the copy of the registry's index that cargo keeps on disk.

use semver::{Version, VersionReq};
use serde::Deserialize;

/// One published version.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    pub(crate) version: Version,
    pub(crate) is_yanked: bool,
    /// When, as `2026-07-02T00:03:50Z`; registries did not always say.
    pub(crate) published: Option<String>,
    /// Name (as published, not as renamed) and requirement of everything but dev-dependencies.
    pub(crate) dependencies: Vec<(String, VersionReq)>,
}

#[derive(Deserialize)]
struct Row {
    vers: Version,
    #[serde(default)]
    yanked: bool,
    pubtime: Option<String>,
    deps: Vec<RowDependency>,
}

#[derive(Deserialize)]
struct RowDependency {
    name: String,
    package: Option<String>,
    req: VersionReq,
    kind: Option<String>,
}

impl Release {
    /// What the release requires of a crate, if it depends on it.
    pub(crate) fn requirement(&self, name: &str) -> Option<&VersionReq> {
        let mut dependencies = self.dependencies.iter();
        dependencies.find(|d| d.0 == name).map(|d| &d.1)
    }

    /// The same, and nothing of a release that takes several versions, by features: which of them is not known.
    pub(crate) fn only_requirement(&self, name: &str) -> Option<&VersionReq> {
        let mut dependencies = self.dependencies.iter().filter(|d| d.0 == name);
        let first = dependencies.next().map(|d| &d.1);
        first.filter(|_| dependencies.next().is_none())
    }

    pub(crate) fn is_usable(&self) -> bool {
        !self.is_yanked && self.version.pre.is_empty()
    }
}

/// Reads one file of cargo's index cache, oldest release first.
///
/// The file is cargo's own: a short header, then pairs of version and index row, each ended by a zero byte. A row that
/// does not read is left out, as cargo leaves out rows of a newer schema.
pub(crate) fn parse(file: &[u8]) -> Vec<Release> {
    let rows = file
        .split(|byte| *byte == 0)
        .filter(|field| field.first() == Some(&b'{'))
        .filter_map(|row| serde_json::from_slice::<Row>(row).ok());
    let mut releases: Vec<Release> = rows
        .map(|row| Release {
            version: row.vers,
            is_yanked: row.yanked,
            published: row.pubtime,
            dependencies: row
                .deps
                .into_iter()
                .filter(|dep| dep.kind.as_deref() != Some("dev"))
                .map(|dep| (dep.package.unwrap_or(dep.name), dep.req))
                .collect(),
        })
        .collect();
    releases.sort_by(|a, b| a.version.cmp(&b.version));
    releases
}

/// Where the index keeps a crate: `wg/pu/wgpu-hal`.
pub(crate) fn path(name: &str) -> String {
    let name = name.to_lowercase();
    match name.len() {
        1 | 2 => format!("{}/{name}", name.len()),
        3 => format!("3/{}/{name}", &name[..1]),
        _ => format!("{}/{}/{name}", &name[..2], &name[2..4]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_file_is_read_by_version_and_without_dev_dependencies() {
        let file = b"\x03\x02\0\0\0etag\x000.2.0\0{\"vers\":\"0.2.0\",\"pubtime\":\"2026-07-02T00:03:50Z\",\"deps\":[{\"name\":\"x\",\"package\":\"windows\",\"req\":\"^0.58\",\"kind\":\"normal\"},{\"name\":\"y\",\"req\":\"^1\",\"kind\":\"dev\"}]}\x000.1.0\0{\"vers\":\"0.1.0\",\"yanked\":true,\"deps\":[]}\0broken\0{\0";
        let releases = parse(file);
        let shown: Vec<String> = releases.iter().map(|r| r.version.to_string()).collect();
        assert_eq!(shown, ["0.1.0", "0.2.0"]);
        assert!(!releases[0].is_usable());
        assert_eq!(releases[1].dependencies.len(), 1);
        assert_eq!(releases[1].published.as_deref(), Some("2026-07-02T00:03:50Z"));
        assert_eq!(releases[1].requirement("windows").unwrap().to_string(), "^0.58");
    }

    #[test]
    fn the_index_path_follows_the_length_of_the_name() {
        for (name, expected) in [
            ("a", "1/a"),
            ("ab", "2/ab"),
            ("abc", "3/a/abc"),
            ("wgpu-hal", "wg/pu/wgpu-hal"),
        ] {
            assert_eq!(path(name), expected);
        }
    }
}
