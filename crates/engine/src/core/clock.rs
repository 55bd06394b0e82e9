//! A machine whose clock is wrong: a jump stops new risk until people have looked at it (P5).

use super::{Core, CoreError};
use crate::input::ClockFault;
use crate::output::Output;
use mts_foundation::risk::{HaltMode, HaltRequest, HaltScope, RiskEvent};
use mts_foundation::{ActorId, Decimal};

/// In whose name the engine halts.
const ENGINE: &str = "engine";

impl Core {
    /// Tells people, and halts the firm where the clock was moved under a running engine.
    pub(crate) fn clock_is_wrong(&mut self, fault: ClockFault, output: &mut Output) -> Result<(), CoreError> {
        // Both clocks are read within a tenth of a second.
        let seconds = |millis| Decimal::new(millis, 3).round();
        match fault {
            ClockFault::Jumped { by_millis } => {
                let way = if by_millis < 0 { "back" } else { "forward" };
                let reason =
                    format!("the machine's clock jumped {} s {way}", seconds(by_millis.saturating_abs()));
                let message = format!(
                    "{reason}; only what shrinks positions leaves; see what set it or whether the machine slept, then \
                     `mts resume --firm`"
                );
                self.incident("CLOCK_JUMP", message, None, output);
                let halt = HaltRequest {
                    scope: HaltScope::Firm,
                    mode: HaltMode::ReduceOnly,
                    reason,
                    causes: Vec::new(),
                    requested_by: ActorId::new(ENGINE)?,
                    timestamp: self.state.now,
                };
                self.risk_event(&RiskEvent::Halt(halt), output)
            }
            ClockFault::Behind { by_millis } => {
                let message = format!(
                    "the journal is ahead of this machine's clock by {} s; time goes on from the journal's end, a tenth slower \
                     until the clock has caught up; see that the clock is right",
                    seconds(by_millis)
                );
                self.incident("CLOCK_BEHIND", message, None, output);
                Ok(())
            }
        }
    }
}
