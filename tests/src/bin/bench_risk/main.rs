//! What it costs to ask the risk machine: `mts-bench-risk [--json] [--quick]`.
//!
//! One fund with 500 positions, 1,000 working orders and every gate on; orders that pass all of them, most of which open
//! or grow a position. Times are of single calls, the cost of taking the time in them. *Service* is the call alone, one
//! after the other. *Response* is what a caller waits who sends at a fixed rate and counts from the moment his order was
//! due, so that a pause of the machine counts for every order that fell into it.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

mod callgrind;
mod scene;

use callgrind::Instructions;
use mts_foundation::risk::RiskDecision;
use scene::{POSITIONS, Scene, WORKING};
use serde_json::{Value, json};
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Orders before anything is measured: the sliding minute is full then.
const WARM_UP: usize = 10_000;

/// Time between two orders at the fixed rate: 100,000 orders a second.
const DUE_EVERY: Duration = Duration::from_micros(10);

/// Numbers of orders at which the cost of one is looked at.
const STATIONS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// The cost at the dearest station may be so many times that at the cheapest.
const FLAT: f64 = 1.3;

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

type Work = fn(&mut Scene) -> RiskDecision;

/// Nanoseconds of some calls.
#[derive(Debug, Clone, Copy)]
struct Times {
    median: u64,
    p99: u64,
    p999: u64,
    most: u64,
}

impl Times {
    fn of(mut times: Vec<u64>) -> Fallible<Self> {
        times.sort_unstable();
        let at = |per_thousand: usize| {
            times
                .get(times.len().saturating_sub(1) * per_thousand / 1_000)
                .copied()
                .ok_or("nothing was timed")
        };
        Ok(Self { median: at(500)?, p99: at(990)?, p999: at(999)?, most: at(1_000)? })
    }

    fn json(self) -> Value {
        json!({ "p50_ns": self.median, "p99_ns": self.p99, "p999_ns": self.p999, "max_ns": self.most })
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn passes(decision: &RiskDecision) -> Fallible<()> {
    match decision {
        RiskDecision::Approved => Ok(()),
        RiskDecision::Rejected(rejection) => {
            Err(format!("an order was refused: {}: {}", rejection.code, rejection.message).into())
        }
    }
}

/// A scene in which the windows are as full as they will be.
fn warm() -> Fallible<Scene> {
    let mut scene = Scene::new()?;
    for _ in 0..WARM_UP {
        passes(&scene.accept())?;
        scene.turn();
    }
    if scene.is_warm() {
        Ok(scene)
    } else {
        Err("the scene has other positions or orders than it says".into())
    }
}

/// What taking the time twice costs.
fn timing() -> Fallible<Times> {
    let once = |_| {
        let began = Instant::now();
        nanos(began.elapsed())
    };
    Times::of((0..100_000).map(once).collect())
}

/// Times of calls, each from the instant that `begin` gives.
fn timed(work: Work, orders: usize, mut begin: impl FnMut() -> Instant) -> Fallible<Times> {
    let mut scene = warm()?;
    let mut times = Vec::with_capacity(orders);
    for _ in 0..orders {
        let began = begin();
        let decision = work(&mut scene);
        times.push(nanos(began.elapsed()));
        passes(&decision)?;
        scene.turn();
    }
    Times::of(times)
}

/// One call after the other.
fn service(work: Work, orders: usize) -> Fallible<Times> {
    timed(work, orders, Instant::now)
}

/// Calls that are due at a fixed rate.
fn response(work: Work, orders: usize) -> Fallible<Times> {
    let mut last: Option<Instant> = None;
    timed(work, orders, || {
        let due = last.map_or_else(Instant::now, |last| last + DUE_EVERY);
        while Instant::now() < due {
            std::hint::spin_loop();
        }
        last = Some(due);
        due
    })
}

/// Orders a second, without taking the time of each: the best of some rounds.
fn throughput(work: Work, orders: usize) -> Fallible<f64> {
    let mut scene = warm()?;
    let mut best = 0.0_f64;
    for _ in 0..5 {
        let began = Instant::now();
        for _ in 0..orders / 5 {
            passes(&work(&mut scene))?;
            scene.turn();
        }
        best = best.max((orders / 5) as f64 / began.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Allocations of so many calls.
fn allocations(work: Work) -> Fallible<u64> {
    let mut scene = warm()?;
    let mut refused = None;
    let counted = allocation_counter::measure(|| {
        for _ in 0..WARM_UP {
            refused = refused.take().or(passes(&work(&mut scene)).err());
            scene.turn();
        }
    });
    refused.map_or(Ok(counted.count_total), Err)
}

/// What an order costs after so many: the median over hundreds of the thousand before it.
fn stations(last: usize) -> Fallible<Vec<(usize, f64)>> {
    let mut scene = Scene::new()?;
    let (mut sent, mut found) = (0, Vec::new());
    for station in STATIONS.into_iter().filter(|station| *station <= last) {
        while sent < station - 1_000 {
            passes(&scene.accept())?;
            scene.turn();
            sent += 1;
        }
        let mut hundreds = Vec::new();
        for _ in 0..10 {
            let began = Instant::now();
            for _ in 0..100 {
                passes(&scene.accept())?;
                scene.turn();
            }
            hundreds.push(nanos(began.elapsed()));
        }
        sent += 1_000;
        hundreds.sort_unstable();
        found.push((station, hundreds[hundreds.len() / 2] as f64 / 100.0));
    }
    Ok(found)
}

fn bench() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, what, orders] = arguments.as_slice()
        && flag == "--below-callgrind"
    {
        return below_callgrind(what, orders.parse()?);
    }
    let (mut as_json, mut orders) = (false, 1_000_000);
    for argument in &arguments {
        match argument.as_str() {
            "--json" => as_json = true,
            "--quick" => orders = 100_000,
            other => return Err(format!("{other:?} is no option; use --json or --quick").into()),
        }
    }
    let (check, accept): (Work, Work) = (Scene::check, Scene::accept);
    let report = Report {
        orders,
        timing: timing()?,
        service: [service(check, orders)?, service(accept, orders)?],
        response: [response(check, orders)?, response(accept, orders)?],
        throughput: [throughput(check, orders)?, throughput(accept, orders)?],
        allocations: [allocations(check)?, allocations(accept)?],
        stations: stations(orders)?,
        instructions: callgrind::count()?,
    };
    if as_json {
        println!("{}", report.json());
    } else {
        report.print();
    }
    if report.allocations != [0, 0] {
        return Err("accepting an order allocates; it must not (decision R11)".into());
    }
    Ok(())
}

/// The same work while callgrind counts.
fn below_callgrind(what: &str, orders: usize) -> Fallible<()> {
    let mut scene = Scene::new()?;
    let work: Work = if what == "check" { Scene::check } else { Scene::accept };
    for _ in 0..orders {
        passes(&work(&mut scene))?;
        scene.turn();
    }
    Ok(())
}

/// Everything that was measured; of two, the first is `check` and the second `reserve` and `commit`.
struct Report {
    orders: usize,
    timing: Times,
    service: [Times; 2],
    response: [Times; 2],
    throughput: [f64; 2],
    allocations: [u64; 2],
    stations: Vec<(usize, f64)>,
    instructions: Option<Instructions>,
}

const NAMES: [&str; 2] = ["check", "reserve + commit"];

impl Report {
    /// The dearest station over the cheapest.
    fn steepness(&self) -> f64 {
        let costs = || self.stations.iter().map(|(_, cost)| *cost);
        costs().fold(0.0, f64::max) / costs().fold(f64::MAX, f64::min)
    }

    fn json(&self) -> Value {
        let two = |place: usize| {
            json!({
                "service": self.service[place].json(), "response": self.response[place].json(),
                "per_second": self.throughput[place], "allocations": self.allocations[place],
            })
        };
        let stations: Vec<Value> =
            self.stations.iter().map(|(orders, cost)| json!({ "orders": orders, "ns": cost })).collect();
        let instructions = self
            .instructions
            .as_ref()
            .map(|found| json!({ "check": found.check, "reserve_commit": found.accept, "most": found.most }));
        json!({
            "positions": POSITIONS, "working": WORKING, "orders": self.orders, "timing": self.timing.json(),
            "check": two(0), "reserve_commit": two(1), "stations": stations, "steepness": self.steepness(),
            "instructions": instructions,
        })
    }

    fn print(&self) {
        println!(
            "risk machine: {POSITIONS} positions, {WORKING} working orders, all gates on, {} orders each",
            self.orders
        );
        println!("taking the time costs {} ns of every single call below", self.timing.median);
        println!("{:28} {:>9} {:>9} {:>9} {:>11}", "nanoseconds", "p50", "p99", "p99.9", "max");
        for (what, both) in [("service", self.service), ("response at 100,000/s", self.response)] {
            println!("{what}");
            for (name, times) in NAMES.iter().zip(both) {
                let Times { median, p99, p999, most } = times;
                println!("  {name:26} {median:>9} {p99:>9} {p999:>9} {most:>11}");
            }
        }
        for (place, name) in NAMES.iter().enumerate() {
            let (rate, allocations) = (self.throughput[place], self.allocations[place]);
            println!("{name:28} {rate:>9.0} orders/s, {allocations} allocations in {WARM_UP} orders");
        }
        for (orders, cost) in &self.stations {
            println!("{:28} {cost:>9.0} ns an order", format!("at order {orders}"));
        }
        let steepness = self.steepness();
        let verdict = if steepness <= FLAT { "flat" } else { "not flat" };
        println!("{:28} {steepness:>9.2} times the cheapest: {verdict}", "the dearest of these");
        match &self.instructions {
            None => println!("instructions are not counted: valgrind is not installed"),
            Some(found) => {
                println!("instructions an order: check {}, reserve + commit {}", found.check, found.accept);
                found.most.iter().for_each(|line| println!("  {line}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::risk::{Gate, Verdict};

    #[test]
    fn accepting_an_order_allocates_nothing() {
        assert_eq!(allocations(Scene::check).unwrap(), 0);
        assert_eq!(allocations(Scene::accept).unwrap(), 0);
        let counted = allocation_counter::measure(|| drop(std::hint::black_box(Box::new(1))));
        assert_eq!(counted.count_total, 1, "the counter counts");
    }

    #[test]
    fn every_gate_is_asked() {
        let mut scene = warm().unwrap();
        let mut asked = Vec::new();
        for _ in 0..8 {
            asked.extend(scene.asked());
            scene.turn();
        }
        let missing: Vec<Gate> = Gate::ALL.iter().copied().filter(|gate| !asked.contains(gate)).collect();
        assert_eq!(missing, [Gate::Veto], "the veto is asynchronous");
        assert!(scene.is_warm());
    }

    impl Scene {
        /// The gates that have an opinion about the present order.
        fn asked(&mut self) -> Vec<Gate> {
            let trace = self.explain();
            trace
                .iter()
                .filter(|(_, outcome)| outcome.verdict == Verdict::Pass)
                .map(|(gate, _)| gate)
                .collect()
        }
    }
}
