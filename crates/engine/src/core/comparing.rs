//! What an account shows against what the books say: orders, positions, cash.

use super::accounts::{ForeignOrder, Mismatch, Suspect};
use super::{Core, CoreError};
use crate::output::Output;
use mts_foundation::broker_event::OrderReport;
use mts_foundation::reconcile::{AccountSnapshot, Difference, diff};
use mts_foundation::{BrokerName, Decimal, OrderId, OrderState, Symbol};
use std::collections::{BTreeMap, BTreeSet};

/// Foreign orders that are remembered, so that each is told once.
const MAX_FOREIGN: usize = 1_000;

/// Looks in a row at which a position may differ before nobody waits any longer for a fill that explains it. In an instrument
/// that is traded all the time no two looks need to be alike.
const MAX_LOOKS: u32 = 5;

impl Core {
    /// Orders: those the venue shows are believed; those it does not show any more are asked for one by one; those that are
    /// not ours are told.
    pub(super) fn compare_orders(
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
        if let Some(watch) = self.state.accounts.get_mut(broker) {
            watch.foreign.values_mut().for_each(|order| order.shown = false);
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
            let leaving = |state| matches!(state, OrderState::Submitting | OrderState::PendingRisk);
            if self.state.orders.get(&order_id).is_some_and(|record| !leaving(record.state)) {
                self.inquire(&order_id);
            }
        }
        Ok(())
    }

    fn foreign_order(&mut self, broker: &BrokerName, report: &OrderReport, output: &mut Output) {
        let id = &report.broker_order_id;
        let of_key = |key| self.state.keys.get(key).map(|entry| entry.order_id.clone());
        let ours = report.order_id.clone().filter(|id| self.state.orders.contains_key(id));
        let ours = ours.or_else(|| report.idempotency_key.as_ref().and_then(of_key));
        if ours.as_ref().is_some_and(|order_id| self.sent_after_all(order_id, report, output)) {
            return;
        }
        // An order of ours that ended here while the answer was on its way.
        let known = ours.is_some();
        let Some(watch) = self.state.accounts.get_mut(broker) else { return };
        if let Some(told) = watch.foreign.get_mut(id) {
            told.shown = true;
            return;
        }
        if known || watch.foreign.len() >= MAX_FOREIGN {
            return;
        }
        let OrderReport { symbol, side, quantity, .. } = report;
        let order = ForeignOrder { symbol: symbol.clone(), side: *side, quantity: *quantity, shown: true };
        watch.foreign.insert(id.clone(), order);
        let message = format!(
            "order {id} ({} {} {}) works at {broker} and is not ours; cancel it there, or say who places it",
            report.side, report.quantity, report.symbol
        );
        self.incident("FOREIGN_ORDER", message, None, output);
    }

    /// Positions: the sum of the funds against the account (decision O9). True when nothing waits for a second look.
    pub(super) fn compare_positions(
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
        for (symbol, found) in found {
            if let Some(known) = watch.unexplained.get_mut(&symbol).filter(|known| known.by() == found.by()) {
                // Traded since; what nobody can explain is the same.
                *known = found;
                continue;
            }
            let before = watch.suspects.get(&symbol);
            let same = before.is_some_and(|before| before.found.by() == found.by());
            let looks = before.map_or(0, |before| before.looks).saturating_add(1);
            if (same && !watch.changed.contains(&symbol)) || looks >= MAX_LOOKS {
                watch.unexplained.insert(symbol.clone(), found.clone());
                stayed.push((symbol, found));
            } else {
                suspects.insert(symbol, Suspect { found, looks });
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

    /// Cash: told, not acted on, because venues book fees and interest when they like.
    pub(super) fn compare_cash(
        &mut self,
        broker: &BrokerName,
        snapshot: &AccountSnapshot,
        output: &mut Output,
    ) {
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
            "the account at {broker} has {} in cash, the books {ours}; book the movement with `mts \
             reconcile --book-cash`",
            snapshot.account.cash
        );
        self.incident("CASH_DIFFERS", message, None, output);
    }
}
