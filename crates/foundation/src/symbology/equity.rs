//! Shares: `AAPL`, `BRK.B`, `0700.HK`.

use super::error::{SymbolError, SymbolFault};
use super::markets::Market;
use super::words::is_word;
use std::fmt;

/// Longest root of a share in the United States, in letters.
const MAX_US_ROOT: usize = 6;

/// Longest root of a share elsewhere, in letters and digits.
const MAX_ROOT: usize = 12;

/// A share or exchange-traded fund: a root, perhaps a share class of one letter, perhaps a [`Market`].
///
/// Without a market it is listed in the United States, and its root has letters only; so a text that ends in digits
/// is never such a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Equity<'a> {
    root: &'a str,
    class: Option<char>,
    market: Option<&'static Market>,
}

impl<'a> Equity<'a> {
    /// A share of these parts.
    ///
    /// # Errors
    /// [`SymbolError`] for a root that is not one to six letters (with a market: one to twelve letters or digits, and
    /// a number not padded as the market does) or a class that is not one letter.
    pub fn new(
        root: &'a str,
        class: Option<char>,
        market: Option<&'static Market>,
    ) -> Result<Self, SymbolError> {
        let share = Self { root, class, market };
        share.checked().map_err(|fault| fault.of(share))
    }

    pub(super) fn read(text: &'a str) -> Result<Self, SymbolFault> {
        let mut parts = text.split('.');
        let (root, first, second) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        if parts.next().is_some() {
            return Err(SymbolFault::ShareSuffix);
        }
        let market = |code: &str| Market::of(code).ok_or(SymbolFault::ShareSuffix);
        let (class, market) = match (first, second) {
            (None, _) => (None, None),
            (Some(first), None) => match single(first) {
                Some(class) => (Some(class), None),
                None => (None, Some(market(first)?)),
            },
            (Some(first), Some(second)) => {
                (Some(single(first).ok_or(SymbolFault::ShareClass)?), Some(market(second)?))
            }
        };
        Self { root, class, market }.checked()
    }

    fn checked(self) -> Result<Self, SymbolFault> {
        let fits = match self.market {
            None => {
                is_word(self.root, MAX_US_ROOT) && self.root.bytes().all(|byte| byte.is_ascii_uppercase())
            }
            Some(_) => is_word(self.root, MAX_ROOT),
        };
        if !fits {
            return Err(SymbolFault::ShareRoot);
        }
        if self.market.is_some_and(|market| !market.writes(self.root)) {
            return Err(SymbolFault::ShareNumber);
        }
        if self.class.is_some_and(|class| !class.is_ascii_uppercase()) {
            return Err(SymbolFault::ShareClass);
        }
        Ok(self)
    }

    /// What comes before the first dot.
    #[must_use]
    pub fn root(&self) -> &'a str {
        self.root
    }

    /// The share class, such as `B` of `BRK.B`.
    #[must_use]
    pub fn class(&self) -> Option<char> {
        self.class
    }

    /// The market; `None` = the United States.
    #[must_use]
    pub fn market(&self) -> Option<&'static Market> {
        self.market
    }
}

/// The character of a text that has just one.
pub(super) fn single(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

impl fmt::Display for Equity<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.root)?;
        if let Some(class) = self.class {
            write!(out, ".{class}")?;
        }
        match self.market {
            Some(market) => write!(out, ".{}", market.code()),
            None => Ok(()),
        }
    }
}
