//! Orders, account, positions and quotes as the venue writes them: numbers as text, instants with their fraction.

use super::assets::{Asset, asset, by_native};
use super::not_found;
use crate::desk::{Desk, Row, State};
pub(super) use crate::dialect::number;
use crate::dialect::{Answer, Request};
use mts_foundation::position::Holding;
use mts_foundation::{Decimal, Symbol, TimeInForce, Timestamp};
use serde_json::{Map, Value, json};

/// Buying power over equity.
const MULTIPLIER: Decimal = Decimal::TWO;

fn optional(value: Option<Decimal>) -> Value {
    value.map_or(Value::Null, |value| json!(number(value)))
}

/// The state in the venue's words.
pub(super) fn status(row: &Row) -> &'static str {
    match row.state {
        State::Open | State::Triggered if !row.filled.is_zero() => "partially_filled",
        // What waits for the opening is taken and not yet at the market.
        State::Open if row.wanted.tif == TimeInForce::Opg => "accepted",
        State::Open | State::Triggered => "new",
        State::PendingCancel => "pending_cancel",
        State::Filled => "filled",
        State::Canceled => "canceled",
        State::Expired => "expired",
        State::Rejected => "rejected",
        State::Replaced => "replaced",
    }
}

/// An order, in the state it is in or in one that the venue says it is in.
pub(super) fn order(desk: &Desk, row: &Row, status: &str) -> Value {
    let wanted = &row.wanted;
    let asset = asset(desk, &wanted.symbol);
    let ended = |state: State| if row.state == state { row.ended.map(|at| at.to_string()) } else { None };
    let word = |name: &str| wanted.words.get(name);
    let quantity = if word("notional").is_some() { Value::Null } else { json!(number(wanted.quantity)) };
    json!({
        "id": row.id, "client_order_id": wanted.client_id, "created_at": row.created.to_string(),
        "updated_at": row.updated.to_string(), "submitted_at": row.created.to_string(),
        "filled_at": ended(State::Filled), "expired_at": ended(State::Expired),
        "canceled_at": ended(State::Canceled), "failed_at": ended(State::Rejected),
        "replaced_at": ended(State::Replaced), "replaced_by": row.replaced_by, "replaces": row.replaces,
        "cancel_requested_at": row.cancel_asked.map(|at| at.to_string()),
        "asset_id": asset.as_ref().map(|asset| asset.id(desk)),
        "symbol": asset.as_ref().map(|asset| asset.native.clone()),
        "asset_class": asset.as_ref().map(Asset::class), "notional": word("notional"), "qty": quantity,
        "filled_qty": number(row.filled), "filled_avg_price": optional(row.average_price()),
        "order_class": word("order_class").map_or("", String::as_str), "order_type": wanted.order_type.as_str(),
        "type": wanted.order_type.as_str(), "side": if wanted.buys { "buy" } else { "sell" },
        "position_intent": word("position_intent"), "time_in_force": wanted.tif.as_str(),
        "limit_price": optional(wanted.limit_price), "stop_price": optional(wanted.stop_price),
        "status": status, "extended_hours": wanted.extended_hours, "legs": null, "trail_percent": null,
        "trail_price": null, "hwm": null, "subtag": null, "source": null,
        "expires_at": if wanted.tif == TimeInForce::Gtc { json!(expires(row.created)) } else { Value::Null },
    })
}

/// Orders until cancelled end after ninety days.
fn expires(created: Timestamp) -> String {
    created.plus(std::time::Duration::from_secs(90 * 86_400)).to_string()
}

/// Cash and what can be bought for it.
pub(super) struct Means {
    pub(super) equity: Decimal,
    /// On margin.
    pub(super) buying_power: Decimal,
    /// For what cannot be bought on margin.
    pub(super) cash_power: Decimal,
}

impl Means {
    pub(super) fn of(desk: &Desk) -> Self {
        let equity = desk.cash() + desk.positions().market_value();
        let gross: Decimal = desk.positions().iter().map(|(_, held)| held.market_value().abs()).sum();
        let reserved = desk.reserved();
        let buying_power = (equity * MULTIPLIER - gross - reserved).max(Decimal::ZERO);
        Self { equity, buying_power, cash_power: (desk.cash() - reserved).max(Decimal::ZERO) }
    }
}

pub(super) fn account(desk: &Desk) -> Value {
    let means = Means::of(desk);
    let held = || desk.positions().iter().map(|(_, held)| held.market_value());
    let long: Decimal = held().filter(|value| value.is_sign_positive()).sum();
    let short: Decimal = held().filter(|value| value.is_sign_negative()).sum();
    let (power, cash_power) = (number(means.buying_power), number(means.cash_power));
    json!({
        "id": desk.uuid("account", 0), "account_number": "PA3MTSDOUBLE", "status": "ACTIVE",
        "crypto_status": "ACTIVE", "currency": "USD", "cash": number(desk.cash()),
        "equity": number(means.equity), "last_equity": number(means.equity),
        "portfolio_value": number(means.equity), "buying_power": power, "regt_buying_power": power,
        "daytrading_buying_power": "0", "effective_buying_power": power,
        "non_marginable_buying_power": cash_power, "options_buying_power": cash_power,
        "options_approved_level": 0, "options_trading_level": 0, "multiplier": number(MULTIPLIER),
        "long_market_value": number(long), "short_market_value": number(short),
        "initial_margin": number((long - short) / Decimal::TWO), "maintenance_margin": "0",
        "last_maintenance_margin": "0", "sma": "0", "accrued_fees": "0", "pending_transfer_in": "0",
        "daytrade_count": 0, "pattern_day_trader": false, "trading_blocked": false, "transfers_blocked": false,
        "account_blocked": false, "trade_suspended_by_user": false, "shorting_enabled": true,
        "created_at": "2020-01-02T15:00:00Z",
    })
}

fn position(desk: &Desk, asset: &Asset, held: &Holding) -> Value {
    let cost = held.quantity * held.average_price;
    let gain = held.market_value() - cost;
    let share = gain.checked_div(cost.abs()).unwrap_or_default().round_dp(8);
    let closing = desk.on_order(&asset.symbol, held.quantity.is_sign_negative());
    let free = (held.quantity.abs() - closing).max(Decimal::ZERO);
    let free = if held.quantity.is_sign_negative() { -free } else { free };
    json!({
        "asset_id": asset.id(desk),
        // Positions in crypto are named without the slash.
        "symbol": asset.native.replace('/', ""), "exchange": asset.exchange, "asset_class": asset.class(),
        "asset_marginable": !asset.is_crypto, "avg_entry_price": number(held.average_price),
        "qty": number(held.quantity), "qty_available": number(free),
        "side": if held.quantity.is_sign_negative() { "short" } else { "long" },
        "market_value": number(held.market_value()), "cost_basis": number(cost),
        "unrealized_pl": number(gain), "unrealized_plpc": number(share),
        "unrealized_intraday_pl": number(gain), "unrealized_intraday_plpc": number(share),
        "current_price": number(held.last_price), "lastday_price": number(held.last_price), "change_today": "0",
    })
}

fn row_of(desk: &Desk, symbol: &Symbol, held: &Holding) -> Option<Value> {
    if held.quantity.is_zero() { None } else { Some(position(desk, &asset(desk, symbol)?, held)) }
}

pub(super) fn positions(desk: &Desk) -> Value {
    desk.positions().iter().filter_map(|(symbol, held)| row_of(desk, symbol, held)).collect()
}

pub(super) fn position_of(desk: &Desk, native: &str) -> Answer {
    let asset = by_native(desk, native);
    let held = asset.and_then(|asset| row_of(desk, &asset.symbol, desk.positions().get(&asset.symbol)?));
    match held {
        Some(held) => Answer::json(200, &held),
        None => not_found("position does not exist"),
    }
}

/// Prices of the data API are JSON numbers.
pub(super) fn price(value: Decimal) -> Value {
    serde_json::from_str(&number(value)).unwrap_or(Value::Null)
}

pub(super) fn latest_quotes(desk: &Desk, request: &Request) -> Answer {
    let mut quotes = Map::new();
    for native in request.parameter("symbols").unwrap_or_default().split(',') {
        let Some(asset) = by_native(desk, native) else { continue };
        let known = desk.price(&asset.symbol);
        let last = desk.meets(&asset.symbol, true);
        let touch = known
            .map(|quote| (quote.bid, quote.bid_size, quote.ask, quote.ask_size, quote.timestamp))
            .or_else(|| last.map(|last| (last, Decimal::ONE, last, Decimal::ONE, desk.clock())));
        let Some((bid, bid_size, ask, ask_size, at)) = touch else { continue };
        let mut quote = json!({
            "bp": price(bid), "bs": price(bid_size), "ap": price(ask), "as": price(ask_size), "t": at.to_string(),
        });
        if let (false, Some(quote)) = (asset.is_crypto, quote.as_object_mut()) {
            let venue = json!({"bx": "V", "ax": "V", "c": ["R"], "z": "C"});
            quote.extend(venue.as_object().cloned().unwrap_or_default());
        }
        quotes.insert(native.to_owned(), quote);
    }
    Answer::json(200, &json!({"quotes": quotes}))
}
