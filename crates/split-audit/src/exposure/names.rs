//! The search of one item for a path into the other crate.

use std::collections::HashSet;

use syn::{Attribute, Visibility, visit::Visit};

use super::scope::Scope;

/// Looks for a path into the other crate.
pub(super) struct Names<'a> {
    pub(super) extern_name: &'a str,
    pub(super) scope: &'a Scope,
    pub(super) generics: HashSet<String>,
    pub(super) found: Option<String>,
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_generics(&mut self, generics: &'ast syn::Generics) {
        let names = generics.type_params().map(|param| param.ident.to_string());
        self.generics.extend(names);
        syn::visit::visit_generics(self, generics);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first()
            && self.found.is_none()
        {
            let name = first.ident.to_string();
            let whole = || {
                let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
                names.join("::")
            };
            let is_unknown = || {
                !self.scope.has_other_globs
                    && !self.scope.local.contains(&name)
                    && !self.generics.contains(&name)
                    && !is_in_prelude(&name)
            };
            if name == self.extern_name {
                self.found = Some(whole());
            } else if let Some(full) = self.scope.foreign.get(&name) {
                let rest: String = path
                    .segments
                    .iter()
                    .skip(1)
                    .fold(String::new(), |rest, s| rest + "::" + &s.ident.to_string());
                self.found = Some(format!("{full}{rest}"));
            } else if let [glob, ..] = self.scope.foreign_globs.as_slice()
                && path.leading_colon.is_none()
                // In lower case it is a crate or a module, which globs of bindings rarely bring in.
                && name.starts_with(char::is_uppercase)
                && is_unknown()
            {
                self.found = Some(format!("{glob}::{name}"));
            }
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_expr(&mut self, _: &'ast syn::Expr) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// Names that need no import, so that a glob cannot be where they come from.
fn is_in_prelude(name: &str) -> bool {
    const NAMES: &str = " Self self super crate str bool char u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 \
        f64 Option Some None Result Ok Err Vec String Box Send Sync Sized Copy Clone Drop Fn FnMut FnOnce Into From \
        TryFrom TryInto AsRef AsMut Iterator IntoIterator Extend DoubleEndedIterator ExactSizeIterator FromIterator \
        Default ToString ToOwned Eq PartialEq Ord PartialOrd Unpin Debug Hash std core alloc ";
    NAMES.contains(&format!(" {name} "))
}
