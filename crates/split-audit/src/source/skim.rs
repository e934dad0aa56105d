//! Source text without what an interface does not show: comments and the bodies of functions. A parser spends most of its
//! time on these. Lines stay where they are.

/// The text with every comment dropped and every function's body empty.
///
/// A text that is no Rust comes out as something that is none either: the parser decides.
pub(crate) fn skim(text: &str) -> String {
    let mut skimmed = String::with_capacity(text.len() / 2);
    let mut lexer = Lexer { text, at: 0 };
    let mut function = Function::None;
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
            }
            Kind::Punctuation(byte) => {
                function = match (function, byte) {
                    // A macro's `fn $name`.
                    (Function::Named, b'$') => Function::Named,
                    // A function pointer's type.
                    (Function::Named, _) => Function::None,
                    (Function::Signature(depth), b'(' | b'[') => Function::Signature(depth + 1),
                    // A block within brackets, or `Bytes<{ N }>`, is an expression of the signature.
                    (Function::Signature(depth), b'{')
                        if depth > 0 || matches!(last, b'<' | b'=') || last == b',' && !has_where =>
                    {
                        Function::Signature(depth + 1)
                    }
                    (Function::Signature(depth), b')' | b']' | b'}') if depth > 0 => Function::Signature(depth - 1),
                    (Function::Signature(0), b';' | b')' | b']' | b'}') => Function::None,
                    (Function::Signature(0), b'{') => {
                        skimmed.push_str("{}");
                        let from = lexer.at;
                        lexer.skip_block();
                        newlines(&text[from..lexer.at], &mut skimmed);
                        last = b'}';
                        function = Function::None;
                        continue;
                    }
                    (other, _) => other,
                };
                last = byte;
                skimmed.push_str(shown);
                continue;
            }
            Kind::Literal => {}
        }
        last = b'a';
        skimmed.push_str(shown);
    }
    skimmed
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
    fn bodies_and_comments_are_gone_and_all_else_is_there() {
        let cases = [
            ("fn f() { g({ 1 }) } struct S { a: u8 }", "fn f() {} struct S { a: u8 }"),
            (
                "fn f(a: fn(u8) -> u8) -> [u8; { 1 }] where T: Sized { \"}\" }",
                "fn f(a: fn(u8) -> u8) -> [u8; { 1 }] where T: Sized {}",
            ),
            ("fn f() -> B<{ N }> { 1 }", "fn f() -> B<{ N }> {}"),
            ("fn f() -> B<A, { N }> { 1 }", "fn f() -> B<A, { N }> {}"),
            (
                "fn f<T>() where T: X, { 1 } impl A for B { fn g() -> [u8; { 2 }] { 2 } }",
                "fn f<T>() where T: X, {} impl A for B { fn g() -> [u8; { 2 }] {} }",
            ),
            (
                "trait T { fn f(); fn g() { '{' } const C: u8; }",
                "trait T { fn f(); fn g() {} const C: u8; }",
            ),
            (
                "struct S { f: fn() } impl S { fn g<'a>(&'a self) { 'a: loop { r#\"}\"# } } }",
                "struct S { f: fn() } impl S { fn g<'a>(&'a self) {} }",
            ),
            (
                "macro_rules! m { ($f:ident) => { fn $f() { 1 } } }",
                "macro_rules! m { ($f:ident) => { fn $f() {} } }",
            ),
            (
                "const C: &str = \"fn f() { // }\"; // end",
                "const C: &str = \"fn f() { // }\";  ",
            ),
            ("/* a /* b */ c */fn r#fn() { '\\'' ; '\\u{7d}' }", " fn r#fn() {}"),
            ("fn f() { b'}'; br##\"}\"#\"##; c\"}\" } use a;", "fn f() {} use a;"),
            (
                "fn f(a: &'static str, b: [u8; 3]) {\n1\n}\nmod m;",
                "fn f(a: &'static str, b: [u8; 3]) {}\n\n\nmod m;",
            ),
            ("fn f() -> 'é' {'é'} fn", "fn f() -> 'é' {} fn"),
        ];
        for (text, expected) in cases {
            assert_eq!(skim(text), expected, "{text}");
        }
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
