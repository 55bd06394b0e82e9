//! Venues' words and ours, as far as all adapters say the same.

use super::failure::Failure;
use super::known::KnownOrder;
use mts_foundation::{BrokerOrderId, Decimal, FundId, OrderId, Position, Side, Symbol, Timestamp};
use std::fmt::Display;

/// An answer that cannot be read, with what is wrong with it.
pub fn unreadable(error: impl Display) -> Failure {
    Failure::unreadable(error.to_string())
}

/// What cannot be said in our words is an answer that cannot be read.
pub fn strange(field: &str, value: impl Display) -> Failure {
    Failure::unreadable(format!("{field} is {value}, which mts does not know"))
}

/// A venue's id of an order.
///
/// # Errors
/// [`Failure`] of kind `Unreadable` for a text that is none.
pub fn venue_id(id: &str) -> Result<BrokerOrderId, Failure> {
    BrokerOrderId::new(id).map_err(unreadable)
}

/// The side of an order: venues tell the direction, and we know the effect of ours.
#[must_use]
pub fn side(told: Side, known: Option<&KnownOrder>) -> Side {
    known.map(|known| known.side).filter(|side| side.sign() == told.sign()).unwrap_or(told)
}

/// Our id of the order that a fill belongs to. Somebody else's order on the account is told by the venue's, and belongs to none
/// of ours.
///
/// # Errors
/// [`Failure`] of kind `Unreadable` for a text that is no id.
pub fn order_of(known: Option<&KnownOrder>, venue: &str, order: &str) -> Result<OrderId, Failure> {
    match known {
        Some(known) => Ok(known.order_id.clone()),
        None => OrderId::new(format!("{venue}:{order}")).map_err(unreadable),
    }
}

/// What is held at a venue that does not say what was paid: the last price stands in for that.
#[must_use]
pub fn held(
    owner: &FundId,
    symbol: Symbol,
    quantity: Decimal,
    last_price: Decimal,
    now: Timestamp,
) -> Position {
    Position {
        fund_id: owner.clone(),
        symbol,
        quantity,
        avg_price: last_price,
        last_price,
        market_value_usd: last_price.saturating_mul(quantity),
        unrealized_pl_usd: Decimal::ZERO,
        realized_pl_ytd_usd: Decimal::ZERO,
        last_updated: now,
        tax_lots: Vec::new(),
    }
}
