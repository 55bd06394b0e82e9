//! The kill switch as a file: it holds with the engine running, hung or down, and no part of the engine is needed to set it.

use crate::error::{CliError, ExitKind};
use mts_foundation::{ActorId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Its name in a run's folder. As long as it is there, no order leaves.
pub(crate) const KILL_FILE: &str = "KILL";

/// What stands in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KillNote {
    /// Why.
    pub(crate) reason: String,
    /// Who.
    pub(crate) actor: ActorId,
    /// When, by the clock of the machine.
    pub(crate) time: Timestamp,
}

impl KillNote {
    /// Writes it so that it survives a power loss. One that is there stays as it is. The flag is that the file is there: on a full
    /// disk it holds without saying who set it and why.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), CliError> {
        let path = folder.join(KILL_FILE);
        let failed = |error: std::io::Error| {
            CliError::new(
                ExitKind::Output,
                format!("{} cannot be written: {error}; kill the process", path.display()),
            )
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = match options.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let text = serde_json::to_string(self).map_err(|error| CliError::new(ExitKind::Internal, error))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).ok();
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}
