//! Nonlinear shrinkage: every eigenvalue by its own part.

use super::{EstimateError, sample};
use crate::linalg::{Eigen, eigen, product};
use ndarray::{Array1, Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// The analytical formula of Ledoit and Wolf (Annals of Statistics 2020): the eigenvectors of the sample (T − 1 in the
/// denominator), and eigenvalues that undo what limited data does to them, from a kernel estimate of their density and its
/// Hilbert transform. For more assets than rows as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nonlinear {}

impl Nonlinear {
    pub(super) fn estimate(self, returns: ArrayView2<'_, f64>) -> Result<Array2<f64>, EstimateError> {
        let covariance = sample::Sample::default().estimate(returns)?;
        let assets = covariance.nrows();
        let rows = returns.nrows() - 1;
        let refused =
            || EstimateError::new("returns", "their covariance has no eigenvalues; look for huge values");
        let Eigen { values, vectors } = eigen(covariance.view()).ok_or_else(refused)?;
        // With more assets than rows, the first eigenvalues are 0 but for rounding, and so many there are.
        let zeros = assets.saturating_sub(rows);
        let positive: Vec<f64> = values.iter().skip(zeros).copied().collect();
        if positive.iter().any(|value| *value <= 0.0) {
            let problem = "some assets together carry no risk (an eigenvalue is 0); leave one out, or use linear shrinkage";
            return Err(EstimateError::new("returns", problem));
        }
        let shrunk = shrink(&positive, assets as f64, rows as f64, zeros > 0);
        let first = std::iter::repeat_n(shrunk.of_zeros, zeros);
        let new: Array1<f64> = first.chain(shrunk.of_positive).collect();
        let scaled = &vectors * &new;
        Ok(sample::symmetric(&product(scaled.view(), vectors.t())))
    }
}

struct Shrunk {
    of_zeros: f64,
    of_positive: Vec<f64>,
}

fn shrink(values: &[f64], assets: f64, rows: f64, more_assets: bool) -> Shrunk {
    let width = rows.powf(-1.0 / 3.0);
    let count = values.len() as f64;
    let five = 5.0_f64.sqrt();
    let kernel = 3.0 / (4.0 * five);
    // Density and Hilbert transform at one place, with the kernel of Epanechnikov; its width goes with the eigenvalue.
    let at = |place: f64| {
        let (mut density, mut hilbert) = (0.0, 0.0);
        for value in values {
            let scale = width * value;
            let x = (place - value) / scale;
            let bow = 1.0 - x * x / 5.0;
            density += kernel * bow.max(0.0) / scale;
            let straight = -3.0 / (10.0 * PI) * x;
            let edge = (x.abs() - five).abs() < f64::EPSILON;
            let log = if edge { 0.0 } else { kernel / PI * bow * ((five - x) / (five + x)).abs().ln() };
            hilbert += (straight + log) / scale;
        }
        (density / count, hilbert / count)
    };
    let ratio = assets / rows;
    let of_positive = values.iter().map(|value| {
        let (density, hilbert) = at(*value);
        if more_assets {
            value / (PI * PI * value * value * (density * density + hilbert * hilbert))
        } else {
            let imaginary = PI * ratio * value * density;
            let real = 1.0 - ratio - PI * ratio * value * hilbert;
            value / (imaginary * imaginary + real * real)
        }
    });
    let of_zeros = if more_assets {
        let inverse = values.iter().map(|value| value.recip()).sum::<f64>() / count;
        let squared = width * width;
        let log = ((1.0 + five * width) / (1.0 - five * width)).abs().ln();
        let hilbert =
            (3.0 / (10.0 * squared) + kernel / width * (1.0 - 1.0 / (5.0 * squared)) * log) / PI * inverse;
        1.0 / (PI * (assets - rows) / rows * hilbert)
    } else {
        0.0
    };
    Shrunk { of_zeros, of_positive: of_positive.collect() }
}
