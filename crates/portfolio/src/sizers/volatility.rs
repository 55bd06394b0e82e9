//! Weights by how much things move.

use super::{SESSIONS_PER_YEAR, at_least, complete, last_rows, names, positive, same_length};
use mts_foundation::Symbol;
use mts_foundation::sizing::{ComputeError, Sizer, SizingInput};
use ndarray::{Array1, ArrayView1, ArrayView2};
use serde::Deserialize;

const VOL_TARGET: &str = "vol_target_weights";

pub(super) fn default_target() -> f64 {
    0.12
}

pub(super) fn default_window() -> usize {
    63
}

pub(super) fn default_max_scale() -> f64 {
    3.0
}

/// Yearly volatility of a book with these weights: the standard deviation (n − 1) of the weighted returns of each row, times
/// the root of 252. An instrument with a weight of zero may lack returns.
///
/// # Errors
/// [`ComputeError`] for fewer than two rows, and where an instrument with a weight lacks a return.
pub fn realized_volatility(
    weights: &ArrayView1<'_, f64>,
    returns: &ArrayView2<'_, f64>,
) -> Result<f64, ComputeError> {
    at_least(VOL_TARGET, "rows of returns", returns.nrows(), 2)?;
    same_length(VOL_TARGET, "columns of returns", returns.ncols(), weights.len())?;
    let held = |(weight, value): (&f64, &f64)| if *weight == 0.0 { 0.0 } else { weight * value };
    let book: Array1<f64> = returns.outer_iter().map(|row| weights.iter().zip(row).map(held).sum()).collect();
    let deviation = book.std(1.0);
    if !deviation.is_finite() {
        let message =
            "a held instrument lacks a return in the window; leave it out until it has a whole history";
        return Err(ComputeError::new(VOL_TARGET, message));
    }
    Ok(deviation * SESSIONS_PER_YEAR.sqrt())
}

/// Scales a whole book so that its yearly volatility over the last `window` rows is `target_ann_vol`, by `max_scale` at the
/// most. Weights go down as well as up.
///
/// # Errors
/// [`ComputeError`] for parameters that make no sense, fewer rows, and as [`realized_volatility`].
pub fn vol_target_weights(
    base_weights: &ArrayView1<'_, f64>,
    asset_log_returns: &ArrayView2<'_, f64>,
    target_ann_vol: f64,
    window: usize,
    max_scale: f64,
) -> Result<Array1<f64>, ComputeError> {
    check(target_ann_vol, window, max_scale)?;
    if base_weights.iter().all(|weight| *weight == 0.0) {
        return Ok(base_weights.to_owned());
    }
    let rows = last_rows(VOL_TARGET, Some(asset_log_returns.view()), window)?;
    let realized = realized_volatility(base_weights, &rows)?;
    // A book that does not move has any volatility that is wanted at the largest scale.
    let scale = if realized > 0.0 { (target_ann_vol / realized).min(max_scale) } else { max_scale };
    Ok(base_weights.mapv(|weight| weight * scale))
}

fn check(target_ann_vol: f64, window: usize, max_scale: f64) -> Result<(), ComputeError> {
    positive(VOL_TARGET, "target_ann_vol", target_ann_vol)?;
    positive(VOL_TARGET, "max_scale", max_scale)?;
    at_least(VOL_TARGET, "window", window, 2)
}

/// `vol_target_weights`: what another sizer gives, scaled as [`vol_target_weights`] does.
pub struct VolTarget {
    /// Gives the weights that are scaled.
    pub base: Box<dyn Sizer>,
    /// Wanted yearly volatility, above 0.
    pub target_ann_vol: f64,
    /// Rows of returns that are looked at, at least 2.
    pub window: usize,
    /// Largest scale, above 0.
    pub max_scale: f64,
}

impl std::fmt::Debug for VolTarget {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { base, target_ann_vol, window, max_scale } = self;
        out.debug_struct("VolTarget")
            .field("base", &base.name())
            .field("target_ann_vol", target_ann_vol)
            .field("window", window)
            .field("max_scale", max_scale)
            .finish()
    }
}

impl Sizer for VolTarget {
    fn name(&self) -> &str {
        VOL_TARGET
    }

    fn history(&self) -> usize {
        self.window.max(self.base.history())
    }

    fn check(&self, symbols: &[Symbol]) -> Result<(), ComputeError> {
        check(self.target_ann_vol, self.window, self.max_scale)?;
        self.base.check(symbols)
    }

    fn size(&self, input: &SizingInput<'_>) -> Result<Array1<f64>, ComputeError> {
        self.check(input.symbols)?;
        let mut base = self.base.size(input)?;
        let rows = last_rows(VOL_TARGET, input.returns, self.window)?;
        let whole = complete(&Array1::zeros(base.len()).view(), &rows);
        for (column, weight) in base.iter_mut().enumerate() {
            if whole.binary_search(&column).is_err() {
                *weight = 0.0;
            }
        }
        vol_target_weights(&base.view(), &rows, self.target_ann_vol, self.window, self.max_scale)
    }
}

/// `inverse_volatility`: weights in inverse proportion to each instrument's own volatility over the last `window` rows,
/// together `gross`, of all instruments that have a signal, whatever its sign.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InverseVolatility {
    /// Rows of returns that are looked at, at least 2.
    pub window: usize,
    /// Sum of the weights, above 0.
    pub gross: f64,
}

impl Default for InverseVolatility {
    fn default() -> Self {
        Self { window: default_window(), gross: 1.0 }
    }
}

impl Sizer for InverseVolatility {
    fn name(&self) -> &str {
        "inverse_volatility"
    }

    fn history(&self) -> usize {
        self.window
    }

    fn check(&self, _symbols: &[Symbol]) -> Result<(), ComputeError> {
        at_least(self.name(), "window", self.window, 2)?;
        positive(self.name(), "gross", self.gross)
    }

    fn size(&self, input: &SizingInput<'_>) -> Result<Array1<f64>, ComputeError> {
        self.check(input.symbols)?;
        let rows = last_rows(self.name(), input.returns, self.window)?;
        let whole = complete(&input.signal, &rows);
        let moves: Vec<(usize, f64)> =
            whole.into_iter().map(|column| (column, rows.column(column).std(1.0))).collect();
        let still: Vec<usize> =
            moves.iter().filter(|(_, moved)| *moved <= 0.0).map(|(column, _)| *column).collect();
        if !still.is_empty() {
            let message = format!(
                "{} did not move in {} rows, so that its weight would be without end; leave it out",
                names(input.symbols, &still),
                self.window
            );
            return Err(ComputeError::new(self.name(), message));
        }
        let total: f64 = moves.iter().map(|(_, moved)| 1.0 / moved).sum();
        let mut weights = Array1::zeros(input.signal.len());
        for (column, moved) in moves {
            weights[column] = self.gross / moved / total;
        }
        Ok(weights)
    }
}
