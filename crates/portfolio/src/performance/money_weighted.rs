//! Money-weighted return: the one rate at which flows grow to the final value.

use super::{ExternalFlow, PerformanceError, Valuation, float};
use mts_foundation::Decimal;
use serde::{Deserialize, Serialize};

/// Days of a year (actual/365, as the spreadsheets' `XIRR`).
const YEAR: f64 = 365.0;

/// How far rates are searched: the logarithm of the growth over the whole period. e^50 is 5 × 10^21.
const BOUND: f64 = 50.0;

/// Steps of the search on each side of zero, where there may be several roots.
const STEPS: u32 = 1000;

/// Halvings at most; 64 exhaust the digits of a float.
const ITERATIONS: u32 = 200;

/// An internal rate of return.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MoneyWeighted {
    /// Return over the whole period, a fraction.
    pub period: f64,
    /// The same a year, compounded; none where it is beyond floats. GIPS: of periods shorter than a year, show the other.
    pub annual: Option<f64>,
    /// Days of the period.
    pub days: i64,
    /// Whether other rates fit too; then this is the one closest to zero.
    pub several: bool,
}

/// The rate `r` with Σ flow × (1 + r)^(days left / 365) = final value. Flows and value as those of a fund: positive = into it,
/// and the value is what it is worth at the end.
///
/// Several rates may fit when signs change more than once in time. The answer is then the one whose growth over the period is
/// closest to none, of two equally close ones the gain, and it says that there are others; roots closer together than a
/// twentieth of growth (as a logarithm) are not told apart.
///
/// # Errors
/// [`PerformanceError::OneSign`] when nothing went in, or nothing is left and nothing came out;
/// [`PerformanceError::NoRate`]; [`PerformanceError::FlowOutside`] for a flow after the final value.
pub fn money_weighted(flows: &[ExternalFlow], end: Valuation) -> Result<MoneyWeighted, PerformanceError> {
    let flows: Vec<ExternalFlow> = flows.iter().copied().filter(|flow| !flow.amount.is_zero()).collect();
    let first = flows.iter().map(|flow| flow.date).min().ok_or(PerformanceError::OneSign)?;
    if let Some(ExternalFlow { date, amount }) = flows.iter().find(|flow| flow.date > end.date).copied() {
        return Err(PerformanceError::FlowOutside { date, amount, first, last: end.date });
    }
    let days = (end.date - first).num_days();
    let equation = Equation::new(&flows, end, days);
    let several_signs = match equation.changes_of_sign() {
        0 => return Err(PerformanceError::OneSign),
        changes => changes > 1,
    };
    let roots = if several_signs { equation.brackets() } else { vec![(-BOUND, BOUND)] };
    let mut found: Vec<f64> = roots.into_iter().filter_map(|(low, high)| equation.root(low, high)).collect();
    // The closest to zero first; of two, the gain.
    found.sort_by(|left, right| left.abs().total_cmp(&right.abs()).then(right.total_cmp(left)));
    let growth = *found.first().ok_or(PerformanceError::NoRate { bound: BOUND })?;
    let annual = (growth * YEAR / equation.days).exp_m1();
    Ok(MoneyWeighted {
        period: growth.exp_m1(),
        annual: Some(annual).filter(|annual| annual.is_finite()),
        days,
        several: found.len() > 1,
    })
}

/// Σ amount × e^(growth × share of the period that was left), over flows and the final value.
struct Equation {
    /// Amount, as a part of the largest, and share of the period; in order of time, one a day.
    terms: Vec<(f64, f64)>,
    days: f64,
}

impl Equation {
    fn new(flows: &[ExternalFlow], end: Valuation, days: i64) -> Self {
        // Days and their numbers are small: exact in a float.
        let of_days = |days: i64| float(Decimal::from(days));
        let all_days = of_days(days.max(1));
        let mut by_day: std::collections::BTreeMap<chrono::NaiveDate, f64> =
            std::collections::BTreeMap::new();
        for flow in flows {
            *by_day.entry(flow.date).or_default() += float(flow.amount);
        }
        *by_day.entry(end.date).or_default() -= float(end.nav);
        let largest = by_day.values().fold(f64::MIN_POSITIVE, |largest, amount| largest.max(amount.abs()));
        let terms = by_day
            .into_iter()
            .map(|(date, amount)| (amount / largest, of_days((end.date - date).num_days()) / all_days))
            .collect();
        Self { terms, days: all_days }
    }

    /// As many roots at most (Descartes' rule, which holds for sums of exponentials too).
    fn changes_of_sign(&self) -> usize {
        let signs: Vec<bool> = self
            .terms
            .iter()
            .map(|(amount, _)| *amount)
            .filter(|amount| amount.abs() > 0.0)
            .map(f64::is_sign_positive)
            .collect();
        signs.iter().zip(signs.iter().skip(1)).filter(|(one, next)| one != next).count()
    }

    fn at(&self, growth: f64) -> f64 {
        self.terms.iter().map(|(amount, share)| amount * (growth * share).exp()).sum()
    }

    fn slope(&self, growth: f64) -> f64 {
        self.terms.iter().map(|(amount, share)| amount * share * (growth * share).exp()).sum()
    }

    /// Neighbouring points between which the sign changes.
    fn brackets(&self) -> Vec<(f64, f64)> {
        let width = BOUND / f64::from(STEPS);
        let point = |number: u32| f64::from(number) * width - BOUND;
        let mut found = Vec::new();
        let mut before = (point(0), self.at(point(0)));
        for number in 1..=2 * STEPS {
            let here = (point(number), self.at(point(number)));
            // A root on a point belongs to the step that ends there.
            if before.1.abs() > 0.0 && before.1.signum() * here.1 <= 0.0 {
                found.push((before.0, here.0));
            }
            before = here;
        }
        found
    }

    /// The root between two points: Newton's steps where they stay inside, else halves.
    fn root(&self, low: f64, high: f64) -> Option<f64> {
        let (at_low, at_high) = (self.at(low), self.at(high));
        if at_low.signum() * at_high > 0.0 || !at_low.is_finite() || !at_high.is_finite() {
            return None;
        }
        let rising = at_low < at_high;
        let (mut low, mut high) = (low, high);
        let mut guess = f64::midpoint(low, high);
        for _ in 0..ITERATIONS {
            let value = self.at(guess);
            if value.abs() <= 0.0 {
                return Some(guess);
            }
            if (value > 0.0) == rising {
                high = guess
            } else {
                low = guess
            }
            let step = value / self.slope(guess);
            let next = guess - step;
            let inside = next > low && next < high;
            if inside && step.abs() <= f64::EPSILON * guess.abs().max(1e-3) || high - low <= f64::EPSILON {
                return Some(if inside { next } else { guess });
            }
            // Newton alone may creep along a flat end: it must at least get somewhere near the middle every other time.
            guess = if inside && step.abs() < (high - low) / 2.0 { next } else { f64::midpoint(low, high) };
        }
        Some(guess)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, d, day, flow, worth};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_spreadsheets() {
        // Microsoft's page of XIRR: 0.373362535. The root has more digits: 0.37336253…
        let flows = [
            flow("2008-01-01", "10000"),
            flow("2008-03-01", "-2750"),
            flow("2008-10-30", "-4250"),
            flow("2009-02-15", "-3250"),
        ];
        let found = money_weighted(&flows, worth("2009-04-01", "2750")).unwrap();
        close(found.annual.unwrap(), 0.373_362_535, 2e-9);
        assert_eq!((found.days, found.several), (456, false));
        close(found.period, 1.373_362_535_f64.powf(456.0 / 365.0) - 1.0, 1e-8);
        // The last payment as a flow, and nothing left: the same.
        let paid = [flows.as_slice(), &[flow("2009-04-01", "-2750")]].concat();
        assert_eq!(money_weighted(&paid, worth("2009-04-01", "0")), Ok(found));
        // Nothing on a day before does not make the period longer.
        let idle = [flows.as_slice(), &[flow("2000-01-01", "0")]].concat();
        assert_eq!(money_weighted(&idle, worth("2009-04-01", "2750")), Ok(found));
    }

    #[test]
    fn a_question_of_the_cfa_programme() {
        // The one of time_weighted: 200 in, 100 out after a year, 170 after two. Its answer is 20.52 %.
        let flows = [flow("2021-01-01", "200"), flow("2022-01-01", "-100")];
        let found = money_weighted(&flows, worth("2023-01-01", "170")).unwrap();
        close(found.annual.unwrap(), 0.2052, 5e-5);
    }

    #[test]
    fn of_several_rates_the_one_closest_to_zero() {
        // 100 in, 230 out, 132 in: both 10 % and 20 % fit.
        let flows = [flow("2025-01-01", "100"), flow("2026-01-01", "-230")];
        let found = money_weighted(&flows, worth("2027-01-01", "-132")).unwrap();
        close(found.annual.unwrap(), 0.1, 1e-12);
        assert!(found.several);
        // A growth of e and one of 1/e² over the period fit: the gain is the closer one, the loss is the first that is met.
        let (up, down) = (1_f64.exp(), (-2_f64).exp());
        let amount = |value: f64| Decimal::try_from(value).unwrap();
        let flows = [
            ExternalFlow { date: day("2025-01-01"), amount: d("1") },
            ExternalFlow { date: day("2026-01-01"), amount: amount(-(up.sqrt() + down.sqrt())) },
        ];
        let end = Valuation { date: day("2027-01-01"), nav: amount(-(up.sqrt() * down.sqrt())) };
        let found = money_weighted(&flows, end).unwrap();
        close(found.period, up - 1.0, 1e-6);
        assert!(found.several);
    }

    #[test]
    fn a_day_and_a_fortune() {
        let found = money_weighted(&[flow("2026-01-01", "100")], worth("2026-01-02", "1100")).unwrap();
        close(found.period, 10.0, 1e-12);
        assert_eq!(found.annual, None, "11^365 is no float");
        let found = money_weighted(&[flow("2026-01-01", "100")], worth("2027-01-01", "100")).unwrap();
        close(found.period, 0.0, 1e-15);
    }

    #[test]
    fn what_has_no_rate_says_why() {
        let end = worth("2027-01-01", "100");
        let error = |flows: &[ExternalFlow], end| money_weighted(flows, end).unwrap_err();
        assert_eq!(error(&[], end), PerformanceError::OneSign);
        assert_eq!(error(&[flow("2026-01-01", "-5")], end), PerformanceError::OneSign);
        assert_eq!(error(&[flow("2026-01-01", "5")], worth("2027-01-01", "0")), PerformanceError::OneSign);
        assert_eq!(error(&[flow("2027-01-01", "5")], end), PerformanceError::OneSign);
        assert!(matches!(error(&[flow("2027-01-02", "5")], end), PerformanceError::FlowOutside { .. }));
        // 1 in, 1 out, 1 in: x² − x + 1 has no real root.
        let none = [flow("2025-01-01", "1"), flow("2026-01-01", "-1")];
        let none = error(&none, worth("2027-01-01", "-1")).to_string();
        assert!(none.contains("no rate fits") && none.contains("check the amounts"), "{none}");
        let far = error(&[flow("2026-01-01", "0.0000000000000000000000001")], worth("2027-01-01", "1000"));
        assert!(matches!(far, PerformanceError::NoRate { .. }));
    }

    proptest! {
        /// What grew at a rate is found to have grown at that rate.
        #[test]
        fn the_rate_comes_back(
            rate in -0.9_f64..5.0,
            deposits in prop::collection::vec((0_i64..1500, 1_i64..1_000_000), 1..20),
        ) {
            let start = day("2020-01-01");
            let end = start + chrono::TimeDelta::days(1600);
            let (mut flows, mut worth) = (Vec::new(), 0.0);
            for (after, amount) in deposits {
                let date = start + chrono::TimeDelta::days(after);
                flows.push(ExternalFlow { date, amount: Decimal::from(amount) });
                let left = float(Decimal::from((end - date).num_days()));
                worth += float(Decimal::from(amount)) * (1.0 + rate).powf(left / YEAR);
            }
            let Ok(nav) = Decimal::try_from(worth) else { return Ok(()) };
            prop_assume!(nav > Decimal::new(1, 3));
            let found = money_weighted(&flows, Valuation { date: end, nav }).unwrap().annual.unwrap();
            prop_assert!((found - rate).abs() < 1e-6 * (1.0 + rate.abs()) * 10.0, "{} is not {}", found, rate);
        }
    }
}
