//! The stream of shares. Frames are lists of events.

use super::{SPELLING, by_native, price};
use crate::desk::{Desk, Event};
use crate::dialect::{Follower, Frame, number};
use crate::market::News;
use mts_foundation::Decimal;
use mts_foundation::symbology::SymbolKind;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most topics that a client may follow here.
const MAX_TOPICS: usize = 10_000;
/// Longest topic.
const MAX_TOPIC: usize = 64;
/// The kinds of events.
const KINDS: [&str; 4] = ["T", "Q", "AM", "A"];

/// What a connection may do.
pub(super) struct Terms {
    pub(super) key: String,
    /// The key shall not be taken.
    pub(super) refused: bool,
    /// Prints and quotes are not in the plan.
    pub(super) bars_only: bool,
    /// Connections that are authenticated: there may be one.
    pub(super) seats: Arc<AtomicUsize>,
}

/// One client's stream.
pub(super) struct Prices {
    terms: Terms,
    authorised: bool,
    /// Such as `T.AAPL` and `AM.*`.
    wanted: BTreeSet<String>,
    /// Events are numbered by kind and instrument; here they are together.
    told: u64,
}

impl Drop for Prices {
    fn drop(&mut self) {
        if self.authorised {
            self.terms.seats.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

fn status(status: &str, message: &str) -> Value {
    json!({"ev": "status", "status": status, "message": message})
}

impl Prices {
    pub(super) fn new(terms: Terms) -> Self {
        Self { terms, authorised: false, wanted: BTreeSet::new(), told: 0 }
    }

    fn authenticate(&mut self, key: &str) -> Vec<Frame> {
        if self.authorised {
            return say(&[status("auth_success", "already authenticated")]);
        }
        let refusal = if key != self.terms.key || self.terms.refused {
            Some(status("auth_failed", "authentication failed"))
        } else if self.terms.seats.fetch_add(1, Ordering::SeqCst) > 0 {
            self.terms.seats.fetch_sub(1, Ordering::SeqCst);
            Some(status("max_connections", "Maximum number of websocket connections exceeded."))
        } else {
            None
        };
        match refusal {
            Some(refusal) => [say(&[refusal]), vec![Frame::Close]].concat(),
            None => {
                self.authorised = true;
                say(&[status("auth_success", "authenticated")])
            }
        }
    }

    fn change(&mut self, topics: &str, adds: bool) -> Vec<Frame> {
        if !self.authorised {
            return say(&[status("error", "authentication required")]);
        }
        let mut said = Vec::new();
        for topic in topics.split(',').map(str::trim) {
            let kind = topic.split_once('.').map(|(kind, _)| kind);
            let kind = kind.filter(|kind| KINDS.contains(kind) && topic.len() <= MAX_TOPIC);
            said.push(match kind {
                None => status("error", "invalid subscription"),
                Some("T" | "Q") if self.terms.bars_only => status("error", "not authorized"),
                Some(_) if adds && self.wanted.len() >= MAX_TOPICS => {
                    status("error", "too many subscriptions")
                }
                Some(_) if adds => {
                    self.wanted.insert(topic.to_owned());
                    status("success", &format!("subscribed to: {topic}"))
                }
                Some(_) => {
                    self.wanted.remove(topic);
                    status("success", &format!("unsubscribed to: {topic}"))
                }
            });
        }
        say(&said)
    }

    fn wants(&self, kind: &str, native: &str) -> bool {
        self.wanted.contains(&format!("{kind}.{native}")) || self.wanted.contains(&format!("{kind}.*"))
    }
}

fn say(events: &[Value]) -> Vec<Frame> {
    vec![Frame::Text(json!(events).to_string())]
}

impl Follower for Prices {
    fn greet(&mut self, _desk: &Desk) -> Vec<Frame> {
        say(&[status("connected", "Connected Successfully")])
    }

    fn hear(&mut self, _desk: &mut Desk, text: &str) -> Vec<Frame> {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let params = message.get("params").and_then(Value::as_str).unwrap_or_default();
        match message.get("action").and_then(Value::as_str) {
            Some("auth") => self.authenticate(params),
            Some("subscribe") => self.change(params, true),
            Some("unsubscribe") => self.change(params, false),
            _ => say(&[status("error", "unknown action")]),
        }
    }

    fn follows(&self) -> bool {
        !self.wanted.is_empty()
    }

    fn tell(&mut self, _desk: &Desk, _event: &Event) -> Vec<Frame> {
        Vec::new()
    }

    fn tell_news(&mut self, desk: &Desk, news: &News) -> Vec<Frame> {
        let symbol = news.symbol();
        let is_share = symbol.parts().is_ok_and(|parts| parts.kind() == SymbolKind::Equity);
        let Some(native) = SPELLING.to_native(symbol).ok().filter(|_| is_share) else { return Vec::new() };
        if by_native(desk, &native).is_none() {
            return Vec::new();
        }
        let millis = |time: mts_foundation::Timestamp| time.nanos().div_euclid(1_000_000);
        let (kind, event) = match news {
            News::Print(print) => (
                "T",
                json!({
                    "ev": "T", "sym": native, "x": 4, "i": print.id.to_string(), "z": 3, "p": price(print.price),
                    "s": price(print.size.trunc()), "ds": number(print.size), "c": [14], "t": millis(print.time), "q": self.told,
                }),
            ),
            News::Quote(quote) => (
                "Q",
                json!({
                    "ev": "Q", "sym": native, "bx": 11, "bp": price(quote.bid), "bs": price(quote.bid_size), "ax": 12,
                    "ap": price(quote.ask), "as": price(quote.ask_size), "c": 0, "t": millis(quote.timestamp), "q": self.told,
                    "z": 3,
                }),
            ),
            News::Minute { candle, again: false, .. } => {
                let mean = candle.volume.checked_div(Decimal::from(candle.prints)).unwrap_or_default();
                (
                    "AM",
                    json!({
                        "ev": "AM", "sym": native, "v": price(candle.volume), "dv": number(candle.volume),
                        "av": price(candle.volume), "op": price(candle.open), "vw": price(candle.vwap()),
                        "o": price(candle.open), "c": price(candle.close), "h": price(candle.high), "l": price(candle.low),
                        "a": price(candle.vwap()), "z": price(mean.trunc()), "s": millis(candle.start),
                        "e": millis(candle.start) + 60_000,
                    }),
                )
            }
            // The venue does not tell of changed bars.
            News::Minute { .. } => return Vec::new(),
        };
        if !self.wants(kind, &native) {
            return Vec::new();
        }
        self.told += 1;
        say(&[event])
    }

    fn unknown_message(&mut self, _desk: &Desk) -> Frame {
        Frame::Text(json!([{"ev": "mts_unheard_of", "since": 2027}]).to_string())
    }

    fn frame(&self, text: String) -> Frame {
        Frame::Text(text)
    }
}
