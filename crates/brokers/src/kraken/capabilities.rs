//! What Kraken takes, and why an order is refused before it is sent.

use super::config::KrakenConfig;
use super::pairs::{Pair, Pairs};
use mts_foundation::broker::{Capabilities, FillStream};
use mts_foundation::num::is_multiple;
use mts_foundation::{AssetClass, Order, OrderType, Side, TimeInForce};
use smol_str::SmolStr;

/// The budget of private calls that are no orders and no cancellations.
pub const PRIVATE: &str = "private";

/// What this adapter takes of an account with these settings.
#[must_use]
pub fn capabilities(config: &KrakenConfig) -> Capabilities {
    use TimeInForce::{Day, Fok, Gtc, Ioc};
    let mut capabilities = Capabilities::none();
    capabilities.order_types = vec![
        // A market order's life is not documented beyond these.
        (OrderType::Market, vec![Gtc, Ioc]),
        (OrderType::Limit, vec![Day, Gtc, Ioc, Fok]),
        (OrderType::MarketableLimit, vec![Day, Gtc, Ioc, Fok]),
        (OrderType::Stop, vec![Day, Gtc]),
        (OrderType::StopLimit, vec![Day, Gtc]),
    ];
    capabilities.asset_classes = vec![AssetClass::Crypto, AssetClass::Fx];
    // Among open orders alone: after an order has ended the venue takes its id again.
    capabilities.client_id_dedupe = false;
    capabilities.replace = true;
    capabilities.fill_stream = FillStream::Push;
    capabilities.history_window = None;
    capabilities.rate_budgets = vec![(SmolStr::new_static(PRIVATE), config.budget())];
    capabilities
}

/// The pair of an order that the venue would take.
///
/// # Errors
/// Why it is not sent.
pub(super) fn accepted<'a>(
    capabilities: &Capabilities,
    pairs: &'a Pairs,
    order: &Order,
) -> Result<&'a Pair, String> {
    let (order_type, tif) = (order.order_type, order.tif);
    if !capabilities.takes(order_type, tif) {
        return Err(format!("order_type {order_type} with tif {tif}: Kraken does not take it"));
    }
    match order.symbol.parts().map(|parts| parts.asset_class()) {
        Ok(class) if capabilities.asset_classes.contains(&class) => {}
        _ => return Err(format!("symbol {}: this adapter trades coins and currencies", order.symbol)),
    }
    let pair = pairs.of_symbol(&order.symbol).ok_or_else(|| {
        format!(
            "symbol {}: Kraken lists no such pair; see its list, and connect again after a new listing",
            order.symbol
        )
    })?;
    if pair.quote != pairs.currency() {
        return Err(format!(
            "symbol {}: it is paid in {}, and the account's currency is {}; set broker.params.currency",
            order.symbol,
            pair.quote,
            pairs.currency()
        ));
    }
    if matches!(order.side, Side::Short | Side::Cover) {
        return Err(format!(
            "side {}: this adapter trades without margin; nothing can be sold short",
            order.side
        ));
    }
    if order.extended_hours {
        return Err("extended_hours: Kraken trades around the clock; leave it out".to_owned());
    }
    if !is_multiple(order.quantity, pair.lot) {
        return Err(format!(
            "quantity {}: Kraken takes multiples of {} of it; round it",
            order.quantity, pair.lot
        ));
    }
    for (field, price) in [("limit_price", order.limit_price), ("stop_price", order.stop_price)] {
        if let Some(price) = price.filter(|price| !is_multiple(*price, pair.tick)) {
            return Err(format!(
                "{field} {price}: Kraken takes multiples of {} for {}; round it",
                pair.tick, order.symbol
            ));
        }
    }
    Ok(pair)
}
