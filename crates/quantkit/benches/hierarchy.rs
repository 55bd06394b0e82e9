//! What allocators that follow a tree cost, from returns and from a covariance; equal risk contributions beside them.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails loudly")]

mod data;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mts_foundation::sizing::Allocator;
use mts_quantkit::allocators::hierarchical::Clusters;
use mts_quantkit::allocators::{HierarchicalEqualRiskContribution, HierarchicalRiskParity, RiskBudgeting};
use mts_quantkit::covariance::Covariance;
use std::hint::black_box;

fn benches(criterion: &mut Criterion) {
    let hrp = HierarchicalRiskParity::default();
    let by_rule = HierarchicalEqualRiskContribution::default();
    let herc = HierarchicalEqualRiskContribution { clusters: Clusters::Exactly(8), ..by_rule };
    let erc = RiskBudgeting { tolerance: 1e-9, ..RiskBudgeting::default() };
    let mut group = criterion.benchmark_group("hierarchy");
    group.sample_size(10);
    for assets in data::SIZES {
        let returns = data::returns(assets);
        let covariance = Covariance::default().estimate(returns.view()).unwrap();
        let allocators: [(&str, &dyn Allocator); 3] = [
            ("hrp_from_returns", &hrp),
            ("herc_from_returns_8", &herc),
            ("herc_from_returns_by_rule", &by_rule),
        ];
        for (name, allocator) in allocators {
            group.bench_function(BenchmarkId::new(name, assets), |bencher| {
                bencher.iter(|| allocator.allocate(black_box(returns.view())).unwrap());
            });
        }
        group.bench_function(BenchmarkId::new("hrp_from_covariance", assets), |bencher| {
            bencher.iter(|| hrp.solve(black_box(covariance.view())).unwrap());
        });
        group.bench_function(BenchmarkId::new("erc_from_covariance", assets), |bencher| {
            bencher.iter(|| erc.solve(black_box(covariance.view())).unwrap());
        });
        let before = erc.solve(covariance.view()).unwrap().weights;
        let next = &covariance * 1.01;
        group.bench_function(BenchmarkId::new("erc_from_the_day_before", assets), |bencher| {
            bencher.iter(|| erc.solve_from(black_box(next.view()), Some(before.view())).unwrap());
        });
    }
    group.finish();
}

criterion_group!(hierarchy, benches);
criterion_main!(hierarchy);
