//! How Kraken names instruments: `BTC/USD` in the stream, and `XBT/USD` where its lists of pairs spell them out. Its short names
//! and ids (`XBTUSD`, `XXBTZUSD`) follow no rule: they come from those lists.

use mts_foundation::symbology::{Alias, Form, PairForm};
use mts_foundation::{Symbol, VenueSymbology};
use smol_str::SmolStr;

const SLASHED: PairForm = PairForm { separator: "/", ..PairForm::PLAIN };

/// The table of the stream.
pub const SYMBOLS: VenueSymbology =
    VenueSymbology::new("kraken", &[Form::Crypto(SLASHED), Form::Fx(SLASHED)]);

/// The table of the names in the lists of pairs.
const LISTED: VenueSymbology =
    VenueSymbology { codes: &[Alias::new("BTC", "XBT"), Alias::new("DOGE", "XDG")], ..SYMBOLS };

/// The instrument of a name in the lists of pairs.
pub(super) fn of_list(name: &str) -> Option<Symbol> {
    LISTED.from_native(name).ok()
}

/// The name of an instrument in the stream.
pub(super) fn in_stream(symbol: &Symbol) -> Option<SmolStr> {
    SYMBOLS.to_native(symbol).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_name_the_same_instruments() {
        for (listed, stream, ours) in [
            ("XBT/USD", "BTC/USD", "BTC-USD"),
            ("XDG/USD", "DOGE/USD", "DOGE-USD"),
            ("ETH/XBT", "ETH/BTC", "ETH-BTC"),
            ("EUR/USD", "EUR/USD", "EUR-USD"),
            ("1INCH/EUR", "1INCH/EUR", "1INCH-EUR"),
        ] {
            let symbol = Symbol::new(ours).unwrap();
            assert_eq!(in_stream(&symbol).as_deref(), Some(stream));
            assert_eq!(of_list(listed), Some(symbol));
        }
        assert_eq!(of_list("BTC/USD"), None, "the lists say XBT");
        assert_eq!(of_list("XBTUSD"), None);
    }
}
