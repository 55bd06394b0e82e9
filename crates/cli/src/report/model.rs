//! What a report holds, and how its numbers are written.
//!
//! The model knows nothing of HTML. A caller fills a [`Report`] with text that is already formatted (figures, table
//! cells) and with plain `f64` series for the charts; [`render`](super::render) does the rest. Formatting follows one
//! rule throughout: commas between thousands, a full stop before decimals, an ASCII minus, `n/a` for what is no
//! number.

use super::plane_model::{CurveChart, MatrixChart};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;

/// A whole document: a head, some headline figures, then sections in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Heading of the page and title of the browser tab.
    pub title: String,
    /// One line under the title; empty = none.
    pub subtitle: String,
    /// What identifies the run, as label and value: configuration, period, state hash.
    pub facts: Vec<(String, String)>,
    /// Headline figures, shown as cards before the first section.
    pub figures: Vec<Figure>,
    /// The body.
    pub sections: Vec<Section>,
    /// Closing line; empty = none.
    pub footer: String,
}

impl Report {
    /// An empty report with a title.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Adds one identifying fact to the head.
    #[must_use]
    pub fn fact(mut self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((label.into(), value.into()));
        self
    }

    /// Adds one headline figure.
    #[must_use]
    pub fn figure(mut self, figure: Figure) -> Self {
        self.figures.push(figure);
        self
    }

    /// Adds a section at the end.
    #[must_use]
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }
}

/// A titled part of a report.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Section {
    /// Heading.
    pub title: String,
    /// Contents, in order.
    pub blocks: Vec<Block>,
}

impl Section {
    /// A section without contents.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), blocks: Vec::new() }
    }

    /// Adds a block at the end.
    #[must_use]
    pub fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }
}

/// One thing inside a section.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Block {
    /// A grid of cards.
    Figures(Vec<Figure>),
    /// A table.
    Table(Table),
    /// A chart with its legend, caption and table of values.
    Chart(Chart),
    /// Plain text; a blank line starts a new paragraph.
    Text(String),
    /// A sentence set apart, for what a reader must not miss.
    Notice(Tone, String),
}

/// How a figure or notice is coloured. The text must make sense without the colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum Tone {
    /// No colour.
    #[default]
    Neutral,
    /// A good outcome.
    Good,
    /// Needs a look.
    Warn,
    /// A bad outcome.
    Bad,
}

/// A labelled number or word, already formatted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// What it is.
    pub label: String,
    /// Its value.
    pub value: String,
    /// A remark under the value; empty = none.
    pub note: String,
    /// Colour of the value.
    pub tone: Tone,
}

impl Figure {
    /// A neutral figure without a note.
    #[must_use]
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into(), ..Self::default() }
    }

    /// Sets the remark under the value.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Sets the colour of the value.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

/// Side on which the cells of a column line up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum Align {
    /// Words.
    #[default]
    Left,
    /// Numbers: equally wide digits, negative ones coloured.
    Right,
}

/// Head of a table column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// Side on which the cells line up.
    pub align: Align,
}

impl Column {
    /// A column of words.
    #[must_use]
    pub fn text(name: impl Into<String>) -> Self {
        Self { name: name.into(), align: Align::Left }
    }

    /// A column of numbers.
    #[must_use]
    pub fn number(name: impl Into<String>) -> Self {
        Self { name: name.into(), align: Align::Right }
    }
}

/// A table of formatted cells. Every row, and the total, has one cell per column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Heading; empty = none.
    pub title: String,
    /// Columns, left to right.
    pub columns: Vec<Column>,
    /// Rows, top to bottom. All of them are written: cut long lists before, and say so in the caption.
    pub rows: Vec<Vec<String>>,
    /// A last row set apart from the others.
    pub total: Option<Vec<String>>,
    /// What the table shows; empty = none.
    pub caption: String,
}

/// How the numbers of a chart are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ValueFormat {
    /// As they are, with this many decimals.
    Number(usize),
    /// Fractions as percentages, with this many decimals: 0.05 reads `5%`.
    Percent(usize),
}

impl Default for ValueFormat {
    fn default() -> Self {
        Self::Number(2)
    }
}

impl ValueFormat {
    /// The value as text; `n/a` when it is no finite number.
    #[must_use]
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Number(digits) => number(value, digits),
            Self::Percent(digits) => percent(value, digits),
        }
    }
}

/// Spacing of a value axis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum Scale {
    /// Equal differences take equal space.
    #[default]
    Linear,
    /// Equal ratios take equal space. Values of zero or less cannot be drawn: they become gaps, and the report says
    /// how many.
    Log,
}

/// A named list of values.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// One value per time or category; NaN and infinities are gaps (`null` in JSON).
    pub values: Vec<f64>,
}

/// A picture of numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Chart {
    /// One line per series.
    Line(TimeChart),
    /// The space between each series and zero is filled, red for a single series that is never above zero: a
    /// drawdown. Always linear.
    Area(TimeChart),
    /// Series on top of each other, those below zero downwards from it; a gap counts as nothing unless every series
    /// has one. Always linear.
    StackedArea(TimeChart),
    /// Horizontal bars by category.
    Bars(BarChart),
    /// Curves over a number.
    Curves(CurveChart),
    /// A coloured matrix, with the tree that orders it.
    Matrix(MatrixChart),
}

/// Series over time. Each series has as many values as there are times.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TimeChart {
    /// Heading.
    pub title: String,
    /// What the chart shows, in a sentence; empty = none.
    pub caption: String,
    /// What the value axis measures, with its unit; empty = none.
    pub unit: String,
    /// Instants in one time zone, never decreasing; see [`midnights`] for daily data.
    pub times: Vec<NaiveDateTime>,
    /// The series; from the ninth on, lines are dashed.
    pub series: Vec<Series>,
    /// Spacing of the value axis of a line chart.
    pub scale: Scale,
    /// How values are written.
    pub format: ValueFormat,
}

impl TimeChart {
    /// A linear chart without series.
    #[must_use]
    pub fn new(title: impl Into<String>, times: Vec<NaiveDateTime>) -> Self {
        Self { title: title.into(), times, ..Self::default() }
    }

    /// Adds a series.
    #[must_use]
    pub fn series(mut self, name: impl Into<String>, values: Vec<f64>) -> Self {
        self.series.push(Series { name: name.into(), values });
        self
    }
}

/// Values by category, and optionally by a second key. Each series has as many values as there are categories.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BarChart {
    /// Heading.
    pub title: String,
    /// What the chart shows, in a sentence; empty = none.
    pub caption: String,
    /// What the bars measure, with its unit; empty = none.
    pub unit: String,
    /// Labels of the bars, top to bottom. The first forty are drawn; the table under the chart lists all.
    pub categories: Vec<String>,
    /// One series for plain bars, several for bars stacked by a second key. A gap counts as nothing.
    pub series: Vec<Series>,
    /// How values are written.
    pub format: ValueFormat,
}

impl BarChart {
    /// A chart of counts without series.
    #[must_use]
    pub fn new(title: impl Into<String>, categories: Vec<String>) -> Self {
        Self { title: title.into(), categories, format: ValueFormat::Number(0), ..Self::default() }
    }

    /// Adds a series.
    #[must_use]
    pub fn series(mut self, name: impl Into<String>, values: Vec<f64>) -> Self {
        self.series.push(Series { name: name.into(), values });
        self
    }
}

/// The start of each day, for charts of daily data.
#[must_use]
pub fn midnights(dates: &[NaiveDate]) -> Vec<NaiveDateTime> {
    dates.iter().map(|date| date.and_time(NaiveTime::MIN)).collect()
}

/// An amount with two decimals, rounded half away from zero: `1,234,567.80`. The currency goes into the label.
#[must_use]
pub fn money(amount: Decimal) -> String {
    let rounded = amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    group(&format!("{rounded:.2}"))
}

/// A fraction as a percentage: `percent(0.1234, 1)` is `12.3%`. At most twelve decimals; `n/a` when not finite.
#[must_use]
pub fn percent(fraction: f64, digits: usize) -> String {
    let scaled = fraction * 100.0;
    if scaled.is_finite() { format!("{}%", number(scaled, digits)) } else { NOT_A_NUMBER.to_owned() }
}

/// A count with thousands separators: `6,000`.
#[must_use]
pub fn count(value: u64) -> String {
    group(&value.to_string())
}

/// A number with thousands separators; from 1e15 on in scientific notation. At most twelve decimals; `n/a` when not
/// finite.
#[must_use]
pub fn number(value: f64, digits: usize) -> String {
    let digits = digits.min(12);
    if !value.is_finite() {
        NOT_A_NUMBER.to_owned()
    } else if value.abs() >= 1e15 {
        format!("{value:.2e}")
    } else {
        group(&format!("{value:.digits$}"))
    }
}

const NOT_A_NUMBER: &str = "n/a";

/// Puts commas into the whole part of a plain decimal text, and drops the sign of a zero.
fn group(text: &str) -> String {
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (body.contains(|c: char| matches!(c, '1'..='9')), body),
        None => (false, text),
    };
    let (whole, fraction) = body.split_once('.').map_or((body, None), |(whole, rest)| (whole, Some(rest)));
    let length = whole.len();
    let mut out = String::with_capacity(text.len() + length / 3);
    if negative {
        out.push('-');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && length.saturating_sub(index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}
