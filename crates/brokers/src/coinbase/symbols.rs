//! How Coinbase names instruments: `BTC-USD`, as we do.

use mts_foundation::symbology::{Form, PairForm};
use mts_foundation::{Symbol, VenueSymbology};

/// The table of products.
pub const SYMBOLS: VenueSymbology = VenueSymbology::new("coinbase", &[Form::Crypto(PairForm::PLAIN)]);

/// The instrument that a wallet is a position in; `None` = no crypto.
pub(super) fn of_wallet(currency: &str, paid_in: &str) -> Option<Symbol> {
    SYMBOLS.from_native(&format!("{currency}-{paid_in}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallets_of_crypto_are_positions_and_those_of_money_are_none() {
        assert_eq!(of_wallet("BTC", "USD"), Some(Symbol::new("BTC-USD").unwrap()));
        assert_eq!(of_wallet("EUR", "USD"), None);
        assert!(SYMBOLS.to_native(&Symbol::new("AAPL").unwrap()).is_err());
    }
}
