//! A reply's JSON with numbers as they were written. They never pass through a float.

use super::ReplyError;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Deepest nesting that is read; no exchange comes near it.
const MAX_DEPTH: usize = 32;

/// A value of a reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, in the digits of the reply.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object, in the order of the reply.
    Map(Vec<(String, Json)>),
}

impl Json {
    /// Reads a reply.
    ///
    /// # Errors
    /// [`ReplyError`] when it is no JSON, or nested too deeply.
    pub fn parse(text: &str) -> Result<Self, ReplyError> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| not_json(&error))?;
        build(raw, MAX_DEPTH)
    }

    /// The entry of that name or number; a negative number counts from the end.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Self::List(items) => match key.strip_prefix('-') {
                Some(back) => items.len().checked_sub(back.parse().ok()?).and_then(|at| items.get(at)),
                None => items.get(key.parse::<usize>().ok()?),
            },
            _ => None,
        }
    }

    /// The first entry that is a list or an object itself: where an exchange puts a reply under a name of its own.
    #[must_use]
    pub fn first_inside(&self) -> Option<&Self> {
        let composite = |value: &&Self| matches!(value, Self::List(_) | Self::Map(_));
        match self {
            Self::Map(entries) => entries.iter().map(|(_, value)| value).find(composite),
            Self::List(items) => items.iter().find(composite),
            _ => None,
        }
    }

    /// Whether it says nothing: `null` or an empty text.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Null) || matches!(self, Self::Text(text) if text.is_empty())
    }

    /// A scalar as text, an empty list or object as `[]` or `{}`.
    #[must_use]
    pub fn plain(&self) -> Option<&str> {
        match self {
            Self::Null => Some("null"),
            Self::Bool(true) => Some("true"),
            Self::Bool(false) => Some("false"),
            Self::Number(text) | Self::Text(text) => Some(text),
            Self::List(items) => items.is_empty().then_some("[]"),
            Self::Map(entries) => entries.is_empty().then_some("{}"),
        }
    }
}

fn not_json(error: &serde_json::Error) -> ReplyError {
    ReplyError::new(format!("the reply is no JSON: {error}"))
}

struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        from.deserialize_map(Read).map(Self)
    }
}

fn build(raw: &RawValue, depth: usize) -> Result<Json, ReplyError> {
    let deeper = depth
        .checked_sub(1)
        .ok_or_else(|| ReplyError::new(format!("the reply is nested more than {MAX_DEPTH} deep")))?;
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let entries: Entries<'_> = serde_json::from_str(text).map_err(|error| not_json(&error))?;
            let inside = entries.0.into_iter();
            Json::Map(inside.map(|(key, raw)| Ok((key, build(raw, deeper)?))).collect::<Result<_, _>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| not_json(&error))?;
            Json::List(items.into_iter().map(|raw| build(raw, deeper)).collect::<Result<_, _>>()?)
        }
        Some(b'"') => Json::Text(serde_json::from_str(text).map_err(|error| not_json(&error))?),
        Some(b't') => Json::Bool(true),
        Some(b'f') => Json::Bool(false),
        Some(b'n') => Json::Null,
        _ => Json::Number(text.to_owned()),
    })
}
