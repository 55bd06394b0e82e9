//! Coinbase's JSON, as Coinbase spells it. Unknown fields are passed over; names of states and kinds stay text here.

use crate::kit::number;
use mts_foundation::num::exact_option;
use mts_foundation::{Decimal, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Body of `POST /orders`.
#[derive(Debug, Serialize)]
pub(super) struct NewOrder<'a> {
    pub(super) client_order_id: &'a str,
    pub(super) product_id: &'a str,
    pub(super) side: &'a str,
    /// One entry.
    pub(super) order_configuration: BTreeMap<&'a str, NewTerms<'a>>,
}

/// What is ordered. Numbers travel as text.
#[derive(Debug, Default, Serialize)]
pub(super) struct NewTerms<'a> {
    #[serde(with = "exact_option")]
    pub(super) base_size: Option<Decimal>,
    #[serde(with = "exact_option", skip_serializing_if = "Option::is_none")]
    pub(super) limit_price: Option<Decimal>,
    #[serde(with = "exact_option", skip_serializing_if = "Option::is_none")]
    pub(super) stop_price: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_direction: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_time: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) post_only: Option<bool>,
}

/// Answer to a new order: with status 200 also where it is refused.
#[derive(Debug, Deserialize)]
pub(super) struct Submitted {
    pub(super) success: bool,
    #[serde(default)]
    pub(super) failure_reason: SmolStr,
    #[serde(default)]
    pub(super) success_response: Option<SubmittedOrder>,
    #[serde(default)]
    pub(super) error_response: Option<RefusedOrder>,
}

/// The order that was taken.
#[derive(Debug, Deserialize)]
pub(super) struct SubmittedOrder {
    pub(super) order_id: SmolStr,
    pub(super) product_id: SmolStr,
    pub(super) side: SmolStr,
    pub(super) client_order_id: SmolStr,
}

/// Why it was not.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RefusedOrder {
    #[serde(default)]
    pub(super) error: SmolStr,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) preview_failure_reason: SmolStr,
    #[serde(default)]
    pub(super) new_order_failure_reason: SmolStr,
}

/// Answer to cancellations.
#[derive(Debug, Deserialize)]
pub(super) struct Canceled {
    pub(super) results: Vec<CancelResult>,
}

/// What has come of one.
#[derive(Debug, Deserialize)]
pub(super) struct CancelResult {
    pub(super) success: bool,
    #[serde(default)]
    pub(super) failure_reason: SmolStr,
    pub(super) order_id: SmolStr,
}

/// `/orders/historical/{id}`.
#[derive(Debug, Deserialize)]
pub(super) struct OneOrder {
    pub(super) order: WireOrder,
}

/// `/orders/historical/batch`.
#[derive(Debug, Deserialize)]
pub(super) struct OrderPage {
    pub(super) orders: Vec<WireOrder>,
    #[serde(default)]
    pub(super) has_next: bool,
    #[serde(default)]
    pub(super) cursor: Option<SmolStr>,
}

/// An order. Its size and prices are in the configuration alone.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireOrder {
    pub(super) order_id: SmolStr,
    #[serde(default)]
    pub(super) client_order_id: SmolStr,
    pub(super) product_id: SmolStr,
    pub(super) side: SmolStr,
    pub(super) status: SmolStr,
    #[serde(default)]
    pub(super) order_configuration: Option<BTreeMap<SmolStr, Option<Terms>>>,
    pub(super) created_time: Timestamp,
    #[serde(default)]
    pub(super) last_fill_time: Option<Timestamp>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) filled_size: Option<Decimal>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) average_filled_price: Option<Decimal>,
    #[serde(default)]
    pub(super) pending_cancel: bool,
    #[serde(default)]
    pub(super) reject_reason: SmolStr,
    #[serde(default)]
    pub(super) reject_message: SmolStr,
    #[serde(default)]
    pub(super) cancel_message: SmolStr,
}

/// What was ordered.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Terms {
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) base_size: Option<Decimal>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) limit_price: Option<Decimal>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) stop_price: Option<Decimal>,
}

impl WireOrder {
    /// What was ordered; nothing where the venue does not say.
    pub(super) fn terms(&self) -> Terms {
        let configuration = self.order_configuration.iter().flat_map(BTreeMap::values);
        configuration.flatten().next().cloned().unwrap_or_default()
    }
}

/// `/orders/historical/fills`.
#[derive(Debug, Deserialize)]
pub(super) struct FillPage {
    pub(super) fills: Vec<WireFill>,
    #[serde(default)]
    pub(super) cursor: Option<SmolStr>,
}

/// A fill.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireFill {
    pub(super) entry_id: SmolStr,
    #[serde(default)]
    pub(super) trade_id: SmolStr,
    pub(super) order_id: SmolStr,
    pub(super) trade_time: Timestamp,
    pub(super) sequence_timestamp: Timestamp,
    pub(super) trade_type: SmolStr,
    #[serde(deserialize_with = "number::exact")]
    pub(super) price: Decimal,
    #[serde(deserialize_with = "number::exact")]
    pub(super) size: Decimal,
    #[serde(deserialize_with = "number::exact")]
    pub(super) commission: Decimal,
    pub(super) product_id: SmolStr,
    #[serde(default)]
    pub(super) liquidity_indicator: SmolStr,
    #[serde(default)]
    pub(super) size_in_quote: bool,
    pub(super) side: SmolStr,
}

/// `/accounts`.
#[derive(Debug, Deserialize)]
pub(super) struct AccountPage {
    pub(super) accounts: Vec<Wallet>,
    #[serde(default)]
    pub(super) has_next: bool,
    #[serde(default)]
    pub(super) cursor: Option<SmolStr>,
}

/// A wallet of one currency.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Wallet {
    pub(super) currency: SmolStr,
    pub(super) available_balance: Amount,
    #[serde(default)]
    pub(super) hold: Option<Amount>,
}

impl Wallet {
    /// What is there, free or held for orders.
    pub(super) fn total(&self) -> Decimal {
        let hold = self.hold.as_ref().map(|hold| hold.value).unwrap_or_default();
        self.available_balance.value.saturating_add(hold)
    }
}

/// Money or units.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Amount {
    #[serde(deserialize_with = "number::exact")]
    pub(super) value: Decimal,
}

/// `/products`.
#[derive(Debug, Deserialize)]
pub(super) struct Products {
    pub(super) products: Vec<Product>,
}

/// A product and its last price.
#[derive(Debug, Deserialize)]
pub(super) struct Product {
    pub(super) product_id: SmolStr,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) price: Option<Decimal>,
}

/// `/best_bid_ask`.
#[derive(Debug, Deserialize)]
pub(super) struct Books {
    pub(super) pricebooks: Vec<Book>,
}

/// The touch of a product.
#[derive(Debug, Deserialize)]
pub(super) struct Book {
    pub(super) product_id: SmolStr,
    pub(super) bids: Vec<Level>,
    pub(super) asks: Vec<Level>,
}

/// A price of a book.
#[derive(Debug, Deserialize)]
pub(super) struct Level {
    #[serde(deserialize_with = "number::exact")]
    pub(super) price: Decimal,
}

/// `/time`.
#[derive(Debug, Deserialize)]
pub(super) struct WireTime {
    #[serde(rename = "epochMillis", deserialize_with = "number::exact")]
    pub(super) epoch_millis: Decimal,
}

/// `/key_permissions`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Permissions {
    pub(super) can_view: bool,
    pub(super) can_trade: bool,
    pub(super) can_transfer: bool,
    pub(super) portfolio_uuid: SmolStr,
}

/// What went wrong, in Coinbase's words.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum WireError {
    /// The usual form.
    One {
        error: SmolStr,
        #[serde(default)]
        error_details: String,
        #[serde(default)]
        message: String,
    },
    /// That of limits, and of the older API.
    Many { errors: Vec<WireErrorRow> },
}

/// One of several errors.
#[derive(Debug, Deserialize)]
pub(super) struct WireErrorRow {
    pub(super) id: SmolStr,
    #[serde(default)]
    pub(super) message: String,
}

/// A message of the stream.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(default)]
    pub(super) channel: SmolStr,
    /// Of refusals, which have no channel.
    #[serde(default, rename = "type")]
    pub(super) kind: SmolStr,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) timestamp: Option<Timestamp>,
    #[serde(default)]
    pub(super) sequence_num: Option<u64>,
    #[serde(borrow, default)]
    pub(super) events: Option<&'a serde_json::value::RawValue>,
}

/// An event of the channel `subscriptions`.
#[derive(Debug, Deserialize)]
pub(super) struct Subscribed {
    #[serde(default)]
    pub(super) subscriptions: BTreeMap<SmolStr, serde::de::IgnoredAny>,
}

/// An event of the channel `user`.
#[derive(Debug, Deserialize)]
pub(super) struct UserEvent {
    #[serde(default, rename = "type")]
    pub(super) kind: SmolStr,
    #[serde(default)]
    pub(super) orders: Vec<UserOrder>,
}

/// What an order has come to: sums, and no fills.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct UserOrder {
    pub(super) order_id: SmolStr,
    #[serde(default)]
    pub(super) client_order_id: SmolStr,
    pub(super) product_id: SmolStr,
    pub(super) order_side: SmolStr,
    pub(super) status: SmolStr,
    #[serde(deserialize_with = "number::exact")]
    pub(super) cumulative_quantity: Decimal,
    #[serde(deserialize_with = "number::exact")]
    pub(super) leaves_quantity: Decimal,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) avg_price: Option<Decimal>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) limit_price: Option<Decimal>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) stop_price: Option<Decimal>,
    #[serde(default)]
    pub(super) cancel_reason: SmolStr,
    #[serde(default)]
    pub(super) reject_reason: SmolStr,
}
