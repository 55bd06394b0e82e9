//! Instrument tables from CSV.

use crate::lines::line_of;
use chrono::NaiveDate;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::{
    AssetClass, Currency, Decimal, Instrument, InstrumentTable, MarketCalendar, Symbol, num,
};
use std::str::FromStr;

/// The columns of an instrument file, in any order; `name`, `sector`, `country` and `expiry` may be absent.
const COLUMNS: [&str; 11] = [
    "symbol",
    "name",
    "asset_class",
    "currency",
    "calendar",
    "sector",
    "country",
    "tick",
    "lot",
    "multiplier",
    "expiry",
];
const OPTIONAL: [&str; 4] = ["name", "sector", "country", "expiry"];

/// Reads an instrument table from CSV text with a header. `path` names it in messages.
///
/// # Errors
/// [`MarketDataError::Record`] with the line and the column at fault, [`MarketDataError::Source`] for the header.
pub fn from_csv(path: &str, text: &str) -> Result<InstrumentTable, MarketDataError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let source = |message: String| MarketDataError::Source { path: path.to_owned(), message };
    let header = reader.headers().map_err(|error| source(error.to_string()))?.clone();
    if let Some(unknown) = header.iter().find(|name| !COLUMNS.contains(name)) {
        return Err(source(format!("column {unknown:?} is unknown; use {}", COLUMNS.join(", "))));
    }
    let missing =
        COLUMNS.iter().find(|name| !OPTIONAL.contains(name) && !header.iter().any(|have| have == **name));
    if let Some(missing) = missing {
        return Err(source(format!("column {missing:?} is missing; add it to the header")));
    }
    let mut table = InstrumentTable::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = line_of(text, error.position());
            MarketDataError::Record { path: path.to_owned(), line, message: error.to_string() }
        })?;
        let row = Row { path, text, header: &header, record: &record };
        let instrument = row.instrument()?;
        table.insert(instrument).map_err(|error| row.fault(error.to_string()))?;
    }
    if table.is_empty() {
        return Err(source("it has no rows; list at least one instrument".to_owned()));
    }
    Ok(table)
}

struct Row<'a> {
    path: &'a str,
    text: &'a str,
    header: &'a csv::StringRecord,
    record: &'a csv::StringRecord,
}

impl Row<'_> {
    fn fault(&self, message: String) -> MarketDataError {
        let line = line_of(self.text, self.record.position());
        MarketDataError::Record { path: self.path.to_owned(), line, message }
    }

    fn text(&self, column: &str) -> &str {
        self.header.iter().position(|name| name == column).and_then(|at| self.record.get(at)).unwrap_or("")
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, column: &str) -> Result<T, MarketDataError> {
        let text = self.text(column);
        text.parse().map_err(|error| self.fault(format!("{column} {text:?}: {error}")))
    }

    fn decimal(&self, column: &str) -> Result<Decimal, MarketDataError> {
        num::parse(self.text(column)).map_err(|error| self.fault(format!("{column}: {error}")))
    }

    fn instrument(&self) -> Result<Instrument, MarketDataError> {
        let calendar = MarketCalendar::builtin(self.text("calendar"));
        let calendar = calendar.map_err(|error| self.fault(error.to_string()))?.name();
        let expiry = self.text("expiry");
        Ok(Instrument {
            symbol: self.parsed::<Symbol>("symbol")?,
            name: self.text("name").into(),
            asset_class: self.parsed::<AssetClass>("asset_class")?,
            currency: Currency::new(self.text("currency")).map_err(|error| self.fault(error.to_string()))?,
            calendar: calendar.into(),
            sector: self.text("sector").into(),
            country: self.text("country").into(),
            tick: self.decimal("tick")?,
            lot: self.decimal("lot")?,
            multiplier: self.decimal("multiplier")?,
            expiry: if expiry.is_empty() { None } else { Some(self.parsed::<NaiveDate>("expiry")?) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "symbol,name,asset_class,currency,calendar,sector,country,tick,lot,multiplier\n";

    #[test]
    fn a_table_is_read() {
        let text = format!("{HEADER}aapl,Apple,equities,USD,XNYS,Information Technology,US,0.01,1,1\n");
        let table = from_csv("instruments.csv", &text).unwrap();
        let apple = table.get(&Symbol::new("AAPL").unwrap()).unwrap();
        assert_eq!((apple.sector.as_str(), apple.lot), ("Information Technology", Decimal::ONE));
    }

    #[test]
    fn faults_name_the_line_and_the_column() {
        let cases = [
            ("AAPL,A,stocks,USD,XNYS,,US,0.01,1,1\n", "line 2: asset_class \"stocks\""),
            ("AAPL,A,equities,USD,XNYS,,US,zero,1,1\n", "line 2: tick: \"zero\""),
            ("AAPL,A,equities,USD,XNYS,,US,0.01,0,1\n", "lot is 0"),
            ("AAPL,A,equities,USD,NYSE,,US,0.01,1,1\n", "XNYS"),
            (
                "A,A,equities,USD,XNYS,,US,1,1,1\nA,A,equities,USD,XNYS,,US,1,1,1\n",
                "line 3: instrument A is listed twice",
            ),
            ("", "no rows"),
        ];
        for (rows, expected) in cases {
            let error = from_csv("i.csv", &format!("{HEADER}{rows}")).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(
            from_csv("i.csv", "symbol,price\n").unwrap_err().to_string().contains("\"price\" is unknown")
        );
    }
}
