//! What `cargo tree` says of a graph: unlike `cargo metadata`, it leaves out what features do not really turn on.

use std::collections::{HashMap, HashSet};

use crate::{finding::Meeting, lock::PackageId};

/// The `--format` that [`Tree::parse`] reads, with `--prefix depth`.
pub(crate) const FORMAT: &str = "|{p}|{f}";

/// Name and version of a node: `cargo tree` prints both in front of the source.
type Label = (String, String);

/// A package with one set of features, as `cargo tree` prints it.
#[derive(Debug, Default)]
struct Node {
    label: Label,
    children: HashSet<usize>,
}

/// The edges `cargo tree` printed.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// Reads lines of `<depth>|<name> v<version> (…)|<features>`; nothing where a line is of another form.
    pub(crate) fn parse(output: &str) -> Result<Self, String> {
        let mut tree = Self::default();
        // A node printed before stands again without its children, so equal text is one node.
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut path: Vec<usize> = Vec::new();
        for line in output.lines().filter(|line| !line.trim().is_empty()) {
            let (depth, text) = line
                .split_once('|')
                .and_then(|(depth, text)| Some((depth.parse::<usize>().ok()?, text)))
                .ok_or_else(|| line.to_owned())?;
            let text = text.trim_end_matches(" (*)");
            let mut words = text.split(' ');
            let label = words
                .next()
                .zip(words.next().and_then(|word| word.strip_prefix('v')))
                .map(|(name, version)| (name.to_owned(), version.to_owned()));
            // A package without features and parentheses ends in the bar that follows it.
            let label = label
                .map(|(name, version)| {
                    let version = version.split('|').next().unwrap_or_default().to_owned();
                    (name, version)
                })
                .ok_or_else(|| line.to_owned())?;
            if depth > path.len() {
                return Err(line.to_owned());
            }
            let index = *known.entry(text.to_owned()).or_insert_with(|| {
                tree.nodes.push(Node {
                    label,
                    children: HashSet::new(),
                });
                tree.nodes.len() - 1
            });
            path.truncate(depth);
            if let Some(parent) = path.last() {
                tree.nodes[*parent].children.insert(index);
            }
            path.push(index);
        }
        Ok(tree)
    }

    /// Both ends of every edge.
    #[cfg(test)]
    pub(crate) fn edges(&self) -> HashSet<[Label; 2]> {
        let of = |node: &Node| -> Vec<[Label; 2]> {
            let children = node.children.iter();
            children
                .map(|child| [node.label.clone(), self.nodes[*child].label.clone()])
                .collect()
        };
        self.nodes.iter().flat_map(of).collect()
    }

    /// Whether some build of A has both its own X and a build of B that has the other X.
    pub(crate) fn confirms(&self, meeting: &Meeting) -> bool {
        let is = |index: usize, id: &PackageId| {
            let (name, version) = &self.nodes[index].label;
            *name == id.name && *version == id.version.to_string()
        };
        let has = |index: usize, id: &PackageId| {
            let children = &self.nodes[index].children;
            children.iter().any(|child| is(*child, id))
        };
        // A build of A that has a build of each side, which has, itself or below it, the side's X.
        let reaches = |from: usize, id: &PackageId| {
            let (mut open, mut seen) = (vec![from], HashSet::from([from]));
            while let Some(index) = open.pop() {
                if has(index, id) {
                    return true;
                }
                open.extend(self.nodes[index].children.iter().filter(|child| seen.insert(**child)));
            }
            false
        };
        let is_direct = meeting.holder == meeting.child;
        let brings = |index: usize, x: &PackageId| if is_direct { has(index, x) } else { reaches(index, x) };
        (0..self.nodes.len()).any(|parent| {
            let child = |id: &PackageId, x: &PackageId| {
                let mut children = self.nodes[parent].children.iter();
                children.any(|child| is(*child, id) && brings(*child, x))
            };
            is(parent, &meeting.parent)
                && child(&meeting.child, &meeting.child_uses)
                && match &meeting.other {
                    None => has(parent, &meeting.parent_uses),
                    Some(other) => child(&other.package, &meeting.parent_uses),
                }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_of_a_package_that_is_printed_twice_are_those_of_its_first_print() {
        let tree = Tree::parse(
            "0|app v0.1.0 (/somewhere)|default\n1|a v1.0.0|\n2|x v0.2.0|f\n1|b v1.0.0 (proc-macro)|\n2|a v1.0.0| (*)\n",
        )
        .unwrap();
        assert_eq!(tree.nodes.len(), 4);
        assert_eq!(tree.nodes[3].label, ("b".to_owned(), "1.0.0".to_owned()));
        assert!(tree.nodes[3].children.contains(&1));
        assert!(tree.nodes[1].children.contains(&2));
    }

    #[test]
    fn a_line_of_another_form_is_named() {
        for line in ["nonsense", "0|", "2|a v1.0.0|", "x|a v1.0.0|", "0|a 1.0.0|"] {
            assert_eq!(Tree::parse(line).unwrap_err(), line);
        }
    }
}
