//! Core and journal together, without a world: every shell drives this, and so does the simulation.
//!
//! An input is appended to the journal and fed to the core; the actions that follow from it are handed out only once it is
//! durable (decision H6). One commit makes any number of inputs durable, so the price of a sync is shared by all that came in
//! meanwhile.
//!
//! When the journal fails, the driver *drains*: nothing new is taken, and what may still leave are the cancellations of
//! everything that works. On a full disk they are journalled like everything else, in the room that was kept back for this
//! moment; after any other failure they leave without a record. Then the process ends.

use crate::core::{Core, CoreError, reference};
use crate::input::{Input, OperatorAct};
use crate::output::{Action, OrderTrace, Output};
use crate::record::{INPUT_V1, RecordError, encode};
use crate::replay::{Beginning, NoBeginning, ReplayError, apply, begin};
use mts_foundation::broker::SubmitOutcome;
use mts_foundation::event::Event;
use mts_foundation::journal::{Journal, JournalError, JournalRecord};
use mts_foundation::{ActorId, Timestamp};

/// Why a driver stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// The journal refuses; nothing may go on without it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The journal's inputs are refused.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The journal's beginning is gone, and so is the way round it.
    #[error(transparent)]
    NoBeginning(#[from] NoBeginning),
    /// An invariant of the core is broken.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The driver stopped earlier.
    #[error("the engine stopped after an earlier failure; restart the process")]
    Stopped,
}

/// Core and journal.
pub struct Driver<J> {
    core: Core,
    journal: J,
    /// What inputs led to that are durable.
    ready: Vec<Action>,
    /// Answers to the inputs since the last commit.
    output: Output,
    buffer: Vec<u8>,
    uncommitted: u64,
    stopped: bool,
    /// It was stopped by a disk without room.
    disk_full: bool,
    beginning: Beginning,
    snapshots: Snapshots,
}

/// When the next snapshot is due.
#[derive(Debug, Clone, Copy, Default)]
struct Snapshots {
    /// Records between two; 0 = none are kept.
    every: u64,
    /// Records and bytes since the last one.
    records: u64,
    bytes: u64,
    /// Bytes of the last one: as many must be journalled before the next, so that snapshots never write more than the journal.
    last: u64,
}

impl Snapshots {
    fn is_due(&self) -> bool {
        self.every > 0 && self.records >= self.every && self.bytes >= self.last
    }
}

impl<J> std::fmt::Debug for Driver<J> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Driver")
            .field("uncommitted", &self.uncommitted)
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}

impl<J: Journal> Driver<J> {
    /// Brings a core at its beginning to the end of the journal, from its newest snapshot on where that can be used.
    /// `observe` is told every input after that and its answer. Actions of the past are not handed out: what they led to is
    /// in the journal or is asked for after [`Input::Started`].
    ///
    /// # Errors
    /// [`DriverError`] when the journal cannot be read or is not this core's.
    pub fn recover(
        mut core: Core,
        journal: J,
        observe: &mut dyn FnMut(&Input, &Output),
    ) -> Result<Self, DriverError> {
        let mut output = Output::default();
        let mut failure: Option<ReplayError> = None;
        let mut snapshots = Snapshots::default();
        let beginning = begin(&mut core, journal.snapshot());
        let read = journal.replay_from(beginning.from, &mut |record: JournalRecord| {
            if record.sequence == 0 || failure.is_some() {
                return Ok(());
            }
            snapshots.records = snapshots.records.saturating_add(1);
            snapshots.bytes = snapshots.bytes.saturating_add(record.payload.len() as u64);
            match apply(&mut core, &record, &mut output) {
                Ok(input) => observe(&input, &output),
                Err(error) => failure = Some(error),
            }
            Ok(())
        });
        if let Err(JournalError::Removed { from, to, .. }) = read {
            return Err(beginning.missing(from, to).into());
        }
        read?;
        if let Some(error) = failure {
            return Err(error.into());
        }
        output.clear();
        Ok(Self {
            core,
            journal,
            ready: Vec::new(),
            output,
            buffer: Vec::new(),
            uncommitted: 0,
            stopped: false,
            disk_full: false,
            beginning,
            snapshots,
        })
    }

    /// The same driver, which keeps a snapshot after so many records (and no fewer bytes than the one before has); 0 keeps
    /// none.
    #[must_use]
    pub fn with_snapshots(mut self, every: u64) -> Self {
        self.snapshots.every = every;
        self
    }

    /// Where the replay began.
    pub fn beginning(&self) -> &Beginning {
        &self.beginning
    }

    /// Keeps a snapshot if one is due: for a moment at which nobody waits for the core. True if one was kept.
    ///
    /// # Errors
    /// [`JournalError`]: a start takes longer, nothing else; it is tried again when the next is due.
    pub fn keep_snapshot_if_due(&mut self) -> Result<bool, JournalError> {
        if self.snapshots.is_due() { self.keep_snapshot() } else { Ok(false) }
    }

    /// Keeps a snapshot of what is durable; false where the driver keeps none, where there is nothing new, and while some
    /// inputs are not durable yet. Retention may remove what lies before it.
    ///
    /// # Errors
    /// As [`Driver::keep_snapshot_if_due`].
    pub fn keep_snapshot(&mut self) -> Result<bool, JournalError> {
        let Snapshots { every, records, .. } = self.snapshots;
        if every == 0 || records == 0 || self.uncommitted > 0 || self.stopped {
            return Ok(false);
        }
        let state = self.core.snapshot();
        (self.snapshots.records, self.snapshots.bytes) = (0, 0);
        self.snapshots.last = state.len() as u64;
        self.journal.save_snapshot(self.journal.durable(), &state)?;
        Ok(true)
    }

    /// The core.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The journal.
    pub fn journal(&self) -> &J {
        &self.journal
    }

    /// Inputs that are not durable yet.
    pub fn uncommitted(&self) -> u64 {
        self.uncommitted
    }

    /// The instant at which the core wants to be told that time passed.
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.core.next_timer()
    }

    /// Takes an input. What follows from it is handed out by [`Driver::commit`].
    ///
    /// # Errors
    /// [`DriverError`]; the driver is stopped then, and [`Driver::drain`] says what may still leave.
    pub fn take(&mut self, input: &Input) -> Result<(), DriverError> {
        if self.stopped {
            return Err(DriverError::Stopped);
        }
        // Stopped until the contrary is known.
        self.stopped = true;
        self.put(input)?;
        self.stopped = false;
        Ok(())
    }

    fn put(&mut self, input: &Input) -> Result<(), DriverError> {
        encode(input, &mut self.buffer)?;
        self.journal.append(INPUT_V1, &self.buffer)?;
        self.core.step(input, &mut self.output)?;
        self.uncommitted = self.uncommitted.saturating_add(1);
        self.snapshots.records = self.snapshots.records.saturating_add(1);
        self.snapshots.bytes = self.snapshots.bytes.saturating_add(self.buffer.len() as u64);
        Ok(())
    }

    /// Makes everything durable that was taken. After it [`Driver::actions`] and [`Driver::events`] have what followed.
    ///
    /// # Errors
    /// As [`Driver::take`]; nothing of what was not durable is handed out.
    pub fn commit(&mut self) -> Result<(), DriverError> {
        if self.stopped {
            return Err(DriverError::Stopped);
        }
        if self.uncommitted > 0 {
            self.stopped = true;
            self.journal.commit().inspect_err(|error| self.disk_full = error.is_disk_full())?;
            self.uncommitted = 0;
            self.stopped = false;
        }
        self.ready.append(&mut self.output.actions);
        Ok(())
    }

    /// What is to be done now, in this order. Only what durable inputs led to.
    pub fn actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.ready)
    }

    /// Whether something is to be done, durable or not.
    pub(super) fn has_actions(&self) -> bool {
        !self.ready.is_empty() || !self.output.actions.is_empty()
    }

    /// What happened, durable or not: for shells from which nothing leaves the process.
    pub(super) fn events_so_far(&mut self) -> &mut Vec<Event> {
        &mut self.output.events
    }

    /// What happened in durable inputs; nothing while some are not durable yet.
    pub fn events(&mut self) -> Vec<Event> {
        if self.uncommitted > 0 {
            return Vec::new();
        }
        // The next ones will be about as many.
        let room = Vec::with_capacity(self.output.events.len());
        std::mem::replace(&mut self.output.events, room)
    }

    /// Why orders became what they are, where the core traces.
    pub fn traces(&mut self) -> Vec<OrderTrace> {
        std::mem::take(&mut self.output.traces)
    }

    /// Ends the driver and says what may still leave: the cancellation of everything that works. Bounded by the open
    /// orders.
    pub fn drain(&mut self) -> Vec<Action> {
        self.stopped = true;
        self.ready.clear();
        if self.disk_full
            && let Ok(Some(cancels)) = self.drain_on_reserve()
        {
            return cancels;
        }
        let state = self.core.state();
        let working = state.ledger().funds().flat_map(|(_, book)| book.working());
        working
            .filter_map(|(order_id, _)| state.order(order_id))
            .filter_map(|record| reference(record).map(Action::Cancel))
            .collect()
    }

    /// The same with a record of it, in the room that the journal kept back; `None` where it kept none. What had not become
    /// durable does so now, and its orders are recorded as not sent.
    fn drain_on_reserve(&mut self) -> Result<Option<Vec<Action>>, DriverError> {
        if !self.journal.release_reserve()? {
            return Ok(None);
        }
        let time = self.core.state().now();
        for action in std::mem::take(&mut self.output.actions) {
            match action {
                Action::Submit(order) => {
                    let order_id = order.order_id.clone();
                    let outcome = SubmitOutcome::NotSent { reason: "the disk is full".into() };
                    self.put(&Input::Submitted { order_id, outcome, time })?;
                }
                other => self.ready.push(other),
            }
        }
        let actor = ActorId::new("engine").map_err(CoreError::Id)?;
        let act = OperatorAct::CancelAll { fund_id: None, actor };
        self.put(&Input::Operator { act, time })?;
        self.journal.commit()?;
        self.uncommitted = 0;
        self.ready.append(&mut self.output.actions);
        self.ready.retain(|action| matches!(action, Action::Cancel(_)));
        Ok(Some(std::mem::take(&mut self.ready)))
    }

    /// The core and the journal.
    pub fn into_parts(self) -> (Core, J) {
        (self.core, self.journal)
    }
}
