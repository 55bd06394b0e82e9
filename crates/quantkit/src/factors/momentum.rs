//! Price momentum.

use crate::cross_section::zscore_in_place;
use mts_foundation::UniversePanel;
use mts_foundation::sizing::{ComputeError, Factor};
use ndarray::{Array1, Array2, ArrayView1};
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
}
