//! The books of one fund.

use super::{BooksError, Posting, PostingKind, ProfitLine, StrategyBook};
use chrono::NaiveDate;
use mts_foundation::corporate_action::{CorporateAction, CorporateActionKind};
use mts_foundation::event::{ADOPTED, CashMoved};
use mts_foundation::fund::{NavSnapshot, TaxLotMethod};
use mts_foundation::lots::{LotBook, LotChange, LotPick};
use mts_foundation::position::{OutOfRange, PositionBook};
use mts_foundation::{
    CashKind, Currency, Decimal, Fill, FillId, FundId, OrderId, Side, StrategyId, Symbol, Timestamp,
    VenueName,
};
use std::collections::{BTreeMap, BTreeSet};

/// By so little sums may differ that come about in another order: what is divided has 28 digits, and the last is rounded. A
/// split of 3 for 2 is divided and rounded for each strategy.
const ROUNDING: Decimal = Decimal::from_parts(1, 0, 0, false, 10);

/// Cash, positions, lots and strategies of one fund.
#[derive(Debug, Clone, PartialEq)]
pub struct FundBooks {
    fund_id: FundId,
    currency: Currency,
    opening_cash: Decimal,
    cash: Decimal,
    fees: Decimal,
    moved: BTreeMap<CashKind, Decimal>,
    positions: PositionBook,
    strategies: BTreeMap<Option<StrategyId>, StrategyBook>,
    lots: LotBook,
}

/// What is to be known of a fill besides itself.
pub(super) struct FillTerms<'a> {
    pub(super) multiplier: Decimal,
    pub(super) date: NaiveDate,
    pub(super) picks: Option<&'a [LotPick]>,
    pub(super) strategy_id: Option<&'a StrategyId>,
}

fn beyond(what: &'static str) -> impl Fn() -> OutOfRange {
    move || OutOfRange { what }
}

impl FundBooks {
    pub(super) fn new(fund_id: FundId, currency: Currency, cash: Decimal, method: TaxLotMethod) -> Self {
        Self {
            lots: LotBook::new(fund_id.clone(), method),
            fund_id,
            currency,
            opening_cash: cash,
            cash,
            fees: Decimal::ZERO,
            moved: BTreeMap::new(),
            positions: PositionBook::new(),
            strategies: BTreeMap::new(),
        }
    }

    /// Currency of the numbers.
    #[must_use]
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// Cash with which the books began.
    #[must_use]
    pub fn opening_cash(&self) -> Decimal {
        self.opening_cash
    }

    /// Cash, negative when borrowed.
    #[must_use]
    pub fn cash(&self) -> Decimal {
        self.cash
    }

    /// Fees of fills since the books began.
    #[must_use]
    pub fn fees(&self) -> Decimal {
        self.fees
    }

    /// Cash that moved outside of fills, by reason.
    #[must_use]
    pub fn moved(&self) -> &BTreeMap<CashKind, Decimal> {
        &self.moved
    }

    /// Positions.
    #[must_use]
    pub fn positions(&self) -> &PositionBook {
        &self.positions
    }

    /// Open tax lots.
    #[must_use]
    pub fn lots(&self) -> &LotBook {
        &self.lots
    }

    /// What each strategy made; the one without a name is no strategy's.
    pub fn strategies(&self) -> impl ExactSizeIterator<Item = (Option<&StrategyId>, &StrategyBook)> {
        self.strategies.iter().map(|(strategy_id, book)| (strategy_id.as_ref(), book))
    }

    /// Cash plus signed value of all positions at their last prices.
    #[must_use]
    pub fn nav(&self) -> Decimal {
        self.cash.saturating_add(self.positions.market_value())
    }

    /// Where the fund stands now.
    #[must_use]
    pub fn snapshot(&self, asof: NaiveDate) -> NavSnapshot {
        let values = || self.positions.iter().map(|(_, held)| held.market_value());
        NavSnapshot {
            fund_id: self.fund_id.clone(),
            asof,
            nav_usd: self.nav(),
            cash_usd: self.cash,
            long_usd: values().filter(|value| value.is_sign_positive()).sum(),
            short_usd: values().filter(Decimal::is_sign_negative).sum(),
            positions: u32::try_from(self.positions.len()).unwrap_or(u32::MAX),
        }
    }

    /// What each strategy made in each instrument since the books began. The totals of all lines, less capital that came in,
    /// are what the fund is worth more than its opening cash.
    #[must_use]
    pub fn profit_lines(&self) -> Vec<ProfitLine> {
        self.strategies.iter().flat_map(|(strategy_id, book)| book.lines(strategy_id.as_ref())).collect()
    }

    /// Capital that came in less capital that went out, since the books began.
    #[must_use]
    pub fn capital(&self) -> Decimal {
        self.moved.iter().filter(|(kind, _)| kind.is_capital()).map(|(_, amount)| *amount).sum()
    }

    pub(super) fn fill(
        &mut self,
        fill: &Fill,
        terms: &FillTerms<'_>,
        (position_after, cash_after): (Decimal, Decimal),
    ) -> Result<Posting, BooksError> {
        let FillTerms { multiplier, date, picks, strategy_id } = *terms;
        let Fill { symbol, side, quantity, price, timestamp, .. } = fill;
        let value = quantity.checked_mul(*price).and_then(|value| value.checked_mul(multiplier));
        let amount = side.signed(-value.ok_or_else(beyond("fill value"))?);
        let cash = self.cash.checked_add(amount).and_then(|cash| cash.checked_sub(fill.fees));
        let cash = cash.ok_or_else(beyond("cash"))?;
        let fees = self.fees.checked_add(fill.fees).ok_or_else(beyond("fees"))?;
        let units = self.positions.quantity(symbol) + side.signed(*quantity);
        self.same("position", Some(symbol), units, position_after)?;
        self.same("cash", None, cash, cash_after)?;
        let lots = self.lots.apply(fill, multiplier, date, picks)?;
        let change = self.positions.apply(symbol, *side, *quantity, *price, multiplier, *timestamp)?;
        match strategy_id {
            Some(_) => self.strategies.entry(strategy_id.cloned()).or_default().fill(fill, multiplier)?,
            None => self.fill_of_nobody(fill, multiplier)?,
        }
        // All parts of a position have one price.
        self.strategies.values_mut().try_for_each(|book| book.mark(symbol, *price))?;
        (self.cash, self.fees) = (cash, fees);
        Ok(Posting {
            fund_id: self.fund_id.clone(),
            strategy_id: strategy_id.cloned(),
            time: *timestamp,
            date,
            kind: if fill.venue.as_str() == ADOPTED {
                PostingKind::Adopted { side: *side, quantity: *quantity, price: *price }
            } else {
                PostingKind::Fill { side: *side, quantity: *quantity, price: *price }
            },
            symbol: Some(symbol.clone()),
            fill_id: Some(fill.fill_id.clone()),
            cause: fill.fill_id.as_str().into(),
            amount,
            fees: fill.fees,
            cash,
            realized: change.realized,
            lots,
        })
    }

    /// What closes for the whole fund (a stop, a flatten) is taken from the strategies that hold in its direction, by name; what
    /// is left belongs to none.
    fn fill_of_nobody(&mut self, fill: &Fill, multiplier: Decimal) -> Result<(), BooksError> {
        let (mut units, mut fees) = (fill.quantity, fill.fees);
        for (strategy_id, book) in &mut self.strategies {
            let held = book.positions().quantity(&fill.symbol);
            let closes = !held.is_zero() && held.is_sign_negative() == (fill.side.sign() > 0);
            if !closes || strategy_id.is_none() || units.is_zero() {
                continue;
            }
            let quantity = units.min(held.abs());
            let part = fees.checked_mul(quantity).and_then(|part| part.checked_div(units));
            let part = if quantity == units { fees } else { part.ok_or_else(beyond("fees"))? };
            book.fill(&Fill { quantity, fees: part, ..fill.clone() }, multiplier)?;
            (units, fees) = (units - quantity, fees - part);
        }
        if units.is_zero() {
            return Ok(());
        }
        let rest = Fill { quantity: units, fees, ..fill.clone() };
        self.strategies.entry(None).or_default().fill(&rest, multiplier)
    }

    pub(super) fn cash_moved(&mut self, moved: &CashMoved, date: NaiveDate) -> Result<Posting, BooksError> {
        let CashMoved { kind, amount, symbol, fill_id, strategy_id, cause, time, .. } = moved;
        let cash = self.cash.checked_add(*amount).ok_or_else(beyond("cash"))?;
        self.same("cash", None, cash, moved.cash)?;
        let total = self.moved.get(kind).copied().unwrap_or_default().checked_add(*amount);
        let total = total.ok_or_else(beyond("cash that moved"))?;
        if !kind.is_capital() {
            let book = self.strategies.entry(strategy_id.clone()).or_default();
            match (fill_id, symbol) {
                (Some(fill_id), Some(symbol)) if *kind == CashKind::Fee => {
                    book.charged(symbol, -*amount)?;
                    self.lots.charge(symbol, fill_id, -*amount)?;
                }
                _ => book.earned(symbol.as_ref(), *amount)?,
            }
        }
        self.moved.insert(*kind, total);
        self.cash = cash;
        Ok(Posting {
            fund_id: self.fund_id.clone(),
            strategy_id: strategy_id.clone(),
            time: *time,
            date,
            kind: PostingKind::Cash(*kind),
            symbol: symbol.clone(),
            fill_id: fill_id.clone(),
            cause: cause.clone(),
            amount: *amount,
            fees: Decimal::ZERO,
            cash,
            realized: Decimal::ZERO,
            lots: LotChange::default(),
        })
    }

    pub(super) fn corporate_action(
        &mut self,
        action: &CorporateAction,
        multiplier: Decimal,
        (position_after, cash_after): (Decimal, Decimal),
        time: Timestamp,
    ) -> Result<Posting, BooksError> {
        let symbol = &action.symbol;
        let before = self.positions.quantity(symbol);
        let effect = action.effect_on(before, multiplier)?;
        self.same("position", Some(symbol), effect.quantity, position_after)?;
        let cash = self.cash.checked_add(effect.cash).ok_or_else(beyond("cash"))?;
        self.same("cash", None, cash, cash_after)?;
        let realized = self.positions.realized_total();
        let mut lots = LotChange::default();
        match &action.kind {
            CorporateActionKind::Split { new_units, old_units } => {
                self.lots.split(symbol, *new_units, *old_units)?;
            }
            CorporateActionKind::SymbolChange { to } => self.lots.rename(symbol, to)?,
            CorporateActionKind::Delisting { amount, .. } => {
                if let Some(end) = end_of(action, before, *amount, time) {
                    lots = self.lots.apply(&end, multiplier, action.ex_date, None)?;
                }
            }
            CorporateActionKind::CashDividend { .. } => {
                let total = self.moved.entry(CashKind::Dividend).or_default();
                *total = total.checked_add(effect.cash).ok_or_else(beyond("cash that moved"))?;
            }
        }
        self.positions.apply_action(action)?;
        self.strategies.values_mut().try_for_each(|book| book.act(action))?;
        self.cash = cash;
        let realized = self.positions.realized_total() - realized;
        Ok(Posting {
            fund_id: self.fund_id.clone(),
            strategy_id: None,
            time,
            date: action.ex_date,
            kind: PostingKind::Action(action.clone()),
            symbol: Some(symbol.clone()),
            fill_id: None,
            cause: action.action_id.clone(),
            amount: effect.cash,
            fees: Decimal::ZERO,
            cash,
            realized,
            lots,
        })
    }

    /// Instruments that the fund or any strategy holds.
    pub(super) fn symbols_held(&self) -> BTreeSet<Symbol> {
        let books =
            std::iter::once(&self.positions).chain(self.strategies.values().map(StrategyBook::positions));
        books.flat_map(|book| book.iter().map(|(symbol, _)| symbol.clone())).collect()
    }

    pub(super) fn mark(&mut self, symbol: &Symbol, price: Decimal) -> Result<(), BooksError> {
        self.positions.mark(symbol, price)?;
        self.strategies.values_mut().try_for_each(|book| book.mark(symbol, price))
    }

    pub(super) fn same(
        &self,
        what: &'static str,
        symbol: Option<&Symbol>,
        ours: Decimal,
        ledger: Decimal,
    ) -> Result<(), BooksError> {
        if ours == ledger {
            return Ok(());
        }
        let (fund_id, symbol) = (self.fund_id.clone(), symbol.cloned());
        Err(BooksError::Diverged { fund_id, what, symbol, ours, ledger })
    }

    pub(super) fn nearly_same(
        &self,
        what: &'static str,
        symbol: Option<&Symbol>,
        ours: Decimal,
        ledger: Decimal,
    ) -> Result<(), BooksError> {
        let apart = ours.checked_sub(ledger).map(|apart| apart.abs());
        if apart.is_some_and(|apart| apart <= ROUNDING) {
            return Ok(());
        }
        self.same(what, symbol, ours, ledger)
    }
}

/// The end of an instrument as the trade that closes it, for the lots; `None` where nothing is held.
fn end_of(action: &CorporateAction, held: Decimal, price: Decimal, time: Timestamp) -> Option<Fill> {
    let side = if held.is_sign_negative() { Side::Cover } else { Side::Sell };
    let id = format!("action-{}", action.action_id);
    (!held.is_zero()).then_some(())?;
    Some(Fill {
        fill_id: FillId::new(&id).ok()?,
        order_id: OrderId::new(&id).ok()?,
        symbol: action.symbol.clone(),
        side,
        quantity: held.abs(),
        price,
        fees: Decimal::ZERO,
        venue: VenueName::new("issuer").ok()?,
        timestamp: time,
        raw: BTreeMap::new(),
    })
}
