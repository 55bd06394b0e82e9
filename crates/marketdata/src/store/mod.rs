//! Bars on disk, in Parquet files with exact decimals.
//!
//! A [`Store`] is a folder: `manifest.json`, and beside it parts `SOURCE/INTERVAL/PERIOD-NUMBER.parquet`. The manifest alone
//! says which parts count, with the SHA-256 of each; a part is written and synced before the manifest names it, so a crash
//! leaves the state of before, and what it left behind is removed by the next [`Append`]. No bar, by symbol and end, is in a
//! series twice. This module is the one of the crate that opens files; `docs/store.md` describes them.

mod append;
mod columns;
mod error;
mod feed;
mod files;
mod manifest;
mod part;
mod rows;
mod verify;

pub use append::{Append, Appended, Duplicates};
pub use error::StoreError;
pub use feed::StoreFeed;
pub use manifest::{MANIFEST, Part, Series};
pub use rows::{Rows, Selection};
pub use verify::{Fault, Verification};

use crate::panel::{BuildError, PanelBuilder};
use manifest::Manifest;
use mts_foundation::{Symbol, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A folder of bars.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    manifest: Manifest,
}

/// What there is of a series, by the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesInfo {
    /// Which.
    #[serde(flatten)]
    pub series: Series,
    /// Number of parts.
    pub parts: u64,
    /// Number of bars.
    pub rows: u64,
    /// Size on disk.
    pub bytes: u64,
    /// End of the first bar.
    pub first: Timestamp,
    /// End of the last bar.
    pub last: Timestamp,
}

/// What there is of an instrument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SymbolInfo {
    /// Number of bars.
    pub rows: u64,
    /// End of the first bar.
    pub first: Timestamp,
    /// End of the last bar.
    pub last: Timestamp,
}

/// Why bars of a store do not make a panel.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The builder.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl Store {
    /// Opens a store. What is appended later is seen by opening it again.
    ///
    /// # Errors
    /// [`StoreError::Manifest`] when there is none or it is damaged.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        let manifest = Manifest::load(&folder)?;
        Ok(Self { folder, manifest })
    }

    /// Opens a store, or begins one in a folder that is new or empty.
    ///
    /// # Errors
    /// As [`Store::open`]; [`StoreError::Occupied`] when the folder holds something else.
    pub fn open_or_create(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        if !folder.join(MANIFEST).exists() {
            files::make_folder(&folder)?;
            let lock = files::lock(&folder)?;
            if let Some(other) = files::foreign(&folder)? {
                return Err(StoreError::Occupied { path: folder, other });
            }
            // Somebody else may have begun it before the lock was ours.
            if !folder.join(MANIFEST).exists() {
                Manifest::default().save(&folder)?;
            }
            drop(lock);
        }
        Self::open(folder)
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All parts, in the order in which they were written.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.manifest.parts
    }

    /// What there is, without reading any part.
    #[must_use]
    pub fn series(&self) -> Vec<SeriesInfo> {
        let mut all: BTreeMap<&Series, SeriesInfo> = BTreeMap::new();
        for part in &self.manifest.parts {
            let info = all.entry(&part.series).or_insert_with(|| SeriesInfo {
                series: part.series.clone(),
                parts: 0,
                rows: 0,
                bytes: 0,
                first: part.first,
                last: part.last,
            });
            info.parts = info.parts.saturating_add(1);
            info.rows = info.rows.saturating_add(part.rows);
            info.bytes = info.bytes.saturating_add(part.bytes);
            info.first = info.first.min(part.first);
            info.last = info.last.max(part.last);
        }
        all.into_values().collect()
    }

    /// Begins to append to a series. Nobody else can append until it is committed or dropped.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when somebody else does.
    pub fn append(&mut self, series: Series, duplicates: Duplicates) -> Result<Append<'_>, StoreError> {
        Append::begin(self, series, duplicates)
    }

    /// Bars of a series, in the order of their ends and, where these are the same, of their symbols. Holds one row group of
    /// each part of one period in memory. A part is read after its checksum was found right.
    #[must_use]
    pub fn read(&self, series: &Series, selection: Selection) -> Rows {
        let parts = self.manifest.parts.iter().filter(|part| part.series == *series);
        Rows::new(&self.folder, parts.cloned().collect(), selection)
    }

    /// Puts bars of a series into a panel that is being built; answers how many there were.
    ///
    /// # Errors
    /// [`FillError`]: a part cannot be read, or the builder refuses a bar.
    pub fn fill(
        &self,
        series: &Series,
        selection: Selection,
        builder: &mut PanelBuilder,
    ) -> Result<u64, FillError> {
        let mut count = 0;
        for bar in self.read(series, selection) {
            builder.push(&bar?)?;
            count += 1;
        }
        Ok(count)
    }

    /// What there is of each instrument of a series. Reads all of it.
    ///
    /// # Errors
    /// [`StoreError`] when a part cannot be read.
    pub fn symbols(&self, series: &Series) -> Result<BTreeMap<Symbol, SymbolInfo>, StoreError> {
        let mut all: BTreeMap<Symbol, SymbolInfo> = BTreeMap::new();
        for bar in self.read(series, Selection::default()) {
            let Bar { symbol, timestamp: time, .. } = bar?;
            let info = all.entry(symbol).or_insert(SymbolInfo { rows: 0, first: time, last: time });
            info.rows = info.rows.saturating_add(1);
            info.last = time;
        }
        Ok(all)
    }

    /// End of the last bar of each of these instruments; those without one are left out. Reads periods from the last one
    /// backward until all are found.
    ///
    /// # Errors
    /// [`StoreError`] when a part cannot be read.
    pub fn last_times(
        &self,
        series: &Series,
        symbols: &BTreeSet<Symbol>,
    ) -> Result<BTreeMap<Symbol, Timestamp>, StoreError> {
        let mut periods: BTreeMap<_, Vec<Part>> = BTreeMap::new();
        for part in self.manifest.parts.iter().filter(|part| part.series == *series) {
            periods.entry(part.period()).or_default().push(part.clone());
        }
        let (mut found, mut wanted) = (BTreeMap::new(), symbols.clone());
        for parts in periods.into_values().rev() {
            if wanted.is_empty() {
                break;
            }
            let selection = Selection { symbols: Some(wanted.clone()), ..Selection::default() };
            for bar in Rows::new(&self.folder, parts, selection) {
                let bar = bar?;
                found.insert(bar.symbol, bar.timestamp);
            }
            wanted.retain(|symbol| !found.contains_key(symbol));
        }
        Ok(found)
    }

    /// Reads everything and compares it with the manifest. `progress` hears the bytes of each part that is done.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder cannot be listed. What is wrong with parts is in the answer.
    pub fn verify(&self, progress: impl FnMut(u64)) -> Result<Verification, StoreError> {
        verify::verify(&self.folder, &self.manifest, progress)
    }
}

use mts_foundation::Bar;
