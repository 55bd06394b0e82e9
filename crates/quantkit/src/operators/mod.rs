//! Operators over panels of shape (T, A), row-major, NaN = missing.
//!
//! [`Rolling`] operators go down each column over a window of rows; [`CrossSection`] operators go along each row. Row t
//! uses rows 0..=t. A rolling operator runs on a whole panel ([`Rolling::over`]) or row by row ([`Rolling::stepper`]);
//! both are the same code and give the same bits. A window that lacks rows or contains NaN gives NaN, and none does
//! any more once the missing value has left it.

mod cross_section;
mod exponential;
mod extremes;
mod history;
mod moments;
mod neutral;
mod pairs;
pub(crate) mod panel;
mod sums;
pub(crate) mod wide;
mod window;

pub use cross_section::{CrossSection, Scratch};
pub use neutral::{neutralise_by_groups, neutralise_by_regressor};
pub use pairs::Line;

use mts_foundation::sizing::ComputeError;
use ndarray::{Array2, ArrayView2, ArrayViewMut2};

/// An operator that goes row by row.
pub trait Step: Send {
    /// Takes the next row of each input, each of the operator's columns, and writes its row of results.
    fn push(&mut self, inputs: &[&[f64]], out: &mut [f64]);
}

/// An operator over the last rows of each column; windows count rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rolling {
    /// The value of that many rows ago.
    Delay(usize),
    /// The value less that of that many rows ago.
    Delta(usize),
    /// Sum.
    Sum(usize),
    /// Mean.
    Mean(usize),
    /// Product.
    Product(usize),
    /// Mean with weights 1, 2, … window, the newest heaviest.
    DecayLinear(usize),
    /// Standard deviation; zero for a window that does not vary.
    Deviation {
        /// Rows.
        window: usize,
        /// Taken off the number of rows: 1 for a sample (pandas), 0 for a population (TA-Lib).
        ddof: usize,
    },
    /// Variance.
    Variance {
        /// Rows.
        window: usize,
        /// As for the deviation.
        ddof: usize,
    },
    /// Skewness; NaN for a window that does not vary.
    Skew {
        /// Rows.
        window: usize,
        /// Corrected for the size of the sample (pandas), or the plain moments.
        unbiased: bool,
    },
    /// Kurtosis above the normal's; NaN for a window that does not vary.
    Kurtosis {
        /// Rows.
        window: usize,
        /// Corrected for the size of the sample (pandas), or the plain moments.
        unbiased: bool,
    },
    /// Least value.
    Minimum(usize),
    /// Greatest value.
    Maximum(usize),
    /// Place of the least value, 1 = the oldest row, the first of equals.
    PlaceOfMinimum(usize),
    /// Place of the greatest value, 1 = the oldest row, the first of equals.
    PlaceOfMaximum(usize),
    /// Rank of the newest value in its window over the window's length, ties share their mean.
    TimeRank(usize),
    /// A quantile, by distance between the two values around it.
    Quantile {
        /// Rows.
        window: usize,
        /// 0 = least, 1 = greatest.
        quantile: f64,
    },
    /// The line on the row number within the window, 0 = the oldest.
    Trend {
        /// Rows.
        window: usize,
        /// Which figure.
        line: Line,
    },
    /// Correlation of two inputs, NaN where one does not vary.
    Correlation(usize),
    /// Covariance of two inputs.
    Covariance {
        /// Rows.
        window: usize,
        /// As for the deviation.
        ddof: usize,
    },
    /// The line of the first input on the second, NaN where the second does not vary.
    Regression {
        /// Rows.
        window: usize,
        /// Which figure.
        line: Line,
    },
    /// Exponentially weighted mean. Rows that are missing give NaN, and older weights fall over them all the same.
    ExponentialMean {
        /// Weight of the newest row, above 0 and at most 1.
        alpha: f64,
        /// Weights relative to the rows there are (pandas' default), or the recursion from the first value.
        adjust: bool,
    },
    /// Exponentially weighted standard deviation, unbiased as by pandas.
    ExponentialDeviation {
        /// As for the mean.
        alpha: f64,
        /// As for the mean.
        adjust: bool,
    },
}

impl Rolling {
    /// How many panels it takes.
    #[must_use]
    pub fn inputs(self) -> usize {
        match self {
            Self::Correlation(_) | Self::Covariance { .. } | Self::Regression { .. } => 2,
            _ => 1,
        }
    }

    /// Rows that its first result needs.
    #[must_use]
    pub fn warm_up(self) -> usize {
        match self {
            Self::Delay(rows) | Self::Delta(rows) => rows + 1,
            Self::ExponentialMean { .. } => 1,
            Self::ExponentialDeviation { .. } => 2,
            Self::Sum(window)
            | Self::Mean(window)
            | Self::Product(window)
            | Self::DecayLinear(window)
            | Self::Minimum(window)
            | Self::Maximum(window)
            | Self::PlaceOfMinimum(window)
            | Self::PlaceOfMaximum(window)
            | Self::TimeRank(window)
            | Self::Correlation(window)
            | Self::Deviation { window, .. }
            | Self::Variance { window, .. }
            | Self::Skew { window, .. }
            | Self::Kurtosis { window, .. }
            | Self::Quantile { window, .. }
            | Self::Trend { window, .. }
            | Self::Covariance { window, .. }
            | Self::Regression { window, .. } => window,
        }
    }

    /// The same, row by row, for that many columns.
    ///
    /// # Errors
    /// [`ComputeError`] for a window too short for what is asked, a quantile outside 0..=1 or a weight outside 0..=1.
    pub fn stepper(self, columns: usize) -> Result<Box<dyn Step>, ComputeError> {
        use window::Window;
        self.check()?;
        Ok(match self {
            Self::Delay(rows) => Box::new(history::Delay::new(rows, false, columns)),
            Self::Delta(rows) => Box::new(history::Delay::new(rows, true, columns)),
            Self::Sum(window) => Box::new(Window::new(sums::Sum { mean: false }, window, columns)),
            Self::Mean(window) => Box::new(Window::new(sums::Sum { mean: true }, window, columns)),
            Self::Product(window) => Box::new(Window::new(sums::Product, window, columns)),
            Self::DecayLinear(window) => Box::new(Window::new(sums::DecayLinear, window, columns)),
            Self::Deviation { window, ddof } => {
                Box::new(Window::new(moments::Spread { ddof: ddof as f64, root: true }, window, columns))
            }
            Self::Variance { window, ddof } => {
                Box::new(Window::new(moments::Spread { ddof: ddof as f64, root: false }, window, columns))
            }
            Self::Skew { window, unbiased } => {
                let kernel = moments::Higher { shape: moments::Shape::Skew, unbiased };
                Box::new(Window::new(kernel, window, columns))
            }
            Self::Kurtosis { window, unbiased } => {
                let kernel = moments::Higher { shape: moments::Shape::Kurtosis, unbiased };
                Box::new(Window::new(kernel, window, columns))
            }
            Self::Minimum(window) => {
                Box::new(Window::new(extremes::Extreme { greatest: false }, window, columns))
            }
            Self::Maximum(window) => {
                Box::new(Window::new(extremes::Extreme { greatest: true }, window, columns))
            }
            Self::PlaceOfMinimum(window) => {
                Box::new(Window::new(extremes::Place { greatest: false }, window, columns))
            }
            Self::PlaceOfMaximum(window) => {
                Box::new(Window::new(extremes::Place { greatest: true }, window, columns))
            }
            Self::TimeRank(window) => Box::new(history::TimeRank::new(window, columns)),
            Self::Quantile { window, quantile } => {
                Box::new(history::Quantile::new(window, quantile, columns))
            }
            Self::Trend { window, line } => Box::new(Window::new(pairs::Trend(line), window, columns)),
            Self::Correlation(window) => Box::new(Window::new(pairs::Pair::Correlation, window, columns)),
            Self::Covariance { window, ddof } => {
                Box::new(Window::new(pairs::Pair::Covariance { ddof: ddof as f64 }, window, columns))
            }
            Self::Regression { window, line } => {
                Box::new(Window::new(pairs::Pair::Line(line), window, columns))
            }
            Self::ExponentialMean { alpha, adjust } => {
                Box::new(exponential::Exponential::new(alpha, adjust, false, columns))
            }
            Self::ExponentialDeviation { alpha, adjust } => {
                Box::new(exponential::Exponential::new(alpha, adjust, true, columns))
            }
        })
    }

    fn check(self) -> Result<(), ComputeError> {
        let least = match self {
            Self::Delay(_) | Self::Delta(_) => 0,
            Self::Deviation { ddof, .. } | Self::Variance { ddof, .. } | Self::Covariance { ddof, .. } => {
                ddof + 1
            }
            Self::Skew { unbiased: true, .. } => 3,
            Self::Kurtosis { unbiased: true, .. } => 4,
            Self::Correlation(_) | Self::Trend { .. } | Self::Regression { .. } => 2,
            _ => 1,
        };
        let problem = match self {
            Self::Quantile { quantile, .. } if !(0.0..=1.0).contains(&quantile) => {
                Some(format!("quantile is {quantile}; it lies from 0 to 1"))
            }
            Self::ExponentialMean { alpha, .. } | Self::ExponentialDeviation { alpha, .. } => {
                (!(alpha > 0.0 && alpha <= 1.0))
                    .then(|| format!("alpha is {alpha}; it lies above 0 and is at most 1"))
            }
            _ if self.warm_up() < least => {
                Some(format!("the window is {} rows; it must be at least {least}", self.warm_up()))
            }
            _ => None,
        };
        problem.map_or(Ok(()), |problem| Err(ComputeError::new(format!("{self:?}"), problem)))
    }

    /// Of whole panels into a buffer of the same shape, on that many threads (by blocks of columns).
    ///
    /// # Errors
    /// As [`Rolling::stepper`]; also another number of inputs, or shapes that differ.
    pub fn over(
        self,
        inputs: &[ArrayView2<'_, f64>],
        out: ArrayViewMut2<'_, f64>,
        threads: usize,
    ) -> Result<(), ComputeError> {
        panel::by_columns(self, inputs, out, threads)
    }

    /// The same into a panel of its own, on one thread.
    ///
    /// # Errors
    /// As [`Rolling::over`].
    pub fn of(self, inputs: &[ArrayView2<'_, f64>]) -> Result<Array2<f64>, ComputeError> {
        let mut out = Array2::from_elem(inputs.first().map_or((0, 0), ArrayView2::dim), f64::NAN);
        self.over(inputs, out.view_mut(), 1)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
