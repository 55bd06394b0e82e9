//! Bars of one instant become one event.

use super::queue::Queue;
use mts_foundation::market_data::MarketEvent;
use mts_foundation::{Bar, Interval, Symbol, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// Instants that are waited for at once at most, of all intervals.
const MAX_INSTANTS: usize = 64;

/// Bars that wait for the others of their instant.
#[derive(Debug, Default)]
pub(super) struct Gather {
    waiting: BTreeMap<(Timestamp, Interval), (BTreeMap<Symbol, Bar>, Duration)>,
    /// The instant whose bars were handed on last.
    last: BTreeMap<Interval, Timestamp>,
}

impl Gather {
    /// Takes a bar, one of so many, which wait until `due`. Whether it is late: then it is handed on alone.
    pub(super) fn take(&mut self, bar: Bar, together: usize, due: Duration, queue: &mut Queue) -> bool {
        let (time, interval) = (bar.timestamp, bar.interval);
        if self.last.get(&interval).is_some_and(|last| time <= *last) {
            queue.event(MarketEvent::Bars { time, bars: vec![bar].into() }, time);
            return true;
        }
        let (bars, _) = self.waiting.entry((time, interval)).or_insert_with(|| (BTreeMap::new(), due));
        bars.insert(bar.symbol.clone(), bar);
        if bars.len() >= together {
            // What is older comes before.
            self.hand_on((time, interval), queue);
        } else if self.waiting.len() > MAX_INSTANTS
            && let Some(oldest) = self.waiting.keys().next().copied()
        {
            self.hand_on(oldest, queue);
        }
        false
    }

    /// Puts a bar in the place of one that waits. Whether one did.
    pub(super) fn replace(&mut self, bar: &Bar) -> bool {
        let waiting = self.waiting.get_mut(&(bar.timestamp, bar.interval));
        let old = waiting.and_then(|(bars, _)| bars.get_mut(&bar.symbol));
        old.map(|old| *old = bar.clone()).is_some()
    }

    /// Hands on what was waited for long enough; everything, with `None`.
    pub(super) fn tick(&mut self, now: Option<Duration>, queue: &mut Queue) {
        let is_due = |due: Duration| now.is_none_or(|now| now >= due);
        let due = self.waiting.iter().filter(|(_, (_, due))| is_due(*due)).map(|(key, _)| *key);
        for key in due.collect::<Vec<_>>() {
            self.hand_on(key, queue);
        }
    }

    /// The bars of an instant, and all that are older.
    fn hand_on(&mut self, these: (Timestamp, Interval), queue: &mut Queue) {
        let older = self.waiting.keys().copied().filter(|key| key.0 < these.0);
        for key in older.chain([these]).collect::<Vec<_>>() {
            if let Some((bars, _)) = self.waiting.remove(&key) {
                let (time, interval) = key;
                self.last.insert(interval, time);
                queue.event(MarketEvent::Bars { time, bars: bars.into_values().collect() }, time);
            }
        }
    }
}
