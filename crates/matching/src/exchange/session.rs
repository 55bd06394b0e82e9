//! Sessions: who may trade in which, and what ends with them.

use super::{Exchange, Found, MatchEvent, Working, give};
use mts_foundation::risk::SessionPhase;
use mts_foundation::{Order, OrderType, TimeInForce, Timestamp};

impl Exchange {
    /// Whether an order may trade in the present session. Outside of regular trading only orders with a limit that ask
    /// for extended hours do.
    pub(super) fn may_trade(&self, order: &Order) -> bool {
        may_trade_in(order, self.phase)
    }

    /// Where the market stands.
    #[must_use]
    pub fn phase(&self) -> SessionPhase {
        self.phase
    }

    /// Moves the market to a session. Orders that live in the one that ends expire; when regular trading opens, the order
    /// books cross, and what a bar, quote or print says first is the opening of the other instruments.
    ///
    /// An exchange that is never told of sessions trades always, and [`Exchange::on_session_close`] ends its days.
    pub fn on_session(&mut self, phase: SessionPhase, time: Timestamp, events: &mut Vec<MatchEvent>) {
        let mut found = Found::new();
        self.advance(time, true, &mut found);
        if phase != self.phase {
            if self.phase != SessionPhase::NoCalendar {
                self.end_session(time, &mut found);
            }
            let before = std::mem::replace(&mut self.phase, phase);
            self.come_in(before, time);
            self.opened = (phase == SessionPhase::Regular).then_some(time);
            self.change_books(&mut found);
        }
        give(found, events);
    }

    /// Ends the session; the market is closed afterwards, where it was told of sessions.
    pub fn on_session_close(&mut self, time: Timestamp, events: &mut Vec<MatchEvent>) {
        if self.phase != SessionPhase::NoCalendar {
            return self.on_session(SessionPhase::Closed, time, events);
        }
        let mut found = Found::new();
        self.advance(time, true, &mut found);
        self.end_session(time, &mut found);
        give(found, events);
    }

    /// Orders that waited for this session come to the market with it.
    fn come_in(&mut self, before: SessionPhase, time: Timestamp) {
        let phase = self.phase;
        for (_, working) in self.orders.iter_mut() {
            let waited = !may_trade_in(&working.order, before) && may_trade_in(&working.order, phase);
            if working.arrived && waited && working.order.tif != TimeInForce::Opg {
                working.since = working.since.max(time);
                working.met = false;
            }
        }
    }

    fn end_session(&mut self, time: Timestamp, found: &mut Found) {
        let ended: Vec<u64> = self
            .orders
            .iter()
            .filter(|(_, working)| working.arrived && self.ends_now(working, time))
            .map(|(number, _)| *number)
            .collect();
        for number in ended {
            if let Some(working) = self.remove(number) {
                found.push((number, MatchEvent::Expired { order: working.order, time }));
            }
        }
        // What was quoted in this session says nothing of the next; which data an instrument has is seen anew.
        for (_, market) in self.markets.iter_mut().filter(|(_, market)| market.book.is_none()) {
            (market.touch, market.has_prints) = (None, false);
        }
    }

    /// Whether an order ends with the present session: a day order with the first session in which it could trade.
    fn ends_now(&self, working: &Working, time: Timestamp) -> bool {
        let regular = matches!(self.phase, SessionPhase::Regular | SessionPhase::NoCalendar);
        match working.order.tif {
            TimeInForce::Day | TimeInForce::Ioc | TimeInForce::Fok => self.may_trade(&working.order),
            TimeInForce::Opg => regular && self.opened.is_some_and(|opened| working.since <= opened),
            TimeInForce::Gtc => {
                regular
                    && self
                        .config
                        .gtc_max_days
                        .is_some_and(|most| days(working.placed, time) >= i64::from(most))
            }
        }
    }
}

/// Dates from one instant to another, UTC.
fn days(from: Timestamp, to: Timestamp) -> i64 {
    let date = |time: Timestamp| time.to_datetime().date_naive();
    date(to).signed_duration_since(date(from)).num_days()
}

fn may_trade_in(order: &Order, phase: SessionPhase) -> bool {
    match phase {
        SessionPhase::NoCalendar | SessionPhase::Regular => true,
        SessionPhase::Closed => false,
        SessionPhase::Extended => {
            let priced = matches!(
                order.order_type,
                OrderType::Limit | OrderType::MarketableLimit | OrderType::StopLimit
            );
            order.extended_hours && priced
        }
    }
}
