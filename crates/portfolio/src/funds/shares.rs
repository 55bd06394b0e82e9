//! Which share of the firm each fund has before any constraint.

use super::error::FundError;
use super::history::{MIN_RETURNS, ReturnHistory};
use super::plan::{AllocationMethod, FundStanding};
use crate::sizers::SESSIONS_PER_YEAR;
use crate::sizers::linear::{covariance, solve};
use mts_foundation::Decimal;
use mts_foundation::num::quantise;
use mts_foundation::sizing::{Allocator, ComputeError};
use ndarray::{Array1, Array2, Axis};

/// What a history says about the funds that take part, in their order.
pub(super) struct Risk {
    returns: Array2<f64>,
    /// Yearly covariance.
    covariance: Array2<f64>,
}

impl Risk {
    /// Of these funds; `None` where the history lacks one.
    pub(super) fn of(funds: &[&FundStanding], history: Option<&ReturnHistory>) -> Option<Self> {
        let history = history?;
        let column = |fund: &&FundStanding| history.funds().iter().position(|known| *known == fund.fund_id);
        let columns: Vec<usize> = funds.iter().map(column).collect::<Option<_>>()?;
        let covariance = covariance(&history.returns(), &columns) * SESSIONS_PER_YEAR;
        Some(Self { returns: history.returns().select(Axis(1), &columns), covariance })
    }

    /// Yearly volatility of each.
    pub(super) fn volatilities(&self) -> Vec<f64> {
        self.covariance.diag().iter().map(|variance| variance.sqrt()).collect()
    }

    /// Pairs whose correlation is above a threshold, with it.
    pub(super) fn pairs_above(&self, threshold: f64) -> Vec<((usize, usize), f64)> {
        let volatilities = self.volatilities();
        let mut pairs = Vec::new();
        for (left, one) in volatilities.iter().enumerate() {
            for (right, other) in volatilities.iter().enumerate().skip(left + 1) {
                let shared = self.covariance.get((left, right)).copied().unwrap_or(0.0);
                let correlation = shared / (one * other);
                // That of a fund that does not move is no number, and not above anything.
                if correlation > threshold {
                    pairs.push(((left, right), correlation));
                }
            }
        }
        pairs
    }

    /// The part that each has in the variance of all, at these amounts; they are 1 in sum. `None` without any risk.
    pub(super) fn contributions(&self, amounts: &[Decimal]) -> Option<Vec<f64>> {
        let weights: Array1<f64> =
            amounts.iter().map(|amount| f64::try_from(*amount).ok()).collect::<Option<_>>()?;
        let marginal = self.covariance.dot(&weights);
        let variance = weights.dot(&marginal);
        (variance > 0.0).then(|| (weights * marginal / variance).to_vec())
    }
}

/// Shares in proportion to each other, at least 0 and not all 0.
pub(super) fn shares(
    method: AllocationMethod,
    funds: &[&FundStanding],
    risk: Option<&Risk>,
    allocator: &dyn Allocator,
) -> Result<Vec<Decimal>, FundError> {
    let shares = match (method, risk) {
        (AllocationMethod::Equal, _) => vec![Decimal::ONE; funds.len()],
        (AllocationMethod::Manual, _) => funds.iter().map(|fund| fund.target_nav).collect(),
        (AllocationMethod::RiskParity | AllocationMethod::Kelly, None) => {
            let fund_id = funds.first().map(|fund| fund.fund_id.clone()).ok_or(FundError::NoFund)?;
            return Err(FundError::ShortHistory { fund_id, found: 0, needed: MIN_RETURNS, method });
        }
        (AllocationMethod::RiskParity, Some(risk)) => {
            all_move(method, funds, risk)?;
            rounded(method, &allocator.allocate(risk.returns.view())?, funds.len())?
        }
        (AllocationMethod::Kelly, Some(risk)) => {
            all_move(method, funds, risk)?;
            rounded(method, &growth(risk)?, funds.len())?
        }
    };
    if shares.iter().any(|share| *share < Decimal::ZERO) || shares.iter().all(Decimal::is_zero) {
        return Err(FundError::NoShare(method));
    }
    Ok(shares)
}

/// Σ⁻¹μ without what is below zero (Kelly 1956; Merton 1969 for the form with many assets), with the yearly mean of daily
/// returns as μ.
fn growth(risk: &Risk) -> Result<Array1<f64>, FundError> {
    let mean = risk.returns.mean_axis(Axis(0)).unwrap_or_default() * SESSIONS_PER_YEAR;
    let growth = solve(&risk.covariance.view(), &mean.view()).ok_or_else(|| {
        let message = "the covariance of the funds is not positive definite: two of them move alike, or there are fewer daily \
                       returns than funds; give them a longer history, or choose method equal or manual";
        ComputeError::new("kelly", message)
    })?;
    Ok(growth.mapv(|share| share.max(0.0)))
}

/// A fund whose value stands still has no risk to be measured by.
fn all_move(method: AllocationMethod, funds: &[&FundStanding], risk: &Risk) -> Result<(), FundError> {
    let still = funds.iter().zip(risk.volatilities()).find(|(_, volatility)| !volatility.is_normal());
    match still {
        Some((fund, _)) => Err(FundError::NoMovement { fund_id: fund.fund_id.clone(), method }),
        None => Ok(()),
    }
}

/// Shares that are 1 in sum, as decimals.
fn rounded(method: AllocationMethod, shares: &Array1<f64>, funds: usize) -> Result<Vec<Decimal>, FundError> {
    let total: f64 = shares.sum();
    let usable = shares.len() == funds && total > 0.0 && shares.iter().all(|share| *share >= 0.0);
    if !usable {
        return Err(FundError::NoShare(method));
    }
    let decimals: Option<Vec<Decimal>> = shares.iter().map(|share| quantise(share / total)).collect();
    decimals.ok_or(FundError::NoShare(method))
}
