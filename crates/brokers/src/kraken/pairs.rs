//! What the venue lists: each pair's names, steps and parts, and so what its ids of assets mean.

use super::symbols::{in_stream, of_list};
use super::wire::WirePair;
use mts_foundation::{Currency, Decimal, Symbol};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Most pairs that are kept; Kraken lists some 1,500.
const MAX_PAIRS: usize = 20_000;

/// Most places of a price or quantity.
const MAX_PLACES: u32 = 18;

/// A pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub(super) symbol: Symbol,
    /// `XBTUSD`, which orders are given with and told of.
    pub(super) altname: SmolStr,
    /// Our codes of both sides.
    pub(super) base: SmolStr,
    pub(super) quote: SmolStr,
    /// The smallest step of a price, and of a quantity.
    pub(super) tick: Decimal,
    pub(super) lot: Decimal,
}

/// All that is listed, for an account in one currency.
#[derive(Debug, Default)]
pub struct Pairs {
    pairs: BTreeMap<Symbol, Pair>,
    /// Every name of a pair.
    names: BTreeMap<SmolStr, Symbol>,
    /// Our code of an asset's id.
    assets: BTreeMap<SmolStr, SmolStr>,
    currency: SmolStr,
}

impl Pairs {
    /// Reads the result of `AssetPairs`.
    ///
    /// # Errors
    /// When it is no list of pairs.
    pub fn read(result: &[u8], currency: Currency) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(result).map(|listed| Self::new(&listed, currency))
    }

    /// Of a list that was read. What has no name in our words, such as a dark pool, is left out.
    pub(super) fn new(listed: &BTreeMap<SmolStr, WirePair>, currency: Currency) -> Self {
        let mut all = Self { currency: currency.as_str().into(), ..Self::default() };
        for (id, wire) in listed.iter().take(MAX_PAIRS) {
            let Some(symbol) = wire.wsname.as_deref().and_then(of_list) else { continue };
            let Some((base, quote)) = symbol.as_str().split_once('-') else { continue };
            let step = |places: u32| Decimal::new(1, places.min(MAX_PLACES));
            let pair = Pair {
                symbol: symbol.clone(),
                altname: wire.altname.clone(),
                base: base.into(),
                quote: quote.into(),
                tick: wire
                    .tick_size
                    .filter(|tick| *tick > Decimal::ZERO)
                    .unwrap_or_else(|| step(wire.pair_decimals)),
                lot: step(wire.lot_decimals),
            };
            all.assets.insert(wire.base.clone(), pair.base.clone());
            all.assets.insert(wire.quote.clone(), pair.quote.clone());
            let names = [Some(id), Some(&wire.altname), wire.wsname.as_ref()];
            for name in names.into_iter().flatten().cloned().chain(in_stream(&symbol)) {
                all.names.insert(name, symbol.clone());
            }
            all.pairs.insert(symbol, pair);
        }
        all
    }

    /// The pair of a symbol.
    pub(super) fn of_symbol(&self, symbol: &Symbol) -> Option<&Pair> {
        self.pairs.get(symbol)
    }

    /// The pair of a name of any kind.
    pub(super) fn of_name(&self, name: &str) -> Option<&Pair> {
        self.of_symbol(self.names.get(name)?)
    }

    /// The pair in which an asset is valued.
    pub(super) fn of_code(&self, code: &str) -> Option<&Pair> {
        self.of_symbol(&Symbol::new(format!("{code}-{}", self.currency)).ok()?)
    }

    /// Our code of an asset's id. `None` = none that trades, such as what is staked (`DOT.S`).
    pub(super) fn code(&self, asset: &str) -> Option<&str> {
        self.assets.get(asset).map(SmolStr::as_str)
    }

    /// The venue's id of the account's currency.
    pub(super) fn currency_id(&self) -> Option<&str> {
        self.assets.iter().find(|(_, code)| **code == self.currency).map(|(id, _)| id.as_str())
    }

    /// The account's currency.
    pub(super) fn currency(&self) -> &str {
        &self.currency
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The lists of a few pairs.
    pub(in super::super) fn pairs() -> Pairs {
        let text = r#"{
            "XXBTZUSD": {"altname": "XBTUSD", "wsname": "XBT/USD", "base": "XXBT", "quote": "ZUSD", "pair_decimals": 1,
                         "lot_decimals": 8, "tick_size": "0.1", "ordermin": "0.00005", "status": "online"},
            "XETHXXBT": {"altname": "ETHXBT", "wsname": "ETH/XBT", "base": "XETH", "quote": "XXBT", "pair_decimals": 5,
                         "lot_decimals": 8},
            "USDTZUSD": {"altname": "USDTUSD", "wsname": "USDT/USD", "base": "USDT", "quote": "ZUSD", "pair_decimals": 4,
                         "lot_decimals": 8},
            "XXBTZUSD.d": {"altname": "XBTUSD.d", "base": "XXBT", "quote": "ZUSD", "pair_decimals": 1, "lot_decimals": 8}
        }"#;
        Pairs::new(&serde_json::from_str(text).unwrap(), Currency::USD)
    }

    #[test]
    fn every_name_of_a_pair_is_known_and_what_assets_are_called() {
        let pairs = pairs();
        for name in ["XXBTZUSD", "XBTUSD", "BTC/USD", "XBT/USD"] {
            assert_eq!(pairs.of_name(name).unwrap().symbol.as_str(), "BTC-USD", "{name}");
        }
        assert_eq!(pairs.of_name("XBTUSD.d"), None);
        assert_eq!(
            (pairs.code("XXBT"), pairs.code("ZUSD"), pairs.code("XBT.S")),
            (Some("BTC"), Some("USD"), None)
        );
        assert_eq!(pairs.currency_id(), Some("ZUSD"));
        let eth = pairs.of_name("ETHXBT").unwrap();
        assert_eq!((eth.tick, eth.lot), (Decimal::new(1, 5), Decimal::new(1, 8)));
        assert!(pairs.of_code("ETH").is_none() && pairs.of_code("BTC").is_some());
    }
}
