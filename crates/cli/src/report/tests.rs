#![allow(clippy::unwrap_used)]

use super::*;
use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;
use std::str::FromStr;

/// Consecutive days from 2001 on.
fn days(length: usize) -> Vec<chrono::NaiveDateTime> {
    let start = NaiveDate::from_ymd_opt(2001, 1, 1).unwrap();
    let dates: Vec<NaiveDate> = (0..length).map(|i| start + Days::new(u64::try_from(i).unwrap())).collect();
    midnights(&dates)
}

/// A wave with noise on it, the same on every run.
fn wave(length: usize, seed: u32) -> Vec<f64> {
    let mut state = seed;
    let noise = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(*state >> 8) / f64::from(1_u32 << 24)
    };
    (0..length).map(|i| 2.0 + (i as f64 / 90.0).sin() + noise(&mut state)).collect()
}

fn one(chart: Chart) -> Report {
    Report::new("One chart").section(Section::new("Only").with(Block::Chart(chart)))
}

fn bars(categories: &[&str], series: &[(&str, &[f64])]) -> BarChart {
    let chart = BarChart::new("Bars", categories.iter().map(|name| (*name).to_owned()).collect());
    series.iter().fold(chart, |chart, (name, values)| chart.series(*name, values.to_vec()))
}

/// A report with every kind of block, each text hostile.
fn full(length: usize, text: &str) -> Report {
    let chart = |seed: u32| {
        let mut chart = TimeChart::new(text, days(length)).series(text, wave(length, seed));
        chart = chart.series("second", wave(length, seed + 1)).series("third", wave(length, seed + 2));
        TimeChart { caption: text.to_owned(), unit: text.to_owned(), ..chart }
    };
    let bars = bars(&[text, "b"], &[(text, &[1.0, 2.0]), ("other", &[-3.0, 4.0])]);
    let table = Table {
        title: text.to_owned(),
        columns: vec![Column::text(text), Column::number("n")],
        rows: vec![vec![text.to_owned(), "-1.00".to_owned()]; 20],
        total: Some(vec![text.to_owned(), "1.00".to_owned()]),
        caption: text.to_owned(),
    };
    let section = Section::new(text)
        .with(Block::Text(text.to_owned()))
        .with(Block::Notice(Tone::Warn, text.to_owned()))
        .with(Block::Figures(vec![Figure::new(text, text).note(text).tone(Tone::Bad)]))
        .with(Block::Table(table))
        .with(Block::Chart(Chart::Line(TimeChart { scale: Scale::Log, ..chart(1) })))
        .with(Block::Chart(Chart::Area(chart(5))))
        .with(Block::Chart(Chart::StackedArea(chart(9))))
        .with(Block::Chart(Chart::Bars(bars)));
    let report = Report::new(text).fact(text, text).figure(Figure::new(text, text));
    let report = report.section(section.clone()).section(section.clone()).section(section);
    Report { subtitle: text.to_owned(), footer: text.to_owned(), ..report }
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(render(&full(3_000, "x")).unwrap(), render(&full(3_000, "x")).unwrap());
}

#[test]
fn text_is_never_markup() {
    let page = render(&full(50, "</title></style><script>alert('1')</script><img src=\"x\">&")).unwrap();
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("alert('"));
    assert!(page.contains("&lt;script&gt;"));
    assert_eq!(page.matches("</style>").count(), 1);
    let colours = render(&full(50, "\"#010001\" opacity=\"1\"")).unwrap();
    assert!(colours.contains("&quot;#010001&quot; opacity=&quot;1&quot;"));
}

#[test]
fn nothing_is_loaded() {
    let page = render(&full(500, "x")).unwrap();
    for load in ["http:", "https:", "//", "<link", "<script", "@import", "url(", " src="] {
        assert!(!page.contains(load), "{load}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn colours_all_come_from_the_style_sheet() {
    let page = render(&full(500, "x")).unwrap();
    let (_, body) = page.split_once("</style>").unwrap();
    assert!(!body.contains("\"#0"), "a placeholder is left");
    for piece in body.split("var(--").skip(1) {
        let (name, _) = piece.split_once(')').unwrap();
        assert!(page.contains(&format!("--{name}: ")), "{name} has no colour");
    }
}

#[test]
fn charts_are_described() {
    let mut chart = TimeChart::new("Equity", days(10)).series("nav", wave(10, 1));
    chart.caption = "Net asset value.".to_owned();
    let page = render(&one(Chart::Line(chart))).unwrap();
    assert!(page.contains("role=\"img\" aria-label=\"Equity\"") && page.contains("<title>Equity</title>"));
    assert!(page.contains("<desc>Net asset value. 10 points from 2001-01-01 to 2001-01-10.</desc>"));
}

#[test]
fn no_data_gives_a_note() {
    let empty = [
        Chart::Line(TimeChart::new("a", Vec::new())),
        Chart::Area(TimeChart::new("a", Vec::new()).series("s", Vec::new())),
        Chart::StackedArea(TimeChart::new("a", days(3)).series("s", vec![f64::NAN; 3])),
        Chart::Line(TimeChart {
            scale: Scale::Log,
            ..TimeChart::new("a", days(2)).series("s", vec![0.0, -1.0])
        }),
        Chart::Bars(bars(&[], &[])),
        Chart::Bars(bars(&[], &[("s", &[])])),
        Chart::Bars(bars(&["a"], &[("s", &[f64::NAN])])),
    ];
    for chart in empty {
        let page = render(&one(chart.clone())).unwrap();
        assert!(page.contains("Nothing to draw") && !page.contains("<svg"), "{chart:?}");
    }
    let table = Block::Table(Table { columns: vec![Column::text("a")], ..Table::default() });
    assert!(render(&Report::new("t").section(Section::new("s").with(table))).unwrap().contains("No rows."));
}

#[test]
fn gaps_split_lines_and_are_counted() {
    let mut values = wave(100, 3);
    values[40] = f64::NAN;
    values[70] = f64::INFINITY;
    values[72] = f64::NEG_INFINITY;
    for kind in [Chart::Line, Chart::Area, Chart::StackedArea] {
        let page = render(&one(kind(TimeChart::new("a", days(100)).series("s", values.clone())))).unwrap();
        assert!(page.contains("Missing: 3.") && !page.contains("NaN") && !page.contains(">inf"));
        assert!(page.contains("<circle"), "the lone value between two gaps");
    }
    let line = TimeChart::new("a", days(100)).series("s", values);
    let page = render(&one(Chart::Line(line))).unwrap();
    assert_eq!(page.matches("stroke=\"var(--c1)\"").count(), 3);
}

#[test]
fn a_log_scale_says_what_it_hides() {
    let chart = TimeChart::new("a", days(4)).series("s", vec![1.0, 0.0, -5.0, 10.0]);
    let page = render(&one(Chart::Line(TimeChart { scale: Scale::Log, ..chart }))).unwrap();
    assert!(page.contains("Zero or less, not on a log scale: 2.") && page.contains("log scale</span>"));
}

#[test]
fn long_reports_stay_small_and_keep_their_extremes() {
    let mut values = wave(6_000, 4);
    values[4_321] = 40.0;
    let chart = TimeChart::new("a", days(6_000)).series("s", values);
    let page = render(&one(Chart::Line(chart))).unwrap();
    assert!(page.len() < 60_000, "{}", page.len());
    let (_, rest) = page.split_once("stroke=\"var(--c1)\" stroke-width=\"3\" points=\"").unwrap();
    let (points, _) = rest.split_once('"').unwrap();
    assert!(points.split(' ').count() <= 2_000);
    let top = points.split(' ').filter_map(|point| point.split_once(',')?.1.parse::<i32>().ok()).min();
    assert_eq!(top, Some(24), "the spike reaches the upper edge, at a tick of 40");
    assert!(
        page.contains("thinned to the lows and highs") && page.contains("<td class=\"n\">2012-10-31</td>")
    );
    assert!(render(&full(6_000, "x")).unwrap().len() < 1_200_000);
}

#[test]
fn many_bars_are_cut_in_the_picture_only() {
    let names: Vec<String> = (0..55).map(|i| format!("code-{i}-{}", "x".repeat(60))).collect();
    let chart = BarChart::new("Bars", names).series("n", vec![2.0; 55]);
    let page = render(&one(Chart::Bars(chart))).unwrap();
    assert_eq!(page.matches("<rect").count(), 40);
    assert!(page.contains("55 categories, 110 in all. Drawn: the first 40.") && page.contains("code-54-"));
}

#[test]
fn bars_stack_on_both_sides_of_zero() {
    let chart = bars(&["a", "b", "c"], &[("x", &[1.0, -2.0, 0.0]), ("y", &[3.0, 5.0, f64::NAN])]);
    let page = render(&one(Chart::Bars(chart))).unwrap();
    assert_eq!(page.matches("<rect").count(), 4);
    assert!(page.contains("<td class=\"n\">n/a</td>") && page.contains("<td class=\"n neg\">-2</td>"));
}

#[test]
fn extreme_numbers_and_times_do_not_break_charts() {
    let far = [chrono::NaiveDateTime::MIN, chrono::NaiveDateTime::MAX].to_vec();
    for values in [[1e300, -1e300], [1e99, -1e99], [1e-300, 0.0], [5.0, 5.0], [f64::MIN_POSITIVE, f64::MAX]] {
        for scale in [Scale::Linear, Scale::Log] {
            for times in [far.clone(), days(2), vec![chrono::NaiveDateTime::MAX; 2]] {
                let chart = TimeChart::new("a", times).series("s", values.to_vec());
                let chart = TimeChart { scale, format: ValueFormat::Percent(99), ..chart };
                render(&one(Chart::Line(chart.clone()))).unwrap();
                render(&one(Chart::StackedArea(chart.clone()))).unwrap();
                render(&one(Chart::Area(chart))).unwrap();
            }
        }
        render(&one(Chart::Bars(bars(&["a", "b"], &[("s", &values), ("t", &values)])))).unwrap();
    }
}

#[test]
fn lengths_and_order_are_checked() {
    let chart = TimeChart::new("c", days(3)).series("s", vec![1.0]);
    let length = ReportError::SeriesLength { chart: "c".into(), series: "s".into(), expected: 3, found: 1 };
    assert_eq!(render(&one(Chart::Area(chart))), Err(length));
    assert!(render(&one(Chart::Bars(bars(&["a"], &[("s", &[])])))).is_err());
    let mut times = days(3);
    times.swap(1, 2);
    let order = ReportError::TimeOrder { chart: "c".into(), index: 2 };
    assert_eq!(render(&one(Chart::Line(TimeChart::new("c", times)))), Err(order));
    let table = Table { columns: vec![Column::text("a")], total: Some(Vec::new()), ..Table::default() };
    let width = ReportError::RowWidth { table: String::new(), row: 0, expected: 1, found: 0 };
    assert_eq!(render(&Report::new("t").section(Section::new("s").with(Block::Table(table)))), Err(width));
}

#[test]
fn numbers_are_grouped_and_rounded() {
    let amount = |text: &str| money(Decimal::from_str(text).unwrap());
    assert_eq!(amount("1234567.805"), "1,234,567.81");
    assert_eq!(amount("-1234.5"), "-1,234.50");
    assert_eq!(amount("-0.001"), "0.00");
    assert_eq!(amount("999"), "999.00");
    assert_eq!(count(0), "0");
    assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    assert_eq!(percent(0.1234, 1), "12.3%");
    assert_eq!(percent(-0.000_01, 2), "0.00%");
    assert_eq!(percent(12.0, 0), "1,200%");
    assert_eq!(percent(f64::NAN, 1), "n/a");
    assert_eq!(percent(f64::MAX, 1), "n/a");
    assert_eq!(number(-1_234.56, 1), "-1,234.6");
    assert_eq!(number(1.5, usize::MAX), "1.500000000000");
    assert_eq!(number(2.5e18, 2), "2.50e18");
}

#[test]
fn reports_serialize_with_null_for_gaps() {
    let chart = TimeChart::new("c", days(2)).series("s", vec![1.0, f64::NAN]);
    let json = serde_json::to_string(&one(Chart::Line(chart))).unwrap();
    assert!(json.contains("\"values\":[1.0,null]") && json.contains("2001-01-02T00:00:00"), "{json}");
}

#[test]
fn curves_and_matrices_are_drawn_with_their_numbers() {
    let frontier = Curve {
        name: "frontier".into(),
        points: vec![(0.1, 0.02), (0.2, 0.05), (f64::NAN, 1.0)],
        joined: true,
    };
    let assets = Curve { name: "assets".into(), points: vec![(0.3, 0.01)], joined: false };
    let chart = CurveChart { title: "c".into(), curves: vec![frontier, assets], ..CurveChart::default() };
    let page = render(&one(Chart::Curves(chart))).unwrap();
    assert_eq!(
        (page.matches("<polyline").count(), page.matches("<circle").count()),
        (2, 3),
        "a curve and the line at zero"
    );
    assert!(page.contains("frontier") && page.contains("n/a"));

    let joint = Joint { branches: [(0.0, 0.0), (1.0, 0.0)], height: 0.5 };
    let labels = vec!["A".to_owned(), "B".to_owned()];
    let values = vec![vec![1.0, -0.5], vec![-0.5, f64::NAN]];
    let chart =
        MatrixChart { title: "m".into(), labels, values, tree: vec![joint], ..MatrixChart::default() };
    let page = render(&one(Chart::Matrix(chart.clone()))).unwrap();
    assert_eq!((page.matches("<rect").count(), page.matches("<polyline").count()), (3, 1), "{page}");
    assert!(page.contains("var(--loss)") && page.contains("-0.50"));
    let short = MatrixChart { values: vec![vec![1.0]; 2], ..chart };
    assert!(matches!(
        render(&one(Chart::Matrix(short))),
        Err(ReportError::SeriesLength { expected: 2, found: 1, .. })
    ));
    assert!(render(&one(Chart::Curves(CurveChart::default()))).unwrap().contains("Nothing to draw"));
}
