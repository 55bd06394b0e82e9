//! Single linkage: the shortest tree that spans all (Prim 1957).

use super::Edge;
use ndarray::ArrayView2;

/// What is not yet in the tree: its number, how near the tree has come.
#[derive(Clone, Copy)]
struct Outside {
    asset: usize,
    near: f64,
}

/// n − 1 edges, rising by distance; equal ones in the order in which they were found.
///
/// An edge goes from the asset that joined last, as SciPy's does: within a distance, which of them it leaves is the same cluster.
pub(super) fn edges(distances: ArrayView2<'_, f64>) -> Vec<Edge> {
    let count = distances.nrows();
    let mut outside: Vec<Outside> = (1..count).map(|asset| Outside { asset, near: f64::INFINITY }).collect();
    let mut edges = Vec::with_capacity(count.saturating_sub(1));
    let mut last = 0;
    while !outside.is_empty() {
        let (mut best, mut least) = (0, f64::INFINITY);
        let row = distances.row(last);
        // Those outside stay in the order of their numbers, so that the first of equal ones has the smallest number.
        for (place, other) in outside.iter_mut().enumerate() {
            let distance = row.get(other.asset).copied().unwrap_or(f64::INFINITY);
            if distance < other.near {
                other.near = distance;
            }
            if other.near < least {
                (best, least) = (place, other.near);
            }
        }
        let next = outside.remove(best).asset;
        edges.push(Edge { first: last, second: next, distance: least });
        last = next;
    }
    edges.sort_by(|left, right| left.distance.total_cmp(&right.distance));
    edges
}
