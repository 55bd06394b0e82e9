//! The currency codes that make a pair a foreign-exchange pair.

/// The active codes of ISO 4217 (list one as of 2026, with funds, metals and units of account), without `XTS` and
/// `XXX`, which stand for no currency. Sorted.
const ACTIVE: [&[u8; 3]; 176] = [
    b"AED", b"AFN", b"ALL", b"AMD", b"AOA", b"ARS", b"AUD", b"AWG", b"AZN", b"BAM", b"BBD", b"BDT", b"BHD",
    b"BIF", b"BMD", b"BND", b"BOB", b"BOV", b"BRL", b"BSD", b"BTN", b"BWP", b"BYN", b"BZD", b"CAD", b"CDF",
    b"CHE", b"CHF", b"CHW", b"CLF", b"CLP", b"CNY", b"COP", b"COU", b"CRC", b"CUP", b"CVE", b"CZK", b"DJF",
    b"DKK", b"DOP", b"DZD", b"EGP", b"ERN", b"ETB", b"EUR", b"FJD", b"FKP", b"GBP", b"GEL", b"GHS", b"GIP",
    b"GMD", b"GNF", b"GTQ", b"GYD", b"HKD", b"HNL", b"HTG", b"HUF", b"IDR", b"ILS", b"INR", b"IQD", b"IRR",
    b"ISK", b"JMD", b"JOD", b"JPY", b"KES", b"KGS", b"KHR", b"KMF", b"KPW", b"KRW", b"KWD", b"KYD", b"KZT",
    b"LAK", b"LBP", b"LKR", b"LRD", b"LSL", b"LYD", b"MAD", b"MDL", b"MGA", b"MKD", b"MMK", b"MNT", b"MOP",
    b"MRU", b"MUR", b"MVR", b"MWK", b"MXN", b"MXV", b"MYR", b"MZN", b"NAD", b"NGN", b"NIO", b"NOK", b"NPR",
    b"NZD", b"OMR", b"PAB", b"PEN", b"PGK", b"PHP", b"PKR", b"PLN", b"PYG", b"QAR", b"RON", b"RSD", b"RUB",
    b"RWF", b"SAR", b"SBD", b"SCR", b"SDG", b"SEK", b"SGD", b"SHP", b"SLE", b"SOS", b"SRD", b"SSP", b"STN",
    b"SVC", b"SYP", b"SZL", b"THB", b"TJS", b"TMT", b"TND", b"TOP", b"TRY", b"TTD", b"TWD", b"TZS", b"UAH",
    b"UGX", b"USD", b"USN", b"UYI", b"UYU", b"UYW", b"UZS", b"VED", b"VES", b"VND", b"VUV", b"WST", b"XAD",
    b"XAF", b"XAG", b"XAU", b"XBA", b"XBB", b"XBC", b"XBD", b"XCD", b"XCG", b"XDR", b"XOF", b"XPD", b"XPF",
    b"XPT", b"XSU", b"XUA", b"YER", b"ZAR", b"ZMW", b"ZWG",
];

/// Codes that ISO 4217 withdrew since 2009 and price histories still hold, and `CNH`, the yuan that trades outside
/// mainland China: no ISO code, but foreign exchange at every venue. Sorted.
const ALSO_TRADED: [&[u8; 3]; 16] = [
    b"ANG", b"BGN", b"BYR", b"CNH", b"CUC", b"EEK", b"HRK", b"LTL", b"LVL", b"MRO", b"SLL", b"STD", b"TMM",
    b"VEF", b"ZMK", b"ZWL",
];

/// Whether a code is a currency for the rule "both sides are ISO 4217 codes: foreign exchange".
#[must_use]
pub fn is_currency(code: &str) -> bool {
    let Ok(code) = <&[u8; 3]>::try_from(code.as_bytes()) else { return false };
    ACTIVE.binary_search(&code).is_ok() || ALSO_TRADED.binary_search(&code).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_can_be_searched() {
        for list in [&ACTIVE[..], &ALSO_TRADED[..]] {
            assert!(list.is_sorted_by(|left, right| left < right));
            assert!(list.iter().all(|code| code.iter().all(u8::is_ascii_uppercase)));
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
