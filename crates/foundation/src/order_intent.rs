//! From what one wants to the side and type of an order.

use crate::num::Decimal;
use crate::order::{OrderType, Side, wire_enum};

wire_enum! {
    /// What a trader says who thinks in buying and selling; the position decides which [`Side`] that is.
    Intent {
        /// More units, or fewer short.
        Buy = "buy",
        /// Fewer units, or more short.
        Sell = "sell",
    }
}

/// A quantity that would take a position through zero; both parts are named, so that the caller can send two orders
/// (decision S2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{intent} {quantity} with {held} held goes through zero: {closing} {to_close} closes the position, {opening} {to_open} \
     opens the other way; send them as two orders"
)]
pub struct ThroughZero {
    /// What was wanted.
    pub intent: Intent,
    /// Units wanted.
    pub quantity: Decimal,
    /// Signed units held.
    pub held: Decimal,
    /// The side that closes.
    pub closing: Side,
    /// Units that close the position.
    pub to_close: Decimal,
    /// The side that opens.
    pub opening: Side,
    /// Units left to open the other way.
    pub to_open: Decimal,
}

/// The side of an order, given the signed units held: buying covers a short position and opens or adds otherwise;
/// selling closes a long position and sells short otherwise.
#[must_use]
pub fn open_or_close(intent: Intent, held: Decimal) -> Side {
    match intent {
        Intent::Buy if held < Decimal::ZERO => Side::Cover,
        Intent::Buy => Side::Buy,
        Intent::Sell if held > Decimal::ZERO => Side::Sell,
        Intent::Sell => Side::Short,
    }
}

/// The side of an order over `quantity` units, as [`open_or_close`].
///
/// # Errors
/// [`ThroughZero`] when the order would close more than is held.
pub fn side_of(intent: Intent, held: Decimal, quantity: Decimal) -> Result<Side, ThroughZero> {
    let side = open_or_close(intent, held);
    let to_close = held.abs();
    if side.is_opening() || quantity <= to_close {
        return Ok(side);
    }
    let opening = if intent == Intent::Buy { Side::Buy } else { Side::Short };
    let to_open = quantity - to_close;
    Err(ThroughZero { intent, quantity, held, closing: side, to_close, opening, to_open })
}

/// Up to this value, in US dollars, [`pick_order_type`] trades at the touch.
pub const SMALL_ORDER_USD: Decimal = Decimal::from_parts(5_000, 0, 0, false, 0);

/// The type for an order of this value in US dollars: a limit outside regular hours and for 5,000 and more (larger sizes
/// belong to an execution algorithm), else a marketable limit.
#[must_use]
pub fn pick_order_type(notional: Decimal, in_regular_hours: bool) -> OrderType {
    if in_regular_hours && notional < SMALL_ORDER_USD { OrderType::MarketableLimit } else { OrderType::Limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(value: i64) -> Decimal {
        Decimal::from(value)
    }

    #[test]
    fn the_documented_sides() {
        for (intent, held, expected) in [
            ("buy", 5, Side::Buy),
            ("buy", 0, Side::Buy),
            ("buy", -5, Side::Cover),
            ("sell", 5, Side::Sell),
            ("sell", 0, Side::Short),
            ("sell", -5, Side::Short),
        ] {
            assert_eq!(open_or_close(intent.parse().unwrap(), d(held)), expected, "{intent} {held}");
        }
        let error = "hold".parse::<Intent>().unwrap_err().to_string();
        assert_eq!(error, "\"hold\" is unknown; use one of buy, sell");
    }

    #[test]
    fn a_quantity_through_zero_is_refused_with_both_parts() {
        assert_eq!(side_of(Intent::Sell, d(5), d(5)), Ok(Side::Sell));
        assert_eq!(side_of(Intent::Buy, d(5), d(500)), Ok(Side::Buy));
        let error = side_of(Intent::Buy, d(-5), d(8)).unwrap_err();
        assert_eq!((error.closing, error.to_close), (Side::Cover, d(5)));
        assert_eq!((error.opening, error.to_open), (Side::Buy, d(3)));
        assert!(
            error.to_string().starts_with("buy 8 with -5 held goes through zero: cover 5 closes"),
            "{error}"
        );
        let error = side_of(Intent::Sell, d(5), d(8)).unwrap_err();
        assert_eq!((error.closing, error.opening, error.to_open), (Side::Sell, Side::Short, d(3)));
    }

    #[test]
    fn the_documented_types() {
        for (notional, regular, expected) in [
            (4_999, true, OrderType::MarketableLimit),
            (5_000, true, OrderType::Limit),
            (1, false, OrderType::Limit),
            (100_000, false, OrderType::Limit),
        ] {
            assert_eq!(pick_order_type(d(notional), regular), expected, "{notional} {regular}");
        }
    }
}
