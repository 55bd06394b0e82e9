//! What happens to the machine: days, marks, fills, halts, resumes, envelopes, and what trips of it.

use super::{RiskPipeline, refusal};
use crate::check::short;
use crate::envelopes::loosens;
use crate::limits::ExactLimits;
use crate::loss::reached;
use crate::state::{Baselines, Killed, RiskState};
use crate::stops;
use mts_foundation::risk::{
    HaltCause, HaltMode, HaltRequest, HaltScope, LossResponse, Rebased, ResumeRequest, RiskAction, RiskEvent,
    RiskRefusal,
};
use mts_foundation::{ActorId, Decimal, FundId, Ledger, RiskEnvelope, Symbol, Timestamp};

impl RiskPipeline {
    /// As [`RiskMachine::apply`](mts_foundation::RiskMachine::apply).
    pub(super) fn hear(
        &mut self,
        event: &RiskEvent,
        ledger: &Ledger,
        now: Timestamp,
        actions: &mut Vec<RiskAction>,
    ) -> Result<(), RiskRefusal> {
        match event {
            RiskEvent::DayRolled { date } => {
                if self.state.trading_day.is_some_and(|day| *date <= day) {
                    // The same day again, or an earlier one, is no new day: no counter begins anew.
                    return Ok(());
                }
                if self.state.funds.keys().all(|fund_id| ledger.fund(fund_id).is_none()) {
                    // Nothing has a value yet: the day begins when something has.
                    return Ok(());
                }
                let old = self.state.trading_day.replace(*date);
                for (fund_id, state) in &mut self.state.funds {
                    let Some(nav) = Self::nav(ledger, fund_id) else { continue };
                    match (&mut state.baselines, old) {
                        (Some(baselines), Some(old)) => baselines.rolled(old, *date, nav),
                        (slot, _) => *slot = Some(Baselines::at(nav)),
                    }
                    // A stop that was reached and did not end its position is tried again on the next day.
                    state.stopped.clear();
                }
                Ok(())
            }
            RiskEvent::Marked { symbol } => {
                self.evaluate(None, symbol.as_ref(), ledger, now, actions);
                Ok(())
            }
            RiskEvent::Filled { fund_id, symbol, .. } => {
                self.evaluate(Some(fund_id), Some(symbol), ledger, now, actions);
                Ok(())
            }
            RiskEvent::Flowed { fund_id, amount } => {
                if let Some(baselines) =
                    self.state.funds.get_mut(fund_id).and_then(|state| state.baselines.as_mut())
                {
                    baselines.flowed(*amount);
                }
                Ok(())
            }
            RiskEvent::Halt(halt) => {
                // A wider mode replaces a narrower one; the same halt again changes nothing.
                let stronger = match self.state.halts.get(&halt.scope) {
                    Some(old) => old.mode == HaltMode::ReduceOnly && halt.mode == HaltMode::Full,
                    None => true,
                };
                if stronger {
                    // In force from now on, whatever the request says: delays are measured from it.
                    let mut halt = HaltRequest { timestamp: now, ..halt.clone() };
                    if let Some(old) = self.state.halts.get(&halt.scope) {
                        // The limits that tripped stay known to whoever resumes.
                        halt.causes.splice(0..0, old.causes.iter().copied());
                    }
                    self.state.halts.insert(halt.scope.clone(), halt.clone());
                    actions.push(RiskAction::Halted(halt));
                }
                Ok(())
            }
            RiskEvent::Resume(request) => self.resume(request, ledger, now, actions),
            RiskEvent::Kill { reason, actor } => {
                if self.state.killed.is_none() {
                    let (reason, actor) = (reason.clone(), actor.clone());
                    actions.push(RiskAction::Killed { reason: reason.clone(), actor: actor.clone() });
                    self.state.killed = Some(Killed { reason, actor, time: now, causes: Vec::new() });
                }
                Ok(())
            }
            RiskEvent::EnvelopeUpdated(envelope) => self.update_envelope(envelope, actions),
        }
    }

    fn nav(ledger: &Ledger, fund_id: &FundId) -> Option<Decimal> {
        ledger.fund(fund_id).map(mts_foundation::FundBook::nav)
    }

    /// Looks at every fund, or at one: synthetic stops, the high-water mark, loss limits.
    fn evaluate(
        &mut self,
        only: Option<&FundId>,
        symbol: Option<&Symbol>,
        ledger: &Ledger,
        now: Timestamp,
        actions: &mut Vec<RiskAction>,
    ) {
        let Self { funds, state: RiskState { funds: states, halts, killed, .. }, .. } = self;
        for (fund_id, state) in states.iter_mut().filter(|(id, _)| only.is_none_or(|only| *id == only)) {
            let (Some(fund), Some(book)) = (funds.get(fund_id), ledger.fund(fund_id)) else { continue };
            stops::evaluate(fund_id, book, fund.exact.synthetic_stop, symbol, &mut state.stopped, actions);
            let Some(baselines) = &mut state.baselines else { continue };
            let nav = book.nav();
            baselines.high_water = baselines.high_water.max(nav);
            let Some(first) = reached(baselines, nav, &fund.exact).next() else { continue };
            let causes = || reached(baselines, nav, &fund.exact).collect();
            let Ok(requested_by) = ActorId::new("riskengine") else { continue };
            let trip = Trip { cause: first, requested_by, now };
            match fund.exact.loss_response {
                LossResponse::KillSwitch if killed.is_none() => {
                    *killed = Some(trip.kill(fund_id, causes(), actions));
                }
                LossResponse::HaltFund if !halts.contains_key(&HaltScope::Fund(fund_id.clone())) => {
                    let halt = trip.halt(fund_id, causes(), actions);
                    halts.insert(halt.scope.clone(), halt);
                }
                LossResponse::KillSwitch | LossResponse::HaltFund => {}
            }
        }
    }

    fn resume(
        &mut self,
        request: &ResumeRequest,
        ledger: &Ledger,
        now: Timestamp,
        actions: &mut Vec<RiskAction>,
    ) -> Result<(), RiskRefusal> {
        let (since, causes): (Timestamp, Vec<(FundId, HaltCause)>) = match &request.scope {
            None => {
                let killed = self.state.killed.as_ref();
                let killed =
                    killed.ok_or_else(|| refusal("the kill switch is not on; there is nothing to resume"))?;
                (killed.time, killed.causes.clone())
            }
            Some(scope) => {
                let halt = self.state.halts.get(scope);
                let halt = halt
                    .ok_or_else(|| refusal(format!("{scope} is not halted; there is nothing to resume")))?;
                // Only funds have limits that trip.
                let causes = match scope {
                    HaltScope::Fund(id) => halt.causes.iter().map(|cause| (id.clone(), *cause)).collect(),
                    HaltScope::Firm | HaltScope::Strategy(_) => Vec::new(),
                };
                (halt.timestamp, causes)
            }
        };
        self.operators.allows(request, since, now)?;
        let mut rebased = Vec::new();
        for (fund_id, cause) in causes {
            let state = self.state.funds.get_mut(&fund_id);
            if let (Some(baselines), Some(new)) =
                (state.and_then(|state| state.baselines.as_mut()), Self::nav(ledger, &fund_id))
                && let Some(old) = baselines.rebase(cause.code, new)
            {
                rebased.push(Rebased { fund_id, code: cause.code, old, new });
            }
        }
        match &request.scope {
            None => self.state.killed = None,
            Some(scope) => {
                self.state.halts.remove(scope);
            }
        }
        actions.push(RiskAction::Resumed { request: request.clone(), rebased });
        Ok(())
    }

    fn update_envelope(
        &mut self,
        envelope: &RiskEnvelope,
        actions: &mut Vec<RiskAction>,
    ) -> Result<(), RiskRefusal> {
        let fund_id = &envelope.fund_id;
        let halted = self.state.killed.is_some()
            || self.state.halts.keys().any(|scope| match scope {
                HaltScope::Firm => true,
                HaltScope::Fund(id) => id == fund_id,
                HaltScope::Strategy(_) => false,
            });
        let (Some(fund), Some(state)) = (self.funds.get_mut(fund_id), self.state.funds.get_mut(fund_id))
        else {
            return Err(refusal(format!("fund {fund_id} is not known here")));
        };
        let Some(current) = &state.envelope else {
            return Err(refusal(format!(
                "fund {fund_id} has no envelope; its limits are those of its configuration"
            )));
        };
        let wanted = current.version.saturating_add(1);
        if envelope.version != wanted {
            return Err(refusal(format!(
                "the envelope has version {}; an update of version {} carries {wanted}",
                envelope.version, current.version
            )));
        }
        let exact = ExactLimits::new(&fund.config, Some(envelope), &fund.limits)
            .map_err(|faults| refusal(faults.to_string()))?;
        if halted && loosens(current, envelope) {
            return Err(refusal("an envelope is not loosened during a halt; resume first, then loosen"));
        }
        fund.exact = exact;
        state.envelope = Some(envelope.clone());
        actions.push(RiskAction::EnvelopeUpdated(Box::new(envelope.clone())));
        Ok(())
    }
}

/// A loss limit that tripped.
struct Trip {
    cause: HaltCause,
    requested_by: ActorId,
    now: Timestamp,
}

impl Trip {
    fn reason(&self) -> String {
        format!(
            "{}: loss {} reached its limit {}",
            self.cause.code,
            short(self.cause.observed.unwrap_or_default()),
            self.cause.limit.unwrap_or_default()
        )
    }

    fn kill(self, fund_id: &FundId, causes: Vec<HaltCause>, actions: &mut Vec<RiskAction>) -> Killed {
        let reason = format!("fund {fund_id}: {}", self.reason());
        let causes = causes.into_iter().map(|cause| (fund_id.clone(), cause)).collect();
        actions.push(RiskAction::Killed { reason: reason.clone(), actor: self.requested_by.clone() });
        Killed { reason, actor: self.requested_by, time: self.now, causes }
    }

    fn halt(self, fund_id: &FundId, causes: Vec<HaltCause>, actions: &mut Vec<RiskAction>) -> HaltRequest {
        let halt = HaltRequest {
            scope: HaltScope::Fund(fund_id.clone()),
            mode: HaltMode::ReduceOnly,
            reason: self.reason(),
            causes,
            requested_by: self.requested_by,
            timestamp: self.now,
        };
        actions.push(RiskAction::Halted(halt.clone()));
        halt
    }
}
