//! Gerber statistics: how often assets make large moves together, and how often apart.

use super::{EstimateError, sample};
use crate::linalg::gram;
use ndarray::{Array2, ArrayView2, Zip};
use serde::{Deserialize, Serialize};

/// What the number of moves together less those apart is divided by (Gerber, Markowitz, Ernst, Miao, Javid and Sargen 2021).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GerberStatistic {
    /// The number of rows in which both moved: the original. Need not be positive semidefinite.
    BothMoved,
    /// The number of rows in which one of them moved: Riskfolio's statistic 1 and skfolio's `psd_variant`.
    #[default]
    EitherMoved,
    /// The geometric mean of the moves of each: Riskfolio's statistic 2. Positive semidefinite.
    Own,
}

/// Correlations by Gerber's statistic, with the sample's variances (T in the denominator). A move is large at so many standard
/// deviations from 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gerber {
    /// What makes a move large, in standard deviations, above 0 and below 1; ½.
    pub threshold: f64,
    /// What it is divided by.
    pub statistic: GerberStatistic,
}

impl Default for Gerber {
    fn default() -> Self {
        Self { threshold: 0.5, statistic: GerberStatistic::default() }
    }
}

impl Gerber {
    pub(super) fn estimate(self, returns: ArrayView2<'_, f64>) -> Result<Array2<f64>, EstimateError> {
        if !(self.threshold > 0.0 && self.threshold < 1.0) {
            let problem = format!("{} is not above 0 and below 1", self.threshold);
            return Err(EstimateError::new("threshold", problem));
        }
        let y = sample::centred(returns);
        let rows = y.nrows() as f64;
        let deviations = y.map_axis(ndarray::Axis(0), |column| (column.dot(&column) / rows).sqrt());
        // 1 up, −1 down, 0 neither: the products of two columns count moves together less those apart.
        let levels = &deviations * self.threshold;
        let mut moves = returns.to_owned();
        for mut row in moves.outer_iter_mut() {
            for (place, level) in row.iter_mut().zip(&levels) {
                *place = if *place >= *level {
                    1.0
                } else if *place <= -level {
                    -1.0
                } else {
                    0.0
                };
            }
        }
        let mut out = gram(moves.view());
        let own = out.diag().to_owned();
        let counts = match self.statistic {
            GerberStatistic::BothMoved => gram(moves.mapv(f64::abs).view()),
            GerberStatistic::EitherMoved => {
                let still = gram(moves.mapv(|value| 1.0 - value.abs()).view());
                still.mapv(|both| rows - both)
            }
            GerberStatistic::Own => {
                let roots = own.mapv(f64::sqrt);
                let column = roots.view().insert_axis(ndarray::Axis(1));
                &column * &roots
            }
        };
        Zip::from(&mut out).and(&counts).for_each(|place, count| {
            *place = if *count > 0.0 { *place / count } else { 0.0 };
        });
        let column = deviations.view().insert_axis(ndarray::Axis(1));
        out *= &column;
        out *= &deviations;
        Ok(sample::symmetric(&out))
    }
}
