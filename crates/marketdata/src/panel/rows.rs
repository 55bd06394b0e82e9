//! The instants that become rows.

use super::builder::BuildError;
use mts_foundation::Timestamp;

/// Which instants become rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rows {
    /// Those at which any instrument has a bar; the others are missing there.
    #[default]
    Union,
    /// Those at which every instrument has one.
    Intersection,
}

impl Rows {
    /// The rows of columns whose instants increase; `most` bounds rows times columns, and with it the work.
    pub(super) fn of<C, T>(self, columns: C, most: usize) -> Result<Vec<Timestamp>, BuildError>
    where
        C: ExactSizeIterator<Item = T>,
        T: Iterator<Item = Timestamp> + Clone,
    {
        let width = columns.len();
        let fits = |rows: Vec<Timestamp>| {
            let count = rows.len().saturating_mul(width);
            if count > most { Err(BuildError::TooMany { what: "cells", count, most }) } else { Ok(rows) }
        };
        let mut rows: Option<Vec<Timestamp>> = None;
        for times in columns {
            rows = Some(match (rows, self) {
                (None, _) => times.collect(),
                (Some(rows), Self::Union) => fits(union(rows, times))?,
                (Some(rows), Self::Intersection) => intersection(rows, times),
            });
        }
        fits(rows.unwrap_or_default())
    }
}

fn union(rows: Vec<Timestamp>, times: impl Iterator<Item = Timestamp> + Clone) -> Vec<Timestamp> {
    // Most columns bring nothing new.
    let mut known = rows.iter().copied();
    if times.clone().all(|time| known.any(|row| row == time)) {
        return rows;
    }
    let mut merged = Vec::with_capacity(rows.len() + times.size_hint().0);
    let mut rows = rows.into_iter().peekable();
    for time in times {
        while let Some(row) = rows.next_if(|row| *row < time) {
            merged.push(row);
        }
        rows.next_if_eq(&time);
        merged.push(time);
    }
    merged.extend(rows);
    merged
}

fn intersection(mut rows: Vec<Timestamp>, times: impl Iterator<Item = Timestamp>) -> Vec<Timestamp> {
    let mut times = times.peekable();
    rows.retain(|row| {
        while times.next_if(|time| time < row).is_some() {}
        times.next_if_eq(row).is_some()
    });
    rows
}
