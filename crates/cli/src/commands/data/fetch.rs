//! `mts data fetch`: candles of an exchange into a store.

use super::{fault, say_appended};
use crate::args::data::FetchArgs;
use crate::commands::progress::bar;
use crate::commands::say_note;
use crate::error::{CliError, ExitKind, OrExit};
use crate::files;
use crate::live::SystemClock;
use chrono::{Days, NaiveDate, NaiveTime};
use mts_foundation::market::IntervalUnit;
use mts_foundation::{Bar, Clock, MarketData, Symbol, Timestamp};
use mts_marketdata::exchanges::{DescribedExchange, Descriptor, find};
use mts_marketdata::store::{Appended, Duplicates, Series, Store};
use mts_transport::{Budget, Stack};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Milliseconds of a minute.
const MINUTE: u32 = 60_000;

/// `mts data fetch`. A period of the store is asked for, all instruments of it, and then written; so what a stop loses is the
/// part of a period.
pub(crate) fn fetch(args: &FetchArgs) -> Result<(), CliError> {
    let descriptor = described(args)?;
    let series = Series::new(&descriptor.id, args.interval).map_err(fault)?;
    let mut store = Store::open_or_create(&args.into).map_err(fault)?;
    let clock = Arc::new(SystemClock);
    let until = args.to.map_or(clock.now(), |to| to.min(clock.now()));
    let starts = starts(args, &store, &series)?;
    let windows = windows(&series, starts.values().min().copied().unwrap_or(until), until);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().or_exit(ExitKind::Internal)?;
    runtime.block_on(async {
        // One request at a time, and not faster than the exchange is said to like.
        let pace = (MINUTE / descriptor.pace_ms.max(1)).max(1);
        let stack = Stack::builder(&descriptor.id, clock.clone()).budgets([Budget::bucket("", 1, pace)]);
        let stack = stack.build().or_exit(ExitKind::Internal)?;
        let exchange =
            DescribedExchange::new(Arc::new(descriptor), stack.http(), clock).or_exit(ExitKind::Usage)?;
        let asked = windows.len().saturating_mul(starts.len());
        let progress = bar(u64::try_from(asked).ok(), "windows", args.json);
        let mut sum = Appended::default();
        for (after, until) in windows {
            let (mut bars, mut failed): (Vec<Bar>, _) = (Vec::new(), None);
            for (symbol, start) in &starts {
                let after = after.max(*start);
                progress.set_message(format!("{symbol} {until}"));
                if after < until {
                    match exchange.bars(symbol, args.interval, after, Some(until)).await {
                        Ok(found) => bars.extend(found),
                        Err(error) => {
                            failed = Some(CliError::new(ExitKind::Data, format!("{symbol}: {error}")));
                            break;
                        }
                    }
                }
                progress.inc(1);
            }
            add(&mut sum, write(&mut store, &series, bars)?);
            if let Some(error) = failed {
                let kept = format!("{} bars were written; the same command goes on after them", sum.added);
                return Err(CliError::new(error.kind, format!("{}; {kept}", error.message)));
            }
        }
        progress.finish_and_clear();
        say_appended(&series, sum, &args.into, args.json)
    })
}

fn described(args: &FetchArgs) -> Result<Descriptor, CliError> {
    if let Some(path) = &args.descriptor {
        let text = files::read(path, "description of an exchange", ExitKind::Usage)?;
        return Descriptor::read(&path.display().to_string(), &text).or_exit(ExitKind::Usage);
    }
    let name = args.exchange.as_deref().unwrap_or_default();
    let embedded = find(name).ok_or_else(|| {
        CliError::new(ExitKind::Usage, format!("there is no exchange {name:?}; mts exchanges lists them"))
    })?;
    embedded.read().or_exit(ExitKind::Internal)
}

/// After when each instrument is asked for: the end of its last bar, or what the command says.
fn starts(args: &FetchArgs, store: &Store, series: &Series) -> Result<BTreeMap<Symbol, Timestamp>, CliError> {
    let symbols: BTreeSet<Symbol> = args.symbols.iter().cloned().collect();
    let last = store.last_times(series, &symbols).map_err(fault)?;
    let start = |symbol: Symbol| {
        let stored = last.get(&symbol).filter(|last| **last > args.from);
        if let (Some(last), false) = (stored, args.json) {
            say_note(&format!("{symbol} goes on after {last}"));
        }
        (symbol, stored.copied().unwrap_or(args.from))
    };
    Ok(symbols.into_iter().map(start).collect())
}

/// Spans `(after, until]` that each hold a period of the series.
fn windows(series: &Series, after: Timestamp, until: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let (mut windows, mut from) = (Vec::new(), after);
    while from < until {
        let end = before(next_period(series, series.period(moment_after(from)))).min(until);
        if end <= from {
            break;
        }
        windows.push((from, end));
        from = end;
    }
    windows
}

/// Exchanges count milliseconds, so a window begins and ends with one.
const MILLISECOND: i64 = 1_000_000;

fn moment_after(time: Timestamp) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_add(MILLISECOND))
}

/// The last moment before a day.
fn before(date: NaiveDate) -> Timestamp {
    let midnight: Timestamp = date.and_time(NaiveTime::MIN).and_utc().into();
    Timestamp::from_nanos(midnight.nanos().saturating_sub(MILLISECOND))
}

fn next_period(series: &Series, period: NaiveDate) -> NaiveDate {
    // More than the longest period, less than two.
    let step = match series.interval().unit() {
        IntervalUnit::Day | IntervalUnit::Week => 370,
        IntervalUnit::Hour => 32,
        IntervalUnit::Minute | IntervalUnit::Second => 1,
    };
    let later = period.checked_add_days(Days::new(step)).unwrap_or(NaiveDate::MAX);
    series.period(later.and_time(NaiveTime::MIN).and_utc().into())
}

fn write(store: &mut Store, series: &Series, bars: Vec<Bar>) -> Result<Appended, CliError> {
    let mut append = store.append(series.clone(), Duplicates::Refuse).map_err(fault)?;
    for bar in bars {
        append.push(bar).map_err(fault)?;
    }
    append.commit().map_err(fault)
}

fn add(sum: &mut Appended, more: Appended) {
    sum.received = sum.received.saturating_add(more.received);
    sum.added = sum.added.saturating_add(more.added);
    sum.same = sum.same.saturating_add(more.same);
    sum.replaced = sum.replaced.saturating_add(more.replaced);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_the_periods_without_a_hole() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        for (interval, from, count) in [
            ("1d", "2018-06-01T00:00:00Z", 3),
            ("1h", "2019-12-31T23:00:00Z", 4),
            ("1m", "2020-03-01T10:00:00Z", 2),
        ] {
            let series = Series::new("x", interval.parse().unwrap()).unwrap();
            let (from, until) = (time(from), time("2020-03-02T12:00:00Z"));
            let windows = windows(&series, from, until);
            assert_eq!(windows.len(), count, "{windows:?}");
            assert_eq!((windows.first().unwrap().0, windows.last().unwrap().1), (from, until));
            assert!(windows.windows(2).all(|pair| pair[0].1 == pair[1].0));
            let period = |time| series.period(time);
            assert!(windows.iter().all(|(after, until)| period(moment_after(*after)) == period(*until)));
        }
    }
}
