//! A venue, its sockets, its history and a clock, all of memory and virtual time.

#[path = "book_venue.rs"]
pub(super) mod book_venue;

use book_venue::BookVenue;
use bytes::Bytes;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{
    Departure, Frame, HttpClient, RequestOptions, Sleep, Socket, SocketConnector, TransportError,
};
use mts_foundation::market_data::{DataFeed, MarketData, MarketDataError, MarketEvent, QuoteStream};
use mts_foundation::time::Clock;
use mts_foundation::{Bar, Decimal, Interval, Quote, Symbol, Timestamp, Trade, VenueName};
use mts_marketdata::stream::protocol::Protocol;
use mts_marketdata::stream::{Options, Patience, StreamFeed, World};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// 2026-03-02T00:00:00Z, a Monday.
pub(super) fn wall(now: Duration) -> Timestamp {
    Timestamp::from_millis(1_772_409_600_000).plus(now)
}

pub(super) fn symbol() -> Symbol {
    Symbol::new("BTC-USDT").unwrap()
}

/// How the venue speaks.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Speech {
    /// Numbered prints.
    Binance,
    /// Prints without numbers.
    Okx,
}

pub(super) struct Line {
    inbox: VecDeque<Frame>,
    is_open: bool,
    is_subscribed: bool,
    /// How late its frames are: those until then are held back.
    late: Duration,
    waiting: VecDeque<(Duration, Frame)>,
}

pub(super) struct Venue {
    pub(super) speech: Speech,
    pub(super) now: Duration,
    pub(super) prints: Vec<Trade>,
    /// A print every so often.
    pub(super) every: Duration,
    pub(super) next_print: Duration,
    /// When there are prints; afterwards silence.
    pub(super) until: Duration,
    /// All connections are cut every so often.
    pub(super) cut_every: Option<Duration>,
    pub(super) next_cut: Duration,
    pub(super) cuts: u64,
    pub(super) never_sent: BTreeSet<usize>,
    pub(super) twice: bool,
    pub(super) pongs: bool,
    pub(super) acks: bool,
    pub(super) is_up: bool,
    pub(super) history_page: usize,
    pub(super) history_fails: bool,
    /// By how much the history is behind.
    pub(super) history_lag: Duration,
    pub(super) history_calls: u64,
    /// The history has other ids than the stream.
    pub(super) history_renames: bool,
    pub(super) stamps_ahead: Option<(usize, Duration)>,
    pub(super) connects: Vec<Duration>,
    pub(super) sent: Vec<String>,
    pub(super) lines: BTreeMap<u64, Line>,
    next_line: u64,
    /// How late the frames of each connection are.
    pub(super) lateness: Vec<Duration>,
    pub(super) most_lines: usize,
    pub(super) says: VecDeque<(Duration, String)>,
    /// What answers a text that is no subscription.
    pub(super) answer: Option<String>,
    sleepers: Vec<Duration>,
    /// The order book, where one is followed and no prints are.
    pub(super) book: Option<BookVenue>,
    /// How long a request for it takes.
    pub(super) request_takes: Duration,
}

impl Venue {
    fn new(speech: Speech) -> Self {
        Self {
            speech,
            now: Duration::ZERO,
            prints: Vec::new(),
            every: ms(100),
            next_print: ms(100),
            until: Duration::MAX,
            cut_every: None,
            next_cut: Duration::MAX,
            cuts: 0,
            never_sent: BTreeSet::new(),
            twice: false,
            pongs: true,
            acks: true,
            is_up: true,
            history_page: 1_000,
            history_fails: false,
            history_lag: Duration::ZERO,
            history_calls: 0,
            history_renames: false,
            stamps_ahead: None,
            connects: Vec::new(),
            sent: Vec::new(),
            lines: BTreeMap::new(),
            next_line: 0,
            lateness: Vec::new(),
            most_lines: 0,
            says: VecDeque::new(),
            answer: None,
            sleepers: Vec::new(),
            book: None,
            request_takes: ms(150),
        }
    }

    fn frame(&self, print: &Trade, ahead: Duration) -> Frame {
        let time = print.timestamp.plus(ahead).nanos() / 1_000_000;
        let (id, price) = (&print.trade_id, print.price);
        Frame::Text(Bytes::from(match self.speech {
            Speech::Binance => format!(
                r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{time},"s":"BTCUSDT","t":{id},"p":"{price}","q":"1","T":{time},"m":true,"M":true}}}}"#
            ),
            Speech::Okx => format!(
                r#"{{"arg":{{"channel":"trades","instId":"BTC-USDT"}},"data":[{{"instId":"BTC-USDT","tradeId":"{id}","px":"{price}","sz":"1","side":"buy","ts":"{time}"}}]}}"#
            ),
        }))
    }

    fn print(&mut self) {
        let place = self.prints.len();
        // The ids of prints without numbers say nothing.
        let id = if self.speech == Speech::Okx { (place * 7_919) % 1_000_003 } else { place + 1_000 };
        let print = Trade {
            trade_id: id.to_string().into(),
            symbol: symbol(),
            price: Decimal::from(100 + place % 7),
            size: Decimal::ONE,
            venue: VenueName::new("fake").unwrap(),
            timestamp: wall(self.next_print),
        };
        let ahead = self.stamps_ahead.filter(|(which, _)| *which == place).map_or(Duration::ZERO, |it| it.1);
        let frame = self.frame(&print, ahead);
        self.prints.push(print);
        if self.never_sent.contains(&place) {
            return;
        }
        for line in self.lines.values_mut().filter(|line| line.is_open && line.is_subscribed) {
            for _ in 0..if self.twice { 2 } else { 1 } {
                line.waiting.push_back((self.next_print + line.late, frame.clone()));
            }
        }
    }

    fn next_event(&self) -> Duration {
        let print = if self.next_print <= self.until { self.next_print } else { Duration::MAX };
        let late = self.lines.values().filter_map(|line| Some(line.waiting.front()?.0));
        let says = self.says.front().map(|(at, _)| *at);
        let book = self.book.as_ref().map(|book| book.next);
        late.chain(says).chain(book).chain([print, self.next_cut]).min().unwrap_or(Duration::MAX)
    }

    fn step(&mut self) {
        while self.next_print <= self.now.min(self.until) {
            self.print();
            self.next_print += self.every;
        }
        while let Some(book) = self.book.as_mut().filter(|book| book.next <= self.now) {
            let at = book.next;
            for frame in book.step() {
                for line in self.lines.values_mut().filter(|line| line.is_open && line.is_subscribed) {
                    line.waiting.push_back((at + line.late, Frame::Text(frame.clone().into())));
                }
            }
        }
        while let Some((_, text)) = self.says.pop_front_if(|(at, _)| *at <= self.now) {
            for line in self.lines.values_mut() {
                line.inbox.push_back(Frame::Text(text.clone().into()));
            }
        }
        for line in self.lines.values_mut() {
            while let Some((_, frame)) = line.waiting.pop_front_if(|(at, _)| *at <= self.now) {
                line.inbox.push_back(frame);
            }
        }
        if self.next_cut <= self.now {
            self.cut();
            self.next_cut += self.cut_every.unwrap_or(Duration::MAX - self.next_cut);
        }
    }

    pub(super) fn cut(&mut self) {
        for line in self.lines.values_mut().filter(|line| line.is_open) {
            line.is_open = false;
            self.cuts += 1;
        }
    }

    fn hear(&mut self, id: u64, frame: Frame) {
        let (acks, pongs) = (self.acks, self.pongs);
        let answer = self.answer.clone();
        let speech = self.speech;
        let Some(line) = self.lines.get_mut(&id) else { return };
        let text = match frame {
            Frame::Ping(bytes) => {
                if pongs {
                    line.inbox.push_back(Frame::Pong(bytes));
                }
                return;
            }
            Frame::Text(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            _ => return,
        };
        if text == "ping" {
            if pongs {
                line.inbox.push_back(Frame::Text(Bytes::from_static(b"pong")));
            }
        } else if let Some(book) = &mut self.book {
            let (answers, follows) = book.hear(&text, self.now);
            line.is_subscribed = follows.unwrap_or(line.is_subscribed);
            line.inbox.extend(answers.into_iter().map(|text| Frame::Text(text.into())));
        } else if text.to_ascii_lowercase().contains("subscribe") {
            line.is_subscribed = true;
            if acks {
                let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                let answers = match speech {
                    Speech::Binance => vec![format!(r#"{{"result":null,"id":{}}}"#, value["id"])],
                    Speech::Okx => {
                        let args = value["args"].as_array().unwrap();
                        args.iter().map(|arg| format!(r#"{{"event":"subscribe","arg":{arg}}}"#)).collect()
                    }
                };
                line.inbox.extend(answers.into_iter().map(|text| Frame::Text(text.into())));
            }
        } else if let Some(answer) = answer {
            line.inbox.push_back(Frame::Text(answer.into()));
        }
        self.sent.push(text);
    }
}

/// A world that is shared by all of its parts.
#[derive(Clone)]
pub(super) struct Fake(Arc<Mutex<Venue>>);

impl Fake {
    pub(super) fn new(speech: Speech) -> Self {
        Self(Arc::new(Mutex::new(Venue::new(speech))))
    }

    pub(super) fn venue(&self) -> MutexGuard<'_, Venue> {
        self.0.lock().unwrap()
    }

    pub(super) fn world(&self, has_history: bool) -> World {
        let parts = Arc::new(self.clone());
        World {
            connector: parts.clone(),
            sleep: parts.clone(),
            clock: parts.clone(),
            history: has_history.then_some(parts as _),
        }
    }

    pub(super) fn feed<P: Protocol>(
        &self,
        protocol: P,
        options: Options,
        has_history: bool,
    ) -> StreamFeed<P> {
        let patience = |_: &_| Patience::always(30 * SECOND);
        StreamFeed::new(protocol, patience, options, self.world(has_history), 7)
    }

    /// Runs a feed until a time, its consumer busy for so long after each event. What came, and when.
    pub(super) fn run(
        &self,
        feed: &mut impl DataFeed,
        until: Duration,
        busy: Duration,
    ) -> Vec<(Duration, MarketEvent)> {
        let mut events = Vec::new();
        mts_foundation::ready::ready(feed.start()).unwrap().unwrap();
        let mut idle = 0;
        'next: loop {
            let mut next = Box::pin(feed.next());
            loop {
                self.venue().sleepers.clear();
                match next.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(result) => {
                        let Some(event) = result.unwrap() else { return events };
                        let now = self.venue().now;
                        events.push((now, event));
                        self.pass(now + busy);
                        if self.venue().now > until {
                            return events;
                        }
                        continue 'next;
                    }
                    Poll::Pending => {
                        let mut venue = self.venue();
                        let due = venue.sleepers.iter().copied().min().unwrap_or(Duration::MAX);
                        let at = due.min(venue.next_event());
                        idle = if at <= venue.now { idle + 1 } else { 0 };
                        assert!(idle < 1_000, "time does not pass: something waits for what is there");
                        if at > until {
                            venue.now = until;
                            return events;
                        }
                        venue.now = at.max(venue.now);
                        venue.step();
                    }
                }
            }
        }
    }

    /// Lets time pass, event by event.
    fn pass(&self, until: Duration) {
        let mut venue = self.venue();
        while venue.next_event() <= until {
            venue.now = venue.next_event().max(venue.now);
            venue.step();
        }
        venue.now = until.max(venue.now);
    }
}

impl Clock for Fake {
    fn now(&self) -> Timestamp {
        wall(self.venue().now)
    }

    fn monotonic(&self) -> Duration {
        self.venue().now
    }
}

impl Sleep for Fake {
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let world = self.clone();
        let due = world.venue().now.saturating_add(time);
        Box::pin(poll_fn(move |_| {
            let mut venue = world.venue();
            if venue.now >= due {
                return Poll::Ready(());
            }
            venue.sleepers.push(due);
            Poll::Pending
        }))
    }
}

struct FakeSocket {
    world: Fake,
    id: u64,
}

impl Drop for FakeSocket {
    fn drop(&mut self) {
        // A test that fails holds the venue.
        if let Ok(mut venue) = self.world.0.lock() {
            venue.lines.remove(&self.id);
        }
    }
}

impl Socket for FakeSocket {
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        self.world.venue().hear(self.id, frame);
        Box::pin(std::future::ready(Ok(())))
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        Box::pin(poll_fn(|_| {
            let mut venue = self.world.venue();
            let line = venue.lines.get_mut(&self.id).unwrap();
            match line.inbox.pop_front() {
                Some(frame) => Poll::Ready(Ok(Some(frame))),
                None if line.is_open => Poll::Pending,
                None => Poll::Ready(Ok(None)),
            }
        }))
    }
}

impl HttpClient for Fake {
    /// The book as it is when the request comes, told when it has taken its time.
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let (takes, body) = {
            let mut venue = self.venue();
            let now = venue.now;
            assert!(request.uri().path().ends_with("/depth") && request.uri().query().is_some());
            (venue.request_takes, venue.book.as_mut().unwrap().rest(now))
        };
        Sleep::sleep(self, takes).await;
        let status = if body.is_some() { 200 } else { 503 };
        Ok(http::Response::builder().status(status).body(body.unwrap_or_default().into()).unwrap())
    }
}

impl SocketConnector for Fake {
    async fn connect(
        &self,
        _request: http::Request<()>,
        _deadline: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        let mut venue = self.venue();
        let now = venue.now;
        venue.connects.push(now);
        if !venue.is_up {
            return Err(TransportError {
                departure: Departure::NotSent,
                timed_out: false,
                message: "down".to_owned(),
                source: None,
            });
        }
        venue.next_line += 1;
        let id = venue.next_line;
        let late = venue.lateness.get(venue.connects.len() - 1).copied().unwrap_or_default();
        let line = Line {
            inbox: VecDeque::new(),
            is_open: true,
            is_subscribed: false,
            late,
            waiting: VecDeque::new(),
        };
        venue.lines.insert(id, line);
        venue.most_lines = venue.most_lines.max(venue.lines.len());
        Ok(Box::new(FakeSocket { world: self.clone(), id }))
    }
}

impl MarketData for Fake {
    fn name(&self) -> &str {
        "fake"
    }

    async fn quote(&self, _: &Symbol) -> Result<Quote, MarketDataError> {
        unreachable!()
    }

    async fn bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
        start: Timestamp,
        _: Option<Timestamp>,
    ) -> Result<Vec<Bar>, MarketDataError> {
        let now = wall(self.venue().now);
        let mut bars = Vec::new();
        let mut end = start.plus(interval.duration());
        while end <= now {
            bars.push(Bar::close_only(symbol.clone(), interval, Decimal::ONE, end));
            end = end.plus(interval.duration());
        }
        Ok(bars)
    }

    async fn trades(&self, _: &Symbol, asof: Timestamp) -> Result<Vec<Trade>, MarketDataError> {
        let mut venue = self.venue();
        venue.history_calls += 1;
        if venue.history_fails {
            let (source_name, message) = ("fake".to_owned(), "down".to_owned());
            return Err(MarketDataError::Venue { source_name, message });
        }
        let asof = asof.min(wall(venue.now.saturating_sub(venue.history_lag)));
        let until = venue.prints.partition_point(|print| print.timestamp <= asof);
        let mut prints = venue.prints[until.saturating_sub(venue.history_page)..until].to_vec();
        if venue.history_renames {
            for print in &mut prints {
                print.trade_id = format!("9{}", print.trade_id).into();
            }
        }
        Ok(prints)
    }

    fn stream_quotes(&self, _: &[Symbol]) -> QuoteStream<'_> {
        unreachable!()
    }
}
