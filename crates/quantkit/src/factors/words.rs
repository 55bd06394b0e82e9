//! Short words for the expressions of this folder, which read like the formulas they were taken from.

use super::expression::{Column, Expression};
use crate::operators::{CrossSection, Line, Rolling};

pub(super) type E = Expression;

pub(super) fn open() -> E {
    E::Column(Column::Open)
}
pub(super) fn high() -> E {
    E::Column(Column::High)
}
pub(super) fn low() -> E {
    E::Column(Column::Low)
}
pub(super) fn close() -> E {
    E::Column(Column::Close)
}
pub(super) fn volume() -> E {
    E::Column(Column::Volume)
}
pub(super) fn delay(x: E, rows: usize) -> E {
    x.rolling(Rolling::Delay(rows))
}
pub(super) fn delta(x: E, rows: usize) -> E {
    x.rolling(Rolling::Delta(rows))
}
/// Simple returns.
pub(super) fn returns() -> E {
    close() / delay(close(), 1) - 1.0
}
/// Logarithmic returns.
pub(super) fn log_returns() -> E {
    (close() / delay(close(), 1)).ln()
}
/// What was traded, in money.
pub(super) fn turnover() -> E {
    close() * volume()
}
pub(super) fn sum(x: E, window: usize) -> E {
    x.rolling(Rolling::Sum(window))
}
pub(super) fn mean(x: E, window: usize) -> E {
    x.rolling(Rolling::Mean(window))
}
/// Deviation of a sample (ddof 1).
pub(super) fn std(x: E, window: usize) -> E {
    x.rolling(Rolling::Deviation { window, ddof: 1 })
}
/// Deviation of a population (ddof 0).
pub(super) fn population_std(x: E, window: usize) -> E {
    x.rolling(Rolling::Deviation { window, ddof: 0 })
}
pub(super) fn variance(x: E, window: usize) -> E {
    x.rolling(Rolling::Variance { window, ddof: 1 })
}
pub(super) fn minimum(x: E, window: usize) -> E {
    x.rolling(Rolling::Minimum(window))
}
pub(super) fn maximum(x: E, window: usize) -> E {
    x.rolling(Rolling::Maximum(window))
}
pub(super) fn correlation(x: E, y: E, window: usize) -> E {
    x.rolling_with(Rolling::Correlation(window), y)
}
pub(super) fn covariance(x: E, y: E, window: usize) -> E {
    x.rolling_with(Rolling::Covariance { window, ddof: 1 }, y)
}
pub(super) fn trend(x: E, window: usize, line: Line) -> E {
    x.rolling(Rolling::Trend { window, line })
}
pub(super) fn rank(x: E) -> E {
    x.across(CrossSection::Rank)
}
/// The mean of all assets, in the place of each.
pub(super) fn market(x: E) -> E {
    x.across(CrossSection::Mean)
}
