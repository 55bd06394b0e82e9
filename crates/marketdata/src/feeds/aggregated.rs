//! Bars of another feed's ticks, or of its smaller bars.

use super::passing::{Passing, SourceTime};
use crate::aggregate::{Aggregator, Counts, Made, NotTaken};
use mts_foundation::market_data::{DataFeed, DynDataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::{Bar, Decimal, Symbol, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// Bars of each instrument that the source may still correct.
const REMEMBERED: usize = 2;

/// Which prices become bars. Smaller bars always do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Prices {
    /// Prints, with their volume.
    #[default]
    Trades,
    /// The middle of quotes, without volume.
    Mids,
}

/// Turns the ticks of `source` into bars. It hands out bars, and what the source says of gaps and silence; quotes and prints
/// end here.
///
/// Each instrument's bars close by its own ticks: none waits for another instrument's bar of the same instant, and the bars of
/// one instant may come in several events. Ends never go back: a bar waits for one that ends before it, and one that ends before a
/// bar that was handed out is counted ([`AggregatedFeed::outdated`]) and no more. Bars that a gap of the
/// source touches are partial. While the source is interrupted time stands still, so that what it tells of the past when it is back
/// finds its bars open. What cannot be taken (a price of zero, a bar longer than ours) is an error in a replay; live it is
/// counted, and the feed goes on.
pub struct AggregatedFeed {
    source: Box<dyn DynDataFeed>,
    aggregator: Aggregator,
    prices: Prices,
    partial: bool,
    time: SourceTime,
    /// Something may be missing before the next event: the source was started again.
    resumed: bool,
    ready: BTreeMap<Timestamp, BTreeMap<Symbol, Bar>>,
    said: VecDeque<MarketEvent>,
    ended: bool,
    /// The end that was handed out last.
    last_end: Option<Timestamp>,
    outdated: u64,
    refused: u64,
    last_refusal: Option<NotTaken>,
    stats: FeedStats,
}

impl AggregatedFeed {
    /// Bars of the prints of a recorded source; partial bars are handed out, flagged. Smaller bars that the source corrects correct
    /// the last two of each instrument.
    #[must_use]
    pub fn new(source: Box<dyn DynDataFeed>, mut aggregator: Aggregator) -> Self {
        aggregator.remember(REMEMBERED);
        Self {
            source,
            aggregator,
            prices: Prices::default(),
            partial: true,
            time: SourceTime::default(),
            resumed: false,
            ready: BTreeMap::new(),
            said: VecDeque::new(),
            ended: false,
            last_end: None,
            outdated: 0,
            refused: 0,
            last_refusal: None,
            stats: FeedStats::default(),
        }
    }

    /// With another way for time to pass.
    #[must_use]
    pub fn passing(mut self, passing: Passing) -> Self {
        self.time.passing = passing;
        self
    }

    /// Of other prices.
    #[must_use]
    pub const fn of(mut self, prices: Prices) -> Self {
        self.prices = prices;
        self
    }

    /// Without partial bars.
    #[must_use]
    pub const fn whole_bars_only(mut self) -> Self {
        self.partial = false;
        self
    }

    /// What the aggregation did so far: bars, late ticks, ticks outside of sessions.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.aggregator.counts()
    }

    /// How many bars ended before one that had been handed out, and were not: they are of an instrument that came late.
    #[must_use]
    pub const fn outdated(&self) -> u64 {
        self.outdated
    }

    /// How many events could not be taken, and why the last of them could not. Live, what is stamped five seconds ahead of the
    /// clock is among them.
    #[must_use]
    pub const fn refused(&self) -> (u64, Option<&NotTaken>) {
        (self.refused, self.last_refusal.as_ref())
    }

    /// The ticks that came after their bar had closed, since this was asked last: instrument, time, price, size.
    pub fn late(&mut self) -> impl Iterator<Item = (Symbol, Timestamp, Decimal, Decimal)> {
        self.aggregator.late()
    }

    /// Takes one event of the source.
    fn take(&mut self, event: MarketEvent) -> Result<(), MarketDataError> {
        let Some(time) = event.priced_at() else {
            self.time.hear(&event);
            match event {
                MarketEvent::Revised(bar) => {
                    let taken = self.aggregator.revise(&bar);
                    return self.look(taken);
                }
                MarketEvent::Gap { to, .. } => self.aggregator.whole_since(to),
                _ => {}
            }
            self.said.push_back(event);
            return Ok(());
        };
        if self.time.is_ahead(time) {
            self.refused = self.refused.saturating_add(1);
            return Ok(());
        }
        if std::mem::take(&mut self.resumed) {
            self.aggregator.whole_since(time);
        }
        let is_heard = match event {
            MarketEvent::Trade(_) => self.prices == Prices::Trades,
            MarketEvent::Quote(_) => self.prices == Prices::Mids,
            _ => true,
        };
        if is_heard {
            self.time.hear(&event);
        }
        match (&event, self.prices) {
            (MarketEvent::Trade(trade), Prices::Trades) => {
                let taken = self.aggregator.trade(trade);
                self.look(taken)
            }
            (MarketEvent::Quote(quote), Prices::Mids) => {
                let taken = self.aggregator.mid(quote);
                self.look(taken)
            }
            (MarketEvent::Bars { bars, .. }, _) => bars.iter().try_for_each(|bar| {
                let taken = self.aggregator.bar(bar);
                self.look(taken)
            }),
            _ => Ok(()),
        }
    }

    /// Counts what could not be taken; in a replay it is an error.
    fn look(&mut self, taken: Result<(), NotTaken>) -> Result<(), MarketDataError> {
        let Err(refusal) = taken else { return Ok(()) };
        self.refused = self.refused.saturating_add(1);
        let message = refusal.to_string();
        self.last_refusal = Some(refusal);
        if self.time.is_live() {
            return Ok(());
        }
        Err(MarketDataError::Source { path: self.source.name().to_owned(), message })
    }

    /// Lets time pass and puts what has closed in order.
    fn close(&mut self) {
        if let Some(now) = self.time.now() {
            self.aggregator.pass(now);
        }
        for Made { bar, partial, revision } in self.aggregator.closed() {
            if partial && !self.partial {
                continue;
            }
            if revision && self.last_end.is_some_and(|last| bar.timestamp <= last) {
                self.said.push_back(MarketEvent::Revised(bar));
            } else if self.last_end.is_some_and(|last| bar.timestamp < last) {
                self.outdated = self.outdated.saturating_add(1);
            } else {
                self.ready.entry(bar.timestamp).or_default().insert(bar.symbol.clone(), bar);
            }
        }
    }

    /// The next event that nothing can come before.
    fn ready(&mut self) -> Option<MarketEvent> {
        let due = self
            .ready
            .first_entry()
            .filter(|first| self.aggregator.next_end().is_none_or(|open| *first.key() <= open));
        match due {
            Some(first) => {
                let (time, bars) = first.remove_entry();
                self.last_end = Some(time);
                Some(MarketEvent::Bars { time, bars: bars.into_values().collect() })
            }
            None => self.said.pop_front(),
        }
    }
}

impl std::fmt::Debug for AggregatedFeed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("AggregatedFeed").field("source", &self.source.name()).finish_non_exhaustive()
    }
}

impl DataFeed for AggregatedFeed {
    fn name(&self) -> &str {
        self.source.name()
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        self.source.start().await?;
        self.resumed |= !self.stats.running && self.time.now().is_some();
        (self.stats.running, self.ended) = (true, false);
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        while self.stats.running {
            if let Some(event) = self.ready() {
                self.stats.ticks = self.stats.ticks.saturating_add(1);
                if let MarketEvent::Bars { time, .. } = event {
                    self.stats.last_time = Some(time);
                }
                return Ok(Some(event));
            }
            if self.ended {
                return Ok(None);
            }
            match self.time.next(&mut *self.source, self.aggregator.next_due()).await? {
                Some(Some(event)) => self.take(event)?,
                Some(None) => {
                    self.ended = true;
                    self.aggregator.finish();
                }
                None => {}
            }
            self.close();
        }
        Ok(None)
    }

    /// Bars that are open stay open: the feed can be started again.
    async fn stop(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = false;
        self.source.stop().await
    }

    fn stats(&self) -> FeedStats {
        FeedStats { symbols: self.aggregator.symbols() as u64, ..self.stats }
    }
}
