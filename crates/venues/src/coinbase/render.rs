//! Orders and fills as the venue writes them: numbers as text, sizes and prices in the configuration alone.

use super::orders::{bound, page};
use super::products::{many, product};
use crate::desk::{Desk, FillRow, Row, State, Wanted};
use crate::dialect::{Answer, Request, number};
use mts_foundation::{Decimal, OrderType, TimeInForce};
use serde_json::{Value, json};

/// Digits of a row's id.
pub(super) const ENTRY_DIGITS: usize = 64;

/// The state in the venue's words.
pub(super) fn status(row: &Row) -> &'static str {
    match row.state {
        State::Open | State::Triggered => "OPEN",
        State::PendingCancel => "CANCEL_QUEUED",
        State::Filled => "FILLED",
        State::Canceled | State::Replaced => "CANCELLED",
        State::Expired => "EXPIRED",
        State::Rejected => "FAILED",
    }
}

/// What was ordered, below the name of its kind.
pub(super) fn configuration(wanted: &Wanted) -> Value {
    let word = |name: &str| wanted.words.get(name);
    let mut terms = serde_json::Map::new();
    match word("quote_size") {
        Some(value) => terms.insert("quote_size".to_owned(), json!(value)),
        None => terms.insert("base_size".to_owned(), json!(number(wanted.quantity))),
    };
    for (name, price) in [("limit_price", wanted.limit_price), ("stop_price", wanted.stop_price)] {
        if let Some(price) = price {
            terms.insert(name.to_owned(), json!(number(price)));
        }
    }
    for name in ["end_time", "stop_direction"] {
        if let Some(value) = word(name) {
            terms.insert(name.to_owned(), json!(value));
        }
    }
    if let Some(value) = word("post_only") {
        terms.insert("post_only".to_owned(), json!(value == "true"));
    }
    json!({ word("configuration").cloned().unwrap_or_default(): terms })
}

pub(super) fn time_in_force(tif: TimeInForce) -> &'static str {
    match tif {
        TimeInForce::Day => "GOOD_UNTIL_DATE_TIME",
        TimeInForce::Gtc => "GOOD_UNTIL_CANCELLED",
        TimeInForce::Ioc => "IMMEDIATE_OR_CANCEL",
        TimeInForce::Fok => "FILL_OR_KILL",
        TimeInForce::Opg => "UNKNOWN_TIME_IN_FORCE",
    }
}

pub(super) fn trigger(row: &Row) -> &'static str {
    match (row.wanted.order_type, row.state) {
        (OrderType::StopLimit, State::Open) if row.filled.is_zero() => "STOP_PENDING",
        (OrderType::StopLimit, _) => "STOP_TRIGGERED",
        _ => "INVALID_ORDER_TYPE",
    }
}

/// Why an order ended, where it did not fill.
pub(super) fn ended(row: &Row, state: State) -> String {
    if row.state != state {
        return String::new();
    }
    match (&row.reason, state) {
        (Some(reason), _) => reason.to_string(),
        (None, State::Canceled) => "User requested cancel".to_owned(),
        (None, _) => String::new(),
    }
}

/// The value after fees: what a purchase costs, or a sale brings.
pub(super) fn after_fees(row: &Row) -> Decimal {
    if row.wanted.buys { row.value + row.fees } else { row.value - row.fees }
}

/// What is held for the rest of an order.
pub(super) fn on_hold(desk: &Desk, row: &Row) -> Decimal {
    match (row.state.works(), row.wanted.buys) {
        (true, true) => row.remaining().saturating_mul(desk.worth_of(&row.wanted)),
        (true, false) => row.remaining(),
        (false, _) => Decimal::ZERO,
    }
}

/// An order.
pub(super) fn order(desk: &Desk, row: &Row) -> Value {
    let wanted = &row.wanted;
    let product = product(desk, &wanted.symbol);
    let share = row.filled.checked_div(wanted.quantity).unwrap_or_default() * Decimal::ONE_HUNDRED;
    let last_fill =
        desk.fills().iter().rev().find(|fill| fill.order == row.number).map(|fill| fill.time.to_string());
    json!({
        "order_id": row.id, "product_id": product.as_ref().map(|product| product.id.clone()),
        "user_id": desk.uuid("user", 0), "order_configuration": configuration(wanted),
        "side": if wanted.buys { "BUY" } else { "SELL" }, "client_order_id": wanted.client_id,
        "status": status(row), "time_in_force": time_in_force(wanted.tif),
        "created_time": row.created.to_string(), "completion_percentage": number(share.round_dp(2)),
        "filled_size": number(row.filled), "average_filled_price": number(row.average_price().unwrap_or_default()),
        "fee": "", "number_of_fills": row.fills.to_string(), "filled_value": number(row.value),
        "pending_cancel": row.state == State::PendingCancel, "size_in_quote": wanted.words.contains_key("quote_size"),
        "total_fees": number(row.fees), "size_inclusive_of_fees": false,
        "total_value_after_fees": number(after_fees(row)), "trigger_status": trigger(row),
        "order_type": match wanted.order_type {
            OrderType::Market => "MARKET",
            OrderType::StopLimit => "STOP_LIMIT",
            _ => "LIMIT",
        },
        "reject_reason": if row.state == State::Rejected { "COMMANDER_REJECTED_NEW_ORDER" } else { "REJECT_REASON_UNSPECIFIED" },
        "settled": !row.state.works(), "product_type": "SPOT", "reject_message": ended(row, State::Rejected),
        "cancel_message": ended(row, State::Canceled), "order_placement_source": "RETAIL_ADVANCED",
        "outstanding_hold_amount": number(on_hold(desk, row)), "is_liquidation": false, "last_fill_time": last_fill,
        "edit_history": [], "leverage": "", "margin_type": "UNKNOWN_MARGIN_TYPE",
        "retail_portfolio_id": desk.uuid("portfolio", 0),
    })
}

/// A fill.
fn fill(desk: &Desk, fill: &FillRow) -> Value {
    json!({
        "entry_id": desk.digits("coinbase entry", fill.number, ENTRY_DIGITS),
        "trade_id": desk.uuid("trade", fill.number), "order_id": fill.order_id,
        "trade_time": fill.time.to_string(), "trade_type": "FILL", "price": number(fill.price),
        "size": number(fill.quantity), "commission": number(fill.fees),
        "product_id": product(desk, &fill.symbol).map(|product| product.id),
        "sequence_timestamp": fill.time.to_string(),
        "liquidity_indicator": if fill.maker { "MAKER" } else { "TAKER" },
        "size_in_quote": false, "user_id": desk.uuid("user", 0), "side": if fill.bought { "BUY" } else { "SELL" },
        "retail_portfolio_id": desk.uuid("portfolio", 0), "cursor": fill.number.to_string(),
    })
}

/// The fills, newest first. The cursor is there on the last page too, and nothing is behind it.
pub(super) fn fills(desk: &Desk, request: &Request) -> Answer {
    let (limit, below) = match page(request) {
        Ok(page) => page,
        Err(answer) => return answer,
    };
    let bounds = (bound(request, "start_sequence_timestamp"), bound(request, "end_sequence_timestamp"));
    let (from, to) = match bounds {
        (Ok(from), Ok(to)) => (from, to),
        (Err(answer), _) | (_, Err(answer)) => return answer,
    };
    let orders = many(request, &["order_ids", "order_id"]);
    let products = many(request, &["product_ids", "product_id"]);
    let fits = |fill: &&FillRow| {
        let product = || product(desk, &fill.symbol).map(|product| product.id);
        fill.number < below
            && from.is_none_or(|from| fill.time >= from)
            && to.is_none_or(|to| fill.time <= to)
            && (orders.is_empty() || orders.contains(&fill.order_id.as_str()))
            && (products.is_empty() || product().is_some_and(|id| products.contains(&id.as_str())))
    };
    let rows: Vec<&FillRow> = desk.listed().rev().filter(fits).take(limit).collect();
    let cursor = rows.last().map(|row| row.number.to_string()).unwrap_or_default();
    let rows: Vec<Value> = rows.into_iter().map(|row| fill(desk, row)).collect();
    Answer::json(200, &json!({"fills": rows, "cursor": cursor}))
}
