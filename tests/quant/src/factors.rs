//! Factors of bars: classic families, formulaic alphas, Alpha158, and indicators.

use crate::data::table;
use crate::{Case, Found};
use mts_foundation::sizing::Factor as _;
use mts_foundation::{Symbol, Timestamp, UniversePanel};
use mts_quantkit::factors::{Both, Each, Expression, Formula, formulas};
use mts_quantkit::operators::{CrossSection, Rolling};
use ndarray::{Array2, ArrayView2};
use serde_json::Value;
use std::path::Path;

/// How equal covariances are ranked.
pub(crate) const SHARED_RANKS: &str = "pandas' running covariance parts equal values by rounding before they are ranked; ours shares the ranks, and \
    the vector's lie within those shared";

pub(crate) fn run(file: &Value, folder: &Path) -> Result<Vec<Case>, String> {
    let path = folder.join("data/ohlcv8.csv");
    if !path.is_file() {
        return Ok(vec![Case {
            name: "factors".to_owned(),
            found: Found::NotClaimed("the bars are not here"),
        }]);
    }
    let panel = bars(file, &path)?;
    if let Some(entries) = file.get("alphas").and_then(Value::as_object) {
        let name = |name: &str| format!("f_alpha101_{name}");
        return Ok(entries.iter().map(|(alpha, entry)| case(&name(alpha), entry, &panel, 1e-9)).collect());
    }
    if let Some(entries) = file.get("factors").and_then(Value::as_object) {
        if file.get("source").is_some() {
            let name = |name: &str| format!("f_alpha158_{}", name.to_lowercase());
            return Ok(entries
                .iter()
                .map(|(column, entry)| case(&name(column), entry, &panel, 1e-8))
                .collect());
        }
        return Ok(entries.iter().map(|(name, entry)| case(name, entry, &panel, 1e-9)).collect());
    }
    if let Some(entries) = file.get("indicators").and_then(Value::as_object) {
        return Ok(entries
            .iter()
            .map(|(name, entry)| crate::indicators::case(name, entry, file, &panel))
            .collect());
    }
    Err("the file has neither factors nor alphas nor indicators".to_owned())
}

/// Bars of the file's symbols, in its order; a day of the calendar is a row.
fn bars(file: &Value, path: &Path) -> Result<UniversePanel, String> {
    let symbols = file.get("symbols").and_then(Value::as_array).ok_or("the file has no symbols")?;
    let symbols: Vec<&str> = symbols.iter().filter_map(Value::as_str).collect();
    let (_, rows) = table(path)?;
    let mut days: Vec<&str> = rows.iter().filter_map(|row| row.first()).map(String::as_str).collect();
    days.sort_unstable();
    days.dedup();
    let mut columns: [Array2<f64>; 5] =
        std::array::from_fn(|_| Array2::from_elem((days.len(), symbols.len()), f64::NAN));
    for row in &rows {
        let [day, symbol, values @ ..] = row.as_slice() else { return Err(format!("a row {row:?}")) };
        let (Ok(t), Some(a)) =
            (days.binary_search(&day.as_str()), symbols.iter().position(|name| name == symbol))
        else {
            continue;
        };
        for (column, text) in columns.iter_mut().zip(values) {
            let value: f64 = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
            if let Some(place) = column.get_mut((t, a)) {
                *place = value;
            }
        }
    }
    let [open, high, low, close, volume] = columns;
    let dates = (0..).take(days.len()).map(Timestamp::from_millis).collect();
    let symbols = symbols.iter().map(|name| Symbol::new(*name)).collect::<Result<_, _>>();
    let symbols = symbols.map_err(|error| error.to_string())?;
    let mut panel = UniversePanel::of_closes(dates, symbols, close).map_err(|error| error.to_string())?;
    (panel.open, panel.high, panel.low, panel.volume) = (Some(open), Some(high), Some(low), Some(volume));
    Ok(panel)
}

fn case(name: &str, entry: &Value, panel: &UniversePanel, tolerance: f64) -> Case {
    // What pandas updates row by row in these carries its own rounding: the file says so.
    let of_alpha = || {
        formulas().iter().find(|(_, formula)| formula.name() == name).map(|(_, formula)| {
            let expression = format!("{:?}", formula.expression());
            expression.contains("Correlation") || expression.contains("Covariance")
        })
    };
    let online = ["skew", "kurt", "corr1", "corr_"].iter().any(|part| name.contains(part))
        || name.contains("alpha101") && of_alpha() == Some(true);
    let tolerance = if online { 1e-7 } else { tolerance };
    let doubtful = ["013", "015", "016", "045"];
    if doubtful.iter().any(|number| name == format!("f_alpha101_{number}")) {
        return ties(name, entry, panel);
    }
    let result = compare(name, entry, panel, tolerance);
    Case::new(name, result)
}

/// Ranks of values of which many are the same: pandas' running sums part them by their rounding, and so do the vectors. Each
/// rank has to lie within those that the equal values share.
fn ties(name: &str, entry: &Value, panel: &UniversePanel) -> Case {
    Case {
        name: name.to_owned(),
        found: match between(name, entry, panel) {
            Ok(()) => Found::Deviates(SHARED_RANKS),
            Err(problem) => Found::Fails(problem),
        },
    }
}

fn between(name: &str, entry: &Value, panel: &UniversePanel) -> Result<(), String> {
    let all = formulas();
    let formula = all.iter().find(|(_, formula)| formula.name() == name).ok_or("there is no such factor")?;
    let [lowest, highest] = [-1.0, 1.0].map(|side| {
        let mut program = Bounds { side, panel };
        program.of(formula.1.expression())
    });
    let (lowest, highest) = (lowest?, highest?);
    let rows = entry.get("rows").and_then(Value::as_object).ok_or("no rows")?;
    for (number, wanted) in rows {
        let t: usize = number.parse().map_err(|error| format!("{number:?}: {error}"))?;
        let wanted = crate::data::numbers(wanted).ok_or("numbers")?;
        for (((low, high), wanted), a) in lowest.row(t).iter().zip(highest.row(t)).zip(&wanted).zip(0..) {
            let (low, high) = (low.min(*high) - 1e-9, low.max(*high) + 1e-9);
            if low.is_nan() != wanted.is_nan() || !(wanted.is_nan() || (low..=high).contains(wanted)) {
                return Err(format!("row {number}, column {a} is {wanted}, outside {low}..={high}"));
            }
        }
    }
    Ok(())
}

/// An expression with each rank of a correlation or covariance at one end of what its equal values share.
struct Bounds<'a> {
    side: f64,
    panel: &'a UniversePanel,
}

impl Bounds<'_> {
    fn of(&mut self, expression: &Expression) -> Result<Array2<f64>, String> {
        Ok(match expression {
            Expression::Across(CrossSection::Rank, inner)
                if matches!(
                    **inner,
                    Expression::Rolling(Rolling::Correlation(_) | Rolling::Covariance { .. }, _)
                ) =>
            {
                let values = self.plain(inner)?;
                let mut ranks = values.clone();
                for (mut ranks, values) in ranks.outer_iter_mut().zip(values.outer_iter()) {
                    let count = values.iter().filter(|value| !value.is_nan()).count() as f64;
                    for (rank, value) in ranks.iter_mut().zip(values) {
                        let below = values.iter().filter(|other| *other - value < -1e-9).count() as f64;
                        let equal =
                            values.iter().filter(|other| (*other - value).abs() <= 1e-9).count() as f64;
                        let place = if self.side < 0.0 { below + 1.0 } else { below + equal };
                        *rank = if value.is_nan() { f64::NAN } else { place / count };
                    }
                }
                ranks
            }
            Expression::Each(Each::Negative, inner) => -self.of(inner)?,
            Expression::Both(Both::Times, left, right) => self.of(left)? * self.of(right)?,
            Expression::Rolling(rolling @ Rolling::Sum(_), inputs) => {
                let input = self.of(inputs.first().ok_or("no input")?)?;
                rolling.of(&[input.view()]).map_err(|error| error.to_string())?
            }
            other => self.plain(other)?,
        })
    }

    fn plain(&self, expression: &Expression) -> Result<Array2<f64>, String> {
        Formula::new("f_part", expression.clone()).raw(self.panel).map_err(|error| error.to_string())
    }
}

fn compare(name: &str, entry: &Value, panel: &UniversePanel, tolerance: f64) -> Result<(), String> {
    if name == "f_momentum_12_1" {
        // Only its scores are public.
        let scores = mts_quantkit::Momentum::default().compute(panel).map_err(|error| error.to_string())?;
        return rows_of(entry, "z_rows", scores.view(), tolerance);
    }
    let all = formulas();
    let formula: &Formula = all
        .iter()
        .map(|(_, formula)| formula)
        .find(|formula| formula.name() == name)
        .ok_or("there is no such factor")?;
    let raw = formula.raw(panel).map_err(|error| error.to_string())?;
    rows_of(entry, "rows", raw.view(), tolerance)?;
    let missing = raw.iter().filter(|value| value.is_nan()).count();
    let wanted = entry.get("nan").and_then(Value::as_u64).ok_or("no count of missing values")?;
    if u64::try_from(missing) != Ok(wanted) {
        return Err(format!("{missing} values are missing instead of {wanted}"));
    }
    let total: f64 = raw.iter().filter(|value| !value.is_nan()).sum();
    let size: f64 = raw.iter().filter(|value| !value.is_nan()).map(|value| value.abs()).sum();
    near("sum", total, entry, tolerance * size.max(1e-12))?;
    let squares: f64 = raw.iter().filter(|value| !value.is_nan()).map(|value| value * value).sum();
    near("sumsq", squares, entry, tolerance * squares.max(1e-12))?;
    if entry.get("z_rows").is_some() {
        let scores = formula.compute(panel).map_err(|error| error.to_string())?;
        rows_of(entry, "z_rows", scores.view(), tolerance)?;
    }
    Ok(())
}

fn near(field: &str, found: f64, entry: &Value, tolerance: f64) -> Result<(), String> {
    let wanted = entry.get(field).and_then(Value::as_f64).ok_or_else(|| format!("no {field}"))?;
    if (found - wanted).abs() <= tolerance {
        return Ok(());
    }
    Err(format!("{field} is {found} instead of {wanted}"))
}

/// The rows that the file has, by their numbers.
fn rows_of(entry: &Value, field: &str, found: ArrayView2<'_, f64>, tolerance: f64) -> Result<(), String> {
    let rows = entry.get(field).and_then(Value::as_object).ok_or_else(|| format!("no {field}"))?;
    for (number, wanted) in rows {
        let t: usize = number.parse().map_err(|error| format!("{field}: {number:?}: {error}"))?;
        let wanted = crate::data::numbers(wanted).ok_or_else(|| format!("{field}: row {number}"))?;
        if t >= found.nrows() || wanted.len() != found.ncols() {
            return Err(format!("{field}: row {number} is not as long as ours"));
        }
        for (a, (found, wanted)) in found.row(t).iter().zip(&wanted).enumerate() {
            let near = (found - wanted).abs() <= tolerance * wanted.abs().max(1e-6);
            if found.is_nan() != wanted.is_nan() || !found.is_nan() && !near {
                return Err(format!("{field}: row {number}, column {a} is {found} instead of {wanted}"));
            }
        }
    }
    Ok(())
}
