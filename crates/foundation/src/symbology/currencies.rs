//! The currency codes that make a pair a foreign-exchange pair.

/// The active codes of ISO 4217 (list one as of 2026, with funds, metals and units of account), without `XTS` and
/// `XXX`, which stand for no currency. Sorted.
const ACTIVE: [&str; 176] = [
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BHD", "BIF", "BMD",
    "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHE", "CHF", "CHW", "CLF",
    "CLP", "CNY", "COP", "COU", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB",
    "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF",
    "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW",
    "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT",
    "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD",
    "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD",
    "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS",
    "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "USN", "UYI", "UYU", "UYW", "UZS",
    "VED", "VES", "VND", "VUV", "WST", "XAD", "XAF", "XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XCD", "XCG",
    "XDR", "XOF", "XPD", "XPF", "XPT", "XSU", "XUA", "YER", "ZAR", "ZMW", "ZWG",
];

/// Codes that ISO 4217 withdrew since 2009 and price histories still hold, and `CNH`, the yuan that trades outside
/// mainland China: no ISO code, but foreign exchange at every venue. Sorted.
const ALSO_TRADED: [&str; 16] = [
    "ANG", "BGN", "BYR", "CNH", "CUC", "EEK", "HRK", "LTL", "LVL", "MRO", "SLL", "STD", "TMM", "VEF", "ZMK",
    "ZWL",
];

/// Whether a code is a currency for the rule "both sides are ISO 4217 codes: foreign exchange".
#[must_use]
pub fn is_currency(code: &str) -> bool {
    ACTIVE.binary_search(&code).is_ok() || ALSO_TRADED.binary_search(&code).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_can_be_searched_and_hold_three_letters_each() {
        for list in [&ACTIVE[..], &ALSO_TRADED[..]] {
            assert!(list.is_sorted_by(|left, right| left < right));
            assert!(
                list.iter().all(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
            );
        }
        assert!(ALSO_TRADED.iter().all(|code| !ACTIVE.contains(code)));
    }

    #[test]
    fn currencies_are_told_from_digital_assets() {
        for code in ["USD", "EUR", "JPY", "XAU", "CNH", "BGN", "AED", "ZWG"] {
            assert!(is_currency(code), "{code}");
        }
        for code in ["BTC", "ETH", "USDT", "USDC", "XXX", "XTS", "usd", "US", ""] {
            assert!(!is_currency(code), "{code}");
        }
    }
}
