//! Incidents of a run: what a person should look at.

use crate::run_folder::Replayed;
use mts_foundation::event::Event;
use mts_foundation::{OrderId, StrategyId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// Code of the kill switch among incidents.
const KILLED: &str = "KILLED";

/// One incident, as a line of `incidents.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Incident {
    /// Number of the input that it followed from; `mts replay --until` goes there.
    pub(crate) sequence: u64,
    /// When, in the time of the run.
    pub(crate) time: Timestamp,
    /// Stable code; `KILLED` is the kill switch.
    pub(crate) code: String,
    /// What happened and what to do.
    pub(crate) message: String,
    /// Order it concerns.
    pub(crate) order_id: Option<OrderId>,
    /// Strategy it concerns.
    pub(crate) strategy_id: Option<StrategyId>,
}

/// The incidents that followed from an input.
pub(crate) fn incidents(step: &Replayed<'_>) -> impl Iterator<Item = Incident> {
    step.output.events.iter().filter_map(|event| {
        let (code, message, order_id, strategy_id) = match event {
            Event::Incident { code, message, order_id, strategy_id, .. } => {
                (code.as_str(), message, order_id.clone(), strategy_id.clone())
            }
            Event::Killed { reason, .. } => (KILLED, reason, None, None),
            _ => return None,
        };
        let (sequence, time) = (step.sequence, step.input.time());
        Some(Incident {
            sequence,
            time,
            code: code.to_owned(),
            message: message.clone(),
            order_id,
            strategy_id,
        })
    })
}

impl Incident {
    /// What [`Incident::cells`] are.
    pub(crate) const HEADER: [&str; 5] = ["input", "when", "code", "order", "what"];

    /// A row of a table.
    pub(crate) fn cells(&self) -> Vec<String> {
        let order = self.order_id.as_ref().map(ToString::to_string).unwrap_or_default();
        vec![self.sequence.to_string(), self.time.to_string(), self.code.clone(), order, self.message.clone()]
    }
}
