//! Trees against their definitions, and what holds for the allocators that follow them and for risk budgets.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test fails by panicking")]

use mts_quantkit::allocators::hierarchical::{Clusters, Limit};
use mts_quantkit::allocators::{
    AllocationError, HierarchicalEqualRiskContribution, HierarchicalRiskParity, InverseVariance,
    RiskBudgeting, Uniform,
};
use mts_quantkit::clustering::{LeafOrder, Linkage, Method, condensed, cut, linkage, square};
use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;

const METHODS: [Method; 4] = [Method::Single, Method::Complete, Method::Average, Method::Ward];

fn covariance(assets: usize) -> impl Strategy<Value = Array2<f64>> {
    prop::collection::vec(-1.0..1.0_f64, 3 * assets * assets).prop_map(move |noise| {
        let factor = Array2::from_shape_vec((3 * assets, assets), noise).unwrap();
        let scale = Array1::from_iter((0..assets).map(|asset| 0.01 * (1.0 + 0.4 * asset as f64)));
        let shared = factor.sum_axis(Axis(1)).insert_axis(Axis(1)) * 0.2;
        let factor = (factor + &shared) * &scale;
        factor.t().dot(&factor)
    })
}

/// Heights of all merges, by looking at all pairs of clusters again and again.
fn heights(distances: &Array2<f64>, method: Method) -> Vec<f64> {
    let mut clusters: Vec<Vec<usize>> = (0..distances.nrows()).map(|asset| vec![asset]).collect();
    let within = |members: &[usize]| {
        let squares = members.iter().flat_map(|i| members.iter().map(|j| distances[(*i, *j)].powi(2)));
        squares.sum::<f64>() / 2.0 / members.len() as f64
    };
    let far = |left: &[usize], right: &[usize]| {
        let pairs = || left.iter().flat_map(|i| right.iter().map(|j| distances[(*i, *j)]));
        match method {
            Method::Single => pairs().fold(f64::INFINITY, f64::min),
            Method::Complete => pairs().fold(0.0, f64::max),
            Method::Average => pairs().sum::<f64>() / (left.len() * right.len()) as f64,
            Method::Ward => (2.0 * (within(&[left, right].concat()) - within(left) - within(right))).sqrt(),
        }
    };
    let mut out = Vec::new();
    while clusters.len() > 1 {
        let mut best = (f64::INFINITY, 0, 0);
        for i in 0..clusters.len() {
            for j in 0..i {
                let distance = far(&clusters[i], &clusters[j]);
                if distance < best.0 {
                    best = (distance, i, j);
                }
            }
        }
        let taken = clusters.swap_remove(best.1);
        clusters[best.2].extend(taken);
        out.push(best.0);
    }
    out.sort_by(f64::total_cmp);
    out
}

fn orders(tree: &Linkage, cluster: usize) -> Vec<Vec<usize>> {
    let Some((left, right)) = tree.children(cluster) else { return vec![vec![cluster]] };
    let (left, right) = (orders(tree, left), orders(tree, right));
    let pairs = left.iter().flat_map(|l| right.iter().map(move |r| (l, r)));
    pairs.flat_map(|(l, r)| [[l.clone(), r.clone()].concat(), [r.clone(), l.clone()].concat()]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn merges_are_those_of_the_definition(points in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 2..12)) {
        let count = points.len();
        let distances = Array2::from_shape_fn((count, count), |(i, j)| {
            (points[i].0 - points[j].0).hypot(points[i].1 - points[j].1)
        });
        for method in METHODS {
            let tree = linkage(&condensed(distances.view()), method).unwrap();
            prop_assert_eq!(tree.leaves(), count);
            let mut members = tree.preorder();
            members.sort_unstable();
            prop_assert_eq!(members, (0..count).collect::<Vec<_>>());
            for (merge, height) in tree.merges().iter().zip(heights(&distances, method)) {
                prop_assert!((merge.distance - height).abs() < 1e-9, "{:?}", method);
                prop_assert!(merge.left < merge.right);
            }
            for clusters in 1..=count {
                let mut labels = cut(&tree, clusters);
                labels.sort_unstable();
                labels.dedup();
                prop_assert_eq!(labels, (0..clusters).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn the_optimal_order_is_the_shortest(points in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 3..8)) {
        let count = points.len();
        let distances = Array2::from_shape_fn((count, count), |(i, j)| {
            (points[i].0 - points[j].0).hypot(points[i].1 - points[j].1)
        });
        let way = |order: &[usize]| order.windows(2).map(|pair| distances[(pair[0], pair[1])]).sum::<f64>();
        for method in METHODS {
            let tree = linkage(&condensed(distances.view()), method).unwrap();
            let all = orders(&tree, tree.root());
            let least = all.iter().map(|order| way(order)).fold(f64::INFINITY, f64::min);
            let found = LeafOrder::Optimal.of(&tree, distances.view());
            prop_assert!((way(&found) - least).abs() < 1e-12);
            for order in [found, LeafOrder::Scipy.of(&tree, distances.view()), tree.preorder()] {
                prop_assert!(all.contains(&order));
            }
        }
    }

    #[test]
    fn weights_are_one_in_sum_and_the_unit_does_not_matter(covariance in covariance(7)) {
        let scaled = &covariance * 1e4;
        let solve = |covariance: &Array2<f64>| {
            let covariance = covariance.view();
            let mut out = vec![
                InverseVariance::default().solve(covariance).unwrap().weights,
                RiskBudgeting::default().solve(covariance).unwrap().weights,
            ];
            for linkage in METHODS {
                let hrp = HierarchicalRiskParity { linkage, ..HierarchicalRiskParity::default() };
                out.push(hrp.solve(covariance).unwrap().weights);
                let herc = HierarchicalEqualRiskContribution { linkage, ..Default::default() };
                out.push(herc.solve(covariance).unwrap().weights);
            }
            out
        };
        for (weights, again) in solve(&covariance).iter().zip(solve(&scaled)) {
            let sum: f64 = weights.iter().sum();
            prop_assert!((sum - 1.0).abs() <= f64::EPSILON);
            prop_assert!(weights.iter().all(|weight| *weight > 0.0));
            prop_assert!(weights.iter().zip(&again).all(|(left, right)| (left - right).abs() < 1e-8));
        }
    }

    #[test]
    fn the_order_of_assets_does_not_matter(covariance in covariance(6)) {
        let order = [4, 2, 0, 5, 3, 1];
        let turned = covariance.select(Axis(0), &order).select(Axis(1), &order);
        let herc = HierarchicalEqualRiskContribution { clusters: Clusters::Exactly(3), ..Default::default() };
        let budgets = vec![0.1, 0.2, 0.05, 0.3, 0.15, 0.2];
        let erc = RiskBudgeting::with_budgets(budgets.clone());
        let turned_erc = RiskBudgeting::with_budgets(order.map(|asset| budgets[asset]));
        for (weights, again) in [
            (herc.solve(covariance.view()), herc.solve(turned.view())),
            (erc.solve(covariance.view()), turned_erc.solve(turned.view())),
        ] {
            let (weights, again) = (weights.unwrap().weights, again.unwrap().weights);
            for (place, asset) in order.iter().enumerate() {
                prop_assert!((weights[*asset] - again[place]).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn bounds_are_kept(covariance in covariance(8), low in 0.0..0.1_f64, high in 0.13..0.6_f64) {
        for linkage in METHODS {
            let (lower, upper) = (Limit::All(low), Limit::All(high));
            let hrp = HierarchicalRiskParity { linkage, lower, upper, ..HierarchicalRiskParity::default() };
            let weights = hrp.solve(covariance.view()).unwrap().weights;
            prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() <= f64::EPSILON);
            prop_assert!(weights.iter().all(|weight| *weight >= low && *weight <= high), "{}", weights);
        }
    }

    #[test]
    fn risks_are_as_budgeted(covariance in covariance(6), budgets in prop::collection::vec(0.01..1.0_f64, 6)) {
        let solved = RiskBudgeting::with_budgets(budgets.clone()).solve(covariance.view()).unwrap();
        prop_assert!(solved.certificate.residual < 1e-9);
        let contributions = &solved.weights * &covariance.dot(&solved.weights);
        let total: f64 = budgets.iter().sum();
        for (part, budget) in contributions.iter().zip(&budgets) {
            prop_assert!((part / contributions.sum() - budget / total).abs() < 1e-9);
        }
        let warm = RiskBudgeting::with_budgets(budgets);
        let again = warm.solve_from(covariance.view(), Some(solved.weights.view())).unwrap();
        prop_assert!(again.certificate.iterations <= 2, "{:?}", again.certificate);
        prop_assert!(again.weights.iter().zip(&solved.weights).all(|(left, right)| (left - right).abs() < 1e-8));
    }
}

#[test]
fn small_universes_have_weights() {
    let three = array![[0.04, 0.01, 0.0], [0.01, 0.09, -0.02], [0.0, -0.02, 0.01]];
    for assets in 1..=3 {
        let covariance = three.slice_axis(Axis(0), (..assets).into());
        let covariance = covariance.slice_axis(Axis(1), (..assets).into());
        let mut all = vec![
            Uniform {}.solve(covariance).unwrap(),
            InverseVariance::default().solve(covariance).unwrap(),
            RiskBudgeting::default().solve(covariance).unwrap(),
        ];
        for linkage in METHODS {
            for order in [LeafOrder::Tree, LeafOrder::Scipy, LeafOrder::Optimal] {
                let hrp = HierarchicalRiskParity { linkage, order, ..HierarchicalRiskParity::default() };
                all.push(hrp.solve(covariance).unwrap());
            }
            for clusters in [Clusters::default(), Clusters::Exactly(1), Clusters::Exactly(9)] {
                let herc = HierarchicalEqualRiskContribution { linkage, clusters, ..Default::default() };
                all.push(herc.solve(covariance).unwrap());
            }
        }
        for solved in all {
            assert!((solved.weights.sum() - 1.0).abs() <= f64::EPSILON, "{assets}: {solved:?}");
            assert!(solved.weights.iter().all(|weight| *weight > 0.0), "{assets}: {solved:?}");
        }
    }
    assert!(Uniform {}.of(0).is_err());
}

#[test]
fn budgets_of_zero_and_assets_given_twice_are_handled() {
    let covariance = array![[0.04, 0.01, 0.0], [0.01, 0.09, -0.02], [0.0, -0.02, 0.01]];
    let solved = RiskBudgeting::with_budgets([2.0, 0.0, 2.0]).solve(covariance.view()).unwrap();
    assert!(solved.weights[1].abs() <= 0.0);
    assert!(solved.certificate.residual < 1e-9);
    let two = covariance.select(Axis(0), &[0, 2]).select(Axis(1), &[0, 2]);
    let alone = RiskBudgeting::default().solve(two.view()).unwrap();
    assert!((alone.weights[0] - solved.weights[0]).abs() < 1e-12);
    let twice = covariance.select(Axis(0), &[0, 0, 2]).select(Axis(1), &[0, 0, 2]);
    let halves = RiskBudgeting::with_budgets([1.0, 1.0, 2.0]).solve(twice.view()).unwrap();
    assert!((halves.weights[0] + halves.weights[1] - alone.weights[0]).abs() < 1e-9);
    // No weights of assets that cancel each other have a risk.
    let hedge = array![[1.0, -1.0], [-1.0, 1.0]];
    let error = RiskBudgeting::default().solve(hedge.view()).unwrap_err();
    assert!(error.to_string().contains("together carry none"), "{error}");
}

#[test]
fn what_cannot_be_is_told() {
    let covariance = array![[0.04, 0.01], [0.01, 0.09]];
    let hrp = |lower, upper| {
        let problem = HierarchicalRiskParity { lower, upper, ..HierarchicalRiskParity::default() };
        problem.solve(covariance.view()).unwrap_err()
    };
    let infeasible = |error: AllocationError, name: &str| match error {
        AllocationError::Infeasible { constraint, .. } => assert_eq!(constraint, name),
        other => panic!("{other}"),
    };
    infeasible(hrp(Limit::All(0.6), Limit::All(1.0)), "lower");
    infeasible(hrp(Limit::All(0.0), Limit::All(0.4)), "upper");
    assert!(hrp(Limit::All(0.5), Limit::All(0.4)).to_string().starts_with("lower"));
    assert!(hrp(Limit::Each(vec![0.1]), Limit::All(1.0)).to_string().contains("1 of them for 2 assets"));
    let still = array![[0.04, 0.0], [0.0, 0.0]];
    assert!(InverseVariance::default().solve(still.view()).unwrap_err().to_string().contains("asset 1"));
    for budgets in [vec![1.0], vec![1.0, -1.0], vec![0.0, 0.0]] {
        let error = RiskBudgeting::with_budgets(budgets).solve(covariance.view()).unwrap_err();
        assert!(error.to_string().starts_with("budgets"), "{error}");
    }
    let none = HierarchicalEqualRiskContribution { clusters: Clusters::Exactly(0), ..Default::default() };
    assert!(none.solve(covariance.view()).unwrap_err().to_string().starts_with("clusters"));
    assert!(linkage(&[1.0, 2.0], Method::Single).is_err());
    assert!(linkage(&[f64::NAN], Method::Single).is_err());
    assert_eq!(square(&[]).unwrap().nrows(), 1);
}
