//! Bars by how much is traded: so many trades, units, or so much money each.

use super::building::{Building, Factors, Tick};
use super::tick_bars::{Print, Sink, bars_of_a_tick};
use super::time_bars::AggregationError;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Trades.
    Trades,
    /// Units.
    Volume,
    /// Price times units.
    Value,
}

/// What becomes of a trade that is more than its bar has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cut {
    /// It stays whole, and the bar holds more than it should (AFML).
    #[default]
    Overshoot,
    /// It is spread over as many bars as it fills, and counts as a trade in each; one that would fill more than
    /// [`MAX_BARS_OF_A_TICK`](super::MAX_BARS_OF_A_TICK) is refused whole, as it is a fault of the source or of the choice of bars.
    /// Every bar of volume holds exactly its units; one of value ends with the first unit of the last digit of the sizes that fills
    /// it.
    Split,
}

/// Bars that close with so many trades, units, or so much money.
#[derive(Debug, Clone)]
pub struct Activity {
    measure: Measure,
    most: i128,
    cut: Cut,
}

impl Activity {
    /// Bars of so many trades, units, or units times price, in the whole numbers of the instrument; of one where less is
    /// said.
    #[must_use]
    pub fn new(measure: Measure, most: i128, cut: Cut) -> Self {
        Self { measure, most: most.max(1), cut }
    }

    pub(crate) fn rescaled(&self, by: Factors) -> Option<Self> {
        let most = self.most.checked_mul(self.measure.grows(by)?)?;
        Some(Self { most, ..*self })
    }

    /// A bar without a price waits for one, and holds more than it should; a trade that sets no price is not split, as its
    /// later pieces would have none.
    #[inline]
    pub(crate) fn take(
        &self,
        building: &mut Building,
        print: &Print,
        sink: &mut Sink<'_>,
    ) -> Result<(), AggregationError> {
        if self.cut == Cut::Split
            && print.part.price
            && print.part.volume
            && self.so_far(building) < self.most
        {
            match self.measure {
                Measure::Trades => {}
                Measure::Volume => return self.split(building, print, 1, sink),
                // What has no price, or less than none, fills no bar.
                Measure::Value if print.tick.price <= 0 => {}
                Measure::Value => return self.split(building, print, print.tick.price.into(), sink),
            }
        }
        building.add_part(print.tick, print.part);
        if self.so_far(building) >= self.most && building.has_price() {
            sink.close(building, false);
        }
        Ok(())
    }

    #[inline]
    fn so_far(&self, building: &Building) -> i128 {
        match self.measure {
            Measure::Trades => building.count().into(),
            Measure::Volume => building.volume(),
            Measure::Value => building.value(),
        }
    }

    /// Spreads a tick over bars; a unit of it is worth so much of what is counted.
    fn split(
        &self,
        building: &mut Building,
        print: &Print,
        worth: i128,
        sink: &mut Sink<'_>,
    ) -> Result<(), AggregationError> {
        let (so_far, mut rest) = (self.so_far(building), i128::from(print.tick.size));
        if so_far.saturating_add(rest * worth) < self.most {
            building.add_part(print.tick, print.part);
            return Ok(());
        }
        let units = |room: i128| room.saturating_add(worth - 1) / worth;
        let (mut room, full) = (units(self.most - so_far), units(self.most));
        bars_of_a_tick(1 + (rest - room) / full)?;
        let piece = |units: i128| Tick { size: i64::try_from(units).unwrap_or(i64::MAX), ..print.tick };
        while rest >= room {
            building.add_part(piece(room), print.part);
            sink.close(building, false);
            rest -= room;
            room = full;
        }
        if rest > 0 {
            building.add_part(piece(rest), print.part);
        }
        Ok(())
    }
}

impl Measure {
    /// By what the counted grows with more digits.
    pub(crate) fn grows(self, by: Factors) -> Option<i128> {
        match self {
            Self::Trades => Some(1),
            Self::Volume => Some(by.size.into()),
            Self::Value => i128::from(by.price).checked_mul(by.size.into()),
        }
    }
}
