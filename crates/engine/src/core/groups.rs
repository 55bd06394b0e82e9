//! Contingent groups (docs/orders.md). A group is compared with what it should be after every change of its orders, and
//! one step is taken: what is too large is cancelled, what is missing is sent. Nothing is remembered between the steps
//! but quantities and the present orders, so an answer that comes late, twice or never leaves nothing half done.

use super::blocking::Wish;
use super::kin::Kin;
use super::timers::Timer;
use super::{Core, CoreError};
use crate::output::Output;
use mts_foundation::contingent::{Contingency, OrderGroup};
use mts_foundation::num::exact;
use mts_foundation::risk::Rejection;
use mts_foundation::strategy::{MAX_COMMANDS, OrderRequest};
use mts_foundation::{
    Decimal, FundId, IdempotencyKey, OrderId, OrderRecord, OrderState, StrategyId, Symbol, Timestamp,
};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::time::Duration;

/// Pause before an exit that was refused is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// Refusals in a row after which a group waits for a fill, the entry's end or the next session.
const MAX_REFUSALS: u32 = 5;

/// An open group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) fund_id: FundId,
    pub(crate) strategy_id: StrategyId,
    /// That of its first order.
    pub(crate) symbol: Symbol,
    /// As it was asked for.
    asked: OrderGroup,
    /// Number of the last key that was used.
    number: u32,
    /// The entry, or the order that triggers others.
    first: Option<OrderId>,
    first_ended: bool,
    /// Units that the alternatives are for: filled by the entry, or asked for where there is none.
    #[serde(with = "exact")]
    entered: Decimal,
    /// Units that the alternatives have filled.
    #[serde(with = "exact")]
    exited: Decimal,
    members: Vec<Member>,
    /// Nothing is sent any more.
    stopped: bool,
    refusals: u32,
    retry_at: Option<Timestamp>,
    overfill_told: bool,
    /// Its orders wait because nothing may leave, and that was told.
    waits: bool,
}

/// One of the alternatives; when its quantity changes it is one order after another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Member {
    request: OrderRequest,
    order: Option<OrderId>,
    /// It was cancelled to be sent again with another quantity.
    resizing: bool,
    /// It ended for good.
    over: bool,
}

impl Group {
    /// Units that an alternative should have working.
    fn wanted(&self) -> Decimal {
        if self.stopped { Decimal::ZERO } else { (self.entered - self.exited).max(Decimal::ZERO) }
    }

    fn has_first(&self) -> bool {
        !matches!(self.asked.contingency, Contingency::OneCancelsOther { .. })
    }

    /// Gives up what opens positions, and names the orders to cancel.
    pub(crate) fn give_up_entries(&mut self) -> Vec<OrderId> {
        match &self.asked.contingency {
            Contingency::OneCancelsOther { orders } => {
                let opening = orders.first().is_some_and(|order| order.side.is_opening());
                self.stopped |= opening;
                let members = self.members.iter().filter(|_| opening);
                members.filter_map(|member| member.order.clone()).collect()
            }
            _ => {
                self.stopped |= self.first.is_none();
                self.first.iter().filter(|_| !self.first_ended).cloned().collect()
            }
        }
    }

    fn is_over(&self) -> bool {
        let working = self.members.iter().any(|member| member.order.is_some());
        let first_over = !self.has_first() || self.first_ended || (self.stopped && self.first.is_none());
        first_over
            && !working
            && (self.wanted() <= Decimal::ZERO || self.members.iter().all(|member| member.over))
    }
}

impl Core {
    /// Takes a group that a strategy asks for.
    pub(crate) fn begin_group(
        &mut self,
        (fund_id, strategy_id): (&FundId, &StrategyId),
        asked: &OrderGroup,
        leg: u32,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let refuse = |core: &mut Self, code, why: String, output: &mut Output| {
            core.incident(code, format!("strategy {strategy_id} asks for a group: {why}"), None, output);
            Ok(())
        };
        if let Err(faults) = asked.validate() {
            return refuse(self, "GROUP_INVALID", faults.to_string(), output);
        }
        let Some(head) = asked.head() else { return Ok(()) };
        let key = match asked.idempotency_key.clone() {
            Some(key) => key,
            None => Self::key_of((fund_id, strategy_id), self.state.now, head, leg)?,
        };
        if let Err(fault) = IdempotencyKey::for_child(&key, u32::MAX) {
            return refuse(self, "GROUP_INVALID", format!("its key cannot be numbered: {fault}"), output);
        }
        let name = SmolStr::new(key.as_str());
        if let Some(known) = self.state.groups.get(&name) {
            if known.asked.contingency == asked.contingency {
                return Ok(());
            }
            let why = format!("key {key} belongs to an open group with other orders; make a new key");
            return refuse(self, "GROUP_KEY_REUSED", why, output);
        }
        if self.state.keys.contains_key(&IdempotencyKey::for_child(&key, 1)?) {
            // The same decision again, or a key used twice: what it stood for was sent.
            return refuse(self, "GROUP_KEY_REUSED", format!("key {key} was used; make a new key"), output);
        }
        if self.state.groups.len() >= MAX_COMMANDS {
            return refuse(
                self,
                "TOO_MANY_GROUPS",
                format!("{MAX_COMMANDS} are open; it is dropped"),
                output,
            );
        }
        let member = |request| Member { request, order: None, resizing: false, over: false };
        let members: Vec<Member> = asked.alternatives().into_iter().map(member).collect();
        let entered = match &asked.contingency {
            Contingency::OneCancelsOther { .. } => head.quantity,
            _ => Decimal::ZERO,
        };
        let group = Group {
            fund_id: fund_id.clone(),
            strategy_id: strategy_id.clone(),
            symbol: head.symbol.clone(),
            asked: asked.clone(),
            number: 0,
            first: None,
            first_ended: false,
            entered,
            exited: Decimal::ZERO,
            members,
            stopped: false,
            refusals: 0,
            retry_at: None,
            overfill_told: false,
            waits: false,
        };
        self.state.groups.insert(name.clone(), group);
        self.sync_group(&name, output)
    }

    /// A fill of one of its orders counts.
    pub(crate) fn group_filled(
        &mut self,
        key: &SmolStr,
        order_id: &OrderId,
        quantity: Decimal,
        output: &mut Output,
    ) {
        let Some(group) = self.state.groups.get_mut(key) else { return };
        group.refusals = 0;
        group.retry_at = None;
        let triggers = matches!(group.asked.contingency, Contingency::OneTriggersOther { .. });
        if group.first.as_ref() == Some(order_id) {
            group.entered = group.entered.saturating_add(quantity);
        } else if !triggers {
            group.exited = group.exited.saturating_add(quantity);
        }
        if triggers || group.exited <= group.entered || group.overfill_told {
            return;
        }
        group.overfill_told = true;
        let (entered, exited) = (group.entered, group.exited);
        let (fund_id, symbol) = (group.fund_id.clone(), group.symbol.clone());
        let book = self.state.ledger.fund(&fund_id);
        let held = book.map_or(Decimal::ZERO, |book| book.positions().quantity(&symbol));
        let message = format!(
            "alternatives of group {key} filled {exited} together, for {entered}; fund {fund_id} now holds {held} {symbol}; \
             close what is too much"
        );
        self.incident("GROUP_OVERFILL", message, Some(order_id), output);
    }

    /// Lets a group try again what was refused.
    pub(crate) fn retry_group(&mut self, key: &SmolStr) {
        if let Some(group) = self.state.groups.get_mut(key) {
            group.refusals = 0;
            group.retry_at = None;
        }
    }

    /// A member is cancelled by somebody else than the group: it is not sent again.
    pub(crate) fn give_up_member(&mut self, key: &SmolStr, order_id: &OrderId) {
        let Some(group) = self.state.groups.get_mut(key) else { return };
        let members = group.members.iter_mut();
        for member in members.filter(|member| member.order.as_ref() == Some(order_id)) {
            member.over = true;
        }
    }

    /// Ends a group: nothing is sent any more, what works is cancelled.
    pub(crate) fn stop_group(&mut self, key: &SmolStr, output: &mut Output) -> Result<(), CoreError> {
        let Some(group) = self.state.groups.get_mut(key) else { return Ok(()) };
        group.stopped = true;
        let first = group.first.clone().filter(|_| !group.first_ended);
        if let Some(first) = first {
            self.request_cancel(&first, output);
        }
        self.sync_group(key, output)
    }

    /// Brings a group one step nearer to what it should be.
    pub(crate) fn sync_group(&mut self, key: &SmolStr, output: &mut Output) -> Result<(), CoreError> {
        self.send_first(key, output)?;
        if self.follow_first(key, output)? {
            return Ok(());
        }
        let members = self.state.groups.get(key).map_or(0, |group| group.members.len());
        for index in 0..members {
            self.follow_member(key, index, output);
            self.fit_member(key, index, output);
        }
        self.count_members(key)?;
        for index in 0..members {
            self.send_member(key, index, output)?;
        }
        let Some(group) = self.state.groups.get(key).filter(|group| group.is_over()) else { return Ok(()) };
        let bare = group.entered - group.exited;
        let protected = matches!(group.asked.contingency, Contingency::Bracket { .. });
        let message = format!(
            "the exits of group {key} ended and {bare} {} of its entry are left without; close them, or send new exits",
            group.symbol
        );
        let told = group.stopped || bare <= Decimal::ZERO || !protected;
        self.end_group(key);
        if !told {
            self.incident("GROUP_UNPROTECTED", message, None, output);
        }
        Ok(())
    }

    fn end_group(&mut self, key: &SmolStr) {
        if let Some(at) = self.state.groups.remove(key).and_then(|group| group.retry_at) {
            self.state.timers.remove(&(at, Timer::Group(key.clone())));
        }
    }

    /// Sends the entry, once the market is open.
    fn send_first(&mut self, key: &SmolStr, output: &mut Output) -> Result<(), CoreError> {
        let open = self.market_is_open();
        let Some(group) = self.state.groups.get(key) else { return Ok(()) };
        if group.first.is_some() || group.stopped || !group.has_first() || !open {
            return Ok(());
        }
        let Some(request) = group.asked.head().cloned() else { return Ok(()) };
        let sent = self.send_of_group(key, &request, output)?;
        match (self.state.groups.get_mut(key), sent) {
            (Some(group), Some(order_id)) => group.first = Some(order_id),
            // A gate refused it, and said so.
            _ => self.end_group(key),
        }
        Ok(())
    }

    /// Sees what became of the entry. True when the group is over with it.
    fn follow_first(&mut self, key: &SmolStr, output: &mut Output) -> Result<bool, CoreError> {
        let Some(group) = self.state.groups.get_mut(key) else { return Ok(true) };
        let Some(first) = group.first.clone().filter(|_| !group.first_ended) else { return Ok(false) };
        let record = self.state.orders.get(&first).filter(|record| record.state.is_terminal());
        let Some(record) = record else { return Ok(false) };
        group.first_ended = true;
        group.refusals = 0;
        group.retry_at = None;
        let Contingency::OneTriggersOther { then, .. } = &group.asked.contingency else { return Ok(false) };
        let (then, stopped) = (then.clone(), group.stopped);
        let (state, filled, quantity) = (record.state, record.filled, record.order.quantity);
        if state == OrderState::Filled && !stopped {
            for request in &then {
                self.send_of_group(key, request, output)?;
            }
        } else if filled > Decimal::ZERO {
            let message = format!(
                "the first order of group {key} ended {state} with {filled} of {quantity}, so the others are not sent; send \
                 what you still want"
            );
            self.incident("GROUP_NOT_TRIGGERED", message, Some(&first), output);
        }
        self.end_group(key);
        Ok(true)
    }

    /// Sees what became of a member's order.
    fn follow_member(&mut self, key: &SmolStr, index: usize, output: &mut Output) {
        let Some(group) = self.state.groups.get_mut(key) else { return };
        let Some(member) = group.members.get_mut(index) else { return };
        let Some(order_id) = member.order.clone() else { return };
        // What is forgotten ended long ago.
        let state = self.state.orders.get(&order_id).map_or(OrderState::Canceled, |record| record.state);
        if !state.is_terminal() {
            return;
        }
        member.order = None;
        let resizing = std::mem::replace(&mut member.resizing, false);
        match state {
            OrderState::Rejected | OrderState::NotSent => self.refused(key, Some(&order_id), output),
            // It may have been for less than is wanted by now.
            OrderState::Filled => {}
            _ => member.over |= !resizing,
        }
    }

    /// Cancels a member's order whose quantity is not what is wanted.
    fn fit_member(&mut self, key: &SmolStr, index: usize, output: &mut Output) {
        let Some(group) = self.state.groups.get_mut(key) else { return };
        let wanted = group.wanted();
        let Some(member) = group.members.get_mut(index) else { return };
        let Some(order_id) = member.order.clone() else { return };
        let Some(record) = self.state.orders.get(&order_id) else { return };
        let asked = member.resizing || record.state == OrderState::PendingCancel;
        if record.remaining() == wanted || asked || self.state.cancels_wanted.contains(&order_id) {
            return;
        }
        // It comes back, with what is wanted then, once its end is confirmed.
        member.resizing = true;
        self.request_cancel(&order_id, output);
    }

    /// Sends a member that is missing.
    fn send_member(&mut self, key: &SmolStr, index: usize, output: &mut Output) -> Result<(), CoreError> {
        let (now, open) = (self.state.now, self.market_is_open());
        let Some(group) = self.state.groups.get(key) else { return Ok(()) };
        let Some(member) = group.members.get(index) else { return Ok(()) };
        let wanted = group.wanted();
        let doubtful = group.first.as_ref().and_then(|first| self.state.orders.get(first));
        let doubtful = doubtful.is_some_and(|record| record.state == OrderState::Unknown);
        let pausing = group.refusals >= MAX_REFUSALS || group.retry_at.is_some_and(|at| now < at);
        let present = member.order.is_some() || member.over;
        if present || wanted <= Decimal::ZERO || doubtful || pausing || !open {
            return Ok(());
        }
        let request = OrderRequest { quantity: wanted, ..member.request.clone() };
        if let Some(why) = self.group_is_blocked(group, &request) {
            self.let_wait(key, &why, output);
            return Ok(());
        }
        // One of the alternatives can fill, not all: they count once, so the others step back while this one is gated.
        self.step_back(key)?;
        let sent = self.send_of_group(key, &request, output)?;
        match (sent, self.state.groups.get_mut(key)) {
            (Some(order_id), Some(group)) => {
                if let Some(member) = group.members.get_mut(index) {
                    member.order = Some(order_id);
                }
            }
            (None, Some(_)) => self.refused(key, None, output),
            (_, None) => return Ok(()),
        }
        self.count_members(key)
    }

    /// Why nothing of a group may leave now.
    fn group_is_blocked(&self, group: &Group, request: &OrderRequest) -> Option<Rejection> {
        self.blocked(&Wish {
            fund_id: &group.fund_id,
            strategy_id: &group.strategy_id,
            broker: self.brokers.get(&group.fund_id)?,
            symbol: &request.symbol,
            side: request.side,
            quantity: request.quantity,
            closing: false,
        })
    }

    /// Nothing may leave until something is known: that is no refusal, so it uses no try.
    fn let_wait(&mut self, key: &SmolStr, why: &Rejection, output: &mut Output) {
        let at = self.state.now.plus(RETRY);
        self.pause_group(key, Some(at));
        let Some(group) = self.state.groups.get_mut(key) else { return };
        if !std::mem::replace(&mut group.waits, true) {
            let message = format!("an order of group {key} waits: {}", why.message);
            self.incident("GROUP_WAITS", message, None, output);
        }
    }

    /// An account was compared: what waited for that goes on at once.
    pub(crate) fn groups_go_on(&mut self, output: &mut Output) -> Result<(), CoreError> {
        let waiting = self.state.groups.iter().filter(|(_, group)| group.waits);
        let waiting: Vec<SmolStr> = waiting.map(|(key, _)| key.clone()).collect();
        for key in waiting {
            self.pause_group(&key, None);
            if let Some(group) = self.state.groups.get_mut(&key) {
                group.waits = false;
            }
            self.sync_group(&key, output)?;
        }
        Ok(())
    }

    /// Lets a group try again at an instant, or whenever there is cause.
    fn pause_group(&mut self, key: &SmolStr, until: Option<Timestamp>) {
        let Some(group) = self.state.groups.get_mut(key) else { return };
        if let Some(old) = std::mem::replace(&mut group.retry_at, until) {
            self.state.timers.remove(&(old, Timer::Group(key.clone())));
        }
        if let Some(at) = until {
            self.set_timer(at, Timer::Group(key.clone()));
        }
    }

    /// A gate or the venue refused a member.
    fn refused(&mut self, key: &SmolStr, order_id: Option<&OrderId>, output: &mut Output) {
        let Some(group) = self.state.groups.get_mut(key) else { return };
        group.refusals = group.refusals.saturating_add(1);
        let tries = group.refusals;
        let (missing, symbol) = (group.wanted(), group.symbol.clone());
        let again = (tries < MAX_REFUSALS).then(|| self.state.now.plus(RETRY));
        self.pause_group(key, again);
        if tries == 1 {
            let message =
                format!("an order of group {key} is refused; it is tried again, {MAX_REFUSALS} times in all");
            self.incident("GROUP_ORDER_REFUSED", message, order_id, output);
        } else if tries == MAX_REFUSALS {
            let message = format!(
                "an order of group {key} was refused {MAX_REFUSALS} times; it is not tried again before a fill, the end of the \
                 entry or the next session, and {missing} {symbol} are without it; send what you still want, or close them"
            );
            self.incident("GROUP_ORDER_GIVEN_UP", message, order_id, output);
        }
    }

    /// Sends an order under the group's next key; its id where it left.
    fn send_of_group(
        &mut self,
        key: &SmolStr,
        request: &OrderRequest,
        output: &mut Output,
    ) -> Result<Option<OrderId>, CoreError> {
        let Some(group) = self.state.groups.get_mut(key) else { return Ok(None) };
        group.number = group.number.saturating_add(1);
        let child = IdempotencyKey::for_child(&IdempotencyKey::new(key)?, group.number)?;
        let (fund_id, strategy_id) = (group.fund_id.clone(), group.strategy_id.clone());
        let actor = Self::actor_of(&strategy_id)?;
        let order = self.order_of((&fund_id, &strategy_id, &actor), &child, request, output);
        let Some(order) = order else { return Ok(None) };
        let order_id = order.order_id.clone();
        let kin = Kin { parent: None, group: Some(key.clone()) };
        self.propose_kin(order, &kin, None, false, output)?;
        let left = self.state.orders.get(&order_id).is_some_and(|record| !record.state.is_terminal());
        Ok(left.then_some(order_id))
    }

    /// Lets none of the alternatives count in the books, while another is gated.
    pub(crate) fn step_back(&mut self, key: &SmolStr) -> Result<(), CoreError> {
        self.count_as(key, None)
    }

    /// Lets the largest of the alternatives count in the books, and the others for nothing.
    pub(crate) fn count_members(&mut self, key: &SmolStr) -> Result<(), CoreError> {
        let Some(group) = self.state.groups.get(key) else { return Ok(()) };
        let orders = group.members.iter().filter_map(|member| member.order.as_ref());
        let records = orders.filter_map(|order_id| self.state.orders.get(order_id));
        let counting = records.filter(|record| can_count(record));
        // The first of equals, so that it does not depend on the order of answers.
        let largest = counting.reduce(|a, b| if b.remaining() > a.remaining() { b } else { a });
        let largest = largest.map(|record| record.order.order_id.clone());
        self.count_as(key, largest.as_ref())
    }

    /// Lets one of the alternatives, or none, count in the books.
    fn count_as(&mut self, key: &SmolStr, counting: Option<&OrderId>) -> Result<(), CoreError> {
        let Some(group) = self.state.groups.get(key) else { return Ok(()) };
        let orders: Vec<OrderId> = group.members.iter().filter_map(|member| member.order.clone()).collect();
        let (instruments, ledger) = (&self.config.instruments, &mut self.state.ledger);
        for order_id in orders {
            let Some(record) = self.state.orders.get(&order_id) else { continue };
            if !can_count(record) {
                continue;
            }
            let units = if Some(&order_id) == counting { record.remaining() } else { Decimal::ZERO };
            ledger.remove_working(instruments, &record.order.fund_id, &order_id)?;
            ledger.add_working(instruments, &record.order, units)?;
        }
        Ok(())
    }
}

/// Whether an order may yet fill, or wait for those who let it.
fn can_count(record: &OrderRecord) -> bool {
    record.state.is_working() || record.state == OrderState::PendingRisk
}
