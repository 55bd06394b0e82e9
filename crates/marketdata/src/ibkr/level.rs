//! The best prices and prints of one instrument, from ticks that tell one number each. Pure.
//!
//! Ticks of a price repeat their size in a tick of its own, sizes are told again when only the price has changed, and
//! between two ticks any number of trades may lie. So a quote is told when something of it differs from what was told,
//! and a print has as its size by how much the volume of the day has grown: nothing counts twice, and what was left
//! out between two ticks is in the next.

use ibapi::contracts::tick_types::TickType;
use ibapi::market_data::realtime::{BidAsk, TickTypes, Trade};
use mts_foundation::{Decimal, Timestamp, num};

/// A price and its size.
pub(super) type Side = (Decimal, Decimal);

/// Trades since the print before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Print {
    /// Of the last of them.
    pub(super) price: Decimal,
    /// Of all of them.
    pub(super) size: Decimal,
    /// Of the last of them.
    pub(super) time: Timestamp,
}

/// One instrument.
#[derive(Debug, Clone)]
pub(super) struct Level {
    /// Bid and ask; a side without orders has no price.
    prices: [Option<Decimal>; 2],
    sizes: [Decimal; 2],
    told: Option<[Side; 2]>,
    /// The volume of the day that prints were told of, and the time of the last one.
    covered: Option<(Decimal, Timestamp)>,
    /// A print that is older is what was there before.
    since: Timestamp,
}

/// A number of the library: sizes and prices are floating-point numbers there, and as they were written here.
pub(super) fn exact(value: f64) -> Option<Decimal> {
    num::as_written(value).map(|value| value.normalize())
}

/// An instant of the library's, which has whole seconds.
pub(super) fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1_000))
}

fn positive(value: f64) -> Option<Decimal> {
    exact(value).filter(|value| *value > Decimal::ZERO)
}

/// One trade, unless it was not reported to the tape.
pub(super) fn print_of(told: &Trade) -> Option<Print> {
    let print = || {
        let (price, size) = (positive(told.price)?, positive(told.size)?);
        Some(Print { price, size, time: seconds(told.time.unix_timestamp()) })
    };
    print().filter(|_| !told.trade_attribute.unreported)
}

/// Best prices where both sides are there, and their time.
pub(super) fn sides_of(told: &BidAsk) -> Option<([Side; 2], Timestamp)> {
    let side = |price, size| Some((positive(price)?, positive(size).unwrap_or_default()));
    let (bid, ask) = (side(told.bid_price, told.bid_size)?, side(told.ask_price, told.ask_size)?);
    Some(([bid, ask], seconds(told.time.unix_timestamp())))
}

/// Which side a tick is about, and whether it is delayed.
fn side(tick: TickType) -> Option<(usize, bool)> {
    Some(match tick {
        TickType::Bid | TickType::BidSize => (0, false),
        TickType::Ask | TickType::AskSize => (1, false),
        TickType::DelayedBid | TickType::DelayedBidSize => (0, true),
        TickType::DelayedAsk | TickType::DelayedAskSize => (1, true),
        _ => return None,
    })
}

impl Level {
    /// Takes a tick; `delayed` = delayed ones count as well.
    pub(super) fn take(&mut self, tick: &TickTypes, delayed: bool) -> Option<Print> {
        let counts = |tick: TickType| side(tick).filter(|(_, late)| delayed || !late).map(|(side, _)| side);
        let (price, size) = match tick {
            TickTypes::Price(tick) => (counts(tick.tick_type).map(|side| (side, tick.price)), None),
            TickTypes::Size(tick) => (None, counts(tick.tick_type).map(|side| (side, tick.size))),
            TickTypes::PriceSize(tick) => {
                let side = counts(tick.price_tick_type);
                (side.map(|side| (side, tick.price)), side.map(|side| (side, tick.size)))
            }
            TickTypes::String(tick) if tick.tick_type == TickType::RtVolume => {
                return self.print(&tick.value);
            }
            _ => return None,
        };
        if let Some((side, price)) = price
            && let Some(slot) = self.prices.get_mut(side)
        {
            // No number, zero and -1 say that there is nobody on this side.
            *slot = positive(price);
        }
        if let Some((side, size)) = size
            && let Some(slot) = self.sizes.get_mut(side)
        {
            *slot = positive(size).unwrap_or_default();
        }
        None
    }

    /// Bid and ask where they differ from what was told. Crossed ones are half of a change: its other half comes.
    pub(super) fn news(&mut self) -> Option<[Side; 2]> {
        let [Some(bid), Some(ask)] = self.prices else { return None };
        let [bid_size, ask_size] = self.sizes;
        let now = [(bid, bid_size), (ask, ask_size)];
        if bid > ask || self.told == Some(now) {
            return None;
        }
        self.told = Some(now);
        Some(now)
    }

    /// Of nothing yet; prints count from an instant on.
    pub(super) fn new(since: Timestamp) -> Self {
        // Prints have the milliseconds of their time alone.
        let since = Timestamp::from_millis(since.nanos().div_euclid(1_000_000));
        Self { prices: [None; 2], sizes: [Decimal::ZERO; 2], told: None, covered: None, since }
    }

    /// Forgets all: what is told next may leave out any number of trades.
    pub(super) fn begin_anew(&mut self, since: Timestamp) {
        *self = Self::new(since);
    }

    /// `price;size;milliseconds;volume of the day;average;whether it is one trade`. Without a price nothing has traded.
    pub(super) fn print(&mut self, words: &str) -> Option<Print> {
        let mut words = words.split(';');
        let mut number = || words.next()?.parse::<Decimal>().ok().map(|number| number.normalize());
        let (price, size, millis, total) = (number()?, number()?, number()?, number()?);
        let time = Timestamp::from_millis(i64::try_from(millis).ok()?);
        if price <= Decimal::ZERO || total < Decimal::ZERO {
            return None;
        }
        let size = match self.covered {
            None if time < self.since => Decimal::ZERO,
            None => size,
            Some((covered, _)) if total >= covered => total - covered,
            // Less than before: another day, or an older tick.
            Some((_, last)) if time > last => size,
            Some(_) => return None,
        };
        self.covered = Some((total, time));
        (size > Decimal::ZERO).then_some(Print { price, size, time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ibapi::market_data::realtime::{TickPrice, TickPriceSize, TickSize, TickString};

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn both(tick: TickType, price: f64, size: f64) -> TickTypes {
        let tick = TickPriceSize { price_tick_type: tick, price, size, ..TickPriceSize::default() };
        TickTypes::PriceSize(tick)
    }

    fn words(value: &str) -> TickTypes {
        TickTypes::String(TickString { tick_type: TickType::RtVolume, value: value.to_owned() })
    }

    const SINCE: Timestamp = Timestamp::from_millis(1_000);

    fn take(level: &mut Level, tick: &TickTypes) -> Option<Print> {
        level.take(tick, false)
    }

    #[test]
    fn a_size_that_is_told_again_and_again_counts_once() {
        let mut level = Level::new(SINCE);
        // The volume so far is no trade of ours.
        assert_eq!(take(&mut level, &words("180;5;900;1000;180;true")), None);
        let print = take(&mut level, &words("180.5;3;2000;1003;180;true")).unwrap();
        assert_eq!((print.price, print.size, print.time.nanos()), (d("180.5"), d("3"), 2_000_000_000));
        assert_eq!(take(&mut level, &words("180.5;3;2000;1003;180;true")), None, "the same once more");
        // Sides change, and TWS repeats the last price and its size.
        for _ in 0..3 {
            assert_eq!(take(&mut level, &both(TickType::Bid, 180.4, 7.0)), None);
            assert_eq!(take(&mut level, &both(TickType::Last, 180.5, 3.0)), None);
            let size = TickSize { tick_type: TickType::LastSize, size: 3.0 };
            assert_eq!(take(&mut level, &TickTypes::Size(size)), None);
        }
        // Two trades came to one tick, which tells the size of the last one.
        assert_eq!(take(&mut level, &words("180.25;2;3000;1012;180;false")).unwrap().size, d("9"));
        // The next day counts from zero; what is older does not begin one.
        assert_eq!(take(&mut level, &words("180.25;2;2500;900;180;true")), None);
        assert_eq!(take(&mut level, &words("181;4;4000;4;181;true")).unwrap().size, d("4"));
        assert_eq!(take(&mut level, &words("181;0.5000000000;5000;4.5;181;true")).unwrap().size, d("0.5"));
    }

    #[test]
    fn a_print_of_the_millisecond_of_the_start_counts() {
        let mut level = Level::new(SINCE.plus(std::time::Duration::from_micros(900)));
        assert_eq!(take(&mut level, &words("180;5;1000;1000;180;true")).unwrap().size, d("5"));
    }

    #[test]
    fn numbers_that_are_none_lose_no_other_tick() {
        let mut level = Level::new(SINCE);
        for price in [f64::NAN, -1.0, 0.0, f64::INFINITY, f64::MAX] {
            take(&mut level, &both(TickType::Bid, price, f64::NAN));
            assert_eq!(level.news(), None, "{price}");
        }
        take(&mut level, &both(TickType::Bid, 179.99, 100.0));
        assert_eq!(level.news(), None, "one side");
        take(&mut level, &both(TickType::Ask, 180.01, 200.0));
        let quote = [(d("179.99"), d("100")), (d("180.01"), d("200"))];
        assert_eq!(level.news(), Some(quote));
        for wrong in ["", ";;;", ";0;2000;5;1;true", "x;1;2000;5;1;true", "-1;1;2000;5;1;true", "1;1;2000"] {
            assert_eq!(take(&mut level, &words(wrong)), None, "{wrong}");
        }
        assert_eq!(take(&mut level, &words("180;5;2000;5;180;true")).unwrap().size, d("5"));
        assert_eq!(level.news(), None, "a print is no quote");
        // The ask goes away, and comes back.
        let gone = TickPrice { tick_type: TickType::Ask, price: -1.0, ..TickPrice::default() };
        take(&mut level, &TickTypes::Price(gone));
        assert_eq!(level.news(), None);
    }

    #[test]
    fn a_quote_is_told_when_it_has_changed_and_is_whole() {
        let mut level = Level::new(SINCE);
        take(&mut level, &both(TickType::Bid, 179.99, 100.0));
        take(&mut level, &both(TickType::Ask, 180.01, 200.0));
        assert!(level.news().is_some());
        let size = TickSize { tick_type: TickType::BidSize, size: 100.0 };
        take(&mut level, &TickTypes::Size(size));
        assert_eq!(level.news(), None, "the size that was told with the price");
        take(&mut level, &both(TickType::Bid, 180.02, 100.0));
        assert_eq!(level.news(), None, "half of a change");
        take(&mut level, &both(TickType::Ask, 180.03, 50.0));
        assert_eq!(level.news().unwrap().map(|(price, _)| price), [d("180.02"), d("180.03")]);
        level.begin_anew(SINCE);
        assert_eq!(level.news(), None);
    }

    #[test]
    fn delayed_prices_are_taken_where_they_are_wanted_and_nowhere_else() {
        let mut level = Level::new(SINCE);
        let ticks = [both(TickType::DelayedBid, 1.0, 1.0), both(TickType::DelayedAsk, 2.0, 1.0)];
        assert!(ticks.iter().all(|tick| level.take(tick, false).is_none()));
        assert_eq!(level.news(), None);
        assert!(ticks.iter().all(|tick| level.take(tick, true).is_none()));
        assert!(level.news().is_some());
    }
}
