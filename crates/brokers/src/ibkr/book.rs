//! What is known of orders and trades, from whoever has told it first: TWS tells where an order is without saying what it is.
//! Numbers of clients are each client's own: what is found by such a number is this client's.

use super::codes::{Verdict, verdict};
use super::wire::{WireNotice, WireOrder, WireStatus};
use mts_foundation::{FillId, Symbol, Timestamp};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most rows of each kind; the one with the lowest number goes first.
const MAX_ROWS: usize = 20_000;

/// Statuses that an order does not leave.
pub(super) fn is_end(status: &str) -> bool {
    matches!(status, "Filled" | "Cancelled" | "ApiCancelled")
}

/// Orders by TWS's number, and what else belongs to them.
#[derive(Debug)]
pub(super) struct Book {
    client_id: i32,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    orders: BTreeMap<i64, WireOrder>,
    /// TWS's numbers by ours, of this client's orders.
    by_order_id: BTreeMap<i32, i64>,
    /// Why orders were refused, by our number.
    refusals: BTreeMap<i32, SmolStr>,
    /// Orders that were changed, and how that has ended: what is said of a change says nothing of the order.
    changes: BTreeMap<i32, Change>,
    /// The last correction that was told, by trade.
    revisions: BTreeMap<FillId, u32>,
    /// Trades whose cost was not known when they were told, and when they were.
    unpaid: BTreeMap<FillId, Timestamp>,
    /// Instruments by TWS's number.
    names: BTreeMap<i32, Symbol>,
    /// Trades that no fill could be made of, by execution.
    strange: BTreeMap<SmolStr, ()>,
    /// The latest trade that was told.
    latest: Option<Timestamp>,
}

/// A change of an order in place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// It is under way, or nobody knows how it has ended: a refusal may still come.
    Open,
    Refused(SmolStr),
}

fn keep<K: Ord, V>(rows: &mut BTreeMap<K, V>, key: K, row: V) {
    rows.insert(key, row);
    if rows.len() > MAX_ROWS {
        rows.pop_first();
    }
}

impl Book {
    /// What a client knows.
    pub(super) fn of_client(client_id: i32) -> Self {
        Self { client_id, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was told of an order, and returns all that is known of it. An order does not come back from its end, and what
    /// was filled stays so.
    pub(super) fn learn(&self, mut told: WireOrder) -> WireOrder {
        let mut inner = self.inner();
        if let Some(known) = inner.orders.get(&told.perm_id).filter(|_| told.perm_id != 0) {
            if is_end(&known.status) && !is_end(&told.status) {
                told.status = known.status.clone();
            }
            if told.order_id < 1 {
                (told.client_id, told.order_id) = (known.client_id, known.order_id);
            }
            if told.filled < known.filled {
                told.filled = known.filled;
            }
            told.average_price = told.average_price.or(known.average_price);
            if told.quantity.is_zero() {
                told.quantity = known.quantity;
            }
            if told.reason.is_empty() {
                told.reason = known.reason.clone();
            }
        }
        let is_own = told.client_id == self.client_id && told.order_id > 0;
        if is_own
            && told.reason.is_empty()
            && let Some(refusal) = inner.refusals.get(&told.order_id)
        {
            told.reason = refusal.clone();
        }
        if told.perm_id != 0 {
            if is_own {
                keep(&mut inner.by_order_id, told.order_id, told.perm_id);
            }
            keep(&mut inner.orders, told.perm_id, told.clone());
        }
        told
    }

    /// Takes where an order is, and returns all that is known of it; `None` = nobody has told what it is.
    pub(super) fn status(&self, told: &WireStatus) -> Option<WireOrder> {
        let known = self.inner().orders.get(&told.perm_id).cloned()?;
        Some(self.learn(WireOrder {
            order_id: told.order_id,
            status: told.status.clone(),
            filled: told.filled,
            average_price: told.average_price,
            ..known
        }))
    }

    /// Takes a message about an order of ours; what is known of the order if it was refused with it.
    pub(super) fn refused(&self, notice: &WireNotice) -> Option<WireOrder> {
        let order_id = notice.about?;
        if verdict(notice.code) != Verdict::Refused {
            return None;
        }
        let words = smol_str::format_smolstr!("{} ({})", notice.message, notice.code);
        let known = {
            let mut inner = self.inner();
            match inner.changes.get(&order_id) {
                Some(Change::Open) => return None,
                Some(Change::Refused(change)) if *change == words => return None,
                Some(Change::Refused(_)) | None => {}
            }
            keep(&mut inner.refusals, order_id, words.clone());
            let perm_id = inner.by_order_id.get(&order_id).copied()?;
            inner.orders.get(&perm_id).cloned()?
        };
        Some(self.learn(WireOrder { reason: words, ..known }))
    }

    /// Notes that an order is being changed.
    pub(super) fn changing(&self, order_id: i32) {
        keep(&mut self.inner().changes, order_id, Change::Open);
    }

    /// Notes how a change has ended: with a refusal, or without. One of which nobody knows stays open.
    pub(super) fn changed(&self, order_id: i32, refusal: Option<SmolStr>) {
        let mut inner = self.inner();
        match refusal {
            Some(words) => keep(&mut inner.changes, order_id, Change::Refused(words)),
            None => drop(inner.changes.remove(&order_id)),
        }
    }

    /// An order by TWS's number.
    pub(super) fn order(&self, perm_id: i64) -> Option<WireOrder> {
        self.inner().orders.get(&perm_id).cloned()
    }

    /// Whether a trade with this many corrections is told for the first time, was told with fewer, or as it is.
    pub(super) fn revise(&self, trade: &FillId, revision: u32) -> Revised {
        let mut inner = self.inner();
        let before = inner.revisions.get(trade).copied();
        if before.is_none_or(|before| before < revision) {
            keep(&mut inner.revisions, trade.clone(), revision);
        }
        match before {
            None if revision > 1 => Revised::Perhaps,
            None => Revised::New,
            Some(before) if before < revision => Revised::Corrected,
            Some(before) if before > revision => Revised::Outdated,
            Some(_) => Revised::Same,
        }
    }

    /// Notes that a trade was told without its cost.
    pub(super) fn owes(&self, trade: &FillId, time: Timestamp) {
        keep(&mut self.inner().unpaid, trade.clone(), time);
    }

    /// When a trade was that was told without its cost, which is told now; `None` = it owes nothing.
    pub(super) fn settles(&self, trade: &FillId) -> Option<Timestamp> {
        self.inner().unpaid.remove(trade)
    }

    /// Notes that no fill can be made of an execution; whether it was noted before.
    pub(super) fn is_strange_already(&self, execution: &SmolStr) -> bool {
        let mut inner = self.inner();
        let was = inner.strange.contains_key(execution);
        keep(&mut inner.strange, execution.clone(), ());
        was
    }

    /// Notes when something was traded.
    pub(super) fn has_traded(&self, time: Timestamp) {
        let mut inner = self.inner();
        inner.latest = inner.latest.max(Some(time));
    }

    /// When the latest trade was that was told; `None` = none was.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.inner().latest
    }

    /// Notes which instrument TWS calls so.
    pub(super) fn name(&self, con_id: i32, symbol: &Symbol) {
        if con_id != 0 {
            keep(&mut self.inner().names, con_id, symbol.clone());
        }
    }

    /// The instrument that TWS calls so.
    pub(super) fn named(&self, con_id: i32) -> Option<Symbol> {
        self.inner().names.get(&con_id).cloned()
    }
}

/// How a trade that is told stands to what was told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revised {
    /// It was never told.
    New,
    /// It is corrected, and whether it was told by an earlier process is not known.
    Perhaps,
    /// It was told otherwise.
    Corrected,
    /// It was told so.
    Same,
    /// A later word was told.
    Outdated,
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::Decimal;

    const OURS: i32 = 1;

    fn order(perm_id: i64, status: &str) -> WireOrder {
        WireOrder {
            order_id: 7,
            client_id: OURS,
            perm_id,
            status: status.into(),
            quantity: Decimal::TEN,
            ..WireOrder::default()
        }
    }

    fn status(status: &str, filled: i64) -> WireStatus {
        let filled = Decimal::from(filled);
        WireStatus { order_id: 7, perm_id: 1, status: status.into(), filled, ..WireStatus::default() }
    }

    #[test]
    fn an_order_does_not_come_back_and_is_not_filled_less() {
        let book = Book::of_client(OURS);
        assert_eq!(book.status(&status("Submitted", 0)), None, "nobody has told what it is");
        book.learn(order(1, "PreSubmitted"));
        assert_eq!(book.status(&status("Submitted", 4)).unwrap().filled, Decimal::from(4));
        let known = book.learn(order(1, "Submitted"));
        assert_eq!((known.filled, known.quantity), (Decimal::from(4), Decimal::TEN));
        book.status(&status("Filled", 10));
        let late = book.status(&status("Submitted", 6)).unwrap();
        assert_eq!((late.status.as_str(), late.filled), ("Filled", Decimal::TEN));
        // Orders that have ended are told without our number.
        let ended = book.learn(WireOrder { order_id: -1, client_id: 0, ..order(1, "Filled") });
        assert_eq!((ended.client_id, ended.order_id), (OURS, 7));
    }

    #[test]
    fn another_clients_order_with_the_same_number_is_another_order() {
        let book = Book::of_client(OURS);
        let notice = WireNotice { about: Some(7), code: 201, message: "no margin".to_owned() };
        let theirs = |status| WireOrder { client_id: 2, ..order(2, status) };
        book.learn(order(1, "Submitted"));
        book.learn(theirs("Submitted"));
        assert_eq!(book.refused(&notice).map(|refused| refused.perm_id), Some(1));
        assert_eq!(book.learn(order(1, "Inactive")).reason, "no margin (201)");
        assert_eq!(book.learn(theirs("Inactive")).reason, "");
        // Ours is not told yet, and theirs is.
        let book = Book::of_client(OURS);
        book.learn(theirs("Submitted"));
        assert_eq!(book.refused(&notice), None);
    }

    #[test]
    fn a_refusal_is_kept_until_the_order_is_told() {
        let book = Book::of_client(OURS);
        let notice = |code| WireNotice { about: Some(7), code, message: "no margin".to_owned() };
        assert_eq!(book.refused(&notice(201)), None);
        assert_eq!(book.learn(order(1, "Inactive")).reason, "no margin (201)");
        assert!(book.refused(&notice(201)).is_some());
        assert_eq!(book.refused(&notice(399)), None);
    }

    #[test]
    fn a_change_that_is_refused_says_nothing_of_its_order() {
        let book = Book::of_client(OURS);
        let notice = |code| WireNotice { about: Some(7), code, message: "tick".to_owned() };
        book.learn(order(1, "Submitted"));
        book.changing(7);
        assert_eq!(book.refused(&notice(110)), None);
        book.changed(7, Some("tick (110)".into()));
        assert_eq!(book.refused(&notice(110)), None, "another listener hears it later");
        assert_eq!(book.status(&status("Cancelled", 0)).unwrap().reason, "");
        assert!(book.refused(&notice(201)).is_some());
        // One of which nobody has heard in time: what is said late is said of it.
        let book = Book::of_client(OURS);
        book.learn(order(1, "Submitted"));
        book.changing(7);
        assert_eq!(book.refused(&notice(110)), None);
        assert_eq!(book.learn(order(1, "Cancelled")).reason, "");
        // One that was taken.
        let book = Book::of_client(OURS);
        book.learn(order(1, "Submitted"));
        book.changing(7);
        book.changed(7, None);
        assert_eq!(book.refused(&notice(201)).unwrap().reason, "tick (201)");
    }

    #[test]
    fn a_correction_is_one_once() {
        let book = Book::of_client(OURS);
        let trade = FillId::new("a.b.01").unwrap();
        let told: Vec<_> = [1, 1, 2, 2, 1].iter().map(|revision| book.revise(&trade, *revision)).collect();
        use Revised::{Corrected, New, Outdated, Same};
        assert_eq!(told, [New, Same, Corrected, Same, Outdated]);
        assert_eq!(book.revise(&FillId::new("c.d.01").unwrap(), 3), Revised::Perhaps);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let book = Book::of_client(OURS);
        for number in 1..=i64::try_from(MAX_ROWS).unwrap() + 10 {
            book.learn(order(number, "Submitted"));
        }
        assert_eq!(book.inner().orders.len(), MAX_ROWS);
        assert!(book.order(5).is_none() && book.order(100).is_some());
    }
}
