//! Comparing accounts with the books: at the start, at every reconnection, after gaps, and again and again in between.
//! A question that fails says nothing; a difference that nobody can explain blocks its instrument until somebody does.

use super::timers::Timer;
use super::{Core, CoreError};
use crate::input::AccountAnswer;
use crate::output::{Action, Output};
use mts_foundation::broker_event::OrderReport;
use mts_foundation::reconcile::{AccountSnapshot, Difference, diff};
use mts_foundation::risk::{Gate, RejectCode, Rejection, RiskEvent};
use mts_foundation::{
    BrokerName, BrokerOrderId, Decimal, FundId, Order, OrderId, OrderState, Side, Symbol, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Pause between two comparisons.
const INTERVAL: Duration = Duration::from_secs(60);

/// Pause before a difference is looked at a second time: a fill may be on its way.
const SETTLE: Duration = Duration::from_secs(2);

/// First pause after a failed question; it doubles up to [`INTERVAL`].
const RETRY: Duration = Duration::from_secs(1);

/// Foreign orders that are remembered, so that each is told once.
const MAX_FOREIGN: usize = 1_000;

/// What is known of one account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AccountWatch {
    connected: bool,
    /// When it was last found to be compared; `None` = not since the start or the last reconnection.
    reconciled: Option<Timestamp>,
    /// When the next question is due.
    next: Option<Timestamp>,
    /// A question is under way.
    asked: bool,
    /// Failed questions in a row.
    failures: u32,
    /// Instruments with fills since the question: their positions prove nothing.
    changed: BTreeSet<Symbol>,
    /// Differences seen once: account minus books.
    suspects: BTreeMap<Symbol, Mismatch>,
    /// Differences that stayed.
    unexplained: BTreeMap<Symbol, Mismatch>,
    /// Orders that are not ours and were told.
    foreign: BTreeSet<BrokerOrderId>,
    /// The difference of cash that was told last: account minus books.
    #[serde(with = "mts_foundation::num::exact_option")]
    cash: Option<Decimal>,
}

/// Units on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mismatch {
    #[serde(with = "mts_foundation::num::exact")]
    pub(crate) ours: Decimal,
    #[serde(with = "mts_foundation::num::exact")]
    pub(crate) theirs: Decimal,
}

/// Whether the books of an account may be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStanding {
    /// Which broker.
    pub broker: BrokerName,
    /// Whether calls may be made.
    pub connected: bool,
    /// When account and books were compared last; `None` = not since the start or the last reconnection.
    pub reconciled: Option<Timestamp>,
    /// What the account holds and the books do not explain.
    pub unexplained: Vec<Difference>,
}

impl Core {
    /// The accounts that are watched, by broker.
    pub fn accounts(&self) -> impl Iterator<Item = AccountStanding> {
        self.state.accounts.iter().map(|(broker, watch)| AccountStanding {
            broker: broker.clone(),
            connected: watch.connected,
            reconciled: watch.reconciled,
            unexplained: watch
                .unexplained
                .iter()
                .map(|(symbol, found)| Difference {
                    symbol: symbol.clone(),
                    ours: found.ours,
                    theirs: found.theirs,
                })
                .collect(),
        })
    }

    /// The process begins: orders whose answer was never journalled are asked for, every account is compared before anything
    /// new leaves.
    pub(crate) fn started(&mut self, output: &mut Output) {
        self.state.live = true;
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
            if matches!(record.state, OrderState::Unknown | OrderState::PendingCancel) {
                // Earlier questions died with the process.
                self.inquiry_ends(&order_id);
                self.inquire(&order_id);
            }
        }
    }

    /// A connection came or went.
    pub(crate) fn connection(&mut self, broker: &BrokerName, connected: bool, output: &mut Output) {
        let Some(watch) = self.state.accounts.get_mut(broker) else { return };
        let was = std::mem::replace(&mut watch.connected, connected);
        if !connected {
            watch.reconciled = None;
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
        self.compare_orders(broker, snapshot, output)?;
        let settled = self.compare_positions(broker, snapshot, output);
        self.compare_cash(broker, snapshot, output);
        if let Some(watch) = self.state.accounts.get_mut(broker).filter(|_| settled) {
            watch.reconciled = Some(self.state.now);
        }
        self.ask_account_in(broker, if settled { INTERVAL } else { SETTLE });
        Ok(())
    }

    /// Orders: those the venue shows are believed; those it does not show any more are asked for one by one; those that are
    /// not ours are told.
    fn compare_orders(
        &mut self,
        broker: &BrokerName,
        snapshot: &AccountSnapshot,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let mut by_key = BTreeMap::new();
        let mut by_venue_id = BTreeMap::new();
        for (_, book) in self.state.ledger.funds() {
            for (order_id, _) in book.working() {
                let Some(record) = self.state.orders.get(order_id) else { continue };
                if record.order.broker != *broker {
                    continue;
                }
                by_key.insert(record.order.idempotency_key.clone(), order_id.clone());
                if let Some(id) = &record.order.broker_order_id {
                    by_venue_id.insert(id.clone(), order_id.clone());
                }
            }
        }
        let mut unseen: BTreeSet<OrderId> = by_key.values().cloned().collect();
        for report in &snapshot.open_orders {
            let ours = by_venue_id
                .get(&report.broker_order_id)
                .or_else(|| report.idempotency_key.as_ref().and_then(|key| by_key.get(key)))
                .or_else(|| report.order_id.as_ref().filter(|id| unseen.contains(*id)));
            match ours.cloned() {
                Some(order_id) => {
                    unseen.remove(&order_id);
                    self.found(&order_id, report, output)?;
                }
                None => self.foreign_order(broker, report, output),
            }
        }
        for order_id in unseen {
            // An order that is still leaving is not there yet; one that the venue had has ended, and the venue says how.
            let leaving = |state| matches!(state, OrderState::Submitting);
            if self.state.orders.get(&order_id).is_some_and(|record| !leaving(record.state)) {
                self.inquire(&order_id);
            }
        }
        Ok(())
    }

    fn foreign_order(&mut self, broker: &BrokerName, report: &OrderReport, output: &mut Output) {
        let id = &report.broker_order_id;
        // An order of ours that ended here while the answer was on its way.
        let known = report.order_id.as_ref().is_some_and(|id| self.state.orders.contains_key(id))
            || report.idempotency_key.as_ref().is_some_and(|key| self.state.keys.contains_key(key));
        let Some(watch) = self.state.accounts.get_mut(broker) else { return };
        if known || watch.foreign.len() >= MAX_FOREIGN || !watch.foreign.insert(id.clone()) {
            return;
        }
        let message = format!(
            "order {id} ({} {} {}) works at {broker} and is not ours; cancel it there, or say who places it",
            report.side, report.quantity, report.symbol
        );
        self.incident("FOREIGN_ORDER", message, None, output);
    }

    /// Positions: the sum of the funds against the account (decision O9). True when nothing waits for a second look.
    fn compare_positions(
        &mut self,
        broker: &BrokerName,
        snapshot: &AccountSnapshot,
        output: &mut Output,
    ) -> bool {
        let ours = self.held_at(broker);
        let mut theirs: BTreeMap<Symbol, Decimal> = BTreeMap::new();
        for position in &snapshot.positions {
            let units = theirs.entry(position.symbol.clone()).or_default();
            *units = units.saturating_add(position.quantity);
        }
        let found: BTreeMap<Symbol, Mismatch> = diff(&ours, &theirs)
            .into_iter()
            .map(|Difference { symbol, ours, theirs }| (symbol, Mismatch { ours, theirs }))
            .collect();
        let Some(watch) = self.state.accounts.get_mut(broker) else { return true };
        let mut solved: Vec<Symbol> = Vec::new();
        watch.unexplained.retain(|symbol, _| {
            let stays = found.contains_key(symbol);
            if !stays {
                solved.push(symbol.clone());
            }
            stays
        });
        let (mut stayed, mut suspects) = (Vec::new(), BTreeMap::new());
        for (symbol, mismatch) in found {
            let seen = watch.suspects.get(&symbol) == Some(&mismatch) && !watch.changed.contains(&symbol);
            if watch.unexplained.get(&symbol) == Some(&mismatch) {
                continue;
            }
            if seen {
                watch.unexplained.insert(symbol.clone(), mismatch.clone());
                stayed.push((symbol, mismatch));
            } else {
                suspects.insert(symbol, mismatch);
            }
        }
        let settled = suspects.is_empty();
        watch.suspects = suspects;
        for symbol in solved {
            let message = format!("{symbol} at {broker} is what the books say again; it may be traded");
            self.incident("POSITION_EXPLAINED", message, None, output);
        }
        for (symbol, Mismatch { ours, theirs }) in stayed {
            let message = format!(
                "the account at {broker} holds {theirs} {symbol}, the books {ours}; nothing new is traded in it; find the cause, or \
                 take it over with `mts reconcile --adopt`"
            );
            self.incident("POSITION_UNEXPLAINED", message, None, output);
        }
        settled
    }

    /// Signed units by instrument over all funds at a broker.
    fn held_at(&self, broker: &BrokerName) -> BTreeMap<Symbol, Decimal> {
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

    /// Cash: told, not acted on, because venues book fees and interest when they like.
    fn compare_cash(&mut self, broker: &BrokerName, snapshot: &AccountSnapshot, output: &mut Output) {
        let ours: Decimal = self
            .state
            .ledger
            .funds()
            .filter(|(fund_id, _)| self.brokers.get(*fund_id) == Some(broker))
            .map(|(_, book)| book.cash())
            .fold(Decimal::ZERO, Decimal::saturating_add);
        let by = snapshot.account.cash.saturating_sub(ours);
        let Some(watch) = self.state.accounts.get_mut(broker) else { return };
        // Fills of this moment move cash; a difference counts when nothing else is open.
        if !watch.changed.is_empty() || !watch.suspects.is_empty() || watch.cash == Some(by) {
            return;
        }
        let (told, small) = (watch.cash.replace(by), by.abs() < Decimal::ONE);
        if small || (told.is_none() && by.is_zero()) {
            return;
        }
        let message = format!(
            "the account at {broker} has {} in cash, the books {ours}; book the movement, or correct the books",
            snapshot.account.cash
        );
        self.incident("CASH_DIFFERS", message, None, output);
    }

    /// A fill was booked: what the account says now may or may not have it.
    pub(crate) fn position_changed(&mut self, broker: &BrokerName, symbol: &Symbol) {
        if let Some(watch) = self.state.accounts.get_mut(broker) {
            watch.changed.insert(symbol.clone());
        }
    }

    /// Whether the account lets an order pass.
    pub(crate) fn account_blocks(&self, order: &Order) -> Option<Rejection> {
        let watch = self.state.accounts.get(&order.broker)?;
        let refuse =
            |code, message| Some(Rejection { gate: Gate::Halts, code, limit: None, observed: None, message });
        if watch.reconciled.is_none() {
            let message = format!(
                "the account at {} was not compared with the books since the start or the last reconnection; wait for it",
                order.broker
            );
            return refuse(RejectCode::AccountNotReconciled, message);
        }
        let Mismatch { ours, theirs } = watch.unexplained.get(&order.symbol)?;
        // What makes both sides smaller and takes neither through zero is a way out.
        let sign = order.quantity * Decimal::from(order.side.sign());
        let shrinks = |units: Decimal| {
            let after = units + sign;
            (units > Decimal::ZERO && after >= Decimal::ZERO && after < units)
                || (units < Decimal::ZERO && after <= Decimal::ZERO && after > units)
        };
        if shrinks(*ours) && shrinks(*theirs) {
            return None;
        }
        let message = format!(
            "the account at {} holds {theirs} {}, the books {ours}; only what makes both smaller may leave; find the cause, or \
             adopt it",
            order.broker, order.symbol
        );
        refuse(RejectCode::PositionUnexplained, message)
    }

    /// Takes what the account holds for right: the difference is booked without cash, at its last price.
    pub(crate) fn adopt(
        &mut self,
        (broker, fund_id, symbol): (&BrokerName, &FundId, &Symbol),
        reason: &str,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let found = self.state.accounts.get(broker).and_then(|watch| watch.unexplained.get(symbol)).cloned();
        let at_broker = self.brokers.get(fund_id) == Some(broker);
        let Some(Mismatch { ours, theirs }) = found.filter(|_| at_broker) else {
            let message = format!(
                "there is nothing of {symbol} to adopt for fund {fund_id} at {broker}; `mts reconcile --dry-run` shows what there is"
            );
            self.incident("NOTHING_TO_ADOPT", message, None, output);
            return Ok(());
        };
        let by = theirs - ours;
        let Some(mark) = self.state.ledger.mark_of(symbol).map(|mark| mark.price) else {
            let message =
                format!("{symbol} has no price yet, so its value cannot be booked; adopt it once it has one");
            self.incident("ADOPT_WITHOUT_PRICE", message, None, output);
            return Ok(());
        };
        let held =
            self.state.ledger.fund(fund_id).map(|book| book.positions().quantity(symbol)).unwrap_or_default();
        let side = match (by > Decimal::ZERO, held < Decimal::ZERO) {
            (true, true) => Side::Cover,
            (true, false) => Side::Buy,
            (false, _) if held > Decimal::ZERO => Side::Sell,
            (false, _) => Side::Short,
        };
        let id = format!("adopted-{broker}-{symbol}-{}", self.state.inputs);
        let fill = mts_foundation::Fill::new(&id, &id, symbol.as_str(), side, by.abs(), mark, self.state.now);
        let Ok(fill) = fill else { return Ok(()) };
        let nav = |core: &Self| {
            core.state.ledger.fund(fund_id).map(mts_foundation::FundBook::nav).unwrap_or_default()
        };
        let before = nav(self);
        let change = self.state.ledger.book_fill(&self.config.instruments, fund_id, &fill)?;
        // A fill takes cash; this did not.
        let multiplier = self.config.instruments.get(symbol).map_or(Decimal::ONE, |found| found.multiplier);
        self.state.ledger.flow(fund_id, by * mark * multiplier)?;
        self.fill_booked(fund_id, &fill, &change, output);
        let amount = nav(self) - before;
        let message = format!("{by} {symbol} at {broker} are taken into fund {fund_id}: {reason}");
        self.incident("POSITION_ADOPTED", message, None, output);
        if let Some(watch) = self.state.accounts.get_mut(broker) {
            watch.unexplained.remove(symbol);
        }
        self.risk_event(&RiskEvent::Flowed { fund_id: fund_id.clone(), amount }, output)
    }
}
