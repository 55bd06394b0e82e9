//! The documented self-test.

use super::client::{Kraken, WITHDRAWAL_KEY, may_withdraw};
use super::map;
use super::wire::{WireKey, WireStatus, WireTicker};
use crate::kit::{Checks, Failure, FailureKind, is_live, strange};
use mts_foundation::Symbol;
use mts_foundation::broker::{Broker, Check};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// What the key needs to be allowed.
const NEEDED: &[&str] = &[
    "query-funds",
    "query-open-trades",
    "query-closed-trades",
    "query-ledger",
    "modify-trades",
    "close-trades",
    "create-ws-token",
];

/// How far the clocks may be apart, in milliseconds: the venue's tells whole seconds.
const MOST_SKEW: u64 = 2_000;

impl Kraken {
    pub(super) async fn checks(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        let mut checks = Checks::default();
        let status: Result<WireStatus, Failure> = self.public("SystemStatus").await;
        checks.add(
            "API reachable",
            match &status {
                Ok(wire) if wire.status == "online" => Ok(self.config.rest_url().to_owned()),
                Ok(wire) => Err(format!("Kraken is in {}; see https://status.kraken.com", wire.status)),
                Err(failure) => Err(format!(
                    "{}: {}; see that this machine reaches it, and https://status.kraken.com",
                    self.config.rest_url(),
                    failure.message
                )),
            },
        );
        let key = self.key_info().await;
        checks.add(
            "auth",
            match &key {
                Ok(_) => Ok(format!("key of {}", self.config.api_key)),
                Err(failure) => Err(format!(
                    "{}; see that {} and {} hold a key and its secret",
                    failure.message, self.config.api_key, self.config.api_secret
                )),
            },
        );
        checks.add(
            "account info",
            match self.account().await {
                Ok(account) => {
                    Ok(format!("equity {} {}, cash {}", account.equity, account.base_currency, account.cash))
                }
                Err(error) => Err(error.message),
            },
        );
        let touch = self.touch(symbol).await;
        checks.add(
            "order book",
            touch.map_err(|failure| format!("{}; see that the pair is listed", failure.message)),
        );
        let (time, skew) = (self.venue_time().await, self.known().clock_skew_ms);
        checks.skew("Kraken", &time, skew, MOST_SKEW, ", to half a second");
        checks.add(
            "WebSocket stream",
            match is_live(self, &self.connections.followed()).await {
                Ok(()) => Ok(self.config.stream_url().to_owned()),
                Err(error) => Err(format!("{error}; see that the key may make tokens for WebSockets")),
            },
        );
        checks.add("key permissions", self.permissions(key.as_ref()));
        checks.done()
    }

    fn permissions(&self, key: Result<&WireKey, &Failure>) -> Result<String, String> {
        let info = key.map_err(|failure| failure.message.clone())?;
        let has = |wanted: &str| info.permissions.iter().any(|permission| permission == wanted);
        let missing: Vec<&str> = NEEDED.iter().copied().filter(|wanted| !has(wanted)).collect();
        if !missing.is_empty() {
            return Err(format!("the key lacks {}; give it these at Kraken", missing.join(", ")));
        }
        match (may_withdraw(info), self.config.allow_withdrawal_key) {
            (true, false) => Err(WITHDRAWAL_KEY.to_owned()),
            (true, true) => Ok("may trade, and may withdraw money, which is allowed here".to_owned()),
            (false, _) => Ok("may trade and cannot withdraw".to_owned()),
        }
    }

    /// The best prices of an instrument, readable.
    async fn touch(&self, symbol: Option<&Symbol>) -> Result<String, Failure> {
        let pairs = self.pairs().await?;
        let pair = match symbol {
            Some(symbol) => pairs.of_symbol(symbol),
            None => pairs.of_code("BTC"),
        };
        let pair = pair.ok_or_else(|| Failure::new(FailureKind::NotFound, "Kraken lists no such pair"))?;
        let tickers: BTreeMap<SmolStr, WireTicker> =
            self.public(&format!("Ticker?pair={}", pair.altname)).await?;
        let ticker = tickers.values().next().ok_or_else(|| strange("ticker", "empty"))?;
        Ok(format!("{} {} / {}", pair.symbol, map::price(&ticker.b)?, map::price(&ticker.a)?))
    }
}
