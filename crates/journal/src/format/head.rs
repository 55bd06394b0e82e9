//! The header of a segment: where in the journal it begins.

use mts_foundation::journal::Sequence;
use sha2::{Digest, Sha256};

use super::{CHAIN, CRC, Chain};
use crate::walk::Position;

/// First bytes of a segment. The digit is part of the name of the format, the version follows as a number.
const MAGIC: [u8; 8] = *b"MTSJRNL1";
/// Version of the layout that is written.
pub(crate) const VERSION: u32 = 2;
/// Bytes of a header.
pub(crate) const HEAD: usize = 56;
/// Bytes of a header of version 1, which knew one file only.
const HEAD_V1: usize = 16;
/// Magic, version and first sequence: what is known of a header before the chain is.
const KNOWN: usize = 20;

/// The header of a segment whose first record is `first` and which goes on from `chain`.
pub(crate) fn segment_head(first: Sequence, chain: &Chain) -> [u8; HEAD] {
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(&MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&first.to_le_bytes());
    head.extend_from_slice(chain);
    head.extend_from_slice(&crc32c::crc32c(&head).to_le_bytes());
    let mut fixed = [0; HEAD];
    fixed.copy_from_slice(&head);
    fixed
}

/// A header in the layout of version 1.
fn head_v1(version: u32) -> [u8; HEAD_V1] {
    let mut head = [0; HEAD_V1];
    let (start, crc) = head.split_at_mut(HEAD_V1 - CRC);
    let (magic, number) = start.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    number.copy_from_slice(&version.to_le_bytes());
    crc.copy_from_slice(&crc32c::crc32c(start).to_le_bytes());
    head
}

/// The chain before the first record of a journal.
pub(crate) fn first_chain() -> Chain {
    Sha256::new().chain_update(MAGIC).chain_update(VERSION.to_le_bytes()).finalize().into()
}

/// The position in a journal without records.
pub(crate) fn start() -> Position {
    Position { offset: HEAD as u64, sequence: 0, chain: first_chain() }
}

/// What the first bytes of a file are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// A header of a version that can be read; the first record stands at the position.
    Good(Position),
    /// The beginning of the header that belongs there, as an interrupted creation leaves it: nothing was ever committed.
    Torn,
    /// A good header of another version.
    Version(u32),
    /// Something else.
    Bad,
}

/// Judges the first bytes, at most [`HEAD`], of a file of `length` bytes whose first record should be `first`.
pub(crate) fn judge(bytes: &[u8], length: u64, first: Sequence) -> Judged {
    if bytes.first_chunk() == Some(&head_v1(1)) {
        let chain = Sha256::digest(head_v1(1)).into();
        return Judged::Good(Position { offset: HEAD_V1 as u64, sequence: 0, chain });
    }
    if let Some(position) = read(bytes) {
        return Judged::Good(position);
    }
    let head = segment_head(first, &first_chain());
    // The chain of a later segment is not known here, and where its header is cut nobody relies on it.
    let known = if first == 0 { head.len() } else { KNOWN };
    let cut = bytes.len() < HEAD || bytes.iter().skip(HEAD - CRC).all(|byte| *byte == 0);
    let torn = length <= HEAD as u64 && cut && begins(bytes, head.get(..known).unwrap_or_default());
    if torn || (length <= HEAD_V1 as u64 && first == 0 && begins(bytes, &head_v1(1))) {
        return Judged::Torn;
    }
    if let Some([_, _, _, _, _, _, _, _, a, b, c, d]) = bytes.first_chunk::<12>() {
        let version = u32::from_le_bytes([*a, *b, *c, *d]);
        // A later version may have a header of any length; as long as one of these two it can be recognised.
        let whole = bytes.len() == HEAD && bytes.starts_with(&MAGIC) && sealed(bytes);
        if bytes.starts_with(&head_v1(version)) || whole {
            return Judged::Version(version);
        }
    }
    Judged::Bad
}

/// Whether `bytes` are the beginning of `expected`, or that and then zeros only.
fn begins(bytes: &[u8], expected: &[u8]) -> bool {
    let right = bytes.iter().zip(expected).take_while(|(a, b)| a == b).count();
    right == expected.len() || bytes.iter().skip(right).all(|byte| *byte == 0)
}

/// Whether the last four bytes are the checksum of the others.
fn sealed(bytes: &[u8]) -> bool {
    bytes
        .split_last_chunk::<CRC>()
        .is_some_and(|(body, crc)| crc32c::crc32c(body) == u32::from_le_bytes(*crc))
}

/// The position that an intact header of this version names.
fn read(bytes: &[u8]) -> Option<Position> {
    let rest = bytes.strip_prefix(&MAGIC)?.strip_prefix(&VERSION.to_le_bytes())?;
    let (first, rest) = rest.split_first_chunk()?;
    let chain: &[u8; CHAIN] = rest.first_chunk()?;
    let whole = bytes.len() == HEAD && sealed(bytes);
    whole.then_some(Position {
        offset: HEAD as u64,
        sequence: Sequence::from_le_bytes(*first),
        chain: *chain,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_what_the_description_says() {
        let head = segment_head(0x0102, &[7; CHAIN]);
        assert_eq!(&head[..8], b"MTSJRNL1");
        assert_eq!(&head[8..12], &[2, 0, 0, 0]);
        assert_eq!(&head[12..20], &[2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(head[20..52], [7; CHAIN]);
        assert_eq!(head[52..], crc32c::crc32c(&head[..52]).to_le_bytes());
        let position = Position { offset: 56, sequence: 0x0102, chain: [7; CHAIN] };
        assert_eq!(judge(&head, 1000, 0x0102), Judged::Good(position));
    }

    #[test]
    fn headers_are_judged() {
        let good = segment_head(0, &first_chain());
        assert_eq!(judge(&good, 56, 0), Judged::Good(start()));
        assert_eq!(judge(&[0; 56], 56, 0), Judged::Torn);
        assert_eq!(judge(&[0; 56], 57, 0), Judged::Bad);
        assert_eq!(judge(&[0; 16], 16, 0), Judged::Torn);
        assert_eq!(judge(b"hello", 5, 0), Judged::Bad);
        let mut later = [head_v1(9).as_slice(), &[3; 40]].concat();
        assert_eq!(judge(&later, 99, 0), Judged::Version(9));
        later[12] ^= 1;
        assert_eq!(judge(&later, 99, 0), Judged::Bad);
        for cut in 0..HEAD {
            assert_eq!(judge(&good[..cut], cut as u64, 0), Judged::Torn, "{cut}");
            let second = segment_head(77, &[9; CHAIN]);
            assert_eq!(judge(&second[..cut], cut as u64, 77), Judged::Torn, "{cut}");
            let other = segment_head(77, &[9; CHAIN]);
            let named = judge(&other[..cut], cut as u64, 78);
            assert_eq!(named == Judged::Bad, cut > 12, "{cut}");
        }
        let old = head_v1(1);
        assert!(matches!(judge(&old, 16, 0), Judged::Good(Position { offset: 16, sequence: 0, .. })));
        for cut in 0..HEAD_V1 {
            assert_eq!(judge(&old[..cut], cut as u64, 0), Judged::Torn, "{cut}");
        }
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        for (first, chain) in [(0, first_chain()), (77, [9; CHAIN])] {
            let good = segment_head(first, &chain);
            for bit in 0..HEAD * 8 {
                let mut flipped = good;
                flipped[bit / 8] ^= 1 << (bit % 8);
                for length in [56, 57, 5000] {
                    assert_eq!(judge(&flipped, length, first), Judged::Bad, "bit {bit}");
                }
            }
        }
    }
}
