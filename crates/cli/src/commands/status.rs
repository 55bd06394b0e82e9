//! `mts status`: how a run stands, on one screen.

use super::fund_lines::{FundLine, POSITIONS, funds, funds_table, position_cells, positions};
use super::gates::short;
use super::lists::{ORDERS, order_cells};
use super::print::{exactly, say, say_json, table};
use super::risk_show::tell_switches;
use crate::app::App;
use crate::args::look::StatusArgs;
use crate::error::{CliError, ExitKind};
use crate::incidents::{Incident, incidents};
use crate::live::KILL_FILE;
use crate::live::control::{self, Request, Response};
use crate::report::count;
use crate::run_folder::{RunFolder, is_written};
use chrono::NaiveDate;
use mts_engine::core::{AccountStanding, Progress};
use mts_foundation::position::Position;
use mts_foundation::reconcile::Difference;
use mts_foundation::risk::{HaltRequest, RejectCode};
use mts_foundation::{BrokerName, Fill, OrderRecord, OrderState, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

/// Rows of each list: all of it fits on a screen.
const TOP: usize = 10;
/// Longest wait for a running engine.
const PATIENCE: Duration = Duration::from_secs(1);
/// Incidents that are shown.
const LAST_INCIDENTS: usize = 5;

/// An account that is compared with the books.
#[derive(Debug, Serialize)]
struct AccountLine {
    broker: BrokerName,
    connected: bool,
    /// When it was compared last; `None` = not since the start or the last reconnection.
    compared: Option<Timestamp>,
    /// What it holds and the books do not explain.
    unexplained: Vec<Difference>,
}

/// How a run stands.
#[derive(Debug, Serialize)]
struct Status<'a> {
    folder: &'a Path,
    name: &'a str,
    mode: &'static str,
    program: &'a str,
    config_hash: &'a str,
    /// A process holds the journal's lock.
    is_written: bool,
    /// Incidents up to this input are not counted, because retention removed what led to them; `None` = all are.
    history_after: Option<u64>,
    /// Number of the last input.
    sequence: u64,
    /// Its time; `None` before the first.
    time: Option<Timestamp>,
    session: Option<NaiveDate>,
    session_progress: &'static str,
    funds: Vec<FundLine>,
    /// What is traded at venues; empty in a back-test.
    accounts: Vec<AccountLine>,
    /// The largest; `mts positions` has all.
    positions: Vec<Position>,
    working_orders: usize,
    /// The latest; `mts orders --open` has all.
    working: Vec<&'a OrderRecord>,
    unknown_orders: usize,
    /// The latest; `mts orders --unknown` has all.
    unknown: Vec<&'a OrderRecord>,
    /// Fills of no known order or instrument.
    unbooked_fills: usize,
    /// Some of them.
    unbooked: Vec<&'a Fill>,
    halts: Vec<HaltRequest>,
    kill_switch: Option<&'a str>,
    /// The kill switch is wanted by a file in the folder; while it lies there no order leaves.
    kill_file: bool,
    incidents_by_code: BTreeMap<String, u64>,
    last_incidents: VecDeque<Incident>,
    refusals_by_code: &'a BTreeMap<RejectCode, u64>,
    /// What the running engine says of itself since it began; `None` where none answers.
    engine: Option<Box<serde_json::Value>>,
    /// What needs a person, in words; empty where nothing does.
    needs: Vec<String>,
}

/// Shows it.
pub(crate) fn status(app: &App, args: &StatusArgs) -> Result<(), CliError> {
    let mut run = RunFolder::open(app, &args.folder)?;
    let (mut by_code, mut last) = (BTreeMap::new(), VecDeque::new());
    run.replay(&mut |step| {
        for incident in incidents(step) {
            *by_code.entry(incident.code.clone()).or_insert(0) += 1;
            if last.len() == LAST_INCIDENTS {
                last.pop_front();
            }
            last.push_back(incident);
        }
    })?;
    let (state, risk) = (run.core.state(), run.core.risk());
    let (unknown, working): (Vec<_>, Vec<_>) = state
        .orders()
        .filter(|record| record.state.is_working() || record.state == OrderState::PendingRisk)
        .partition(|record| record.state == OrderState::Unknown);
    let accounts: Vec<AccountLine> = run
        .core
        .accounts()
        .map(|AccountStanding { broker, connected, reconciled, unexplained, .. }| AccountLine {
            broker,
            connected,
            compared: reconciled,
            unexplained,
        })
        .collect();
    let halts = risk.halts();
    let kill_file = args.folder.join(KILL_FILE).exists();
    let needs = needs(
        risk.killed().is_some() || kill_file,
        &[
            (halts.len(), "halt"),
            (unknown.len(), "unknown order"),
            (state.unbooked_fills().len(), "unbooked fill"),
            (accounts.iter().map(|account| account.unexplained.len()).sum(), "unexplained position"),
        ],
    );
    let status = Status {
        folder: &args.folder,
        name: &run.config.run.name,
        mode: run.config.live.as_ref().map_or("backtest", |live| live.mode.as_str()),
        program: &run.genesis.program,
        config_hash: &run.genesis.config_hash,
        is_written: is_written(&args.folder),
        history_after: run.begins_after(),
        sequence: state.inputs(),
        time: (state.inputs() > 0).then_some(state.now()),
        session: state.session(),
        session_progress: progress(state.progress()),
        accounts,
        funds: funds(app, &run.config, &run.core)?,
        positions: positions(&run.core, None).into_iter().take(TOP).collect(),
        working_orders: working.len(),
        working: latest(working),
        unknown_orders: unknown.len(),
        unknown: latest(unknown),
        unbooked_fills: state.unbooked_fills().len(),
        unbooked: state.unbooked_fills().take(TOP).collect(),
        halts,
        kill_switch: risk.killed(),
        kill_file,
        incidents_by_code: by_code,
        last_incidents: last,
        refusals_by_code: &state.counters().by_code,
        engine: engine(&args.folder),
        needs,
    };
    if args.json {
        say_json(&status)?;
    } else {
        status.tell();
    }
    if args.check && !status.needs.is_empty() {
        let message = format!("a person is needed: {}", status.needs.join(", "));
        return Err(CliError::new(ExitKind::Attention, message));
    }
    Ok(())
}

/// What a running engine says of itself. One that does not answer is not waited for: the journal says how it stands.
fn engine(folder: &Path) -> Option<Box<serde_json::Value>> {
    match control::ask(folder, &Request::Stats, PATIENCE) {
        Ok(Some(Response::Stats(stats))) => Some(stats),
        _ => None,
    }
}

/// How far a session is.
fn progress(progress: Progress) -> &'static str {
    match progress {
        Progress::Idle => "none",
        Progress::Opened => "open",
        Progress::Marked => "closing",
        Progress::Closed => "closed",
    }
}

/// The orders that were made last, oldest first.
fn latest(mut orders: Vec<&OrderRecord>) -> Vec<&OrderRecord> {
    orders.sort_by_key(|record| record.order.created_at);
    let cut = orders.len().saturating_sub(TOP);
    orders.split_off(cut)
}

/// What needs a person, in words.
fn needs(killed: bool, counted: &[(usize, &str)]) -> Vec<String> {
    let killed = killed.then(|| "the kill switch is on".to_owned());
    let counted = counted.iter().filter(|(number, _)| *number > 0).map(|(number, what)| {
        let plural = if *number == 1 { "" } else { "s" };
        format!("{number} {what}{plural}")
    });
    killed.into_iter().chain(counted).collect()
}

impl Status<'_> {
    fn tell(&self) {
        let writer = if self.is_written { "a process is writing it" } else { "no process is writing it" };
        say(&format!(
            "{}, {} in {}, by {}; {writer}",
            self.name,
            self.mode,
            self.folder.display(),
            self.program
        ));
        let hash = self.config_hash.get(..12).unwrap_or(self.config_hash);
        let at = match (self.time, self.session) {
            (Some(time), Some(date)) => format!(
                "input {} at {time}, session {date} ({})",
                count(self.sequence),
                self.session_progress
            ),
            (Some(time), None) => {
                format!("input {} at {time}, before the first session", count(self.sequence))
            }
            (None, _) => "before the first input".to_owned(),
        };
        say(&format!("configuration {hash}, {at}\n"));
        say(&funds_table(&self.funds));
        for account in &self.accounts {
            account.tell();
        }
        let held = self.funds.iter().map(FundLine::positions).sum();
        heading("positions", held, self.positions.len(), "mts positions");
        if held > 0 {
            say(&table(
                POSITIONS.0,
                self.positions.iter().map(|position| position_cells(position, short)).collect(),
                POSITIONS.1,
            ));
        }
        self.tell_orders("working orders", self.working_orders, &self.working, "mts orders --open");
        self.tell_orders("unknown orders", self.unknown_orders, &self.unknown, "mts orders --unknown");
        if self.unbooked_fills > 0 {
            heading("unbooked fills", self.unbooked_fills, self.unbooked.len(), "mts incidents");
            for Fill { fill_id, side, quantity, symbol, order_id, .. } in &self.unbooked {
                say(&format!(" {fill_id}: {side} {quantity} {symbol}, order {order_id}"));
            }
        }
        say(&format!("\nrefused orders: {}", counts(self.refusals_by_code)));
        say(&format!("incidents: {}", counts(&self.incidents_by_code)));
        if !self.last_incidents.is_empty() {
            say(&table(&Incident::HEADER, self.last_incidents.iter().map(Incident::cells).collect(), &[0]));
        }
        tell_switches(self.kill_switch, &self.halts);
        if self.kill_file {
            say(&format!(
                "{KILL_FILE} lies in the folder: no order leaves, and a running engine switches the kill switch on"
            ));
        }
        match self.needs.as_slice() {
            [] => say("nothing needs a person"),
            needs => say(&format!("a person is needed: {}", needs.join(", "))),
        }
    }

    fn tell_orders(&self, what: &str, all: usize, shown: &[&OrderRecord], command: &str) {
        heading(what, all, shown.len(), command);
        if !shown.is_empty() {
            say(&table(ORDERS.0, shown.iter().map(|record| order_cells(record)).collect(), ORDERS.1));
        }
    }
}

impl AccountLine {
    fn tell(&self) {
        let connection = if self.connected { "connected" } else { "NOT CONNECTED" };
        let compared = self.compared.map_or("not compared with the books".to_owned(), |time| {
            format!("compared with the books at {time}")
        });
        say(&format!("account at {}: {connection}, {compared}", self.broker));
        for Difference { symbol, ours, theirs } in &self.unexplained {
            say(&format!(" it holds {} {symbol}, the books {}", exactly(*theirs), exactly(*ours)));
        }
    }
}

/// How many there are, and where the rest is.
fn heading(what: &str, all: usize, shown: usize, command: &str) {
    say(&match all {
        0 => format!("\n{what}: none"),
        all if all > shown => format!("\n{what}: {all}, of which {shown} are here; see {command}"),
        all => format!("\n{what}: {all}"),
    });
}

/// Numbers by name, in words where there is none.
fn counts<K: Display>(by_name: &BTreeMap<K, u64>) -> String {
    let parts: Vec<_> = by_name.iter().map(|(name, number)| format!("{name} {}", count(*number))).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}
