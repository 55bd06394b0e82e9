//! The page around the charts: head, cards, tables and captions. All text goes through [`escaped`].

use super::ReportError;
use super::axis::is_daily;
use super::charts::{BARS, Kind, PALETTE, bars_svg, budget, time_svg};
use super::model::{
    Align, BarChart, Block, Chart, Column, Figure, Report, Scale, Section, Series, Table, TimeChart, Tone,
    ValueFormat, count,
};
use super::plane::{MATRIX, curve_svg, matrix_svg};
use super::plane_model::{CurveChart, MatrixChart};
use super::thin::drawable;
use chrono::NaiveDateTime;

/// The style sheet, written into the page.
pub(super) const STYLE: &str = include_str!("style.css");
/// What a browser may do with the page: show it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
/// Rows from which a table scrolls on a screen.
const LONG: usize = 16;
/// Sections from which the page has a table of contents.
const MANY: usize = 3;

/// Text with everything replaced that HTML or SVG could take for markup.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// The document.
pub(super) fn page(report: &Report) -> Result<String, ReportError> {
    let mut page = Page { out: String::with_capacity(64 * 1_024) };
    page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
    page.raw(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n"));
    page.element("title", "", &report.title);
    page.raw(&format!("<style>\n{STYLE}</style>\n</head>\n<body>\n"));
    page.head(report);
    page.raw("<main>\n");
    page.figures(&report.figures, "figures summary");
    page.contents(&report.sections);
    for (index, section) in report.sections.iter().enumerate() {
        page.section(section, index)?;
    }
    page.raw("</main>\n");
    if !report.footer.is_empty() {
        page.element("footer", "", &report.footer);
    }
    page.raw("</body>\n</html>\n");
    Ok(page.out)
}

/// A page under construction.
struct Page {
    out: String,
}

impl Page {
    /// Appends markup as it is.
    fn raw(&mut self, markup: &str) {
        self.out.push_str(markup);
    }

    /// An element around text.
    fn element(&mut self, tag: &str, class: &str, text: &str) {
        let text = escaped(text);
        self.raw(&if class.is_empty() {
            format!("<{tag}>{text}</{tag}>\n")
        } else {
            format!("<{tag} class=\"{class}\">{text}</{tag}>\n")
        });
    }

    /// An element around text, or nothing when there is no text.
    fn optional(&mut self, tag: &str, class: &str, text: &str) {
        if !text.is_empty() {
            self.element(tag, class, text);
        }
    }

    fn head(&mut self, report: &Report) {
        self.raw("<header>\n");
        self.element("h1", "", &report.title);
        self.optional("p", "subtitle", &report.subtitle);
        if !report.facts.is_empty() {
            self.raw("<dl class=\"facts\">\n");
            for (label, value) in &report.facts {
                self.raw(&format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(label), escaped(value)));
            }
            self.raw("</dl>\n");
        }
        self.raw("</header>\n");
    }

    fn contents(&mut self, sections: &[Section]) {
        if sections.len() < MANY {
            return;
        }
        self.raw("<nav aria-label=\"Sections\">\n");
        for (index, section) in sections.iter().enumerate() {
            self.raw(&format!("<a href=\"#s{}\">{}</a>\n", index + 1, escaped(&section.title)));
        }
        self.raw("</nav>\n");
    }

    fn section(&mut self, section: &Section, index: usize) -> Result<(), ReportError> {
        self.raw(&format!("<section id=\"s{}\">\n", index + 1));
        self.element("h2", "", &section.title);
        for block in &section.blocks {
            match block {
                Block::Figures(figures) => self.figures(figures, "figures"),
                Block::Table(table) => self.table(table),
                Block::Chart(Chart::Line(chart)) => self.time_chart(Kind::Line, chart)?,
                Block::Chart(Chart::Area(chart)) => self.time_chart(Kind::Area, chart)?,
                Block::Chart(Chart::StackedArea(chart)) => self.time_chart(Kind::Stack, chart)?,
                Block::Chart(Chart::Bars(chart)) => self.bars(chart)?,
                Block::Chart(Chart::Curves(chart)) => self.curves(chart)?,
                Block::Chart(Chart::Matrix(chart)) => self.matrix(chart)?,
                Block::Text(text) => self.text(text),
                Block::Notice(tone, text) => {
                    self.element("p", &format!("notice {}", tone_class(*tone)), text);
                }
            }
        }
        self.raw("</section>\n");
        Ok(())
    }

    fn text(&mut self, text: &str) {
        for paragraph in text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
            self.element("p", "text", paragraph);
        }
    }

    fn figures(&mut self, figures: &[Figure], class: &str) {
        if figures.is_empty() {
            return;
        }
        self.raw(&format!("<dl class=\"{class} k{}\">\n", columns_for(figures.len())));
        for figure in figures {
            let (label, value, tone) =
                (escaped(&figure.label), escaped(&figure.value), tone_class(figure.tone));
            let small = if figure.value.chars().count() > 14 { " small" } else { "" };
            self.raw(&format!("<div><dt>{label}</dt><dd class=\"{tone}{small}\">{value}</dd>"));
            if !figure.note.is_empty() {
                self.raw(&format!("<dd class=\"note\">{}</dd>", escaped(&figure.note)));
            }
            self.raw("</div>\n");
        }
        self.raw("</dl>\n");
    }

    fn table(&mut self, table: &Table) {
        self.raw("<div class=\"block\">\n");
        self.optional("h3", "", &table.title);
        if table.rows.is_empty() {
            self.element("p", "empty", "No rows.");
        } else {
            self.grid(table);
        }
        self.optional("p", "caption", &table.caption);
        self.raw("</div>\n");
    }

    /// The table proper; a long one scrolls within its box, which the keyboard can reach.
    fn grid(&mut self, table: &Table) {
        let name = if table.title.is_empty() { "Table" } else { table.title.as_str() };
        if table.rows.len() >= LONG {
            let label = escaped(name);
            self.raw(&format!(
                "<div class=\"scroll long\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">"
            ));
        } else {
            self.raw("<div class=\"scroll\">");
        }
        self.raw("<table>\n<thead><tr>");
        for column in &table.columns {
            let class = if column.align == Align::Right { " class=\"n\"" } else { "" };
            self.raw(&format!("<th scope=\"col\"{class}>{}</th>", escaped(&column.name)));
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in &table.rows {
            self.row(&table.columns, row);
        }
        self.raw("</tbody>\n");
        if let Some(total) = &table.total {
            self.raw("<tfoot>\n");
            self.row(&table.columns, total);
            self.raw("</tfoot>\n");
        }
        self.raw("</table></div>\n");
    }

    fn row(&mut self, columns: &[Column], cells: &[String]) {
        self.raw("<tr>");
        for (index, (column, cell)) in columns.iter().zip(cells).enumerate() {
            let text = escaped(cell);
            self.raw(&match (column.align, index) {
                (Align::Left, 0) => format!("<th scope=\"row\">{text}</th>"),
                (Align::Left, _) => format!("<td>{text}</td>"),
                (Align::Right, _) if is_negative(cell) => format!("<td class=\"n neg\">{text}</td>"),
                (Align::Right, _) => format!("<td class=\"n\">{text}</td>"),
            });
        }
        self.raw("</tr>\n");
    }

    fn time_chart(&mut self, kind: Kind, chart: &TimeChart) -> Result<(), ReportError> {
        let log = kind == Kind::Line && chart.scale == Scale::Log;
        let unit = match (chart.unit.as_str(), log) {
            ("", true) => "log scale".to_owned(),
            (unit, true) => format!("{unit}, log scale"),
            (unit, false) => unit.to_owned(),
        };
        let summary = time_summary(chart, log);
        let svg = time_svg(kind, chart, &joined(&chart.caption, &summary))?;
        let ends: Vec<f64> =
            chart.series.iter().map(|s| s.values.last().copied().unwrap_or(f64::NAN)).collect();
        self.chart_head(&chart.title, &unit);
        if svg.is_some() && chart.series.len() > 1 {
            let ends: Vec<String> = ends.iter().map(|value| chart.format.text(*value)).collect();
            self.legend(&chart.series, &ends, kind != Kind::Line);
        }
        self.drawing(svg);
        self.optional("figcaption", "", &chart.caption);
        self.details(&summary, &time_table(chart));
        self.raw("</figure>\n");
        Ok(())
    }

    fn bars(&mut self, chart: &BarChart) -> Result<(), ReportError> {
        let summary = bars_summary(chart);
        let svg = bars_svg(chart, &joined(&chart.caption, &summary))?;
        self.chart_head(&chart.title, &chart.unit);
        if svg.is_some() && chart.series.len() > 1 {
            let sums: Vec<String> =
                chart.series.iter().map(|series| chart.format.text(sum(series))).collect();
            self.legend(&chart.series, &sums, true);
        }
        self.drawing(svg);
        self.optional("figcaption", "", &chart.caption);
        self.details(&summary, &bars_table(chart));
        self.raw("</figure>\n");
        Ok(())
    }

    fn curves(&mut self, chart: &CurveChart) -> Result<(), ReportError> {
        let points: usize = chart.curves.iter().map(|curve| curve.points.len()).sum();
        let summary = format!("{} points of {} curves", size(points), size(chart.curves.len()));
        let svg = curve_svg(chart, &joined(&chart.caption, &summary))?;
        self.chart_head(&chart.title, &format!("{} by {}", chart.unit, chart.x_unit));
        if svg.is_some() && chart.curves.len() > 1 {
            let names: Vec<Series> = chart
                .curves
                .iter()
                .map(|curve| Series { name: curve.name.clone(), values: Vec::new() })
                .collect();
            let counts: Vec<String> = chart.curves.iter().map(|_| String::new()).collect();
            self.legend(&names, &counts, true);
        }
        self.drawing(svg);
        self.optional("figcaption", "", &chart.caption);
        let rows = chart.curves.iter().flat_map(|curve| {
            let row = |(x, y): &(f64, f64)| {
                vec![curve.name.clone(), chart.x_format.text(*x), chart.format.text(*y)]
            };
            curve.points.iter().map(row)
        });
        let table = Table {
            columns: vec![
                Column::text("curve"),
                Column::number(chart.x_unit.as_str()),
                Column::number(chart.unit.as_str()),
            ],
            rows: rows.collect(),
            ..Table::default()
        };
        self.details(&summary, &table);
        self.raw("</figure>\n");
        Ok(())
    }

    fn matrix(&mut self, chart: &MatrixChart) -> Result<(), ReportError> {
        let rows = chart.labels.len();
        let summary = if rows > MATRIX {
            format!("the first {MATRIX} of {} rows and columns", size(rows))
        } else {
            format!("{} rows and columns", size(rows))
        };
        let svg = matrix_svg(chart, &joined(&chart.caption, &summary))?;
        self.chart_head(&chart.title, "-1 to 1");
        self.drawing(svg);
        self.optional("figcaption", "", &chart.caption);
        let columns = [Column::text("")].into_iter();
        let columns =
            columns.chain(chart.labels.iter().take(MATRIX).map(|label| Column::number(label.as_str())));
        let cells = chart.labels.iter().zip(&chart.values).take(MATRIX).map(|(label, values)| {
            let numbers = values.iter().take(MATRIX).map(|value| ValueFormat::Number(2).text(*value));
            [label.clone()].into_iter().chain(numbers).collect()
        });
        self.details(
            &summary,
            &Table { columns: columns.collect(), rows: cells.collect(), ..Table::default() },
        );
        self.raw("</figure>\n");
        Ok(())
    }

    fn chart_head(&mut self, title: &str, unit: &str) {
        self.raw("<figure class=\"block\">\n<div class=\"head\">");
        self.element("h3", "", title);
        self.optional("span", "unit", unit);
        self.raw("</div>\n");
    }

    /// Names with their colours; `fills` = for areas and bars.
    fn legend(&mut self, series: &[Series], values: &[String], fills: bool) {
        self.raw(if fills { "<ul class=\"legend fills\">\n" } else { "<ul class=\"legend\">\n" });
        for (index, (one, value)) in series.iter().zip(values).enumerate() {
            let colour = index % PALETTE + 1;
            let dashed = if !fills && index / PALETTE % 2 == 1 { " dashed" } else { "" };
            let (name, value) = (escaped(&one.name), escaped(value));
            self.raw(&format!("<li><i class=\"c{colour}{dashed}\"></i>{name} <b>{value}</b></li>\n"));
        }
        self.raw("</ul>\n");
    }

    fn drawing(&mut self, svg: Option<String>) {
        match svg {
            Some(svg) => self.raw(&format!("<div class=\"scroll\">\n{svg}</div>\n")),
            None => self.element("p", "empty", "Nothing to draw: there are no values."),
        }
    }

    /// What was drawn, which opens to the numbers.
    fn details(&mut self, summary: &str, table: &Table) {
        if table.rows.is_empty() {
            return;
        }
        self.raw(&format!("<details><summary>{}</summary>\n", escaped(summary)));
        self.grid(table);
        self.raw("</details>\n");
    }
}

/// Whether a number is below zero, as it is written.
fn is_negative(cell: &str) -> bool {
    cell.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '$'))
}

/// Cards per row, so that the last row is as full as can be.
fn columns_for(cards: usize) -> usize {
    [5, 4, 3].into_iter().min_by_key(|columns| cards.next_multiple_of(*columns) - cards).unwrap_or(4)
}

fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Neutral => "neutral",
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
    }
}

fn joined(first: &str, second: &str) -> String {
    format!("{first} {second}").trim().to_owned()
}

/// A length as text.
fn size(length: usize) -> String {
    count(u64::try_from(length).unwrap_or(u64::MAX))
}

fn sum(series: &Series) -> f64 {
    series.values.iter().filter(|value| drawable(**value)).sum()
}

/// Dates, with the time of day only where some instant has one.
fn written(times: &[NaiveDateTime], time: NaiveDateTime) -> String {
    time.format(if is_daily(times) { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M" }).to_string()
}

/// What the picture of a time chart stands for, and what it leaves out.
fn time_summary(chart: &TimeChart, log: bool) -> String {
    let (Some(first), Some(last)) = (chart.times.first(), chart.times.last()) else { return String::new() };
    let (first, last) = (written(&chart.times, *first), written(&chart.times, *last));
    let thinned = chart.times.len() > budget(chart.series.len());
    let thinned = if thinned { ", thinned to the lows and highs of each stretch" } else { "" };
    let mut text = match chart.times.len() {
        1 => format!("1 point at {first}."),
        points => format!("{} points from {first} to {last}{thinned}.", size(points)),
    };
    let all = || chart.series.iter().flat_map(|series| &series.values);
    let missing = all().filter(|value| !drawable(**value)).count();
    if missing > 0 {
        text.push_str(&format!(" Missing: {}.", size(missing)));
    }
    let hidden = if log { all().filter(|value| drawable(**value) && **value <= 0.0).count() } else { 0 };
    if hidden > 0 {
        text.push_str(&format!(" Zero or less, not on a log scale: {}.", size(hidden)));
    }
    text
}

/// Ends and extremes of each series, with their dates.
fn time_table(chart: &TimeChart) -> Table {
    let columns = [Column::text("Series")].into_iter();
    let columns =
        columns.chain(["First", "Last", "Low", "Low on", "High", "High on", "Missing"].map(Column::number));
    let row = |series: &Series| -> Vec<String> {
        let points = || chart.times.iter().zip(&series.values).filter(|(_, value)| drawable(**value));
        let number =
            |point: Option<(&NaiveDateTime, &f64)>| chart.format.text(point.map_or(f64::NAN, |p| *p.1));
        let date = |point: Option<(&NaiveDateTime, &f64)>| {
            point.map_or_else(|| "n/a".to_owned(), |p| written(&chart.times, *p.0))
        };
        let low = points().reduce(|low, point| if point.1 < low.1 { point } else { low });
        let high = points().reduce(|high, point| if point.1 > high.1 { point } else { high });
        let missing = series.values.len().saturating_sub(points().count());
        let (first, last) = (number(points().next()), number(points().next_back()));
        vec![
            series.name.clone(),
            first,
            last,
            number(low),
            date(low),
            number(high),
            date(high),
            size(missing),
        ]
    };
    let rows = if chart.times.is_empty() { Vec::new() } else { chart.series.iter().map(row).collect() };
    Table { title: chart.title.clone(), columns: columns.collect(), rows, ..Table::default() }
}

fn bars_summary(chart: &BarChart) -> String {
    let total: f64 = chart.series.iter().map(sum).sum();
    let noun = if chart.categories.len() == 1 { "category" } else { "categories" };
    let mut text = format!("{} {noun}, {} in all.", size(chart.categories.len()), chart.format.text(total));
    if chart.categories.len() > BARS {
        text.push_str(&format!(" Drawn: the first {}.", size(BARS)));
    }
    text
}

/// All categories with their values, and totals where there are several series.
fn bars_table(chart: &BarChart) -> Table {
    let several = chart.series.len() > 1;
    let columns = [Column::text("Category")].into_iter();
    let columns = columns.chain(chart.series.iter().map(|series| Column::number(series.name.as_str())));
    let columns = columns.chain(several.then(|| Column::number("Total")));
    let row = |(index, category): (usize, &String)| -> Vec<String> {
        let values = chart.series.iter().map(|series| series.values.get(index).copied().unwrap_or(f64::NAN));
        let total: f64 = values.clone().filter(|value| drawable(*value)).sum();
        let numbers = values.chain(several.then_some(total)).map(|value| chart.format.text(value));
        std::iter::once(category.clone()).chain(numbers).collect()
    };
    let rows = chart.categories.iter().enumerate().map(row).collect();
    Table { title: chart.title.clone(), columns: columns.collect(), rows, ..Table::default() }
}
