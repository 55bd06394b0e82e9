//! Nested clusters.

use super::constraints::Constraints;
use super::hierarchical::Clusters;
use super::mean_variance::Markowitz;
use super::{Allocation, AllocationError, Certificate, exact};
use crate::clustering::{DistanceRule, Method, distances, linkage_of};
use crate::covariance::Covariance;
use mts_foundation::sizing::{Allocator, ComputeError};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// Nested clustered optimisation (López de Prado 2019): the least variance within each cluster, then among the clusters, each taken
/// as one portfolio. The outer covariance is WᵀΣW, of the same sample (skfolio's `cv="ignore"`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NestedClusters {
    /// How the covariance is estimated.
    pub covariance: Covariance,
    /// How far clusters are from each other.
    pub linkage: Method,
    /// How far assets are from each other.
    pub distance: DistanceRule,
    /// How many clusters; peers disagree, so say a number.
    pub clusters: Clusters,
}

impl Default for NestedClusters {
    fn default() -> Self {
        Self {
            covariance: Covariance::default(),
            linkage: Method::Ward,
            distance: DistanceRule::Correlation,
            clusters: Clusters::default(),
        }
    }
}

impl NestedClusters {
    /// Registry name.
    pub const NAME: &'static str = "nco";

    /// Weights for a covariance, shape (A, A).
    ///
    /// # Errors
    /// [`AllocationError`] for a variance that is not above 0, no clusters, or a covariance that is singular where the weights are.
    pub fn solve(&self, covariance: ArrayView2<'_, f64>) -> Result<Allocation, AllocationError> {
        if self.clusters == Clusters::Exactly(0) {
            return Err(AllocationError::input("clusters", "0 of them hold nothing; use at least 1"));
        }
        exact::variances(covariance)?;
        let near = distances(covariance, self.distance);
        let linkage = linkage_of(near.clone(), self.linkage)?;
        let members = linkage.clusters(self.clusters.count(&linkage, near.view()));
        let labels: Vec<Vec<usize>> = members.iter().map(|cluster| linkage.members(*cluster)).collect();
        nested(covariance, &labels)
    }
}

/// The same for clusters that are known: places of assets, each once.
///
/// # Errors
/// [`AllocationError`] for a place beyond the covariance, an asset in no cluster or in two; as [`NestedClusters::solve`].
pub fn nested(
    covariance: ArrayView2<'_, f64>,
    clusters: &[Vec<usize>],
) -> Result<Allocation, AllocationError> {
    let count = covariance.nrows();
    let mut places: Vec<usize> = clusters.iter().flatten().copied().collect();
    places.sort_unstable();
    if !places.iter().copied().eq(0..count) || clusters.iter().any(Vec::is_empty) {
        let problem = format!("each of the {count} assets must be in one of them, and none be empty");
        return Err(AllocationError::input("clusters", problem));
    }
    let constraints = Constraints::default();
    let mut portfolios = Array2::zeros((count, clusters.len()));
    let (mut residual, mut iterations) = (0.0_f64, 0);
    for (members, mut column) in clusters.iter().zip(portfolios.columns_mut()) {
        let inner = covariance.select(Axis(0), members).select(Axis(1), members);
        let found = Markowitz::new(inner.view(), &constraints).minimum_variance()?;
        for (member, weight) in members.iter().zip(&found.weights) {
            if let Some(place) = column.get_mut(*member) {
                *place = *weight;
            }
        }
        residual = residual.max(found.certificate.residual);
        iterations += found.certificate.iterations;
    }
    let outer = portfolios.t().dot(&covariance.dot(&portfolios));
    let found = Markowitz::new(outer.view(), &constraints).minimum_variance()?;
    let mut weights: Array1<f64> = portfolios.dot(&found.weights);
    exact::to_one(&mut weights);
    let certificate = Certificate {
        measure: found.certificate.measure,
        residual: residual.max(found.certificate.residual),
        objective: weights.dot(&covariance.dot(&weights)),
        iterations: iterations + found.certificate.iterations,
    };
    Ok(Allocation { weights, certificate })
}

impl Allocator for NestedClusters {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn allocate(&self, returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, ComputeError> {
        let covariance = self.covariance.estimate(returns).map_err(AllocationError::from);
        let solved = covariance.and_then(|covariance| self.solve(covariance.view()));
        Ok(solved.map_err(|error| error.of(Self::NAME))?.weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn one_cluster_is_the_least_variance_and_one_for_each_asset_too() {
        let covariance = array![[0.04, 0.01, 0.0], [0.01, 0.09, 0.02], [0.0, 0.02, 0.16]];
        let constraints = Constraints::default();
        let least = Markowitz::new(covariance.view(), &constraints).minimum_variance().unwrap();
        for clusters in [vec![vec![0, 1, 2]], vec![vec![2], vec![0], vec![1]]] {
            let found = nested(covariance.view(), &clusters).unwrap();
            assert!((&found.weights - &least.weights).iter().all(|off| off.abs() < 1e-12), "{clusters:?}");
        }
        // Uncorrelated within and between: every way of nesting is the same.
        let apart = Array2::from_diag(&array![0.04, 0.09, 0.16]);
        let two = nested(apart.view(), &[vec![0, 2], vec![1]]).unwrap();
        let inverse = array![1.0 / 0.04, 1.0 / 0.09, 1.0 / 0.16];
        assert!((&two.weights - &(&inverse / inverse.sum())).iter().all(|off| off.abs() < 1e-12));
    }

    #[test]
    fn clusters_that_leave_an_asset_out_or_hold_it_twice_are_refused() {
        let covariance = Array2::eye(3);
        for clusters in [vec![vec![0, 1]], vec![vec![0, 1, 2], vec![2]], vec![vec![0, 1, 2], vec![]]] {
            assert!(matches!(
                nested(covariance.view(), &clusters),
                Err(AllocationError::Input { field: "clusters", .. })
            ));
        }
        assert!(
            NestedClusters { clusters: Clusters::Exactly(0), ..NestedClusters::default() }
                .solve(covariance.view())
                .is_err()
        );
    }
}
