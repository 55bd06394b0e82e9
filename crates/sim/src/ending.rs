//! The end of a run: calm, then the last look.

use crate::disk::{Disk, Switch};
use crate::process::{SimError, Simulation};
use crate::setup::Size;
use crate::venue::Venue;
use crate::world::{Happening, Stage, ms};
use mts_engine::input::{Input, OperatorAct};
use mts_engine::shell::driver::Driver;
use mts_foundation::{ActorId, OrderRecord, Timestamp};

impl Simulation {
    pub(crate) fn begin_calm(&mut self) -> Result<(), SimError> {
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
    pub(crate) fn end_later(&mut self) {
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
    pub(crate) fn settle(&mut self, time: Timestamp) -> Result<(), SimError> {
        let Some(driver) = &self.driver else { return Ok(()) };
        let state = driver.core().state();
        let at_venues =
            |record: &&OrderRecord| record.state.is_working() && !state.is_worked(&record.order.order_id);
        let orders: Vec<_> = state
            .orders()
            .filter(|record| at_venues(record) && self.world.is_gone(record))
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

    pub(crate) fn finish(&mut self) {
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
        world.check.families_quiet(now, &venues, &world.excuses);
        world.check.memory(core, world.setup.memory);
        if world.deaths == 0 && world.check.incidents.get("GAP").copied().unwrap_or(0) < world.gaps {
            world.check.broken("P7", now, "a gap for ever was not told".to_owned());
        }
        self.replay();
    }

    /// Replaying the journal into a new core gives the same state (P4).
    pub(crate) fn replay(&mut self) {
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
