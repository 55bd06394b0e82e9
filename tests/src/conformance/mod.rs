//! Vectors: expected results in JSON files, run against this workspace (decision N4).
//!
//! A file says in `header.format` what it holds. A file without one is ignored with a line, a known format without a
//! runner is listed as "not yet", an unknown one fails. [`run`] walks folders and returns a [`Report`]; the report
//! renders itself as a table or as JSON. The formats are a table in [`formats`].

pub mod bar_aggregator;
pub mod brokers;
pub mod ccxt;
pub mod formats;
mod options;
pub mod quant;
mod report;
pub mod safe_broker;
pub mod virtual_portfolio;

pub use options::{Options, Request, USAGE};

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How many failed cases are kept with their detail, per file and in a printed report.
pub const DETAILS: usize = 20;

/// A case that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which one, in the words of the file.
    pub case: String,
    /// What differs.
    pub detail: String,
}

/// What became of the cases of one file. Each case is counted once: as passed, as a deviation or as failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Cases that agree with the file.
    pub passed: usize,
    /// Cases where a decision of this project contradicts the file and the decision's result was found, by rule.
    pub deviations: BTreeMap<&'static str, usize>,
    /// Cases that failed.
    pub failed: usize,
    /// The first [`DETAILS`] of them.
    pub failures: Vec<Failure>,
    /// Cases of what this project does not claim; they are not counted otherwise.
    pub skipped: usize,
    /// What a reader of the figures should know.
    pub notes: Vec<String>,
}

impl Outcome {
    /// Counts a case that agrees.
    pub fn pass(&mut self) {
        self.passed += 1;
    }

    /// Counts a deviation that a rule allows.
    pub fn deviate(&mut self, rule: &'static str) {
        *self.deviations.entry(rule).or_default() += 1;
    }

    /// Counts a failed case and keeps the first ones with their detail.
    pub fn fail(&mut self, case: impl Into<String>, detail: impl Into<String>) {
        self.failed += 1;
        if self.failures.len() < DETAILS {
            self.failures.push(Failure { case: case.into(), detail: detail.into() });
        }
    }

    /// Cases that deviate, under all rules.
    #[must_use]
    pub fn deviated(&self) -> usize {
        self.deviations.values().sum()
    }

    /// All cases.
    #[must_use]
    pub fn cases(&self) -> usize {
        self.passed + self.deviated() + self.failed
    }
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Its cases were run.
    Ran(Outcome),
    /// Its format is known, but nothing runs it yet.
    NotYet,
    /// It is no vector file; why.
    Ignored(String),
    /// It cannot be run; why, and what to do.
    Broken(String),
}

/// One file of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Where it is.
    pub path: PathBuf,
    /// What its header says, if it says something.
    pub format: Option<String>,
    /// What became of it.
    pub status: Status,
}

/// What became of everything that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The files, in the order of the folders and sorted by path within each.
    pub files: Vec<FileReport>,
    /// What failed beside cases and files: folders without vectors, formats that were required and did not run.
    pub problems: Vec<String>,
}

impl Report {
    /// Runs of files, in order.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.files.iter().filter_map(|file| match &file.status {
            Status::Ran(outcome) => Some(outcome),
            _ => None,
        })
    }

    /// Cases that agree.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.outcomes().map(|outcome| outcome.passed).sum()
    }

    /// Cases that deviate as a rule allows.
    #[must_use]
    pub fn deviated(&self) -> usize {
        self.outcomes().map(Outcome::deviated).sum()
    }

    /// Everything that failed: cases, files that cannot be run, and [`Report::problems`].
    #[must_use]
    pub fn failed(&self) -> usize {
        let cases: usize = self.outcomes().map(|outcome| outcome.failed).sum();
        let broken = self.files.iter().filter(|file| matches!(file.status, Status::Broken(_))).count();
        cases + broken + self.problems.len()
    }

    /// Whether nothing failed.
    #[must_use]
    pub fn is_green(&self) -> bool {
        self.failed() == 0
    }
}

/// Runs all vector files below the folders, and checks that the required formats ran.
#[must_use]
pub fn run(folders: &[PathBuf], required: &[String]) -> Report {
    let mut report = Report::default();
    for folder in folders {
        match files_below(folder) {
            Ok(paths) if paths.is_empty() => report.problems.push(format!(
                "{} holds no vectors: no file there or below ends in .json; check the folder's name",
                folder.display()
            )),
            Ok(paths) => report.files.extend(paths.into_iter().map(run_file)),
            Err(sentence) => report.problems.push(sentence),
        }
    }
    let required: BTreeSet<&String> = required.iter().collect();
    for format in required {
        report.problems.extend(missing(format, &report.files));
    }
    report
}

/// Why a required format is not met, if it is not.
fn missing(format: &str, files: &[FileReport]) -> Option<String> {
    let mut found = files.iter().filter(|file| file.format.as_deref() == Some(format)).peekable();
    match formats::find(format) {
        None => Some(format!(
            "the required format {format} is not known: use one of {}, or add it to tests/src/conformance/formats.rs",
            formats::names()
        )),
        Some(_) if found.peek().is_none() => Some(format!(
            "the required format {format} was not run: no file has it; name its folder with --vectors"
        )),
        Some(_) if found.any(|file| matches!(file.status, Status::Ran(_))) => None,
        Some(known) if known.runner.is_none() => Some(format!(
            "the required format {format} was not run: it has no runner yet; write one, or do not require it"
        )),
        Some(_) => Some(format!("the required format {format} was not run: see its files above")),
    }
}

/// The `.json` files of a folder and its subfolders, sorted by path. Links to folders are not followed, so that a
/// circle of links ends.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |folder: &Path, error: std::io::Error| {
        format!("the vectors in {} cannot be listed: {error}; check the folder's name", folder.display())
    };
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| unreadable(&folder, error))? {
            let entry = entry.map_err(|error| unreadable(&folder, error))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(|error| unreadable(&folder, error))?;
            if kind.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn run_file(path: PathBuf) -> FileReport {
    let (format, status) = match std::fs::read_to_string(&path) {
        Ok(text) => run_text(&text, path.parent().unwrap_or(Path::new("."))),
        Err(error) => (None, Status::Broken(format!("cannot be read: {error}; check the file"))),
    };
    FileReport { path, format, status }
}

/// Runs a file of a folder that is already read: its format, as far as its header says one, and what became of it.
#[must_use]
pub fn run_text(text: &str, folder: &Path) -> (Option<String>, Status) {
    let mut header = None;
    let read = read_header(text, &mut header);
    let name = match header.as_ref().and_then(|header| header.get("format")) {
        Some(Value::String(name)) => name.clone(),
        Some(other) => {
            let sentence = format!("has the header.format {other}: write it as a text, such as \"name/1\"");
            return (None, Status::Broken(sentence));
        }
        None => {
            let status = match read {
                Ok(()) => Status::Ignored("it has no header.format".to_owned()),
                Err(error) => Status::Broken(format!("is not JSON: {error}; mend it or make it again")),
            };
            return (None, status);
        }
    };
    let status = match formats::find(&name) {
        None => Status::Broken(format!(
            "has the unknown format {name}: use one of {}, or add it to tests/src/conformance/formats.rs",
            formats::names()
        )),
        Some(format) => match format.runner {
            None => Status::NotYet,
            Some(runner) => match runner(text, folder) {
                Ok(outcome) if outcome.cases() == 0 && outcome.skipped == 0 => {
                    Status::Broken("holds no cases: it would pass without a test; make it again".to_owned())
                }
                Ok(outcome) => Status::Ran(outcome),
                Err(error) => {
                    Status::Broken(format!("does not have the shape of {name}: {error}; make it again"))
                }
            },
        },
    };
    (Some(name), status)
}

/// Reads the member `header` of a file's outermost object, if it is one. The header stays read when the text behind
/// it is not JSON (Python writes NaN): whether that matters is for the format's runner to say.
fn read_header(text: &str, header: &mut Option<Value>) -> Result<(), serde_json::Error> {
    struct Outermost<'a>(&'a mut Option<Value>);

    impl<'de> Visitor<'de> for Outermost<'_> {
        type Value = ();

        fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            out.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<String>()? {
                if key == "header" {
                    *self.0 = Some(map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(())
        }
    }

    if !text.trim_start().starts_with('{') {
        return serde_json::from_str::<IgnoredAny>(text).map(drop);
    }
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Outermost(header))?;
    json.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &str) -> Status {
        run_text(text, Path::new(".")).1
    }

    #[test]
    fn the_header_decides_what_becomes_of_a_file() {
        for text in ["{}", "[1]", r#"{"header":"x"}"#, r#"{"header":{"form":"x"}}"#] {
            assert!(matches!(status(text), Status::Ignored(_)), "{text}");
        }
        assert_eq!(status(r#"{"header":{"format":"quant-ic/1"}}"#), Status::NotYet);
        assert_eq!(status(r#"{"header":{"format":"quant-ic/1"},"weights":[NaN]}"#), Status::NotYet);
        for (text, expected) in [
            ("{", "is not JSON"),
            ("[1", "is not JSON"),
            (r#"{"weights":[NaN],"header":{"format":"quant-ic/1"}}"#, "is not JSON"),
            (r#"{"header":{"format":1}}"#, "write it as a text"),
            (r#"{"header":{"format":"quant-ic/2"}}"#, "unknown format quant-ic/2"),
            (r#"{"header":{"format":"ml4t-virtual-portfolio/1"}}"#, "missing field `sequences`"),
            (r#"{"header":{"format":"ml4t-virtual-portfolio/1"},"sequences":[]}"#, "holds no cases"),
        ] {
            let Status::Broken(sentence) = status(text) else { panic!("{text} was not refused") };
            assert!(sentence.contains(expected), "{sentence}");
        }
    }

    #[test]
    fn details_are_bounded_and_counts_are_not() {
        let mut outcome = Outcome::default();
        for case in 0..DETAILS + 5 {
            outcome.fail(case.to_string(), "wrong");
        }
        outcome.pass();
        outcome.deviate("rule");
        assert_eq!((outcome.failed, outcome.failures.len(), outcome.cases()), (25, DETAILS, 27));
    }

    #[test]
    fn a_required_format_has_to_be_known_found_and_run() {
        let file = |format: &str, status| FileReport {
            path: "x.json".into(),
            format: Some(format.to_owned()),
            status,
        };
        let files = [
            file("quant-ic/1", Status::NotYet),
            file("ml4t-virtual-portfolio/1", Status::Ran(Outcome::default())),
        ];
        assert_eq!(missing("ml4t-virtual-portfolio/1", &files), None);
        for (format, files, expected) in [
            ("quant-ic/1", &files[..], "no runner yet"),
            ("quant-stats/1", &files, "no file has it"),
            ("quant-ic", &files, "is not known"),
            ("ml4t-virtual-portfolio/1", &files[..1], "no file has it"),
        ] {
            assert!(missing(format, files).is_some_and(|sentence| sentence.contains(expected)), "{format}");
        }
        let broken = [file("ml4t-virtual-portfolio/1", Status::Broken("x".to_owned()))];
        assert!(missing("ml4t-virtual-portfolio/1", &broken).is_some());
    }
}
