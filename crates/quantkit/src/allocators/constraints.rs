//! What weights have to satisfy, checked before anything is solved, so that a conflict is named.

use super::AllocationError;
use super::quadratic::{Costs, Program, Row};
use ndarray::{Array1, ArrayView1, ArrayView2};
use serde::Deserialize;

/// One number for all assets, or one for each.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Level {
    /// The same for all.
    All(f64),
    /// In the order of the assets.
    Each(Vec<f64>),
}

impl Level {
    fn of(&self, field: &'static str, count: usize) -> Result<Array1<f64>, AllocationError> {
        let levels = match self {
            Self::All(level) => Array1::from_elem(count, *level),
            Self::Each(levels) if levels.len() == count => levels.iter().copied().collect(),
            Self::Each(levels) => {
                let problem = format!("{} numbers for {count} assets; give one each", levels.len());
                return Err(AllocationError::input(field, problem));
            }
        };
        match levels.iter().position(|level| level.is_nan()) {
            Some(asset) => {
                Err(AllocationError::input(field, format!("that of asset {asset} is NaN; give a number")))
            }
            None => Ok(levels),
        }
    }
}

/// Assets whose weights together stay between two values.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// For messages.
    pub name: String,
    /// Places of the assets.
    pub members: Vec<usize>,
    /// Least sum of their weights.
    #[serde(default)]
    pub minimum: f64,
    /// Largest sum of their weights.
    #[serde(default = "one")]
    pub maximum: f64,
}

const fn one() -> f64 {
    1.0
}

/// What it costs to trade away from the weights of now, as a part of the objective.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// The weights now.
    pub from: Vec<f64>,
    /// κ, per unit of weight traded, in the unit of the objective.
    pub rate: Level,
}

/// Budget, bounds, groups and costs. The default is long only and fully invested.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Constraints {
    /// Sum of all weights.
    pub budget: f64,
    /// Least weight of an asset.
    pub minimum: Level,
    /// Largest weight of an asset.
    pub maximum: Level,
    /// Sums of weights.
    pub groups: Vec<Group>,
    /// Costs of trading.
    pub cost: Option<Cost>,
}

impl Default for Constraints {
    fn default() -> Self {
        Self {
            budget: 1.0,
            minimum: Level::All(0.0),
            maximum: Level::All(1.0),
            groups: Vec::new(),
            cost: None,
        }
    }
}

fn infeasible(constraint: impl Into<String>, problem: String) -> AllocationError {
    AllocationError::Infeasible { constraint: constraint.into(), problem }
}

impl Constraints {
    /// Whether weights are only long, fully invested and nothing else.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let long = matches!(&self.minimum, Level::All(minimum) if minimum.abs() < f64::MIN_POSITIVE);
        let wide = matches!(&self.maximum, Level::All(maximum) if *maximum >= 1.0);
        long && wide
            && (self.budget - 1.0).abs() < f64::EPSILON
            && self.groups.is_empty()
            && self.cost.is_none()
    }

    /// The program of an objective under these constraints.
    ///
    /// # Errors
    /// [`AllocationError::Input`] for lengths that differ, [`AllocationError::Infeasible`] with the constraint in conflict and what to
    /// relax.
    pub fn program<'a>(
        &self,
        quadratic: ArrayView2<'a, f64>,
        linear: Array1<f64>,
    ) -> Result<Program<'a>, AllocationError> {
        let count = linear.len();
        let (lower, upper) = (self.minimum.of("minimum", count)?, self.maximum.of("maximum", count)?);
        let budget = self.budget;
        if !budget.is_finite() {
            return Err(AllocationError::input("budget", format!("{budget}; give the sum of the weights")));
        }
        for (asset, (lower, upper)) in lower.iter().zip(&upper).enumerate() {
            if lower > upper {
                let problem = format!(
                    "its minimum {lower} is above its maximum {upper}; lower the one or raise the other"
                );
                return Err(infeasible(format!("the bounds of asset {asset}"), problem));
            }
        }
        // A sum of many bounds carries a rounding.
        let slack = 1e-12 * count as f64;
        let (least, most) = (lower.sum(), upper.sum());
        if least > budget + slack {
            return Err(infeasible(
                "budget",
                format!("the minimum weights sum to {least}, above {budget}; lower them"),
            ));
        }
        if most < budget - slack {
            return Err(infeasible(
                "budget",
                format!("the maximum weights sum to {most}, below {budget}; raise them"),
            ));
        }
        let mut budget_row = Row::budget(count);
        (budget_row.minimum, budget_row.maximum) = (budget, budget);
        let mut rows = vec![budget_row];
        for group in &self.groups {
            let constraint = || format!("group {:?}", group.name);
            let mut coefficients = Array1::zeros(count);
            for member in &group.members {
                match coefficients.get_mut(*member) {
                    Some(place) => *place = 1.0,
                    None => {
                        let problem = format!("{:?} has the member {member} of {count} assets", group.name);
                        return Err(AllocationError::input("groups", problem));
                    }
                }
            }
            let (least, most) = reach(&coefficients, &lower, &upper, budget);
            if group.minimum > group.maximum {
                let problem = format!("its minimum {} is above its maximum {}", group.minimum, group.maximum);
                return Err(infeasible(constraint(), problem));
            }
            if group.minimum > most + slack {
                let problem = format!(
                    "its minimum {} is above the {most} that the bounds of its members and the budget leave; raise their maximum or lower it",
                    group.minimum
                );
                return Err(infeasible(constraint(), problem));
            }
            if group.maximum < least - slack {
                let problem = format!(
                    "its maximum {} is below the {least} that the bounds and the budget ask for; lower the minimum of its members, raise the maximum of the others, or raise it",
                    group.maximum
                );
                return Err(infeasible(constraint(), problem));
            }
            rows.push(Row {
                name: group.name.clone(),
                coefficients,
                minimum: group.minimum,
                maximum: group.maximum,
            });
        }
        let costs = match &self.cost {
            None => None,
            Some(cost) => {
                let rates = cost.rate.of("rate", count)?;
                if let Some(rate) = rates.iter().find(|rate| **rate < 0.0) {
                    return Err(AllocationError::input("rate", format!("{rate}; a cost is not below 0")));
                }
                Some(Costs { from: Level::Each(cost.from.clone()).of("from", count)?, rates })
            }
        };
        Ok(Program { quadratic, linear, lower, upper, rows, costs })
    }
}

/// Least and largest value of a sum of weights times numbers within the bounds and the budget: the budget goes to the smallest, or the
/// largest, of them first.
pub(crate) fn reach(
    values: &Array1<f64>,
    lower: &Array1<f64>,
    upper: &Array1<f64>,
    budget: f64,
) -> (f64, f64) {
    let side = |sign: f64| {
        let mut order: Vec<(f64, f64, f64)> = values
            .iter()
            .zip(lower)
            .zip(upper)
            .map(|((value, lower), upper)| (*value, *lower, *upper))
            .collect();
        order.sort_by(|left, right| (sign * left.0).total_cmp(&(sign * right.0)));
        let mut left = budget - lower.sum();
        let mut sum = 0.0;
        for (value, lower, upper) in order {
            let more = (upper - lower).min(left.max(0.0));
            left -= more;
            sum += value * (lower + more);
        }
        sum
    };
    (side(1.0), side(-1.0))
}

/// The largest sum of weights times numbers that all constraints leave, and the weights.
pub(crate) fn largest(
    program: &Program<'_>,
    values: ArrayView1<'_, f64>,
) -> Result<Array1<f64>, AllocationError> {
    let count = values.len();
    let none = ndarray::Array2::zeros((count, count));
    let linear =
        Program { quadratic: none.view(), linear: values.to_owned(), costs: None, ..program.clone() };
    Ok(super::quadratic::interior::solve(&linear)?.weights)
}
