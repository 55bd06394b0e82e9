//! A feed of the minutes of one day, made up between two closes, in shortened time: to try a broker, or its double, for a day.

use super::SystemClock;
use crate::app::{FeedContext, FeedParts};
use crate::error::{CliError, ExitKind, OrExit};
use crate::random::Xorshift;
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::{Bar, Clock, Decimal, Instrument, Interval, Symbol};
use mts_marketdata::ClosesFeed;
use std::collections::VecDeque;
use std::time::Duration;

/// Minutes of a day of shares.
const MINUTES: u64 = 390;

/// Largest step of a minute, ticks to either side.
const STEP: u64 = 20;

/// The bars of a day, a minute at a time.
struct MinutesFeed {
    every: Duration,
    /// Bars of each minute, without their times.
    minutes: VecDeque<Vec<Bar>>,
    stats: FeedStats,
}

impl DataFeed for MinutesFeed {
    fn name(&self) -> &str {
        "minutes"
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = true;
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        tokio::time::sleep(self.every).await;
        let Some(mut bars) = self.minutes.pop_front() else { return Ok(None) };
        let time = SystemClock.now();
        for bar in &mut bars {
            bar.timestamp = time;
        }
        self.stats.ticks += bars.len() as u64;
        self.stats.last_time = Some(time);
        Ok(Some(MarketEvent::Bars { time, bars: bars.into() }))
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = false;
        Ok(())
    }

    fn stats(&self) -> FeedStats {
        self.stats
    }
}

/// Prices of a day that begins and ends where it shall, one more than minutes: a random walk without the drift that it has
/// taken, plus the drift that it shall take (a Brownian bridge).
fn path(begin: Decimal, end: Decimal, tick: Decimal, minutes: u64, random: &mut Xorshift) -> Vec<Decimal> {
    let mut walk = vec![Decimal::ZERO];
    let mut place = Decimal::ZERO;
    for _ in 0..minutes {
        place += Decimal::from(random.draw() % (2 * STEP + 1)) - Decimal::from(STEP);
        walk.push(place);
    }
    let count = Decimal::from(minutes);
    let along = |(minute, steps): (u64, Decimal)| {
        let part = Decimal::from(minute) / count;
        let price = begin + (end - begin) * part + (steps - place * part) * tick;
        ((price / tick).round() * tick).max(tick)
    };
    (0..).zip(walk).map(along).collect()
}

/// The bar between two prices, a tick or two beyond them.
fn bar(instrument: &Instrument, from: Decimal, to: Decimal, random: &mut Xorshift) -> Bar {
    let mut beyond = || Decimal::from(random.draw() % 3) * instrument.tick;
    let (high, low) = (from.max(to) + beyond(), (from.min(to) - beyond()).max(instrument.tick));
    let mut bar =
        Bar::close_only(instrument.symbol.clone(), Interval::MINUTE, to, mts_foundation::Timestamp::EPOCH);
    (bar.open, bar.high, bar.low, bar.close_only) = (from, high, low, false);
    bar.volume = Decimal::from(1_000 + random.draw() % 9_000);
    bar
}

/// The feed of a configuration: `data.path` is a file of closes, whose last two are where the day begins and ends;
/// `data.params` may have `minutes` (390), `every_ms` (100), the real time that a minute takes, and `seed` (1).
pub(crate) fn make(context: FeedContext<'_>) -> Result<FeedParts, CliError> {
    let (file, text) = context.file;
    let closes =
        ClosesFeed::from_csv(&file.display().to_string(), text, context.instruments, context.calendar)
            .or_exit(ExitKind::Data)?;
    let params =
        super::numbers("data", "minutes", &context.section.params, &["minutes", "every_ms", "seed"])?;
    let number = |name: &str, default: u64| params.get(name).copied().unwrap_or(default);
    let count = number("minutes", MINUTES);
    let mut random = Xorshift::new(number("seed", 1));
    let days = closes.last_days();
    let symbols: Vec<Symbol> = days.iter().map(|(symbol, ..)| symbol.clone()).collect();
    let mut minutes: VecDeque<Vec<Bar>> = (0..count).map(|_| Vec::with_capacity(days.len())).collect();
    let mut days: Vec<_> = days.into_iter().collect();
    // The bars of an instant are in symbol order.
    days.sort();
    for (symbol, begin, end) in days {
        let Some(instrument) = context.instruments.get(&symbol) else { continue };
        let path = path(begin, end, instrument.tick, count, &mut random);
        for (bars, prices) in minutes.iter_mut().zip(path.windows(2)) {
            if let [from, to] = prices {
                bars.push(bar(instrument, *from, *to, &mut random));
            }
        }
    }
    let feed = MinutesFeed {
        every: Duration::from_millis(number("every_ms", 100)),
        minutes,
        stats: FeedStats::default(),
    };
    Ok(FeedParts { feed: Box::new(feed), symbols, range: (closes.first(), closes.last()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_and_ends_at_its_closes_and_is_the_same_for_a_seed() {
        let day = |seed| {
            let (begin, end) = (Decimal::from(100), Decimal::from(103));
            path(begin, end, Decimal::new(1, 2), MINUTES, &mut Xorshift::new(seed))
        };
        let prices = day(1);
        assert_eq!((prices.len(), prices[0], prices[390]), (391, Decimal::from(100), Decimal::from(103)));
        assert_eq!(prices, day(1));
        assert_ne!(prices, day(2));
        let turns = prices
            .windows(3)
            .filter(|of| (of[1] - of[0]).is_sign_positive() != (of[2] - of[1]).is_sign_positive());
        assert!(turns.count() > 100, "a day is no straight line");
    }
}
