//! Orders and executions as the venue tells them.

use super::account::CURRENCY;
use super::contracts::{Instrument, instrument};
use super::message::Said;
use super::proto::{
    CommissionAndFeesReport, CompletedOrder, Contract, ErrorMessage, Execution, ExecutionDetails, OpenOrder,
    Order, OrderState, OrderStatus,
};
use super::read::{float, local, text};
use crate::desk::{Desk, FillRow, Row, State, Wanted};
use mts_foundation::{Decimal, OrderType, TimeInForce};

/// Words of an order that are Interactive Brokers' own.
pub(super) mod words {
    pub(crate) const CLIENT: &str = "client id";
    pub(crate) const ORDER: &str = "order id";
    pub(crate) const EXCHANGE: &str = "exchange";
    pub(crate) const OPEN_CLOSE: &str = "open close";
    pub(crate) const GROUP: &str = "group";
}

/// The kind of group whose other orders are cancelled when one of them fills, as far as it may.
pub(super) const CANCELS: i32 = 1;

/// Who has placed an order, and under which id.
pub(super) fn owner(row: &Row) -> (i32, i32) {
    wanted_by(&row.wanted)
}

fn wanted_by(wanted: &Wanted) -> (i32, i32) {
    let word = |name| wanted.words.get(name).and_then(|word| word.parse().ok()).unwrap_or_default();
    (word(words::CLIENT), word(words::ORDER))
}

/// The id that stays the same for all clients and sessions.
fn perm_id(row: &Row) -> Option<i64> {
    row.id.as_str().parse().ok()
}

/// The id of an order, by the seed and its number.
pub(super) fn order_id(seed: u64, number: u64) -> String {
    (1_000_000_000 + seed % 1_000 * 1_000_000 + number).to_string()
}

/// What all corrections of an execution share.
pub(super) fn execution_root(desk_mark: &str, number: u64) -> String {
    format!("{desk_mark}.{:08x}.01", number + 1)
}

/// The state in the venue's words.
pub(super) fn status(row: &Row) -> &'static str {
    let waits = matches!(row.wanted.order_type, OrderType::Stop | OrderType::StopLimit)
        || row.wanted.tif == TimeInForce::Opg;
    match row.state {
        // Held by the venue until its price or its hour comes.
        State::Open if waits && row.filled.is_zero() => "PreSubmitted",
        State::Open | State::Triggered => "Submitted",
        State::PendingCancel => "PendingCancel",
        State::Filled => "Filled",
        // The venue has no word for an order whose time is over.
        State::Canceled | State::Expired | State::Replaced => "Cancelled",
        State::Rejected => "Inactive",
    }
}

/// The type in the venue's words.
fn type_name(order_type: OrderType) -> &'static str {
    match order_type {
        OrderType::Market => "MKT",
        OrderType::Limit | OrderType::MarketableLimit => "LMT",
        OrderType::Stop => "STP",
        OrderType::StopLimit => "STP LMT",
    }
}

pub(super) fn error(id: i32, code: i32, message: impl Into<String>, desk: &Desk) -> Said {
    Said::Error(ErrorMessage {
        id: Some(id),
        error_time: Some(desk.clock().nanos() / 1_000_000),
        error_code: Some(code),
        error_msg: Some(message.into()),
        advanced_order_reject_json: Some(String::new()),
    })
}

/// The order in the words of a client.
pub(super) fn order_of(wanted: &Wanted, perm_id: Option<i64>, account: &str) -> Order {
    let (client, order) = wanted_by(wanted);
    Order {
        client_id: Some(client),
        order_id: Some(order),
        perm_id,
        parent_id: Some(0),
        action: Some(if wanted.buys { "BUY" } else { "SELL" }.to_owned()),
        total_quantity: Some(text(wanted.quantity)),
        order_type: Some(type_name(wanted.order_type).to_owned()),
        lmt_price: wanted.limit_price.map(float),
        aux_price: wanted.stop_price.map(float),
        tif: Some(wanted.tif.as_str().to_ascii_uppercase()),
        account: Some(account.to_owned()),
        oca_group: wanted.words.get(words::GROUP).cloned(),
        oca_type: wanted.words.contains_key(words::GROUP).then_some(CANCELS),
        outside_rth: Some(wanted.extended_hours),
        order_ref: wanted.client_id.as_ref().map(ToString::to_string),
        transmit: Some(true),
        open_close: wanted.words.get(words::OPEN_CLOSE).cloned(),
        origin: Some(0),
        ..Order::default()
    }
}

fn order(row: &Row, account: &str) -> Order {
    order_of(&row.wanted, perm_id(row), account)
}

/// The contract as the client named it.
pub(super) fn contract_of(desk: &Desk, wanted: &Wanted) -> Option<Contract> {
    Some(instrument(desk, &wanted.symbol)?.named(wanted.words.get(words::EXCHANGE)))
}

/// An order that works, in a state.
pub(super) fn open_order(desk: &Desk, row: &Row, account: &str, status: &str) -> Option<Said> {
    Some(Said::OpenOrder(Box::new(OpenOrder {
        order_id: Some(owner(row).1),
        contract: Some(contract_of(desk, &row.wanted)?),
        order: Some(order(row, account)),
        order_state: Some(OrderState { status: Some(status.to_owned()), ..OrderState::default() }),
    })))
}

pub(super) fn order_status(row: &Row, status: &str) -> Said {
    let (client, order) = owner(row);
    Said::OrderStatus(Box::new(OrderStatus {
        order_id: Some(order),
        status: Some(status.to_owned()),
        filled: Some(text(row.filled)),
        remaining: Some(text(row.remaining())),
        avg_fill_price: Some(row.average_price().map_or(0.0, float)),
        perm_id: perm_id(row),
        parent_id: Some(0),
        last_fill_price: Some(row.last_price.map_or(0.0, float)),
        client_id: Some(client),
        why_held: Some(String::new()),
        mkt_cap_price: Some(0.0),
    }))
}

/// The order and its status, one after the other.
pub(super) fn both(desk: &Desk, row: &Row, account: &str, status: &str) -> Vec<Said> {
    open_order(desk, row, account, status).into_iter().chain([order_status(row, status)]).collect()
}

/// An order that has ended.
pub(super) fn completed(desk: &Desk, row: &Row, account: &str) -> Option<Said> {
    let how = match row.state {
        State::Filled => format!("Filled Size: {}", text(row.filled)),
        State::Rejected => format!("Rejected: {}", row.reason.as_deref().unwrap_or_default()),
        State::Expired => "Cancelled by System: the time in force has ended".to_owned(),
        _ => "Cancelled by Trader".to_owned(),
    };
    let order = Order {
        filled_quantity: Some(text(row.filled)),
        // A completed order has an id only for the venue.
        order_id: None,
        ..order(row, account)
    };
    Some(Said::CompletedOrder(Box::new(CompletedOrder {
        contract: Some(contract_of(desk, &row.wanted)?),
        order: Some(order),
        order_state: Some(OrderState {
            status: Some(status(row).to_owned()),
            completed_time: row.ended.map(local),
            completed_status: Some(how),
            ..OrderState::default()
        }),
    })))
}

/// An execution as it is told.
pub(super) struct Told<'a> {
    pub(super) desk: &'a Desk,
    pub(super) account: &'a str,
    /// What the ids of this double's executions begin with.
    pub(super) mark: &'a str,
}

impl Told<'_> {
    fn id(&self, fill: &FillRow) -> String {
        format!("{}.{:02}", execution_root(self.mark, fill.number), fill.corrections + 1)
    }

    /// The execution of an order, with the average price of the order with it; `request` is -1 where nobody has asked.
    pub(super) fn execution(
        &self,
        fill: &FillRow,
        row: &Row,
        average: Decimal,
        request: i32,
    ) -> Option<Said> {
        let instrument: Instrument = instrument(self.desk, &fill.symbol)?;
        let (client, order) = owner(row);
        let execution = Execution {
            order_id: Some(order),
            exec_id: Some(self.id(fill)),
            time: Some(local(fill.time)),
            acct_number: Some(self.account.to_owned()),
            exchange: Some(instrument.primary().to_owned()),
            side: Some(if fill.bought { "BOT" } else { "SLD" }.to_owned()),
            shares: Some(text(fill.quantity)),
            price: Some(float(fill.price)),
            perm_id: perm_id(row),
            client_id: Some(client),
            is_liquidation: Some(false),
            cum_qty: Some(text(fill.cumulative)),
            avg_price: Some(float(average)),
            order_ref: row.wanted.client_id.as_ref().map(ToString::to_string),
            last_liquidity: Some(0),
            is_price_revision_pending: Some(false),
        };
        Some(Said::Execution(Box::new(ExecutionDetails {
            req_id: Some(request),
            contract: Some(instrument.contract),
            execution: Some(execution),
        })))
    }

    /// What it has cost.
    pub(super) fn commission(&self, fill: &FillRow) -> Said {
        Said::Commission(CommissionAndFeesReport {
            exec_id: Some(self.id(fill)),
            commission_and_fees: Some(float(fill.fees)),
            currency: Some(CURRENCY.to_owned()),
            realized_pnl: None,
        })
    }
}
