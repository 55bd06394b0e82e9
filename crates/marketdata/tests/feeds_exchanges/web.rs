//! Exchanges that answer requests in the virtual time of the world of sockets.

use super::world::{Fake, Speech, wall};
use bytes::Bytes;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{Departure, DynHttpClient, RequestOptions, TransportError};
use mts_foundation::market_data::{DataFeed, MarketEvent};
use mts_foundation::ready::ready;
use mts_foundation::{Bar, Symbol, Timestamp};
use mts_marketdata::feeds::FeedWorld;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// What becomes of a request.
pub(super) enum Reply {
    /// HTTP 200.
    Is(String),
    /// An error.
    Status(u16, &'static str),
    /// No answer, ever.
    Never,
}

type Answer = dyn Fn(&str, Duration) -> Reply + Send + Sync;

/// Answers every request by its address and the time since the world began.
pub(super) struct Web {
    pub(super) world: Fake,
    pub(super) asked: Mutex<Vec<(Duration, String)>>,
    answer: Box<Answer>,
}

impl Web {
    /// In a world without prints of a stream.
    pub(super) fn new(answer: impl Fn(&str, Duration) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        let world = Fake::new(Speech::Binance);
        world.venue().until = Duration::ZERO;
        Self::of(world, answer)
    }

    pub(super) fn of(
        world: Fake,
        answer: impl Fn(&str, Duration) -> Reply + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { world, asked: Mutex::default(), answer: Box::new(answer) })
    }

    pub(super) fn parts(self: &Arc<Self>) -> FeedWorld {
        FeedWorld {
            http: Arc::clone(self) as _,
            sockets: Arc::new(self.world.clone()),
            clock: Arc::new(self.world.clone()),
            sleep: Arc::new(self.world.clone()),
            random: 7,
        }
    }

    /// Runs a feed until a time. What came, and when.
    pub(super) fn run(&self, feed: &mut impl DataFeed, until: Duration) -> Vec<(Duration, MarketEvent)> {
        self.world.run(feed, until, Duration::ZERO)
    }

    /// How many addresses with a part were asked.
    pub(super) fn count(&self, part: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(_, address)| address.contains(part)).count()
    }
}

impl DynHttpClient for Web {
    fn send<'a>(
        &'a self,
        request: http::Request<Bytes>,
        options: &'a RequestOptions,
    ) -> BoxFuture<'a, Result<http::Response<Bytes>, TransportError>> {
        assert!(options.idempotent);
        let (address, now) = (request.uri().to_string(), self.world.venue().now);
        let reply = (self.answer)(&address, now);
        self.asked.lock().unwrap().push((now, address));
        let (status, body) = match reply {
            Reply::Is(body) => (200, body),
            Reply::Status(0, message) => {
                let message = message.to_owned();
                let departure = Departure::NotSent;
                let error = TransportError { departure, timed_out: false, message, source: None };
                return Box::pin(std::future::ready(Err(error)));
            }
            Reply::Status(status, body) => (status, body.to_owned()),
            Reply::Never => return Box::pin(std::future::pending()),
        };
        let reply = http::Response::builder().status(status).body(Bytes::from(body)).unwrap();
        Box::pin(std::future::ready(Ok(reply)))
    }
}

pub(super) fn named(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

/// Milliseconds of the exchange's clock.
pub(super) fn millis(at: Duration) -> i64 {
    wall(at).nanos() / 1_000_000
}

/// The number that an address has for a key.
pub(super) fn number(address: &str, key: &str) -> Option<i64> {
    let found = address.split(['?', '&']).find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
    found.map(|text| text.parse().unwrap())
}

/// The bars that came, with the time of their coming.
pub(super) fn bars(events: &[(Duration, MarketEvent)]) -> Vec<(Duration, Bar)> {
    let of = |(at, event): &(Duration, MarketEvent)| match event {
        MarketEvent::Bars { time, bars } => {
            assert!(bars.iter().all(|bar| bar.timestamp == *time));
            bars.iter().map(|bar| (*at, bar.clone())).collect()
        }
        _ => Vec::new(),
    };
    events.iter().flat_map(of).collect()
}

/// The ids of the prints that came.
pub(super) fn ids(events: &[(Duration, MarketEvent)]) -> Vec<u64> {
    let of = |(_, event): &(Duration, MarketEvent)| match event {
        MarketEvent::Trade(trade) => Some(trade.trade_id.parse().unwrap()),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

pub(super) fn gaps(events: &[(Duration, MarketEvent)]) -> Vec<(Timestamp, Timestamp)> {
    let of = |(_, event): &(Duration, MarketEvent)| match event {
        MarketEvent::Gap { from, to, .. } => Some((*from, *to)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// When prices became stale (`false`) and were good again.
pub(super) fn health(events: &[(Duration, MarketEvent)]) -> Vec<(Duration, bool)> {
    let of = |(at, event): &(Duration, MarketEvent)| match event {
        MarketEvent::Stale { .. } => Some((*at, false)),
        MarketEvent::Recovered { .. } => Some((*at, true)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// The consecutive ends of bars that a feed should have handed out, in minutes since the world began.
pub(super) fn ends(bars: &[(Duration, Bar)]) -> Vec<u64> {
    bars.iter().map(|(_, bar)| bar.timestamp.since(wall(Duration::ZERO)).as_secs() / 60).collect()
}

pub(super) fn stop(feed: &mut impl DataFeed) {
    ready(feed.stop()).unwrap().unwrap();
}
