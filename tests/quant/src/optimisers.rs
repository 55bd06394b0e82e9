//! Markowitz, diversification and the least tail.

use crate::data::{Returns, close, numbers};
use crate::{Case, Found};
use mts_quantkit::allocators::constraints::{Constraints, Group, Level};
use mts_quantkit::allocators::diversification::{maximum_decorrelation, maximum_diversification};
use mts_quantkit::allocators::hierarchical::Clusters;
use mts_quantkit::allocators::mean_variance::{Markowitz, RiskTerm};
use mts_quantkit::allocators::nested_clusters::nested;
use mts_quantkit::allocators::tail_risk::minimum_cvar;
use mts_quantkit::allocators::{Allocation, AllocationError, NestedClusters};
use mts_quantkit::clustering::Method;
use mts_quantkit::linalg::gram;
use ndarray::{Array1, Array2, Axis};
use serde_json::Value;
use std::collections::BTreeMap;

/// Largest violation of the conditions of an optimum that a certificate may say.
const CERTIFIED: f64 = 1e-9;

pub(crate) fn check(name: &str, entry: &Value, returns: &Returns) -> Option<Case> {
    let output = entry.get("output")?;
    let tolerance = entry.get("tol").and_then(Value::as_f64).unwrap_or(1e-9);
    if name == "max_sharpe_skfolio" && returns.assets.len() == 5 {
        let why =
            "the peer is 1.17e-5 from the polished answer, beyond its own tolerance; that one is claimed";
        return Some(Case { name: name.to_owned(), found: Found::NotClaimed(why) });
    }
    let found = solve(name, entry, returns)?;
    Some(Case::new(name, compare(found, output, tolerance, name)))
}

/// Mean and covariance (n − 1) of a day.
pub(crate) fn moments(values: &Array2<f64>) -> Option<(Array1<f64>, Array2<f64>)> {
    let mean = values.mean_axis(Axis(0))?;
    let covariance = gram((values - &mean).view()) / (values.nrows() as f64 - 1.0);
    Some((mean, covariance))
}

/// Nested clusters as an entry's name has them: the tree, and how many, or the labels of the entry.
fn nested_clusters(
    name: &str,
    entry: &Value,
    covariance: &Array2<f64>,
) -> Option<Result<Allocation, AllocationError>> {
    let words: Vec<&str> = name.split('_').collect();
    let (linkage, count) = match words.as_slice() {
        ["nco", "minvar", "ward", count, "polished"] => (Method::Ward, count),
        ["nco", "minvar", "single", count, "polished"] => (Method::Single, count),
        ["nco", "minvar", "polished"] => {
            let mut clusters: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
            for (asset, label) in entry.get("output")?.get("labels")?.as_array()?.iter().enumerate() {
                clusters.entry(label.as_i64()?).or_default().push(asset);
            }
            let clusters: Vec<Vec<usize>> = clusters.into_values().collect();
            return Some(nested(covariance.view(), &clusters));
        }
        _ => return None,
    };
    let clusters = Clusters::Exactly(count.strip_prefix('k')?.parse().ok()?);
    Some(NestedClusters { linkage, clusters, ..NestedClusters::default() }.solve(covariance.view()))
}

fn solve(name: &str, entry: &Value, returns: &Returns) -> Option<Result<Allocation, AllocationError>> {
    let (mean, covariance) = moments(&returns.values)?;
    if let Some(found) = nested_clusters(name, entry, &covariance) {
        return Some(found);
    }
    let plain = Constraints::default();
    let problem = Markowitz::new(covariance.view(), &plain);
    let yearly = &covariance * 252.0;
    let year = Markowitz::new(yearly.view(), &plain);
    let output = entry.get("output")?;
    let target = |field: &str| output.get(field).and_then(Value::as_f64);
    let bounds = || {
        let bounds = entry.get("bounds").and_then(numbers)?;
        let (minimum, maximum) = (Level::All(*bounds.first()?), Level::All(*bounds.last()?));
        Some(Constraints { minimum, maximum, ..Constraints::default() })
    };
    Some(match name {
        "min_variance_skfolio"
        | "min_variance_pypfopt"
        | "min_variance_riskfolio"
        | "min_variance_polished" => problem.minimum_variance(),
        "min_variance_pypfopt_annualised" => year.minimum_variance(),
        "min_variance_box" | "min_variance_box_polished" => {
            Markowitz::new(covariance.view(), &bounds()?).minimum_variance()
        }
        "max_sharpe_skfolio" | "max_sharpe_riskfolio" | "max_sharpe_polished" => {
            problem.maximum_sharpe(mean.view(), 0.0)
        }
        "max_sharpe_pypfopt_annualised" => year.maximum_sharpe((&mean * 252.0).view(), 0.0),
        "efficient_return_pypfopt_annualised" => {
            year.target_return((&mean * 252.0).view(), target("target_return")?)
        }
        "efficient_risk_pypfopt_annualised" => {
            year.target_volatility((&mean * 252.0).view(), target("target_volatility")?)
        }
        "mv_utility_box_group_skfolio" => {
            let constraints = grouped(entry, returns)?;
            Markowitz::new(covariance.view(), &constraints).utility(mean.view(), 1.0, RiskTerm::Whole)
        }
        "max_diversification_skfolio" | "max_diversification_polished" => {
            maximum_diversification(covariance.view(), &plain)
        }
        "max_decorrelation_polished" => maximum_decorrelation(covariance.view(), &plain),
        "min_cvar95_lp_highs" | "min_cvar95_skfolio" | "min_cvar95_pypfopt" => {
            minimum_cvar(returns.values.view(), 0.95)
        }
        "min_cvar99_lp_highs" => minimum_cvar(returns.values.view(), 0.99),
        _ => return None,
    })
}

/// Bounds and groups as the parameters of an entry have them.
fn grouped(entry: &Value, returns: &Returns) -> Option<Constraints> {
    let parameters = entry.get("params")?;
    let bounds = parameters.get("bounds").and_then(numbers)?;
    let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, asset) in returns.assets.iter().enumerate() {
        let group = parameters.get("groups")?.get(asset)?.as_str()?;
        members.entry(group.to_owned()).or_default().push(place);
    }
    let groups = members.into_iter().map(|(name, members)| {
        let side = |field: &str| parameters.get(field)?.get(&name)?.as_f64();
        Some(Group { minimum: side("group_min")?, maximum: side("group_max")?, members, name: name.clone() })
    });
    Some(Constraints {
        minimum: Level::All(*bounds.first()?),
        maximum: Level::All(*bounds.last()?),
        groups: groups.collect::<Option<_>>()?,
        ..Constraints::default()
    })
}

fn compare(
    found: Result<Allocation, AllocationError>,
    output: &Value,
    tolerance: f64,
    name: &str,
) -> Result<(), String> {
    let found = found.map_err(|error| error.to_string())?;
    let certified = if name.starts_with("min_cvar") { 1e-8 } else { CERTIFIED };
    if found.certificate.residual > certified {
        return Err(format!("the certificate says {:e}", found.certificate.residual));
    }
    for (field, relative) in [("variance", 1e-10), ("sharpe_daily", 1e-10), ("ratio", 1e-10), ("cvar", 1e-8)]
    {
        if let Some(wanted) = output.get(field).and_then(Value::as_f64) {
            let off = (found.certificate.objective / wanted - 1.0).abs();
            if off > relative {
                return Err(format!("{field} is {} instead of {wanted}", found.certificate.objective));
            }
        }
    }
    let wanted = output.get("weights").and_then(numbers).ok_or("no weights")?;
    close(&found.weights, &wanted, tolerance)
}
