//! What happens at a venue without a client's doing.

use super::row::{CashRow, State, What};
use super::{Desk, FillRow, MAX_ORDERS};
use mts_foundation::double::{Happening, NotPossible};
use mts_foundation::{BrokerOrderId, Decimal};
use mts_matching::Liquidity;
use smol_str::SmolStr;

/// Something that a desk cannot do.
pub(crate) fn not_possible(reason: impl Into<String>) -> NotPossible {
    NotPossible { reason: reason.into() }
}

impl Desk {
    /// Lets something happen. `find` gives the number of a fill by its id.
    pub(crate) fn happen(
        &mut self,
        happening: &Happening,
        find: impl Fn(&FillRow) -> bool,
    ) -> Result<(), NotPossible> {
        match happening {
            Happening::Fill { order, quantity, price } => {
                let number = self.working_number(order)?;
                self.fill_by_force(number, *quantity, *price)
            }
            Happening::Cancel { order } => {
                let number = self.working_number(order)?;
                self.end(number, State::Canceled, Some(SmolStr::new_static("by the venue")), What::Canceled);
                Ok(())
            }
            Happening::Expire { order } => {
                let number = self.working_number(order)?;
                self.end(number, State::Expired, None, What::Expired);
                Ok(())
            }
            Happening::Reject { order } => {
                let number = self.working_number(order)?;
                let reason = SmolStr::new_static("refused by the venue after it was taken");
                self.end(number, State::Rejected, Some(reason), What::Rejected);
                Ok(())
            }
            Happening::Correct { quantity, price, .. } => {
                let fill = self.fill_of(happening, find)?;
                self.correct(&fill, *quantity, *price, false)
            }
            Happening::Bust { .. } => {
                let fill = self.fill_of(happening, find)?;
                self.correct(&fill, Decimal::ZERO, fill.price, true)
            }
            Happening::Cash { amount } => {
                if self.cash_rows.len() >= MAX_ORDERS {
                    return Err(not_possible(format!(
                        "money has moved {MAX_ORDERS} times, which is the bound"
                    )));
                }
                self.cash = self.cash.saturating_add(*amount);
                let number = self.cash_rows.len() as u64;
                self.cash_rows.push(CashRow {
                    number,
                    amount: *amount,
                    time: self.clock(),
                    listed: self.now.plus(self.history_late),
                });
                Ok(())
            }
        }
    }

    fn working_number(&self, id: &BrokerOrderId) -> Result<u64, NotPossible> {
        let row = self.by_id.get(id).and_then(|number| self.row(*number));
        let Some(row) = row else { return Err(not_possible(format!("there is no order {id}"))) };
        if row.state.works() {
            Ok(row.number)
        } else {
            Err(not_possible(format!("order {id} does not work any more: it is {:?}", row.state)))
        }
    }

    fn fill_of(
        &self,
        happening: &Happening,
        find: impl Fn(&FillRow) -> bool,
    ) -> Result<FillRow, NotPossible> {
        self.fills
            .iter()
            .find(|fill| find(fill))
            .cloned()
            .ok_or_else(|| not_possible(format!("no fill has the id of {happening:?}")))
    }

    /// Fills all that is open of an order.
    pub(super) fn fill_rest(&mut self, number: u64, price: Option<Decimal>) -> Result<(), NotPossible> {
        match self.row(number).filter(|row| row.state.works()).map(super::Row::remaining) {
            Some(rest) => self.fill_by_force(number, rest, price),
            None => Ok(()),
        }
    }

    /// Fills an order whatever the market says: at the price given, its limit, or the touch.
    fn fill_by_force(
        &mut self,
        number: u64,
        quantity: Decimal,
        price: Option<Decimal>,
    ) -> Result<(), NotPossible> {
        let Some(row) = self.row(number) else { return Err(not_possible("there is no such order")) };
        let wanted = &row.wanted;
        let price = price
            .or(wanted.limit_price)
            .or_else(|| self.meets(&wanted.symbol, wanted.buys))
            .or(wanted.stop_price)
            .ok_or_else(|| not_possible(format!("no price of {} is known: set a quote", wanted.symbol)))?;
        if quantity <= Decimal::ZERO || quantity > row.remaining() {
            let open = row.remaining();
            return Err(not_possible(format!("{quantity} units cannot fill: {open} are open")));
        }
        let was_there = row.at_exchange;
        self.take_out(number);
        self.book(number, quantity, price, Liquidity::Maker);
        if was_there {
            self.put_back(number);
        }
        Ok(())
    }

    /// Books an execution as it should have been.
    fn correct(
        &mut self,
        fill: &FillRow,
        quantity: Decimal,
        price: Decimal,
        bust: bool,
    ) -> Result<(), NotPossible> {
        if fill.busted {
            return Err(not_possible("the fill was annulled already"));
        }
        if quantity < Decimal::ZERO || price <= Decimal::ZERO {
            return Err(not_possible(format!("{quantity} at {price} is no execution")));
        }
        self.trade(&fill.symbol, !fill.bought, fill.quantity, fill.price);
        if quantity > Decimal::ZERO {
            self.trade(&fill.symbol, fill.bought, quantity, price);
        }
        let change = quantity - fill.quantity;
        let value = quantity.saturating_mul(price) - fill.quantity.saturating_mul(fill.price);
        if let Some(row) = self.row_mut(fill.order) {
            row.filled += change;
            row.value += value;
        }
        let (cumulative, corrections) = (fill.cumulative + change, fill.corrections + 1);
        let now = FillRow { quantity, price, busted: bust, cumulative, corrections, ..fill.clone() };
        let place = usize::try_from(fill.number).ok();
        if let Some(kept) = place.and_then(|place| self.fills.get_mut(place)) {
            *kept = now.clone();
        }
        self.tell_of(fill.order, if bust { What::Busted } else { What::Corrected }, Some(now));
        Ok(())
    }
}
