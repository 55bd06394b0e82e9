//! Halts: who may ask, who may end them.

use mts_foundation::risk::{HaltMode, HaltScope, HaltSeverity, ResumeRequest, RiskRefusal};
use mts_foundation::{ActorId, FundId, StrategyId};
use std::collections::BTreeMap;

use mts_foundation::risk::HaltRequest;

/// Who may resume (decision R9).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorPolicy {
    /// Operators known to the configuration.
    pub operators: Vec<ActorId>,
    /// One operator suffices for funds and the firm.
    pub single_operator: bool,
}

impl OperatorPolicy {
    /// Whether these operators may end this halt.
    pub(crate) fn allows(&self, request: &ResumeRequest) -> Result<(), RiskRefusal> {
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
        if known.len() < needed {
            let scope = request.scope.as_ref().map_or("the kill switch".to_owned(), ToString::to_string);
            return refuse(format!(
                "resuming {scope} needs {needed} different operators, {} agreed; name more, or set operator.single_operator",
                known.len()
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
