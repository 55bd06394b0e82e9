//! Tails of the sample: value at risk and its conditional, of a portfolio, and the weights with the least of it.
//!
//! Losses are positive. `level` is the part of the periods that is no tail, such as 0.95.

pub mod minimum_cvar;

pub use minimum_cvar::minimum_cvar;

use super::AllocationError;
use ndarray::{Array1, ArrayView1, ArrayView2};

/// The tail of a portfolio's returns.
#[derive(Debug, Clone, PartialEq)]
pub struct Tail {
    /// The ⌊k⌋ + 1-th largest loss, with k = (1 − level) T.
    pub value_at_risk: f64,
    /// The mean of the k largest losses; the last of them counts for the fraction of k that is left (Rockafellar and Uryasev 2002).
    pub conditional: f64,
    /// How much each period counts, shape (T); 1 in sum.
    pub periods: Array1<f64>,
}

pub(crate) fn check_level(level: f64) -> Result<(), AllocationError> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    Err(AllocationError::input("level", format!("{level}; give a number between 0 and 1, such as 0.95")))
}

/// The tail of returns, shape (T).
///
/// # Errors
/// [`AllocationError::Input`] for no returns, one that is not finite, or a level outside of 0 to 1.
pub fn tail(returns: ArrayView1<'_, f64>, level: f64) -> Result<Tail, AllocationError> {
    check_level(level)?;
    if returns.is_empty() || returns.iter().any(|value| !value.is_finite()) {
        return Err(AllocationError::input(
            "returns",
            "there are none, or one is no finite number; leave it out",
        ));
    }
    let mut order: Vec<(f64, usize)> =
        returns.iter().enumerate().map(|(period, value)| (-value, period)).collect();
    order.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    let size = (1.0 - level) * returns.len() as f64;
    // (1 − 0.95)·1000 is not 50 in floating point, but a rounding above.
    let size = if (size - size.round()).abs() < 1e-9 * size { size.round() } else { size };
    let mut periods = Array1::zeros(returns.len());
    let (mut left, mut sum, mut value_at_risk) = (size, 0.0, f64::NAN);
    for (loss, period) in order {
        value_at_risk = loss;
        let counts = left.clamp(0.0, 1.0);
        if let Some(place) = periods.get_mut(period) {
            *place = counts / size;
        }
        sum += counts * loss;
        left -= 1.0;
        if left < 0.0 {
            break;
        }
    }
    Ok(Tail { value_at_risk, conditional: sum / size, periods })
}

/// The part of each asset in the conditional value at risk of a portfolio: what it loses in the tail. They sum to the total (Euler).
///
/// # Errors
/// As [`tail`]; weights of another number than the assets.
pub fn components(
    returns: ArrayView2<'_, f64>,
    weights: ArrayView1<'_, f64>,
    level: f64,
) -> Result<Array1<f64>, AllocationError> {
    if returns.ncols() != weights.len() {
        let problem = format!("{} weights for {} assets; give one each", weights.len(), returns.ncols());
        return Err(AllocationError::input("weights", problem));
    }
    let found = tail(returns.dot(&weights).view(), level)?;
    Ok(-returns.t().dot(&found.periods) * weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn the_last_loss_counts_by_its_fraction_and_parts_sum_to_the_whole() {
        let found = tail(array![-0.04, 0.02, -0.01, 0.03, -0.02].view(), 0.7).unwrap();
        // One and a half of five periods.
        assert!((found.conditional - (0.04 + 0.5 * 0.02) / 1.5).abs() < 1e-15);
        assert!((found.value_at_risk - 0.02).abs() < 1e-15);
        assert!((found.periods.sum() - 1.0).abs() < 1e-15);
        let returns = Array2::from_shape_fn((60, 3), |(t, j)| ((t * (j + 3) * 7) % 13) as f64 / 100.0 - 0.06);
        let weights = array![0.2, 0.5, 0.3];
        let whole = tail(returns.dot(&weights).view(), 0.93).unwrap().conditional;
        let parts = components(returns.view(), weights.view(), 0.93).unwrap();
        assert!((parts.sum() - whole).abs() < 1e-15);
        // Euler: a part is the weight times the slope.
        for asset in 0..3 {
            let mut more = weights.clone();
            more[asset] += 1e-7;
            let slope = (tail(returns.dot(&more).view(), 0.93).unwrap().conditional - whole) / 1e-7;
            assert!((slope * weights[asset] - parts[asset]).abs() < 1e-8);
        }
        assert!(tail(array![0.1].view(), 1.0).unwrap_err().to_string().contains("level: 1;"));
        assert!(tail(array![f64::NAN].view(), 0.9).is_err());
        assert!(components(returns.view(), array![1.0].view(), 0.9).is_err());
    }
}
