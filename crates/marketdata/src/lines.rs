//! Line numbers for messages.

/// The line, from 1, on which a CSV record begins. The reader's own count lags behind by one where it has not yet
/// consumed the end of the line before, so lines are counted here.
#[must_use]
pub fn line_of(text: &str, position: Option<&csv::Position>) -> u64 {
    let start = position.map_or(0, csv::Position::byte);
    let start = usize::try_from(start).unwrap_or(usize::MAX).min(text.len());
    let (before, after) = text.as_bytes().split_at(start);
    let skipped =
        after.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).filter(|byte| **byte == b'\n').count();
    let counted = before.iter().filter(|byte| **byte == b'\n').count();
    (counted + skipped) as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_in_the_text() {
        for text in ["h,i\n1,2\n3,4\n", "h,i\r\n1,2\r\n3,4\r\n", "h,i\n1,2\n3,4"] {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let lines: Vec<_> =
                reader.records().map(|record| line_of(text, record.unwrap().position())).collect();
            assert_eq!(lines, [2, 3], "{text:?}");
        }
    }
}
