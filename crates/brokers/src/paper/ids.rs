//! Ids of the paper venue: functions of the order's idempotency key and a count.

use mts_foundation::{BrokerOrderId, FillId, IdempotencyKey};
use sha2::{Digest, Sha256};
use smol_str::{SmolStr, format_smolstr};

/// The hash of a key, of which ids are made.
pub(super) fn hash_of(key: &IdempotencyKey) -> [u8; 32] {
    Sha256::digest(key.as_str().as_bytes()).into()
}

/// Most bytes of a text that is put together here: a whole hash in hexadecimal digits.
const LONGEST: usize = 64;

/// Parts put together, in place and not through a formatter: every order has two such ids.
fn joined(parts: impl IntoIterator<Item = u8>) -> SmolStr {
    let (mut text, mut length) = ([0; LONGEST], 0);
    for (place, byte) in text.iter_mut().zip(parts) {
        *place = byte;
        length += 1;
    }
    let text = text.get(..length).and_then(|text| std::str::from_utf8(text).ok());
    SmolStr::new(text.unwrap_or_default())
}

/// The hexadecimal digits of some bytes.
fn hexadecimal(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + (half - 10) };
    bytes.iter().flat_map(move |byte| [digit(byte >> 4), digit(byte & 15)])
}

/// `PAPER-` and eight hex digits of the key's hash: the first eight that no other order has.
pub(super) fn broker_order_id(
    hash: &[u8; 32],
    taken: impl Fn(&BrokerOrderId) -> bool,
) -> Option<BrokerOrderId> {
    let free = |name: SmolStr| BrokerOrderId::try_from(name).ok().filter(|id| !taken(id));
    // Nearly always the first eight are free.
    let start = hash.first_chunk::<4>();
    let first = start.and_then(|start| free(joined(b"PAPER-".iter().copied().chain(hexadecimal(start)))));
    first.or_else(|| {
        let digits = joined(hexadecimal(hash));
        let mut starts =
            (0..=digits.len().saturating_sub(8)).filter_map(|start| digits.get(start..start + 8));
        starts.find_map(|digits| free(format_smolstr!("PAPER-{digits}")))
    })
}

/// Sixteen hex digits, those of the start of the key's hash, and the count, so that fills of two orders never share an id even when the
/// short order ids do.
pub(super) fn fill_id(start: &[u8; 8], count: u32) -> Option<FillId> {
    let count = count.to_string();
    FillId::try_from(joined(hexadecimal(start).chain([b'-']).chain(count.bytes()))).ok()
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
        assert_eq!(
            fill_id(&[0x01, 0x9f, 0xa0, 0, 0, 0, 0, 0xff], 20).unwrap().as_str(),
            "019fa000000000ff-20"
        );
        assert_eq!(first.as_str(), "PAPER-8254c329");
    }
}
