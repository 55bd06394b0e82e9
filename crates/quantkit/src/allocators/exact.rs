//! Weights whose sum is 1, to the last digit.

use super::{Allocation, AllocationError, Certificate, Measure};
use ndarray::{Array1, ArrayView2};

/// Steps that take the sum to 1; the second is rarely needed.
const STEPS: u32 = 8;

/// Scales weights to a sum of 1, added in order, within one unit of the last place. What rounding leaves goes to the largest
/// weight, which it changes least, so that zeros stay zeros.
pub(crate) fn to_one(weights: &mut Array1<f64>) {
    within(weights, |_| (f64::NEG_INFINITY, f64::INFINITY));
}

/// The same for weights within bounds, given by place: they are not scaled beyond them, and what is left goes to the largest
/// weight that has room for it.
pub(crate) fn within(weights: &mut Array1<f64>, bounds: impl Fn(usize) -> (f64, f64)) {
    let sum: f64 = weights.iter().sum();
    for (place, weight) in weights.iter_mut().enumerate() {
        let (low, high) = bounds(place);
        // Not `clamp`, which panics where the bounds cross.
        *weight = (*weight / sum).max(low).min(high);
    }
    for _ in 0..STEPS {
        let left = 1.0 - weights.iter().sum::<f64>();
        if left.abs() <= 0.0 {
            return;
        }
        let room = |(place, weight): &(usize, &mut f64)| {
            let (low, high) = bounds(*place);
            **weight + left >= low && **weight + left <= high
        };
        let largest = weights.iter_mut().enumerate().filter(room);
        let largest = largest.max_by(|(_, left), (_, right)| left.total_cmp(right));
        let Some((_, weight)) = largest else { return };
        *weight += left;
    }
}

/// The variances of a covariance that can be worked with: square, finite, above 0.
pub(crate) fn variances(covariance: ArrayView2<'_, f64>) -> Result<Array1<f64>, AllocationError> {
    let (rows, columns) = covariance.dim();
    if rows != columns || rows == 0 {
        let problem = format!("its shape is ({rows}, {columns}); give a square one of at least one asset");
        return Err(AllocationError::input("covariance", problem));
    }
    let variances = covariance.diag().to_owned();
    if let Some((asset, variance)) =
        variances.iter().enumerate().find(|(_, variance)| !(variance.is_normal() && **variance > 0.0))
    {
        let problem = format!("asset {asset} does not move (its variance is {variance}); leave it out");
        return Err(AllocationError::input("covariance", problem));
    }
    Ok(variances)
}

/// Weights by a formula.
pub(crate) fn closed_form(weights: Array1<f64>, objective: f64) -> Allocation {
    let certificate = Certificate { measure: Measure::ClosedForm, residual: 0.0, objective, iterations: 0 };
    Allocation { weights, certificate }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_sum_is_one(parts in prop::collection::vec(1e-6..1e3_f64, 1..200)) {
            let mut weights = Array1::from(parts.clone());
            to_one(&mut weights);
            let sum: f64 = weights.iter().sum();
            prop_assert!((sum - 1.0).abs() <= f64::EPSILON, "{sum}");
            let total: f64 = parts.iter().sum();
            for (weight, part) in weights.iter().zip(&parts) {
                prop_assert!((weight - part / total).abs() < 1e-13);
            }
        }

        #[test]
        fn bounds_are_kept(parts in prop::collection::vec(0.9..1.1_f64, 4..50)) {
            let most = 1.05 / parts.len() as f64;
            let mut weights = Array1::from(parts);
            within(&mut weights, |_| (0.0, most));
            prop_assert!(weights.iter().all(|weight| *weight <= most));
        }
    }
}
