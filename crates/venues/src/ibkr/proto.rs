//! Messages as the protobuf dialect has them, with the fields that the double uses; numbers of fields and types are facts of
//! the protocol. Both dialects meet in these types: the text dialect writes and reads the same ones. What clients send is in
//! `requests`, what is said of prices in `price_messages`.

use prost::Message;

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
pub(super) struct CurrentTime {
    #[prost(int64, optional, tag = "1")]
    pub(super) current_time: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CurrentTimeInMillis {
    #[prost(int64, optional, tag = "1")]
    pub(super) current_time_in_millis: Option<i64>,
}
