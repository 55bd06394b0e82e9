//! What is due at an instant. The shell asks [`Core::next_timer`] how long it may wait and then says that time passed; a
//! timer is part of the state, so that a restart forgets none.

use super::{Core, CoreError};
use crate::output::Output;
use mts_foundation::{BrokerName, FundId, OrderId, Symbol, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// What happens when a timer is due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Timer {
    /// The venue is asked again what became of an order.
    LookUp(OrderId),
    /// An account is compared with the books.
    Snapshot(BrokerName),
    /// A group tries again what a gate or the venue refused.
    Group(SmolStr),
    /// An algorithm's next slice, or its end.
    Algorithm(OrderId),
    /// A closing order that was refused may leave again.
    Close(FundId, Symbol),
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
                Timer::Group(key) => self.sync_group(key, output)?,
                Timer::Algorithm(order_id) => self.advance(order_id, output)?,
                // Every input sends the closes that may leave.
                Timer::Close(..) => {}
            }
        }
        Ok(())
    }
}
