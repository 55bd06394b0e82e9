//! What losses are measured against, and which of their limits are reached.

use super::{Deviation, Fund, Oracle, written};
use chrono::{Datelike, NaiveDate};
use mts_foundation::Decimal;
use mts_foundation::risk::{LossResponse, RejectCode};

/// Value of a fund at a moment, less the capital that had come by then.
pub(super) type Earned = Decimal;

/// Values at the beginning of the day, the week and the month, and the highest, all without capital: what has come since is
/// added when they are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Baselines {
    pub(super) day: Earned,
    pub(super) week: Earned,
    pub(super) month: Earned,
    pub(super) highest: Earned,
}

impl Baselines {
    /// The one that a limit is measured against.
    pub(super) fn of(&mut self, code: RejectCode) -> Option<&mut Earned> {
        match code {
            RejectCode::DailyLoss => Some(&mut self.day),
            RejectCode::WeeklyLoss => Some(&mut self.week),
            RejectCode::MonthlyLoss => Some(&mut self.month),
            RejectCode::Drawdown => Some(&mut self.highest),
            _ => None,
        }
    }
}

impl Oracle {
    /// The loss limits that are reached at this value, in their order; `None` when one is on and there is nothing to
    /// measure against.
    pub(super) fn tripped(&self, fund: &Fund, nav: Decimal) -> Option<Vec<RejectCode>> {
        let (envelope, limits) = (fund.setup.envelope.as_ref(), &fund.setup.limits);
        let day = envelope.map(|envelope| written(envelope.daily_loss_halt_pct));
        let week = envelope.map(|envelope| written(envelope.weekly_loss_halt_pct));
        let month = envelope.map(|envelope| written(envelope.monthly_loss_halt_pct));
        let drawdown = limits.max_drawdown_pct.map(written);
        let money = limits.max_daily_loss;
        if [day, week, month, drawdown, money].iter().all(Option::is_none) {
            return Some(Vec::new());
        }
        let baselines = fund.baselines?;
        // A halt comes when the loss reaches its limit, the kill switch when it passes it (R14).
        let beyond = |loss: Decimal, most: Decimal| match limits.loss_response {
            None | Some(LossResponse::HaltFund) => loss >= most,
            Some(LossResponse::KillSwitch) => loss > most,
        };
        let flowed = fund.flowed();
        let share = |earned: Earned, most: Option<Decimal>| {
            let baseline = earned + flowed;
            // What began with nothing has lost everything.
            most.is_some_and(|most| baseline <= Decimal::ZERO || beyond(baseline - nav, most * baseline))
        };
        let in_money = money.is_some_and(|most| beyond(baselines.day + flowed - nav, most));
        let all = [
            (RejectCode::DailyLoss, share(baselines.day, day) || in_money),
            (RejectCode::WeeklyLoss, share(baselines.week, week)),
            (RejectCode::MonthlyLoss, share(baselines.month, month)),
            (RejectCode::Drawdown, share(baselines.highest, drawdown)),
        ];
        Some(all.into_iter().filter(|(_, reached)| *reached).map(|(code, _)| code).collect())
    }

    /// The trading day rolls.
    pub fn day_rolled(&mut self, date: NaiveDate) {
        let later = self.day.is_none_or(|day| date > day);
        if !later && !self.deviates(Deviation::DaysGoBack) {
            return;
        }
        for place in 0..self.funds.len() {
            let fund = &self.funds[place];
            let earned = self.nav(fund) - fund.flowed();
            let baselines = match (fund.baselines, self.day) {
                (Some(old), Some(day)) if later => Baselines {
                    day: earned,
                    week: if date.iso_week() == day.iso_week() { old.week } else { earned },
                    month: if (date.year(), date.month()) == (day.year(), day.month()) {
                        old.month
                    } else {
                        earned
                    },
                    highest: old.highest,
                },
                (Some(old), _) => old,
                (None, _) => Baselines { day: earned, week: earned, month: earned, highest: earned },
            };
            let fund = &mut self.funds[place];
            fund.baselines = Some(baselines);
            fund.stopped.clear();
        }
        self.day = Some(date);
    }
}
