//! The bytes: pure encoding and decoding, without files.

use std::io;

use mts_foundation::journal::{JournalError, MAX_RECORD_BYTES, Sequence};
use sha2::{Digest, Sha256};

pub(crate) mod head;

/// Kind of the journal's own commit records. A record of this kind cannot be appended.
pub const COMMIT_KIND: u16 = u16::MAX;

/// Most bytes that one group may hold before it has to be committed: what is pending waits in memory, and memory has
/// an end.
pub const MAX_GROUP_BYTES: usize = 64 << 20;

/// Bytes of a record before its payload.
pub(crate) const RECORD_HEAD: usize = 16;
/// Bytes of a checksum.
pub(crate) const CRC: usize = 4;
/// Bytes of a chain value.
pub(crate) const CHAIN: usize = 32;
/// Bytes of a whole commit record.
pub(crate) const COMMIT_FRAME: usize = RECORD_HEAD + CHAIN + CRC;
/// Flag of the record that closes its group.
pub(crate) const LAST_OF_GROUP: u16 = 1;
/// A commit record that differs from the expected one by at most so many bits was flipped, not torn. A torn write
/// leaves a missing or zeroed rest; random bytes differ by about half of the 416 bits.
const MAX_FLIPPED_BITS: u32 = 8;
/// Memory that the pending buffer keeps from one group to the next.
const KEPT_CAPACITY: usize = 1 << 20;

/// Running hash over everything that was committed.
pub(crate) type Chain = [u8; CHAIN];

/// A hash that has taken in the chain so far and waits for the bytes of the group's records.
pub(crate) fn chain_hasher(chain: &Chain) -> Sha256 {
    Sha256::new().chain_update(chain)
}

/// The fields in front of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHead {
    /// Bytes of the payload.
    pub(crate) length: u32,
    /// The writer's kind or [`COMMIT_KIND`].
    pub(crate) kind: u16,
    /// [`LAST_OF_GROUP`] or 0.
    pub(crate) flags: u16,
    /// Number of the record; of the next record in a commit record.
    pub(crate) sequence: Sequence,
}

impl RecordHead {
    /// As it stands in the file.
    pub(crate) fn to_bytes(self) -> [u8; RECORD_HEAD] {
        let [l0, l1, l2, l3] = self.length.to_le_bytes();
        let [k0, k1] = self.kind.to_le_bytes();
        let [f0, f1] = self.flags.to_le_bytes();
        let [s0, s1, s2, s3, s4, s5, s6, s7] = self.sequence.to_le_bytes();
        [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, s4, s5, s6, s7]
    }

    /// From the file.
    pub(crate) fn from_bytes(bytes: [u8; RECORD_HEAD]) -> Self {
        let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, s4, s5, s6, s7] = bytes;
        Self {
            length: u32::from_le_bytes([l0, l1, l2, l3]),
            kind: u16::from_le_bytes([k0, k1]),
            flags: u16::from_le_bytes([f0, f1]),
            sequence: u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
        }
    }
}

/// Writes one record behind `out`.
fn put_record(out: &mut Vec<u8>, head: RecordHead, payload: &[u8]) {
    let head = head.to_bytes();
    let crc = crc32c::crc32c_append(crc32c::crc32c(&head), payload);
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc.to_le_bytes());
}

/// The head that every commit record before record `sequence` has.
pub(crate) fn commit_head(sequence: Sequence) -> RecordHead {
    // 32 fits any integer type.
    #[allow(clippy::cast_possible_truncation)]
    let length = CHAIN as u32;
    RecordHead { length, kind: COMMIT_KIND, flags: LAST_OF_GROUP, sequence }
}

/// The commit record of a group: every bit of it follows from what stands before it.
pub(crate) fn put_commit(out: &mut Vec<u8>, sequence: Sequence, chain: &Chain) {
    put_record(out, commit_head(sequence), chain);
}

/// Whether `frame` is an intact commit record of any group.
fn is_commit(frame: &[u8; COMMIT_FRAME]) -> bool {
    let Some((head, _)) = frame.split_first_chunk::<RECORD_HEAD>() else { return false };
    let Some((body, crc)) = frame.split_last_chunk::<CRC>() else { return false };
    let head = RecordHead::from_bytes(*head);
    // The cheap comparison first: the search tries every byte of a tail.
    head == commit_head(head.sequence) && crc32c::crc32c(body) == u32::from_le_bytes(*crc)
}

/// Where in `bytes` the first intact commit record starts.
pub(crate) fn find_commit(bytes: &[u8]) -> Option<usize> {
    bytes.windows(COMMIT_FRAME).position(|frame| frame.first_chunk().is_some_and(is_commit))
}

/// Whether `found` is the commit record of this place with a few bits flipped (and not the same).
pub(crate) fn is_flipped_commit(found: &[u8], sequence: Sequence, chain: &Chain) -> bool {
    let mut expected = Vec::with_capacity(COMMIT_FRAME);
    put_commit(&mut expected, sequence, chain);
    let flipped: u32 = found.iter().zip(&expected).map(|(a, b)| (a ^ b).count_ones()).sum();
    found.len() == expected.len() && (1..=MAX_FLIPPED_BITS).contains(&flipped)
}

/// The end of a journal that is being written: what is committed and the group that is not yet.
#[derive(Debug)]
pub(crate) struct Group {
    /// Chain at the last commit.
    chain: Chain,
    /// Records committed.
    durable: Sequence,
    /// Number of the next record.
    next: Sequence,
    /// The pending records, as they will stand in the file.
    bytes: Vec<u8>,
}

impl Group {
    /// An empty group behind `durable` records.
    pub(crate) fn new(durable: Sequence, chain: Chain) -> Self {
        Self { chain, durable, next: durable, bytes: Vec::new() }
    }

    /// Chain at the last commit.
    pub(crate) fn chain(&self) -> Chain {
        self.chain
    }

    /// Records committed.
    pub(crate) fn durable(&self) -> Sequence {
        self.durable
    }

    /// Number of the next record.
    pub(crate) fn next(&self) -> Sequence {
        self.next
    }

    /// What is pending, with the commit record if it is sealed.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds a record. `path` is for the error only.
    pub(crate) fn append(&mut self, path: &str, kind: u16, payload: &[u8]) -> Result<Sequence, JournalError> {
        let refuse = |message: &'static str| JournalError::Io {
            path: path.to_owned(),
            operation: "append",
            source: io::Error::new(io::ErrorKind::InvalidInput, message),
        };
        if kind == COMMIT_KIND {
            return Err(refuse("kind 65535 is the journal's own; use another number"));
        }
        let too_long = JournalError::TooLong { bytes: payload.len() };
        if payload.len() > MAX_RECORD_BYTES {
            return Err(too_long);
        }
        let Ok(length) = u32::try_from(payload.len()) else { return Err(too_long) };
        // No overflow: both sides are bounded by the two limits.
        if self.bytes.len() + RECORD_HEAD + payload.len() + CRC + COMMIT_FRAME > MAX_GROUP_BYTES {
            return Err(refuse("64 MiB are pending without a commit; commit before you append more"));
        }
        let sequence = self.next;
        let Some(next) = sequence.checked_add(1) else {
            return Err(refuse("the sequence numbers are used up"));
        };
        put_record(&mut self.bytes, RecordHead { length, kind, flags: 0, sequence }, payload);
        self.next = next;
        Ok(sequence)
    }

    /// Refuses a state that is not the one after all committed records. `path` is for the error only.
    pub(crate) fn check_snapshot(&self, path: &str, sequence: Sequence) -> Result<(), JournalError> {
        let durable = self.durable;
        if sequence == durable {
            return Ok(());
        }
        let message = format!(
            "the state is that after {sequence} records, but {durable} are durable; commit, then save the state after \
             exactly these"
        );
        let source = io::Error::new(io::ErrorKind::InvalidInput, message);
        Err(JournalError::Io { path: path.to_owned(), operation: "save a snapshot", source })
    }

    /// Closes the group with its commit record; the chain that [`Group::settle`] makes current. `None` if nothing is
    /// pending: an empty commit leaves no trace.
    pub(crate) fn seal(&mut self) -> Option<Chain> {
        if self.next == self.durable {
            return None;
        }
        let chain = chain_hasher(&self.chain).chain_update(&self.bytes).finalize().into();
        put_commit(&mut self.bytes, self.next, &chain);
        Some(chain)
    }

    /// The sealed group is where it belongs.
    pub(crate) fn settle(&mut self, chain: Chain) {
        self.chain = chain;
        self.durable = self.next;
        self.discard();
    }

    /// Opens a sealed group again: it could not be written, and more may come in.
    pub(crate) fn unseal(&mut self) {
        self.bytes.truncate(self.bytes.len().saturating_sub(COMMIT_FRAME));
    }

    /// Forgets what is pending.
    pub(crate) fn discard(&mut self) {
        self.next = self.durable;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::cast_possible_truncation)]
mod tests {
    use super::*;

    #[test]
    fn a_record_head_survives_the_bytes() {
        let head = RecordHead { length: 0x0102_0304, kind: 0x0506, flags: 0x0708, sequence: u64::MAX - 9 };
        assert_eq!(RecordHead::from_bytes(head.to_bytes()), head);
        assert_eq!(head.to_bytes()[..8], [4, 3, 2, 1, 6, 5, 8, 7]);
    }

    #[test]
    fn a_commit_is_found_anywhere_and_only_intact() {
        let mut bytes = vec![0xFF; 77];
        put_commit(&mut bytes, 5, &[7; CHAIN]);
        assert_eq!(bytes.len(), 77 + COMMIT_FRAME);
        bytes.extend([1, 2, 3]);
        assert_eq!(find_commit(&bytes), Some(77));
        assert_eq!(find_commit(&bytes[78..]), None);
        assert_eq!(find_commit(&bytes[..77 + COMMIT_FRAME - 1]), None);
        assert_eq!(find_commit(&[]), None);
        for bit in 0..COMMIT_FRAME * 8 {
            let mut flipped = bytes.clone();
            flipped[77 + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(find_commit(&flipped), None, "bit {bit}");
            assert!(is_flipped_commit(&flipped[77..77 + COMMIT_FRAME], 5, &[7; CHAIN]));
        }
        assert!(!is_flipped_commit(&bytes[77..77 + COMMIT_FRAME], 5, &[7; CHAIN]));
        assert!(!is_flipped_commit(&bytes[77..77 + COMMIT_FRAME - 1], 5, &[7; CHAIN]));
        assert!(!is_flipped_commit(&[0; COMMIT_FRAME], 5, &[7; CHAIN]));
    }

    #[test]
    fn refusals_keep_nothing() {
        let mut group = Group::new(3, head::first_chain());
        assert!(matches!(group.append("j", COMMIT_KIND, b""), Err(JournalError::Io { .. })));
        let long = vec![0; MAX_RECORD_BYTES + 1];
        assert!(
            matches!(group.append("j", 1, &long), Err(JournalError::TooLong { bytes }) if bytes == long.len())
        );
        assert_eq!((group.next(), group.bytes().len()), (3, 0));
        for sequence in 3..6 {
            assert_eq!(group.append("j", 1, &long[1..]).unwrap(), sequence);
        }
        assert!(matches!(group.append("j", 1, &long[1..]), Err(JournalError::Io { .. })));
        assert_eq!(group.next(), 6);
        let before = group.bytes().len();
        group.seal().unwrap();
        group.unseal();
        assert_eq!(group.bytes().len(), before);
        let chain = group.seal().unwrap();
        assert!(group.bytes().len() <= MAX_GROUP_BYTES);
        group.settle(chain);
        assert_eq!((group.next(), group.durable()), (6, 6));
        assert!(group.bytes.capacity() <= KEPT_CAPACITY);
        assert_eq!(group.seal(), None);
    }
}
