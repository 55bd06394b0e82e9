//! Operators along one row of a panel.

use ndarray::{Array1, ArrayViewMut1};

/// Standardises a row in place: minus its mean, divided by its population standard deviation (ddof 0), NaN ignored
/// and kept. A row whose values do not differ becomes zero.
pub fn zscore_in_place(mut row: ArrayViewMut1<'_, f64>) {
    let (mut count, mut total) = (0.0_f64, 0.0_f64);
    for value in row.iter().filter(|value| !value.is_nan()) {
        count += 1.0;
        total += value;
    }
    if count < 1.0 {
        return;
    }
    let mean = total / count;
    let squares: f64 =
        row.iter().filter(|value| !value.is_nan()).map(|value| (value - mean) * (value - mean)).sum();
    let deviation = (squares / count).sqrt();
    row.mapv_inplace(|value| {
        if value.is_nan() {
            value
        } else if deviation > 0.0 {
            (value - mean) / deviation
        } else {
            0.0
        }
    });
}

/// Ranks of a row, 1 = highest; NaN gets `None`; equal values rank by their column.
#[must_use]
pub fn ranks_descending(row: &Array1<f64>) -> Vec<Option<u32>> {
    let mut order: Vec<(usize, f64)> =
        row.iter().copied().enumerate().filter(|(_, value)| !value.is_nan()).collect();
    order.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    let mut ranks = vec![None; row.len()];
    for (rank, (column, _)) in (1_u32..).zip(order) {
        if let Some(slot) = ranks.get_mut(column) {
            *slot = Some(rank);
        }
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_row_is_standardised_and_nan_is_kept() {
        let mut row = array![1.0, f64::NAN, 3.0];
        zscore_in_place(row.view_mut());
        assert_eq!((row[0], row[2]), (-1.0, 1.0));
        assert!(row[1].is_nan());
        let mut flat = array![2.0, 2.0];
        zscore_in_place(flat.view_mut());
        assert_eq!(flat, array![0.0, 0.0]);
    }

    #[test]
    fn equal_values_rank_by_column() {
        let ranks = ranks_descending(&array![1.0, 5.0, f64::NAN, 5.0]);
        assert_eq!(ranks, [Some(3), Some(1), None, Some(2)]);
    }
}
