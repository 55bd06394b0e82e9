//! Orders: what the venue takes, over HTTP and in the stream, and its answers.

use super::pairs::{Pair, by_name, pair};
use super::render::{description, id, number};
use super::sign::Params;
use crate::desk::{Desk, Placed, Refusal, Row, Wanted};
use mts_foundation::broker::OrderChange;
use mts_foundation::num::is_multiple;
use mts_foundation::{BrokerOrderId, Decimal, OrderType, TimeInForce, Timestamp, num};
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::time::Duration;

/// Least value of an order.
const LEAST_COST: Decimal = Decimal::from_parts(5, 0, 0, false, 1);
/// How far ahead a deadline may lie.
const DEADLINE_AT_MOST: Duration = Duration::from_secs(60);

/// What the venue says: a result, or an error in its words.
pub(super) type Said<T> = Result<T, String>;

fn invalid<T>(what: &str) -> Said<T> {
    Err(format!("EGeneral:Invalid arguments:{what}"))
}

/// What this double does not do.
fn not_done<T>(what: &str) -> Said<T> {
    invalid(&format!("{what} is not done by this double"))
}

fn decimal(params: &Params, name: &str) -> Said<Option<Decimal>> {
    match params.get(name) {
        None => Ok(None),
        // Prices as offsets from the market.
        Some(text) if text.starts_with(['+', '-', '#']) || text.ends_with('%') => {
            not_done(&format!("a relative {name}"))
        }
        Some(text) => match num::parse(text) {
            Ok(value) if value > Decimal::ZERO => Ok(Some(value.normalize())),
            _ => invalid(name),
        },
    }
}

/// An order that a client wants, checked.
fn read(desk: &Desk, params: &Params) -> Said<(Wanted, Pair)> {
    let Some(pair) = params.get("pair").and_then(|name| by_name(desk, name)) else {
        return Err("EQuery:Unknown asset pair".to_owned());
    };
    let buys = match params.get("type") {
        Some("buy") => true,
        Some("sell") => false,
        _ => return invalid("type"),
    };
    let order_type = match params.get("ordertype") {
        Some("market") => OrderType::Market,
        Some("limit") => OrderType::Limit,
        Some("stop-loss") => OrderType::Stop,
        Some("stop-loss-limit") => OrderType::StopLimit,
        Some(
            other @ ("take-profit"
            | "take-profit-limit"
            | "trailing-stop"
            | "trailing-stop-limit"
            | "iceberg"
            | "settle-position"),
        ) => return not_done(other),
        _ => return invalid("ordertype"),
    };
    for name in ["close[ordertype]", "displayvol"] {
        if params.get(name).is_some() {
            return not_done(name);
        }
    }
    if params.get("leverage").is_some_and(|leverage| leverage != "none") || params.is("reduce_only") {
        return not_done("margin");
    }
    if params.get("starttm").is_some_and(|start| start != "0") {
        return not_done("starttm");
    }
    let (price, price2) = (decimal(params, "price")?, decimal(params, "price2")?);
    let (limit_price, stop_price) = match (order_type, price, price2) {
        (OrderType::Market, None, None) => (None, None),
        (OrderType::Limit, Some(limit), None) => (Some(limit), None),
        (OrderType::Stop, Some(stop), None) => (None, Some(stop)),
        (OrderType::StopLimit, Some(stop), Some(limit)) => (Some(limit), Some(stop)),
        _ => return invalid("price"),
    };
    let mut words = BTreeMap::new();
    for name in ["userref", "trigger"] {
        if let Some(value) = params.get(name) {
            words.insert(name, value.to_owned());
        }
    }
    let (tif, expires) = life(desk, params, order_type)?;
    let flags: Vec<&str> = params.get("oflags").map(|flags| flags.split(',').collect()).unwrap_or_default();
    for flag in &flags {
        match *flag {
            "fciq" | "nompp" => {}
            "post" if order_type == OrderType::Limit => {}
            "fcib" | "viqc" => return not_done(flag),
            _ => return invalid("oflags"),
        }
    }
    let posts = flags.contains(&"post");
    words.insert("oflags", if posts { "post,fciq".to_owned() } else { "fciq".to_owned() });
    let wanted = Wanted {
        client_id: client_id(params)?,
        symbol: pair.symbol.clone(),
        buys,
        order_type,
        tif,
        quantity: decimal(params, "volume")?.map_or_else(|| invalid("volume"), Ok)?,
        limit_price,
        stop_price,
        extended_hours: false,
        expires,
        words,
    };
    check(&wanted, &pair)?;
    if posts && crosses(desk, &wanted) {
        return Err("EOrder:Post only order".to_owned());
    }
    Ok((wanted, pair))
}

fn client_id(params: &Params) -> Said<Option<SmolStr>> {
    let Some(id) = params.get("cl_ord_id") else { return Ok(None) };
    if params.get("userref").is_some() {
        return invalid("cl_ord_id and userref exclude each other");
    }
    let hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit());
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    let is_uuid = lengths == [8, 4, 4, 4, 12] && id.split('-').all(hex);
    let fits = is_uuid || (id.len() == 32 && hex(id)) || (id.len() <= 18 && id.is_ascii());
    if fits { Ok(Some(SmolStr::new(id))) } else { invalid("cl_ord_id") }
}

/// How long an order waits, and when it ends by itself.
fn life(desk: &Desk, params: &Params, order_type: OrderType) -> Said<(TimeInForce, Option<Timestamp>)> {
    let expires = match params.get("expiretm") {
        None | Some("0") => None,
        Some(text) => match (text.strip_prefix('+'), text.trim_start_matches('+').parse::<u32>()) {
            (Some(_), Ok(seconds)) => Some(desk.clock().plus(Duration::from_secs(seconds.into()))),
            (None, Ok(second)) => Some(Timestamp::EPOCH.plus(Duration::from_secs(second.into()))),
            _ => return invalid("expiretm"),
        },
    };
    if expires.is_some_and(|at| at <= desk.clock()) {
        return invalid("expiretm");
    }
    let waits = order_type != OrderType::Market;
    match params.get("timeinforce").map(str::to_ascii_uppercase).as_deref() {
        None | Some("GTC") if expires.is_none() => Ok((TimeInForce::Gtc, None)),
        None | Some("GTD") if expires.is_some() && waits => Ok((TimeInForce::Day, expires)),
        Some("IOC") if expires.is_none() => Ok((TimeInForce::Ioc, None)),
        Some("FOK") if expires.is_none() && order_type == OrderType::Limit => Ok((TimeInForce::Fok, None)),
        _ => invalid("timeinforce"),
    }
}

/// The rules of steps and least sizes.
fn check(wanted: &Wanted, pair: &Pair) -> Said<()> {
    if wanted.quantity < pair.least {
        return invalid("volume minimum not met");
    }
    if !is_multiple(wanted.quantity, Pair::lot()) {
        return invalid("volume");
    }
    let prices = [wanted.limit_price, wanted.stop_price];
    if prices.into_iter().flatten().any(|price| !is_multiple(price, pair.tick())) {
        return Err("EOrder:Tick size check failed".to_owned());
    }
    let price = wanted.limit_price.or(wanted.stop_price);
    if price.is_some_and(|price| price.saturating_mul(wanted.quantity) < LEAST_COST) {
        return Err("EOrder:Cost minimum not met".to_owned());
    }
    Ok(())
}

/// Whether an order would trade at once.
fn crosses(desk: &Desk, wanted: &Wanted) -> bool {
    let touch = desk.price(&wanted.symbol).map(|quote| if wanted.buys { quote.ask } else { quote.bid });
    match (wanted.limit_price, touch) {
        (Some(limit), Some(touch)) if wanted.buys => limit >= touch,
        (Some(limit), Some(touch)) => limit <= touch,
        _ => false,
    }
}

/// Whether the account can pay for an order, or has what it sells; `instead` is the order that it takes the place of.
fn afford(desk: &Desk, wanted: &Wanted, instead: Option<&Row>) -> Said<()> {
    let freed = |own: Decimal| instead.map_or(Decimal::ZERO, |row| row.remaining().saturating_mul(own));
    let enough = if wanted.buys {
        let back = freed(instead.map_or(Decimal::ZERO, |row| desk.worth_of(&row.wanted)));
        let cost = wanted.quantity.saturating_mul(desk.worth_of(wanted));
        cost <= desk.cash() - desk.reserved() + back
    } else {
        let free = desk.position(&wanted.symbol) - desk.on_order(&wanted.symbol, false);
        wanted.quantity <= free + freed(Decimal::ONE)
    };
    if enough { Ok(()) } else { Err("EOrder:Insufficient funds".to_owned()) }
}

/// Refuses a request whose own time is over.
fn in_time(desk: &Desk, params: &Params) -> Said<()> {
    let Some(text) = params.get("deadline") else { return Ok(()) };
    let Ok(deadline) = text.parse::<Timestamp>() else { return invalid("deadline") };
    if deadline <= desk.clock() {
        return Err("EService:Deadline elapsed".to_owned());
    }
    if deadline > desk.clock().plus(DEADLINE_AT_MOST) {
        return invalid("deadline");
    }
    Ok(())
}

/// An order that was taken, or was only checked.
pub(super) struct Added {
    pub(super) description: Value,
    pub(super) placed: Option<Placed>,
}

/// Takes an order.
pub(super) fn add(desk: &mut Desk, params: &Params) -> Said<Added> {
    in_time(desk, params)?;
    let (wanted, pair) = read(desk, params)?;
    // Among the orders that work, and among no others.
    let taken = |id: &SmolStr| desk.working().any(|row| row.wanted.client_id.as_ref() == Some(id));
    if wanted.client_id.as_ref().is_some_and(taken) {
        return Err("EOrder:Duplicate clordid".to_owned());
    }
    afford(desk, &wanted, None)?;
    if params.is("validate") {
        return Ok(Added { description: described(&wanted, &pair), placed: None });
    }
    let description = described(&wanted, &pair);
    let placed = desk.place(wanted).map_err(refusal)?;
    Ok(Added { description, placed: Some(placed) })
}

fn refusal(refusal: Refusal) -> String {
    match refusal {
        Refusal::Full => format!("EOrder:Orders limit exceeded:{refusal}"),
        Refusal::Exchange(reason) => format!("EOrder:Invalid order:{reason}"),
    }
}

/// The words of an order that is none yet.
fn described(wanted: &Wanted, pair: &Pair) -> Value {
    json!({"order": description(wanted, pair).get("order")})
}

/// The working orders that a request means: by the venue's id, the client's, or a number that the client gave to several.
fn meant(desk: &Desk, params: &Params) -> Said<Vec<BrokerOrderId>> {
    let matches = |row: &&Row| match (params.get("txid"), params.get("cl_ord_id")) {
        (Some(txid), _) => {
            row.id.as_str() == txid
                || row.wanted.words.get("userref").is_some_and(|reference| reference == txid)
        }
        (None, Some(id)) => row.wanted.client_id.as_deref() == Some(id),
        (None, None) => false,
    };
    let found: Vec<BrokerOrderId> = desk.working().filter(matches).map(|row| row.id.clone()).collect();
    // What has ended is as unknown as what never was.
    if found.is_empty() { Err("EOrder:Unknown order".to_owned()) } else { Ok(found) }
}

/// Cancels what a request means; how many. It takes effect a moment later.
pub(super) fn cancel(desk: &mut Desk, params: &Params) -> Said<usize> {
    let found = meant(desk, params)?;
    Ok(found.iter().filter(|id| desk.cancel(id)).count())
}

/// Cancels everything; how many.
pub(super) fn cancel_all(desk: &mut Desk) -> usize {
    let found: Vec<BrokerOrderId> = desk.working().map(|row| row.id.clone()).collect();
    found.iter().filter(|id| desk.cancel(id)).count()
}

/// What shall be changed of a working order, checked.
fn change(desk: &Desk, row: &Row, change: &OrderChange) -> Said<()> {
    let wanted = Wanted {
        quantity: change.quantity.unwrap_or(row.wanted.quantity),
        limit_price: change.limit_price.or(row.wanted.limit_price),
        stop_price: change.stop_price.or(row.wanted.stop_price),
        ..row.wanted.clone()
    };
    let takes = (change.limit_price.is_some(), change.stop_price.is_some());
    if (takes.0 && row.wanted.limit_price.is_none()) || (takes.1 && row.wanted.stop_price.is_none()) {
        return invalid("price");
    }
    let Some(pair) = pair(desk, &wanted.symbol) else { return Err("EQuery:Unknown asset pair".to_owned()) };
    check(&wanted, &pair)?;
    afford(desk, &wanted, Some(row))
}

/// Changes a working order in place; the id of the change.
pub(super) fn amend(desk: &mut Desk, seed: u64, params: &Params) -> Said<String> {
    in_time(desk, params)?;
    let found = meant(desk, params)?;
    let [venue_id] = found.as_slice() else { return invalid("txid") };
    let wanted = OrderChange {
        quantity: decimal(params, "order_qty")?,
        limit_price: decimal(params, "limit_price")?,
        stop_price: decimal(params, "trigger_price")?,
    };
    let Some(row) = desk.order(venue_id.as_str()).cloned() else {
        return Err("EOrder:Unknown order".to_owned());
    };
    if wanted.quantity.is_none_or(|quantity| quantity > row.filled) {
        change(desk, &row, &wanted)?;
    }
    desk.amend(venue_id, &wanted).map_err(refusal)?;
    Ok(id('T', seed, "amend", desk.next_event()))
}

/// Puts a new order in the place of a working one.
pub(super) fn edit(desk: &mut Desk, params: &Params) -> Said<Value> {
    in_time(desk, params)?;
    let found = meant(desk, params)?;
    let [venue_id] = found.as_slice() else { return invalid("txid") };
    let Some(row) = desk.order(venue_id.as_str()).cloned() else {
        return Err("EOrder:Unknown order".to_owned());
    };
    let (price, price2) = (decimal(params, "price")?, decimal(params, "price2")?);
    let (limit_price, stop_price) = match row.wanted.order_type {
        OrderType::Stop => (None, price),
        OrderType::StopLimit => (price2, price),
        _ => (price, None),
    };
    let wanted = OrderChange { quantity: decimal(params, "volume")?, limit_price, stop_price };
    change(desk, &row, &wanted)?;
    // The client's id stays with the order that it was given to.
    let placed =
        desk.replace(venue_id, &wanted, |wanted| Wanted { client_id: None, ..wanted }).map_err(refusal)?;
    let Some(pair) = pair(desk, &row.wanted.symbol) else {
        return Err("EQuery:Unknown asset pair".to_owned());
    };
    let description = description(&placed.row.wanted, &pair);
    Ok(json!({
        "status": "ok", "txid": placed.row.id, "originaltxid": venue_id, "volume": number(placed.row.wanted.quantity),
        "price": description.get("price"), "price2": description.get("price2"), "orders_cancelled": 1,
        "descr": {"order": description.get("order")},
    }))
}
