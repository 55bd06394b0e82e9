//! Risk parity: weights at which every asset contributes the same to the volatility of the whole.

use mts_foundation::sizing::{Allocator, ComputeError};
use ndarray::{Array1, Array2, ArrayView2, Axis};

const NAME: &str = "risk_parity";

/// Sweeps over all assets before giving up. Real covariances need a dozen.
const MAX_SWEEPS: usize = 10_000;

/// Largest difference of a contribution from its equal part, as a part of the whole.
const TOLERANCE: f64 = 1e-10;

/// Equal risk contributions: w ∘ Σw is the same for every asset, all weights above 0, 1 in sum (Maillard, Roncalli and
/// Teïletche 2010). Σ is the sample's covariance (n − 1). Where assets are not correlated, or all pairs alike, these are the
/// weights in inverse proportion to volatility.
///
/// Solved as minimum of ½xᵀCx − Σ ln xᵢ / n on the correlations C (Spinu 2013) by cyclical coordinate descent
/// (Griveau-Billion, Richard and Roncalli 2013), which needs no inverse: there may be fewer rows than assets, as long as no
/// portfolio of them is without risk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RiskParity;

impl Allocator for RiskParity {
    fn name(&self) -> &str {
        NAME
    }

    /// # Errors
    /// [`ComputeError`] for fewer than two rows, a return that is no finite number, an asset that does not move, and assets that
    /// together carry no risk, which have no such weights.
    fn allocate(&self, returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, ComputeError> {
        let refuse = |message: String| Err(ComputeError::new(NAME, message));
        let rows = returns.nrows();
        if rows < 2 || returns.ncols() == 0 {
            return refuse(format!("{rows} rows of {} assets; give at least two rows", returns.ncols()));
        }
        if let Some(((row, column), value)) = returns.indexed_iter().find(|(_, value)| !value.is_finite()) {
            return refuse(format!(
                "the return of asset {column} in row {row} is {value}; leave rows out that lack one"
            ));
        }
        let mean = returns.sum_axis(Axis(0)) / rows as f64;
        let centred = &returns - &mean;
        let deviations = centred.map_axis(Axis(0), |column| column.dot(&column).sqrt());
        if let Some(still) = deviations.iter().position(|deviation| !deviation.is_normal()) {
            return refuse(format!("asset {still} does not move; leave it out"));
        }
        let scaled = centred / &deviations;
        let Some(inverse) = solve(&scaled.t().dot(&scaled)) else {
            return refuse(
                "the assets have no weights of equal risk: some of them together carry none; leave one of them out"
                    .to_owned(),
            );
        };
        let weights = inverse / deviations;
        let total = weights.sum();
        Ok(weights / total)
    }
}

/// x with xᵢ (Cx)ᵢ = 1/n; `None` where the sweeps do not get there.
fn solve(correlations: &Array2<f64>) -> Option<Array1<f64>> {
    let count = correlations.nrows();
    let budget = 1.0 / count as f64;
    let mut x = Array1::from_elem(count, budget.sqrt());
    for _ in 0..MAX_SWEEPS {
        for (asset, row) in correlations.outer_iter().enumerate() {
            let own = *row.get(asset)?;
            let place = x.get(asset).copied()?;
            let others = row.dot(&x) - own * place;
            let root = (others * others + 4.0 * own * budget).sqrt();
            // The positive root of own·x² + others·x = budget, in the form that loses no digits.
            let next =
                if others > 0.0 { 2.0 * budget / (others + root) } else { (root - others) / (2.0 * own) };
            *x.get_mut(asset)? = next;
        }
        let contributions = &x * &correlations.dot(&x);
        let total = contributions.sum();
        if !total.is_normal() {
            return None;
        }
        let off = contributions.iter().map(|part| (part / total - budget).abs()).fold(0.0, f64::max);
        if off < TOLERANCE {
            return Some(x);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// Returns that look like noise and are the same every time.
    fn returns(rows: usize, scales: &[f64], shared: f64) -> Array2<f64> {
        let mut state = 7_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / 4_294_967_296.0 - 0.25
        };
        let mut all = Array2::zeros((rows, scales.len()));
        for mut row in all.outer_iter_mut() {
            let common = noise() * shared;
            for (place, scale) in row.iter_mut().zip(scales) {
                *place = scale * (noise() + common);
            }
        }
        all
    }

    fn contributions(returns: &Array2<f64>, weights: &Array1<f64>) -> Array1<f64> {
        let centred = returns - &returns.mean_axis(Axis(0)).unwrap();
        let covariance = centred.t().dot(&centred);
        let marginal = covariance.dot(weights);
        weights * &marginal / weights.dot(&marginal)
    }

    #[test]
    fn every_asset_contributes_the_same() {
        for (rows, shared) in [(250, 0.0), (250, 0.8), (60, 3.0), (4, 5.0)] {
            let returns = returns(rows, &[0.01, 0.02, 0.005, 0.03, 0.011], shared);
            let weights = RiskParity.allocate(returns.view()).unwrap();
            assert!((weights.sum() - 1.0).abs() < 1e-12);
            for part in contributions(&returns, &weights) {
                assert!((part - 0.2).abs() < 1e-9, "{rows} rows, {shared}: {part}");
            }
        }
    }

    #[test]
    fn two_assets_and_uncorrelated_ones_are_in_inverse_proportion_to_volatility() {
        let pair = array![[0.02, 0.01], [-0.01, 0.02], [0.0, -0.04], [0.03, 0.0]];
        let weights = RiskParity.allocate(pair.view()).unwrap();
        let volatility = |column: usize| pair.column(column).std(1.0);
        let wanted = volatility(1) / (volatility(0) + volatility(1));
        assert!((weights[0] - wanted).abs() < 1e-9, "{weights}");
        let apart = array![[1.0, 2.0, 4.0], [-1.0, 2.0, -4.0], [1.0, -2.0, -4.0], [-1.0, -2.0, 4.0]];
        let weights = RiskParity.allocate(apart.view()).unwrap();
        for (weight, wanted) in weights.iter().zip([4.0 / 7.0, 2.0 / 7.0, 1.0 / 7.0]) {
            assert!((weight - wanted).abs() < 1e-9, "{weights}");
        }
    }

    #[test]
    fn the_order_and_the_unit_of_the_assets_do_not_matter() {
        let all = returns(100, &[0.01, 0.03, 0.02], 1.0);
        let weights = RiskParity.allocate(all.view()).unwrap();
        let turned = RiskParity.allocate(all.select(Axis(1), &[2, 0, 1]).view()).unwrap();
        let scaled = RiskParity.allocate((&all * 1e3).view()).unwrap();
        for (asset, place) in [(0, 1), (1, 2), (2, 0)] {
            assert!((weights[asset] - turned[place]).abs() < 1e-9);
            assert!((weights[asset] - scaled[asset]).abs() < 1e-9);
        }
        // One asset given twice shares its weight.
        let twice = RiskParity.allocate(all.select(Axis(1), &[0, 0]).view()).unwrap();
        assert!((twice[0] - 0.5).abs() < 1e-9);
    }

    #[test]
    fn what_has_no_such_weights_is_told() {
        let all = returns(10, &[0.01, 0.02], 0.0);
        let mut missing = all.clone();
        missing[(3, 1)] = f64::NAN;
        let mut still = all.clone();
        still.column_mut(0).fill(0.5);
        let mut hedge = all.clone();
        let other = -&hedge.column(0);
        hedge.column_mut(1).assign(&other);
        for (returns, words) in [
            (Array2::zeros((1, 2)), "1 rows of 2 assets"),
            (missing, "asset 1 in row 3 is NaN"),
            (still, "asset 0 does not move"),
            (hedge, "together carry none"),
        ] {
            let error = RiskParity.allocate(returns.view()).unwrap_err();
            assert!(error.message.contains(words), "{error}");
        }
    }
}
