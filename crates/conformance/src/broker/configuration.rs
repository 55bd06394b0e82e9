//! C: what a broker says of itself.

use super::probe::expect;
use super::stage::Stage;
use super::stop::{Step, Stop};
use mts_foundation::TimeInForce;
use mts_foundation::broker::{BrokerErrorKind, FillStream};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeSet;

/// The name.
pub(super) async fn name(stage: &mut Stage) -> Step {
    let probe = stage.broker().await?;
    let (ours, theirs) = (probe.name().to_owned(), stage.double.name().to_owned());
    stage.check(ours == theirs, || format!("the broker calls itself {ours:?} and its double {theirs:?}"));
    let fit = |name: &str| {
        let letters =
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        letters && (1..=32).contains(&name.len())
    };
    stage.check(fit(&ours), || {
        format!("the name {ours:?} is none for a registry; use a-z, 0-9 and _, at most 32")
    });
    expect("connect", probe.connect().await?)?;
    let after = probe.name().to_owned();
    stage.check(after == ours, || format!("the name was {ours:?} and is {after:?} when connected"));
    Ok(())
}

/// Capabilities that can be meant.
pub(super) async fn capabilities(stage: &mut Stage) -> Step {
    let probe = stage.broker().await?;
    let claims = probe.capabilities().clone();
    let types: BTreeSet<_> = claims.order_types.iter().map(|(order_type, _)| *order_type).collect();
    stage.check(!types.is_empty(), || "order_types is empty; a broker takes some orders".to_owned());
    stage.check(types.len() == claims.order_types.len(), || "order_types names a type twice".to_owned());
    for (order_type, tifs) in &claims.order_types {
        let distinct: BTreeSet<_> = tifs.iter().collect();
        let fits = !tifs.is_empty() && distinct.len() == tifs.len();
        stage.check(fits, || {
            format!(
                "order_types has {order_type} with {tifs:?}; name each time in force once, and at least one"
            )
        });
    }
    let classes: BTreeSet<_> = claims.asset_classes.iter().collect();
    let fits = !classes.is_empty() && classes.len() == claims.asset_classes.len();
    stage.check(fits, || {
        format!("asset_classes is {:?}; name each class once, and at least one", claims.asset_classes)
    });
    let poll = !matches!(claims.fill_stream, FillStream::Poll { seconds: 0 });
    stage.check(poll, || "fill_stream polls every 0 seconds".to_owned());
    let budgets = claims.rate_budgets.iter().all(|(name, budget)| !name.is_empty() && *budget > 0);
    stage.check(budgets, || format!("rate_budgets has an empty name or budget: {:?}", claims.rate_budgets));
    let good_till = claims.order_types.iter().any(|(_, tifs)| tifs.contains(&TimeInForce::Gtc));
    stage.check(claims.gtc_max_days.is_none() || good_till, || {
        "gtc_max_days is set, and no type takes gtc".to_owned()
    });
    stage.check(claims.gtc_max_days != Some(0), || "gtc_max_days is 0".to_owned());
    for symbol in stage.double.symbols() {
        let class = symbol.parts().map(|parts| parts.asset_class());
        let fits = class.is_ok_and(|class| classes.contains(&class));
        stage.check(fits, || format!("{symbol} trades at the double and is of no class in asset_classes"));
    }
    Ok(())
}

/// They are what they were.
pub(super) async fn steady(stage: &mut Stage) -> Step {
    let probe = stage.broker().await?;
    let first = probe.capabilities().clone();
    expect("connect", probe.connect().await?)?;
    let connected = probe.capabilities().clone();
    expect("close", probe.close().await?)?;
    let closed = probe.capabilities().clone();
    let other = stage.broker().await?.capabilities().clone();
    for (now, when) in [(connected, "when connected"), (closed, "when closed"), (other, "in a second broker")]
    {
        stage.check(now == first, || {
            format!("capabilities are others {when}; they are data, fixed when the broker is made")
        });
    }
    Ok(())
}

/// Health.
pub(super) async fn health(stage: &mut Stage) -> Step {
    let probe = stage.broker().await?;
    let before = probe.health().await?;
    stage.check(!before.connected, || format!("before connect, health is {before:?}"));
    expect("connect", probe.connect().await?)?;
    let after = probe.health().await?;
    stage.check(after.connected && after.since.is_some(), || {
        format!("after connect, health is {after:?}; set connected and since")
    });
    expect("close", probe.close().await?)?;
    let closed = probe.health().await?;
    stage.check(!closed.connected, || format!("after close, health is {closed:?}"));
    Ok(())
}

/// Credentials that the venue does not take.
pub(super) async fn wrong_secrets(stage: &mut Stage) -> Step {
    let secrets = stage.double.credentials();
    if secrets.is_empty() {
        return Err(Stop::Skip("the double: it takes no credentials".to_owned()));
    }
    // Of the same form, so that what is decoded or parsed still can be.
    let turned = |secret: &SecretString| -> String {
        let turn = |letter: char| match letter {
            'a'..='y' | 'A'..='Y' | '0'..='8' => char::from_u32(u32::from(letter) + 1).unwrap_or(letter),
            'z' => 'a',
            'Z' => 'A',
            '9' => '0',
            other => other,
        };
        let text = secret.expose_secret();
        // The armour of keys in PEM must stay.
        if text.contains("-----") { text.to_owned() } else { text.chars().map(turn).collect() }
    };
    stage.setup.secrets =
        secrets.iter().map(|(name, secret)| (name.clone(), SecretString::from(turned(secret)))).collect();
    let Ok(probe) = stage.try_broker().await else {
        // Refused where it was made.
        stage.questions += 1;
        return Ok(());
    };
    let connected = probe.connect().await?;
    let order = stage.draft(probe.capabilities())?.build()?;
    let outcome = probe.submit(&order).await?;
    let taken = matches!(outcome, mts_foundation::broker::SubmitOutcome::Accepted(_));
    let orders = stage.double.orders().len();
    stage.check(!taken && orders == 0, || format!("with wrong secrets an order was taken: {outcome:?}"));
    let error = match connected {
        Err(error) => Some(error),
        Ok(()) => probe.account().await?.err(),
    };
    stage.check(error.as_ref().is_some_and(|error| error.kind == BrokerErrorKind::Auth), || {
        format!("with wrong secrets connect or account must fail with Auth, and gave {error:?}")
    });
    Ok(())
}
