//! The tear sheet as a page.

use super::{Part, TearSheet};
use crate::report::{
    BarChart, Block, Chart, Column, Figure, Report, Scale, Section, Table, TimeChart, Tone, ValueFormat,
    midnights, money, number, percent,
};
use crate::run_report::float as as_float;
use chrono::NaiveDate;
use mts_foundation::Decimal;
use mts_portfolio::books::LongShort;
use mts_quantkit::statistics::drawdowns;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Rows of a long table.
const MOST_ROWS: usize = 200;

/// Episodes of the table of drawdowns.
const EPISODES: usize = 10;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Composes the page.
pub(super) fn page(sheet: &TearSheet<'_>) -> Report {
    let mut report = Report::new(sheet.name.to_owned())
        .fact("fund", sheet.fund_id.to_string())
        .fact("period", format!("{} to {}", sheet.from, sheet.to))
        .fact("currency", sheet.currency.clone())
        .figure(Figure::new("Net asset value", money(sheet.final_nav)))
        .figure(
            Figure::new("Profit", money(sheet.profit)).note("after fees, without capital that came or went"),
        )
        .figure(
            Figure::new("Time-weighted return", percent(as_float(sheet.time_weighted), 2))
                .note("linked daily, whole period"),
        )
        .figure(money_weighted(sheet));
    if let Some(statistics) = &sheet.statistics {
        report = report
            .figure(Figure::new("Return a year", percent(statistics.annual_return, 2)).note("compound"))
            .figure(Figure::new("Volatility a year", percent(statistics.annual_volatility, 2)))
            .figure(Figure::new("Sharpe ratio", number(statistics.sharpe, 2)).note("risk-free rate zero"))
            .figure(Figure::new("Deepest drawdown", percent(statistics.max_drawdown, 2)).tone(Tone::Bad));
    }
    let costs = &sheet.costs;
    report = report
        .figure(
            Figure::new("Turnover a year", number(as_float(costs.turnover), 2)).note("half of both sides"),
        )
        .figure(Figure::new("Costs", money(costs.total)).note(format!(
            "{} basis points of what was traded",
            costs.bps_of_traded.map_or_else(|| "no".to_owned(), |points| number(as_float(points), 2))
        )));
    report.subtitle = "Tear sheet".to_owned();
    report.footer = "Made from the journal; books and ledger agree at every session's end.".to_owned();
    report
        .section(value(sheet))
        .section(months(sheet))
        .section(under_water(sheet))
        .section(attribution(sheet))
        .section(exposures(sheet))
        .section(costs_and_cash(sheet))
        .section(lots(sheet))
}

fn money_weighted(sheet: &TearSheet<'_>) -> Figure {
    let name = "Money-weighted return";
    match &sheet.money_weighted {
        None => Figure::new(name, "none").note(sheet.money_weighted_fault.clone().unwrap_or_default()),
        Some(found) => {
            let of_period = Figure::new(name, percent(found.period, 2));
            let several = if found.several { "; other rates fit too" } else { "" };
            match found.annual.filter(|_| found.days >= 365) {
                Some(annual) => of_period.note(format!("{} a year{several}", percent(annual, 2))),
                None => of_period.note(format!("whole period{several}")),
            }
        }
    }
}

fn dates(sheet: &TearSheet<'_>) -> Vec<NaiveDate> {
    sheet.nav.iter().map(|snapshot| snapshot.asof).collect()
}

fn value(sheet: &TearSheet<'_>) -> Section {
    let times = midnights(&dates(sheet));
    let navs = sheet.nav.iter().map(|snapshot| as_float(snapshot.nav_usd)).collect();
    let mut nav = TimeChart::new("Net asset value", times.clone()).series("NAV", navs);
    nav.unit.clone_from(&sheet.currency);
    nav.format = ValueFormat::Number(0);
    nav.caption =
        "Cash plus positions at the close of each session; capital that comes or goes moves it too."
            .to_owned();
    let index: Vec<f64> = sheet.returns.steps.iter().map(|step| as_float(step.index)).collect();
    let mut growth = TimeChart::new("Growth of one", times).series("index", index);
    growth.format = ValueFormat::Number(2);
    growth.scale = if as_float(sheet.time_weighted).abs() > 2.0 { Scale::Log } else { Scale::Linear };
    growth.caption = "Linked time-weighted returns: what one unit of money would have become.".to_owned();
    Section::new("Value").with(Block::Chart(Chart::Line(nav))).with(Block::Chart(Chart::Line(growth)))
}

fn months(sheet: &TearSheet<'_>) -> Section {
    let mut years: BTreeMap<i32, BTreeMap<u32, f64>> = BTreeMap::new();
    for month in &sheet.months {
        years.entry(month.year).or_default().insert(month.month, month.value);
    }
    let mut columns = vec![Column::text("year")];
    columns.extend(MONTHS.iter().map(|name| Column::number(*name)));
    columns.push(Column::number("year"));
    let rows = years.iter().map(|(year, months)| {
        let mut row = vec![year.to_string()];
        row.extend(
            (1..=12).map(|month| months.get(&month).map_or_else(String::new, |value| percent(*value, 1))),
        );
        let growth: f64 = months.values().map(|value| 1.0 + value).product();
        row.push(percent(growth - 1.0, 1));
        row
    });
    let table =
        Table { title: "Returns by month".to_owned(), columns, rows: rows.collect(), ..Table::default() };
    let names: Vec<String> = years.keys().map(ToString::to_string).collect();
    let yearly = years.values().map(|months| months.values().map(|value| 1.0 + value).product::<f64>() - 1.0);
    let mut chart = BarChart::new("Return by year", names).series("return", yearly.collect());
    chart.format = ValueFormat::Percent(0);
    Section::new("Months").with(Block::Table(table)).with(Block::Chart(Chart::Bars(chart)))
}

fn under_water(sheet: &TearSheet<'_>) -> Section {
    let index = std::iter::once(1.0).chain(sheet.returns.steps.iter().map(|step| as_float(step.index)));
    let falls: Vec<f64> = drawdowns(&index.collect::<Vec<f64>>()).into_iter().skip(1).collect();
    let mut chart =
        TimeChart::new("Drawdown", midnights(&dates(sheet))).series("from the highest value so far", falls);
    chart.format = ValueFormat::Percent(0);
    chart.caption = "How far the index lies below its highest close so far.".to_owned();
    let mut episodes: Vec<_> = sheet.under_water.episodes.iter().collect();
    episodes.sort_by_key(|episode| episode.depth);
    let rows = episodes.iter().take(EPISODES).map(|episode| {
        vec![
            episode.peak.to_string(),
            episode.trough.to_string(),
            episode.recovery.map_or_else(|| "not yet".to_owned(), |date| date.to_string()),
            percent(as_float(episode.depth), 2),
            episode.days.to_string(),
        ]
    });
    let columns = ["peak", "trough", "back at the peak"].into_iter().map(Column::text);
    let columns = columns.chain(["depth", "days"].into_iter().map(Column::number)).collect();
    let under = &sheet.under_water;
    let caption = format!("{} of {} days below a peak.", under.days_under_water, under.days);
    let table = Table {
        title: "Deepest drawdowns".to_owned(),
        columns,
        rows: rows.collect(),
        caption,
        ..Table::default()
    };
    Section::new("Drawdowns").with(Block::Chart(Chart::Area(chart))).with(Block::Table(table))
}

fn attribution(sheet: &TearSheet<'_>) -> Section {
    let mut section = Section::new("Where it came from");
    for (what, parts) in
        [("strategy", &sheet.by_strategy), ("sector", &sheet.by_sector), ("instrument", &sheet.by_symbol)]
    {
        let names = parts.iter().map(|part| part.name.clone()).collect();
        let values = parts.iter().map(|part| part.part.linked).collect();
        let mut chart =
            BarChart::new(format!("Contribution by {what}"), names).series("of the return", values);
        chart.format = ValueFormat::Percent(1);
        section =
            section.with(Block::Chart(Chart::Bars(chart))).with(Block::Table(part_table(sheet, what, parts)));
    }
    section
}

fn part_table(sheet: &TearSheet<'_>, what: &str, parts: &[Part]) -> Table {
    let row = |name: String, amount: Decimal, linked: f64| vec![name, money(amount), percent(linked, 2)];
    let mut rows: Vec<Vec<String>> = parts
        .iter()
        .take(MOST_ROWS)
        .map(|part| row(part.name.clone(), part.part.money, part.part.linked))
        .collect();
    if !sheet.residual.money.is_zero() || sheet.residual.linked.abs() > 1e-9 {
        rows.push(row("not explained".to_owned(), sheet.residual.money, sheet.residual.linked));
    }
    let total = Some(row("all".to_owned(), sheet.profit, as_float(sheet.time_weighted)));
    let columns = vec![Column::text(what), Column::number("profit"), Column::number("contribution")];
    let caption = if parts.len() > MOST_ROWS {
        format!("The first {MOST_ROWS} of {}; attribution.csv has all.", parts.len())
    } else {
        "Contributions are linked over days, so that they add up to the return.".to_owned()
    };
    Table { title: format!("By {what}"), columns, rows, total, caption }
}

fn exposures(sheet: &TearSheet<'_>) -> Section {
    let exposures = &sheet.exposures;
    let mut section = Section::new("Exposure at the end");
    let share = |part: fn(&mts_foundation::NavSnapshot) -> Decimal| -> Vec<f64> {
        sheet.nav.iter().map(|snapshot| as_float(part(snapshot)) / as_float(snapshot.nav_usd)).collect()
    };
    let mut chart = TimeChart::new("Exposure", midnights(&dates(sheet)))
        .series("long", share(|snapshot| snapshot.long_usd))
        .series("short", share(|snapshot| snapshot.short_usd))
        .series("cash", share(|snapshot| snapshot.cash_usd));
    chart.format = ValueFormat::Percent(0);
    chart.caption = "Shares of net asset value at the close.".to_owned();
    section = section.with(Block::Chart(Chart::Line(chart)));
    for (what, groups) in [
        ("sector", &exposures.by_sector),
        ("class", &exposures.by_class),
        ("country", &exposures.by_country),
        ("currency", &exposures.by_currency),
    ] {
        section = section.with(Block::Table(exposure_table(what, groups, sheet.final_nav)));
    }
    section
}

fn exposure_table(what: &str, groups: &BTreeMap<SmolStr, LongShort>, nav: Decimal) -> Table {
    let rows = groups.iter().map(|(name, side)| {
        let name = if name.is_empty() { "not known" } else { name.as_str() };
        let mut row = vec![name.to_owned()];
        row.extend([side.long, side.short, side.gross(), side.net()].map(money));
        row.push(percent(as_float(side.net()) / as_float(nav), 2));
        row
    });
    let mut columns = vec![Column::text(what)];
    columns.extend(["long", "short", "gross", "net", "net of NAV"].into_iter().map(Column::number));
    Table { title: format!("By {what}"), columns, rows: rows.collect(), ..Table::default() }
}

fn costs_and_cash(sheet: &TearSheet<'_>) -> Section {
    let parts = &sheet.costs.parts;
    let figures = vec![
        Figure::new("Fees", money(parts.fees)),
        Figure::new("Borrow", money(parts.borrow)),
        Figure::new("Interest", money(parts.interest)),
        Figure::new("Traded", money(sheet.costs.traded)),
        Figure::new(
            "Costs of the average NAV",
            format!("{} bp", number(as_float(sheet.costs.bps_of_nav), 2)),
        ),
    ];
    let mut rows = vec![
        vec!["opening cash".to_owned(), money(sheet.opening_cash)],
        vec!["bought".to_owned(), money(-parts.bought)],
        vec!["sold".to_owned(), money(parts.sold)],
        vec!["fees of fills".to_owned(), money(-sheet.books.fees())],
    ];
    rows.extend(sheet.moved.iter().map(|(kind, amount)| vec![kind.to_string(), money(amount.0)]));
    if !sheet.actions.is_zero() {
        rows.push(vec!["issuers' actions".to_owned(), money(sheet.actions)]);
    }
    let total = Some(vec!["cash".to_owned(), money(sheet.books.cash())]);
    let columns = vec![Column::text("what"), Column::number("amount")];
    let table = Table { title: "Cash".to_owned(), columns, rows, total, ..Table::default() };
    Section::new("Costs and cash").with(Block::Figures(figures)).with(Block::Table(table))
}

fn lots(sheet: &TearSheet<'_>) -> Section {
    let lots: Vec<_> = sheet
        .books
        .positions()
        .iter()
        .flat_map(|(symbol, held)| {
            sheet.books.lots().lots(symbol).map(move |lot| (lot, lot.unrealized(held.last_price)))
        })
        .collect();
    let section = Section::new("Open positions");
    if lots.is_empty() {
        return section.with(Block::Notice(Tone::Good, "Nothing is held.".to_owned()));
    }
    let rows = lots.iter().take(MOST_ROWS).map(|(lot, unrealized)| {
        let days = sheet.to.signed_duration_since(lot.open_date).num_days();
        vec![
            lot.symbol.to_string(),
            lot.open_date.to_string(),
            days.to_string(),
            lot.remaining().normalize().to_string(),
            money(lot.open_cost),
            money(*unrealized),
        ]
    });
    let columns = ["symbol", "opened"].into_iter().map(Column::text);
    let columns =
        columns.chain(["days", "units", "cost", "unrealised"].into_iter().map(Column::number)).collect();
    let caption = if lots.len() > MOST_ROWS {
        format!("The first {MOST_ROWS} of {}; lots.csv has all.", lots.len())
    } else {
        String::new()
    };
    let table =
        Table { title: "Tax lots".to_owned(), columns, rows: rows.collect(), caption, ..Table::default() };
    section.with(Block::Table(table))
}
