//! The WebSocket: the account's executions and balances, each with numbers of its own, and orders; public prices at the same
//! address.

use super::orders::{self, Said};
use super::pairs::{MONEY, pair};
use super::prices::{Prices, Told};
use super::query::stream_balances;
use super::render::{float, instant, order_type, reason, side, time_in_force, trade_id};
use super::sign::Params;
use crate::desk::{Desk, Event, FillRow, Row, State, What, ids};
use crate::dialect::{Follower, Frame};
use crate::market::News;
use mts_foundation::{Decimal, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a token can be used to subscribe.
pub(super) const TOKEN_SECONDS: u64 = 900;
/// Most tokens that are remembered; the first given is forgotten first.
const MAX_TOKENS: usize = 1_000;
/// Executions of a snapshot.
const SNAPSHOT_TRADES: usize = 50;

/// The tokens that were given, by the order in which they were, with their ends.
#[derive(Debug)]
pub(super) struct Tokens {
    seed: u64,
    given: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    count: u64,
    tokens: BTreeMap<u64, (String, Timestamp)>,
}

impl Tokens {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, given: Mutex::default() }
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new one.
    pub(super) fn give(&self, now: Timestamp) -> String {
        let mut given = self.given();
        given.count += 1;
        let number = given.count;
        let token = ids::letters(self.seed, "kraken token", number, 32);
        if given.tokens.len() >= MAX_TOKENS {
            given.tokens.pop_first();
        }
        given.tokens.insert(number, (token.clone(), now.plus(Duration::from_secs(TOKEN_SECONDS))));
        token
    }

    /// All of them run out.
    pub(super) fn forget(&self) {
        self.given().tokens.clear();
    }

    fn is_good(&self, token: &str, now: Timestamp) -> bool {
        self.given().tokens.values().any(|(given, end)| given == token && *end > now)
    }
}

/// One client's socket.
pub(super) struct Executions {
    seed: u64,
    tokens: Arc<Tokens>,
    /// Its token shall not be taken.
    refused: bool,
    /// The number of the last message on each channel that is subscribed to.
    executions: Option<u64>,
    balances: Option<u64>,
    prices: Prices,
}

impl Executions {
    pub(super) fn new(seed: u64, tokens: Arc<Tokens>, refused: bool) -> Self {
        Self { seed, tokens, refused, executions: None, balances: None, prices: Prices::default() }
    }

    fn say(&self, message: &Value) -> Frame {
        self.frame(message.to_string())
    }

    /// The answer to a request.
    fn answer(&self, desk: &Desk, request: &Value, said: Said<Value>) -> Frame {
        self.say(&answered(desk, request, said))
    }

    /// The answers to a request for a public channel, one a symbol, each with what its channel begins with.
    fn of_prices(&self, desk: &Desk, request: &Value, told: Vec<Told>) -> Vec<Frame> {
        let mut frames = Vec::new();
        for Told { symbol, answer, snapshot } in told {
            let names_symbol = answer.is_err() && !symbol.is_empty();
            let mut answer = answered(desk, request, answer);
            if let (true, Some(answer)) = (names_symbol, answer.as_object_mut()) {
                answer.insert("symbol".to_owned(), json!(symbol));
            }
            frames.push(self.say(&answer));
            frames.extend(snapshot.map(Frame::Text));
        }
        frames
    }

    fn let_in(&self, desk: &Desk, params: &Value) -> Said<()> {
        let token = params.get("token").and_then(Value::as_str).unwrap_or_default();
        if !self.refused && self.tokens.is_good(token, desk.clock()) {
            Ok(())
        } else {
            Err("ESession:Invalid session".to_owned())
        }
    }

    fn subscribe(&mut self, desk: &Desk, request: &Value, params: &Value) -> Vec<Frame> {
        if let Some(told) = self.prices.change(desk, params, true) {
            return self.of_prices(desk, request, told);
        }
        let mut shown = params.clone();
        if let Some(shown) = shown.as_object_mut() {
            shown.remove("token");
        }
        let is = |name: &str, default: bool| params.get(name).and_then(Value::as_bool).unwrap_or(default);
        let channel = params.get("channel").and_then(Value::as_str).unwrap_or_default();
        if let Err(error) = self.let_in(desk, params) {
            return vec![self.answer(desk, request, Err(error))];
        }
        let data: Value = match channel {
            "executions" => {
                self.executions = Some(1);
                let orders = desk
                    .working()
                    .filter(|_| is("snap_orders", true))
                    .filter_map(|row| whole(desk, row, "new"));
                let trades =
                    desk.fills().iter().rev().take(SNAPSHOT_TRADES).filter(|_| is("snap_trades", false));
                orders.chain(trades.filter_map(|fill| self.execution(desk, fill))).collect()
            }
            "balances" => {
                self.balances = Some(1);
                stream_balances(desk).into_iter().map(|(asset, held)| balance(&asset, held)).collect()
            }
            _ => {
                let error = format!("Channel {channel} is not done by this double");
                return vec![self.answer(desk, request, Err(error))];
            }
        };
        let snapshot = json!({"channel": channel, "type": "snapshot", "data": data, "sequence": 1});
        vec![self.answer(desk, request, Ok(shown)), self.say(&snapshot)]
    }

    /// An order, in the words of the stream turned into those of the other interface.
    fn add_order(desk: &mut Desk, params: &Value) -> Said<Value> {
        let words = Params::of_json(params);
        let mut order = Params::default();
        let names = [
            ("order_type", "ordertype"),
            ("side", "type"),
            ("symbol", "pair"),
            ("order_qty", "volume"),
            ("time_in_force", "timeinforce"),
            ("cl_ord_id", "cl_ord_id"),
            ("order_userref", "userref"),
            ("deadline", "deadline"),
            ("validate", "validate"),
        ];
        for (theirs, ours) in names {
            if let Some(value) = words.get(theirs) {
                order.set(ours, value);
            }
        }
        let trigger = params.get("triggers").map(Params::of_json).unwrap_or_default();
        let prices = match trigger.get("price") {
            Some(stop) => [Some(stop), words.get("limit_price")],
            None => [words.get("limit_price"), None],
        };
        for (name, price) in ["price", "price2"].into_iter().zip(prices) {
            if let Some(price) = price {
                order.set(name, price);
            }
        }
        if words.is("post_only") {
            order.set("oflags", "post");
        }
        let added = orders::add(desk, &order)?;
        let id = added.placed.map(|placed| placed.row.id);
        Ok(json!({"order_id": id, "cl_ord_id": words.get("cl_ord_id")}))
    }

    /// One answer an order.
    fn cancel_orders(&self, desk: &mut Desk, request: &Value, params: &Value) -> Vec<Frame> {
        let mut frames = Vec::new();
        for (theirs, ours) in [("order_id", "txid"), ("cl_ord_id", "cl_ord_id"), ("order_userref", "txid")] {
            for wanted in params.get(theirs).and_then(Value::as_array).cloned().unwrap_or_default() {
                let mut order = Params::default();
                order.set(ours, wanted.as_str().map_or_else(|| wanted.to_string(), str::to_owned));
                let said = orders::cancel(desk, &order).map(|_| json!({theirs: wanted}));
                frames.push(self.answer(desk, request, said));
            }
        }
        frames
    }

    /// A row of an execution.
    fn execution(&self, desk: &Desk, fill: &FillRow) -> Option<Value> {
        let pair = pair(desk, &fill.symbol)?;
        let row = desk.order(fill.order_id.as_str())?;
        Some(json!({
            "order_id": fill.order_id, "cl_ord_id": row.wanted.client_id, "exec_id": trade_id(self.seed, fill),
            "exec_type": "trade", "trade_id": fill.number + 1, "symbol": pair.stream_name(), "side": side(fill.bought),
            "last_qty": float(fill.quantity), "last_price": float(fill.price),
            "cost": float(fill.quantity.saturating_mul(fill.price)), "liquidity_ind": if fill.maker { "m" } else { "t" },
            // So even where it fills the order; the message after it says that.
            "order_status": "partially_filled", "order_type": order_type(&row.wanted), "cum_qty": float(fill.cumulative),
            "fees": [{"asset": MONEY, "qty": float(fill.fees)}], "fee_usd_equiv": float(fill.fees),
            "ext_ord_id": null, "timestamp": instant(fill.time),
        }))
    }

    /// Messages on the channel of executions, one a row.
    fn executed(&mut self, rows: Vec<Value>) -> Vec<Frame> {
        let Some(last) = &mut self.executions else { return Vec::new() };
        let message = |row: Value| {
            *last += 1;
            json!({"channel": "executions", "type": "update", "data": [row], "sequence": *last})
        };
        let messages: Vec<Value> = rows.into_iter().map(message).collect();
        messages.iter().map(|message| self.say(message)).collect()
    }

    fn balanced(&mut self, desk: &Desk, fill: &FillRow) -> Option<Frame> {
        let last = self.balances.as_mut()?;
        *last += 1;
        let base = pair(desk, &fill.symbol)?.base;
        let rows = [balance(MONEY, desk.cash()), balance(&base, desk.position(&fill.symbol))];
        let message = json!({"channel": "balances", "type": "update", "data": rows, "sequence": *last});
        Some(self.say(&message))
    }
}

/// The answer to a request.
fn answered(desk: &Desk, request: &Value, said: Said<Value>) -> Value {
    let now = instant(desk.clock());
    let mut answer = json!({"method": request.get("method"), "time_in": now, "time_out": now});
    if let Some(answer) = answer.as_object_mut() {
        if let Some(id) = request.get("req_id") {
            answer.insert("req_id".to_owned(), id.clone());
        }
        answer.insert("success".to_owned(), json!(said.is_ok()));
        match said {
            Ok(result) => answer.insert("result".to_owned(), result),
            Err(error) => answer.insert("error".to_owned(), json!(error)),
        };
    }
    answer
}

fn balance(asset: &str, held: Decimal) -> Value {
    let wallet = json!({"type": "spot", "id": "main", "balance": float(held)});
    json!({"asset": asset, "asset_class": "currency", "balance": float(held), "wallets": [wallet]})
}

/// The state in the stream.
fn status(row: &Row) -> &'static str {
    match row.state {
        State::Open | State::PendingCancel if !row.filled.is_zero() => "partially_filled",
        State::Open | State::PendingCancel => "new",
        State::Triggered => "triggered",
        State::Filled => "filled",
        State::Canceled | State::Rejected | State::Replaced => "canceled",
        State::Expired => "expired",
    }
}

/// All about an order.
fn whole(desk: &Desk, row: &Row, exec_type: &str) -> Option<Value> {
    let (wanted, pair) = (&row.wanted, pair(desk, &row.wanted.symbol)?);
    let status = if exec_type == "pending_new" { "pending_new" } else { status(row) };
    let mut all = json!({
        "order_id": row.id, "order_userref": 0, "symbol": pair.stream_name(), "order_qty": float(wanted.quantity),
        "cum_cost": float(row.value), "cum_qty": float(row.filled), "time_in_force": time_in_force(wanted.tif),
        "exec_type": exec_type, "side": side(wanted.buys), "order_type": order_type(wanted), "order_status": status,
        "fee_usd_equiv": float(row.fees), "fee_ccy_pref": "fciq", "timestamp": instant(row.updated),
    });
    let object = all.as_object_mut()?;
    if let Some(id) = &wanted.client_id {
        object.insert("cl_ord_id".to_owned(), json!(id));
    }
    if let Some(average) = row.average_price() {
        object.insert("avg_price".to_owned(), float(average.round_dp(10)));
    }
    if let Some(limit) = wanted.limit_price {
        object.insert("limit_price_type".to_owned(), json!("static"));
        object.insert("limit_price".to_owned(), float(limit));
    }
    if let Some(stop) = wanted.stop_price {
        object.insert("stop_price".to_owned(), float(stop));
        let trigger = json!({"reference": "last", "price": float(stop), "price_type": "static"});
        object.insert("triggers".to_owned(), trigger);
    }
    Some(all)
}

/// What has become of an order: no more than has changed.
fn change(row: &Row, exec_type: &str) -> Value {
    let mut all = Map::new();
    let mut set = |name: &str, value: Value| all.insert(name.to_owned(), value);
    set("order_id", json!(row.id));
    set("exec_type", json!(exec_type));
    set("order_status", json!(if exec_type == "new" { "new" } else { status(row) }));
    set("order_userref", json!(0));
    set("cum_qty", float(row.filled));
    set("cum_cost", float(row.value));
    set("avg_price", float(row.average_price().unwrap_or_default().round_dp(10)));
    set("fee_usd_equiv", float(row.fees));
    set("timestamp", json!(instant(row.updated)));
    if let Some(id) = &row.wanted.client_id {
        set("cl_ord_id", json!(id));
    }
    if let Some(reason) = reason(row) {
        set("reason", json!(reason));
    }
    Value::Object(all)
}

impl Follower for Executions {
    fn greet(&mut self, _desk: &Desk) -> Vec<Frame> {
        let data = json!([{
            "api_version": "v2", "connection_id": 13_834_774_380_200_032_777_u64, "system": "online", "version": "2.0.10",
        }]);
        vec![self.say(&json!({"channel": "status", "type": "update", "data": data}))]
    }

    fn hear(&mut self, desk: &mut Desk, text: &str) -> Vec<Frame> {
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            return vec![self.say(&json!({"error": "Malformed request", "success": false}))];
        };
        let params = request.get("params").cloned().unwrap_or_default();
        match request.get("method").and_then(Value::as_str) {
            Some("ping") => {
                let now = instant(desk.clock());
                let mut pong = json!({"method": "pong", "time_in": now, "time_out": now});
                if let (Some(pong), Some(id)) = (pong.as_object_mut(), request.get("req_id")) {
                    pong.insert("req_id".to_owned(), id.clone());
                }
                vec![self.say(&pong)]
            }
            Some("subscribe") => self.subscribe(desk, &request, &params),
            Some("unsubscribe") => {
                if let Some(told) = self.prices.change(desk, &params, false) {
                    return self.of_prices(desk, &request, told);
                }
                match params.get("channel").and_then(Value::as_str) {
                    Some("executions") => self.executions = None,
                    Some("balances") => self.balances = None,
                    _ => {}
                }
                vec![self.answer(desk, &request, Ok(json!({"channel": params.get("channel")})))]
            }
            Some("add_order") => {
                let said = self.let_in(desk, &params).and_then(|()| Self::add_order(desk, &params));
                vec![self.answer(desk, &request, said)]
            }
            Some("cancel_order") => match self.let_in(desk, &params) {
                Ok(()) => self.cancel_orders(desk, &request, &params),
                Err(error) => vec![self.answer(desk, &request, Err(error))],
            },
            Some("cancel_all") => {
                let said = self.let_in(desk, &params).map(|()| json!({"count": orders::cancel_all(desk)}));
                vec![self.answer(desk, &request, said)]
            }
            _ => vec![self.answer(desk, &request, Err("Unsupported method".to_owned()))],
        }
    }

    fn follows(&self) -> bool {
        self.executions.is_some() || self.balances.is_some() || self.prices.follows()
    }

    fn tell(&mut self, desk: &Desk, event: &Event) -> Vec<Frame> {
        let row = &event.order;
        let rows: Vec<Option<Value>> = match &event.what {
            What::New => vec![whole(desk, row, "pending_new"), Some(change(row, "new"))],
            What::Triggered => vec![Some(change(row, "status"))],
            What::Amended => vec![whole(desk, row, "amended")],
            What::Fill(fill) if row.state == State::Filled => {
                vec![self.execution(desk, fill), Some(change(row, "filled"))]
            }
            What::Fill(fill) => vec![self.execution(desk, fill)],
            What::Canceled | What::Rejected | What::Replaced => vec![Some(change(row, "canceled"))],
            What::Expired => vec![Some(change(row, "expired"))],
            // The venue does not tell of these.
            What::PendingCancel | What::Corrected | What::Busted => return Vec::new(),
        };
        let mut frames = self.executed(rows.into_iter().flatten().collect());
        if let What::Fill(fill) = &event.what {
            frames.extend(self.balanced(desk, fill));
        }
        frames
    }

    fn tell_news(&mut self, desk: &Desk, news: &News) -> Vec<Frame> {
        self.prices.tell(desk, news).into_iter().map(Frame::Text).collect()
    }

    fn heartbeat(&mut self, _desk: &Desk) -> Vec<Frame> {
        if self.follows() { vec![self.say(&json!({"channel": "heartbeat"}))] } else { Vec::new() }
    }

    fn unknown_message(&mut self, _desk: &Desk) -> Frame {
        self.say(&json!({"channel": "mts_unheard_of", "type": "update", "data": [{"since": 2027}]}))
    }

    fn frame(&self, text: String) -> Frame {
        Frame::Text(text)
    }
}
