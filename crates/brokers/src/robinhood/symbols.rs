//! How Robinhood Crypto names instruments.
//!
//! The symbol of a pair is `BTC-USD`, as in canonical form; the `BTCUSD` of the tutorial is wrong (decision M3). Pairs
//! are paid in dollars; shares and options cannot be traded by its interface for programs.

use mts_foundation::VenueSymbology;
use mts_foundation::symbology::{Form, PairForm};

/// The table of Robinhood Crypto.
pub const SYMBOLS: VenueSymbology =
    VenueSymbology::new("robinhood", &[Form::Crypto(PairForm { quotes: &["USD"], ..PairForm::PLAIN })]);

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::Symbol;
    use mts_foundation::symbology::{SymbologyError, is_currency};
    use proptest::prelude::*;

    #[test]
    fn what_robinhood_does_not_trade_is_refused() {
        for text in ["AAPL", "EUR-USD", "BTC-USDT", "BTC-EUR", "BTC-USD-PERP"] {
            let error = SYMBOLS.to_native(&Symbol::new(text).unwrap()).unwrap_err();
            assert!(matches!(error, SymbologyError::NotTraded { .. }), "{text}: {error}");
        }
        for native in ["BTCUSD", "btc-usd", "BTC/USD", "BTC-EUR", "EUR-USD", "AAPL", " BTC-USD", ""] {
            let error = SYMBOLS.from_native(native).unwrap_err();
            assert!(matches!(error, SymbologyError::Unreadable { .. }), "{native}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_dollar_pair_is_named_as_we_name_it(base in prop_oneof!["BTC", "DOGE", "[A-Z0-9]{0,11}[A-Z]"]) {
            prop_assume!(!is_currency(&base));
            let symbol = Symbol::new(format!("{base}-USD")).unwrap();
            let native = SYMBOLS.to_native(&symbol);
            prop_assert_eq!(native.as_deref(), Ok(symbol.as_str()));
            prop_assert_eq!(SYMBOLS.from_native(symbol.as_str()), Ok(symbol));
        }
    }
}
