//! The rows of a venue's table: how it spells each kind of instrument.
//!
//! Rows are data. A row that is left at its defaults, `..EquityForm::PLAIN` and so on, spells the instrument as the
//! canonical form does.

/// How a venue spells one kind of instrument.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Shares of one market.
    Equity(EquityForm),
    /// Pairs of two currencies.
    Fx(PairForm),
    /// All other pairs.
    Crypto(PairForm),
    /// Perpetual futures.
    Perpetual(PairForm),
    /// Listed options.
    Option(OptionForm),
    /// Dated futures.
    Future(FutureForm),
    /// Prediction contracts.
    Prediction(EventForm),
    /// Sports contracts.
    Sports(EventForm),
}

/// The letters of a venue's symbols. The texts of a table are in upper case either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// As in the table.
    Upper,
    /// Every ASCII letter in lower case (`btcusdt`).
    Lower,
}

/// Prefix, root, perhaps separator and class, suffix.
#[derive(Debug, Clone, Copy)]
pub struct EquityForm {
    /// The market whose shares the row is about, a code of [`Market`](super::Market); `None` = the United States.
    pub market: Option<&'static str>,
    /// What comes first.
    pub prefix: &'static str,
    /// What comes last.
    pub suffix: &'static str,
    /// What stands between root and share class; `None` = the venue has no share classes.
    pub class_separator: Option<&'static str>,
    /// Least digits of a root that is a number, filled with zeros at the front; `None` = as in the canonical form.
    pub digits: Option<usize>,
}

impl EquityForm {
    /// `AAPL`, `BRK.B`.
    pub const PLAIN: Self =
        Self { market: None, prefix: "", suffix: "", class_separator: Some("."), digits: None };
}

/// Prefix, base, separator, quote, suffix.
#[derive(Debug, Clone, Copy)]
pub struct PairForm {
    /// What comes first.
    pub prefix: &'static str,
    /// What stands between base and quote, without letters and digits; empty = nothing, and then `quotes` says where
    /// to cut. Only fx needs no list: its codes have three letters each.
    pub separator: &'static str,
    /// What comes last.
    pub suffix: &'static str,
    /// The quote currencies traded, as canonical codes; empty = all.
    pub quotes: &'static [&'static str],
}

impl PairForm {
    /// `BTC-USD`.
    pub const PLAIN: Self = Self { prefix: "", separator: "-", suffix: "", quotes: &[] };
}

/// Prefix, root, expiry as `yymmdd`, right, strike in thousandths.
#[derive(Debug, Clone, Copy)]
pub struct OptionForm {
    /// What comes first.
    pub prefix: &'static str,
    /// The root is filled with spaces at the end to so many characters; 0 = it is not.
    pub root_width: usize,
    /// The strike is filled with zeros at the front to so many digits.
    pub strike_digits: usize,
}

impl OptionForm {
    /// `AAPL260116C00200000`.
    pub const PLAIN: Self = Self { prefix: "", root_width: 0, strike_digits: super::option::STRIKE_DIGITS };
}

/// How many digits of a year a venue writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YearDigits {
    /// `ESZ6`, which says which year only together with a date.
    One,
    /// `ESZ26`.
    Two,
}

/// Prefix, root, separator, month code, year.
#[derive(Debug, Clone, Copy)]
pub struct FutureForm {
    /// What comes first.
    pub prefix: &'static str,
    /// What stands between root and month.
    pub separator: &'static str,
    /// How the year is written.
    pub year: YearDigits,
}

impl FutureForm {
    /// `ESZ26`.
    pub const PLAIN: Self = Self { prefix: "", separator: "", year: YearDigits::Two };
}

/// Prefix and id.
#[derive(Debug, Clone, Copy)]
pub struct EventForm {
    /// What comes first.
    pub prefix: &'static str,
}

impl EventForm {
    /// The id alone.
    pub const PLAIN: Self = Self { prefix: "" };
}
