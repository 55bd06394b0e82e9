//! What is told of orders and trades, as events.

use super::book::Book;
use super::codes::{Weather, weather};
use super::map;
use super::wire::Told;
use crate::kit::{Failure, KnownOrders, Session, Step};
use bytes::Bytes;
use mts_foundation::broker::{BrokerError, BrokerErrorKind, ErrorStatus};
use mts_foundation::broker_event::BrokerEvent;
use mts_foundation::io::Frame;
use mts_foundation::{AccountId, Decimal, FillId, OrderState, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Most orders whose sums are kept; without one the history is asked once too often.
const MAX_SUMS: usize = 10_000;

/// What all streams and calls of a broker know together.
#[derive(Debug, Clone)]
pub struct Shared {
    pub(super) orders: Arc<KnownOrders>,
    pub(super) book: Arc<Book>,
}

impl Shared {
    /// What is known at first under a `client_id`: nothing.
    #[must_use]
    pub fn of_client(client_id: i32) -> Self {
        Self { orders: Arc::default(), book: Arc::new(Book::of_client(client_id)) }
    }
}

/// One listener's talk. It gets what TWS has told as JSON, one frame each.
#[derive(Debug)]
pub struct OrderUpdates {
    account: AccountId,
    shared: Shared,
    beat_every: Duration,
    filled: Filled,
}

/// How much of each order was told as filled: a trade that is lost leaves a hole in the sum.
#[derive(Debug, Default)]
struct Filled(BTreeMap<i64, (Decimal, FillId)>);

impl OrderUpdates {
    /// A talk about an account's orders, with a sign of life asked for so often.
    #[must_use]
    pub fn new(account: AccountId, shared: Shared, beat_every: Duration) -> Self {
        Self { account, shared, beat_every, filled: Filled::default() }
    }

    fn told(&mut self, told: &Told, now: Timestamp, steps: &mut Vec<Step>) -> Result<(), Failure> {
        let Shared { orders, book } = &self.shared;
        let order = match told {
            Told::Live => {
                steps.push(Step::Live);
                None
            }
            Told::Order(order) if order.perm_id == 0 || order.account != self.account.as_str() => None,
            Told::Order(order) => Some(book.learn(order.clone())),
            Told::Status(status) => book.status(status),
            Told::Execution { execution, fees } => {
                let events = map::of_execution(execution, fees.as_ref(), (orders, book), &self.account, now);
                if !events.is_empty() && self.filled.has_hole(execution) {
                    steps.push(Step::Look);
                }
                steps.extend(events.into_iter().map(|event| Step::Event(Box::new(event))));
                None
            }
            Told::Fees(fees) => {
                let event = map::of_fees(fees, book, &self.account)?;
                steps.extend(event.map(|event| Step::Event(Box::new(event))));
                None
            }
            Told::Notice(notice) => {
                if notice.about.is_none() && matches!(weather(notice.code), Weather::Up | Weather::Missed) {
                    steps.push(Step::Look);
                }
                book.refused(notice).filter(|order| map::state(order).is_terminal())
            }
        };
        if let Some(order) = order {
            let report = map::report(&order, orders, book, now)?;
            // It is on its way to the market; whoever has sent it knows.
            if report.state != OrderState::Submitting {
                steps.push(Step::Event(Box::new(BrokerEvent::Order(report))));
            }
        }
        Ok(())
    }
}

impl Filled {
    /// Takes a trade; whether one before it is missing.
    fn has_hole(&mut self, execution: &super::wire::WireExecution) -> bool {
        let Ok((trade, _)) = map::trade_of(&execution.id) else { return false };
        let before = self.0.get(&execution.perm_id);
        let told = before.map(|(told, _)| *told).unwrap_or_default();
        let again = before.is_some_and(|(_, last)| *last == trade);
        let hole = !again && told < execution.cumulative.saturating_sub(execution.quantity);
        if execution.cumulative > told {
            if self.0.len() >= MAX_SUMS {
                self.0.pop_first();
            }
            self.0.insert(execution.perm_id, (execution.cumulative, trade));
        }
        hole
    }
}

impl Session for OrderUpdates {
    fn open(&mut self, _now: Timestamp) -> Vec<Frame> {
        Vec::new()
    }

    fn take(&mut self, frame: &[u8], now: Timestamp, steps: &mut Vec<Step>) -> Result<(), BrokerError> {
        let told: Told = serde_json::from_slice(frame).map_err(|error| {
            let message = format!("what was told cannot be read: {error}");
            BrokerError::new("events", BrokerErrorKind::Protocol, ErrorStatus::Temporary, message)
        })?;
        if let Told::Notice(notice) = &told
            && notice.about.is_none()
            && weather(notice.code) == Weather::Over
        {
            let message = format!("TWS ends the connection: {} ({})", notice.message, notice.code);
            return Err(BrokerError::new(
                "events",
                BrokerErrorKind::Disconnected,
                ErrorStatus::Temporary,
                message,
            ));
        }
        self.told(&told, now, steps).map_err(|failure| {
            let mut error = failure.of_query("events");
            // The next connection begins with the history, which has what this message has said.
            error.status = ErrorStatus::Temporary;
            error
        })
    }

    fn heartbeat(&self) -> Option<(Duration, Frame)> {
        // The feed asks TWS for its time, and fails where there is no answer.
        Some((self.beat_every, Frame::Ping(Bytes::new())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{ContractFields, WireExecution, WireNotice, WireOrder, WireStatus};
    use super::*;

    fn take(session: &mut OrderUpdates, told: &Told) -> Result<Vec<Step>, BrokerError> {
        let mut steps = Vec::new();
        session.take(&serde_json::to_vec(told).unwrap(), Timestamp::EPOCH, &mut steps)?;
        Ok(steps)
    }

    fn session() -> OrderUpdates {
        OrderUpdates::new(AccountId::new("DU1").unwrap(), Shared::of_client(1), Duration::from_secs(1))
    }

    fn notice(about: Option<i32>, code: i32) -> Told {
        Told::Notice(WireNotice { about, code, message: "so".to_owned() })
    }

    fn order(status: &str) -> Told {
        let contract = ContractFields {
            sec_type: "STK".into(),
            symbol: "AAPL".into(),
            currency: "USD".into(),
            ..ContractFields::default()
        };
        Told::Order(WireOrder {
            order_id: 3,
            client_id: 1,
            perm_id: 9,
            account: "DU1".into(),
            action: "BUY".into(),
            quantity: Decimal::TEN,
            status: status.into(),
            contract,
            ..WireOrder::default()
        })
    }

    /// The states that steps tell.
    fn states(steps: &[Step]) -> Vec<OrderState> {
        let state = |step: &Step| match step {
            Step::Event(event) => match &**event {
                BrokerEvent::Order(report) => Some(report.state),
                _ => None,
            },
            _ => None,
        };
        steps.iter().filter_map(state).collect()
    }

    #[test]
    fn after_trouble_between_tws_and_the_venue_the_history_is_asked() {
        let mut session = session();
        for (code, looks) in [(1_101, true), (1_102, true), (-5, true), (1_100, false), (2_104, false)] {
            let steps = take(&mut session, &notice(None, code)).unwrap();
            assert_eq!(steps == [Step::Look], looks, "{code}");
        }
        let over = take(&mut session, &notice(None, 1_300)).unwrap_err();
        assert_eq!((over.kind, over.status), (BrokerErrorKind::Disconnected, ErrorStatus::Temporary));
        assert!(session.take(b"{", Timestamp::EPOCH, &mut Vec::new()).is_err());
    }

    #[test]
    fn an_order_is_told_once_the_venue_has_it_and_a_refusal_is_its_end() {
        let mut session = session();
        assert_eq!(take(&mut session, &order("PendingSubmit")).unwrap(), []);
        assert_eq!(states(&take(&mut session, &order("Submitted")).unwrap()), [OrderState::Accepted]);
        // The message first and the status after it; both are the end.
        assert_eq!(take(&mut session, &notice(Some(3), 201)).unwrap(), []);
        let status =
            WireStatus { order_id: 3, perm_id: 9, status: "Inactive".into(), ..WireStatus::default() };
        assert_eq!(states(&take(&mut session, &Told::Status(status)).unwrap()), [OrderState::Rejected]);
        // Somebody else's account, and an order that nobody has told of.
        let Told::Order(other) = order("Submitted") else { panic!() };
        let other = Told::Order(WireOrder { account: "DU2".into(), perm_id: 10, ..other });
        assert_eq!(take(&mut session, &other).unwrap(), []);
        let status = WireStatus { perm_id: 11, status: "Filled".into(), ..WireStatus::default() };
        assert_eq!(take(&mut session, &Told::Status(status)).unwrap(), []);
    }

    #[test]
    fn a_hole_in_what_was_filled_asks_the_history() {
        let mut session = session();
        let Told::Order(order) = order("Submitted") else { panic!() };
        let mut trade = |id: &str, quantity: i64, cumulative: i64| {
            let execution = WireExecution {
                id: id.into(),
                perm_id: 9,
                account: "DU1".into(),
                contract: order.contract.clone(),
                quantity: quantity.into(),
                price: Decimal::ONE,
                cumulative: cumulative.into(),
                time: "2026-11-20T20:00:00Z".into(),
                ..WireExecution::default()
            };
            take(&mut session, &Told::Execution { execution, fees: None }).unwrap().contains(&Step::Look)
        };
        assert!(!trade("a.a.01.01", 1, 1));
        assert!(!trade("a.a.01.01", 1, 1), "twice");
        assert!(!trade("a.b.01.01", 2, 3));
        assert!(trade("a.d.01.01", 3, 10), "4 are missing");
        assert!(!trade("a.c.01.01", 4, 7), "it is known by now that something is missing");
    }
}
