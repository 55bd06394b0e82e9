//! The process under test: the real driver with the real core, risk machine and journal format, and a shell around it that
//! turns what happens into inputs and carries out what comes back. It dies and begins again.

use crate::check::Violation;
use crate::disk::{Disk, Mood, Switch};
use crate::faults::{Fault, Faults};
use crate::plant::Plant;
use crate::setup::{Setup, SetupError, Size};
use crate::venue::Venue;
use crate::world::{Answer, Happening, Item, Stage, Trace, World, ms};
use mts_engine::input::{Input, MarkUpdate, OperatorAct};
use mts_engine::record::GENESIS;
use mts_engine::shell::driver::{Driver, DriverError};
use mts_engine::{Action, Output};
use mts_foundation::broker::SubmitOutcome;
use mts_foundation::broker_event::BrokerEvent;
use mts_foundation::ids::InvalidId;
use mts_foundation::journal::JournalError;
use mts_foundation::{ActorId, FillId, Journal, OrderRecord, OrderState, Timestamp};
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
    world: World,
    image: Vec<u8>,
    left: Option<[u8; 32]>,
}

/// A world with its process.
#[derive(Debug)]
pub struct Simulation {
    pub(crate) world: World,
    driver: Option<Driver<Disk>>,
    switch: Switch,
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
}

impl Simulation {
    /// A world at its beginning.
    ///
    /// # Errors
    /// [`SimError`]: a mistake in the simulation.
    pub fn new(
        seed: u64,
        size: Size,
        plant: Option<Plant>,
        faults: Faults,
        limit: u32,
        lines: bool,
    ) -> Result<Self, SimError> {
        let world = World::new(seed, size, plant, faults, limit, lines)?;
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
        self.driver = Some(Driver::recover(self.world.setup.core()?, disk, &mut |_, _| {})?);
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
    fn clock(&self) -> Timestamp {
        let time = self.world.now.plus(self.world.skew);
        self.driver.as_ref().map_or(time, |driver| time.max(driver.core().state().now()))
    }

    fn step(&mut self) -> Result<(), SimError> {
        let timer = self.driver.as_ref().and_then(Driver::next_timer).map(|due| {
            let pause = due.since(self.clock());
            self.world.now.plus(pause)
        });
        self.world.steps = self.world.steps.saturating_add(1);
        if self.world.steps >= self.world.limit && self.world.is_storm() {
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
            Happening::Settle => self.settle(time)?,
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
    fn feed(&mut self, input: Input) -> bool {
        let Some(driver) = &mut self.driver else { return false };
        self.world.trace.line(|| format!("  <- {input:?}"));
        let before = driver.core().state().counters().orders;
        if let Err(error) = driver.take(&input) {
            self.fails(&error);
            return false;
        }
        if driver.core().state().counters().orders != before {
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

    fn feed_marks(&mut self) {
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

    fn open_session(&mut self) {
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

    fn feed_connection(&mut self, venue: usize, connected: bool) -> bool {
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
    fn resume_stream(&mut self, venue: usize, time: Timestamp) {
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

    // ---- durability

    fn commit(&mut self) {
        self.world.commit_due = false;
        let [sync_fails, full] =
            [Fault::DiskFails, Fault::DiskFull].map(|fault| self.world.faults.strikes(fault));
        let torn = self.world.luck.between(0, 1_000);
        let Some(driver) = &mut self.driver else { return };
        if sync_fails {
            self.switch.set(Mood::SyncFails);
        }
        let before = driver.journal().synced();
        if let Err(error) = driver.commit() {
            self.fails(&error);
            return;
        }
        if full {
            // From the next record on.
            self.switch.set(Mood::Full);
        }
        if !self.could_die(|disk| disk.torn(before, torn)) {
            return;
        }
        let Some(driver) = &mut self.driver else { return };
        let (events, actions, now) = (driver.events(), driver.actions(), driver.core().state().now());
        for event in &events {
            self.world.trace.line(|| format!("    ** {event:?}"));
            self.world.check.heard(event, now);
        }
        if !self.could_die(|disk| disk.image(0)) {
            return;
        }
        for action in actions {
            let at_risk = self.driver.as_ref().map_or(0, |driver| driver.journal().at_risk());
            self.world.carry_out(action, at_risk);
            if !self.could_die(|disk| disk.image(0)) {
                return;
            }
        }
    }

    /// The engine stops: what still may leave does, and the process ends (P5).
    fn fails(&mut self, error: &DriverError) {
        let now = self.world.now;
        self.world.trace.line(|| format!("  !! {error}"));
        if !matches!(error, DriverError::Journal(_)) {
            self.world.check.broken("P5", now, format!("the engine stops: {error}"));
            return;
        }
        self.world.check.journal_failed();
        let torn = self.world.luck.between(0, 1_000);
        let Some(driver) = &mut self.driver else { return };
        let actions = driver.drain();
        let core = driver.core();
        let open = core
            .state()
            .orders()
            .filter(|record| record.state.is_working() && record.order.broker_order_id.is_some());
        let open = open.count();
        let image = driver.journal().image(torn);
        let unsent: Vec<Action> = core
            .state()
            .orders()
            .filter(|record| record.state == OrderState::Submitting)
            .map(|record| Action::Submit(record.order.clone()))
            .collect();
        if actions.len() != open {
            let what = format!("{open} orders work when the journal fails, {} are cancelled", actions.len());
            self.world.check.broken("P5", now, what);
        }
        let more = if self.world.plant == Some(Plant::SendAfterFailure) { unsent } else { Vec::new() };
        for action in actions.into_iter().chain(more) {
            self.world.carry_out(action, 0);
        }
        self.die(image, None);
    }

    // ---- death and rebirth

    /// A moment at which the process could die; false when it does.
    fn could_die(&mut self, image: impl FnOnce(&Disk) -> Vec<u8>) -> bool {
        let Some(driver) = &self.driver else { return false };
        let strikes = self.world.faults.strikes(Fault::Crash);
        let counted = self.dies_in.as_mut().is_some_and(|left| {
            *left = left.saturating_sub(1);
            *left == 0
        });
        let dies = strikes || counted;
        if !dies && self.forks.is_none() {
            return true;
        }
        let disk = driver.journal();
        let (image, all) = (image(disk), disk.image(1_000));
        // What was told as durable, and only that, must come back.
        let left = (image == all && driver.uncommitted() == 0).then(|| driver.core().state_hash());
        if dies {
            self.dies_in = None;
            self.die(image, left);
            return false;
        }
        if let Some(forks) = &mut self.forks {
            forks.push(Fork { world: self.world.clone(), image, left });
        }
        true
    }

    fn die(&mut self, image: Vec<u8>, left: Option<[u8; 32]>) {
        self.driver = None;
        self.switch.set(Mood::Well);
        let world = &mut self.world;
        world.trace.line(|| "  !! the process dies".to_owned());
        (world.image, world.left) = (Some(image), left);
        world.process = world.process.saturating_add(1);
        world.deaths = world.deaths.saturating_add(1);
        world.commit_due = false;
        for link in &mut world.links {
            link.session = link.session.saturating_add(1);
        }
        // What was to be the end is put off.
        world.ends = world.ends.saturating_add(1);
        let pause = world.millis(200, 20_000);
        world.after(pause, Happening::Restart);
    }

    fn restart(&mut self) -> Result<(), SimError> {
        let Some(mut image) = self.world.image.take() else { return Ok(()) };
        let now = self.world.now;
        if self.world.plant == Some(Plant::LoseLastRecord) {
            image.truncate(image.len().saturating_sub(20));
        }
        let disk = match Disk::open(image, self.switch.clone(), self.world.plant == Some(Plant::SkipSync)) {
            Ok(disk) => disk,
            Err(error) => {
                self.world.check.broken("P4", now, format!("the journal is refused: {error}"));
                return Ok(());
            }
        };
        self.world.check.restarts();
        let check = &mut self.world.check;
        let mut hear = |input: &Input, output: &Output| {
            output.events.iter().for_each(|event| check.heard(event, input.time()));
        };
        let driver = match Driver::recover(self.world.setup.core()?, disk, &mut hear) {
            Ok(driver) => driver,
            Err(error) => {
                self.world.check.broken("P4", now, format!("the engine does not begin again: {error}"));
                return Ok(());
            }
        };
        if let Some(left) = self.world.left.take()
            && driver.core().state_hash() != left
        {
            self.world.check.broken(
                "P4",
                now,
                "the state after the restart is not the one before".to_owned(),
            );
        }
        self.world.check.recovered(driver.core().state().now(), driver.core(), self.world.setup.memory);
        self.driver = Some(driver);
        self.start_process();
        if self.world.stage == Stage::Calm {
            self.end_later();
        }
        Ok(())
    }

    fn start_process(&mut self) {
        if self.world.process == 0 {
            self.world.process = 1;
        }
        let time = self.clock();
        if !self.feed(Input::Started { time }) {
            return;
        }
        self.feed_marks();
        for venue in 0..self.world.links.len() {
            let connected = self.world.links.get(venue).is_some_and(|link| link.connected);
            if connected {
                self.resume_stream(venue, time);
            } else {
                self.feed_connection(venue, false);
            }
        }
        // A process that begins between two sessions opens the present one.
        if self.driver.as_ref().is_some_and(|driver| driver.core().state().session().is_some()) {
            self.open_session();
        }
    }

    // ---- the end

    fn begin_calm(&mut self) -> Result<(), SimError> {
        self.world.stage = Stage::Calm;
        self.world.faults.calm_down();
        for link in &mut self.world.links {
            link.wrong = None;
            link.old = None;
        }
        let cancels = self.world.load.chance(500);
        self.end_later();
        if cancels {
            let (time, actor) = (self.clock(), ActorId::new("ann")?);
            self.feed(Input::Operator { act: OperatorAct::CancelAll { fund_id: None, actor }, time });
        }
        Ok(())
    }

    /// Gives everything the time to become clear: a person settles what stays open, then the end comes.
    fn end_later(&mut self) {
        let (settle, finish) = match self.world.size {
            Size::Full => (140_000, 490_000),
            Size::Small => (60_000, 240_000),
        };
        self.world.ends = self.world.ends.saturating_add(1);
        let number = self.world.ends;
        // Three times: some orders are found to be gone only after the first look.
        for look in 1..=3 {
            self.world.after(ms(settle * look), Happening::Settle);
        }
        self.world.after(ms(finish), Happening::Finish { number });
    }

    /// A person looks at the venue and settles the orders that are not there.
    fn settle(&mut self, time: Timestamp) -> Result<(), SimError> {
        let Some(driver) = &self.driver else { return Ok(()) };
        // The venue's own screen shows no such order, or that it ended; the latter only helps where the venue lied.
        let gone = |record: &OrderRecord| {
            let key = &record.order.idempotency_key;
            let lied = self.world.excuses.orders.contains(&record.order.order_id);
            !self.world.links.iter().any(|link| {
                let order = link.venue.find_key(key).and_then(|place| link.venue.orders.get(place));
                order.is_some_and(|order| order.is_open() || (!order.forgotten && !lied))
            })
        };
        let orders: Vec<_> = driver
            .core()
            .state()
            .orders()
            .filter(|record| record.state.is_working() && gone(record))
            .map(|record| record.order.order_id.clone())
            .collect();
        for order_id in orders {
            let act = OperatorAct::Settle {
                order_id,
                actor: ActorId::new("ann")?,
                reason: "the venue's own screen does not show it".to_owned(),
            };
            if !self.feed(Input::Operator { act, time }) {
                break;
            }
        }
        Ok(())
    }

    fn finish(&mut self) {
        if self.world.commit_due {
            self.commit();
        }
        self.world.stage = Stage::Over;
        let now = self.world.now;
        let Some(driver) = &self.driver else {
            self.world.check.broken("P4", now, "the process is not back at the end".to_owned());
            return;
        };
        let core = driver.core();
        let world = &mut self.world;
        let venues: Vec<&Venue> = world.links.iter().map(|link| &link.venue).collect();
        world.check.quiet(core, &world.setup, &venues, &world.excuses);
        world.check.memory(core, world.setup.memory);
        if world.deaths == 0 && world.check.incidents.get("GAP").copied().unwrap_or(0) < world.gaps {
            world.check.broken("P7", now, "a gap for ever was not told".to_owned());
        }
        self.replay();
    }

    /// Replaying the journal into a new core gives the same state (P4).
    fn replay(&mut self) {
        let Some(driver) = &self.driver else { return };
        let now = self.world.now;
        let again = self
            .world
            .setup
            .core()
            .ok()
            .zip(Disk::open(driver.journal().image(1_000), Switch::default(), false).ok())
            .and_then(|(core, disk)| Driver::recover(core, disk, &mut |_, _| {}).ok());
        if again.is_none_or(|again| again.core().state_hash() != driver.core().state_hash()) {
            self.world.check.broken("P4", now, "replaying the journal gives another state".to_owned());
        }
    }
}
