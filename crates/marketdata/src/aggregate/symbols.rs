//! Instruments by symbol, each with the digits of its whole numbers.

use super::building::{Factors, FixedBar};
use super::fixed::{MAX_DIGITS, Scale, decimal, whole};
use super::time_bars::AggregationError;
use mts_foundation::{Decimal, Symbol};
use std::collections::{BTreeMap, BTreeSet};

/// Most instruments.
pub const MAX_SYMBOLS: usize = 100_000;

/// Why something was not taken. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// A number that has too many digits, or is too large, for exact work in 64 bits.
    #[error(
        "{symbol}: {field} {value} cannot be added exactly to numbers with {digits} digits behind the point; check the source"
    )]
    Inexact {
        /// Which instrument.
        symbol: Symbol,
        /// Price or size.
        field: &'static str,
        /// What came.
        value: Decimal,
        /// The digits so far.
        digits: u32,
    },
    /// A price that is none, or a size below zero.
    #[error("{symbol}: {field} {value} is not possible; check the source")]
    Impossible {
        /// Which instrument.
        symbol: Symbol,
        /// Price or size.
        field: &'static str,
        /// What came.
        value: Decimal,
    },
    /// More instruments than there may be.
    #[error("{symbol} would be one instrument more than {MAX_SYMBOLS}: name the wanted ones in `assets`")]
    TooMany {
        /// Which instrument.
        symbol: Symbol,
    },
    /// A bar does not fit, or the calendar does not cover the time.
    #[error("{symbol}: {source}")]
    Bar {
        /// Which instrument.
        symbol: Symbol,
        /// Why.
        source: AggregationError,
    },
}

/// The instruments that have come.
#[derive(Debug)]
pub(crate) struct Symbols {
    /// Empty = all.
    wanted: BTreeSet<Symbol>,
    slots: BTreeMap<Symbol, usize>,
    known: Vec<(Symbol, Scale)>,
}

impl Symbols {
    pub(crate) fn new(wanted: impl IntoIterator<Item = Symbol>) -> Self {
        Self { wanted: wanted.into_iter().collect(), slots: BTreeMap::new(), known: Vec::new() }
    }

    pub(crate) const fn count(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&(Symbol, Scale)> {
        self.known.get(slot)
    }

    /// The number of an instrument; `None` = it is not wanted. `add` takes one with these digits, and returns those it then
    /// has; `None` = it cannot.
    pub(crate) fn slot(
        &mut self,
        symbol: &Symbol,
        price: Decimal,
        size: Decimal,
        add: impl FnOnce(Scale) -> Option<Scale>,
    ) -> Result<Option<usize>, NotTaken> {
        if !self.wanted.is_empty() && !self.wanted.contains(symbol) {
            return Ok(None);
        }
        let impossible = |field, value| NotTaken::Impossible { symbol: symbol.clone(), field, value };
        if price <= Decimal::ZERO {
            return Err(impossible("price", price));
        }
        if size < Decimal::ZERO {
            return Err(impossible("size", size));
        }
        if let Some(slot) = self.slots.get(symbol) {
            return Ok(Some(*slot));
        }
        if self.known.len() >= MAX_SYMBOLS {
            return Err(NotTaken::TooMany { symbol: symbol.clone() });
        }
        let scale = Scale::of(price, size);
        for (field, value, digits) in [("price", price, scale.price), ("size", size, scale.size)] {
            if digits > MAX_DIGITS || whole(value, digits).is_none() {
                return Err(Self::inexact(symbol, field, value, digits));
            }
        }
        let scale = add(scale).ok_or_else(|| Self::inexact(symbol, "price", price, scale.price))?;
        let slot = self.known.len();
        self.known.push((symbol.clone(), scale));
        self.slots.insert(symbol.clone(), slot);
        Ok(Some(slot))
    }

    /// Gives an instrument the digits that these numbers want; `rescale` says whether what it has so far can have them.
    pub(crate) fn fit(
        &mut self,
        slot: usize,
        prices: &[Decimal],
        size: Decimal,
        rescale: impl FnOnce(Factors) -> bool,
    ) -> Result<Scale, NotTaken> {
        let Some((symbol, scale)) = self.known.get_mut(slot) else { return Ok(Scale::NANO) };
        // Mostly a number is written with no more digits than are there, and need not be shortened to see that.
        if size.scale() <= scale.size && prices.iter().all(|price| price.scale() <= scale.price) {
            return Ok(*scale);
        }
        let wanted = prices.iter().fold(*scale, |wanted, price| {
            let one = Scale::of(*price, size);
            Scale { price: wanted.price.max(one.price), size: wanted.size.max(one.size) }
        });
        if wanted == *scale {
            return Ok(wanted);
        }
        let factor = |from: u32, to: u32| {
            let fits = to <= MAX_DIGITS;
            fits.then(|| 10_i64.checked_pow(to - from)).flatten()
        };
        let factors = factor(scale.price, wanted.price).zip(factor(scale.size, wanted.size));
        let fit = whole(size, wanted.size).is_some()
            && prices.iter().all(|price| whole(*price, wanted.price).is_some());
        if fit && factors.is_some_and(|(price, size)| rescale(Factors { price, size })) {
            *scale = wanted;
            return Ok(wanted);
        }
        let finest = prices.iter().max_by_key(|price| Scale::of(**price, size).price);
        let finer = finest.filter(|_| wanted.price > scale.price);
        let (field, value, digits) =
            finer.map_or(("size", size, scale.size), |price| ("price", *price, scale.price));
        Err(NotTaken::Inexact { symbol: symbol.clone(), field, value, digits })
    }

    /// A number of an instrument.
    #[inline]
    pub(crate) fn number(
        symbol: &Symbol,
        field: &'static str,
        value: Decimal,
        digits: u32,
    ) -> Result<i64, NotTaken> {
        whole(value, digits).ok_or_else(|| Self::inexact(symbol, field, value, digits))
    }

    #[cold]
    fn inexact(symbol: &Symbol, field: &'static str, value: Decimal, digits: u32) -> NotTaken {
        NotTaken::Inexact { symbol: symbol.clone(), field, value, digits }
    }

    /// A bar in decimals. A sum beyond 96 bits has none: it says no volume.
    pub(crate) fn decimals(&self, slot: usize, bar: &FixedBar) -> Option<Decimals<'_>> {
        let (symbol, scale) = self.known.get(slot)?;
        let price = |units: i64| decimal(units.into(), scale.price);
        let volume = decimal(bar.volume, scale.size).unwrap_or_default();
        let value = decimal(bar.value, scale.price + scale.size);
        Some(Decimals {
            symbol,
            prices: [price(bar.open)?, price(bar.high)?, price(bar.low)?, price(bar.close)?],
            volume,
            vwap: value.and_then(|value| value.checked_div(volume)),
        })
    }
}

/// What of a bar is decimal.
pub(crate) struct Decimals<'a> {
    pub(crate) symbol: &'a Symbol,
    /// Open, high, low and close.
    pub(crate) prices: [Decimal; 4],
    pub(crate) volume: Decimal,
    pub(crate) vwap: Option<Decimal>,
}
