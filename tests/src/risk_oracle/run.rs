//! Many streams, on as many threads as wanted.

use super::oracle::{Deviation, KNOWN};
use super::stream::{self, Fallible, Mismatch, Options, Tally};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Orders of one stream: many short lives find more than few long ones, and cost less to count anew.
pub const ORDERS_OF_A_STREAM: u64 = 500;

/// What to run.
#[derive(Debug, Clone)]
pub struct Request {
    /// Orders in all.
    pub orders: u64,
    /// Seed of the first stream; the others count up from it.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
    /// Whether the result is to be JSON.
    pub json: bool,
    /// Where the oracle answers as the machine does.
    pub known: &'static [Deviation],
}

/// The command line of `mts-risk-oracle`.
pub const USAGE: &str = "\
usage: mts-risk-oracle [--orders N] [--seed S] [--threads T] [--json] [--strict | --without DEVIATION]

Sends made-up orders, fills, prices, halts and restarts to the risk machine and to a slow model of its documentation, and
compares every answer. Exit code 1 with seed and step at the first difference.

  --orders N          orders in all, 1,000,000 unless given
  --seed S            seed of the first stream, 1 unless given
  --threads T         threads, 1 unless given
  --json              the result as JSON
  --strict            do not excuse the deviations that are known
  --without DEVIATION do not excuse this one";

impl Request {
    /// Reads a command line; `None` asks for help.
    ///
    /// # Errors
    /// A sentence about the argument that was not understood.
    pub fn parse(arguments: &[String]) -> Result<Option<Self>, String> {
        let mut request = Self { orders: 1_000_000, seed: 1, threads: 1, json: false, known: KNOWN };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
            let number = |text: &String| {
                text.parse::<u64>().map_err(|_| format!("{text:?} is no number for {argument}"))
            };
            match argument.as_str() {
                "--help" => return Ok(None),
                "--json" => request.json = true,
                "--strict" => request.known = &[],
                "--orders" => request.orders = number(value()?)?,
                "--seed" => request.seed = number(value()?)?,
                "--threads" => request.threads = usize::try_from(number(value()?)?).unwrap_or(1).clamp(1, 64),
                "--without" => request.known = without(value()?)?,
                other => return Err(format!("{other:?} is no option; --help lists them")),
            }
        }
        Ok(Some(request))
    }
}

/// The known deviations but for one.
fn without(name: &str) -> Result<&'static [Deviation], String> {
    let one = Deviation::ALL.iter().find(|deviation| deviation.as_str() == name).ok_or_else(|| {
        let names: Vec<&str> = Deviation::ALL.iter().map(|deviation| deviation.as_str()).collect();
        format!("{name:?} is no deviation; use one of {}", names.join(", "))
    })?;
    // The list lives as long as the program, which reads it once.
    let rest: Vec<Deviation> = KNOWN.iter().copied().filter(|known| known != one).collect();
    Ok(Vec::leak(rest))
}

/// Runs streams until there were as many orders as wanted. `progress` hears the number of orders so far.
///
/// # Errors
/// The [`Mismatch`] of the lowest seed among those that were found, or what the books refuse.
pub fn run(request: &Request, progress: &(dyn Fn(u64) + Sync)) -> Fallible<Tally> {
    let streams = request.orders.div_ceil(ORDERS_OF_A_STREAM);
    let (next, stopped) = (AtomicU64::new(0), AtomicBool::new(false));
    let total = Mutex::new((Tally::default(), Vec::new()));
    let options = Options { known: request.known, fault: None };
    let work = || {
        while !stopped.load(Ordering::Relaxed) {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= streams {
                return;
            }
            let seed = request.seed.wrapping_add(place);
            let orders = ORDERS_OF_A_STREAM.min(request.orders - place * ORDERS_OF_A_STREAM);
            let result = stream::run(seed, orders, options);
            let Ok(mut total) = total.lock() else { return };
            match result {
                Ok(tally) => {
                    total.0.add(&tally);
                    progress(total.0.orders);
                }
                Err(error) => {
                    stopped.store(true, Ordering::Relaxed);
                    total.1.push((place, error));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..request.threads {
            scope.spawn(work);
        }
        work();
    });
    let (tally, mut failed) = total.into_inner().map_err(|_| "a stream panicked")?;
    failed.sort_by_key(|(place, _)| *place);
    match failed.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(tally),
    }
}

/// A mismatch as JSON.
#[must_use]
pub fn mismatch_as_json(mismatch: &Mismatch) -> Value {
    json!({
        "seed": mismatch.seed, "step": mismatch.step, "about": mismatch.about,
        "machine": mismatch.machine, "oracle": mismatch.oracle,
    })
}

/// A tally as JSON.
#[must_use]
pub fn tally_as_json(tally: &Tally) -> Value {
    json!({
        "orders": tally.orders, "asked_again": tally.asked_again, "accepted": tally.accepted,
        "counted": tally.counted, "fills": tally.fills, "consequences": tally.consequences,
        "restarts": tally.restarts, "codes": tally.codes,
    })
}
