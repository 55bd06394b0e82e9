//! Ids that venues give: functions of the seed, the kind of thing and its number, so that two runs give the same.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The hash of which an id is made.
fn hash(seed: u64, kind: &str, number: u64) -> [u8; 32] {
    Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(kind.as_bytes())
        .chain_update(number.to_be_bytes())
        .finalize()
        .into()
}

/// Hexadecimal digits, two a byte.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

/// A text in the form of a version 4 UUID.
pub(crate) fn uuid(seed: u64, kind: &str, number: u64) -> String {
    let digits = hex(&hash(seed, kind, number));
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    // The version, and the variant's bits.
    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// So many hexadecimal digits, at most 64.
pub(crate) fn digits(seed: u64, kind: &str, number: u64, length: usize) -> String {
    let mut digits = hex(&hash(seed, kind, number));
    digits.truncate(length);
    digits
}

/// A number of at most so many decimal digits, at most 18.
pub(crate) fn count(seed: u64, kind: &str, number: u64, digits: u32) -> i64 {
    let first = hash(seed, kind, number).first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    i64::try_from(first % 10_u64.pow(digits.min(18))).unwrap_or_default()
}

/// So many capital letters and digits, at most 32.
pub(crate) fn letters(seed: u64, kind: &str, number: u64, length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |byte: &u8| char::from(ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or(b'A'));
    hash(seed, kind, number).iter().take(length).map(letter).collect()
}

/// So many bytes, at most 64.
pub(crate) fn bytes(seed: u64, kind: &str, length: usize) -> Vec<u8> {
    let whole = [hash(seed, kind, 0), hash(seed, kind, 1)].concat();
    whole.into_iter().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_functions_of_seed_kind_and_number() {
        let id = uuid(1, "order", 7);
        assert_eq!(id, uuid(1, "order", 7));
        assert!(id != uuid(2, "order", 7) && id != uuid(1, "fill", 7) && id != uuid(1, "order", 8));
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!((lengths, id.as_bytes()[14]), (vec![8, 4, 4, 4, 12], b'4'));
        assert_eq!(digits(1, "key", 0, 20).len(), 20);
        assert_eq!(letters(1, "order", 7, 16).len(), 16);
        assert_ne!(letters(1, "order", 7, 16), letters(1, "order", 8, 16));
        assert_eq!(bytes(1, "secret", 64).len(), 64);
    }
}
