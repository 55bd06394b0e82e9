//! The order in which leaves stand beside each other.

use super::Linkage;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Which of the 2ⁿ⁻¹ orders that a tree allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeafOrder {
    /// The left cluster of each merge first: the paper's (López de Prado 2016) and PyPortfolioOpt's. O(n).
    #[default]
    Tree,
    /// What SciPy's `optimal_leaf_ordering` gives, and with it skfolio and Riskfolio: each merge turns its two sides for the shortest
    /// way through itself alone, so that the whole need not be shortest. O(n³).
    Scipy,
    /// The one with the shortest way from leaf to leaf (Bar-Joseph, Gifford and Jaakkola 2001). O(n³).
    Optimal,
}

impl LeafOrder {
    /// The assets in this order. `distances` has shape (N, N); [`LeafOrder::Tree`] does not look at it.
    #[must_use]
    pub fn of(self, linkage: &Linkage, distances: ArrayView2<'_, f64>) -> Vec<usize> {
        let order = match self {
            Self::Tree => None,
            Self::Scipy => Ways::of(linkage, distances).and_then(|ways| ways.node_by_node(linkage)),
            Self::Optimal => Ways::of(linkage, distances).and_then(|ways| ways.shortest(linkage)),
        };
        order.unwrap_or_else(|| linkage.preorder())
    }
}

/// A cluster as the places that it takes in the tree's order.
#[derive(Debug, Clone)]
struct Node {
    whole: Range<usize>,
    /// Where the right part begins; `None` for a leaf.
    middle: Option<(usize, usize, usize)>,
}

/// The nodes with the places of their leaves; children come before what they make.
fn nodes(linkage: &Linkage) -> Option<Vec<Node>> {
    let mut out = vec![Node { whole: 0..0, middle: None }; linkage.root() + 1];
    let size = |cluster: usize| {
        let merge = cluster.checked_sub(linkage.leaves()).and_then(|merge| linkage.merges().get(merge));
        merge.map_or(1, |merge| merge.size)
    };
    let mut open = vec![(linkage.root(), 0)];
    while let Some((cluster, start)) = open.pop() {
        let node = out.get_mut(cluster)?;
        node.whole = start..start + size(cluster);
        if let Some((left, right)) = linkage.children(cluster) {
            let middle = start + size(left);
            node.middle = Some((middle, left, right));
            open.extend([(left, start), (right, middle)]);
        }
    }
    Some(out)
}

/// The places that may stand at the inner end of a node whose outer end is `outer`.
fn inner(node: &Node, outer: usize) -> Range<usize> {
    match node.middle {
        None => node.whole.clone(),
        Some((middle, ..)) if outer < middle => middle..node.whole.end,
        Some((middle, ..)) => node.whole.start..middle,
    }
}

/// Shortest ways through each cluster, by their ends. All by places in the tree's order.
struct Ways {
    leaves: Vec<usize>,
    nodes: Vec<Node>,
    /// At (u, w) the shortest way through the smallest cluster with both, u and w at its ends.
    lengths: Array2<f64>,
    /// The leaves of its halves that meet on this way, u's first.
    meets: Array2<(usize, usize)>,
}

impl Ways {
    /// `None` for fewer than three leaves, which have one order.
    fn of(linkage: &Linkage, distances: ArrayView2<'_, f64>) -> Option<Self> {
        let leaves = linkage.preorder();
        let count = leaves.len();
        if count < 3 {
            return None;
        }
        let placed = Array2::from_shape_fn((count, count), |(i, j)| {
            let pair = leaves.get(i).zip(leaves.get(j)).map(|(i, j)| (*i, *j));
            pair.and_then(|pair| distances.get(pair)).copied().unwrap_or(f64::INFINITY)
        });
        let (lengths, meets) = (Array2::zeros((count, count)), Array2::default((count, count)));
        let mut ways = Self { leaves, nodes: nodes(linkage)?, lengths, meets };
        for cluster in count..=linkage.root() {
            ways.through(cluster, &placed)?;
        }
        Some(ways)
    }

    /// The ways through a cluster, from those through its halves.
    fn through(&mut self, cluster: usize, placed: &Array2<f64>) -> Option<()> {
        let node = self.nodes.get(cluster)?;
        let (middle, left, right) = node.middle?;
        let (left, right) = (self.nodes.get(left)?, self.nodes.get(right)?);
        for u in left.whole.clone() {
            // First from u through the left half to each leaf of the right one, then on to its other end.
            let mut to_right = vec![(f64::INFINITY, 0); node.whole.end - middle];
            for m in inner(left, u) {
                let so_far = *self.lengths.get((u, m))?;
                let steps = placed.row(m);
                let steps = steps.as_slice()?.get(middle..node.whole.end)?;
                for ((best, from), step) in to_right.iter_mut().zip(steps) {
                    if so_far + step < *best {
                        (*best, *from) = (so_far + step, m);
                    }
                }
            }
            for w in right.whole.clone() {
                let range = inner(right, w);
                let before = to_right.get(range.start - middle..range.end - middle)?;
                let (mut least, mut meet) = (f64::INFINITY, (0, 0));
                let through = self.lengths.row(w);
                let through = through.as_slice()?.get(range.clone())?;
                for ((k, (before, m)), rest) in range.zip(before).zip(through) {
                    if before + rest < least {
                        (least, meet) = (before + rest, (*m, k));
                    }
                }
                *self.lengths.get_mut((u, w))? = least;
                *self.lengths.get_mut((w, u))? = least;
                *self.meets.get_mut((u, w))? = meet;
                *self.meets.get_mut((w, u))? = (meet.1, meet.0);
            }
        }
        Some(())
    }

    /// The ends of the shortest way through a cluster, the left half's first; the first of equal ones.
    fn ends(&self, cluster: usize) -> Option<(usize, usize)> {
        let node = self.nodes.get(cluster)?;
        let (middle, ..) = node.middle?;
        let mut ends = (node.whole.start, middle);
        for u in node.whole.start..middle {
            for w in middle..node.whole.end {
                if self.lengths.get((u, w))? < self.lengths.get(ends)? {
                    ends = (u, w);
                }
            }
        }
        Some(ends)
    }

    /// From the whole down: which half comes first follows from the first leaf.
    fn shortest(&self, linkage: &Linkage) -> Option<Vec<usize>> {
        let mut out = Vec::with_capacity(self.leaves.len());
        let mut open = vec![(linkage.root(), self.ends(linkage.root())?)];
        while let Some((cluster, (first, last))) = open.pop() {
            match self.nodes.get(cluster)?.middle {
                None => out.push(*self.leaves.get(first)?),
                Some((middle, left, right)) => {
                    let (m, k) = *self.meets.get((first, last))?;
                    let (one, other) = if first < middle { (left, right) } else { (right, left) };
                    open.extend([(other, (k, last)), (one, (first, m))]);
                }
            }
        }
        Some(out)
    }

    /// Each cluster turns its halves as its own shortest way has them; the whole is not turned.
    fn node_by_node(&self, linkage: &Linkage) -> Option<Vec<usize>> {
        let mut turned = vec![false; self.nodes.len()];
        for (cluster, node) in self.nodes.iter().enumerate() {
            let Some((_, left, right)) = node.middle else { continue };
            let (u, w) = self.ends(cluster)?;
            *turned.get_mut(left)? = self.nodes.get(left)?.middle.is_some_and(|(middle, ..)| u >= middle);
            *turned.get_mut(right)? = self.nodes.get(right)?.middle.is_some_and(|(middle, ..)| w < middle);
        }
        let mut out = Vec::with_capacity(self.leaves.len());
        // Who turns turns all that is under it.
        let mut open = vec![(linkage.root(), false)];
        while let Some((cluster, above)) = open.pop() {
            let turn = above != *turned.get(cluster)?;
            match self.nodes.get(cluster)?.middle {
                None => out.push(cluster),
                Some((_, left, right)) if turn => open.extend([(left, turn), (right, turn)]),
                Some((_, left, right)) => open.extend([(right, turn), (left, turn)]),
            }
        }
        Some(out)
    }
}
