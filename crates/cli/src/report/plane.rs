//! Curves over a number and coloured matrices as inline SVG.

use super::ReportError;
use super::axis::Axis;
use super::charts::{
    AXIS, BOTTOM, HEIGHT, LOSS, Layout, Root, WIDTH, baseline, draw, extent, reason, room, series_colour,
    shortened, text_style,
};
use super::plane_model::{CurveChart, Joint, MatrixChart};
use super::thin::drawable;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Rows of a matrix that are drawn at most.
pub(super) const MATRIX: usize = 150;
/// Room for the tree above a matrix.
const TREE: i32 = 240;

/// Curves as SVG; `None` when there is nothing to draw.
pub(super) fn curve_svg(chart: &CurveChart, description: &str) -> Result<Option<String>, ReportError> {
    let seen = |(x, y): &(f64, f64)| drawable(*x) && drawable(*y);
    let points = || chart.curves.iter().flat_map(|curve| curve.points.iter().copied()).filter(seen);
    let (Some(across), Some((lo, hi))) = (extent(points().map(|(x, _)| x)), extent(points().map(|(_, y)| y)))
    else {
        return Ok(None);
    };
    let y_axis = Axis::linear(lo, hi, 5, chart.format);
    let x_axis = Axis::linear(across.0, across.1, 8, chart.x_format);
    let half = x_axis.widest(room) / 2;
    let layout = Layout {
        height: HEIGHT,
        top: 24,
        right: half.max(34),
        bottom: BOTTOM,
        left: y_axis.widest(room).saturating_add(28).max(half),
    };
    draw(&chart.title, description, &layout, |root| {
        let mut plane = layout.plane(root, (x_axis, y_axis), true)?;
        baseline(&mut plane, lo, false)?;
        for (k, curve) in chart.curves.iter().enumerate() {
            let points: Vec<(f64, f64)> = curve.points.iter().copied().filter(seen).collect();
            if curve.joined {
                let line = LineSeries::new(points.iter().copied(), series_colour(k).stroke_width(3));
                plane.draw_series(line).map_err(reason)?;
            }
            let size = if curve.joined { 4 } else { 7 };
            let dots = points.iter().map(|point| Circle::new(*point, size, series_colour(k).filled()));
            plane.draw_series(dots).map_err(reason)?;
        }
        Ok(())
    })
    .map(Some)
}

/// A matrix as SVG; `None` when there is nothing to draw.
pub(super) fn matrix_svg(chart: &MatrixChart, description: &str) -> Result<Option<String>, ReportError> {
    let rows = chart.labels.len().min(MATRIX);
    let any = chart.values.iter().take(rows).flatten().any(|value| drawable(*value));
    let (Ok(count), true) = (i32::try_from(rows), any) else { return Ok(None) };
    let labels: Vec<String> = chart.labels.iter().take(rows).map(|label| shortened(label)).collect();
    let left = labels.iter().map(|label| room(label)).max().unwrap_or(0).saturating_add(28);
    let left = i32::try_from(left).unwrap_or(0);
    let width = i32::try_from(WIDTH).unwrap_or(0);
    let side = ((width - left - 20) / count.max(1)).clamp(1, 46);
    // The tree of a part of the rows would lead nowhere.
    let top = if chart.tree.is_empty() || rows < chart.labels.len() { 10 } else { TREE };
    let height = u32::try_from(top + side * count + 20).unwrap_or(HEIGHT);
    let layout = Layout { height, top: 0, right: 0, bottom: 0, left: 0 };
    draw(&chart.title, description, &layout, |root| {
        if top == TREE {
            draw_tree(root, &chart.tree, left, side)?;
        }
        for ((values, label), y) in
            chart.values.iter().zip(&labels).zip((0..count).map(|row| top + row * side))
        {
            if side >= 18 {
                let style = text_style(super::charts::MUTED).pos(Pos::new(HPos::Right, VPos::Center));
                root.draw(&Text::new(label.clone(), (left - 12, y + side / 2), style)).map_err(reason)?;
            }
            for (value, x) in values.iter().zip((0..count).map(|column| left + column * side)) {
                if !drawable(*value) {
                    continue;
                }
                let colour = if *value < 0.0 { LOSS } else { series_colour(0) };
                let corners = [(x, y), (x + side - i32::from(side > 3), y + side - i32::from(side > 3))];
                let style = colour.mix(value.abs().clamp(0.02, 1.0)).filled();
                root.draw(&Rectangle::new(corners, style)).map_err(reason)?;
            }
        }
        Ok(())
    })
    .map(Some)
}

/// The tree above a matrix, its root at the top.
fn draw_tree(root: &Root<'_>, tree: &[Joint], left: i32, side: i32) -> Result<(), String> {
    let highest =
        tree.iter().map(|joint| joint.height).filter(|height| drawable(*height)).fold(0.0, f64::max);
    let room = f64::from(TREE - 40);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of a float saturates, and the drawing is small"
    )]
    let at = |(place, height): (f64, f64)| {
        let x = f64::from(left) + (place + 0.5) * f64::from(side);
        let part = if highest > 0.0 { height / highest } else { 0.0 };
        (x.round() as i32, (f64::from(TREE) - 10.0 - part * room).round() as i32)
    };
    for joint in tree {
        let [first, second] = joint.branches;
        let corners = vec![at(first), at((first.0, joint.height)), at((second.0, joint.height)), at(second)];
        root.draw(&PathElement::new(corners, AXIS.stroke_width(2))).map_err(reason)?;
    }
    Ok(())
}
