//! What the tables make of symbols, and what they refuse.

use crate::tables::*;
use chrono::NaiveDate;
use mts_foundation::symbology::{EquityForm, Form, SymbolKind, SymbologyError, Untraded};
use mts_foundation::{Symbol, VenueSymbology};

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn day(year: i32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, 11, 21).unwrap()
}

#[test]
fn every_venue_is_a_table() {
    let cases: [(&VenueSymbology, &[(&str, &str)]); 15] = [
        (&COINBASE, &[("BTC-USD", "BTC-USD")]),
        (
            &KRAKEN_REST,
            &[
                ("BTC-USD", "XBTUSD"),
                ("ETH-BTC", "ETHXBT"),
                ("DOGE-EUR", "XDGEUR"),
                ("EUR-USD", "EURUSD"),
                ("ETC-ETH", "XETCXETH"),
            ],
        ),
        (&KRAKEN_STREAM, &[("BTC-USD", "BTC/USD"), ("EUR-USD", "EUR/USD")]),
        (&KRAKEN_FUTURES, &[("BTC-USD-PERP", "PF_XBTUSD")]),
        (&SCHWAB, &[("AAPL", "AAPL"), ("BRK.B", "BRK/B"), ("AAPL240517P00190000", "AAPL  240517P00190000")]),
        (
            &MOOMOO,
            &[
                ("AAPL", "US.AAPL"),
                ("BRK.B", "US.BRK.B"),
                ("0700.HK", "HK.00700"),
                ("80700.HK", "HK.80700"),
                ("600519.SH", "SH.600519"),
                ("AAPL210115C00185000", "US.AAPL210115C185000"),
            ],
        ),
        (&TRADIER, &[("BRK.B", "BRK/B"), ("SPY190605C00282000", "SPY190605C00282000")]),
        (
            &IBKR,
            &[
                ("BRK.B", "BRK B"),
                ("0700.HK", "700"),
                ("AAPL260116C00200000", "AAPL  260116C00200000"),
                ("EUR-USD", "EUR.USD"),
                ("BTC-USD", "BTC.USD"),
            ],
        ),
        (
            &ALPACA,
            &[("BRK.B", "BRK.B"), ("BTC-USD", "BTC/USD"), ("AAPL260116C00200000", "AAPL260116C00200000")],
        ),
        (&BINANCE, &[("BTC-USDT", "BTCUSDT"), ("ETH-BTC", "ETHBTC"), ("BTC-BUSD", "BTCBUSD")]),
        (&BINANCE_FUTURES, &[("BTC-USDT-PERP", "BTCUSDT")]),
        (&OKX, &[("BTC-USDT", "BTC-USDT"), ("BTC-USDT-PERP", "BTC-USDT-SWAP")]),
        (&HTX, &[("BTC-USDT", "btcusdt")]),
        (&CME, &[("ESZ26", "ESZ26"), ("6EH27", "6EH27")]),
        (&EVENTS, &[("PM:KXFED-26DEC", "KXFED-26DEC"), ("SP:NBA-LAL", "sport/NBA-LAL")]),
    ];
    for (table, rows) in cases {
        for (canonical, native) in rows {
            assert_eq!(table.to_native(&symbol(canonical)).as_deref(), Ok(*native), "{}", table.venue);
            assert_eq!(table.from_native(native), Ok(symbol(canonical)), "{}", table.venue);
        }
    }
}

#[test]
fn one_digit_of_a_year_takes_a_date() {
    let december = symbol("ESZ26");
    assert_eq!(IBKR.to_native_on(&december, day(2026)).as_deref(), Ok("ESZ6"));
    assert_eq!(IBKR.from_native_on("ESZ6", day(2026)), Ok(december.clone()));
    assert_eq!(IBKR.from_native_on("ESZ6", day(2017)), Ok(december.clone()));
    assert_eq!(IBKR.from_native_on("ESZ6", day(2027)), Ok(symbol("ESZ36")));
    assert_eq!(
        IBKR.from_native_on("ESZ6", day(2099)).unwrap_err().to_string(),
        "ibkr symbol \"ESZ6\" is in no form of its table; leave the instrument out, or add the form or an exception"
    );

    let needs_date = SymbologyError::NeedsDate { venue: "ibkr", native: "ESZ6".into() };
    assert_eq!(IBKR.to_native(&december), Err(needs_date.clone()));
    assert_eq!(IBKR.from_native("ESZ6"), Err(needs_date));
    // In 2027 and in 2016 the text would mean the other decade's contract.
    for year in [2027, 2016] {
        let error = IBKR.to_native_on(&december, day(year)).unwrap_err();
        assert!(matches!(error, SymbologyError::OtherInstrument { .. }), "{error}");
    }
}

#[test]
fn what_is_not_traded_says_what_is_missing() {
    let cases = [
        (&COINBASE, "AAPL", Untraded::Kind(SymbolKind::Equity)),
        (&COINBASE, "EUR-USD", Untraded::Kind(SymbolKind::Fx)),
        (&COINBASE, "BTC-USDT-PERP", Untraded::Kind(SymbolKind::Perpetual)),
        (&SCHWAB, "0700.HK", Untraded::Market),
        (&MOOMOO, "0700.B.HK", Untraded::ShareClass),
        (&BINANCE, "BTC-EUR", Untraded::Quote),
        (&CME, "PM:X", Untraded::Kind(SymbolKind::Prediction)),
    ];
    for (table, text, missing) in cases {
        match table.to_native(&symbol(text)) {
            Err(SymbologyError::NotTraded { what, .. }) => assert_eq!(what, missing, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert_eq!(
        BINANCE.to_native(&symbol("BTC-EUR")).unwrap_err().to_string(),
        "binance has no name for BTC-EUR: its table has no form for this quote currency; use another venue, or \
         add the form if the venue trades it"
    );
    assert!(matches!(COINBASE.to_native(&symbol("0700")), Err(SymbologyError::Symbol(_))));
}

#[test]
fn a_text_with_two_meanings_is_refused_both_ways_unless_an_exception_says_which() {
    let two = SymbologyError::Ambiguous {
        venue: "binance",
        native: "ETHBUSD".into(),
        one: symbol("ETH-BUSD"),
        other: symbol("ETHB-USD"),
    };
    assert_eq!(BINANCE.from_native("ETHBUSD"), Err(two.clone()));
    assert_eq!(BINANCE.to_native(&symbol("ETH-BUSD")), Err(two.clone()));
    assert_eq!(BINANCE.to_native(&symbol("ETHB-USD")), Err(two));
    assert_eq!(BINANCE.from_native("BTCBUSD"), Ok(symbol("BTC-BUSD")));
    assert!(matches!(
        BINANCE.to_native(&symbol("BTCB-USD")),
        Err(SymbologyError::OtherInstrument { read, .. }) if read == symbol("BTC-BUSD")
    ));
}

#[test]
fn our_code_that_is_the_venues_word_for_another_is_refused() {
    assert_eq!(
        KRAKEN_REST.to_native(&symbol("XBT-USD")).unwrap_err().to_string(),
        "kraken symbol \"XBTUSD\", made of XBT-USD, means BTC-USD; use BTC-USD if that is the instrument"
    );
    assert_eq!(
        KRAKEN_REST.from_native("BTCUSD").unwrap_err().to_string(),
        "kraken writes BTC-USD as \"XBTUSD\", not as \"BTCUSD\"; take its exact spelling"
    );
}

#[test]
fn only_the_venues_own_spelling_is_accepted() {
    for (table, native) in [
        (&MOOMOO, "HK.0700"),
        (&MOOMOO, "HK.000700"),
        (&MOOMOO, "US.AAPL210115C00185000"),
        (&SCHWAB, "AAPL 240517P00190000"),
        (&IBKR, "0700"),
        (&HTX, "BTCUSDT"),
        (&HTX, "BtcUsdt"),
    ] {
        let error = table.from_native(native).unwrap_err();
        assert!(matches!(error, SymbologyError::OtherSpelling { .. }), "{native}: {error}");
    }
    for (table, native) in [
        (&ALPACA, ""),
        (&ALPACA, "aapl"),
        (&ALPACA, " AAPL"),
        (&ALPACA, "BTC/USD/X"),
        (&ALPACA, "EUR/USD"),
        (&SCHWAB, "BRK/"),
        (&OKX, "BTC-USDT-FUTURES"),
        (&BINANCE, "USDT"),
        (&CME, "ESZ+6"),
    ] {
        let error = table.from_native(native).unwrap_err();
        let refused =
            matches!(error, SymbologyError::Unreadable { .. } | SymbologyError::OtherSpelling { .. });
        assert!(refused, "{native}: {error}");
    }
    // Padding has an end, and so has what a message repeats.
    let padded = format!("AAPL{}240517P00190000", " ".repeat(300));
    assert!(matches!(SCHWAB.from_native(&padded), Err(SymbologyError::Unreadable { .. })));
    assert!(ALPACA.from_native(&"A".repeat(100_000)).unwrap_err().to_string().len() < 200);
}

#[test]
fn a_row_for_a_market_that_is_not_known_names_nothing() {
    const TYPO: VenueSymbology = VenueSymbology::new(
        "typo",
        &[Form::Equity(EquityForm { market: Some("HG"), prefix: "HG.", ..EquityForm::PLAIN })],
    );
    assert!(matches!(TYPO.from_native("HG.FOO"), Err(SymbologyError::Unreadable { .. })));
    assert!(matches!(TYPO.to_native(&symbol("FOO")), Err(SymbologyError::NotTraded { .. })));
}
