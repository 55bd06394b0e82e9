//! Nonces: each higher than all before it, whichever process of this machine used them.

use mts_foundation::Timestamp;
use mts_foundation::io::{SharedState, StateError};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The name of the entry that keeps a key's last nonce: of its hash, for the name is no secret.
pub(super) fn entry(key: &SecretString) -> String {
    let mut name = "nonce-".to_owned();
    for byte in Sha256::digest(key.expose_secret()).iter().take(8) {
        // Writing to a text cannot fail.
        write!(name, "{byte:02x}").unwrap_or_default();
    }
    name
}

/// The next nonce: the time in nanoseconds, or one more than the last one where that is not higher. Nanoseconds are more than
/// what other programs count in, so a key that one of them has used is taken over at once.
pub(super) fn next(state: &dyn SharedState, entry: &str, now: Timestamp) -> Result<u64, StateError> {
    let mut given = 0;
    state.update(entry, &mut |last| {
        // What cannot be read is no nonce of ours, and below the time of now.
        let last: u64 =
            last.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()).unwrap_or_default();
        given = u64::try_from(now.nanos()).unwrap_or_default().max(last.saturating_add(1));
        Some(given.to_string().into_bytes())
    })?;
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::io::StateChange;
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

    impl SharedState for Memory {
        fn update(&self, entry: &str, change: &mut StateChange<'_>) -> Result<Option<Vec<u8>>, StateError> {
            let mut entries = self.0.lock().unwrap();
            let new = change(entries.get(entry).map(Vec::as_slice));
            if let Some(new) = &new {
                entries.insert(entry.to_owned(), new.clone());
            }
            Ok(new)
        }
    }

    #[test]
    fn a_nonce_rises_although_the_clock_stands_or_goes_back() {
        let (state, at) = (Memory::default(), Timestamp::from_nanos);
        let name = entry(&"key".into());
        assert_eq!(next(&state, &name, at(1_000)).unwrap(), 1_000);
        assert_eq!(next(&state, &name, at(1_000)).unwrap(), 1_001);
        assert_eq!(next(&state, &name, at(10)).unwrap(), 1_002);
        assert_eq!(next(&state, &name, at(2_000)).unwrap(), 2_000);
        let other = entry(&"other".into());
        assert!(other != name && !other.contains("other") && other.len() == 22);
        assert_eq!(next(&state, &other, at(5)).unwrap(), 5);
        state.0.lock().unwrap().insert(name.clone(), b"rubbish".to_vec());
        assert_eq!(next(&state, &name, at(3_000)).unwrap(), 3_000);
    }
}
