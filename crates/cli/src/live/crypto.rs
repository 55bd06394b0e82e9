//! `data.kind = "crypto"` and `"okx_funding"`: the instruments of the table at a crypto exchange, in real time.

use super::SystemClock;
use crate::app::{FeedContext, FeedParts};
use crate::error::{CliError, ExitKind, OrExit};
use crate::setup::date_of;
use mts_foundation::{Clock, Interval};
use mts_marketdata::exchanges::find;
use mts_marketdata::feeds::{CryptoConfig, CryptoFeed, FeedWorld, OkxFundingConfig, OkxFundingFeed};
use mts_transport::{Budget, Stack, Tls, TokioSleep, WebSocketConnector, WebSocketOptions};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Pause between two requests where nothing else is known.
const PACE_MS: u32 = 100;

/// What `data.params` may hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    exchange: String,
    timeframe: Option<Interval>,
    stream_trades: Option<bool>,
    stream_ohlcv: Option<bool>,
    silence_s: Option<u64>,
}

/// What `data.params` of OKX's funding rates may hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FundingParams {
    timeframe: Option<Interval>,
    poll_interval_s: Option<u64>,
}

/// Candles and funding rates of OKX, of a configuration.
pub(crate) fn okx_funding(context: FeedContext<'_>) -> Result<FeedParts, CliError> {
    let symbols: Vec<_> = context.instruments.iter().map(|instrument| instrument.symbol.clone()).collect();
    let params: FundingParams = read(&context.section.params)?;
    if params.poll_interval_s == Some(0) {
        return Err(wrong(".poll_interval_s is 0; give a time above zero"));
    }
    let shipped = OkxFundingConfig::new(symbols.iter().cloned());
    let config = OkxFundingConfig {
        timeframe: params.timeframe.unwrap_or(shipped.timeframe),
        poll_interval: params.poll_interval_s.map_or(shipped.poll_interval, Duration::from_secs),
        ..shipped
    };
    let clock = Arc::new(SystemClock);
    let budget = Budget::per_minute("", requests_a_minute("okx"));
    let stack = Stack::builder("okx", clock.clone()).budgets([budget]).build().or_exit(ExitKind::Internal)?;
    let today = date_of(context.calendar, clock.now());
    let feed = OkxFundingFeed::new(config, stack.http(), clock, Arc::new(TokioSleep));
    Ok(FeedParts { feed: Box::new(feed.or_exit(ExitKind::Config)?), symbols, range: (today, today) })
}

/// The feed of a configuration.
pub(crate) fn make(context: FeedContext<'_>) -> Result<FeedParts, CliError> {
    let symbols: Vec<_> = context.instruments.iter().map(|instrument| instrument.symbol.clone()).collect();
    let config = config(&context.section.params, symbols.clone())?;
    let clock = Arc::new(SystemClock);
    let now = clock.now();
    // A stream sees to its connections itself: to its pings, its pauses and how long a silence may be.
    let tls = Tls::new(&[]).or_exit(ExitKind::Internal)?;
    let sockets = WebSocketConnector::new(tls, WebSocketOptions::default());
    let budget = Budget::per_minute("", requests_a_minute(&config.exchange));
    let stack =
        Stack::builder("crypto", clock.clone()).budgets([budget]).build().or_exit(ExitKind::Internal)?;
    let world = FeedWorld {
        http: stack.http(),
        sockets: Arc::new(sockets),
        clock,
        sleep: Arc::new(TokioSleep),
        random: now.nanos().unsigned_abs(),
    };
    let feed = CryptoFeed::new(&config, &world).or_exit(ExitKind::Config)?;
    let today = date_of(context.calendar, now);
    Ok(FeedParts { feed: Box::new(feed), symbols, range: (today, today) })
}

/// A fault of `data.params`; `what` begins after that name.
pub(super) fn wrong(what: impl std::fmt::Display) -> CliError {
    CliError::new(ExitKind::Config, format!("data.params{what}"))
}

/// The parameters of a feed; a fault names the one at fault.
pub(super) fn read<T: DeserializeOwned>(
    params: &mts_foundation::registry::Parameters,
) -> Result<T, CliError> {
    serde_path_to_error::deserialize(serde_json::Value::Object(params.clone()))
        .map_err(|error| wrong(format!(".{}: {}", error.path(), error.inner())))
}

fn config(
    params: &mts_foundation::registry::Parameters,
    symbols: Vec<mts_foundation::Symbol>,
) -> Result<CryptoConfig, CliError> {
    let params: Params = read(params)?;
    if params.silence_s == Some(0) {
        return Err(wrong(".silence_s is 0; give a time above zero"));
    }
    let shipped = CryptoConfig::new(&params.exchange, symbols);
    Ok(CryptoConfig {
        timeframe: params.timeframe.unwrap_or(shipped.timeframe),
        stream_trades: params.stream_trades.unwrap_or(shipped.stream_trades),
        stream_ohlcv: params.stream_ohlcv.unwrap_or(shipped.stream_ohlcv),
        silence: params.silence_s.map_or(shipped.silence, Duration::from_secs),
        ..shipped
    })
}

/// What an exchange's pace comes to.
fn requests_a_minute(exchange: &str) -> u32 {
    let pace = find(exchange).and_then(|found| Some(found.read().ok()?.pace_ms)).unwrap_or(PACE_MS);
    60_000_u32.checked_div(pace).unwrap_or(60_000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(params: serde_json::Value) -> Result<CryptoConfig, String> {
        let serde_json::Value::Object(params) = params else { return Err("no table".to_owned()) };
        config(&params, Vec::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn parameters_have_the_documented_defaults() {
        let shipped = of(json!({"exchange": "kraken"})).unwrap();
        assert_eq!(shipped, CryptoConfig::new("kraken", []));
        assert_eq!(
            (shipped.timeframe, shipped.stream_trades, shipped.stream_ohlcv),
            (Interval::MINUTE, false, true)
        );
        let other = of(json!({
            "exchange": "okx", "timeframe": "1h", "stream_trades": true, "stream_ohlcv": false, "silence_s": 30
        }));
        let other = other.unwrap();
        assert_eq!((other.timeframe, other.stream_trades, other.stream_ohlcv), (Interval::HOUR, true, false));
        assert_eq!(other.silence, Duration::from_secs(30));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(of(json!({})).unwrap_err().contains("exchange"));
        assert!(of(json!({"exchange": "okx", "api_key": "x"})).unwrap_err().contains("api_key"));
        assert!(
            of(json!({"exchange": "okx", "timeframe": "1H"})).unwrap_err().contains("data.params.timeframe")
        );
        assert!(of(json!({"exchange": "okx", "silence_s": 0})).unwrap_err().contains("silence_s"));
    }

    /// A configuration with these lines in its section `[data]`, and with or without real time.
    fn parsed(data: &str, live: &str) -> Result<crate::config::Loaded, String> {
        let text = format!(
            r#"
            {live}
            [run]
            start = "2026-01-01"
            end = "2099-12-31"
            calendar = "24/7"
            [fund]
            fund_id = "drill"
            initial_cash = 100000
            [envelope]
            allowed_brokers = ["paper"]
            [operator]
            operators = ["me", "you"]
            [instruments]
            path = "instruments.csv"
            [data]
            {data}
            [strategy]
            strategy_id = "in-and-out"
            kind = "drill"
            [broker]
            name = "paper"
            "#
        );
        crate::config::parse(&text, std::path::Path::new("run.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_left_out_for_what_comes_in_real_time_and_for_nothing_else() {
        let crypto = "kind = \"crypto\"\nparams = { exchange = \"kraken\" }";
        let live = "[live]\nmode = \"paper\"";
        for data in [crypto, "kind = \"ibkr\""] {
            let loaded = parsed(data, live).unwrap();
            assert!(loaded.config.data.path.as_os_str().is_empty());
            let refused = parsed(data, "").unwrap_err();
            assert!(refused.contains("real time") && refused.contains("live.mode"), "{refused}");
        }
        for kind in ["closes", "ticks", "walk", "minutes"] {
            let refused = parsed(&format!("kind = {kind:?}"), live).unwrap_err();
            assert!(refused.contains("data.path is missing") && refused.contains(kind), "{refused}");
        }
    }

    #[test]
    fn the_instruments_are_those_of_the_table() {
        let table = "symbol,asset_class,currency,calendar,tick,lot,multiplier\nBTC-USD,crypto,USD,24/7,0.1,0.0001,1\n";
        let instruments = mts_marketdata::instruments::from_csv("instruments.csv", table).unwrap();
        let of = |exchange: &str| {
            let data = format!("kind = \"crypto\"\nparams = {{ exchange = {exchange:?} }}");
            let loaded = parsed(&data, "[live]\nmode = \"paper\"").unwrap();
            make(FeedContext {
                section: &loaded.config.data,
                file: (std::path::Path::new(""), ""),
                instruments: &instruments,
                calendar: mts_foundation::MarketCalendar::builtin("24/7").unwrap(),
            })
        };
        for exchange in ["kraken", "bitstamp"] {
            let parts = of(exchange).unwrap();
            assert_eq!((parts.feed.name(), parts.symbols.len()), (exchange, 1));
            assert_eq!(parts.feed.stats().symbols, 1);
        }
        let section = |params: serde_json::Value| -> crate::config::DataSection {
            serde_json::from_value(json!({"kind": "okx_funding", "params": params})).unwrap()
        };
        let perpetual = table.replace("BTC-USD,crypto", "BTC-USDT-PERP,futures");
        let perpetual = mts_marketdata::instruments::from_csv("instruments.csv", &perpetual).unwrap();
        let funding = |params, instruments| {
            okx_funding(FeedContext {
                section: &section(params),
                file: (std::path::Path::new(""), ""),
                instruments,
                calendar: mts_foundation::MarketCalendar::builtin("24/7").unwrap(),
            })
        };
        let parts = funding(json!({"timeframe": "1h", "poll_interval_s": 30}), &perpetual).unwrap();
        assert_eq!((parts.feed.stats().symbols, parts.symbols.len()), (1, 1));
        assert!(funding(json!({}), &instruments).is_err(), "spot has no funding");
        let refused = funding(json!({"poll_interval_s": 0}), &perpetual).err().unwrap().to_string();
        assert!(refused.contains("data.params.poll_interval_s is 0"), "{refused}");

        let refused = of("nowhere").err().unwrap().to_string();
        assert!(refused.contains("mts exchanges"), "{refused}");
    }

    #[test]
    fn requests_keep_the_exchanges_pace() {
        assert_eq!((requests_a_minute("kraken"), requests_a_minute("okx")), (60, 545));
        assert_eq!(requests_a_minute("coinbasepro"), 600);
    }
}
