use super::*;
use crate::allocators::constraints::{Cost, Group, Level};
use crate::linalg::gram;
use ndarray::{Array2, Axis};

fn sample(rows: usize, count: usize) -> Array2<f64> {
    let mut state = 5_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / 2_147_483_648.0 - 0.5
    };
    let mut y = Array2::from_shape_fn((rows, count), |(_, j)| noise() * (1.0 + j as f64 / 7.0) * 0.02);
    for mut row in y.outer_iter_mut() {
        let common = noise() * 0.02;
        row += common;
    }
    y
}

fn moments(count: usize) -> (Array2<f64>, Array1<f64>) {
    let y = sample(300, count);
    let centred = &y - &y.mean_axis(Axis(0)).unwrap();
    let mean = Array1::from_shape_fn(count, |j| 0.0002 + 0.0001 * ((j * 7) % 5) as f64);
    (gram(centred.view()) / 299.0, mean)
}

fn good(found: &Allocation, most: f64) {
    assert!((found.weights.sum() - 1.0).abs() <= f64::EPSILON, "{}", found.weights.sum());
    assert!(found.certificate.residual < 1e-9, "{:?}", found.certificate);
    assert!(found.weights.iter().all(|weight| *weight >= 0.0 && *weight <= most));
}

fn boxed(most: f64) -> Constraints {
    Constraints { maximum: Level::All(most), ..Constraints::default() }
}

#[test]
fn every_objective_is_solved_for_every_small_universe() {
    for count in [1, 2, 3, 8, 30] {
        let (covariance, mean) = moments(count);
        for constraints in [Constraints::default(), boxed(1.5 / count as f64)] {
            let most = if constraints.is_plain() { 1.0 } else { 1.5 / count as f64 };
            let problem = Markowitz::new(covariance.view(), &constraints);
            good(&problem.minimum_variance().unwrap(), most);
            good(&problem.maximum_sharpe(mean.view(), 0.0).unwrap(), most);
            good(&problem.utility(mean.view(), 3.0, RiskTerm::Half).unwrap(), most);
            let frontier = problem.frontier(mean.view(), 7).unwrap();
            for pair in frontier.windows(2) {
                assert!(pair[0].volatility <= pair[1].volatility + 1e-12, "{count}");
                assert!(pair[0].expected <= pair[1].expected + 1e-12);
            }
            for point in &frontier {
                good(&point.allocation, most);
                let risk = problem.target_volatility(mean.view(), point.volatility).unwrap();
                assert!((risk.certificate.objective - point.expected).abs() < 1e-8, "{risk:?} {point:?}");
            }
        }
    }
}

#[test]
fn no_portfolio_of_the_frontier_has_a_larger_ratio() {
    let (covariance, mean) = moments(12);
    let constraints = Constraints {
        maximum: Level::All(0.2),
        groups: vec![Group {
            name: "half".to_owned(),
            members: vec![0, 1, 2, 3],
            minimum: 0.3,
            maximum: 0.5,
        }],
        ..Constraints::default()
    };
    let problem = Markowitz::new(covariance.view(), &constraints);
    let found = problem.maximum_sharpe(mean.view(), 0.0001).unwrap();
    good(&found, 0.2);
    let group: f64 = found.weights.iter().take(4).sum();
    assert!((0.3 - 1e-12..=0.5 + 1e-12).contains(&group));
    for point in problem.frontier(mean.view(), 40).unwrap() {
        assert!((point.expected - 0.0001) / point.volatility <= found.certificate.objective + 1e-10);
    }
}

#[test]
fn the_order_and_the_unit_of_the_assets_do_not_matter() {
    let (covariance, _) = moments(20);
    let constraints = Constraints::default();
    let found = Markowitz::new(covariance.view(), &constraints).minimum_variance().unwrap();
    let order: Vec<usize> = (0..20).map(|place| (place * 7 + 3) % 20).collect();
    let turned = covariance.select(Axis(0), &order).select(Axis(1), &order);
    let again = Markowitz::new(turned.view(), &constraints).minimum_variance().unwrap();
    let larger = &covariance * 1e7;
    let scaled = Markowitz::new(larger.view(), &constraints).minimum_variance().unwrap();
    for (place, asset) in order.iter().enumerate() {
        assert!((again.weights[place] - found.weights[*asset]).abs() < 1e-12);
        assert!((scaled.weights[*asset] - found.weights[*asset]).abs() < 1e-12);
    }
}

#[test]
fn costs_hold_the_weights_where_they_are() {
    let (covariance, mean) = moments(6);
    let from = vec![1.0 / 6.0; 6];
    let with = |rate: f64| Constraints {
        cost: Some(Cost { from: from.clone(), rate: Level::All(rate) }),
        ..Constraints::default()
    };
    let moved = |constraints: &Constraints| {
        let found = Markowitz::new(covariance.view(), constraints)
            .utility(mean.view(), 2.0, RiskTerm::Whole)
            .unwrap();
        assert!(found.certificate.residual < 1e-9, "{:?}", found.certificate);
        found.weights.iter().zip(&from).map(|(weight, from)| (weight - from).abs()).sum::<f64>()
    };
    let (free, little, much) = (moved(&with(0.0)), moved(&with(0.00008)), moved(&with(0.1)));
    assert!(free > little && little > 1e-3, "{free} {little}");
    assert!(much < 1e-12, "{much}");
}

#[test]
fn conflicts_are_named() {
    let (covariance, mean) = moments(4);
    let tell = |constraints: Constraints| {
        Markowitz::new(covariance.view(), &constraints).minimum_variance().unwrap_err().to_string()
    };
    assert!(tell(boxed(0.2)).contains("the maximum weights sum to 0.8, below 1; raise them"));
    let least = Constraints { minimum: Level::All(0.3), ..Constraints::default() };
    assert!(tell(least).contains("the minimum weights sum to 1.2, above 1; lower them"));
    let group = Group { name: "tech".to_owned(), members: vec![0, 1], minimum: 0.7, maximum: 1.0 };
    let grouped = Constraints { groups: vec![group], ..boxed(0.3) };
    assert!(tell(grouped).contains("group \"tech\" cannot be satisfied: its minimum 0.7 is above the 0.6"));
    let constraints = boxed(0.5);
    let problem = Markowitz::new(covariance.view(), &constraints);
    let error = problem.target_return(mean.view(), 1.0).unwrap_err().to_string();
    assert!(error.contains("target return cannot be satisfied: 1 is above the largest return"), "{error}");
    let error = problem.target_volatility(mean.view(), 1e-9).unwrap_err().to_string();
    assert!(error.contains("below the least volatility"), "{error}");
    for constraints in [Constraints::default(), boxed(0.5)] {
        let problem = Markowitz::new(covariance.view(), &constraints);
        let error = problem.maximum_sharpe(mean.view(), 0.5).unwrap_err();
        assert_eq!(error, AllocationError::NoPositiveExcessReturn { rate: 0.5 });
    }
}

#[test]
fn fewer_rows_than_assets_have_an_answer_or_an_error() {
    let y = sample(8, 20);
    let covariance = gram(y.view());
    let constraints = Constraints::default();
    match Markowitz::new(covariance.view(), &constraints).minimum_variance() {
        Ok(found) => good_loosely(&found),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn good_loosely(found: &Allocation) {
    assert!((found.weights.sum() - 1.0).abs() < 1e-12);
    assert!(found.weights.iter().all(|weight| *weight >= 0.0));
    assert!(found.certificate.residual < 1e-8);
}
