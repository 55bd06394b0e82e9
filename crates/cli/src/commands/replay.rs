//! `mts replay`: the state of a run at any of its inputs, rebuilt from the journal.

use super::fund_lines::{FundLine, POSITIONS, funds, funds_table, position_cells, positions};
use super::print::{exactly, say, say_json, table};
use crate::app::App;
use crate::args::look::ReplayArgs;
use crate::error::{CliError, ExitKind};
use crate::files::hex;
use crate::report::{count, number};
use crate::run_folder::{RunFolder, Until};
use chrono::NaiveDate;
use mts_foundation::position::Position;
use mts_foundation::{OrderRecord, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;

/// The state, and what led there.
#[derive(Debug, Serialize)]
struct Rebuilt<'a> {
    program: &'a str,
    config_hash: &'a str,
    /// Number of the last input.
    inputs: u64,
    /// Input whose state was taken from a snapshot, because retention removed what led there; `None` = all were replayed.
    begun_after: Option<u64>,
    /// Inputs that were durable in the journal when it was opened.
    inputs_in_journal: u64,
    /// Bytes behind the last commit: a write that was interrupted, or is just going on.
    torn_bytes: u64,
    /// Time of the last input replayed; `None` before the first.
    time: Option<Timestamp>,
    session: Option<NaiveDate>,
    /// Events by the subject they are published under.
    events: BTreeMap<String, u64>,
    state_hash: String,
    funds: Vec<FundLine>,
    positions: Vec<Position>,
    /// Orders that have not ended.
    open_orders: Vec<&'a OrderRecord>,
    seconds: f64,
    inputs_per_second: f64,
}

/// Rebuilds and shows it.
pub(crate) fn replay(app: &App, args: &ReplayArgs) -> Result<(), CliError> {
    let mut run = RunFolder::open(app, &args.folder)?;
    // The first record is no input.
    let inputs_in_journal = run.reader.durable().saturating_sub(1);
    if let Some(Until::Sequence(last)) = args.until
        && last > inputs_in_journal
    {
        let message = format!(
            "--until is {last}, and the journal of {} ends with input {inputs_in_journal}; name one that is there",
            args.folder.display()
        );
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let mut events: BTreeMap<String, u64> = BTreeMap::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "wall time for the report; nothing in the state depends on it"
    )]
    let began = Instant::now();
    run.replay_until(args.until.unwrap_or(Until::END), &mut |step| {
        for event in &step.output.events {
            *events.entry(event.subject().to_string()).or_default() += 1;
        }
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let state = run.core.state();
    let inputs = state.inputs();
    let replayed = inputs.saturating_sub(run.begins_after().unwrap_or_default());
    let rebuilt = Rebuilt {
        program: &run.genesis.program,
        config_hash: &run.genesis.config_hash,
        inputs,
        begun_after: run.begins_after(),
        inputs_in_journal,
        torn_bytes: run.reader.torn_bytes(),
        time: (inputs > 0).then_some(state.now()),
        session: state.session(),
        events,
        state_hash: hex(&run.core.state_hash()),
        funds: funds(app, &run.config, &run.core)?,
        positions: positions(&run.core, None),
        open_orders: state.orders().filter(|record| !record.state.is_terminal()).collect(),
        seconds,
        inputs_per_second: if seconds > 0.0 { replayed as f64 / seconds } else { 0.0 },
    };
    if args.json {
        return say_json(&rebuilt);
    }
    rebuilt.tell();
    Ok(())
}

impl Rebuilt<'_> {
    fn tell(&self) {
        let at = self.time.map_or("before the first".to_owned(), |time| format!("at {time}"));
        say(&format!("input {} of {}, {at}", count(self.inputs), count(self.inputs_in_journal)));
        if self.torn_bytes > 0 {
            say(&format!(
                "{} bytes behind the last commit are left out: a write that was interrupted or is just going on",
                count(self.torn_bytes)
            ));
        }
        say(&format!("\n{}", funds_table(&self.funds)));
        let rows: Vec<_> = self.positions.iter().map(|position| position_cells(position, exactly)).collect();
        if !rows.is_empty() {
            say(&format!("\n{}", table(POSITIONS.0, rows, POSITIONS.1)));
        }
        say(&format!("\nopen orders: {}", self.open_orders.len()));
        if !self.events.is_empty() {
            let rows = self.events.iter().map(|(kind, times)| vec![kind.clone(), count(*times)]).collect();
            say(&format!("\n{}", table(&["event", "times"], rows, &[1])));
        }
        let rate = number(self.inputs_per_second, 0);
        say(&format!("\nreplayed in {} s, {rate} inputs a second", number(self.seconds, 3)));
        say(&format!("state {}", self.state_hash));
    }
}
