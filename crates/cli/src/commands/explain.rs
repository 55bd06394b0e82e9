//! `mts explain`: the whole story of one order, from the journal alone.

use super::gates::{GateLine, lines};
use super::print::{say, say_json, table};
use crate::app::App;
use crate::args::ExplainArgs;
use crate::config::RunConfig;
use crate::error::{CliError, ExitKind, OrExit};
use crate::operations::{Operation, operations};
use crate::report::money;
use crate::run_folder::RunFolder;
use mts_engine::{Input, OrderTrace};
use mts_foundation::event::Event;
use mts_foundation::num::{exact, exact_option};
use mts_foundation::risk::{Gate, Rejection};
use mts_foundation::signal::{TargetSet, TargetWeight};
use mts_foundation::{Decimal, Fill, OrderId, OrderRecord, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// How the order was sized.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Sizing {
    #[serde(with = "exact")]
    nav: Decimal,
    #[serde(with = "exact")]
    cash: Decimal,
    #[serde(with = "exact_option")]
    reference_price: Option<Decimal>,
    #[serde(with = "exact_option")]
    target_quantity: Option<Decimal>,
    #[serde(with = "exact")]
    quantity: Decimal,
}

/// One fill and what it changed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Effect {
    fill: Fill,
    #[serde(with = "exact")]
    position_before: Decimal,
    #[serde(with = "exact")]
    position_after: Decimal,
    #[serde(with = "exact")]
    realized: Decimal,
    #[serde(with = "exact")]
    cash_before: Decimal,
    #[serde(with = "exact")]
    cash_after: Decimal,
    #[serde(with = "exact")]
    nav_before: Decimal,
    #[serde(with = "exact")]
    nav_after: Decimal,
}

/// Everything that is known of an order.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "OrderStory")]
pub(crate) struct Story {
    order: Option<OrderRecord>,
    decided_at: Option<Timestamp>,
    target: Option<TargetWeight>,
    sizing: Option<Sizing>,
    gates: Vec<GateLine>,
    rejection: Option<Rejection>,
    /// The halt or the kill switch that refused it: who, when and why.
    refused_since: Option<Operation>,
    effects: Vec<Effect>,
}

/// Tells the story.
pub(crate) fn explain(app: &App, args: &ExplainArgs) -> Result<(), CliError> {
    let order_id = OrderId::new(&args.order_id).or_exit(ExitKind::Usage)?;
    let mut run = RunFolder::open(app, &args.out)?;
    run.core.set_tracing(true);
    let mut story = Story::default();
    let mut targets: Option<TargetSet> = None;
    let mut acts: Vec<Operation> = Vec::new();
    let fund_id = run.config.fund.fund_id.clone();
    let book = run.core.state().ledger().fund(&fund_id);
    let (mut cash, mut nav) = book.map_or((Decimal::ZERO, Decimal::ZERO), |book| (book.cash(), book.nav()));
    run.replay(&mut |step| {
        let (input, output, core) = (step.input, step.output, step.core);
        if let Some(trace) = output.traces.iter().find(|trace| trace.order_id == order_id) {
            story.note_gates(trace);
            story.decided_at = targets.as_ref().map(|set| set.asof);
        }
        acts.extend(operations(input, output));
        for event in &output.events {
            match event {
                Event::TargetsAccepted(set) => targets = Some(set.clone()),
                Event::GateFailed(failed) if failed.order_id == order_id => {
                    story.rejection = Some(failed.rejection.clone());
                    story.refused_since = in_force(&acts, &failed.rejection).cloned();
                }
                Event::FillCreated {
                    fill,
                    position_before,
                    position_after,
                    realized,
                    cash: after,
                    nav: value,
                    ..
                } if fill.order_id == order_id => {
                    story.effects.push(Effect {
                        fill: fill.clone(),
                        position_before: *position_before,
                        position_after: *position_after,
                        realized: *realized,
                        cash_before: cash,
                        cash_after: *after,
                        nav_before: nav,
                        nav_after: *value,
                    });
                }
                _ => {}
            }
        }
        if let Some(record) = core.state().order(&order_id) {
            story.order = Some(record.clone());
        } else if let (Input::SessionOpen { .. }, None) = (input, &story.order) {
            // A refusal by key is not remembered; its event is all there is.
            story.order = output.events.iter().find_map(|event| match event {
                Event::OrderRejected(record) if record.order.order_id == order_id => Some(record.clone()),
                _ => None,
            });
        }
        if let Some(book) = core.state().ledger().fund(&fund_id) {
            (cash, nav) = (book.cash(), book.nav());
        }
    })?;
    let Some(record) = story.order.clone() else {
        let last = run.core.state().counters().orders;
        let message = format!(
            "order {order_id} is not in {}; its orders are {fund_id}-000001 to {fund_id}-{last:06}, see orders.jsonl",
            args.out.display()
        );
        return Err(CliError::new(ExitKind::Usage, message));
    };
    if args.json {
        return say_json(&story);
    }
    story.tell(&record, &run.config);
    Ok(())
}

/// The act that a refusal by kill switch or halt goes back to.
fn in_force<'a>(acts: &'a [Operation], rejection: &Rejection) -> Option<&'a Operation> {
    acts.iter().rev().find(|act| match (rejection.gate, &act.event) {
        (Gate::KillSwitch, Event::Killed { .. }) => true,
        (Gate::Halts, Event::HaltRequested(halt)) => {
            rejection.message.starts_with(&format!("{} is halted", halt.scope))
        }
        _ => false,
    })
}

impl Story {
    fn note_gates(&mut self, trace: &OrderTrace) {
        self.gates = lines(&trace.gates);
        if self.sizing.is_some() && trace.planned.is_none() {
            // The second look, after the asynchronous gates: it was sized before the first.
            return;
        }
        let planned = trace.planned.as_ref();
        self.target = planned.and_then(|planned| planned.target.clone());
        self.sizing = Some(Sizing {
            nav: trace.nav,
            cash: trace.cash,
            reference_price: planned.map(|planned| planned.reference_price),
            target_quantity: planned.map(|planned| planned.target_quantity),
            quantity: planned.map(|planned| planned.quantity).unwrap_or_default(),
        });
    }

    fn tell(&self, record: &OrderRecord, config: &RunConfig) {
        let order = &record.order;
        say(&format!(
            "{}: {} {} {} {}, {} ({})\n",
            order.order_id,
            order.side,
            order.quantity,
            order.symbol,
            order.order_type,
            record.state,
            order.strategy_id
        ));
        self.tell_origin(config, order);
        let rows = self.gates.iter().map(GateLine::cells).collect();
        say(&format!("\n{}\n", table(&["#", "gate", "verdict", "observed", "limit"], rows, &[0, 3, 4])));
        match (&self.rejection, &order.broker_order_id) {
            (Some(rejection), _) => {
                say(&format!("refused by {}: {}: {}", rejection.gate, rejection.code, rejection.message));
                if let Some(act) = &self.refused_since {
                    say(&format!("{} since {}, by {}: {}", act.what(), act.time, act.who(), act.reason));
                }
            }
            (None, Some(id)) => {
                let at = order.submitted_at.map(|time| time.to_string()).unwrap_or_default();
                say(&format!("submitted to {} at {at}, accepted as {id}", order.broker));
            }
            (None, None) => say(&format!(
                "not accepted by {}: {}",
                order.broker,
                order.rejected_reason.as_deref().unwrap_or("no answer yet")
            )),
        }
        for effect in &self.effects {
            let fill = &effect.fill;
            say(&format!(
                "filled {} at {} on {}, fees {}",
                fill.quantity,
                fill.price,
                fill.timestamp,
                fill.fees.normalize()
            ));
            let rows = [
                (
                    "position",
                    effect.position_before.normalize().to_string(),
                    effect.position_after.normalize().to_string(),
                ),
                ("cash", money(effect.cash_before), money(effect.cash_after)),
                ("NAV", money(effect.nav_before), money(effect.nav_after)),
                ("realised", String::new(), money(effect.realized)),
            ]
            .map(|(name, before, after)| vec![name.to_owned(), before, after]);
            say(&table(&["", "before", "after"], rows.into(), &[1, 2]));
        }
    }

    fn tell_origin(&self, config: &RunConfig, order: &mts_foundation::order::OrderFields) {
        let decided = self.decided_at.map(|time| time.to_string()).unwrap_or_default();
        match (&self.target, &self.sizing) {
            (Some(target), Some(sizing)) => {
                let signal = match (target.signal, target.rank) {
                    (Some(signal), Some(rank)) => {
                        let factor = config.strategy.factor.as_deref().unwrap_or("signal");
                        format!("{factor} {signal}, rank {rank}")
                    }
                    _ => "given by the file of targets".to_owned(),
                };
                say(&format!("signal   {signal}, decided at {decided}"));
                let meaning = if target.weight.is_zero() { ": to be sold" } else { "" };
                say(&format!("target   {} of NAV {}{meaning}", target.weight, money(sizing.nav)));
            }
            (None, Some(sizing)) if sizing.reference_price.is_some() => {
                say(&format!("signal   not among the targets decided at {decided}: to be sold"));
            }
            _ => say(&format!("asked for by {} at {}", order.strategy_id, order.created_at)),
        }
        if let Some(Sizing { reference_price: Some(price), target_quantity: Some(wanted), .. }) = &self.sizing
        {
            say(&format!(
                "sized    {wanted} units at {price} are the target; {} {} leads there",
                order.side, order.quantity
            ));
        }
        if let Some(sizing) = &self.sizing {
            say(&format!(
                "books    NAV {}, cash {} at {}",
                money(sizing.nav),
                money(sizing.cash),
                order.created_at
            ));
        }
    }
}
