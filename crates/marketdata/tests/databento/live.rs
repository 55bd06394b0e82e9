//! The live stream, from a gateway of memory in virtual time.

use super::made::{OPEN, SECOND, head, symbol, told, trade};
use bytes::Bytes;
use dbn::encode::DbnMetadataEncoder;
use dbn::{ErrorCode, ErrorMsg, SType, Schema, SymbolMappingMsg, SystemCode, SystemMsg};
use mts_foundation::Timestamp;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{Departure, Frame, Sleep, Socket, SocketConnector, TransportError};
use mts_foundation::market_data::{DataFeed, MarketEvent};
use mts_foundation::ready::ready;
use mts_foundation::secret::{SecretRef, SecretSource, SecretUnavailable};
use mts_foundation::time::Clock;
use mts_marketdata::databento::{Live, LiveFeed, LiveWorld};
use secrecy::SecretString;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

const USD: i64 = 1_000_000_000;
const KEY: &str = "db-abcdefghijklmnopqrstuvwxyz123";
const HELLO: &str = "lsg_version=0.5.1\ncram=t7kNhwj4xqR0QYjzFKtBEG2ec2pXJ4FK\n";
/// SHA-256 of `challenge|key`, made by another program.
const PROOF: &str = "auth=05af4a41d5a6548f1d2a6f07c76044c27d78657fe9ec318804712d37f1c29567-yz123|dataset=XNAS.ITCH|encoding=dbn|compression=none|ts_out=0|client=mts ";

/// What the gateway does on one connection.
#[derive(Clone)]
struct Act {
    hello: String,
    answer: String,
    stream: Vec<u8>,
    /// Ends the connection after the stream; else it is silent.
    ends: bool,
}

impl Act {
    fn of(stream: Vec<u8>) -> Self {
        Self { hello: HELLO.to_owned(), answer: "success=1|session_id=5\n".to_owned(), stream, ends: true }
    }
}

struct Gateway {
    now: Duration,
    acts: VecDeque<Act>,
    act: Option<Act>,
    inbox: VecDeque<u8>,
    /// Most bytes in one frame.
    piece: usize,
    ends: bool,
    said: Vec<String>,
    connects: Vec<Duration>,
    /// Waits and silences do not end.
    stands: bool,
    secret: Result<&'static str, bool>,
}

#[derive(Clone)]
struct Fake(Arc<Mutex<Gateway>>);

impl Fake {
    fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        Self(Arc::new(Mutex::new(Gateway {
            now: Duration::from_nanos(OPEN),
            acts: acts.into_iter().collect(),
            act: None,
            inbox: VecDeque::new(),
            piece: usize::MAX,
            ends: false,
            said: Vec::new(),
            connects: Vec::new(),
            stands: false,
            secret: Ok(KEY),
        })))
    }

    fn gateway(&self) -> MutexGuard<'_, Gateway> {
        self.0.lock().unwrap()
    }

    fn feed(&self) -> LiveFeed {
        let mut feed = LiveFeed::new(live(), self.world(), 7).unwrap();
        ready(DataFeed::start(&mut feed)).unwrap().unwrap();
        feed
    }

    fn world(&self) -> LiveWorld {
        let it = Arc::new(self.clone());
        LiveWorld { connector: it.clone(), secrets: it.clone(), clock: it.clone(), sleep: it }
    }
}

fn live() -> Live {
    Live {
        dataset: "XNAS.ITCH".to_owned(),
        gateway: None,
        key: "env:DATABENTO_API_KEY".parse().unwrap(),
        subscriptions: vec![("trades".to_owned(), ["AAPL", "BRK.B"].map(symbol).into())],
        names: [].into(),
    }
}

impl Clock for Fake {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH.plus(self.monotonic())
    }
    fn monotonic(&self) -> Duration {
        self.gateway().now
    }
}

/// Whoever waits does it because nothing else comes: time passes.
impl Sleep for Fake {
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let (fake, due) = (self.clone(), self.gateway().now + time);
        Box::pin(poll_fn(move |_| {
            let mut gateway = fake.gateway();
            if gateway.stands {
                return Poll::Pending;
            }
            gateway.now = gateway.now.max(due);
            Poll::Ready(())
        }))
    }
}

impl SecretSource for Fake {
    fn secret<'a>(&'a self, name: &'a SecretRef) -> BoxFuture<'a, Result<SecretString, SecretUnavailable>> {
        let fault = |temporary| SecretUnavailable {
            name: name.clone(),
            message: "it is not there".to_owned(),
            temporary,
        };
        let mut gateway = self.gateway();
        let secret = gateway.secret.map(SecretString::from).map_err(fault);
        if secret.is_err() {
            gateway.secret = gateway.secret.or(Ok(KEY));
        }
        Box::pin(std::future::ready(secret))
    }
}

impl SocketConnector for Fake {
    async fn connect(
        &self,
        request: http::Request<()>,
        _: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        assert_eq!(request.uri(), "tcp://xnas-itch.lsg.databento.com:13000");
        let mut gateway = self.gateway();
        let now = gateway.now;
        gateway.connects.push(now);
        let Some(act) = gateway.acts.pop_front() else {
            gateway.stands = true;
            let (departure, message) = (Departure::NotSent, "nobody there".to_owned());
            return Err(TransportError { departure, timed_out: false, message, source: None });
        };
        gateway.inbox = act.hello.bytes().collect();
        gateway.ends = false;
        gateway.act = Some(act);
        Ok(Box::new(FakeSocket(self.clone())))
    }
}

struct FakeSocket(Fake);

impl Socket for FakeSocket {
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        let Frame::Binary(bytes) = frame else { panic!("{frame:?}") };
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let mut gateway = self.0.gateway();
        let act = gateway.act.clone().unwrap();
        if text.starts_with("auth=") {
            gateway.inbox.extend(act.answer.bytes());
        }
        if text.ends_with("start_session\n") {
            gateway.inbox.extend(act.stream);
            gateway.ends = act.ends;
        }
        gateway.said.push(text);
        Box::pin(std::future::ready(Ok(())))
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        Box::pin(poll_fn(|_| {
            let mut gateway = self.0.gateway();
            let count = gateway.inbox.len().min(gateway.piece);
            if count == 0 {
                return if gateway.ends { Poll::Ready(Ok(None)) } else { Poll::Pending };
            }
            let bytes: Bytes = gateway.inbox.drain(..count).collect();
            Poll::Ready(Ok(Some(Frame::Binary(bytes))))
        }))
    }
}

/// A stream: its head, the names of 1 and 2, and what comes then.
fn stream(records: &[&[u8]]) -> Vec<u8> {
    stream_from(OPEN, records)
}

fn stream_from(start: u64, records: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut metadata = head("XNAS.ITCH", Schema::Trades, &[]);
    metadata.start = start;
    DbnMetadataEncoder::new(&mut bytes).encode(&metadata).unwrap();
    for (id, name) in [(1, "AAPL"), (2, "BRK.B")] {
        let mapping =
            SymbolMappingMsg::new(id, OPEN, SType::RawSymbol, name, SType::InstrumentId, name, OPEN, OPEN);
        bytes.extend_from_slice(mapping.unwrap().as_ref());
    }
    for record in records {
        bytes.extend_from_slice(record);
    }
    bytes
}

/// All events until nothing happens any more, or it ends.
fn follow(feed: &mut LiveFeed) -> Vec<MarketEvent> {
    let mut events = Vec::new();
    while let Ok(Ok(Some(event))) = ready(DataFeed::next(feed)) {
        events.push(event);
    }
    events
}

fn open() -> Timestamp {
    Timestamp::from_nanos(i64::try_from(OPEN).unwrap())
}

#[test]
fn it_proves_the_key_subscribes_and_hands_out_what_comes() {
    let (first, second) = (trade(1, 0, USD, 1), trade(2, SECOND, 2 * USD, 2));
    let act = Act {
        ends: false,
        ..Act::of(stream(&[first.as_ref(), second.as_ref(), trade(9, 0, USD, 1).as_ref()]))
    };
    // However the bytes are cut.
    for piece in [usize::MAX, 1, 7] {
        let fake = Fake::new([act.clone()]);
        fake.gateway().piece = piece;
        fake.gateway().stands = true;
        let mut feed = fake.feed();
        fake.gateway().stands = false;
        let events: Vec<_> =
            (0..2).map(|_| ready(DataFeed::next(&mut feed)).unwrap().unwrap().unwrap()).collect();
        assert_eq!(told(&events), ["AAPL 1x100 @0", "BRK.B 2x100 @1"]);
        fake.gateway().stands = true;
        assert!(follow(&mut feed).is_empty());
        let gateway = fake.gateway();
        assert!(gateway.said[0].starts_with(PROOF), "{}", gateway.said[0]);
        assert!(gateway.said[0].ends_with("|heartbeat_interval_s=10\n"), "{}", gateway.said[0]);
        let lines =
            "schema=trades|stype_in=raw_symbol|symbols=AAPL,BRK.B|snapshot=0|is_last=1|id=1\nstart_session\n";
        assert_eq!(gateway.said[1], lines);
        assert_eq!((gateway.said.len(), feed.counts().unmapped), (2, 1));
        assert!(!format!("{:?}{:?}", gateway.said, feed).contains(KEY));
    }
}

#[test]
fn a_refused_key_ends_it_and_is_not_told() {
    let answer = format!("success=0|error=Authentication failed for {KEY}.\n");
    let fake = Fake::new([Act { answer, ..Act::of(Vec::new()) }, Act::of(stream(&[]))]);
    let mut feed = fake.feed();
    let events = follow(&mut feed);
    let [MarketEvent::Fatal { message, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert!(message.contains("Authentication failed for REDACTED"), "{message}");
    assert_eq!(fake.gateway().connects.len(), 1);
    assert!(!DataFeed::stats(&feed).running);
    assert!(ready(DataFeed::next(&mut feed)).unwrap().unwrap().is_none());
    assert!(!format!("{events:?}{:?}{feed:?}", feed.fault()).contains(KEY));
}

/// Sessions of before a cut may still count there.
#[test]
fn too_many_connections_is_no_end() {
    let answer = "success=0|error=User has reached their open connection limit.\n".to_owned();
    let fake =
        Fake::new([Act { answer, ..Act::of(Vec::new()) }, Act::of(stream(&[trade(1, 0, USD, 1).as_ref()]))]);
    let events = follow(&mut fake.feed());
    assert!(told(&events).contains(&"AAPL 1x100 @0".to_owned()), "{events:?}");
}

#[test]
fn a_lost_connection_is_a_gap_and_subscribed_anew() {
    let (first, second) = (trade(1, 0, USD, 1), trade(1, SECOND, USD, 2));
    // Cut within a record.
    let mut cut = stream(&[first.as_ref(), second.as_ref()]);
    cut.truncate(cut.len() - 3);
    let fake = Fake::new([
        Act::of(cut),
        Act { ends: false, ..Act::of(stream(&[trade(2, 2 * SECOND, USD, 3).as_ref()])) },
    ]);
    let mut feed = fake.feed();
    let mut events = Vec::new();
    for _ in 0..5 {
        events.push(ready(DataFeed::next(&mut feed)).unwrap().unwrap().unwrap());
    }
    let [
        one,
        MarketEvent::Stale { since, .. },
        MarketEvent::Gap { from, to, .. },
        MarketEvent::Recovered { time, .. },
        two,
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(told(&[one.clone(), two.clone()]), ["AAPL 1x100 @0", "BRK.B 1x100 @2"]);
    assert_eq!((*since, *from, to), (open(), open(), time));
    assert!(*to > *from);
    let gateway = fake.gateway();
    assert_eq!((gateway.said.len(), &gateway.said[1]), (4, &gateway.said[3]));
    assert_eq!(feed.fault(), Some("the connection has ended"));
}

/// What was on its way when the connection ended is older than the time at which anything came last. A heartbeat says that
/// nothing is on its way, a warning does not.
#[test]
fn a_gap_begins_with_the_last_record_and_ends_when_the_gateway_begins_again() {
    let (first, second) = (trade(1, 0, USD, 1), trade(1, 61 * SECOND, USD, 2));
    let slow = SystemMsg::new(OPEN + 4 * SECOND, Some(SystemCode::SlowReaderWarning), "slow").unwrap();
    let beat = SystemMsg::heartbeat(OPEN + 4 * SECOND);
    for (notice, gap) in [(slow, "gap databento 0-60"), (beat, "gap databento 4-60")] {
        let again = Act { ends: false, ..Act::of(stream_from(OPEN + 60 * SECOND, &[second.as_ref()])) };
        let fake = Fake::new([Act::of(stream(&[first.as_ref(), notice.as_ref()])), again]);
        let mut feed = fake.feed();
        // Everything comes five seconds late.
        fake.gateway().now += Duration::from_secs(5);
        let events: Vec<_> =
            (0..5).map(|_| ready(DataFeed::next(&mut feed)).unwrap().unwrap().unwrap()).collect();
        let told = told(&events);
        assert_eq!((told[2].as_str(), told[4].as_str()), (gap, "AAPL 1x100 @61"));
    }
}

#[test]
fn attempts_are_spread_and_never_hasty() {
    let fake =
        Fake::new(vec![Act { hello: "HTTP/1.1 400 Bad Request\n".to_owned(), ..Act::of(Vec::new()) }; 200]);
    let mut feed = fake.feed();
    let events = follow(&mut feed);
    // Once, however many attempts.
    assert!(matches!(events.as_slice(), [MarketEvent::Stale { .. }]), "{events:?}");
    let gateway = fake.gateway();
    assert_eq!(gateway.connects.len(), 201);
    let pauses: Vec<Duration> = gateway.connects.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|it| *it >= Duration::from_millis(250) && *it <= Duration::from_secs(30)));
    let mean = pauses[10..].iter().sum::<Duration>() / 190;
    assert!(mean > Duration::from_secs(10) && mean < Duration::from_secs(20), "{mean:?}");
}

#[test]
fn silence_ends_a_connection_and_heartbeats_do_not() {
    let heartbeat = SystemMsg::heartbeat(OPEN);
    let quiet = Act { ends: false, ..Act::of(stream(&[heartbeat.as_ref()])) };
    let fake = Fake::new([quiet]);
    let mut feed = fake.feed();
    let events = follow(&mut feed);
    assert!(
        matches!(events.as_slice(), [MarketEvent::Stale { since, .. }] if *since == open()),
        "{events:?}"
    );
    let gateway = fake.gateway();
    let waited = gateway.connects[1] - gateway.connects[0];
    assert!(waited >= Duration::from_secs(30) && waited <= Duration::from_secs(32), "{waited:?}");
    assert_eq!(feed.fault(), Some("nobody there"));
    // A gateway that says nothing at all.
    let mute = Act { hello: String::new(), ..Act::of(Vec::new()) };
    let fake = Fake::new([mute]);
    follow(&mut fake.feed());
    let gateway = fake.gateway();
    assert!(gateway.connects[1] - gateway.connects[0] >= Duration::from_secs(20));
}

#[test]
fn what_the_gateway_says_of_itself_is_heard() {
    let error = |code, text: &str| ErrorMsg::new(OPEN + SECOND, Some(code), text, true);
    let slow = SystemMsg::new(OPEN, Some(SystemCode::SlowReaderWarning), "slow").unwrap();
    let unknown = error(ErrorCode::SymbolResolutionFailed, "no BRK.B");
    let skipped = error(ErrorCode::SkippedRecordsAfterSlowReading, "skipped");
    let act =
        Act::of(stream(&[trade(1, 0, USD, 1).as_ref(), slow.as_ref(), unknown.as_ref(), skipped.as_ref()]));
    let fake = Fake::new([act.clone()]);
    let mut feed = fake.feed();
    let events = follow(&mut feed);
    assert_eq!(told(&events)[..2], ["AAPL 1x100 @0", "gap databento 0-1"]);
    assert_eq!(feed.counts().slow_warnings, 1);
    assert!(feed.complaints()[0].contains("no BRK.B"), "{:?}", feed.complaints());

    for (code, is_fatal) in [
        (ErrorCode::ApiKeyDeactivated, true),
        (ErrorCode::AuthFailed, true),
        (ErrorCode::InvalidSubscription, true),
        (ErrorCode::InternalError, false),
        (ErrorCode::ConnectionLimitExceeded, false),
    ] {
        let fake = Fake::new([Act::of(stream(&[error(code, "so it is").as_ref()])), act.clone()]);
        let events = follow(&mut fake.feed());
        let fatal = events
            .iter()
            .any(|event| matches!(event, MarketEvent::Fatal { message, .. } if message.contains("so it is")));
        assert_eq!((fatal, fake.gateway().connects.len() == 1), (is_fatal, is_fatal), "{code:?}");
    }
}

#[test]
fn what_cannot_be_read_is_a_lost_connection() {
    let mut long = Act::of(Vec::new());
    long.hello = "x".repeat(9_000);
    let spoiled = Act::of(b"not records at all, not records at all".to_vec());
    let fake = Fake::new([long, spoiled, Act::of(stream(&[trade(1, 0, USD, 1).as_ref()]))]);
    let mut feed = fake.feed();
    let events = follow(&mut feed);
    assert!(told(&events).contains(&"AAPL 1x100 @0".to_owned()), "{events:?}");
}

#[test]
fn a_key_that_is_not_there_yet_is_asked_for_again() {
    let act = Act::of(stream(&[trade(1, 0, USD, 1).as_ref()]));
    for (secret, comes) in
        [(Err(true), true), (Err(false), false), (Ok("short"), false), (Ok("two\nlines of a key"), false)]
    {
        let fake = Fake::new([act.clone()]);
        fake.gateway().secret = secret;
        let events = follow(&mut fake.feed());
        assert_eq!(told(&events).contains(&"AAPL 1x100 @0".to_owned()), comes, "{events:?}");
        assert_eq!(events.iter().any(|event| matches!(event, MarketEvent::Fatal { .. })), !comes);
        assert!(!format!("{events:?}").contains("two"));
    }
}

#[test]
fn stopped_and_started_again_what_was_missed_is_a_gap() {
    let act = |at: u64| Act { ends: false, ..Act::of(stream(&[trade(1, at * SECOND, USD, 1).as_ref()])) };
    let fake = Fake::new([act(0), act(9)]);
    let mut feed = fake.feed();
    let mut events = vec![ready(DataFeed::next(&mut feed)).unwrap().unwrap().unwrap()];
    ready(DataFeed::stop(&mut feed)).unwrap().unwrap();
    assert!(ready(DataFeed::next(&mut feed)).unwrap().unwrap().is_none());
    fake.gateway().now += Duration::from_secs(9);
    ready(DataFeed::start(&mut feed)).unwrap().unwrap();
    for _ in 0..3 {
        events.push(ready(DataFeed::next(&mut feed)).unwrap().unwrap().unwrap());
    }
    assert_eq!(told(&events)[..2], ["AAPL 1x100 @0", "gap databento 0-9"]);
    assert_eq!(told(&events)[3], "AAPL 1x100 @9");
}

#[test]
fn what_cannot_be_asked_for_is_refused_before_anything_is_said() {
    let fake = Fake::new([]);
    let refused = |change: &dyn Fn(&mut Live)| {
        let mut asked = live();
        change(&mut asked);
        LiveFeed::new(asked, fake.world(), 1).unwrap_err().to_string()
    };
    assert!(refused(&|it| it.dataset = "X|ts_out=1".to_owned()).contains("the data set"));
    assert!(refused(&|it| it.subscriptions.clear()).contains("name at least one symbol"));
    assert!(refused(&|it| it.subscriptions[0].0 = "definition".to_owned()).contains("mbp-1"));
    assert!(refused(&|it| it.subscriptions[0].1 = [symbol("BTC-USD")].into()).contains("BTC-USD"));
    assert!(refused(&|it| it.names = [("A,B".into(), symbol("AAPL"))].into()).contains("no comma"));
    assert!(fake.gateway().connects.is_empty());
}

#[test]
fn long_lists_are_asked_for_in_pieces() {
    let fake = Fake::new([Act::of(stream(&[]))]);
    let letters = || (b'A'..=b'Z').map(char::from);
    let names = letters().flat_map(|one| letters().map(move |two| symbol(&format!("{one}{two}"))));
    let mut asked = live();
    asked.subscriptions = vec![("mbp-1".to_owned(), names.collect())];
    let mut feed = LiveFeed::new(asked, fake.world(), 1).unwrap();
    ready(DataFeed::start(&mut feed)).unwrap().unwrap();
    follow(&mut feed);
    let said = fake.gateway().said[1].clone();
    let pieces: Vec<(usize, bool)> =
        said.lines().map(|line| (line.matches(',').count() + 1, line.contains("is_last=1"))).collect();
    assert_eq!(pieces, [(500, false), (176, true), (1, false)]);
}
