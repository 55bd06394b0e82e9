//! Dividing the firm's capital between its funds.

use super::error::FundError;
use super::fill::{Bounds, Filled, Stop, Stuck, fill};
use super::history::ReturnHistory;
use super::shares::{Risk, shares};
use super::transfers::{Transfer, net_transfers};
use super::{CENT, CENTS};
use mts_foundation::num::{exact, exact_option, floor_to_lot, is_multiple, quantise, round};
use mts_foundation::sizing::Allocator;
use mts_foundation::{Decimal, FundId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How capital is divided before the constraints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllocationMethod {
    /// The same to each.
    Equal,
    /// So that each contributes the same to the firm's volatility; by the allocator that is handed in.
    #[default]
    RiskParity,
    /// In proportion to Σ⁻¹μ, nothing where that is below zero (Kelly 1956; Merton 1969).
    Kelly,
    /// In proportion to each fund's target; exactly that where the targets are the firm's value in sum.
    Manual,
}

impl AllocationMethod {
    /// All, the default second.
    pub const ALL: [Self; 4] = [Self::Equal, Self::RiskParity, Self::Kelly, Self::Manual];

    /// The wire spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::RiskParity => "risk_parity",
            Self::Kelly => "kelly",
            Self::Manual => "manual",
        }
    }

    /// Whether it looks at returns.
    #[must_use]
    pub const fn needs_history(self) -> bool {
        matches!(self, Self::RiskParity | Self::Kelly)
    }
}

impl fmt::Display for AllocationMethod {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl FromStr for AllocationMethod {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|method| method.as_str() == text).ok_or_else(|| {
            format!("{text:?} is unknown; use one of {}", Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

/// What a plan must keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Constraints {
    /// Least capital of a fund that takes part, in money, at least 0.
    #[serde(with = "exact")]
    pub min_per_fund: Decimal,
    /// Most of the firm's value that one fund may have, above 0 and at most 1; in money rounded up to a cent, so that two halves
    /// are a whole.
    #[serde(with = "exact")]
    pub max_per_fund_pct: Decimal,
    /// Two funds whose daily returns have a correlation above this may together have no more than one fund. From 0 to 1; 1
    /// switches it off. Not known without a history.
    #[serde(with = "exact")]
    pub max_sleeve_correlation: Decimal,
    /// Whether funds that do not trade keep their capital; without it they give it to those that do.
    pub preserve_capital_dnt: bool,
}

impl Default for Constraints {
    fn default() -> Self {
        Self {
            min_per_fund: Decimal::from(25_000),
            max_per_fund_pct: Decimal::new(50, 2),
            max_sleeve_correlation: Decimal::new(7, 1),
            preserve_capital_dnt: true,
        }
    }
}

impl Constraints {
    fn check(&self) -> Result<(), FundError> {
        let refuse = |name, value, remedy| Err(FundError::Constraint { name, value, remedy });
        let Self { min_per_fund, max_per_fund_pct, max_sleeve_correlation, .. } = *self;
        if min_per_fund < Decimal::ZERO || !is_multiple(min_per_fund, CENT) {
            return refuse("min_per_fund", min_per_fund, "it must be at least 0, in whole cents");
        }
        if max_per_fund_pct <= Decimal::ZERO || max_per_fund_pct > Decimal::ONE {
            return refuse(
                "max_per_fund_pct",
                max_per_fund_pct,
                "it must be above 0 and at most 1, 0.5 is half",
            );
        }
        if !(Decimal::ZERO..=Decimal::ONE).contains(&max_sleeve_correlation) {
            return refuse("max_sleeve_correlation", max_sleeve_correlation, "it must be from 0 to 1");
        }
        Ok(())
    }
}

/// A fund as a plan sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct FundStanding {
    /// Which.
    pub fund_id: FundId,
    /// Whether it trades.
    pub active: bool,
    /// What it is worth; rounded to cents here.
    pub nav: Decimal,
    /// What it is meant to have.
    pub target_nav: Decimal,
}

/// What a plan is made from.
#[derive(Clone, Copy)]
pub struct AllocationRequest<'a> {
    /// All funds of the firm, in any order.
    pub funds: &'a [FundStanding],
    /// How.
    pub method: AllocationMethod,
    /// Within what.
    pub constraints: &'a Constraints,
    /// Their returns, where they are known. Risk parity and Kelly need those of every fund that takes part.
    pub history: Option<&'a ReturnHistory>,
    /// What risk parity asks.
    pub allocator: &'a dyn Allocator,
}

/// Why a fund's target is not its share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Bound {
    /// It is.
    None,
    /// It would have less than the minimum.
    Minimum,
    /// It would have more than the maximum.
    Maximum,
    /// It moves like another fund, and both have together what one may have.
    Pair {
        /// The other one.
        with: FundId,
    },
    /// It does not trade and keeps what it has.
    Preserved,
    /// It does not trade and gives what it has.
    Released,
}

/// What a plan says of one fund. Amounts are whole cents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRow {
    /// Which.
    pub fund_id: FundId,
    /// What it is worth.
    #[serde(with = "exact")]
    pub current: Decimal,
    /// What it shall be worth.
    #[serde(with = "exact")]
    pub target: Decimal,
    /// The difference; zero in sum over all funds.
    #[serde(with = "exact")]
    pub delta: Decimal,
    /// Yearly volatility, 0.1 = 10 %; `None` without a history.
    #[serde(with = "exact_option", default)]
    pub volatility: Option<Decimal>,
    /// The part that it has in the variance of all funds that take part, at its target; 1 in sum.
    #[serde(with = "exact_option", default)]
    pub contribution: Option<Decimal>,
    /// Which constraint it meets.
    pub bound: Bound,
}

/// How the firm's capital is to be divided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AllocationPlan {
    /// How.
    pub method: AllocationMethod,
    /// Within what.
    pub constraints: Constraints,
    /// Whether correlations were known, so that `max_sleeve_correlation` was kept.
    pub correlations_known: bool,
    /// What all funds are worth.
    #[serde(with = "exact")]
    pub firm_nav: Decimal,
    /// Every fund, by id.
    pub rows: Vec<PlanRow>,
    /// The money that has to move.
    pub transfers: Vec<Transfer>,
}

/// Plans. The targets of the funds that take part are their shares of what those are worth together, within the constraints:
/// where one is at a bound, the others share the rest in their proportions. Amounts are whole cents; cents that rounding down
/// leaves go to the largest remainders, ties to the smaller id.
///
/// # Errors
/// [`FundError`]: without funds or capital, for constraints that make no sense or that these funds cannot keep together, for a
/// history that the method needs and does not have, and as the allocator fails.
pub fn plan_allocation(request: &AllocationRequest<'_>) -> Result<AllocationPlan, FundError> {
    let AllocationRequest { funds, method, constraints, history, allocator } = *request;
    constraints.check()?;
    let mut funds: Vec<FundStanding> =
        funds.iter().map(|fund| FundStanding { nav: round(fund.nav, CENTS), ..fund.clone() }).collect();
    funds.sort_by(|left, right| left.fund_id.cmp(&right.fund_id));
    let twice = funds.iter().zip(funds.iter().skip(1)).find(|(left, right)| left.fund_id == right.fund_id);
    if let Some((fund, _)) = twice {
        return Err(FundError::Duplicate(fund.fund_id.clone()));
    }
    let (taking, resting): (Vec<&FundStanding>, Vec<&FundStanding>) =
        funds.iter().partition(|fund| fund.active);
    if taking.is_empty() {
        return Err(FundError::NoFund);
    }
    let firm_nav = sum(funds.iter().map(|fund| fund.nav))?;
    let preserved = match constraints.preserve_capital_dnt {
        true => sum(resting.iter().map(|fund| fund.nav))?,
        false => Decimal::ZERO,
    };
    let available = firm_nav - preserved;
    if available <= Decimal::ZERO {
        return Err(FundError::NoCapital(available));
    }
    let risk = Risk::of(&taking, history);
    let weights = shares(method, &taking, risk.as_ref(), allocator)?;
    let pairs = risk.as_ref().map(|risk| pairs(risk, constraints)).unwrap_or_default();
    let maximum =
        firm_nav.checked_mul(constraints.max_per_fund_pct).ok_or(FundError::OutOfRange("firm NAV"))?;
    let whole = floor_to_lot(maximum, CENT);
    let maximum = if whole < maximum { whole + CENT } else { whole };
    let divide = Divide { taking: &taking, method, available, maximum };
    let filled = divide.fill(&weights, &pairs, constraints.min_per_fund)?;
    let amounts: Vec<Decimal> = filled.iter().map(|one| one.amount).collect();
    let volatilities = risk.as_ref().map(Risk::volatilities);
    let contributions = risk.as_ref().and_then(|risk| risk.contributions(&amounts));
    let figure = |figures: &Option<Vec<f64>>, place: usize| {
        figures.as_ref().and_then(|figures| figures.get(place)).and_then(|figure| quantise(*figure))
    };
    let mut rows: Vec<PlanRow> = (taking.iter().zip(&filled).enumerate())
        .map(|(place, (fund, filled))| PlanRow {
            volatility: figure(&volatilities, place),
            contribution: figure(&contributions, place),
            ..row(fund, filled.amount, bound(filled.stop, &taking))
        })
        .collect();
    rows.extend(resting.into_iter().map(|fund| match constraints.preserve_capital_dnt {
        true => row(fund, fund.nav, Bound::Preserved),
        false => row(fund, Decimal::ZERO, Bound::Released),
    }));
    rows.sort_by(|left, right| left.fund_id.cmp(&right.fund_id));
    let deltas: Vec<(FundId, Decimal)> = rows.iter().map(|row| (row.fund_id.clone(), row.delta)).collect();
    Ok(AllocationPlan {
        method,
        constraints: constraints.clone(),
        correlations_known: risk.is_some(),
        firm_nav,
        transfers: net_transfers(&deltas),
        rows,
    })
}

fn row(fund: &FundStanding, target: Decimal, bound: Bound) -> PlanRow {
    let (current, delta) = (fund.nav, target - fund.nav);
    let fund_id = fund.fund_id.clone();
    PlanRow { fund_id, current, target, delta, volatility: None, contribution: None, bound }
}

fn bound(stop: Stop, taking: &[&FundStanding]) -> Bound {
    match stop {
        Stop::None => Bound::None,
        Stop::Minimum => Bound::Minimum,
        Stop::Maximum => Bound::Maximum,
        Stop::Pair(other) => match taking.get(other) {
            Some(other) => Bound::Pair { with: other.fund_id.clone() },
            None => Bound::Maximum,
        },
    }
}

fn sum(mut amounts: impl Iterator<Item = Decimal>) -> Result<Decimal, FundError> {
    amounts
        .try_fold(Decimal::ZERO, |sum, amount| sum.checked_add(amount))
        .ok_or(FundError::OutOfRange("firm NAV"))
}

/// Pairs that move too much alike. A correlation cannot be above 1, which therefore switches this off in spite of rounding.
fn pairs(risk: &Risk, constraints: &Constraints) -> Vec<((usize, usize), f64)> {
    match f64::try_from(constraints.max_sleeve_correlation) {
        Ok(threshold) if threshold < 1.0 => risk.pairs_above(threshold),
        _ => Vec::new(),
    }
}

/// What is divided between whom.
struct Divide<'a> {
    taking: &'a [&'a FundStanding],
    method: AllocationMethod,
    available: Decimal,
    maximum: Decimal,
}

impl Divide<'_> {
    fn fill(
        &self,
        weights: &[Decimal],
        pairs: &[((usize, usize), f64)],
        minimum: Decimal,
    ) -> Result<Vec<Filled>, FundError> {
        let Self { taking, method, available, maximum } = *self;
        if minimum > maximum {
            return Err(FundError::MinimumAboveMaximum { minimum, maximum });
        }
        let name = |place: usize| taking.get(place).map(|fund| fund.fund_id.clone()).ok_or(FundError::NoFund);
        if let Some(((first, second), correlation)) = pairs.first().filter(|_| minimum + minimum > maximum) {
            let (first, second) = (name(*first)?, name(*second)?);
            let (correlation, cap) = (*correlation, maximum);
            return Err(FundError::PairTooTight { first, second, correlation, cap, minimum });
        }
        let alike: Vec<String> = pairs
            .iter()
            .filter_map(|((one, other), correlation)| {
                Some(format!(
                    "{} and {}: {correlation:.2}",
                    taking.get(*one)?.fund_id,
                    taking.get(*other)?.fund_id
                ))
            })
            .collect();
        let pairs: Vec<(usize, usize)> = pairs.iter().map(|(pair, _)| *pair).collect();
        fill(weights, available, &Bounds { minimum, maximum, pairs: &pairs }).map_err(|stuck| match stuck {
            Stuck::Minimums => {
                let (funds, needed) = (taking.len(), minimum * Decimal::from(taking.len()));
                FundError::MinimumsTooLarge { minimum, funds, needed, available }
            }
            Stuck::NoRoom(left) => {
                let alike = if alike.is_empty() { "no two move alike".to_owned() } else { alike.join(", ") };
                FundError::NoRoom { left: left.normalize(), alike, method }
            }
            Stuck::OutOfRange => FundError::OutOfRange("a target"),
        })
    }
}
