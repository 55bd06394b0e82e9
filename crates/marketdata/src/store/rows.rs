//! Bars out of parts, in order.

use super::error::StoreError;
use super::manifest::Part;
use super::part::PartReader;
use mts_foundation::{Bar, Symbol, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// Which bars of a series; all of them by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those of these instruments.
    pub symbols: Option<BTreeSet<Symbol>>,
    /// Those that end after this.
    pub after: Option<Timestamp>,
    /// Those that end at this or before.
    pub until: Option<Timestamp>,
}

impl Selection {
    fn reaches(&self, part: &Part) -> bool {
        self.after.is_none_or(|after| part.last > after) && self.until.is_none_or(|until| part.first <= until)
    }

    fn has(&self, bar: &Bar) -> bool {
        self.after.is_none_or(|after| bar.timestamp > after)
            && self.until.is_none_or(|until| bar.timestamp <= until)
            && self.symbols.as_ref().is_none_or(|symbols| symbols.contains(&bar.symbol))
    }
}

/// Bars of a series in the order of time and then symbol; see [`Store::read`](super::Store::read). After an error it ends.
pub struct Rows {
    folder: PathBuf,
    selection: Selection,
    /// Parts by period, the next one first.
    periods: VecDeque<Vec<Part>>,
    open: Vec<Cursor>,
    last: Option<(Timestamp, Symbol)>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Rows")
            .field("folder", &self.folder)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl Rows {
    pub(super) fn new(folder: &Path, parts: Vec<Part>, selection: Selection) -> Self {
        let mut periods: BTreeMap<_, Vec<Part>> = BTreeMap::new();
        for part in parts.into_iter().filter(|part| selection.reaches(part)) {
            periods.entry(part.period()).or_default().push(part);
        }
        Self {
            folder: folder.to_owned(),
            selection,
            periods: periods.into_values().collect(),
            open: Vec::new(),
            last: None,
        }
    }

    fn step(&mut self) -> Result<Option<Bar>, StoreError> {
        while self.open.is_empty() {
            let Some(parts) = self.periods.pop_front() else { return Ok(None) };
            for part in parts {
                self.open.extend(Cursor::open(&self.folder, &part, &self.selection)?);
            }
        }
        let first = self.open.iter().enumerate().min_by(|(_, left), (_, right)| left.key().cmp(&right.key()));
        let Some(at) = first.map(|(at, _)| at) else { return Ok(None) };
        let Some(cursor) = self.open.get_mut(at) else { return Ok(None) };
        let (bar, more) = cursor.advance(&self.selection)?;
        let key = (bar.timestamp, bar.symbol.clone());
        if self.last.as_ref().is_some_and(|last| *last >= key) {
            let message = format!("{} at {} is twice in the series, or out of order", key.1, key.0);
            return Err(StoreError::damaged(&cursor.reader.part().path, message));
        }
        if !more {
            self.open.swap_remove(at);
        }
        self.last = Some(key);
        Ok(Some(bar))
    }
}

impl Iterator for Rows {
    type Item = Result<Bar, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let stepped = self.step();
        if stepped.is_err() {
            self.open.clear();
            self.periods.clear();
        }
        stepped.transpose()
    }
}

/// Where a part is read.
struct Cursor {
    reader: PartReader,
    group: std::vec::IntoIter<Bar>,
    head: Bar,
}

impl Cursor {
    /// At the first bar of the selection; `None` when there is none.
    fn open(folder: &Path, part: &Part, selection: &Selection) -> Result<Option<Self>, StoreError> {
        let mut reader = PartReader::open(folder, part)?;
        let mut group = Vec::new().into_iter();
        let head = forward(&mut reader, &mut group, selection)?;
        Ok(head.map(|head| Self { reader, group, head }))
    }

    fn key(&self) -> (Timestamp, &Symbol) {
        (self.head.timestamp, &self.head.symbol)
    }

    /// The bar here, and whether there is another one.
    fn advance(&mut self, selection: &Selection) -> Result<(Bar, bool), StoreError> {
        match forward(&mut self.reader, &mut self.group, selection)? {
            Some(next) => Ok((std::mem::replace(&mut self.head, next), true)),
            None => Ok((self.head.clone(), false)),
        }
    }
}

fn forward(
    reader: &mut PartReader,
    group: &mut std::vec::IntoIter<Bar>,
    selection: &Selection,
) -> Result<Option<Bar>, StoreError> {
    loop {
        if let Some(bar) = group.find(|bar| selection.has(bar)) {
            return Ok(Some(bar));
        }
        match reader.group()? {
            Some(bars) => *group = bars.into_iter(),
            None => return Ok(None),
        }
    }
}
