//! Risk state in a journal.

use super::{RiskStore, StoreError};
use mts_foundation::journal::Journal;

/// Kind of the records that hold a risk state.
pub const RISK_STATE: u16 = 0x5253;

/// Keeps risk state as records of a journal, one after the other; the last one counts.
#[derive(Debug)]
pub struct JournalStore<J>(J);

impl<J: Journal> JournalStore<J> {
    /// Over a journal that is open for writing. Records of other kinds in it are left alone.
    pub fn new(journal: J) -> Self {
        Self(journal)
    }
}

impl<J: Journal> RiskStore for JournalStore<J> {
    fn load(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let mut last = None;
        self.0.replay(&mut |record| {
            if record.kind == RISK_STATE {
                last = Some(record.payload);
            }
            Ok(())
        })?;
        Ok(last)
    }

    fn save(&mut self, state: &[u8]) -> Result<(), StoreError> {
        self.0.append(RISK_STATE, state)?;
        Ok(self.0.commit()?)
    }
}
