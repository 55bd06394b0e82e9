//! Going through the bytes of a journal in order.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use mts_foundation::journal::{JournalRecord, MAX_RECORD_BYTES, Sequence};
use sha2::{Digest, Sha256};

use crate::format::{self, COMMIT_FRAME, COMMIT_KIND, CRC, Chain, RECORD_HEAD, RecordHead};
use crate::system;

/// Bytes that are read at a time; whatever the length of the file, reading needs no more than this and one record.
pub(crate) const BUFFER: usize = 64 << 10;

/// Bytes that can be read at any place: a file, or memory.
pub(crate) trait Source {
    /// Reads some bytes at `offset`; 0 means the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl Source for File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        system::read_at(self, offset, buffer)
    }
}

impl Source for [u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        Read::read(&mut &*rest, buffer)
    }
}

/// The bytes of a source from `offset` up to `end`, in order.
pub(crate) struct Span<'a, S: ?Sized> {
    pub(crate) source: &'a S,
    pub(crate) offset: u64,
    pub(crate) end: u64,
}

impl<S: Source + ?Sized> Read for Span<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let Some(buffer) = buffer.get_mut(..wanted) else { return Ok(0) };
        let read = self.source.read_at(self.offset, buffer)?;
        self.offset = self.offset.saturating_add(read as u64);
        Ok(read)
    }
}

/// A place right behind a commit record, or behind a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Bytes before it in its file. 0 only for a file whose header was never completed.
    pub(crate) offset: u64,
    /// Records before it in the journal.
    pub(crate) sequence: Sequence,
    /// The chain there.
    pub(crate) chain: Chain,
}

/// What comes next in the file.
pub(crate) enum Step {
    /// A record that checks out; its payload is empty unless it was asked for.
    Record(JournalRecord),
    /// A group is closed and checks out.
    Commit(Position),
    /// No bytes are left.
    End,
    /// The next bytes are not a record of this place.
    Fault(Fault),
}

/// A place that does not check out.
pub(crate) struct Fault {
    /// Where.
    pub(crate) offset: u64,
    /// What is wrong.
    pub(crate) what: &'static str,
    /// Its checksum is right: somebody wrote it so, no write was interrupted.
    pub(crate) whole: bool,
    /// Chain that a commit record at this place would have to carry.
    pub(crate) chain: Chain,
    /// Number that it would have to carry.
    pub(crate) sequence: Sequence,
}

/// Goes through the groups of one file and checks everything that is written twice: checksum, number, chain.
pub(crate) struct Walker<'a, S: ?Sized> {
    input: BufReader<Span<'a, S>>,
    offset: u64,
    end: u64,
    sequence: Sequence,
    /// First record of the current group.
    group: Sequence,
    hasher: Sha256,
    /// First record whose payload is handed out.
    keep_from: Sequence,
}

impl<'a, S: Source + ?Sized> Walker<'a, S> {
    /// Starts at `start`, with nothing known but what that says; payloads are handed out from record `keep_from` on.
    pub(crate) fn new(source: &'a S, start: &Position, end: u64, keep_from: Sequence) -> Self {
        let Position { offset, sequence, chain } = *start;
        Self {
            input: BufReader::with_capacity(BUFFER, Span { source, offset, end }),
            offset,
            end,
            sequence,
            group: sequence,
            hasher: format::chain_hasher(&chain),
            keep_from,
        }
    }

    /// The next record, commit or end. After a fault it has nothing more to say.
    pub(crate) fn next(&mut self) -> io::Result<Step> {
        let left = self.end.saturating_sub(self.offset);
        if left == 0 {
            return Ok(Step::End);
        }
        // As it was before this record, for the judgement of a fault.
        let before = self.hasher.clone();
        let (offset, sequence) = (self.offset, self.sequence);
        let judged = |what, whole| {
            let chain = before.clone().finalize().into();
            Ok(Step::Fault(Fault { offset, what, whole, chain, sequence }))
        };
        let (fault, strange) = (|what| judged(what, false), |what| judged(what, true));

        let overhead = (RECORD_HEAD + CRC) as u64;
        if left < overhead {
            return fault("the file ends inside a record");
        }
        let mut head = [0; RECORD_HEAD];
        self.input.read_exact(&mut head)?;
        let mut crc = crc32c::crc32c(&head);
        let fields = RecordHead::from_bytes(head);
        let length = fields.length as usize;
        let frame = overhead.saturating_add(u64::from(fields.length));
        if length > MAX_RECORD_BYTES {
            return fault("a record claims an impossible length");
        }
        if frame > left {
            return fault("a record claims to go on behind the end of the file");
        }
        let commit = fields.kind == COMMIT_KIND;
        if commit && frame != COMMIT_FRAME as u64 {
            return fault("a commit record has the wrong length");
        }

        let keep = commit || sequence >= self.keep_from;
        let mut payload = Vec::with_capacity(if keep { length } else { 0 });
        if !commit {
            self.hasher.update(head);
        }
        let mut wanted = length;
        while wanted > 0 {
            let some = self.input.fill_buf()?;
            let Some(some) = some.get(..wanted.min(some.len())).filter(|some| !some.is_empty()) else {
                // Only if the file shrinks while it is read.
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            crc = crc32c::crc32c_append(crc, some);
            if !commit {
                self.hasher.update(some);
            }
            if keep {
                payload.extend_from_slice(some);
            }
            let used = some.len();
            self.input.consume(used);
            wanted -= used;
        }
        let mut stored = [0; CRC];
        self.input.read_exact(&mut stored)?;
        if stored != crc.to_le_bytes() {
            return fault("the checksum of a record is wrong");
        }
        if fields.sequence != self.sequence {
            return strange("a record has the wrong number");
        }
        self.offset = offset.saturating_add(frame);

        if !commit {
            if fields.flags != 0 {
                return strange("a record has unknown flags");
            }
            self.hasher.update(stored);
            self.sequence = sequence.saturating_add(1);
            return Ok(Step::Record(JournalRecord { sequence, kind: fields.kind, payload }));
        }
        let chain: Chain = before.clone().finalize().into();
        if fields != format::commit_head(sequence) {
            return strange("a commit record has unknown flags");
        }
        if self.group == sequence {
            return strange("a group has no records");
        }
        if payload != chain {
            return strange("the chain of hashes is broken");
        }
        self.group = sequence;
        self.hasher = format::chain_hasher(&chain);
        Ok(Step::Commit(Position { offset: self.offset, sequence, chain }))
    }
}
