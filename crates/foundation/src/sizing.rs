//! From research to orders: factors, sizers, allocators, and the planner that turns weights into orders.

use crate::ids::FundId;
use crate::instrument::InstrumentTable;
use crate::ledger::Ledger;
use crate::num::Decimal;
use crate::order::Side;
use crate::panel::UniversePanel;
use crate::signal::{TargetSet, TargetWeight};
use crate::symbol::Symbol;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

/// Why numbers cannot be computed from what was given.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct ComputeError {
    /// Which factor, sizer, allocator or planner.
    pub name: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl ComputeError {
    /// An error of the named component.
    #[must_use]
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into() }
    }
}

/// A factor: scores instruments against each other. Deterministic, no look-ahead: row t uses rows 0..=t only.
#[doc(alias = "FactorFn")]
pub trait Factor: Send + Sync {
    /// Registry name, starts with `f_`.
    fn name(&self) -> &str;
    /// Rows needed before the first value.
    fn warm_up(&self) -> usize;
    /// Cross-sectionally standardised scores, shape (T, A), higher = stronger, NaN where data is missing.
    ///
    /// # Errors
    /// [`ComputeError`] when the panel lacks a column or the parameters make no sense.
    fn compute(&self, panel: &UniversePanel) -> Result<Array2<f64>, ComputeError>;
    /// The last row of [`Factor::compute`], shape (A).
    ///
    /// # Errors
    /// As [`Factor::compute`]; also for an empty panel.
    fn latest(&self, panel: &UniversePanel) -> Result<Array1<f64>, ComputeError> {
        let all = self.compute(panel)?;
        match all.outer_iter().next_back() {
            Some(row) => Ok(row.to_owned()),
            None => Err(ComputeError::new(self.name(), "the panel has no rows; give it data")),
        }
    }
}

/// What a sizer is given: a universe of A instruments at one moment.
#[derive(Debug, Clone, Copy)]
pub struct SizingInput<'a> {
    /// The instruments, A of them, in the order of everything else here.
    pub symbols: &'a [Symbol],
    /// One number per instrument, shape (A), higher = stronger, NaN = no opinion.
    pub signal: ArrayView1<'a, f64>,
    /// Logarithmic returns, shape (T, A), oldest row first, NaN where one is missing. A sizer looks at the last
    /// [`Sizer::history`] rows; there are fewer where the data begins later. `None` = not known.
    pub returns: Option<ArrayView2<'a, f64>>,
}

impl<'a> SizingInput<'a> {
    /// A signal and no returns.
    #[must_use]
    pub fn of_signal(symbols: &'a [Symbol], signal: ArrayView1<'a, f64>) -> Self {
        Self { symbols, signal, returns: None }
    }
}

/// A sizer: one signal per instrument in, one weight per instrument out. NaN = no opinion, weight zero.
pub trait Sizer: Send + Sync {
    /// Registry name.
    fn name(&self) -> &str;
    /// Rows of returns that [`Sizer::size`] looks at; 0 = none.
    fn history(&self) -> usize {
        0
    }
    /// Whether the parameters make sense, and fit the universe: asked once, before the first order.
    ///
    /// # Errors
    /// [`ComputeError`], which names the parameter and the remedy.
    fn check(&self, _symbols: &[Symbol]) -> Result<(), ComputeError> {
        Ok(())
    }
    /// Weights, shape (A), as fractions of net asset value.
    ///
    /// # Errors
    /// [`ComputeError`] when this cannot be sized.
    fn size(&self, input: &SizingInput<'_>) -> Result<Array1<f64>, ComputeError>;
}

/// An allocator: weights from the joint history of returns.
pub trait Allocator: Send + Sync {
    /// Registry name.
    fn name(&self) -> &str;
    /// Weights, shape (A), from returns of shape (T, A).
    ///
    /// # Errors
    /// [`ComputeError`] for ill-posed input.
    fn allocate(&self, returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, ComputeError>;
}

/// Which half of a rebalance is to be planned. Sells come first and give no credit while they work (decision R5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PlanStage {
    /// Orders that shrink positions.
    Reduce,
    /// Orders that open or grow positions.
    Increase,
}

/// What a planner sees.
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest<'a> {
    /// The weights to reach.
    pub targets: &'a TargetSet,
    /// Which half.
    pub stage: PlanStage,
    /// The books and marks.
    pub ledger: &'a Ledger,
    /// Lots, multipliers.
    pub instruments: &'a InstrumentTable,
}

/// One order that a planner wants, before ids and keys.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedOrder {
    /// Instrument.
    pub symbol: Symbol,
    /// Direction and effect.
    pub side: Side,
    /// Units, a multiple of the lot.
    pub quantity: Decimal,
    /// The price it was sized with.
    pub reference_price: Decimal,
    /// The weight it heads for; `None` for an instrument that is not in the set.
    pub target: Option<TargetWeight>,
    /// Units that the weight stands for.
    pub target_quantity: Decimal,
}

/// Turns target weights into orders: rounding, cash buffer, sells before buys.
pub trait TargetPlanner: Send + Sync {
    /// The orders of one half of a rebalance, in the order in which they shall be gated and sent.
    ///
    /// # Errors
    /// [`ComputeError`] for targets that cannot be planned, such as an instrument without a price.
    fn plan(&self, request: &PlanRequest<'_>) -> Result<Vec<PlannedOrder>, ComputeError>;

    /// Net asset value that the plan is sized on, for the audit trail.
    ///
    /// # Errors
    /// [`ComputeError`] for an unknown fund.
    fn basis(&self, ledger: &Ledger, fund_id: &FundId) -> Result<Decimal, ComputeError> {
        ledger
            .fund(fund_id)
            .map(crate::ledger::FundBook::nav)
            .ok_or_else(|| ComputeError::new("planner", format!("fund {fund_id} is not in the ledger")))
    }
}
