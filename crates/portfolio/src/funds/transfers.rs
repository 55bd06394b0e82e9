//! Which fund pays which.

use mts_foundation::num::exact;
use mts_foundation::{Decimal, FundId};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::VecDeque;

/// Money that has to go from one fund's account to another's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// Who pays.
    pub from: FundId,
    /// Who receives.
    pub to: FundId,
    /// How much, above zero.
    #[serde(with = "exact")]
    pub amount: Decimal,
}

/// The transfers that bring about `deltas`: the fund that has most to give pays the one that lacks most, until nothing is left.
/// No fund both pays and receives, and each transfer settles at least one fund: n funds need at most n − 1. Ties go by id. What
/// has no counterpart, because the deltas are not zero in sum, is left out.
#[must_use]
pub fn net_transfers(deltas: &[(FundId, Decimal)]) -> Vec<Transfer> {
    let side = |sign: Decimal| {
        let mut side: Vec<(&FundId, Decimal)> = deltas
            .iter()
            .map(|(fund_id, delta)| (fund_id, delta * sign))
            .filter(|(_, amount)| *amount > Decimal::ZERO)
            .collect();
        side.sort_by_key(|(fund_id, amount)| (Reverse(*amount), *fund_id));
        VecDeque::from(side)
    };
    let (mut givers, mut takers) = (side(Decimal::NEGATIVE_ONE), side(Decimal::ONE));
    let mut transfers = Vec::new();
    while let (Some((from, given)), Some((to, taken))) = (givers.pop_front(), takers.pop_front()) {
        let amount = given.min(taken);
        transfers.push(Transfer { from: from.clone(), to: to.clone(), amount });
        if given > amount {
            givers.push_front((from, given - amount));
        }
        if taken > amount {
            takers.push_front((to, taken - amount));
        }
    }
    transfers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_transfers_settle_everybody() {
        let deltas = [("a", -30), ("b", 10), ("c", -5), ("d", 25), ("e", 0)]
            .map(|(name, amount)| (FundId::new(name).unwrap(), Decimal::from(amount)));
        let moves: Vec<String> = net_transfers(&deltas)
            .iter()
            .map(|one| format!("{} {} {}", one.from, one.to, one.amount))
            .collect();
        assert_eq!(moves, ["a d 25", "a b 5", "c b 5"]);
        assert!(net_transfers(&[]).is_empty());
    }
}
