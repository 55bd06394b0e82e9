//! How a simulated exchange behaves.

use mts_foundation::{Decimal, InstrumentTable, Symbol};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::time::Duration;

/// Most orders an exchange holds unless it is told otherwise.
pub const MAX_ORDERS: usize = 1_000_000;

/// Most instruments an exchange hears of; data of further ones is not used.
pub const MAX_INSTRUMENTS: usize = 100_000;

/// When a resting limit order fills.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RestingFill {
    /// When the market reaches its price. Optimistic by the queue before it.
    #[default]
    Touch,
    /// Only when the market trades or is quoted beyond its price.
    Through,
}

/// How much of a quote or print an order may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Displayed {
    /// At most the size that is shown; a size of zero beside a price means that none was stated.
    #[default]
    Size,
    /// Any size, at the price that is shown.
    Unlimited,
}

/// Which price triggers stop orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StopTrigger {
    /// Prints; for an instrument without any, quotes.
    #[default]
    Last,
    /// Quotes: the offer for a buy stop, the bid for a sell stop.
    Quote,
}

/// What happens to an order that cannot trade in the present session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClosedMarket {
    /// It waits for its session; immediate orders are refused all the same.
    #[default]
    Queue,
    /// It is refused.
    Refuse,
}

/// Whether short sales are taken.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Shorting {
    /// Always.
    #[default]
    Allowed,
    /// Never; a sale beyond the position is refused too.
    Refused,
    /// As far as units can be borrowed, by instrument. An order reserves its units; cancelling and covering free them.
    Borrow(BTreeMap<Symbol, Decimal>),
}

/// A refusal that a test wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptedReject {
    /// Which order is refused, counted from 1 over all orders that are handed over, by a
    /// restart anew.
    pub nth: u64,
    /// The reason that is given.
    pub reason: SmolStr,
}

/// How a simulated exchange behaves. The default takes every order at once and knows no instrument table.
#[derive(Debug, Clone, PartialEq)]
pub struct ExchangeConfig {
    /// Time from handing an order over until it meets the market.
    pub submit_delay: Duration,
    /// Time from asking for a cancellation or change until it takes effect.
    pub cancel_delay: Duration,
    /// Share of a bar's volume that the orders of the account may take together, above 0 to 1; `None` = no limit.
    pub participation: Option<Decimal>,
    /// How much of a quote or print may be taken.
    pub displayed: Displayed,
    /// When a resting limit order fills on quotes and prints.
    pub resting_fill: RestingFill,
    /// Which price triggers stops.
    pub stop_trigger: StopTrigger,
    /// What happens to orders outside of their session.
    pub closed_market: ClosedMarket,
    /// Whether short sales are taken.
    pub shorting: Shorting,
    /// Days after which a good-till-cancelled order expires, at the close of a session; `None` = never.
    pub gtc_max_days: Option<u32>,
    /// Largest distance of limit and stop prices from the last price, as a share of it; `None` = any.
    pub price_band: Option<Decimal>,
    /// Whether purchases beyond the cash are refused.
    pub check_funds: bool,
    /// Tick, lot and multiplier; `None` = every symbol is known, with any price and quantity and multiplier 1.
    pub instruments: Option<InstrumentTable>,
    /// Most orders it holds.
    pub max_orders: usize,
    /// Refusals that a test wants.
    pub script: Vec<ScriptedReject>,
}

impl Default for ExchangeConfig {
    fn default() -> Self {
        Self {
            submit_delay: Duration::ZERO,
            cancel_delay: Duration::ZERO,
            participation: None,
            displayed: Displayed::default(),
            resting_fill: RestingFill::default(),
            stop_trigger: StopTrigger::default(),
            closed_market: ClosedMarket::default(),
            shorting: Shorting::default(),
            gtc_max_days: None,
            price_band: None,
            check_funds: false,
            instruments: None,
            max_orders: MAX_ORDERS,
            script: Vec::new(),
        }
    }
}

/// A setting out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}; {remedy}")]
pub struct InvalidSetting {
    /// Which setting.
    pub field: &'static str,
    /// The value.
    pub value: Decimal,
    /// What it must be.
    pub remedy: &'static str,
}

impl ExchangeConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The first [`InvalidSetting`].
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let fault = |field, value, remedy| Err(InvalidSetting { field, value, remedy });
        if let Some(share) = self.participation
            && !(share > Decimal::ZERO && share <= Decimal::ONE)
        {
            return fault("participation", share, "it must be above 0 and at most 1, or absent for no limit");
        }
        if let Some(band) = self.price_band
            && band <= Decimal::ZERO
        {
            return fault("price_band", band, "it must be above 0, or absent for any price");
        }
        if self.gtc_max_days == Some(0) {
            return fault("gtc_max_days", Decimal::ZERO, "it must be at least 1, or absent for no limit");
        }
        if let Shorting::Borrow(list) = &self.shorting
            && let Some((_, units)) = list.iter().find(|(_, units)| **units < Decimal::ZERO)
        {
            return fault("shorting.borrow", *units, "it must be zero or more units");
        }
        Ok(())
    }

    /// Money per unit and price point; 1 where nothing is known.
    #[must_use]
    pub fn multiplier(&self, symbol: &Symbol) -> Decimal {
        let known = self.instruments.as_ref().and_then(|table| table.get(symbol));
        known.map_or(Decimal::ONE, |instrument| instrument.multiplier)
    }
}
