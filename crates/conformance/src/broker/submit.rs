//! S: handing over orders.

use super::probe::Probe;
use super::stage::{QUIET, Stage, UNITS, above, below, resting_tif};
use super::stop::{Step, Stop};
use mts_foundation::broker::SubmitOutcome;
use mts_foundation::double::{Call, DoubleOrder};
use mts_foundation::{
    AssetClass, Decimal, Order, OrderBuilder, OrderState, OrderType, Side, Symbol, TimeInForce,
};
use std::fmt::Debug;

/// The prices that a type takes, away from the market.
fn priced(builder: OrderBuilder, order_type: OrderType) -> OrderBuilder {
    let builder = builder.order_type(order_type);
    // A stop to buy waits above the market; its limit is above the stop.
    match order_type {
        OrderType::Market => builder,
        OrderType::Limit | OrderType::MarketableLimit => builder.limit_price(below()),
        OrderType::Stop => builder.stop_price(above()),
        OrderType::StopLimit => builder.stop_price(above()).limit_price(above() + Decimal::ONE),
    }
}

/// What a venue calls a type: a marketable limit is a limit there.
fn at_venue(order_type: OrderType) -> OrderType {
    if order_type == OrderType::MarketableLimit { OrderType::Limit } else { order_type }
}

/// How the double's order differs from the one that was handed over.
pub(super) fn differences(order: &Order, there: &DoubleOrder) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |field: &str, same: bool, ordered: &dyn Debug, is: &dyn Debug| {
        if !same {
            found.push(format!("{field} was ordered as {ordered:?} and arrived as {is:?}"));
        }
    };
    let buys = order.side.sign() > 0;
    let (ordered, is) = (at_venue(order.order_type), at_venue(there.order_type));
    compare("symbol", order.symbol == there.symbol, &order.symbol, &there.symbol);
    compare("direction", buys == there.buys, &order.side, &there.buys);
    compare("quantity", order.quantity == there.quantity, &order.quantity, &there.quantity);
    compare("order_type", ordered == is, &ordered, &is);
    compare("tif", order.tif == there.tif, &order.tif, &there.tif);
    compare("limit_price", order.limit_price == there.limit_price, &order.limit_price, &there.limit_price);
    compare("stop_price", order.stop_price == there.stop_price, &order.stop_price, &there.stop_price);
    compare(
        "extended_hours",
        order.extended_hours == there.extended_hours,
        &order.extended_hours,
        &there.extended_hours,
    );
    found
}

/// Hands an order over that must be taken, and compares what the double then has.
pub(super) async fn arrives(stage: &mut Stage, probe: &Probe, order: &Order) -> Step {
    let before = stage.double.orders().len();
    let outcome = probe.submit(order).await?;
    let name = format!("{} {} {} of {}", order.side, order.order_type, order.tif, order.symbol);
    let new: Vec<DoubleOrder> = stage.double.orders().into_iter().skip(before).collect();
    let SubmitOutcome::Accepted(accepted) = outcome else {
        stage.check(false, || format!("{name} is claimed and was not taken: {outcome:?}"));
        return Ok(());
    };
    let [there] = new.as_slice() else {
        stage.check(false, || format!("{name} was accepted and made {} orders at the venue", new.len()));
        return Ok(());
    };
    stage.check(accepted.broker_order_id.as_ref() == Some(&there.id), || {
        format!("{name} was accepted as {:?}; the venue calls it {}", accepted.broker_order_id, there.id)
    });
    let differences = differences(order, there);
    stage.check(differences.is_empty(), || format!("{name}: {}", differences.join(", ")));
    Ok(())
}

/// Hands an order over that the capabilities do not claim: it must be refused here, and nothing may reach the venue.
pub(super) async fn stays_here(stage: &mut Stage, probe: &Probe, order: &Order, what: &str) -> Step {
    let (calls, before) = (stage.double.calls(Call::Submit), stage.double.orders().len());
    let outcome = probe.submit(order).await?;
    let refused = matches!(&outcome, SubmitOutcome::NotSent { reason } if !reason.is_empty());
    stage.check(refused, || {
        format!("{what} is not claimed; answer NotSent with a reason in place of {outcome:?}")
    });
    let (reached, after) = (stage.double.calls(Call::Submit) - calls, stage.double.orders().len());
    stage.check(reached == 0 && after == before, || {
        format!("{what} is not claimed and reached the venue all the same")
    });
    Ok(())
}

/// Every type with every time in force that is claimed.
pub(super) async fn claimed(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let claims = probe.capabilities().order_types.clone();
    for (order_type, tifs) in claims {
        for tif in tifs {
            let order = priced(stage.blank()?, order_type).tif(tif).build()?;
            arrives(stage, &probe, &order).await?;
        }
    }
    Ok(())
}

/// Every other one.
pub(super) async fn unclaimed(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    for order_type in OrderType::ALL.iter().copied() {
        for tif in TimeInForce::ALL.iter().copied() {
            if !probe.capabilities().takes(order_type, tif) {
                let order = priced(stage.blank()?, order_type).tif(tif).build()?;
                stays_here(stage, &probe, &order, &format!("{order_type} {tif}")).await?;
            }
        }
    }
    if stage.questions == 0 {
        return Err(Stop::Skip("capability order_types: every type and time in force is claimed".to_owned()));
    }
    Ok(())
}

/// What an acceptance says.
pub(super) async fn acknowledged(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let order = stage.draft(probe.capabilities())?.build()?;
    match probe.submit(&order).await? {
        SubmitOutcome::Accepted(accepted) => {
            stage.check(accepted.submitted_at.is_some(), || {
                "submitted_at of an accepted order is not set".to_owned()
            });
            stage.check(accepted.broker_order_id.is_some(), || {
                "broker_order_id of an accepted order is not set".to_owned()
            });
            let same = accepted.same_content(&order)
                && accepted.order_id == order.order_id
                && accepted.idempotency_key == order.idempotency_key;
            stage.check(same, || "the accepted order is not the one that was handed over".to_owned());
        }
        outcome => stage.faults.push(format!("an ordinary order was not taken: {outcome:?}")),
    }
    Ok(())
}

/// Buys and sells what is held.
pub(super) async fn sides(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let (bought, reference) = stage.rest(&probe).await?;
    stage.fill(&reference, bought.quantity)?;
    let tif = resting_tif(probe.capabilities())?;
    let sale = stage.blank()?.side(Side::Sell).quantity(Decimal::from(4)).order_type(OrderType::Limit);
    let sale = sale.limit_price(above()).tif(tif).build()?;
    arrives(stage, &probe, &sale).await
}

/// Sells short, where it is claimed.
pub(super) async fn shorts(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    if !probe.capabilities().shorting {
        return Err(Stop::capability("shorting"));
    }
    let tif = resting_tif(probe.capabilities())?;
    let short = stage
        .blank()?
        .side(Side::Short)
        .order_type(OrderType::Limit)
        .limit_price(above())
        .tif(tif)
        .build()?;
    arrives(stage, &probe, &short).await?;
    let Some(there) = stage.double.orders().pop() else { return Ok(()) };
    stage.happen(mts_foundation::double::Happening::Fill {
        order: there.id,
        quantity: UNITS,
        price: None,
    })?;
    let cover = stage
        .blank()?
        .side(Side::Cover)
        .order_type(OrderType::Limit)
        .limit_price(below())
        .tif(tif)
        .build()?;
    arrives(stage, &probe, &cover).await
}

/// Refuses short sales, where they are not.
pub(super) async fn no_shorts(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    if probe.capabilities().shorting {
        return Err(Stop::Skip("capability shorting: claimed".to_owned()));
    }
    let tif = resting_tif(probe.capabilities())?;
    let short = stage
        .blank()?
        .side(Side::Short)
        .order_type(OrderType::Limit)
        .limit_price(above())
        .tif(tif)
        .build()?;
    stays_here(stage, &probe, &short, "a short sale").await
}

/// Orders for extended hours, where they are claimed.
pub(super) async fn extended(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    if !probe.capabilities().extended_hours {
        return Err(Stop::capability("extended_hours"));
    }
    for wanted in [true, false] {
        let order = stage.draft(probe.capabilities())?.extended_hours(wanted).build()?;
        arrives(stage, &probe, &order).await?;
    }
    Ok(())
}

/// Refuses them, where they are not.
pub(super) async fn not_extended(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    if probe.capabilities().extended_hours {
        return Err(Stop::Skip("capability extended_hours: claimed".to_owned()));
    }
    let order = stage.draft(probe.capabilities())?.extended_hours(true).build()?;
    stays_here(stage, &probe, &order, "an order for extended hours").await
}

/// A symbol of each class, in canonical form.
const OF_CLASSES: [(AssetClass, &str); 7] = [
    (AssetClass::Equities, "AAPL"),
    (AssetClass::Options, "AAPL291221C00200000"),
    (AssetClass::Fx, "EUR-USD"),
    (AssetClass::Futures, "ESZ29"),
    (AssetClass::Crypto, "BTC-USD"),
    (AssetClass::Prediction, "PM:CONFORMANCE"),
    (AssetClass::Sports, "SP:CONFORMANCE"),
];

/// Classes that are not claimed.
pub(super) async fn other_classes(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    for (class, name) in OF_CLASSES {
        if probe.capabilities().asset_classes.contains(&class) {
            continue;
        }
        let Ok(symbol) = Symbol::new(name) else { continue };
        let order = stage.draft(probe.capabilities())?.symbol(symbol).build()?;
        stays_here(stage, &probe, &order, &format!("{name}, of the class {class},")).await?;
    }
    if stage.questions == 0 {
        return Err(Stop::Skip("capability asset_classes: every class is claimed".to_owned()));
    }
    Ok(())
}

/// Instruments that the venue does not have, and quantities beyond its means: it tells the truth about what the venue said.
pub(super) async fn refused(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let strange = stage.draft(probe.capabilities())?.symbol("ZZZZZ").build()?;
    let large = stage.draft(probe.capabilities())?.quantity(Decimal::from(900_000_000_000_u64)).build()?;
    for (order, what) in
        [(strange, "an instrument that does not exist"), (large, "a quantity beyond all means")]
    {
        let before = stage.live();
        let outcome = probe.submit(&order).await?;
        tokio::time::sleep(QUIET).await;
        let lives = stage.live() > before;
        let fits = match &outcome {
            SubmitOutcome::Accepted(_) => lives,
            SubmitOutcome::Rejected { reason } | SubmitOutcome::NotSent { reason } => {
                !lives && !reason.is_empty()
            }
            SubmitOutcome::Unknown { .. } => false,
        };
        stage.check(fits, || {
            format!(
                "{what}: the venue {}, the outcome is {outcome:?}",
                if lives { "took it" } else { "refused it" }
            )
        });
    }
    Ok(())
}

/// A market order fills at the touch.
pub(super) async fn at_the_touch(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let tifs = TimeInForce::ALL.iter().copied().filter(|tif| *tif != TimeInForce::Opg);
    let Some(tif) = tifs.into_iter().find(|tif| probe.capabilities().takes(OrderType::Market, *tif)) else {
        return Err(Stop::capability("order_types (market)"));
    };
    stage.act(&mts_foundation::double::Act::Matching(true))?;
    let order = stage.blank()?.order_type(OrderType::Market).tif(tif).build()?;
    let reference = stage.place(&probe, &order).await?;
    let double = std::sync::Arc::clone(&stage.double);
    super::stage::within(super::stage::PATIENCE, || {
        double
            .orders()
            .iter()
            .any(|there| there.id == reference.broker_order_id && there.state == OrderState::Filled)
    })
    .await;
    let report = super::probe::expect("order", probe.of_key(&order).await?)?;
    let filled = report
        .as_ref()
        .is_some_and(|report| report.filled == order.quantity && report.state == OrderState::Filled);
    stage.check(filled, || format!("a market order filled at the venue is reported as {report:?}"));
    Ok(())
}
