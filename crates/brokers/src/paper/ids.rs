//! Ids of the paper venue: functions of the order's idempotency key and a count.

use mts_foundation::{BrokerOrderId, FillId, IdempotencyKey};
use sha2::{Digest, Sha256};
use smol_str::{SmolStr, format_smolstr};

/// The hash of a key, of which ids are made.
pub(super) fn hash_of(key: &IdempotencyKey) -> [u8; 32] {
    Sha256::digest(key.as_str().as_bytes()).into()
}

/// The hexadecimal digits of some bytes after a name, in place: no id of this venue is longer than a short string.
fn named(name: &str, bytes: &[u8]) -> SmolStr {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    let digits = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    name.chars().chain(digits).collect()
}

/// `PAPER-` and eight hex digits of the key's hash: the first eight that no other order has.
pub(super) fn broker_order_id(
    hash: &[u8; 32],
    taken: impl Fn(&BrokerOrderId) -> bool,
) -> Option<BrokerOrderId> {
    let free = |name: SmolStr| BrokerOrderId::try_from(name).ok().filter(|id| !taken(id));
    // Nearly always the first eight are free.
    let first = hash.first_chunk::<4>().and_then(|start| free(named("PAPER-", start)));
    first.or_else(|| {
        let digits = named("", hash);
        let mut starts =
            (0..=digits.len().saturating_sub(8)).filter_map(|start| digits.get(start..start + 8));
        starts.find_map(|digits| free(format_smolstr!("PAPER-{digits}")))
    })
}

/// Sixteen hex digits, those of the start of the key's hash, and the count, so that fills of two orders never share an id even when the
/// short order ids do.
pub(super) fn fill_id(start: &[u8; 8], count: u32) -> Option<FillId> {
    let digits = named("", start);
    FillId::try_from(format_smolstr!("{digits}-{count}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_taken_is_not_given_again() {
        let key = hash_of(&IdempotencyKey::new("k").unwrap());
        let first = broker_order_id(&key, |_| false).unwrap();
        assert_eq!(broker_order_id(&key, |_| false).unwrap(), first);
        let second = broker_order_id(&key, |id| *id == first).unwrap();
        assert!(second != first && second.as_str().len() == first.as_str().len());
        assert_eq!(broker_order_id(&key, |_| true), None);
        assert_eq!(fill_id(key.first_chunk().unwrap(), 2).unwrap().as_str().len(), 18);
    }
}
