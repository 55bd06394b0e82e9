//! Sizers: from one signal per instrument to one weight per instrument.
//!
//! NaN policy of all sizers: an instrument without a signal gets weight zero.

use mts_foundation::registry::{Registry, typed};
use mts_foundation::sizing::{ComputeError, Sizer};
use ndarray::{Array1, ArrayView1};
use serde::Deserialize;

/// `equal_weight_long`: the `n` strongest instruments get `gross / n` each. Equal signals rank by their position. With
/// fewer than `n` signals each of them still gets `gross / n`, so that a thin universe does not concentrate.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EqualWeightLong {
    /// How many instruments are held, at least 1.
    pub n: usize,
    /// Sum of the weights, above 0.
    pub gross: f64,
}

impl Default for EqualWeightLong {
    fn default() -> Self {
        Self { n: 10, gross: 1.0 }
    }
}

impl Sizer for EqualWeightLong {
    fn name(&self) -> &str {
        "equal_weight_long"
    }

    fn size(&self, signal: ArrayView1<'_, f64>) -> Result<Array1<f64>, ComputeError> {
        if self.n == 0 {
            return Err(ComputeError::new(self.name(), "n is 0; it must be at least 1"));
        }
        if !(self.gross > 0.0 && self.gross.is_finite()) {
            return Err(ComputeError::new(
                self.name(),
                format!("gross is {}; it must be above 0", self.gross),
            ));
        }
        let mut order: Vec<(usize, f64)> =
            signal.iter().copied().enumerate().filter(|(_, value)| !value.is_nan()).collect();
        order.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        let mut weights = Array1::zeros(signal.len());
        let weight = self.gross / self.n as f64;
        for (column, _) in order.into_iter().take(self.n) {
            if let Some(slot) = weights.get_mut(column) {
                *slot = weight;
            }
        }
        Ok(weights)
    }
}

/// `fixed_weight`: the same weights always, by position in the universe.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedWeight {
    /// One weight per instrument, in universe order.
    pub weights: Vec<f64>,
}

impl Sizer for FixedWeight {
    fn name(&self) -> &str {
        "fixed_weight"
    }

    fn size(&self, signal: ArrayView1<'_, f64>) -> Result<Array1<f64>, ComputeError> {
        if self.weights.len() != signal.len() {
            let message = format!(
                "{} weights for {} instruments; give one weight per instrument, in the order of the data's columns",
                self.weights.len(),
                signal.len()
            );
            return Err(ComputeError::new(self.name(), message));
        }
        if let Some(weight) = self.weights.iter().find(|weight| !weight.is_finite()) {
            return Err(ComputeError::new(
                self.name(),
                format!("{weight} is no weight; write a finite number"),
            ));
        }
        Ok(Array1::from_vec(self.weights.clone()))
    }
}

/// Every sizer of this crate, by name.
///
/// # Errors
/// Never in practice: the names are distinct.
pub fn builtin() -> Result<Registry<dyn Sizer>, ComputeError> {
    let mut registry: Registry<dyn Sizer> = Registry::new("sizer", "");
    registry.register("equal_weight_long", |parameters| {
        Ok(Box::new(typed::<EqualWeightLong>("equal_weight_long", parameters)?))
    })?;
    registry.register("fixed_weight", |parameters| {
        Ok(Box::new(typed::<FixedWeight>("fixed_weight", parameters)?))
    })?;
    Ok(registry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_strongest_share_the_gross() {
        let sizer = EqualWeightLong { n: 2, gross: 1.0 };
        let weights = sizer.size(array![0.5, 1.2, f64::NAN, 2.1, 1.2].view()).unwrap();
        assert_eq!(weights, array![0.0, 0.5, 0.0, 0.5, 0.0]);
        let thin = sizer.size(array![f64::NAN, 1.0].view()).unwrap();
        assert_eq!(thin, array![0.0, 0.5]);
        assert!(EqualWeightLong { n: 0, gross: 1.0 }.size(array![1.0].view()).is_err());
        assert!(EqualWeightLong { n: 1, gross: f64::NAN }.size(array![1.0].view()).is_err());
    }

    #[test]
    fn permuting_the_universe_permutes_the_weights() {
        let sizer = EqualWeightLong { n: 3, gross: 0.9 };
        let signal = array![3.0, 1.0, 4.0, 1.5, 9.0, 2.6];
        let weights = sizer.size(signal.view()).unwrap();
        let order = [4_usize, 2, 0, 5, 1, 3];
        let permuted: Array1<f64> = order.iter().map(|column| signal[*column]).collect();
        let expected: Array1<f64> = order.iter().map(|column| weights[*column]).collect();
        assert_eq!(sizer.size(permuted.view()).unwrap(), expected);
    }

    #[test]
    fn sizers_are_found_by_name_and_their_parameters_are_checked() {
        let registry = builtin().unwrap();
        let parameters = |json: &str| serde_json::from_str(json).unwrap();
        let sizer = registry.build("equal_weight_long", &parameters(r#"{"n":1}"#)).unwrap();
        assert_eq!(sizer.size(array![1.0, 2.0].view()).unwrap(), array![0.0, 1.0]);
        let error = registry.build("equal_weight_long", &parameters(r#"{"m":1}"#)).err().unwrap();
        assert!(error.message.contains("`m`"), "{error}");
    }

    #[test]
    fn fixed_weights_must_fit_the_universe() {
        let sizer = FixedWeight { weights: vec![0.6, 0.4] };
        assert_eq!(sizer.size(array![f64::NAN, 1.0].view()).unwrap(), array![0.6, 0.4]);
        assert!(sizer.size(array![1.0].view()).unwrap_err().message.contains("2 weights for 1"));
    }
}
