//! The exchanges, one cargo feature each.

use ccxt::{TypedExchange, Value};

/// What ccxt says of an exchange without asking it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Methods by name, `true` where the exchange itself offers them.
    pub(crate) has: Value,
    /// Lengths of candles, ours to theirs.
    pub(crate) timeframes: Value,
}

impl Facts {
    /// Whether the exchange offers a method; what ccxt emulates out of other answers is not offered.
    pub(crate) fn offers(&self, method: &str) -> bool {
        self.has.as_map().and_then(|has| has.get(method)).and_then(Value::as_bool) == Some(true)
    }

    /// Whether there are candles of that length.
    pub(crate) fn has_timeframe(&self, name: &str) -> bool {
        self.timeframes.as_map().is_some_and(|frames| frames.contains_key(name))
    }
}

macro_rules! exchanges {
    ($($id:literal $wrapper:ident)*) => {
        /// The exchanges of this crate. Each is there when the feature of its name is on.
        pub const EXCHANGES: &[&str] = &[$($id),*];

        /// An exchange that is built in.
        pub(crate) fn build(id: &str, settings: Option<Value>) -> Option<(Box<dyn TypedExchange>, Facts)> {
            match id {
                $(#[cfg(feature = $id)]
                $id => {
                    let exchange = ccxt::$wrapper::new(settings);
                    let facts = Facts { has: exchange.has.clone(), timeframes: exchange.timeframes.clone() };
                    Some((Box::new(exchange), facts))
                })*
                _ => {
                    drop(settings);
                    None
                }
            }
        }
    };
}

exchanges! {
    "alpaca" Alpaca
    "apex" Apex
    "bit2c" Bit2c
    "bitbank" Bitbank
    "bitbns" Bitbns
    "bitfinex" Bitfinex
    "bitflyer" Bitflyer
    "bittrade" Bittrade
    "blockchaincom" Blockchaincom
    "btcbox" Btcbox
    "cex" Cex
    "coinbaseinternational" Coinbaseinternational
    "coincheck" Coincheck
    "coinmate" Coinmate
    "coinone" Coinone
    "coinspot" Coinspot
    "cryptomus" Cryptomus
    "deepcoin" Deepcoin
    "derive" Derive
    "dydx" Dydx
    "foxbit" Foxbit
    "hibachi" Hibachi
    "htx" Htx
    "hyperliquid" Hyperliquid
    "independentreserve" Independentreserve
    "indodax" Indodax
    "krakenfutures" Krakenfutures
    "kucoinfutures" Kucoinfutures
    "latoken" Latoken
    "mercado" Mercado
    "modetrade" Modetrade
    "mudrex" Mudrex
    "nado" Nado
    "ndax" Ndax
    "onetrading" Onetrading
    "p2b" P2b
    "pacifica" Pacifica
    "paymium" Paymium
    "phemex" Phemex
    "polymarket" Polymarket
    "revolutx" Revolutx
    "toobit" Toobit
    "weex" Weex
    "woofipro" Woofipro
    "zaif" Zaif
    "zebpay" Zebpay
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The features of the manifest, in its order.
    fn features() -> Vec<&'static str> {
        let manifest = include_str!("../Cargo.toml");
        let listed = manifest.split_once("[features]\n").unwrap().1.split_once("\n\n").unwrap().0;
        listed.lines().map(|line| line.split_once(" = ").unwrap().0).collect()
    }

    #[test]
    fn every_exchange_has_its_feature() {
        assert_eq!(features(), EXCHANGES);
        assert!(EXCHANGES.is_sorted());
    }

    /// Whoever describes an exchange whole in mts-marketdata takes it out here: ours reads digit by digit.
    #[test]
    fn none_of_them_is_described_whole_by_mts_itself() {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/marketdata/src/exchanges/descriptors");
        let mut whole = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let evidence = text.lines().find(|line| line.starts_with("evidence = ")).unwrap();
            if ["ticker = ", "trades = ", "candles = "].iter().all(|method| evidence.contains(method)) {
                whole.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
            }
        }
        assert!(whole.len() >= 58, "{whole:?}");
        let both: Vec<&String> = whole.iter().filter(|id| EXCHANGES.contains(&id.as_str())).collect();
        assert!(both.is_empty(), "{both:?}");
    }
}
