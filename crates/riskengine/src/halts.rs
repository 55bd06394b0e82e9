//! Halts: who may ask, who may end them.

use crate::check::reject;
use mts_foundation::risk::{
    Gate, HaltMode, HaltRequest, HaltScope, HaltSeverity, RejectCode, Rejection, ResumeRequest, RiskRefusal,
};
use mts_foundation::{ActorId, FundId, StrategyId, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// Who may resume (decision R9).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorPolicy {
    /// Operators known to the configuration.
    pub operators: Vec<ActorId>,
    /// One operator suffices for funds, the firm and the kill switch, once [`Self::single_operator_delay`] is over.
    pub single_operator: bool,
    /// How long after the halt one operator alone may end it; two need not wait.
    pub single_operator_delay: Duration,
}

impl OperatorPolicy {
    /// Whether these operators may end, at `now`, what has been in force since `since`.
    pub(crate) fn allows(
        &self,
        request: &ResumeRequest,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<(), RiskRefusal> {
        let refuse = |message: String| Err(RiskRefusal { message });
        if request.reason.trim().is_empty() {
            return refuse("a resume needs a reason; say why the danger is over".to_owned());
        }
        let mut known: Vec<&ActorId> = Vec::new();
        for operator in &request.operators {
            if !self.operators.contains(operator) {
                return refuse(format!("{operator} is no operator; add it to operator.operators"));
            }
            if !known.contains(&operator) {
                known.push(operator);
            }
        }
        let narrow = matches!(request.scope.as_ref().map(HaltScope::severity), Some(HaltSeverity::Strategy));
        let needed = if narrow || self.single_operator { 1 } else { 2 };
        let scope = || request.scope.as_ref().map_or("the kill switch".to_owned(), ToString::to_string);
        if known.len() < needed {
            return refuse(format!(
                "resuming {} needs {needed} different operators, {} agreed; name more, or set operator.single_operator",
                scope(),
                known.len()
            ));
        }
        let earliest = since.plus(self.single_operator_delay);
        if !narrow && known.len() < 2 && now < earliest {
            return refuse(format!(
                "one operator alone may resume {} from {earliest} on; wait, or name a second operator",
                scope()
            ));
        }
        Ok(())
    }
}

/// The halt that concerns this order, the widest first.
pub(crate) fn in_force<'a>(
    halts: &'a BTreeMap<HaltScope, HaltRequest>,
    fund: &FundId,
    strategy: &StrategyId,
) -> Option<&'a HaltRequest> {
    if halts.is_empty() {
        return None;
    }
    // Few halts are ever in force; looking at each costs no allocation, building a key would.
    let find = |severity: HaltSeverity| {
        halts.values().find(|halt| match (&halt.scope, severity) {
            (HaltScope::Firm, HaltSeverity::Firm) => true,
            (HaltScope::Fund(id), HaltSeverity::Fund) => id == fund,
            (HaltScope::Strategy(id), HaltSeverity::Strategy) => id == strategy,
            _ => false,
        })
    };
    let all = [HaltSeverity::Firm, HaltSeverity::Fund, HaltSeverity::Strategy];
    // A full halt beats a reduce-only one, whatever their scopes.
    let full = all.iter().find_map(|severity| find(*severity).filter(|halt| halt.mode == HaltMode::Full));
    full.or_else(|| all.iter().find_map(|severity| find(*severity)))
}

/// The refusal of an order that meets a halt.
pub(crate) fn halted(halt: &HaltRequest) -> Box<Rejection> {
    let code = match halt.scope {
        HaltScope::Strategy(_) => RejectCode::StrategyHalted,
        HaltScope::Fund(_) => RejectCode::FundHalted,
        HaltScope::Firm => RejectCode::FirmHalted,
    };
    let message = format!("{} is halted since {}: {}", halt.scope, halt.timestamp, halt.reason);
    reject(Gate::Halts, code, None, None, message)
}
