//! A venue's double: a stand-in on this machine that speaks the venue's own wire protocol, and what a test may do to it.
//!
//! The broker suite of `mts-conformance` drives an adapter through [`Broker`](crate::Broker) and its venue through
//! [`VenueDouble`], and compares what the one says with what the other knows. Whoever writes an adapter for a venue of their
//! own gives it a double by implementing this trait. Everything here is in the broker's terms: what a fault looks like on
//! the wire is the double's business.

use crate::ids::{BrokerOrderId, FillId};
use crate::market::Quote;
use crate::num::{Decimal, exact, exact_option};
use crate::order::{OrderType, TimeInForce, wire_enum};
use crate::order_record::OrderState;
use crate::symbol::Symbol;
use crate::time::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;

wire_enum! {
    /// A call at a venue, whatever requests it takes there.
    Call {
        /// Making or renewing a session or token.
        Login = "login",
        /// Handing over an order.
        Submit = "submit",
        /// Asking for a cancellation.
        Cancel = "cancel",
        /// Asking for a change in place.
        Replace = "replace",
        /// Looking up one order.
        Order = "order",
        /// Listing orders, open or ended.
        Orders = "orders",
        /// Listing fills or account movements.
        Fills = "fills",
        /// Listing positions.
        Positions = "positions",
        /// Reading balances.
        Account = "account",
        /// Reading instruments' facts.
        Instruments = "instruments",
        /// Reading prices.
        Prices = "prices",
        /// Reading the venue's time.
        Time = "time",
        /// Opening the stream of events.
        Stream = "stream",
    }
}

/// What goes wrong with one call. Each says whether the venue has acted: it is what the adapter cannot see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallFault {
    /// The connection ends before the venue reads the request. It has not acted.
    NotRead,
    /// The venue acts, and the connection ends before its answer.
    AnswerLost,
    /// The venue acts, and the connection ends in the midst of its answer.
    AnswerCut,
    /// The venue acts, and never answers; the connection stays open.
    Silent,
    /// The venue does nothing, and never answers; the connection stays open.
    Ignored,
    /// The venue acts, and answers so much later.
    Late {
        /// Milliseconds.
        by_millis: u64,
    },
    /// The venue does nothing and answers that it is down, with this HTTP status or what stands for it.
    Down {
        /// 500 to 599.
        status: u16,
    },
    /// The venue acts and answers all the same that something broke, with this HTTP status or what stands for it.
    DownAfter {
        /// 500 to 599.
        status: u16,
    },
    /// Too many requests. The venue has not acted.
    TooMany {
        /// Whether it says when to come again, in seconds.
        retry_after: Option<u32>,
    },
    /// The token or signature is not taken. The venue has not acted.
    NotAuthorised,
    /// The venue refuses with a reason that nobody has seen before. It has not acted.
    StrangeRefusal,
    /// The venue acts, and its answer cannot be right.
    Wrong(WrongAnswer),
}

wire_enum! {
    /// An answer that cannot be right, or not quite.
    WrongAnswer {
        /// Nothing at all, as a success.
        Empty = "empty",
        /// A page for people.
        Html = "html",
        /// The first half.
        Truncated = "truncated",
        /// Another type where a text or number should be.
        OtherType = "other_type",
        /// A state, type or other name that nobody has seen before.
        UnknownName = "unknown_name",
        /// A number beyond all reason.
        HugeNumber = "huge_number",
        /// About another order than was asked for.
        OtherOrder = "other_order",
        /// A field that nobody has seen before; all else is right, and must be taken.
        ExtraField = "extra_field",
    }
}

/// What goes wrong with the stream of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StreamFault {
    /// All streams end. What happens until a client is back is not told by itself.
    Cut,
    /// Streams stay open and say nothing more, also no heartbeat.
    Silent,
    /// The next message comes twice.
    Twice,
    /// The next two messages come in the other order.
    Swapped,
    /// The next message is lost; where the venue numbers its messages, a number is missing.
    Lost,
    /// A message of a kind that nobody has seen before.
    UnknownMessage,
    /// The next message names a state or kind that nobody has seen before.
    UnknownName,
    /// A message that cannot be read.
    Garbage,
}

/// Something that happens at the venue without a client's doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// A working order fills, at its limit or the touch where no price is given.
    Fill {
        /// Which.
        order: BrokerOrderId,
        /// How much.
        #[serde(with = "exact")]
        quantity: Decimal,
        /// At what price.
        #[serde(with = "exact_option")]
        price: Option<Decimal>,
    },
    /// The venue cancels a working order.
    Cancel {
        /// Which.
        order: BrokerOrderId,
    },
    /// A working order expires.
    Expire {
        /// Which.
        order: BrokerOrderId,
    },
    /// The venue refuses an order that it had accepted.
    Reject {
        /// Which.
        order: BrokerOrderId,
    },
    /// The venue corrects an execution.
    Correct {
        /// Which.
        fill: FillId,
        /// The right quantity.
        #[serde(with = "exact")]
        quantity: Decimal,
        /// The right price.
        #[serde(with = "exact")]
        price: Decimal,
    },
    /// The venue annuls an execution.
    Bust {
        /// Which.
        fill: FillId,
    },
    /// Cash comes or goes (below zero) without a trade.
    Cash {
        /// In the account's base currency.
        #[serde(with = "exact")]
        amount: Decimal,
    },
}

/// One thing that a test or a script does to a double.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// The next calls of a kind go wrong.
    Call {
        /// Which kind.
        call: Call,
        /// How.
        fault: CallFault,
        /// How many of them.
        times: u32,
    },
    /// The stream of events goes wrong.
    Stream(StreamFault),
    /// Something happens in the market or the account.
    Happen(Happening),
    /// The next cancellation finds its order filled, although the venue has taken the request.
    CancelLosesRace,
    /// The next order fills in so many equal parts.
    FillInParts(u32),
    /// The next order fills before its acknowledgement leaves.
    FillBeforeAnswer,
    /// Fees of fills are told this much later, in milliseconds.
    FeesLate(u64),
    /// What happens from now on stands in the history only this much later, in milliseconds; the stream tells it at once.
    HistoryLate(u64),
    /// Orders fill by themselves where prices allow it (`true`, as at the start), or only by [`Happening::Fill`].
    Matching(bool),
    /// Nobody can connect and all connections end (`true`), until it is over (`false`).
    Outage(bool),
    /// The venue's clock is ahead of this machine's by so many milliseconds, or behind (below zero).
    Clock(i64),
    /// All tokens and sessions that were handed out run out.
    ExpireTokens,
}

/// An order as the double has it.
#[derive(Debug, Clone, PartialEq)]
pub struct DoubleOrder {
    /// The venue's id.
    pub id: BrokerOrderId,
    /// The client's id as it was sent, where the venue takes one.
    pub client_id: Option<SmolStr>,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Whether it buys.
    pub buys: bool,
    /// Pricing; a marketable limit is a limit to a venue.
    pub order_type: OrderType,
    /// Life.
    pub tif: TimeInForce,
    /// Units.
    pub quantity: Decimal,
    /// Limit per unit.
    pub limit_price: Option<Decimal>,
    /// Stop per unit.
    pub stop_price: Option<Decimal>,
    /// Whether it may trade outside regular hours.
    pub extended_hours: bool,
    /// Units filled.
    pub filled: Decimal,
    /// In the broker's terms.
    pub state: OrderState,
}

/// A fill as the double has it.
#[derive(Debug, Clone, PartialEq)]
pub struct DoubleFill {
    /// The venue's id, as an adapter tells it.
    pub id: FillId,
    /// The order's id at the venue.
    pub order: BrokerOrderId,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Whether it bought.
    pub bought: bool,
    /// Units.
    pub quantity: Decimal,
    /// Price per unit.
    pub price: Decimal,
    /// In the account's base currency.
    pub fees: Decimal,
    /// When.
    pub time: Timestamp,
}

/// What the double's account holds.
#[derive(Debug, Clone, PartialEq)]
pub struct DoubleAccount {
    /// Cash in the base currency.
    pub cash: Decimal,
    /// Units by symbol, below zero = short; none that is zero.
    pub positions: BTreeMap<Symbol, Decimal>,
}

/// Something that a double cannot do, such as an annulled execution at a venue that never does that. The suite skips what
/// needs it and tells the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotPossible {
    /// Why.
    pub reason: String,
}

/// A venue's double, running. Dropping it ends it. Each call is done when it returns, and never waits for a client.
pub trait VenueDouble: Send + Sync {
    /// The venue's name, as its broker's.
    fn name(&self) -> &str;
    /// Where it listens, by the names of the adapter's settings: `rest` → `http://127.0.0.1:4711`.
    fn endpoints(&self) -> BTreeMap<SmolStr, String>;
    /// The secrets it takes, by the names of the adapter's settings. They are found nowhere else: who sees one in an output has
    /// found a leak.
    fn credentials(&self) -> BTreeMap<SmolStr, SecretString>;
    /// Instruments that trade there, the first of them good for every case.
    fn symbols(&self) -> Vec<Symbol>;
    /// Sets the best prices of an instrument.
    fn quote(&self, quote: &Quote);
    /// Does something to it.
    ///
    /// # Errors
    /// [`NotPossible`], and nothing has changed.
    fn act(&self, act: &Act) -> Result<(), NotPossible>;
    /// All orders that it has taken, oldest first.
    fn orders(&self) -> Vec<DoubleOrder>;
    /// All fills, oldest first, as they are after corrections.
    fn fills(&self) -> Vec<DoubleFill>;
    /// What the account holds.
    fn account(&self) -> DoubleAccount;
    /// How many requests of a kind have reached it, answered or not.
    fn calls(&self, call: Call) -> u64;
    /// How many streams are open.
    fn streams(&self) -> usize;
}
