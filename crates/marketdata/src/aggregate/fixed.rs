//! Prices and sizes as whole numbers: exact, and fast to compare and add.

use mts_foundation::Decimal;

/// Most digits behind the point.
pub const MAX_DIGITS: u32 = 18;

/// Most digits behind the point that sizes are kept to: a thousand-millionth of a unit. No venue trades less; what has more digits
/// came through floats, and would leave no room for large sizes beside it.
pub const MAX_SIZE_DIGITS: u32 = 9;

/// A size with no more digits than are kept.
#[inline]
pub(crate) fn kept(size: Decimal) -> Decimal {
    if size.scale() > MAX_SIZE_DIGITS { size.round_dp(MAX_SIZE_DIGITS) } else { size }
}

/// How many digits behind the point the whole numbers of an instrument have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// Of prices.
    pub price: u32,
    /// Of sizes.
    pub size: u32,
}

impl Scale {
    /// Nine digits each, as Databento has them: prices and sizes up to 9.2 thousand million.
    pub const NANO: Self = Self { price: 9, size: 9 };

    /// The least that states both numbers exactly.
    #[must_use]
    pub fn of(price: Decimal, size: Decimal) -> Self {
        Self { price: price.normalize().scale(), size: size.normalize().scale() }
    }
}

/// A number in units of `10^-digits`; `None` = it has more digits than that, or is beyond 64 bits.
#[must_use]
pub fn whole(value: Decimal, digits: u32) -> Option<i64> {
    let (mantissa, scale) = (value.mantissa(), value.scale());
    let scaled = if scale <= digits {
        mantissa.checked_mul(10_i128.checked_pow(digits - scale)?)?
    } else {
        let by = 10_i128.checked_pow(scale - digits)?;
        if mantissa % by != 0 {
            return None;
        }
        mantissa / by
    };
    i64::try_from(scaled).ok()
}

/// The number that is meant by units of `10^-digits`; `None` = it is beyond 96 bits.
#[must_use]
pub fn decimal(units: i128, digits: u32) -> Option<Decimal> {
    Decimal::try_from_i128_with_scale(units, digits).ok().map(|value| value.normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_go_there_and_come_back_or_are_refused() {
        for (text, digits, units) in
            [("180.01", 2, 18_001), ("180.010", 2, 18_001), ("-0.5", 9, -500_000_000), ("3", 0, 3)]
        {
            assert_eq!(whole(d(text), digits), Some(units), "{text}");
            assert_eq!(decimal(units.into(), digits), Some(d(text)), "{text}");
        }
        assert_eq!(whole(d("0.001"), 2), None, "a digit too many");
        assert_eq!(whole(d("10000000000"), 9), None, "beyond 64 bits");
        assert_eq!(whole(Decimal::MAX, 18), None);
        assert_eq!(decimal(i128::MAX, 0), None);
        assert_eq!(Scale::of(d("1.50"), d("100")), Scale { price: 1, size: 0 });
    }
}
