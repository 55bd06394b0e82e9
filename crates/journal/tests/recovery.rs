//! Cuts, flips and worse: what opening makes of a file that is not whole.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs
)]

mod common;

use common::{HEAD, add_group, assert_holds, sample, whole_groups};
use mts_foundation::journal::{Journal, JournalError};
use mts_journal::{FILE_NAME, FileJournal, MemoryJournal};
use proptest::prelude::*;
use sha2::Digest;

/// Bytes of a commit record.
const COMMIT: usize = 52;

/// Length of the bytes up to the last that is not zero.
fn without_zeros(bytes: &[u8]) -> u64 {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
}

/// Opens the bytes; the records if they were accepted, the byte of the damage if not.
fn open(bytes: &[u8]) -> Result<MemoryJournal, u64> {
    match MemoryJournal::from_bytes(bytes.to_vec()) {
        Ok(journal) => Ok(journal),
        Err(JournalError::Damaged { offset, message, .. }) => {
            assert!(message.contains("restore it from a copy") || message.contains("version"), "{message}");
            Err(offset)
        }
        Err(other) => panic!("{other}"),
    }
}

fn assert_damaged(bytes: &[u8], at: std::ops::Range<usize>) {
    match open(bytes) {
        Err(offset) => assert!(at.contains(&(offset as usize)), "{offset} is not in {at:?}"),
        Ok(journal) => panic!("{} records were accepted", journal.durable()),
    }
}

#[test]
fn a_cut_at_every_byte_leaves_the_whole_groups() {
    let (bytes, marks) = sample();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    for cut in 0..=bytes.len() {
        let (end, records) = whole_groups(&marks, cut);
        std::fs::write(&path, &bytes[..cut]).unwrap();
        // Zeros at the end may as well be room that was set aside, but for a header that is cut.
        let torn = if end == 0 { cut as u64 } else { without_zeros(&bytes[end..cut]) };

        let reader = FileJournal::read_only(folder.path()).unwrap();
        assert_eq!((reader.durable(), reader.torn_bytes()), (records, torn));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), cut as u64, "the reader changed the file");

        let mut journal = FileJournal::open(folder.path()).unwrap();
        assert_eq!(journal.recovered_bytes(), torn, "cut at {cut}");
        assert_holds(&journal, records);
        assert_eq!(reader.head_hash(), journal.head_hash());
        add_group(&mut journal, 2);
        assert_holds(&journal, records + 2);
        let hash = journal.head_hash();
        drop(journal);

        let journal = FileJournal::open(folder.path()).unwrap();
        assert_eq!((journal.recovered_bytes(), journal.head_hash()), (0, hash));
        assert_holds(&journal, records + 2);

        assert_holds(&open(&bytes[..cut]).unwrap(), records);
    }
}

/// Every single bit, in the header, in records, in commit records, the last one included: always refused, and the
/// offset is that of the record (or the header) that holds the bit.
#[test]
fn every_flipped_bit_is_refused_at_its_record() {
    let (bytes, _) = sample();
    let mut starts = vec![0, HEAD];
    while let Some(&last) = starts.last() {
        let Some(length) = bytes.get(last..last + 4) else { break };
        starts.push(last + 20 + u32::from_le_bytes(length.try_into().unwrap()) as usize);
    }
    assert_eq!((starts.len(), starts.last()), (1 + 64 + 10 + 1, Some(&bytes.len())));
    for frame in starts.windows(2) {
        for bit in frame[0] * 8..frame[1] * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_damaged(&flipped, frame[0]..frame[0] + 1);
        }
    }
}

/// The same with a torn tail behind it. There a flip hits bytes that nobody relies on: they are cut off as before.
#[test]
fn every_flipped_bit_before_a_torn_tail_is_refused() {
    let (bytes, marks) = sample();
    let (end, records) = marks[9];
    let torn = &bytes[..bytes.len() - 1];
    for bit in 0..torn.len() * 8 {
        let mut flipped = torn.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if bit / 8 < end {
            assert_damaged(&flipped, 0..end);
        } else {
            assert_holds(&open(&flipped).unwrap(), records);
        }
    }
}

/// The documented limit: beyond 8 bits a damaged last commit record looks like an interrupted write.
#[test]
fn a_wrecked_last_commit_record_takes_its_group_along() {
    let (bytes, marks) = sample();
    let commit = bytes.len() - COMMIT;
    for (bits, torn) in [(0xFFu8, false), (0xFF, true)] {
        let mut wrecked = bytes.clone();
        wrecked[commit + 20] ^= bits;
        if torn {
            wrecked[commit + 30] ^= 1;
            assert_holds(&open(&wrecked).unwrap(), marks[9].1);
        } else {
            assert_damaged(&wrecked, commit..commit + 1);
        }
    }
}

#[test]
fn zeros_where_bytes_should_be() {
    let (bytes, marks) = sample();
    for zeros in [1, 15, 16, 20, 52, 512, 4096, 70_000, 200_000] {
        let mut longer = bytes.clone();
        longer.resize(bytes.len() + zeros, 0);
        let journal = open(&longer).unwrap();
        assert_eq!(journal.recovered_bytes(), 0, "room that was set aside is no interrupted write");
        assert_holds(&journal, 64);
    }
    // The rest of the last group never reached the disk though the file has its length.
    let (start, records) = marks[9];
    for place in start..bytes.len() {
        let mut zeroed = bytes.clone();
        zeroed[place..].fill(0);
        match open(&zeroed) {
            Ok(journal) => assert_holds(&journal, records),
            // So few bytes are missing that it may as well be a flip: the safe side.
            Err(_) => assert!(bytes.len() - place <= 3, "{place}"),
        }
    }
    // Zeros before an intact commit record are damage.
    let mut hole = bytes.clone();
    hole[start..bytes.len() - COMMIT].fill(0);
    assert_damaged(&hole, start..start + 1);
}

#[test]
fn groups_that_were_moved_exchanged_or_dropped_are_refused() {
    let (bytes, marks) = sample();
    let group = |number: usize| &bytes[marks[number].0..marks[number + 1].0];
    for number in 0..9 {
        let at = marks[number].0;
        let dropped = [&bytes[..at], &bytes[marks[number + 1].0..]].concat();
        assert_damaged(&dropped, at..at + 1);
        let swapped =
            [&bytes[..at], group(number + 1), group(number), &bytes[marks[number + 2].0..]].concat();
        assert_damaged(&swapped, at..at + 1);
        let twice = [&bytes[..marks[number + 1].0], &bytes[at..]].concat();
        assert_damaged(&twice, marks[number + 1].0..marks[number + 1].0 + 1);
    }
    // Another journal's group: numbers and checksums are right, only the chain is not.
    let mut other = MemoryJournal::new();
    other.append(1, b"another past").unwrap();
    other.commit().unwrap();
    let cut = other.bytes().len();
    add_group(&mut other, common::GROUPS[1]);
    let foreign = [&bytes[..marks[1].0], &other.bytes()[cut..]].concat();
    assert_damaged(&foreign, foreign.len() - COMMIT..foreign.len() - COMMIT + 1);
}

/// A record with a right checksum, whatever it says.
fn forge(kind: u16, flags: u16, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes().to_vec();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    bytes.extend(sequence.to_le_bytes());
    bytes.extend(payload);
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

/// What no interrupted write leaves behind is refused even at the very end.
#[test]
fn forged_records_are_refused() {
    let (bytes, _) = sample();
    let chain = |group: &[u8]| {
        let head = MemoryJournal::from_bytes(bytes.clone()).unwrap().head_hash();
        sha2::Sha256::digest([&head, group].concat())
    };
    let record = forge(7, 0, 64, b"x");
    let good = [&bytes[..], &record, &forge(u16::MAX, 1, 65, &chain(&record))].concat();
    assert_eq!(open(&good).unwrap().durable(), 65);
    for (name, tail, at) in [
        ("a wrong number", forge(7, 0, 65, b"x"), 0),
        ("an old number", forge(7, 0, 63, b"x"), 0),
        ("a flag", forge(7, 1, 64, b"x"), 0),
        ("an empty group", forge(u16::MAX, 1, 64, &chain(b"")), 0),
        ("a wrong chain", [&record[..], &forge(u16::MAX, 1, 65, &chain(b"x"))].concat(), record.len()),
        ("a wrong count", [&record[..], &forge(u16::MAX, 1, 66, &chain(&record))].concat(), record.len()),
        ("no flag", [&record[..], &forge(u16::MAX, 0, 65, &chain(&record))].concat(), record.len()),
        ("more flags", [&record[..], &forge(u16::MAX, 3, 65, &chain(&record))].concat(), record.len()),
    ] {
        let Err(offset) = open(&[&bytes[..], &tail].concat()) else { panic!("{name} was accepted") };
        assert_eq!(offset as usize, bytes.len() + at, "{name}");
    }
    // A commit record of another length is no record at all; nothing says that it was ever complete.
    assert_holds(&open(&[&bytes[..], &forge(u16::MAX, 1, 64, &[0; 31])].concat()).unwrap(), 64);
}

#[test]
fn a_far_commit_record_is_found_over_the_borders_of_the_buffer() {
    for length in (65_536 - 120..65_536 + 120).chain([200_000]) {
        let mut journal = MemoryJournal::new();
        journal.append(1, &vec![3; length]).unwrap();
        journal.commit().unwrap();
        let mut bytes = journal.bytes().to_vec();
        bytes[HEAD + 100] ^= 1;
        assert_damaged(&bytes, HEAD..HEAD + 1);
        // Its length wrecked, the record's end is unknown.
        bytes[HEAD + 3] = 0x7F;
        assert_damaged(&bytes, HEAD..HEAD + 1);
        bytes.truncate(bytes.len() - 1);
        assert_holds(&open(&bytes).unwrap(), 0);
    }
}

/// A payload that holds a commit record, torn: refused rather than guessed. Whole, it is a payload like any other.
#[test]
fn a_journal_within_a_journal() {
    let (inner, _) = sample();
    let mut journal = MemoryJournal::new();
    journal.append(1, &inner).unwrap();
    journal.commit().unwrap();
    let bytes = journal.bytes();
    assert_eq!(common::read(&open(bytes).unwrap()).unwrap()[0].payload, inner);
    assert_damaged(&bytes[..bytes.len() - 60], HEAD..HEAD + 1);
}

#[test]
fn a_damaged_file_is_left_alone() {
    let (mut bytes, marks) = sample();
    bytes[marks[3].0 + 5] ^= 0x10;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, &bytes).unwrap();
    for _ in 0..2 {
        match FileJournal::open(folder.path()) {
            Err(JournalError::Damaged { path: named, offset, message }) => {
                assert_eq!((named, offset), (path.display().to_string(), marks[3].0 as u64));
                assert!(
                    message.contains(&format!("the first {} records, up to byte {}", marks[3].1, marks[3].0))
                );
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(FileJournal::read_only(folder.path()), Err(JournalError::Damaged { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

/// Damage after opening is found by reading.
#[test]
fn a_file_that_changes_under_us_is_noticed() {
    let (bytes, marks) = sample();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, &bytes).unwrap();
    let journal = FileJournal::open(folder.path()).unwrap();
    let reader = FileJournal::read_only(folder.path()).unwrap();
    let nothing = &mut |_| Ok(());
    let mut flipped = bytes.clone();
    flipped[marks[5].0 + 3] ^= 1;
    std::fs::write(&path, &flipped).unwrap();
    assert!(matches!(journal.replay(nothing), Err(JournalError::Damaged { .. })));
    assert!(matches!(reader.replay(nothing), Err(JournalError::Damaged { .. })));
    std::fs::write(&path, &bytes[..100]).unwrap();
    assert!(matches!(journal.replay(nothing), Err(JournalError::Io { .. })));
}

#[test]
fn other_versions_and_other_files_are_named() {
    let mut bytes = sample().0;
    bytes[8] = 9;
    let crc = crc32c::crc32c(&bytes[..12]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    let Err(JournalError::Damaged { offset: 0, message, .. }) = MemoryJournal::from_bytes(bytes) else {
        panic!("version 9 was accepted")
    };
    assert!(message.contains("format version 9") && message.contains("use the mts that wrote it"));
    assert_damaged(b"symbol,close\nAAPL,1\n", 0..1);
    assert_damaged(b"x", 0..1);
}

proptest! {
    /// Whatever happens to the bytes, no record comes out that was not written.
    #[test]
    fn never_a_wrong_record(
        cut in 0usize..4096,
        hits in prop::collection::vec((0usize..4096, any::<u8>(), 1usize..64), 0..4),
    ) {
        let (bytes, marks) = sample();
        let mut wrong = bytes.clone();
        for (place, value, length) in hits {
            for byte in wrong.iter_mut().skip(place).take(length) {
                *byte = value;
            }
        }
        wrong.truncate(cut);
        if let Ok(journal) = open(&wrong) {
            prop_assert!(marks.iter().any(|(_, records)| *records == journal.durable()));
            assert_holds(&journal, journal.durable());
        }
    }

    /// Any bytes at all behind a good header: an answer, never a panic.
    #[test]
    fn any_bytes_get_an_answer(tail in prop::collection::vec(any::<u8>(), 0..2000)) {
        let bytes = [MemoryJournal::new().bytes(), &tail].concat();
        if let Ok(journal) = open(&bytes) {
            assert_holds(&journal, 0);
        }
    }
}
