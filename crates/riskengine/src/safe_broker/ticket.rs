//! An order as a person or a strategy asks for it.

use mts_foundation::order_intent::Intent;
use mts_foundation::{Decimal, IdempotencyKey, OrderType, Symbol, TimeInForce};
use smol_str::SmolStr;

/// The documented parameters of `submit_order` with their defaults: a market order for the day whose side is that of the
/// quantity's sign.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderTicket {
    /// Instrument.
    pub asset: Symbol,
    /// Units: signed without a side, above zero with one.
    pub quantity: Decimal,
    /// Buying or selling; `None` = buying when `quantity` is above zero, selling below. Which of buy and cover, of sell
    /// and short it is, is the position's doing.
    pub side: Option<Intent>,
    /// Pricing.
    pub order_type: OrderType,
    /// For types that take one.
    pub limit_price: Option<Decimal>,
    /// For types that take one.
    pub stop_price: Option<Decimal>,
    /// Lifetime.
    pub tif: TimeInForce,
    /// May trade outside regular hours.
    pub extended_hours: bool,
    /// Dedupe key; `None` = each ticket is an order of its own.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Why; logged, so no personal data.
    pub thesis: Option<SmolStr>,
}

impl OrderTicket {
    /// A market order for the day.
    #[must_use]
    pub fn new(asset: Symbol, quantity: Decimal) -> Self {
        Self {
            asset,
            quantity,
            side: None,
            order_type: OrderType::Market,
            limit_price: None,
            stop_price: None,
            tif: TimeInForce::Day,
            extended_hours: false,
            idempotency_key: None,
            thesis: None,
        }
    }

    /// The same with a limit.
    #[must_use]
    pub fn limit(self, price: Decimal) -> Self {
        Self { order_type: OrderType::Limit, limit_price: Some(price), ..self }
    }

    /// The same with a stop.
    #[must_use]
    pub fn stop(self, price: Decimal) -> Self {
        Self { order_type: OrderType::Stop, stop_price: Some(price), ..self }
    }
}
