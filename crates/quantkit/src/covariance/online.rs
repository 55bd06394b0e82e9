//! A covariance that takes one row a day: O(A²) instead of O(T A²).

use super::{Decay, EstimateError};
use ndarray::{Array1, Array2, ArrayView1};
use std::collections::VecDeque;

/// Which rows count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Window {
    /// All, alike.
    All,
    /// The last so many, alike; at least 2.
    Last(usize),
    /// All, older ones less, about 0: [`super::Ewma`] with [`super::Centre::Zero`].
    Decay(Decay),
}

/// A covariance under updates by single rows. Equal to the estimate of the same rows at once but for rounding, which a moving
/// window takes back by computing all anew once in as many rows as it holds.
#[derive(Debug, Clone)]
pub struct Online {
    window: Window,
    factor: f64,
    /// Sum of the weights of the rows seen.
    weight: f64,
    mean: Array1<f64>,
    /// Sum of products about the mean (or about 0), its lower triangle.
    products: Array2<f64>,
    rows: VecDeque<Array1<f64>>,
    since_anew: usize,
}

impl Online {
    /// Of so many assets, before the first row.
    ///
    /// # Errors
    /// [`EstimateError`] for a window of fewer than 2 rows, or a decay that is none.
    pub fn new(assets: usize, window: Window) -> Result<Self, EstimateError> {
        let factor = match window {
            Window::Decay(decay) => decay.factor()?,
            Window::Last(rows) if rows < 2 => {
                let problem = format!("{rows} rows have no covariance; use at least 2");
                return Err(EstimateError::new("window", problem));
            }
            Window::Last(_) | Window::All => 1.0,
        };
        Ok(Self {
            window,
            factor,
            weight: 0.0,
            mean: Array1::zeros(assets),
            products: Array2::zeros((assets, assets)),
            rows: VecDeque::new(),
            since_anew: 0,
        })
    }

    /// Takes a row, shape (A).
    ///
    /// # Errors
    /// [`EstimateError`] for a row of another length, or one that lacks a return; nothing has changed then.
    pub fn push(&mut self, row: ArrayView1<'_, f64>) -> Result<(), EstimateError> {
        if row.len() != self.mean.len() {
            let problem = format!("a row of {} returns for {} assets", row.len(), self.mean.len());
            return Err(EstimateError::new("row", problem));
        }
        if let Some((asset, value)) = row.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            let problem = format!("the return of asset {asset} is {value}; leave the row out");
            return Err(EstimateError::new("row", problem));
        }
        match self.window {
            Window::Decay(_) => {
                self.weight = self.weight * self.factor + 1.0;
                let factor = self.factor;
                self.add(row, factor, 1.0);
            }
            Window::All => self.join(row),
            Window::Last(most) => {
                self.rows.push_back(row.to_owned());
                if self.rows.len() <= most {
                    self.join(row);
                    return Ok(());
                }
                let oldest = self.rows.pop_front();
                self.since_anew += 1;
                if self.since_anew >= most {
                    self.anew();
                } else if let Some(oldest) = oldest {
                    self.join(row);
                    self.leave(oldest.view());
                }
            }
        }
        Ok(())
    }

    /// The covariance, shape (A, A), with `ddof` taken off the number of rows (not under a decay); `None` while there are too
    /// few rows.
    #[must_use]
    pub fn covariance(&self, ddof: usize) -> Option<Array2<f64>> {
        let under = match self.window {
            Window::Decay(_) => self.weight,
            Window::All | Window::Last(_) => self.weight - ddof as f64,
        };
        if under <= 0.0 {
            return None;
        }
        let mut out = self.products.clone();
        out /= under;
        for i in 0..out.nrows() {
            for j in 0..i {
                if let Some(value) = out.get((i, j)).copied()
                    && let Some(place) = out.get_mut((j, i))
                {
                    *place = value;
                }
            }
        }
        Some(out)
    }

    /// Weight of the rows that count: their number, without a decay.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// Welford's step.
    fn join(&mut self, row: ArrayView1<'_, f64>) {
        let before = self.weight;
        self.weight += 1.0;
        let off = &row - &self.mean;
        self.mean.scaled_add(1.0 / self.weight, &off);
        self.add(off.view(), 1.0, before / self.weight);
    }

    /// The same backwards.
    fn leave(&mut self, row: ArrayView1<'_, f64>) {
        let after = self.weight - 1.0;
        let off = &row - &self.mean;
        self.mean.scaled_add(-1.0 / after, &off);
        self.add(off.view(), 1.0, -self.weight / after);
        self.weight = after;
    }

    /// products · keep + scale · v vᵀ, lower triangle.
    fn add(&mut self, v: ArrayView1<'_, f64>, keep: f64, scale: f64) {
        for (i, (mut row, own)) in self.products.outer_iter_mut().zip(&v).enumerate() {
            let own = scale * own;
            for (place, other) in row.iter_mut().zip(&v).take(i + 1) {
                *place = *place * keep + own * other;
            }
        }
    }

    fn anew(&mut self) {
        self.weight = 0.0;
        self.since_anew = 0;
        self.mean.fill(0.0);
        self.products.fill(0.0);
        let rows = std::mem::take(&mut self.rows);
        for row in &rows {
            self.join(row.view());
        }
        self.rows = rows;
    }
}
