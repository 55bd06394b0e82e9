//! Hierarchical risk parity.

use super::risk::{Risk, RiskMeasure};
use crate::allocators::{Allocation, AllocationError, exact};
use crate::clustering::{ClusteringError, DistanceRule, LeafOrder, Method, distances, linkage_of};
use crate::covariance::Covariance;
use mts_foundation::sizing::{Allocator, ComputeError};
use ndarray::{Array1, ArrayView2};
use serde::{Deserialize, Serialize};

/// A bound of weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Limit {
    /// The same for all.
    All(f64),
    /// Of each asset, shape (A).
    Each(Vec<f64>),
}

impl Limit {
    /// Shape (A).
    fn of(&self, field: &'static str, assets: usize) -> Result<Vec<f64>, AllocationError> {
        match self {
            Self::All(limit) => Ok(vec![*limit; assets]),
            Self::Each(limits) if limits.len() == assets => Ok(limits.clone()),
            Self::Each(limits) => {
                let problem = format!("{} of them for {assets} assets; give one for each", limits.len());
                Err(AllocationError::input(field, problem))
            }
        }
    }
}

/// Hierarchical risk parity (López de Prado 2016): the assets in the order of a tree, halved again and again, each half weighed
/// in inverse proportion to its risk under naive weights.
///
/// Peers differ: this has the paper's and PyPortfolioOpt's single linkage and tree order unless told otherwise; skfolio and
/// Riskfolio take Ward's linkage and [`LeafOrder::Scipy`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HierarchicalRiskParity {
    /// How the covariance is estimated.
    pub covariance: Covariance,
    /// How far clusters are from each other.
    pub linkage: Method,
    /// How far assets are from each other.
    pub distance: DistanceRule,
    /// In which order the tree's leaves stand.
    pub order: LeafOrder,
    /// What counts as risk.
    pub measure: RiskMeasure,
    /// Smallest weights, 0 or more: a split leaves each half room for its own, as skfolio's does.
    pub lower: Limit,
    /// Largest weights.
    pub upper: Limit,
}

impl Default for HierarchicalRiskParity {
    fn default() -> Self {
        Self {
            covariance: Covariance::default(),
            linkage: Method::Single,
            distance: DistanceRule::Correlation,
            order: LeafOrder::Tree,
            measure: RiskMeasure::Variance,
            lower: Limit::All(0.0),
            upper: Limit::All(1.0),
        }
    }
}

/// Bounds, which weights can satisfy.
struct Bounds {
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl HierarchicalRiskParity {
    /// Registry name.
    pub const NAME: &'static str = "hrp";

    /// Weights for a covariance, shape (A, A). Sum 1 within one unit of the last place, within the bounds.
    ///
    /// # Errors
    /// [`AllocationError`] for a variance that is not above 0, bounds that nothing satisfies, or a measure that needs returns.
    pub fn solve(&self, covariance: ArrayView2<'_, f64>) -> Result<Allocation, AllocationError> {
        self.solve_with(covariance, None)
    }

    /// The same with the returns that a measure of tails looks at, shape (T, A).
    ///
    /// # Errors
    /// As [`HierarchicalRiskParity::solve`].
    pub fn solve_with(
        &self,
        covariance: ArrayView2<'_, f64>,
        returns: Option<ArrayView2<'_, f64>>,
    ) -> Result<Allocation, AllocationError> {
        let risk = Risk::new(self.measure, covariance, returns)?;
        let bounds = self.bounds(covariance.nrows())?;
        let order = self.order(covariance)?;
        let mut weights = Array1::<f64>::ones(order.len());
        let mut halves = risk.of_halves(&order).risks;
        split(&order, &bounds, &mut halves, &mut weights)?;
        exact::within(&mut weights, |place| bounds.at(place));
        let variance = weights.dot(&covariance.dot(&weights));
        Ok(exact::closed_form(weights, variance))
    }

    /// The assets in the order of the tree.
    ///
    /// # Errors
    /// [`AllocationError`] for a covariance without distances.
    pub fn order(&self, covariance: ArrayView2<'_, f64>) -> Result<Vec<usize>, AllocationError> {
        let distances = distances(covariance, self.distance);
        let for_order = match self.order {
            LeafOrder::Scipy | LeafOrder::Optimal => distances.clone(),
            LeafOrder::Tree => ndarray::Array2::zeros((0, 0)),
        };
        Ok(self.order.of(&linkage_of(distances, self.linkage)?, for_order.view()))
    }

    fn bounds(&self, assets: usize) -> Result<Bounds, AllocationError> {
        let (lower, upper) = (self.lower.of("lower", assets)?, self.upper.of("upper", assets)?);
        for (asset, (low, high)) in lower.iter().zip(&upper).enumerate() {
            if !(*low >= 0.0 && high >= low) {
                let problem =
                    format!("asset {asset} has {low} and an upper one of {high}; use 0 ≤ lower ≤ upper");
                return Err(AllocationError::input("lower", problem));
            }
        }
        let infeasible = |constraint: &str, sum: f64, way: &str| AllocationError::Infeasible {
            constraint: constraint.to_owned(),
            problem: format!("it is {sum} in sum, and weights are 1; make it {way}"),
        };
        let (least, most) = (lower.iter().sum::<f64>(), upper.iter().sum::<f64>());
        // Bounds such as 1/3 each are 1 in sum but for rounding.
        if least > 1.0 + 1e-12 {
            return Err(infeasible("lower", least, "smaller"));
        }
        if most < 1.0 - 1e-12 {
            return Err(infeasible("upper", most, "larger"));
        }
        Ok(Bounds { lower, upper })
    }
}

impl Bounds {
    fn at(&self, place: usize) -> (f64, f64) {
        let at = |limits: &[f64], other| limits.get(place).copied().unwrap_or(other);
        (at(&self.lower, f64::NEG_INFINITY), at(&self.upper, f64::INFINITY))
    }

    /// Least and most that a group can hold.
    fn of(&self, group: &[usize]) -> (f64, f64) {
        group.iter().map(|asset| self.at(*asset)).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }
}

/// Weighs the halves of a group, then those of each half. The risks come in the order in which they are taken from the end.
fn split(
    order: &[usize],
    bounds: &Bounds,
    halves: &mut Vec<(f64, f64)>,
    weights: &mut Array1<f64>,
) -> Result<(), AllocationError> {
    if order.len() < 2 {
        return Ok(());
    }
    let (left, right) = order.split_at(order.len() / 2);
    let (one, other) = halves.pop().unwrap_or((f64::NAN, f64::NAN));
    let mut part = 1.0 - one / (one + other);
    if !part.is_finite() || one < 0.0 || other < 0.0 {
        let problem = format!(
            "the risks of two halves of {} assets are {one} and {other}; make it positive definite",
            order.len()
        );
        return Err(AllocationError::input("covariance", problem));
    }
    let whole = left.first().and_then(|first| weights.get(*first)).copied().unwrap_or(1.0);
    let (low, high) = bounds.of(left);
    part = part.max(low / whole).min(high / whole);
    let (low, high) = bounds.of(right);
    part = 1.0 - (1.0 - part).max(low / whole).min(high / whole);
    for (group, part) in [(left, part), (right, 1.0 - part)] {
        for asset in group {
            if let Some(weight) = weights.get_mut(*asset) {
                *weight *= part;
            }
        }
    }
    // The right half's splits were measured last.
    split(right, bounds, halves, weights)?;
    split(left, bounds, halves, weights)
}

impl From<ClusteringError> for AllocationError {
    fn from(error: ClusteringError) -> Self {
        Self::input("covariance", error.to_string())
    }
}

impl Allocator for HierarchicalRiskParity {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn allocate(&self, returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, ComputeError> {
        let covariance = self.covariance.estimate(returns).map_err(AllocationError::from);
        let solved = covariance.and_then(|covariance| self.solve_with(covariance.view(), Some(returns)));
        Ok(solved.map_err(|error| error.of(Self::NAME))?.weights)
    }
}
