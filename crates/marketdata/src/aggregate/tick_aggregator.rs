//! Bars by ticks by symbol, in decimals.

use super::activity::{Activity, Cut, Measure};
use super::building::{Part, Tick};
use super::fixed::{MAX_DIGITS, Scale, whole};
use super::hours::Hours;
use super::information::{Expectations, Information, Theta};
use super::renko::Renko;
use super::symbols::{NotTaken, Symbols};
use super::tick_bars::{Aggressor, Rule, TickBars};
use super::time_bars::{Closed, Counts};
use mts_foundation::market::Interval;
use mts_foundation::{Bar, Decimal, Symbol, Timestamp, Trade};
use std::time::Duration;

/// When the bars of every instrument close.
#[derive(Debug, Clone, PartialEq)]
pub enum BarKind {
    /// With so many trades.
    Trades(u64),
    /// With so many units.
    Volume(Decimal, Cut),
    /// With so much money, price times units.
    Value(Decimal, Cut),
    /// With more imbalance, or more on one side, than expected.
    Information(Theta, Measure, Expectations),
    /// With each step of so much in the price.
    Renko(Decimal),
}

/// A kind that makes no bars.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "bars of {value} each are not possible: give a number greater than zero with at most {MAX_DIGITS} digits behind the point"
)]
pub struct InvalidKind {
    /// What was asked for.
    pub value: Decimal,
}

impl BarKind {
    fn check(&self) -> Result<(), InvalidKind> {
        let value = match *self {
            Self::Trades(count) => count.into(),
            Self::Volume(size, _) | Self::Value(size, _) | Self::Renko(size) => size,
            Self::Information(..) => return Ok(()),
        };
        let good = value > Decimal::ZERO && value.normalize().scale() <= MAX_DIGITS;
        if good { Ok(()) } else { Err(InvalidKind { value }) }
    }

    /// The rule in whole numbers, with the digits it wants beside those of the ticks; `None` = it does not fit into 64 bits.
    fn fixed(&self, mut scale: Scale) -> Option<(Scale, Rule)> {
        let digits = |value: &Decimal| value.normalize().scale();
        let rule = match self {
            Self::Trades(count) => {
                Rule::Activity(Activity::new(Measure::Trades, (*count).into(), Cut::Overshoot))
            }
            Self::Volume(size, cut) => {
                scale.size = scale.size.max(digits(size));
                let most = whole(*size, scale.size)?;
                Rule::Activity(Activity::new(Measure::Volume, most.into(), *cut))
            }
            Self::Value(money, cut) => {
                scale.price = scale.price.max(digits(money).saturating_sub(scale.size));
                let most = whole_wide(*money, scale.price + scale.size)?;
                Rule::Activity(Activity::new(Measure::Value, most, *cut))
            }
            Self::Information(theta, measure, set) => {
                Rule::Information(Information::new(*theta, *measure, *set))
            }
            Self::Renko(brick) => {
                scale.price = scale.price.max(digits(brick));
                Rule::Renko(Renko::new(whole(*brick, scale.price)?))
            }
        };
        Some((scale, rule))
    }
}

/// A number in units of `10^-digits` that has no more digits than that; `None` = it is beyond 128 bits.
fn whole_wide(value: Decimal, digits: u32) -> Option<i128> {
    let value = value.normalize();
    let factor = 10_i128.checked_pow(digits.checked_sub(value.scale())?)?;
    value.mantissa().checked_mul(factor)
}

/// A bar by ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct TickBar {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// When its first tick was.
    pub start: Timestamp,
    /// When its last was; several bars may end at one time.
    pub end: Timestamp,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Units traded.
    pub volume: Decimal,
    /// Volume-weighted average price.
    pub vwap: Option<Decimal>,
    /// How many trades.
    pub n_trades: u64,
    /// Something other than its rule ended it: its hours, the end of the data, or that it was the first of a kind that
    /// learns.
    pub partial: bool,
}

impl TickBar {
    /// As a bar of a length that it does not have, for what wants one.
    #[must_use]
    pub fn into_bar(self, interval: Interval) -> Bar {
        let Self { symbol, end, open, high, low, close, volume, vwap, n_trades, partial, .. } = self;
        let (n_trades, timestamp, close_only) = (Some(n_trades), end, false);
        Bar {
            symbol,
            interval,
            open,
            high,
            low,
            close,
            volume,
            vwap,
            n_trades,
            timestamp,
            close_only,
            partial,
        }
    }
}

/// Bars by ticks of all instruments of one market.
#[derive(Debug)]
pub struct TickAggregator {
    kind: BarKind,
    hours: Option<Hours>,
    bars: TickBars,
    symbols: Symbols,
}

impl TickAggregator {
    /// For these instruments; none named = for all that come. For hours see [`TickBars::add`], for `flush_after`
    /// [`TickBars::new`].
    ///
    /// # Errors
    /// [`InvalidKind`].
    pub fn new(
        kind: BarKind,
        hours: Option<Hours>,
        flush_after: Duration,
        assets: impl IntoIterator<Item = Symbol>,
    ) -> Result<Self, InvalidKind> {
        kind.check()?;
        Ok(Self { kind, hours, bars: TickBars::new(flush_after), symbols: Symbols::new(assets) })
    }

    /// Takes a print.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn trade(&mut self, trade: &Trade) -> Result<(), NotTaken> {
        self.trade_with(trade, Part::ALL, None)
    }

    /// Takes of a print what it may change, by [`TradeFilter::part`](super::TradeFilter::part), and says who crossed the
    /// spread for it, where the venue tells.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn trade_with(
        &mut self,
        trade: &Trade,
        part: Part,
        aggressor: Option<Aggressor>,
    ) -> Result<(), NotTaken> {
        self.tick(&trade.symbol, trade.timestamp, (trade.price, trade.size), part, aggressor)
    }

    /// Takes a price with a size.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn tick(
        &mut self,
        symbol: &Symbol,
        time: Timestamp,
        (price, size): (Decimal, Decimal),
        part: Part,
        aggressor: Option<Aggressor>,
    ) -> Result<(), NotTaken> {
        let Self { kind, hours, bars, symbols } = self;
        let slot = symbols.slot(symbol, price, size, |scale| {
            let (scale, rule) = kind.fixed(scale)?;
            bars.add(rule, hours.clone());
            Some(scale)
        })?;
        let Some(slot) = slot else { return Ok(()) };
        let scale = symbols.fit(slot, &[price], size, |by| bars.rescale(slot, by))?;
        let tick = Tick {
            time: time.nanos(),
            price: Symbols::number(symbol, "price", price, scale.price)?,
            size: Symbols::number(symbol, "size", size, scale.size)?,
        };
        let taken = bars.push_part(slot, tick, part, aggressor);
        taken.map_err(|source| NotTaken::Bar { symbol: symbol.clone(), source })
    }

    /// Lets time pass, see [`TickBars::pass`].
    pub fn pass(&mut self, now: Timestamp) {
        self.bars.pass(now.nanos());
    }

    /// The source has ended, see [`TickBars::finish`].
    pub fn finish(&mut self) {
        self.bars.finish();
    }

    /// When the next bar closes of itself; `None` = there is none.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.bars.next_due().map(Timestamp::from_nanos)
    }

    /// The bars that have closed since this was asked last. A sum beyond 96 bits has no decimal: its bar says no volume.
    pub fn closed(&mut self) -> impl Iterator<Item = TickBar> {
        let symbols = &self.symbols;
        self.bars.closed().filter_map(move |Closed { slot, bar, partial, .. }| {
            let made = symbols.decimals(slot, &bar)?;
            let [open, high, low, close] = made.prices;
            Some(TickBar {
                symbol: made.symbol.clone(),
                start: Timestamp::from_nanos(bar.start),
                end: Timestamp::from_nanos(bar.end),
                open,
                high,
                low,
                close,
                volume: made.volume,
                vwap: made.vwap,
                n_trades: bar.count,
                partial,
            })
        })
    }

    /// What was done so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.bars.counts()
    }
}
