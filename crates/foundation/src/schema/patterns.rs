//! The grammars of the texts that travel, as regular expressions of ECMA 262, which JSON Schema uses. White space
//! around a text is trimmed when it is read.

use schemars::Schema;
use serde_json::Value;

/// A decimal, in scientific notation if need be.
pub(super) const DECIMAL: &str = r"^\s*[+-]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][+-]?[0-9]+)?\s*$";

/// A decimal with a digit that is not zero and without a minus.
pub(super) const POSITIVE_DECIMAL: &str =
    r"^\s*\+?(?=[0-9_.]*[1-9])([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][+-]?[0-9]+)?\s*$";

/// What [`checked`](crate::ids) takes: something, and no control characters.
pub(crate) const IDENTIFIER: &str =
    r"^\s*[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?\s*$";

/// An identifier without white space.
pub(crate) const SYMBOL: &str = r"^\s*[^\s\x00-\x1f\x7f-\x9f]+\s*$";

/// A currency's code.
pub(crate) const CURRENCY: &str = r"^\s*[A-Za-z0-9]{3,8}\s*$";

/// A bar's length.
pub(crate) const INTERVAL: &str = r"^\s*\+?0*[1-9][0-9]{0,9}[smhdw]\s*$";

/// An instant.
pub(crate) const INSTANT: &str = r"^\s*(16(7[7-9]|[89][0-9])|1[7-9][0-9]{2}|2[01][0-9]{2}|22([0-5][0-9]|6[0-2]))-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])\s*$";

/// A local time and a zone; whether there is such a zone no pattern can say.
pub(crate) const DAY_ROLL: &str = r"^\s*([01][0-9]|2[0-3]):[0-5][0-9] +[A-Za-z][A-Za-z0-9_+/-]*\s*$";

/// A date.
pub(super) const DATE: &str = r"^\s*[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\s*$";

/// Puts a bound on a field that is a number or, if it may be absent, a number or null.
pub(crate) fn bound(schema: &mut Schema, field: &str, keyword: &str, limit: impl Into<Value>) {
    if let Some(Value::Object(field)) = schema.pointer_mut(&format!("/properties/{field}")) {
        field.insert(keyword.to_owned(), limit.into());
    }
}
