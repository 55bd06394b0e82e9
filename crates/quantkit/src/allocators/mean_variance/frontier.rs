//! The efficient frontier.

use super::{Markowitz, largest};
use crate::allocators::{Allocation, AllocationError};
use ndarray::{Array1, ArrayView1};

/// One point of the frontier.
#[derive(Debug, Clone, PartialEq)]
pub struct Frontier {
    /// Expected return, per period.
    pub expected: f64,
    /// Volatility, per period.
    pub volatility: f64,
    /// The weights.
    pub allocation: Allocation,
}

impl Markowitz<'_> {
    /// `points` portfolios from the least variance to the largest return, at returns in equal steps; each starts where the one
    /// before ended.
    ///
    /// # Errors
    /// As [`Markowitz::target_return`]; fewer than two points.
    pub fn frontier(
        &self,
        expected: ArrayView1<'_, f64>,
        points: usize,
    ) -> Result<Vec<Frontier>, AllocationError> {
        self.expected(expected)?;
        if points < 2 {
            return Err(AllocationError::input("points", format!("{points}; give at least 2")));
        }
        let least = self.minimum_variance()?;
        let program = self.program(Array1::zeros(expected.len()))?;
        let (low, high) = (expected.dot(&least.weights), expected.dot(&largest(&program, expected)?));
        let mut warm = Vec::new();
        let mut found = Vec::with_capacity(points);
        for point in 0..points {
            let target = low + (high - low) * point as f64 / (points - 1) as f64;
            let allocation =
                if point == 0 { least.clone() } else { self.with_return(expected, target, &mut warm)? };
            let volatility = self.variance(&allocation.weights).sqrt();
            found.push(Frontier { expected: expected.dot(&allocation.weights), volatility, allocation });
        }
        Ok(found)
    }
}
