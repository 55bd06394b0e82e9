//! Loss limits halt, halts stay, operators end them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use mts_foundation::ledger::MarkKind;
use mts_foundation::risk::{
    GateTrace, HaltScope, RejectCode, ResumeRequest, RiskAction, RiskContext, RiskDecision, RiskEvent,
    SessionPhase,
};
use mts_foundation::{
    ActorId, Currency, Decimal, Fill, FundConfig, FundId, GateLimits, Instrument, InstrumentTable, Ledger,
    Order, OrderType, RiskEnvelope, RiskMachine, Side, Symbol, Timestamp,
};
use mts_riskengine::{FundRisk, OperatorPolicy, RiskPipeline};
use std::collections::BTreeMap;

struct World {
    machine: RiskPipeline,
    ledger: Ledger,
    table: InstrumentTable,
    fund: FundId,
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + hour * 3_600_000)
}

fn pipeline() -> RiskPipeline {
    let config: FundConfig = serde_json::from_str(
        r#"{"fund_id":"f","name":"f","target_nav_usd":"1000","broker":"paper","created_at":"2026-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let envelope: RiskEnvelope = serde_json::from_str(
        r#"{"envelope_id":"e","fund_id":"f","nav_usd":"1000","max_position_pct":1.0,"max_sector_pct":1.0,
            "max_gross_exposure_pct":2.0,"max_net_exposure_pct":2.0,"daily_loss_halt_pct":0.03,
            "allowed_brokers":["paper"],"created_at":"2026-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let fund =
        FundRisk { config, envelope: Some(envelope), limits: GateLimits::default(), borrow: BTreeMap::new() };
    let operators = ["ann", "bob"].map(|name| ActorId::new(name).unwrap()).to_vec();
    RiskPipeline::new(vec![fund], OperatorPolicy { operators, ..OperatorPolicy::default() }).unwrap()
}

/// A fund of 1,000 with five shares at 100, on the first of January.
fn world() -> World {
    let symbol = Symbol::new("A").unwrap();
    let instrument = Instrument {
        symbol: symbol.clone(),
        name: Default::default(),
        asset_class: mts_foundation::AssetClass::Equities,
        currency: Currency::USD,
        calendar: "XNYS".into(),
        sector: "x".into(),
        country: "US".into(),
        tick: Decimal::new(1, 2),
        lot: Decimal::ONE,
        multiplier: Decimal::ONE,
        expiry: None,
    };
    let table = InstrumentTable::from_instruments([instrument]).unwrap();
    let fund = FundId::new("f").unwrap();
    let mut ledger = Ledger::new();
    ledger.open_fund(fund.clone(), Currency::USD, Decimal::from(1_000)).unwrap();
    ledger.mark(&table, &symbol, Decimal::from(100), MarkKind::Close, at(0)).unwrap();
    let fill = Fill::new("x", "o", "A", Side::Buy, Decimal::from(5), Decimal::from(100), at(0)).unwrap();
    ledger.book_fill(&table, &fund, &fill).unwrap();
    let mut world = World { machine: pipeline(), ledger, table, fund };
    world.apply(RiskEvent::DayRolled { date: "2026-01-01".parse().unwrap() }, 1).unwrap();
    world
}

impl World {
    fn apply(&mut self, event: RiskEvent, hour: i64) -> Result<Vec<RiskAction>, String> {
        let mut actions = Vec::new();
        let done = self.machine.apply(&event, &self.ledger, at(hour), &mut actions);
        done.map(|()| actions).map_err(|refusal| refusal.message)
    }

    fn mark(&mut self, price: i64, hour: i64) -> Vec<RiskAction> {
        let symbol = Symbol::new("A").unwrap();
        self.ledger.mark(&self.table, &symbol, Decimal::from(price), MarkKind::Close, at(hour)).unwrap();
        self.apply(RiskEvent::Marked { symbol: None }, hour).unwrap()
    }

    fn asks(&self, side: Side, quantity: i64) -> Option<RejectCode> {
        let order = Order::builder()
            .order_id("o-1")
            .idempotency_key("k")
            .symbol("A")
            .side(side)
            .quantity(Decimal::from(quantity))
            .order_type(OrderType::Market)
            .fund_id("f")
            .strategy_id("s")
            .broker("paper")
            .actor("a")
            .created_at(at(2))
            .build()
            .unwrap();
        let context = RiskContext {
            now: at(2),
            ledger: &self.ledger,
            instruments: &self.table,
            session: SessionPhase::Regular,
            session_opened: None,
            closing: false,
        };
        match self.machine.check(&order, &context, &mut GateTrace::off()) {
            RiskDecision::Approved => None,
            RiskDecision::Rejected(rejection) => Some(rejection.code),
        }
    }

    fn resume(&mut self, operators: &[&str], reason: &str) -> Result<Vec<RiskAction>, String> {
        let request = ResumeRequest {
            scope: Some(HaltScope::Fund(self.fund.clone())),
            operators: operators.iter().map(|name| ActorId::new(name).unwrap()).collect(),
            reason: reason.to_owned(),
            timestamp: at(3),
        };
        self.apply(RiskEvent::Resume(request), 3)
    }
}

#[test]
fn a_loss_at_the_limit_halts_and_reducing_orders_still_pass() {
    let mut world = world();
    assert!(world.mark(95, 2).is_empty(), "2.5 % is below the limit");
    let actions = world.mark(94, 2);
    let [RiskAction::Halted(halt)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(halt.causes[0].code, RejectCode::DailyLoss);
    assert_eq!(halt.causes[0].observed, Some(Decimal::new(3, 2)));
    assert_eq!(world.asks(Side::Buy, 1), Some(RejectCode::FundHalted));
    assert_eq!(world.asks(Side::Sell, 5), None);
    assert_eq!(world.asks(Side::Sell, 6), Some(RejectCode::FundHalted), "not reducing: it goes through zero");
}

#[test]
fn a_halt_is_sticky() {
    let mut world = world();
    world.mark(90, 2);
    world.mark(120, 3);
    world.apply(RiskEvent::DayRolled { date: "2026-01-02".parse().unwrap() }, 24).unwrap();
    assert_eq!(
        world.asks(Side::Buy, 1),
        Some(RejectCode::FundHalted),
        "neither a gain nor a new day ends it"
    );
    let snapshot = world.machine.snapshot();
    let mut restarted = pipeline();
    restarted.restore(&snapshot).unwrap();
    world.machine = restarted;
    assert_eq!(world.asks(Side::Buy, 1), Some(RejectCode::FundHalted), "nor does a restart");
    assert_eq!(world.machine.snapshot(), snapshot);
}

#[test]
fn resuming_needs_two_known_operators_and_a_reason_and_moves_the_baseline() {
    let mut world = world();
    world.mark(90, 2);
    for (operators, reason) in [
        (&["ann"][..], "fine again"),
        (&["ann", "ann"][..], "fine again"),
        (&["ann", "eve"][..], "fine again"),
        (&["ann", "bob"][..], "  "),
    ] {
        assert!(world.resume(operators, reason).is_err(), "{operators:?} {reason:?}");
        assert_eq!(world.machine.halts().len(), 1);
    }
    assert!(matches!(
        world.resume(&["ann", "bob"], "fine again").unwrap().as_slice(),
        [RiskAction::Resumed { .. }]
    ));
    assert_eq!(world.asks(Side::Buy, 1), None, "the loss so far is taken as given");
    assert!(world.mark(89, 4).is_empty());
    assert_eq!(world.mark(84, 4).len(), 1, "3 % of the new baseline halt again");
    assert!(world.resume(&["ann", "bob"], "again").is_ok());
    assert!(world.resume(&["ann", "bob"], "again").unwrap_err().contains("not halted"));
}

#[test]
fn money_in_or_out_is_no_loss() {
    let mut world = world();
    let fund = world.fund.clone();
    world.ledger.flow(&fund, Decimal::from(-400)).unwrap();
    world.apply(RiskEvent::Flowed { fund_id: fund, amount: Decimal::from(-400) }, 2).unwrap();
    assert!(world.mark(100, 2).is_empty());
    assert_eq!(world.mark(96, 2).len(), 1, "20 of 600 is more than 3 %");
}

#[test]
fn the_kill_switch_stops_reducing_orders_too() {
    let mut world = world();
    let kill = RiskEvent::Kill { reason: "drill".to_owned(), actor: ActorId::new("ann").unwrap() };
    assert_eq!(world.apply(kill.clone(), 2).unwrap().len(), 1);
    assert!(world.apply(kill, 2).unwrap().is_empty());
    assert_eq!(world.asks(Side::Sell, 1), Some(RejectCode::KillSwitch));
    let request = ResumeRequest {
        scope: None,
        operators: ["ann", "bob"].map(|name| ActorId::new(name).unwrap()).to_vec(),
        reason: "over".to_owned(),
        timestamp: at(3),
    };
    world.apply(RiskEvent::Resume(request), 3).unwrap();
    assert_eq!(world.asks(Side::Sell, 1), None);
}

#[test]
fn an_envelope_is_not_loosened_during_a_halt() {
    let mut world = world();
    let mut envelope = world.machine.envelope(&world.fund).unwrap().clone();
    envelope.max_position_pct = 0.5;
    assert!(
        world
            .apply(RiskEvent::EnvelopeUpdated(Box::new(envelope.clone())), 2)
            .unwrap_err()
            .contains("carries 2")
    );
    envelope.version = 2;
    world.apply(RiskEvent::EnvelopeUpdated(Box::new(envelope.clone())), 2).unwrap();
    world.mark(90, 2);
    envelope.version = 3;
    envelope.max_position_pct = 0.6;
    assert!(
        world
            .apply(RiskEvent::EnvelopeUpdated(Box::new(envelope.clone())), 2)
            .unwrap_err()
            .contains("loosened")
    );
    envelope.max_position_pct = 0.4;
    world.apply(RiskEvent::EnvelopeUpdated(Box::new(envelope)), 2).unwrap();
}
