//! The core alone, fed by hand: a strategy's decision becomes an order, a refusal, an outcome, a fill, a value; and
//! the same inputs give the same state.

#![allow(clippy::print_stdout, reason = "an example prints")]

use mts_engine::input::{Input, MarkUpdate};
use mts_engine::{Action, Core, CoreConfig, FundSetup, Output};
use mts_foundation::broker::SubmitOutcome;
use mts_foundation::broker_event::{BrokerEvent, Cursor, FeeStatus};
use mts_foundation::risk::{
    Gate, GateTrace, RejectCode, Rejection, RiskAction, RiskContext, RiskDecision, RiskEvent, RiskRefusal,
};
use mts_foundation::sizing::{ComputeError, PlanRequest, PlannedOrder, TargetPlanner};
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{
    AccountId, Decimal, EnvelopeId, Fill, FundConfig, FundId, HaltRequest, Instrument, InstrumentTable,
    Ledger, Order, OrderId, RiskEnvelope, RiskMachine, Side, StrategyId, Symbol, Timestamp,
};
use std::error::Error;

/// A risk machine with one rule, so that the example needs no other crate: at most 100 units in one order. Real runs
/// use `mts_riskengine::RiskPipeline`.
struct AtMostHundred(RiskEnvelope);

impl RiskMachine for AtMostHundred {
    fn check(&self, order: &Order, _: &RiskContext<'_>, _: &mut GateTrace) -> RiskDecision {
        let limit = Decimal::ONE_HUNDRED;
        if order.quantity <= limit {
            return RiskDecision::Approved;
        }
        RiskDecision::Rejected(Box::new(Rejection {
            gate: Gate::OrderQuantity,
            code: RejectCode::MaxOrderQuantity,
            limit: Some(limit),
            observed: Some(order.quantity),
            message: format!("{} units in one order; at most {limit}", order.quantity),
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
        _: &RiskEvent,
        _: &Ledger,
        _: Timestamp,
        _: &mut Vec<RiskAction>,
    ) -> Result<(), RiskRefusal> {
        Ok(())
    }
    fn envelope(&self, _: &FundId) -> Option<&RiskEnvelope> {
        Some(&self.0)
    }
    fn halts(&self) -> Vec<HaltRequest> {
        Vec::new()
    }
    fn killed(&self) -> Option<&str> {
        None
    }
    fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }
    fn restore(&mut self, _: &[u8]) -> Result<(), RiskRefusal> {
        Ok(())
    }
}

/// This strategy sends orders, no weights.
struct NoWeights;

impl TargetPlanner for NoWeights {
    fn plan(&self, _: &PlanRequest<'_>) -> Result<Vec<PlannedOrder>, ComputeError> {
        Ok(Vec::new())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let inputs = inputs()?;
    let mut core = core()?;
    let mut output = Output::default();
    for input in &inputs {
        output.clear();
        core.step(input, &mut output)?;
        for action in &output.actions {
            match action {
                Action::Submit(order) => {
                    println!(
                        "to do: submit {}, {} {} {}",
                        order.order_id, order.side, order.quantity, order.symbol
                    );
                }
                Action::Cancel(order) => println!("to do: cancel {}", order.order_id),
                Action::LookUp { order_id, .. } => println!("to do: ask what became of {order_id}"),
                Action::Snapshot { broker } => println!("to do: read the account at {broker}"),
                Action::Ask(question) => println!("to do: ask about {}", question.order.order_id),
            }
        }
        for event in &output.events {
            println!("event: {}", event.subject());
        }
    }
    let fund = FundId::new("growth")?;
    if let Some(book) = core.state().ledger().fund(&fund) {
        println!("cash {}, net asset value {}", book.cash(), book.nav());
    }
    let mut again = self::core()?;
    for input in &inputs {
        again.step(input, &mut Output::default())?;
    }
    println!("replayed to the same state: {}", again.state_hash() == core.state_hash());
    Ok(())
}

/// One session, as a shell would report it.
fn inputs() -> Result<Vec<Input>, Box<dyn Error>> {
    let at = |minute: i64| Timestamp::from_millis(1_767_623_400_000 + minute * 60_000);
    let (date, symbol) = ("2026-01-05".parse()?, Symbol::new("AAPL")?);
    let closes = |minute, price: i64| Input::Closes {
        time: at(minute),
        marks: vec![MarkUpdate { symbol: symbol.clone(), price: Decimal::from(price) }],
    };
    let buy =
        |units: i64| Command::Submit(OrderRequest::market(symbol.clone(), Side::Buy, Decimal::from(units)));
    let order_id = OrderId::new("growth-000001")?;
    let accepted = Order::builder()
        .order_id(&order_id)
        .idempotency_key("set-by-the-core")
        .symbol("AAPL")
        .side(Side::Buy)
        .quantity(Decimal::from(50))
        .order_type(mts_foundation::OrderType::Market)
        .fund_id("growth")
        .strategy_id("momentum")
        .broker("paper")
        .actor("momentum")
        .created_at(at(2))
        .build()?
        .accepted(at(3), "V-1".parse()?);
    let fill =
        Fill::new("x-1", order_id.as_str(), "AAPL", Side::Buy, Decimal::from(50), Decimal::from(200), at(4))?;
    Ok(vec![
        closes(0, 200),
        Input::SessionOpen { date, time: at(1) },
        Input::Decided {
            strategy_id: StrategyId::new("momentum")?,
            fund_id: FundId::new("growth")?,
            time: at(2),
            commands: vec![buy(50), buy(500)],
            memory: None,
        },
        Input::Submitted { order_id, outcome: SubmitOutcome::Accepted(accepted), time: at(3) },
        Input::Broker {
            broker: "paper".parse()?,
            event: BrokerEvent::Fill {
                account: AccountId::new("a")?,
                cursor: Cursor::new("1")?,
                fill,
                fees: FeeStatus::Known,
            },
            time: at(4),
        },
        closes(5, 210),
        Input::SessionClose { date, time: at(6) },
    ])
}

fn core() -> Result<Core, Box<dyn Error>> {
    let (fund_id, cash) = (FundId::new("growth")?, Decimal::from(100_000));
    let envelope =
        RiskEnvelope::with_defaults(EnvelopeId::new("e-1")?, fund_id.clone(), cash, Timestamp::EPOCH);
    let config = FundConfig::new(fund_id, "paper".parse()?, cash, Timestamp::EPOCH);
    let setup = FundSetup { config, initial_cash: cash };
    let table = InstrumentTable::from_instruments([Instrument::us_share(Symbol::new("AAPL")?)])?;
    let config = CoreConfig::new(vec![setup], table);
    Ok(Core::new(config, Box::new(AtMostHundred(envelope)), Box::new(NoWeights))?)
}
