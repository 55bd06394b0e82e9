//! The suite of brokers, run against the adapters of this project: `cargo xtask conformance --broker NAME|all`.
//!
//! An adapter is a row of [`BROKERS`]: its name, and how its double and itself are made. That is all it takes.

mod alpaca;
mod coinbase;
mod ibkr;
mod kraken;
mod paper;
mod real;

pub use coinbase::coinbase;
pub use paper::{Mode, PaperDouble};

use mts_conformance::broker::{Request, Suite, USAGE};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An adapter with the double of its venue.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The broker's registry name; behind a dash the mode in which it is tried, where it has more than one.
    pub name: &'static str,
    /// The suite with both.
    pub suite: fn() -> Suite,
    /// Cases that pass at the least: one that is skipped where it was not is no success.
    pub least: usize,
}

impl Row {
    /// The broker's registry name.
    #[must_use]
    pub fn broker(&self) -> &'static str {
        self.name.split_once('-').map_or(self.name, |(broker, _)| broker)
    }
}

/// All adapters.
pub const BROKERS: &[Row] = &[
    Row { name: "alpaca", suite: alpaca::suite, least: 104 },
    Row { name: "coinbase", suite: coinbase::suite, least: 102 },
    Row { name: "ibkr", suite: ibkr::suite, least: 103 },
    Row { name: "kraken", suite: kraken::suite, least: 100 },
    Row { name: "paper", suite: paper::by_quotes, least: 61 },
    Row { name: "paper-bars", suite: paper::by_bars, least: 60 },
    Row { name: "paper-latency", suite: paper::with_latency, least: 61 },
    Row { name: "paper-cash", suite: paper::of_cash, least: 60 },
];

/// What is printed, and whether nothing failed.
pub type Printed = (String, bool);

/// Runs the suite for a broker, in one mode, or for `all`, as a command line behind `--broker NAME` asks.
///
/// # Errors
/// A sentence about what is not understood.
pub fn run(name: &str, arguments: &[String]) -> Result<Printed, String> {
    let request = Request::parse(arguments.iter().cloned())?;
    let rows: Vec<&Row> = BROKERS.iter().filter(|row| name == "all" || row.name == name).collect();
    if rows.is_empty() {
        let names: Vec<&str> = BROKERS.iter().map(|row| row.name).collect();
        return Err(format!("there is no broker {name}: use one of {}, or all", names.join(", ")));
    }
    if request.help {
        return Ok((USAGE.to_owned(), true));
    }
    // The list is the same for all.
    let rows = if request.list { rows.get(..1).unwrap_or_default() } else { &rows };
    let outcomes = two_at_a_time(rows, &request)?;
    let green = outcomes.iter().all(|(_, green)| *green);
    let printed: Vec<String> = outcomes.into_iter().map(|(text, _)| text).collect();
    let mut text = if request.json && !request.list {
        format!("[{}]", printed.join(",\n"))
    } else {
        printed.join("\n\n")
    };
    if name == "all" && !request.json && !request.list {
        let verdict = if green { "green" } else { "not green" };
        write!(text, "\n\n{} suites: {verdict}", BROKERS.len()).unwrap_or_default();
    }
    Ok((text, green))
}

/// How many cases passed, by what is printed.
fn count(text: &str, json: bool) -> usize {
    if json {
        return text.matches("\"outcome\": \"passed\"").count();
    }
    let totals = text.lines().rev().find_map(|line| line.split_once(" passed, "));
    totals.and_then(|(passed, _)| passed.parse().ok()).unwrap_or_default()
}

/// Suites wait most of the time: for deadlines, and for what must not come.
fn two_at_a_time(rows: &[&Row], request: &Request) -> Result<Vec<Printed>, String> {
    let print = |row: &Row| {
        let (text, green) = (row.suite)().print(request).map_err(|error| error.to_string())?;
        let all = request.cases.is_empty() && request.skip.is_empty() && !request.ignored && !request.list;
        let passed = count(&text, request.json);
        if all && passed < row.least {
            let least = row.least;
            return Ok((
                format!("{text}\n{passed} cases passed, and {least} used to: look at what is skipped"),
                false,
            ));
        }
        Ok((text, green))
    };
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(row) = rows.get(place) else { return done };
            done.push((place, print(row)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let other = scope.spawn(worker);
        let mut done = worker();
        match other.join() {
            Ok(more) => done.extend(more),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        done
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, printed)| printed).collect()
}
