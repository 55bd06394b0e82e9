//! The universe panel: time by asset arrays for research and factors.

use crate::symbol::Symbol;
use crate::time::Timestamp;
use ndarray::Array2;

/// Prices and volumes of a universe, each array of shape (T, A): rows are bars in time order, columns follow
/// `symbols`. Missing values are NaN. Columns other than `close` may be absent.
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
        let (rows, columns) = close.dim();
        if rows != dates.len() || columns != symbols.len() {
            let (dates, symbols) = (dates.len(), symbols.len());
            return Err(PanelError::Shape { column: "close", rows, columns, dates, symbols });
        }
        for (row, pair) in dates.windows(2).enumerate() {
            if let [before, after] = pair
                && after <= before
            {
                return Err(PanelError::NotIncreasing { row: row + 1, time: *after });
            }
        }
        Ok(Self { dates, symbols, close, open: None, high: None, low: None, volume: None })
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

    /// (T, A).
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        self.close.dim()
    }
}
