//! Which part of a bar a print of the American tapes may change, by its sale conditions.
//!
//! The rules are those by which the two tapes' own consolidated open, high, low, last and volume are made. Some conditions
//! set the last price only as the first of the day, or as the market's own last: here these set high and low and never open
//! or close, as a print that is out of its order must not become the price of a bar.
//!
//! | code | CTA (tapes A, B) | UTP (tape C) | checked against |
//! |---|---|---|---|
//! | `@` F K X 5 6 | everything | everything | Barchart, Polygon |
//! | E automatic execution | everything | unknown: a placeholder | Barchart (CTA), dxFeed |
//! | A B D S Y 1 | unknown; B average price: volume | everything | Barchart, Polygon; B of CTA: IBKR names it |
//! | O opening | everything | everything | Polygon; Barchart has it for UTP, for CTA as the first of the day |
//! | L sold last, P prior reference, Z out of sequence, 4 derivatively priced | high, low, volume | the same | Barchart (CTA), Polygon |
//! | G bunched sold | volume | high, low, volume | Polygon (UTP); CTA has none today |
//! | R seller | volume | high, low, volume | Polygon (UTP); Barchart has it not among CTA's prices |
//! | C cash, N next day, H price variation, I odd lot, V contingent, W average price, 7 qualified contingent | volume | volume | Polygon, dxFeed (C) |
//! | T extended hours | volume | volume | Polygon |
//! | U extended hours, out of sequence | volume | volume | Polygon |
//! | M official close, Q official open | nothing | nothing | Polygon |
//! | 9 corrected consolidated close | prices | prices | Barchart, Polygon (no volume) |
//!
//! Barchart: appendix A of the ddfplus specification, 2017-09-01. Polygon: its glossary of conditions, consolidated columns,
//! which quote the UTP specification. dxFeed: its table of raw sale conditions. IBKR: its page of trade conditions. The
//! specifications of the tapes themselves were not at hand.

use super::building::Part;

/// Whose rules a print obeys: the same letter is not the same condition on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tape {
    /// Tapes A and B: listed on NYSE, Arca, American and the regional exchanges.
    Cta,
    /// Tape C: listed on Nasdaq.
    Utp,
}

/// What may become of a print. The parts of all its codes must agree: what one forbids is forbidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeFilter {
    /// Of a code that no table has: the volume alone unless told otherwise. It was traded; but a price that is off the
    /// market makes a high or a low that stops fire at, while one that is missing is made good by the next print.
    pub unknown: Part,
    /// Prints before and after the session (T) count whole. For bars over [`Trading::Extended`](super::Trading) hours, which
    /// have no prices otherwise.
    pub extended_hours: bool,
}

impl Default for TradeFilter {
    fn default() -> Self {
        Self { unknown: Part::VOLUME, extended_hours: false }
    }
}

impl TradeFilter {
    /// What a print with these codes may change: one letter or digit each, as the tapes have them. Blanks say nothing; no
    /// code at all is a regular sale.
    #[must_use]
    pub fn part(&self, tape: Tape, codes: impl IntoIterator<Item = u8>) -> Part {
        codes.into_iter().fold(Part::ALL, |part, code| part.and(self.of(tape, code)))
    }

    fn of(&self, tape: Tape, code: u8) -> Part {
        match (code, tape) {
            (b'T', _) if self.extended_hours => Part::ALL,
            (b'@' | b' ' | b'F' | b'K' | b'O' | b'X' | b'5' | b'6', _)
            | (b'E', Tape::Cta)
            | (b'A' | b'B' | b'D' | b'S' | b'Y' | b'1', Tape::Utp) => Part::ALL,
            (b'L' | b'P' | b'Z' | b'4', _) | (b'G' | b'R', Tape::Utp) => Part::RANGE,
            (b'C' | b'H' | b'I' | b'N' | b'T' | b'U' | b'V' | b'W' | b'7', _)
            | (b'B' | b'G' | b'R', Tape::Cta) => Part::VOLUME,
            (b'9', _) => Part::PRICE,
            (b'M' | b'Q', _) => Part::NONE,
            _ => self.unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_code_decides_and_the_tapes_differ() {
        let filter = TradeFilter::default();
        let part = |tape, codes: &str| filter.part(tape, codes.bytes());
        for (codes, cta, utp) in [
            ("", Part::ALL, Part::ALL),
            ("@   ", Part::ALL, Part::ALL),
            ("@F", Part::ALL, Part::ALL),
            ("@FI", Part::VOLUME, Part::VOLUME),
            ("@ TI", Part::VOLUME, Part::VOLUME),
            ("@Z", Part::RANGE, Part::RANGE),
            ("B", Part::VOLUME, Part::ALL),
            ("E", Part::ALL, Part::VOLUME),
            ("R", Part::VOLUME, Part::RANGE),
            ("M", Part::NONE, Part::NONE),
            ("9", Part::PRICE, Part::PRICE),
            ("IM", Part::NONE, Part::NONE),
            ("?", Part::VOLUME, Part::VOLUME),
            ("9I", Part::NONE, Part::NONE),
        ] {
            assert_eq!((part(Tape::Cta, codes), part(Tape::Utp, codes)), (cta, utp), "{codes:?}");
        }
    }

    #[test]
    fn policies_are_the_users() {
        let strict = TradeFilter { unknown: Part::NONE, ..TradeFilter::default() };
        assert_eq!(strict.part(Tape::Utp, *b"@?"), Part::NONE);
        let whole_day = TradeFilter { extended_hours: true, ..TradeFilter::default() };
        assert_eq!(whole_day.part(Tape::Cta, *b"@T"), Part::ALL);
        assert_eq!(whole_day.part(Tape::Cta, *b"@TI"), Part::VOLUME);
        assert_eq!(whole_day.part(Tape::Cta, *b"@U"), Part::VOLUME);
    }
}
