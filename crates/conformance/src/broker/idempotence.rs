//! I: the same order twice is one order.

use super::probe::{Probe, expect};
use super::stage::{QUIET, Stage};
use super::stop::{Step, Stop};
use mts_foundation::broker::SubmitOutcome;
use mts_foundation::double::{Call, CallFault};
use mts_foundation::{BrokerOrderId, Decimal, Order};
use std::time::Duration;

/// The venue's id of an accepted order.
fn id_of(outcome: &SubmitOutcome) -> Option<&BrokerOrderId> {
    match outcome {
        SubmitOutcome::Accepted(order) => order.broker_order_id.as_ref(),
        _ => None,
    }
}

/// Checks that the venue has one order, and that an outcome that says anything says it of that one.
fn one_order(stage: &mut Stage, outcomes: &[SubmitOutcome]) {
    let orders = stage.double.orders();
    stage.check(orders.len() == 1, || {
        format!("one key made {} orders at the venue: {outcomes:?}", orders.len())
    });
    for outcome in outcomes {
        let fits = match outcome {
            SubmitOutcome::Accepted(_) => orders.iter().any(|order| Some(&order.id) == id_of(outcome)),
            SubmitOutcome::Rejected { .. } | SubmitOutcome::NotSent { .. } => false,
            SubmitOutcome::Unknown { .. } => true,
        };
        stage.check(fits, || {
            format!("the order of this key is live at the venue, and the outcome is {outcome:?}")
        });
    }
}

async fn twice(probe: &Probe, order: &Order) -> Step<[SubmitOutcome; 2]> {
    Ok([probe.submit(order).await?, probe.submit(order).await?])
}

/// The same key again.
pub(super) async fn again(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let order = stage.draft(probe.capabilities())?.build()?;
    let outcomes = twice(&probe, &order).await?;
    one_order(stage, &outcomes);
    Ok(())
}

/// The same key with another content.
pub(super) async fn other_content(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let builder = stage.draft(probe.capabilities())?;
    let (order, other) = (builder.clone().build()?, builder.quantity(Decimal::from(7)).build()?);
    stage.place(&probe, &order).await?;
    let outcome = probe.submit(&other).await?;
    let orders = stage.double.orders();
    let first = orders.first().filter(|first| orders.len() == 1 && first.quantity == order.quantity);
    let is = first.is_some();
    stage.check(is, || format!("another order under a used key changed what the venue has: {orders:?}"));
    stage.check(
        !matches!(&outcome, SubmitOutcome::Accepted(accepted) if accepted.same_content(&other)),
        || format!("another order under a used key was accepted: {outcome:?}"),
    );
    Ok(())
}

/// The same key after an answer that did not come, or a request that did not arrive.
pub(super) async fn after_failure(stage: &mut Stage, faults: &[CallFault]) -> Step {
    for fault in faults {
        stage.renew()?;
        let probe = stage.connected().await?;
        if !probe.capabilities().client_id_dedupe {
            return Err(Stop::capability("client_id_dedupe"));
        }
        let order = stage.draft(probe.capabilities())?.build()?;
        if !stage.break_calls(Call::Submit, *fault, 1) {
            continue;
        }
        twice(&probe, &order).await?;
        // Whatever the two said, a third call finds things calm.
        let last = probe.submit(&order).await?;
        let accepted = matches!(last, SubmitOutcome::Accepted(_));
        stage.check(accepted, || format!("after {fault:?} the order cannot be handed over again: {last:?}"));
        one_order(stage, &[last]);
    }
    Ok(())
}

pub(super) async fn after_timeout(stage: &mut Stage) -> Step {
    after_failure(stage, &[CallFault::Silent, CallFault::AnswerLost, CallFault::DownAfter { status: 504 }])
        .await
}

pub(super) async fn after_nothing(stage: &mut Stage) -> Step {
    after_failure(stage, &[CallFault::Ignored, CallFault::NotRead, CallFault::Down { status: 503 }]).await
}

/// A broker that is made anew gets the same key.
pub(super) async fn after_restart(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    if !probe.capabilities().client_id_dedupe {
        return Err(Stop::capability("client_id_dedupe"));
    }
    let order = stage.draft(probe.capabilities())?.build()?;
    let lost = stage.break_calls(Call::Submit, CallFault::AnswerLost, 1);
    let first = probe.submit(&order).await?;
    if !lost {
        stage.check(matches!(first, SubmitOutcome::Accepted(_)), || format!("{first:?}"));
    }
    drop(probe);
    let probe = stage.connected().await?;
    let second = probe.submit(&order).await?;
    stage.check(matches!(second, SubmitOutcome::Accepted(_)), || {
        format!("the key of an order that is live was handed over after a restart: {second:?}")
    });
    one_order(stage, &[second]);
    Ok(())
}

/// Several callers at once.
pub(super) async fn at_once(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    if !probe.capabilities().client_id_dedupe {
        return Err(Stop::capability("client_id_dedupe"));
    }
    let order = stage.draft(probe.capabilities())?.build()?;
    let callers: Vec<_> = (0..6)
        .map(|_| {
            let (probe, order) = (probe.clone(), order.clone());
            tokio::spawn(async move { probe.submit(&order).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for caller in callers {
        outcomes.push(caller.await.map_err(|error| Stop::Fault(format!("a caller panicked: {error}")))??);
    }
    one_order(stage, &outcomes);
    let accepted = outcomes.iter().any(|outcome| matches!(outcome, SubmitOutcome::Accepted(_)));
    stage.check(accepted, || format!("none of six callers was told that the order was taken: {outcomes:?}"));
    Ok(())
}

/// A call that is given up, and made again.
pub(super) async fn given_up(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    if !probe.capabilities().client_id_dedupe {
        return Err(Stop::capability("client_id_dedupe"));
    }
    let order = stage.draft(probe.capabilities())?.build()?;
    // Long enough that the call is under way when it is dropped, short enough to be within its deadline.
    let by_millis = u64::try_from(stage.setup.call_deadline.as_millis() / 2).unwrap_or(u64::MAX);
    let slow = stage.break_calls(Call::Submit, CallFault::Late { by_millis }, 1);
    let given_up = tokio::time::timeout(Duration::from_millis(20), probe.submit(&order)).await;
    if slow && given_up.is_ok() {
        stage.partly.push("the call had ended before it could be given up".to_owned());
    }
    tokio::time::sleep(QUIET).await;
    let second = probe.submit(&order).await?;
    stage.check(matches!(second, SubmitOutcome::Accepted(_)), || {
        format!("a call that was given up cannot be made again: {second:?}")
    });
    one_order(stage, &[second]);
    Ok(())
}

/// The client's id is a function of the key and nothing else.
pub(super) async fn client_ids(stage: &mut Stage) -> Step {
    let mut seen = Vec::new();
    let mut keys = Vec::new();
    for round in 0..2 {
        stage.renew()?;
        let probe = stage.connected().await?;
        for number in 0..2 {
            let order = stage.draft(probe.capabilities())?;
            let order = order
                .idempotency_key(format!("the-key-{number}"))
                .order_id(format!("round-{round}-{number}"));
            stage.place(&probe, &order.build()?).await?;
        }
        let orders = stage.double.orders();
        if orders.iter().any(|order| order.client_id.is_none()) {
            return Err(Stop::Skip("the double: the venue takes no ids of its clients".to_owned()));
        }
        let ids: Vec<_> = orders.into_iter().filter_map(|order| order.client_id).collect();
        keys.push(format!("{ids:?}"));
        seen.push(ids);
    }
    stage.check(seen.first() == seen.last(), || {
        format!("the same keys gave other client ids at another time: {}", keys.join(" and "))
    });
    let distinct = seen.first().is_some_and(|ids| ids.first() != ids.last());
    stage.check(distinct, || format!("two keys gave one client id: {}", keys.join(" and ")));
    Ok(())
}

/// Keys as long as they may be, and in all writings.
pub(super) async fn hard_keys(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let long = "k".repeat(250);
    let keys = [
        format!("{long}-one"),
        format!("{long}-two"),
        "fund/α-β ☃ 100%&a=b?#'\"\\".to_owned(),
        "fund/α-β ☃ 100%&a=b?#'\"\\ ".trim_end().to_owned() + "2",
        "a".to_owned(),
        "A".to_owned(),
    ];
    let count = keys.len();
    let mut orders = Vec::new();
    for key in keys {
        let order = stage.draft(probe.capabilities())?.idempotency_key(&key).build()?;
        stage.place(&probe, &order).await?;
        orders.push(order);
    }
    let there = stage.double.orders();
    stage.check(there.len() == count, || format!("{count} keys made {} orders", there.len()));
    for order in &orders {
        let found = expect("order", probe.of_key(order).await?)?;
        stage.check(found.is_some(), || {
            format!("the order of the key {:?} is not found by it", order.idempotency_key)
        });
    }
    Ok(())
}

/// Looking up by key after a restart.
pub(super) async fn found_after_restart(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    if !probe.capabilities().client_id_dedupe {
        return Err(Stop::capability("client_id_dedupe"));
    }
    let (order, reference) = stage.rest(&probe).await?;
    drop(probe);
    let probe = stage.connected().await?;
    let report = expect("order", probe.of_key(&order).await?)?;
    let found = report.as_ref().is_some_and(|report| report.broker_order_id == reference.broker_order_id);
    stage.check(found, || {
        format!("a broker that was made anew finds {report:?} by the key of {}", reference.broker_order_id)
    });
    Ok(())
}
