//! Tax lots: which purchase a sale consumes, and what that realises.
//!
//! A fill that opens or adds makes one lot; a fill that closes consumes lots in the order of the fund's
//! [`TaxLotMethod`]; one that goes through zero does both. Nothing is lost to rounding: what a lot cost and what its fees
//! were is divided among its closures so that the last closure takes the rest, hence costs, fees, quantities and profits
//! of all closures and open lots add up exactly to those of the fills.
//!
//! Fees of the opening fill belong to the lot and fees of the closing fill to the closure, pro rata of the units; both are
//! kept beside the profit, which is before fees as in [`PositionBook`](crate::PositionBook).

use crate::corporate_action::UNIT_PLACES;
use crate::fill::Fill;
use crate::fund::TaxLotMethod;
use crate::ids::{FillId, FundId};
use crate::num::{Decimal, exact, exact_option, round};
use crate::position::{OutOfRange, product, sum};
use crate::symbol::Symbol;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Most open lots of one instrument.
pub const MAX_OPEN_LOTS: usize = 1_000_000;

/// Decimal places to which a part of a lot's cost or fees is rounded; the last part takes the rest. A decimal has 28 digits:
/// of parts with all of them sums are rounded again, of these only beyond a trillion.
const PART_PLACES: u32 = 16;

/// One purchase (or short sale) and what was closed of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaxLot {
    /// Id of the lot: that of the fill that opened it.
    pub lot_id: SmolStr,
    /// Owner.
    pub fund_id: FundId,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Trade date of the opening fill.
    pub open_date: NaiveDate,
    /// Signed units opened, negative for a short sale.
    #[serde(with = "exact")]
    pub open_qty: Decimal,
    /// Price paid or received.
    #[serde(with = "exact")]
    pub open_price: Decimal,
    /// Trade date of the last closing fill.
    #[serde(default)]
    pub close_date: Option<NaiveDate>,
    /// Units closed so far, zero or greater.
    #[serde(with = "exact", default)]
    pub close_qty: Decimal,
    /// Average closing price.
    #[serde(with = "exact_option", default)]
    pub close_price: Option<Decimal>,
    /// What the units that are still open cost (of a short lot: brought), without fees.
    #[serde(with = "exact", default)]
    pub open_cost: Decimal,
    /// Opening fees of the units that are still open.
    #[serde(with = "exact", default)]
    pub open_fees: Decimal,
    /// Money per unit and price point.
    #[serde(with = "exact", default = "one")]
    pub multiplier: Decimal,
}

fn one() -> Decimal {
    Decimal::ONE
}

impl TaxLot {
    /// Units still open, signed like [`open_qty`](Self::open_qty).
    #[must_use]
    pub fn remaining(&self) -> Decimal {
        if self.open_qty.is_sign_negative() {
            self.open_qty + self.close_qty
        } else {
            self.open_qty - self.close_qty
        }
    }

    /// Profit that closing the rest at this price would realise, before fees; zero beyond the range of decimals.
    #[must_use]
    pub fn unrealized(&self, price: Decimal) -> Decimal {
        let value = product("value of a lot", &[self.remaining().abs(), price, self.multiplier]);
        let gain = value.unwrap_or(self.open_cost) - self.open_cost;
        if self.open_qty.is_sign_negative() { -gain } else { gain }
    }
}

/// A lot, or a part of one, that a fill closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LotClosure {
    /// Which lot.
    pub lot_id: SmolStr,
    /// The fill that closed it.
    pub fill_id: FillId,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Units closed, with the sign of the lot.
    #[serde(with = "exact")]
    pub quantity: Decimal,
    /// Trade date of the opening fill.
    pub open_date: NaiveDate,
    /// Trade date of the closing fill.
    pub close_date: NaiveDate,
    /// What these units cost (of a short lot: brought), without fees.
    #[serde(with = "exact")]
    pub open_cost: Decimal,
    /// What closing them brought (of a short lot: cost), without fees.
    #[serde(with = "exact")]
    pub proceeds: Decimal,
    /// Their part of the opening fees.
    #[serde(with = "exact")]
    pub open_fees: Decimal,
    /// Their part of the closing fees.
    #[serde(with = "exact")]
    pub close_fees: Decimal,
    /// Profit, before fees.
    #[serde(with = "exact")]
    pub realized: Decimal,
}

impl LotClosure {
    /// Days from the trade date of the opening fill to that of the closing one. The United States call a gain long-term
    /// when the asset was held for more than a year (26 U.S.C. § 1222), counted from the day after the purchase.
    #[must_use]
    pub fn days_held(&self) -> i64 {
        self.close_date.signed_duration_since(self.open_date).num_days()
    }
}

/// Units of one lot that an operator picks ([`TaxLotMethod::Specid`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LotPick {
    /// Which lot.
    pub lot_id: SmolStr,
    /// Units of it, greater than zero.
    #[serde(with = "exact")]
    pub quantity: Decimal,
}

/// What one fill did to the lots.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LotChange {
    /// Closed lots, in the order they were consumed.
    pub closed: Vec<LotClosure>,
    /// The lot it opened.
    pub opened: Option<TaxLot>,
}

/// Why lots refuse a fill; nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LotError {
    /// A pick names a lot that is not open.
    #[error("fill {fill_id}: lot {lot_id} of {symbol} is not open; pick one of the open lots")]
    UnknownLot {
        /// Which fill.
        fill_id: FillId,
        /// Which lot.
        lot_id: SmolStr,
        /// Of which instrument.
        symbol: Symbol,
    },
    /// A pick takes more than the lot has, or nothing.
    #[error(
        "fill {fill_id}: {picked} units are picked of lot {lot_id}, which has {open}; pick more than zero, at most that"
    )]
    PickOutOfRange {
        /// Which fill.
        fill_id: FillId,
        /// Which lot.
        lot_id: SmolStr,
        /// Units picked.
        picked: Decimal,
        /// Units open.
        open: Decimal,
    },
    /// The picks are not as many units as the fill closes.
    #[error("fill {fill_id} closes {closes} units and {picked} are picked; pick exactly as many")]
    PicksDoNotAddUp {
        /// Which fill.
        fill_id: FillId,
        /// Units the fill closes.
        closes: Decimal,
        /// Units picked.
        picked: Decimal,
    },
    /// A split without a ratio.
    #[error("a split of {symbol} gives {new_units} units for {old_units}; both must be greater than zero")]
    BadSplit {
        /// Of which instrument.
        symbol: Symbol,
        /// Units after.
        new_units: Decimal,
        /// Units before.
        old_units: Decimal,
    },
    /// The new symbol has lots.
    #[error("{to} has open lots already; close them or those of {from} first")]
    Held {
        /// The old symbol.
        from: Symbol,
        /// The new symbol.
        to: Symbol,
    },
    /// One million lots of the instrument are open.
    #[error("{symbol} has {MAX_OPEN_LOTS} open lots; close some")]
    Full {
        /// Of which instrument.
        symbol: Symbol,
    },
    /// A value leaves the range of decimals.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// Where a lot stands in the queue of those to be consumed: rank first, then turn.
type Place = (Decimal, i64);

/// All open lots of one fund.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "LotBookWire", into = "LotBookWire")]
pub struct LotBook {
    fund_id: FundId,
    method: TaxLotMethod,
    opened: i64,
    lots: BTreeMap<Symbol, BTreeMap<Place, TaxLot>>,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct LotBookWire {
    fund_id: FundId,
    method: TaxLotMethod,
    opened: i64,
    lots: Vec<(i64, TaxLot)>,
}

impl From<LotBook> for LotBookWire {
    fn from(book: LotBook) -> Self {
        let LotBook { fund_id, method, opened, lots } = book;
        let numbered = lots.into_values().flatten().map(|((_, turn), lot)| (turn.abs(), lot));
        Self { fund_id, method, opened, lots: numbered.collect() }
    }
}

impl From<LotBookWire> for LotBook {
    fn from(wire: LotBookWire) -> Self {
        let mut book = Self { opened: wire.opened, ..Self::new(wire.fund_id, wire.method) };
        for (number, lot) in wire.lots {
            let place = book.place(&lot, number);
            book.lots.entry(lot.symbol.clone()).or_default().insert(place, lot);
        }
        book
    }
}

impl LotBook {
    /// An empty book. Without picks, [`TaxLotMethod::Specid`] consumes the oldest first.
    #[must_use]
    pub fn new(fund_id: FundId, method: TaxLotMethod) -> Self {
        Self { fund_id, method, opened: 0, lots: BTreeMap::new() }
    }

    /// Open lots of an instrument, in the order in which closing fills consume them.
    pub fn lots(&self, symbol: &Symbol) -> impl Iterator<Item = &TaxLot> {
        self.lots.get(symbol).into_iter().flat_map(BTreeMap::values)
    }

    /// Signed units of all open lots of an instrument.
    #[must_use]
    pub fn quantity(&self, symbol: &Symbol) -> Decimal {
        self.lots(symbol).map(TaxLot::remaining).sum()
    }

    /// Books a fill; that each fill comes once is the caller's care (decision F1). `picks` name the lots that a closing fill consumes, in that order; without them the method of the
    /// fund decides.
    ///
    /// # Errors
    /// [`LotError`]; nothing has changed then.
    pub fn apply(
        &mut self,
        fill: &Fill,
        multiplier: Decimal,
        trade_date: NaiveDate,
        picks: Option<&[LotPick]>,
    ) -> Result<LotChange, LotError> {
        let short = fill.side.sign() < 0;
        let held = self.lots.get(&fill.symbol);
        let closes = held
            .and_then(|lots| lots.first_key_value())
            .is_some_and(|(_, lot)| lot.open_qty.is_sign_negative() != short);
        let plan = if closes { self.plan(fill, picks)? } else { Vec::new() };
        if plan.is_empty() && picks.is_some_and(|picks| !picks.is_empty()) {
            let picked = picks.unwrap_or_default().iter().map(|pick| pick.quantity).sum();
            return Err(LotError::PicksDoNotAddUp {
                fill_id: fill.fill_id.clone(),
                closes: Decimal::ZERO,
                picked,
            });
        }
        let mut rest = Remainder { quantity: fill.quantity, fees: fill.fees };
        let mut updates = Vec::with_capacity(plan.len());
        let mut closed = Vec::with_capacity(plan.len());
        for (place, quantity) in plan {
            let Some(lot) = held.and_then(|lots| lots.get(&place)) else { continue };
            let (left, closure) = close(lot, quantity, fill, multiplier, trade_date, &mut rest)?;
            updates.push((place, left));
            closed.push(closure);
        }
        let opened = if rest.quantity.is_zero() {
            None
        } else {
            Some(self.new_lot(fill, multiplier, trade_date, &rest)?)
        };
        // Nothing fails from here on.
        let lots = self.lots.entry(fill.symbol.clone()).or_default();
        for (place, left) in updates {
            match left {
                Some(left) => lots.insert(place, left),
                None => lots.remove(&place),
            };
        }
        if let Some(lot) = &opened {
            self.opened = self.opened.saturating_add(1);
            let place = self.place(lot, self.opened);
            self.lots.entry(fill.symbol.clone()).or_default().insert(place, lot.clone());
        } else if self.lots.get(&fill.symbol).is_some_and(BTreeMap::is_empty) {
            self.lots.remove(&fill.symbol);
        }
        Ok(LotChange { closed, opened })
    }

    /// A split of `new_units` for `old_units`. What the lots cost does not change. Units are multiplied before they are
    /// divided, and the last lot takes the rest, so that the lots add up to what a position of their sum becomes
    /// ([`CorporateAction::effect_on`](crate::CorporateAction::effect_on)).
    ///
    /// # Errors
    /// [`LotError`] for units that are not greater than zero, and for a value out of range; nothing has changed then.
    pub fn split(&mut self, symbol: &Symbol, new_units: Decimal, old_units: Decimal) -> Result<(), LotError> {
        if new_units <= Decimal::ZERO || old_units <= Decimal::ZERO {
            return Err(LotError::BadSplit { symbol: symbol.clone(), new_units, old_units });
        }
        let Some(lots) = self.lots.get(symbol) else { return Ok(()) };
        let out_of_range = || OutOfRange { what: "units of a lot after a split" };
        let scaled = |value: Decimal| -> Result<Decimal, OutOfRange> {
            let units = product("units of a lot after a split", &[value, new_units])?;
            let units = units.checked_div(old_units).ok_or_else(out_of_range)?;
            Ok(round(units, UNIT_PLACES).normalize())
        };
        let priced = |value: Decimal| {
            let price = value.checked_mul(old_units).and_then(|price| price.checked_div(new_units));
            price.ok_or_else(out_of_range)
        };
        let mut rest = scaled(self.quantity(symbol))?;
        let mut split = BTreeMap::new();
        for (index, ((_, turn), lot)) in lots.iter().enumerate() {
            let is_last = index + 1 == lots.len();
            let remaining = if is_last { rest } else { scaled(lot.remaining())? };
            rest -= remaining;
            let close_qty = scaled(lot.close_qty)?;
            let closed = if lot.open_qty.is_sign_negative() { -close_qty } else { close_qty };
            let lot = TaxLot {
                open_qty: sum("units of a lot after a split", remaining, closed)?,
                close_qty,
                open_price: priced(lot.open_price)?,
                close_price: lot.close_price.map(priced).transpose()?,
                ..lot.clone()
            };
            split.insert(self.place(&lot, turn.abs()), lot);
        }
        self.lots.insert(symbol.clone(), split);
        Ok(())
    }

    /// Adds fees that followed the fill which opened a lot to what is still open of it, pro rata of its cost; what was closed
    /// before keeps what it was told, and the part that falls to it is returned. All of it where no such lot is open.
    ///
    /// # Errors
    /// [`LotError::OutOfRange`]; nothing has changed then.
    pub fn charge(&mut self, symbol: &Symbol, fill_id: &FillId, fees: Decimal) -> Result<Decimal, LotError> {
        let lots = self.lots.get_mut(symbol).into_iter().flat_map(BTreeMap::values_mut);
        let Some(lot) = lots.into_iter().find(|lot| lot.lot_id == fill_id.as_str()) else { return Ok(fees) };
        let part = share(fees, lot.remaining(), lot.open_qty)?;
        lot.open_fees = sum("fees of a lot", lot.open_fees, part)?;
        Ok(fees - part)
    }

    /// Gives the lots of an instrument a new symbol; they keep their order.
    ///
    /// # Errors
    /// [`LotError::Held`] when the new symbol has lots already: two positions must not become one unseen.
    pub fn rename(&mut self, from: &Symbol, to: &Symbol) -> Result<(), LotError> {
        if from == to {
            return Ok(());
        }
        if self.lots.contains_key(to) {
            return Err(LotError::Held { from: from.clone(), to: to.clone() });
        }
        let Some(mut lots) = self.lots.remove(from) else { return Ok(()) };
        lots.values_mut().for_each(|lot| lot.symbol = to.clone());
        self.lots.insert(to.clone(), lots);
        Ok(())
    }

    /// Which lots the fill consumes, and how much of each.
    fn plan(&self, fill: &Fill, picks: Option<&[LotPick]>) -> Result<Vec<(Place, Decimal)>, LotError> {
        let Some(lots) = self.lots.get(&fill.symbol) else { return Ok(Vec::new()) };
        let Some(picks) = picks else {
            let mut plan = Vec::new();
            let mut wanted = fill.quantity;
            for (place, lot) in lots {
                let take = lot.remaining().abs().min(wanted);
                plan.push((*place, take));
                wanted -= take;
                if wanted.is_zero() {
                    break;
                }
            }
            return Ok(plan);
        };
        let fill_id = || fill.fill_id.clone();
        let mut plan: BTreeMap<Place, Decimal> = BTreeMap::new();
        let mut ordered = Vec::with_capacity(picks.len());
        let mut picked = Decimal::ZERO;
        for LotPick { lot_id, quantity } in picks {
            let Some((place, lot)) = lots.iter().find(|(_, lot)| lot.lot_id == *lot_id) else {
                let symbol = fill.symbol.clone();
                return Err(LotError::UnknownLot { fill_id: fill_id(), lot_id: lot_id.clone(), symbol });
            };
            let open = lot.remaining().abs();
            let total = plan.entry(*place).or_default();
            *total = sum("picked units", *total, *quantity)?;
            if *quantity <= Decimal::ZERO || *total > open {
                let (lot_id, picked) = (lot_id.clone(), *total);
                return Err(LotError::PickOutOfRange { fill_id: fill_id(), lot_id, picked, open });
            }
            if !ordered.contains(place) {
                ordered.push(*place);
            }
            picked = sum("picked units", picked, *quantity)?;
        }
        let closes = fill.quantity.min(self.quantity(&fill.symbol).abs());
        if picked != closes {
            return Err(LotError::PicksDoNotAddUp { fill_id: fill_id(), closes, picked });
        }
        Ok(ordered.into_iter().filter_map(|place| Some((place, *plan.get(&place)?))).collect())
    }

    fn new_lot(
        &self,
        fill: &Fill,
        multiplier: Decimal,
        trade_date: NaiveDate,
        rest: &Remainder,
    ) -> Result<TaxLot, LotError> {
        if self.lots.get(&fill.symbol).is_some_and(|lots| lots.len() >= MAX_OPEN_LOTS) {
            return Err(LotError::Full { symbol: fill.symbol.clone() });
        }
        Ok(TaxLot {
            lot_id: SmolStr::new(fill.fill_id.as_str()),
            fund_id: self.fund_id.clone(),
            symbol: fill.symbol.clone(),
            open_date: trade_date,
            open_qty: fill.side.signed(rest.quantity),
            open_price: fill.price,
            close_date: None,
            close_qty: Decimal::ZERO,
            close_price: None,
            open_cost: product("cost of a lot", &[rest.quantity, fill.price, multiplier])?,
            open_fees: rest.fees,
            multiplier,
        })
    }

    /// The place of the `number`th lot of the book: the method decides. Equal ranks are consumed oldest first. Highest
    /// cost first means least gain first, so that for short lots the lowest price comes first.
    fn place(&self, lot: &TaxLot, number: i64) -> Place {
        let gain_first = if lot.open_qty.is_sign_negative() { -lot.open_price } else { lot.open_price };
        match self.method {
            TaxLotMethod::Fifo | TaxLotMethod::Specid => (Decimal::ZERO, number),
            TaxLotMethod::Lifo => (Decimal::ZERO, -number),
            TaxLotMethod::Hifo => (-gain_first, number),
            TaxLotMethod::Loifo => (gain_first, number),
        }
    }
}

/// What of a fill is not booked yet.
struct Remainder {
    quantity: Decimal,
    fees: Decimal,
}

/// The part of `total` that falls to `part` of `whole`; everything when they are equal.
fn share(total: Decimal, part: Decimal, whole: Decimal) -> Result<Decimal, OutOfRange> {
    if part == whole {
        return Ok(total);
    }
    let fraction = part.checked_div(whole).ok_or(OutOfRange { what: "share of a lot" })?;
    Ok(round(product("share of fees", &[total, fraction])?, PART_PLACES))
}

/// Closes `quantity` units of a lot: what is left of it, and the closure.
fn close(
    lot: &TaxLot,
    quantity: Decimal,
    fill: &Fill,
    multiplier: Decimal,
    trade_date: NaiveDate,
    rest: &mut Remainder,
) -> Result<(Option<TaxLot>, LotClosure), LotError> {
    let open = lot.remaining().abs();
    let short = lot.open_qty.is_sign_negative();
    let whole = quantity == open;
    let open_cost = if whole {
        lot.open_cost
    } else {
        round(product("cost of a lot", &[quantity, lot.open_price, lot.multiplier])?, PART_PLACES)
    };
    let open_fees = share(lot.open_fees, quantity, open)?;
    let close_fees = share(rest.fees, quantity, rest.quantity)?;
    let proceeds = product("proceeds of a lot", &[quantity, fill.price, multiplier])?;
    let gain = sum("profit of a lot", proceeds, -open_cost)?;
    rest.quantity -= quantity;
    rest.fees -= close_fees;
    let left = if whole {
        None
    } else {
        let closed_before = product("closed value", &[lot.close_qty, lot.close_price.unwrap_or_default()])?;
        let closed_value =
            sum("closed value", closed_before, product("closed value", &[quantity, fill.price])?)?;
        let close_qty = lot.close_qty + quantity;
        Some(TaxLot {
            close_date: Some(trade_date),
            close_qty,
            close_price: closed_value.checked_div(close_qty),
            open_cost: lot.open_cost - open_cost,
            open_fees: lot.open_fees - open_fees,
            ..lot.clone()
        })
    };
    let closure = LotClosure {
        lot_id: lot.lot_id.clone(),
        fill_id: fill.fill_id.clone(),
        symbol: fill.symbol.clone(),
        quantity: if short { -quantity } else { quantity },
        open_date: lot.open_date,
        close_date: trade_date,
        open_cost,
        proceeds,
        open_fees,
        close_fees,
        realized: if short { -gain } else { gain },
    };
    Ok((left, closure))
}
