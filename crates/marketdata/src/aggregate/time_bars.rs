//! Bars by time, of any number of instruments, each with a clock of its own.
//!
//! A bar closes when something of its instrument comes that is later than its end by `lateness`, when somebody says that so
//! much time has passed, or when the source has ended. What comes for a bar that has closed is late: it is counted and
//! handed out apart, and changes nothing (decision M2).

use super::building::{Building, Factors, FixedBar, Part, Tick};
use super::hours::Hours;
use super::revisions::{Memory, Outcome};
use super::schedule::Schedule;
use super::tick_bars::MAX_BARS_OF_A_TICK;
use mts_foundation::calendar::CalendarError;
use std::collections::VecDeque;
use std::time::Duration;

/// Most late ticks that wait to be collected; the oldest goes first, and is counted.
const MAX_LATE: usize = 4_096;

/// Most bars of one instrument that are open at once, where ticks may be late.
const MAX_OPEN: usize = 64;

/// How patient bars are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How much later a tick must be than the end of a bar to close it. Zero: the first tick of a later bar closes it.
    pub lateness: Duration,
    /// How long after its end a bar closes of itself, by what [`TimeBars::pass`] is told; `lateness` where that is longer. A bar
    /// that ends with its session does so after `lateness`: no later tick of it is to be expected.
    pub flush_after: Duration,
}

/// The same in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Waits {
    lateness: i64,
    flush_after: i64,
}

impl Waits {
    /// When a bar closes of itself.
    fn due(self, hours: &Hours, end: i64) -> i64 {
        end.saturating_add(if hours.is_close(end) { self.lateness } else { self.flush_after })
    }
}

impl Default for Patience {
    /// No lateness, and two seconds.
    fn default() -> Self {
        Self { lateness: Duration::ZERO, flush_after: Duration::from_secs(2) }
    }
}

/// A bar that will not change any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Of which instrument: what [`TimeBars::add`] returned.
    pub slot: usize,
    /// The bar.
    pub bar: FixedBar,
    /// It began before the data did, or the data ended before it did.
    pub partial: bool,
    /// It takes the place of a bar that was handed out before, see [`TimeBars::remember`].
    pub revision: bool,
}

/// A tick for a bar that has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// Of which instrument.
    pub slot: usize,
    /// The tick.
    pub tick: Tick,
}

impl Late {
    fn rescaled(&self, by: Factors) -> Option<Self> {
        let Tick { time, price, size } = self.tick;
        let (price, size) = (price.checked_mul(by.price)?, size.checked_mul(by.size)?);
        Some(Self { slot: self.slot, tick: Tick { time, price, size } })
    }
}

impl Closed {
    fn rescaled(&self, by: Factors) -> Option<Self> {
        self.bar.rescaled(by).map(|bar| Self { bar, ..*self })
    }

    /// Gives more digits to those of one instrument among bars that nobody has collected. Whether they all fit; nothing has
    /// changed where one does not.
    pub(crate) fn rescale_all(bars: &mut [Self], slot: usize, by: Factors) -> bool {
        let of_slot = |closed: &&mut Self| closed.slot == slot;
        let fit = bars.iter_mut().filter(of_slot).all(|closed| closed.rescaled(by).is_some());
        for closed in bars.iter_mut().filter(of_slot).filter(|_| fit) {
            *closed = closed.rescaled(by).unwrap_or(*closed);
        }
        fit
    }
}

/// What was done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bars that closed.
    pub bars: u64,
    /// Ticks for bars that had closed.
    pub late: u64,
    /// Late ticks that nobody collected in time.
    pub forgotten: u64,
    /// Ticks at times at which the market is closed.
    pub outside: u64,
    /// Bars in which nothing had a price.
    pub without_price: u64,
    /// Bars that were handed out anew.
    pub revisions: u64,
    /// Ticks of bars by ticks that were earlier than one before, and counted with that one's time.
    pub unsorted: u64,
}

/// Why something cannot become part of a bar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AggregationError {
    /// No instrument has this number.
    #[error("slot {slot} is of no instrument: add it first")]
    UnknownSlot {
        /// The number.
        slot: usize,
    },
    /// A bar that is not within one of ours.
    #[error(
        "a bar from {start} to {end} does not fit into the bar from {ours_start} to {ours_end}: aggregate smaller bars into larger ones"
    )]
    DoesNotFit {
        /// Its beginning; nanoseconds since 1970, as all of these.
        start: i64,
        /// Its end.
        end: i64,
        /// The beginning of the bar at its beginning.
        ours_start: i64,
        /// The end of that.
        ours_end: i64,
    },
    /// One tick would make too many bars.
    #[error(
        "one tick would make {bars} bars, more than {MAX_BARS_OF_A_TICK}: check the source, or make larger bars"
    )]
    TooManyBars {
        /// How many.
        bars: u64,
    },
    /// The calendar does not cover the time.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
}

#[derive(Debug)]
struct Slot {
    hours: Hours,
    /// What is before it has closed.
    closed: i64,
    /// From when on the data is whole; `MAX` = nothing has come.
    began: i64,
    /// The latest that came.
    latest: i64,
    /// Bars before the open one that may still change, oldest first.
    waiting: VecDeque<Building>,
    memory: Memory,
}

/// Bars by time.
#[derive(Debug)]
pub struct TimeBars {
    patience: Waits,
    /// How many closed bars of each instrument are remembered.
    remembered: usize,
    /// The open bar of each instrument, apart from what is seldom needed: these are what a tick touches.
    open: Vec<Building>,
    slots: Vec<Slot>,
    closed: Vec<Closed>,
    late: VecDeque<Late>,
    counts: Counts,
    schedule: Schedule,
    /// How far time has passed, by what [`TimeBars::pass`] was told.
    passed: i64,
}

impl TimeBars {
    /// Without instruments.
    #[must_use]
    pub fn new(patience: Patience) -> Self {
        Self {
            patience: Waits {
                lateness: nanos(patience.lateness),
                flush_after: nanos(patience.flush_after.max(patience.lateness)),
            },
            remembered: 0,
            open: Vec::new(),
            slots: Vec::new(),
            closed: Vec::new(),
            late: VecDeque::new(),
            counts: Counts::default(),
            schedule: Schedule::default(),
            passed: i64::MIN,
        }
    }

    /// Adds an instrument, whose number is returned. `since` says from when on its data is whole; without it that is from
    /// its first tick on, and the bar that this lies in is partial.
    pub fn add(&mut self, hours: Hours, since: Option<i64>) -> usize {
        let began = since.unwrap_or(i64::MAX);
        self.open.push(Building::NONE);
        let (waiting, memory) = (VecDeque::new(), Memory::default());
        self.slots.push(Slot { hours, closed: i64::MIN, began, latest: i64::MIN, waiting, memory });
        self.slots.len() - 1
    }

    /// How many closed bars of each instrument are remembered, with the smaller bars they are of, so that
    /// [`revise`](Self::revise) can correct them; none unless this says otherwise. What came before it was said is not
    /// remembered.
    pub fn remember(&mut self, bars: usize) {
        self.remembered = bars;
    }

    /// Takes a tick.
    ///
    /// # Errors
    /// [`AggregationError`]; nothing has changed then.
    #[inline]
    pub fn push(&mut self, slot: usize, tick: Tick) -> Result<(), AggregationError> {
        match self.open.get_mut(slot) {
            Some(open) if open.takes(tick.time) => {
                open.add(tick);
                Ok(())
            }
            _ => self.elsewhere(slot, tick, Part::ALL),
        }
    }

    /// Takes of a tick what it may change.
    ///
    /// # Errors
    /// [`AggregationError`]; nothing has changed then.
    #[inline]
    pub fn push_part(&mut self, slot: usize, tick: Tick, part: Part) -> Result<(), AggregationError> {
        match self.open.get_mut(slot) {
            Some(open) if open.takes(tick.time) => {
                open.add_part(tick, part);
                Ok(())
            }
            _ => self.elsewhere(slot, tick, part),
        }
    }

    /// A tick that is not of the open bar.
    #[cold]
    fn elsewhere(&mut self, slot: usize, tick: Tick, part: Part) -> Result<(), AggregationError> {
        let Some(bar) = self.bar_for(slot, tick.time)? else {
            if self.is_closed(slot, tick.time) {
                self.is_late(Late { slot, tick });
            } else {
                self.counts.outside += 1;
            }
            return Ok(());
        };
        bar.add_part(tick, part);
        self.close_due(slot);
        Ok(())
    }

    /// Takes a smaller bar.
    ///
    /// # Errors
    /// [`AggregationError::DoesNotFit`] for one that is longer than ours, or over two of them; nothing has changed then.
    pub fn push_bar(&mut self, slot: usize, bar: &FixedBar) -> Result<(), AggregationError> {
        let known = self.slots.get(slot).ok_or(AggregationError::UnknownSlot { slot })?;
        if let Some((ours_start, ours_end)) = known.hours.bar_at(bar.start)?
            && (bar.end > ours_end || bar.end <= bar.start)
        {
            let (start, end) = (bar.start, bar.end);
            return Err(AggregationError::DoesNotFit { start, end, ours_start, ours_end });
        }
        let Some(building) = self.bar_for(slot, bar.start)? else {
            if self.is_closed(slot, bar.start) {
                self.late_bar(slot, bar);
            } else {
                self.counts.outside += 1;
            }
            return Ok(());
        };
        building.merge(bar);
        let window = (building.start, building.end());
        if self.remembered > 0
            && let Some(known) = self.slots.get_mut(slot)
        {
            known.memory.note(window, bar);
        }
        self.close_due(slot);
        Ok(())
    }

    /// Takes a smaller bar that takes the place of the one that began with it, as a venue corrects what it has sent. The bar
    /// it is part of is made anew of the smaller ones: where it is open still, that is all; where it has closed and is
    /// remembered ([`remember`](Self::remember)), it is handed out once more, as a revision. Who acts on bars has acted on
    /// the first; who stores them stores the last.
    ///
    /// What is not remembered, or is of ticks too, cannot be made anew: the correction is late. Where there is no bar yet it
    /// is a smaller bar as any other.
    ///
    /// # Errors
    /// As [`push_bar`](Self::push_bar).
    pub fn revise(&mut self, slot: usize, bar: &FixedBar) -> Result<(), AggregationError> {
        let (Some(known), Some(open)) = (self.slots.get_mut(slot), self.open.get_mut(slot)) else {
            return Err(AggregationError::UnknownSlot { slot });
        };
        let Slot { memory, waiting, .. } = known;
        let mut building = [open].into_iter().chain(waiting).find(|building| building.has(bar.start));
        if let Some(window) = memory.at(bar.start) {
            if bar.end > window.end() || bar.end <= bar.start {
                let (start, end) = (bar.start, bar.end);
                let (ours_start, ours_end) = (window.start(), window.end());
                return Err(AggregationError::DoesNotFit { start, end, ours_start, ours_end });
            }
            match (window.closed, &mut building) {
                (Some(outcome), _) if window.is_all_of(outcome.count) => {
                    if let Some(anew) = window.replace(bar).done() {
                        window.closed = Some(Outcome { count: anew.count, ..outcome });
                        self.counts.revisions += 1;
                        let partial = outcome.partial;
                        self.closed.push(Closed { slot, bar: anew, partial, revision: true });
                    }
                    return Ok(());
                }
                (None, Some(building)) if window.is_all_of(building.count()) => {
                    let mut anew = window.replace(bar);
                    anew.reaches_as(building);
                    **building = anew;
                    return Ok(());
                }
                _ => {}
            }
        }
        if building.is_none() {
            return self.push_bar(slot, bar);
        }
        self.late_bar(slot, bar);
        Ok(())
    }

    fn late_bar(&mut self, slot: usize, bar: &FixedBar) {
        let size = i64::try_from(bar.volume).unwrap_or(i64::MAX);
        self.is_late(Late { slot, tick: Tick { time: bar.start, price: bar.close, size } });
    }

    /// The bar that an instant belongs to, opened where there is none; `None` = it has closed, or the market is.
    fn bar_for(&mut self, slot: usize, time: i64) -> Result<Option<&mut Building>, AggregationError> {
        let (Some(known), Some(open)) = (self.slots.get_mut(slot), self.open.get_mut(slot)) else {
            return Err(AggregationError::UnknownSlot { slot });
        };
        if time < known.closed {
            return Ok(None);
        }
        if open.has(time) {
            known.latest = known.latest.max(time);
            return Ok(Some(open));
        }
        if let Some(place) = known.waiting.iter().position(|bar| bar.has(time)) {
            return Ok(known.waiting.get_mut(place));
        }
        let Some((start, end)) = known.hours.bar_at(time)? else { return Ok(None) };
        // A bar may begin before what has closed where its market changes its hours: it holds the rest.
        let start = start.max(known.closed);
        let fresh = Building::over(start, end);
        if known.began == i64::MAX {
            known.began = time;
        }
        known.latest = known.latest.max(time);
        self.schedule.add(end, self.patience.due(&known.hours, end));
        if open.is_none() || start >= open.end() {
            let before = std::mem::replace(open, fresh);
            if !before.is_none() {
                known.waiting.push_back(before);
            }
            return Ok(Some(open));
        }
        let place = known.waiting.partition_point(|bar| bar.start < start);
        known.waiting.insert(place, fresh);
        Ok(known.waiting.get_mut(place))
    }

    fn is_closed(&self, slot: usize, time: i64) -> bool {
        self.slots.get(slot).is_some_and(|slot| time < slot.closed)
    }

    fn is_late(&mut self, late: Late) {
        self.counts.late += 1;
        if self.late.len() >= MAX_LATE {
            self.late.pop_front();
            self.counts.forgotten += 1;
        }
        self.late.push_back(late);
    }

    /// Closes the bars of an instrument whose patience has run out.
    fn close_due(&mut self, slot: usize) {
        loop {
            let Some(known) = self.slots.get_mut(slot) else { return };
            let due = known.latest.saturating_sub(self.patience.lateness);
            let most = known.waiting.len() >= MAX_OPEN;
            if known.waiting.front().is_none_or(|bar| bar.end() > due && !most) {
                let patient =
                    known.waiting.front().map(|bar| bar.end().saturating_add(self.patience.lateness));
                if let Some(open) = self.open.get_mut(slot) {
                    open.look_from(patient);
                }
                return;
            }
            let Some(bar) = known.waiting.pop_front() else { return };
            self.close(slot, &bar, false);
        }
    }

    /// A bar leaves.
    fn close(&mut self, slot: usize, bar: &Building, cut: bool) {
        let Some(known) = self.slots.get_mut(slot) else { return };
        known.closed = known.closed.max(bar.end());
        self.schedule.remove(bar.end(), self.patience.due(&known.hours, bar.end()));
        match bar.done() {
            Some(bar) => {
                self.counts.bars += 1;
                let partial = cut || bar.start < known.began;
                if self.remembered > 0 {
                    known.memory.close(bar.start, Outcome { partial, count: bar.count }, self.remembered);
                }
                self.closed.push(Closed { slot, bar, partial, revision: false });
            }
            None => self.counts.without_price += 1,
        }
    }

    /// Lets time pass to an instant: the machine's in live trading, the data's own in a replay. Bars close that are due, see
    /// [`Patience::flush_after`].
    pub fn pass(&mut self, now: i64) {
        self.passed = self.passed.max(now);
        if self.schedule.next_due().is_some_and(|due| due <= now) {
            self.close_until(now, false);
        }
    }

    /// The source has ended: every bar closes, and those whose end neither their instrument's ticks nor time have reached are
    /// partial.
    pub fn finish(&mut self) {
        self.close_until(i64::MAX, true);
    }

    /// Closes all bars that are due at an instant, instrument by instrument.
    fn close_until(&mut self, now: i64, ends: bool) {
        let patience = self.patience;
        for slot in 0..self.slots.len() {
            while let Some(known) = self.slots.get_mut(slot) {
                let latest = known.latest.max(self.passed);
                let is_due = |bar: &Building| ends || patience.due(&known.hours, bar.end()) <= now;
                let bar = match (known.waiting.front(), self.open.get_mut(slot)) {
                    (Some(bar), _) if is_due(bar) => known.waiting.pop_front(),
                    (None, Some(open)) if !open.is_none() && is_due(open) => {
                        Some(std::mem::replace(open, Building::NONE))
                    }
                    _ => None,
                };
                let Some(bar) = bar else { break };
                self.close(slot, &bar, ends && latest < bar.end());
            }
        }
    }

    /// Gives the numbers of an instrument more digits, with those of its bars and late ticks that nobody has collected.
    /// Whether they still fit; nothing has changed where they do not.
    pub(crate) fn rescale(&mut self, slot: usize, by: Factors) -> bool {
        let (Some(known), Some(open)) = (self.slots.get_mut(slot), self.open.get_mut(slot)) else {
            return false;
        };
        let (mut fresh, mut waiting) = (*open, known.waiting.clone());
        let Some(memory) = known.memory.rescaled(by) else { return false };
        let tick = |late: &Late| if late.slot == slot { late.rescaled(by) } else { Some(*late) };
        let Some(late) = self.late.iter().map(tick).collect() else { return false };
        let fits = fresh.rescale(by)
            && waiting.iter_mut().all(|bar| bar.rescale(by))
            && Closed::rescale_all(&mut self.closed, slot, by);
        if fits {
            (*open, known.waiting, known.memory, self.late) = (fresh, waiting, memory, late);
        }
        fits
    }

    /// When the next bar closes of itself; `None` = there is none.
    #[must_use]
    pub fn next_due(&self) -> Option<i64> {
        self.schedule.next_due()
    }

    /// The earliest end of an open bar; `None` = no bar is open.
    #[must_use]
    pub fn next_end(&self) -> Option<i64> {
        self.schedule.next_end()
    }

    /// Something is missing before an instant: of every instrument, what has not closed and began before it will be partial.
    pub fn whole_since(&mut self, since: i64) {
        for slot in 0..self.slots.len() {
            self.whole_since_of(slot, since);
        }
    }

    /// The same of one instrument. One that has not come is whole from its first tick on.
    pub fn whole_since_of(&mut self, slot: usize, since: i64) {
        if let Some(slot) = self.slots.get_mut(slot).filter(|slot| slot.began < i64::MAX) {
            slot.began = slot.began.max(since);
        }
    }

    /// The bars that have closed since this was asked last, in the order in which they did.
    pub fn closed(&mut self) -> std::vec::Drain<'_, Closed> {
        self.closed.drain(..)
    }

    /// The ticks that came too late, since this was asked last.
    pub fn late(&mut self) -> std::collections::vec_deque::Drain<'_, Late> {
        self.late.drain(..)
    }

    /// What was done so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }
}

pub(crate) fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}
