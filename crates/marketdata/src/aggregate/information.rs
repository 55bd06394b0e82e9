//! Imbalance bars and run bars (M. López de Prado, Advances in Financial Machine Learning, chapter 2): a bar closes when
//! what was traded on one side is more than was expected of a bar.
//!
//! Each tick has a weight (one, its units, or its money) and a side: who crossed the spread where that is known, else the
//! direction of the last change of the price (the tick rule), which is carried over from bar to bar; before the first change
//! it has none.
//!
//! | | θ | closes at |
//! |---|---|---|
//! | imbalance | weight bought less weight sold | \|θ\| ≥ E\[T\] · \|E\[bw\]\| |
//! | runs | the larger of weight bought and weight sold within the bar, not in a row | θ ≥ E\[T\] · max(E\[w bought\], E\[w sold\]) |
//!
//! What is expected comes of the bars before: T is the ticks of a bar, the others are means of a tick, and each is an
//! average over bars with exponentially falling weights, α = 2 / (window + 1). It changes when a bar closes by the rule, and
//! not within one. Sums are exact whole numbers; expectations are floating point.
//!
//! The rule feeds on itself, and without care its threshold runs away or falls to one tick. So:
//!
//! - E\[T\] stays within `shortest` and `longest`.
//! - Of a tick no less imbalance is expected than `floor` times what chance alone gives, E\[w\] / √E\[T\]; and of runs no
//!   less on the larger side than half of the weight and `floor` times what chance adds to that, 0.4 · E\[w\] / √E\[T\]. So
//!   ticks whose sides are a coin's make bars about as long as those before, where without it each would be shorter. Sides
//!   that last over several ticks, as those of the tick rule do, and weights that differ much have more of chance: with a
//!   floor below it (1.4 for a price that stays every third time) their bars still shrink to `shortest`.
//! - The first bar closes after `length` ticks, whatever they are, and is partial: what is expected begins with it.
//! - A bar that its hours or the end of the data cut says nothing about what to expect.
//!
//! Nothing bounds one bar's own length: perfectly balanced ticks close none. Give hours where that matters.

use super::activity::Measure;
use super::building::{Building, Factors};
use super::tick_bars::{Aggressor, Print, Sink};

/// How many standard deviations of their difference the larger of two sums is above their mean: 1 / √2π.
const LARGER_BY_CHANCE: f64 = 0.4;

/// What is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theta {
    /// What was bought less what was sold.
    Imbalance,
    /// The larger of both.
    Runs,
}

/// How expectations are formed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectations {
    /// Ticks of a bar to begin with, and of the first.
    pub length: f64,
    /// Least ticks of a bar that are expected.
    pub shortest: f64,
    /// Most ticks of a bar that are expected.
    pub longest: f64,
    /// Over how many bars the length is averaged.
    pub length_window: u32,
    /// Over how many bars what is bought and sold a tick is averaged.
    pub flow_window: u32,
    /// The least one-sidedness that is expected, in multiples of what chance alone gives.
    pub floor: f64,
}

impl Expectations {
    /// Around so many ticks a bar: a tenth to ten times as many, over twenty bars, and no less imbalance than by chance.
    #[must_use]
    pub fn around(length: f64) -> Self {
        let (shortest, longest) = (length / 10.0, length * 10.0);
        Self { length, shortest, longest, length_window: 20, flow_window: 20, floor: 1.0 }
    }

    /// The same in order: at least one tick, the shortest no more than the longest, the length between.
    fn in_order(self) -> Self {
        let sound = |value: f64, least: f64| if value.is_finite() { value.max(least) } else { least };
        let shortest = sound(self.shortest, 1.0);
        let longest = sound(self.longest, shortest);
        let length = sound(self.length, 1.0).clamp(shortest, longest);
        Self { length, shortest, longest, floor: sound(self.floor, 0.0), ..self }
    }
}

/// What is expected of the next bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Ticks: E\[T\].
    pub length: f64,
    /// Weight of a tick: E\[w\].
    pub weight: f64,
    /// Of that, bought.
    pub bought: f64,
    /// Of that, sold.
    pub sold: f64,
}

/// Bars by imbalance or runs.
#[derive(Debug, Clone)]
pub struct Information {
    theta: Theta,
    measure: Measure,
    set: Expectations,
    /// `None` = the first bar is not over.
    expected: Option<Expected>,
    threshold: i128,
    last_price: Option<i64>,
    side: Option<Aggressor>,
    /// Sums of the open bar.
    weight: i128,
    bought: i128,
    sold: i128,
}

impl Information {
    /// Bars of such sums of such weights. Expectations that contradict themselves are put in order.
    #[must_use]
    pub fn new(theta: Theta, measure: Measure, set: Expectations) -> Self {
        Self {
            theta,
            measure,
            set: set.in_order(),
            expected: None,
            threshold: i128::MAX,
            last_price: None,
            side: None,
            weight: 0,
            bought: 0,
            sold: 0,
        }
    }

    /// What is expected of the open bar; `None` = it is the first.
    #[must_use]
    pub const fn expected(&self) -> Option<Expected> {
        self.expected
    }

    pub(crate) fn rescaled(&self, by: Factors) -> Option<Self> {
        let grows = self.measure.grows(by)?;
        let price = match self.last_price {
            Some(price) => Some(price.checked_mul(by.price)?),
            None => None,
        };
        let factor = grows as f64;
        let expected = self.expected.map(|Expected { length, weight, bought, sold }| Expected {
            length,
            weight: weight * factor,
            bought: bought * factor,
            sold: sold * factor,
        });
        Some(Self {
            expected,
            threshold: self.threshold.saturating_mul(grows),
            last_price: price,
            weight: self.weight.checked_mul(grows)?,
            bought: self.bought.checked_mul(grows)?,
            sold: self.sold.checked_mul(grows)?,
            ..*self
        })
    }

    #[inline]
    pub(crate) fn take(&mut self, building: &mut Building, print: &Print, sink: &mut Sink<'_>) {
        let side = self.side_of(print);
        building.add_part(print.tick, print.part);
        if print.part.volume {
            let size = i128::from(print.tick.size);
            let weight = match self.measure {
                Measure::Trades => 1,
                Measure::Volume => size,
                Measure::Value => i128::from(print.tick.price) * size,
            };
            self.weight = self.weight.saturating_add(weight);
            match side {
                Some(Aggressor::Buyer) => self.bought = self.bought.saturating_add(weight),
                Some(Aggressor::Seller) => self.sold = self.sold.saturating_add(weight),
                None => {}
            }
        }
        let first = self.expected.is_none();
        let full =
            if first { building.count() as f64 >= self.set.length } else { self.theta() >= self.threshold };
        if full && building.has_price() {
            self.learn(building.count() as f64);
            sink.close(building, first);
        }
    }

    /// Who crossed the spread for a tick, and so for those to come that leave the price as it is. A price that is not one of
    /// the market at that time tells nothing.
    #[inline]
    fn side_of(&mut self, print: &Print) -> Option<Aggressor> {
        if !print.part.price {
            return print.aggressor;
        }
        let price = print.tick.price;
        let changed =
            self.last_price.replace(price).map_or(std::cmp::Ordering::Equal, |last| price.cmp(&last));
        self.side = match (print.aggressor, changed) {
            (Some(known), _) => Some(known),
            (None, std::cmp::Ordering::Greater) => Some(Aggressor::Buyer),
            (None, std::cmp::Ordering::Less) => Some(Aggressor::Seller),
            (None, std::cmp::Ordering::Equal) => self.side,
        };
        self.side
    }

    fn theta(&self) -> i128 {
        match self.theta {
            Theta::Imbalance => self.bought.saturating_sub(self.sold).saturating_abs(),
            Theta::Runs => self.bought.max(self.sold),
        }
    }

    /// A bar of so many ticks has closed by the rule.
    fn learn(&mut self, count: f64) {
        let count = count.max(1.0);
        let mean = |sum: i128| sum as f64 / count;
        let bar = Expected {
            length: count,
            weight: mean(self.weight),
            bought: mean(self.bought),
            sold: mean(self.sold),
        };
        let Expectations { shortest, longest, length_window, flow_window, floor, .. } = self.set;
        let toward = |before: f64, now: f64, window: u32| {
            before + 2.0 / (f64::from(window.max(1)) + 1.0) * (now - before)
        };
        let before = self.expected.unwrap_or(Expected { length: self.set.length, ..bar });
        let next = Expected {
            length: toward(before.length, bar.length, length_window).clamp(shortest, longest),
            weight: toward(before.weight, bar.weight, flow_window),
            bought: toward(before.bought, bar.bought, flow_window),
            sold: toward(before.sold, bar.sold, flow_window),
        };
        let chance = floor * next.weight / next.length.sqrt();
        let of_a_tick = match self.theta {
            Theta::Imbalance => (next.bought - next.sold).abs().max(chance),
            Theta::Runs => next.bought.max(next.sold).max(next.weight / 2.0 + LARGER_BY_CHANCE * chance),
        };
        self.expected = Some(next);
        self.threshold = whole(next.length * of_a_tick).max(1);
        self.cut();
    }

    /// The open bar is over, and the sums begin anew.
    pub(crate) fn cut(&mut self) {
        (self.weight, self.bought, self.sold) = (0, 0, 0);
    }
}

/// The whole number above.
#[expect(clippy::cast_possible_truncation, reason = "what is beyond 128 bits becomes the largest")]
fn whole(value: f64) -> i128 {
    value.ceil() as i128
}
