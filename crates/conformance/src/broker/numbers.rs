//! N: numbers arrive as they left, to the last digit.

use super::probe::{Probe, expect};
use super::stage::{PATIENCE, QUIET, Stage, above, within};
use super::stop::{Step, Stop};
use super::submit::differences;
use mts_foundation::broker::{BrokerOrderRef, SubmitOutcome};
use mts_foundation::double::Happening;
use mts_foundation::{AssetClass, Decimal, Order, OrderType, Side, Symbol};
use std::sync::Arc;

/// An instrument with fractions of units, if the double has one.
fn fractional(stage: &Stage) -> Option<Symbol> {
    let crypto =
        |symbol: &Symbol| symbol.parts().is_ok_and(|parts| parts.asset_class() == AssetClass::Crypto);
    let symbols = stage.double.symbols();
    symbols.iter().find(|symbol| crypto(symbol)).or(symbols.first()).cloned()
}

/// Hands an order over; if it was taken it has arrived as it was. Its name at the venue.
async fn exactly(stage: &mut Stage, probe: &Probe, order: &Order) -> Step<Option<BrokerOrderRef>> {
    let before = stage.double.orders().len();
    let outcome = probe.submit(order).await?;
    let there = stage.double.orders().get(before).cloned();
    let number = format!("{} at {:?}", order.quantity, order.limit_price);
    match (&outcome, there) {
        (SubmitOutcome::Accepted(accepted), Some(there)) => {
            let differences = differences(order, &there);
            stage.check(differences.is_empty(), || format!("{number}: {}", differences.join(", ")));
            return Ok(super::stage::reference(accepted));
        }
        (SubmitOutcome::Accepted(_), None) => {
            stage.check(false, || format!("{number} was accepted, and the venue has no order of it"));
        }
        // Refused because of its steps, here or there; what was refused there may still be listed.
        (_, Some(there)) => {
            let same = there.quantity == order.quantity && there.limit_price == order.limit_price;
            stage
                .check(same, || format!("{number} arrived as {} at {:?}", there.quantity, there.limit_price));
        }
        (_, None) => {}
    }
    Ok(None)
}

/// Prices and quantities, small, large, and with many places: whatever is taken is taken exactly.
pub(super) async fn orders(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let Some(symbol) = fractional(stage) else { return Ok(()) };
    let mut taken = 0;
    let quantities = ["1", "3", "0.1", "0.3", "0.00000001", "1.23456789", "123", "0.5"];
    let prices = ["99.01", "99.1", "0.3", "0.0001", "98.7654321", "0.00001234", "99.990"];
    let pairs =
        quantities.map(|quantity| (quantity, "99.01")).into_iter().chain(prices.map(|price| ("1", price)));
    for (quantity, price) in pairs {
        let (Ok(quantity), Ok(price)) = (quantity.parse::<Decimal>(), price.parse::<Decimal>()) else {
            continue;
        };
        let order =
            stage.draft_of(probe.capabilities(), &symbol)?.quantity(quantity).limit_price(price).build()?;
        taken += usize::from(exactly(stage, &probe, &order).await?.is_some());
    }
    stage.check(taken > 0, || "of fifteen orders none was taken; 1 at 99.01 is ordinary".to_owned());
    Ok(())
}

/// A tenth and two tenths are three tenths.
pub(super) async fn tenths(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let Some(symbol) = fractional(stage) else { return Ok(()) };
    let [one, two, three] = [1, 2, 3].map(|tenths| Decimal::new(tenths, 1));
    let order = stage.draft_of(probe.capabilities(), &symbol)?.quantity(three).build()?;
    let Some(reference) = exactly(stage, &probe, &order).await? else {
        return Err(Stop::Skip(format!("the double: {symbol} does not trade in tenths")));
    };
    stage.fill(&reference, one)?;
    stage.fill(&reference, two)?;
    let mut report = expect("order", probe.of_key(&order).await?)?;
    for _ in 0..10 {
        if report.as_ref().is_some_and(|report| report.filled == three) {
            break;
        }
        tokio::time::sleep(QUIET).await;
        report = expect("order", probe.of_key(&order).await?)?;
    }
    let is = report.as_ref().is_some_and(|report| report.filled == three && report.state.is_terminal());
    stage.check(is, || format!("0.1 and 0.2 of 0.3 were filled, and the order is reported as {report:?}"));
    let held = expect("positions", probe.positions().await?)?;
    let units = held.iter().find(|held| held.symbol == symbol).map(|held| held.quantity);
    let there = stage.double.account().positions.get(&symbol).copied();
    stage.check(units == there, || format!("the position is told as {units:?} and is {there:?}"));
    Ok(())
}

/// Executions at prices with many places, and what they cost.
pub(super) async fn fills(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let follower = stage.follow(&probe, None).await;
    let (_, reference) = stage.rest(&probe).await?;
    for price in ["98.99", "98.9876", "98.7", "98.12345678"] {
        let Ok(price) = price.parse::<Decimal>() else { continue };
        let order = reference.broker_order_id.clone();
        stage.try_act(&mts_foundation::double::Act::Happen(Happening::Fill {
            order,
            quantity: Decimal::ONE,
            price: Some(price),
        }));
    }
    if stage.double.fills().is_empty() {
        return Ok(());
    }
    stage.compare_fills(&follower).await;
    let report = expect(
        "order",
        probe.order(&mts_foundation::broker::OrderRef::Venue(reference.broker_order_id)).await?,
    )?;
    let fills = stage.double.fills();
    let units: Decimal = fills.iter().map(|fill| fill.quantity).sum();
    let value: Decimal = fills.iter().map(|fill| fill.quantity * fill.price).sum();
    let average = value.checked_div(units).unwrap_or_default();
    let told = report.as_ref().and_then(|report| report.average_price).unwrap_or_default();
    // Venues round averages, at worst to the hundredth.
    stage.check((told - average).abs() <= Decimal::new(1, 2), || {
        format!("the average of the fills is {average} and is told as {told}")
    });
    Ok(())
}

/// What a sale and a purchase cost, in the currency of the account.
pub(super) async fn fees(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let follower = stage.follow(&probe, None).await;
    let symbols = stage.double.symbols();
    for symbol in symbols.iter().take(4) {
        let buy = stage.draft_of(probe.capabilities(), symbol)?.build()?;
        let reference = stage.place(&probe, &buy).await?;
        stage.fill(&reference, buy.quantity)?;
        let sell = stage.blank()?.symbol(symbol).side(Side::Sell).quantity(Decimal::TWO);
        let sell = sell.order_type(OrderType::Limit).limit_price(above()).tif(buy.tif).build()?;
        let reference = stage.place(&probe, &sell).await?;
        stage.fill(&reference, sell.quantity)?;
    }
    stage.compare_fills(&follower).await;
    let told: Decimal = follower.told().fills.values().map(|fill| fill.fees).sum();
    let are: Decimal = stage.double.fills().iter().map(|fill| fill.fees).sum();
    stage.check(told == are, || format!("fees add up to {told} and are {are}"));
    let cash = expect("account", probe.account().await?)?.cash;
    let there = stage.double.account().cash;
    stage.check(cash == there, || format!("cash is told as {cash} and is {there}"));
    Ok(())
}

/// Every instrument of the double goes there and comes back under its own name.
pub(super) async fn symbols(stage: &mut Stage) -> Step {
    let probe = stage.connected().await?;
    let follower = stage.follow(&probe, None).await;
    for symbol in stage.double.symbols() {
        let order = stage.draft_of(probe.capabilities(), &symbol)?.build()?;
        let reference = stage.place(&probe, &order).await?;
        let there = stage.at_venue(&reference.broker_order_id).map(|there| there.symbol);
        stage.check(there.as_ref() == Some(&symbol), || format!("{symbol} arrived as {there:?}"));
        let open = expect("open_orders", probe.open_orders().await?)?;
        let report = open.into_iter().find(|report| report.broker_order_id == reference.broker_order_id);
        let told = report.map(|report| report.symbol);
        stage.check(told.as_ref() == Some(&symbol), || {
            format!("an open order in {symbol} is told as one in {told:?}")
        });
        stage.fill(&reference, order.quantity)?;
        let double = Arc::clone(&stage.double);
        within(PATIENCE, || follower.told().lacks(&double.fills()).is_empty()).await;
        let fill = follower
            .told()
            .fills
            .values()
            .find(|fill| fill.order_id == order.order_id)
            .map(|fill| fill.symbol.clone());
        stage.check(fill.as_ref() == Some(&symbol), || {
            format!("a fill in {symbol} is told as one in {fill:?}")
        });
        let held = expect("positions", probe.positions().await?)?;
        stage.check(held.iter().any(|held| held.symbol == symbol), || {
            let symbols: Vec<_> = held.iter().map(|held| held.symbol.as_str()).collect();
            format!("a position in {symbol} is told as {symbols:?}")
        });
    }
    Ok(())
}
