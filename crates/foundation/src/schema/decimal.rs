//! How decimals look in schemas.

use super::patterns::{DECIMAL, POSITIVE_DECIMAL};
use crate::num::{exact, exact_option};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// 2^−20: a JSON number is exact when it is a multiple of it, see [`exact_float`](crate::num::exact_float).
const SMALLEST_STEP: f64 = 1.0 / 1_048_576.0;

/// The schema of a decimal greater than zero, for `#[schemars(with = "PositiveDecimal")]`.
#[derive(Debug)]
pub enum PositiveDecimal {}

impl JsonSchema for exact {
    fn schema_name() -> Cow<'static, str> {
        "Decimal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An exact decimal of at most 28 digits, written as text. A number is read only when it is \
                exact: an integer, or a fraction of at most twenty binary places (0.5, not 0.1).",
            "examples": ["180.25", "-0.000001"],
            "anyOf": [
                { "type": "string", "pattern": DECIMAL },
                { "type": "number", "minimum": i64::MIN, "maximum": u64::MAX, "multipleOf": SMALLEST_STEP },
            ],
        })
    }
}

impl JsonSchema for PositiveDecimal {
    fn schema_name() -> Cow<'static, str> {
        "PositiveDecimal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A `Decimal` greater than zero.",
            "examples": ["180.25"],
            "anyOf": [
                { "type": "string", "pattern": POSITIVE_DECIMAL },
                { "type": "number", "exclusiveMinimum": 0, "maximum": u64::MAX, "multipleOf": SMALLEST_STEP },
            ],
        })
    }
}

impl JsonSchema for exact_option {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OptionalDecimal".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<exact>::json_schema(generator)
    }
}
