//! Streams of quotes over sockets of memory.

use super::{NOW, SECRET, answers, clock, decimal, fine, symbol, time};
use bytes::Bytes;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{Frame, Sleep, Socket, SocketConnector, TransportError};
use mts_foundation::market_data::{MarketData, MarketDataError, QuoteStream};
use mts_foundation::{Clock, Quote, Timestamp};
use mts_marketdata::exchanges::{DescribedExchange, find};
use mts_marketdata::{Streams, alpaca, polygon};
use std::collections::VecDeque;
use std::future::{pending, poll_fn, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What comes next; `None` = the end.
pub(super) fn next(stream: &mut QuoteStream<'_>) -> Option<Result<Quote, MarketDataError>> {
    match stream.as_mut().poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(next) => next,
        Poll::Pending => panic!("nothing comes"),
    }
}

/// A venue that says one thing to each thing it is told, and its first unasked.
struct Venue {
    greeting: &'static str,
    answers: Vec<(&'static str, &'static str)>,
    heard: Mutex<Vec<String>>,
}

struct Line(Arc<Venue>, VecDeque<&'static str>);

impl Socket for Line {
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        if let Frame::Text(bytes) = frame {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            self.1
                .extend(self.0.answers.iter().filter(|(to, _)| text.contains(to)).map(|(_, answer)| answer));
            self.0.heard.lock().unwrap().push(text);
        }
        Box::pin(ready(Ok(())))
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        match self.1.pop_front() {
            Some(text) => Box::pin(ready(Ok(Some(Frame::Text(Bytes::from_static(text.as_bytes())))))),
            None => Box::pin(pending()),
        }
    }
}

struct Sockets(Arc<Venue>);

impl SocketConnector for Sockets {
    async fn connect(
        &self,
        request: http::Request<()>,
        _: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        self.0.heard.lock().unwrap().push(request.uri().to_string());
        Ok(Box::new(Line(Arc::clone(&self.0), VecDeque::from([self.0.greeting]))))
    }
}

struct Never;

impl Sleep for Never {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(pending())
    }
}

fn streams(greeting: &'static str, answers: Vec<(&'static str, &'static str)>) -> (Streams, Arc<Venue>) {
    let venue = Arc::new(Venue { greeting, answers, heard: Mutex::default() });
    let streams =
        Streams { connector: Arc::new(Sockets(Arc::clone(&venue))), sleep: Arc::new(Never), random: 1 };
    (streams, venue)
}

#[test]
fn polygon_streams_quotes() {
    let (streams, venue) = streams(
        r#"[{"ev":"status","status":"connected","message":"Connected Successfully"}]"#,
        vec![
            ("\"auth\"", r#"[{"ev":"status","status":"auth_success","message":"authenticated"}]"#),
            ("subscribe", r#"[{"ev":"status","status":"success","message":"subscribed to: Q.AAPL"}]"#),
            (
                "subscribe",
                r#"[{"ev":"Q","sym":"AAPL","bx":4,"bp":114.125,"bs":100,"ax":7,"ap":114.128,"as":160,"c":0,"t":1772573399833,"z":3,"q":50385480}]"#,
            ),
        ],
    );
    let polygon =
        polygon::Polygon::new(polygon::Settings::default(), SECRET.into(), answers(|_| fine("")), clock());
    let polygon = polygon.unwrap().with_streams(streams);
    let mut stream = polygon.stream_quotes(&[symbol("AAPL")]);
    let quote = next(&mut stream).unwrap().unwrap();
    assert_eq!(
        (quote.bid, quote.bid_size, quote.ask),
        (decimal("114.125"), decimal("100"), decimal("114.128"))
    );
    let heard = venue.heard.lock().unwrap();
    assert_eq!(heard[0], "wss://socket.massive.com/stocks");
    assert_eq!(heard[1], format!(r#"{{"action":"auth","params":"{SECRET}"}}"#));
    assert_eq!(heard[2], r#"{"action":"subscribe","params":"Q.AAPL"}"#);
}

#[test]
fn a_refused_key_ends_the_stream_with_an_error() {
    let (streams, _) = streams(
        r#"[{"ev":"status","status":"connected"}]"#,
        vec![(
            "\"auth\"",
            r#"[{"ev":"status","status":"auth_failed","message":"authentication failed k3y-of-nobody"}]"#,
        )],
    );
    let polygon =
        polygon::Polygon::new(polygon::Settings::default(), SECRET.into(), answers(|_| fine("")), clock());
    let polygon = polygon.unwrap().with_streams(streams);
    let mut stream = polygon.stream_quotes(&[symbol("AAPL")]);
    let said = super::message(next(&mut stream).unwrap());
    assert!(said.contains("authentication failed ***") && said.contains("check the key"), "{said}");
    assert!(next(&mut stream).is_none());
    // What it does not have, and no sockets, are errors too and not silence.
    for symbols in [vec![symbol("BTC-USD")], vec![]] {
        let mut stream = polygon.stream_quotes(&symbols);
        assert!(next(&mut stream).unwrap().is_err());
        assert!(next(&mut stream).is_none());
    }
    let bare =
        polygon::Polygon::new(polygon::Settings::default(), SECRET.into(), answers(|_| fine("")), clock());
    let bare = bare.unwrap();
    assert!(next(&mut bare.stream_quotes(&[symbol("AAPL")])).unwrap().is_err());
}

/// The reference streams ETH/BTC among shares.
#[test]
fn alpaca_streams_crypto_from_the_address_of_crypto() {
    let (streams, venue) = streams(
        r#"[{"T":"success","msg":"connected"}]"#,
        vec![
            ("\"auth\"", r#"[{"T":"success","msg":"authenticated"}]"#),
            (
                "subscribe",
                r#"[{"T":"subscription","trades":[],"quotes":["ETH/BTC"],"orderbooks":[],"bars":[]}]"#,
            ),
            (
                "subscribe",
                r#"[{"T":"q","S":"ETH/BTC","bp":0.0512,"bs":1.5,"ap":0.0513,"as":2.25,"t":"2026-03-03T21:29:59.5Z"}]"#,
            ),
        ],
    );
    let key = ("id-of-nobody".into(), SECRET.into());
    let alpaca = alpaca::Alpaca::new(alpaca::Settings::default(), key, answers(|_| fine("")), clock());
    let alpaca = alpaca.unwrap().with_streams(streams);
    let mut stream = alpaca.stream_quotes(&[symbol("ETH-BTC")]);
    let quote = next(&mut stream).unwrap().unwrap();
    assert_eq!((quote.bid, quote.ask_size), (decimal("0.0512"), decimal("2.25")));
    let heard = venue.heard.lock().unwrap();
    assert_eq!(heard[0], "wss://stream.data.alpaca.markets/v1beta3/crypto/us");
    assert_eq!(heard[1], format!(r#"{{"action":"auth","key":"id-of-nobody","secret":"{SECRET}"}}"#));
    drop(heard);
    // Shares and crypto have an address each.
    let mut both = alpaca.stream_quotes(&[symbol("ETH-BTC"), symbol("AAPL")]);
    assert!(next(&mut both).unwrap().is_err());
}

/// A clock that is set, and waits that end when it says so.
struct Hands(Mutex<Duration>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        time(NOW).plus(*self.0.lock().unwrap())
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

struct Waits(Arc<Hands>);

impl Sleep for Waits {
    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()> {
        let (hands, due) = (Arc::clone(&self.0), self.0.monotonic() + length);
        Box::pin(poll_fn(move |_| if hands.monotonic() >= due { Poll::Ready(()) } else { Poll::Pending }))
    }
}

/// Streams of the reference die without a word.
#[test]
fn silence_is_an_error_and_the_stream_goes_on() {
    let (mut streams, venue) = streams(
        r#"[{"T":"success","msg":"connected"}]"#,
        vec![
            ("\"auth\"", r#"[{"T":"success","msg":"authenticated"}]"#),
            ("subscribe", r#"[{"T":"subscription","quotes":["BTC/USD"]}]"#),
            (
                "subscribe",
                r#"[{"T":"q","S":"BTC/USD","bp":90000,"bs":1,"ap":90001,"as":2,"t":"2026-03-03T21:29:59Z"}]"#,
            ),
        ],
    );
    let hands = Arc::new(Hands(Mutex::new(Duration::ZERO)));
    streams.sleep = Arc::new(Waits(Arc::clone(&hands)));
    let key = ("id-of-nobody".into(), SECRET.into());
    let clock = Arc::clone(&hands) as Arc<dyn Clock>;
    let alpaca = alpaca::Alpaca::new(alpaca::Settings::default(), key, answers(|_| fine("")), clock);
    let alpaca = alpaca.unwrap().with_streams(streams);
    let mut stream = alpaca.stream_quotes(&[symbol("BTC-USD")]);
    assert!(next(&mut stream).unwrap().is_ok());
    // Not even a ping is answered: the connection is given up, and another one is made.
    let mut said = Vec::new();
    for _ in 0..400 {
        *hands.0.lock().unwrap() += Duration::from_millis(250);
        while let Poll::Ready(item) = stream.as_mut().poll_next(&mut Context::from_waker(Waker::noop())) {
            said.push(item.unwrap());
        }
    }
    let stale =
        said.iter().position(|item| matches!(item, Err(error) if error.to_string().contains("trusted")));
    assert!(said[stale.unwrap()..].iter().any(Result::is_ok), "{said:?}");
    let connects = venue.heard.lock().unwrap().iter().filter(|text| text.starts_with("wss://")).count();
    assert!(connects >= 2, "{connects}");
}

fn exchange(name: &str) -> DescribedExchange {
    let descriptor = find(name).unwrap().read().unwrap();
    DescribedExchange::new(Arc::new(descriptor), answers(|_| fine("")), clock()).unwrap()
}

#[test]
fn exchanges_whose_streams_are_spoken_stream_quotes() {
    let (kraken_streams, venue) = streams(
        r#"{"channel":"status","type":"update","data":[{"version":"2.0.0","system":"online","api_version":"v2"}]}"#,
        vec![
            (
                "subscribe",
                r#"{"method":"subscribe","result":{"channel":"ticker","snapshot":true,"symbol":"BTC/USD"},"success":true,"req_id":1}"#,
            ),
            (
                "subscribe",
                r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":61837.1,"bid_qty":0.5,"ask":61837.2,"ask_qty":1.25,"last":61837.1,"volume":99.5}]}"#,
            ),
        ],
    );
    let kraken = exchange("kraken").with_streams(kraken_streams);
    let mut stream = kraken.stream_quotes(&[symbol("BTC-USD")]);
    let quote = next(&mut stream).unwrap().unwrap();
    assert_eq!(
        (quote.bid, quote.ask, quote.ask_size),
        (decimal("61837.1"), decimal("61837.2"), decimal("1.25"))
    );
    assert_eq!(venue.heard.lock().unwrap()[0], "wss://ws.kraken.com/v2");
    // Addresses differ; and what is not spoken, not given or not of one kind is an error and not silence.
    for (name, symbols, address) in [
        ("binance", ["BTC-USDT"], Some("wss://stream.binance.com")),
        ("binance", ["BTC-USDT-PERP"], Some("wss://fstream.binance.com")),
        ("okx", ["BTC-USDT"], Some("wss://ws.okx.com")),
        ("bitstamp", ["BTC-USD"], None),
    ] {
        let (streams, venue) = streams("", Vec::new());
        let exchange = exchange(name).with_streams(streams);
        let symbols = symbols.map(symbol);
        let mut stream = exchange.stream_quotes(&symbols);
        let Some(address) = address else {
            assert!(super::message(next(&mut stream).unwrap()).contains("streams that are spoken"), "{name}");
            continue;
        };
        let _nothing_comes = stream.as_mut().poll_next(&mut Context::from_waker(Waker::noop()));
        assert!(venue.heard.lock().unwrap()[0].starts_with(address), "{:?}", venue.heard);
    }
    let both = [symbol("BTC-USDT"), symbol("BTC-USDT-PERP")];
    let (streams, _) = streams("", Vec::new());
    assert!(next(&mut exchange("okx").with_streams(streams).stream_quotes(&both)).unwrap().is_err());
    assert!(next(&mut exchange("okx").stream_quotes(&both[..1])).unwrap().is_err());
}
