//! The least conditional value at risk, long only and fully invested: the linear program of Rockafellar and Uryasev (2000).
//!
//! min α + k Σ u with s = Rw + α + u, u, s, w ≥ 0 and Σ w = 1, where k = 1/((1 − level) T). Solved by the predictor and corrector of
//! Mehrotra (1992). Each step needs one factorisation of size A: the unknowns of the periods are eliminated first, since theirs is
//! diagonal.

use super::{check_level, tail};
use crate::allocators::quadratic::settle;
use crate::allocators::{Allocation, AllocationError, Certificate, Measure, check_returns};
use crate::linalg::{Cholesky, gram};
use ndarray::{Array1, Array2, ArrayView2, Axis, Zip};

const MAX_STEPS: u32 = 100;

/// Gap at which the steps end, as a part of the objective.
const TOLERANCE: f64 = 1e-12;

/// Gap that an answer may have.
const ACCEPTED: f64 = 1e-8;

/// A point, or a step: weights, excess losses and slacks, and what is dual to them.
#[derive(Debug, Clone)]
struct Point {
    w: Array1<f64>,
    u: Array1<f64>,
    s: Array1<f64>,
    alpha: f64,
    y1: f64,
    y2: Array1<f64>,
    zw: Array1<f64>,
    zu: Array1<f64>,
    zs: Array1<f64>,
}

/// What a point lacks of feasibility.
struct Residuals {
    budget: f64,
    periods: Array1<f64>,
    w: Array1<f64>,
    u: Array1<f64>,
    s: Array1<f64>,
    alpha: f64,
}

/// The largest step that keeps `x` above 0, a little less than the whole of it.
fn reach(x: &Array1<f64>, step: &Array1<f64>) -> f64 {
    let most = x.iter().zip(step).filter(|(_, step)| **step < 0.0).map(|(x, step)| -x / step);
    (0.9995 * most.fold(f64::INFINITY, f64::min)).min(1.0)
}

fn size(values: &Array1<f64>) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

/// The factorised system of one step.
struct System<'a> {
    returns: ArrayView2<'a, f64>,
    at: &'a Point,
    off: &'a Residuals,
    e: Array1<f64>,
    cholesky: Cholesky,
    c1: Array1<f64>,
    x1: Array1<f64>,
    x2: Array1<f64>,
}

impl<'a> System<'a> {
    fn of(returns: ArrayView2<'a, f64>, at: &'a Point, off: &'a Residuals) -> Option<Self> {
        let e = &at.u / &at.zu + &at.s / &at.zs;
        let root = e.mapv(|e| 1.0 / e.sqrt());
        let mut scaled: Array2<f64> = returns.to_owned();
        for (mut row, root) in scaled.outer_iter_mut().zip(&root) {
            row *= *root;
        }
        let mut normal = gram(scaled.view());
        for ((place, w), zw) in normal.diag_mut().iter_mut().zip(&at.w).zip(&at.zw) {
            *place += zw / w;
        }
        let cholesky = Cholesky::of(normal.view())?;
        let c1 = returns.t().dot(&e.mapv(f64::recip));
        let x1 = cholesky.solve(c1.view());
        let x2 = cholesky.solve(Array1::ones(at.w.len()).view());
        Some(Self { returns, at, off, e, cholesky, c1, x1, x2 })
    }

    /// The step to complementarities changed by `rw`, `ru` and `rs`.
    fn step(&self, rw: &Array1<f64>, ru: &Array1<f64>, rs: &Array1<f64>) -> Point {
        let (at, off) = (self.at, self.off);
        let gw = rw / &at.zw - &at.w / &at.zw * &off.w;
        let gu = ru / &at.zu - &at.u / &at.zu * &off.u;
        let gs = rs / &at.zs - &at.s / &at.zs * &off.s;
        let h = &off.periods - &gu + &gs;
        let he = &h / &self.e;
        let right = &gw * &at.zw / &at.w + self.returns.t().dot(&he);
        let x0 = self.cholesky.solve(right.view());
        // Two equations for α and the budget's multiplier.
        let (a, b) = (-self.x1.sum(), self.x2.sum());
        let ones: f64 = self.e.iter().map(|e| 1.0 / e).sum();
        let (c, d) = (self.c1.dot(&self.x1) - ones, -self.c1.dot(&self.x2));
        let (p, q) = (off.budget - x0.sum(), off.alpha - he.sum() + self.c1.dot(&x0));
        let determinant = a * d - b * c;
        let alpha = (p * d - b * q) / determinant;
        let y1 = (a * q - c * p) / determinant;
        let w = x0 - &self.x1 * alpha + &self.x2 * y1;
        let y2 = (h - self.returns.dot(&w) - alpha) / &self.e;
        let zw = (rw - &at.zw * &w) / &at.w;
        let zu = &off.u - &y2;
        let zs = &off.s + &y2;
        let u = (ru - &at.u * &zu) / &at.zu;
        let s = (rs - &at.s * &zs) / &at.zs;
        Point { w, u, s, alpha, y1, y2, zw, zu, zs }
    }
}

impl Point {
    fn start(returns: ArrayView2<'_, f64>, level: f64, k: f64) -> Result<Self, AllocationError> {
        let (rows, count) = returns.dim();
        let w = Array1::from_elem(count, 1.0 / count as f64);
        let r = returns.dot(&w);
        let alpha = tail(r.view(), level)?.value_at_risk;
        let v = r + alpha;
        let u = v.mapv(|v| (-v).max(0.0) + 0.1);
        let s = (&v + &u).mapv(|s| s.max(0.1));
        let y2 = Array1::from_elem(rows, 1.0 / rows as f64);
        let slope = returns.t().dot(&y2);
        let y1 = -(size(&slope) + 0.1);
        let zw = slope.mapv(|slope| -y1 - slope);
        let zu = y2.mapv(|y| (k - y).max(1e-3 * k));
        let zs = y2.clone();
        Ok(Self { w, u, s, alpha, y1, y2, zw, zu, zs })
    }

    fn residuals(&self, returns: ArrayView2<'_, f64>, k: f64) -> Residuals {
        Residuals {
            budget: 1.0 - self.w.sum(),
            periods: &self.s - &self.u - self.alpha - returns.dot(&self.w),
            w: -returns.t().dot(&self.y2) - self.y1 - &self.zw,
            u: self.y2.mapv(|y| k - y) - &self.zu,
            s: &self.y2 - &self.zs,
            alpha: 1.0 - self.y2.sum(),
        }
    }

    fn gap(&self) -> f64 {
        self.w.dot(&self.zw) + self.u.dot(&self.zu) + self.s.dot(&self.zs)
    }

    fn reaches(&self, step: &Self) -> (f64, f64) {
        let primal = reach(&self.w, &step.w).min(reach(&self.u, &step.u)).min(reach(&self.s, &step.s));
        let dual = reach(&self.zw, &step.zw).min(reach(&self.zu, &step.zu)).min(reach(&self.zs, &step.zs));
        (primal, dual)
    }

    fn go(&mut self, step: &Self, primal: f64, dual: f64) {
        self.w.scaled_add(primal, &step.w);
        self.u.scaled_add(primal, &step.u);
        self.s.scaled_add(primal, &step.s);
        self.alpha += primal * step.alpha;
        self.y1 += dual * step.y1;
        self.y2.scaled_add(dual, &step.y2);
        self.zw.scaled_add(dual, &step.zw);
        self.zu.scaled_add(dual, &step.zu);
        self.zs.scaled_add(dual, &step.zs);
    }
}

/// Long-only weights with the least conditional value at risk of `returns`, shape (T, A), per period. Where several weights have it, the
/// answer lies between them. The certificate compares the loss in the tail with the least that any weights have under the worst
/// distribution of the periods found.
///
/// # Errors
/// [`AllocationError::Input`] for fewer than two rows, a return that is no finite number, or a level outside of 0 to 1;
/// [`AllocationError::NoConvergence`].
pub fn minimum_cvar(returns: ArrayView2<'_, f64>, level: f64) -> Result<Allocation, AllocationError> {
    check_level(level)?;
    check_returns(returns)?;
    let (rows, count) = returns.dim();
    let unit = returns.iter().map(|value| value * value).sum::<f64>() / (rows * count) as f64;
    if !unit.is_normal() {
        return Err(AllocationError::input("returns", "nothing moves; leave such assets out"));
    }
    let unit = unit.sqrt();
    let scaled = &returns / unit;
    let returns_scaled = scaled.view();
    let k = 1.0 / ((1.0 - level) * rows as f64);
    let mut at = Point::start(returns_scaled, level, k)?;
    let pairs = (count + 2 * rows) as f64;
    let mut best: Option<Allocation> = None;
    for iterations in 1..=MAX_STEPS {
        let off = at.residuals(returns_scaled, k);
        let objective = at.alpha + k * at.u.sum();
        let off_most = size(&off.periods).max(size(&off.w)).max(off.budget.abs()).max(off.alpha.abs());
        let gap = at.gap();
        if off_most < 1e-8 && gap < 1e-6 * objective.abs().max(1.0) {
            let found = close(returns, &at, level, k, iterations)?;
            if best.as_ref().is_none_or(|best| found.certificate.residual < best.certificate.residual) {
                best = Some(found);
            }
        }
        if gap < TOLERANCE * objective.abs().max(1.0) && off_most < 1e-10 || !gap.is_finite() {
            break;
        }
        let Some(system) = System::of(returns_scaled, &at, &off) else { break };
        let (cw, cu, cs) = (&at.w * &at.zw, &at.u * &at.zu, &at.s * &at.zs);
        let first = system.step(&-&cw, &-&cu, &-&cs);
        let (primal, dual) = at.reaches(&first);
        let mut there = at.clone();
        there.go(&first, primal, dual);
        let mean = gap / pairs;
        let centre = (there.gap() / gap).powi(3) * mean;
        let second = system.step(
            &(centre - &cw - &first.w * &first.zw),
            &(centre - &cu - &first.u * &first.zu),
            &(centre - &cs - &first.s * &first.zs),
        );
        let (primal, dual) = at.reaches(&second);
        at.go(&second, primal, dual);
    }
    match best {
        Some(found) if found.certificate.residual <= ACCEPTED => Ok(found),
        other => Err(AllocationError::NoConvergence {
            solver: "interior point",
            iterations: MAX_STEPS,
            residual: other.map_or(f64::NAN, |found| found.certificate.residual),
            remedy: "leave assets out that are the same, or give more rows",
        }),
    }
}

/// Weights and certificate of a point near the optimum.
fn close(
    returns: ArrayView2<'_, f64>,
    at: &Point,
    level: f64,
    k: f64,
    iterations: u32,
) -> Result<Allocation, AllocationError> {
    // Strict complementarity says which weights are zeros.
    let mut weights = at.w.clone();
    Zip::from(&mut weights).and(&at.zw).for_each(|weight, zw| {
        if *weight < *zw && *weight < 1e-7 {
            *weight = 0.0;
        }
    });
    let total = weights.sum();
    weights /= total;
    settle(&mut weights);
    let objective = tail(returns.dot(&weights).view(), level)?.conditional;
    let residual = gap(returns, &at.y2, objective, k);
    let certificate = Certificate { measure: Measure::DualityGap, residual, objective, iterations };
    Ok(Allocation { weights, certificate })
}

/// How far `objective` is above the least loss under a distribution of the periods near `y`, none of which counts more than `k`: no
/// weights can lose less than the best single asset does there.
fn gap(returns: ArrayView2<'_, f64>, y: &Array1<f64>, objective: f64, k: f64) -> f64 {
    let mut y = y.mapv(|y| y.clamp(0.0, k));
    let total = y.sum();
    if total > 1.0 {
        y /= total;
    } else {
        let room: f64 = y.iter().map(|y| k - y).sum();
        if room > 0.0 {
            y.mapv_inplace(|y| y + (1.0 - total) * (k - y) / room);
        }
    }
    let bound = returns.t().dot(&y).iter().fold(f64::INFINITY, |least, gain| least.min(-gain));
    let unit = returns.map_axis(Axis(0), |column| column.dot(&column)).mean().unwrap_or(1.0)
        / returns.nrows() as f64;
    (objective - bound).max(0.0) / objective.abs().max(1e-6 * unit.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rows: usize, count: usize) -> Array2<f64> {
        let mut state = 77_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / 2_147_483_648.0 - 0.5
        };
        let mut y = Array2::from_shape_fn((rows, count), |(_, j)| noise() * (1.0 + (j % 5) as f64) * 0.01);
        for mut row in y.outer_iter_mut() {
            let common = noise() * 0.02;
            row += common;
        }
        y
    }

    #[test]
    fn the_gap_closes_and_no_other_weights_lose_less() {
        for (rows, count, level) in
            [(200, 1, 0.95), (200, 2, 0.9), (250, 3, 0.95), (300, 25, 0.97), (120, 60, 0.8)]
        {
            let y = sample(rows, count);
            let found = minimum_cvar(y.view(), level).unwrap();
            assert!(found.certificate.residual < 1e-8, "{rows} {count} {:?}", found.certificate);
            assert!((found.weights.sum() - 1.0).abs() <= f64::EPSILON);
            assert!(found.weights.iter().all(|weight| *weight >= 0.0));
            let of = |weights: &Array1<f64>| tail(y.dot(weights).view(), level).unwrap().conditional;
            for asset in 0..count {
                let mut other = &found.weights * 0.99;
                other[asset] += 0.01;
                assert!(of(&other) >= found.certificate.objective * (1.0 - 1e-8));
            }
        }
    }

    #[test]
    fn the_order_and_the_unit_do_not_matter() {
        let y = sample(250, 12);
        let order: Vec<usize> = (0..12).map(|place| (place * 5 + 2) % 12).collect();
        let found = minimum_cvar(y.view(), 0.95).unwrap();
        let turned = minimum_cvar(y.select(Axis(1), &order).view(), 0.95).unwrap();
        let scaled = minimum_cvar((&y * 100.0).view(), 0.95).unwrap();
        let relative = |other: f64| (other / found.certificate.objective - 1.0).abs();
        assert!(relative(turned.certificate.objective) < 1e-8);
        assert!(relative(scaled.certificate.objective / 100.0) < 1e-8);
        for (place, asset) in order.iter().enumerate() {
            assert!((turned.weights[place] - found.weights[*asset]).abs() < 1e-5);
        }
    }
}
