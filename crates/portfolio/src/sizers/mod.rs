//! Sizers: from one signal per instrument to one weight per instrument.
//!
//! NaN policy of all sizers: an instrument without a signal gets weight zero. Where returns are looked at, an instrument that
//! lacks one in the window has no opinion either, because half a history is no history of the risk.

mod equal_weight;
mod fixed_weight;
mod kelly;
pub(crate) mod linear;
mod proportional;
mod volatility;

pub use equal_weight::{EqualWeightLong, EqualWeightLongShort};
pub use fixed_weight::FixedWeight;
pub use kelly::{KellyFraction, KellyVolTarget, kelly_fraction};
pub use proportional::SignalProportional;
pub use volatility::{InverseVolatility, VolTarget, realized_volatility, vol_target_weights};

use mts_foundation::Symbol;
use mts_foundation::registry::{Parameters, Registry, typed};
use mts_foundation::sizing::{ComputeError, Sizer};
use ndarray::{ArrayView1, ArrayView2, Axis};
use serde::Deserialize;

/// Sessions in a year: what daily figures are made yearly with.
pub const SESSIONS_PER_YEAR: f64 = 252.0;

/// Every sizer of this crate, by name.
///
/// # Errors
/// Never in practice: the names are distinct.
pub fn builtin() -> Result<Registry<dyn Sizer>, ComputeError> {
    let mut registry: Registry<dyn Sizer> = Registry::new("sizer", "");
    plain(&mut registry)?;
    registry.register("vol_target_weights", |parameters| Ok(Box::new(vol_target(parameters)?)))?;
    Ok(registry)
}

/// Those that stand on no other.
fn plain(registry: &mut Registry<dyn Sizer>) -> Result<(), ComputeError> {
    registry.register("equal_weight_long", |parameters| {
        Ok(Box::new(typed::<EqualWeightLong>("equal_weight_long", parameters)?))
    })?;
    registry.register("equal_weight_ls", |parameters| {
        Ok(Box::new(typed::<EqualWeightLongShort>("equal_weight_ls", parameters)?))
    })?;
    registry.register("fixed_weight", |parameters| {
        Ok(Box::new(typed::<FixedWeight>("fixed_weight", parameters)?))
    })?;
    registry.register("inverse_volatility", |parameters| {
        Ok(Box::new(typed::<InverseVolatility>("inverse_volatility", parameters)?))
    })?;
    registry.register("kelly_fraction", |parameters| {
        Ok(Box::new(typed::<KellyFraction>("kelly_fraction", parameters)?))
    })?;
    registry.register("kelly_voltarget_12", |parameters| {
        Ok(Box::new(KellyVolTarget::new("kelly_voltarget_12", 0.12, parameters)?))
    })?;
    registry.register("kelly_voltarget_8", |parameters| {
        Ok(Box::new(KellyVolTarget::new("kelly_voltarget_8", 0.08, parameters)?))
    })?;
    registry.register("signal_proportional", |parameters| {
        Ok(Box::new(typed::<SignalProportional>("signal_proportional", parameters)?))
    })
}

/// Parameters of `vol_target_weights`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VolTargetParameters {
    base: String,
    #[serde(default)]
    base_params: Parameters,
    #[serde(default = "volatility::default_target")]
    target_ann_vol: f64,
    #[serde(default = "volatility::default_window")]
    window: usize,
    #[serde(default = "volatility::default_max_scale")]
    max_scale: f64,
}

fn vol_target(parameters: &Parameters) -> Result<VolTarget, ComputeError> {
    let VolTargetParameters { base, base_params, target_ann_vol, window, max_scale } =
        typed("vol_target_weights", parameters)?;
    let mut registry: Registry<dyn Sizer> = Registry::new("sizer", "");
    plain(&mut registry)?;
    Ok(VolTarget { base: registry.build(&base, &base_params)?, target_ann_vol, window, max_scale })
}

/// A parameter that must be a number above zero.
fn positive(sizer: &str, name: &str, value: f64) -> Result<(), ComputeError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(ComputeError::new(sizer, format!("{name} is {value}; it must be a number above 0")))
}

/// A parameter that counts something.
fn at_least(sizer: &str, name: &str, value: usize, least: usize) -> Result<(), ComputeError> {
    if value >= least {
        return Ok(());
    }
    Err(ComputeError::new(sizer, format!("{name} is {value}; it must be at least {least}")))
}

/// What is given must be of one universe.
fn same_length(sizer: &str, what: &str, count: usize, symbols: usize) -> Result<(), ComputeError> {
    if count == symbols {
        return Ok(());
    }
    let message =
        format!("{count} {what} for {symbols} instruments; give one per instrument, in their order");
    Err(ComputeError::new(sizer, message))
}

/// The last rows of returns.
///
/// # Errors
/// [`ComputeError`] where there are fewer.
fn last_rows<'a>(
    sizer: &str,
    returns: Option<ArrayView2<'a, f64>>,
    window: usize,
) -> Result<ArrayView2<'a, f64>, ComputeError> {
    let rows = returns.as_ref().map_or(0, ArrayView2::nrows);
    match (returns, rows.checked_sub(window)) {
        (Some(returns), Some(first)) => Ok(returns.split_at(Axis(0), first).1),
        _ => {
            let message = format!(
                "{rows} rows of returns where {window} are wanted; start the data earlier or make the window shorter"
            );
            Err(ComputeError::new(sizer, message))
        }
    }
}

/// The columns of instruments that have an opinion and a whole history.
fn complete(signal: &ArrayView1<'_, f64>, returns: &ArrayView2<'_, f64>) -> Vec<usize> {
    let whole = |column: &usize| {
        signal.get(*column).is_some_and(|value| value.is_finite())
            && returns.column(*column).iter().all(|value| value.is_finite())
    };
    (0..signal.len().min(returns.ncols())).filter(whole).collect()
}

/// Names of instruments for a message: the first few.
fn names(symbols: &[Symbol], columns: &[usize]) -> String {
    let all: Vec<_> = columns.iter().filter_map(|column| symbols.get(*column)).map(Symbol::as_str).collect();
    match all.get(..5) {
        Some(first) if all.len() > 5 => format!("{} and {} more", first.join(", "), all.len() - 5),
        _ => all.join(", "),
    }
}
