//! What a broker says, asynchronously: order reports, fills, cash, gaps.

use crate::cash_flow::CashFlow;
use crate::fill::Fill;
use crate::ids::{AccountId, BrokerOrderId, FillId, OrderId};
use crate::key::IdempotencyKey;
use crate::num::{Decimal, exact, exact_option};
use crate::order::{OrderType, Side};
use crate::order_record::OrderState;
use crate::symbol::Symbol;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Longest cursor in bytes.
pub const MAX_CURSOR_BYTES: usize = 256;

/// A place in a broker's event history: opaque, bounded, serialisable. The consumer stores it with the effect of the
/// event in one journal entry (decision F1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "SmolStr")]
#[cfg_attr(feature = "schema", schemars(extend("maxLength" = MAX_CURSOR_BYTES)))]
pub struct Cursor(SmolStr);

/// A cursor longer than [`MAX_CURSOR_BYTES`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a cursor of {bytes} bytes is too long; keep it within {MAX_CURSOR_BYTES}")]
pub struct CursorTooLong {
    /// Its length.
    pub bytes: usize,
}

impl Cursor {
    /// A cursor of the adapter's own making.
    ///
    /// # Errors
    /// [`CursorTooLong`].
    pub fn new(text: impl AsRef<str>) -> Result<Self, CursorTooLong> {
        let text = text.as_ref();
        if text.len() > MAX_CURSOR_BYTES {
            return Err(CursorTooLong { bytes: text.len() });
        }
        Ok(Self(SmolStr::new(text)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<SmolStr> for Cursor {
    type Error = CursorTooLong;
    fn try_from(text: SmolStr) -> Result<Self, CursorTooLong> {
        if text.len() > MAX_CURSOR_BYTES { Self::new(text) } else { Ok(Self(text)) }
    }
}

impl From<Cursor> for SmolStr {
    fn from(cursor: Cursor) -> SmolStr {
        cursor.0
    }
}

/// What a venue reports of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderReport {
    /// The venue's id.
    pub broker_order_id: BrokerOrderId,
    /// Our id, where the venue carries it or the adapter knows it.
    pub order_id: Option<OrderId>,
    /// The key the order was sent with, where the venue carries it.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Direction and effect.
    pub side: Side,
    /// Pricing.
    pub order_type: OrderType,
    /// Units ordered.
    #[serde(with = "exact")]
    pub quantity: Decimal,
    /// Units filled so far.
    #[serde(with = "exact")]
    pub filled: Decimal,
    /// Average price of the fills.
    #[serde(with = "exact_option")]
    pub average_price: Option<Decimal>,
    /// State, in our terms.
    pub state: OrderState,
    /// The venue's words, where it refused or cancelled.
    pub reason: Option<SmolStr>,
    /// When the venue says so.
    pub timestamp: Timestamp,
}

/// One event of a broker's stream (section B of the decisions).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum BrokerEvent {
    /// An order changed.
    Order(OrderReport),
    /// Cash moved outside of fills.
    Cash {
        /// The movement.
        flow: CashFlow,
        /// Place in the stream.
        cursor: Cursor,
    },
    /// An execution.
    Fill {
        /// Account it belongs to.
        account: AccountId,
        /// Place in the stream.
        cursor: Cursor,
        /// The execution.
        fill: Fill,
        /// Whether its fees are final; pending fees follow as [`BrokerEvent::FeesKnown`].
        fees: FeeStatus,
    },
    /// The fees of an earlier fill became known.
    FeesKnown {
        /// Account.
        account: AccountId,
        /// Which fill.
        fill_id: FillId,
        /// In the account's base currency, positive = cost.
        #[serde(with = "exact")]
        fees: Decimal,
        /// Place in the stream.
        cursor: Cursor,
    },
    /// The venue corrected an execution.
    Corrected {
        /// Account.
        account: AccountId,
        /// Which fill is replaced.
        fill_id: FillId,
        /// What is true instead.
        fill: Fill,
        /// Place in the stream.
        cursor: Cursor,
    },
    /// The venue annulled an execution.
    Busted {
        /// Account.
        account: AccountId,
        /// Which fill.
        fill_id: FillId,
        /// Place in the stream.
        cursor: Cursor,
    },
    /// The stream was interrupted.
    Gap {
        /// Last instant that is certainly covered.
        from: Timestamp,
        /// First instant that is covered again.
        to: Timestamp,
        /// Whether the adapter backfills what lies between; if not, the engine compares positions.
        recoverable: bool,
    },
}

impl BrokerEvent {
    /// Its place in its broker's history; `None` = it has none.
    #[must_use]
    pub const fn cursor(&self) -> Option<&Cursor> {
        match self {
            Self::Fill { cursor, .. }
            | Self::Cash { cursor, .. }
            | Self::FeesKnown { cursor, .. }
            | Self::Corrected { cursor, .. }
            | Self::Busted { cursor, .. } => Some(cursor),
            Self::Order(_) | Self::Gap { .. } => None,
        }
    }
}

/// Whether the fees of a fill are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum FeeStatus {
    /// Final.
    Known,
    /// To follow.
    Pending,
}
