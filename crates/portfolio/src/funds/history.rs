//! From the values of funds to returns on the days that all of them have.

use super::error::FundError;
use super::plan::AllocationMethod;
use chrono::NaiveDate;
use mts_foundation::FundId;
use mts_foundation::num::Decimal;
use ndarray::{Array2, ArrayView2};
use std::collections::BTreeMap;

/// Fewest daily returns from which a risk is measured.
pub const MIN_RETURNS: usize = 20;

/// A fund's value at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NavDay {
    /// The day.
    pub date: NaiveDate,
    /// Net asset value.
    pub nav: Decimal,
    /// Capital that came, less what went, since the day before: no profit.
    pub flow: Decimal,
}

/// Daily returns of several funds on the days that all have.
#[derive(Debug, Clone, PartialEq)]
pub struct ReturnHistory {
    funds: Vec<FundId>,
    returns: Array2<f64>,
}

impl ReturnHistory {
    /// From the values of each fund. A return is (value − flow) / value before − 1; where a fund has days that another one
    /// lacks, its returns over these are compounded.
    ///
    /// # Errors
    /// [`FundError::ShortHistory`] and [`FundError::ShortOverlap`] below [`MIN_RETURNS`], which name the fund;
    /// [`FundError::BadHistory`] for days out of order and values from which there is no return.
    pub fn new(funds: &[(FundId, Vec<NavDay>)], method: AllocationMethod) -> Result<Self, FundError> {
        let mut paths = Vec::with_capacity(funds.len());
        for (fund_id, days) in funds {
            let found = days.len().saturating_sub(1);
            if found < MIN_RETURNS {
                let (fund_id, needed) = (fund_id.clone(), MIN_RETURNS);
                return Err(FundError::ShortHistory { fund_id, found, needed, method });
            }
            paths.push(path(fund_id, days)?);
        }
        let common: Vec<NaiveDate> = match paths.split_first() {
            None => Vec::new(),
            Some((first, others)) => first
                .keys()
                .filter(|date| others.iter().all(|other| other.contains_key(*date)))
                .copied()
                .collect(),
        };
        let found = common.len().saturating_sub(1);
        if found < MIN_RETURNS && !funds.is_empty() {
            return Err(short_overlap(funds, found));
        }
        let mut returns = Array2::zeros((found, funds.len()));
        for (mut column, path) in returns.columns_mut().into_iter().zip(&paths) {
            let levels = common.iter().filter_map(|date| path.get(date));
            let later = levels.clone().skip(1);
            for (place, (before, after)) in column.iter_mut().zip(levels.zip(later)) {
                *place = after / before - 1.0;
            }
        }
        Ok(Self { funds: funds.iter().map(|(fund_id, _)| fund_id.clone()).collect(), returns })
    }

    /// Whose.
    #[must_use]
    pub fn funds(&self) -> &[FundId] {
        &self.funds
    }

    /// Returns of shape (days, funds), the oldest first.
    #[must_use]
    pub fn returns(&self) -> ArrayView2<'_, f64> {
        self.returns.view()
    }
}

/// What one unit of money became, by day.
fn path(fund_id: &FundId, days: &[NavDay]) -> Result<BTreeMap<NaiveDate, f64>, FundError> {
    let bad = |day: &NavDay, fault| FundError::BadHistory { fund_id: fund_id.clone(), date: day.date, fault };
    let mut path = BTreeMap::new();
    let mut last: Option<(&NavDay, f64)> = None;
    for day in days {
        let level = match last {
            None => 1.0,
            Some((before, _)) if before.date >= day.date => {
                return Err(bad(day, "its days are not in order"));
            }
            Some((before, level)) => {
                let grown = day.nav.checked_sub(day.flow).and_then(|nav| nav.checked_div(before.nav));
                let grown = grown.and_then(|grown| f64::try_from(grown).ok()).filter(|grown| *grown > 0.0);
                level * grown.ok_or_else(|| bad(day, "the fund had lost everything"))?
            }
        };
        if day.nav <= Decimal::ZERO || !level.is_normal() {
            return Err(bad(day, "the fund had lost everything"));
        }
        path.insert(day.date, level);
        last = Some((day, level));
    }
    Ok(path)
}

/// Names the fund with the shortest history.
fn short_overlap(funds: &[(FundId, Vec<NavDay>)], found: usize) -> FundError {
    let reach = |(fund_id, days): &(FundId, Vec<NavDay>)| {
        let (first, last) = (days.first()?.date, days.last()?.date);
        Some((last - first, fund_id.clone(), first, last))
    };
    match funds.iter().filter_map(reach).min() {
        Some((_, fund_id, first, last)) => {
            FundError::ShortOverlap { fund_id, first, last, found, needed: MIN_RETURNS }
        }
        None => FundError::NoFund,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Days;

    fn days(first: &str, step: u64, values: &[(i64, i64)]) -> Vec<NavDay> {
        let first: NaiveDate = first.parse().unwrap();
        let day = |(at, (nav, flow)): (u64, &(i64, i64))| NavDay {
            date: first + Days::new(at * step),
            nav: Decimal::from(*nav),
            flow: Decimal::from(*flow),
        };
        (0..).zip(values).map(day).collect()
    }

    fn named(name: &str, days: Vec<NavDay>) -> (FundId, Vec<NavDay>) {
        (FundId::new(name).unwrap(), days)
    }

    const METHOD: AllocationMethod = AllocationMethod::RiskParity;

    #[test]
    fn capital_is_no_return_and_days_that_others_lack_are_compounded() {
        // Doubles every day; on the second day 50 come in.
        let mut daily: Vec<(i64, i64)> = vec![(100, 0), (250, 50)];
        daily.extend((1..43).map(|at| (250 << at, 0)));
        let slow: Vec<(i64, i64)> = (0..22).map(|at| (100 + at, 0)).collect();
        let funds = [named("a", days("2024-01-01", 1, &daily)), named("b", days("2024-01-01", 2, &slow))];
        let history = ReturnHistory::new(&funds, METHOD).unwrap();
        assert_eq!(history.returns().dim(), (21, 2));
        for value in history.returns().column(0) {
            assert!((value - 3.0).abs() < 1e-12, "two doublings: {value}");
        }
        assert!((history.returns()[(0, 1)] - 0.01).abs() < 1e-12);
    }

    #[test]
    fn histories_that_do_not_do_name_the_fund() {
        let long: Vec<(i64, i64)> = (0..40).map(|at| (100 + at, 0)).collect();
        let mut lost = long.clone();
        lost[7].0 = 0;
        let good = || named("good", days("2024-01-01", 1, &long));
        let mut turned = days("2024-01-01", 1, &long);
        turned.swap(3, 4);
        for (other, words) in [
            (days("2024-01-01", 1, &long[..20]), "fund other has 19 daily returns, risk_parity needs 20"),
            (
                days("2025-01-01", 1, &long[..25]),
                "have 0 daily returns in common, 20 are needed; other reaches",
            ),
            (
                days("2024-01-01", 1, &lost),
                "fund other cannot be used at 2024-01-08: the fund had lost everything",
            ),
            (turned, "its days are not in order"),
        ] {
            let error = ReturnHistory::new(&[good(), named("other", other)], METHOD).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
