//! A journal of many segments: rolling, cuts and flips in each of them, what is missing or exchanged.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs
)]

mod common;

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use common::{GROUPS, HEAD, add_group, assert_holds, record, sample};
use mts_foundation::journal::{Journal, JournalError};
use mts_journal::{FILE_NAME, FileJournal, JournalOptions, SyncPolicy};

fn small() -> JournalOptions {
    JournalOptions { segment_bytes: 450, sync: SyncPolicy::WriteOnly, ..JournalOptions::default() }
}

fn set_aside() -> JournalOptions {
    JournalOptions { preallocate: true, ..small() }
}

/// The 64 records of the sample in segments, as files.
struct Sample {
    folder: tempfile::TempDir,
    /// Path and bytes of each segment.
    files: Vec<(PathBuf, Vec<u8>)>,
    /// After each group: its segment, the bytes there, the records in all.
    marks: Vec<(usize, usize, u64)>,
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let reader = FileJournal::read_only(folder).unwrap();
    reader.segments().unwrap().into_iter().map(|segment| segment.path).collect()
}

fn segmented() -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::begin_with(folder.path(), &[], small()).unwrap();
    let mut marks = vec![(0, HEAD, 0)];
    for count in GROUPS {
        add_group(&mut journal, count);
        let all = segments(folder.path());
        let length = std::fs::metadata(all.last().unwrap()).unwrap().len();
        marks.push((all.len() - 1, length as usize, journal.durable()));
    }
    drop(journal);
    let files: Vec<_> = segments(folder.path())
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    assert!(files.len() >= 5, "{} segments", files.len());
    Sample { folder, files, marks }
}

/// Where the header and the records of a segment begin, and its end.
fn starts(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![0, HEAD];
    while let Some(&last) = starts.last() {
        let Some(length) = bytes.get(last..last + 4) else { break };
        starts.push(last + 20 + u32::from_le_bytes(length.try_into().unwrap()) as usize);
    }
    assert_eq!(starts.last(), Some(&bytes.len()));
    starts
}

fn assert_damaged(folder: &Path, path: &Path, at: u64) {
    match FileJournal::read_only(folder) {
        Err(JournalError::Damaged { path: named, offset, .. }) => {
            assert_eq!((named, offset), (path.display().to_string(), at));
        }
        other => panic!("{other:?} where {} should be damaged at {at}", path.display()),
    }
}

#[test]
fn segments_hold_what_one_file_would() {
    for options in [small(), set_aside(), JournalOptions { segment_bytes: 0, ..small() }] {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = FileJournal::begin_with(folder.path(), &[], options.clone()).unwrap();
        let mut durable = 0;
        for count in GROUPS {
            add_group(&mut journal, count);
            durable += count as u64;
            assert_holds(&journal, durable);
            let hash = journal.head_hash();
            drop(journal);
            journal = FileJournal::open_with(folder.path(), options.clone()).unwrap();
            assert_eq!((journal.head_hash(), journal.recovered_bytes()), (hash, 0));
            assert_holds(&journal, durable);
        }
        // The chain is that of the records, wherever they stand.
        assert_eq!(
            journal.head_hash(),
            mts_journal::MemoryJournal::from_bytes(sample().0).unwrap().head_hash()
        );
        for first in 0..=65 {
            let mut seen = Vec::new();
            let visit = &mut |found: mts_foundation::journal::JournalRecord| {
                assert_eq!((found.kind, found.payload), record(found.sequence));
                seen.push(found.sequence);
                Ok(())
            };
            journal.replay_from(first, visit).unwrap();
            assert_eq!(seen, (first..64).collect::<Vec<_>>());
        }
        let count = if options.segment_bytes == 0 { GROUPS.len() } else { 5 };
        assert!(segments(folder.path()).len() >= count);
    }
}

/// R3: the journal as a power loss would leave it, up to any byte of any segment.
#[test]
fn a_cut_at_every_byte_leaves_the_whole_groups() {
    let sample = segmented();
    let mut reached = 0;
    for (index, (path, bytes)) in sample.files.iter().enumerate() {
        let kept: Vec<_> = sample.files.iter().take(index).collect();
        for cut in 0..=bytes.len() {
            for (path, _) in &sample.files {
                std::fs::remove_file(path).unwrap_or_default();
            }
            for (path, bytes) in &kept {
                std::fs::write(path, bytes).unwrap();
            }
            std::fs::write(path, &bytes[..cut]).unwrap();
            let whole = sample
                .marks
                .iter()
                .rev()
                .find(|(segment, end, _)| *segment < index || (*segment == index && *end <= cut));
            let records = whole.map_or(0, |mark| mark.2);
            let reader = FileJournal::read_only(sample.folder.path()).unwrap();
            assert_eq!(reader.durable(), records, "cut at {cut} of {}", path.display());
            // Every way of going on, at every byte, would take a minute.
            if cut % 7 == 0 || cut < HEAD + 4 || cut + 4 > bytes.len() {
                let mut journal = FileJournal::open_with(sample.folder.path(), small()).unwrap();
                assert_holds(&journal, records);
                assert_eq!(reader.head_hash(), journal.head_hash());
                add_group(&mut journal, 2);
                add_group(&mut journal, 9);
                drop(journal);
                let journal = FileJournal::open_with(sample.folder.path(), set_aside()).unwrap();
                assert_eq!(journal.recovered_bytes(), 0);
                assert_holds(&journal, records + 11);
                drop(journal);
                for path in segments(sample.folder.path()) {
                    std::fs::remove_file(path).unwrap();
                }
            }
            reached = reached.max(records);
        }
    }
    assert_eq!(reached, 64);
}

/// R3: every single bit of the committed part, whatever segment it is in, with and without room behind it.
#[test]
fn every_flipped_bit_is_refused_at_its_record() {
    let sample = segmented();
    let (last, bytes) = sample.files.last().unwrap();
    for zeros in [0, 300] {
        std::fs::write(last, [&bytes[..], &vec![0; zeros]].concat()).unwrap();
        assert_eq!(FileJournal::read_only(sample.folder.path()).unwrap().durable(), 64);
        for (path, bytes) in &sample.files {
            let whole = std::fs::read(path).unwrap();
            // One byte at its place: a file that is cut and written again waits for the disk each time.
            let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            let mut put = |place: usize, byte: u8| {
                file.seek(SeekFrom::Start(place as u64)).unwrap();
                file.write_all(&[byte]).unwrap();
            };
            for frame in starts(bytes).windows(2) {
                for bit in frame[0] * 8..frame[1] * 8 {
                    put(bit / 8, whole[bit / 8] ^ (1 << (bit % 8)));
                    assert_damaged(sample.folder.path(), path, frame[0] as u64);
                    put(bit / 8, whole[bit / 8]);
                }
            }
        }
        assert_eq!(FileJournal::read_only(sample.folder.path()).unwrap().durable(), 64);
    }
}

/// Only the last segment can have been cut by a crash: the others were whole before it had its name.
#[test]
fn a_cut_segment_before_the_last_is_damage() {
    let sample = segmented();
    for (path, bytes) in sample.files.iter().rev().skip(1) {
        for cut in 0..bytes.len() {
            std::fs::write(path, &bytes[..cut]).unwrap();
            let error = FileJournal::read_only(sample.folder.path()).unwrap_err();
            assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
        }
        std::fs::write(path, [&bytes[..], &[0]].concat()).unwrap();
        assert_damaged(sample.folder.path(), path, bytes.len() as u64);
        std::fs::write(path, bytes).unwrap();
    }
    assert_eq!(FileJournal::open(sample.folder.path()).unwrap().durable(), 64);
}

#[test]
fn segments_that_are_gone_exchanged_or_foreign_are_refused() {
    let sample = segmented();
    let folder = sample.folder.path();
    for (index, (path, bytes)) in sample.files.iter().enumerate().skip(1).rev().skip(1) {
        std::fs::remove_file(path).unwrap();
        let error = FileJournal::open(folder).unwrap_err().to_string();
        let gone = format!("records {} to", sample.marks.iter().rfind(|mark| mark.0 < index).unwrap().2);
        assert!(error.contains(&gone) && error.contains("restore the missing segment"), "{error}");
        std::fs::write(path, &sample.files[index + 1].1).unwrap();
        assert_damaged(folder, path, 0);
        std::fs::write(path, bytes).unwrap();
    }
    let (first, bytes) = &sample.files[0];
    std::fs::remove_file(first).unwrap();
    let error = FileJournal::open(folder).unwrap_err().to_string();
    assert!(error.contains("it is gone, though"), "{error}");
    let error = FileJournal::begin(folder, &[(1, b"another")]).unwrap_err().to_string();
    assert!(error.contains("there is a journal already"), "{error}");
    std::fs::write(first, bytes).unwrap();

    // A segment of another journal with the same numbers.
    let other = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::begin_with(other.path(), &[], small()).unwrap();
    journal.append(1, b"another past").unwrap();
    journal.commit().unwrap();
    for count in GROUPS.iter().skip(1) {
        add_group(&mut journal, *count);
    }
    drop(journal);
    let (second, _) = &sample.files[1];
    let foreign = other.path().join(second.file_name().unwrap());
    std::fs::copy(foreign, second).unwrap();
    let error = FileJournal::open(folder).unwrap_err().to_string();
    assert!(error.contains("its chain of hashes is not that of the segment before it"), "{error}");
}

#[test]
fn room_is_set_aside_and_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let options = JournalOptions { segment_bytes: 100_000, preallocate: true, ..JournalOptions::default() };
    let length = || std::fs::metadata(folder.path().join(FILE_NAME)).unwrap().len();
    let mut journal = FileJournal::begin_with(folder.path(), &[(1, b"genesis")], options.clone()).unwrap();
    add_group(&mut journal, 5);
    assert_eq!(length(), 100_000);
    let copy = std::fs::read(folder.path().join(FILE_NAME)).unwrap();
    assert_eq!(FileJournal::read_only(folder.path()).unwrap().torn_bytes(), 0);
    let hash = journal.head_hash();
    drop(journal);
    let used = length();
    assert!(used < 1_000, "{used} bytes are left of a closed journal");

    // As if it had been killed: the room is still there.
    std::fs::write(folder.path().join(FILE_NAME), &copy).unwrap();
    let journal = FileJournal::open(folder.path()).unwrap();
    assert_eq!((journal.head_hash(), journal.recovered_bytes(), length()), (hash, 0, used));
    drop(journal);

    // Killed in the middle of a write into the room.
    let mut torn = copy;
    torn[used as usize..used as usize + 40].fill(0xA5);
    std::fs::write(folder.path().join(FILE_NAME), &torn).unwrap();
    let journal = FileJournal::open_with(folder.path(), options).unwrap();
    assert_eq!((journal.head_hash(), journal.recovered_bytes(), length()), (hash, 40, 100_000));
    let bytes = std::fs::read(folder.path().join(FILE_NAME)).unwrap();
    assert!(bytes[used as usize..].iter().all(|byte| *byte == 0), "the torn tail is still there");
}

/// What a kill while a segment is begun leaves: a file without its name yet. It is no obstacle.
#[test]
fn a_segment_that_was_being_begun_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::begin_with(folder.path(), &[], small()).unwrap();
    std::fs::write(folder.path().join("journal.mts.new"), b"half a header").unwrap();
    for _ in 0..20 {
        add_group(&mut journal, 5);
    }
    assert_holds(&journal, 100);
    assert!(segments(folder.path()).len() > 3 && !folder.path().join("journal.mts.new").exists());
}

/// A reader never sees anything but whole groups, however the writer is caught: rolling, setting room aside, saving
/// snapshots and removing segments.
#[test]
fn readers_of_a_busy_writer_see_whole_groups() {
    let folder = tempfile::tempdir().unwrap();
    let options = JournalOptions {
        segment_bytes: 200_000,
        retention: mts_journal::Retention::Segments(1),
        ..set_aside()
    };
    let mut journal = FileJournal::begin_with(folder.path(), &[(1, b"genesis")], options).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..300_u64 {
                for _ in 0..50 {
                    journal.append(1, &[9; 300]).unwrap();
                }
                journal.commit().unwrap();
                if round % 20 == 0 {
                    journal.save_snapshot(journal.durable(), b"state").unwrap();
                }
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        let mut last = 0;
        let mut following = FileJournal::read_only(folder.path()).unwrap();
        while !done.load(std::sync::atomic::Ordering::Acquire) {
            let reader = FileJournal::read_only(folder.path()).unwrap();
            assert!(reader.durable() >= last && (reader.durable() - 1).is_multiple_of(50));
            last = reader.durable();
            let from = last.saturating_sub(60);
            let mut count = 0;
            let read = reader.replay_from(from, &mut |_| {
                count += 1;
                Ok(())
            });
            // The writer may have removed a segment under the reader's eyes, but never given it something else.
            if read.is_ok() {
                assert_eq!(count, last - from);
            }
            following.refresh().unwrap();
            assert!((following.durable() - 1).is_multiple_of(50));
        }
        following.refresh().unwrap();
        assert_eq!(following.durable(), 15_001);
        assert_eq!(following.head_hash(), FileJournal::read_only(folder.path()).unwrap().head_hash());
    });
}
