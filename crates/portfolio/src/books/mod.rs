//! The books: what every fund holds, owes, earned and paid, as a fold over the engine's events.
//!
//! [`Books`] hears the events of a journal in their order and never has an opinion of its own: each event carries what the
//! engine's ledger said after it, and a book that comes to another cash or position than that refuses ([`BooksError::Diverged`]).
//! So there is one truth, the ledger, and the books explain it: by tax lot, by strategy, by reason of each cent.
//!
//! What the books hold is bounded by what is open and by the instruments that were ever traded; what happened is handed out as
//! [`Posting`]s, to be kept by those who want a history.

mod error;
mod exposure;
mod fund;
mod late_fees;
mod posting;
mod strategy_book;
#[cfg(test)]
mod tests;

pub use error::BooksError;
pub use exposure::{Exposures, LongShort};
pub use fund::FundBooks;
pub use late_fees::settle_late_fees;
pub use posting::{Posting, PostingKind};
pub use strategy_book::{ProfitLine, StrategyBook};

use chrono::NaiveDate;
use mts_foundation::event::Event;
use mts_foundation::fund::TaxLotMethod;
use mts_foundation::lots::LotPick;
use mts_foundation::{
    Currency, Decimal, FillId, FundBook, FundId, InstrumentTable, Ledger, MarketCalendar, Symbol, Timestamp,
};
use std::collections::BTreeMap;

/// The books of all funds.
#[derive(Debug, Clone, Default)]
pub struct Books {
    instruments: InstrumentTable,
    funds: BTreeMap<FundId, FundBooks>,
    picks: BTreeMap<FillId, Vec<LotPick>>,
}

impl Books {
    /// Books without a fund; the instruments say in which currency, sector and place things are.
    #[must_use]
    pub fn new(instruments: InstrumentTable) -> Self {
        Self { instruments, funds: BTreeMap::new(), picks: BTreeMap::new() }
    }

    /// The same books, in which these closing fills consume the lots that an operator picked, whatever the fund's method.
    #[must_use]
    pub fn with_picks(self, picks: BTreeMap<FillId, Vec<LotPick>>) -> Self {
        Self { picks, ..self }
    }

    /// Opens a fund with cash.
    ///
    /// # Errors
    /// [`BooksError::DuplicateFund`].
    pub fn open_fund(
        &mut self,
        fund_id: FundId,
        currency: Currency,
        cash: Decimal,
        method: TaxLotMethod,
    ) -> Result<(), BooksError> {
        if self.funds.contains_key(&fund_id) {
            return Err(BooksError::DuplicateFund { fund_id });
        }
        let books = FundBooks::new(fund_id.clone(), currency, cash, method);
        self.funds.insert(fund_id, books);
        Ok(())
    }

    /// The books of a fund.
    #[must_use]
    pub fn fund(&self, fund_id: &FundId) -> Option<&FundBooks> {
        self.funds.get(fund_id)
    }

    /// All funds, by id.
    pub fn funds(&self) -> impl ExactSizeIterator<Item = (&FundId, &FundBooks)> {
        self.funds.iter()
    }

    /// What the books know of instruments.
    #[must_use]
    pub fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }

    /// Takes an event; `None` where it moves neither cash nor a position.
    ///
    /// # Errors
    /// [`BooksError`]. The journal and the books do not fit together then: what they hold counts for nothing any more.
    pub fn apply(&mut self, event: &Event) -> Result<Option<Posting>, BooksError> {
        match event {
            Event::FillCreated { fund_id, fill, position_after, cash, strategy_id, .. } => {
                let (multiplier, date) = self.terms(&fill.symbol, fill.timestamp);
                let picks = self.picks.get(&fill.fill_id).map(Vec::as_slice);
                let fund = of(&mut self.funds, fund_id)?;
                let terms = fund::FillTerms { multiplier, date, picks, strategy_id: strategy_id.as_ref() };
                fund.fill(fill, &terms, (*position_after, *cash)).map(Some)
            }
            Event::CashMoved(moved) => {
                let date = self.date_of(moved.symbol.as_ref(), moved.time);
                of(&mut self.funds, &moved.fund_id)?.cash_moved(moved, date).map(Some)
            }
            Event::CorporateActionApplied { fund_id, action, position_after, cash, time, .. } => {
                let (multiplier, _) = self.terms(&action.symbol, *time);
                let fund = of(&mut self.funds, fund_id)?;
                fund.corporate_action(action, multiplier, (*position_after, *cash), *time).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Values every fund at new prices; instruments that are not held are passed over.
    ///
    /// # Errors
    /// [`BooksError::OutOfRange`]; prices before the one at fault are taken.
    pub fn mark(&mut self, symbol: &Symbol, price: Decimal) -> Result<(), BooksError> {
        self.funds.values_mut().try_for_each(|fund| fund.mark(symbol, price))
    }

    /// Values every fund at the ledger's marks, and checks everything against it: cash, positions, average prices, profits and
    /// value. Lots and strategies must add up to the positions.
    ///
    /// # Errors
    /// [`BooksError::Diverged`] with the first thing that differs; out of range.
    pub fn agree_with(&mut self, ledger: &Ledger) -> Result<(), BooksError> {
        for (fund_id, fund) in &mut self.funds {
            let Some(book) = ledger.fund(fund_id) else {
                return Err(BooksError::UnknownFund { fund_id: fund_id.clone() });
            };
            for symbol in fund.symbols_held() {
                // What only strategies hold against each other has a mark too.
                let held = book.positions().get(&symbol).map(|held| held.last_price);
                let price = held.or_else(|| ledger.mark_of(&symbol).map(|mark| mark.price));
                if let Some(price) = price {
                    fund.mark(&symbol, price)?;
                }
            }
            fund.equals(book)?;
        }
        Ok(())
    }

    /// What a fund is exposed to, at its last prices.
    #[must_use]
    pub fn exposures(&self, fund_id: &FundId) -> Option<Exposures> {
        Some(Exposures::of(self.fund(fund_id)?.positions(), &self.instruments))
    }

    fn terms(&self, symbol: &Symbol, time: Timestamp) -> (Decimal, NaiveDate) {
        let multiplier = self.instruments.get(symbol).map_or(Decimal::ONE, |found| found.multiplier);
        (multiplier, self.date_of(Some(symbol), time))
    }

    /// The trade date of an instant: the session that it belongs to where its instrument trades, else the date in UTC.
    fn date_of(&self, symbol: Option<&Symbol>, time: Timestamp) -> NaiveDate {
        let found = symbol.and_then(|symbol| self.instruments.get(symbol));
        let calendar = found.and_then(|found| MarketCalendar::builtin(&found.calendar).ok());
        match calendar {
            Some(calendar) => calendar.bar_date(time.to_datetime()),
            None => time.to_datetime().date_naive(),
        }
    }
}

fn of<'a>(
    funds: &'a mut BTreeMap<FundId, FundBooks>,
    fund_id: &FundId,
) -> Result<&'a mut FundBooks, BooksError> {
    funds.get_mut(fund_id).ok_or_else(|| BooksError::UnknownFund { fund_id: fund_id.clone() })
}

impl FundBooks {
    /// Whether cash, positions and value are those of the ledger, and lots and strategies add up to them.
    fn equals(&self, book: &FundBook) -> Result<(), BooksError> {
        self.same("cash", None, self.cash(), book.cash())?;
        self.same("fees", None, self.fees(), book.fees())?;
        self.nearly_same("net asset value", None, self.nav(), book.nav())?;
        let theirs = book.positions();
        for (symbol, held) in theirs.iter() {
            let ours = self.positions().get(symbol);
            let (units, price) =
                ours.map_or_else(Default::default, |ours| (ours.quantity, ours.average_price));
            self.same("position", Some(symbol), units, held.quantity)?;
            self.same("average price", Some(symbol), price, held.average_price)?;
            self.nearly_same(
                "realised profit",
                Some(symbol),
                self.positions().realized(symbol),
                theirs.realized(symbol),
            )?;
        }
        for (symbol, held) in self.positions().iter() {
            self.same("position", Some(symbol), held.quantity, theirs.quantity(symbol))?;
            self.same("sum of the lots", Some(symbol), self.lots().quantity(symbol), held.quantity)?;
            let parts = self.strategies().map(|(_, book)| book.positions().quantity(symbol)).sum();
            self.nearly_same("sum of the strategies", Some(symbol), parts, held.quantity)?;
        }
        Ok(())
    }
}
