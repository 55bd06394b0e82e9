//! What the decoder of a segment is held to, for any bytes. The fuzz target of `fuzz/` runs this too.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, missing_docs)]

use mts_foundation::journal::{Journal, JournalError};
use mts_journal::MemoryJournal;

/// Bytes of a segment's header.
const HEAD: usize = 56;

/// Checks the bytes as they are, and again as records whose checksums are right: guessing those is not what fuzzing is for.
pub fn check(bytes: &[u8]) {
    opens_or_refuses(bytes.to_vec());
    opens_or_refuses(mended(bytes));
}

/// The bytes behind a good header, with the checksum of every record that has room for one put right.
pub fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut mended = MemoryJournal::new().bytes().to_vec();
    mended.extend_from_slice(bytes.get(HEAD..).unwrap_or(bytes));
    let mut start = HEAD;
    while let Some(length) = mended.get(start..).and_then(|rest| rest.first_chunk::<4>()) {
        let end = start.saturating_add(16).saturating_add(u32::from_le_bytes(*length) as usize);
        let Some(crc) = mended.get(start..end).map(|record| crc32c::crc32c(record).to_le_bytes()) else {
            break;
        };
        let Some(place) = mended.get_mut(end..end + 4) else { break };
        place.copy_from_slice(&crc);
        start = end + 4;
    }
    mended
}

/// What is accepted can be read from the first record to the last, reads the same when it is opened again, and can be gone
/// on with; what is not, is named as damage within the file.
fn opens_or_refuses(bytes: Vec<u8>) {
    let length = bytes.len();
    let mut journal = match MemoryJournal::from_bytes(bytes) {
        Ok(journal) => journal,
        Err(JournalError::Damaged { offset, .. }) => return assert!(offset <= length as u64),
        Err(other) => panic!("{other}"),
    };
    let read = |journal: &MemoryJournal| {
        let mut records = Vec::new();
        let visit = &mut |record| {
            records.push(record);
            Ok(())
        };
        journal.replay(visit).unwrap();
        records
    };
    let mut records = read(&journal);
    assert_eq!(records.len() as u64, journal.durable());
    assert!((0..).zip(&records).all(|(number, record)| record.sequence == number));
    let sequence = journal.append(1, b"and on").unwrap();
    journal.commit().unwrap();
    let again = MemoryJournal::from_bytes(journal.bytes().to_vec()).unwrap();
    assert_eq!((again.recovered_bytes(), again.head_hash()), (0, journal.head_hash()));
    records.push(mts_foundation::journal::JournalRecord { sequence, kind: 1, payload: b"and on".to_vec() });
    assert_eq!(read(&again), records);
}
