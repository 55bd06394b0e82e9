//! R: what happened while nobody listened.

use super::events::{Scene, set};
use super::follower::Follower;
use super::probe::expect;
use super::queries::agrees;
use super::stage::{PATIENCE, QUIET, Stage, UNITS, within};
use super::stop::{Step, Stop};
use mts_foundation::broker_event::Cursor;
use mts_foundation::double::{Act, Happening, StreamFault};
use mts_foundation::{Decimal, Fill, Order, OrderState};
use std::time::Duration;

/// The stream is cut and two fills happen.
pub(super) async fn cut(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    stage.act(&Act::Stream(StreamFault::Cut))?;
    stage.fill(&scene.reference, Decimal::TWO)?;
    stage.fill(&scene.reference, Decimal::from(3))?;
    stage.compare_fills(&scene.follower).await;
    let interrupted = scene.follower.told().interrupted();
    stage.check(interrupted, || {
        "the stream was cut, and neither ended with an error nor told a gap".to_owned()
    });
    let (count, filled) = {
        let told = scene.follower.told();
        (told.fills.len(), told.filled(&scene.order.order_id))
    };
    stage.check((count, filled) == (3, Decimal::from(6)), || {
        format!("three fills of 6 were told as {count} of {filled}")
    });
    Ok(())
}

/// Cut again and again.
pub(super) async fn storm(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    for _ in 0..8 {
        stage.act(&Act::Stream(StreamFault::Cut))?;
        stage.fill(&scene.reference, Decimal::ONE)?;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let (_, canceled) = stage.rest(&scene.probe).await?;
    stage.act(&Act::Stream(StreamFault::Cut))?;
    scene.probe.cancel(&canceled).await?;
    stage.compare_fills(&scene.follower).await;
    agrees(stage, &scene.probe).await
}

/// Listens from a cursor on and waits for fills.
async fn replay(stage: &mut Stage, scene: &Scene, after: Cursor) -> Follower {
    let follower = stage.follow(&scene.probe, Some(after)).await;
    let double = std::sync::Arc::clone(&stage.double);
    within(PATIENCE, || follower.told().lacks(&double.fills()).len() <= 1).await;
    tokio::time::sleep(QUIET).await;
    follower
}

/// From the first cursor on: the same ids as before.
async fn from_the_first(stage: &mut Stage, fills: u32) -> Step {
    let probe = stage.connected().await?;
    let follower = stage.follow(&probe, None).await;
    let order = stage.draft(probe.capabilities())?.quantity(Decimal::from(fills)).build()?;
    let reference = stage.place(&probe, &order).await?;
    for _ in 0..fills {
        stage.fill(&reference, Decimal::ONE)?;
    }
    stage.compare_fills(&follower).await;
    let cursors = follower.told().cursors.clone();
    let Some((first, cursor)) = cursors.first().cloned() else { return Ok(()) };
    let told_live = follower.told().fills.clone();
    let scene = Scene { probe, follower, order, reference };
    let again = replay(stage, &scene, cursor).await;
    let told = again.told();
    let missing: Vec<&str> = told_live
        .keys()
        .filter(|id| **id != first && !told.fills.contains_key(*id))
        .take(5)
        .map(|id| id.as_str())
        .collect();
    let other = told.fills.iter().filter(|(id, fill)| {
        told_live.get(*id).is_none_or(|live| {
            (live.quantity, live.price, live.side) != (fill.quantity, fill.price, fill.side)
        })
    });
    let other: Vec<&str> = other.take(5).map(|(id, _)| id.as_str()).collect();
    let contradictions = told.contradictions.clone();
    let gaps = told.gaps;
    let lacks =
        (!missing.is_empty()).then(|| format!("a replay after the first fill lacks {}", missing.join(", ")));
    let others = (!other.is_empty())
        .then(|| format!("a replay tells fills that the stream had otherwise: {}", other.join(", ")));
    drop(told);
    stage.questions += 2;
    // What is beyond the window of the venue must be told as a gap.
    stage.faults.extend(lacks.filter(|_| gaps == 0));
    stage.faults.extend(others);
    stage.faults.extend(contradictions);
    Ok(())
}

pub(super) async fn same_ids(stage: &mut Stage) -> Step {
    from_the_first(stage, 6).await
}

/// More than any page of any venue.
pub(super) async fn long_ago(stage: &mut Stage) -> Step {
    from_the_first(stage, 230).await
}

/// From the last cursor on: what comes, and nothing is lost between.
pub(super) async fn from_the_last(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    let Some(cursor) = scene.follower.told().last.clone() else {
        return Err(Stop::Fault("a fill was told without a cursor that could be kept".to_owned()));
    };
    let Scene { probe, follower, reference, order } = scene;
    drop(follower);
    stage.fill(&reference, Decimal::TWO)?;
    let follower = stage.follow(&probe, Some(cursor)).await;
    stage.fill(&reference, Decimal::from(3))?;
    within(PATIENCE, || follower.told().filled(&order.order_id) >= Decimal::from(5)).await;
    let (differences, filled) = {
        let told = follower.told();
        let filled: Decimal =
            told.fills.values().filter(|fill| fill.quantity > Decimal::ONE).map(|fill| fill.quantity).sum();
        (told.differences(&stage.double.fills()), filled)
    };
    stage.check(filled == Decimal::from(5), || format!("{filled} of the 5 after the cursor were told"));
    stage.questions += 1;
    stage.faults.extend(differences);
    Ok(())
}

/// A broker that is made anew, with the cursor of the one before.
pub(super) async fn after_restart(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    let Some(cursor) = scene.follower.told().last.clone() else {
        return Err(Stop::Fault("a fill was told without a cursor that could be kept".to_owned()));
    };
    let Scene { probe, follower, reference, .. } = scene;
    drop((probe, follower));
    stage.fill(&reference, Decimal::TWO)?;
    stage.fill(&reference, Decimal::from(3))?;
    let probe = stage.connected().await?;
    let follower = stage.follow(&probe, Some(cursor)).await;
    stage.fill(&reference, Decimal::ONE)?;
    let double = std::sync::Arc::clone(&stage.double);
    // The first was before the cursor.
    within(PATIENCE, || follower.told().lacks(double.fills().get(1..).unwrap_or_default()).is_empty()).await;
    let fills = double.fills();
    let (lacks, differences) = {
        let told = follower.told();
        (told.lacks(fills.get(1..).unwrap_or_default()).len(), told.differences(&fills))
    };
    stage.check(lacks == 0, || format!("after a restart {lacks} of 3 fills were never told"));
    stage.questions += 1;
    stage.faults.extend(differences);
    Ok(())
}

/// What was told of fills is of these orders, by our ids, and all there is.
async fn all_of(stage: &mut Stage, follower: &Follower, orders: &[&Order]) {
    stage.compare_fills(follower).await;
    let of_others: Vec<String> = {
        let told = follower.told();
        let of_others = |fill: &&Fill| !orders.iter().any(|order| order.order_id == fill.order_id);
        let strange = told.fills.values().filter(of_others);
        strange.map(|fill| format!("fill {} is told of the order {}", fill.fill_id, fill.order_id)).collect()
    };
    stage.questions += 1;
    stage.faults.extend(of_others);
}

/// An order fills before anybody listens: one in part, one whole.
pub(super) async fn before_the_first(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let (ended, reference) = stage.rest(&probe).await?;
    stage.fill(&reference, UNITS)?;
    let (open, reference) = stage.rest(&probe).await?;
    stage.fill(&reference, Decimal::TWO)?;
    let follower = stage.follow(&probe, None).await;
    all_of(stage, &follower, &[&ended, &open]).await;
    stage.fill(&reference, Decimal::ONE)?;
    all_of(stage, &follower, &[&ended, &open]).await;
    Ok(())
}

/// Orders fill, and the broker is made anew before it has told of anything.
pub(super) async fn recalled(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let (ended, reference) = stage.rest(&probe).await?;
    stage.fill(&reference, UNITS)?;
    let (open, reference) = stage.rest(&probe).await?;
    stage.fill(&reference, Decimal::TWO)?;
    drop(probe);
    let probe = stage.connected().await?;
    probe.broker.recall(&[ended.clone(), open.clone()]);
    let follower = stage.follow(&probe, None).await;
    all_of(stage, &follower, &[&ended, &open]).await;
    Ok(())
}

/// A fill that the stream does not tell and the history shows after younger ones.
pub(super) async fn listed_late(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    stage.act(&Act::HistoryLate(700))?;
    stage.act(&Act::Stream(StreamFault::Cut))?;
    stage.fill(&scene.reference, Decimal::TWO)?;
    younger_fills(stage, &scene).await?;
    stage.compare_fills(&scene.follower).await;
    Ok(())
}

/// Money that came before a fill, and that the history shows after it.
pub(super) async fn cash_listed_late(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    let amount = Decimal::new(12_34, 2);
    stage.act(&Act::HistoryLate(700))?;
    stage.happen(Happening::Cash { amount })?;
    younger_fills(stage, &scene).await?;
    let told = || scene.follower.told().cash.iter().any(|flow| flow.amount == amount);
    let told = within(PATIENCE, told).await;
    stage.check(told, || format!("cash of {amount} that the history showed late was never told"));
    Ok(())
}

/// One that the history shows at once, and one that the stream tells, once there is one again.
async fn younger_fills(stage: &Stage, scene: &Scene) -> Step {
    stage.act(&Act::HistoryLate(0))?;
    stage.fill(&scene.reference, Decimal::from(3))?;
    tokio::time::sleep(Duration::from_millis(400)).await;
    stage.fill(&scene.reference, Decimal::ONE)
}

/// A cursor that this broker never gave.
pub(super) async fn strange_cursor(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    let Ok(cursor) = Cursor::new("conformance: nobody's cursor") else { return Ok(()) };
    let follower = stage.follow(&scene.probe, Some(cursor)).await;
    within(Duration::from_secs(1), || follower.told().interrupted()).await;
    let fits = {
        let told = follower.told();
        told.interrupted() || !told.fills.is_empty()
    };
    stage.check(fits, || {
        "a cursor that cannot be read was taken in silence; tell a gap, or an error".to_owned()
    });
    let contradictions = follower.told().contradictions.clone();
    stage.faults.extend(contradictions);
    Ok(())
}

/// Nobody can connect for a while.
pub(super) async fn outage(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    stage.act(&Act::Outage(true))?;
    stage.fill(&scene.reference, Decimal::TWO)?;
    tokio::time::sleep(stage.setup.call_deadline).await;
    stage.fill(&scene.reference, Decimal::from(3))?;
    stage.act(&Act::Outage(false))?;
    stage.compare_fills(&scene.follower).await;
    stage.fill(&scene.reference, Decimal::ONE)?;
    stage.compare_fills(&scene.follower).await;
    agrees(stage, &scene.probe).await
}

/// A stream that says nothing more.
pub(super) async fn silent(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    stage.act(&Act::Stream(StreamFault::Silent))?;
    stage.fill(&scene.reference, Decimal::TWO)?;
    let patience = stage.setup.staleness * 4 + stage.setup.call_deadline * 4;
    let noticed = within(patience, || scene.follower.told().interrupted()).await;
    stage.check(noticed, || {
        format!("a stream that was silent for {:.1} s was not taken for lost", patience.as_secs_f32())
    });
    stage.compare_fills(&scene.follower).await;
    Ok(())
}

/// A stream of a broker that waits is not taken for lost: heartbeats count.
pub(super) async fn calm(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    tokio::time::sleep(stage.setup.staleness * 3).await;
    let ends = scene.follower.told().ends.clone();
    stage.check(ends.len() <= 1, || format!("a stream without news ended {} times: {ends:?}", ends.len()));
    stage.fill(&scene.reference, Decimal::TWO)?;
    stage.compare_fills(&scene.follower).await;
    Ok(())
}

/// After trading, cuts and cancellations the broker says what the venue has.
pub(super) async fn agreement(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    stage.rest(&scene.probe).await?;
    let (_, canceled) = stage.rest(&scene.probe).await?;
    // The first in line, for doubles whose fills go by price and time.
    stage.fill(&scene.reference, Decimal::TWO)?;
    scene.probe.cancel(&canceled).await?;
    agrees(stage, &scene.probe).await?;
    let report = expect("open_orders", scene.probe.open_orders().await?)?
        .into_iter()
        .find(|report| report.broker_order_id == scene.reference.broker_order_id);
    let is = report.as_ref().is_some_and(|report| {
        (report.filled, report.state) == (Decimal::from(3), OrderState::PartiallyFilled)
            && report.average_price.is_some_and(|price| price > Decimal::ZERO)
    });
    stage.check(is, || format!("an order that is filled in part is reported as {report:?}"));
    Ok(())
}

/// Nothing is left open.
pub(super) async fn no_leaks(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    if stage.double.streams() == 0 {
        return Err(Stop::Skip("the double: it counts no streams".to_owned()));
    }
    for _ in 0..3 {
        stage.act(&Act::Stream(StreamFault::Cut))?;
        tokio::time::sleep(QUIET).await;
    }
    let Scene { probe, follower, .. } = scene;
    drop(follower);
    expect("close", probe.close().await?)?;
    drop(probe);
    let double = std::sync::Arc::clone(&stage.double);
    within(Duration::from_secs(3), || double.streams() == 0).await;
    let left = stage.double.streams();
    stage.check(left == 0, || format!("{left} streams are open after close"));
    Ok(())
}
