//! Room that is kept back for the day the disk is full: the cancels of that day still fit in the journal.

use std::io;
use std::path::{Path, PathBuf};

use crate::segment::remove_if_there;
use crate::system;

/// Name of the file that takes the room.
pub(crate) const RESERVE_NAME: &str = "journal.reserve";

/// A file that takes room and holds nothing.
#[derive(Debug)]
pub(crate) struct Reserve {
    folder: PathBuf,
}

impl Reserve {
    /// Keeps `bytes` back in `folder`. `None` if none are wanted, or the disk has not that much: what it has is for the
    /// journal then.
    pub(crate) fn keep(folder: &Path, bytes: u64) -> Option<Self> {
        let path = folder.join(RESERVE_NAME);
        let there = std::fs::metadata(&path).is_ok_and(|data| data.is_file() && data.len() == bytes);
        let keep = || -> io::Result<()> {
            remove_if_there(&path)?;
            system::reserve(&system::create_new(&path)?, bytes)
        };
        if bytes > 0 && (there || keep().is_ok()) {
            return Some(Self { folder: folder.to_owned() });
        }
        // Half a reserve, or one that is no longer wanted. If it stays, it takes room and does no other harm.
        remove_if_there(&path).unwrap_or_default();
        None
    }

    /// Gives the room free.
    pub(crate) fn release(self) -> io::Result<()> {
        remove_if_there(&self.folder.join(RESERVE_NAME))?;
        // Some file systems give the room free only when the removal is durable.
        system::sync_folder(&self.folder)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_takes_its_room_and_gives_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(RESERVE_NAME);
        assert!(Reserve::keep(folder.path(), 0).is_none() && !path.exists());
        let reserve = Reserve::keep(folder.path(), 200_000).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            assert!(std::fs::metadata(&path).unwrap().blocks() * 512 >= 200_000, "a hole is no reserve");
        }
        reserve.release().unwrap();
        assert!(!path.exists());
        drop(Reserve::keep(folder.path(), 5));
        let other = Reserve::keep(folder.path(), 6);
        assert!(other.is_some() && std::fs::metadata(&path).unwrap().len() == 6);
        assert!(Reserve::keep(folder.path(), 0).is_none() && !path.exists());
    }
}
