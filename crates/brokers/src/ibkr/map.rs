//! TWS's words and ours, both ways. Pure.

use super::book::{Book, Revised};
use super::contracts::{ContractFields, stand_in, symbol_of};
use super::wire::{WireExecution, WireFees, WireOrder};
use crate::kit::{Failure, KnownOrder, KnownOrders, cursor};
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus, OrderReport};
use mts_foundation::{
    AccountId, BrokerOrderId, Decimal, Fill, FillId, FundId, Order, OrderId, OrderState, OrderType, Position,
    Side, Symbol, Timestamp, VenueName,
};
use smol_str::{SmolStr, ToSmolStr, format_smolstr};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

/// Trades are told to the second.
const SECOND: Duration = Duration::from_secs(1);

fn unreadable(error: impl Display) -> Failure {
    Failure::unreadable(error.to_string())
}

/// What TWS calls a type.
pub(super) fn type_of(order_type: OrderType) -> &'static str {
    match order_type {
        OrderType::Market => "MKT",
        OrderType::Limit | OrderType::MarketableLimit => "LMT",
        OrderType::Stop => "STP",
        OrderType::StopLimit => "STP LMT",
    }
}

/// What TWS calls a direction; a short sale is a sale.
pub(super) fn action_of(side: Side) -> &'static str {
    if side.sign() > 0 { "BUY" } else { "SELL" }
}

/// Whether an order at the venue is the one that was meant.
pub(super) fn is_of(order: &Order, there: &WireOrder, order_ref: &str) -> bool {
    there.order_ref == order_ref
        && there.action == action_of(order.side)
        && there.order_type == type_of(order.order_type)
        && there.tif.eq_ignore_ascii_case(order.tif.as_str())
        // An order that has ended is told without its quantity.
        && (there.quantity.is_zero() || there.quantity == order.quantity.normalize())
        && there.limit_price.filter(|_| order.limit_price.is_some()) == order.limit_price.map(|price| price.normalize())
}

/// Where an order is in its life. A status that nobody has seen before is no end: the order may still fill.
pub(super) fn state(order: &WireOrder) -> OrderState {
    let working =
        if order.filled > Decimal::ZERO { OrderState::PartiallyFilled } else { OrderState::Accepted };
    match order.status.as_str() {
        "Filled" => OrderState::Filled,
        "Cancelled" | "ApiCancelled" if is_expiry(&order.reason) => OrderState::Expired,
        "Cancelled" | "ApiCancelled" | "Inactive" if is_refusal(&order.reason) => OrderState::Rejected,
        "Cancelled" | "ApiCancelled" => OrderState::Canceled,
        "PendingCancel" => OrderState::PendingCancel,
        "ApiPending" | "PendingSubmit" if order.filled.is_zero() => OrderState::Submitting,
        // Without a word why, an inactive order is held: it may go on.
        _ => working,
    }
}

/// Whether the words at an order's end are those of a refusal. Those of a cancellation begin so.
fn is_refusal(reason: &str) -> bool {
    !reason.is_empty()
        && !["Order Canceled", "Cancelled", "Canceled"].iter().any(|start| reason.starts_with(start))
}

fn is_expiry(reason: &str) -> bool {
    reason.to_ascii_lowercase().contains("expired")
}

/// Whether a status is one that the documents have.
fn is_known(status: &str) -> bool {
    matches!(
        status,
        "ApiPending"
            | "PendingSubmit"
            | "PendingCancel"
            | "PreSubmitted"
            | "Submitted"
            | "ApiCancelled"
            | "Cancelled"
            | "Filled"
            | "Inactive"
    )
}

/// The instrument of a contract: by its fields, by what was looked up, or a stand-in, so that nothing is left out.
pub(super) fn instrument(contract: &ContractFields, book: &Book) -> Result<Symbol, Failure> {
    let looked_up = || book.named(contract.con_id);
    symbol_of(contract).or_else(looked_up).or_else(|| stand_in(contract)).ok_or_else(|| {
        Failure::unreadable(format!("the instrument {} has no name", super::contracts::words(contract)))
    })
}

/// The id that an order has for us: TWS's, which it keeps whoever asks.
pub(super) fn venue_id(perm_id: i64) -> Result<BrokerOrderId, Failure> {
    match perm_id {
        0 => Err(Failure::unreadable("the order has no permId")),
        _ => BrokerOrderId::new(perm_id.to_string()).map_err(unreadable),
    }
}

/// TWS's number of an id of ours; `None` = it is none of TWS's.
pub(super) fn perm_id(id: &BrokerOrderId) -> Option<i64> {
    id.as_str().parse().ok().filter(|number| *number != 0)
}

/// What TWS says of an order.
pub(super) fn report(
    wire: &WireOrder,
    orders: &KnownOrders,
    book: &Book,
    now: Timestamp,
) -> Result<OrderReport, Failure> {
    let broker_order_id = venue_id(wire.perm_id)?;
    let known = orders.meet(&wire.order_ref, &broker_order_id);
    let side = match wire.action.as_str() {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        "SSHORT" => Side::Short,
        other => return Err(Failure::unreadable(format!("action is {other}, which mts does not know"))),
    };
    let told = match wire.order_type.as_str() {
        "MKT" => OrderType::Market,
        "STP" | "TRAIL" => OrderType::Stop,
        "STP LMT" | "TRAIL LIMIT" => OrderType::StopLimit,
        // Many more are worked like limits; only people enter those.
        _ => OrderType::Limit,
    };
    let reason = match (is_known(&wire.status), wire.reason.is_empty()) {
        (false, _) => Some(format_smolstr!("status {}", wire.status)),
        (true, false) => Some(wire.reason.clone()),
        (true, true) => None,
    };
    Ok(OrderReport {
        broker_order_id,
        side: side_of(side, known.as_ref()),
        symbol: instrument(&wire.contract, book)?,
        order_type: known.as_ref().map_or(told, |known| known.order_type),
        order_id: known.as_ref().map(|known| known.order_id.clone()),
        idempotency_key: known.map(|known| known.key),
        // An order that has ended, and one for an amount of money, is told without.
        quantity: if wire.quantity.is_zero() { wire.filled } else { wire.quantity },
        filled: wire.filled,
        average_price: wire.average_price.filter(|price| *price > Decimal::ZERO),
        state: state(wire),
        reason,
        timestamp: now,
    })
}

fn side_of(side: Side, known: Option<&KnownOrder>) -> Side {
    match known {
        Some(known) if known.side.sign() == side.sign() => known.side,
        _ => side,
    }
}

/// A trade's name, and how often it was corrected: `a.b.c.01` and `a.b.c.02` are one trade.
pub(super) fn trade_of(execution_id: &str) -> Result<(FillId, u32), Failure> {
    let (trade, revision) = match execution_id.rsplit_once('.') {
        Some((trade, last)) if trade.contains('.') => match last.parse() {
            Ok(revision) => (trade, revision),
            Err(_) => (execution_id, 1),
        },
        _ => (execution_id, 1),
    };
    FillId::new(trade).map(|id| (id, revision)).map_err(unreadable)
}

/// When something traded.
pub(super) fn time_of(execution: &WireExecution) -> Result<Timestamp, Failure> {
    execution.time.parse().map_err(unreadable)
}

/// What was paid, in the account's currency; `None` = not known yet.
fn paid(fees: Option<&WireFees>) -> Option<Decimal> {
    fees.and_then(|fees| fees.amount.checked_mul(fees.rate?)).map(|amount| amount.normalize())
}

/// The events that a trade is: the fill, and its correction where it is one. One that no fill can be, such as one for nothing
/// or at a price that cannot be read, is a gap, told once: it has changed what the account holds, whosever it is.
pub(super) fn of_execution(
    execution: &WireExecution,
    fees: Option<&WireFees>,
    (orders, book): (&KnownOrders, &Book),
    account: &AccountId,
    now: Timestamp,
) -> Vec<BrokerEvent> {
    // The legs of a combination are told one by one; the whole is no instrument.
    if execution.contract.sec_type == "BAG" || execution.account != account.as_str() {
        return Vec::new();
    }
    match fill_of(execution, fees, (orders, book), account) {
        Ok(events) => events,
        Err(_) if book.is_strange_already(&execution.id) => Vec::new(),
        Err(_) => {
            let time = time_of(execution).unwrap_or(now);
            vec![BrokerEvent::Gap { from: time, to: time.plus(SECOND), recoverable: false }]
        }
    }
}

fn fill_of(
    execution: &WireExecution,
    fees: Option<&WireFees>,
    (orders, book): (&KnownOrders, &Book),
    account: &AccountId,
) -> Result<Vec<BrokerEvent>, Failure> {
    if !execution.fault.is_empty() {
        return Err(Failure::unreadable(execution.fault.as_str()));
    }
    let (fill_id, revision) = trade_of(&execution.id)?;
    let venue_id = venue_id(execution.perm_id)?;
    let known = orders.meet(&execution.order_ref, &venue_id);
    let order_id = match &known {
        Some(known) => known.order_id.clone(),
        // Somebody else's order on the account: it is told, and belongs to none of ours.
        None => OrderId::new(format!("ibkr:{venue_id}")).map_err(unreadable)?,
    };
    let time = time_of(execution)?;
    let paid = paid(fees);
    let mut raw = BTreeMap::from_iter([
        (SmolStr::new_static("execution_id"), execution.id.clone()),
        (SmolStr::new_static("order_id"), venue_id.as_str().to_smolstr()),
        (SmolStr::new_static("exchange"), execution.exchange.clone()),
    ]);
    if let Some(fees) = fees.filter(|fees| fees.rate != Some(Decimal::ONE)) {
        raw.insert(SmolStr::new_static("commission"), format_smolstr!("{} {}", fees.amount, fees.currency));
    }
    let fill = Fill {
        fill_id: fill_id.clone(),
        order_id,
        symbol: instrument(&execution.contract, book)?,
        side: side_of(if execution.bought { Side::Buy } else { Side::Sell }, known.as_ref()),
        quantity: execution.quantity,
        price: execution.price,
        fees: paid.unwrap_or_default(),
        venue: VenueName::new("ibkr").map_err(unreadable)?,
        timestamp: time,
        raw,
    };
    let fill = fill.checked().map_err(unreadable)?;
    let status = if paid.is_some() { FeeStatus::Known } else { FeeStatus::Pending };
    let cursor = cursor(time)?;
    // Only what moves the stream's place: a gap does not.
    book.has_traded(time);
    let first = |fill: Fill| BrokerEvent::Fill {
        account: account.clone(),
        cursor: cursor.clone(),
        fill,
        fees: status,
    };
    let correction = |fill: Fill| BrokerEvent::Corrected {
        account: account.clone(),
        cursor: cursor.clone(),
        fill_id: fill_id.clone(),
        fill,
    };
    let events = match book.revise(&fill_id, revision) {
        Revised::New => vec![first(fill)],
        Revised::Same if paid.is_some() && book.settles(&fill_id).is_some() => {
            vec![first(fill), fees_known(account, &fill_id, paid.unwrap_or_default(), &cursor)]
        }
        Revised::Same => vec![first(fill)],
        // A process before this one may have told it: whoever has it keeps it and takes the correction.
        Revised::Perhaps => vec![first(fill.clone()), correction(fill)],
        Revised::Corrected => vec![correction(fill)],
        Revised::Outdated => Vec::new(),
    };
    if paid.is_none() {
        book.owes(&fill_id, time);
    }
    Ok(events)
}

fn fees_known(account: &AccountId, fill_id: &FillId, fees: Decimal, cursor: &Cursor) -> BrokerEvent {
    BrokerEvent::FeesKnown {
        account: account.clone(),
        fill_id: fill_id.clone(),
        fees,
        cursor: cursor.clone(),
    }
}

/// What a trade has cost that was told without; `None` = it was told with it, or was never told.
pub(super) fn of_fees(
    fees: &WireFees,
    book: &Book,
    account: &AccountId,
) -> Result<Option<BrokerEvent>, Failure> {
    let (fill_id, _) = trade_of(&fees.id)?;
    let Some(paid) = paid(Some(fees)) else { return Ok(None) };
    let Some(time) = book.settles(&fill_id) else { return Ok(None) };
    Ok(Some(fees_known(account, &fill_id, paid, &cursor(time)?)))
}

/// A holding.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Held {
    pub(super) contract: ContractFields,
    pub(super) quantity: Decimal,
    /// Of all units, with what was paid to buy them.
    pub(super) average_cost: Decimal,
}

/// A position of the account. TWS tells what was paid and no price.
pub(super) fn position(
    held: &Held,
    owner: &FundId,
    book: &Book,
    now: Timestamp,
) -> Result<Position, Failure> {
    let units = Some(held.contract.multiplier).filter(|units| *units > Decimal::ZERO).unwrap_or(Decimal::ONE);
    let paid = held.average_cost.checked_div(units).unwrap_or_default();
    let value = held.average_cost.checked_mul(held.quantity);
    Ok(Position {
        fund_id: owner.clone(),
        symbol: instrument(&held.contract, book)?,
        quantity: held.quantity,
        avg_price: paid,
        last_price: paid,
        market_value_usd: value.ok_or_else(|| Failure::unreadable("a position beyond all reason"))?,
        unrealized_pl_usd: Decimal::ZERO,
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

    fn share() -> ContractFields {
        ContractFields {
            sec_type: "STK".into(),
            symbol: "AAPL".into(),
            currency: "USD".into(),
            exchange: "IEX".into(),
            con_id: 265_598,
            ..ContractFields::default()
        }
    }

    fn order(side: Side) -> Order {
        let order = Order::builder().order_id("o1").idempotency_key("k1").symbol("AAPL").side(side);
        let order = order.quantity(Decimal::from(10)).order_type(OrderType::MarketableLimit);
        let order = order.limit_price(Decimal::new(18_750, 2)).tif(TimeInForce::Ioc);
        let time = Timestamp::from_millis(1_700_000_000_000);
        order.fund_id("f").strategy_id("s").broker("ibkr").actor("s").created_at(time).build().unwrap()
    }

    fn wire(status: &str, filled: i64) -> WireOrder {
        WireOrder {
            order_id: 3,
            perm_id: 1_801_711_873,
            order_ref: client_id(&order(Side::Cover).idempotency_key),
            contract: share(),
            action: "BUY".into(),
            quantity: Decimal::TEN,
            order_type: "LMT".into(),
            limit_price: Some(Decimal::new(1_875, 1)),
            tif: "IOC".into(),
            status: status.into(),
            filled: filled.into(),
            ..WireOrder::default()
        }
    }

    fn execution(id: &str, price: i64) -> WireExecution {
        WireExecution {
            id: id.into(),
            order_id: 3,
            perm_id: 1_801_711_873,
            order_ref: client_id(&order(Side::Cover).idempotency_key),
            account: "DU1".into(),
            contract: share(),
            bought: true,
            quantity: Decimal::from(4),
            price: price.into(),
            cumulative: Decimal::from(4),
            exchange: "IEX".into(),
            time: "2026-11-20T20:00:00Z".into(),
            ..WireExecution::default()
        }
    }

    #[test]
    fn a_status_is_an_end_only_if_the_documents_say_so() {
        let cases = [
            ("ApiPending", 0, "", OrderState::Submitting),
            ("PendingSubmit", 0, "", OrderState::Submitting),
            ("PendingSubmit", 3, "", OrderState::PartiallyFilled),
            ("PreSubmitted", 0, "", OrderState::Accepted),
            ("Submitted", 0, "", OrderState::Accepted),
            ("Submitted", 3, "", OrderState::PartiallyFilled),
            ("PendingCancel", 3, "", OrderState::PendingCancel),
            ("Cancelled", 3, "", OrderState::Canceled),
            ("Cancelled", 0, "Order Canceled - reason: (202)", OrderState::Canceled),
            ("Cancelled", 0, "no margin (201)", OrderState::Rejected),
            ("Cancelled", 0, "Order has expired", OrderState::Expired),
            ("ApiCancelled", 0, "", OrderState::Canceled),
            ("Filled", 10, "", OrderState::Filled),
            ("Inactive", 0, "", OrderState::Accepted),
            ("Inactive", 0, "no margin (201)", OrderState::Rejected),
            ("OnHoliday", 0, "", OrderState::Accepted),
        ];
        for (status, filled, reason, expected) in cases {
            let order = WireOrder { reason: reason.into(), ..wire(status, filled) };
            assert_eq!(state(&order), expected, "{status} {reason}");
        }
        let (orders, book) = (KnownOrders::default(), Book::of_client(1));
        let strange = report(&wire("OnHoliday", 0), &orders, &book, Timestamp::EPOCH).unwrap();
        assert_eq!(strange.reason.as_deref(), Some("status OnHoliday"));
    }

    #[test]
    fn a_report_has_the_side_and_type_that_were_ordered() {
        let (orders, book) = (KnownOrders::default(), Book::of_client(1));
        let told =
            |orders: &KnownOrders| report(&wire("Submitted", 0), orders, &book, Timestamp::EPOCH).unwrap();
        let unknown = told(&orders);
        assert_eq!((unknown.side, unknown.order_type, unknown.order_id), (Side::Buy, OrderType::Limit, None));
        orders.insert(&order(Side::Cover));
        let known = told(&orders);
        assert_eq!((known.side, known.order_type), (Side::Cover, OrderType::MarketableLimit));
        assert_eq!((known.order_id.unwrap().as_str(), known.symbol.as_str()), ("o1", "AAPL"));
        assert_eq!(known.broker_order_id.as_str(), "1801711873");
    }

    #[test]
    fn another_order_under_the_same_name_is_seen() {
        let key = client_id(&order(Side::Cover).idempotency_key);
        let same = |change: fn(&mut WireOrder)| {
            let mut there = wire("Submitted", 0);
            change(&mut there);
            is_of(&order(Side::Cover), &there, &key)
        };
        assert!(same(|_| ()));
        assert!(same(|there| there.quantity = Decimal::ZERO), "an order that ended");
        let changes: [fn(&mut WireOrder); 6] = [
            |there| there.action = "SELL".into(),
            |there| there.quantity = Decimal::ONE,
            |there| there.order_type = "MKT".into(),
            |there| there.limit_price = Some(Decimal::ONE),
            |there| there.tif = "GTC".into(),
            |there| there.order_ref = "other".into(),
        ];
        assert!(changes.into_iter().all(|change| !same(change)));
    }

    #[test]
    fn corrections_of_a_trade_have_its_name() {
        for (id, trade, revision) in [
            ("0000e0d5.6554dac6.01.01", "0000e0d5.6554dac6.01", 1),
            ("0000e0d5.6554dac6.01.02", "0000e0d5.6554dac6.01", 2),
            ("strange", "strange", 1),
            ("a.b.c.d", "a.b.c.d", 1),
        ] {
            let (name, count) = trade_of(id).unwrap();
            assert_eq!((name.as_str(), count), (trade, revision));
        }
        assert!(trade_of("").is_err());
    }

    #[test]
    fn a_trade_is_a_fill_and_then_its_correction_and_pays_once() {
        let (orders, book) = (KnownOrders::default(), Book::of_client(1));
        orders.insert(&order(Side::Cover));
        let account = AccountId::new("DU1").unwrap();
        let fees = |rate| WireFees {
            id: "a.b.01.01".into(),
            amount: Decimal::new(15, 1),
            currency: "EUR".into(),
            rate,
        };
        let told = |execution: &WireExecution, fees: Option<&WireFees>| {
            of_execution(execution, fees, (&orders, &book), &account, Timestamp::EPOCH)
        };
        let first = told(&execution("a.b.01.01", 99), Some(&fees(None)));
        let [BrokerEvent::Fill { fill, fees: FeeStatus::Pending, .. }] = first.as_slice() else {
            panic!("{first:?}")
        };
        assert_eq!((fill.order_id.as_str(), fill.side, fill.fees), ("o1", Side::Cover, Decimal::ZERO));
        assert_eq!(fill.raw.get("commission").map(SmolStr::as_str), Some("1.5 EUR"));
        let late = of_fees(&fees(Some(Decimal::TWO)), &book, &account).unwrap();
        let Some(BrokerEvent::FeesKnown { fill_id, fees: paid, .. }) = late else { panic!("{late:?}") };
        assert_eq!((fill_id.as_str(), paid), ("a.b.01", Decimal::from(3)));
        assert_eq!(of_fees(&fees(Some(Decimal::TWO)), &book, &account).unwrap(), None);
        let corrected = told(&execution("a.b.01.02", 98), Some(&fees(Some(Decimal::ONE))));
        assert!(
            matches!(corrected.as_slice(), [BrokerEvent::Corrected { fill, .. }] if fill.price == Decimal::from(98))
        );
        assert_eq!(told(&execution("a.b.01.01", 99), None), []);
        // Of another account, and the whole of a combination.
        let other = WireExecution { account: "DU2".into(), ..execution("c.d.01.01", 1) };
        assert_eq!(told(&other, None), []);
        let mut whole = execution("e.f.01.01", 1);
        whole.contract.sec_type = "BAG".into();
        assert_eq!(told(&whole, None), []);
    }

    #[test]
    fn a_trade_that_no_fill_can_be_is_a_gap_once() {
        let (orders, book) = (KnownOrders::default(), Book::of_client(1));
        orders.insert(&order(Side::Cover));
        let account = AccountId::new("DU1").unwrap();
        let now = Timestamp::from_millis(1_800_000_000_000);
        let told = |execution: &WireExecution| of_execution(execution, None, (&orders, &book), &account, now);
        let time: Timestamp = execution("", 0).time.parse().unwrap();
        let gap =
            |from: Timestamp| vec![BrokerEvent::Gap { from, to: from.plus(SECOND), recoverable: false }];
        let faulty = |id: &str, fault: &str, time: Option<&str>| {
            let it = execution(id, 1);
            WireExecution { fault: fault.into(), time: time.map_or(it.time.clone(), Into::into), ..it }
        };
        let mut cases = vec![
            (execution("a.a.01.01", 0), time),
            (execution("a.b.01.01", -2), time),
            (faulty("a.c.01.01", "price is 1e308", None), time),
            (faulty("a.d.01.01", "no instant", Some("")), now),
            (WireExecution { perm_id: 0, ..execution("a.e.01.01", 1) }, time),
        ];
        // Of somebody else, on the same account.
        let theirs = |(ours, from): &(WireExecution, Timestamp)| {
            let (id, order_ref) = (format_smolstr!("b.{}", ours.id), "theirs".into());
            (WireExecution { id, order_ref, client_id: 2, ..ours.clone() }, *from)
        };
        cases.extend(cases.iter().map(theirs).collect::<Vec<_>>());
        for (case, from) in cases {
            assert_eq!(told(&case), gap(from), "{case:?}");
            assert_eq!(told(&case), [], "it was told");
        }
        assert!(matches!(told(&execution("a.g.01.01", 1)).as_slice(), [BrokerEvent::Fill { .. }]));
    }

    #[test]
    fn a_position_is_what_was_paid_for_it() {
        let held = Held {
            contract: ContractFields { multiplier: Decimal::ONE_HUNDRED, ..share() },
            quantity: Decimal::from(-2),
            average_cost: Decimal::from(150),
        };
        let position =
            position(&held, &FundId::new("ibkr").unwrap(), &Book::of_client(1), Timestamp::EPOCH).unwrap();
        assert_eq!(
            (position.avg_price, position.market_value_usd),
            (Decimal::new(15, 1), Decimal::from(-300))
        );
    }
}
