//! What has traded at the venue, whoever did it, and bars that have ended: what requests of market data are answered with.

use super::{Desk, MAX_PRICES};
use mts_foundation::{Bar, Decimal, Interval, Symbol, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// Most prints that are kept; the oldest go.
const MAX_PRINTS: usize = 100_000;
/// Most bars that are kept; further ones are not.
const MAX_BARS: usize = 200_000;

/// A trade of anybody's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Print {
    /// Counted from 0 over all instruments.
    pub(crate) number: u64,
    pub(crate) symbol: Symbol,
    pub(crate) price: Decimal,
    pub(crate) size: Decimal,
    pub(crate) time: Timestamp,
    /// Units of the instrument that have traded so far, with these.
    pub(crate) total: Decimal,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tape {
    next: u64,
    prints: VecDeque<Print>,
    totals: BTreeMap<Symbol, Decimal>,
    /// By length and end.
    bars: BTreeMap<Symbol, BTreeMap<(Interval, Timestamp), Bar>>,
    kept: usize,
}

impl Tape {
    pub(super) fn print(&mut self, symbol: &Symbol, price: Decimal, size: Decimal, time: Timestamp) {
        if !self.totals.contains_key(symbol) && self.totals.len() >= MAX_PRICES {
            return;
        }
        let total = self.totals.entry(symbol.clone()).or_default();
        *total = total.saturating_add(size);
        let print = Print { number: self.next, symbol: symbol.clone(), price, size, time, total: *total };
        if self.prints.len() >= MAX_PRINTS {
            self.prints.pop_front();
        }
        self.prints.push_back(print);
        self.next += 1;
    }

    pub(super) fn keep(&mut self, bar: &Bar) {
        if self.kept >= MAX_BARS {
            return;
        }
        let bars = self.bars.entry(bar.symbol.clone()).or_default();
        self.kept += usize::from(bars.insert((bar.interval, bar.timestamp), bar.clone()).is_none());
    }
}

impl Desk {
    /// The prints that are kept of an instrument, oldest first.
    pub(crate) fn prints(&self, symbol: &Symbol) -> impl DoubleEndedIterator<Item = &Print> {
        self.tape.prints.iter().filter(move |print| print.symbol == *symbol)
    }

    /// Those from a number on, of all instruments.
    pub(crate) fn prints_from(&self, number: u64) -> impl DoubleEndedIterator<Item = &Print> {
        let first = self.tape.prints.partition_point(|print| print.number < number);
        self.tape.prints.range(first..)
    }

    /// The number of the next print.
    pub(crate) fn next_print(&self) -> u64 {
        self.tape.next
    }

    /// The bars of a length that were handed in, by their ends.
    pub(crate) fn kept_bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
    ) -> impl DoubleEndedIterator<Item = &Bar> {
        let all = self.tape.bars.get(symbol).into_iter().flatten();
        let of_length = all.filter(move |((length, _), _)| *length == interval);
        of_length.map(|(_, bar)| bar)
    }
}
