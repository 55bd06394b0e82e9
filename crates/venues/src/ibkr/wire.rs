//! How messages are written: frames with their length in front, the body in one of two dialects by the version that was
//! agreed on.

use super::message::{Asked, PROTOBUF, Said};
use super::text;
use crate::dialect::Frame;

/// The dialect of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// Fields that end with a zero byte; the first one is the id.
    Text,
    /// A binary id, and protobuf.
    Protobuf,
}

/// The version of the text dialect: the newest one that three clients agree on.
pub(super) const TEXT_VERSION: i32 = 178;
/// From this version on every message that the double knows is protobuf.
pub(super) const PROTOBUF_VERSION: i32 = 213;
/// The newest version that the double offers.
pub(super) const NEWEST_VERSION: i32 = 225;

/// The version and dialect for a client that speaks these versions; `None` = there is none.
pub(super) fn agree(least: i32, most: i32) -> Option<(i32, Wire)> {
    if most >= PROTOBUF_VERSION && least <= NEWEST_VERSION {
        Some((most.min(NEWEST_VERSION), Wire::Protobuf))
    } else if (least..=most).contains(&TEXT_VERSION) {
        Some((TEXT_VERSION, Wire::Text))
    } else {
        None
    }
}

/// With its length in front.
pub(super) fn framed(body: &[u8]) -> Frame {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    Frame::Binary([&length.to_be_bytes(), body].concat())
}

impl Wire {
    /// The id and body of what is said.
    pub(super) fn body(self, said: &Said) -> (u32, Vec<u8>) {
        match self {
            Self::Text => {
                let (id, fields) = text::fields(said);
                (id, text::joined(&fields))
            }
            Self::Protobuf => said.protobuf(),
        }
    }

    /// A frame of an id and a body.
    pub(super) fn frame(self, id: u32, body: &[u8]) -> Frame {
        match self {
            Self::Text => framed(&[id.to_string().as_bytes(), b"\0", body].concat()),
            Self::Protobuf => framed(&[&(id + PROTOBUF).to_be_bytes(), body].concat()),
        }
    }

    /// What is said as a frame.
    pub(super) fn write(self, said: &Said) -> Frame {
        let (id, body) = self.body(said);
        self.frame(id, &body)
    }

    /// The id of a client's message, and its body.
    pub(super) fn taken_apart(self, message: &[u8]) -> Option<(u32, &[u8])> {
        match self {
            Self::Text => {
                let end = message.iter().position(|byte| *byte == 0)?;
                let id = std::str::from_utf8(message.get(..end)?).ok()?.parse().ok()?;
                Some((id, message.get(end + 1..)?))
            }
            Self::Protobuf => {
                let (id, body) = message.split_first_chunk::<4>()?;
                Some((u32::from_be_bytes(*id).checked_sub(PROTOBUF)?, body))
            }
        }
    }

    /// What a client asks; `None` = it cannot be read.
    pub(super) fn read(self, message: &[u8]) -> Option<Asked> {
        let (id, body) = self.taken_apart(message)?;
        match self {
            Self::Text => text::asked(id, body),
            Self::Protobuf => Asked::of_protobuf(id, body),
        }
    }

    /// The same body with fields of other types.
    pub(super) fn with_other_types(self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Text => text::with_other_types(body),
            Self::Protobuf => with_other_wire_types(body).unwrap_or_default(),
        }
    }

    /// The same body with a field that nobody has seen before.
    pub(super) fn with_another_field(self, mut body: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Text => body.extend_from_slice(b"since 2027\0"),
            Self::Protobuf => {
                prost::encoding::string::encode(5_000, &"since 2027".to_owned(), &mut body);
            }
        }
        body
    }
}

/// Each field as a number where it was text, and as text where it was a number.
fn with_other_wire_types(mut body: &[u8]) -> Result<Vec<u8>, prost::DecodeError> {
    use prost::encoding::{DecodeContext, WireType, decode_key, encode_key, encode_varint, skip_field};
    let mut out = Vec::with_capacity(body.len());
    while !body.is_empty() {
        let (tag, wire_type) = decode_key(&mut body)?;
        skip_field(wire_type, tag, &mut body, DecodeContext::default())?;
        if wire_type == WireType::LengthDelimited {
            encode_key(tag, WireType::Varint, &mut out);
            encode_varint(7, &mut out);
        } else {
            prost::encoding::string::encode(tag, &"not a number".to_owned(), &mut out);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialect_follows_from_the_versions_of_a_client() {
        let agreed = [(157, 178), (100, 193), (100, 225), (213, 226), (230, 240), (100, 170), (205, 210)]
            .map(|(least, most)| agree(least, most));
        let (text, protobuf) = (Some((178, Wire::Text)), Some((225, Wire::Protobuf)));
        assert_eq!(agreed, [text, text, protobuf, protobuf, None, None, None]);
        assert_eq!(agree(100, 213), Some((213, Wire::Protobuf)));
    }
}
