//! The report of a run.

use crate::export::{Facts, RunResult};
use crate::incidents::Incident;
use crate::report::{
    BarChart, Block, Chart, Column, Figure, Report, Scale, Section, Table, TimeChart, Tone, ValueFormat,
    count, midnights, money, number, percent,
};
use chrono::NaiveDate;
use mts_foundation::Decimal;
use mts_quantkit::statistics::drawdowns;
use rust_decimal::prelude::ToPrimitive;
use std::collections::BTreeMap;

/// Rows of long lists that the report shows.
const MOST_ROWS: usize = 200;

/// Composes the report.
pub(crate) fn report(facts: &Facts, result: &RunResult) -> Report {
    let period = match (result.first_session, result.last_session) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "no sessions".to_owned(),
    };
    let mut report = Report::new(result.name.clone())
        .fact("fund", facts.config.fund.fund_id.to_string())
        .fact("period", period)
        .fact("state", result.state_hash.chars().take(16).collect::<String>())
        .fact("configuration", result.config_hash.chars().take(16).collect::<String>())
        .figure(Figure::new("Final NAV", money(result.final_nav)))
        .figure(Figure::new("Return a year", percent(result.annual_return, 2)).note("compound, before tax"))
        .figure(Figure::new("Volatility a year", percent(result.annual_volatility, 2)))
        .figure(Figure::new("Sharpe ratio", number(result.sharpe, 2)).note("risk-free rate zero"))
        .figure(Figure::new("Deepest drawdown", percent(result.max_drawdown, 2)).tone(Tone::Bad))
        .figure(Figure::new("Orders", count(result.orders)).note(format!("{} fills", count(result.fills))))
        .figure(
            Figure::new("Refused", count(result.rejections)).note(format!("{} halts", count(result.halts))),
        )
        .figure(
            Figure::new("Fees", money(result.fees))
                .note(format!("turnover {} a year", number(result.turnover, 2))),
        );
    report.subtitle =
        facts.config.strategy.factor.clone().unwrap_or_else(|| facts.config.strategy.kind.clone());
    report.footer = format!("{}; made from the journal alone", facts.genesis.program);
    report
        .section(equity(facts, result))
        .section(exposures(facts))
        .section(gates(facts))
        .section(halts(facts))
        .section(incidents(facts))
        .section(years(facts))
        .section(traded(facts))
}

fn dates(facts: &Facts) -> Vec<NaiveDate> {
    facts.nav.iter().map(|snapshot| snapshot.asof).collect()
}

pub(crate) fn float(value: Decimal) -> f64 {
    value.to_f64().unwrap_or(f64::NAN)
}

fn equity(facts: &Facts, result: &RunResult) -> Section {
    let values = facts.values();
    let closes: Vec<f64> = values.iter().skip(1).copied().collect();
    let times = midnights(&dates(facts));
    let mut equity = TimeChart::new("Net asset value", times.clone()).series("NAV", closes);
    equity.unit = facts.config.fund.base_currency.to_string();
    // Only a wide range is easier to read on a log scale.
    equity.scale = if result.total_return.abs() > 2.0 { Scale::Log } else { Scale::Linear };
    equity.format = ValueFormat::Number(0);
    equity.caption = "Cash plus positions at the close of each session, after fees.".to_owned();
    let falls: Vec<f64> = drawdowns(&values).into_iter().skip(1).collect();
    let mut drawdown = TimeChart::new("Drawdown", times).series("from the highest value so far", falls);
    drawdown.format = ValueFormat::Percent(0);
    drawdown.caption = "How far the value lies below its highest close so far.".to_owned();
    let details = vec![
        Figure::new("Started with", money(result.initial_cash)),
        Figure::new("Total return", percent(result.total_return, 2)),
        Figure::new("Calmar ratio", number(result.calmar, 2)),
        Figure::new("Lowest cash", money(result.lowest_cash))
            .note("below zero = borrowed between sizing and fill"),
    ];
    Section::new("Value")
        .with(Block::Chart(Chart::Line(equity)))
        .with(Block::Chart(Chart::Area(drawdown)))
        .with(Block::Figures(details))
}

fn exposures(facts: &Facts) -> Section {
    let share = |part: fn(&mts_foundation::NavSnapshot) -> Decimal| -> Vec<f64> {
        facts.nav.iter().map(|snapshot| float(part(snapshot)) / float(snapshot.nav_usd)).collect()
    };
    let mut chart = TimeChart::new("Exposure", midnights(&dates(facts)))
        .series("long", share(|snapshot| snapshot.long_usd))
        .series("short", share(|snapshot| snapshot.short_usd))
        .series("cash", share(|snapshot| snapshot.cash_usd));
    chart.format = ValueFormat::Percent(0);
    chart.caption = "Shares of net asset value at the close.".to_owned();
    Section::new("Exposure").with(Block::Chart(Chart::Line(chart)))
}

fn gates(facts: &Facts) -> Section {
    let section = Section::new("What the gates stopped");
    if facts.rejections.is_empty() {
        return section.with(Block::Notice(Tone::Good, "No order was refused.".to_owned()));
    }
    let mut by_code: BTreeMap<String, f64> = BTreeMap::new();
    for (_, _, gate, code, _) in &facts.rejections {
        *by_code.entry(format!("{gate}: {code}")).or_default() += 1.0;
    }
    let mut ranked: Vec<(String, f64)> = by_code.into_iter().collect();
    ranked.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    let (names, counts): (Vec<String>, Vec<f64>) = ranked.into_iter().unzip();
    let mut chart = BarChart::new("Refused orders by gate and code", names).series("orders", counts);
    chart.format = ValueFormat::Number(0);
    chart.caption = "The first gate that objects names the refusal.".to_owned();
    let rows: Vec<Vec<String>> = facts
        .rejections
        .iter()
        .take(MOST_ROWS)
        .map(|(date, order_id, gate, code, message)| {
            vec![date.to_string(), order_id.to_string(), gate.to_string(), code.to_string(), message.clone()]
        })
        .collect();
    let caption = shown(rows.len(), facts.rejections.len());
    let columns = ["date", "order", "gate", "code", "why"].into_iter().map(Column::text).collect();
    let table = Table { title: "Refusals".to_owned(), columns, rows, caption, ..Table::default() };
    section.with(Block::Chart(Chart::Bars(chart))).with(Block::Table(table))
}

fn shown(rows: usize, all: usize) -> String {
    if rows < all { format!("The first {rows} of {all}; orders.jsonl has all.") } else { String::new() }
}

fn halts(facts: &Facts) -> Section {
    let section = Section::new("Halts");
    if facts.halts.is_empty() {
        return section.with(Block::Notice(Tone::Good, "No loss limit was reached.".to_owned()));
    }
    let rows: Vec<Vec<String>> = facts
        .halts
        .iter()
        .take(MOST_ROWS)
        .map(|halt| vec![halt.timestamp.to_string(), halt.scope.to_string(), halt.reason.clone()])
        .collect();
    let caption = shown(rows.len(), facts.halts.len());
    let columns = ["when", "what", "why"].into_iter().map(Column::text).collect();
    section.with(Block::Table(Table {
        title: "Halts".to_owned(),
        columns,
        rows,
        caption,
        ..Table::default()
    }))
}

fn incidents(facts: &Facts) -> Section {
    let section = Section::new("Incidents");
    if facts.incidents.is_empty() {
        return section.with(Block::Notice(Tone::Good, "Nothing that a person should look at.".to_owned()));
    }
    let rows: Vec<Vec<String>> = facts.incidents.iter().take(MOST_ROWS).map(Incident::cells).collect();
    let caption = if rows.len() < facts.incidents.len() {
        format!("The first {} of {}; incidents.jsonl has all.", rows.len(), facts.incidents.len())
    } else {
        String::new()
    };
    let columns = Incident::HEADER.into_iter().map(Column::text).collect();
    section.with(Block::Table(Table {
        title: "Incidents".to_owned(),
        columns,
        rows,
        caption,
        ..Table::default()
    }))
}

fn years(facts: &Facts) -> Section {
    use chrono::Datelike;
    let mut ends: BTreeMap<i32, Decimal> = BTreeMap::new();
    for snapshot in &facts.nav {
        ends.insert(snapshot.asof.year(), snapshot.nav_usd);
    }
    let mut before = float(facts.config.fund.initial_cash);
    let (mut names, mut returns) = (Vec::new(), Vec::new());
    for (year, end) in ends {
        names.push(year.to_string());
        returns.push(float(end) / before - 1.0);
        before = float(end);
    }
    let mut chart = BarChart::new("Return by year", names).series("return", returns);
    chart.format = ValueFormat::Percent(0);
    Section::new("Years").with(Block::Chart(Chart::Bars(chart)))
}

fn traded(facts: &Facts) -> Section {
    let mut by_symbol: BTreeMap<String, (u64, Decimal, Decimal)> = BTreeMap::new();
    for fill in &facts.fills {
        if let mts_foundation::Event::FillCreated { fill, realized, .. } = fill {
            let row = by_symbol.entry(fill.symbol.to_string()).or_default();
            row.0 += 1;
            row.1 += fill.gross();
            row.2 += *realized;
        }
    }
    let rows = by_symbol
        .into_iter()
        .map(|(symbol, (fills, value, realized))| vec![symbol, count(fills), money(value), money(realized)])
        .collect();
    let columns = vec![
        Column::text("symbol"),
        Column::number("fills"),
        Column::number("value traded"),
        Column::number("realised, before fees"),
    ];
    Section::new("Instruments").with(Block::Table(Table {
        title: "Traded by instrument".to_owned(),
        columns,
        rows,
        ..Table::default()
    }))
}
