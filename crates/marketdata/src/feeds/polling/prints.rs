//! Which prints of an answer are new: an exchange answers with its latest page, and the pages overlap.

use mts_foundation::{Decimal, Timestamp, Trade};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Prints that are remembered of an instrument at least; of longer answers two are remembered.
const REMEMBERED: usize = 4_096;

/// By how much a stamp may be ahead of our clock.
const AHEAD: Duration = Duration::from_secs(5);

/// What tells prints apart, also where an exchange gives no ids, or an id twice: the last part counts equal ones of an
/// answer.
type Key = (Timestamp, SmolStr, Decimal, Decimal, usize);

/// What an answer has brought.
#[derive(Debug, Default)]
pub(super) struct News {
    /// New prints, oldest first.
    pub(super) trades: Vec<Trade>,
    /// Stretches in which prints are missing.
    pub(super) gaps: Vec<(Timestamp, Timestamp)>,
    /// Prints that cannot be.
    pub(super) refused: u64,
}

/// The prints of an instrument that have come.
#[derive(Debug)]
pub(super) struct Prints {
    order: VecDeque<Key>,
    known: BTreeSet<Key>,
    /// Older ones are not new, known or not: they were before the start, or have been forgotten.
    floor: Timestamp,
    /// The time of the newest that has come.
    newest: Timestamp,
}

impl Prints {
    /// Prints from an instant on.
    pub(super) fn since(start: Timestamp) -> Self {
        Self { order: VecDeque::new(), known: BTreeSet::new(), floor: start, newest: start }
    }

    /// The time up to which everything has come.
    pub(super) fn newest(&self) -> Timestamp {
        self.newest
    }

    /// Takes an answer, oldest first. It is whole when it reaches back to what has come: when one of its prints is known, or
    /// its first is older than the newest that is.
    pub(super) fn answer(&mut self, trades: Vec<Trade>, now: Timestamp) -> News {
        let mut news = News::default();
        let Some(first) = trades.first().map(|trade| trade.timestamp) else { return news };
        let most = REMEMBERED.max(trades.len().saturating_mul(2));
        let keys = keys(&trades);
        if first >= self.newest && !keys.iter().any(|key| self.known.contains(key)) {
            news.gaps.push((self.newest, first));
        }
        for (trade, key) in trades.into_iter().zip(keys) {
            if trade.timestamp < self.floor || !self.known.insert(key.clone()) {
                continue;
            }
            self.order.push_back(key);
            let is_ahead = trade.timestamp.since(now) > AHEAD;
            if is_ahead || trade.price <= Decimal::ZERO || trade.size <= Decimal::ZERO {
                news.refused = news.refused.saturating_add(1);
                news.gaps.push((self.newest.min(trade.timestamp), trade.timestamp.min(now).max(self.newest)));
            } else {
                self.newest = self.newest.max(trade.timestamp);
                news.trades.push(trade);
            }
        }
        while self.order.len() > most
            && let Some(key) = self.order.pop_front()
        {
            self.known.remove(&key);
            // What is of the same instant may be forgotten too: it must not be new again.
            self.floor = self.floor.max(key.0.plus(Duration::from_nanos(1)));
        }
        news
    }
}

fn keys(trades: &[Trade]) -> Vec<Key> {
    let mut equal = BTreeMap::new();
    let key = |trade: &Trade| {
        let (time, id) = (trade.timestamp, trade.trade_id.clone());
        let count: &mut usize = equal.entry((time, id.clone(), trade.price, trade.size)).or_default();
        *count = count.saturating_add(1);
        (time, id, trade.price, trade.size, *count)
    };
    trades.iter().map(key).collect()
}
