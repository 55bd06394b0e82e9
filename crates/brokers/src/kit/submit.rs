//! Handing an order over, and what comes of one try in the light of those before it.
//!
//! | this try | none before it may have left | one may have |
//! |---|---|---|
//! | cannot be made, or nothing left | not sent | unknown |
//! | the venue has taken it | accepted | accepted |
//! | the venue refuses it | rejected | the order of the client id is looked for: what it is, unknown if it is not shown |
//! | the client id is taken | what its order is, unknown if it is not shown | the same |
//! | anything else | unknown | unknown |
//!
//! Where the venue forgets client ids ([`OrderEntry::KNOWS_IDS`] is false) an order of which one try may have left is not sent again:
//! it is looked for, and unknown if it is not shown.

use super::failure::{Failure, FailureKind};
use super::known::KnownOrders;
use super::stream::EventSource;
use mts_foundation::broker::SubmitOutcome;
use mts_foundation::broker_event::OrderReport;
use mts_foundation::{BrokerOrderId, Order, OrderState, Timestamp};
use smol_str::SmolStr;

/// How a venue takes orders.
pub trait OrderEntry: EventSource {
    /// What an order needs before it leaves: its instrument's name there, a key that signs.
    type Ready: Send + Sync;
    /// Whether a client id stays taken at the venue, so that an order may be sent again.
    const KNOWS_IDS: bool = true;

    /// What the order needs.
    ///
    /// # Errors
    /// Why it is not sent.
    fn prepared(&self, order: &Order) -> impl Future<Output = Result<Self::Ready, String>> + Send;
    /// Sends the order.
    ///
    /// # Errors
    /// [`Failure`], of kind `NotSent` only where nothing has left.
    fn sent(&self, entry: &Entry<'_, Self::Ready>) -> impl Future<Output = Result<Taken, Failure>> + Send;
    /// Whether a refusal says that there is an order of this client id.
    fn is_taken(&self, refusal: &Failure) -> bool;
    /// The order of the client id. `None` = the venue shows none.
    ///
    /// # Errors
    /// [`Failure`] where that cannot be said, or where it is another order.
    fn had(
        &self,
        entry: &Entry<'_, Self::Ready>,
    ) -> impl Future<Output = Result<Option<Taken>, Failure>> + Send;
}

/// One try of an order.
#[derive(Debug)]
pub struct Entry<'a, R> {
    /// The order.
    pub order: &'a Order,
    /// Its client id.
    pub id: SmolStr,
    /// What it needs.
    pub ready: R,
    /// A try before this one may have left.
    pub is_again: bool,
}

/// An order that the venue has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// What the venue calls it.
    pub id: BrokerOrderId,
    /// Since when.
    pub at: Timestamp,
    /// Why it was refused after all.
    pub refused: Option<SmolStr>,
}

impl Taken {
    /// The order of a report.
    #[must_use]
    pub fn of(report: OrderReport, at: Timestamp) -> Self {
        let refused = (report.state == OrderState::Rejected).then(|| report.reason.unwrap_or_default());
        Self { id: report.broker_order_id, at, refused }
    }
}

/// Hands an order over.
pub async fn submit<V: OrderEntry>(venue: &V, order: &Order) -> SubmitOutcome {
    let orders = venue.orders();
    let ready = match venue.prepared(order).await {
        Ok(ready) => ready,
        Err(reason) => return orders.unsent(order, reason.into()),
    };
    let (id, is_again) = orders.begin(order);
    let entry = Entry { order, id, ready, is_again };
    match handed_over(venue, &entry).await {
        Ok(Taken { refused: Some(reason), .. }) => SubmitOutcome::Rejected { reason },
        Ok(taken) => {
            orders.meet(&entry.id, &taken.id);
            SubmitOutcome::Accepted(order.clone().accepted(taken.at, taken.id))
        }
        Err(failure) => orders.judged(order, failure.of_submit()),
    }
}

async fn handed_over<V: OrderEntry>(venue: &V, entry: &Entry<'_, V::Ready>) -> Result<Taken, Failure> {
    let mut refusal = None;
    if V::KNOWS_IDS || !entry.is_again {
        match venue.sent(entry).await {
            // What is refused may be there: its first try may be the reason, such as for want of the money that it holds.
            Err(failure) if venue.is_taken(&failure) || (entry.is_again && failure.refuses()) => {
                refusal = Some(failure);
            }
            said => return said,
        }
    }
    match (venue.had(entry).await.map_err(Failure::after_sending)?, refusal) {
        (Some(taken), _) => Ok(taken),
        // One look is not enough to say that the first try never arrived.
        (None, Some(failure)) => Err(failure.after_sending()),
        (None, None) => Err(Failure::unreadable(
            "it was sent before, and the venue does not show it (yet); it is not sent again",
        )),
    }
}

impl KnownOrders {
    /// What comes of an order that was not tried: another try of it may have left.
    #[must_use]
    pub fn unsent(&self, order: &Order, reason: SmolStr) -> SubmitOutcome {
        match self.knows(&order.idempotency_key) {
            false => SubmitOutcome::NotSent { reason },
            true => SubmitOutcome::Unknown { cause: format!("it was sent before, and now: {reason}").into() },
        }
    }

    /// What comes of an order whose try, which was taken here before, has this outcome.
    #[must_use]
    pub fn judged(&self, order: &Order, outcome: SubmitOutcome) -> SubmitOutcome {
        match outcome {
            SubmitOutcome::NotSent { reason } => {
                self.came_to_nothing(&order.idempotency_key);
                self.unsent(order, reason)
            }
            SubmitOutcome::Rejected { .. } => {
                self.came_to_nothing(&order.idempotency_key);
                outcome
            }
            SubmitOutcome::Accepted(_) | SubmitOutcome::Unknown { .. } => outcome,
        }
    }
}

impl Failure {
    /// Whether the venue says that it has not acted.
    #[must_use]
    pub const fn refuses(&self) -> bool {
        matches!(self.kind, FailureKind::Refused | FailureKind::NotFound | FailureKind::Auth)
    }

    /// The failure of a question for an order that was sent: it says nothing of the order.
    #[must_use]
    pub fn after_sending(self) -> Self {
        match self.kind {
            FailureKind::Unreadable => self,
            _ => Self { kind: FailureKind::Lost { timed_out: false }, ..self },
        }
    }
}
