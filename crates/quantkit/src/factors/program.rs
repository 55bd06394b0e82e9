//! An expression made ready to run: row by row, each part that occurs more than once computed once.

use super::expression::{Both, Column, Each, Expression};
use crate::operators::wide::{same, zero_of};
use crate::operators::{CrossSection, Rolling, Scratch, Step};
use mts_foundation::UniversePanel;
use mts_foundation::sizing::ComputeError;
use ndarray::{Array2, ArrayViewMut2};

/// A step of the program; numbers are those of earlier steps.
#[derive(Debug, Clone, PartialEq)]
enum Operation {
    Column(Column),
    Number(f64),
    Each(Each, usize),
    Both(Both, usize, usize),
    Choice(usize, usize, usize),
    Rolling(Rolling, Vec<usize>),
    Across(CrossSection, usize),
}

/// One row of bars; columns that the expression does not use may be absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bars<'a> {
    /// First prices.
    pub open: Option<&'a [f64]>,
    /// Highest prices.
    pub high: Option<&'a [f64]>,
    /// Lowest prices.
    pub low: Option<&'a [f64]>,
    /// Last prices.
    pub close: Option<&'a [f64]>,
    /// Volumes.
    pub volume: Option<&'a [f64]>,
}

impl<'a> Bars<'a> {
    fn column(&self, column: Column) -> Option<&'a [f64]> {
        match column {
            Column::Open => self.open,
            Column::High => self.high,
            Column::Low => self.low,
            Column::Close => self.close,
            Column::Volume => self.volume,
        }
    }
}

struct Slot {
    operation: Operation,
    stepper: Option<Box<dyn Step>>,
    row: Vec<f64>,
}

/// An expression with what it remembers of earlier rows. Row by row or over a panel, it gives the same bits.
pub struct Program {
    columns: usize,
    slots: Vec<Slot>,
    scratch: Scratch,
}

impl Program {
    /// Makes an expression ready for that many columns.
    ///
    /// # Errors
    /// [`ComputeError`] for parameters of an operator that make no sense.
    pub fn new(expression: &Expression, columns: usize) -> Result<Self, ComputeError> {
        let mut program = Self { columns, slots: Vec::new(), scratch: Scratch::default() };
        program.add(expression)?;
        Ok(program)
    }

    fn add(&mut self, expression: &Expression) -> Result<usize, ComputeError> {
        let operation = match expression {
            Expression::Column(column) => Operation::Column(*column),
            Expression::Number(number) => Operation::Number(*number),
            Expression::Each(each, inner) => Operation::Each(*each, self.add(inner)?),
            Expression::Both(both, left, right) => Operation::Both(*both, self.add(left)?, self.add(right)?),
            Expression::Choice(condition, yes, no) => {
                Operation::Choice(self.add(condition)?, self.add(yes)?, self.add(no)?)
            }
            Expression::Rolling(rolling, inputs) => {
                if inputs.len() != rolling.inputs() {
                    let message = format!("{} inputs; it takes {}", inputs.len(), rolling.inputs());
                    return Err(ComputeError::new(format!("{rolling:?}"), message));
                }
                let inputs = inputs.iter().map(|input| self.add(input)).collect::<Result<_, _>>()?;
                Operation::Rolling(*rolling, inputs)
            }
            Expression::Across(across, inner) => {
                across.check()?;
                Operation::Across(*across, self.add(inner)?)
            }
        };
        if let Some(known) = self.slots.iter().position(|slot| slot.operation == operation) {
            return Ok(known);
        }
        let stepper = match &operation {
            Operation::Rolling(rolling, _) => Some(rolling.stepper(self.columns)?),
            _ => None,
        };
        let fill = if let Operation::Number(number) = &operation { *number } else { f64::NAN };
        self.slots.push(Slot { operation, stepper, row: vec![fill; self.columns] });
        Ok(self.slots.len() - 1)
    }

    /// Takes the next row of bars and gives its row of results.
    ///
    /// # Errors
    /// [`ComputeError`] when a column is absent or of another length.
    pub fn push(&mut self, bars: Bars<'_>) -> Result<&[f64], ComputeError> {
        let columns = self.columns;
        for at in 0..self.slots.len() {
            let (before, rest) = self.slots.split_at_mut(at);
            let Some(slot) = rest.first_mut() else { continue };
            let input = |at: usize| before.get(at).map_or(&[][..], |slot| slot.row.as_slice());
            let out = slot.row.as_mut_slice();
            match &slot.operation {
                Operation::Column(column) => match bars.column(*column) {
                    Some(row) if row.len() == columns => out.copy_from_slice(row),
                    Some(row) => {
                        let message = format!("{column:?} has {} values for {columns} columns", row.len());
                        return Err(ComputeError::new("factor", message));
                    }
                    None => {
                        let message = format!("the panel has no column {column:?}; give it one");
                        return Err(ComputeError::new("factor", message));
                    }
                },
                Operation::Number(_) => {}
                Operation::Each(each, inner) => apply_each(*each, input(*inner), out),
                Operation::Both(both, left, right) => apply_both(*both, input(*left), input(*right), out),
                Operation::Choice(condition, yes, no) => {
                    let rows = input(*condition).iter().zip(input(*yes)).zip(input(*no));
                    for (out, ((condition, yes), no)) in out.iter_mut().zip(rows) {
                        *out = if condition.abs() > 0.0 { *yes } else { *no };
                    }
                }
                Operation::Rolling(_, inputs) => {
                    if let Some(stepper) = &mut slot.stepper {
                        match inputs.as_slice() {
                            [one] => stepper.push(&[input(*one)], out),
                            [one, two] => stepper.push(&[input(*one), input(*two)], out),
                            _ => {}
                        }
                    }
                }
                Operation::Across(across, inner) => across.row(input(*inner), out, &mut self.scratch),
            }
        }
        Ok(self.slots.last().map_or(&[], |slot| slot.row.as_slice()))
    }

    /// Runs over a panel, in order, into a buffer of its shape. The program must be new.
    ///
    /// # Errors
    /// [`ComputeError`] when the panel lacks a column or a shape differs.
    pub fn run(
        &mut self,
        panel: &UniversePanel,
        mut out: ArrayViewMut2<'_, f64>,
    ) -> Result<(), ComputeError> {
        if out.dim() != panel.shape() {
            let message = format!("the output has shape {:?}, the panel {:?}", out.dim(), panel.shape());
            return Err(ComputeError::new("factor", message));
        }
        let column =
            |column: Option<&Array2<f64>>| column.map(|column| column.as_standard_layout().into_owned());
        let close = column(Some(panel.close()));
        let (open, high) = (column(panel.open.as_ref()), column(panel.high.as_ref()));
        let (low, volume) = (column(panel.low.as_ref()), column(panel.volume.as_ref()));
        for (t, mut target) in out.outer_iter_mut().enumerate() {
            let bars = Bars {
                open: row(open.as_ref(), t),
                high: row(high.as_ref(), t),
                low: row(low.as_ref(), t),
                close: row(close.as_ref(), t),
                volume: row(volume.as_ref(), t),
            };
            let result = self.push(bars)?;
            target.iter_mut().zip(result).for_each(|(target, value)| *target = *value);
        }
        Ok(())
    }
}

fn row(column: Option<&Array2<f64>>, t: usize) -> Option<&[f64]> {
    column.and_then(|column| column.row(t).to_slice())
}

fn apply_each(each: Each, input: &[f64], out: &mut [f64]) {
    let change: fn(f64) -> f64 = match each {
        Each::Negative => |value| -value,
        Each::Absolute => f64::abs,
        Each::Logarithm => f64::ln,
        Each::Sign => |value| {
            if value > 0.0 {
                1.0
            } else if value < 0.0 {
                -1.0
            } else {
                zero_of(value)
            }
        },
        Each::Root => f64::sqrt,
        Each::Finite => |value| if value.is_finite() { value } else { f64::NAN },
    };
    for (out, value) in out.iter_mut().zip(input) {
        *out = change(*value);
    }
}

fn apply_both(both: Both, left: &[f64], right: &[f64], out: &mut [f64]) {
    let holds = |holds: bool| f64::from(u8::from(holds));
    macro_rules! each {
        ($join:expr) => {
            for (out, (left, right)) in out.iter_mut().zip(left.iter().zip(right)) {
                *out = $join(*left, *right);
            }
        };
    }
    match both {
        Both::Plus => each!(|left: f64, right: f64| left + right),
        Both::Minus => each!(|left: f64, right: f64| left - right),
        Both::Times => each!(|left: f64, right: f64| left * right),
        Both::Over => each!(|left: f64, right: f64| left / right),
        Both::Power => each!(|left: f64, right: f64| left.powf(right)),
        Both::Least => {
            each!(|left: f64, right: f64| if left <= right || left.is_nan() { left } else { right })
        }
        Both::Greatest => {
            each!(|left: f64, right: f64| if left >= right || left.is_nan() { left } else { right })
        }
        Both::Less => each!(|left: f64, right: f64| holds(left < right)),
        Both::LessOrEqual => each!(|left: f64, right: f64| holds(left <= right)),
        Both::Equal => each!(|left: f64, right: f64| holds(same(left, right))),
    }
}
