//! Black and Litterman: their own example, and peers.

use crate::data::{Returns, close, matrix, numbers};
use crate::{Case, Found};
use mts_quantkit::allocators::black_litterman::{BlackLitterman, Posterior, View};
use mts_quantkit::linalg::Cholesky;
use ndarray::{Array1, Array2};
use serde_json::Value;

/// By which covariance weights after views are made.
pub(crate) const WEIGHTS_AFTER_VIEWS: &str = "weights after views: He and Litterman 1999 divide by the covariance after the views, the peer by Σ; the rest agrees";

/// The views of a matrix P and a list Q.
fn views(p: &Array2<f64>, q: &[f64], confidences: Option<&[f64]>) -> Vec<View> {
    let rows = p.outer_iter().zip(q).enumerate();
    rows.map(|(number, (row, expected))| View {
        assets: (0..row.len()).collect(),
        weights: row.to_vec(),
        expected: *expected,
        confidence: confidences.and_then(|all| all.get(number)).copied(),
    })
    .collect()
}

/// Compares what an output has.
fn compare(found: &Posterior, output: &Value, tolerance: f64) -> Result<(), String> {
    let list = |field: &str| output.get(field).and_then(numbers);
    let mut compared = 0;
    let normalised = found.normalised.as_ref().ok_or("the weights have no sum")?;
    for (field, numbers) in [
        ("pi", &found.prior),
        ("omega_diag", &Array1::from_vec(found.uncertainty.clone())),
        ("posterior_mu", &found.expected),
        ("weights_unconstrained", &found.weights),
        ("weights_normalised", normalised),
    ] {
        if let Some(wanted) = list(field) {
            close(numbers, &wanted, tolerance).map_err(|problem| format!("{field}: {problem}"))?;
            compared += 1;
        }
    }
    if let Some(wanted) = output.get("posterior_cov").and_then(matrix) {
        close(&found.covariance, &wanted, tolerance)
            .map_err(|problem| format!("posterior_cov: {problem}"))?;
        compared += 1;
    }
    if compared == 0 { Err("nothing to compare".to_owned()) } else { Ok(()) }
}

pub(crate) fn run(section: &Value, returns: &Returns) -> Vec<Case> {
    let Some(entries) = section.as_object() else { return Vec::new() };
    let names = entries.keys().filter(|name| *name != "inputs");
    names
        .map(|name| {
            one(name, section, returns)
                .unwrap_or_else(|| Case::new(name.as_str(), Err("the entry lacks something".to_owned())))
        })
        .collect()
}

fn one(name: &str, section: &Value, returns: &Returns) -> Option<Case> {
    let (entry, inputs) = (section.get(name)?, section.get("inputs")?);
    let why = match name {
        "market_prior" | "pypfopt_default" | "pypfopt_idzorek" | "formula_he_litterman_omega" => None,
        "riskfolio_default" => Some("another model: τ is 1/T and the covariance is Σ plus that of μ"),
        _ => Some("its views are in words, of a day"),
    };
    if let Some(why) = why {
        return Some(Case { name: name.to_owned(), found: Found::NotClaimed(why) });
    }
    let number = |field: &str| inputs.get(field).and_then(Value::as_f64);
    let model =
        BlackLitterman { risk_aversion: number("delta")?, tau: number("tau")?, ..BlackLitterman::default() };
    let covariance = crate::optimisers::moments(&returns.values)?.1 * 252.0;
    let market = Array1::from_vec(inputs.get("market_caps").and_then(numbers)?);
    let confidences = inputs.get("confidences").and_then(numbers);
    let confidences = if name == "pypfopt_idzorek" { confidences.as_deref() } else { None };
    let views = views(&inputs.get("P").and_then(matrix)?, &inputs.get("Q").and_then(numbers)?, confidences);
    let found = model.posterior(covariance.view(), market.view(), &views).map(|mut found| {
        if name.starts_with("pypfopt")
            && let Some(cholesky) = Cholesky::of(covariance.view())
        {
            // The peer's weights come out with Σ, not with the covariance after the views that its note names.
            let weights = cholesky.solve(found.expected.view());
            let total = weights.sum();
            found.normalised = Some(weights / total);
        }
        found
    });
    let tolerance = entry.get("tol").and_then(Value::as_f64)?;
    let result = found
        .map_err(|error| error.to_string())
        .and_then(|found| compare(&found, entry.get("output").ok_or("no output")?, tolerance));
    let mut case = Case::new(name, result);
    if name.starts_with("pypfopt") && case.found == Found::Agrees {
        case.found = Found::Deviates(WEIGHTS_AFTER_VIEWS);
    }
    Some(case)
}

pub(crate) fn published(file: &Value) -> Result<Vec<Case>, String> {
    let list = |field: &'static str| file.get(field).and_then(numbers).ok_or(field);
    let number = |field: &'static str| file.get(field).and_then(Value::as_f64).ok_or(field);
    let deviations = Array1::from_vec(list("vol")?);
    let correlations = file.get("corr").and_then(matrix).ok_or("corr")?;
    let mut covariance = &correlations * &deviations;
    for (mut row, deviation) in covariance.outer_iter_mut().zip(&deviations) {
        row *= *deviation;
    }
    let market = Array1::from_vec(list("w_mkt")?);
    let model =
        BlackLitterman { risk_aversion: number("delta")?, tau: number("tau")?, ..BlackLitterman::default() };
    let tolerance = number("tolerance")?;
    let prior = model.prior(covariance.view(), market.view()).map_err(|error| error.to_string())?;
    let mut cases = vec![Case::new("pi", close(&prior, &list("pi")?, tolerance))];
    let entries = file.get("views").and_then(Value::as_array).ok_or("views")?;
    for (place, entry) in entries.iter().enumerate() {
        let p = entry.get("P").and_then(matrix).ok_or("P")?;
        let q = entry.get("Q").and_then(numbers).ok_or("Q")?;
        let result = model
            .posterior(covariance.view(), market.view(), &views(&p, &q, None))
            .map_err(|error| error.to_string())
            .and_then(|found| compare(&found, entry, tolerance));
        cases.push(Case::new(format!("{} views of He and Litterman", place + 1), result));
    }
    Ok(cases)
}
