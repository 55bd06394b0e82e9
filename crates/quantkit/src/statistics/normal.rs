//! The standard normal distribution, to the last digits of an `f64` in both tails.

use std::f64::consts::PI;

/// Below this distance from 0 the series about 0 is used, above it the continued fraction of the tail.
const NEAR: f64 = 0.7;

/// e^(−x²/2), without the rounding of x² that a far tail would multiply.
fn bell(x: f64) -> f64 {
    let high = (x * 16.0).trunc() / 16.0;
    (-0.5 * high * high).exp() * (-0.5 * (x - high) * (x + high)).exp()
}

/// Density.
#[must_use]
pub fn density(x: f64) -> f64 {
    bell(x) / (2.0 * PI).sqrt()
}

/// Probability of a value above `x` for x at least [`NEAR`]: Laplace's continued fraction of Mills' ratio.
fn far_tail(x: f64) -> f64 {
    let mut fraction = x;
    // The error falls like e^(−2x√k); so many steps put it under the last digit.
    let mut step = (370.0 / (x * x)).ceil() + 12.0;
    while step >= 1.0 {
        fraction = x + step / fraction;
        step -= 1.0;
    }
    density(x) / fraction
}

/// Probability of lying between 0 and `x`, with the sign of `x`: Marsaglia (2004), all terms of one sign.
fn from_zero(x: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > f64::EPSILON * 0.1 * sum.abs() {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    sum * density(x)
}

/// Probability of a value up to `x`.
#[must_use]
pub fn cumulative_probability(x: f64) -> f64 {
    if x.is_nan() {
        f64::NAN
    } else if x.abs() < NEAR {
        0.5 + from_zero(x)
    } else if x < 0.0 {
        far_tail(-x)
    } else {
        1.0 - far_tail(x)
    }
}

/// Probability of a value above `x`, exact where [`cumulative_probability`] is nearly 1.
#[must_use]
pub fn survival(x: f64) -> f64 {
    cumulative_probability(-x)
}

/// The complementary error function.
#[must_use]
pub fn complementary_error(x: f64) -> f64 {
    2.0 * survival(x * std::f64::consts::SQRT_2)
}

/// The value that is not passed with probability `p`; infinite at 0 and 1, NaN outside. Wichura (1988), algorithm
/// AS 241, with relative error about 1e-16.
#[must_use]
pub fn inverse(p: f64) -> f64 {
    /// A polynomial, the constant last.
    fn polynomial(x: f64, coefficients: &[f64]) -> f64 {
        coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
    }
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    let centred = p - 0.5;
    if centred.abs() <= 0.425 {
        let r = 0.180_625 - centred * centred;
        let above = [
            2.509_080_928_730_122_7e3,
            3.343_057_558_358_813e4,
            6.726_577_092_700_87e4,
            4.592_195_393_154_987e4,
            1.373_169_376_550_946e4,
            1.971_590_950_306_551_3e3,
            1.331_416_678_917_843_8e2,
            3.387_132_872_796_366_5,
        ];
        let below = [
            5.226_495_278_852_854e3,
            2.872_908_573_572_194_3e4,
            3.930_789_580_009_271e4,
            2.121_379_430_158_659_7e4,
            5.394_196_021_424_751e3,
            6.871_870_074_920_579e2,
            4.231_333_070_160_091e1,
            1.0,
        ];
        return centred * polynomial(r, &above) / polynomial(r, &below);
    }
    let tail = if centred < 0.0 { p } else { 1.0 - p };
    if tail <= 0.0 {
        return f64::INFINITY.copysign(centred);
    }
    let r = (-tail.ln()).sqrt();
    let size = if r <= 5.0 {
        let above = [
            7.745_450_142_783_414e-4,
            2.272_384_498_926_918_4e-2,
            2.417_807_251_774_506e-1,
            1.270_458_252_452_368_4,
            3.647_848_324_763_204_5,
            5.769_497_221_460_691,
            4.630_337_846_156_546,
            1.423_437_110_749_683_5,
        ];
        let below = [
            1.050_750_071_644_416_9e-9,
            5.475_938_084_995_345e-4,
            1.519_866_656_361_645_7e-2,
            1.481_039_764_274_800_8e-1,
            6.897_673_349_851e-1,
            1.676_384_830_183_803_8,
            2.053_191_626_637_759,
            1.0,
        ];
        polynomial(r - 1.6, &above) / polynomial(r - 1.6, &below)
    } else {
        let above = [
            2.010_334_399_292_288_1e-7,
            2.711_555_568_743_487_6e-5,
            1.242_660_947_388_078_4e-3,
            2.653_218_952_657_612_4e-2,
            2.965_605_718_285_048_7e-1,
            1.784_826_539_917_291_3,
            5.463_784_911_164_114,
            6.657_904_643_501_103,
        ];
        let below = [
            2.044_263_103_389_939_8e-15,
            1.421_511_758_316_446e-7,
            1.846_318_317_510_054_8e-5,
            7.868_691_311_456_133e-4,
            1.487_536_129_085_061_5e-2,
            1.369_298_809_227_358e-1,
            5.998_322_065_558_88e-1,
            1.0,
        ];
        polynomial(r - 5.0, &above) / polynomial(r - 5.0, &below)
    };
    size.copysign(centred)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relative(found: f64, wanted: f64) -> f64 {
        (found / wanted - 1.0).abs()
    }

    #[test]
    fn tabulated_values() {
        // Abramowitz & Stegun, table 26.1 and 26.2, and 30-digit sums.
        for (x, wanted) in [
            (-1.0, 0.158_655_253_931_457_05),
            (1.0, 0.841_344_746_068_542_9),
            (-2.0, 0.022_750_131_948_179_21),
            (-3.0, 1.349_898_031_630_094_6e-3),
            (-5.0, 2.866_515_718_791_939e-7),
            (-8.0, 6.220_960_574_271_785e-16),
            (-0.5, 0.308_537_538_725_986_9),
        ] {
            let found = cumulative_probability(x);
            assert!(relative(found, wanted) < 1e-15, "{x}: {found:e} instead of {wanted:e}");
        }
        assert!(relative(complementary_error(0.5), 0.479_500_122_186_953_5) < 1e-15);
        assert!(relative(inverse(0.975), 1.959_963_984_540_054) < 1e-15);
        assert!(relative(inverse(0.05), -1.644_853_626_951_472_7) < 1e-15);
        assert!(inverse(0.0) == f64::NEG_INFINITY && inverse(1.0) == f64::INFINITY && inverse(1.1).is_nan());
    }

    #[test]
    fn the_inverse_undoes_the_probability() {
        for step in 1..370 {
            let x = -f64::from(step) / 10.0;
            let p = cumulative_probability(x);
            if p > 1e-300 {
                assert!(relative(inverse(p), x) < 4e-15, "{x}: {}", inverse(p));
            }
        }
    }
}
