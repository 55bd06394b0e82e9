//! What is known of one topic: what came last, what came already, what is missing.

use super::liveness::Patience;
use super::protocol::{Level, Topic};
use mts_foundation::{Bar, Timestamp, Trade};
use smol_str::SmolStr;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// Why live prints and bars wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// The connection is gone, or the new one is not live yet.
    Interrupted,
    /// What is missing may come by the other connection.
    Reorder(Duration),
    /// The history is asked from this moment on.
    Ask(Duration),
    /// The history was asked; this long it is waited for.
    Asked(Duration),
    /// The history has answered, and nothing has come since by which to tell whether it was up to date: the next print waits
    /// until it was asked once more.
    Unproven,
}

/// A print that waits, or a number that is taken.
pub(super) type Held = (Option<u64>, Option<Trade>);

/// How often the history is asked for what is missing in its middle: it may be behind.
pub(super) const MAX_TRIES: u32 = 3;

#[derive(Debug)]
pub(super) struct Following {
    pub(super) topic: Topic,
    pub(super) patience: Patience,
    /// When its data came last, on the monotonic clock.
    pub(super) heard: Duration,
    pub(super) is_stale: bool,
    /// Of an order book: since when there is none, once that is known.
    pub(super) lacks_book: Option<Duration>,
    /// The latest print or bar that was handed on.
    pub(super) last_time: Option<Timestamp>,
    pub(super) last_number: Option<u64>,
    /// The venue's newest number, where it tells.
    pub(super) newest: Option<u64>,
    pub(super) seen: Seen,
    pub(super) hold: Option<Hold>,
    /// Since when something is held.
    pub(super) hold_since: Option<Duration>,
    pub(super) held: Vec<Held>,
    pub(super) held_bars: Vec<Bar>,
    pub(super) tries: u32,
    pub(super) touch: (Option<Level>, Option<Level>),
    pub(super) touch_time: Option<Timestamp>,
    pub(super) touch_number: Option<u64>,
    pub(super) forming: Option<Bar>,
}

impl Following {
    pub(super) fn new(topic: Topic, patience: Patience, remembered: usize, now: Duration) -> Self {
        Self {
            topic,
            patience,
            heard: now,
            is_stale: false,
            lacks_book: None,
            last_time: None,
            last_number: None,
            newest: None,
            seen: Seen::new(remembered),
            hold: None,
            hold_since: None,
            held: Vec::new(),
            held_bars: Vec::new(),
            tries: 0,
            touch: (None, None),
            touch_time: None,
            touch_number: None,
            forming: None,
        }
    }

    /// Whether something may be missing that is waited for.
    pub(super) fn waits(&self) -> bool {
        self.hold.is_some_and(|hold| hold != Hold::Unproven)
    }

    /// How long something is held already.
    pub(super) fn waited(&mut self, now: Duration) -> Duration {
        if !self.waits() {
            self.hold_since = None;
            return Duration::ZERO;
        }
        now.saturating_sub(*self.hold_since.get_or_insert(now))
    }

    /// The connection is gone: what was said by halves is forgotten.
    pub(super) fn interrupt(&mut self) {
        self.touch = (None, None);
        self.touch_number = None;
        self.forming = None;
        if self.last_time.is_some() || self.last_number.is_some() {
            self.hold = Some(Hold::Interrupted);
        }
    }

    /// What a print of this number is.
    pub(super) fn rank(&self, number: Option<u64>, trade: &Trade) -> Rank {
        let is_seen = self.seen.has(&trade.trade_id);
        let (Some(number), Some(last)) = (number, self.last_number) else {
            return if is_seen { Rank::Duplicate } else { Rank::Next };
        };
        let is_later = self.last_time.is_none_or(|last| trade.timestamp > last);
        match number.checked_sub(last) {
            Some(1) => Rank::Next,
            Some(2..) => Rank::Beyond,
            // Numbered anew: a number from long ago with a time after all others.
            Some(0) | None if !is_seen && !self.seen.reaches(number) && is_later => Rank::Renumbered,
            Some(0) | None if is_seen || !self.seen.reaches(number) => Rank::Duplicate,
            Some(0) | None => Rank::Late,
        }
    }

    /// A print was handed on.
    pub(super) fn passed(&mut self, number: Option<u64>, trade: &Trade) {
        self.seen.remember(&trade.trade_id, number);
        self.last_time = Some(self.last_time.map_or(trade.timestamp, |last| last.max(trade.timestamp)));
        self.taken(number);
    }

    /// A number is taken.
    pub(super) fn taken(&mut self, number: Option<u64>) {
        if let Some(number) = number {
            self.last_number = Some(self.last_number.map_or(number, |last| last.max(number)));
        }
    }
}

/// What a print is to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// The next one.
    Next,
    /// Some are missing before it.
    Beyond,
    /// It came before.
    Duplicate,
    /// One that was missing.
    Late,
    /// The venue numbers anew.
    Renumbered,
}

/// Ids that were handed on, the latest of them.
#[derive(Debug)]
pub(super) struct Seen {
    ids: BTreeSet<SmolStr>,
    oldest_first: VecDeque<(SmolStr, Option<u64>)>,
    most: usize,
}

impl Seen {
    fn new(most: usize) -> Self {
        Self { ids: BTreeSet::new(), oldest_first: VecDeque::new(), most: most.max(1) }
    }

    pub(super) fn has(&self, id: &SmolStr) -> bool {
        self.ids.contains(id)
    }

    /// Whether a number is not older than all that are remembered.
    fn reaches(&self, number: u64) -> bool {
        self.oldest_first.front().and_then(|(_, oldest)| *oldest).is_some_and(|oldest| number >= oldest)
    }

    fn remember(&mut self, id: &SmolStr, number: Option<u64>) {
        if !self.ids.insert(id.clone()) {
            return;
        }
        self.oldest_first.push_back((id.clone(), number));
        if self.oldest_first.len() > self.most
            && let Some((oldest, _)) = self.oldest_first.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.oldest_first.len()
    }
}
