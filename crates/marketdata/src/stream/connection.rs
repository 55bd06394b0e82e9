//! One connection on its way to being live.

use super::book::Synchroniser;
use super::machine::{Action, ConnectionId};
use super::options::{Moment, Options};
use super::protocol::{Channel, Facts, Protocol, TopicIndex};
use mts_foundation::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Snapshots of order books that are asked for by requests of their own, at once at most.
const MAX_ASKED: usize = 4;

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Authenticating,
    Subscribing,
    Live,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) phase: Phase,
    /// When the phase began; of subscribing, when the last subscription was sent.
    pub(super) since: Duration,
    /// When anything came last.
    heard: Duration,
    pub(super) heard_at: Timestamp,
    pinged: Duration,
    awaits_pong: bool,
    /// Subscriptions that are not sent yet.
    batches: VecDeque<Vec<TopicIndex>>,
    /// Those that are not acknowledged, by number.
    sent: BTreeMap<u64, Vec<TopicIndex>>,
    /// Wanted and not acknowledged.
    missing: BTreeSet<TopicIndex>,
    next_send: Duration,
    requests: u64,
    /// Lists of all that the venue sends, one for each request.
    lists: u64,
    is_greeted: bool,
    /// The order books of this connection: one that it has lost dies with it.
    pub(super) books: BTreeMap<TopicIndex, Synchroniser>,
    /// Snapshots that were asked for by a request.
    pub(super) requested: BTreeSet<TopicIndex>,
}

impl Connection {
    pub(super) fn new(id: ConnectionId, now: Moment) -> Self {
        Self {
            id,
            phase: Phase::Connecting,
            since: now.mono,
            heard: now.mono,
            heard_at: now.time,
            pinged: now.mono,
            awaits_pong: false,
            batches: VecDeque::new(),
            sent: BTreeMap::new(),
            missing: BTreeSet::new(),
            next_send: Duration::ZERO,
            requests: 0,
            lists: 0,
            is_greeted: false,
            books: BTreeMap::new(),
            requested: BTreeSet::new(),
        }
    }

    pub(super) fn enter(&mut self, phase: Phase, now: Moment) {
        self.phase = phase;
        self.since = now.mono;
    }

    pub(super) fn hear(&mut self, now: Moment) {
        self.heard = now.mono;
        self.heard_at = now.time;
    }

    pub(super) fn pong(&mut self) {
        self.awaits_pong = false;
    }

    /// Begins to ask for topics, in batches of one channel.
    pub(super) fn subscribe<P: Protocol>(
        &mut self,
        protocol: &P,
        wanted: &[TopicIndex],
        options: &Options,
        now: Moment,
    ) {
        self.enter(Phase::Subscribing, now);
        self.hear(now);
        self.pinged = now.mono;
        self.missing = wanted.iter().copied().collect();
        let mut by_channel: BTreeMap<_, Vec<TopicIndex>> = BTreeMap::new();
        for index in wanted {
            if let Some(topic) = protocol.topics().get(*index) {
                by_channel.entry(topic.channel).or_default().push(*index);
                if topic.channel == Channel::Book {
                    let by_request = protocol.book_request(*index).is_some();
                    self.books.insert(*index, Synchroniser::new(protocol.book_depth(), by_request, options));
                }
            }
        }
        let batch = protocol.facts().batch.max(1);
        self.batches =
            by_channel.values().flat_map(|topics| topics.chunks(batch).map(<[_]>::to_vec)).collect();
    }

    pub(super) fn acknowledged(&mut self, topic: TopicIndex) {
        self.missing.remove(&topic);
    }

    pub(super) fn is_first_greeting(&mut self) -> bool {
        !std::mem::replace(&mut self.is_greeted, true)
    }

    /// The venue says all that it sends. The answer to the last request, and whatever comes after it, has all that is wanted.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn listed(&mut self, all: &[TopicIndex]) -> Result<(), String> {
        for topic in all {
            self.missing.remove(topic);
        }
        self.lists = self.lists.saturating_add(1);
        if !self.batches.is_empty() || self.lists < self.requests {
            return Ok(());
        }
        let lacks = self.sent.values().flatten().filter(|topic| !all.contains(topic)).count();
        if lacks == 0 {
            Ok(())
        } else {
            Err(format!("the venue sends {lacks} topics less than was asked for"))
        }
    }

    pub(super) fn request_acknowledged(&mut self, request: u64) {
        for topic in self.sent.remove(&request).unwrap_or_default() {
            self.missing.remove(&topic);
        }
    }

    /// A subscription was refused: its topics are asked for one by one. The topic, where it was one alone.
    pub(super) fn request_refused(&mut self, request: u64) -> Option<TopicIndex> {
        let topics = self.sent.remove(&request)?;
        if let [topic] = *topics.as_slice() {
            self.missing.remove(&topic);
            return Some(topic);
        }
        self.batches
            .extend(topics.into_iter().filter(|topic| self.missing.contains(topic)).map(|one| vec![one]));
        None
    }

    /// Whether all that is wanted is acknowledged or refused.
    pub(super) fn is_complete(&self) -> bool {
        self.batches.is_empty() && self.missing.is_empty()
    }

    /// When the next subscription may be sent.
    pub(super) fn next_send(&self) -> Option<Duration> {
        (self.phase == Phase::Subscribing && !self.batches.is_empty()).then_some(self.next_send)
    }

    /// What is due.
    ///
    /// # Errors
    /// Why the connection is of no use any more.
    pub(super) fn tick<P: Protocol>(
        &mut self,
        protocol: &P,
        options: &Options,
        now: Moment,
        actions: &mut VecDeque<Action>,
    ) -> Result<(), String> {
        let elapsed = now.mono.saturating_sub(self.since);
        match self.phase {
            Phase::Connecting => {
                return if elapsed > options.connect_within {
                    Err("no connection in time".to_owned())
                } else {
                    Ok(())
                };
            }
            Phase::Authenticating if elapsed > options.authenticate_within => {
                return Err("the venue does not answer the authentication".to_owned());
            }
            Phase::Subscribing => self.ask(protocol, options, now, actions)?,
            Phase::Live => self.ask_for_books(protocol, options, now, actions),
            Phase::Authenticating => {}
        }
        let Facts { longest_silence, ping: (every, within), .. } = protocol.facts();
        if now.mono.saturating_sub(self.heard) >= longest_silence {
            return Err(format!("silent for {} s", longest_silence.as_secs()));
        }
        let asked = now.mono.saturating_sub(self.pinged);
        if self.awaits_pong && asked >= within {
            return Err(format!("no answer to a ping within {} s", within.as_secs()));
        }
        if !self.awaits_pong && asked >= every {
            self.pinged = now.mono;
            self.awaits_pong = true;
            actions.push_back(Action::Send(self.id, protocol.ping()));
        }
        Ok(())
    }

    /// Asks for the snapshots of order books that are lost: of the stream at the venue's pace.
    fn ask_for_books<P: Protocol>(
        &mut self,
        protocol: &P,
        options: &Options,
        now: Moment,
        actions: &mut VecDeque<Action>,
    ) {
        for (index, sync) in &mut self.books {
            if !sync.is_due(now.mono, options) {
                continue;
            }
            if protocol.book_request(*index).is_some() {
                // An answer to an earlier question is not to be taken for one to this.
                if self.requested.len() < MAX_ASKED && self.requested.insert(*index) {
                    sync.asked(now.mono, options);
                    actions.push_back(Action::AskBook(self.id, *index));
                }
            } else if now.mono >= self.next_send {
                self.requests = self.requests.saturating_add(1);
                let frames = protocol.book_anew(*index, self.requests);
                let pause = protocol.facts().pause;
                self.next_send = frames.iter().fold(now.mono, |at, _| at.saturating_add(pause));
                actions.extend(frames.into_iter().map(|frame| Action::Send(self.id, frame)));
                sync.asked(now.mono, options);
            }
        }
    }

    fn ask<P: Protocol>(
        &mut self,
        protocol: &P,
        options: &Options,
        now: Moment,
        actions: &mut VecDeque<Action>,
    ) -> Result<(), String> {
        if now.mono >= self.next_send
            && let Some(topics) = self.batches.pop_front()
        {
            self.requests = self.requests.saturating_add(1);
            actions.push_back(Action::Send(self.id, protocol.subscription(&topics, self.requests)));
            self.sent.insert(self.requests, topics);
            self.next_send = now.mono.saturating_add(protocol.facts().pause);
            self.since = now.mono;
        } else if self.batches.is_empty() && now.mono.saturating_sub(self.since) > options.acknowledge_within
        {
            let topics = protocol.topics();
            let missing = self.missing.iter().filter_map(|index| topics.get(*index));
            let missing: Vec<String> = missing.take(5).map(|topic| topic.symbol.to_string()).collect();
            return Err(format!("no acknowledgement of {} topics: {missing:?}", self.missing.len()));
        }
        Ok(())
    }
}
