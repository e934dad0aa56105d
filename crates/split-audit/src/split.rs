//! Where two versions of one crate meet: in a package that depends on one of them and on a crate that exposes the other,
//! or on two crates that expose one each.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    rc::Rc,
};

use semver::VersionReq;

use crate::{
    api::{Apis, Evidence},
    finding::{Ground, Level, Looked, Meeting, Side},
    graph::{Edge, Graph},
    index::Release,
    interop::{Interop, is_raw_bindings},
    proof, requirement,
    usage::{Usage, Used},
};

/// Everything a split is judged by.
pub(crate) struct Judge<'j, 's, 'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) interop: &'j Interop,
    /// Sources; without them only edges are known.
    pub(crate) apis: Option<&'j Apis<'s, 'a>>,
    pub(crate) usage: &'j Usage,
    /// Releases that the copy of the index on disk knows.
    pub(crate) releases: &'j dyn Fn(&str) -> Option<Rc<Vec<Release>>>,
    /// Crates that somebody asked for by name.
    pub(crate) asked: &'j [String],
    /// The compiler has complained: what it blames is told even where no source names both sides.
    pub(crate) has_complaints: bool,
}

/// One of the parties that bring a version of X into a package.
struct Party<'g> {
    /// The edge to the dependency; to X itself where the package uses it directly.
    link: &'g Edge,
    /// The version of X.
    x: usize,
    evidence: Vec<Evidence>,
    looked: Looked,
}

/// A meeting and what tells it apart: the package, the dependency, the version of X that the dependency brings.
type Found = (Level, Meeting, (usize, usize, usize));

/// Every name with at least two packages that two versions of it can break, with these packages.
pub(crate) fn duplicated(graph: &Graph) -> BTreeMap<&str, Vec<usize>> {
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, package) in graph.packages.iter().enumerate() {
        by_name.entry(&package.id.name).or_default().push(index);
    }
    by_name.retain(|_, indices| indices.len() > 1 && !indices.iter().any(|i| graph.packages[*i].is_proc_macro));
    by_name
}

impl<'a> Judge<'_, '_, 'a> {
    /// The meetings over the versions `xs` of one crate. `above` lists, per package, who depends on it.
    pub(crate) fn meetings(&self, xs: &[usize], above: &[Vec<usize>]) -> Vec<(Level, Meeting)> {
        let graph = self.graph;
        let name = &graph.packages[xs[0]].id.name;
        let mut parents: HashSet<usize> = HashSet::new();
        let mut reached: HashSet<usize> = HashSet::new();
        for x in xs {
            for user in &above[*x] {
                parents.insert(*user);
                parents.extend(&above[*user]);
            }
        }
        // Members may meet the crate through re-exports of any depth.
        if self.apis.is_some() {
            let mut open: Vec<usize> = xs.to_vec();
            while let Some(index) = open.pop() {
                for user in &above[index] {
                    if reached.insert(*user) {
                        open.push(*user);
                    }
                }
            }
            parents.extend(reached.iter().filter(|index| graph.packages[**index].is_member));
        }
        let mut parents: Vec<usize> = parents.into_iter().filter(|p| !xs.contains(p)).collect();
        parents.sort_unstable();
        let mut found: HashMap<(usize, usize, usize), (Level, Meeting)> = HashMap::new();
        for parent in parents {
            for in_library in [true, false] {
                for (level, meeting, key) in self.in_package(parent, name, in_library) {
                    found.entry(key).or_insert((level, meeting));
                }
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by_key(|(key, _)| *key);
        found.into_iter().map(|(_, finding)| finding).collect()
    }

    fn in_package(&self, parent: usize, name: &str, in_library: bool) -> Vec<Found> {
        let graph = self.graph;
        let is_built = |edge: &&Edge| {
            if in_library {
                edge.kinds.in_library()
            } else {
                // A build script is its own program: only what else it links can meet it.
                edge.kinds.build
            }
        };
        let edges: Vec<&Edge> = graph.edges[parent].iter().filter(is_built).collect();
        let own: Vec<&Edge> = edges
            .iter()
            .copied()
            .filter(|e| graph.packages[e.to].id.name == name)
            .collect();
        // What a procedural macro links stays in the compiler.
        let links: Vec<&Edge> = edges
            .iter()
            .copied()
            .filter(|link| graph.packages[link.to].id.name != name && !graph.packages[link.to].is_proc_macro)
            .collect();
        let read = self.worth_reading(parent, name, &own, &links);
        let mut parties = Vec::new();
        for link in links {
            parties.extend(self.parties(parent, link, name, !own.is_empty(), read.contains(&link.to)));
        }
        let mut found = Vec::new();
        if let Some(newest) = own.iter().max_by_key(|e| &graph.packages[e.to].id) {
            for party in &parties {
                let is_same = own
                    .iter()
                    .any(|own| own.to == party.x || self.forwards(own.to, party.x));
                if is_same {
                    continue;
                }
                let key = (parent, party.link.to, party.x);
                let (level, meeting) = self.judge(parent, newest, None, party, own.len() > 1);
                found.push((level, meeting, key));
            }
        } else {
            found.extend(self.siblings(parent, &parties));
        }
        found
    }

    /// The dependencies of a package whose items over X its source can use together with another version's. To read an
    /// interface costs far more than to look for two names.
    fn worth_reading(&self, parent: usize, name: &str, own: &[&Edge], links: &[&Edge]) -> HashSet<usize> {
        let Some(apis) = self.apis else { return HashSet::new() };
        let a = &self.graph.packages[parent];
        let is_asked = self.has_complaints || self.asked.iter().any(|asked| asked == name);
        if !a.is_member || is_asked {
            return links.iter().map(|link| link.to).collect();
        }
        let files = self.usage.of(a, apis.sources.files);
        let names = |file: &Used, edge: &Edge| file.names(&edge.extern_name);
        if !own.is_empty() {
            let has_own = files.iter().any(|file| own.iter().any(|own| names(file, own)));
            let named = links
                .iter()
                .filter(|link| has_own && files.iter().any(|file| names(file, link)));
            return named.map(|link| link.to).collect();
        }
        let reaching: Vec<&Edge> = links
            .iter()
            .copied()
            .filter(|link| apis.reaches(link.to, name))
            .collect();
        let together = files.iter().map(|file| {
            let named: Vec<usize> = reaching
                .iter()
                .filter(|link| names(file, link))
                .map(|link| link.to)
                .collect();
            if named.len() > 1 { named } else { Vec::new() }
        });
        together.flatten().collect()
    }

    /// The versions of X that a dependency brings with it; nothing where it supports several on purpose.
    fn parties(
        &self,
        parent: usize,
        link: &'a Edge,
        name: &str,
        with_silent: bool,
        is_worth_reading: bool,
    ) -> Vec<Party<'a>> {
        let graph = self.graph;
        let direct: Vec<usize> = graph.edges[link.to]
            .iter()
            .filter(|e| e.kinds.normal && graph.packages[e.to].id.name == name)
            .map(|e| e.to)
            .collect();
        if direct.len() > 1 {
            return Vec::new();
        }
        let is_known = self.interop.is_shared(name) || self.asked.iter().any(|asked| asked == name);
        let wants_sources = is_worth_reading
            && (graph.packages[parent].is_member || is_known || self.can_agree_roughly(parent, link, &direct, name));
        let looked = if self.apis.is_some() && !is_worth_reading {
            Looked::NoNeed
        } else if wants_sources && self.apis.is_some_and(|apis| apis.sources.root(link.to).is_some()) {
            Looked::Yes
        } else {
            Looked::No
        };
        let evidence = match self.apis.filter(|_| wants_sources) {
            Some(apis) => apis.of(link.to, name),
            None => Default::default(),
        };
        let mut by_version: BTreeMap<usize, Vec<Evidence>> = BTreeMap::new();
        for e in evidence.iter() {
            by_version.entry(e.defined_in).or_default().push(e.clone());
        }
        if by_version.len() > 1 {
            // Two versions in one interface: what it inherits from others counts less than what it names itself.
            by_version.retain(|x, _| direct.contains(x));
        }
        if by_version.is_empty() && with_silent {
            by_version.extend(direct.into_iter().map(|x| (x, Vec::new())));
        }
        let parties = by_version.into_iter();
        parties
            .map(|(x, evidence)| Party {
                link,
                x,
                evidence,
                looked,
            })
            .collect()
    }

    /// Whether a published package could be built without the split at all: what its requirements rule out, its authors
    /// have compiled as it is.
    fn can_agree_roughly(&self, parent: usize, link: &Edge, direct: &[usize], name: &str) -> bool {
        let graph = self.graph;
        let own: Vec<&VersionReq> = graph.edges[parent]
            .iter()
            .filter(|e| graph.packages[e.to].id.name == name)
            .flat_map(|e| &e.requirements)
            .collect();
        let theirs: Vec<&VersionReq> = graph.edges[link.to]
            .iter()
            .filter(|e| direct.contains(&e.to))
            .flat_map(|e| &e.requirements)
            .collect();
        if own.is_empty() || theirs.is_empty() {
            return false;
        }
        if own.iter().all(|a| theirs.iter().all(|b| requirement::overlap(a, b))) {
            return true;
        }
        let Some(releases) = (self.releases)(&graph.packages[link.to].id.name) else {
            return false;
        };
        let unifies = |release: &Release| {
            let theirs = release.only_requirement(name);
            theirs.is_some_and(|req| own.iter().all(|own| requirement::overlap(own, req)))
        };
        let admitted = || {
            releases
                .iter()
                .filter(|release| release.is_usable() && link.admits(&release.version))
        };
        if !admitted().any(unifies) {
            return false;
        }
        // What cargo picked for A's authors, where the registry has the days.
        let a = &graph.packages[parent].id;
        let published = (self.releases)(&a.name).filter(|_| a.is_from_registry());
        let day = published.and_then(|all| {
            let this = all.iter().find(|release| release.version == a.version)?;
            this.published.clone()
        });
        let of_that_day =
            admitted().rfind(|release| day.is_some() && release.published.is_some() && release.published <= day);
        of_that_day.is_none_or(unifies)
    }

    /// Whether one version of X depends on the other: it re-exports the other's items, or implements its traits for them.
    fn forwards(&self, from: usize, to: usize) -> bool {
        let to_one = |from: usize, to: usize| self.graph.edges[from].iter().any(|e| e.to == to && e.kinds.normal);
        to_one(from, to) || to_one(to, from)
    }

    fn siblings(&self, parent: usize, parties: &[Party<'a>]) -> Vec<Found> {
        let mut best: BTreeMap<(usize, usize), Found> = BTreeMap::new();
        for (index, first) in parties.iter().enumerate() {
            for second in &parties[index + 1..] {
                let (one, two) = if self.graph.packages[first.x].id < self.graph.packages[second.x].id {
                    (second, first)
                } else {
                    (first, second)
                };
                if one.x == two.x || one.link.to == two.link.to {
                    continue;
                }
                if self.forwards(one.x, two.x) {
                    continue;
                }
                let (level, meeting) = self.judge(parent, one.link, Some(one), two, false);
                let key = (parent, two.link.to, two.x);
                let known = best.get(&(one.x, two.x));
                if known.is_none_or(|(known, ..)| *known < level) {
                    best.insert((one.x, two.x), (level, meeting, key));
                }
            }
        }
        best.into_values().collect()
    }

    /// The level of a meeting, and why. `own` is the edge of the package to X, or to the sibling `other`.
    fn judge(
        &self,
        parent: usize,
        own: &'a Edge,
        other: Option<&Party<'a>>,
        party: &Party<'a>,
        parent_has_both: bool,
    ) -> (Level, Meeting) {
        let graph = self.graph;
        let a = &graph.packages[parent];
        let child = &graph.packages[party.link.to];
        let shared = &graph.packages[party.x].id.name;
        let own_x = other.map_or(own.to, |other| other.x);
        let row = self
            .interop
            .row(&a.id.name, &child.id.name, shared)
            .filter(|_| other.is_none());
        let is_known =
            other.is_none() && (row.is_some() || self.interop.is_shared(shared) || self.asked.contains(shared));
        let sources = self.apis.map(|apis| self.usage.of(a, apis.sources.files));
        let is_used = match (&sources, other) {
            (None, _) => None,
            (Some(sources), None) => Some(uses_both(sources, own, party, a.is_member)),
            (Some(sources), Some(other)) => Some(exchange(sources, other, party)),
        };
        let proof = match (self.apis, other) {
            (Some(apis), None) if !party.evidence.is_empty() => proof::implements(apis, parent, own_x, &party.evidence),
            _ => None,
        };
        let can_unify = a.is_member || {
            let direct: Vec<usize> = vec![party.x];
            self.can_agree_roughly(parent, party.link, &direct, shared)
        };
        let quiet = if is_known { Level::Warn } else { Level::Info };
        let (level, ground) = if is_raw_bindings(shared) {
            (quiet, Ground::RawBindings)
        } else if parent_has_both {
            (Level::Info, Ground::ParentHasBoth)
        } else if let Some(place) = proof {
            (Level::Error, Ground::Implements { place })
        } else if let Some(row) = row {
            let source = row.source.clone();
            if row.is_facade() && !a.is_member && self.is_split_by_design(own, party) {
                (Level::Warn, Ground::SplitByDesign)
            } else if row.is_facade() {
                (Level::Error, Ground::Facade { source })
            } else if a.is_member {
                (Level::Warn, Ground::Member)
            } else {
                (Level::Error, Ground::Pinned { source })
            }
        } else if a.is_member {
            match is_used {
                Some(Some(_)) if !party.evidence.is_empty() => (Level::Warn, Ground::Member),
                _ => (quiet, Ground::Member),
            }
        } else if !can_unify && self.apis.is_some() {
            (quiet, Ground::SplitByDesign)
        } else if party.evidence.is_empty() {
            (quiet, Ground::Unknown)
        } else {
            match is_used {
                Some(Some(_)) if other.is_none() => (Level::Error, Ground::Uses),
                _ => (Level::Warn, Ground::Unknown),
            }
        };
        let meeting = self.meeting(parent, own, other, party, ground);
        let meeting = Meeting {
            meets_in: is_used.flatten(),
            is_exposed: !party.evidence.is_empty() && other.is_none_or(|other| !other.evidence.is_empty()),
            ..meeting
        };
        (level, meeting)
    }

    /// Whether a published A could never have been built without this split: its requirement holds the facade B to one
    /// series, and no version of X meets both A's requirement and B's. Then A's authors have compiled it so. That another
    /// release of the series would do is ruled out for a facade alone: what it re-exports is its own interface.
    fn is_split_by_design(&self, own: &Edge, party: &Party<'_>) -> bool {
        let theirs = self.graph.edges[party.link.to].iter().find(|e| e.to == party.x);
        let theirs = theirs.map_or(&[][..], |e| &e.requirements);
        party.link.requirements.iter().any(requirement::is_one_series)
            && !own.requirements.is_empty()
            && !theirs.is_empty()
            && own
                .requirements
                .iter()
                .any(|a| theirs.iter().any(|b| !requirement::overlap(a, b)))
    }

    fn meeting(
        &self,
        parent: usize,
        own: &Edge,
        other: Option<&Party<'_>>,
        party: &Party<'_>,
        ground: Ground,
    ) -> Meeting {
        let graph = self.graph;
        let id = |index: usize| graph.packages[index].id.clone();
        let own_x = other.map_or(own.to, |other| other.x);
        let holder = self.holder(party.link.to, party.x);
        let child_edge = graph.edges[holder].iter().find(|e| e.to == party.x);
        let side = |party: &Party<'_>| Side {
            package: id(party.link.to),
            holder: id(self.holder(party.link.to, party.x)),
            requirement: party.link.requirement(),
            looked: party.looked,
            evidence: party.evidence.clone(),
        };
        let parent_requirement = match other {
            None => own.requirement(),
            Some(other) => {
                let holder = self.holder(other.link.to, other.x);
                let edge = graph.edges[holder].iter().find(|e| e.to == other.x);
                edge.map_or_else(|| "—".to_owned(), Edge::requirement)
            }
        };
        let parent_uses = id(own_x);
        Meeting {
            parent: id(parent),
            child: id(party.link.to),
            holder: id(holder),
            child_uses: id(party.x),
            link_requirement: party.link.requirement(),
            parent_requirement,
            child_requirement: child_edge.map_or_else(|| "—".to_owned(), Edge::requirement),
            kinds: party.link.kinds.to_string(),
            is_avoidable: child_edge
                .filter(|e| !e.requirements.is_empty())
                .map(|e| e.admits(&parent_uses.version) && graph.packages[party.x].id.source == parent_uses.source),
            parent_uses,
            other: other.map(side),
            theirs: side(party),
            ground,
            is_parent_member: graph.packages[parent].is_member,
            is_confirmed: None,
            meets_in: None,
            is_exposed: false,
        }
    }

    /// The package with the edge to X through which a dependency comes by it.
    fn holder(&self, from: usize, x: usize) -> usize {
        let mut seen = HashSet::from([from]);
        let mut open = std::collections::VecDeque::from([from]);
        while let Some(index) = open.pop_front() {
            for edge in self.graph.edges[index].iter().filter(|e| e.kinds.normal) {
                if edge.to == x {
                    return index;
                }
                if seen.insert(edge.to) {
                    open.push_back(edge.to);
                }
            }
        }
        from
    }
}

/// A file of the package that uses items of B over X; it names X itself there or elsewhere.
///
/// Of a member, a file that names B or X counts; of a published A one that names both, and uses
/// more than what converts from or to items of X: what follows from it is an error.
fn uses_both(files: &[Used], own: &Edge, party: &Party<'_>, is_member: bool) -> Option<String> {
    let names = |name: &str| files.iter().any(|file| file.names(name));
    if !names(&own.extern_name) || !names(&party.link.extern_name) {
        return None;
    }
    let used = files.iter().find(|file| {
        let named = [own, party.link].map(|edge| file.names(&edge.extern_name));
        let is_here = if is_member {
            named.contains(&true)
        } else {
            named == [true; 2]
        };
        let mut evidence = party.evidence.iter().filter(|e| is_member || !e.is_conversion());
        is_here && evidence.any(|e| file.uses(e))
    });
    used.map(|file| file.file.clone())
}

/// A file of the package that gets items from one dependency and hands items to the other.
fn exchange(files: &[Used], one: &Party<'_>, two: &Party<'_>) -> Option<String> {
    let meets = |file: &&Used| {
        let of = |party: &Party<'_>, gives: bool| {
            let mut evidence = party.evidence.iter();
            evidence.any(|e| (if gives { e.gives } else { e.takes }) && file.uses(e))
        };
        file.names(&one.link.extern_name)
            && file.names(&two.link.extern_name)
            && (of(one, true) && of(two, false) || of(two, true) && of(one, false))
    };
    files.iter().find(meets).map(|file| file.file.clone())
}
