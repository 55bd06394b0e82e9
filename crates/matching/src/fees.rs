//! What an execution costs: exact decimals, positive = cost.
//!
//! A model is a list of tiers by what was traded in the calendar month (UTC), each with a rate for makers and one for
//! takers, and bounds per order. One tier without bounds is a flat fee, equal rates know no makers, a negative rate is a
//! rebate. Fees of an order are counted over all of its fills and rounded there, so that parts cost what the whole would
//! and the minimum is charged once: a fill pays what the order's fees grow by.

use mts_foundation::{Decimal, Timestamp};

/// How much a unit or its value costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Hundredths of a percent of the traded value.
    BasisPoints(Decimal),
    /// Money per unit.
    PerUnit(Decimal),
}

impl Rate {
    fn of(self, quantity: Decimal, value: Decimal) -> Option<Decimal> {
        match self {
            // Multiplied before divided, unless the product alone would leave the range.
            Self::BasisPoints(points) => match value.checked_mul(points) {
                Some(product) => product.checked_div(Decimal::from(10_000)),
                None => points.checked_div(Decimal::from(10_000))?.checked_mul(value),
            },
            Self::PerUnit(money) => quantity.checked_mul(money),
        }
    }

    fn number(self) -> Decimal {
        match self {
            Self::BasisPoints(number) | Self::PerUnit(number) => number,
        }
    }
}

/// Whether an order waited in the market or came to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liquidity {
    /// It rested.
    Maker,
    /// It traded with what rested.
    Taker,
}

impl Liquidity {
    /// `maker` or `taker`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Maker => "maker",
            Self::Taker => "taker",
        }
    }
}

/// The rates from a traded value on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// Value traded in the month from which the rates hold.
    pub from: Decimal,
    /// For orders that rested.
    pub maker: Rate,
    /// For the others.
    pub taker: Rate,
}

/// Fees of executions, in the currency of their price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeModel {
    /// By rising `from`, the first from 0; empty = free.
    tiers: Vec<Tier>,
    minimum: Option<Decimal>,
    maximum: Option<Decimal>,
    places: Option<u32>,
}

/// Why a fee model makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFees {
    /// The tiers do not cover every volume.
    #[error("tiers start at {from}; let the first start at 0 and each next one higher")]
    Tiers {
        /// The `from` at fault.
        from: Decimal,
    },
    /// A taker is paid, so that trading with oneself would earn money.
    #[error("the taker's rate is {rate}; it must be zero or more, only makers can have a rebate")]
    PaidTaker {
        /// The rate.
        rate: Decimal,
    },
    /// The bounds exclude each other.
    #[error("minimum {minimum} and maximum {maximum} per order exclude each other or are negative")]
    Bounds {
        /// Least per order.
        minimum: Decimal,
        /// Most per order.
        maximum: Decimal,
    },
}

/// What a fee model remembers between executions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeeState {
    month: i64,
    volume: Decimal,
}

/// What the fills of one order have cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accrued {
    raw: Decimal,
    charged: Decimal,
}

impl Accrued {
    /// The fees charged so far.
    #[must_use]
    pub fn charged(&self) -> Decimal {
        self.charged
    }
}

impl FeeModel {
    /// Nothing costs anything.
    #[must_use]
    pub fn free() -> Self {
        Self { tiers: Vec::new(), minimum: None, maximum: None, places: None }
    }

    /// Basis points of the traded value, on each side.
    #[must_use]
    pub fn basis_points(points: Decimal) -> Self {
        Self::flat(Rate::BasisPoints(points), Rate::BasisPoints(points))
    }

    /// Money per unit.
    #[must_use]
    pub fn per_unit(money: Decimal) -> Self {
        Self::flat(Rate::PerUnit(money), Rate::PerUnit(money))
    }

    /// One rate for makers, negative = a rebate, and one for takers.
    #[must_use]
    pub fn flat(maker: Rate, taker: Rate) -> Self {
        Self { tiers: vec![Tier { from: Decimal::ZERO, maker, taker }], ..Self::free() }
    }

    /// Rates by the value traded in the calendar month before the execution.
    #[must_use]
    pub fn tiered(tiers: Vec<Tier>) -> Self {
        Self { tiers, ..Self::free() }
    }

    /// With a least and a most per order that trades.
    #[must_use]
    pub fn bounded(mut self, minimum: Option<Decimal>, maximum: Option<Decimal>) -> Self {
        (self.minimum, self.maximum) = (minimum, maximum);
        self
    }

    /// With the fees of an order rounded to this many places, half away from zero; without it they are exact.
    #[must_use]
    pub fn rounded(mut self, places: u32) -> Self {
        self.places = Some(places);
        self
    }

    /// Checks that the numbers make sense together.
    ///
    /// # Errors
    /// [`InvalidFees`].
    pub fn validate(&self) -> Result<(), InvalidFees> {
        let mut expected = Decimal::ZERO;
        for (index, tier) in self.tiers.iter().enumerate() {
            let rises = if index == 0 { tier.from.is_zero() } else { tier.from > expected };
            if !rises {
                return Err(InvalidFees::Tiers { from: tier.from });
            }
            expected = tier.from;
            if tier.taker.number() < Decimal::ZERO {
                return Err(InvalidFees::PaidTaker { rate: tier.taker.number() });
            }
        }
        let (minimum, maximum) = (self.minimum.unwrap_or_default(), self.maximum.unwrap_or(Decimal::MAX));
        if minimum < Decimal::ZERO || maximum < minimum {
            return Err(InvalidFees::Bounds { minimum, maximum });
        }
        Ok(())
    }

    /// Whether makers and takers pay alike, so that an execution need not say what it was.
    #[must_use]
    pub fn knows_no_makers(&self) -> bool {
        self.tiers.iter().all(|tier| tier.maker == tier.taker)
    }

    /// The fees of an execution of `quantity` at `price`; negative for a rebate. `state` and `order` grow by it. A value
    /// beyond the range of decimals costs nothing, as it cannot be booked either.
    pub fn charge(
        &self,
        state: &mut FeeState,
        order: &mut Accrued,
        (quantity, price, multiplier): (Decimal, Decimal, Decimal),
        liquidity: Liquidity,
        time: Timestamp,
    ) -> Decimal {
        let value = quantity.checked_mul(price).and_then(|value| value.checked_mul(multiplier));
        let Some(value) = value else { return Decimal::ZERO };
        let month = month_of(time);
        // Fills of the month before may come late; they do not begin it anew.
        if month > state.month {
            *state = FeeState { month, volume: Decimal::ZERO };
        }
        let tier = self.tiers.iter().rev().find(|tier| tier.from <= state.volume);
        state.volume = state.volume.saturating_add(value);
        let Some(tier) = tier else { return Decimal::ZERO };
        let rate = if liquidity == Liquidity::Maker { tier.maker } else { tier.taker };
        let Some(raw) = rate.of(quantity, value) else { return Decimal::ZERO };
        order.raw = order.raw.saturating_add(raw);
        let mut total = order.raw;
        if let Some(minimum) = self.minimum {
            total = total.max(minimum);
        }
        if let Some(maximum) = self.maximum {
            total = total.min(maximum);
        }
        if let Some(places) = self.places {
            total = mts_foundation::num::round(total, places);
        }
        let fees = (total - order.charged).normalize();
        order.charged = total;
        fees
    }
}

/// Months since the year 0, UTC.
fn month_of(time: Timestamp) -> i64 {
    let date = time.to_datetime().date_naive();
    i64::from(chrono::Datelike::year(&date)) * 12 + i64::from(chrono::Datelike::month0(&date))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    /// The fees of fills (quantity, price) of one order.
    fn fees(
        model: &FeeModel,
        state: &mut FeeState,
        liquidity: Liquidity,
        fills: &[(&str, &str)],
    ) -> Vec<String> {
        let mut order = Accrued::default();
        fills
            .iter()
            .map(|(quantity, price)| {
                let traded = (d(quantity), d(price), Decimal::ONE);
                model.charge(state, &mut order, traded, liquidity, Timestamp::EPOCH).to_string()
            })
            .collect()
    }

    fn one(model: &FeeModel, liquidity: Liquidity, fills: &[(&str, &str)]) -> Vec<String> {
        model.validate().unwrap();
        fees(model, &mut FeeState::default(), liquidity, fills)
    }

    #[test]
    fn basis_points_are_exact() {
        let model = FeeModel::basis_points(d("5"));
        assert_eq!(one(&model, Liquidity::Taker, &[("333", "1.234")]), ["0.205461"]);
        assert_eq!(one(&FeeModel::free(), Liquidity::Taker, &[("10", "10")]), ["0"]);
        let mut order = Accrued::default();
        let traded = (d("2"), d("10"), d("100"));
        let fees =
            model.charge(&mut FeeState::default(), &mut order, traded, Liquidity::Maker, Timestamp::EPOCH);
        assert_eq!(fees, d("1"), "the multiplier counts");
    }

    #[test]
    fn the_minimum_is_charged_once_and_the_maximum_holds_for_the_order() {
        let model = FeeModel::per_unit(d("0.005")).bounded(Some(d("1")), Some(d("2")));
        assert_eq!(one(&model, Liquidity::Taker, &[("100", "9"), ("100", "9")]), ["1", "0"]);
        assert_eq!(one(&model, Liquidity::Taker, &[("100", "9"), ("200", "9")]), ["1", "0.5"]);
        assert_eq!(one(&model, Liquidity::Taker, &[("300", "9"), ("300", "9")]), ["1.5", "0.5"]);
    }

    #[test]
    fn parts_cost_what_the_whole_costs_also_rounded() {
        let model = FeeModel::basis_points(d("5")).rounded(2);
        assert_eq!(one(&model, Liquidity::Taker, &[("30", "1")]), ["0.02"]);
        let parts = one(&model, Liquidity::Taker, &[("10", "1"), ("10", "1"), ("10", "1")]);
        assert_eq!(parts, ["0.01", "0", "0.01"]);
    }

    #[test]
    fn makers_are_paid_and_takers_pay() {
        let model = FeeModel::flat(Rate::BasisPoints(d("-1")), Rate::BasisPoints(d("3")));
        assert_eq!(one(&model, Liquidity::Maker, &[("100", "100")]), ["-1"]);
        assert_eq!(one(&model, Liquidity::Taker, &[("100", "100")]), ["3"]);
        let paid = FeeModel::basis_points(d("-1"));
        assert_eq!(paid.validate().unwrap_err(), InvalidFees::PaidTaker { rate: d("-1") });
    }

    #[test]
    fn tiers_follow_the_volume_of_the_month() {
        let tier = |from: &str, points: &str| {
            let rate = Rate::BasisPoints(d(points));
            Tier { from: d(from), maker: rate, taker: rate }
        };
        let model = FeeModel::tiered(vec![tier("0", "10"), tier("10000", "5")]);
        let mut state = FeeState::default();
        let trade = [("100", "100")];
        assert_eq!(fees(&model, &mut state, Liquidity::Taker, &trade), ["10"]);
        assert_eq!(fees(&model, &mut state, Liquidity::Taker, &trade), ["5"]);
        let next_month = Timestamp::from_millis(31 * 86_400_000);
        let mut order = Accrued::default();
        let traded = (d("100"), d("100"), Decimal::ONE);
        assert_eq!(model.charge(&mut state, &mut order, traded, Liquidity::Taker, next_month), d("10"));
        let gap = FeeModel::tiered(vec![tier("1", "10")]);
        assert_eq!(gap.validate().unwrap_err(), InvalidFees::Tiers { from: d("1") });
    }
}
