//! What trades, its prices, and what trading costs.

use super::not_found;
use crate::desk::Desk;
use crate::dialect::{Answer, Request, number};
use mts_foundation::symbology::{Form, PairForm};
use mts_foundation::{AssetClass, Decimal, Symbol, VenueSymbology};
use mts_matching::{FeeModel, Rate};
use serde_json::{Value, json};

/// How the venue spells instruments.
const SPELLING: VenueSymbology = VenueSymbology::new("coinbase", &[Form::Crypto(PairForm::PLAIN)]);

/// The currency of the account's cash.
pub(super) const CASH: &str = "USD";

/// What is always listed. Besides these, what is paid in dollars and has a price trades.
const LISTED: &[(&str, &str)] = &[("BTC-USD", "Bitcoin"), ("ETH-USD", "Ethereum"), ("SOL-USD", "Solana")];

/// Basis points of an execution that waited, and of one that did not: the venue's first tier.
const MAKER: Decimal = Decimal::from_parts(60, 0, 0, false, 0);
const TAKER: Decimal = Decimal::from_parts(80, 0, 0, false, 0);

/// An instrument of the venue.
#[derive(Debug, Clone)]
pub(super) struct Product {
    pub(super) symbol: Symbol,
    pub(super) id: String,
    pub(super) base: String,
    name: &'static str,
}

/// The symbols that are always listed.
pub(super) fn listed() -> Vec<Symbol> {
    LISTED.iter().filter_map(|(symbol, _)| Symbol::new(symbol).ok()).collect()
}

/// What an execution costs.
pub(super) fn fees(_: &Symbol) -> FeeModel {
    FeeModel::flat(Rate::BasisPoints(MAKER), Rate::BasisPoints(TAKER))
}

/// The cost of taking so much.
pub(super) fn taker_fee(value: Decimal) -> Decimal {
    value.saturating_mul(TAKER) / Decimal::from(10_000)
}

/// The smallest step of a size.
pub(super) fn base_increment() -> Decimal {
    Decimal::new(1, 8)
}

/// The smallest step of a price.
pub(super) fn price_increment() -> Decimal {
    Decimal::new(1, 2)
}

/// The most of one order.
pub(super) fn base_max() -> Decimal {
    Decimal::from(1_000_000)
}

/// The instrument of a symbol of ours.
pub(super) fn product(desk: &Desk, symbol: &Symbol) -> Option<Product> {
    if symbol.parts().ok()?.asset_class() != AssetClass::Crypto {
        return None;
    }
    let row = LISTED.iter().find(|(listed, _)| *listed == symbol.as_str());
    let (_, name) = row.copied().or_else(|| desk.meets(symbol, true).map(|_| ("", "Other")))?;
    let id = SPELLING.to_native(symbol).ok()?.to_string();
    let base = id.strip_suffix(CASH)?.strip_suffix('-')?.to_owned();
    Some(Product { symbol: symbol.clone(), id, base, name })
}

/// The instrument of the venue's text.
pub(super) fn by_id(desk: &Desk, id: &str) -> Option<Product> {
    SPELLING.from_native(id).ok().and_then(|symbol| product(desk, &symbol))
}

/// The values of a parameter that may be repeated.
pub(super) fn many<'a>(request: &'a Request, names: &[&str]) -> Vec<&'a str> {
    request
        .query
        .iter()
        .filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(_, value)| value.as_str())
        .collect()
}

impl Product {
    fn json(&self, desk: &Desk) -> Value {
        let price = desk.meets(&self.symbol, true).map(number).unwrap_or_default();
        json!({
            "product_id": self.id, "price": price, "price_percentage_change_24h": "0", "volume_24h": "0",
            "volume_percentage_change_24h": "0", "base_increment": number(base_increment()),
            "quote_increment": number(price_increment()), "quote_min_size": "0.01", "quote_max_size": "150000000",
            "base_min_size": number(base_increment()), "base_max_size": number(base_max()),
            "base_name": self.name, "quote_name": "US Dollar", "watched": false, "is_disabled": false,
            "new": false, "status": "online", "cancel_only": false, "limit_only": false, "post_only": false,
            "trading_disabled": false, "auction_mode": false, "product_type": "SPOT",
            "quote_currency_id": CASH, "base_currency_id": self.base, "fcm_trading_session_details": null,
            "mid_market_price": "", "alias": "", "alias_to": [], "base_display_symbol": self.base,
            "quote_display_symbol": CASH, "view_only": false, "price_increment": number(price_increment()),
            "display_name": self.id, "product_venue": "CBE", "approximate_quote_24h_volume": "0",
        })
    }

    fn book(&self, desk: &Desk) -> Value {
        // A quote without sizes means any.
        let size = |size: Decimal| if size.is_zero() { Decimal::ONE } else { size };
        let level = |price: Decimal, of: Decimal| json!([{"price": number(price), "size": number(size(of))}]);
        let (bids, asks, at) = match desk.price(&self.symbol) {
            Some(quote) => {
                (level(quote.bid, quote.bid_size), level(quote.ask, quote.ask_size), quote.timestamp)
            }
            None => match desk.meets(&self.symbol, true) {
                Some(last) => (level(last, Decimal::ONE), level(last, Decimal::ONE), desk.clock()),
                None => (json!([]), json!([]), desk.clock()),
            },
        };
        json!({"product_id": self.id, "bids": bids, "asks": asks, "time": at.to_string()})
    }
}

pub(super) fn one(desk: &Desk, id: &str) -> Answer {
    match by_id(desk, id) {
        Some(product) => Answer::json(200, &product.json(desk)),
        None => not_found("product not found"),
    }
}

/// All products, or those that are named.
pub(super) fn all(desk: &Desk, request: &Request) -> Answer {
    let named = many(request, &["product_ids"]);
    let products: Vec<Product> = match named.is_empty() {
        true => listed().iter().filter_map(|symbol| product(desk, symbol)).collect(),
        false => named.iter().filter_map(|id| by_id(desk, id)).collect(),
    };
    let rows: Vec<Value> = match request.parameter("product_type") {
        None | Some("SPOT" | "UNKNOWN_PRODUCT_TYPE") => products.iter().map(|row| row.json(desk)).collect(),
        Some(_) => Vec::new(),
    };
    Answer::json(200, &json!({"num_products": rows.len(), "products": rows}))
}

pub(super) fn best_bid_ask(desk: &Desk, request: &Request) -> Answer {
    let named = many(request, &["product_ids"]);
    let mut books = Vec::new();
    if named.is_empty() {
        books.extend(listed().iter().filter_map(|symbol| product(desk, symbol)).map(|row| row.book(desk)));
    }
    for id in named {
        let Some(product) = by_id(desk, id) else { return not_found("product not found") };
        books.push(product.book(desk));
    }
    Answer::json(200, &json!({"pricebooks": books}))
}

pub(super) fn book(desk: &Desk, request: &Request) -> Answer {
    match request.parameter("product_id").and_then(|id| by_id(desk, id)) {
        Some(product) => Answer::json(200, &json!({"pricebook": product.book(desk)})),
        None => not_found("product not found"),
    }
}

/// What trading costs.
pub(super) fn transaction_summary(desk: &Desk) -> Answer {
    let rate = |points: Decimal| number(points / Decimal::from(10_000));
    let volume: Decimal = desk.fills().iter().map(|fill| fill.quantity.saturating_mul(fill.price)).sum();
    let fees: Decimal = desk.fills().iter().map(|fill| fill.fees).sum();
    let float = |value: Decimal| serde_json::from_str(&number(value)).unwrap_or(Value::Null);
    let body = json!({
        "total_volume": float(volume), "total_fees": float(fees),
        "fee_tier": {
            "pricing_tier": "Advanced 1", "usd_from": "0", "usd_to": "1000", "taker_fee_rate": rate(TAKER),
            "maker_fee_rate": rate(MAKER), "aop_from": "", "aop_to": "",
        },
        "margin_rate": null, "goods_and_services_tax": null, "advanced_trade_only_volume": float(volume),
        "advanced_trade_only_fees": float(fees), "coinbase_pro_volume": 0, "coinbase_pro_fees": 0,
        "total_balance": "", "has_promo_fee": false,
    });
    Answer::json(200, &body)
}
