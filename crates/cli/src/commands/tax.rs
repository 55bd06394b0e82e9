//! `mts tax`: what a fund closed in a year, with holding periods and wash sales.

use super::print::{say, say_json, say_note, table};
use crate::app::App;
use crate::args::books::TaxArgs;
use crate::error::{CliError, ExitKind, OrExit};
use crate::files::{not_in_a_run, write_whole};
use crate::history::History;
use crate::report::money;
use crate::run_folder::Until;
use chrono::{Datelike, NaiveDate};
use mts_foundation::{CorporateActionKind, FillId, FundId};
use mts_portfolio::books::PostingKind;
use mts_portfolio::tax::{InstrumentPolicy, TaxHistory, TaxReport, TaxRow, TaxTotals};
use std::collections::BTreeSet;
use std::path::Path;

/// Makes the report of a year.
pub(crate) fn tax(app: &App, args: &TaxArgs) -> Result<(), CliError> {
    let run = &args.run;
    if let Some(folder) = args.out.as_deref().and_then(Path::parent) {
        not_in_a_run(folder)?;
    }
    let history = History::read(app, &run.folder, run.until.unwrap_or(Until::END), run.picks.as_deref())?;
    let (fund_id, fund) = history.fund(run.fund.as_ref())?;
    let years = history.postings.iter().map(|posting| posting.date.year());
    let now = history.core.state().now().to_datetime().date_naive();
    let (first, last) = (years.min().unwrap_or_else(|| now.year()), now.year());
    if !(first..=last).contains(&args.year) {
        let message = format!("the journal has nothing of {}; it goes from {first} to {last}", args.year);
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let record = closed(&history, fund_id)?
        .record(&InstrumentPolicy::new(history.books.instruments(), fund.currency()))
        .or_exit(ExitKind::Data)?;
    let report = TaxReport::of_year(&record, args.year).or_exit(ExitKind::Data)?;
    let settled = NaiveDate::from_ymd_opt(args.year.saturating_add(1), 1, 31);
    if let Some(settled) = settled.filter(|settled| now < *settled) {
        say_note(&format!(
            "the journal ends on {now}; a purchase before {settled} may still disallow a loss of {}",
            args.year
        ));
    }
    let adopted = adopted(&history, fund_id, &report);
    if adopted > 0 {
        say_note(&format!(
            "{adopted} rows are of units that left with an adoption and not with a sale: take out what was none"
        ));
    }
    if let Some(file) = &args.out {
        write_whole(file, report.to_csv().as_bytes())?;
    }
    if args.json {
        return say_json(&report);
    }
    if args.out.is_none() && !report.rows.is_empty() {
        say(&rows(&report.rows));
        say("");
    }
    say(&format!("fund {fund_id}, {}, closed in {}: no tax advice", fund.currency(), args.year));
    say(&totals(&report));
    if let Some(file) = &args.out {
        say(&format!("{} rows in {}", report.rows.len(), file.display()));
    }
    Ok(())
}

/// What happened to the lots of a fund, from the first on.
fn closed(history: &History, fund_id: &FundId) -> Result<TaxHistory, CliError> {
    let mut taxes = TaxHistory::new(fund_id.clone());
    for posting in history.postings.iter().filter(|posting| posting.fund_id == *fund_id) {
        taxes.apply(&posting.lots).or_exit(ExitKind::Data)?;
        if let PostingKind::Action(action) = &posting.kind {
            match &action.kind {
                CorporateActionKind::Split { new_units, old_units } => {
                    taxes.split(&action.symbol, *new_units, *old_units).or_exit(ExitKind::Data)?;
                }
                CorporateActionKind::SymbolChange { to } => taxes.rename(&action.symbol, to),
                CorporateActionKind::CashDividend { .. } | CorporateActionKind::Delisting { .. } => {}
            }
        }
    }
    Ok(taxes)
}

/// How many rows come of units that were taken over from an account.
fn adopted(history: &History, fund_id: &FundId, report: &TaxReport) -> usize {
    let fills: BTreeSet<&FillId> = history
        .postings
        .iter()
        .filter(|posting| posting.fund_id == *fund_id && matches!(posting.kind, PostingKind::Adopted { .. }))
        .filter_map(|posting| posting.fill_id.as_ref())
        .collect();
    report.rows.iter().filter(|row| fills.contains(&row.fill_id)).count()
}

fn rows(rows: &[TaxRow]) -> String {
    let cells = rows.iter().map(|row| {
        let mut cells = vec![format!("{} {}", row.quantity.normalize(), row.symbol)];
        cells.extend([row.date_acquired, row.date_sold].map(|date| date.to_string()));
        cells.extend([row.proceeds, row.cost_basis].map(money));
        cells.push(row.code.map_or_else(String::new, |code| code.as_str().to_owned()));
        cells.extend([row.adjustment, row.gain].map(money));
        cells.push(row.term.to_string());
        cells
    });
    let header = ["what", "acquired", "sold", "proceeds", "cost", "code", "adjustment", "gain", "term"];
    table(&header, cells.collect(), &[3, 4, 6, 7])
}

fn totals(report: &TaxReport) -> String {
    let line = |name: &str, totals: &TaxTotals| {
        let mut cells = vec![name.to_owned(), totals.rows.to_string()];
        cells.extend([totals.proceeds, totals.cost_basis, totals.adjustment, totals.gain].map(money));
        cells
    };
    let rows = vec![line("short-term", &report.short), line("long-term", &report.long)];
    table(&["", "rows", "proceeds", "cost", "disallowed", "gain"], rows, &[1, 2, 3, 4, 5])
}
