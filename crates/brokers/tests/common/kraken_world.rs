//! A world whose venue answers the calls of Kraken's adapter as the test wants. The fuzz target and the benchmark use it too.

#![allow(clippy::unwrap_used, unreachable_pub, missing_docs, dead_code, reason = "helpers of tests")]

use bytes::Bytes;
use mts_brokers::kit::{Connections, Session};
use mts_brokers::kraken::{Executions, Pairs};
use mts_brokers::{Kraken, KrakenConfig};
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{
    Departure, HttpClient, RequestOptions, SharedState, Sleep, Socket, SocketConnector, StateChange,
    StateError, TransportError,
};
use mts_foundation::secret::{SecretRef, SecretSource, SecretUnavailable};
use mts_foundation::time::Clock;
use mts_foundation::{AccountId, Currency, Decimal, Order, OrderType, Side, TimeInForce, Timestamp};
use secrecy::SecretString;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is listed.
pub const PAIRS: &str = r#"{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","base":"XXBT","quote":"ZUSD","pair_decimals":1,
    "lot_decimals":8,"tick_size":"0.1"},"XETHXXBT":{"altname":"ETHXBT","wsname":"ETH/XBT","base":"XETH","quote":"XXBT",
    "pair_decimals":5,"lot_decimals":8}}"#;

/// What the venue answers to a call by its name, with what was sent; `None` = nothing.
pub type Answers = dyn Fn(&str, &str) -> Option<Bytes> + Send + Sync;

/// The world.
#[derive(Clone)]
pub struct World {
    answers: Arc<Answers>,
    state: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    turns: Arc<Mutex<Turns>>,
    is_live: bool,
}

/// What a test changes in the midst of it.
#[derive(Default)]
pub struct Turns {
    /// Seconds that have passed.
    pub passed: u32,
    /// The status of answers to come; `None` = that of a success.
    pub status: Option<http::StatusCode>,
    /// Secrets cannot be had; whether trying again can help.
    pub no_secrets: Option<bool>,
    /// What the stream says after it has confirmed.
    pub frames: VecDeque<String>,
}

impl World {
    pub fn new(answers: impl Fn(&str, &str) -> Option<Bytes> + Send + Sync + 'static) -> Self {
        Self { answers: Arc::new(answers), state: Arc::default(), turns: Arc::default(), is_live: false }
    }

    pub fn turn(&self, change: impl FnOnce(&mut Turns)) {
        change(&mut self.turns.lock().unwrap());
    }

    /// One that lists pairs, and answers everything else with the same bytes.
    pub fn same(answer: Bytes) -> Self {
        let listed = Bytes::from(format!(r#"{{"error":[],"result":{PAIRS}}}"#));
        Self::new(move |call, _| Some(if call == "AssetPairs" { listed.clone() } else { answer.clone() }))
    }
}

impl HttpClient for World {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        options: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let call = request.uri().path().rsplit('/').next().unwrap_or_default();
        let is_order = matches!(call, "AddOrder" | "CancelOrder" | "AmendOrder");
        assert!(!(is_order && options.idempotent), "{call} would be repeated");
        let body = std::str::from_utf8(request.body()).unwrap();
        let status = self.turns.lock().unwrap().status.unwrap_or_default();
        let answered = |body| {
            let mut response = http::Response::new(body);
            *response.status_mut() = status;
            response
        };
        (self.answers)(call, body).map(answered).ok_or_else(|| TransportError {
            departure: Departure::MayHaveLeft,
            timed_out: true,
            message: "no answer".to_owned(),
            source: None,
        })
    }
}

impl SocketConnector for World {
    async fn connect(&self, _: http::Request<()>, _: Duration) -> Result<Box<dyn Socket>, TransportError> {
        Ok(Box::new(self.clone()))
    }
}

/// A stream that confirms, says what it was given, and ends.
impl Socket for World {
    fn send(&mut self, _: mts_foundation::io::Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<mts_foundation::io::Frame>, TransportError>> {
        let first = !std::mem::replace(&mut self.is_live, true);
        let live = || Some(r#"{"method":"subscribe","success":true}"#.to_owned());
        let text = if first { live() } else { self.turns.lock().unwrap().frames.pop_front() };
        Box::pin(std::future::ready(Ok(text.map(|text| mts_foundation::io::Frame::Text(text.into())))))
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        let passed = Duration::from_secs(self.turns.lock().unwrap().passed.into());
        Timestamp::from_millis(1_700_000_000_000).plus(passed)
    }
}

impl Sleep for World {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl SecretSource for World {
    fn secret<'a>(&'a self, name: &'a SecretRef) -> BoxFuture<'a, Result<SecretString, SecretUnavailable>> {
        let unavailable =
            |temporary| SecretUnavailable { name: name.clone(), message: "no answer".to_owned(), temporary };
        let missing = self.turns.lock().unwrap().no_secrets.map(unavailable);
        Box::pin(std::future::ready(missing.map_or_else(|| Ok("a2V5a2V5a2V5a2V5".into()), Err)))
    }
}

impl SharedState for World {
    fn update(&self, entry: &str, change: &mut StateChange<'_>) -> Result<Option<Vec<u8>>, StateError> {
        let mut entries = self.state.lock().unwrap();
        let new = change(entries.get(entry).map(Vec::as_slice));
        entries.extend(new.iter().map(|new| (entry.to_owned(), new.clone())));
        Ok(new)
    }
}

impl World {
    pub fn broker(&self, change: impl FnOnce(&mut KrakenConfig)) -> Kraken {
        let mut config = KrakenConfig::default();
        change(&mut config);
        let world = Arc::new(self.clone());
        let connections = Connections {
            http: world.clone(),
            sockets: world.clone(),
            clock: world.clone(),
            sleep: world.clone(),
            secrets: world.clone(),
            state: world,
        };
        Kraken::new(config, connections)
    }
}

/// A talk with the stream.
pub fn session() -> Executions {
    let pairs = Arc::new(Pairs::read(PAIRS.as_bytes(), Currency::USD).unwrap());
    let account = AccountId::new("account").unwrap();
    let mut session = Executions::new("token".into(), account, Arc::default(), pairs, Duration::from_secs(9));
    session.open(Timestamp::EPOCH);
    session
}

/// An ordinary order.
pub fn order() -> Order {
    let order = Order::builder().order_id("o1").idempotency_key("k1").symbol("BTC-USD").side(Side::Buy);
    let order =
        order.quantity(Decimal::new(125, 2)).order_type(OrderType::Limit).limit_price(Decimal::from(37_500));
    let order = order.tif(TimeInForce::Day).fund_id("f").strategy_id("s").broker("kraken").actor("s");
    order.created_at(Timestamp::from_millis(1_700_000_000_000)).build().unwrap()
}
