//! Aggregation by symbol, in decimals.

use super::building::{FixedBar, Part, Tick};
use super::fixed::{Scale, decimal, kept};
use super::hours::Hours;
use super::symbols::{NotTaken, Symbols};
use super::time_bars::{Closed, Counts, Late, Patience, TimeBars};
use mts_foundation::{Bar, Decimal, Quote, Symbol, Timestamp, Trade};
use std::collections::BTreeMap;

/// Digits that the average price of a smaller bar is kept to, beyond those of its prices.
const VWAP_DIGITS: u32 = 4;

/// What comes of ticks and smaller bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The bar.
    pub bar: Bar,
    /// It began before the data did, or the data ended before it did.
    pub partial: bool,
    /// It takes the place of a bar that was handed out before, see [`Aggregator::remember`].
    pub revision: bool,
}

/// Bars by time of all instruments of one market.
#[derive(Debug)]
pub struct Aggregator {
    hours: Hours,
    /// Of instruments whose market is another.
    own_hours: BTreeMap<Symbol, Hours>,
    bars: TimeBars,
    symbols: Symbols,
    since: Option<i64>,
}

impl Aggregator {
    /// For these instruments; none named = for all that come.
    #[must_use]
    pub fn new(hours: Hours, patience: Patience, assets: impl IntoIterator<Item = Symbol>) -> Self {
        let (bars, symbols) = (TimeBars::new(patience), Symbols::new(assets));
        Self { hours, own_hours: BTreeMap::new(), bars, symbols, since: None }
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

    /// How many bars of each instrument are remembered for [`revise`](Self::revise), see [`TimeBars::remember`].
    pub fn remember(&mut self, bars: usize) {
        self.bars.remember(bars);
    }

    /// Takes a print.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn trade(&mut self, trade: &Trade) -> Result<(), NotTaken> {
        self.trade_with(trade, Part::ALL)
    }

    /// Takes of a print what it may change: what [`TradeFilter::part`](super::TradeFilter::part) says of its sale
    /// conditions.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn trade_with(&mut self, trade: &Trade, part: Part) -> Result<(), NotTaken> {
        self.tick_with(&trade.symbol, trade.timestamp, trade.price, trade.size, part)
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
        self.tick_with(symbol, time, price, size, Part::ALL)
    }

    fn tick_with(
        &mut self,
        symbol: &Symbol,
        time: Timestamp,
        price: Decimal,
        size: Decimal,
        part: Part,
    ) -> Result<(), NotTaken> {
        let size = kept(size);
        let Some(slot) = self.slot(symbol, price, size)? else { return Ok(()) };
        let scale = self.fit(slot, &[price], size)?;
        let (price, size) = (
            Symbols::number(symbol, "price", price, scale.price)?,
            Symbols::number(symbol, "size", size, scale.size)?,
        );
        let taken = self.bars.push_part(slot, Tick { time: time.nanos(), price, size }, part);
        taken.map_err(|source| NotTaken::Bar { symbol: symbol.clone(), source })
    }

    /// Takes a smaller bar, with all it says.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn bar(&mut self, bar: &Bar) -> Result<(), NotTaken> {
        let Some((slot, fixed)) = self.fixed(bar)? else { return Ok(()) };
        let taken = self.bars.push_bar(slot, &fixed);
        taken.map_err(|source| NotTaken::Bar { symbol: bar.symbol.clone(), source })?;
        if bar.partial {
            self.bars.whole_since_of(slot, fixed.end);
        }
        Ok(())
    }

    /// Takes a smaller bar that takes the place of one that came before, see [`TimeBars::revise`].
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn revise(&mut self, bar: &Bar) -> Result<(), NotTaken> {
        let Some((slot, fixed)) = self.fixed(bar)? else { return Ok(()) };
        let taken = self.bars.revise(slot, &fixed);
        taken.map_err(|source| NotTaken::Bar { symbol: bar.symbol.clone(), source })
    }

    /// A smaller bar in whole numbers, and whose; `None` = it is not wanted.
    fn fixed(&mut self, bar: &Bar) -> Result<Option<(usize, FixedBar)>, NotTaken> {
        let (symbol, volume) = (&bar.symbol, kept(bar.volume));
        let Some(slot) = self.slot(symbol, bar.low, volume)? else { return Ok(None) };
        if !bar.is_sane() {
            let (symbol, field) = (symbol.clone(), "the range of a bar that closes at");
            return Err(NotTaken::Impossible { symbol, field, value: bar.close });
        }
        let prices = [bar.open, bar.high, bar.low, bar.close];
        self.fit(slot, &prices, volume)?;
        // Where the source does not say what was paid, its close stands for it. To the digits of its own prices: those of
        // the instrument hold averages already, and would grow with each bar.
        let own = prices.iter().map(|price| Scale::of(*price, volume).price).max().unwrap_or(0);
        let average = bar.vwap.unwrap_or(bar.close).round_dp(own + VWAP_DIGITS);
        let scale = self.fit(slot, &[average], volume)?;
        let price = |value| Symbols::number(symbol, "price", value, scale.price);
        let volume = i128::from(Symbols::number(symbol, "volume", volume, scale.size)?);
        let (open, high, low, close) =
            (price(bar.open)?, price(bar.high)?, price(bar.low)?, price(bar.close)?);
        let end = bar.timestamp.nanos();
        let fixed = FixedBar {
            start: self.start_of(bar),
            end,
            open,
            high,
            low,
            close,
            volume,
            value: i128::from(price(average)?) * volume,
            count: bar.n_trades.unwrap_or(1),
        };
        Ok(Some((slot, fixed)))
    }

    /// Where a smaller bar begins: with its session, or with its stretch of trading, where that is shorter than its length.
    fn start_of(&self, bar: &Bar) -> i64 {
        let hours =
            self.own_hours.get(&bar.symbol).unwrap_or(&self.hours).clone().with_interval(bar.interval);
        let end = bar.timestamp.nanos();
        let length = i64::try_from(bar.interval.duration().as_nanos()).unwrap_or(i64::MAX);
        match hours.bar_at(end.saturating_sub(1)) {
            Ok(Some((start, ours))) if ours == end => start,
            _ => end.saturating_sub(length),
        }
    }

    fn slot(&mut self, symbol: &Symbol, price: Decimal, size: Decimal) -> Result<Option<usize>, NotTaken> {
        let Self { hours, own_hours, bars, symbols, since } = self;
        symbols.slot(symbol, price, size, |scale| {
            bars.add(own_hours.get(symbol).unwrap_or(hours).clone(), *since);
            Some(scale)
        })
    }

    fn fit(&mut self, slot: usize, prices: &[Decimal], size: Decimal) -> Result<Scale, NotTaken> {
        let bars = &mut self.bars;
        self.symbols.fit(slot, prices, size, |by| bars.rescale(slot, by))
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
        let (symbols, interval) = (&self.symbols, self.hours.interval());
        self.bars.closed().filter_map(move |Closed { slot, bar: fixed, partial, revision }| {
            let made = symbols.decimals(slot, &fixed)?;
            let [open, high, low, close] = made.prices;
            let bar = Bar {
                symbol: made.symbol.clone(),
                interval,
                open,
                high,
                low,
                close,
                volume: made.volume,
                vwap: made.vwap,
                n_trades: Some(fixed.count),
                timestamp: Timestamp::from_nanos(fixed.end),
                close_only: false,
                partial,
            };
            Some(Made { bar, partial, revision })
        })
    }

    /// The ticks that came too late since this was asked last, by symbol: when, at which price, how many.
    pub fn late(&mut self) -> impl Iterator<Item = (Symbol, Timestamp, Decimal, Decimal)> {
        let symbols = &self.symbols;
        self.bars.late().filter_map(move |Late { slot, tick }| {
            let (symbol, scale) = symbols.get(slot)?;
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
        self.symbols.count()
    }
}
