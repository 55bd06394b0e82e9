//! Instants and the clock seam.

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// An instant: nanoseconds since 1970-01-01T00:00:00Z, UTC. ISO-8601 text in JSON (any offset is converted), an
/// integer in binary formats. Covers 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not an instant: write ISO-8601 with an offset, such as 2026-03-02T14:30:00Z")]
pub struct InvalidTimestamp {
    /// The offending text.
    pub value: String,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// From nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds since the epoch; saturates at the ends of the range.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// This instant plus a duration, saturating at the end of the range.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this instant is; zero when it is not after it, never negative.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As a chrono date-time, for calendars and display.
    #[must_use]
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.0)
    }
}

/// Bytes of `2026-03-02T14:30:00.123456789Z`.
pub(crate) const LONGEST_TEXT: usize = 30;

/// Writes a number with zeros before it.
fn digits(place: &mut [u8], mut number: u32) {
    for byte in place.iter_mut().rev() {
        // A digit.
        *byte = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

impl Timestamp {
    /// Writes ISO-8601 with as many places of a second as are needed: none, three, six or nine. Answers how long it is. Every
    /// key that is made of a time has this text, which is why it is not left to a formatter.
    fn write(self, text: &mut [u8; LONGEST_TEXT]) -> usize {
        let time = self.to_datetime();
        *text = *b"0000-00-00T00:00:00.000000000Z";
        let (date, seconds, nanos) = (time.date_naive(), time.num_seconds_from_midnight(), time.nanosecond());
        let parts = [
            (0..4, date.year().unsigned_abs()),
            (5..7, date.month()),
            (8..10, date.day()),
            (11..13, seconds / 3_600),
            (14..16, seconds / 60 % 60),
            (17..19, seconds % 60),
            (20..29, nanos),
        ];
        for (place, number) in parts {
            if let Some(place) = text.get_mut(place) {
                digits(place, number);
            }
        }
        let end = match nanos {
            0 => 19,
            nanos if nanos.is_multiple_of(1_000_000) => 23,
            nanos if nanos.is_multiple_of(1_000) => 26,
            _ => 29,
        };
        if let Some(zone) = text.get_mut(end) {
            *zone = b'Z';
        }
        end + 1
    }

    /// That text, in room that is given.
    pub(crate) fn text(self, room: &mut [u8; LONGEST_TEXT]) -> &str {
        let length = self.write(room);
        room.get(..length).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// Saturates at the ends of the range (1677 and 2262).
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_nanos_opt().unwrap_or(if time.timestamp() < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl std::str::FromStr for Timestamp {
    type Err = InvalidTimestamp;
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        DateTime::parse_from_rfc3339(text.trim())
            .ok()
            .and_then(|time| time.timestamp_nanos_opt())
            .map(Self)
            .ok_or_else(|| InvalidTimestamp { value: text.chars().take(60).collect() })
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.pad(self.text(&mut [0; LONGEST_TEXT]))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "An instant between 1677 and 2262, with up to nine places of a second. Written in UTC; read \
                with any offset.",
            "type": "string",
            "format": "date-time",
            "pattern": crate::schema::INSTANT,
            "examples": ["2026-03-02T14:30:00Z"],
        })
    }
}

/// Where the shell reads the time. The core never holds one: instants come to it with its inputs.
pub trait Clock: Send + Sync {
    /// The present instant, UTC.
    fn now(&self) -> Timestamp;

    /// Time since a moment that is the clock's own secret: of use is the difference of two readings, which setting the clock
    /// does not change. As given it is that of [`Clock::now`], right for a clock that nobody sets.
    fn monotonic(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.now().nanos()).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::SecondsFormat;
    use proptest::prelude::*;

    proptest! {
        /// The text is the one that the calendar library makes.
        #[test]
        fn the_text_is_iso_8601(nanos: i64, step in proptest::sample::select(vec![1, 1_000, 1_000_000, 1_000_000_000])) {
            for nanos in [nanos, nanos / step * step] {
                let time = Timestamp::from_nanos(nanos);
                let expected = time.to_datetime().to_rfc3339_opts(SecondsFormat::AutoSi, true);
                prop_assert_eq!(time.to_string(), expected);
            }
        }
    }

    #[test]
    fn offsets_are_converted_and_nanoseconds_survive() {
        let time: Timestamp = "2026-03-02T09:30:00.123456789-05:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-03-02T14:30:00.123456789Z");
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
        assert!("2026-03-02 09:30".parse::<Timestamp>().is_err());
    }

    #[test]
    fn durations_are_never_negative() {
        let early = Timestamp::from_millis(1);
        let late = early.plus(Duration::from_millis(5));
        assert_eq!(late.since(early), Duration::from_millis(5));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(Timestamp::from_nanos(i64::MAX).plus(Duration::from_secs(1)).nanos(), i64::MAX);
    }
}
