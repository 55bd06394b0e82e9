//! Closing prices from a wide CSV file: one row per session, one column per instrument.

use crate::lines::line_of;
use chrono::NaiveDate;
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::{Bar, Decimal, InstrumentTable, Interval, MarketCalendar, Symbol, Timestamp, num};
use std::collections::VecDeque;
use std::sync::Arc;

/// Closes become daily bars whose four prices are the close, flagged `close_only`, stamped at the close of their
/// session. An empty cell is a missing price: no bar.
#[derive(Debug, Clone)]
pub struct ClosesFeed {
    symbols: Vec<Symbol>,
    rows: VecDeque<(Timestamp, Arc<[Bar]>)>,
    first: NaiveDate,
    last: NaiveDate,
    total: usize,
    stats: FeedStats,
}

impl ClosesFeed {
    /// Reads and checks the whole file: the header is `Date` and symbols that the table knows; dates increase and are
    /// sessions of the calendar; prices are greater than zero. `path` names it in messages.
    ///
    /// # Errors
    /// [`MarketDataError::Record`] with the line and the column at fault, [`MarketDataError::Source`] for the header.
    pub fn from_csv(
        path: &str,
        text: &str,
        instruments: &InstrumentTable,
        calendar: &MarketCalendar,
    ) -> Result<Self, MarketDataError> {
        let source = |message: String| MarketDataError::Source { path: path.to_owned(), message };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| source(error.to_string()))?.clone();
        if !header.get(0).is_some_and(|name| name.eq_ignore_ascii_case("date")) {
            return Err(source("the first column must be Date, the others symbols".to_owned()));
        }
        let mut symbols: Vec<Symbol> = Vec::new();
        for name in header.iter().skip(1) {
            let symbol = Symbol::new(name).map_err(|error| source(format!("header: {error}")))?;
            if instruments.get(&symbol).is_none() {
                return Err(source(format!(
                    "column {symbol} is not in the instrument table; add a row for it there"
                )));
            }
            if symbols.contains(&symbol) {
                return Err(source(format!("column {symbol} stands twice; remove one")));
            }
            symbols.push(symbol);
        }
        let mut rows: VecDeque<(Timestamp, Arc<[Bar]>)> = VecDeque::new();
        let mut last: Option<NaiveDate> = None;
        let mut first = None;
        for record in reader.records() {
            let record = record.map_err(|error| MarketDataError::Record {
                path: path.to_owned(),
                line: line_of(text, error.position()),
                message: format!("{error}; every row needs a date and {} prices", symbols.len()),
            })?;
            let row = Row { path, text, record: &record };
            let date = row.date(last)?;
            let session =
                calendar.session_on(date).map_err(|error| row.fault(error.to_string()))?.ok_or_else(
                    || row.fault(format!("{date} is no session of {}; correct the date", calendar.name())),
                )?;
            let time = Timestamp::from(session.close);
            rows.push_back((time, row.bars(&symbols, time)?));
            first.get_or_insert(date);
            last = Some(date);
        }
        let (Some(first), Some(last)) = (first, last) else {
            return Err(source("it has no rows; it needs at least one session of prices".to_owned()));
        };
        let total = rows.len();
        let stats = FeedStats { symbols: symbols.len() as u64, ..FeedStats::default() };
        Ok(Self { symbols, rows, first, last, total, stats })
    }

    /// Canonical symbols, in column order.
    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// First session of the file.
    #[must_use]
    pub fn first(&self) -> NaiveDate {
        self.first
    }

    /// Last session of the file.
    #[must_use]
    pub fn last(&self) -> NaiveDate {
        self.last
    }

    /// The last close of each instrument that is still to come, in column order; those without one are left out.
    #[must_use]
    pub fn last_closes(&self) -> Vec<(Symbol, Decimal)> {
        let last = |symbol: &Symbol| self.closes_backward(symbol).next().map(|close| (symbol.clone(), close));
        self.symbols.iter().filter_map(last).collect()
    }

    /// The last close but one and the last of each instrument, as [`ClosesFeed::last_closes`]: where its last day began and
    /// ended. Those with a single close are left out.
    #[must_use]
    pub fn last_days(&self) -> Vec<(Symbol, Decimal, Decimal)> {
        let day = |symbol: &Symbol| {
            let mut closes = self.closes_backward(symbol);
            let (end, begin) = (closes.next()?, closes.next()?);
            Some((symbol.clone(), begin, end))
        };
        self.symbols.iter().filter_map(day).collect()
    }

    fn closes_backward<'a>(&'a self, symbol: &'a Symbol) -> impl Iterator<Item = Decimal> + 'a {
        let bars = self.rows.iter().rev().flat_map(|(_, bars)| bars.iter());
        bars.filter(move |bar| bar.symbol == *symbol).map(|bar| bar.close)
    }

    /// Sessions in the file.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.total
    }
}

struct Row<'a> {
    path: &'a str,
    text: &'a str,
    record: &'a csv::StringRecord,
}

impl Row<'_> {
    fn fault(&self, message: String) -> MarketDataError {
        // Counting lines takes a pass over the text, so only a fault does it.
        let line = line_of(self.text, self.record.position());
        MarketDataError::Record { path: self.path.to_owned(), line, message }
    }

    fn date(&self, last: Option<NaiveDate>) -> Result<NaiveDate, MarketDataError> {
        let text = self.record.get(0).unwrap_or("");
        let date: NaiveDate =
            text.parse().map_err(|_| self.fault(format!("date {text:?} must be written like 2000-01-31")))?;
        match last {
            Some(last) if date <= last => {
                Err(self
                    .fault(format!("{date} does not come after {last}; sort the rows and remove duplicates")))
            }
            _ => Ok(date),
        }
    }

    fn bars(&self, symbols: &[Symbol], time: Timestamp) -> Result<Arc<[Bar]>, MarketDataError> {
        let mut bars = Vec::with_capacity(symbols.len());
        for (symbol, cell) in symbols.iter().zip(self.record.iter().skip(1)) {
            if cell.is_empty() {
                continue;
            }
            let close = num::parse(cell).map_err(|error| self.fault(format!("{symbol}: {error}")))?;
            if let Some(fault) = num::fault_of_positive(close, num::MAX_PRICE) {
                let message = format!("{symbol}: price {fault}; leave the cell empty if it is missing");
                return Err(self.fault(message));
            }
            bars.push(Bar::close_only(symbol.clone(), Interval::DAY, close, time));
        }
        bars.sort_by(|left, right| left.symbol.cmp(&right.symbol));
        Ok(bars.into())
    }
}

impl DataFeed for ClosesFeed {
    fn name(&self) -> &str {
        "closes"
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = true;
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        if !self.stats.running {
            return Ok(None);
        }
        let Some((time, bars)) = self.rows.pop_front() else { return Ok(None) };
        self.stats.ticks = self.stats.ticks.saturating_add(bars.len() as u64);
        self.stats.last_time = Some(time);
        Ok(Some(MarketEvent::Bars { time, bars }))
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = false;
        Ok(())
    }

    fn stats(&self) -> FeedStats {
        self.stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn table() -> InstrumentTable {
        let text = "symbol,asset_class,currency,calendar,tick,lot,multiplier\n\
                    B,equities,USD,XNYS,0.01,1,1\nA,equities,USD,XNYS,0.01,1,1\n";
        crate::instruments::from_csv("i.csv", text).unwrap()
    }

    fn read(text: &str) -> Result<ClosesFeed, MarketDataError> {
        ClosesFeed::from_csv("closes.csv", text, &table(), MarketCalendar::builtin("XNYS").unwrap())
    }

    fn next(feed: &mut ClosesFeed) -> Option<MarketEvent> {
        match pin!(DataFeed::next(feed)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => event.unwrap(),
            Poll::Pending => panic!("a file answers at once"),
        }
    }

    #[test]
    fn rows_become_bars_at_the_close_of_their_session() {
        // 2019-11-29 is a half day: 13:00 in New York, 18:00 UTC.
        let mut feed = read("Date,B,A\n2019-11-27,2,1\n2019-11-29,,1.5\n").unwrap();
        assert!(next(&mut feed).is_none(), "not started");
        let started = pin!(DataFeed::start(&mut feed)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(started.is_ready());
        let Some(MarketEvent::Bars { bars, .. }) = next(&mut feed) else { panic!() };
        let symbols: Vec<_> = bars.iter().map(|bar| bar.symbol.as_str()).collect();
        assert_eq!(symbols, ["A", "B"]);
        let Some(MarketEvent::Bars { time, bars }) = next(&mut feed) else { panic!() };
        assert_eq!(time.to_string(), "2019-11-29T18:00:00Z");
        assert!(bars.len() == 1 && bars[0].close_only && bars[0].open == bars[0].close);
        assert!(next(&mut feed).is_none());
        assert_eq!((feed.stats().ticks, feed.stats().symbols), (3, 2));
    }

    #[test]
    fn faults_name_the_line_and_the_column() {
        let cases = [
            ("Day,A\n", "first column must be Date"),
            ("Date,C\n", "column C is not in the instrument table"),
            ("Date,A,a\n", "column A stands twice"),
            ("Date,A\n", "no rows"),
            ("Date,A\n2019-11-28,1\n", "line 2: 2019-11-28 is no session of XNYS"),
            ("Date,A\n2019-11-27,1\n2019-11-27,1\n", "line 3: 2019-11-27 does not come after"),
            ("Date,A\n27/11/2019,1\n", "line 2: date \"27/11/2019\""),
            ("Date,A\n2019-11-27,-1\n", "line 2: A: price -1 is not greater than zero"),
            ("Date,A\n2019-11-27,1.2.3\n", "line 2: A: \"1.2.3\" is not a decimal"),
            ("Date,A\n2019-11-27,1,2\n", "line 2: "),
            ("Date,A\n2029-01-02,1\n", "line 2: "),
        ];
        for (text, expected) in cases {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
