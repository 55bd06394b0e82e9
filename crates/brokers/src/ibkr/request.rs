//! Orders and instruments as the library sends them. Pure.

use super::map;
use super::wire::{ContractFields, WireOrder, float};
use crate::kit::{Failure, FailureKind};
use ibapi::contracts::{Contract, SecurityType};
use ibapi::orders::{Action, Order as LibraryOrder, TimeInForce as LibraryTif};
use mts_foundation::broker::OrderChange;
use mts_foundation::{Decimal, Order, TimeInForce};

/// A contract as the library has it.
pub(super) fn library_contract(fields: &ContractFields) -> Contract {
    Contract {
        contract_id: fields.con_id,
        symbol: fields.symbol.as_str().into(),
        security_type: match fields.sec_type.as_str() {
            "STK" => SecurityType::Stock,
            "OPT" => SecurityType::Option,
            "FUT" => SecurityType::Future,
            "CASH" => SecurityType::ForexPair,
            "CRYPTO" => SecurityType::Crypto,
            other => SecurityType::Other(other.to_owned()),
        },
        last_trade_date_or_contract_month: fields.expiry.to_string(),
        exchange: fields.exchange.as_str().into(),
        primary_exchange: fields.primary_exchange.as_str().into(),
        currency: fields.currency.as_str().into(),
        local_symbol: fields.local_symbol.to_string(),
        ..Contract::default()
    }
}

/// A working order as it shall be, in our words and in the library's.
pub(super) fn changed_order(
    there: &WireOrder,
    change: &OrderChange,
) -> Result<(WireOrder, LibraryOrder), String> {
    let number = |field: &str, value: Decimal| {
        float(value).ok_or_else(|| format!("{field} {value}: TWS takes 15 digits; round it"))
    };
    let priced = |field: &str, is: Option<Decimal>, wanted: Option<Decimal>| match (is, wanted) {
        (None, Some(_)) => Err(format!("{field}: the order has none")),
        (is, wanted) => Ok(wanted.or(is).map(|price| price.normalize())),
    };
    let wanted = WireOrder {
        quantity: change.quantity.unwrap_or(there.quantity).normalize(),
        limit_price: priced("limit_price", there.limit_price, change.limit_price)?,
        stop_price: priced("stop_price", there.stop_price, change.stop_price)?,
        ..there.clone()
    };
    let body = LibraryOrder {
        action: if there.action == "BUY" { Action::Buy } else { Action::Sell },
        total_quantity: number("quantity", wanted.quantity)?,
        order_type: there.order_type.to_string(),
        limit_price: wanted.limit_price.map(|price| number("limit_price", price)).transpose()?,
        aux_price: wanted.stop_price.map(|price| number("stop_price", price)).transpose()?,
        tif: LibraryTif::from(there.tif.as_str()),
        outside_rth: there.outside_rth,
        order_ref: there.order_ref.to_string(),
        account: there.account.to_string(),
        transmit: true,
        ..LibraryOrder::default()
    };
    Ok((wanted, body))
}

/// An order as the library has it.
pub(super) fn library_order(order: &Order, order_ref: &str, account: &str) -> Result<LibraryOrder, Failure> {
    let number = |value: Decimal| {
        float(value).ok_or_else(|| {
            Failure::new(FailureKind::NotSent, format!("{value} has more digits than TWS takes"))
        })
    };
    Ok(LibraryOrder {
        action: if order.side.sign() > 0 { Action::Buy } else { Action::Sell },
        total_quantity: number(order.quantity)?,
        order_type: map::type_of(order.order_type).to_owned(),
        limit_price: order.limit_price.map(number).transpose()?,
        aux_price: order.stop_price.map(number).transpose()?,
        tif: match order.tif {
            TimeInForce::Day => LibraryTif::Day,
            TimeInForce::Gtc => LibraryTif::GoodTillCanceled,
            TimeInForce::Ioc => LibraryTif::ImmediateOrCancel,
            TimeInForce::Fok => LibraryTif::FillOrKill,
            TimeInForce::Opg => LibraryTif::OnOpen,
        },
        outside_rth: order.extended_hours,
        order_ref: order_ref.to_owned(),
        account: account.to_owned(),
        transmit: true,
        ..LibraryOrder::default()
    })
}
