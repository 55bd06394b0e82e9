//! What the reader of exchanges' replies is held to, for any bytes. The fuzz target `exchanges` of `fuzz/` runs this too.
//!
//! The first line names the exchange (any other chooses one), the rest is a reply to everything that one can be asked.

#![allow(clippy::unwrap_used, unreachable_pub, missing_docs, reason = "helpers of tests")]

use mts_marketdata::exchanges::{DESCRIPTORS, Descriptor, Json, failure};
use std::sync::OnceLock;

fn described() -> &'static [(&'static str, Descriptor)] {
    static ALL: OnceLock<Vec<(&'static str, Descriptor)>> = OnceLock::new();
    ALL.get_or_init(|| DESCRIPTORS.iter().map(|embedded| (embedded.name, embedded.read().unwrap())).collect())
}

/// Whatever comes is read or refused with a reason.
pub fn check(bytes: &[u8]) {
    let all = described();
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (name, reply) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let named = all.iter().find(|(known, _)| known.as_bytes() == name);
    let chosen = usize::from(name.first().copied().unwrap_or_default()) % all.len();
    let Some((_, exchange)) = named.or_else(|| all.get(chosen)) else { return };
    let Ok(text) = std::str::from_utf8(reply) else { return };
    let Ok(reply) = Json::parse(text) else { return };
    if let Some(failure) = failure(exchange, &reply) {
        assert!(!failure.is_empty());
    }
    let id = "BTCUSDT";
    for refusal in [
        exchange.ticker.iter().filter_map(|method| method.ticker(&reply, id).err()).next(),
        exchange.trades.iter().filter_map(|method| method.trades(&reply, id).err()).next(),
        exchange.candles.iter().filter_map(|method| method.candles(&reply, id).err()).next(),
        exchange.funding.iter().filter_map(|method| method.funding(&reply, id).err()).next(),
    ]
    .into_iter()
    .flatten()
    {
        assert!(!refusal.to_string().is_empty());
    }
}
