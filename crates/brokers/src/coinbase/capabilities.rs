//! What Coinbase takes, and why an order is refused before it is sent.

use super::symbols::SYMBOLS;
use mts_foundation::broker::{Capabilities, FillStream};
use mts_foundation::{AssetClass, Order, OrderType, Side, TimeInForce};
use smol_str::SmolStr;

/// Requests a minute. The documents speak of 30 a second and of 10,000 an hour: bursts stay well below the one, and a day's
/// trading below the other.
pub const REQUESTS_A_MINUTE: u32 = 600;

/// What this adapter takes.
#[must_use]
pub fn capabilities() -> Capabilities {
    use TimeInForce::{Day, Fok, Gtc, Ioc};
    let limit = vec![Day, Gtc, Ioc, Fok];
    let mut capabilities = Capabilities::none();
    capabilities.order_types = vec![
        (OrderType::Market, vec![Ioc]),
        (OrderType::Limit, limit.clone()),
        (OrderType::MarketableLimit, limit),
        (OrderType::StopLimit, vec![Day, Gtc]),
    ];
    capabilities.asset_classes = vec![AssetClass::Crypto];
    capabilities.client_id_dedupe = true;
    capabilities.fill_stream = FillStream::Push;
    capabilities.history_window = None;
    capabilities.rate_budgets = vec![(SmolStr::new_static("requests"), REQUESTS_A_MINUTE)];
    capabilities
}

/// Coinbase's name of the instrument of an order that it would take.
///
/// # Errors
/// Why it is not sent.
pub(super) fn accepted(capabilities: &Capabilities, order: &Order) -> Result<SmolStr, String> {
    let class = order.symbol.parts().map(|parts| parts.asset_class());
    if class != Ok(AssetClass::Crypto) {
        return Err(format!("symbol {}: Coinbase trades crypto", order.symbol));
    }
    let native = SYMBOLS.to_native(&order.symbol).map_err(|error| error.to_string())?;
    let (order_type, tif) = (order.order_type, order.tif);
    if !capabilities.takes(order_type, tif) {
        let instead = match order_type {
            OrderType::Market => "; a market order is ioc",
            OrderType::Stop => "; use stop_limit",
            _ => "",
        };
        return Err(format!("order_type {order_type} with tif {tif}: Coinbase does not take it{instead}"));
    }
    if matches!(order.side, Side::Short | Side::Cover) {
        return Err(format!("side {}: crypto cannot be sold short at Coinbase", order.side));
    }
    if order.extended_hours {
        return Err("extended_hours: crypto trades around the clock; leave it out".to_owned());
    }
    Ok(native)
}
