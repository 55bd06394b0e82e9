//! What an execution costs.

use mts_foundation::{Decimal, Fill};

/// Fees of an execution, in the currency of its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeeModel {
    /// None.
    Free,
    /// Basis points of the traded value, on each side.
    BasisPoints(Decimal),
}

impl FeeModel {
    /// Fees of this much at this price.
    #[must_use]
    pub fn fees(&self, quantity: Decimal, price: Decimal, multiplier: Decimal) -> Decimal {
        match self {
            Self::Free => Decimal::ZERO,
            Self::BasisPoints(points) => {
                (quantity * price * multiplier * points / Decimal::from(10_000)).normalize()
            }
        }
    }

    /// Fees of a fill with multiplier 1.
    #[must_use]
    pub fn of(&self, fill: &Fill) -> Decimal {
        self.fees(fill.quantity, fill.price, Decimal::ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basis_points_are_exact() {
        let model = FeeModel::BasisPoints(Decimal::from(5));
        let fees = model.fees(Decimal::from(333), "1.234".parse().unwrap(), Decimal::ONE);
        assert_eq!(fees, "0.205461".parse().unwrap());
        assert_eq!(FeeModel::Free.fees(Decimal::TEN, Decimal::TEN, Decimal::ONE), Decimal::ZERO);
    }
}
