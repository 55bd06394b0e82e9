//! Order ids: which one an idempotency key has.
//!
//! TWS takes an order under a number of the client's. The same number again is no second order: it changes the first, or is
//! refused once that has ended. So a key must have one number for ever, whatever happens between. It is written to durable
//! memory before the order leaves.
//!
//! Keys lie in sixteen entries, by the first digit of their client id, each with the newest [`MAX_KEYS`] and when they got
//! their number; one more entry has the next free number. An order that is older than the oldest key of a full entry may be one
//! whose key was dropped: it is [`Memory::Forgotten`], and not taken for a new one.

use mts_foundation::Timestamp;
use mts_foundation::io::{SharedState, StateError};

/// Most keys of an entry: one has at most 64 KiB.
const MAX_KEYS: usize = 1_150;

/// The first number that the library keeps for requests.
const TOO_LARGE: i32 = 1_500_000_000;

/// What is remembered of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// It has no number: nothing was sent under it.
    New,
    /// It has a number: its order may be there.
    Has,
    /// It is so old that its number may have been dropped.
    Forgotten,
}

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

    /// Whether a client id (32 hexadecimal digits, perhaps with dashes) has a number already, of an order that was made then.
    ///
    /// # Errors
    /// [`OrderIdError`]; nothing may be sent then.
    pub(super) fn recall(&self, client_id: &str, created: Timestamp) -> Result<Memory, OrderIdError> {
        self.read(client_id, |rows, key| {
            if rows.iter().any(|row| row.key == key) {
                return Memory::Has;
            }
            match rows.first() {
                // Orders are made before they get a number, and all that were dropped got theirs before this one.
                Some(oldest) if rows.len() >= MAX_KEYS && seconds(created) <= oldest.reserved => {
                    Memory::Forgotten
                }
                _ => Memory::New,
            }
        })
    }

    /// The number of a client id, which is made now if there is none. `floor` is the lowest that TWS takes.
    ///
    /// # Errors
    /// [`OrderIdError`]; nothing may be sent then.
    pub(super) fn reserve(
        &self,
        client_id: &str,
        floor: i32,
        now: Timestamp,
    ) -> Result<Reserved, OrderIdError> {
        let known =
            self.read(client_id, |rows, key| rows.iter().find(|row| row.key == key).map(|row| row.order_id));
        match known? {
            Some(order_id) => Ok(Reserved { order_id, is_new: false }),
            None => self.write(client_id, floor, None, now),
        }
    }

    /// Another number for a client id in the place of one that TWS refuses as used, though not by its order.
    ///
    /// # Errors
    /// [`OrderIdError`]; nothing may be sent then.
    pub(super) fn renew(
        &self,
        client_id: &str,
        floor: i32,
        used: i32,
        now: Timestamp,
    ) -> Result<Reserved, OrderIdError> {
        self.write(client_id, floor, Some(used), now)
    }

    fn place(&self, client_id: &str) -> (String, String) {
        let key: String = client_id.chars().filter(char::is_ascii_hexdigit).collect();
        (format!("{}-{}", self.name, key.get(..1).unwrap_or("0")), key)
    }

    fn write(
        &self,
        client_id: &str,
        floor: i32,
        used: Option<i32>,
        now: Timestamp,
    ) -> Result<Reserved, OrderIdError> {
        let (shard, key) = self.place(client_id);
        let fresh = self.next(floor)?;
        let mut found = Reserved { order_id: fresh, is_new: true };
        let mut damaged = false;
        self.state.update(&shard, &mut |old| {
            let Some(mut rows) = rows(old) else {
                damaged = true;
                return None;
            };
            match rows.iter().find(|row| row.key == key && Some(row.order_id) != used) {
                // Somebody was faster; the fresh number is never used.
                Some(row) => {
                    found = Reserved { order_id: row.order_id, is_new: false };
                    None
                }
                None => {
                    // Also where the clock was put back the first row is the oldest.
                    let reserved = rows.last().map_or(0, |row| row.reserved).max(seconds(now));
                    rows.retain(|row| row.key != key);
                    rows.push(Row { key: &key, order_id: fresh, reserved });
                    let dropped = rows.len().saturating_sub(MAX_KEYS);
                    Some(rows.iter().skip(dropped).map(Row::line).collect::<String>().into_bytes())
                }
            }
        })?;
        if damaged { Err(OrderIdError::Damaged { entry: shard }) } else { Ok(found) }
    }

    fn read<T>(&self, client_id: &str, find: impl FnOnce(&[Row<'_>], &str) -> T) -> Result<T, OrderIdError> {
        let (shard, key) = self.place(client_id);
        let bytes = self.state.update(&shard, &mut |_| None)?;
        let rows = rows(bytes.as_deref()).ok_or(OrderIdError::Damaged { entry: shard })?;
        Ok(find(&rows, &key))
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

/// A key with its number, and when it got it: a second since 1970, 0 where an earlier version has not written it.
struct Row<'a> {
    key: &'a str,
    order_id: i32,
    reserved: i64,
}

impl Row<'_> {
    fn line(&self) -> String {
        format!("{} {} {}\n", self.key, self.order_id, self.reserved)
    }
}

fn seconds(time: Timestamp) -> i64 {
    time.nanos() / 1_000_000_000
}

/// The rows of an entry, oldest first; `None` = it is damaged.
fn rows(bytes: Option<&[u8]>) -> Option<Vec<Row<'_>>> {
    let row = |line| {
        let mut words = str::split(line, ' ');
        let (key, order_id) = (words.next()?, words.next()?.parse().ok()?);
        let reserved = words.next().map_or(Some(0), |word| word.parse().ok())?;
        Some(Row { key, order_id, reserved })
    };
    std::str::from_utf8(bytes.unwrap_or_default()).ok()?.lines().map(row).collect()
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

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn id(number: u32) -> String {
        format!("{number:08x}-94c0-5870-b57d-57ed5950b28b")
    }

    #[test]
    fn a_key_keeps_its_number_and_numbers_only_grow() {
        let state = InMemory::default();
        let order_ids = |client| OrderIds::new(&state, "DU1", client);
        let take = |client, key, floor| order_ids(client).reserve(&id(key), floor, at(0)).unwrap();
        assert_eq!(take(1, 1, 5), Reserved { order_id: 5, is_new: true });
        assert_eq!(take(1, 2, 5), Reserved { order_id: 6, is_new: true });
        assert_eq!(take(1, 1, 90), Reserved { order_id: 5, is_new: false });
        assert_eq!(take(1, 3, 90).order_id, 90);
        // Somebody reset the ids in TWS.
        assert_eq!(take(1, 4, 1).order_id, 91);
        assert_eq!(take(2, 1, 1), Reserved { order_id: 1, is_new: true });
        assert!(matches!(order_ids(1).reserve(&id(9), TOO_LARGE, at(0)), Err(OrderIdError::UsedUp)));
    }

    #[test]
    fn a_number_that_is_refused_is_replaced_once() {
        let state = InMemory::default();
        let order_ids = OrderIds::new(&state, "DU1", 1);
        assert_eq!(order_ids.recall(&id(1), at(0)).unwrap(), Memory::New);
        let first = order_ids.reserve(&id(1), 5, at(0)).unwrap().order_id;
        order_ids.reserve(&id(2), 5, at(0)).unwrap();
        let renewed = || order_ids.renew(&id(1), 9, first, at(0)).unwrap();
        assert_eq!(renewed(), Reserved { order_id: 9, is_new: true });
        assert_eq!(renewed(), Reserved { order_id: 9, is_new: false });
        let number = |key| order_ids.reserve(&id(key), 1, at(0)).unwrap().order_id;
        assert_eq!((number(1), number(2)), (9, 6));
        assert_eq!(order_ids.recall(&id(1), at(0)).unwrap(), Memory::Has);
    }

    #[test]
    fn what_cannot_be_read_is_no_fresh_start() {
        for entry in ["du1-1-0", "du1-1-next"] {
            let state = InMemory::default();
            let order_ids = OrderIds::new(&state, "DU1", 1);
            order_ids.reserve(&id(1), 1, at(0)).unwrap();
            state.0.lock().unwrap().insert(entry.to_owned(), b"\xff 1".to_vec());
            assert!(
                matches!(order_ids.reserve(&id(2), 1, at(0)), Err(OrderIdError::Damaged { .. })),
                "{entry}"
            );
        }
    }

    #[test]
    fn the_oldest_keys_of_a_full_entry_go_and_are_not_taken_for_new_ones() {
        let state = InMemory::default();
        let order_ids = OrderIds::new(&state, "DU12345678", 1);
        let begin = 1_800_000_000;
        let take = |number| {
            let now = at(begin + i64::from(number));
            assert!(order_ids.reserve(&id(number), 1_400_000_000, now).unwrap().is_new);
        };
        let recall = |number, created| order_ids.recall(&id(number), at(begin + created)).unwrap();
        let full = u32::try_from(MAX_KEYS).unwrap();
        (0..full - 1).for_each(take);
        // It has dropped none: what it does not have is new, however old.
        assert_eq!((recall(0, 0), recall(full, -9_999)), (Memory::Has, Memory::New));
        (full - 1..=full).for_each(take);
        assert_eq!((recall(0, 0), recall(1, 1)), (Memory::Forgotten, Memory::Has));
        // Made later than the last that was dropped got its number.
        assert_eq!((recall(full + 1, 1), recall(full + 1, 2)), (Memory::Forgotten, Memory::New));
        // Also after the clock was put back.
        order_ids.reserve(&id(full + 1), 1, at(0)).unwrap();
        assert_eq!((recall(1, 1), recall(2, 2)), (Memory::Forgotten, Memory::Has));
    }

    #[test]
    fn keys_without_a_time_are_read() {
        let state = InMemory::default();
        let key: String = id(1).chars().filter(char::is_ascii_hexdigit).collect();
        state.0.lock().unwrap().insert("du1-1-0".to_owned(), format!("{key} 7\n").into_bytes());
        let order_ids = OrderIds::new(&state, "DU1", 1);
        assert_eq!(order_ids.reserve(&id(1), 1, at(9)).unwrap(), Reserved { order_id: 7, is_new: false });
        assert!(order_ids.reserve(&id(2), 1, at(9)).unwrap().is_new);
        assert_eq!(order_ids.recall(&id(1), at(0)).unwrap(), Memory::Has);
    }
}
