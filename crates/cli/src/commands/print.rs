//! Writing to the terminal. A closed pipe ends the output, not the program's work.

use crate::error::{CliError, ExitKind, OrExit};
use comfy_table::{CellAlignment, Table, presets};
use mts_foundation::Decimal;
use serde::Serialize;
use std::io::Write;

/// Prints a line.
pub(crate) fn say(text: &str) {
    // Nobody reads any more: there is nobody to tell either.
    writeln!(std::io::stdout().lock(), "{text}").unwrap_or_default();
}

/// Prints an error to the error stream.
pub(crate) fn say_error(text: &str) {
    writeln!(std::io::stderr().lock(), "error: {text}").unwrap_or_default();
}

/// Prints a remark to the error stream, where it is no part of the answer.
pub(crate) fn say_note(text: &str) {
    writeln!(std::io::stderr().lock(), "note: {text}").unwrap_or_default();
}

/// Prints one JSON object on one line.
pub(crate) fn say_line(value: &impl Serialize) -> Result<(), CliError> {
    say(&serde_json::to_string(value).or_exit(ExitKind::Internal)?);
    Ok(())
}

/// Prints one JSON object.
pub(crate) fn say_json(value: &impl Serialize) -> Result<(), CliError> {
    say(&serde_json::to_string_pretty(value).or_exit(ExitKind::Internal)?);
    Ok(())
}

/// A number to its last digit.
pub(crate) fn exactly(number: Decimal) -> String {
    number.normalize().to_string()
}

/// A plain table; columns named in `right` are aligned to the right.
pub(crate) fn table(header: &[&str], rows: Vec<Vec<String>>, right: &[usize]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().map(|name| (*name).to_owned()));
    for row in rows {
        table.add_row(row);
    }
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A line of blocks that shows the course of values.
pub(crate) fn sparkline(values: &[f64], width: usize) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let (low, high) = values
        .iter()
        .filter(|value| value.is_finite() && **value > 0.0)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
    if !(low.is_finite() && high > low) || width == 0 {
        return String::new();
    }
    let step = values.len().div_ceil(width).max(1);
    let mut line = String::new();
    for value in values.iter().step_by(step) {
        let height = (value.max(low) / low).ln() / (high / low).ln();
        // The eighth of the range that the value lies in, on a log scale.
        let block = (1..8).take_while(|eighth| height * 7.0 + 0.5 >= f64::from(*eighth)).count();
        line.push(BLOCKS.get(block).copied().unwrap_or('█'));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_spans_its_range() {
        assert_eq!(sparkline(&[1.0, 2.0, 4.0], 10), "▁▅█");
        assert_eq!(sparkline(&[1.0, 1.0], 10), "");
        assert_eq!(
            sparkline(&vec![1.0; 1000].into_iter().chain([2.0]).collect::<Vec<_>>(), 20).chars().count(),
            20
        );
    }
}
