//! The vectors of quantkit; `mts-quant-vectors` looks at them.

use super::Outcome;
use mts_quant_vectors::{Found, parse, run};
use std::path::Path;

/// Runs a file of one of its formats.
///
/// # Errors
/// What the file lacks.
pub fn of(format: &'static str, text: &str, folder: &Path) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    for case in run(format, &parse(text)?, folder)? {
        match case.found {
            Found::Agrees => outcome.pass(),
            Found::Deviates(rule) => outcome.deviate(rule),
            Found::Fails(problem) => outcome.fail(case.name, problem),
            Found::NotClaimed(_) => outcome.skipped += 1,
        }
    }
    Ok(outcome)
}

/// Runs `quant-allocators/1`.
///
/// # Errors
/// As [`of`].
pub fn allocators(text: &str, folder: &Path) -> Result<Outcome, String> {
    of("quant-allocators/1", text, folder)
}

/// Runs `quant-black-litterman/1`.
///
/// # Errors
/// As [`of`].
pub fn black_litterman(text: &str, folder: &Path) -> Result<Outcome, String> {
    of("quant-black-litterman/1", text, folder)
}

/// Runs `quant-factors/1`.
///
/// # Errors
/// As [`of`].
pub fn factors(text: &str, folder: &Path) -> Result<Outcome, String> {
    of("quant-factors/1", text, folder)
}

/// Runs `quant-stats/1`.
///
/// # Errors
/// As [`of`].
pub fn statistics(text: &str, folder: &Path) -> Result<Outcome, String> {
    of("quant-stats/1", text, folder)
}
