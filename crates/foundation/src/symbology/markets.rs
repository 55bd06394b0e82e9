//! The markets that a canonical share symbol can name.

use super::words::is_number;

/// A market outside the United States, as the suffix of a share: `HK` in `0700.HK`.
///
/// The code is the ISO 3166 code of the country, except that the two exchanges of mainland China have one each. It
/// names the country's main exchange; which calendar and currency hold comes from the instrument table.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Market {
    code: &'static str,
    digits: usize,
    letters: bool,
}

/// A market where shares keep the code they are listed under.
const fn named(code: &'static str) -> Market {
    Market { code, digits: 0, letters: true }
}

/// A market where shares have numbers, of at least so many digits.
const fn numbered(code: &'static str, digits: usize) -> Market {
    Market { code, digits, letters: false }
}

/// Every market known. Another one is another line.
const MARKETS: [Market; 15] = [
    named("AU"),
    named("CA"),
    named("CH"),
    named("DE"),
    named("FR"),
    named("GB"),
    numbered("HK", 4),
    named("IN"),
    named("JP"),
    // Newer codes have letters in them.
    Market { code: "KR", digits: 6, letters: true },
    named("MY"),
    named("NL"),
    named("SG"),
    numbered("SH", 6),
    numbered("SZ", 6),
];

impl Market {
    /// The market of a suffix.
    #[must_use]
    pub fn of(code: &str) -> Option<&'static Self> {
        MARKETS.iter().find(|market| market.code == code)
    }

    /// The suffix.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// How many digits a number has at least, filled with zeros at the front; 0 = numbers are kept as they are.
    #[must_use]
    pub fn digits(&self) -> usize {
        self.digits
    }

    /// Whether a root is written as this market writes it.
    pub(super) fn writes(&self, root: &str) -> bool {
        if is_number(root) {
            self.digits == 0
                || root.len() == self.digits
                || (root.len() > self.digits && !root.starts_with('0'))
        } else {
            self.letters
        }
    }
}
