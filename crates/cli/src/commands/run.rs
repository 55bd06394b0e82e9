//! `mts run`.

use super::print::{say, say_json, sparkline, table};
use super::progress::bar;
use crate::alerts::{Alert, AlertCounts, Alerts, Severity};
use crate::app::App;
use crate::args::RunArgs;
use crate::config::{LiveMode, LiveSection, Loaded, LogLevel, load};
use crate::error::{CliError, ExitKind, OrExit};
use crate::export::{RunResult, facts, stored_result};
use crate::live;
use crate::log;
use crate::report::{count, money, number, percent};
use crate::run_folder::{RunFolder, journal_error, open_reader, read_genesis};
use crate::setup::{Files, Parts, date_of, genesis, parts, read_files};
use crate::signals::{StopSignal, UntilSignal};
use chrono::NaiveDate;
use clap::ValueEnum;
use mts_engine::record::{GENESIS, Genesis};
use mts_engine::shell::live::LiveStats;
use mts_engine::shell::offline::{Backtest, Replay, RunProgress};
use mts_foundation::event::Event;
use mts_foundation::journal::JournalError;
use mts_foundation::{MarketCalendar, Timestamp};
use mts_journal::{FILE_NAME, FileJournal, JournalOptions};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Runs a configuration, goes on with an interrupted run, or prints the result of a finished one; tells the hooks of
/// `[alerts]` what happens and how it ends.
pub(crate) fn run(app: &App, args: &RunArgs) -> Result<(), CliError> {
    let loaded = load(&args.config)?;
    let folder = folder(args, &loaded)?;
    log::start(&loaded.log, level(args)?, args.log_format)?;
    let name = loaded.config.run.name.as_str();
    tracing::info!(run = name, folder = %folder.display(), "run begins");
    let mut alerts = Alerts::start(&loaded.alerts)?;
    let ran = execute(app, args, &loaded, &folder, &mut alerts);
    if let Some(alerts) = &mut alerts
        && let Some(alert) = ending(&ran, &loaded.config.run.name)
    {
        alerts.send(alert);
    }
    match &ran {
        Ok(ran) => tracing::info!(
            run = name,
            finished = ran.result.finished,
            stored = ran.stored,
            state = ran.result.state_hash.as_str(),
            "run ends"
        ),
        Err(error) => tracing::error!(run = name, error = error.message.as_str(), "run fails"),
    }
    let counts = alerts.map(Alerts::finish);
    let ran = ran?;
    print(&ran, &folder, args.json, counts)?;
    ran.stopped.map_or(Ok(()), |kind| Err(CliError::new(kind, kind.meaning())))
}

/// What goes to the error stream.
fn level(args: &RunArgs) -> Result<LogLevel, CliError> {
    if let Some(level) = args.log_level {
        return Ok(level);
    }
    // Today's terminals stay as they are: what fails is told anyway.
    let Some(text) = std::env::var_os("MTS_LOG") else { return Ok(LogLevel::Off) };
    LogLevel::from_str(&text.to_string_lossy(), true).map_err(|_| {
        let message = format!("MTS_LOG is {}; use off, error, warn, info or debug", text.to_string_lossy());
        CliError::new(ExitKind::Usage, message)
    })
}

/// What a run gives.
struct Ran {
    result: RunResult,
    /// Nothing was run: the result was there.
    stored: bool,
    /// The course of the net asset value.
    values: Vec<f64>,
    /// A signal has ended it early.
    stopped: Option<ExitKind>,
    /// The engine's word of itself, of a run in real time.
    live: Option<LiveStats>,
}

/// What is told of the end; nothing where nothing ran.
fn ending(ran: &Result<Ran, CliError>, name: &str) -> Option<Alert> {
    let (severity, kind, message) = match ran {
        Ok(ran) if ran.stored => return None,
        Ok(ran) => {
            let last =
                ran.result.last_session.map_or_else(|| "no session".to_owned(), |date| date.to_string());
            let message = format!("ran to {last}, net asset value {}", money(ran.result.final_nav));
            match ran.stopped {
                Some(kind) => (Severity::Warning, "stopped", format!("{}; {message}", kind.meaning())),
                None if ran.result.finished => (Severity::Info, "finished", message),
                None => (Severity::Info, "paused", message),
            }
        }
        Err(error) => {
            let kind = if error.kind == ExitKind::Journal { "journal" } else { "failed" };
            (Severity::Critical, kind, error.message.clone())
        }
    };
    Some(Alert::new(severity, kind, name.to_owned(), message, name))
}

fn execute(
    app: &App,
    args: &RunArgs,
    loaded: &Loaded,
    folder: &Path,
    alerts: &mut Option<Alerts>,
) -> Result<Ran, CliError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "wall time for the report; nothing in the run depends on it"
    )]
    let began = Instant::now();
    let files = read_files(loaded)?;
    let genesis = genesis(app, &loaded.config, &files)?;
    confirmed(args, loaded)?;
    let end = args.until.map_or(loaded.config.run.end, |until| until.min(loaded.config.run.end));
    let parts = parts(app, &loaded.config, &files, Some(&genesis))?;
    // Held to the end: from here on nobody else writes this run.
    let real_time = loaded.config.live.as_ref().is_some_and(LiveSection::is_real_time);
    let options = loaded.journal.options(real_time);
    let mut journal = match begin(folder, &genesis, options.clone())? {
        Some(journal) => journal,
        None => {
            check_same(folder, &genesis)?;
            if let Some(result) = stored(folder, args.until, &genesis)? {
                return Ok(Ran { result, stored: true, values: Vec::new(), stopped: None, live: None });
            }
            let journal = FileJournal::open_with(folder, options).map_err(journal_error)?;
            for ignored in journal.ignored_snapshots() {
                let path = ignored.path.display();
                tracing::warn!(snapshot = %path, "a snapshot is passed over: {}", ignored.reason);
            }
            journal
        }
    };
    let last = parts.feed.range.1;
    let (stopped, finished, live) = if real_time {
        let ran = live::trade(app, parts, loaded, folder, journal, alerts, args.record.as_deref())?;
        journal = FileJournal::open(folder).map_err(journal_error)?;
        (ran.stopped, false, Some(ran.stats))
    } else {
        let stopped = trade(parts, loaded, end, &mut journal, args.json, alerts)?;
        (stopped, stopped.is_none() && end >= loaded.config.run.end.min(last), None)
    };
    let facts = facts(RunFolder::open(app, folder)?)?;
    let result = facts.result(finished, began.elapsed().as_secs_f64());
    facts.write(folder, &result, loaded.report)?;
    drop(journal);
    Ok(Ran { result, stored: false, values: facts.values(), stopped, live })
}

/// Real money wants two words: one in the file, one on the command line.
fn confirmed(args: &RunArgs, loaded: &Loaded) -> Result<(), CliError> {
    let is_live = loaded.config.live.as_ref().is_some_and(|live| live.mode == LiveMode::Live);
    match (is_live, args.live) {
        (true, false) => Err(CliError::new(
            ExitKind::Usage,
            "live.mode is live: real orders would leave; say --live if that is what you want",
        )),
        (false, _) if args.record.is_some() => Err(CliError::new(
            ExitKind::Usage,
            "--record is given and live.mode is not live: only what goes to a real broker can be recorded",
        )),
        (false, true) => Err(CliError::new(
            ExitKind::Usage,
            "--live is given and live.mode is not live; change one of them",
        )),
        _ => Ok(()),
    }
}

/// Where the run goes. `--fresh` never touches what exists.
fn folder(args: &RunArgs, loaded: &Loaded) -> Result<PathBuf, CliError> {
    let named = args.out.clone().or_else(|| loaded.output_dir.clone());
    let folder = named.clone().unwrap_or_else(|| Path::new("runs").join(&loaded.stem));
    let taken = |folder: &Path| std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if !args.fresh || !taken(&folder) {
        return Ok(folder);
    }
    if named.is_some() {
        let message = format!(
            "--fresh needs an empty or new folder, and {} is not empty; name another",
            folder.display()
        );
        return Err(CliError::new(ExitKind::Output, message));
    }
    (2..1_000)
        .map(|number| Path::new("runs").join(format!("{}-{number}", loaded.stem)))
        .find(|folder| !taken(folder))
        .ok_or_else(|| {
            CliError::new(ExitKind::Output, "runs/ is full of runs of this name; name a folder with --out")
        })
}

/// Refuses a folder that belongs to something else.
fn check_same(folder: &Path, wanted: &Genesis) -> Result<(), CliError> {
    let found = read_genesis(&open_reader(folder)?)?;
    let other = |what: &str| {
        let message = format!(
            "{} holds a run of {what}; name another folder with --out, or start anew with --fresh",
            folder.display()
        );
        Err(CliError::new(ExitKind::Journal, message))
    };
    if found.config_hash != wanted.config_hash {
        return other("another configuration");
    }
    for (role, hash) in &wanted.files {
        if found.files.get(role) != Some(hash) {
            return other(&format!("this configuration with another {role} file (its content has changed)"));
        }
    }
    if found.async_gates != wanted.async_gates {
        let which = if found.async_gates { "with" } else { "without" };
        return other(&format!("this configuration {which} asynchronous gates (the program has changed)"));
    }
    Ok(())
}

/// The stored result, if it answers the question.
fn stored(folder: &Path, until: Option<NaiveDate>, genesis: &Genesis) -> Result<Option<RunResult>, CliError> {
    let Some(result) = stored_result(folder, &genesis.config_hash) else { return Ok(None) };
    match (until, result.last_session) {
        (Some(until), Some(last)) if last > until => Err(CliError::new(
            ExitKind::Usage,
            format!(
                "the run in {} has already reached {last}; drop --until, or use --fresh",
                folder.display()
            ),
        )),
        _ => Ok(Some(result).filter(|result| result.finished)),
    }
}

/// Begins a journal; `None` when there is one.
fn begin(folder: &Path, genesis: &Genesis, options: JournalOptions) -> Result<Option<FileJournal>, CliError> {
    if folder.join(FILE_NAME).exists() {
        return Ok(None);
    }
    std::fs::create_dir_all(folder).map_err(|error| {
        let message =
            format!("{} cannot be written: {error}; choose another folder with --out", folder.display());
        CliError::new(ExitKind::Output, message)
    })?;
    let payload = serde_json::to_vec(genesis).or_exit(ExitKind::Internal)?;
    match FileJournal::begin_with(folder, &[(GENESIS, &payload)], options) {
        Ok(journal) => Ok(Some(journal)),
        // Somebody else was faster.
        Err(JournalError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {
            Ok(None)
        }
        Err(error) => Err(journal_error(error)),
    }
}

/// Trades to the end, or to the signal that is returned.
fn trade(
    parts: Parts,
    loaded: &Loaded,
    end: NaiveDate,
    journal: &mut FileJournal,
    json: bool,
    alerts: &mut Option<Alerts>,
) -> Result<Option<ExitKind>, CliError> {
    let Parts { core, mut feed, venue, traders, calendar, script } = parts;
    let (start, (first, last)) = (loaded.config.run.start, feed.range);
    let sessions = calendar.sessions(start, end.min(last)).or_exit(ExitKind::Config)?.len();
    let bar = bar(Some(sessions as u64), "sessions", json);
    let mut progress = |progress: RunProgress| {
        bar.set_position(progress.sessions);
        if bar.position().is_multiple_of(64) {
            bar.set_message(progress.date.to_string());
        }
    };
    let mut observe = |event: &Event| {
        log::event(event);
        if let Some(alerts) = alerts
            && let Some(alert) = Alert::of_event(event, &loaded.config.run.name)
        {
            alerts.send(alert);
        }
    };
    let signal = StopSignal::install()?;
    let mut feed = UntilSignal::new(&mut *feed.feed, &signal);
    let done = if loaded.config.live.is_some() {
        let (start, end) = (opens(calendar, start.max(first))?, closes(calendar, end.min(last))?);
        let calendar = Some(calendar);
        let replay = Replay { core, journal, venue: &*venue, traders, calendar, start, end, script };
        replay.run(&mut feed, &mut progress, &mut observe)?
    } else {
        let backtest = Backtest { core, journal, venue: &*venue, traders, calendar, start, end, script };
        backtest.run_observed(&mut feed, &mut progress, &mut observe)?
    };
    bar.finish_and_clear();
    tracing::info!(market_events = done.market_events, late = done.late_events, "the data is through");
    if done.late_events > 0 {
        tracing::warn!(
            late = done.late_events,
            "market events came after later ones; they counted as of then"
        );
    }
    if done.replayed > 0 {
        tracing::info!(inputs = done.replayed, "went on from the journal");
    }
    if done.replayed > 0 && !json {
        let at = date_of(calendar, done.core.state().now());
        super::print::say(&format!("went on from {} journalled inputs, now at {at}", count(done.replayed)));
    }
    Ok(feed.stopped)
}

/// When the first session from a date on opens.
fn opens(calendar: &MarketCalendar, date: NaiveDate) -> Result<Timestamp, CliError> {
    let session = match calendar.session_on(date).or_exit(ExitKind::Config)? {
        Some(session) => session,
        None => calendar.next_session(date).or_exit(ExitKind::Config)?,
    };
    Ok(session.open.into())
}

/// When the last session up to a date closes.
fn closes(calendar: &MarketCalendar, date: NaiveDate) -> Result<Timestamp, CliError> {
    let session = match calendar.session_on(date).or_exit(ExitKind::Config)? {
        Some(session) => session,
        None => calendar.previous_session(date).or_exit(ExitKind::Config)?,
    };
    Ok(session.close.into())
}

/// The result, and what became of the alerts where there are hooks.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    result: &'a RunResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<&'a LiveStats>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alerts: Option<AlertCounts>,
}

fn print(ran: &Ran, folder: &Path, json: bool, alerts: Option<AlertCounts>) -> Result<(), CliError> {
    let Ran { result, stored, values, .. } = ran;
    if json {
        return say_json(&Printed { result, live: ran.live.as_ref(), alerts });
    }
    if let Some(stats) = &ran.live {
        return print_live(result, stats, folder);
    }
    let period = match (result.first_session, result.last_session) {
        (Some(first), Some(last)) => format!("{first} to {last}, {} sessions", count(result.sessions)),
        _ => "no session was traded".to_owned(),
    };
    say(&format!("{}: {period}{}", result.name, if *stored { " (stored result)" } else { "" }));
    let line = sparkline(values, 60);
    if !line.is_empty() {
        say(&format!("\n  {line}\n"));
    }
    let rows: Vec<Vec<String>> = [
        ("final NAV", money(result.final_nav)),
        ("total return", percent(result.total_return, 2)),
        ("return a year", percent(result.annual_return, 2)),
        ("volatility a year", percent(result.annual_volatility, 2)),
        ("Sharpe ratio", number(result.sharpe, 2)),
        ("deepest drawdown", percent(result.max_drawdown, 2)),
        ("turnover a year", format!("{}x", number(result.turnover, 2))),
        ("orders", count(result.orders)),
        ("fills", count(result.fills)),
        ("fees", money(result.fees)),
        ("refused", count(result.rejections)),
        ("halts", count(result.halts)),
        ("incidents", count(result.incidents)),
        ("wall time", format!("{} s", number(result.seconds, 2))),
        ("inputs a second", number(result.inputs_per_second, 0)),
        ("events a second", number(result.events_per_second, 0)),
    ]
    .into_iter()
    .map(|(name, value)| vec![name.to_owned(), value])
    .collect();
    say(&table(&["", ""], rows, &[1]));
    if !result.rejections_by_gate.is_empty() {
        let rows = result
            .rejections_by_gate
            .iter()
            .flat_map(|(gate, codes)| {
                codes.iter().map(|(code, n)| vec![gate.clone(), code.clone(), count(*n)])
            })
            .collect();
        say(&format!("\n{}", table(&["gate", "code", "refused"], rows, &[2])));
    }
    if result.incidents > 0 {
        let path = folder.join("incidents.jsonl");
        say(&format!("\nincidents to look at: {} in {}", count(result.incidents), path.display()));
    }
    say(&format!("\nstate {}", result.state_hash));
    say(&format!(
        "files {}: report.html, orders.jsonl, fills.jsonl, incidents.jsonl, operations.jsonl, nav.csv, {FILE_NAME}",
        folder.display()
    ));
    if let Some(AlertCounts { sent, failed, dropped, suppressed }) = alerts {
        say(&format!("alerts: {sent} sent, {failed} failed, {dropped} dropped, {suppressed} suppressed"));
    }
    if !result.finished {
        say("the run is not at its end; the same command without --until goes on");
    }
    Ok(())
}

/// How a run in real time ended; what it holds is for `mts status`.
fn print_live(result: &RunResult, stats: &LiveStats, folder: &Path) -> Result<(), CliError> {
    let mean =
        std::time::Duration::from_nanos(stats.commit_nanos.checked_div(stats.commits).unwrap_or_default());
    let longest = std::time::Duration::from_nanos(stats.longest_commit_nanos);
    let rows: Vec<Vec<String>> = [
        ("net asset value", money(result.final_nav)),
        ("orders", count(result.orders)),
        ("fills", count(result.fills)),
        ("refused", count(result.rejections)),
        ("halts", count(result.halts)),
        ("incidents", count(result.incidents)),
        ("market events", count(stats.market_events)),
        ("inputs", count(stats.inputs)),
        ("commits", format!("{}, mean {mean:.1?}, longest {longest:.1?}", count(stats.commits))),
        ("errors of strategies", count(stats.error_count)),
    ]
    .into_iter()
    .map(|(name, value)| vec![name.to_owned(), value])
    .collect();
    say(&format!("{}: ended after {} s", result.name, number(result.seconds, 1)));
    say(&table(&["", ""], rows, &[1]));
    say(&format!("\nstate {}", result.state_hash));
    say(&format!("the same command goes on; mts status {} shows how it stands", folder.display()));
    Ok(())
}

/// Used by `config check`: everything is built, nothing is run.
pub(crate) fn dry(app: &App, loaded: &Loaded) -> Result<(Files, Parts), CliError> {
    let files = read_files(loaded)?;
    let parts = parts(app, &loaded.config, &files, None)?;
    Ok((files, parts))
}
