//! The same intent is sent once (decision O6).

use super::Core;
use mts_foundation::risk::{Gate, RejectCode, Rejection};
use mts_foundation::{IdempotencyKey, Order, OrderId, OrderRecord, Place, Timestamp};
use serde::{Deserialize, Serialize};

/// What is remembered of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeyEntry {
    pub(crate) order_id: OrderId,
    pub(crate) time: Timestamp,
    /// Where the order is.
    #[serde(skip)]
    pub(crate) place: Place,
}

/// A key, by its age.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeyAge {
    pub(crate) time: Timestamp,
    pub(crate) key: IdempotencyKey,
    /// Where what is remembered of it is.
    #[serde(skip)]
    pub(crate) place: Place,
}

/// What the key says of an order (gate 3).
#[derive(Debug, Clone, PartialEq)]
pub enum KeyVerdict {
    /// Not seen before.
    New,
    /// The same order again: nothing is sent.
    Known,
    /// Refused.
    Refused(Box<Rejection>),
}

impl Core {
    /// What gate 3 says of an order; changes nothing.
    #[must_use]
    pub fn look_up_key(&self, order: &Order) -> KeyVerdict {
        let Some(entry) = self.state.keys.get(&order.idempotency_key) else { return KeyVerdict::New };
        let stored = self.state.orders.get(&entry.order_id);
        let same = stored.is_some_and(|record| record.order.same_content(order));
        let alive = stored.is_some_and(|record| !record.state.is_terminal());
        let within = self.state.now.since(entry.time) < self.config.idempotency_window;
        let (code, message) = match (same, alive || within) {
            (true, true) => return KeyVerdict::Known,
            (true, false) => (
                RejectCode::IdempotencyKeyReused,
                format!(
                    "key {} was used by order {} and its window is over; make a new key",
                    order.idempotency_key, entry.order_id
                ),
            ),
            (false, _) => (
                RejectCode::IdempotencyConflict,
                format!(
                    "key {} belongs to order {} with other content; make a new key",
                    order.idempotency_key, entry.order_id
                ),
            ),
        };
        KeyVerdict::Refused(Box::new(Rejection {
            gate: Gate::Idempotency,
            code,
            limit: None,
            observed: None,
            message,
        }))
    }

    /// Remembers an order and its key.
    pub(crate) fn remember(&mut self, record: OrderRecord) {
        let (order_id, key) = (record.order.order_id.clone(), record.order.idempotency_key.clone());
        let (place, _) = self.state.orders.put(order_id.clone(), record);
        let time = self.state.now;
        let (place, known) = self.state.keys.put(key.clone(), KeyEntry { order_id, time, place });
        if known.is_none() {
            self.state.key_ages.push_back(KeyAge { time, key, place });
        }
    }
}
