//! Charts as inline SVG.
//!
//! Plotters lays out and draws; this module chooses axes, thins long series and hands colours over to the style sheet.
//! Plotters knows only fixed colours, so every role has a placeholder colour here, and the finished SVG refers to CSS
//! variables in their place: one drawing serves light, dark and paper. User text reaches the SVG only through
//! plotters, which escapes quotes, so that no replacement below can touch it.

use super::ReportError;
use super::axis::{Axis, is_daily, seconds};
use super::html::escaped;
use super::model::{BarChart, Scale, Series, TimeChart, ValueFormat};
use super::thin::{Run, drawable, thin};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::fmt::Display;

/// Colours for series; later ones repeat them.
pub(super) const PALETTE: usize = 8;
/// Bars that are drawn at most.
pub(super) const BARS: usize = 40;
/// Points of all lines of a chart together, and of one line.
const POINTS: (usize, usize) = (6_000, 2_000);
/// Series whose last values are written next to the lines.
const ANNOTATED: usize = 8;

/// Width of every drawing; one unit is about half a pixel on a screen.
pub(super) const WIDTH: u32 = 2_000;
/// Height of a time chart.
pub(super) const HEIGHT: u32 = 620;
/// Room for the labels under the plotting area.
pub(super) const BOTTOM: u32 = 58;
/// Height of a category, and the part of it that its bar takes.
const ROW: u32 = 46;
const BAR: f64 = 0.64;
/// Size of all text (the style sheet repeats it), and the room that a line of it needs.
const TEXT: f64 = 24.0;
const LINE_HEIGHT: i32 = 28;

/// Placeholders for the colours of the style sheet.
const INK: RGBColor = RGBColor(1, 0, 1);
pub(super) const MUTED: RGBColor = RGBColor(1, 0, 2);
const GRID: RGBColor = RGBColor(1, 0, 3);
pub(super) const AXIS: RGBColor = RGBColor(1, 0, 4);
pub(super) const LOSS: RGBColor = RGBColor(1, 0, 5);

pub(super) type Root<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

/// How the series of a time chart are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Line,
    Area,
    Stack,
}

/// A time chart as SVG; `None` when there is nothing to draw.
///
/// `description` is what a screen reader says of it.
pub(super) fn time_svg(
    kind: Kind,
    chart: &TimeChart,
    description: &str,
) -> Result<Option<String>, ReportError> {
    let log = kind == Kind::Line && chart.scale == Scale::Log;
    let xs: Vec<f64> = chart.times.iter().map(|time| seconds(*time)).collect();
    let layers: Vec<(usize, Vec<f64>)> = match kind {
        Kind::Stack => stacked(&chart.series),
        _ => chart.series.iter().enumerate().map(|(k, series)| (k, visible(&series.values, log))).collect(),
    };
    let budget = budget(chart.series.len());
    let drawn: Vec<(usize, Vec<Run>)> = layers.iter().map(|(k, ys)| (*k, thin(&xs, ys, budget))).collect();
    let values = drawn.iter().flat_map(|(_, runs)| runs.iter().flatten()).map(|(_, y)| *y);
    let (Some((lo, hi)), Some(first), Some(last)) = (extent(values), xs.first(), xs.last()) else {
        return Ok(None);
    };
    let y_axis = match kind {
        Kind::Line if log => Axis::log(lo, hi, chart.format),
        Kind::Line => Axis::linear(lo, hi, 5, chart.format),
        _ => Axis::linear(lo.min(0.0), hi.max(0.0), 5, chart.format),
    };
    let tags = match kind {
        Kind::Stack => Vec::new(),
        _ if layers.len() > ANNOTATED => Vec::new(),
        _ => last_values(&layers, chart.format),
    };
    let widest = tags.iter().map(|tag| room(&tag.text)).max().unwrap_or(0);
    let x_axis = Axis::time(*first, *last, is_daily(&chart.times));
    let half = x_axis.widest(room) / 2;
    let layout = Layout {
        height: HEIGHT,
        top: 24,
        right: widest.saturating_add(34).max(half),
        bottom: BOTTOM,
        left: y_axis.widest(room).saturating_add(28).max(half),
    };
    let filled_red = kind == Kind::Area && layers.len() == 1 && hi <= 0.0;
    let colour = |k: usize| if filled_red { LOSS } else { series_colour(k) };
    draw(&chart.title, description, &layout, |root| {
        let mut plane = layout.plane(root, (x_axis, y_axis), true)?;
        if kind == Kind::Line {
            baseline(&mut plane, lo, log)?;
        }
        for (k, runs) in &drawn {
            for run in runs {
                draw_run(&mut plane, kind, run, colour(*k))?;
            }
        }
        if kind != Kind::Line {
            baseline(&mut plane, lo, log)?;
        }
        draw_tags(root, &plane, *last, &tags, colour)
    })
    .map(Some)
}

/// Points that each of so many series may have; a longer one is thinned.
pub(super) fn budget(series: usize) -> usize {
    (POINTS.0 / series.max(1)).clamp(200, POINTS.1)
}

/// Bars as SVG; `None` when there is nothing to draw.
///
/// `description` is what a screen reader says of it.
pub(super) fn bars_svg(chart: &BarChart, description: &str) -> Result<Option<String>, ReportError> {
    let labels: Vec<String> = chart.categories.iter().take(BARS).map(|label| shortened(label)).collect();
    let rows = labels.len();
    let totals: Vec<(f64, f64)> = (0..rows).map(|row| ends(&chart.series, row)).collect();
    let any = chart.series.iter().flat_map(|series| series.values.iter().take(rows)).any(|v| drawable(*v));
    let (Some((lo, hi)), true) = (extent(totals.iter().flat_map(|ends| [ends.0, ends.1])), any) else {
        return Ok(None);
    };
    let hi = if hi > lo { hi } else { lo + 1.0 };
    // Figures of negative bars stand between the bar and the label.
    let lo = if lo < 0.0 { lo - (hi - lo) * 0.12 } else { lo };
    let texts: Vec<String> = totals.iter().enumerate().map(|(row, ends)| total(chart, row, *ends)).collect();
    let side = texts.iter().map(|text| room(text)).max().unwrap_or(0).saturating_add(28);
    let y_axis = Axis::categories(labels);
    let layout = Layout {
        height: u32::try_from(rows).unwrap_or(0).saturating_mul(ROW).saturating_add(BOTTOM + 18),
        top: 10,
        right: side,
        bottom: BOTTOM,
        left: y_axis.widest(room).saturating_add(28),
    };
    draw(&chart.title, description, &layout, |root| {
        let x_axis = Axis::linear(lo, hi, 6, chart.format);
        let mut plane = layout.plane(root, (x_axis, y_axis), false)?;
        for row in 0..rows {
            let middle = Axis::row(rows, row);
            let (mut below, mut above) = (0.0, 0.0);
            for (k, series) in chart.series.iter().enumerate() {
                let value = amount(series, row);
                let from = if value < 0.0 { &mut below } else { &mut above };
                let (left, right) = (*from, *from + value);
                *from = right;
                if value != 0.0 {
                    let corners = [(left, middle + BAR / 2.0), (right, middle - BAR / 2.0)];
                    let style = series_colour(k).filled();
                    plane.draw_series(std::iter::once(Rectangle::new(corners, style))).map_err(reason)?;
                }
            }
        }
        let zero = vec![(0.0, 0.0), (0.0, plane.y_range().end)];
        plane.draw_series(std::iter::once(PathElement::new(zero, AXIS.stroke_width(2)))).map_err(reason)?;
        for (row, (text, (low, high))) in texts.iter().zip(&totals).enumerate() {
            let negative = low + high < 0.0;
            let end = if negative { *low } else { *high };
            let (x, y) = plane.backend_coord(&(end, Axis::row(rows, row)));
            let (x, anchor) = if negative { (x - 10, HPos::Right) } else { (x + 10, HPos::Left) };
            write(root, text, (x, y), MUTED, anchor)?;
        }
        Ok(())
    })
    .map(Some)
}

/// Sums of the values below and above zero of one category.
fn ends(series: &[Series], row: usize) -> (f64, f64) {
    series.iter().map(|series| amount(series, row)).fold((0.0, 0.0), |(low, high), value| {
        if value < 0.0 { (low + value, high) } else { (low, high + value) }
    })
}

/// What is written at the end of a bar: the sum, unless the category has no value at all.
fn total(chart: &BarChart, row: usize, (low, high): (f64, f64)) -> String {
    let mut values = chart.series.iter().filter_map(|series| series.values.get(row));
    chart.format.text(if values.any(|value| drawable(*value)) { low + high } else { f64::NAN })
}

/// The value of a category, zero for a gap.
fn amount(series: &Series, row: usize) -> f64 {
    series.values.get(row).copied().filter(|value| drawable(*value)).unwrap_or(0.0)
}

/// Values that the scale can show, gaps in place of the others.
fn visible(values: &[f64], log: bool) -> Vec<f64> {
    values.iter().map(|value| if log && *value <= 0.0 { f64::NAN } else { *value }).collect()
}

/// Outlines of a stack with the index of the series, farthest from zero first: each is filled down to zero and covered
/// by the next.
fn stacked(series: &[Series]) -> Vec<(usize, Vec<f64>)> {
    let rows = series.iter().map(|one| one.values.len()).max().unwrap_or(0);
    let mut sums = vec![(f64::NAN, f64::NAN); rows];
    let mut outlines = Vec::with_capacity(series.len() * 2);
    for (k, one) in series.iter().enumerate() {
        let (mut uses_below, mut uses_above) = (false, false);
        for (sum, value) in sums.iter_mut().zip(&one.values).filter(|(_, value)| drawable(**value)) {
            let (below, above) = if sum.0.is_nan() { (0.0, 0.0) } else { *sum };
            *sum = (below + value.min(0.0), above + value.max(0.0));
            uses_below |= *value < 0.0;
            uses_above |= *value > 0.0;
        }
        if uses_below {
            outlines.push((k, sums.iter().map(|sum| sum.0).collect()));
        }
        if uses_above || !uses_below {
            outlines.push((k, sums.iter().map(|sum| sum.1).collect()));
        }
    }
    outlines.reverse();
    outlines
}

/// Smallest and largest value.
pub(super) fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |extent, value| match extent {
        None => Some((value, value)),
        Some((lo, hi)) => Some((f64::min(lo, value), f64::max(hi, value))),
    })
}

/// Width to keep free for a text, generous enough for wide system fonts.
pub(super) fn room(text: &str) -> u32 {
    let width = |letter: char| match letter {
        '.' | ',' | ':' | ' ' | 'i' | 'j' | 'l' => 9,
        'm' | 'w' | 'M' | 'W' | '%' => 24,
        'A'..='Z' | '_' => 17,
        _ if letter.is_ascii() => 15,
        _ => 24,
    };
    text.chars().take(60).map(width).sum()
}

/// A label cut to what fits beside a bar.
pub(super) fn shortened(label: &str) -> String {
    const MOST: usize = 40;
    if label.chars().count() <= MOST {
        return label.to_owned();
    }
    label.chars().take(MOST - 1).chain(std::iter::once('…')).collect()
}

/// Margins around the plotting area, in units of the drawing.
pub(super) struct Layout {
    pub(super) height: u32,
    pub(super) top: u32,
    pub(super) right: u32,
    pub(super) bottom: u32,
    pub(super) left: u32,
}

impl Layout {
    /// Axes, grid and tick labels. `levels` = with horizontal grid lines.
    pub(super) fn plane<'a, 'b>(
        &self,
        root: &Root<'b>,
        axes: (Axis, Axis),
        levels: bool,
    ) -> Result<Plane<'a, 'b>, String> {
        let mut builder = ChartBuilder::on(root);
        builder.margin_top(self.top).margin_right(self.right);
        builder.x_label_area_size(self.bottom).y_label_area_size(self.left);
        let mut plane = builder.build_cartesian_2d(axes.0, axes.1).map_err(reason)?;
        let mut mesh = plane.configure_mesh();
        mesh.axis_style(TRANSPARENT).bold_line_style(GRID.stroke_width(2)).light_line_style(TRANSPARENT);
        mesh.set_tick_mark_size(LabelAreaPosition::Left, 7);
        mesh.set_tick_mark_size(LabelAreaPosition::Bottom, 10).label_style(text_style(MUTED));
        if !levels {
            mesh.disable_y_mesh();
        }
        mesh.draw().map_err(reason)?;
        Ok(plane)
    }
}

/// One run of points, as a line, a filled line or a layer of a stack.
fn draw_run(plane: &mut Plane<'_, '_>, kind: Kind, run: &Run, colour: RGBColor) -> Result<(), String> {
    let points = run.iter().copied();
    if let [point] = run.as_slice() {
        return plane
            .draw_series(std::iter::once(Circle::new(*point, 4, colour.filled())))
            .map(drop)
            .map_err(reason);
    }
    match kind {
        Kind::Line => plane.draw_series(LineSeries::new(points, colour.stroke_width(3))).map(drop),
        Kind::Area => {
            let area = AreaSeries::new(points, 0.0, colour.mix(0.22));
            plane.draw_series(area.border_style(colour.stroke_width(3))).map(drop)
        }
        Kind::Stack => plane.draw_series(AreaSeries::new(points, 0.0, colour)).map(drop),
    }
    .map_err(reason)
}

/// The line at zero, or at the lower end when zero is not on the axis.
pub(super) fn baseline(plane: &mut Plane<'_, '_>, lo: f64, log: bool) -> Result<(), String> {
    let (across, bottom) = (plane.x_range(), plane.y_range().start);
    let y = if log || lo > 0.0 { bottom } else { 0.0 };
    let line = PathElement::new(vec![(across.start, y), (across.end, y)], AXIS.stroke_width(2));
    plane.draw_series(std::iter::once(line)).map(drop).map_err(reason)
}

/// A last value to be written beside its line.
struct Tag {
    series: usize,
    value: f64,
    text: String,
}

/// Tags for the series that have a value at the last time.
fn last_values(layers: &[(usize, Vec<f64>)], format: ValueFormat) -> Vec<Tag> {
    let last = layers.iter().filter_map(|(k, ys)| ys.last().map(|y| (*k, *y)));
    let last = last.filter(|(_, value)| drawable(*value));
    last.map(|(series, value)| Tag { series, value, text: format.text(value) }).collect()
}

/// Writes the tags to the right of the plotting area, moved apart where they would touch.
fn draw_tags(
    root: &Root<'_>,
    plane: &Plane<'_, '_>,
    x: f64,
    tags: &[Tag],
    colour: impl Fn(usize) -> RGBColor,
) -> Result<(), String> {
    let mut placed: Vec<(i32, i32, &Tag)> = tags
        .iter()
        .map(|tag| (plane.backend_coord(&(x, tag.value)), tag))
        .map(|((x, y), tag)| (y, x, tag))
        .collect();
    for (y, x, tag) in &placed {
        root.draw(&Circle::new((*x, *y), 6, colour(tag.series).filled())).map_err(reason)?;
    }
    placed.sort_by_key(|(y, _, tag)| (*y, tag.series));
    let mut above = i32::MIN / 2;
    for (y, _, _) in &mut placed {
        *y = (*y).max(above + LINE_HEIGHT);
        above = *y;
    }
    let mut below = i32::try_from(HEIGHT - BOTTOM).unwrap_or(0) + LINE_HEIGHT / 2;
    for (y, _, _) in placed.iter_mut().rev() {
        *y = (*y).min(below - LINE_HEIGHT / 2);
        below = *y - LINE_HEIGHT / 2;
    }
    for (y, x, tag) in &placed {
        let ink = if tags.len() > 1 { colour(tag.series) } else { INK };
        write(root, &tag.text, (x + 16, *y), ink, HPos::Left)?;
    }
    Ok(())
}

pub(super) fn text_style(colour: RGBColor) -> TextStyle<'static> {
    ("sans-serif", TEXT).into_font().color(&colour)
}

/// Text centred vertically on a point of the drawing.
fn write(root: &Root<'_>, text: &str, at: (i32, i32), colour: RGBColor, side: HPos) -> Result<(), String> {
    let style = text_style(colour).pos(Pos::new(side, VPos::Center));
    root.draw(&Text::new(text, at, style)).map_err(reason)
}

/// Placeholder for the colour of a series.
pub(super) fn series_colour(index: usize) -> RGBColor {
    RGBColor(2, 0, u8::try_from(index % (2 * PALETTE)).unwrap_or(0))
}

pub(super) fn reason(fault: impl Display) -> String {
    fault.to_string()
}

/// Draws into a string and makes it fit for a page: described for screen readers, coloured by the style sheet.
pub(super) fn draw(
    title: &str,
    description: &str,
    layout: &Layout,
    content: impl FnOnce(&Root<'_>) -> Result<(), String>,
) -> Result<String, ReportError> {
    let mut raw = String::new();
    let result = {
        let root = SVGBackend::with_string(&mut raw, (WIDTH, layout.height)).into_drawing_area();
        content(&root).and_then(|()| root.present().map_err(reason))
    };
    result.map_err(|reason| ReportError::Drawing { chart: title.to_owned(), reason })?;
    let body = raw.split_once('\n').map_or("", |(_, body)| body).trim_end().trim_end_matches("</svg>");
    let (title, description) = (escaped(title), escaped(description));
    Ok(format!(
        "<svg class=\"plot\" role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 {WIDTH} {}\">\n<title>{title}</title>\n\
         <desc>{description}</desc>\n{}</svg>\n",
        layout.height,
        styled(body)
    ))
}

/// Drops what the style sheet says anyway, and puts its variables in place of the placeholder colours.
fn styled(body: &str) -> String {
    let font = format!(" font-family=\"sans-serif\" font-size=\"{}\"", TEXT / 1.24);
    let mut svg = body.replace(&font, "").replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
    svg = svg.replace(" \"/>", "\"/>").replace("\">\n", "\">").replace("\n</text>", "</text>");
    let roles = [(INK, "ink"), (MUTED, "muted"), (GRID, "grid"), (AXIS, "axis"), (LOSS, "loss")];
    for (placeholder, name) in roles {
        svg = svg.replace(&hex(placeholder), &format!("\"var(--{name})\""));
    }
    for index in 0..2 * PALETTE {
        let (placeholder, colour) = (hex(series_colour(index)), index % PALETTE + 1);
        if index >= PALETTE {
            let dashed = format!("stroke=\"var(--c{colour})\" stroke-dasharray=\"14 8\"");
            svg = svg.replace(&format!("stroke={placeholder}"), &dashed);
        }
        svg = svg.replace(&placeholder, &format!("\"var(--c{colour})\""));
    }
    svg
}

fn hex(colour: RGBColor) -> String {
    format!("\"#{:02X}{:02X}{:02X}\"", colour.0, colour.1, colour.2)
}
