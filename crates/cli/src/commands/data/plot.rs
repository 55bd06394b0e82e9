//! `mts data plot`: prices and volumes of a store.

use super::{fault, series_of};
use crate::args::data::PlotArgs;
use crate::commands::print::say;
use crate::error::{CliError, ExitKind, OrExit};
use crate::files;
use crate::report::{Block, Chart, Report, Section, TimeChart, ValueFormat, picture, render};
use chrono::NaiveDateTime;
use mts_foundation::market::IntervalUnit;
use mts_foundation::{Bar, Decimal, Interval, Symbol, Timestamp};
use mts_marketdata::store::{Selection, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Instruments of one picture.
const MAX_SYMBOLS: usize = 8;
/// Bars that are drawn at most.
const MAX_BARS: usize = 2_000_000;

/// `mts data plot`.
pub(crate) fn plot(args: &PlotArgs) -> Result<(), CliError> {
    let ending = args.out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if !["html", "svg"].contains(&ending) {
        let message = format!("--out {} must end in .html or .svg", args.out.display());
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let symbols: BTreeSet<Symbol> = args.symbols.iter().cloned().collect();
    if symbols.len() > MAX_SYMBOLS {
        let message = format!("--symbols has {}; draw at most {MAX_SYMBOLS} at a time", symbols.len());
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let store = Store::open(&args.folder).map_err(fault)?;
    let (series, ..) = series_of(&store, args.source.as_deref(), args.interval)?;
    let selection = Selection { symbols: Some(symbols.clone()), after: args.from, until: args.to };
    let bars: Vec<Bar> =
        store.read(&series, selection).take(MAX_BARS + 1).collect::<Result<_, _>>().map_err(fault)?;
    if bars.len() > MAX_BARS {
        let message = format!("more than {MAX_BARS} bars; draw a shorter time with --from and --to");
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let lacking = symbols.iter().find(|symbol| !bars.iter().any(|bar| bar.symbol == **symbol));
    if let Some(symbol) = lacking {
        let message =
            format!("the store has no bars of {symbol} there; mts data info --symbols shows what it has");
        return Err(CliError::new(ExitKind::Data, message));
    }
    let charts = charts(&bars, &symbols, series.interval());
    let text = if ending == "svg" {
        picture(&charts).or_exit(ExitKind::Internal)?
    } else {
        let names: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
        let section = Section {
            title: "Prices and volumes".to_owned(),
            blocks: charts.into_iter().map(Block::Chart).collect(),
        };
        let report = Report::new(names.join(", "))
            .fact("series", series.to_string())
            .fact("bars", bars.len().to_string());
        render(&report.section(section)).or_exit(ExitKind::Internal)?
    };
    files::write_whole(&args.out, text.as_bytes())?;
    say(&format!("{} bars drawn in {}", bars.len(), args.out.display()));
    Ok(())
}

/// How far two ends of bars may lie apart without a bar missing between: a bar's length, and where the bars are of sessions a
/// long weekend beside it.
fn reach(interval: Interval) -> Duration {
    let length = interval.duration();
    match interval.unit() {
        IntervalUnit::Day | IntervalUnit::Week => length.saturating_add(Duration::from_hours(4 * 24)),
        _ => length.saturating_add(length / 2),
    }
}

/// A chart of closes and one of volumes. Where bars are missing, a point without a value breaks the line.
fn charts(bars: &[Bar], symbols: &BTreeSet<Symbol>, interval: Interval) -> Vec<Chart> {
    let mut points: BTreeMap<Timestamp, BTreeMap<&Symbol, (Decimal, Decimal)>> = BTreeMap::new();
    let (mut last, mut gaps): (BTreeMap<&Symbol, Timestamp>, usize) = (BTreeMap::new(), 0);
    for bar in bars {
        if let Some(before) = last.insert(&bar.symbol, bar.timestamp)
            && bar.timestamp.since(before) > reach(interval)
        {
            gaps += 1;
            points.entry(before.plus(interval.duration())).or_default();
        }
        points.entry(bar.timestamp).or_default().insert(&bar.symbol, (bar.close, bar.volume));
    }
    let times: Vec<NaiveDateTime> = points.keys().map(|time| time.to_datetime().naive_utc()).collect();
    let gaps = format!("Ends of bars in UTC; bars are missing in {gaps} places, where lines are broken.");
    let chart = |title: &str, format: ValueFormat, value: fn(&(Decimal, Decimal)) -> Decimal| {
        let mut chart = TimeChart { caption: gaps.clone(), format, ..TimeChart::new(title, times.clone()) };
        for symbol in symbols {
            let (mut values, mut before) = (Vec::with_capacity(points.len()), None::<(Timestamp, f64)>);
            for (time, row) in &points {
                match row.get(symbol) {
                    Some(found) => {
                        let drawn = value(found).as_f64();
                        before = Some((*time, drawn));
                        values.push(drawn);
                    }
                    // Another instrument's time: the line goes on unless a bar should have been here.
                    None => values.push(carried(before, *time, interval)),
                }
            }
            chart = chart.series(symbol.as_str(), values);
        }
        chart
    };
    let prices = chart("Close", ValueFormat::Number(2), |found| found.0);
    let volumes = chart("Volume", ValueFormat::Number(0), |found| found.1);
    vec![Chart::Line(prices), Chart::Area(volumes)]
}

/// What a line shows at the time of another instrument's bar.
fn carried(before: Option<(Timestamp, f64)>, time: Timestamp, interval: Interval) -> f64 {
    before.filter(|(last, _)| time.since(*last) < interval.duration()).map_or(f64::NAN, |(_, value)| value)
}
