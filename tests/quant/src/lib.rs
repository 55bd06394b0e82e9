//! Vectors of quantkit: results of other people's libraries, and of formulas, on the same data.
//!
//! A file is looked at by format; each of its entries becomes a [`Case`]. A package of its own, so that who works on quantkit
//! builds quantkit and this, and not the whole workspace.

mod black_litterman;
mod data;
mod estimators;
mod factors;
mod hierarchy;
mod indicators;
mod information;
mod measures;
mod optimisers;
mod statistics;

use serde_json::Value;
use std::path::Path;

/// One entry of a file and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Which one, in the words of the file.
    pub name: String,
    /// What was found.
    pub found: Found,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// quantkit comes to it, within the tolerance that the file or the rule of its kind gives.
    Agrees,
    /// quantkit follows another definition, which the rule cites, and comes to what that definition says.
    Deviates(&'static str),
    /// It does not agree: what differs.
    Fails(String),
    /// quantkit does not claim this; why.
    NotClaimed(&'static str),
}

impl Case {
    /// An entry and whether it agrees; the error says what differs.
    #[must_use]
    pub fn new(name: impl Into<String>, result: Result<(), String>) -> Self {
        let found = match result {
            Ok(()) => Found::Agrees,
            Err(problem) => Found::Fails(problem),
        };
        Self { name: name.into(), found }
    }
}

/// Every rule of [`Found::Deviates`].
pub const RULES: &[&str] =
    &[black_litterman::WEIGHTS_AFTER_VIEWS, estimators::FEWEST_ROWS, factors::SHARED_RANKS];

/// The formats that are known here.
pub const FORMATS: &[&str] =
    &["quant-allocators/1", "quant-stats/1", "quant-factors/1", "quant-ic/1", "quant-black-litterman/1"];

/// Reads a file. Some were written by a program that knows NaN, which JSON does not: it becomes `null`, which the others have.
///
/// # Errors
/// What is no JSON.
pub fn parse(text: &str) -> Result<Value, String> {
    let text = text.replace("[NaN", "[null").replace(",NaN", ",null");
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// Looks at one entry; `None` if it is another module's.
type Check = fn(name: &str, entry: &Value, returns: &data::Returns) -> Option<Case>;

/// The sections of a file of allocators and who looks at their entries.
const SECTIONS: &[(&str, &[Check])] = &[
    ("estimators", &[estimators::check]),
    ("clustering", &[hierarchy::check]),
    ("allocators", &[hierarchy::check, optimisers::check]),
    ("risk_measures_equal_weight", &[measures::check]),
];

/// Runs the cases of one file; `folder` is where it lies, with its data in the folder `data` beside it.
///
/// # Errors
/// What the file lacks, or a format that is none of [`FORMATS`].
pub fn run(format: &str, file: &Value, folder: &Path) -> Result<Vec<Case>, String> {
    match format {
        "quant-allocators/1" => {
            let returns = data::returns(file, folder)?;
            let mut cases = Vec::new();
            for (section, check) in SECTIONS {
                // A set with fewer days than assets has estimators alone.
                let Some(entries) = file.get(section).and_then(Value::as_object) else { continue };
                for (name, entry) in entries {
                    let unknown =
                        || Case { name: name.clone(), found: Found::NotClaimed("no such thing here") };
                    let case = check.iter().find_map(|check| check(name, entry, &returns));
                    cases.push(case.unwrap_or_else(unknown));
                }
            }
            if let Some(section) = file.get("black_litterman") {
                cases.extend(black_litterman::run(section, &returns));
            }
            if cases.is_empty() { Err("the file has no section that is known".to_owned()) } else { Ok(cases) }
        }
        "quant-stats/1" => statistics::run(file, folder),
        "quant-factors/1" => factors::run(file, folder),
        "quant-ic/1" => information::run(file, folder),
        "quant-black-litterman/1" => black_litterman::published(file),
        _ => Err(format!("format {format} is none of {}", FORMATS.join(", "))),
    }
}
