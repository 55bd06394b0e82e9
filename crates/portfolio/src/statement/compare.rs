//! A statement against our books: what differs, why, by how much, and what to do.

use super::comparison::{BookedRecords, CashDifference, Comparison, DifferenceKind, StatementDifference};
use super::matching::{Group, movements, sum, trades};
use super::{Statement, StatementMovement, StatementTrade};
use chrono::NaiveDate;
use mts_foundation::reconcile::diff;
use mts_foundation::{Currency, Decimal, Symbol};
use std::collections::{BTreeMap, BTreeSet};

/// Money below this is rounding, for one record.
const CENT: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

/// A trade of ours that is this close to the end of a period may settle in the next: two sessions and a weekend.
const SETTLING_DAYS: i64 = 4;

/// Compares a statement with the books and explains the differences. Trades and movements are matched by id where both sides
/// have one, else by what they say, in order of time; the work is that of sorting them. Sums stay at the ends of the range of
/// decimals.
#[must_use]
pub fn compare(statement: &Statement, books: &BookedRecords) -> Comparison {
    let mut explainer = Explainer { statement, books, out: Comparison::default(), sums: Sums::default() };
    explainer.trades();
    explainer.movements();
    explainer.positions();
    explainer.cash();
    explainer.own_sums();
    explainer.out.unread.clone_from(&statement.unread);
    explainer.out
}

/// What is explained so far.
#[derive(Default)]
struct Sums {
    units: BTreeMap<Symbol, Decimal>,
    cash: BTreeMap<Currency, Decimal>,
    /// Differences below a cent a record, not told one by one.
    rounding: BTreeMap<Currency, Decimal>,
}

struct Explainer<'a> {
    statement: &'a Statement,
    books: &'a BookedRecords,
    out: Comparison,
    sums: Sums,
}

fn add<K: Ord>(sums: &mut BTreeMap<K, Decimal>, key: K, value: Decimal) {
    let sum = sums.entry(key).or_default();
    *sum = sum.saturating_add(value);
}

fn differs_below_a_cent(value: Decimal, records: usize) -> bool {
    value.abs() < CENT.saturating_mul(Decimal::from(records))
}

impl Explainer<'_> {
    fn in_period(&self, date: NaiveDate) -> bool {
        date >= self.statement.from && date <= self.statement.to
    }

    /// Records that count in what is held at the end.
    fn counts(&self, date: NaiveDate) -> bool {
        date <= self.statement.to
    }

    fn tell(&mut self, found: StatementDifference) {
        if let Some(symbol) = found.symbol.clone().filter(|_| !found.units.is_zero()) {
            add(&mut self.sums.units, symbol, found.units);
        }
        if let Some(currency) = found.currency {
            add(&mut self.sums.cash, currency, found.cash);
        }
        self.out.found.push(found);
    }

    fn trades(&mut self) {
        let found = trades(&self.books.trades, &self.statement.trades);
        for group in &found.groups {
            self.out.matched_trades += group.theirs.len();
            self.traded(group);
        }
        for trade in found.only_theirs {
            self.traded(&Group { ours: Vec::new(), theirs: vec![trade] });
        }
        for trade in
            found.only_ours.into_iter().filter(|trade| self.in_period(trade.date)).collect::<Vec<_>>()
        {
            self.traded(&Group { ours: vec![trade], theirs: Vec::new() });
        }
    }

    fn traded(&mut self, group: &Group<'_, StatementTrade>) {
        let Some(first) = group.theirs.first().or(group.ours.first()) else { return };
        let (symbol, currency, to) = (&first.symbol, first.currency, self.statement.to);
        let units = |side: &[&StatementTrade]| sum(side.iter().map(|one| one.units()));
        let money = |side: &[&StatementTrade]| sum(side.iter().map(|one| one.cash()));
        let at_the_end = |side: &[&'_ StatementTrade], of: fn(&StatementTrade) -> Decimal| {
            sum(side.iter().filter(|one| self.counts(one.date)).map(|one| of(one)))
        };
        let effect = |of| at_the_end(&group.theirs, of).saturating_sub(at_the_end(&group.ours, of));
        let (units_by, cash_by) = (
            units(&group.theirs).saturating_sub(units(&group.ours)),
            money(&group.theirs).saturating_sub(money(&group.ours)),
        );
        let (end_units, end_cash) = (effect(StatementTrade::units), effect(StatementTrade::cash));
        let shifted = group
            .theirs
            .first()
            .zip(group.ours.first())
            .is_some_and(|(theirs, ours)| self.in_period(theirs.date) != self.in_period(ours.date));
        let adopt = format!("mts reconcile --adopt {symbol}");
        let (kind, sentence, remedy) = if group.ours.is_empty() {
            let sentence = format!("the books lack this trade in {symbol}");
            let remedy = format!(
                "look among the fills that are set aside (`mts reconcile --dry-run`), or take the units over with `{adopt}`"
            );
            (DifferenceKind::TradeMissingInBooks, sentence, remedy)
        } else if group.theirs.is_empty() {
            let left = (to - first.date).num_days();
            if left < SETTLING_DAYS {
                let sentence = format!(
                    "the statement lacks this trade in {symbol}, made {left} days before its end: it may count by settlement"
                );
                (DifferenceKind::PeriodShift, sentence, "look for it in the next statement".to_owned())
            } else {
                let sentence = format!("the statement lacks this trade in {symbol}");
                let remedy = format!(
                    "ask the broker whether it was annulled; if it was, take the units over with `{adopt}`"
                );
                (DifferenceKind::TradeMissingInStatement, sentence, remedy)
            }
        } else if shifted {
            let sentence =
                format!("a trade in {symbol} counts in this period on one side and not on the other");
            (DifferenceKind::PeriodShift, sentence, "nothing: the neighbouring statement has it".to_owned())
        } else if !units_by.is_zero()
            || !differs_below_a_cent(cash_by, group.ours.len().max(group.theirs.len()))
        {
            let sentence = format!("a trade in {symbol} differs in {}", what_differs(group));
            let remedy = if units_by.is_zero() {
                format!("book the cash with `mts reconcile --book-cash {cash_by} --kind other`")
            } else {
                format!("ask the broker which is right; take the units over with `{adopt}`")
            };
            (DifferenceKind::TradeDiffers, sentence, remedy)
        } else {
            add(&mut self.sums.rounding, currency, end_cash);
            return;
        };
        let difference = StatementDifference {
            kind,
            date: Some(first.date),
            symbol: Some(symbol.clone()),
            currency: Some(currency),
            ours: shown(&group.ours, trade_text),
            theirs: shown(&group.theirs, trade_text),
            units: end_units,
            cash: end_cash,
            sentence,
            remedy,
        };
        self.tell(difference);
    }

    fn movements(&mut self) {
        let found = movements(&self.books.movements, &self.statement.movements);
        for group in &found.groups {
            self.out.matched_movements += group.theirs.len();
            self.moved(group);
        }
        for movement in found.only_theirs {
            self.moved(&Group { ours: Vec::new(), theirs: vec![movement] });
        }
        for movement in found.only_ours.into_iter().filter(|one| self.in_period(one.date)).collect::<Vec<_>>()
        {
            self.moved(&Group { ours: vec![movement], theirs: Vec::new() });
        }
    }

    fn moved(&mut self, group: &Group<'_, StatementMovement>) {
        let Some(first) = group.theirs.first().or(group.ours.first()) else { return };
        let (what, currency) = (first.kind, first.currency);
        let money = |side: &[&StatementMovement]| sum(side.iter().map(|one| one.amount));
        let at_the_end = |side: &[&StatementMovement]| {
            sum(side.iter().filter(|one| self.counts(one.date)).map(|one| one.amount))
        };
        let by = money(&group.theirs).saturating_sub(money(&group.ours));
        let cash = at_the_end(&group.theirs).saturating_sub(at_the_end(&group.ours));
        let shifted = group
            .theirs
            .first()
            .zip(group.ours.first())
            .is_some_and(|(theirs, ours)| self.in_period(theirs.date) != self.in_period(ours.date));
        let book = format!("book it with `mts reconcile --book-cash {by} --kind {what}`");
        let (kind, sentence, remedy) = if group.ours.is_empty() {
            (DifferenceKind::MovementMissingInBooks, format!("the books lack this {what}"), book)
        } else if group.theirs.is_empty() {
            let remedy = format!("look in the next statement, or ask the broker; if it never came, {book}");
            (DifferenceKind::MovementMissingInStatement, format!("the statement lacks this {what}"), remedy)
        } else if shifted {
            let sentence = format!("a {what} counts in this period on one side and not on the other");
            (DifferenceKind::PeriodShift, sentence, "nothing: the neighbouring statement has it".to_owned())
        } else if !differs_below_a_cent(by, group.ours.len().max(group.theirs.len())) {
            (DifferenceKind::MovementDiffers, format!("a {what} has another amount"), book)
        } else {
            add(&mut self.sums.rounding, currency, cash);
            return;
        };
        let difference = StatementDifference {
            kind,
            date: Some(first.date),
            symbol: first.symbol.clone(),
            currency: Some(currency),
            ours: shown(&group.ours, movement_text),
            theirs: shown(&group.theirs, movement_text),
            units: Decimal::ZERO,
            cash,
            sentence,
            remedy,
        };
        self.tell(difference);
    }

    fn positions(&mut self) {
        let Some(theirs) = &self.statement.positions else {
            self.out.not_compared.push("positions: the statement states none".to_owned());
            return;
        };
        self.out.positions = diff(&self.books.positions, theirs);
        let differing = self.out.positions.iter().map(|one| &one.symbol);
        let symbols: BTreeSet<Symbol> = differing.chain(self.sums.units.keys()).cloned().collect();
        for symbol in symbols {
            let units = |side: &BTreeMap<Symbol, Decimal>| side.get(&symbol).copied().unwrap_or_default();
            let (ours, theirs) = (units(&self.books.positions), units(theirs));
            let explained = units(&self.sums.units);
            let rest = theirs.saturating_sub(ours).saturating_sub(explained);
            if rest.is_zero() {
                continue;
            }
            let actions = self.statement.actions.iter();
            let actions = actions.filter(|one| one.symbol == symbol && self.counts(one.date));
            let (dates, changes): (Vec<_>, Vec<_>) = actions.map(|one| (one.date, one.units)).unzip();
            let adopt = format!("take the units over with `mts reconcile --adopt {symbol}`");
            let (kind, sentence, remedy) = if !dates.is_empty() && sum(changes.into_iter()) == rest {
                let sentence =
                    format!("the statement has a corporate action in {symbol} that the books lack");
                (DifferenceKind::Split, sentence, adopt)
            } else if ours == theirs {
                let sentence = format!(
                    "the positions in {symbol} agree, and by the trades that differ they should not: {rest} units came another way"
                );
                let remedy =
                    "see whether the units were taken over before (`mts reconcile --adopt`)".to_owned();
                (DifferenceKind::UnexplainedUnits, sentence, remedy)
            } else if let Some((new, old)) = split(ours.saturating_add(explained), theirs) {
                let sentence = format!(
                    "the units of {symbol} differ as after a split, {new} for {old}; the statement names none"
                );
                (DifferenceKind::Split, sentence, format!("make sure that there was one, then {adopt}"))
            } else {
                let sentence = format!("{rest} units of {symbol} stay unexplained");
                (DifferenceKind::UnexplainedUnits, sentence, format!("ask the broker; then {adopt}"))
            };
            self.tell(StatementDifference {
                kind,
                date: dates.first().copied(),
                symbol: Some(symbol),
                currency: None,
                ours: Some(ours.to_string()),
                theirs: Some(theirs.to_string()),
                units: rest,
                cash: Decimal::ZERO,
                sentence,
                remedy,
            });
        }
    }

    fn cash(&mut self) {
        for (currency, amount) in &self.books.cash {
            if !amount.is_zero() && !self.statement.closing.contains_key(currency) {
                let note = format!("cash of {currency}: the statement states no closing balance");
                self.out.not_compared.push(note);
            }
        }
        for (currency, theirs) in &self.statement.closing {
            let (currency, theirs) = (*currency, *theirs);
            let of = |sums: &BTreeMap<Currency, Decimal>| sums.get(&currency).copied().unwrap_or_default();
            let ours = of(&self.books.cash);
            if ours != theirs {
                self.out.cash.push(CashDifference { currency, ours, theirs });
            }
            let rest = theirs.saturating_sub(ours).saturating_sub(of(&self.sums.cash));
            if rest.is_zero() {
                continue;
            }
            // A balance that is rounded itself may be off by another cent.
            let rounded = rest.saturating_sub(of(&self.sums.rounding)).abs() <= CENT;
            let (kind, sentence, remedy) = if rounded {
                let sentence = format!("{rest} {currency} come from rounding to cents");
                (DifferenceKind::Rounding, sentence, "nothing".to_owned())
            } else {
                let unread = self.statement.unread.len();
                let sentence = format!(
                    "{rest} {currency} stay unexplained; {unread} rows of the statement were not read"
                );
                let remedy = format!(
                    "look at the rows that were not read and at the opening balance; then book it with \
                     `mts reconcile --book-cash {rest} --kind other`"
                );
                (DifferenceKind::UnexplainedCash, sentence, remedy)
            };
            self.tell(StatementDifference {
                kind,
                date: None,
                symbol: None,
                currency: Some(currency),
                ours: Some(ours.to_string()),
                theirs: Some(theirs.to_string()),
                units: Decimal::ZERO,
                cash: rest,
                sentence,
                remedy,
            });
        }
    }

    /// Opening balance and what is stated must give the closing balance: else a row is missing, or was not read.
    fn own_sums(&mut self) {
        let statement = self.statement;
        for (currency, opening) in &statement.opening {
            let Some(closing) = statement.closing.get(currency) else { continue };
            let traded: Vec<_> = statement.trades.iter().filter(|one| one.currency == *currency).collect();
            let moved: Vec<_> = statement.movements.iter().filter(|one| one.currency == *currency).collect();
            let records = traded.len() + moved.len() + 1;
            let changes = traded.iter().map(|one| one.cash()).chain(moved.iter().map(|one| one.amount));
            let reached = opening.saturating_add(sum(changes));
            let by = closing.saturating_sub(reached);
            if differs_below_a_cent(by, records) || by.abs() <= CENT {
                continue;
            }
            let unread = statement.unread.len();
            self.out.found.push(StatementDifference {
                kind: DifferenceKind::StatementDoesNotAddUp,
                date: None,
                symbol: None,
                currency: Some(*currency),
                ours: Some(reached.to_string()),
                theirs: Some(closing.to_string()),
                // It is about the statement alone, and explains nothing between the two sides.
                units: Decimal::ZERO,
                cash: Decimal::ZERO,
                sentence: format!(
                    "the statement's trades and movements lead from its opening balance to {reached} {currency}, it states {closing}: \
                     {by} are missing; {unread} rows were not read"
                ),
                remedy: "export the statement with all its sections, or look at the rows that were not read".to_owned(),
            });
        }
    }
}

/// What is not the same.
fn what_differs(group: &Group<'_, StatementTrade>) -> String {
    let differ = |of: fn(&StatementTrade) -> Decimal| {
        sum(group.ours.iter().map(|one| of(one))) != sum(group.theirs.iter().map(|one| of(one)))
    };
    let quantity = differ(|one| one.quantity);
    let price = group.is_single() && differ(|one| one.price);
    let names = [
        (!quantity && differ(StatementTrade::units), "direction"),
        (quantity, "quantity"),
        (price, "price"),
        // The average price of several, or a multiplier.
        (!quantity && !price && !differ(StatementTrade::units) && differ(|one| one.proceeds), "amount"),
        (differ(|one| one.fees), "fees"),
    ];
    let names: Vec<&str> = names.into_iter().filter_map(|(differs, name)| differs.then_some(name)).collect();
    names.join(" and ")
}

impl<T> Group<'_, T> {
    fn is_single(&self) -> bool {
        self.ours.len() == 1 && self.theirs.len() == 1
    }
}

/// The first records as text, and how many more there are.
fn shown<T>(side: &[&T], text: impl Fn(&T) -> String) -> Option<String> {
    const SHOWN: usize = 3;
    if side.is_empty() {
        return None;
    }
    let mut parts: Vec<String> = side.iter().take(SHOWN).map(|one| text(one)).collect();
    let more = side.len().saturating_sub(SHOWN);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    Some(parts.join("; "))
}

fn trade_text(trade: &StatementTrade) -> String {
    let StatementTrade { date, side, quantity, price, fees, .. } = trade;
    format!("{date} {side} {quantity} at {price}, fees {fees}")
}

fn movement_text(movement: &StatementMovement) -> String {
    let StatementMovement { date, kind, amount, currency, .. } = movement;
    format!("{date} {kind} {amount} {currency}")
}

/// New units for old ones, when the units of one side are those of the other after a usual split: n for 1, 1 for n (up to 100), and
/// 3 for 2, 5 for 2, 4 for 3, 5 for 3, 5 for 4, 7 for 2.
fn split(ours: Decimal, theirs: Decimal) -> Option<(Decimal, Decimal)> {
    const ODD: [(i64, i64); 6] = [(3, 2), (5, 2), (4, 3), (5, 3), (5, 4), (7, 2)];
    let ratio = theirs.checked_div(ours).filter(|ratio| *ratio > Decimal::ZERO)?;
    let whole = |ratio: Decimal| {
        let fits = ratio.fract().is_zero() && ratio >= Decimal::TWO && ratio <= Decimal::ONE_HUNDRED;
        fits.then(|| ratio.normalize())
    };
    let odd = |(new, old): (i64, i64)| {
        let (new, old) = (Decimal::from(new), Decimal::from(old));
        (ours.checked_mul(new) == theirs.checked_mul(old)).then_some((new, old))
    };
    let back = || ours.checked_div(theirs).and_then(whole);
    whole(ratio)
        .map(|new| (new, Decimal::ONE))
        .or_else(|| back().map(|old| (Decimal::ONE, old)))
        .or_else(|| ODD.into_iter().find_map(odd))
}

#[cfg(test)]
mod tests;
