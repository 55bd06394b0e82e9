//! `data.kind` of files: closes, ticks, stores of bars, and recordings of Databento.

use crate::app::{FeedContext, FeedParts};
use crate::commands;
use crate::error::{CliError, ExitKind, OrExit};
use crate::setup::date_of;
use mts_foundation::Symbol;
use mts_marketdata::store::{MANIFEST, Selection, Store, StoreFeed};
use mts_marketdata::{ClosesFeed, TicksFeed};
use std::collections::BTreeSet;

pub(crate) fn closes(context: FeedContext<'_>) -> Result<FeedParts, CliError> {
    let (path, text) = context.file;
    let feed = ClosesFeed::from_csv(&path.display().to_string(), text, context.instruments, context.calendar)
        .or_exit(ExitKind::Data)?;
    Ok(FeedParts {
        symbols: feed.symbols().to_vec(),
        range: (feed.first(), feed.last()),
        feed: Box::new(feed),
    })
}

pub(crate) fn ticks(context: FeedContext<'_>) -> Result<FeedParts, CliError> {
    let (path, text) = context.file;
    let feed = TicksFeed::from_jsonl(&path.display().to_string(), text, context.instruments)
        .or_exit(ExitKind::Data)?;
    let (first, last) = feed.range();
    let date = |time| date_of(context.calendar, time);
    Ok(FeedParts { symbols: feed.symbols().to_vec(), range: (date(first), date(last)), feed: Box::new(feed) })
}

/// Bars of a store whose manifest is the data file, so that what a run is of is known to the last bit.
pub(crate) fn store(context: FeedContext<'_>) -> Result<FeedParts, CliError> {
    let (path, params) = (context.file.0, &context.section.params);
    let folder = path.parent().filter(|_| path.file_name().is_some_and(|name| name == MANIFEST));
    let folder = folder.ok_or_else(|| {
        CliError::new(ExitKind::Config, format!("data.path must name the {MANIFEST} of a store"))
    })?;
    let store = Store::open(folder).or_exit(ExitKind::Data)?;
    let text = |key: &str| params.get(key).and_then(|value| value.as_str());
    let interval = text("interval").map(str::parse).transpose().or_exit(ExitKind::Config)?;
    let (series, first, last) = commands::data::series_of(&store, text("source"), interval)?;
    let symbols: BTreeSet<Symbol> =
        context.instruments.iter().map(|instrument| instrument.symbol.clone()).collect();
    let selection = Selection { symbols: Some(symbols.clone()), ..Selection::default() };
    let feed = StoreFeed::new(folder, store.read(&series, selection));
    let date = |time| date_of(context.calendar, time);
    let range = (date(first), date(last));
    Ok(FeedParts { symbols: symbols.into_iter().collect(), range, feed: Box::new(feed) })
}

/// A recording of Databento, as fast as it can be read. `data.params.names` says what the table calls an instrument of the file
/// whose name has no canonical form.
#[cfg(feature = "databento")]
pub(crate) fn databento(context: FeedContext<'_>) -> Result<FeedParts, CliError> {
    use mts_marketdata::databento::{DatabentoFeed, Replay};
    use mts_transport::{SystemClock, TokioSleep};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Params {
        #[serde(default)]
        names: BTreeMap<String, Symbol>,
    }
    let params = serde_json::Value::Object(context.section.params.clone());
    let Params { names } = serde_path_to_error::deserialize(params).map_err(|error| {
        CliError::new(ExitKind::Config, format!("data.params.{}: {}", error.path(), error.inner()))
    })?;
    let path = context.file.0.display().to_string();
    let file = std::fs::File::open(context.file.0).map_err(|error| {
        CliError::new(ExitKind::Data, format!("{path} cannot be opened: {error}; check data.path"))
    })?;
    let symbols = context.instruments.iter().map(|instrument| instrument.symbol.clone()).collect();
    let names = names.into_iter().map(|(name, symbol)| (name.into(), symbol)).collect();
    let replay = Replay { symbols, names, replay_speed: 0.0, ..Replay::default() };
    let feed =
        DatabentoFeed::from_file(&path, Box::new(file), &replay, Arc::new(SystemClock), Arc::new(TokioSleep))
            .or_exit(ExitKind::Data)?;
    let (first, end) = feed.range();
    let date = |time| date_of(context.calendar, time);
    // A recording whose end nobody wrote down ends where it does.
    let range = (date(first), end.map_or(chrono::NaiveDate::MAX, date));
    let symbols = context.instruments.iter().map(|instrument| instrument.symbol.clone()).collect();
    Ok(FeedParts { symbols, range, feed: Box::new(feed) })
}

/// This program cannot read them.
#[cfg(not(feature = "databento"))]
pub(crate) fn databento(_: FeedContext<'_>) -> Result<FeedParts, CliError> {
    let message = "data.kind is \"databento\", which this program was built without; build it with \
                   `cargo build --release --package mts-cli --features databento`";
    Err(CliError::new(ExitKind::Config, message))
}
