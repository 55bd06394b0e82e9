//! The streams of prices: shares by feed, and crypto. Frames are lists of messages, in JSON or in MessagePack, which a client
//! asks for by the type of its handshake's content.

use super::assets::asset;
use super::data::{bar, levels, print, quote};
use super::pack::{packed, unpacked};
use crate::desk::{Desk, Event};
use crate::dialect::{Follower, Frame, Request};
use crate::market::News;
use mts_foundation::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long a client may take to authenticate.
const PATIENCE: Duration = Duration::from_secs(10);
/// Symbols that a free plan may follow.
const FREE_SYMBOLS: usize = 30;
/// Symbols that any plan may follow here.
const MAX_SYMBOLS: usize = 10_000;
/// Longest name that is taken for a symbol.
const MAX_NAME: usize = 64;
/// The channels of both streams, of shares alone, and of crypto alone.
const CHANNELS: [&str; 5] = ["trades", "quotes", "bars", "updatedBars", "dailyBars"];
const OF_SHARES: [&str; 2] = ["statuses", "lulds"];
const OF_CRYPTO: [&str; 1] = ["orderbooks"];

/// The paths of the streams.
pub(super) const PATHS: [&str; 4] = ["/v2/iex", "/v2/sip", "/v2/delayed_sip", "/v1beta3/crypto/us"];

/// What a connection may do.
pub(super) struct Terms {
    pub(super) key: (String, String),
    /// Its credentials shall not be taken.
    pub(super) refused: bool,
    /// The plan is one that is paid for.
    pub(super) paid: bool,
    /// Connections to this stream that are authenticated: there may be one.
    pub(super) seats: Arc<AtomicUsize>,
}

/// One client's stream.
pub(super) struct Prices {
    terms: Terms,
    is_crypto: bool,
    needs_plan: bool,
    is_packed: bool,
    since: Option<Timestamp>,
    authorised: bool,
    /// By channel.
    wanted: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Drop for Prices {
    fn drop(&mut self) {
        if self.authorised {
            self.terms.seats.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Prices {
    pub(super) fn new(request: &Request, terms: Terms) -> Self {
        let is_packed = request.header("content-type") == Some("application/msgpack");
        let (is_crypto, needs_plan) = (request.path.contains("/crypto/"), request.path == "/v2/sip");
        let wanted = BTreeMap::new();
        Self { terms, is_crypto, needs_plan, is_packed, since: None, authorised: false, wanted }
    }

    fn say(&self, message: &Value) -> Frame {
        self.frame(json!([message]).to_string())
    }

    fn error(&self, code: u32, words: &str) -> Frame {
        self.say(&json!({"T": "error", "code": code, "msg": words}))
    }

    fn authenticate(&mut self, message: &Value) -> Vec<Frame> {
        let is = |name: &str, wanted: &str| message.get(name).and_then(Value::as_str) == Some(wanted);
        if self.authorised {
            return vec![self.error(403, "already authenticated")];
        }
        let known = is("key", &self.terms.key.0) && is("secret", &self.terms.key.1);
        if !known || self.terms.refused {
            return vec![self.error(402, "auth failed"), Frame::Close];
        }
        if self.needs_plan && !self.terms.paid {
            return vec![self.error(409, "insufficient subscription"), Frame::Close];
        }
        if self.terms.seats.fetch_add(1, Ordering::SeqCst) > 0 {
            self.terms.seats.fetch_sub(1, Ordering::SeqCst);
            return vec![self.error(406, "connection limit exceeded"), Frame::Close];
        }
        self.authorised = true;
        vec![self.say(&json!({"T": "success", "msg": "authenticated"}))]
    }

    fn channels(&self) -> impl Iterator<Item = &'static str> + use<> {
        let more: &[&str] = if self.is_crypto { &OF_CRYPTO } else { &OF_SHARES };
        CHANNELS.iter().chain(more).copied()
    }

    /// Takes channels to the list, or off it; the answer is the whole list.
    fn change(&mut self, message: &Value, adds: bool) -> Vec<Frame> {
        if !self.authorised {
            return vec![self.error(401, "not authenticated")];
        }
        let mut wanted = self.wanted.clone();
        for (name, symbols) in message.as_object().into_iter().flatten().filter(|(name, _)| *name != "action")
        {
            let Some(channel) = self.channels().find(|channel| channel == name) else {
                return vec![self.error(410, "invalid subscribe action for this feed")];
            };
            let Some(symbols) = symbols.as_array() else { return vec![self.error(400, "invalid syntax")] };
            let list = wanted.entry(channel).or_default();
            let names = symbols.iter().filter_map(Value::as_str).filter(|name| name.len() <= MAX_NAME);
            for symbol in names {
                if adds {
                    list.insert(symbol.to_owned());
                } else {
                    list.remove(symbol);
                }
            }
        }
        let symbols: BTreeSet<&String> = wanted.values().flatten().collect();
        if symbols.len() > if self.terms.paid { MAX_SYMBOLS } else { FREE_SYMBOLS } {
            return vec![self.error(405, "symbol limit exceeded")];
        }
        self.wanted = wanted;
        vec![self.list()]
    }

    fn list(&self) -> Frame {
        let of = |channel: &str| json!(self.wanted.get(channel).into_iter().flatten().collect::<Vec<_>>());
        let mut list: Map<String, Value> = self.channels().map(|name| (name.to_owned(), of(name))).collect();
        list.insert("T".to_owned(), json!("subscription"));
        if !self.is_crypto {
            // Changes of prints come with them.
            list.insert("corrections".to_owned(), of("trades"));
            list.insert("cancelErrors".to_owned(), of("trades"));
        }
        self.say(&Value::Object(list))
    }

    fn wants(&self, channel: &str, symbol: &str) -> bool {
        self.wanted.get(channel).is_some_and(|list| list.contains(symbol) || list.contains("*"))
    }

    fn take(&mut self, message: Option<Value>) -> Vec<Frame> {
        let message = message.unwrap_or_default();
        match message.get("action").and_then(Value::as_str) {
            Some("auth") => self.authenticate(&message),
            Some("subscribe") => self.change(&message, true),
            Some("unsubscribe") => self.change(&message, false),
            _ => vec![self.error(400, "invalid syntax")],
        }
    }
}

impl Follower for Prices {
    fn greet(&mut self, desk: &Desk) -> Vec<Frame> {
        self.since = Some(desk.now());
        vec![self.say(&json!({"T": "success", "msg": "connected"}))]
    }

    fn hear(&mut self, _desk: &mut Desk, text: &str) -> Vec<Frame> {
        self.take(serde_json::from_str(text).ok())
    }

    fn hear_binary(&mut self, _desk: &mut Desk, bytes: &[u8]) -> Vec<Frame> {
        let message = if self.is_packed { unpacked(bytes) } else { serde_json::from_slice(bytes).ok() };
        self.take(message)
    }

    fn follows(&self) -> bool {
        self.wanted.values().any(|list| !list.is_empty())
    }

    fn tell(&mut self, _desk: &Desk, _event: &Event) -> Vec<Frame> {
        Vec::new()
    }

    fn tell_news(&mut self, desk: &Desk, news: &News) -> Vec<Frame> {
        let Some(asset) = asset(desk, news.symbol()).filter(|asset| asset.is_crypto == self.is_crypto) else {
            return Vec::new();
        };
        let mut messages = Vec::new();
        let mut say = |channel: &str, kind: &str, mut message: Value| {
            if let (true, Some(fields)) = (self.wants(channel, &asset.native), message.as_object_mut()) {
                fields.insert("T".to_owned(), json!(kind));
                fields.insert("S".to_owned(), json!(asset.native));
                messages.push(message);
            }
        };
        match news {
            News::Print(news) => say("trades", "t", print(&asset, news)),
            News::Quote(news) => {
                say("quotes", "q", quote(&asset, news));
                let mut book = levels(news);
                if let Some(book) = book.as_object_mut() {
                    book.insert("r".to_owned(), json!(true));
                }
                say("orderbooks", "o", book);
            }
            News::Minute { candle, again: false, .. } => say("bars", "b", bar(candle)),
            News::Minute { candle, again: true, .. } => say("updatedBars", "u", bar(candle)),
        }
        if messages.is_empty() { Vec::new() } else { vec![self.frame(json!(messages).to_string())] }
    }

    fn heartbeat(&mut self, desk: &Desk) -> Vec<Frame> {
        let late = self.since.is_some_and(|since| desk.now().since(since) > PATIENCE);
        if late && !self.authorised {
            vec![self.error(404, "auth timeout"), Frame::Close]
        } else {
            Vec::new()
        }
    }

    fn unknown_message(&mut self, _desk: &Desk) -> Frame {
        self.say(&json!({"T": "mts_unheard_of", "since": 2027}))
    }

    fn frame(&self, text: String) -> Frame {
        match serde_json::from_str(&text) {
            Ok(value) if self.is_packed => Frame::Binary(packed(&value)),
            _ if self.is_packed => Frame::Binary(text.into_bytes()),
            _ => Frame::Text(text),
        }
    }
}
