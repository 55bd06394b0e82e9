//! L: limits of rate, tokens that run out, and clocks.

use super::ambiguity::{LATER, NOT_LET_IN, submit};
use super::events::set;
use super::probe::expect;
use super::stage::{Stage, now};
use super::stop::{Step, Stop};
use mts_foundation::Decimal;
use mts_foundation::broker::{BrokerErrorKind, SubmitOutcome};
use mts_foundation::double::{Act, Call, CallFault};
use std::time::Duration;

/// An order meets the limit.
pub(super) async fn orders(stage: &mut Stage) -> Step {
    submit(stage, &[None, Some(1)].map(|retry_after| (CallFault::TooMany { retry_after }, LATER))).await
}

/// Not let in, once.
pub(super) async fn refused(stage: &mut Stage) -> Step {
    submit(stage, &[(CallFault::NotAuthorised, NOT_LET_IN)]).await
}

/// A query meets the limit: it comes again, not before it was told to, or says that it met it.
pub(super) async fn queries(stage: &mut Stage) -> Step {
    for retry_after in [None, Some(1_u32)] {
        stage.renew()?;
        let probe = stage.connected().await?;
        if !stage.break_calls(Call::Orders, CallFault::TooMany { retry_after }, 1) {
            continue;
        }
        let (calls, started) = (stage.double.calls(Call::Orders), now());
        let answer = probe.open_orders().await?;
        let took = now().since(started);
        if stage.double.calls(Call::Orders) == calls {
            return Err(Stop::Skip("the broker makes no call for its queries".to_owned()));
        }
        match answer {
            Ok(_) => {
                let wait = Duration::from_secs(retry_after.unwrap_or(0).into());
                stage.check(took + Duration::from_millis(50) >= wait, || {
                    format!("the venue asked for {wait:?} of pause and the next call came after {took:?}")
                });
            }
            Err(error) => {
                stage.check(error.kind == BrokerErrorKind::RateLimited, || {
                    format!("too many requests is told as {error}")
                });
                let told = error.retry_after.map(|after| after.as_secs_f32().round());
                let wanted = retry_after.map(|seconds| Duration::from_secs(seconds.into()).as_secs_f32());
                let fits = wanted.is_none() || told == wanted;
                stage.check(fits, || {
                    format!("the venue said to come again after {wanted:?} s, and the error says {told:?}")
                });
            }
        }
        tokio::time::sleep(Duration::from_secs(retry_after.unwrap_or(0).into())).await;
        let answer = probe.open_orders().await?;
        stage.check(answer.is_ok(), || format!("after the limit the query gives {answer:?}"));
    }
    Ok(())
}

/// Several queries at once, well within what the venue allows.
pub(super) async fn burst(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let probe = probe.clone();
            tokio::spawn(async move { probe.open_orders().await })
        })
        .collect();
    for caller in callers {
        let answer = caller.await.map_err(|error| Stop::Fault(format!("a caller panicked: {error}")))??;
        stage.check(answer.is_ok(), || format!("one of eight queries at once gives {answer:?}"));
    }
    Ok(())
}

/// Tokens run out while there is trading.
pub(super) async fn tokens(stage: &mut Stage) -> Step {
    let scene = set(stage).await?;
    stage.act(&Act::ExpireTokens)?;
    let mut answer = scene.probe.account().await?;
    for _ in 0..5 {
        if answer.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        answer = scene.probe.account().await?;
    }
    stage.check(answer.is_ok(), || format!("after the token ran out, account gives {answer:?}"));
    stage.act(&Act::ExpireTokens)?;
    let order = stage.draft(scene.probe.capabilities())?.build()?;
    let before = stage.live();
    let outcome = scene.probe.submit(&order).await?;
    let made = stage.live() - before;
    let fits = match &outcome {
        SubmitOutcome::Accepted(_) => made == 1,
        SubmitOutcome::Rejected { .. } | SubmitOutcome::NotSent { .. } => made == 0,
        SubmitOutcome::Unknown { .. } => made <= 1,
    };
    stage.check(fits, || format!("an order after the token ran out made {made}, and gives {outcome:?}"));
    let (next, _) = match stage.rest(&scene.probe).await {
        Ok(rested) => rested,
        // A token may be renewed by whoever meets the refusal first.
        Err(_) => stage.rest(&scene.probe).await?,
    };
    let report = expect("order", scene.probe.of_key(&next).await?)?;
    stage.check(report.is_some(), || "an order after the token was renewed is not found".to_owned());
    stage.fill(&scene.reference, Decimal::TWO)?;
    stage.compare_fills(&scene.follower).await;
    Ok(())
}

/// The venue's clock is not ours.
pub(super) async fn clock(stage: &mut Stage) -> Step {
    for ahead in [5_000_i64, -5_000] {
        stage.renew()?;
        stage.act(&Act::Clock(ahead))?;
        let probe = stage.broker().await?;
        // A venue may let nobody in whose clock is so far away.
        let connected = probe.connect().await?;
        let checks = probe.diagnose(None).await?;
        let health = probe.health().await?;
        let told = health.clock_skew_ms;
        let measured = told.is_some_and(|told| (told - ahead).abs() < 2_000);
        let noticed = checks
            .iter()
            .any(|check| !check.ok && (check.name.contains("time") || check.name.contains("clock")));
        stage.check(measured || noticed || connected.is_err(), || {
            format!(
                "the venue's clock is {ahead} ms ahead, and health says {told:?} and the checks {checks:?}"
            )
        });
    }
    Ok(())
}
