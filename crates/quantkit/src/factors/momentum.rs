//! Price momentum.

use crate::cross_section::zscore_in_place;
use crate::operators::panel::by_rows;
use crate::operators::{CrossSection, Scratch};
use mts_foundation::UniversePanel;
use mts_foundation::sizing::{ComputeError, Factor};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};
use serde::Deserialize;

/// `f_momentum_12_1`: the return over `h_long` rows that ended `h_skip` rows ago,
/// `close[t − h_skip] / close[t − h_long − h_skip] − 1`, standardised across the row. With the documented 252 and 21
/// it needs 274 rows. The definition is the platform document's; most of the literature (Jegadeesh & Titman 1993)
/// measures the long leg from t, not from t − h_skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Momentum {
    /// Rows over which the return is measured, at least 1.
    pub h_long: usize,
    /// Most recent rows left out.
    pub h_skip: usize,
}

impl Default for Momentum {
    fn default() -> Self {
        Self { h_long: 252, h_skip: 21 }
    }
}

impl Momentum {
    /// Registry name.
    pub const NAME: &'static str = "f_momentum_12_1";

    fn check(&self) -> Result<(), ComputeError> {
        if self.h_long == 0 {
            return Err(ComputeError::new(Self::NAME, "h_long is 0; it must be at least 1 row"));
        }
        Ok(())
    }

    /// Into a buffer of the shape of `close`, on that many threads: the returns, or with `standardised` their scores by
    /// [`CrossSection::ZScore`] (population; a row that does not vary is NaN). For whole panels; `compute` is the factor.
    ///
    /// # Errors
    /// [`ComputeError`] for parameters that make no sense or shapes that differ.
    pub fn over(
        &self,
        close: ArrayView2<'_, f64>,
        mut out: ArrayViewMut2<'_, f64>,
        standardised: bool,
        threads: usize,
    ) -> Result<(), ComputeError> {
        self.check()?;
        let reach = self.h_long + self.h_skip;
        let rows = close.nrows();
        if close.dim() != out.dim() || rows <= reach {
            out.fill(f64::NAN);
            let message =
                format!("close has shape {:?}, the output {:?}; make them equal", close.dim(), out.dim());
            let equal = close.dim() == out.dim();
            return if equal { Ok(()) } else { Err(ComputeError::new(Self::NAME, message)) };
        }
        let (mut early, out) = out.split_at(Axis(0), reach);
        early.fill(f64::NAN);
        let old = close.slice_axis(Axis(0), (..rows - reach).into());
        let recent = close.slice_axis(Axis(0), (self.h_long..rows - self.h_skip).into());
        let scratch = || (Scratch::default(), Vec::new());
        by_rows(&[recent, old], out, threads, scratch, |rows, out, (scratch, returns)| {
            let [recent, old] = rows else { return };
            if standardised {
                // The row of returns stays in the nearest cache.
                returns.resize(out.len(), f64::NAN);
                returns_of(recent, old, returns);
                CrossSection::ZScore { ddof: 0 }.row(returns, out, scratch);
            } else {
                returns_of(recent, old, out);
            }
        })
    }

    fn row(&self, recent: ArrayView1<'_, f64>, old: ArrayView1<'_, f64>) -> Array1<f64> {
        let mut row: Array1<f64> = recent
            .iter()
            .zip(old)
            .map(|(recent, old)| if *old > 0.0 && *recent > 0.0 { recent / old - 1.0 } else { f64::NAN })
            .collect();
        zscore_in_place(row.view_mut());
        row
    }
}

fn returns_of(recent: &[f64], old: &[f64], out: &mut [f64]) {
    for ((out, recent), old) in out.iter_mut().zip(recent).zip(old) {
        // Both are looked at and the quotient is taken in any case: without a branch the compiler uses vectors.
        let (change, known) = (recent / old - 1.0, (*old > 0.0) & (*recent > 0.0));
        *out = if known { change } else { f64::NAN };
    }
}

impl Factor for Momentum {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn warm_up(&self) -> usize {
        self.h_long + self.h_skip + 1
    }

    fn compute(&self, panel: &UniversePanel) -> Result<Array2<f64>, ComputeError> {
        self.check()?;
        let close = panel.close();
        let mut out = Array2::from_elem(panel.shape(), f64::NAN);
        let reach = self.h_long + self.h_skip;
        for (t, mut target) in out.outer_iter_mut().enumerate().skip(reach) {
            target.assign(&self.row(close.row(t - self.h_skip), close.row(t - reach)));
        }
        Ok(out)
    }

    fn latest(&self, panel: &UniversePanel) -> Result<Array1<f64>, ComputeError> {
        self.check()?;
        let (rows, columns) = panel.shape();
        let close = panel.close();
        match rows.checked_sub(self.warm_up()) {
            Some(old) => Ok(self.row(close.row(old + self.h_long), close.row(old))),
            None if rows > 0 => Ok(Array1::from_elem(columns, f64::NAN)),
            None => Err(ComputeError::new(Self::NAME, "the panel has no rows; give it data")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::{Symbol, Timestamp};
    use ndarray::Array2;

    fn panel(rows: usize) -> UniversePanel {
        let close = Array2::from_shape_fn((rows, 3), |(t, a)| {
            100.0 + (t as f64) * [0.1, 0.3, 0.2][a] + ((t * 7 + a * 3) % 5) as f64
        });
        let dates = (0..rows).map(|t| Timestamp::from_millis(t as i64)).collect();
        let symbols = ["A", "B", "C"].map(|name| Symbol::new(name).unwrap()).to_vec();
        UniversePanel::of_closes(dates, symbols, close).unwrap()
    }

    #[test]
    fn the_documented_rows_are_used() {
        let panel = panel(274);
        let factor = Momentum::default();
        assert_eq!(factor.warm_up(), 274);
        let all = factor.compute(&panel).unwrap();
        assert!(all.row(272).iter().all(|value| value.is_nan()));
        let close = panel.close();
        let mut expected: Array1<f64> = (0..3).map(|a| close[(252, a)] / close[(0, a)] - 1.0).collect();
        zscore_in_place(expected.view_mut());
        assert_eq!(all.row(273), expected);
    }

    #[test]
    fn the_latest_row_is_the_last_of_all_and_nothing_looks_ahead() {
        let factor = Momentum { h_long: 10, h_skip: 2 };
        let long = panel(60);
        let all = factor.compute(&long).unwrap();
        for rows in [13, 30, 60] {
            let latest = factor.latest(&panel(rows)).unwrap();
            assert_eq!(latest, all.row(rows - 1), "the value at row {rows} must not depend on later rows");
        }
        assert!(factor.latest(&panel(12)).unwrap().iter().all(|value| value.is_nan()));
        assert!(Momentum { h_long: 0, h_skip: 1 }.compute(&long).is_err());
    }

    #[test]
    fn into_a_buffer_it_is_the_same() {
        let factor = Momentum { h_long: 10, h_skip: 2 };
        let panel = panel(60);
        let scores = factor.compute(&panel).unwrap();
        for threads in [1, 2] {
            let mut out = Array2::zeros((60, 3));
            factor.over(panel.close().view(), out.view_mut(), true, threads).unwrap();
            for (found, wanted) in out.iter().zip(&scores) {
                assert!(found.is_nan() && wanted.is_nan() || (found - wanted).abs() < 1e-12);
            }
        }
        let mut out = Array2::zeros((60, 3));
        factor.over(panel.close().view(), out.view_mut(), false, 1).unwrap();
        let close = panel.close();
        assert!(
            (out[(12, 1)] - (close[(10, 1)] / close[(0, 1)] - 1.0)).abs() < 1e-15 && out[(11, 1)].is_nan()
        );
        assert!(factor.over(close.view(), Array2::zeros((59, 3)).view_mut(), false, 1).is_err());
    }
}
