//! The connection to TWS, over the library, which opens its own socket (the named exception of decision H3). It never
//! reconnects by itself: when it is lost it is over, and whoever needs one asks for another, so that nobody takes
//! silence for calm.

use super::contracts::{Places, contract_of};
use super::past::Pace;
use futures_util::future::{Either, select};
use futures_util::lock::Mutex;
use ibapi::contracts::Contract;
use ibapi::market_data::MarketDataType;
use ibapi::{Client, Error, RateLimiter};
use mts_foundation::io::Sleep;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::{Clock, Symbol, VenueName};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Messages a second of this connection. TWS takes fifty of all clients together, and a broker's adapter needs its share.
const MESSAGES_A_SECOND: u32 = 20;

/// Which of the prices TWS tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prices {
    /// Live ones alone: who has not subscribed to them is refused.
    #[default]
    Live,
    /// Live ones, and delayed ones where there are no others.
    Delayed,
    /// Live ones, and the last ones where the market is closed.
    Frozen,
}

/// Where TWS or the gateway is, and how it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct IbkrSettings {
    /// Where TWS or the gateway runs.
    pub host: String,
    /// Its port: 7497 and 7496 are TWS's for paper and live, 4002 and 4001 the gateway's.
    pub port: u16,
    /// The number that this program has there. No other connection may have it, a broker's neither.
    pub client_id: i32,
    /// Longest wait for an answer, in milliseconds.
    pub deadline_ms: u64,
    /// After how much silence TWS is asked whether it is there, in milliseconds.
    pub beat_every_ms: u64,
    /// Which prices.
    pub prices: Prices,
    /// Where shares without a market, and options, are looked for.
    pub exchange: SmolStr,
    /// Their currency.
    pub currency: SmolStr,
    /// Exchanges of futures by their root, such as `ES = "CME"`.
    pub exchanges: BTreeMap<SmolStr, SmolStr>,
    /// Whether bars and prints of the past are those of all hours; of regular ones alone otherwise.
    pub extended_hours: bool,
}

impl Default for IbkrSettings {
    /// A TWS on this machine with a paper account, as client 2: a broker is client 1.
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 7497,
            client_id: 2,
            deadline_ms: 20_000,
            beat_every_ms: 10_000,
            prices: Prices::default(),
            exchange: SmolStr::new_static("SMART"),
            currency: SmolStr::new_static("USD"),
            exchanges: BTreeMap::new(),
            extended_hours: false,
        }
    }
}

/// One connection to TWS for requests and feeds of market data. It is made when it is needed first, and made anew when
/// it is needed after it was lost.
pub struct IbkrGateway {
    pub(super) settings: IbkrSettings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sleep: Arc<dyn Sleep>,
    pub(super) venue: VenueName,
    limiter: RateLimiter,
    pub(super) pace: Mutex<Pace>,
    client: Mutex<Option<Arc<Client>>>,
}

impl std::fmt::Debug for IbkrGateway {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("IbkrGateway").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl IbkrGateway {
    /// A gateway that is not connected yet.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn new(
        settings: IbkrSettings,
        clock: Arc<dyn Clock>,
        sleep: Arc<dyn Sleep>,
    ) -> Result<Arc<Self>, MarketDataError> {
        Ok(Arc::new(Self {
            settings,
            clock,
            sleep,
            venue: crate::vendor::venue("ibkr")?,
            limiter: RateLimiter::per_second(MESSAGES_A_SECOND),
            pace: Mutex::default(),
            client: Mutex::new(None),
        }))
    }

    /// Ends the connection. Whoever needs one makes another.
    pub async fn close(&self) {
        if let Some(client) = self.client.lock().await.take() {
            client.disconnect().await;
        }
    }

    pub(super) fn deadline(&self) -> Duration {
        Duration::from_millis(self.settings.deadline_ms.max(1))
    }

    /// The connection, made if there is none that lives.
    pub(super) async fn client(&self) -> Result<Arc<Client>, Error> {
        let mut held = self.client.lock().await;
        if let Some(client) = held.as_ref().filter(|client| client.is_connected()) {
            return Ok(Arc::clone(client));
        }
        if let Some(lost) = held.take() {
            // TWS takes its number for free only then.
            lost.disconnect().await;
        }
        let client = Arc::new(self.within(self.connect()).await?);
        *held = Some(Arc::clone(&client));
        Ok(client)
    }

    async fn connect(&self) -> Result<Client, Error> {
        let IbkrSettings { host, port, client_id, prices, .. } = &self.settings;
        let client = Client::builder()
            .address(format!("{host}:{port}"))
            .client_id(*client_id)
            .tcp_no_delay(true)
            .max_reconnect_attempts(0)
            .rate_limiter(self.limiter.clone())
            .one_shot_timeout(self.deadline())
            .connect()
            .await?;
        match prices {
            Prices::Live => {}
            Prices::Delayed => client.switch_market_data_type(MarketDataType::Delayed).await?,
            Prices::Frozen => client.switch_market_data_type(MarketDataType::Frozen).await?,
        }
        Ok(client)
    }

    /// Ends a connection that does not answer.
    pub(super) async fn give_up(&self, client: &Arc<Client>) {
        client.disconnect().await;
        let mut held = self.client.lock().await;
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, client)) {
            *held = None;
        }
    }

    /// An answer within the deadline.
    pub(super) async fn within<T>(&self, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match select(pin!(asked), self.sleep.sleep(self.deadline())).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(Error::Timeout),
        }
    }

    pub(super) fn contract(&self, symbol: &Symbol) -> Result<Contract, MarketDataError> {
        let IbkrSettings { exchange, currency, exchanges, .. } = &self.settings;
        contract_of(symbol, &Places { exchange, currency, futures: exchanges }).map_err(|why| self.lacks(why))
    }

    pub(super) fn lacks(&self, what: impl Into<String>) -> MarketDataError {
        MarketDataError::Unsupported { source_name: self.venue.to_string(), what: what.into() }
    }

    pub(super) fn fault(&self, message: impl Into<String>) -> MarketDataError {
        MarketDataError::Venue { source_name: self.venue.to_string(), message: message.into() }
    }

    /// What went wrong, and what to do.
    pub(super) fn failed(&self, error: &Error) -> MarketDataError {
        self.fault(words(error, &self.settings))
    }
}

/// What an error says, and what to do.
pub(super) fn words(error: &Error, settings: &IbkrSettings) -> String {
    let IbkrSettings { host, port, client_id, .. } = settings;
    match error {
        Error::Notice(notice) => {
            let remedy = match notice.code {
                200 => "; check the symbol, and where it is looked for",
                354 | 10_089 | 10_090 | 10_168 | 10_186 | 10_189 => {
                    "; subscribe to it at Interactive Brokers, or take delayed prices (prices = \"delayed\")"
                }
                10_197 => "; another session of this user has the prices: end it",
                100 | 420 | 10_190 => "; ask less often",
                162 if notice.message.contains("pacing") => "; wait ten minutes",
                _ => "",
            };
            let message: String = notice.message.chars().filter(|it| !it.is_control()).take(300).collect();
            format!("code {}: {message}{remedy}", notice.code)
        }
        Error::ClientIdInUse { .. } => format!(
            "another connection is client {client_id} there; give this one a client_id of its own, or wait a moment"
        ),
        Error::ServerVersion(wanted, is, _) => {
            format!("TWS speaks version {is} and {wanted} is needed; update it")
        }
        Error::Timeout => format!("{host}:{port} does not answer; see that TWS or the gateway is logged in"),
        Error::Io(_) | Error::ConnectionFailed | Error::ConnectionRejected(_) => {
            format!("{host}:{port}: {error}; see that TWS or the gateway runs there and takes API clients")
        }
        Error::ConnectionReset | Error::Shutdown | Error::EndOfStream | Error::UnexpectedEndOfStream => {
            "the connection to TWS is lost".to_owned()
        }
        _ => error.to_string(),
    }
}
