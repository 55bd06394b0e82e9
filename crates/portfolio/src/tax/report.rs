//! The report of a year.

use super::{TaxRecord, TaxRow, Term, sum};
use chrono::Datelike;
use mts_foundation::num::exact;
use mts_foundation::position::OutOfRange;
use mts_foundation::{Decimal, FundId};
use serde::{Deserialize, Serialize};

/// Sums of the rows of one term.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaxTotals {
    /// How many rows.
    pub rows: usize,
    /// Column (d).
    #[serde(with = "exact")]
    pub proceeds: Decimal,
    /// Column (e).
    #[serde(with = "exact")]
    pub cost_basis: Decimal,
    /// Column (g).
    #[serde(with = "exact")]
    pub adjustment: Decimal,
    /// Column (h).
    #[serde(with = "exact")]
    pub gain: Decimal,
}

impl TaxTotals {
    fn add(&mut self, row: &TaxRow) -> Result<(), OutOfRange> {
        self.rows += 1;
        self.proceeds = sum("total proceeds", self.proceeds, row.proceeds)?;
        self.cost_basis = sum("total cost basis", self.cost_basis, row.cost_basis)?;
        self.adjustment = sum("total adjustment", self.adjustment, row.adjustment)?;
        self.gain = sum("total gain", self.gain, row.gain)?;
        Ok(())
    }
}

/// What one fund closed in one calendar year, by the trade date of the closing. Amounts are exact; `to_csv` rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaxReport {
    /// Owner.
    pub fund_id: FundId,
    /// Calendar year.
    pub year: i32,
    /// Rows in the order of booking.
    pub rows: Vec<TaxRow>,
    /// Short-term totals (Form 8949, part I).
    pub short: TaxTotals,
    /// Long-term totals (part II).
    pub long: TaxTotals,
}

impl TaxReport {
    /// The rows of a year and their sums.
    ///
    /// # Errors
    /// [`OutOfRange`] for sums beyond the range of decimals.
    pub fn of_year(record: &TaxRecord, year: i32) -> Result<Self, OutOfRange> {
        let rows: Vec<_> = record.rows.iter().filter(|row| row.date_sold.year() == year).cloned().collect();
        let (mut short, mut long) = (TaxTotals::default(), TaxTotals::default());
        for row in &rows {
            match row.term {
                Term::Short => short.add(row)?,
                Term::Long => long.add(row)?,
            }
        }
        Ok(Self { fund_id: record.fund_id.clone(), year, rows, short, long })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tax::testing::{Story, d};

    fn story() -> Story {
        Story::new()
            .fees("0.125")
            .buy("2024-02-05", "=CMD()", "10", "10")
            .buy("2025-11-03", "=CMD()", "10", "10")
            .sell("2025-12-15", "=CMD()", "10", "9")
            .buy("2026-01-05", "=CMD()", "4", "9")
            .sell("2026-02-09", "=CMD()", "12", "11.5")
    }

    #[test]
    fn a_year_has_the_rows_closed_in_it_and_their_sums() {
        let record = story().record();
        let (first, second) =
            (TaxReport::of_year(&record, 2025).unwrap(), TaxReport::of_year(&record, 2026).unwrap());
        assert_eq!((first.rows.len(), second.rows.len()), (1, 2));
        assert_eq!((first.long.adjustment, first.long.gain, first.short.rows), (d("4.1"), d("-6.15"), 0));
        assert_eq!(second.long.rows, 1, "four units of the lot of January are held since 2024");
        assert_eq!((second.short.rows, second.short.gain + second.long.gain), (1, d("17.6375")));
        assert_eq!(TaxReport::of_year(&record, 2024).unwrap().rows, []);
        let json = serde_json::to_string(&second).unwrap();
        assert!(json.contains("\"cost_basis\":\"20.1125"), "{json}");
        assert_eq!(serde_json::from_str::<TaxReport>(&json).unwrap(), second);
    }

    #[test]
    fn the_file_has_one_line_a_row() {
        let text = TaxReport::of_year(&story().record(), 2025).unwrap().to_csv();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], crate::tax::CSV_HEADER);
        assert_eq!(
            lines[1],
            "10 =CMD(),2024-02-05,2025-12-15,89.88,100.12,W,4.10,-6.14,long,f,0,2,'=CMD(),10,false,2024-02-05,2024-02-05,0.00"
        );
        assert_eq!((lines.len(), lines[0].split(',').count(), lines[1].split(',').count()), (2, 18, 18));
    }
}
