//! Hierarchical equal risk contribution.

use super::risk::{Risk, RiskMeasure};
use crate::allocators::{Allocation, AllocationError, exact};
use crate::clustering::{Dispersion, DistanceRule, Linkage, Method, cluster_count, distances, linkage_of};
use crate::covariance::Covariance;
use mts_foundation::sizing::{Allocator, ComputeError};
use ndarray::{Array1, ArrayView2};
use serde::{Deserialize, Serialize};

/// How many clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clusters {
    /// So many; where distances are equal there may be fewer.
    Exactly(usize),
    /// By the two-order difference of the gap statistic, in a peer's version.
    Gap(Dispersion),
}

impl Default for Clusters {
    fn default() -> Self {
        Self::Gap(Dispersion::default())
    }
}

impl Clusters {
    /// Their number for a tree and the distances that it is of, shape (A, A).
    #[must_use]
    pub fn count(self, linkage: &Linkage, distances: ArrayView2<'_, f64>) -> usize {
        match self {
            Self::Exactly(count) => count,
            Self::Gap(rule) => cluster_count(linkage, distances, rule),
        }
    }
}

/// Weights within a cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inside {
    /// In inverse proportion to risk.
    #[default]
    InverseRisk,
    /// Equal: Riskfolio's HERC2. The risk of a cluster is that under weights in inverse proportion all the same.
    Equal,
}

/// Hierarchical equal risk contribution (Raffinot 2018): the tree is cut into clusters; from the root down to them, the two sides
/// of each merge are weighed in inverse proportion to the sums of the risks of their clusters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HierarchicalEqualRiskContribution {
    /// How the covariance is estimated.
    pub covariance: Covariance,
    /// How far clusters are from each other; Ward's, as the peers.
    pub linkage: Method,
    /// How far assets are from each other.
    pub distance: DistanceRule,
    /// How many clusters; peers disagree, so say a number.
    pub clusters: Clusters,
    /// Weights within a cluster.
    pub inside: Inside,
    /// What counts as risk.
    pub measure: RiskMeasure,
}

impl Default for HierarchicalEqualRiskContribution {
    fn default() -> Self {
        Self {
            covariance: Covariance::default(),
            linkage: Method::Ward,
            distance: DistanceRule::Correlation,
            clusters: Clusters::default(),
            inside: Inside::InverseRisk,
            measure: RiskMeasure::Variance,
        }
    }
}

impl HierarchicalEqualRiskContribution {
    /// Registry name.
    pub const NAME: &'static str = "herc";

    /// Weights for a covariance, shape (A, A), 1 in sum within one unit of the last place.
    ///
    /// # Errors
    /// [`AllocationError`] for a variance that is not above 0, no clusters, or a measure that needs returns.
    pub fn solve(&self, covariance: ArrayView2<'_, f64>) -> Result<Allocation, AllocationError> {
        self.solve_with(covariance, None)
    }

    /// The same with the returns that a measure of tails looks at, shape (T, A).
    ///
    /// # Errors
    /// As [`HierarchicalEqualRiskContribution::solve`].
    pub fn solve_with(
        &self,
        covariance: ArrayView2<'_, f64>,
        returns: Option<ArrayView2<'_, f64>>,
    ) -> Result<Allocation, AllocationError> {
        if self.clusters == Clusters::Exactly(0) {
            return Err(AllocationError::input("clusters", "0 of them hold nothing; use at least 1"));
        }
        let risk = Risk::new(self.measure, covariance, returns)?;
        let near = distances(covariance, self.distance);
        let linkage = linkage_of(near.clone(), self.linkage)?;
        let clusters = linkage.clusters(self.clusters.count(&linkage, near.view()));
        let mut weights = Array1::<f64>::zeros(linkage.leaves());
        for (cluster, part) in self.parts(&linkage, &clusters, &risk)? {
            let members = linkage.members(cluster);
            let inside = |asset: usize| match self.inside {
                Inside::InverseRisk => risk.inverse(asset),
                Inside::Equal => 1.0,
            };
            let total: f64 = members.iter().map(|asset| inside(*asset)).sum();
            for asset in members {
                if let Some(weight) = weights.get_mut(asset) {
                    *weight = part * inside(asset) / total;
                }
            }
        }
        exact::to_one(&mut weights);
        let variance = weights.dot(&covariance.dot(&weights));
        Ok(exact::closed_form(weights, variance))
    }

    /// The clusters and their parts of the whole.
    fn parts(
        &self,
        linkage: &Linkage,
        clusters: &[usize],
        risk: &Risk<'_>,
    ) -> Result<Vec<(usize, f64)>, AllocationError> {
        // The risk under each number: of clusters their own, above them the sum. Children have smaller numbers.
        let mut under = vec![None::<f64>; linkage.root() + 1];
        for cluster in clusters {
            let value = risk.of(&linkage.members(*cluster));
            if !(value >= 0.0 && value.is_finite()) {
                let problem = format!("the risk of a cluster is {value}; make it positive definite");
                return Err(AllocationError::input("covariance", problem));
            }
            if let Some(place) = under.get_mut(*cluster) {
                *place = Some(value);
            }
        }
        for number in linkage.leaves()..under.len() {
            let known = |place: usize| under.get(place).copied().flatten();
            let sum = linkage.children(number).and_then(|(left, right)| Some(known(left)? + known(right)?));
            if let (Some(place @ None), Some(sum)) = (under.get_mut(number), sum) {
                *place = Some(sum);
            }
        }
        let known = |place: usize| under.get(place).copied().flatten().unwrap_or(f64::NAN);
        let mut parts = Vec::with_capacity(clusters.len());
        let mut open = vec![(linkage.root(), 1.0)];
        while let Some((number, part)) = open.pop() {
            match linkage.children(number) {
                Some((left, right)) if !clusters.contains(&number) => {
                    let share = 1.0 - known(left) / (known(left) + known(right));
                    if !share.is_finite() {
                        let problem = "two sides of its tree carry no risk; make it positive definite";
                        return Err(AllocationError::input("covariance", problem));
                    }
                    open.extend([(right, part * (1.0 - share)), (left, part * share)]);
                }
                _ => parts.push((number, part)),
            }
        }
        Ok(parts)
    }
}

impl Allocator for HierarchicalEqualRiskContribution {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn allocate(&self, returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, ComputeError> {
        let covariance = self.covariance.estimate(returns).map_err(AllocationError::from);
        let solved = covariance.and_then(|covariance| self.solve_with(covariance.view(), Some(returns)));
        Ok(solved.map_err(|error| error.of(Self::NAME))?.weights)
    }
}
