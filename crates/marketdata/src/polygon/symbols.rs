//! How Polygon names instruments.
//!
//! Shares of the United States stand alone, other instruments have a prefix: `O:` options, `C:` currencies, `X:`
//! crypto (marketdata.md 1.1). What has no canonical form is refused: indices (`I:`), and shares other than common
//! ones, which Polygon marks with small letters or longer suffixes (`BACpL`, `ACHR.WS`). So case matters: `BACpL` and
//! `BACPL` are two instruments.

use mts_foundation::VenueSymbology;
use mts_foundation::symbology::{EquityForm, Form, OptionForm, PairForm};

/// The table of Polygon. Crypto tickers have no separator, so they are cut before one of the quote currencies named
/// here; a ticker with another is refused until it is added.
pub const SYMBOLS: VenueSymbology = VenueSymbology::new(
    "polygon",
    &[
        Form::Equity(EquityForm::PLAIN),
        Form::Option(OptionForm { prefix: "O:", ..OptionForm::PLAIN }),
        Form::Fx(PairForm { prefix: "C:", separator: "", ..PairForm::PLAIN }),
        Form::Crypto(PairForm {
            prefix: "X:",
            separator: "",
            quotes: &["USD", "EUR", "GBP"],
            ..PairForm::PLAIN
        }),
    ],
);

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::Symbol;
    use mts_foundation::symbology::{SymbologyError, is_currency};
    use proptest::prelude::*;

    fn both_ways(canonical: &str, native: &str) {
        let symbol = Symbol::new(canonical).unwrap();
        assert_eq!(SYMBOLS.to_native(&symbol).as_deref(), Ok(native));
        assert_eq!(SYMBOLS.from_native(native), Ok(symbol));
    }

    #[test]
    fn the_documented_tickers() {
        both_ways("AAPL", "AAPL");
        both_ways("BRK.B", "BRK.B");
        both_ways("BTC-USD", "X:BTCUSD");
        both_ways("BTC-EUR", "X:BTCEUR");
        both_ways("EUR-USD", "C:EURUSD");
        both_ways("USD-CNH", "C:USDCNH");
        both_ways("AAPL260116C00200000", "O:AAPL260116C00200000");
        both_ways("AAPL1260116P00012500", "O:AAPL1260116P00012500");
    }

    #[test]
    fn what_polygon_does_not_name_is_refused() {
        for text in ["0700.HK", "BTC-USDT-PERP", "ESZ26", "PM:X", "BTC-JPY"] {
            let error = SYMBOLS.to_native(&Symbol::new(text).unwrap()).unwrap_err();
            assert!(matches!(error, SymbologyError::NotTraded { .. }), "{text}: {error}");
        }
    }

    #[test]
    fn tickers_without_a_canonical_form_are_refused() {
        for ticker in [
            "BACpL",
            "aapl",
            "ACHR.WS",
            "I:SPX",
            "X:BTC",
            "X:USD",
            "X:BTCXYZ",
            "X:EURUSD",
            "C:BTCUSD",
            "C:EURUS",
            "C:EUR-USD",
            "BTCUSD.",
            "O:AAPL",
            "O:AAPL  260116C00200000",
            "O:AAPL260231C00200000",
            "AAPL260116C00200000",
            "",
        ] {
            let error = SYMBOLS.from_native(ticker).unwrap_err();
            assert!(matches!(error, SymbologyError::Unreadable { .. }), "{ticker}: {error}");
        }
    }

    proptest! {
        #[test]
        fn shares_and_options(
            share in "[A-Z]{1,6}(\\.[A-Z])?",
            option in "[A-Z]{1,6}[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])[CP][0-9]{7}[1-9]",
        ) {
            both_ways(&share, &share);
            both_ways(&option, &format!("O:{option}"));
        }

        #[test]
        fn pairs(base in "[A-Z]{2}[A-Z0-9]{0,8}", quote in prop::sample::select(vec!["USD", "EUR", "GBP"])) {
            prop_assume!(base != quote);
            let prefix = if is_currency(&base) { "C" } else { "X" };
            both_ways(&format!("{base}-{quote}"), &format!("{prefix}:{base}{quote}"));
        }

        /// A ticker is refused or comes back letter for letter.
        #[test]
        fn tickers_come_back(ticker in "([XCO]:)?[A-Zp]{1,4}(USD|EUR|\\.[A-Z]|26011[0-9][CP][0-9]{8})?") {
            if let Ok(symbol) = SYMBOLS.from_native(&ticker) {
                let native = SYMBOLS.to_native(&symbol);
                prop_assert_eq!(native.as_deref().ok(), Some(ticker.as_str()));
            }
        }
    }
}
