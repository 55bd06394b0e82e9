//! Comparing what we think with what an account says.

use crate::account::Account;
use crate::broker_event::OrderReport;
use crate::num::{Decimal, exact};
use crate::position::Position;
use crate::symbol::Symbol;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything a broker says of an account at one moment: what a reconciliation compares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountSnapshot {
    /// Orders that may still fill.
    pub open_orders: Vec<OrderReport>,
    /// Signed units by instrument; one that is not named is flat.
    pub positions: Vec<Position>,
    /// Balances.
    pub account: Account,
}

/// A position that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Difference {
    /// Instrument.
    pub symbol: Symbol,
    /// Signed units by our own record.
    #[serde(with = "exact")]
    pub ours: Decimal,
    /// Signed units by the account.
    #[serde(with = "exact")]
    pub theirs: Decimal,
}

impl Difference {
    /// Units that the account has more than we think.
    #[must_use]
    pub fn by(&self) -> Decimal {
        self.theirs - self.ours
    }
}

/// Positions that differ, by symbol. An instrument that one side does not name is flat there.
#[must_use]
pub fn diff(ours: &BTreeMap<Symbol, Decimal>, theirs: &BTreeMap<Symbol, Decimal>) -> Vec<Difference> {
    let units =
        |side: &BTreeMap<Symbol, Decimal>, symbol: &Symbol| side.get(symbol).copied().unwrap_or_default();
    let only_theirs = theirs.keys().filter(|symbol| !ours.contains_key(*symbol));
    let mut differences: Vec<Difference> = ours
        .keys()
        .chain(only_theirs)
        .map(|symbol| Difference {
            symbol: symbol.clone(),
            ours: units(ours, symbol),
            theirs: units(theirs, symbol),
        })
        .filter(|found| found.ours != found.theirs)
        .collect();
    differences.sort_by(|left, right| left.symbol.cmp(&right.symbol));
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_does_not_name_is_flat_there() {
        let side = |held: &[(&str, i64)]| -> BTreeMap<Symbol, Decimal> {
            held.iter().map(|(name, units)| (name.parse().unwrap(), Decimal::from(*units))).collect()
        };
        let ours = side(&[("A", 5), ("B", -2), ("C", 0), ("D", 1)]);
        let theirs = side(&[("A", 5), ("B", 3), ("E", 7)]);
        let found: Vec<_> =
            diff(&ours, &theirs).into_iter().map(|found| (found.symbol.to_string(), found.by())).collect();
        let by = |name: &str, units: i64| (name.to_owned(), Decimal::from(units));
        assert_eq!(found, [by("B", 5), by("D", -1), by("E", 7)]);
        assert_eq!(diff(&ours, &ours), []);
    }
}
