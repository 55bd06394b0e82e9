//! Why a text is no canonical symbol, and why a symbol cannot be translated for a venue.

use super::parts::SymbolKind;
use crate::symbol::Symbol;
use std::fmt;

/// A text that is not in a canonical form, or parts that make none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("symbol {text:?} is not canonical: {fault}")]
pub struct SymbolError {
    /// The text, or the parts as they were given, cut to a readable length.
    pub text: String,
    /// What is wrong.
    pub fault: SymbolFault,
}

/// What is wrong with a symbol, and what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SymbolFault {
    /// Nothing in the text says which form is meant.
    #[error(
        "it has none of the forms AAPL, BRK.B, 0700.HK, BTC-USD, BTC-USDT-PERP, AAPL260116C00200000, \
             ESZ26, PM:ID, SP:ID; write one of them"
    )]
    NoForm,
    /// A prefix other than those of event contracts.
    #[error("only PM: and SP: are prefixes; write a venue's prefix in the venue's own symbol only")]
    Prefix,
    /// The root of a share.
    #[error(
        "the root of a share is one to six letters, or with a market one to twelve letters or digits; \
             write such as AAPL or 0700.HK"
    )]
    ShareRoot,
    /// A share's number has too few or too many digits, or letters where there are none.
    #[error(
        "its market lists shares under numbers of so many digits; write four for HK (0700.HK), six for \
             KR, SH and SZ"
    )]
    ShareNumber,
    /// A share class.
    #[error("a share class is one letter; write such as BRK.B")]
    ShareClass,
    /// What follows a dot.
    #[error(
        "after a dot comes a share class of one letter or a known market of two; write such as BRK.B, \
             0700.HK or RCI.B.CA"
    )]
    ShareSuffix,
    /// One side of a pair.
    #[error(
        "each side of a pair is one to twelve letters or digits with a letter among them; write such as \
             BTC-USD"
    )]
    PairCode,
    /// Both sides are the same.
    #[error("its two sides are the same; write two currencies")]
    PairOfOne,
    /// `PERP` in the place of a quote currency.
    #[error("a perpetual future names its quote currency; write such as BTC-USDT-PERP")]
    PerpetualQuote,
    /// A third part other than `PERP`.
    #[error("a third part can only be PERP; write such as BTC-USDT-PERP")]
    ThirdPart,
    /// The root of an option.
    #[error(
        "the root of an option is one to six letters or digits and begins with a letter; write such as \
             BRKB or AAPL1"
    )]
    OptionRoot,
    /// An expiry that is no date.
    #[error("its expiry is no date; write year, month and day as in 260116")]
    Expiry,
    /// A strike that eight digits of thousandths do not hold.
    #[error("a strike is a whole number of thousandths from 0.001 to 99999.999; write 200 as 00200000")]
    Strike,
    /// The root of a future.
    #[error(
        "the root of a future is one to six letters or digits with a letter among them; write such as \
             ES or 6E"
    )]
    FutureRoot,
    /// A month.
    #[error("a delivery month is 1 to 12, in a symbol one of FGHJKMNQUVXZ; write December 2026 as Z26")]
    Month,
    /// A year that two digits do not hold.
    #[error("two digits of a year stand for 2000 to 2099; other years cannot be written")]
    Year,
    /// The id of a prediction or sports contract.
    #[error(
        "the id of an event contract is 1 to 253 printable ASCII characters without spaces or \
             lower-case letters; write it in upper case"
    )]
    EventId,
}

impl SymbolFault {
    pub(super) fn of(self, text: impl fmt::Display) -> SymbolError {
        SymbolError { text: readable(&text.to_string()), fault: self }
    }
}

/// A text of a peer, cut to what a message can hold.
pub(super) fn readable(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Why a symbol has no translation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SymbologyError {
    /// The canonical symbol is in no form.
    #[error(transparent)]
    Symbol(#[from] SymbolError),
    /// The venue's table has no form for it.
    #[error(
        "{venue} has no name for {symbol}: its table has no form for {what}; use another venue, or add \
             the form if the venue trades it"
    )]
    NotTraded {
        /// Which venue.
        venue: &'static str,
        /// The canonical symbol.
        symbol: Symbol,
        /// What is missing.
        what: Untraded,
    },
    /// The venue's text is in none of the forms of its table.
    #[error(
        "{venue} symbol {native:?} is in no form of its table; leave the instrument out, or add the form \
             or an exception"
    )]
    Unreadable {
        /// Which venue.
        venue: &'static str,
        /// The venue's text, cut to a readable length.
        native: String,
    },
    /// The venue's text can be read in two ways.
    #[error("{venue} symbol {native:?} can be {one} or {other}; say which in an exception of the table")]
    Ambiguous {
        /// Which venue.
        venue: &'static str,
        /// The venue's text, cut to a readable length.
        native: String,
        /// One reading.
        one: Symbol,
        /// Another.
        other: Symbol,
    },
    /// The venue's text would name another instrument.
    #[error(
        "{venue} symbol {native:?}, made of {symbol}, means {read}; use {read} if that is the instrument"
    )]
    OtherInstrument {
        /// Which venue.
        venue: &'static str,
        /// The canonical symbol to be translated.
        symbol: Symbol,
        /// What the forms make of it.
        native: String,
        /// What the venue means by that.
        read: Symbol,
    },
    /// The venue spells the instrument otherwise.
    #[error("{venue} writes {symbol} as {spelling:?}, not as {native:?}; take its exact spelling")]
    OtherSpelling {
        /// Which venue.
        venue: &'static str,
        /// The venue's text as given, cut to a readable length.
        native: String,
        /// What it was read as.
        symbol: Symbol,
        /// How the venue writes that.
        spelling: String,
    },
    /// One digit of a year says nothing without a date.
    #[error("{venue} symbol {native:?} has one digit of a year; give the date at which it is used")]
    NeedsDate {
        /// Which venue.
        venue: &'static str,
        /// The venue's text, cut to a readable length.
        native: String,
    },
}

/// What a venue's table has no form for; the later, the closer a form came to taking the symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Untraded {
    /// The kind of instrument.
    Kind(SymbolKind),
    /// Shares of this market.
    Market,
    /// A share class.
    ShareClass,
    /// This quote currency.
    Quote,
}

impl fmt::Display for Untraded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => kind.fmt(out),
            Self::Market => out.write_str("shares of this market"),
            Self::ShareClass => out.write_str("share classes"),
            Self::Quote => out.write_str("this quote currency"),
        }
    }
}
