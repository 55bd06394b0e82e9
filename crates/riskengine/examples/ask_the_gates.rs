//! The risk machine alone: what passes, what is refused and why, a gate of one's own, and a halt that stays.

#![allow(clippy::print_stdout, reason = "an example prints")]

use mts_foundation::ledger::MarkKind;
use mts_foundation::order_builder::OrderFaults;
use mts_foundation::reference::Borrow;
use mts_foundation::risk::{
    Gate, GateTrace, RejectCode, Rejection, RiskContext, RiskDecision, RiskEvent, SessionPhase, Verdict,
};
use mts_foundation::{
    ActorId, Currency, Decimal, EnvelopeId, FundConfig, FundId, GateLimits, Instrument, InstrumentTable,
    Ledger, Order, OrderType, RiskEnvelope, RiskGate, RiskMachine, Side, Symbol, Timestamp,
};
use mts_riskengine::{FundRisk, OperatorPolicy, RiskPipeline};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

/// A gate of one's own: nothing that is sold short, whatever the envelope says.
struct LongOnly;

impl RiskGate for LongOnly {
    fn name(&self) -> &str {
        "long_only"
    }

    fn check(
        &self,
        order: &Order,
        _: Option<&RiskEnvelope>,
        _: &RiskContext<'_>,
    ) -> Result<(), Box<Rejection>> {
        if order.side != Side::Short {
            return Ok(());
        }
        Err(Box::new(Rejection {
            gate: Gate::Assets,
            code: RejectCode::AssetBlocked,
            limit: None,
            observed: None,
            message: "this house sells nothing short".to_owned(),
        }))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let now = Timestamp::from_millis(1_767_623_400_000);
    let cash = Decimal::from(1_000_000);
    let fund_id = FundId::new("growth")?;

    // The documented limits: 5 % in one position, 100,000 in one order; shorting is allowed for the example.
    let mut envelope = RiskEnvelope::with_defaults(EnvelopeId::new("e-1")?, fund_id.clone(), cash, now);
    envelope.allowed_brokers = vec!["paper".parse()?];
    envelope.enable_shorting = true;
    let config = FundConfig::new(fund_id.clone(), "paper".parse()?, cash, now);
    let terms = Borrow { fee_bps: Decimal::from(30), available: None, located: true, asof: now };
    let borrow = BTreeMap::from([(Symbol::new("AAPL")?, terms)]);
    let fund = FundRisk { config, envelope: Some(envelope), limits: GateLimits::default(), borrow };
    let operators = OperatorPolicy {
        operators: vec![ActorId::new("ann")?],
        single_operator: true,
        ..OperatorPolicy::default()
    };
    let mut machine = RiskPipeline::new(vec![fund], operators)?.with_gates(vec![Arc::new(LongOnly)]);

    // The machine owns no books: they are lent to it with every question.
    let symbol = Symbol::new("AAPL")?;
    let instruments = InstrumentTable::from_instruments([Instrument::us_share(symbol.clone())])?;
    let mut ledger = Ledger::new();
    ledger.open_fund(fund_id, Currency::USD, cash)?;
    ledger.mark(&instruments, &symbol, Decimal::from(200), MarkKind::Trade, now)?;
    let context = RiskContext {
        now,
        ledger: &ledger,
        instruments: &instruments,
        session: SessionPhase::Regular,
        session_opened: None,
        closing: false,
    };
    let mut actions = Vec::new();
    machine.apply(&RiskEvent::DayRolled { date: "2026-01-05".parse()? }, &ledger, now, &mut actions)?;

    for (side, quantity) in [(Side::Buy, 100), (Side::Buy, 251), (Side::Buy, 501), (Side::Short, 10)] {
        ask(&machine, &order(side, quantity, now)?, &context);
    }
    let kill = RiskEvent::Kill { reason: "drill".to_owned(), actor: ActorId::new("ann")? };
    machine.apply(&kill, &ledger, now, &mut actions)?;
    ask(&machine, &order(Side::Buy, 1, now)?, &context);
    Ok(())
}

fn ask(machine: &RiskPipeline, order: &Order, context: &RiskContext<'_>) {
    let mut trace = GateTrace::on();
    let decision = machine.check(order, context, &mut trace);
    let passed = trace.iter().filter(|(_, outcome)| outcome.verdict == Verdict::Pass).count();
    let what = format!("{} {}", order.side, order.quantity);
    match decision {
        RiskDecision::Approved => println!("{what:9} approved, {passed} gates passed"),
        RiskDecision::Rejected(why) => {
            println!("{what:9} {} by gate {}: {}", why.code, why.gate, why.message)
        }
    }
}

fn order(side: Side, quantity: i64, now: Timestamp) -> Result<Order, OrderFaults> {
    Order::builder()
        .order_id("o-1")
        .idempotency_key("k-1")
        .symbol("AAPL")
        .side(side)
        .quantity(Decimal::from(quantity))
        .order_type(OrderType::Market)
        .fund_id("growth")
        .strategy_id("momentum")
        .broker("paper")
        .actor("example")
        .created_at(now)
        .build()
}
