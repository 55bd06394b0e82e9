//! The report as comma-separated values (RFC 4180).

use super::{TaxReport, TaxRow};
use mts_foundation::Decimal;
use std::borrow::Cow;

/// The columns of `TaxReport::to_csv`, one name each; their order and names stay.
pub const CSV_HEADER: &str = "description,date_acquired,date_sold,proceeds,cost_basis,code,adjustment,gain_or_loss,term,\
fund_id,lot_id,fill_id,symbol,quantity,short_sale,open_date,held_from,basis_added";

/// Decimal places of money in the file.
const CENTS: u32 = 2;

/// Half to even, so that roundings do not add up.
fn cents(value: Decimal) -> Decimal {
    let mut cents = value.round_dp(CENTS);
    cents.rescale(CENTS);
    if cents.is_zero() { cents.abs() } else { cents }
}

/// Text that a spreadsheet takes for text: what it would take for a formula gets an apostrophe before it.
#[must_use]
pub fn spreadsheet_text(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula { Cow::from(format!("'{text}")) } else { Cow::from(text) }
}

/// Text as a field.
fn field(text: &str) -> Cow<'_, str> {
    let text = spreadsheet_text(text);
    if text.contains([',', '"', '\n', '\r', ';']) || text.starts_with(' ') || text.ends_with(' ') {
        return Cow::from(format!("\"{}\"", text.replace('"', "\"\"")));
    }
    text
}

fn line(row: &TaxRow) -> String {
    let (proceeds, cost_basis) = (cents(row.proceeds), cents(row.cost_basis));
    let adjustment = cents(row.adjustment);
    // Of the rounded columns, so that the row adds up as it is printed.
    let gain = cents(proceeds - cost_basis + adjustment);
    let quantity = row.quantity.normalize();
    let description = format!("{quantity} {}", row.symbol);
    let [description, fund, lot, fill, symbol] = [
        description.as_str(),
        row.fund_id.as_str(),
        row.lot_id.as_str(),
        row.fill_id.as_str(),
        row.symbol.as_str(),
    ]
    .map(field);
    let code = row.code.map_or("", |code| code.as_str());
    let TaxRow { date_acquired, date_sold, term, short_sale, open_date, held_from, .. } = row;
    let basis_added = cents(row.basis_added);
    format!(
        "{description},{date_acquired},{date_sold},{proceeds},{cost_basis},{code},{adjustment},{gain},{term},\
         {fund},{lot},{fill},{symbol},{quantity},{short_sale},{open_date},{held_from},{basis_added}\n"
    )
}

impl TaxReport {
    /// The rows as comma-separated values under [`CSV_HEADER`]. Money is rounded to cents, half to even, row by row and here
    /// alone: the JSON has the exact amounts, and so have the totals. The gain is that of the rounded columns. Dates are ISO
    /// 8601. Lines end with a line feed.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = format!("{CSV_HEADER}\n");
        text.extend(self.rows.iter().map(line));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn cents_are_rounded_half_to_even() {
        let rounded =
            ["0.125", "0.135", "-0.125", "-0.001", "7", "1.005"].map(|text| cents(d(text)).to_string());
        assert_eq!(rounded, ["0.12", "0.14", "-0.12", "0.00", "7.00", "1.00"]);
    }

    #[test]
    fn fields_are_quoted_and_no_formula_is_left() {
        for (text, expected) in [
            ("AAPL", "AAPL"),
            ("A,B", "\"A,B\""),
            ("SAY\"HI\"", "\"SAY\"\"HI\"\"\""),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1,B1)", "\"'@SUM(A1,B1)\""),
            ("10 =X", "10 =X"),
            ("A;B", "\"A;B\""),
        ] {
            assert_eq!(field(text), expected, "{text}");
        }
    }
}
