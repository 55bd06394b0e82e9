//! Weights that do not change.

use mts_foundation::Symbol;
use mts_foundation::sizing::{ComputeError, Sizer, SizingInput};
use ndarray::Array1;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `fixed_weight`: the same weights always, by symbol, whatever the signal says; what is not named gets none.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedWeight {
    /// Weights as fractions of net asset value.
    pub weights: BTreeMap<Symbol, f64>,
}

impl Sizer for FixedWeight {
    fn name(&self) -> &str {
        "fixed_weight"
    }

    fn check(&self, symbols: &[Symbol]) -> Result<(), ComputeError> {
        for (symbol, weight) in &self.weights {
            if !weight.is_finite() {
                let message = format!("the weight of {symbol} is {weight}; write a finite number");
                return Err(ComputeError::new(self.name(), message));
            }
            if !symbols.contains(symbol) {
                let message = format!(
                    "weights names {symbol}, which is not in the universe; add its data or leave it out"
                );
                return Err(ComputeError::new(self.name(), message));
            }
        }
        Ok(())
    }

    fn size(&self, input: &SizingInput<'_>) -> Result<Array1<f64>, ComputeError> {
        self.check(input.symbols)?;
        Ok(input.symbols.iter().map(|symbol| self.weights.get(symbol).copied().unwrap_or(0.0)).collect())
    }
}
