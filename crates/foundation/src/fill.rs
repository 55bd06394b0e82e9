//! Fills: what was really traded.

use crate::ids::{FillId, InvalidId, OrderId, VenueName};
use crate::num::{Decimal, MAX_PRICE, MAX_QUANTITY, exact, fault_of_positive};
use crate::order::Side;
use crate::symbol::Symbol;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// An execution. Its price and quantity are greater than zero by construction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "FillWire")]
#[cfg_attr(feature = "schema", schemars(!try_from))]
pub struct Fill {
    /// The venue's id, unique per venue and account.
    pub fill_id: FillId,
    /// Our order.
    pub order_id: OrderId,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Direction and effect.
    pub side: Side,
    /// Units, greater than zero.
    #[serde(with = "exact")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::PositiveDecimal"))]
    pub quantity: Decimal,
    /// Price per unit, greater than zero, in the instrument's currency.
    #[serde(with = "exact")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::schema::PositiveDecimal"))]
    pub price: Decimal,
    /// Fees in the account's base currency, positive = cost (decision F2).
    #[serde(with = "exact")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub fees: Decimal,
    /// Where it happened.
    pub venue: VenueName,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What the venue said in its own words, kept for audit: at most [`MAX_RAW_ENTRIES`] entries.
    #[cfg_attr(feature = "schema", schemars(default, extend("maxProperties" = MAX_RAW_ENTRIES)))]
    pub raw: BTreeMap<SmolStr, SmolStr>,
}

/// Most entries of a fill's `raw` map; a venue cannot make us keep more.
pub const MAX_RAW_ENTRIES: usize = 64;

/// Why a fill is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFill {
    /// A name is not usable.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// Quantity, price or fees are out of range.
    #[error("fill {fill_id}: {field}: {fault}")]
    OutOfRange {
        /// Which fill.
        fill_id: FillId,
        /// Which field.
        field: &'static str,
        /// What is wrong with the value.
        fault: String,
    },
    /// The raw record is too large.
    #[error("fill {fill_id}: raw has {entries} entries; keep at most {MAX_RAW_ENTRIES}")]
    TooMuchRaw {
        /// Which fill.
        fill_id: FillId,
        /// How many entries were given.
        entries: usize,
    },
}

#[derive(Deserialize)]
struct FillWire {
    fill_id: FillId,
    order_id: OrderId,
    symbol: Symbol,
    side: Side,
    #[serde(with = "exact")]
    quantity: Decimal,
    #[serde(with = "exact")]
    price: Decimal,
    #[serde(with = "exact", default)]
    fees: Decimal,
    venue: VenueName,
    timestamp: Timestamp,
    #[serde(default)]
    raw: BTreeMap<SmolStr, SmolStr>,
}

impl TryFrom<FillWire> for Fill {
    type Error = InvalidFill;
    fn try_from(wire: FillWire) -> Result<Self, InvalidFill> {
        Self {
            fill_id: wire.fill_id,
            order_id: wire.order_id,
            symbol: wire.symbol,
            side: wire.side,
            quantity: wire.quantity,
            price: wire.price,
            fees: wire.fees,
            venue: wire.venue,
            timestamp: wire.timestamp,
            raw: wire.raw,
        }
        .checked()
    }
}

impl Fill {
    /// A fill without fees at venue `paper`; set the public fields for more, then call [`Fill::checked`].
    ///
    /// # Errors
    /// [`InvalidFill`] for an unusable id or a quantity or price that is not positive.
    pub fn new(
        fill_id: &str,
        order_id: &str,
        symbol: &str,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        timestamp: Timestamp,
    ) -> Result<Self, InvalidFill> {
        Self {
            fill_id: FillId::new(fill_id)?,
            order_id: OrderId::new(order_id)?,
            symbol: Symbol::new(symbol)?,
            side,
            quantity,
            price,
            fees: Decimal::ZERO,
            venue: VenueName::new("paper")?,
            timestamp,
            raw: BTreeMap::new(),
        }
        .checked()
    }

    /// Checks the rules that a literal with public fields could break.
    ///
    /// # Errors
    /// [`InvalidFill`] for a number out of range, or too much raw data.
    pub fn checked(self) -> Result<Self, InvalidFill> {
        let fees = self.fees.abs().max(Decimal::ONE);
        let numbers = [
            ("quantity", self.quantity, MAX_QUANTITY),
            ("price", self.price, MAX_PRICE),
            ("fees", fees, MAX_QUANTITY),
        ];
        for (field, value, largest) in numbers {
            if let Some(fault) = fault_of_positive(value, largest) {
                return Err(InvalidFill::OutOfRange { fill_id: self.fill_id, field, fault });
            }
        }
        if self.raw.len() > MAX_RAW_ENTRIES {
            let entries = self.raw.len();
            return Err(InvalidFill::TooMuchRaw { fill_id: self.fill_id, entries });
        }
        Ok(self)
    }

    /// Quantity times price, before fees, without a multiplier.
    #[must_use]
    pub fn gross(&self) -> Decimal {
        self.quantity * self.price
    }

    /// Cash effect with fees: negative when money leaves (`Buy`, `Cover`).
    #[must_use]
    pub fn net_proceeds(&self) -> Decimal {
        self.side.signed(-self.gross()) - self.fees
    }
}

/// Quantity-weighted average price; zero when nothing was filled.
#[must_use]
pub fn average_price<'a>(fills: impl IntoIterator<Item = &'a Fill>) -> Decimal {
    let (value, quantity) =
        fills.into_iter().fold((Decimal::ZERO, Decimal::ZERO), |(value, quantity), fill| {
            (value + fill.gross(), quantity + fill.quantity)
        });
    value.checked_div(quantity).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(side: Side, quantity: i64, price: &str) -> Result<Fill, InvalidFill> {
        Fill::new("f", "o", "AAPL", side, Decimal::from(quantity), price.parse().unwrap(), Timestamp::EPOCH)
    }

    #[test]
    fn the_documented_average_price() {
        let fills = [(40, "180.45"), (40, "180.50"), (20, "180.55")]
            .map(|(quantity, price)| fill(Side::Buy, quantity, price).unwrap());
        assert_eq!(average_price(&fills), "180.49".parse().unwrap());
        assert_eq!(average_price(&[]), Decimal::ZERO);
    }

    #[test]
    fn proceeds_have_the_sign_of_the_cash() {
        for (side, expected) in
            [(Side::Buy, "-1001"), (Side::Cover, "-1001"), (Side::Sell, "999"), (Side::Short, "999")]
        {
            let mut fill = fill(side, 10, "100").unwrap();
            fill.fees = Decimal::ONE;
            assert_eq!(fill.net_proceeds(), expected.parse().unwrap(), "{side}");
        }
    }

    #[test]
    fn nothing_traded_is_no_fill() {
        assert!(
            fill(Side::Buy, 0, "1").unwrap_err().to_string().contains("quantity: 0 is not greater than zero")
        );
        assert!(fill(Side::Buy, 1, "-1").is_err());
        assert!(fill(Side::Buy, 1, "1000000000001").is_err());
        let json = serde_json::to_string(&fill(Side::Sell, 3, "1.50").unwrap()).unwrap();
        assert!(serde_json::from_str::<Fill>(&json.replace("\"3\"", "\"-3\"")).is_err());
    }
}
