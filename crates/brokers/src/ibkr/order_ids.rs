//! Order ids: which one an idempotency key has.
//!
//! TWS takes an order under a number of the client's. The same number again is no second order: it changes the first, or is
//! refused once that has ended. So a key must have one number for ever, whatever happens between. It is written to durable
//! memory before the order leaves.
//!
//! Keys lie in sixteen entries, by the first digit of their client id, each with the newest [`MAX_KEYS`]; one more entry has
//! the next free number.

use mts_foundation::io::{SharedState, StateError};

/// Most keys of an entry: one has at most 64 KiB.
const MAX_KEYS: usize = 1_200;

/// The first number that the library keeps for requests.
const TOO_LARGE: i32 = 1_500_000_000;

/// The number of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reserved {
    pub(super) order_id: i32,
    /// Whether the key had none before, so that no order can have left under it.
    pub(super) is_new: bool,
}

/// Why there is no number.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderIdError {
    #[error("the order id cannot be kept: {0}")]
    State(#[from] StateError),
    #[error(
        "{entry} is damaged; see what changed it, and restore it: without it an order could be sent twice"
    )]
    Damaged { entry: String },
    #[error("order ids have reached {TOO_LARGE}; reset the order ids in TWS and use another client_id")]
    UsedUp,
}

/// The numbers of one client of one account.
pub(super) struct OrderIds<'a> {
    state: &'a dyn SharedState,
    name: String,
}

impl<'a> OrderIds<'a> {
    pub(super) fn new(state: &'a dyn SharedState, account: &str, client_id: i32) -> Self {
        Self { state, name: format!("{}-{client_id}", account.to_ascii_lowercase()) }
    }

    /// The number that a client id (32 hexadecimal digits, perhaps with dashes) has already.
    ///
    /// # Errors
    /// [`OrderIdError`]; nothing may be sent then.
    pub(super) fn known(&self, client_id: &str) -> Result<Option<i32>, OrderIdError> {
        let (shard, key) = self.place(client_id);
        self.read(&shard, &key)
    }

    /// The number of a client id, which is made now if there is none. `floor` is the lowest that TWS takes.
    ///
    /// # Errors
    /// [`OrderIdError`]; nothing may be sent then.
    pub(super) fn reserve(&self, client_id: &str, floor: i32) -> Result<Reserved, OrderIdError> {
        match self.known(client_id)? {
            Some(order_id) => Ok(Reserved { order_id, is_new: false }),
            None => self.write(client_id, floor, None),
        }
    }

    /// Another number for a client id in the place of one that TWS refuses as used, though not by its order.
    ///
    /// # Errors
    /// [`OrderIdError`]; nothing may be sent then.
    pub(super) fn renew(&self, client_id: &str, floor: i32, used: i32) -> Result<Reserved, OrderIdError> {
        self.write(client_id, floor, Some(used))
    }

    fn place(&self, client_id: &str) -> (String, String) {
        let key: String = client_id.chars().filter(char::is_ascii_hexdigit).collect();
        (format!("{}-{}", self.name, key.get(..1).unwrap_or("0")), key)
    }

    fn write(&self, client_id: &str, floor: i32, used: Option<i32>) -> Result<Reserved, OrderIdError> {
        let (shard, key) = self.place(client_id);
        let fresh = self.next(floor)?;
        let mut found = Reserved { order_id: fresh, is_new: true };
        let mut damaged = false;
        self.state.update(&shard, &mut |old| {
            let Some(mut rows) = rows(old) else {
                damaged = true;
                return None;
            };
            match rows.iter().find(|(known, order_id)| *known == key && Some(*order_id) != used) {
                // Somebody was faster; the fresh number is never used.
                Some((_, order_id)) => {
                    found = Reserved { order_id: *order_id, is_new: false };
                    None
                }
                None => {
                    rows.retain(|(known, _)| *known != key);
                    rows.push((key.as_str(), fresh));
                    let newest = rows.len().saturating_sub(MAX_KEYS);
                    let lines = rows.iter().skip(newest).map(|(key, order_id)| format!("{key} {order_id}\n"));
                    Some(lines.collect::<String>().into_bytes())
                }
            }
        })?;
        if damaged { Err(OrderIdError::Damaged { entry: shard }) } else { Ok(found) }
    }

    fn read(&self, shard: &str, key: &str) -> Result<Option<i32>, OrderIdError> {
        let bytes = self.state.update(shard, &mut |_| None)?;
        let rows = rows(bytes.as_deref()).ok_or_else(|| OrderIdError::Damaged { entry: shard.to_owned() })?;
        Ok(rows.iter().find(|(known, _)| *known == key).map(|(_, order_id)| *order_id))
    }

    fn next(&self, floor: i32) -> Result<i32, OrderIdError> {
        let entry = format!("{}-next", self.name);
        let (mut taken, mut damaged) = (floor.max(1), false);
        self.state.update(&entry, &mut |old| {
            let kept = match old.map(std::str::from_utf8) {
                None => 1,
                Some(text) => match text.ok().and_then(|text| text.trim().parse::<i32>().ok()) {
                    Some(kept) => kept,
                    None => {
                        damaged = true;
                        return None;
                    }
                },
            };
            taken = kept.max(floor).max(1);
            Some(taken.saturating_add(1).to_string().into_bytes())
        })?;
        match taken {
            _ if damaged => Err(OrderIdError::Damaged { entry }),
            TOO_LARGE.. => Err(OrderIdError::UsedUp),
            taken => Ok(taken),
        }
    }
}

/// The keys of an entry with their numbers; `None` = it is damaged.
fn rows(bytes: Option<&[u8]>) -> Option<Vec<(&str, i32)>> {
    let text = std::str::from_utf8(bytes.unwrap_or_default()).ok()?;
    text.lines()
        .map(|line| line.split_once(' ').and_then(|(key, id)| Some((key, id.parse().ok()?))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::io::StateChange;
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    #[derive(Default)]
    struct InMemory(Mutex<BTreeMap<String, Vec<u8>>>);

    impl SharedState for InMemory {
        fn update(&self, entry: &str, change: &mut StateChange<'_>) -> Result<Option<Vec<u8>>, StateError> {
            let mut all = self.0.lock().unwrap();
            if let Some(new) = change(all.get(entry).map(Vec::as_slice)) {
                assert!(new.len() <= 64 << 10, "an entry has at most 64 KiB");
                all.insert(entry.to_owned(), new);
            }
            Ok(all.get(entry).cloned())
        }
    }

    fn id(number: u32) -> String {
        format!("{number:08x}-94c0-5870-b57d-57ed5950b28b")
    }

    #[test]
    fn a_key_keeps_its_number_and_numbers_only_grow() {
        let state = InMemory::default();
        let order_ids = |client| OrderIds::new(&state, "DU1", client);
        let take = |client, key, floor| order_ids(client).reserve(&id(key), floor).unwrap();
        assert_eq!(take(1, 1, 5), Reserved { order_id: 5, is_new: true });
        assert_eq!(take(1, 2, 5), Reserved { order_id: 6, is_new: true });
        assert_eq!(take(1, 1, 90), Reserved { order_id: 5, is_new: false });
        assert_eq!(take(1, 3, 90).order_id, 90);
        // Somebody reset the ids in TWS.
        assert_eq!(take(1, 4, 1).order_id, 91);
        assert_eq!(take(2, 1, 1), Reserved { order_id: 1, is_new: true });
        assert!(matches!(order_ids(1).reserve(&id(9), TOO_LARGE), Err(OrderIdError::UsedUp)));
    }

    #[test]
    fn a_number_that_is_refused_is_replaced_once() {
        let state = InMemory::default();
        let order_ids = OrderIds::new(&state, "DU1", 1);
        assert_eq!(order_ids.known(&id(1)).unwrap(), None);
        let first = order_ids.reserve(&id(1), 5).unwrap().order_id;
        order_ids.reserve(&id(2), 5).unwrap();
        assert_eq!(order_ids.renew(&id(1), 9, first).unwrap(), Reserved { order_id: 9, is_new: true });
        assert_eq!(order_ids.renew(&id(1), 9, first).unwrap(), Reserved { order_id: 9, is_new: false });
        assert_eq!((order_ids.known(&id(1)).unwrap(), order_ids.known(&id(2)).unwrap()), (Some(9), Some(6)));
    }

    #[test]
    fn what_cannot_be_read_is_no_fresh_start() {
        for entry in ["du1-1-0", "du1-1-next"] {
            let state = InMemory::default();
            let order_ids = OrderIds::new(&state, "DU1", 1);
            order_ids.reserve(&id(1), 1).unwrap();
            state.0.lock().unwrap().insert(entry.to_owned(), b"\xff 1".to_vec());
            assert!(matches!(order_ids.reserve(&id(2), 1), Err(OrderIdError::Damaged { .. })), "{entry}");
        }
    }

    #[test]
    fn the_oldest_keys_of_a_full_entry_go() {
        let state = InMemory::default();
        let order_ids = OrderIds::new(&state, "DU12345678", 1);
        for number in 0..u32::try_from(MAX_KEYS).unwrap() + 1 {
            assert!(order_ids.reserve(&id(number), 1_400_000_000).unwrap().is_new);
        }
        assert!(!order_ids.reserve(&id(1), 1).unwrap().is_new);
        assert!(order_ids.reserve(&id(0), 1).unwrap().is_new);
    }
}
