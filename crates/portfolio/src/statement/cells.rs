//! Rows of text, and what stands in their cells: numbers, days, symbols.

use super::StatementError;
use chrono::NaiveDate;
use mts_foundation::num::parse;
use mts_foundation::{Currency, Decimal, Symbol};

/// Largest file that is read: 64 MiB.
pub const MAX_BYTES: usize = 64 << 20;

/// Most rows that are read.
pub const MAX_ROWS: usize = 1_000_000;

/// Most cells of a row, and longest number.
const MAX_CELLS: usize = 256;
const MAX_DIGITS: usize = 64;

/// Largest amount, price or quantity: 1e12. Products of two stay in the range of decimals.
const MAX_AMOUNT: Decimal = mts_foundation::num::MAX_PRICE;

/// A row of a table, with the line on which it begins.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) cells: Vec<String>,
}

impl Row {
    /// The trimmed cell; empty beyond the end of the row.
    pub(super) fn cell(&self, at: usize) -> &str {
        self.cells.get(at).map_or("", |cell| cell.trim())
    }

    /// An error about a cell.
    pub(super) fn fault(&self, field: &str, value: &str, remedy: impl Into<String>) -> StatementError {
        let value = value.chars().take(40).collect();
        StatementError::Value { line: self.line, field: field.to_owned(), value, remedy: remedy.into() }
    }

    pub(super) fn number(&self, field: &str, text: &str) -> Result<Decimal, StatementError> {
        number(text).map_err(|remedy| self.fault(field, text, remedy))
    }

    pub(super) fn day(&self, field: &str, text: &str) -> Result<NaiveDate, StatementError> {
        day(text).ok_or_else(|| self.fault(field, text, "write a day as 2026-03-02"))
    }

    pub(super) fn symbol(&self, field: &str, text: &str) -> Result<Symbol, StatementError> {
        Symbol::new(text).map_err(|error| self.fault(field, text, error.fault))
    }

    pub(super) fn currency(&self, field: &str, text: &str) -> Result<Currency, StatementError> {
        Currency::new(text).map_err(|error| self.fault(field, text, error.fault))
    }
}

/// Text of a file: of bounded size, UTF-8, without a byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str, StatementError> {
    if bytes.len() > MAX_BYTES {
        return Err(StatementError::TooLarge { what: "bytes", found: bytes.len(), most: MAX_BYTES });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = u64::try_from(before.split(|byte| *byte == b'\n').count()).unwrap_or(u64::MAX);
        StatementError::Form { line, fault: "it is not UTF-8 text; save the file as UTF-8".to_owned() }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// All rows of a comma-separated file; rows may differ in length, and empty ones are passed over.
pub(super) fn rows(bytes: &[u8]) -> Result<Vec<Row>, StatementError> {
    let text = text(bytes)?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    loop {
        let more = reader.read_record(&mut record);
        let start = record.position().map_or(0, csv::Position::byte);
        let line = lines.of(usize::try_from(start).unwrap_or(usize::MAX));
        if !more.map_err(|error| StatementError::Form { line, fault: error.to_string() })? {
            return Ok(rows);
        }
        if rows.len() >= MAX_ROWS {
            return Err(StatementError::TooLarge { what: "rows", found: rows.len() + 1, most: MAX_ROWS });
        }
        if record.len() > MAX_CELLS {
            let fault =
                format!("it has {} cells; at most {MAX_CELLS} are read: check the quotes", record.len());
            return Err(StatementError::Form { line, fault });
        }
        if record.iter().any(|cell| !cell.trim().is_empty()) {
            rows.push(Row { line, cells: record.iter().map(str::to_owned).collect() });
        }
    }
}

/// Counts lines up to where records begin. (The reader's own count is one behind where lines end in CR LF.)
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the record that begins at this byte or, where empty lines stand there, after them.
    fn of(&mut self, byte: usize) -> u64 {
        let ends = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let empty = self.text.get(byte..).unwrap_or_default().iter().take_while(ends).count();
        let start = byte.saturating_add(empty).max(self.at);
        let passed = self.text.get(self.at..start).unwrap_or_default();
        self.line += passed.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        self.at = start;
        self.line
    }
}

/// A number as people and brokers write it: `1,234.50`, `(12.50)` or `-12.50` for what is negative, `1.5E-05`. A comma is a
/// separator of thousands only where three digits follow it, else the number is refused: `1,5` may mean two things.
fn number(text: &str) -> Result<Decimal, String> {
    let refused = || "write a number such as -1234.50".to_owned();
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_DIGITS {
        return Err(refused());
    }
    let (text, in_parentheses) = match text.strip_prefix('(') {
        Some(rest) => (rest.strip_suffix(')').ok_or_else(refused)?, true),
        None => (text, false),
    };
    let (digits, negative) = match text.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => (rest, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') || in_parentheses && negative
    {
        return Err(refused());
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let threes = |group: &str| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit());
    let separated = whole.contains(',');
    if fraction.contains(',') || separated && (first.is_empty() || first.len() > 3 || !groups.all(threes)) {
        return Err("a comma separates thousands, a point decimals: write 1234.50 or 1,234.50".to_owned());
    }
    let value = parse(&digits.replace(',', "")).map_err(|_| refused())?;
    if value > MAX_AMOUNT {
        return Err(format!("it is beyond the largest that is taken, {MAX_AMOUNT}; check the unit"));
    }
    Ok(if negative || in_parentheses { -value } else { value })
}

/// A day: `2026-03-02` or `20260302`, a time of day after it is left out.
pub(super) fn day(text: &str) -> Option<NaiveDate> {
    let day = text.trim().split([',', ' ', 'T', ';']).next()?;
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let format = if day.len() == 8 { "%Y%m%d" } else { "%Y-%m-%d" };
    if !plain(day) || !(8..=10).contains(&day.len()) {
        return None;
    }
    NaiveDate::parse_from_str(day, format).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_brokers_write_them() {
        for (text, wanted) in [
            ("1,234.50", "1234.50"),
            ("(12.50)", "-12.50"),
            ("(1,234,567)", "-1234567"),
            (" -1,000 ", "-1000"),
            ("\u{2212}3", "-3"),
            ("+7", "7"),
            (".5", "0.5"),
            ("1.5E-05", "0.000015"),
            ("-100.", "-100"),
        ] {
            assert_eq!(number(text), Ok(wanted.parse().unwrap()), "{text}");
        }
        for text in [
            "", "--", "1,5", "1,2345", "1234,567", ",123", "1.5,000", "(5", "(-5)", "--5", "5 USD", "ten",
            "1e13", "-+5",
        ] {
            assert!(number(text).is_err(), "{text}: {:?}", number(text));
        }
        assert!(number("1,5").unwrap_err().contains("thousands"));
        assert!(number(&"1".repeat(100)).is_err());
    }

    #[test]
    fn days_with_and_without_a_time() {
        let wanted = NaiveDate::from_ymd_opt(2026, 3, 2);
        for text in
            ["2026-03-02", " 2026-03-02, 09:30:00", "20260302", "2026-03-02T14:30:00Z", "20260302;093000"]
        {
            assert_eq!(day(text), wanted, "{text}");
        }
        for text in ["", "2026-02-30", "03/02/2026", "2026-3-2x", "today", "+26-03-02"] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn marks_quotes_and_line_ends_are_read() {
        let bytes = "\u{feff}a,\"b, c\"\r\n\r\n,,\r\nd,\"two\nlines\"\r\ne\r\n";
        let rows = rows(bytes.as_bytes()).unwrap();
        let cells: Vec<(u64, Vec<&str>)> =
            rows.iter().map(|row| (row.line, row.cells.iter().map(String::as_str).collect())).collect();
        assert_eq!(cells, [(1, vec!["a", "b, c"]), (4, vec!["d", "two\nlines"]), (6, vec!["e"])]);
        assert_eq!(rows[2].cell(7), "");
    }

    #[test]
    fn what_is_no_text_or_too_much_is_refused() {
        let error = rows(b"a\nb\n\xff").unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("save the file as UTF-8"), "{error}");
        let error = rows(",".repeat(300).as_bytes()).unwrap_err().to_string();
        assert!(error.contains("301 cells"), "{error}");
        let error = text(&vec![b' '; MAX_BYTES + 1]).unwrap_err().to_string();
        assert!(error.contains("export a shorter period"), "{error}");
    }
}
