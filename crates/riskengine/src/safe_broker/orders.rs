//! The way of an order: account, gates, reservation, asynchronous gates, gates again, durable, venue.

use super::SafeBroker;
use super::books::{Books, Closing, NoticeKind, hash, out_of_range};
use super::error::SafeBrokerError;
use super::ticket::OrderTicket;
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::order_intent::{Intent, side_of};
use mts_foundation::risk::{
    Gate, GateTrace, RejectCode, Rejection, RiskContext, RiskDecision, RiskEvent, RiskMachine, Verdict,
};
use mts_foundation::{
    Decimal, IdempotencyKey, Order, OrderId, OrderRecord, OrderState, Side, Symbol, Timestamp,
};

/// What looking a key up says (decision O6).
enum Known {
    New,
    Same(Box<OrderRecord>),
}

impl SafeBroker {
    /// Submits an order with full risk validation.
    ///
    /// # Errors
    /// [`SafeBrokerError::Refused`] when a gate refuses; the other kinds say what else went wrong and whether the order may
    /// be live.
    #[doc(alias = "submit_order_async")]
    pub async fn submit_order(&self, ticket: OrderTicket) -> Result<Order, SafeBrokerError> {
        let (intent, units) = intent_of(&ticket)?;
        self.fresh_account().await?;
        let now = self.clock.now();
        let order = {
            let mut books = self.books();
            let side = side_of(intent, books.held(&ticket.asset), units)?;
            self.order_of(&mut books, &ticket, side, units, now)?
        };
        let placed = self.place(order, false).await;
        self.carry_out().await;
        placed
    }

    fn order_of(
        &self,
        books: &mut Books,
        ticket: &OrderTicket,
        side: Side,
        units: Decimal,
        now: Timestamp,
    ) -> Result<Order, SafeBrokerError> {
        let order_id = self.next_order_id(books);
        let key = match &ticket.idempotency_key {
            Some(key) => key.clone(),
            None => IdempotencyKey::hashed(&["ticket", &order_id]),
        };
        let identity = &self.identity;
        let mut builder = Order::builder()
            .order_id(order_id)
            .idempotency_key(key.as_str())
            .symbol(ticket.asset.as_str())
            .side(side)
            .quantity(units)
            .order_type(ticket.order_type)
            .tif(ticket.tif)
            .extended_hours(ticket.extended_hours)
            .fund_id(identity.fund_id.as_str())
            .strategy_id(identity.strategy_id.as_str())
            .broker(identity.broker.as_str())
            .actor(identity.actor.as_str())
            .created_at(now);
        if let Some(price) = ticket.limit_price {
            builder = builder.limit_price(price);
        }
        if let Some(price) = ticket.stop_price {
            builder = builder.stop_price(price);
        }
        if let Some(thesis) = &ticket.thesis {
            builder = builder.thesis(thesis);
        }
        Ok(builder.build()?)
    }

    /// The next id of our own; the counter is durable before the order leaves.
    pub(super) fn next_order_id(&self, books: &mut Books) -> String {
        books.kept.next_order = books.kept.next_order.saturating_add(1);
        books.changed = true;
        format!("{}-{}-{}", self.identity.fund_id, books.kept.life, books.kept.next_order)
    }

    /// Takes an order all the way to the venue.
    pub(super) async fn place(&self, order: Order, closing: bool) -> Result<Order, SafeBrokerError> {
        if !closing {
            self.fresh_account().await?;
        }
        if let Known::Same(record) = self.reserve(&order, closing)? {
            return stored(*record);
        }
        let reserved = Reserved { shell: self, order: &order, held: true };
        if !closing {
            self.ask_others(&order).await?;
        }
        self.commit(reserved, closing)?;
        if let Some(shadow) = &self.shadow {
            shadow.set_time(self.clock.now());
        }
        let outcome = self.venue.submit(&order).await;
        let answered = self.answered(order, outcome);
        if self.shadow.is_some() {
            // The paper account lives in this process: what the order did must outlive it.
            let read = self.read_account().await;
            let mut books = self.books();
            if let Err(error) = read {
                let message = format!("the paper account cannot be read: {error}");
                books.note(self.clock.now(), NoticeKind::Failed { message });
            }
            // A failure is kept in the books: nothing new leaves any more.
            books.save().unwrap_or_default();
        }
        answered
    }

    /// The pure gates, and the reservation.
    fn reserve(&self, order: &Order, closing: bool) -> Result<Known, SafeBrokerError> {
        let now = self.clock.now();
        let mut books = self.books();
        if let Some(why) = &books.stopped
            && !closing
        {
            return Err(stopped(why));
        }
        books.roll_day(now)?;
        if !closing && let Some((symbol, order_id)) = books.unresolved(order) {
            return Err(SafeBrokerError::Unresolved { symbol, order_id });
        }
        if !closing && books.is_closing(&order.symbol) {
            return Err(SafeBrokerError::ClosingAlready { symbol: order.symbol.clone() });
        }
        match self.look_up(&mut books, order, closing, now) {
            Ok(Known::New) => {}
            Ok(known) => return Ok(known),
            Err(rejection) => return Err(self.refused(&mut books, order, rejection, now)),
        }
        books.meet(&order.symbol);
        if books.is_strange(order) {
            let message = format!("{} is not in the instrument table; add a row for it", order.symbol);
            let (gate, code) = (Gate::Instrument, RejectCode::UnknownInstrument);
            let rejection = Box::new(Rejection { gate, code, limit: None, observed: None, message });
            return Err(self.refused(&mut books, order, rejection, now));
        }
        let mut trace = if closing { GateTrace::on() } else { GateTrace::off() };
        let decision = {
            let Books { machine, ledger, instruments, .. } = &mut *books;
            let context = self.context(ledger, instruments, now, closing);
            machine.reserve(order, &context, &mut trace)
        };
        let refusal = match decision {
            RiskDecision::Approved => None,
            RiskDecision::Rejected(rejection) => Some(rejection),
        };
        // Losses trip now if they have not before; later orders meet the halt (decision R9).
        books.apply(&RiskEvent::Marked { symbol: None }, now)?;
        if let Some(rejection) = refusal {
            return Err(self.refused(&mut books, order, rejection, now));
        }
        let exempt = |gate| trace.iter().any(|(at, out)| at == gate && out.verdict == Verdict::Exempt);
        if closing && exempt(Gate::ReferencePrice) {
            books.note(now, NoticeKind::ClosedWithoutReference { symbol: order.symbol.clone() });
        }
        books.claimed.insert(order.idempotency_key.clone(), order.clone());
        Ok(Known::New)
    }

    /// Whether the key says that this order has been sent (decision O6: the gate for callers without the engine).
    fn look_up(
        &self,
        books: &mut Books,
        order: &Order,
        closing: bool,
        now: Timestamp,
    ) -> Result<Known, Box<Rejection>> {
        let room = books.forget_keys(now) || closing;
        let refuse = |code, message: String| {
            Err(Box::new(Rejection { gate: Gate::Idempotency, code, limit: None, observed: None, message }))
        };
        match books.by_key(&order.idempotency_key) {
            Some(record) if record.order.same_content(order) => Ok(Known::Same(Box::new(record))),
            Some(record) => refuse(
                RejectCode::IdempotencyConflict,
                format!(
                    "key {} belongs to order {} with other content; make a new key",
                    order.idempotency_key, record.order.order_id
                ),
            ),
            None if !room => refuse(
                RejectCode::OrderRate,
                "no more orders can be remembered within the window of their keys; send slower".to_owned(),
            ),
            None if books.used.contains(&hash(&order.idempotency_key)) => refuse(
                RejectCode::IdempotencyKeyReused,
                format!(
                    "key {} was used before and its window is over; make a new key",
                    order.idempotency_key
                ),
            ),
            None if books.has_id(&order.order_id) => refuse(
                RejectCode::IdempotencyConflict,
                format!("order id {} belongs to another order; make a new id", order.order_id),
            ),
            None => Ok(Known::New),
        }
    }

    fn refused(
        &self,
        books: &mut Books,
        order: &Order,
        rejection: Box<Rejection>,
        now: Timestamp,
    ) -> SafeBrokerError {
        let kind = NoticeKind::Refused { order_id: order.order_id.clone(), rejection: (*rejection).clone() };
        books.note(now, kind);
        // What a refusal changed, such as a kill, must last; if it cannot, nothing new leaves any more.
        match books.save() {
            Ok(()) => SafeBrokerError::Refused(rejection),
            Err(error) => SafeBrokerError::State(error),
        }
    }

    /// Gates that must ask somebody. Orders that only shrink a position are exempt (decision R4).
    async fn ask_others(&self, order: &Order) -> Result<(), SafeBrokerError> {
        if self.gates.is_empty() {
            return Ok(());
        }
        let (envelope, told) = {
            let books = self.books();
            let context = self.context(&books.ledger, &books.instruments, self.clock.now(), false);
            if books.machine.reduces(order, &context) {
                return Ok(());
            }
            (books.machine.envelope(&order.fund_id).cloned(), context.of_order(order))
        };
        let Some(told) = told else {
            let message = format!("fund {} is not known here", order.fund_id);
            let (gate, code) = (Gate::Authorised, RejectCode::FundNotAuthorised);
            let rejection = Box::new(Rejection { gate, code, limit: None, observed: None, message });
            return Err(self.refused(&mut self.books(), order, rejection, self.clock.now()));
        };
        for gate in &self.gates {
            let answer = gate.check(order, envelope.as_ref(), &told).await;
            let now = self.clock.now();
            let mut books = self.books();
            for message in gate.take_failures() {
                books.note(now, NoticeKind::FailedOpen { gate: gate.name().to_owned(), message });
            }
            if let Err(rejection) = answer {
                return Err(self.refused(&mut books, order, rejection, now));
            }
        }
        Ok(())
    }

    /// The pure gates again, because the lock was free in between: other orders were committed, somebody may have been asked,
    /// the kill switch may be on. Then the order counts as working, durably, all in one go.
    fn commit(&self, mut reserved: Reserved<'_>, closing: bool) -> Result<(), SafeBrokerError> {
        let (order, now) = (reserved.order, self.clock.now());
        let mut books = self.books();
        reserved.held = false;
        if let Some(why) = &books.stopped
            && !closing
        {
            let error = stopped(why);
            books.let_go(order);
            return Err(error);
        }
        let decision = {
            let context = self.context(&books.ledger, &books.instruments, now, closing);
            books.machine.check(order, &context, &mut GateTrace::off())
        };
        if let RiskDecision::Rejected(rejection) = decision {
            books.let_go(order);
            return Err(self.refused(&mut books, order, rejection, now));
        }
        if let Err(error) = books.begin(order, now) {
            books.let_go(order);
            return Err(error);
        }
        {
            let Books { machine, ledger, instruments, .. } = &mut *books;
            let context: RiskContext<'_> = self.context(ledger, instruments, now, closing);
            machine.commit(order, &context);
        }
        if closing {
            books.closing.insert(order.symbol.clone(), Closing::Sent(order.order_id.clone()));
        }
        match books.save() {
            Ok(()) => Ok(()),
            // A close may leave although the state cannot be kept (decision H6): getting out must be possible.
            Err(_) if closing => Ok(()),
            Err(error) => {
                books.end(&order.order_id, now);
                Err(error.into())
            }
        }
    }

    /// Takes the venue's answer.
    fn answered(&self, order: Order, outcome: SubmitOutcome) -> Result<Order, SafeBrokerError> {
        let now = self.clock.now();
        let mut books = self.books();
        let order_id = order.order_id.clone();
        books.changed = true;
        // The account has changed, or may have.
        books.readings.dirty();
        let result = match outcome {
            SubmitOutcome::Accepted(accepted) => {
                books.kept.orders_placed = books.kept.orders_placed.saturating_add(1);
                if let (Some(record), Some(id)) =
                    (books.kept.live.get_mut(&order_id), accepted.broker_order_id.clone())
                {
                    // A report may have come before the answer.
                    record.accept(now, id).unwrap_or_default();
                    record.updated_at = now;
                }
                Ok(accepted)
            }
            SubmitOutcome::Rejected { reason } => {
                if let Some(record) = books.kept.live.get_mut(&order_id) {
                    record.reject(now, reason.clone()).unwrap_or_default();
                }
                books.end(&order_id, now);
                Err(SafeBrokerError::VenueRejected { order_id, reason })
            }
            SubmitOutcome::NotSent { reason } => {
                if let Some(record) = books.kept.live.get_mut(&order_id) {
                    record.not_sent(now, reason.clone()).unwrap_or_default();
                }
                books.machine.withdraw(&order);
                books.end(&order_id, now);
                Err(SafeBrokerError::NotSent { order_id, reason })
            }
            SubmitOutcome::Unknown { cause } => {
                if let Some(record) = books.kept.live.get_mut(&order_id) {
                    record.unknown(now).unwrap_or_default();
                }
                books.note(now, NoticeKind::OrderUnknown { order_id: order_id.clone() });
                Err(SafeBrokerError::Unknown { order_id, cause })
            }
        };
        // The order itself is durable; its answer is asked for again after a crash.
        books.save().unwrap_or_default();
        result
    }

    /// What every gate would object to in this order, were it sent now; empty = it would pass. Nothing is sent, nothing
    /// changes. Asynchronous gates are not asked.
    ///
    /// # Errors
    /// [`SafeBrokerError`] for an order that is not well formed, and for an account that cannot be read.
    pub async fn objections(&self, ticket: &OrderTicket) -> Result<Vec<Rejection>, SafeBrokerError> {
        let (intent, units) = intent_of(ticket)?;
        self.fresh_account().await?;
        let now = self.clock.now();
        let mut books = self.books();
        let side = side_of(intent, books.held(&ticket.asset), units)?;
        let next = books.kept.next_order;
        let order = self.order_of(&mut books, ticket, side, units, now);
        books.kept.next_order = next;
        let order = order?;
        books.meet(&order.symbol);
        let context = self.context(&books.ledger, &books.instruments, now, false);
        Ok(books.machine.objections(&order, &context, &mut GateTrace::off()))
    }

    /// Cancels a working order, by our id, or by the venue's where it is none of ours. Answers whether the venue confirmed
    /// that it will not fill any more; an order that is not open is not cancelled.
    ///
    /// # Errors
    /// [`SafeBrokerError::Unresolved`] for an order of ours of which no venue id is known yet; [`SafeBrokerError::Account`].
    #[doc(alias = "cancel_order_async")]
    pub async fn cancel_order(&self, order_id: &OrderId) -> Result<bool, SafeBrokerError> {
        let ours = self.books().kept.live.get(order_id).map(|record| record.order.clone());
        let reference = match ours {
            Some(order) => reference(&order).ok_or_else(|| SafeBrokerError::Unresolved {
                symbol: order.symbol.clone(),
                order_id: order_id.clone(),
            })?,
            None => {
                let open = self.venue.open_orders().await?;
                let found = open.into_iter().find(|open| open.broker_order_id.as_str() == order_id.as_str());
                let Some(open) = found else { return Ok(false) };
                self.reference_to(&open)?
            }
        };
        let outcome = self.venue.cancel(&reference).await;
        Ok(self.canceled(&reference, &outcome))
    }

    /// Takes the venue's answer to a cancellation; only a confirmation ends the order.
    pub(super) fn canceled(
        &self,
        reference: &mts_foundation::broker::BrokerOrderRef,
        outcome: &CancelOutcome,
    ) -> bool {
        let mut books = self.books();
        books.readings.dirty();
        let confirmed = *outcome == CancelOutcome::Confirmed;
        if let Some(record) = books.kept.live.get_mut(&reference.order_id).filter(|_| confirmed) {
            // It counts until the next reading, which has what it filled before.
            record.cancel(Timestamp::EPOCH).unwrap_or_default();
            books.changed = true;
        }
        confirmed
    }

    /// An operator's word on an order of which it was unknown whether it is live: it is not.
    ///
    /// # Errors
    /// [`SafeBrokerError::NoSuchOrder`] when no such order is unknown; [`SafeBrokerError::State`].
    pub fn resolve(&self, order_id: &OrderId, reason: &str) -> Result<(), SafeBrokerError> {
        let now = self.clock.now();
        let mut books = self.books();
        let record = books.kept.live.get_mut(order_id).filter(|record| record.state == OrderState::Unknown);
        let record = record.ok_or_else(|| SafeBrokerError::NoSuchOrder { order_id: order_id.clone() })?;
        record.cancel(now).map_err(out_of_range)?;
        books.end(order_id, now);
        books.note(now, NoticeKind::Resolved { order_id: order_id.clone(), reason: reason.to_owned() });
        Ok(books.save()?)
    }

    /// Working orders of ours in an instrument, or in all.
    pub(super) fn live(&self, symbol: Option<&Symbol>) -> Vec<OrderRecord> {
        let books = self.books();
        let wanted = |record: &&OrderRecord| symbol.is_none_or(|symbol| record.order.symbol == *symbol);
        books.kept.live.values().filter(wanted).cloned().collect()
    }
}

/// Buying or selling, and how much.
fn intent_of(ticket: &OrderTicket) -> Result<(Intent, Decimal), SafeBrokerError> {
    match ticket.side {
        Some(side) if ticket.quantity > Decimal::ZERO => Ok((side, ticket.quantity)),
        None if ticket.quantity > Decimal::ZERO => Ok((Intent::Buy, ticket.quantity)),
        None if ticket.quantity < Decimal::ZERO => Ok((Intent::Sell, -ticket.quantity)),
        _ => Err(SafeBrokerError::Quantity { quantity: ticket.quantity }),
    }
}

/// A reservation that is given back when the order does not get as far as being committed, also when its future is
/// dropped while somebody is asked.
struct Reserved<'a> {
    shell: &'a SafeBroker,
    order: &'a Order,
    held: bool,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if self.held {
            self.shell.books().let_go(self.order);
        }
    }
}

/// How the venue knows this order; `None` before it does.
pub(super) fn reference(order: &Order) -> Option<mts_foundation::broker::BrokerOrderRef> {
    Some(mts_foundation::broker::BrokerOrderRef {
        order_id: order.order_id.clone(),
        idempotency_key: order.idempotency_key.clone(),
        broker_order_id: order.broker_order_id.clone()?,
        symbol: order.symbol.clone(),
    })
}

/// What the same request gets that was made before: the order as the venue took it, or what became of it.
fn stored(record: OrderRecord) -> Result<Order, SafeBrokerError> {
    let OrderRecord { order, state, .. } = record;
    let (order_id, reason) = (order.order_id.clone(), order.rejected_reason.clone().unwrap_or_default());
    match state {
        OrderState::Rejected => Err(SafeBrokerError::VenueRejected { order_id, reason }),
        OrderState::NotSent => Err(SafeBrokerError::NotSent { order_id, reason }),
        OrderState::Created | OrderState::PendingRisk | OrderState::Submitting => {
            Err(SafeBrokerError::UnderWay { order_id })
        }
        OrderState::Unknown => {
            let cause = "it has not been resolved since".into();
            Err(SafeBrokerError::Unknown { order_id, cause })
        }
        _ => Ok(order),
    }
}

fn stopped(why: &str) -> SafeBrokerError {
    let path = std::path::PathBuf::from(why);
    SafeBrokerError::State(crate::store::StoreError::Stopped { path })
}
