//! A core of one fund with a risk machine and a planner that do as they are told.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use mts_engine::input::{AccountAnswer, Input, MarkUpdate};
use mts_engine::{Action, Core, CoreConfig, FundSetup, Output};
use mts_foundation::broker::{CancelOutcome, SubmitOutcome};
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus, OrderReport};
use mts_foundation::reconcile::AccountSnapshot;
use mts_foundation::risk::{
    Gate, GateTrace, HaltRequest, RejectCode, Rejection, RiskAction, RiskContext, RiskDecision, RiskEvent,
    RiskMachine, RiskRefusal,
};
use mts_foundation::sizing::{ComputeError, PlanRequest, PlannedOrder, TargetPlanner};
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{
    Account, AccountId, AssetClass, BrokerOrderId, Currency, Decimal, Event, Fill, FundConfig, FundId,
    IdempotencyKey, Instrument, InstrumentTable, Ledger, Order, OrderId, OrderState, Position, RiskEnvelope,
    Side, StrategyId, Symbol, Timestamp,
};

/// Approves or refuses everything.
struct Obedient {
    approve: bool,
    kill: Option<String>,
    halts: Vec<HaltRequest>,
    envelope: RiskEnvelope,
}

impl RiskMachine for Obedient {
    fn check(&self, _: &Order, _: &RiskContext<'_>, _: &mut GateTrace) -> RiskDecision {
        if self.approve && self.kill.is_none() {
            return RiskDecision::Approved;
        }
        RiskDecision::Rejected(Box::new(Rejection {
            gate: Gate::Assets,
            code: RejectCode::AssetBlocked,
            limit: None,
            observed: None,
            message: "told so".to_owned(),
        }))
    }
    fn reserve(&mut self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> RiskDecision {
        self.check(order, context, trace)
    }
    fn commit(&mut self, _: &Order, _: &RiskContext<'_>) {}
    fn release(&mut self, _: &OrderId) {}
    fn withdraw(&mut self, _: &Order) {}
    fn apply(
        &mut self,
        event: &RiskEvent,
        _: &Ledger,
        _: Timestamp,
        actions: &mut Vec<RiskAction>,
    ) -> Result<(), RiskRefusal> {
        if let RiskEvent::Kill { reason, actor } = event {
            self.kill = Some(reason.clone());
            actions.push(RiskAction::Killed { reason: reason.clone(), actor: actor.clone() });
        }
        if let RiskEvent::Halt(halt) = event {
            self.halts.push(halt.clone());
            actions.push(RiskAction::Halted(halt.clone()));
        }
        Ok(())
    }
    fn envelope(&self, _: &FundId) -> Option<&RiskEnvelope> {
        Some(&self.envelope)
    }
    fn halts(&self) -> Vec<HaltRequest> {
        self.halts.clone()
    }
    fn killed(&self) -> Option<&str> {
        self.kill.as_deref()
    }
    fn snapshot(&self) -> Vec<u8> {
        self.kill.clone().unwrap_or_default().into_bytes()
    }
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RiskRefusal> {
        let reason = String::from_utf8(snapshot.to_vec()).unwrap();
        self.kill = (!reason.is_empty()).then_some(reason);
        Ok(())
    }
}

pub(crate) struct NoPlans;

impl TargetPlanner for NoPlans {
    fn plan(&self, _: &PlanRequest<'_>) -> Result<Vec<PlannedOrder>, ComputeError> {
        Ok(Vec::new())
    }
}

pub(crate) fn fund_id() -> FundId {
    FundId::new("f").unwrap()
}

pub(crate) fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + minute * 60_000)
}

pub(crate) fn core(approve: bool) -> Core {
    core_with(approve, |_| {})
}

/// The same with a configuration of one's own.
pub(crate) fn core_with(approve: bool, change: impl FnOnce(&mut CoreConfig)) -> Core {
    let instrument = Instrument {
        symbol: Symbol::new("AAPL").unwrap(),
        name: Default::default(),
        asset_class: AssetClass::Equities,
        currency: Currency::USD,
        calendar: "XNYS".into(),
        sector: "x".into(),
        country: "US".into(),
        tick: Decimal::new(1, 2),
        lot: Decimal::ONE,
        multiplier: Decimal::ONE,
        expiry: None,
    };
    let config: FundConfig = serde_json::from_str(
        r#"{"fund_id":"f","name":"f","target_nav_usd":"1000","broker":"paper","created_at":"2023-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let envelope = serde_json::from_str(
        r#"{"envelope_id":"e","fund_id":"f","nav_usd":"1000","created_at":"2023-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let setup = FundSetup { config, initial_cash: Decimal::from(1_000) };
    let table = InstrumentTable::from_instruments([instrument]).unwrap();
    let risk = Obedient { approve, kill: None, halts: Vec::new(), envelope };
    let mut config = CoreConfig::new(vec![setup], table);
    change(&mut config);
    Core::new(config, Box::new(risk), Box::new(NoPlans)).unwrap()
}

/// Feeds an input and gives back what the core answered.
pub(crate) fn step(core: &mut Core, input: &Input) -> Output {
    let mut output = Output::default();
    core.step(input, &mut output).unwrap();
    output
}

pub(crate) fn open(core: &mut Core, minute: i64) -> Output {
    let date = at(minute).to_datetime().date_naive();
    step(core, &Input::Closes { time: at(minute), marks: vec![mark(10)] });
    step(core, &Input::SessionOpen { date, time: at(minute) })
}

pub(crate) fn mark(price: i64) -> MarkUpdate {
    MarkUpdate { symbol: Symbol::new("AAPL").unwrap(), price: Decimal::from(price) }
}

pub(crate) fn decide(minute: i64, commands: Vec<Command>) -> Input {
    Input::Decided {
        strategy_id: StrategyId::new("s").unwrap(),
        fund_id: fund_id(),
        time: at(minute),
        commands,
        memory: None,
    }
}

pub(crate) fn buy(key: &str, quantity: i64) -> Command {
    let mut request = OrderRequest::market(Symbol::new("AAPL").unwrap(), Side::Buy, Decimal::from(quantity));
    request.idempotency_key = Some(IdempotencyKey::new(key).unwrap());
    Command::Submit(request)
}

pub(crate) fn submitted(output: &Output) -> Vec<&Order> {
    output
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Submit(order) => Some(order),
            _ => None,
        })
        .collect()
}

pub(crate) fn accept(core: &mut Core, order: &Order, minute: i64) -> Output {
    let id = BrokerOrderId::new(format!("B-{}", order.order_id)).unwrap();
    let outcome = SubmitOutcome::Accepted(order.clone().accepted(at(minute), id));
    step(core, &Input::Submitted { order_id: order.order_id.clone(), outcome, time: at(minute) })
}

pub(crate) fn fill(order: &Order, id: &str, quantity: i64, minute: i64) -> Input {
    let fill = Fill::new(
        id,
        order.order_id.as_str(),
        order.symbol.as_str(),
        order.side,
        Decimal::from(quantity),
        Decimal::TEN,
        at(minute),
    )
    .unwrap();
    let event = BrokerEvent::Fill {
        account: AccountId::new("a").unwrap(),
        cursor: Cursor::new(id).unwrap(),
        fill,
        fees: FeeStatus::Known,
    };
    Input::Broker { broker: "paper".parse().unwrap(), event, time: at(minute) }
}

/// What the venue says to a cancel.
pub(crate) fn cancel_answer(order: &Order, outcome: CancelOutcome, minute: i64) -> Input {
    Input::Canceled { order_id: order.order_id.clone(), outcome, time: at(minute) }
}

/// Orders whose cancellation is asked for.
pub(crate) fn cancelled(output: &Output) -> Vec<OrderId> {
    let cancels = output.actions.iter().filter_map(|action| match action {
        Action::Cancel(reference) => Some(reference.order_id.clone()),
        _ => None,
    });
    cancels.collect()
}

/// Units of AAPL that are held.
pub(crate) fn held(core: &Core) -> Decimal {
    core.state().ledger().fund(&fund_id()).unwrap().positions().quantity(&Symbol::new("AAPL").unwrap())
}

/// A core whose process has begun, whose one account is compared and agrees, and whose market is open.
pub(crate) fn live_core(minute: i64) -> Core {
    let mut core = core(true);
    let output = step(&mut core, &Input::Started { time: at(minute) });
    assert_eq!(output.actions, [Action::Snapshot { broker: "paper".parse().unwrap() }]);
    step(&mut core, &seen(&[], &[], minute));
    open(&mut core, minute);
    core
}

/// An account as the venue shows it; its cash is what the books have.
pub(crate) fn seen(positions: &[(&str, i64)], orders: &[OrderReport], minute: i64) -> Input {
    let position = |(symbol, quantity): &(&str, i64)| Position {
        fund_id: fund_id(),
        symbol: Symbol::new(symbol).unwrap(),
        quantity: Decimal::from(*quantity),
        avg_price: Decimal::TEN,
        last_price: Decimal::TEN,
        market_value_usd: Decimal::ZERO,
        unrealized_pl_usd: Decimal::ZERO,
        realized_pl_ytd_usd: Decimal::ZERO,
        last_updated: at(minute),
        tax_lots: Vec::new(),
    };
    let units: i64 = positions.iter().map(|(_, quantity)| quantity).sum();
    let cash = Decimal::from(1_000 - 10 * units);
    let snapshot = AccountSnapshot {
        open_orders: orders.to_vec(),
        positions: positions.iter().map(position).collect(),
        account: Account {
            base_currency: Currency::USD,
            cash,
            equity: cash,
            buying_power: None,
            asof: at(minute),
        },
    };
    let answer = AccountAnswer::Seen(Box::new(snapshot));
    Input::AccountSeen { broker: "paper".parse().unwrap(), answer, time: at(minute) }
}

/// What the venue reports of an order.
pub(crate) fn report(order: &Order, state: OrderState, filled: i64, minute: i64) -> OrderReport {
    OrderReport {
        broker_order_id: BrokerOrderId::new(format!("B-{}", order.order_id)).unwrap(),
        order_id: None,
        idempotency_key: Some(order.idempotency_key.clone()),
        symbol: order.symbol.clone(),
        side: order.side,
        order_type: order.order_type,
        quantity: order.quantity,
        filled: Decimal::from(filled),
        average_price: (filled > 0).then_some(Decimal::TEN),
        state,
        reason: None,
        timestamp: at(minute),
    }
}

/// Lets time pass until the core wants nothing more before `until`; gives back everything it answered, and when.
pub(crate) fn wait(core: &mut Core, until: Timestamp) -> Vec<(Timestamp, Output)> {
    let mut said = Vec::new();
    while let Some(time) = core.next_timer().filter(|time| *time <= until) {
        let time = time.max(core.state().now());
        said.push((time, step(core, &Input::Timer { time })));
    }
    said
}

pub(crate) fn code(output: &Output) -> Option<RejectCode> {
    output.events.iter().find_map(|event| match event {
        Event::GateFailed(failed) => Some(failed.rejection.code),
        _ => None,
    })
}

pub(crate) fn incidents(output: &Output) -> Vec<&str> {
    output
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Incident { code, .. } => Some(code.as_str()),
            _ => None,
        })
        .collect()
}
