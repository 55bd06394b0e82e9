//! A plain HTTP and WebSocket client, and a clock, for the tests of doubles.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, dead_code, reason = "helpers of tests")]

use mts_foundation::double::{Act, Call, CallFault, VenueDouble};
use mts_foundation::{Clock, Decimal, Quote, Symbol, Timestamp, VenueName};
use mts_venues::{Double, Options, Venue};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

/// How long a test waits for what shall come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits to see that nothing comes.
pub(crate) const A_WHILE: Duration = Duration::from_millis(200);

/// A clock that goes one microsecond further with each look.
#[derive(Debug)]
pub(crate) struct Steps(AtomicI64);

impl Steps {
    /// From Monday, 2 March 2026, 15:00 UTC on.
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new("2026-03-02T15:00:00Z".parse::<Timestamp>().unwrap().nanos()))
    }

    pub(crate) fn skip(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000_000, Ordering::SeqCst);
    }
}

impl Clock for Steps {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.fetch_add(1_000, Ordering::SeqCst))
    }
}

pub(crate) fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// The best prices of an instrument, with any size behind them.
pub(crate) fn quote(symbol: &str, bid: &str, ask: &str) -> Quote {
    Quote {
        symbol: Symbol::new(symbol).unwrap(),
        bid: d(bid),
        ask: d(ask),
        bid_size: Decimal::ZERO,
        ask_size: Decimal::ZERO,
        venue: VenueName::new("test").unwrap(),
        timestamp: Timestamp::EPOCH,
    }
}

/// A double, and what a client needs to talk to it.
pub(crate) struct Bench {
    pub(crate) double: Double,
    key: (String, String),
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The code and message of an error.
    pub(crate) fn code(&self) -> u64 {
        self.json()["code"].as_u64().unwrap()
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::of(Venue::Alpaca, ["key_id", "secret_key"])
    }

    /// A venue's double, with the names of its secrets.
    pub(crate) fn of(venue: Venue, secrets: [&str; 2]) -> Self {
        // Monday, 2 March 2026, 15:00 UTC.
        let clock = Steps(AtomicI64::new("2026-03-02T15:00:00Z".parse::<Timestamp>().unwrap().nanos()));
        let double = venue.start(Options::new(Arc::new(clock))).unwrap();
        let known = double.credentials();
        let key = secrets.map(|name| known[name].expose_secret().to_owned()).into();
        Self { double, key }
    }

    /// The secrets.
    pub(crate) fn key(&self) -> (&str, &str) {
        (&self.key.0, &self.key.1)
    }

    pub(crate) fn quote(&self, symbol: &str, bid: &str, ask: &str) {
        self.double.quote(&quote(symbol, bid, ask));
    }

    pub(crate) fn act(&self, act: Act) {
        self.double.act(&act).unwrap();
    }

    pub(crate) fn fault(&self, call: Call, fault: CallFault) {
        self.act(Act::Call { call, fault, times: 1 });
    }

    /// Sends a request; `None` when the connection ends without a whole answer, or none comes.
    pub(crate) fn try_send(&self, method: &str, target: &str, body: &str) -> Option<Reply> {
        self.send_within(PATIENCE, method, target, body)
    }

    pub(crate) fn send_within(
        &self,
        wait: Duration,
        method: &str,
        target: &str,
        body: &str,
    ) -> Option<Reply> {
        let (id, secret) = &self.key;
        let headers = format!("APCA-API-KEY-ID: {id}\r\nAPCA-API-SECRET-KEY: {secret}\r\n");
        exchange(&self.double, wait, &headers, method, target, body)
    }

    pub(crate) fn send_with(&self, headers: &str, method: &str, target: &str, body: &str) -> Option<Reply> {
        exchange(&self.double, PATIENCE, headers, method, target, body)
    }

    pub(crate) fn send(&self, method: &str, target: &str, body: &str) -> Reply {
        self.try_send(method, target, body).unwrap_or_else(|| panic!("no answer to {method} {target} {body}"))
    }

    pub(crate) fn get(&self, target: &str) -> Value {
        let reply = self.send("GET", target, "");
        assert_eq!(reply.status, 200, "{target}: {}", reply.body);
        reply.json()
    }

    /// Submits an order of shares of Apple, changed by more fields.
    pub(crate) fn submit(&self, more: &str) -> Reply {
        self.send("POST", "/v2/orders", &order(more))
    }

    /// The id of an order that is taken.
    pub(crate) fn taken(&self, more: &str) -> String {
        let reply = self.submit(more);
        assert_eq!(reply.status, 200, "{more}: {}", reply.body);
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn status(&self, id: &str) -> String {
        self.get(&format!("/v2/orders/{id}"))["status"].as_str().unwrap().to_owned()
    }

    /// A stream that follows the account.
    pub(crate) fn follow(&self) -> Following {
        let mut following = self.connect();
        let (id, secret) = &self.key;
        following.say(&format!(
            r#"{{"action":"authenticate","data":{{"key_id":"{id}","secret_key":"{secret}"}}}}"#
        ));
        assert_eq!(following.next().unwrap()["data"]["status"], "authorized");
        let before = self.double.streams();
        following.say(r#"{"action":"listen","data":{"streams":["trade_updates"]}}"#);
        assert_eq!(following.next().unwrap()["data"]["streams"][0], "trade_updates");
        assert_eq!(self.double.streams(), before + 1);
        following
    }

    pub(crate) fn connect(&self) -> Following {
        self.try_connect().unwrap()
    }

    pub(crate) fn try_connect(&self) -> Option<Following> {
        self.connect_to("/stream", true)
    }

    /// A stream at a path, of binary frames or of text.
    pub(crate) fn connect_to(&self, path: &str, binary: bool) -> Option<Following> {
        Following::of(&self.double, path, binary)
    }
}

/// Sends a request with these headers to the host `x`; `None` as for [`Bench::try_send`].
pub(crate) fn exchange(
    double: &Double,
    wait: Duration,
    headers: &str,
    method: &str,
    target: &str,
    body: &str,
) -> Option<Reply> {
    let mut stream = TcpStream::connect(double.address()).ok()?;
    stream.set_read_timeout(Some(wait)).unwrap();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned))
        .map_or(0, |length| length.trim().parse::<usize>().unwrap());
    (body.len() == length).then(|| Reply { status, head: head.to_owned(), body: body.to_owned() })
}

/// The body of an order: ten shares of Apple at the market, for the day, changed by more fields (`"qty": "5"`).
pub(crate) fn order(more: &str) -> String {
    let mut body = serde_json::json!({
        "symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day",
    });
    let more: Value = serde_json::from_str(&format!("{{{more}}}")).unwrap();
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

/// A client's end of a stream.
pub(crate) struct Following {
    socket: WebSocket<TcpStream>,
    binary: bool,
}

impl Following {
    /// A new connection to a double's stream, of binary frames or of text.
    pub(crate) fn of(double: &Double, path: &str, binary: bool) -> Option<Self> {
        let stream = TcpStream::connect(double.address()).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let url = format!("ws://{}{path}", double.address());
        client(url, stream).ok().map(|(socket, _)| Self { socket, binary })
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    /// The next message; `None` when the stream has ended.
    pub(crate) fn next(&mut self) -> Option<Value> {
        self.raw().map(|text| serde_json::from_str(&text).unwrap())
    }

    pub(crate) fn raw(&mut self) -> Option<String> {
        match self.socket.read() {
            Ok(Message::Binary(bytes)) if self.binary => Some(String::from_utf8(bytes.to_vec()).unwrap()),
            Ok(Message::Text(text)) if !self.binary => Some(text.as_str().to_owned()),
            Ok(Message::Binary(_) | Message::Text(_)) => panic!("the venue sends the other kind of frames"),
            Ok(_) => self.raw(),
            Err(_) => None,
        }
    }

    /// Event names of the next messages.
    pub(crate) fn events(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.next().unwrap()["data"]["event"].as_str().unwrap_or("?").to_owned()).collect()
    }

    /// Whether nothing comes for a while.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.socket.get_ref().set_read_timeout(Some(A_WHILE)).unwrap();
        let quiet = matches!(
            self.socket.read(),
            Err(tokio_tungstenite::tungstenite::Error::Io(error))
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
        );
        self.socket.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        quiet
    }
}

/// The time of this machine, for tests of delays.
#[expect(clippy::disallowed_methods, reason = "a test that waits measures how long")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits until something is true.
pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = now();
    while !is() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come to pass");
        std::thread::sleep(Duration::from_millis(5));
    }
}
