//! What is left of a row after what a group or another row explains.

use super::panel::by_rows;
use mts_foundation::sizing::ComputeError;
use ndarray::{ArrayView2, ArrayViewMut2};

/// Each value less the mean of its group in its row; `groups` has one number per column. Missing values stay missing.
///
/// # Errors
/// [`ComputeError`] for shapes that differ.
pub fn neutralise_by_groups(
    input: ArrayView2<'_, f64>,
    groups: &[usize],
    out: ArrayViewMut2<'_, f64>,
    threads: usize,
) -> Result<(), ComputeError> {
    if groups.len() != input.ncols() {
        let message = format!("{} groups for {} columns; give one each", groups.len(), input.ncols());
        return Err(ComputeError::new("neutralise_by_groups", message));
    }
    // Groups may have any numbers: theirs here are places in a list of the numbers there are.
    let mut names: Vec<usize> = groups.to_vec();
    names.sort_unstable();
    names.dedup();
    let places: Vec<usize> = groups.iter().map(|group| names.partition_point(|name| name < group)).collect();
    let empty = || vec![(0.0_f64, 0.0_f64); names.len()];
    by_rows(&[input], out, threads, empty, |rows, out, sums| {
        let [row] = rows else { return };
        sums.fill((0.0, 0.0));
        for (value, place) in row.iter().zip(&places) {
            if let Some((sum, count)) = sums.get_mut(*place).filter(|_| !value.is_nan()) {
                *sum += value;
                *count += 1.0;
            }
        }
        for ((out, value), place) in out.iter_mut().zip(*row).zip(&places) {
            let (sum, count) = sums.get(*place).copied().unwrap_or((f64::NAN, 1.0));
            *out = value - sum / count;
        }
    })
}

/// What is left of each row after its line on the same row of `regressor` (with intercept), over the columns that have
/// both; a regressor that does not vary leaves the row less its mean. NaN where either is missing.
///
/// # Errors
/// [`ComputeError`] for shapes that differ.
pub fn neutralise_by_regressor(
    input: ArrayView2<'_, f64>,
    regressor: ArrayView2<'_, f64>,
    out: ArrayViewMut2<'_, f64>,
    threads: usize,
) -> Result<(), ComputeError> {
    by_rows(
        &[input, regressor],
        out,
        threads,
        || (),
        |rows, out, ()| {
            let [row, regressor] = rows else { return };
            let both = || row.iter().zip(*regressor).filter(|(y, x)| !y.is_nan() && !x.is_nan());
            let (mut count, mut sum_y, mut sum_x) = (0.0, 0.0, 0.0);
            for (y, x) in both() {
                count += 1.0;
                sum_y += y;
                sum_x += x;
            }
            let (mean_y, mean_x) = (sum_y / count, sum_x / count);
            let (mut xx, mut xy) = (0.0, 0.0);
            for (y, x) in both() {
                xx += (x - mean_x) * (x - mean_x);
                xy += (x - mean_x) * (y - mean_y);
            }
            let slope = if xx > 0.0 { xy / xx } else { 0.0 };
            for ((out, y), x) in out.iter_mut().zip(*row).zip(*regressor) {
                *out = (y - mean_y) - slope * (x - mean_x);
            }
        },
    )
}
