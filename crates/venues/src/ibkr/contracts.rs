//! What trades: contracts of shares, options, futures, currencies and crypto.

use super::proto::{Contract, ContractData, ContractDetails};
use super::read::float;
use crate::desk::Desk;
use chrono::{Datelike, NaiveDate, Weekday};
use mts_foundation::symbology::{DatedFuture, Equity, OptionContract, OptionRight, Pair, SymbolParts};
use mts_foundation::{Decimal, Symbol, num};

/// What is always listed: our symbol, the venue's id where it is known, and the name. Besides these, what has a price trades.
const LISTED: &[(&str, i32, &str)] = &[
    ("AAPL", 265_598, "APPLE INC"),
    ("MSFT", 272_093, "MICROSOFT CORP"),
    ("SPY", 756_733, "SPDR S&P 500 ETF TRUST"),
    ("BRK.B", 72_063_691, "BERKSHIRE HATHAWAY INC-CL B"),
    ("AAPL291221C00200000", 0, "APPLE INC"),
    ("ESZ29", 0, "E-mini S&P 500"),
    ("EUR-USD", 12_087_792, "European Monetary Union Euro"),
    ("BTC-USD", 479_624_278, "Bitcoin cryptocurrency"),
    ("ETH-USD", 495_759_171, "Ethereum cryptocurrency"),
];

/// Money per point of a future, by its root.
const FUTURES: &[(&str, i64)] = &[("ES", 50), ("MES", 5), ("NQ", 20), ("MNQ", 2), ("CL", 1_000), ("GC", 100)];

/// What kind of thing a contract is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Stock,
    Option,
    Future,
    Cash,
    Crypto,
}

impl Kind {
    /// The venue's name of it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Stock => "STK",
            Self::Option => "OPT",
            Self::Future => "FUT",
            Self::Cash => "CASH",
            Self::Crypto => "CRYPTO",
        }
    }

    fn exchange(self) -> &'static str {
        match self {
            Self::Stock | Self::Option => "SMART",
            Self::Future => "CME",
            Self::Cash => "IDEALPRO",
            Self::Crypto => "PAXOS",
        }
    }

    /// The smallest step of a price, at a price.
    pub(super) fn tick(self, price: Decimal) -> Decimal {
        match self {
            Self::Stock if price < Decimal::ONE => Decimal::new(1, 4),
            Self::Stock | Self::Option | Self::Crypto => Decimal::new(1, 2),
            Self::Future => Decimal::new(25, 2),
            Self::Cash => Decimal::new(5, 5),
        }
    }

    /// The smallest step of a quantity.
    pub(super) fn lot(self) -> Decimal {
        match self {
            Self::Stock | Self::Option | Self::Future | Self::Cash => Decimal::ONE,
            Self::Crypto => Decimal::new(1, 8),
        }
    }
}

/// An instrument of the venue.
#[derive(Debug, Clone)]
pub(super) struct Instrument {
    pub(super) symbol: Symbol,
    pub(super) kind: Kind,
    /// As the venue tells it where it is not in its details.
    pub(super) contract: Contract,
    name: &'static str,
}

/// The symbols that are always listed.
pub(super) fn listed() -> Vec<Symbol> {
    LISTED.iter().filter_map(|(symbol, ..)| Symbol::new(symbol).ok()).collect()
}

/// Money per unit and price point.
pub(super) fn multiplier(symbol: &Symbol) -> Decimal {
    match symbol.parts() {
        Ok(SymbolParts::Option(_)) => Decimal::ONE_HUNDRED,
        Ok(SymbolParts::Future(future)) => {
            let known = FUTURES.iter().find(|(root, _)| *root == future.root());
            known.map_or(Decimal::ONE, |(_, money)| Decimal::from(*money))
        }
        _ => Decimal::ONE,
    }
}

/// The instrument of a symbol of ours.
pub(super) fn instrument(desk: &Desk, symbol: &Symbol) -> Option<Instrument> {
    let row = LISTED.iter().find(|(listed, ..)| *listed == symbol.as_str());
    let other = || desk.meets(symbol, true).map(|_| ("", 0, ""));
    let (_, known, name) = row.copied().or_else(other)?;
    let (kind, contract) = contract_of(symbol)?;
    let made = || i32::try_from(900_000_000 + desk.count(symbol.as_str(), 0, 8)).unwrap_or(i32::MAX);
    let contract = Contract { con_id: Some(if known == 0 { made() } else { known }), ..contract };
    Some(Instrument { symbol: symbol.clone(), kind, contract, name })
}

/// The contract that a symbol means, without its id.
fn contract_of(symbol: &Symbol) -> Option<(Kind, Contract)> {
    let text = |text: &str| Some(text.to_owned());
    let (kind, contract) = match symbol.parts().ok()? {
        SymbolParts::Equity(share) if share.market().is_none() => {
            let native = symbol.as_str().replace('.', " ");
            let class = if native == "AAPL" || native == "MSFT" { "NMS" } else { native.as_str() };
            let contract = Contract {
                trading_class: text(class),
                local_symbol: text(&native),
                symbol: Some(native),
                ..Contract::default()
            };
            (Kind::Stock, contract)
        }
        SymbolParts::Pair(pair) => {
            let kind = if pair.is_fx() { Kind::Cash } else { Kind::Crypto };
            let local = format!("{}.{}", pair.base(), pair.quote());
            let contract = Contract {
                symbol: text(pair.base()),
                currency: text(pair.quote()),
                trading_class: text(if pair.is_fx() { &local } else { pair.base() }),
                local_symbol: Some(local),
                ..Contract::default()
            };
            (kind, contract)
        }
        SymbolParts::Option(option) => {
            let expiry = option.expiry().format("%Y%m%d").to_string();
            let thousandths = (option.strike() * Decimal::ONE_THOUSAND).normalize();
            let (root, right) = (option.root(), option.right().letter());
            let local = format!("{root:<6}{}{right}{thousandths:0>8}", expiry.get(2..).unwrap_or_default());
            let contract = Contract {
                symbol: text(root),
                strike: Some(float(option.strike())),
                right: Some(right.to_string()),
                local_symbol: Some(local),
                trading_class: text(root),
                last_trade_date: Some(expiry.clone()),
                last_trade_date_or_contract_month: Some(expiry),
                ..Contract::default()
            };
            (Kind::Option, contract)
        }
        SymbolParts::Future(future) => {
            let last = last_day(&future)?.format("%Y%m%d").to_string();
            let local = format!("{}{}{}", future.root(), future.month_code(), future.year() % 10);
            let contract = Contract {
                symbol: text(future.root()),
                local_symbol: Some(local),
                trading_class: text(future.root()),
                last_trade_date: Some(last.clone()),
                last_trade_date_or_contract_month: Some(last),
                ..Contract::default()
            };
            (Kind::Future, contract)
        }
        _ => return None,
    };
    let multiplier = multiplier(symbol);
    let contract = Contract {
        sec_type: text(kind.as_str()),
        exchange: text(kind.exchange()),
        currency: contract.currency.or_else(|| text("USD")),
        multiplier: (multiplier != Decimal::ONE).then(|| float(multiplier)),
        ..contract
    };
    Some((kind, contract))
}

/// The third Friday of the month, for every future.
fn last_day(future: &DatedFuture<'_>) -> Option<NaiveDate> {
    NaiveDate::from_weekday_of_month_opt(future.year(), future.month(), Weekday::Fri, 3)
}

/// The instrument that a client's contract means; `None` = none or several.
pub(super) fn find(desk: &Desk, wanted: &Contract) -> Option<Instrument> {
    let id = wanted.con_id.unwrap_or_default();
    if id != 0 {
        let symbols = listed().into_iter().chain(desk.quoted().cloned());
        let found = symbols.filter_map(|symbol| instrument(desk, &symbol));
        return found.into_iter().find(|found| found.contract.con_id == Some(id)).filter(|found| {
            let given = text(wanted.sec_type.as_ref());
            given.is_empty() || given == found.kind.as_str()
        });
    }
    let found = instrument(desk, &symbol_of(wanted)?)?;
    let agrees = |given: &Option<String>, is: &[&str]| {
        let given = text(given.as_ref());
        given.is_empty() || is.contains(&given)
    };
    let (primary, currency) = (found.primary(), text(found.contract.currency.as_ref()));
    let fits = agrees(&wanted.exchange, &["SMART", found.kind.exchange(), primary])
        && agrees(&wanted.currency, &[currency])
        && agrees(&wanted.primary_exch, &[primary]);
    fits.then_some(found)
}

fn text(field: Option<&String>) -> &str {
    field.map_or("", String::as_str)
}

/// The symbol of ours that a contract without an id means.
fn symbol_of(wanted: &Contract) -> Option<Symbol> {
    let (symbol, local) = (text(wanted.symbol.as_ref()), text(wanted.local_symbol.as_ref()));
    let expiry = text(wanted.last_trade_date_or_contract_month.as_ref());
    match text(wanted.sec_type.as_ref()) {
        "STK" => {
            let name = if symbol.is_empty() { local } else { symbol };
            let (root, class) = match name.split_once(' ') {
                Some((root, class)) => (root, Some(class.chars().next()?)),
                None => (name, None),
            };
            Some(SymbolParts::Equity(Equity::new(root, class, None).ok()?).to_symbol())
        }
        kind @ ("CASH" | "CRYPTO") => {
            let (base, quote) = local.split_once('.').unwrap_or((symbol, text(wanted.currency.as_ref())));
            let pair = Pair::new(base, quote).ok()?;
            (pair.is_fx() == (kind == "CASH")).then(|| SymbolParts::Pair(pair).to_symbol())
        }
        "OPT" if !local.is_empty() => Symbol::new(local.replace(' ', "")).ok(),
        "OPT" => {
            let right = match text(wanted.right.as_ref()) {
                "C" | "CALL" => OptionRight::Call,
                "P" | "PUT" => OptionRight::Put,
                _ => return None,
            };
            let expiry = NaiveDate::parse_from_str(expiry, "%Y%m%d").ok()?;
            let strike = num::as_written(wanted.strike?)?;
            Some(SymbolParts::Option(OptionContract::new(symbol, expiry, right, strike).ok()?).to_symbol())
        }
        "FUT" => {
            let future = listed().into_iter().find(|listed| {
                let named = contract_of(listed).and_then(|(_, contract)| contract.local_symbol);
                !local.is_empty() && named.as_deref() == Some(local)
            });
            if future.is_some() {
                return future;
            }
            let (year, month) = (expiry.get(..4)?.parse().ok()?, expiry.get(4..6)?.parse().ok()?);
            let future = DatedFuture::new(symbol, month, year).ok()?;
            let day = last_day(&future)?;
            let fits = expiry.len() == 6 || expiry.get(6..) == Some(format!("{:02}", day.day()).as_str());
            fits.then(|| SymbolParts::Future(future).to_symbol())
        }
        _ => None,
    }
}

impl Instrument {
    /// Where it is listed first.
    pub(super) fn primary(&self) -> &'static str {
        match (self.kind, self.symbol.as_str()) {
            (Kind::Stock, "AAPL" | "MSFT") => "NASDAQ",
            (Kind::Stock, "SPY") => "ARCA",
            (Kind::Stock, _) => "NYSE",
            _ => self.kind.exchange(),
        }
    }

    /// The contract as it is told where a client named its exchange.
    pub(super) fn named(&self, exchange: Option<&String>) -> Contract {
        let exchange = exchange.filter(|exchange| !exchange.is_empty()).or(self.contract.exchange.as_ref());
        Contract { exchange: exchange.cloned(), ..self.contract.clone() }
    }

    /// All that the venue knows of it.
    pub(super) fn details(&self, request: Option<i32>) -> ContractData {
        let text = |text: &str| Some(text.to_owned());
        let number = |value: Decimal| Some(value.normalize().to_string());
        let hours = "20290101:0400-20290101:2000;20290102:0400-20290102:2000";
        let expiry = self.contract.last_trade_date.clone();
        let derived = matches!(self.kind, Kind::Option | Kind::Future);
        let details = ContractDetails {
            market_name: self.contract.trading_class.clone(),
            min_tick: number(self.kind.tick(Decimal::ONE)),
            order_types: text("LMT,MKT,STP,STPLMT,"),
            valid_exchanges: Some(match self.kind {
                Kind::Stock => format!("SMART,{}", self.primary()),
                _ => self.kind.exchange().to_owned(),
            }),
            price_magnifier: Some(1),
            under_con_id: Some(0),
            long_name: text(self.name),
            contract_month: expiry.as_ref().and_then(|expiry| expiry.get(..6)).map(str::to_owned),
            time_zone_id: text("US/Eastern"),
            trading_hours: text(hours),
            liquid_hours: text(hours),
            agg_group: Some(1),
            under_symbol: if derived { self.contract.symbol.clone() } else { None },
            under_sec_type: if self.kind == Kind::Option { text("STK") } else { None },
            market_rule_ids: text("26"),
            real_expiration_date: expiry,
            stock_type: if self.kind == Kind::Stock { text("COMMON") } else { None },
            min_size: number(self.kind.lot()),
            size_increment: number(self.kind.lot()),
            suggested_size_increment: number(self.kind.lot()),
        };
        let contract = Contract { primary_exch: text(self.primary()), ..self.contract.clone() };
        ContractData { req_id: request, contract: Some(contract), contract_details: Some(details) }
    }
}
