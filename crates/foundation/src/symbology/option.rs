//! Listed options as the Options Clearing Corporation writes them, without padding: `AAPL260116C00200000`.

use super::error::{SymbolError, SymbolFault};
use super::words::is_word;
use crate::num::Decimal;
use chrono::{Datelike, NaiveDate};
use rust_decimal::prelude::ToPrimitive;
use std::fmt;

/// Longest root, in letters and digits.
const MAX_ROOT: usize = 6;

/// Expiry (6), right (1) and strike (8).
const TAIL: usize = 15;

/// Digits of the strike, in thousandths.
pub(super) const STRIKE_DIGITS: usize = 8;

/// Largest strike in thousandths: what eight digits hold.
const MAX_THOUSANDTHS: u32 = 99_999_999;

/// First year of the two digits: 00 to 99 are 2000 to 2099. Listed contracts run at most a few years ahead and their
/// symbols took this form in 2010, so no other century can be meant.
pub(super) const CENTURY: i32 = 2000;

/// The right that an option gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OptionRight {
    /// To buy, `C`.
    Call,
    /// To sell, `P`.
    Put,
}

impl OptionRight {
    /// The letter in a symbol.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Call => 'C',
            Self::Put => 'P',
        }
    }
}

/// An option: root, expiry, right and strike.
///
/// The root is that of the option, not always the underlying's symbol: options on `BRK.B` have `BRKB`, and an
/// adjusted contract has a digit, such as `AAPL1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OptionContract<'a> {
    root: &'a str,
    expiry: NaiveDate,
    right: OptionRight,
    thousandths: u32,
}

impl<'a> OptionContract<'a> {
    /// An option of these parts; the strike is money per unit of the underlying.
    ///
    /// # Errors
    /// [`SymbolError`] for a root that is not one to six letters or digits beginning with a letter, an expiry outside
    /// 2000 to 2099, and a strike that is not a whole number of thousandths from 0.001 to 99999.999.
    pub fn new(
        root: &'a str,
        expiry: NaiveDate,
        right: OptionRight,
        strike: Decimal,
    ) -> Result<Self, SymbolError> {
        thousandths(strike)
            .and_then(|thousandths| Self { root, expiry, right, thousandths }.checked())
            .map_err(|fault| fault.of(format_args!("{root} {expiry} {} {strike}", right.letter())))
    }

    /// Whether a text ends as an option does: six digits, a right, eight digits.
    pub(super) fn is_shaped(text: &str) -> bool {
        text.len() > TAIL
            && text.as_bytes().iter().rev().take(TAIL).enumerate().all(|(from_end, byte)| match from_end {
                STRIKE_DIGITS => matches!(byte, b'C' | b'P'),
                _ => byte.is_ascii_digit(),
            })
    }

    pub(super) fn read(text: &'a str) -> Result<Self, SymbolFault> {
        let split = |at: usize| text.split_at_checked(at).ok_or(SymbolFault::NoForm);
        let (root, tail) = split(text.len().saturating_sub(TAIL))?;
        let (date, tail) = tail.split_at_checked(6).ok_or(SymbolFault::NoForm)?;
        let (right, strike) = tail.split_at_checked(1).ok_or(SymbolFault::NoForm)?;
        let right = match right {
            "C" => OptionRight::Call,
            "P" => OptionRight::Put,
            _ => return Err(SymbolFault::NoForm),
        };
        let date: u32 = date.parse().map_err(|_| SymbolFault::NoForm)?;
        let year = CENTURY.saturating_add_unsigned(date / 10_000);
        let expiry =
            NaiveDate::from_ymd_opt(year, date / 100 % 100, date % 100).ok_or(SymbolFault::Expiry)?;
        let thousandths = strike.parse().map_err(|_| SymbolFault::NoForm)?;
        Self { root, expiry, right, thousandths }.checked()
    }

    fn checked(self) -> Result<Self, SymbolFault> {
        let lettered = self.root.starts_with(|first: char| first.is_ascii_uppercase());
        if !lettered || !is_word(self.root, MAX_ROOT) {
            Err(SymbolFault::OptionRoot)
        } else if !(CENTURY..CENTURY + 100).contains(&self.expiry.year()) {
            Err(SymbolFault::Year)
        } else if !(1..=MAX_THOUSANDTHS).contains(&self.thousandths) {
            Err(SymbolFault::Strike)
        } else {
            Ok(self)
        }
    }

    /// The root of the option.
    #[must_use]
    pub fn root(&self) -> &'a str {
        self.root
    }

    /// The last day.
    #[must_use]
    pub fn expiry(&self) -> NaiveDate {
        self.expiry
    }

    /// Call or put.
    #[must_use]
    pub fn right(&self) -> OptionRight {
        self.right
    }

    /// Strike in money per unit of the underlying.
    #[must_use]
    pub fn strike(&self) -> Decimal {
        Decimal::new(i64::from(self.thousandths), 3).normalize()
    }

    /// Strike in thousandths.
    pub(super) fn thousandths(&self) -> u32 {
        self.thousandths
    }
}

fn thousandths(strike: Decimal) -> Result<u32, SymbolFault> {
    strike
        .checked_mul(Decimal::ONE_THOUSAND)
        .filter(Decimal::is_integer)
        .and_then(|thousandths| thousandths.to_u32())
        .ok_or(SymbolFault::Strike)
}

/// Prints an expiry as `yymmdd`.
pub(super) fn write_expiry(out: &mut dyn fmt::Write, expiry: NaiveDate) -> fmt::Result {
    write!(out, "{:02}{:02}{:02}", expiry.year().rem_euclid(100), expiry.month(), expiry.day())
}

impl fmt::Display for OptionContract<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.root)?;
        write_expiry(out, self.expiry)?;
        write!(out, "{}{:0width$}", self.right.letter(), self.thousandths, width = STRIKE_DIGITS)
    }
}
