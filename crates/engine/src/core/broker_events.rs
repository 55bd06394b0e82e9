//! What venues say by themselves: fills above all.

use super::{Core, CoreError};
use crate::output::Output;
use mts_foundation::broker_event::{BrokerEvent, OrderReport};
use mts_foundation::event::Event;
use mts_foundation::order_record::FillEffect;
use mts_foundation::risk::RiskEvent;
use mts_foundation::{Decimal, Fill, OrderState};

impl Core {
    pub(crate) fn broker_event(&mut self, event: &BrokerEvent, output: &mut Output) -> Result<(), CoreError> {
        match event {
            BrokerEvent::Fill { fill, cursor, .. } => {
                self.state.cursor = Some(cursor.clone());
                self.fill(fill, output)
            }
            BrokerEvent::Order(report) => self.report(report, output),
            BrokerEvent::Cash { .. }
            | BrokerEvent::FeesKnown { .. }
            | BrokerEvent::Corrected { .. }
            | BrokerEvent::Busted { .. }
            | BrokerEvent::Gap { .. } => {
                let message =
                    format!("a broker event that is not booked by rule: {event:?}; reconcile the account");
                self.incident("UNBOOKED_BROKER_EVENT", message, None, output);
                Ok(())
            }
        }
    }

    /// Books a fill, once (decision F1).
    fn fill(&mut self, fill: &Fill, output: &mut Output) -> Result<(), CoreError> {
        if !self.state.is_new_fill(&fill.fill_id) {
            self.state.counters.duplicate_fills = self.state.counters.duplicate_fills.saturating_add(1);
            return Ok(());
        }
        let Some(record) = self.state.orders.get_mut(&fill.order_id) else {
            let message = format!(
                "fill {} of {} {} {} belongs to no known order; reconcile the account",
                fill.fill_id, fill.side, fill.quantity, fill.symbol
            );
            self.incident("FILL_WITHOUT_ORDER", message, Some(&fill.order_id), output);
            return Ok(());
        };
        let effect = record.book(fill);
        let record = record.clone();
        let fund_id = &record.order.fund_id;
        let change = self.state.ledger.book_fill(&self.config.instruments, fund_id, fill)?;
        if record.state.is_terminal() {
            self.ended(&record)?;
        }
        let counters = &mut self.state.counters;
        counters.fills = counters.fills.saturating_add(1);
        counters.traded = counters.traded.saturating_add(fill.gross());
        let (cash, nav) = self
            .state
            .ledger
            .fund(fund_id)
            .map_or((Decimal::ZERO, Decimal::ZERO), |book| (book.cash(), book.nav()));
        output.events.push(Event::FillCreated {
            fund_id: fund_id.clone(),
            fill: fill.clone(),
            position_before: change.before,
            position_after: change.after,
            realized: change.realized,
            cash,
            nav,
        });
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
            &RiskEvent::Filled { fund_id: fund_id.clone(), order_id: fill.order_id.clone() },
            output,
        )
    }

    /// Follows what a venue reports of an order. Quantities come from fills alone.
    fn report(&mut self, report: &OrderReport, output: &mut Output) -> Result<(), CoreError> {
        let now = self.state.now;
        let Some(record) = report.order_id.as_ref().and_then(|id| self.state.orders.get_mut(id)) else {
            let message = format!(
                "the venue reports order {}, which is not known here",
                report.broker_order_id.as_str()
            );
            self.incident("UNKNOWN_ORDER", message, report.order_id.as_ref(), output);
            return Ok(());
        };
        if record.state == report.state || record.state.is_terminal() {
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
                output.events.push(Event::OrderAccepted(record))
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
