//! Just enough of Rust's lexical rules to look at code without being fooled by comments, strings and tests.

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or keyword; a raw identifier without its `r#`.
    Word(String),
    /// `::`
    PathSeparator,
    /// `->`, kept together so that it does not look like the end of a generic list.
    Arrow,
    /// A string, character or number, of whatever form.
    Literal,
    /// `'a`
    Lifetime,
    /// Any other character.
    Sign(char),
}

/// A token and the line it starts on, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is_sign(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }

    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    pub(crate) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// A `//` comment: its line and what follows the slashes. Doc comments begin with `/` or `!` here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comment {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// A file in tokens, and its line comments apart from them.
#[derive(Debug, Default)]
pub(crate) struct Lexed {
    pub(crate) tokens: Vec<Token>,
    pub(crate) comments: Vec<Comment>,
}

/// Cuts a file into tokens. It never fails: what is not Rust becomes signs.
pub(crate) fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer { characters: text.chars().collect(), at: 0, line: 1, lexed: Lexed::default() };
    lexer.run();
    lexer.lexed
}

struct Lexer {
    characters: Vec<char>,
    at: usize,
    line: usize,
    lexed: Lexed,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn bump(&mut self) -> Option<char> {
        let character = self.peek(0)?;
        self.at += 1;
        if character == '\n' {
            self.line += 1;
        }
        Some(character)
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.bump();
        }
    }

    fn push(&mut self, kind: Kind, line: usize) {
        self.lexed.tokens.push(Token { kind, line });
    }

    fn run(&mut self) {
        while let Some(character) = self.peek(0) {
            let line = self.line;
            match (character, self.peek(1)) {
                ('/', Some('/')) => self.line_comment(),
                ('/', Some('*')) => self.block_comment(),
                (':', Some(':')) => {
                    self.skip(2);
                    self.push(Kind::PathSeparator, line);
                }
                ('-', Some('>')) => {
                    self.skip(2);
                    self.push(Kind::Arrow, line);
                }
                ('"', _) => {
                    self.string();
                    self.push(Kind::Literal, line);
                }
                ('\'', _) => {
                    let kind = self.quote();
                    self.push(kind, line);
                }
                _ if is_word_start(character) => self.word(),
                _ if character.is_ascii_digit() => {
                    while self.peek(0).is_some_and(is_word_part) {
                        self.bump();
                    }
                    self.push(Kind::Literal, line);
                }
                _ => {
                    self.bump();
                    if !character.is_whitespace() {
                        self.push(Kind::Sign(character), line);
                    }
                }
            }
        }
    }

    fn line_comment(&mut self) {
        let line = self.line;
        self.skip(2);
        let mut text = String::new();
        while let Some(character) = self.peek(0).filter(|character| *character != '\n') {
            text.push(character);
            self.bump();
        }
        self.lexed.comments.push(Comment { line, text });
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.skip(2);
                }
                (Some('*'), Some('/')) => {
                    depth = depth.saturating_sub(1);
                    self.skip(2);
                    if depth == 0 {
                        return;
                    }
                }
                (Some(_), _) => self.skip(1),
                (None, _) => return,
            }
        }
    }

    /// From the opening quote past the closing one.
    fn string(&mut self) {
        self.bump();
        while let Some(character) = self.bump() {
            match character {
                '\\' => self.skip(1),
                '"' => return,
                _ => {}
            }
        }
    }

    /// From the first `#` or the opening quote of a raw string past its end.
    fn raw_string(&mut self, hashes: usize) {
        self.skip(hashes + 1);
        while let Some(character) = self.bump() {
            if character == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                self.skip(hashes);
                return;
            }
        }
    }

    /// A character literal or a lifetime.
    fn quote(&mut self) -> Kind {
        self.bump();
        match (self.peek(0), self.peek(1)) {
            (Some('\\'), _) => {
                self.skip(2);
                while self.bump().is_some_and(|character| character != '\'') {}
                Kind::Literal
            }
            (Some(_), Some('\'')) => {
                self.skip(2);
                Kind::Literal
            }
            _ => {
                while self.peek(0).is_some_and(is_word_part) {
                    self.bump();
                }
                Kind::Lifetime
            }
        }
    }

    fn word(&mut self) {
        let line = self.line;
        let mut word = String::new();
        while let Some(character) = self.peek(0).filter(|character| is_word_part(*character)) {
            word.push(character);
            self.bump();
        }
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == Some('#')).count();
        let kind = match (word.as_str(), self.peek(hashes)) {
            ("r" | "br" | "cr", Some('"')) => {
                self.raw_string(hashes);
                Kind::Literal
            }
            ("b" | "c", Some('"')) if hashes == 0 => {
                self.string();
                Kind::Literal
            }
            ("b", Some('\'')) if hashes == 0 => self.quote(),
            ("r", Some(character)) if hashes == 1 && is_word_start(character) => {
                self.skip(1);
                return self.word();
            }
            _ => Kind::Word(word),
        };
        self.push(kind, line);
    }
}

fn is_word_start(character: char) -> bool {
    character.is_alphabetic() || character == '_'
}

fn is_word_part(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// What is left of a file without its tests.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct WithoutTests {
    /// The tokens outside of items that only a test build has.
    pub(crate) tokens: Vec<Token>,
    /// The modules in files of their own that only a test build has: `#[cfg(test)] mod tests;`.
    pub(crate) test_modules: Vec<String>,
}

/// Takes out every item under `#[cfg(test)]` (or `#[cfg(all(test, …))]`), from its attribute to its end.
pub(crate) fn without_tests(tokens: &[Token]) -> WithoutTests {
    let mut left = WithoutTests::default();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let inner = token.is_sign('#') && tokens.get(at + 1).is_some_and(|next| next.is_sign('!'));
        if inner && is_test_attribute(tokens, at + 2) {
            return WithoutTests { tokens: Vec::new(), ..left };
        }
        if token.is_sign('#') && is_test_attribute(tokens, at + 1) {
            let end = end_of_item(tokens, at);
            left.test_modules.extend(module_in_a_file(tokens.get(at..end).unwrap_or_default()));
            at = end;
        } else {
            left.tokens.push(token.clone());
            at += 1;
        }
    }
    left
}

/// Whether the attribute whose `[` is at `open` says that only a test build has the item.
fn is_test_attribute(tokens: &[Token], open: usize) -> bool {
    if !tokens.get(open).is_some_and(|token| token.is_sign('[')) {
        return false;
    }
    let attribute = tokens.get(open + 1..past_group(tokens, open).saturating_sub(1)).unwrap_or_default();
    match attribute {
        [cfg, _, condition @ .., _] if cfg.is_word("cfg") => match condition {
            [only] => only.is_word("test"),
            [all, _, parts @ .., _] if all.is_word("all") => {
                let mut depth = 0_usize;
                parts.iter().any(|part| {
                    match part.kind {
                        Kind::Sign('(') => depth += 1,
                        Kind::Sign(')') => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    depth == 0 && part.is_word("test")
                })
            }
            _ => false,
        },
        _ => false,
    }
}

/// The index past the group that opens at `open`, whatever its bracket.
pub(crate) fn past_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Sign('(' | '[' | '{') => depth += 1,
            Kind::Sign(')' | ']' | '}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// The index past the item that begins with the attribute at `start`.
fn end_of_item(tokens: &[Token], start: usize) -> usize {
    let mut at = start;
    while tokens.get(at).is_some_and(|token| token.is_sign('#')) {
        at = past_group(tokens, at + 1);
    }
    // These end at their semicolon; whatever else has a body ends with it.
    let visibility = ["pub", "crate", "super", "self", "in"];
    let mut head = tokens.iter().skip(at).filter_map(Token::word).filter(|word| !visibility.contains(word));
    let plain = matches!(head.next(), Some("use" | "let" | "static" | "type"));
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::Sign(';' | ',') => return at + 1,
            Kind::Sign('}' | ')' | ']') => return at,
            Kind::Sign('{') if !plain => return past_group(tokens, at),
            Kind::Sign('{' | '(' | '[') => at = past_group(tokens, at),
            _ => at += 1,
        }
    }
    tokens.len()
}

/// The name in `… mod name;`.
fn module_in_a_file(item: &[Token]) -> Option<String> {
    match item {
        [.., keyword, name, end] if keyword.is_word("mod") && end.is_sign(';') => {
            name.word().map(ToOwned::to_owned)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        lex(text).tokens.iter().filter_map(|token| token.word().map(ToOwned::to_owned)).collect()
    }

    fn words_without_tests(text: &str) -> Vec<String> {
        let left = without_tests(&lex(text).tokens);
        left.tokens.iter().filter_map(|token| token.word().map(ToOwned::to_owned)).collect()
    }

    #[test]
    fn comments_and_strings_hold_no_words() {
        assert_eq!(words("a // HashMap\nb /* c /* d */ e */ f"), ["a", "b", "f"]);
        assert_eq!(words(r#"a("HashMap \" x", b"y", c"z", 'h', b'i', '\'', '\u{1F600}') j"#), ["a", "j"]);
        assert_eq!(words(r###"a(r"x\", r#"y " z"#, br##"q"# w"##, cr"v") b"###), ["a", "b"]);
    }

    #[test]
    fn lifetimes_are_not_characters() {
        assert_eq!(
            words("fn f<'a>(x: &'a str, c: char) -> &'static str { 'b' }"),
            ["fn", "f", "x", "str", "c", "char", "str"]
        );
    }

    #[test]
    fn raw_identifiers_are_words() {
        assert_eq!(words("r#type r br"), ["type", "r", "br"]);
    }

    #[test]
    fn lines_are_counted_through_strings_and_comments() {
        let lexed = lex("a\n\"x\n\ny\"\n/* \n */ b // last");
        let lines: Vec<(Option<&str>, usize)> =
            lexed.tokens.iter().map(|token| (token.word(), token.line)).collect();
        assert_eq!(lines, [(Some("a"), 1), (None, 2), (Some("b"), 6)]);
        assert_eq!(lexed.comments, [Comment { line: 6, text: " last".to_owned() }]);
    }

    #[test]
    fn an_unfinished_file_is_cut_all_the_same() {
        for text in ["\"open", "r#\"open", "/* open", "'", "'\\", "b'", "r#"] {
            lex(text);
        }
    }

    #[test]
    fn test_modules_are_taken_out_to_their_closing_brace() {
        let text = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests { fn b() { \"}\"; } }\nfn c() {}";
        assert_eq!(words_without_tests(text), ["fn", "a", "fn", "c"]);
    }

    #[test]
    fn test_items_of_every_form_are_taken_out() {
        assert_eq!(words_without_tests("#[cfg(test)] use a::{b, c}; fn d() {}"), ["fn", "d"]);
        assert_eq!(words_without_tests("#[cfg(test)] pub(crate) use a::{b}; fn d() {}"), ["fn", "d"]);
        assert_eq!(words_without_tests("#[cfg(test)] const fn e() -> u8 { 1 } fn d() {}"), ["fn", "d"]);
        assert_eq!(words_without_tests("#[cfg(test)] const E: u8 = 1; fn d() {}"), ["fn", "d"]);
        assert_eq!(words_without_tests("#[cfg(test)] impl A for B { fn c() {} } fn d() {}"), ["fn", "d"]);
        assert_eq!(words_without_tests("struct S { #[cfg(test)] a: u8, b: u8 }"), ["struct", "S", "b", "u8"]);
        assert_eq!(
            words_without_tests("struct S { #[cfg(test)] a: u8 } fn d() {}"),
            ["struct", "S", "fn", "d"]
        );
        assert_eq!(words_without_tests("#![cfg(test)] fn a() {}"), [""; 0]);
    }

    #[test]
    fn conditions_that_also_hold_without_tests_stay() {
        assert_eq!(words_without_tests("#[cfg(all(test, unix))] fn a() {} fn b() {}"), ["fn", "b"]);
        assert!(words_without_tests("#[cfg(not(test))] fn a() {}").contains(&"a".to_owned()));
        assert!(words_without_tests("#[cfg(any(test, unix))] fn a() {}").contains(&"a".to_owned()));
        assert!(words_without_tests("#[cfg(all(not(test), unix))] fn a() {}").contains(&"a".to_owned()));
        assert!(words_without_tests("#[cfg(feature = \"test\")] fn a() {}").contains(&"a".to_owned()));
    }

    #[test]
    fn test_modules_in_files_of_their_own_are_named() {
        let left = without_tests(&lex("#[cfg(test)]\nmod tests;\nmod other;").tokens);
        assert_eq!(left.test_modules, ["tests"]);
        assert_eq!(left.tokens.len(), 3);
    }
}
