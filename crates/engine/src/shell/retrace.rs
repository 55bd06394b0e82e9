//! Going the way of an earlier process again.
//!
//! A run over recorded data, with a simulated venue, is a function of its configuration, its data and its strategies. So one
//! that was interrupted is not restored: it begins anew, and everything it does is compared with what the journal says it
//! did, until the journal ends and it goes on. Nothing of the venue's or of a strategy's inside has to survive, and a
//! program, a strategy or data that changed in between is found at the first record that differs.

use crate::input::Input;
use crate::record::decode;
use mts_foundation::journal::{Journal, JournalError, JournalRecord, Sequence};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

/// What the journal holds at one place.
enum Past {
    /// Something that comes about by itself: the beginning of the hash of its record. 16 bytes, so that a long run fits.
    Made([u8; 16]),
    /// What a person did to the run, while it ran or while it did not: it comes from nowhere else.
    Act(Box<Input>),
}

/// A journal that is compared with before it is written to.
pub(super) struct Retraced<J> {
    journal: J,
    past: VecDeque<Past>,
    /// Records behind: those of the past that were met.
    met: Sequence,
}

fn digest(kind: u16, payload: &[u8]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(kind.to_le_bytes());
    hash.update(payload);
    let hash: [u8; 32] = hash.finalize().into();
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    short
}

impl<J: Journal> Retraced<J> {
    /// A journal whose first record is there already; what follows it is the past.
    pub(super) fn new(journal: J) -> Result<Self, JournalError> {
        let mut past = VecDeque::new();
        let mut met = 0;
        journal.replay(&mut |JournalRecord { sequence, kind, payload }| {
            if sequence == 0 {
                met = 1;
                return Ok(());
            }
            past.push_back(match decode(sequence, kind, &payload) {
                Ok(act @ Input::Operator { .. }) => Past::Act(Box::new(act)),
                _ => Past::Made(digest(kind, &payload)),
            });
            Ok(())
        })?;
        Ok(Self { journal, past, met })
    }

    /// Records that are still to be met.
    pub(super) fn left(&self) -> u64 {
        self.past.len() as u64
    }

    /// The act of a person that stands here, where one does.
    pub(super) fn act(&self) -> Option<Input> {
        match self.past.front() {
            Some(Past::Act(act)) => Some(Input::clone(act)),
            _ => None,
        }
    }
}

impl<J: Journal> Journal for Retraced<J> {
    fn append(&mut self, kind: u16, payload: &[u8]) -> Result<Sequence, JournalError> {
        let Some(past) = self.past.pop_front() else { return self.journal.append(kind, payload) };
        let same = match past {
            Past::Made(hash) => digest(kind, payload) == hash,
            Past::Act(act) => decode(self.met, kind, payload).is_ok_and(|input| input == *act),
        };
        let sequence = self.met;
        if !same {
            return Err(JournalError::Differs { sequence });
        }
        self.met += 1;
        Ok(sequence)
    }

    fn commit(&mut self) -> Result<(), JournalError> {
        if self.past.is_empty() { self.journal.commit() } else { Ok(()) }
    }

    fn next_sequence(&self) -> Sequence {
        if self.past.is_empty() { self.journal.next_sequence() } else { self.met }
    }

    fn durable(&self) -> Sequence {
        if self.past.is_empty() { self.journal.durable() } else { self.met }
    }

    /// Nothing: the past is gone through by doing it again.
    fn replay(
        &self,
        _visit: &mut dyn FnMut(JournalRecord) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        Ok(())
    }

    fn head_hash(&self) -> Option<[u8; 32]> {
        self.journal.head_hash()
    }

    fn release_reserve(&mut self) -> Result<bool, JournalError> {
        self.journal.release_reserve()
    }
}
