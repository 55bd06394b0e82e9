//! Linear shrinkage of Ledoit and Wolf. The sums over time of fourth moments go row by row: O(N T) beside one product YᵀY.

use super::{EstimateError, sample};
use crate::linalg::gram;
use ndarray::{Array1, Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// What the sample's covariance is pulled to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The mean variance times the identity (JMVA 2004). T in the denominator.
    #[default]
    Identity,
    /// The sample's variances, and the mean correlation for all pairs ("Honey, I shrunk the sample covariance matrix", 2004).
    ConstantCorrelation(Variant),
    /// One factor, the mean of all assets, and what it leaves (Journal of Empirical Finance 2003). T in the denominator.
    SingleFactor,
}

/// How moments are scaled under [`Target::ConstantCorrelation`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// T − 1 everywhere, as the authors' own code.
    #[default]
    LedoitCode,
    /// T − 1 in the sample's covariance, T in the other moments.
    PyPortfolioOpt,
}

/// Linear shrinkage with the part that minimises the expected squared error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedoitWolf {
    /// What it is pulled to.
    pub target: Target,
}

impl LedoitWolf {
    /// The covariance, shape (A, A), and the part of the target in it, within 0 and 1.
    ///
    /// # Errors
    /// [`EstimateError`] where an asset does not move, of which there are no correlations.
    pub fn estimate(self, returns: ArrayView2<'_, f64>) -> Result<(Array2<f64>, f64), EstimateError> {
        super::check(returns)?;
        match self.target {
            Target::Identity => Ok(identity(returns)),
            Target::ConstantCorrelation(variant) => constant_correlation(returns, variant),
            Target::SingleFactor => single_factor(returns),
        }
    }
}

fn identity(returns: ArrayView2<'_, f64>) -> (Array2<f64>, f64) {
    let (rows, assets) = (returns.nrows() as f64, returns.ncols() as f64);
    let y = sample::centred(returns);
    let fourth: f64 = y.outer_iter().map(|row| row_squares(row.as_slice()).powi(2)).sum();
    let mut covariance = gram(y.view());
    covariance /= rows;
    let square = sample::squares(&covariance);
    let mean = covariance.diag().sum() / assets;
    let delta = (square - assets * mean * mean) / assets;
    let beta = ((fourth / rows - square) / (assets * rows)).min(delta);
    let part = if delta > 0.0 && beta > 0.0 { beta / delta } else { 0.0 };
    pull(&mut covariance, part, |i, j, _| if i == j { mean } else { 0.0 });
    (covariance, part)
}

fn row_squares(row: Option<&[f64]>) -> f64 {
    row.map_or(0.0, sample::sum_of_squares)
}

/// (1 − part)·S + part·target.
fn pull(covariance: &mut Array2<f64>, part: f64, target: impl Fn(usize, usize, f64) -> f64) {
    sample::alter(covariance, |i, j, value| part * target(i, j, value) + (1.0 - part) * value);
}

fn at(values: &Array1<f64>, place: usize) -> f64 {
    values.get(place).copied().unwrap_or(f64::NAN)
}

fn moving(variances: &Array1<f64>) -> Result<(), EstimateError> {
    match variances.iter().position(|variance| !variance.is_normal()) {
        Some(asset) => {
            Err(EstimateError::new("returns", format!("asset {asset} does not move; leave it out")))
        }
        None => Ok(()),
    }
}

/// With π, ρ and γ of the paper's appendix. Its n² sums of products over time are products of sums over assets, row by row.
fn constant_correlation(
    returns: ArrayView2<'_, f64>,
    variant: Variant,
) -> Result<(Array2<f64>, f64), EstimateError> {
    let (rows, assets) = (returns.nrows() as f64, returns.ncols() as f64);
    let y = sample::centred(returns);
    let mut covariance = gram(y.view());
    covariance /= rows - 1.0;
    if y.ncols() == 1 {
        return Ok((covariance, 0.0));
    }
    // The moments' own scale, and the sample's covariance under it.
    let scale = match variant {
        Variant::LedoitCode => rows - 1.0,
        Variant::PyPortfolioOpt => rows,
    };
    let ratio = (rows - 1.0) / scale;
    let variances = covariance.diag().to_owned();
    moving(&variances)?;
    let deviations = variances.mapv(f64::sqrt);
    let square = sample::squares(&covariance);
    let (mut fourth, mut mixed) = (0.0, 0.0);
    let mut own = Array1::<f64>::zeros(y.ncols());
    for row in y.outer_iter() {
        let (mut squares, mut cubes, mut values) = (0.0, 0.0, 0.0);
        for ((value, deviation), own) in row.iter().zip(&deviations).zip(&mut own) {
            let squared = value * value;
            squares += squared;
            cubes += squared * value / deviation;
            values += value * deviation;
            *own += squared * squared;
        }
        fourth += squares * squares;
        mixed += cubes * values;
    }
    own /= scale;
    let correlated = deviations.dot(&covariance.dot(&deviations));
    let variance_squares: f64 = variances.iter().map(|variance| variance * variance).sum();
    let correlations = covariance
        .outer_iter()
        .zip(&deviations)
        .map(|(row, own)| row.iter().zip(&deviations).map(|(value, other)| value / other).sum::<f64>() / own);
    let mean = (correlations.sum::<f64>() - assets) / (assets * (assets - 1.0));
    // Σ over pairs of (y_i y_j − s_ij)²; with the sample's scale other than the moments' a term stays.
    let keep = 1.0 - 2.0 * ratio;
    let pi = fourth / scale + keep * square;
    let pi_own = own.sum() + keep * variance_squares;
    // ϑ of the paper, weighed by the ratio of deviations, without the diagonal.
    let theta = (mixed / scale - own.sum()) + keep * (correlated - variance_squares);
    let rho = pi_own + mean * theta;
    // ‖S − F‖² of what is off the diagonal.
    let constant = deviations.iter().map(|deviation| deviation * deviation).sum::<f64>();
    let pairs = constant * constant - variance_squares;
    let gamma =
        (square - variance_squares) - 2.0 * mean * (correlated - variance_squares) + mean * mean * pairs;
    let part = if gamma > 0.0 { ((pi - rho) / gamma / scale).clamp(0.0, 1.0) } else { 0.0 };
    pull(&mut covariance, part, |i, j, value| {
        if i == j { value } else { mean * (at(&deviations, i) * at(&deviations, j)) }
    });
    Ok((covariance, part))
}

fn single_factor(returns: ArrayView2<'_, f64>) -> Result<(Array2<f64>, f64), EstimateError> {
    let (rows, assets) = (returns.nrows() as f64, returns.ncols() as f64);
    let y = sample::centred(returns);
    let market: Array1<f64> = y.outer_iter().map(|row| row.sum() / assets).collect();
    let mut covariance = gram(y.view());
    covariance /= rows;
    let variances = covariance.diag().to_owned();
    let betas = y.t().dot(&market) / rows;
    let market_variance = market.dot(&market) / rows;
    if !market_variance.is_normal() {
        let problem = "their mean does not move; use another target";
        return Err(EstimateError::new("returns", problem));
    }
    let (mut fourth, mut with_market, mut of_market) = (0.0, 0.0, 0.0);
    let [mut own, mut third, mut second] = [(); 3].map(|()| Array1::<f64>::zeros(y.ncols()));
    for (row, market) in y.outer_iter().zip(&market) {
        let (mut squares, mut products) = (0.0, 0.0);
        let sums = own.iter_mut().zip(&mut third).zip(&mut second);
        for ((value, beta), ((own, third), second)) in row.iter().zip(&betas).zip(sums) {
            let squared = value * value;
            squares += squared;
            products += value * beta;
            *own += squared * squared;
            *third += squared * value * market;
            *second += squared * market * market;
        }
        fourth += squares * squares;
        with_market += squares * market * products;
        of_market += (market * products).powi(2);
    }
    let square = sample::squares(&covariance);
    let explained = betas.dot(&covariance.dot(&betas));
    let variance_squares = variances.dot(&variances);
    let beta_squares = &betas * &betas;
    let explained_own = beta_squares.dot(&variances);
    let pi = fourth / rows - square;
    let rho_own = own.sum() / rows - variance_squares;
    let first = (with_market / rows - explained) - (betas.dot(&third) / rows - explained_own);
    let other = (of_market / rows - market_variance * explained)
        - (beta_squares.dot(&second) / rows - market_variance * explained_own);
    let rho = rho_own + 2.0 * first / market_variance - other / (market_variance * market_variance);
    let pairs = beta_squares.sum().powi(2) - beta_squares.dot(&beta_squares);
    let gamma = (square - variance_squares) - 2.0 * (explained - explained_own) / market_variance
        + pairs / (market_variance * market_variance);
    let part = if gamma > 0.0 { ((pi - rho) / gamma / rows).clamp(0.0, 1.0) } else { 0.0 };
    pull(
        &mut covariance,
        part,
        |i, j, value| {
            if i == j { value } else { at(&betas, i) * at(&betas, j) / market_variance }
        },
    );
    Ok((covariance, part))
}
