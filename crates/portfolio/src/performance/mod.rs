//! What a fund earned, from facts: valuations, external flows, fills and movements of cash.
//!
//! Money and returns are exact decimals (a quotient is rounded at the 28th digit); only roots and logarithms are floats.
//! Statistics over returns (volatility, Sharpe …) are quantkit's.
//!
//! Sources: CFA Institute, *Global Investment Performance Standards* (2020 edition), provisions 2.A on time-weighted and
//! money-weighted returns; P. O. Dietz, *Pension Funds: Measuring Investment Performance* (1966); D. Cariño, "Combining
//! attribution effects over time", *Journal of Performance Measurement* 3(4), 1999.

mod attribution;
mod money_weighted;
mod time_weighted;
mod trading_costs;
mod under_water;

pub use attribution::{
    Attribution, AttributionLine, AttributionPeriod, Contribution, LineContribution, PeriodContributions,
    attribute,
};
pub use money_weighted::{MoneyWeighted, money_weighted};
pub use time_weighted::{
    FlowTiming, LONGEST_DAILY_STEP, ReturnMethod, ReturnStep, TimeWeighted, modified_dietz, time_weighted,
};
pub use trading_costs::{TradedMoney, TradingCosts};
pub use under_water::{DrawdownEpisode, UnderWater, under_water};

use chrono::NaiveDate;
use mts_foundation::Decimal;
use mts_foundation::num::exact;
use serde::{Deserialize, Serialize};

/// What a fund is worth at the end of a day, after the flows of that day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Valuation {
    /// Which day.
    pub date: NaiveDate,
    /// Net asset value in the fund's currency.
    #[serde(with = "exact")]
    pub nav: Decimal,
}

/// Capital that came from outside of the fund or left it: neither profit nor loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalFlow {
    /// Which day.
    pub date: NaiveDate,
    /// In the fund's currency, positive = into the fund.
    #[serde(with = "exact")]
    pub amount: Decimal,
}

/// Why something cannot be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PerformanceError {
    /// There is no period to measure.
    #[error("valuations: {found} given; give at least two, at the beginning and at the end of the period")]
    TooFewValuations {
        /// How many there are.
        found: usize,
    },
    /// Two valuations of one day, or out of order.
    #[error("valuations: {date} does not come after {before}; give one a day, in ascending order")]
    NotAscending {
        /// The later one in the list.
        date: NaiveDate,
        /// The one before it.
        before: NaiveDate,
    },
    /// A flow that belongs to no part of the period.
    #[error(
        "flow of {amount} on {date} is outside of {first} to {last}; leave it out, or give valuations around it"
    )]
    FlowOutside {
        /// Its day.
        date: NaiveDate,
        /// Its amount.
        amount: Decimal,
        /// First day that is measured.
        first: NaiveDate,
        /// Last day that is measured.
        last: NaiveDate,
    },
    /// Money was earned or lost on capital that is not there.
    #[error(
        "{date}: a profit of {profit} on a capital of {base} has no return; the capital must be above 0: check the valuation \
         before it, and the flows"
    )]
    NoCapital {
        /// Last day of the step.
        date: NaiveDate,
        /// What the return would be divided by.
        base: Decimal,
        /// What was earned.
        profit: Decimal,
    },
    /// Nothing can be linked beyond a loss of everything.
    #[error(
        "{date}: all capital is lost (return {value}), which cannot be linked; measure the time before and after by itself"
    )]
    TotalLoss {
        /// Last day of the step.
        date: NaiveDate,
        /// The return of the step, or up to that day.
        value: f64,
    },
    /// No money went in, or none is left and none came out.
    #[error(
        "flows and final value all have one sign; a money-weighted return needs money that goes in and money that comes out"
    )]
    OneSign,
    /// No rate makes flows and final value equal.
    #[error(
        "no rate fits flows and final value: a growth between e^-{bound} and e^{bound} over the period was searched; check the \
         amounts and their signs"
    )]
    NoRate {
        /// How far was searched, as a logarithm.
        bound: f64,
    },
    /// A value leaves the range of decimals.
    #[error("{what} leaves the range of decimals; check its unit")]
    OutOfRange {
        /// Which value.
        what: &'static str,
    },
}

pub(crate) fn beyond(what: &'static str) -> PerformanceError {
    PerformanceError::OutOfRange { what }
}

pub(crate) fn float(value: Decimal) -> f64 {
    f64::try_from(value).unwrap_or(f64::NAN)
}

fn add(left: Decimal, right: Decimal, what: &'static str) -> Result<Decimal, PerformanceError> {
    left.checked_add(right).ok_or_else(|| beyond(what))
}

fn sub(left: Decimal, right: Decimal, what: &'static str) -> Result<Decimal, PerformanceError> {
    left.checked_sub(right).ok_or_else(|| beyond(what))
}

fn mul(left: Decimal, right: Decimal, what: &'static str) -> Result<Decimal, PerformanceError> {
    left.checked_mul(right).ok_or_else(|| beyond(what))
}

fn div(left: Decimal, right: Decimal, what: &'static str) -> Result<Decimal, PerformanceError> {
    left.checked_div(right).ok_or_else(|| beyond(what))
}

/// That valuations span a period, and are one a day in ascending order.
fn check_order(valuations: &[Valuation]) -> Result<(Valuation, Valuation), PerformanceError> {
    let (Some(first), Some(last)) = (valuations.first(), valuations.last()) else {
        return Err(PerformanceError::TooFewValuations { found: 0 });
    };
    if valuations.len() < 2 {
        return Err(PerformanceError::TooFewValuations { found: valuations.len() });
    }
    for (before, after) in valuations.iter().zip(valuations.iter().skip(1)) {
        if after.date <= before.date {
            return Err(PerformanceError::NotAscending { date: after.date, before: before.date });
        }
    }
    Ok((*first, *last))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    pub(crate) fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    pub(crate) fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    pub(crate) fn worth(date: &str, nav: &str) -> Valuation {
        Valuation { date: day(date), nav: d(nav) }
    }

    pub(crate) fn flow(date: &str, amount: &str) -> ExternalFlow {
        ExternalFlow { date: day(date), amount: d(amount) }
    }

    pub(crate) fn close(left: f64, right: f64, tolerance: f64) {
        assert!((left - right).abs() <= tolerance, "{left} is not {right}");
    }
}
