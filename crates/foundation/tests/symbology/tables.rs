//! Tables of venues that later parts bring, from reference-platform §1.6 and the venues' own documents.

use mts_foundation::symbology::{
    Alias, Case, EquityForm, EventForm, Form, FutureForm, OptionForm, PairForm, VenueSymbology, YearDigits,
};

const US: EquityForm = EquityForm::PLAIN;
const SLASHED: PairForm = PairForm { separator: "/", ..PairForm::PLAIN };
const DOTTED: PairForm = PairForm { separator: ".", ..PairForm::PLAIN };

pub(crate) const COINBASE: VenueSymbology = VenueSymbology::new("coinbase", &[Form::Crypto(PairForm::PLAIN)]);

const KRAKEN_CODES: &[Alias] = &[Alias::new("BTC", "XBT"), Alias::new("DOGE", "XDG")];
const KRAKEN_JOINED: PairForm =
    PairForm { separator: "", quotes: &["USD", "EUR", "GBP", "USDT", "BTC", "ETH"], ..PairForm::PLAIN };

pub(crate) const KRAKEN_REST: VenueSymbology = VenueSymbology {
    codes: KRAKEN_CODES,
    exceptions: &[Alias::new("ETC-ETH", "XETCXETH")],
    ..VenueSymbology::new("kraken", &[Form::Crypto(KRAKEN_JOINED), Form::Fx(KRAKEN_JOINED)])
};

pub(crate) const KRAKEN_STREAM: VenueSymbology =
    VenueSymbology::new("kraken", &[Form::Crypto(SLASHED), Form::Fx(SLASHED)]);

pub(crate) const KRAKEN_FUTURES: VenueSymbology = VenueSymbology {
    codes: KRAKEN_CODES,
    ..VenueSymbology::new(
        "kraken",
        &[Form::Perpetual(PairForm { prefix: "PF_", separator: "", suffix: "", quotes: &["USD"] })],
    )
};

pub(crate) const SCHWAB: VenueSymbology = VenueSymbology::new(
    "schwab",
    &[
        Form::Equity(EquityForm { class_separator: Some("/"), ..US }),
        Form::Option(OptionForm { root_width: 6, ..OptionForm::PLAIN }),
    ],
);

pub(crate) const MOOMOO: VenueSymbology = VenueSymbology::new(
    "moomoo",
    &[
        Form::Equity(EquityForm { prefix: "US.", ..US }),
        Form::Equity(EquityForm {
            market: Some("HK"),
            prefix: "HK.",
            class_separator: None,
            digits: Some(5),
            ..US
        }),
        Form::Equity(EquityForm { market: Some("SH"), prefix: "SH.", class_separator: None, ..US }),
        Form::Option(OptionForm { prefix: "US.", strike_digits: 1, ..OptionForm::PLAIN }),
    ],
);

pub(crate) const TRADIER: VenueSymbology = VenueSymbology::new(
    "tradier",
    &[Form::Equity(EquityForm { class_separator: Some("/"), ..US }), Form::Option(OptionForm::PLAIN)],
);

pub(crate) const IBKR: VenueSymbology = VenueSymbology::new(
    "ibkr",
    &[
        Form::Equity(EquityForm { class_separator: Some(" "), ..US }),
        Form::Equity(EquityForm { market: Some("HK"), class_separator: None, digits: Some(1), ..US }),
        Form::Option(OptionForm { root_width: 6, ..OptionForm::PLAIN }),
        Form::Future(FutureForm { year: YearDigits::One, ..FutureForm::PLAIN }),
        Form::Fx(DOTTED),
        Form::Crypto(DOTTED),
    ],
);

pub(crate) const ALPACA: VenueSymbology = VenueSymbology::new(
    "alpaca",
    &[Form::Equity(US), Form::Option(OptionForm::PLAIN), Form::Crypto(SLASHED)],
);

pub(crate) const BINANCE: VenueSymbology = VenueSymbology {
    exceptions: &[Alias::new("BTC-BUSD", "BTCBUSD")],
    ..VenueSymbology::new(
        "binance",
        &[Form::Crypto(PairForm {
            separator: "",
            quotes: &["USDT", "USDC", "BUSD", "USD", "BTC", "ETH"],
            ..PairForm::PLAIN
        })],
    )
};

pub(crate) const BINANCE_FUTURES: VenueSymbology = VenueSymbology::new(
    "binance",
    &[Form::Perpetual(PairForm { separator: "", quotes: &["USDT", "USDC"], ..PairForm::PLAIN })],
);

pub(crate) const OKX: VenueSymbology = VenueSymbology::new(
    "okx",
    &[Form::Crypto(PairForm::PLAIN), Form::Perpetual(PairForm { suffix: "-SWAP", ..PairForm::PLAIN })],
);

pub(crate) const HTX: VenueSymbology = VenueSymbology {
    case: Case::Lower,
    ..VenueSymbology::new(
        "htx",
        &[Form::Crypto(PairForm { separator: "", quotes: &["USDT", "BTC"], ..PairForm::PLAIN })],
    )
};

pub(crate) const CME: VenueSymbology = VenueSymbology::new("cme", &[Form::Future(FutureForm::PLAIN)]);

pub(crate) const EVENTS: VenueSymbology = VenueSymbology::new(
    "events",
    &[Form::Prediction(EventForm::PLAIN), Form::Sports(EventForm { prefix: "sport/" })],
);

pub(crate) const ALL: &[VenueSymbology] = &[
    COINBASE,
    KRAKEN_REST,
    KRAKEN_STREAM,
    KRAKEN_FUTURES,
    SCHWAB,
    MOOMOO,
    TRADIER,
    IBKR,
    ALPACA,
    BINANCE,
    BINANCE_FUTURES,
    OKX,
    HTX,
    CME,
    EVENTS,
];
