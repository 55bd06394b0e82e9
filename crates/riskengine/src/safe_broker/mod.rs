//! A broker behind the gates: wraps any [`Broker`](mts_foundation::Broker), is one, and lets no order past a limit.
//!
//! [`SafeBroker`] is the stand-alone shell around the risk machine (decision R12), for programs that use a broker without
//! the engine. It reads the account, lends it to the machine, reserves before it asks anybody, makes state durable before an
//! order leaves, and counts everything that may live at its worst case until the venue says otherwise.

mod account;
mod as_broker;
mod books;
mod builder;
mod closing;
mod error;
mod orders;
mod reconcile;
mod switches;
mod ticket;
mod view;

pub use books::{Notice, NoticeKind};
pub use builder::{SafeBrokerBuilder, StartError};
pub use error::SafeBrokerError;
pub use ticket::OrderTicket;
pub use view::{HaltView, RiskState};

use books::Books;
use mts_foundation::broker::{DynBroker, SimulatedBroker};
use mts_foundation::risk::{DynAsyncRiskGate, RiskContext, SessionPhase};
use mts_foundation::{
    ActorId, BrokerName, Capabilities, Clock, FundId, MarketCalendar, StrategyId, Timestamp,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Who the shell's own orders come from.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) fund_id: FundId,
    pub(crate) strategy_id: StrategyId,
    pub(crate) broker: BrokerName,
    pub(crate) actor: ActorId,
}

/// A broker behind the gates. See the [module](self).
///
/// All members take `&self` and may be called from many threads at once. Call [`SafeBroker::tick`] about every second: it
/// rolls the trading day, reads the account, evaluates losses and stops, and compares positions.
pub struct SafeBroker {
    name: String,
    venue: Arc<dyn DynBroker>,
    /// The paper broker that takes the orders in shadow mode; then `venue` is the same one.
    shadow: Option<Arc<dyn SimulatedBroker>>,
    capabilities: Capabilities,
    clock: Arc<dyn Clock>,
    calendar: Option<Arc<MarketCalendar>>,
    gates: Vec<Arc<dyn DynAsyncRiskGate>>,
    identity: Identity,
    /// How old the account may be when an order is checked.
    account_age: Duration,
    reconcile: reconcile::Schedule,
    books: Mutex<Books>,
}

impl std::fmt::Debug for SafeBroker {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SafeBroker")
            .field("name", &self.name)
            .field("shadow", &self.shadow.is_some())
            .finish_non_exhaustive()
    }
}

impl SafeBroker {
    /// Begins to wrap a broker.
    pub fn wrap(broker: Arc<dyn DynBroker>, clock: Arc<dyn Clock>) -> SafeBrokerBuilder {
        SafeBrokerBuilder::new(broker, clock)
    }

    /// Held for moments only, never while waiting for anybody. A panic elsewhere leaves books that are whole: every change
    /// of them is made in one go.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the market stands; without a calendar the session gate is off (decision R10).
    fn phase(&self, now: Timestamp) -> SessionPhase {
        match &self.calendar {
            None => SessionPhase::NoCalendar,
            // Past the table's end nobody knows: closed.
            Some(calendar) => calendar.phase_at(now.to_datetime()).unwrap_or(SessionPhase::Closed),
        }
    }

    fn context<'a>(
        &self,
        ledger: &'a mts_foundation::Ledger,
        instruments: &'a mts_foundation::InstrumentTable,
        now: Timestamp,
        closing: bool,
    ) -> RiskContext<'a> {
        let calendar = self.calendar.as_ref();
        let session = calendar.and_then(|calendar| calendar.session_at(now.to_datetime()).ok().flatten());
        RiskContext {
            now,
            ledger,
            instruments,
            session: self.phase(now),
            session_opened: session.map(|session| session.open.into()),
            closing,
        }
    }
}
