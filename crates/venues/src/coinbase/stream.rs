//! The WebSocket: the channel of the user's orders, and heartbeats. It tells what an order has come to and not its fills;
//! messages of all channels of a connection are numbered together.

use super::jwt::ApiKey;
use super::products::product;
use super::render::{after_fees, ended, on_hold, status, time_in_force, trigger};
use crate::desk::{Desk, Event, Row, State};
use crate::dialect::{Follower, Frame, number};
use mts_foundation::{Decimal, OrderType};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Orders of one message of the snapshot; one with fewer ends it.
const BATCH: usize = 50;

/// One client's stream.
pub(super) struct UserStream {
    key: ApiKey,
    /// Its tokens shall not be taken.
    refused: bool,
    /// The products of each channel that is subscribed to; none = all.
    channels: BTreeMap<String, Vec<String>>,
    sequence: u64,
    beats: u64,
}

impl UserStream {
    pub(super) fn new(key: ApiKey, refused: bool) -> Self {
        Self { key, refused, channels: BTreeMap::new(), sequence: 0, beats: 0 }
    }

    /// Whether nothing is subscribed to.
    pub(super) fn is_idle(&self) -> bool {
        self.channels.is_empty()
    }

    /// A message with the next number.
    fn say(&mut self, desk: &Desk, channel: &str, events: &Value) -> Frame {
        let message = json!({
            "channel": channel, "client_id": "", "timestamp": desk.clock().to_string(),
            "sequence_num": self.sequence, "events": events,
        });
        self.sequence += 1;
        Frame::Text(message.to_string())
    }

    fn subscriptions(&mut self, desk: &Desk) -> Frame {
        let told: serde_json::Map<String, Value> = self
            .channels
            .iter()
            .map(|(channel, products)| {
                let what = if products.is_empty() { vec![desk.uuid("user", 0)] } else { products.clone() };
                (channel.clone(), json!(what))
            })
            .collect();
        self.say(desk, "subscriptions", &json!([{"subscriptions": told}]))
    }

    fn wants(&self, desk: &Desk, row: &Row) -> bool {
        self.channels.get("user").is_some_and(|products| {
            products.is_empty()
                || product(desk, &row.wanted.symbol).is_some_and(|product| products.contains(&product.id))
        })
    }

    fn snapshot(&mut self, desk: &Desk) -> Vec<Frame> {
        let rows: Vec<Value> =
            desk.working().filter(|row| self.wants(desk, row)).map(|row| of(desk, row)).collect();
        let mut batches: Vec<&[Value]> = rows.chunks(BATCH).collect();
        if batches.last().is_none_or(|last| last.len() == BATCH) {
            batches.push(&[]);
        }
        batches
            .into_iter()
            .map(|orders| self.say(desk, "user", &json!([{"type": "snapshot", "orders": orders}])))
            .collect()
    }
}

/// An order as the channel tells it.
fn of(desk: &Desk, row: &Row) -> Value {
    let wanted = &row.wanted;
    let leaves = if row.state.works() { row.remaining() } else { Decimal::ZERO };
    let price = |price: Option<Decimal>| price.map(number).unwrap_or_default();
    json!({
        "order_id": row.id, "client_order_id": wanted.client_id, "cumulative_quantity": number(row.filled),
        "leaves_quantity": number(leaves), "avg_price": number(row.average_price().unwrap_or_default()),
        "total_fees": number(row.fees), "status": status(row),
        "product_id": product(desk, &wanted.symbol).map(|product| product.id),
        "creation_time": row.created.to_string(), "order_side": if wanted.buys { "BUY" } else { "SELL" },
        "order_type": match wanted.order_type {
            OrderType::Market => "Market",
            OrderType::StopLimit => "Stop Limit",
            _ => "Limit",
        },
        "cancel_reason": ended(row, State::Canceled), "reject_reason": ended(row, State::Rejected),
        "limit_price": price(wanted.limit_price), "stop_price": price(wanted.stop_price),
        "time_in_force": time_in_force(wanted.tif), "trigger_status": trigger(row),
        "total_value_after_fees": number(after_fees(row)), "outstanding_hold_amount": number(on_hold(desk, row)),
        "number_of_fills": row.fills.to_string(), "filled_value": number(row.value),
        "completion_percentage": number((row.filled.checked_div(wanted.quantity).unwrap_or_default() * Decimal::ONE_HUNDRED).round_dp(2)),
        "contract_expiry_type": "UNKNOWN_CONTRACT_EXPIRY_TYPE", "product_type": "SPOT",
        "risk_managed_by": "UNKNOWN_RISK_MANAGEMENT_TYPE", "post_only": wanted.words.get("post_only").is_some_and(|value| value == "true"),
    })
}

impl Follower for UserStream {
    fn hear(&mut self, desk: &mut Desk, text: &str) -> Vec<Frame> {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let field = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
        let wrong = |what: &str| Frame::Text(json!({"type": "error", "message": what}).to_string());
        let channel = field("channel").to_owned();
        if !matches!(channel.as_str(), "user" | "heartbeats") {
            return vec![wrong("channel is not known to this double")];
        }
        let needs_token = channel == "user" || !field("jwt").is_empty();
        if needs_token && (self.refused || self.key.verify(field("jwt"), desk.clock(), None).is_err()) {
            return vec![wrong("authentication failure"), Frame::Close];
        }
        let products: Vec<String> = message
            .get("product_ids")
            .and_then(Value::as_array)
            .map(|products| products.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default();
        match field("type") {
            "subscribe" => {
                self.channels.insert(channel.clone(), products);
                let mut frames = vec![self.subscriptions(desk)];
                if channel == "user" {
                    frames.extend(self.snapshot(desk));
                }
                frames
            }
            "unsubscribe" => {
                self.channels.remove(&channel);
                vec![self.subscriptions(desk)]
            }
            _ => vec![wrong("type must be subscribe or unsubscribe")],
        }
    }

    fn follows(&self) -> bool {
        self.channels.contains_key("user")
    }

    fn tell(&mut self, desk: &Desk, event: &Event) -> Vec<Frame> {
        if !self.wants(desk, &event.order) {
            return Vec::new();
        }
        vec![self.say(desk, "user", &json!([{"type": "update", "orders": [of(desk, &event.order)]}]))]
    }

    fn heartbeat(&mut self, desk: &Desk) -> Vec<Frame> {
        if !self.channels.contains_key("heartbeats") {
            return Vec::new();
        }
        self.beats += 1;
        let event = json!([{"current_time": desk.clock().to_string(), "heartbeat_counter": self.beats}]);
        vec![self.say(desk, "heartbeats", &event)]
    }

    fn unknown_message(&mut self, desk: &Desk) -> Frame {
        self.say(desk, "mts_unheard_of", &json!([{"since": 2027}]))
    }

    fn frame(&self, text: String) -> Frame {
        Frame::Text(text)
    }
}
