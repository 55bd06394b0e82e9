//! Wash sales (26 U.S.C. § 1091; Treas. Reg. § 1.1091-1 and -2).
//!
//! Closing fills are gone through in the order of booking, so that a loss that was moved into a replacement may be moved on
//! when that is sold. Of each lot, the units that replaced others are kept as pieces, apart from those that are free to
//! replace some. Free lots stand in one ordered set; every look-up either uses units up or ends the search, so that n fills
//! take n log n steps.

use super::history::{Closing, Happened, OpenedLot, TaxHistory, UnitScale};
use super::holding::tacked;
use super::{
    AdjustmentCode, MONEY_PLACES, OpenPiece, TaxError, TaxPolicy, TaxRecord, TaxRow, Term, WashMatch, share,
    sum,
};
use chrono::{Days, NaiveDate};
use mts_foundation::lots::LotClosure;
use mts_foundation::position::OutOfRange;
use mts_foundation::{Decimal, Symbol, num};
use std::collections::{BTreeMap, BTreeSet};

/// Days before and after a loss in which an acquisition makes it a wash sale (26 U.S.C. § 1091(a)).
pub const WINDOW_DAYS: u64 = 30;

/// What is left of a lot after a split that did not come out even: 1e-9 units are none.
const DUST: Decimal = Decimal::from_parts(1, 0, 0, false, 9);

/// Decimal places of units after a split.
const UNIT_PLACES: u32 = 16;

/// Units that replaced others.
struct Piece {
    units: Decimal,
    added: Decimal,
}

/// Pieces by the beginning of their holding period, then in the order in which they were made.
type Pieces = BTreeMap<(NaiveDate, usize), Piece>;

/// What is open of a lot. Its units are those of the present; before it is opened, of its opening.
struct LotState {
    scale: UnitScale,
    /// `free` and the units of all pieces.
    units: Decimal,
    free: Decimal,
    pieces: Pieces,
    /// What the open units cost (of a short lot: brought), with fees and without added losses.
    money: Decimal,
}

/// Units with the same adjustments that a fill closes.
struct Part {
    units: Decimal,
    added: Decimal,
    held_from: NaiveDate,
}

/// A lot that may take losses over: instrument, direction, date of acquisition, index.
type Candidate = (usize, bool, NaiveDate, usize);

struct Sweep<'a, P> {
    history: &'a TaxHistory,
    policy: &'a P,
    states: Vec<LotState>,
    candidates: BTreeSet<Candidate>,
    /// Instrument and index of every lot that is open at present.
    held: BTreeSet<(usize, usize)>,
    rows: Vec<TaxRow>,
    washes: Vec<WashMatch>,
}

pub(super) fn record(history: &TaxHistory, policy: &impl TaxPolicy) -> Result<TaxRecord, TaxError> {
    let mut sweep = Sweep::new(history, policy)?;
    for event in &history.events {
        match event {
            Happened::Opened(number) => sweep.open(*number),
            Happened::Sale(closings) => sweep.sale(closings)?,
            Happened::Split { issue, new_units, old_units, after } => {
                sweep.split(*issue, (*new_units, *old_units), *after)?;
            }
        }
    }
    let open = sweep.open_pieces()?;
    Ok(TaxRecord { fund_id: history.fund_id.clone(), rows: sweep.rows, washes: sweep.washes, open })
}

fn candidate(number: usize, lot: &OpenedLot) -> Candidate {
    (lot.issue, lot.short, lot.open_date, number)
}

impl<'a, P: TaxPolicy> Sweep<'a, P> {
    fn new(history: &'a TaxHistory, policy: &'a P) -> Result<Self, TaxError> {
        let mut states = Vec::with_capacity(history.lots.len());
        let mut candidates = BTreeSet::new();
        for (number, lot) in history.lots.iter().enumerate() {
            let rate = rate(policy, &lot.symbol, lot.open_date)?;
            let money = with_fees(lot.cost, rate, lot.fees, lot.short)?;
            let (scale, units) = (lot.scale, lot.units);
            states.push(LotState { scale, units, free: units, pieces: Pieces::new(), money });
            candidates.insert(candidate(number, lot));
        }
        let held = BTreeSet::new();
        Ok(Self { history, policy, states, candidates, held, rows: Vec::new(), washes: Vec::new() })
    }

    fn open(&mut self, number: usize) {
        if let Some(lot) = self.history.lots.get(number) {
            self.held.insert((lot.issue, number));
        }
    }

    /// Brings what is held to the units after a split.
    fn split(
        &mut self,
        issue: usize,
        (new_units, old_units): (Decimal, Decimal),
        after: UnitScale,
    ) -> Result<(), TaxError> {
        let split = |units: Decimal| {
            let units = units.checked_mul(new_units).and_then(|units| units.checked_div(old_units));
            let units = units.ok_or(OutOfRange { what: "units after a split" })?;
            Ok::<_, OutOfRange>(num::round(units, UNIT_PLACES).normalize())
        };
        for (_, number) in self.held.range((issue, 0)..=(issue, usize::MAX)) {
            let Some(state) = self.states.get_mut(*number) else { continue };
            (state.scale, state.free) = (after, split(state.free)?);
            state.units = state.free;
            for piece in state.pieces.values_mut() {
                piece.units = split(piece.units)?;
                state.units = sum("units after a split", state.units, piece.units)?;
            }
        }
        Ok(())
    }

    /// Everything that one fill closes. All of it is gone before the first loss looks for a replacement: what is sold in the
    /// same sale replaces nothing.
    fn sale(&mut self, closings: &[Closing]) -> Result<(), TaxError> {
        let first = self.rows.len();
        let mut lots = Vec::with_capacity(closings.len());
        for closing in closings {
            self.close(closing)?;
            lots.resize(self.rows.len() - first, closing);
        }
        for (row, closing) in (first..).zip(lots) {
            self.disallow(row, closing)?;
        }
        Ok(())
    }

    /// Takes the units of a closure out of their lot: a row for each of its parts.
    fn close(&mut self, closing: &Closing) -> Result<(), TaxError> {
        let Closing { closure, lot: number, .. } = closing;
        let Some(lot) = self.history.lots.get(*number) else { return Ok(()) };
        let parts = self.take(closing, lot)?;
        let LotClosure { symbol, open_cost, open_fees, close_fees, .. } = closure;
        let opening = rate(self.policy, &lot.symbol, lot.open_date)?;
        let ending = rate(self.policy, symbol, closure.close_date)?;
        let mut opened = with_fees(*open_cost, opening, *open_fees, lot.short)?;
        let mut closed = with_fees(closure.proceeds, ending, *close_fees, !lot.short)?;
        if let Some(state) = self.states.get_mut(*number) {
            state.money = sum("cost of a lot", state.money, -opened)?;
        }
        let mut quantity = closure.quantity.abs();
        let mut units: Decimal = parts.iter().map(|part| part.units).sum();
        for part in parts {
            let taken = |whole: &mut Decimal| -> Result<Decimal, OutOfRange> {
                let taken = share(*whole, part.units, units)?;
                *whole -= taken;
                Ok(taken)
            };
            let (opened, closed) = (taken(&mut opened)?, taken(&mut closed)?);
            let (proceeds, cost) = if lot.short { (opened, closed) } else { (closed, opened) };
            let cost_basis = sum("cost basis", cost, part.added)?;
            self.rows.push(TaxRow {
                fund_id: self.history.fund_id.clone(),
                lot_id: lot.lot_id.clone(),
                fill_id: closure.fill_id.clone(),
                symbol: symbol.clone(),
                quantity: taken(&mut quantity)?,
                short_sale: lot.short,
                date_acquired: if lot.short { closure.close_date } else { lot.open_date },
                date_sold: closure.close_date,
                open_date: lot.open_date,
                held_from: part.held_from,
                proceeds,
                cost_basis,
                basis_added: part.added,
                code: None,
                adjustment: Decimal::ZERO,
                gain: sum("gain", proceeds, -cost_basis)?,
                // § 1233 would ask what was held at the time of the short sale; see docs/tax.md.
                term: if lot.short { Term::Short } else { Term::of(part.held_from, closure.close_date) },
            });
            units -= part.units;
        }
        Ok(())
    }

    /// The units that a closure takes: pieces whose holding period began earlier go first, free units last.
    fn take(&mut self, closing: &Closing, lot: &OpenedLot) -> Result<Vec<Part>, TaxError> {
        let Some(state) = self.states.get_mut(closing.lot) else { return Ok(Vec::new()) };
        let mut wanted = closing.closure.quantity.abs();
        if state.scale != lot.scale && (state.units - wanted).abs() <= DUST {
            wanted = state.units;
        }
        if wanted > state.units {
            let LotClosure { fill_id, lot_id, .. } = closing.closure.clone();
            return Err(TaxError::ClosesTooMuch { fill_id, lot_id, closed: wanted, open: state.units });
        }
        state.units -= wanted;
        let whole = state.units.is_zero();
        let mut parts = Vec::new();
        while let Some(mut entry) = state.pieces.first_entry().filter(|_| whole || !wanted.is_zero()) {
            let (held_from, _) = *entry.key();
            let piece = entry.get_mut();
            let units = piece.units.min(wanted);
            let added = share(piece.added, units, piece.units)?;
            piece.units -= units;
            piece.added -= added;
            wanted -= units;
            if piece.units.is_zero() {
                entry.remove();
            }
            parts.push(Part { units, added, held_from });
        }
        if !wanted.is_zero() {
            state.free -= wanted;
            parts.push(Part { units: wanted, added: Decimal::ZERO, held_from: lot.open_date });
        }
        if state.free.is_zero() {
            self.candidates.remove(&candidate(closing.lot, lot));
        }
        if whole {
            self.held.remove(&(lot.issue, closing.lot));
        }
        Ok(parts)
    }

    /// Moves the loss of a row, if it has one, to units that were acquired near it, in the order of their acquisition (Reg.
    /// § 1.1091-1(c), (d)).
    fn disallow(&mut self, row: usize, closing: &Closing) -> Result<(), TaxError> {
        let Some(TaxRow { gain, quantity, held_from, symbol, .. }) = self.rows.get(row) else {
            return Ok(());
        };
        if !gain.is_sign_negative() || gain.is_zero() || !self.policy.wash_sales_apply(symbol) {
            return Ok(());
        }
        let (loss, mut left, held_from) = (-*gain, *quantity, *held_from);
        let mut loss_left = loss;
        let sold = closing.closure.close_date;
        while !left.is_zero() {
            let Some(number) = self.replacement(closing) else { break };
            let Some(lot) = self.history.lots.get(number) else { break };
            let Some(state) = self.states.get_mut(number) else { break };
            let available = state.scale.convert(state.free, closing.scale)?;
            let units = available.min(left);
            let whole = units == available;
            let own =
                if whole { state.free } else { closing.scale.convert(units, state.scale)?.min(state.free) };
            if own == state.free || units.is_zero() || own.is_zero() {
                self.candidates.remove(&candidate(number, lot));
            }
            if units.is_zero() || own.is_zero() {
                // Too few to be counted after a split: they replace nothing.
                continue;
            }
            state.free -= own;
            let amount = share(loss_left, units, left)?;
            loss_left -= amount;
            left -= units;
            let held_from = tacked(lot.open_date, held_from, sold);
            state.pieces.insert((held_from, self.washes.len()), Piece { units: own, added: amount });
            let replacement_lot_id = lot.lot_id.clone();
            self.washes.push(WashMatch { row, replacement_lot_id, units, amount, held_from });
        }
        let disallowed = loss - loss_left;
        if left < self.rows.get(row).map_or(left, |row| row.quantity)
            && let Some(row) = self.rows.get_mut(row)
        {
            row.code = Some(AdjustmentCode::W);
            row.adjustment = disallowed;
            row.gain = -loss_left;
        }
        Ok(())
    }

    /// The first lot with free units that was acquired near a sale, other than the one that was sold: what is left of that
    /// is no new acquisition (Rev. Rul. 56-602).
    fn replacement(&self, closing: &Closing) -> Option<usize> {
        let lot = self.history.lots.get(closing.lot)?;
        let sold = closing.closure.close_date;
        let from = sold.checked_sub_days(Days::new(WINDOW_DAYS)).unwrap_or(NaiveDate::MIN);
        let until = sold.checked_add_days(Days::new(WINDOW_DAYS)).unwrap_or(NaiveDate::MAX);
        let near = (lot.issue, lot.short, from, 0)..=(lot.issue, lot.short, until, usize::MAX);
        self.candidates.range(near).map(|(.., number)| *number).find(|number| *number != closing.lot)
    }

    fn open_pieces(&mut self) -> Result<Vec<OpenPiece>, TaxError> {
        let mut open = Vec::new();
        for (lot, state) in self.history.lots.iter().zip(&mut self.states) {
            let Some(issue) = self.history.instruments.get(lot.issue) else { continue };
            let mut parts: Vec<Part> = std::mem::take(&mut state.pieces)
                .into_iter()
                .map(|((held_from, _), piece)| Part { units: piece.units, added: piece.added, held_from })
                .collect();
            if !state.free.is_zero() {
                parts.push(Part { units: state.free, added: Decimal::ZERO, held_from: lot.open_date });
            }
            for part in parts {
                let money = share(state.money, part.units, state.units)?;
                state.money -= money;
                state.units -= part.units;
                open.push(OpenPiece {
                    lot_id: lot.lot_id.clone(),
                    symbol: issue.symbol.clone(),
                    quantity: if lot.short { -part.units } else { part.units },
                    open_date: lot.open_date,
                    held_from: part.held_from,
                    basis: sum("basis", money, if lot.short { -part.added } else { part.added })?,
                    basis_added: part.added,
                });
            }
        }
        Ok(open)
    }
}

fn rate(policy: &impl TaxPolicy, symbol: &Symbol, date: NaiveDate) -> Result<Decimal, TaxError> {
    policy.rate(symbol, date).ok_or_else(|| TaxError::NoRate { symbol: symbol.clone(), date })
}

/// Money of a fill in the fund's currency: fees lower what a sale brings and raise what a purchase costs.
fn with_fees(value: Decimal, rate: Decimal, fees: Decimal, sale: bool) -> Result<Decimal, OutOfRange> {
    let value = value.checked_mul(rate).ok_or(OutOfRange { what: "money in the fund's currency" })?;
    let money = sum("money with fees", value, if sale { -fees } else { fees })?;
    Ok(num::round(money, MONEY_PLACES).normalize())
}
