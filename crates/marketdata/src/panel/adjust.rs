//! What splits and dividends do to prices of before.

use chrono::NaiveDate;
use mts_foundation::calendar::CalendarError;
use mts_foundation::corporate_action::CorporateActionError;
use mts_foundation::{
    CorporateAction, CorporateActionKind, Currency, InstrumentTable, MarketCalendar, Symbol, Timestamp,
    UniversePanel,
};
use ndarray::{ArrayViewMut1, Axis};
use std::collections::BTreeMap;

/// Which actions change the prices of before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Adjustment {
    /// None: prices as they were paid.
    #[default]
    None,
    /// Splits.
    Split,
    /// Splits and cash dividends, as if those were invested again.
    TotalReturn,
}

/// Why prices cannot be adjusted.
#[derive(Debug, thiserror::Error)]
pub enum AdjustError {
    /// Closes were carried forward, maybe across a split.
    #[error("the panel holds closes that were carried forward; adjust first, then fill")]
    Filled,
    /// A ratio or an amount is not usable.
    #[error(transparent)]
    Action(#[from] CorporateActionError),
    /// One id stands for two actions.
    #[error("corporate action {action_id} of {symbol} stands twice and differs; remove one")]
    Differs {
        /// Which action.
        action_id: String,
        /// Of which instrument.
        symbol: Symbol,
    },
    /// Nothing is known of the instrument's calendar and currency.
    #[error("{symbol} is not in the instrument table; add a row for it there")]
    Unknown {
        /// Which instrument.
        symbol: Symbol,
    },
    /// There is no such calendar.
    #[error("{symbol}: {source}")]
    Calendar {
        /// Which instrument.
        symbol: Symbol,
        /// Why.
        source: CalendarError,
    },
    /// A dividend in another currency than the prices.
    #[error(
        "corporate action {action_id}: a dividend in {currency} while {symbol} is priced in {expected}; convert the amount"
    )]
    OtherCurrency {
        /// Which action.
        action_id: String,
        /// Of which instrument.
        symbol: Symbol,
        /// Of the amount.
        currency: Currency,
        /// Of the prices.
        expected: Currency,
    },
    /// A dividend that is worth no less than the instrument.
    #[error(
        "corporate action {action_id}: a dividend of {amount} on {symbol}, whose close before it is {close}; check the unit"
    )]
    TooLarge {
        /// Which action.
        action_id: String,
        /// Of which instrument.
        symbol: Symbol,
        /// Per unit.
        amount: f64,
        /// The last close before the ex-date.
        close: f64,
    },
}

/// Multiplies what was before a row.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// The first row that stays as it is.
    row: usize,
    price: f64,
    volume: f64,
}

/// The panel as of an instant: rows that end later are cut off, and of the actions only those count whose ex-date has come by
/// then. What is left depends on nothing that came later, however much is handed in.
///
/// Rows before a split of n for m have prices times m / n and volumes times n / m. Rows before a dividend of d have prices
/// times 1 − d / c, where c is the last close before the ex-date, in units of the ex-date. Actions of one ex-date act in the
/// order in which they stand, as in the books; one that stands twice acts once. Renamings and delistings change no price.
///
/// # Errors
/// [`AdjustError`].
pub fn adjust(
    panel: UniversePanel,
    actions: &[CorporateAction],
    how: Adjustment,
    as_of: Timestamp,
    instruments: &InstrumentTable,
) -> Result<UniversePanel, AdjustError> {
    let mut panel = panel.up_to(as_of);
    if how == Adjustment::None {
        return Ok(panel);
    }
    if panel.filled().is_some() {
        return Err(AdjustError::Filled);
    }
    let by_symbol = sorted(actions, how)?;
    // Ends of rows as dates, for each calendar once.
    let mut dates: BTreeMap<&str, Vec<NaiveDate>> = BTreeMap::new();
    let mut steps = Vec::with_capacity(by_symbol.len());
    for (column, symbol) in panel.symbols().iter().enumerate() {
        let Some(actions) = by_symbol.get(symbol) else { continue };
        let unknown = || AdjustError::Unknown { symbol: symbol.clone() };
        let instrument = instruments.get(symbol).ok_or_else(unknown)?;
        let calendar = MarketCalendar::builtin(&instrument.calendar)
            .map_err(|source| AdjustError::Calendar { symbol: symbol.clone(), source })?;
        let today = calendar.bar_date(as_of.to_datetime());
        let dates = dates.entry(&instrument.calendar).or_insert_with(|| {
            panel.dates().iter().map(|end| calendar.bar_date(end.to_datetime())).collect()
        });
        let closes = panel.close().column(column);
        let mut history = History { dates, closes: closes.iter(), rows: 0, last: None };
        let due = actions.iter().filter(|action| action.ex_date <= today);
        let of_column: Vec<Step> =
            due.map(|action| history.step(action, instrument.currency)).collect::<Result<_, _>>()?;
        steps.push((column, of_column));
    }
    for (column, steps) in steps {
        multiply(panel.close_mut().index_axis_mut(Axis(1), column), &steps, |step| step.price);
        for prices in [&mut panel.open, &mut panel.high, &mut panel.low].into_iter().flatten() {
            multiply(prices.index_axis_mut(Axis(1), column), &steps, |step| step.price);
        }
        if let Some(volumes) = &mut panel.volume {
            multiply(volumes.index_axis_mut(Axis(1), column), &steps, |step| step.volume);
        }
    }
    Ok(panel)
}

/// What counts, by instrument and ex-date, each action once.
fn sorted(
    actions: &[CorporateAction],
    how: Adjustment,
) -> Result<BTreeMap<&Symbol, Vec<&CorporateAction>>, AdjustError> {
    let mut known: BTreeMap<&str, &CorporateAction> = BTreeMap::new();
    let mut by_symbol: BTreeMap<&Symbol, Vec<&CorporateAction>> = BTreeMap::new();
    for action in actions {
        let counts = match action.kind {
            CorporateActionKind::Split { .. } => true,
            CorporateActionKind::CashDividend { .. } => how == Adjustment::TotalReturn,
            CorporateActionKind::SymbolChange { .. } | CorporateActionKind::Delisting { .. } => false,
        };
        if !counts {
            continue;
        }
        action.check()?;
        match known.insert(&action.action_id, action) {
            Some(other) if other != action => {
                let (action_id, symbol) = (action.action_id.to_string(), action.symbol.clone());
                return Err(AdjustError::Differs { action_id, symbol });
            }
            Some(_) => {}
            None => by_symbol.entry(&action.symbol).or_default().push(action),
        }
    }
    for actions in by_symbol.values_mut() {
        actions.sort_by_key(|action| action.ex_date);
    }
    Ok(by_symbol)
}

/// Walks over a column once, from one ex-date to the next.
struct History<'a, C> {
    dates: &'a [NaiveDate],
    closes: C,
    /// How many rows it has seen.
    rows: usize,
    /// The last close among them, in units of now.
    last: Option<f64>,
}

impl<'a, C: Iterator<Item = &'a f64>> History<'a, C> {
    fn step(&mut self, action: &CorporateAction, expected: Currency) -> Result<Step, AdjustError> {
        let row = self.dates.partition_point(|date| *date < action.ex_date);
        let passed = self.closes.by_ref().take(row.saturating_sub(self.rows));
        self.last = passed.copied().filter(|close| !close.is_nan()).last().or(self.last);
        self.rows = row;
        let unchanged = Step { row, price: 1.0, volume: 1.0 };
        match &action.kind {
            CorporateActionKind::Split { new_units, old_units } => {
                let (new, old) = (new_units.as_f64(), old_units.as_f64());
                self.last = self.last.map(|last| last * old / new);
                Ok(Step { row, price: old / new, volume: new / old })
            }
            CorporateActionKind::CashDividend { amount, currency } => {
                let symbol = || action.symbol.clone();
                let action_id = action.action_id.to_string();
                if *currency != expected {
                    let (symbol, currency) = (symbol(), *currency);
                    return Err(AdjustError::OtherCurrency { action_id, symbol, currency, expected });
                }
                // Without a close before it there is nothing to adjust.
                let Some(close) = self.last else { return Ok(unchanged) };
                let amount = amount.as_f64();
                if amount >= close {
                    return Err(AdjustError::TooLarge { action_id, symbol: symbol(), amount, close });
                }
                Ok(Step { price: 1.0 - amount / close, ..unchanged })
            }
            _ => Ok(unchanged),
        }
    }
}

/// Multiplies each value by all steps behind it; the rows of steps never decrease.
fn multiply(mut lane: ArrayViewMut1<'_, f64>, steps: &[Step], factor: fn(&Step) -> f64) {
    let mut steps = steps.iter().rev().peekable();
    let mut product = 1.0;
    for (row, value) in lane.iter_mut().enumerate().rev() {
        while let Some(step) = steps.next_if(|step| step.row > row) {
            product *= factor(step);
        }
        *value *= product;
    }
}
