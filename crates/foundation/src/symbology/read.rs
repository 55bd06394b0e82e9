//! From a venue's spelling to a canonical symbol.
//!
//! Reading is generous and finds every meaning that a table allows. Whether the venue really writes the instrument
//! like this is decided by writing it again, see [`VenueSymbology`](super::VenueSymbology).

use super::equity::{Equity, single};
use super::event::EventId;
use super::form::{EquityForm, Form, FutureForm, OptionForm, PairForm, YearDigits};
use super::future::is_month_code;
use super::markets::Market;
use super::option::{CENTURY, STRIKE_DIGITS};
use super::pair::{Pair, Perpetual};
use super::parts::{SymbolKind, SymbolParts};
use super::venue::{Alias, canonical_of, native_of};
use super::write::push_root;
use crate::symbol::Symbol;
use chrono::{Datelike, NaiveDate};
use smol_str::{SmolStr, SmolStrBuilder, format_smolstr};

/// What a text can mean.
#[derive(Debug, Default)]
pub(super) struct Readings {
    pub(super) one: Option<Symbol>,
    /// Another one, if the text is ambiguous.
    pub(super) other: Option<Symbol>,
    /// It may be a future whose year takes a date to know.
    pub(super) needs_date: bool,
}

impl Readings {
    fn add(&mut self, symbol: Symbol) {
        match &self.one {
            None => self.one = Some(symbol),
            Some(one) if *one != symbol => self.other = Some(symbol),
            Some(_) => {}
        }
    }
}

/// A text as a symbol, if it is in this form.
fn symbol_of(text: SmolStr, kind: SymbolKind) -> Option<Symbol> {
    let symbol = Symbol::canonical(text);
    let fits = symbol.parts().is_ok_and(|parts| parts.kind() == kind);
    fits.then_some(symbol)
}

/// Every meaning of a text in upper case. `on` decides the decade of a year of one digit.
pub(super) fn read(forms: &[Form], codes: &[Alias], native: &str, on: Option<NaiveDate>) -> Readings {
    let mut readings = Readings::default();
    for form in forms {
        match form {
            Form::Equity(form) => equity(form, native, &mut readings),
            Form::Fx(form) => pair(form, codes, native, SymbolKind::Fx, &mut readings),
            Form::Crypto(form) => pair(form, codes, native, SymbolKind::Crypto, &mut readings),
            Form::Perpetual(form) => pair(form, codes, native, SymbolKind::Perpetual, &mut readings),
            Form::Option(form) => option(form, native, &mut readings),
            Form::Future(form) => future(form, native, on, &mut readings),
            Form::Prediction(form) => event(form.prefix, native, SymbolParts::Prediction, &mut readings),
            Form::Sports(form) => event(form.prefix, native, SymbolParts::Sports, &mut readings),
        }
    }
    readings
}

fn body<'n>(native: &'n str, prefix: &str, suffix: &str) -> Option<&'n str> {
    native.strip_prefix(prefix)?.strip_suffix(suffix)
}

fn equity(form: &EquityForm, native: &str, readings: &mut Readings) {
    let Some(body) = body(native, form.prefix, form.suffix) else { return };
    let classed = form.class_separator.and_then(|separator| body.rsplit_once(separator));
    let (root, class) = match classed.and_then(|(root, class)| Some((root, single(class)?))) {
        Some((root, class)) => (root, Some(class)),
        None => (body, None),
    };
    let market = form.market.and_then(Market::of);
    let mut padded = SmolStrBuilder::new();
    // A row without a rule of its own keeps the number.
    push_root(&mut padded, root, form.digits.and(market).map(Market::digits));
    if form.market.is_none() == market.is_none()
        && let Ok(share) = Equity::new(padded.as_str(), class, market)
    {
        readings.add(SymbolParts::Equity(share).to_symbol());
    }
}

fn pair(form: &PairForm, codes: &[Alias], native: &str, kind: SymbolKind, readings: &mut Readings) {
    let Some(body) = body(native, form.prefix, form.suffix) else { return };
    let mut add = |base: &str, quote: &str| {
        let Ok(pair) = Pair::new(canonical_of(codes, base), canonical_of(codes, quote)) else { return };
        if !form.quotes.is_empty() && !form.quotes.contains(&pair.quote()) {
            return;
        }
        let parts = match kind {
            SymbolKind::Perpetual => SymbolParts::Perpetual(Perpetual::new(pair)),
            _ => SymbolParts::Pair(pair),
        };
        if parts.kind() == kind {
            readings.add(parts.to_symbol());
        }
    };
    if !form.separator.is_empty() {
        if let Some((base, quote)) = body.split_once(form.separator) {
            add(base, quote);
        }
    } else if form.quotes.is_empty() {
        if kind == SymbolKind::Fx
            && let Some((base, quote)) = body.split_at_checked(3)
        {
            add(base, quote);
        }
    } else {
        for quote in form.quotes.iter().map(|quote| native_of(codes, quote)) {
            if let Some(base) = body.strip_suffix(quote) {
                add(base, quote);
            }
        }
    }
}

fn option(form: &OptionForm, native: &str, readings: &mut Readings) {
    let Some(body) = native.strip_prefix(form.prefix) else { return };
    let Some((contract, right, strike)) =
        body.rfind(['C', 'P']).map(|at| (&body[..at], &body[at..=at], &body[at + 1..]))
    else {
        return;
    };
    let Some((root, expiry)) = contract.len().checked_sub(6).and_then(|at| contract.split_at_checked(at))
    else {
        return;
    };
    let root = if form.root_width > 0 { root.trim_end_matches(' ') } else { root };
    if (1..=STRIKE_DIGITS).contains(&strike.len()) {
        let text = format_smolstr!("{root}{expiry}{right}{strike:0>width$}", width = STRIKE_DIGITS);
        if let Some(symbol) = symbol_of(text, SymbolKind::Option) {
            readings.add(symbol);
        }
    }
}

fn future(form: &FutureForm, native: &str, on: Option<NaiveDate>, readings: &mut Readings) {
    let Some(body) = native.strip_prefix(form.prefix) else { return };
    let width = match form.year {
        YearDigits::One => 1,
        YearDigits::Two => 2,
    };
    let Some((body, year)) = body.len().checked_sub(width).and_then(|at| body.split_at_checked(at)) else {
        return;
    };
    let Some(month) = body.chars().next_back().filter(|letter| is_month_code(*letter)) else { return };
    let Some(root) = body.strip_suffix(month).and_then(|body| body.strip_suffix(form.separator)) else {
        return;
    };
    let Ok(digits) = year.parse::<u8>().map(i32::from) else { return };
    let year = match (form.year, on) {
        (YearDigits::Two, _) | (YearDigits::One, None) => digits,
        (YearDigits::One, Some(on)) => on.year() + (digits - on.year()).rem_euclid(10) - CENTURY,
    };
    let symbol = symbol_of(format_smolstr!("{root}{month}{year:02}"), SymbolKind::Future);
    if form.year == YearDigits::One && on.is_none() {
        readings.needs_date |= symbol.is_some();
    } else if let Some(symbol) = symbol {
        readings.add(symbol);
    }
}

fn event<'n>(
    prefix: &str,
    native: &'n str,
    parts: fn(EventId<'n>) -> SymbolParts<'n>,
    readings: &mut Readings,
) {
    if let Some(Ok(id)) = native.strip_prefix(prefix).map(EventId::read) {
        readings.add(parts(id).to_symbol());
    }
}
