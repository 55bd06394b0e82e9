//! Who decides, and for whom.

use mts_foundation::FundId;
use mts_foundation::event::Event;
use mts_foundation::strategy::Strategy;

/// One strategy and the fund it trades for.
pub struct Trader {
    /// The strategy.
    pub strategy: Box<dyn Strategy>,
    /// Its fund.
    pub fund_id: FundId,
}

impl std::fmt::Debug for Trader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Trader")
            .field("strategy", self.strategy.id())
            .field("fund_id", &self.fund_id)
            .finish()
    }
}

/// Whether an event is about an order of this fund.
pub(super) fn concerns(event: &Event, fund_id: &FundId) -> bool {
    match event {
        Event::FillCreated { fund_id: owner, .. } => owner == fund_id,
        event => event.order().is_some_and(|record| record.order.fund_id == *fund_id),
    }
}
