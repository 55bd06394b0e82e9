//! A portfolio that follows fills and prices, without orders or limits: what a notebook or a shadow needs.

use mts_foundation::position::{Holding, OutOfRange, PositionBook, PositionChange};
use mts_foundation::{Currency, Decimal, Fill, InstrumentTable, Symbol};
use std::collections::BTreeMap;

/// Cash at the beginning, where nothing else is said.
const INITIAL_CASH: i64 = 100_000;

/// Why a fill or a value is refused; nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VirtualPortfolioError {
    /// A value leaves the range of decimals.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// Money of another currency is held, and what it is worth is not known.
    #[error("what 1 {currency} is worth in {base} is not known; set its rate")]
    NoRate {
        /// Which currency.
        currency: Currency,
        /// That of the portfolio.
        base: Currency,
    },
}

/// Cash and positions in one currency.
#[derive(Debug, Clone, Default, PartialEq)]
struct Purse {
    cash: Decimal,
    positions: PositionBook,
}

/// Positions and cash from fills (the documents' `VirtualPortfolio`). Position arithmetic is foundation's [`PositionBook`], one
/// for each currency; a short position counts negative. Fills cost cash of their instrument's currency, their fees cash of the
/// portfolio's own (decision F2). Cash may become negative: nothing is refused here for lack of money.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualPortfolio {
    base: Currency,
    instruments: InstrumentTable,
    own: Purse,
    foreign: BTreeMap<Currency, Purse>,
    /// Units of the own currency for one of another.
    rates: BTreeMap<Currency, Decimal>,
    fees: Decimal,
}

impl Default for VirtualPortfolio {
    /// 100,000 US dollars.
    fn default() -> Self {
        Self::new(Currency::USD, Decimal::from(INITIAL_CASH))
    }
}

impl VirtualPortfolio {
    /// A portfolio of cash. Instruments are of its currency and have a multiplier of one, unless a table says something else.
    #[must_use]
    pub fn new(base: Currency, initial_cash: Decimal) -> Self {
        Self {
            base,
            instruments: InstrumentTable::new(),
            own: Purse { cash: initial_cash, positions: PositionBook::new() },
            foreign: BTreeMap::new(),
            rates: BTreeMap::new(),
            fees: Decimal::ZERO,
        }
    }

    /// The same portfolio, which knows currencies and multipliers of these instruments. Set it before the first fill.
    #[must_use]
    pub fn with_instruments(self, instruments: InstrumentTable) -> Self {
        Self { instruments, ..self }
    }

    /// Sets what one unit of a currency is worth in the portfolio's own.
    pub fn set_rate(&mut self, currency: Currency, rate: Decimal) {
        self.rates.insert(currency, rate);
    }

    fn terms(&self, symbol: &Symbol) -> (Currency, Decimal) {
        let known = self.instruments.get(symbol);
        known.map_or((self.base, Decimal::ONE), |found| (found.currency, found.multiplier))
    }

    fn purse(&self, currency: Currency) -> Option<&Purse> {
        if currency == self.base { Some(&self.own) } else { self.foreign.get(&currency) }
    }

    /// Books a fill.
    ///
    /// # Errors
    /// [`VirtualPortfolioError::OutOfRange`].
    pub fn process_fill(&mut self, fill: &Fill) -> Result<PositionChange, VirtualPortfolioError> {
        let Fill { symbol, side, quantity, price, timestamp, .. } = fill;
        let (currency, multiplier) = self.terms(symbol);
        let cost = quantity.checked_mul(*price).and_then(|value| value.checked_mul(multiplier));
        let beyond = || OutOfRange { what: "cash" };
        let cost = side.signed(cost.ok_or_else(beyond)?);
        let fees = self.fees.checked_add(fill.fees).ok_or_else(beyond)?;
        let own = self.own.cash.checked_sub(fill.fees).ok_or_else(beyond)?;
        let change = if currency == self.base {
            let cash = own.checked_sub(cost).ok_or_else(beyond)?;
            let change =
                self.own.positions.apply(symbol, *side, *quantity, *price, multiplier, *timestamp)?;
            self.own.cash = cash;
            change
        } else {
            let cash = self.cash(currency).checked_sub(cost).ok_or_else(beyond)?;
            let purse = self.foreign.entry(currency).or_default();
            let change = purse.positions.apply(symbol, *side, *quantity, *price, multiplier, *timestamp)?;
            (purse.cash, self.own.cash) = (cash, own);
            change
        };
        self.fees = fees;
        Ok(change)
    }

    /// Values what is held at new prices; instruments that are not held are passed over.
    ///
    /// # Errors
    /// [`VirtualPortfolioError::OutOfRange`]; prices before the one at fault are taken.
    pub fn update_prices<'a>(
        &mut self,
        prices: impl IntoIterator<Item = (&'a Symbol, Decimal)>,
    ) -> Result<(), VirtualPortfolioError> {
        for (symbol, price) in prices {
            let (currency, _) = self.terms(symbol);
            if currency == self.base {
                self.own.positions.mark(symbol, price)?;
            } else if let Some(purse) = self.foreign.get_mut(&currency) {
                purse.positions.mark(symbol, price)?;
            }
        }
        Ok(())
    }

    /// Cash of one currency; zero where there is none.
    #[must_use]
    pub fn cash(&self, currency: Currency) -> Decimal {
        self.purse(currency).map_or(Decimal::ZERO, |purse| purse.cash)
    }

    /// Fees paid, in the portfolio's currency.
    #[must_use]
    pub fn fees(&self) -> Decimal {
        self.fees
    }

    /// A holding, unless flat.
    #[must_use]
    pub fn position(&self, symbol: &Symbol) -> Option<&Holding> {
        let (currency, _) = self.terms(symbol);
        self.purse(currency)?.positions.get(symbol)
    }

    /// The positions in the portfolio's own currency.
    #[must_use]
    pub fn own_positions(&self) -> &PositionBook {
        &self.own.positions
    }

    /// All holdings: those of the own currency by symbol, then those of others.
    pub fn positions(&self) -> impl Iterator<Item = (&Symbol, &Holding)> {
        let foreign = self.foreign.values().flat_map(|purse| purse.positions.iter());
        self.own.positions.iter().chain(foreign)
    }

    /// Cash and positions of all currencies in the portfolio's own: cash + Σ signed quantity × last price × multiplier.
    ///
    /// # Errors
    /// [`VirtualPortfolioError::NoRate`] for a currency in which something is held; out of range.
    pub fn account_value(&self) -> Result<Decimal, VirtualPortfolioError> {
        let beyond = || OutOfRange { what: "account value" };
        let worth = |purse: &Purse| purse.cash.checked_add(purse.positions.market_value()).ok_or_else(beyond);
        let mut total = worth(&self.own)?;
        for (currency, purse) in &self.foreign {
            let value = worth(purse)?;
            if value.is_zero() {
                continue;
            }
            let no_rate = || VirtualPortfolioError::NoRate { currency: *currency, base: self.base };
            let rate = self.rates.get(currency).ok_or_else(no_rate)?;
            let value = value.checked_mul(*rate).and_then(|value| total.checked_add(value));
            total = value.ok_or_else(beyond)?;
        }
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::{Instrument, Side, Timestamp};

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn symbol(name: &str) -> Symbol {
        Symbol::new(name).unwrap()
    }

    fn fill(name: &str, side: Side, quantity: &str, price: &str) -> Fill {
        Fill::new("x", "o", name, side, d(quantity), d(price), Timestamp::EPOCH).unwrap()
    }

    #[test]
    fn a_short_position_counts_negative() {
        let mut portfolio = VirtualPortfolio::default();
        portfolio.process_fill(&fill("A", Side::Short, "50", "200")).unwrap();
        assert_eq!(
            (portfolio.cash(Currency::USD), portfolio.account_value()),
            (d("110000"), Ok(d("100000")))
        );
        portfolio.update_prices([(&symbol("A"), d("210")), (&symbol("NOT-HELD"), d("1"))]).unwrap();
        assert_eq!(portfolio.account_value(), Ok(d("99500")));
        assert_eq!(portfolio.position(&symbol("A")).unwrap().unrealized(), d("-500"));
        portfolio.update_prices([(&symbol("A"), d("0"))]).unwrap();
        assert_eq!(portfolio.account_value(), Ok(d("110000")), "zero is a price");
    }

    #[test]
    fn each_currency_has_its_cash_and_fees_are_the_own_ones() {
        let euro = Currency::new("EUR").unwrap();
        let mut share = Instrument::us_share(symbol("SAP"));
        (share.currency, share.multiplier) = (euro, d("10"));
        let table = InstrumentTable::from_instruments([share]).unwrap();
        let mut portfolio = VirtualPortfolio::default().with_instruments(table);
        let mut bought = fill("SAP", Side::Buy, "5", "100");
        bought.fees = d("2");
        portfolio.process_fill(&bought).unwrap();
        assert_eq!((portfolio.cash(euro), portfolio.cash(Currency::USD)), (d("-5000"), d("99998")));
        assert_eq!(
            portfolio.account_value(),
            Ok(d("99998")),
            "what was paid and what it bought are worth the same"
        );
        portfolio.update_prices([(&symbol("SAP"), d("110"))]).unwrap();
        let error = portfolio.account_value().unwrap_err();
        assert_eq!(error.to_string(), "what 1 EUR is worth in USD is not known; set its rate");
        portfolio.set_rate(euro, d("1.2"));
        assert_eq!((portfolio.account_value(), portfolio.fees()), (Ok(d("100598")), d("2")));
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut portfolio = VirtualPortfolio::default();
        portfolio.process_fill(&fill("A", Side::Buy, "1", "10")).unwrap();
        let before = portfolio.clone();
        let mut huge = fill("A", Side::Buy, "1", "2");
        huge.quantity = d("70000000000000000000000000000");
        assert!(matches!(portfolio.process_fill(&huge), Err(VirtualPortfolioError::OutOfRange(_))));
        assert_eq!(portfolio, before);
    }
}
