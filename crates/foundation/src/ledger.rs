//! The ledger: cash, positions, marks and working orders of every fund, with exposures kept incrementally.
//!
//! One ledger is the truth of a process. The engine (or the stand-alone risk shell) owns it and lends it read-only to
//! the risk machine and the planner (decision R12). Every operation is exact, and refuses instead of overflowing.

use crate::fill::Fill;
use crate::ids::{FundId, OrderId};
use crate::instrument::{Instrument, InstrumentTable};
use crate::num::{Decimal, exact};
use crate::order::{Order, OrderType, Side};
use crate::position::{OutOfRange, PositionBook, PositionChange, product, sum};
use crate::symbol::{AssetClass, Currency, Symbol};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// What kind of price a mark is; decides how it serves as a reference (decision R6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarkKind {
    /// A quote: buyers meet the ask, sellers the bid.
    Quote {
        /// Best bid.
        #[serde(with = "exact")]
        bid: Decimal,
        /// Best offer.
        #[serde(with = "exact")]
        ask: Decimal,
    },
    /// A print.
    Trade,
    /// The close of a bar.
    Close,
}

/// The last known price of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The price that values positions.
    #[serde(with = "exact")]
    pub price: Decimal,
    /// What kind of price it is.
    pub kind: MarkKind,
    /// When it was true.
    pub time: Timestamp,
    /// The ledger's bar count when it entered; staleness of bar-driven runs is measured in bars.
    pub bar: u64,
}

/// An order that may still fill at the venue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
}

/// Sums over one fund that limits are checked against. "Worst" counts every working order as filled where that makes
/// the exposure larger and as unfilled where that does (decision R5).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    pub by_class: BTreeMap<AssetClass, Total>,
    /// Σ |worst value| by country; unknown countries count under the empty name.
    pub by_country: BTreeMap<SmolStr, Total>,
    /// Cash that all working buys and covers would take, at their worst prices.
    #[serde(with = "exact")]
    pub committed: Decimal,
    by_symbol: BTreeMap<Symbol, SymbolExposure>,
}

/// A sum of money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Total(#[serde(with = "exact")] pub Decimal);

/// One instrument's part of an [`Exposure`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// Why the ledger refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// No such fund.
    #[error("fund {fund_id} is not in the ledger; add a [fund] section for it")]
    UnknownFund {
        /// Which.
        fund_id: FundId,
    },
    /// The fund is there already.
    #[error("fund {fund_id} is opened twice; give each fund its own fund_id")]
    DuplicateFund {
        /// Which.
        fund_id: FundId,
    },
    /// No such instrument.
    #[error("instrument {symbol} is not in the table; add a row for it")]
    UnknownInstrument {
        /// Which.
        symbol: Symbol,
    },
    /// The instrument trades in a currency that the fund does not keep.
    #[error(
        "instrument {symbol} trades in {currency}, fund {fund_id} keeps {base}; use a fund in {currency}"
    )]
    ForeignCurrency {
        /// Which fund.
        fund_id: FundId,
        /// Which instrument.
        symbol: Symbol,
        /// Its currency.
        currency: Currency,
        /// The fund's currency.
        base: Currency,
    },
    /// A number left the exact range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// Cash, positions and working orders of one fund.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FundBook {
    base_currency: Currency,
    #[serde(with = "exact")]
    cash: Decimal,
    #[serde(with = "exact")]
    fees: Decimal,
    positions: PositionBook,
    working: BTreeMap<OrderId, WorkingOrder>,
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
            working: BTreeMap::new(),
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

    fn book_fill(&mut self, fill: &Fill, instrument: &Instrument) -> Result<PositionChange, OutOfRange> {
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
    fn refresh(&mut self, instrument: &Instrument, price: Decimal) -> Result<(), OutOfRange> {
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
        let delta = worst - old.worst;
        if !delta.is_zero() {
            exposure.by_sector.entry(instrument.sector.clone()).or_default().0 += delta;
            exposure.by_class.entry(instrument.asset_class).or_default().0 += delta;
            exposure.by_country.entry(instrument.country.clone()).or_default().0 += delta;
        }
        if quantity.is_zero() && old.buys.is_zero() && old.sells.is_zero() {
            exposure.by_symbol.remove(&instrument.symbol);
        } else {
            exposure.by_symbol.insert(instrument.symbol.clone(), SymbolExposure { worst, high, low, ..old });
        }
        Ok(())
    }

    fn change_working(
        &mut self,
        symbol: &Symbol,
        side: Side,
        units: Decimal,
        price: Decimal,
        multiplier: Decimal,
    ) {
        let entry = self.exposure.by_symbol.entry(symbol.clone()).or_default();
        if side.sign() > 0 {
            entry.buys += units;
            self.exposure.committed += units * price * multiplier;
        } else {
            entry.sells += units;
        }
    }
}

/// All funds and marks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    funds: BTreeMap<FundId, FundBook>,
    marks: BTreeMap<Symbol, Mark>,
    bars: u64,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a fund with cash.
    ///
    /// # Errors
    /// [`LedgerError::DuplicateFund`].
    pub fn open_fund(
        &mut self,
        fund_id: FundId,
        currency: Currency,
        cash: Decimal,
    ) -> Result<(), LedgerError> {
        if self.funds.contains_key(&fund_id) {
            return Err(LedgerError::DuplicateFund { fund_id });
        }
        self.funds.insert(fund_id, FundBook::new(currency, cash));
        Ok(())
    }

    /// A fund's book.
    #[must_use]
    pub fn fund(&self, fund_id: &FundId) -> Option<&FundBook> {
        self.funds.get(fund_id)
    }

    /// All funds, by id.
    pub fn funds(&self) -> impl ExactSizeIterator<Item = (&FundId, &FundBook)> {
        self.funds.iter()
    }

    /// Number of bar batches that have entered.
    #[must_use]
    pub fn bars(&self) -> u64 {
        self.bars
    }

    /// Counts a batch of bars; call before marking with its closes.
    pub fn next_bar(&mut self) {
        self.bars = self.bars.saturating_add(1);
    }

    /// The last mark of an instrument.
    #[must_use]
    pub fn mark_of(&self, symbol: &Symbol) -> Option<&Mark> {
        self.marks.get(symbol)
    }

    /// All marks, by symbol.
    pub fn marks(&self) -> impl ExactSizeIterator<Item = (&Symbol, &Mark)> {
        self.marks.iter()
    }

    /// Takes a new price of an instrument and revalues every fund that holds it or has orders in it.
    ///
    /// # Errors
    /// [`LedgerError`] for an instrument that is not in the table or a value out of range.
    pub fn mark(
        &mut self,
        instruments: &InstrumentTable,
        symbol: &Symbol,
        price: Decimal,
        kind: MarkKind,
        time: Timestamp,
    ) -> Result<(), LedgerError> {
        let instrument = known(instruments, symbol)?;
        let mark = Mark { price, kind, time, bar: self.bars };
        match self.marks.get_mut(symbol) {
            Some(slot) => *slot = mark,
            None => {
                self.marks.insert(symbol.clone(), mark);
            }
        }
        for book in self.funds.values_mut() {
            if book.exposure.by_symbol.contains_key(symbol) {
                book.positions.mark(symbol, price)?;
                book.refresh(instrument, price)?;
            }
        }
        Ok(())
    }

    /// The price a new order in this direction would meet: the touch, else the last trade, else the last close; a
    /// price of zero is missing, never a price (decisions R6, R7).
    #[must_use]
    pub fn reference_price(&self, symbol: &Symbol, side: Side) -> Option<Decimal> {
        let mark = self.marks.get(symbol)?;
        let price = match mark.kind {
            MarkKind::Quote { ask, .. } if side.sign() > 0 => ask,
            MarkKind::Quote { bid, .. } => bid,
            MarkKind::Trade | MarkKind::Close => mark.price,
        };
        Some(price).filter(|price| *price > Decimal::ZERO)
    }

    /// Price per unit at which an order counts for notional limits: its limit, the worse of stop and reference for
    /// a stop order, the reference for a market order (decision R6).
    #[must_use]
    pub fn notional_price(&self, order: &Order) -> Option<Decimal> {
        let reference = || self.reference_price(&order.symbol, order.side);
        match order.order_type {
            OrderType::Limit | OrderType::StopLimit | OrderType::MarketableLimit => order.limit_price,
            OrderType::Stop => {
                let stop = order.stop_price?;
                Some(reference().map_or(stop, |reference| stop.max(reference)))
            }
            OrderType::Market => reference(),
        }
    }

    /// Books a fill: cash, position, fees and exposures of the fund, and the fill's part of a working order.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is booked then.
    pub fn book_fill(
        &mut self,
        instruments: &InstrumentTable,
        fund_id: &FundId,
        fill: &Fill,
    ) -> Result<PositionChange, LedgerError> {
        let instrument = known(instruments, &fill.symbol)?;
        let price = self.marks.get(&fill.symbol).map_or(fill.price, |mark| mark.price);
        let book = fund(&mut self.funds, fund_id)?;
        if instrument.currency != book.base_currency {
            return Err(LedgerError::ForeignCurrency {
                fund_id: fund_id.clone(),
                symbol: fill.symbol.clone(),
                currency: instrument.currency,
                base: book.base_currency,
            });
        }
        let change = book.book_fill(fill, instrument)?;
        if let Some(working) = book.working.get_mut(&fill.order_id) {
            let units = working.remaining.min(fill.quantity);
            working.remaining -= units;
            let (order_price, multiplier, done) =
                (working.price, working.multiplier, working.remaining.is_zero());
            if done {
                book.working.remove(&fill.order_id);
            }
            book.change_working(&fill.symbol, fill.side, -units, order_price, multiplier);
        } else {
            book.exposure.by_symbol.entry(fill.symbol.clone()).or_default();
        }
        book.positions.mark(&fill.symbol, price)?;
        book.refresh(instrument, price)?;
        Ok(change)
    }

    /// Adds an order that is about to leave; until it ends it counts at its worst case.
    ///
    /// # Errors
    /// [`LedgerError`] for an unknown fund or instrument, or a value out of range.
    pub fn add_working(&mut self, instruments: &InstrumentTable, order: &Order) -> Result<(), LedgerError> {
        let instrument = known(instruments, &order.symbol)?;
        let price = self.notional_price(order).unwrap_or_default();
        let value = self.marks.get(&order.symbol).map_or(price, |mark| mark.price);
        let book = fund(&mut self.funds, &order.fund_id)?;
        let working = WorkingOrder {
            symbol: order.symbol.clone(),
            side: order.side,
            remaining: order.quantity,
            price,
            multiplier: instrument.multiplier,
        };
        product("committed cash", &[working.remaining, price, instrument.multiplier])?;
        book.change_working(&order.symbol, order.side, order.quantity, price, instrument.multiplier);
        book.working.insert(order.order_id.clone(), working);
        book.refresh(instrument, value)?;
        Ok(())
    }

    /// Removes an order that can no longer fill; one that is not there is ignored.
    ///
    /// # Errors
    /// [`LedgerError`] for an unknown fund or instrument.
    pub fn remove_working(
        &mut self,
        instruments: &InstrumentTable,
        fund_id: &FundId,
        order_id: &OrderId,
    ) -> Result<(), LedgerError> {
        let marks = &self.marks;
        let book = fund(&mut self.funds, fund_id)?;
        let Some(working) = book.working.remove(order_id) else { return Ok(()) };
        let instrument = known(instruments, &working.symbol)?;
        book.change_working(
            &working.symbol,
            working.side,
            -working.remaining,
            working.price,
            working.multiplier,
        );
        let price = marks.get(&working.symbol).map_or(working.price, |mark| mark.price);
        book.refresh(instrument, price)?;
        Ok(())
    }

    /// Moves cash in (positive) or out of a fund.
    ///
    /// # Errors
    /// [`LedgerError`] for an unknown fund or a sum out of range.
    pub fn flow(&mut self, fund_id: &FundId, amount: Decimal) -> Result<(), LedgerError> {
        let book = fund(&mut self.funds, fund_id)?;
        book.cash = sum("cash", book.cash, amount)?;
        Ok(())
    }
}

fn known<'a>(instruments: &'a InstrumentTable, symbol: &Symbol) -> Result<&'a Instrument, LedgerError> {
    instruments.get(symbol).ok_or_else(|| LedgerError::UnknownInstrument { symbol: symbol.clone() })
}

fn fund<'a>(
    funds: &'a mut BTreeMap<FundId, FundBook>,
    fund_id: &FundId,
) -> Result<&'a mut FundBook, LedgerError> {
    funds.get_mut(fund_id).ok_or_else(|| LedgerError::UnknownFund { fund_id: fund_id.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn instruments() -> InstrumentTable {
        let one = |symbol: &str, sector: &str, multiplier: i64| Instrument {
            symbol: Symbol::new(symbol).unwrap(),
            name: SmolStr::default(),
            asset_class: AssetClass::Equities,
            currency: Currency::USD,
            calendar: "XNYS".into(),
            sector: sector.into(),
            country: "US".into(),
            tick: Decimal::new(1, 2),
            lot: Decimal::ONE,
            multiplier: Decimal::from(multiplier),
            expiry: None,
        };
        InstrumentTable::from_instruments([one("A", "x", 1), one("B", "y", 1), one("C", "x", 100)]).unwrap()
    }

    fn order(id: u32, symbol: &str, side: Side, quantity: i64) -> Order {
        Order::builder()
            .order_id(format!("o-{id}"))
            .idempotency_key(format!("k-{id}"))
            .symbol(symbol)
            .side(side)
            .quantity(Decimal::from(quantity))
            .order_type(OrderType::Market)
            .fund_id("f")
            .strategy_id("s")
            .broker("paper")
            .actor("a")
            .created_at(Timestamp::EPOCH)
            .build()
            .unwrap()
    }

    fn ledger(table: &InstrumentTable) -> (Ledger, FundId) {
        let fund_id = FundId::new("f").unwrap();
        let mut ledger = Ledger::new();
        ledger.open_fund(fund_id.clone(), Currency::USD, Decimal::from(1_000_000)).unwrap();
        for instrument in table.iter() {
            ledger.mark(table, &instrument.symbol, Decimal::TEN, MarkKind::Close, Timestamp::EPOCH).unwrap();
        }
        (ledger, fund_id)
    }

    #[test]
    fn working_orders_count_at_their_worst_case() {
        let table = instruments();
        let (mut ledger, fund) = ledger(&table);
        ledger.add_working(&table, &order(1, "A", Side::Buy, 100)).unwrap();
        ledger.add_working(&table, &order(2, "B", Side::Short, 30)).unwrap();
        let book = ledger.fund(&fund).unwrap();
        assert_eq!(book.exposure().gross, Decimal::from(1_300));
        assert_eq!(
            (book.exposure().net_high, book.exposure().net_low),
            (Decimal::from(1_000), Decimal::from(-300))
        );
        assert_eq!(book.available_cash(), Decimal::from(999_000));
        assert_eq!(book.exposure().by_sector["x"].0, Decimal::from(1_000));
        ledger.remove_working(&table, &fund, &OrderId::new("o-1").unwrap()).unwrap();
        ledger.remove_working(&table, &fund, &OrderId::new("o-2").unwrap()).unwrap();
        let book = ledger.fund(&fund).unwrap();
        assert_eq!((book.exposure().gross, book.available_cash()), (Decimal::ZERO, Decimal::from(1_000_000)));
    }

    #[test]
    fn a_price_of_zero_is_no_reference() {
        let table = instruments();
        let (mut ledger, _) = ledger(&table);
        let a = Symbol::new("A").unwrap();
        ledger.mark(&table, &a, Decimal::ZERO, MarkKind::Trade, Timestamp::EPOCH).unwrap();
        assert_eq!(ledger.reference_price(&a, Side::Buy), None);
        let quote = MarkKind::Quote { bid: Decimal::from(9), ask: Decimal::from(11) };
        ledger.mark(&table, &a, Decimal::TEN, quote, Timestamp::EPOCH).unwrap();
        assert_eq!(ledger.reference_price(&a, Side::Cover), Some(Decimal::from(11)));
        assert_eq!(ledger.reference_price(&a, Side::Short), Some(Decimal::from(9)));
    }

    proptest! {
        /// The incremental exposures equal those computed from scratch, whatever happened.
        #[test]
        fn exposures_kept_incrementally_equal_the_sums(steps in prop::collection::vec(
            (0_u8..4, 0_usize..3, 0_usize..4, 1_i64..500, 1_i64..10_000), 1..60))
        {
            let table = instruments();
            let (mut ledger, fund) = ledger(&table);
            let names = ["A", "B", "C"];
            for (step, (what, name, side, quantity, cents)) in (0_u32..).zip(steps) {
                let symbol = Symbol::new(names[name]).unwrap();
                let price = Decimal::new(cents, 2);
                match what {
                    0 => ledger.add_working(&table, &order(step, names[name], Side::ALL[side], quantity)).unwrap(),
                    1 => ledger.mark(&table, &symbol, price, MarkKind::Close, Timestamp::EPOCH).unwrap(),
                    2 => {
                        let first = ledger.fund(&fund).unwrap().working().next()
                            .map(|(id, working)| (id.clone(), working.clone()));
                        if let Some((id, working)) = first {
                            let units = working.remaining.min(Decimal::from(quantity));
                            let fill = Fill::new("x", id.as_str(), working.symbol.as_str(), working.side, units,
                                price, Timestamp::EPOCH).unwrap();
                            ledger.book_fill(&table, &fund, &fill).unwrap();
                        }
                    }
                    _ => {
                        let last = ledger.fund(&fund).unwrap().working().last().map(|(id, _)| id.clone());
                        if let Some(id) = last {
                            ledger.remove_working(&table, &fund, &id).unwrap();
                        }
                    }
                }
            }
            let book = ledger.fund(&fund).unwrap();
            let (mut gross, mut high, mut low, mut committed) = <(Decimal, Decimal, Decimal, Decimal)>::default();
            for instrument in table.iter() {
                let price = ledger.mark_of(&instrument.symbol).unwrap().price * instrument.multiplier;
                let held = book.positions().quantity(&instrument.symbol);
                let (mut up, mut down) = (held, held);
                for (_, working) in book.working().filter(|(_, working)| working.symbol == instrument.symbol) {
                    if working.side.sign() > 0 {
                        up += working.remaining;
                        committed += working.remaining * working.price * working.multiplier;
                    } else {
                        down -= working.remaining;
                    }
                }
                gross += (up * price).abs().max((down * price).abs());
                high += up * price;
                low += down * price;
            }
            let exposure = book.exposure();
            prop_assert_eq!((exposure.gross, exposure.net_high, exposure.net_low), (gross, high, low));
            prop_assert_eq!(exposure.committed, committed);
            let sectors: Decimal = exposure.by_sector.values().map(|total| total.0).sum();
            prop_assert_eq!(sectors, gross);
        }
    }
}
