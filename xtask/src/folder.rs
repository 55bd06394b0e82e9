//! A folder to work in that vanishes.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A new folder below the system's temporary one, removed in the end.
pub(crate) struct EmptyFolder(PathBuf);

impl EmptyFolder {
    /// An empty folder; no two of a process may have the same name at a time.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("mts-{name}-{}", std::process::id()));
        let failed = |error: std::io::Error| {
            Error::failed(format!("cannot make the empty folder {}: {error}; set TMPDIR", path.display()))
        };
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(failed)?;
        }
        std::fs::create_dir_all(&path).map_err(failed)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for EmptyFolder {
    fn drop(&mut self) {
        // A folder that stays behind in the temporary one harms nobody.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
