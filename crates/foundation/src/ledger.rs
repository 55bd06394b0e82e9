//! The ledger: cash, positions, marks and working orders of every fund, with exposures kept incrementally.
//!
//! One ledger is the truth of a process. The engine (or the stand-alone risk shell) owns it and lends it read-only to
//! the risk machine and the planner (decision R12). Every operation is exact, and refuses instead of overflowing.

mod book;
mod corporate;

use crate::corporate_action::CorporateActionError;
use crate::fill::Fill;
use crate::ids::{FundId, OrderId, VenueName};
use crate::instrument::{Instrument, InstrumentTable};
use crate::num::{Decimal, exact};
use crate::order::{Order, OrderType, Side};
use crate::position::{OutOfRange, PositionChange, sum};
use crate::symbol::{Currency, Symbol};
use crate::table::Table;
use crate::time::Timestamp;
pub use book::{Exposure, FundBook, SymbolExposure, Total, WorkingOrder};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// What kind of price a mark is; decides how it serves as a reference (decision R6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

impl Mark {
    /// The price a new order in this direction would meet: the touch, else the price; zero is missing, never a price
    /// (decisions R6, R7).
    #[must_use]
    pub fn reference(&self, side: Side) -> Option<Decimal> {
        let price = match self.kind {
            MarkKind::Quote { ask, .. } if side.sign() > 0 => ask,
            MarkKind::Quote { bid, .. } => bid,
            MarkKind::Trade | MarkKind::Close => self.price,
        };
        Some(price).filter(|price| *price > Decimal::ZERO)
    }
}

/// Price per unit at which an order counts for notional limits, given its reference price: its limit, the worse of stop
/// and reference for a stop order, the reference for a market order (decision R6).
#[must_use]
pub fn notional_price(order: &Order, reference: Option<Decimal>) -> Option<Decimal> {
    match order.order_type {
        OrderType::Limit | OrderType::StopLimit | OrderType::MarketableLimit => order.limit_price,
        OrderType::Stop => {
            let stop = order.stop_price?;
            Some(reference.map_or(stop, |reference| stop.max(reference)))
        }
        OrderType::Market => reference,
    }
}

/// One position as an account reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Instrument.
    pub symbol: Symbol,
    /// Signed units, not zero.
    pub quantity: Decimal,
    /// Average entry price per unit.
    pub average_price: Decimal,
    /// Last price per unit that the account knows.
    pub last_price: Decimal,
    /// When that was.
    pub time: Timestamp,
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
    /// An action meets orders that work.
    #[error("orders in {symbol} work in fund {fund_id}; cancel them, then book the action")]
    OrdersWork {
        /// Which fund.
        fund_id: FundId,
        /// Which instrument.
        symbol: Symbol,
    },
    /// An action pays in a currency that a fund does not keep.
    #[error(
        "corporate action {action_id} of {symbol} pays in {currency}, fund {fund_id} keeps {base}; book what arrives in {base}"
    )]
    ForeignPayment {
        /// Which fund.
        fund_id: FundId,
        /// Which action.
        action_id: SmolStr,
        /// Of which instrument.
        symbol: Symbol,
        /// Its currency.
        currency: Currency,
        /// The fund's currency.
        base: Currency,
    },
    /// An issuer's action cannot take effect.
    #[error(transparent)]
    CorporateAction(#[from] CorporateActionError),
    /// A number left the exact range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// What an issuer's action did to one fund.
#[derive(Debug, Clone, PartialEq)]
pub struct Acted {
    /// Which fund.
    pub fund_id: FundId,
    /// Signed units before.
    pub before: Decimal,
    /// Signed units after.
    pub after: Decimal,
    /// Cash that it brought, in the fund's currency.
    pub cash: Decimal,
}

/// All funds and marks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ledger {
    funds: BTreeMap<FundId, FundBook>,
    marks: Table<Symbol, Mark>,
    bars: u64,
    /// The prices that feeds themselves do not trust, by feed: when that was said, and whose they are, sorted.
    stale: BTreeMap<VenueName, (Timestamp, Vec<Symbol>)>,
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

    /// Takes what a feed says of its own prices: those of `symbols`, which are sorted, are not to be trusted until it says
    /// something else or a newer price comes.
    pub fn set_stale(&mut self, venue: &VenueName, symbols: &[Symbol], told: Timestamp) {
        if symbols.is_empty() {
            self.stale.remove(venue);
        } else {
            self.stale.insert(venue.clone(), (told, symbols.to_vec()));
        }
    }

    /// Forgets what feeds said: they begin anew.
    pub fn forget_stale(&mut self) {
        self.stale.clear();
    }

    /// The feed that says, later than the last mark, that prices of an instrument are not to be trusted.
    #[must_use]
    pub fn stale_at(&self, symbol: &Symbol) -> Option<&VenueName> {
        let marked = self.marks.get(symbol).map(|mark| mark.time);
        let is_told = |(told, symbols): &(Timestamp, Vec<Symbol>)| {
            marked.is_none_or(|marked| marked <= *told) && symbols.binary_search(symbol).is_ok()
        };
        self.stale.iter().find(|(_, stale)| is_told(stale)).map(|(venue, _)| venue)
    }

    /// Takes a new price of an instrument and revalues every fund that holds it or has orders in it.
    ///
    /// # Errors
    /// [`LedgerError`] for an instrument that is not in the table or a value out of range; nothing has changed then.
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
        let zero = Decimal::ZERO;
        let roomy = self
            .funds
            .values()
            .all(|book| !book.is_in_use(symbol) || book.has_room(instrument, zero, [price, zero]));
        self.whole(roomy, |ledger| {
            match ledger.marks.get_mut(symbol) {
                Some(slot) => *slot = mark,
                None => {
                    ledger.marks.insert(symbol.clone(), mark);
                }
            }
            for book in ledger.funds.values_mut().filter(|book| book.is_in_use(symbol)) {
                book.mark(symbol, price)?;
                book.refresh(instrument, price)?;
                book.check_range()?;
            }
            Ok(())
        })
    }

    /// Makes a change whole or not at all. Far from the end of the range, where `roomy`, nothing can fail half-way;
    /// elsewhere a copy waits.
    fn whole<T>(
        &mut self,
        roomy: bool,
        change: impl FnOnce(&mut Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let copy = (!roomy).then(|| self.clone());
        let result = change(self);
        if let (Err(_), Some(copy)) = (&result, copy) {
            *self = copy;
        }
        result
    }

    /// The price a new order in this direction would meet: the touch, else the last trade, else the last close; a
    /// price of zero is missing, never a price (decisions R6, R7).
    #[must_use]
    pub fn reference_price(&self, symbol: &Symbol, side: Side) -> Option<Decimal> {
        self.marks.get(symbol)?.reference(side)
    }

    /// See [`notional_price`].
    #[must_use]
    pub fn notional_price(&self, order: &Order) -> Option<Decimal> {
        notional_price(order, self.reference_price(&order.symbol, order.side))
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
        if instrument.currency != book.base_currency() {
            return Err(LedgerError::ForeignCurrency {
                fund_id: fund_id.clone(),
                symbol: fill.symbol.clone(),
                currency: instrument.currency,
                base: book.base_currency(),
            });
        }
        let roomy = book.has_room(instrument, fill.quantity, [price, fill.price]);
        self.whole(roomy, |ledger| {
            let book = fund(&mut ledger.funds, fund_id)?;
            let change = book.book_fill(fill, instrument)?;
            let (units, order_price, multiplier) = match book.take_from_working(fill) {
                Some((units, working)) => (units, working.price, working.multiplier),
                None => (Decimal::ZERO, Decimal::ZERO, Decimal::ONE),
            };
            book.change_working(&fill.symbol, fill.side, -units, order_price, multiplier)?;
            book.mark(&fill.symbol, price)?;
            book.refresh(instrument, price)?;
            book.check_range()?;
            Ok(change)
        })
    }

    /// Adds `units` of an order that is about to leave, or that turns out to live; until it ends they count at their worst
    /// case.
    ///
    /// # Errors
    /// [`LedgerError`] for an unknown fund or instrument, or a value out of range; nothing has changed then.
    pub fn add_working(
        &mut self,
        instruments: &InstrumentTable,
        order: &Order,
        units: Decimal,
    ) -> Result<(), LedgerError> {
        let instrument = known(instruments, &order.symbol)?;
        let price = self.notional_price(order).unwrap_or_default();
        let value = self.marks.get(&order.symbol).map_or(price, |mark| mark.price);
        let book = fund(&mut self.funds, &order.fund_id)?;
        let roomy = book.has_room(instrument, units, [price, value]);
        let working = WorkingOrder {
            symbol: order.symbol.clone(),
            side: order.side,
            remaining: units,
            price,
            multiplier: instrument.multiplier,
            // A stop becomes an order at the market when it is reached, at whatever price that is.
            at_market: matches!(order.order_type, OrderType::Market | OrderType::Stop),
        };
        self.whole(roomy, |ledger| {
            let book = fund(&mut ledger.funds, &order.fund_id)?;
            book.change_working(&order.symbol, order.side, units, price, instrument.multiplier)?;
            book.insert_working(order.order_id.clone(), working);
            book.refresh(instrument, value)?;
            book.check_range()
        })
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
        let Some(working) = book.remove_working(order_id) else { return Ok(()) };
        let WorkingOrder { symbol, side, remaining, price, multiplier, .. } = working;
        let instrument = known(instruments, &symbol)?;
        // Amounts only shrink here.
        book.change_working(&symbol, side, -remaining, price, multiplier)?;
        book.refresh(instrument, marks.get(&symbol).map_or(price, |mark| mark.price))?;
        Ok(())
    }

    /// Puts what an account says in the place of a fund's cash and positions: the account is the truth of a book that is
    /// not built from fills. Cash becomes what makes net asset value the account's `equity`. Marks and working orders stay; where the market gave no
    /// mark, the holding's last price is one of unknown age: it dates from the epoch.
    ///
    /// # Errors
    /// [`LedgerError`] for an unknown fund or instrument, or a value out of range; nothing has changed then.
    pub fn adopt(
        &mut self,
        instruments: &InstrumentTable,
        fund_id: &FundId,
        equity: Decimal,
        holdings: &[Adopted],
    ) -> Result<(), LedgerError> {
        self.whole(false, |ledger| {
            for holding in holdings {
                known(instruments, &holding.symbol)?;
                let known = ledger.marks.get(&holding.symbol);
                if known.is_none_or(|mark| mark.time == Timestamp::EPOCH) {
                    let (price, kind, time) = (holding.last_price, MarkKind::Close, Timestamp::EPOCH);
                    ledger.marks.insert(holding.symbol.clone(), Mark { price, kind, time, bar: 0 });
                }
            }
            let marks = &ledger.marks;
            let price = |symbol: &Symbol| marks.get(symbol).map_or(Decimal::ZERO, |mark| mark.price);
            let old = fund(&mut ledger.funds, fund_id)?;
            let mut book = FundBook::new(old.base_currency(), Decimal::ZERO);
            for holding in holdings {
                let multiplier = known(instruments, &holding.symbol)?.multiplier;
                book.adopt(holding, multiplier)?;
                book.mark(&holding.symbol, price(&holding.symbol))?;
            }
            book.flow(sum("cash", equity, -book.positions().market_value())?)?;
            for (order_id, working) in old.working() {
                let WorkingOrder { symbol, side, remaining, price, multiplier, .. } = working;
                book.change_working(symbol, *side, *remaining, *price, *multiplier)?;
                book.insert_working(order_id.clone(), working.clone());
            }
            for symbol in book.symbols_in_use() {
                book.refresh(known(instruments, &symbol)?, price(&symbol))?;
            }
            book.check_range()?;
            *old = book;
            Ok(())
        })
    }

    /// Moves cash in (positive) or out of a fund.
    ///
    /// # Errors
    /// [`LedgerError`] for an unknown fund or a sum out of range; nothing has changed then.
    pub fn flow(&mut self, fund_id: &FundId, amount: Decimal) -> Result<(), LedgerError> {
        self.whole(false, |ledger| {
            let book = fund(&mut ledger.funds, fund_id)?;
            book.flow(amount)?;
            book.check_range()
        })
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
    use crate::symbol::AssetClass;
    use proptest::prelude::*;

    pub(super) fn instruments() -> InstrumentTable {
        let one = |symbol: &str, sector: &str, multiplier: i64| Instrument {
            symbol: Symbol::new(symbol).unwrap(),
            name: smol_str::SmolStr::default(),
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

    pub(super) fn order(id: u32, symbol: &str, side: Side, quantity: i64) -> Order {
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

    pub(super) fn ledger(table: &InstrumentTable) -> (Ledger, FundId) {
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
        ledger.add_working(&table, &order(1, "A", Side::Buy, 100), Decimal::from(100)).unwrap();
        ledger.add_working(&table, &order(2, "B", Side::Short, 30), Decimal::from(30)).unwrap();
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

    /// Whatever is refused leaves the ledger as it was, and what is left can be valued.
    #[test]
    fn what_leaves_the_range_is_refused_whole() {
        let table = instruments();
        let (mut ledger, fund) = ledger(&table);
        let (a, huge) = (Symbol::new("A").unwrap(), Decimal::from(1_000_000_000_000_000_i64));
        let fill =
            |price: Decimal| Fill::new("x", "o", "A", Side::Buy, huge, price, Timestamp::EPOCH).unwrap();
        ledger.book_fill(&table, &fund, &fill(Decimal::TEN)).unwrap();
        let price = Decimal::from(1_000_000_000_000_i64);
        ledger.mark(&table, &a, price, MarkKind::Close, Timestamp::EPOCH).unwrap();
        ledger.add_working(&table, &order(1, "A", Side::Short, 7), Decimal::from(7)).unwrap();
        let before = ledger.clone();
        assert!(ledger.book_fill(&table, &fund, &fill(price)).is_err());
        assert!(ledger.add_working(&table, &order(2, "A", Side::Buy, 7), huge).is_err());
        assert!(ledger.mark(&table, &a, price * Decimal::TEN, MarkKind::Trade, Timestamp::EPOCH).is_err());
        assert!(ledger.flow(&fund, Decimal::MAX).is_err());
        assert_eq!(ledger, before);
        let book = ledger.fund(&fund).unwrap();
        assert!(book.nav() > Decimal::ZERO && book.available_cash() < Decimal::ZERO);
        ledger.remove_working(&table, &fund, &OrderId::new("o-1").unwrap()).unwrap();
        ledger.mark(&table, &a, Decimal::ONE, MarkKind::Close, Timestamp::EPOCH).unwrap();
    }

    /// Units times price is beyond a decimal before a small multiplier makes it small.
    #[test]
    fn a_small_multiplier_hides_no_product_that_is_too_large() {
        let a = Symbol::new("A").unwrap();
        let small = Instrument { multiplier: Decimal::new(1, 5), ..instruments().get(&a).unwrap().clone() };
        let table = InstrumentTable::from_instruments([small]).unwrap();
        let (mut ledger, fund) = ledger(&table);
        let huge = Decimal::from(1_000_000_000_000_000_i64);
        for _ in 0..80 {
            let fill = Fill::new("x", "o", "A", Side::Buy, huge, Decimal::ONE, Timestamp::EPOCH).unwrap();
            ledger.book_fill(&table, &fund, &fill).unwrap();
        }
        let before = ledger.clone();
        let price = Decimal::from(1_000_000_000_000_i64);
        assert!(ledger.mark(&table, &a, price, MarkKind::Trade, Timestamp::EPOCH).is_err());
        assert_eq!(ledger, before);
    }

    #[test]
    fn a_fill_of_something_else_takes_nothing_off_an_order() {
        let table = instruments();
        let (mut ledger, fund) = ledger(&table);
        ledger.add_working(&table, &order(1, "A", Side::Buy, 100), Decimal::from(100)).unwrap();
        for (symbol, side) in [("B", Side::Buy), ("A", Side::Sell)] {
            let fill =
                Fill::new("x", "o-1", symbol, side, Decimal::TEN, Decimal::TEN, Timestamp::EPOCH).unwrap();
            ledger.book_fill(&table, &fund, &fill).unwrap();
        }
        let book = ledger.fund(&fund).unwrap();
        let (_, working) = book.working().next().unwrap();
        assert_eq!(working.remaining, Decimal::from(100));
        let exposure = |name: &str| book.symbol_exposure(&Symbol::new(name).unwrap());
        assert_eq!((exposure("A").buys, exposure("A").sells), (Decimal::from(100), Decimal::ZERO));
        assert_eq!((exposure("B").buys, exposure("B").sells), (Decimal::ZERO, Decimal::ZERO));
        assert_eq!(book.exposure().committed, Decimal::from(1_000));
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
                    0 => ledger.add_working(&table, &order(step, names[name], Side::ALL[side], quantity), Decimal::from(quantity)).unwrap(),
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
