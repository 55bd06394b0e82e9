//! Several strategies in one fund: each has a sleeve, a share of the fund, and what they want is netted before it is traded.

use mts_foundation::signal::{TargetSet, TargetWeight};
use mts_foundation::sizing::ComputeError;
use mts_foundation::{Decimal, FundId, StrategyId, Symbol, Timestamp};
use std::collections::BTreeMap;

const NAME: &str = "sleeves";

/// What a strategy wants of its sleeve.
#[derive(Debug, Clone, PartialEq)]
pub struct Sleeve {
    /// The sleeve's share of the fund, at least 0.
    pub share: Decimal,
    /// What the strategy wants, as weights of its sleeve.
    pub targets: TargetSet,
}

/// What one sleeve contributes to the weight of an instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// Whose sleeve.
    pub strategy_id: StrategyId,
    /// Its part, as a weight of the fund.
    pub weight: Decimal,
}

/// The composed book of a fund.
#[derive(Debug, Clone, PartialEq)]
pub struct Composition {
    /// What the fund shall hold.
    pub targets: TargetSet,
    /// Where each weight comes from, by instrument, strategies in order.
    pub contributions: BTreeMap<Symbol, Vec<Contribution>>,
    /// Σ |weight| over sleeves and instruments, less what remains after netting: what need not be traded because one sleeve
    /// sells what another buys.
    pub netted: Decimal,
}

/// Composes the sleeves of a fund: each weight is share × weight, summed over sleeves. An instrument that a sleeve names with
/// a weight of zero is named in the result, so that it is sold. Sleeves may together have less than the whole fund (the rest
/// is cash), not more than `max_total`.
///
/// # Errors
/// [`ComputeError`] for a sleeve of another fund, two of one strategy, an instrument twice in a sleeve, a negative share, shares
/// that together exceed `max_total`, and beyond the range of decimals.
pub fn compose(
    fund_id: &FundId,
    strategy_id: &StrategyId,
    asof: Timestamp,
    sleeves: &[Sleeve],
    max_total: Decimal,
) -> Result<Composition, ComputeError> {
    let refuse = |message: String| ComputeError::new(NAME, message);
    let total: Decimal = sleeves.iter().map(|sleeve| sleeve.share).sum();
    if total > max_total {
        return Err(refuse(format!(
            "the sleeves of {fund_id} have {total} of it; at most {max_total} is allowed"
        )));
    }
    let mut contributions: BTreeMap<Symbol, Vec<Contribution>> = BTreeMap::new();
    for (place, Sleeve { share, targets }) in sleeves.iter().enumerate() {
        let owner = &targets.strategy_id;
        if targets.fund_id != *fund_id {
            return Err(refuse(format!("sleeve {owner} is of fund {}, not of {fund_id}", targets.fund_id)));
        }
        if *share < Decimal::ZERO {
            return Err(refuse(format!("the share of sleeve {owner} is {share}; it must be at least 0")));
        }
        if sleeves.iter().take(place).any(|other| other.targets.strategy_id == *owner) {
            return Err(refuse(format!("sleeve {owner} is there twice; give each strategy one sleeve")));
        }
        for target in &targets.weights {
            let parts = contributions.entry(target.symbol.clone()).or_default();
            if parts.iter().any(|part| part.strategy_id == *owner) {
                return Err(refuse(format!(
                    "sleeve {owner} has two weights for {}; give one",
                    target.symbol
                )));
            }
            let weight = share.checked_mul(target.weight).ok_or_else(|| {
                refuse(format!(
                    "the weight of {} in sleeve {owner} leaves the range of decimals",
                    target.symbol
                ))
            })?;
            parts.push(Contribution { strategy_id: owner.clone(), weight });
        }
    }
    let mut netted = Decimal::ZERO;
    let mut weights = Vec::with_capacity(contributions.len());
    for (symbol, parts) in &mut contributions {
        parts.sort_by(|left, right| left.strategy_id.cmp(&right.strategy_id));
        let weight: Decimal = parts.iter().map(|part| part.weight).sum();
        let apart: Decimal = parts.iter().map(|part| part.weight.abs()).sum();
        netted += apart - weight.abs();
        weights.push(TargetWeight { symbol: symbol.clone(), weight, signal: None, rank: None });
    }
    let targets = TargetSet { fund_id: fund_id.clone(), strategy_id: strategy_id.clone(), asof, weights };
    Ok(Composition { targets, contributions, netted })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn fund() -> FundId {
        FundId::new("f").unwrap()
    }

    fn sleeve(owner: &str, share: &str, weights: &[(&str, &str)]) -> Sleeve {
        let weights = weights.iter().map(|(symbol, weight)| TargetWeight {
            symbol: Symbol::new(symbol).unwrap(),
            weight: d(weight),
            signal: None,
            rank: Some(1),
        });
        let strategy_id = StrategyId::new(owner).unwrap();
        let (asof, weights) = (Timestamp::EPOCH, weights.collect());
        Sleeve { share: d(share), targets: TargetSet { fund_id: fund(), strategy_id, asof, weights } }
    }

    fn composed(sleeves: &[Sleeve]) -> Result<Composition, ComputeError> {
        compose(&fund(), &StrategyId::new("all").unwrap(), Timestamp::EPOCH, sleeves, Decimal::ONE)
    }

    #[test]
    fn sleeves_are_netted_and_say_where_weights_come_from() {
        let momentum = sleeve("momentum", "0.6", &[("A", "0.5"), ("B", "0.5")]);
        let carry = sleeve("carry", "0.3", &[("B", "-1"), ("C", "1"), ("D", "0")]);
        let composition = composed(&[momentum.clone(), carry.clone()]).unwrap();
        let weights: Vec<String> = composition
            .targets
            .weights
            .iter()
            .map(|one| format!("{} {}", one.symbol, one.weight.normalize()))
            .collect();
        assert_eq!(weights, ["A 0.3", "B 0", "C 0.3", "D 0"]);
        assert_eq!(composition.netted, d("0.6"), "0.3 bought by one and 0.3 sold by the other");
        let of_b = &composition.contributions[&Symbol::new("B").unwrap()];
        assert_eq!(of_b[0].strategy_id.as_str(), "carry");
        assert_eq!((of_b[0].weight, of_b[1].weight), (d("-0.3"), d("0.30")));
        let turned = composed(&[carry, momentum]).unwrap();
        assert_eq!(turned, composition, "the order of the sleeves does not matter");
    }

    #[test]
    fn sleeves_that_do_not_fit_are_refused() {
        let a = || sleeve("a", "0.6", &[("A", "1")]);
        let mut stranger = sleeve("b", "0.1", &[]);
        stranger.targets.fund_id = FundId::new("other").unwrap();
        for (sleeves, word) in [
            (vec![a(), sleeve("b", "0.5", &[])], "have 1.1 of it"),
            (vec![a(), sleeve("a", "0.1", &[])], "is there twice"),
            (vec![sleeve("b", "-0.1", &[])], "must be at least 0"),
            (vec![stranger], "is of fund other"),
            (vec![sleeve("b", "0.5", &[("A", "1"), ("A", "0.5")])], "two weights for A"),
        ] {
            let error = composed(&sleeves).unwrap_err();
            assert!(error.message.contains(word), "{error}");
        }
    }
}
