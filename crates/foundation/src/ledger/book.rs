//! The book of one fund: cash, positions, working orders, and the exposures that limits are checked against.

use super::{Adopted, LedgerError};
use crate::corporate_action::{ActionEffect, CorporateAction, CorporateActionError};
use crate::fill::Fill;
use crate::ids::OrderId;
use crate::instrument::Instrument;
use crate::num::{Decimal, binary_digits, exact};
use crate::order::Side;
use crate::position::{Holding, OutOfRange, PositionBook, PositionChange, product, sum};
use crate::symbol::{AssetClass, Currency, Symbol};
use crate::table::Table;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Largest amount of a book: 1e27. Cash, exposures and values of positions stay within it, so that the few sums that are
/// made of them, such as net asset value, are always in the range of decimals.
const MAX_AMOUNT: Decimal = Decimal::from_parts(3_892_314_112, 2_681_241_660, 54_210_108, false, 0);

/// What has no more binary digits is below [`MAX_AMOUNT`].
const SAFE_DIGITS: i32 = 89;

/// An order that may still fill at the venue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkingOrder {
    /// Instrument.
    pub symbol: Symbol,
    /// Direction and effect.
    pub side: Side,
    /// Units not yet filled.
    #[serde(with = "exact")]
    pub remaining: Decimal,
    /// Price of its worst case per unit: the limit, the stop, or the reference when it was sent.
    #[serde(with = "exact")]
    pub price: Decimal,
    /// Money per unit and price point.
    #[serde(with = "exact")]
    pub multiplier: Decimal,
    /// It trades at whatever price it meets: a market order, or a stop once it is reached.
    pub at_market: bool,
}

/// Sums over one fund that limits are checked against. "Worst" counts every working order as filled where that makes
/// the exposure larger and as unfilled where that does (decision R5).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Exposure {
    /// Σ |worst value| over instruments.
    #[serde(with = "exact")]
    pub gross: Decimal,
    /// Σ value if all working buys and covers fill.
    #[serde(with = "exact")]
    pub net_high: Decimal,
    /// Σ value if all working sells and shorts fill.
    #[serde(with = "exact")]
    pub net_low: Decimal,
    /// Σ |worst value| by sector; instruments without a sector count under the empty name.
    pub by_sector: BTreeMap<SmolStr, Total>,
    /// Σ |worst value| by asset class.
    #[cfg_attr(feature = "schema", schemars(extend("propertyNames" = { "enum": AssetClass::ALL })))]
    pub by_class: BTreeMap<AssetClass, Total>,
    /// Σ |worst value| by country; unknown countries count under the empty name.
    pub by_country: BTreeMap<SmolStr, Total>,
    /// Cash that all working buys and covers would take, at their worst prices.
    #[serde(with = "exact")]
    pub committed: Decimal,
    by_symbol: Table<Symbol, SymbolExposure>,
}

/// A sum of money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Total(#[serde(with = "exact")] pub Decimal);

/// One instrument's part of an [`Exposure`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SymbolExposure {
    /// Units of working buys and covers.
    #[serde(with = "exact")]
    pub buys: Decimal,
    /// Units of working sells and shorts.
    #[serde(with = "exact")]
    pub sells: Decimal,
    /// |worst value|.
    #[serde(with = "exact")]
    pub worst: Decimal,
    #[serde(with = "exact")]
    high: Decimal,
    #[serde(with = "exact")]
    low: Decimal,
}

impl SymbolExposure {
    /// Value if all working buys and covers fill.
    #[must_use]
    pub fn high(&self) -> Decimal {
        self.high
    }

    /// Value if all working sells and shorts fill.
    #[must_use]
    pub fn low(&self) -> Decimal {
        self.low
    }
}

/// Cash, positions and working orders of one fund.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FundBook {
    base_currency: Currency,
    #[serde(with = "exact")]
    cash: Decimal,
    #[serde(with = "exact")]
    fees: Decimal,
    positions: PositionBook,
    working: Table<OrderId, WorkingOrder>,
    /// The keys of `working` by instrument, so that a question about one instrument costs nothing for the others.
    working_by_symbol: Table<Symbol, Vec<OrderId>>,
    exposure: Exposure,
}

impl FundBook {
    /// A book with nothing but cash.
    #[must_use]
    pub fn new(base_currency: Currency, cash: Decimal) -> Self {
        Self {
            base_currency,
            cash,
            fees: Decimal::ZERO,
            positions: PositionBook::new(),
            working: Table::new(),
            working_by_symbol: Table::new(),
            exposure: Exposure::default(),
        }
    }

    /// Currency of the numbers.
    #[must_use]
    pub fn base_currency(&self) -> Currency {
        self.base_currency
    }

    /// Cash, negative when borrowed.
    #[must_use]
    pub fn cash(&self) -> Decimal {
        self.cash
    }

    /// Fees paid since the book began.
    #[must_use]
    pub fn fees(&self) -> Decimal {
        self.fees
    }

    /// Positions.
    #[must_use]
    pub fn positions(&self) -> &PositionBook {
        &self.positions
    }

    /// Orders that may still fill, by order id.
    pub fn working(&self) -> impl ExactSizeIterator<Item = (&OrderId, &WorkingOrder)> {
        self.working.iter()
    }

    /// Orders of one instrument that may still fill, in the order in which they came.
    pub fn working_in(&self, symbol: &Symbol) -> impl Iterator<Item = (&OrderId, &WorkingOrder)> {
        let ids = self.working_by_symbol.get(symbol).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(|id| self.working.get_key_value(id))
    }

    /// Whether anything is held of this instrument or any order in it may still fill.
    #[must_use]
    pub fn is_in_use(&self, symbol: &Symbol) -> bool {
        self.exposure.by_symbol.contains_key(symbol)
    }

    /// How many instruments are held or have orders that may still fill.
    #[must_use]
    pub fn instruments_in_use(&self) -> usize {
        self.exposure.by_symbol.len()
    }

    /// How many orders may still fill.
    #[must_use]
    pub fn working_count(&self) -> usize {
        self.working.len()
    }

    /// Sums for limits.
    #[must_use]
    pub fn exposure(&self) -> &Exposure {
        &self.exposure
    }

    /// Cash plus signed market value of all positions.
    #[must_use]
    pub fn nav(&self) -> Decimal {
        self.cash + self.positions.market_value()
    }

    /// Cash less what working buys and covers would take; working sells give no credit (decision R5).
    #[must_use]
    pub fn available_cash(&self) -> Decimal {
        self.cash - self.exposure.committed
    }

    /// Working units and worst value of an instrument; zeros when there are none.
    #[must_use]
    pub fn symbol_exposure(&self, symbol: &Symbol) -> SymbolExposure {
        self.exposure.by_symbol.get(symbol).copied().unwrap_or_default()
    }

    pub(super) fn book_fill(
        &mut self,
        fill: &Fill,
        instrument: &Instrument,
    ) -> Result<PositionChange, OutOfRange> {
        let value = product("fill value", &[fill.quantity, fill.price, instrument.multiplier])?;
        let cash = sum("cash", self.cash, fill.side.signed(-value))?;
        let cash = sum("cash", cash, -fill.fees)?;
        let fees = sum("fees", self.fees, fill.fees)?;
        let change = self.positions.apply(
            &fill.symbol,
            fill.side,
            fill.quantity,
            fill.price,
            instrument.multiplier,
            fill.timestamp,
        )?;
        self.cash = cash;
        self.fees = fees;
        Ok(change)
    }

    /// Brings the exposure of one instrument up to date after its position, mark or working orders changed.
    pub(super) fn refresh(&mut self, instrument: &Instrument, price: Decimal) -> Result<(), OutOfRange> {
        let quantity = self.positions.quantity(&instrument.symbol);
        let old = self.symbol_exposure(&instrument.symbol);
        let value = |units: Decimal| product("exposure", &[units, price, instrument.multiplier]);
        let high = value(sum("exposure", quantity, old.buys)?)?;
        let low = value(sum("exposure", quantity, -old.sells)?)?;
        let worst = high.abs().max(low.abs());
        let exposure = &mut self.exposure;
        exposure.gross = sum("gross exposure", exposure.gross - old.worst, worst)?;
        exposure.net_high = sum("net exposure", exposure.net_high - old.high, high)?;
        exposure.net_low = sum("net exposure", exposure.net_low - old.low, low)?;
        // Parts of the gross exposure, none of them negative: they are in range when that is.
        let delta = worst - old.worst;
        if !delta.is_zero() {
            exposure.by_sector.entry(instrument.sector.clone()).or_default().0 += delta;
            exposure.by_class.entry(instrument.asset_class).or_default().0 += delta;
            exposure.by_country.entry(instrument.country.clone()).or_default().0 += delta;
        }
        if quantity.is_zero() && old.buys.is_zero() && old.sells.is_zero() {
            exposure.by_symbol.remove(&instrument.symbol);
        } else {
            exposure.by_symbol.change(&instrument.symbol, |entry| {
                *entry = SymbolExposure { worst, high, low, ..old };
            });
        }
        Ok(())
    }

    /// Adds units to (or takes them from) what works in an instrument.
    pub(super) fn change_working(
        &mut self,
        symbol: &Symbol,
        side: Side,
        units: Decimal,
        price: Decimal,
        multiplier: Decimal,
    ) -> Result<(), OutOfRange> {
        let buys = side.sign() > 0;
        self.exposure.by_symbol.change(symbol, |entry| {
            let working = if buys { &mut entry.buys } else { &mut entry.sells };
            sum("working units", *working, units).map(|units| *working = units)
        })?;
        if buys {
            let value = product("committed cash", &[units, price, multiplier])?;
            self.exposure.committed = sum("committed cash", self.exposure.committed, value)?;
        }
        Ok(())
    }

    /// Takes over a position as an account reports it.
    pub(super) fn adopt(&mut self, holding: &Adopted, multiplier: Decimal) -> Result<(), OutOfRange> {
        let side = if holding.quantity > Decimal::ZERO { Side::Buy } else { Side::Short };
        let (units, price) = (holding.quantity.abs(), holding.average_price);
        self.positions.apply(&holding.symbol, side, units, price, multiplier, holding.time)?;
        self.exposure.by_symbol.change(&holding.symbol, |_| {});
        Ok(())
    }

    /// Instruments that are held or have working orders.
    pub(super) fn symbols_in_use(&self) -> Vec<Symbol> {
        self.exposure.by_symbol.keys().cloned().collect()
    }

    /// Whether values of this instrument's units, `units` more than now and at these prices, stay far from the end of the
    /// range, so that no sum of a change can leave it.
    pub(super) fn has_room(&self, instrument: &Instrument, units: Decimal, prices: [Decimal; 2]) -> bool {
        let exposure = self.symbol_exposure(&instrument.symbol);
        let held = self.positions.get(&instrument.symbol);
        if self.is_far_from_the_end(instrument, held, exposure, units, prices) {
            return true;
        }
        let price = held.map_or(Decimal::ZERO, |held| held.average_price.max(held.last_price));
        let price = prices.into_iter().fold(price, Decimal::max);
        let units = [held.map_or(Decimal::ZERO, |held| held.quantity.abs()), exposure.buys, exposure.sells]
            .into_iter()
            .try_fold(units, Decimal::checked_add);
        let value = units
            .and_then(|units| units.checked_mul(price))
            .and_then(|value| value.checked_mul(instrument.multiplier));
        [self.cash.abs(), self.exposure.gross, self.exposure.committed, self.fees.abs()]
            .into_iter()
            .try_fold(value.unwrap_or(Decimal::MAX), Decimal::checked_add)
            .is_some_and(|total| total < MAX_AMOUNT)
    }

    /// The same by the number of digits alone: nearly always that is enough, and costs a tenth of exact sums. Four units are
    /// added up, two digits more, and five amounts, three. A multiplier below one takes nothing off: units times price comes
    /// first.
    fn is_far_from_the_end(
        &self,
        instrument: &Instrument,
        held: Option<&Holding>,
        exposure: SymbolExposure,
        units: Decimal,
        prices: [Decimal; 2],
    ) -> bool {
        let most = |numbers: &[Decimal]| numbers.iter().copied().map(binary_digits).max().unwrap_or(0);
        let (held_units, held_prices) =
            held.map_or_else(Default::default, |held| (held.quantity, [held.average_price, held.last_price]));
        let units = most(&[units, held_units, exposure.buys, exposure.sells]) + 2;
        let price = most(&prices).max(most(&held_prices));
        let value = units + price + binary_digits(instrument.multiplier).max(0);
        let amounts = most(&[self.cash, self.exposure.gross, self.exposure.committed, self.fees]);
        value.max(amounts) <= SAFE_DIGITS - 3
    }

    /// Checks that every amount is within [`MAX_AMOUNT`].
    pub(super) fn check_range(&self) -> Result<(), LedgerError> {
        let amounts = [
            ("cash", self.cash),
            ("fees", self.fees),
            ("market value", self.positions.market_value()),
            ("gross exposure", self.exposure.gross),
            ("committed cash", self.exposure.committed),
        ];
        match amounts
            .iter()
            .find(|(_, amount)| binary_digits(*amount) > SAFE_DIGITS && amount.abs() > MAX_AMOUNT)
        {
            Some((what, _)) => Err(OutOfRange { what }.into()),
            None => Ok(()),
        }
    }

    /// Books an issuer's action into the positions; its cash is the caller's to book. `None` where nothing is held.
    pub(super) fn apply_action(
        &mut self,
        action: &CorporateAction,
    ) -> Result<Option<ActionEffect>, CorporateActionError> {
        self.positions.apply_action(action)
    }

    /// Moves cash in (positive) or out.
    pub(super) fn flow(&mut self, amount: Decimal) -> Result<(), OutOfRange> {
        self.cash = sum("cash", self.cash, amount)?;
        Ok(())
    }

    /// An order counts from now on.
    pub(super) fn insert_working(&mut self, order_id: OrderId, working: WorkingOrder) {
        let symbol = working.symbol.clone();
        if self.working.insert(order_id.clone(), working).is_none() {
            self.working_by_symbol.change(&symbol, |ids| ids.push(order_id));
        }
    }

    /// An order counts no longer.
    pub(super) fn remove_working(&mut self, order_id: &OrderId) -> Option<WorkingOrder> {
        let working = self.working.remove(order_id)?;
        if let Some(ids) = self.working_by_symbol.get_mut(&working.symbol) {
            ids.retain(|id| id != order_id);
            if ids.is_empty() {
                self.working_by_symbol.remove(&working.symbol);
            }
        }
        Some(working)
    }

    /// Takes the units of a fill off its working order; `None` when it is not working or the fill is of something else.
    pub(super) fn take_from_working(&mut self, fill: &Fill) -> Option<(Decimal, WorkingOrder)> {
        let working = self
            .working
            .get_mut(&fill.order_id)
            .filter(|working| working.symbol == fill.symbol && working.side == fill.side)?;
        let units = working.remaining.min(fill.quantity);
        working.remaining -= units;
        let left = working.clone();
        if left.remaining.is_zero() {
            self.remove_working(&fill.order_id);
        }
        Some((units, left))
    }

    /// Revalues the position in an instrument.
    pub(super) fn mark(&mut self, symbol: &Symbol, price: Decimal) -> Result<(), OutOfRange> {
        self.positions.mark(symbol, price)
    }
}
