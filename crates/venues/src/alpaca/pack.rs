//! MessagePack, as far as the stream of prices needs it: what JSON holds, and instants.

use mts_foundation::Timestamp;
use serde_json::{Map, Value, json};

/// Deepest nesting that is read.
const MAX_DEPTH: u32 = 8;

/// A message's bytes. The field `t` is an instant.
pub(super) fn packed(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    pack(value, &mut out);
    out
}

/// A length: in the tag itself below `small`, else in two bytes or four behind the tag of those.
fn length(length: usize, [tag, small]: [u8; 2], [two, four]: [u8; 2], out: &mut Vec<u8>) {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length), _) if length < small => out.push(tag | length),
        (_, Ok(length)) => {
            out.push(two);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(four);
            out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
}

fn pack(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => {
                out.push(0xd3);
                out.extend(whole.to_be_bytes());
            }
            (None, number) => {
                out.push(0xcb);
                out.extend(number.unwrap_or_default().to_be_bytes());
            }
        },
        Value::String(text) => {
            length(text.len(), [0xa0, 32], [0xda, 0xdb], out);
            out.extend(text.as_bytes());
        }
        Value::Array(items) => {
            length(items.len(), [0x90, 16], [0xdc, 0xdd], out);
            items.iter().for_each(|item| pack(item, out));
        }
        Value::Object(fields) => {
            length(fields.len(), [0x80, 16], [0xde, 0xdf], out);
            for (name, field) in fields {
                pack(&json!(name), out);
                let time = field.as_str().filter(|_| name == "t").and_then(|text| text.parse().ok());
                match time {
                    Some(time) => instant(time, out),
                    None => pack(field, out),
                }
            }
        }
    }
}

/// The extension for instants, with all 96 bits.
fn instant(time: Timestamp, out: &mut Vec<u8>) {
    out.extend([0xc7, 12, 0xff]);
    let nanos = time.nanos().rem_euclid(1_000_000_000);
    out.extend(u32::try_from(nanos).unwrap_or_default().to_be_bytes());
    out.extend(time.nanos().div_euclid(1_000_000_000).to_be_bytes());
}

/// Reads a message of a client; `None` = it cannot be read.
pub(super) fn unpacked(mut bytes: &[u8]) -> Option<Value> {
    let value = unpack(&mut bytes, MAX_DEPTH)?;
    bytes.is_empty().then_some(value)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (first, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(first)
}

/// A number of so many bytes without a sign.
fn whole(bytes: &mut &[u8], count: usize) -> Option<u64> {
    Some(take(bytes, count)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn unpack(bytes: &mut &[u8], depth: u32) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let tag = *take(bytes, 1)?.first()?;
    let small = |mask: u8| u64::from(tag & mask);
    Some(match tag {
        0..=0x7f => json!(tag),
        0x80..=0x8f => object(bytes, small(0x0f), depth)?,
        0xde => whole(bytes, 2).and_then(|count| object(bytes, count, depth))?,
        0x90..=0x9f => array(bytes, small(0x0f), depth)?,
        0xdc => whole(bytes, 2).and_then(|count| array(bytes, count, depth))?,
        0xa0..=0xbf => text(bytes, small(0x1f))?,
        0xd9 => whole(bytes, 1).and_then(|count| text(bytes, count))?,
        0xda => whole(bytes, 2).and_then(|count| text(bytes, count))?,
        0xc0 => Value::Null,
        0xc2 => json!(false),
        0xc3 => json!(true),
        0xcb => json!(f64::from_bits(whole(bytes, 8)?)),
        0xcc => json!(whole(bytes, 1)?),
        0xcd => json!(whole(bytes, 2)?),
        0xce => json!(whole(bytes, 4)?),
        0xcf => json!(whole(bytes, 8)?),
        0xd3 => json!(whole(bytes, 8)?.cast_signed()),
        // Other kinds are not in what clients say.
        _ => return None,
    })
}

fn text(bytes: &mut &[u8], count: u64) -> Option<Value> {
    let text = take(bytes, usize::try_from(count).ok()?)?;
    Some(json!(std::str::from_utf8(text).ok()?))
}

fn array(bytes: &mut &[u8], count: u64, depth: u32) -> Option<Value> {
    (0..count).map(|_| unpack(bytes, depth)).collect()
}

fn object(bytes: &mut &[u8], count: u64, depth: u32) -> Option<Value> {
    let mut fields = Map::new();
    for _ in 0..count {
        let Value::String(name) = unpack(bytes, depth)? else { return None };
        fields.insert(name, unpack(bytes, depth)?);
    }
    Some(Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_went() {
        let long: Vec<String> = (0..40).map(|number| format!("{number:040}")).collect();
        let many: Map<String, Value> = (0..20).map(|number| (format!("k{number}"), json!(number))).collect();
        let value =
            json!([{"a": null, "b": [true, false], "c": -7, "d": 0.1, "e": "", "f": long, "g": many}]);
        assert_eq!(unpacked(&packed(&value)), Some(value));
    }

    #[test]
    fn instants_have_all_their_digits() {
        let bytes = packed(&json!({"t": "2026-03-02T15:00:00.000000001Z", "x": "2026-03-02T15:00:00Z"}));
        let seconds = 1_772_463_600_u32.to_be_bytes();
        let wanted = [&[0x82, 0xa1, b't', 0xc7, 12, 0xff, 0, 0, 0, 1, 0, 0, 0, 0][..], &seconds].concat();
        assert_eq!(bytes[..wanted.len()], wanted);
        assert!(bytes.ends_with(b"2026-03-02T15:00:00Z"));
    }

    #[test]
    fn what_cannot_be_read_is_not_read() {
        for bytes in
            [&b""[..], b"\xff\xff", b"\xa5abc", b"\x81\x01\x02", b"\xdc\xff\xff", b"\xc0\xc0", b"{\"a\":1}"]
        {
            assert_eq!(unpacked(bytes), None, "{bytes:x?}");
        }
        assert_eq!(unpacked(&[0x91; 100]), None);
        assert_eq!(unpacked(&[0xd9, 2, b'h', b'i']), Some(json!("hi")));
    }
}
