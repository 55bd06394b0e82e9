//! Operators that look at each row of their window.

use super::Step;
use super::wide::{same, zero_of};

/// The last rows of a panel.
struct Ring {
    rows: Vec<Vec<f64>>,
    next: usize,
    seen: usize,
}

impl Ring {
    fn new(length: usize, columns: usize) -> Self {
        Self { rows: vec![vec![f64::NAN; columns]; length], next: 0, seen: 0 }
    }

    /// The oldest row, which the next one will replace; NaN before there is one.
    fn oldest(&self) -> Option<&[f64]> {
        self.rows.get(self.next).map(Vec::as_slice)
    }

    fn push(&mut self, row: &[f64]) {
        if let Some(place) = self.rows.get_mut(self.next) {
            place.copy_from_slice(row);
            self.next = (self.next + 1) % self.rows.len();
            self.seen += 1;
        }
    }

    fn is_full(&self) -> bool {
        self.seen >= self.rows.len()
    }
}

/// The row of some rows ago, or the newest less that.
pub(crate) struct Delay {
    ring: Ring,
    difference: bool,
}

impl Delay {
    pub(crate) fn new(rows: usize, difference: bool, columns: usize) -> Self {
        Self { ring: Ring::new(rows, columns), difference }
    }
}

impl Step for Delay {
    fn push(&mut self, inputs: &[&[f64]], out: &mut [f64]) {
        let Some(row) = inputs.first() else { return };
        match self.ring.oldest() {
            Some(old) if self.difference => {
                for ((out, new), old) in out.iter_mut().zip(*row).zip(old) {
                    *out = new - old;
                }
            }
            Some(old) => out.copy_from_slice(old),
            // No rows ago: the row itself.
            None if self.difference => {
                for (out, new) in out.iter_mut().zip(*row) {
                    *out = zero_of(*new);
                }
            }
            None => out.copy_from_slice(row),
        }
        self.ring.push(row);
    }
}

/// The rank of the newest row in its window as a fraction, ties share their mean.
pub(crate) struct TimeRank {
    ring: Ring,
    /// By column: values below the newest one, and values equal to it, itself among them.
    below: Vec<f64>,
    equal: Vec<f64>,
}

impl TimeRank {
    pub(crate) fn new(window: usize, columns: usize) -> Self {
        Self { ring: Ring::new(window, columns), below: vec![0.0; columns], equal: vec![0.0; columns] }
    }
}

impl Step for TimeRank {
    fn push(&mut self, inputs: &[&[f64]], out: &mut [f64]) {
        let Some(newest) = inputs.first() else { return };
        self.ring.push(newest);
        if !self.ring.is_full() {
            out.fill(f64::NAN);
            return;
        }
        self.below.fill(0.0);
        self.equal.fill(0.0);
        for row in &self.ring.rows {
            for (((below, equal), value), newest) in
                self.below.iter_mut().zip(&mut self.equal).zip(row).zip(*newest)
            {
                *below += f64::from(u8::from(value < newest));
                *equal += f64::from(u8::from(same(*value, *newest)));
                // A missing value of the window makes the count missing.
                *below += zero_of(*value);
            }
        }
        let rows = self.ring.rows.len() as f64;
        for ((out, below), equal) in out.iter_mut().zip(&self.below).zip(&self.equal) {
            *out = (below + (equal + 1.0) / 2.0) / rows;
        }
    }
}

/// A quantile of the window, between two values by their distance.
pub(crate) struct Quantile {
    ring: Ring,
    quantile: f64,
    /// By column: the window's values in order, without the missing ones.
    sorted: Vec<Vec<f64>>,
}

impl Quantile {
    pub(crate) fn new(window: usize, quantile: f64, columns: usize) -> Self {
        Self { ring: Ring::new(window, columns), quantile, sorted: vec![Vec::with_capacity(window); columns] }
    }
}

fn place(sorted: &[f64], value: f64) -> usize {
    sorted.partition_point(|other| other.total_cmp(&value).is_lt())
}

impl Step for Quantile {
    fn push(&mut self, inputs: &[&[f64]], out: &mut [f64]) {
        let Some(row) = inputs.first() else { return };
        if let Some(oldest) = self.ring.oldest() {
            for (sorted, old) in self.sorted.iter_mut().zip(oldest) {
                let at = place(sorted, *old);
                if !old.is_nan() && at < sorted.len() {
                    sorted.remove(at);
                }
            }
        }
        self.ring.push(row);
        let window = self.ring.rows.len();
        let position = (window as f64 - 1.0) * self.quantile;
        let whole = position.floor();
        for ((out, sorted), value) in out.iter_mut().zip(&mut self.sorted).zip(*row) {
            if !value.is_nan() {
                sorted.insert(place(sorted, *value), *value);
            }
            *out = if sorted.len() == window {
                // In turn, as a position is a number that is no index.
                let mut from = sorted.iter().enumerate().skip_while(|(index, _)| (*index as f64) < whole);
                let low = from.next().map_or(f64::NAN, |(_, low)| *low);
                let high = from.next().map_or(low, |(_, high)| *high);
                low + (high - low) * (position - whole)
            } else {
                f64::NAN
            };
        }
    }
}
