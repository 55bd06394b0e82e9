//! The paths that a file mentions (`std::fs::read`, `Instant::now()`, `println!`), groups of imports written out.

use crate::lexer::{Kind, Token, past_group};

/// What stands behind a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// `path()`: a call without arguments.
    EmptyCall,
    /// `path(…)`: a call with arguments, or a pattern.
    Call,
    /// `path!`: a macro.
    Macro,
    /// Anything else.
    Other,
}

/// A path as the code writes it, without generic arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    pub(crate) after: After,
    /// `.name`: a field or method, never a free function or a crate.
    pub(crate) member: bool,
    /// `fn name`: declared here, not used.
    pub(crate) declared: bool,
    /// Part of a `use` declaration.
    pub(crate) imported: bool,
}

impl Mention {
    /// Whether the segments occur in the path one after the other.
    pub(crate) fn contains(&self, segments: &[&str]) -> bool {
        self.segments.windows(segments.len()).any(|window| window.iter().eq(segments))
    }

    /// The last segment.
    pub(crate) fn last(&self) -> &str {
        self.segments.last().map_or("", String::as_str)
    }

    /// The segment before the last.
    pub(crate) fn parent(&self) -> Option<&str> {
        self.segments.iter().rev().nth(1).map(String::as_str)
    }
}

/// All paths of a file, in order; single words are paths too.
pub(crate) fn mentions(tokens: &[Token]) -> Vec<Mention> {
    let mut found = Vec::new();
    let (mut at, mut imported) = (0, false);
    while let Some(token) = tokens.get(at) {
        match token.word() {
            Some("use") => {
                imported = true;
                at += 1;
            }
            Some(_) => {
                let before = at.checked_sub(1).and_then(|before| tokens.get(before));
                let context = Mention {
                    line: token.line,
                    segments: Vec::new(),
                    after: After::Other,
                    member: before.is_some_and(|before| before.is_sign('.')),
                    declared: before.is_some_and(|before| before.is_word("fn")),
                    imported,
                };
                at = path(tokens, at, &context, &mut found);
            }
            None => {
                imported = imported && !token.is_sign(';');
                at += 1;
            }
        }
    }
    found
}

/// Reads the path that begins at `at`, the segments of `prefix` before it, and answers the index past it.
fn path(tokens: &[Token], mut at: usize, prefix: &Mention, found: &mut Vec<Mention>) -> usize {
    let mut mention = prefix.clone();
    let kind = |at: usize| tokens.get(at).map(|token| &token.kind);
    loop {
        match tokens.get(at) {
            Some(Token { kind: Kind::Word(word), line }) => {
                mention.line = *line;
                mention.segments.push(word.clone());
            }
            Some(Token { kind: Kind::Sign('*'), line }) => {
                mention.line = *line;
                mention.segments.push("*".to_owned());
            }
            _ => return at + 1,
        }
        at += 1;
        match (kind(at), kind(at + 1)) {
            (Some(Kind::PathSeparator), Some(Kind::Word(_) | Kind::Sign('*'))) => at += 1,
            (Some(Kind::PathSeparator), Some(Kind::Sign('{'))) => {
                return group(tokens, at + 1, &mention, found);
            }
            _ => break,
        }
    }
    mention.after = after(tokens, at);
    found.push(mention);
    at
}

/// Reads `{a, b::{c, d}}` whose brace is at `open`, and answers the index past it.
fn group(tokens: &[Token], open: usize, prefix: &Mention, found: &mut Vec<Mention>) -> usize {
    let end = past_group(tokens, open);
    let mut at = open + 1;
    while at + 1 < end {
        match tokens.get(at).map(|token| &token.kind) {
            Some(Kind::Word(word)) if word == "as" => at += 2,
            Some(Kind::Word(_) | Kind::Sign('*')) => at = path(tokens, at, prefix, found),
            _ => at += 1,
        }
    }
    end
}

fn after(tokens: &[Token], mut at: usize) -> After {
    let sign = |at: usize, sign: char| tokens.get(at).is_some_and(|token| token.is_sign(sign));
    if sign(at, '!') {
        // `a != b` is no macro.
        return if sign(at + 1, '=') { After::Other } else { After::Macro };
    }
    let turbofish =
        tokens.get(at).is_some_and(|token| token.kind == Kind::PathSeparator) && sign(at + 1, '<');
    if turbofish {
        let mut depth = 0_usize;
        for token in tokens.iter().skip(at + 1) {
            at += 1;
            match token.kind {
                Kind::Sign('<') => depth += 1,
                Kind::Sign('>') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        at += 1;
    }
    match (sign(at, '('), sign(at + 1, ')')) {
        (true, true) => After::EmptyCall,
        (true, false) => After::Call,
        (false, _) => After::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::lex;

    fn found(text: &str) -> Vec<Mention> {
        mentions(&lex(text).tokens)
    }

    fn written(text: &str) -> Vec<String> {
        found(text).iter().map(|mention| mention.segments.join("::")).collect()
    }

    #[test]
    fn imports_are_written_out() {
        assert_eq!(
            written("use std::{fs, io::{self, Read as _}, net::*};"),
            ["std::fs", "std::io::self", "std::io::Read", "std::net::*"]
        );
        assert!(found("use std::{fs, net};\nlet x = y;").iter().take(2).all(|mention| mention.imported));
        assert!(!found("use a;\nlet x = y;").iter().skip(1).any(|mention| mention.imported));
    }

    #[test]
    fn lines_are_those_of_the_last_segment() {
        let lines: Vec<usize> = found("use std::{\n  fs,\n  net,\n};").iter().map(|m| m.line).collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn calls_are_told_apart() {
        let after = |text: &str| found(text).first().map(|mention| mention.after);
        assert_eq!(after("mpsc::channel()"), Some(After::EmptyCall));
        assert_eq!(after("mpsc::channel::<Vec<u8>>()"), Some(After::EmptyCall));
        assert_eq!(after("mpsc::channel::<fn() -> u8>(8)"), Some(After::Call));
        assert_eq!(after("mpsc::channel(8)"), Some(After::Call));
        assert_eq!(after("println!(\"x\")"), Some(After::Macro));
        assert_eq!(after("a != b"), Some(After::Other));
    }

    #[test]
    fn members_and_declarations_are_marked() {
        let all = found("self.rand(); fn channel() {} rand::rng()");
        let marks: Vec<(&str, bool, bool)> =
            all.iter().map(|mention| (mention.last(), mention.member, mention.declared)).collect();
        assert!(marks.contains(&("rand", true, false)));
        assert!(marks.contains(&("channel", false, true)));
        assert!(marks.contains(&("rng", false, false)));
    }

    #[test]
    fn generics_do_not_join_paths_and_a_cut_off_file_is_read() {
        assert_eq!(written("a::{"), [""; 0]);
        assert_eq!(written("HashMap::<K, V>::new()"), ["HashMap", "K", "V", "new"]);
    }
}
