//! The talk with the stream of trade updates: credentials, choice of the stream, updates.

use super::map::of_update;
use super::wire::{Authorization, Envelope, Listening, TradeUpdate};
use crate::kit::{Failure, KnownOrders, Session, Step};
use bytes::Bytes;
use mts_foundation::broker::{BrokerError, BrokerErrorKind, ErrorStatus};
use mts_foundation::io::Frame;
use mts_foundation::{AccountId, Decimal, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The one stream that is listened to.
const STREAM: &str = "trade_updates";

/// The talk over one socket.
#[derive(Debug)]
pub struct TradeUpdates {
    key: (SecretString, SecretString),
    account: AccountId,
    orders: Arc<KnownOrders>,
    filled: Filled,
}

/// How much of each order was told as filled: a message that is lost leaves a hole in the sum, as the stream has no numbers.
#[derive(Debug, Default)]
struct Filled(BTreeMap<SmolStr, Decimal>);

/// Most orders whose sums are kept; without one the history is asked once too often.
const MAX_SUMS: usize = 10_000;

impl Filled {
    /// Takes an update; whether one before it is missing.
    fn has_hole(&mut self, update: &TradeUpdate) -> bool {
        let order = &update.order;
        let part = update.qty.filter(|_| update.is_fill()).unwrap_or_default();
        let told = self.0.get(&order.id).copied().unwrap_or_default();
        let hole = told < order.filled_qty.saturating_sub(part);
        if order.filled_qty > told {
            if self.0.len() >= MAX_SUMS {
                self.0.pop_first();
            }
            self.0.insert(order.id.clone(), order.filled_qty);
        }
        hole
    }
}

impl TradeUpdates {
    /// A talk that begins with these credentials, key id and secret.
    #[must_use]
    pub fn new(key: (SecretString, SecretString), account: AccountId, orders: Arc<KnownOrders>) -> Self {
        Self { key, account, orders, filled: Filled::default() }
    }
}

impl Session for TradeUpdates {
    fn open(&mut self, _now: Timestamp) -> Vec<Frame> {
        let (id, secret) = (self.key.0.expose_secret(), self.key.1.expose_secret());
        let text =
            serde_json::json!({ "action": "authenticate", "data": { "key_id": id, "secret_key": secret } });
        vec![Frame::Text(text.to_string().into())]
    }

    fn take(&mut self, frame: &[u8], _now: Timestamp, steps: &mut Vec<Step>) -> Result<(), BrokerError> {
        let envelope: Envelope<'_> = serde_json::from_slice(frame).map_err(unreadable)?;
        match envelope.stream.as_str() {
            "authorization" => {
                let said: Authorization = read(&envelope)?;
                if said.status != "authorized" {
                    let message = format!(
                        "the stream says {}; see that key_id and secret_key fit the environment",
                        said.status
                    );
                    return Err(BrokerError::new(
                        "events",
                        BrokerErrorKind::Auth,
                        ErrorStatus::Permanent,
                        message,
                    ));
                }
                let text = serde_json::json!({ "action": "listen", "data": { "streams": [STREAM] } });
                steps.push(Step::Send(Frame::Text(Bytes::from(text.to_string()))));
            }
            "listening" => {
                let said: Listening = read(&envelope)?;
                if said.streams.iter().any(|stream| stream == STREAM) {
                    steps.push(Step::Live);
                }
            }
            STREAM => {
                let update: TradeUpdate = read(&envelope)?;
                if self.filled.has_hole(&update) {
                    steps.push(Step::Look);
                }
                let (client_id, id) = (&update.order.client_order_id, &update.order.id);
                let events = match of_update(&update, &self.orders, &self.account) {
                    // Of others: the next look at the history tells of a gap.
                    Err(_) if !self.orders.is_ours(Some(client_id), id) => Vec::new(),
                    events => events.map_err(|failure: Failure| failure.of_query("events"))?,
                };
                steps.extend(events.into_iter().map(|event| Step::Event(Box::new(event))));
            }
            // New kinds of messages are no concern of ours; the history is asked, in case they stand for fills.
            _ => steps.push(Step::Look),
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(envelope: &Envelope<'_>) -> Result<T, BrokerError> {
    serde_json::from_str(envelope.data.get()).map_err(unreadable)
}

/// Temporary: the next connection begins with the history, which has what this message has said.
fn unreadable(error: serde_json::Error) -> BrokerError {
    let message = format!("a message of the stream cannot be read: {error}");
    BrokerError::new("events", BrokerErrorKind::Protocol, ErrorStatus::Temporary, message)
}
