//! Charts as one SVG file that stands alone.

use super::ReportError;
use super::charts::{HEIGHT, Kind, WIDTH, time_svg};
use super::html::{STYLE, escaped};
use super::model::Chart;

/// Room for the title above a chart.
const TITLE: u32 = 70;

/// Time charts below each other. Other charts are left out: they have no meaning without their tables.
pub(crate) fn picture(charts: &[Chart]) -> Result<String, ReportError> {
    let (mut body, mut top) = (String::new(), 0_u32);
    for chart in charts {
        let (kind, chart) = match chart {
            Chart::Line(chart) => (Kind::Line, chart),
            Chart::Area(chart) => (Kind::Area, chart),
            Chart::StackedArea(chart) => (Kind::Stack, chart),
            Chart::Bars(_) | Chart::Curves(_) | Chart::Matrix(_) => continue,
        };
        super::check_lengths(&chart.title, &chart.series, chart.times.len())?;
        super::check_order(chart)?;
        let Some(svg) = time_svg(kind, chart, &chart.caption)? else { continue };
        let inner = svg.split_once('\n').map_or("", |(_, inner)| inner);
        let inner = inner.trim_end().trim_end_matches("</svg>");
        let names: Vec<&str> = chart.series.iter().map(|series| series.name.as_str()).collect();
        let title = escaped(&format!("{}: {}", chart.title, names.join(", ")));
        body.push_str(&format!(
            "<g class=\"plot\" transform=\"translate(0,{top})\">\n<text x=\"28\" y=\"44\" font-size=\"32\">{title}</text>\n\
             <g transform=\"translate(0,{TITLE})\">\n{inner}</g>\n</g>\n"
        ));
        top = top.saturating_add(TITLE).saturating_add(HEIGHT);
    }
    let style = STYLE.replace("]]>", "");
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\">\n<style><![CDATA[{style}]]></style>\n\
         {body}</svg>\n"
    ))
}
