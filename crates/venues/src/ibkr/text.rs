//! The text dialect at version 178: fields in an order of their own for each message. It writes and reads the messages of the
//! protobuf dialect.

mod ask;
mod say;

pub(super) use ask::asked;
pub(super) use say::fields;

/// Fields, each with the zero byte that ends it.
pub(super) fn joined(fields: &[String]) -> Vec<u8> {
    fields.iter().flat_map(|field| [field.as_bytes(), b"\0"].concat()).collect()
}

/// The same body with words where numbers were.
pub(super) fn with_other_types(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    let fields: Vec<String> = text
        .split_terminator('\0')
        .map(|field| if field.parse::<f64>().is_ok() { "not a number" } else { field }.to_owned())
        .collect();
    joined(&fields)
}
