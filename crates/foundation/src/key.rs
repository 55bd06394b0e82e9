//! Idempotency keys and their builders.
//!
//! The same intent must give the same key, so that a retry is recognised; two intents must give two. A key therefore
//! names the fund (paper and live funds must not collide), the strategy, the rebalance and the leg, and is never
//! random.

use crate::ids::{FundId, InvalidId, StrategyId, checked, checked_text};
use crate::order::Side;
use crate::symbol::Symbol;
use crate::time::{LONGEST_TEXT, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

/// The caller's dedupe key of an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "SmolStr")]
#[cfg_attr(feature = "schema", schemars(extend(
    "minLength" = 1, "maxLength" = crate::ids::MAX_ID_BYTES, "pattern" = crate::schema::IDENTIFIER,
    "examples" = ["fund-momentum-2000-01-31T21:00:00Z-AAPL-buy"]
)))]
pub struct IdempotencyKey(SmolStr);

impl IdempotencyKey {
    /// A key of the caller's own making.
    ///
    /// # Errors
    /// [`InvalidId`] when it is empty, too long or holds control characters.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
        checked("idempotency_key", text.as_ref()).map(Self)
    }

    /// `{fund}-{strategy}-{rebalance time, ISO-8601}-{symbol}-{side}`: one leg of a rebalance.
    ///
    /// # Errors
    /// [`InvalidId`] when the parts together pass the length limit; use [`Self::hashed`] then.
    pub fn for_rebalance(
        fund: &FundId,
        strategy: &StrategyId,
        rebalance: Timestamp,
        symbol: &Symbol,
        side: Side,
    ) -> Result<Self, InvalidId> {
        Self::new(rebalance_text((fund, strategy), rebalance, symbol, side))
    }

    /// The key of leg number `index` of a rebalance or decision, as [`Self::for_child`] makes it of the key of
    /// [`Self::for_rebalance`].
    ///
    /// # Errors
    /// [`InvalidId`] as those.
    pub fn for_leg(
        owner: (&FundId, &StrategyId),
        rebalance: Timestamp,
        symbol: &Symbol,
        side: Side,
        index: u32,
    ) -> Result<Self, InvalidId> {
        let mut text = rebalance_text(owner, rebalance, symbol, side);
        text.push('#');
        text.push_str(&index.to_string());
        Self::new(text)
    }

    /// The key of child number `index` of a parent order: `{parent}#{index}`.
    ///
    /// # Errors
    /// [`InvalidId`] when the result is too long.
    pub fn for_child(parent: &Self, index: u32) -> Result<Self, InvalidId> {
        Self::new(format!("{}#{index}", parent.0))
    }

    /// The long-window key: the first 32 hex digits of SHA-256 over the parts joined by `-`. For multi-leg intents
    /// and for keys that must stay unique beyond the five-minute window.
    #[must_use]
    pub fn hashed(parts: &[&str]) -> Self {
        let digest = Sha256::digest(parts.join("-").as_bytes());
        let mut text = String::with_capacity(32);
        for byte in digest.iter().take(16) {
            text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        Self(SmolStr::new(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text of a rebalance's leg. It is put together and not formatted: every order that brings no key gets one.
fn rebalance_text(
    (fund, strategy): (&FundId, &StrategyId),
    rebalance: Timestamp,
    symbol: &Symbol,
    side: Side,
) -> String {
    let mut time = [0; LONGEST_TEXT];
    let parts = [fund.as_str(), strategy.as_str(), rebalance.text(&mut time), symbol.as_str(), side.as_str()];
    // With room for the number of a child.
    let mut text = String::with_capacity(parts.iter().map(|part| part.len() + 1).sum::<usize>() + 10);
    for (place, part) in parts.into_iter().enumerate() {
        if place > 0 {
            text.push('-');
        }
        text.push_str(part);
    }
    text
}

impl TryFrom<SmolStr> for IdempotencyKey {
    type Error = InvalidId;
    fn try_from(text: SmolStr) -> Result<Self, InvalidId> {
        checked_text("idempotency_key", text).map(Self)
    }
}

impl From<IdempotencyKey> for SmolStr {
    fn from(key: IdempotencyKey) -> SmolStr {
        key.0
    }
}

impl std::fmt::Display for IdempotencyKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builders_name_the_fund_and_the_rebalance() {
        let (fund, strategy) = (FundId::new("paper-1").unwrap(), StrategyId::new("mom").unwrap());
        let time: Timestamp = "2000-01-31T21:00:00Z".parse().unwrap();
        let symbol = Symbol::new("AAPL").unwrap();
        let key = IdempotencyKey::for_rebalance(&fund, &strategy, time, &symbol, Side::Buy).unwrap();
        assert_eq!(key.as_str(), "paper-1-mom-2000-01-31T21:00:00Z-AAPL-buy");
        let child = IdempotencyKey::for_child(&key, 3).unwrap();
        assert_eq!(child.as_str(), format!("{key}#3"));
        assert_eq!(IdempotencyKey::for_leg((&fund, &strategy), time, &symbol, Side::Buy, 3).unwrap(), child);
    }

    #[test]
    fn the_long_window_key_is_half_a_sha256() {
        // Computed with coreutils: printf a-b | sha256sum | cut -c1-32
        let key = IdempotencyKey::hashed(&["a", "b"]);
        assert_eq!(key.as_str(), "d44362d67d921091c7b9674d752e9e23");
        assert_ne!(key, IdempotencyKey::hashed(&["a", "c"]));
    }
}
