//! Exact decimals: how they travel, how floats become decimals, rounding to lots and ticks.

pub use rust_decimal::Decimal;
use rust_decimal::RoundingStrategy;
use rust_decimal::prelude::FromPrimitive;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Decimal places that weights and sizes keep when they leave floating point (decision H8).
pub const WEIGHT_SCALE: u32 = 9;

/// Largest quantity of one order or fill: 1e15 units. With [`MAX_PRICE`] it keeps every value of an order well inside
/// the range of decimals, so that a misplaced unit is refused at the border and not in the middle of the books.
pub const MAX_QUANTITY: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);

/// Largest price of one order, fill or mark: 1e12.
pub const MAX_PRICE: Decimal = Decimal::from_parts(3_567_587_328, 232, 0, false, 0);

/// Why a number cannot be a quantity or price: not greater than zero, or beyond the largest that is taken.
#[must_use]
pub fn fault_of_positive(value: Decimal, largest: Decimal) -> Option<String> {
    if value <= Decimal::ZERO {
        Some(format!("{value} is not greater than zero"))
    } else if value > largest {
        Some(format!("{value} is beyond the largest that is taken, {largest}; check the unit"))
    } else {
        None
    }
}

/// Rounds a floating-point weight to 1e-9, half away from zero; `None` for NaN, infinities and values that a
/// decimal cannot hold.
///
/// Everything that comes from `f64` passes here before it enters the deterministic core, so that the core sees the
/// same decimal on every machine.
#[must_use]
pub fn quantise(value: f64) -> Option<Decimal> {
    let exact = Decimal::from_f64_retain(value)?;
    Some(exact.round_dp_with_strategy(WEIGHT_SCALE, RoundingStrategy::MidpointAwayFromZero).normalize())
}

/// The decimal a person wrote: `0.05_f64` becomes `0.05`, by way of the shortest text that parses back to the same
/// float. For limits in configuration, which are documented as floats.
#[must_use]
pub fn as_written(value: f64) -> Option<Decimal> {
    if !value.is_finite() {
        return None;
    }
    let text = value.to_string();
    text.parse().ok().or_else(|| Decimal::from_f64(value))
}

/// Largest multiple of `lot` that does not exceed `quantity`; zero when `lot` is not positive.
#[must_use]
pub fn floor_to_lot(quantity: Decimal, lot: Decimal) -> Decimal {
    if lot <= Decimal::ZERO {
        return Decimal::ZERO;
    }
    match quantity.checked_div(lot) {
        Some(lots) => lots.floor().checked_mul(lot).unwrap_or(Decimal::ZERO).normalize(),
        None => Decimal::ZERO,
    }
}

/// Rounds money to this many places, half away from zero.
#[must_use]
pub fn round(value: Decimal, places: u32) -> Decimal {
    value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
}

/// So many binary digits that the whole part of `value`, whatever its sign, has no more: `|value| < 2^digits`. Negative for
/// small values. A bound, not a count; it costs a few instructions, where comparing decimals of different scales multiplies.
pub(crate) fn binary_digits(value: Decimal) -> i32 {
    let digits = i128::BITS - value.mantissa().unsigned_abs().leading_zeros();
    // Each decimal place takes more than 3.25 binary digits off.
    let places = value.scale() * 13 / 4;
    i32::try_from(digits).unwrap_or(i32::MAX) - i32::try_from(places).unwrap_or(0)
}

/// Whether `value` is a whole multiple of `step`; a `step` of zero or less allows every value.
#[must_use]
pub fn is_multiple(value: Decimal, step: Decimal) -> bool {
    step <= Decimal::ZERO || value.checked_rem(step).is_some_and(|rest| rest.is_zero())
}

/// Serde for a [`Decimal`]: a string in JSON, sixteen bytes in binary formats. For `#[serde(with = "exact")]`.
///
/// A JSON number is accepted only when it is exact: an integer, or a float whose binary value is a finite decimal
/// (0.5 is, 0.1 is not). Anything else must be written as a string.
// A type and not a module: schemars takes what stands behind `with` for a type and finds the schema here, so that
// fields need no second attribute.
#[expect(non_camel_case_types, reason = "a path in serde attributes, where modules stand otherwise")]
#[derive(Debug)]
pub enum exact {}

impl exact {
    /// Writes the decimal.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(value)
        } else {
            halves(value.serialize()).serialize(serializer)
        }
    }

    /// Reads a decimal.
    ///
    /// # Errors
    /// When the text is no decimal or the number is not exact.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(DecimalVisitor)
        } else {
            let (low, high) = <(f64, f64)>::deserialize(deserializer)?;
            let mut bytes = [0; 16];
            bytes
                .iter_mut()
                .zip(low.to_le_bytes().into_iter().chain(high.to_le_bytes()))
                .for_each(|(to, from)| *to = from);
            Ok(Decimal::deserialize(bytes))
        }
    }
}

/// Sixteen bytes as two floats with the same bits. Binary formats write a float as its eight bytes, in one step; an array of
/// bytes goes byte by byte, which took a twentieth of an order's time. What is written is the same.
fn halves(bytes: [u8; 16]) -> (f64, f64) {
    let half = |half: Option<&[u8; 8]>| half.copied().map_or(0.0, f64::from_le_bytes);
    (half(bytes.first_chunk()), half(bytes.last_chunk()))
}

struct DecimalVisitor;

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a decimal as a string, or an exact number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Decimal, E> {
        parse(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Decimal, E> {
        Ok(Decimal::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Decimal, E> {
        Ok(Decimal::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Decimal, E> {
        exact_float(value).ok_or_else(|| {
            E::custom(format!(
                "the number {value} is not exact in binary: write it as the string \"{value}\""
            ))
        })
    }
}

/// Serde for an optional [`Decimal`], by the rules of [`exact`].
#[expect(non_camel_case_types, reason = "a path in serde attributes, where modules stand otherwise")]
#[derive(Debug)]
pub enum exact_option {}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Exact(#[serde(with = "exact")] Decimal);

impl exact_option {
    /// Writes the decimal, or the format's "none".
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Exact).serialize(serializer)
    }

    /// Reads an optional decimal.
    ///
    /// # Errors
    /// When a value is present and is no exact decimal.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
        Ok(Option::<Exact>::deserialize(deserializer)?.map(|exact| exact.0))
    }
}

/// Parses decimal text, scientific notation included, refusing digits beyond the 28 that a decimal holds.
///
/// # Errors
/// A sentence that names the text and the remedy.
pub fn parse(text: &str) -> Result<Decimal, String> {
    let text = text.trim();
    let parsed = if text.contains(['e', 'E']) {
        Decimal::from_scientific(text)
    } else {
        Decimal::from_str_exact(text)
    };
    parsed.map_err(|_| format!("\"{text}\" is not a decimal of at most 28 digits, such as \"180.25\""))
}

/// The decimal equal to `value`, if a finite decimal of at most 28 digits is exactly equal to it.
#[must_use]
pub fn exact_float(value: f64) -> Option<Decimal> {
    // A dyadic fraction k / 2^n with n <= 20 fits: five decimal digits per four bits at the most.
    const MAX_HALVINGS: u32 = 20;
    if !value.is_finite() || value.abs() >= 9_007_199_254_740_992.0 {
        return None;
    }
    let mut scaled = value;
    let mut divisor = Decimal::ONE;
    for _ in 0..=MAX_HALVINGS {
        if scaled.fract().abs() < f64::MIN_POSITIVE {
            return Decimal::from_f64(scaled)?.checked_div(divisor).map(|exact| exact.normalize());
        }
        scaled *= 2.0;
        divisor *= Decimal::TWO;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Price {
        #[serde(with = "exact")]
        value: Decimal,
        #[serde(with = "exact_option", default)]
        limit: Option<Decimal>,
    }

    #[test]
    fn decimals_travel_as_strings_and_keep_their_scale() {
        let price: Price = serde_json::from_str(r#"{"value":"180.50","limit":"1"}"#).unwrap();
        assert_eq!(serde_json::to_string(&price).unwrap(), r#"{"value":"180.50","limit":"1"}"#);
        let bytes = postcard::to_stdvec(&price).unwrap();
        let back: Price = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(back, price);
        assert_eq!(back.value.scale(), 2);
    }

    #[test]
    fn json_numbers_are_accepted_only_when_exact() {
        let ok: Price = serde_json::from_str(r#"{"value":180.25}"#).unwrap();
        assert_eq!(ok.value.to_string(), "180.25");
        let whole: Price = serde_json::from_str(r#"{"value":-7,"limit":2}"#).unwrap();
        assert_eq!((whole.value, whole.limit), (Decimal::from(-7), Some(Decimal::TWO)));
        let error = serde_json::from_str::<Price>(r#"{"value":0.1}"#).unwrap_err().to_string();
        assert!(error.contains("write it as the string \"0.1\""), "{error}");
        assert!(serde_json::from_str::<Price>(r#"{"value":"ten"}"#).is_err());
        assert!(serde_json::from_str::<Price>(r#"{"value":"0.12345678901234567890123456789"}"#).is_err());
    }

    #[test]
    fn weights_are_quantised_to_nine_places() {
        assert_eq!(quantise(0.2).unwrap().to_string(), "0.2");
        assert_eq!(quantise(1.0 / 3.0).unwrap().to_string(), "0.333333333");
        assert_eq!(quantise(-0.000_000_000_5).unwrap().to_string(), "-0.000000001");
        assert_eq!(quantise(f64::NAN), None);
        assert_eq!(quantise(f64::INFINITY), None);
    }

    #[test]
    fn the_largest_numbers_are_those_of_their_docs() {
        assert_eq!(MAX_QUANTITY.to_string(), "1000000000000000");
        assert_eq!(MAX_PRICE.to_string(), "1000000000000");
        assert!(MAX_QUANTITY.checked_mul(MAX_PRICE).is_some());
        assert!(fault_of_positive(MAX_PRICE, MAX_PRICE).is_none());
        assert!(fault_of_positive(MAX_PRICE + Decimal::ONE, MAX_PRICE).is_some());
    }

    #[test]
    fn binary_digits_are_never_too_few() {
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        let two = |digits: i32| 2_f64.powi(digits);
        for text in ["0", "0.00", "1", "-1", "255", "256", "0.001", "123456.789", "1e12", "-7.999"] {
            let value = parse(text).unwrap();
            let float = value.abs().to_string().parse::<f64>().unwrap();
            assert!(float < two(binary_digits(value)), "{text}: {}", binary_digits(value));
        }
        for scale in 0..=28 {
            let value = Decimal::from_i128_with_scale(Decimal::MAX.mantissa() / 3 * 2, scale);
            let float = value.to_string().parse::<f64>().unwrap();
            assert!(float < two(binary_digits(value)) && float > two(binary_digits(value) - 4), "{value}");
        }
        assert_eq!((binary_digits(d("1")), binary_digits(d("256")), binary_digits(d("0.001"))), (1, 9, -8));
    }

    #[test]
    fn lots_round_down() {
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(floor_to_lot(d("199.99"), d("100")), d("100"));
        assert_eq!(floor_to_lot(d("0.123456"), d("0.001")), d("0.123"));
        assert_eq!(floor_to_lot(d("5"), Decimal::ZERO), Decimal::ZERO);
        assert!(is_multiple(d("0.30"), d("0.1")));
        assert!(!is_multiple(d("0.35"), d("0.1")));
    }

    #[test]
    fn limits_keep_the_value_that_was_written() {
        assert_eq!(as_written(0.05).unwrap().to_string(), "0.05");
        assert_eq!(as_written(0.1 + 0.2).unwrap().to_string(), "0.30000000000000004");
        assert_eq!(as_written(f64::INFINITY), None);
    }
}
