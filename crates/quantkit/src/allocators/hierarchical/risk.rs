//! The risk of assets and of groups of them.

use crate::allocators::{AllocationError, exact};
use ndarray::{Array1, ArrayView2, CowArray, Ix2};
use serde::{Deserialize, Serialize};

/// What counts as risk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskMeasure {
    /// w′Σw: the papers' and the peers' default.
    #[default]
    Variance,
    /// √(w′Σw).
    StandardDeviation,
    /// Mean of the worst (1 − level) of the rows' losses, the row at the edge in part (Rockafellar and Uryasev 2000). It needs
    /// the returns themselves.
    Cvar {
        /// Such as .95.
        level: f64,
    },
}

/// A measure and what it measures with.
#[derive(Debug, Clone)]
pub(super) struct Risk<'a> {
    measure: RiskMeasure,
    /// Row after row in memory.
    covariance: CowArray<'a, f64, Ix2>,
    returns: Option<ArrayView2<'a, f64>>,
    /// 1 / risk of each asset: naive weights within a group.
    inverse: Array1<f64>,
}

fn standard(matrix: ArrayView2<'_, f64>) -> CowArray<'_, f64, Ix2> {
    if matrix.is_standard_layout() { matrix.into() } else { matrix.as_standard_layout().into_owned().into() }
}

impl<'a> Risk<'a> {
    pub(super) fn new(
        measure: RiskMeasure,
        covariance: ArrayView2<'a, f64>,
        returns: Option<ArrayView2<'a, f64>>,
    ) -> Result<Self, AllocationError> {
        let variances = exact::variances(covariance)?;
        let risks: Array1<f64> = match measure {
            RiskMeasure::Variance => variances,
            RiskMeasure::StandardDeviation => variances.mapv(f64::sqrt),
            RiskMeasure::Cvar { level } => {
                if !(level > 0.0 && level < 1.0) {
                    let problem = format!("{level} is not above 0 and below 1; use one such as 0.95");
                    return Err(AllocationError::input("level", problem));
                }
                let Some(returns) = returns.filter(|returns| returns.ncols() == variances.len()) else {
                    let problem = "the tail needs returns of the same assets; give them, or another measure";
                    return Err(AllocationError::input("returns", problem));
                };
                returns.columns().into_iter().map(|column| tail(column.to_vec(), level)).collect()
            }
        };
        if let Some((asset, risk)) = risks.iter().enumerate().find(|(_, risk)| risk.is_nan() || **risk <= 0.0)
        {
            let problem =
                format!("the risk of asset {asset} is {risk}; leave it out, or use another measure");
            return Err(AllocationError::input("returns", problem));
        }
        let covariance = standard(covariance);
        Ok(Self { measure, covariance, returns, inverse: risks.mapv(f64::recip) })
    }

    /// 1 / risk of an asset.
    pub(super) fn inverse(&self, asset: usize) -> f64 {
        self.inverse.get(asset).copied().unwrap_or(f64::NAN)
    }

    /// Σᵢⱼ over two groups of vᵢ Σᵢⱼ vⱼ, v the inverse risks.
    fn cross(&self, left: &[usize], right: &[(usize, f64)]) -> f64 {
        let mut sum = 0.0;
        for own in left {
            let row = self.covariance.row(*own);
            sum += self.inverse(*own) * gathered(row.as_slice().unwrap_or_default(), right);
        }
        sum
    }

    fn with_inverse(&self, group: &[usize]) -> Vec<(usize, f64)> {
        group.iter().map(|asset| (*asset, self.inverse(*asset))).collect()
    }

    /// Of a group under naive weights, which are 1 in sum.
    pub(super) fn of(&self, group: &[usize]) -> f64 {
        let total: f64 = group.iter().map(|asset| self.inverse(*asset)).sum();
        let weighed = self.with_inverse(group);
        match (self.measure, self.returns) {
            (RiskMeasure::Variance, _) => self.cross(group, &weighed) / (total * total),
            (RiskMeasure::StandardDeviation, _) => self.cross(group, &weighed).max(0.0).sqrt() / total,
            (RiskMeasure::Cvar { level }, Some(returns)) => {
                let of_row = |row: ndarray::ArrayView1<'_, f64>| {
                    weighed
                        .iter()
                        .filter_map(|(asset, v)| row.get(*asset).map(|value| v * value))
                        .sum::<f64>()
                        / total
                };
                tail(returns.outer_iter().map(of_row).collect(), level)
            }
            (RiskMeasure::Cvar { .. }, None) => f64::NAN,
        }
    }

    /// Risks of the two halves of every split, from the smallest up: under a quadratic measure a group's own is that of its halves
    /// and what lies between them, so that each pair of assets is looked at once.
    pub(super) fn of_halves(&self, order: &[usize]) -> Halves {
        let mut out = Halves { risks: Vec::new() };
        match self.measure {
            RiskMeasure::Cvar { .. } => self.each_half(order, &mut out),
            RiskMeasure::Variance | RiskMeasure::StandardDeviation => {
                if order.len() > 1 {
                    self.quadratic(order, false, &mut out);
                }
            }
        }
        out
    }

    fn each_half(&self, order: &[usize], out: &mut Halves) {
        if order.len() > 1 {
            let (left, right) = order.split_at(order.len() / 2);
            self.each_half(left, out);
            self.each_half(right, out);
            out.risks.push((self.of(left), self.of(right)));
        }
    }

    /// (Σ vᵢ Σᵢⱼ vⱼ, Σ vᵢ) of a part; `whole`: whether they are asked for.
    fn quadratic(&self, order: &[usize], whole: bool, out: &mut Halves) -> (f64, f64) {
        if let [asset] = order {
            let v = self.inverse(*asset);
            let own = self.covariance.get((*asset, *asset)).copied().unwrap_or(f64::NAN);
            return (v * v * own, v);
        }
        let (left, right) = order.split_at(order.len() / 2);
        let (one, other) = (self.quadratic(left, true, out), self.quadratic(right, true, out));
        let risk = |(sum, total): (f64, f64)| {
            let variance = sum / (total * total);
            if self.measure == RiskMeasure::Variance { variance } else { variance.max(0.0).sqrt() }
        };
        out.risks.push((risk(one), risk(other)));
        let between = if whole { self.cross(left, &self.with_inverse(right)) } else { 0.0 };
        (one.0 + other.0 + 2.0 * between, one.1 + other.1)
    }
}

/// Risks of halves, those of a split after those of the splits in it, the left half's before the right one's.
#[derive(Debug)]
pub(super) struct Halves {
    pub(super) risks: Vec<(f64, f64)>,
}

/// Σ of chosen elements of a row, weighed; in four parts, so that one addition need not wait for another.
fn gathered(row: &[f64], chosen: &[(usize, f64)]) -> f64 {
    let mut lanes = [0.0; 4];
    let mut groups = chosen.chunks_exact(4);
    let at = |place: usize| row.get(place).copied().unwrap_or_default();
    for group in &mut groups {
        for (lane, (place, weight)) in lanes.iter_mut().zip(group) {
            *lane += at(*place) * weight;
        }
    }
    lanes.iter().sum::<f64>()
        + groups.remainder().iter().map(|(place, weight)| at(*place) * weight).sum::<f64>()
}

/// Mean of the worst part of returns, as a loss.
fn tail(mut returns: Vec<f64>, level: f64) -> f64 {
    let size = (1.0 - level) * returns.len() as f64;
    returns.sort_by(f64::total_cmp);
    let mut left = size;
    let mut sum = 0.0;
    for value in returns {
        let part = left.min(1.0);
        sum -= part * value;
        left -= part;
        if left <= 0.0 {
            break;
        }
    }
    sum / size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_takes_the_row_at_its_edge_in_part() {
        let returns = vec![0.01, -0.04, 0.03, -0.02, 0.0];
        assert!((tail(returns.clone(), 0.8) - 0.04).abs() < 1e-15);
        assert!((tail(returns.clone(), 0.7) - (0.04 + 0.5 * 0.02) / 1.5).abs() < 1e-15);
        assert!((tail(returns, 0.9) - 0.04).abs() < 1e-15);
    }
}
