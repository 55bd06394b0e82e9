//! Loss limits: day, week, month, drawdown. Evaluated on every batch of marks and every fill, and at order time.

use crate::limits::ExactLimits;
use crate::state::Baselines;
use chrono::{Datelike, NaiveDate};
use mts_foundation::Decimal;
use mts_foundation::risk::{GateLimits, HaltCause, RejectCode};

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

    /// A resume re-bases the limits that tripped to the value of that moment (decision R9).
    pub(crate) fn rebase(&mut self, code: RejectCode, nav: Decimal) {
        match code {
            RejectCode::DailyLoss => self.day = nav,
            RejectCode::WeeklyLoss => self.week = nav,
            RejectCode::MonthlyLoss => self.month = nav,
            RejectCode::Drawdown => self.high_water = nav,
            _ => {}
        }
    }
}

/// The loss limits that are reached, in the order day, week, month, drawdown. A limit is reached when the loss equals
/// or passes it.
pub(crate) fn reached(
    baselines: &Baselines,
    nav: Decimal,
    limits: &ExactLimits,
    money: &GateLimits,
) -> impl Iterator<Item = HaltCause> {
    let share = |code: RejectCode, baseline: Decimal, limit: Option<Decimal>| {
        let limit = limit?;
        // A baseline that is not positive has been lost wholly: every limit is reached.
        let observed =
            if baseline > Decimal::ZERO { (baseline - nav).checked_div(baseline)? } else { Decimal::ONE };
        (observed >= limit).then_some(HaltCause { code, limit: Some(limit), observed: Some(observed) })
    };
    let daily_money = money.max_daily_loss.and_then(|limit| {
        let observed = baselines.day - nav;
        let cause = HaltCause { code: RejectCode::DailyLoss, limit: Some(limit), observed: Some(observed) };
        (observed >= limit).then_some(cause)
    });
    [
        share(RejectCode::DailyLoss, baselines.day, Some(limits.daily_loss)).or(daily_money),
        share(RejectCode::WeeklyLoss, baselines.week, Some(limits.weekly_loss)),
        share(RejectCode::MonthlyLoss, baselines.month, Some(limits.monthly_loss)),
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
