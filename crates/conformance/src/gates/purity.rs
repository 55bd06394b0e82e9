//! The same question, the same answer: asked again, elsewhere, by others, at another time.

use super::answer::{Answer, Subject};
use super::{Question, Suite, SuiteError};
use crate::gates::sets::Questions;
use mts_foundation::Timestamp;
use std::time::Duration;

/// How often a question is asked in a row.
const IN_A_ROW: usize = 3;

/// How long the suite waits before it asks once more, for gates that forget or expire.
const PAUSE: Duration = Duration::from_millis(50);

/// How many threads ask at once.
const THREADS: usize = 4;

/// Names that an order may have, of several endings and lengths.
const NAMES: [&str; 6] = ["a", "b", "order-0", "order-1", "2f9c", "the-seventeenth-order-of-the-day"];

/// A question with the answer of an instance that was asked nothing else.
pub(super) type Known<'q> = (&'q Question, Answer);

fn differs(question: &Question, first: &Answer, later: &Answer, when: &str) -> Option<String> {
    let name = &question.name;
    (first != later).then(|| format!("{name}: {first}; {when}: {later}"))
}

/// GATE-02: one instance, whatever it was asked before.
pub(super) fn steady(suite: &Suite<'_>, known: &[Known<'_>]) -> Vec<String> {
    let gate = (suite.make)();
    let mut faults = Vec::new();
    let mut firsts = Vec::with_capacity(known.len());
    for (question, _) in known {
        let first = gate.ask(question);
        let mut again = (1..IN_A_ROW).map(|_| gate.ask(question));
        faults.extend(again.find_map(|later| differs(question, &first, &later, "asked again")));
        firsts.push((question, first));
    }
    for (question, first) in firsts.iter().rev() {
        faults.extend(differs(question, first, &gate.ask(question), "asked after others"));
    }
    std::thread::sleep(PAUSE);
    for (question, first) in &firsts {
        faults.extend(differs(question, first, &gate.ask(question), "asked a moment later"));
    }
    faults
}

/// GATE-03: instances agree.
pub(super) fn instances(suite: &Suite<'_>, known: &[Known<'_>]) -> Vec<String> {
    let gate = (suite.make)();
    known
        .iter()
        .filter_map(|(question, answer)| differs(question, answer, &gate.ask(question), "another instance"))
        .collect()
}

/// GATE-04: several threads at once.
pub(super) fn threads(suite: &Suite<'_>, known: &[Known<'_>]) -> Vec<String> {
    let gate = (suite.make)();
    let gate: &dyn Subject = &*gate;
    let ask = |from: usize| {
        // Each thread begins elsewhere, so that they meet in different questions.
        let turned = known.iter().cycle().skip(from).take(known.len());
        let faults = turned.filter_map(|(question, answer)| {
            differs(question, answer, &gate.ask(question), "asked from another thread")
        });
        faults.collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let step = known.len() / THREADS;
        let asking: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || ask(thread * step))).collect();
        let told = |thread: std::thread::ScopedJoinHandle<'_, Vec<String>>| {
            thread
                .join()
                .unwrap_or_else(|_| vec!["a thread that asked it died; make it safe to share".to_owned()])
        };
        asking.into_iter().flat_map(told).collect()
    })
}

/// GATE-05: the same questions on another day, all times moved alike. Years of 28 repeat weekdays and dates, so whoever
/// looks at the context alone cannot tell.
pub(super) fn years(
    suite: &Suite<'_>,
    known: &[Known<'_>],
    others: &[Timestamp],
) -> Result<Vec<String>, SuiteError> {
    let gate = (suite.make)();
    let mut faults = Vec::new();
    for opened in others {
        let moved = Questions::new(*opened, &suite.own)?;
        // Both lists are made by the same function, so names find their like; those that are extreme in time have none.
        let mut moved = moved.kinds.iter();
        for (question, answer) in known {
            let Some(twin) = moved.find(|twin| twin.name == question.name) else { break };
            let later = gate.ask(twin);
            if !answer.same_verdict(&later) {
                let year = opened.to_datetime().format("%Y");
                faults.push(format!(
                    "{}: {answer}; with all times moved to {year}: {later}; read the time from the context alone, or \
                     declare knows_dates() for a table of dates",
                    question.name
                ));
            }
        }
    }
    Ok(faults)
}

/// GATE-06: what the order is called changes nothing.
pub(super) fn names(suite: &Suite<'_>, known: &[Known<'_>]) -> Result<Vec<String>, SuiteError> {
    let gate = (suite.make)();
    let mut faults = Vec::new();
    for (question, answer) in known {
        for name in NAMES {
            let twin = question.with_order(question.name.as_str(), |order| {
                order.order_id(name).idempotency_key(format!("key-of-{name}"))
            })?;
            let later = gate.ask(&twin);
            if !answer.same_verdict(&later) {
                faults.push(format!("{}: {answer}; as order {name}: {later}", question.name));
                break;
            }
        }
    }
    Ok(faults)
}
