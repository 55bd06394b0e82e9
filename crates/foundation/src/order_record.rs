//! The life of an order: its states, the legal steps between them, and the record the engine keeps.

use crate::fill::Fill;
use crate::ids::{BrokerOrderId, OrderId};
use crate::num::{Decimal, exact, exact_option};
use crate::order::{Order, wire_enum};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

wire_enum! {
    /// Where an order is in its life (decision O5).
    OrderState {
        /// Made, not yet gated.
        Created = "created",
        /// Passed the pure gates; an asynchronous gate is deciding.
        PendingRisk = "pending_risk",
        /// Refused by a gate or by the venue. Terminal for order facts.
        Rejected = "rejected",
        /// The intent is durable; the call to the venue is under way.
        Submitting = "submitting",
        /// The venue has it.
        Accepted = "accepted",
        /// Proven never to have left this process. Terminal.
        NotSent = "not_sent",
        /// May or may not be live at the venue; left only by evidence or by an operator.
        Unknown = "unknown",
        /// Some of it is filled.
        PartiallyFilled = "partially_filled",
        /// A cancel was asked for and is not confirmed.
        PendingCancel = "pending_cancel",
        /// Its stop price was reached.
        Triggered = "triggered",
        /// All of it is filled. Terminal.
        Filled = "filled",
        /// Cancelled by confirmation. Terminal for order facts.
        Canceled = "canceled",
        /// Its time in force ended. Terminal for order facts.
        Expired = "expired",
    }
}

impl OrderState {
    /// Whether no further order fact is expected (a late fill is booked all the same).
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Rejected | Self::NotSent | Self::Filled | Self::Canceled | Self::Expired)
    }

    /// Whether the order may still fill at the venue and so counts at its worst case.
    #[must_use]
    pub const fn is_working(self) -> bool {
        matches!(
            self,
            Self::Submitting
                | Self::Accepted
                | Self::Unknown
                | Self::PartiallyFilled
                | Self::PendingCancel
                | Self::Triggered
        )
    }

    /// Whether the step from this state to `next` is legal.
    #[must_use]
    pub const fn can_become(self, next: Self) -> bool {
        use OrderState as S;
        match self {
            S::Created => matches!(next, S::PendingRisk | S::Rejected | S::Submitting),
            S::PendingRisk => matches!(next, S::Rejected | S::Submitting | S::Canceled),
            S::Submitting => matches!(
                next,
                S::Accepted | S::Rejected | S::NotSent | S::Unknown | S::PartiallyFilled | S::Filled
            ),
            S::Unknown => matches!(
                next,
                S::Accepted
                    | S::Rejected
                    | S::NotSent
                    | S::PartiallyFilled
                    | S::PendingCancel
                    | S::Triggered
                    | S::Filled
                    | S::Canceled
                    | S::Expired
            ),
            S::Accepted | S::PartiallyFilled | S::PendingCancel | S::Triggered => matches!(
                next,
                S::Accepted
                    | S::PartiallyFilled
                    | S::PendingCancel
                    | S::Triggered
                    | S::Filled
                    | S::Canceled
                    | S::Expired
                    | S::Rejected
                    | S::Unknown
            ),
            S::Rejected | S::NotSent | S::Filled | S::Canceled | S::Expired => false,
        }
    }
}

/// A step that the life of an order does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("order {order_id} is {from} and cannot become {to}")]
pub struct IllegalTransition {
    /// Which order.
    pub order_id: OrderId,
    /// The state it is in.
    pub from: OrderState,
    /// The state that was asked for.
    pub to: OrderState,
}

/// What booking a fill did to its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillEffect {
    /// Filled quantity is at most the ordered one.
    Booked,
    /// More was filled than ordered: booked all the same, and an incident.
    Overfilled,
    /// The order was already over by its record: booked all the same, and an incident.
    AfterTheEnd,
}

/// An order and everything that happened to it (decision O5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderRecord {
    /// The request with its lifecycle fields.
    pub order: Order,
    /// Where it is in its life.
    pub state: OrderState,
    /// Units filled so far.
    #[serde(with = "exact")]
    pub filled: Decimal,
    /// Quantity-weighted price of the fills; `None` before the first.
    #[serde(with = "exact_option")]
    pub average_price: Option<Decimal>,
    /// Fees so far, in the account's base currency, positive = cost.
    #[serde(with = "exact")]
    pub fees: Decimal,
    /// How many fills were booked.
    pub fills: u32,
    /// The order this is a slice of.
    pub parent: Option<OrderId>,
    /// The contingent group (one-cancels-other, bracket) this belongs to.
    pub group: Option<SmolStr>,
    /// When the state last changed.
    pub updated_at: Timestamp,
}

impl OrderRecord {
    /// A record of a new order.
    #[must_use]
    pub fn new(order: Order) -> Self {
        let updated_at = order.created_at;
        Self {
            order,
            state: OrderState::Created,
            filled: Decimal::ZERO,
            average_price: None,
            fees: Decimal::ZERO,
            fills: 0,
            parent: None,
            group: None,
            updated_at,
        }
    }

    /// Units not yet filled; never negative.
    #[must_use]
    pub fn remaining(&self) -> Decimal {
        (self.order.quantity - self.filled).max(Decimal::ZERO)
    }

    fn step(&mut self, to: OrderState, at: Timestamp) -> Result<(), IllegalTransition> {
        if !self.state.can_become(to) {
            return Err(IllegalTransition { order_id: self.order.order_id.clone(), from: self.state, to });
        }
        self.state = to;
        self.updated_at = at;
        Ok(())
    }

    /// It passed the pure gates, and an asynchronous gate is asked about it.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless created.
    pub fn await_gates(&mut self, at: Timestamp) -> Result<(), IllegalTransition> {
        self.step(OrderState::PendingRisk, at)
    }

    /// The intent is about to leave.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless created or pending risk.
    pub fn submit(&mut self, at: Timestamp) -> Result<(), IllegalTransition> {
        self.step(OrderState::Submitting, at)
    }

    /// An execution algorithm works it: its children go to the venue, it does not, so it counts as accepted without a
    /// venue's id.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless created or pending risk.
    pub fn work(&mut self, at: Timestamp) -> Result<(), IllegalTransition> {
        self.step(OrderState::Submitting, at)?;
        self.step(OrderState::Accepted, at)
    }

    /// The venue acknowledged it. An acknowledgement after the first fill keeps the fill's state.
    ///
    /// # Errors
    /// [`IllegalTransition`] from a terminal state or before submission.
    pub fn accept(&mut self, at: Timestamp, id: BrokerOrderId) -> Result<(), IllegalTransition> {
        let to = if self.filled > Decimal::ZERO { OrderState::PartiallyFilled } else { OrderState::Accepted };
        if self.state != OrderState::Filled {
            self.step(to, at)?;
        }
        self.order.accept(at, id);
        Ok(())
    }

    /// A gate or the venue refused it.
    ///
    /// # Errors
    /// [`IllegalTransition`] from a terminal state.
    pub fn reject(&mut self, at: Timestamp, reason: impl Into<SmolStr>) -> Result<(), IllegalTransition> {
        self.step(OrderState::Rejected, at)?;
        self.order = self.order.clone().rejected(reason);
        Ok(())
    }

    /// It provably never left this process.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless submitting or unknown.
    pub fn not_sent(&mut self, at: Timestamp, reason: impl Into<SmolStr>) -> Result<(), IllegalTransition> {
        self.step(OrderState::NotSent, at)?;
        self.order = self.order.clone().rejected(reason);
        Ok(())
    }

    /// Its fate at the venue is not known.
    ///
    /// # Errors
    /// [`IllegalTransition`] from a terminal state or before submission.
    pub fn unknown(&mut self, at: Timestamp) -> Result<(), IllegalTransition> {
        self.step(OrderState::Unknown, at)
    }

    /// A cancel was asked for.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless the venue may have it.
    pub fn request_cancel(&mut self, at: Timestamp) -> Result<(), IllegalTransition> {
        self.step(OrderState::PendingCancel, at)
    }

    /// Its stop price was reached.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless the venue has it.
    pub fn trigger(&mut self, at: Timestamp) -> Result<(), IllegalTransition> {
        self.step(OrderState::Triggered, at)
    }

    /// The venue confirmed the cancellation.
    ///
    /// # Errors
    /// [`IllegalTransition`] from a terminal state.
    pub fn cancel(&mut self, at: Timestamp) -> Result<(), IllegalTransition> {
        self.step(OrderState::Canceled, at)?;
        self.order = self.order.clone().canceled(at);
        Ok(())
    }

    /// Its time in force ended.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless the venue had it.
    pub fn expire(&mut self, at: Timestamp) -> Result<(), IllegalTransition> {
        self.step(OrderState::Expired, at)
    }

    /// Books a fill. Money facts win over order facts: the fill counts in any state, and what does not fit the record
    /// is reported as an effect, not refused.
    pub fn book(&mut self, fill: &Fill) -> FillEffect {
        let so_far = self.average_price.unwrap_or_default().checked_mul(self.filled);
        let value = so_far.and_then(|so_far| so_far.checked_add(fill.gross()));
        self.filled = self.filled.saturating_add(fill.quantity);
        self.fees = self.fees.saturating_add(fill.fees);
        self.fills = self.fills.saturating_add(1);
        self.average_price = value.and_then(|value| value.checked_div(self.filled));
        self.updated_at = fill.timestamp;
        let was_over = matches!(self.state, OrderState::Filled);
        let was_ended = self.state.is_terminal();
        if self.filled >= self.order.quantity {
            self.state = OrderState::Filled;
        } else if !matches!(
            self.state,
            OrderState::Canceled | OrderState::Expired | OrderState::PendingCancel
        ) {
            self.state = OrderState::PartiallyFilled;
        }
        if was_over || self.filled > self.order.quantity {
            FillEffect::Overfilled
        } else if was_ended {
            FillEffect::AfterTheEnd
        } else {
            FillEffect::Booked
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{OrderType, Side};

    fn record() -> OrderRecord {
        OrderRecord::new(
            Order::builder()
                .order_id("o-1")
                .idempotency_key("k")
                .symbol("AAPL")
                .side(Side::Buy)
                .quantity(Decimal::from(100))
                .order_type(OrderType::Market)
                .fund_id("f")
                .strategy_id("s")
                .broker("paper")
                .actor("a")
                .created_at(Timestamp::EPOCH)
                .build()
                .unwrap(),
        )
    }

    fn fill(quantity: i64, price: &str) -> Fill {
        Fill::new(
            "x",
            "o-1",
            "AAPL",
            Side::Buy,
            Decimal::from(quantity),
            price.parse().unwrap(),
            Timestamp::EPOCH,
        )
        .unwrap()
    }

    #[test]
    fn the_ordinary_life() {
        let mut record = record();
        let at = Timestamp::EPOCH;
        record.submit(at).unwrap();
        record.accept(at, BrokerOrderId::new("b").unwrap()).unwrap();
        assert_eq!(record.book(&fill(40, "180.45")), FillEffect::Booked);
        assert_eq!(record.state, OrderState::PartiallyFilled);
        record.book(&fill(40, "180.50"));
        assert_eq!(record.book(&fill(20, "180.55")), FillEffect::Booked);
        assert_eq!(record.state, OrderState::Filled);
        assert_eq!(record.average_price.unwrap(), "180.49".parse().unwrap());
    }

    #[test]
    fn an_illegal_step_names_both_states() {
        let mut record = record();
        let error = record.expire(Timestamp::EPOCH).unwrap_err();
        assert_eq!(error.to_string(), "order o-1 is created and cannot become expired");
    }

    #[test]
    fn money_facts_win_over_order_facts() {
        let mut late = record();
        late.submit(Timestamp::EPOCH).unwrap();
        late.unknown(Timestamp::EPOCH).unwrap();
        late.cancel(Timestamp::EPOCH).unwrap();
        assert_eq!(late.book(&fill(30, "1")), FillEffect::AfterTheEnd);
        assert_eq!((late.state, late.filled), (OrderState::Canceled, Decimal::from(30)));
        let mut over = record();
        over.submit(Timestamp::EPOCH).unwrap();
        assert_eq!(over.book(&fill(101, "1")), FillEffect::Overfilled);
        assert_eq!(over.remaining(), Decimal::ZERO);
    }

    #[test]
    fn terminal_states_are_left_by_nothing_and_unknown_not_by_resubmission() {
        for from in OrderState::ALL.iter().copied() {
            for to in OrderState::ALL.iter().copied() {
                if from.is_terminal() {
                    assert!(!from.can_become(to), "{from} -> {to}");
                }
                assert!(!(from.can_become(to) && to == OrderState::Created), "{from} -> {to}");
            }
        }
        assert!(!OrderState::Unknown.can_become(OrderState::Submitting));
    }
}
