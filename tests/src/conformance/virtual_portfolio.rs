//! `ml4t-virtual-portfolio/1`: sequences of fills and marks against the virtual portfolio.
//!
//! Every step of a sequence is a case. It goes through [`VirtualPortfolio`], which stands on foundation's position arithmetic, and is compared
//! with the file: positions (quantity, average price, last price), cash and account value, with a relative tolerance
//! of 1e-9 and less than 1e-9 units as flat (decision N4). Where the file marks its account value as a defect of its
//! origin, `account_value_correct` beside it is the right one. After each step the book has to agree with itself:
//! its incremental value with the sum over its holdings, and cash plus cost with the initial cash plus the realised
//! profit.
//!
//! A step deviates, rather than fails, only for one of the [rules](RULES), each recognised by what the steps contain.
//! A fill without a quantity or a price, or with zero for one, is booked by neither side and is compared like any
//! other step.

mod reference;
#[cfg(test)]
mod tests;

use super::Outcome;
use mts_foundation::fill::InvalidFill;
use mts_foundation::num::{Decimal, as_written};
use mts_foundation::position::PositionBook;
use mts_foundation::symbol::Symbol;
use mts_foundation::time::Timestamp;
use mts_foundation::{Currency, Fill, Side};
use mts_portfolio::VirtualPortfolio;
use reference::{FloatPosition, Reference, Refusal};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A fill has a quantity and a price above zero; the origin books negative ones. From such a fill on, a step whose
/// result differs has to give what the origin's arithmetic gives without the refused fills, and the file what it
/// gives with them.
pub const REFUSED: &str = "a fill's quantity and price are greater than zero (foundation's Fill)";
/// The origin keeps apart what differs in capitals only. Compared as [`REFUSED`] is.
pub const CANONICAL: &str = "symbols are compared in their canonical form (M4)";
/// The file holds a rest of less than 1e-9 units from adding floats, where we are flat.
pub const THEIR_DUST: &str = "less than 1e-9 units is flat: exact decimals are, floats keep a rest (N4)";
/// The file is flat, where the exact sum of its floats is a rest of less than 1e-9 units.
pub const OUR_DUST: &str = "less than 1e-9 units is flat: floats are, exact decimals keep the rest (N4)";
/// The file's value went through sums so large that a float's rounding in them exceeds the tolerance. The difference
/// stays within what that rounding can explain.
pub const ROUNDED: &str = "decimals are exact where floats round digits away (N4)";
/// The rules under which a step may deviate.
pub const RULES: [&str; 5] = [REFUSED, CANONICAL, THEIR_DUST, OUR_DUST, ROUNDED];

/// Relative tolerance (decision N4).
const TOLERANCE: f64 = 1e-9;
/// Fewer units than this are flat (decision N4).
const FLAT: f64 = 1e-9;
/// How far the book may disagree with itself, relative to the largest amount it has seen: decimals of 28 digits round
/// products of long floats.
const SELF_TOLERANCE: f64 = 1e-24;

#[derive(Debug, Deserialize)]
struct Sequences {
    header: Header,
    sequences: Vec<Sequence>,
}

#[derive(Debug, Deserialize)]
struct Header {
    sequence_count: Option<usize>,
    step_count: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Sequence {
    id: String,
    initial_cash: f64,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Step {
    Fill(FillStep),
    Mark(MarkStep),
}

#[derive(Debug, Deserialize)]
struct FillStep {
    asset: String,
    side: FileSide,
    filled_quantity: Option<f64>,
    filled_price: Option<f64>,
    #[serde(flatten)]
    checks: Checks,
}

#[derive(Debug, Deserialize)]
struct MarkStep {
    prices: BTreeMap<String, f64>,
    #[serde(flatten)]
    checks: Checks,
}

/// What a step has to give.
#[derive(Debug, Deserialize)]
struct Checks {
    expect: Expect,
    #[serde(default)]
    bug_fields: Vec<String>,
    account_value_correct: f64,
}

#[derive(Debug, Deserialize)]
struct Expect {
    positions: BTreeMap<String, FloatPosition>,
    cash: f64,
    account_value: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FileSide {
    Buy,
    Sell,
}

impl FileSide {
    fn sign(self) -> f64 {
        match self {
            Self::Buy => 1.0,
            Self::Sell => -1.0,
        }
    }

    fn side(self) -> Side {
        match self {
            Self::Buy => Side::Buy,
            Self::Sell => Side::Sell,
        }
    }
}

impl Step {
    fn checks(&self) -> &Checks {
        match self {
            Self::Fill(fill) => &fill.checks,
            Self::Mark(mark) => &mark.checks,
        }
    }

    /// The names of instruments, as the step writes them.
    fn assets(&self) -> Vec<&str> {
        match self {
            Self::Fill(fill) => vec![&fill.asset],
            Self::Mark(mark) => mark.prices.keys().map(String::as_str).collect(),
        }
    }

    /// The rule that makes this step's result, and what is built on it, differ from the file.
    fn contradicts(&self) -> Option<&'static str> {
        if let Self::Fill(fill) = self
            && let (Some(quantity), Some(price)) = (fill.filled_quantity, fill.filled_price)
            && (quantity < 0.0 || price < 0.0)
        {
            return Some(REFUSED);
        }
        let canonical = |asset: &&str| Symbol::new(asset).is_ok_and(|symbol| symbol.as_str() == *asset);
        if !self.assets().iter().all(canonical) {
            return Some(CANONICAL);
        }
        None
    }
}

/// Runs the sequences of a file.
///
/// # Errors
/// When the text is not such a file.
pub fn run(text: &str) -> Result<Outcome, String> {
    let file: Sequences = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut outcome = Outcome::default();
    let (mut steps, mut corrected) = (0, 0);
    for sequence in &file.sequences {
        run_sequence(sequence, &mut outcome);
        steps += sequence.steps.len();
        corrected += sequence.steps.iter().filter(|step| step.checks().corrected()).count();
    }
    let sequences = file.sequences.len();
    outcome.notes.push(format!(
        "a case is a step; {sequences} sequences; {corrected} steps with the corrected account value"
    ));
    let (stated, stated_steps) = (file.header.sequence_count, file.header.step_count);
    if stated.is_some_and(|stated| stated != sequences) || stated_steps.is_some_and(|stated| stated != steps)
    {
        let figure = |count: Option<usize>| count.map_or("?".to_owned(), |count| count.to_string());
        outcome.notes.push(format!(
            "the header counts {} sequences and {} steps: the file is a part of what was generated",
            figure(stated),
            figure(stated_steps)
        ));
    }
    Ok(outcome)
}

fn run_sequence(sequence: &Sequence, outcome: &mut Outcome) {
    let mut replay = match Replay::new(sequence.initial_cash) {
        Ok(replay) => replay,
        Err(error) => {
            for index in 1..=sequence.steps.len() {
                outcome.fail(format!("{} step {index}", sequence.id), format!("not compared: {error}"));
            }
            return;
        }
    };
    let mut broken: Option<usize> = None;
    for (index, step) in sequence.steps.iter().enumerate() {
        let case = format!("{} step {}", sequence.id, index + 1);
        if let Some(broken) = broken {
            outcome.fail(case, format!("not compared: the sequence ended at step {broken}"));
            continue;
        }
        match replay.step(step) {
            Ok(None) => outcome.pass(),
            Ok(Some(rule)) => outcome.deviate(rule),
            Err(Fault::Differs(detail)) => outcome.fail(case, detail),
            Err(Fault::Ends(detail)) => {
                outcome.fail(case, detail);
                broken = Some(index + 1);
            }
        }
    }
}

/// Why a step failed.
#[derive(Debug)]
enum Fault {
    /// The results differ; the next step can be compared.
    Differs(String),
    /// The step could not be booked: nothing behind it has a meaning.
    Ends(String),
}

/// The portfolio, and what it began with.
#[derive(Debug)]
struct Followed {
    initial_cash: Decimal,
    portfolio: VirtualPortfolio,
}

impl Followed {
    fn new(cash: Decimal) -> Self {
        Self { initial_cash: cash, portfolio: VirtualPortfolio::new(Currency::USD, cash) }
    }

    fn cash(&self) -> Decimal {
        self.portfolio.cash(Currency::USD)
    }

    /// The positions: everything is of one currency here.
    fn book(&self) -> &PositionBook {
        self.portfolio.own_positions()
    }

    /// Books a fill, unless it lacks its quantity or price, or [`Fill`] refuses one of them.
    fn fill(&mut self, step: &FillStep, symbol: &Symbol) -> Result<(), String> {
        let (Some(quantity), Some(price)) = (step.filled_quantity, step.filled_price) else { return Ok(()) };
        let (quantity, price) = (decimal(quantity)?, decimal(price)?);
        let side = step.side.side();
        let fill = match Fill::new("fill", "order", symbol.as_str(), side, quantity, price, Timestamp::EPOCH)
        {
            Ok(fill) => fill,
            Err(InvalidFill::OutOfRange { .. }) if quantity <= Decimal::ZERO || price <= Decimal::ZERO => {
                return Ok(());
            }
            Err(error) => return Err(error.to_string()),
        };
        self.portfolio.process_fill(&fill).map(drop).map_err(|error| error.to_string())
    }

    fn mark(&mut self, symbol: &Symbol, price: f64) -> Result<(), String> {
        let price = decimal(price)?;
        self.portfolio.update_prices([(symbol, price)]).map_err(|error| error.to_string())
    }

    /// What the book keeps twice has to agree: `largest` is the largest amount seen so far.
    fn contradictions(&self, largest: f64) -> Result<Vec<String>, String> {
        let (mut value, mut cost) = (Decimal::ZERO, Decimal::ZERO);
        for (symbol, held) in self.book().iter() {
            let too_large = || format!("the value of {symbol} leaves the range of exact decimals");
            value = held
                .quantity
                .checked_mul(held.last_price)
                .and_then(|product| value.checked_add(product))
                .ok_or_else(too_large)?;
            cost = held
                .quantity
                .checked_mul(held.average_price)
                .and_then(|product| cost.checked_add(product))
                .ok_or_else(too_large)?;
        }
        let mut found = Vec::new();
        let mut compare = |what: &str, left: Decimal, right: Decimal| {
            let difference = left.checked_sub(right).map_or(f64::INFINITY, float).abs();
            if difference > largest * SELF_TOLERANCE {
                found.push(format!("the book contradicts itself: {what}: {left} and {right}"));
            }
        };
        compare("incremental value and sum over the holdings", self.book().market_value(), value);
        compare(
            "cash with the holdings' cost, and initial cash with the realised profit",
            self.cash() + cost,
            self.initial_cash + self.book().realized_total(),
        );
        Ok(found)
    }
}

fn decimal(value: f64) -> Result<Decimal, String> {
    as_written(value).ok_or_else(|| format!("{value} does not fit an exact decimal"))
}

fn float(value: Decimal) -> f64 {
    f64::try_from(value).unwrap_or(f64::NAN)
}

/// What a step has to give, whoever says so.
struct Expected<'a> {
    positions: BTreeMap<Symbol, &'a FloatPosition>,
    cash: f64,
    account_values: Vec<f64>,
}

impl Checks {
    fn corrected(&self) -> bool {
        self.bug_fields.iter().any(|field| field == "account_value")
    }

    fn expected(&self) -> Result<Expected<'_>, String> {
        let mut positions = BTreeMap::new();
        for (asset, held) in &self.expect.positions {
            positions.insert(canonical(asset)?, held);
        }
        let mut account_values = vec![self.account_value_correct];
        if !self.corrected() {
            account_values.push(self.expect.account_value);
        }
        Ok(Expected { positions, cash: self.expect.cash, account_values })
    }
}

impl Reference<String> {
    /// Whether this is the state that the file shows.
    fn gives(&self, expect: &Expect) -> bool {
        let same = |left: f64, right: f64| (left - right).abs() <= TOLERANCE * left.abs().max(right.abs());
        same(self.cash, expect.cash)
            && self.positions.len() == expect.positions.len()
            && self.positions.iter().zip(&expect.positions).all(|((ours, left), (theirs, right))| {
                ours == theirs
                    && same(left.quantity, right.quantity)
                    && same(left.entry_price, right.entry_price)
                    && same(left.current_price, right.current_price)
            })
    }
}

impl Reference<Symbol> {
    fn expected(&self) -> Expected<'_> {
        Expected {
            positions: self.positions.iter().map(|(symbol, held)| (symbol.clone(), held)).collect(),
            cash: self.cash,
            account_values: vec![self.account_value()],
        }
    }
}

fn canonical(asset: &str) -> Result<Symbol, String> {
    Symbol::new(asset).map_err(|error| error.to_string())
}

/// A sequence under way.
struct Replay {
    portfolio: Followed,
    /// The origin's arithmetic.
    origin: Reference<String>,
    /// The same without what we refuse.
    ruled: Reference<Symbol>,
    rounding: Rounding,
    contradicts: Option<&'static str>,
}

impl Replay {
    fn new(initial_cash: f64) -> Result<Self, String> {
        Ok(Self {
            portfolio: Followed::new(decimal(initial_cash)?),
            origin: Reference::new(Refusal::Missing, initial_cash),
            ruled: Reference::new(Refusal::NotPositive, initial_cash),
            rounding: Rounding { money: initial_cash.abs(), ..Rounding::default() },
            contradicts: None,
        })
    }

    /// Books a step and compares: agreement, a deviation under a rule, or a fault.
    fn step(&mut self, step: &Step) -> Result<Option<&'static str>, Fault> {
        self.contradicts = self.contradicts.or(step.contradicts());
        self.book(step).map_err(Fault::Ends)?;
        let itself = self.portfolio.contradictions(self.rounding.money).map_err(Fault::Ends)?;
        if !itself.is_empty() {
            return Err(Fault::Differs(itself.join("; ")));
        }
        let checks = step.checks();
        match (self.compare(&checks.expected().map_err(Fault::Ends)?), self.contradicts) {
            (Ok(rule), _) => Ok(rule),
            (Err(differences), Some(rule)) if self.origin.gives(&checks.expect) => {
                self.compare(&self.ruled.expected()).map(|_| Some(rule)).map_err(|ruled| {
                    Fault::Differs(format!(
                        "{}; and by the rule \"{rule}\": {}",
                        differences.join("; "),
                        ruled.join("; ")
                    ))
                })
            }
            (Err(differences), _) => Err(Fault::Differs(differences.join("; "))),
        }
    }

    fn book(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Fill(fill) => {
                let symbol = canonical(&fill.asset)?;
                self.portfolio.fill(fill, &symbol)?;
                self.rounding.fill(&symbol, fill);
                let (sign, quantity, price) = (fill.side.sign(), fill.filled_quantity, fill.filled_price);
                self.origin.fill(fill.asset.clone(), sign, quantity, price);
                self.ruled.fill(symbol, sign, quantity, price);
            }
            Step::Mark(mark) => {
                for (asset, price) in &mark.prices {
                    let symbol = canonical(asset)?;
                    self.portfolio.mark(&symbol, *price)?;
                    self.origin.mark(asset, *price);
                    self.ruled.mark(&symbol, *price);
                }
            }
        }
        self.rounding.portfolio(&self.portfolio);
        Ok(())
    }

    /// Compares with what is expected: the rule under which it agrees, or every difference.
    fn compare(&self, expected: &Expected<'_>) -> Result<Option<&'static str>, Vec<String>> {
        let book = self.portfolio.book();
        let mut comparison = Comparison::default();
        let held = book.iter().map(|(symbol, _)| symbol);
        for symbol in held.chain(expected.positions.keys()).collect::<BTreeSet<_>>() {
            let (ours, theirs) = (book.get(symbol), expected.positions.get(symbol));
            let flat = |quantity: f64| quantity.abs() < FLAT;
            let (our_units, their_units) =
                (ours.map_or(0.0, |held| float(held.quantity)), theirs.map_or(0.0, |held| held.quantity));
            if flat(our_units) && flat(their_units) {
                comparison.our_dust |= ours.is_some() && theirs.is_none();
                comparison.their_dust |= ours.is_none() && theirs.is_some();
                continue;
            }
            let (Some(ours), Some(theirs)) = (ours, theirs) else {
                comparison
                    .differences
                    .push(format!("{symbol}: {our_units} units held, {their_units} expected"));
                continue;
            };
            let slack = self.rounding.units(symbol);
            let price_slack = slack / our_units.abs() * self.rounding.price(symbol);
            comparison.value(symbol, "quantity", ours.quantity, theirs.quantity, slack);
            comparison.value(symbol, "entry_price", ours.average_price, theirs.entry_price, price_slack);
            comparison.value(symbol, "current_price", ours.last_price, theirs.current_price, 0.0);
        }
        comparison.value(&"the account", "cash", self.portfolio.cash(), expected.cash, self.rounding.cash());
        let slack = self.rounding.account_value(book);
        for value in &expected.account_values {
            match self.portfolio.portfolio.account_value() {
                Ok(ours) => comparison.value(&"the account", "account_value", ours, *value, slack),
                Err(error) => comparison.differences.push(error.to_string()),
            }
        }
        comparison.result()
    }
}

#[derive(Default)]
struct Comparison {
    differences: Vec<String>,
    our_dust: bool,
    their_dust: bool,
    rounded: bool,
}

impl Comparison {
    /// Compares a value; `slack` is what the rounding of floats can explain.
    fn value(&mut self, of: &dyn std::fmt::Display, what: &str, ours: Decimal, theirs: f64, slack: f64) {
        let exact = float(ours);
        let difference = (exact - theirs).abs();
        if difference <= TOLERANCE * exact.abs().max(theirs.abs()) {
            return;
        }
        // Written so that NaN differs.
        if difference <= slack {
            self.rounded = true;
        } else {
            self.differences.push(format!("{of}: {what} is {ours}, {theirs} expected"));
        }
    }

    fn result(self) -> Result<Option<&'static str>, Vec<String>> {
        match self {
            Self { differences, .. } if !differences.is_empty() => Err(differences),
            Self { their_dust: true, .. } => Ok(Some(THEIR_DUST)),
            Self { our_dust: true, .. } => Ok(Some(OUR_DUST)),
            Self { rounded: true, .. } => Ok(Some(ROUNDED)),
            _ => Ok(None),
        }
    }
}

/// How far floats can have strayed from the exact values by rounding: half a unit in the last place of the largest
/// intermediate result, for every operation. Taken from our exact values, so that a wrong file cannot widen it.
#[derive(Debug, Default)]
struct Rounding {
    operations: f64,
    money: f64,
    units: BTreeMap<Symbol, f64>,
    prices: BTreeMap<Symbol, f64>,
}

impl Rounding {
    /// A fill is a product and three sums: cash, quantity, average.
    const OPERATIONS: f64 = 4.0;

    fn fill(&mut self, symbol: &Symbol, fill: &FillStep) {
        if let (Some(quantity), Some(price)) = (fill.filled_quantity, fill.filled_price) {
            self.operations += Self::OPERATIONS;
            self.money = self.money.max((quantity * price).abs());
            raise(&mut self.units, symbol, quantity.abs());
            raise(&mut self.prices, symbol, price.abs());
        }
    }

    fn portfolio(&mut self, portfolio: &Followed) {
        self.money = self.money.max(float(portfolio.cash()).abs());
        for (symbol, held) in portfolio.portfolio.positions() {
            self.money = self.money.max(float(held.market_value()).abs());
            raise(&mut self.units, symbol, float(held.quantity).abs());
        }
    }

    fn step(&self) -> f64 {
        self.operations * f64::EPSILON / 2.0
    }

    fn units(&self, symbol: &Symbol) -> f64 {
        self.units.get(symbol).copied().unwrap_or_default() * self.step()
    }

    fn price(&self, symbol: &Symbol) -> f64 {
        self.prices.get(symbol).copied().unwrap_or_default()
    }

    fn cash(&self) -> f64 {
        self.money * self.step()
    }

    /// Cash, and the holdings whose quantities have strayed, at their last prices.
    fn account_value(&self, book: &PositionBook) -> f64 {
        let holdings: f64 =
            book.iter().map(|(symbol, held)| self.units(symbol) * float(held.last_price).abs()).sum();
        self.cash() + holdings
    }
}

fn raise(largest: &mut BTreeMap<Symbol, f64>, symbol: &Symbol, value: f64) {
    match largest.get_mut(symbol) {
        Some(largest) => *largest = largest.max(value),
        None => {
            largest.insert(symbol.clone(), value);
        }
    }
}
