//! X: what is said of an order when the answer is lost, late, cut or wrong.

use super::probe::{Probe, expect};
use super::stage::{QUIET, Stage, within};
use super::stop::{Step, Stop};
use mts_foundation::broker::{OrderRef, SubmitOutcome};
use mts_foundation::double::{Act, Call, CallFault, DoubleOrder, WrongAnswer};
use mts_foundation::{BrokerOrderId, Order, OrderState};
use std::time::Duration;

/// What may be said after a fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct May {
    /// Proven never to have left.
    not_sent: bool,
    /// Refused by the venue.
    rejected: bool,
    /// May or may not be live.
    unknown: bool,
    /// Taken; only where the venue has it.
    accepted: bool,
}

/// Neither confirmed nor refused, or the truth.
pub(super) const UNCLEAR: May = May { not_sent: false, rejected: false, unknown: true, accepted: true };
/// Never read: unclear, or proven not to have left.
pub(super) const NOT_LEFT: May = May { not_sent: true, rejected: false, unknown: true, accepted: false };
/// Refused, in whatever words.
pub(super) const REFUSED: May = May { not_sent: false, rejected: true, unknown: true, accepted: false };
/// Not let in, which says nothing about the order; or let in after a new login.
pub(super) const NOT_LET_IN: May = May { not_sent: true, rejected: true, unknown: true, accepted: true };
/// Asked to come again: the venue says itself that it has not acted.
pub(super) const LATER: May = May { not_sent: true, rejected: true, unknown: true, accepted: true };
/// Taken, without doubt.
pub(super) const TAKEN: May = May { not_sent: false, rejected: false, unknown: false, accepted: true };

/// What is wrong with an outcome, given the orders that the call made at the venue.
fn wrong(may: May, outcome: &SubmitOutcome, made: &[DoubleOrder]) -> Option<&'static str> {
    let live = made.iter().any(|order| order.state != OrderState::Rejected);
    let has = |id: Option<&BrokerOrderId>| made.iter().any(|order| Some(&order.id) == id);
    match outcome {
        _ if made.len() > 1 => Some("one call made several orders"),
        SubmitOutcome::Accepted(order) if !has(order.broker_order_id.as_ref()) => {
            Some("accepted, and the venue has no such order")
        }
        SubmitOutcome::Rejected { .. } if live => Some("rejected, and the order is live"),
        SubmitOutcome::NotSent { .. } if live => Some("not sent, and the order is live"),
        SubmitOutcome::Accepted(_) if !may.accepted => Some("nothing was heard that says so"),
        SubmitOutcome::Rejected { .. } if !may.rejected => Some("the venue said nothing about this order"),
        SubmitOutcome::NotSent { .. } if !may.not_sent => Some("the request had left; it is unknown"),
        SubmitOutcome::Unknown { .. } if !may.unknown => Some("the answer says clearly that it was taken"),
        SubmitOutcome::Rejected { reason }
        | SubmitOutcome::NotSent { reason }
        | SubmitOutcome::Unknown { cause: reason }
            if reason.trim().is_empty() =>
        {
            Some("without a word why")
        }
        _ => None,
    }
}

/// Submits with each of these faults; the outcome is what the truth allows, and a lookup tells the truth.
pub(super) async fn submit(stage: &mut Stage, cases: &[(CallFault, May)]) -> Step {
    for (fault, may) in cases {
        stage.renew()?;
        let probe = stage.connected().await?;
        let order = stage.draft(probe.capabilities())?.build()?;
        if !stage.break_calls(Call::Submit, *fault, 1) {
            continue;
        }
        let outcome = probe.submit(&order).await?;
        tokio::time::sleep(QUIET).await;
        let made = stage.double.orders();
        let wrong = wrong(*may, &outcome, &made);
        stage.check(wrong.is_none(), || {
            format!("after {fault:?}: {}: {outcome:?}", wrong.unwrap_or_default())
        });
        truth(stage, &probe, &order, *fault).await?;
    }
    Ok(())
}

/// Looks an order up until the answer is what the venue has.
async fn truth(stage: &mut Stage, probe: &Probe, order: &Order, after: CallFault) -> Step {
    let there = stage.double.orders().first().map(|there| there.id.clone());
    let mut answer = None;
    for _ in 0..20 {
        answer = Some(probe.of_key(order).await?);
        let told = match &answer {
            Some(Ok(told)) => told.as_ref().map(|report| report.broker_order_id.clone()),
            _ => None,
        };
        if matches!(answer, Some(Ok(_))) && told == there {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let told = match answer {
        Some(Ok(told)) => told.map(|report| report.broker_order_id),
        Some(Err(error)) => {
            stage.faults.push(format!("after {after:?} the order cannot be looked up: {error}"));
            return Ok(());
        }
        None => None,
    };
    stage.check(told == there, || {
        format!("after {after:?} a lookup says {told:?}, and the venue has {there:?}")
    });
    Ok(())
}

/// An answer within the deadline, if late.
pub(super) async fn slow(stage: &mut Stage) -> Step {
    let by_millis = u64::try_from(stage.setup.call_deadline.as_millis() / 4).unwrap_or(u64::MAX);
    submit(stage, &[(CallFault::Late { by_millis }, TAKEN)]).await
}

/// An answer after the deadline.
pub(super) async fn too_late(stage: &mut Stage) -> Step {
    let by_millis = u64::try_from(stage.setup.call_deadline.as_millis() * 2).unwrap_or(u64::MAX);
    submit(stage, &[(CallFault::Late { by_millis }, UNCLEAR)]).await
}

/// Statuses of a venue that is down.
pub(super) async fn down(stage: &mut Stage) -> Step {
    let cases = [500, 502, 503, 504, 520].map(|status| (CallFault::Down { status }, UNCLEAR));
    submit(stage, &cases).await
}

/// The same after it has acted.
pub(super) async fn down_after(stage: &mut Stage) -> Step {
    let cases = [500, 502, 503, 504].map(|status| (CallFault::DownAfter { status }, UNCLEAR));
    submit(stage, &cases).await
}

/// Answers that cannot be read.
pub(super) async fn unreadable(stage: &mut Stage) -> Step {
    let kinds = [WrongAnswer::Empty, WrongAnswer::Html, WrongAnswer::Truncated, WrongAnswer::OtherType];
    submit(stage, &kinds.map(|kind| (CallFault::Wrong(kind), UNCLEAR))).await
}

/// Answers that can be read and are not right.
pub(super) async fn lying(stage: &mut Stage) -> Step {
    let kinds = [WrongAnswer::UnknownName, WrongAnswer::HugeNumber, WrongAnswer::OtherOrder];
    submit(stage, &kinds.map(|kind| (CallFault::Wrong(kind), UNCLEAR))).await
}

/// Several failures in a row, and the venue is back: the next order is taken as ever.
pub(super) async fn afterwards(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let order = stage.draft(probe.capabilities())?.build()?;
    if !stage.break_calls(Call::Submit, CallFault::Down { status: 503 }, 1) {
        return Ok(());
    }
    probe.submit(&order).await?;
    let (next, _) = stage.rest(&probe).await?;
    let report = expect("order", probe.of_key(&next).await?)?;
    stage.check(report.is_some(), || "the order after a failure is not found".to_owned());
    Ok(())
}

/// Nobody is there.
pub(super) async fn outage(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let order = stage.draft(probe.capabilities())?.build()?;
    stage.act(&Act::Outage(true))?;
    let outcome = probe.submit(&order).await?;
    let made = stage.double.orders();
    let wrong = wrong(NOT_LEFT, &outcome, &made);
    stage.check(wrong.is_none(), || format!("in an outage: {}: {outcome:?}", wrong.unwrap_or_default()));
    let answer = probe.open_orders().await?;
    stage.check(answer.is_err(), || format!("in an outage the list of open orders is {answer:?}"));
    stage.act(&Act::Outage(false))?;
    tokio::time::sleep(QUIET).await;
    // A connection that was lost is made again by whoever notices first; ask until it is.
    let mut back = false;
    for _ in 0..40 {
        if probe.connect().await?.is_ok() && probe.open_orders().await?.is_ok() {
            back = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stage.check(back, || "after an outage the broker cannot be used any more".to_owned());
    Ok(())
}

/// What the venue does not know is `None`, and no error.
pub(super) async fn unknown_orders(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let order = stage.draft(probe.capabilities())?.build()?;
    let answer = probe.of_key(&order).await?;
    stage.check(matches!(answer, Ok(None)), || {
        format!("a key that was never sent is answered with {answer:?}")
    });
    let (known, reference) = stage.rest(&probe).await?;
    let answer = probe.order(&OrderRef::Venue(reference.broker_order_id.clone())).await?;
    let found = matches!(&answer, Ok(Some(report)) if report.broker_order_id == reference.broker_order_id
        && report.symbol == known.symbol && report.quantity == known.quantity);
    stage.check(found, || format!("an order that rests is answered, by its venue id, with {answer:?}"));
    let strange =
        another_id(&reference.broker_order_id).ok_or_else(|| Stop::Fault("no id can be made".to_owned()))?;
    let answer = probe.order(&OrderRef::Venue(strange.clone())).await?;
    stage.check(matches!(answer, Ok(None)), || {
        format!("the id {strange}, which the venue does not know, is answered with {answer:?}")
    });
    Ok(())
}

/// An id of the same form that the venue does not know: its last letter or digit is another one.
pub(super) fn another_id(id: &BrokerOrderId) -> Option<BrokerOrderId> {
    let mut text: Vec<char> = id.as_str().chars().collect();
    let last = text.iter_mut().rev().find(|letter| letter.is_ascii_alphanumeric())?;
    *last = match *last {
        '9' => '8',
        '0'..='8' => '9',
        'e' => 'f',
        'E' => 'F',
        letter if letter.is_ascii_lowercase() => 'e',
        _ => 'E',
    };
    BrokerOrderId::new(text.into_iter().collect::<String>()).ok()
}

/// Cancellations whose answers are lost or wrong.
pub(super) async fn cancel(stage: &mut Stage) -> Step {
    use mts_foundation::broker::CancelOutcome as C;
    let silent = [
        CallFault::AnswerLost,
        CallFault::AnswerCut,
        CallFault::Silent,
        CallFault::Ignored,
        CallFault::NotRead,
    ];
    let down = [
        CallFault::Down { status: 503 },
        CallFault::DownAfter { status: 500 },
        CallFault::Wrong(WrongAnswer::Html),
    ];
    for fault in silent.into_iter().chain(down) {
        stage.renew()?;
        let probe = stage.connected().await?;
        let (_, reference) = stage.rest(&probe).await?;
        if !stage.break_calls(Call::Cancel, fault, 1) {
            continue;
        }
        let outcome = probe.cancel(&reference).await?;
        let canceled = stage.state(&reference.broker_order_id) == Some(OrderState::Canceled);
        let fits = match &outcome {
            C::Confirmed | C::TooLate { state: OrderState::Canceled } => canceled,
            C::Unknown { cause } => !cause.is_empty(),
            C::TooLate { .. } | C::NotFound => false,
        };
        stage.check(fits, || {
            format!(
                "after {fault:?} the order is {}cancelled, and the outcome {outcome:?}",
                if canceled { "" } else { "not " }
            )
        });
        let second = probe.cancel(&reference).await?;
        let done =
            within(QUIET, || stage.state(&reference.broker_order_id) == Some(OrderState::Canceled)).await;
        let confirmed = matches!(second, C::Confirmed | C::TooLate { state: OrderState::Canceled });
        stage.check(done && confirmed, || format!("after {fault:?} a second cancellation gives {second:?}"));
    }
    Ok(())
}
