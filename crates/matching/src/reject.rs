//! Why an order is refused.

use mts_foundation::risk::SessionPhase;
use mts_foundation::{Decimal, OrderId, OrderType, Symbol, TimeInForce};
use smol_str::SmolStr;

/// Why the exchange refuses an order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// The id is in use.
    #[error("order {order_id} is working already; use a new id")]
    Duplicate {
        /// Which.
        order_id: OrderId,
    },
    /// The combination does not exist.
    #[error("{order_type} orders cannot be {tif}; use a market or limit order")]
    Unsupported {
        /// Its type.
        order_type: OrderType,
        /// Its time in force.
        tif: TimeInForce,
    },
    /// As many orders as may be held.
    #[error("the exchange holds {limit} orders, the most it takes; cancel some")]
    Full {
        /// The bound.
        limit: usize,
    },
    /// As many instruments as may be known.
    #[error("the exchange knows {limit} instruments, the most it takes; give it an instrument table")]
    TooManyInstruments {
        /// The bound.
        limit: usize,
    },
    /// Not in the instrument table.
    #[error("{symbol} is not traded here; add it to the instrument table")]
    UnknownInstrument {
        /// Which.
        symbol: Symbol,
    },
    /// A price between two ticks.
    #[error("{field} {price} of {symbol} is no multiple of the tick {tick}; round it")]
    Tick {
        /// Instrument.
        symbol: Symbol,
        /// Which price.
        field: &'static str,
        /// The price.
        price: Decimal,
        /// The tick.
        tick: Decimal,
    },
    /// A quantity between two lots.
    #[error("quantity {quantity} of {symbol} is no multiple of the lot {lot}; round it down")]
    Lot {
        /// Instrument.
        symbol: Symbol,
        /// The quantity.
        quantity: Decimal,
        /// The lot.
        lot: Decimal,
    },
    /// A price too far from the market.
    #[error("{field} {price} is further than {band} of it from the last price {last}; come closer")]
    PriceBand {
        /// Which price.
        field: &'static str,
        /// The price.
        price: Decimal,
        /// Share of the last price that is allowed.
        band: Decimal,
        /// The last price.
        last: Decimal,
    },
    /// The order cannot trade now.
    #[error("a {order_type} {tif} order cannot trade while the market is {}; send it in its session", phase_name(*phase))]
    ClosedMarket {
        /// Its type.
        order_type: OrderType,
        /// Its time in force.
        tif: TimeInForce,
        /// Where the market stands.
        phase: SessionPhase,
    },
    /// Short sales are not taken.
    #[error("short sales are not taken: {wanted} units are offered and {held} are held; reduce the quantity")]
    NoShorting {
        /// Units offered, working sales included.
        wanted: Decimal,
        /// Units held.
        held: Decimal,
    },
    /// Not enough to borrow.
    #[error("{wanted} {symbol} cannot be borrowed, {available} can; reduce the quantity")]
    NoBorrow {
        /// Instrument.
        symbol: Symbol,
        /// Units wanted.
        wanted: Decimal,
        /// Units left of the list.
        available: Decimal,
    },
    /// Not enough cash.
    #[error("the order needs {needed} and {available} is free; reduce the quantity")]
    InsufficientFunds {
        /// What it costs, before fees.
        needed: Decimal,
        /// Cash less what working purchases need.
        available: Decimal,
    },
    /// A fill-or-kill order that cannot be filled whole.
    #[error("only {available} of {wanted} can be had at once; a fill-or-kill order needs all of it")]
    NotAllAvailable {
        /// Units wanted.
        wanted: Decimal,
        /// Units that could be had.
        available: Decimal,
    },
    /// A number that is not greater than zero, or a price that the type does not have.
    #[error("{field} {value} does not fit a {order_type} order; leave it out or give a positive one")]
    Terms {
        /// Which field.
        field: &'static str,
        /// The value.
        value: Decimal,
        /// The order's type.
        order_type: OrderType,
    },
    /// The order does not work here.
    #[error("order {order_id} is not working any more")]
    NotWorking {
        /// Which.
        order_id: OrderId,
    },
    /// A test wants it.
    #[error("{reason}")]
    Scripted {
        /// The reason it gave.
        reason: SmolStr,
    },
}

fn phase_name(phase: SessionPhase) -> &'static str {
    match phase {
        SessionPhase::NoCalendar => "without sessions",
        SessionPhase::Regular => "in regular trading",
        SessionPhase::Extended => "in extended hours",
        SessionPhase::Closed => "closed",
    }
}
