//! When open bars end, and when they close of themselves.

use std::collections::BTreeMap;

/// How many open bars there are for each instant.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    ends: BTreeMap<i64, usize>,
    dues: BTreeMap<i64, usize>,
}

impl Schedule {
    /// A bar has opened.
    pub(crate) fn add(&mut self, end: i64, due: i64) {
        *self.ends.entry(end).or_default() += 1;
        *self.dues.entry(due).or_default() += 1;
    }

    /// A bar has closed.
    pub(crate) fn remove(&mut self, end: i64, due: i64) {
        for (times, at) in [(&mut self.ends, end), (&mut self.dues, due)] {
            if let Some(others) = times.get_mut(&at) {
                *others -= 1;
                if *others == 0 {
                    times.remove(&at);
                }
            }
        }
    }

    /// The earliest end.
    pub(crate) fn next_end(&self) -> Option<i64> {
        self.ends.first_key_value().map(|(end, _)| *end)
    }

    /// When the first closes of itself.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.dues.first_key_value().map(|(due, _)| *due)
    }
}
