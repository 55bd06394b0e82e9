//! `mts risk check`: what the gates say of one order.

use super::gates::{GateLine, lines, short};
use super::print::{say, say_json, table};
use crate::app::App;
use crate::args::operator::CheckArgs;
use crate::config::{RunConfig, load};
use crate::error::{CliError, ExitKind, OrExit};
use crate::report::percent;
use crate::standing::Standing;
use mts_engine::core::KeyVerdict;
use mts_foundation::num::exact_option;
use mts_foundation::risk::{Gate, GateTrace, RejectCode, Rejection, RiskContext};
use mts_foundation::{Decimal, Order, Symbol, Timestamp};
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::Read;
use std::path::Path;

/// Longest order file, in bytes.
const MAX_ORDER: u64 = 1 << 20;

/// Id and key of an order that has none.
const DRY_RUN: &str = "dry-run";

/// One gate with the room that is left.
#[derive(Debug, Serialize)]
struct CheckedGate {
    #[serde(flatten)]
    line: GateLine,
    /// Limit less observed value.
    #[serde(with = "exact_option")]
    headroom: Option<Decimal>,
    /// The same as a share of the limit.
    headroom_share: Option<f64>,
}

impl CheckedGate {
    fn of(line: GateLine) -> Self {
        let headroom = line
            .outcome
            .limit
            .zip(line.outcome.observed)
            .and_then(|(limit, observed)| limit.checked_sub(observed));
        let share = headroom
            .zip(line.outcome.limit)
            .and_then(|(headroom, limit)| headroom.checked_div(limit.abs())?.to_f64());
        Self { line, headroom, headroom_share: share }
    }
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Approved,
    Refused,
    /// The key's order is there already: nothing would be sent.
    Known,
}

#[derive(Debug, Serialize)]
struct Checked<'a> {
    answer: Answer,
    rejection: Option<&'a Rejection>,
    gates: Vec<CheckedGate>,
    /// `None` where the order is not well formed.
    order: Option<&'a Order>,
    /// Fields of the order that were missing and filled in.
    filled_in: &'a [&'static str],
    /// The price that stands in for one of the market.
    assumed_price: Option<(&'a Symbol, String)>,
    state: &'a str,
    time: Timestamp,
    session: String,
}

/// Asks the gates.
pub(crate) fn check_order(app: &App, args: &CheckArgs) -> Result<(), CliError> {
    let loaded = load(&args.config)?;
    let mut standing = Standing::new(app, &loaded, args.out.as_deref())?;
    let (text, filled_in) = fill_in(&read(&args.order)?, &standing.config, standing.core.state().now())?;
    let order = Order::from_json(&text);
    standing.mark(&args.prices)?;
    let mut assumed = None;
    if let Ok(order) = &order
        && standing.core.state().ledger().mark_of(&order.symbol).is_none()
        && standing.core.config().instruments.get(&order.symbol).is_some()
        && let Some(price) = order.limit_price.or(order.stop_price)
    {
        standing.mark(&[(order.symbol.clone(), price)])?;
        assumed = Some((&order.symbol, price.normalize().to_string()));
    }
    let (answer, rejection, trace) = match &order {
        Ok(order) => ask(&standing, order, args)?,
        Err(faults) => {
            let rejection = Rejection {
                gate: Gate::Schema,
                code: RejectCode::SchemaInvalid,
                limit: None,
                observed: None,
                message: faults.to_string(),
            };
            refused_early(rejection)
        }
    };
    let checked = Checked {
        answer,
        rejection: rejection.as_ref(),
        gates: lines(&trace).into_iter().map(CheckedGate::of).collect(),
        order: order.as_ref().ok(),
        filled_in: &filled_in,
        assumed_price: assumed,
        state: &standing.of,
        time: standing.core.state().now(),
        session: args.session.to_string(),
    };
    if args.json {
        say_json(&checked)?;
    } else {
        checked.tell();
    }
    match rejection {
        None => Ok(()),
        Some(rejection) => {
            let message = format!("refused by {}: {}: {}", rejection.gate, rejection.code, rejection.message);
            Err(CliError::new(ExitKind::Refused, message))
        }
    }
}

/// Asks the key and then the machine, as the engine does.
fn ask(
    standing: &Standing,
    order: &Order,
    args: &CheckArgs,
) -> Result<(Answer, Option<Rejection>, GateTrace), CliError> {
    let core = &standing.core;
    match core.look_up_key(order) {
        KeyVerdict::New => {}
        KeyVerdict::Refused(rejection) => return Ok(refused_early(*rejection)),
        KeyVerdict::Known => return Ok((Answer::Known, None, GateTrace::on())),
    }
    let context = RiskContext {
        now: core.state().now(),
        ledger: core.state().ledger(),
        instruments: &core.config().instruments,
        session: args.session,
        session_opened: standing.opened()?,
        closing: args.closing,
    };
    let mut trace = GateTrace::on();
    // All gates, not only those up to the first that objects: whoever asks wants to know what else stands in the way.
    let first = core.risk().objections(order, &context, &mut trace).into_iter().next();
    let answer = if first.is_none() { Answer::Approved } else { Answer::Refused };
    Ok((answer, first, trace))
}

/// A refusal before the machine is asked.
fn refused_early(rejection: Rejection) -> (Answer, Option<Rejection>, GateTrace) {
    let mut trace = GateTrace::on();
    trace.rejected(&rejection);
    (Answer::Refused, Some(rejection), trace)
}

/// Text of the file, or of standard input.
fn read(path: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let file = std::fs::File::open(path).map_err(|error| {
            let message = format!("the order {} cannot be read: {error}; check the path", path.display());
            CliError::new(ExitKind::Usage, message)
        })?;
        Box::new(file)
    };
    source.take(MAX_ORDER).read_to_string(&mut text).map_err(|error| {
        let message = format!("the order {} cannot be read: {error}; it must be text", path.display());
        CliError::new(ExitKind::Usage, message)
    })?;
    Ok(text)
}

/// The order with what may be missing, and the names of what was.
fn fill_in(text: &str, config: &RunConfig, now: Timestamp) -> Result<(String, Vec<&'static str>), CliError> {
    let mut order: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
        let message = format!("the order is no JSON object: {error}; see mts schema Order");
        CliError::new(ExitKind::Usage, message)
    })?;
    let defaults = [
        ("order_id", DRY_RUN.to_owned()),
        ("idempotency_key", DRY_RUN.to_owned()),
        ("fund_id", config.fund.fund_id.to_string()),
        ("strategy_id", config.strategy.strategy_id.to_string()),
        ("broker", config.broker.name.to_string()),
        ("actor", format!("strategy:{}", config.strategy.strategy_id)),
        ("created_at", now.to_string()),
    ];
    let mut filled_in = Vec::new();
    for (field, value) in defaults {
        if order.get(field).is_none_or(Value::is_null) {
            order.insert(field.to_owned(), Value::String(value));
            filled_in.push(field);
        }
    }
    Ok((serde_json::to_string(&order).or_exit(ExitKind::Internal)?, filled_in))
}

impl Checked<'_> {
    fn tell(&self) {
        if let Some(order) = self.order {
            say(&format!("{} {} {} {}", order.side, order.quantity, order.symbol, order.order_type));
        }
        say(&format!("asked of {}; market: {}", self.state, self.session));
        if !self.filled_in.is_empty() {
            say(&format!("filled in: {}", self.filled_in.join(", ")));
        }
        if let Some((symbol, price)) = &self.assumed_price {
            say(&format!("{symbol} has no price; that of the order, {price}, stands in for the market's"));
        }
        let rows = self
            .gates
            .iter()
            .map(|gate| {
                let mut cells = gate.line.cells();
                cells.push(gate.headroom.map(short).unwrap_or_default());
                cells.push(gate.headroom_share.map(|share| percent(share, 1)).unwrap_or_default());
                cells
            })
            .collect();
        let header = ["#", "gate", "verdict", "observed", "limit", "headroom", ""];
        say(&format!("\n{}\n", table(&header, rows, &[0, 3, 4, 5, 6])));
        match self.answer {
            Answer::Approved => say("approved; nothing was sent"),
            Answer::Known => {
                say("known: an order with this key and content is there already; nothing would be sent")
            }
            Answer::Refused => {}
        }
    }
}
