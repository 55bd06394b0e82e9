//! A: cancelling and changing, and the races with fills.

use super::ambiguity::another_id;
use super::probe::{Probe, expect};
use super::queries::agrees;
use super::stage::{QUIET, Stage, UNITS, within};
use super::stop::{Step, Stop};
use mts_foundation::broker::{BrokerOrderRef, CancelOutcome, OrderChange, ReplaceOutcome};
use mts_foundation::double::{Act, Call, Happening};
use mts_foundation::{BrokerOrderId, Decimal, IdempotencyKey, Order, OrderId, OrderState};
use std::time::Duration;

/// Confirmed, or known to be cancelled already.
fn canceled(outcome: &CancelOutcome) -> bool {
    matches!(outcome, CancelOutcome::Confirmed | CancelOutcome::TooLate { state: OrderState::Canceled })
}

/// Asks until there is a clear answer: venues that confirm by an event say unknown at first.
async fn settled(probe: &Probe, reference: &BrokerOrderRef) -> Step<CancelOutcome> {
    let mut outcome = probe.cancel(reference).await?;
    for _ in 0..10 {
        if !matches!(outcome, CancelOutcome::Unknown { .. }) {
            break;
        }
        tokio::time::sleep(QUIET).await;
        outcome = probe.cancel(reference).await?;
    }
    Ok(outcome)
}

/// A resting order.
pub(super) async fn resting(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let (_, reference) = stage.rest(&probe).await?;
    let first = probe.cancel(&reference).await?;
    if matches!(first, CancelOutcome::Confirmed) {
        let state = stage.state(&reference.broker_order_id);
        stage.check(state == Some(OrderState::Canceled), || {
            format!("confirmed, and the order is {state:?} at the venue")
        });
    }
    let outcome = if canceled(&first) { first } else { settled(&probe, &reference).await? };
    stage.check(canceled(&outcome), || format!("cancelling an order that rests gives {outcome:?}"));
    let open = expect("open_orders", probe.open_orders().await?)?;
    stage.check(open.is_empty(), || format!("after the cancellation open_orders has {open:?}"));
    Ok(())
}

/// Twice.
pub(super) async fn twice(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let (_, reference) = stage.rest(&probe).await?;
    settled(&probe, &reference).await?;
    let second = probe.cancel(&reference).await?;
    stage.check(canceled(&second), || format!("the second cancellation gives {second:?}"));
    Ok(())
}

/// Several callers at once.
pub(super) async fn at_once(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let (_, reference) = stage.rest(&probe).await?;
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (probe, reference) = (probe.clone(), reference.clone());
            tokio::spawn(async move { probe.cancel(&reference).await })
        })
        .collect();
    for caller in callers {
        let outcome = caller.await.map_err(|error| Stop::Fault(format!("a caller panicked: {error}")))??;
        let fits = canceled(&outcome) || matches!(outcome, CancelOutcome::Unknown { .. });
        stage.check(fits, || format!("one of four cancellations at once gives {outcome:?}"));
    }
    let outcome = settled(&probe, &reference).await?;
    stage.check(canceled(&outcome), || format!("after four cancellations at once another gives {outcome:?}"));
    Ok(())
}

/// An order that is filled.
pub(super) async fn filled(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let (order, reference) = stage.rest(&probe).await?;
    stage.fill(&reference, order.quantity)?;
    let outcome = settled(&probe, &reference).await?;
    let is = matches!(outcome, CancelOutcome::TooLate { state: OrderState::Filled });
    stage.check(is, || format!("cancelling an order that is filled gives {outcome:?}"));
    Ok(())
}

/// An order that the venue ended.
pub(super) async fn ended(stage: &mut Stage) -> Step {
    for ended_as in [OrderState::Canceled, OrderState::Expired] {
        stage.renew()?;
        let probe = stage.connected().await?;
        let (_, reference) = stage.rest(&probe).await?;
        let order = reference.broker_order_id.clone();
        let happening = match ended_as {
            OrderState::Expired => Happening::Expire { order },
            _ => Happening::Cancel { order },
        };
        if !stage.try_act(&Act::Happen(happening)) {
            continue;
        }
        let outcome = settled(&probe, &reference).await?;
        let fits = match &outcome {
            CancelOutcome::Confirmed => ended_as == OrderState::Canceled,
            CancelOutcome::TooLate { state } => *state == ended_as,
            _ => false,
        };
        stage.check(fits, || format!("cancelling an order that is {ended_as} gives {outcome:?}"));
    }
    Ok(())
}

/// An order that the venue does not know.
pub(super) async fn unknown(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let (_, known) = stage.rest(&probe).await?;
    let invalid = |error: mts_foundation::ids::InvalidId| Stop::Fault(error.to_string());
    let strange = BrokerOrderRef {
        order_id: OrderId::new("o-strange").map_err(invalid)?,
        idempotency_key: IdempotencyKey::new("never-sent").map_err(invalid)?,
        broker_order_id: another_id(&known.broker_order_id)
            .ok_or_else(|| Stop::Fault("no id can be made".to_owned()))?,
        symbol: known.symbol.clone(),
    };
    let outcome = probe.cancel(&strange).await?;
    stage.check(outcome == CancelOutcome::NotFound, || {
        format!("cancelling {}, which the venue does not know, gives {outcome:?}", strange.broker_order_id)
    });
    let state = stage.state(&known.broker_order_id);
    stage.check(state == Some(OrderState::Accepted), || format!("another order is {state:?} after that"));
    Ok(())
}

/// A cancellation that was taken, and a fill that came first.
pub(super) async fn loses(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let follower = stage.follow(&probe, None).await;
    let (order, reference) = stage.rest(&probe).await?;
    stage.act(&Act::CancelLosesRace)?;
    let outcome = probe.cancel(&reference).await?;
    let state = stage.state(&reference.broker_order_id);
    let fits = match outcome {
        CancelOutcome::TooLate { state: OrderState::Filled } | CancelOutcome::Unknown { .. } => true,
        _ => state == Some(OrderState::Canceled),
    };
    stage.check(fits, || format!("the order is {state:?} at the venue, and its cancellation {outcome:?}"));
    let outcome = settled(&probe, &reference).await?;
    stage.check(outcome == CancelOutcome::TooLate { state: OrderState::Filled }, || {
        format!("a second cancellation after the fill gives {outcome:?}")
    });
    stage.compare_fills(&follower).await;
    let filled = follower.told().filled(&order.order_id);
    stage.check(filled == order.quantity, || format!("{filled} of {} were told as filled", order.quantity));
    Ok(())
}

/// A part is filled.
pub(super) async fn in_part(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let (order, reference) = stage.rest(&probe).await?;
    stage.fill(&reference, Decimal::from(4))?;
    let outcome = settled(&probe, &reference).await?;
    stage.check(canceled(&outcome), || format!("cancelling the rest of an order gives {outcome:?}"));
    let report = expect("order", probe.of_key(&order).await?)?;
    let is = report
        .as_ref()
        .is_some_and(|report| report.filled == Decimal::from(4) && report.state == OrderState::Canceled);
    stage.check(is, || {
        format!("an order of which 4 were filled and the rest cancelled is reported as {report:?}")
    });
    agrees(stage, &probe).await
}

/// A broker that was made anew.
pub(super) async fn after_restart(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let (_, reference) = stage.rest(&probe).await?;
    drop(probe);
    let probe = stage.connected().await?;
    let outcome = settled(&probe, &reference).await?;
    stage
        .check(canceled(&outcome), || format!("cancelling an order from before a restart gives {outcome:?}"));
    Ok(())
}

fn change() -> OrderChange {
    OrderChange { quantity: Some(Decimal::from(6)), limit_price: Some(Decimal::from(98)), stop_price: None }
}

/// Looks an order up until it is told as changed: its name at the venue then.
async fn made(
    stage: &mut Stage,
    probe: &Probe,
    order: &Order,
    reference: &BrokerOrderRef,
) -> Step<BrokerOrderId> {
    let mut told = None;
    for _ in 0..10 {
        told = expect("order", probe.of_key(order).await?)?;
        if told.as_ref().is_some_and(|report| Some(report.quantity) == change().quantity) {
            break;
        }
        tokio::time::sleep(QUIET).await;
    }
    stage.check(told.as_ref().is_some_and(|report| Some(report.quantity) == change().quantity), || {
        format!("a change whose outcome was unknown was never told: {told:?}")
    });
    Ok(told.map_or_else(|| reference.broker_order_id.clone(), |report| report.broker_order_id))
}

/// A change in place, where it is claimed.
pub(super) async fn replaces(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    if !probe.capabilities().replace {
        return Err(Stop::capability("replace"));
    }
    let (order, reference) = stage.rest(&probe).await?;
    let id = match probe.replace(&reference, &change()).await? {
        ReplaceOutcome::Replaced(id) => id,
        // Where a change is under way for a while a lookup tells that it was made. One that is made when the answer comes is
        // no unknown one.
        ReplaceOutcome::Unknown { cause } if !cause.is_empty() => {
            let is_made = stage.at_venue(&reference.broker_order_id).map(|there| Some(there.quantity))
                == Some(change().quantity);
            stage.check(!is_made, || {
                format!("the venue has made the change, and the answer is unknown: {cause}")
            });
            made(stage, &probe, &order, &reference).await?
        }
        outcome => {
            stage.check(false, || format!("changing an order that rests gives {outcome:?}"));
            return Ok(());
        }
    };
    // A venue may make a new order of it.
    within(Duration::from_secs(1), || {
        stage.at_venue(&id).is_some_and(|there| there.quantity == Decimal::from(6))
    })
    .await;
    let there = stage.at_venue(&id);
    let is = there.as_ref().is_some_and(|there| {
        (there.quantity, there.limit_price) == (Decimal::from(6), Some(Decimal::from(98)))
            && !there.state.is_terminal()
    });
    stage.check(is, || format!("a changed order is {there:?} at the venue"));
    let working = stage.double.orders().iter().filter(|order| !order.state.is_terminal()).count();
    stage.check(working == 1, || format!("after a change {working} orders work"));
    Ok(())
}

/// Refused here, where it is not.
pub(super) async fn replaces_not(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    if probe.capabilities().replace {
        return Err(Stop::Skip("capability replace: claimed".to_owned()));
    }
    let (_, reference) = stage.rest(&probe).await?;
    let calls = stage.double.calls(Call::Replace);
    let outcome = probe.replace(&reference, &change()).await?;
    stage.check(outcome == ReplaceOutcome::NotSupported, || {
        format!("replace is not claimed and gives {outcome:?}")
    });
    let there = stage.at_venue(&reference.broker_order_id);
    let same =
        there.is_some_and(|there| there.quantity == UNITS) && stage.double.calls(Call::Replace) == calls;
    stage.check(same, || "replace is not claimed and reached the venue".to_owned());
    Ok(())
}

/// A change of an order that has ended.
pub(super) async fn replaces_too_late(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    if !probe.capabilities().replace {
        return Err(Stop::capability("replace"));
    }
    let (order, reference) = stage.rest(&probe).await?;
    stage.fill(&reference, order.quantity)?;
    let outcome = probe.replace(&reference, &change()).await?;
    let is = matches!(&outcome, ReplaceOutcome::Rejected { reason } if !reason.is_empty());
    stage.check(is, || format!("changing an order that is filled gives {outcome:?}"));
    let working = stage.double.orders().iter().filter(|order| !order.state.is_terminal()).count();
    stage.check(working == 0, || "changing an order that is filled made one that works".to_owned());
    Ok(())
}
