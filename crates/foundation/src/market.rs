//! Quotes, trades and bars.

use crate::ids::VenueName;
use crate::num::{Decimal, exact, exact_option};
use crate::symbol::Symbol;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::num::NonZeroU32;
use std::time::Duration;

/// Best bid and offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Quote {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Best bid, price per unit.
    #[serde(with = "exact")]
    pub bid: Decimal,
    /// Best offer, price per unit.
    #[serde(with = "exact")]
    pub ask: Decimal,
    /// Units at the bid.
    #[serde(with = "exact", default)]
    pub bid_size: Decimal,
    /// Units at the offer.
    #[serde(with = "exact", default)]
    pub ask_size: Decimal,
    /// Where.
    pub venue: VenueName,
    /// Event time at the venue.
    pub timestamp: Timestamp,
}

impl Quote {
    /// Halfway between bid and offer.
    #[must_use]
    pub fn mid(&self) -> Decimal {
        let halves = || self.bid / Decimal::TWO + self.ask / Decimal::TWO;
        self.bid.checked_add(self.ask).map_or_else(halves, |sum| sum / Decimal::TWO)
    }

    /// Spread in basis points of the mid; `None` when the mid is zero.
    #[must_use]
    pub fn spread_bps(&self) -> Option<Decimal> {
        (self.ask - self.bid).checked_div(self.mid()).map(|spread| spread * Decimal::from(10_000))
    }

    /// Whether the quote can be believed: no [`fault`](Self::fault). A helper, not a validator.
    #[must_use]
    pub fn is_sane(&self) -> bool {
        self.fault().is_none()
    }

    /// Why the quote cannot be believed: a side that is not positive, bid above offer (equal is fine), or a spread of
    /// more than 10 % of the bid.
    #[must_use]
    pub fn fault(&self) -> Option<QuoteFault> {
        let Self { bid, ask, .. } = *self;
        if bid <= Decimal::ZERO || ask <= Decimal::ZERO {
            Some(QuoteFault::NotPositive { bid, ask })
        } else if bid > ask {
            Some(QuoteFault::Crossed { bid, ask })
        } else if (ask - bid).checked_mul(MIN_BID).is_none_or(|least| bid < least) {
            Some(QuoteFault::TooWide { bid, ask })
        } else {
            None
        }
    }
}

/// The bid of a quote that is believed is at least so many spreads: the spread is 10 % of it at the most.
const MIN_BID: Decimal = Decimal::TEN;

/// Why a quote cannot be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuoteFault {
    /// A side is missing or not positive.
    #[error("bid {bid} and ask {ask} must both be greater than zero")]
    NotPositive {
        /// Best bid.
        bid: Decimal,
        /// Best offer.
        ask: Decimal,
    },
    /// The bid is above the offer.
    #[error("bid {bid} is above ask {ask}")]
    Crossed {
        /// Best bid.
        bid: Decimal,
        /// Best offer.
        ask: Decimal,
    },
    /// The spread is more than 10 % of the bid.
    #[error("the spread from bid {bid} to ask {ask} is wider than a tenth of the bid")]
    TooWide {
        /// Best bid.
        bid: Decimal,
        /// Best offer.
        ask: Decimal,
    },
}

/// A print.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trade {
    /// The venue's id of the print.
    pub trade_id: SmolStr,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Price per unit.
    #[serde(with = "exact")]
    pub price: Decimal,
    /// Units.
    #[serde(with = "exact")]
    pub size: Decimal,
    /// Where.
    pub venue: VenueName,
    /// Event time at the venue.
    pub timestamp: Timestamp,
}

/// What holders of a perpetual future pay or get, as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FundingRate {
    /// Where.
    pub venue: VenueName,
    /// Whose: canonical symbol.
    pub symbol: Symbol,
    /// The rate of the next payment, as a fraction of the position's value; when it is positive, longs pay shorts.
    #[serde(with = "exact")]
    pub rate: Decimal,
    /// When that is paid.
    pub time: Timestamp,
    /// The rate of the payment after it, where the venue foretells one.
    #[serde(with = "exact_option", default)]
    pub next_rate: Option<Decimal>,
    /// When that one is paid: the time between the two is not the same for all instruments, and changes.
    #[serde(default)]
    pub next_time: Option<Timestamp>,
}

/// The length of a bar, as written: a positive count and one of `s m h d w` (`1m`, `5m`, `1h`, `1d`, `1w`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "SmolStr", into = "SmolStr")]
#[cfg_attr(feature = "schema", schemars(extend("pattern" = crate::schema::INTERVAL, "examples" = ["5m", "1d"])))]
pub struct Interval {
    count: NonZeroU32,
    unit: IntervalUnit,
}

/// The unit of an [`Interval`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IntervalUnit {
    /// Seconds, `s`.
    Second,
    /// Minutes, `m`.
    Minute,
    /// Hours, `h`.
    Hour,
    /// Sessions, `d`.
    Day,
    /// Weeks of sessions, `w`.
    Week,
}

/// A text that is no interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is no bar interval: write a count and one of s, m, h, d, w, such as 5m or 1d")]
pub struct InvalidInterval {
    /// The text.
    pub value: String,
}

impl Interval {
    /// One hour.
    pub const HOUR: Self = Self { count: NonZeroU32::MIN, unit: IntervalUnit::Hour };
    /// One session.
    pub const DAY: Self = Self { count: NonZeroU32::MIN, unit: IntervalUnit::Day };
    /// One minute.
    pub const MINUTE: Self = Self { count: NonZeroU32::MIN, unit: IntervalUnit::Minute };

    /// How many units.
    #[must_use]
    pub fn count(self) -> u32 {
        self.count.get()
    }

    /// Which unit.
    #[must_use]
    pub fn unit(self) -> IntervalUnit {
        self.unit
    }

    /// Clock length; a day counts 24 hours although a session is shorter.
    #[must_use]
    pub fn duration(self) -> Duration {
        let unit = match self.unit {
            IntervalUnit::Second => 1,
            IntervalUnit::Minute => 60,
            IntervalUnit::Hour => 3_600,
            IntervalUnit::Day => 86_400,
            IntervalUnit::Week => 604_800,
        };
        Duration::from_secs(u64::from(self.count.get()) * unit)
    }
}

impl std::str::FromStr for Interval {
    type Err = InvalidInterval;
    fn from_str(text: &str) -> Result<Self, InvalidInterval> {
        let fault = || InvalidInterval { value: text.chars().take(20).collect() };
        let trimmed = text.trim();
        let split =
            trimmed.len().checked_sub(1).filter(|at| trimmed.is_char_boundary(*at)).ok_or_else(fault)?;
        let (count, unit) = trimmed.split_at(split);
        let unit = match unit {
            "s" => IntervalUnit::Second,
            "m" => IntervalUnit::Minute,
            "h" => IntervalUnit::Hour,
            "d" => IntervalUnit::Day,
            "w" => IntervalUnit::Week,
            _ => return Err(fault()),
        };
        Ok(Self { count: count.parse().map_err(|_| fault())?, unit })
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = match self.unit {
            IntervalUnit::Second => 's',
            IntervalUnit::Minute => 'm',
            IntervalUnit::Hour => 'h',
            IntervalUnit::Day => 'd',
            IntervalUnit::Week => 'w',
        };
        write!(out, "{}{unit}", self.count)
    }
}

impl TryFrom<SmolStr> for Interval {
    type Error = InvalidInterval;
    fn try_from(text: SmolStr) -> Result<Self, InvalidInterval> {
        text.parse()
    }
}

impl From<Interval> for SmolStr {
    fn from(interval: Interval) -> SmolStr {
        smol_str::format_smolstr!("{interval}")
    }
}

/// Prices and volume of one interval `[start, end)`; `timestamp` is the end (decision M1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bar {
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Length.
    pub interval: Interval,
    /// First price.
    #[serde(with = "exact")]
    pub open: Decimal,
    /// Highest price.
    #[serde(with = "exact")]
    pub high: Decimal,
    /// Lowest price.
    #[serde(with = "exact")]
    pub low: Decimal,
    /// Last price.
    #[serde(with = "exact")]
    pub close: Decimal,
    /// Units traded.
    #[serde(with = "exact", default)]
    pub volume: Decimal,
    /// Volume-weighted average price.
    #[serde(with = "exact_option", default)]
    pub vwap: Option<Decimal>,
    /// Number of prints.
    #[serde(default)]
    pub n_trades: Option<u64>,
    /// End of the bar.
    pub timestamp: Timestamp,
    /// Made of a close alone: open, high and low repeat it and say nothing about the path.
    #[serde(default)]
    pub close_only: bool,
    /// Does not hold its whole interval: what it is made of began after it did, or ended before.
    #[serde(default)]
    pub partial: bool,
}

impl Bar {
    /// A bar of which only the close is known.
    #[must_use]
    pub fn close_only(symbol: Symbol, interval: Interval, close: Decimal, timestamp: Timestamp) -> Self {
        Self {
            symbol,
            interval,
            open: close,
            high: close,
            low: close,
            close,
            volume: Decimal::ZERO,
            vwap: None,
            n_trades: None,
            timestamp,
            close_only: true,
            partial: false,
        }
    }

    /// Whether prices are positive and the open and close lie within the range.
    #[must_use]
    pub fn is_sane(&self) -> bool {
        self.low > Decimal::ZERO
            && self.low <= self.open
            && self.low <= self.close
            && self.open <= self.high
            && self.close <= self.high
            && self.volume >= Decimal::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(bid: &str, ask: &str) -> Quote {
        Quote {
            symbol: Symbol::new("AAPL").unwrap(),
            bid: bid.parse().unwrap(),
            ask: ask.parse().unwrap(),
            bid_size: Decimal::ZERO,
            ask_size: Decimal::ZERO,
            venue: VenueName::new("x").unwrap(),
            timestamp: Timestamp::EPOCH,
        }
    }

    #[test]
    fn the_documented_quote_helpers() {
        let ordinary = quote("180.49", "180.51");
        assert_eq!(ordinary.mid(), "180.5".parse().unwrap());
        assert_eq!(ordinary.spread_bps().unwrap().round_dp(1), "1.1".parse().unwrap());
        assert!(ordinary.is_sane() && quote("10", "10").is_sane() && quote("10", "11").is_sane());
        for (bid, ask) in [("0", "1"), ("1", "0"), ("10.01", "10"), ("10", "11.01")] {
            assert!(!quote(bid, ask).is_sane(), "{bid} {ask}");
        }
    }

    #[test]
    fn intervals_parse_and_print() {
        for text in ["1s", "5m", "15m", "1h", "4h", "1d", "1w"] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), text);
        }
        for text in ["", "m", "0m", "5", "-1m", "1.5h", "5é"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }
}
