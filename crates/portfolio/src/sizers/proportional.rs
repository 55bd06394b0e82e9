//! As much of an instrument as its signal is strong.

use super::positive;
use mts_foundation::Symbol;
use mts_foundation::sizing::{ComputeError, Sizer, SizingInput};
use ndarray::Array1;
use serde::Deserialize;

/// `signal_proportional`: weights in proportion to the signals, together `gross` without their signs.
///
/// `long_only` leaves negative signals out. `neutral` takes the mean of the signals off first, so that longs and shorts are of
/// the same size. Where nothing is left to divide by (all signals zero) all weights are zero.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignalProportional {
    /// Sum of the weights without their signs, above 0.
    pub gross: f64,
    /// Nothing is sold short.
    pub long_only: bool,
    /// Purchases and short sales are of the same size; not together with `long_only`.
    pub neutral: bool,
}

impl Default for SignalProportional {
    fn default() -> Self {
        Self { gross: 1.0, long_only: false, neutral: false }
    }
}

impl Sizer for SignalProportional {
    fn name(&self) -> &str {
        "signal_proportional"
    }

    fn check(&self, _symbols: &[Symbol]) -> Result<(), ComputeError> {
        positive(self.name(), "gross", self.gross)?;
        if self.long_only && self.neutral {
            let message = "long_only and neutral are both set; a book without short sales is not neutral: leave one out";
            return Err(ComputeError::new(self.name(), message));
        }
        Ok(())
    }

    fn size(&self, input: &SizingInput<'_>) -> Result<Array1<f64>, ComputeError> {
        self.check(input.symbols)?;
        let signals = input.signal.iter().filter(|value| value.is_finite());
        let mean = if self.neutral {
            let (sum, count) = signals.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
            if count > 0.0 { sum / count } else { 0.0 }
        } else {
            0.0
        };
        let strength = |value: f64| match value - mean {
            value if !value.is_finite() => 0.0,
            value if self.long_only => value.max(0.0),
            value => value,
        };
        let mut weights = input.signal.mapv(strength);
        let total: f64 = weights.iter().map(|weight| weight.abs()).sum();
        if total > 0.0 {
            weights *= self.gross / total;
        }
        Ok(weights)
    }
}
