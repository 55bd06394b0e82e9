//! Which record of one side is which of the other: passes from the surest key to the weakest, each over what is left.

use super::{StatementMovement, StatementTrade};
use chrono::NaiveDate;
use mts_foundation::Decimal;
use std::collections::{BTreeMap, VecDeque};

/// Days by which the two sides may date the same thing differently: trade and settlement, time zones, a weekend between.
pub const SHIFT_DAYS: i64 = 5;

/// What belongs together; more than one on a side where the other adds fills up.
#[derive(Debug)]
pub(super) struct Group<'a, T> {
    pub(super) ours: Vec<&'a T>,
    pub(super) theirs: Vec<&'a T>,
}

/// Records of both sides.
#[derive(Debug)]
pub(super) struct Matched<'a, T> {
    pub(super) groups: Vec<Group<'a, T>>,
    pub(super) only_ours: Vec<&'a T>,
    pub(super) only_theirs: Vec<&'a T>,
}

/// A record with a day.
pub(super) trait Dated {
    fn day(&self) -> NaiveDate;
}

impl Dated for StatementTrade {
    fn day(&self) -> NaiveDate {
        self.date
    }
}

impl Dated for StatementMovement {
    fn day(&self) -> NaiveDate {
        self.date
    }
}

/// Trades: by id; alike in all but fees; alike but for the day; but for the price; fills of one day against their sum; one against
/// one of the same day.
pub(super) fn trades<'a>(
    ours: &'a [StatementTrade],
    theirs: &'a [StatementTrade],
) -> Matched<'a, StatementTrade> {
    let buys = |one: &StatementTrade| one.side.sign() > 0;
    let mut open = Matched::new(ours, theirs);
    open.by_key(|one| one.id.as_deref().map(|id| (&one.symbol, id)));
    open.by_key(|one| Some((&one.symbol, buys(one), one.quantity, one.price, one.date)));
    open.near(|one| (&one.symbol, buys(one), one.quantity, one.price));
    open.by_key(|one| Some((&one.symbol, buys(one), one.quantity, one.date)));
    let units = |side: &[&StatementTrade]| sum(side.iter().map(|one| one.quantity));
    let day = |one: &'a StatementTrade| Some((&one.symbol, buys(one), one.date));
    open.grouped(day, |ours, theirs| units(ours) == units(theirs));
    open.grouped(day, |ours, theirs| ours.len() == 1 && theirs.len() == 1);
    open
}

/// Movements: by id; alike; alike but for the day, and then for the kind; a dividend and its tax against what was paid; one
/// against one of the same kind and day.
pub(super) fn movements<'a>(
    ours: &'a [StatementMovement],
    theirs: &'a [StatementMovement],
) -> Matched<'a, StatementMovement> {
    let mut open = Matched::new(ours, theirs);
    open.by_key(|one| one.id.as_deref().map(|id| (one.currency, id)));
    open.by_key(|one| Some((one.kind, one.currency, &one.symbol, one.amount, one.date)));
    open.near(|one| (one.kind, one.currency, one.amount));
    open.near(|one| (one.currency, one.amount));
    let amounts = |side: &[&StatementMovement]| sum(side.iter().map(|one| one.amount));
    let of_share =
        |one: &'a StatementMovement| one.symbol.as_ref().map(|symbol| (one.currency, symbol, one.date));
    open.grouped(of_share, |ours, theirs| amounts(ours) == amounts(theirs));
    let day = |one: &'a StatementMovement| Some((one.kind, one.currency, &one.symbol, one.date));
    open.grouped(day, |ours, theirs| ours.len() == 1 && theirs.len() == 1);
    open
}

/// A sum that stays at the end of the range: what is there differs anyway.
pub(super) fn sum(values: impl Iterator<Item = Decimal>) -> Decimal {
    values.fold(Decimal::ZERO, Decimal::saturating_add)
}

impl<'a, T: Dated> Matched<'a, T> {
    fn new(ours: &'a [T], theirs: &'a [T]) -> Self {
        let in_order = |side: &'a [T]| {
            let mut side: Vec<&T> = side.iter().collect();
            side.sort_by_key(|one| one.day());
            side
        };
        Self { groups: Vec::new(), only_ours: in_order(ours), only_theirs: in_order(theirs) }
    }

    /// Pairs those of one key, in order of time.
    fn by_key<K: Ord>(&mut self, key: impl Fn(&'a T) -> Option<K>) {
        self.pair(key, |_, _| true);
    }

    /// Pairs those of one key that are at most [`SHIFT_DAYS`] apart, in order of time.
    fn near<K: Ord>(&mut self, key: impl Fn(&'a T) -> K) {
        let close = |ours: &T, theirs: &T| (ours.day() - theirs.day()).num_days().abs() <= SHIFT_DAYS;
        self.pair(|one| Some(key(one)), close);
    }

    fn pair<K: Ord>(&mut self, key: impl Fn(&'a T) -> Option<K>, fits: impl Fn(&T, &T) -> bool) {
        let mut waiting: BTreeMap<K, VecDeque<&'a T>> = BTreeMap::new();
        let mut only_ours = Vec::new();
        for one in std::mem::take(&mut self.only_ours) {
            match key(one) {
                Some(key) => waiting.entry(key).or_default().push_back(one),
                None => only_ours.push(one),
            }
        }
        for one in std::mem::take(&mut self.only_theirs) {
            let mut queue = key(one).and_then(|key| waiting.get_mut(&key));
            let mut found = None;
            while let Some(first) = queue.as_mut().and_then(|queue| queue.pop_front()) {
                if fits(first, one) {
                    found = Some(first);
                    break;
                }
                if first.day() > one.day() {
                    // Too late for this one, and perhaps not for the next.
                    if let Some(queue) = queue.as_mut() {
                        queue.push_front(first);
                    }
                    break;
                }
                only_ours.push(first);
            }
            match found {
                Some(first) => self.groups.push(Group { ours: vec![first], theirs: vec![one] }),
                None => self.only_theirs.push(one),
            }
        }
        only_ours.extend(waiting.into_values().flatten());
        only_ours.sort_by_key(|one| one.day());
        self.only_ours = only_ours;
    }

    /// Takes all of one key together where both sides fit.
    fn grouped<K: Ord>(
        &mut self,
        key: impl Fn(&'a T) -> Option<K>,
        fits: impl Fn(&[&'a T], &[&'a T]) -> bool,
    ) {
        let mut groups: BTreeMap<K, (Vec<&'a T>, Vec<&'a T>)> = BTreeMap::new();
        let (mut only_ours, mut only_theirs) = (Vec::new(), Vec::new());
        for one in std::mem::take(&mut self.only_ours) {
            match key(one) {
                Some(key) => groups.entry(key).or_default().0.push(one),
                None => only_ours.push(one),
            }
        }
        for one in std::mem::take(&mut self.only_theirs) {
            match key(one) {
                Some(key) => groups.entry(key).or_default().1.push(one),
                None => only_theirs.push(one),
            }
        }
        for (ours, theirs) in groups.into_values() {
            if !ours.is_empty() && !theirs.is_empty() && fits(&ours, &theirs) {
                self.groups.push(Group { ours, theirs });
            } else {
                only_ours.extend(ours);
                only_theirs.extend(theirs);
            }
        }
        only_ours.sort_by_key(|one| one.day());
        only_theirs.sort_by_key(|one| one.day());
        (self.only_ours, self.only_theirs) = (only_ours, only_theirs);
    }
}
