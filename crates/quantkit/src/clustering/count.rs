//! How many clusters there are, where nobody says.

use super::Linkage;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

/// How the distances within a cluster become one number, and how many clusters are looked at, in the rule of [`cluster_count`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dispersion {
    /// Their mean; up to max(8, √n) clusters: skfolio's.
    #[default]
    Mean,
    /// Their standard deviation (n in the denominator), at least two clusters; up to min(10, √n): Riskfolio's with its default.
    StandardDeviation,
}

/// The number of clusters by the two-order difference of the gap statistic (Yue, Wang and Wei 2009): the k with the largest
/// W(k + 2) + W(k) − 2 W(k + 1), W the sum of the dispersions within k clusters. skfolio answers one more than the k that it
/// finds, Riskfolio leaves one cluster out; both are kept, because they give different portfolios.
///
/// `distances` has shape (N, N). At least 1, 2 from two assets on.
#[must_use]
pub fn cluster_count(linkage: &Linkage, distances: ArrayView2<'_, f64>, rule: Dispersion) -> usize {
    let count = linkage.leaves();
    if count < 3 {
        return count;
    }
    let root = (count as f64).sqrt();
    let most = match rule {
        Dispersion::Mean => (8..=count).rev().find(|most| (*most as f64) <= root.round()).unwrap_or(8),
        // W is known up to two more clusters than may be answered.
        Dispersion::StandardDeviation => {
            (1..=12).rev().find(|most| (*most as f64) <= root.min(10.0) + 2.0).unwrap_or(1)
        }
    };
    let within = dispersions(linkage, distances, rule, most.min(count));
    let mut best = (f64::NEG_INFINITY, 2);
    for (place, window) in within.windows(3).enumerate() {
        let [now, next, after] = window else { continue };
        let gap = after + now - 2.0 * next;
        let clusters = match rule {
            Dispersion::Mean => place + 2,
            Dispersion::StandardDeviation if place == 0 => continue,
            Dispersion::StandardDeviation => place + 1,
        };
        if gap > best.0 {
            best = (gap, clusters);
        }
    }
    best.1
}

/// W(1), W(2), …, W(most).
fn dispersions(linkage: &Linkage, distances: ArrayView2<'_, f64>, rule: Dispersion, most: usize) -> Vec<f64> {
    let one = |cluster: usize| {
        let members = linkage.members(cluster);
        let (mut sum, mut squares, mut pairs) = (0.0, 0.0, 0.0);
        for (place, first) in members.iter().enumerate() {
            let row = distances.row(*first);
            for distance in members.iter().skip(place + 1).filter_map(|second| row.get(*second)) {
                sum += distance;
                squares += distance * distance;
                pairs += 1.0;
            }
        }
        if pairs < 1.0 {
            return 0.0;
        }
        let mean: f64 = sum / pairs;
        match rule {
            Dispersion::Mean => mean,
            Dispersion::StandardDeviation => (squares / pairs - mean * mean).max(0.0).sqrt(),
        }
    };
    // Each further cluster splits one: the last merge that is still made.
    let mut parts = vec![(linkage.root(), one(linkage.root()))];
    let mut out = Vec::with_capacity(most);
    while out.len() < most {
        out.push(parts.iter().map(|(_, part)| part).sum());
        let Some(last) = (0..parts.len()).max_by_key(|place| parts.get(*place).map(|part| part.0)) else {
            break;
        };
        let Some((left, right)) = linkage.children(parts.swap_remove(last).0) else { break };
        parts.extend([(left, one(left)), (right, one(right))]);
    }
    out
}
