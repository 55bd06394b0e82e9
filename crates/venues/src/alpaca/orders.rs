//! Orders: what the venue takes, and its answers.

use super::assets::{Asset, by_native};
use super::read::{instant, positive, text};
use super::render::{Means, number, order, status};
use super::{error, forbidden, not_found, unprocessable};
use crate::desk::{Desk, Placed, Refusal, Row, Wanted};
use crate::dialect::{Answer, Request};
use mts_foundation::broker::OrderChange;
use mts_foundation::num::{floor_to_lot, is_multiple};
use mts_foundation::{Decimal, OrderType, TimeInForce, Timestamp};
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Longest client id.
const MAX_CLIENT_ID: usize = 128;
/// Rows of a list where no number is asked for, and most.
const PAGE: usize = 50;
const MAX_PAGE: usize = 500;

/// An order with what only Alpaca asks.
struct Asked {
    wanted: Wanted,
    asset: Asset,
}

pub(super) fn submit(desk: &mut Desk, request: &Request) -> Answer {
    let Some(body) = request.json().filter(Value::is_object) else {
        return error(400, 40_010_000, "request body format is invalid");
    };
    let asked = match read(desk, &body) {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    if let Some(id) = &asked.wanted.client_id
        && desk.by_client_id(id).is_some()
    {
        return error(422, 40_010_001, "client_order_id must be unique");
    }
    if let Err(answer) = afford(desk, &asked) {
        return answer;
    }
    taken(desk.place(asked.wanted), desk)
}

/// The answer to an order: as it was before it met the market.
fn taken(placed: Result<Placed, Refusal>, desk: &Desk) -> Answer {
    match placed {
        Ok(placed) => {
            let answer = Answer::json(200, &order(desk, &placed.row, "pending_new"));
            Answer { waits: placed.answer_waits, ..answer }
        }
        Err(Refusal::Full) => forbidden(Refusal::Full.to_string()),
        Err(Refusal::Exchange(reason)) => unprocessable(reason),
    }
}

fn read(desk: &Desk, body: &Value) -> Result<Asked, Answer> {
    let need =
        |field: &'static str| text(body, field).ok_or_else(|| unprocessable(format!("{field} is required")));
    let native = need("symbol")?;
    let asset =
        by_native(desk, native).ok_or_else(|| unprocessable(format!("asset \"{native}\" not found")))?;
    let buys = match need("side")? {
        "buy" => true,
        "sell" => false,
        side => return Err(unprocessable(format!("invalid side: {side}"))),
    };
    let name = need("type")?;
    let order_type = match name {
        "trailing_stop" => return Err(unprocessable("trailing_stop orders are not done by this double")),
        "marketable_limit" => None,
        name => name.parse::<OrderType>().ok(),
    };
    let order_type = order_type.ok_or_else(|| unprocessable(format!("invalid order type: {name}")))?;
    let name = need("time_in_force")?;
    let tif = match name {
        "cls" => return Err(unprocessable("orders for the close are not done by this double")),
        name => name.parse::<TimeInForce>(),
    };
    let tif = tif.map_err(|_| unprocessable(format!("invalid time_in_force: {name}")))?;
    let class = text(body, "order_class").unwrap_or_default();
    if !matches!(class, "" | "simple") {
        return Err(unprocessable(format!("{class} orders are not done by this double")));
    }
    let client_id = match text(body, "client_order_id").filter(|id| !id.is_empty()) {
        Some(id) if id.chars().count() > MAX_CLIENT_ID => {
            return Err(error(
                422,
                40_010_001,
                format!("client_order_id must be at most {MAX_CLIENT_ID} characters"),
            ));
        }
        Some(id) => id.to_owned(),
        None => desk.uuid("client", desk.orders().len() as u64),
    };
    let mut words = BTreeMap::new();
    for name in ["order_class", "position_intent"] {
        if let Some(value) = text(body, name).filter(|value| !value.is_empty()) {
            words.insert(name, value.to_owned());
        }
    }
    let quantity = match (positive(body, "qty")?, positive(body, "notional")?) {
        (Some(quantity), None) => quantity,
        (None, Some(notional)) => {
            words.insert("notional", number(notional));
            let price = desk.meets(&asset.symbol, buys);
            let price = price
                .ok_or_else(|| unprocessable(format!("no price of {native} is known to this double")))?;
            floor_to_lot(notional.checked_div(price).unwrap_or_default(), Decimal::new(1, 9))
        }
        (Some(_), Some(_)) => return Err(unprocessable("only one of qty or notional is accepted")),
        (None, None) => return Err(unprocessable("qty or notional is required")),
    };
    let extended_hours = body.get("extended_hours").and_then(Value::as_bool).unwrap_or(false);
    let wanted = Wanted {
        client_id: Some(SmolStr::new(client_id)),
        symbol: asset.symbol.clone(),
        buys,
        order_type,
        tif,
        quantity,
        limit_price: positive(body, "limit_price")?,
        stop_price: positive(body, "stop_price")?,
        extended_hours,
        expires: None,
        words,
    };
    check(&asset, &wanted)?;
    Ok(Asked { wanted, asset })
}

/// The rules of types, times in force, fractions, extended hours and ticks.
fn check(asset: &Asset, wanted: &Wanted) -> Result<(), Answer> {
    let Wanted { order_type, tif, quantity, .. } = wanted;
    let refuse = |message: String| Err(unprocessable(message));
    let prices = [
        ("limit_price", wanted.limit_price, order_type.takes_limit_price()),
        ("stop_price", wanted.stop_price, order_type.takes_stop_price()),
    ];
    for (field, price, taken) in prices {
        match (price, taken) {
            (None, true) => return refuse(format!("{order_type} orders require {field}")),
            (Some(_), false) => return refuse(format!("{order_type} orders do not take {field}")),
            (Some(price), true) if !is_multiple(price, asset.tick(price)) => {
                return refuse(format!(
                    "invalid {field} {price}. sub-penny increment does not fulfill minimum pricing criteria"
                ));
            }
            _ => {}
        }
    }
    if asset.is_crypto {
        if !matches!(tif, TimeInForce::Gtc | TimeInForce::Ioc) {
            return refuse("invalid crypto time_in_force".to_owned());
        }
        if *order_type == OrderType::Stop {
            return refuse("invalid order type for crypto order".to_owned());
        }
        if wanted.extended_hours {
            return refuse("extended hours orders are not for crypto".to_owned());
        }
        return Ok(());
    }
    let waits = matches!(order_type, OrderType::Stop | OrderType::StopLimit);
    if waits && !matches!(tif, TimeInForce::Day | TimeInForce::Gtc) {
        return refuse(format!("invalid time_in_force {tif} for {order_type} orders"));
    }
    if wanted.extended_hours && !(*order_type == OrderType::Limit && *tif == TimeInForce::Day) {
        return refuse("extended hours order must be DAY limit orders".to_owned());
    }
    let fractional = !quantity.fract().is_zero() || wanted.words.contains_key("notional");
    if fractional && *tif != TimeInForce::Day {
        return refuse("fractional orders must be DAY orders".to_owned());
    }
    Ok(())
}

/// Whether the account can pay for a purchase, or has what it sells.
fn afford(desk: &Desk, asked: &Asked) -> Result<(), Answer> {
    let (wanted, asset) = (&asked.wanted, &asked.asset);
    let held = desk.position(&asset.symbol);
    let on_order = desk.on_order(&asset.symbol, wanted.buys);
    let closes = if wanted.buys { held < Decimal::ZERO } else { held > Decimal::ZERO };
    if closes {
        // An order may not go through zero.
        let free = held.abs() - on_order;
        return if wanted.quantity <= free {
            Ok(())
        } else {
            Err(insufficient(asset, wanted.quantity, free))
        };
    }
    if !wanted.buys {
        if asset.is_crypto {
            return Err(insufficient(asset, wanted.quantity, Decimal::ZERO));
        }
        if !wanted.quantity.fract().is_zero() {
            return Err(unprocessable("fractional orders cannot be sold short"));
        }
    }
    let means = Means::of(desk);
    let power = if asset.is_crypto { means.cash_power } else { means.buying_power };
    let cost = wanted.quantity.saturating_mul(desk.worth_of(wanted));
    if cost > power {
        let body = json!({
            "code": 40_310_000, "message": "insufficient buying power", "buying_power": number(power),
            "cost_basis": number(cost),
        });
        return Err(Answer::json(403, &body));
    }
    Ok(())
}

fn insufficient(asset: &Asset, wanted: Decimal, free: Decimal) -> Answer {
    let (wanted, free) = (number(wanted), number(free.max(Decimal::ZERO)));
    let message = if asset.is_crypto {
        let base = asset.native.split('/').next().unwrap_or_default();
        format!("insufficient balance for {base} (requested: {wanted}, available: {free})")
    } else {
        format!("insufficient qty available for order (requested: {wanted}, available: {free})")
    };
    let body = json!({"code": 40_310_000, "message": message, "symbol": asset.native, "available": free});
    Answer::json(403, &body)
}

pub(super) fn get(desk: &Desk, id: &str) -> Answer {
    match desk.order(id) {
        Some(row) => Answer::json(200, &order(desk, row, status(row))),
        None => not_found(format!("order not found for {id}")),
    }
}

pub(super) fn by_client_id(desk: &Desk, request: &Request) -> Answer {
    let Some(id) = request.parameter("client_order_id") else {
        return unprocessable("client_order_id is required");
    };
    match desk.by_client_id(id) {
        Some(row) => Answer::json(200, &order(desk, row, status(row))),
        None => not_found(format!("order not found for {id}")),
    }
}

/// The request is taken; the order is cancelled later, or not.
pub(super) fn cancel(desk: &mut Desk, id: &str) -> Answer {
    let Some(row) = desk.order(id) else { return not_found(format!("order not found for {id}")) };
    let (venue_id, said) = (row.id.clone(), status(row));
    if desk.cancel(&venue_id) {
        Answer::empty(204)
    } else {
        unprocessable(format!("order is already in \"{said}\" state"))
    }
}

pub(super) fn cancel_all(desk: &mut Desk) -> Answer {
    let ids: Vec<_> = desk.working().map(|row| row.id.clone()).collect();
    let mut rows = Vec::new();
    for id in ids {
        let done = desk.cancel(&id);
        let body = desk.order(id.as_str()).map(|row| order(desk, row, status(row)));
        rows.push(json!({"id": id, "status": if done { 200 } else { 422 }, "body": body}));
    }
    Answer::json(207, &json!(rows))
}

pub(super) fn replace(desk: &mut Desk, id: &str, request: &Request) -> Answer {
    let Some(row) = desk.order(id).cloned() else { return not_found(format!("order not found for {id}")) };
    let Some(body) = request.json().filter(Value::is_object) else {
        return error(400, 40_010_000, "request body format is invalid");
    };
    let Some(asset) = super::assets::asset(desk, &row.wanted.symbol) else {
        return not_found("asset not found");
    };
    let changed = changes(&body).and_then(|(change, tif)| {
        let wanted = Wanted {
            quantity: change.quantity.unwrap_or(row.wanted.quantity),
            limit_price: change.limit_price.or(row.wanted.limit_price),
            stop_price: change.stop_price.or(row.wanted.stop_price),
            tif: tif.unwrap_or(row.wanted.tif),
            ..row.wanted.clone()
        };
        check(&asset, &wanted)?;
        Ok((change, wanted.tif))
    });
    let (change, tif) = match changed {
        Ok(changed) => changed,
        Err(answer) => return answer,
    };
    let client_id = match text(&body, "client_order_id").filter(|id| !id.is_empty()) {
        Some(id) if desk.by_client_id(id).is_some() => {
            return error(422, 40_010_001, "client_order_id must be unique");
        }
        Some(id) => SmolStr::new(id),
        None => SmolStr::new(desk.uuid("client", desk.orders().len() as u64)),
    };
    let placed =
        desk.replace(&row.id, &change, |wanted| Wanted { client_id: Some(client_id), tif, ..wanted });
    taken(placed, desk)
}

fn changes(body: &Value) -> Result<(OrderChange, Option<TimeInForce>), Answer> {
    let change = OrderChange {
        quantity: positive(body, "qty")?,
        limit_price: positive(body, "limit_price")?,
        stop_price: positive(body, "stop_price")?,
    };
    let tif = match text(body, "time_in_force") {
        None => None,
        Some(name) => {
            Some(name.parse().map_err(|_| unprocessable(format!("invalid time_in_force: {name}")))?)
        }
    };
    Ok((change, tif))
}

pub(super) fn list(desk: &Desk, request: &Request) -> Answer {
    let status_wanted = request.parameter("status").unwrap_or("open");
    if !matches!(status_wanted, "open" | "closed" | "all") {
        return unprocessable(format!("invalid status: {status_wanted}"));
    }
    let limit = match request.parameter("limit").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit @ 1..=MAX_PAGE)) => limit,
        Some(_) => return unprocessable(format!("limit must be between 1 and {MAX_PAGE}")),
    };
    let bound = |name: &str| -> Result<Option<Timestamp>, Answer> {
        let Some(text) = request.parameter(name) else { return Ok(None) };
        instant(text).map(Some).ok_or_else(|| unprocessable(format!("invalid {name}: {text}")))
    };
    let (after, until) = match (bound("after"), bound("until")) {
        (Ok(after), Ok(until)) => (after, until),
        (Err(answer), _) | (_, Err(answer)) => return answer,
    };
    let symbols: Option<Vec<_>> =
        request.parameter("symbols").filter(|symbols| !symbols.is_empty()).map(|symbols| {
            symbols
                .split(',')
                .filter_map(|native| by_native(desk, native))
                .map(|asset| asset.symbol)
                .collect()
        });
    let side = request.parameter("side");
    let fits = |row: &&Row| {
        let works = row.state.works();
        (status_wanted == "all" || works == (status_wanted == "open"))
            && after.is_none_or(|after| row.created > after)
            && until.is_none_or(|until| row.created < until)
            && symbols.as_ref().is_none_or(|symbols| symbols.contains(&row.wanted.symbol))
            && side.is_none_or(|side| row.wanted.buys == (side == "buy"))
    };
    let mut rows: Vec<&Row> = desk.orders().iter().filter(fits).collect();
    if request.parameter("direction") != Some("asc") {
        rows.reverse();
    }
    let rows: Vec<Value> = rows.into_iter().take(limit).map(|row| order(desk, row, status(row))).collect();
    Answer::json(200, &json!(rows))
}
