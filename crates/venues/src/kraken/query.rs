//! What a client asks about orders, executions and the account.

use super::pairs::{MONEY, asset_id, money_id};
use super::render::{fixed, id, number, order, seconds, seconds_number, trade, trade_id};
use super::sign::Params;
use super::{refused, result};
use crate::desk::{Desk, FillRow, Row};
use crate::dialect::Answer;
use mts_foundation::{Decimal, Timestamp, num};
use serde_json::{Map, Value, json};

/// Rows of an answer.
const PAGE: usize = 50;
/// Most rows where a client says how many.
const MAX_PAGE: usize = 100;
/// Most ids of a question.
const MAX_IDS: usize = 50;

/// Whether an order is one of those that a question is about.
fn is_meant(row: &Row, params: &Params) -> bool {
    params.get("cl_ord_id").is_none_or(|id| row.wanted.client_id.as_deref() == Some(id))
        && params
            .get("userref")
            .is_none_or(|wanted| row.wanted.words.get("userref").is_some_and(|own| own == wanted))
}

fn orders<'a>(
    desk: &'a Desk,
    seed: u64,
    params: &Params,
    rows: impl Iterator<Item = &'a Row>,
) -> Map<String, Value> {
    rows.map(|row| (row.id.to_string(), order(desk, seed, row, params.is("trades")))).collect()
}

pub(super) fn open(desk: &Desk, seed: u64, params: &Params) -> Answer {
    let rows = desk.working().filter(|row| is_meant(row, params));
    result(json!({"open": orders(desk, seed, params, rows)}))
}

pub(super) fn closed(desk: &Desk, seed: u64, params: &Params) -> Answer {
    let by_open = params.get("closetime") == Some("open");
    let time = |row: &Row| if by_open { row.created } else { row.ended.unwrap_or(row.created) };
    let window = match Window::of(desk, seed, params) {
        Ok(window) => window,
        Err(answer) => return answer,
    };
    let mut rows: Vec<&Row> = desk
        .orders()
        .iter()
        .filter(|row| !row.state.works() && is_meant(row, params) && window.has(time(row)))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse((time(row), row.number)));
    let count = rows.len();
    let page = rows.into_iter().skip(window.offset).take(window.page);
    result(json!({"closed": orders(desk, seed, params, page), "count": count}))
}

pub(super) fn orders_by_id(desk: &Desk, seed: u64, params: &Params) -> Answer {
    let ids: Vec<&str> = params.get("txid").map(|ids| ids.split(',').collect()).unwrap_or_default();
    if ids.is_empty() || ids.len() > MAX_IDS {
        return refused("EGeneral:Invalid arguments:txid");
    }
    let rows: Option<Vec<&Row>> = ids.iter().map(|id| desk.order(id)).collect();
    match rows {
        Some(rows) => result(json!(orders(desk, seed, params, rows.into_iter()))),
        None => refused("EOrder:Unknown order"),
    }
}

/// Between which instants, from which row on, and how many.
struct Window {
    /// Exclusive.
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    offset: usize,
    page: usize,
}

impl Window {
    fn of(desk: &Desk, seed: u64, params: &Params) -> Result<Self, Answer> {
        let instant = |name: &str| match params.get(name) {
            None | Some("0") => Ok(None),
            Some(text) if text.starts_with('T') => {
                let fill = desk.fills().iter().find(|fill| trade_id(seed, fill) == text);
                fill.map(|fill| Some(fill.time))
                    .ok_or_else(|| refused(format!("EGeneral:Invalid arguments:{name}")))
            }
            Some(text) => {
                let nanos = num::parse(text).ok().and_then(|value| {
                    i64::try_from(value.checked_mul(Decimal::from(1_000_000_000))?.trunc()).ok()
                });
                nanos
                    .map(|nanos| Some(Timestamp::from_nanos(nanos)))
                    .ok_or_else(|| refused(format!("EGeneral:Invalid arguments:{name}")))
            }
        };
        let number = |name: &str, default: usize| match params.get(name).map(str::parse::<usize>) {
            None => Ok(default),
            Some(Ok(number)) => Ok(number),
            Some(Err(_)) => Err(refused(format!("EGeneral:Invalid arguments:{name}"))),
        };
        Ok(Self {
            start: instant("start")?,
            end: instant("end")?,
            offset: number("ofs", 0)?,
            page: number("limit", PAGE)?.clamp(1, MAX_PAGE),
        })
    }

    fn has(&self, time: Timestamp) -> bool {
        self.start.is_none_or(|start| time > start) && self.end.is_none_or(|end| time <= end)
    }
}

pub(super) fn trades(desk: &Desk, seed: u64, params: &Params) -> Answer {
    if params.get("type").is_some_and(|kind| !matches!(kind, "all" | "no position")) {
        return result(json!({"trades": {}, "count": 0}));
    }
    let window = match Window::of(desk, seed, params) {
        Ok(window) => window,
        Err(answer) => return answer,
    };
    let rows: Vec<&FillRow> = desk.listed().rev().filter(|fill| window.has(fill.time)).collect();
    let count = rows.len();
    let page = rows.into_iter().skip(window.offset).take(window.page);
    let page: Map<String, Value> =
        page.filter_map(|fill| Some((trade_id(seed, fill), trade(desk, fill)?))).collect();
    result(json!({"trades": page, "count": count}))
}

pub(super) fn trades_by_id(desk: &Desk, seed: u64, params: &Params) -> Answer {
    let mut found = Map::new();
    for wanted in params.get("txid").unwrap_or_default().split(',').take(MAX_IDS) {
        let fill = desk.fills().iter().find(|fill| trade_id(seed, fill) == wanted);
        let Some(row) = fill.and_then(|fill| trade(desk, fill)) else {
            return refused("EQuery:Unknown trade");
        };
        found.insert(wanted.to_owned(), row);
    }
    result(json!(found))
}

/// An entry of the account's book.
struct Entry {
    id: String,
    time: Timestamp,
    kind: &'static str,
    asset: String,
    amount: Decimal,
    fee: Decimal,
    reference: String,
}

fn entries(desk: &Desk, seed: u64) -> Vec<Entry> {
    let of_fill = |fill: &FillRow| {
        let sign = if fill.bought { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
        let entry = |number: u64, asset: String, amount: Decimal, fee: Decimal| Entry {
            id: id('L', seed, "ledger of trade", number),
            time: fill.time,
            kind: "trade",
            asset,
            amount,
            fee,
            reference: trade_id(seed, fill),
        };
        let paid = fill.quantity.saturating_mul(fill.price);
        let coin = asset_id(desk, &fill.symbol).unwrap_or_default();
        [
            entry(fill.number * 2, money_id().to_owned(), sign * paid, fill.fees),
            entry(fill.number * 2 + 1, coin, -sign * fill.quantity, Decimal::ZERO),
        ]
    };
    let cash = desk.listed_cash().map(|cash| Entry {
        id: id('L', seed, "ledger of cash", cash.number),
        time: cash.time,
        kind: if cash.amount.is_sign_negative() { "withdrawal" } else { "deposit" },
        asset: money_id().to_owned(),
        amount: cash.amount,
        fee: Decimal::ZERO,
        reference: id('Q', seed, "reference", cash.number),
    });
    let mut all: Vec<Entry> = desk.listed().flat_map(of_fill).chain(cash).collect();
    all.sort_by_key(|entry| std::cmp::Reverse(entry.time));
    all
}

pub(super) fn ledgers(desk: &Desk, seed: u64, params: &Params) -> Answer {
    let window = match Window::of(desk, seed, params) {
        Ok(window) => window,
        Err(answer) => return answer,
    };
    let kind = params.get("type").filter(|kind| *kind != "all");
    let assets: Option<Vec<&str>> =
        params.get("asset").filter(|asset| *asset != "all").map(|all| all.split(',').collect());
    let is_asset =
        |entry: &Entry, wanted: &str| entry.asset == wanted || (wanted == MONEY && entry.asset == money_id());
    let rows: Vec<Entry> = entries(desk, seed)
        .into_iter()
        .filter(|entry| window.has(entry.time) && kind.is_none_or(|kind| entry.kind == kind))
        .filter(|entry| {
            assets.as_ref().is_none_or(|assets| assets.iter().any(|wanted| is_asset(entry, wanted)))
        })
        .collect();
    let count = rows.len();
    let page = rows.into_iter().skip(window.offset).take(window.page);
    let page: Map<String, Value> = page
        .map(|entry| {
            let row = json!({
                "aclass": "currency", "amount": fixed(entry.amount, 4), "asset": entry.asset,
                "fee": fixed(entry.fee, 4), "refid": entry.reference, "time": seconds_number(entry.time),
                "type": entry.kind, "subtype": "",
            });
            (entry.id, row)
        })
        .collect();
    result(json!({"ledger": page, "count": count}))
}

/// What is held of each asset, and how much of it is on order.
fn held(desk: &Desk) -> Vec<(String, Decimal, Decimal)> {
    let coins =
        desk.positions().iter().filter(|(_, held)| !held.quantity.is_zero()).filter_map(|(symbol, held)| {
            Some((asset_id(desk, symbol)?, held.quantity, desk.on_order(symbol, false)))
        });
    [(money_id().to_owned(), desk.cash(), desk.reserved())].into_iter().chain(coins).collect()
}

pub(super) fn balance(desk: &Desk) -> Answer {
    let rows: Map<String, Value> =
        held(desk).into_iter().map(|(asset, held, _)| (asset, json!(fixed(held, 4)))).collect();
    result(json!(rows))
}

pub(super) fn balance_and_holds(desk: &Desk) -> Answer {
    let row = |(asset, held, on_order): (String, Decimal, Decimal)| {
        (asset, json!({"balance": fixed(held, 4), "hold_trade": fixed(on_order, 4)}))
    };
    let rows: Map<String, Value> = held(desk).into_iter().map(row).collect();
    result(json!(rows))
}

/// Balances by the stream's names, for its snapshot.
pub(super) fn stream_balances(desk: &Desk) -> Vec<(String, Decimal)> {
    let coins = desk
        .positions()
        .iter()
        .filter(|(_, held)| !held.quantity.is_zero())
        .filter_map(|(symbol, held)| Some((super::pairs::pair(desk, symbol)?.base, held.quantity)));
    [(MONEY.to_owned(), desk.cash())].into_iter().chain(coins).collect()
}

pub(super) fn trade_balance(desk: &Desk) -> Answer {
    let whole = fixed(desk.cash() + desk.positions().market_value(), 4);
    let none = "0.0000";
    result(json!({
        "eb": whole, "tb": whole, "m": none, "uv": none, "n": none, "c": none, "v": none, "e": whole, "mf": whole,
    }))
}

/// The key that asks.
pub(super) fn key_info(key: &str, nonce: u128, permissions: &[&str], now: Timestamp) -> Answer {
    let second = |time: Timestamp| seconds(time).split('.').next().unwrap_or_default().to_owned();
    result(json!({
        "apiKeyName": "the double's key", "apiKey": key, "nonce": number(Decimal::from(nonce)), "nonceWindow": 0,
        "permissions": permissions, "iban": "AA00 N84G MTSD OUBL", "validUntil": "0", "queryFrom": "0", "queryTo": "0",
        "createdTime": "1700000000", "modifiedTime": "1700000000", "ipAllowlist": [], "lastUsed": second(now),
    }))
}
