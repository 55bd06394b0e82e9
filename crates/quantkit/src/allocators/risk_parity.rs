//! Risk parity: weights at which every asset contributes the same to the volatility of the whole.

use super::{AllocationError, RiskBudgeting};
use crate::covariance::Covariance;
use mts_foundation::sizing::{Allocator, ComputeError};
use ndarray::{Array1, ArrayView2};

/// Equal risk contributions: [`RiskBudgeting`] with equal budgets on the sample's covariance (n − 1), without a parameter. Where
/// assets are not correlated, or all pairs alike, these are the weights in inverse proportion to volatility.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RiskParity;

impl RiskParity {
    /// Registry name.
    pub const NAME: &'static str = "risk_parity";
}

impl Allocator for RiskParity {
    fn name(&self) -> &str {
        Self::NAME
    }

    /// # Errors
    /// [`ComputeError`] for fewer than two rows, a return that is no finite number, an asset that does not move, and assets that
    /// together carry no risk, which have no such weights.
    fn allocate(&self, returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, ComputeError> {
        let covariance = Covariance::default().estimate(returns).map_err(AllocationError::from);
        let solved = covariance.and_then(|covariance| RiskBudgeting::default().solve(covariance.view()));
        Ok(solved.map_err(|error| error.of(Self::NAME))?.weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Axis, array};

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
