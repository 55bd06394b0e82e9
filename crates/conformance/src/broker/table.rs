//! The cases as a table in Markdown, for the documentation.

use super::cases::{GROUPS, ROWS};
use std::fmt::Write as _;

/// All cases, by group.
#[must_use]
pub fn cases_table() -> String {
    let mut text = String::new();
    for group in GROUPS {
        write!(text, "\n### {}: {}\n\n| case | asks that |\n|---|---|\n", group.letter, group.about)
            .unwrap_or_default();
        for row in ROWS.iter().filter(|row| row.case.id.starts_with(group.letter)) {
            let case = row.case;
            writeln!(text, "| {}@{} | {} |", case.id, case.version, case.requirement).unwrap_or_default();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_its_row() {
        let table = cases_table();
        assert_eq!(table.matches("@1 |").count(), ROWS.len());
        assert!(table.contains("### X: ambiguous"));
    }
}
