//! What Alpaca takes, and why an order is refused before it is sent.

use super::symbols::SYMBOLS;
use mts_foundation::broker::{Capabilities, FillStream};

use mts_foundation::{AssetClass, Decimal, Order, OrderType, Side, TimeInForce};
use smol_str::SmolStr;

/// Requests a minute and key.
pub const REQUESTS_A_MINUTE: u32 = 200;

/// What this adapter takes.
#[must_use]
pub fn capabilities() -> Capabilities {
    use TimeInForce::{Day, Fok, Gtc, Ioc, Opg};
    let immediate = vec![Day, Gtc, Ioc, Fok, Opg];
    let mut capabilities = Capabilities::none();
    capabilities.order_types = vec![
        (OrderType::Market, immediate.clone()),
        (OrderType::Limit, immediate.clone()),
        (OrderType::MarketableLimit, immediate),
        (OrderType::Stop, vec![Day, Gtc]),
        (OrderType::StopLimit, vec![Day, Gtc]),
    ];
    capabilities.asset_classes = vec![AssetClass::Equities, AssetClass::Crypto];
    capabilities.shorting = true;
    capabilities.extended_hours = true;
    capabilities.client_id_dedupe = true;
    capabilities.fill_stream = FillStream::Push;
    capabilities.history_window = None;
    capabilities.gtc_max_days = Some(90);
    capabilities.sandbox = true;
    capabilities.margin = true;
    capabilities.rate_budgets = vec![(SmolStr::new_static("requests"), REQUESTS_A_MINUTE)];
    capabilities
}

/// Alpaca's name of the instrument of an order that it would take.
///
/// # Errors
/// Why it is not sent.
pub(super) fn accepted(capabilities: &Capabilities, order: &Order) -> Result<SmolStr, String> {
    let native = SYMBOLS.to_native(&order.symbol).map_err(|error| error.to_string())?;
    let (order_type, tif) = (order.order_type, order.tif);
    if !capabilities.takes(order_type, tif) {
        return Err(format!("order_type {order_type} with tif {tif}: Alpaca does not take it"));
    }
    match order.symbol.parts().map(|parts| parts.asset_class()) {
        Ok(AssetClass::Crypto) => of_crypto(order)?,
        Ok(AssetClass::Equities) => of_shares(order)?,
        _ => return Err(format!("symbol {}: this adapter trades shares and crypto", order.symbol)),
    }
    Ok(native)
}

fn of_crypto(order: &Order) -> Result<(), String> {
    if order.order_type == OrderType::Stop || !matches!(order.tif, TimeInForce::Gtc | TimeInForce::Ioc) {
        return Err(format!(
            "order_type {} with tif {}: for crypto Alpaca takes market, limit and stop_limit with gtc or ioc",
            order.order_type, order.tif
        ));
    }
    if matches!(order.side, Side::Short | Side::Cover) {
        return Err(format!("side {}: crypto cannot be sold short at Alpaca", order.side));
    }
    if order.extended_hours {
        return Err("extended_hours: crypto trades around the clock; leave it out".to_owned());
    }
    Ok(())
}

fn of_shares(order: &Order) -> Result<(), String> {
    let is_limit = matches!(order.order_type, OrderType::Limit | OrderType::MarketableLimit);
    if order.extended_hours && !(is_limit && order.tif == TimeInForce::Day) {
        return Err(format!(
            "extended_hours with order_type {} and tif {}: outside regular hours Alpaca takes limit orders for the day",
            order.order_type, order.tif
        ));
    }
    if !order.quantity.fract().is_zero() {
        if order.tif != TimeInForce::Day {
            return Err(format!(
                "quantity {} with tif {}: Alpaca takes parts of a share for the day only",
                order.quantity, order.tif
            ));
        }
        if matches!(order.side, Side::Short | Side::Cover) {
            return Err(format!("quantity {}: only whole shares are sold short", order.quantity));
        }
    }
    for (field, price) in [("limit_price", order.limit_price), ("stop_price", order.stop_price)] {
        let Some(price) = price else { continue };
        let places = if price >= Decimal::ONE { 2 } else { 4 };
        if price.normalize().scale() > places {
            return Err(format!(
                "{field} {price}: Alpaca takes {places} decimal places at this price; round it"
            ));
        }
    }
    Ok(())
}
