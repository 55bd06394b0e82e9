//! Everything read and compared with the manifest.

use super::append::leftovers;
use super::error::StoreError;
use super::manifest::{Manifest, Part};
use super::part::PartReader;
use super::rows::{Rows, Selection};
use mts_foundation::{Symbol, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What a look at everything has found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Verification {
    /// Parts that were looked at.
    pub parts: u64,
    /// Bars in those that are right.
    pub rows: u64,
    /// Bytes of those that are right.
    pub bytes: u64,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// Files of an append that did not come to its end, or of before a period was written anew. They do no harm: the next
    /// append removes them.
    pub leftovers: Vec<String>,
}

/// What is wrong with a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Which.
    pub part: String,
    /// What.
    pub message: String,
}

pub(super) fn verify(
    folder: &Path,
    manifest: &Manifest,
    mut progress: impl FnMut(u64),
) -> Result<Verification, StoreError> {
    let leftovers = leftovers(folder, manifest)?;
    let mut found = Verification { leftovers, ..Verification::default() };
    let mut right: BTreeMap<_, Vec<Part>> = BTreeMap::new();
    for part in &manifest.parts {
        found.parts = found.parts.saturating_add(1);
        match check(folder, part) {
            Ok(()) => {
                found.rows = found.rows.saturating_add(part.rows);
                found.bytes = found.bytes.saturating_add(part.bytes);
                right.entry((part.series.clone(), part.period())).or_default().push(part.clone());
            }
            Err(error) => found.faults.push(fault(&part.path, error)),
        }
        progress(part.bytes);
    }
    // A bar that is in two parts of a period.
    for parts in right.into_values().filter(|parts| parts.len() > 1) {
        let name = parts.last().map(|part| part.path.clone()).unwrap_or_default();
        if let Some(Err(error)) = Rows::new(folder, parts, Selection::default()).find(|bar| bar.is_err()) {
            found.faults.push(fault(&name, error));
        }
    }
    Ok(found)
}

fn fault(part: &str, error: StoreError) -> Fault {
    match error {
        StoreError::Damaged { part, message } => Fault { part, message },
        other => Fault { part: part.to_owned(), message: other.to_string() },
    }
}

fn check(folder: &Path, part: &Part) -> Result<(), StoreError> {
    let damaged = |message: String| Err(StoreError::damaged(&part.path, message));
    let mut reader = PartReader::open(folder, part)?;
    let (mut rows, mut first, mut last) = (0_u64, None, None::<(Timestamp, Symbol)>);
    while let Some(bars) = reader.group()? {
        for bar in bars {
            let key = (bar.timestamp, bar.symbol.clone());
            if last.as_ref().is_some_and(|last| *last >= key) {
                return damaged(format!("{} at {} is out of order", key.1, key.0));
            }
            if !bar.is_sane() {
                return damaged(format!("the bar of {} at {} cannot be", key.1, key.0));
            }
            rows = rows.saturating_add(1);
            first.get_or_insert(key.0);
            last = Some(key);
        }
    }
    let range = (first, last.map(|(time, _)| time));
    if rows != part.rows || range != (Some(part.first), Some(part.last)) {
        return damaged(format!("it has {rows} bars and other ends than the manifest says"));
    }
    let path = part.series.path(part.period(), 0);
    let stem = path.strip_suffix("000000.parquet").unwrap_or(&path);
    if !part.path.starts_with(stem) || part.series.period(part.last) != part.period() {
        return damaged("its place is not that of its bars".to_owned());
    }
    Ok(())
}
