//! The life of a feed as a state machine: events and the time in, actions and market events out.

mod books;

use super::backfill::{History, Question};
use super::connection::{Connection, Phase};
use super::following::Following;
use super::gather::Gather;
use super::liveness::Patience;
use super::options::{Counts, Moment, Options};
use super::protocol::{Protocol, Said, Topic, TopicIndex};
use super::queue::Queue;
use super::tape::Tape;
use bytes::Bytes;
use mts_foundation::io::Frame;
use mts_foundation::market_data::{MarketEvent, StaleCause};
use mts_foundation::{Symbol, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Name of a connection: no two of a feed have the same.
pub type ConnectionId = u64;

/// How often topics are looked after. What is due is done no later than this.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Where a feed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not started.
    Idle,
    /// Waits for the connection.
    Connecting,
    /// Waits for the answer to the authentication.
    Authenticating,
    /// Waits for the acknowledgement of each topic.
    Subscribing,
    /// All that the venue has of what is wanted comes.
    Live,
    /// Live, while the next connection is made.
    Draining,
    /// Waits for the next attempt.
    Reconnecting,
    /// Ended.
    Closed,
}

/// What happens to a feed.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Begin.
    Start,
    /// A connection is open.
    Opened(ConnectionId),
    /// A frame has come.
    Frame(ConnectionId, Frame),
    /// A connection has ended, or did not come about, and why.
    Closed(ConnectionId, String),
    /// The answer of the history; `None` = it has none.
    History(TopicIndex, Option<History>),
    /// The answer to [`Action::AskBook`]; `None` = there is none.
    Book(ConnectionId, TopicIndex, Option<Bytes>),
    /// Time has passed.
    Tick,
    /// End.
    Stop,
}

/// What a feed wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Open a connection.
    Open(ConnectionId),
    /// Send a frame.
    Send(ConnectionId, Frame),
    /// End a connection.
    Close(ConnectionId),
    /// Ask the history.
    Ask(Question),
    /// Ask for the snapshot of an order book that a connection follows, where
    /// [`book_request`](Protocol::book_request) says.
    AskBook(ConnectionId, TopicIndex),
}

/// The state machine of a feed.
#[derive(Debug)]
pub struct Machine<P> {
    protocol: P,
    tape: Tape,
    current: Option<Connection>,
    /// The connection that takes the place of the current one.
    successor: Option<Connection>,
    /// When the current one gives way to it.
    retire_at: Option<Duration>,
    /// When the next attempt is due, of the successor while there is a current connection.
    retry_at: Option<Duration>,
    /// Attempts since a connection was healthy.
    tries: u32,
    next_id: ConnectionId,
    random: u64,
    is_started: bool,
    is_closed: bool,
    /// Since when no connection is live, on both clocks.
    interrupted: Option<Moment>,
    /// What was said last to be stale.
    stale: Option<(Arc<[Symbol]>, StaleCause)>,
    refused: BTreeMap<TopicIndex, String>,
    /// Why the connection was lost last.
    fault: Option<String>,
    looked: Duration,
    actions: VecDeque<Action>,
    said: Vec<Said>,
}

impl<P: Protocol> Machine<P> {
    /// For a protocol, with the patience of each topic. The number spreads the attempts of programs that lost their
    /// connections together: it should differ from one to the next.
    pub fn new(
        protocol: P,
        patience: impl Fn(&Topic) -> Patience,
        options: Options,
        has_history: bool,
        random: u64,
        now: Moment,
    ) -> Self {
        let venue = protocol.venue().clone();
        let following =
            |topic: &Topic| Following::new(topic.clone(), patience(topic), options.remembered, now.mono);
        let tape = Tape {
            topics: protocol.topics().iter().map(following).collect(),
            queue: Queue::new(venue.clone(), options.queue),
            gather: Gather::default(),
            counts: Counts::default(),
            held: 0,
            venue,
            options,
            has_history,
        };
        Self {
            protocol,
            tape,
            current: None,
            successor: None,
            retire_at: None,
            retry_at: None,
            tries: 0,
            next_id: 0,
            random,
            is_started: false,
            is_closed: false,
            interrupted: None,
            stale: None,
            refused: BTreeMap::new(),
            fault: None,
            looked: Duration::ZERO,
            actions: VecDeque::new(),
            said: Vec::new(),
        }
    }

    /// Its protocol.
    pub fn protocol(&self) -> &P {
        &self.protocol
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        match &self.current {
            _ if self.is_closed => State::Closed,
            Some(connection) => match connection.phase {
                Phase::Connecting => State::Connecting,
                Phase::Authenticating => State::Authenticating,
                Phase::Subscribing => State::Subscribing,
                Phase::Live if self.successor.is_some() => State::Draining,
                Phase::Live => State::Live,
            },
            None if self.is_started => State::Reconnecting,
            None => State::Idle,
        }
    }

    /// What it has counted.
    pub fn counts(&self) -> Counts {
        self.tape.counts
    }

    /// Prints and bars that did not fit into the queue, and quotes that a later one replaced there.
    pub fn overflow(&self) -> (u64, u64) {
        (self.tape.queue.dropped(), self.tape.queue.conflated())
    }

    /// How much it keeps: events in the queue, prints and bars that wait, ids that are remembered.
    pub fn kept(&self) -> (usize, usize, usize) {
        let ids = self.tape.topics.iter().map(|topic| topic.seen.len()).sum();
        (self.tape.queue.len(), self.tape.held, ids)
    }

    /// Topics whose silence is too long, and those whose order book is lost.
    pub fn stale(&self) -> impl Iterator<Item = &Topic> {
        let now = self.looked;
        let is_stale = move |topic: &&Following| topic.is_stale || self.is_without_book(topic, now);
        self.tape.topics.iter().filter(is_stale).map(|topic| &topic.topic)
    }

    /// Topics that the venue does not have, and its words.
    pub fn refused(&self) -> impl Iterator<Item = (&Topic, &str)> {
        let topics = self.protocol.topics();
        self.refused.iter().filter_map(|(index, why)| Some((topics.get(*index)?, why.as_str())))
    }

    /// Why the connection was lost last.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// What is to be done next.
    pub fn action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What the consumer gets next.
    pub fn event(&mut self) -> Option<MarketEvent> {
        self.tape.queue.pop()
    }

    /// When time itself is an input.
    pub fn next_tick(&self) -> Duration {
        let sends = [&self.current, &self.successor].into_iter().flatten().filter_map(Connection::next_send);
        sends
            .chain(self.retry_at)
            .chain(self.retire_at)
            .fold(self.looked.saturating_add(LOOK_EVERY), Duration::min)
    }

    /// Takes what has happened.
    pub fn take(&mut self, input: Input, now: Moment) {
        if self.is_closed && input != Input::Start {
            return;
        }
        match input {
            Input::Start if !self.is_started || self.is_closed => {
                // After a stop it goes on where it was: what was missed meanwhile is asked for.
                self.tape.interrupt();
                (self.is_started, self.is_closed, self.tries) = (true, false, 0);
                for topic in &mut self.tape.topics {
                    topic.heard = now.mono;
                }
                // Not stale before there was time to connect.
                let mono = now.mono.saturating_add(self.tape.options.connect_within);
                self.expect_books(mono);
                self.interrupted = Some(Moment { mono, ..now });
                self.open(now);
            }
            Input::Opened(id) => self.opened(id, now),
            Input::Frame(id, frame) => self.frame(id, &frame, now),
            Input::Closed(id, why) => self.lose(id, why, now),
            Input::History(topic, history) => self.tape.answer(topic, history, now),
            Input::Book(id, topic, answer) => self.book_answer(id, topic, answer.as_deref(), now),
            Input::Stop => {
                self.tape.give_up_all(now);
                self.close();
            }
            Input::Start | Input::Tick => {}
        }
        if self.is_started && !self.is_closed {
            self.tick(now);
        }
    }

    fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        [&mut self.current, &mut self.successor].into_iter().flatten().find(|connection| connection.id == id)
    }

    fn open(&mut self, now: Moment) {
        self.retry_at = None;
        self.next_id = self.next_id.saturating_add(1);
        self.tape.counts.attempts = self.tape.counts.attempts.saturating_add(1);
        let connection = Connection::new(self.next_id, now);
        self.actions.push_back(Action::Open(connection.id));
        if self.current.is_none() {
            self.current = Some(connection);
        } else {
            self.successor = Some(connection);
        }
    }

    fn opened(&mut self, id: ConnectionId, now: Moment) {
        let (hello, greets) = (self.protocol.authentication(now.time), self.protocol.greets());
        let Some(connection) = self.connection(id).filter(|connection| connection.phase == Phase::Connecting)
        else {
            return;
        };
        if let Some(frame) = hello {
            connection.enter(Phase::Authenticating, now);
            connection.hear(now);
            if !greets {
                self.actions.push_back(Action::Send(id, frame));
            }
        } else {
            self.subscribe(id, now);
        }
    }

    /// The venue is ready to hear who we are; it is told once.
    fn greeted(&mut self, id: ConnectionId, now: Moment) {
        let hello = self.protocol.authentication(now.time);
        let is_due = self.protocol.greets()
            && self
                .connection(id)
                .is_some_and(|it| it.phase == Phase::Authenticating && it.is_first_greeting());
        if let Some(frame) = hello.filter(|_| is_due) {
            self.actions.push_back(Action::Send(id, frame));
        }
    }

    fn subscribe(&mut self, id: ConnectionId, now: Moment) {
        let all = 0..self.protocol.topics().len();
        let wanted: Vec<TopicIndex> = all.filter(|index| !self.refused.contains_key(index)).collect();
        let connection = [&mut self.current, &mut self.successor].into_iter().flatten();
        for connection in connection.filter(|connection| connection.id == id) {
            connection.subscribe(&self.protocol, &wanted, &self.tape.options, now);
        }
    }

    fn frame(&mut self, id: ConnectionId, frame: &Frame, now: Moment) {
        self.tape.counts.frames = self.tape.counts.frames.saturating_add(1);
        let Some(connection) = self.connection(id) else { return };
        connection.hear(now);
        let bytes = match frame {
            Frame::Text(bytes) | Frame::Binary(bytes) => bytes,
            Frame::Pong(_) => return connection.pong(),
            Frame::Ping(_) => return,
            Frame::Close => return self.lose(id, "the venue has ended the connection".to_owned(), now),
        };
        let mut said = std::mem::take(&mut self.said);
        let read = self.protocol.read(bytes, now.time, &mut said);
        for said in said.drain(..) {
            self.said(id, said, now);
        }
        self.said = said;
        if read.is_err() {
            self.tape.counts.unreadable = self.tape.counts.unreadable.saturating_add(1);
            self.tape.queue.gap(now.time, now.time);
            self.unread(id, now);
        }
    }

    fn said(&mut self, id: ConnectionId, said: Said, now: Moment) {
        let is_overlap = self.successor.is_some();
        let of = match &said {
            Said::Trade { topic, .. }
            | Said::Touch { topic, .. }
            | Said::Bar { topic, .. }
            | Said::Book { topic, .. }
            | Said::Acknowledged(topic) => Some(*topic),
            _ => None,
        };
        // Who sends a topic has taken its subscription.
        if let (Some(topic), Some(connection)) = (of, self.connection(id)) {
            connection.acknowledged(topic);
        }
        match said {
            Said::Trade { topic, trade, number } => self.tape.trade(topic, trade, number, now, is_overlap),
            Said::Void { topic, number } => self.tape.void(topic, number, now, is_overlap),
            Said::Newest { topic, number } => self.tape.newest(topic, number, now, is_overlap),
            Said::Touch { topic, bid, ask, time, number } => {
                self.tape.touch(topic, (bid, ask), time, number, now);
            }
            Said::Bar { topic, bar, is_closed } => {
                let by_next = self.protocol.facts().bars_end_with_the_next;
                self.tape.bar(topic, bar, is_closed, by_next, now);
            }
            Said::Book { topic, update } => self.book_update(id, topic, update, now),
            Said::Acknowledged(_) => {}
            Said::RequestAcknowledged(request) => {
                if let Some(connection) = self.connection(id) {
                    connection.request_acknowledged(request);
                }
            }
            Said::RequestRefused { request, message } => {
                if let Some(topic) = self.connection(id).and_then(|it| it.request_refused(request)) {
                    self.refuse(id, topic, message);
                }
            }
            Said::Refused { topic, message } => self.refuse(id, topic, message),
            Said::Revised(topic, bar) => self.tape.revise(topic, bar),
            Said::Withdrawn { time, .. } => self.tape.withdraw(time, now),
            Said::Subscribed(all) => {
                if let Some(Err(why)) = self.connection(id).map(|connection| connection.listed(&all)) {
                    self.lose(id, why, now);
                }
            }
            Said::Greeted => self.greeted(id, now),
            Said::Authenticated => {
                if self.connection(id).is_some_and(|it| it.phase == Phase::Authenticating) {
                    self.subscribe(id, now);
                }
            }
            Said::Pong => {
                if let Some(connection) = self.connection(id) {
                    connection.pong();
                }
            }
            Said::EndsSoon => self.succeed(id, now),
            Said::Retry(message) => self.lose(id, message, now),
            Said::Fatal(message) => self.fatal(message),
        }
    }

    /// The venue does not have a topic. The others go on; with none left there is no point.
    fn refuse(&mut self, id: ConnectionId, topic: TopicIndex, message: String) {
        if let Some(connection) = self.connection(id) {
            connection.acknowledged(topic);
            connection.books.remove(&topic);
        }
        self.refused.insert(topic, message.clone());
        if self.refused.len() == self.protocol.topics().len() {
            self.fatal(format!("no topic is taken: {message}; check the symbols"));
        }
    }

    /// The current connection will end: the next one is made beside it.
    fn succeed(&mut self, id: ConnectionId, now: Moment) {
        let is_current = self.current.as_ref().is_some_and(|it| it.id == id && it.phase == Phase::Live);
        if is_current && self.successor.is_none() && self.retry_at.is_none() {
            self.open(now);
        }
    }

    fn lose(&mut self, id: ConnectionId, why: String, now: Moment) {
        if self.connection(id).is_none() {
            return;
        }
        self.fault = Some(why);
        self.actions.push_back(Action::Close(id));
        if let Some(lost) = self.current.take_if(|it| it.id == id) {
            self.current = self.successor.take();
            self.retire_at = None;
            self.show_books(now);
            let is_live = self.current.as_ref().is_some_and(|it| it.phase == Phase::Live);
            if lost.phase == Phase::Live && now.mono.saturating_sub(lost.since) >= self.tape.options.healthy {
                self.tries = 0;
            }
            if !is_live {
                self.interrupted.get_or_insert(Moment { time: lost.heard_at, mono: now.mono });
                self.tape.interrupt();
            }
        } else {
            self.successor = None;
            self.retire_at = None;
        }
        if self.successor.is_none() && self.retry_at.is_none() && !self.is_new() {
            self.retry_at = Some(now.mono.saturating_add(self.delay()));
        }
    }

    /// Whether the current connection needs no successor yet.
    fn is_new(&self) -> bool {
        self.current.as_ref().is_some_and(|it| it.id == self.next_id)
    }

    /// Full jitter: anything up to twice the last limit.
    fn delay(&mut self) -> Duration {
        let options = self.tape.options;
        let limit = options.backoff.saturating_mul(1 << self.tries.min(20)).min(options.backoff_cap);
        let least = if self.tries < options.quick_attempts { Duration::ZERO } else { options.pause };
        self.tries = self.tries.saturating_add(1);
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(bits % nanos.saturating_add(1).max(1)).max(least)
    }

    fn fatal(&mut self, message: String) {
        self.close();
        self.tape.queue.fatal(message);
    }

    fn close(&mut self) {
        for connection in [self.current.take(), self.successor.take()].into_iter().flatten() {
            self.actions.push_back(Action::Close(connection.id));
        }
        for index in 0..self.tape.topics.len() {
            self.tape.release(index);
        }
        self.tape.gather.tick(None, &mut self.tape.queue);
        (self.retry_at, self.retire_at) = (None, None);
        self.is_closed = true;
    }

    fn tick(&mut self, now: Moment) {
        let options = self.tape.options;
        let mut lost = Vec::new();
        for connection in [&mut self.current, &mut self.successor].into_iter().flatten() {
            if let Err(why) = connection.tick(&self.protocol, &options, now, &mut self.actions) {
                lost.push((connection.id, why));
            } else if connection.phase == Phase::Subscribing && connection.is_complete() {
                connection.enter(Phase::Live, now);
                self.tape.counts.lives = self.tape.counts.lives.saturating_add(1);
            }
        }
        for (id, why) in lost {
            self.lose(id, why, now);
        }
        self.hand_over(now);
        if self.retry_at.is_some_and(|at| now.mono >= at) {
            self.open(now);
        }
        if now.mono.saturating_sub(self.looked) >= LOOK_EVERY {
            self.looked = now.mono;
            self.look(now);
        }
    }

    /// From the old connection to the new, and from interrupted to live.
    fn hand_over(&mut self, now: Moment) {
        let is_live = |it: &Option<Connection>| it.as_ref().is_some_and(|it| it.phase == Phase::Live);
        if is_live(&self.successor) {
            let at =
                *self.retire_at.get_or_insert_with(|| now.mono.saturating_add(self.tape.options.overlap));
            if now.mono >= at
                && let Some(old) = self.current.take()
            {
                self.actions.push_back(Action::Close(old.id));
                self.current = self.successor.take();
                self.retire_at = None;
                self.show_books(now);
            }
        }
        if is_live(&self.current) && self.interrupted.take().is_some() {
            self.tape.recover(now);
            self.looked = Duration::ZERO;
        }
        let lifetime = self.protocol.facts().lifetime;
        if let Some(old) = self.current.as_ref().filter(|it| it.phase == Phase::Live)
            && lifetime.is_some_and(|lifetime| now.mono.saturating_sub(old.since) >= lifetime)
        {
            self.succeed(old.id, now);
        }
        if let Some(connection) = &self.current
            && connection.phase == Phase::Live
            && now.mono.saturating_sub(connection.since) >= self.tape.options.healthy
            && self.successor.is_none()
            && self.retry_at.is_none()
        {
            self.tries = 0;
        }
    }

    /// Looks after the topics.
    fn look(&mut self, now: Moment) {
        self.tape.gather.tick(Some(now.mono), &mut self.tape.queue);
        self.actions.extend(self.tape.due(now).into_iter().map(Action::Ask));
        self.look_for_books(now.mono);
        let date = now.time.to_datetime();
        let mut stale_since: Option<Timestamp> = None;
        let mut symbols: BTreeSet<Symbol> = BTreeSet::new();
        let mut cause = StaleCause::Silent;
        let mut waits = false;
        for (index, topic) in self.tape.topics.iter_mut().enumerate() {
            // What the venue does not have never comes.
            if self.refused.contains_key(&index) {
                topic.is_stale = false;
                continue;
            }
            let silent = now.mono.saturating_sub(topic.heard);
            // Once stale, only data makes it trusted again, not the end of the session.
            topic.is_stale =
                silent >= topic.patience.silence && (topic.is_stale || topic.patience.is_over(silent, date));
            if topic.is_stale {
                let since = before(now.time, silent);
                stale_since = Some(stale_since.map_or(since, |other| other.min(since)));
                symbols.insert(topic.topic.symbol.clone());
            }
            waits |= topic.waits() || topic.lacks_book.is_some();
            // A lost book is silence: nothing of the past follows it.
            if let Some(since) = topic.lacks_book
                && now.mono.saturating_sub(since) >= self.tape.options.disconnected
            {
                let since = before(now.time, now.mono.saturating_sub(since));
                stale_since = Some(stale_since.map_or(since, |other| other.min(since)));
                symbols.insert(topic.topic.symbol.clone());
            }
            // Who waits for the history has nothing to show, whatever comes meanwhile.
            let waited = topic.waited(now.mono);
            if waited >= self.tape.options.disconnected {
                let since = before(now.time, waited);
                stale_since = Some(stale_since.map_or(since, |other| other.min(since)));
                symbols.insert(topic.topic.symbol.clone());
                cause = StaleCause::Interrupted;
            }
        }
        if let Some(since) = self.interrupted
            && now.mono.saturating_sub(since.mono) >= self.tape.options.disconnected
            && now.mono >= since.mono
        {
            stale_since = Some(stale_since.map_or(since.time, |other| other.min(since.time)));
            let topics = self.tape.topics.iter().enumerate();
            let wanted = topics.filter(|(index, _)| !self.refused.contains_key(index));
            symbols.extend(wanted.map(|(_, topic)| topic.topic.symbol.clone()));
            cause = StaleCause::Interrupted;
        }
        let venue = self.tape.venue.clone();
        match stale_since {
            Some(since) => {
                let is_told = |(told, why): &(Arc<[Symbol]>, StaleCause)| {
                    *why == cause && told.len() == symbols.len() && told.iter().eq(&symbols)
                };
                if !self.stale.as_ref().is_some_and(is_told) {
                    let symbols: Arc<[Symbol]> = symbols.into_iter().collect();
                    self.stale = Some((Arc::clone(&symbols), cause));
                    self.tape.queue.health(MarketEvent::Stale { venue, since, symbols, cause });
                }
            }
            None if self.stale.is_some() && !waits && self.interrupted.is_none() => {
                self.stale = None;
                self.tape.queue.health(MarketEvent::Recovered { venue, time: now.time });
            }
            None => {}
        }
    }
}

/// So long before an instant.
fn before(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_sub(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
}
