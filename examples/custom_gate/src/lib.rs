//! No trades near the open: a risk gate of one's own.

use mts_foundation::risk::{Gate, RejectCode, Rejection, RiskContext, SessionPhase};
use mts_foundation::{Decimal, Order, RiskEnvelope, RiskGate};

/// Refuses orders in the first minutes of the regular session, and where nobody says when it opened. Markets without
/// sessions have no open to be near to.
pub struct NearOpen {
    /// How many.
    pub minutes: u64,
}

impl RiskGate for NearOpen {
    fn name(&self) -> &str {
        "near_open"
    }

    fn check(
        &self,
        _: &Order,
        _: Option<&RiskEnvelope>,
        context: &RiskContext<'_>,
    ) -> Result<(), Box<Rejection>> {
        let open = context.session_opened.map(|opened| context.now.since(opened).as_secs() / 60);
        if context.session == SessionPhase::NoCalendar || open.is_some_and(|minutes| minutes >= self.minutes)
        {
            return Ok(());
        }
        Err(Box::new(Rejection {
            gate: Gate::Session,
            code: RejectCode::MarketClosed,
            limit: Some(Decimal::from(self.minutes)),
            observed: open.map(Decimal::from),
            message: format!(
                "no trades until the first {} minutes after the open are over; wait",
                self.minutes
            ),
        }))
    }
}
