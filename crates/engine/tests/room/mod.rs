//! A core that asks about orders, with a risk machine of one limit.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use super::common::*;
use mts_engine::input::Input;
use mts_engine::{Action, Core, CoreConfig, GateAnswer, GateQuestion, Output};
use mts_foundation::risk::{
    Gate, GateTrace, HaltRequest, RejectCode, Rejection, RiskAction, RiskContext, RiskDecision, RiskEvent,
    RiskMachine, RiskRefusal,
};
use mts_foundation::{Decimal, FundId, Ledger, Order, OrderId, OrderState, RiskEnvelope, Timestamp};
use std::collections::BTreeMap;

/// Units that may be held, with everything that works and is reserved.
pub(crate) const LIMIT: i64 = 100;

/// A machine with one limit.
pub(crate) struct Room {
    limit: Decimal,
    envelope: RiskEnvelope,
    reserved: BTreeMap<OrderId, Decimal>,
    committed: u64,
}

pub(crate) fn refusal(code: RejectCode, message: &str) -> Box<Rejection> {
    let message = message.to_owned();
    Box::new(Rejection { gate: Gate::Position, code, limit: None, observed: None, message })
}

impl RiskMachine for Room {
    fn check(&self, order: &Order, context: &RiskContext<'_>, _: &mut GateTrace) -> RiskDecision {
        let book = context.ledger.fund(&order.fund_id).unwrap();
        let others = self.reserved.iter().filter(|(order_id, _)| **order_id != order.order_id);
        let buys =
            book.symbol_exposure(&order.symbol).buys + others.map(|(_, units)| *units).sum::<Decimal>();
        let most = book.positions().quantity(&order.symbol) + buys + order.side.signed(order.quantity);
        if order.side.is_opening() && most > self.limit {
            return RiskDecision::Rejected(refusal(RejectCode::MaxPositionQuantity, "too many"));
        }
        RiskDecision::Approved
    }
    fn reserve(&mut self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> RiskDecision {
        let decision = self.check(order, context, trace);
        if decision.is_approved() && order.side.is_opening() {
            self.reserved.insert(order.order_id.clone(), order.quantity);
        }
        decision
    }
    fn reduces(&self, order: &Order, _: &RiskContext<'_>) -> bool {
        !order.side.is_opening()
    }
    fn commit(&mut self, order: &Order, _: &RiskContext<'_>) {
        self.reserved.remove(&order.order_id);
        self.committed += 1;
    }
    fn release(&mut self, order_id: &OrderId) {
        self.reserved.remove(order_id);
    }
    fn withdraw(&mut self, _: &Order) {}
    fn apply(
        &mut self,
        event: &RiskEvent,
        _: &Ledger,
        _: Timestamp,
        actions: &mut Vec<RiskAction>,
    ) -> Result<(), RiskRefusal> {
        match event.clone() {
            RiskEvent::Kill { reason, actor } => actions.push(RiskAction::Killed { reason, actor }),
            RiskEvent::Halt(halt) => actions.push(RiskAction::Halted(halt)),
            _ => {}
        }
        Ok(())
    }
    fn envelope(&self, _: &FundId) -> Option<&RiskEnvelope> {
        Some(&self.envelope)
    }
    fn halts(&self) -> Vec<HaltRequest> {
        Vec::new()
    }
    fn killed(&self) -> Option<&str> {
        None
    }
    /// What is reserved, and how many orders were accepted: nothing else is state here.
    fn snapshot(&self) -> Vec<u8> {
        let reserved: Vec<String> = self.reserved.keys().map(OrderId::to_string).collect();
        format!("{}|{}", self.committed, reserved.join(",")).into_bytes()
    }
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RiskRefusal> {
        let text = String::from_utf8(snapshot.to_vec()).unwrap();
        let (committed, reserved) = text.split_once('|').unwrap();
        assert_eq!(reserved, "", "nothing is reserved between two inputs");
        self.committed = committed.parse().unwrap();
        Ok(())
    }
}

/// A core that asks, whose market has not opened.
pub(crate) fn room_with(limit: i64) -> Core {
    let config = CoreConfig { async_gates: true, ..core(true).config().clone() };
    let envelope = core(true).risk().envelope(&fund_id()).unwrap().clone();
    let limit = Decimal::from(limit);
    let machine = Room { limit, envelope, reserved: BTreeMap::new(), committed: 0 };
    Core::new(config, Box::new(machine), Box::new(NoPlans)).unwrap()
}

/// A core that asks, with an open market.
pub(crate) fn asking() -> Core {
    let mut core = room_with(LIMIT);
    open(&mut core, 0);
    core
}

pub(crate) fn questions(output: &Output) -> Vec<GateQuestion> {
    let asked = output.actions.iter().filter_map(|action| match action {
        Action::Ask(question) => Some((**question).clone()),
        _ => None,
    });
    asked.collect()
}

/// Sends an order that is asked about.
pub(crate) fn asked(core: &mut Core, key: &str, units: i64, minute: i64) -> Order {
    let output = step(core, &decide(minute, vec![buy(key, units)]));
    let [question] = &questions(&output)[..] else { panic!("{:?}", output.actions) };
    assert_eq!(submitted(&output).len(), 0, "nothing leaves before the answer");
    question.order.clone()
}

pub(crate) fn answer(core: &mut Core, order: &Order, answer: GateAnswer, minute: i64) -> Output {
    let order_id = order.order_id.clone();
    step(core, &Input::GateAnswered { order_id, answer, failures: Vec::new(), time: at(minute) })
}

pub(crate) fn pass(core: &mut Core, order: &Order, minute: i64) -> Output {
    answer(core, order, GateAnswer::Passed, minute)
}

pub(crate) fn veto() -> GateAnswer {
    let rejection = Rejection {
        gate: Gate::Veto,
        code: RejectCode::Vetoed,
        limit: None,
        observed: None,
        message: "rather not".to_owned(),
    };
    GateAnswer::Refused(Box::new(rejection))
}

pub(crate) fn state(core: &Core, order: &Order) -> OrderState {
    core.state().order(&order.order_id).unwrap().state
}

/// Units that count as working.
pub(crate) fn working(core: &Core) -> Decimal {
    let book = core.state().ledger().fund(&fund_id()).unwrap();
    book.working().map(|(_, working)| working.remaining).sum()
}
