//! What happened to the lots of one fund, in the order of booking.

use super::{TaxError, TaxPolicy, TaxRecord, wash};
use chrono::NaiveDate;
use mts_foundation::lots::{LotChange, LotClosure};
use mts_foundation::position::OutOfRange;
use mts_foundation::{Decimal, FundId, Symbol, TaxLot, num};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Most lots, closures and splits of one history together.
pub const MAX_TAX_ITEMS: usize = 20_000_000;

/// Decimal places of units that were converted over a split.
const UNIT_PLACES: u32 = 12;

/// What happened to the lots of one fund. Feed every change from the first on, and splits and symbol changes where they
/// happened between them, as [`LotBook`](mts_foundation::LotBook) was.
#[derive(Debug, Clone, PartialEq)]
pub struct TaxHistory {
    pub(super) fund_id: FundId,
    pub(super) instruments: Vec<Issue>,
    names: BTreeMap<Symbol, usize>,
    pub(super) lots: Vec<OpenedLot>,
    numbers: BTreeMap<SmolStr, usize>,
    pub(super) events: Vec<Happened>,
    /// Lots, closures and splits, for the bound.
    items: usize,
}

/// What happened, in the order of booking.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Happened {
    /// The lot of this index was opened.
    Opened(usize),
    /// One fill closed these.
    Sale(Vec<Closing>),
    /// The instrument of this index was split.
    Split { issue: usize, new_units: Decimal, old_units: Decimal, after: UnitScale },
}

/// One instrument through all of its names.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Issue {
    /// The latest name.
    pub(super) symbol: Symbol,
    /// Units now for one at the beginning.
    factor: Decimal,
}

/// What is kept of a lot when it is opened.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OpenedLot {
    pub(super) lot_id: SmolStr,
    pub(super) symbol: Symbol,
    pub(super) open_date: NaiveDate,
    pub(super) short: bool,
    /// Units at the time of the opening, greater than zero.
    pub(super) units: Decimal,
    pub(super) cost: Decimal,
    pub(super) fees: Decimal,
    pub(super) issue: usize,
    pub(super) scale: UnitScale,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Closing {
    pub(super) closure: LotClosure,
    /// Index of the lot.
    pub(super) lot: usize,
    pub(super) scale: UnitScale,
}

/// How large units were at one time; splits change it. Two lots of one instrument between which no split lies have the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct UnitScale(Decimal);

impl UnitScale {
    /// As many units as `units` of this time became, or were, at another one. Where a split lies between them they are
    /// rounded to 1e-12.
    pub(super) fn convert(self, units: Decimal, to: Self) -> Result<Decimal, OutOfRange> {
        if self == to {
            return Ok(units);
        }
        let converted = to.0.checked_div(self.0).and_then(|ratio| units.checked_mul(ratio));
        let converted = converted.ok_or(OutOfRange { what: "units over a split" })?;
        Ok(num::round(converted, UNIT_PLACES).normalize())
    }
}

impl TaxHistory {
    /// An empty history.
    #[must_use]
    pub fn new(fund_id: FundId) -> Self {
        Self {
            fund_id,
            instruments: Vec::new(),
            names: BTreeMap::new(),
            lots: Vec::new(),
            numbers: BTreeMap::new(),
            events: Vec::new(),
            items: 0,
        }
    }

    /// Takes what one fill did to the lots.
    ///
    /// # Errors
    /// [`TaxError`] for a lot that is unknown, of another fund, or known already; nothing has changed then.
    pub fn apply(&mut self, change: &LotChange) -> Result<(), TaxError> {
        let added = change.closed.len() + usize::from(change.opened.is_some());
        if added > MAX_TAX_ITEMS - self.items {
            return Err(TaxError::Full);
        }
        let mut closings = Vec::with_capacity(change.closed.len());
        for closure in &change.closed {
            let LotClosure { lot_id, fill_id, .. } = closure;
            let unknown = || TaxError::UnknownLot { fill_id: fill_id.clone(), lot_id: lot_id.clone() };
            let lot = *self.numbers.get(lot_id).ok_or_else(unknown)?;
            let issue = self.lots.get(lot).map_or(usize::MAX, |opened| opened.issue);
            closings.push(Closing { closure: closure.clone(), lot, scale: self.scale(issue) });
        }
        let opened = change.opened.as_ref().map(|lot| self.open(lot)).transpose()?;
        if !closings.is_empty() {
            self.events.push(Happened::Sale(closings));
        }
        self.events.extend(opened);
        self.items += added;
        Ok(())
    }

    fn open(&mut self, lot: &TaxLot) -> Result<Happened, TaxError> {
        let lot_id = lot.lot_id.clone();
        if lot.fund_id != self.fund_id {
            let (found, wanted) = (lot.fund_id.clone(), self.fund_id.clone());
            return Err(TaxError::OtherFund { lot_id, found, wanted });
        }
        if self.numbers.contains_key(&lot_id) {
            return Err(TaxError::DuplicateLot { lot_id });
        }
        let (issue, number) = (self.issue(&lot.symbol), self.lots.len());
        self.numbers.insert(lot_id.clone(), number);
        self.lots.push(OpenedLot {
            lot_id,
            symbol: lot.symbol.clone(),
            open_date: lot.open_date,
            short: lot.open_qty.is_sign_negative(),
            units: lot.remaining().abs(),
            cost: lot.open_cost,
            fees: lot.open_fees,
            issue,
            scale: self.scale(issue),
        });
        Ok(Happened::Opened(number))
    }

    /// Takes a split of `new_units` for `old_units`: earlier quantities are brought to the new units where they meet later
    /// ones.
    ///
    /// # Errors
    /// [`TaxError::BadSplit`], and splits whose product leaves the range of decimals; nothing has changed then.
    pub fn split(&mut self, symbol: &Symbol, new_units: Decimal, old_units: Decimal) -> Result<(), TaxError> {
        if new_units <= Decimal::ZERO || old_units <= Decimal::ZERO {
            return Err(TaxError::BadSplit { symbol: symbol.clone(), new_units, old_units });
        }
        // What was never traded has no earlier quantities.
        let Some(issue) = self.names.get(symbol).copied() else { return Ok(()) };
        if self.items == MAX_TAX_ITEMS {
            return Err(TaxError::Full);
        }
        let Some(found) = self.instruments.get_mut(issue) else { return Ok(()) };
        let factor = found.factor.checked_mul(new_units).and_then(|units| units.checked_div(old_units));
        let usable = factor.filter(|factor| !factor.is_zero());
        found.factor = usable.ok_or(OutOfRange { what: "product of splits" })?.normalize();
        let after = UnitScale(found.factor);
        self.events.push(Happened::Split { issue, new_units, old_units, after });
        self.items += 1;
        Ok(())
    }

    /// Takes a symbol change: the instrument goes on under its new name. What had that name before is another instrument.
    pub fn rename(&mut self, from: &Symbol, to: &Symbol) {
        if from == to {
            return;
        }
        self.names.remove(to);
        let Some(number) = self.names.remove(from) else { return };
        self.names.insert(to.clone(), number);
        if let Some(issue) = self.instruments.get_mut(number) {
            issue.symbol = to.clone();
        }
    }

    /// Rows, wash sales and open lots that follow from the whole history. The last thirty days are provisional: a purchase
    /// that is still to come may yet disallow a loss.
    ///
    /// # Errors
    /// [`TaxError`] for more units closed than opened, a rate that is not known, or a value out of range.
    pub fn record(&self, policy: &impl TaxPolicy) -> Result<TaxRecord, TaxError> {
        wash::record(self, policy)
    }

    /// The instrument that has this name now, known from now on.
    fn issue(&mut self, symbol: &Symbol) -> usize {
        if let Some(number) = self.names.get(symbol) {
            return *number;
        }
        let number = self.instruments.len();
        self.instruments.push(Issue { symbol: symbol.clone(), factor: Decimal::ONE });
        self.names.insert(symbol.clone(), number);
        number
    }

    fn scale(&self, issue: usize) -> UnitScale {
        UnitScale(self.instruments.get(issue).map_or(Decimal::ONE, |issue| issue.factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::{Fill, LotBook, Side, TaxLotMethod, Timestamp};

    fn changes(fund: &str) -> Vec<LotChange> {
        let mut book = LotBook::new(FundId::new(fund).unwrap(), TaxLotMethod::Fifo);
        [("a", Side::Buy), ("b", Side::Sell)]
            .map(|(id, side)| {
                let (quantity, price) = (Decimal::TEN, Decimal::ONE);
                let fill = Fill::new(id, "o", "X", side, quantity, price, Timestamp::EPOCH).unwrap();
                book.apply(&fill, Decimal::ONE, NaiveDate::default(), None).unwrap()
            })
            .to_vec()
    }

    fn history() -> TaxHistory {
        TaxHistory::new(FundId::new("f").unwrap())
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let own = changes("f");
        let mut history = history();
        let refused = |history: &mut TaxHistory, change: &LotChange, expected: &str| {
            let before = history.clone();
            let error = history.apply(change).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(*history, before);
        };
        refused(&mut history, &own[1], "fill b closes lot a, whose opening was not fed");
        refused(&mut history, &changes("g")[0], "lot a belongs to fund g, the history is that of f");
        history.apply(&own[0]).unwrap();
        refused(&mut history, &own[0], "lot a was opened already");
        history.apply(&own[1]).unwrap();
        history.apply(&own[1]).unwrap();
        let error = history.record(&super::super::WashSalesEverywhere).unwrap_err().to_string();
        assert!(error.contains("fill b closes 10 units of lot a, which has 0"), "{error}");
    }

    #[test]
    fn a_full_history_takes_nothing_more() {
        let mut history = history();
        history.apply(&changes("f")[0]).unwrap();
        history.items = MAX_TAX_ITEMS;
        let before = history.clone();
        assert_eq!(history.apply(&changes("f")[1]), Err(TaxError::Full));
        let x = Symbol::new("X").unwrap();
        assert_eq!(history.split(&x, Decimal::TWO, Decimal::ONE), Err(TaxError::Full));
        assert_eq!(history, before);
    }

    #[test]
    fn splits_need_a_ratio_and_may_not_grow_without_end() {
        let mut history = history();
        let x = Symbol::new("X").unwrap();
        history.apply(&changes("f")[0]).unwrap();
        let error = history.split(&x, Decimal::ZERO, Decimal::ONE).unwrap_err().to_string();
        assert!(error.contains("both must be greater than zero"), "{error}");
        let large = Decimal::from(10_000_000_000_i64);
        history.split(&x, large, Decimal::ONE).unwrap();
        history.split(&x, large, Decimal::ONE).unwrap();
        let before = history.clone();
        assert!(matches!(history.split(&x, large, Decimal::ONE), Err(TaxError::OutOfRange(_))));
        assert_eq!(history, before);
    }

    #[test]
    fn units_come_back_over_a_split_that_does_not_come_out_even() {
        let third = UnitScale(Decimal::ONE / Decimal::from(3));
        let one = UnitScale(Decimal::ONE);
        let units = Decimal::from(100);
        let before = third.convert(units, one).unwrap();
        assert_eq!((before, one.convert(before, third).unwrap()), (Decimal::from(300), units));
        let tiny = Decimal::new(1, 18);
        assert_eq!(one.convert(tiny, one), Ok(tiny), "without a split nothing is rounded");
    }
}
