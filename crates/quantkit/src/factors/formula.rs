//! Factors that are an expression.

use super::expression::Expression;
use super::program::Program;
use crate::cross_section::zscore_in_place;
use mts_foundation::UniversePanel;
use mts_foundation::sizing::{ComputeError, Factor};
use ndarray::Array2;

/// A factor that an expression defines: its values, standardised across each row.
#[derive(Debug, Clone, PartialEq)]
pub struct Formula {
    name: String,
    expression: Expression,
}

impl Formula {
    /// A factor of that name.
    #[must_use]
    pub fn new(name: impl Into<String>, expression: Expression) -> Self {
        Self { name: name.into(), expression }
    }

    /// Its expression.
    #[must_use]
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// The values before they are standardised, shape (T, A); what is not finite is missing.
    ///
    /// # Errors
    /// [`ComputeError`] when the panel lacks a column or a parameter makes no sense.
    pub fn raw(&self, panel: &UniversePanel) -> Result<Array2<f64>, ComputeError> {
        let named = |error: ComputeError| ComputeError::new(self.name.clone(), error.message);
        let mut program = Program::new(&self.expression, panel.shape().1).map_err(named)?;
        let mut out = Array2::from_elem(panel.shape(), f64::NAN);
        program.run(panel, out.view_mut()).map_err(named)?;
        out.mapv_inplace(|value| if value.is_finite() { value } else { f64::NAN });
        Ok(out)
    }
}

impl Factor for Formula {
    fn name(&self) -> &str {
        &self.name
    }

    fn warm_up(&self) -> usize {
        self.expression.warm_up()
    }

    fn compute(&self, panel: &UniversePanel) -> Result<Array2<f64>, ComputeError> {
        let mut values = self.raw(panel)?;
        values.outer_iter_mut().for_each(zscore_in_place);
        Ok(values)
    }
}
