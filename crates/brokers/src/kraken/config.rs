//! Settings.

use crate::kit::{ZeroTime, above_zero};
use mts_foundation::Currency;
use mts_foundation::secret::SecretRef;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How far Kraken has verified an account, which says how often it may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// 15 questions at once, one more every three seconds.
    #[default]
    Starter,
    /// 20, one more every two seconds.
    Intermediate,
    /// 20, one more every second.
    Pro,
}

impl Tier {
    /// The weight of private calls that the venue takes at once, one less than it says: its clock is not ours.
    #[must_use]
    pub const fn calls_at_once(self) -> u32 {
        match self {
            Self::Starter => 14,
            Self::Intermediate | Self::Pro => 19,
        }
    }

    /// The weight by which its count sinks in a minute.
    #[must_use]
    pub const fn calls_a_minute(self) -> u32 {
        match self {
            // A third of one a second, as documented, is 0.33.
            Self::Starter => 19,
            Self::Intermediate => 30,
            Self::Pro => 60,
        }
    }
}

/// Settings of an account at Kraken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct KrakenConfig {
    /// Where the key is kept.
    pub api_key: SecretRef,
    /// Where its secret is kept.
    pub api_secret: SecretRef,
    /// What the account is called in the books where Kraken's public number of it is not to be used, or not told. It has to stay what
    /// it is: fills are known by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The currency of account: pairs that are quoted in it are traded.
    pub currency: Currency,
    /// How often the account may ask.
    pub tier: Tier,
    /// The weight of private calls in any minute where it is another than the tier's, such as at a double.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_a_minute: Option<u32>,
    /// Whether a key that may withdraw is taken.
    pub allow_withdrawal_key: bool,
    /// Another address than Kraken's for calls, such as a double's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<String>,
    /// Another address than Kraken's for the private stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Longest wait for an answer, in milliseconds.
    pub deadline_ms: u64,
    /// How long after it was sent an order may reach Kraken's market, in milliseconds, 2,000 to 60,000: what comes later is refused
    /// there.
    pub order_deadline_ms: u64,
    /// How often the history is asked for what the stream has not told, in milliseconds: cash that moved without a trade.
    pub look_every_ms: u64,
    /// After how much silence the stream counts as lost, in milliseconds; Kraken says something every second.
    pub silence_ms: u64,
}

impl Default for KrakenConfig {
    /// An account in dollars, its key in `KRAKEN_API_KEY` and `KRAKEN_API_SECRET`.
    fn default() -> Self {
        Self {
            api_key: SecretRef::Env("KRAKEN_API_KEY".to_owned()),
            api_secret: SecretRef::Env("KRAKEN_API_SECRET".to_owned()),
            account: None,
            currency: Currency::USD,
            tier: Tier::default(),
            calls_a_minute: None,
            allow_withdrawal_key: false,
            rest: None,
            stream: None,
            deadline_ms: 20_000,
            order_deadline_ms: 5_000,
            look_every_ms: 60_000,
            silence_ms: 15_000,
        }
    }
}

impl KrakenConfig {
    /// Checks the times.
    ///
    /// # Errors
    /// [`ZeroTime`] of one that is nothing: the venue would be asked without a pause, or given up at once.
    pub fn validate(&self) -> Result<(), ZeroTime> {
        above_zero([
            ("deadline_ms", self.deadline_ms),
            ("look_every_ms", self.look_every_ms),
            ("silence_ms", self.silence_ms),
        ])
    }

    /// Where calls go.
    #[must_use]
    pub fn rest_url(&self) -> &str {
        self.rest.as_deref().unwrap_or("https://api.kraken.com")
    }

    /// Where the private stream is.
    #[must_use]
    pub fn stream_url(&self) -> &str {
        self.stream.as_deref().unwrap_or("wss://ws-auth.kraken.com/v2")
    }

    /// The weight of private calls that may be used in any minute.
    #[must_use]
    pub fn budget(&self) -> u32 {
        self.calls_a_minute.unwrap_or(self.tier.calls_a_minute()).max(1)
    }

    /// Longest wait for an answer.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// How long after it was sent an order may reach the market; out of range = the nearest that Kraken takes.
    #[must_use]
    pub fn order_deadline(&self) -> Duration {
        Duration::from_millis(self.order_deadline_ms.clamp(2_000, 60_000))
    }
}
