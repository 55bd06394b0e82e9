//! Alpaca's JSON, as Alpaca spells it. Unknown fields are passed over; names of states and kinds stay text here.

use crate::kit::number;
use mts_foundation::num::{exact, exact_option};
use mts_foundation::{Decimal, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Body of `POST /v2/orders`. Numbers travel as text.
#[derive(Debug, Serialize)]
pub(super) struct NewOrder<'a> {
    pub(super) symbol: &'a str,
    #[serde(with = "exact")]
    pub(super) qty: Decimal,
    pub(super) side: &'a str,
    #[serde(rename = "type")]
    pub(super) order_type: &'a str,
    pub(super) time_in_force: &'a str,
    #[serde(with = "exact_option", skip_serializing_if = "Option::is_none")]
    pub(super) limit_price: Option<Decimal>,
    #[serde(with = "exact_option", skip_serializing_if = "Option::is_none")]
    pub(super) stop_price: Option<Decimal>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) extended_hours: bool,
    pub(super) client_order_id: &'a str,
}

/// An order.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireOrder {
    pub(super) id: SmolStr,
    pub(super) client_order_id: SmolStr,
    pub(super) symbol: SmolStr,
    #[serde(default)]
    pub(super) submitted_at: Option<Timestamp>,
    #[serde(default)]
    pub(super) created_at: Option<Timestamp>,
    #[serde(default)]
    pub(super) updated_at: Option<Timestamp>,
    /// Absent in orders by value.
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) qty: Option<Decimal>,
    #[serde(deserialize_with = "number::exact")]
    pub(super) filled_qty: Decimal,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) filled_avg_price: Option<Decimal>,
    #[serde(rename = "type")]
    pub(super) order_type: SmolStr,
    pub(super) side: SmolStr,
    pub(super) status: SmolStr,
    #[serde(default)]
    pub(super) replaced_by: Option<SmolStr>,
}

/// Whose an order is: all that is read of it where a fill's owner is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Owner {
    pub(super) client_order_id: SmolStr,
}

/// A row of `/v2/account/activities/FILL`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct FillActivity {
    pub(super) id: SmolStr,
    pub(super) transaction_time: Timestamp,
    #[serde(deserialize_with = "number::exact")]
    pub(super) price: Decimal,
    #[serde(deserialize_with = "number::exact")]
    pub(super) qty: Decimal,
    #[serde(deserialize_with = "number::exact")]
    pub(super) cum_qty: Decimal,
    pub(super) side: SmolStr,
    pub(super) symbol: SmolStr,
    pub(super) order_id: SmolStr,
}

/// A row of `/v2/account/activities` that is no trade.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct CashActivity {
    pub(super) id: SmolStr,
    pub(super) activity_type: SmolStr,
    /// A day, `2026-11-20`, or an instant.
    pub(super) date: SmolStr,
    #[serde(deserialize_with = "number::exact")]
    pub(super) net_amount: Decimal,
    #[serde(default)]
    pub(super) symbol: Option<SmolStr>,
}

/// A row of `/v2/positions`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WirePosition {
    pub(super) symbol: SmolStr,
    #[serde(default)]
    pub(super) asset_class: SmolStr,
    #[serde(deserialize_with = "number::exact")]
    pub(super) qty: Decimal,
    pub(super) side: SmolStr,
    #[serde(deserialize_with = "number::exact")]
    pub(super) avg_entry_price: Decimal,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) current_price: Option<Decimal>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) market_value: Option<Decimal>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) unrealized_pl: Option<Decimal>,
}

/// `/v2/account`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireAccount {
    pub(super) account_number: SmolStr,
    pub(super) status: SmolStr,
    pub(super) currency: SmolStr,
    #[serde(deserialize_with = "number::exact")]
    pub(super) cash: Decimal,
    #[serde(deserialize_with = "number::exact")]
    pub(super) equity: Decimal,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) buying_power: Option<Decimal>,
    #[serde(default)]
    pub(super) trading_blocked: bool,
    #[serde(default)]
    pub(super) account_blocked: bool,
    #[serde(default)]
    pub(super) trade_suspended_by_user: bool,
    #[serde(default)]
    pub(super) shorting_enabled: bool,
}

/// `/v2/clock`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireClock {
    pub(super) timestamp: Timestamp,
    pub(super) is_open: bool,
}

/// The latest quotes of the data interface.
#[derive(Debug, Deserialize)]
pub(super) struct Quotes {
    pub(super) quotes: BTreeMap<SmolStr, LatestQuote>,
}

/// Bid and ask.
#[derive(Debug, Deserialize)]
pub(super) struct LatestQuote {
    #[serde(deserialize_with = "number::exact")]
    pub(super) bp: Decimal,
    #[serde(deserialize_with = "number::exact")]
    pub(super) ap: Decimal,
}

/// What went wrong, in Alpaca's words.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireError {
    #[serde(default)]
    pub(super) code: Option<u32>,
    pub(super) message: String,
}

/// A message of the stream.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    pub(super) stream: SmolStr,
    #[serde(borrow)]
    pub(super) data: &'a RawValue,
}

/// Answer to the credentials.
#[derive(Debug, Deserialize)]
pub(super) struct Authorization {
    pub(super) status: SmolStr,
}

/// Answer to the choice of streams.
#[derive(Debug, Deserialize)]
pub(super) struct Listening {
    #[serde(default)]
    pub(super) streams: Vec<SmolStr>,
}

/// A trade update.
#[derive(Debug, Deserialize)]
pub(super) struct TradeUpdate {
    pub(super) event: SmolStr,
    pub(super) order: WireOrder,
    #[serde(default)]
    pub(super) timestamp: Option<Timestamp>,
    #[serde(default)]
    pub(super) execution_id: Option<SmolStr>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) price: Option<Decimal>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) qty: Option<Decimal>,
}

impl TradeUpdate {
    /// Whether it tells of an execution.
    pub(super) fn is_fill(&self) -> bool {
        matches!(self.event.as_str(), "fill" | "partial_fill")
    }
}
