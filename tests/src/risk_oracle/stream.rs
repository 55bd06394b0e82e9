//! One stream: what a seed makes happen, told to the machine and to the oracle, whose answers must be the same.

mod events;
pub mod faults;
mod orders;

use super::bounds;
use super::oracle::{Consequence, Deviation, KNOWN, Oracle, Question};
use super::random::Random;
use super::world::World;
use chrono::NaiveDate;
use faults::Fault;
use mts_foundation::risk::{
    Gate, GateTrace, RejectCode, RiskAction, RiskContext, RiskDecision, RiskEvent, SessionPhase,
};
use mts_foundation::{Decimal, InstrumentTable, Ledger, Order, RiskMachine, Timestamp};
use mts_riskengine::{FundRisk, OperatorPolicy, RiskPipeline};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

pub(super) type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Monday, 26 January 2026: the month turns within the first week of every stream.
const FIRST_DAY: (i32, u32, u32) = (2026, 1, 26);

/// What the clock moves by. Whole milliseconds, because the machine's token buckets fill by them: an order may have to wait
/// for the rest of one.
const CLOCK_STEP: Duration = Duration::from_millis(1);

/// Machine and oracle disagree, or a limit was passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Seed of the stream.
    pub seed: u64,
    /// Number of the step in it.
    pub step: u64,
    /// What was asked.
    pub about: String,
    /// What the machine says.
    pub machine: String,
    /// What the oracle says.
    pub oracle: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, step, about, machine, oracle } = self;
        writeln!(out, "seed {seed}, step {step}: {about}")?;
        writeln!(out, "  machine: {machine}")?;
        write!(out, "  oracle:  {oracle}")
    }
}

impl Error for Mismatch {}

/// What happened in one stream or in many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Orders that were asked for.
    pub orders: u64,
    /// Reserved orders that were asked for again.
    pub asked_again: u64,
    /// Orders that passed.
    pub accepted: u64,
    /// Orders that opened or grew a position, and whose limits were counted afterwards.
    pub counted: u64,
    /// Partial and whole fills.
    pub fills: u64,
    /// Halts, kills, resumes, stops.
    pub consequences: u64,
    /// Restarts from a snapshot.
    pub restarts: u64,
    /// Refusals by code.
    pub codes: BTreeMap<RejectCode, u64>,
}

impl Tally {
    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        self.orders += other.orders;
        self.asked_again += other.asked_again;
        self.accepted += other.accepted;
        self.counted += other.counted;
        self.fills += other.fills;
        self.consequences += other.consequences;
        self.restarts += other.restarts;
        for (code, count) in &other.codes {
            *self.codes.entry(*code).or_default() += count;
        }
    }
}

/// What a stream is told besides its seed.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Where the oracle answers as the machine does.
    pub known: &'static [Deviation],
    /// What is wrong with what the machine is told, if anything is.
    pub fault: Option<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self { known: KNOWN, fault: None }
    }
}

/// An order that passed and has not been sent yet.
#[derive(Debug)]
struct Waiting {
    order: Order,
    closing: bool,
}

/// An order that works at the venue.
#[derive(Debug)]
struct Working {
    order: Order,
    left: Decimal,
}

/// Everything that a stream consists of.
struct Stream {
    seed: u64,
    step: u64,
    random: Random,
    options: Options,
    world: World,
    table: InstrumentTable,
    ledger: Ledger,
    machine: RiskPipeline,
    oracle: Oracle,
    now: Timestamp,
    phase: SessionPhase,
    day: NaiveDate,
    /// Prices in ticks.
    ticks: Vec<i64>,
    waiting: Vec<Waiting>,
    working: Vec<Working>,
    last: Option<Order>,
    /// The fund that the next order is of, if that is settled.
    next_fund: Option<usize>,
    names: u64,
    tally: Tally,
}

/// Runs the stream of a seed until it has asked for so many orders.
///
/// # Errors
/// A [`Mismatch`], or what the books refuse.
pub fn run(seed: u64, orders: u64, options: Options) -> Fallible<Tally> {
    let mut stream = Stream::new(seed, options)?;
    stream.begin()?;
    while stream.tally.orders < orders {
        stream.step += 1;
        stream.next()?;
    }
    Ok(stream.tally)
}

impl Stream {
    fn new(seed: u64, options: Options) -> Fallible<Self> {
        let mut random = Random::new(seed);
        let world = World::new(&mut random)?;
        let table = InstrumentTable::from_instruments(world.instruments.clone())?;
        let mut ledger = Ledger::new();
        for fund in &world.funds {
            ledger.open_fund(fund.config.fund_id.clone(), fund.config.base_currency, fund.cash)?;
        }
        let oracle = Oracle::new(
            world.instruments.clone(),
            world.funds.clone(),
            world.operators.clone(),
            options.known,
        );
        let (year, month, day) = FIRST_DAY;
        Ok(Self {
            seed,
            step: 0,
            random,
            options,
            machine: machine(&world, options.fault)?,
            ticks: world.ticks.clone(),
            world,
            table,
            ledger,
            oracle,
            now: Timestamp::from_millis(1_769_437_800_000),
            phase: SessionPhase::Regular,
            day: NaiveDate::from_ymd_opt(year, month, day).ok_or("the first day is a date")?,
            waiting: Vec::new(),
            working: Vec::new(),
            last: None,
            next_fund: None,
            names: 0,
            tally: Tally::default(),
        })
    }

    fn has(&self, fault: Fault) -> bool {
        self.options.fault == Some(fault)
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn mismatch(&self, about: String, machine: String, oracle: String) -> Box<dyn Error + Send + Sync> {
        Box::new(Mismatch { seed: self.seed, step: self.step, about, machine, oracle })
    }

    /// The next thing that happens.
    fn next(&mut self) -> Fallible<()> {
        let pause = if self.random.chance(20) { 30_000 } else { 700 };
        let pause = u32::try_from(self.random.between(0, pause)).unwrap_or(0);
        self.now = self.now.plus(CLOCK_STEP.saturating_mul(pause));
        match self.random.below(1_000) {
            0..450 => self.ask(),
            450..540 => self.ask_again(),
            540..660 => self.fill(),
            660..730 => self.cancel(),
            730..860 => self.print(),
            860..880 => self.bars(),
            880..885 => self.change_phase(),
            885..900 => self.flow(),
            900..907 => self.roll(),
            907..911 => self.halt(),
            911..912 => self.kill(),
            912..970 => self.resume(),
            970..980 => self.update_envelope(),
            980..986 => self.restart(),
            _ => self.strange_fill(),
        }
    }

    /// The machine, and what it may look at.
    fn ask_with(&mut self, closing: bool) -> (&mut RiskPipeline, RiskContext<'_>) {
        let context = RiskContext {
            now: self.now,
            ledger: &self.ledger,
            instruments: &self.table,
            session: self.phase,
            session_opened: None,
            closing,
        };
        (&mut self.machine, context)
    }

    /// A new order: reserved, and sent at once or later.
    fn ask(&mut self) -> Fallible<()> {
        let (order, closing) = self.new_order()?;
        self.tally.orders += 1;
        let question = Question { order: &order, now: self.now, phase: self.phase, closing };
        let expected = self.oracle.verdict(&question);
        let (machine, context) = self.ask_with(closing);
        let decision = machine.reserve(&order, &context, &mut GateTrace::off());
        self.compare(&order, closing, &decision, expected)?;
        self.last = Some(order.clone());
        match decision {
            RiskDecision::Approved => {
                self.tally.accepted += 1;
                self.oracle.reserve(&order);
                if self.random.chance(250) {
                    if self.has(Fault::ReservationsForgotten) {
                        self.machine.release(&order.order_id);
                    }
                    self.waiting.push(Waiting { order, closing });
                    return Ok(());
                }
                self.commit(order, closing)
            }
            RiskDecision::Rejected(rejection) => {
                *self.tally.codes.entry(rejection.code).or_default() += 1;
                // As the engine does: what was reached before any mark or fill said so trips now (R9).
                if rejection.gate == Gate::Loss { self.apply_marked(None) } else { Ok(()) }
            }
        }
    }

    /// A reserved order whose asynchronous gate has answered (R11).
    fn ask_again(&mut self) -> Fallible<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let place = self.random.below(self.waiting.len());
        let Waiting { order, closing } = self.waiting.swap_remove(place);
        let vetoed = self.random.chance(150);
        if !vetoed {
            self.tally.asked_again += 1;
            let question = Question { order: &order, now: self.now, phase: self.phase, closing };
            let expected = self.oracle.verdict(&question);
            let (machine, context) = self.ask_with(closing);
            let decision = machine.check(&order, &context, &mut GateTrace::off());
            self.compare(&order, closing, &decision, expected)?;
            if decision.is_approved() {
                return self.commit(order, closing);
            }
        }
        self.machine.release(&order.order_id);
        self.oracle.release(&order.order_id);
        Ok(())
    }

    fn compare(
        &self,
        order: &Order,
        closing: bool,
        decision: &RiskDecision,
        expected: Option<RejectCode>,
    ) -> Fallible<()> {
        let (code, machine) = match decision {
            RiskDecision::Approved => (None, "passes".to_owned()),
            RiskDecision::Rejected(rejection) => {
                (Some(rejection.code), format!("{}: {}", rejection.code, rejection.message))
            }
        };
        if code == expected {
            return Ok(());
        }
        let close = if closing { ", closing" } else { "" };
        let about = format!(
            "{} {} {} {} {} of {}{close} (limit {:?}, stop {:?})",
            order.order_id,
            order.side,
            order.quantity,
            order.symbol,
            order.order_type,
            order.fund_id,
            order.limit_price,
            order.stop_price
        );
        Err(self.mismatch(about, machine, expected.map_or("passes".to_owned(), |code| code.to_string())))
    }

    /// Sends a reserved order.
    fn commit(&mut self, order: Order, closing: bool) -> Fallible<()> {
        self.ledger.add_working(&self.table, &order, order.quantity)?;
        let forgotten = self.has(Fault::CommitsForgotten);
        let (machine, context) = self.ask_with(closing);
        if forgotten {
            machine.release(&order.order_id);
        } else {
            machine.commit(&order, &context);
        }
        self.oracle.commit(&order, self.now);
        let setup = self.world.funds.iter().find(|fund| fund.config.fund_id == order.fund_id);
        if let Some(setup) = setup.filter(|_| order.side.is_opening()) {
            self.tally.counted += 1;
            if let Some(passed) = bounds::passed(&self.oracle, setup, &self.world.instruments, &order) {
                return Err(self.mismatch("a limit was passed".to_owned(), "accepted".to_owned(), passed));
            }
        }
        let left = order.quantity;
        self.working.push(Working { order, left });
        Ok(())
    }

    /// Tells the machine of an event and compares what follows; `None` = it is to be refused.
    fn apply(&mut self, event: &RiskEvent, expected: Option<Vec<Consequence>>) -> Fallible<()> {
        let mut actions = Vec::new();
        let done = self.machine.apply(event, &self.ledger, self.now, &mut actions);
        let found = done.as_ref().ok().map(|()| sorted(actions.iter().map(consequence).collect()));
        let expected = expected.map(sorted);
        if found != expected {
            let refused = done.err().map(|refusal| refusal.message).unwrap_or_default();
            let say = |what: &Option<Vec<Consequence>>| format!("{what:?}");
            return Err(self.mismatch(
                format!("{event:?}"),
                format!("{} {refused}", say(&found)),
                say(&expected),
            ));
        }
        self.tally.consequences += found.map_or(0, |found| u64::try_from(found.len()).unwrap_or(0));
        self.compare_halts()
    }

    fn compare_halts(&self) -> Fallible<()> {
        let mut halts: Vec<_> =
            self.machine.halts().into_iter().map(|halt| (halt.scope, halt.mode)).collect();
        halts.sort();
        let machine = (halts, self.machine.killed().is_some());
        let oracle = (self.oracle.halts(), self.oracle.is_killed());
        if machine == oracle {
            return Ok(());
        }
        Err(self.mismatch("what is halted".to_owned(), format!("{machine:?}"), format!("{oracle:?}")))
    }

    /// The process ends and another one takes over from the snapshot.
    fn restart(&mut self) -> Fallible<()> {
        self.tally.restarts += 1;
        let snapshot = self.machine.snapshot();
        self.machine = machine(&self.world, self.options.fault)?;
        if self.has(Fault::RestartsForget) {
            return Ok(());
        }
        self.machine.restore(&snapshot)?;
        if self.machine.snapshot() != snapshot {
            let (machine, oracle) = ("another state".to_owned(), "the same state".to_owned());
            return Err(self.mismatch("a restart".to_owned(), machine, oracle));
        }
        self.compare_halts()
    }
}

/// A machine for the funds of a world.
fn machine(world: &World, fault: Option<Fault>) -> Fallible<RiskPipeline> {
    let funds = world.funds.iter().cloned().map(|setup| {
        let (mut envelope, mut limits) = (setup.envelope, setup.limits);
        if let Some(fault) = fault {
            fault.raise(envelope.as_mut(), &mut limits);
        }
        FundRisk { config: setup.config, envelope, limits, borrow: setup.borrow }
    });
    let operators = OperatorPolicy {
        operators: world.operators.known.clone(),
        single_operator: world.operators.single,
        single_operator_delay: Duration::from_millis(world.operators.delay_ms),
    };
    Ok(RiskPipeline::new(funds.collect(), operators)?)
}

fn sorted(mut all: Vec<Consequence>) -> Vec<Consequence> {
    all.sort();
    all
}

fn consequence(action: &RiskAction) -> Consequence {
    match action {
        RiskAction::Halted(halt) => Consequence::Halted(halt.scope.clone(), halt.mode),
        RiskAction::Killed { .. } => Consequence::Killed,
        RiskAction::Resumed { request, rebased } => {
            let rebased = rebased.iter().map(|one| (one.fund_id.clone(), one.code, one.old, one.new));
            Consequence::Resumed(request.scope.clone(), rebased.collect())
        }
        RiskAction::EnvelopeUpdated(envelope) => {
            Consequence::Envelope(envelope.fund_id.clone(), envelope.version)
        }
        RiskAction::StopOut { fund_id, symbol } => Consequence::StopOut(fund_id.clone(), symbol.clone()),
    }
}
