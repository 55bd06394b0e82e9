//! Whole panels, by blocks of columns or of rows.

use super::Rolling;
use mts_foundation::sizing::ComputeError;
use ndarray::{ArrayView2, ArrayViewMut2, Axis};

/// Columns of a block: with a window of a quarter of a year, what is kept of it stays in the second-level cache.
const COLUMNS: usize = 256;

/// A block of columns of every input, and of the output.
struct Block<'a> {
    inputs: Vec<ArrayView2<'a, f64>>,
    out: ArrayViewMut2<'a, f64>,
}

pub(crate) fn by_columns(
    operator: Rolling,
    inputs: &[ArrayView2<'_, f64>],
    out: ArrayViewMut2<'_, f64>,
    threads: usize,
) -> Result<(), ComputeError> {
    let refuse = |message: String| Err(ComputeError::new(format!("{operator:?}"), message));
    if inputs.len() != operator.inputs() {
        return refuse(format!("{} inputs; it takes {}", inputs.len(), operator.inputs()));
    }
    if let Some(other) = inputs.iter().find(|input| input.dim() != out.dim()) {
        return refuse(format!(
            "an input has shape {:?}, the output {:?}; make them equal",
            other.dim(),
            out.dim()
        ));
    }
    operator.stepper(0)?;
    let mut blocks = Vec::new();
    let mut rest = Block { inputs: inputs.to_vec(), out };
    while rest.out.ncols() > COLUMNS {
        let (out, out_rest) = rest.out.split_at(Axis(1), COLUMNS);
        let (inputs, inputs_rest) =
            rest.inputs.into_iter().map(|input| input.split_at(Axis(1), COLUMNS)).unzip();
        blocks.push(Block { inputs, out });
        rest = Block { inputs: inputs_rest, out: out_rest };
    }
    blocks.push(rest);
    shared(blocks, threads, |block| run(operator, block))
}

/// Work cut into pieces, in runs of about the same number, one for each thread.
pub(crate) fn shared<W: Send>(
    mut pieces: Vec<W>,
    threads: usize,
    work: impl Fn(W) -> Result<(), ComputeError> + Sync,
) -> Result<(), ComputeError> {
    let threads = threads.clamp(1, pieces.len().max(1));
    if threads == 1 {
        return pieces.into_iter().try_for_each(work);
    }
    let share = pieces.len().div_ceil(threads);
    let mut runs = Vec::new();
    while pieces.len() > share {
        runs.push(pieces.split_off(pieces.len() - share));
    }
    let work = &work;
    std::thread::scope(|scope| {
        let helpers: Vec<_> =
            runs.into_iter().map(|run| scope.spawn(move || run.into_iter().try_for_each(work))).collect();
        let mut result = pieces.into_iter().try_for_each(work);
        for helper in helpers {
            let outcome = helper.join().unwrap_or_else(|_| {
                Err(ComputeError::new("operators", "a thread failed; run with one thread"))
            });
            result = result.and(outcome);
        }
        result
    })
}

fn run(operator: Rolling, block: Block<'_>) -> Result<(), ComputeError> {
    let Block { inputs, mut out } = block;
    let columns = out.ncols();
    let mut stepper = operator.stepper(columns)?;
    let mut row_copies: Vec<Vec<f64>> = vec![Vec::new(); inputs.len()];
    let mut out_copy = Vec::new();
    for (t, mut out_row) in out.outer_iter_mut().enumerate() {
        let mut rows: Vec<&[f64]> = Vec::with_capacity(inputs.len());
        for (input, copy) in inputs.iter().zip(&mut row_copies) {
            let row = input.row(t);
            // Rows of a panel in column order are not slices.
            rows.push(match row.to_slice() {
                Some(row) => row,
                None => {
                    copy.clear();
                    copy.extend(row.iter());
                    copy
                }
            });
        }
        match out_row.as_slice_mut() {
            Some(out) => stepper.push(&rows, out),
            None => {
                out_copy.resize(columns, f64::NAN);
                stepper.push(&rows, &mut out_copy);
                out_row.iter_mut().zip(&out_copy).for_each(|(out, value)| *out = *value);
            }
        }
    }
    Ok(())
}

/// Rows that are one piece of work.
const ROWS: usize = 64;

/// A function of each row on its own, by blocks of rows. `work` makes what one thread's rows share.
pub(crate) fn by_rows<S>(
    inputs: &[ArrayView2<'_, f64>],
    out: ArrayViewMut2<'_, f64>,
    threads: usize,
    shared_by_rows: impl Fn() -> S + Sync,
    row: impl Fn(&[&[f64]], &mut [f64], &mut S) + Sync,
) -> Result<(), ComputeError> {
    if let Some(other) = inputs.iter().find(|input| input.dim() != out.dim()) {
        let message =
            format!("an input has shape {:?}, the output {:?}; make them equal", other.dim(), out.dim());
        return Err(ComputeError::new("operators", message));
    }
    let mut blocks = Vec::new();
    let mut rest = Block { inputs: inputs.to_vec(), out };
    while rest.out.nrows() > ROWS {
        let (out, out_rest) = rest.out.split_at(Axis(0), ROWS);
        let (inputs, inputs_rest) =
            rest.inputs.into_iter().map(|input| input.split_at(Axis(0), ROWS)).unzip();
        blocks.push(Block { inputs, out });
        rest = Block { inputs: inputs_rest, out: out_rest };
    }
    blocks.push(rest);
    shared(blocks, threads, |Block { inputs, mut out }| {
        let mut state = shared_by_rows();
        let (mut copies, mut out_copy) = (vec![Vec::new(); inputs.len()], Vec::new());
        for (t, mut out_row) in out.outer_iter_mut().enumerate() {
            let mut rows: Vec<&[f64]> = Vec::with_capacity(inputs.len());
            for (input, copy) in inputs.iter().zip(&mut copies) {
                let row = input.row(t);
                rows.push(match row.to_slice() {
                    Some(row) => row,
                    None => {
                        *copy = row.to_vec();
                        copy
                    }
                });
            }
            match out_row.as_slice_mut() {
                Some(out) => row(&rows, out, &mut state),
                None => {
                    out_copy.resize(out_row.len(), f64::NAN);
                    row(&rows, &mut out_copy, &mut state);
                    out_row.iter_mut().zip(&out_copy).for_each(|(out, value)| *out = *value);
                }
            }
        }
        Ok(())
    })
}
