//! Orders of which it is not known whether they are live (decisions O5, O7): they are asked for, again and again with growing
//! pauses, and never guessed. Meanwhile they count as working and block what could double them.

use super::timers::Timer;
use super::{Core, CoreError};
use crate::input::LookUp;
use crate::output::{Action, Output};
use mts_foundation::broker::{BrokerOrderRef, OrderRef};
use mts_foundation::broker_event::OrderReport;
use mts_foundation::event::Event;
use mts_foundation::{Decimal, Fill, FillId, OrderId, OrderRecord, OrderState, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Pauses before the first questions, in milliseconds (reliability.md §5 rule 6); after the last a person is told.
const PAUSES_MS: [u64; 5] = [500, 1_000, 2_000, 4_000, 8_000];

/// Pause between the questions after that.
const LONG_PAUSE: Duration = Duration::from_secs(30);

/// How long after the call that sends it has ended an order may still arrive: a system goes on sending what a dead process wrote, with pauses that TCP
/// bounds at two minutes (RFC 6298, Linux's `TCP_RTO_MAX`).
const ARRIVES_WITHIN: Duration = Duration::from_secs(120);

/// Answers in a row that the venue does not know an order before it counts as never sent. One at most is from before the last
/// moment at which it could arrive, so two at least are from after it.
const NEVER_SENT_AFTER: u32 = 3;

/// An order that is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inquiry {
    /// Since when it is not known.
    since: Timestamp,
    /// Since when no call that sends it is under way here; `None` while it is sent again.
    quiet: Option<Timestamp>,
    /// When it is asked for next.
    next: Timestamp,
    /// Questions asked.
    asked: u32,
    /// Answers in a row that the venue does not know the order.
    not_known: u32,
    /// Answers in a row with more filled than fills came.
    behind: u32,
    /// How often it was sent again.
    resent: u32,
    /// How it ended, by the venue's word; asked for is only what it filled before.
    ended: Option<OrderState>,
}

impl Core {
    /// Orders of which it is not known whether they are live, with the instant since when.
    pub fn unknown_orders(&self) -> impl Iterator<Item = (&OrderRecord, Timestamp)> {
        self.state.inquiries.iter().filter_map(|(order_id, inquiry)| {
            let record = self.state.orders.get(order_id)?;
            (record.state == OrderState::Unknown).then_some((record, inquiry.since))
        })
    }

    /// Orders that the venue is asked for, whatever is known of them, with the instant since when.
    pub fn orders_asked_for(&self) -> impl Iterator<Item = (&OrderRecord, Timestamp)> {
        let known = |order_id| self.state.orders.get(order_id);
        self.state.inquiries.iter().filter_map(move |(order_id, asked)| Some((known(order_id)?, asked.since)))
    }

    /// Begins to ask for an order, or goes on with it.
    pub(crate) fn inquire(&mut self, order_id: &OrderId) {
        if !self.state.live || self.state.inquiries.contains_key(order_id) {
            return;
        }
        let now = self.state.now;
        let [first, ..] = PAUSES_MS;
        let next = now.plus(Duration::from_millis(first));
        let inquiry = Inquiry {
            since: now,
            quiet: Some(now),
            next,
            asked: 0,
            not_known: 0,
            behind: 0,
            resent: 0,
            ended: None,
        };
        self.state.inquiries.insert(order_id.clone(), inquiry);
        self.set_timer(next, Timer::LookUp(order_id.clone()));
    }

    /// The venue confirmed how an order ended, and others wait to take its place: a fill that came before the end and was
    /// lost on its way would make them too many, so the venue is asked first what was filled. False where nobody waits.
    pub(crate) fn asks_what_filled(
        &mut self,
        order_id: &OrderId,
        ended: OrderState,
        output: &mut Output,
    ) -> bool {
        let record = self.state.orders.get(order_id);
        let waited_for = record.is_some_and(|record| record.parent.is_some() || record.group.is_some());
        if !self.state.live || !waited_for {
            return false;
        }
        self.inquire(order_id);
        let Some(inquiry) = self.state.inquiries.get_mut(order_id) else { return false };
        // Confirmed again: the next question is under way.
        if inquiry.ended.replace(ended).is_none() {
            self.state.timers.remove(&(inquiry.next, Timer::LookUp(order_id.clone())));
            self.look_up_due(order_id, output);
        }
        true
    }

    /// The order's fate is known.
    pub(crate) fn inquiry_ends(&mut self, order_id: &OrderId) {
        if let Some(inquiry) = self.state.inquiries.remove(order_id) {
            self.touch(order_id);
            self.state.timers.remove(&(inquiry.next, Timer::LookUp(order_id.clone())));
        }
    }

    /// Asks now.
    pub(crate) fn look_up_due(&mut self, order_id: &OrderId, output: &mut Output) {
        let now = self.state.now;
        let (Some(inquiry), Some(record)) =
            (self.state.inquiries.get_mut(order_id), self.state.orders.get(order_id))
        else {
            // The order ended so long ago that it is not remembered; neither is the question.
            self.state.inquiries.remove(order_id);
            return;
        };
        inquiry.asked = inquiry.asked.saturating_add(1);
        let asked = inquiry.asked as usize;
        let pause = PAUSES_MS.get(asked).map_or(LONG_PAUSE, |pause| Duration::from_millis(*pause));
        inquiry.next = now.plus(pause);
        let next = inquiry.next;
        let order = &record.order;
        let reference = match &order.broker_order_id {
            Some(id) => OrderRef::Venue(id.clone()),
            None => OrderRef::Key(order.idempotency_key.clone()),
        };
        let broker = order.broker.clone();
        output.actions.push(Action::LookUp { broker: broker.clone(), order_id: order_id.clone(), reference });
        self.set_timer(next, Timer::LookUp(order_id.clone()));
        if asked == PAUSES_MS.len() {
            let message = format!(
                "what became of order {order_id} at {broker} is still not known after {asked} questions; it counts as working \
                 and blocks its strategy in its instrument; look at the account and settle it"
            );
            self.incident("ORDER_STAYS_UNKNOWN", message, Some(order_id), output);
        }
    }

    /// What the venue answered.
    pub(crate) fn looked_up(
        &mut self,
        order_id: &OrderId,
        answer: &LookUp,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        match answer {
            LookUp::Found(report) => self.found(order_id, report, output),
            LookUp::NotKnown => self.not_known(order_id, output),
            // Nothing is known, so nothing changes; the next question is under way.
            LookUp::Failed { .. } => Ok(()),
        }
    }

    /// The venue has the order, or had it.
    pub(crate) fn found(
        &mut self,
        order_id: &OrderId,
        report: &OrderReport,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let now = self.state.now;
        let Some(record) = self.state.orders.get_mut(order_id) else { return Ok(()) };
        if (&record.order.symbol, record.order.side) != (&report.symbol, report.side) {
            let message = format!(
                "the venue shows {} {} for order {order_id}, which is {} {}; it is not believed; look at the account",
                report.side, report.symbol, record.order.side, record.order.symbol
            );
            self.incident("REPORT_MISMATCH", message, Some(order_id), output);
            return Ok(());
        }
        if report.idempotency_key.as_ref().is_some_and(|key| *key != record.order.idempotency_key) {
            // A venue id that stands for two orders: what is said of the other would be booked here.
            let message = format!(
                "the venue shows another order under the id {} of order {order_id}; it is not believed; look at the account",
                report.broker_order_id
            );
            self.incident("REPORT_MISMATCH", message, Some(order_id), output);
            return Ok(());
        }
        if matches!(record.state, OrderState::Unknown | OrderState::Submitting) {
            let refused = report.state == OrderState::Rejected && report.filled.is_zero();
            if !refused && record.accept(now, report.broker_order_id.clone()).is_ok() {
                output.events.push(Event::OrderAccepted(record.clone()));
            }
        }
        if report.filled > record.filled {
            // It is there, so it can be cancelled; a fill that may never come is not waited for.
            self.cancel_if_wanted(order_id, output);
            return self.fills_missing(order_id, report, output);
        }
        let report = OrderReport { order_id: Some(order_id.clone()), ..report.clone() };
        self.report(&report, output)?;
        let Some(record) = self.state.orders.get(order_id) else { return Ok(()) };
        // A cancel that the venue has not carried out is asked for again, and asked after.
        if record.state == OrderState::PendingCancel && !report.state.is_terminal() {
            self.request_cancel(order_id, output);
            return Ok(());
        }
        self.inquiry_ends(order_id);
        self.cancel_if_wanted(order_id, output);
        Ok(())
    }

    /// The venue filled more than came as fills. They may be on their way, so it is asked again; when they do not come, one
    /// fill stands for them, under an id that is the same whenever it is made.
    fn fills_missing(
        &mut self,
        order_id: &OrderId,
        report: &OrderReport,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        const ENOUGH: u32 = 4;
        self.inquire(order_id);
        let behind = self.state.inquiries.get_mut(order_id).map_or(0, |inquiry| {
            inquiry.behind = inquiry.behind.saturating_add(1);
            inquiry.behind
        });
        let Some(record) = self.state.orders.get(order_id) else { return Ok(()) };
        if behind < ENOUGH {
            return Ok(());
        }
        let quantity = report.filled - record.filled;
        let value = |average: Option<Decimal>, units: Decimal| average.and_then(|a| a.checked_mul(units));
        let ours = value(record.average_price, record.filled).unwrap_or_default();
        let mark = self.state.ledger.mark_of(&record.order.symbol).map(|mark| mark.price);
        let price = value(report.average_price, report.filled)
            .and_then(|theirs| (theirs - ours).checked_div(quantity))
            .filter(|price| *price > Decimal::ZERO)
            .or(report.average_price)
            .or(record.order.limit_price)
            .or(mark);
        let order = &record.order;
        let fill = price.and_then(|price| {
            let id = format!("synthetic-{order_id}-{}", report.filled.normalize());
            Fill::new(
                &id,
                order_id.as_str(),
                order.symbol.as_str(),
                order.side,
                quantity,
                price,
                report.timestamp,
            )
            .ok()
        });
        let broker = order.broker.clone();
        let Some(fill) = fill else {
            let message = format!(
                "order {order_id} is filled {} at {broker} and {} here, and no price is known for the rest; look at the account",
                report.filled, record.filled
            );
            self.incident("FILL_WITHOUT_PRICE", message, Some(order_id), output);
            return Ok(());
        };
        let message = format!(
            "{quantity} {} of order {order_id} were filled at {broker} and no fill came; {} stands for them until it does",
            fill.symbol, fill.fill_id
        );
        self.incident("SYNTHETIC_FILL", message, Some(order_id), output);
        self.synthetic_fill(&fill, output)?;
        if let Some(inquiry) = self.state.inquiries.get_mut(order_id) {
            inquiry.behind = 0;
        }
        self.found(order_id, report, output)
    }

    /// The venue says that it does not know the order.
    fn not_known(&mut self, order_id: &OrderId, output: &mut Output) -> Result<(), CoreError> {
        let now = self.state.now;
        // What a sibling filled after its end leaves no room for this one: it stays unknown.
        let wanted = self.fits_its_parent(order_id) && self.may_go_again(order_id);
        let (Some(inquiry), Some(record)) =
            (self.state.inquiries.get_mut(order_id), self.state.orders.get(order_id))
        else {
            return Ok(());
        };
        inquiry.behind = 0;
        let facts = self.config.venues.get(&record.order.broker).cloned().unwrap_or_default();
        // An order can arrive after the question: only answers after the venue's settling time count.
        let Some(quiet) = inquiry.quiet.filter(|quiet| now.since(*quiet) >= facts.settle) else {
            return Ok(());
        };
        inquiry.not_known = inquiry.not_known.saturating_add(1);
        if let Some(ended) = inquiry.ended.filter(|_| inquiry.not_known >= 2) {
            // It confirmed the end and has forgotten the order since.
            return self.ends_as(order_id, ended, output);
        }
        let again = wanted
            && record.state == OrderState::Unknown
            && facts.client_id_dedupe
            && inquiry.not_known >= 2
            && inquiry.resent < MAX_RESENT
            && now.since(record.order.created_at) < facts.resend_within;
        if again {
            // The venue refuses a second order with the same id, so this settles it either way (decision O7).
            inquiry.resent = inquiry.resent.saturating_add(1);
            inquiry.not_known = 0;
            inquiry.quiet = None;
            let order = record.order.clone();
            return self.leave(order, output);
        }
        let arrived = quiet.plus(ARRIVES_WITHIN);
        if now < arrived {
            // Too young to be given up: of what is said before, one answer counts.
            inquiry.not_known = inquiry.not_known.min(1);
            return Ok(());
        }
        // The same answer that would let it be sent again, from a venue that is bound to know it by its id, and later than it
        // can arrive; and the account, asked as late, shows neither the order nor anything that it might have done.
        let never_sent = record.state == OrderState::Unknown
            && record.order.broker_order_id.is_none()
            && record.fills == 0
            && facts.client_id_dedupe
            && inquiry.not_known >= NEVER_SENT_AFTER
            && self.agrees_since(&record.order.broker, &record.order.symbol, arrived);
        if never_sent { self.never_sent(order_id, output) } else { Ok(()) }
    }

    /// Whether an order that its venue does not know may still go there: nobody has asked since that nothing new leaves, or for
    /// its position's end. What closes a position passes a kill here as elsewhere. A halt is no reason, for it concerns
    /// new orders, and neither is a cancellation that waits for the venue's id: once the order is there it follows at once, and only so its end is known soon.
    fn may_go_again(&self, order_id: &OrderId) -> bool {
        let Some(OrderRecord { order, .. }) = self.state.orders.get(order_id) else { return false };
        let may_open = || self.risk.killed().is_none();
        let close = self.state.closes.get(&(order.fund_id.clone(), order.symbol.clone()));
        let watch = self.state.accounts.get(&order.broker);
        close.map_or_else(may_open, |close| close.order.as_ref() == Some(order_id))
            && watch.is_some_and(|watch| watch.reconciled.is_some())
            && self.market_is_open()
    }

    /// Whether an order was sent again. A venue's refusal of it may mean that it has the first.
    pub(crate) fn was_sent_again(&self, order_id: &OrderId) -> bool {
        self.state.inquiries.get(order_id).is_some_and(|inquiry| inquiry.resent > 0)
    }

    /// It was sent again, and that has no answer that says anything.
    pub(crate) fn sent_in_vain(&mut self, order_id: &OrderId) {
        if let Some(inquiry) = self.state.inquiries.get_mut(order_id) {
            inquiry.quiet = Some(self.state.now);
        }
    }

    /// Ends an order that never reached its venue. What it used of windows and rates stays used.
    fn never_sent(&mut self, order_id: &OrderId, output: &mut Output) -> Result<(), CoreError> {
        let now = self.state.now;
        let Some(record) = self.state.orders.get_mut(order_id) else { return Ok(()) };
        if record.not_sent(now, "the venue never had it").is_err() {
            return Ok(());
        }
        let record = record.clone();
        let message = format!(
            "{} does not know order {order_id}, asked again and again until nothing can be under way, and its account is what \
             the books say without it; it counts as never sent",
            record.order.broker
        );
        self.state.counters.rejected = self.state.counters.rejected.saturating_add(1);
        output.events.push(Event::OrderRejected(record.clone()));
        self.incident("ORDER_NEVER_SENT", message, Some(order_id), output);
        self.ended(&record)
    }

    /// Whether an order ended here because it never left, or so it seemed, and the venue shows it as open: it is told, and
    /// asked to go.
    pub(crate) fn sent_after_all(
        &mut self,
        order_id: &OrderId,
        report: &OrderReport,
        output: &mut Output,
    ) -> bool {
        let Some(record) = self.state.orders.get(order_id) else { return false };
        if record.state != OrderState::NotSent || report.state.is_terminal() {
            return false;
        }
        output.actions.push(Action::Cancel(BrokerOrderRef {
            order_id: order_id.clone(),
            idempotency_key: record.order.idempotency_key.clone(),
            broker_order_id: report.broker_order_id.clone(),
            symbol: record.order.symbol.clone(),
        }));
        let message = format!(
            "order {order_id} counts as never sent and works at {} as {}; its cancellation is asked for, what it fills is \
             booked; look at the account",
            record.order.broker, report.broker_order_id
        );
        self.incident("ORDER_SENT_AFTER_ALL", message, Some(order_id), output);
        true
    }

    /// Whether the venue shows more of an order filled than fills came.
    pub(crate) fn is_behind(&self, order_id: &OrderId) -> bool {
        self.state.inquiries.get(order_id).is_some_and(|inquiry| inquiry.behind > 0)
    }
}

/// How often one order may be sent again.
const MAX_RESENT: u32 = 3;

/// Whether a fill stands for others that did not come.
pub(crate) fn is_synthetic(fill_id: &FillId) -> bool {
    fill_id.as_str().starts_with("synthetic-")
}
