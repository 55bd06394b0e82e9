//! Currency pairs and perpetual futures on them: `BTC-USD`, `EUR-USD`, `BTC-USDT-PERP`.

use super::currencies::is_currency;
use super::error::{SymbolError, SymbolFault};
use super::words::{has_letter, is_word};
use std::fmt;

/// Longest code of one side, in letters and digits (`1000000MOG` has ten).
const MAX_CODE: usize = 12;

/// The third part of a perpetual future; no pair can be quoted in it.
pub(super) const PERPETUAL: &str = "PERP";

/// One unit of the base, priced in the quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair<'a> {
    base: &'a str,
    quote: &'a str,
}

impl<'a> Pair<'a> {
    /// A pair of two codes.
    ///
    /// # Errors
    /// [`SymbolError`] for a code that is not one to twelve letters or digits with a letter among them, for equal
    /// sides, and for `PERP` as quote.
    pub fn new(base: &'a str, quote: &'a str) -> Result<Self, SymbolError> {
        let pair = Self { base, quote };
        pair.checked().map_err(|fault| fault.of(pair))
    }

    pub(super) fn read(text: &'a str) -> Result<Self, SymbolFault> {
        let (base, quote) = text.split_once('-').ok_or(SymbolFault::PairCode)?;
        Self { base, quote }.checked()
    }

    fn checked(self) -> Result<Self, SymbolFault> {
        if !is_code(self.base) || !is_code(self.quote) {
            Err(SymbolFault::PairCode)
        } else if self.base == self.quote {
            Err(SymbolFault::PairOfOne)
        } else if self.quote == PERPETUAL {
            Err(SymbolFault::PerpetualQuote)
        } else {
            Ok(self)
        }
    }

    /// What is bought and sold.
    #[must_use]
    pub fn base(&self) -> &'a str {
        self.base
    }

    /// What it is paid in.
    #[must_use]
    pub fn quote(&self) -> &'a str {
        self.quote
    }

    /// Whether both sides are currencies, see [`is_currency`]; any other pair is crypto.
    #[must_use]
    pub fn is_fx(&self) -> bool {
        is_currency(self.base) && is_currency(self.quote)
    }
}

fn is_code(code: &str) -> bool {
    is_word(code, MAX_CODE) && has_letter(code)
}

impl fmt::Display for Pair<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.base, self.quote)
    }
}

/// A future without expiry on a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Perpetual<'a> {
    underlying: Pair<'a>,
}

impl<'a> Perpetual<'a> {
    /// The perpetual future on a pair.
    #[must_use]
    pub fn new(underlying: Pair<'a>) -> Self {
        Self { underlying }
    }

    pub(super) fn read(text: &'a str) -> Result<Self, SymbolFault> {
        let (pair, last) = text.rsplit_once('-').ok_or(SymbolFault::PairCode)?;
        if last != PERPETUAL {
            return Err(SymbolFault::ThirdPart);
        }
        Pair::read(pair).map(Self::new)
    }

    /// The pair it follows.
    #[must_use]
    pub fn underlying(&self) -> Pair<'a> {
        self.underlying
    }
}

impl fmt::Display for Perpetual<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{PERPETUAL}", self.underlying)
    }
}
