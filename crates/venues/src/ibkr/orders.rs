//! Orders: what the venue takes, changes and cancels, and its answers.

use super::account::Means;
use super::book::Book;
use super::contracts::{Instrument, Kind, find};
use super::message::Said;
use super::proto::{Contract, OpenOrder, Order, OrderState};
use super::read::{float, price, text};
use super::render::{CANCELS, both, contract_of, error, order_of, order_status, owner, status, words};
use super::requests::PlaceOrderRequest;
use crate::desk::{Desk, Refusal, Row, State, Wanted};
use mts_foundation::broker::OrderChange;
use mts_foundation::num::{self, is_multiple};
use mts_foundation::{BrokerOrderId, Decimal, OrderType, TimeInForce};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// A refusal in the venue's words: its code and what it says.
struct Refused(i32, String);

fn refused<T>(code: i32, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(code, message.into()))
}

fn rejected<T>(reason: impl std::fmt::Display) -> Result<T, Refused> {
    refused(201, format!("Order rejected - reason:{reason}"))
}

/// What is said, and whether it waits for what follows from it.
pub(super) type Answer = (Vec<Said>, bool);

/// An order of a client, or a change of one of its.
pub(super) fn place(desk: &mut Desk, book: &mut Book, client: i32, asked: &PlaceOrderRequest) -> Answer {
    let id = asked.order_id.unwrap_or_default();
    match try_place(desk, book, client, id, asked) {
        Ok(answer) => answer,
        Err(Refused(code, message)) => (vec![error(id, code, message, desk)], false),
    }
}

fn try_place(
    desk: &mut Desk,
    book: &mut Book,
    client: i32,
    id: i32,
    asked: &PlaceOrderRequest,
) -> Result<Answer, Refused> {
    let (contract, order) =
        (asked.contract.clone().unwrap_or_default(), asked.order.clone().unwrap_or_default());
    let Some(instrument) = find(desk, &contract) else {
        return refused(200, "No security definition has been found for the request");
    };
    let account = order.account.as_deref().unwrap_or_default();
    if !account.is_empty() && account != book.account() {
        return refused(435, "You must specify an account.");
    }
    let (wanted, warning) = read(client, id, &instrument, &contract, &order)?;
    let known = book.order(client, id).and_then(|known| desk.order(known.as_str())).cloned();
    if let Some(known) = known {
        return change(desk, book, &known, &wanted);
    }
    if id <= book.last_id(client) {
        return refused(103, "Duplicate order id");
    }
    if order.what_if == Some(true) {
        return Ok((what_if(desk, book, &wanted), false));
    }
    afford(desk, &wanted, &instrument)?;
    // Ids of orders that were refused are used up as well.
    book.use_id(client, id);
    let placed = match desk.place(wanted) {
        Ok(placed) => placed,
        Err(Refusal::Full) => return rejected(Refusal::Full),
        Err(Refusal::Exchange(reason)) => return rejected(reason),
    };
    book.add(client, id, placed.row.id.clone());
    let mut said: Vec<Said> =
        warning.map(|(code, message)| error(id, code, message, desk)).into_iter().collect();
    said.extend(both(desk, &placed.row, book.account(), "PreSubmitted"));
    if status(&placed.row) == "Submitted" {
        said.extend(both(desk, &placed.row, book.account(), "Submitted"));
    }
    Ok((said, placed.answer_waits))
}

/// What the order would cost, and nothing else.
fn what_if(desk: &Desk, book: &Book, wanted: &Wanted) -> Vec<Said> {
    let before = Means::of(desk).available;
    let cost =
        wanted.quantity.saturating_mul(desk.worth_of(wanted)).saturating_mul(desk.multiplier(&wanted.symbol));
    let margin = |value: Decimal| Some(float(value));
    let state = OrderState {
        status: Some("PreSubmitted".to_owned()),
        init_margin_before: margin(before),
        init_margin_change: margin(cost),
        init_margin_after: margin(before.saturating_sub(cost)),
        commission_and_fees_currency: Some(super::account::CURRENCY.to_owned()),
        ..OrderState::default()
    };
    let order = Order { what_if: Some(true), ..order_of(wanted, None, book.account()) };
    let order_id = order.order_id;
    let contract = contract_of(desk, wanted);
    vec![Said::OpenOrder(Box::new(OpenOrder {
        order_id,
        contract,
        order: Some(order),
        order_state: Some(state),
    }))]
}

type Warning = Option<(i32, &'static str)>;

/// The order that a client wants, by the rules of types, times in force, steps and hours.
fn read(
    client: i32,
    id: i32,
    instrument: &Instrument,
    contract: &Contract,
    order: &Order,
) -> Result<(Wanted, Warning), Refused> {
    let word = |field: &Option<String>| field.clone().unwrap_or_default();
    let buys = match word(&order.action).as_str() {
        "BUY" => true,
        "SELL" => false,
        action => {
            return refused(
                321,
                format!("Error validating request.-'b' : cause - Invalid action {action:?}"),
            );
        }
    };
    let Ok(quantity) = num::parse(&word(&order.total_quantity)) else {
        return refused(321, "Error validating request.-'b' : cause - Invalid size");
    };
    if quantity <= Decimal::ZERO {
        return refused(434, "The order size cannot be zero.");
    }
    if !is_multiple(quantity, instrument.kind.lot()) {
        return refused(10_243, "Fractional-sized order cannot be placed via API. Please refer to FAQ.");
    }
    let order_type = match word(&order.order_type).as_str() {
        "MKT" => OrderType::Market,
        "LMT" => OrderType::Limit,
        "STP" => OrderType::Stop,
        "STP LMT" => OrderType::StopLimit,
        _ => return refused(387, "Unsupported order type for this exchange and security type."),
    };
    let tif = match word(&order.tif).as_str() {
        "" | "DAY" => TimeInForce::Day,
        "GTC" => TimeInForce::Gtc,
        "IOC" => TimeInForce::Ioc,
        "FOK" => TimeInForce::Fok,
        "OPG" => TimeInForce::Opg,
        tif => return rejected(format_args!("The time-in-force {tif} is not done by this double")),
    };
    let waits = matches!(order_type, OrderType::Stop | OrderType::StopLimit);
    if (waits && !matches!(tif, TimeInForce::Day | TimeInForce::Gtc))
        || (tif == TimeInForce::Opg && instrument.kind != Kind::Stock)
    {
        let tif = tif.as_str().to_ascii_uppercase();
        return rejected(format_args!(
            "The time-in-force {tif} is invalid for this combination of exchange and type"
        ));
    }
    for (field, set) in [
        ("a parent order", order.parent_id.unwrap_or_default() != 0),
        (
            "a group of orders that reduce each other",
            !word(&order.oca_group).is_empty() && order.oca_type != Some(CANCELS),
        ),
        ("an order that is not transmitted", order.transmit == Some(false)),
        ("a quantity of money", price(order.cash_qty).is_some()),
    ] {
        if set {
            return rejected(format_args!("{field} is not done by this double"));
        }
    }
    let limit_price = if order_type.takes_limit_price() { price(order.lmt_price) } else { None };
    let stop_price = if order_type.takes_stop_price() { price(order.aux_price) } else { None };
    if limit_price.is_none() && order_type.takes_limit_price()
        || stop_price.is_none() && order_type.takes_stop_price()
    {
        return refused(321, "Error validating request.-'b' : cause - Invalid price");
    }
    let prices = [limit_price, stop_price].into_iter().flatten();
    if prices.into_iter().any(|price| !is_multiple(price, instrument.kind.tick(price))) {
        return refused(110, "The price does not conform to the minimum price variation for this contract.");
    }
    let outside = order.outside_rth == Some(true);
    let ignored = outside && order_type == OrderType::Market;
    let warning = ignored.then_some((
        2_109,
        "Order Event Warning: Attribute 'Outside Regular Trading Hours' is ignored based on the order type and destination. PlaceOrder is now being processed.",
    ));
    let mut words = BTreeMap::from([(words::CLIENT, client.to_string()), (words::ORDER, id.to_string())]);
    for (name, value) in [
        (words::EXCHANGE, &contract.exchange),
        (words::OPEN_CLOSE, &order.open_close),
        (words::GROUP, &order.oca_group),
    ] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            words.insert(name, value.clone());
        }
    }
    let wanted = Wanted {
        client_id: order.order_ref.as_deref().filter(|text| !text.is_empty()).map(SmolStr::new),
        symbol: instrument.symbol.clone(),
        buys,
        order_type,
        tif,
        quantity,
        limit_price,
        stop_price,
        extended_hours: outside && !ignored,
        expires: None,
        words,
    };
    Ok((wanted, warning))
}

/// How much of an order opens a position, given what is held.
fn opens(held: Decimal, buys: bool, quantity: Decimal) -> Decimal {
    let closes = if buys { (-held).max(Decimal::ZERO) } else { held.max(Decimal::ZERO) };
    (quantity - closes).max(Decimal::ZERO)
}

/// Whether the funds cover what an order opens, with what the working ones open.
fn afford(desk: &Desk, wanted: &Wanted, instrument: &Instrument) -> Result<(), Refused> {
    let margin = |wanted: &Wanted, quantity: Decimal| {
        let units = opens(desk.position(&wanted.symbol), wanted.buys, quantity);
        units.saturating_mul(desk.worth_of(wanted)).saturating_mul(desk.multiplier(&wanted.symbol))
    };
    let needs = margin(wanted, wanted.quantity);
    if needs.is_zero() {
        return Ok(());
    }
    if !wanted.buys && instrument.kind == Kind::Crypto {
        return rejected("Short sales of cryptocurrency are not allowed");
    }
    let reserved: Decimal = desk.working().map(|row| margin(&row.wanted, row.remaining())).sum();
    let available = Means::of(desk).available;
    if available < needs.saturating_add(reserved) {
        return rejected(format_args!(
            "Available funds of {} USD do not cover an initial margin of {} USD",
            text(available),
            text(needs.saturating_add(reserved))
        ));
    }
    Ok(())
}

/// A change of a client's order: the same id once more, with other numbers.
fn change(desk: &mut Desk, book: &Book, known: &Row, wanted: &Wanted) -> Result<Answer, Refused> {
    if known.state == State::Filled {
        return refused(104, "Cannot modify a filled order.");
    }
    if !known.state.works() {
        return refused(103, "Duplicate order id");
    }
    let is = &known.wanted;
    let same = is.symbol == wanted.symbol
        && is.buys == wanted.buys
        && is.order_type == wanted.order_type
        && is.tif == wanted.tif;
    if !same {
        return refused(105, "Order being modified does not match original order");
    }
    let change = OrderChange {
        quantity: Some(wanted.quantity),
        limit_price: wanted.limit_price,
        stop_price: wanted.stop_price,
    };
    let nothing = (is.quantity, is.limit_price, is.stop_price)
        == (wanted.quantity, wanted.limit_price, wanted.stop_price);
    if wanted.quantity <= known.filled {
        return rejected("The new quantity is filled already");
    }
    // As it is before it meets the market anew.
    let mut row = known.clone();
    row.wanted.quantity = wanted.quantity;
    (row.wanted.limit_price, row.wanted.stop_price) = (wanted.limit_price, wanted.stop_price);
    if !nothing {
        match desk.amend(&known.id, &change) {
            Ok(()) => {}
            Err(Refusal::Full) => return rejected(Refusal::Full),
            Err(Refusal::Exchange(reason)) => return rejected(reason),
        }
    }
    Ok((both(desk, &row, book.account(), status(&row)), false))
}

/// A client's request to cancel one of its orders.
pub(super) fn cancel(desk: &mut Desk, book: &Book, client: i32, id: i32) -> Vec<Said> {
    let known = book.order(client, id).and_then(|known| desk.order(known.as_str())).cloned();
    let Some(known) = known else {
        let message = format!("OrderId {id} that needs to be cancelled is not found.");
        return vec![error(id, 10_147, message, desk)];
    };
    if !desk.cancel(&known.id) {
        let message = format!(
            "OrderId {id} that needs to be cancelled can not be cancelled, state: {}.",
            status(&known)
        );
        return vec![error(id, 10_148, message, desk)];
    }
    vec![order_status(&known, "PendingCancel")]
}

/// Cancels whatever works.
pub(super) fn cancel_all(desk: &mut Desk, client: i32) -> Vec<Said> {
    let working: Vec<Row> = desk.working().cloned().collect();
    let mut said = Vec::new();
    for row in working {
        if desk.cancel(&row.id) && owner(&row).0 == client {
            said.push(order_status(&row, "PendingCancel"));
        }
    }
    said
}

/// Cancels the other orders of a group of which one has filled; whether there are any.
pub(super) fn cancel_group(desk: &mut Desk, filled: &Row) -> bool {
    let Some(group) = filled.wanted.words.get(words::GROUP) else { return false };
    let client = owner(filled).0;
    let others: Vec<BrokerOrderId> = desk
        .working()
        .filter(|row| row.number != filled.number && owner(row).0 == client)
        .filter(|row| row.wanted.words.get(words::GROUP) == Some(group))
        .map(|row| row.id.clone())
        .collect();
    others.iter().filter(|id| desk.cancel(id)).count() > 0
}
