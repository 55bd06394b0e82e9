//! The exit reconciler: the account's positions against those that our own orders make.

use super::SafeBroker;
use super::books::{NoticeKind, Units};
use super::error::SafeBrokerError;
use mts_foundation::reconcile::{Difference, diff};
use mts_foundation::risk::{HaltMode, HaltRequest, HaltScope, RiskEvent};
use mts_foundation::{ActorId, Decimal, Symbol, Timestamp};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// When positions are compared, and what a difference does.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) every: Duration,
    /// Value of a difference from which the fund is halted.
    pub(super) halt_value: Option<Decimal>,
    pub(super) last: Mutex<Option<Timestamp>>,
}

impl SafeBroker {
    /// Compares, if that is due.
    pub(super) fn reconcile_if_due(&self, now: Timestamp) -> Result<(), SafeBrokerError> {
        let due = {
            let mut last = self.reconcile.last.lock().unwrap_or_else(PoisonError::into_inner);
            let due = last.is_none_or(|last| now.since(last) >= self.reconcile.every);
            if due {
                *last = Some(now);
            }
            due
        };
        if due { self.compare(now).map(|_| ()) } else { Ok(()) }
    }

    /// Reads the account and compares its positions with those that our orders make. A difference that is seen in two
    /// comparisons, one after the other, is an incident; where its value passes the configured size the fund is halted. After
    /// that the account counts as right, so that each difference is reported once.
    ///
    /// # Errors
    /// [`SafeBrokerError::Account`] when the account cannot be read: that is never "no difference".
    pub async fn reconcile(&self) -> Result<Vec<Difference>, SafeBrokerError> {
        self.read_account().await?;
        self.compare(self.clock.now())
    }

    fn compare(&self, now: Timestamp) -> Result<Vec<Difference>, SafeBrokerError> {
        let mut books = self.books();
        let (Some(ours), Some(book)) = (books.kept.ours.clone(), books.ledger.fund(&books.fund_id)) else {
            return Ok(Vec::new());
        };
        let ours: BTreeMap<Symbol, Decimal> =
            ours.into_iter().map(|(symbol, Units(units))| (symbol, units)).collect();
        let theirs: BTreeMap<Symbol, Decimal> =
            book.positions().iter().map(|(symbol, held)| (symbol.clone(), held.quantity)).collect();
        let differences = diff(&ours, &theirs);
        // A fill between two questions looks like a difference, once.
        let confirmed: Vec<Difference> = differences
            .iter()
            .filter(|found| books.suspects.get(&found.symbol) == Some(&found.by()))
            .cloned()
            .collect();
        books.suspects = differences.iter().map(|found| (found.symbol.clone(), found.by())).collect();
        for found in &confirmed {
            let Difference { symbol, ours, theirs } = found.clone();
            books.suspects.remove(&symbol);
            books.note(now, NoticeKind::PositionMismatch { symbol: symbol.clone(), ours, theirs });
            if let Some(known) = &mut books.kept.ours {
                known.insert(symbol.clone(), Units(theirs));
                known.retain(|_, units| !units.0.is_zero());
            }
            books.changed = true;
            let mark = books.ledger.mark_of(&symbol).map(|mark| mark.price);
            let multiplier = books.instruments.get(&symbol).map_or(Decimal::ONE, |found| found.multiplier);
            let value = mark.and_then(|price| found.by().abs().checked_mul(price)?.checked_mul(multiplier));
            // A difference of unknown value is beyond every size.
            let beyond = |limit: Decimal| value.is_none_or(|value| value > limit);
            if self.reconcile.halt_value.is_some_and(beyond) {
                let reason = format!("{symbol}: the account holds {theirs}, our orders make {ours}");
                let scope = HaltScope::Fund(books.fund_id.clone());
                let requested_by = ActorId::new("exit-reconciler").map_err(super::books::out_of_range)?;
                let mode = HaltMode::ReduceOnly;
                let halt =
                    HaltRequest { scope, mode, reason, causes: Vec::new(), requested_by, timestamp: now };
                books.apply(&RiskEvent::Halt(halt), now)?;
            }
        }
        books.save()?;
        Ok(confirmed)
    }
}
