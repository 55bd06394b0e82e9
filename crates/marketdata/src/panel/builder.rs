//! Bars in, a panel out.

use super::rows::Rows;
use mts_foundation::panel::PanelError;
use mts_foundation::{Bar, Decimal, Interval, Symbol, Timestamp, UniversePanel};
use ndarray::{Array2, Axis};
use std::collections::BTreeMap;

/// What a source's later word on a bar does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Revisions {
    /// It has to agree with the first one.
    #[default]
    Refuse,
    /// It takes the place of what was said before; of several the last one.
    LastWins,
}

/// How large a panel may become. A cell takes 48 bytes while it is built and 40 in the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most instruments.
    pub symbols: usize,
    /// Most bars that are held, and most rows times columns of the panel.
    pub cells: usize,
}

impl Default for Limits {
    /// 100,000 instruments, 50 million cells: about 4 GB at the peak.
    fn default() -> Self {
        Self { symbols: 100_000, cells: 50_000_000 }
    }
}

/// Why bars do not make a panel.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// A bar of another length.
    #[error("{symbol}: the bar that ends at {time} is one of {interval}, the panel's are of {expected}")]
    Interval {
        /// Which instrument.
        symbol: Symbol,
        /// End of the bar.
        time: Timestamp,
        /// Its length.
        interval: Interval,
        /// The panel's.
        expected: Interval,
    },
    /// A bar that does not hold its whole interval.
    #[error("{symbol}: the bar that ends at {time} holds a part of its interval only; leave it out")]
    Partial {
        /// Which instrument.
        symbol: Symbol,
        /// End of the bar.
        time: Timestamp,
    },
    /// A price that is none, or outside of the range of its own bar, or a volume below zero.
    #[error("{symbol}: {field} {value} of the bar that ends at {time} is not possible; check the source")]
    Impossible {
        /// Which instrument.
        symbol: Symbol,
        /// End of the bar.
        time: Timestamp,
        /// Which field.
        field: &'static str,
        /// What came.
        value: Decimal,
    },
    /// Two bars of one instrument end together and differ.
    #[error(
        "{symbol}: two bars end at {time} and differ in {field}, {first} and {second}; remove one, or mark it as a revision"
    )]
    Conflict {
        /// Which instrument.
        symbol: Symbol,
        /// End of the bars.
        time: Timestamp,
        /// The first field that differs.
        field: &'static str,
        /// What came first; NaN = a close-only bar, which does not say.
        first: f64,
        /// What came then.
        second: f64,
    },
    /// An instrument that is not in the universe that was named.
    #[error("{symbol} is not in the universe; add it, or leave its bars out")]
    Stranger {
        /// Which instrument.
        symbol: Symbol,
    },
    /// An instrument of the universe that is named twice.
    #[error("{symbol} stands twice in the universe; remove one")]
    Twice {
        /// Which instrument.
        symbol: Symbol,
    },
    /// More than the limits allow.
    #[error("{count} {what} are more than the limit of {most}; take fewer, or raise `Limits`")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many, at the least.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// No bar came.
    #[error("no bar came; give the panel at least one")]
    Empty,
    /// There is no instant at which every instrument has a bar.
    #[error(
        "there is no instant at which every instrument has a bar; take the union of rows, or fewer instruments"
    )]
    NothingInCommon,
    /// The arrays do not fit each other.
    #[error(transparent)]
    Panel(#[from] PanelError),
}

/// The fields of a bar as the panel holds them.
const FIELDS: [&str; 5] = ["open", "high", "low", "close", "volume"];

/// In the order of [`FIELDS`].
type Values = [f64; 5];

#[derive(Debug, Clone, Copy)]
struct Cell {
    time: Timestamp,
    values: Values,
}

#[derive(Debug)]
struct Column {
    symbol: Symbol,
    cells: Vec<Cell>,
    /// Instants increase so far.
    sorted: bool,
}

/// Collects bars of one length, of any source and in any order, and makes a panel of them. Bars that come in time order, or
/// instrument by instrument, cost no look-up.
#[derive(Debug)]
pub struct PanelBuilder {
    interval: Interval,
    rows: Rows,
    revisions: Revisions,
    limits: Limits,
    /// Instruments come from bars; else all are there from the start, and their order stays.
    open: bool,
    columns: Vec<Column>,
    places: BTreeMap<Symbol, usize>,
    revised: BTreeMap<(usize, Timestamp), Values>,
    last: usize,
    held: usize,
    whole: bool,
}

impl PanelBuilder {
    /// For bars of this length. Columns are in symbol order, rows the union of bar ends.
    #[must_use]
    pub fn new(interval: Interval) -> Self {
        Self {
            interval,
            rows: Rows::default(),
            revisions: Revisions::default(),
            limits: Limits::default(),
            open: true,
            columns: Vec::new(),
            places: BTreeMap::new(),
            revised: BTreeMap::new(),
            last: 0,
            held: 0,
            whole: false,
        }
    }

    /// Names the instruments and their order: an instrument without a bar has an empty column, bars of others are refused.
    /// To be called before the first bar.
    ///
    /// # Errors
    /// [`BuildError::Twice`], [`BuildError::TooMany`].
    pub fn universe(mut self, symbols: impl IntoIterator<Item = Symbol>) -> Result<Self, BuildError> {
        for symbol in symbols {
            if self.places.contains_key(&symbol) {
                return Err(BuildError::Twice { symbol });
            }
            self.add(symbol)?;
        }
        self.open = false;
        Ok(self)
    }

    /// Chooses the rows.
    #[must_use]
    pub fn rows(self, rows: Rows) -> Self {
        Self { rows, ..self }
    }

    /// Says what revisions do.
    #[must_use]
    pub fn revisions(self, revisions: Revisions) -> Self {
        Self { revisions, ..self }
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Length of the bars.
    #[must_use]
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// Takes a bar. Of a close-only bar only the close is taken: the panel says nothing where the source does not.
    ///
    /// # Errors
    /// [`BuildError`]; nothing has changed then. A conflict with an earlier bar may also show in [`Self::finish`].
    pub fn push(&mut self, bar: &Bar) -> Result<(), BuildError> {
        let values = self.values(bar)?;
        let place = self.place(&bar.symbol)?;
        let Some(column) = self.columns.get_mut(place) else { return Ok(()) };
        match column.cells.last() {
            Some(last) if last.time == bar.timestamp => {
                return agree(&column.symbol, bar.timestamp, &last.values, &values);
            }
            Some(last) if last.time > bar.timestamp => column.sorted = false,
            _ => {}
        }
        if self.held >= self.limits.cells {
            let (count, most) = (self.held.saturating_add(1), self.limits.cells);
            return Err(BuildError::TooMany { what: "bars", count, most });
        }
        column.cells.push(Cell { time: bar.timestamp, values });
        self.held += 1;
        self.whole |= !bar.close_only;
        Ok(())
    }

    /// Takes what a source says is a revision of a bar, before or after the bar itself.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn revise(&mut self, bar: &Bar) -> Result<(), BuildError> {
        if self.revisions == Revisions::Refuse {
            return self.push(bar);
        }
        let values = self.values(bar)?;
        let place = self.place(&bar.symbol)?;
        let key = (place, bar.timestamp);
        if !self.revised.contains_key(&key) {
            if self.held >= self.limits.cells {
                let (count, most) = (self.held.saturating_add(1), self.limits.cells);
                return Err(BuildError::TooMany { what: "bars", count, most });
            }
            self.held += 1;
        }
        self.revised.insert(key, values);
        self.whole |= !bar.close_only;
        Ok(())
    }

    /// The panel.
    ///
    /// # Errors
    /// [`BuildError`] for bars that contradict each other, for a panel beyond the limits or without rows.
    pub fn finish(mut self) -> Result<UniversePanel, BuildError> {
        if self.held == 0 {
            return Err(BuildError::Empty);
        }
        for column in &mut self.columns {
            column.settle()?;
        }
        for ((place, time), values) in std::mem::take(&mut self.revised) {
            if let Some(column) = self.columns.get_mut(place) {
                column.sorted = false;
                column.cells.push(Cell { time, values });
            }
        }
        self.columns.iter_mut().filter(|column| !column.sorted).for_each(Column::revise);
        if self.open {
            self.columns.sort_by(|left, right| left.symbol.cmp(&right.symbol));
        }
        let times = self.columns.iter().map(|column| column.cells.iter().map(|cell| cell.time));
        let rows = self.rows.of(times, self.limits.cells)?;
        if rows.is_empty() {
            return Err(BuildError::NothingInCommon);
        }
        self.arrays(rows)
    }

    fn arrays(self, rows: Vec<Timestamp>) -> Result<UniversePanel, BuildError> {
        let empty = || Array2::from_elem((rows.len(), self.columns.len()), f64::NAN);
        let mut close = empty();
        // Where all bars are closes alone the other columns would be NaN throughout.
        let mut others = self.whole.then(|| [empty(), empty(), empty(), empty()]);
        let mut symbols = Vec::with_capacity(self.columns.len());
        for (place, column) in self.columns.into_iter().enumerate() {
            let at = Axis(1);
            let Column { symbol, cells, .. } = column;
            if let Some([open, high, low, volume]) = &mut others {
                let lane = |array: &mut Array2<f64>, field: fn(&Values) -> f64| {
                    scatter(&rows, &cells, array.index_axis_mut(at, place).iter_mut(), field);
                };
                lane(open, |[open, ..]| *open);
                lane(high, |[_, high, ..]| *high);
                lane(low, |[_, _, low, ..]| *low);
                lane(volume, |[.., volume]| *volume);
            }
            scatter(&rows, &cells, close.index_axis_mut(at, place).iter_mut(), |[_, _, _, close, _]| *close);
            symbols.push(symbol);
        }
        let mut panel = UniversePanel::of_closes(rows, symbols, close)?;
        if let Some([open, high, low, volume]) = others {
            (panel.open, panel.high, panel.low) = (Some(open), Some(high), Some(low));
            panel.volume = Some(volume);
        }
        Ok(panel)
    }

    fn values(&self, bar: &Bar) -> Result<Values, BuildError> {
        let time = bar.timestamp;
        if bar.interval != self.interval {
            let (interval, expected) = (bar.interval, self.interval);
            return Err(BuildError::Interval { symbol: bar.symbol.clone(), time, interval, expected });
        }
        if bar.partial {
            return Err(BuildError::Partial { symbol: bar.symbol.clone(), time });
        }
        if let Some((field, value)) = fault_of(bar) {
            return Err(BuildError::Impossible { symbol: bar.symbol.clone(), time, field, value });
        }
        let close = nearest(bar.close);
        if bar.close_only {
            return Ok([f64::NAN, f64::NAN, f64::NAN, close, f64::NAN]);
        }
        Ok([nearest(bar.open), nearest(bar.high), nearest(bar.low), close, nearest(bar.volume)])
    }

    /// The column of an instrument. That of the bar before and the one after it are tried first: sources go by instrument or by
    /// time.
    fn place(&mut self, symbol: &Symbol) -> Result<usize, BuildError> {
        let is_at = |place: usize| self.columns.get(place).is_some_and(|column| column.symbol == *symbol);
        let next = if self.last + 1 < self.columns.len() { self.last + 1 } else { 0 };
        let found = if is_at(self.last) {
            Some(self.last)
        } else if is_at(next) {
            Some(next)
        } else {
            self.places.get(symbol).copied()
        };
        self.last = match found {
            Some(place) => place,
            None if self.open => self.add(symbol.clone())?,
            None => return Err(BuildError::Stranger { symbol: symbol.clone() }),
        };
        Ok(self.last)
    }

    fn add(&mut self, symbol: Symbol) -> Result<usize, BuildError> {
        let place = self.columns.len();
        if place >= self.limits.symbols {
            let (count, most) = (place.saturating_add(1), self.limits.symbols);
            return Err(BuildError::TooMany { what: "instruments", count, most });
        }
        self.places.insert(symbol.clone(), place);
        self.columns.push(Column { symbol, cells: Vec::new(), sorted: true });
        Ok(place)
    }
}

impl Column {
    /// Sorts what came out of order, and keeps one of bars that came twice.
    fn settle(&mut self) -> Result<(), BuildError> {
        if self.sorted {
            return Ok(());
        }
        // Stable: of two that differ the one that came first is named first.
        self.cells.sort_by_key(|cell| cell.time);
        for pair in self.cells.windows(2) {
            if let [first, second] = pair
                && first.time == second.time
            {
                agree(&self.symbol, first.time, &first.values, &second.values)?;
            }
        }
        self.cells.dedup_by_key(|cell| cell.time);
        self.sorted = true;
        Ok(())
    }

    /// Revisions stand behind the bars: sorts them in, and the later of two takes the place of the other.
    fn revise(&mut self) {
        self.cells.sort_by_key(|cell| cell.time);
        self.cells.dedup_by(|later, kept| {
            let same = later.time == kept.time;
            if same {
                *kept = *later;
            }
            same
        });
        self.sorted = true;
    }
}

/// Powers of ten that a float holds exactly.
const POWERS: [f64; 23] = [
    1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// The nearest float. Digits and a power that a float holds exactly make it with one division; all others go the way of
/// their text, which is rare.
fn nearest(value: Decimal) -> f64 {
    const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
    let places = usize::try_from(value.scale()).ok().and_then(|scale| POWERS.get(scale));
    match (i64::try_from(value.mantissa()), places) {
        (Ok(digits), Some(power)) if digits.unsigned_abs() <= EXACT => digits as f64 / power,
        _ => value.to_string().parse().unwrap_or_else(|_| value.as_f64()),
    }
}

/// Puts one field of a column's cells into the rows that have them.
fn scatter<'a>(
    rows: &[Timestamp],
    cells: &[Cell],
    lane: impl Iterator<Item = &'a mut f64>,
    field: fn(&Values) -> f64,
) {
    let mut cells = cells.iter().peekable();
    for (row, value) in rows.iter().zip(lane) {
        while cells.next_if(|cell| cell.time < *row).is_some() {}
        if let Some(cell) = cells.next_if(|cell| cell.time == *row) {
            *value = field(&cell.values);
        }
    }
}

/// The first field that cannot be.
fn fault_of(bar: &Bar) -> Option<(&'static str, Decimal)> {
    if bar.is_sane() {
        return None;
    }
    let range = bar.low..=bar.high;
    Some(match bar {
        bar if bar.low <= Decimal::ZERO => ("low", bar.low),
        bar if bar.high < bar.low => ("high", bar.high),
        bar if !range.contains(&bar.open) => ("open", bar.open),
        bar if !range.contains(&bar.close) => ("close", bar.close),
        bar => ("volume", bar.volume),
    })
}

/// Whether two bars say the same; bit by bit, so that NaN agrees with NaN.
fn agree(symbol: &Symbol, time: Timestamp, first: &Values, second: &Values) -> Result<(), BuildError> {
    for ((field, first), second) in FIELDS.into_iter().zip(first).zip(second) {
        if first.to_bits() != second.to_bits() {
            let (symbol, first, second) = (symbol.clone(), *first, *second);
            return Err(BuildError::Conflict { symbol, time, field, first, second });
        }
    }
    Ok(())
}
