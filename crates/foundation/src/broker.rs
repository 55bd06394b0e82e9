//! The broker: the one trait that every adapter implements (section B of the decisions).

use crate::account::Account;
use crate::broker_event::{BrokerEvent, Cursor, OrderReport};
use crate::fill::Fill;
use crate::ids::{BrokerOrderId, OrderId};
use crate::key::IdempotencyKey;
use crate::market::{Bar, Quote, Trade};
use crate::num::Decimal;
use crate::order::{Order, OrderType, TimeInForce};
use crate::order_record::{OrderRecord, OrderState};
use crate::position::Position;
use crate::risk::SessionPhase;
use crate::symbol::{AssetClass, Symbol};
use crate::time::Timestamp;
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A boxed future of the object-safe twins.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// A boxed stream of broker events.
pub type BrokerEventStream<'a> = Pin<Box<dyn Stream<Item = Result<BrokerEvent, BrokerError>> + Send + 'a>>;

/// What a broker can do. Conformance reads this: a claim is tested, and what is not claimed must be refused locally.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Capabilities {
    /// Order types by the times in force they may have.
    pub order_types: Vec<(OrderType, Vec<TimeInForce>)>,
    /// What may be traded.
    pub asset_classes: Vec<AssetClass>,
    /// Whether short sales are taken.
    pub shorting: bool,
    /// Whether orders may trade outside regular hours.
    pub extended_hours: bool,
    /// Whether the venue refuses a second order with the same client id (decision O7).
    pub client_id_dedupe: bool,
    /// Whether a working order can be changed in place.
    pub replace: bool,
    /// How fills arrive.
    pub fill_stream: FillStream,
    /// How far back events can be asked for; `None` = without limit.
    pub history_window: Option<Duration>,
    /// Longest life of a good-till-cancelled order; `None` = without limit.
    pub gtc_max_days: Option<u32>,
    /// Whether there is a sandbox.
    pub sandbox: bool,
    /// Whether the account can borrow.
    pub margin: bool,
    /// Requests per minute, by group of calls.
    pub rate_budgets: Vec<(SmolStr, u32)>,
}

impl Capabilities {
    /// Nothing at all; set what the venue can do.
    #[must_use]
    pub fn none() -> Self {
        Self {
            order_types: Vec::new(),
            asset_classes: Vec::new(),
            shorting: false,
            extended_hours: false,
            client_id_dedupe: false,
            replace: false,
            fill_stream: FillStream::Poll { seconds: 5 },
            history_window: Some(Duration::ZERO),
            gtc_max_days: None,
            sandbox: false,
            margin: false,
            rate_budgets: Vec::new(),
        }
    }

    /// Whether orders of this type may have this time in force.
    #[must_use]
    pub fn takes(&self, order_type: OrderType, tif: TimeInForce) -> bool {
        self.order_types.iter().any(|(known, tifs)| *known == order_type && tifs.contains(&tif))
    }
}

/// How fills arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum FillStream {
    /// Pushed by the venue.
    Push,
    /// Asked for.
    Poll {
        /// Seconds between two requests.
        seconds: u32,
    },
}

/// How a connection is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// Whether calls may be made.
    pub connected: bool,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// Venue clock minus ours, milliseconds.
    pub clock_skew_ms: Option<i64>,
    /// When the credentials run out.
    pub token_expires: Option<Timestamp>,
}

/// What is known after handing an order to a venue (decision O8). Not a `Result`: an error would hide the case that
/// matters most, the order that may or may not be live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum SubmitOutcome {
    /// The venue has it; `submitted_at` and `broker_order_id` are set.
    Accepted(Order),
    /// The venue said no, about this order.
    Rejected {
        /// The venue's reason.
        reason: SmolStr,
    },
    /// Proven never to have left this process.
    NotSent {
        /// Why.
        reason: SmolStr,
    },
    /// May or may not be live: to be reconciled, never to be sent again under a new id.
    Unknown {
        /// What went wrong.
        cause: SmolStr,
    },
}

/// What is known after asking for a cancellation. Only `Confirmed` means cancelled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum CancelOutcome {
    /// The venue confirmed that it will not fill any more.
    Confirmed,
    /// The order had already ended.
    TooLate {
        /// The state it is in.
        state: OrderState,
    },
    /// The venue does not know the order.
    NotFound,
    /// Neither confirmed nor refused.
    Unknown {
        /// What went wrong.
        cause: SmolStr,
    },
}

/// What is known after asking for a change in place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ReplaceOutcome {
    /// The changed order is working.
    Replaced(BrokerOrderId),
    /// The broker cannot do it; cancel and submit.
    NotSupported,
    /// The venue said no; the old order stands.
    Rejected {
        /// The venue's reason.
        reason: SmolStr,
    },
    /// Neither confirmed nor refused.
    Unknown {
        /// What went wrong.
        cause: SmolStr,
    },
}

/// Names an order for a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OrderRef {
    /// By the venue's id.
    Venue(BrokerOrderId),
    /// By the key it was sent with.
    Key(IdempotencyKey),
}

/// Names an order for a cancellation or change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BrokerOrderRef {
    /// Our id.
    pub order_id: OrderId,
    /// The key it was sent with.
    pub idempotency_key: IdempotencyKey,
    /// The venue's id.
    pub broker_order_id: BrokerOrderId,
    /// Instrument; some venues want it.
    pub symbol: Symbol,
}

/// A wanted change of a working order; absent = as it was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OrderChange {
    /// New total quantity.
    pub quantity: Option<Decimal>,
    /// New limit price.
    pub limit_price: Option<Decimal>,
    /// New stop price.
    pub stop_price: Option<Decimal>,
}

/// One line of a broker's self-test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// What was checked, such as "auth".
    pub name: SmolStr,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was seen, free of secrets.
    pub detail: String,
}

/// What kind of failure a query met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum BrokerErrorKind {
    /// Credentials missing, wrong or expired.
    Auth,
    /// Too many requests.
    RateLimited,
    /// The venue refuses the request as such.
    InvalidRequest,
    /// No such thing.
    NotFound,
    /// The broker cannot do this.
    Unsupported,
    /// The venue is down.
    VenueDown,
    /// The answer cannot be understood.
    Protocol,
    /// No answer in time.
    Timeout,
    /// Not connected.
    Disconnected,
    /// A fault of our own.
    Internal,
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ErrorStatus {
    /// It cannot.
    Permanent,
    /// It can.
    Temporary,
}

/// A failed query. Never says anything about an order's fate: [`SubmitOutcome`] does.
#[derive(Debug, thiserror::Error)]
#[error("{op} failed ({kind:?}, {status:?}): {message}")]
pub struct BrokerError {
    /// What kind of failure.
    pub kind: BrokerErrorKind,
    /// Whether trying again can help.
    pub status: ErrorStatus,
    /// Earliest useful next try.
    pub retry_after: Option<Duration>,
    /// Which operation.
    pub op: &'static str,
    /// The venue's id of the request.
    pub request_id: Option<SmolStr>,
    /// What was seen, free of secrets, and the way out.
    pub message: String,
    /// What caused it.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl BrokerError {
    /// An error without request id, retry time or source.
    #[must_use]
    pub fn new(
        op: &'static str,
        kind: BrokerErrorKind,
        status: ErrorStatus,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, status, retry_after: None, op, request_id: None, message: message.into(), source: None }
    }
}

/// A broker. Adapters implement this with plain `async fn` bodies; the engine holds a [`DynBroker`].
///
/// Every call is safe to drop before it completes only where its doc says so. `submit` is not: a dropped submit leaves
/// an order whose fate is unknown.
#[doc(alias = "BrokerProtocol")]
pub trait Broker: Send + Sync {
    /// Stable registry name.
    fn name(&self) -> &str;
    /// What it can do.
    fn capabilities(&self) -> &Capabilities;
    /// Names orders that the broker may hear of although this process has not sent them: after a restart the consumer tells
    /// all that it keeps, before it asks for events. A venue tells of an order by its own id and by the client id, of which the
    /// key cannot be had back; with this an adapter says whose order it is. Adapters whose venue carries key and order id need
    /// nothing. Never waits.
    fn recall(&self, orders: &[Order]) {
        let _not_needed = orders;
    }
    /// Connects; does nothing when connected.
    fn connect(&self) -> impl Future<Output = Result<(), BrokerError>> + Send;
    /// Disconnects; does nothing when disconnected.
    fn close(&self) -> impl Future<Output = Result<(), BrokerError>> + Send;
    /// How the connection is.
    fn health(&self) -> impl Future<Output = Health> + Send;
    /// Hands over an order; idempotent on its key.
    fn submit(&self, order: &Order) -> impl Future<Output = SubmitOutcome> + Send;
    /// Asks for a cancellation; idempotent.
    fn cancel(&self, order: &BrokerOrderRef) -> impl Future<Output = CancelOutcome> + Send;
    /// Asks for a change in place; brokers that cannot say so.
    fn replace(
        &self,
        order: &BrokerOrderRef,
        change: &OrderChange,
    ) -> impl Future<Output = ReplaceOutcome> + Send {
        let _ignored = (order, change);
        async { ReplaceOutcome::NotSupported }
    }
    /// One order by venue id or key; `None` = the venue answered that it does not know it.
    fn order(
        &self,
        order: &OrderRef,
    ) -> impl Future<Output = Result<Option<OrderReport>, BrokerError>> + Send;
    /// Orders that may still fill.
    fn open_orders(&self) -> impl Future<Output = Result<Vec<OrderReport>, BrokerError>> + Send;
    /// Positions of the account.
    fn positions(&self) -> impl Future<Output = Result<Vec<Position>, BrokerError>> + Send;
    /// Balances of the account.
    fn account(&self) -> impl Future<Output = Result<Account, BrokerError>> + Send;
    /// Events after a cursor. Replay windows overlap: the consumer dedupes on (venue, account, fill id), and a fill has the same
    /// id in the stream and in a replay.
    ///
    /// `None` = nothing was told yet: the fills of the orders that were submitted or recalled, the orders that are open, and
    /// what happens from now on. Other people's fills from before are in the positions of the account.
    ///
    /// A stream does not outlive its connection: when that is lost it ends with an error, and who listens asks again with the
    /// last cursor, so that nobody takes silence for calm. What cannot be replayed from the cursor is told as
    /// [`BrokerEvent::Gap`].
    #[doc(alias = "stream_fills")]
    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_>;
    /// The documented checks, in order: reachable, auth, account, order book, clock, stream, key permissions.
    fn diagnose(&self, symbol: Option<&Symbol>) -> impl Future<Output = Vec<Check>> + Send;
}

/// The object-safe twin of [`Broker`], implemented for every broker.
pub trait DynBroker: Send + Sync {
    /// See [`Broker::name`].
    fn name(&self) -> &str;
    /// See [`Broker::capabilities`].
    fn capabilities(&self) -> &Capabilities;
    /// See [`Broker::recall`].
    fn recall(&self, orders: &[Order]);
    /// See [`Broker::connect`].
    fn connect(&self) -> BoxFuture<'_, Result<(), BrokerError>>;
    /// See [`Broker::close`].
    fn close(&self) -> BoxFuture<'_, Result<(), BrokerError>>;
    /// See [`Broker::health`].
    fn health(&self) -> BoxFuture<'_, Health>;
    /// See [`Broker::submit`].
    fn submit<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, SubmitOutcome>;
    /// See [`Broker::cancel`].
    fn cancel<'a>(&'a self, order: &'a BrokerOrderRef) -> BoxFuture<'a, CancelOutcome>;
    /// See [`Broker::replace`].
    fn replace<'a>(
        &'a self,
        order: &'a BrokerOrderRef,
        change: &'a OrderChange,
    ) -> BoxFuture<'a, ReplaceOutcome>;
    /// See [`Broker::order`].
    fn order<'a>(&'a self, order: &'a OrderRef) -> BoxFuture<'a, Result<Option<OrderReport>, BrokerError>>;
    /// See [`Broker::open_orders`].
    fn open_orders(&self) -> BoxFuture<'_, Result<Vec<OrderReport>, BrokerError>>;
    /// See [`Broker::positions`].
    fn positions(&self) -> BoxFuture<'_, Result<Vec<Position>, BrokerError>>;
    /// See [`Broker::account`].
    fn account(&self) -> BoxFuture<'_, Result<Account, BrokerError>>;
    /// See [`Broker::events`].
    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_>;
    /// See [`Broker::diagnose`].
    fn diagnose<'a>(&'a self, symbol: Option<&'a Symbol>) -> BoxFuture<'a, Vec<Check>>;
}

impl<B: Broker> DynBroker for B {
    fn name(&self) -> &str {
        Broker::name(self)
    }
    fn capabilities(&self) -> &Capabilities {
        Broker::capabilities(self)
    }
    fn recall(&self, orders: &[Order]) {
        Broker::recall(self, orders);
    }
    fn connect(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(Broker::connect(self))
    }
    fn close(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        Box::pin(Broker::close(self))
    }
    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(Broker::health(self))
    }
    fn submit<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, SubmitOutcome> {
        Box::pin(Broker::submit(self, order))
    }
    fn cancel<'a>(&'a self, order: &'a BrokerOrderRef) -> BoxFuture<'a, CancelOutcome> {
        Box::pin(Broker::cancel(self, order))
    }
    fn replace<'a>(
        &'a self,
        order: &'a BrokerOrderRef,
        change: &'a OrderChange,
    ) -> BoxFuture<'a, ReplaceOutcome> {
        Box::pin(Broker::replace(self, order, change))
    }
    fn order<'a>(&'a self, order: &'a OrderRef) -> BoxFuture<'a, Result<Option<OrderReport>, BrokerError>> {
        Box::pin(Broker::order(self, order))
    }
    fn open_orders(&self) -> BoxFuture<'_, Result<Vec<OrderReport>, BrokerError>> {
        Box::pin(Broker::open_orders(self))
    }
    fn positions(&self) -> BoxFuture<'_, Result<Vec<Position>, BrokerError>> {
        Box::pin(Broker::positions(self))
    }
    fn account(&self) -> BoxFuture<'_, Result<Account, BrokerError>> {
        Box::pin(Broker::account(self))
    }
    fn events(&self, after: Option<Cursor>) -> BrokerEventStream<'_> {
        Broker::events(self, after)
    }
    fn diagnose<'a>(&'a self, symbol: Option<&'a Symbol>) -> BoxFuture<'a, Vec<Check>> {
        Box::pin(Broker::diagnose(self, symbol))
    }
}

/// A broker whose market is driven by its caller: the paper broker in a back-test or replay. Its calls complete at
/// once, and what happens in its market becomes events of [`Broker::events`].
pub trait SimulatedBroker: DynBroker {
    /// Sets the venue's clock; it never goes back.
    fn set_time(&self, now: Timestamp);
    /// Takes the bars of one instant, all with the same end, and fills what they fill.
    fn on_bars(&self, bars: &[Bar]);
    /// Takes a quote and fills what it fills.
    fn on_quote(&self, quote: &Quote);
    /// Takes a print and fills what it fills.
    fn on_trade(&self, trade: &Trade);
    /// Moves the market to a session at an instant. A venue that is never told of sessions trades always.
    fn on_session(&self, phase: SessionPhase, time: Timestamp);
    /// Ends the session: orders whose time in force ends with it expire.
    fn on_session_close(&self);
    /// Takes back what the venue knew before a crash, from the journal's truth: its open orders in the order they
    /// were accepted, cash and positions by what was booked. Orders and cancellations that were under way still are.
    /// Quotes and prints are not journalled: hand the last of each instrument in again before going on.
    ///
    /// # Errors
    /// [`BrokerError`] when an order cannot be one of this venue's.
    fn restore(&self, open: &[OrderRecord], fills: &[Fill], cash: Decimal) -> Result<(), BrokerError>;
}
