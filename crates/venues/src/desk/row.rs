//! What a venue keeps of an order, of a fill, and of what happened.

use mts_foundation::double::DoubleOrder;
use mts_foundation::{BrokerOrderId, Decimal, OrderState, OrderType, Symbol, TimeInForce, Timestamp};
use mts_matching::Accrued;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Where an order is in its life at the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It works.
    Open,
    /// Its stop price was reached.
    Triggered,
    /// It works, and a cancellation is under way.
    PendingCancel,
    /// All of it is filled.
    Filled,
    /// Its rest was cancelled.
    Canceled,
    /// Its time in force ended.
    Expired,
    /// The venue refused it after it had taken it.
    Rejected,
    /// Another order has taken its place.
    Replaced,
}

impl State {
    /// Whether it may still fill.
    pub(crate) fn works(self) -> bool {
        matches!(self, Self::Open | Self::Triggered | Self::PendingCancel)
    }
}

/// An order as a client wants it.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) client_id: Option<SmolStr>,
    pub(crate) symbol: Symbol,
    pub(crate) buys: bool,
    pub(crate) order_type: OrderType,
    pub(crate) tif: TimeInForce,
    pub(crate) quantity: Decimal,
    pub(crate) limit_price: Option<Decimal>,
    pub(crate) stop_price: Option<Decimal>,
    pub(crate) extended_hours: bool,
    /// When it ends by itself, where its words say so.
    pub(crate) expires: Option<Timestamp>,
    /// What else the venue's own words say of it.
    pub(crate) words: BTreeMap<&'static str, String>,
}

/// An order that the venue has taken.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Counted from 0.
    pub(crate) number: u64,
    pub(crate) id: BrokerOrderId,
    pub(crate) wanted: Wanted,
    pub(crate) filled: Decimal,
    /// Sum of quantity times price of the fills.
    pub(crate) value: Decimal,
    pub(crate) fees: Decimal,
    /// How many fills it has had.
    pub(crate) fills: u32,
    /// The price of the last one.
    pub(crate) last_price: Option<Decimal>,
    pub(crate) state: State,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) cancel_asked: Option<Timestamp>,
    /// When it came to its end.
    pub(crate) ended: Option<Timestamp>,
    pub(crate) reason: Option<SmolStr>,
    pub(crate) replaces: Option<BrokerOrderId>,
    pub(crate) replaced_by: Option<BrokerOrderId>,
    /// Whether it is at the exchange; else only what a test makes happen fills it.
    pub(super) at_exchange: bool,
    /// Into how many parts its fills are cut.
    pub(super) parts: u32,
    /// The cancellation under way finds it filled.
    pub(super) loses_race: bool,
    /// What its fills have cost, for fees that are counted by order.
    pub(super) accrued: Accrued,
}

impl Row {
    /// Units not yet filled.
    pub(crate) fn remaining(&self) -> Decimal {
        self.wanted.quantity - self.filled
    }

    /// Quantity-weighted price of the fills.
    pub(crate) fn average_price(&self) -> Option<Decimal> {
        if self.filled.is_zero() { None } else { self.value.checked_div(self.filled) }
    }

    /// As a test sees it.
    pub(crate) fn as_double(&self) -> DoubleOrder {
        let wanted = &self.wanted;
        let state = match self.state {
            State::Open if self.filled.is_zero() => OrderState::Accepted,
            State::Open => OrderState::PartiallyFilled,
            State::Triggered => OrderState::Triggered,
            State::PendingCancel => OrderState::PendingCancel,
            State::Filled => OrderState::Filled,
            State::Canceled | State::Replaced => OrderState::Canceled,
            State::Expired => OrderState::Expired,
            State::Rejected => OrderState::Rejected,
        };
        DoubleOrder {
            id: self.id.clone(),
            client_id: wanted.client_id.clone(),
            symbol: wanted.symbol.clone(),
            buys: wanted.buys,
            order_type: wanted.order_type,
            tif: wanted.tif,
            quantity: wanted.quantity,
            limit_price: wanted.limit_price,
            stop_price: wanted.stop_price,
            extended_hours: wanted.extended_hours,
            filled: self.filled,
            state,
        }
    }
}

/// An execution.
#[derive(Debug, Clone)]
pub(crate) struct FillRow {
    /// Counted from 0.
    pub(crate) number: u64,
    /// Which order, by its number.
    pub(crate) order: u64,
    pub(crate) order_id: BrokerOrderId,
    pub(crate) symbol: Symbol,
    pub(crate) bought: bool,
    pub(crate) quantity: Decimal,
    pub(crate) price: Decimal,
    /// In the currency of the price.
    pub(crate) fees: Decimal,
    /// Units of its order filled with it.
    pub(crate) cumulative: Decimal,
    /// Units of its order open after it.
    pub(crate) leaves: Decimal,
    pub(crate) time: Timestamp,
    /// A millisecond that no fill of another moment has, for ids made of the time.
    pub(crate) moment: i64,
    /// Whether the order rested.
    pub(crate) maker: bool,
    /// Annulled.
    pub(crate) busted: bool,
    /// How often it was corrected.
    pub(crate) corrections: u32,
    /// From when on its fees are told, where they are told apart.
    pub(crate) fees_known: Timestamp,
    /// From when on it stands in the history.
    pub(crate) listed: Timestamp,
}

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// The venue took it.
    New,
    /// Its stop price was reached.
    Triggered,
    /// An execution of it.
    Fill(FillRow),
    /// A cancellation is under way.
    PendingCancel,
    /// Its rest was cancelled.
    Canceled,
    /// Its time in force ended.
    Expired,
    /// Refused after it had been taken.
    Rejected,
    /// Another order has taken its place.
    Replaced,
    /// It was changed in place.
    Amended,
    /// An execution was corrected.
    Corrected,
    /// An execution was annulled.
    Busted,
}

/// Something that happened to an order, for those who follow.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Counted from 0 over all events.
    pub(crate) number: u64,
    pub(crate) time: Timestamp,
    pub(crate) what: What,
    /// The order as it was then.
    pub(crate) order: Row,
    /// Units of the instrument held then.
    pub(crate) position: Decimal,
    /// The execution as it is after a correction.
    pub(crate) corrected: Option<FillRow>,
}

/// Money that came or went without a trade.
#[derive(Debug, Clone)]
pub(crate) struct CashRow {
    pub(crate) number: u64,
    pub(crate) amount: Decimal,
    pub(crate) time: Timestamp,
    /// From when on it stands in the history.
    pub(crate) listed: Timestamp,
}
