//! The general case by an interior point (clarabel), with the covariance in units of its mean variance.

use super::{Program, Solved};
use crate::allocators::AllocationError;
use crate::allocators::conic::Conic;

/// Solves a program of any shape to about 1e-9.
pub(crate) fn solve(program: &Program<'_>) -> Result<Solved, AllocationError> {
    let count = program.linear.len();
    let mean = program.quadratic.diag().iter().sum::<f64>() / count as f64;
    let most = program.linear.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let scale = if mean > 0.0 {
        mean
    } else if most > 0.0 {
        most
    } else {
        1.0
    };
    let traded = if program.costs.is_some() { count } else { 0 };
    let mut conic = Conic::new(count + traded);
    if mean > 0.0 {
        conic.quadratic(program.quadratic, 1.0 / scale);
    }
    for (place, value) in conic.linear.iter_mut().zip(&program.linear) {
        *place = -value / scale;
    }
    if let Some(costs) = &program.costs {
        for (place, rate) in conic.linear.iter_mut().skip(count).zip(&costs.rates) {
            *place = rate / scale;
        }
    }
    for row in program.rows.iter().filter(|row| row.minimum >= row.maximum) {
        conic.row(row.coefficients.iter().copied().enumerate(), row.minimum);
    }
    conic.equal();
    for row in program.rows.iter().filter(|row| row.minimum < row.maximum) {
        if row.minimum.is_finite() {
            conic.row(row.coefficients.iter().map(|value| -value).enumerate(), -row.minimum);
        }
        if row.maximum.is_finite() {
            conic.row(row.coefficients.iter().copied().enumerate(), row.maximum);
        }
    }
    for (asset, (lower, upper)) in program.lower.iter().zip(&program.upper).enumerate() {
        if lower.is_finite() {
            conic.row([(asset, -1.0)], -lower);
        }
        if upper.is_finite() {
            conic.row([(asset, 1.0)], *upper);
        }
    }
    if let Some(costs) = &program.costs {
        for (asset, from) in costs.from.iter().enumerate() {
            conic.row([(asset, 1.0), (count + asset, -1.0)], *from);
            conic.row([(asset, -1.0), (count + asset, -1.0)], -from);
        }
    }
    conic.nonnegative();
    let found = conic.solve()?;
    let weights = found.x.iter().copied().take(count).collect();
    let mut duals = found.z.iter();
    let mut multipliers = vec![0.0; program.rows.len()];
    for (place, _) in multipliers.iter_mut().zip(&program.rows).filter(|(_, row)| row.minimum >= row.maximum)
    {
        *place = -duals.next().copied().unwrap_or_default() * scale;
    }
    for (place, row) in multipliers.iter_mut().zip(&program.rows).filter(|(_, row)| row.minimum < row.maximum)
    {
        if row.minimum.is_finite() {
            *place += duals.next().copied().unwrap_or_default() * scale;
        }
        if row.maximum.is_finite() {
            *place -= duals.next().copied().unwrap_or_default() * scale;
        }
    }
    Ok(Solved { weights, multipliers, iterations: found.iterations, places: Vec::new() })
}
