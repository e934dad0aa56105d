//! Which case of the base is which of the head, over all bench programs, and what reports call it.

use std::collections::{BTreeMap, BTreeSet};

use super::Program;

/// The cases of one program, as its list has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its package.
    pub package: String,
    /// Its bench target.
    pub target: String,
    /// Ids of its cases.
    pub ids: Vec<String>,
}

impl Listed {
    /// What a program lists.
    #[must_use]
    pub fn of(program: &Program, ids: Vec<String>) -> Self {
        Self {
            package: program.package.clone(),
            target: program.target.clone(),
            ids,
        }
    }
}

/// A case of one revision: the index of its program, and its id there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index among the revision's programs.
    pub program: usize,
    /// The id the program knows it by.
    pub id: String,
}

/// A case that both revisions have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// What reports call it: the head's id, with package and target before it where several programs have it.
    pub name: String,
    /// Where the base has it.
    pub base: Place,
    /// Where the head has it.
    pub head: Place,
    /// What the base calls it, if that is something else.
    pub was: Option<String>,
}

/// The cases of two revisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// To be compared.
    pub common: Vec<Common>,
    /// Names that only the head has.
    pub new: Vec<String>,
    /// Names that only the base has.
    pub removed: Vec<String>,
}

/// Pairs cases by package, target and id. `renamed` holds what base and head call a case that was renamed.
///
/// # Errors
/// A renaming names a case that is not there; the text says which.
pub fn pair(base: &[Listed], head: &[Listed], renamed: &[(String, String)]) -> Result<Pairs, String> {
    let (base_names, head_names) = (names(base), names(head));
    let of_base: BTreeMap<&str, &Place> = base_names.iter().map(|(name, place)| (name.as_str(), place)).collect();
    let mut from: BTreeMap<&str, &str> = BTreeMap::new();
    for (old, new) in renamed {
        let has = |names: &[(String, Place)], name: &String| names.iter().any(|(known, _)| known == name);
        if !has(&base_names, old) {
            return Err(format!("--map-case {old}={new}: the base has no case `{old}`"));
        }
        if !has(&head_names, new) {
            return Err(format!("--map-case {old}={new}: the head has no case `{new}`"));
        }
        if from.insert(new, old).is_some() {
            return Err(format!("--map-case {old}={new}: `{new}` is named twice"));
        }
    }
    let partners = partners(base, head);
    let mut taken: BTreeSet<&str> = from.values().copied().collect();
    let mut pairs = Pairs::default();
    for (name, place) in &head_names {
        let old = match from.get(name.as_str()) {
            Some(old) => Some(*old),
            // A case of a program is the one of the same id in the program's partner, whatever names had to be made
            // of it to tell it from others.
            None => base_names
                .iter()
                .find(|(old, there)| {
                    partners.get(&place.program) == Some(&there.program)
                        && there.id == place.id
                        && !taken.contains(old.as_str())
                })
                .map(|(old, _)| old.as_str()),
        };
        match old {
            Some(old) => {
                taken.insert(old);
                pairs.common.push(Common {
                    name: name.clone(),
                    base: of_base[old].clone(),
                    head: place.clone(),
                    was: (old != name).then(|| old.to_owned()),
                });
            }
            None => pairs.new.push(name.clone()),
        }
    }
    pairs.removed = base_names
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !taken.contains(name))
        .map(str::to_owned)
        .collect();
    Ok(pairs)
}

/// The base's program for each of the head's: the same package and target, or else the only one of that target that is
/// left, as of a package that was renamed, or else the only one left of that package.
fn partners(base: &[Listed], head: &[Listed]) -> BTreeMap<usize, usize> {
    let mut partners = BTreeMap::new();
    let mut left: BTreeSet<usize> = (0..base.len()).collect();
    type IsPartner = fn(&Listed, &Listed) -> bool;
    let rules: [IsPartner; 3] = [
        |a, b| a.package == b.package && a.target == b.target,
        |a, b| a.target == b.target,
        |a, b| a.package == b.package,
    ];
    for is_partner in rules {
        for (at, program) in head.iter().enumerate() {
            if partners.contains_key(&at) {
                continue;
            }
            let rivals =
                (0..head.len()).filter(|other| !partners.contains_key(other) && is_partner(&head[*other], program));
            let mut found = left.iter().copied().filter(|other| is_partner(&base[*other], program));
            if let (Some(other), None, 1) = (found.next(), found.next(), rivals.count()) {
                partners.insert(at, other);
                left.remove(&other);
            }
        }
    }
    partners
}

/// The name of every case of a revision, each once.
fn names(programs: &[Listed]) -> Vec<(String, Place)> {
    let mut holders: BTreeMap<&str, Vec<&Listed>> = BTreeMap::new();
    for program in programs {
        for id in program.ids.iter().collect::<BTreeSet<_>>() {
            holders.entry(id).or_default().push(program);
        }
    }
    let short = |program: &Listed, id: &str| {
        let holders = &holders[id];
        let count =
            |part: fn(&Listed) -> &String| holders.iter().map(|holder| part(holder)).collect::<BTreeSet<_>>().len();
        if holders.len() == 1 {
            id.to_owned()
        } else if count(|holder| &holder.target) == holders.len() {
            format!("{}/{id}", program.target)
        } else if count(|holder| &holder.package) == holders.len() {
            format!("{}/{id}", program.package)
        } else {
            format!("{}/{}/{id}", program.package, program.target)
        }
    };
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for program in programs {
        for id in &program.ids {
            *uses.entry(short(program, id)).or_default() += 1;
        }
    }
    let mut names = Vec::new();
    let mut taken = BTreeSet::new();
    for (index, program) in programs.iter().enumerate() {
        for id in &program.ids {
            let mut name = short(program, id);
            if uses[&name] > 1 {
                name = format!("{}/{}/{id}", program.package, program.target);
            }
            let plain = name.clone();
            let mut number = 2;
            while !taken.insert(name.clone()) {
                name = format!("{plain} #{number}");
                number += 1;
            }
            names.push((
                name,
                Place {
                    program: index,
                    id: id.clone(),
                },
            ));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(program: &str, ids: &[&str]) -> Listed {
        let (package, target) = program.split_once('/').unwrap();
        Listed {
            package: package.to_owned(),
            target: target.to_owned(),
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    /// Names compared, each with the base's program and id; names only the head has; names only the base has.
    #[track_caller]
    fn check(base: &[Listed], head: &[Listed], renamed: &[(&str, &str)], expected: [&[&str]; 3]) {
        let renamed: Vec<(String, String)> = renamed
            .iter()
            .map(|(old, new)| ((*old).to_owned(), (*new).to_owned()))
            .collect();
        let pairs = pair(base, head, &renamed).unwrap();
        let common: Vec<String> = pairs
            .common
            .iter()
            .map(|common| format!("{} = {} {}", common.name, common.base.program, common.base.id))
            .collect();
        assert_eq!([common, pairs.new, pairs.removed], expected.map(<[&str]>::to_vec));
    }

    #[test]
    fn cases_are_paired_by_program_and_id() {
        let one = [listed("p/speed", &["a", "b"])];
        check(&one, &one, &[], [&["a = 0 a", "b = 0 b"], &[], &[]]);
        check(
            &one,
            &[listed("p/speed", &["b", "c"])],
            &[],
            [&["b = 0 b"], &["c"], &["a"]],
        );
        check(
            &one,
            &[listed("p/speed", &["b", "c"])],
            &[("a", "c")],
            [&["b = 0 b", "c = 0 a"], &[], &[]],
        );
        check(&[], &one, &[], [&[], &["a", "b"], &[]]);
        check(&one, &[], &[], [&[], &[], &["a", "b"]]);
    }

    #[test]
    fn equal_ids_of_several_programs_are_told_apart_and_never_mixed() {
        let two = [listed("a/bench", &["o/1", "only"]), listed("b/bench", &["o/1"])];
        check(
            &two,
            &two,
            &[],
            [&["a/o/1 = 0 o/1", "only = 0 only", "b/o/1 = 1 o/1"], &[], &[]],
        );
        // The order of programs does not matter.
        let turned = [two[1].clone(), two[0].clone()];
        check(
            &turned,
            &two,
            &[],
            [&["a/o/1 = 1 o/1", "only = 1 only", "b/o/1 = 0 o/1"], &[], &[]],
        );
        // Where the base has one program only, its case keeps its partner although names differ.
        check(
            &two[..1],
            &two,
            &[],
            [&["a/o/1 = 0 o/1", "only = 0 only"], &["b/o/1"], &[]],
        );
        let targets = [listed("a/x", &["o"]), listed("a/y", &["o"])];
        check(&targets, &targets, &[], [&["x/o = 0 o", "y/o = 1 o"], &[], &[]]);
        let mixed = [listed("a/x", &["o"]), listed("a/y", &["o"]), listed("b/x", &["o"])];
        check(
            &mixed,
            &mixed,
            &[],
            [&["a/x/o = 0 o", "a/y/o = 1 o", "b/x/o = 2 o"], &[], &[]],
        );
        // A name made so may be an id as well.
        let tricky = [listed("a/x", &["o", "y/o"]), listed("a/y", &["o"])];
        check(
            &tricky,
            &tricky,
            &[],
            [&["x/o = 0 o", "a/x/y/o = 0 y/o", "a/y/o = 1 o"], &[], &[]],
        );
    }

    #[test]
    fn a_renamed_package_or_target_keeps_its_cases() {
        let base = [listed("old/speed", &["a"])];
        check(&base, &[listed("new/speed", &["a"])], &[], [&["a = 0 a"], &[], &[]]);
        check(&base, &[listed("old/fast", &["a"])], &[], [&["a = 0 a"], &[], &[]]);
        // With two that could be meant, neither is.
        let two = [listed("old/x", &["a"]), listed("old/y", &["a"])];
        check(&base, &two, &[], [&[], &["x/a", "y/a"], &["a"]]);
    }

    #[test]
    fn a_renaming_of_nothing_is_refused() {
        let one = [listed("p/speed", &["a", "b"])];
        let refused = |old: &str, new: &str| pair(&one, &one, &[(old.to_owned(), new.to_owned())]).unwrap_err();
        assert_eq!(refused("x", "a"), "--map-case x=a: the base has no case `x`");
        assert_eq!(refused("a", "x"), "--map-case a=x: the head has no case `x`");
    }
}
