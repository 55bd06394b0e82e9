//! The smaller bars that bars were made of, so that one of them can still be corrected.

use super::building::{Building, Factors, FixedBar};
use std::collections::VecDeque;

/// Most smaller bars that one bar may be of and still be revised: the minutes of a day.
const MAX_PARTS: usize = 1_440;

/// The bars of one instrument that are remembered, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    windows: VecDeque<Window>,
}

#[derive(Debug, Clone)]
pub(crate) struct Window {
    start: i64,
    end: i64,
    /// By their beginnings.
    parts: Vec<FixedBar>,
    /// All of them are here.
    whole: bool,
    /// How it closed.
    pub(crate) closed: Option<Outcome>,
}

/// How a bar closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) partial: bool,
    /// Of how many prints.
    pub(crate) count: u64,
}

impl Memory {
    /// A smaller bar has become part of the bar over `[start, end)`.
    pub(crate) fn note(&mut self, (start, end): (i64, i64), part: &FixedBar) {
        let place = self.windows.partition_point(|window| window.start < start);
        if self.windows.get(place).is_none_or(|window| window.start != start) {
            self.windows.insert(place, Window { start, end, parts: Vec::new(), whole: true, closed: None });
        }
        let Some(window) = self.windows.get_mut(place) else { return };
        window.whole &= window.parts.len() < MAX_PARTS;
        if window.whole {
            let after = window.parts.partition_point(|other| other.start <= part.start);
            window.parts.insert(after, *part);
        }
    }

    /// The bar that begins then has closed; the oldest are forgotten beyond so many.
    pub(crate) fn close(&mut self, start: i64, outcome: Outcome, most: usize) {
        if let Some(window) = self.windows.iter_mut().find(|window| window.start == start) {
            window.closed = Some(outcome);
        }
        let closed = self.windows.iter().filter(|window| window.closed.is_some()).count();
        self.windows.drain(..closed.saturating_sub(most).min(self.windows.len()));
    }

    /// The bar that an instant lies in.
    pub(crate) fn at(&mut self, time: i64) -> Option<&mut Window> {
        self.windows.iter_mut().find(|window| window.start <= time && time < window.end)
    }

    /// With more digits; `None` = something does not fit.
    pub(crate) fn rescaled(&self, by: Factors) -> Option<Self> {
        let window = |window: &Window| {
            let parts: Option<_> = window.parts.iter().map(|part| part.rescaled(by)).collect();
            Some(Window { parts: parts?, ..*window })
        };
        Some(Self { windows: self.windows.iter().map(window).collect::<Option<_>>()? })
    }
}

impl Window {
    pub(crate) const fn start(&self) -> i64 {
        self.start
    }

    pub(crate) const fn end(&self) -> i64 {
        self.end
    }

    /// Whether a bar of so many prints is of these smaller bars alone.
    pub(crate) fn is_all_of(&self, count: u64) -> bool {
        self.whole && self.parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.count)) == count
    }

    /// Puts a smaller bar in the place of the one that begins with it, and makes the bar anew.
    pub(crate) fn replace(&mut self, part: &FixedBar) -> Building {
        match self.parts.iter_mut().find(|other| other.start == part.start) {
            Some(other) => *other = *part,
            None => {
                let place = self.parts.partition_point(|other| other.start < part.start);
                self.parts.insert(place, *part);
            }
        }
        let mut anew = Building::over(self.start, self.end);
        for part in &self.parts {
            anew.merge(part);
        }
        anew
    }
}
