//! Which fills were booked, so that one that is told again has its effect once (decision F1).

use super::state::{Amount, FillKey};
use mts_foundation::Fill;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::VecDeque;
use twox_hash::XxHash3_128;

/// Most fills that are remembered. Venues tell of old fills again after a reconnection, some of them days later and after
/// their orders are forgotten, so the memory is a number and not a time.
const MAX_FILLS: usize = 1_000_000;

/// Heads of chains at the beginning; quadrupled whenever there are fewer than twice as many as fills, so that a new fill
/// nearly always meets an empty chain and waits for memory once.
const FIRST_HEADS: usize = 256;

/// A fill by a hash (XXH3, 128 bits) of broker, account and id: sixteen bytes instead of three texts. Of a million fills two
/// have the same with a probability of 1e-27.
pub(crate) type FillName = [u8; 16];

/// The name of a fill.
pub(crate) fn name_of((broker, account, fill_id): &FillKey) -> FillName {
    name_of_parts(&[broker.as_str(), account.as_str(), fill_id.as_str()])
}

/// The name of what these parts name together.
pub(crate) fn name_of_parts(parts: &[&str]) -> FillName {
    // What is before a part is the seed of its hash, so that parts cannot run into each other.
    parts.iter().fold(FillName::default(), |before, part| {
        let seed = before.first_chunk().copied().map_or(0, u64::from_le_bytes);
        XxHash3_128::oneshot_with_seed(seed, part.as_bytes()).to_le_bytes()
    })
}

/// A fill, and the number of the fill before it in its chain.
#[derive(Debug, Clone)]
struct Entry {
    name: FillName,
    amount: Amount,
    before: u32,
}

/// The last fills that were booked, in the order in which that happened, with chains through those whose names begin alike.
/// 52 bytes a fill and 8 to 32 for the heads, and the same few steps however many there are.
#[derive(Debug, Clone)]
pub(crate) struct FillMemory {
    entries: VecDeque<Entry>,
    /// Number of the oldest entry. Numbers begin with 1 and go round; those of forgotten fills end a chain, and one that is
    /// taken for another's leads to a fill of another name, which changes nothing.
    first: u32,
    heads: Vec<u32>,
}

impl Default for FillMemory {
    fn default() -> Self {
        Self { entries: VecDeque::new(), first: 1, heads: vec![0; FIRST_HEADS] }
    }
}

impl FillMemory {
    /// How many fills are remembered.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What was booked under this name.
    pub(crate) fn get(&self, name: &FillName) -> Option<&Amount> {
        let mut number = self.heads.get(self.slot(name)).copied()?;
        while let Some(entry) = self.numbered(number) {
            if entry.name == *name {
                return Some(&entry.amount);
            }
            number = entry.before;
        }
        None
    }

    /// Remembers a fill and forgets the oldest beyond the bound.
    pub(crate) fn insert(&mut self, name: FillName, fill: &Fill) {
        self.insert_amount(name, Amount { quantity: fill.quantity, price: fill.price });
    }

    /// As [`FillMemory::insert`], of what is no fill.
    pub(crate) fn insert_amount(&mut self, name: FillName, amount: Amount) {
        if self.entries.len() >= MAX_FILLS {
            self.entries.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        self.push(name, amount);
    }

    fn push(&mut self, name: FillName, amount: Amount) {
        if self.entries.len() * 2 >= self.heads.len() {
            self.heads = vec![0; self.heads.len().saturating_mul(4)];
            let entries: Vec<Entry> = self.entries.drain(..).collect();
            entries.into_iter().for_each(|entry| self.link(entry.name, entry.amount));
        }
        self.link(name, amount);
    }

    fn link(&mut self, name: FillName, amount: Amount) {
        let number = self.first.wrapping_add(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        let slot = self.slot(&name);
        let Some(head) = self.heads.get_mut(slot) else { return };
        let before = std::mem::replace(head, number);
        self.entries.push_back(Entry { name, amount, before });
    }

    /// The chain of a name; the number of chains is a power of two.
    fn slot(&self, name: &FillName) -> usize {
        let start = name.first_chunk().copied().map_or(0, u64::from_le_bytes);
        let mask = u64::try_from(self.heads.len()).unwrap_or(1).saturating_sub(1);
        usize::try_from(start & mask).unwrap_or(0)
    }

    /// The entry with this number; `None` for one that is forgotten, where chains end.
    fn numbered(&self, number: u32) -> Option<&Entry> {
        let place = number.wrapping_sub(self.first);
        self.entries.get(usize::try_from(place).ok()?)
    }
}

impl Serialize for FillMemory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries.iter().map(|entry| (entry.name, &entry.amount)))
    }
}

impl<'de> Deserialize<'de> for FillMemory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut memory = Self::default();
        let entries = Vec::<(FillName, Amount)>::deserialize(deserializer)?;
        entries.into_iter().for_each(|(name, amount)| memory.push(name, amount));
        Ok(memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::{Decimal, Side, Timestamp};

    fn key(account: &str, number: usize) -> FillKey {
        ("b".parse().unwrap(), account.parse().unwrap(), format!("x{number}").parse().unwrap())
    }

    fn fill(number: usize) -> Fill {
        let units = Decimal::from(number + 1);
        Fill::new("x", "o", "AAPL", Side::Buy, units, Decimal::ONE, Timestamp::EPOCH).unwrap()
    }

    #[test]
    fn fills_are_found_by_their_whole_key_and_after_a_snapshot() {
        let mut memory = FillMemory::default();
        for number in 0..1_000 {
            memory.insert(name_of(&key("a", number)), &fill(number));
        }
        let bytes = postcard::to_stdvec(&memory).unwrap();
        let again: FillMemory = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(postcard::to_stdvec(&again).unwrap(), bytes);
        for memory in [&memory, &again] {
            for number in 0..1_000 {
                assert_eq!(
                    memory.get(&name_of(&key("a", number))).unwrap().quantity,
                    Decimal::from(number + 1)
                );
                assert_eq!(memory.get(&name_of(&key("other", number))), None);
            }
            assert_eq!((memory.get(&name_of(&key("a", 1_000))), memory.len()), (None, 1_000));
        }
    }

    #[test]
    fn the_oldest_is_forgotten_beyond_the_bound() {
        let mut memory = FillMemory::default();
        for number in 0..MAX_FILLS + 10 {
            memory.insert(name_of(&key("a", number)), &fill(0));
        }
        assert_eq!(memory.len(), MAX_FILLS);
        assert_eq!(
            (memory.get(&name_of(&key("a", 9))), memory.get(&name_of(&key("a", 10))).is_some()),
            (None, true)
        );
        assert!(memory.get(&name_of(&key("a", MAX_FILLS + 9))).is_some());
    }
}
