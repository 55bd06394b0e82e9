//! H: secrets stay inside, and nothing panics.

use super::events::set;
use super::probe::{Probe, expect};
use super::queries::agrees;
use super::stage::{QUIET, Stage};
use super::stop::{Step, Stop};
use mts_foundation::broker::{Check, SubmitOutcome};
use mts_foundation::double::{Act, Call, CallFault, WrongAnswer};
use mts_foundation::{Decimal, OrderState};
use std::time::Duration;

/// The documented checks by words that their names hold, in order.
const CHECKS: [&[&str]; 7] = [
    &["reach"],
    &["auth"],
    &["account"],
    &["order book", "book"],
    &["time", "clock"],
    &["stream"],
    &["key", "permission"],
];

/// Says much, in good times and bad, so that there is something to search; what all other cases heard is searched as well.
pub(super) async fn secrets(stage: &mut Stage) -> Step {
    if stage.canaries.is_empty() {
        return Err(Stop::Skip("the double: it takes no secrets".to_owned()));
    }
    stage.questions += stage.canaries.len();
    let scene = set(stage).await?;
    scene.probe.health().await?;
    scene.probe.diagnose(Some(&scene.order.symbol)).await?;
    let faults = [
        CallFault::NotAuthorised,
        CallFault::StrangeRefusal,
        CallFault::Down { status: 500 },
        CallFault::NotRead,
        CallFault::Wrong(WrongAnswer::Html),
    ];
    for fault in faults {
        for call in [Call::Submit, Call::Orders, Call::Account, Call::Cancel] {
            stage.break_calls(call, fault, 1);
        }
        let order = stage.draft(scene.probe.capabilities())?.build()?;
        scene.probe.submit(&order).await?.hush();
        scene.probe.cancel(&scene.reference).await?.hush();
        scene.probe.open_orders().await?.hush();
        scene.probe.account().await?.hush();
    }
    stage.try_act(&Act::Outage(true));
    scene.probe.account().await?.hush();
    scene.probe.diagnose(None).await?.hush();
    scene.probe.close().await?.hush();
    let after = Probe::new(std::sync::Arc::clone(&scene.probe.broker), stage.heard.clone(), &stage.setup);
    drop(after);
    Ok(())
}

/// For what is heard and not judged.
trait Hush: Sized {
    fn hush(self) {}
}

impl<T> Hush for T {}

/// Connecting twice, closing twice.
pub(super) async fn twice(stage: &mut Stage) -> Step {
    let probe = stage.broker().await?;
    for call in 0..2 {
        let answer = probe.connect().await?;
        stage.check(answer.is_ok(), || format!("connect number {} gives {answer:?}", call + 1));
    }
    let (_, reference) = stage.rest(&probe).await?;
    for call in 0..2 {
        let answer = probe.close().await?;
        stage.check(answer.is_ok(), || format!("close number {} gives {answer:?}", call + 1));
    }
    let state = stage.state(&reference.broker_order_id);
    stage.check(state == Some(OrderState::Accepted), || {
        format!("an order that rests is {state:?} after close; it must stay")
    });
    let answer = probe.connect().await?;
    stage.check(answer.is_ok(), || format!("connect after close gives {answer:?}"));
    agrees(stage, &probe).await
}

/// Calls without a connection.
async fn unconnected(stage: &mut Stage, probe: &Probe, when: &str) -> Step {
    let order = stage.draft(probe.capabilities())?.build()?;
    let before = stage.live();
    let outcome = probe.submit(&order).await?;
    let made = stage.live() - before;
    let fits = match &outcome {
        SubmitOutcome::Accepted(_) => made == 1,
        SubmitOutcome::NotSent { reason } => made == 0 && !reason.is_empty(),
        SubmitOutcome::Rejected { .. } => false,
        SubmitOutcome::Unknown { .. } => true,
    };
    stage.check(fits, || format!("{when}, an order made {made} at the venue and gives {outcome:?}"));
    // What these say is free, as long as they say something.
    probe.open_orders().await?.hush();
    probe.positions().await?.hush();
    probe.account().await?.hush();
    probe.of_key(&order).await?.hush();
    probe.health().await?.hush();
    probe.diagnose(None).await?.hush();
    stage.questions += 6;
    Ok(())
}

/// Before connect and after close.
pub(super) async fn closed(stage: &mut Stage) -> Step {
    let probe = stage.broker().await?;
    unconnected(stage, &probe, "before connect").await?;
    expect("connect", probe.connect().await?)?;
    expect("close", probe.close().await?)?;
    unconnected(stage, &probe, "after close").await
}

/// Calls that are dropped under way.
pub(super) async fn dropped(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    stage.rest(&probe).await?;
    for millis in [0, 1, 3, 9] {
        let soon = Duration::from_millis(millis);
        // Whether one ended in time is all the same.
        tokio::time::timeout(soon, probe.open_orders()).await.hush();
        tokio::time::timeout(soon, probe.account()).await.hush();
        tokio::time::timeout(soon, probe.positions()).await.hush();
        tokio::time::timeout(soon, probe.diagnose(None)).await.hush();
    }
    agrees(stage, &probe).await
}

/// The place of each check's name in the documented order.
fn places(checks: &[Check]) -> Vec<Option<usize>> {
    let place = |check: &Check| {
        let name = check.name.to_ascii_lowercase();
        CHECKS.iter().position(|words| words.iter().any(|word| name.contains(word)))
    };
    checks.iter().map(place).collect()
}

/// The documented checks, when all is well.
pub(super) async fn diagnosis(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let symbol = stage.symbol()?;
    let checks = probe.diagnose(Some(&symbol)).await?;
    let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    let known: Vec<usize> = places(&checks).into_iter().flatten().collect();
    stage.check(known.is_sorted() && (0..CHECKS.len()).all(|place| known.contains(&place)), || {
        format!("the checks are {names:?}; give API reachable, auth, account info, order book, time skew, stream, key permissions, in this order")
    });
    for check in &checks {
        stage.check(check.ok, || {
            format!("all is well, and the check {:?} says: {}", check.name, check.detail)
        });
    }
    Ok(())
}

/// And when nobody is there.
pub(super) async fn diagnosis_of_an_outage(stage: &mut Stage) -> Step {
    let probe = stage.broker().await?;
    stage.act(&Act::Outage(true))?;
    let checks = probe.diagnose(None).await?;
    let bad: Vec<&Check> = checks.iter().filter(|check| !check.ok).collect();
    let first = checks.first().is_some_and(|check| !check.ok);
    stage.check(first, || format!("nobody is there, and the first check says {:?}", checks.first()));
    let mute: Vec<&str> =
        bad.iter().filter(|check| check.detail.len() < 12).map(|check| check.name.as_str()).collect();
    stage.check(mute.is_empty(), || format!("the checks {mute:?} fail without saying what to do"));
    Ok(())
}

/// Whatever comes, nothing panics: every kind of wrong answer to every kind of call.
pub(super) async fn panics(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let (_, reference) = stage.rest(&probe).await?;
    for wrong in WrongAnswer::ALL.iter().copied() {
        for call in Call::ALL.iter().copied() {
            // The stream has its own.
            if call != Call::Stream {
                stage.break_calls(call, CallFault::Wrong(wrong), 1);
            }
        }
        probe.connect().await?.hush();
        let order = stage.draft(probe.capabilities())?.quantity(Decimal::ONE).build()?;
        probe.submit(&order).await?.hush();
        probe.of_key(&order).await?.hush();
        probe.open_orders().await?.hush();
        probe.positions().await?.hush();
        probe.account().await?.hush();
        probe.diagnose(None).await?.hush();
        probe.cancel(&reference).await?.hush();
        stage.questions += 1;
    }
    tokio::time::sleep(QUIET).await;
    Ok(())
}
