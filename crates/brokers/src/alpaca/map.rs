//! Alpaca's words and ours, both ways. Pure.

use super::symbols::{SYMBOLS, of_position};
use super::wire::{CashActivity, FillActivity, NewOrder, TradeUpdate, WireOrder, WirePosition};
use crate::kit::{self, Failure, KnownOrder, KnownOrders, cursor, strange, unreadable, venue_id};
use mts_foundation::broker_event::{BrokerEvent, FeeStatus, OrderReport};
use mts_foundation::cash_flow::{CashFlow, CashKind};
use mts_foundation::{
    AccountId, Currency, Decimal, Fill, FillId, FundId, Order, OrderState, OrderType, Position, Side, Symbol,
    Timestamp, VenueName,
};
use smol_str::{SmolStr, ToSmolStr, format_smolstr};
use std::collections::BTreeMap;

/// The body of a new order.
pub(super) fn new_order(order: &Order, native: &str, client_id: &str) -> Result<Vec<u8>, Failure> {
    let body = NewOrder {
        symbol: native,
        qty: order.quantity,
        side: if order.side.sign() > 0 { "buy" } else { "sell" },
        order_type: match order.order_type {
            OrderType::Market => "market",
            OrderType::Limit | OrderType::MarketableLimit => "limit",
            OrderType::Stop => "stop",
            OrderType::StopLimit => "stop_limit",
        },
        time_in_force: order.tif.as_str(),
        limit_price: order.limit_price,
        stop_price: order.stop_price,
        extended_hours: order.extended_hours,
        client_order_id: client_id,
    };
    serde_json::to_vec(&body).map_err(unreadable)
}

/// Whether the venue's order is the one that was meant, as far as it tells.
pub(super) fn is_of(order: &Order, wire: &WireOrder, client_id: &str, native: &str) -> Result<(), Failure> {
    let right = wire.client_order_id == client_id
        && wire.symbol == native
        && wire.qty == Some(order.quantity.normalize())
        && (wire.side == "buy") == (order.side.sign() > 0);
    match right {
        true => Ok(()),
        false => Err(Failure::unreadable(format!(
            "the answer is about order {} ({} {} {:?} {}), another one than was sent",
            wire.id, wire.client_order_id, wire.side, wire.qty, wire.symbol
        ))),
    }
}

/// Where an order is in its life. A status that nobody has seen before is no end: the order may still fill.
fn state(wire: &WireOrder) -> OrderState {
    let filled = wire.filled_qty;
    let working = if filled > Decimal::ZERO { OrderState::PartiallyFilled } else { OrderState::Accepted };
    match wire.status.as_str() {
        "filled" => OrderState::Filled,
        // Done; only the settlement is still calculated.
        "calculated" if wire.qty == Some(filled) => OrderState::Filled,
        "canceled" | "replaced" => OrderState::Canceled,
        "expired" => OrderState::Expired,
        "rejected" => OrderState::Rejected,
        "pending_cancel" => OrderState::PendingCancel,
        _ => working,
    }
}

/// Whether a status is one that the documents have.
fn is_known(status: &str) -> bool {
    matches!(
        status,
        "accepted"
            | "pending_new"
            | "new"
            | "held"
            | "accepted_for_bidding"
            | "stopped"
            | "suspended"
            | "pending_cancel"
            | "pending_replace"
            | "pending_review"
            | "calculated"
            | "done_for_day"
            | "partially_filled"
            | "filled"
            | "canceled"
            | "expired"
            | "replaced"
            | "rejected"
    )
}

fn side(wire: &str, known: Option<&KnownOrder>) -> Result<Side, Failure> {
    let side = match wire {
        "buy" => Side::Buy,
        "sell" => Side::Sell,
        "sell_short" => Side::Short,
        other => return Err(strange("side", other)),
    };
    Ok(kit::side(side, known))
}

fn named(native: &str) -> Result<Symbol, Failure> {
    SYMBOLS.from_native(native).map_err(unreadable)
}

/// What Alpaca says of an order.
pub(super) fn report(wire: &WireOrder, orders: &KnownOrders) -> Result<OrderReport, Failure> {
    let broker_order_id = venue_id(&wire.id)?;
    let known = orders.meet(&wire.client_order_id, &broker_order_id);
    let told = match wire.order_type.as_str() {
        "market" => OrderType::Market,
        "limit" => OrderType::Limit,
        "stop" | "trailing_stop" => OrderType::Stop,
        "stop_limit" => OrderType::StopLimit,
        other => return Err(strange("type", other)),
    };
    let reason = match &wire.replaced_by {
        Some(by) => Some(format_smolstr!("replaced by {by}")),
        None if !is_known(&wire.status) => Some(format_smolstr!("status {}", wire.status)),
        None if wire.status == "rejected" => Some("rejected by Alpaca or its market".into()),
        None => None,
    };
    Ok(OrderReport {
        broker_order_id,
        side: side(&wire.side, known.as_ref())?,
        symbol: named(&wire.symbol)?,
        order_type: known.as_ref().map_or(told, |known| known.order_type),
        order_id: known.as_ref().map(|known| known.order_id.clone()),
        idempotency_key: known.map(|known| known.key),
        // An order by value has no quantity before it has filled.
        quantity: wire.qty.unwrap_or(wire.filled_qty),
        filled: wire.filled_qty,
        average_price: wire.filled_avg_price,
        state: state(wire),
        reason,
        timestamp: wire.updated_at.or(wire.submitted_at).or(wire.created_at).unwrap_or(Timestamp::EPOCH),
    })
}

/// A fill's id: of the order, and how much of it was filled then. It is the same in the stream and in the history, whose own
/// ids differ.
fn fill_id(order: &str, cumulative: Decimal) -> Result<FillId, Failure> {
    FillId::new(format!("{order}:{}", cumulative.normalize())).map_err(unreadable)
}

struct Execution<'a> {
    order: &'a str,
    symbol: &'a str,
    side: &'a str,
    cumulative: Decimal,
    quantity: Decimal,
    price: Decimal,
    time: Timestamp,
    /// The venue's id of it, by its name.
    id: Option<(&'static str, SmolStr)>,
}

fn fill_event(
    execution: Execution<'_>,
    known: Option<&KnownOrder>,
    account: &AccountId,
) -> Result<BrokerEvent, Failure> {
    let fill = Fill {
        fill_id: fill_id(execution.order, execution.cumulative)?,
        order_id: kit::order_of(known, "alpaca", execution.order)?,
        symbol: named(execution.symbol)?,
        side: side(execution.side, known)?,
        quantity: execution.quantity,
        price: execution.price,
        fees: Decimal::ZERO,
        venue: VenueName::new("alpaca").map_err(unreadable)?,
        timestamp: execution.time,
        raw: BTreeMap::from_iter(
            execution
                .id
                .into_iter()
                .map(|(name, id)| (SmolStr::new_static(name), id))
                .chain([(SmolStr::new_static("order_id"), execution.order.to_smolstr())]),
        ),
    };
    Ok(BrokerEvent::Fill {
        account: account.clone(),
        cursor: cursor(execution.time)?,
        fill: fill.checked().map_err(unreadable)?,
        fees: FeeStatus::Known,
    })
}

/// A fill of the history.
pub(super) fn of_activity(
    row: &FillActivity,
    known: Option<&KnownOrder>,
    account: &AccountId,
) -> Result<BrokerEvent, Failure> {
    let execution = Execution {
        order: &row.order_id,
        symbol: &row.symbol,
        side: &row.side,
        cumulative: row.cum_qty,
        quantity: row.qty,
        price: row.price,
        time: row.transaction_time,
        id: Some(("activity_id", row.id.clone())),
    };
    fill_event(execution, known, account)
}

/// The events of a trade update: the fill, if it is one, and what has become of the order.
pub(super) fn of_update(
    update: &TradeUpdate,
    orders: &KnownOrders,
    account: &AccountId,
) -> Result<Vec<BrokerEvent>, Failure> {
    let report = report(&update.order, orders)?;
    let mut events = Vec::with_capacity(2);
    if update.is_fill() {
        let (Some(price), Some(quantity)) = (update.price, update.qty) else {
            return Err(Failure::unreadable(format!("a {} without price or qty", update.event)));
        };
        let known = orders.of_venue(&report.broker_order_id);
        let execution = Execution {
            order: &update.order.id,
            symbol: &update.order.symbol,
            side: &update.order.side,
            cumulative: update.order.filled_qty,
            quantity,
            price,
            time: update.timestamp.unwrap_or(report.timestamp),
            id: update.execution_id.clone().map(|id| ("execution_id", id)),
        };
        events.push(fill_event(execution, known.as_ref(), account)?);
    }
    events.push(BrokerEvent::Order(report));
    Ok(events)
}

/// A movement of cash. `None` = nothing moved.
pub(super) fn of_cash(row: &CashActivity, currency: Currency) -> Result<Option<BrokerEvent>, Failure> {
    if row.net_amount.is_zero() {
        return Ok(None);
    }
    let day = row.date.get(..10).unwrap_or(&row.date);
    let time: Timestamp = serde_json::from_value(format!("{day}T00:00:00Z").into())
        .map_err(|error: serde_json::Error| unreadable(error))?;
    let kind = match row.activity_type.as_str() {
        "CSD" | "TRANS" if row.net_amount > Decimal::ZERO => CashKind::Deposit,
        "CSW" | "TRANS" if row.net_amount < Decimal::ZERO => CashKind::Withdrawal,
        "INT" => CashKind::Interest,
        "FEE" | "CFEE" => CashKind::Fee,
        kind if kind.starts_with("DIV") => CashKind::Dividend,
        _ => CashKind::Other,
    };
    let symbol = row.symbol.as_deref().filter(|text| !text.is_empty()).map(named).transpose()?;
    let flow = CashFlow { id: row.id.clone(), kind, amount: row.net_amount, currency, symbol, time };
    Ok(Some(BrokerEvent::Cash { flow, cursor: cursor(time)? }))
}

/// A position of the account.
pub(super) fn position(wire: &WirePosition, account: &FundId, now: Timestamp) -> Result<Position, Failure> {
    let symbol = of_position(&wire.symbol, wire.asset_class == "crypto").map_err(unreadable)?;
    let quantity = match wire.side.as_str() {
        "long" => wire.qty.abs(),
        "short" => -wire.qty.abs(),
        other => return Err(strange("side", other)),
    };
    let last_price = wire.current_price.unwrap_or(wire.avg_entry_price);
    Ok(Position {
        fund_id: account.clone(),
        symbol,
        quantity,
        avg_price: wire.avg_entry_price,
        last_price,
        market_value_usd: wire.market_value.unwrap_or(last_price.saturating_mul(quantity)),
        unrealized_pl_usd: wire.unrealized_pl.unwrap_or_default(),
        realized_pl_ytd_usd: Decimal::ZERO,
        last_updated: now,
        tax_lots: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::client_id;
    use mts_foundation::TimeInForce;

    fn order(side: Side) -> Order {
        let mut order = Order::builder();
        order = order.order_id("o1").idempotency_key("k1").symbol("AAPL").side(side);
        let order = order.quantity(Decimal::from(10)).order_type(OrderType::MarketableLimit);
        let order = order.limit_price(Decimal::new(18_750, 2)).tif(TimeInForce::Ioc);
        let time = Timestamp::from_millis(1_700_000_000_000);
        order.fund_id("f").strategy_id("s").broker("alpaca").actor("s").created_at(time).build().unwrap()
    }

    fn wire(status: &str, filled: &str) -> WireOrder {
        let text = serde_json::json!({
            "id": "v1", "client_order_id": client_id(&order(Side::Cover).idempotency_key), "symbol": "AAPL", "qty": "10",
            "filled_qty": filled, "filled_avg_price": null, "type": "limit", "side": "buy", "status": status,
            "updated_at": "2026-11-20T15:00:00.123456789-05:00", "a_new_field": {}
        });
        serde_json::from_str(&text.to_string()).unwrap()
    }

    #[test]
    fn a_body_has_texts_for_numbers_and_what_alpaca_calls_it() {
        let body = new_order(&order(Side::Short), "AAPL", "c").unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let expected = serde_json::json!({
            "symbol": "AAPL", "qty": "10", "side": "sell", "type": "limit", "time_in_force": "ioc", "limit_price": "187.5",
            "client_order_id": "c"
        });
        assert_eq!(
            body["limit_price"].as_str().map(|text| text.parse::<Decimal>().unwrap()),
            Some(Decimal::new(1875, 1))
        );
        let mut body = body;
        body["limit_price"] = "187.5".into();
        assert_eq!(body, expected);
    }

    #[test]
    fn a_report_has_the_side_and_type_that_were_ordered() {
        let orders = KnownOrders::default();
        let unknown = report(&wire("new", "0"), &orders).unwrap();
        assert_eq!((unknown.side, unknown.order_type, unknown.order_id), (Side::Buy, OrderType::Limit, None));
        orders.insert(&order(Side::Cover));
        let known = report(&wire("new", "0"), &orders).unwrap();
        assert_eq!((known.side, known.order_type), (Side::Cover, OrderType::MarketableLimit));
        assert_eq!(known.order_id.unwrap().as_str(), "o1");
        assert_eq!(known.timestamp.to_string(), "2026-11-20T20:00:00.123456789Z");
    }

    #[test]
    fn a_status_is_an_end_only_if_the_documents_say_so() {
        let cases = [
            ("accepted", "0", OrderState::Accepted),
            ("new", "3", OrderState::PartiallyFilled),
            ("partially_filled", "3", OrderState::PartiallyFilled),
            ("done_for_day", "3", OrderState::PartiallyFilled),
            ("calculated", "3", OrderState::PartiallyFilled),
            ("calculated", "10", OrderState::Filled),
            ("filled", "10", OrderState::Filled),
            ("canceled", "3", OrderState::Canceled),
            ("replaced", "0", OrderState::Canceled),
            ("expired", "0", OrderState::Expired),
            ("rejected", "0", OrderState::Rejected),
            ("pending_cancel", "3", OrderState::PendingCancel),
            ("on_holiday", "0", OrderState::Accepted),
        ];
        for (status, filled, state) in cases {
            let report = report(&wire(status, filled), &KnownOrders::default()).unwrap();
            assert_eq!(report.state, state, "{status}");
            assert_eq!(report.reason.as_deref() == Some("status on_holiday"), status == "on_holiday");
        }
    }

    #[test]
    fn a_fill_has_one_id_in_stream_and_history() {
        let account = AccountId::new("a").unwrap();
        let row = serde_json::json!({
            "id": "20261120150000123::x", "transaction_time": "2026-11-20T20:00:00.123Z", "price": "187.4", "qty": "3",
            "cum_qty": "3.0", "side": "buy", "symbol": "AAPL", "order_id": "v1"
        });
        let row: FillActivity = serde_json::from_str(&row.to_string()).unwrap();
        let told = of_activity(&row, None, &account).unwrap();
        let update = TradeUpdate {
            event: "partial_fill".into(),
            order: wire("partially_filled", "3"),
            timestamp: Some(row.transaction_time),
            execution_id: Some("e".into()),
            price: Some(row.price),
            qty: Some(row.qty),
        };
        let streamed = of_update(&update, &KnownOrders::default(), &account).unwrap();
        let id = |event: &BrokerEvent| match event {
            BrokerEvent::Fill { fill, cursor, .. } => (fill.fill_id.clone(), fill.timestamp, cursor.clone()),
            other => panic!("{other:?}"),
        };
        assert_eq!(id(&told), id(&streamed[0]));
        assert!(matches!(streamed[1], BrokerEvent::Order(_)));
    }

    #[test]
    fn cash_that_moved_is_named_and_what_moved_none_is_left_out() {
        let row = |kind: &str, amount: &str| {
            let row = serde_json::json!({
                "id": "1", "activity_type": kind, "date": "2026-11-20", "net_amount": amount, "symbol": ""
            });
            let row: CashActivity = serde_json::from_str(&row.to_string()).unwrap();
            of_cash(&row, Currency::USD).unwrap()
        };
        let cases = [
            ("CSD", "5", CashKind::Deposit),
            ("CSW", "-5", CashKind::Withdrawal),
            ("DIV", "5", CashKind::Dividend),
            ("DIVNRA", "-5", CashKind::Dividend),
            ("INT", "-5", CashKind::Interest),
            ("FEE", "-5", CashKind::Fee),
            ("JNLC", "5", CashKind::Other),
        ];
        for (kind, amount, expected) in cases {
            let Some(BrokerEvent::Cash { flow, .. }) = row(kind, amount) else { panic!("{kind}") };
            assert_eq!((flow.kind, flow.symbol), (expected, None), "{kind}");
        }
        assert_eq!(row("INT", "0"), None);
    }
}
