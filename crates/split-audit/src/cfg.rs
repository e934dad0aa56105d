//! Which items the features and the target leave out, as far as that can be told without building.

use std::str::FromStr as _;

use cargo_platform::{Cfg, CfgExpr};
use syn::{Attribute, Item};

/// Whether a `cfg` attribute is certainly false. `features` is `None` where they are not known.
pub(crate) fn is_off(attributes: &[Attribute], features: Option<&[String]>, target: &[Cfg]) -> bool {
    attributes.iter().filter(|a| a.path().is_ident("cfg")).any(|attribute| {
        let Ok(list) = attribute.meta.require_list() else {
            return false;
        };
        let expression = CfgExpr::from_str(&list.tokens.to_string());
        expression.is_ok_and(|expression| holds(&expression, features, target) == Some(false))
    })
}

/// `None` for what only a build knows, as the names that build scripts set.
fn holds(expression: &CfgExpr, features: Option<&[String]>, target: &[Cfg]) -> Option<bool> {
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
            assert_eq!(is_off(&item.attrs, Some(&features), &target), expected, "{text}");
        }
    }
}
