//! From a canonical symbol to a venue's spelling.

use super::equity::Equity;
use super::error::Untraded;
use super::form::{EquityForm, Form, FutureForm, OptionForm, PairForm, YearDigits};
use super::future::DatedFuture;
use super::option::{OptionContract, write_expiry};
use super::pair::Pair;
use super::parts::SymbolParts;
use super::venue::{Alias, native_of};
use super::words::is_number;
use smol_str::SmolStrBuilder;
use std::fmt::Write;

/// The venue's text of a symbol, in the case of the table.
///
/// A venue may have several forms for a kind, such as one for each market: the first that takes the symbol writes it.
pub(super) fn write(
    forms: &[Form],
    codes: &[Alias],
    parts: &SymbolParts<'_>,
) -> Result<SmolStrBuilder, Untraded> {
    let mut missing = Untraded::Kind(parts.kind());
    for form in forms {
        let written = match (form, parts) {
            (Form::Equity(form), SymbolParts::Equity(share)) => equity(form, share),
            (Form::Fx(form), SymbolParts::Pair(legs)) if legs.is_fx() => pair(form, codes, legs),
            (Form::Crypto(form), SymbolParts::Pair(legs)) if !legs.is_fx() => pair(form, codes, legs),
            (Form::Perpetual(form), SymbolParts::Perpetual(perpetual)) => {
                pair(form, codes, &perpetual.underlying())
            }
            (Form::Option(form), SymbolParts::Option(contract)) => Ok(option(form, contract)),
            (Form::Future(form), SymbolParts::Future(contract)) => Ok(future(form, contract)),
            (Form::Prediction(form), SymbolParts::Prediction(id))
            | (Form::Sports(form), SymbolParts::Sports(id)) => Ok(joined(&[form.prefix, id.as_str()])),
            _ => continue,
        };
        match written {
            Ok(native) => return Ok(native),
            Err(what) => missing = missing.max(what),
        }
    }
    Err(missing)
}

fn equity(form: &EquityForm, share: &Equity<'_>) -> Result<SmolStrBuilder, Untraded> {
    if form.market != share.market().map(super::Market::code) {
        return Err(Untraded::Market);
    }
    let mut native = joined(&[form.prefix]);
    push_root(&mut native, share.root(), form.digits);
    if let Some(class) = share.class() {
        native.push_str(form.class_separator.ok_or(Untraded::ShareClass)?);
        native.push(class);
    }
    native.push_str(form.suffix);
    Ok(native)
}

/// A root, and if it is a number, with at least so many digits and no more zeros at the front than that takes.
pub(super) fn push_root(text: &mut SmolStrBuilder, root: &str, digits: Option<usize>) {
    let Some(digits) = digits.filter(|_| is_number(root)) else {
        text.push_str(root);
        return;
    };
    let significant = root.trim_start_matches('0');
    for _ in significant.len()..digits {
        text.push('0');
    }
    text.push_str(significant);
}

fn pair(form: &PairForm, codes: &[Alias], legs: &Pair<'_>) -> Result<SmolStrBuilder, Untraded> {
    if !form.quotes.is_empty() && !form.quotes.contains(&legs.quote()) {
        return Err(Untraded::Quote);
    }
    let (base, quote) = (native_of(codes, legs.base()), native_of(codes, legs.quote()));
    Ok(joined(&[form.prefix, base, form.separator, quote, form.suffix]))
}

fn option(form: &OptionForm, contract: &OptionContract<'_>) -> SmolStrBuilder {
    let mut native = joined(&[form.prefix, contract.root()]);
    for _ in contract.root().len()..form.root_width {
        native.push(' ');
    }
    let (right, strike, digits) = (contract.right().letter(), contract.thousandths(), form.strike_digits);
    // Writing to memory does not fail.
    write_expiry(&mut native, contract.expiry())
        .and_then(|()| write!(native, "{right}{strike:0digits$}"))
        .unwrap_or_default();
    native
}

fn future(form: &FutureForm, contract: &DatedFuture<'_>) -> SmolStrBuilder {
    let mut native = joined(&[form.prefix, contract.root(), form.separator]);
    native.push(contract.month_code());
    let year = contract.year();
    // Writing to memory does not fail.
    match form.year {
        YearDigits::One => write!(native, "{}", year.rem_euclid(10)),
        YearDigits::Two => write!(native, "{:02}", year.rem_euclid(100)),
    }
    .unwrap_or_default();
    native
}

fn joined(pieces: &[&str]) -> SmolStrBuilder {
    let mut text = SmolStrBuilder::new();
    for piece in pieces {
        text.push_str(piece);
    }
    text
}
