//! Bars into a store.

use super::Store;
use super::error::StoreError;
use super::files;
use super::manifest::{Manifest, Part, Series};
use super::part;
use super::rows::{Rows, Selection};
use chrono::NaiveDate;
use mts_foundation::Bar;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::iter::Peekable;

/// Bars that are held before parts are written of them, some 200 MB.
const HELD: usize = 1_000_000;
/// A period of so many parts is written anew as one.
const MAX_PARTS: usize = 8;

/// What a bar does whose instrument and end are there already, with other values. One with the same values counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// It is an error that names both.
    #[default]
    Refuse,
    /// It takes the place of the one that is there.
    LastWins,
}

/// What came of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Appended {
    /// Bars that came.
    pub received: u64,
    /// Bars that are new.
    pub added: u64,
    /// Bars that were there already, with the same values.
    pub same: u64,
    /// Bars that took the place of others.
    pub replaced: u64,
}

/// Bars on their way into a series. Nothing of them is seen before [`Append::commit`], and all of them then; without it
/// nothing has happened.
#[derive(Debug)]
pub struct Append<'a> {
    store: &'a mut Store,
    series: Series,
    duplicates: Duplicates,
    manifest: Manifest,
    held: Vec<Bar>,
    done: Appended,
    /// Let go last.
    _lock: File,
}

impl<'a> Append<'a> {
    pub(super) fn begin(
        store: &'a mut Store,
        series: Series,
        duplicates: Duplicates,
    ) -> Result<Self, StoreError> {
        let lock = files::lock(&store.folder)?;
        // Somebody else may have appended since the store was opened.
        let manifest = Manifest::load(&store.folder)?;
        for leftover in leftovers(&store.folder, &manifest)? {
            let path = store.folder.join(leftover);
            std::fs::remove_file(&path).map_err(StoreError::io(&path))?;
        }
        let (held, done) = (Vec::new(), Appended::default());
        Ok(Self { store, series, duplicates, manifest, held, done, _lock: lock })
    }

    /// Takes a bar; they may come in any order.
    ///
    /// # Errors
    /// [`StoreError`]: the bar is of another length or cannot be, it differs from one that is there, or a part cannot be written.
    /// The append is to be dropped then.
    pub fn push(&mut self, bar: Bar) -> Result<(), StoreError> {
        let (symbol, time, expected) = (&bar.symbol, bar.timestamp, self.series.interval());
        if bar.interval != expected {
            let (symbol, interval) = (symbol.clone(), bar.interval);
            return Err(StoreError::Interval { symbol, time, interval, expected });
        }
        if !bar.is_sane() {
            return Err(StoreError::Impossible { symbol: symbol.clone(), time });
        }
        self.done.received = self.done.received.saturating_add(1);
        self.held.push(bar);
        if self.held.len() >= HELD { self.write() } else { Ok(()) }
    }

    /// Writes what is held, and then the manifest: from here on it is there.
    ///
    /// # Errors
    /// As [`Append::push`].
    pub fn commit(mut self) -> Result<Appended, StoreError> {
        self.write()?;
        if self.manifest != self.store.manifest {
            self.manifest.save(&self.store.folder)?;
        }
        self.store.manifest = self.manifest;
        Ok(self.done)
    }

    /// Parts of what is held.
    fn write(&mut self) -> Result<(), StoreError> {
        let mut held = std::mem::take(&mut self.held);
        // Stable: of two bars of one end the one that came last stays last.
        held.sort_by(|left, right| (left.timestamp, &left.symbol).cmp(&(right.timestamp, &right.symbol)));
        let mut periods: BTreeMap<NaiveDate, Vec<Bar>> = BTreeMap::new();
        for bar in held {
            let bars = periods.entry(self.series.period(bar.timestamp)).or_default();
            match bars.last_mut().filter(|last| is_twin(last, &bar)) {
                None => bars.push(bar),
                Some(last) => {
                    self.settle(last, &bar)?;
                    *last = bar;
                }
            }
        }
        periods.into_iter().try_for_each(|(period, bars)| self.write_period(period, bars))
    }

    fn write_period(&mut self, period: NaiveDate, bars: Vec<Bar>) -> Result<(), StoreError> {
        let parts = self.manifest.period(&self.series, period);
        let (fresh, replaces) = self.fresh(&parts, bars)?;
        if fresh.is_empty() {
            return Ok(());
        }
        let (folder, series, number) = (&self.store.folder, &self.series, self.manifest.next);
        let whole = replaces || parts.len() + 1 >= MAX_PARTS;
        let written = if whole {
            part::write(folder, series, number, || Overlaid::new(folder, &parts, &fresh))?
        } else {
            part::write(folder, series, number, || fresh.iter().cloned().map(Ok))?
        };
        if whole {
            self.manifest.parts.retain(|part| !parts.contains(part));
        }
        self.manifest.next = self.manifest.next.saturating_add(1);
        self.manifest.parts.extend(written);
        Ok(())
    }

    /// The bars that are not there yet or not so, and whether one of them takes the place of another.
    fn fresh(&mut self, parts: &[Part], bars: Vec<Bar>) -> Result<(Vec<Bar>, bool), StoreError> {
        let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Ok((bars, false)) };
        let (first, last) = (first.timestamp, last.timestamp);
        let touched = parts.iter().filter(|part| part.first <= last && part.last >= first);
        let until = Selection { until: Some(last), ..Selection::default() };
        let mut there = Rows::new(&self.store.folder, touched.cloned().collect(), until).peekable();
        let (mut fresh, mut replaces) = (Vec::with_capacity(bars.len()), false);
        for bar in bars {
            while there.next_if(|kept| kept.as_ref().is_ok_and(|kept| is_before(kept, &bar))).is_some() {}
            match there.next_if(|kept| kept.as_ref().map_or(true, |kept| is_twin(kept, &bar))) {
                Some(kept) => {
                    if self.settle(&kept?, &bar)? {
                        replaces = true;
                        fresh.push(bar);
                    }
                }
                None => {
                    self.done.added = self.done.added.saturating_add(1);
                    fresh.push(bar);
                }
            }
        }
        Ok((fresh, replaces))
    }

    /// Whether the second bar, of the same instrument and end, takes the place of the first.
    fn settle(&mut self, kept: &Bar, came: &Bar) -> Result<bool, StoreError> {
        let Some((field, kept, came_value)) = difference(kept, came) else {
            self.done.same = self.done.same.saturating_add(1);
            return Ok(false);
        };
        match self.duplicates {
            Duplicates::Refuse => {
                let (symbol, time) = (came.symbol.clone(), came.timestamp);
                Err(StoreError::Conflict { symbol, time, field, kept, came: came_value })
            }
            Duplicates::LastWins => {
                self.done.replaced = self.done.replaced.saturating_add(1);
                Ok(true)
            }
        }
    }
}

/// Files of parts that the manifest does not name.
pub(super) fn leftovers(folder: &std::path::Path, manifest: &Manifest) -> Result<Vec<String>, StoreError> {
    let known: std::collections::BTreeSet<&str> =
        manifest.parts.iter().map(|part| part.path.as_str()).collect();
    Ok(files::part_files(folder)?.into_iter().filter(|path| !known.contains(path.as_str())).collect())
}

fn is_twin(left: &Bar, right: &Bar) -> bool {
    left.timestamp == right.timestamp && left.symbol == right.symbol
}

fn is_before(left: &Bar, right: &Bar) -> bool {
    (left.timestamp, &left.symbol) < (right.timestamp, &right.symbol)
}

/// The first field in which two bars differ, with both values.
fn difference(kept: &Bar, came: &Bar) -> Option<(&'static str, String, String)> {
    fn of<T: PartialEq>(
        field: &'static str,
        kept: &T,
        came: &T,
        write: impl Fn(&T) -> String,
    ) -> Option<(&'static str, String, String)> {
        (kept != came).then(|| (field, write(kept), write(came)))
    }
    let none = || "nothing".to_owned();
    of("open", &kept.open, &came.open, ToString::to_string)
        .or_else(|| of("high", &kept.high, &came.high, ToString::to_string))
        .or_else(|| of("low", &kept.low, &came.low, ToString::to_string))
        .or_else(|| of("close", &kept.close, &came.close, ToString::to_string))
        .or_else(|| of("volume", &kept.volume, &came.volume, ToString::to_string))
        .or_else(|| of("vwap", &kept.vwap, &came.vwap, |v| v.map_or_else(none, |v| v.to_string())))
        .or_else(|| {
            of("n_trades", &kept.n_trades, &came.n_trades, |n| n.map_or_else(none, |n| n.to_string()))
        })
        .or_else(|| of("close_only", &kept.close_only, &came.close_only, ToString::to_string))
        .or_else(|| of("partial", &kept.partial, &came.partial, ToString::to_string))
}

/// Bars of parts with others over them, in order.
struct Overlaid<'a> {
    there: Peekable<Rows>,
    over: Peekable<std::slice::Iter<'a, Bar>>,
}

impl<'a> Overlaid<'a> {
    fn new(folder: &std::path::Path, parts: &[Part], over: &'a [Bar]) -> Self {
        let there = Rows::new(folder, parts.to_vec(), Selection::default()).peekable();
        Self { there, over: over.iter().peekable() }
    }
}

impl Iterator for Overlaid<'_> {
    type Item = Result<Bar, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(over) = self.over.peek() else { return self.there.next() };
        match self.there.peek() {
            Some(Ok(kept)) if is_before(kept, over) => self.there.next(),
            Some(Err(_)) => self.there.next(),
            Some(Ok(kept)) if is_twin(kept, over) => {
                self.there.next();
                self.over.next().cloned().map(Ok)
            }
            _ => self.over.next().cloned().map(Ok),
        }
    }
}
