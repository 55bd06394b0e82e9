//! The table of a venue's spellings, and the translation both ways.

use super::error::{SymbologyError, readable};
use super::form::{Case, Form};
use super::read::{Readings, read};
use super::write::write;
use crate::ids::MAX_ID_BYTES;
use crate::symbol::Symbol;
use chrono::NaiveDate;
use smol_str::SmolStr;

/// A text of ours and the venue's text for the same thing.
#[derive(Debug, Clone, Copy)]
pub struct Alias {
    /// Ours.
    pub canonical: &'static str,
    /// The venue's.
    pub native: &'static str,
}

impl Alias {
    /// A row.
    #[must_use]
    pub const fn new(canonical: &'static str, native: &'static str) -> Self {
        Self { canonical, native }
    }
}

/// How one venue names instruments, as data: a venue is a table and no code.
///
/// One table is one name space. A venue that spells the same instrument differently at two of its interfaces, or two
/// instruments the same, such as spot and perpetual futures, has a table for each.
///
/// **Translation is exact or an error.** Whatever is translated is translated back before it is handed out, so for any
/// table, even one with a mistake in it, [`to_native`](Self::to_native) and [`from_native`](Self::from_native) are
/// inverse on all they accept: no two symbols have the same native text, and a text is accepted only as the venue
/// itself would write it, letter for letter. Texts of up to 23 bytes take no allocation on the way.
#[derive(Debug, Clone, Copy)]
pub struct VenueSymbology {
    /// The name of the broker or provider, for messages.
    pub venue: &'static str,
    /// Upper or lower case.
    pub case: Case,
    /// The kinds of instruments traded there, and their spelling.
    pub forms: &'static [Form],
    /// Currency codes that the venue spells otherwise, such as `XBT` for `BTC`; for pairs and perpetual futures.
    pub codes: &'static [Alias],
    /// Whole symbols that follow no form, and pairs that a form without separator leaves ambiguous. They go first.
    pub exceptions: &'static [Alias],
}

impl VenueSymbology {
    /// A table of forms in upper case, without aliases and exceptions.
    #[must_use]
    pub const fn new(venue: &'static str, forms: &'static [Form]) -> Self {
        Self { venue, case: Case::Upper, forms, codes: &[], exceptions: &[] }
    }

    /// The venue's text of a canonical symbol.
    ///
    /// # Errors
    /// [`SymbologyError`] when the venue does not trade it, when its text would be ambiguous or name another
    /// instrument, and, with [`NeedsDate`](SymbologyError::NeedsDate), for a year of one digit.
    pub fn to_native(&self, symbol: &Symbol) -> Result<SmolStr, SymbologyError> {
        self.native(symbol, None)
    }

    /// [`to_native`](Self::to_native) for venues that write one digit of a year: on a date, the digit stands for the
    /// first such year from the date's on.
    ///
    /// # Errors
    /// As there; [`OtherInstrument`](SymbologyError::OtherInstrument) for a year before the date's or ten years and
    /// more after it.
    pub fn to_native_on(&self, symbol: &Symbol, date: NaiveDate) -> Result<SmolStr, SymbologyError> {
        self.native(symbol, Some(date))
    }

    /// The canonical symbol of a venue's text.
    ///
    /// # Errors
    /// [`SymbologyError`] when the text is in no form of the table, can be read in two ways, is not spelled as the
    /// venue does, and, with [`NeedsDate`](SymbologyError::NeedsDate), for a year of one digit.
    pub fn from_native(&self, native: &str) -> Result<Symbol, SymbologyError> {
        self.canonical(native, None)
    }

    /// [`from_native`](Self::from_native) for venues that write one digit of a year: the first such year from the
    /// date's on. Give the date of the message, not today's, when reading history.
    ///
    /// # Errors
    /// As there.
    pub fn from_native_on(&self, native: &str, date: NaiveDate) -> Result<Symbol, SymbologyError> {
        self.canonical(native, Some(date))
    }

    fn native(&self, symbol: &Symbol, on: Option<NaiveDate>) -> Result<SmolStr, SymbologyError> {
        let native = self.written(symbol)?;
        let read = self.read(&native, on)?;
        if read == *symbol {
            return Ok(native);
        }
        let (venue, symbol) = (self.venue, symbol.clone());
        Err(SymbologyError::OtherInstrument { venue, symbol, native: native.into(), read })
    }

    fn canonical(&self, native: &str, on: Option<NaiveDate>) -> Result<Symbol, SymbologyError> {
        let symbol = self.read(native, on)?;
        let spelling = self.written(&symbol)?;
        if spelling == native {
            return Ok(symbol);
        }
        let (venue, spelling) = (self.venue, spelling.into());
        Err(SymbologyError::OtherSpelling { venue, native: readable(native), symbol, spelling })
    }

    fn written(&self, symbol: &Symbol) -> Result<SmolStr, SymbologyError> {
        let exception = self.exceptions.iter().find(|row| row.canonical == symbol.as_str());
        if let Some(row) = exception {
            return Ok(SmolStr::new_static(row.native));
        }
        let native = write(self.forms, self.codes, &symbol.parts()?)
            .map_err(|what| SymbologyError::NotTraded { venue: self.venue, symbol: symbol.clone(), what })?;
        Ok(match self.case {
            Case::Upper => native.finish(),
            Case::Lower => native.as_str().chars().map(|letter| letter.to_ascii_lowercase()).collect(),
        })
    }

    fn read(&self, native: &str, on: Option<NaiveDate>) -> Result<Symbol, SymbologyError> {
        let (venue, text) = (self.venue, || readable(native));
        if let Some(row) = self.exceptions.iter().find(|row| row.native == native) {
            return Symbol::new(row.canonical)
                .map_err(|_| SymbologyError::Unreadable { venue, native: text() });
        }
        if native.len() > MAX_ID_BYTES {
            return Err(SymbologyError::Unreadable { venue, native: text() });
        }
        let readings = match self.case {
            Case::Upper => read(self.forms, self.codes, native, on),
            Case::Lower => {
                let upper: SmolStr = native.chars().map(|letter| letter.to_ascii_uppercase()).collect();
                read(self.forms, self.codes, &upper, on)
            }
        };
        match readings {
            Readings { one: Some(one), other: Some(other), .. } => {
                Err(SymbologyError::Ambiguous { venue, native: text(), one, other })
            }
            Readings { needs_date: true, .. } => Err(SymbologyError::NeedsDate { venue, native: text() }),
            Readings { one: Some(one), .. } => Ok(one),
            Readings { one: None, .. } => Err(SymbologyError::Unreadable { venue, native: text() }),
        }
    }
}

/// The venue's name of a code.
pub(super) fn native_of<'a>(codes: &[Alias], canonical: &'a str) -> &'a str {
    codes.iter().find(|row| row.canonical == canonical).map_or(canonical, |row| row.native)
}

/// Our name of a venue's code.
pub(super) fn canonical_of<'a>(codes: &[Alias], native: &'a str) -> &'a str {
    codes.iter().find(|row| row.native == native).map_or(native, |row| row.canonical)
}
