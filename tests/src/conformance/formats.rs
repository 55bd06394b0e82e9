//! The formats of vector files, and who runs them.

use super::Outcome;
use super::{bar_aggregator, ccxt, quant, safe_broker, virtual_portfolio};
use std::path::Path;

/// Runs one file, given as text; `folder` is where it lies, for formats that have their data beside them.
///
/// # Errors
/// A sentence, when the text does not have the shape that its format promises; a case that fails is no error, but
/// counted in the [`Outcome`].
pub type Runner = fn(text: &str, folder: &Path) -> Result<Outcome, String>;

/// A format that `header.format` may name.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// The name with its version.
    pub name: &'static str,
    /// Runs files of the format; `None`: not yet.
    pub runner: Option<Runner>,
}

const fn not_yet(name: &'static str) -> Format {
    Format { name, runner: None }
}

const fn runs(name: &'static str, runner: Runner) -> Format {
    Format { name, runner: Some(runner) }
}

/// Every format that is known, by name. Who writes a runner changes its row here, and nothing else.
pub const KNOWN: &[Format] = &[
    runs("ccxt-market-data/1", |text, _| ccxt::run(text)),
    runs("ml4t-bar-aggregator/1", |text, _| bar_aggregator::run(text)),
    runs("ml4t-safe-broker/1", |text, _| safe_broker::run(text)),
    runs("ml4t-virtual-portfolio/1", |text, _| virtual_portfolio::run(text)),
    runs("quant-allocators/1", quant::allocators),
    runs("quant-black-litterman/1", quant::black_litterman),
    runs("quant-factors/1", quant::factors),
    not_yet("quant-ic/1"),
    runs("quant-stats/1", quant::statistics),
];

/// The format of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Format> {
    KNOWN.iter().find(|format| format.name == name)
}

/// The names of all formats, for a message.
#[must_use]
pub fn names() -> String {
    KNOWN.iter().map(|format| format.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_each_format_once() {
        assert!(KNOWN.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn formats_are_found_by_their_whole_name() {
        assert!(find("ml4t-virtual-portfolio/1").is_some_and(|format| format.runner.is_some()));
        assert!(find("ml4t-virtual-portfolio").is_none());
        assert!(find("ml4t-virtual-portfolio/2").is_none());
    }
}
