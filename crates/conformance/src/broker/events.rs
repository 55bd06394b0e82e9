//! E: events, each once and right, whatever the stream does to them.

use super::follower::Follower;
use super::probe::Probe;
use super::stage::{PATIENCE, QUIET, Stage, UNITS, within};
use super::stop::Step;
use mts_foundation::broker::{BrokerOrderRef, SubmitOutcome};
use mts_foundation::double::{Act, Happening, StreamFault};
use mts_foundation::{Decimal, Order, OrderState};

/// A broker that is followed, an order of which one unit was filled and told: the follower has a cursor from here on.
pub(super) struct Scene {
    pub(super) probe: Probe,
    pub(super) follower: Follower,
    pub(super) order: Order,
    pub(super) reference: BrokerOrderRef,
}

pub(super) async fn set(stage: &mut Stage) -> Step<Scene> {
    let probe = stage.connected().await?;
    let follower = stage.follow(&probe, None).await;
    let (order, reference) = stage.rest(&probe).await?;
    stage.fill(&reference, Decimal::ONE)?;
    within(PATIENCE, || !follower.told().fills.is_empty()).await;
    Ok(Scene { probe, follower, order, reference })
}

/// Waits until an order was told to be in a state.
async fn told_as(follower: &Follower, reference: &BrokerOrderRef, state: OrderState) -> bool {
    within(PATIENCE, || {
        let told = follower.told();
        told.reports
            .iter()
            .any(|report| report.broker_order_id == reference.broker_order_id && report.state == state)
    })
    .await
}

/// Everything that was told of fills is right, also by our ids.
async fn all_right(stage: &mut Stage, scene: &Scene) {
    stage.compare_fills(&scene.follower).await;
    let told = scene.follower.told();
    let strange: Vec<String> = told
        .fills
        .values()
        .filter(|fill| fill.order_id != scene.order.order_id || fill.side != scene.order.side)
        .map(|fill| format!("fill {} is told of order {} ({})", fill.fill_id, fill.order_id, fill.side))
        .collect();
    drop(told);
    stage.questions += 1;
    stage.faults.extend(strange);
}

/// A fill, and its order's end.
pub(super) async fn whole(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    stage.fill(&scene.reference, UNITS - Decimal::ONE)?;
    all_right(stage, &scene).await;
    // Nothing more comes.
    tokio::time::sleep(QUIET).await;
    let filled = scene.follower.told().filled(&scene.order.order_id);
    stage.check(filled == UNITS, || format!("{filled} of {UNITS} were told as filled"));
    Ok(())
}

/// Many small ones.
pub(super) async fn in_parts(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    for _ in 0..9 {
        stage.fill(&scene.reference, Decimal::ONE)?;
    }
    all_right(stage, &scene).await;
    let (count, filled) = {
        let told = scene.follower.told();
        (told.fills.len(), told.filled(&scene.order.order_id))
    };
    stage
        .check((count, filled) == (10, UNITS), || format!("ten fills of 1 were told as {count} of {filled}"));
    let report = super::probe::expect("order", scene.probe.of_key(&scene.order).await?)?;
    let is =
        report.as_ref().is_some_and(|report| report.state == OrderState::Filled && report.filled == UNITS);
    stage.check(is, || format!("an order that filled in ten parts is reported as {report:?}"));
    Ok(())
}

/// Before the acknowledgement.
pub(super) async fn before_answer(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let follower = stage.follow(&probe, None).await;
    stage.act(&Act::FillBeforeAnswer)?;
    let order = stage.draft(probe.capabilities())?.build()?;
    let outcome = probe.submit(&order).await?;
    stage.check(matches!(outcome, SubmitOutcome::Accepted(_)), || {
        format!("an order that filled before its acknowledgement has the outcome {outcome:?}")
    });
    stage.compare_fills(&follower).await;
    let filled = follower.told().filled(&order.order_id);
    stage.check(filled == order.quantity, || {
        format!("{filled} of {} were told as filled of our order {}", order.quantity, order.order_id)
    });
    Ok(())
}

/// With a fault of the stream between two fills.
async fn across(stage: &mut Stage, fault: StreamFault) -> Step {
    let scene = set(stage).await?;
    stage.act(&Act::Stream(fault))?;
    // Two messages, so that there is one to change places with, and then one that shows whether the stream still lives.
    stage.fill(&scene.reference, Decimal::TWO)?;
    stage.fill(&scene.reference, Decimal::from(3))?;
    tokio::time::sleep(QUIET).await;
    stage.fill(&scene.reference, Decimal::ONE)?;
    all_right(stage, &scene).await;
    let filled = scene.follower.told().filled(&scene.order.order_id);
    stage.check(filled == Decimal::from(7), || format!("after {fault:?} {filled} of 7 were told as filled"));
    Ok(())
}

pub(super) async fn repeated(stage: &mut Stage) -> Step {
    across(stage, StreamFault::Twice).await
}

pub(super) async fn swapped(stage: &mut Stage) -> Step {
    across(stage, StreamFault::Swapped).await
}

pub(super) async fn lost(stage: &mut Stage) -> Step {
    across(stage, StreamFault::Lost).await
}

pub(super) async fn unknown_message(stage: &mut Stage) -> Step {
    across(stage, StreamFault::UnknownMessage).await
}

pub(super) async fn unknown_name(stage: &mut Stage) -> Step {
    across(stage, StreamFault::UnknownName).await
}

pub(super) async fn garbage(stage: &mut Stage) -> Step {
    across(stage, StreamFault::Garbage).await
}

/// The id of the fill that the double has last.
fn last_fill(stage: &Stage) -> Option<mts_foundation::FillId> {
    stage.double.fills().last().map(|fill| fill.id.clone())
}

/// A correction.
pub(super) async fn corrected(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    let Some(fill) = last_fill(stage) else { return Ok(()) };
    stage.happen(Happening::Correct {
        fill: fill.clone(),
        quantity: Decimal::ONE,
        price: Decimal::from(98),
    })?;
    let told = within(PATIENCE, || scene.follower.told().corrected.contains(&fill)).await;
    stage.check(told, || format!("the correction of fill {fill} was never told"));
    stage.compare_fills(&scene.follower).await;
    Ok(())
}

/// An annulment.
pub(super) async fn busted(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    let Some(fill) = last_fill(stage) else { return Ok(()) };
    stage.happen(Happening::Bust { fill: fill.clone() })?;
    let told = within(PATIENCE, || scene.follower.told().busted.contains(&fill)).await;
    stage.check(told, || format!("that fill {fill} was annulled was never told"));
    Ok(())
}

/// Fees that follow.
pub(super) async fn late_fees(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    stage.act(&Act::FeesLate(150))?;
    stage.fill(&scene.reference, Decimal::TWO)?;
    stage.compare_fills(&scene.follower).await;
    let (pending, told) = {
        let told = scene.follower.told();
        (told.pending.len(), told.fills.len())
    };
    stage.check(told == 2, || format!("{told} of two fills were told"));
    stage.check(pending > 0, || {
        "fees that were not known yet were told as final; say pending, and FeesKnown when they are there"
            .to_owned()
    });
    Ok(())
}

/// How orders end without the client's doing.
pub(super) async fn ends(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let follower = stage.follow(&probe, None).await;
    for state in [OrderState::Canceled, OrderState::Expired, OrderState::Rejected] {
        let (_, reference) = stage.rest(&probe).await?;
        let order = reference.broker_order_id.clone();
        let happening = match state {
            OrderState::Canceled => Happening::Cancel { order },
            OrderState::Expired => Happening::Expire { order },
            _ => Happening::Reject { order },
        };
        if stage.try_act(&Act::Happen(happening)) {
            let told = told_as(&follower, &reference, state).await;
            stage.check(told, || format!("that the venue ended an order ({state}) was never told"));
        }
    }
    Ok(())
}

/// The end that was asked for.
pub(super) async fn cancelled(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    scene.probe.cancel(&scene.reference).await?;
    let told = told_as(&scene.follower, &scene.reference, OrderState::Canceled).await;
    stage.check(told, || "a cancellation that was asked for was never told by the stream".to_owned());
    Ok(())
}

/// What rests is told first.
pub(super) async fn open_first(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let (first, one) = stage.rest(&probe).await?;
    let (_, other) = stage.rest(&probe).await?;
    let follower = stage.follow(&probe, None).await;
    for reference in [one, other] {
        let told = told_as(&follower, &reference, OrderState::Accepted).await;
        stage.check(told, || {
            format!("a stream from now on did not begin with the open order {}", reference.broker_order_id)
        });
    }
    let right = {
        let told = follower.told();
        told.reports.iter().all(|report| report.quantity == first.quantity && report.symbol == first.symbol)
    };
    stage.check(right, || "an open order was told with another symbol or quantity".to_owned());
    Ok(())
}

/// Cash that moves by itself.
pub(super) async fn cash(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    let amount = Decimal::new(12_34, 2);
    stage.happen(Happening::Cash { amount })?;
    let told = within(PATIENCE, || scene.follower.told().cash.iter().any(|flow| flow.amount == amount)).await;
    stage.check(told, || format!("cash of {amount} that came was never told"));
    Ok(())
}
