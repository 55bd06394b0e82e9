//! The talk with the private stream: a subscription to the executions, their snapshot, and what happens after it, numbered.

use super::map::{self, Execution};
use super::order_map::{order_type, side};
use super::pairs::Pairs;
use super::wire::{Message, WireExecution};
use crate::kit::{Failure, KnownOrder, KnownOrders, Session, Step, venue_id};
use mts_foundation::broker::{BrokerError, BrokerErrorKind, ErrorStatus};
use mts_foundation::broker_event::{BrokerEvent, OrderReport};
use mts_foundation::io::Frame;
use mts_foundation::{AccountId, Decimal, OrderState, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The one channel that is listened to.
const CHANNEL: &str = "executions";

/// Most orders of which is kept what later rows leave out; without it the history is asked once too often.
const MAX_ORDERS: usize = 10_000;

/// How often the venue is asked whether it lives: it ends what is idle for a minute.
const PING: Duration = Duration::from_secs(30);

/// The talk over one socket.
#[derive(Debug)]
pub struct Executions {
    token: SecretString,
    account: AccountId,
    orders: Arc<KnownOrders>,
    pairs: Arc<Pairs>,
    silence: Duration,
    /// The number of the last message.
    last: Option<u64>,
    /// What was told of each order that works.
    told: BTreeMap<SmolStr, Told>,
}

/// What was told of an order.
#[derive(Debug, Clone, Default)]
struct Told {
    client_id: Option<SmolStr>,
    symbol: Option<SmolStr>,
    side: Option<SmolStr>,
    order_type: Option<SmolStr>,
    quantity: Option<Decimal>,
    filled: Decimal,
    average: Option<Decimal>,
}

impl Told {
    fn take(&mut self, row: &WireExecution) {
        let text = |kept: &mut Option<SmolStr>, new: &Option<SmolStr>| {
            if let Some(new) = new.as_ref().filter(|new| !new.is_empty()) {
                *kept = Some(new.clone());
            }
        };
        text(&mut self.client_id, &row.cl_ord_id);
        text(&mut self.symbol, &row.symbol);
        text(&mut self.side, &row.side);
        text(&mut self.order_type, &row.order_type);
        self.quantity = row.order_qty.or(self.quantity);
        self.filled = row.cum_qty.map_or(self.filled, |filled| filled.max(self.filled));
        self.average = row.avg_price.filter(|price| *price > Decimal::ZERO).or(self.average);
    }
}

impl Executions {
    /// A talk that begins with a token of `GetWebSocketsToken`; after so much silence it is over.
    #[must_use]
    pub fn new(
        token: SecretString,
        account: AccountId,
        orders: Arc<KnownOrders>,
        pairs: Arc<Pairs>,
        silence: Duration,
    ) -> Self {
        Self { token, account, orders, pairs, silence, last: None, told: BTreeMap::new() }
    }

    /// Whether a message is new; an error when one before it is missing.
    fn count(&mut self, sequence: u64) -> Result<bool, BrokerError> {
        match self.last {
            Some(last) if sequence <= last => return Ok(false),
            Some(last) if last.checked_add(1) != Some(sequence) => {
                let message =
                    format!("message {sequence} of the stream comes after {last}; what is between is lost");
                return Err(temporary(BrokerErrorKind::Protocol, message));
            }
            _ => {}
        }
        self.last = Some(sequence);
        Ok(true)
    }

    fn row(&mut self, row: &WireExecution, is_snapshot: bool, steps: &mut Vec<Step>) -> Result<(), Failure> {
        if self.told.len() >= MAX_ORDERS && !self.told.contains_key(&row.order_id) {
            self.told.pop_first();
        }
        let told = self.told.entry(row.order_id.clone()).or_default();
        told.take(row);
        let told = told.clone();
        if matches!(row.exec_type.as_str(), "filled" | "canceled" | "expired") {
            self.told.remove(&row.order_id);
        }
        let id = venue_id(&row.order_id)?;
        let known = match &told.client_id {
            Some(client_id) => self.orders.meet(client_id, &id),
            None => self.orders.of_venue(&id),
        };
        // Somebody else's, in a pair without a name of ours: the next look at the history tells of a gap.
        let is_nameless = || {
            told.symbol.as_deref().is_some_and(|name| map::traded(name, &self.pairs, known.as_ref()).is_err())
        };
        // What rests is asked for beside the stream, and so is what happened before it.
        if is_snapshot || is_nameless() {
            return Ok(());
        }
        let event = match row.exec_type.as_str() {
            "trade" => Some(self.execution(row, &told, known.as_ref())?),
            "pending_new" | "new" | "filled" | "canceled" | "expired" | "amended" | "restated" | "status"
            | "iceberg_refill" => self.report(row, &told, known)?.map(BrokerEvent::Order),
            _ => None,
        };
        match event {
            Some(event) => steps.push(Step::Event(Box::new(event))),
            // In case it stands for a fill.
            None => steps.push(Step::Look),
        }
        Ok(())
    }

    fn execution(
        &self,
        row: &WireExecution,
        told: &Told,
        known: Option<&KnownOrder>,
    ) -> Result<BrokerEvent, Failure> {
        let (Some(id), Some(quantity), Some(price), Some(time)) =
            (&row.exec_id, row.last_qty, row.last_price, row.timestamp)
        else {
            return Err(Failure::unreadable(
                "a trade without exec_id, last_qty, last_price or timestamp".to_owned(),
            ));
        };
        let symbol = told.symbol.as_deref().unwrap_or_default();
        let execution = Execution {
            id,
            order: &row.order_id,
            symbol: map::traded(symbol, &self.pairs, known)?,
            side: told.side.as_deref().unwrap_or_default(),
            quantity,
            price,
            time,
            fees: map::fees(&row.fees),
        };
        map::fill(&execution, known, &self.account, self.pairs.currency())
    }

    /// What has become of an order. `None` = too little of it was told.
    fn report(
        &self,
        row: &WireExecution,
        told: &Told,
        known: Option<KnownOrder>,
    ) -> Result<Option<OrderReport>, Failure> {
        let (Some(symbol), Some(wire_side), Some(wire_type), Some(quantity)) =
            (&told.symbol, &told.side, &told.order_type, told.quantity)
        else {
            return Ok(None);
        };
        let working =
            if told.filled > Decimal::ZERO { OrderState::PartiallyFilled } else { OrderState::Accepted };
        let state = match row.order_status.as_deref().unwrap_or_default() {
            "filled" => OrderState::Filled,
            "canceled" => OrderState::Canceled,
            "expired" => OrderState::Expired,
            "triggered" => OrderState::Triggered,
            "pending_new" | "new" | "partially_filled" => working,
            // Nobody has seen it before, and it is no end: the order may still fill.
            _ => working,
        };
        Ok(Some(OrderReport {
            broker_order_id: venue_id(&row.order_id)?,
            side: side(wire_side, known.as_ref())?,
            symbol: map::traded(symbol, &self.pairs, known.as_ref())?.clone(),
            order_type: order_type(wire_type, known.as_ref())?,
            order_id: known.as_ref().map(|known| known.order_id.clone()),
            idempotency_key: known.map(|known| known.key),
            quantity,
            filled: told.filled,
            average_price: told.average.filter(|_| told.filled > Decimal::ZERO),
            state,
            reason: row.reason.clone().or_else(|| row.cancel_reason.clone()).filter(|text| !text.is_empty()),
            timestamp: row.timestamp.unwrap_or(Timestamp::EPOCH),
        }))
    }
}

impl Session for Executions {
    fn open(&mut self, _now: Timestamp) -> Vec<Frame> {
        // Executions that the snapshot could hold are asked of the history, which goes back further.
        let text = serde_json::json!({
            "method": "subscribe",
            "params": {
                "channel": CHANNEL, "snap_orders": true, "snap_trades": false, "order_status": true,
                "token": self.token.expose_secret(),
            },
        });
        vec![Frame::Text(text.to_string().into())]
    }

    fn take(&mut self, frame: &[u8], _now: Timestamp, steps: &mut Vec<Step>) -> Result<(), BrokerError> {
        // The venue may repeat what the subscription was asked with.
        self.read(frame, steps).map_err(|error| {
            let message = error.message.replace(self.token.expose_secret(), "(the token)");
            BrokerError { message, ..error }
        })
    }

    fn longest_silence(&self) -> Option<Duration> {
        Some(self.silence)
    }

    fn heartbeat(&self) -> Option<(Duration, Frame)> {
        Some((PING, Frame::Text(r#"{"method":"ping"}"#.into())))
    }
}

impl Executions {
    fn read(&mut self, frame: &[u8], steps: &mut Vec<Step>) -> Result<(), BrokerError> {
        let message: Message<'_> = serde_json::from_slice(frame).map_err(|error| unreadable(&error))?;
        if message.method.as_deref() == Some("subscribe") {
            if message.success != Some(true) {
                let said = message.error.unwrap_or_else(|| "no".into());
                // A new connection brings a new token.
                return Err(temporary(
                    BrokerErrorKind::Auth,
                    format!("the subscription is answered with {said}"),
                ));
            }
            steps.push(Step::Live);
        }
        if message.channel.as_deref() != Some(CHANNEL) {
            // Heartbeats, the venue's status, and what is new: nothing that could stand for a fill, which have their numbers.
            return Ok(());
        }
        match message.sequence {
            Some(sequence) if !self.count(sequence)? => return Ok(()),
            Some(_) => {}
            None => steps.push(Step::Look),
        }
        let data = message.data.map_or("[]", serde_json::value::RawValue::get);
        let rows: Vec<WireExecution> = serde_json::from_str(data).map_err(|error| unreadable(&error))?;
        let is_snapshot = message.kind.as_deref() == Some("snapshot");
        for row in &rows {
            self.row(row, is_snapshot, steps).map_err(|failure| unreadable(&failure.message))?;
        }
        Ok(())
    }
}

/// The next connection begins with the history, which has what this message has said.
fn unreadable(error: &dyn std::fmt::Display) -> BrokerError {
    temporary(BrokerErrorKind::Protocol, format!("a message of the stream cannot be read: {error}"))
}

fn temporary(kind: BrokerErrorKind, message: String) -> BrokerError {
    BrokerError::new("events", kind, ErrorStatus::Temporary, message)
}

#[cfg(test)]
mod tests {
    use super::super::pairs::tests::pairs;
    use super::*;

    fn session() -> Executions {
        let account = AccountId::new("a").unwrap();
        Executions::new("token".into(), account, Arc::default(), Arc::new(pairs()), PING)
    }

    fn take(session: &mut Executions, text: &str) -> Result<Vec<Step>, BrokerError> {
        let mut steps = Vec::new();
        session.take(text.as_bytes(), Timestamp::EPOCH, &mut steps).map(|()| steps)
    }

    fn update(sequence: u64, row: &str) -> String {
        format!(r#"{{"channel":"executions","type":"update","data":[{row}],"sequence":{sequence}}}"#)
    }

    const NEW: &str = r#"{"order_id":"OK4GJX-KSTLS-7DZZO5","symbol":"BTC/USD","order_qty":0.005,"cum_cost":0.0,
        "time_in_force":"GTC","exec_type":"pending_new","side":"sell","order_type":"limit","limit_price":26500.0,
        "order_status":"pending_new","fee_ccy_pref":"fciq","timestamp":"2023-09-22T10:33:05.709950Z"}"#;
    const TRADE: &str = r#"{"order_id":"OK4GJX-KSTLS-7DZZO5","exec_id":"T5DIUI-5N4KO-Z5BPXK","exec_type":"trade","trade_id":8253473,
        "last_qty":0.005,"last_price":26500.0,"liquidity_ind":"t","cost":132.5,"cum_qty":0.005,"order_status":"partially_filled",
        "fees":[{"asset":"USD","qty":0.3458}],"timestamp":"2023-09-22T10:33:06.709950Z"}"#;
    const FILLED: &str = r#"{"order_id":"OK4GJX-KSTLS-7DZZO5","exec_type":"filled","order_status":"filled","cum_qty":0.005,
        "avg_price":26500.0,"timestamp":"2023-09-22T10:33:06.709950Z"}"#;

    fn event(steps: &[Step]) -> &BrokerEvent {
        match steps {
            [Step::Event(event)] => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn later_rows_are_understood_by_what_earlier_ones_said() {
        let mut session = session();
        let ack = r#"{"method":"subscribe","result":{"channel":"executions"},"success":true,"time_in":"x"}"#;
        assert_eq!(take(&mut session, ack).unwrap(), [Step::Live]);
        let snapshot = format!(r#"{{"channel":"executions","type":"snapshot","data":[{NEW}],"sequence":1}}"#);
        assert_eq!(take(&mut session, &snapshot).unwrap(), []);
        assert_eq!(take(&mut session, r#"{"channel":"heartbeat"}"#).unwrap(), []);
        match event(&take(&mut session, &update(2, TRADE)).unwrap()) {
            BrokerEvent::Fill { fill, .. } => {
                assert_eq!((fill.fill_id.as_str(), fill.symbol.as_str()), ("T5DIUI-5N4KO-Z5BPXK", "BTC-USD"));
                assert_eq!((fill.quantity, fill.fees), (Decimal::new(5, 3), Decimal::new(3_458, 4)));
            }
            other => panic!("{other:?}"),
        }
        match event(&take(&mut session, &update(3, FILLED)).unwrap()) {
            BrokerEvent::Order(report) => {
                assert_eq!(
                    (report.state, report.filled, report.quantity),
                    (OrderState::Filled, Decimal::new(5, 3), Decimal::new(5, 3))
                );
            }
            other => panic!("{other:?}"),
        }
        // Of an order that was never told of nothing can be said.
        assert_eq!(take(&mut session, &update(4, FILLED)).unwrap(), [Step::Look]);
        assert!(take(&mut session, &update(5, TRADE)).is_err(), "a trade of nobody knows what");
    }

    #[test]
    fn what_has_no_name_here_is_passed_over_unless_it_is_ours() {
        let nameless = |row: &str| row.replace("BTC/USD", "TSLAx/USD");
        let mut stranger = session();
        assert_eq!(take(&mut stranger, &update(1, &nameless(NEW))).unwrap(), []);
        assert_eq!(take(&mut stranger, &update(2, TRADE)).unwrap(), [], "the stream goes on");
        assert_eq!(take(&mut stranger, &update(3, FILLED)).unwrap(), []);
        assert!(stranger.told.is_empty());
        assert_eq!(take(&mut stranger, &update(4, NEW)).unwrap().len(), 1);
        // Ours is known by what was ordered, although its pair was taken off the list.
        let order = mts_foundation::Order::builder().order_id("o1").idempotency_key("k1").symbol("SOL-USD");
        let order = order.side(mts_foundation::Side::Sell).quantity(Decimal::new(5, 3)).fund_id("f");
        let order = order.order_type(mts_foundation::OrderType::Limit).limit_price(Decimal::from(26_500));
        let order = order.strategy_id("s").broker("kraken").actor("s").created_at(Timestamp::EPOCH);
        let order = order.build().unwrap();
        let mut ours = session();
        let client_id = ours.orders.insert(&order);
        let own = format!(r#"{{"cl_ord_id":"{client_id}","#);
        assert_eq!(take(&mut ours, &update(1, &nameless(NEW).replacen('{', &own, 1))).unwrap().len(), 1);
        match event(&take(&mut ours, &update(2, TRADE)).unwrap()) {
            BrokerEvent::Fill { fill, .. } => {
                assert_eq!((&fill.order_id, &fill.symbol), (&order.order_id, &order.symbol));
                assert_eq!(fill.fees, Decimal::new(3_458, 4));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_token_is_not_repeated_whatever_the_venue_says() {
        let account = AccountId::new("a").unwrap();
        let canary = "c4n4ry/t0ken";
        let mut session = Executions::new(canary.into(), account, Arc::default(), Arc::new(pairs()), PING);
        for text in [
            r#"{"method":"subscribe","success":false,"error":"ESession:Invalid session c4n4ry/t0ken"}"#,
            r#"{"method":"subscribe","success":"c4n4ry/t0ken"}"#,
            r#"{"channel":"executions","sequence":"c4n4ry/t0ken"}"#,
            r#"{"channel":"executions","sequence":1,"data":[{"order_id":"O1","exec_type":"trade","order_qty":"c4n4ry/t0ken"}]}"#,
        ] {
            let error = take(&mut session, text).unwrap_err();
            assert!(!error.message.contains(canary) && error.message.contains("(the token)"), "{error}");
        }
    }

    #[test]
    fn a_message_that_comes_twice_is_one_and_a_missing_one_ends_the_talk() {
        let mut session = session();
        assert_eq!(take(&mut session, &update(7, NEW)).unwrap().len(), 1, "the first number may be any");
        assert_eq!(take(&mut session, &update(7, NEW)).unwrap(), []);
        assert_eq!(take(&mut session, &update(8, TRADE)).unwrap().len(), 1);
        let error = take(&mut session, &update(10, FILLED)).unwrap_err();
        assert_eq!((error.kind, error.status), (BrokerErrorKind::Protocol, ErrorStatus::Temporary));
        assert!(error.message.contains("10") && error.message.contains('8'), "{error}");
    }

    #[test]
    fn what_is_new_or_wrong_is_told_apart() {
        let mut session = session();
        take(&mut session, &update(1, NEW)).unwrap();
        let strange = NEW.replace("pending_new", "unheard_of");
        assert_eq!(take(&mut session, &update(2, &strange)).unwrap(), [Step::Look]);
        assert_eq!(take(&mut session, r#"{"channel":"unheard_of","data":[1]}"#).unwrap(), []);
        assert!(take(&mut session, "{\"channel\": [not json").is_err());
        let refused = r#"{"method":"subscribe","success":false,"error":"ESession:Invalid session"}"#;
        assert_eq!(take(&mut session, refused).unwrap_err().kind, BrokerErrorKind::Auth);
        let opening = format!("{:?}", session.open(Timestamp::EPOCH));
        assert!(opening.contains("snap_orders") && opening.contains("token"));
        assert!(!format!("{session:?}").contains("\"token\""), "{session:?}");
    }
}
