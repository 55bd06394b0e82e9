//! The window that moves: a running value of the last rows without ever subtracting.
//!
//! Rows are cut into blocks of the window's length. A window is then the end of one block and the beginning of the next. The
//! running value of the beginning grows row by row; those of all ends of a block are made when it is full, from its last
//! row backwards. So each value is built from the rows of its window alone: nothing drifts, an outlier or a missing
//! value that has left the window leaves no trace, and the cost of a row does not depend on the length.

use super::Step;
use super::wide::{LANES, Wide};

/// How many rows a running value stands for, and one over it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count {
    pub(crate) rows: f64,
    pub(crate) inverse: f64,
}

impl Count {
    fn of(rows: usize) -> Self {
        let rows = rows as f64;
        Self { rows, inverse: 1.0 / rows }
    }
}

/// What is kept of the rows of a window of `I` series.
pub(crate) trait Kernel<const I: usize>: Send {
    /// The running value of some rows.
    type State: Copy + Send;

    /// Of one row.
    fn one(&self, row: [Wide; I]) -> Self::State;
    /// With a row after the others; `count` counts it.
    fn newer(&self, state: Self::State, row: [Wide; I], count: Count) -> Self::State;
    /// With a row before the others; `count` counts it.
    fn older(&self, state: Self::State, row: [Wide; I], count: Count) -> Self::State;
    /// Of two runs of rows, the second right after the first.
    fn join(
        &self,
        first: Self::State,
        first_rows: f64,
        second: Self::State,
        second_rows: f64,
        count: Count,
    ) -> Self::State;
    /// The result of a window; `last` is its newest row.
    fn finish(&self, state: Self::State, last: [Wide; I], count: Count) -> Wide;
}

/// A [`Kernel`] over the last `window` rows of `columns` columns.
pub(crate) struct Window<K: Kernel<I>, const I: usize> {
    kernel: K,
    window: usize,
    groups: usize,
    /// Rows of the block so far, each of all groups.
    block: Vec<[Wide; I]>,
    /// Of the block before: what its last 1, 2, … rows make, shortest first, each of all groups.
    ends: Vec<K::State>,
    /// Of the block so far.
    beginning: Vec<K::State>,
    has_ends: bool,
    counts: Vec<Count>,
}

impl<K: Kernel<I>, const I: usize> Window<K, I> {
    pub(crate) fn new(kernel: K, window: usize, columns: usize) -> Self {
        let groups = columns.div_ceil(LANES);
        Self {
            kernel,
            window,
            groups,
            block: Vec::with_capacity(groups * window),
            ends: Vec::with_capacity(groups * window),
            beginning: Vec::with_capacity(groups),
            has_ends: false,
            counts: (0..=window).map(Count::of).collect(),
        }
    }

    fn count(&self, rows: usize) -> Count {
        self.counts.get(rows).copied().unwrap_or(Count { rows: f64::NAN, inverse: f64::NAN })
    }

    /// The running values of the ends of the block, which is full.
    fn turn(&mut self) {
        self.ends.clear();
        for (rows, row) in self.block.chunks_exact(self.groups).rev().enumerate().take(self.window - 1) {
            if rows == 0 {
                self.ends.extend(row.iter().map(|row| self.kernel.one(*row)));
                continue;
            }
            let count = self.count(rows + 1);
            let from = (rows - 1) * self.groups;
            for (group, row) in row.iter().enumerate() {
                if let Some(state) = self.ends.get(from + group).copied() {
                    self.ends.push(self.kernel.older(state, *row, count));
                }
            }
        }
        self.has_ends = true;
        self.block.clear();
        self.beginning.clear();
    }
}

/// A row of `I` series, a group of columns at a time.
fn grouped<'a, const I: usize>(inputs: &'a [&'a [f64]]) -> Option<[std::slice::Chunks<'a, f64>; I]> {
    let mut all = inputs.iter().map(|input| input.chunks(LANES));
    let first = all.next()?;
    let mut groups: [std::slice::Chunks<'a, f64>; I] = std::array::from_fn(|_| first.clone());
    for (group, next) in groups.iter_mut().skip(1).zip(all) {
        *group = next;
    }
    Some(groups)
}

impl<K: Kernel<I>, const I: usize> Step for Window<K, I> {
    fn push(&mut self, inputs: &[&[f64]], out: &mut [f64]) {
        if self.groups == 0 {
            return;
        }
        let Some(mut groups) = grouped::<I>(inputs) else { return };
        let place = self.block.len();
        for _ in 0..self.groups {
            let row = std::array::from_fn(|series| {
                groups.get_mut(series).and_then(Iterator::next).map_or(Wide::NAN, Wide::load)
            });
            self.block.push(row);
        }
        let Some(newest) = self.block.get(place..) else { return };
        let rows = place / self.groups + 1;
        let (count, whole) = (self.count(rows), self.count(self.window));
        if rows == 1 {
            self.beginning.extend(newest.iter().map(|row| self.kernel.one(*row)));
        } else {
            for (state, row) in self.beginning.iter_mut().zip(newest) {
                *state = self.kernel.newer(*state, *row, count);
            }
        }
        let before = self.window - rows;
        if before == 0 {
            for ((out, state), row) in out.chunks_mut(LANES).zip(&self.beginning).zip(newest) {
                self.kernel.finish(*state, *row, whole).store(out);
            }
            self.turn();
        } else if self.has_ends {
            let older_rows = before as f64;
            let ends = self.ends.get((before - 1) * self.groups..).unwrap_or_default();
            for (((out, state), row), end) in out.chunks_mut(LANES).zip(&self.beginning).zip(newest).zip(ends)
            {
                let state = self.kernel.join(*end, older_rows, *state, count.rows, whole);
                self.kernel.finish(state, *row, whole).store(out);
            }
        } else {
            out.fill(f64::NAN);
        }
    }
}
