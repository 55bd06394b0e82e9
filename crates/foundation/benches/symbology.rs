//! What it costs to read a canonical symbol of each form, and to translate one for a venue and back.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mts_foundation::symbology::{EquityForm, Form, OptionForm, PairForm};
use mts_foundation::{Symbol, VenueSymbology};

/// As large as a broker's that trades shares, options, currencies and crypto.
const TABLE: VenueSymbology = VenueSymbology::new(
    "bench",
    &[
        Form::Equity(EquityForm { class_separator: Some("/"), ..EquityForm::PLAIN }),
        Form::Option(OptionForm { root_width: 6, ..OptionForm::PLAIN }),
        Form::Fx(PairForm { prefix: "C:", separator: "", ..PairForm::PLAIN }),
        Form::Crypto(PairForm {
            prefix: "X:",
            separator: "",
            quotes: &["USD", "USDT", "USDC", "EUR", "BTC", "ETH"],
            ..PairForm::PLAIN
        }),
    ],
);

fn parts(criterion: &mut Criterion) {
    let mut bench = criterion.benchmark_group("parts");
    for text in [
        "AAPL",
        "BRK.B",
        "0700.HK",
        "BTC-USD",
        "EUR-USD",
        "BTC-USDT-PERP",
        "AAPL260116C00200000",
        "ESZ26",
        "PM:KXFED-26DEC",
    ] {
        let symbol = Symbol::new(text).unwrap();
        bench.bench_function(text, |bencher| bencher.iter(|| black_box(&symbol).parts().unwrap().kind()));
    }
    bench.finish();
    let option = Symbol::new("AAPL260116C00200000").unwrap();
    let parts = option.parts().unwrap();
    criterion.bench_function("parts/to_symbol", |bencher| bencher.iter(|| black_box(parts).to_symbol()));
}

fn translate(criterion: &mut Criterion) {
    for text in ["AAPL", "BRK.B", "BTC-USD", "EUR-USD", "AAPL260116C00200000"] {
        let symbol = Symbol::new(text).unwrap();
        let native = TABLE.to_native(&symbol).unwrap();
        let mut bench = criterion.benchmark_group(text);
        bench.bench_function("to_native", |bencher| {
            bencher.iter(|| TABLE.to_native(black_box(&symbol)).unwrap());
        });
        bench.bench_function("from_native", |bencher| {
            bencher.iter(|| TABLE.from_native(black_box(&native)).unwrap());
        });
        bench.finish();
    }
}

criterion_group!(benches, parts, translate);
criterion_main!(benches);
