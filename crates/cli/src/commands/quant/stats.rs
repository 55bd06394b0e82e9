//! `mts quant stats`.

use super::input::returns;
use crate::args::quant::StatsArgs;
use crate::commands::print::{say, say_json, say_note, table};
use crate::error::CliError;
use crate::report::{number, percent};
use mts_quantkit::Performance;
use serde::Serialize;

#[derive(Serialize)]
struct Column<'a> {
    name: &'a str,
    returns: usize,
    #[serde(flatten)]
    figures: Option<Performance>,
}

/// Figures of each column.
pub(crate) fn stats(args: &StatsArgs) -> Result<(), CliError> {
    let returns = returns(&args.panel, args.returns, None)?;
    let columns = returns.names.iter().zip(returns.values.columns()).map(|(name, column)| {
        let mut value = 1.0;
        let grown = column.iter().map(|one| {
            value *= 1.0 + one;
            value
        });
        let values: Vec<f64> = [1.0].into_iter().chain(grown).collect();
        let figures = Performance::of_values(&values, args.panel.periods_per_year);
        Column { name, returns: column.len(), figures }
    });
    let columns: Vec<Column<'_>> = columns.collect();
    if args.json {
        return say_json(&serde_json::json!({ "left_out": returns.left_out, "columns": columns }));
    }
    if returns.left_out > 0 {
        say_note(&format!("{} rows lack the return of some instrument and are left out", returns.left_out));
    }
    let rows = columns.iter().map(|column| match &column.figures {
        None => vec![column.name.to_owned()],
        Some(figures) => vec![
            column.name.to_owned(),
            percent(figures.total_return, 1),
            percent(figures.annual_return, 2),
            percent(figures.annual_volatility, 2),
            number(figures.sharpe, 2),
            percent(figures.max_drawdown, 1),
            number(figures.calmar, 2),
            percent(figures.worst_period, 2),
            percent(figures.best_period, 2),
        ],
    });
    let header =
        ["", "return", "a year", "volatility", "Sharpe", "drawdown", "Calmar", "worst period", "best period"];
    say(&table(&header, rows.collect(), &[1, 2, 3, 4, 5, 6, 7, 8]));
    Ok(())
}
