//! Conflation: a price enters the core at most once a second for each instrument, or when it would trip something
//! (decision H7).

use crate::core::Core;
use crate::input::MarkUpdate;
use mts_foundation::market_data::MarketEvent;
use mts_foundation::{Decimal, Symbol, Table, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// Shortest time between two marks of one instrument that trip nothing.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is known of an instrument's marks.
#[derive(Debug)]
struct Conflated {
    /// When the last was let through.
    last: Timestamp,
    /// Held back, the newest: let through once the interval is over.
    held: Option<Decimal>,
}

/// The last marks that were let through. Instruments are those of the table, so their number is bounded.
#[derive(Debug, Default)]
pub(super) struct Conflation {
    marks: Table<Symbol, Conflated>,
    /// When what is held back is due.
    due: BTreeSet<(Timestamp, Symbol)>,
    pub(super) conflated: u64,
}

impl Conflation {
    /// What of an event is to enter the core now.
    pub(super) fn of(&mut self, event: &MarketEvent, core: &Core, now: Timestamp) -> Option<MarkUpdate> {
        match event {
            MarketEvent::Quote(quote) if quote.is_sane() => self.one(&quote.symbol, quote.mid(), core, now),
            MarketEvent::Trade(trade) => self.one(&trade.symbol, trade.price, core, now),
            _ => None,
        }
    }

    fn one(&mut self, symbol: &Symbol, price: Decimal, core: &Core, now: Timestamp) -> Option<MarkUpdate> {
        let let_through = || Some(MarkUpdate { symbol: symbol.clone(), price });
        let Some(known) = self.marks.get_mut(symbol) else {
            core.config().instruments.get(symbol)?;
            self.marks.insert(symbol.clone(), Conflated { last: now, held: None });
            return let_through();
        };
        let due = known.last.plus(INTERVAL);
        if now < due && !core.would_trip(symbol, price) {
            self.conflated = self.conflated.saturating_add(1);
            if known.held.replace(price).is_none() {
                self.due.insert((due, symbol.clone()));
            }
            return None;
        }
        if known.held.take().is_some() {
            self.due.remove(&(due, symbol.clone()));
        }
        known.last = now;
        let_through()
    }

    /// Prices that were held back and whose interval is over.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<MarkUpdate> {
        let mut marks = Vec::new();
        while let Some((_, symbol)) = self.due.first().filter(|(due, _)| *due <= now) {
            let symbol = symbol.clone();
            self.due.pop_first();
            if let Some(known) = self.marks.get_mut(&symbol)
                && let Some(price) = known.held.take()
            {
                known.last = now;
                marks.push(MarkUpdate { symbol, price });
            }
        }
        marks
    }

    /// When [`Conflation::due`] has something next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }
}
