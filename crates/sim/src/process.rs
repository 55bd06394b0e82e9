//! The process under test: the real driver with the real core, risk machine and journal format, and a shell around it that
//! turns what happens into inputs and carries out what comes back. It dies and begins again.

use crate::check::Violation;
use crate::disk::{Disk, Switch};
use crate::faults::Faults;
use crate::plant::Plant;
use crate::setup::{Setup, SetupError, Size};
use crate::world::{Answer, Happening, Item, Stage, Trace, World};
use mts_engine::Action;
use mts_engine::input::{Input, MarkUpdate, OperatorAct};
use mts_engine::record::GENESIS;
use mts_engine::shell::driver::{Driver, DriverError};
use mts_foundation::broker::SubmitOutcome;
use mts_foundation::broker_event::BrokerEvent;
use mts_foundation::ids::InvalidId;
use mts_foundation::journal::JournalError;
use mts_foundation::{FillId, Journal, Timestamp};
use std::time::Duration;

/// Why a run cannot be made. A fault of the simulation; what the engine does wrong is a [`Violation`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The world cannot be set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A name is not usable.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// The first record cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The first process cannot begin.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

/// A moment at which the process could die, to be tried later.
#[derive(Debug, Clone)]
pub(crate) struct Fork {
    pub(crate) world: World,
    pub(crate) image: Vec<u8>,
    pub(crate) left: Option<[u8; 32]>,
}

/// A world with its process.
#[derive(Debug)]
pub struct Simulation {
    pub(crate) world: World,
    pub(crate) driver: Option<Driver<Disk>>,
    pub(crate) switch: Switch,
    /// Where moments at which the process could die are collected.
    pub(crate) forks: Option<Vec<Fork>>,
    /// Moments after which the process dies.
    pub(crate) dies_in: Option<u64>,
    seed: u64,
}

/// What a run showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The first broken promise.
    pub violation: Option<Violation>,
    /// Hash of everything that happened.
    pub trace: u64,
    /// State hash at the end.
    pub state: [u8; 32],
    /// Things that happened.
    pub steps: u32,
    /// Inputs that the engine took.
    pub inputs: u64,
    /// Orders that were made.
    pub orders: u64,
    /// Times that the process died.
    pub deaths: u32,
    /// Times that it began again from a snapshot.
    pub from_snapshots: u32,
}

impl Simulation {
    /// A world at its beginning.
    ///
    /// # Errors
    /// [`SimError`]: a mistake in the simulation.
    pub fn new(
        seed: u64,
        (size, asked): (Size, bool),
        plant: Option<Plant>,
        faults: Faults,
        limit: u32,
        lines: bool,
    ) -> Result<Self, SimError> {
        let world = World::new(seed, (size, asked), plant, faults, limit, lines)?;
        let mut simulation =
            Self { world, driver: None, switch: Switch::default(), forks: None, dies_in: None, seed };
        simulation.begin()?;
        Ok(simulation)
    }

    fn begin(&mut self) -> Result<(), SimError> {
        let mut disk =
            Disk::open(Vec::new(), self.switch.clone(), self.world.plant == Some(Plant::SkipSync))?;
        disk.append(GENESIS, &Setup::genesis(self.seed)?)?;
        disk.commit()?;
        let driver = Driver::recover(self.world.setup.core()?, disk, &mut |_, _| {})?;
        self.driver = Some(driver.with_snapshots(1));
        for what in [Happening::Market, Happening::Decide, Happening::Mischief, Happening::NextDay] {
            let pause = match what {
                Happening::NextDay => self.world.millis(60_000, 600_000),
                _ => self.world.millis(10, 2_000),
            };
            self.world.after(pause, what);
        }
        self.start_process();
        self.open_session();
        Ok(())
    }

    /// Goes on from a moment at which the process died.
    pub(crate) fn after_death(fork: Fork, seed: u64) -> Self {
        let Fork { world, image, left } = fork;
        let mut simulation =
            Self { world, driver: None, switch: Switch::default(), forks: None, dies_in: None, seed };
        simulation.die(image, left);
        simulation
    }

    /// Runs to the end, or to the first broken promise.
    ///
    /// # Errors
    /// [`SimError`]: a mistake in the simulation.
    pub fn run(&mut self) -> Result<Shown, SimError> {
        while self.world.stage != Stage::Over && self.world.check.violations.is_empty() {
            self.step()?;
        }
        let core = self.driver.as_ref().map(Driver::core);
        let state = core.map(mts_engine::Core::state_hash).unwrap_or_default();
        let mut trace = self.world.trace.clone();
        for part in state.chunks_exact(8) {
            trace.fold(part.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)));
        }
        Ok(Shown {
            violation: self.world.check.violations.first().cloned(),
            trace: trace.hash(),
            state,
            steps: self.world.steps,
            inputs: core.map_or(0, |core| core.state().inputs()),
            orders: core.map_or(0, |core| core.state().counters().orders),
            deaths: self.world.deaths,
            from_snapshots: self.world.from_snapshots,
        })
    }

    /// What was written down.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.world.trace
    }

    /// Incidents that were raised, by code.
    #[must_use]
    pub fn incidents(&self) -> &std::collections::BTreeMap<String, u32> {
        &self.world.check.incidents
    }

    /// What went wrong on purpose.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// The engine's time: ours, which never goes back.
    pub(crate) fn clock(&self) -> Timestamp {
        let time = self.world.now.plus(self.world.skew);
        self.driver.as_ref().map_or(time, |driver| time.max(driver.core().state().now()))
    }

    pub(crate) fn step(&mut self) -> Result<(), SimError> {
        let timer = self.driver.as_ref().and_then(Driver::next_timer).map(|due| {
            let pause = due.since(self.clock());
            self.world.now.plus(pause)
        });
        self.world.steps = self.world.steps.saturating_add(1);
        if (self.world.steps >= self.world.limit || self.is_evening()) && self.world.is_storm() {
            self.begin_calm()?;
        }
        match (timer, self.world.next_time()) {
            (Some(timer), next) if next.is_none_or(|next| timer < next) => {
                self.world.now = self.world.now.max(timer);
                self.world.trace.fold(1);
                let time = self.clock();
                self.feed(Input::Timer { time });
            }
            (_, Some(_)) => {
                let Some(what) = self.world.next() else { return Ok(()) };
                let now = self.world.now;
                self.world.trace.fold(u64::from_le_bytes(now.nanos().to_le_bytes()));
                self.world.trace.line(|| format!("{now} {what:?}"));
                self.happen(what)?;
            }
            _ => self.finish(),
        }
        Ok(())
    }

    fn happen(&mut self, what: Happening) -> Result<(), SimError> {
        let storm = self.world.is_storm();
        let time = self.clock();
        match what {
            Happening::Market => {
                if storm {
                    self.world.move_prices();
                    self.feed_marks();
                    if let Some(volumes) = self.world.volumes(time) {
                        self.feed(volumes);
                    }
                    let pause = self.world.beat(200, 8_000);
                    self.world.after(pause, Happening::Market);
                }
            }
            Happening::Decide => {
                if storm {
                    let decided = match &self.driver {
                        Some(driver) => self.world.decide(driver.core(), time)?,
                        None => None,
                    };
                    if let Some(input) = decided {
                        self.feed(input);
                    }
                    let pause = self.world.beat(20, 4_000);
                    self.world.after(pause, Happening::Decide);
                }
            }
            Happening::Mischief => {
                if storm {
                    self.mischief()?;
                }
            }
            Happening::SubmitArrives { venue, order, fate } => {
                self.world.submit_arrives(venue, *order, fate)?
            }
            Happening::CancelArrives { venue, reference, answer_lost } => {
                self.world.cancel_arrives(venue, &reference, answer_lost);
            }
            Happening::LookUpArrives { venue, order_id, reference } => {
                self.world.look_up_arrives(venue, order_id, &reference);
            }
            Happening::SnapshotArrives { venue, stale } => self.world.snapshot_arrives(venue, stale),
            Happening::Answered { process, answer } => self.answered(process, answer, time),
            Happening::Execute { venue, order, ended } => self.world.execute(venue, order, ended),
            Happening::Stream { venue, session, item } => self.stream(venue, session, item, time),
            Happening::Reconnect { venue } => self.reconnect(venue, time),
            Happening::Commit { process } => {
                if process == self.world.process {
                    self.commit();
                }
            }
            Happening::NextDay => {
                if storm {
                    self.next_day(time);
                }
            }
            Happening::Restart => self.restart()?,
            Happening::Settle => {
                self.settle(time)?;
                self.adopt_all()?;
            }
            Happening::Finish { number } => {
                // A process that began again since needs its time.
                if number == self.world.ends {
                    self.finish();
                }
            }
        }
        Ok(())
    }

    // ---- inputs

    /// Hands an input to the engine; false when the process is dead, before or after.
    pub(crate) fn feed(&mut self, input: Input) -> bool {
        let Some(driver) = &mut self.driver else { return false };
        self.world.trace.line(|| format!("  <- {input:?}"));
        if let Input::Operator { act, .. } = &input
            && matches!(
                act,
                OperatorAct::Kill { .. }
                    | OperatorAct::CancelAll { .. }
                    | OperatorAct::Flatten { .. }
                    | OperatorAct::Cancel { .. }
            )
        {
            self.world.check.families.release_all();
        }
        let before = driver.core().state().counters().orders;
        if let Err(error) = driver.take(&input) {
            self.fails(&error);
            return false;
        }
        let answered = matches!(input, Input::GateAnswered { .. });
        if answered || driver.core().state().counters().orders != before {
            self.world.check.limits(driver.core(), &self.world.setup);
        }
        if !self.world.commit_due {
            self.world.commit_due = true;
            let process = self.world.process;
            let pause = Duration::from_micros(self.world.net.between(0, 2_000));
            self.world.after(pause, Happening::Commit { process });
        }
        self.could_die(|disk| disk.image(0))
    }

    pub(crate) fn feed_marks(&mut self) {
        let marks = self
            .world
            .setup
            .symbols
            .iter()
            .zip(&self.world.prices)
            .map(|(symbol, price)| MarkUpdate { symbol: symbol.clone(), price: *price })
            .collect();
        let time = self.clock();
        self.feed(Input::Marks { time, marks });
    }

    pub(crate) fn open_session(&mut self) {
        let time = self.clock();
        let date = time.to_datetime().date_naive();
        self.feed(Input::SessionOpen { date, time });
    }

    fn next_day(&mut self, time: Timestamp) {
        let date = time.to_datetime().date_naive();
        let marks = self.world.setup.symbols.iter().zip(&self.world.prices);
        let marks =
            marks.map(|(symbol, price)| MarkUpdate { symbol: symbol.clone(), price: *price }).collect();
        if self.feed(Input::Closes { time, marks }) && self.feed(Input::SessionClose { date, time }) {
            self.open_session();
        }
        let pause = self.world.millis(60_000, 600_000);
        self.world.after(pause, Happening::NextDay);
    }

    fn mischief(&mut self) -> Result<(), SimError> {
        let connected: Vec<bool> = self.world.links.iter().map(|link| link.connected).collect();
        self.world.mischief()?;
        for (venue, was) in connected.into_iter().enumerate() {
            if was && self.world.links.get(venue).is_some_and(|link| !link.connected) {
                self.feed_connection(venue, false);
            }
        }
        let time = self.clock();
        let act = match &self.driver {
            Some(driver) => self.world.operator(driver.core(), time)?,
            None => None,
        };
        if let Some(input) = act {
            self.feed(input);
        }
        self.feed_person()?;
        let pause = self.world.beat(500, 6_000);
        self.world.after(pause, Happening::Mischief);
        Ok(())
    }

    fn answered(&mut self, process: u32, answer: Answer, time: Timestamp) {
        if process != self.world.process || self.driver.is_none() {
            return;
        }
        if let (Some(Plant::ResendOnTimeout), Answer::Submitted(order_id, outcome)) =
            (self.world.plant, &answer)
            && matches!(**outcome, SubmitOutcome::Unknown { .. })
            && let Some(record) =
                self.driver.as_ref().and_then(|driver| driver.core().state().order(order_id))
        {
            let order = record.order.clone();
            self.world.carry_out(Action::Submit(order), 0);
        }
        if let Some(input) = self.world.input_of(answer, time) {
            self.feed(input);
        }
    }

    fn stream(&mut self, venue: usize, session: u32, item: Item, time: Timestamp) {
        let plant = self.world.plant;
        let Some(link) = self.world.links.get_mut(venue).filter(|link| link.session == session) else {
            return;
        };
        let Some(driver) = &self.driver else { return };
        let (event, past) = match item {
            Item::Now(event) => (Some(*event), None),
            Item::Past(place) => (link.venue.history.get(place).map(|told| told.event.clone()), Some(place)),
        };
        let Some(mut event) = event.filter(|event| driver.core().is_news(event)) else { return };
        let broker = link.venue.name.clone();
        link.delivered = link.delivered.saturating_add(1);
        let mut double = None;
        if let (BrokerEvent::Fill { fill, .. }, Some(place)) = (&mut event, past) {
            let new_id = FillId::new(format!("{}-{}", fill.fill_id, link.delivered)).ok();
            match (plant, new_id) {
                (Some(Plant::DropDedup), Some(id)) => fill.fill_id = id,
                (Some(Plant::DoubleFill), Some(id)) if place % 5 == 0 => {
                    let mut copy = event.clone();
                    if let BrokerEvent::Fill { fill, .. } = &mut copy {
                        fill.fill_id = id;
                    }
                    double = Some(copy);
                }
                _ => {}
            }
        }
        if self.feed(Input::Broker { broker: broker.clone(), event, time })
            && let Some(event) = double
        {
            self.feed(Input::Broker { broker, event, time });
        }
    }

    // ---- connections

    pub(crate) fn feed_connection(&mut self, venue: usize, connected: bool) -> bool {
        let Some(broker) = self.world.setup.brokers.get(venue).cloned() else { return false };
        let time = self.clock();
        self.feed(Input::Connection { broker, connected, time })
    }

    fn reconnect(&mut self, venue: usize, time: Timestamp) {
        let now = self.world.now;
        let Some(link) = self.world.links.get_mut(venue) else { return };
        link.connected = true;
        if link.gap {
            link.available_from = link.venue.history.len();
            self.world.excuses.lossy_until.insert(venue, now);
        }
        if self.driver.is_some() && self.feed_connection(venue, true) {
            self.resume_stream(venue, time);
        }
    }

    /// Tells what cannot be had any more, and takes the stream up where it was left.
    pub(crate) fn resume_stream(&mut self, venue: usize, time: Timestamp) {
        let Some(link) = self.world.links.get_mut(venue) else { return };
        let (broker, from) = (link.venue.name.clone(), link.broken_at);
        let gap = std::mem::take(&mut link.gap);
        let forgets = self.world.plant == Some(Plant::ForgetGap);
        self.world.gaps = self.world.gaps.saturating_add(u32::from(gap));
        if gap && !forgets {
            let event = BrokerEvent::Gap { from, to: time.max(from), recoverable: false };
            if !self.feed(Input::Broker { broker: broker.clone(), event, time }) {
                return;
            }
        }
        let cursor = self.driver.as_ref().and_then(|driver| driver.core().state().cursor(&broker));
        let cursor = cursor.and_then(|cursor| cursor.as_str().parse::<usize>().ok());
        let cursor = if forgets && cursor.is_some() {
            Some(self.world.links.get(venue).map_or(0, |link| link.venue.history.len()))
        } else {
            cursor
        };
        self.world.subscribe(venue, cursor);
    }
}
