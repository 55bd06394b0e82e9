//! Instruments as Interactive Brokers names them: by several fields and not by one text. Pure.

use ibapi::contracts::{Contract, SecurityType};
use mts_foundation::symbology::{Form, OptionForm, SymbolParts};
use mts_foundation::{Symbol, VenueSymbology};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Options by the name that the OCC gives them, its root filled to six letters.
const OPTIONS: VenueSymbology =
    VenueSymbology::new("ibkr", &[Form::Option(OptionForm { root_width: 6, ..OptionForm::PLAIN })]);

/// Exchange and currency of shares outside the United States, by the code of their market. `brokers/src/ibkr/contracts.rs` has
/// them too, for orders: neither crate sees the other, and foundation knows no venue. What is changed here is changed there.
const ABROAD: &[(&str, &str, &str)] = &[
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

/// Where instruments are looked for that do not say it themselves.
#[derive(Debug, Clone)]
pub(super) struct Places<'a> {
    /// Of shares without a market, and of options.
    pub(super) exchange: &'a str,
    /// Of shares without a market, and of options.
    pub(super) currency: &'a str,
    /// Of futures, by their root.
    pub(super) futures: &'a BTreeMap<SmolStr, SmolStr>,
}

/// The contract of a symbol.
///
/// # Errors
/// A sentence that names the symbol and why it has none.
pub(super) fn contract_of(symbol: &Symbol, places: &Places<'_>) -> Result<Contract, String> {
    let parts = symbol.parts().map_err(|error| error.to_string())?;
    let none = |why: String| Err(format!("symbol {symbol}: {why}"));
    let of = |kind: SecurityType, name: &str, exchange: &str, currency: &str| Contract {
        symbol: name.into(),
        security_type: kind,
        exchange: exchange.into(),
        currency: currency.into(),
        ..Contract::default()
    };
    match parts {
        SymbolParts::Equity(share) => {
            let (exchange, currency, root) = match share.market() {
                None => (places.exchange, places.currency, share.root()),
                Some(market) => {
                    let Some((_, exchange, currency)) =
                        ABROAD.iter().find(|(code, ..)| *code == market.code())
                    else {
                        return none(format!("the market {} is not known to this adapter", market.code()));
                    };
                    let numbered = market.digits() > 0;
                    let root = share.root();
                    (*exchange, *currency, if numbered { root.trim_start_matches('0') } else { root })
                }
            };
            let name = match share.class() {
                Some(class) => format!("{root} {class}"),
                None => root.to_owned(),
            };
            Ok(of(SecurityType::Stock, &name, exchange, currency))
        }
        SymbolParts::Pair(pair) if pair.is_fx() => {
            Ok(of(SecurityType::ForexPair, pair.base(), "IDEALPRO", pair.quote()))
        }
        SymbolParts::Pair(pair) => Ok(of(SecurityType::Crypto, pair.base(), "PAXOS", pair.quote())),
        SymbolParts::Option(_) => {
            let local = OPTIONS.to_native(symbol).map_err(|error| error.to_string())?;
            let contract = of(SecurityType::Option, "", places.exchange, places.currency);
            Ok(Contract { local_symbol: local.to_string(), ..contract })
        }
        SymbolParts::Future(future) => {
            let Some(exchange) = places.futures.get(future.root()) else {
                return none(format!("name the exchange of {} in `exchanges`", future.root()));
            };
            let month = format!("{:04}{:02}", future.year(), future.month());
            let contract = of(SecurityType::Future, future.root(), exchange, "");
            Ok(Contract { last_trade_date_or_contract_month: month, ..contract })
        }
        SymbolParts::Perpetual(_) | SymbolParts::Prediction(_) | SymbolParts::Sports(_) => {
            none(format!("{} do not trade at Interactive Brokers", parts.kind()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_instrument_has_its_fields() {
        let futures = BTreeMap::from([("ES".into(), "CME".into())]);
        let places = Places { exchange: "SMART", currency: "USD", futures: &futures };
        let contract = |text: &str| contract_of(&Symbol::new(text).unwrap(), &places);
        for (text, fields) in [
            ("AAPL", ["STK", "AAPL", "", "", "SMART", "USD"]),
            ("BRK.B", ["STK", "BRK B", "", "", "SMART", "USD"]),
            ("0700.HK", ["STK", "700", "", "", "SEHK", "HKD"]),
            ("AAPL260116C00200000", ["OPT", "", "AAPL  260116C00200000", "", "SMART", "USD"]),
            ("ESZ26", ["FUT", "ES", "", "202612", "CME", ""]),
            ("EUR-USD", ["CASH", "EUR", "", "", "IDEALPRO", "USD"]),
            ("BTC-USD", ["CRYPTO", "BTC", "", "", "PAXOS", "USD"]),
        ] {
            let found = contract(text).unwrap();
            let (kind, month) = (found.security_type.to_string(), found.last_trade_date_or_contract_month);
            let (symbol, exchange) = (found.symbol.to_string(), found.exchange.to_string());
            let told = [kind, symbol, found.local_symbol, month, exchange, found.currency.to_string()];
            assert_eq!(told, fields, "{text}");
        }
        for (text, why) in [("NQZ26", "name the exchange of NQ"), ("BTC-USDT-PERP", "do not trade at")] {
            let refusal = contract(text).unwrap_err();
            assert!(refusal.contains(why), "{refusal}");
        }
    }
}
