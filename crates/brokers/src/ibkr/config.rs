//! Settings.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::time::Duration;

/// Most days that TWS keeps executions for.
const MAX_DAYS: u8 = 7;

/// Settings of an account at Interactive Brokers, reached through a TWS or an IB Gateway that somebody has logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct IbkrConfig {
    /// Where TWS or the gateway runs.
    pub host: String,
    /// Another port than theirs: 7497 and 7496 are TWS's for paper and live, 4002 and 4001 the gateway's. Text is taken as well.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "port_option")]
    pub port: Option<u16>,
    /// Whether it is a gateway and not TWS.
    pub gateway: bool,
    /// Whether the account is a paper account, the default. An account of the other kind is refused.
    pub paper: bool,
    /// The number that this program has there. Orders can be cancelled by the client that placed them and by nobody else, so it
    /// stays what it is, and no other program has it.
    pub client_id: i32,
    /// The account; the first that the login manages unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<SmolStr>,
    /// Exchanges of futures by their root, such as `ES = "CME"`, where one root trades at several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exchanges: BTreeMap<SmolStr, SmolStr>,
    /// How many days of executions TWS surely has, today and those before it: 1, or as many as its trade log is set to show, 7
    /// at most. What is older than that is told as a gap.
    #[serde(deserialize_with = "days")]
    pub history_days: u8,
    /// Longest wait for an answer, in milliseconds.
    #[serde(deserialize_with = "deadline_ms")]
    pub deadline_ms: u64,
    /// How long a fill waits for its commission, in milliseconds; after that it is told without, and the fees follow. 0 = none does.
    pub fees_within_ms: u64,
    /// How often the executions are asked for, although nothing seems to be missing, in milliseconds.
    #[serde(deserialize_with = "look_every_ms")]
    pub look_every_ms: u64,
    /// How often the connection is tried while nothing else is said, in milliseconds.
    #[serde(deserialize_with = "beat_every_ms")]
    pub beat_every_ms: u64,
}

fn days<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    match u8::deserialize(from)? {
        days @ 1..=MAX_DAYS => Ok(days),
        days => Err(D::Error::custom(format!(
            "history_days is {days}; write as many days as the trade log of TWS shows, from 1 (today) to {MAX_DAYS}"
        ))),
    }
}

fn deadline_ms<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    some_time("deadline_ms", from)
}

fn look_every_ms<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    some_time("look_every_ms", from)
}

fn beat_every_ms<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    some_time("beat_every_ms", from)
}

/// Milliseconds, and not none: without a pause nothing else would be done.
fn some_time<'de, D: Deserializer<'de>>(field: &str, from: D) -> Result<u64, D::Error> {
    match u64::deserialize(from)? {
        0 => Err(D::Error::custom(format!(
            "{field} is 0; write 1 or more milliseconds, or leave it out for the default"
        ))),
        millis => Ok(millis),
    }
}

/// A port as a number or as text.
fn port_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u16>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Port {
        Number(u16),
        Text(String),
    }
    match Option::<Port>::deserialize(from)? {
        None => Ok(None),
        Some(Port::Number(port)) => Ok(Some(port)),
        Some(Port::Text(text)) => text
            .parse()
            .map(Some)
            .map_err(|_| D::Error::custom(format!("port {text:?} is none; write a number from 1 to 65535"))),
    }
}

impl Default for IbkrConfig {
    /// The paper account of a TWS on this machine, as client 1.
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: None,
            gateway: false,
            paper: true,
            client_id: 1,
            account: None,
            exchanges: BTreeMap::new(),
            history_days: 1,
            deadline_ms: 20_000,
            fees_within_ms: 100,
            look_every_ms: 60_000,
            beat_every_ms: 10_000,
        }
    }
}

impl IbkrConfig {
    /// Host and port.
    #[must_use]
    pub fn address(&self) -> String {
        let own = match (self.gateway, self.paper) {
            (false, true) => 7497,
            (false, false) => 7496,
            (true, true) => 4002,
            (true, false) => 4001,
        };
        format!("{}:{}", self.host, self.port.unwrap_or(own))
    }

    /// Longest wait for an answer.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// How far back TWS has executions at most: its days begin at midnight.
    #[must_use]
    pub fn history(&self) -> Duration {
        Duration::from_secs(24 * 3_600).saturating_mul(self.history_days.into())
    }

    /// Whether an account's number is one of the kind that is wanted. Paper accounts begin with `D`.
    pub(super) fn fits(&self, account: &str) -> bool {
        account.starts_with('D') == self.paper
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_follows_program_and_account() {
        let read = |text: &str| serde_json::from_str::<IbkrConfig>(text).unwrap().address();
        for (text, address) in [
            ("{}", "127.0.0.1:7497"),
            (r#"{"paper":false}"#, "127.0.0.1:7496"),
            (r#"{"gateway":true}"#, "127.0.0.1:4002"),
            (r#"{"gateway":true,"paper":false}"#, "127.0.0.1:4001"),
            (r#"{"host":"tws","port":"5000"}"#, "tws:5000"),
            (r#"{"port":5001}"#, "127.0.0.1:5001"),
        ] {
            assert_eq!(read(text), address, "{text}");
        }
        assert_eq!(serde_json::from_str::<IbkrConfig>("{}").unwrap(), IbkrConfig::default());
        for wrong in [r#"{"port":"x"}"#, r#"{"port":70000}"#, r#"{"prot":1}"#] {
            assert!(serde_json::from_str::<IbkrConfig>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_time_at_all_is_refused_where_it_makes_no_sense() {
        for field in ["deadline_ms", "look_every_ms", "beat_every_ms"] {
            let read = |value: u64| serde_json::from_str::<IbkrConfig>(&format!("{{\"{field}\":{value}}}"));
            let refusal = read(0).unwrap_err().to_string();
            assert!(refusal.contains(&format!("{field} is 0; write 1 or more milliseconds")), "{refusal}");
            assert!(read(1).is_ok());
        }
        let read = |text: &str| serde_json::from_str::<IbkrConfig>(text);
        assert_eq!(read(r#"{"fees_within_ms":0}"#).unwrap().fees_within_ms, 0);
        assert_eq!(read(r#"{"history_days":7}"#).unwrap().history(), Duration::from_secs(168 * 3_600));
        for days in [0, 8] {
            let refusal = read(&format!("{{\"history_days\":{days}}}")).unwrap_err().to_string();
            assert!(refusal.contains(&format!("history_days is {days}; write")), "{refusal}");
        }
    }

    #[test]
    fn an_account_of_the_other_kind_does_not_fit() {
        let paper = IbkrConfig::default();
        let live = IbkrConfig { paper: false, ..IbkrConfig::default() };
        assert!(paper.fits("DU1234567") && paper.fits("DF12") && !paper.fits("U1234567"));
        assert!(live.fits("U1234567") && !live.fits("DU1234567"));
    }
}
