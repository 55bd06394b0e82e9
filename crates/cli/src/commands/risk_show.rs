//! `mts risk show`: limits and how much of each is used.

use super::gates::short;
use super::limits::envelope;
use super::print::{say, say_json, table};
use crate::app::App;
use crate::args::operator::ShowArgs;
use crate::config::load;
use crate::error::CliError;
use crate::operations::Operation;
use crate::report::{money, percent};
use crate::standing::Standing;
use mts_foundation::ledger::Total;
use mts_foundation::num::{as_written, exact, exact_option};
use mts_foundation::risk::HaltRequest;
use mts_foundation::{Decimal, EnvelopeId, FundBook, FundId, GateLimits, RiskEnvelope, Timestamp};
use mts_riskengine::LossBaselines;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use std::time::Duration;

/// One limit. Percentages are money here: the share of the present net asset value.
#[derive(Debug, Serialize)]
struct Usage {
    /// Its key in the configuration.
    limit: &'static str,
    /// What comes closest to it, where it is one of several; for losses, what they are measured from.
    of: String,
    #[serde(with = "exact")]
    used: Decimal,
    #[serde(with = "exact")]
    allowed: Decimal,
    /// Used part of what is allowed.
    share: Option<f64>,
}

/// A limit on single orders, of which nothing is used up.
#[derive(Debug, Serialize)]
struct PerOrder {
    limit: &'static str,
    #[serde(with = "exact_option")]
    allowed: Option<Decimal>,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    state: &'a str,
    time: Timestamp,
    fund_id: &'a FundId,
    #[serde(with = "exact")]
    nav: Decimal,
    #[serde(with = "exact")]
    cash: Decimal,
    envelope_id: &'a EnvelopeId,
    envelope_version: u32,
    limits: Vec<Usage>,
    per_order: Vec<PerOrder>,
    kill_switch: Option<&'a str>,
    halts: Vec<HaltRequest>,
    operations: &'a [Operation],
}

/// Shows it.
pub(crate) fn show_risk(app: &App, args: &ShowArgs) -> Result<(), CliError> {
    let loaded = load(&args.config)?;
    let standing = Standing::new(app, &loaded, args.out.as_deref())?;
    let envelope = envelope(&standing.core, &standing.config)?;
    let book = standing.book()?;
    let gates = &standing.config.gates;
    let shown = Shown {
        state: &standing.of,
        time: standing.core.state().now(),
        fund_id: &standing.config.fund.fund_id,
        nav: book.nav().normalize(),
        cash: book.cash().normalize(),
        envelope_id: &envelope.envelope_id,
        envelope_version: envelope.version,
        limits: usages(&standing, book, envelope, gates)
            .into_iter()
            .chain(standing.baselines(app)?.iter().flat_map(|from| losses(from, book.nav(), envelope, gates)))
            .collect(),
        per_order: per_order(envelope, gates),
        kill_switch: standing.core.risk().killed(),
        halts: standing.core.risk().halts(),
        operations: &standing.operations,
    };
    if args.json {
        return say_json(&shown);
    }
    shown.tell();
    Ok(())
}

fn usages(standing: &Standing, book: &FundBook, envelope: &RiskEnvelope, gates: &GateLimits) -> Vec<Usage> {
    let nav = book.nav();
    let exposure = book.exposure();
    let share = |limit: f64| as_written(limit)?.checked_mul(nav);
    // A concentration limit of 1 is off (decision R10).
    let concentration = |limit: f64| Some(limit).filter(|limit| *limit < 1.0).and_then(share);
    let count = |number: usize| Decimal::from(number);
    let (position, in_position) = largest_position(book);
    let (sector, in_sector) = largest(exposure.by_sector.iter().map(|(name, total)| (name.as_str(), total)));
    let (class, in_class) = largest(exposure.by_class.iter().map(|(class, total)| (class.as_str(), total)));
    let (country, in_country) =
        largest(exposure.by_country.iter().map(|(name, total)| (name.as_str(), total)));
    let none = String::new;
    let rows: [(&'static str, String, Decimal, Option<Decimal>); 12] = [
        ("envelope.max_gross_exposure_pct", none(), exposure.gross, share(envelope.max_gross_exposure_pct)),
        ("gates.max_total_exposure", none(), exposure.gross, gates.max_total_exposure),
        ("envelope.max_net_exposure_pct", none(), exposure.net_high, share(envelope.max_net_exposure_pct)),
        ("envelope.max_position_pct", position.clone(), in_position, share(envelope.max_position_pct)),
        ("envelope.max_position_usd", position.clone(), in_position, envelope.max_position_usd),
        ("gates.max_position_value", position, in_position, gates.max_position_value),
        ("envelope.max_sector_pct", sector, in_sector, concentration(envelope.max_sector_pct)),
        ("envelope.max_asset_class_pct", class, in_class, concentration(envelope.max_asset_class_pct)),
        ("envelope.max_country_pct", country, in_country, concentration(envelope.max_country_pct)),
        (
            "gates.max_positions",
            none(),
            count(book.instruments_in_use()),
            gates.max_positions.map(Decimal::from),
        ),
        (
            "gates.max_open_orders",
            none(),
            count(book.working_count()),
            gates.max_open_orders.map(Decimal::from),
        ),
        (
            "gates.max_orders_per_minute",
            none(),
            count(orders_this_minute(standing)),
            gates.max_orders_per_minute.map(Decimal::from),
        ),
    ];
    let cash =
        gates.buying_power.then_some(("gates.buying_power", none(), exposure.committed, Some(book.cash())));
    rows.into_iter()
        .chain(cash)
        .filter_map(|(limit, of, used, allowed)| Some(Usage::new(limit, of, used, allowed?)))
        .collect()
}

/// Losses since their baselines; a gain is no loss.
fn losses(
    from: &LossBaselines,
    nav: Decimal,
    envelope: &RiskEnvelope,
    gates: &GateLimits,
) -> impl Iterator<Item = Usage> + use<> {
    let share = |limit: f64, baseline: Decimal| as_written(limit)?.checked_mul(baseline);
    let drawdown = gates.max_drawdown_pct.and_then(|limit| share(limit, from.high_water));
    [
        ("envelope.daily_loss_halt_pct", from.day, share(envelope.daily_loss_halt_pct, from.day)),
        ("gates.max_daily_loss", from.day, gates.max_daily_loss),
        ("envelope.weekly_loss_halt_pct", from.week, share(envelope.weekly_loss_halt_pct, from.week)),
        ("envelope.monthly_loss_halt_pct", from.month, share(envelope.monthly_loss_halt_pct, from.month)),
        ("gates.max_drawdown_pct", from.high_water, drawdown),
    ]
    .into_iter()
    .filter_map(move |(limit, baseline, allowed)| {
        let lost = (baseline - nav).max(Decimal::ZERO);
        Some(Usage::new(limit, format!("from {}", money(baseline)), lost, allowed?))
    })
}

impl Usage {
    fn new(limit: &'static str, of: String, used: Decimal, allowed: Decimal) -> Self {
        let share = used.checked_div(allowed).and_then(|share| share.to_f64());
        Self { limit, of, used: used.normalize(), allowed: allowed.normalize(), share }
    }
}

/// The instrument with the largest worst case.
fn largest_position(book: &FundBook) -> (String, Decimal) {
    let held = book.positions().iter().map(|(symbol, _)| symbol);
    let working = book.working().map(|(_, order)| &order.symbol);
    held.chain(working)
        .map(|symbol| (symbol.to_string(), book.symbol_exposure(symbol).worst))
        .max_by(|one, other| one.1.cmp(&other.1))
        .unwrap_or_default()
}

/// The largest of sums, with its name.
fn largest<'a>(sums: impl Iterator<Item = (&'a str, &'a Total)>) -> (String, Decimal) {
    sums.max_by(|one, other| one.1.0.cmp(&other.1.0))
        .map(|(name, total)| (name.to_owned(), total.0))
        .unwrap_or_default()
}

/// Orders that the gates let through in the last minute.
fn orders_this_minute(standing: &Standing) -> usize {
    let state = standing.core.state();
    let lately = |time: Timestamp| state.now().since(time) < Duration::from_secs(60);
    state.orders().filter(|record| record.order.submitted_at.is_some_and(lately)).count()
}

fn per_order(envelope: &RiskEnvelope, gates: &GateLimits) -> Vec<PerOrder> {
    let share = |limit: Option<f64>| limit.and_then(as_written);
    [
        ("envelope.max_order_notional_usd", Some(envelope.max_order_notional_usd)),
        ("envelope.max_order_qty", envelope.max_order_qty),
        ("gates.max_order_value", gates.max_order_value),
        ("gates.max_order_notional_pct", share(gates.max_order_notional_pct)),
        ("gates.max_order_quantity", gates.max_order_quantity),
        ("gates.max_position_quantity", gates.max_position_quantity),
        ("gates.price_collar_pct", share(gates.price_collar_pct)),
    ]
    .into_iter()
    .filter(|(_, allowed)| allowed.is_some())
    .map(|(limit, allowed)| PerOrder { limit, allowed })
    .collect()
}

impl Shown<'_> {
    fn tell(&self) {
        say(self.state);
        say(&format!(
            "fund {}: net asset value {}, cash {}; envelope {} version {}\n",
            self.fund_id,
            money(self.nav),
            money(self.cash),
            self.envelope_id,
            self.envelope_version
        ));
        let rows = self
            .limits
            .iter()
            .map(|usage| {
                vec![
                    usage.limit.to_owned(),
                    usage.of.clone(),
                    short(usage.used),
                    short(usage.allowed),
                    usage.share.map(|share| percent(share, 1)).unwrap_or_default(),
                ]
            })
            .collect();
        say(&table(&["limit", "of", "used", "allowed", ""], rows, &[2, 3, 4]));
        let rows = self
            .per_order
            .iter()
            .map(|limit| vec![limit.limit.to_owned(), limit.allowed.map(short).unwrap_or_default()])
            .collect();
        say(&format!("\n{}\n", table(&["of one order", "allowed"], rows, &[1])));
        tell_switches(self.kill_switch, &self.halts);
    }
}

/// Says what is switched off and halted.
pub(super) fn tell_switches(kill_switch: Option<&str>, halts: &[HaltRequest]) {
    match kill_switch {
        Some(reason) => say(&format!("kill switch: ON, {reason}")),
        None => say("kill switch: off"),
    }
    if halts.is_empty() {
        say("halts: none");
    }
    for halt in halts {
        say(&format!(
            "halt: {} ({}) since {}, by {}: {}",
            halt.scope, halt.mode, halt.timestamp, halt.requested_by, halt.reason
        ));
    }
}
