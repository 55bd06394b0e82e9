//! What a covariance of a thousand rows costs: Ledoit and Wolf's, the sample's, and a row more of one that is kept.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails loudly")]

mod data;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mts_quantkit::covariance::{Covariance, Decay, LedoitWolf, Online, Window};
use std::hint::black_box;

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("covariance");
    group.sample_size(10);
    for assets in data::SIZES {
        let returns = data::returns(assets);
        let ledoit_wolf = Covariance::LedoitWolf(LedoitWolf::default());
        for (name, estimator) in [("ledoit_wolf", ledoit_wolf), ("sample", Covariance::default())] {
            group.bench_function(BenchmarkId::new(name, assets), |bencher| {
                bencher.iter(|| estimator.estimate(black_box(returns.view())).unwrap());
            });
        }
        let mut online = Online::new(assets, Window::Decay(Decay::HalfLife(60.0))).unwrap();
        group.bench_function(BenchmarkId::new("one_row_more", assets), |bencher| {
            bencher.iter(|| online.push(black_box(returns.row(0))).unwrap());
        });
    }
    group.finish();
}

criterion_group!(covariance, benches);
criterion_main!(covariance);
