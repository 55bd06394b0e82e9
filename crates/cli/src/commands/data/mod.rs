//! `mts data`: stores of bars.

mod fetch;
mod plot;

pub(crate) use fetch::fetch;
pub(crate) use plot::plot;

use super::print::{say, say_error, say_json, table};
use super::progress::bar;
use crate::args::data::{ImportArgs, InfoArgs};
use crate::error::{CliError, ExitKind, OrExit};
use crate::files;
use mts_foundation::{Interval, MarketCalendar, Timestamp};
use mts_marketdata::panel::{long_bars, wide_bars};
use mts_marketdata::store::{Appended, Duplicates, Series, Store, StoreError, SymbolInfo};
use serde::Serialize;
use std::path::Path;

/// The exit kind of what is wrong with a store.
fn kind_of(error: &StoreError) -> ExitKind {
    match error {
        StoreError::Io { .. } | StoreError::Occupied { .. } | StoreError::Busy { .. } => ExitKind::Output,
        StoreError::Source { .. } => ExitKind::Usage,
        _ => ExitKind::Data,
    }
}

fn fault(error: StoreError) -> CliError {
    CliError::new(kind_of(&error), error)
}

/// The one series of a store that is meant, and the ends of its first and its last bar.
pub(crate) fn series_of(
    store: &Store,
    source: Option<&str>,
    interval: Option<Interval>,
) -> Result<(Series, Timestamp, Timestamp), CliError> {
    let mut all = store.series();
    all.retain(|info| {
        source.is_none_or(|source| info.series.source() == source)
            && interval.is_none_or(|interval| info.series.interval() == interval)
    });
    let names: Vec<String> = all.iter().map(|info| info.series.to_string()).collect();
    match <[_; 1]>::try_from(all) {
        Ok([info]) => Ok((info.series, info.first, info.last)),
        Err(_) if names.is_empty() => {
            let message = "the store has no such bars; mts data info shows what it has";
            Err(CliError::new(ExitKind::Data, message))
        }
        Err(_) => {
            let message =
                format!("the store has several series, {}; name source and interval", names.join(", "));
            Err(CliError::new(ExitKind::Usage, message))
        }
    }
}

/// `mts data import`.
pub(crate) fn import(args: &ImportArgs) -> Result<(), CliError> {
    let text = files::read(&args.file, "file of bars", ExitKind::Data)?;
    let path = args.file.display().to_string();
    let calendar = MarketCalendar::builtin(&args.calendar).or_exit(ExitKind::Usage)?;
    let series = Series::new(&args.source, args.interval).map_err(fault)?;
    let duplicates = if args.last_wins { Duplicates::LastWins } else { Duplicates::Refuse };
    let mut store = Store::open_or_create(&args.into).map_err(fault)?;
    let mut append = store.append(series.clone(), duplicates).map_err(fault)?;
    let header = text.lines().next().unwrap_or_default().to_ascii_lowercase();
    let long = header.split(',').any(|name| name.trim().trim_matches('"') == "symbol");
    let read = if long { long_bars } else { wide_bars };
    let progress = bar(None, "bars", args.json);
    read(&path, &text, calendar, args.interval, &mut |one| {
        progress.inc(1);
        append.push(one).map_err(|error| error.to_string())
    })
    .or_exit(ExitKind::Data)?;
    let done = append.commit().map_err(fault)?;
    progress.finish_and_clear();
    say_appended(&series, done, &args.into, args.json)
}

#[derive(Serialize)]
struct Brought<'a> {
    #[serde(flatten)]
    series: &'a Series,
    #[serde(flatten)]
    done: Appended,
}

fn say_appended(series: &Series, done: Appended, folder: &Path, json: bool) -> Result<(), CliError> {
    if json {
        return say_json(&Brought { series, done });
    }
    let Appended { received, added, same, replaced } = done;
    say(&format!(
        "{series} in {}: {received} bars came, {added} are new, {same} were there, {replaced} took the place of others",
        folder.display()
    ));
    Ok(())
}

/// `mts data info`.
pub(crate) fn info(args: &InfoArgs) -> Result<(), CliError> {
    let store = Store::open(&args.folder).map_err(fault)?;
    let all = store.series();
    if args.symbols {
        return symbols(&store, args.json);
    }
    if args.json {
        return say_json(&serde_json::json!({ "series": all }));
    }
    let row = |info: &mts_marketdata::store::SeriesInfo| {
        vec![
            info.series.source().to_owned(),
            info.series.interval().to_string(),
            info.rows.to_string(),
            info.parts.to_string(),
            info.bytes.to_string(),
            info.first.to_string(),
            info.last.to_string(),
        ]
    };
    let header = ["source", "interval", "bars", "parts", "bytes", "first ends", "last ends"];
    say(&table(&header, all.iter().map(row).collect(), &[2, 3, 4]));
    Ok(())
}

#[derive(Serialize)]
struct Instrument {
    #[serde(flatten)]
    series: Series,
    symbol: String,
    #[serde(flatten)]
    info: SymbolInfo,
}

fn symbols(store: &Store, json: bool) -> Result<(), CliError> {
    let mut all = Vec::new();
    for info in store.series() {
        for (symbol, found) in store.symbols(&info.series).map_err(fault)? {
            let symbol = symbol.as_str().to_owned();
            all.push(Instrument { series: info.series.clone(), symbol, info: found });
        }
    }
    if json {
        return say_json(&serde_json::json!({ "instruments": all }));
    }
    let row = |one: &Instrument| {
        let SymbolInfo { rows, first, last } = &one.info;
        vec![
            one.series.to_string(),
            one.symbol.clone(),
            rows.to_string(),
            first.to_string(),
            last.to_string(),
        ]
    };
    let header = ["series", "symbol", "bars", "first ends", "last ends"];
    say(&table(&header, all.iter().map(row).collect(), &[2]));
    Ok(())
}

/// `mts data verify`.
pub(crate) fn verify(folder: &Path, json: bool) -> Result<(), CliError> {
    let damaged = |message: String| CliError::new(ExitKind::Internal, message);
    let store = Store::open(folder).map_err(|error| damaged(error.to_string()))?;
    let bytes = store.parts().iter().map(|part| part.bytes).sum();
    let progress = bar(Some(bytes), "bytes", json);
    let found = store.verify(|bytes| progress.inc(bytes)).map_err(fault)?;
    progress.finish_and_clear();
    if json {
        say_json(&found)?;
    } else {
        let (parts, rows, bytes) = (found.parts, found.rows, found.bytes);
        say(&format!(
            "{parts} parts, {rows} bars and {bytes} bytes are right, {} parts are damaged",
            found.faults.len()
        ));
        if !found.leftovers.is_empty() {
            let names = found.leftovers.join(", ");
            say(&format!("left behind, without harm and removed by what writes next: {names}"));
        }
        found.faults.iter().for_each(|fault| say_error(&format!("{}: {}", fault.part, fault.message)));
    }
    match found.faults.first() {
        None => Ok(()),
        Some(first) => Err(damaged(format!(
            "{} is damaged; restore the part from a copy, or bring its bars anew into a new store",
            first.part
        ))),
    }
}
