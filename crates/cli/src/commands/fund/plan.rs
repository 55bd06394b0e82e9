//! `mts fund plan` and `mts fund execute`: what each fund shall have, and who says that it shall be so.

use super::super::print::{exactly, say, say_json, say_note, table};
use super::moment;
use crate::app::App;
use crate::args::fund::{ExecuteArgs, PlanArgs};
use crate::error::{CliError, ExitKind};
use crate::fund_registry::{OpenRegistry, read, refused};
use crate::fund_values::{FundValue, standing, value};
use crate::live::SystemClock;
use crate::report::{money, percent};
use crate::setup::SCRIPT;
use mts_foundation::{ActorId, Clock, Currency, Decimal, FundId, Timestamp};
use mts_portfolio::funds::{
    AllocationMethod, AllocationPlan, AllocationRequest, Bound, Constraints, FundRegistry, FundStanding,
    NavDay, PlanId, PlanRow, RegisteredFund, RegistryRecord, ReturnHistory, plan_allocation,
};
use mts_quantkit::RiskParity;
use serde::Serialize;

/// What `--confirm` must say.
const WORD: &str = "REBALANCE";

#[derive(Debug, Serialize)]
struct Planned<'a> {
    /// `None` of a dry run.
    plan_id: Option<PlanId>,
    time: Timestamp,
    currency: Option<Currency>,
    plan: &'a AllocationPlan,
}

/// Plans, and keeps the plan unless it is a dry run.
pub(super) fn plan(app: &App, args: &PlanArgs) -> Result<(), CliError> {
    let (folder, time) = (&args.of.registry, SystemClock.now());
    let (registry, mut open) = if args.dry_run {
        (read(folder)?, None)
    } else {
        let open = OpenRegistry::open(folder)?;
        (open.registry().clone(), Some(open))
    };
    let plan = planned(app, &registry, args.method, &args.constraints())?;
    let plan_id = open.as_ref().map(|_| registry.next_plan());
    if let (Some(open), Some(plan_id)) = (&mut open, plan_id) {
        open.record(&RegistryRecord::AllocationPlanned { plan_id, plan: plan.clone(), time })?;
    }
    if let Some((executed, _)) = registry.plans().filter(|(_, kept)| kept.execution.is_some()).last() {
        say_note(&format!(
            "{executed} was executed before; transfers of it that have not arrived are not in these values, and this plan would \
             ask for them again"
        ));
    }
    let currency = currency(&registry);
    if args.of.json {
        return say_json(&Planned { plan_id, time, currency, plan: &plan });
    }
    tell(&plan, plan_id, time, &registry);
    match plan_id {
        Some(plan_id) => say(&format!(
            "\nnothing has moved; mts fund execute {plan_id} --confirm {WORD} --actor NAME --cosigned-by NAME puts it in force"
        )),
        None => say("\ndry run: the plan is not kept"),
    }
    Ok(())
}

fn currency(registry: &FundRegistry) -> Option<Currency> {
    registry.funds().map(|fund| fund.config.base_currency).next()
}

fn planned(
    app: &App,
    registry: &FundRegistry,
    method: AllocationMethod,
    constraints: &Constraints,
) -> Result<AllocationPlan, CliError> {
    let (mut standings, mut days): (Vec<FundStanding>, Vec<(FundId, Vec<NavDay>)>) = Default::default();
    for fund in registry.funds() {
        let value: FundValue = value(app, fund, fund.config.active)?;
        standings.push(standing(fund, &value));
        if fund.config.active {
            days.push((fund.config.fund_id.clone(), value.days));
        }
    }
    let history = match ReturnHistory::new(&days, method) {
        Ok(history) => Some(history),
        Err(error) if method.needs_history() => return Err(refused(error)),
        // Without it everything but correlations is known, and the plan says so.
        Err(_) => None,
    };
    let (funds, history, allocator) = (&standings, history.as_ref(), &RiskParity);
    plan_allocation(&AllocationRequest { funds, method, constraints, history, allocator }).map_err(refused)
}

fn tell(plan: &AllocationPlan, plan_id: Option<PlanId>, time: Timestamp, registry: &FundRegistry) {
    let currency = currency(registry).unwrap_or(Currency::USD);
    let name = plan_id.map_or_else(|| "dry run".to_owned(), |plan_id| plan_id.to_string());
    say(&format!("Allocation {name}, {}", moment(time)));
    say(&format!("Firm NAV:    {}", amount(plan.firm_nav, currency)));
    say(&format!("Method:      {}", plan.method));
    say(&format!("Constraints: {}\n", constraints(plan, currency)));
    let mut rows: Vec<Vec<String>> = plan.rows.iter().map(cells).collect();
    let total: Decimal = plan.rows.iter().map(|row| row.delta).sum();
    rows.push(vec!["total delta".into(), String::new(), String::new(), brief(total, currency)]);
    say(&table(&["fund", "current", "target", "delta", "reason"], rows, &[1, 2, 3]));
    say("");
    transfers(plan, registry);
}

fn amount(value: Decimal, currency: Currency) -> String {
    match currency {
        Currency::USD => format!("${}", money(value)),
        other => format!("{} {}", money(value), other.as_str()),
    }
}

/// An amount without decimals where they are zero.
fn brief(value: Decimal, currency: Currency) -> String {
    amount(value, currency).replacen(".00", "", 1)
}

fn constraints(plan: &AllocationPlan, currency: Currency) -> String {
    let Constraints { min_per_fund, max_per_fund_pct, max_sleeve_correlation, preserve_capital_dnt } =
        &plan.constraints;
    let known = match plan.correlations_known {
        true => "",
        false => " (not known: it needs 20 daily returns that all funds have)",
    };
    let resting = match preserve_capital_dnt {
        true => "keep their capital",
        false => "give their capital",
    };
    format!(
        "min {} per fund, max {} per fund, max sleeve correlation {}{known}, funds that do not trade {resting}",
        brief(*min_per_fund, currency),
        percent(f64::try_from(*max_per_fund_pct).unwrap_or(f64::NAN), 0),
        exactly(*max_sleeve_correlation),
    )
}

fn cells(row: &PlanRow) -> Vec<String> {
    let sign = if row.delta > Decimal::ZERO { "+" } else { "" };
    vec![
        row.fund_id.to_string(),
        money(row.current),
        money(row.target),
        format!("{sign}{}", money(row.delta)),
        reason(row),
    ]
}

fn reason(row: &PlanRow) -> String {
    let part = |name: &str, figure: Option<Decimal>| {
        let figure = f64::try_from(figure?).ok()?;
        Some(format!("{name} {}", percent(figure, 1)))
    };
    let bound = match &row.bound {
        Bound::None => None,
        Bound::Minimum => Some("at the minimum".to_owned()),
        Bound::Maximum => Some("at the maximum".to_owned()),
        Bound::Pair { with } => Some(format!("moves like {with}, both have what one may have")),
        Bound::Preserved => Some("does not trade, keeps its capital".to_owned()),
        Bound::Released => Some("does not trade, gives its capital".to_owned()),
    };
    let parts = [part("vol", row.volatility), part("contribution", row.contribution), bound];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn transfers(plan: &AllocationPlan, registry: &FundRegistry) {
    if plan.transfers.is_empty() {
        say("no money has to move");
        return;
    }
    let at = |fund_id: &FundId| {
        let fund = registry.fund(fund_id).ok().map(|fund| &fund.config);
        let account = fund.and_then(|config| config.broker_account_id.as_ref());
        match (fund, account) {
            (Some(config), Some(account)) => format!("{fund_id} at {} {account}", config.broker),
            (Some(config), None) => format!("{fund_id} at {}", config.broker),
            (None, _) => fund_id.to_string(),
        }
    };
    let rows = plan.transfers.iter().map(|one| vec![at(&one.from), at(&one.to), money(one.amount)]).collect();
    say(&table(&["transfer from", "to", "amount"], rows, &[2]));
    say(
        "ETA: 1-2 business days by ACH. mts moves no money: an operator makes these transfers at bank and brokers, and",
    );
    say(
        "the funds' brokers tell their runs when it arrives (a fund without a run: mts fund withdraw and deposit).",
    );
}

#[derive(Debug, Serialize)]
struct Executed<'a> {
    plan_id: PlanId,
    time: Timestamp,
    actor: &'a ActorId,
    cosigned_by: &'a ActorId,
    plan: &'a AllocationPlan,
}

/// Records that two operators want a plan, and says what is to be transferred.
pub(super) fn execute(app: &App, args: &ExecuteArgs) -> Result<(), CliError> {
    let (actor, cosigned_by) = operators(args)?;
    let mut open = OpenRegistry::open(&args.of.registry)?;
    let plan = open.registry().executable(args.plan_id).map_err(refused)?.plan.clone();
    let payers = plan.rows.iter().filter(|row| !row.delta.is_zero());
    for row in payers {
        let fund = open.registry().fund(&row.fund_id).map_err(refused)?;
        check(fund, &value(app, fund, false)?, row, [&actor, &cosigned_by])?;
    }
    let (plan_id, time) = (args.plan_id, SystemClock.now());
    let record = RegistryRecord::AllocationExecuted {
        plan_id,
        actor: actor.clone(),
        cosigned_by: cosigned_by.clone(),
        time,
    };
    open.record(&record)?;
    if args.of.json {
        return say_json(&Executed { plan_id, time, actor: &actor, cosigned_by: &cosigned_by, plan: &plan });
    }
    say(&format!(
        "{plan_id} is in force since {}, by {actor}, {cosigned_by}; its targets are those of the funds",
        moment(time)
    ));
    transfers(&plan, open.registry());
    Ok(())
}

/// Two different people, and the word.
fn operators(args: &ExecuteArgs) -> Result<(ActorId, ActorId), CliError> {
    let usage = |message: String| Err(CliError::new(ExitKind::Usage, message));
    if args.confirm.as_deref() != Some(WORD) {
        return usage(format!(
            "executing {} asks for the word: say --confirm {WORD}; nothing has been done",
            args.plan_id
        ));
    }
    let (Some(actor), Some(cosigned_by)) = (&args.actor, &args.cosigned_by) else {
        return usage(format!(
            "executing {} needs two different operators: name one with --actor, the other with --cosigned-by",
            args.plan_id
        ));
    };
    if let Some(script) = [actor, cosigned_by].into_iter().find(|name| name.as_str() == SCRIPT) {
        return usage(format!("{script} is the script of a back-test, no person; name an operator"));
    }
    Ok((actor.clone(), cosigned_by.clone()))
}

/// What may have changed since the plan was made, and who may speak for the fund.
fn check(
    fund: &RegisteredFund,
    value: &FundValue,
    row: &PlanRow,
    operators: [&ActorId; 2],
) -> Result<(), CliError> {
    let refuse = |message: String| Err(CliError::new(ExitKind::Refused, message));
    let fund_id = &fund.config.fund_id;
    let gives = -row.delta;
    if gives > value.nav {
        return refuse(format!(
            "fund {fund_id} is to give {} and is worth {} by now; plan again",
            money(gives),
            money(value.nav)
        ));
    }
    // The run of a fund may name nobody; where it does, its operators are who may move its capital (decision R9).
    let stranger = operators.into_iter().find(|operator| !value.operators.contains(operator));
    match stranger {
        Some(stranger) if !value.operators.is_empty() => {
            let known: Vec<&str> = value.operators.iter().map(ActorId::as_str).collect();
            refuse(format!(
                "{stranger} is no operator of fund {fund_id}; its run names {} in operator.operators",
                known.join(", ")
            ))
        }
        _ => Ok(()),
    }
}
