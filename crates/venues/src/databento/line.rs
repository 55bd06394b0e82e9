//! What clients say: lines of `name=value`, with a bar between.

use super::encode::Symbology;
use super::{DATASET, LISTED};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::Duration;

/// How often a quiet gateway says that it lives, unless it is asked otherwise, and how often it can be asked to.
const HEARTBEAT: u64 = 30;
const HEARTBEATS: std::ops::RangeInclusive<u64> = 5..=1_800;
/// The end of a key that the gateway finds it by.
const KEY_END: usize = 5;

/// A line, by its first name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Authenticate,
    Subscribe,
    Start,
    Other,
}

impl Kind {
    pub(super) fn of(line: &[u8]) -> Self {
        let name: &[u8] = line.split(|byte| b"=|\r\n".contains(byte)).next().unwrap_or_default();
        match name {
            b"auth" => Self::Authenticate,
            b"schema" => Self::Subscribe,
            b"start_session" => Self::Start,
            _ => Self::Other,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Authenticate => "auth",
            Self::Subscribe => "subscription",
            Self::Start => "start_session",
            Self::Other => "?",
        }
    }
}

/// The value of a name in a line.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = line.trim_end().split('|').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// What a client has asked for when it proved its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wishes {
    pub(super) heartbeat: Duration,
    pub(super) sent_times: bool,
}

/// Reads a proof of the key; what is refused comes back with the gateway's words.
pub(super) fn authenticate(line: &str, challenge: &str, key: &str) -> Result<Wishes, String> {
    if field(line, "auth") != Some(proof(challenge, key).as_str()) {
        return Err("Authentication failed.".to_owned());
    }
    let dataset = field(line, "dataset").unwrap_or_default();
    if dataset != DATASET {
        return Err(format!("A live data license is required to access {dataset}."));
    }
    one_of(line, "encoding", &["dbn"])?;
    one_of(line, "compression", &["none"])?;
    one_of(line, "slow_reader_behavior", &["skip", "warn"])?;
    let sent_times = one_of(line, "ts_out", &["0", "1"])? == "1";
    let seconds = field(line, "heartbeat_interval_s");
    let seconds = seconds.map_or(Some(HEARTBEAT), |text| text.parse().ok());
    let Some(seconds) = seconds.filter(|seconds| HEARTBEATS.contains(seconds)) else {
        return Err("Invalid heartbeat_interval_s: it is 5 to 1800.".to_owned());
    };
    Ok(Wishes { heartbeat: Duration::from_secs(seconds), sent_times })
}

/// The value of a name, of those that there are; the first of them where it is not given.
fn one_of<'a>(line: &'a str, name: &str, known: &[&'static str]) -> Result<&'a str, String> {
    let value = field(line, name).or(known.first().copied()).unwrap_or_default();
    if known.contains(&value) { Ok(value) } else { Err(format!("Invalid {name}: {value}.")) }
}

/// That somebody knows the key, without saying it.
fn proof(challenge: &str, key: &str) -> String {
    let hash = Sha256::digest(format!("{challenge}|{key}").as_bytes());
    let mut proof = String::new();
    for byte in hash {
        // Writing to a text cannot fail.
        write!(proof, "{byte:02x}").unwrap_or_default();
    }
    let end = key.len().checked_sub(KEY_END).and_then(|at| key.get(at..)).unwrap_or_default();
    format!("{proof}-{end}")
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Schema {
    Trades,
    Top,
    Minutes,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) schema: Schema,
    pub(super) symbology: Symbology,
    /// Instruments by number, as they were asked for.
    pub(super) found: Vec<(u32, String)>,
    pub(super) unknown: Vec<String>,
    /// What the gateway says to it.
    pub(super) words: String,
}

/// Reads a subscription; what is refused as a whole comes back with the gateway's words.
pub(super) fn subscribe(line: &str) -> Result<Subscription, String> {
    let name = field(line, "schema").unwrap_or_default();
    let schema = match name {
        "trades" => Schema::Trades,
        "mbp-1" => Schema::Top,
        "ohlcv-1m" => Schema::Minutes,
        _ => return Err(format!("Schema {name} is not available for {DATASET} here.")),
    };
    let symbology = match field(line, "stype_in").unwrap_or("raw_symbol") {
        "raw_symbol" => Symbology::RawSymbol,
        "instrument_id" => Symbology::InstrumentId,
        other => return Err(format!("stype_in {other} is not supported for {DATASET}.")),
    };
    if field(line, "start").is_some() {
        return Err("Replay is not available here: leave start out.".to_owned());
    }
    if field(line, "snapshot").is_some_and(|snapshot| snapshot != "0") {
        return Err(format!("Snapshots are not available for schema {name}."));
    }
    let numbered = || (1_u32..).zip(LISTED);
    let asked = field(line, "symbols").unwrap_or_default();
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    if asked == "ALL_SYMBOLS" {
        found.extend(numbered().map(|(number, symbol)| (number, symbol.to_owned())));
    } else {
        for text in asked.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let of = numbered().find(|(number, symbol)| match symbology {
                Symbology::RawSymbol => *symbol == text,
                Symbology::InstrumentId => number.to_string() == text,
            });
            match of {
                Some((number, _)) => found.push((number, text.to_owned())),
                None => unknown.push(text.to_owned()),
            }
        }
    }
    if found.is_empty() && unknown.is_empty() {
        return Err("No symbols were given.".to_owned());
    }
    let id = field(line, "id").map_or_else(String::new, |id| format!(" {id}"));
    let words = format!("Subscription request{id} for {name} data succeeded");
    Ok(Subscription { schema, symbology, found, unknown, words })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_of_this_challenge_and_this_key() {
        let key = "db-abcdefghijklmnopqrstuvwxyz123";
        let challenge = "t7kNhwj4xqR0QYjzFKtBEG2ec2pXJ4FK";
        // Made by another program.
        let good = "05af4a41d5a6548f1d2a6f07c76044c27d78657fe9ec318804712d37f1c29567-yz123";
        let line = |more: &str| format!("auth={good}|dataset=XNAS.ITCH|{more}\n");
        let read = |more: &str| authenticate(&line(more), challenge, key);
        assert_eq!(
            read("ts_out=1").unwrap(),
            Wishes { heartbeat: Duration::from_secs(30), sent_times: true }
        );
        assert_eq!(read("heartbeat_interval_s=5").unwrap().heartbeat.as_secs(), 5);
        for wrong in ["heartbeat_interval_s=4", "encoding=csv", "compression=zstd", "ts_out=2"] {
            let name = wrong.split('=').next().unwrap();
            assert!(read(wrong).unwrap_err().contains(name), "{wrong}");
        }
        assert!(authenticate(&line(""), "another", key).is_err());
        assert!(authenticate(&line(""), challenge, "db-abcdefghijklmnopqrstuvwxyz124").is_err());
        let other = line("").replace("XNAS.ITCH", "GLBX.MDP3");
        assert!(authenticate(&other, challenge, key).unwrap_err().contains("GLBX.MDP3"));
    }

    #[test]
    fn a_subscription_names_what_there_is() {
        let read = |line: &str| subscribe(line);
        let known =
            read("schema=trades|stype_in=raw_symbol|symbols=AAPL,NONE,BRK.B|snapshot=0|is_last=1|id=4\n");
        let known = known.unwrap();
        assert_eq!(known.found, [(1, "AAPL".to_owned()), (4, "BRK.B".to_owned())]);
        assert_eq!((known.unknown, known.words.contains(" 4 ")), (vec!["NONE".to_owned()], true));
        let all = read("schema=mbp-1|symbols=ALL_SYMBOLS").unwrap();
        assert_eq!(all.found.len(), LISTED.len());
        let by_number = read("schema=ohlcv-1m|stype_in=instrument_id|symbols=2,9").unwrap();
        assert_eq!((by_number.found.len(), by_number.unknown.len()), (1, 1));
        for wrong in [
            "schema=mbo|symbols=AAPL",
            "schema=trades|stype_in=parent|symbols=ES.FUT",
            "schema=trades|stype_in=continuous|symbols=ES.c.0",
            "schema=trades|symbols=AAPL|start=0",
            "schema=trades|symbols=AAPL|snapshot=1",
            "schema=trades|symbols=,",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
