//! Halts, resumes, the kill switch and new envelopes of a run: who, when and why.

use mts_engine::{Input, OperatorAct, Output};
use mts_foundation::event::Event;
use mts_foundation::{ActorId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// One act that took effect, by a person or by the risk machine.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Operation {
    /// When, in the time of the run.
    pub(crate) time: Timestamp,
    /// Who; empty where the risk machine acted by itself without a name.
    pub(crate) by: Vec<ActorId>,
    /// Why.
    pub(crate) reason: String,
    /// What.
    pub(crate) event: Event,
}

/// The acts among what followed from an input.
pub(crate) fn operations<'a>(
    input: &'a Input,
    output: &'a Output,
) -> impl Iterator<Item = Operation> + use<'a> {
    let act = match input {
        Input::Operator { act, .. } => Some(act),
        _ => None,
    };
    output.events.iter().filter_map(move |event| {
        let (by, reason) = match (event, act) {
            (Event::HaltRequested(halt), _) => (vec![halt.requested_by.clone()], halt.reason.clone()),
            (Event::HaltResumed { request, .. }, _) => (request.operators.clone(), request.reason.clone()),
            (Event::Killed { reason, .. }, Some(OperatorAct::Kill { actor, .. })) => {
                (vec![actor.clone()], reason.clone())
            }
            (Event::Killed { reason, .. }, _) => (Vec::new(), reason.clone()),
            (Event::EnvelopeUpdated(_), Some(OperatorAct::UpdateEnvelope { actor, reason, .. })) => {
                (vec![actor.clone()], reason.clone())
            }
            _ => return None,
        };
        Some(Operation { time: input.time(), by, reason, event: event.clone() })
    })
}

impl Operation {
    /// What was done, for people.
    pub(crate) fn what(&self) -> String {
        match &self.event {
            Event::HaltRequested(halt) => format!("{} is halted ({})", halt.scope, halt.mode),
            Event::HaltResumed { request, rebased } => {
                let scope = request.scope.as_ref().map_or("the kill switch".to_owned(), ToString::to_string);
                let limits: Vec<_> = rebased.iter().map(|limit| limit.code.as_str()).collect();
                let anew =
                    if limits.is_empty() { String::new() } else { format!(", {} anew", limits.join(", ")) };
                format!("{scope} is resumed{anew}")
            }
            Event::Killed { .. } => "the kill switch is on".to_owned(),
            Event::EnvelopeUpdated(envelope) => {
                format!("envelope {} has version {}", envelope.envelope_id, envelope.version)
            }
            _ => String::new(),
        }
    }

    /// Who did it, for people.
    pub(crate) fn who(&self) -> String {
        let names: Vec<_> = self.by.iter().map(ActorId::as_str).collect();
        if names.is_empty() { "the risk machine".to_owned() } else { names.join(", ") }
    }
}
