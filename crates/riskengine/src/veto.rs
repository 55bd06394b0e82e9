//! Gate 25, the advisory veto: somebody else's opinion of an order, asked over HTTP.

use bytes::Bytes;
use mts_foundation::io::{DynHttpClient, RequestOptions};
use mts_foundation::num::as_written;
use mts_foundation::risk::{AsyncRiskGate, Gate, OrderContext, RejectCode, Rejection};
use mts_foundation::{Order, RiskEnvelope};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Largest answer that is read.
const MAX_ANSWER: usize = 64 << 10;

/// Failures that wait to be published; older ones give way.
const MAX_FAILURES: usize = 64;

/// Longest reason that is taken over.
const MAX_REASON: usize = 400;

/// Posts every order that opens or grows a position, its envelope and its context to an endpoint, and reads `{"verdict":
/// "veto" | "pass", "confidence": 0 to 1, "reason": "…"}`. Off unless the envelope has `cro_veto_enabled`. A veto counts from
/// `cro_veto_confidence_threshold` on. Advisory: no answer within `cro_veto_timeout_s`, or none that can be understood, lets the
/// order pass and is told as a failure (decision R10).
pub struct CroVeto {
    client: Arc<dyn DynHttpClient>,
    endpoint: http::Uri,
    failures: Mutex<VecDeque<String>>,
}

impl std::fmt::Debug for CroVeto {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("CroVeto").field("endpoint", &self.endpoint.host()).finish_non_exhaustive()
    }
}

/// What is posted.
#[derive(Debug, Serialize)]
struct Question<'a> {
    order: &'a Order,
    envelope: &'a RiskEnvelope,
    context: &'a OrderContext,
}

/// What comes back.
#[derive(Debug, Deserialize)]
struct Answer {
    verdict: Word,
    confidence: f64,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Veto,
    Pass,
}

impl CroVeto {
    /// A veto that is asked at `endpoint`.
    pub fn new(client: Arc<dyn DynHttpClient>, endpoint: http::Uri) -> Self {
        Self { client, endpoint, failures: Mutex::default() }
    }

    async fn ask(
        &self,
        order: &Order,
        envelope: &RiskEnvelope,
        context: &OrderContext,
    ) -> Result<Answer, String> {
        let body = serde_json::to_vec(&Question { order, envelope, context })
            .map_err(|error| format!("the question cannot be written: {error}"))?;
        let request = http::Request::post(self.endpoint.clone())
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body))
            .map_err(|error| format!("the endpoint cannot be used: {error}"))?;
        let options = RequestOptions {
            deadline: Duration::try_from_secs_f64(envelope.cro_veto_timeout_s)
                .map_err(|error| format!("cro_veto_timeout_s is no time: {error}"))?,
            max_response_bytes: MAX_ANSWER,
            ..RequestOptions::default()
        };
        let response = self.client.send(request, &options).await.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(format!("the endpoint answered {}", response.status()));
        }
        let answer: Answer = serde_json::from_slice(response.body())
            .map_err(|error| format!("the answer cannot be understood: {error}"))?;
        if !(0.0..=1.0).contains(&answer.confidence) {
            return Err(format!("the confidence is {}; it must be 0 to 1", answer.confidence));
        }
        Ok(answer)
    }

    fn failed(&self, order: &Order, why: &str) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MAX_FAILURES {
            failures.pop_front();
        }
        failures.push_back(format!("order {} passes without an opinion: {why}", order.order_id));
    }
}

impl AsyncRiskGate for CroVeto {
    fn name(&self) -> &str {
        "cro_veto"
    }

    async fn check(
        &self,
        order: &Order,
        envelope: Option<&RiskEnvelope>,
        context: &OrderContext,
    ) -> Result<(), Box<Rejection>> {
        let Some(envelope) = envelope.filter(|envelope| envelope.cro_veto_enabled) else { return Ok(()) };
        let answer = match self.ask(order, envelope, context).await {
            Ok(answer) => answer,
            Err(why) => {
                self.failed(order, &why);
                return Ok(());
            }
        };
        if answer.verdict == Word::Pass || answer.confidence < envelope.cro_veto_confidence_threshold {
            return Ok(());
        }
        let reason: String =
            answer.reason.chars().filter(|letter| !letter.is_control()).take(MAX_REASON).collect();
        Err(Box::new(Rejection {
            gate: Gate::Veto,
            code: RejectCode::Vetoed,
            limit: as_written(envelope.cro_veto_confidence_threshold),
            observed: as_written(answer.confidence),
            message: format!("vetoed with confidence {}: {reason}", answer.confidence),
        }))
    }

    fn take_failures(&self) -> Vec<String> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}
