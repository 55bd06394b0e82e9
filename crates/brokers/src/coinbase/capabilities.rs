//! What Coinbase takes, and why an order is refused before it is sent.

use super::symbols::SYMBOLS;
use mts_foundation::broker::{Capabilities, FillStream};
use mts_foundation::{AssetClass, Order, OrderType, Side, TimeInForce};
use smol_str::SmolStr;

/// Requests at once. The documents of Advanced Trade allow a user 30 a second
/// (docs.cloud.coinbase.com/advanced-trade/docs/rest-api-rate-limits), those of the platform that it is a part of allow a
/// key 10,000 an hour (docs.cdp.coinbase.com/coinbase-app/api-architecture/rate-limiting). Neither says that the other does
/// not hold: both are kept to.
pub const REQUESTS_AT_ONCE: u32 = 20;
/// Requests a minute, for the reasons of [`REQUESTS_AT_ONCE`].
pub const REQUESTS_A_MINUTE: u32 = 160;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_and_no_hour_has_more_requests_than_the_documents_allow() {
        let budgets = capabilities().rate_budgets;
        let [(_, a_minute)] = budgets[..] else { panic!("{budgets:?}") };
        assert!(REQUESTS_AT_ONCE + a_minute.div_ceil(60) <= 30);
        assert!(REQUESTS_AT_ONCE + a_minute * 60 <= 10_000);
    }
}
