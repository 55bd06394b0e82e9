//! The canonical forms, one by one.

use chrono::NaiveDate;
use mts_foundation::symbology::{
    DatedFuture, Equity, EventId, Market, OptionContract, OptionRight, Pair, Perpetual, SymbolFault,
    SymbolKind,
};
use mts_foundation::{AssetClass, Decimal, Symbol, SymbolParts};

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

#[test]
fn every_form_is_read_and_has_its_class() {
    let cases = [
        ("AAPL", SymbolKind::Equity, AssetClass::Equities),
        ("BRK.B", SymbolKind::Equity, AssetClass::Equities),
        ("0700.HK", SymbolKind::Equity, AssetClass::Equities),
        ("80700.HK", SymbolKind::Equity, AssetClass::Equities),
        ("130A.JP", SymbolKind::Equity, AssetClass::Equities),
        ("RCI.B.CA", SymbolKind::Equity, AssetClass::Equities),
        ("BTC-USD", SymbolKind::Crypto, AssetClass::Crypto),
        ("1INCH-USDT", SymbolKind::Crypto, AssetClass::Crypto),
        ("PERP-USDT", SymbolKind::Crypto, AssetClass::Crypto),
        ("EUR-USD", SymbolKind::Fx, AssetClass::Fx),
        ("USD-CNH", SymbolKind::Fx, AssetClass::Fx),
        ("XAU-USD", SymbolKind::Fx, AssetClass::Fx),
        ("EUR-USDT", SymbolKind::Crypto, AssetClass::Crypto),
        ("BTC-USDT-PERP", SymbolKind::Perpetual, AssetClass::Futures),
        ("AAPL260116C00200000", SymbolKind::Option, AssetClass::Options),
        ("AAPL1260116P00000500", SymbolKind::Option, AssetClass::Options),
        ("ESZ26", SymbolKind::Future, AssetClass::Futures),
        ("6EH27", SymbolKind::Future, AssetClass::Futures),
        ("PM:KXFED-26DEC-T4.25", SymbolKind::Prediction, AssetClass::Prediction),
        ("SP:NBA/LAL-BOS", SymbolKind::Sports, AssetClass::Sports),
    ];
    for (text, kind, class) in cases {
        let symbol = symbol(text);
        let parts = symbol.parts().unwrap();
        assert_eq!((parts.kind(), parts.asset_class()), (kind, class), "{text}");
        assert_eq!(parts.to_symbol(), symbol);
    }
}

#[test]
fn parts_say_what_the_text_says() {
    let text = symbol("AAPL260116C00200500");
    let SymbolParts::Option(option) = text.parts().unwrap() else { panic!("no option") };
    assert_eq!((option.root(), option.right()), ("AAPL", OptionRight::Call));
    assert_eq!(option.expiry(), NaiveDate::from_ymd_opt(2026, 1, 16).unwrap());
    assert_eq!(option.strike().to_string(), "200.5");

    let text = symbol("ESZ26");
    let SymbolParts::Future(future) = text.parts().unwrap() else { panic!("no future") };
    assert_eq!((future.root(), future.month(), future.month_code(), future.year()), ("ES", 12, 'Z', 2026));

    let text = symbol("RCI.B.CA");
    let SymbolParts::Equity(share) = text.parts().unwrap() else { panic!("no share") };
    assert_eq!(
        (share.root(), share.class(), share.market().map(Market::code)),
        ("RCI", Some('B'), Some("CA"))
    );

    let text = symbol("BTC-USDT-PERP");
    let SymbolParts::Perpetual(perpetual) = text.parts().unwrap() else { panic!("no perpetual") };
    assert_eq!((perpetual.underlying().base(), perpetual.underlying().quote()), ("BTC", "USDT"));
}

/// What looks like two forms is one of them, always the same.
#[test]
fn ambiguous_texts_have_one_reading() {
    for (text, kind) in [
        ("ESZ26", SymbolKind::Future),
        ("ESZ", SymbolKind::Equity),
        ("BTC", SymbolKind::Equity),
        ("AAPLC26", SymbolKind::Equity),
        ("A.Z", SymbolKind::Equity),
        ("A260116C00000001", SymbolKind::Option),
        ("SOS-USD", SymbolKind::Fx),
        ("EUR-USD-PERP", SymbolKind::Perpetual),
        ("PM:AAPL260116C00200000", SymbolKind::Prediction),
    ] {
        let symbol = symbol(text);
        match symbol.parts() {
            Ok(parts) => assert_eq!(parts.kind(), kind, "{text}"),
            // Neither a month code nor letters alone: no form.
            Err(error) => assert_eq!((text, error.fault), ("AAPLC26", SymbolFault::NoForm)),
        }
    }
}

#[test]
fn what_is_in_no_form_is_refused_with_the_reason() {
    let cases = [
        ("0700", SymbolFault::NoForm),
        ("AAPL$A", SymbolFault::NoForm),
        ("ÄÖ", SymbolFault::NoForm),
        ("X:BTCUSD", SymbolFault::Prefix),
        ("ABCDEFG", SymbolFault::ShareRoot),
        (".B", SymbolFault::ShareRoot),
        ("0700.B", SymbolFault::ShareRoot),
        ("700.HK", SymbolFault::ShareNumber),
        ("00700.HK", SymbolFault::ShareNumber),
        ("ACHR.WS", SymbolFault::ShareSuffix),
        ("AAPL.US", SymbolFault::ShareSuffix),
        ("A.B.C.D", SymbolFault::ShareSuffix),
        ("BRK.1", SymbolFault::ShareClass),
        ("RCI.BB.CA", SymbolFault::ShareClass),
        ("BTC-", SymbolFault::PairCode),
        ("-USD", SymbolFault::PairCode),
        ("BTC-1", SymbolFault::PairCode),
        ("BTC/USD-USD", SymbolFault::PairCode),
        ("USD-USD", SymbolFault::PairOfOne),
        ("BTC-PERP", SymbolFault::PerpetualQuote),
        ("BTC-USDT-SWAP", SymbolFault::ThirdPart),
        ("BTC-USD-PERP-PERP", SymbolFault::PairCode),
        ("BRK.B260116C00200000", SymbolFault::OptionRoot),
        ("AAPLXYZ260116C00200000", SymbolFault::OptionRoot),
        ("1AAPL260116C00200000", SymbolFault::OptionRoot),
        ("AAPL260230C00200000", SymbolFault::Expiry),
        ("AAPL260116C00000000", SymbolFault::Strike),
        ("123Z26", SymbolFault::FutureRoot),
        ("ES/Z26", SymbolFault::FutureRoot),
        ("PM:", SymbolFault::EventId),
        ("SP:É", SymbolFault::EventId),
    ];
    for (text, fault) in cases {
        let error = symbol(text).parts().unwrap_err();
        assert_eq!(error.fault, fault, "{text}: {error}");
        assert!(error.to_string().contains(&format!("{text:?} is not canonical: ")), "{error}");
    }
}

#[test]
fn constructors_refuse_what_the_text_could_not_say() {
    let day = |year| NaiveDate::from_ymd_opt(year, 1, 16).unwrap();
    let option = |expiry, strike: &str| {
        OptionContract::new("AAPL", expiry, OptionRight::Put, strike.parse::<Decimal>().unwrap())
            .map(|option| option.to_string())
            .map_err(|error| error.fault)
    };
    assert_eq!(option(day(2026), "200").unwrap(), "AAPL260116P00200000");
    assert_eq!(option(day(2026), "99999.999").unwrap(), "AAPL260116P99999999");
    for strike in ["0", "-1", "0.0005", "100000", "79228162514264337593543950335"] {
        assert_eq!(option(day(2026), strike), Err(SymbolFault::Strike), "{strike}");
    }
    assert_eq!(option(day(1999), "1"), Err(SymbolFault::Year));
    assert_eq!(option(day(2100), "1"), Err(SymbolFault::Year));

    let future = |month, year| DatedFuture::new("ES", month, year).map_err(|error| error.fault);
    assert_eq!(future(12, 2099).unwrap().to_string(), "ESZ99");
    assert_eq!(future(0, 2026), Err(SymbolFault::Month));
    assert_eq!(future(13, 2026), Err(SymbolFault::Month));
    assert_eq!(future(1, 2100), Err(SymbolFault::Year));
    let error = DatedFuture::new("E S", 1, 2026).unwrap_err().to_string();
    assert!(error.starts_with("symbol \"E S 2026-01\" is not canonical: the root of a future"), "{error}");

    assert_eq!(Equity::new("aapl", None, None).unwrap_err().fault, SymbolFault::ShareRoot);
    assert_eq!(Equity::new("BRK", Some('b'), None).unwrap_err().fault, SymbolFault::ShareClass);
    assert_eq!(Equity::new("700", None, Market::of("HK")).unwrap_err().fault, SymbolFault::ShareNumber);
    assert_eq!(Pair::new("BTC", "usd").unwrap_err().fault, SymbolFault::PairCode);
    let pair = Pair::new("BTC", "USDT").unwrap();
    assert_eq!(Perpetual::new(pair).to_string(), "BTC-USDT-PERP");
    assert!(EventId::new(&"A".repeat(253)).is_ok());
    assert_eq!(EventId::new(&"A".repeat(254)).unwrap_err().fault, SymbolFault::EventId);
    assert_eq!(EventId::new("a").unwrap_err().fault, SymbolFault::EventId);
}

/// An id that is in no form is still a symbol: its class comes from the instrument table.
#[test]
fn a_symbol_in_no_form_is_still_an_id() {
    let odd = symbol("bacpl$x");
    assert_eq!(odd.as_str(), "BACPL$X");
    assert_eq!(odd.parts().unwrap_err().fault, SymbolFault::NoForm);
}
