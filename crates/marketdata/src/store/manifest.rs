//! The manifest: which parts count.

use super::error::StoreError;
use super::files;
use chrono::{Datelike, NaiveDate};
use mts_foundation::market::IntervalUnit;
use mts_foundation::{Interval, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use smol_str::SmolStr;
use std::io::Write;
use std::path::Path;

/// Name of the manifest within a store.
pub const MANIFEST: &str = "manifest.json";
/// The version of the layout that this program writes and reads.
const FORMAT: u32 = 1;

/// What is kept together: bars of one length from one source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Series {
    source: SmolStr,
    interval: Interval,
}

impl Series {
    /// A series; the source is a name such as `okx` or `csv`.
    ///
    /// # Errors
    /// [`StoreError::Source`] unless the source is 1 to 40 of `a-z`, `0-9`, `-` and `_`.
    pub fn new(source: &str, interval: Interval) -> Result<Self, StoreError> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if source.is_empty() || source.len() > 40 || !source.bytes().all(fits) {
            return Err(StoreError::Source { name: source.chars().take(60).collect() });
        }
        Ok(Self { source: source.into(), interval })
    }

    /// Where its bars come from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Length of its bars.
    #[must_use]
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// The first day of the period whose parts hold the bars that end then: a year for days and weeks, a month for hours, a
    /// day for minutes and seconds. With 3,000 instruments a period has about a million bars.
    #[must_use]
    pub fn period(&self, time: Timestamp) -> NaiveDate {
        let date = time.to_datetime().date_naive();
        let first = match self.interval.unit() {
            IntervalUnit::Day | IntervalUnit::Week => date.with_ordinal(1),
            IntervalUnit::Hour => date.with_day(1),
            IntervalUnit::Minute | IntervalUnit::Second => None,
        };
        first.unwrap_or(date)
    }

    /// Name of the file of a part, from the store's folder.
    pub(super) fn path(&self, period: NaiveDate, number: u64) -> String {
        let period = match self.interval.unit() {
            IntervalUnit::Day | IntervalUnit::Week => period.format("%Y"),
            IntervalUnit::Hour => period.format("%Y-%m"),
            IntervalUnit::Minute | IntervalUnit::Second => period.format("%Y-%m-%d"),
        };
        format!("{}/{}/{period}-{number:06}.parquet", self.source, self.interval)
    }
}

impl std::fmt::Display for Series {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {}", self.source, self.interval)
    }
}

/// A file of bars of one series and period, in the order of time and then symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// From the store's folder, with `/`.
    pub path: String,
    /// What it is of.
    #[serde(flatten)]
    pub series: Series,
    /// Number of bars.
    pub rows: u64,
    /// End of the first bar.
    pub first: Timestamp,
    /// End of the last bar.
    pub last: Timestamp,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}

impl Part {
    /// The first day of its period.
    #[must_use]
    pub fn period(&self) -> NaiveDate {
        self.series.period(self.first)
    }
}

/// All parts, and the number of the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) next: u64,
    pub(super) parts: Vec<Part>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self { format: FORMAT, next: 1, parts: Vec::new() }
    }
}

/// The file: the manifest, and the SHA-256 of its text.
#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    sha256: String,
    #[serde(borrow)]
    manifest: &'a RawValue,
}

impl Manifest {
    pub(super) fn load(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(MANIFEST);
        let fault = |message: String| StoreError::Manifest { path: path.clone(), message };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let remedy = "name the folder of a store, or make one with mts data import or fetch";
            fault(format!("{error}; {remedy}"))
        })?;
        let damaged =
            |what: String| fault(format!("the manifest is damaged: {what}; restore it from a copy"));
        let sealed: Sealed<'_> = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if files::hash_of(sealed.manifest.get().as_bytes()) != sealed.sha256 {
            return Err(damaged("its checksum is not that of its text".to_owned()));
        }
        let read = serde_json::from_str::<Self>(sealed.manifest.get());
        let manifest = read.map_err(|error| damaged(error.to_string()))?;
        if manifest.format != FORMAT {
            let (found, known) = (manifest.format, FORMAT);
            return Err(fault(format!("its format is {found}, this program knows {known}; use a newer mts")));
        }
        for part in &manifest.parts {
            Series::new(part.series.source(), part.series.interval())?;
        }
        Ok(manifest)
    }

    pub(super) fn save(&self, folder: &Path) -> Result<(), StoreError> {
        let path = folder.join(MANIFEST);
        let fault = |error: serde_json::Error| StoreError::Manifest {
            path: path.clone(),
            message: error.to_string(),
        };
        let manifest = serde_json::value::to_raw_value(self).map_err(fault)?;
        let sha256 = files::hash_of(manifest.get().as_bytes());
        let text = serde_json::to_string(&Sealed { sha256, manifest: &manifest }).map_err(fault)?;
        files::write_whole(&path, |file| file.write_all(text.as_bytes()).map_err(StoreError::io(&path)))?;
        Ok(())
    }

    /// The parts of a period.
    pub(super) fn period(&self, series: &Series, period: NaiveDate) -> Vec<Part> {
        let of = |part: &&Part| part.series == *series && part.period() == period;
        self.parts.iter().filter(of).cloned().collect()
    }
}
