//! What a fund is worth, and what it was worth on every day: from the books of its run, else from the registry.

use crate::app::App;
use crate::error::{CliError, ExitKind};
use crate::run_folder::{Replayed, RunFolder};
use mts_foundation::event::Event;
use mts_foundation::num::round;
use mts_foundation::{ActorId, Decimal, FundBook, FundId};
use mts_portfolio::funds::{FundStanding, NavDay, RegisteredFund};
use serde::Serialize;
use std::path::Path;

/// Decimal places of money between funds.
const CENTS: u32 = 2;

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// The books of the fund's run.
    Run,
    /// The capital in the registry: what was earned is not known.
    Registry,
}

/// What a fund is worth.
#[derive(Debug)]
pub(crate) struct FundValue {
    pub(crate) nav: Decimal,
    pub(crate) source: Source,
    /// Its value at the end of every session, where the history was asked for.
    pub(crate) days: Vec<NavDay>,
    /// Operators of its run.
    pub(crate) operators: Vec<ActorId>,
}

/// The value of a fund; with its history where that is wanted.
pub(crate) fn value(app: &App, fund: &RegisteredFund, history: bool) -> Result<FundValue, CliError> {
    let Some(run) = &fund.run else {
        let source = Source::Registry;
        return Ok(FundValue { nav: fund.capital, source, days: Vec::new(), operators: Vec::new() });
    };
    let fund_id = &fund.config.fund_id;
    let mut folder = RunFolder::open(app, Path::new(run))
        .map_err(|error| CliError::new(error.kind, format!("fund {fund_id}: {}", error.message)))?;
    let mut days = Days::new(fund_id);
    if history {
        folder.replay(&mut |step| days.note(step))?;
    } else {
        folder.catch_up()?;
    }
    let book = book(&folder, fund_id, run)?;
    let (keeps, currency) = (book.base_currency(), fund.config.base_currency);
    if keeps != currency {
        let message = format!("fund {fund_id} keeps {currency} in the registry and {keeps} in its run {run}");
        return Err(CliError::new(ExitKind::Data, message));
    }
    let nav = round(book.nav(), CENTS);
    let operators = folder.config.operator.operators.clone();
    Ok(FundValue { nav, source: Source::Run, days: days.days, operators })
}

/// A fund as a plan sees it.
pub(crate) fn standing(fund: &RegisteredFund, value: &FundValue) -> FundStanding {
    FundStanding {
        fund_id: fund.config.fund_id.clone(),
        active: fund.config.active,
        nav: value.nav,
        target_nav: fund.config.target_nav_usd,
    }
}

fn book<'a>(folder: &'a RunFolder, fund_id: &FundId, run: &str) -> Result<&'a FundBook, CliError> {
    folder.core.state().ledger().fund(fund_id).ok_or_else(|| {
        let own = &folder.config.fund.fund_id;
        let message = format!(
            "the run in {run} has no fund {fund_id}, it has {own}; name the folder of the fund's own run"
        );
        CliError::new(ExitKind::Data, message)
    })
}

/// The days of a fund while its run is replayed.
struct Days<'a> {
    fund_id: &'a FundId,
    /// Capital since the last day.
    flow: Decimal,
    days: Vec<NavDay>,
}

impl<'a> Days<'a> {
    fn new(fund_id: &'a FundId) -> Self {
        Self { fund_id, flow: Decimal::ZERO, days: Vec::new() }
    }

    fn note(&mut self, step: &Replayed<'_>) {
        for event in &step.output.events {
            match event {
                // Capital is neither profit nor loss (decision R8).
                Event::CashMoved(moved) if moved.fund_id == *self.fund_id && moved.kind.is_capital() => {
                    self.flow = self.flow.saturating_add(moved.amount);
                }
                Event::NavUpdated(snapshot) if snapshot.fund_id == *self.fund_id => {
                    let flow = std::mem::take(&mut self.flow);
                    self.days.push(NavDay { date: snapshot.asof, nav: snapshot.nav_usd, flow });
                }
                _ => {}
            }
        }
    }
}
