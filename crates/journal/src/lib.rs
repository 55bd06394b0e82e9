#![doc = include_str!("../README.md")]
//!
//! The journal of mts: what survives a crash.
//!
//! [`FileJournal`] keeps one file, `journal.mts`, that only ever grows. Records are gathered in memory and written as a
//! group by `commit`: one write and one sync. A group counts only once its closing commit record is on disk, so a crash
//! leaves either the whole group or nothing of it. [`JournalReader`] reads such a file without touching it, also while
//! another process writes it. [`MemoryJournal`] is the same journal, byte for byte, without a disk.
//!
//! # Layout (version 1, all numbers little-endian)
//!
//! ```text
//! file   = header group*
//! header = magic "MTSJRNL1"   version u32   crc32c u32 of the 12 bytes before it
//! group  = record+ commit
//! record = length u32   kind u16   flags u16   sequence u64   payload   crc32c u32 of everything before it
//! commit = a record of kind 65535 with flag bit 0 set ("last of its group"; no other record has it), the sequence of
//!          the next record (a commit uses up no number) and as payload the 32 bytes of the chain
//! chain  = SHA-256(chain before, all bytes of the group's records); at the start SHA-256(header)
//! ```
//!
//! # What opening does with a file that is not whole
//!
//! Behind the last good commit there may be a *torn tail*: the rest of a group whose writing was interrupted. Nobody was
//! told that it is durable, so it is cut off. Everything else that does not check out is *damage* and is refused, with
//! the byte and what to do. The two are told apart so:
//!
//! * at or behind the bad spot there is an intact commit record: damage, because bytes that were once complete have changed;
//! * the bad spot has a right checksum, only the number, the flags or the chain are wrong: damage as well;
//! * at the bad spot stands the commit record that belongs there but for a few bits (at most 8): damage as well;
//! * otherwise: a torn tail.
//!
//! So a cut at any byte is recovered and a single flipped bit anywhere in the committed part is refused. The limits:
//!
//! * If the *last* commit record is wrecked beyond 8 bits, or the last group and its commit record both are, this cannot
//!   be told from an interrupted write: the last group is lost. A file that was cut exactly behind a commit record is a
//!   shorter journal without a fault. [`FileJournal::head_hash`], kept elsewhere, finds both.
//! * A payload may hold the bytes of a commit record, for instance a copy of a journal. If the write of such a record is
//!   torn, the tail is refused as damage. That is the safe side; no data is lost.
//! * A group that was written but whose sync failed, or whose process died between write and sync, is there or not
//!   after the next start. Either is right: its commit never returned success. After a *failed* sync the system's cache
//!   may show bytes that never reached the disk; restart the machine, or reconcile with the venue, before trusting it.

mod file;
mod format;
mod memory;
mod reader;
mod system;
mod walk;

pub use file::{FileJournal, SyncPolicy};
pub use format::{COMMIT_KIND, MAX_GROUP_BYTES};
pub use memory::MemoryJournal;
pub use reader::JournalReader;

/// Name of the journal in its folder.
pub const FILE_NAME: &str = "journal.mts";

/// Name of the file whose lock says that somebody writes. It stays behind empty; only the lock on it counts.
pub const LOCK_NAME: &str = "journal.lock";
