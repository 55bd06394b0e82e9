//! Factors and operators on a panel of ten years of three thousand assets, into a buffer that is used again, on one thread
//! and on two. The throughput counts each panel read and written once.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails loudly")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mts_quantkit::Momentum;
use mts_quantkit::operators::{CrossSection, Rolling};
use ndarray::Array2;
use std::hint::black_box;

const SHAPE: (usize, usize) = (2520, 3000);

/// Prices that walk, from a fixed seed.
fn prices(mut state: u64) -> Array2<f64> {
    let mut level = vec![100.0; SHAPE.1];
    Array2::from_shape_fn(SHAPE, |(_, a)| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let step = f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX) - 0.5;
        let level: &mut f64 = level.get_mut(a).unwrap();
        *level *= 1.0 + 0.03 * step;
        *level
    })
}

fn panels(criterion: &mut Criterion) {
    let (x, y) = (prices(1), prices(2));
    let mut out = Array2::zeros(SHAPE);
    let bytes = |panels: usize| Throughput::Bytes(u64::try_from(panels * SHAPE.0 * SHAPE.1 * 8).unwrap());
    let mut group = criterion.benchmark_group("factors");
    group.sample_size(10);
    let momentum = Momentum::default();
    for threads in [1, 2] {
        group.throughput(bytes(2));
        for (name, standardised) in [("momentum", false), ("momentum and score", true)] {
            group.bench_function(BenchmarkId::new(name, threads), |bench| {
                bench.iter(|| {
                    momentum.over(black_box(x.view()), out.view_mut(), standardised, threads).unwrap()
                });
            });
        }
        group.bench_function(BenchmarkId::new("ranks", threads), |bench| {
            bench.iter(|| CrossSection::Rank.over(black_box(x.view()), out.view_mut(), threads).unwrap());
        });
        for (name, operator) in [
            ("deviation 63", Rolling::Deviation { window: 63, ddof: 1 }),
            ("mean 63", Rolling::Mean(63)),
            ("rank in time 9", Rolling::TimeRank(9)),
            ("correlation 63", Rolling::Correlation(63)),
        ] {
            group.throughput(bytes(operator.inputs() + 1));
            let inputs = [x.view(), y.view()];
            let inputs = inputs.get(..operator.inputs()).unwrap();
            group.bench_function(BenchmarkId::new(name, threads), |bench| {
                bench.iter(|| operator.over(black_box(inputs), out.view_mut(), threads).unwrap());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, panels);
criterion_main!(benches);
