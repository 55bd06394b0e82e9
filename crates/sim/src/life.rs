//! What is durable, and how the process dies and begins again.

use crate::disk::{Disk, Mood, after_crash};
use crate::faults::Fault;
use crate::plant::Plant;
use crate::process::{Fork, SimError, Simulation};
use crate::world::{Happening, Stage};
use mts_engine::input::Input;
use mts_engine::shell::driver::{Driver, DriverError};
use mts_engine::{Action, Output};
use mts_foundation::OrderState;

/// Commits between two snapshots.
const SNAPSHOT: u64 = 12;

impl Simulation {
    pub(crate) fn commit(&mut self) {
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
        let actions = self.leaving(actions);
        for action in actions {
            let at_risk = self.driver.as_ref().map_or(0, |driver| driver.journal().at_risk());
            self.world.carry_out(action, at_risk);
            if !self.could_die(|disk| disk.image(0)) {
                return;
            }
        }
        let Some(driver) = &mut self.driver else { return };
        self.world.check.has_left(driver.core().risk().killed().is_some());
        if driver.journal().commits().is_multiple_of(SNAPSHOT) {
            // One that cannot be kept changes nothing.
            driver.keep_snapshot().ok();
            self.world.snapshots = driver.journal().snapshots().to_vec();
        }
    }

    /// What leaves now, looked at against what the books hold.
    fn leaving(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        let (plant, check) = (self.world.plant, &mut self.world.check);
        if plant == Some(Plant::KeepAlternatives) {
            let stays = |action: &Action| match action {
                Action::Cancel(reference) => check.families.alternative(&reference.idempotency_key).is_none(),
                _ => true,
            };
            actions.retain(stays);
        }
        for action in &actions {
            if let Action::Cancel(reference) = action {
                check.families.cancels(&reference.order_id);
            }
        }
        if let Some(driver) = &self.driver {
            check.alternatives(driver.core());
        }
        actions
    }

    /// The engine stops: what still may leave does, and the process ends (P5).
    pub(crate) fn fails(&mut self, error: &DriverError) {
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

    /// A moment at which the process could die; false when it does.
    pub(crate) fn could_die(&mut self, image: impl FnOnce(&Disk) -> Vec<u8>) -> bool {
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

    pub(crate) fn die(&mut self, image: Vec<u8>, left: Option<[u8; 32]>) {
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

    pub(crate) fn restart(&mut self) -> Result<(), SimError> {
        let Some(mut image) = self.world.image.take() else { return Ok(()) };
        let now = self.world.now;
        if self.world.plant == Some(Plant::LoseLastRecord) {
            image.truncate(image.len().saturating_sub(20));
        }
        let fate = (image.len() as u64).wrapping_add(u64::from(self.world.deaths));
        let snapshots = after_crash(std::mem::take(&mut self.world.snapshots), fate);
        self.world.snapshots.clone_from(&snapshots);
        let skips = self.world.plant == Some(Plant::SkipSync);
        let disk = match Disk::open(image.clone(), self.switch.clone(), skips) {
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
        let mut driver = match Driver::recover(self.world.setup.core()?, disk, &mut hear) {
            Ok(driver) => driver,
            Err(error) => {
                self.world.check.broken("P4", now, format!("the engine does not begin again: {error}"));
                return Ok(());
            }
        };
        if !snapshots.is_empty() {
            // All was heard above; the process itself begins as a real one would.
            let disk = Disk::open(image, self.switch.clone(), skips)?.with_snapshots(snapshots);
            let short = Driver::recover(self.world.setup.core()?, disk, &mut |_, _| {})?;
            if short.core().state_hash() != driver.core().state_hash() {
                let what = "a start from a snapshot gives another state than the whole journal".to_owned();
                self.world.check.broken("P4", now, what);
            }
            self.world.from_snapshots += u32::from(short.beginning().from > 0);
            driver = short;
        }
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
        self.driver = Some(driver.with_snapshots(1));
        self.start_process();
        if self.world.stage == Stage::Calm {
            self.end_later();
        }
        Ok(())
    }

    pub(crate) fn start_process(&mut self) {
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
}
