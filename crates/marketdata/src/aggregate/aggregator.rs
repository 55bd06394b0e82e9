//! Aggregation by symbol, in decimals.

use super::building::{Factors, FixedBar, Tick};
use super::fixed::{MAX_DIGITS, Scale, decimal, whole};
use super::hours::Hours;
use super::time_bars::{AggregationError, Closed, Counts, Late, Patience, TimeBars};
use mts_foundation::{Bar, Decimal, Quote, Symbol, Timestamp, Trade};
use std::collections::{BTreeMap, BTreeSet};

/// Most instruments.
pub const MAX_SYMBOLS: usize = 100_000;

/// Digits that the average price of a smaller bar is kept to, beyond those of its prices.
const VWAP_DIGITS: u32 = 4;

/// What comes of ticks and smaller bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The bar.
    pub bar: Bar,
    /// It began before the data did, or the data ended before it did.
    pub partial: bool,
}

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

/// Bars by time of all instruments of one market.
#[derive(Debug)]
pub struct Aggregator {
    hours: Hours,
    /// Of instruments whose market is another.
    own_hours: BTreeMap<Symbol, Hours>,
    /// Empty = all.
    assets: BTreeSet<Symbol>,
    bars: TimeBars,
    slots: BTreeMap<Symbol, usize>,
    known: Vec<(Symbol, Scale)>,
    since: Option<i64>,
}

impl Aggregator {
    /// For these instruments; none named = for all that come.
    #[must_use]
    pub fn new(hours: Hours, patience: Patience, assets: impl IntoIterator<Item = Symbol>) -> Self {
        let (assets, bars) = (assets.into_iter().collect(), TimeBars::new(patience));
        Self {
            hours,
            own_hours: BTreeMap::new(),
            assets,
            bars,
            slots: BTreeMap::new(),
            known: Vec::new(),
            since: None,
        }
    }

    /// Gives an instrument that has not come yet the hours of its own market. Their length is that of all.
    #[must_use]
    pub fn with_hours(mut self, symbol: Symbol, hours: Hours) -> Self {
        self.own_hours.insert(symbol, hours.with_interval(self.hours.interval()));
        self
    }

    /// Says from when on the data is whole: when the source began, or where a gap ended. Bars that begin before and have not
    /// closed are partial. Without it each instrument's is whole from its first tick on.
    pub fn whole_since(&mut self, since: Timestamp) {
        self.since = Some(since.nanos());
        self.bars.whole_since(since.nanos());
    }

    /// Takes a print.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn trade(&mut self, trade: &Trade) -> Result<(), NotTaken> {
        self.tick(&trade.symbol, trade.timestamp, trade.price, trade.size)
    }

    /// Takes the middle of a quote, without volume.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn mid(&mut self, quote: &Quote) -> Result<(), NotTaken> {
        self.tick(&quote.symbol, quote.timestamp, quote.mid(), Decimal::ZERO)
    }

    /// Takes a price with a size.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn tick(
        &mut self,
        symbol: &Symbol,
        time: Timestamp,
        price: Decimal,
        size: Decimal,
    ) -> Result<(), NotTaken> {
        let Some(slot) = self.slot(symbol, price, size)? else { return Ok(()) };
        let scale = self.fit(slot, symbol, (price, price), size)?;
        let (price, size) = (
            self.number(symbol, "price", price, scale.price)?,
            self.number(symbol, "size", size, scale.size)?,
        );
        let taken = self.bars.push(slot, Tick { time: time.nanos(), price, size });
        taken.map_err(|source| NotTaken::Bar { symbol: symbol.clone(), source })
    }

    /// Takes a smaller bar, with all it says.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn bar(&mut self, bar: &Bar) -> Result<(), NotTaken> {
        let symbol = &bar.symbol;
        let Some(slot) = self.slot(symbol, bar.low, bar.volume)? else { return Ok(()) };
        if !bar.is_sane() {
            let (symbol, field) = (symbol.clone(), "the range of a bar that closes at");
            return Err(NotTaken::Impossible { symbol, field, value: bar.close });
        }
        let mut scale = Scale::NANO;
        for pair in [(bar.open, bar.close), (bar.high, bar.low)] {
            scale = self.fit(slot, symbol, pair, bar.volume)?;
        }
        // Where the source does not say what was paid, its close stands for it.
        let average = bar.vwap.unwrap_or(bar.close).round_dp(scale.price + VWAP_DIGITS);
        let scale = self.fit(slot, symbol, (average, average), bar.volume)?;
        let price = |value| self.number(symbol, "price", value, scale.price);
        let volume = i128::from(self.number(symbol, "volume", bar.volume, scale.size)?);
        let (open, high, low, close) =
            (price(bar.open)?, price(bar.high)?, price(bar.low)?, price(bar.close)?);
        let length = i64::try_from(bar.interval.duration().as_nanos()).unwrap_or(i64::MAX);
        let end = bar.timestamp.nanos();
        let fixed = FixedBar {
            start: end.saturating_sub(length),
            end,
            open,
            high,
            low,
            close,
            volume,
            value: i128::from(price(average)?) * volume,
            count: bar.n_trades.unwrap_or(1),
        };
        let taken = self.bars.push_bar(slot, &fixed);
        taken.map_err(|source| NotTaken::Bar { symbol: symbol.clone(), source })
    }

    /// The number of an instrument; `None` = it is not wanted.
    fn slot(&mut self, symbol: &Symbol, price: Decimal, size: Decimal) -> Result<Option<usize>, NotTaken> {
        if !self.assets.is_empty() && !self.assets.contains(symbol) {
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
        let hours = self.own_hours.get(symbol).unwrap_or(&self.hours).clone();
        let slot = self.bars.add(hours, self.since);
        self.known.push((symbol.clone(), Scale::of(price, size)));
        self.slots.insert(symbol.clone(), slot);
        Ok(Some(slot))
    }

    /// Gives an instrument the digits that these numbers want.
    fn fit(
        &mut self,
        slot: usize,
        symbol: &Symbol,
        prices: (Decimal, Decimal),
        size: Decimal,
    ) -> Result<Scale, NotTaken> {
        let Some((_, scale)) = self.known.get_mut(slot) else { return Ok(Scale::NANO) };
        let (one, other) = (Scale::of(prices.0, size), Scale::of(prices.1, size));
        let wanted =
            Scale { price: scale.price.max(one.price).max(other.price), size: scale.size.max(one.size) };
        if wanted == *scale {
            return Ok(wanted);
        }
        let factor = |from: u32, to: u32| {
            let fits = to <= MAX_DIGITS;
            fits.then(|| 10_i64.checked_pow(to - from)).flatten()
        };
        let factors = factor(scale.price, wanted.price).zip(factor(scale.size, wanted.size));
        let fits = factors.is_some_and(|(price, size)| self.bars.rescale(slot, Factors { price, size }));
        if fits {
            *scale = wanted;
            return Ok(wanted);
        }
        let finer_price = wanted.price > scale.price;
        let (field, value, digits) =
            if finer_price { ("price", prices.0, scale.price) } else { ("size", size, scale.size) };
        Err(NotTaken::Inexact { symbol: symbol.clone(), field, value, digits })
    }

    fn number(
        &self,
        symbol: &Symbol,
        field: &'static str,
        value: Decimal,
        digits: u32,
    ) -> Result<i64, NotTaken> {
        whole(value, digits).ok_or_else(|| NotTaken::Inexact { symbol: symbol.clone(), field, value, digits })
    }

    /// Lets time pass, see [`TimeBars::pass`].
    pub fn pass(&mut self, now: Timestamp) {
        self.bars.pass(now.nanos());
    }

    /// The source has ended, see [`TimeBars::finish`].
    pub fn finish(&mut self) {
        self.bars.finish();
    }

    /// When the next bar closes of itself; `None` = there is none.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.bars.next_due().map(Timestamp::from_nanos)
    }

    /// The earliest end of an open bar; `None` = no bar is open.
    #[must_use]
    pub fn next_end(&self) -> Option<Timestamp> {
        self.bars.next_end().map(Timestamp::from_nanos)
    }

    /// The bars that have closed since this was asked last. A sum beyond 96 bits has no decimal: its bar says no volume.
    pub fn closed(&mut self) -> impl Iterator<Item = Made> {
        let (known, interval) = (&self.known, self.hours.interval());
        self.bars.closed().filter_map(move |Closed { slot, bar, partial }| {
            let (symbol, scale) = known.get(slot)?;
            let price = |units: i64| decimal(units.into(), scale.price);
            let volume = decimal(bar.volume, scale.size).unwrap_or_default();
            let value = decimal(bar.value, scale.price + scale.size);
            let bar = Bar {
                symbol: symbol.clone(),
                interval,
                open: price(bar.open)?,
                high: price(bar.high)?,
                low: price(bar.low)?,
                close: price(bar.close)?,
                volume,
                vwap: value.and_then(|value| value.checked_div(volume)),
                n_trades: Some(bar.count),
                timestamp: Timestamp::from_nanos(bar.end),
                close_only: false,
                partial,
            };
            Some(Made { bar, partial })
        })
    }

    /// The ticks that came too late since this was asked last, by symbol: when, at which price, how many.
    pub fn late(&mut self) -> impl Iterator<Item = (Symbol, Timestamp, Decimal, Decimal)> {
        let known = &self.known;
        self.bars.late().filter_map(move |Late { slot, tick }| {
            let (symbol, scale) = known.get(slot)?;
            let price = decimal(tick.price.into(), scale.price)?;
            let size = decimal(tick.size.into(), scale.size)?;
            Some((symbol.clone(), Timestamp::from_nanos(tick.time), price, size))
        })
    }

    /// What was done so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.bars.counts()
    }

    /// How many instruments have come.
    #[must_use]
    pub const fn symbols(&self) -> usize {
        self.known.len()
    }
}
