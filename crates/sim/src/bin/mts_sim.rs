//! `mts-sim`: many simulated worlds, each of which tries to break the order path. See docs/simulation.md.

#![expect(clippy::disallowed_methods, reason = "it says how long it took")]

use mts_sim::scenario::{self, Failure, Totals};
use mts_sim::{Case, SimError};
use serde_json::json;
use std::io::Write as _;
use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "\
usage: mts-sim [--seeds A..B] [--crash-scenarios N] [--days N] [--json]
       mts-sim --seed S [--trace]
       mts-sim --case \"CASE\" [--trace]

  --seeds A..B          runs each seed from A to B, B not included, with mixed faults
  --crash-scenarios N   crashes N small worlds at every step, and some again while they recover
  --days N              runs N days of orders whose events are dropped, doubled and reordered, and reconciles each twice
  --seed S              runs one seed
  --case \"CASE\"         runs one case, such as \"seed=7 steps=120 without=bust,reject\"
  --trace               prints everything that happens in it
  --json                prints one JSON object in place of the lines

Without any of them: --seeds 0..200 --crash-scenarios 20 --days 200. A case that breaks a promise is made smaller and printed as a
line that makes it again.";

struct Request {
    seeds: Range<u64>,
    crashes: u64,
    days: u64,
    case: Option<Case>,
    trace: bool,
    json: bool,
}

impl Request {
    /// `None` = help is wanted.
    fn parse(arguments: &[String]) -> Result<Option<Self>, String> {
        let mut request = Self { seeds: 0..0, crashes: 0, days: 0, case: None, trace: false, json: false };
        let mut rest = arguments.iter();
        let mut any = false;
        while let Some(name) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{name} needs a value behind it"));
            match name.as_str() {
                "--help" | "-h" => return Ok(None),
                "--trace" => request.trace = true,
                "--json" => request.json = true,
                "--seeds" => {
                    let text = value()?;
                    let range =
                        text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
                    request.seeds = range.ok_or_else(|| format!("--seeds is {text}; write A..B"))?;
                    any = true;
                }
                "--crash-scenarios" | "--days" => {
                    let text = value()?;
                    let count = text.parse().map_err(|_| format!("{name} is {text}; write a number"))?;
                    if name == "--days" {
                        request.days = count;
                    } else {
                        request.crashes = count;
                    }
                    any = true;
                }
                "--seed" => {
                    let text = value()?;
                    let seed = text.parse().map_err(|_| format!("--seed is {text}; write a number"))?;
                    request.case = Some(Case::mixed(seed));
                }
                "--case" => request.case = Some(value()?.parse()?),
                _ => return Err(format!("there is no option {name}; see --help")),
            }
        }
        if !any && request.case.is_none() {
            (request.seeds, request.crashes, request.days) = (0..200, 20, 200);
        }
        Ok(Some(request))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let request = match Request::parse(&arguments) {
        Ok(Some(request)) => request,
        Ok(None) => {
            print(USAGE);
            return ExitCode::SUCCESS;
        }
        Err(sentence) => {
            say(&format!("mts-sim: {sentence}"));
            return ExitCode::from(2);
        }
    };
    let result = match &request.case {
        Some(case) => one(case, &request),
        None => many(&request),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("mts-sim: the simulation itself is wrong: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// One case; true when it kept all promises.
fn one(case: &Case, request: &Request) -> Result<bool, SimError> {
    let report = case.run(None, request.trace)?;
    for line in report.simulation.trace().lines() {
        print(line);
    }
    let shown = report.shown;
    let mut violation = shown.violation.clone();
    if violation.is_none() && *case == Case::day(case.seed) {
        // A day is more than its storm: two processes begin again from it.
        violation = mts_sim::day(case.seed, None, &mut Totals::default())?.map(|failure| failure.violation);
    }
    let what = violation.map(|violation| violation.to_string());
    let state: String = shown.state.iter().map(|byte| format!("{byte:02x}")).collect();
    if request.json {
        let trace = format!("{:016x}", shown.trace);
        print(
            &json!({ "case": case.to_string(), "violation": what, "trace": trace, "state": state, "steps": shown.steps,
                "inputs": shown.inputs, "orders": shown.orders, "deaths": shown.deaths })
            .to_string(),
        );
    } else {
        print(&format!(
            "{case}: {} steps, {} inputs, {} orders, {} deaths; trace {:016x}, state {state}",
            shown.steps, shown.inputs, shown.orders, shown.deaths, shown.trace
        ));
        print(what.as_deref().unwrap_or("all promises kept"));
    }
    Ok(what.is_none())
}

/// Runs every number of a range on all cores, in a fixed order on each; sums and failures.
fn spread(
    range: Range<u64>,
    run: impl Fn(u64, &mut Totals) -> Result<Option<Failure>, SimError> + Sync,
) -> Result<(Totals, Vec<Failure>), SimError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let work = |core: u64| -> Result<(Totals, Vec<Failure>), SimError> {
        let (mut totals, mut failures) = (Totals::default(), Vec::new());
        for number in range.clone().filter(|number| number % cores == core) {
            failures.extend(run(number, &mut totals)?);
        }
        Ok((totals, failures))
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|core| scope.spawn(move || work(core))).collect();
        let (mut totals, mut failures) = (Totals::default(), Vec::new());
        for thread in threads {
            let done = match thread.join() {
                Ok(done) => done?,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            totals.join(&done.0);
            failures.extend(done.1);
        }
        failures.sort_by_key(|failure| failure.case.seed);
        Ok((totals, failures))
    })
}

fn many(request: &Request) -> Result<bool, SimError> {
    let began = Instant::now();
    let (seeds, mut failures) =
        spread(request.seeds.clone(), |seed, totals| scenario::seed(seed, None, totals))?;
    let seconds = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let (crashes, more) = spread(0..request.crashes, |seed, totals| scenario::crashes(seed, None, totals))?;
    let crash_seconds = began.elapsed().as_secs_f64();
    failures.extend(more);
    let began = Instant::now();
    let (days, more) = spread(0..request.days, |seed, totals| mts_sim::day(seed, None, totals))?;
    let day_seconds = began.elapsed().as_secs_f64();
    failures.extend(more);
    let line = |name: &str, totals: &Totals, seconds: f64| {
        let per = |count: u64| count as f64 / seconds.max(1e-9);
        format!(
            "{name}: {} runs, {} steps, {} inputs, {} orders, {} deaths; {} runs made twice and equal; {seconds:.1} s, {:.0} \
             runs/s, {:.0} steps/s",
            totals.runs,
            totals.steps,
            totals.inputs,
            totals.orders,
            totals.deaths,
            totals.twice,
            per(totals.runs),
            per(totals.steps)
        )
    };
    let shrunk: Vec<(String, String)> = failures
        .iter()
        .take(3)
        .map(|failure| {
            Ok((failure.case.shrunk(&failure.violation, None)?.to_string(), failure.violation.to_string()))
        })
        .collect::<Result<_, SimError>>()?;
    if request.json {
        let sums = |totals: &Totals, seconds: f64| {
            json!({ "runs": totals.runs, "steps": totals.steps, "inputs": totals.inputs, "orders": totals.orders,
                "deaths": totals.deaths, "twice": totals.twice, "seconds": seconds })
        };
        let failed: Vec<_> =
            shrunk.iter().map(|(case, what)| json!({ "case": case, "violation": what })).collect();
        let result = json!({ "seeds": sums(&seeds, seconds), "crashes": sums(&crashes, crash_seconds),
            "days": sums(&days, day_seconds), "failures": failures.len(), "first": failed });
        print(&result.to_string());
    } else {
        print(&line("seeds", &seeds, seconds));
        print(&line("crashes", &crashes, crash_seconds));
        print(&line("days", &days, day_seconds));
        print(&format!(
            "{} fills stood in for others, {} differences were taken over",
            days.stand_ins, days.adopted
        ));
        for (case, what) in &shrunk {
            print(&format!("{what}\n  cargo xtask sim --case \"{case}\""));
        }
        for failure in failures.iter().skip(shrunk.len()).take(30) {
            print(&format!("{}\n  cargo xtask sim --case \"{}\"", failure.violation, failure.case));
        }
        print(&format!("{} cases broke a promise", failures.len()));
    }
    Ok(failures.is_empty())
}

/// Prints a result. A reader that went away is not an error.
fn print(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

fn say(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}
