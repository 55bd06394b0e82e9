//! Bars from CSV text into a builder: long, a row a bar, and wide, a row an instant.

use super::builder::PanelBuilder;
use crate::lines::line_of;
use chrono::NaiveDate;
use csv::StringRecord;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::{Bar, Decimal, Interval, MarketCalendar, Symbol, Timestamp, num};

const CLOSE: &str = "close";
/// What a bar has beside its close: all of it, or nothing.
const OTHERS: [&str; 4] = ["open", "high", "low", "volume"];

/// Who takes the bars of a text; what it refuses is named with its line.
type Sink<'a> = &'a mut dyn FnMut(Bar) -> Result<(), String>;

/// Where the fields of one instrument stand in a row.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    close: Option<usize>,
    others: [Option<usize>; 4],
}

/// Reads rows of one bar each. The header names, in any order, `symbol`, `close`, and either `date` (sessions of the calendar,
/// for bars of a day: they end at its close) or `timestamp` (the end of the bar, ISO-8601). `open`, `high`, `low` and
/// `volume` stand all there or not at all; a row without them is a close-only bar, a row without any value none. Answers
/// how many bars there were. `path` names the text in messages.
///
/// # Errors
/// [`MarketDataError::Record`] with the line and the field at fault, what the builder refuses included;
/// [`MarketDataError::Source`] for the header.
pub fn read_long(
    path: &str,
    text: &str,
    calendar: &MarketCalendar,
    builder: &mut PanelBuilder,
) -> Result<usize, MarketDataError> {
    let interval = builder.interval();
    long_bars(path, text, calendar, interval, &mut |bar| {
        builder.push(&bar).map_err(|error| error.to_string())
    })
}

/// As [`read_long`], with bars of a length for anybody.
///
/// # Errors
/// As [`read_long`].
pub fn long_bars(
    path: &str,
    text: &str,
    calendar: &MarketCalendar,
    interval: Interval,
    sink: &mut dyn FnMut(Bar) -> Result<(), String>,
) -> Result<usize, MarketDataError> {
    let (mut reader, header) = open(path, text)?;
    let fault = |message: String| header_fault(path, message);
    let (mut time, mut symbol, mut places) = (None, None, Places::default());
    for (place, name) in header.iter().enumerate() {
        let slot = match name.to_ascii_lowercase().as_str() {
            "date" | "timestamp" => &mut time,
            "symbol" => &mut symbol,
            field => places.slot(field).ok_or_else(|| {
                fault(format!("column {name:?} is unknown; use date or timestamp, symbol, {}", fields()))
            })?,
        };
        if slot.replace(place).is_some() {
            return Err(fault(format!("column {name:?} stands twice, or date beside timestamp; remove one")));
        }
    }
    let time = time.ok_or_else(|| fault("column date or timestamp is missing; add it".to_owned()))?;
    let symbol = symbol.ok_or_else(|| fault("column symbol is missing; add it to the header".to_owned()))?;
    places.check("").map_err(fault)?;
    let clock = Clock::of(path, header.get(time).unwrap_or_default(), calendar, interval)?;
    let mut count = 0;
    each(path, text, &mut reader, |record| {
        let at = clock.read(record.get(time).unwrap_or_default())?;
        let symbol = Symbol::new(record.get(symbol).unwrap_or_default()).map_err(|e| e.to_string())?;
        count += take(sink, interval, (&symbol, at), &places, record)?;
        Ok(())
    })?;
    Ok(count)
}

/// Reads rows of one instant each. The first column is `date` or `timestamp`, as for [`read_long`]; the others are `AAPL` or
/// `AAPL close` for a close, `AAPL open` and so on for the rest of a bar. Empty cells are missing, a bar without any value is
/// none. Answers how many bars there were. `path` names the text in messages.
///
/// # Errors
/// As [`read_long`].
pub fn read_wide(
    path: &str,
    text: &str,
    calendar: &MarketCalendar,
    builder: &mut PanelBuilder,
) -> Result<usize, MarketDataError> {
    let interval = builder.interval();
    wide_bars(path, text, calendar, interval, &mut |bar| {
        builder.push(&bar).map_err(|error| error.to_string())
    })
}

/// As [`read_wide`], with bars of a length for anybody.
///
/// # Errors
/// As [`read_long`].
pub fn wide_bars(
    path: &str,
    text: &str,
    calendar: &MarketCalendar,
    interval: Interval,
    sink: &mut dyn FnMut(Bar) -> Result<(), String>,
) -> Result<usize, MarketDataError> {
    let (mut reader, header) = open(path, text)?;
    let fault = |message: String| header_fault(path, message);
    let first = header.get(0).unwrap_or_default();
    if !["date", "timestamp"].iter().any(|name| first.eq_ignore_ascii_case(name)) {
        return Err(fault("the first column must be date or timestamp, the others symbols".to_owned()));
    }
    let clock = Clock::of(path, first, calendar, interval)?;
    let mut columns: Vec<(Symbol, Places)> = Vec::new();
    let mut by_symbol = std::collections::BTreeMap::new();
    for (place, name) in header.iter().enumerate().skip(1) {
        let mut words = name.split_whitespace();
        let symbol = Symbol::new(words.next().unwrap_or_default())
            .map_err(|error| fault(format!("header: {error}")))?;
        let field = words.next().unwrap_or(CLOSE).to_ascii_lowercase();
        let at = *by_symbol.entry(symbol.clone()).or_insert(columns.len());
        if at == columns.len() {
            columns.push((symbol, Places::default()));
        }
        let slot = columns.get_mut(at).and_then(|(_, places)| places.slot(&field));
        let Some(slot) = slot.filter(|_| words.next().is_none()) else {
            return Err(fault(format!("column {name:?}: write a symbol, and behind it one of {}", fields())));
        };
        if slot.replace(place).is_some() {
            return Err(fault(format!("column {name:?} stands twice; remove one")));
        }
    }
    for (symbol, places) in &columns {
        places.check(symbol.as_str()).map_err(fault)?;
    }
    let mut count = 0;
    each(path, text, &mut reader, |record| {
        let at = clock.read(record.get(0).unwrap_or_default())?;
        for (symbol, places) in &columns {
            count += take(sink, interval, (symbol, at), places, record)?;
        }
        Ok(())
    })?;
    Ok(count)
}

fn fields() -> String {
    format!("{CLOSE}, {}", OTHERS.join(", "))
}

fn header_fault(path: &str, message: String) -> MarketDataError {
    MarketDataError::Source { path: path.to_owned(), message }
}

fn open<'a>(path: &str, text: &'a str) -> Result<(csv::Reader<&'a [u8]>, StringRecord), MarketDataError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| header_fault(path, error.to_string()))?.clone();
    Ok((reader, header))
}

/// Hands over each row; a fault is named with its line.
fn each(
    path: &str,
    text: &str,
    reader: &mut csv::Reader<&[u8]>,
    mut row: impl FnMut(&StringRecord) -> Result<(), String>,
) -> Result<(), MarketDataError> {
    // Counting lines takes a pass over the text, so only a fault does it.
    let fault = |position: Option<&csv::Position>, message: String| MarketDataError::Record {
        path: path.to_owned(),
        line: line_of(text, position),
        message,
    };
    let mut record = StringRecord::new();
    while reader
        .read_record(&mut record)
        .map_err(|error| fault(error.position(), format!("{error}; every row needs what the header names")))?
    {
        row(&record).map_err(|message| fault(record.position(), message))?;
    }
    Ok(())
}

/// How rows say when a bar ends.
#[derive(Debug, Clone, Copy)]
enum Clock<'a> {
    Sessions(&'a MarketCalendar),
    Instants,
}

impl<'a> Clock<'a> {
    fn of(
        path: &str,
        column: &str,
        calendar: &'a MarketCalendar,
        interval: Interval,
    ) -> Result<Self, MarketDataError> {
        if !column.eq_ignore_ascii_case("date") {
            return Ok(Self::Instants);
        }
        if interval != Interval::DAY {
            let message =
                format!("bars of {interval} need a column timestamp, a date does not tell their end");
            return Err(header_fault(path, message));
        }
        Ok(Self::Sessions(calendar))
    }

    fn read(self, text: &str) -> Result<Timestamp, String> {
        match self {
            Self::Instants => text.parse().map_err(|error| format!("timestamp: {error}")),
            Self::Sessions(calendar) => {
                let date: NaiveDate =
                    text.parse().map_err(|_| format!("date {text:?} must be written like 2000-01-31"))?;
                let session = calendar.session_on(date).map_err(|error| error.to_string())?;
                let session = session.ok_or_else(|| {
                    format!("{date} is no session of {}; correct the date", calendar.name())
                })?;
                Ok(Timestamp::from(session.close))
            }
        }
    }
}

impl Places {
    fn slot(&mut self, field: &str) -> Option<&mut Option<usize>> {
        if field == CLOSE {
            return Some(&mut self.close);
        }
        self.others.iter_mut().zip(OTHERS).find_map(|(place, name)| (name == field).then_some(place))
    }

    /// A close, and of the others all or none.
    fn check(&self, symbol: &str) -> Result<(), String> {
        let some = self.others.iter().any(Option::is_some);
        let missing = self.others.iter().zip(OTHERS).find(|(place, _)| some && place.is_none());
        let missing = if self.close.is_none() { Some(CLOSE) } else { missing.map(|(_, name)| name) };
        match missing {
            Some(name) => {
                let column = format!("{symbol} {name}");
                Err(format!(
                    "column {:?} is missing; give close alone, or {} beside it",
                    column.trim(),
                    OTHERS.join(", ")
                ))
            }
            None => Ok(()),
        }
    }
}

/// Takes the bar of one instrument out of a row; answers how many there were, none or one.
fn take(
    sink: Sink<'_>,
    interval: Interval,
    (symbol, time): (&Symbol, Timestamp),
    places: &Places,
    record: &StringRecord,
) -> Result<usize, String> {
    let cell = |place: Option<usize>| place.and_then(|place| record.get(place)).unwrap_or_default();
    let number = |name: &str, text: &str| {
        num::parse(text)
            .map_err(|error| format!("{symbol} {name}: {error}; leave the cell empty if it is missing"))
    };
    let close = cell(places.close);
    let others = places.others.map(cell);
    let given = others.iter().zip(OTHERS).find(|(text, _)| !text.is_empty());
    if close.is_empty() {
        return match given {
            None => Ok(0),
            Some((_, name)) => Err(format!("{symbol}: close is empty and {name} is not; give both or none")),
        };
    }
    let close = number(CLOSE, close)?;
    let mut bar = Bar::close_only(symbol.clone(), interval, close, time);
    if given.is_some() {
        let mut values = [Decimal::ZERO; 4];
        for ((value, text), name) in values.iter_mut().zip(others).zip(OTHERS) {
            *value = number(name, text)?;
        }
        [bar.open, bar.high, bar.low, bar.volume] = values;
        bar.close_only = false;
    }
    let largest = [(CLOSE, bar.close), ("high", bar.high)];
    for (name, price) in largest {
        if let Some(fault) = num::fault_of_positive(price, num::MAX_PRICE) {
            return Err(format!("{symbol} {name}: {fault}; leave the cell empty if it is missing"));
        }
    }
    sink(bar)?;
    Ok(1)
}
