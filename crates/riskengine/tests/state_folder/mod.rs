//! Where a test keeps a state file.

use mts_riskengine::store::{RiskStore, StateFile, StoreError};
use std::path::PathBuf;

/// A folder with a state file, removed with the test.
pub(crate) struct Folder(pub(crate) tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("state")
    }

    /// A file with this state.
    pub(crate) fn with(state: &[u8]) -> Self {
        let folder = Self::new();
        StateFile::create(folder.file()).unwrap().save(state).unwrap();
        folder
    }

    pub(crate) fn load(&self) -> Result<Vec<u8>, StoreError> {
        StateFile::open(self.file())?.load().map(|state| state.unwrap_or_default())
    }
}
