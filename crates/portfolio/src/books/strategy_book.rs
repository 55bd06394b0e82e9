//! The part of a fund that one strategy made.

use super::BooksError;
use mts_foundation::corporate_action::CorporateAction;
use mts_foundation::num::exact;
use mts_foundation::position::{OutOfRange, PositionBook};
use mts_foundation::{Decimal, Fill, StrategyId, Symbol};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Positions of one strategy, with fees and income by instrument. What no strategy made, such as dividends that the venue
/// books, is in the book without one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StrategyBook {
    positions: PositionBook,
    /// Fees less rebates, by instrument.
    fees: BTreeMap<Symbol, Decimal>,
    /// Dividends, interest, borrow costs and the like; `None` = of no instrument.
    income: BTreeMap<Option<Symbol>, Decimal>,
}

/// What one strategy made in one instrument since the books began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfitLine {
    /// Which strategy; `None` = no strategy's.
    pub strategy_id: Option<StrategyId>,
    /// Which instrument; `None` = of none, such as interest on cash.
    pub symbol: Option<Symbol>,
    /// Signed units held.
    #[serde(with = "exact")]
    pub quantity: Decimal,
    /// Signed value at the last price.
    #[serde(with = "exact")]
    pub market_value: Decimal,
    /// Realised, before fees.
    #[serde(with = "exact")]
    pub realized: Decimal,
    /// What closing at the last price would realise.
    #[serde(with = "exact")]
    pub unrealized: Decimal,
    /// Fees paid.
    #[serde(with = "exact")]
    pub fees: Decimal,
    /// Dividends, interest, borrow costs, corrections.
    #[serde(with = "exact")]
    pub income: Decimal,
}

impl ProfitLine {
    /// All of it, after fees.
    #[must_use]
    pub fn total(&self) -> Decimal {
        self.realized + self.unrealized + self.income - self.fees
    }
}

impl StrategyBook {
    /// Positions that its fills made.
    #[must_use]
    pub fn positions(&self) -> &PositionBook {
        &self.positions
    }

    pub(super) fn fill(&mut self, fill: &Fill, multiplier: Decimal) -> Result<(), BooksError> {
        let Fill { symbol, side, quantity, price, timestamp, .. } = fill;
        self.positions.apply(symbol, *side, *quantity, *price, multiplier, *timestamp)?;
        if fill.fees.is_zero() { Ok(()) } else { self.charged(symbol, fill.fees) }
    }

    /// Fees that followed their fill.
    pub(super) fn charged(&mut self, symbol: &Symbol, amount: Decimal) -> Result<(), BooksError> {
        let fees = self.fees.entry(symbol.clone()).or_default();
        *fees = fees.checked_add(amount).ok_or(OutOfRange { what: "fees" })?;
        Ok(())
    }

    pub(super) fn earned(&mut self, symbol: Option<&Symbol>, amount: Decimal) -> Result<(), BooksError> {
        let income = self.income.entry(symbol.cloned()).or_default();
        *income = income.checked_add(amount).ok_or(OutOfRange { what: "income" })?;
        Ok(())
    }

    pub(super) fn act(&mut self, action: &CorporateAction) -> Result<(), BooksError> {
        let Some(effect) = self.positions.apply_action(action)? else { return Ok(()) };
        // What a delisting brings is realised, not income.
        if !effect.quantity.is_zero() && !effect.cash.is_zero() {
            self.earned(Some(&action.symbol), effect.cash)?;
        }
        if effect.symbol != action.symbol {
            if let Some(fees) = self.fees.remove(&action.symbol) {
                *self.fees.entry(effect.symbol.clone()).or_default() += fees;
            }
            if let Some(income) = self.income.remove(&Some(action.symbol.clone())) {
                *self.income.entry(Some(effect.symbol)).or_default() += income;
            }
        }
        Ok(())
    }

    pub(super) fn mark(&mut self, symbol: &Symbol, price: Decimal) -> Result<(), BooksError> {
        Ok(self.positions.mark(symbol, price)?)
    }

    /// What it made, by instrument.
    pub(super) fn lines(&self, strategy_id: Option<&StrategyId>) -> Vec<ProfitLine> {
        let mut symbols: Vec<Option<Symbol>> = Vec::new();
        symbols.extend(self.income.keys().cloned());
        symbols.extend(self.fees.keys().cloned().map(Some));
        symbols.extend(self.positions.iter().map(|(symbol, _)| Some(symbol.clone())));
        symbols.extend(self.positions.realized_symbols().cloned().map(Some));
        symbols.sort();
        symbols.dedup();
        let line = |symbol: Option<Symbol>| {
            let held = symbol.as_ref().and_then(|symbol| self.positions.get(symbol));
            let of_symbol = |map: &BTreeMap<Symbol, Decimal>| {
                symbol.as_ref().and_then(|symbol| map.get(symbol)).copied().unwrap_or_default()
            };
            ProfitLine {
                strategy_id: strategy_id.cloned(),
                quantity: held.map(|held| held.quantity).unwrap_or_default(),
                market_value: held.map(mts_foundation::position::Holding::market_value).unwrap_or_default(),
                realized: symbol.as_ref().map(|symbol| self.positions.realized(symbol)).unwrap_or_default(),
                unrealized: held.map(mts_foundation::position::Holding::unrealized).unwrap_or_default(),
                fees: of_symbol(&self.fees),
                income: self.income.get(&symbol).copied().unwrap_or_default(),
                symbol,
            }
        };
        symbols.into_iter().map(line).collect()
    }
}
