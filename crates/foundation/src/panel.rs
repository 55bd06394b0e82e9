//! The universe panel: time by asset arrays for research and factors.

use crate::symbol::Symbol;
use crate::time::Timestamp;
use ndarray::{Array2, ArrayViewMut2, Axis, Slice, Zip};

/// Prices and volumes of a universe, each array of shape (T, A): rows are bars in time order, columns follow
/// `symbols`. Missing values are NaN. Columns other than `close` may be absent.
///
/// Two masks may stand beside them: which instruments were members at each row, and which closes were carried forward.
#[derive(Debug, Clone, PartialEq)]
pub struct UniversePanel {
    dates: Vec<Timestamp>,
    symbols: Vec<Symbol>,
    close: Array2<f64>,
    /// First prices, shape (T, A).
    pub open: Option<Array2<f64>>,
    /// Highest prices, shape (T, A).
    pub high: Option<Array2<f64>>,
    /// Lowest prices, shape (T, A).
    pub low: Option<Array2<f64>>,
    /// Volumes in units, shape (T, A).
    pub volume: Option<Array2<f64>>,
    members: Option<Array2<bool>>,
    filled: Option<Array2<bool>>,
}

/// Why arrays do not make a panel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PanelError {
    /// An array's shape does not fit the dates and symbols.
    #[error(
        "{column} has shape ({rows}, {columns}); {dates} dates and {symbols} symbols need ({dates}, {symbols})"
    )]
    Shape {
        /// Which array.
        column: &'static str,
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
        /// Number of dates.
        dates: usize,
        /// Number of symbols.
        symbols: usize,
    },
    /// Time does not increase.
    #[error("row {row}: {time} is not after the row before it; sort the rows and remove duplicates")]
    NotIncreasing {
        /// The row, from zero.
        row: usize,
        /// Its time.
        time: Timestamp,
    },
}

impl UniversePanel {
    /// A panel of closes.
    ///
    /// # Errors
    /// [`PanelError`] when the shape does not fit or time does not strictly increase.
    pub fn of_closes(
        dates: Vec<Timestamp>,
        symbols: Vec<Symbol>,
        close: Array2<f64>,
    ) -> Result<Self, PanelError> {
        check_shape("close", close.dim(), (dates.len(), symbols.len()))?;
        for (row, pair) in dates.windows(2).enumerate() {
            if let [before, after] = pair
                && after <= before
            {
                return Err(PanelError::NotIncreasing { row: row + 1, time: *after });
            }
        }
        let (open, high, low, volume, members, filled) = (None, None, None, None, None, None);
        Ok(Self { dates, symbols, close, open, high, low, volume, members, filled })
    }

    /// The panel with a mask of members, shape (T, A): true = in the universe at that row.
    ///
    /// # Errors
    /// [`PanelError::Shape`].
    pub fn with_members(mut self, members: Array2<bool>) -> Result<Self, PanelError> {
        check_shape("members", members.dim(), self.shape())?;
        self.members = Some(members);
        Ok(self)
    }

    /// The panel with a mask of what is no observation, shape (T, A): true = the close was carried forward.
    ///
    /// # Errors
    /// [`PanelError::Shape`].
    pub fn with_filled(mut self, filled: Array2<bool>) -> Result<Self, PanelError> {
        check_shape("filled", filled.dim(), self.shape())?;
        self.filled = Some(filled);
        Ok(self)
    }

    /// What was there by an instant: rows that end later are cut off.
    #[must_use]
    pub fn up_to(mut self, time: Timestamp) -> Self {
        let rows = self.dates.partition_point(|end| *end <= time);
        if rows < self.dates.len() {
            self.dates.truncate(rows);
            self.close = first_rows(&self.close, rows);
            for column in [&mut self.open, &mut self.high, &mut self.low, &mut self.volume] {
                *column = column.as_ref().map(|column| first_rows(column, rows));
            }
            for mask in [&mut self.members, &mut self.filled] {
                *mask = mask.as_ref().map(|mask| first_rows(mask, rows));
            }
        }
        self
    }

    /// Bar ends, length T, strictly increasing.
    #[must_use]
    pub fn dates(&self) -> &[Timestamp] {
        &self.dates
    }

    /// Canonical symbols, length A.
    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// Last prices, shape (T, A).
    #[must_use]
    pub fn close(&self) -> &Array2<f64> {
        &self.close
    }

    /// The same, to change values in place; the shape stays.
    pub fn close_mut(&mut self) -> ArrayViewMut2<'_, f64> {
        self.close.view_mut()
    }

    /// Where there is a close, shape (T, A): exactly where it is not NaN.
    #[must_use]
    pub fn valid(&self) -> Array2<bool> {
        self.close.mapv(|close| !close.is_nan())
    }

    /// Who was a member at each row, shape (T, A); `None` = everyone, always.
    #[must_use]
    pub fn members(&self) -> Option<&Array2<bool>> {
        self.members.as_ref()
    }

    /// Which closes were carried forward, shape (T, A); `None` = none.
    #[must_use]
    pub fn filled(&self) -> Option<&Array2<bool>> {
        self.filled.as_ref()
    }

    /// Takes away the scores of those who were no members at their row. A cross-section has to be standardised again after
    /// it; histories of members from before they joined stay in use.
    ///
    /// # Errors
    /// [`PanelError::Shape`].
    pub fn members_only(&self, scores: &mut Array2<f64>) -> Result<(), PanelError> {
        check_shape("scores", scores.dim(), self.shape())?;
        if let Some(members) = &self.members {
            Zip::from(scores).and(members).for_each(|score, member| {
                if !member {
                    *score = f64::NAN;
                }
            });
        }
        Ok(())
    }

    /// (T, A).
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        self.close.dim()
    }
}

fn check_shape(
    column: &'static str,
    (rows, columns): (usize, usize),
    (dates, symbols): (usize, usize),
) -> Result<(), PanelError> {
    if (rows, columns) == (dates, symbols) {
        return Ok(());
    }
    Err(PanelError::Shape { column, rows, columns, dates, symbols })
}

fn first_rows<T: Clone>(array: &Array2<T>, rows: usize) -> Array2<T> {
    array.slice_axis(Axis(0), Slice::from(..rows.min(array.nrows()))).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel() -> UniversePanel {
        let dates = (1..=3).map(Timestamp::from_millis).collect();
        let symbols = ["A", "B"].map(|name| Symbol::new(name).unwrap()).to_vec();
        let close = ndarray::array![[1.0, f64::NAN], [2.0, 5.0], [3.0, 6.0]];
        let mut panel = UniversePanel::of_closes(dates, symbols, close.clone()).unwrap();
        panel.volume = Some(close);
        panel
    }

    #[test]
    fn masks_have_the_shape_of_the_panel() {
        let error = panel().with_members(Array2::from_elem((3, 3), true)).unwrap_err().to_string();
        assert_eq!(error, "members has shape (3, 3); 3 dates and 2 symbols need (3, 2)");
        assert!(panel().with_filled(Array2::from_elem((2, 2), true)).is_err());
        assert!(panel().members_only(&mut Array2::zeros((3, 1))).is_err());
        assert_eq!(panel().valid(), ndarray::array![[true, false], [true, true], [true, true]]);
    }

    #[test]
    fn scores_of_others_than_members_are_taken_away() {
        let mut scores = Array2::zeros((3, 2));
        panel().members_only(&mut scores).unwrap();
        assert!(scores.iter().all(|score| !score.is_nan()), "without a mask all are members");
        let members = ndarray::array![[true, false], [false, true], [true, true]];
        panel().with_members(members.clone()).unwrap().members_only(&mut scores).unwrap();
        assert_eq!(scores.mapv(|score| !score.is_nan()), members);
    }

    #[test]
    fn what_ends_later_is_cut_off_everywhere() {
        let filled = Array2::from_elem((3, 2), false);
        let whole = panel().with_filled(filled.clone()).unwrap().with_members(filled).unwrap();
        let early = whole.clone().up_to(Timestamp::from_millis(2));
        assert_eq!((early.shape(), early.dates().len()), ((2, 2), 2));
        assert_eq!(early.volume.as_ref().unwrap().dim(), (2, 2));
        assert_eq!((early.members().unwrap().dim(), early.filled().unwrap().dim()), ((2, 2), (2, 2)));
        assert_eq!(whole.up_to(Timestamp::from_millis(3)).shape(), (3, 2));
        assert_eq!(panel().up_to(Timestamp::EPOCH).shape(), (0, 2));
    }
}
