//! Asynchronous gates: of one order one after the other, the first that refuses decides; of many orders at a time. Who gives no
//! answer in time, or panics, lets nothing pass; an advisory gate must answer for itself before that (decision R10).

use super::lanes::Message;
use crate::input::GateAnswer;
use crate::output::GateQuestion;
use mts_foundation::risk::{DynAsyncRiskGate, Gate, RejectCode, Rejection};
use mts_foundation::{Clock, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// Questions that may wait.
const QUEUE: usize = 1_024;

/// Orders that are asked about at one time.
const UNDER_WAY: usize = 64;

/// Failures of one answer that are told.
const MAX_FAILURES: usize = 16;

/// Longest sentence of a gate that is taken over, in characters.
const LONGEST_MESSAGE: usize = 500;

/// The gates of an engine.
pub(super) type Gates = Arc<[Arc<dyn DynAsyncRiskGate>]>;

/// A question and when it was asked.
type Asked = (Box<GateQuestion>, Timestamp);

/// The queue to the gates.
#[derive(Debug)]
pub(super) struct Questions(mpsc::Sender<Asked>);

/// Starts the task that asks.
pub(super) fn start(
    gates: Gates,
    deadline: Duration,
    clock: Arc<dyn Clock>,
    lane: mpsc::Sender<Message>,
) -> Questions {
    let (questions, queue) = mpsc::channel(QUEUE);
    tokio::spawn(ask(gates, queue, deadline, clock, lane));
    Questions(questions)
}

impl Questions {
    /// Hands over a question without waiting. A full queue is answered at once.
    pub(super) fn hand_over(&self, question: Box<GateQuestion>, now: Timestamp) -> Result<(), Message> {
        self.0.try_send((question, now)).map_err(|refused| {
            let (question, _) = refused.into_inner();
            Message::GateAnswered {
                order_id: question.order.order_id.clone(),
                answer: unanswered("too many orders wait for the asynchronous gates; send slower".to_owned()),
                failures: Vec::new(),
                took: Duration::ZERO,
            }
        })
    }
}

async fn ask(
    gates: Gates,
    mut queue: mpsc::Receiver<Asked>,
    deadline: Duration,
    clock: Arc<dyn Clock>,
    lane: mpsc::Sender<Message>,
) {
    let room = Arc::new(Semaphore::new(UNDER_WAY));
    while let Some((question, asked)) = queue.recv().await {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (gates, clock, lane) = (Arc::clone(&gates), Arc::clone(&clock), lane.clone());
        tokio::spawn(async move {
            let order_id = question.order.order_id.clone();
            // What waited for its turn has less time left.
            let left = deadline.saturating_sub(clock.now().since(asked));
            let (answer, failures) = ask_all(&gates, question.into(), left, deadline).await;
            let took = clock.now().since(asked);
            // Nobody takes answers once the engine has stopped.
            lane.send(Message::GateAnswered { order_id, answer, failures, took }).await.ok();
            drop(permit);
        });
    }
}

/// What the gates say together, and what went wrong and let the order pass all the same.
async fn ask_all(
    gates: &[Arc<dyn DynAsyncRiskGate>],
    question: Arc<GateQuestion>,
    left: Duration,
    deadline: Duration,
) -> (GateAnswer, Vec<String>) {
    let mut failures = Vec::new();
    let until = tokio::time::sleep(left);
    tokio::pin!(until);
    for gate in gates {
        let (asked, question) = (Arc::clone(gate), Arc::clone(&question));
        // On a task of its own, so that a panic ends the gate's answer and nothing else.
        let mut task = tokio::spawn(async move {
            let GateQuestion { order, envelope, context } = &*question;
            let answer = asked.check(order, envelope.as_ref(), context).await;
            (answer, asked.take_failures())
        });
        let answer = tokio::select! {
            biased;
            answer = &mut task => answer,
            () = &mut until => {
                task.abort();
                let why = format!("gave no answer within {} s", deadline.as_secs_f64());
                return (unanswered(nothing_passes(&**gate, &why)), failures);
            }
        };
        match answer {
            Ok((answer, failed)) => {
                note(&mut failures, failed);
                if let Err(mut rejection) = answer {
                    clip(&mut rejection.message);
                    return (GateAnswer::Refused(rejection), failures);
                }
            }
            Err(_) => return (unanswered(nothing_passes(&**gate, "panicked")), failures),
        }
    }
    (GateAnswer::Passed, failures)
}

fn nothing_passes(gate: &dyn DynAsyncRiskGate, why: &str) -> String {
    format!("gate {} {why}; nothing that it is asked about passes; repair it", gate.name())
}

fn unanswered(mut message: String) -> GateAnswer {
    clip(&mut message);
    let (gate, code) = (Gate::Veto, RejectCode::GateUnanswered);
    GateAnswer::Refused(Box::new(Rejection { gate, code, limit: None, observed: None, message }))
}

/// Keeps what is told of failures, up to the bound.
fn note(failures: &mut Vec<String>, failed: Vec<String>) {
    let room = MAX_FAILURES.saturating_sub(failures.len());
    failures.extend(failed.into_iter().take(room).map(|mut failure| {
        clip(&mut failure);
        failure
    }));
}

fn clip(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST_MESSAGE) {
        text.truncate(end);
    }
}
