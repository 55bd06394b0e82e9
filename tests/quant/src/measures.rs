//! Risk measures of the equal-weight portfolio.

use crate::data::Returns;
use crate::statistics::skfolio;
use crate::{Case, Found};
use mts_quantkit::statistics as own;
use ndarray::Axis;
use serde_json::Value;

pub(crate) fn check(name: &str, entry: &Value, returns: &Returns) -> Option<Case> {
    let portfolio = returns.values.mean_axis(Axis(1))?.to_vec();
    let found = name.strip_prefix("skfolio_").and_then(|key| skfolio(key, &portfolio));
    let Some(found) = found.or_else(|| riskfolio(name.strip_prefix("riskfolio_")?, &portfolio)) else {
        let why = if name.starts_with("risk_contribution") {
            "contributions are an allocator's"
        } else {
            "relativistic value at risk and tail Gini are not here"
        };
        return Some(Case { name: name.to_owned(), found: Found::NotClaimed(why) });
    };
    let (wanted, tolerance) = (entry.get("output")?.as_f64()?, entry.get("tol")?.as_f64()?);
    let close = (found - wanted).abs() <= tolerance;
    Some(Case::new(name, close.then_some(()).ok_or_else(|| format!("{found} instead of {wanted}"))))
}

fn riskfolio(key: &str, r: &[f64]) -> Option<f64> {
    let upper = || r.iter().map(|value| -value).collect::<Vec<f64>>();
    if let Some(measure) = key.strip_suffix("_Abs").or(key.strip_suffix("_Rel")) {
        let measure = match measure {
            "MDD" => "max_drawdown",
            "ADD" => "average_drawdown",
            "DaR" => "drawdown_at_risk",
            "CDaR" => "cdar",
            "EDaR" => "edar",
            "UCI" => "ulcer_index",
            _ => return None,
        };
        let compounding = if key.ends_with("_Abs") { "uncompounded" } else { "compounded" };
        return skfolio(&format!("{measure}_{compounding}"), r);
    }
    let same = match key {
        "MAD" => "mean_absolute_deviation",
        "SemiDeviation" => "semi_deviation",
        "VaR_Hist" => "value_at_risk",
        "CVaR_Hist" => "cvar",
        "WR" => "worst_realization",
        "Entropic_RM" => "entropic_risk_measure",
        "EVaR_Hist" => "evar",
        "GMD" => "gini_mean_difference",
        // Riskfolio takes roots of fourth moments.
        "Kurtosis" => return Some(own::central_moment(r, 4).sqrt()),
        "SemiKurtosis" => return Some(own::lower_partial_moment(r, own::mean(r), 4).sqrt()),
        "LPM" => return Some(own::lower_partial_moment(r, 0.0, 1)),
        "RG" => return Some(skfolio("worst_realization", r)? + skfolio("worst_realization", &upper())?),
        "CVRG" => return Some(skfolio("cvar", r)? + skfolio("cvar", &upper())?),
        _ => return None,
    };
    skfolio(same, r)
}
