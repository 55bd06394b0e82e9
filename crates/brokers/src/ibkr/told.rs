//! The library's words in ours. Numbers become exact here, and nowhere else.

use super::wire::{ContractFields, Told, WireExecution, WireFees, WireNotice, WireOrder, WireStatus, exact};
use crate::kit::{Failure, number};
use chrono::{NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use ibapi::Notice;
use ibapi::contracts::Contract;
use ibapi::orders::{
    CommissionReport, ExecutionData, ExecutionSide, OrderData, OrderStatus, OrderStatusKind, OrderUpdate,
};
use mts_foundation::{Decimal, Timestamp};
use smol_str::{SmolStr, ToSmolStr};

fn number_of(field: &'static str, value: f64) -> Result<Decimal, Failure> {
    exact(value).ok_or_else(|| Failure::unreadable(format!("{field} is {value:e}, which is no amount")))
}

fn option_of(field: &'static str, value: Option<f64>) -> Result<Option<Decimal>, Failure> {
    // The library says what is not set as nothing, TWS at times as zero.
    value.filter(|value| *value != 0.0).map(|value| number_of(field, value)).transpose()
}

/// The fields of a contract.
pub(super) fn contract(told: &Contract) -> Result<ContractFields, Failure> {
    let multiplier = match told.multiplier.as_str() {
        "" => Decimal::ONE,
        text => number::parse(text).ok_or_else(|| Failure::unreadable(format!("multiplier is {text}")))?,
    };
    Ok(ContractFields { multiplier, ..contract_of_one(told) })
}

fn contract_of_one(told: &Contract) -> ContractFields {
    ContractFields {
        con_id: told.contract_id,
        sec_type: told.security_type.to_smolstr(),
        symbol: told.symbol.to_smolstr(),
        local_symbol: told.local_symbol.as_str().into(),
        expiry: told.last_trade_date_or_contract_month.as_str().into(),
        strike: exact(told.strike).unwrap_or_default(),
        right: told.right.map(|right| right.to_smolstr()).unwrap_or_default(),
        multiplier: Decimal::ONE,
        exchange: told.exchange.to_smolstr(),
        primary_exchange: told.primary_exchange.to_smolstr(),
        currency: told.currency.to_smolstr(),
    }
}

fn status_name(status: &OrderStatusKind) -> SmolStr {
    status.to_smolstr()
}

/// An order, open or ended.
pub(super) fn order(told: &OrderData) -> Result<WireOrder, Failure> {
    let (order, state) = (&told.order, &told.order_state);
    let (limit, stop) = match order.order_type.as_str() {
        "MKT" => (None, None),
        "LMT" => (order.limit_price, None),
        "STP" => (None, order.aux_price),
        _ => (order.limit_price, order.aux_price),
    };
    let ended = [state.reject_reason.as_str(), state.completed_status.as_str()];
    Ok(WireOrder {
        order_id: if told.order_id > 0 { told.order_id } else { order.order_id },
        client_id: order.client_id,
        perm_id: order.perm_id,
        order_ref: order.order_ref.as_str().into(),
        account: order.account.as_str().into(),
        contract: contract(&told.contract)?,
        action: order.action.to_smolstr(),
        quantity: number_of("totalQuantity", order.total_quantity)?,
        order_type: order.order_type.as_str().into(),
        limit_price: option_of("lmtPrice", limit)?,
        stop_price: option_of("auxPrice", stop)?,
        tif: order.tif.to_smolstr(),
        outside_rth: order.outside_rth,
        status: status_name(&state.status),
        filled: number_of("filledQuantity", order.filled_quantity)?,
        average_price: None,
        reason: ended.into_iter().find(|words| !words.is_empty()).unwrap_or_default().into(),
    })
}

/// Where an order is.
pub(super) fn status(told: &OrderStatus) -> Result<WireStatus, Failure> {
    Ok(WireStatus {
        order_id: told.order_id,
        client_id: told.client_id,
        perm_id: told.perm_id,
        status: status_name(&told.status),
        filled: number_of("filled", told.filled)?,
        average_price: option_of("avgFillPrice", told.average_fill_price)?,
    })
}

/// A trade. `zone` = TWS's own, for times that name none. What cannot be read of it is its fault alone.
pub(super) fn execution(told: &ExecutionData, zone: Option<&str>) -> WireExecution {
    let it = &told.execution;
    let mut fault = SmolStr::default();
    let mut blame = |failure: Failure| fault = failure.message.into();
    let mut amount = |field, value| {
        number_of(field, value).unwrap_or_else(|failure| {
            blame(failure);
            Decimal::ZERO
        })
    };
    let (quantity, price) = (amount("shares", it.shares), amount("price", it.price));
    let cumulative = amount("cumQty", it.cumulative_quantity);
    let time = time(&it.time, zone).map(|time| time.to_smolstr()).map_err(&mut blame).unwrap_or_default();
    let contract =
        contract(&told.contract).map_err(blame).unwrap_or_else(|()| contract_of_one(&told.contract));
    WireExecution {
        id: it.execution_id.as_str().into(),
        order_id: it.order_id,
        client_id: it.client_id,
        perm_id: it.perm_id,
        order_ref: it.order_reference.as_str().into(),
        account: it.account_number.as_str().into(),
        contract,
        bought: it.side == ExecutionSide::Bought,
        quantity,
        price,
        cumulative,
        exchange: it.exchange.as_str().into(),
        time,
        fault,
    }
}

/// What a trade has cost; the rate is for others to know.
pub(super) fn fees(told: &CommissionReport) -> Result<WireFees, Failure> {
    Ok(WireFees {
        id: told.execution_id.as_str().into(),
        amount: number_of("commissionAndFees", told.commission)?,
        currency: told.currency.as_str().into(),
        rate: None,
    })
}

/// A message for people.
pub(super) fn notice(told: &Notice) -> WireNotice {
    WireNotice { about: told.request_id, code: told.code, message: told.message.clone() }
}

/// What the stream of updates says; `None` = nothing new. Costs come without their rate.
pub(super) fn update(told: &OrderUpdate, zone: Option<&str>) -> Result<Option<Told>, Failure> {
    Ok(match told {
        OrderUpdate::OpenOrder(data) => Some(Told::Order(order(data)?)),
        OrderUpdate::OrderStatus(data) => Some(Told::Status(status(data)?)),
        // The answers to whoever asks for executions come here as well, as old as they may be; they have the question's number.
        OrderUpdate::ExecutionData(data) if data.request_id > 0 => None,
        OrderUpdate::ExecutionData(data) => {
            Some(Told::Execution { execution: execution(data, zone), fees: None })
        }
        // A cost that is no amount is not known yet.
        OrderUpdate::CommissionReport(data) => fees(data).ok().map(Told::Fees),
        OrderUpdate::OrderBound(_) => None,
    })
}

/// An instant as TWS writes it: `20261121 02:59:14 US/Eastern`, `20261121-07:59:14` (UTC), or without a zone, which is then
/// TWS's own. In the hour that a zone has twice it is the first.
pub(super) fn time(text: &str, zone: Option<&str>) -> Result<Timestamp, Failure> {
    let unreadable = || Failure::unreadable(format!("{text:?} is no instant of TWS"));
    let parse = |text: &str, form: &str| NaiveDateTime::parse_from_str(text, form).ok();
    let mut words = text.split_whitespace();
    let (first, second, named) = (words.next().ok_or_else(unreadable)?, words.next(), words.next());
    let Some(second) = second else {
        let utc = parse(first, "%Y%m%d-%H:%M:%S").ok_or_else(unreadable)?;
        return Ok(Timestamp::from(utc.and_utc()));
    };
    let local = parse(&format!("{first} {second}"), "%Y%m%d %H:%M:%S").ok_or_else(unreadable)?;
    let zone = named.or(zone).unwrap_or("UTC");
    let zone: Tz = zone.parse().map_err(|_| {
        Failure::unreadable(format!("the time zone {zone} is not known; set TWS to send times in UTC"))
    })?;
    let time = zone.from_local_datetime(&local).earliest().ok_or_else(unreadable)?;
    Ok(Timestamp::from(time.with_timezone(&Utc)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_answer_to_a_question_is_no_news() {
        let told = |request_id| {
            let mut data = ExecutionData { request_id, ..ExecutionData::default() };
            data.execution.time = "20261121-07:59:14".to_owned();
            update(&OrderUpdate::ExecutionData(data), None).unwrap()
        };
        assert!(matches!(told(-1), Some(Told::Execution { .. })));
        assert_eq!(told(1_500_000_002), None);
    }

    #[test]
    fn a_trade_that_cannot_be_read_is_still_somebodys() {
        let mut data = ExecutionData::default();
        data.execution.time = "20261121-07:59:14".to_owned();
        data.execution.perm_id = 9;
        data.execution.order_reference = "ref".to_owned();
        assert_eq!(execution(&data, None).fault, "");
        let faults: [fn(&mut ExecutionData); 4] = [
            |data| data.execution.price = f64::MAX,
            |data| data.execution.shares = f64::NAN,
            |data| data.execution.time = "yesterday".to_owned(),
            |data| data.contract.multiplier = "many".to_owned(),
        ];
        for change in faults {
            let mut data = data.clone();
            change(&mut data);
            let told = execution(&data, None);
            assert_eq!((told.perm_id, told.order_ref.as_str()), (9, "ref"));
            assert!(!told.fault.is_empty());
        }
        // A cost that is not set yet.
        let cost = CommissionReport { commission: f64::MAX, ..CommissionReport::default() };
        assert_eq!(update(&OrderUpdate::CommissionReport(cost), None).unwrap(), None);
    }

    #[test]
    fn instants_are_read_in_every_form_of_tws() {
        for (text, zone, expected) in [
            ("20261121 02:59:14 US/Eastern", None, "2026-11-21T07:59:14Z"),
            ("20260721 02:59:14 America/New_York", None, "2026-07-21T06:59:14Z"),
            ("20261121 02:59:14 EST", Some("Asia/Tokyo"), "2026-11-21T07:59:14Z"),
            ("20261121-07:59:14", Some("Asia/Tokyo"), "2026-11-21T07:59:14Z"),
            ("20261121  02:59:14", Some("Asia/Tokyo"), "2026-11-20T17:59:14Z"),
            ("20261121 02:59:14", None, "2026-11-21T02:59:14Z"),
            // The clocks go back: the hour is there twice.
            ("20261101 01:30:00 US/Eastern", None, "2026-11-01T05:30:00Z"),
        ] {
            assert_eq!(time(text, zone).unwrap().to_string(), expected, "{text}");
        }
        // The clocks go forward: the hour is not there.
        for wrong in [
            "",
            "20261121",
            "20261121 25:00:00",
            "20261121 02:59:14 Mars/Base",
            "20260308 02:30:00 US/Eastern",
        ] {
            assert!(time(wrong, None).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in ".{0,40}", zone in proptest::option::of(".{0,20}")) {
            if let Ok(time) = time(&text, zone.as_deref()) {
                prop_assert!(time > Timestamp::EPOCH || text.starts_with(['0', '1']));
            }
        }
    }
}
