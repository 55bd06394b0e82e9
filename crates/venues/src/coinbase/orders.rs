//! Orders: what the venue takes, and its answers. A refusal of an order is an answer with status 200.

use super::products::{Product, base_increment, base_max, by_id, many, price_increment, taker_fee};
use super::render::{configuration, order, status};
use super::{invalid, not_found};
use crate::desk::{Desk, Refusal, Row, State, Wanted};
use crate::dialect::{Answer, Request, number};
use mts_foundation::broker::OrderChange;
use mts_foundation::num::{self, floor_to_lot, is_multiple};
use mts_foundation::{Decimal, OrderType, TimeInForce, Timestamp};
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Rows of a list where no number is asked for, and most.
const PAGE: usize = 100;
const MAX_PAGE: usize = 1_000;

/// Most cancellations of one request.
const MAX_CANCELS: usize = 100;

/// The kinds of orders, by the name of their configuration.
pub(super) const KINDS: &[(&str, OrderType, TimeInForce)] = &[
    ("market_market_ioc", OrderType::Market, TimeInForce::Ioc),
    ("limit_limit_gtc", OrderType::Limit, TimeInForce::Gtc),
    ("limit_limit_gtd", OrderType::Limit, TimeInForce::Day),
    ("limit_limit_fok", OrderType::Limit, TimeInForce::Fok),
    ("sor_limit_ioc", OrderType::Limit, TimeInForce::Ioc),
    ("stop_limit_stop_limit_gtc", OrderType::StopLimit, TimeInForce::Gtc),
    ("stop_limit_stop_limit_gtd", OrderType::StopLimit, TimeInForce::Day),
];

/// Why an order is not taken.
struct Refused {
    reason: &'static str,
    message: String,
}

fn refused(reason: &'static str, message: impl Into<String>) -> Refused {
    Refused { reason, message: message.into() }
}

/// An order that can be taken.
struct Asked {
    wanted: Wanted,
    product: Product,
}

/// A body that is no order at all, or one that is refused.
enum Wrong {
    Request(Answer),
    Order(Refused),
}

impl From<Refused> for Wrong {
    fn from(refused: Refused) -> Self {
        Self::Order(refused)
    }
}

pub(super) fn submit(desk: &mut Desk, request: &Request, refuses_duplicates: bool) -> Answer {
    let Some(body) = request.json().filter(Value::is_object) else { return invalid("invalid request body") };
    let Some(client_id) = body.get("client_order_id").and_then(Value::as_str).filter(|id| !id.is_empty())
    else {
        return invalid("client_order_id is required");
    };
    if let Some(row) = desk.by_client_id(client_id) {
        return if refuses_duplicates {
            let reason = "DUPLICATE_CLIENT_ORDER_ID";
            refusal(&body, &refused(reason, "An order with this client order id exists already"))
        } else {
            // The order of that id, whatever is asked for now.
            taken(desk, row)
        };
    }
    let asked = match read(desk, &body, Some(client_id)) {
        Ok(asked) => asked,
        Err(Wrong::Request(answer)) => return answer,
        Err(Wrong::Order(why)) => return refusal(&body, &why),
    };
    match desk.place(asked.wanted) {
        Ok(placed) => Answer { waits: placed.answer_waits, ..taken(desk, &placed.row) },
        Err(Refusal::Full) => refusal(&body, &refused("ORDER_ENTRY_DISABLED", Refusal::Full.to_string())),
        Err(Refusal::Exchange(reason)) => refusal(&body, &refused("COMMANDER_REJECTED_NEW_ORDER", reason)),
    }
}

fn taken(desk: &Desk, row: &Row) -> Answer {
    let product = super::products::product(desk, &row.wanted.symbol).map(|product| product.id);
    let body = json!({
        "success": true, "failure_reason": "UNKNOWN_FAILURE_REASON", "order_id": row.id,
        "success_response": {
            "order_id": row.id, "product_id": product, "side": if row.wanted.buys { "BUY" } else { "SELL" },
            "client_order_id": row.wanted.client_id,
        },
        "order_configuration": configuration(&row.wanted),
    });
    Answer::json(200, &body)
}

fn refusal(body: &Value, why: &Refused) -> Answer {
    let answer = json!({
        "success": false, "failure_reason": "UNKNOWN_FAILURE_REASON", "order_id": "",
        "error_response": {
            "error": why.reason, "message": why.message, "error_details": "",
            "preview_failure_reason": format!("PREVIEW_{}", why.reason),
            "new_order_failure_reason": why.reason,
        },
        "order_configuration": body.get("order_configuration"),
    });
    Answer::json(200, &answer)
}

/// A number above zero in a text; the venue takes no JSON numbers.
fn positive(object: &Value, field: &str) -> Result<Option<Decimal>, Wrong> {
    let wrong = |what: &str| Wrong::Request(invalid(format!("{field} {what}")));
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => match num::parse(text) {
            Ok(value) if value > Decimal::ZERO => Ok(Some(value.normalize())),
            _ => Err(wrong("must be a positive number")),
        },
        Some(_) => Err(wrong("must be a string")),
    }
}

fn read(desk: &Desk, body: &Value, client_id: Option<&str>) -> Result<Asked, Wrong> {
    let text = |object: &Value, field: &str| object.get(field).and_then(Value::as_str).map(str::to_owned);
    let request = |message: &str| Wrong::Request(invalid(message));
    let id = text(body, "product_id").ok_or_else(|| request("product_id is required"))?;
    let product =
        by_id(desk, &id).ok_or_else(|| refused("INVALID_PRODUCT_ID", format!("no product {id}")))?;
    let buys = match text(body, "side").as_deref() {
        Some("BUY") => true,
        Some("SELL") => false,
        _ => return Err(refused("INVALID_SIDE", "side must be BUY or SELL").into()),
    };
    let configurations = body.get("order_configuration").and_then(Value::as_object);
    let configurations = configurations.ok_or_else(|| request("order_configuration is required"))?;
    let mut entries = configurations.iter().filter(|(_, terms)| !terms.is_null());
    let (Some((kind, terms)), None) = (entries.next(), entries.next()) else {
        return Err(request("order_configuration must have one entry"));
    };
    let known = KINDS.iter().find(|(name, ..)| name == kind);
    let (kind, order_type, tif) = known.copied().ok_or_else(|| {
        refused("UNSUPPORTED_ORDER_CONFIGURATION", format!("{kind} is not done by this double"))
    })?;
    let mut words = BTreeMap::from([("configuration", kind.to_owned())]);
    let post_only = terms.get("post_only").and_then(Value::as_bool).unwrap_or(false);
    if kind.starts_with("limit_limit_gt") {
        words.insert("post_only", post_only.to_string());
    }
    for field in ["stop_direction", "end_time"] {
        if let Some(value) = text(terms, field) {
            words.insert(field, value);
        }
    }
    let limit_price = positive(terms, "limit_price")?;
    let stop_price = positive(terms, "stop_price")?;
    let quantity = match (positive(terms, "base_size")?, positive(terms, "quote_size")?) {
        (Some(size), None) => size,
        (None, Some(value)) if order_type == OrderType::Market => {
            let price = desk.meets(&product.symbol, buys).ok_or_else(|| no_liquidity(&product))?;
            words.insert("quote_size", number(value));
            floor_to_lot(value.checked_div(price).unwrap_or_default(), base_increment())
        }
        _ => return Err(request("one of base_size and quote_size is required")),
    };
    let expires = match (tif, words.get("end_time")) {
        (TimeInForce::Day, Some(end)) => {
            let end: Timestamp = end.parse().map_err(|_| request("end_time must be an instant"))?;
            Some(end)
        }
        (TimeInForce::Day, None) => return Err(request("end_time is required")),
        _ => None,
    };
    let wanted = Wanted {
        client_id: client_id.map(SmolStr::new),
        symbol: product.symbol.clone(),
        buys,
        order_type,
        tif,
        quantity,
        limit_price,
        stop_price,
        extended_hours: false,
        expires,
        words,
    };
    check(desk, &product, &wanted, post_only)?;
    afford(desk, &product, &wanted)?;
    Ok(Asked { wanted, product })
}

fn no_liquidity(product: &Product) -> Refused {
    refused("INVALID_NO_LIQUIDITY", format!("no price of {} is known to this double", product.id))
}

/// The rules of sizes, prices, stops and ends.
fn check(desk: &Desk, product: &Product, wanted: &Wanted, post_only: bool) -> Result<(), Wrong> {
    let Wanted { order_type, quantity, buys, .. } = wanted;
    let prices = [
        ("limit_price", wanted.limit_price, order_type.takes_limit_price()),
        ("stop_price", wanted.stop_price, order_type.takes_stop_price()),
    ];
    for (field, price, taken) in prices {
        match (price, taken) {
            (None, true) => return Err(Wrong::Request(invalid(format!("{field} is required")))),
            (Some(price), true) if !is_multiple(price, price_increment()) => {
                return Err(refused("INVALID_PRICE_PRECISION", format!("{field} has too many places")).into());
            }
            _ => {}
        }
    }
    if quantity.is_zero() {
        return Err(refused("INVALID_BASE_SIZE_TOO_SMALL", "the order is too small").into());
    }
    if !is_multiple(*quantity, base_increment()) {
        return Err(refused("INVALID_SIZE_PRECISION", "base_size has too many places").into());
    }
    if *quantity > base_max() {
        return Err(refused("INVALID_BASE_SIZE_TOO_LARGE", "the order is too large").into());
    }
    let touch = desk.meets(&product.symbol, *buys);
    if *order_type == OrderType::Market && touch.is_none() {
        return Err(no_liquidity(product).into());
    }
    if let (true, Some(limit), Some(touch)) = (post_only, wanted.limit_price, touch)
        && (if *buys { limit >= touch } else { limit <= touch })
    {
        return Err(refused("INVALID_LIMIT_PRICE_POST_ONLY", "the order would trade at once").into());
    }
    if let (Some(stop), Some(touch)) = (wanted.stop_price, touch) {
        let direction = wanted.words.get("stop_direction").map(String::as_str);
        let (fits, crossed) = match buys {
            true => ("STOP_DIRECTION_STOP_UP", "STOP_PRICE_BELOW_LAST_TRADE_PRICE"),
            false => ("STOP_DIRECTION_STOP_DOWN", "STOP_PRICE_ABOVE_LAST_TRADE_PRICE"),
        };
        if direction != Some(fits) {
            let message = format!("this double does a stop of this side with {fits} alone");
            return Err(refused("UNSUPPORTED_ORDER_CONFIGURATION", message).into());
        }
        if if *buys { stop <= touch } else { stop >= touch } {
            return Err(refused(crossed, "the stop has been reached already").into());
        }
    }
    if wanted.expires.is_some_and(|until| until <= desk.clock()) {
        return Err(refused("INVALID_REQUEST", "end_time is in the past").into());
    }
    Ok(())
}

/// Whether the wallets have what the order needs.
fn afford(desk: &Desk, product: &Product, wanted: &Wanted) -> Result<(), Refused> {
    let insufficient = || refused("INSUFFICIENT_FUND", "Insufficient balance in source account");
    let enough = if wanted.buys {
        let value = wanted.quantity.saturating_mul(desk.worth_of(wanted));
        value.saturating_add(taker_fee(value)) <= desk.cash() - desk.reserved()
    } else {
        wanted.quantity <= desk.position(&product.symbol) - desk.on_order(&product.symbol, false)
    };
    if enough { Ok(()) } else { Err(insufficient()) }
}

/// What an order would come to.
pub(super) fn preview(desk: &Desk, request: &Request) -> Answer {
    let Some(body) = request.json().filter(Value::is_object) else { return invalid("invalid request body") };
    let touch = |symbol, buys| desk.meets(symbol, buys).map(number).unwrap_or_default();
    match read(desk, &body, None) {
        Ok(Asked { wanted, product }) => {
            let value = wanted.quantity.saturating_mul(desk.worth_of(&wanted));
            let fee = taker_fee(value);
            let total = if wanted.buys { value.saturating_add(fee) } else { value - fee };
            let answer = json!({
                "order_total": number(total), "commission_total": number(fee), "errs": [], "warning": [],
                "quote_size": number(value), "base_size": number(wanted.quantity),
                "best_bid": touch(&product.symbol, false), "best_ask": touch(&product.symbol, true),
                "is_max": false, "slippage": "0", "preview_id": desk.uuid("preview", desk.orders().len() as u64),
            });
            Answer::json(200, &answer)
        }
        Err(Wrong::Request(answer)) => answer,
        Err(Wrong::Order(why)) => {
            let answer = json!({
                "order_total": "0", "commission_total": "0", "errs": [format!("PREVIEW_{}", why.reason)],
                "warning": [], "quote_size": "0", "base_size": "0", "best_bid": "", "best_ask": "",
                "is_max": false, "preview_id": "",
            });
            Answer::json(200, &answer)
        }
    }
}

/// The requests are taken; the orders are cancelled later, or not.
pub(super) fn cancel(desk: &mut Desk, request: &Request) -> Answer {
    let body = request.json().unwrap_or_default();
    let Some(ids) = body.get("order_ids").and_then(Value::as_array) else {
        return invalid("order_ids is required");
    };
    if ids.is_empty() || ids.len() > MAX_CANCELS {
        return invalid(format!("order_ids must have 1 to {MAX_CANCELS} entries"));
    }
    let mut results = Vec::new();
    for id in ids {
        let row = id.as_str().and_then(|id| desk.order(id)).map(|row| (row.id.clone(), row.state));
        let reason = match row {
            None => Some("UNKNOWN_CANCEL_ORDER"),
            Some((_, State::PendingCancel)) => Some("DUPLICATE_CANCEL_REQUEST"),
            Some((_, State::Filled)) => Some("ORDER_IS_FULLY_FILLED"),
            Some((id, _)) => (!desk.cancel(&id)).then_some("INVALID_CANCEL_REQUEST"),
        };
        results.push(json!({
            "success": reason.is_none(), "failure_reason": reason.unwrap_or("UNKNOWN_CANCEL_FAILURE_REASON"),
            "order_id": id,
        }));
    }
    Answer::json(200, &json!({"results": results}))
}

/// Another size or price for a limit order that waits.
pub(super) fn edit(desk: &mut Desk, request: &Request) -> Answer {
    let body = request.json().unwrap_or_default();
    let failed = |reason: &str| {
        let errors = json!([{"edit_failure_reason": reason, "preview_failure_reason": ""}]);
        Answer::json(200, &json!({"success": false, "errors": errors}))
    };
    let row = body.get("order_id").and_then(Value::as_str).and_then(|id| desk.order(id)).cloned();
    let Some(row) = row.filter(|row| row.state.works()) else { return failed("ORDER_NOT_FOUND") };
    if row.wanted.words.get("configuration").is_none_or(|kind| kind != "limit_limit_gtc") {
        return failed("ONLY_LIMIT_ORDER_EDITS_SUPPORTED");
    }
    let (quantity, limit_price) = match (positive(&body, "size"), positive(&body, "price")) {
        (Ok(quantity), Ok(price)) => (quantity, price),
        (Err(Wrong::Request(answer)), _) | (_, Err(Wrong::Request(answer))) => return answer,
        _ => return failed("COMMANDER_REJECTED_EDIT_ORDER"),
    };
    if quantity.is_some_and(|quantity| !is_multiple(quantity, base_increment())) {
        return failed("INVALID_EDITED_SIZE");
    }
    if limit_price.is_some_and(|price| !is_multiple(price, price_increment())) {
        return failed("INVALID_EDITED_PRICE");
    }
    if quantity.is_some_and(|quantity| quantity <= row.filled) {
        return failed("CANNOT_EDIT_TO_BELOW_FILLED_SIZE");
    }
    match desk.amend(&row.id, &OrderChange { quantity, limit_price, stop_price: None }) {
        Ok(()) => Answer::json(200, &json!({"success": true, "errors": []})),
        Err(_) => failed("COMMANDER_REJECTED_EDIT_ORDER"),
    }
}

pub(super) fn get(desk: &Desk, id: &str) -> Answer {
    match desk.order(id) {
        Some(row) => Answer::json(200, &json!({"order": order(desk, row)})),
        None => not_found("order with this orderID was not found"),
    }
}

/// A bound of a list, as an instant.
pub(super) fn bound(request: &Request, name: &str) -> Result<Option<Timestamp>, Answer> {
    match request.parameter(name).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => {
            let instant = text.parse().map(Some);
            instant.map_err(|_| invalid(format!("{name} must be an instant such as 2026-01-02T15:00:00Z")))
        }
    }
}

/// How many rows of a list are wanted, and the number that their numbers are below.
pub(super) fn page(request: &Request) -> Result<(usize, u64), Answer> {
    let limit = match request.parameter("limit").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit @ 1..)) => limit.min(MAX_PAGE),
        Some(_) => return Err(invalid("limit must be a positive number")),
    };
    match request.parameter("cursor").filter(|cursor| !cursor.is_empty()).map(str::parse) {
        None => Ok((limit, u64::MAX)),
        Some(Ok(below)) => Ok((limit, below)),
        Some(Err(_)) => Err(invalid("cursor is none of this list")),
    }
}

/// The orders, newest first. A cursor is the number of the last one that was told.
pub(super) fn list(desk: &Desk, request: &Request) -> Answer {
    let (limit, below) = match page(request) {
        Ok(page) => page,
        Err(answer) => return answer,
    };
    let (from, to) = match (bound(request, "start_date"), bound(request, "end_date")) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(answer), _) | (_, Err(answer)) => return answer,
    };
    let statuses = many(request, &["order_status"]);
    if statuses.contains(&"OPEN") && statuses.len() > 1 {
        return invalid("order_status OPEN cannot be combined with others");
    }
    let products = many(request, &["product_ids", "product_id"]);
    let ids = many(request, &["order_ids", "order_id"]);
    let side = request.parameter("order_side");
    let fits = |row: &&Row| {
        let product = || super::products::product(desk, &row.wanted.symbol).map(|product| product.id);
        row.number < below
            && from.is_none_or(|from| row.created >= from)
            && to.is_none_or(|to| row.created < to)
            && (statuses.is_empty() || statuses.contains(&status(row)))
            && (ids.is_empty() || ids.contains(&row.id.as_str()))
            && side.is_none_or(|side| row.wanted.buys == (side == "BUY"))
            && (products.is_empty() || product().is_some_and(|id| products.contains(&id.as_str())))
    };
    let mut rest = desk.orders().iter().rev().filter(fits);
    let rows: Vec<&Row> = rest.by_ref().take(limit).collect();
    let cursor = rows.last().map(|row| row.number.to_string()).unwrap_or_default();
    let has_next = rest.next().is_some();
    let rows: Vec<Value> = rows.into_iter().map(|row| order(desk, row)).collect();
    Answer::json(200, &json!({"orders": rows, "sequence": "0", "has_next": has_next, "cursor": cursor}))
}
