//! What trades, and when.

use super::not_found;
use super::read::instant;
use crate::desk::Desk;
use crate::dialect::{Answer, Request};
use chrono::{NaiveDate, SecondsFormat};
use chrono_tz::America::New_York;
use mts_foundation::symbology::{EquityForm, Form, PairForm};
use mts_foundation::{AssetClass, Decimal, MarketCalendar, Session, Symbol, VenueSymbology};
use serde_json::{Value, json};

/// How the venue spells instruments.
const SPELLING: VenueSymbology = VenueSymbology::new(
    "alpaca",
    &[Form::Equity(EquityForm::PLAIN), Form::Crypto(PairForm { separator: "/", ..PairForm::PLAIN })],
);

/// What is always listed: our symbol, exchange and name. Besides these, what has a price trades.
const LISTED: &[(&str, &str, &str)] = &[
    ("AAPL", "NASDAQ", "Apple Inc. Common Stock"),
    ("MSFT", "NASDAQ", "Microsoft Corporation Common Stock"),
    ("SPY", "ARCA", "SPDR S&P 500 ETF Trust"),
    ("BRK.B", "NYSE", "Berkshire Hathaway Inc. Class B"),
    ("F", "NYSE", "Ford Motor Company"),
    ("BTC-USD", "CRYPTO", "Bitcoin / US Dollar"),
    ("ETH-USD", "CRYPTO", "Ethereum / US Dollar"),
];

/// An instrument of the venue.
#[derive(Debug, Clone)]
pub(super) struct Asset {
    pub(super) symbol: Symbol,
    pub(super) native: String,
    pub(super) is_crypto: bool,
    pub(super) exchange: &'static str,
    name: &'static str,
}

/// The symbols that are always listed.
pub(super) fn listed() -> Vec<Symbol> {
    LISTED.iter().filter_map(|(symbol, ..)| Symbol::new(symbol).ok()).collect()
}

/// The instrument of a symbol of ours.
pub(super) fn asset(desk: &Desk, symbol: &Symbol) -> Option<Asset> {
    let is_crypto = match symbol.parts().ok()?.asset_class() {
        AssetClass::Crypto => true,
        AssetClass::Equities => false,
        _ => return None,
    };
    let row = LISTED.iter().find(|(listed, ..)| *listed == symbol.as_str());
    let other = || desk.meets(symbol, true).map(|_| ("", if is_crypto { "CRYPTO" } else { "NYSE" }, "Other"));
    let (_, exchange, name) = row.copied().or_else(other)?;
    let native = SPELLING.to_native(symbol).ok()?.to_string();
    Some(Asset { symbol: symbol.clone(), native, is_crypto, exchange, name })
}

/// The instrument of a venue's text; crypto is known without its slash too.
pub(super) fn by_native(desk: &Desk, native: &str) -> Option<Asset> {
    let spelled = |native: &str| SPELLING.from_native(native).ok().and_then(|symbol| asset(desk, &symbol));
    let pair =
        || native.strip_suffix("USD").filter(|base| !base.is_empty()).map(|base| format!("{base}/USD"));
    spelled(native).or_else(|| spelled(&pair()?))
}

impl Asset {
    /// The id, a function of the symbol.
    pub(super) fn id(&self, desk: &Desk) -> String {
        desk.uuid(&self.native, 0)
    }

    pub(super) fn class(&self) -> &'static str {
        if self.is_crypto { "crypto" } else { "us_equity" }
    }

    /// The smallest step of a price, at a price.
    pub(super) fn tick(&self, price: Decimal) -> Decimal {
        match (self.is_crypto, price >= Decimal::ONE) {
            (true, _) => Decimal::new(1, 9),
            (false, true) => Decimal::new(1, 2),
            (false, false) => Decimal::new(1, 4),
        }
    }

    fn json(&self, desk: &Desk) -> Value {
        let shares = !self.is_crypto;
        let mut asset = json!({
            "id": self.id(desk), "class": self.class(), "exchange": self.exchange, "symbol": self.native,
            "name": self.name, "status": "active", "tradable": true, "marginable": shares,
            "maintenance_margin_requirement": if shares { 30 } else { 100 }, "shortable": shares,
            "easy_to_borrow": shares, "fractionable": true, "attributes": [],
        });
        if let (false, Some(asset)) = (shares, asset.as_object_mut()) {
            asset.insert("min_order_size".to_owned(), json!("0.00001"));
            asset.insert("min_trade_increment".to_owned(), json!("0.000000001"));
            asset.insert("price_increment".to_owned(), json!("0.000000001"));
        }
        asset
    }
}

pub(super) fn one(desk: &Desk, native: &str) -> Answer {
    match by_native(desk, native) {
        Some(asset) => Answer::json(200, &asset.json(desk)),
        None => not_found(format!("asset not found for {native}")),
    }
}

pub(super) fn all(desk: &Desk, request: &Request) -> Answer {
    let class = request.parameter("asset_class").unwrap_or("us_equity");
    let assets = listed().into_iter().filter_map(|symbol| asset(desk, &symbol));
    let rows: Vec<Value> =
        assets.filter(|asset| asset.class() == class).map(|asset| asset.json(desk)).collect();
    Answer::json(200, &json!(rows))
}

/// The market of the double is always open; when the real one opens and closes next is told as it is.
pub(super) fn clock(desk: &Desk) -> Answer {
    let now = desk.clock().to_datetime();
    let local = now.with_timezone(&New_York).to_rfc3339_opts(SecondsFormat::Nanos, false);
    let next = |after: NaiveDate| MarketCalendar::builtin("XNYS").ok()?.next_session(after).ok();
    let today = now.with_timezone(&New_York).date_naive();
    let present =
        MarketCalendar::builtin("XNYS").ok().and_then(|known| known.session_on(today).ok().flatten());
    let pick = |instant: fn(&Session) -> chrono::DateTime<chrono::Utc>| {
        let session = present.filter(|session| instant(session) > now).or_else(|| next(today));
        // Beyond the known calendars the next day stands in.
        let at = session.map_or_else(|| now + chrono::TimeDelta::days(1), |session| instant(&session));
        at.with_timezone(&New_York).to_rfc3339_opts(SecondsFormat::Secs, false)
    };
    let body = json!({
        "timestamp": local, "is_open": true, "next_open": pick(|session| session.open),
        "next_close": pick(|session| session.close),
    });
    Answer::json(200, &body)
}

pub(super) fn calendar(desk: &Desk, request: &Request) -> Answer {
    let today = desk.clock().to_datetime().date_naive();
    let day = |name: &str| {
        request.parameter(name).and_then(instant).map(|instant| instant.to_datetime().date_naive())
    };
    let (from, to) =
        (day("start").unwrap_or(today), day("end").unwrap_or(today + chrono::TimeDelta::days(30)));
    let sessions = MarketCalendar::builtin("XNYS").ok().and_then(|known| known.sessions(from, to).ok());
    let rows: Vec<Value> = sessions
        .unwrap_or_default()
        .iter()
        .map(|session| {
            let local =
                |at: chrono::DateTime<chrono::Utc>| at.with_timezone(&New_York).format("%H:%M").to_string();
            json!({
                "date": session.date.to_string(), "open": local(session.open), "close": local(session.close),
                "session_open": "0400", "session_close": "2000",
            })
        })
        .collect();
    Answer::json(200, &json!(rows))
}
