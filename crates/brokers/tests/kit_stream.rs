//! The driver of all event streams, with a socket, a history and a clock of the test's own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use futures_util::StreamExt;
use mts_brokers::kit::{EventSource, Followed, KnownOrders, Session, Step, cursor, follow};
use mts_foundation::broker::{BoxFuture, BrokerError, BrokerErrorKind, BrokerEventStream, ErrorStatus};
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus, OrderReport};
use mts_foundation::io::{Frame, Sleep, Socket, TransportError};
use mts_foundation::ready::ready;
use mts_foundation::time::Clock;
use mts_foundation::{
    AccountId, Decimal, Fill, FillId, Order, OrderState, OrderType, Side, TimeInForce, Timestamp,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The test's world: frames to come (`None` = silence for a second), what was sent, and the time that has passed.
#[derive(Clone, Default)]
struct World {
    frames: Arc<Mutex<VecDeque<Option<&'static str>>>>,
    sent: Arc<Mutex<Vec<String>>>,
    history: Arc<Mutex<Vec<(&'static str, u32)>>>,
    /// In seconds.
    asked: Arc<Mutex<Vec<i64>>>,
    orders: Arc<KnownOrders>,
    passed: Arc<Mutex<Duration>>,
    /// Questions for the history from this one on get no answer.
    broken_after: Arc<Mutex<Option<usize>>>,
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH.plus(*self.passed.lock().unwrap())
    }
}

impl Sleep for World {
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let passed = Arc::clone(&self.passed);
        Box::pin(async move { *passed.lock().unwrap() += time })
    }
}

impl Socket for World {
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        if let Frame::Text(text) = frame {
            self.sent.lock().unwrap().push(String::from_utf8(text.to_vec()).unwrap());
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        let next = self.frames.lock().unwrap().pop_front();
        match next {
            Some(Some(text)) => Box::pin(std::future::ready(Ok(Some(Frame::Text(text.into()))))),
            Some(None) => Box::pin(std::future::pending()),
            None => Box::pin(std::future::ready(Ok(None))),
        }
    }
}

/// Of the order "o", where the id does not begin with another's.
fn fill(id: &str, at: u32) -> BrokerEvent {
    let time = Timestamp::from_millis(i64::from(at) * 1_000);
    let order = if id.starts_with("strange") { "p" } else { "o" };
    let fill = Fill::new(id, order, "AAPL", Side::Buy, Decimal::ONE, Decimal::TEN, time);
    BrokerEvent::Fill {
        account: AccountId::new("a").unwrap(),
        cursor: cursor(time).unwrap(),
        fill: fill.unwrap(),
        fees: FeeStatus::Known,
    }
}

/// The venue annuls a fill, which no history tells.
fn bust(id: &str, at: u32) -> BrokerEvent {
    let time = Timestamp::from_millis(i64::from(at) * 1_000);
    BrokerEvent::Busted {
        account: AccountId::new("a").unwrap(),
        fill_id: FillId::new(id).unwrap(),
        cursor: cursor(time).unwrap(),
    }
}

/// A venue whose words are `live`, `look`, `ask`, `fill ID AT`, `bust ID AT` and `nonsense`, several of them behind a comma.
struct Words;

impl Session for Words {
    fn open(&mut self, _: Timestamp) -> Vec<Frame> {
        vec![Frame::Text("hello".into())]
    }

    fn take(&mut self, frame: &[u8], _: Timestamp, steps: &mut Vec<Step>) -> Result<(), BrokerError> {
        for text in std::str::from_utf8(frame).unwrap().split(", ") {
            steps.push(match text.split(' ').collect::<Vec<_>>()[..] {
                ["live"] => Step::Live,
                ["look"] => Step::Look,
                ["ask"] => Step::Send(Frame::Text("answer".into())),
                ["fill", id, at] => Step::Event(Box::new(fill(id, at.parse().unwrap()))),
                ["bust", id, at] => Step::Event(Box::new(bust(id, at.parse().unwrap()))),
                ["nonsense"] => {
                    let status = ErrorStatus::Temporary;
                    return Err(BrokerError::new("events", BrokerErrorKind::Protocol, status, "nonsense"));
                }
                _ => panic!("{text}"),
            });
        }
        Ok(())
    }

    fn longest_silence(&self) -> Option<Duration> {
        Some(Duration::from_secs(10))
    }

    fn heartbeat(&self) -> Option<(Duration, Frame)> {
        Some((Duration::from_secs(4), Frame::Text("beat".into())))
    }
}

impl EventSource for World {
    type Session = Words;

    async fn open(&self) -> Result<(Box<dyn Socket>, Words), BrokerError> {
        Ok((Box::new(self.clone()), Words))
    }

    fn orders(&self) -> &KnownOrders {
        &self.orders
    }

    async fn present(&self) -> Result<(Vec<OrderReport>, Timestamp), BrokerError> {
        let report = OrderReport {
            broker_order_id: "v".parse().unwrap(),
            order_id: None,
            idempotency_key: None,
            symbol: mts_foundation::Symbol::new("AAPL").unwrap(),
            side: Side::Buy,
            order_type: OrderType::Limit,
            quantity: Decimal::ONE,
            filled: Decimal::ZERO,
            average_price: None,
            state: OrderState::Accepted,
            reason: None,
            timestamp: Timestamp::EPOCH,
        };
        Ok((vec![report], Timestamp::from_millis(5_000)))
    }

    async fn since(&self, from: Timestamp) -> Result<Vec<BrokerEvent>, BrokerError> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(from.nanos() / 1_000_000_000);
        if self.broken_after.lock().unwrap().is_some_and(|answers| asked.len() > answers) {
            let status = ErrorStatus::Temporary;
            return Err(BrokerError::new("events", BrokerErrorKind::VenueDown, status, "no history"));
        }
        Ok(self.history.lock().unwrap().iter().map(|(id, at)| fill(id, *at)).collect())
    }

    fn late(&self) -> Duration {
        Duration::from_secs(1)
    }
}

impl World {
    fn of(frames: &[Option<&'static str>], history: &[(&'static str, u32)]) -> Self {
        let world = Self::default();
        world.frames.lock().unwrap().extend(frames.iter().copied());
        world.history.lock().unwrap().extend(history.iter().copied());
        world
    }

    fn events(&self, after: Option<i64>) -> BrokerEventStream<'_> {
        let world = Followed { sleep: Arc::new(self.clone()), clock: Arc::new(self.clone()) };
        follow(self, world, after.map(|seconds| cursor(Timestamp::from_millis(seconds * 1_000)).unwrap()))
    }

    /// All events as words, and the error that ends them.
    fn all(&self, after: Option<i64>) -> (Vec<String>, BrokerErrorKind) {
        let mut events = self.events(after);
        let mut told = Vec::new();
        loop {
            match ready(events.next()).unwrap() {
                Some(Ok(BrokerEvent::Fill { fill, .. })) => told.push(fill.fill_id.to_string()),
                Some(Ok(BrokerEvent::Order(report))) => told.push(report.broker_order_id.to_string()),
                Some(Ok(BrokerEvent::Busted { fill_id, cursor, .. })) => {
                    told.push(format!("no {fill_id} at {}", cursor.as_str()));
                }
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(error)) => {
                    assert!(ready(events.next()).unwrap().is_none(), "after its error it has ended");
                    return (told, error.kind);
                }
                None => panic!("a stream ends with an error"),
            }
        }
    }
}

#[test]
fn the_replay_comes_first_and_what_comes_twice_leaves_once() {
    let frames = [Some("fill b 2"), Some("live"), Some("fill c 3"), Some("fill c 3")];
    let world = World::of(&frames, &[("a", 1), ("b", 2)]);
    let (told, end) = world.all(Some(10));
    assert_eq!(told, ["a", "b", "c"]);
    assert_eq!((end, &*world.asked.lock().unwrap()), (BrokerErrorKind::Disconnected, &vec![9]));
    assert_eq!(*world.sent.lock().unwrap(), ["hello"]);
}

#[test]
fn from_now_on_begins_with_the_open_orders_and_looks_from_there() {
    let world =
        World::of(&[Some("ask"), Some("live"), Some("fill z 9"), Some("look")], &[("x", 7), ("z", 9)]);
    let (told, _) = world.all(None);
    // The second look is not asked for: the stream has ended.
    assert_eq!(told, ["v", "z", "x"]);
    assert_eq!(*world.asked.lock().unwrap(), [8], "from the last that was told");
    assert_eq!(*world.sent.lock().unwrap(), ["hello", "answer"]);
    let world = World::of(&[Some("live"), Some("look")], &[("x", 7)]);
    assert_eq!(world.all(None).0, ["v", "x"]);
    assert_eq!(*world.asked.lock().unwrap(), [4], "from where the stream began");
}

#[test]
fn a_silent_stream_gets_heartbeats_and_then_counts_as_lost() {
    let world = World::of(&[Some("live"), None, None, None, None, Some("fill late 9")], &[]);
    let (told, end) = world.all(Some(10));
    assert_eq!((told, end), (Vec::new(), BrokerErrorKind::Disconnected));
    assert_eq!(*world.sent.lock().unwrap(), ["hello", "beat", "beat"]);
    assert_eq!(*world.passed.lock().unwrap(), Duration::from_secs(10));
}

#[test]
fn a_subscription_that_is_never_confirmed_is_given_up() {
    let world = World::of(&[Some("ask"), None, None], &[]);
    assert_eq!(world.all(Some(10)), (Vec::new(), BrokerErrorKind::Timeout));
}

#[test]
fn an_old_row_that_comes_late_does_not_move_the_place_back() {
    let frames = [Some("live"), Some("fill z 9"), Some("look"), Some("look"), Some("fill y 10")];
    let world = World::of(&frames, &[("x", 7), ("z", 9)]);
    assert_eq!(world.all(None).0, ["v", "z", "x", "y"]);
    assert_eq!(*world.asked.lock().unwrap(), [8, 8]);
}

#[test]
fn without_a_cursor_the_fills_of_orders_that_were_sent_come_first() {
    let world = World::of(&[Some("live"), Some("fill b 65")], &[("strange", 63), ("a", 64), ("b", 65)]);
    let order = Order::builder().order_id("o").idempotency_key("k").symbol("AAPL").side(Side::Buy);
    let order = order.quantity(Decimal::TEN).order_type(OrderType::Market).tif(TimeInForce::Day);
    let order = order.fund_id("f").strategy_id("s").broker("b").actor("s");
    world.orders.insert(&order.created_at(Timestamp::from_millis(70_000)).build().unwrap());
    let (told, _) = world.all(None);
    assert_eq!(told, ["a", "b", "v"], "what others did is in the account's positions");
    // The venue's clock says 5 seconds, that of the order 70: it is ahead.
    assert_eq!(
        *world.asked.lock().unwrap(),
        [-56],
        "from before the order, by a clock that is a minute behind"
    );
}

#[test]
fn a_cursor_of_another_making_is_an_error() {
    let world = World::of(&[Some("live")], &[]);
    let followed = Followed { sleep: Arc::new(world.clone()), clock: Arc::new(world.clone()) };
    let mut events = follow(&world, followed, Some(Cursor::new("later").unwrap()));
    let error = ready(events.next()).unwrap().unwrap().unwrap_err();
    assert!(error.message.contains("\"later\" is no instant"), "{error}");
}

/// The place stays where the history was asked last: what lies between is asked for by the next connection.
#[test]
fn what_a_frame_tells_is_handed_on_although_the_history_fails() {
    let last = "no a at 1970-01-01T00:00:10Z";
    for (frames, answers, end) in [
        (vec![Some("live"), Some("look, bust a 99, bust a 99")], 1, BrokerErrorKind::VenueDown),
        (vec![Some("bust a 99, bust a 99, live")], 0, BrokerErrorKind::VenueDown),
        (vec![Some("live"), Some("bust a 99, bust a 99, nonsense")], 1, BrokerErrorKind::Protocol),
        (vec![Some("bust a 99, bust a 99")], 0, BrokerErrorKind::Disconnected),
    ] {
        let world = World::of(&frames, &[]);
        *world.broken_after.lock().unwrap() = Some(answers);
        assert_eq!(world.all(Some(10)), (vec![last.to_owned(), last.to_owned()], end), "{frames:?}");
    }
    // A fill that was handed on already is not told again.
    let world = World::of(&[Some("live"), Some("fill b 12"), Some("look, fill b 12, fill c 13")], &[]);
    *world.broken_after.lock().unwrap() = Some(1);
    assert_eq!(world.all(Some(10)).0, ["b", "c"]);
    // Without a place everything is asked for anew.
    let world = World::of(&[Some("fill b 12, live")], &[]);
    let order = Order::builder().order_id("o").idempotency_key("k").symbol("AAPL").side(Side::Buy);
    let order = order.quantity(Decimal::TEN).order_type(OrderType::Market).tif(TimeInForce::Day);
    let order = order.fund_id("f").strategy_id("s").broker("b").actor("s").created_at(Timestamp::EPOCH);
    world.orders.insert(&order.build().unwrap());
    *world.broken_after.lock().unwrap() = Some(0);
    assert_eq!(world.all(None), (Vec::new(), BrokerErrorKind::VenueDown));
}
