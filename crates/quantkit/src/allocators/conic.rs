//! Linear and quadratic programs for clarabel: min ½ xᵀPx + cᵀx with rows a·x + s = b and s in a cone.

use super::AllocationError;
use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, SolverStatus, SupportedConeT};
use ndarray::ArrayView2;

/// A program in the making: rows first, then the cone that the rows since the last one lie in.
pub(crate) struct Conic {
    columns: usize,
    /// c, one number per column.
    pub(crate) linear: Vec<f64>,
    quadratic: (Vec<usize>, Vec<usize>, Vec<f64>),
    entries: (Vec<usize>, Vec<usize>, Vec<f64>),
    right: Vec<f64>,
    cones: Vec<SupportedConeT<f64>>,
    covered: usize,
}

/// The answer of the solver.
pub(crate) struct Found {
    pub(crate) x: Vec<f64>,
    pub(crate) z: Vec<f64>,
    pub(crate) iterations: u32,
}

impl Conic {
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            columns,
            linear: vec![0.0; columns],
            quadratic: Default::default(),
            entries: Default::default(),
            right: Vec::new(),
            cones: Vec::new(),
            covered: 0,
        }
    }

    /// P on the first columns, times a factor.
    pub(crate) fn quadratic(&mut self, matrix: ArrayView2<'_, f64>, factor: f64) {
        for ((i, j), value) in matrix.indexed_iter().filter(|((i, j), _)| i <= j) {
            self.square(i, j, value * factor);
        }
    }

    /// One number of P, in its upper triangle.
    pub(crate) fn square(&mut self, i: usize, j: usize, value: f64) {
        self.quadratic.0.push(i);
        self.quadratic.1.push(j);
        self.quadratic.2.push(value);
    }

    /// a·x + s = b.
    pub(crate) fn row(&mut self, entries: impl IntoIterator<Item = (usize, f64)>, right: f64) {
        let number = self.right.len();
        for (column, value) in entries {
            if value != 0.0 {
                self.entries.0.push(number);
                self.entries.1.push(column);
                self.entries.2.push(value);
            }
        }
        self.right.push(right);
    }

    fn since(&mut self) -> usize {
        let since = self.right.len() - self.covered;
        self.covered = self.right.len();
        since
    }

    /// The rows since the last cone are equations.
    pub(crate) fn equal(&mut self) {
        let since = self.since();
        if since > 0 {
            self.cones.push(SupportedConeT::ZeroConeT(since));
        }
    }

    /// Their s is not negative: a·x ≤ b.
    pub(crate) fn nonnegative(&mut self) {
        let since = self.since();
        if since > 0 {
            self.cones.push(SupportedConeT::NonnegativeConeT(since));
        }
    }

    /// Solves it.
    ///
    /// # Errors
    /// [`AllocationError::Infeasible`] where the solver proves it, [`AllocationError::NoConvergence`] where it stops early.
    pub(crate) fn solve(self) -> Result<Found, AllocationError> {
        let (columns, rows) = (self.columns, self.right.len());
        let (i, j, values) = self.quadratic;
        let p = CscMatrix::new_from_triplets(columns, columns, i, j, values);
        let (i, j, values) = self.entries;
        let a = CscMatrix::new_from_triplets(rows, columns, i, j, values);
        let settings = DefaultSettings {
            verbose: false,
            max_iter: 200,
            tol_gap_abs: 1e-11,
            tol_gap_rel: 1e-11,
            tol_feas: 1e-11,
            ..DefaultSettings::default()
        };
        let mut solver = DefaultSolver::new(&p, &self.linear, &a, &self.right, &self.cones, settings)
            .map_err(|error| AllocationError::input("program", error.to_string()))?;
        solver.solve();
        let found = &solver.solution;
        let gap = (found.obj_val - found.obj_val_dual).abs() / found.obj_val.abs().max(1e-12);
        match found.status {
            SolverStatus::PrimalInfeasible | SolverStatus::AlmostPrimalInfeasible => {
                Err(AllocationError::Infeasible {
                    constraint: "the constraints together".to_owned(),
                    problem: "no weights satisfy all of them; relax a group, a bound or a target".to_owned(),
                })
            }
            SolverStatus::DualInfeasible | SolverStatus::AlmostDualInfeasible => Err(AllocationError::input(
                "bounds",
                "the objective has no limit within them; bound every weight",
            )),
            SolverStatus::Solved | SolverStatus::AlmostSolved | SolverStatus::InsufficientProgress
                if found.x.iter().all(|x| x.is_finite()) =>
            {
                Ok(Found { x: found.x.clone(), z: found.z.clone(), iterations: found.iterations })
            }
            _ => Err(AllocationError::NoConvergence {
                solver: "interior point",
                iterations: found.iterations,
                residual: gap,
                remedy: "check the scale of the returns",
            }),
        }
    }
}
