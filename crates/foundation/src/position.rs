//! Positions: the one place where fills become quantities, average prices and realised profit (decision F3).

use crate::corporate_action::{ActionEffect, CorporateAction, CorporateActionError};
use crate::ids::FundId;
use crate::lots::TaxLot;
use crate::num::{Decimal, exact};
use crate::order::Side;
use crate::symbol::Symbol;
use crate::table::Table;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A sum or product left the range of an exact decimal (about ±7.9e28).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} leaves the range of exact decimals; check the quantity and the price for a misplaced unit")]
pub struct OutOfRange {
    /// What was being computed.
    pub what: &'static str,
}

pub(crate) fn product(what: &'static str, factors: &[Decimal]) -> Result<Decimal, OutOfRange> {
    let Some((first, others)) = factors.split_first() else { return Ok(Decimal::ONE) };
    others.iter().try_fold(*first, |product, factor| product.checked_mul(*factor)).ok_or(OutOfRange { what })
}

pub(crate) fn sum(what: &'static str, left: Decimal, right: Decimal) -> Result<Decimal, OutOfRange> {
    left.checked_add(right).ok_or(OutOfRange { what })
}

/// A position as the documents show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Position {
    /// Owner.
    pub fund_id: FundId,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Signed units: positive long, negative short.
    #[serde(with = "exact")]
    pub quantity: Decimal,
    /// Average entry price.
    #[serde(with = "exact")]
    pub avg_price: Decimal,
    /// Last known price.
    #[serde(with = "exact")]
    pub last_price: Decimal,
    /// Signed value at the last price.
    #[serde(with = "exact")]
    pub market_value_usd: Decimal,
    /// quantity × (last − average) × multiplier.
    #[serde(with = "exact")]
    pub unrealized_pl_usd: Decimal,
    /// Realised since the book began.
    #[serde(with = "exact")]
    pub realized_pl_ytd_usd: Decimal,
    /// When it last changed.
    pub last_updated: Timestamp,
    /// Lots, where a tax-lot ledger keeps them.
    #[serde(default)]
    pub tax_lots: Vec<TaxLot>,
}

/// The state of one held instrument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Holding {
    /// Signed units, never zero.
    #[serde(with = "exact")]
    pub quantity: Decimal,
    /// Average entry price.
    #[serde(with = "exact")]
    pub average_price: Decimal,
    /// Last price seen, by fill or mark.
    #[serde(with = "exact")]
    pub last_price: Decimal,
    /// Money per unit and price point.
    #[serde(with = "exact")]
    pub multiplier: Decimal,
    /// When the quantity last changed.
    pub updated_at: Timestamp,
}

impl Holding {
    /// Signed value at the last price; zero when the product leaves the decimal range (booking refuses that first).
    #[must_use]
    pub fn market_value(&self) -> Decimal {
        product("market value", &[self.quantity, self.last_price, self.multiplier]).unwrap_or_default()
    }

    /// Profit that closing at the last price would realise.
    #[must_use]
    pub fn unrealized(&self) -> Decimal {
        product("unrealised profit", &[self.quantity, self.last_price - self.average_price, self.multiplier])
            .unwrap_or_default()
    }
}

/// What one fill did to a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionChange {
    /// Signed units before.
    pub before: Decimal,
    /// Signed units after.
    pub after: Decimal,
    /// Profit realised by the part that closed, before fees.
    pub realized: Decimal,
    /// The fill went through zero: a flip, and an incident when the side did not allow it.
    pub crossed_zero: bool,
}

/// All positions of one owner.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PositionBook {
    holdings: Table<Symbol, Holding>,
    realized: Table<Symbol, RealizedTotal>,
    #[serde(with = "exact")]
    market_value: Decimal,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(inline))]
#[serde(transparent)]
struct RealizedTotal(#[serde(with = "exact")] Decimal);

impl PositionBook {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Books a fill: signed quantity, weighted average on increase, unchanged on decrease, reset on a flip; realised
    /// = closed quantity × (exit − entry) × multiplier, with the sign of the position. `quantity` and `price` are
    /// greater than zero.
    ///
    /// # Errors
    /// [`OutOfRange`]; the book is unchanged then.
    pub fn apply(
        &mut self,
        symbol: &Symbol,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        multiplier: Decimal,
        at: Timestamp,
    ) -> Result<PositionChange, OutOfRange> {
        let delta = side.signed(quantity);
        let held = self.holdings.get(symbol);
        let before = held.map_or(Decimal::ZERO, |holding| holding.quantity);
        let entry = held.map_or(price, |holding| holding.average_price);
        let old_value = held.map_or(Decimal::ZERO, Holding::market_value);
        let after = sum("position", before, delta)?;
        let closes = !before.is_zero() && before.is_sign_positive() != delta.is_sign_positive();
        let closed = if closes { before.abs().min(quantity) } else { Decimal::ZERO };
        let direction = if before.is_sign_negative() { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
        let realized = product("realised profit", &[closed, price - entry, multiplier, direction])?;
        let crossed_zero =
            closes && !after.is_zero() && after.is_sign_positive() != before.is_sign_positive();
        let average_price = if before.is_zero() || crossed_zero {
            price
        } else if closes {
            entry
        } else {
            let cost = sum("cost", product("cost", &[before, entry])?, product("cost", &[delta, price])?)?;
            cost.checked_div(after).ok_or(OutOfRange { what: "average price" })?
        };
        let new_value = product("market value", &[after, price, multiplier])?;
        let market_value = sum("market value", self.market_value - old_value, new_value)?;
        let realized_before = self.realized.get(symbol).copied().unwrap_or_default();
        let realized_after = sum("realised profit", realized_before.0, realized)?;

        self.market_value = market_value;
        if !realized.is_zero() {
            self.realized.insert(symbol.clone(), RealizedTotal(realized_after));
        }
        if after.is_zero() {
            self.holdings.remove(symbol);
        } else {
            let holding =
                Holding { quantity: after, average_price, last_price: price, multiplier, updated_at: at };
            match self.holdings.get_mut(symbol) {
                Some(slot) => *slot = holding,
                None => {
                    self.holdings.insert(symbol.clone(), holding);
                }
            }
        }
        Ok(PositionChange { before, after, realized, crossed_zero })
    }

    /// Revalues a held instrument; an instrument that is not held is ignored. A price of zero is a worthless
    /// instrument and is taken as such.
    ///
    /// # Errors
    /// [`OutOfRange`]; the book is unchanged then.
    pub fn mark(&mut self, symbol: &Symbol, price: Decimal) -> Result<(), OutOfRange> {
        let Some(holding) = self.holdings.get_mut(symbol) else { return Ok(()) };
        let old_value = holding.market_value();
        let new_value = product("market value", &[holding.quantity, price, holding.multiplier])?;
        self.market_value = sum("market value", self.market_value - old_value, new_value)?;
        holding.last_price = price;
        Ok(())
    }

    /// Books a corporate action; `None` when the instrument is not held. The book's prices are divided with the units, a
    /// delisting realises, a new symbol takes the profit realised so far along. Cash is the caller's to book.
    ///
    /// # Errors
    /// [`CorporateActionError`]; the book is unchanged then.
    pub fn apply_action(
        &mut self,
        action: &CorporateAction,
    ) -> Result<Option<ActionEffect>, CorporateActionError> {
        action.check()?;
        let symbol = &action.symbol;
        let Some(held) = self.holdings.get(symbol) else { return Ok(None) };
        let effect = action.effect_on(held.quantity, held.multiplier)?;
        if effect.symbol != *symbol && self.holdings.contains_key(&effect.symbol) {
            let (action_id, to) = (action.action_id.clone(), effect.symbol);
            return Err(CorporateActionError::Held { action_id, symbol: symbol.clone(), to });
        }
        let divided = |price: Decimal| {
            price.checked_div(effect.price_divisor).ok_or(OutOfRange { what: "price after a split" })
        };
        let holding = Holding {
            quantity: effect.quantity,
            average_price: divided(held.average_price)?,
            last_price: divided(held.last_price)?,
            ..held.clone()
        };
        let new_value = product("market value", &[holding.quantity, holding.last_price, holding.multiplier])?;
        let market_value = sum("market value", self.market_value - held.market_value(), new_value)?;
        let mut realized = self.realized.get(symbol).copied().unwrap_or_default();
        if effect.quantity.is_zero() {
            let cost = product("cost", &[held.quantity, held.average_price, held.multiplier])?;
            realized.0 = sum("realised profit", realized.0, sum("realised profit", effect.cash, -cost)?)?;
        }
        if effect.symbol != *symbol {
            let there = self.realized.get(&effect.symbol).copied().unwrap_or_default();
            realized.0 = sum("realised profit", realized.0, there.0)?;
        }
        self.market_value = market_value;
        self.holdings.remove(symbol);
        self.realized.remove(symbol);
        if !realized.0.is_zero() {
            self.realized.insert(effect.symbol.clone(), realized);
        }
        if !holding.quantity.is_zero() {
            self.holdings.insert(effect.symbol.clone(), holding);
        }
        Ok(Some(effect))
    }

    /// Signed units held; zero when flat.
    #[must_use]
    pub fn quantity(&self, symbol: &Symbol) -> Decimal {
        self.holdings.get(symbol).map_or(Decimal::ZERO, |holding| holding.quantity)
    }

    /// The holding, unless flat.
    #[must_use]
    pub fn get(&self, symbol: &Symbol) -> Option<&Holding> {
        self.holdings.get(symbol)
    }

    /// All holdings that are not flat, by symbol.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Symbol, &Holding)> {
        self.holdings.iter()
    }

    /// How many instruments are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.holdings.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holdings.is_empty()
    }

    /// Signed value of all holdings at their last prices, kept incrementally.
    #[must_use]
    pub fn market_value(&self) -> Decimal {
        self.market_value
    }

    /// Realised profit of an instrument since the book began, before fees.
    #[must_use]
    pub fn realized(&self, symbol: &Symbol) -> Decimal {
        self.realized.get(symbol).copied().unwrap_or_default().0
    }

    /// Instruments in which something was realised, by symbol.
    pub fn realized_symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.realized.keys()
    }

    /// Realised profit of all instruments since the book began, before fees.
    #[must_use]
    pub fn realized_total(&self) -> Decimal {
        self.realized.values().map(|total| total.0).sum()
    }

    /// The documented view of all positions.
    #[must_use]
    pub fn positions(&self, fund_id: &FundId) -> Vec<Position> {
        self.holdings
            .iter()
            .map(|(symbol, holding)| Position {
                fund_id: fund_id.clone(),
                symbol: symbol.clone(),
                quantity: holding.quantity,
                avg_price: holding.average_price,
                last_price: holding.last_price,
                market_value_usd: holding.market_value(),
                unrealized_pl_usd: holding.unrealized(),
                realized_pl_ytd_usd: self.realized(symbol),
                last_updated: holding.updated_at,
                tax_lots: Vec::new(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corporate_action::CorporateActionKind;
    use proptest::prelude::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn book(fills: &[(Side, i64, &str)]) -> (PositionBook, Vec<PositionChange>) {
        let mut book = PositionBook::new();
        let symbol = Symbol::new("X").unwrap();
        let changes = fills
            .iter()
            .map(|(side, quantity, price)| {
                book.apply(&symbol, *side, Decimal::from(*quantity), d(price), Decimal::ONE, Timestamp::EPOCH)
                    .unwrap()
            })
            .collect();
        (book, changes)
    }

    #[test]
    fn the_documented_positions() {
        let x = Symbol::new("X").unwrap();
        let (mut long, _) = book(&[(Side::Buy, 100, "180.50")]);
        long.mark(&x, d("185")).unwrap();
        assert_eq!((long.market_value(), long.get(&x).unwrap().unrealized()), (d("18500"), d("450")));
        let (mut short, _) = book(&[(Side::Short, 50, "200")]);
        short.mark(&x, d("210")).unwrap();
        assert_eq!((short.market_value(), short.get(&x).unwrap().unrealized()), (d("-10500"), d("-500")));
    }

    #[test]
    fn averages_realised_profit_and_flips() {
        let x = Symbol::new("X").unwrap();
        let (held, changes) = book(&[(Side::Buy, 100, "10"), (Side::Buy, 100, "20"), (Side::Sell, 50, "30")]);
        assert_eq!(held.get(&x).unwrap().average_price, d("15"));
        assert_eq!(changes[2].realized, d("750"));
        let (flipped, changes) = book(&[(Side::Buy, 10, "10"), (Side::Sell, 15, "12")]);
        assert!(changes[1].crossed_zero);
        assert_eq!((changes[1].realized, flipped.quantity(&x)), (d("20"), d("-5")));
        assert_eq!(flipped.get(&x).unwrap().average_price, d("12"));
        let (_, changes) = book(&[(Side::Short, 10, "10"), (Side::Cover, 10, "12")]);
        assert_eq!(changes[1].realized, d("-20"));
    }

    fn action(kind: CorporateActionKind) -> CorporateAction {
        let (symbol, ex_date) = (Symbol::new("X").unwrap(), chrono::NaiveDate::default());
        CorporateAction { action_id: "ca".into(), symbol, ex_date, kind }
    }

    #[test]
    fn a_split_and_a_new_symbol_change_no_value() {
        let (x, y) = (Symbol::new("X").unwrap(), Symbol::new("Y").unwrap());
        let (mut book, _) = book(&[(Side::Buy, 12, "10"), (Side::Sell, 5, "30")]);
        let split = CorporateActionKind::Split { new_units: d("3"), old_units: d("2") };
        let effect = book.apply_action(&action(split)).unwrap().unwrap();
        assert_eq!((effect.quantity, effect.cash), (d("10.5"), Decimal::ZERO));
        assert_eq!((book.market_value().round_dp(20), book.realized(&x)), (d("210"), d("100")));
        assert_eq!(book.get(&x).unwrap().last_price, d("20"));
        book.apply_action(&action(CorporateActionKind::SymbolChange { to: y.clone() })).unwrap();
        assert_eq!((book.quantity(&x), book.quantity(&y)), (Decimal::ZERO, d("10.5")));
        assert_eq!((book.realized(&x), book.realized(&y)), (Decimal::ZERO, d("100")));
        book.apply(&x, Side::Buy, d("1"), d("1"), Decimal::ONE, Timestamp::EPOCH).unwrap();
        let before = book.clone();
        let error = book.apply_action(&action(CorporateActionKind::SymbolChange { to: y })).unwrap_err();
        assert!(error.to_string().contains("Y is held already"), "{error}");
        assert_eq!(book, before);
    }

    #[test]
    fn dividends_are_paid_by_who_is_short_and_a_delisting_realises() {
        let x = Symbol::new("X").unwrap();
        let currency = crate::Currency::USD;
        let dividend = action(CorporateActionKind::CashDividend { amount: d("0.5"), currency });
        let gone = action(CorporateActionKind::Delisting { amount: d("4"), currency });
        for (side, cash, proceeds, profit) in
            [(Side::Buy, "5", "40", "-60"), (Side::Short, "-5", "-40", "60")]
        {
            let (mut book, _) = book(&[(side, 10, "10")]);
            assert_eq!(book.apply_action(&dividend).unwrap().unwrap().cash, d(cash));
            assert_eq!(book.apply_action(&gone).unwrap().unwrap().cash, d(proceeds));
            assert_eq!((book.realized(&x), book.market_value(), book.len()), (d(profit), Decimal::ZERO, 0));
            assert_eq!(book.apply_action(&dividend).unwrap(), None, "nothing is held");
        }
        for kind in [
            CorporateActionKind::Split { new_units: Decimal::ZERO, old_units: d("1") },
            CorporateActionKind::Split { new_units: d("1"), old_units: d("-1") },
            CorporateActionKind::CashDividend { amount: Decimal::ZERO, currency },
            CorporateActionKind::Delisting { amount: d("-1"), currency },
        ] {
            let error = PositionBook::new().apply_action(&action(kind)).unwrap_err().to_string();
            assert!(error.contains("corporate action ca of X:") && error.contains("must be"), "{error}");
        }
    }

    #[test]
    fn an_overflow_leaves_the_book_unchanged() {
        let mut book = PositionBook::new();
        let x = Symbol::new("X").unwrap();
        let huge = d("70000000000000000000000000000");
        let error = book.apply(&x, Side::Buy, huge, d("2"), Decimal::ONE, Timestamp::EPOCH).unwrap_err();
        assert!(error.to_string().contains("range of exact decimals"));
        assert_eq!(book, PositionBook::new());
    }

    proptest! {
        /// Cash and positions together change only by fees: at any moment, cash spent = cost of what is held minus
        /// realised profit, to the last digit that the average price keeps.
        #[test]
        fn cash_and_positions_are_conserved(fills in prop::collection::vec(
            (0_usize..4, 0_usize..3, 1_i64..1_000, 1_i64..100_000, 0_i64..500), 1..80))
        {
            let symbols = ["A", "B", "C"].map(|name| Symbol::new(name).unwrap());
            let mut book = PositionBook::new();
            let (mut cash, mut fees_paid) = (Decimal::ZERO, Decimal::ZERO);
            for (side, symbol, quantity, cents, fee_cents) in fills {
                let side = Side::ALL[side];
                let (quantity, price) = (Decimal::from(quantity), Decimal::new(cents, 2));
                let fees = Decimal::new(fee_cents, 2);
                let value_before = cash + book.market_value();
                // Revalue at the fill's price first, so that only the fill itself moves value.
                let old = book.market_value();
                book.mark(&symbols[symbol], price).unwrap();
                let revalued = book.market_value() - old;
                book.apply(&symbols[symbol], side, quantity, price, Decimal::ONE, Timestamp::EPOCH).unwrap();
                cash += side.signed(-(quantity * price)) - fees;
                fees_paid += fees;
                prop_assert_eq!(cash + book.market_value(), value_before + revalued - fees);
            }
            let unrealized: Decimal = book.iter().map(|(_, holding)| holding.unrealized()).sum();
            let profit = cash + fees_paid + book.market_value();
            prop_assert!((profit - book.realized_total() - unrealized).abs() < d("0.000000000001"));
            let slow: Decimal = book.iter().map(|(_, holding)| holding.market_value()).sum();
            prop_assert_eq!(slow, book.market_value());
        }
    }
}
