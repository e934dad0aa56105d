//! Source text without what an interface does not show: comments, bodies and private functions, values of constants,
//! attributes but conditions, tests. A parser spends most of its time on these. Lines stay where they are.

/// What is left of a text. One that is no Rust comes out as something that is none either: the parser decides.
pub(crate) fn skim(text: &str) -> String {
    let mut skimmed = String::with_capacity(text.len() / 2);
    let mut lexer = Lexer { text, at: 0 };
    let mut function = Function::None;
    let mut place = Place::default();
    let mut last = b' ';
    // Behind it, a comma may end the signature.
    let mut has_where = false;
    while let Some(token) = lexer.next() {
        let shown = &text[token.from..lexer.at];
        match token.kind {
            Kind::Comment => {
                // A comment parts two words as a space does.
                skimmed.push(' ');
                newlines(shown, &mut skimmed);
                continue;
            }
            Kind::Space => {
                skimmed.push_str(shown);
                continue;
            }
            Kind::Word => {
                has_where = shown == "where" || shown != "fn" && has_where;
                function = match function {
                    // Within a signature it is a function pointer's.
                    Function::Signature(depth) => Function::Signature(depth),
                    _ if shown == "fn" => Function::Named,
                    Function::Named => Function::Signature(0),
                    Function::None => Function::None,
                };
                place.word(shown);
            }
            Kind::Punctuation(b'#') if lexer.skip_attribute() => {
                newlines(&text[token.from..lexer.at], &mut skimmed);
                continue;
            }
            Kind::Punctuation(byte) => {
                let is_expression = matches!(last, b'<' | b'=') || last == b',' && !has_where;
                last = byte;
                function = match (function, byte) {
                    // A macro's `fn $name`.
                    (Function::Named, b'$') => Function::Named,
                    // A function pointer's type.
                    (Function::Named, _) => Function::None,
                    (Function::Signature(depth), b'(' | b'[') => Function::Signature(depth + 1),
                    // A block within brackets, or `Bytes<{ N }>`, is an expression of the signature.
                    (Function::Signature(depth), b'{') if depth > 0 || is_expression => Function::Signature(depth + 1),
                    (Function::Signature(depth), b')' | b']' | b'}') if depth > 0 => Function::Signature(depth - 1),
                    (Function::Signature(0), b';' | b')' | b']' | b'}') => Function::None,
                    (Function::Signature(0), b'{') => {
                        skimmed.push_str("{}");
                        let from = lexer.at;
                        lexer.skip_block();
                        newlines(&text[from..lexer.at], &mut skimmed);
                        place.end(&mut skimmed);
                        last = b'}';
                        function = Function::None;
                        continue;
                    }
                    (other, _) => other,
                };
                skimmed.push_str(shown);
                let from = lexer.at;
                if byte == b'=' && place.is_at_value() {
                    skimmed.push_str(" _");
                    lexer.skip_to(b';');
                } else if byte == b'{' && place.is_at_tests(&skimmed) {
                    lexer.skip_block();
                    skimmed.push('}');
                    place.end(&mut skimmed);
                } else {
                    place.punctuation(byte, is_expression, &mut skimmed);
                }
                newlines(&text[from..lexer.at], &mut skimmed);
                continue;
            }
            Kind::Literal => {}
        }
        last = b'a';
        skimmed.push_str(shown);
    }
    skimmed
}

/// What a pair of brackets holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Items of a module or of a type's own `impl`: a function that is not public shows nothing.
    Items,
    /// Items of a trait, of its implementation, or foreign ones.
    Trait,
    Other,
}

/// What an item is, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Module,
    Impl,
    ImplFor,
    Trait,
    Extern,
    Function,
    Value,
    Other,
}

/// Where among the items of a file the text has come to.
#[derive(Default)]
struct Place {
    /// The brackets that are open.
    stack: Vec<Inside>,
    /// Where the item begins in what was kept, its attributes included.
    start: usize,
    item: Option<Keyword>,
    /// `pub`, and not `pub(crate)`.
    is_public: bool,
    is_behind_pub: bool,
    is_behind_colon: bool,
}

impl Place {
    fn inside(&self) -> Inside {
        self.stack.last().copied().unwrap_or(Inside::Items)
    }

    fn word(&mut self, word: &str) {
        self.is_behind_pub = word == "pub";
        if self.inside() == Inside::Other {
            return;
        }
        let keyword = match word {
            "mod" => Keyword::Module,
            "impl" => Keyword::Impl,
            "trait" => Keyword::Trait,
            "extern" => Keyword::Extern,
            "const" | "static" => Keyword::Value,
            "struct" | "enum" | "union" | "type" | "use" => Keyword::Other,
            "for" if self.item == Some(Keyword::Impl) => {
                self.item = Some(Keyword::ImplFor);
                return;
            }
            // `const fn`, `extern "C" fn`, but not `const F: fn()`.
            "fn" if matches!(self.item, Some(Keyword::Extern | Keyword::Value)) && !self.is_behind_colon => {
                self.item = Some(Keyword::Function);
                return;
            }
            "fn" => Keyword::Function,
            "pub" => {
                self.is_public |= self.item.is_none();
                return;
            }
            _ => return,
        };
        self.item = self.item.or(Some(keyword));
    }

    fn punctuation(&mut self, byte: u8, is_expression: bool, skimmed: &mut String) {
        match byte {
            b'{' => self.open(is_expression, skimmed.len()),
            b'(' | b'[' => {
                self.is_public &= !self.is_behind_pub;
                self.stack.push(Inside::Other);
            }
            b')' | b']' => drop(self.stack.pop()),
            b'}' => {
                self.stack.pop();
                self.end(skimmed);
            }
            b';' => self.end(skimmed),
            b':' => self.is_behind_colon = true,
            _ => {}
        }
        self.is_behind_pub = false;
    }

    fn open(&mut self, is_expression: bool, end: usize) {
        let inside = match self.item {
            _ if is_expression || self.inside() == Inside::Other => Inside::Other,
            Some(Keyword::Module | Keyword::Impl) => Inside::Items,
            Some(Keyword::ImplFor | Keyword::Trait | Keyword::Extern) => Inside::Trait,
            _ => Inside::Other,
        };
        self.stack.push(inside);
        if inside != Inside::Other {
            self.start = end;
            self.item = None;
            self.is_public = false;
            self.is_behind_colon = false;
        }
    }

    /// Behind an item, or a part of one.
    fn end(&mut self, skimmed: &mut String) {
        if self.inside() == Inside::Other {
            return;
        }
        if self.inside() == Inside::Items && self.item == Some(Keyword::Function) && !self.is_public {
            let n_lines = skimmed[self.start..].matches('\n').count();
            skimmed.truncate(self.start);
            skimmed.extend(std::iter::repeat_n('\n', n_lines));
        }
        self.start = skimmed.len();
        self.item = None;
        self.is_public = false;
        self.is_behind_colon = false;
    }

    /// Whether what comes behind a `=` is the value of a constant.
    fn is_at_value(&self) -> bool {
        self.inside() != Inside::Other && self.item == Some(Keyword::Value)
    }

    /// Whether a module that opens here is built for tests alone.
    fn is_at_tests(&self, skimmed: &str) -> bool {
        let is_module = self.inside() != Inside::Other && self.item == Some(Keyword::Module);
        is_module && skimmed[self.start..].trim_start().starts_with("#[cfg(test)]")
    }
}

fn newlines(text: &str, to: &mut String) {
    to.extend(text.bytes().filter(|byte| *byte == b'\n').map(char::from));
}

/// How far into a function's head the text has come.
#[derive(Clone, Copy)]
enum Function {
    None,
    /// Behind `fn`.
    Named,
    /// Behind its name, within this number of brackets.
    Signature(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Space,
    Comment,
    Word,
    Literal,
    Punctuation(u8),
}

/// What stands from here to where the lexer has come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) from: usize,
}

/// Cuts Rust into words, literals, comments and single signs.
pub(crate) struct Lexer<'t> {
    pub(crate) text: &'t str,
    pub(crate) at: usize,
}

impl Lexer<'_> {
    pub(crate) fn next(&mut self) -> Option<Token> {
        let bytes = self.text.as_bytes();
        let (from, first) = (self.at, *bytes.get(self.at)?);
        let second = bytes.get(from + 1).copied().unwrap_or(0);
        let kind = match first {
            b' ' | b'\t' | b'\r' | b'\n' => {
                self.run(|b| b.is_ascii_whitespace());
                Kind::Space
            }
            b'/' if second == b'/' => {
                self.run(|b| b != b'\n');
                Kind::Comment
            }
            b'/' if second == b'*' => {
                self.block_comment();
                Kind::Comment
            }
            b'"' => {
                self.at += 1;
                self.string();
                Kind::Literal
            }
            b'\'' => self.quote(),
            b'0'..=b'9' => {
                self.run(is_word);
                Kind::Literal
            }
            _ if is_word(first) => {
                self.run(is_word);
                self.prefixed(from)
            }
            _ => {
                self.at += 1;
                Kind::Punctuation(first)
            }
        };
        Some(Token { kind, from })
    }

    /// Behind the `{` of a block, to behind its `}`.
    fn skip_block(&mut self) {
        let mut depth = 1;
        while let Some(token) = self.next() {
            match token.kind {
                Kind::Punctuation(b'{') => depth += 1,
                Kind::Punctuation(b'}') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// From behind a `#` to behind its attribute, unless it is a condition or the path of a module, or none at all.
    fn skip_attribute(&mut self) -> bool {
        let start = self.at;
        let rest = &self.text[start..];
        let Some(inner) = rest.strip_prefix('!').unwrap_or(rest).strip_prefix('[') else {
            return false;
        };
        let word = inner.trim_start();
        let end = word.bytes().position(|byte| !is_word(byte)).unwrap_or(word.len());
        if ["cfg", "cfg_attr", "path"].contains(&&word[..end]) {
            return false;
        }
        self.at = self.text.len() - inner.len();
        self.skip_to(b']');
        self.next();
        true
    }

    /// To before a sign outside of all brackets that open from here.
    fn skip_to(&mut self, sign: u8) {
        let mut depth = 0_usize;
        loop {
            let before = self.at;
            match self.next().map(|token| token.kind) {
                None => return,
                Some(Kind::Punctuation(byte)) if byte == sign && depth == 0 => {
                    self.at = before;
                    return;
                }
                Some(Kind::Punctuation(b'(' | b'[' | b'{')) => depth += 1,
                Some(Kind::Punctuation(b')' | b']' | b'}')) => depth = depth.saturating_sub(1),
                Some(_) => {}
            }
        }
    }

    fn run(&mut self, goes_on: impl Fn(u8) -> bool) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().position(|b| !goes_on(*b)).unwrap_or(rest.len());
    }

    /// Comments of this kind nest.
    fn block_comment(&mut self) {
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        while self.at < bytes.len() {
            if bytes[self.at..].starts_with(b"/*") {
                depth += 1;
                self.at += 2;
            } else if bytes[self.at..].starts_with(b"*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += 1;
            }
        }
    }

    /// Behind the opening quote, to behind the closing one.
    fn string(&mut self) {
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() {
            match bytes[self.at] {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return;
                }
                _ => self.at += 1,
            }
        }
        self.at = bytes.len();
    }

    /// A character, or a lifetime.
    fn quote(&mut self) -> Kind {
        let rest = &self.text[self.at + 1..];
        let mut letters = rest.chars();
        let (first, second) = (letters.next(), letters.next());
        match (first, second) {
            (Some('\\'), _) => {
                let end = rest.as_bytes().iter().skip(2).position(|b| *b == b'\'');
                self.at += end.map_or(rest.len() + 1, |end| end + 4);
                Kind::Literal
            }
            (Some(letter), Some('\'')) => {
                self.at += 2 + letter.len_utf8();
                Kind::Literal
            }
            _ => {
                self.at += 1;
                self.run(is_word);
                Kind::Literal
            }
        }
    }

    /// Behind a word: `r"…"`, `b'…'`, `br#"…"#`, `r#word`, or just the word.
    fn prefixed(&mut self, from: usize) -> Kind {
        let word = &self.text[from..self.at];
        let rest = &self.text.as_bytes()[self.at..];
        match (word, rest.first()) {
            ("b", Some(b'\'')) => self.quote(),
            ("b" | "c", Some(b'"')) => {
                self.at += 1;
                self.string();
                Kind::Literal
            }
            ("r" | "br" | "cr", Some(b'"' | b'#')) => {
                let n_hashes = rest.iter().take_while(|b| **b == b'#').count();
                if rest.get(n_hashes) != Some(&b'"') {
                    // A raw identifier.
                    self.at += n_hashes;
                    self.run(is_word);
                    return Kind::Word;
                }
                let end = format!("\"{}", "#".repeat(n_hashes));
                let inside = self.at + n_hashes + 1;
                let found = self.text[inside..].find(&end);
                self.at = found.map_or(self.text.len(), |at| inside + at + end.len());
                Kind::Literal
            }
            _ => Kind::Word,
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_interface_is_gone_and_all_else_is_there() {
        let cases = [
            (
                "pub fn f() { g({ 1 }) } struct S { a: u8 }",
                "pub fn f() {} struct S { a: u8 }",
            ),
            (
                "pub fn f(a: fn(u8) -> u8) -> [u8; { 1 }] where T: Sized { \"}\" }",
                "pub fn f(a: fn(u8) -> u8) -> [u8; { 1 }] where T: Sized {}",
            ),
            ("pub fn f() -> B<{ N }> { 1 }", "pub fn f() -> B<{ N }> {}"),
            ("pub fn f() -> B<A, { N }> { 1 }", "pub fn f() -> B<A, { N }> {}"),
            (
                "pub fn f<T>() where T: X, {} impl A for B { fn g() -> [u8; { 2 }] { 2 } }",
                "pub fn f<T>() where T: X, {} impl A for B { fn g() -> [u8; { 2 }] {} }",
            ),
            (
                "trait T { fn f(); fn g() { '{' } const C: u8; const D: u8 = { 1; 2 }; }",
                "trait T { fn f(); fn g() {} const C: u8; const D: u8 = _; }",
            ),
            (
                "struct S { f: fn() } impl S { pub fn g<'a>(&'a self) { 'a: loop { r#\"}\"# } } }",
                "struct S { f: fn() } impl S { pub fn g<'a>(&'a self) {} }",
            ),
            (
                "macro_rules! m { ($f:ident) => { fn $f() { 1 } } }",
                "macro_rules! m { ($f:ident) => { fn $f() {} } }",
            ),
            ("const C: &str = \"fn f() { // }\"; // end", "const C: &str = _;  "),
            (
                "/* a /* b */ c */pub fn r#fn() { '\\'' ; '\\u{7d}' }",
                " pub fn r#fn() {}",
            ),
            (
                "pub fn f() { b'}'; br##\"}\"#\"##; c\"}\" } use a;",
                "pub fn f() {} use a;",
            ),
            (
                "pub fn f(a: &'static str, b: [u8; 3]) {\n1\n}\nmod m;",
                "pub fn f(a: &'static str, b: [u8; 3]) {}\n\n\nmod m;",
            ),
            ("pub fn f() -> 'é' {'é'} fn", "pub fn f() -> 'é' {} fn"),
            // Private functions.
            ("use a::{b, c};fn f() {\n1 }\nuse d;", "use a::{b, c};\n\nuse d;"),
            (
                "impl S {pub(crate) fn f() {}#[cfg(x)] unsafe fn g() {} pub fn h() {}}",
                "impl S { pub fn h() {}}",
            ),
            (
                "pub const unsafe extern \"C\" fn f() { 1 } const fn g() {}",
                "pub const unsafe extern \"C\" fn f() {}",
            ),
            (
                "const F: fn() = f; static G: fn() -> u8 = g;use a;",
                "const F: fn() = _; static G: fn() -> u8 = _;use a;",
            ),
            (
                "unsafe extern \"C\" { fn f(); } extern crate a;",
                "unsafe extern \"C\" { fn f(); } extern crate a;",
            ),
            (
                "impl<T> A for B<T> where T: C, { fn f() { 1 } } impl<F: for<'a> Fn(&'a u8)> D<F> { fn g() {} }",
                "impl<T> A for B<T> where T: C, { fn f() {} } impl<F: for<'a> Fn(&'a u8)> D<F> { fn g() {} }",
            ),
            (
                "mod a {fn f() {} pub mod b { pub fn g() {} } } cfg_if! { if #[cfg(a)] { fn h() {} } }",
                "mod a { pub mod b { pub fn g() {} } } cfg_if! { if #[cfg(a)] { fn h() {} } }",
            ),
            // Attributes and tests.
            (
                "#![doc = \"[\"]#[derive(A)] #[cfg(a)] #[path = \"b.rs\"] #[doc(\n)]mod c;",
                " #[cfg(a)] #[path = \"b.rs\"] \nmod c;",
            ),
            (
                "#[cfg(test)] mod tests {\nuse a;\nmod b {} } #[cfg(not(test))] mod c { use d; }",
                "#[cfg(test)] mod tests {}\n\n #[cfg(not(test))] mod c { use d; }",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(skim(text), expected, "{text}");
        }
    }

    /// What others see of items, a line each; of functions with their arguments.
    fn shown(items: &[syn::Item], found: &mut Vec<String>) {
        let of = |sig: &syn::Signature| format!("fn {} of {}", sig.ident, sig.inputs.len());
        let is_public = |vis: &syn::Visibility| matches!(vis, syn::Visibility::Public(_));
        for item in items {
            match item {
                syn::Item::Fn(f) if is_public(&f.vis) => found.push(of(&f.sig)),
                syn::Item::Struct(s) => found.push(format!("struct {} of {}", s.ident, s.fields.len())),
                syn::Item::Enum(e) => found.push(format!("enum {} of {}", e.ident, e.variants.len())),
                syn::Item::Const(c) => found.push(format!("const {}", c.ident)),
                syn::Item::Static(s) => found.push(format!("static {}", s.ident)),
                syn::Item::Type(t) => found.push(format!("type {}", t.ident)),
                syn::Item::Macro(m) => found.push(format!("macro {:?}", m.ident)),
                syn::Item::Use(u) => found.push(format!("{:?}", crate::source::leaves(&u.tree))),
                syn::Item::Trait(t) => found.push(format!("trait {} of {}", t.ident, t.items.len())),
                syn::Item::Impl(block) => {
                    found.push(format!(
                        "impl of {:?}",
                        block.trait_.as_ref().map(|of| of.0.segments.len())
                    ));
                    for item in &block.items {
                        match item {
                            syn::ImplItem::Fn(f) if block.trait_.is_some() || is_public(&f.vis) => {
                                found.push(of(&f.sig));
                            }
                            syn::ImplItem::Const(c) => found.push(format!("const {}", c.ident)),
                            syn::ImplItem::Type(t) => found.push(format!("type {}", t.ident)),
                            _ => {}
                        }
                    }
                }
                syn::Item::Mod(m) => {
                    let is_test = m.attrs.iter().any(|a| {
                        let list = a.meta.require_list().ok().filter(|list| list.path.is_ident("cfg"));
                        list.is_some_and(|list| list.tokens.to_string() == "test")
                    });
                    if let Some((_, inner)) = m.content.as_ref().filter(|_| !is_test) {
                        found.push(format!("mod {}", m.ident));
                        shown(inner, found);
                    }
                }
                _ => {}
            }
        }
    }

    #[test]
    fn of_real_sources_everything_public_is_left() {
        // Those of this repository, or of another folder, as cargo's registry.
        let own = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut open = vec![std::env::var_os("SKIM_SOURCES").map_or(own, Into::into)];
        let (mut n_files, mut unparsed, mut wrong) = (0, Vec::new(), Vec::new());
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let (path, name) = (entry.path(), entry.file_name());
                if path.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
                    open.push(path);
                } else if path.extension().is_some_and(|ending| ending == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let Ok(whole) = syn::parse_file(&text) else { continue };
                    let left = skim(&text);
                    if left.matches('\n').count() != text.matches('\n').count() {
                        wrong.push(format!("{}: lines are lost", path.display()));
                    }
                    let left = match syn::parse_file(&left) {
                        Ok(left) => left,
                        // Then the whole is read.
                        Err(e) => {
                            unparsed.push(format!("{}: {e}", path.display()));
                            continue;
                        }
                    };
                    let (mut expected, mut found) = (Vec::new(), Vec::new());
                    shown(&whole.items, &mut expected);
                    shown(&left.items, &mut found);
                    if let Some(at) = (0..expected.len()).find(|at| found.get(*at) != expected.get(*at)) {
                        wrong.push(format!("{}: {:?}, not {}", path.display(), found.get(at), expected[at]));
                    }
                    n_files += 1;
                }
            }
        }
        assert!(n_files > 200, "{n_files} files");
        assert!(wrong.is_empty(), "{} of {n_files}: {wrong:#?}", wrong.len());
        assert!(unparsed.len() * 100 < n_files, "of {n_files}: {unparsed:#?}");
    }

    #[test]
    fn what_ends_too_early_ends_the_text() {
        for text in [
            "\"a",
            "'\\",
            "/* a",
            "r#\"a",
            "fn f() {",
            "b'",
            "'",
            "\"\\",
            "fn f() { \"\\",
        ] {
            let _ = skim(text);
        }
    }
}
