#![doc = include_str!("../README.md")]
//!
//! The journal of mts: what survives a crash.
//!
//! [`FileJournal`] keeps a folder of *segments*, files that only ever grow. Records are gathered in memory and written as
//! a group by `commit`: one write and one sync. A group counts only once its closing commit record is on disk, so a crash
//! leaves either the whole group or nothing of it. [`JournalReader`] reads the folder without touching it, also while
//! another process writes it. [`MemoryJournal`] is the same journal, byte for byte, in one segment without a disk.
//!
//! # The folder
//!
//! | file | what |
//! |---|---|
//! | `journal.mts` | the first segment, with the record that says what the journal is of; never removed |
//! | `journal-<sequence>.mts` | a later segment, by the number of its first record in 20 digits |
//! | `snapshot-<sequence>.mts` | the state after so many records; the newest two are kept |
//! | `journal.reserve` | takes room for the day the disk is full, and holds nothing |
//! | `journal.lock` | its lock says that somebody writes |
//! | `journal.mts.new`, `snapshot.mts.new` | being made; without meaning after a crash |
//!
//! # Layout (version 2, all numbers little-endian)
//!
//! ```text
//! segment = header group*
//! header  = magic "MTSJRNL1"   version u32   first sequence u64   chain 32 bytes   crc32c u32 of the 52 bytes before it
//! group   = record+ commit
//! record  = length u32   kind u16   flags u16   sequence u64   payload   crc32c u32 of everything before it
//! commit  = a record of kind 65535 with flag bit 0 set ("last of its group"; no other record has it), the sequence of
//!           the next record (a commit uses up no number) and as payload the 32 bytes of the chain
//! chain   = SHA-256(chain before, all bytes of the group's records); at the start SHA-256(magic, version); a segment's
//!           header has the chain that it continues
//! ```
//!
//! Version 1 knew one file, whose header had magic, version and their checksum only; its chain began with the SHA-256 of
//! these 16 bytes. Such a journal is read and gone on with: its file is the first segment.
//!
//! A segment is closed when the next group would take it beyond its size: what was set aside is cut off and it is synced;
//! then the next is written under another name, synced, renamed, and the folder synced. So a segment that is not the last
//! is whole, and a header is never half-written.
//!
//! # Snapshots
//!
//! A snapshot names the records it stands for and the chain after them. Opening takes the newest that is whole and whose
//! chain is that of the journal there, and checks the segments from that place on; what is before it is checked by who
//! reads it, and by [`JournalReader::verify`]. A snapshot that is damaged, of another journal or ahead of this one is
//! passed over, with a reason ([`FileJournal::ignored_snapshots`]). [`Retention`] may remove whole segments that lie
//! before both kept snapshots, never the first. A gap that no snapshot covers is damage.
//!
//! # What opening does with a file that is not whole
//!
//! Behind the last good commit of the last segment there may be a *torn tail*: the rest of a group whose writing was
//! interrupted. Nobody was told that it is durable, so it is cut off. Zeros at the end are room that was set aside.
//! Everything else that does not check out is *damage* and is refused, with the file, the byte and what to do. The two are
//! told apart so:
//!
//! * in a segment that is not the last: damage;
//! * at or behind the bad spot there is an intact commit record: damage, because bytes that were once complete have changed;
//! * the bad spot has a right checksum, only the number, the flags or the chain are wrong: damage as well;
//! * at the bad spot stands the commit record that belongs there but for a few bits (at most 8): damage as well;
//! * otherwise: a torn tail.
//!
//! So a cut at any byte is recovered and a single flipped bit anywhere in the committed part is refused. The limits:
//!
//! * If the *last* commit record is wrecked beyond 8 bits, or the last group and its commit record both are, this cannot
//!   be told from an interrupted write: the last group is lost. A segment that was cut exactly behind a commit record, and
//!   a last segment that is gone, leave a shorter journal without a fault. [`FileJournal::head_hash`], kept elsewhere,
//!   finds all of these.
//! * A payload may hold the bytes of a commit record, for instance a copy of a journal. If the write of such a record is
//!   torn, the tail is refused as damage. That is the safe side; no data is lost.
//! * A group that was written but whose sync failed, or whose process died between write and sync, is there or not
//!   after the next start. Either is right: its commit never returned success. After a *failed* sync the system's cache
//!   may show bytes that never reached the disk; restart the machine, or reconcile with the venue, before trusting it.
//!
//! # A full disk
//!
//! With [`JournalOptions::reserve_bytes`] a write that finds no room is not the end: the commit fails with an error that
//! [is a full disk](mts_foundation::journal::JournalError::is_disk_full), nothing of the group is durable, and it stays
//! pending. After [`release_reserve`](mts_foundation::journal::Journal::release_reserve) more may be appended (the
//! cancels) and all of it committed; a second failure is final. The reserve is made anew at the next start that has room.

mod file;
mod format;
mod memory;
mod options;
mod reader;
mod reserve;
mod retention;
mod segment;
mod snapshot;
mod survey;
mod system;
mod trail;
mod walk;

pub use file::FileJournal;
pub use format::{COMMIT_KIND, MAX_GROUP_BYTES};
pub use memory::MemoryJournal;
pub use options::{JournalOptions, Retention, SyncPolicy};
pub use reader::{JournalReader, SegmentInfo, SnapshotInfo, Verified};
pub use snapshot::{IgnoredSnapshot, MAX_SNAPSHOT_BYTES};

/// Name of a journal's first segment in its folder, and thereby of the journal.
pub const FILE_NAME: &str = "journal.mts";

/// Name of the file whose lock says that somebody writes. It stays behind empty; only the lock on it counts.
pub const LOCK_NAME: &str = "journal.lock";
