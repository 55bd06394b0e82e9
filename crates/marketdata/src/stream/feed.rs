//! A feed over sockets: the thin driver of the [`Machine`].
//!
//! No task is spawned: [`next`](DataFeed::next) drives everything. It takes what the sockets have ready before it hands out an
//! event, so that a slow consumer fills the queue, which conflates and counts, and not the venue's buffers. A consumer that does
//! not call it at all for longer than the venue is patient loses the connection, and gets the history afterwards. A call that is
//! dropped loses nothing.

use super::backfill::{History, Question};
use super::liveness::Patience;
use super::machine::{Action, ConnectionId, Input, Machine, State};
use super::options::{Counts, Moment, Options};
use super::protocol::{Channel, Protocol, Topic, TopicIndex};
use bytes::Bytes;
use mts_foundation::Timestamp;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{
    DynHttpClient, DynSocketConnector, Frame, RequestOptions, Sleep, Socket, TransportError,
};
use mts_foundation::market_data::{DataFeed, DynMarketData, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::time::Clock;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Frames that are taken before an event is handed out, at most.
const BURST: usize = 64;

/// Longest wait until a frame is sent.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// What a feed needs of the world.
#[derive(Clone)]
pub struct World {
    /// Opens sockets.
    pub connector: Arc<dyn DynSocketConnector>,
    /// Waits.
    pub sleep: Arc<dyn Sleep>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Has the past: prints under the same ids as the stream's, and bars.
    pub history: Option<Arc<dyn DynMarketData>>,
}

impl fmt::Debug for World {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("World").field("history", &self.history.is_some()).finish_non_exhaustive()
    }
}

impl World {
    fn now(&self) -> Moment {
        Moment { time: self.clock.now(), mono: self.clock.monotonic() }
    }
}

type Connecting = BoxFuture<'static, Result<Box<dyn Socket>, TransportError>>;

enum Line {
    Connecting(Connecting),
    Open(Box<dyn Socket>),
}

struct Wire {
    id: ConnectionId,
    line: Line,
    out: VecDeque<Frame>,
}

/// What has come of a wait.
enum Woken {
    Connected(ConnectionId, Result<Box<dyn Socket>, TransportError>),
    Received(ConnectionId, Result<Option<Frame>, TransportError>),
    Answered(TopicIndex, Option<History>),
    Snapshot(ConnectionId, TopicIndex, Option<Bytes>),
    Slept,
}

/// A snapshot of an order book that is asked for.
type Snapshot = (ConnectionId, TopicIndex, BoxFuture<'static, Option<Bytes>>);

/// Market data of one venue.
pub struct StreamFeed<P> {
    machine: Machine<P>,
    world: World,
    wires: Vec<Wire>,
    histories: Vec<(TopicIndex, BoxFuture<'static, Option<History>>)>,
    http: Option<Arc<dyn DynHttpClient>>,
    snapshots: Vec<Snapshot>,
    connect_within: Duration,
    is_running: bool,
    events: u64,
    last_time: Option<Timestamp>,
    turn: usize,
}

impl<P: Protocol> fmt::Debug for StreamFeed<P> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let venue = self.machine.protocol().venue();
        out.debug_struct("StreamFeed").field("venue", venue).field("state", &self.machine.state()).finish()
    }
}

impl<P: Protocol> StreamFeed<P> {
    /// A feed that does not run yet. See [`Machine::new`] for the patience and the random number.
    pub fn new(
        protocol: P,
        patience: impl Fn(&Topic) -> Patience,
        options: Options,
        world: World,
        random: u64,
    ) -> Self {
        let has_history = world.history.is_some();
        let machine = Machine::new(protocol, patience, options, has_history, random, world.now());
        Self {
            machine,
            wires: Vec::new(),
            histories: Vec::new(),
            http: None,
            snapshots: Vec::new(),
            connect_within: options.connect_within,
            is_running: false,
            events: 0,
            last_time: None,
            turn: 0,
            world,
        }
    }

    /// With what asks for snapshots of order books, where the venue's stream has none: without it such a book never comes.
    #[must_use]
    pub fn with_http(mut self, http: Arc<dyn DynHttpClient>) -> Self {
        self.http = Some(http);
        self
    }

    /// Its state machine: where it stands, what is stale and what is refused.
    pub fn machine(&self) -> &Machine<P> {
        &self.machine
    }

    /// What it has counted.
    pub fn counts(&self) -> Counts {
        self.machine.counts()
    }

    fn take(&mut self, input: Input) {
        self.machine.take(input, self.world.now());
    }

    /// Does what the machine wants done.
    async fn act(&mut self) {
        while let Some(action) = self.machine.action() {
            match action {
                Action::Open(id) => self.open(id),
                Action::Send(id, frame) => {
                    if let Some(wire) = self.wires.iter_mut().find(|wire| wire.id == id) {
                        wire.out.push_back(frame);
                    }
                }
                Action::Close(id) => {
                    self.wires.retain(|wire| wire.id != id);
                    self.snapshots.retain(|(of, ..)| *of != id);
                }
                Action::AskBook(id, topic) => self.ask_book(id, topic),
                Action::Ask(question) => self.ask(question),
            }
        }
        let mut lost = Vec::new();
        for Wire { id, line, out } in &mut self.wires {
            let Line::Open(socket) = line else { continue };
            // A frame leaves the list when it has left us: this call may be dropped meanwhile.
            while let Some(frame) = out.front() {
                if !sent(&mut **socket, frame.clone(), self.world.sleep.sleep(SEND_WITHIN)).await {
                    lost.push(*id);
                    break;
                }
                out.pop_front();
            }
        }
        for id in lost {
            self.wires.retain(|wire| wire.id != id);
            self.take(Input::Closed(id, "a frame could not be sent in time".to_owned()));
        }
    }

    fn open(&mut self, id: ConnectionId) {
        let url = self.machine.protocol().url();
        let request = match http::Request::get(url).body(()) {
            Ok(request) => request,
            Err(error) => {
                let why = format!("{url} is no address: {error}");
                return self.take(Input::Closed(id, why));
            }
        };
        let (connector, deadline) = (Arc::clone(&self.world.connector), self.connect_within);
        let connecting = Box::pin(async move { connector.connect(request, deadline).await });
        self.wires.push(Wire { id, line: Line::Connecting(connecting), out: VecDeque::new() });
    }

    fn ask(&mut self, Question { topic: index, since }: Question) {
        let topic = self.machine.protocol().topics().get(index).cloned();
        let (Some(history), Some(Topic { channel, symbol })) = (self.world.history.clone(), topic) else {
            return self.take(Input::History(index, None));
        };
        let now = self.world.clock.now();
        let answer: BoxFuture<'static, Option<History>> = Box::pin(async move {
            match channel {
                Channel::Trades => history.trades(&symbol, now).await.ok().map(History::Trades),
                Channel::Bars(interval) => {
                    history.bars(&symbol, interval, since, None).await.ok().map(History::Bars)
                }
                Channel::Quotes | Channel::Book => None,
            }
        });
        self.histories.retain(|(other, _)| *other != index);
        self.histories.push((index, answer));
    }

    fn ask_book(&mut self, id: ConnectionId, topic: TopicIndex) {
        let asked = self.machine.protocol().book_request(topic);
        let request =
            asked.and_then(|(url, weight)| Some((http::Request::get(url).body(Bytes::new()).ok()?, weight)));
        let (Some(http), Some((request, weight))) = (self.http.clone(), request) else {
            return self.take(Input::Book(id, topic, None));
        };
        let answer: BoxFuture<'static, Option<Bytes>> = Box::pin(async move {
            let options = RequestOptions { weight, ..RequestOptions::read() };
            let reply = http.send(request, &options).await.ok()?;
            reply.status().is_success().then(|| reply.into_body())
        });
        self.snapshots.push((id, topic, answer));
    }

    /// What comes next; with no patience, what has come already.
    async fn woken(&mut self, patience: Option<Duration>) -> Option<Woken> {
        enum Wait<'a> {
            Connect(&'a mut Connecting),
            Receive(BoxFuture<'a, Result<Option<Frame>, TransportError>>),
        }
        let mut sleep = patience.map(|time| self.world.sleep.sleep(time));
        let mut waits: Vec<(ConnectionId, Wait<'_>)> = Vec::with_capacity(2);
        for wire in &mut self.wires {
            let wait = match &mut wire.line {
                Line::Connecting(connecting) => Wait::Connect(connecting),
                Line::Open(socket) => Wait::Receive(socket.receive()),
            };
            waits.push((wire.id, wait));
        }
        // None of two busy connections waits for the other.
        self.turn = self.turn.wrapping_add(1);
        if self.turn.is_multiple_of(2) {
            waits.reverse();
        }
        let (histories, snapshots) = (&mut self.histories, &mut self.snapshots);
        poll_fn(|context| {
            for (id, wait) in &mut waits {
                match wait {
                    Wait::Connect(connecting) => {
                        if let Poll::Ready(result) = connecting.as_mut().poll(context) {
                            return Poll::Ready(Some(Woken::Connected(*id, result)));
                        }
                    }
                    Wait::Receive(receiving) => {
                        if let Poll::Ready(result) = receiving.as_mut().poll(context) {
                            return Poll::Ready(Some(Woken::Received(*id, result)));
                        }
                    }
                }
            }
            for (topic, answer) in histories.iter_mut() {
                if let Poll::Ready(history) = answer.as_mut().poll(context) {
                    return Poll::Ready(Some(Woken::Answered(*topic, history)));
                }
            }
            for (id, topic, answer) in snapshots.iter_mut() {
                if let Poll::Ready(bytes) = answer.as_mut().poll(context) {
                    return Poll::Ready(Some(Woken::Snapshot(*id, *topic, bytes)));
                }
            }
            match &mut sleep {
                None => Poll::Ready(None),
                Some(sleep) => sleep.as_mut().poll(context).map(|()| Some(Woken::Slept)),
            }
        })
        .await
    }

    fn woke(&mut self, woken: Woken) {
        let input = match woken {
            Woken::Connected(id, Ok(socket)) => {
                if let Some(wire) = self.wires.iter_mut().find(|wire| wire.id == id) {
                    wire.line = Line::Open(socket);
                }
                Input::Opened(id)
            }
            Woken::Received(id, Ok(Some(frame))) => Input::Frame(id, frame),
            Woken::Connected(id, Err(error)) | Woken::Received(id, Err(error)) => {
                self.wires.retain(|wire| wire.id != id);
                Input::Closed(id, error.message)
            }
            Woken::Received(id, Ok(None)) => {
                self.wires.retain(|wire| wire.id != id);
                Input::Closed(id, "the connection has ended".to_owned())
            }
            Woken::Answered(topic, history) => {
                self.histories.retain(|(other, _)| *other != topic);
                Input::History(topic, history)
            }
            Woken::Snapshot(id, topic, bytes) => {
                self.snapshots.retain(|(of, other, _)| (*of, *other) != (id, topic));
                Input::Book(id, topic, bytes)
            }
            Woken::Slept => Input::Tick,
        };
        self.take(input);
    }
}

/// Whether a frame was sent in time.
async fn sent(socket: &mut dyn Socket, frame: Frame, mut limit: BoxFuture<'static, ()>) -> bool {
    let mut sending = socket.send(frame);
    poll_fn(|context| match sending.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(result.is_ok()),
        Poll::Pending => limit.as_mut().poll(context).map(|()| false),
    })
    .await
}

impl<P: Protocol> DataFeed for StreamFeed<P> {
    fn name(&self) -> &str {
        self.machine.protocol().venue().as_str()
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        if !self.is_running {
            self.is_running = true;
            self.take(Input::Start);
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        loop {
            self.act().await;
            for _ in 0..BURST {
                let Some(woken) = self.woken(None).await else { break };
                self.woke(woken);
                self.act().await;
            }
            let now = self.world.clock.monotonic();
            if now >= self.machine.next_tick() {
                self.take(Input::Tick);
                self.act().await;
            }
            if let Some(event) = self.machine.event() {
                self.events = self.events.saturating_add(1);
                self.last_time = event.priced_at().or(self.last_time);
                return Ok(Some(event));
            }
            if !self.is_running || self.machine.state() == State::Closed {
                self.is_running = false;
                return Ok(None);
            }
            let patience = self.machine.next_tick().saturating_sub(self.world.clock.monotonic());
            if let Some(woken) = self.woken(Some(patience)).await {
                self.woke(woken);
            }
        }
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        if self.is_running {
            self.is_running = false;
            self.take(Input::Stop);
            self.histories.clear();
            self.snapshots.clear();
            self.act().await;
        }
        Ok(())
    }

    fn stats(&self) -> FeedStats {
        let symbols: BTreeSet<_> =
            self.machine.protocol().topics().iter().map(|topic| &topic.symbol).collect();
        FeedStats {
            running: self.is_running,
            ticks: self.events,
            throttled: self.machine.overflow().1,
            symbols: symbols.len() as u64,
            last_time: self.last_time,
        }
    }
}
