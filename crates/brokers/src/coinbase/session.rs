//! The talk with the stream: a signed message for each channel, then what orders have come to.
//!
//! The channel tells sums and no fills: where an order has filled, the history is asked.

use super::map;
use super::sign::Signer;
use super::watch::Watch;
use super::wire::{Message, Subscribed, UserEvent, UserOrder};
use crate::kit::{KnownOrders, Session, Step};
use bytes::Bytes;
use mts_foundation::broker::{BrokerError, BrokerErrorKind, ErrorStatus};
use mts_foundation::io::Frame;
use mts_foundation::{Decimal, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The channel of orders.
const USER: &str = "user";
/// The channel that says every second that the connection lives.
const HEARTBEATS: &str = "heartbeats";

/// Most orders of which the last message is kept; one that is forgotten may be told once more.
const MAX_ORDERS: usize = 20_000;

/// What was told of an order last.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    quantity: Decimal,
    filled: Decimal,
    ended: bool,
}

/// The talk over one socket.
#[derive(Debug)]
pub struct UserChannel {
    signer: Arc<Signer>,
    orders: Arc<KnownOrders>,
    watch: Arc<Watch>,
    silence: Duration,
    last: BTreeMap<SmolStr, Last>,
    /// The number of the next message.
    next: Option<u64>,
}

impl UserChannel {
    /// A talk that is signed by this key; `silence` is the longest that it bears.
    #[must_use]
    pub fn new(signer: Arc<Signer>, orders: Arc<KnownOrders>, silence: Duration) -> Self {
        Self::watching(signer, orders, Arc::default(), silence)
    }

    pub(super) fn watching(
        signer: Arc<Signer>,
        orders: Arc<KnownOrders>,
        watch: Arc<Watch>,
        silence: Duration,
    ) -> Self {
        Self { signer, orders, watch, silence, last: BTreeMap::new(), next: None }
    }

    /// Whether messages before this one are missing. They are numbered through all channels.
    fn has_gap(&mut self, number: Option<u64>) -> bool {
        let Some(number) = number else { return false };
        let gap = self.next.is_some_and(|next| number > next);
        self.next = Some(self.next.unwrap_or_default().max(number.saturating_add(1)));
        gap
    }

    /// Takes what is said of one order.
    fn order(
        &mut self,
        row: &UserOrder,
        is_snapshot: bool,
        (time, now): (Timestamp, Timestamp),
        steps: &mut Vec<Step>,
    ) {
        // Of others. Nothing of them is told but their fills, as a gap of an ordinary look.
        if !map::is_named(&row.product_id) {
            return;
        }
        let before = self.last.get(&row.order_id).copied();
        let filled = row.cumulative_quantity;
        // What comes late says nothing new.
        if before.is_some_and(|before| before.ended || filled < before.filled) {
            return;
        }
        let Ok(id) = map::venue_id(&row.order_id) else { return steps.push(Step::Look) };
        let remembered = before.map(|before| before.quantity);
        let Ok(report) = map::report_of_stream(row, remembered, &self.orders, time) else {
            // In words that are not ours. What one of ours is the history is asked with the next heartbeat, and not for each
            // message; others' orders are theirs.
            if self.orders.is_ours(Some(&row.client_order_id), &row.order_id) {
                self.watch.told(&id, filled, true, now);
                self.watch.doubt(&id);
            }
            return;
        };
        let ended = report.state.is_terminal();
        if before.is_none() && self.last.len() >= MAX_ORDERS {
            self.last.pop_first();
        }
        self.last.insert(row.order_id.clone(), Last { quantity: report.quantity, filled, ended });
        if is_snapshot {
            // What is open was asked for when the stream began, and so were the fills.
            return self.watch.opened(&id);
        }
        if self.watch.told(&id, filled, !ended, now) {
            steps.push(Step::Look);
        }
        steps.push(Step::Event(Box::new(mts_foundation::BrokerEvent::Order(report))));
    }
}

impl Session for UserChannel {
    fn open(&mut self, now: Timestamp) -> Vec<Frame> {
        let subscribe = |channel: &str| {
            let jwt = self.signer.token(now, None);
            let message =
                serde_json::json!({"type": "subscribe", "product_ids": [], "channel": channel, "jwt": jwt});
            Frame::Text(Bytes::from(message.to_string()))
        };
        vec![subscribe(USER), subscribe(HEARTBEATS)]
    }

    fn take(&mut self, frame: &[u8], now: Timestamp, steps: &mut Vec<Step>) -> Result<(), BrokerError> {
        let message: Message<'_> = serde_json::from_slice(frame).map_err(unreadable)?;
        if message.channel.is_empty() && message.kind == "error" {
            return Err(refused(&message.message));
        }
        if self.has_gap(message.sequence_num) {
            self.watch.missed();
            steps.push(Step::Look);
        }
        match message.channel.as_str() {
            "subscriptions" => {
                let told: Vec<Subscribed> = events(message.events)?;
                if told.iter().any(|told| told.subscriptions.contains_key(USER)) {
                    steps.push(Step::Live);
                }
            }
            HEARTBEATS if self.watch.is_due(now) => steps.push(Step::Look),
            HEARTBEATS => {}
            USER => {
                let time = message.timestamp.unwrap_or(now);
                for event in events::<UserEvent>(message.events)? {
                    for row in &event.orders {
                        self.order(row, event.kind == "snapshot", (time, now), steps);
                    }
                }
            }
            // New kinds of messages are no concern of ours; the history is asked, in case they stand for fills.
            _ => steps.push(Step::Look),
        }
        Ok(())
    }

    fn longest_silence(&self) -> Option<Duration> {
        Some(self.silence)
    }
}

fn events<T: DeserializeOwned>(raw: Option<&RawValue>) -> Result<Vec<T>, BrokerError> {
    raw.map_or_else(|| Ok(Vec::new()), |raw| serde_json::from_str(raw.get()).map_err(unreadable))
}

/// The stream says that it does not want us.
fn refused(words: &str) -> BrokerError {
    let words: String = words.chars().filter(|c| !c.is_control()).take(200).collect();
    let is_auth = words.to_ascii_lowercase().contains("auth");
    let (kind, status, remedy) = match is_auth {
        true => (
            BrokerErrorKind::Auth,
            ErrorStatus::Permanent,
            "; see that api_key and api_secret are of one key, and that this machine's clock is right",
        ),
        false => (BrokerErrorKind::Protocol, ErrorStatus::Temporary, ""),
    };
    BrokerError::new("events", kind, status, format!("the stream says {words:?}{remedy}"))
}

/// Temporary: the next connection begins with the history, which has what this message has said.
fn unreadable(error: serde_json::Error) -> BrokerError {
    let message = format!("a message of the stream cannot be read: {error}");
    BrokerError::new("events", BrokerErrorKind::Protocol, ErrorStatus::Temporary, message)
}

#[cfg(test)]
mod tests;
