//! What source text must not contain, and clippy cannot see crate by crate (decisions H1, H5, N5).
//!
//! The deterministic crates get time, ids and randomness as arguments and iterate in a defined order; the rules
//! below are their table. Unbounded channels are refused everywhere. Tests are exempt: items under
//! `#[cfg(test)]`, modules in files of their own that such an item declares, and `tests/` folders.
//!
//! A line may be excused by a comment behind it, or on a line of its own directly above it:
//! `lint: allow(<rule>) <reason>` after the two slashes. The reason is obligatory, and an excuse that excuses
//! nothing is reported.

use std::collections::{BTreeMap, BTreeSet};

use crate::lexer::{Comment, Token, lex, without_tests};
use crate::paths::{After, Mention, mentions};
use crate::workspace::SourceFile;

/// Crates whose behaviour may depend on nothing but their input, and the one such file of the journal.
const DETERMINISTIC: &[&str] = &[
    "crates/foundation/src/",
    "crates/engine/src/",
    "crates/riskengine/src/",
    "crates/portfolio/src/",
    "crates/matching/src/",
    "crates/quantkit/src/",
    "crates/journal/src/format.rs",
    "crates/journal/src/format/",
];

/// Shells around the core: the engine's asynchronous one, and the files of the risk engine's state. They await and may touch
/// the world, but read no clock of their own.
const SHELL: &[&str] = &[
    "crates/riskengine/src/store/",
    "crates/engine/src/shell.rs",
    "crates/engine/src/shell/",
    "crates/engine/src/live.rs",
    "crates/engine/src/live/",
];

/// Files longer than this are reported, but do not fail.
const LONG_FILE: usize = 600;

/// Where a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// In the deterministic crates.
    Deterministic,
    /// There, except in the shells.
    Core,
    /// In all crates.
    Everywhere,
}

struct Rule {
    name: &'static str,
    scope: Scope,
    /// Whether a mention breaks the rule.
    breaks: fn(&Mention) -> bool,
    remedy: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        name: "clock",
        scope: Scope::Deterministic,
        breaks: |mention| {
            ["SystemTime", "Instant", "Utc", "Local"].iter().any(|clock| mention.contains(&[clock, "now"]))
        },
        remedy: "take the time as an argument, or from foundation's Clock",
    },
    Rule {
        name: "random",
        scope: Scope::Deterministic,
        breaks: |mention| {
            let sources = ["thread_rng", "getrandom", "OsRng", "fastrand", "RandomState"];
            let krate = mention.segments.first().is_some_and(|first| first == "rand");
            (krate && !mention.member && (mention.segments.len() > 1 || mention.imported))
                || sources.iter().any(|source| mention.contains(&[source]))
                || mention.contains(&["Uuid", "new_v4"])
                || mention.contains(&["Uuid", "now_v7"])
        },
        remedy: "take ids and random numbers as arguments",
    },
    Rule {
        name: "unordered",
        scope: Scope::Deterministic,
        breaks: |mention| {
            let unordered = ["HashMap", "HashSet", "FxHashMap", "FxHashSet", "AHashMap", "AHashSet"];
            unordered.iter().any(|map| mention.contains(&[map]))
        },
        remedy: "use BTreeMap or BTreeSet, or excuse a map that is never iterated",
    },
    Rule {
        name: "io",
        scope: Scope::Core,
        breaks: |mention| {
            let printed = ["println", "print", "eprintln", "eprint"].contains(&mention.last());
            ["fs", "net", "env"].iter().any(|module| mention.contains(&["std", module]))
                || (printed && mention.after == After::Macro)
        },
        remedy: "the core touches no files, sockets, variables or streams: let the caller do it and pass the result in",
    },
    Rule {
        name: "runtime",
        scope: Scope::Core,
        breaks: |mention| {
            mention.segments.first().is_some_and(|first| first == "tokio")
                && (mention.segments.len() > 1 || mention.imported)
                && !mention.member
        },
        remedy: "the core is synchronous: await in the engine's src/shell or src/live, or in an outer crate",
    },
    Rule {
        name: "unbounded",
        scope: Scope::Everywhere,
        breaks: |mention| {
            if mention.member || mention.declared {
                return false;
            }
            // `Limits::unbounded()` is a constructor of a type, `crossbeam_channel::unbounded()` is a channel.
            let of_module = mention.parent().is_none_or(|parent| !parent.starts_with(char::is_uppercase));
            let called = matches!(mention.after, After::Call | After::EmptyCall);
            match mention.last() {
                "unbounded_channel" => true,
                "unbounded" => of_module && (called || mention.imported),
                // A bounded channel is told its capacity.
                // One that carries one message has one.
                "channel" => {
                    let once = mention.parent().is_some_and(|parent| parent == "oneshot");
                    of_module && !once && mention.after == After::EmptyCall
                }
                _ => false,
            }
        },
        remedy: "give the channel a capacity: std's sync_channel(n), tokio's mpsc::channel(n)",
    },
];

impl Scope {
    fn covers(self, path: &str) -> bool {
        let below = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
        match self {
            Self::Deterministic => below(DETERMINISTIC),
            Self::Core => below(DETERMINISTIC) && !below(SHELL),
            Self::Everywhere => true,
        }
    }
}

/// What the rules found, as lines to print.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) failures: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

/// Checks all files against all rules. The set must be complete: one file may declare another a test module.
pub(crate) fn check(files: &[SourceFile]) -> Report {
    let mut report = Report::default();
    let mut tests = BTreeSet::new();
    let mut candidates = Vec::new();
    for file in files {
        let length = file.text.lines().count();
        if length > LONG_FILE {
            let path = &file.path;
            report
                .warnings
                .push(format!("{path}: {length} lines: a file of more than {LONG_FILE} wants to be two"));
        }
        if !in_test_folder(&file.path) {
            let lexed = lex(&file.text);
            let code = without_tests(&lexed.tokens);
            let modules = code.test_modules.iter().flat_map(|module| files_of_module(&file.path, module));
            tests.extend(modules);
            candidates.push((file, code.tokens, lexed.comments));
        }
    }
    for (file, tokens, comments) in candidates {
        let is_test = tests
            .iter()
            .any(|test| file.path == *test || (test.ends_with('/') && file.path.starts_with(test)));
        if !is_test {
            check_file(&file.path, &tokens, &comments, &mut report);
        }
    }
    report
}

/// Integration tests and benchmarks' fixtures: `tests/…` of the workspace and of each package.
fn in_test_folder(path: &str) -> bool {
    path.split('/').rev().skip(1).any(|folder| folder == "tests") && !path.contains("/src/")
}

/// Where `mod name;` in the file at `path` may live: a file, or a folder (with a slash at its end).
fn files_of_module(path: &str, name: &str) -> [String; 2] {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let base = match stem {
        "lib" | "main" | "mod" => folder.to_owned(),
        _ => format!("{folder}/{stem}"),
    };
    [format!("{base}/{name}.rs"), format!("{base}/{name}/")]
}

fn check_file(path: &str, tokens: &[Token], comments: &[Comment], report: &mut Report) {
    let mut excuses = excuses(path, tokens, comments, report);
    let mut broken = BTreeMap::new();
    let mentions = mentions(tokens);
    for rule in RULES.iter().filter(|rule| rule.scope.covers(path)) {
        for mention in mentions.iter().filter(|mention| (rule.breaks)(mention)) {
            if let Some(excuse) = excuses.get_mut(&(mention.line, rule.name)) {
                excuse.used = true;
            } else {
                // Once a line and rule is enough.
                broken
                    .entry((mention.line, rule.name))
                    .or_insert_with(|| (mention.segments.join("::"), rule.remedy));
            }
        }
    }
    for ((line, rule), (what, remedy)) in broken {
        report.failures.push(format!("{path}:{line}: [{rule}] `{what}`: {remedy}"));
    }
    for ((_, rule), excuse) in excuses.iter().filter(|(_, excuse)| !excuse.used) {
        let line = excuse.line;
        report.warnings.push(format!("{path}:{line}: the excuse from `{rule}` excuses nothing: remove it"));
    }
}

struct Excuse {
    /// The line of the comment itself.
    line: usize,
    used: bool,
}

/// The excuses of a file by the line they are for and the rule; a bad one becomes a failure.
fn excuses(
    path: &str,
    tokens: &[Token],
    comments: &[Comment],
    report: &mut Report,
) -> BTreeMap<(usize, &'static str), Excuse> {
    let code: BTreeSet<usize> = tokens.iter().map(|token| token.line).collect();
    let mut found = BTreeMap::new();
    for comment in comments {
        let line = comment.line;
        let Some(text) = comment.text.trim().strip_prefix("lint: allow(") else { continue };
        let (name, reason) = text.split_once(')').unwrap_or((text, ""));
        let rule = RULES.iter().find(|rule| rule.name == name.trim());
        match rule {
            None => {
                let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
                let names = names.join(", ");
                report
                    .failures
                    .push(format!("{path}:{line}: there is no rule `{name}` to allow: use one of {names}"));
            }
            Some(rule) if reason.trim().is_empty() => {
                let name = rule.name;
                report
                    .failures
                    .push(format!("{path}:{line}: the excuse from `{name}` has no reason: write it behind"));
            }
            Some(rule) => {
                let target = code.range(line..).next().copied().unwrap_or(line);
                found.insert((target, rule.name), Excuse { line, used: false });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(path: &str, text: &str) -> Report {
        check(&[SourceFile { path: path.to_owned(), text: text.to_owned() }])
    }

    /// The rules that the text breaks, in the order of the table.
    fn broken(path: &str, text: &str) -> Vec<String> {
        let rule = |line: &String| line.split(['[', ']']).nth(1).unwrap_or_default().to_owned();
        report(path, text).failures.iter().map(rule).collect()
    }

    const CORE: &str = "crates/engine/src/step.rs";

    #[test]
    fn a_clock_is_refused_in_deterministic_crates_only() {
        for text in [
            "let t = SystemTime::now();",
            "let t = std::time::Instant::now();",
            "let t = chrono::Utc::now();",
            "let t = Local::now();",
            "let f = Instant::now;",
        ] {
            assert_eq!(broken(CORE, text), ["clock"], "{text}");
            assert_eq!(broken("crates/journal/src/format.rs", text), ["clock"], "{text}");
            assert_eq!(broken("crates/journal/src/store.rs", text), [""; 0], "{text}");
            assert_eq!(broken("crates/cli/src/main.rs", text), [""; 0], "{text}");
        }
        assert_eq!(broken(CORE, "fn f(t: Instant) { clock.now(); }"), [""; 0]);
    }

    #[test]
    fn randomness_is_refused() {
        for text in [
            "let x = rand::random();",
            "use rand::Rng;",
            "use rand;",
            "let r = thread_rng();",
            "getrandom::fill(&mut b);",
            "let id = uuid::Uuid::new_v4();",
        ] {
            assert_eq!(broken(CORE, text), ["random"], "{text}");
        }
        assert_eq!(broken(CORE, "let rand = self.rand(); brand::x(); rand + 1"), [""; 0]);
    }

    #[test]
    fn unordered_collections_are_refused() {
        assert_eq!(broken(CORE, "use std::collections::{BTreeMap, HashMap};"), ["unordered"]);
        assert_eq!(broken(CORE, "fn f(x: &HashSet<u8>) {}"), ["unordered"]);
        assert_eq!(broken(CORE, "// a HashMap\nlet x = \"HashSet\"; MyHashMapper::new()"), [""; 0]);
    }

    #[test]
    fn input_and_output_are_refused_in_the_core() {
        assert_eq!(broken("crates/foundation/src/io.rs", "use std::{fmt, fs};"), ["io"]);
        assert_eq!(broken("crates/foundation/src/io.rs", "std::env::var(\"X\")"), ["io"]);
        assert_eq!(broken("crates/foundation/src/io.rs", "println!(\"x\")"), ["io"]);
        assert_eq!(
            broken("crates/foundation/src/io.rs", "env!(\"X\"); use std::io::Read; write!(f, \"\")"),
            [""; 0]
        );
        assert_eq!(broken("crates/journal/src/lib.rs", "use std::fs;"), [""; 0]);
    }

    #[test]
    fn only_the_engines_shell_awaits() {
        let text = "use tokio::sync::mpsc;";
        assert_eq!(broken("crates/engine/src/step.rs", text), ["runtime"]);
        assert_eq!(broken("crates/foundation/src/lib.rs", text), ["runtime"]);
        assert_eq!(broken("crates/engine/src/shell/mod.rs", text), [""; 0]);
        assert_eq!(broken("crates/engine/src/live.rs", text), [""; 0]);
        assert_eq!(broken("crates/engine/src/shell/mod.rs", "Instant::now()"), ["clock"]);
    }

    #[test]
    fn unbounded_channels_are_refused_everywhere() {
        for text in [
            "let (a, b) = mpsc::channel();",
            "let (a, b) = std::sync::mpsc::channel::<Vec<u8>>();",
            "let (a, b) = unbounded_channel();",
            "use tokio::sync::mpsc::unbounded_channel;",
            "let (a, b) = crossbeam_channel::unbounded();",
            "let (a, b) = unbounded::<u8>();",
        ] {
            assert_eq!(broken("crates/cli/src/main.rs", text), ["unbounded"], "{text}");
            assert_eq!(broken("tests/end_to_end.rs", text), [""; 0], "{text}");
            assert_eq!(broken("crates/cli/tests/run.rs", text), [""; 0], "{text}");
        }
        for text in [
            "mpsc::channel(8)",
            "oneshot::channel()",
            "Limits::unbounded()",
            "self.channel()",
            "fn unbounded() {}",
            "let unbounded = 1;",
        ] {
            assert_eq!(broken("crates/cli/src/main.rs", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn tests_may_do_what_they_like() {
        assert_eq!(
            broken(CORE, "#[cfg(test)]\nmod tests { fn f() { Instant::now(); } }\nfn g() {}"),
            [""; 0]
        );
        let files = [
            ("crates/engine/src/step.rs", "#[cfg(test)]\nmod tests;"),
            ("crates/engine/src/step/tests.rs", "mod more; use std::collections::HashMap;"),
            ("crates/engine/src/step/tests/more.rs", "use std::collections::HashMap;"),
            ("crates/engine/src/step/other.rs", "use std::collections::HashMap;"),
        ];
        let files = files.map(|(path, text)| SourceFile { path: path.to_owned(), text: text.to_owned() });
        let failures = check(&files).failures;
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert!(
            failures.iter().all(|line| line.starts_with("crates/engine/src/step/other.rs:1: [unordered]"))
        );
    }

    #[test]
    fn an_excuse_needs_the_rule_and_a_reason() {
        let excused = "let m = HashMap::new(); // lint: allow(unordered) looked up by key, never iterated";
        assert_eq!(report(CORE, excused), Report::default());
        let above = "// lint: allow(unordered) looked up by key, never iterated\nlet m = HashMap::new();";
        assert_eq!(report(CORE, above), Report::default());
        let other = report(CORE, "let m = HashMap::new(); // lint: allow(clock) wrong rule");
        assert_eq!((other.failures.len(), other.warnings.len()), (1, 1), "{other:?}");
        let silent = report(CORE, "let m = HashMap::new(); // lint: allow(unordered)");
        assert_eq!(silent.failures.len(), 2, "{silent:?}");
        let unknown = report(CORE, "let m = 1; // lint: allow(hashing) because");
        assert!(
            unknown.failures.iter().all(|line| line.contains("there is no rule `hashing`")),
            "{unknown:?}"
        );
        let useless = report(CORE, "let m = 1; // lint: allow(unordered) was a map once");
        assert!(useless.failures.is_empty() && useless.warnings.len() == 1, "{useless:?}");
    }

    #[test]
    fn long_files_warn_without_failing() {
        let long = report("crates/cli/src/main.rs", &"\n".repeat(LONG_FILE + 1));
        assert!(long.failures.is_empty() && long.warnings.len() == 1, "{long:?}");
        assert_eq!(report("crates/cli/src/main.rs", &"\n".repeat(LONG_FILE)), Report::default());
    }

    #[test]
    fn a_line_is_reported_once_per_rule() {
        assert_eq!(broken(CORE, "let m: HashMap<u8, u8> = HashMap::new();"), ["unordered"]);
    }
}
