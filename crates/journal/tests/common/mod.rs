//! A small journal that the tests cut and flip.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs
)]
#![allow(dead_code, unreachable_pub)]

use mts_foundation::journal::{Journal, JournalError, JournalRecord};
use mts_journal::MemoryJournal;

/// Bytes of a segment's header.
pub const HEAD: usize = 56;

/// Records per group: 64 in 10 groups.
pub const GROUPS: [usize; 10] = [1, 2, 13, 8, 5, 1, 21, 6, 3, 4];

/// Kind and payload of a record: lengths from 0 to 22, all kinds of bytes.
pub fn record(number: u64) -> (u16, Vec<u8>) {
    let kind = if number == 9 { u16::MAX - 1 } else { (number % 7) as u16 };
    let length = (number * 5) % 23;
    (kind, (0..length).map(|place| (number * 37 + place * 101) as u8).collect())
}

/// Appends and commits record `first..first + count`.
pub fn add_group(journal: &mut dyn Journal, count: usize) {
    for _ in 0..count {
        let number = journal.next_sequence();
        let (kind, payload) = record(number);
        assert_eq!(journal.append(kind, &payload).unwrap(), number);
    }
    journal.commit().unwrap();
}

/// The small journal, and after each group: how many bytes and records it had.
pub fn sample() -> (Vec<u8>, Vec<(usize, u64)>) {
    let mut journal = MemoryJournal::new();
    let mut marks = vec![(journal.bytes().len(), 0)];
    for count in GROUPS {
        add_group(&mut journal, count);
        marks.push((journal.bytes().len(), journal.durable()));
    }
    assert_eq!(journal.durable(), 64);
    (journal.bytes().to_vec(), marks)
}

/// The last mark that lies within `length` bytes.
pub fn whole_groups(marks: &[(usize, u64)], length: usize) -> (usize, u64) {
    marks.iter().rev().find(|(end, _)| *end <= length).copied().unwrap_or((0, 0))
}

pub fn read(journal: &dyn Journal) -> Result<Vec<JournalRecord>, JournalError> {
    let mut records = Vec::new();
    journal.replay(&mut |record| {
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}

/// The numbers of the records from `first` on.
pub fn numbers(journal: &dyn Journal, first: u64) -> Result<Vec<u64>, JournalError> {
    let mut numbers = Vec::new();
    journal.replay_from(first, &mut |record| {
        numbers.push(record.sequence);
        Ok(())
    })?;
    Ok(numbers)
}

/// Asserts that the journal holds exactly the first `count` records of the sample.
pub fn assert_holds(journal: &dyn Journal, count: u64) {
    assert_eq!((journal.durable(), journal.next_sequence()), (count, count));
    let records = read(journal).unwrap();
    assert_eq!(records.len() as u64, count);
    for (number, found) in (0u64..).zip(records) {
        let (kind, payload) = record(number);
        assert_eq!(found, JournalRecord { sequence: number, kind, payload });
    }
}
