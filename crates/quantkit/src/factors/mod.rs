//! Factors by name.
//!
//! Most are an [`Expression`] over the columns of a panel; a [`Program`] runs it over a panel or row by row.

mod alpha101;
mod alpha158;
mod classical;
mod documented;
mod expression;
mod formula;
pub mod momentum;
mod program;
pub mod technical;
mod words;

pub use documented::{CryptoRealizedVol, GatedMeanReversion, MeanReversion, MyRealizedVol, SmaCross};
pub use expression::{Both, Column, Each, Expression};
pub use formula::Formula;
pub use program::{Bars, Program};

use crate::factors::momentum::Momentum;
use documented::Documented;
use mts_foundation::registry::{Registry, typed};
use mts_foundation::sizing::{ComputeError, Factor};
use serde::{Deserialize, Serialize};

/// Where a factor comes from, and so what it was compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The platform's document; recomputed plainly by this crate's tests.
    Documented,
    /// Classic families; the shared vectors (pandas).
    Classical,
    /// The 101 formulaic alphas; the shared vectors (pandas).
    Alpha101,
    /// Qlib's Alpha158; the shared vectors (pandas).
    Alpha158,
}

/// Parameters of a factor that has none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct None {}

/// All factors that are expressions without parameters, with their families. Each of them is in the shared vectors.
#[must_use]
pub fn formulas() -> Vec<(Family, Formula)> {
    let mut all = Vec::new();
    for (name, expression) in classical::all() {
        all.push((Family::Classical, Formula::new(name, expression)));
    }
    for (name, expression) in alpha101::all() {
        all.push((Family::Alpha101, Formula::new(name, expression)));
    }
    for (name, expression) in alpha158::all() {
        all.push((Family::Alpha158, Formula::new(name, expression)));
    }
    all
}

/// Names of all factors with their families, in order of names: what there is and how many.
///
/// # Errors
/// As [`builtin`].
pub fn listing() -> Result<Vec<(String, Family)>, ComputeError> {
    let formulas = formulas();
    let family = |name: &str| {
        let found = formulas.iter().find(|(_, formula)| formula.name() == name);
        found.map_or(Family::Documented, |(family, _)| *family)
    };
    Ok(builtin()?.names().map(|name| (name.to_owned(), family(name))).collect())
}

fn documented<D: Documented + for<'a> Deserialize<'a>>(
    registry: &mut Registry<dyn Factor>,
) -> Result<(), ComputeError> {
    registry.register(D::NAME, |parameters| {
        let formula: Box<dyn Factor> = Box::new(typed::<D>(D::NAME, parameters)?.formula()?);
        Ok(formula)
    })
}

/// Every factor of this crate, by name; names start with `f_`.
///
/// # Errors
/// Never in practice: the names are distinct.
pub fn builtin() -> Result<Registry<dyn Factor>, ComputeError> {
    let mut registry: Registry<dyn Factor> = Registry::new("factor", "f_");
    registry.register(Momentum::NAME, |parameters| {
        Ok(Box::new(typed::<Momentum>(Momentum::NAME, parameters)?))
    })?;
    registry.register(SmaCross::NAME, |parameters| {
        Ok(Box::new(typed::<SmaCross>(SmaCross::NAME, parameters)?))
    })?;
    documented::<MyRealizedVol>(&mut registry)?;
    documented::<CryptoRealizedVol>(&mut registry)?;
    documented::<MeanReversion>(&mut registry)?;
    documented::<GatedMeanReversion>(&mut registry)?;
    for (_, formula) in formulas() {
        let name = formula.name().to_owned();
        registry.register(&name.clone(), move |parameters| {
            typed::<None>(&name, parameters)?;
            Ok(Box::new(formula.clone()))
        })?;
    }
    Ok(registry)
}

#[cfg(test)]
mod tests;
