//! Chains of nearest neighbours, for linkages under which two clusters that are each other's nearest stay so (Müllner 2011).

use super::Edge;
use ndarray::Array2;

/// Two clusters that meet, as a third sees them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meeting {
    /// Members of one.
    pub(super) left: f64,
    /// Members of the other.
    pub(super) right: f64,
    /// Members of the third.
    pub(super) other: f64,
    /// Between the two.
    pub(super) distance: f64,
}

/// n − 1 edges, rising by distance; equal ones in the order in which they were found. `meet` gives the distance from a third
/// cluster to two that meet, from its distances to both.
pub(super) fn edges(mut distances: Array2<f64>, meet: impl Fn(f64, f64, Meeting) -> f64) -> Vec<Edge> {
    let count = distances.nrows();
    // A cluster goes by one of its members; one that has been taken in has no size.
    let mut sizes = vec![1.0_f64; count];
    let mut chain: Vec<usize> = Vec::with_capacity(count);
    let mut edges = Vec::with_capacity(count.saturating_sub(1));
    for row in 0..count {
        blank(&mut distances, row, row);
    }
    while edges.len() + 1 < count {
        if chain.is_empty() {
            chain.extend(sizes.iter().position(|size| *size > 0.0));
        }
        let Some((first, second, distance)) = grow(&distances, &mut chain) else { break };
        let (first, second) = (first.min(second), first.max(second));
        merge(&mut distances, &mut sizes, (first, second, distance), &meet);
        edges.push(Edge { first, second, distance });
    }
    edges.sort_by(|left, right| left.distance.total_cmp(&right.distance));
    edges
}

fn blank(distances: &mut Array2<f64>, row: usize, column: usize) {
    if let Some(place) = distances.get_mut((row, column)) {
        *place = f64::INFINITY;
    }
}

/// Goes on to the nearest until two are each other's; takes them off the chain.
fn grow(distances: &Array2<f64>, chain: &mut Vec<usize>) -> Option<(usize, usize, f64)> {
    loop {
        let tip = chain.last().copied()?;
        let before = chain.iter().rev().nth(1).copied();
        let row = distances.row(tip);
        // The one before wins against equal ones; among others the first does.
        let mut least = before.and_then(|before| row.get(before).copied()).unwrap_or(f64::INFINITY);
        let mut nearest = before;
        let nearer = first_minimum(row.as_slice()?, least);
        if let Some((asset, distance)) = nearer {
            (nearest, least) = (Some(asset), distance);
        }
        let nearest = nearest?;
        if Some(nearest) == before {
            chain.truncate(chain.len().saturating_sub(2));
            return Some((tip, nearest, least));
        }
        chain.push(nearest);
    }
}

/// The first of the smallest numbers of a row, if it is below `below`.
///
/// The minimum of lanes first, which a compiler makes into wide instructions, then its place.
fn first_minimum(row: &[f64], below: f64) -> Option<(usize, f64)> {
    let mut lanes = [f64::INFINITY; 8];
    let mut groups = row.chunks_exact(8);
    for group in &mut groups {
        for (lane, value) in lanes.iter_mut().zip(group) {
            *lane = if *value < *lane { *value } else { *lane };
        }
    }
    let least = lanes.iter().chain(groups.remainder()).fold(f64::INFINITY, |least, value| least.min(*value));
    if least < below {
        row.iter().position(|value| *value <= least).map(|place| (place, least))
    } else {
        None
    }
}

/// The second takes the first in.
fn merge(
    distances: &mut Array2<f64>,
    sizes: &mut [f64],
    (first, second, distance): (usize, usize, f64),
    meet: &impl Fn(f64, f64, Meeting) -> f64,
) {
    let size = |asset: usize| sizes.get(asset).copied().unwrap_or_default();
    let (left, right) = (size(first), size(second));
    let gone = distances.row(first).to_owned();
    let mut kept = distances.row(second).to_owned();
    for (other, ((place, from), size)) in kept.iter_mut().zip(&gone).zip(sizes.iter()).enumerate() {
        if *size > 0.0 && other != first && other != second {
            *place = meet(*from, *place, Meeting { left, right, other: *size, distance });
        }
    }
    if let Some(place) = kept.get_mut(first) {
        *place = f64::INFINITY;
    }
    distances.row_mut(second).assign(&kept);
    distances.column_mut(second).assign(&kept);
    distances.row_mut(first).fill(f64::INFINITY);
    distances.column_mut(first).fill(f64::INFINITY);
    if let Some(size) = sizes.get_mut(first) {
        *size = 0.0;
    }
    if let Some(size) = sizes.get_mut(second) {
        *size = left + right;
    }
}
