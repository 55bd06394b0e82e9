//! Kraken's JSON, as Kraken spells it. Unknown fields are passed over; names of states and kinds stay text here. Numbers come as
//! text in some places and as numbers in others, and are read in both forms everywhere.

use crate::kit::number;
use mts_foundation::{Decimal, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Every answer.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    pub(super) error: Vec<SmolStr>,
    #[serde(borrow, default)]
    pub(super) result: Option<&'a RawValue>,
}

/// `Time`.
#[derive(Debug, Deserialize)]
pub(super) struct WireTime {
    /// Seconds, whole.
    pub(super) unixtime: i64,
}

/// `SystemStatus`.
#[derive(Debug, Deserialize)]
pub(super) struct WireStatus {
    pub(super) status: SmolStr,
}

/// A row of `AssetPairs`.
#[derive(Debug, Deserialize)]
pub(super) struct WirePair {
    pub(super) altname: SmolStr,
    #[serde(default)]
    pub(super) wsname: Option<SmolStr>,
    pub(super) base: SmolStr,
    pub(super) quote: SmolStr,
    pub(super) pair_decimals: u32,
    pub(super) lot_decimals: u32,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) tick_size: Option<Decimal>,
}

/// A row of `Ticker`: price first.
#[derive(Debug, Deserialize)]
pub(super) struct WireTicker {
    pub(super) a: Vec<SmolStr>,
    pub(super) b: Vec<SmolStr>,
    pub(super) c: Vec<SmolStr>,
}

/// A row of `BalanceEx`.
#[derive(Debug, Deserialize)]
pub(super) struct WireBalance {
    #[serde(deserialize_with = "number::exact")]
    pub(super) balance: Decimal,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) hold_trade: Option<Decimal>,
}

/// `TradeBalance`.
#[derive(Debug, Deserialize)]
pub(super) struct WireTradeBalance {
    /// All that is held, in the currency that was asked for.
    #[serde(deserialize_with = "number::exact")]
    pub(super) eb: Decimal,
}

/// `GetApiKeyInfo`. The key itself, which the answer has too, is passed over.
#[derive(Debug, Deserialize)]
pub(super) struct WireKey {
    pub(super) permissions: Vec<SmolStr>,
    /// The account's public number.
    #[serde(default)]
    pub(super) iban: Option<SmolStr>,
}

/// `GetWebSocketsToken`.
#[derive(Deserialize)]
pub(super) struct WireToken {
    pub(super) token: String,
}

/// `AddOrder`.
#[derive(Debug, Deserialize)]
pub(super) struct WireAdded {
    pub(super) txid: Vec<SmolStr>,
    pub(super) descr: WireWords,
}

/// An order in words: `buy 1.25000000 XBTUSD @ limit 37500.0`.
#[derive(Debug, Deserialize)]
pub(super) struct WireWords {
    pub(super) order: SmolStr,
}

/// `CancelOrder`.
#[derive(Debug, Deserialize)]
pub(super) struct WireCanceled {
    pub(super) count: u64,
}

/// `AmendOrder`.
#[derive(Debug, Deserialize)]
pub(super) struct WireAmended {
    pub(super) amend_id: SmolStr,
}

/// `OpenOrders`.
#[derive(Debug, Deserialize)]
pub(super) struct WireOpen {
    pub(super) open: BTreeMap<SmolStr, WireOrder>,
}

/// `ClosedOrders`.
#[derive(Debug, Deserialize)]
pub(super) struct WireClosed {
    pub(super) closed: BTreeMap<SmolStr, WireOrder>,
}

/// An order.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireOrder {
    #[serde(default)]
    pub(super) cl_ord_id: Option<SmolStr>,
    pub(super) status: SmolStr,
    #[serde(default)]
    pub(super) reason: Option<SmolStr>,
    /// Seconds with a fraction.
    #[serde(deserialize_with = "number::exact")]
    pub(super) opentm: Decimal,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) closetm: Option<Decimal>,
    pub(super) descr: WireDescription,
    #[serde(deserialize_with = "number::exact")]
    pub(super) vol: Decimal,
    #[serde(deserialize_with = "number::exact")]
    pub(super) vol_exec: Decimal,
    /// The average price.
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) price: Option<Decimal>,
}

/// What an order is.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireDescription {
    pub(super) pair: SmolStr,
    #[serde(rename = "type")]
    pub(super) side: SmolStr,
    pub(super) ordertype: SmolStr,
    /// As they are: somebody else's may lie relative to the market, which is no number.
    #[serde(default)]
    pub(super) price: Option<Box<RawValue>>,
    #[serde(default)]
    pub(super) price2: Option<Box<RawValue>>,
}

/// `TradesHistory`.
#[derive(Debug, Deserialize)]
pub(super) struct WireTrades {
    pub(super) trades: BTreeMap<SmolStr, WireTrade>,
}

/// An execution.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireTrade {
    pub(super) ordertxid: SmolStr,
    pub(super) pair: SmolStr,
    #[serde(deserialize_with = "number::exact")]
    pub(super) time: Decimal,
    #[serde(rename = "type")]
    pub(super) side: SmolStr,
    #[serde(deserialize_with = "number::exact")]
    pub(super) price: Decimal,
    /// In the quote currency.
    #[serde(deserialize_with = "number::exact")]
    pub(super) fee: Decimal,
    #[serde(deserialize_with = "number::exact")]
    pub(super) vol: Decimal,
}

/// `Ledgers`.
#[derive(Debug, Deserialize)]
pub(super) struct WireLedgers {
    pub(super) ledger: BTreeMap<SmolStr, WireEntry>,
}

/// An entry of the account's book.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireEntry {
    pub(super) asset: SmolStr,
    #[serde(rename = "type")]
    pub(super) kind: SmolStr,
    #[serde(deserialize_with = "number::exact")]
    pub(super) time: Decimal,
    #[serde(deserialize_with = "number::exact")]
    pub(super) amount: Decimal,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) fee: Option<Decimal>,
}

/// A message of the stream.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    /// Of an answer.
    #[serde(default)]
    pub(super) method: Option<SmolStr>,
    #[serde(default)]
    pub(super) success: Option<bool>,
    #[serde(default)]
    pub(super) error: Option<SmolStr>,
    /// Of news.
    #[serde(default)]
    pub(super) channel: Option<SmolStr>,
    #[serde(rename = "type", default)]
    pub(super) kind: Option<SmolStr>,
    #[serde(default)]
    pub(super) sequence: Option<u64>,
    #[serde(borrow, default)]
    pub(super) data: Option<&'a RawValue>,
}

/// A row of the executions: all about an order, or what has changed.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireExecution {
    pub(super) order_id: SmolStr,
    pub(super) exec_type: SmolStr,
    #[serde(default)]
    pub(super) order_status: Option<SmolStr>,
    #[serde(default)]
    pub(super) cl_ord_id: Option<SmolStr>,
    #[serde(default)]
    pub(super) symbol: Option<SmolStr>,
    #[serde(default)]
    pub(super) side: Option<SmolStr>,
    #[serde(default)]
    pub(super) order_type: Option<SmolStr>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) order_qty: Option<Decimal>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) cum_qty: Option<Decimal>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) avg_price: Option<Decimal>,
    #[serde(default)]
    pub(super) exec_id: Option<SmolStr>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) last_qty: Option<Decimal>,
    #[serde(deserialize_with = "number::exact_option", default)]
    pub(super) last_price: Option<Decimal>,
    #[serde(default)]
    pub(super) fees: Vec<WireFee>,
    #[serde(default)]
    pub(super) reason: Option<SmolStr>,
    #[serde(default)]
    pub(super) cancel_reason: Option<SmolStr>,
    #[serde(default)]
    pub(super) timestamp: Option<Timestamp>,
}

/// What an execution costs, in an asset.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireFee {
    pub(super) asset: SmolStr,
    #[serde(deserialize_with = "number::exact")]
    pub(super) qty: Decimal,
}
