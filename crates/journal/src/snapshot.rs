//! Snapshots: a state at a place of the journal, kept so that a start need not read everything. They are a cache: one
//! that is damaged, foreign or gone is passed over, and the journal says the same without it.
//!
//! ```text
//! snapshot = magic "MTSSNAP1"   version u32   sequence u64   chain 32 bytes   length u64   state   SHA-256 of all before
//! ```

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use mts_foundation::journal::{JournalError, Sequence};
use sha2::{Digest, Sha256};

use crate::format::{CHAIN, Chain};
use crate::segment::{numbered, numbered_name, remove_if_there};
use crate::system;
use crate::walk::BUFFER;

/// Most bytes of one state.
pub const MAX_SNAPSHOT_BYTES: u64 = 1 << 30;

/// What the names of snapshots begin with.
const NAME: &str = "snapshot";
/// Name of a snapshot that is being written.
const STAGING_NAME: &str = "snapshot.mts.new";
const MAGIC: [u8; 8] = *b"MTSSNAP1";
const VERSION: u32 = 1;
/// Bytes before the state.
const HEAD: usize = 8 + 4 + 8 + CHAIN + 8;
/// Bytes behind it.
const DIGEST: u64 = 32;

/// A snapshot whose checksum is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) path: PathBuf,
    /// Records it stands for.
    pub(crate) sequence: Sequence,
    /// The chain after them, which tells the journal it belongs to.
    pub(crate) chain: Chain,
    /// Bytes of its state.
    pub(crate) bytes: u64,
}

/// A snapshot that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredSnapshot {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// The snapshots of `folder` with the numbers in their names, the newest first.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<(Sequence, PathBuf)>> {
    let mut listed = numbered(folder, NAME)?;
    listed.reverse();
    Ok(listed)
}

/// Keeps `state`; whole or not at all.
pub(crate) fn save(
    folder: &Path,
    sequence: Sequence,
    chain: Chain,
    state: &[u8],
) -> Result<Snapshot, JournalError> {
    let path = folder.join(numbered_name(NAME, sequence));
    let failed = |operation| {
        let path = path.display().to_string();
        move |source| JournalError::Io { path, operation, source }
    };
    let bytes = state.len() as u64;
    if bytes > MAX_SNAPSHOT_BYTES {
        let message = format!("a state of {bytes} bytes is too long; the limit is {MAX_SNAPSHOT_BYTES}");
        return Err(failed("save")(io::Error::new(io::ErrorKind::InvalidInput, message)));
    }
    let staged = folder.join(STAGING_NAME);
    let write = || -> io::Result<()> {
        remove_if_there(&staged)?;
        let mut file = system::create_new(&staged)?;
        let head = head(sequence, &chain, bytes);
        let digest = Sha256::new().chain_update(&head).chain_update(state).finalize();
        file.write_all(&head)?;
        file.write_all(state)?;
        file.write_all(&digest)?;
        file.sync_all()?;
        std::fs::rename(&staged, &path)?;
        system::sync_folder(folder)
    };
    let written = write();
    if written.is_err() {
        // The room it takes is needed for more than half a cache; the next attempt removes it if this one cannot.
        remove_if_there(&staged).unwrap_or_default();
    }
    written.map_err(failed("save"))?;
    Ok(Snapshot { path, sequence, chain, bytes })
}

fn head(sequence: Sequence, chain: &Chain, bytes: u64) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(&MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&sequence.to_le_bytes());
    head.extend_from_slice(chain);
    head.extend_from_slice(&bytes.to_le_bytes());
    head
}

/// Reads a snapshot and checks it; `state` receives the state if it is asked for. `Err` says what is wrong with it.
pub(crate) fn read(path: &Path, state: Option<&mut Vec<u8>>) -> Result<Snapshot, String> {
    let failed = |error: io::Error| format!("it cannot be read: {error}");
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut found = [0; HEAD];
    if length < HEAD as u64 + DIGEST {
        return Err(format!("it is {length} bytes long, too short for a snapshot"));
    }
    file.read_exact(&mut found).map_err(failed)?;
    let (sequence, chain, bytes) = judge(&found, length)?;
    let mut hasher = Sha256::new().chain_update(found);
    let mut kept = Vec::new();
    let mut rest = bytes;
    let mut window = Vec::with_capacity(BUFFER);
    while rest > 0 {
        window.clear();
        let read =
            Read::by_ref(&mut file).take(rest.min(BUFFER as u64)).read_to_end(&mut window).map_err(failed)?;
        if read == 0 {
            return Err("it became shorter while it was read".to_owned());
        }
        hasher.update(&window);
        if state.is_some() {
            kept.extend_from_slice(&window);
        }
        rest = rest.saturating_sub(read as u64);
    }
    let mut digest = [0; CHAIN];
    file.read_exact(&mut digest).map_err(failed)?;
    if digest != *hasher.finalize() {
        return Err("its checksum is wrong".to_owned());
    }
    if let Some(state) = state {
        *state = kept;
    }
    Ok(Snapshot { path: path.to_owned(), sequence, chain, bytes })
}

/// What a header says, if it can be that of a file of `length` bytes.
fn judge(found: &[u8; HEAD], length: u64) -> Result<(Sequence, Chain, u64), String> {
    let fields = || {
        let rest = found.strip_prefix(&MAGIC)?;
        let (version, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (chain, rest) = rest.split_first_chunk::<CHAIN>()?;
        let bytes = rest.first_chunk()?;
        Some((
            u32::from_le_bytes(*version),
            u64::from_le_bytes(*sequence),
            *chain,
            u64::from_le_bytes(*bytes),
        ))
    };
    let Some((version, sequence, chain, bytes)) = fields() else {
        return Err("it does not start as a snapshot does".to_owned());
    };
    if version != VERSION {
        return Err(format!("it has format version {version}, this program knows {VERSION}"));
    }
    if bytes > MAX_SNAPSHOT_BYTES || bytes.saturating_add(HEAD as u64 + DIGEST) != length {
        return Err(format!("its length of {length} bytes does not fit its state of {bytes}"));
    }
    Ok((sequence, chain, bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_comes_back_and_any_change_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let saved = save(folder.path(), 7, [3; CHAIN], b"the state").unwrap();
        let mut state = Vec::new();
        assert_eq!(read(&saved.path, Some(&mut state)).unwrap(), saved);
        assert_eq!(state, b"the state");
        assert_eq!(list(folder.path()).unwrap(), [(7, saved.path.clone())]);
        let bytes = std::fs::read(&saved.path).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&saved.path, &flipped).unwrap();
            read(&saved.path, None).unwrap_err();
        }
        for cut in 0..bytes.len() {
            std::fs::write(&saved.path, &bytes[..cut]).unwrap();
            read(&saved.path, None).unwrap_err();
        }
        std::fs::write(&saved.path, [&bytes[..], &[0]].concat()).unwrap();
        read(&saved.path, None).unwrap_err();
    }

    #[test]
    fn an_empty_state_is_a_state() {
        let folder = tempfile::tempdir().unwrap();
        let saved = save(folder.path(), 0, [0; CHAIN], b"").unwrap();
        assert_eq!(read(&saved.path, Some(&mut vec![1])).unwrap(), saved);
    }
}
