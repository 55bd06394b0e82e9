//! Operators along each row: across the assets of one moment.

use super::panel::by_rows;
use super::wide::{LANES, Wide, zero_of};
use mts_foundation::sizing::ComputeError;
use ndarray::{Array2, ArrayView2, ArrayViewMut2};

/// An operator along each row. Missing values stay missing and count for nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CrossSection {
    /// Rank over the number of values, from 1 / n = least to 1 = greatest; ties share their mean.
    Rank,
    /// Less the mean, over the standard deviation. A row whose values do not differ, or has fewer than two, is NaN, as
    /// nothing tells them apart ([`zscore_in_place`](crate::cross_section::zscore_in_place) gives zero).
    ZScore {
        /// Taken off the number of values: 0 for the population.
        ddof: usize,
    },
    /// The mean, in the place of each value.
    Mean,
    /// Less the mean.
    Demean,
    /// Multiplied so that the absolute values add up to this; NaN where they add up to zero.
    Scale {
        /// What they add up to.
        to: f64,
    },
    /// Cut to two quantiles of the row.
    Winsorise {
        /// The lower, from 0.
        lower: f64,
        /// The upper, up to 1.
        upper: f64,
    },
}

/// Memory that rows share.
#[derive(Debug, Default, Clone)]
pub struct Scratch {
    keys: Vec<u64>,
    other: Vec<u64>,
    values: Vec<f64>,
    counts: Vec<u32>,
}

impl CrossSection {
    /// One row into another of the same length.
    pub fn row(self, row: &[f64], out: &mut [f64], scratch: &mut Scratch) {
        match self {
            Self::Rank => rank(row, out, scratch),
            Self::ZScore { ddof } => {
                let (count, mean, squares) = moments(row);
                let free = count - ddof as f64;
                let usable = count > 1.5 && free > 0.0 && squares > 0.0;
                let scale = if usable { 1.0 / (squares / free).sqrt() } else { f64::NAN };
                for (out, value) in out.iter_mut().zip(row) {
                    *out = (value - mean) * scale;
                }
            }
            Self::Mean => {
                let (_, mean, _) = moments(row);
                for (out, value) in out.iter_mut().zip(row) {
                    *out = mean + zero_of(*value);
                }
            }
            Self::Demean => {
                let (_, mean, _) = moments(row);
                for (out, value) in out.iter_mut().zip(row) {
                    *out = value - mean;
                }
            }
            Self::Scale { to } => {
                let total: f64 = row.iter().filter(|value| !value.is_nan()).map(|value| value.abs()).sum();
                let factor = if total > 0.0 { to / total } else { f64::NAN };
                for (out, value) in out.iter_mut().zip(row) {
                    *out = value * factor;
                }
            }
            Self::Winsorise { lower, upper } => {
                scratch.values.clear();
                scratch.values.extend(row.iter().filter(|value| !value.is_nan()));
                scratch.values.sort_unstable_by(f64::total_cmp);
                let (least, greatest) = (quantile(&scratch.values, lower), quantile(&scratch.values, upper));
                for (out, value) in out.iter_mut().zip(row) {
                    *out = if *value < least {
                        least
                    } else if *value > greatest {
                        greatest
                    } else {
                        *value
                    };
                }
            }
        }
    }

    /// Every row of a panel into a buffer of its shape, on that many threads (by blocks of rows).
    ///
    /// # Errors
    /// [`ComputeError`] for shapes that differ or quantiles out of order.
    pub fn over(
        self,
        input: ArrayView2<'_, f64>,
        out: ArrayViewMut2<'_, f64>,
        threads: usize,
    ) -> Result<(), ComputeError> {
        self.check()?;
        by_rows(&[input], out, threads, Scratch::default, |rows, out, scratch| {
            if let [row] = rows {
                self.row(row, out, scratch);
            }
        })
    }

    pub(crate) fn check(self) -> Result<(), ComputeError> {
        match self {
            Self::Winsorise { lower, upper } if !(0.0 <= lower && lower <= upper && upper <= 1.0) => {
                let message = format!("quantiles {lower} and {upper}; they rise and lie from 0 to 1");
                Err(ComputeError::new("winsorise", message))
            }
            _ => Ok(()),
        }
    }

    /// The same into a panel of its own, on one thread.
    ///
    /// # Errors
    /// As [`CrossSection::over`].
    pub fn of(self, input: ArrayView2<'_, f64>) -> Result<Array2<f64>, ComputeError> {
        let mut out = Array2::from_elem(input.dim(), f64::NAN);
        self.over(input, out.view_mut(), 1)?;
        Ok(out)
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = (sorted.len() as f64 - 1.0) * share;
    let whole = position.floor();
    let mut from = sorted.iter().enumerate().skip_while(|(index, _)| (*index as f64) < whole);
    let low = from.next().map_or(f64::NAN, |(_, low)| *low);
    let high = from.next().map_or(low, |(_, high)| *high);
    low + (high - low) * (position - whole)
}

/// Several sums side by side, so that no addition waits for the one before it.
struct Sums([Wide; 4]);

impl Sums {
    fn over(row: &[f64], term: impl Fn(f64) -> f64) -> f64 {
        let mut sums = Self([Wide::ZERO; 4]);
        let mut wholes = row.chunks_exact(4 * LANES);
        for whole in &mut wholes {
            for (sum, part) in sums.0.iter_mut().zip(whole.chunks_exact(LANES)) {
                *sum = *sum + Wide::load(part).map(&term);
            }
        }
        let Self([first, second, third, fourth]) = sums;
        let wide: f64 = ((first + second) + (third + fourth)).0.iter().sum();
        wide + wholes.remainder().iter().map(|value| term(*value)).sum::<f64>()
    }
}

/// Number of values, their mean, and the sum of squared deviations from it, in two passes.
fn moments(row: &[f64]) -> (f64, f64, f64) {
    let plain = Sums::over(row, |value| value);
    let (count, total) = if plain.is_nan() {
        (
            Sums::over(row, |value| if value.is_nan() { 0.0 } else { 1.0 }),
            Sums::over(row, |value| if value.is_nan() { 0.0 } else { value }),
        )
    } else {
        (row.len() as f64, plain)
    };
    let mean = total / count;
    let squares = Sums::over(row, |value| {
        let off = value - mean;
        if off.is_nan() { 0.0 } else { off * off }
    });
    // What rounding of the mean leaves of values that are all the same is no spread.
    let tiny = (mean * f64::EPSILON).powi(2) * count * 4.0;
    let first = row.iter().find(|value| !value.is_nan());
    let all_same = squares <= tiny
        && first
            .is_some_and(|first| row.iter().all(|value| value.is_nan() || value.total_cmp(first).is_eq()));
    (count, mean, if all_same { 0.0 } else { squares })
}

/// Rows shorter than this are sorted by comparing.
const SHORT: usize = 96;

/// Bits of one pass of the radix sort.
const BITS: u32 = 11;
const BUCKETS: usize = 1 << BITS;
const MASK: u64 = (1 << BITS) - 1;

/// The upper half of bits that order as the values do.
fn ordered(value: f64) -> u64 {
    // Adding zero makes the two zeros one.
    let bits = (value + 0.0).to_bits();
    let flip = if bits >> 63 == 1 { u64::MAX } else { 1 << 63 };
    bits ^ flip
}

/// Ranks as fractions: a radix sort by the upper 32 bits, beside each its column; what is equal there (few) by comparing.
fn rank(row: &[f64], out: &mut [f64], scratch: &mut Scratch) {
    let Scratch { keys, other, counts, .. } = scratch;
    keys.clear();
    for (column, value) in (0_u64..).zip(row) {
        if !value.is_nan() {
            keys.push((ordered(*value) >> 32 << 32) | column);
        }
    }
    if keys.len() < SHORT {
        keys.sort_unstable();
    } else {
        radix(keys, other, counts);
    }
    out.fill(f64::NAN);
    let count = keys.len() as f64;
    let value_of = |key: u64| row.get(column_of(key)).copied().unwrap_or(f64::NAN);
    let mut before = 0.0;
    for run in keys.chunk_by_mut(|left, right| left >> 32 == right >> 32) {
        if let [only] = run {
            if let Some(out) = out.get_mut(column_of(*only)) {
                *out = (before + 1.0) / count;
            }
            before += 1.0;
            continue;
        }
        run.sort_unstable_by_key(|key| ordered(value_of(*key)));
        for equals in run.chunk_by(|left, right| ordered(value_of(*left)) == ordered(value_of(*right))) {
            let rank = before + (equals.len() as f64 + 1.0) / 2.0;
            for key in equals {
                if let Some(out) = out.get_mut(column_of(*key)) {
                    *out = rank / count;
                }
            }
            before += equals.len() as f64;
        }
    }
}

/// The column that lies in the lower half of a key.
fn column_of(key: u64) -> usize {
    usize::try_from(key & u64::from(u32::MAX)).unwrap_or(usize::MAX)
}

/// Which bucket of a pass a key falls into.
fn bucket(key: u64, pass: u32) -> usize {
    usize::try_from((key >> (32 + pass * BITS)) & MASK).unwrap_or(0)
}

/// Sorts keys by their upper 32 bits, in three passes of which those that change nothing are left out.
fn radix(keys: &mut Vec<u64>, other: &mut Vec<u64>, counts: &mut Vec<u32>) {
    counts.clear();
    counts.resize(3 * BUCKETS, 0);
    other.clear();
    other.resize(keys.len(), 0);
    for key in keys.iter() {
        for (pass, counts) in (0_u32..).zip(counts.chunks_exact_mut(BUCKETS)) {
            if let Some(count) = counts.get_mut(bucket(*key, pass)) {
                *count += 1;
            }
        }
    }
    for (pass, counts) in (0_u32..).zip(counts.chunks_exact_mut(BUCKETS)) {
        if counts.iter().any(|count| usize::try_from(*count).is_ok_and(|count| count == keys.len())) {
            continue;
        }
        let mut start = 0;
        for count in counts.iter_mut() {
            (*count, start) = (start, start + *count);
        }
        for key in keys.iter() {
            if let Some(place) = counts.get_mut(bucket(*key, pass)) {
                if let Some(target) = usize::try_from(*place).ok().and_then(|place| other.get_mut(place)) {
                    *target = *key;
                }
                *place += 1;
            }
        }
        std::mem::swap(keys, other);
    }
}
