//! Dividing an amount in given proportions within bounds, to the cent.
//!
//! All funds are filled like vessels under one rising water level: fund i holds max(minimum, level × weight i). A fund that
//! reaches its maximum, and a pair that reaches what both may have, stop there; the others go on, in their proportions, until
//! the amount is placed. The bound that is reached first is the one that is kept first, so that the result does not depend on
//! the order of the funds. It is a rule, not a search: where many pairs share a fund, an amount may have no place in these
//! proportions though other proportions would have one.
//!
//! Then each amount is cut to whole cents, and the cents that are left go one each to the largest remainders (Hamilton's
//! method), as far as bounds allow; ties go by place, and whoever calls sorts by id.

use super::CENT;
use mts_foundation::Decimal;
use mts_foundation::num::{floor_to_lot, round};
use std::cmp::{Ordering, Reverse};

/// Decimal places of an amount on the way to cents: what two that stop together have is exact in sum.
const PLACES: u32 = 8;

/// What may not be left. All amounts are whole cents.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds<'a> {
    /// What each must have, not above `maximum`.
    pub(super) minimum: Decimal,
    /// What each may have, and each pair together.
    pub(super) maximum: Decimal,
    /// Places of two that may together have no more than the maximum, which is no less than twice the minimum then.
    pub(super) pairs: &'a [(usize, usize)],
}

/// Why one has what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Its proportion.
    None,
    /// It would have less.
    Minimum,
    /// It would have more.
    Maximum,
    /// It would have more, and the one at this place with it.
    Pair(usize),
}

/// What one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filled {
    /// In whole cents.
    pub(super) amount: Decimal,
    /// Why.
    pub(super) stop: Stop,
}

/// Why an amount cannot be divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stuck {
    /// All minimums together are more.
    Minimums,
    /// So much has no place.
    NoRoom(Decimal),
    /// Beyond the range of decimals.
    OutOfRange,
}

/// One vessel while it is filled.
#[derive(Debug, Clone, Copy)]
struct Vessel {
    weight: Decimal,
    /// Its amount and why, once it has stopped.
    stopped: Option<(Decimal, Stop)>,
}

/// Divides `total`, whole cents, in the proportions of `weights`, which are at least 0.
pub(super) fn fill(weights: &[Decimal], total: Decimal, bounds: &Bounds<'_>) -> Result<Vec<Filled>, Stuck> {
    let mut vessels: Vec<Vessel> =
        weights.iter().map(|weight| Vessel { weight: *weight, stopped: None }).collect();
    loop {
        let level = water_level(&vessels, total, bounds.minimum)?;
        let Some((at, bound)) = first_bound(&vessels, bounds).filter(|(at, _)| *at < level) else {
            return to_cents(&vessels, level, total, bounds);
        };
        stop(&mut vessels, at, bound, bounds)?;
    }
}

/// The level at which those that have not stopped hold what the others leave.
fn water_level(vessels: &[Vessel], total: Decimal, minimum: Decimal) -> Result<Decimal, Stuck> {
    let mut left = total;
    let mut growing = Vec::new();
    for vessel in vessels {
        match vessel.stopped {
            Some((amount, _)) => left -= amount,
            None => growing.push(vessel.weight),
        }
    }
    // Who has only the minimum at this level lowers it for the others, until nobody more does.
    loop {
        let weight: Decimal = growing.iter().sum();
        if weight.is_zero() {
            // The rest of them has its minimum, and nobody takes more.
            let left = left - minimum * Decimal::from(growing.len());
            return match left.cmp(&Decimal::ZERO) {
                Ordering::Less => Err(Stuck::Minimums),
                Ordering::Equal => Ok(Decimal::ZERO),
                Ordering::Greater => Err(Stuck::NoRoom(left)),
            };
        }
        if left < Decimal::ZERO {
            return Err(Stuck::Minimums);
        }
        let level = left.checked_div(weight).ok_or(Stuck::OutOfRange)?;
        let before = growing.len();
        growing.retain(|weight| level.checked_mul(*weight).is_none_or(|amount| amount >= minimum));
        let pinned = before - growing.len();
        if pinned == 0 {
            return Ok(level);
        }
        left -= minimum * Decimal::from(pinned);
        if growing.is_empty() {
            return if left.is_zero() { Ok(level) } else { Err(Stuck::Minimums) };
        }
    }
}

/// A bound that a rising level reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    /// This one may have so much: by itself, or beside the other one, which has stopped.
    One(usize, Decimal, Option<usize>),
    /// Both have together what they may.
    Two(usize, usize),
}

/// The bound that is reached at the lowest level.
fn first_bound(vessels: &[Vessel], bounds: &Bounds<'_>) -> Option<(Decimal, Reached)> {
    let alone = vessels.iter().enumerate().filter(|(_, vessel)| vessel.stopped.is_none()).filter_map(
        |(place, vessel)| {
            let level = bounds.maximum.checked_div(vessel.weight)?;
            Some((level, Reached::One(place, bounds.maximum, None)))
        },
    );
    let pairs = bounds.pairs.iter().filter_map(|(left, right)| {
        let (one, other) = (vessels.get(*left)?, vessels.get(*right)?);
        let beside = |vessel: &Vessel, place: usize, (held, _): (Decimal, Stop), other: usize| {
            let limit = (bounds.maximum - held).max(bounds.minimum);
            Some((limit.checked_div(vessel.weight)?, Reached::One(place, limit, Some(other))))
        };
        match (one.stopped, other.stopped) {
            (Some(_), Some(_)) => None,
            (Some(held), None) => beside(other, *right, held, *left),
            (None, Some(held)) => beside(one, *left, held, *right),
            (None, None) => {
                let (small, large) = (one.weight.min(other.weight), one.weight.max(other.weight));
                let both = bounds.maximum.checked_div(small + large);
                // The smaller one may still have its minimum while the larger one grows.
                let level = match both.filter(|level| small * level >= bounds.minimum) {
                    Some(level) => level,
                    None => (bounds.maximum - bounds.minimum).checked_div(large)?,
                };
                Some((level, Reached::Two(*left, *right)))
            }
        }
    });
    alone.chain(pairs).min()
}

/// Stops who is at a bound.
fn stop(vessels: &mut [Vessel], level: Decimal, reached: Reached, bounds: &Bounds<'_>) -> Result<(), Stuck> {
    match reached {
        Reached::One(place, limit, other) => {
            let why = other.map_or(Stop::Maximum, Stop::Pair);
            if let Some(vessel) = vessels.get_mut(place) {
                vessel.stopped = Some((limit, why));
            }
        }
        Reached::Two(left, right) => {
            let Some(one) = vessels.get_mut(left) else { return Ok(()) };
            let amount = level.checked_mul(one.weight).ok_or(Stuck::OutOfRange)?;
            let amount = round(amount, PLACES).clamp(bounds.minimum, bounds.maximum - bounds.minimum);
            one.stopped = Some((amount, Stop::Pair(right)));
            if let Some(other) = vessels.get_mut(right) {
                other.stopped = Some((bounds.maximum - amount, Stop::Pair(left)));
            }
        }
    }
    Ok(())
}

/// Whole cents that are `total` in sum.
fn to_cents(
    vessels: &[Vessel],
    level: Decimal,
    total: Decimal,
    bounds: &Bounds<'_>,
) -> Result<Vec<Filled>, Stuck> {
    let mut filled = Vec::with_capacity(vessels.len());
    let mut rests = Vec::with_capacity(vessels.len());
    for (place, vessel) in vessels.iter().enumerate() {
        let (exact, stop) = match vessel.stopped {
            Some(stopped) => stopped,
            None => {
                let amount = level.checked_mul(vessel.weight).ok_or(Stuck::OutOfRange)?;
                match amount.cmp(&bounds.minimum) {
                    Ordering::Less => (bounds.minimum, Stop::Minimum),
                    Ordering::Equal | Ordering::Greater => (amount, Stop::None),
                }
            }
        };
        let amount = floor_to_lot(exact, CENT);
        rests.push((Reverse(round(exact - amount, PLACES)), place));
        filled.push(Filled { amount, stop });
    }
    rests.sort();
    let mut left = total - filled.iter().map(|one| one.amount).sum::<Decimal>();
    while left > Decimal::ZERO {
        let before = left;
        for (_, place) in &rests {
            if left.is_zero() {
                break;
            }
            if takes_a_cent(&filled, *place, bounds)
                && let Some(one) = filled.get_mut(*place)
            {
                one.amount += CENT;
                left -= CENT;
            }
        }
        if left == before {
            return Err(Stuck::NoRoom(left));
        }
    }
    Ok(filled)
}

/// Whether one more cent is within all bounds.
fn takes_a_cent(filled: &[Filled], place: usize, bounds: &Bounds<'_>) -> bool {
    let at = |place: usize| filled.get(place).map_or(Decimal::ZERO, |one| one.amount);
    let more = at(place) + CENT;
    let fits = |(left, right): &(usize, usize)| match place {
        _ if place == *left => more + at(*right) <= bounds.maximum,
        _ if place == *right => more + at(*left) <= bounds.maximum,
        _ => true,
    };
    more <= bounds.maximum && bounds.pairs.iter().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn amounts(weights: &[&str], total: &str, bounds: &Bounds<'_>) -> Result<Vec<String>, Stuck> {
        let weights: Vec<Decimal> = weights.iter().map(|weight| d(weight)).collect();
        let filled = fill(&weights, d(total), bounds)?;
        Ok(filled.iter().map(|one| format!("{} {:?}", one.amount.normalize(), one.stop)).collect())
    }

    fn bounds<'a>(minimum: &str, maximum: &str, pairs: &'a [(usize, usize)]) -> Bounds<'a> {
        Bounds { minimum: d(minimum), maximum: d(maximum), pairs }
    }

    #[test]
    fn bounds_hold_and_the_others_keep_their_proportions() {
        // 60 is cut to 50; of the other 50 the small one has its 10, and 20 : 10 remains for the two.
        let filled = amounts(&["60", "20", "10", "1"], "100", &bounds("10", "50", &[]));
        assert_eq!(filled.unwrap(), ["50 Maximum", "26.67 None", "13.33 None", "10 Minimum"]);
    }

    #[test]
    fn cents_go_to_the_largest_remainders_and_ties_to_the_first() {
        let filled = amounts(&["1", "1", "1"], "100", &bounds("0", "100", &[]));
        assert_eq!(filled.unwrap(), ["33.34 None", "33.33 None", "33.33 None"]);
        // 28.5714…, 14.2857…, 57.1428…: the second has the largest remainder.
        let filled = amounts(&["2", "1", "4"], "100", &bounds("0", "100", &[]));
        assert_eq!(filled.unwrap(), ["28.57 None", "14.29 None", "57.14 None"]);
        // Half a cent too much for each of two pairs: one of each pair gets it.
        let filled = amounts(&["1", "1", "1", "1"], "80.02", &bounds("0", "40.01", &[(0, 1), (2, 3)]));
        assert_eq!(filled.unwrap(), ["20.01 None", "20 None", "20.01 None", "20 None"]);
    }

    #[test]
    fn a_pair_has_together_what_one_may_have() {
        let pair = [(0, 1)];
        let filled = amounts(&["3", "2", "1", "1"], "100", &bounds("0", "40", &pair));
        assert_eq!(filled.unwrap(), ["24 Pair(1)", "16 Pair(0)", "30 None", "30 None"]);
        // The smaller one of the pair keeps its minimum.
        let filled = amounts(&["30", "1", "10", "10"], "100", &bounds("5", "50", &pair));
        assert_eq!(filled.unwrap(), ["45 Pair(1)", "5 Pair(0)", "25 None", "25 None"]);
        // A chain: the second stops with the first, the third may then have what is left beside the second.
        let chain = [(0, 1), (1, 2)];
        let filled = amounts(&["4", "4", "1", "1"], "100", &bounds("0", "40", &chain));
        assert_eq!(filled.unwrap(), ["20 Pair(1)", "20 Pair(0)", "20 Pair(1)", "40 None"]);
    }

    #[test]
    fn what_cannot_be_divided_is_told() {
        assert_eq!(amounts(&["1", "1"], "100", &bounds("51", "60", &[])), Err(Stuck::Minimums));
        assert_eq!(amounts(&["1", "1"], "100", &bounds("0", "40", &[])), Err(Stuck::NoRoom(d("20"))));
        // Nobody else has a share.
        assert_eq!(amounts(&["1", "0"], "100", &bounds("10", "50", &[])), Err(Stuck::NoRoom(d("40"))));
        assert_eq!(amounts(&["1", "1"], "100", &bounds("50", "50", &[])).unwrap().len(), 2);
    }
}
