//! What is checked before an order is taken.

use super::{Exchange, Standing};
use crate::config::{ClosedMarket, MAX_INSTRUMENTS, Shorting};
use crate::reject::Reject;
use crate::rules::Terms;
use mts_foundation::broker::OrderChange;
use mts_foundation::num::is_multiple;
use mts_foundation::risk::SessionPhase;
use mts_foundation::{Decimal, Order, OrderType, Side, Symbol, TimeInForce};

impl Exchange {
    /// Whether this combination is ever taken: a stop waits for its price, which an immediate order cannot and the
    /// opening cross does not.
    #[must_use]
    pub fn takes(order_type: OrderType, tif: TimeInForce) -> bool {
        let waits = matches!(order_type, OrderType::Stop | OrderType::StopLimit);
        !waits || matches!(tif, TimeInForce::Day | TimeInForce::Gtc)
    }

    pub(super) fn check_room(&self, order: &Order) -> Result<(), Reject> {
        if self.by_order.contains_key(&order.order_id) {
            return Err(Reject::Duplicate { order_id: order.order_id.clone() });
        }
        if self.orders.len() >= self.config.max_orders {
            return Err(Reject::Full { limit: self.config.max_orders });
        }
        if self.markets.len() >= MAX_INSTRUMENTS && !self.markets.contains_key(&order.symbol) {
            return Err(Reject::TooManyInstruments { limit: MAX_INSTRUMENTS });
        }
        Ok(())
    }

    /// All checks, cheapest first; the first that fails answers.
    pub(super) fn check(&self, order: &Order, standing: &Standing) -> Result<(), Reject> {
        if let Some(scripted) = self.config.script.iter().find(|scripted| scripted.nth == self.handed) {
            return Err(Reject::Scripted { reason: scripted.reason.clone() });
        }
        let (order_type, tif) = (order.order_type, order.tif);
        if !Self::takes(order_type, tif) {
            return Err(Reject::Unsupported { order_type, tif });
        }
        self.check_room(order)?;
        self.check_session(order)?;
        let closes = !order.side.is_opening() && order.quantity == standing.position.abs();
        self.check_numbers(&order.symbol, &Terms::of(order), order.quantity, closes)?;
        self.check_short(order, standing)?;
        self.check_funds(order, standing)
    }

    fn check_session(&self, order: &Order) -> Result<(), Reject> {
        let (order_type, tif, phase) = (order.order_type, order.tif, self.phase);
        if self.may_trade(order) || tif == TimeInForce::Opg {
            return Ok(());
        }
        let immediate = matches!(tif, TimeInForce::Ioc | TimeInForce::Fok);
        let market_outside = phase == SessionPhase::Extended && order_type == OrderType::Market;
        if immediate || market_outside || self.config.closed_market == ClosedMarket::Refuse {
            return Err(Reject::ClosedMarket { order_type, tif, phase });
        }
        Ok(())
    }

    /// Instrument, tick, lot and band. An order that closes a whole position may have any quantity, so that getting out
    /// is always possible.
    fn check_numbers(
        &self,
        symbol: &Symbol,
        terms: &Terms,
        quantity: Decimal,
        closes: bool,
    ) -> Result<(), Reject> {
        let prices = [("limit_price", terms.limit), ("stop_price", terms.stop)];
        if let Some(table) = &self.config.instruments {
            let Some(instrument) = table.get(symbol) else {
                return Err(Reject::UnknownInstrument { symbol: symbol.clone() });
            };
            for (field, price) in prices {
                if let Some(price) = price
                    && !is_multiple(price, instrument.tick)
                {
                    return Err(Reject::Tick { symbol: symbol.clone(), field, price, tick: instrument.tick });
                }
            }
            if !closes && !is_multiple(quantity, instrument.lot) {
                return Err(Reject::Lot { symbol: symbol.clone(), quantity, lot: instrument.lot });
            }
        }
        if let (Some(band), Some(last)) = (self.config.price_band, self.last(symbol)) {
            for (field, price) in prices {
                if let Some(price) = price
                    && (price - last).abs() > last.saturating_mul(band)
                {
                    return Err(Reject::PriceBand { field, price, band, last });
                }
            }
        }
        Ok(())
    }

    fn check_short(&self, order: &Order, standing: &Standing) -> Result<(), Reject> {
        self.check_sales(&order.symbol, order.side, order.quantity, standing)
    }

    /// Whether `units` more may be offered: what is held, and what can be borrowed.
    fn check_sales(
        &self,
        symbol: &Symbol,
        side: Side,
        units: Decimal,
        standing: &Standing,
    ) -> Result<(), Reject> {
        let list = match (&self.config.shorting, side) {
            (Shorting::Allowed, _) | (_, Side::Buy | Side::Cover) => return Ok(()),
            (Shorting::Borrow(list), Side::Short) => list,
            (Shorting::Refused | Shorting::Borrow(_), Side::Sell) | (Shorting::Refused, Side::Short) => {
                let working = self.markets.get(symbol).map_or(Decimal::ZERO, |market| market.offered);
                let (wanted, held) = (working + units, standing.position.max(Decimal::ZERO));
                if side == Side::Short || wanted > held {
                    return Err(Reject::NoShorting { wanted, held });
                }
                return Ok(());
            }
        };
        let borrowed = self.borrowed.get(symbol).copied().unwrap_or_default();
        let available = list.get(symbol).copied().unwrap_or_default() - borrowed;
        if units > available {
            return Err(Reject::NoBorrow { symbol: symbol.clone(), wanted: units, available });
        }
        Ok(())
    }

    fn check_funds(&self, order: &Order, standing: &Standing) -> Result<(), Reject> {
        let needed = self.reserve_of(&order.symbol, &Terms::of(order)).saturating_mul(order.quantity);
        let available = standing.cash - self.reserved;
        if needed > Decimal::ZERO && needed > available {
            return Err(Reject::InsufficientFunds { needed, available });
        }
        Ok(())
    }

    /// Money that a unit of a purchase sets aside: its limit, else its stop, else what the market asks. Zero where funds
    /// are not checked or no price is known.
    pub(super) fn reserve_of(&self, symbol: &Symbol, terms: &Terms) -> Decimal {
        if !self.config.check_funds || !terms.buys {
            return Decimal::ZERO;
        }
        let market = self.markets.get(symbol);
        let asked = market.and_then(|market| market.touch.as_ref().map(|touch| touch.ask).or(market.last));
        let price = terms.limit.or(terms.stop).or(asked).unwrap_or_default();
        price.saturating_mul(self.config.multiplier(symbol))
    }

    pub(super) fn borrow(&mut self, order: &Order) {
        self.borrow_units(order, order.quantity);
    }

    /// Notes units that a short sale borrows.
    pub(super) fn borrow_units(&mut self, order: &Order, units: Decimal) {
        if order.side == Side::Short {
            *self.borrowed.entry(order.symbol.clone()).or_default() += units;
        }
    }

    /// Notes units that are not borrowed any more.
    pub(super) fn give_back(&mut self, symbol: &Symbol, units: Decimal) {
        if let Some(borrowed) = self.borrowed.get_mut(symbol) {
            *borrowed = (*borrowed - units).max(Decimal::ZERO);
        }
    }

    /// The terms and the quantity of an order after a change, where that is one it can have.
    pub(super) fn changed(
        &self,
        number: u64,
        change: &OrderChange,
        standing: &Standing,
    ) -> Result<(Terms, Decimal), Reject> {
        let Some(working) = self.orders.get(&number) else {
            return Err(Reject::Terms {
                field: "order",
                value: Decimal::ZERO,
                order_type: OrderType::Market,
            });
        };
        let (order_type, tif) = (working.order.order_type, working.order.tif);
        // What waits for the opening is cancelled and sent anew.
        if tif == TimeInForce::Opg {
            return Err(Reject::Unsupported { order_type, tif });
        }
        let mut terms = working.terms;
        let fault = |field, value| Err(Reject::Terms { field, value, order_type });
        if let Some(limit) = change.limit_price {
            if terms.limit.is_none() || limit <= Decimal::ZERO {
                return fault("limit_price", limit);
            }
            terms.limit = Some(limit);
        }
        if let Some(stop) = change.stop_price {
            if terms.stop.is_none() || stop <= Decimal::ZERO || terms.triggered {
                return fault("stop_price", stop);
            }
            terms.stop = Some(stop);
        }
        let quantity = change.quantity.unwrap_or(working.quantity);
        let filled = working.quantity - working.remaining;
        if quantity <= filled {
            return fault("quantity", quantity);
        }
        self.check_numbers(&working.order.symbol, &terms, quantity, change.quantity.is_none())?;
        let more = quantity - working.quantity;
        if more > Decimal::ZERO {
            self.check_sales(&working.order.symbol, working.order.side, more, standing)?;
        }
        let reserve = self.reserve_of(&working.order.symbol, &terms);
        let needed = reserve * (quantity - filled) - working.reserve * working.remaining;
        let available = standing.cash - self.reserved;
        if needed > Decimal::ZERO && needed > available {
            return Err(Reject::InsufficientFunds { needed, available });
        }
        Ok((terms, quantity))
    }
}
