//! `data.kind = "ibkr"`: ticks of the instruments of the table by a TWS or an IB Gateway, in real time.

use super::SystemClock;
use super::crypto::{read, wrong};
use crate::app::{FeedContext, FeedParts};
use crate::error::{CliError, ExitKind, OrExit};
use crate::setup::date_of;
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::registry::Parameters;
use mts_foundation::{Clock, Symbol};
use mts_marketdata::ibkr::{IbTicksConfig, IbTicksFeed, IbkrGateway, IbkrSettings};
use mts_transport::TokioSleep;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// What `data.params` may hold of the gateway's settings; the others are about the past.
const GATEWAY: &[&str] = &[
    "host",
    "port",
    "client_id",
    "deadline_ms",
    "beat_every_ms",
    "prices",
    "exchange",
    "currency",
    "exchanges",
];

/// And of the feed's.
const TICKS: &[&str] = &["tick_throttle_ms", "tick_by_tick"];

/// The feed of a configuration. It does not connect before it is started.
pub(crate) fn make(context: FeedContext<'_>) -> Result<FeedParts, CliError> {
    let symbols: Vec<_> = context.instruments.iter().map(|instrument| instrument.symbol.clone()).collect();
    let (settings, config) = settings(&context.section.params, &symbols)?;
    let clock = Arc::new(SystemClock);
    let today = date_of(context.calendar, clock.now());
    let gateway = IbkrGateway::new(settings, clock, Arc::new(TokioSleep)).or_exit(ExitKind::Internal)?;
    let feed = IbTicksFeed::new(&config, gateway).or_exit(ExitKind::Config)?;
    Ok(FeedParts { feed: Box::new(Logged::new(feed)), symbols, range: (today, today) })
}

fn settings(params: &Parameters, symbols: &[Symbol]) -> Result<(IbkrSettings, IbTicksConfig), CliError> {
    let known = || GATEWAY.iter().chain(TICKS).copied();
    if let Some(other) = params.keys().find(|name| !known().any(|known| known == name.as_str())) {
        let names = known().collect::<Vec<_>>().join(", ");
        return Err(wrong(format!(".{other} is not known to ibkr; it has {names}")));
    }
    for name in ["port", "deadline_ms", "beat_every_ms"] {
        if params.get(name).is_some_and(|value| *value == 0) {
            return Err(wrong(format!(".{name} is 0; give a number above zero")));
        }
    }
    let (mut ticks, gateway): (Parameters, Parameters) =
        params.clone().into_iter().partition(|(name, _)| TICKS.contains(&name.as_str()));
    ticks.insert("symbols".to_owned(), json!(symbols));
    Ok((read(&gateway)?, read(&ticks)?))
}

/// The feed, with what TWS complains about in the log: a connection that is not to be had, an instrument that is left out.
struct Logged {
    feed: IbTicksFeed,
    /// How many complaints are in the log.
    told: usize,
    /// When complaints were looked for, by the clock that only goes forward.
    looked: Option<Duration>,
}

impl Logged {
    /// Least time between two looks: ticks come faster than complaints.
    const EVERY: Duration = Duration::from_secs(1);

    fn new(feed: IbTicksFeed) -> Self {
        Self { feed, told: 0, looked: None }
    }

    fn look(&mut self) {
        let now = SystemClock.monotonic();
        if self.looked.is_some_and(|looked| now.saturating_sub(looked) < Self::EVERY) {
            return;
        }
        self.looked = Some(now);
        let complaints = self.feed.complaints();
        for complaint in complaints.iter().skip(self.told) {
            tracing::warn!("data.kind \"ibkr\": {complaint}");
        }
        self.told = complaints.len();
    }
}

impl DataFeed for Logged {
    fn name(&self) -> &str {
        DataFeed::name(&self.feed)
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        DataFeed::start(&mut self.feed).await
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        let event = DataFeed::next(&mut self.feed).await;
        self.look();
        event
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        DataFeed::stop(&mut self.feed).await
    }

    fn stats(&self) -> FeedStats {
        DataFeed::stats(&self.feed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn of(params: Value) -> Result<(IbkrSettings, IbTicksConfig), String> {
        let Value::Object(params) = params else { return Err("no table".to_owned()) };
        settings(&params, &[Symbol::new("AAPL").unwrap()]).map_err(|error| error.to_string())
    }

    #[test]
    fn parameters_have_the_documented_defaults() {
        let symbols = vec![Symbol::new("AAPL").unwrap()];
        let (settings, config) = of(json!({})).unwrap();
        assert_eq!((&settings, &config), (&IbkrSettings::default(), &IbTicksConfig::of(symbols)));
        assert_eq!(
            (settings.host.as_str(), settings.port, config.tick_throttle_ms),
            ("127.0.0.1", 7497, 100)
        );
        // Both may be connected at once.
        assert_ne!(settings.client_id, mts_brokers::IbkrConfig::default().client_id);
        // Everything that is said to be known is.
        let (settings, config) = of(json!({
            "host": "tws", "port": 4002, "client_id": 7, "deadline_ms": 5_000, "beat_every_ms": 1_000,
            "prices": "delayed", "exchange": "IEX", "currency": "CAD", "exchanges": { "ES": "CME" },
            "tick_throttle_ms": 0, "tick_by_tick": true
        }))
        .unwrap();
        assert_eq!((settings.host.as_str(), settings.port, settings.client_id), ("tws", 4002, 7));
        assert_eq!((settings.deadline_ms, settings.beat_every_ms), (5_000, 1_000));
        assert_eq!((settings.exchange.as_str(), settings.currency.as_str()), ("IEX", "CAD"));
        assert_eq!(settings.exchanges["ES"], "CME");
        assert_eq!(settings.prices, mts_marketdata::ibkr::Prices::Delayed);
        assert!(config.tick_by_tick && config.tick_throttle_ms == 0);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (params, said) in [
            (json!({"throttle": 5}), "data.params.throttle is not known to ibkr; it has host, port"),
            (json!({"symbols": ["AAPL"]}), "data.params.symbols is not known to ibkr"),
            (json!({"extended_hours": true}), "data.params.extended_hours is not known to ibkr"),
            (json!({"port": 0}), "data.params.port is 0; give a number above zero"),
            (json!({"port": 70_000}), "data.params.port"),
            (json!({"deadline_ms": 0}), "data.params.deadline_ms is 0"),
            (json!({"beat_every_ms": 0}), "data.params.beat_every_ms is 0"),
            (json!({"prices": "old"}), "data.params.prices"),
            (json!({"tick_throttle_ms": -1}), "data.params.tick_throttle_ms"),
        ] {
            let refused = of(params).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }
}
