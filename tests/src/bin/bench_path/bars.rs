//! What a print costs that becomes part of a bar: as whole numbers in the kernel, and as decimals through the feed.

use crate::market::walk;
use crate::{Fallible, per_second};
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::ready::ready;
use mts_foundation::{Decimal, Symbol, Timestamp, Trade, VenueName};
use mts_marketdata::aggregate::{
    Activity, Aggregator, Cut, Hours, Measure, Patience, Rule, Tick, TickBars, TimeBars,
};
use mts_marketdata::feeds::AggregatedFeed;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Prints of one measurement.
const PRINTS: usize = 200_000;

/// The best of so many counts: the walk fits into the cache, and whatever else the machine does only adds.
const ROUNDS: usize = 15;

/// Instruments of the feed, as in the benchmark of ml4t-live.
const INSTRUMENTS: usize = 10;

/// Between two prints.
const PAUSE: i64 = 100_000_000;

/// Prints a second.
pub(crate) struct Bars {
    /// Bars of a hundred prints of one instrument, whole numbers.
    of_ticks: f64,
    /// Minutes of one instrument, whole numbers.
    of_time: f64,
    /// Minutes of ten instruments, decimals, through the feed.
    feed: f64,
}

impl Bars {
    pub(crate) fn measure() -> Fallible<Self> {
        let ticks: Vec<Tick> = walk(PRINTS)
            .zip(0_i64..)
            .map(|(price, number)| Tick { time: number * PAUSE, price, size: 1_000 })
            .collect();
        let of_ticks = best(|| {
            let mut bars = TickBars::new(Duration::ZERO);
            let slot = bars.add(Rule::Activity(Activity::new(Measure::Trades, 100, Cut::Overshoot)), None);
            let began = Instant::now();
            for tick in &ticks {
                bars.push(slot, *tick)?;
            }
            let took = began.elapsed();
            Ok((took, bars.closed().count() == PRINTS / 100))
        })?;
        let of_time = best(|| {
            let mut bars = TimeBars::new(Patience::default());
            let slot = bars.add(Hours::always("1m".parse()?), Some(0));
            let began = Instant::now();
            for tick in &ticks {
                bars.push(slot, *tick)?;
            }
            let took = began.elapsed();
            Ok((took, bars.closed().count() == (PRINTS - 1) / 600))
        })?;
        let feed = best(|| feed_once(&ticks))?;
        Ok(Self { of_ticks, of_time, feed })
    }

    pub(crate) fn json(&self) -> Value {
        let row =
            |kind: &str, rate: f64| json!({ "kind": kind, "events": PRINTS, "events_per_second": rate });
        json!([
            row("bars of prints", self.of_ticks),
            row("bars of time", self.of_time),
            row("bars of a feed", self.feed)
        ])
    }

    pub(crate) fn tell(&self) {
        println!(
            "prints into bars: {:.0}/s of a hundred prints, {:.0}/s minutes (whole numbers, one instrument); {:.0}/s minutes of \
             {INSTRUMENTS} instruments through the feed (decimals)",
            self.of_ticks, self.of_time, self.feed
        );
    }
}

/// The best rate of all rounds, each of which says how long it took and whether its bars are those that there must be.
fn best(round: impl Fn() -> Fallible<(Duration, bool)>) -> Fallible<f64> {
    let mut best = 0_f64;
    for _ in 0..ROUNDS {
        let (took, complete) = round()?;
        if !complete {
            return Err("another number of bars than there must be".into());
        }
        best = best.max(per_second(PRINTS as u64, took));
    }
    Ok(best)
}

struct Recorded(std::vec::IntoIter<MarketEvent>);

impl DataFeed for Recorded {
    fn name(&self) -> &str {
        "recorded"
    }
    async fn start(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }
    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        Ok(self.0.next())
    }
    async fn stop(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }
    fn stats(&self) -> FeedStats {
        FeedStats::default()
    }
}

fn feed_once(ticks: &[Tick]) -> Fallible<(Duration, bool)> {
    let symbols: Vec<Symbol> =
        (0..INSTRUMENTS).map(|number| Symbol::new(format!("S{number}"))).collect::<Result<_, _>>()?;
    let venue = VenueName::new("bench")?;
    let event = |(tick, symbol): (&Tick, &Symbol)| {
        MarketEvent::Trade(Trade {
            trade_id: "".into(),
            symbol: symbol.clone(),
            price: Decimal::new(tick.price, 5),
            size: tick.size.into(),
            venue: venue.clone(),
            timestamp: Timestamp::from_nanos(tick.time),
        })
    };
    let events: Vec<MarketEvent> = ticks.iter().zip(symbols.iter().cycle()).map(event).collect();
    let aggregator = Aggregator::new(Hours::always("1m".parse()?), Patience::default(), []);
    let mut feed = AggregatedFeed::new(Box::new(Recorded(events.into_iter())), aggregator);
    let began = Instant::now();
    ready(feed.start())??;
    let mut bars = 0;
    while let Some(event) = ready(feed.next())?? {
        if let MarketEvent::Bars { bars: some, .. } = event {
            bars += some.len();
        }
    }
    Ok((began.elapsed(), bars == PRINTS.div_ceil(600) * INSTRUMENTS))
}
