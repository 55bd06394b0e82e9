//! Panels and returns from files.

use crate::args::quant::PanelArgs;
use crate::commands::data::series_of;
use crate::error::{CliError, ExitKind, OrExit};
use crate::files;
use mts_foundation::{Interval, MarketCalendar, UniversePanel};
use mts_marketdata::panel::{PanelBuilder, read_long, read_wide};
use mts_marketdata::store::{Selection, Store};
use ndarray::{Array2, Axis};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Simple returns of several instruments.
pub(super) struct Returns {
    /// One for each row, as text.
    pub(super) dates: Vec<String>,
    /// One for each column.
    pub(super) names: Vec<String>,
    /// Shape (T, A), no value missing.
    pub(super) values: Array2<f64>,
    /// Rows in which some value was missing, and which are left out.
    pub(super) left_out: usize,
}

/// Reads a panel of prices.
pub(super) fn panel(args: &PanelArgs) -> Result<UniversePanel, CliError> {
    let calendar = MarketCalendar::builtin(&args.calendar).or_exit(ExitKind::Usage)?;
    if args.input.is_dir() {
        let store = Store::open(&args.input).or_exit(ExitKind::Data)?;
        let (series, ..) = series_of(&store, args.source.as_deref(), args.interval)?;
        let mut builder = PanelBuilder::new(series.interval());
        let symbols: BTreeSet<_> = args.symbols.iter().cloned().collect();
        let symbols = (!symbols.is_empty()).then_some(symbols);
        let selection = Selection { symbols, after: args.from, until: args.to };
        store.fill(&series, selection, &mut builder).or_exit(ExitKind::Data)?;
        return builder.finish().or_exit(ExitKind::Data);
    }
    let text = files::read(&args.input, "file of prices", ExitKind::Data)?;
    let path = args.input.display().to_string();
    let mut builder = PanelBuilder::new(args.interval.unwrap_or(Interval::DAY));
    let header = text.lines().next().unwrap_or_default().to_ascii_lowercase();
    let long = header.split(',').any(|name| name.trim().trim_matches('"') == "symbol");
    let read = if long { read_long } else { read_wide };
    read(&path, &text, calendar, &mut builder).or_exit(ExitKind::Data)?;
    chosen(builder.finish().or_exit(ExitKind::Data)?, args)
}

/// The rows and columns that were asked for.
fn chosen(panel: UniversePanel, args: &PanelArgs) -> Result<UniversePanel, CliError> {
    if let Some(missing) = args.symbols.iter().find(|symbol| !panel.symbols().contains(symbol)) {
        let message =
            format!("{} has no prices of {missing}; leave it out of --symbols", args.input.display());
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let rows: Vec<usize> = (panel.dates().iter().enumerate())
        .filter(|(_, time)| {
            args.from.is_none_or(|from| **time > from) && args.to.is_none_or(|to| **time <= to)
        })
        .map(|(row, _)| row)
        .collect();
    let columns: Vec<usize> = (panel.symbols().iter().enumerate())
        .filter(|(_, symbol)| args.symbols.is_empty() || args.symbols.contains(symbol))
        .map(|(column, _)| column)
        .collect();
    if rows.len() == panel.dates().len() && columns.len() == panel.symbols().len() {
        return Ok(panel);
    }
    let pick = |array: &Array2<f64>| array.select(Axis(0), &rows).select(Axis(1), &columns);
    let dates = rows.iter().filter_map(|row| panel.dates().get(*row).copied()).collect();
    let symbols = columns.iter().filter_map(|column| panel.symbols().get(*column).cloned()).collect();
    let mut smaller =
        UniversePanel::of_closes(dates, symbols, pick(panel.close())).or_exit(ExitKind::Data)?;
    smaller.open = panel.open.as_ref().map(pick);
    smaller.high = panel.high.as_ref().map(pick);
    smaller.low = panel.low.as_ref().map(pick);
    smaller.volume = panel.volume.as_ref().map(pick);
    Ok(smaller)
}

/// Reads returns, or prices and makes returns of them.
pub(super) fn returns(
    args: &PanelArgs,
    are_returns: bool,
    window: Option<usize>,
) -> Result<Returns, CliError> {
    let (dates, names, values) = if are_returns { read_returns(args)? } else { of_prices(&panel(args)?) };
    let complete: Vec<usize> = (values.outer_iter().enumerate())
        .filter(|(_, row)| row.iter().all(|value| value.is_finite()))
        .map(|(row, _)| row)
        .collect();
    let first = window.map_or(0, |window| complete.len().saturating_sub(window));
    let kept = complete.get(first..).unwrap_or_default();
    if kept.len() < 2 {
        let message = format!(
            "{} has {} returns that all instruments have; name fewer with --symbols, or give more data",
            args.input.display(),
            kept.len()
        );
        return Err(CliError::new(ExitKind::Data, message));
    }
    Ok(Returns {
        dates: kept.iter().filter_map(|row| dates.get(*row).cloned()).collect(),
        names,
        values: values.select(Axis(0), kept),
        left_out: dates.len() - complete.len(),
    })
}

type Table = (Vec<String>, Vec<String>, Array2<f64>);

fn of_prices(panel: &UniversePanel) -> Table {
    let close = panel.close();
    let dates =
        panel.dates().iter().skip(1).map(|time| time.to_datetime().date_naive().to_string()).collect();
    let names = panel.symbols().iter().map(ToString::to_string).collect();
    let rows = close.nrows().saturating_sub(1);
    let older = close.slice_axis(Axis(0), (..rows).into());
    let newer = close.slice_axis(Axis(0), (close.nrows() - rows..).into());
    (dates, names, &newer / &older - 1.0)
}

fn read_returns(args: &PanelArgs) -> Result<Table, CliError> {
    let path = args.input.display();
    let fault = |message: String| CliError::new(ExitKind::Data, format!("{path}: {message}"));
    if args.from.is_some() || args.to.is_some() {
        let message = "--from and --to choose among prices; of returns, take the last ones with --window";
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let text = files::read(&args.input, "file of returns", ExitKind::Data)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| fault(error.to_string()))?.clone();
    let wanted: Vec<usize> = (1..header.len())
        .filter(|place| {
            let name = header.get(*place).unwrap_or_default();
            args.symbols.is_empty() || args.symbols.iter().any(|symbol| symbol.as_str() == name)
        })
        .collect();
    if wanted.is_empty() {
        return Err(fault("no column of returns is left; the first column is the date".to_owned()));
    }
    let names: Vec<String> =
        wanted.iter().map(|place| header.get(*place).unwrap_or_default().to_owned()).collect();
    let (mut dates, mut values) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.map_err(|error| fault(error.to_string()))?;
        dates.push(record.get(0).unwrap_or_default().to_owned());
        for (place, name) in wanted.iter().zip(&names) {
            let cell = record.get(*place).unwrap_or_default().trim();
            let value = if cell.is_empty() { Ok(f64::NAN) } else { cell.parse::<f64>() };
            let line = dates.len() + 1;
            values.push(value.map_err(|_| {
                fault(format!(
                    "line {line}, {name}: {cell:?} is no number; leave the cell empty if it is missing"
                ))
            })?);
        }
    }
    let shape = (dates.len(), names.len());
    Ok((dates, names, Array2::from_shape_vec(shape, values).or_exit(ExitKind::Internal)?))
}

/// Parameters as a registry takes them.
pub(super) fn parameters(given: &[String]) -> Result<Map<String, Value>, CliError> {
    let mut all = Map::new();
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            let message = format!("--param {text:?} has no value: write NAME=VALUE");
            return Err(CliError::new(ExitKind::Usage, message));
        };
        if all.insert(name.to_owned(), json_or_text(value)).is_some() {
            let message = format!("--param {name} stands twice; give it once");
            return Err(CliError::new(ExitKind::Usage, message));
        }
    }
    Ok(all)
}

/// A value as JSON where it can be read as that, else as text.
pub(super) fn json_or_text(value: &str) -> Value {
    serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()))
}
