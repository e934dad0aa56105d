//! Which items the features and the target leave out, as far as that can be told without building.

use std::str::FromStr as _;

use cargo_platform::{Cfg, CfgExpr};
use syn::{Attribute, Item};

/// What the `cfg`s among attributes ask for; those that do not read are left out.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<CfgExpr> {
    let cfgs = attributes.iter().filter(|a| a.path().is_ident("cfg"));
    let expressions = cfgs.filter_map(|attribute| {
        let list = attribute.meta.require_list().ok()?;
        CfgExpr::from_str(&list.tokens.to_string()).ok()
    });
    expressions.collect()
}

/// Whether nothing but features decides a condition.
pub(crate) fn is_of_features(expression: &CfgExpr) -> bool {
    match expression {
        CfgExpr::Not(inner) => is_of_features(inner),
        CfgExpr::All(list) | CfgExpr::Any(list) => list.iter().all(is_of_features),
        CfgExpr::Value(Cfg::KeyPair(key, _)) => key.as_str() == "feature",
        _ => false,
    }
}

/// Whether a condition holds. `features` is `None` where they are not known.
///
/// `None` for what only a build knows, as the names that build scripts set.
pub(crate) fn holds(expression: &CfgExpr, features: Option<&[String]>, target: &[Cfg]) -> Option<bool> {
    let each = |list: &[CfgExpr]| -> Vec<Option<bool>> { list.iter().map(|e| holds(e, features, target)).collect() };
    match expression {
        CfgExpr::Not(inner) => holds(inner, features, target).map(|value| !value),
        CfgExpr::All(list) => {
            let values = each(list);
            if values.contains(&Some(false)) {
                Some(false)
            } else {
                (!values.contains(&None)).then_some(true)
            }
        }
        CfgExpr::Any(list) => {
            let values = each(list);
            if values.contains(&Some(true)) {
                Some(true)
            } else {
                (!values.contains(&None)).then_some(false)
            }
        }
        CfgExpr::Value(Cfg::KeyPair(key, value)) if key.as_str() == "feature" => {
            features.map(|features| features.iter().any(|feature| feature == value))
        }
        CfgExpr::Value(Cfg::Name(name)) if ["test", "doc", "docsrs", "miri", "loom"].contains(&name.as_str()) => {
            Some(false)
        }
        CfgExpr::Value(value) => {
            let is_of_target = match value {
                Cfg::Name(name) => ["unix", "windows"].contains(&name.as_str()),
                Cfg::KeyPair(key, _) => key.as_str().starts_with("target_"),
            };
            (is_of_target && !target.is_empty()).then(|| target.contains(value))
        }
        CfgExpr::True => Some(true),
        CfgExpr::False => Some(false),
    }
}

/// The items of every branch of a `cfg_if!`.
pub(crate) fn branches(tokens: proc_macro2::TokenStream) -> Vec<Item> {
    let groups = tokens.into_iter().filter_map(|token| match token {
        proc_macro2::TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace => {
            syn::parse2::<syn::File>(group.stream()).ok()
        }
        _ => None,
    });
    groups.flat_map(|file| file.items).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_build_knows_leaves_nothing_out() {
        let target = [
            Cfg::from_str("unix").unwrap(),
            Cfg::from_str("target_os = \"linux\"").unwrap(),
        ];
        for (text, expected) in [
            ("feature = \"on\"", false),
            ("feature = \"off\"", true),
            ("not(feature = \"on\")", true),
            ("all(has_std, feature = \"off\")", true),
            ("any(has_std, feature = \"off\")", false),
            ("windows", true),
            ("unix", false),
            ("target_os = \"linux\"", false),
            ("target_os = \"macos\"", true),
            ("test", true),
            ("made_by_a_build_script", false),
        ] {
            let item: syn::ItemFn = syn::parse_str(&format!("#[cfg({text})] fn f() {{}}")).unwrap();
            let features = ["on".to_owned()];
            let is_off = conditions(&item.attrs)
                .iter()
                .any(|c| holds(c, Some(&features), &target) == Some(false));
            assert_eq!(is_off, expected, "{text}");
        }
    }
}
