//! Rules that find one value of a reply: a path and what is done with the value there.
//!
//! `data.0.bidPx` is a path; `data.0.ts|ms` reads what is there as milliseconds. Several rules for one field are tried in
//! order, and the first that finds a value counts: exchanges name a field differently for each kind of market.

use super::ReplyError;
use super::json::Json;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use mts_foundation::{Decimal, Side, Timestamp};
use serde::Deserialize;

/// Longest text of a number that is looked at.
const MAX_DIGITS: usize = 64;

/// 2009-01-01, in nanoseconds.
const FIRST_EXCHANGE: i64 = 1_230_768_000_000_000_000;

/// A step of a path.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// The entry of that name, or the item of that number.
    Entry(String),
    /// `*`: the first entry that is a list or an object.
    First,
    /// `{id}`: the entry named like the market.
    Id,
}

/// Where something is; `/` at its beginning means: from the beginning of the reply.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Path {
    from_top: bool,
    steps: Vec<Step>,
}

/// A reply, the item of it that is being read, and the market's id at the exchange.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The whole reply.
    pub top: &'a Json,
    /// The item.
    pub item: &'a Json,
    /// The market's id.
    pub id: &'a str,
}

impl Path {
    fn read(text: &str) -> Self {
        let (from_top, text) = text.strip_prefix('/').map_or((false, text), |rest| (true, rest));
        let step = |step: &str| match step {
            "*" => Step::First,
            "{id}" => Step::Id,
            _ => Step::Entry(step.to_owned()),
        };
        let steps = text.split('.').filter(|step| !step.is_empty()).map(step).collect();
        Self { from_top, steps }
    }

    /// What is there.
    #[must_use]
    pub fn find<'a>(&self, at: At<'a>) -> Option<&'a Json> {
        let start = if self.from_top { at.top } else { at.item };
        self.steps.iter().try_fold(start, |here, step| match step {
            Step::Entry(name) => here.get(name),
            Step::First => here.first_inside(),
            Step::Id => here.get(at.id),
        })
    }
}

/// What is done with the value of a path.
#[derive(Debug, Clone, PartialEq)]
enum Reading {
    /// The number as it is.
    Number,
    /// The number before other characters.
    Prefix,
    /// The number, rounded to the digits that can be kept; for volumes of needless precision.
    Round,
    /// Without its sign.
    Abs,
    /// Times this.
    Times(Decimal),
    /// One divided by it.
    Inverse,
    /// Zero says nothing.
    NonZero,
    /// A positive number is `buy`, a negative one `sell`.
    Sign,
    /// One text for another.
    Map(Vec<(String, String)>),
    /// Nanoseconds in one unit of it.
    Since1970(i64),
    /// A time before there were exchanges of this kind says nothing: the unit is another one.
    Recent,
    /// ISO-8601; without an offset it is UTC.
    Iso,
    /// As text.
    Text,
}

impl Reading {
    fn read(text: &str) -> Result<Self, String> {
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        Ok(match word {
            "num" => Self::Number,
            "prefix" => Self::Prefix,
            "round" => Self::Round,
            "abs" => Self::Abs,
            "mul" => Self::Times(number(rest).ok_or_else(|| {
                format!("mul needs a number that is exact, such as mul:0.01, and {rest:?} is none")
            })?),
            "inv" => Self::Inverse,
            "nonzero" => Self::NonZero,
            "sign" => Self::Sign,
            "map" => Self::Map(pairs(rest)?),
            "s" => Self::Since1970(1_000_000_000),
            "ms" => Self::Since1970(1_000_000),
            "us" => Self::Since1970(1_000),
            "ns" => Self::Since1970(1),
            "recent" => Self::Recent,
            "iso" => Self::Iso,
            "str" => Self::Text,
            _ => {
                return Err(format!(
                    "{word:?} is no reading: use num, prefix, round, abs, mul:K, inv, nonzero, sign, map:A=B,C=D, s, ms, us, \
                     ns, iso, recent or str"
                ));
            }
        })
    }
}

fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let pair = |pair: &str| {
        let (from, to) = pair
            .split_once('=')
            .ok_or_else(|| format!("map needs pairs such as map:bid=buy,ask=sell, and {pair:?} is none"))?;
        Ok((from.to_owned(), to.to_owned()))
    };
    text.split(',').map(pair).collect()
}

/// One path with its readings.
#[derive(Debug, Clone, PartialEq)]
struct Choice {
    text: String,
    path: Path,
    readings: Vec<Reading>,
}

/// Rules for one field, the first that finds something counts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "OneOrMany")]
pub struct Rule(Vec<Choice>);

/// Places in a reply, the first that exists counts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Places(Vec<Path>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn texts(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

impl From<OneOrMany> for Places {
    fn from(texts: OneOrMany) -> Self {
        Self(texts.texts().iter().map(|text| Path::read(text)).collect())
    }
}

impl Default for Places {
    /// The reply itself.
    fn default() -> Self {
        Self(vec![Path::default()])
    }
}

impl Places {
    /// The first of them that exists.
    #[must_use]
    pub fn find<'a>(&self, at: At<'a>) -> Option<&'a Json> {
        self.0.iter().find_map(|path| path.find(at).filter(|found| !found.is_nothing()))
    }
}

impl TryFrom<OneOrMany> for Rule {
    type Error = String;
    fn try_from(texts: OneOrMany) -> Result<Self, String> {
        let choice = |text: String| {
            let mut parts = text.split('|');
            let path = Path::read(parts.next().unwrap_or_default());
            let readings = parts.map(Reading::read).collect::<Result<_, _>>()?;
            Ok(Choice { path, readings, text })
        };
        texts.texts().into_iter().map(choice).collect::<Result<_, String>>().map(Self)
    }
}

/// A value on its way through the readings.
#[derive(Debug, Clone)]
enum Value {
    Text(String),
    Number(Decimal),
    Time(Timestamp),
}

impl Rule {
    /// A number.
    ///
    /// # Errors
    /// [`ReplyError`] when something is there that is no number, or none that can be kept exactly.
    pub fn number(&self, at: At<'_>) -> Result<Option<Decimal>, ReplyError> {
        self.value(at, |value| match value {
            Value::Number(number) => Ok(number),
            Value::Text(text) => number(&text).ok_or_else(|| format!("{} is no exact number", start(&text))),
            Value::Time(_) => Err("a time is no number".to_owned()),
        })
    }

    /// An instant.
    ///
    /// # Errors
    /// [`ReplyError`] when something is there that is none.
    pub fn time(&self, at: At<'_>) -> Result<Option<Timestamp>, ReplyError> {
        self.value(at, |value| match value {
            Value::Time(time) => Ok(time),
            _ => Err("it says no unit of time: add |ms, |s, |us, |ns or |iso to the rule".to_owned()),
        })
    }

    /// A text.
    ///
    /// # Errors
    /// [`ReplyError`] when a list or an object is there.
    pub fn text(&self, at: At<'_>) -> Result<Option<String>, ReplyError> {
        self.value(at, |value| match value {
            Value::Text(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            Value::Time(time) => Ok(time.to_string()),
        })
    }

    /// Who was the taker; a word that the rule does not know says nothing.
    ///
    /// # Errors
    /// As [`Rule::text`].
    pub fn side(&self, at: At<'_>) -> Result<Option<Side>, ReplyError> {
        Ok(self.text(at)?.and_then(|text| match text.to_ascii_lowercase().as_str() {
            "buy" => Some(Side::Buy),
            "sell" => Some(Side::Sell),
            _ => None,
        }))
    }

    fn value<T>(
        &self,
        at: At<'_>,
        take: impl Fn(Value) -> Result<T, String>,
    ) -> Result<Option<T>, ReplyError> {
        let mut fault = None;
        for choice in &self.0 {
            let Some(found) = choice.path.find(at).filter(|found| !found.is_nothing()) else { continue };
            match choice.apply(found).and_then(|value| value.map(&take).transpose()) {
                Ok(Some(value)) => return Ok(Some(value)),
                Ok(None) => {}
                Err(seen) => fault = Some(ReplyError::new(format!("{}: {seen}", choice.text))),
            }
        }
        fault.map_or(Ok(None), Err)
    }
}

impl Choice {
    fn apply(&self, found: &Json) -> Result<Option<Value>, String> {
        let text = found.plain().ok_or("a list or an object is no value")?;
        let mut value = Value::Text(text.to_owned());
        for reading in &self.readings {
            match reading.apply(value)? {
                Some(next) => value = next,
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }
}

impl Reading {
    fn apply(&self, value: Value) -> Result<Option<Value>, String> {
        let text = match &value {
            Value::Time(time) if *self == Self::Recent => {
                return Ok(Some(value.clone()).filter(|_| time.nanos() > FIRST_EXCHANGE));
            }
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Time(_) => return Err("nothing can be done with a time".to_owned()),
        };
        let exact = || number(&text).ok_or_else(|| format!("{} is no exact number", start(&text)));
        let overflow = || format!("{} is out of the range of exact numbers", start(&text));
        let is = |number: Decimal| Some(Value::Number(number));
        Ok(match self {
            Self::Number => is(exact()?),
            Self::Prefix => {
                let end = text.find(|sign: char| !sign.is_ascii_digit() && sign != '.').unwrap_or(text.len());
                let digits = text.get(..end).unwrap_or_default();
                is(number(digits).ok_or_else(|| format!("{} begins with no number", start(&text)))?)
            }
            Self::Round => is(text.parse().or_else(|_| exact())?),
            Self::Abs => is(exact()?.abs()),
            Self::Times(factor) => is(exact()?.checked_mul(*factor).ok_or_else(overflow)?.normalize()),
            Self::Inverse => is(Decimal::ONE.checked_div(exact()?).ok_or_else(overflow)?),
            Self::NonZero => Some(exact()?).filter(|number| !number.is_zero()).map(Value::Number),
            Self::Sign => {
                let side = if exact()?.is_sign_negative() { "sell" } else { "buy" };
                Some(Value::Text(side.to_owned()))
            }
            Self::Map(pairs) => {
                let found = pairs.iter().find(|(from, _)| *from == text);
                found.map(|(_, to)| Value::Text(to.clone()))
            }
            Self::Since1970(unit) => {
                let nanos = exact()?.checked_mul(Decimal::from(*unit)).ok_or_else(overflow)?;
                let nanos = i64::try_from(nanos.trunc()).map_err(|_| overflow())?;
                Some(Value::Time(Timestamp::from_nanos(nanos)))
            }
            Self::Iso => Some(Value::Time(iso(&text).ok_or_else(|| format!("{} is no time", start(&text)))?)),
            Self::Recent => return Err("recent is for a time: write it after the unit".to_owned()),
            Self::Text => Some(value),
        })
    }
}

/// The beginning of a text, for a message.
fn start(text: &str) -> String {
    text.chars().take(MAX_DIGITS).collect()
}

/// A number in exactly the digits of the text.
fn number(text: &str) -> Option<Decimal> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_DIGITS {
        return None;
    }
    let value = match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(text).ok()?,
        false => Decimal::from_str_exact(text).ok()?,
    };
    Some(value.normalize())
}

fn iso(text: &str) -> Option<Timestamp> {
    let zoned = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text));
    let nanos = match zoned.or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z")) {
        Ok(time) => time.timestamp_nanos_opt(),
        Err(_) => ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.fZ"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))?
            .and_utc()
            .timestamp_nanos_opt(),
    };
    nanos.map(Timestamp::from_nanos)
}
