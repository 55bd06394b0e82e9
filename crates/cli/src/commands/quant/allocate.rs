//! `mts quant allocate`.

use super::input::{Returns, parameters, returns};
use crate::args::quant::AllocateArgs;
use crate::commands::print::{say, say_json, say_note, table};
use crate::error::{CliError, ExitKind, OrExit};
use crate::files::{not_in_a_run, write_whole};
use crate::report::{
    BarChart, Block, Chart, Curve, CurveChart, Figure, Joint, MatrixChart, Report, Section, ValueFormat,
    number, percent, render,
};
use mts_quantkit::Performance;
use mts_quantkit::allocators::builtin;
use mts_quantkit::allocators::constraints::Constraints;
use mts_quantkit::allocators::mean_variance::Markowitz;
use mts_quantkit::clustering::{DistanceRule, Linkage, Method, condensed, correlations, distances, linkage};
use mts_quantkit::covariance::Covariance;
use ndarray::{Array1, Array2, Axis};
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::Path;

/// Points of a frontier that is drawn.
const POINTS: usize = 40;
/// Instruments up to which one is drawn: above that it takes longer than the allocation.
const MOST_FOR_A_FRONTIER: usize = 300;

#[derive(Serialize)]
struct Line {
    symbol: String,
    weight: f64,
    /// Standard deviation of its returns a year.
    volatility: f64,
    /// Its part of the portfolio's variance; the parts add up to 1.
    risk_part: f64,
}

#[derive(Serialize)]
struct Allocated<'a> {
    method: &'a str,
    parameters: &'a Map<String, Value>,
    from: &'a str,
    to: &'a str,
    rows: usize,
    rows_left_out: usize,
    weights: Vec<Line>,
    /// Instruments that the same variance would have if nothing were correlated and all weights were the same.
    effective_instruments: f64,
    /// Of the portfolio over the same returns that chose it: no forecast.
    in_sample: Option<Performance>,
}

/// Weights from returns.
pub(crate) fn allocate(args: &AllocateArgs) -> Result<(), CliError> {
    let parameters = parameters(&args.parameters)?;
    let registry = builtin().or_exit(ExitKind::Internal)?;
    let allocator = registry.build(&args.method, &parameters).or_exit(ExitKind::Usage)?;
    if let Some(folder) = &args.out {
        not_in_a_run(folder)?;
    }
    let returns = returns(&args.panel, args.returns, args.window)?;
    let weights = allocator.allocate(returns.values.view()).or_exit(ExitKind::Data)?;
    let covariance = Covariance::default().estimate(returns.values.view()).or_exit(ExitKind::Data)?;
    let found = measured(args, &parameters, &returns, &weights, &covariance);
    if let Some(folder) = &args.out {
        write(folder, &found, &returns, &covariance, args.panel.periods_per_year)?;
    }
    if args.json {
        return say_json(&found);
    }
    if returns.left_out > 0 {
        say_note(&format!("{} rows lack the return of some instrument and are left out", returns.left_out));
    }
    let rows = found.weights.iter().map(|line| {
        vec![
            line.symbol.clone(),
            percent(line.weight, 2),
            percent(line.volatility, 1),
            percent(line.risk_part, 2),
        ]
    });
    say(&table(&["instrument", "weight", "volatility a year", "part of risk"], rows.collect(), &[1, 2, 3]));
    say(&format!(
        "{} of {} returns from {} to {}; {:.1} instruments count",
        found.method, found.rows, found.from, found.to, found.effective_instruments
    ));
    if let Some(folder) = &args.out {
        say(&format!("files in {}: report.html, weights.csv", folder.display()));
    }
    Ok(())
}

fn measured<'a>(
    args: &'a AllocateArgs,
    parameters: &'a Map<String, Value>,
    returns: &'a Returns,
    weights: &Array1<f64>,
    covariance: &Array2<f64>,
) -> Allocated<'a> {
    let periods = args.panel.periods_per_year;
    let marginal = covariance.dot(weights);
    let variance = weights.dot(&marginal);
    let squares = weights.dot(weights);
    let lines = (returns.names.iter().zip(weights)).zip(marginal.iter().zip(covariance.diag()));
    let lines = lines.map(|((symbol, weight), (marginal, own))| Line {
        symbol: symbol.clone(),
        weight: *weight,
        volatility: (own * periods).sqrt(),
        risk_part: if variance > 0.0 { weight * marginal / variance } else { 0.0 },
    });
    let mut value = 1.0;
    let grown = returns.values.dot(weights).into_iter().map(|one| {
        value *= 1.0 + one;
        value
    });
    let values: Vec<f64> = [1.0].into_iter().chain(grown).collect();
    Allocated {
        method: &args.method,
        parameters,
        from: returns.dates.first().map_or("", String::as_str),
        to: returns.dates.last().map_or("", String::as_str),
        rows: returns.values.nrows(),
        rows_left_out: returns.left_out,
        weights: lines.collect(),
        effective_instruments: if squares > 0.0 { weights.sum().powi(2) / squares } else { 0.0 },
        in_sample: Performance::of_values(&values, periods),
    }
}

fn write(
    folder: &Path,
    found: &Allocated<'_>,
    returns: &Returns,
    covariance: &Array2<f64>,
    periods: f64,
) -> Result<(), CliError> {
    std::fs::create_dir_all(folder).or_exit(ExitKind::Output)?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["symbol", "weight"]).or_exit(ExitKind::Internal)?;
    for line in &found.weights {
        writer.write_record([line.symbol.clone(), line.weight.to_string()]).or_exit(ExitKind::Internal)?;
    }
    write_whole(&folder.join("weights.csv"), &writer.into_inner().or_exit(ExitKind::Internal)?)?;
    let page = render(&page(found, returns, covariance, periods)?).or_exit(ExitKind::Internal)?;
    write_whole(&folder.join("report.html"), page.as_bytes())
}

fn page(
    found: &Allocated<'_>,
    returns: &Returns,
    covariance: &Array2<f64>,
    periods: f64,
) -> Result<Report, CliError> {
    let weights: Vec<f64> = found.weights.iter().map(|line| line.weight).collect();
    let parts = found.weights.iter().map(|line| line.risk_part).collect();
    let mut bars = BarChart::new("Weights and parts of risk", returns.names.clone())
        .series("weight", weights.clone())
        .series("part of risk", parts);
    bars.format = ValueFormat::Percent(2);
    "Parts of risk add up to one: a weight times what it adds to the variance.".clone_into(&mut bars.caption);
    let mut report = Report::new(format!("Allocation by {}", found.method))
        .fact("returns", format!("{} from {} to {}", found.rows, found.from, found.to))
        .fact("parameters", serde_json::to_string(found.parameters).or_exit(ExitKind::Internal)?)
        .figure(Figure::new("Instruments that count", number(found.effective_instruments, 1)));
    if let Some(figures) = &found.in_sample {
        let note = "over the returns that chose the weights";
        report = report
            .figure(Figure::new("Return a year", percent(figures.annual_return, 2)).note(note))
            .figure(Figure::new("Volatility a year", percent(figures.annual_volatility, 2)).note(note))
            .figure(Figure::new("Sharpe ratio", number(figures.sharpe, 2)).note(note));
    }
    let mut section = Section::new("Weights").with(Block::Chart(Chart::Bars(bars)));
    if returns.names.len() <= MOST_FOR_A_FRONTIER
        && let Some(chart) = frontier(&weights, returns, covariance, periods)
    {
        section = section.with(Block::Chart(Chart::Curves(chart)));
    }
    report = report.section(section);
    if returns.names.len() > 1 {
        let chart = ordered(returns, covariance)?;
        report = report.section(Section::new("Correlations").with(Block::Chart(Chart::Matrix(chart))));
    }
    Ok(report)
}

/// Return against risk: the efficient frontier without short positions, each instrument, and the allocation.
fn frontier(
    weights: &[f64],
    returns: &Returns,
    covariance: &Array2<f64>,
    periods: f64,
) -> Option<CurveChart> {
    let means = returns.values.mean_axis(Axis(0))?;
    let constraints = Constraints::default();
    let points = Markowitz::new(covariance.view(), &constraints).frontier(means.view(), POINTS).ok()?;
    let place = |weights: &Array1<f64>| {
        let variance = weights.dot(&covariance.dot(weights)).max(0.0);
        ((variance * periods).sqrt(), weights.dot(&means) * periods)
    };
    let curve =
        |name: &str, joined: bool, points: Vec<(f64, f64)>| Curve { name: name.to_owned(), points, joined };
    let singles =
        covariance.diag().into_iter().zip(&means).map(|(own, mean)| ((own * periods).sqrt(), mean * periods));
    Some(CurveChart {
        title: "Efficient frontier".to_owned(),
        caption: "Means of these returns as forecasts: a picture of the past, not of the future.".to_owned(),
        x_unit: "volatility a year".to_owned(),
        unit: "mean return a year".to_owned(),
        curves: vec![
            curve("frontier", true, points.iter().map(|point| place(&point.allocation.weights)).collect()),
            curve("instruments", false, singles.collect()),
            curve("allocation", false, vec![place(&Array1::from_vec(weights.to_vec()))]),
        ],
        x_format: ValueFormat::Percent(1),
        format: ValueFormat::Percent(1),
    })
}

/// Correlations in the order of a tree, which brings what is alike together.
fn ordered(returns: &Returns, covariance: &Array2<f64>) -> Result<MatrixChart, CliError> {
    let correlations = correlations(covariance.view());
    let apart = distances(covariance.view(), DistanceRule::default());
    let tree = linkage(&condensed(apart.view()), Method::Average).or_exit(ExitKind::Data)?;
    let order = tree.preorder();
    let row = |from: &usize| {
        let cell = |to: &usize| correlations.get((*from, *to)).copied().unwrap_or(f64::NAN);
        order.iter().map(cell).collect()
    };
    Ok(MatrixChart {
        title: "Correlations, alike beside alike".to_owned(),
        caption: "Blue: move together; red: move against each other. The tree joins the nearest first (average linkage)."
            .to_owned(),
        labels: order.iter().filter_map(|place| returns.names.get(*place).cloned()).collect(),
        values: order.iter().map(row).collect(),
        tree: joints(&tree, &order),
    })
}

/// The tree as joints above the ordered rows.
fn joints(tree: &Linkage, order: &[usize]) -> Vec<Joint> {
    let mut places = vec![(0.0, 0.0); tree.leaves()];
    for (at, leaf) in order.iter().enumerate() {
        if let Some(place) = places.get_mut(*leaf) {
            *place = (at as f64, 0.0);
        }
    }
    let mut joints = Vec::with_capacity(tree.merges().len());
    for merge in tree.merges() {
        let at = |cluster: usize| places.get(cluster).copied().unwrap_or_default();
        let branches = [at(merge.left), at(merge.right)];
        joints.push(Joint { branches, height: merge.distance });
        places.push(((branches[0].0 + branches[1].0) / 2.0, merge.distance));
    }
    joints
}
