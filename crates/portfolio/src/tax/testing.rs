//! Stories for tests: fills on days, booked by foundation's lots and fed to a history.

use super::{TaxHistory, TaxRecord, WashSalesEverywhere};
use chrono::NaiveDate;
use mts_foundation::lots::LotPick;
use mts_foundation::{Decimal, Fill, FundId, LotBook, Side, Symbol, TaxLotMethod, Timestamp};

pub(super) fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// First in first out; the ids of fills, and so of lots, count from zero.
pub(super) struct Story {
    lots: LotBook,
    pub(super) history: TaxHistory,
    fills: usize,
    fees: Decimal,
}

impl Story {
    pub(super) fn new() -> Self {
        let fund = FundId::new("f").unwrap();
        let lots = LotBook::new(fund.clone(), TaxLotMethod::Fifo);
        Self { lots, history: TaxHistory::new(fund), fills: 0, fees: Decimal::ZERO }
    }

    /// Fees of the fills from here on.
    pub(super) fn fees(mut self, fees: &str) -> Self {
        self.fees = d(fees);
        self
    }

    fn fill(mut self, on: &str, side: Side, text: [&str; 3], picks: Option<&[LotPick]>) -> Self {
        let [symbol, quantity, price] = text;
        let id = self.fills.to_string();
        let mut fill = Fill::new(&id, "o", symbol, side, d(quantity), d(price), Timestamp::EPOCH).unwrap();
        fill.fees = self.fees;
        let change = self.lots.apply(&fill, Decimal::ONE, day(on), picks).unwrap();
        self.history.apply(&change).unwrap();
        self.fills += 1;
        self
    }

    pub(super) fn buy(self, on: &str, symbol: &str, quantity: &str, price: &str) -> Self {
        self.fill(on, Side::Buy, [symbol, quantity, price], None)
    }

    pub(super) fn sell(self, on: &str, symbol: &str, quantity: &str, price: &str) -> Self {
        self.fill(on, Side::Sell, [symbol, quantity, price], None)
    }

    pub(super) fn sell_all(self, on: &str, symbol: &str, price: &str) -> Self {
        let quantity = self.lots.quantity(&Symbol::new(symbol).unwrap()).to_string();
        self.sell(on, symbol, &quantity, price)
    }

    pub(super) fn short(self, on: &str, symbol: &str, quantity: &str, price: &str) -> Self {
        self.fill(on, Side::Short, [symbol, quantity, price], None)
    }

    pub(super) fn cover(self, on: &str, symbol: &str, quantity: &str, price: &str) -> Self {
        self.fill(on, Side::Cover, [symbol, quantity, price], None)
    }

    /// A sale of one lot that the operator picks.
    pub(super) fn picked(self, on: &str, symbol: &str, quantity: &str, price: &str, lot: &str) -> Self {
        let picks = [LotPick { lot_id: lot.into(), quantity: d(quantity) }];
        self.fill(on, Side::Sell, [symbol, quantity, price], Some(&picks))
    }

    pub(super) fn split(mut self, symbol: &str, new_units: &str, old_units: &str) -> Self {
        let symbol = Symbol::new(symbol).unwrap();
        self.lots.split(&symbol, d(new_units), d(old_units)).unwrap();
        self.history.split(&symbol, d(new_units), d(old_units)).unwrap();
        self
    }

    pub(super) fn rename(mut self, from: &str, to: &str) -> Self {
        let (from, to) = (Symbol::new(from).unwrap(), Symbol::new(to).unwrap());
        self.lots.rename(&from, &to).unwrap();
        self.history.rename(&from, &to);
        self
    }

    pub(super) fn record(&self) -> TaxRecord {
        self.history.record(&WashSalesEverywhere).unwrap()
    }
}
