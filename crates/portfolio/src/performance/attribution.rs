//! Which line earned how much of the return: contributions of a period, linked over all periods.

use super::{PerformanceError, ReturnStep, add, float, sub};
use chrono::NaiveDate;
use mts_foundation::Decimal;
use mts_foundation::num::exact;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Below this, ln(1 + r) / r is taken from its series: the quotient would lose digits.
const SMALL: f64 = 1e-8;

/// What is known of one period, mostly a session. `K` says what a line is: a symbol, a strategy, both together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributionPeriod<K> {
    /// Last day of the period.
    pub date: NaiveDate,
    /// Capital that worked: NAV at the start, and flows that count from then on ([`ReturnStep::base`]).
    #[serde(with = "exact")]
    pub base: Decimal,
    /// What the fund earned in all, without flows.
    #[serde(with = "exact")]
    pub profit: Decimal,
    /// What each line earned, its fees and dividends included. A key may come more than once.
    pub lines: Vec<AttributionLine<K>>,
}

/// What one line earned in one period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributionLine<K> {
    /// Which line.
    pub key: K,
    /// Money in the fund's currency.
    #[serde(with = "exact")]
    pub profit: Decimal,
}

impl<K> AttributionPeriod<K> {
    /// The period of a step of the time-weighted return, so that contributions add up to exactly that return.
    pub fn of_step(step: &ReturnStep, lines: impl IntoIterator<Item = (K, Decimal)>) -> Self {
        let lines = lines.into_iter().map(|(key, profit)| AttributionLine { key, profit }).collect();
        Self { date: step.to, base: step.base, profit: step.profit, lines }
    }
}

/// A part of money and return.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// Money earned: exact.
    #[serde(with = "exact")]
    pub money: Decimal,
    /// Part of the return of the whole period, a fraction; all parts and the residual add up to the return.
    pub linked: f64,
}

/// A line and its part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineContribution<K> {
    /// Which line.
    pub key: K,
    /// Its part.
    pub part: Contribution,
}

/// Contributions of one period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeriodContributions<K> {
    /// Last day of the period.
    pub date: NaiveDate,
    /// Return of the period, a fraction.
    pub value: f64,
    /// Profit / base of each line that was there, by key.
    pub lines: Vec<(K, f64)>,
    /// What no line explains.
    pub residual: f64,
}

/// Contributions of all lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attribution<K> {
    /// Each period by itself.
    pub periods: Vec<PeriodContributions<K>>,
    /// Each line over all periods, by key.
    pub lines: Vec<LineContribution<K>>,
    /// What no line explains: a line of its own, zero when the lines are complete.
    pub residual: Contribution,
    /// Profit and return of the whole.
    pub total: Contribution,
}

impl<K> Attribution<K> {
    /// The lines added up by another key, such as the sector of a symbol. The residual stays what it is.
    ///
    /// # Errors
    /// [`PerformanceError::OutOfRange`].
    pub fn grouped<G: Ord>(
        &self,
        group: impl Fn(&K) -> G,
    ) -> Result<Vec<LineContribution<G>>, PerformanceError> {
        let mut found: BTreeMap<G, Contribution> = BTreeMap::new();
        for line in &self.lines {
            let sum = found.entry(group(&line.key)).or_default();
            sum.money = add(sum.money, line.part.money, "profit")?;
            sum.linked += line.part.linked;
        }
        Ok(found.into_iter().map(|(key, part)| LineContribution { key, part }).collect())
    }
}

/// Contributions of each line by period, and linked over all of them.
///
/// A contribution in period `t` is profit of the line / base of the period; they add up to the period's return `r_t`, but not
/// over periods, because returns compound. Cariño's coefficients (1999; here without a benchmark) spread the compounding:
/// `linked = Σ_t contribution_t × k_t / k`, with `k_t = ln(1 + r_t) / r_t` and `k = ln(1 + R) / R` of the whole (each 1 where the
/// return is 0). Then Σ linked = Σ ln(1 + r_t) / k = R.
///
/// The work grows with the lines that are there, summed over periods.
///
/// # Errors
/// [`PerformanceError`]: a profit without capital; a period that loses everything; out of range.
pub fn attribute<K: Ord + Clone>(
    periods: &[AttributionPeriod<K>],
) -> Result<Attribution<K>, PerformanceError> {
    let mut log_growth = 0.0;
    let mut total = Contribution::default();
    let mut residual = Contribution::default();
    let mut lines: BTreeMap<K, Contribution> = BTreeMap::new();
    let mut found = Vec::with_capacity(periods.len());
    for period in periods {
        let mut here: BTreeMap<&K, Decimal> = BTreeMap::new();
        let mut unexplained = period.profit;
        for line in &period.lines {
            let sum = here.entry(&line.key).or_default();
            *sum = add(*sum, line.profit, "profit")?;
            unexplained = sub(unexplained, line.profit, "profit")?;
        }
        let part_of = |money: Decimal| part(period, money);
        let value = part_of(period.profit)?;
        if value <= -1.0 {
            return Err(PerformanceError::TotalLoss { date: period.date, value });
        }
        log_growth += value.ln_1p();
        let weight = log_over_return(value);
        let add_to = |sum: &mut Contribution, money: Decimal| -> Result<f64, PerformanceError> {
            let part = part_of(money)?;
            sum.money = add(sum.money, money, "profit")?;
            sum.linked += part * weight;
            Ok(part)
        };
        let residual_here = add_to(&mut residual, unexplained)?;
        let mut parts = Vec::with_capacity(here.len());
        for (key, money) in here {
            if !lines.contains_key(key) {
                lines.insert(key.clone(), Contribution::default());
            }
            if let Some(sum) = lines.get_mut(key) {
                parts.push((key.clone(), add_to(sum, money)?));
            }
        }
        total.money = add(total.money, period.profit, "profit")?;
        found.push(PeriodContributions { date: period.date, value, lines: parts, residual: residual_here });
    }
    total.linked = log_growth.exp_m1();
    let whole = log_over_return(total.linked);
    residual.linked /= whole;
    let lines = lines
        .into_iter()
        .map(|(key, Contribution { money, linked })| LineContribution {
            key,
            part: Contribution { money, linked: linked / whole },
        })
        .collect();
    Ok(Attribution { periods: found, lines, residual, total })
}

/// Money as a part of the period's capital.
fn part<K>(period: &AttributionPeriod<K>, money: Decimal) -> Result<f64, PerformanceError> {
    let AttributionPeriod { date, base, .. } = *period;
    if money.is_zero() && base >= Decimal::ZERO {
        return Ok(0.0);
    }
    if base <= Decimal::ZERO {
        return Err(PerformanceError::NoCapital { date, base, profit: money });
    }
    Ok(float(super::div(money, base, "contribution")?))
}

/// ln(1 + r) / r, 1 at zero.
fn log_over_return(value: f64) -> f64 {
    if value.abs() < SMALL { 1.0 - value / 2.0 } else { value.ln_1p() / value }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, d, day, flow, worth};
    use super::super::{FlowTiming, time_weighted};
    use super::*;
    use proptest::prelude::*;

    fn period(date: &str, base: &str, profit: &str, lines: &[(&str, &str)]) -> AttributionPeriod<String> {
        let lines =
            lines.iter().map(|(key, profit)| AttributionLine { key: (*key).to_owned(), profit: d(profit) });
        AttributionPeriod { date: day(date), base: d(base), profit: d(profit), lines: lines.collect() }
    }

    #[test]
    fn two_periods_by_hand() {
        // 10 % and then 20 %, R = 32 %. k = ln 1.32 / 0.32 = 0.867600, k1 = 0.953102, k2 = 0.911608.
        let found = attribute(&[
            period("2026-03-02", "100", "10", &[("A/x", "6"), ("B/x", "4")]),
            period("2026-03-03", "110", "22", &[("B/x", "11"), ("C/y", "5.5"), ("C/y", "5.5")]),
        ])
        .unwrap();
        let linked: Vec<(&str, Decimal)> =
            found.lines.iter().map(|line| (line.key.as_str(), line.part.money)).collect();
        assert_eq!(linked, [("A/x", d("6")), ("B/x", d("15")), ("C/y", d("11"))]);
        let (k, k1, k2) = (1.32_f64.ln() / 0.32, 1.1_f64.ln() / 0.1, 1.2_f64.ln() / 0.2);
        let wanted = [0.06 * k1 / k, (0.04 * k1 + 0.1 * k2) / k, 0.1 * k2 / k];
        for (line, wanted) in found.lines.iter().zip(wanted) {
            close(line.part.linked, wanted, 1e-14);
        }
        close(found.total.linked, 0.32, 1e-14);
        assert_eq!((found.total.money, found.residual.money), (d("32"), Decimal::ZERO));
        assert_eq!(found.periods[1].lines, [("B/x".to_owned(), 0.1), ("C/y".to_owned(), 0.1)]);
        let strategies = found.grouped(|key| key.split('/').nth(1).map(str::to_owned)).unwrap();
        assert_eq!(strategies.len(), 2);
        assert_eq!((strategies[0].part.money, strategies[1].part.money), (d("21"), d("11")));
        close(strategies[0].part.linked + strategies[1].part.linked, 0.32, 1e-14);
    }

    #[test]
    fn what_no_line_explains_is_a_line() {
        let found = attribute(&[period("2026-03-02", "100", "10", &[("A", "12")])]).unwrap();
        assert_eq!(found.residual.money, d("-2"));
        close(found.residual.linked, -0.02, 1e-15);
        close(found.periods[0].residual, -0.02, 1e-15);
    }

    #[test]
    fn what_cannot_be_linked_says_why() {
        let fault = |period| attribute(&[period]).unwrap_err().to_string();
        assert!(fault(period("2026-03-02", "0", "10", &[])).contains("capital of 0"));
        assert!(fault(period("2026-03-02", "0", "0", &[("A", "1"), ("B", "-1")])).contains("capital of 0"));
        assert!(fault(period("2026-03-02", "100", "-100", &[])).contains("all capital is lost"));
        let max = Decimal::MAX.to_string();
        assert!(
            fault(period("2026-03-02", "1", "0", &[("A", &max), ("A", &max)])).contains("range of decimals")
        );
        assert_eq!(attribute::<String>(&[]).unwrap().total, Contribution::default());
        assert_eq!(attribute(&[period("2026-03-02", "0", "0", &[("A", "0")])]).unwrap().lines.len(), 1);
    }

    proptest! {
        /// Contributions and the residual add up to the time-weighted return, whatever flows and lines there are.
        #[test]
        fn contributions_add_up_to_the_return(
            days in prop::collection::vec(
                (prop::collection::vec((0_u8..6, -2000_i64..2100), 0..6), -300_i64..300, -2_000_i64..20_000),
                1..40,
            ),
        ) {
            let start = day("2026-01-05");
            let mut nav = d("100000");
            let mut valuations = vec![worth("2026-01-05", "100000")];
            let (mut flows, mut lines) = (vec![flow("2026-01-05", "100000")], Vec::new());
            for (number, (profits, unexplained, amount)) in days.into_iter().enumerate() {
                let date = start + chrono::Days::new(u64::try_from(number).unwrap() + 1);
                let earned: i64 = profits.iter().map(|(_, profit)| profit).sum();
                nav += Decimal::from(earned + unexplained + amount);
                flows.push(super::super::ExternalFlow { date, amount: Decimal::from(amount) });
                valuations.push(super::super::Valuation { date, nav });
                lines.push(profits);
            }
            prop_assume!(valuations.iter().all(|one| one.nav > d("20000")));
            let returns = time_weighted(&valuations, &flows, FlowTiming::default()).unwrap();
            let periods: Vec<AttributionPeriod<u8>> = returns
                .steps
                .iter()
                .zip(lines)
                .map(|(step, lines)| {
                    AttributionPeriod::of_step(step, lines.into_iter().map(|(key, profit)| (key, profit.into())))
                })
                .collect();
            let found = attribute(&periods).unwrap();
            let linked: f64 = found.lines.iter().map(|line| line.part.linked).sum();
            let total = float(returns.total);
            prop_assert!((linked + found.residual.linked - total).abs() < 1e-12 * (1.0 + total.abs()));
            let money: Decimal = found.lines.iter().map(|line| line.part.money).sum();
            let earned: Decimal = returns.steps.iter().map(|step| step.profit).sum();
            prop_assert_eq!(money + found.residual.money, earned);
            prop_assert_eq!(found.total.money, earned);
            for (period, step) in found.periods.iter().zip(&returns.steps) {
                let sum: f64 = period.lines.iter().map(|(_, part)| part).sum();
                prop_assert!((sum + period.residual - float(step.value)).abs() < 1e-13);
            }
        }
    }
}
