//! Money that moves outside of fills.

use crate::num::{Decimal, exact};
use crate::order::wire_enum;
use crate::symbol::{Currency, Symbol};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

wire_enum! {
    /// Why cash moved on an account outside of fills.
    CashKind {
        /// Money in.
        Deposit = "deposit",
        /// Money out.
        Withdrawal = "withdrawal",
        /// A dividend or distribution.
        Dividend = "dividend",
        /// Interest paid or received.
        Interest = "interest",
        /// Stock borrow cost.
        Borrow = "borrow",
        /// A fee that belongs to no fill.
        Fee = "fee",
        /// Anything the adapter cannot name.
        Other = "other",
    }
}

impl CashKind {
    /// Whether the movement is capital, in or out, and so neither profit nor loss (decision R8).
    #[must_use]
    pub const fn is_capital(self) -> bool {
        matches!(self, Self::Deposit | Self::Withdrawal)
    }

    /// Whether an amount fits: a deposit is money in, a withdrawal money out; the others go both ways (a dividend on a
    /// short position is paid), and none is nothing.
    #[must_use]
    pub fn allows(self, amount: Decimal) -> bool {
        match self {
            Self::Deposit => amount > Decimal::ZERO,
            Self::Withdrawal => amount < Decimal::ZERO,
            _ => !amount.is_zero(),
        }
    }
}

/// One movement of cash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CashFlow {
    /// The venue's id of the movement; seen twice it takes effect once.
    pub id: SmolStr,
    /// Why.
    pub kind: CashKind,
    /// Positive = money in.
    #[serde(with = "exact")]
    pub amount: Decimal,
    /// Currency of the amount.
    pub currency: Currency,
    /// Instrument, for dividends and the like.
    pub symbol: Option<Symbol>,
    /// When.
    pub time: Timestamp,
}

impl CashFlow {
    /// Whether the sign of the amount fits its kind ([`CashKind::allows`]).
    #[must_use]
    pub fn has_plausible_sign(&self) -> bool {
        self.kind.allows(self.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_fit_their_kind_and_capital_is_no_profit() {
        for kind in CashKind::ALL {
            let plausible = |amount: i64| {
                let (id, currency, time) = (SmolStr::new_static("c"), Currency::USD, Timestamp::EPOCH);
                let amount = Decimal::from(amount);
                CashFlow { id, kind: *kind, amount, currency, symbol: None, time }.has_plausible_sign()
            };
            assert!(!plausible(0), "{kind}");
            assert_eq!(plausible(1), *kind != CashKind::Withdrawal, "{kind}");
            assert_eq!(plausible(-1), *kind != CashKind::Deposit, "{kind}");
            assert_eq!(kind.is_capital(), matches!(kind, CashKind::Deposit | CashKind::Withdrawal));
        }
    }
}
