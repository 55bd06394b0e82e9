//! The one equation that a sizer solves.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

/// x in A x = b of a symmetric, positive definite A (Cholesky); `None` where A is not, which is told from a pivot that is
/// nothing beside the diagonal it stands on.
pub(crate) fn solve(matrix: &ArrayView2<'_, f64>, right: &ArrayView1<'_, f64>) -> Option<Array1<f64>> {
    let size = right.len();
    let mut lower = Array2::<f64>::zeros((size, size));
    for row in 0..size {
        for column in 0..=row {
            let done: f64 = (0..column).map(|k| lower[(row, k)] * lower[(column, k)]).sum();
            let rest = matrix.get((row, column))? - done;
            if row != column {
                lower[(row, column)] = rest / lower[(column, column)];
            } else if rest > matrix.get((row, row))?.abs() * 1e-12 {
                lower[(row, row)] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    let mut x = right.to_owned();
    for row in 0..size {
        let done: f64 = (0..row).map(|k| lower[(row, k)] * x[k]).sum();
        x[row] = (x[row] - done) / lower[(row, row)];
    }
    for row in (0..size).rev() {
        let done: f64 = (row + 1..size).map(|k| lower[(k, row)] * x[k]).sum();
        x[row] = (x[row] - done) / lower[(row, row)];
    }
    x.iter().all(|value| value.is_finite()).then_some(x)
}

/// Sample covariance (n − 1) of the chosen columns.
pub(crate) fn covariance(returns: &ArrayView2<'_, f64>, columns: &[usize]) -> Array2<f64> {
    let rows = returns.nrows() as f64;
    let centred: Vec<Array1<f64>> = columns
        .iter()
        .map(|column| {
            let values = returns.column(*column);
            let mean = values.sum() / rows;
            values.mapv(|value| value - mean)
        })
        .collect();
    Array2::from_shape_fn((columns.len(), columns.len()), |(left, right)| {
        match (centred.get(left), centred.get(right)) {
            (Some(left), Some(right)) => left.dot(right) / (rows - 1.0),
            _ => f64::NAN,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn an_equation_is_solved_and_a_singular_one_is_told() {
        let matrix = array![[4.0, 2.0, 0.4], [2.0, 5.0, 1.0], [0.4, 1.0, 3.0]];
        let x = solve(&matrix.view(), &array![1.0, -2.0, 3.0].view()).unwrap();
        let back = matrix.dot(&x);
        for (value, wanted) in back.iter().zip([1.0, -2.0, 3.0]) {
            assert!((value - wanted).abs() < 1e-12, "{back}");
        }
        let twins = array![[1.0, 1.0], [1.0, 1.0]];
        assert!(solve(&twins.view(), &array![1.0, 0.0].view()).is_none());
        assert!(solve(&array![[-1.0]].view(), &array![1.0].view()).is_none());
        assert!(solve(&array![[f64::NAN]].view(), &array![1.0].view()).is_none());
    }

    #[test]
    fn the_covariance_of_two_columns() {
        let returns = array![[1.0, 9.0, 2.0], [2.0, 9.0, 4.0], [3.0, 9.0, 9.0]];
        assert_eq!(covariance(&returns.view(), &[0, 2]), array![[1.0, 3.5], [3.5, 13.0]]);
    }
}
