//! What Interactive Brokers takes, and why an order is refused before it is sent.

use super::config::IbkrConfig;
use super::contracts::{ContractFields, contract_of};
use super::wire::float;
use mts_foundation::broker::{Capabilities, FillStream};
use mts_foundation::{AssetClass, Order, OrderType, Side, TimeInForce};
use smol_str::SmolStr;

/// Messages a second that this adapter sends at most; TWS takes 50 of all its clients together.
pub const MESSAGES_A_SECOND: u32 = 45;

/// What this adapter takes with the settings that it has unless told otherwise.
#[must_use]
pub fn capabilities() -> Capabilities {
    use TimeInForce::{Day, Fok, Gtc, Ioc, Opg};
    let mut capabilities = Capabilities::none();
    capabilities.order_types = vec![
        (OrderType::Market, vec![Day, Gtc, Ioc, Opg]),
        (OrderType::Limit, vec![Day, Gtc, Ioc, Fok, Opg]),
        (OrderType::MarketableLimit, vec![Day, Gtc, Ioc, Fok, Opg]),
        (OrderType::Stop, vec![Day, Gtc]),
        (OrderType::StopLimit, vec![Day, Gtc]),
    ];
    capabilities.asset_classes = vec![
        AssetClass::Equities,
        AssetClass::Options,
        AssetClass::Futures,
        AssetClass::Fx,
        AssetClass::Crypto,
    ];
    capabilities.shorting = true;
    capabilities.extended_hours = true;
    // By the order id, which is reserved for a key before anything is sent.
    capabilities.client_id_dedupe = true;
    capabilities.replace = true;
    capabilities.fill_stream = FillStream::Push;
    capabilities.history_window = Some(IbkrConfig::default().history());
    capabilities.gtc_max_days = None;
    capabilities.sandbox = true;
    capabilities.margin = true;
    capabilities.rate_budgets = vec![(SmolStr::new_static("messages"), MESSAGES_A_SECOND * 60)];
    capabilities
}

/// The instrument of an order that it would take.
///
/// # Errors
/// Why it is not sent.
pub(super) fn accepted(
    capabilities: &Capabilities,
    config: &IbkrConfig,
    order: &Order,
) -> Result<ContractFields, String> {
    let contract = contract_of(&order.symbol, &config.exchanges)?;
    let (order_type, tif) = (order.order_type, order.tif);
    if !capabilities.takes(order_type, tif) {
        return Err(format!("order_type {order_type} with tif {tif}: Interactive Brokers does not take it"));
    }
    let is_crypto = contract.sec_type == "CRYPTO";
    if is_crypto && order_type == OrderType::Market && order.side.sign() > 0 {
        return Err(
            "order_type market: crypto is bought for an amount of money there; use a limit".to_owned()
        );
    }
    if is_crypto && matches!(order.side, Side::Short | Side::Cover) {
        return Err(format!("side {}: crypto cannot be sold short there", order.side));
    }
    let is_limit = matches!(order_type, OrderType::Limit | OrderType::MarketableLimit);
    if order.extended_hours && !is_limit {
        return Err(format!(
            "extended_hours with order_type {order_type}: outside regular hours only limit orders trade"
        ));
    }
    let numbers = [
        ("quantity", Some(order.quantity)),
        ("limit_price", order.limit_price),
        ("stop_price", order.stop_price),
    ];
    for (field, number) in numbers {
        if let Some(number) = number
            && float(number).is_none()
        {
            return Err(format!("{field} {number}: TWS takes 15 digits; round it"));
        }
    }
    Ok(contract)
}
