//! A map for what is looked up by name on the way of every order.

use foldhash::fast::FixedState;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;

/// Heads of chains at the beginning; doubled whenever there are more entries than heads.
const FIRST_HEADS: usize = 8;

/// No place.
const NONE: usize = usize::MAX;

/// A map that finds an entry in the same time however many there are, and shows its entries in the order of their keys.
///
/// A tree of names compares a dozen texts to find one, and each comparison waits for memory. This hashes the name once, with
/// a fixed seed, so that the same keys cost the same in every run; what it shows and how it is serialised depends on the keys
/// alone (decision H5) and is what a `BTreeMap` of the same entries shows. Showing all entries sorts them: that is for
/// reports and snapshots, not for the way of an order.
///
/// Entries stay where they were put, the next one takes the place that was left last, and hashes are kept: where as many
/// come as go there is neither an allocation nor a moment at which everything is moved.
#[derive(Clone)]
pub struct Table<K, V> {
    slots: Vec<Slot<K, V>>,
    /// Slots without an entry.
    free: Vec<usize>,
    /// The first slot of each chain; a power of two of them.
    heads: Vec<usize>,
}

#[derive(Clone)]
struct Slot<K, V> {
    hash: u64,
    /// The next slot of the chain.
    next: usize,
    entry: Option<(K, V)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), heads: Vec::new() }
    }
}

fn hash_of(key: &impl Hash) -> u64 {
    FixedState::default().hash_one(key)
}

impl<K: Eq + Hash + Ord, V> Table<K, V> {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The chain of a hash; one that is not there while there are no heads.
    fn chain(&self, hash: u64) -> usize {
        let mask = u64::try_from(self.heads.len()).unwrap_or(0).wrapping_sub(1);
        usize::try_from(hash & mask).unwrap_or(NONE)
    }

    /// The slot of a key.
    fn find(&self, hash: u64, key: &K) -> Option<usize> {
        let mut place = *self.heads.get(self.chain(hash))?;
        while let Some(slot) = self.slots.get(place) {
            if slot.hash == hash && slot.entry.as_ref().is_some_and(|(other, _)| other == key) {
                return Some(place);
            }
            place = slot.next;
        }
        None
    }

    fn slot(&self, key: &K) -> Option<&Slot<K, V>> {
        self.slots.get(self.find(hash_of(key), key)?)
    }

    fn value_at(&mut self, place: usize) -> Option<&mut V> {
        self.slots.get_mut(place)?.entry.as_mut().map(|(_, value)| value)
    }

    /// Puts the slot at the head of its chain.
    fn link(&mut self, place: usize) {
        let Some(hash) = self.slots.get(place).map(|slot| slot.hash) else { return };
        let chain = self.chain(hash);
        if let (Some(slot), Some(head)) = (self.slots.get_mut(place), self.heads.get_mut(chain)) {
            slot.next = std::mem::replace(head, place);
        }
    }

    /// Adds an entry of a key that is not there.
    fn add(&mut self, hash: u64, key: K, value: V) {
        if self.len() >= self.heads.len() {
            self.heads = vec![NONE; self.heads.len().saturating_mul(2).max(FIRST_HEADS)];
            let taken = self.slots.iter().enumerate().filter(|(_, slot)| slot.entry.is_some());
            let taken: Vec<usize> = taken.map(|(place, _)| place).collect();
            taken.into_iter().for_each(|place| self.link(place));
        }
        let slot = Slot { hash, next: NONE, entry: Some((key, value)) };
        let place = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(place) {
            Some(left) => *left = slot,
            None => self.slots.push(slot),
        }
        self.link(place);
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = self.find(hash_of(key), key)?;
        self.value_at(place)
    }

    /// The key as it is kept, and its value.
    #[must_use]
    pub fn get_key_value(&self, key: &K) -> Option<(&K, &V)> {
        self.slot(key)?.entry.as_ref().map(|(key, value)| (key, value))
    }

    /// Whether there is a value of this key.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.find(hash_of(key), key).is_some()
    }

    /// Puts a value in; the one that it replaces comes back.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = hash_of(&key);
        let found = self.find(hash, &key);
        match found.and_then(|place| self.value_at(place)) {
            Some(old) => Some(std::mem::replace(old, value)),
            None => {
                self.add(hash, key, value);
                None
            }
        }
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let hash = hash_of(key);
        let place = self.find(hash, key)?;
        let slot = self.slots.get_mut(place)?;
        let (next, (_, value)) = (slot.next, slot.entry.take()?);
        let chain = self.chain(hash);
        let head = self.heads.get_mut(chain)?;
        if *head == place {
            *head = next;
        } else {
            let mut before = *head;
            while let Some(slot) = self.slots.get_mut(before) {
                if slot.next == place {
                    slot.next = next;
                    break;
                }
                before = slot.next;
            }
        }
        self.free.push(place);
        Some(value)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entries in the order of their keys. They are sorted for it.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> + DoubleEndedIterator {
        let entries = self.slots.iter().filter_map(|slot| slot.entry.as_ref());
        let mut all: Vec<(&K, &V)> = entries.map(|(key, value)| (key, value)).collect();
        all.sort_unstable_by(|left, right| left.0.cmp(right.0));
        all.into_iter()
    }

    /// All entries in the order of their keys, to be changed; as [`Table::iter`].
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&K, &mut V)> + DoubleEndedIterator {
        let entries = self.slots.iter_mut().filter_map(|slot| slot.entry.as_mut());
        let mut all: Vec<(&K, &mut V)> = entries.map(|(key, value)| (&*key, value)).collect();
        all.sort_unstable_by(|left, right| left.0.cmp(right.0));
        all.into_iter()
    }

    /// All keys in order, as [`Table::iter`].
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> + DoubleEndedIterator {
        self.iter().map(|(key, _)| key)
    }

    /// All values in the order of their keys, as [`Table::iter`].
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> + DoubleEndedIterator {
        self.iter().map(|(_, value)| value)
    }
}

impl<K: Clone + Eq + Hash + Ord, V: Default> Table<K, V> {
    /// Changes the value of a key; the default one where there is none.
    pub fn change<T>(&mut self, key: &K, change: impl FnOnce(&mut V) -> T) -> T {
        let hash = hash_of(key);
        let found = self.find(hash, key);
        match found.and_then(|place| self.value_at(place)) {
            Some(value) => change(value),
            None => {
                let mut value = V::default();
                let answer = change(&mut value);
                self.add(hash, key.clone(), value);
                answer
            }
        }
    }
}

impl<K: std::fmt::Debug + Eq + Hash + Ord, V: std::fmt::Debug> std::fmt::Debug for Table<K, V> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Eq + Hash + Ord, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        let mut entries = self.slots.iter().filter_map(|slot| slot.entry.as_ref());
        self.len() == other.len() && entries.all(|(key, value)| other.get(key) == Some(value))
    }
}

impl<K: Eq + Hash + Ord, V> FromIterator<(K, V)> for Table<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut table = Self::default();
        entries.into_iter().for_each(|(key, value)| drop(table.insert(key, value)));
        table
    }
}

impl<K: Serialize + Eq + Hash + Ord, V: Serialize> Serialize for Table<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, K: Deserialize<'de> + Eq + Hash + Ord, V: Deserialize<'de>> Deserialize<'de> for Table<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TableVisitor(PhantomData))
    }
}

struct TableVisitor<K, V>(PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de> + Eq + Hash + Ord, V: Deserialize<'de>> Visitor<'de> for TableVisitor<K, V> {
    type Value = Table<K, V>;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table<K, V>, A::Error> {
        let mut table = Table::default();
        while let Some((key, value)) = map.next_entry()? {
            table.insert(key, value);
        }
        Ok(table)
    }
}

#[cfg(feature = "schema")]
impl<K: schemars::JsonSchema, V: schemars::JsonSchema> schemars::JsonSchema for Table<K, V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        <std::collections::BTreeMap<K, V>>::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        <std::collections::BTreeMap<K, V>>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Whatever is done to it, it shows and writes what a map in order does.
        #[test]
        fn it_is_a_map_in_the_order_of_its_keys(
            acts in proptest::collection::vec((0_u8..3, 0_u16..60, any::<u32>()), 0..200),
        ) {
            let (mut table, mut map) = (Table::new(), BTreeMap::new());
            for (act, number, value) in acts {
                // Texts of very different lengths, whose order is not that of the numbers.
                let key = format!("{}{number}", "k".repeat(usize::from(number % 30)));
                match act {
                    0 => prop_assert_eq!(table.insert(key.clone(), value), map.insert(key, value)),
                    1 => prop_assert_eq!(table.remove(&key), map.remove(&key)),
                    _ => {
                        table.change(&key, |found| *found ^= value);
                        *map.entry(key.clone()).or_default() ^= value;
                        prop_assert_eq!(table.get(&key), map.get(&key));
                    }
                }
                prop_assert_eq!((table.len(), table.is_empty()), (map.len(), map.is_empty()));
            }
            prop_assert!(table.iter().eq(map.iter()) && table.keys().eq(map.keys()));
            prop_assert!(table.iter_mut().eq(map.iter_mut()) && table.values().eq(map.values()));
            prop_assert!(table.clone() == table && table.len() + table.free.len() <= 60);
            let more = table.iter().map(|(key, value)| (key.clone(), *value)).chain([("x".to_owned(), 0)]);
            prop_assert!(more.collect::<Table<_, _>>() != table);
            let bytes = postcard::to_stdvec(&table).unwrap();
            prop_assert_eq!(&bytes, &postcard::to_stdvec(&map).unwrap());
            prop_assert_eq!(postcard::from_bytes::<Table<String, u32>>(&bytes).unwrap(), table);
        }
    }
}
