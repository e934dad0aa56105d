//! The paths that an item's signature names.

use std::collections::HashSet;

use syn::{Attribute, Visibility, visit::Visit};

use super::Role;

/// Collects paths, without generic parameters, attributes (derive macros name traits that are not the item's) and bodies.
#[derive(Default)]
pub(crate) struct Paths {
    pub(crate) role: Option<Role>,
    pub(crate) found: Vec<(Vec<String>, Role)>,
    pub(crate) generics: HashSet<String>,
}

impl Paths {
    /// Names that stand for type parameters from here on.
    pub(crate) fn shadow(&mut self, generics: &syn::Generics) {
        self.generics
            .extend(generics.type_params().map(|p| p.ident.to_string()));
        self.generics
            .extend(generics.const_params().map(|p| p.ident.to_string()));
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.shadow(&signature.generics);
        syn::visit::visit_signature(self, signature);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let first = segments.first().map_or("", String::as_str);
        if first != "Self" && !self.generics.contains(first) {
            if path.leading_colon.is_some() {
                segments.insert(0, String::new());
            }
            self.found.push((segments, self.role.unwrap_or(Role::Both)));
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_block(&mut self, _: &'ast syn::Block) {}

    fn visit_expr(&mut self, _: &'ast syn::Expr) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_pat(&mut self, _: &'ast syn::Pat) {}
}
