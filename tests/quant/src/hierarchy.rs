//! Trees, and the allocators that follow them; risk budgets.

use crate::Case;
use crate::data::{Returns, close, matrix, numbers};
use mts_quantkit::allocators::hierarchical::{Clusters, Inside, RiskMeasure};
use mts_quantkit::allocators::inverse_variance::Inverse;
use mts_quantkit::allocators::{
    Allocation, AllocationError, HierarchicalEqualRiskContribution, HierarchicalRiskParity, InverseVariance,
    RiskBudgeting,
};
use mts_quantkit::clustering::{
    Dispersion, DistanceRule, LeafOrder, Method, cluster_count, condensed, cut, distances, linkage,
};
use mts_quantkit::covariance::Covariance;
use ndarray::Array2;
use serde_json::Value;

pub(crate) fn check(name: &str, entry: &Value, returns: &Returns) -> Option<Case> {
    let output = entry.get("output").filter(|output| !output.is_null());
    let result = match output {
        None => tree(name, entry, returns)?,
        Some(output) => allocator(name, entry, output, returns)?,
    };
    Some(Case::new(name, result))
}

fn sample(returns: &Returns) -> Result<Array2<f64>, String> {
    Covariance::default().estimate(returns.values.view()).map_err(|error| error.to_string())
}

fn method(name: &str) -> Option<Method> {
    let methods = [
        ("single", Method::Single),
        ("complete", Method::Complete),
        ("average", Method::Average),
        ("ward", Method::Ward),
    ];
    methods.into_iter().find(|(word, _)| name.split('_').any(|part| part == *word)).map(|(_, method)| method)
}

fn places(value: Option<&Value>) -> Option<Vec<usize>> {
    let place = |value: &Value| value.as_u64().and_then(|place| usize::try_from(place).ok());
    value?.as_array()?.iter().map(place).collect()
}

/// A linkage matrix and its orders.
fn tree(name: &str, entry: &Value, returns: &Returns) -> Option<Result<(), String>> {
    let wanted = entry.get("linkage").and_then(matrix)?;
    let rule = if name.contains("square_matrix") {
        DistanceRule::EuclideanOfColumns
    } else {
        DistanceRule::Correlation
    };
    let method = method(name)?;
    Some((|| {
        let distances = distances(sample(returns)?.view(), rule);
        let found = linkage(&condensed(distances.view()), method).map_err(|error| error.to_string())?;
        let numbers: Vec<f64> = found
            .merges()
            .iter()
            .flat_map(|merge| [merge.left as f64, merge.right as f64, merge.distance, merge.size as f64])
            .collect();
        close(&numbers, &wanted, 1e-12)?;
        for (field, order) in [("preorder", LeafOrder::Tree), ("optimal_order", LeafOrder::Scipy)] {
            if let Some(wanted) = places(entry.get(field)) {
                let found = order.of(&found, distances.view());
                if found != wanted {
                    return Err(format!("{field}: {found:?} instead of {wanted:?}"));
                }
            }
        }
        Ok(())
    })())
}

fn allocator(name: &str, entry: &Value, output: &Value, returns: &Returns) -> Option<Result<(), String>> {
    let tolerance = entry.get("tol").and_then(Value::as_f64)?;
    let wanted = output.get("weights").and_then(numbers)?;
    let family = name.split('_').next()?;
    let solved = match family {
        "hrp" => hrp(name, output, returns)?,
        "herc" | "herc2" => herc(name, output, returns)?,
        "inverse" => covariance_alone(returns, |covariance| {
            let inverse = Inverse::Volatility;
            InverseVariance { inverse, ..InverseVariance::default() }.solve(covariance.view())
        }),
        "erc" | "risk" if name.contains("cvar") => return None,
        "erc" | "risk" => {
            let budgets = entry.get("budget").and_then(numbers)?;
            let tolerance = 1e-12;
            covariance_alone(returns, |covariance| {
                let problem =
                    RiskBudgeting { budgets: budgets.clone(), tolerance, ..RiskBudgeting::default() };
                let solved = problem.solve(covariance.view())?;
                if solved.certificate.residual < 1e-11 {
                    Ok(solved)
                } else {
                    Err(AllocationError::input("certificate", format!("{:e}", solved.certificate.residual)))
                }
            })
        }
        _ => return None,
    };
    Some(solved.and_then(|solved| {
        let sum: f64 = solved.weights.iter().sum();
        if (sum - 1.0).abs() > f64::EPSILON {
            return Err(format!("the weights are {sum} in sum"));
        }
        close(&solved.weights, &wanted, tolerance)
    }))
}

fn covariance_alone(
    returns: &Returns,
    solve: impl Fn(Array2<f64>) -> Result<Allocation, AllocationError>,
) -> Result<Allocation, String> {
    solve(sample(returns)?).map_err(|error| error.to_string())
}

fn measure(name: &str) -> RiskMeasure {
    match name {
        name if name.contains("cvar") => RiskMeasure::Cvar { level: 0.95 },
        name if name.contains("standard_deviation") => RiskMeasure::StandardDeviation,
        _ => RiskMeasure::Variance,
    }
}

fn hrp(name: &str, output: &Value, returns: &Returns) -> Option<Result<Allocation, String>> {
    let order = if name.ends_with("pypfopt") { LeafOrder::Tree } else { LeafOrder::Scipy };
    let (linkage, measure) = (method(name)?, measure(name));
    let problem = HierarchicalRiskParity { linkage, order, measure, ..HierarchicalRiskParity::default() };
    Some((|| {
        let covariance = sample(returns)?;
        if let Some(wanted) = places(output.get("order")) {
            let found = problem.order(covariance.view()).map_err(|error| error.to_string())?;
            if found != wanted {
                return Err(format!("order: {found:?} instead of {wanted:?}"));
            }
        }
        let solved = problem.solve_with(covariance.view(), Some(returns.values.view()));
        solved.map_err(|error| error.to_string())
    })())
}

/// Entries name k, or the number that the peer's rule found, which the same rule here must find.
fn herc(name: &str, output: &Value, returns: &Returns) -> Option<Result<Allocation, String>> {
    let named = name.split('_').find_map(|part| part.strip_prefix('k')?.parse::<usize>().ok());
    let ruled = output.get("k").or_else(|| output.get("n_clusters")).and_then(Value::as_u64);
    let ruled = ruled.and_then(|count| usize::try_from(count).ok());
    let rule = if name.ends_with("riskfolio") { Dispersion::StandardDeviation } else { Dispersion::Mean };
    let clusters = named.map_or(Clusters::Gap(rule), Clusters::Exactly);
    let inside = if name.starts_with("herc2") { Inside::Equal } else { Inside::InverseRisk };
    let problem = HierarchicalEqualRiskContribution {
        linkage: method(name)?,
        clusters,
        inside,
        measure: measure(name),
        ..HierarchicalEqualRiskContribution::default()
    };
    Some((|| {
        let covariance = sample(returns)?;
        let near = distances(covariance.view(), DistanceRule::Correlation);
        let tree = linkage(&condensed(near.view()), problem.linkage).map_err(|error| error.to_string())?;
        let count = named.unwrap_or_else(|| cluster_count(&tree, near.view(), rule));
        if let Some(wanted) = ruled.filter(|wanted| *wanted != count) {
            return Err(format!("{count} clusters instead of {wanted}"));
        }
        if let Some(wanted) = places(output.get("labels")) {
            let found = cut(&tree, count);
            if found != wanted {
                return Err(format!("labels: {found:?} instead of {wanted:?}"));
            }
        }
        let solved = problem.solve_with(covariance.view(), Some(returns.values.view()));
        solved.map_err(|error| error.to_string())
    })())
}
