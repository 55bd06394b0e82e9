//! What a stream's history is asked of, where the exchange's answers fit its stream.
//!
//! Prints are backfilled by their ids, so they must be those of the stream. Binance's raw trades, Kraken's and Coinbase's
//! have them, and they are numbered without holes: had they others, the numbers would not fit, and a `Gap` would be said.
//! OKX's stream sums up prints which its requests tell one by one, and nothing shows that Bybit's ids are the same in both:
//! of these two no print is backfilled. Candles are the same by their ends.

/// A descriptor of an exchange's past, for the market of a stream.
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

const BINANCE_SPOT: &str = r#"
id = "binance"
pace_ms = 50

[timeframes]
"1s" = "1s"
"1m" = "1m"
"3m" = "3m"
"5m" = "5m"
"15m" = "15m"
"30m" = "30m"
"1h" = "1h"
"2h" = "2h"
"4h" = "4h"
"6h" = "6h"
"8h" = "8h"
"12h" = "12h"
"1d" = "1d"

[[markets]]
name = "spot"
id = "{BASE}{QUOTE}"

[[trades]]
get = "https://api.binance.com/api/v3/trades?symbol={id}<&limit={limit}>"
weight = 25
limit = 1000
[trades.read]
id = "id"
price = "price"
size = "qty"
time = "time|ms"

[[candles]]
get = "https://api.binance.com/api/v3/klines?interval={tf}&symbol={id}<&limit={limit}><&startTime={start.ms}>"
limit = 500
[candles.read]
start = "0|ms"
open = "1"
high = "2"
low = "3"
close = "4"
volume = "5"
"#;

const BINANCE_FUTURES: &str = r#"
id = "binance"
pace_ms = 50

[timeframes]
"1m" = "1m"
"3m" = "3m"
"5m" = "5m"
"15m" = "15m"
"30m" = "30m"
"1h" = "1h"
"2h" = "2h"
"4h" = "4h"
"6h" = "6h"
"8h" = "8h"
"12h" = "12h"
"1d" = "1d"

[[markets]]
name = "linear"
perpetual = true
id = "{BASE}{QUOTE}"

[[trades]]
get = "https://fapi.binance.com/fapi/v1/trades?symbol={id}<&limit={limit}>"
weight = 5
limit = 1000
[trades.read]
id = "id"
price = "price"
size = "qty"
time = "time|ms"

[[candles]]
get = "https://fapi.binance.com/fapi/v1/klines?interval={tf}&symbol={id}<&limit={limit}><&startTime={start.ms}>"
weight = 2
limit = 499
[candles.read]
start = "0|ms"
open = "1"
high = "2"
low = "3"
close = "4"
volume = "5"
"#;

const KRAKEN: &str = r#"
id = "kraken"
pace_ms = 1000
errors = [{ at = "error", ok = ["[]"], message = "error.0" }]
aliases = { BTC = "XBT", DOGE = "XDG" }

[timeframes]
"1m" = "1"
"5m" = "5"
"15m" = "15"
"30m" = "30"
"1h" = "60"
"4h" = "240"
"1d" = "1440"
"1w" = "10080"

[[markets]]
name = "spot"
id = "{BASE}{QUOTE}"

[[trades]]
get = "https://api.kraken.com/0/public/Trades?pair={id}"
at = "result.*"
[trades.read]
id = "6"
price = "0"
size = "1"
time = "2|s"

[[candles]]
get = "https://api.kraken.com/0/public/OHLC?pair={id}&interval={tf}<&since={before.s}>"
at = "result.*"
[candles.read]
start = "0|s"
open = "1"
high = "2"
low = "3"
close = "4"
volume = "6"
"#;

const COINBASE: &str = r#"
id = "coinbase"
pace_ms = 100

[[markets]]
name = "spot"
id = "{BASE}-{QUOTE}"

[[trades]]
get = "https://api.exchange.coinbase.com/products/{id}/trades?<limit={limit}>"
limit = 1000
[trades.read]
id = "trade_id"
price = "price"
size = "size"
time = "time|iso"
"#;

const OKX_SPOT: &str = r#"
id = "okx"
pace_ms = 110
errors = [{ at = "code", ok = ["0"], message = ["msg"] }]

[timeframes]
"1m" = "1m"
"3m" = "3m"
"5m" = "5m"
"15m" = "15m"
"30m" = "30m"
"1h" = "1H"
"2h" = "2H"
"4h" = "4H"
"6h" = "6Hutc"
"12h" = "12Hutc"
"1d" = "1Dutc"
"1w" = "1Wutc"

[[markets]]
name = "spot"
id = "{BASE}-{QUOTE}"

[[candles]]
get = "https://www.okx.com/api/v5/market/candles?instId={id}&bar={tf}<&limit={limit}><&before={before.ms}><&after={end.ms}>"
limit = 100
at = "data"
newest_first = true
[candles.read]
start = "0|ms"
open = "1"
high = "2"
low = "3"
close = "4"
volume = "5"
closed = "8|map:1=true,0=false"
"#;

/// Perpetual futures of OKX: candles with volumes in units of the base, which OKX tells beside those in contracts, and
/// funding rates.
pub(super) const OKX_SWAPS: &str = r#"
id = "okx"
pace_ms = 110
errors = [{ at = "code", ok = ["0"], message = ["msg"] }]

[timeframes]
"1m" = "1m"
"3m" = "3m"
"5m" = "5m"
"15m" = "15m"
"30m" = "30m"
"1h" = "1H"
"2h" = "2H"
"4h" = "4H"
"6h" = "6Hutc"
"12h" = "12Hutc"
"1d" = "1Dutc"
"1w" = "1Wutc"

[[markets]]
name = "swap"
perpetual = true
id = "{BASE}-{QUOTE}-SWAP"

[[candles]]
get = "https://www.okx.com/api/v5/market/candles?instId={id}&bar={tf}<&limit={limit}><&before={before.ms}><&after={end.ms}>"
limit = 100
at = "data"
newest_first = true
[candles.read]
start = "0|ms"
open = "1"
high = "2"
low = "3"
close = "4"
volume = "6"
closed = "8|map:1=true,0=false"

[[funding]]
get = "https://www.okx.com/api/v5/public/funding-rate?instId={id}"
at = "data.0"
[funding.read]
rate = "fundingRate"
due = "fundingTime|ms"
next = "nextFundingTime|ms"
next_rate = "nextFundingRate"
"#;

const BYBIT_SPOT: &str = r#"
id = "bybit"
pace_ms = 20
errors = [{ at = "retCode", ok = ["0"], message = ["retMsg"] }]

[timeframes]
"1m" = "1"
"3m" = "3"
"5m" = "5"
"15m" = "15"
"30m" = "30"
"1h" = "60"
"2h" = "120"
"4h" = "240"
"6h" = "360"
"12h" = "720"
"1d" = "D"
"1w" = "W"

[[markets]]
name = "spot"
id = "{BASE}{QUOTE}"

[[candles]]
get = "https://api.bybit.com/v5/market/kline?symbol={id}&interval={tf}&category=spot<&start={start.ms}><&limit={limit}>"
limit = 200
at = "result.list"
newest_first = true
[candles.read]
start = "0|ms"
open = "1"
high = "2"
low = "3"
close = "4"
volume = "5"
"#;

const BYBIT_LINEAR: &str = r#"
id = "bybit"
pace_ms = 20
errors = [{ at = "retCode", ok = ["0"], message = ["retMsg"] }]

[timeframes]
"1m" = "1"
"3m" = "3"
"5m" = "5"
"15m" = "15"
"30m" = "30"
"1h" = "60"
"2h" = "120"
"4h" = "240"
"6h" = "360"
"12h" = "720"
"1d" = "D"
"1w" = "W"

[[markets]]
name = "linear"
perpetual = true
id = "{BASE}{QUOTE}"

[[candles]]
get = "https://api.bybit.com/v5/market/kline?symbol={id}&interval={tf}&category=linear<&start={start.ms}><&limit={limit}>"
limit = 200
at = "result.list"
newest_first = true
[candles.read]
start = "0|ms"
open = "1"
high = "2"
low = "3"
close = "4"
volume = "5"
"#;

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
