//! What the stream and this process have said of orders, and the history has not shown yet.

use mts_foundation::{BrokerOrderId, Decimal};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most orders that are watched; without one a fill is told by the next look at the history.
const MAX_WATCHED: usize = 20_000;

/// Most rows of the history that are no plain fills and were told.
const MAX_STRANGE: usize = 10_000;

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
        if !order.open && !order.doubtful && order.shown >= order.told {
            orders.remove(id);
        }
    }

    /// An order may fill.
    pub(super) fn opened(&self, id: &BrokerOrderId) {
        self.with(id, |order| order.open = true);
    }

    /// The stream says how much of an order is filled, and whether it is open. Whether the history has not shown all.
    pub(super) fn told(&self, id: &BrokerOrderId, filled: Decimal, open: bool) -> bool {
        let mut lags = false;
        self.with(id, |order| {
            (order.told, order.open) = (order.told.max(filled), open);
            lags = order.shown < order.told;
        });
        lags
    }

    /// The history shows so much of an order as filled.
    pub(super) fn shown(&self, id: &BrokerOrderId, filled: Decimal) {
        self.with(id, |order| order.shown = order.shown.max(filled));
    }

    /// The venue says what an order is now.
    pub(super) fn settled(&self, id: &BrokerOrderId, open: bool) {
        self.with(id, |order| (order.open, order.doubtful) = (open, false));
    }

    /// Some of the stream was missed: what was open may have ended.
    pub(super) fn missed(&self) {
        self.orders().values_mut().filter(|order| order.open).for_each(|order| order.doubtful = true);
    }

    /// An order of which the stream says what is not understood.
    pub(super) fn doubt(&self, id: &BrokerOrderId) {
        self.with(id, |order| order.doubtful = true);
    }

    /// The orders whose fills the history has not shown, with what the stream says.
    pub(super) fn lagging(&self) -> Vec<(BrokerOrderId, Decimal)> {
        let orders = self.orders();
        let lagging = orders.iter().filter(|(_, order)| order.shown < order.told);
        lagging.map(|(id, order)| (id.clone(), order.told)).collect()
    }

    /// The orders whose end may have been missed.
    pub(super) fn doubtful(&self) -> Vec<BrokerOrderId> {
        let orders = self.orders();
        orders.iter().filter(|(_, order)| order.doubtful).map(|(id, _)| id.clone()).collect()
    }

    /// Whether anything is to be asked.
    pub(super) fn is_due(&self) -> bool {
        self.orders().values().any(|order| order.doubtful || order.shown < order.told)
    }

    /// Whether a row that is no plain fill was not told yet.
    pub(super) fn is_new(&self, entry: &SmolStr) -> bool {
        let mut strange = self.strange.lock().unwrap_or_else(PoisonError::into_inner);
        if strange.len() >= MAX_STRANGE {
            strange.clear();
        }
        strange.insert(entry.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_settled_is_forgotten_and_what_is_not_is_due() {
        let (watch, id) = (Watch::default(), BrokerOrderId::new("v1").unwrap());
        watch.opened(&id);
        assert!(!watch.is_due());
        assert!(watch.told(&id, Decimal::TEN, true));
        assert_eq!(watch.lagging(), [(id.clone(), Decimal::TEN)]);
        watch.shown(&id, Decimal::TWO);
        assert!(watch.is_due());
        watch.shown(&id, Decimal::TEN);
        assert!(!watch.told(&id, Decimal::TEN, true) && !watch.is_due());
        watch.missed();
        assert_eq!(watch.doubtful(), std::slice::from_ref(&id));
        watch.settled(&id, false);
        assert!(!watch.is_due() && watch.orders().is_empty());
        // A stranger that has ended is nothing to look after.
        watch.settled(&id, false);
        assert!(watch.orders().is_empty());
    }
}
