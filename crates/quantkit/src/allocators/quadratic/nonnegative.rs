//! min ½ xᵀAx − qᵀx with x ≥ 0.
//!
//! Minimum variance, the largest ratio of Sharpe and the largest diversification are this problem with q = 1, the excess returns and
//! the volatilities; the weights are x divided by its sum. Solved on the support alone, which grows and shrinks by blocks (Lawson and
//! Hanson 1974, with the blocks of Portugal, Júdice and Vicente 1994): zeros are exact.

use super::part;
use crate::allocators::AllocationError;
use crate::linalg::Cholesky;
use ndarray::{Array1, ArrayView1, ArrayView2};

/// Assets that enter at once, at least.
const BLOCK: usize = 16;

/// Violation of the gradient that still counts as none, as a part of the largest q.
const TOLERANCE: f64 = 1e-13;

/// Where the minimum lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Nonnegative {
    /// x, shape (A); exactly 0 outside of the support.
    pub solution: Array1<f64>,
    /// Places above 0, rising: the warm start of the next problem.
    pub support: Vec<usize>,
    /// Systems that were factorised.
    pub iterations: u32,
}

/// The state of the search.
struct Search<'a> {
    a: ArrayView2<'a, f64>,
    q: ArrayView1<'a, f64>,
    iterations: u32,
}

impl Search<'_> {
    /// The minimum on a support, without its signs.
    fn on(&mut self, support: &[usize]) -> Option<Vec<f64>> {
        self.iterations += 1;
        let right: Array1<f64> = support.iter().filter_map(|place| self.q.get(*place).copied()).collect();
        let block = part(self.a, support);
        Some(Cholesky::of(block.view())?.solve(right.view()).to_vec())
    }

    /// The value at the minimum on a support.
    fn value(&self, support: &[usize], x: &[f64]) -> f64 {
        -0.5 * support
            .iter()
            .zip(x)
            .map(|(place, x)| self.q.get(*place).copied().unwrap_or(0.0) * x)
            .sum::<f64>()
    }

    /// Drops whatever is not above 0, all at once, until nothing is.
    fn pivot(&mut self, mut support: Vec<usize>) -> Option<(Vec<usize>, Vec<f64>)> {
        loop {
            let x = self.on(&support)?;
            if x.iter().all(|x| *x > 0.0) {
                return Some((support, x));
            }
            support = support.iter().zip(&x).filter(|(_, x)| **x > 0.0).map(|(place, _)| *place).collect();
            if support.is_empty() {
                return None;
            }
        }
    }

    /// The steps of Lawson and Hanson from a feasible point: each goes to the nearest bound, so that the value only falls.
    fn descend(&mut self, mut support: Vec<usize>, mut at: Vec<f64>) -> Option<(Vec<usize>, Vec<f64>)> {
        loop {
            let x = self.on(&support)?;
            let mut step: f64 = 1.0;
            for (from, to) in at.iter().zip(&x).filter(|(_, to)| **to <= 0.0) {
                step = step.min(from / (from - to).max(f64::MIN_POSITIVE));
            }
            if step >= 1.0 {
                return Some((support, x));
            }
            let mut kept = (Vec::new(), Vec::new());
            for ((place, from), to) in support.iter().zip(&at).zip(&x) {
                let next = from + step * (to - from);
                // What the step was cut for goes.
                if *to > 0.0 || from / (from - to) > step * (1.0 + 1e-12) {
                    kept.0.push(*place);
                    kept.1.push(next.max(0.0));
                }
            }
            if kept.0.len() == support.len() || kept.0.is_empty() {
                return None;
            }
            (support, at) = kept;
        }
    }
}

/// Solves it for a symmetric positive definite `a`, shape (A, A), and `q`, shape (A). `warm` is the support of a problem like it, or
/// empty.
///
/// # Errors
/// [`AllocationError::Input`] for shapes that differ, numbers that are not finite, no positive `q`, or an `a` that is singular on
/// the support.
pub fn nonnegative(
    a: ArrayView2<'_, f64>,
    q: ArrayView1<'_, f64>,
    warm: &[usize],
) -> Result<Nonnegative, AllocationError> {
    let count = q.len();
    super::check_square("covariance", a, count)?;
    let largest = q.iter().fold(0.0_f64, |most, value| most.max(*value));
    if !largest.is_finite() || largest <= 0.0 || q.iter().any(|value| !value.is_finite()) {
        return Err(AllocationError::input(
            "q",
            format!("the largest value is {largest}; one must be above 0"),
        ));
    }
    let singular = || {
        AllocationError::input(
            "covariance",
            "it is singular where the weights are; shrink it, or give more rows than assets",
        )
    };
    let mut search = Search { a, q, iterations: 0 };
    let start: Vec<usize> = if warm.is_empty() {
        let score = |place: &usize| {
            let own = a.get((*place, *place)).copied().unwrap_or(1.0);
            q.get(*place).copied().unwrap_or(0.0) / own.max(f64::MIN_POSITIVE)
        };
        let mut order: Vec<usize> =
            (0..count).filter(|place| q.get(*place).is_some_and(|q| *q > 0.0)).collect();
        order.sort_by(|left, right| score(right).total_cmp(&score(left)));
        order.truncate(BLOCK);
        order
    } else {
        warm.iter().copied().filter(|place| *place < count).collect()
    };
    let best = (0..count).max_by(|i, j| ratio(a, q, *i).total_cmp(&ratio(a, q, *j))).unwrap_or_default();
    let single = |search: &mut Search<'_>| search.on(&[best]).map(|x| (vec![best], x));
    let mut start = start;
    start.sort_unstable();
    start.dedup();
    let (mut support, mut x) = match if start.is_empty() { None } else { search.pivot(start) } {
        Some(found) => found,
        None => single(&mut search).ok_or_else(singular)?,
    };
    let mut block = BLOCK.max(support.len());
    for _ in 0..10 * count + 100 {
        let mut gradient = q.to_owned();
        for (place, x) in support.iter().zip(&x) {
            gradient.scaled_add(-x, &a.row(*place));
        }
        let mut entering: Vec<(f64, usize)> = gradient
            .iter()
            .zip(a.diag())
            .enumerate()
            .filter(|(place, (gradient, _))| {
                **gradient > TOLERANCE * largest && support.binary_search(place).is_err()
            })
            .map(|(place, (gradient, own))| (gradient / own.max(f64::MIN_POSITIVE).sqrt(), place))
            .collect();
        if entering.is_empty() {
            let mut solution = Array1::zeros(count);
            for (place, x) in support.iter().zip(&x) {
                if let Some(target) = solution.get_mut(*place) {
                    *target = *x;
                }
            }
            return Ok(Nonnegative { solution, support, iterations: search.iterations });
        }
        entering.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
        let value = search.value(&support, &x);
        let mut wider = support.clone();
        wider.extend(entering.iter().take(block).map(|(_, place)| *place));
        wider.sort_unstable();
        match search.pivot(wider) {
            Some(found) if search.value(&found.0, &found.1) < value - 1e-15 * value.abs() => {
                (support, x) = found;
                block = BLOCK.max(support.len());
            }
            // The block does not pay: one asset at a time does, always.
            _ if block > 1 => block = (block / 4).max(1),
            _ => {
                let Some((_, first)) = entering.first().copied() else { break };
                let at = support.partition_point(|place| *place < first);
                let (mut next, mut from) = (support.clone(), x.clone());
                next.insert(at, first);
                from.insert(at, 0.0);
                let found = search.descend(next, from).ok_or_else(singular)?;
                if search.value(&found.0, &found.1) >= value {
                    // Rounding: the value falls no more, and what is left is in the certificate.
                    let mut solution = Array1::zeros(count);
                    for (place, x) in support.iter().zip(&x) {
                        if let Some(target) = solution.get_mut(*place) {
                            *target = *x;
                        }
                    }
                    return Ok(Nonnegative { solution, support, iterations: search.iterations });
                }
                (support, x) = found;
                block = BLOCK;
            }
        }
    }
    Err(AllocationError::NoConvergence {
        solver: "nonnegative pivoting",
        iterations: search.iterations,
        residual: f64::NAN,
        remedy: "shrink the covariance",
    })
}

/// What one asset alone is worth.
fn ratio(a: ArrayView2<'_, f64>, q: ArrayView1<'_, f64>, place: usize) -> f64 {
    let own = a.get((place, place)).copied().unwrap_or(1.0);
    let q = q.get(place).copied().unwrap_or(0.0);
    if own > 0.0 { q.abs() * q / own } else { f64::NEG_INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn it_satisfies_the_conditions_and_its_zeros_are_exact() {
        for count in [1, 2, 3, 40, 150] {
            let mut state = 11_u64 + count as u64;
            let mut noise = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as f64 / 2_147_483_648.0 - 0.5
            };
            let y = ndarray::Array2::from_shape_fn((400, count), |(t, _)| noise() + 0.3 * (t as f64).sin());
            let a = y.t().dot(&y);
            let q = Array1::from_shape_fn(count, |_| noise() + 0.4);
            let found = nonnegative(a.view(), q.view(), &[]).unwrap();
            let gradient = &q - &a.dot(&found.solution);
            for (place, gradient) in gradient.iter().enumerate() {
                if found.support.contains(&place) {
                    assert!(found.solution[place] > 0.0 && gradient.abs() < 1e-11);
                } else {
                    assert_eq!(found.solution[place].to_bits(), 0);
                    assert!(*gradient < 1e-11);
                }
            }
            let again = nonnegative(a.view(), q.view(), &found.support).unwrap();
            assert_eq!(again.support, found.support);
            assert_eq!(again.iterations, 1, "a warm start at the answer is one system");
        }
    }

    #[test]
    fn what_is_no_such_problem_is_told() {
        let a = array![[1.0, 1.0], [1.0, 1.0]];
        assert!(nonnegative(a.view(), array![-1.0, 0.0].view(), &[]).is_err());
        assert!(nonnegative(a.view(), array![1.0].view(), &[]).is_err());
        // Two that are one: either of them, or both.
        if let Ok(found) = nonnegative(a.view(), array![1.0, 1.0].view(), &[]) {
            assert!((found.solution.sum() - 1.0).abs() < 1e-9);
        }
    }
}
