//! Gates 1, 2 and 24: the kill switch, halts, and the losses that lead to them.

use crate::check::{Check, GateResult, off, pass, reject, short};
use crate::halts::{halted, in_force};
use crate::loss::reached;
use mts_foundation::Decimal;
use mts_foundation::risk::{Gate, GateTrace, HaltMode, RejectCode};

pub(super) fn kill_switch(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    match &check.state.killed {
        Some(killed) => Err(killed.rejection()),
        None => pass(trace, Gate::KillSwitch),
    }
}

pub(super) fn halts(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    match in_force(&check.state.halts, &check.order.fund_id, &check.order.strategy_id) {
        Some(halt) if !(check.reducing && halt.mode == HaltMode::ReduceOnly) => Err(halted(halt)),
        _ => pass(trace, Gate::Halts),
    }
}

/// The same function as on every mark and fill, asked once more with the net asset value of this moment.
pub(super) fn loss(check: &Check<'_>, trace: &mut GateTrace) -> GateResult {
    let exact = &check.fund.exact;
    if !exact.any_loss() {
        return off(trace, Gate::Loss);
    }
    let Some(baselines) = &check.fund_state.baselines else {
        let message = format!(
            "fund {} has no value yet to measure losses against; begin a trading day first",
            check.order.fund_id
        );
        return Err(reject(Gate::Loss, RejectCode::NoLossBaseline, None, None, message));
    };
    if let Some(cause) = reached(baselines, check.nav, exact).next() {
        let message = format!(
            "{}: loss {} reached its limit {}",
            cause.code,
            short(cause.observed.unwrap_or_default()),
            short(cause.limit.unwrap_or_default())
        );
        return Err(reject(Gate::Loss, cause.code, cause.limit, cause.observed, message));
    }
    if trace.is_on() {
        if let Some(limit) = exact.daily_loss_money {
            trace.compared(Gate::Loss, baselines.day - check.nav, limit);
        }
        for (baseline, limit) in [
            (baselines.day, exact.daily_loss),
            (baselines.week, exact.weekly_loss),
            (baselines.month, exact.monthly_loss),
            (baselines.high_water, exact.drawdown),
        ] {
            if let (Some(limit), true) = (limit, baseline > Decimal::ZERO) {
                let observed = (baseline - check.nav).checked_div(baseline).unwrap_or_default();
                trace.compared(Gate::Loss, observed, limit);
            }
        }
    }
    pass(trace, Gate::Loss)
}
