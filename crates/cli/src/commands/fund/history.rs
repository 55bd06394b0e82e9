//! `mts fund history`: what was done to the funds, when, by whom and why.

use super::super::print::{say, say_json, table};
use crate::args::fund::RegistryArgs;
use crate::error::CliError;
use crate::fund_registry::read_with;
use crate::report::money;
use mts_portfolio::funds::{FundChange, MoveKind, RegistryRecord};

/// Lists every record, the oldest first.
pub(super) fn history(args: &RegistryArgs) -> Result<(), CliError> {
    let mut records = Vec::new();
    read_with(&args.registry, &mut |record| records.push(record.clone()))?;
    if args.json {
        return say_json(&records);
    }
    say(&table(&["when", "what", "by", "why"], records.iter().map(cells).collect(), &[]));
    Ok(())
}

fn cells(record: &RegistryRecord) -> Vec<String> {
    let nobody = String::new;
    let (time, what, by, why) = match record {
        RegistryRecord::FundCreated { config, .. } => {
            let what = format!("fund {} is created with {}", config.fund_id, money(config.target_nav_usd));
            (config.created_at, what, nobody(), nobody())
        }
        RegistryRecord::FundChanged { fund_id, change, actor, reason, time } => {
            (*time, format!("fund {fund_id}: {}", changed(change)), actor.to_string(), reason.clone())
        }
        RegistryRecord::CapitalMoved(moved) => {
            let what = match moved.kind {
                MoveKind::Deposit => "deposited into",
                MoveKind::Withdrawal => "withdrawn from",
            };
            let what = format!("{} {what} fund {}", money(moved.amount), moved.fund_id);
            (moved.time, what, moved.actor.to_string(), moved.reason.clone())
        }
        RegistryRecord::AllocationPlanned { plan_id, plan, time } => {
            (*time, format!("{plan_id} is made, method {}", plan.method), nobody(), nobody())
        }
        RegistryRecord::AllocationExecuted { plan_id, actor, cosigned_by, time } => {
            (*time, format!("{plan_id} is in force"), format!("{actor}, {cosigned_by}"), nobody())
        }
    };
    vec![super::moment(time), what, by, why]
}

fn changed(change: &FundChange) -> String {
    let FundChange { active, target_nav_usd, run } = change;
    let parts = [
        active.map(|active| if active { "trades" } else { "does not trade" }.to_owned()),
        target_nav_usd.map(|target| format!("target {}", money(target))),
        run.as_ref().map(|run| format!("run {run}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
