//! The tree: merges with SciPy's numbers, its leaves in order, its cuts.

use super::Edge;

/// Two clusters that became one. Numbers below n are assets; n + i is what merge i made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merge {
    /// The cluster on the left.
    pub left: usize,
    /// The cluster on the right.
    pub right: usize,
    /// Their distance.
    pub distance: f64,
    /// Assets in both.
    pub size: usize,
}

/// A tree of n assets: n − 1 merges, rising by distance.
#[derive(Debug, Clone, PartialEq)]
pub struct Linkage {
    pub(super) merges: Vec<Merge>,
}

impl Linkage {
    /// Gives the clusters their numbers; the smaller one stands left.
    pub(super) fn of_edges(edges: Vec<Edge>) -> Self {
        let count = edges.len() + 1;
        let mut parents: Vec<usize> = (0..2 * count).collect();
        let mut sizes = vec![1_usize; 2 * count];
        let mut merges = Vec::with_capacity(edges.len());
        for (made, edge) in (count..).zip(edges) {
            let (first, second) = (root(&mut parents, edge.first), root(&mut parents, edge.second));
            let size = [first, second].iter().filter_map(|cluster| sizes.get(*cluster)).sum();
            for cluster in [first, second] {
                if let Some(parent) = parents.get_mut(cluster) {
                    *parent = made;
                }
            }
            if let Some(place) = sizes.get_mut(made) {
                *place = size;
            }
            let (left, right) = (first.min(second), first.max(second));
            merges.push(Merge { left, right, distance: edge.distance, size });
        }
        Self { merges }
    }

    /// Number of assets.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.merges.len() + 1
    }

    /// The merges, rising by distance.
    #[must_use]
    pub fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// The two clusters under a number; `None` for an asset.
    #[must_use]
    pub fn children(&self, cluster: usize) -> Option<(usize, usize)> {
        let merge = self.merges.get(cluster.checked_sub(self.leaves())?)?;
        Some((merge.left, merge.right))
    }

    /// The number of the whole: the last merge, or the only asset.
    #[must_use]
    pub fn root(&self) -> usize {
        2 * self.merges.len()
    }

    /// The assets under a number, the left ones first.
    #[must_use]
    pub fn members(&self, cluster: usize) -> Vec<usize> {
        let mut out = Vec::new();
        let mut open = vec![cluster];
        while let Some(cluster) = open.pop() {
            match self.children(cluster) {
                Some((left, right)) => open.extend([right, left]),
                None => out.push(cluster),
            }
        }
        out
    }

    /// All assets, the left ones first.
    #[must_use]
    pub fn preorder(&self) -> Vec<usize> {
        self.members(self.root())
    }

    /// The numbers of at most `count` clusters that a cut leaves, the left ones first, but clusters before a single asset beside them.
    ///
    /// As SciPy's `fcluster` with `maxclust`: all merges up to a distance are made, so that equal distances may leave fewer. The
    /// number 0 counts as 1.
    #[must_use]
    pub fn clusters(&self, count: usize) -> Vec<usize> {
        let count = count.clamp(1, self.leaves());
        // So many merges are certainly made; those as far as the last of them with it.
        let made = self.leaves() - count;
        let height = made.checked_sub(1).and_then(|last| self.merges.get(last)).map(|merge| merge.distance);
        let joined = |cluster: usize| {
            let merge = cluster.checked_sub(self.leaves()).and_then(|merge| self.merges.get(merge));
            merge.is_none_or(|merge| height.is_some_and(|height| merge.distance <= height))
        };
        let mut out = Vec::new();
        let mut open = vec![self.root()];
        while let Some(cluster) = open.pop() {
            match self.children(cluster) {
                Some((left, right)) if !joined(cluster) => {
                    // From the end: clusters on both sides come before single assets.
                    let leaf = |cluster: &usize| *cluster < self.leaves();
                    let (leaves, others): (Vec<usize>, Vec<usize>) =
                        [right, left].into_iter().partition(leaf);
                    open.extend(leaves.into_iter().chain(others));
                }
                _ => out.push(cluster),
            }
        }
        out
    }
}

/// The cluster that an asset belongs to now. Halves the way for the next search.
fn root(parents: &mut [usize], of: usize) -> usize {
    let mut at = of;
    loop {
        let parent = parents.get(at).copied().unwrap_or(at);
        if parent == at {
            return at;
        }
        let above = parents.get(parent).copied().unwrap_or(parent);
        if let Some(place) = parents.get_mut(at) {
            *place = above;
        }
        at = above;
    }
}

/// Which of at most `count` clusters each asset belongs to, shape (N): numbers from 0 in the order
/// of [`Linkage::clusters`], none left out.
///
/// The same clusters and numbers as SciPy's `fcluster(…, count, "maxclust") − 1`, except that `count` ≥ N leaves every asset
/// alone.
#[must_use]
pub fn cut(linkage: &Linkage, count: usize) -> Vec<usize> {
    let mut labels = vec![0; linkage.leaves()];
    for (label, cluster) in linkage.clusters(count).into_iter().enumerate() {
        for asset in linkage.members(cluster) {
            if let Some(place) = labels.get_mut(asset) {
                *place = label;
            }
        }
    }
    labels
}
