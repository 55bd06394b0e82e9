//! Many runs: seeds, crashes at every step, and what each lie must be called.

use crate::case::Case;
use crate::check::Violation;
use crate::faults::Fault;
use crate::plant::Plant;
use crate::process::{Fork, Shown, SimError, Simulation};
use crate::random::Random;

/// Deaths of the second process that are tried in each crash scenario.
pub const DOUBLE_CRASHES: u64 = 10;

/// One run in so many is made twice.
const TWICE: u64 = 100;

/// Sums over many runs.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Runs.
    pub runs: u64,
    /// Things that happened in them.
    pub steps: u64,
    /// Inputs that the engine took.
    pub inputs: u64,
    /// Orders that were made.
    pub orders: u64,
    /// Times that a process died.
    pub deaths: u64,
    /// Runs that were made twice and were the same.
    pub twice: u64,
    /// Fills that stood in for others whose event was left out, in days.
    pub stand_ins: u64,
    /// Differences that a person took over, in days.
    pub adopted: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, shown: &Shown) {
        self.runs += 1;
        self.steps += u64::from(shown.steps);
        self.inputs += shown.inputs;
        self.orders += shown.orders;
        self.deaths += u64::from(shown.deaths);
    }

    /// Adds other sums.
    pub fn join(&mut self, other: &Self) {
        self.runs += other.runs;
        self.steps += other.steps;
        self.inputs += other.inputs;
        self.orders += other.orders;
        self.deaths += other.deaths;
        self.twice += other.twice;
        self.stand_ins += other.stand_ins;
        self.adopted += other.adopted;
    }
}

/// A case that broke a promise.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Which.
    pub case: Case,
    /// What.
    pub violation: Violation,
}

/// Runs one seed with mixed faults; one in a hundred twice.
///
/// # Errors
/// [`SimError`]: a mistake in the simulation.
pub fn seed(seed: u64, plant: Option<Plant>, totals: &mut Totals) -> Result<Option<Failure>, SimError> {
    let case = Case::mixed(seed);
    let shown = case.run(plant, false)?.shown;
    totals.add(&shown);
    if let Some(violation) = shown.violation {
        return Ok(Some(Failure { case, violation }));
    }
    if seed.is_multiple_of(TWICE) {
        let again = case.run(plant, false)?.shown;
        if again != shown {
            let what = format!("two runs of seed {seed} differ: {:x} and {:x}", shown.trace, again.trace);
            let violation = Violation { promise: "P4", time: crate::setup::BEGIN, what };
            return Ok(Some(Failure { case, violation }));
        }
        totals.twice += 1;
    }
    Ok(None)
}

/// Crashes a small world at every step of its run, and some processes again while they recover.
///
/// # Errors
/// [`SimError`]: a mistake in the simulation.
pub fn crashes(seed: u64, plant: Option<Plant>, totals: &mut Totals) -> Result<Option<Failure>, SimError> {
    let case = Case::small(seed);
    let mut simulation = case.begin(plant, false)?;
    simulation.forks = Some(Vec::new());
    let shown = simulation.run()?;
    totals.add(&shown);
    if let Some(violation) = shown.violation {
        return Ok(Some(Failure { case, violation }));
    }
    let forks = simulation.forks.take().unwrap_or_default();
    let mut draw = Random::new(seed, 7);
    let doubles = (0..DOUBLE_CRASHES).map(|_| (draw.index(forks.len()), Some(draw.between(1, 25))));
    let all = (0..forks.len()).map(|moment| (moment, None)).chain(doubles.collect::<Vec<_>>());
    for (moment, again) in all {
        let Some(fork) = forks.get(moment) else { continue };
        let shown = resume(fork.clone(), seed, again)?;
        totals.add(&shown);
        if let Some(violation) = shown.violation {
            return Ok(Some(Failure { case: Case { crash: Some(moment), again, ..case }, violation }));
        }
    }
    Ok(None)
}

fn resume(fork: Fork, seed: u64, again: Option<u64>) -> Result<Shown, SimError> {
    let mut simulation = Simulation::after_death(fork, seed);
    simulation.dies_in = again;
    simulation.run()
}

/// The incidents of which at least one must be raised when a fault happens (P7); none where the engine puts it right by
/// itself and nobody needs to know.
#[must_use]
pub fn alarms(fault: Fault) -> &'static [&'static str] {
    match fault {
        Fault::SubmitLost | Fault::AnswerLost => &["ORDER_UNKNOWN"],
        Fault::FillAfterCancel => &["FILL_AFTER_END"],
        Fault::Overfill => &["OVERFILL"],
        Fault::WrongSide => &["FILL_MISMATCH"],
        Fault::OtherPrice => &["FILL_DIFFERS"],
        Fault::UnknownSymbol => &["FILL_WITHOUT_INSTRUMENT"],
        Fault::WrongSnapshot => &["POSITION_UNEXPLAINED"],
        Fault::QueryFails => &["ACCOUNT_UNREADABLE", "ORDER_STAYS_UNKNOWN"],
        Fault::Disconnect => &["DISCONNECTED"],
        Fault::LostGap => &["GAP"],
        Fault::Bust | Fault::Correction => &["UNBOOKED_BROKER_EVENT"],
        Fault::ForeignOrder => &["FOREIGN_ORDER"],
        Fault::ManualTrade => &["POSITION_UNEXPLAINED"],
        Fault::VenueForgets => &["ORDER_STAYS_UNKNOWN"],
        Fault::CancelLost => &["CANCEL_UNCONFIRMED"],
        Fault::LateAnswer
        | Fault::NotSent
        | Fault::Reject
        | Fault::NotFound
        | Fault::DuplicateFill
        | Fault::DuplicateReport
        | Fault::Reordered
        | Fault::ReusedId
        | Fault::StaleSnapshot
        | Fault::ClockJump
        | Fault::SlowCancel
        | Fault::DiskFails
        | Fault::DiskFull
        | Fault::Crash
        | Fault::EventDropped => &[],
    }
}
