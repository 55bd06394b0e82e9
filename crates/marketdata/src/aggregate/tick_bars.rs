//! Bars by ticks, of any number of instruments: each closes when its own rule says so, and not by the clock.
//!
//! A bar begins with the time of its first tick and ends with that of its last; of bars that one tick makes, several have
//! one time. Ticks count in the order in which they come. One that is earlier than one before counts with that one's time,
//! and is counted as unsorted: these bars lose no volume, and their times never go back.

use super::activity::Activity;
use super::building::{Building, Factors, FixedBar, Part, Tick};
use super::hours::Hours;
use super::information::Information;
use super::renko::Renko;
use super::time_bars::{AggregationError, Closed, Counts, nanos};
use std::time::Duration;

/// Most bars that one tick may make.
pub const MAX_BARS_OF_A_TICK: u64 = 10_000;

/// Who crossed the spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggressor {
    /// The buyer.
    Buyer,
    /// The seller.
    Seller,
}

/// When the bars of one instrument close.
#[derive(Debug, Clone)]
pub enum Rule {
    /// By how much is traded.
    Activity(Activity),
    /// By how much more, or more one-sided, is traded than expected.
    Information(Information),
    /// By how far the price goes.
    Renko(Renko),
}

/// So many bars of one tick, where they are not too many; none where less than that is said.
pub(crate) fn bars_of_a_tick(bars: i128) -> Result<u64, AggregationError> {
    let bars = u64::try_from(bars.max(0)).unwrap_or(u64::MAX);
    if bars > MAX_BARS_OF_A_TICK { Err(AggregationError::TooManyBars { bars }) } else { Ok(bars) }
}

/// Where a rule leaves its bars.
pub(crate) struct Sink<'a> {
    pub(crate) slot: usize,
    pub(crate) closed: &'a mut Vec<Closed>,
    pub(crate) counts: &'a mut Counts,
}

impl Sink<'_> {
    /// A bar has closed, and the next is empty.
    pub(crate) fn close(&mut self, building: &mut Building, partial: bool) {
        match std::mem::replace(building, Building::NONE).spanned() {
            Some(bar) => self.push(bar, partial),
            None => self.counts.without_price += 1,
        }
    }

    pub(crate) fn push(&mut self, bar: FixedBar, partial: bool) {
        self.counts.bars += 1;
        self.closed.push(Closed { slot: self.slot, bar, partial, revision: false });
    }
}

/// A tick, what of it counts, and who crossed the spread for it where that is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Print {
    pub(crate) tick: Tick,
    pub(crate) part: Part,
    pub(crate) aggressor: Option<Aggressor>,
}

#[derive(Debug)]
struct Slot {
    rule: Rule,
    building: Building,
    /// The latest time that came.
    latest: i64,
    /// No bar goes beyond one of these.
    hours: Option<Hours>,
    /// That which the open bar is in.
    stretch: (i64, i64),
}

/// Bars by ticks.
#[derive(Debug)]
pub struct TickBars {
    flush_after: i64,
    slots: Vec<Slot>,
    closed: Vec<Closed>,
    counts: Counts,
    /// No stretch with an open bar ends before.
    next_end: i64,
}

impl TickBars {
    /// Without instruments. Bars that a stretch of hours ends close of themselves `flush_after` its end, by what
    /// [`pass`](Self::pass) is told.
    #[must_use]
    pub fn new(flush_after: Duration) -> Self {
        let flush_after = nanos(flush_after);
        Self {
            flush_after,
            slots: Vec::new(),
            closed: Vec::new(),
            counts: Counts::default(),
            next_end: i64::MAX,
        }
    }

    /// Adds an instrument, whose number is returned. With hours, no bar goes beyond one of theirs (of days: a session), its
    /// last is partial, and what comes at other times is counted and left out.
    pub fn add(&mut self, rule: Rule, hours: Option<Hours>) -> usize {
        let stretch = if hours.is_some() { (i64::MIN, i64::MIN) } else { (i64::MIN, i64::MAX) };
        let (building, latest) = (Building::NONE, i64::MIN);
        self.slots.push(Slot { rule, building, latest, hours, stretch });
        self.slots.len() - 1
    }

    /// Takes a tick.
    ///
    /// # Errors
    /// [`AggregationError`]; nothing has changed then.
    #[inline]
    pub fn push(&mut self, slot: usize, tick: Tick) -> Result<(), AggregationError> {
        self.push_part(slot, tick, Part::ALL, None)
    }

    /// Takes of a tick what it may change. `aggressor` is who crossed the spread; where it is not known, imbalance and run
    /// bars go by the change of the price.
    ///
    /// # Errors
    /// [`AggregationError`]; nothing has changed then.
    #[inline]
    pub fn push_part(
        &mut self,
        slot: usize,
        mut tick: Tick,
        part: Part,
        aggressor: Option<Aggressor>,
    ) -> Result<(), AggregationError> {
        let Some(known) = self.slots.get(slot) else { return Err(AggregationError::UnknownSlot { slot }) };
        let late = tick.time < known.latest;
        tick.time = tick.time.max(known.latest);
        let within = known.stretch.0 <= tick.time && tick.time < known.stretch.1;
        if !within && !self.enter(slot, tick.time)? {
            return Ok(());
        }
        let Self { slots, closed, counts, .. } = self;
        let Some(known) = slots.get_mut(slot) else { return Err(AggregationError::UnknownSlot { slot }) };
        let mut sink = Sink { slot, closed, counts };
        let print = Print { tick, part, aggressor };
        let building = &mut known.building;
        match &mut known.rule {
            Rule::Activity(rule) => rule.take(building, &print, &mut sink)?,
            Rule::Information(rule) => rule.take(building, &print, &mut sink),
            Rule::Renko(rule) => rule.take(building, &print, &mut sink)?,
        }
        known.latest = tick.time;
        self.counts.unsorted += u64::from(late);
        self.next_end = self.next_end.min(known.stretch.1);
        Ok(())
    }

    /// Goes to the stretch of hours that an instant lies in; `false` = the market is closed then.
    #[cold]
    fn enter(&mut self, slot: usize, time: i64) -> Result<bool, AggregationError> {
        let Some(known) = self.slots.get(slot) else { return Ok(false) };
        let stretch = match &known.hours {
            Some(hours) => hours.bar_at(time)?,
            None => Some(known.stretch),
        };
        if time >= known.stretch.1 {
            self.cut(slot);
        }
        let Some((stretch, known)) = stretch.zip(self.slots.get_mut(slot)) else {
            self.counts.outside += 1;
            return Ok(false);
        };
        known.stretch = stretch;
        Ok(true)
    }

    /// The open bar of an instrument ends before its rule says so.
    fn cut(&mut self, slot: usize) {
        let Self { slots, closed, counts, .. } = self;
        let Some(known) = slots.get_mut(slot) else { return };
        if !known.building.is_untouched() {
            Sink { slot, closed, counts }.close(&mut known.building, true);
            if let Rule::Information(rule) = &mut known.rule {
                rule.cut();
            }
        }
    }

    /// Lets time pass to an instant: the machine's in live trading, the data's own in a replay. Bars close whose hours ended
    /// `flush_after` before it.
    pub fn pass(&mut self, now: i64) {
        let due = now.saturating_sub(self.flush_after);
        if self.next_end > due {
            return;
        }
        let mut next_end = i64::MAX;
        for slot in 0..self.slots.len() {
            if self.slots.get(slot).is_some_and(|known| known.stretch.1 <= due) {
                self.cut(slot);
            }
            let open = self.slots.get(slot).filter(|known| !known.building.is_untouched());
            next_end = open.map_or(next_end, |known| next_end.min(known.stretch.1));
        }
        self.next_end = next_end;
    }

    /// The source has ended: what is open closes, and is partial.
    pub fn finish(&mut self) {
        for slot in 0..self.slots.len() {
            self.cut(slot);
        }
        self.next_end = i64::MAX;
    }

    /// When the next bar closes of itself; `None` = there is none.
    #[must_use]
    pub fn next_due(&self) -> Option<i64> {
        (self.next_end < i64::MAX).then(|| self.next_end.saturating_add(self.flush_after))
    }

    /// Gives the numbers of an instrument more digits, with those of its bars that nobody has
    /// collected. Whether everything still fits; nothing has changed where it does not.
    pub(crate) fn rescale(&mut self, slot: usize, by: Factors) -> bool {
        let Some(known) = self.slots.get_mut(slot) else { return false };
        let mut building = known.building;
        let rule = match &known.rule {
            Rule::Activity(rule) => rule.rescaled(by).map(Rule::Activity),
            Rule::Information(rule) => rule.rescaled(by).map(Rule::Information),
            Rule::Renko(rule) => rule.rescaled(by).map(Rule::Renko),
        };
        let Some(rule) = rule.filter(|_| building.rescale(by)) else { return false };
        if !Closed::rescale_all(&mut self.closed, slot, by) {
            return false;
        }
        (known.rule, known.building) = (rule, building);
        true
    }

    /// The rule of an instrument, and where it stands.
    #[must_use]
    pub fn rule(&self, slot: usize) -> Option<&Rule> {
        self.slots.get(slot).map(|known| &known.rule)
    }

    /// The bars that have closed since this was asked last, in the order in which they did.
    pub fn closed(&mut self) -> std::vec::Drain<'_, Closed> {
        self.closed.drain(..)
    }

    /// What was done so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }
}
