//! The data that the files speak of.

use ndarray::Array2;
use serde_json::Value;
use std::path::Path;

/// Simple returns by day.
pub(crate) struct Returns {
    /// The assets, in the order of all weights in the file.
    pub(crate) assets: Vec<String>,
    /// Shape (T, A), oldest first.
    pub(crate) values: Array2<f64>,
}

/// The data set that `dataset` of the file names, such as `data/sp20.csv`.
pub(crate) fn returns(file: &Value, folder: &Path) -> Result<Returns, String> {
    let name = file.get("dataset").and_then(Value::as_str).ok_or("the file has no dataset")?;
    // Some say more than the path.
    let name = name.split_whitespace().find(|word| word.ends_with(".csv")).unwrap_or(name);
    let (header, rows) = table(&folder.join(name))?;
    let assets: Vec<String> = header.into_iter().skip(1).collect();
    let mut values = Vec::new();
    for row in &rows {
        for text in row.iter().skip(1) {
            values.push(text.parse().map_err(|error| format!("{name}: {text:?}: {error}"))?);
        }
    }
    let values = Array2::from_shape_vec((rows.len(), assets.len()), values);
    Ok(Returns { assets, values: values.map_err(|error| format!("{name}: {error}"))? })
}

/// Header and rows of a CSV file, as text.
pub(crate) fn table(path: &Path) -> Result<(Vec<String>, Vec<Vec<String>>), String> {
    let problem = |error: csv::Error| format!("{}: {error}", path.display());
    let mut reader = csv::Reader::from_path(path).map_err(problem)?;
    let header = reader.headers().map_err(problem)?.iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| Ok(row?.iter().map(str::to_owned).collect()));
    Ok((header, rows.collect::<Result<_, csv::Error>>().map_err(problem)?))
}

/// A list of numbers; `null` is NaN.
pub(crate) fn numbers(value: &Value) -> Option<Vec<f64>> {
    let number = |value: &Value| if value.is_null() { Some(f64::NAN) } else { value.as_f64() };
    value.as_array()?.iter().map(number).collect()
}

/// A list of lists of numbers, as a matrix; `None` where their lengths differ.
pub(crate) fn matrix(value: &Value) -> Option<Array2<f64>> {
    let rows: Vec<Vec<f64>> = value.as_array()?.iter().map(numbers).collect::<Option<_>>()?;
    let columns = rows.first()?.len();
    let count = rows.len();
    Array2::from_shape_vec((count, columns), rows.concat()).ok()
}

/// Whether two lists are the same within an absolute difference; NaN only equals NaN.
pub(crate) fn close<'a>(
    found: impl IntoIterator<Item = &'a f64>,
    wanted: impl IntoIterator<Item = &'a f64>,
    tolerance: f64,
) -> Result<(), String> {
    let (found, wanted): (Vec<f64>, Vec<f64>) =
        (found.into_iter().copied().collect(), wanted.into_iter().copied().collect());
    if found.len() != wanted.len() {
        return Err(format!("{} numbers instead of {}", found.len(), wanted.len()));
    }
    let mut worst = (0.0, 0);
    for (place, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
        if found.is_nan() != wanted.is_nan() {
            return Err(format!("number {place} is {found} instead of {wanted}"));
        }
        let off = (found - wanted).abs();
        if off > worst.0 {
            worst = (off, place);
        }
    }
    if worst.0 > tolerance {
        return Err(format!("number {} is off by {:e}, more than {tolerance:e}", worst.1, worst.0));
    }
    Ok(())
}
