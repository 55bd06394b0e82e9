//! What an algorithm is to the core: how much of its parent should have been released by now.

use mts_foundation::algorithm::{Algorithm, ChildType};
use mts_foundation::{Decimal, IdempotencyKey, Side, Timestamp};
use std::time::Duration;

/// What an algorithm looks at.
#[derive(Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) now: Timestamp,
    /// When the parent began to be worked.
    pub(crate) started: Timestamp,
    /// The parent's key: the seed of what looks random.
    pub(crate) key: &'a IdempotencyKey,
    pub(crate) side: Side,
    /// Units of the parent.
    pub(crate) quantity: Decimal,
    /// Units filled.
    pub(crate) filled: Decimal,
    /// Units of children that may still fill.
    pub(crate) open: Decimal,
    /// Units that the market traded since the start.
    pub(crate) traded: Decimal,
    /// Units that the market traded within [`Plan::lookback`].
    pub(crate) lately: Decimal,
    /// The last price.
    pub(crate) price: Option<Decimal>,
    /// The price at the start.
    pub(crate) arrival: Option<Decimal>,
    pub(crate) session_opened: Option<Timestamp>,
}

impl Moment<'_> {
    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now.since(self.started)
    }

    /// The number of the present minute, from 0.
    pub(crate) fn minute(&self) -> u64 {
        self.elapsed().as_secs() / 60
    }

    /// When the next minute begins.
    pub(crate) fn next_minute(&self) -> Timestamp {
        self.started.plus(minutes(self.minute().saturating_add(1)))
    }
}

/// That many minutes.
pub(crate) fn minutes(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(60))
}

/// One algorithm with its parameters.
pub(crate) trait Plan {
    /// How long it may take; `None` = until it is filled, cancelled, or the session ends.
    fn horizon(&self) -> Option<Duration>;

    /// Units that should be filled or working by now; nothing is taken back where that falls.
    fn released(&self, moment: &Moment<'_>) -> Decimal;

    /// The next instant at which that grows by itself.
    fn next(&self, moment: &Moment<'_>) -> Option<Timestamp>;

    /// How children are priced.
    fn child_type(&self) -> ChildType;

    /// Largest share of the traded volume that may be released.
    fn participation(&self) -> Option<f64> {
        None
    }

    /// Whether volume of before the start counts for [`Plan::participation`]: the last that was told.
    fn knows_earlier_volume(&self) -> bool {
        false
    }

    /// How long volume is remembered for [`Moment::lately`].
    fn lookback(&self) -> Option<Duration> {
        None
    }

    /// Whether it sends again as soon as a child fills or ends, and not at its next instant.
    fn refills(&self) -> bool {
        false
    }

    /// A price that every child has.
    fn fixed_price(&self) -> Option<Decimal> {
        None
    }
}

/// The plan of an algorithm.
pub(crate) fn plan(algorithm: &Algorithm) -> &dyn Plan {
    match algorithm {
        Algorithm::Twap(twap) => twap,
        Algorithm::Vwap(vwap) => vwap,
        Algorithm::Pov(pov) => pov,
        Algorithm::Iceberg(iceberg) => iceberg,
        Algorithm::AlmgrenChriss(chriss) => chriss,
        Algorithm::ImplementationShortfall(shortfall) => shortfall,
    }
}
