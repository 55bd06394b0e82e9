//! `mts statement`: a broker's statement against the books of a run.

use super::print::{exactly, say, say_json, table};
use crate::app::App;
use crate::args::books::{StatementArgs, StatementFormat};
use crate::error::{CliError, ExitKind};
use crate::history::History;
use crate::run_folder::Until;
use chrono::{Days, NaiveDate, NaiveTime, TimeDelta};
use mts_foundation::{CashKind, CorporateActionKind, FillId, FundId};
use mts_portfolio::books::{Posting, PostingKind};
use mts_portfolio::statement::{
    BookedRecords, Comparison, SHIFT_DAYS, Statement, StatementMovement, StatementTrade, compare,
    read_alpaca, read_csv, read_interactive_brokers,
};
use std::collections::BTreeMap;

/// Compares them.
pub(crate) fn statement(app: &App, args: &StatementArgs) -> Result<(), CliError> {
    let bytes = std::fs::read(&args.file).map_err(|error| {
        let message = format!("cannot read the statement {}: {error}", args.file.display());
        CliError::new(ExitKind::Data, message)
    })?;
    let config = super::act::config_of(&args.folder)?;
    let base = config.fund.base_currency;
    let read = match args.format {
        StatementFormat::Csv => {
            read_csv(&bytes, config.broker.name.as_str(), "", base, args.from.zip(args.to))
        }
        StatementFormat::InteractiveBrokers => read_interactive_brokers(&bytes),
        StatementFormat::Alpaca => read_alpaca(&bytes, ""),
    };
    let mut statement =
        read.map_err(|error| CliError::new(ExitKind::Data, format!("{}: {error}", args.file.display())))?;
    if let Some((from, to)) = args.from.zip(args.to) {
        (statement.from, statement.to) = (from, to);
    }
    let found = compare(&statement, &booked(app, args, &statement)?);
    if args.json {
        say_json(&found)?;
    } else {
        tell(&statement, &found);
    }
    if found.agrees() {
        return Ok(());
    }
    let message = format!("statement and books differ in {} things", found.found.len());
    Err(CliError::new(ExitKind::Attention, message))
}

/// What the books say of the same period.
fn booked(app: &App, args: &StatementArgs, statement: &Statement) -> Result<BookedRecords, CliError> {
    // What the other side counts in another period is found only where it can be seen.
    let around = Days::new(SHIFT_DAYS.unsigned_abs());
    let first = statement.from.checked_sub_days(around).unwrap_or(statement.from);
    let last = statement.to.checked_add_days(around).unwrap_or(statement.to);
    let history = History::read(app, &args.folder, end_of(last), None)?;
    let (fund_id, opened) = history.fund(args.fund.as_ref())?;
    // By trade dates, as the statement has it: after hours the day of the exchange goes on.
    let dated =
        history.postings.iter().zip(&history.places).filter(|(posting, _)| posting.date <= statement.to);
    let (positions, cash) = match dated.map(|(_, place)| *place).max() {
        None => (BTreeMap::new(), opened.opening_cash()),
        Some(place) => {
            let at_end = History::read(app, &args.folder, Until::Sequence(place), None)?;
            let (_, fund) = at_end.fund(args.fund.as_ref())?;
            let held = fund.positions().iter().map(|(symbol, held)| (symbol.clone(), held.quantity));
            (held.collect(), fund.cash())
        }
    };
    let cash = BTreeMap::from([(opened.currency(), cash)]);
    let near: Vec<&Posting> = history
        .postings
        .iter()
        .filter(|posting| posting.fund_id == *fund_id && (first..=last).contains(&posting.date))
        .collect();
    let (trades, movements) = records(&history, fund_id, &near)?;
    Ok(BookedRecords { positions, cash, trades, movements })
}

/// Until before the first instant of the next day.
fn end_of(date: NaiveDate) -> Until {
    let midnight = date.succ_opt().unwrap_or(date).and_time(NaiveTime::MIN).and_utc();
    let next = midnight.checked_sub_signed(TimeDelta::nanoseconds(1)).unwrap_or(midnight);
    Until::Time(next.into())
}

fn records(
    history: &History,
    fund_id: &FundId,
    postings: &[&Posting],
) -> Result<(Vec<StatementTrade>, Vec<StatementMovement>), CliError> {
    let currency = history.fund(Some(fund_id))?.1.currency();
    let (mut trades, mut movements) = (Vec::<StatementTrade>::new(), Vec::new());
    let mut places: BTreeMap<&FillId, usize> = BTreeMap::new();
    for posting in postings {
        let movement = |kind| StatementMovement {
            id: None,
            date: posting.date,
            kind,
            amount: posting.amount,
            currency,
            symbol: posting.symbol.clone(),
            text: posting.cause.to_string(),
        };
        match (&posting.kind, &posting.symbol) {
            (PostingKind::Fill { side, quantity, price }, Some(symbol)) => {
                places.extend(posting.fill_id.as_ref().map(|fill_id| (fill_id, trades.len())));
                trades.push(StatementTrade {
                    id: Some(posting.cause.to_string()),
                    date: posting.date,
                    symbol: symbol.clone(),
                    side: *side,
                    quantity: *quantity,
                    price: *price,
                    fees: posting.fees,
                    proceeds: posting.amount,
                    currency,
                });
            }
            (PostingKind::Cash(kind), _) => {
                // Fees that followed belong to their fill: a statement has them there.
                let place =
                    posting.fill_id.as_ref().filter(|_| *kind == CashKind::Fee).and_then(|id| places.get(id));
                match place.and_then(|place| trades.get_mut(*place)) {
                    Some(trade) => trade.fees = trade.fees.saturating_sub(posting.amount),
                    None if is_of_an_adoption(posting) => {}
                    None => movements.push(movement(*kind)),
                }
            }
            (PostingKind::Action(action), _) if !posting.amount.is_zero() => {
                let is_dividend = matches!(action.kind, CorporateActionKind::CashDividend { .. });
                movements.push(movement(if is_dividend { CashKind::Dividend } else { CashKind::Other }));
            }
            _ => {}
        }
    }
    Ok((trades, movements))
}

/// The capital that stands against units which were taken over: both are nothing that a broker tells.
fn is_of_an_adoption(posting: &Posting) -> bool {
    matches!(posting.kind, PostingKind::Cash(kind) if kind.is_capital()) && posting.symbol.is_some()
}

fn tell(statement: &Statement, found: &Comparison) {
    say(&format!(
        "{} {} to {}: {} trades and {} movements have their counterpart in the books",
        statement.broker, statement.from, statement.to, found.matched_trades, found.matched_movements
    ));
    if !found.positions.is_empty() {
        let rows = found.positions.iter().map(|found| {
            let numbers = [found.ours, found.theirs, found.by()].map(exactly);
            std::iter::once(found.symbol.to_string()).chain(numbers).collect()
        });
        say(&table(&["position", "books", "statement", "more"], rows.collect(), &[1, 2, 3]));
    }
    if !found.cash.is_empty() {
        let rows = found.cash.iter().map(|found| {
            let more = found.theirs.saturating_sub(found.ours);
            let numbers = [found.ours, found.theirs, more].map(exactly);
            std::iter::once(found.currency.to_string()).chain(numbers).collect()
        });
        say(&table(&["cash", "books", "statement", "more"], rows.collect(), &[1, 2, 3]));
    }
    for difference in &found.found {
        say(&format!("- {}; {}", difference.sentence, difference.remedy));
    }
    for what in &found.not_compared {
        say(&format!("not compared: {what}"));
    }
    for unread in &found.unread {
        say(&format!("line {} is left out: {}", unread.line, unread.reason));
    }
    if found.agrees() {
        say("statement and books agree");
    }
}
