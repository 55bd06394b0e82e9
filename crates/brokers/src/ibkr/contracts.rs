//! Instruments as Interactive Brokers names them: by several fields and not by one text. Pure.
//!
//! | canonical | type | fields |
//! |---|---|---|
//! | `AAPL`, `BRK.B` | `STK` | symbol, class after a space; SMART, USD |
//! | `0700.HK` | `STK` | number without zeros; the market's exchange and currency |
//! | `AAPL260116C00200000` | `OPT` | the OCC's name with its root filled to six letters; SMART, USD |
//! | `ESZ26` | `FUT` | root and month of the contract; the exchange by the settings, else the only one there is |
//! | `EUR-USD` | `CASH` | base and quote; IDEALPRO |
//! | `BTC-USD` | `CRYPTO` | base and quote; PAXOS |
//!
//! What a share says of its market after a trade is its currency, and perhaps its exchange of listing; where that is not enough
//! (several markets have the euro) the number that TWS gave it when it was looked up says which it is.

pub use super::wire::ContractFields;

use mts_foundation::symbology::{DatedFuture, Equity, Form, OptionForm, Pair, SymbolParts};
use mts_foundation::{Decimal, Symbol, VenueSymbology};
use smol_str::{SmolStr, ToSmolStr, format_smolstr};
use std::collections::BTreeMap;

/// Options by the name that the OCC gives them, as TWS writes it.
const OPTIONS: VenueSymbology =
    VenueSymbology::new("ibkr", &[Form::Option(OptionForm { root_width: 6, ..OptionForm::PLAIN })]);

/// Markets outside the United States: code, exchange, currency. `marketdata/src/ibkr/contracts.rs` has them too, for prices:
/// neither crate sees the other, and foundation knows no venue. What is changed here is changed there.
const MARKETS: &[(&str, &str, &str)] = &[
    ("AU", "ASX", "AUD"),
    ("CA", "TSE", "CAD"),
    ("CH", "EBS", "CHF"),
    ("DE", "IBIS", "EUR"),
    ("FR", "SBF", "EUR"),
    ("GB", "LSE", "GBP"),
    ("HK", "SEHK", "HKD"),
    ("IN", "NSE", "INR"),
    ("JP", "TSEJ", "JPY"),
    ("NL", "AEB", "EUR"),
    ("SG", "SGX", "SGD"),
];

const MONTHS: &[u8; 12] = b"FGHJKMNQUVXZ";

/// The fields that name an instrument. `exchanges` says where futures trade, by their root.
///
/// # Errors
/// A sentence that names the symbol and why it has none.
pub fn contract_of(
    symbol: &Symbol,
    exchanges: &BTreeMap<SmolStr, SmolStr>,
) -> Result<ContractFields, String> {
    let parts = symbol.parts().map_err(|error| error.to_string())?;
    let plain = ContractFields { multiplier: Decimal::ONE, ..ContractFields::default() };
    let usd = SmolStr::new_static("USD");
    match parts {
        SymbolParts::Equity(share) => share_of(symbol, share, plain),
        SymbolParts::Pair(pair) => Ok(ContractFields {
            sec_type: SmolStr::new_static(if pair.is_fx() { "CASH" } else { "CRYPTO" }),
            symbol: pair.base().into(),
            currency: pair.quote().into(),
            exchange: SmolStr::new_static(if pair.is_fx() { "IDEALPRO" } else { "PAXOS" }),
            ..plain
        }),
        SymbolParts::Option(_) => Ok(ContractFields {
            sec_type: SmolStr::new_static("OPT"),
            local_symbol: OPTIONS.to_native(symbol).map_err(|error| error.to_string())?,
            exchange: SmolStr::new_static("SMART"),
            multiplier: Decimal::ONE_HUNDRED,
            currency: usd,
            ..plain
        }),
        SymbolParts::Future(future) => Ok(ContractFields {
            sec_type: SmolStr::new_static("FUT"),
            symbol: future.root().into(),
            expiry: format_smolstr!("{:04}{:02}", future.year(), future.month()),
            exchange: exchanges.get(future.root()).cloned().unwrap_or_default(),
            ..plain
        }),
        SymbolParts::Perpetual(_) | SymbolParts::Prediction(_) | SymbolParts::Sports(_) => {
            Err(format!("symbol {symbol}: {} do not trade at Interactive Brokers", parts.kind()))
        }
    }
}

fn share_of(symbol: &Symbol, share: Equity<'_>, plain: ContractFields) -> Result<ContractFields, String> {
    let (exchange, currency) = match share.market() {
        None => ("SMART", "USD"),
        Some(market) => MARKETS
            .iter()
            .find(|(code, ..)| *code == market.code())
            .map(|(_, exchange, currency)| (*exchange, *currency))
            .ok_or_else(|| {
                format!("symbol {symbol}: the market {} is not known to this adapter", market.code())
            })?,
    };
    let root = match share.market() {
        Some(market) if market.digits() > 0 => share.root().trim_start_matches('0'),
        _ => share.root(),
    };
    Ok(ContractFields {
        sec_type: SmolStr::new_static("STK"),
        symbol: match share.class() {
            Some(class) => format_smolstr!("{root} {class}"),
            None => root.into(),
        },
        exchange: SmolStr::new_static(exchange),
        currency: SmolStr::new_static(currency),
        ..plain
    })
}

/// The instrument of these fields; `None` = one that has no canonical name, or not enough is said to know it.
#[must_use]
pub fn symbol_of(contract: &ContractFields) -> Option<Symbol> {
    match contract.sec_type.as_str() {
        "STK" => share(contract),
        "CASH" | "CRYPTO" => {
            let pair = Pair::new(&contract.symbol, &contract.currency).ok()?;
            (pair.is_fx() == (contract.sec_type == "CASH")).then(|| SymbolParts::Pair(pair).to_symbol())
        }
        "OPT" => option(contract),
        "FUT" => future(contract),
        _ => None,
    }
}

fn share(contract: &ContractFields) -> Option<Symbol> {
    let (root, class) = match contract.symbol.split_once(' ') {
        Some((root, class)) => (root, Some(class)),
        None => (contract.symbol.as_str(), None),
    };
    let of_exchange = |exchange: &str| MARKETS.iter().find(|(_, name, _)| *name == exchange);
    let market = match (of_exchange(&contract.primary_exchange), of_exchange(&contract.exchange)) {
        (Some(market), _) | (None, Some(market)) if market.2 == contract.currency => Some(market.0),
        _ if contract.currency == "USD" => None,
        _ => {
            let mut same = MARKETS.iter().filter(|(.., currency)| *currency == contract.currency);
            let only = same.next()?;
            // The euro has several.
            same.next().is_none().then_some(Some(only.0))?
        }
    };
    let padded = match market.and_then(mts_foundation::symbology::Market::of) {
        Some(market) if root.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{root:0>width$}", width = market.digits())
        }
        _ => root.to_owned(),
    };
    let text = match (class, market) {
        (None, None) => padded,
        (Some(class), None) => format!("{padded}.{class}"),
        (None, Some(market)) => format!("{padded}.{market}"),
        (Some(class), Some(market)) => format!("{padded}.{class}.{market}"),
    };
    let symbol = Symbol::new(text).ok()?;
    let is_share = matches!(symbol.parts(), Ok(SymbolParts::Equity(_)));
    is_share.then_some(symbol)
}

fn option(contract: &ContractFields) -> Option<Symbol> {
    if let Ok(symbol) = OPTIONS.from_native(&contract.local_symbol) {
        return Some(symbol);
    }
    if contract.right.is_empty() || contract.expiry.len() != 8 {
        return None;
    }
    let thousandths = contract.strike.checked_mul(Decimal::ONE_THOUSAND)?.normalize();
    if thousandths.scale() > 0 || thousandths <= Decimal::ZERO {
        return None;
    }
    let root: String = contract.symbol.chars().filter(|letter| *letter != ' ').collect();
    let right = contract.right.get(..1)?;
    let name = format!("{root:<6}{}{right}{:0>8}", contract.expiry.get(2..)?, thousandths.to_string());
    OPTIONS.from_native(&name).ok()
}

/// The month of the contract is in its own name, `CLZ6`; what stands as expiry may be the month before. The decade is the
/// expiry's.
fn future(contract: &ContractFields) -> Option<Symbol> {
    let said: i32 = contract.expiry.get(..4)?.parse().ok()?;
    let by_name = contract.local_symbol.strip_prefix(contract.symbol.as_str()).and_then(|rest| {
        let [month, year] = rest.as_bytes() else { return None };
        let month = MONTHS.iter().position(|code| code == month)?;
        let digit = i32::from(year.checked_sub(b'0').filter(|digit| *digit < 10)?);
        // A contract may be settled in the year before or after its own.
        let year = (said - 1..=said + 1).find(|year| year % 10 == digit)?;
        Some((u32::try_from(month).ok()? + 1, year))
    });
    let (month, year) = match by_name {
        Some(found) => found,
        None => (contract.expiry.get(4..6)?.parse().ok()?, said),
    };
    let future = DatedFuture::new(&contract.symbol, month, year).ok()?;
    Some(SymbolParts::Future(future).to_symbol())
}

/// A name for what has no canonical one, so that money is told all the same.
pub(super) fn stand_in(contract: &ContractFields) -> Option<Symbol> {
    Symbol::new(format!("IBKR:{}", contract.con_id)).ok()
}

/// The symbol and currency of a contract for people.
pub(super) fn words(contract: &ContractFields) -> SmolStr {
    [&contract.sec_type, &contract.symbol, &contract.local_symbol, &contract.currency]
        .map(|part| part.as_str())
        .join(" ")
        .to_smolstr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> ContractFields {
        let exchanges = BTreeMap::from([("ES".into(), "CME".into())]);
        contract_of(&Symbol::new(text).unwrap(), &exchanges).unwrap()
    }

    fn short(contract: &ContractFields) -> [&str; 6] {
        let ContractFields { sec_type, symbol, local_symbol, expiry, exchange, currency, .. } = contract;
        [sec_type, symbol, local_symbol, expiry, exchange, currency].map(|field| field.as_str())
    }

    #[test]
    fn the_documented_instruments_have_their_fields() {
        let cases = [
            ("AAPL", ["STK", "AAPL", "", "", "SMART", "USD"]),
            ("BRK.B", ["STK", "BRK B", "", "", "SMART", "USD"]),
            ("0700.HK", ["STK", "700", "", "", "SEHK", "HKD"]),
            ("RCI.B.CA", ["STK", "RCI B", "", "", "TSE", "CAD"]),
            ("AAPL260116C00200000", ["OPT", "", "AAPL  260116C00200000", "", "SMART", "USD"]),
            ("ESZ26", ["FUT", "ES", "", "202612", "CME", ""]),
            ("CLZ26", ["FUT", "CL", "", "202612", "", ""]),
            ("EUR-USD", ["CASH", "EUR", "", "", "IDEALPRO", "USD"]),
            ("BTC-USD", ["CRYPTO", "BTC", "", "", "PAXOS", "USD"]),
        ];
        for (symbol, fields) in cases {
            assert_eq!(short(&of(symbol)), fields, "{symbol}");
            assert_eq!(symbol_of(&of(symbol)).unwrap().as_str(), symbol);
        }
        for refused in ["BTC-USDT-PERP", "PM:X", "SP:X", "005930.KR", "SPX-2026"] {
            assert!(contract_of(&Symbol::new(refused).unwrap(), &BTreeMap::new()).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_trade_says_what_was_traded_in_other_fields_than_an_order() {
        let traded = |from: &str, change: fn(&mut ContractFields)| {
            let mut contract = of(from);
            change(&mut contract);
            symbol_of(&contract).map(|symbol| symbol.to_string())
        };
        // The exchange is the one of the trade.
        assert_eq!(traded("AAPL", |it| it.exchange = "IEX".into()).as_deref(), Some("AAPL"));
        assert_eq!(traded("0700.HK", |it| it.exchange = "SEHKSZSE".into()).as_deref(), Some("0700.HK"));
        let paris: fn(&mut ContractFields) = |it| (it.exchange, it.currency) = ("AQUIS".into(), "EUR".into());
        assert_eq!(traded("AAPL", paris), None, "the euro does not say which market");
        let listed: fn(&mut ContractFields) =
            |it| (it.primary_exchange, it.currency) = ("SBF".into(), "EUR".into());
        assert_eq!(traded("AAPL", listed).as_deref(), Some("AAPL.FR"));
        // The December contract of crude oil ends in November.
        let crude: fn(&mut ContractFields) =
            |it| (it.local_symbol, it.expiry) = ("CLZ6".into(), "20261120".into());
        assert_eq!(traded("CLZ26", crude).as_deref(), Some("CLZ26"));
        let next_year: fn(&mut ContractFields) =
            |it| (it.local_symbol, it.expiry) = ("CLF7".into(), "20261218".into());
        assert_eq!(traded("CLZ26", next_year).as_deref(), Some("CLF27"));
        let tuple: fn(&mut ContractFields) = |it| {
            it.local_symbol = SmolStr::default();
            (it.symbol, it.expiry, it.right) = ("AAPL".into(), "20260116".into(), "C".into());
            it.strike = Decimal::new(1_975, 1);
        };
        assert_eq!(traded("AAPL260116C00200000", tuple).as_deref(), Some("AAPL260116C00197500"));
        assert_eq!(traded("AAPL", |it| it.sec_type = "BAG".into()), None);
        assert_eq!(traded("EUR-USD", |it| it.sec_type = "CRYPTO".into()), None);
    }

    proptest! {
        #[test]
        fn no_fields_are_a_panic_and_what_is_named_goes_back(
            kind in proptest::sample::select(vec!["STK", "OPT", "FUT", "CASH", "CRYPTO", "BAG", ""]),
            symbol in ".{0,8}", local in ".{0,22}", expiry in "[0-9é]{0,9}", right in ".{0,3}", currency in "[A-Z]{0,4}",
            exchange in "[A-Z]{0,6}", strike in any::<i64>(),
        ) {
            let contract = ContractFields {
                sec_type: kind.into(), symbol: symbol.into(), local_symbol: local.into(), expiry: expiry.into(),
                right: right.into(), currency: currency.into(), exchange: exchange.into(),
                strike: Decimal::new(strike, 3), ..ContractFields::default()
            };
            if let Some(symbol) = symbol_of(&contract) {
                let back = contract_of(&symbol, &BTreeMap::new()).unwrap();
                prop_assert_eq!(symbol_of(&back), Some(symbol));
            }
        }
    }
}
