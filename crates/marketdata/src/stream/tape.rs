//! From what the venue says to what the consumer gets: no print lost, none doubled, and what is missing is said.

use super::following::{Following, Hold, Rank};
use super::gather::Gather;
use super::options::{Counts, Moment, Options};
use super::protocol::{Channel, Level, TopicIndex};
use super::queue::Queue;
use mts_foundation::market_data::MarketEvent;
use mts_foundation::{Bar, Decimal, Quote, Timestamp, Trade, VenueName};

/// Topics and what becomes of their data.
#[derive(Debug)]
pub(super) struct Tape {
    pub(super) venue: VenueName,
    pub(super) options: Options,
    /// Whether there is a history to ask.
    pub(super) has_history: bool,
    pub(super) topics: Vec<Following>,
    pub(super) queue: Queue,
    pub(super) gather: Gather,
    pub(super) counts: Counts,
    /// Prints and bars that wait, of all topics.
    pub(super) held: usize,
}

impl Tape {
    /// A print of the stream.
    pub(super) fn trade(
        &mut self,
        index: TopicIndex,
        trade: Trade,
        number: Option<u64>,
        now: Moment,
        is_overlap: bool,
    ) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        topic.heard = now.mono;
        let is_sane = trade.price > Decimal::ZERO && trade.size > Decimal::ZERO;
        let is_ahead = trade.timestamp.since(now.time) > self.options.ahead;
        if !is_sane || is_ahead {
            let from = topic.last_time.unwrap_or(now.time);
            self.refuse(is_ahead, from, now.time);
            if let Some(number) = number {
                self.void(index, number, now, is_overlap);
            }
            return;
        }
        if let Some(hold) = topic.hold {
            if hold == Hold::Unproven {
                topic.tries = 0;
                topic.hold = Some(Hold::Ask(now.mono.saturating_add(self.options.history_after)));
            }
            self.hold(index, number, Some(trade));
            self.catch_up(index);
            return;
        }
        match topic.rank(number, &trade) {
            Rank::Next | Rank::Late => self.pass(index, number, trade),
            Rank::Duplicate => self.counts.duplicates = self.counts.duplicates.saturating_add(1),
            Rank::Renumbered => self.pass_after_gap(index, number, trade),
            Rank::Beyond => {
                if is_overlap || self.has_history {
                    self.wait(index, is_overlap, now);
                    self.hold(index, number, Some(trade));
                } else {
                    self.pass_after_gap(index, number, trade);
                }
            }
        }
    }

    /// A print that may have been handed on is not true any more: what came since its time is not whole.
    pub(super) fn withdraw(&mut self, time: Timestamp, now: Moment) {
        self.counts.withdrawn = self.counts.withdrawn.saturating_add(1);
        self.queue.gap(time.min(now.time), now.time);
    }

    /// A number without a print.
    pub(super) fn void(&mut self, index: TopicIndex, number: u64, now: Moment, is_overlap: bool) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        topic.heard = now.mono;
        let is_next = topic.last_number.is_none_or(|last| number <= last.saturating_add(1));
        if topic.hold.is_some() {
            self.hold(index, Some(number), None);
            self.catch_up(index);
        } else if is_next {
            topic.taken(Some(number));
        } else if is_overlap || self.has_history {
            self.wait(index, is_overlap, now);
            self.hold(index, Some(number), None);
        } else {
            self.void_after_gap(index, number, now.time);
        }
    }

    /// A number is taken, and some are missing before it.
    pub(super) fn void_after_gap(&mut self, index: TopicIndex, number: u64, now: Timestamp) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        let missing = number.saturating_sub(topic.last_number.unwrap_or(number)).saturating_sub(1);
        self.counts.missing = self.counts.missing.saturating_add(missing);
        topic.taken(Some(number));
        let at = topic.last_time.unwrap_or(now);
        self.queue.gap(at, at.max(now));
    }

    /// The venue's newest number.
    pub(super) fn newest(&mut self, index: TopicIndex, number: u64, now: Moment, is_overlap: bool) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        let Some(last) = topic.last_number else {
            topic.last_number = Some(number);
            return;
        };
        topic.newest = topic.newest.max(Some(number));
        if number > last && topic.hold.is_none() {
            self.wait(index, is_overlap, now);
        }
    }

    /// The best bid and offer, or a side of it.
    pub(super) fn touch(
        &mut self,
        index: TopicIndex,
        (bid, ask): (Option<Level>, Option<Level>),
        time: Timestamp,
        number: Option<u64>,
        now: Moment,
    ) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        topic.heard = now.mono;
        if time.since(now.time) > self.options.ahead {
            self.counts.future = self.counts.future.saturating_add(1);
            return;
        }
        if number.zip(topic.touch_number).is_some_and(|(number, last)| number < last) {
            self.counts.outdated = self.counts.outdated.saturating_add(1);
            return;
        }
        if let Some(last) = topic.touch_time.filter(|last| time < *last) {
            self.counts.backwards = self.counts.backwards.saturating_add(1);
            // Without numbers the time decides; a venue that steps its clock back by more is believed.
            if number.is_none() && last.since(time) <= self.options.ahead {
                self.counts.outdated = self.counts.outdated.saturating_add(1);
                return;
            }
        }
        topic.touch_number = number.or(topic.touch_number);
        topic.touch_time = Some(time);
        topic.touch = (bid.or(topic.touch.0), ask.or(topic.touch.1));
        let (Some(bid), Some(ask)) = topic.touch else { return };
        if bid.price <= Decimal::ZERO || ask.price <= Decimal::ZERO {
            self.counts.faulty = self.counts.faulty.saturating_add(1);
            return;
        }
        self.quote(index, bid, ask, time);
    }

    /// The best bid and offer of an order book, which the venue has told in their order. What has not changed is no news.
    pub(super) fn best(
        &mut self,
        index: TopicIndex,
        best: (Option<Level>, Option<Level>),
        time: Timestamp,
        now: Moment,
    ) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        let (Some(bid), Some(ask)) = best else { return };
        if topic.touch == best {
            return;
        }
        if time.since(now.time) > self.options.ahead {
            self.counts.future = self.counts.future.saturating_add(1);
            return;
        }
        if topic.touch_time.is_some_and(|last| time < last) {
            self.counts.backwards = self.counts.backwards.saturating_add(1);
        }
        (topic.touch, topic.touch_time) = (best, Some(time));
        self.quote(index, bid, ask, time);
    }

    fn quote(&mut self, index: TopicIndex, bid: Level, ask: Level, timestamp: Timestamp) {
        let Some(topic) = self.topics.get(index) else { return };
        self.queue.quote(Quote {
            symbol: topic.topic.symbol.clone(),
            bid: bid.price,
            ask: ask.price,
            bid_size: bid.size,
            ask_size: ask.size,
            venue: self.venue.clone(),
            timestamp,
        });
    }

    /// A bar as it stands.
    pub(super) fn bar(
        &mut self,
        index: TopicIndex,
        bar: Bar,
        is_closed: bool,
        ends_with_the_next: bool,
        now: Moment,
    ) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        topic.heard = now.mono;
        let length = bar.interval.duration();
        let is_ahead = bar.timestamp.since(now.time) > self.options.ahead.saturating_add(length);
        if !bar.is_sane() || is_ahead {
            let from = topic.last_time.unwrap_or(now.time);
            self.refuse(is_ahead, from, now.time);
            return;
        }
        let closed = if is_closed {
            Some(bar)
        } else if ends_with_the_next {
            match topic.forming.replace(bar) {
                Some(before) => {
                    topic.forming.as_ref().filter(|bar| bar.timestamp > before.timestamp).map(|_| before)
                }
                None => None,
            }
        } else {
            None
        };
        let Some(bar) = closed else { return };
        if topic.hold.is_some() {
            if self.held < self.options.held {
                self.held += 1;
                topic.held_bars.push(bar);
            } else {
                self.counts.unheld = self.counts.unheld.saturating_add(1);
                self.queue.gap(topic.last_time.unwrap_or(bar.timestamp), bar.timestamp);
            }
            return;
        }
        self.pass_bar(index, bar, Some(now));
    }

    /// Hands on a bar, unless it came before: with the others of its instant, or, of one that has waited, alone.
    pub(super) fn pass_bar(&mut self, index: TopicIndex, bar: Bar, now: Option<Moment>) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        if topic.last_time.is_some_and(|last| bar.timestamp <= last) {
            self.counts.duplicates = self.counts.duplicates.saturating_add(1);
            return;
        }
        topic.last_time = Some(bar.timestamp);
        let (Channel::Bars(interval), Some(now)) = (topic.topic.channel, now) else {
            let time = bar.timestamp;
            self.queue.event(MarketEvent::Bars { time, bars: vec![bar].into() }, time);
            return;
        };
        let together =
            self.topics.iter().filter(|topic| topic.topic.channel == Channel::Bars(interval)).count();
        let due = now.mono.saturating_add(self.options.bars_together);
        let is_late = self.gather.take(bar, together, due, &mut self.queue);
        self.counts.late_bars = self.counts.late_bars.saturating_add(u64::from(is_late));
    }

    /// Puts a bar in the place of one that came before: of one that waits, or, said so, of one that was handed on. One that never
    /// came is none to correct.
    pub(super) fn revise(&mut self, index: TopicIndex, bar: Bar) {
        self.counts.revised = self.counts.revised.saturating_add(1);
        let Some(topic) = self.topics.get_mut(index) else { return };
        if !bar.is_sane() {
            self.refuse(false, bar.timestamp, bar.timestamp);
        } else if let Some(held) = topic.held_bars.iter_mut().find(|held| held.timestamp == bar.timestamp) {
            *held = bar;
        } else if topic.last_time.is_some_and(|last| bar.timestamp <= last) && !self.gather.replace(&bar) {
            let time = bar.timestamp;
            self.queue.event(MarketEvent::Revised(bar), time);
        }
    }

    /// Hands on a print.
    pub(super) fn pass(&mut self, index: TopicIndex, number: Option<u64>, trade: Trade) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        if topic.last_time.is_some_and(|last| trade.timestamp < last) {
            self.counts.backwards = self.counts.backwards.saturating_add(1);
        }
        topic.passed(number, &trade);
        let time = trade.timestamp;
        self.queue.event(MarketEvent::Trade(trade), time);
    }

    /// Hands on a print, and that some are missing before it.
    pub(super) fn pass_after_gap(&mut self, index: TopicIndex, number: Option<u64>, trade: Trade) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        let from = topic.last_time.unwrap_or(trade.timestamp);
        let missing = number.zip(topic.last_number).and_then(|(number, last)| number.checked_sub(last + 1));
        self.counts.missing = self.counts.missing.saturating_add(missing.unwrap_or(0));
        topic.last_number = number;
        self.queue.gap(from.min(trade.timestamp), trade.timestamp);
        self.pass(index, number, trade);
    }

    /// Something that came cannot be handed on.
    fn refuse(&mut self, is_ahead: bool, from: Timestamp, to: Timestamp) {
        let count = if is_ahead { &mut self.counts.future } else { &mut self.counts.faulty };
        *count = count.saturating_add(1);
        self.queue.gap(from.min(to), to);
    }

    /// Lets a topic wait for what is missing.
    fn wait(&mut self, index: TopicIndex, is_overlap: bool, now: Moment) {
        if let Some(topic) = self.topics.get_mut(index) {
            topic.tries = 0;
            topic.hold = Some(if is_overlap {
                Hold::Reorder(now.mono.saturating_add(self.options.reorder))
            } else {
                Hold::Ask(now.mono)
            });
        }
    }

    fn hold(&mut self, index: TopicIndex, number: Option<u64>, trade: Option<Trade>) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        if self.held < self.options.held {
            self.held += 1;
            topic.held.push((number, trade));
            return;
        }
        self.counts.unheld = self.counts.unheld.saturating_add(1);
        if let Some(trade) = trade {
            let to = trade.timestamp;
            self.queue.gap(topic.last_time.map_or(to, |last| last.min(to)), to);
        }
    }

    /// What was missing while both connections run may have come by the other.
    fn catch_up(&mut self, index: TopicIndex) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        if !matches!(topic.hold, Some(Hold::Reorder(_))) {
            return;
        }
        let mut numbers: Vec<u64> = topic.held.iter().filter_map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        let Some(mut last) = topic.last_number else { return };
        for number in &numbers {
            if *number > last.saturating_add(1) {
                return;
            }
            last = last.max(*number);
        }
        if topic.newest.is_none_or(|newest| newest <= last) {
            topic.hold = None;
            self.release(index);
        }
    }
}
