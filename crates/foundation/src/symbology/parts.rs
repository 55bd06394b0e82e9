//! A canonical symbol taken apart.

use super::equity::Equity;
use super::error::{SymbolError, SymbolFault};
use super::event::EventId;
use super::future::DatedFuture;
use super::option::OptionContract;
use super::pair::{Pair, Perpetual};
use crate::symbol::{AssetClass, Symbol};
use std::fmt;

/// What a canonical symbol says, one variant for each form. It borrows the text of the symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolParts<'a> {
    /// A share, `BRK.B`.
    Equity(Equity<'a>),
    /// A pair, `BTC-USD` or `EUR-USD`.
    Pair(Pair<'a>),
    /// A perpetual future, `BTC-USDT-PERP`.
    Perpetual(Perpetual<'a>),
    /// A listed option, `AAPL260116C00200000`.
    Option(OptionContract<'a>),
    /// A future that expires, `ESZ26`.
    Future(DatedFuture<'a>),
    /// A prediction contract, `PM:` and its id.
    Prediction(EventId<'a>),
    /// A sports contract, `SP:` and its id.
    Sports(EventId<'a>),
}

/// The form of a symbol, finer than its [`AssetClass`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SymbolKind {
    /// Shares.
    Equity,
    /// Pairs of two currencies.
    Fx,
    /// All other pairs.
    Crypto,
    /// Perpetual futures.
    Perpetual,
    /// Listed options.
    Option,
    /// Dated futures.
    Future,
    /// Prediction contracts.
    Prediction,
    /// Sports contracts.
    Sports,
}

impl fmt::Display for SymbolKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Equity => "shares",
            Self::Fx => "fx pairs",
            Self::Crypto => "crypto pairs",
            Self::Perpetual => "perpetual futures",
            Self::Option => "options",
            Self::Future => "dated futures",
            Self::Prediction => "prediction contracts",
            Self::Sports => "sports contracts",
        })
    }
}

impl<'a> SymbolParts<'a> {
    /// Reads a canonical text. The forms exclude each other: a prefix decides first, then a dash, then how the text
    /// ends, and a share without a market has no digits.
    fn read(text: &'a str) -> Result<Self, SymbolFault> {
        if let Some((prefix, id)) = text.split_once(':') {
            match prefix {
                "PM" => EventId::read(id).map(Self::Prediction),
                "SP" => EventId::read(id).map(Self::Sports),
                _ => Err(SymbolFault::Prefix),
            }
        } else if let Some((_, rest)) = text.split_once('-') {
            if rest.contains('-') {
                Perpetual::read(text).map(Self::Perpetual)
            } else {
                Pair::read(text).map(Self::Pair)
            }
        } else if OptionContract::is_shaped(text) {
            OptionContract::read(text).map(Self::Option)
        } else if text.contains('.') {
            Equity::read(text).map(Self::Equity)
        } else if DatedFuture::is_shaped(text) {
            DatedFuture::read(text).map(Self::Future)
        } else if text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Equity::read(text).map(Self::Equity)
        } else {
            Err(SymbolFault::NoForm)
        }
    }

    /// The form.
    #[must_use]
    pub fn kind(&self) -> SymbolKind {
        match self {
            Self::Equity(_) => SymbolKind::Equity,
            Self::Pair(pair) if pair.is_fx() => SymbolKind::Fx,
            Self::Pair(_) => SymbolKind::Crypto,
            Self::Perpetual(_) => SymbolKind::Perpetual,
            Self::Option(_) => SymbolKind::Option,
            Self::Future(_) => SymbolKind::Future,
            Self::Prediction(_) => SymbolKind::Prediction,
            Self::Sports(_) => SymbolKind::Sports,
        }
    }

    /// The asset class that the form implies. Where an instrument table is at hand, its word counts (decision M5).
    #[must_use]
    pub fn asset_class(&self) -> AssetClass {
        match self.kind() {
            SymbolKind::Equity => AssetClass::Equities,
            SymbolKind::Fx => AssetClass::Fx,
            SymbolKind::Crypto => AssetClass::Crypto,
            SymbolKind::Perpetual | SymbolKind::Future => AssetClass::Futures,
            SymbolKind::Option => AssetClass::Options,
            SymbolKind::Prediction => AssetClass::Prediction,
            SymbolKind::Sports => AssetClass::Sports,
        }
    }

    /// The canonical symbol.
    #[must_use]
    pub fn to_symbol(&self) -> Symbol {
        Symbol::canonical(smol_str::format_smolstr!("{self}"))
    }
}

impl fmt::Display for SymbolParts<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equity(share) => share.fmt(out),
            Self::Pair(pair) => pair.fmt(out),
            Self::Perpetual(perpetual) => perpetual.fmt(out),
            Self::Option(option) => option.fmt(out),
            Self::Future(future) => future.fmt(out),
            Self::Prediction(id) => write!(out, "PM:{id}"),
            Self::Sports(id) => write!(out, "SP:{id}"),
        }
    }
}

impl Symbol {
    /// What the text says, by the canonical forms of decision M4.
    ///
    /// # Errors
    /// [`SymbolError`] when the text is in none of them. The symbol is still good as the id of an instrument.
    pub fn parts(&self) -> Result<SymbolParts<'_>, SymbolError> {
        SymbolParts::read(self.as_str()).map_err(|fault| fault.of(self))
    }
}
