//! Renko bricks: bars of one height, on a grid of prices.
//!
//! The grid is the multiples of the brick. A brick goes up when a price reaches the grid's next line above the last brick,
//! and down when one reaches the next line below it: so a reversal takes two bricks' height from where the last one ended. A
//! tick that goes further makes several.
//!
//! A brick's prices are lines of the grid and not what was paid. Its volume, value and count are of all that was traded
//! since the brick before, and say nothing about the brick's height: of bricks that one tick makes, the first has all of it
//! and the others none, so that their sum is what was traded. The average price may lie outside of the brick. What is left
//! at the end is a partial bar with the prices that were paid.

use super::building::{Building, Factors, FixedBar};
use super::tick_bars::{Print, Sink, bars_of_a_tick};
use super::time_bars::AggregationError;

/// Bricks of one height.
#[derive(Debug, Clone)]
pub struct Renko {
    brick: i64,
    /// Bottom and top of the last brick: one line before the first, `None` before the first price.
    last: Option<(i64, i64)>,
}

impl Renko {
    /// Bricks of this height in the whole numbers of the instrument's prices; of one where less is said.
    #[must_use]
    pub fn new(brick: i64) -> Self {
        Self { brick: brick.max(1), last: None }
    }

    pub(crate) fn rescaled(&self, by: Factors) -> Option<Self> {
        let brick = self.brick.checked_mul(by.price)?;
        let last = match self.last {
            Some((bottom, top)) => Some((bottom.checked_mul(by.price)?, top.checked_mul(by.price)?)),
            None => None,
        };
        Some(Self { brick, last })
    }

    pub(crate) fn take(
        &mut self,
        building: &mut Building,
        print: &Print,
        sink: &mut Sink<'_>,
    ) -> Result<(), AggregationError> {
        let (price, brick) = (print.tick.price, self.brick);
        if !print.part.price {
            building.add_part(print.tick, print.part);
            return Ok(());
        }
        let line = price.saturating_sub(price.rem_euclid(brick));
        let (bottom, top) = self.last.unwrap_or((line, line));
        // The line that a brick begins at, and how far each goes.
        let (edge, step) = if price >= top { (top, brick) } else { (bottom, -brick) };
        let bars = bars_of_a_tick((i128::from(price) - i128::from(edge)) / i128::from(step))?;
        self.last = Some((bottom, top));
        building.add_part(print.tick, print.part);
        let mut open = edge;
        for _ in 0..bars {
            let close = open.saturating_add(step);
            let (high, low) = (open.max(close), open.min(close));
            let time = print.tick.time;
            let nothing =
                FixedBar { start: time, end: time, open, high, low, close, volume: 0, value: 0, count: 0 };
            let traded = std::mem::replace(building, Building::NONE).spanned();
            sink.push(traded.map_or(nothing, |traded| FixedBar { open, high, low, close, ..traded }), false);
            self.last = Some((low, high));
            open = close;
        }
        Ok(())
    }
}
