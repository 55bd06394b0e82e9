//! Ids of the paper venue: functions of the order's idempotency key and a count.

use mts_foundation::{BrokerOrderId, FillId, IdempotencyKey};
use sha2::{Digest, Sha256};

/// The hexadecimal digits of the first bytes of a key's hash.
fn digest(key: &IdempotencyKey, bytes: usize) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    let hash = Sha256::digest(key.as_str().as_bytes());
    hash.iter().take(bytes).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// `PAPER-` and eight hex digits of the key's hash: the first eight that no other order has.
pub(super) fn broker_order_id(
    key: &IdempotencyKey,
    taken: impl Fn(&BrokerOrderId) -> bool,
) -> Option<BrokerOrderId> {
    // Nearly always the first eight are free.
    if let Some(id) = BrokerOrderId::new(format!("PAPER-{}", digest(key, 4))).ok().filter(|id| !taken(id)) {
        return Some(id);
    }
    let digest = digest(key, 32);
    let mut starts = (0..=digest.len().saturating_sub(8)).filter_map(|start| digest.get(start..start + 8));
    starts.find_map(|digits| BrokerOrderId::new(format!("PAPER-{digits}")).ok().filter(|id| !taken(id)))
}

/// Sixteen hex digits of the key's hash and the count, so that fills of two orders never share an id even when the
/// short order ids do.
pub(super) fn fill_id(key: &IdempotencyKey, count: u32) -> Option<FillId> {
    FillId::new(format!("{}-{count}", digest(key, 8))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_taken_is_not_given_again() {
        let key = IdempotencyKey::new("k").unwrap();
        let first = broker_order_id(&key, |_| false).unwrap();
        assert_eq!(broker_order_id(&key, |_| false).unwrap(), first);
        let second = broker_order_id(&key, |id| *id == first).unwrap();
        assert!(second != first && second.as_str().len() == first.as_str().len());
        assert_eq!(broker_order_id(&key, |_| true), None);
        assert_eq!(fill_id(&key, 2).unwrap().as_str().len(), 18);
    }
}
