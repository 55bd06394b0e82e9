//! Data vendors over a client that answers from a function. The replies are made up after the vendors' documents; those that were
//! fetched are read where they are there.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a helper that fails fails its test; payloads that are not there are said"
)]

mod alpaca;
mod polygon;
mod quotes;
mod tradier;

use bytes::Bytes;
use mts_foundation::io::{HttpClient, RequestOptions, TransportError};
use mts_foundation::market_data::MarketDataError;
use mts_foundation::ready::ready;
use mts_foundation::{Bar, Clock, Decimal, Interval, Symbol, Timestamp, Trade};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// What no message may hold.
const SECRET: &str = "k3y-of-nobody";

/// 2026-03-03T21:30:00Z: a Tuesday, after the close in New York.
const NOW: &str = "2026-03-03T21:30:00Z";

struct Reply(u16, Vec<(&'static str, &'static str)>, String);

fn fine(body: impl Into<String>) -> Reply {
    Reply(200, Vec::new(), body.into())
}

type Answer = dyn Fn(&str) -> Reply + Send + Sync;

/// Answers every request with what a function makes of its address, and keeps the requests.
struct Answers {
    asked: Mutex<Vec<http::Request<Bytes>>>,
    answer: Box<Answer>,
}

impl Answers {
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|request| request.uri().to_string()).collect()
    }
}

impl HttpClient for Answers {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        options: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        assert!(options.idempotent);
        let Reply(status, headers, body) = (self.answer)(&request.uri().to_string());
        self.asked.lock().unwrap().push(request);
        let mut reply = http::Response::builder().status(status);
        for (name, value) in headers {
            reply = reply.header(name, value);
        }
        Ok(reply.body(Bytes::from(body)).unwrap())
    }
}

fn answers(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Arc<Answers> {
    Arc::new(Answers { asked: Mutex::default(), answer: Box::new(answer) })
}

struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(At(time(NOW)))
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn interval(text: &str) -> Interval {
    text.parse().unwrap()
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    ready(future).unwrap()
}

fn ends(bars: &[Bar]) -> Vec<String> {
    bars.iter().map(|bar| bar.timestamp.to_string()).collect()
}

fn ids(trades: &[Trade]) -> Vec<&str> {
    trades.iter().map(|trade| trade.trade_id.as_str()).collect()
}

/// A message that holds no secret.
fn message<T: std::fmt::Debug>(result: Result<T, MarketDataError>) -> String {
    let message = result.unwrap_err().to_string();
    assert!(!message.contains(SECRET), "{message}");
    message
}

/// What was fetched, if it is there.
fn payload(path: &str) -> Option<String> {
    let root = std::env::var_os("MTS_PAYLOADS")
        .map_or_else(|| PathBuf::from("/work/shared/payloads"), PathBuf::from);
    let text = std::fs::read_to_string(root.join(path)).ok();
    if text.is_none() {
        println!("skipped: {path} is not there");
    }
    text
}

/// Bytes from nowhere and texts with a part torn out, the same at each run.
fn damaged(texts: &[&str]) -> Vec<String> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    let mut all = Vec::new();
    for text in texts {
        for _ in 0..150 {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..=random(3) {
                let (at, what) = (random(bytes.len()), random(5));
                match what {
                    0 => bytes.truncate(at),
                    1 => bytes[at] = u8::try_from(random(256)).unwrap(),
                    2 => drop(bytes.drain(at..(at + random(9)).min(bytes.len()))),
                    3 => drop(bytes.splice(at..at, b"-9e99".iter().copied())),
                    _ => drop(bytes.splice(at..at, b"null".iter().copied())),
                }
                if bytes.is_empty() {
                    break;
                }
            }
            all.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    all
}
