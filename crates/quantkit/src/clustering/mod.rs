//! Trees of assets: distances, linkage as SciPy numbers it, orders of leaves, and cuts into clusters.
//!
//! Distances go by the square matrix inside; [`linkage`] takes the condensed form that SciPy's `pdist` gives.

mod chain;
mod count;
mod distance;
mod order;
mod spanning;
mod tree;

pub use count::{Dispersion, cluster_count};
pub use distance::{DistanceRule, condensed, correlations, distances, square};
pub use order::LeafOrder;
pub use tree::{Linkage, Merge, cut};

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// How far a cluster is from another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// As far as their nearest members.
    #[default]
    Single,
    /// As far as their farthest members.
    Complete,
    /// The mean over all pairs of members.
    Average,
    /// The growth of the sum of squares within (Ward 1963), as a distance.
    Ward,
}

/// Why there is no tree.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClusteringError {
    /// So many distances are those of no number of things.
    #[error("distances: {count} are not those of all pairs of any number of assets; give n(n - 1)/2")]
    Count {
        /// How many were given.
        count: usize,
    },
    /// A distance is no finite number.
    #[error("the distance of assets {first} and {second} is {value}; leave out the one that does not move")]
    Distance {
        /// One asset.
        first: usize,
        /// The other.
        second: usize,
        /// What was given.
        value: f64,
    },
}

/// The tree of assets by their distances in condensed form: (0, 1), (0, 2), …, (1, 2), …, n(n − 1)/2 of them; none is one asset.
///
/// Merges, their numbers and the rule for ties are SciPy's: the first minimum counts, equal heights keep the order in which
/// they were found, the cluster with the smaller number stands left. O(n²) time (Prim's tree for single linkage, chains of
/// nearest neighbours for the others; Müllner 2011).
///
/// # Errors
/// [`ClusteringError`] for a number of distances that is none of all pairs, or a distance that is not finite.
pub fn linkage(distances: &[f64], method: Method) -> Result<Linkage, ClusteringError> {
    let square = square(distances).ok_or(ClusteringError::Count { count: distances.len() })?;
    linkage_of(square, method)
}

/// The same from the symmetric matrix of all distances, shape (N, N), whose diagonal is not read; it is used as working space.
///
/// # Errors
/// As [`linkage`].
pub fn linkage_of(square: Array2<f64>, method: Method) -> Result<Linkage, ClusteringError> {
    check(square.view())?;
    let square = if square.is_standard_layout() { square } else { square.as_standard_layout().into_owned() };
    let edges = match method {
        Method::Single => spanning::edges(square.view()),
        Method::Complete => chain::edges(square, |left, right, _| if left < right { right } else { left }),
        Method::Average => {
            chain::edges(square, |left, right, of| (of.left * left + of.right * right) / (of.left + of.right))
        }
        Method::Ward => chain::edges(square, |left, right, of| {
            let share = 1.0 / (of.left + of.right + of.other);
            ((of.other + of.left) * share * left * left + (of.other + of.right) * share * right * right
                - of.other * share * of.distance * of.distance)
                .sqrt()
        }),
    };
    Ok(Linkage::of_edges(edges))
}

fn check(square: ArrayView2<'_, f64>) -> Result<(), ClusteringError> {
    for (first, row) in square.outer_iter().enumerate() {
        let wrong = |(second, value): &(usize, &f64)| *second > first && !value.is_finite();
        if let Some((second, value)) = row.iter().enumerate().find(wrong) {
            return Err(ClusteringError::Distance { first, second, value: *value });
        }
    }
    Ok(())
}

/// Two clusters that meet, before they have numbers: an asset of each and their distance.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Edge {
    first: usize,
    second: usize,
    distance: f64,
}
