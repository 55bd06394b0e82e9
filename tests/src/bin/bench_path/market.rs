//! What a market event costs from the feed through conflation and a strategy that does nothing, with the core behind.

use crate::Fallible;
use crate::journal::Discarding;
use crate::world::{Parts, nanos, parts};
use crate::{per_second, percentiles, tell_waits};
use mts_brokers::{PaperBroker, PaperConfig};
use mts_engine::record::GENESIS;
use mts_engine::shell::Trader;
use mts_engine::shell::offline::{OperatorScript, Replay, RunEnd};
use mts_foundation::journal::Journal;
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::strategy::{Commands, Strategy, StrategyError, View};
use mts_foundation::{Decimal, Quote, StrategyId, Symbol, Timestamp, Trade, VenueName};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Instruments that the events go round.
pub(crate) const INSTRUMENTS: usize = 8;

/// Between two events: each instrument has one every 100 ms, as the one of the peers' benchmarks.
pub(crate) const PAUSE: Duration = Duration::from_micros(12_500);

/// When the last event left the feed, and how long each took to its decision in nanoseconds. Two looks at the clock an event
/// cost a tenth of it, so this has a round of its own.
#[derive(Debug, Default)]
struct Stopwatch {
    left: Option<Instant>,
    waits: Vec<u32>,
}

type Watch = Option<Arc<Mutex<Stopwatch>>>;

fn lock(watch: &Mutex<Stopwatch>) -> MutexGuard<'_, Stopwatch> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}

struct NoOp(StrategyId, Watch);

impl Strategy for NoOp {
    fn id(&self) -> &StrategyId {
        &self.0
    }
    fn on_data(&mut self, _: &View<'_>, _: &mut Commands) -> Result<(), StrategyError> {
        if let Some(watch) = &self.1 {
            let mut watch = lock(watch);
            if let Some(left) = watch.left.take() {
                watch.waits.push(nanos(left, Instant::now()));
            }
        }
        Ok(())
    }
}

/// Events that are made before the clock runs.
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

/// A feed whose events are timed as they leave it, where somebody watches.
struct Watched<F>(F, Watch);

impl<F: DataFeed> DataFeed for Watched<F> {
    fn name(&self) -> &str {
        self.0.name()
    }
    async fn start(&mut self) -> Result<(), MarketDataError> {
        self.0.start().await
    }
    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        let event = self.0.next().await?;
        if let Some(watch) = &self.1 {
            lock(watch).left = Some(Instant::now());
        }
        Ok(event)
    }
    async fn stop(&mut self) -> Result<(), MarketDataError> {
        self.0.stop().await
    }
    fn stats(&self) -> FeedStats {
        self.0.stats()
    }
}

/// The steps of the walk that the peers' benchmarks use: a 64-bit linear congruential generator (Knuth's MMIX constants), seed
/// 42, -2 to 2 ticks.
pub(crate) fn steps() -> impl Iterator<Item = i64> {
    let mut seed: u64 = 42;
    std::iter::repeat_with(move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Below five.
        ((seed >> 33) % 5).cast_signed() - 2
    })
}

/// Prices of one instrument.
pub(crate) fn walk(count: usize) -> impl Iterator<Item = i64> {
    let price = |price: &mut i64, step: i64| {
        *price += step;
        Some(*price)
    };
    steps().take(count).scan(70_000, price)
}

/// Events of instruments in turn.
fn events(count: u64, quotes: bool, now: Timestamp, symbols: &[Symbol]) -> Fallible<Vec<MarketEvent>> {
    let venue = VenueName::new("x")?;
    let mut cents = [10_000_i64; INSTRUMENTS];
    let mut events = Vec::with_capacity(usize::try_from(count)?);
    let mut time = now;
    let turns = (0..INSTRUMENTS).zip(symbols).cycle().zip(steps());
    for ((place, symbol), step) in turns.take(usize::try_from(count)?) {
        let price = &mut cents[place];
        *price = (*price + step).max(100);
        time = time.plus(PAUSE);
        events.push(if quotes {
            MarketEvent::Quote(Quote {
                symbol: symbol.clone(),
                bid: Decimal::new(*price - 1, 2),
                ask: Decimal::new(*price + 1, 2),
                bid_size: Decimal::ONE_HUNDRED,
                ask_size: Decimal::ONE_HUNDRED,
                venue: venue.clone(),
                timestamp: time,
            })
        } else {
            MarketEvent::Trade(Trade {
                trade_id: "1".into(),
                symbol: symbol.clone(),
                price: Decimal::new(*price, 2),
                size: Decimal::ONE_HUNDRED,
                venue: venue.clone(),
                timestamp: time,
            })
        });
    }
    Ok(events)
}

/// Events a second of one kind.
pub(crate) struct Market {
    kind: &'static str,
    events: u64,
    inputs: u64,
    took: Duration,
    /// From an event to the decision on it, sorted.
    waits: Vec<u32>,
}

impl Market {
    /// Measures events that are there already.
    pub(crate) fn measure(quotes: bool, count: u64) -> Fallible<Self> {
        let kind = if quotes { "quotes" } else { "trades" };
        Self::of(kind, count, |now, symbols| Ok(Recorded(events(count, quotes, now, symbols)?.into_iter())))
    }

    /// Measures the quickest of three rounds, and in a fourth how long each event waits for its decision. The feed is made before
    /// the clock runs.
    pub(crate) fn of<F: DataFeed>(
        kind: &'static str,
        count: u64,
        feed: impl Fn(Timestamp, &[Symbol]) -> Fallible<F>,
    ) -> Fallible<Self> {
        let mut best: Option<Self> = None;
        for _ in 0..3 {
            let round = Self::round(kind, count, &feed, &None)?;
            if best.as_ref().is_none_or(|best| round.took < best.took) {
                best = Some(round);
            }
        }
        let mut best = best.ok_or("no round was measured")?;
        let watch = Arc::new(Mutex::new(Stopwatch::default()));
        Self::round(kind, count, &feed, &Some(Arc::clone(&watch)))?;
        best.waits = std::mem::take(&mut lock(&watch).waits);
        if best.waits.len() as u64 != count {
            return Err(format!("{count} events given, {} decided on", best.waits.len()).into());
        }
        best.waits.sort_unstable();
        Ok(best)
    }

    fn round<F: DataFeed>(
        kind: &'static str,
        count: u64,
        feed: impl Fn(Timestamp, &[Symbol]) -> Fallible<F>,
        watch: &Watch,
    ) -> Fallible<Self> {
        let Parts { core, symbols, fund_id, now } = parts()?;
        let mut feed = Watched(feed(now, &symbols)?, watch.clone());
        let mut journal = Discarding::default();
        journal.append(GENESIS, b"{}")?;
        journal.commit()?;
        let venue = PaperBroker::new(PaperConfig::default())?;
        let replay = Replay {
            core,
            journal: &mut journal,
            venue: &venue,
            traders: vec![Trader {
                strategy: Box::new(NoOp(StrategyId::new("no-op")?, watch.clone())),
                fund_id,
            }],
            calendar: None,
            start: now,
            end: Timestamp::from_nanos(i64::MAX),
            script: OperatorScript::None,
        };
        let began = Instant::now();
        let end: RunEnd = replay.run(&mut feed, &mut |_| {}, &mut |_| {})?;
        let took = began.elapsed();
        let inputs = end.core.state().inputs();
        if end.market_events != count || inputs == 0 {
            return Err(format!("{count} events given, {} taken, {inputs} marks", end.market_events).into());
        }
        Ok(Self { kind, events: count, inputs, took, waits: Vec::new() })
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "kind": self.kind, "events": self.events, "inputs": self.inputs,
            "seconds": self.took.as_secs_f64(), "events_per_second": per_second(self.events, self.took),
            "decided_ns": percentiles(&self.waits),
        })
    }

    pub(crate) fn tell(&self) {
        println!(
            "{}: {:.0} events/s through data, strategy (no-op) and core over {} events; {} of them became marks",
            self.kind,
            per_second(self.events, self.took),
            self.events,
            self.inputs
        );
        tell_waits("from the event until the decision", &self.waits);
    }
}
