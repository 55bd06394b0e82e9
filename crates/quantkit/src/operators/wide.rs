//! A few columns at once: plain arithmetic that the compiler turns into vector instructions.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// Columns that are treated together.
pub(crate) const LANES: usize = 4;

/// Zero for what is a finite number, else NaN.
#[inline(always)]
pub(crate) fn zero_of(value: f64) -> f64 {
    value.abs() * 0.0
}

/// Whether two values are the same number; NaN is none.
#[inline(always)]
#[expect(clippy::float_cmp, reason = "ties are of values that are exactly the same")]
pub(crate) fn same(left: f64, right: f64) -> bool {
    left == right
}

/// One value of each of [`LANES`] columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Wide(pub(crate) [f64; LANES]);

impl Wide {
    pub(crate) const ZERO: Self = Self([0.0; LANES]);
    pub(crate) const NAN: Self = Self([f64::NAN; LANES]);

    pub(crate) const fn of(value: f64) -> Self {
        Self([value; LANES])
    }

    /// The first columns of a slice; NaN where it is shorter.
    pub(crate) fn load(slice: &[f64]) -> Self {
        if let Ok(whole) = <[f64; LANES]>::try_from(slice) {
            return Self(whole);
        }
        let mut lanes = [f64::NAN; LANES];
        for (lane, value) in lanes.iter_mut().zip(slice) {
            *lane = *value;
        }
        Self(lanes)
    }

    /// Into a slice that may be shorter.
    pub(crate) fn store(self, slice: &mut [f64]) {
        for (target, lane) in slice.iter_mut().zip(self.0) {
            *target = lane;
        }
    }

    #[inline(always)]
    pub(crate) fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self(self.0.map(change))
    }

    #[inline(always)]
    pub(crate) fn with(self, other: Self, join: impl Fn(f64, f64) -> f64) -> Self {
        let mut lanes = self.0;
        for (lane, other) in lanes.iter_mut().zip(other.0) {
            *lane = join(*lane, other);
        }
        Self(lanes)
    }

    /// Zero for what is a finite number, else NaN.
    #[inline(always)]
    pub(crate) fn zero(self) -> Self {
        self.map(zero_of)
    }

    pub(crate) fn sqrt(self) -> Self {
        self.map(f64::sqrt)
    }

    /// The smaller of each; NaN if either is NaN.
    #[inline(always)]
    pub(crate) fn least(self, other: Self) -> Self {
        self.with(other, |left, right| if left <= right || left.is_nan() { left } else { right })
    }

    /// The greater of each; NaN if either is NaN.
    #[inline(always)]
    pub(crate) fn greatest(self, other: Self) -> Self {
        self.with(other, |left, right| if left >= right || left.is_nan() { left } else { right })
    }
}

macro_rules! arithmetic {
    ($($name:ident $method:ident $sign:tt),*) => {$(
        impl $name for Wide {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.with(other, |left, right| left $sign right)
            }
        }
        impl $name<f64> for Wide {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: f64) -> Self {
                self.map(|lane| lane $sign other)
            }
        }
    )*};
}
arithmetic!(Add add +, Sub sub -, Mul mul *, Div div /);

impl Neg for Wide {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|lane| -lane)
    }
}
