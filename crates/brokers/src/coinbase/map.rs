//! Coinbase's words and ours, both ways. Pure.

use super::symbols::SYMBOLS;
use super::wire::{
    NewOrder, NewTerms, RefusedOrder, Submitted, SubmittedOrder, UserOrder, WireFill, WireOrder,
};
use crate::kit::{self, Failure, FailureKind, KnownOrder, KnownOrders, cursor, strange, unreadable};

pub(super) use crate::kit::venue_id;
use mts_foundation::broker_event::{BrokerEvent, FeeStatus, OrderReport};
use mts_foundation::{
    AccountId, Currency, Decimal, Fill, FillId, Order, OrderState, OrderType, Side, Symbol, TimeInForce,
    Timestamp, VenueName,
};
use smol_str::{SmolStr, ToSmolStr, format_smolstr};
use std::collections::BTreeMap;

/// Shortest life of an order for the day.
const SHORTEST_DAY: i64 = 60;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Decimal places of a size that was paid in money and is told in units.
const PLACES: u32 = 16;

/// When an order for the day that is sent now ends: at the next midnight of UTC that is a minute away.
fn end_of_day(now: Timestamp) -> String {
    let seconds = now.nanos().div_euclid(1_000_000_000).saturating_add(SHORTEST_DAY);
    let midnight = (seconds.div_euclid(DAY) + 1).saturating_mul(DAY);
    Timestamp::from_millis(midnight.saturating_mul(1_000)).to_string()
}

/// The body of a new order.
pub(super) fn new_order(
    order: &Order,
    native: &str,
    client_id: &str,
    now: Timestamp,
) -> Result<Vec<u8>, Failure> {
    let end = end_of_day(now);
    let kind = match (order.order_type, order.tif) {
        (OrderType::Market, _) => "market_market_ioc",
        (OrderType::StopLimit, TimeInForce::Day) => "stop_limit_stop_limit_gtd",
        (OrderType::StopLimit, _) => "stop_limit_stop_limit_gtc",
        (_, TimeInForce::Day) => "limit_limit_gtd",
        (_, TimeInForce::Ioc) => "sor_limit_ioc",
        (_, TimeInForce::Fok) => "limit_limit_fok",
        _ => "limit_limit_gtc",
    };
    let buys = order.side.sign() > 0;
    let direction = if buys { "STOP_DIRECTION_STOP_UP" } else { "STOP_DIRECTION_STOP_DOWN" };
    let terms = NewTerms {
        base_size: Some(order.quantity),
        limit_price: order.limit_price,
        stop_price: order.stop_price,
        stop_direction: order.stop_price.map(|_| direction),
        end_time: (order.tif == TimeInForce::Day).then_some(end.as_str()),
        post_only: kind.starts_with("limit_limit_gt").then_some(false),
    };
    let body = NewOrder {
        client_order_id: client_id,
        product_id: native,
        side: if buys { "BUY" } else { "SELL" },
        order_configuration: BTreeMap::from([(kind, terms)]),
    };
    serde_json::to_vec(&body).map_err(unreadable)
}

/// The order that an answer says was taken, if it is the one that was sent.
pub(super) fn submitted(
    answer: Submitted,
    order: &Order,
    native: &str,
    client_id: &str,
) -> Result<SubmittedOrder, Failure> {
    if !answer.success {
        return Err(refusal(answer));
    }
    let taken = answer.success_response.ok_or_else(|| Failure::unreadable("a success without its order"))?;
    let side = if order.side.sign() > 0 { "BUY" } else { "SELL" };
    if taken.client_order_id != client_id || taken.product_id != native || taken.side != side {
        return Err(Failure::unreadable(format!(
            "the answer is about order {} ({} {} {}), another one than was sent",
            taken.order_id, taken.client_order_id, taken.side, taken.product_id
        )));
    }
    Ok(taken)
}

/// The first reason that says something.
fn refusal(answer: Submitted) -> Failure {
    let RefusedOrder { error, message, preview_failure_reason, new_order_failure_reason } =
        answer.error_response.unwrap_or_default();
    let reasons = [new_order_failure_reason, error, preview_failure_reason, answer.failure_reason];
    let code = reasons.into_iter().find(|reason| !reason.is_empty() && !reason.contains("UNKNOWN"));
    let message = if message.is_empty() { "refused".to_owned() } else { message };
    Failure { code, ..Failure::new(FailureKind::Refused, message) }
}

/// Whether the venue's order is the one that was meant.
pub(super) fn is_of(order: &Order, wire: &WireOrder, client_id: &str, native: &str) -> Result<(), Failure> {
    let terms = wire.terms();
    let right = wire.client_order_id == client_id
        && wire.product_id == native
        && (wire.side == "BUY") == (order.side.sign() > 0)
        && terms.base_size == Some(order.quantity.normalize())
        && terms.limit_price == order.limit_price.map(|price| price.normalize())
        && terms.stop_price == order.stop_price.map(|price| price.normalize());
    match right {
        true => Ok(()),
        false => Err(Failure::unreadable(format!(
            "the key is of order {} at the venue ({} {:?} {} at {:?}), another one than was sent",
            wire.order_id, wire.side, terms.base_size, wire.product_id, terms.limit_price
        ))),
    }
}

/// Where an order is in its life. A status that nobody has seen before is no end: the order may still fill.
fn state(status: &str, filled: Decimal, pending_cancel: bool) -> OrderState {
    match status {
        "FILLED" => OrderState::Filled,
        "CANCELLED" => OrderState::Canceled,
        "EXPIRED" => OrderState::Expired,
        "FAILED" => OrderState::Rejected,
        "CANCEL_QUEUED" => OrderState::PendingCancel,
        _ if pending_cancel => OrderState::PendingCancel,
        _ if filled > Decimal::ZERO => OrderState::PartiallyFilled,
        _ => OrderState::Accepted,
    }
}

/// Whether a status is one that the documents have.
fn is_known(status: &str) -> bool {
    matches!(
        status,
        "PENDING"
            | "OPEN"
            | "QUEUED"
            | "FILLED"
            | "CANCELLED"
            | "EXPIRED"
            | "FAILED"
            | "CANCEL_QUEUED"
            | "EDIT_QUEUED"
    )
}

fn side(wire: &str, known: Option<&KnownOrder>) -> Result<Side, Failure> {
    let side = match wire {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        other => return Err(strange("side", other)),
    };
    Ok(kit::side(side, known))
}

/// By the prices it has: Coinbase has more names of types than we have.
fn order_type(limit_price: Option<Decimal>, stop_price: Option<Decimal>) -> OrderType {
    match (limit_price, stop_price) {
        (Some(_), Some(_)) => OrderType::StopLimit,
        (None, Some(_)) => OrderType::Stop,
        (Some(_), None) => OrderType::Limit,
        (None, None) => OrderType::Market,
    }
}

/// Whether we have a name of an instrument. Where not, it is no order of ours.
pub(super) fn is_named(native: &str) -> bool {
    SYMBOLS.from_native(native).is_ok()
}

/// Whether a row is a plain fill. Of reversals and corrections nothing says which fill they change.
pub(super) fn is_plain(row: &WireFill) -> bool {
    row.trade_type == "FILL"
}

/// Whether a row can be told as a fill.
pub(super) fn is_fill(row: &WireFill) -> bool {
    is_plain(row) && is_named(&row.product_id)
}

fn named(native: &str) -> Result<Symbol, Failure> {
    SYMBOLS.from_native(native).map_err(unreadable)
}

/// The words that say why an order ended, or that its status is a new one.
fn reason(status: &str, words: &[&SmolStr]) -> Option<SmolStr> {
    if !is_known(status) {
        return Some(format_smolstr!("status {status}"));
    }
    let says =
        |word: &&&SmolStr| !word.is_empty() && !word.contains("UNSPECIFIED") && !word.contains("UNKNOWN");
    let said = words.iter().find(says).map(|word| (*word).clone());
    match (status, said) {
        ("FAILED", None) => Some(SmolStr::new_static("refused by Coinbase after it was taken")),
        ("FAILED" | "CANCELLED" | "EXPIRED", said) => said,
        _ => None,
    }
}

/// What the history says of an order.
pub(super) fn report(wire: &WireOrder, orders: &KnownOrders) -> Result<OrderReport, Failure> {
    let broker_order_id = venue_id(&wire.order_id)?;
    let known = orders.meet(&wire.client_order_id, &broker_order_id);
    let (terms, filled) = (wire.terms(), wire.filled_size.unwrap_or_default());
    let told = order_type(terms.limit_price, terms.stop_price);
    Ok(OrderReport {
        broker_order_id,
        side: side(&wire.side, known.as_ref())?,
        symbol: named(&wire.product_id)?,
        order_type: known.as_ref().map_or(told, |known| known.order_type),
        order_id: known.as_ref().map(|known| known.order_id.clone()),
        // An order by value has no size before it has filled.
        quantity: terms.base_size.or(known.as_ref().map(|known| known.quantity)).unwrap_or(filled),
        idempotency_key: known.map(|known| known.key),
        filled,
        average_price: wire.average_filled_price.filter(|price| !price.is_zero()),
        state: state(&wire.status, filled, wire.pending_cancel),
        reason: reason(&wire.status, &[&wire.reject_message, &wire.reject_reason, &wire.cancel_message]),
        timestamp: wire.last_fill_time.unwrap_or(wire.created_time),
    })
}

/// What the stream says of an order; `quantity` is what it was when more was told.
pub(super) fn report_of_stream(
    row: &UserOrder,
    quantity: Option<Decimal>,
    orders: &KnownOrders,
    time: Timestamp,
) -> Result<OrderReport, Failure> {
    let broker_order_id = venue_id(&row.order_id)?;
    let known = orders.meet(&row.client_order_id, &broker_order_id);
    let filled = row.cumulative_quantity;
    // Orders that have ended leave nothing, whatever they wanted.
    let told = filled.saturating_add(row.leaves_quantity);
    let quantity = known.as_ref().map(|known| known.quantity).or(quantity).unwrap_or(told);
    let by_prices = order_type(row.limit_price, row.stop_price);
    Ok(OrderReport {
        broker_order_id,
        side: side(&row.order_side, known.as_ref())?,
        symbol: named(&row.product_id)?,
        order_type: known.as_ref().map_or(by_prices, |known| known.order_type),
        order_id: known.as_ref().map(|known| known.order_id.clone()),
        idempotency_key: known.map(|known| known.key),
        quantity: quantity.max(told),
        filled,
        average_price: row.avg_price.filter(|price| !price.is_zero()),
        state: state(&row.status, filled, false),
        reason: reason(&row.status, &[&row.reject_reason, &row.cancel_reason]),
        timestamp: time,
    })
}

/// Units of a fill; where it was paid by value, what the value bought.
pub(super) fn units(row: &WireFill) -> Result<Decimal, Failure> {
    if !row.size_in_quote {
        return Ok(row.size);
    }
    let units = row.size.checked_div(row.price).ok_or_else(|| strange("price", row.price))?;
    Ok(units.round_dp(PLACES).normalize())
}

/// A fill. Its fees are known where they are paid in the account's currency.
pub(super) fn of_fill(
    row: &WireFill,
    known: Option<&KnownOrder>,
    account: &AccountId,
    currency: Currency,
) -> Result<BrokerEvent, Failure> {
    let paid_in = row.product_id.rsplit('-').next().unwrap_or_default();
    let is_known = paid_in == currency.as_str();
    let words = [
        ("order_id", row.order_id.clone()),
        ("trade_id", row.trade_id.clone()),
        ("liquidity_indicator", row.liquidity_indicator.clone()),
        ("commission", row.commission.to_smolstr()),
        ("commission_currency", paid_in.into()),
    ];
    let fill = Fill {
        fill_id: FillId::new(&row.entry_id).map_err(unreadable)?,
        order_id: kit::order_of(known, "coinbase", &row.order_id)?,
        symbol: named(&row.product_id)?,
        side: side(&row.side, known)?,
        quantity: units(row)?,
        price: row.price,
        fees: if is_known { row.commission } else { Decimal::ZERO },
        venue: VenueName::new("coinbase").map_err(unreadable)?,
        timestamp: row.trade_time,
        raw: words
            .into_iter()
            .filter(|(_, word)| !word.is_empty())
            .map(|(name, word)| (SmolStr::new_static(name), word))
            .collect(),
    };
    Ok(BrokerEvent::Fill {
        account: account.clone(),
        cursor: cursor(row.sequence_timestamp)?,
        fill: fill.checked().map_err(unreadable)?,
        fees: if is_known { FeeStatus::Known } else { FeeStatus::Pending },
    })
}

#[cfg(test)]
mod tests;
