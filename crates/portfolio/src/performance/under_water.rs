//! Drawdowns as episodes: from a peak over a trough back to the peak.

use super::{PerformanceError, TimeWeighted, div, sub};
use chrono::NaiveDate;
use mts_foundation::Decimal;
use mts_foundation::num::exact;
use serde::{Deserialize, Serialize};

/// A stretch below a peak of the linked returns, so that flows neither make nor heal one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrawdownEpisode {
    /// Last day at the peak.
    pub peak: NaiveDate,
    /// Lowest day; the first of several.
    pub trough: NaiveDate,
    /// First day at or above the peak again; none when it has not come back.
    pub recovery: Option<NaiveDate>,
    /// Trough against peak, a fraction, below zero: −0.2 = a fifth is lost.
    #[serde(with = "exact")]
    pub depth: Decimal,
    /// Calendar days from the peak to the recovery, or to the last day.
    pub days: i64,
}

/// All drawdowns of a period, in order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWater {
    /// The episodes; they do not overlap.
    pub episodes: Vec<DrawdownEpisode>,
    /// Calendar days below a peak.
    pub days_under_water: i64,
    /// Calendar days of the period.
    pub days: i64,
}

impl UnderWater {
    /// The deepest episode; the first of several.
    #[must_use]
    pub fn deepest(&self) -> Option<&DrawdownEpisode> {
        self.episodes.iter().min_by_key(|episode| episode.depth)
    }

    /// The longest episode; the first of several.
    #[must_use]
    pub fn longest(&self) -> Option<&DrawdownEpisode> {
        self.episodes.iter().rev().max_by_key(|episode| episode.days)
    }
}

/// The drawdowns of linked returns.
///
/// # Errors
/// [`PerformanceError::OutOfRange`].
pub fn under_water(returns: &TimeWeighted) -> Result<UnderWater, PerformanceError> {
    let Some(first) = returns.steps.first() else { return Ok(UnderWater::default()) };
    let mut found = UnderWater::default();
    let (mut peak, mut peak_index) = (first.from, Decimal::ONE);
    let mut open: Option<(DrawdownEpisode, Decimal)> = None;
    for step in &returns.steps {
        found.days = (step.to - first.from).num_days();
        if step.index >= peak_index {
            if let Some((mut episode, _)) = open.take() {
                episode.recovery = Some(step.to);
                episode.days = (step.to - episode.peak).num_days();
                found.episodes.push(episode);
            }
            (peak, peak_index) = (step.to, step.index);
            continue;
        }
        let nothing =
            DrawdownEpisode { peak, trough: step.to, recovery: None, depth: Decimal::ZERO, days: 0 };
        let (episode, lowest) = open.get_or_insert((nothing, peak_index));
        episode.days = (step.to - episode.peak).num_days();
        if step.index < *lowest {
            *lowest = step.index;
            episode.trough = step.to;
            episode.depth = sub(div(step.index, peak_index, "drawdown")?, Decimal::ONE, "drawdown")?;
        }
    }
    found.episodes.extend(open.map(|(episode, _)| episode));
    found.days_under_water = found.episodes.iter().map(|episode| episode.days).sum();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{d, day, flow, worth};
    use super::super::{FlowTiming, time_weighted};
    use super::*;

    #[test]
    fn episodes_have_a_peak_a_trough_and_an_end() {
        let navs = [
            ("2026-03-02", "100"),
            ("2026-03-03", "120"),
            ("2026-03-04", "90"),
            ("2026-03-05", "96"),
            ("2026-03-06", "120"),
            ("2026-03-09", "120"),
            ("2026-03-10", "114"),
            ("2026-03-16", "114"),
        ];
        let valuations = navs.map(|(date, nav)| worth(date, nav));
        let found = under_water(&time_weighted(&valuations, &[], FlowTiming::default()).unwrap()).unwrap();
        let episode = |peak: &str, trough: &str, recovery: Option<&str>, depth: &str, days: i64| {
            let recovery = recovery.map(day);
            DrawdownEpisode { peak: day(peak), trough: day(trough), recovery, depth: d(depth), days }
        };
        let first = episode("2026-03-03", "2026-03-04", Some("2026-03-06"), "-0.25", 3);
        let second = episode("2026-03-09", "2026-03-10", None, "-0.05", 7);
        assert_eq!(found.episodes, [first.clone(), second.clone()]);
        assert_eq!((found.deepest(), found.longest()), (Some(&first), Some(&second)));
        assert_eq!((found.days_under_water, found.days), (10, 14));
    }

    #[test]
    fn of_two_alike_the_first() {
        let navs = [
            ("2026-03-02", "100"),
            ("2026-03-03", "90"),
            ("2026-03-04", "100"),
            ("2026-03-05", "90"),
            ("2026-03-06", "100"),
        ];
        let valuations = navs.map(|(date, nav)| worth(date, nav));
        let found = under_water(&time_weighted(&valuations, &[], FlowTiming::default()).unwrap()).unwrap();
        assert_eq!(found.episodes.len(), 2);
        let first = found.episodes.first();
        assert_eq!((found.deepest(), found.longest()), (first, first));
    }

    #[test]
    fn a_withdrawal_is_no_drawdown_and_a_deposit_heals_none() {
        let valuations = [worth("2026-03-02", "100"), worth("2026-03-03", "40"), worth("2026-03-04", "136")];
        let flows = [flow("2026-03-03", "-60"), flow("2026-03-04", "100")];
        let found = under_water(&time_weighted(&valuations, &flows, FlowTiming::default()).unwrap()).unwrap();
        assert_eq!(found.episodes.len(), 1);
        let only = found.deepest().unwrap();
        assert_eq!((only.peak, only.recovery), (day("2026-03-03"), None));
        assert_eq!(only.depth.round_dp(6), d("-0.028571"), "4 of 140");
        let none = under_water(&time_weighted(&valuations[..2], &flows[..1], FlowTiming::default()).unwrap());
        assert_eq!(none.unwrap().deepest(), None);
    }
}
