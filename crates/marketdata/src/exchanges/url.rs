//! Addresses with blanks: `/klines?symbol={id}&interval={tf}<&startTime={start.ms}>`.
//!
//! `{BASE}` is the exchange's code in capitals, `{base}` in small letters, `{Base}` as the descriptor writes it.
//! `{before.ms}` is one unit before `{start.ms}`, for exchanges that leave out the start itself.
//! A part between `<` and `>` is left out when one of its blanks is not asked for. Values are percent-encoded.

use chrono::SecondsFormat;
use mts_foundation::Timestamp;
use serde::Deserialize;
use std::fmt::Write as _;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The market's id at the exchange.
    pub id: String,
    /// The exchange's code of the base.
    pub base: String,
    /// The exchange's code of the quote.
    pub quote: String,
    /// The exchange's word for the length of a candle.
    pub timeframe: Option<String>,
    /// Not before.
    pub start: Option<Timestamp>,
    /// Not after.
    pub end: Option<Timestamp>,
    /// How many at the most.
    pub limit: Option<u32>,
    /// The present.
    pub now: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Nanos(i64),
    Iso,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Blank {
    Id,
    Upper(Part),
    Lower(Part),
    AsWritten(Part),
    Timeframe,
    Start(Unit),
    Before(Unit),
    End(Unit),
    Now(Unit),
    Limit,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Base,
    Quote,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Blank(Blank),
    Optional(Vec<Piece>),
}

/// A text with blanks.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template(Vec<Piece>);

impl TryFrom<String> for Template {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('<') {
            pieces.append(&mut simple(before)?);
            let (inside, after) = after
                .split_once('>')
                .ok_or_else(|| format!("{text:?} opens a part with < and does not end it"))?;
            pieces.push(Piece::Optional(simple(inside)?));
            rest = after;
        }
        pieces.append(&mut simple(rest)?);
        Ok(Self(pieces))
    }
}

fn simple(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        pieces.push(Piece::Text(before.to_owned()));
        let name = after.split_once('}').filter(|(name, _)| name.bytes().all(is_name));
        rest = match name {
            Some((name, after)) => {
                pieces.push(Piece::Blank(blank(name)?));
                after
            }
            // An object of a body.
            None => {
                pieces.push(Piece::Text("{".to_owned()));
                after
            }
        };
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'.'
}

fn blank(name: &str) -> Result<Blank, String> {
    let unit = |unit: &str| match unit {
        "s" => Ok(Unit::Nanos(1_000_000_000)),
        "ms" => Ok(Unit::Nanos(1_000_000)),
        "us" => Ok(Unit::Nanos(1_000)),
        "ns" => Ok(Unit::Nanos(1)),
        "iso" => Ok(Unit::Iso),
        _ => Err(format!("{{{name}}} has an unknown unit: use s, ms, us, ns or iso")),
    };
    Ok(match name.split_once('.') {
        None => match name {
            "id" => Blank::Id,
            "BASE" => Blank::Upper(Part::Base),
            "Base" => Blank::AsWritten(Part::Base),
            "base" => Blank::Lower(Part::Base),
            "QUOTE" => Blank::Upper(Part::Quote),
            "Quote" => Blank::AsWritten(Part::Quote),
            "quote" => Blank::Lower(Part::Quote),
            "tf" => Blank::Timeframe,
            "limit" => Blank::Limit,
            _ => return Err(unknown(name)),
        },
        Some(("start", of)) => Blank::Start(unit(of)?),
        Some(("before", of)) => Blank::Before(unit(of)?),
        Some(("end", of)) => Blank::End(unit(of)?),
        Some(("now", of)) => Blank::Now(unit(of)?),
        Some(_) => return Err(unknown(name)),
    })
}

fn unknown(name: &str) -> String {
    format!(
        "{{{name}}} is no blank: use {{id}}, {{BASE}}, {{Base}}, {{base}} (or QUOTE), {{tf}}, {{limit}}, {{start.ms}}, \
         {{before.ms}}, {{end.ms}} or {{now.ms}} (or another unit)"
    )
}

impl Template {
    /// The text for what is asked, values encoded for an address.
    ///
    /// # Errors
    /// The name of a blank that has no value.
    pub fn fill(&self, asked: &Asked) -> Result<String, String> {
        fill(&self.0, asked, true)
    }

    /// The text as it is, for a body or an id.
    ///
    /// # Errors
    /// As [`Template::fill`].
    pub fn fill_plain(&self, asked: &Asked) -> Result<String, String> {
        fill(&self.0, asked, false)
    }

    /// Whether a request can be made to begin at a time.
    #[must_use]
    pub fn has_start(&self) -> bool {
        has(&self.0, |blank| matches!(blank, Blank::Start(_) | Blank::Before(_)))
    }

    /// Whether a request can be made to end at a time.
    #[must_use]
    pub fn has_end(&self) -> bool {
        has(&self.0, |blank| matches!(blank, Blank::End(_)))
    }
}

fn has(pieces: &[Piece], wanted: fn(&Blank) -> bool) -> bool {
    pieces.iter().any(|piece| match piece {
        Piece::Text(_) => false,
        Piece::Blank(blank) => wanted(blank),
        Piece::Optional(inside) => has(inside, wanted),
    })
}

fn fill(pieces: &[Piece], asked: &Asked, encoded: bool) -> Result<String, String> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(fixed) => text.push_str(fixed),
            Piece::Blank(blank) => {
                let value = blank.value(asked).ok_or_else(|| format!("{blank:?}"))?;
                // Words for timeframes are the descriptor's own, and may be a part of a path.
                match encoded && *blank != Blank::Timeframe {
                    true => encode(&value, &mut text),
                    false => text.push_str(&value),
                }
            }
            Piece::Optional(inside) => {
                if let Ok(part) = fill(inside, asked, encoded) {
                    text.push_str(&part);
                }
            }
        }
    }
    Ok(text)
}

impl Blank {
    fn value(self, asked: &Asked) -> Option<String> {
        let part = |part: Part| match part {
            Part::Base => &asked.base,
            Part::Quote => &asked.quote,
        };
        let time = |time: Option<Timestamp>, unit: Unit| {
            time.map(|time| match unit {
                Unit::Nanos(nanos) => time.nanos().div_euclid(nanos).to_string(),
                Unit::Iso => time.to_datetime().to_rfc3339_opts(SecondsFormat::Millis, true),
            })
        };
        match self {
            Self::Id => Some(asked.id.clone()),
            Self::Upper(of) => Some(part(of).to_ascii_uppercase()),
            Self::Lower(of) => Some(part(of).to_ascii_lowercase()),
            Self::AsWritten(of) => Some(part(of).clone()),
            Self::Timeframe => asked.timeframe.clone(),
            Self::Start(unit) => time(asked.start, unit),
            Self::Before(unit) => {
                let one = if let Unit::Nanos(nanos) = unit { nanos } else { 1_000_000 };
                time(asked.start.map(|start| Timestamp::from_nanos(start.nanos().saturating_sub(one))), unit)
            }
            Self::End(unit) => time(asked.end, unit),
            Self::Now(unit) => time(asked.now, unit),
            Self::Limit => asked.limit.map(|limit| limit.to_string()),
        }
    }
}

fn encode(value: &str, into: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b':') {
            into.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _written = write!(into, "%{byte:02X}");
        }
    }
}
