//! Quotes, prints and bars from a file of JSON lines: what a replay takes.

use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::{Bar, InstrumentTable, Quote, Symbol, Timestamp, Trade};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};

/// One line: an object of the schema with the field `type` in front.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Tick {
    /// `{"type": "quote", …}`
    Quote(Quote),
    /// `{"type": "trade", …}`
    Trade(Trade),
    /// `{"type": "bar", …}`
    Bar(Bar),
}

impl Tick {
    /// When it happened; of a bar, its end.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        match self {
            Self::Quote(quote) => quote.timestamp,
            Self::Trade(trade) => trade.timestamp,
            Self::Bar(bar) => bar.timestamp,
        }
    }

    /// Its instrument.
    #[must_use]
    pub fn symbol(&self) -> &Symbol {
        match self {
            Self::Quote(quote) => &quote.symbol,
            Self::Trade(trade) => &trade.symbol,
            Self::Bar(bar) => &bar.symbol,
        }
    }
}

/// A file of ticks in time order. Bars that end at one instant and stand together become one event.
#[derive(Debug, Clone)]
pub struct TicksFeed {
    ticks: VecDeque<Tick>,
    symbols: Vec<Symbol>,
    range: (Timestamp, Timestamp),
    stats: FeedStats,
}

impl TicksFeed {
    /// Reads and checks the whole file: instruments are in the table, times never go back, bars of one instant are of
    /// different instruments. Empty lines are passed over. `path` names it in messages.
    ///
    /// # Errors
    /// [`MarketDataError::Record`] with the line at fault, [`MarketDataError::Source`] for an empty file.
    pub fn from_jsonl(
        path: &str,
        text: &str,
        instruments: &InstrumentTable,
    ) -> Result<Self, MarketDataError> {
        let mut ticks: VecDeque<Tick> = VecDeque::new();
        let mut symbols = BTreeSet::new();
        // Those of the last instant.
        let mut bars: BTreeSet<Symbol> = BTreeSet::new();
        for (line, content) in (1..).zip(text.lines()).filter(|(_, content)| !content.trim().is_empty()) {
            let fault = |message: String| MarketDataError::Record { path: path.to_owned(), line, message };
            let tick: Tick = serde_json::from_str(content).map_err(|error| {
                fault(format!(
                    "{error}; a line is an object with type quote, trade or bar, see docs/schema.md"
                ))
            })?;
            let symbol = tick.symbol();
            if instruments.get(symbol).is_none() {
                return Err(fault(format!(
                    "{symbol} is not in the instrument table; add a row for it there"
                )));
            }
            let last = ticks.back().map(Tick::time);
            if let Some(last) = last.filter(|last| tick.time() < *last) {
                let message = format!("{} comes after {last}; sort the lines by time", tick.time());
                return Err(fault(message));
            }
            if last != Some(tick.time()) {
                bars.clear();
            }
            if matches!(tick, Tick::Bar(_)) && !bars.insert(symbol.clone()) {
                return Err(fault(format!("a second bar of {symbol} ends at {}; remove one", tick.time())));
            }
            symbols.insert(symbol.clone());
            ticks.push_back(tick);
        }
        let (Some(first), Some(last)) = (ticks.front(), ticks.back()) else {
            let message = "it has no lines; give quotes, trades or bars".to_owned();
            return Err(MarketDataError::Source { path: path.to_owned(), message });
        };
        let range = (first.time(), last.time());
        Ok(Self { ticks, symbols: symbols.into_iter().collect(), range, stats: FeedStats::default() })
    }

    /// Its instruments, in symbol order.
    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// Time of the first and of the last tick.
    #[must_use]
    pub fn range(&self) -> (Timestamp, Timestamp) {
        self.range
    }

    fn take(&mut self) -> Option<MarketEvent> {
        let first = match self.ticks.pop_front()? {
            Tick::Quote(quote) => return Some(MarketEvent::Quote(quote)),
            Tick::Trade(trade) => return Some(MarketEvent::Trade(trade)),
            Tick::Bar(bar) => bar,
        };
        let time = first.timestamp;
        let mut bars = vec![first];
        while let Some(Tick::Bar(_)) = self.ticks.front().filter(|tick| tick.time() == time) {
            if let Some(Tick::Bar(bar)) = self.ticks.pop_front() {
                bars.push(bar);
            }
        }
        bars.sort_by(|left, right| left.symbol.cmp(&right.symbol));
        Some(MarketEvent::Bars { time, bars: bars.into() })
    }
}

impl DataFeed for TicksFeed {
    fn name(&self) -> &str {
        "ticks"
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = true;
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        if !self.stats.running {
            return Ok(None);
        }
        self.stats.last_time = self.ticks.front().map(Tick::time).or(self.stats.last_time);
        self.stats.ticks = self.stats.ticks.saturating_add(u64::from(!self.ticks.is_empty()));
        Ok(self.take())
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
    use mts_foundation::Instrument;
    use mts_foundation::ready::ready;

    const QUOTE: &str = r#"{"type":"quote","symbol":"A","bid":"1","ask":"2","bid_size":"5","ask_size":"5","venue":"x","timestamp":"2026-01-05T14:30:00Z"}"#;
    const TRADE: &str = r#"{"type":"trade","trade_id":"7","symbol":"B","price":"3","size":"1","venue":"x","timestamp":"2026-01-05T14:30:01Z"}"#;

    fn bar(symbol: &str, second: u32) -> String {
        format!(
            r#"{{"type":"bar","symbol":"{symbol}","interval":"1m","open":"1","high":"1","low":"1","close":"1","volume":"9","timestamp":"2026-01-05T14:31:{second:02}Z"}}"#
        )
    }

    fn feed(lines: &[&str]) -> Result<TicksFeed, MarketDataError> {
        let table = InstrumentTable::from_instruments(
            ["A", "B"].map(|symbol| Instrument::us_share(Symbol::new(symbol).unwrap())),
        )
        .unwrap();
        TicksFeed::from_jsonl("ticks.jsonl", &lines.join("\n"), &table)
    }

    #[test]
    fn lines_become_events_and_bars_of_one_instant_one_of_them() {
        let (b, a, later) = (bar("B", 0), bar("A", 0), bar("A", 1));
        let mut feed = feed(&[QUOTE, "", TRADE, &b, &a, &later]).unwrap();
        assert_eq!(feed.symbols().len(), 2);
        ready(DataFeed::start(&mut feed)).unwrap().unwrap();
        let mut seen = Vec::new();
        while let Some(event) = ready(DataFeed::next(&mut feed)).unwrap().unwrap() {
            seen.push(match event {
                MarketEvent::Bars { bars, .. } => {
                    bars.iter().map(|bar| bar.symbol.to_string()).collect::<String>()
                }
                MarketEvent::Quote(_) => "quote".to_owned(),
                MarketEvent::Trade(_) => "trade".to_owned(),
                other => format!("{other:?}"),
            });
        }
        assert_eq!(seen, ["quote", "trade", "AB", "A"]);
        assert_eq!(DataFeed::stats(&feed).ticks, 4);
    }

    #[test]
    fn faults_name_their_line_and_the_remedy() {
        let unknown = QUOTE.replace("\"A\"", "\"C\"");
        let twice = bar("A", 0);
        for (lines, line, text) in [
            (vec![QUOTE, "nonsense"], 2, "with type quote, trade or bar"),
            (vec![QUOTE, &unknown], 2, "C is not in the instrument table"),
            (vec![TRADE, "", QUOTE], 3, "sort the lines by time"),
            (vec![&twice, &twice], 2, "a second bar of A"),
        ] {
            let error = feed(&lines).unwrap_err().to_string();
            assert!(
                error.contains(&format!("ticks.jsonl:{line}")) || error.contains(&line.to_string()),
                "{error}"
            );
            assert!(error.contains(text), "{error}");
        }
        assert!(feed(&[]).unwrap_err().to_string().contains("it has no lines"));
    }
}
