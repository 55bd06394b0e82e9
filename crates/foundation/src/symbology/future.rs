//! Dated futures: `ESZ26`.

use super::error::{SymbolError, SymbolFault};
use super::option::CENTURY;
use super::words::{has_letter, is_word};
use std::fmt;

/// Longest root, in letters and digits.
const MAX_ROOT: usize = 6;

/// The letters that stand for January to December.
const MONTH_CODES: &str = "FGHJKMNQUVXZ";

/// A future that expires: root, delivery month and year.
///
/// Two digits of a year are 2000 to 2099; a contract outside cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DatedFuture<'a> {
    root: &'a str,
    month: u32,
    year: i32,
}

impl<'a> DatedFuture<'a> {
    /// A future of these parts; the month counts from 1.
    ///
    /// # Errors
    /// [`SymbolError`] for a root that is not one to six letters or digits with a letter among them, a month that is
    /// not 1 to 12, and a year outside 2000 to 2099.
    pub fn new(root: &'a str, month: u32, year: i32) -> Result<Self, SymbolError> {
        let future = Self { root, month, year };
        future.checked().map_err(|fault| fault.of(format_args!("{root} {year}-{month:02}")))
    }

    /// Whether a text ends as a dated future does: a month code and two digits.
    pub(super) fn is_shaped(text: &str) -> bool {
        match text.as_bytes() {
            [_, .., month, tens, units] => {
                MONTH_CODES.contains(char::from(*month)) && tens.is_ascii_digit() && units.is_ascii_digit()
            }
            _ => false,
        }
    }

    pub(super) fn read(text: &'a str) -> Result<Self, SymbolFault> {
        let split = text.len().checked_sub(3).and_then(|at| text.split_at_checked(at));
        let (root, tail) = split.ok_or(SymbolFault::NoForm)?;
        let (code, year) = tail.split_at_checked(1).ok_or(SymbolFault::NoForm)?;
        let month = (1..).zip(MONTH_CODES.chars()).find(|(_, month)| code.starts_with(*month));
        let (month, _) = month.ok_or(SymbolFault::Month)?;
        let year: u32 = year.parse().map_err(|_| SymbolFault::Year)?;
        Self { root, month, year: CENTURY.saturating_add_unsigned(year) }.checked()
    }

    fn checked(self) -> Result<Self, SymbolFault> {
        if !is_word(self.root, MAX_ROOT) || !has_letter(self.root) {
            Err(SymbolFault::FutureRoot)
        } else if !(1..=12).contains(&self.month) {
            Err(SymbolFault::Month)
        } else if !(CENTURY..CENTURY + 100).contains(&self.year) {
            Err(SymbolFault::Year)
        } else {
            Ok(self)
        }
    }

    /// The product, such as `ES`.
    #[must_use]
    pub fn root(&self) -> &'a str {
        self.root
    }

    /// Delivery month, from 1.
    #[must_use]
    pub fn month(&self) -> u32 {
        self.month
    }

    /// Delivery year with its century.
    #[must_use]
    pub fn year(&self) -> i32 {
        self.year
    }

    /// The letter of the delivery month, such as `Z` for December.
    #[must_use]
    pub fn month_code(&self) -> char {
        (1..).zip(MONTH_CODES.chars()).find(|(month, _)| *month == self.month).map_or('?', |(_, code)| code)
    }
}

/// Whether a letter stands for a month.
pub(super) fn is_month_code(letter: char) -> bool {
    MONTH_CODES.contains(letter)
}

impl fmt::Display for DatedFuture<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}{:02}", self.root, self.month_code(), self.year.rem_euclid(100))
    }
}
