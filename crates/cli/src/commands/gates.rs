//! How gates answered, as lines.

use mts_foundation::Decimal;
use mts_foundation::risk::{GateOutcome, GateTrace, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct GateLine {
    pub(crate) number: u8,
    pub(crate) gate: String,
    #[serde(flatten)]
    pub(crate) outcome: GateOutcome,
}

/// One line a gate, in pipeline order.
pub(crate) fn lines(trace: &GateTrace) -> Vec<GateLine> {
    trace
        .iter()
        .map(|(gate, outcome)| GateLine { number: gate.number(), gate: gate.to_string(), outcome: *outcome })
        .collect()
}

impl GateLine {
    /// Number, name, verdict, observed value and limit.
    pub(crate) fn cells(&self) -> Vec<String> {
        let text = |value: Option<Decimal>| value.map(short).unwrap_or_default();
        vec![
            self.number.to_string(),
            self.gate.clone(),
            verdict(self.outcome.verdict).to_owned(),
            text(self.outcome.observed),
            text(self.outcome.limit),
        ]
    }
}

/// A number for people: cents above one, six places below.
pub(crate) fn short(value: Decimal) -> String {
    let digits = if value.abs() < Decimal::ONE { 6 } else { 2 };
    value.round_dp(digits).normalize().to_string()
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NotReached => "not reached",
        Verdict::Off => "off",
        Verdict::Exempt => "exempt",
        Verdict::Pass => "pass",
        Verdict::Reject => "REJECT",
    }
}
