//! Conflation: a price enters the core at most once a second for each instrument, or when it would trip something
//! (decision H7).

use crate::core::Core;
use crate::input::MarkUpdate;
use mts_foundation::market_data::MarketEvent;
use mts_foundation::{Decimal, Symbol, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// Shortest time between two marks of one instrument that trip nothing.
const INTERVAL: Duration = Duration::from_secs(1);

/// The last marks that were let through. Instruments are those of the table, so their number is bounded.
#[derive(Debug, Default)]
pub(super) struct Conflation {
    last: BTreeMap<Symbol, Timestamp>,
    /// Held back, newest per instrument: let through once the interval is over.
    held: BTreeMap<Symbol, Decimal>,
    pub(super) conflated: u64,
}

impl Conflation {
    /// What of an event is to enter the core now.
    pub(super) fn of(&mut self, event: &MarketEvent, core: &Core, now: Timestamp) -> Vec<MarkUpdate> {
        match event {
            MarketEvent::Quote(quote) if quote.is_sane() => self.one(&quote.symbol, quote.mid(), core, now),
            MarketEvent::Trade(trade) => self.one(&trade.symbol, trade.price, core, now),
            _ => Vec::new(),
        }
    }

    fn one(&mut self, symbol: &Symbol, price: Decimal, core: &Core, now: Timestamp) -> Vec<MarkUpdate> {
        if core.config().instruments.get(symbol).is_none() {
            return Vec::new();
        }
        let due = self.last.get(symbol).is_none_or(|last| now.since(*last) >= INTERVAL);
        if !due && !core.would_trip(symbol, price) {
            self.conflated = self.conflated.saturating_add(1);
            self.held.insert(symbol.clone(), price);
            return Vec::new();
        }
        self.held.remove(symbol);
        self.last.insert(symbol.clone(), now);
        vec![MarkUpdate { symbol: symbol.clone(), price }]
    }

    /// Prices that were held back and whose interval is over.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<MarkUpdate> {
        let last = &self.last;
        let over = |symbol: &Symbol| last.get(symbol).is_none_or(|last| now.since(*last) >= INTERVAL);
        let due: Vec<Symbol> = self.held.keys().filter(|symbol| over(symbol)).cloned().collect();
        due.into_iter()
            .filter_map(|symbol| {
                let price = self.held.remove(&symbol)?;
                self.last.insert(symbol.clone(), now);
                Some(MarkUpdate { symbol, price })
            })
            .collect()
    }

    /// When [`Conflation::due`] has something next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.held.keys().filter_map(|symbol| self.last.get(symbol)).min().map(|last| last.plus(INTERVAL))
    }
}
