//! What the caller decides: where wash sales apply, and what foreign money was worth.

use chrono::NaiveDate;
use mts_foundation::{AssetClass, Currency, Decimal, InstrumentTable, Symbol};
use std::collections::BTreeMap;

/// The rules for one instrument. Both methods are asked for the symbol at the time of the fill.
pub trait TaxPolicy {
    /// Whether losses of the instrument can be wash sales. The law says "stock or securities" (26 U.S.C. § 1091), and what
    /// that is changes; so it is not decided here.
    fn wash_sales_apply(&self, symbol: &Symbol) -> bool;

    /// Units of the report's currency for one of the instrument's on that trade date; `None` when it is not known. Costs are
    /// converted on the day of the opening and proceeds on that of the closing. Fees are in the fund's currency already.
    fn rate(&self, symbol: &Symbol, date: NaiveDate) -> Option<Decimal>;
}

/// One currency, and wash sales in every instrument.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WashSalesEverywhere;

impl TaxPolicy for WashSalesEverywhere {
    fn wash_sales_apply(&self, _symbol: &Symbol) -> bool {
        true
    }

    fn rate(&self, _symbol: &Symbol, _date: NaiveDate) -> Option<Decimal> {
        Some(Decimal::ONE)
    }
}

/// Wash sales by asset class, currencies by instrument. An instrument that the table does not know is of the fund's currency,
/// and wash sales apply to it.
#[derive(Debug, Clone)]
pub struct InstrumentPolicy<'a> {
    /// Asset classes and currencies.
    pub instruments: &'a InstrumentTable,
    /// Classes with wash sales; [`InstrumentPolicy::new`] has equities and options.
    pub wash_sale_classes: Vec<AssetClass>,
    /// Currency of the report, which is that of the fees.
    pub currency: Currency,
    /// Units of that currency for one of another, by day.
    pub rates: BTreeMap<(Currency, NaiveDate), Decimal>,
}

impl<'a> InstrumentPolicy<'a> {
    /// Wash sales of equities and options, and no rates yet.
    #[must_use]
    pub fn new(instruments: &'a InstrumentTable, currency: Currency) -> Self {
        let wash_sale_classes = vec![AssetClass::Equities, AssetClass::Options];
        Self { instruments, wash_sale_classes, currency, rates: BTreeMap::new() }
    }
}

impl TaxPolicy for InstrumentPolicy<'_> {
    fn wash_sales_apply(&self, symbol: &Symbol) -> bool {
        let known = self.instruments.get(symbol);
        known.is_none_or(|found| self.wash_sale_classes.contains(&found.asset_class))
    }

    fn rate(&self, symbol: &Symbol, date: NaiveDate) -> Option<Decimal> {
        let currency = self.instruments.get(symbol).map_or(self.currency, |found| found.currency);
        if currency == self.currency {
            return Some(Decimal::ONE);
        }
        self.rates.get(&(currency, date)).copied().filter(|rate| *rate > Decimal::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::Instrument;

    #[test]
    fn classes_and_currencies_decide() {
        let symbol = |name: &str| Symbol::new(name).unwrap();
        let euro = Currency::new("EUR").unwrap();
        let mut coin = Instrument::us_share(symbol("BTC-USD"));
        coin.asset_class = AssetClass::Crypto;
        let mut foreign = Instrument::us_share(symbol("SAP"));
        foreign.currency = euro;
        let table = InstrumentTable::from_instruments([coin, foreign]).unwrap();
        let mut policy = InstrumentPolicy::new(&table, Currency::USD);
        let applies = ["BTC-USD", "SAP", "UNKNOWN"].map(|name| policy.wash_sales_apply(&symbol(name)));
        assert_eq!(applies, [false, true, true]);
        let day = NaiveDate::from_ymd_opt(2026, 1, 5).unwrap();
        assert_eq!(policy.rate(&symbol("BTC-USD"), day), Some(Decimal::ONE));
        assert_eq!(policy.rate(&symbol("SAP"), day), None);
        policy.rates.insert((euro, day), Decimal::TWO);
        assert_eq!(policy.rate(&symbol("SAP"), day), Some(Decimal::TWO));
        policy.wash_sale_classes.push(AssetClass::Crypto);
        assert!(policy.wash_sales_apply(&symbol("BTC-USD")));
    }
}
