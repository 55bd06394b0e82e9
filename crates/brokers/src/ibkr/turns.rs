//! One call at a time for each key.

use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OwnedMutexGuard;

type Door = Arc<tokio::sync::Mutex<()>>;

/// The keys that calls are at work on.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<BTreeMap<SmolStr, Door>>);

/// A turn; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    key: SmolStr,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    fn doors(&self) -> MutexGuard<'_, BTreeMap<SmolStr, Door>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the calls before this one with the same key.
    pub(super) async fn take(&self, key: &SmolStr) -> Turn<'_> {
        let door = Arc::clone(self.doors().entry(key.clone()).or_default());
        let mut turn = Turn { turns: self, key: key.clone(), held: None };
        turn.held = Some(door.lock_owned().await);
        turn
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.held = None;
        let mut doors = self.turns.doors();
        // One more is the map's own.
        if doors.get(&self.key).is_some_and(|door| Arc::strong_count(door) == 1) {
            doors.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[test]
    fn one_key_waits_for_itself_and_nothing_stays_behind() {
        let turns = Turns::default();
        let (one, other) = (SmolStr::new("one"), SmolStr::new("other"));
        let first = turns.take(&one).now_or_never().unwrap();
        assert!(turns.take(&other).now_or_never().is_some());
        let mut second = Box::pin(turns.take(&one));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        let second = second.now_or_never().unwrap();
        assert!(turns.take(&one).now_or_never().is_none());
        drop(second);
        assert!(turns.doors().is_empty());
    }
}
