//! Dense symmetric matrices: faer's kernels behind `ndarray`'s types. Nothing else of this crate names faer.
//!
//! One thread: results are the same on every machine of one kind, and callers run whole problems side by side.

use faer::linalg::matmul::triangular::{BlockStructure, matmul as triangular};
use faer::linalg::solvers::{Llt, Solve as _};
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

/// A view of any layout for faer, without a copy.
fn view<'a>(matrix: &'a ArrayView2<'_, f64>, kept: &'a mut Option<Array2<f64>>) -> MatRef<'a, f64> {
    let (rows, columns) = matrix.dim();
    match matrix.as_slice() {
        Some(slice) => MatRef::from_row_major_slice(slice, rows, columns),
        None => {
            let copy = kept.insert(matrix.as_standard_layout().into_owned());
            MatRef::from_row_major_slice(copy.as_slice().unwrap_or_default(), rows, columns)
        }
    }
}

fn back(matrix: MatRef<'_, f64>) -> Array2<f64> {
    let mut out = Array2::zeros((matrix.nrows(), matrix.ncols()));
    for (j, mut column) in out.columns_mut().into_iter().enumerate() {
        for (place, value) in column.iter_mut().zip(matrix.col(j).iter()) {
            *place = *value;
        }
    }
    out
}

/// Yᵀ Y, shape (A, A), exactly symmetric, of `y` with shape (T, A).
#[must_use]
pub fn gram(y: ArrayView2<'_, f64>) -> Array2<f64> {
    let count = y.ncols();
    let mut out = Array2::zeros((count, count));
    if let Some(slice) = out.as_slice_mut() {
        let mut kept = None;
        let y = view(&y, &mut kept);
        let out = MatMut::from_row_major_slice_mut(slice, count, count);
        triangular(
            out,
            BlockStructure::TriangularLower,
            Accum::Replace,
            y.transpose(),
            BlockStructure::Rectangular,
            y,
            BlockStructure::Rectangular,
            1.0,
            Par::Seq,
        );
    }
    mirror(&mut out);
    out
}

/// Copies the lower triangle over the upper one.
fn mirror(matrix: &mut Array2<f64>) {
    /// Rows and columns of a block that both triangles of fit the nearest cache.
    const BLOCK: usize = 32;
    let count = matrix.nrows();
    for from in (0..count).step_by(BLOCK) {
        for below in (from..count).step_by(BLOCK) {
            for i in below..(below + BLOCK).min(count) {
                for j in from..(from + BLOCK).min(i) {
                    if let Some(value) = matrix.get((i, j)).copied()
                        && let Some(place) = matrix.get_mut((j, i))
                    {
                        *place = value;
                    }
                }
            }
        }
    }
}

/// A · B, shapes (M, K) and (K, N).
#[must_use]
pub fn product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut out = Array2::zeros((a.nrows(), b.ncols()));
    let (rows, columns) = out.dim();
    if let Some(slice) = out.as_slice_mut() {
        let (mut kept_a, mut kept_b) = (None, None);
        let (a, b) = (view(&a, &mut kept_a), view(&b, &mut kept_b));
        let out = MatMut::from_row_major_slice_mut(slice, rows, columns);
        faer::linalg::matmul::matmul(out, Accum::Replace, a, b, 1.0, Par::Seq);
    }
    out
}

/// Eigenvalues, rising, and their vectors as columns in the same order.
#[derive(Debug, Clone, PartialEq)]
pub struct Eigen {
    /// Shape (A), rising.
    pub values: Array1<f64>,
    /// Shape (A, A): column j belongs to value j; length 1.
    pub vectors: Array2<f64>,
}

/// Of a symmetric matrix, whose lower triangle is read; `None` where the iteration does not end, as with NaN in it.
#[must_use]
pub fn eigen(matrix: ArrayView2<'_, f64>) -> Option<Eigen> {
    if matrix.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut kept = None;
    let decomposed = view(&matrix, &mut kept).self_adjoint_eigen(Side::Lower).ok()?;
    let values = decomposed.S().column_vector().iter().copied().collect();
    Some(Eigen { values, vectors: back(decomposed.U()) })
}

/// A factorised positive definite matrix.
#[derive(Debug, Clone)]
pub struct Cholesky(Llt<f64>);

impl Cholesky {
    /// Of a symmetric matrix, whose lower triangle is read; `None` where it is not positive definite.
    #[must_use]
    pub fn of(matrix: ArrayView2<'_, f64>) -> Option<Self> {
        if matrix.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mut kept = None;
        view(&matrix, &mut kept).llt(Side::Lower).ok().map(Self)
    }

    /// x with M x = b, shape (A).
    #[must_use]
    pub fn solve(&self, b: ArrayView1<'_, f64>) -> Array1<f64> {
        let mut x = Mat::from_fn(b.len(), 1, |row, _| b.get(row).copied().unwrap_or_default());
        self.0.solve_in_place(&mut x);
        x.col(0).iter().copied().collect()
    }

    /// X with M X = B, shape (A, K).
    #[must_use]
    pub fn solve_all(&self, b: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut kept = None;
        back(self.0.solve(view(&b, &mut kept)).as_ref())
    }

    /// The lower factor L with L Lᵀ = M.
    #[must_use]
    pub fn lower(&self) -> Array2<f64> {
        back(self.0.L())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn sample(rows: usize, columns: usize) -> Array2<f64> {
        Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 31 + j * 17 + i * j) % 23) as f64 - 11.0)
    }

    fn far(left: &Array2<f64>, right: &Array2<f64>) -> f64 {
        (left - right).iter().fold(0.0, |most, value| most.max(value.abs()))
    }

    #[test]
    fn products_are_those_of_the_definition() {
        let (a, b) = (sample(70, 45), sample(45, 38));
        assert!(far(&product(a.view(), b.view()), &a.dot(&b)) < 1e-9);
        let transposed = a.t();
        assert!(far(&product(transposed, a.view()), &a.t().dot(&a)) < 1e-9, "a view that is not in order");
        let square = gram(a.view());
        assert!(far(&square, &a.t().dot(&a)) < 1e-9);
        assert_eq!(square, square.t());
    }

    #[test]
    fn a_matrix_is_its_eigenvectors_and_their_values() {
        let matrix = gram(sample(60, 20).view());
        let Eigen { values, vectors } = eigen(matrix.view()).unwrap();
        assert!(values.windows(2).into_iter().all(|pair| pair[0] <= pair[1]));
        let again = (&vectors * &values).dot(&vectors.t());
        assert!(far(&again, &matrix) < 1e-8);
        assert!(eigen(array![[f64::NAN]].view()).is_none());
    }

    #[test]
    fn a_system_is_solved_and_an_indefinite_one_is_refused() {
        let matrix = gram(sample(60, 20).view()) + Array2::<f64>::eye(20);
        let cholesky = Cholesky::of(matrix.view()).unwrap();
        let b = Array1::from_iter((0..20).map(f64::from));
        assert!((matrix.dot(&cholesky.solve(b.view())) - &b).iter().all(|value| value.abs() < 1e-8));
        let columns = sample(20, 3);
        assert!(far(&matrix.dot(&cholesky.solve_all(columns.view())), &columns) < 1e-8);
        let lower = cholesky.lower();
        assert!(far(&lower.dot(&lower.t()), &matrix) < 1e-8);
        assert!(Cholesky::of(array![[1.0, 2.0], [2.0, 1.0]].view()).is_none());
    }
}
