//! Means and deviations whose weights fall by the same factor each row.

use super::Step;

/// Figures of one column so far.
#[derive(Clone, Copy)]
struct Running {
    mean: f64,
    variance: f64,
    /// Weight of all rows so far beside the next one's.
    weight: f64,
    /// Sums of the weights and of their squares.
    weights: f64,
    squares: f64,
}

/// Exponentially weighted mean or standard deviation.
pub(crate) struct Exponential {
    decay: f64,
    newest: f64,
    adjust: bool,
    deviation: bool,
    columns: Vec<Option<Running>>,
}

impl Exponential {
    pub(crate) fn new(alpha: f64, adjust: bool, deviation: bool, columns: usize) -> Self {
        let newest = if adjust { 1.0 } else { alpha };
        Self { decay: 1.0 - alpha, newest, adjust, deviation, columns: vec![None; columns] }
    }

    fn next(&self, before: Option<Running>, value: f64) -> Option<Running> {
        let Some(mut running) = before else {
            let start = Running { mean: value, variance: 0.0, weight: 1.0, weights: 1.0, squares: 1.0 };
            return (!value.is_nan()).then_some(start);
        };
        running.weight *= self.decay;
        running.weights *= self.decay;
        running.squares *= self.decay * self.decay;
        if value.is_nan() {
            return Some(running);
        }
        let total = running.weight + self.newest;
        let off = value - running.mean;
        let share = self.newest / total;
        running.mean += off * share;
        running.variance = running.weight / total * (running.variance + share * off * off);
        running.weights += self.newest;
        running.squares += self.newest * self.newest;
        running.weight = total;
        if !self.adjust {
            running.weights /= total;
            running.squares /= total * total;
            running.weight = 1.0;
        }
        Some(running)
    }
}

impl Step for Exponential {
    fn push(&mut self, inputs: &[&[f64]], out: &mut [f64]) {
        let Some(row) = inputs.first() else { return };
        let mut columns = std::mem::take(&mut self.columns);
        for ((out, running), value) in out.iter_mut().zip(&mut columns).zip(*row) {
            *running = self.next(*running, *value);
            *out = match running {
                Some(running) if !value.is_nan() => {
                    if self.deviation {
                        let total = running.weights * running.weights;
                        // Unbiased, as by pandas; one row has no deviation.
                        let free = total - running.squares;
                        if free > 0.0 { (running.variance * total / free).sqrt() } else { f64::NAN }
                    } else {
                        running.mean
                    }
                }
                _ => f64::NAN,
            };
        }
        self.columns = columns;
    }
}
