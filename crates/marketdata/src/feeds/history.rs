//! What a stream's history is asked of, where the exchange's answers fit its stream.
//!
//! Prints are backfilled by their ids, so they must be those of the stream. Binance's raw trades, Kraken's and Coinbase's
//! have them, and they are numbered without holes: had they others, the numbers would not fit, and a `Gap` would be said.
//! OKX's stream sums up prints which its requests tell one by one, and nothing shows that Bybit's ids are the same in both:
//! of these two no print is backfilled. Candles are the same by their ends.

/// A descriptor of an exchange's past ([`crate::exchanges`] says what may stand in one), for the market of a stream.
pub(super) fn of(exchange: &str, perpetual: bool) -> Option<&'static str> {
    Some(match (exchange, perpetual) {
        ("binance", false) => BINANCE_SPOT,
        ("binance", true) => BINANCE_FUTURES,
        ("kraken", false) => KRAKEN,
        ("coinbase", false) => COINBASE,
        ("okx", false) => OKX_SPOT,
        ("okx", true) => OKX_SWAPS,
        ("bybit", false) => BYBIT_SPOT,
        ("bybit", true) => BYBIT_LINEAR,
        _ => return None,
    })
}

const BINANCE_SPOT: &str = include_str!("history/binance_spot.toml");
const BINANCE_FUTURES: &str = include_str!("history/binance_futures.toml");
const KRAKEN: &str = include_str!("history/kraken.toml");
const COINBASE: &str = include_str!("history/coinbase.toml");
const OKX_SPOT: &str = include_str!("history/okx_spot.toml");
/// Perpetual futures of OKX: candles with volumes in units of the base, which OKX tells beside those in contracts, and
/// funding rates.
pub(super) const OKX_SWAPS: &str = include_str!("history/okx_swaps.toml");
const BYBIT_SPOT: &str = include_str!("history/bybit_spot.toml");
const BYBIT_LINEAR: &str = include_str!("history/bybit_linear.toml");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchanges::{Descriptor, Json};

    #[test]
    fn every_history_can_be_read() {
        for (venue, perpetual) in
            [("binance", true), ("binance", false), ("kraken", false), ("coinbase", false), ("okx", true)]
                .into_iter()
                .chain([("okx", false), ("bybit", true), ("bybit", false)])
        {
            let descriptor = Descriptor::read(venue, of(venue, perpetual).unwrap()).unwrap();
            assert_eq!(descriptor.markets.first().unwrap().perpetual, perpetual);
            // Prints only where the stream numbers them without holes, so that other ids would show.
            let has_prints = !descriptor.trades.is_empty();
            assert_eq!(has_prints, ["binance", "kraken", "coinbase"].contains(&venue), "{venue}");
        }
        assert!(of("kraken", true).is_none() && of("gate", false).is_none());
    }

    #[test]
    fn prints_have_the_ids_of_the_streams() {
        let kraken = r#"{"error":[],"result":{"XXBTZUSD":[
            ["30243.40000","0.34507674",1688669597.8277369,"b","m","",61044952]],"last":"1688671969993150842"}}"#;
        let coinbase = r#"[{"trade_id":590959318,"side":"buy","size":"0.03","price":"65932.1","time":"2024-04-04T08:14:23.1Z"}]"#;
        let binance = r#"[{"id":28457,"price":"4.00000100","qty":"12.0","quoteQty":"48","time":1499865549590,"isBuyerMaker":true}]"#;
        for (venue, reply, id) in [
            ("kraken", kraken, "61044952"),
            ("coinbase", coinbase, "590959318"),
            ("binance", binance, "28457"),
        ] {
            let descriptor = Descriptor::read(venue, of(venue, false).unwrap()).unwrap();
            let rows =
                descriptor.trades.first().unwrap().trades(&Json::parse(reply).unwrap(), "BTC").unwrap();
            assert_eq!(rows.first().unwrap().id.as_deref(), Some(id), "{venue}");
        }
    }
}
