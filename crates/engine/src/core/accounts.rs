//! Comparing accounts with the books: at the start, at every reconnection, after gaps, and again and again in between.
//! A question that fails says nothing; a difference that nobody can explain blocks its instrument until somebody does.

use super::fill_memory::FillMemory;
use super::state::{FillKey, PendingFees};
use super::timers::Timer;
use super::{Core, CoreError};
use crate::input::AccountAnswer;
use crate::output::{Action, Output};
use mts_foundation::reconcile::Difference;
use mts_foundation::{BrokerName, BrokerOrderId, Decimal, OrderId, OrderState, Side, Symbol, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Pause between two comparisons.
const INTERVAL: Duration = Duration::from_secs(60);

/// Pause before a difference is looked at a second time: a fill may be on its way.
const SETTLE: Duration = Duration::from_secs(2);

/// Least time between two looks of which fills are the reason.
const EXPLAIN: Duration = Duration::from_secs(5);

/// First pause after a failed question; it doubles up to [`INTERVAL`].
const RETRY: Duration = Duration::from_secs(1);

/// What is known of one account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct AccountWatch {
    connected: bool,
    /// When it was last found to be compared; `None` = not since the start or the last reconnection.
    pub(super) reconciled: Option<Timestamp>,
    /// When it was last looked at, whatever was found.
    pub(super) looked: Option<Timestamp>,
    /// When the next question is due.
    next: Option<Timestamp>,
    /// A question is under way.
    asked: bool,
    /// Failed questions in a row.
    failures: u32,
    /// Instruments with fills since the question: their positions prove nothing.
    pub(super) changed: BTreeSet<Symbol>,
    /// Differences that may still turn out to be fills on their way.
    pub(super) suspects: BTreeMap<Symbol, Suspect>,
    /// Differences that stayed.
    pub(super) unexplained: BTreeMap<Symbol, Mismatch>,
    /// Orders that are not ours and were told.
    pub(super) foreign: BTreeMap<BrokerOrderId, ForeignOrder>,
    /// The difference of cash when nothing else was open: account minus books.
    #[serde(with = "mts_foundation::num::exact_option")]
    pub(super) cash: Option<Decimal>,
    /// Fills whose fees follow.
    pub(super) pending_fees: BTreeMap<FillKey, PendingFees>,
    /// Movements of cash and fees of fills that were booked: each has its effect once.
    pub(super) movements: FillMemory,
}

/// Units on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mismatch {
    #[serde(with = "mts_foundation::num::exact")]
    pub(crate) ours: Decimal,
    #[serde(with = "mts_foundation::num::exact")]
    pub(crate) theirs: Decimal,
}

impl Mismatch {
    /// Units that the account has more than the books: what trading on both sides does not change.
    pub(super) fn by(&self) -> Decimal {
        self.theirs.saturating_sub(self.ours)
    }

    fn of(&self, symbol: &Symbol) -> Difference {
        Difference { symbol: symbol.clone(), ours: self.ours, theirs: self.theirs }
    }
}

/// A difference that was seen and not yet confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Suspect {
    pub(super) found: Mismatch,
    /// Looks in a row at which the two sides were not the same.
    pub(super) looks: u32,
}

/// An order at the venue that nobody here made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeignOrder {
    /// Its instrument.
    pub symbol: Symbol,
    /// Its direction.
    pub side: Side,
    /// Units ordered.
    #[serde(with = "mts_foundation::num::exact")]
    pub quantity: Decimal,
    /// Whether the venue showed it at the last look.
    pub(super) shown: bool,
}

/// Whether the books of an account may be trusted, and what was found when it was looked at last.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountStanding {
    /// Which broker.
    pub broker: BrokerName,
    /// Whether calls may be made.
    pub connected: bool,
    /// When account and books were compared last; `None` = not since the start or the last reconnection.
    pub reconciled: Option<Timestamp>,
    /// When the account was looked at last, also where a difference waits for another look; `None` = never.
    pub looked: Option<Timestamp>,
    /// What the account holds and the books do not explain.
    pub unexplained: Vec<Difference>,
    /// What differs and may still be a fill on its way: it is looked at again.
    pub suspects: Vec<Difference>,
    /// Orders at the venue that nobody here made, by the venue's id.
    pub foreign: BTreeMap<BrokerOrderId, ForeignOrder>,
    /// Cash that the account has more than the books; `None` = never compared.
    pub cash: Option<Decimal>,
}

impl Core {
    /// The accounts that are watched, by broker.
    pub fn accounts(&self) -> impl Iterator<Item = AccountStanding> {
        self.state.accounts.iter().map(|(broker, watch)| {
            let foreign = watch.foreign.iter().filter(|(_, order)| order.shown);
            AccountStanding {
                broker: broker.clone(),
                connected: watch.connected,
                reconciled: watch.reconciled,
                looked: watch.looked,
                unexplained: watch.unexplained.iter().map(|(symbol, found)| found.of(symbol)).collect(),
                suspects: watch.suspects.iter().map(|(symbol, suspect)| suspect.found.of(symbol)).collect(),
                foreign: foreign.map(|(id, order)| (id.clone(), order.clone())).collect(),
                cash: watch.cash,
            }
        })
    }

    /// Whether an account was compared with the books since the start or the last reconnection.
    #[must_use]
    pub fn is_compared(&self, broker: &BrokerName) -> bool {
        self.state.accounts.get(broker).is_some_and(|watch| watch.reconciled.is_some())
    }

    /// The process begins: orders whose answer was never journalled are asked for, every account is compared before anything
    /// new leaves.
    pub(crate) fn started(&mut self, output: &mut Output) {
        self.state.live = true;
        // Feeds begin anew, too.
        self.state.ledger.forget_stale();
        let brokers: BTreeSet<BrokerName> = self.brokers.values().cloned().collect();
        for broker in brokers {
            let watch = self.state.accounts.entry(broker.clone()).or_default();
            (watch.reconciled, watch.asked, watch.failures) = (None, false, 0);
            watch.connected = true;
            self.ask_account(&broker, output);
        }
        let now = self.state.now;
        let doubtful: Vec<OrderId> = self
            .state
            .ledger
            .funds()
            .flat_map(|(_, book)| book.working().map(|(order_id, _)| order_id.clone()))
            .collect();
        for order_id in doubtful {
            let Some(record) = self.state.orders.get_mut(&order_id) else { continue };
            if record.state == OrderState::Submitting && record.unknown(now).is_ok() {
                output.events.push(mts_foundation::event::Event::OrderUnknown(record.clone()));
            }
            let state = record.state;
            if matches!(state, OrderState::Unknown | OrderState::PendingCancel) {
                // Earlier questions died with the process.
                self.inquiry_ends(&order_id);
                self.inquire(&order_id);
            }
            if state == OrderState::PendingCancel {
                // It may have died before the cancellation left; asking twice does no harm.
                self.request_cancel(&order_id, output);
            }
        }
    }

    /// A connection came or went.
    pub(crate) fn connection(&mut self, broker: &BrokerName, connected: bool, output: &mut Output) {
        let Some(watch) = self.state.accounts.get_mut(broker) else { return };
        let was = std::mem::replace(&mut watch.connected, connected);
        if !connected {
            watch.reconciled = None;
            // What is seen after the gap is not the next look at what was seen before it.
            watch.suspects.clear();
            if was {
                let message = format!(
                    "the connection to {broker} is lost; nothing new leaves until the account is compared"
                );
                self.incident("DISCONNECTED", message, None, output);
            }
        } else if !was {
            watch.asked = false;
            self.ask_account(broker, output);
        }
    }

    /// Asks now, unless a question is under way.
    pub(crate) fn ask_account(&mut self, broker: &BrokerName, output: &mut Output) {
        let Some(watch) = self.state.accounts.get_mut(broker) else { return };
        if watch.asked {
            return;
        }
        watch.asked = true;
        watch.changed.clear();
        output.actions.push(Action::Snapshot { broker: broker.clone() });
        // Should the answer never come, the question is asked again.
        self.ask_account_in(broker, INTERVAL);
    }

    fn ask_account_in(&mut self, broker: &BrokerName, pause: Duration) {
        let next = self.state.now.plus(pause);
        let Some(watch) = self.state.accounts.get_mut(broker) else { return };
        if let Some(before) = watch.next.replace(next) {
            self.state.timers.remove(&(before, Timer::Snapshot(broker.clone())));
        }
        self.set_timer(next, Timer::Snapshot(broker.clone()));
    }

    pub(crate) fn snapshot_due(&mut self, broker: &BrokerName, output: &mut Output) {
        let Some(watch) = self.state.accounts.get_mut(broker) else { return };
        watch.next = None;
        watch.asked = false;
        if watch.connected {
            self.ask_account(broker, output);
        }
    }

    /// What the venue said of its account.
    pub(crate) fn account_seen(
        &mut self,
        broker: &BrokerName,
        answer: &AccountAnswer,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let Some(watch) = self.state.accounts.get_mut(broker) else { return Ok(()) };
        watch.asked = false;
        let snapshot = match answer {
            AccountAnswer::Seen(snapshot) => snapshot,
            AccountAnswer::Failed { message } => {
                watch.failures = watch.failures.saturating_add(1);
                let doublings = watch.failures.saturating_sub(1).min(6);
                let pause = RETRY.saturating_mul(1 << doublings).min(INTERVAL);
                if watch.failures == 1 {
                    let message =
                        format!("the account at {broker} cannot be read: {message}; it is asked again");
                    self.incident("ACCOUNT_UNREADABLE", message, None, output);
                }
                self.ask_account_in(broker, pause);
                return Ok(());
            }
        };
        watch.failures = 0;
        watch.looked = Some(self.state.now);
        self.compare_orders(broker, snapshot, output)?;
        let settled = self.compare_positions(broker, snapshot, output);
        self.compare_cash(broker, snapshot, output);
        let mut first = false;
        if let Some(watch) = self.state.accounts.get_mut(broker).filter(|_| settled) {
            first = watch.reconciled.replace(self.state.now).is_none();
        }
        if first {
            self.ask_again(broker, output)?;
        }
        if settled {
            self.groups_go_on(output)?;
        }
        self.ask_account_in(broker, if settled { INTERVAL } else { SETTLE });
        self.look_for_an_explanation(broker);
        Ok(())
    }

    /// Whether the account was compared and nothing of an instrument differs, also not for the time being.
    pub(super) fn agrees_now(&self, broker: &BrokerName, symbol: &Symbol) -> bool {
        self.state.accounts.get(broker).is_some_and(|watch| {
            watch.reconciled.is_some()
                && !watch.unexplained.contains_key(symbol)
                && !watch.suspects.contains_key(symbol)
        })
    }

    /// Whether the account was compared at or after an instant, and holds of an instrument what the books say.
    pub(crate) fn agrees_since(&self, broker: &BrokerName, symbol: &Symbol, since: Timestamp) -> bool {
        self.state.accounts.get(broker).is_some_and(|watch| {
            watch.reconciled.is_some_and(|compared| compared >= since)
                && !watch.unexplained.contains_key(symbol)
        })
    }

    /// Signed units by instrument over all funds at a broker.
    pub(super) fn held_at(&self, broker: &BrokerName) -> BTreeMap<Symbol, Decimal> {
        let mut held: BTreeMap<Symbol, Decimal> = BTreeMap::new();
        for (fund_id, book) in self.state.ledger.funds() {
            if self.brokers.get(fund_id) != Some(broker) {
                continue;
            }
            for (symbol, holding) in book.positions().iter() {
                let units = held.entry(symbol.clone()).or_default();
                *units = units.saturating_add(holding.quantity);
            }
        }
        held
    }

    /// Signed units of one instrument over all funds at a broker.
    pub(super) fn units_at(&self, broker: &BrokerName, symbol: &Symbol) -> Decimal {
        let funds =
            self.state.ledger.funds().filter(|(fund_id, _)| self.brokers.get(*fund_id) == Some(broker));
        funds.fold(Decimal::ZERO, |sum, (_, book)| sum.saturating_add(book.positions().quantity(symbol)))
    }

    /// A fill was booked: what the account says now may or may not have it. It may explain what nobody could, which is soon
    /// looked at.
    pub(crate) fn position_changed(&mut self, broker: &BrokerName, symbol: &Symbol) {
        if let Some(watch) = self.state.accounts.get_mut(broker) {
            watch.changed.insert(symbol.clone());
        }
        self.look_for_an_explanation(broker);
    }

    /// Asks soon where fills may have explained what nobody could; a question under way is waited for.
    fn look_for_an_explanation(&mut self, broker: &BrokerName) {
        let now = self.state.now;
        let Some(watch) = self.state.accounts.get(broker) else { return };
        if watch.asked || !watch.changed.iter().any(|symbol| watch.unexplained.contains_key(symbol)) {
            return;
        }
        let looked = watch.looked.unwrap_or(Timestamp::EPOCH);
        let soon = now.plus(SETTLE).max(looked.plus(EXPLAIN));
        if watch.next.is_none_or(|next| next > soon) {
            self.ask_account_in(broker, soon.since(now));
        }
    }
}
