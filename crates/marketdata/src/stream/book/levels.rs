//! The levels of a book, sorted and bounded.

use super::sync::Update;
use crate::stream::protocol::Level;
use mts_foundation::{Decimal, Timestamp};

/// A price in units of 1e-18, negated for asks: of two levels of a side the better one has the greater.
type Rank = i128;

/// Powers of ten up to the places of a [`Rank`].
const TENS: [i128; 19] = {
    let mut tens = [1; 19];
    let mut place = 1;
    while place < tens.len() {
        tens[place] = tens[place - 1] * 10;
        place += 1;
    }
    tens
};

/// The exact price in fixed point; `None` for one that is too large or too fine for it.
fn fixed(price: Decimal) -> Option<Rank> {
    let places = usize::try_from(price.scale()).ok()?;
    match 18_usize.checked_sub(places) {
        Some(missing) => price.mantissa().checked_mul(*TENS.get(missing)?),
        None => {
            let excess = *TENS.get(places - 18)?;
            (price.mantissa() % excess == 0).then(|| price.mantissa() / excess)
        }
    }
}

/// Why a book is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An update is missing before this one.
    Gap,
    /// Our checksum is not the venue's.
    Checksum,
    /// The best bid is not below the best offer.
    Crossed,
    /// A price or a size that cannot be.
    Level,
    /// Too few of the levels that were in the snapshot are left, and nobody says what comes after them.
    Short,
    /// A frame could not be read, and nothing shows whether it was of this book.
    Unread,
    /// No snapshot has come in time.
    Late,
}

/// How many levels a book keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Of each side at most.
    pub(super) most: usize,
    /// The venue tells again of every level that comes into these; else what is dropped is not known any more.
    pub(super) is_refilled: bool,
}

/// One side, the best level last: that is where most changes are.
#[derive(Debug, Clone, Default)]
struct Side {
    levels: Vec<(Rank, Level)>,
    /// What is worse than this is not known.
    horizon: Option<Rank>,
}

impl Side {
    fn best(&self) -> Option<Level> {
        self.levels.last().map(|(_, level)| *level)
    }

    /// Takes the levels of a snapshot; one that has as many as `limit` may go on beyond them.
    fn restart(
        &mut self,
        levels: &[Level],
        sign: Rank,
        limits: Limits,
        limit: Option<usize>,
    ) -> Result<(), Fault> {
        self.levels.clear();
        self.horizon = None;
        for level in levels {
            let rank = rank(level, sign)?;
            if !level.size.is_zero() {
                self.levels.push((rank, *level));
            }
        }
        // Of a price that is there twice the last one counts.
        self.levels.reverse();
        self.levels.sort_by_key(|(rank, _)| *rank);
        self.levels.dedup_by_key(|(rank, _)| *rank);
        if limit.is_some_and(|limit| levels.len() >= limit) {
            self.horizon = self.levels.first().map(|(rank, _)| *rank);
        }
        self.cut(limits);
        Ok(())
    }

    fn change(&mut self, levels: &[Level], sign: Rank, limits: Limits) -> Result<(), Fault> {
        for level in levels {
            let rank = rank(level, sign)?;
            match self.levels.binary_search_by_key(&rank, |(rank, _)| *rank) {
                Ok(place) if level.size.is_zero() => {
                    self.levels.remove(place);
                }
                Ok(place) => {
                    if let Some(found) = self.levels.get_mut(place) {
                        found.1 = *level;
                    }
                }
                Err(_) if level.size.is_zero() || self.horizon.is_some_and(|horizon| rank < horizon) => {}
                Err(place) => self.levels.insert(place, (rank, *level)),
            }
        }
        self.cut(limits);
        if self.has_less_than(limits.most / 50) { Err(Fault::Short) } else { Ok(()) }
    }

    /// A side that ends where we know it to end is whole, however short.
    fn has_less_than(&self, least: usize) -> bool {
        self.horizon.is_some() && self.levels.len() < least.max(1)
    }

    /// Drops the worst levels beyond the bound.
    fn cut(&mut self, limits: Limits) {
        let excess = self.levels.len().saturating_sub(limits.most);
        if excess > 0 {
            self.levels.drain(..excess);
            if !limits.is_refilled {
                self.horizon = self.levels.first().map(|(rank, _)| *rank);
            }
        }
    }
}

fn rank(level: &Level, sign: Rank) -> Result<Rank, Fault> {
    if level.price <= Decimal::ZERO || level.size < Decimal::ZERO {
        return Err(Fault::Level);
    }
    Ok(sign * fixed(level.price).ok_or(Fault::Level)?)
}

/// An order book as it stands: its best levels, as many as are known and kept.
#[derive(Debug, Clone)]
pub struct Book {
    bids: Side,
    asks: Side,
    time: Timestamp,
}

impl Default for Book {
    fn default() -> Self {
        Self { bids: Side::default(), asks: Side::default(), time: Timestamp::EPOCH }
    }
}

impl Book {
    /// The bids, best first.
    pub fn bids(&self) -> impl Iterator<Item = &Level> {
        self.bids.levels.iter().rev().map(|(_, level)| level)
    }

    /// The offers, best first.
    pub fn asks(&self) -> impl Iterator<Item = &Level> {
        self.asks.levels.iter().rev().map(|(_, level)| level)
    }

    /// The best bid and the best offer.
    #[must_use]
    pub fn best(&self) -> (Option<Level>, Option<Level>) {
        (self.bids.best(), self.asks.best())
    }

    /// When it was so at the venue; of receipt where the venue does not say.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Makes it what the update says, or tells why it cannot be that. Then its levels are of no use.
    pub(super) fn apply(&mut self, update: &Update, limits: Limits) -> Result<(), Fault> {
        if update.is_snapshot {
            self.bids.restart(&update.bids, 1, limits, update.limit)?;
            self.asks.restart(&update.asks, -1, limits, update.limit)?;
        } else {
            self.bids.change(&update.bids, 1, limits)?;
            self.asks.change(&update.asks, -1, limits)?;
        }
        self.time = update.time;
        if let (Some((bid, _)), Some((ask, _))) = (self.bids.levels.last(), self.asks.levels.last())
            && *bid >= -*ask
        {
            return Err(Fault::Crossed);
        }
        match update.checksum {
            Some(checksum) if !checksum.fits(self) => Err(Fault::Checksum),
            _ => Ok(()),
        }
    }

    /// Whether so much of what was known is gone that a new snapshot should be had.
    pub(super) fn is_short(&self, limits: Limits) -> bool {
        [&self.bids, &self.asks].into_iter().any(|side| side.has_less_than(limits.most / 4))
    }

    /// Forgets all levels and keeps their room.
    pub(super) fn clear(&mut self) {
        for side in [&mut self.bids, &mut self.asks] {
            side.levels.clear();
            side.horizon = None;
        }
    }
}
