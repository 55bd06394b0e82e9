//! The same weight for each of the strongest, and against each of the weakest.

use super::{at_least, positive, same_length};
use mts_foundation::Symbol;
use mts_foundation::sizing::{ComputeError, Sizer, SizingInput};
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

    fn check(&self, _symbols: &[Symbol]) -> Result<(), ComputeError> {
        at_least(self.name(), "n", self.n, 1)?;
        positive(self.name(), "gross", self.gross)
    }

    fn size(&self, input: &SizingInput<'_>) -> Result<Array1<f64>, ComputeError> {
        self.check(input.symbols)?;
        let mut weights = Array1::zeros(input.signal.len());
        let weight = self.gross / self.n as f64;
        for column in strongest_first(&input.signal).into_iter().take(self.n) {
            weights[column] = weight;
        }
        Ok(weights)
    }
}

/// `equal_weight_ls`: the `n_long` strongest get `gross / 2 / n_long` each, the `n_short` weakest the negative of
/// `gross / 2 / n_short`. A universe with fewer signals than both together is an error: some would be bought and sold short.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EqualWeightLongShort {
    /// How many are bought, at least 1.
    pub n_long: usize,
    /// How many are sold short, at least 1.
    pub n_short: usize,
    /// Sum of the weights without their signs, above 0.
    pub gross: f64,
}

impl Default for EqualWeightLongShort {
    fn default() -> Self {
        Self { n_long: 5, n_short: 5, gross: 1.0 }
    }
}

impl EqualWeightLongShort {
    fn overlap(&self, signals: usize) -> Result<(), ComputeError> {
        let Self { n_long, n_short, .. } = *self;
        if n_long.saturating_add(n_short) <= signals {
            return Ok(());
        }
        let message = format!(
            "n_long {n_long} and n_short {n_short} overlap in {signals} instruments with a signal; make them smaller or the \
             universe larger"
        );
        Err(ComputeError::new(self.name(), message))
    }
}

impl Sizer for EqualWeightLongShort {
    fn name(&self) -> &str {
        "equal_weight_ls"
    }

    fn check(&self, symbols: &[Symbol]) -> Result<(), ComputeError> {
        at_least(self.name(), "n_long", self.n_long, 1)?;
        at_least(self.name(), "n_short", self.n_short, 1)?;
        positive(self.name(), "gross", self.gross)?;
        self.overlap(symbols.len())
    }

    fn size(&self, input: &SizingInput<'_>) -> Result<Array1<f64>, ComputeError> {
        same_length(self.name(), "signals", input.signal.len(), input.symbols.len())?;
        self.check(input.symbols)?;
        let order = strongest_first(&input.signal);
        self.overlap(order.len())?;
        let mut weights = Array1::zeros(input.signal.len());
        for column in order.iter().take(self.n_long) {
            weights[*column] = self.gross / 2.0 / self.n_long as f64;
        }
        for column in order.iter().rev().take(self.n_short) {
            weights[*column] = -self.gross / 2.0 / self.n_short as f64;
        }
        Ok(weights)
    }
}

/// Columns with a signal, the strongest first; equal ones by their position.
fn strongest_first(signal: &ArrayView1<'_, f64>) -> Vec<usize> {
    let mut order: Vec<(usize, f64)> =
        signal.iter().copied().enumerate().filter(|(_, value)| !value.is_nan()).collect();
    order.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    order.into_iter().map(|(column, _)| column).collect()
}
