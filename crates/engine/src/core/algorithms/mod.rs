//! Execution algorithms: children of a parent that never leaves itself (docs/orders.md). Each algorithm says how much should
//! be filled or working by now, [`Plan::released`]; what is missing of that is one child through the same gates as every
//! order. What a child gives back because it ends unfilled is missing again at the next look, so nothing is counted here
//! that could drift: what works is what the records say.

mod almgren_chriss;
mod children;
mod iceberg;
mod plan;
mod pov;
mod shortfall;
mod twap;
mod vwap;

use super::kin::Kin;
use super::state::Traded;
use super::timers::Timer;
use super::{Core, CoreError};
use crate::input::VolumeUpdate;
use crate::output::Output;
use mts_foundation::algorithm::{AlgorithmRequest, AtEnd};
use mts_foundation::event::Event;
use mts_foundation::num::{exact, is_multiple};
use mts_foundation::strategy::{MAX_COMMANDS, OrderRequest};
use mts_foundation::{
    Decimal, FundId, IdempotencyKey, OrderId, OrderRecord, OrderState, StrategyId, Symbol, Timestamp,
};
use plan::{Moment, plan};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// Refusals in a row after which a parent ends.
const MAX_REFUSALS: u32 = 10;

/// Pause after a refusal.
const PAUSE: Duration = Duration::from_secs(10);

/// Most volumes that are remembered for a look-back; older ones are forgotten first.
const MAX_VOLUMES: usize = 1_440;

/// How far a parent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// For the market to open.
    Waiting,
    /// Children are sent.
    Working,
    /// Its time is over: its children are cancelled, then what is left is sent or not.
    Ending,
    /// What is left was sent.
    Last,
    /// It is cancelled with its children.
    Cancelling,
}

/// A parent that is worked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    asked: AlgorithmRequest,
    phase: Phase,
    started: Timestamp,
    ends: Option<Timestamp>,
    /// Number of the last child.
    number: u32,
    /// The timer that is set.
    timer: Option<Timestamp>,
    /// Price at the start.
    arrival: Option<MaybePrice>,
    /// Units that the market traded since the start, with what was known before where that counts.
    #[serde(with = "exact")]
    traded: Decimal,
    recent: VecDeque<Traded>,
    refusals: u32,
    not_before: Option<Timestamp>,
    /// When the last child left.
    last_sent: Option<Timestamp>,
}

/// A price that may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct MaybePrice(#[serde(with = "exact")] Decimal);

impl Core {
    /// Takes an order that a strategy wants worked.
    pub(crate) fn begin_algorithm(
        &mut self,
        (fund_id, strategy_id): (&FundId, &StrategyId),
        asked: &AlgorithmRequest,
        leg: u32,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let parent = &asked.parent;
        let key = match parent.idempotency_key.clone() {
            Some(key) => key,
            None => Self::key_of((fund_id, strategy_id), self.state.now, parent, leg)?,
        };
        if let Some(why) = self.fault_of(asked, &key) {
            let name = asked.algorithm.name();
            let message = format!("strategy {strategy_id} asks for {name}: {why}");
            self.incident("ALGORITHM_INVALID", message, None, output);
            return Ok(());
        }
        let actor = Self::actor_of(strategy_id)?;
        let order = self.order_of((fund_id, strategy_id, &actor), &key, parent, output);
        let Some(order) = order else { return Ok(()) };
        if self.is_repeated(&order, output) {
            return Ok(());
        }
        let order_id = order.order_id.clone();
        let mut record = OrderRecord::new(order);
        // Created orders may always be worked.
        record.work(self.state.now).unwrap_or_default();
        output.events.push(Event::OrderCreated(record.clone()));
        self.remember(record);
        let schedule = Schedule {
            asked: asked.clone(),
            phase: Phase::Waiting,
            started: self.state.now,
            ends: None,
            number: 0,
            timer: None,
            arrival: None,
            traded: Decimal::ZERO,
            recent: VecDeque::new(),
            refusals: 0,
            not_before: None,
            last_sent: None,
        };
        self.state.algorithms.insert(order_id.clone(), schedule);
        self.advance(&order_id, output)
    }

    /// Why a request cannot be worked.
    fn fault_of(&self, asked: &AlgorithmRequest, key: &IdempotencyKey) -> Option<String> {
        if let Err(faults) = asked.validate() {
            return Some(faults.to_string());
        }
        let OrderRequest { symbol, quantity, .. } = &asked.parent;
        let Some(instrument) = self.config.instruments.get(symbol) else {
            return Some(format!("instrument {symbol} is not in the table; add a row for it"));
        };
        if !is_multiple(*quantity, instrument.lot) {
            let lot = instrument.lot;
            return Some(format!(
                "quantity {quantity} of {symbol} is no multiple of the lot {lot}; round it"
            ));
        }
        if let Err(fault) = IdempotencyKey::for_child(key, u32::MAX) {
            return Some(format!("its key cannot be numbered: {fault}"));
        }
        let many = self.state.algorithms.len() >= MAX_COMMANDS;
        many.then(|| format!("{MAX_COMMANDS} orders are worked; this one is dropped"))
    }

    /// Volume that the market traded.
    pub(crate) fn volumes(&mut self, volumes: &[VolumeUpdate], output: &mut Output) -> Result<(), CoreError> {
        let now = self.state.now;
        for VolumeUpdate { symbol, units } in volumes {
            if *units <= Decimal::ZERO || self.config.instruments.get(symbol).is_none() {
                continue;
            }
            let traded = Traded { time: now, units: *units };
            self.state.volumes.insert(symbol.clone(), traded.clone());
            let mut affected: Vec<OrderId> = Vec::new();
            for (order_id, schedule) in &mut self.state.algorithms {
                if schedule.asked.parent.symbol != *symbol || schedule.phase != Phase::Working {
                    continue;
                }
                schedule.traded = schedule.traded.saturating_add(*units);
                if plan(&schedule.asked.algorithm).lookback().is_some() {
                    schedule.recent.push_back(traded.clone());
                    if schedule.recent.len() > MAX_VOLUMES {
                        schedule.recent.pop_front();
                    }
                }
                affected.push(order_id.clone());
            }
            for order_id in affected {
                self.advance(&order_id, output)?;
            }
        }
        Ok(())
    }

    /// A price is about to come: what waits for one at the end of its horizon goes on, by the prices until now.
    pub(crate) fn end_horizons(&mut self, output: &mut Output) -> Result<(), CoreError> {
        let now = self.state.now;
        let over = |schedule: &Schedule| {
            schedule.phase == Phase::Working && schedule.ends.is_some_and(|end| end <= now)
        };
        let parents = self.state.algorithms.iter().filter(|(_, schedule)| over(schedule));
        let parents: Vec<OrderId> = parents.map(|(parent, _)| parent.clone()).collect();
        for parent in parents {
            self.advance(&parent, output)?;
        }
        Ok(())
    }

    /// Whether the core wants to be told the volume that was known at an instant: an algorithm follows it, and it was not
    /// told yet.
    #[must_use]
    pub fn wants_volume(&self, symbol: &Symbol, known: Timestamp) -> bool {
        let told = self.state.volumes.get(symbol).is_some_and(|traded| traded.time >= known);
        let mut schedules = self.state.algorithms.values();
        !told
            && schedules.any(|schedule| {
                schedule.asked.parent.symbol == *symbol
                    && plan(&schedule.asked.algorithm).participation().is_some()
            })
    }

    /// A child changed.
    pub(crate) fn child_changed(
        &mut self,
        parent: &OrderId,
        child: &OrderId,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let state = self.state.orders.get(child).map(|record| record.state);
        let Some(schedule) = self.state.algorithms.get_mut(parent) else { return Ok(()) };
        match state {
            Some(OrderState::Rejected | OrderState::NotSent) => self.child_refused(parent),
            Some(OrderState::Filled | OrderState::PartiallyFilled) => schedule.refusals = 0,
            _ => {}
        }
        let Some(schedule) = self.state.algorithms.get(parent) else { return Ok(()) };
        let complete = self.state.orders.get(parent).is_none_or(|record| record.state == OrderState::Filled);
        let at_once = complete
            || schedule.phase != Phase::Working
            || schedule.refusals >= MAX_REFUSALS
            || plan(&schedule.asked.algorithm).refills();
        if at_once { self.advance(parent, output) } else { Ok(()) }
    }

    /// Cancels a parent and its children.
    pub(crate) fn cancel_algorithm(
        &mut self,
        parent: &OrderId,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let now = self.state.now;
        if let Some(schedule) = self.state.algorithms.get_mut(parent) {
            schedule.phase = Phase::Cancelling;
        }
        if let Some(record) = self.state.orders.get_mut(parent) {
            // Asked for before, or filled meanwhile: then there is nothing to note.
            record.request_cancel(now).unwrap_or_default();
        }
        self.advance(parent, output)
    }

    /// The session ends, and with it everything that was worked in it.
    pub(crate) fn algorithms_close(&mut self, output: &mut Output) -> Result<(), CoreError> {
        if self.market_is_open() {
            return Ok(());
        }
        let parents: Vec<OrderId> = self.state.algorithms.keys().cloned().collect();
        for parent in parents {
            if let Some(schedule) = self.state.algorithms.get_mut(&parent)
                && schedule.phase == Phase::Working
            {
                schedule.phase = Phase::Ending;
            }
            self.advance(&parent, output)?;
        }
        Ok(())
    }

    /// Does what is due for a parent now.
    pub(crate) fn advance(&mut self, parent: &OrderId, output: &mut Output) -> Result<(), CoreError> {
        let (now, open) = (self.state.now, self.market_is_open());
        let filled = self.state.orders.get(parent).is_none_or(|record| record.state == OrderState::Filled);
        if filled && !self.state.children.contains_key(parent) {
            self.forget_algorithm(parent);
            return Ok(());
        }
        if open && self.state.algorithms.get(parent).is_some_and(|schedule| schedule.phase == Phase::Waiting)
        {
            self.start_algorithm(parent);
        }
        let Some(schedule) = self.state.algorithms.get_mut(parent) else { return Ok(()) };
        // A horizon ends once the market was seen after the last child left: between two daily bars it is not, and its
        // children would never meet it.
        let mark = self.state.ledger.mark_of(&schedule.asked.parent.symbol);
        let seen = schedule.last_sent.is_none_or(|sent| mark.is_none_or(|mark| mark.time > sent));
        let ended = seen && schedule.ends.is_some_and(|end| end <= now);
        let over = filled || schedule.refusals >= MAX_REFUSALS || ended;
        if over && schedule.phase == Phase::Working {
            schedule.phase = Phase::Ending;
        }
        match schedule.phase {
            Phase::Waiting => Ok(()),
            // It waits for a price to end by.
            Phase::Working if schedule.ends.is_some_and(|end| end <= now) => Ok(()),
            Phase::Working => {
                self.send_due_child(parent, output)?;
                self.set_algorithm_timer(parent);
                Ok(())
            }
            Phase::Ending | Phase::Last | Phase::Cancelling => self.wind_down(parent, output),
        }
    }

    fn start_algorithm(&mut self, parent: &OrderId) {
        let now = self.state.now;
        let Some(schedule) = self.state.algorithms.get_mut(parent) else { return };
        let symbol = &schedule.asked.parent.symbol;
        let plan = plan(&schedule.asked.algorithm);
        schedule.phase = Phase::Working;
        schedule.started = now;
        schedule.ends = plan.horizon().map(|horizon| now.plus(horizon));
        schedule.arrival = self.state.ledger.mark_of(symbol).map(|mark| MaybePrice(mark.price));
        let earlier = self.state.volumes.get(symbol).filter(|_| plan.knows_earlier_volume());
        schedule.traded = earlier.map_or(Decimal::ZERO, |traded| traded.units);
    }

    /// Cancels children; once none is left, sends what is left where that was asked for, or ends the parent.
    fn wind_down(&mut self, parent: &OrderId, output: &mut Output) -> Result<(), CoreError> {
        let phase = self.state.algorithms.get(parent).map(|schedule| schedule.phase);
        self.clear_algorithm_timer(parent);
        if self.state.children.contains_key(parent) {
            if phase != Some(Phase::Last) {
                self.cancel_children(parent, output);
            }
            return Ok(());
        }
        let open = self.market_is_open();
        let now = self.state.now;
        let Some(record) = self.state.orders.get(parent) else { return Ok(()) };
        let left = record.remaining();
        let Some(schedule) = self.state.algorithms.get_mut(parent) else { return Ok(()) };
        let given_up = schedule.refusals >= MAX_REFUSALS;
        let send = schedule.asked.at_end == AtEnd::Send && !given_up && left > Decimal::ZERO;
        if phase == Some(Phase::Ending) && send {
            if !open {
                return Ok(());
            }
            schedule.phase = Phase::Last;
            self.send_rest(parent, left, output)?;
            if self.state.children.contains_key(parent) {
                return Ok(());
            }
        }
        self.forget_algorithm(parent);
        let Some(record) = self.state.orders.get_mut(parent) else { return Ok(()) };
        if phase == Some(Phase::Cancelling) {
            if record.cancel(now).is_ok() {
                output.events.push(Event::OrderCanceled(record.clone()));
            }
            return Ok(());
        }
        if record.expire(now).is_ok() {
            let message = format!(
                "order {parent} ends with {} of {} filled{}; send another order for what is left",
                record.filled,
                record.order.quantity,
                if given_up { " because its children are refused" } else { "" }
            );
            output.events.push(Event::OrderExpired(record.clone()));
            self.incident("ALGORITHM_UNFINISHED", message, Some(parent), output);
        }
        Ok(())
    }

    fn cancel_children(&mut self, parent: &OrderId, output: &mut Output) {
        let children: Vec<OrderId> = self.state.children.get(parent).into_iter().flatten().cloned().collect();
        for child in children {
            let record = self.state.orders.get(&child);
            if record.is_some_and(|record| record.state != OrderState::PendingCancel) {
                self.request_cancel(&child, output);
            }
        }
    }

    fn forget_algorithm(&mut self, parent: &OrderId) {
        self.clear_algorithm_timer(parent);
        self.state.algorithms.remove(parent);
    }

    fn clear_algorithm_timer(&mut self, parent: &OrderId) {
        let timer = self.state.algorithms.get_mut(parent).and_then(|schedule| schedule.timer.take());
        if let Some(at) = timer {
            self.state.timers.remove(&(at, Timer::Algorithm(parent.clone())));
        }
    }

    /// Wakes at the next slice, at the end of a pause, or at the end.
    fn set_algorithm_timer(&mut self, parent: &OrderId) {
        self.clear_algorithm_timer(parent);
        let Some(moment) = self.moment(parent) else { return };
        let now = self.state.now;
        let Some(schedule) = self.state.algorithms.get(parent) else { return };
        let next = plan(&schedule.asked.algorithm).next(&moment);
        let pause = schedule.not_before.filter(|at| *at > now);
        // What lies in the past waits for a price, not for a timer.
        let due = [next, pause, schedule.ends].into_iter().flatten().filter(|at| *at > now);
        let Some(at) = due.min().filter(|_| schedule.ends.is_none_or(|end| end > now)) else { return };
        if let Some(schedule) = self.state.algorithms.get_mut(parent) {
            schedule.timer = Some(at);
        }
        self.set_timer(at, Timer::Algorithm(parent.clone()));
    }

    /// What the algorithm of a parent looks at.
    fn moment(&self, parent: &OrderId) -> Option<Moment<'_>> {
        let schedule = self.state.algorithms.get(parent)?;
        let record = self.state.orders.get(parent)?;
        let now = self.state.now;
        let lookback = plan(&schedule.asked.algorithm).lookback().unwrap_or_default();
        let lately = schedule.recent.iter().filter(|traded| now.since(traded.time) < lookback);
        Some(Moment {
            now,
            started: schedule.started,
            key: &record.order.idempotency_key,
            side: record.order.side,
            quantity: record.order.quantity,
            filled: record.filled,
            open: self.open_children(parent),
            traded: schedule.traded,
            lately: lately.map(|traded| traded.units).fold(Decimal::ZERO, Decimal::saturating_add),
            price: self.state.ledger.mark_of(&record.order.symbol).map(|mark| mark.price),
            arrival: schedule.arrival.map(|price| price.0),
            session_opened: self.state.session_opened,
        })
    }

    fn child_refused(&mut self, parent: &OrderId) {
        let until = self.state.now.plus(PAUSE);
        if let Some(schedule) = self.state.algorithms.get_mut(parent) {
            schedule.refusals = schedule.refusals.saturating_add(1);
            schedule.not_before = Some(until);
        }
    }
}
