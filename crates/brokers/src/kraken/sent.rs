//! What was sent, so that it is sent once.

use smol_str::SmolStr;
use std::collections::{BTreeSet, VecDeque};

/// Most client ids that are kept; the oldest is forgotten first.
const MAX_SENT: usize = 100_000;

/// The client ids of orders that were sent, or may have been.
#[derive(Debug, Default)]
pub(super) struct Sent {
    ids: BTreeSet<SmolStr>,
    oldest_first: VecDeque<SmolStr>,
}

impl Sent {
    /// Whether an order was sent, or may have been.
    pub(super) fn has(&self, id: &SmolStr) -> bool {
        self.ids.contains(id)
    }

    /// Notes an order before it is sent; whether it is new.
    pub(super) fn insert(&mut self, id: SmolStr) -> bool {
        if !self.ids.insert(id.clone()) {
            return false;
        }
        self.oldest_first.push_back(id);
        while self.oldest_first.len() > MAX_SENT {
            if let Some(oldest) = self.oldest_first.pop_front() {
                self.ids.remove(&oldest);
            }
        }
        true
    }

    /// An order has certainly not been taken: it may be sent again.
    pub(super) fn remove(&mut self, id: &SmolStr) {
        if self.ids.remove(id) {
            self.oldest_first.retain(|kept| kept != id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_remembered_and_the_oldest_is_forgotten_first() {
        let mut sent = Sent::default();
        let id = |number: usize| SmolStr::new(number.to_string());
        assert!(sent.insert(id(0)) && !sent.insert(id(0)) && sent.has(&id(0)));
        sent.remove(&id(0));
        assert!(!sent.has(&id(0)));
        assert!(sent.insert(id(0)));
        assert!((1..=MAX_SENT).all(|number| sent.insert(id(number))));
        assert!(!sent.insert(id(1)) && sent.insert(id(0)));
        assert_eq!(sent.ids.len(), sent.oldest_first.len());
    }
}
