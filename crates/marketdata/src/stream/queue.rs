//! What waits for the consumer, bounded.
//!
//! Quotes are a state: only the latest of a symbol waits, at the place of the first. Prints and bars are events: what does not
//! fit is counted, and a `Gap` stands where it is missing.

use mts_foundation::market_data::MarketEvent;
use mts_foundation::{Quote, Symbol, Timestamp, VenueName};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Events of the connection beyond the capacity at most: a gap, and two changes of health, the end.
pub const RESERVE: usize = 8;

#[derive(Debug)]
enum Slot {
    Event(MarketEvent),
    /// The latest quote of a symbol.
    Quote(Symbol),
}

/// A bounded queue of market events.
#[derive(Debug)]
pub struct Queue {
    venue: VenueName,
    capacity: usize,
    slots: VecDeque<Slot>,
    quotes: BTreeMap<Symbol, Quote>,
    /// When the last event went in that must not be lost.
    covered: Option<Timestamp>,
    /// What is missing at the end of the queue.
    lost: Option<(Timestamp, Timestamp)>,
    dropped: u64,
    conflated: u64,
}

impl Queue {
    /// For so many events; at least one.
    #[must_use]
    pub fn new(venue: VenueName, capacity: usize) -> Self {
        Self {
            venue,
            capacity: capacity.max(1),
            slots: VecDeque::new(),
            quotes: BTreeMap::new(),
            covered: None,
            lost: None,
            dropped: 0,
            conflated: 0,
        }
    }

    /// How many wait: never more than the capacity, the symbols with quotes, and [`RESERVE`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.lost.is_none()
    }

    /// Prints and bars that did not fit. Each is in a `Gap`.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Quotes that a later one has replaced.
    #[must_use]
    pub fn conflated(&self) -> u64 {
        self.conflated
    }

    /// The latest quote takes the place of one that waits.
    pub fn quote(&mut self, quote: Quote) {
        let symbol = quote.symbol.clone();
        if self.quotes.insert(symbol.clone(), quote).is_some() {
            self.conflated = self.conflated.saturating_add(1);
        } else {
            self.slots.push_back(Slot::Quote(symbol));
        }
    }

    /// A print or bars, of an instant.
    pub fn event(&mut self, event: MarketEvent, time: Timestamp) {
        if self.is_full() {
            self.dropped = self.dropped.saturating_add(1);
            // What was dropped lies before the first instant that is covered again.
            let after = time.plus(Duration::from_nanos(1));
            self.lose(self.covered.unwrap_or(time).min(time), after);
            return;
        }
        self.settle();
        self.covered = Some(self.covered.map_or(time, |covered| covered.max(time)));
        self.slots.push_back(Slot::Event(event));
    }

    /// Something is missing. Gaps that follow one another are one.
    pub fn gap(&mut self, from: Timestamp, to: Timestamp) {
        self.lose(from, to);
        if !self.is_full() {
            self.settle();
        }
    }

    /// That history follows. It is not said when the history will not fit.
    pub fn backfilled(&mut self, symbol: Symbol, from: Timestamp, to: Timestamp) {
        if !self.is_full() {
            self.settle();
            let venue = self.venue.clone();
            self.slots.push_back(Slot::Event(MarketEvent::Backfilled { venue, symbol, from, to }));
        }
    }

    /// Whether prices can be trusted, and whose. Of what nobody has seen, the first and the last are told.
    pub fn health(&mut self, event: MarketEvent) {
        let is_health = |slot: &Slot| {
            matches!(slot, Slot::Event(MarketEvent::Stale { .. } | MarketEvent::Recovered { .. }))
        };
        let mut waiting = self.slots.iter().enumerate().filter(|(_, slot)| is_health(slot));
        if let (Some((_, Slot::Event(first))), Some((last, _))) = (waiting.next(), waiting.next()) {
            let is_known = says_the_same(first, &event);
            self.slots.remove(last);
            if is_known {
                return;
            }
        }
        self.slots.push_back(Slot::Event(event));
    }

    /// The last event.
    pub fn fatal(&mut self, message: String) {
        self.settle();
        self.slots.push_back(Slot::Event(MarketEvent::Fatal { venue: self.venue.clone(), message }));
    }

    /// The next event.
    pub fn pop(&mut self) -> Option<MarketEvent> {
        let event = match self.slots.pop_front() {
            Some(Slot::Event(event)) => Some(event),
            Some(Slot::Quote(symbol)) => self.quotes.remove(&symbol).map(MarketEvent::Quote),
            None => None,
        };
        event.or_else(|| self.lost_event())
    }

    fn is_full(&self) -> bool {
        self.slots.len() >= self.capacity
    }

    fn lose(&mut self, from: Timestamp, to: Timestamp) {
        let (first, last) = self.lost.unwrap_or((from, to));
        self.lost = Some((first.min(from), last.max(to)));
    }

    /// Says what is missing before what comes next.
    fn settle(&mut self) {
        if let Some(gap) = self.lost_event() {
            self.slots.push_back(Slot::Event(gap));
        }
    }

    fn lost_event(&mut self) -> Option<MarketEvent> {
        let (from, to) = self.lost.take()?;
        Some(MarketEvent::Gap { venue: self.venue.clone(), from, to })
    }
}
/// Whether two words on the health of prices mean the same.
fn says_the_same(one: &MarketEvent, other: &MarketEvent) -> bool {
    match (one, other) {
        (
            MarketEvent::Stale { symbols: one, cause: first, .. },
            MarketEvent::Stale { symbols: other, cause: second, .. },
        ) => one == other && first == second,
        (MarketEvent::Recovered { .. }, MarketEvent::Recovered { .. }) => true,
        _ => false,
    }
}
