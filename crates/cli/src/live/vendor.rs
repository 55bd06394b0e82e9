//! `data.kind = "alpaca"` and `"polygon"`: the instruments of the table by a vendor's streams, in real time.

use super::SystemClock;
use super::crypto::{read, wrong};
use crate::app::{FeedContext, FeedParts};
use crate::error::{CliError, ExitKind, OrExit};
use crate::secrets;
use crate::setup::date_of;
use mts_foundation::Clock;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::registry::Parameters;
use mts_foundation::secret::SecretRef;
use mts_marketdata::feeds::{FeedWorld, VendorConfig, VendorData, VendorFeed};
use mts_marketdata::{alpaca, polygon};
use mts_transport::{Budget, Stack, Tls, TokioSleep, WebSocketConnector, WebSocketOptions};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// Requests a minute of Alpaca's free plan.
const ALPACA_A_MINUTE: u32 = 200;

/// Requests a minute of Polygon: it asks to stay below a hundred a second.
const POLYGON_A_MINUTE: u32 = 5_000;

/// What `data.params` may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    data_types: Option<Vec<VendorData>>,
    silence_s: Option<u64>,
    /// Alpaca's source of shares.
    feed: Option<alpaca::Feed>,
    /// Where Alpaca's key is.
    key_id: Option<String>,
    /// Where its secret is.
    secret_key: Option<String>,
    /// Where Polygon's key is.
    api_key: Option<String>,
    base_url: Option<String>,
    stream_url: Option<String>,
}

impl Params {
    /// Those of a vendor, who does not know the names in `others`.
    fn of(vendor: &str, params: &Parameters, others: &[&str]) -> Result<Self, CliError> {
        if let Some(name) = others.iter().find(|name| params.contains_key(**name)) {
            return Err(wrong(format!(".{name} is not known to {vendor}; remove it")));
        }
        let params: Self = read(params)?;
        if params.silence_s == Some(0) {
            return Err(wrong(".silence_s is 0; give a time above zero"));
        }
        Ok(params)
    }

    fn config(&self, context: &FeedContext<'_>) -> VendorConfig {
        let symbols = context.instruments.iter().map(|instrument| instrument.symbol.clone());
        let shipped = VendorConfig::new(symbols);
        VendorConfig {
            data: self.data_types.clone().unwrap_or(shipped.data),
            silence: self.silence_s.map_or(shipped.silence, Duration::from_secs),
            ..shipped
        }
    }
}

/// Where a secret is, unless told otherwise.
fn secret(given: Option<&str>, name: &str, shipped: &str) -> Result<SecretRef, CliError> {
    given.unwrap_or(shipped).parse().map_err(|error| wrong(format!(".{name}: {error}")))
}

/// What connects, with the vendor's budget.
fn world(vendor: &str, requests_a_minute: u32) -> Result<FeedWorld, CliError> {
    let clock = Arc::new(SystemClock);
    let random = clock.now().nanos().unsigned_abs();
    let budget = Budget::per_minute("", requests_a_minute);
    let stack =
        Stack::builder(vendor, clock.clone()).budgets([budget]).build().or_exit(ExitKind::Internal)?;
    // A stream sees to its connections itself: to its pings, its pauses and how long a silence may be.
    let tls = Tls::new(&[]).or_exit(ExitKind::Internal)?;
    let sockets = Arc::new(WebSocketConnector::new(tls, WebSocketOptions::default()));
    Ok(FeedWorld { http: stack.http(), sockets, clock, sleep: Arc::new(TokioSleep), random })
}

fn parts(
    context: &FeedContext<'_>,
    config: VendorConfig,
    feed: Result<VendorFeed, MarketDataError>,
) -> Result<FeedParts, CliError> {
    let today = date_of(context.calendar, SystemClock.now());
    let feed = Box::new(feed.or_exit(ExitKind::Config)?);
    Ok(FeedParts { feed, symbols: config.symbols, range: (today, today) })
}

/// The feed of Alpaca of a configuration.
pub(crate) fn of_alpaca(context: FeedContext<'_>) -> Result<FeedParts, CliError> {
    let params = Params::of("alpaca", &context.section.params, &["api_key"])?;
    let config = params.config(&context);
    let key_id = secret(params.key_id.as_deref(), "key_id", "env:APCA_API_KEY_ID")?;
    let secret_key = secret(params.secret_key.as_deref(), "secret_key", "env:APCA_API_SECRET_KEY")?;
    let key = (secrets::read(&key_id)?, secrets::read(&secret_key)?);
    let shipped = alpaca::Settings::default();
    let settings = alpaca::Settings {
        feed: params.feed.unwrap_or_default(),
        base_url: params.base_url.unwrap_or(shipped.base_url),
        stream_url: params.stream_url.unwrap_or(shipped.stream_url),
        ..shipped
    };
    let feed = VendorFeed::alpaca(&config, &settings, &key, &world("alpaca", ALPACA_A_MINUTE)?);
    parts(&context, config, feed)
}

/// The feed of Polygon of a configuration.
pub(crate) fn of_polygon(context: FeedContext<'_>) -> Result<FeedParts, CliError> {
    let params = Params::of("polygon", &context.section.params, &["feed", "key_id", "secret_key"])?;
    let config = params.config(&context);
    let key = secrets::read(&secret(params.api_key.as_deref(), "api_key", "env:POLYGON_API_KEY")?)?;
    let shipped = polygon::Settings::default();
    let settings = polygon::Settings {
        base_url: params.base_url.unwrap_or(shipped.base_url),
        stream_url: params.stream_url.unwrap_or(shipped.stream_url),
        ..shipped
    };
    let feed = VendorFeed::polygon(&config, &settings, &key, &world("polygon", POLYGON_A_MINUTE)?);
    parts(&context, config, feed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DataSection;
    use mts_foundation::{InstrumentTable, MarketCalendar};
    use serde_json::json;
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    const TABLE: &str = "symbol,asset_class,currency,calendar,tick,lot,multiplier\n\
                         AAPL,equities,USD,XNYS,0.01,1,1\nBTC-USD,crypto,USD,24/7,0.1,0.0001,1\n";

    fn table(rows: usize) -> InstrumentTable {
        let text: Vec<&str> = TABLE.lines().take(rows + 1).collect();
        mts_marketdata::instruments::from_csv("instruments.csv", &text.join("\n")).unwrap()
    }

    /// What a feed of these parameters is, of so many of the two instruments.
    fn made(kind: &str, rows: usize, params: serde_json::Value) -> Result<FeedParts, String> {
        let section: DataSection = serde_json::from_value(json!({"kind": kind, "params": params})).unwrap();
        let instruments = table(rows);
        let context = FeedContext {
            section: &section,
            file: (std::path::Path::new(""), ""),
            instruments: &instruments,
            calendar: MarketCalendar::builtin("XNYS").unwrap(),
        };
        let make = if kind == "alpaca" { of_alpaca } else { of_polygon };
        make(context).map_err(|error| error.to_string())
    }

    /// A file with a key, for its owner alone.
    fn key(folder: &std::path::Path, name: &str) -> String {
        let path = folder.join(name);
        let mut file =
            std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path).unwrap();
        file.write_all(b"canary").unwrap();
        format!("file:{}", path.display())
    }

    #[test]
    fn feeds_are_of_the_instruments_of_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let (id, secret) = (key(folder.path(), "id"), key(folder.path(), "secret"));
        let both =
            json!({"key_id": id, "secret_key": secret, "data_types": ["bars", "quotes"], "feed": "sip"});
        let parts = made("alpaca", 2, both).unwrap();
        assert_eq!((parts.feed.name(), parts.feed.stats().symbols, parts.symbols.len()), ("alpaca", 2, 2));
        let parts = made("polygon", 1, json!({"api_key": id})).unwrap();
        assert_eq!((parts.feed.name(), parts.feed.stats().symbols), ("polygon", 1));
        // Crypto is another plan there, and not spoken.
        let refused = made("polygon", 2, json!({"api_key": id})).err().unwrap();
        assert!(refused.contains("BTC-USD") && !refused.contains("canary"), "{refused}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (kind, params, said) in [
            ("alpaca", json!({"key_id": "canary"}), "data.params.key_id"),
            ("alpaca", json!({"key_id": "file:/nowhere/key"}), "/nowhere/key"),
            ("alpaca", json!({"api_key": "env:X"}), "data.params.api_key is not known to alpaca"),
            ("alpaca", json!({"data_types": ["news"]}), "data.params.data_types[0]"),
            ("alpaca", json!({"feed": "nasdaq"}), "data.params.feed"),
            ("polygon", json!({"feed": "sip"}), "data.params.feed is not known to polygon"),
            ("polygon", json!({"silence_s": 0}), "data.params.silence_s is 0"),
            ("polygon", json!({"key": "env:X"}), "data.params.key"),
        ] {
            let refused = made(kind, 1, params).err().unwrap();
            assert!(refused.contains(said) && !refused.contains("canary"), "{refused}");
        }
    }
}
