//! From the numbers in records to canonical symbols.

use dbn::{Metadata, TsSymbolMap};
use mts_foundation::symbology::{EquityForm, Form, FutureForm, OptionForm, VenueSymbology, YearDigits};
use mts_foundation::{Symbol, Timestamp};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most names of numbers that are kept.
const MAX_SPANS: usize = 4_000_000;

static SHARES: VenueSymbology = VenueSymbology::new("databento", &[Form::Equity(EquityForm::PLAIN)]);
static OPTIONS: VenueSymbology =
    VenueSymbology::new("databento", &[Form::Option(OptionForm { root_width: 6, ..OptionForm::PLAIN })]);
static FUTURES: VenueSymbology = VenueSymbology::new(
    "databento",
    &[Form::Future(FutureForm { year: YearDigits::One, ..FutureForm::PLAIN })],
);

/// How a data set spells its instruments: as their exchange does.
pub(super) fn table(dataset: &str) -> &'static VenueSymbology {
    const FUTURES_EXCHANGES: [&str; 9] =
        ["GLBX", "IFEU", "IFUS", "IFLL", "NDEX", "XEUR", "XEEE", "XCBF", "XEEX"];
    let exchange = dataset.split('.').next().unwrap_or_default();
    if exchange == "OPRA" {
        &OPTIONS
    } else if FUTURES_EXCHANGES.contains(&exchange) {
        &FUTURES
    } else {
        &SHARES
    }
}

/// What a number stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// An instrument that is wanted.
    Wanted(Symbol),
    /// One that the filter leaves out.
    Unwanted,
    /// A name that has no canonical form.
    Unreadable(SmolStr),
}

/// A name and when it holds: from the first nanosecond up to, without, the second.
#[derive(Debug)]
struct Span {
    from: u64,
    to: u64,
    name: Name,
}

/// A number, and what is remembered of its instrument.
#[derive(Debug, Default)]
pub(super) struct Instrument {
    spans: Vec<Span>,
    /// Number of the last print's message, and how many prints of it there were.
    pub(super) printed: Option<(u32, u32)>,
    /// Its book may be wrong.
    pub(super) is_doubtful: bool,
}

impl Instrument {
    /// What the number stands for at a time.
    pub(super) fn name(&self, time: u64) -> Option<&Name> {
        self.spans.iter().rev().find(|span| span.from <= time && time < span.to).map(|span| &span.name)
    }
}

/// All numbers.
#[derive(Debug)]
pub(super) struct Names {
    table: &'static VenueSymbology,
    given: BTreeMap<SmolStr, Symbol>,
    wanted: BTreeSet<Symbol>,
    known: BTreeSet<Symbol>,
    instruments: HashMap<u32, Instrument>,
    spans: usize,
}

impl Names {
    /// `given` goes before the spelling of the data set; no symbol wanted = all are.
    pub(super) fn new(dataset: &str, given: BTreeMap<SmolStr, Symbol>, wanted: BTreeSet<Symbol>) -> Self {
        let table = table(dataset);
        Self { table, given, wanted, known: BTreeSet::new(), instruments: HashMap::new(), spans: 0 }
    }

    /// Takes the names that a file describes itself with.
    pub(super) fn describe(&mut self, metadata: &Metadata) -> Result<(), String> {
        if metadata.mappings.is_empty() {
            return Ok(());
        }
        let map = TsSymbolMap::from_metadata(metadata)
            .map_err(|error| format!("its symbols are not mapped to numbers: {error}"))?;
        for (id, intervals) in map.inner() {
            for interval in intervals.intervals() {
                self.insert(*id, interval.start_ts, interval.end_ts, &interval.symbol)?;
            }
        }
        Ok(())
    }

    /// From now on a number stands for this, as the live gateway says.
    pub(super) fn replace(&mut self, id: u32, name: &str, time: u64) -> Result<(), String> {
        if let Some(instrument) = self.instruments.get_mut(&id) {
            self.spans -= instrument.spans.len();
            instrument.spans.clear();
        }
        let name = self.read(name, time);
        self.put(id, Span { from: 0, to: u64::MAX, name })
    }

    fn insert(&mut self, id: u32, from: u64, to: u64, native: &str) -> Result<(), String> {
        let name = self.read(native, from);
        self.put(id, Span { from, to, name })
    }

    fn put(&mut self, id: u32, span: Span) -> Result<(), String> {
        if self.spans >= MAX_SPANS {
            return Err(format!("it names more than {MAX_SPANS} instruments; ask for fewer symbols"));
        }
        self.spans += 1;
        if let Name::Wanted(symbol) = &span.name {
            self.known.insert(symbol.clone());
        }
        self.instruments.entry(id).or_default().spans.push(span);
        Ok(())
    }

    fn read(&self, native: &str, time: u64) -> Name {
        let read = || {
            let date = instant(time)?.to_datetime().date_naive();
            self.table.from_native_on(native, date).ok()
        };
        match self.given.get(native).cloned().or_else(read) {
            Some(symbol) if self.wanted.is_empty() || self.wanted.contains(&symbol) => Name::Wanted(symbol),
            Some(_) => Name::Unwanted,
            None => Name::Unreadable(native.into()),
        }
    }

    pub(super) fn get(&mut self, id: u32) -> Option<&mut Instrument> {
        self.instruments.get_mut(&id)
    }

    /// Those that are wanted and have a number.
    pub(super) fn known(&self) -> &BTreeSet<Symbol> {
        &self.known
    }
}

/// An instant; `None` for one that is not told, or beyond the year 2262.
pub(super) fn instant(nanos: u64) -> Option<Timestamp> {
    i64::try_from(nanos).ok().map(Timestamp::from_nanos)
}
