//! Reports as one HTML file that stands on its own.
//!
//! A caller builds a [`Report`] out of sections with figures, tables, charts and text, and [`render`] turns it into a
//! page: the style sheet and the charts (SVG) are part of it, nothing is loaded and no script runs, so that it opens
//! from a disk as well as from a server, in light, in dark and on paper. A content security policy in its head says the
//! same to the browser. The same report always gives the same bytes; time and run ids belong into its facts.
//!
//! Charts bound what they write: a line keeps the lowest and the highest value of each stretch that is about a pixel
//! wide, at most some 2,000 points, so that twenty years of days stay small and no extreme is lost. What a picture
//! leaves out - thinned points, missing values, values that a logarithmic axis cannot show, bars beyond the fortieth -
//! is said under it, with a table of the numbers.

mod axis;
mod charts;
mod html;
pub mod model;
mod picture;
mod plane;
mod plane_model;
#[cfg(test)]
mod tests;
mod thin;

pub(crate) use picture::picture;

pub use plane_model::{Curve, CurveChart, Joint, MatrixChart};

pub use model::{
    Align, BarChart, Block, Chart, Column, Figure, Report, Scale, Section, Series, Table, TimeChart, Tone,
    ValueFormat, count, midnights, money, number, percent,
};

/// Why a report could not be written. Empty data are no error: the page then says that there are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A series has more or fewer values than its chart has times or categories.
    #[error("chart `{chart}`: series `{series}` has {found} values instead of {expected}")]
    SeriesLength {
        /// Title of the chart.
        chart: String,
        /// Name of the series.
        series: String,
        /// Times or categories of the chart.
        expected: usize,
        /// Values of the series.
        found: usize,
    },
    /// A time is earlier than the one before it.
    #[error("chart `{chart}`: time {index} is earlier than the one before it")]
    TimeOrder {
        /// Title of the chart.
        chart: String,
        /// Index of the first time that is out of order, from zero.
        index: usize,
    },
    /// A row, or the total, of a table has more or fewer cells than there are columns.
    #[error("table `{table}`: row {row} has {found} cells instead of {expected}")]
    RowWidth {
        /// Title of the table.
        table: String,
        /// Index of the row, from zero; the total counts as one row after the last.
        row: usize,
        /// Columns of the table.
        expected: usize,
        /// Cells of the row.
        found: usize,
    },
    /// The drawing library refused a chart.
    #[error("chart `{chart}` could not be drawn: {reason}")]
    Drawing {
        /// Title of the chart.
        chart: String,
        /// What the library said.
        reason: String,
    },
}

/// The report as an HTML document.
///
/// # Errors
/// When the lengths within a chart or a table do not agree, when times run backwards, or when a chart cannot be drawn.
pub fn render(report: &Report) -> Result<String, ReportError> {
    for block in report.sections.iter().flat_map(|section| &section.blocks) {
        match block {
            Block::Table(table) => check_table(table)?,
            Block::Chart(Chart::Bars(chart)) => {
                check_lengths(&chart.title, &chart.series, chart.categories.len())?;
            }
            Block::Chart(Chart::Line(chart) | Chart::Area(chart) | Chart::StackedArea(chart)) => {
                check_lengths(&chart.title, &chart.series, chart.times.len())?;
                check_order(chart)?;
            }
            Block::Chart(Chart::Matrix(chart)) => check_matrix(chart)?,
            Block::Chart(Chart::Curves(_)) | Block::Figures(_) | Block::Text(_) | Block::Notice(..) => {}
        }
    }
    html::page(report)
}

fn check_matrix(chart: &MatrixChart) -> Result<(), ReportError> {
    let expected = chart.labels.len();
    let found =
        chart.values.iter().map(Vec::len).chain([chart.values.len()]).find(|found| *found != expected);
    found.map_or(Ok(()), |found| {
        let (chart, series) = (chart.title.clone(), "rows and columns".to_owned());
        Err(ReportError::SeriesLength { chart, series, expected, found })
    })
}

fn check_table(table: &Table) -> Result<(), ReportError> {
    let expected = table.columns.len();
    match table.rows.iter().chain(&table.total).enumerate().find(|(_, row)| row.len() != expected) {
        Some((row, cells)) => {
            Err(ReportError::RowWidth { table: table.title.clone(), row, expected, found: cells.len() })
        }
        None => Ok(()),
    }
}

fn check_lengths(chart: &str, series: &[Series], expected: usize) -> Result<(), ReportError> {
    match series.iter().find(|one| one.values.len() != expected) {
        Some(one) => Err(ReportError::SeriesLength {
            chart: chart.to_owned(),
            series: one.name.clone(),
            expected,
            found: one.values.len(),
        }),
        None => Ok(()),
    }
}

fn check_order(chart: &TimeChart) -> Result<(), ReportError> {
    match chart.times.iter().zip(chart.times.iter().skip(1)).position(|(before, after)| after < before) {
        Some(position) => Err(ReportError::TimeOrder { chart: chart.title.clone(), index: position + 1 }),
        None => Ok(()),
    }
}
