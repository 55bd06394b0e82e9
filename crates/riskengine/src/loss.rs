//! Loss limits: day, week, month, drawdown. Evaluated on every batch of marks and every fill, and at order time.

use crate::limits::ExactLimits;
use crate::state::Baselines;
use chrono::{Datelike, NaiveDate};
use mts_foundation::Decimal;
use mts_foundation::risk::{HaltCause, LossResponse, RejectCode};

impl Baselines {
    /// All baselines at this value.
    pub(crate) fn at(nav: Decimal) -> Self {
        Self { day: nav, week: nav, month: nav, high_water: nav }
    }

    /// Capital moved: neither gain nor loss.
    pub(crate) fn flowed(&mut self, amount: Decimal) {
        self.day += amount;
        self.week += amount;
        self.month += amount;
        self.high_water += amount;
    }

    /// The trading day rolled from `old` to `new`.
    pub(crate) fn rolled(&mut self, old: NaiveDate, new: NaiveDate, nav: Decimal) {
        if new <= old {
            return;
        }
        self.day = nav;
        if new.iso_week() != old.iso_week() {
            self.week = nav;
        }
        if (new.year(), new.month()) != (old.year(), old.month()) {
            self.month = nav;
        }
    }

    /// A resume re-bases the limits that tripped to the value of that moment (decision R9). Answers what the limit was
    /// measured against until now.
    pub(crate) fn rebase(&mut self, code: RejectCode, nav: Decimal) -> Option<Decimal> {
        let baseline = match code {
            RejectCode::DailyLoss => &mut self.day,
            RejectCode::WeeklyLoss => &mut self.week,
            RejectCode::MonthlyLoss => &mut self.month,
            RejectCode::Drawdown => &mut self.high_water,
            _ => return None,
        };
        Some(std::mem::replace(baseline, nav))
    }
}

/// The loss limits that tripped, in the order day, week, month, drawdown. A limit that halts the fund trips when the
/// loss equals or passes it, one that activates the kill switch when the loss passes it (decision R14).
pub(crate) fn reached(
    baselines: &Baselines,
    nav: Decimal,
    limits: &ExactLimits,
) -> impl Iterator<Item = HaltCause> {
    let trips = |observed: Decimal, limit: Decimal| match limits.loss_response {
        LossResponse::HaltFund => observed >= limit,
        LossResponse::KillSwitch => observed > limit,
    };
    let cause = |code: RejectCode, observed: Decimal, limit: Decimal| {
        trips(observed, limit).then_some(HaltCause { code, limit: Some(limit), observed: Some(observed) })
    };
    let share = |code: RejectCode, baseline: Decimal, limit: Option<Decimal>| {
        let limit = limit?;
        if baseline <= Decimal::ZERO {
            // A baseline that is not positive has been lost wholly.
            return cause(code, Decimal::TWO, limit);
        }
        // Mostly there is nothing to tell: a product is exact and costs less than a quotient.
        let lost = baseline - nav;
        let tripped = limit.checked_mul(baseline).is_none_or(|most| trips(lost, most));
        if !tripped {
            return None;
        }
        let observed = lost.checked_div(baseline)?;
        Some(HaltCause { code, limit: Some(limit), observed: Some(observed) })
    };
    let money =
        limits.daily_loss_money.and_then(|limit| cause(RejectCode::DailyLoss, baselines.day - nav, limit));
    [
        share(RejectCode::DailyLoss, baselines.day, limits.daily_loss).or(money),
        share(RejectCode::WeeklyLoss, baselines.week, limits.weekly_loss),
        share(RejectCode::MonthlyLoss, baselines.month, limits.monthly_loss),
        share(RejectCode::Drawdown, baselines.high_water, limits.drawdown),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_and_months_roll_when_they_change() {
        let date = |text: &str| text.parse::<NaiveDate>().unwrap();
        let mut baselines = Baselines::at(Decimal::from(100));
        baselines.rolled(date("2026-01-29"), date("2026-01-30"), Decimal::from(90));
        assert_eq!((baselines.day, baselines.week, baselines.month), (90.into(), 100.into(), 100.into()));
        baselines.rolled(date("2026-01-30"), date("2026-02-02"), Decimal::from(80));
        assert_eq!((baselines.day, baselines.week, baselines.month), (80.into(), 80.into(), 80.into()));
        baselines.rolled(date("2026-02-02"), date("2026-02-02"), Decimal::from(70));
        assert_eq!(baselines.day, 80.into(), "the same day again is no roll");
        // 2024-12-30 and 2025-01-02 are in the same ISO week, in two months.
        let mut turn = Baselines::at(Decimal::from(100));
        turn.rolled(date("2024-12-30"), date("2025-01-02"), Decimal::from(50));
        assert_eq!((turn.week, turn.month), (100.into(), 50.into()));
    }

    #[test]
    fn capital_flows_are_no_loss() {
        let mut baselines = Baselines::at(Decimal::from(100));
        baselines.flowed(Decimal::from(-40));
        assert_eq!(baselines, Baselines::at(Decimal::from(60)));
    }
}
