//! Messages as the protobuf dialect has them, with the fields that the double uses; numbers of fields and types are facts of
//! the protocol. Both dialects meet in these types: the text dialect writes and reads the same ones.

use prost::Message;

// What clients send.

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

// What both sides send.

#[derive(Clone, PartialEq, Message)]
pub(super) struct Contract {
    #[prost(int32, optional, tag = "1")]
    pub(super) con_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(super) symbol: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) sec_type: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) last_trade_date_or_contract_month: Option<String>,
    #[prost(double, optional, tag = "5")]
    pub(super) strike: Option<f64>,
    #[prost(string, optional, tag = "6")]
    pub(super) right: Option<String>,
    #[prost(double, optional, tag = "7")]
    pub(super) multiplier: Option<f64>,
    #[prost(string, optional, tag = "8")]
    pub(super) exchange: Option<String>,
    #[prost(string, optional, tag = "9")]
    pub(super) primary_exch: Option<String>,
    #[prost(string, optional, tag = "10")]
    pub(super) currency: Option<String>,
    #[prost(string, optional, tag = "11")]
    pub(super) local_symbol: Option<String>,
    #[prost(string, optional, tag = "12")]
    pub(super) trading_class: Option<String>,
    #[prost(string, optional, tag = "21")]
    pub(super) last_trade_date: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Order {
    #[prost(int32, optional, tag = "1")]
    pub(super) client_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub(super) order_id: Option<i32>,
    #[prost(int64, optional, tag = "3")]
    pub(super) perm_id: Option<i64>,
    #[prost(int32, optional, tag = "4")]
    pub(super) parent_id: Option<i32>,
    #[prost(string, optional, tag = "5")]
    pub(super) action: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(super) total_quantity: Option<String>,
    #[prost(int32, optional, tag = "7")]
    pub(super) display_size: Option<i32>,
    #[prost(string, optional, tag = "8")]
    pub(super) order_type: Option<String>,
    #[prost(double, optional, tag = "9")]
    pub(super) lmt_price: Option<f64>,
    #[prost(double, optional, tag = "10")]
    pub(super) aux_price: Option<f64>,
    #[prost(string, optional, tag = "11")]
    pub(super) tif: Option<String>,
    #[prost(string, optional, tag = "12")]
    pub(super) account: Option<String>,
    #[prost(bool, optional, tag = "19")]
    pub(super) outside_rth: Option<bool>,
    #[prost(string, optional, tag = "25")]
    pub(super) good_after_time: Option<String>,
    #[prost(string, optional, tag = "26")]
    pub(super) good_till_date: Option<String>,
    #[prost(string, optional, tag = "27")]
    pub(super) oca_group: Option<String>,
    #[prost(string, optional, tag = "28")]
    pub(super) order_ref: Option<String>,
    #[prost(int32, optional, tag = "30")]
    pub(super) oca_type: Option<i32>,
    #[prost(bool, optional, tag = "65")]
    pub(super) what_if: Option<bool>,
    #[prost(bool, optional, tag = "66")]
    pub(super) transmit: Option<bool>,
    #[prost(string, optional, tag = "68")]
    pub(super) open_close: Option<String>,
    #[prost(int32, optional, tag = "69")]
    pub(super) origin: Option<i32>,
    #[prost(double, optional, tag = "106")]
    pub(super) cash_qty: Option<f64>,
    #[prost(string, optional, tag = "115")]
    pub(super) filled_quantity: Option<String>,
}

// What the venue says.

#[derive(Clone, PartialEq, Message)]
pub(super) struct ManagedAccounts {
    #[prost(string, optional, tag = "1")]
    pub(super) accounts_list: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NextValidId {
    #[prost(int32, optional, tag = "1")]
    pub(super) order_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ErrorMessage {
    #[prost(int32, optional, tag = "1")]
    pub(super) id: Option<i32>,
    #[prost(int64, optional, tag = "2")]
    pub(super) error_time: Option<i64>,
    #[prost(int32, optional, tag = "3")]
    pub(super) error_code: Option<i32>,
    #[prost(string, optional, tag = "4")]
    pub(super) error_msg: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(super) advanced_order_reject_json: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OrderState {
    #[prost(string, optional, tag = "1")]
    pub(super) status: Option<String>,
    #[prost(double, optional, tag = "2")]
    pub(super) init_margin_before: Option<f64>,
    #[prost(double, optional, tag = "5")]
    pub(super) init_margin_change: Option<f64>,
    #[prost(double, optional, tag = "8")]
    pub(super) init_margin_after: Option<f64>,
    #[prost(double, optional, tag = "11")]
    pub(super) commission_and_fees: Option<f64>,
    #[prost(string, optional, tag = "14")]
    pub(super) commission_and_fees_currency: Option<String>,
    #[prost(string, optional, tag = "26")]
    pub(super) reject_reason: Option<String>,
    #[prost(string, optional, tag = "28")]
    pub(super) warning_text: Option<String>,
    #[prost(string, optional, tag = "29")]
    pub(super) completed_time: Option<String>,
    #[prost(string, optional, tag = "30")]
    pub(super) completed_status: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OpenOrder {
    #[prost(int32, optional, tag = "1")]
    pub(super) order_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
    #[prost(message, optional, tag = "3")]
    pub(super) order: Option<Order>,
    #[prost(message, optional, tag = "4")]
    pub(super) order_state: Option<OrderState>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OrderStatus {
    #[prost(int32, optional, tag = "1")]
    pub(super) order_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(super) status: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) filled: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) remaining: Option<String>,
    #[prost(double, optional, tag = "5")]
    pub(super) avg_fill_price: Option<f64>,
    #[prost(int64, optional, tag = "6")]
    pub(super) perm_id: Option<i64>,
    #[prost(int32, optional, tag = "7")]
    pub(super) parent_id: Option<i32>,
    #[prost(double, optional, tag = "8")]
    pub(super) last_fill_price: Option<f64>,
    #[prost(int32, optional, tag = "9")]
    pub(super) client_id: Option<i32>,
    #[prost(string, optional, tag = "10")]
    pub(super) why_held: Option<String>,
    #[prost(double, optional, tag = "11")]
    pub(super) mkt_cap_price: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CompletedOrder {
    #[prost(message, optional, tag = "1")]
    pub(super) contract: Option<Contract>,
    #[prost(message, optional, tag = "2")]
    pub(super) order: Option<Order>,
    #[prost(message, optional, tag = "3")]
    pub(super) order_state: Option<OrderState>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Execution {
    #[prost(int32, optional, tag = "1")]
    pub(super) order_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(super) exec_id: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) time: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) acct_number: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(super) exchange: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(super) side: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub(super) shares: Option<String>,
    #[prost(double, optional, tag = "8")]
    pub(super) price: Option<f64>,
    #[prost(int64, optional, tag = "9")]
    pub(super) perm_id: Option<i64>,
    #[prost(int32, optional, tag = "10")]
    pub(super) client_id: Option<i32>,
    #[prost(bool, optional, tag = "11")]
    pub(super) is_liquidation: Option<bool>,
    #[prost(string, optional, tag = "12")]
    pub(super) cum_qty: Option<String>,
    #[prost(double, optional, tag = "13")]
    pub(super) avg_price: Option<f64>,
    #[prost(string, optional, tag = "14")]
    pub(super) order_ref: Option<String>,
    #[prost(int32, optional, tag = "18")]
    pub(super) last_liquidity: Option<i32>,
    #[prost(bool, optional, tag = "19")]
    pub(super) is_price_revision_pending: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExecutionDetails {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
    #[prost(message, optional, tag = "3")]
    pub(super) execution: Option<Execution>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExecutionDetailsEnd {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CommissionAndFeesReport {
    #[prost(string, optional, tag = "1")]
    pub(super) exec_id: Option<String>,
    #[prost(double, optional, tag = "2")]
    pub(super) commission_and_fees: Option<f64>,
    #[prost(string, optional, tag = "3")]
    pub(super) currency: Option<String>,
    #[prost(double, optional, tag = "4")]
    pub(super) realized_pnl: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Position {
    #[prost(string, optional, tag = "1")]
    pub(super) account: Option<String>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
    #[prost(string, optional, tag = "3")]
    pub(super) position: Option<String>,
    #[prost(double, optional, tag = "4")]
    pub(super) avg_cost: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccountSummary {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(super) account: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) tag: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) value: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(super) currency: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccountSummaryEnd {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccountValue {
    #[prost(string, optional, tag = "1")]
    pub(super) key: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) value: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) currency: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) account_name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PortfolioValue {
    #[prost(message, optional, tag = "1")]
    pub(super) contract: Option<Contract>,
    #[prost(string, optional, tag = "2")]
    pub(super) position: Option<String>,
    #[prost(double, optional, tag = "3")]
    pub(super) market_price: Option<f64>,
    #[prost(double, optional, tag = "4")]
    pub(super) market_value: Option<f64>,
    #[prost(double, optional, tag = "5")]
    pub(super) average_cost: Option<f64>,
    #[prost(double, optional, tag = "6")]
    pub(super) unrealized_pnl: Option<f64>,
    #[prost(double, optional, tag = "7")]
    pub(super) realized_pnl: Option<f64>,
    #[prost(string, optional, tag = "8")]
    pub(super) account_name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccountUpdateTime {
    #[prost(string, optional, tag = "1")]
    pub(super) time_stamp: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccountDataEnd {
    #[prost(string, optional, tag = "1")]
    pub(super) account_name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccountUpdateMulti {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(super) account: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) model_code: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) key: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(super) value: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(super) currency: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccountUpdateMultiEnd {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ContractDetails {
    #[prost(string, optional, tag = "1")]
    pub(super) market_name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) min_tick: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) order_types: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) valid_exchanges: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub(super) price_magnifier: Option<i32>,
    #[prost(int32, optional, tag = "6")]
    pub(super) under_con_id: Option<i32>,
    #[prost(string, optional, tag = "7")]
    pub(super) long_name: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub(super) contract_month: Option<String>,
    #[prost(string, optional, tag = "12")]
    pub(super) time_zone_id: Option<String>,
    #[prost(string, optional, tag = "13")]
    pub(super) trading_hours: Option<String>,
    #[prost(string, optional, tag = "14")]
    pub(super) liquid_hours: Option<String>,
    #[prost(int32, optional, tag = "18")]
    pub(super) agg_group: Option<i32>,
    #[prost(string, optional, tag = "19")]
    pub(super) under_symbol: Option<String>,
    #[prost(string, optional, tag = "20")]
    pub(super) under_sec_type: Option<String>,
    #[prost(string, optional, tag = "21")]
    pub(super) market_rule_ids: Option<String>,
    #[prost(string, optional, tag = "22")]
    pub(super) real_expiration_date: Option<String>,
    #[prost(string, optional, tag = "23")]
    pub(super) stock_type: Option<String>,
    #[prost(string, optional, tag = "24")]
    pub(super) min_size: Option<String>,
    #[prost(string, optional, tag = "25")]
    pub(super) size_increment: Option<String>,
    #[prost(string, optional, tag = "26")]
    pub(super) suggested_size_increment: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ContractData {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) contract: Option<Contract>,
    #[prost(message, optional, tag = "3")]
    pub(super) contract_details: Option<ContractDetails>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ContractDataEnd {
    #[prost(int32, optional, tag = "1")]
    pub(super) req_id: Option<i32>,
}

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

#[derive(Clone, PartialEq, Message)]
pub(super) struct CurrentTime {
    #[prost(int64, optional, tag = "1")]
    pub(super) current_time: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CurrentTimeInMillis {
    #[prost(int64, optional, tag = "1")]
    pub(super) current_time_in_millis: Option<i64>,
}
