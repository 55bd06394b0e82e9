//! Fewer points for the same picture.

/// Neighbouring points without a gap between them, as (x, y).
pub(super) type Run = Vec<(f64, f64)>;

/// Largest magnitude that a chart draws; beyond it, arithmetic on axes would overflow.
const LARGEST: f64 = 1e100;

/// Whether a value can be drawn; whatever cannot is a gap.
pub(super) fn drawable(value: f64) -> bool {
    value.is_finite() && value.abs() <= LARGEST
}

/// Splits a series into runs of drawable points, at most about `budget` of them in all.
///
/// A series that fits is kept whole, with a break at every gap. A longer one is cut into equal stretches of x, and of
/// each stretch the lowest and the highest value stay, at their own x; so do the first and the last value. No extreme
/// is lost, and a run then breaks where a whole stretch has values but none that can be drawn.
///
/// `xs` must not decrease.
pub(super) fn thin(xs: &[f64], ys: &[f64], budget: usize) -> Vec<Run> {
    let mut runs = Runs::default();
    let points = || xs.iter().copied().zip(ys.iter().copied());
    if points().len() <= budget {
        for point in points() {
            runs.take(drawable(point.1).then_some(point));
        }
        return runs.finish();
    }
    let (Some(start), Some(end)) = (xs.first(), xs.last()) else { return Vec::new() };
    let mut stretches = Stretches::new(*start, *end, (budget / 2).saturating_sub(1).max(1));
    let mut extremes = Extremes::default();
    let mut last = None;
    for point in points() {
        if stretches.advance(point.0) {
            extremes.flush(&mut runs);
        }
        if drawable(point.1) {
            if last.is_none() {
                runs.take(Some(point));
            }
            last = Some(point);
        }
        extremes.add(point);
    }
    extremes.flush(&mut runs);
    if let Some(point) = last {
        runs.take_last(point);
    }
    runs.finish()
}

/// Equal stretches of an axis, walked from left to right.
struct Stretches {
    start: f64,
    width: f64,
    last: u32,
    current: u32,
}

impl Stretches {
    fn new(start: f64, end: f64, number: usize) -> Self {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        Self { start, width: (end - start) / f64::from(number), last: number.saturating_sub(1), current: 0 }
    }

    /// Whether `x` lies in a later stretch than the one before it.
    fn advance(&mut self, x: f64) -> bool {
        let before = self.current;
        while self.current < self.last && x >= self.start + self.width * f64::from(self.current + 1) {
            self.current += 1;
        }
        self.current != before
    }
}

/// Lowest and highest point of one stretch.
#[derive(Default)]
struct Extremes {
    seen: bool,
    low: Option<(usize, (f64, f64))>,
    high: Option<(usize, (f64, f64))>,
    count: usize,
}

impl Extremes {
    fn add(&mut self, point: (f64, f64)) {
        self.seen = true;
        self.count += 1;
        if !drawable(point.1) {
            return;
        }
        if self.low.is_none_or(|(_, low)| point.1 < low.1) {
            self.low = Some((self.count, point));
        }
        if self.high.is_none_or(|(_, high)| point.1 > high.1) {
            self.high = Some((self.count, point));
        }
    }

    fn flush(&mut self, runs: &mut Runs) {
        match (self.low, self.high) {
            (Some(low), Some(high)) => {
                let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
                runs.take(Some(first.1));
                if first.0 != second.0 {
                    runs.take(Some(second.1));
                }
            }
            _ if self.seen => runs.take(None),
            _ => {}
        }
        *self = Self::default();
    }
}

/// Runs under construction.
#[derive(Default)]
struct Runs {
    done: Vec<Run>,
    open: Run,
}

impl Runs {
    /// Adds a point, or ends the run at a gap.
    fn take(&mut self, point: Option<(f64, f64)>) {
        match point {
            Some(point) if self.open.last() != Some(&point) => self.open.push(point),
            Some(_) => {}
            None if self.open.is_empty() => {}
            None => self.done.push(std::mem::take(&mut self.open)),
        }
    }

    /// Makes sure that `point` ends the newest run.
    fn take_last(&mut self, point: (f64, f64)) {
        if self.open.is_empty() && !self.done.is_empty() {
            if let Some(run) = self.done.last_mut()
                && run.last() != Some(&point)
            {
                run.push(point);
            }
        } else {
            self.take(Some(point));
        }
    }

    fn finish(mut self) -> Vec<Run> {
        self.take(None);
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: usize) -> (Vec<f64>, Vec<f64>) {
        let xs: Vec<f64> = (0..length).map(|i| i as f64).collect();
        let mut state = 7_u64;
        let ys = xs.iter().map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64
        });
        let ys = ys.collect();
        (xs, ys)
    }

    #[test]
    fn keeps_the_extremes_and_both_ends() {
        let (xs, mut ys) = noise(50_000);
        ys[31_234] = -1e9;
        ys[31_236] = 1e12;
        let runs = thin(&xs, &ys, 2_000);
        assert_eq!(runs.len(), 1);
        let points = &runs[0];
        assert!(points.len() <= 2_000, "{}", points.len());
        assert!(points.contains(&(31_234.0, -1e9)) && points.contains(&(31_236.0, 1e12)));
        assert_eq!(points.first(), Some(&(0.0, ys[0])));
        assert_eq!(points.last(), Some(&(49_999.0, ys[49_999])));
        assert!(points.is_sorted_by(|a, b| a.0 <= b.0));
    }

    #[test]
    fn short_series_stay_whole_and_break_at_gaps() {
        let xs = [0.0, 1.0, 2.0, 3.0, 4.0];
        let runs = thin(&xs, &[1.0, f64::NAN, 2.0, 3.0, f64::INFINITY], 100);
        assert_eq!(runs, vec![vec![(0.0, 1.0)], vec![(2.0, 2.0), (3.0, 3.0)]]);
        assert!(thin(&xs, &[f64::NAN; 5], 100).is_empty());
        assert!(thin(&[], &[], 0).is_empty());
    }

    #[test]
    fn long_series_show_long_gaps_and_bound_short_ones() {
        let (xs, mut ys) = noise(10_000);
        ys[3_000..4_000].fill(f64::NAN);
        assert_eq!(thin(&xs, &ys, 500).len(), 2);
        ys.iter_mut().step_by(2).for_each(|y| *y = f64::NAN);
        let runs = thin(&xs, &ys, 500);
        assert_eq!(runs.len(), 2);
        assert!(runs.iter().map(Vec::len).sum::<usize>() <= 500);
        ys[5_000..].fill(f64::NAN);
        let runs = thin(&xs, &ys, 500);
        assert_eq!(runs.last().and_then(|run| run.last()), Some(&(4_999.0, ys[4_999])));
        assert!(thin(&[1.0; 900], &[2.0; 900], 100).iter().map(Vec::len).sum::<usize>() <= 3);
    }
}
