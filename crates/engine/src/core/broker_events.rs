//! What venues say by themselves: fills above all.

use super::closing::is_close;
use super::fill_memory::name_of;
use super::state::{Amount, FillKey, MAX_UNBOOKED};
use super::unknown::is_synthetic;
use super::{Core, CoreError};
use crate::output::Output;
use mts_foundation::broker_event::{BrokerEvent, FeeStatus, OrderReport};
use mts_foundation::event::Event;
use mts_foundation::order_record::FillEffect;
use mts_foundation::position::PositionChange;
use mts_foundation::risk::RiskEvent;
use mts_foundation::{AccountId, BrokerName, CashKind, Decimal, Fill, FundId, OrderRecord, OrderState};

impl Core {
    pub(crate) fn broker_event(
        &mut self,
        broker: &BrokerName,
        event: &BrokerEvent,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        match event {
            BrokerEvent::Fill { account, fill, cursor, fees } => {
                self.state.cursors.insert(broker.clone(), cursor.clone());
                self.fill((broker.clone(), account.clone(), fill.fill_id.clone()), fill, *fees, output)
            }
            BrokerEvent::Order(report) => self.report(report, output),
            BrokerEvent::Cash { cursor, flow } => {
                self.state.cursors.insert(broker.clone(), cursor.clone());
                self.cash_moved(broker, flow, output)
            }
            BrokerEvent::FeesKnown { cursor, account, fill_id, fees } => {
                self.state.cursors.insert(broker.clone(), cursor.clone());
                let key = (broker.clone(), account.clone(), fill_id.clone());
                if self.awaits_fees(&key) || self.has_fees(&key) {
                    return self.settle_fees(key, *fees, output);
                }
                self.unbooked_event(event, output);
                Ok(())
            }
            BrokerEvent::Corrected { cursor, .. } | BrokerEvent::Busted { cursor, .. } => {
                self.state.cursors.insert(broker.clone(), cursor.clone());
                self.unbooked_event(event, output);
                Ok(())
            }
            // What lies between is filled in by the adapter, or found by comparing the account.
            BrokerEvent::Gap { recoverable: true, .. } => Ok(()),
            BrokerEvent::Gap { recoverable: false, from, to } => {
                let message = format!(
                    "what happened at {broker} between {from} and {to} was not told; the account is compared"
                );
                self.incident("GAP", message, None, output);
                self.ask_account(broker, output);
                Ok(())
            }
        }
    }

    pub(super) fn unbooked_event(&mut self, event: &BrokerEvent, output: &mut Output) {
        let message = format!("a broker event that is not booked by rule: {event:?}; reconcile the account");
        self.incident("UNBOOKED_BROKER_EVENT", message, None, output);
    }

    /// Keeps a fill that cannot be booked.
    fn set_aside(&mut self, key: FillKey, fill: &Fill, code: &'static str, why: &str, output: &mut Output) {
        let Fill { fill_id, side, quantity, symbol, order_id, .. } = fill;
        let kept = self.state.unbooked.len() < MAX_UNBOOKED;
        if kept {
            self.state.unbooked.insert(key, fill.clone());
        }
        let message = format!(
            "fill {fill_id} of {side} {quantity} {symbol} {why}; it is {}; reconcile the account",
            if kept { "set aside" } else { "not kept, too many are" }
        );
        self.incident(code, message, Some(order_id), output);
    }

    /// Books a fill that stands for those that did not come.
    pub(crate) fn synthetic_fill(&mut self, fill: &Fill, output: &mut Output) -> Result<(), CoreError> {
        let Some(record) = self.state.orders.get(&fill.order_id) else { return Ok(()) };
        let key = (record.order.broker.clone(), AccountId::new("synthetic")?, fill.fill_id.clone());
        let slot = self.state.synthetic.entry(fill.order_id.clone());
        let stand_in = slot.or_insert_with(|| Amount { quantity: Decimal::ZERO, price: fill.price });
        stand_in.quantity = stand_in.quantity.saturating_add(fill.quantity);
        stand_in.price = fill.price;
        self.fill(key, fill, FeeStatus::Known, output)
    }

    /// A fill comes for which another stood in: what it brings beyond that is returned, the money is put right.
    fn replace_stand_in(&mut self, fill: &Fill, output: &mut Output) -> Result<Option<Fill>, CoreError> {
        let Some(stand_in) = self.state.synthetic.get_mut(&fill.order_id) else {
            return Ok(Some(fill.clone()));
        };
        let replaced = stand_in.quantity.min(fill.quantity);
        let price = stand_in.price;
        stand_in.quantity -= replaced;
        if stand_in.quantity.is_zero() {
            self.state.synthetic.remove(&fill.order_id);
        }
        let rest = fill.quantity - replaced;
        let Some(record) = self.state.orders.get(&fill.order_id) else { return Ok(Some(fill.clone())) };
        let (fund_id, sign) = (record.order.fund_id.clone(), Decimal::from(fill.side.sign()));
        let multiplier =
            self.config.instruments.get(&fill.symbol).map_or(Decimal::ONE, |found| found.multiplier);
        let fees = if rest.is_zero() { fill.fees } else { Decimal::ZERO };
        let correction = (price - fill.price) * replaced * multiplier * sign - fees;
        if !correction.is_zero() {
            self.state.ledger.flow(&fund_id, correction)?;
            let what = (CashKind::Other, correction, Some(&fill.symbol));
            let cause = format!("correction by fill {}", fill.fill_id);
            self.cash_has_moved(&fund_id, what, (&cause, Some((&fill.fill_id, &fill.order_id))), output);
        }
        let message = format!(
            "fill {} of order {} came after all; it replaces what stood for it, cash changes by {correction}",
            fill.fill_id, fill.order_id
        );
        self.incident("SYNTHETIC_FILL_REPLACED", message, Some(&fill.order_id), output);
        if rest.is_zero() {
            return Ok(None);
        }
        let mut fill = fill.clone();
        fill.quantity = rest;
        Ok(Some(fill))
    }

    /// Books a fill, once (decision F1), in whatever state its order is (decision O5).
    fn fill(
        &mut self,
        key: FillKey,
        fill: &Fill,
        fees: FeeStatus,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let name = name_of(&key);
        if let Some(Amount { quantity, price }) = self.state.known_fill(&key, &name) {
            self.state.counters.duplicate_fills = self.state.counters.duplicate_fills.saturating_add(1);
            if (quantity, price) != (fill.quantity, fill.price) {
                let message = format!(
                    "fill {} of order {} was {quantity} at {price} and is told again as {} at {}; the first is booked; look at \
                     the account",
                    fill.fill_id, fill.order_id, fill.quantity, fill.price
                );
                self.incident("FILL_DIFFERS", message, Some(&fill.order_id), output);
                return Ok(());
            }
            // A history may know the fees that the stream did not.
            return match fees {
                FeeStatus::Known if self.awaits_fees(&key) => self.settle_fees(key, fill.fees, output),
                _ => Ok(()),
            };
        }
        if !self.state.orders.contains_key(&fill.order_id) {
            self.set_aside(key, fill, "FILL_WITHOUT_ORDER", "belongs to no known order", output);
            return Ok(());
        }
        if self.config.instruments.get(&fill.symbol).is_none() {
            self.set_aside(key, fill, "FILL_WITHOUT_INSTRUMENT", "is of an unknown instrument", output);
            return Ok(());
        }
        self.state.fill_ids.insert(name, fill);
        if fees == FeeStatus::Pending {
            self.fees_follow(&key, fill);
        }
        let broker = key.0;
        self.position_changed(&broker, &fill.symbol);
        let rest;
        // Nearly never did something stand in.
        let fill = if is_synthetic(&fill.fill_id) || !self.state.synthetic.contains_key(&fill.order_id) {
            fill
        } else {
            let Some(left) = self.replace_stand_in(fill, output)? else { return Ok(()) };
            rest = left;
            &rest
        };
        let Some(record) = self.state.orders.get_mut(&fill.order_id) else { return Ok(()) };
        if (&record.order.symbol, record.order.side) != (&fill.symbol, fill.side) {
            let fund_id = record.order.fund_id.clone();
            return self.mismatched_fill(&fund_id, fill, output);
        }
        let had_ended = record.state.is_terminal();
        let effect = record.book(fill);
        // A venue's clock may be ahead: an order of the future would be remembered for ever.
        record.updated_at = record.updated_at.min(self.state.now);
        let record = record.clone();
        let fund_id = &record.order.fund_id;
        if had_ended && record.state.is_working() {
            // The venue has it after all: what is left of it counts again.
            let units = record.remaining() + fill.quantity;
            self.state.ledger.add_working(&self.config.instruments, &record.order, units)?;
        }
        let change = self.state.ledger.book_fill(&self.config.instruments, fund_id, fill)?;
        if record.state.is_terminal() {
            self.ended(&record)?;
        }
        self.fill_booked(fund_id, fill, &change, output);
        self.kin_filled(&record, fill, output)?;
        let order_id = &fill.order_id;
        match effect {
            FillEffect::Booked => {}
            FillEffect::Overfilled => {
                let message =
                    format!("order {order_id} is filled {} of {}", record.filled, record.order.quantity);
                self.incident("OVERFILL", message, Some(order_id), output);
            }
            FillEffect::AfterTheEnd => {
                let message =
                    format!("order {order_id} had ended and was filled all the same; the fill is booked");
                self.incident("FILL_AFTER_END", message, Some(order_id), output);
            }
        }
        if change.crossed_zero {
            let message =
                format!("fill {} took {} through zero to {}", fill.fill_id, fill.symbol, change.after);
            self.incident("POSITION_FLIPPED", message, Some(order_id), output);
        }
        self.risk_event(
            &RiskEvent::Filled {
                fund_id: fund_id.clone(),
                order_id: fill.order_id.clone(),
                symbol: fill.symbol.clone(),
            },
            output,
        )
    }

    /// Books the money of a fill that is not what its order asked for; the order stays as it is.
    fn mismatched_fill(
        &mut self,
        fund_id: &FundId,
        fill: &Fill,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let change = self.state.ledger.book_fill(&self.config.instruments, fund_id, fill)?;
        self.fill_booked(fund_id, fill, &change, output);
        let Fill { fill_id, side, quantity, symbol, order_id, .. } = fill;
        let message = format!(
            "fill {fill_id} of {side} {quantity} {symbol} is not what order {order_id} asked for; the money is booked, the \
             order counts on; reconcile the account"
        );
        self.incident("FILL_MISMATCH", message, Some(order_id), output);
        let (fund_id, order_id, symbol) = (fund_id.clone(), order_id.clone(), symbol.clone());
        self.risk_event(&RiskEvent::Filled { fund_id, order_id, symbol }, output)
    }

    pub(crate) fn fill_booked(
        &mut self,
        fund_id: &FundId,
        fill: &Fill,
        change: &PositionChange,
        output: &mut Output,
    ) {
        let counters = &mut self.state.counters;
        counters.fills = counters.fills.saturating_add(1);
        counters.traded = counters.traded.saturating_add(fill.gross());
        let (cash, nav) = self
            .state
            .ledger
            .fund(fund_id)
            .map_or((Decimal::ZERO, Decimal::ZERO), |book| (book.cash(), book.nav()));
        let order = self.state.orders.get(&fill.order_id).map(|record| &record.order);
        let own = order.filter(|order| !is_close(order));
        output.events.push(Event::FillCreated {
            fund_id: fund_id.clone(),
            strategy_id: own.map(|order| order.strategy_id.clone()),
            fill: fill.clone(),
            position_before: change.before,
            position_after: change.after,
            realized: change.realized,
            cash,
            nav,
        });
    }

    /// Whether taking the event would change anything. A report that repeats what is known changes nothing: a shell need not
    /// journal it, and after a restart it may never come.
    #[must_use]
    pub fn is_news(&self, event: &BrokerEvent) -> bool {
        let BrokerEvent::Order(report) = event else { return true };
        let known = report.order_id.as_ref().and_then(|id| self.state.orders.get(id));
        known.is_none_or(|record| !says_nothing_new(record, report))
    }

    /// Follows what a venue reports of an order. Quantities come from fills alone.
    pub(crate) fn report(&mut self, report: &OrderReport, output: &mut Output) -> Result<(), CoreError> {
        let now = self.state.now;
        let Some(record) = report.order_id.as_ref().and_then(|id| self.state.orders.get_mut(id)) else {
            let message = format!(
                "the venue reports order {}, which is not known here",
                report.broker_order_id.as_str()
            );
            self.incident("UNKNOWN_ORDER", message, report.order_id.as_ref(), output);
            return Ok(());
        };
        if says_nothing_new(record, report) {
            return Ok(());
        }
        if self.state.live && report.state.is_terminal() && report.filled > record.filled {
            // It ended with more than fills came: they are on their way, or lost. Until it is known it counts on.
            let order_id = record.order.order_id.clone();
            self.inquire(&order_id);
            return Ok(());
        }
        let reason = || report.reason.clone().unwrap_or_default();
        let step = match report.state {
            OrderState::Accepted => record.accept(now, report.broker_order_id.clone()),
            OrderState::Triggered => record.trigger(now),
            OrderState::Canceled => record.cancel(now),
            OrderState::Expired => record.expire(now),
            OrderState::Rejected => record.reject(now, reason()),
            // Fills tell about these.
            _ => return Ok(()),
        };
        let record = record.clone();
        if let Err(illegal) = step {
            self.incident("ILLEGAL_TRANSITION", illegal.to_string(), report.order_id.as_ref(), output);
            return Ok(());
        }
        match record.state {
            OrderState::Accepted | OrderState::PartiallyFilled => {
                let order_id = record.order.order_id.clone();
                output.events.push(Event::OrderAccepted(record));
                self.cancel_if_wanted(&order_id, output);
            }
            OrderState::Canceled => {
                output.events.push(Event::OrderCanceled(record.clone()));
                self.ended(&record)?;
            }
            OrderState::Expired => {
                output.events.push(Event::OrderExpired(record.clone()));
                self.ended(&record)?;
            }
            OrderState::Rejected => {
                self.state.counters.rejected = self.state.counters.rejected.saturating_add(1);
                output.events.push(Event::OrderRejected(record.clone()));
                self.ended(&record)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether a report repeats what is known, comes after the end, or is older than a cancel that was asked for; and fills,
/// not reports, say what is filled.
fn says_nothing_new(record: &OrderRecord, report: &OrderReport) -> bool {
    let told_by_fills = matches!(report.state, OrderState::Filled | OrderState::PartiallyFilled);
    let before_the_cancel = record.state == OrderState::PendingCancel && !report.state.is_terminal();
    record.state == report.state || record.state.is_terminal() || told_by_fills || before_the_cancel
}
