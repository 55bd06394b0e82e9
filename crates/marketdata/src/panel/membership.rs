//! Who belonged to a universe, as it was known then.

use crate::lines::line_of;
use chrono::NaiveDate;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::panel::PanelError;
use mts_foundation::{MarketCalendar, Symbol, UniversePanel};
use ndarray::{Array2, Axis};
use std::collections::BTreeMap;

/// The columns of a membership file, in any order; those of knowledge may be absent.
const COLUMNS: [&str; 5] = ["symbol", "from", "to", "from_known", "to_known"];
const NEEDED: usize = 3;

/// A time of membership: from a date on, up to and without another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spell {
    from: NaiveDate,
    to: Option<NaiveDate>,
    /// The same, where the news came later than the fact.
    acts: (NaiveDate, Option<NaiveDate>),
}

impl Spell {
    fn covers(&self, date: NaiveDate) -> bool {
        let (from, to) = self.acts;
        from <= date && to.is_none_or(|to| date < to)
    }
}

/// Point-in-time membership: an instrument may join, leave and join again. A row asks for its own date alone, so that what
/// happens later does not change it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    spells: BTreeMap<Symbol, Vec<Spell>>,
}

impl Membership {
    /// Reads CSV text with the header `symbol,from,to` and dates such as 2000-01-31: a member from the open of `from` on, up to
    /// and without `to`; empty = still a member. `from_known` and `to_known` say on which date the news came: it counts from
    /// the day after. `path` names the text in messages.
    ///
    /// # Errors
    /// [`MarketDataError::Record`] with the line and the column at fault, [`MarketDataError::Source`] for the header.
    pub fn from_csv(path: &str, text: &str) -> Result<Self, MarketDataError> {
        let source = |message: String| MarketDataError::Source { path: path.to_owned(), message };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| source(error.to_string()))?.clone();
        if let Some(unknown) = header.iter().find(|name| !COLUMNS.contains(name)) {
            return Err(source(format!("column {unknown:?} is unknown; use {}", COLUMNS.join(", "))));
        }
        let places = COLUMNS.map(|column| header.iter().position(|name| name == column));
        if let Some((missing, _)) = COLUMNS.iter().zip(places).take(NEEDED).find(|(_, place)| place.is_none())
        {
            return Err(source(format!("column {missing:?} is missing; add it to the header")));
        }
        let mut membership = Self::default();
        for record in reader.records() {
            let fault = |position: Option<&csv::Position>, message: String| MarketDataError::Record {
                path: path.to_owned(),
                line: line_of(text, position),
                message,
            };
            let record = record.map_err(|error| fault(error.position(), error.to_string()))?;
            let cells = places.map(|place| place.and_then(|place| record.get(place)).unwrap_or(""));
            membership.take(cells).map_err(|message| fault(record.position(), message))?;
        }
        Ok(membership)
    }

    fn take(&mut self, [symbol, from, to, from_known, to_known]: [&str; 5]) -> Result<(), String> {
        let symbol = Symbol::new(symbol).map_err(|error| error.to_string())?;
        let from =
            date("from", from)?.ok_or("from is empty; write the first date of membership".to_owned())?;
        let to = date("to", to)?;
        if let Some(to) = to.filter(|to| *to <= from) {
            return Err(format!("{symbol}: to {to} is not after from {from}; correct one of them"));
        }
        let to_known = date("to_known", to_known)?;
        if to.is_none() && to_known.is_some() {
            return Err(format!("{symbol}: to_known stands without to; write to, or leave both empty"));
        }
        let joins = after_news(from, date("from_known", from_known)?);
        let leaves = to.map(|to| after_news(to, to_known));
        let spells = self.spells.entry(symbol.clone()).or_default();
        let overlaps =
            |other: &&Spell| to.is_none_or(|to| other.from < to) && other.to.is_none_or(|other| from < other);
        // Times of membership of one instrument are few.
        if let Some(other) = spells.iter().find(overlaps) {
            return Err(format!("{symbol}: from {from} overlaps with the membership from {}", other.from));
        }
        spells.push(Spell { from, to, acts: (joins, leaves) });
        Ok(())
    }

    /// Everyone who was ever a member, in symbol order.
    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.spells.keys()
    }

    /// Whether the instrument was a member on a date, as far as was known then.
    #[must_use]
    pub fn contains(&self, symbol: &Symbol, date: NaiveDate) -> bool {
        self.spells.get(symbol).is_some_and(|spells| spells.iter().any(|spell| spell.covers(date)))
    }

    /// The panel with the mask of members. The calendar says to which date a row belongs.
    ///
    /// # Errors
    /// None that a panel from a builder can meet.
    pub fn mark(&self, panel: UniversePanel, calendar: &MarketCalendar) -> Result<UniversePanel, PanelError> {
        let mut members = Array2::from_elem(panel.shape(), false);
        let dates: Vec<_> = panel.dates().iter().map(|end| calendar.bar_date(end.to_datetime())).collect();
        for (symbol, mut lane) in panel.symbols().iter().zip(members.axis_iter_mut(Axis(1))) {
            let spells = self.spells.get(symbol).map(Vec::as_slice).unwrap_or_default();
            for (date, member) in dates.iter().zip(&mut lane) {
                *member = spells.iter().any(|spell| spell.covers(*date));
            }
        }
        panel.with_members(members)
    }
}

fn date(column: &str, text: &str) -> Result<Option<NaiveDate>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let date = text.parse().map_err(|_| format!("{column} {text:?} must be written like 2000-01-31"))?;
    Ok(Some(date))
}

/// The fact, or the day after the news where that is later: what becomes known on an evening was not known at its close.
fn after_news(fact: NaiveDate, known: Option<NaiveDate>) -> NaiveDate {
    let usable = known.and_then(|known| known.succ_opt());
    usable.map_or(fact, |usable| usable.max(fact))
}
