//! What is due at an instant. The shell asks [`Core::next_timer`] how long it may wait and then says that time passed; a
//! timer is part of the state, so that a restart forgets none.

use super::{Core, CoreError};
use crate::output::Output;
use mts_foundation::{BrokerName, OrderId, Timestamp};
use serde::{Deserialize, Serialize};

/// What happens when a timer is due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Timer {
    /// The venue is asked again what became of an order.
    LookUp(OrderId),
    /// An account is compared with the books.
    Snapshot(BrokerName),
}

impl Core {
    /// The instant at which the core wants an [`Input::Timer`](crate::Input::Timer); `None` = nothing is due ever.
    #[must_use]
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.state.timers.first().map(|(at, _)| *at)
    }

    /// Wants to be woken at an instant.
    pub(crate) fn set_timer(&mut self, at: Timestamp, timer: Timer) {
        self.state.timers.insert((at, timer));
    }

    /// Does what is due. What it sets for this instant or earlier waits for the next input of this kind.
    pub(crate) fn time_passed(&mut self, output: &mut Output) -> Result<(), CoreError> {
        self.state.forget(self.config.key_memory);
        let now = self.state.now;
        let due: Vec<_> = self.state.timers.iter().take_while(|(at, _)| *at <= now).cloned().collect();
        for entry in due {
            self.state.timers.remove(&entry);
            match &entry.1 {
                Timer::LookUp(order_id) => self.look_up_due(order_id, output),
                Timer::Snapshot(broker) => self.snapshot_due(broker, output),
            }
        }
        Ok(())
    }
}
