//! The way to the venues and back: what the engine asks for, what the venues make of it, and where both go wrong.

use crate::faults::Fault;
use crate::plant::Plant;
use crate::venue::shown_position;
use crate::world::{Answer, Fate, Happening, Item, World, ms};
use mts_engine::{Action, GateAnswer, LookUp};
use mts_foundation::broker::{BrokerOrderRef, CancelOutcome, OrderRef, SubmitOutcome};
use mts_foundation::broker_event::BrokerEvent;
use mts_foundation::ids::InvalidId;
use mts_foundation::risk::{Gate, RejectCode, Rejection};
use mts_foundation::{Decimal, Order, OrderId, OrderState, OrderType, Side, Symbol};
use std::time::Duration;

/// How long a call waits for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

impl World {
    /// Carries out what the engine asks for. `at_risk` = records that are not durable.
    pub(crate) fn carry_out(&mut self, action: Action, at_risk: u64) {
        self.trace.line(|| format!("    -> {action:?}"));
        match action {
            Action::Submit(order) => self.send(order, at_risk),
            Action::Cancel(reference) => {
                let venue = self.links.iter().position(|link| {
                    link.venue.find(&OrderRef::Venue(reference.broker_order_id.clone())).is_some()
                });
                let (slow, answer_lost) =
                    (self.faults.strikes(Fault::SlowCancel), self.faults.strikes(Fault::CancelLost));
                let pause = if slow { self.millis(1_000, 10_000) } else { self.millis(1, 60) };
                let Some(venue) = venue.filter(|venue| self.is_connected(*venue)) else {
                    return self.cancel_unclear(reference.order_id, ms(50));
                };
                let reference = Box::new(reference);
                self.after(pause, Happening::CancelArrives { venue, reference, answer_lost });
            }
            Action::LookUp { broker, order_id, reference } => {
                let fails = self.faults.strikes(Fault::QueryFails);
                let pause = self.millis(1, 60);
                match self.place_of(broker.as_str()).filter(|venue| !fails && self.is_connected(*venue)) {
                    Some(venue) => self.after(pause, Happening::LookUpArrives { venue, order_id, reference }),
                    None => self.look_up_fails(order_id),
                }
            }
            Action::Snapshot { broker } => {
                let (fails, stale) =
                    (self.faults.strikes(Fault::QueryFails), self.faults.strikes(Fault::StaleSnapshot));
                let pause = self.millis(1, 200);
                let Some(venue) = self.place_of(broker.as_str()) else { return };
                if fails || !self.is_connected(venue) {
                    return self.answer(ms(800), Answer::Account(venue, None));
                }
                self.after(pause, Happening::SnapshotArrives { venue, stale });
            }
            Action::Ask(question) => self.consider(&question.order, at_risk),
        }
    }

    /// Asynchronous gates are asked about an order: they take their time, refuse, say it twice, or give no answer at all. A
    /// veto that comes after a pass is too late.
    fn consider(&mut self, order: &Order, at_risk: u64) {
        let order_id = order.order_id.clone();
        self.check.considered(&order_id, false);
        if self.plant == Some(Plant::LeaveUnasked) {
            self.send(order.clone(), at_risk);
        }
        let [lost, slow, refused, twice] = [50, 200, 200, 100].map(|rate| self.opinions.chance(rate));
        let pause = if slow { (1_000, 40_000) } else { (1, 50) };
        let pauses = [pause, (1, 5_000)].map(|(least, most)| self.opinions.between(least, most)).map(ms);
        let veto = || {
            let (gate, code, message) = (Gate::Veto, RejectCode::Vetoed, "rather not".to_owned());
            GateAnswer::Refused(Box::new(Rejection { gate, code, limit: None, observed: None, message }))
        };
        let answers = [if refused { veto() } else { GateAnswer::Passed }, veto()];
        let given = if lost && self.is_storm() { 0 } else { 1 + usize::from(twice) };
        self.check.considered(&order_id, given > 0 && !refused);
        for (pause, answer) in pauses.into_iter().zip(answers).take(given) {
            self.answer(pause, Answer::Gates(order_id.clone(), answer));
        }
    }

    fn is_connected(&self, venue: usize) -> bool {
        self.links.get(venue).is_some_and(|link| link.connected)
    }

    fn send(&mut self, order: Order, at_risk: u64) {
        let Some(venue) = self.place_of(order.broker.as_str()) else { return };
        let (connected, dedupes) =
            self.links.get(venue).map_or((false, false), |link| (link.connected, link.venue.dedupes));
        self.check.sends(self.now, &order, at_risk, dedupes);
        let [not_sent, lost, answer_lost, late, rejected, hidden, same_id] = [
            Fault::NotSent,
            Fault::SubmitLost,
            Fault::AnswerLost,
            Fault::LateAnswer,
            Fault::Reject,
            Fault::NotFound,
            Fault::ReusedId,
        ]
        .map(|fault| self.faults.strikes(fault));
        let pause = self.millis(1, 50);
        let order_id = order.order_id.clone();
        if not_sent || !connected {
            let outcome = SubmitOutcome::NotSent { reason: "not connected".into() };
            return self.answer(ms(1), Answer::Submitted(order_id, Box::new(outcome)));
        }
        if lost {
            return self.submit_unclear(order_id);
        }
        let fate = Fate { answer_lost, late, rejected, hidden, same_id };
        self.after(pause, Happening::SubmitArrives { venue, order: Box::new(order), fate });
    }

    fn submit_unclear(&mut self, order_id: OrderId) {
        let outcome = SubmitOutcome::Unknown { cause: "no answer".into() };
        self.answer(PATIENCE, Answer::Submitted(order_id, Box::new(outcome)));
    }

    fn cancel_unclear(&mut self, order_id: OrderId, pause: Duration) {
        self.answer(pause, Answer::Canceled(order_id, CancelOutcome::Unknown { cause: "no answer".into() }));
    }

    fn look_up_fails(&mut self, order_id: OrderId) {
        let answer = LookUp::Failed { message: "no answer".to_owned() };
        self.answer(ms(800), Answer::LookedUp(order_id, Box::new(answer)));
    }

    /// An order arrives at its venue.
    pub(crate) fn submit_arrives(&mut self, venue: usize, order: Order, fate: Fate) -> Result<(), InvalidId> {
        let now = self.now;
        let order_id = order.order_id.clone();
        let known = self.links.get(venue).and_then(|link| link.venue.find_key(&order.idempotency_key));
        let Some(link) = self.links.get_mut(venue).filter(|link| link.connected) else {
            self.submit_unclear(order_id);
            return Ok(());
        };
        if fate.rejected && known.is_none() {
            let outcome = SubmitOutcome::Rejected { reason: "the venue does not like it".into() };
            let pause = self.millis(1, 50);
            self.answer(pause, Answer::Submitted(order_id, Box::new(outcome)));
            return Ok(());
        }
        let like = if fate.same_id { link.venue.orders.len().checked_sub(1) } else { None };
        let taken = link.venue.take(&order, like)?;
        if let Some(like) = like.filter(|_| taken.is_some()).and_then(|like| link.venue.orders.get(like)) {
            let (other, other_symbol) = (like.order_id.clone(), like.symbol.clone());
            self.excuse(venue, &other_symbol, Some(&other));
            self.excuse(venue, &order.symbol, Some(&order_id));
        }
        let more = self.check.families.planted(self.plant, &order);
        if let Some(link) = self.links.get_mut(venue) {
            self.check.taken(now, &link.venue, &order.idempotency_key);
            if let Some(resting) = taken.and_then(|place| link.venue.orders.get_mut(place)) {
                resting.quantity += more;
                let resting = resting.clone();
                self.check.family_taken(now, &link.venue, &resting);
            }
        }
        if let Some(place) = taken {
            let (until, first) = (self.millis(1_000, 20_000), self.millis(5, 4_000));
            let hesitates = self.net.chance(400);
            let market = order.order_type == OrderType::Market;
            if let Some(resting) = self.links.get_mut(venue).and_then(|link| link.venue.orders.get_mut(place))
                && fate.hidden
            {
                resting.hidden_until = now.plus(until);
            }
            if market || !hesitates {
                self.after(first, Happening::Execute { venue, order: place, ended: false });
            }
            if self.net.chance(500) {
                self.report(venue, place);
            }
        }
        let Some(place) = taken.or(known) else { return Ok(()) };
        let id = self
            .links
            .get(venue)
            .and_then(|link| link.venue.orders.get(place))
            .map(|resting| resting.id.clone());
        let Some(id) = id else { return Ok(()) };
        if fate.answer_lost {
            self.submit_unclear(order_id);
            return Ok(());
        }
        let pause = if fate.late { self.millis(1_000, 4_800) } else { self.millis(1, 60) };
        let outcome = SubmitOutcome::Accepted(order.accepted(now, id));
        self.answer(pause, Answer::Submitted(order_id, Box::new(outcome)));
        Ok(())
    }

    /// The venue reports an order on its stream.
    fn report(&mut self, venue: usize, place: usize) {
        let now = self.now;
        let report = self.links.get(venue).and_then(|link| link.venue.report(place, now));
        let Some(report) = report else { return };
        let twice = self.faults.strikes(Fault::DuplicateReport);
        self.publish(venue, BrokerEvent::Order(report.clone()));
        if twice {
            self.publish(venue, BrokerEvent::Order(report));
        }
    }

    /// A cancellation arrives at its venue.
    pub(crate) fn cancel_arrives(&mut self, venue: usize, reference: &BrokerOrderRef, answer_lost: bool) {
        let order_id = reference.order_id.clone();
        let after_all = self.faults.strikes(Fault::FillAfterCancel);
        let pause = self.millis(1, 60);
        let now = self.now;
        let Some(link) = self.links.get_mut(venue).filter(|link| link.connected) else {
            return self.cancel_unclear(order_id, PATIENCE);
        };
        let place = link.venue.find_key(&reference.idempotency_key);
        let resting = place.and_then(|place| Some((place, link.venue.orders.get_mut(place)?)));
        let outcome = match resting {
            None => CancelOutcome::NotFound,
            Some((_, resting)) if resting.forgotten || resting.hidden_until > now => CancelOutcome::NotFound,
            Some((place, resting)) if resting.is_open() => {
                resting.state = OrderState::Canceled;
                if self.net.chance(500) {
                    self.report(venue, place);
                }
                if after_all {
                    let pause = self.millis(10, 3_000);
                    self.after(pause, Happening::Execute { venue, order: place, ended: true });
                }
                CancelOutcome::Confirmed
            }
            Some((_, resting)) => CancelOutcome::TooLate { state: resting.state },
        };
        if answer_lost {
            return self.cancel_unclear(order_id, PATIENCE);
        }
        self.answer(pause, Answer::Canceled(order_id, outcome));
    }

    /// The question for an order arrives.
    pub(crate) fn look_up_arrives(&mut self, venue: usize, order_id: OrderId, reference: &OrderRef) {
        let now = self.now;
        let pause = self.millis(1, 60);
        let Some(link) = self.links.get(venue).filter(|link| link.connected) else {
            return self.look_up_fails(order_id);
        };
        let place = link.venue.find(reference).filter(|place| {
            link.venue.orders.get(*place).is_some_and(|order| order.hidden_until <= now && !order.forgotten)
        });
        let answer = match place.and_then(|place| link.venue.report(place, now)) {
            Some(report) => LookUp::Found(Box::new(report)),
            None => LookUp::NotKnown,
        };
        self.answer(pause, Answer::LookedUp(order_id, Box::new(answer)));
    }

    /// The question for an account arrives.
    pub(crate) fn snapshot_arrives(&mut self, venue: usize, stale: bool) {
        let now = self.now;
        let pause = self.millis(1, 200);
        let owner = self.setup.funds.first().map(|fund| fund.fund_id.clone());
        let (Some(link), Some(owner)) = (self.links.get_mut(venue).filter(|link| link.connected), owner)
        else {
            return self.answer(ms(800), Answer::Account(venue, None));
        };
        let mut snapshot = Box::new(link.venue.snapshot(&owner, now));
        if stale && let Some(old) = &link.old {
            snapshot = old.clone();
        } else if self.net.chance(300) {
            link.old = Some(snapshot.clone());
        }
        if let Some((_, symbol, units)) = link.wrong.as_ref().filter(|(until, ..)| *until > now) {
            if let Some(shown) = snapshot.positions.iter_mut().find(|shown| shown.symbol == *symbol) {
                shown.quantity += *units;
            } else {
                snapshot.positions.push(shown_position(&owner, symbol, *units, now));
            }
        }
        self.answer(pause, Answer::Account(venue, Some(snapshot)));
    }

    /// An order fills, in part or whole.
    pub(crate) fn execute(&mut self, venue: usize, place: usize, ended: bool) {
        let now = self.now;
        let Some(resting) = self.links.get(venue).and_then(|link| link.venue.orders.get(place)).cloned()
        else {
            return;
        };
        let remaining = resting.remaining();
        if remaining.is_zero() || (!resting.is_open() && !ended) {
            return;
        }
        let whole = self.net.chance(600);
        let part = Decimal::from(self.net.between(1, 60)).min(remaining);
        let mut quantity = if whole { remaining } else { part };
        let price = resting.limit.unwrap_or_else(|| self.price_of(&resting.symbol));
        let ours = resting.key.is_some();
        let [over, wrong_side, unknown, twice, other_price] = [
            Fault::Overfill,
            Fault::WrongSide,
            Fault::UnknownSymbol,
            Fault::DuplicateFill,
            Fault::OtherPrice,
        ]
        .map(|fault| ours && self.faults.strikes(fault));
        if over && quantity == remaining {
            quantity += Decimal::TEN;
        }
        let Some(fill) =
            self.links.get_mut(venue).and_then(|link| link.venue.execute(place, quantity, price, now))
        else {
            return;
        };
        if ended
            && let Some(order) = self.links.get_mut(venue).and_then(|link| link.venue.orders.get_mut(place))
        {
            order.hidden_fills += quantity;
        }
        let mut told = fill.clone();
        if wrong_side {
            told.side = match fill.side {
                Side::Buy => Side::Sell,
                Side::Sell => Side::Buy,
                Side::Short => Side::Cover,
                Side::Cover => Side::Short,
            };
            self.excuse(venue, &fill.symbol, Some(&resting.order_id));
        }
        if unknown && let Ok(symbol) = Symbol::new("ZZZ") {
            told.symbol = symbol;
            self.excuse(venue, &fill.symbol, Some(&resting.order_id));
        }
        if !ours {
            self.excuse(venue, &fill.symbol, None);
        }
        let mut again = told.clone();
        let event = self.links.get(venue).and_then(|link| link.venue.fill_event(told));
        if let Some(event) = event {
            self.publish(venue, event);
        }
        if twice || other_price {
            if other_price {
                again.price += Decimal::ONE;
                self.excuses.cash.insert(venue);
            }
            if let Some(event) = self.links.get(venue).and_then(|link| link.venue.fill_event(again)) {
                self.publish(venue, event);
            }
        }
        if quantity < remaining && !ended {
            let pause = self.millis(5, 4_000);
            self.after(pause, Happening::Execute { venue, order: place, ended: false });
        }
    }

    /// Sends what a stream brings when it begins: everything after the cursor, some of it again; without a cursor the open
    /// orders, and what happens from now on.
    pub(crate) fn subscribe(&mut self, venue: usize, cursor: Option<usize>) {
        let now = self.now;
        let Some(link) = self.links.get_mut(venue) else { return };
        link.session = link.session.saturating_add(1);
        link.last_arrival = now;
        let Some(cursor) = cursor else {
            self.excuses.lossy_until.insert(venue, now);
            let open =
                link.venue.orders.iter().enumerate().filter(|(_, order)| order.is_open() && !order.forgotten);
            let reports: Vec<_> = open.filter_map(|(place, _)| link.venue.report(place, now)).collect();
            for report in reports {
                self.send_along(venue, Item::Now(Box::new(BrokerEvent::Order(report))), false);
            }
            return;
        };
        let history = &link.venue.history;
        let since = history.get(cursor).map_or(now, |told| told.time);
        let overlap = Duration::from_secs(5);
        let again = |time| since.since(time) <= overlap;
        let first =
            history.iter().position(|told| told.time >= since || again(told.time)).unwrap_or(history.len());
        let places: Vec<usize> = (first.max(link.available_from)..history.len()).collect();
        for place in places {
            self.send_along(venue, Item::Past(place), false);
        }
    }
}
