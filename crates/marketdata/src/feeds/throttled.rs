//! Fewer events of each instrument.

use super::passing::{Passing, SourceTime};
use mts_foundation::market_data::{DataFeed, DynDataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::{Quote, Symbol, Timestamp, Trade};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Most instruments whose events are held back; those of further ones pass.
const MAX_SYMBOLS: usize = 100_000;

/// At most one quote and one print of an instrument in `every`, and nothing lost: of the quotes that come meanwhile the last
/// counts, prints become one with the last price and the sum of the sizes. Instruments do not concern each other. What is held
/// back comes when its time is over, with the time of its last part. Bars, gaps and silences pass; what was held comes before a
/// gap.
pub struct ThrottledFeed {
    source: Box<dyn DynDataFeed>,
    every: Duration,
    time: SourceTime,
    held: BTreeMap<Symbol, Held>,
    /// When who may be handed out again; only those that hold something.
    due: BTreeSet<(Timestamp, Symbol)>,
    ready: VecDeque<MarketEvent>,
    ended: bool,
    stats: FeedStats,
}

/// What waits of one instrument.
#[derive(Debug, Default)]
struct Held {
    /// Until when it waits.
    until: Option<Timestamp>,
    quote: Option<Quote>,
    trade: Option<Trade>,
}

impl Held {
    const fn is_empty(&self) -> bool {
        self.quote.is_none() && self.trade.is_none()
    }

    /// Adds to what waits. Whether it became one with something.
    fn add(&mut self, event: MarketEvent) -> bool {
        match event {
            MarketEvent::Quote(quote) => self.quote.replace(quote).is_some(),
            MarketEvent::Trade(mut trade) => {
                let before = self.trade.take();
                let merged = before.is_some();
                if let Some(before) = before {
                    trade.size = trade.size.saturating_add(before.size);
                }
                self.trade = Some(trade);
                merged
            }
            _ => false,
        }
    }

    /// What waits, the earlier first.
    fn take(&mut self, out: &mut VecDeque<MarketEvent>) {
        let (quote, trade) = (self.quote.take(), self.trade.take());
        let quote_first = match (&quote, &trade) {
            (Some(quote), Some(trade)) => quote.timestamp <= trade.timestamp,
            _ => true,
        };
        let (quote, trade) = (quote.map(MarketEvent::Quote), trade.map(MarketEvent::Trade));
        let order = if quote_first { [quote, trade] } else { [trade, quote] };
        out.extend(order.into_iter().flatten());
    }
}

impl ThrottledFeed {
    /// Holds back for so long.
    #[must_use]
    pub fn new(source: Box<dyn DynDataFeed>, every: Duration) -> Self {
        Self {
            source,
            every,
            time: SourceTime::default(),
            held: BTreeMap::new(),
            due: BTreeSet::new(),
            ready: VecDeque::new(),
            ended: false,
            stats: FeedStats::default(),
        }
    }

    /// With another way for time to pass.
    #[must_use]
    pub fn passing(mut self, passing: Passing) -> Self {
        self.time.passing = passing;
        self
    }

    fn take(&mut self, event: MarketEvent) {
        let (symbol, time) = match &event {
            MarketEvent::Quote(quote) => (&quote.symbol, quote.timestamp),
            MarketEvent::Trade(trade) => (&trade.symbol, trade.timestamp),
            MarketEvent::Gap { .. } => {
                self.release(None);
                return self.ready.push_back(event);
            }
            _ => return self.ready.push_back(event),
        };
        if !self.held.contains_key(symbol) && self.held.len() >= MAX_SYMBOLS {
            return self.ready.push_back(event);
        }
        let symbol = symbol.clone();
        let held = self.held.entry(symbol.clone()).or_default();
        match held.until {
            Some(until) if time < until => {
                if held.is_empty() {
                    self.due.insert((until, symbol));
                }
                self.stats.throttled = self.stats.throttled.saturating_add(u64::from(held.add(event)));
            }
            _ => {
                // What waits has been due for as long as time has been read: it comes first.
                if let Some(until) = held.until.filter(|_| !held.is_empty()) {
                    self.due.remove(&(until, symbol));
                    held.take(&mut self.ready);
                }
                held.until = Some(self.time.at_most_now(time).plus(self.every));
                self.ready.push_back(event);
            }
        }
    }

    /// Hands out what was due by an instant; `None` = all.
    fn release(&mut self, now: Option<Timestamp>) {
        while let Some((until, symbol)) = self.due.pop_first() {
            if now.is_some_and(|now| until > now) {
                self.due.insert((until, symbol));
                return;
            }
            let Some(held) = self.held.get_mut(&symbol) else { continue };
            held.take(&mut self.ready);
            held.until = Some(now.unwrap_or(until).max(until).plus(self.every));
        }
    }
}

impl std::fmt::Debug for ThrottledFeed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ThrottledFeed").field("source", &self.source.name()).finish_non_exhaustive()
    }
}

impl DataFeed for ThrottledFeed {
    fn name(&self) -> &str {
        self.source.name()
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        self.source.start().await?;
        (self.stats.running, self.ended) = (true, false);
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        while self.stats.running {
            if let Some(event) = self.ready.pop_front() {
                self.stats.ticks = self.stats.ticks.saturating_add(1);
                self.stats.last_time = event.priced_at().or(self.stats.last_time);
                return Ok(Some(event));
            }
            if self.ended {
                return Ok(None);
            }
            let due = self.due.first().map(|(due, _)| *due);
            match self.time.next(&mut *self.source, due).await? {
                Some(Some(event)) => {
                    self.time.hear(&event);
                    self.release(self.time.now());
                    self.take(event);
                }
                Some(None) => {
                    self.ended = true;
                    self.release(None);
                }
                None => self.release(self.time.now()),
            }
        }
        Ok(None)
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = false;
        self.source.stop().await
    }

    fn stats(&self) -> FeedStats {
        FeedStats { symbols: self.held.len() as u64, ..self.stats }
    }
}
