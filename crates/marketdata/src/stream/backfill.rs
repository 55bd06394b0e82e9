//! What was missed is asked of the history and handed on before what has come since.

use super::following::{Hold, MAX_TRIES, Rank};
use super::options::Moment;
use super::protocol::{Channel, TopicIndex};
use super::tape::Tape;
use mts_foundation::{Bar, Decimal, Timestamp, Trade};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Questions to the history at once at most.
const MAX_ASKED: usize = 4;

/// Pause before the history is asked again for what it did not have yet.
const RETRY: Duration = Duration::from_secs(1);

/// What a history answers.
#[derive(Debug, Clone, PartialEq)]
pub enum History {
    /// The latest prints.
    Trades(Vec<Trade>),
    /// The bars since an instant.
    Bars(Vec<Bar>),
}

/// A question to the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Of which topic.
    pub topic: TopicIndex,
    /// From when on.
    pub since: Timestamp,
}

impl Tape {
    /// The connection is gone: what comes from now on waits until it is known what is missing before.
    pub(super) fn interrupt(&mut self) {
        for topic in &mut self.topics {
            topic.interrupt();
        }
    }

    /// The connection is live again.
    pub(super) fn recover(&mut self, now: Moment) {
        for index in 0..self.topics.len() {
            let Some(topic) = self.topics.get_mut(index) else { continue };
            if topic.hold != Some(Hold::Interrupted) {
                continue;
            }
            topic.tries = 0;
            if self.has_history {
                topic.hold = Some(Hold::Ask(now.mono.saturating_add(self.options.history_after)));
            } else {
                self.give_up(index, now);
            }
        }
    }

    /// What is due, and what the history is to be asked.
    pub(super) fn due(&mut self, now: Moment) -> Vec<Question> {
        let mut asked = self.topics.iter().filter(|topic| matches!(topic.hold, Some(Hold::Asked(_)))).count();
        let mut questions = Vec::new();
        for index in 0..self.topics.len() {
            let Some(topic) = self.topics.get_mut(index) else { continue };
            match topic.hold {
                Some(Hold::Reorder(until)) if now.mono >= until => topic.hold = Some(Hold::Ask(now.mono)),
                Some(Hold::Asked(until)) if now.mono >= until => {
                    self.counts.history_failures = self.counts.history_failures.saturating_add(1);
                    self.give_up(index, now);
                    continue;
                }
                _ => {}
            }
            if let Some(Hold::Ask(at)) = topic.hold
                && now.mono >= at
            {
                if !self.has_history {
                    self.give_up(index, now);
                } else if asked < MAX_ASKED {
                    asked += 1;
                    topic.hold = Some(Hold::Asked(now.mono.saturating_add(self.options.history_within)));
                    questions.push(Question { topic: index, since: topic.last_time.unwrap_or(now.time) });
                }
            }
        }
        questions
    }

    /// The history answers, or not.
    pub(super) fn answer(&mut self, index: TopicIndex, history: Option<History>, now: Moment) {
        let Some(topic) = self.topics.get(index) else { return };
        if !matches!(topic.hold, Some(Hold::Asked(_))) {
            return;
        }
        match history {
            Some(History::Trades(trades)) => self.trades_since(index, trades, now),
            Some(History::Bars(bars)) => self.bars_since(index, bars, now),
            None => {
                self.counts.history_failures = self.counts.history_failures.saturating_add(1);
                self.give_up(index, now);
            }
        }
    }

    /// No history: what has waited is handed on, and what is missing is said.
    fn give_up(&mut self, index: TopicIndex, now: Moment) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        if topic.hold.take() == Some(Hold::Unproven) {
            return;
        }
        let from = topic.last_time.unwrap_or(now.time);
        let first = topic.held.iter().find_map(|(_, trade)| Some(trade.as_ref()?.timestamp));
        match topic.topic.channel {
            Channel::Trades if topic.last_number.is_none() => {
                let to = first.unwrap_or(now.time);
                self.queue.gap(from.min(to), to);
            }
            Channel::Bars(interval) if from.plus(interval.duration()) <= now.time => {
                self.queue.gap(from, now.time);
            }
            _ => {}
        }
        self.release(index);
        self.close_numbers(index, now);
    }

    /// Nobody will ask the histories that are waited for.
    pub(super) fn give_up_all(&mut self, now: Moment) {
        for index in 0..self.topics.len() {
            if self.topics.get(index).is_some_and(|topic| topic.hold.is_some()) {
                self.give_up(index, now);
            }
        }
    }

    /// What the venue has numbered and nobody has seen is missing.
    fn close_numbers(&mut self, index: TopicIndex, now: Moment) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        if let (Some(newest), Some(last)) = (topic.newest, topic.last_number)
            && newest > last
        {
            self.void_after_gap(index, newest, now.time);
        }
    }

    /// Hands on what has waited, in its order.
    pub(super) fn release(&mut self, index: TopicIndex) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        let (mut held, bars) = (std::mem::take(&mut topic.held), std::mem::take(&mut topic.held_bars));
        self.held = self.held.saturating_sub(held.len().saturating_add(bars.len()));
        held.sort_by_key(|(number, _)| *number);
        for (number, trade) in held {
            self.pass_held(index, number, trade);
        }
        for bar in bars {
            self.pass_bar(index, bar, None);
        }
    }

    fn pass_held(&mut self, index: TopicIndex, number: Option<u64>, trade: Option<Trade>) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        let Some(trade) = trade else {
            if let Some(number) = number {
                let is_next = topic.last_number.is_none_or(|last| number <= last.saturating_add(1));
                let at = topic.last_time;
                match at.filter(|_| !is_next) {
                    Some(at) => self.void_after_gap(index, number, at),
                    None => topic.taken(Some(number)),
                }
            }
            return;
        };
        match topic.rank(number, &trade) {
            Rank::Next | Rank::Late => self.pass(index, number, trade),
            Rank::Duplicate => self.counts.duplicates = self.counts.duplicates.saturating_add(1),
            Rank::Beyond | Rank::Renumbered => self.pass_after_gap(index, number, trade),
        }
    }

    fn trades_since(&mut self, index: TopicIndex, mut history: Vec<Trade>, now: Moment) {
        let Some(topic) = self.topics.get(index) else { return };
        let (symbol, ahead) = (topic.topic.symbol.clone(), self.options.ahead);
        history.retain(|trade| {
            trade.symbol == symbol
                && trade.price > Decimal::ZERO
                && trade.size > Decimal::ZERO
                && trade.timestamp.since(now.time) <= ahead
        });
        history.sort_by_key(|trade| trade.timestamp);
        match topic.last_number {
            Some(_) if !self.fits(index, &history) => self.ask_again(index, now),
            Some(last) => self.numbered_since(index, last, history, now),
            None => self.unnumbered_since(index, history, now),
        }
    }

    /// Without numbers ids tell: the history is the stream's if it has a print that was handed on or the first one that waits,
    /// and it is whole if it has both.
    fn unnumbered_since(&mut self, index: TopicIndex, history: Vec<Trade>, now: Moment) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        let from = topic.last_time.unwrap_or(now.time);
        let held = topic.held.iter().find_map(|(_, trade)| trade.as_ref());
        let reaches_back = history.iter().any(|trade| topic.seen.has(&trade.trade_id));
        let reaches_us = held.is_some_and(|held| {
            let is_it = |trade: &Trade| trade.trade_id == held.trade_id;
            topic.seen.has(&held.trade_id) || history.iter().any(is_it)
        });
        let waits = held.map(|held| held.timestamp);
        if reaches_back || reaches_us {
            let first = history.first().map(|trade| trade.timestamp);
            if let Some(first) = first.filter(|first| !reaches_back && *first > from) {
                self.queue.gap(from, first);
            }
            let is_new = |trade: &Trade| trade.timestamp >= from && !topic.seen.has(&trade.trade_id);
            let new: Vec<Trade> = history.into_iter().filter(is_new).collect();
            self.mark(index, from, &new);
            for trade in new {
                self.pass(index, None, trade);
            }
        }
        let Some(topic) = self.topics.get_mut(index) else { return };
        match waits {
            _ if reaches_us => {
                topic.hold = None;
                self.release(index);
            }
            // Whether something is missing at its end shows with the next print.
            None => topic.hold = Some(Hold::Unproven),
            Some(_) => self.ask_again(index, now),
        }
    }

    /// The history may be behind. It is asked again, three times.
    fn ask_again(&mut self, index: TopicIndex, now: Moment) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        if topic.tries < MAX_TRIES {
            topic.tries = topic.tries.saturating_add(1);
            topic.hold = Some(Hold::Ask(now.mono.saturating_add(RETRY)));
        } else {
            self.counts.history_failures = self.counts.history_failures.saturating_add(1);
            self.give_up(index, now);
        }
    }

    /// Whether numbers of a history are the stream's: one of them was handed on, waits, or is the venue's newest.
    fn fits(&self, index: TopicIndex, history: &[Trade]) -> bool {
        let Some(topic) = self.topics.get(index) else { return false };
        let held: BTreeSet<u64> =
            topic.held.iter().filter_map(|(number, _)| *number).chain(topic.newest).collect();
        let is_known = |trade: &Trade| {
            topic.seen.has(&trade.trade_id)
                || trade.trade_id.parse().is_ok_and(|number: u64| held.contains(&number))
        };
        history.is_empty() || history.iter().any(is_known)
    }

    /// With numbers a hole is seen. One in the middle may be the history's being late: it is asked again.
    fn numbered_since(&mut self, index: TopicIndex, last: u64, history: Vec<Trade>, now: Moment) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        let from = topic.last_time.unwrap_or(now.time);
        let mut all: BTreeMap<u64, (Option<Trade>, bool)> = BTreeMap::new();
        self.held = self.held.saturating_sub(topic.held.len());
        for (number, trade) in std::mem::take(&mut topic.held) {
            if let Some(number) = number {
                all.insert(number, (trade, false));
            }
        }
        let mut new = Vec::new();
        let mut first = None;
        for trade in history {
            let Ok(number) = trade.trade_id.parse::<u64>() else { continue };
            first = Some(first.map_or(number, |first: u64| first.min(number)));
            if number > last || topic.rank(Some(number), &trade) == Rank::Late {
                new.push(trade.clone());
                all.insert(number, (Some(trade), true));
            }
        }
        self.mark(index, from, &new);
        let tries = self.topics.get(index).map_or(MAX_TRIES, |topic| topic.tries);
        let mut expected = last.saturating_add(1);
        while let Some((number, (trade, is_old))) = all.pop_first() {
            // Before its first print a history has nothing, however often it is asked.
            let is_out_of_reach = first.is_none_or(|first| first > expected && number >= first);
            if number > expected && tries < MAX_TRIES && !is_out_of_reach {
                all.insert(number, (trade, is_old));
                break;
            }
            if trade.is_some() {
                self.counts.backfilled = self.counts.backfilled.saturating_add(u64::from(is_old));
            }
            self.pass_held(index, Some(number), trade);
            expected = expected.max(number.saturating_add(1));
        }
        let Some(topic) = self.topics.get_mut(index) else { return };
        let is_short = topic.newest > topic.last_number;
        if !all.is_empty() || (is_short && tries < MAX_TRIES) {
            self.held = self.held.saturating_add(all.len());
            topic.held = all.into_iter().map(|(number, (trade, _))| (Some(number), trade)).collect();
            topic.tries = tries.saturating_add(1);
            topic.hold = Some(Hold::Ask(now.mono.saturating_add(RETRY)));
            return;
        }
        topic.hold = None;
        self.close_numbers(index, now);
    }

    fn bars_since(&mut self, index: TopicIndex, mut history: Vec<Bar>, now: Moment) {
        let Some(topic) = self.topics.get_mut(index) else { return };
        topic.hold = None;
        let Channel::Bars(interval) = topic.topic.channel else { return };
        let from = topic.last_time.unwrap_or(now.time);
        history.retain(|bar| {
            bar.symbol == topic.topic.symbol
                && bar.interval == interval
                && bar.is_sane()
                && bar.timestamp > from
                && bar.timestamp <= now.time
        });
        history.sort_by_key(|bar| bar.timestamp);
        if let Some(last) = history.last() {
            let symbol = topic.topic.symbol.clone();
            self.queue.backfilled(symbol, from, last.timestamp);
            self.counts.backfilled = self.counts.backfilled.saturating_add(history.len() as u64);
        }
        for bar in history {
            self.pass_bar(index, bar, None);
        }
        self.release(index);
    }

    /// Says that history follows, if it does.
    fn mark(&mut self, index: TopicIndex, from: Timestamp, new: &[Trade]) {
        let to = new.iter().map(|trade| trade.timestamp).max();
        if let Some((topic, to)) = self.topics.get(index).zip(to) {
            self.queue.backfilled(topic.topic.symbol.clone(), from.min(to), to);
            if topic.last_number.is_none() {
                self.counts.backfilled = self.counts.backfilled.saturating_add(new.len() as u64);
            }
        }
    }
}
