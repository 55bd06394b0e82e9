//! What the venue says of prices, of now and of the past, as `proto` has the rest.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct TickPrice {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(super) tick_type: Option<i32>,
    #[prost(double, optional, tag = "3")]
    pub(super) price: Option<f64>,
    #[prost(string, optional, tag = "4")]
    pub(super) size: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub(super) attr_mask: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TickReqParams {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(super) min_tick: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) bbo_exchange: Option<String>,
    #[prost(int32, optional, tag = "4")]
    pub(super) snapshot_permissions: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TickSnapshotEnd {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MarketDataType {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(super) market_data_type: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TickSize {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(super) tick_type: Option<i32>,
    #[prost(string, optional, tag = "3")]
    pub(super) size: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TickString {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(super) tick_type: Option<i32>,
    #[prost(string, optional, tag = "3")]
    pub(super) value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HistoricalTickLast {
    #[prost(int64, optional, tag = "1")]
    pub(super) time: Option<i64>,
    #[prost(double, optional, tag = "3")]
    pub(super) price: Option<f64>,
    #[prost(string, optional, tag = "4")]
    pub(super) size: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(super) exchange: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(super) special_conditions: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HistoricalTickBidAsk {
    #[prost(int64, optional, tag = "1")]
    pub(super) time: Option<i64>,
    #[prost(double, optional, tag = "3")]
    pub(super) price_bid: Option<f64>,
    #[prost(double, optional, tag = "4")]
    pub(super) price_ask: Option<f64>,
    #[prost(string, optional, tag = "5")]
    pub(super) size_bid: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(super) size_ask: Option<String>,
}

/// The field of a print or of best prices is set, not both.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TickByTickData {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(super) tick_type: Option<i32>,
    #[prost(message, optional, tag = "3")]
    pub(super) last: Option<HistoricalTickLast>,
    #[prost(message, optional, tag = "4")]
    pub(super) bid_ask: Option<HistoricalTickBidAsk>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HistoricalTicksLast {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(super) ticks: Vec<HistoricalTickLast>,
    #[prost(bool, optional, tag = "3")]
    pub(super) is_done: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HistoricalDataBar {
    #[prost(string, optional, tag = "1")]
    pub(super) date: Option<String>,
    #[prost(double, optional, tag = "2")]
    pub(super) open: Option<f64>,
    #[prost(double, optional, tag = "3")]
    pub(super) high: Option<f64>,
    #[prost(double, optional, tag = "4")]
    pub(super) low: Option<f64>,
    #[prost(double, optional, tag = "5")]
    pub(super) close: Option<f64>,
    #[prost(string, optional, tag = "6")]
    pub(super) volume: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub(super) wap: Option<String>,
    #[prost(int32, optional, tag = "8")]
    pub(super) bar_count: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HistoricalData {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(super) bars: Vec<HistoricalDataBar>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HistoricalDataEnd {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(super) start: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) end: Option<String>,
}
