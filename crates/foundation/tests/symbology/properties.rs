//! Properties over generated symbols, texts and tables.

use crate::generators::*;
use crate::tables::*;
use chrono::NaiveDate;
use mts_foundation::symbology::{
    DatedFuture, Equity, EventId, OptionContract, Pair, Perpetual, SymbologyError,
};
use mts_foundation::{Decimal, Symbol, SymbolParts};
use proptest::prelude::*;
use smol_str::SmolStr;

/// The text is read as these parts, and the parts print the text.
fn reads_as(text: &str, parts: SymbolParts<'_>) -> Result<(), TestCaseError> {
    let symbol = Symbol::new(text).unwrap();
    prop_assert_eq!(symbol.as_str(), text);
    prop_assert_eq!(symbol.parts(), Ok(parts));
    prop_assert_eq!(parts.to_string(), text);
    prop_assert_eq!(parts.to_symbol(), symbol);
    Ok(())
}

/// The venue writes the symbol like this, and the other way round.
fn translates(
    table: &mts_foundation::VenueSymbology,
    canonical: &str,
    native: &str,
) -> Result<(), TestCaseError> {
    let symbol = Symbol::new(canonical).unwrap();
    prop_assert_eq!(table.to_native(&symbol), Ok(SmolStr::new(native)));
    prop_assert_eq!(table.from_native(native), Ok(symbol));
    Ok(())
}

proptest! {
    #[test]
    fn shares((text, (root, class, market)) in share()) {
        reads_as(&text, SymbolParts::Equity(Equity::new(&root, class, market).unwrap()))?;
        if market.is_none() {
            let suffix = class.map_or(String::new(), |class| format!("/{class}"));
            translates(&SCHWAB, &text, &format!("{root}{suffix}"))?;
            translates(&MOOMOO, &text, &format!("US.{text}"))?;
        } else if let (Some("HK"), None) = (market.map(|market| market.code()), class) {
            let number: u32 = root.parse().unwrap();
            translates(&MOOMOO, &text, &format!("HK.{number:05}"))?;
            translates(&IBKR, &text, &number.to_string())?;
        }
    }

    #[test]
    fn pairs((base, quote) in legs()) {
        let pair = Pair::new(&base, &quote).unwrap();
        let text = format!("{base}-{quote}");
        reads_as(&text, SymbolParts::Pair(pair))?;
        translates(&KRAKEN_STREAM, &text, &format!("{base}/{quote}"))?;
        translates(&IBKR, &text, &format!("{base}.{quote}"))?;
        if !pair.is_fx() {
            translates(&COINBASE, &text, &text)?;
        }
    }

    #[test]
    fn perpetuals((base, quote) in legs()) {
        let text = format!("{base}-{quote}-PERP");
        reads_as(&text, SymbolParts::Perpetual(Perpetual::new(Pair::new(&base, &quote).unwrap())))?;
        translates(&OKX, &text, &format!("{base}-{quote}-SWAP"))?;
    }

    #[test]
    fn options(((root, rest), (_, expiry, right, thousandths)) in option()) {
        let strike = Decimal::new(i64::from(thousandths), 3);
        let option = OptionContract::new(&root, expiry, right, strike).unwrap();
        prop_assert_eq!(option.strike(), strike);
        let text = format!("{root}{rest}");
        reads_as(&text, SymbolParts::Option(option))?;
        translates(&TRADIER, &text, &text)?;
        translates(&SCHWAB, &text, &format!("{root:<6}{rest}"))?;
        let letter = right.letter();
        translates(&MOOMOO, &text, &format!("US.{root}{}{letter}{thousandths}", expiry.format("%y%m%d")))?;
    }

    #[test]
    fn futures((text, (root, month, year)) in future(), date_year in 1995_i32..2105) {
        reads_as(&text, SymbolParts::Future(DatedFuture::new(&root, month, year).unwrap()))?;
        translates(&CME, &text, &text)?;
        // One digit comes back exactly when the year is within ten years of the date.
        let symbol = Symbol::new(&text).unwrap();
        let date = NaiveDate::from_ymd_opt(date_year, 6, 30).unwrap();
        let native = format!("{root}{}{}", MONTHS[month as usize - 1], year % 10);
        if (date_year..date_year + 10).contains(&year) {
            prop_assert_eq!(IBKR.to_native_on(&symbol, date), Ok(SmolStr::new(&native)));
            prop_assert_eq!(IBKR.from_native_on(&native, date), Ok(symbol));
        } else {
            prop_assert!(IBKR.to_native_on(&symbol, date).is_err());
            prop_assert_ne!(IBKR.from_native_on(&native, date), Ok(symbol));
        }
    }

    #[test]
    fn event_contracts(id in event_id()) {
        let event = EventId::new(&id).unwrap();
        reads_as(&format!("PM:{id}"), SymbolParts::Prediction(event))?;
        reads_as(&format!("SP:{id}"), SymbolParts::Sports(event))?;
        translates(&EVENTS, &format!("PM:{id}"), &id)?;
        translates(&EVENTS, &format!("SP:{id}"), &format!("sport/{id}"))?;
    }

    /// A joined pair comes back, or it could be cut elsewhere too, or the venue's codes change its meaning.
    #[test]
    fn joined_pairs((base, _) in legs(), quote in prop::sample::select(vec!["USDT", "USDC", "BUSD", "USD", "BTC"])) {
        prop_assume!(base != quote);
        let symbol = Symbol::new(format!("{base}-{quote}")).unwrap();
        let joined = format!("{base}{quote}");
        let fx = matches!(symbol.parts(), Ok(SymbolParts::Pair(pair)) if pair.is_fx());
        let crypto = |base: &str, quote| Pair::new(base, quote).is_ok_and(|pair| !pair.is_fx());
        let cut_elsewhere = match (quote, base.strip_suffix('B')) {
            ("BUSD", _) => crypto(&format!("{base}B"), "USD"),
            ("USD", Some(base)) => crypto(base, "BUSD"),
            _ => false,
        };
        match BINANCE.to_native(&symbol) {
            Ok(native) => prop_assert!(native == joined && !fx && (!cut_elsewhere || joined == "BTCBUSD")),
            Err(SymbologyError::Ambiguous { .. } | SymbologyError::OtherInstrument { .. }) => {
                prop_assert!(cut_elsewhere)
            }
            Err(SymbologyError::NotTraded { .. }) => prop_assert!(fx),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    /// Any text is refused or comes back as it is.
    #[test]
    fn what_is_read_prints_itself(text in prop_oneof![nearly(), (canonical(), bend()).prop_map(|(text, bend)| bend.of(&text)), canonical()]) {
        if let Ok(symbol) = Symbol::new(&text)
            && let Ok(parts) = symbol.parts()
        {
            prop_assert_eq!(parts.to_string(), symbol.as_str());
        }
    }

    /// No two symbols share a venue's text.
    #[test]
    fn translation_comes_back(text in prop_oneof![canonical(), (canonical(), bend()).prop_map(|(text, bend)| bend.of(&text))]) {
        let Ok(symbol) = Symbol::new(&text) else { return Ok(()) };
        for table in ALL {
            if let Ok(native) = table.to_native(&symbol) {
                prop_assert_eq!(table.from_native(&native), Ok(symbol.clone()), "{} {}", table.venue, native);
            }
        }
    }

    /// A venue's text is refused or is what we would send for the instrument, letter for letter.
    #[test]
    fn what_a_venue_says_comes_back(text in nearly(), canonical in canonical(), bend in bend()) {
        let symbol = Symbol::new(&canonical).unwrap();
        for table in ALL {
            let native = table.to_native(&symbol).unwrap_or_default();
            for text in [text.as_str(), &canonical, &native, &bend.of(&native)] {
                if let Ok(symbol) = table.from_native(text) {
                    prop_assert_eq!(table.to_native(&symbol), Ok(SmolStr::new(text)), "{} {}", table.venue, symbol);
                }
            }
        }
    }
}
