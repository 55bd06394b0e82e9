//! What clients send, as `proto` has the rest.

use super::proto::{Contract, Order};
use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct StartApiRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) client_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PlaceOrderRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) order_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
    #[prost(message, optional, tag = "3")]
    pub(super) order: Option<Order>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OrderCancel {
    #[prost(string, optional, tag = "1")]
    pub(super) manual_order_cancel_time: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CancelOrderRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) order_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) order_cancel: Option<OrderCancel>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CompletedOrdersRequest {
    #[prost(bool, optional, tag = "1")]
    pub(super) api_only: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExecutionRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) execution_filter: Option<ExecutionFilter>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExecutionFilter {
    #[prost(int32, optional, tag = "1")]
    pub(super) client_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(super) acct_code: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) time: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) symbol: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(super) sec_type: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(super) exchange: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub(super) side: Option<String>,
    #[prost(int32, optional, tag = "8")]
    pub(super) last_n_days: Option<i32>,
    #[prost(int32, repeated, tag = "9")]
    pub(super) specific_dates: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccountSummaryRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(super) group: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) tags: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CancelAccountSummary {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccountDataRequest {
    #[prost(bool, optional, tag = "1")]
    pub(super) subscribe: Option<bool>,
    #[prost(string, optional, tag = "2")]
    pub(super) acct_code: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccountUpdatesMultiRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(super) account: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) model_code: Option<String>,
    #[prost(bool, optional, tag = "4")]
    pub(super) ledger_and_nlv: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CancelAccountUpdatesMulti {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ContractDataRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MarketDataRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
    #[prost(string, optional, tag = "3")]
    pub(super) generic_tick_list: Option<String>,
    #[prost(bool, optional, tag = "4")]
    pub(super) snapshot: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    pub(super) regulatory_snapshot: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CancelMarketData {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MarketDataTypeRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) market_data_type: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TickByTickRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
    #[prost(string, optional, tag = "3")]
    pub(super) tick_type: Option<String>,
    #[prost(int32, optional, tag = "4")]
    pub(super) number_of_ticks: Option<i32>,
    #[prost(bool, optional, tag = "5")]
    pub(super) ignore_size: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CancelTickByTick {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HistoricalDataRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
    #[prost(string, optional, tag = "3")]
    pub(super) end_date_time: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) bar_size_setting: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(super) duration: Option<String>,
    #[prost(bool, optional, tag = "6")]
    pub(super) use_rth: Option<bool>,
    #[prost(string, optional, tag = "7")]
    pub(super) what_to_show: Option<String>,
    #[prost(int32, optional, tag = "8")]
    pub(super) format_date: Option<i32>,
    #[prost(bool, optional, tag = "9")]
    pub(super) keep_up_to_date: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HistoricalTicksRequest {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
    #[prost(string, optional, tag = "3")]
    pub(super) start_date_time: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) end_date_time: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub(super) number_of_ticks: Option<i32>,
    #[prost(string, optional, tag = "6")]
    pub(super) what_to_show: Option<String>,
    #[prost(bool, optional, tag = "7")]
    pub(super) use_rth: Option<bool>,
    #[prost(bool, optional, tag = "8")]
    pub(super) ignore_size: Option<bool>,
}
