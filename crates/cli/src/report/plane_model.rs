//! Charts whose horizontal axis is no time: curves over a number, and a matrix with the tree that orders it.

use super::model::ValueFormat;
use serde::Serialize;

/// Points of one curve.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Curve {
    /// Name in the legend.
    pub name: String,
    /// (x, y), in the order in which they are joined; points with a value that is not finite are left out.
    pub points: Vec<(f64, f64)>,
    /// Points are joined by a line; without it each stands alone.
    pub joined: bool,
}

/// Curves over a number: an efficient frontier, an information coefficient by horizon.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CurveChart {
    /// Heading.
    pub title: String,
    /// What the chart shows, in a sentence; empty = none.
    pub caption: String,
    /// What the horizontal axis measures.
    pub x_unit: String,
    /// What the vertical axis measures.
    pub unit: String,
    /// The curves.
    pub curves: Vec<Curve>,
    /// How horizontal values are written.
    pub x_format: ValueFormat,
    /// How vertical values are written.
    pub format: ValueFormat,
}

/// One joint of a tree over the rows of a [`MatrixChart`]: two branches at their places, joined at a height.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Joint {
    /// Place and height of the two branches; a row's place is its index, its height 0.
    pub branches: [(f64, f64); 2],
    /// Where they meet.
    pub height: f64,
}

/// A symmetric matrix of values from -1 to 1, coloured, with a tree above it where there is one.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct MatrixChart {
    /// Heading.
    pub title: String,
    /// What the chart shows, in a sentence; empty = none.
    pub caption: String,
    /// Names of rows and columns, in their order.
    pub labels: Vec<String>,
    /// Rows of values; those that are not finite stay blank.
    pub values: Vec<Vec<f64>>,
    /// The tree; empty = none.
    pub tree: Vec<Joint>,
}
