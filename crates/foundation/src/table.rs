//! A map for what is looked up by name on the way of every order.

use foldhash::fast::FixedState;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering};

/// Cells of the index at the beginning; doubled whenever more than half of them would be taken.
const FIRST_CELLS: usize = 16;

/// A map that finds an entry in the same time however many there are, and shows its entries in the order of their keys.
///
/// A tree of names compares a dozen texts to find one, and each comparison waits for memory. This hashes the name once, with
/// a fixed seed, so that the same keys cost the same in every run; what it shows and how it is serialised depends on the keys
/// alone (decision H5) and is what a `BTreeMap` of the same entries shows. Showing all entries sorts them: that is for
/// reports and snapshots, not for the way of an order.
///
/// Entries stay where they were put, and the next one takes the place that was left last: where as many come as go there is
/// neither an allocation nor a moment at which everything is moved. The index beside them holds a part of each hash, so that
/// a look at it finds out nearly always which entry it is, and that there is none. Who asks for a key mostly asks for it
/// again at once, so the entry that was found last is looked at first.
pub struct Table<K, V> {
    slots: Vec<Slot<K, V>>,
    /// Slots without an entry.
    free: Vec<u32>,
    /// Cells by hash, and in the cells after it while those are taken; a power of two of them.
    index: Vec<Cell>,
    /// The slot of the key that was asked for last: a guess that is checked, so that whatever it holds the answer is the same.
    last: AtomicU32,
}

#[derive(Clone)]
struct Slot<K, V> {
    tag: u32,
    entry: Option<(K, V)>,
}

/// The tag of an entry, and the number of its slot from 1 on; 0 = there is none.
#[derive(Clone, Copy, Default)]
struct Cell {
    tag: u32,
    slot: u32,
}

/// Where an entry was put. It is there until it is removed; after that something else may be, so whoever looks there brings
/// the key as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place(u32);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), index: Vec::new(), last: AtomicU32::new(0) }
    }
}

impl<K: Clone, V: Clone> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        let Self { slots, free, index, last: _ } = self;
        Self { slots: slots.clone(), free: free.clone(), index: index.clone(), last: AtomicU32::new(0) }
    }
}

/// The half of a key's hash that the index works with.
fn tag_of(key: &impl Hash) -> u32 {
    let hash = FixedState::default().hash_one(key);
    u32::try_from(hash >> 32).unwrap_or_default()
}

/// A place in memory by its number.
fn nth(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl<K: Eq + Hash + Ord, V> Table<K, V> {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The cell after another, or the one where a tag's search begins.
    fn wrapped(&self, cell: usize) -> usize {
        cell & self.index.len().wrapping_sub(1)
    }

    /// The slot of a key by the index. At least half of the cells are free, so that the search ends.
    fn find(&self, tag: u32, key: &K) -> Option<usize> {
        let mut at = self.wrapped(nth(tag));
        loop {
            let cell = self.index.get(at)?;
            let slot = nth(cell.slot.checked_sub(1)?);
            if cell.tag == tag && self.holds(slot, key) {
                return Some(slot);
            }
            at = self.wrapped(at + 1);
        }
    }

    fn holds(&self, slot: usize, key: &K) -> bool {
        let entry = self.slots.get(slot).and_then(|slot| slot.entry.as_ref());
        entry.is_some_and(|(other, _)| other == key)
    }

    /// The slot of a key.
    fn slot_of(&self, key: &K) -> Option<usize> {
        let last = nth(self.last.load(Ordering::Relaxed));
        if self.holds(last, key) {
            return Some(last);
        }
        let slot = self.find(tag_of(key), key)?;
        self.last.store(u32::try_from(slot).unwrap_or(0), Ordering::Relaxed);
        Some(slot)
    }

    /// The slot of a key that was put at a place.
    fn near(&self, Place(slot): Place, key: &K) -> Option<usize> {
        let slot = nth(slot);
        if self.holds(slot, key) { Some(slot) } else { self.slot_of(key) }
    }

    fn value_at(&mut self, slot: usize) -> Option<&mut V> {
        self.slots.get_mut(slot)?.entry.as_mut().map(|(_, value)| value)
    }

    /// Enters a slot into the index, which has a free cell.
    fn link(&mut self, cell: Cell) {
        let mut at = self.wrapped(nth(cell.tag));
        while let Some(taken) = self.index.get_mut(at) {
            if taken.slot == 0 {
                *taken = cell;
                return;
            }
            at = self.wrapped(at + 1);
        }
    }

    /// Takes a cell out of the index; those that stand behind it because it was taken move up.
    fn unlink(&mut self, mut gap: usize) {
        let mut at = self.wrapped(gap + 1);
        while let Some(cell) = self.index.get(at).copied().filter(|cell| cell.slot != 0) {
            let behind = |from: usize| self.wrapped(at.wrapping_sub(from));
            if behind(nth(cell.tag)) >= behind(gap) {
                if let Some(free) = self.index.get_mut(gap) {
                    *free = cell;
                }
                gap = at;
            }
            at = self.wrapped(at + 1);
        }
        if let Some(free) = self.index.get_mut(gap) {
            *free = Cell::default();
        }
    }

    /// Adds an entry of a key that is not there.
    fn add(&mut self, tag: u32, key: K, value: V) -> Place {
        if (self.len() + 1) * 2 > self.index.len() {
            let cells = self.index.len().saturating_mul(2).max(FIRST_CELLS);
            let before = std::mem::replace(&mut self.index, vec![Cell::default(); cells]);
            before.into_iter().filter(|cell| cell.slot != 0).for_each(|cell| self.link(cell));
        }
        let new = Slot { tag, entry: Some((key, value)) };
        let slot = self.free.pop().unwrap_or_else(|| u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        match self.slots.get_mut(nth(slot)) {
            Some(left) => *left = new,
            None => self.slots.push(new),
        }
        self.link(Cell { tag, slot: slot.saturating_add(1) });
        self.last.store(slot, Ordering::Relaxed);
        Place(slot)
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let slot = self.slot_of(key)?;
        self.value_at(slot)
    }

    /// The key as it is kept, and its value.
    #[must_use]
    pub fn get_key_value(&self, key: &K) -> Option<(&K, &V)> {
        let slot = self.slot_of(key)?;
        self.slots.get(slot)?.entry.as_ref().map(|(key, value)| (key, value))
    }

    /// The value of a key that was put at a place: no search where it is still there.
    #[must_use]
    pub fn get_near(&self, place: Place, key: &K) -> Option<&V> {
        let slot = self.near(place, key)?;
        self.slots.get(slot)?.entry.as_ref().map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn get_mut_near(&mut self, place: Place, key: &K) -> Option<&mut V> {
        let slot = self.near(place, key)?;
        self.value_at(slot)
    }

    /// Whether there is a value of this key.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.slot_of(key).is_some()
    }

    /// Where a key is.
    #[must_use]
    pub fn place_of(&self, key: &K) -> Option<Place> {
        u32::try_from(self.slot_of(key)?).ok().map(Place)
    }

    /// Puts a value in; the one that it replaces comes back.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.put(key, value).1
    }

    /// Puts a value in; where it is now, and the one that it replaces.
    pub fn put(&mut self, key: K, value: V) -> (Place, Option<V>) {
        let tag = tag_of(&key);
        let found = self.find(tag, &key);
        match found.and_then(|slot| Some((slot, self.value_at(slot)?))) {
            Some((slot, old)) => {
                (Place(u32::try_from(slot).unwrap_or(u32::MAX)), Some(std::mem::replace(old, value)))
            }
            None => (self.add(tag, key, value), None),
        }
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let slot = self.slot_of(key)?;
        self.unindex(slot)?;
        self.take(slot)
    }

    /// Takes out the value of a key that was put at a place.
    pub fn remove_near(&mut self, place: Place, key: &K) -> Option<V> {
        let slot = self.near(place, key)?;
        self.unindex(slot)?;
        self.take(slot)
    }

    /// Takes the cell of a slot out of the index. Its tag is kept with it: the key need not be hashed again.
    fn unindex(&mut self, slot: usize) -> Option<()> {
        let tag = self.slots.get(slot)?.tag;
        let mut at = self.wrapped(nth(tag));
        while nth(self.index.get(at)?.slot.checked_sub(1)?) != slot {
            at = self.wrapped(at + 1);
        }
        self.unlink(at);
        Some(())
    }

    fn take(&mut self, slot: usize) -> Option<V> {
        let (_, value) = self.slots.get_mut(slot)?.entry.take()?;
        self.free.push(u32::try_from(slot).unwrap_or(u32::MAX));
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
        let found = self.slot_of(key);
        match found.and_then(|slot| self.value_at(slot)) {
            Some(value) => change(value),
            None => {
                let mut value = V::default();
                let answer = change(&mut value);
                self.add(tag_of(key), key.clone(), value);
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
            acts in proptest::collection::vec((0_u8..5, 0_u16..60, any::<u32>()), 0..200),
        ) {
            let (mut table, mut map) = (Table::new(), BTreeMap::new());
            for (act, number, value) in acts {
                // Texts of very different lengths, whose order is not that of the numbers.
                let key = format!("{}{number}", "k".repeat(usize::from(number % 30)));
                match act {
                    0 => prop_assert_eq!(table.insert(key.clone(), value), map.insert(key, value)),
                    1 => prop_assert_eq!(table.remove(&key), map.remove(&key)),
                    2 => {
                        let (place, old) = table.put(key.clone(), value);
                        prop_assert_eq!((Some(place), old), (table.place_of(&key), map.insert(key.clone(), value)));
                        prop_assert_eq!(table.get_near(place, &key), Some(&value));
                        prop_assert_eq!(table.get_mut_near(Place(value % 64), &key).copied(), Some(value));
                    }
                    // The place may be another's, or nobody's.
                    3 => prop_assert_eq!(table.remove_near(Place(value % 64), &key), map.remove(&key)),
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
