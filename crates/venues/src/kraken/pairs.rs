//! What trades, and how the venue names it: `XXBTZUSD` and `XBTUSD` over HTTP, `BTC/USD` in the stream.

use super::render::{fixed, number};
use super::{refused, result};
use crate::desk::Desk;
use crate::dialect::{Answer, Request};
use crate::market::Candle;
use mts_foundation::{Decimal, Symbol, Timestamp};
use serde_json::{Map, Value, json};

/// The account's money: our code, and the venue's id and code of it.
pub(super) const MONEY: &str = "USD";
const MONEY_ID: &str = "ZUSD";

/// What is always listed: our code of the base, the venue's id of it, the venue's code where it differs, places of the price, and
/// the least quantity. Besides these, every coin that has a price in dollars trades.
const LISTED: &[(&str, &str, &str, u32, &str)] = &[
    ("BTC", "XXBT", "XBT", 1, "0.00005"),
    ("ETH", "XETH", "ETH", 2, "0.001"),
    ("SOL", "SOL", "SOL", 2, "0.02"),
    ("DOGE", "XXDG", "XDG", 7, "1"),
    ("EUR", "ZEUR", "EUR", 5, "0.5"),
];

/// A day, in nanoseconds.
const DAY: i64 = 86_400_000_000_000;
/// Places of a quantity.
const LOT_PLACES: u32 = 8;

/// An instrument of the venue.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) symbol: Symbol,
    /// Our code of what is bought.
    pub(super) base: String,
    /// The venue's id of it.
    pub(super) base_id: String,
    /// The venue's code of it.
    code: String,
    /// Places of a price.
    pub(super) places: u32,
    /// Least quantity of an order.
    pub(super) least: Decimal,
}

impl Pair {
    /// `XXBTZUSD`, or the short name where the parts have no ids of their own.
    pub(super) fn id(&self) -> String {
        if self.base_id == self.code { self.altname() } else { format!("{}{MONEY_ID}", self.base_id) }
    }

    /// `XBTUSD`.
    pub(super) fn altname(&self) -> String {
        format!("{}{MONEY}", self.code)
    }

    /// `BTC/USD`.
    pub(super) fn stream_name(&self) -> String {
        format!("{}/{MONEY}", self.base)
    }

    /// The smallest step of a price.
    pub(super) fn tick(&self) -> Decimal {
        Decimal::new(1, self.places)
    }

    /// Some pair with so many places of the price.
    #[cfg(test)]
    pub(super) fn of_places(places: u32) -> Self {
        let text = String::new;
        let symbol = Symbol::new("BTC-USD").unwrap();
        Self { symbol, base: text(), base_id: text(), code: text(), places, least: Decimal::ONE }
    }

    /// The smallest step of a quantity.
    pub(super) fn lot() -> Decimal {
        Decimal::new(1, LOT_PLACES)
    }

    fn json(&self) -> Value {
        json!({
            "altname": self.altname(), "wsname": format!("{}/{MONEY}", self.code), "aclass_base": "currency",
            "base": self.base_id, "aclass_quote": "currency", "quote": MONEY_ID, "lot": "unit",
            "cost_decimals": 5, "pair_decimals": self.places, "lot_decimals": LOT_PLACES, "lot_multiplier": 1,
            "leverage_buy": [], "leverage_sell": [], "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]],
            "fee_volume_currency": MONEY_ID, "margin_call": 80, "margin_stop": 40,
            "ordermin": number(self.least), "costmin": "0.5", "tick_size": number(self.tick()), "status": "online",
        })
    }
}

/// The symbols that are always listed.
pub(super) fn listed() -> Vec<Symbol> {
    LISTED.iter().filter_map(|(base, ..)| Symbol::new(format!("{base}-{MONEY}")).ok()).collect()
}

/// The instrument of a symbol of ours.
pub(super) fn pair(desk: &Desk, symbol: &Symbol) -> Option<Pair> {
    let base = symbol.as_str().strip_suffix("-USD")?;
    let row = LISTED.iter().find(|(listed, ..)| *listed == base).copied();
    let other = || desk.meets(symbol, true).map(|_| (base, base, base, 4, "0.0001"));
    let (base, base_id, code, places, least) = row.or_else(other)?;
    Some(Pair {
        symbol: symbol.clone(),
        base: base.to_owned(),
        base_id: base_id.to_owned(),
        code: code.to_owned(),
        places,
        least: least.parse().unwrap_or_default(),
    })
}

/// All instruments.
pub(super) fn all(desk: &Desk) -> Vec<Pair> {
    let mut symbols = listed();
    symbols.extend(desk.quoted().filter(|symbol| !listed().contains(symbol)).cloned());
    symbols.iter().filter_map(|symbol| pair(desk, symbol)).collect()
}

/// The instrument of a name of the venue's, of either interface.
pub(super) fn by_name(desk: &Desk, name: &str) -> Option<Pair> {
    let is = |pair: &Pair| {
        let usual = format!("{}{MONEY}", pair.base);
        [pair.id(), pair.altname(), pair.stream_name(), format!("{}/{MONEY}", pair.code), usual]
            .iter()
            .any(|own| own == name)
    };
    all(desk).into_iter().find(is)
}

/// The instruments that a request names; all where it names none.
fn wanted(desk: &Desk, request: &Request) -> Result<Vec<Pair>, Answer> {
    match request.parameter("pair") {
        None => Ok(all(desk)),
        Some(names) => names
            .split(',')
            .map(|name| by_name(desk, name).ok_or_else(|| refused("EQuery:Unknown asset pair")))
            .collect(),
    }
}

pub(super) fn asset_pairs(desk: &Desk, request: &Request) -> Answer {
    match wanted(desk, request) {
        Ok(pairs) => {
            let rows: Map<String, Value> = pairs.iter().map(|pair| (pair.id(), pair.json())).collect();
            result(json!(rows))
        }
        Err(answer) => answer,
    }
}

pub(super) fn assets(desk: &Desk) -> Answer {
    let asset = |id: &str, code: &str, places: u32| {
        let row = json!({
            "aclass": "currency", "altname": code, "decimals": places, "display_decimals": 5,
            "collateral_value": 1.0, "status": "enabled",
        });
        (id.to_owned(), row)
    };
    let coins = all(desk).into_iter().map(|pair| asset(&pair.base_id, &pair.code, 10));
    let rows: Map<String, Value> = coins.chain([asset(MONEY_ID, MONEY, 4)]).collect();
    result(json!(rows))
}

pub(super) fn ticker(desk: &Desk, request: &Request) -> Answer {
    let pairs = match wanted(desk, request) {
        Ok(pairs) => pairs,
        Err(answer) => return answer,
    };
    let mut rows = Map::new();
    for pair in pairs {
        let quote = desk.price(&pair.symbol);
        let last = desk.meets(&pair.symbol, true);
        let Some(last) = last else { continue };
        let (bid, ask) = quote.map_or((last, last), |quote| (quote.bid, quote.ask));
        let price = |value: Decimal| fixed(value, pair.places);
        // Of today, and of the last 24 hours; a day without prints stands where the price does.
        let now = desk.clock();
        let midnight = Timestamp::from_nanos(now.nanos().div_euclid(DAY) * DAY);
        let days = [midnight, Timestamp::from_nanos(now.nanos() - DAY)];
        let days = days.map(|from| desk.market().since(&pair.symbol, from, now));
        let told =
            |read: fn(&Candle) -> Decimal| days.each_ref().map(|day| price(day.as_ref().map_or(last, read)));
        let volumes =
            days.each_ref().map(|day| fixed(day.as_ref().map_or(Decimal::ZERO, |day| day.volume), 8));
        let counts = days.each_ref().map(|day| day.as_ref().map_or(0, |day| day.prints));
        let [today, _] = &days;
        rows.insert(
            pair.id(),
            json!({
                "a": [price(ask), "1", "1.000"], "b": [price(bid), "1", "1.000"],
                "c": [price(last), "0.10000000"], "v": volumes, "p": told(Candle::vwap), "t": counts,
                "l": told(|day| day.low), "h": told(|day| day.high),
                "o": price(today.as_ref().map_or(last, |day| day.open)),
            }),
        );
    }
    result(json!(rows))
}

/// The venue's id of an asset of ours.
pub(super) fn asset_id(desk: &Desk, symbol: &Symbol) -> Option<String> {
    pair(desk, symbol).map(|pair| pair.base_id)
}

/// The venue's id of the account's money.
pub(super) const fn money_id() -> &'static str {
    MONEY_ID
}
