//! Covariances and means.

use crate::Case;
use crate::data::{Returns, close, matrix};
use mts_quantkit::linalg::gram;
use ndarray::Axis;
use serde_json::Value;

pub(crate) fn check(name: &str, entry: &Value, returns: &Returns) -> Option<Case> {
    let wanted = entry.get("output")?.get("cov").and_then(matrix)?;
    let found = match name {
        "riskfolio_hist" => {
            let centred = &returns.values - &returns.values.mean_axis(Axis(0))?;
            gram(centred.view()) / (centred.nrows() as f64 - 1.0)
        }
        _ => return None,
    };
    if found.nrows() != returns.assets.len() {
        return Some(Case::new(name, Err(format!("{} rows", found.nrows()))));
    }
    Some(Case::new(name, close(&found, &wanted, 1e-12)))
}
