//! The files of a tear sheet: the page, one JSON object, and tables for a spreadsheet.

use super::TearSheet;
use crate::error::{CliError, ExitKind, OrExit};
use crate::files::{not_in_a_run, write_whole};
use mts_foundation::Decimal;
use mts_portfolio::books::PostingKind;
use mts_portfolio::tax::spreadsheet_text;
use std::path::Path;

/// Names of what is written.
pub(crate) const NAMES: [&str; 6] =
    ["report.html", "report.json", "nav.csv", "attribution.csv", "lots.csv", "postings.csv"];

/// Writes everything into a folder, which is made where it is missing; each file whole or not at all.
pub(crate) fn write(sheet: &TearSheet<'_>, folder: &Path) -> Result<(), CliError> {
    not_in_a_run(folder)?;
    std::fs::create_dir_all(folder).map_err(|error| {
        let message =
            format!("cannot make the folder {}: {error}; name another one with --out", folder.display());
        CliError::new(ExitKind::Data, message)
    })?;
    let json = serde_json::to_string_pretty(sheet).or_exit(ExitKind::Internal)?;
    let contents = [
        sheet.page()?.into_bytes(),
        format!("{json}\n").into_bytes(),
        nav(sheet)?,
        attribution(sheet)?,
        lots(sheet)?,
        postings(sheet)?,
    ];
    for (name, bytes) in NAMES.iter().zip(contents) {
        write_whole(&folder.join(name), &bytes)?;
    }
    Ok(())
}

fn text(name: &str) -> String {
    spreadsheet_text(name).into_owned()
}

fn exactly(number: Decimal) -> String {
    number.normalize().to_string()
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<Vec<u8>, CliError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).or_exit(ExitKind::Internal)?;
    for row in rows {
        writer.write_record(&row).or_exit(ExitKind::Internal)?;
    }
    writer.into_inner().or_exit(ExitKind::Internal)
}

fn nav(sheet: &TearSheet<'_>) -> Result<Vec<u8>, CliError> {
    let rows = sheet.nav.iter().zip(&sheet.returns.steps).map(|(snapshot, step)| {
        let mut row = vec![snapshot.asof.to_string()];
        let money = [snapshot.nav_usd, snapshot.cash_usd, snapshot.long_usd, snapshot.short_usd, step.flows];
        row.extend(money.map(exactly));
        row.push(snapshot.positions.to_string());
        row.extend([step.value, step.index].map(|number| exactly(number.round_dp(12))));
        row
    });
    table(&["date", "nav", "cash", "long", "short", "flows", "positions", "return", "index"], rows)
}

fn attribution(sheet: &TearSheet<'_>) -> Result<Vec<u8>, CliError> {
    let rows = sheet.lines.iter().map(|line| {
        let (strategy_id, symbol) = &line.key;
        let found = symbol.as_ref().and_then(|symbol| sheet.history.books.instruments().get(symbol));
        vec![
            text(strategy_id.as_ref().map(ToString::to_string).unwrap_or_default().as_str()),
            text(symbol.as_ref().map(ToString::to_string).unwrap_or_default().as_str()),
            text(found.map(|found| found.sector.as_str()).unwrap_or_default()),
            exactly(line.part.money),
            line.part.linked.to_string(),
        ]
    });
    table(&["strategy", "symbol", "sector", "profit", "contribution"], rows)
}

fn lots(sheet: &TearSheet<'_>) -> Result<Vec<u8>, CliError> {
    let books = sheet.books;
    let rows = books.positions().iter().flat_map(|(symbol, held)| {
        books.lots().lots(symbol).map(move |lot| {
            let numbers = [
                lot.remaining(),
                lot.open_price,
                lot.open_cost,
                lot.open_fees,
                held.last_price,
                lot.unrealized(held.last_price),
            ];
            let names = [symbol.as_str(), lot.lot_id.as_str()];
            let mut row: Vec<String> = names.map(text).into();
            row.push(lot.open_date.to_string());
            row.extend(numbers.map(exactly));
            row
        })
    });
    table(
        &["symbol", "lot", "opened", "units", "open_price", "cost", "fees", "last_price", "unrealised"],
        rows,
    )
}

fn postings(sheet: &TearSheet<'_>) -> Result<Vec<u8>, CliError> {
    let rows = sheet.postings.iter().map(|posting| {
        let (what, quantity, price) = match &posting.kind {
            PostingKind::Fill { side, quantity, price } => {
                (side.to_string(), exactly(*quantity), exactly(*price))
            }
            PostingKind::Adopted { side, quantity, price } => {
                (format!("adopted {side}"), exactly(*quantity), exactly(*price))
            }
            PostingKind::Cash(kind) => (kind.to_string(), String::new(), String::new()),
            PostingKind::Action(_) => ("action".to_owned(), String::new(), String::new()),
        };
        let mut row = vec![
            posting.time.to_string(),
            posting.date.to_string(),
            text(posting.strategy_id.as_ref().map(ToString::to_string).unwrap_or_default().as_str()),
            text(posting.symbol.as_ref().map(ToString::to_string).unwrap_or_default().as_str()),
            what,
            quantity,
            price,
        ];
        row.extend([posting.amount, posting.fees, posting.realized, posting.cash].map(exactly));
        row.push(text(&posting.cause));
        row
    });
    let header = [
        "time", "date", "strategy", "symbol", "what", "quantity", "price", "amount", "fees", "realised",
        "cash", "cause",
    ];
    table(&header, rows)
}
