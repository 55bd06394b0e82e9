//! The market data of a double: prints of the days before its start, made of the seed, and what tests tell afterwards.
//! It knows no wire. Nothing of the past is kept: each question makes it again, the same.

mod past;
mod step;

use mts_foundation::{Bar, Decimal, Interval, Quote, Symbol, Timestamp};
use past::Past;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
pub(crate) use step::{Step, Unit};

/// Most prints, quotes, bars and messages that are kept of what was told; the oldest go first.
const MAX_TOLD: usize = 20_000;
/// A minute.
const MINUTE: i64 = 60_000_000_000;

/// A print.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Print {
    /// Rises over the prints of an instrument, and differs from those of all others that were told.
    pub(crate) id: u64,
    /// Its place among the prints of its instrument since the past began, from 1 on: without holes.
    pub(crate) number: u64,
    pub(crate) symbol: Symbol,
    pub(crate) price: Decimal,
    pub(crate) size: Decimal,
    /// Whether the one who came to the market bought.
    pub(crate) bought: bool,
    pub(crate) time: Timestamp,
}

/// A bar by its start.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candle {
    pub(crate) start: Timestamp,
    pub(crate) open: Decimal,
    pub(crate) high: Decimal,
    pub(crate) low: Decimal,
    pub(crate) close: Decimal,
    pub(crate) volume: Decimal,
    /// Sum of price times size.
    pub(crate) value: Decimal,
    pub(crate) prints: u64,
}

impl Candle {
    /// The volume-weighted price, to six places.
    pub(crate) fn vwap(&self) -> Decimal {
        self.value.checked_div(self.volume).map_or(self.close, |vwap| vwap.round_dp(6).normalize())
    }

    fn of(start: Timestamp, print: &Print) -> Self {
        let (price, volume) = (print.price, print.size);
        let value = price.saturating_mul(volume);
        Self { start, open: price, high: price, low: price, close: price, volume, value, prints: 1 }
    }

    /// With a later one of the same span.
    fn extend(&mut self, later: &Self) {
        (self.high, self.low) = (self.high.max(later.high), self.low.min(later.low));
        self.close = later.close;
        self.volume = self.volume.saturating_add(later.volume);
        self.value = self.value.saturating_add(later.value);
        self.prints += later.prints;
    }
}

/// What those who follow are told.
#[derive(Debug, Clone)]
pub(crate) enum News {
    Print(Print),
    Quote(Quote),
    /// A minute that is over.
    Minute {
        symbol: Symbol,
        candle: Candle,
        /// It was told before, otherwise.
        again: bool,
    },
}

impl News {
    /// The instrument.
    pub(crate) fn symbol(&self) -> &Symbol {
        match self {
            Self::Print(print) => &print.symbol,
            Self::Quote(quote) => &quote.symbol,
            Self::Minute { symbol, .. } => symbol,
        }
    }
}

/// The market data of a double.
#[derive(Debug)]
pub(crate) struct Market {
    past: Past,
    last_id: u64,
    /// The last number of each instrument of which prints were told.
    numbers: BTreeMap<Symbol, u64>,
    prints: VecDeque<Print>,
    quotes: VecDeque<Quote>,
    /// By the minute since 1970.
    minutes: BTreeMap<(i64, Symbol), Candle>,
    first_news: u64,
    news: VecDeque<News>,
}

/// Keeps one more, and the newest [`MAX_TOLD`].
fn keep<T>(all: &mut VecDeque<T>, one: T) -> bool {
    let is_full = all.len() >= MAX_TOLD;
    if is_full {
        all.pop_front();
    }
    all.push_back(one);
    is_full
}

impl Market {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            past: Past::new(seed),
            last_id: past::MAX_ID,
            numbers: BTreeMap::new(),
            prints: VecDeque::new(),
            quotes: VecDeque::new(),
            minutes: BTreeMap::new(),
            first_news: 0,
            news: VecDeque::new(),
        }
    }

    /// The double starts, so that the past ends.
    pub(crate) fn begin(&mut self, now: Timestamp) {
        self.past.end(now);
    }

    /// A quote that holds from its time on.
    pub(crate) fn tell_quote(&mut self, quote: Quote) {
        self.tell(News::Quote(quote.clone()));
        keep(&mut self.quotes, quote);
    }

    /// A print; of more than [`MAX_TOLD`] instruments those that come later have none.
    pub(crate) fn tell_print(&mut self, symbol: Symbol, price: Decimal, size: Decimal, time: Timestamp) {
        let before = match self.numbers.get(&symbol) {
            Some(number) => *number,
            None if self.numbers.len() >= MAX_TOLD => return,
            None => self.past.count(&symbol),
        };
        let number = before + 1;
        self.numbers.insert(symbol.clone(), number);
        self.last_id += 1;
        let bought = self.last_id.is_multiple_of(2);
        let print = Print { id: self.last_id, number, symbol, price, size, bought, time };
        self.tell(News::Print(print.clone()));
        keep(&mut self.prints, print);
    }

    /// A bar that is over; those of a minute alone are told.
    pub(crate) fn tell_bar(&mut self, bar: &Bar) {
        if bar.interval != Interval::MINUTE {
            return;
        }
        let start = Timestamp::from_nanos(bar.timestamp.nanos().saturating_sub(MINUTE));
        let candle = Candle {
            start,
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: bar.volume,
            value: bar.volume.saturating_mul(bar.vwap.unwrap_or(bar.close)),
            prints: bar.n_trades.unwrap_or(1),
        };
        if self.minutes.len() >= MAX_TOLD {
            self.minutes.pop_first();
        }
        let key = (start.nanos().div_euclid(MINUTE), bar.symbol.clone());
        let again = self.minutes.insert(key, candle.clone()).is_some();
        self.tell(News::Minute { symbol: bar.symbol.clone(), candle, again });
    }

    fn tell(&mut self, news: News) {
        if keep(&mut self.news, news) {
            self.first_news += 1;
        }
    }

    /// The number of the next message.
    pub(crate) fn next_news(&self) -> u64 {
        self.first_news + self.news.len() as u64
    }

    /// The message of this number, or the first after it that is kept, and its number.
    pub(crate) fn news(&self, number: u64) -> Option<(u64, &News)> {
        let number = number.max(self.first_news);
        let place = usize::try_from(number - self.first_news).ok()?;
        Some((number, self.news.get(place)?))
    }

    /// The prints from one instant to another, both included, oldest first.
    pub(crate) fn prints(&self, symbol: &Symbol, from: Timestamp, to: Timestamp) -> Vec<Print> {
        let mut prints = self.past.prints(symbol, from, to);
        let told = self.prints.iter().filter(|print| print.symbol == *symbol);
        prints.extend(told.filter(|print| (from..=to).contains(&print.time)).cloned());
        prints.sort_by_key(|print| print.time);
        prints
    }

    /// The quotes from one instant to another, both included, oldest first. In the past there is one before each print.
    pub(crate) fn quotes(&self, symbol: &Symbol, from: Timestamp, to: Timestamp) -> Vec<Quote> {
        let mut quotes = self.past.quotes(symbol, from, to);
        let told = self.quotes.iter().filter(|quote| quote.symbol == *symbol);
        quotes.extend(told.filter(|quote| (from..=to).contains(&quote.timestamp)).cloned());
        quotes.sort_by_key(|quote| quote.timestamp);
        quotes
    }

    /// The last print.
    pub(crate) fn last(&self, symbol: &Symbol, now: Timestamp) -> Option<Print> {
        let told = self.prints.iter().rev().find(|print| print.symbol == *symbol).cloned();
        told.or_else(|| {
            let day = Timestamp::from_nanos(now.nanos().saturating_sub(7 * 1_440 * MINUTE));
            self.past.prints(symbol, day, now).pop()
        })
    }

    /// All prints from an instant until now as one bar.
    pub(crate) fn since(&self, symbol: &Symbol, from: Timestamp, now: Timestamp) -> Option<Candle> {
        let pieces =
            self.prints(symbol, from, now).iter().map(|print| Candle::of(print.time, print)).collect();
        gathered(pieces, |_| from).pop()
    }

    /// The bars that start from one instant to another, both included, oldest first, and hold something. A bar of minutes is
    /// there when its first minute is over.
    pub(crate) fn bars(
        &self,
        symbol: &Symbol,
        step: Step,
        [from, to]: [Timestamp; 2],
        now: Timestamp,
    ) -> Vec<Candle> {
        let (first, last) = (step.start(from), to.min(now));
        // The first may have begun before it is asked for, and the last ends later.
        let through = step.end(last).min(now);
        let prints = self.prints(symbol, first, through);
        let pieces = prints.iter().map(|print| Candle::of(print.time, print)).collect();
        let pieces = if step.unit == Unit::Second {
            pieces
        } else {
            self.minutes_of(symbol, pieces, [first, through])
        };
        let bars = gathered(pieces, |time| step.start(time));
        bars.into_iter().filter(|bar| (from..=last).contains(&bar.start)).collect()
    }

    /// The bar of an instant as it stands: minutes that are over, and the prints of the one that is not.
    pub(crate) fn forming(
        &self,
        symbol: &Symbol,
        step: Step,
        time: Timestamp,
        now: Timestamp,
    ) -> Option<Candle> {
        let start = step.start(time);
        let minute = Timestamp::from_nanos(now.nanos().div_euclid(MINUTE) * MINUTE);
        let over = self.bars(symbol, step, [start, start], now).pop();
        // The past tells a minute whole, and none of it lies in one that is not over.
        let last = self.since(symbol, minute, now).filter(|_| step.start(minute) == start);
        match (over, last) {
            (Some(mut bar), Some(last)) => {
                bar.extend(&last);
                Some(bar)
            }
            (over, last) => over.or(last.map(|last| Candle { start, ..last })),
        }
    }

    /// Minutes that are over: as they were told, else made of prints.
    fn minutes_of(&self, symbol: &Symbol, prints: Vec<Candle>, [from, now]: [Timestamp; 2]) -> Vec<Candle> {
        let floor = |time: Timestamp| time.nanos().div_euclid(MINUTE);
        let made = gathered(prints, |time| Timestamp::from_nanos(floor(time) * MINUTE));
        let mut minutes: BTreeMap<i64, Candle> =
            made.into_iter().map(|bar| (floor(bar.start), bar)).collect();
        let told = self.minutes.iter().filter(|((minute, of), _)| of == symbol && *minute >= floor(from));
        minutes.extend(told.map(|((minute, _), bar)| (*minute, bar.clone())));
        let is_over = |minute: i64| (minute + 1) * MINUTE <= now.nanos();
        minutes.into_iter().filter(|(minute, _)| is_over(*minute)).map(|(_, bar)| bar).collect()
    }
}

/// Pieces of the same span together, in their order.
fn gathered(pieces: Vec<Candle>, span: impl Fn(Timestamp) -> Timestamp) -> Vec<Candle> {
    let mut whole: Vec<Candle> = Vec::new();
    for piece in pieces {
        let start = span(piece.start);
        match whole.last_mut().filter(|last| last.start == start) {
            Some(last) => last.extend(&piece),
            None => whole.push(Candle { start, ..piece }),
        }
    }
    whole
}

/// A span before an instant.
pub(crate) fn before(time: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests;
