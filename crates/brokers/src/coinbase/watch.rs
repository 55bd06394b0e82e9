//! What the stream and this process have said of orders, and the history has not shown yet.
//!
//! A look at the history changes nothing here until all of its events are there ([`Watch::note`]): one that fails is
//! repeated whole.

use mts_foundation::{BrokerOrderId, Decimal, Timestamp};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most orders that are watched; without one a fill is told by the next look at the history.
const MAX_WATCHED: usize = 20_000;

/// Most rows of the history that are no plain fills and were told.
const MAX_STRANGE: usize = 10_000;

/// Pause after the first question about an order that was in vain, doubled with each one, and its bound.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// After this time what the history has not shown is told as a gap; from then on it is asked for rarely.
const LAGS_AT_MOST: Duration = Duration::from_secs(300);
const RARELY: Duration = Duration::from_secs(600);

/// One order.
#[derive(Debug, Default)]
struct Watched {
    /// Units filled, by the stream.
    told: Decimal,
    /// Units filled, by the history.
    shown: Decimal,
    /// It may still fill.
    open: bool,
    /// Its end may have been missed.
    doubtful: bool,
    /// While more is told than shown.
    lag: Option<Lag>,
}

/// How long the history has been behind.
#[derive(Debug, Clone, Copy)]
struct Lag {
    since: Timestamp,
    /// The last question that was in vain; none since the stream told more.
    asked: Option<Timestamp>,
    /// Questions in vain.
    looks: u32,
    /// It was told as a gap.
    is_gap: bool,
}

impl Lag {
    /// Whether the history is to be asked.
    fn is_due(&self, now: Timestamp) -> bool {
        let pause = match self.is_gap {
            true => RARELY,
            false => PAUSE.saturating_mul(1 << self.looks.clamp(1, 10).saturating_sub(1)).min(LONGEST_PAUSE),
        };
        // A clock that was set back delays nothing.
        self.asked.is_none_or(|asked| now < asked || now.since(asked) >= pause)
    }
}

/// An order whose fills the history has not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lagging {
    pub(super) id: BrokerOrderId,
    /// Units filled, by the stream.
    pub(super) told: Decimal,
    /// Since when.
    pub(super) since: Timestamp,
    /// Nobody has asked in vain yet.
    pub(super) is_new: bool,
    /// It has lasted so long that what is missing is to be told as a gap.
    pub(super) is_overdue: bool,
}

/// What one look at the history has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Orders of which the history shows so many units as filled.
    pub(super) shown: Vec<(BrokerOrderId, Decimal)>,
    /// Orders that were asked for in vain.
    pub(super) behind: Vec<Lagging>,
    /// Orders whose end was in doubt, and whether they are open.
    pub(super) settled: Vec<(BrokerOrderId, bool)>,
    /// Rows that are told as a gap.
    pub(super) strange: BTreeSet<SmolStr>,
}

/// The orders of an account that are not settled.
#[derive(Debug, Default)]
pub(super) struct Watch {
    orders: Mutex<BTreeMap<BrokerOrderId, Watched>>,
    strange: Mutex<BTreeSet<SmolStr>>,
}

impl Watch {
    fn orders(&self) -> MutexGuard<'_, BTreeMap<BrokerOrderId, Watched>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what is not settled, and no more than the bound.
    fn with(&self, id: &BrokerOrderId, change: impl FnOnce(&mut Watched)) {
        let mut orders = self.orders();
        if !orders.contains_key(id) && orders.len() >= MAX_WATCHED {
            orders.pop_first();
        }
        let order = orders.entry(id.clone()).or_default();
        change(order);
        if !order.open && !order.doubtful && order.lag.is_none() {
            orders.remove(id);
        }
    }

    /// An order may fill.
    pub(super) fn opened(&self, id: &BrokerOrderId) {
        self.with(id, |order| order.open = true);
    }

    /// The stream says how much of an order is filled, and whether it is open. Whether the history is to be asked.
    pub(super) fn told(&self, id: &BrokerOrderId, filled: Decimal, open: bool, now: Timestamp) -> bool {
        let mut is_due = false;
        self.with(id, |order| {
            order.open = open;
            if filled > order.told.max(order.shown) {
                let new = Lag { since: now, asked: None, looks: 0, is_gap: false };
                // What was told as a gap stays so; this is missing since now.
                let before = order.lag.filter(|lag| !lag.is_gap);
                order.lag = Some(before.map_or(new, |lag| Lag { asked: None, ..lag }));
            }
            order.told = order.told.max(filled);
            is_due = order.lag.is_some_and(|lag| lag.is_due(now));
        });
        is_due
    }

    /// The venue says what an order is now.
    pub(super) fn settled(&self, id: &BrokerOrderId, open: bool) {
        self.with(id, |order| (order.open, order.doubtful) = (open, false));
    }

    /// Takes what a look has found, once all of its events are there.
    pub(super) fn note(&self, found: Found, now: Timestamp) {
        for (id, filled) in &found.shown {
            self.with(id, |order| {
                order.shown = order.shown.max(*filled);
                order.lag = order.lag.filter(|_| order.shown < order.told);
            });
        }
        for Lagging { id, is_overdue, .. } in &found.behind {
            self.with(id, |order| {
                if let Some(lag) = &mut order.lag {
                    (lag.asked, lag.looks) = (Some(now), lag.looks.saturating_add(1));
                    lag.is_gap |= is_overdue;
                }
            });
        }
        found.settled.iter().for_each(|(id, open)| self.settled(id, *open));
        let mut strange = self.strange();
        if strange.len().saturating_add(found.strange.len()) > MAX_STRANGE {
            strange.clear();
        }
        strange.extend(found.strange.into_iter().take(MAX_STRANGE));
    }

    /// Some of the stream was missed: what was open may have ended.
    pub(super) fn missed(&self) {
        self.orders().values_mut().filter(|order| order.open).for_each(|order| order.doubtful = true);
    }

    /// An order of which the stream says what is not understood.
    pub(super) fn doubt(&self, id: &BrokerOrderId) {
        self.with(id, |order| order.doubtful = true);
    }

    /// The orders whose fills the history has not shown, and is to be asked for now.
    pub(super) fn lagging(&self, now: Timestamp) -> Vec<Lagging> {
        let orders = self.orders();
        let due = orders.iter().filter_map(|(id, order)| {
            let lag = order.lag.filter(|lag| lag.is_due(now))?;
            let is_overdue = !lag.is_gap && now.since(lag.since) >= LAGS_AT_MOST;
            let (id, is_new) = (id.clone(), lag.looks == 0);
            Some(Lagging { id, told: order.told, since: lag.since, is_new, is_overdue })
        });
        due.collect()
    }

    /// The orders whose end may have been missed.
    pub(super) fn doubtful(&self) -> Vec<BrokerOrderId> {
        let orders = self.orders();
        orders.iter().filter(|(_, order)| order.doubtful).map(|(id, _)| id.clone()).collect()
    }

    /// Whether anything is to be asked.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.orders().values().any(|order| order.doubtful || order.lag.is_some_and(|lag| lag.is_due(now)))
    }

    /// Whether a row was told as a gap.
    pub(super) fn is_told(&self, entry: &SmolStr) -> bool {
        self.strange().contains(entry)
    }

    fn strange(&self) -> MutexGuard<'_, BTreeSet<SmolStr>> {
        self.strange.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn shown(id: &BrokerOrderId, filled: Decimal) -> Found {
        Found { shown: vec![(id.clone(), filled)], ..Found::default() }
    }

    #[test]
    fn what_is_settled_is_forgotten_and_what_is_not_is_due() {
        let (watch, id) = (Watch::default(), BrokerOrderId::new("v1").unwrap());
        watch.opened(&id);
        assert!(!watch.is_due(at(0)));
        assert!(watch.told(&id, Decimal::TEN, true, at(0)));
        let lagging = watch.lagging(at(0));
        assert_eq!((lagging.len(), &lagging[0].id, lagging[0].told), (1, &id, Decimal::TEN));
        watch.note(shown(&id, Decimal::TWO), at(0));
        assert!(watch.is_due(at(0)));
        watch.note(shown(&id, Decimal::TEN), at(0));
        assert!(!watch.told(&id, Decimal::TEN, true, at(0)) && !watch.is_due(at(0)));
        watch.missed();
        assert_eq!(watch.doubtful(), std::slice::from_ref(&id));
        watch.settled(&id, false);
        assert!(!watch.is_due(at(0)) && watch.orders().is_empty());
        // A stranger that has ended is nothing to look after.
        watch.settled(&id, false);
        assert!(watch.orders().is_empty());
    }

    /// Asks as a look does that finds nothing; the seconds at which it was asked, and those at which it was overdue.
    fn in_vain(watch: &Watch, seconds: std::ops::Range<i64>) -> (Vec<i64>, Vec<i64>) {
        let (mut asked, mut overdue) = (Vec::new(), Vec::new());
        for second in seconds {
            let behind = watch.lagging(at(second));
            asked.extend((!behind.is_empty()).then_some(second));
            overdue.extend(behind.iter().any(|order| order.is_overdue).then_some(second));
            watch.note(Found { behind, ..Found::default() }, at(second));
        }
        (asked, overdue)
    }

    #[test]
    fn an_order_that_stays_behind_is_asked_for_less_and_less_and_is_a_gap_once() {
        let (watch, id) = (Watch::default(), BrokerOrderId::new("v1").unwrap());
        assert!(watch.told(&id, Decimal::TEN, false, at(0)));
        let (asked, overdue) = in_vain(&watch, 0..2_000);
        assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 903, 1_503]);
        assert_eq!(overdue, [303]);
        // What the stream tells beyond that is missing since then, and is asked for at once.
        assert!(!watch.told(&id, Decimal::TEN, false, at(2_000)));
        assert!(watch.told(&id, Decimal::from(11), false, at(2_000)));
        let (asked, overdue) = in_vain(&watch, 2_000..2_400);
        assert_eq!((asked[..3].to_vec(), overdue), (vec![2_000, 2_001, 2_003], vec![2_303]));
        // A clock that is set back, and a history that shows it in the end.
        assert_eq!(in_vain(&watch, 100..102).0, [100]);
        watch.note(shown(&id, Decimal::from(11)), at(102));
        assert!(!watch.is_due(at(9_999)) && watch.orders().is_empty());
    }

    #[test]
    fn more_of_the_stream_is_asked_for_at_once_and_does_not_put_the_gap_off() {
        let (watch, id) = (Watch::default(), BrokerOrderId::new("v1").unwrap());
        watch.told(&id, Decimal::ONE, true, at(0));
        in_vain(&watch, 0..200);
        assert!(!watch.is_due(at(200)) && watch.told(&id, Decimal::TWO, true, at(200)));
        let lagging = watch.lagging(at(200));
        assert_eq!((lagging[0].since, lagging[0].is_new), (at(0), false));
    }

    #[test]
    fn rows_that_were_told_are_remembered_within_a_bound() {
        let watch = Watch::default();
        let found = |rows: std::ops::Range<usize>| Found {
            strange: rows.map(|row| row.to_string().into()).collect(),
            ..Found::default()
        };
        watch.note(found(0..MAX_STRANGE), at(0));
        assert!(watch.is_told(&"7".into()) && !watch.is_told(&"x".into()));
        watch.note(found(MAX_STRANGE..MAX_STRANGE + 1), at(0));
        assert!(!watch.is_told(&"7".into()));
        assert_eq!(watch.strange().len(), 1);
    }
}
