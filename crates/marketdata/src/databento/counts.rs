//! What was read, and what was left out and why.

use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// Most instruments that are named among those left out; the others are counted.
pub const MAX_NAMED: usize = 1_000;

/// What became of the records. Nothing is left out without being counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records read.
    pub records: u64,
    /// Quotes handed out.
    pub quotes: u64,
    /// Prints handed out.
    pub trades: u64,
    /// Bars handed out.
    pub bars: u64,
    /// Records that hold no price to hand out: definitions, status, statistics, orders of a book, and what is not known.
    pub other: u64,
    /// Records of instruments that the symbol filter leaves out.
    pub unwanted: u64,
    /// Records whose instrument number stands for nothing at their time.
    pub unmapped: u64,
    /// Records of instruments whose name has no canonical form.
    pub unreadable: u64,
    /// Quotes that lack a side.
    pub one_sided: u64,
    /// Prints and bars without a price, or without a size.
    pub no_price: u64,
    /// Records without a time.
    pub no_time: u64,
    /// Quotes of a book that the publisher says may be wrong: they are left out.
    pub doubtful_quotes: u64,
    /// Records whose time of receipt the publisher calls inaccurate: they are handed out in their place.
    pub doubtful_times: u64,
    /// Events earlier than the one before them.
    pub backwards: u64,
    /// Times that the gateway warned that we read too slowly.
    pub slow_warnings: u64,
    /// Numbers that stand for nothing, each once, up to [`MAX_NAMED`].
    pub unmapped_ids: BTreeSet<u32>,
    /// Names without a canonical form, and how many records each had, up to [`MAX_NAMED`].
    pub unreadable_names: BTreeMap<SmolStr, u64>,
}

impl Counts {
    pub(super) fn unmapped(&mut self, id: u32) {
        add(&mut self.unmapped);
        if self.unmapped_ids.len() < MAX_NAMED {
            self.unmapped_ids.insert(id);
        }
    }

    pub(super) fn unreadable(&mut self, name: &SmolStr) {
        add(&mut self.unreadable);
        if let Some(count) = self.unreadable_names.get_mut(name) {
            add(count);
        } else if self.unreadable_names.len() < MAX_NAMED {
            self.unreadable_names.insert(name.clone(), 1);
        }
    }

    /// Both together.
    pub(super) fn join(&mut self, other: &Self) {
        let pairs = [
            (&mut self.records, other.records),
            (&mut self.quotes, other.quotes),
            (&mut self.trades, other.trades),
            (&mut self.bars, other.bars),
            (&mut self.other, other.other),
            (&mut self.unwanted, other.unwanted),
            (&mut self.unmapped, other.unmapped),
            (&mut self.unreadable, other.unreadable),
            (&mut self.one_sided, other.one_sided),
            (&mut self.no_price, other.no_price),
            (&mut self.no_time, other.no_time),
            (&mut self.doubtful_quotes, other.doubtful_quotes),
            (&mut self.doubtful_times, other.doubtful_times),
            (&mut self.backwards, other.backwards),
            (&mut self.slow_warnings, other.slow_warnings),
        ];
        for (sum, more) in pairs {
            *sum = sum.saturating_add(more);
        }
        let room = MAX_NAMED.saturating_sub(self.unmapped_ids.len());
        self.unmapped_ids.extend(other.unmapped_ids.iter().take(room));
        for (name, more) in &other.unreadable_names {
            if let Some(count) = self.unreadable_names.get_mut(name) {
                *count = count.saturating_add(*more);
            } else if self.unreadable_names.len() < MAX_NAMED {
                self.unreadable_names.insert(name.clone(), *more);
            }
        }
    }
}

pub(super) fn add(count: &mut u64) {
    *count = count.saturating_add(1);
}
