//! How Alpaca names instruments: `BRK.B`, and `BTC/USD` in orders, fills and prices, but `BTCUSD` in positions.

use mts_foundation::symbology::{EquityForm, Form, OptionForm, PairForm, SymbologyError};
use mts_foundation::{Symbol, VenueSymbology};

/// The currencies that crypto is paid with.
const QUOTES: &[&str] = &["USD", "USDT", "USDC", "BTC"];

/// The table of orders, fills and prices.
pub const SYMBOLS: VenueSymbology = VenueSymbology::new(
    "alpaca",
    &[
        Form::Equity(EquityForm::PLAIN),
        // Not traded by this adapter; an account may hold them.
        Form::Option(OptionForm::PLAIN),
        Form::Crypto(PairForm { separator: "/", quotes: QUOTES, ..PairForm::PLAIN }),
    ],
);

/// The table of crypto positions.
const POSITIONS: VenueSymbology = VenueSymbology::new(
    "alpaca",
    &[Form::Crypto(PairForm { separator: "", quotes: QUOTES, ..PairForm::PLAIN })],
);

/// The instrument of a position.
pub(super) fn of_position(native: &str, is_crypto: bool) -> Result<Symbol, SymbologyError> {
    match is_crypto && !native.contains('/') {
        true => POSITIONS.from_native(native),
        false => SYMBOLS.from_native(native),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_orders_name_the_same_instruments() {
        let cases = [("AAPL", "AAPL", false), ("BRK.B", "BRK.B", false), ("BTC-USD", "BTC/USD", true)];
        for (ours, native, is_crypto) in cases {
            let symbol = Symbol::new(ours).unwrap();
            assert_eq!(SYMBOLS.to_native(&symbol).unwrap(), native);
            assert_eq!(SYMBOLS.from_native(native).unwrap(), symbol);
            assert_eq!(of_position(native, is_crypto).unwrap(), symbol);
        }
        for native in ["BTCUSD", "SHIBUSDT", "ETHBTC"] {
            let symbol = of_position(native, true).unwrap();
            assert_eq!(SYMBOLS.to_native(&symbol).unwrap().replace('/', ""), native);
        }
        assert!(of_position("BTCEUR", true).is_err());
        assert!(SYMBOLS.to_native(&Symbol::new("EUR-USD").unwrap()).is_err());
    }
}
