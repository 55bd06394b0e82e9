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
            state.free -= own;
            if state.free.is_zero() {
                self.candidates.remove(&candidate(number, lot));
            }
            if units.is_zero() || own.is_zero() {
                // Too few to be counted after a split: they keep what they have.
                state.free += own;
                self.candidates.remove(&candidate(number, lot));
                continue;
            }
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

#[cfg(test)]
mod tests {
    use crate::tax::testing::{Story, d, day};
    use crate::tax::{AdjustmentCode, InstrumentPolicy, Term, WashSalesEverywhere};
    use mts_foundation::{AssetClass, Currency, Instrument, InstrumentTable, Symbol};

    /// Bought for 10 on the second of June, sold for 8 on `sold`, bought again on `again`.
    fn disallowed(sold: &str, again: &str) -> String {
        let story = Story::new()
            .buy("2025-06-02", "X", "10", "10")
            .sell(sold, "X", "10", "8")
            .buy(again, "X", "10", "9");
        story.record().rows[0].adjustment.to_string()
    }

    #[test]
    fn thirty_days_before_and_after_are_the_window() {
        assert_eq!(disallowed("2026-03-10", "2026-04-09"), "20");
        assert_eq!(disallowed("2026-03-10", "2026-04-10"), "0");
        let earlier = |bought: &str| {
            let story = Story::new().buy("2025-06-02", "X", "10", "10").buy(bought, "X", "10", "9").sell(
                "2026-03-10",
                "X",
                "10",
                "8",
            );
            story.record().rows[0].adjustment.to_string()
        };
        assert_eq!(earlier("2026-02-08"), "20");
        assert_eq!(earlier("2026-02-07"), "0");
    }

    #[test]
    fn what_is_left_of_the_same_lot_replaces_nothing() {
        let story = Story::new().buy("2026-01-05", "X", "10", "10").sell("2026-01-12", "X", "4", "8");
        let record = story.record();
        assert_eq!((record.rows[0].gain, record.washes.len()), (d("-8"), 0));
        assert_eq!(record.open[0].basis, d("60"));
    }

    #[test]
    fn what_is_sold_in_the_same_sale_or_before_replaces_nothing() {
        let story = Story::new().buy("2026-01-05", "X", "10", "10").buy("2026-01-06", "X", "10", "11").sell(
            "2026-01-12",
            "X",
            "20",
            "8",
        );
        assert_eq!(story.record().washes, []);
        let story = Story::new()
            .buy("2026-01-05", "X", "10", "10")
            .buy("2026-01-06", "X", "10", "7")
            .picked("2026-01-09", "X", "10", "8", "1")
            .sell("2026-01-12", "X", "10", "8");
        assert_eq!(story.record().washes, []);
        let kept = Story::new().buy("2026-01-05", "X", "10", "10").buy("2026-01-06", "X", "10", "11").sell(
            "2026-01-12",
            "X",
            "15",
            "8",
        );
        let record = kept.record();
        let found: Vec<_> = record.washes.iter().map(|wash| (wash.row, wash.units, wash.amount)).collect();
        assert_eq!(found, [(0, d("5"), d("10"))], "the loss of the first lot has five units left to go to");
    }

    #[test]
    fn each_lot_that_one_sale_closes_at_a_loss_looks_for_its_own_replacement() {
        let story = Story::new()
            .buy("2025-01-06", "X", "5", "10")
            .buy("2025-02-03", "X", "5", "12")
            .sell("2026-01-12", "X", "10", "8")
            .buy("2026-01-14", "X", "8", "8");
        let record = story.record();
        let found: Vec<_> = record.washes.iter().map(|wash| (wash.row, wash.units, wash.amount)).collect();
        assert_eq!(found, [(0, d("5"), d("10")), (1, d("3"), d("12"))]);
    }

    #[test]
    fn each_replacement_unit_counts_once_and_the_first_acquired_first() {
        let story = Story::new()
            .buy("2025-01-06", "X", "30", "10")
            .sell("2026-01-12", "X", "10", "8")
            .sell("2026-01-13", "X", "10", "7")
            .buy("2026-01-14", "X", "12", "6")
            .buy("2026-01-15", "X", "4", "6");
        let record = story.record();
        let found: Vec<_> = record
            .washes
            .iter()
            .map(|wash| (wash.row, wash.replacement_lot_id.as_str(), wash.units, wash.amount))
            .collect();
        let expected = [(0, "3", d("10"), d("20")), (1, "3", d("2"), d("6")), (1, "4", d("4"), d("12"))];
        assert_eq!(found, expected);
        assert_eq!((record.rows[1].adjustment, record.rows[1].gain), (d("18"), d("-12")));
    }

    #[test]
    fn losses_chain() {
        let story = Story::new()
            .buy("2026-01-05", "X", "10", "10")
            .sell("2026-01-12", "X", "10", "8")
            .buy("2026-01-14", "X", "10", "9")
            .sell("2026-01-20", "X", "10", "9.5")
            .buy("2026-01-22", "X", "10", "9")
            .sell("2026-05-20", "X", "10", "12");
        let record = story.record();
        let figures: Vec<_> =
            record.rows.iter().map(|row| (row.cost_basis, row.adjustment, row.gain)).collect();
        // The second sale would be a gain of 5; with the loss of 20 in its basis it is a loss of 15, which moves on.
        let zero = d("0");
        assert_eq!(
            figures,
            [(d("100"), d("20"), zero), (d("110"), d("15"), zero), (d("105"), zero, d("15"))]
        );
        assert_eq!(record.rows[2].held_from, day("2026-01-22") - chrono::Days::new(6 + 7));
        assert_eq!(record.rows.iter().map(|row| row.gain).sum::<mts_foundation::Decimal>(), d("15"));
    }

    #[test]
    fn the_piece_with_the_earlier_holding_period_is_closed_first() {
        let story = Story::new()
            .buy("2024-01-08", "X", "4", "10")
            .sell("2026-01-12", "X", "4", "7")
            .buy("2026-01-14", "X", "10", "8")
            .sell("2026-03-16", "X", "6", "9")
            .sell("2026-03-17", "X", "4", "9");
        let record = story.record();
        let rows: Vec<_> = record
            .rows
            .iter()
            .map(|row| (row.quantity, row.cost_basis, row.basis_added, row.gain, row.term))
            .collect();
        assert_eq!(
            rows,
            [
                (d("4"), d("40"), d("0"), d("0"), Term::Long),
                (d("4"), d("44"), d("12"), d("-8"), Term::Long),
                (d("2"), d("16"), d("0"), d("2"), Term::Short),
                (d("4"), d("32"), d("0"), d("4"), Term::Short),
            ]
        );
        assert_eq!(
            (record.rows[1].open_date, record.rows[1].held_from),
            (day("2026-01-14"), day("2024-01-10"))
        );
    }

    #[test]
    fn short_sales_follow_the_same_rule_among_themselves() {
        let story = Story::new()
            .short("2026-01-05", "X", "10", "10")
            .cover("2026-01-12", "X", "10", "13")
            .buy("2026-01-13", "X", "10", "13")
            .sell("2026-01-14", "X", "10", "13")
            .short("2026-01-15", "X", "6", "13")
            .cover("2027-02-15", "X", "6", "11");
        let record = story.record();
        let first = &record.rows[0];
        assert_eq!((first.proceeds, first.cost_basis, first.gain), (d("100"), d("130"), d("-12")));
        assert_eq!((first.date_acquired, first.date_sold), (day("2026-01-12"), day("2026-01-12")));
        assert_eq!((first.code, first.adjustment), (Some(AdjustmentCode::W), d("18")));
        assert_eq!(record.washes[0].replacement_lot_id, "4", "a purchase replaces no short sale");
        let last = &record.rows[2];
        assert_eq!((last.proceeds, last.cost_basis, last.basis_added), (d("78"), d("84"), d("18")));
        assert_eq!((last.gain, last.term), (d("-6"), Term::Short), "13 months, and short-term all the same");
    }

    #[test]
    fn commissions_belong_to_basis_and_proceeds() {
        let story = Story::new()
            .fees("1")
            .buy("2025-01-06", "X", "10", "10")
            .sell("2026-01-12", "X", "10", "10")
            .fees("0")
            .buy("2026-01-13", "X", "10", "10");
        let record = story.record();
        let row = &record.rows[0];
        assert_eq!((row.proceeds, row.cost_basis, row.adjustment), (d("99"), d("101"), d("2")));
        assert_eq!(record.open[0].basis, d("102"));
        let rebate =
            Story::new().fees("-1").buy("2025-01-06", "X", "10", "10").sell("2026-01-12", "X", "10", "9.9");
        assert_eq!(rebate.record().rows[0].gain, d("1"));
    }

    #[test]
    fn units_are_compared_after_splits_and_under_all_names() {
        for (new, old, again) in [("3", "1", "90"), ("1", "3", "10"), ("7", "3", "70")] {
            let story = Story::new()
                .buy("2025-01-06", "X", "30", "10")
                .sell("2026-01-12", "X", "30", "7")
                .rename("X", "Y")
                .split("Y", new, old)
                .buy("2026-01-14", "Y", again, "2")
                .buy("2026-01-15", "Y", "1", "2");
            let record = story.record();
            assert_eq!(record.rows[0].adjustment, d("90"), "{new} for {old}");
            let replaced: Vec<_> = record.open.iter().filter(|piece| piece.basis_added == d("90")).collect();
            assert_eq!(
                (replaced.len(), replaced[0].quantity, replaced[0].symbol.as_str()),
                (1, d(again), "Y")
            );
        }
        let other = Story::new()
            .buy("2025-01-06", "X", "10", "10")
            .sell("2026-01-12", "X", "10", "7")
            .rename("X", "Y")
            .buy("2026-01-14", "X", "10", "2");
        assert_eq!(other.record().washes, [], "what is called X now is something else");
    }

    #[test]
    fn a_lot_that_was_split_unevenly_is_closed_whole() {
        let story = Story::new()
            .buy("2025-01-06", "X", "10", "10")
            .split("X", "3", "7")
            .sell("2025-01-07", "X", "1", "30")
            .sell("2025-01-08", "X", "1", "30")
            .sell("2025-01-09", "X", "1", "30")
            .sell_all("2025-01-10", "X", "30");
        let record = story.record();
        assert_eq!(record.open, []);
        let cost: mts_foundation::Decimal = record.rows.iter().map(|row| row.cost_basis).sum();
        assert_eq!(cost, d("100"));
    }

    #[test]
    fn the_policy_says_where_wash_sales_apply_and_what_money_is_worth() {
        let symbol = Symbol::new("X").unwrap();
        let euro = Currency::new("EUR").unwrap();
        let mut coin = Instrument::us_share(symbol.clone());
        coin.asset_class = AssetClass::Crypto;
        let story = Story::new()
            .fees("1")
            .buy("2025-01-06", "X", "10", "10")
            .sell("2026-01-12", "X", "10", "7")
            .buy("2026-01-13", "X", "10", "7");
        let table = InstrumentTable::from_instruments([coin.clone()]).unwrap();
        let policy = InstrumentPolicy::new(&table, Currency::USD);
        assert_eq!(story.history.record(&policy).unwrap().rows[0].gain, d("-32"));
        assert_eq!(story.history.record(&WashSalesEverywhere).unwrap().rows[0].gain, d("0"));
        coin.currency = euro;
        let table = InstrumentTable::from_instruments([coin]).unwrap();
        let mut policy = InstrumentPolicy::new(&table, Currency::USD);
        let error = story.history.record(&policy).unwrap_err().to_string();
        assert!(error.contains("currency of X was worth on 2025-01-06"), "{error}");
        for (date, rate) in [("2025-01-06", "1.1"), ("2026-01-12", "1.2"), ("2026-01-13", "1.3")] {
            policy.rates.insert((euro, day(date)), d(rate));
        }
        let record = story.history.record(&policy).unwrap();
        assert_eq!((record.rows[0].cost_basis, record.rows[0].proceeds), (d("111"), d("83")));
        assert_eq!(record.open[0].basis, d("92"));
    }
}
