//! What holds for every covariance, and for those that are kept, repaired or read with gaps.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test fails by panicking")]

use mts_quantkit::covariance::{
    Centre, Covariance, Decay, Denoised, Detoned, Ewma, Fixed, Gerber, GerberStatistic, LedoitWolf, Missing,
    Nonlinear, Oas, Online, PrincipalComponents, Sample, Semi, Target, Variant, Window, complete_rows,
    nearest, pairwise,
};
use mts_quantkit::linalg::eigen;
use ndarray::{Array1, Array2, ArrayView2, Axis, array};
use proptest::prelude::*;

fn all() -> Vec<Covariance> {
    let ledoit_wolf = |target| Covariance::LedoitWolf(LedoitWolf { target });
    vec![
        Covariance::Sample(Sample { ddof: 1 }),
        Covariance::Sample(Sample { ddof: 0 }),
        Covariance::Ewma(Ewma { decay: Decay::HalfLife(20.0), centre: Centre::Zero }),
        Covariance::Ewma(Ewma { decay: Decay::Span(30.0), centre: Centre::SampleMean }),
        Covariance::Ewma(Ewma { decay: Decay::Factor(0.94), centre: Centre::WeightedMean }),
        ledoit_wolf(Target::Identity),
        ledoit_wolf(Target::ConstantCorrelation(Variant::LedoitCode)),
        ledoit_wolf(Target::ConstantCorrelation(Variant::PyPortfolioOpt)),
        ledoit_wolf(Target::SingleFactor),
        Covariance::Oas(Oas {}),
        Covariance::Fixed(Fixed::default()),
        Covariance::Nonlinear(Nonlinear {}),
        Covariance::Denoised(Denoised::default()),
        Covariance::Detoned(Detoned::default()),
        Covariance::Gerber(Gerber { threshold: 0.5, statistic: GerberStatistic::Own }),
        Covariance::Semi(Semi::default()),
        Covariance::PrincipalComponents(PrincipalComponents { factors: 2, ddof: 1 }),
    ]
}

fn returns(rows: usize, assets: usize) -> impl Strategy<Value = Array2<f64>> {
    prop::collection::vec(-0.05..0.05_f64, rows * (assets + 1)).prop_map(move |noise| {
        let common = noise[..rows].to_vec();
        let own = Array2::from_shape_vec((rows, assets), noise[rows..].to_vec()).unwrap();
        Array2::from_shape_fn((rows, assets), |(t, a)| {
            own[(t, a)] * (1.0 + a as f64 * 0.3) + common[t] * (0.4 + 0.1 * a as f64)
        })
    })
}

fn far(left: &Array2<f64>, right: &Array2<f64>) -> f64 {
    (left - right).iter().fold(0.0, |most, value| most.max(value.abs()))
}

fn least_eigenvalue(matrix: ArrayView2<'_, f64>) -> f64 {
    eigen(matrix).unwrap().values[0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn they_are_symmetric_and_no_portfolio_has_a_negative_variance(returns in returns(40, 6)) {
        for estimator in all() {
            let covariance = estimator.estimate(returns.view()).unwrap();
            prop_assert_eq!(&covariance, &covariance.t());
            prop_assert!(least_eigenvalue(covariance.view()) > -1e-15, "{:?}", estimator);
        }
    }

    #[test]
    fn the_order_and_the_unit_of_the_assets_do_not_matter(returns in returns(40, 6)) {
        let order = [3, 0, 5, 1, 4, 2];
        for estimator in all() {
            let covariance = estimator.estimate(returns.view()).unwrap();
            let turned = estimator.estimate(returns.select(Axis(1), &order).view()).unwrap();
            let wanted = covariance.select(Axis(0), &order).select(Axis(1), &order);
            prop_assert!(far(&turned, &wanted) < 1e-13, "{:?}", estimator);
            let scaled = estimator.estimate((&returns * 8.0).view()).unwrap();
            prop_assert!(far(&scaled, &(&covariance * 64.0)) < 1e-12, "{:?}", estimator);
        }
    }

    #[test]
    fn shrinkage_stays_within_its_ends(returns in returns(30, 5)) {
        for target in [
            Target::Identity,
            Target::ConstantCorrelation(Variant::LedoitCode),
            Target::ConstantCorrelation(Variant::PyPortfolioOpt),
            Target::SingleFactor,
        ] {
            let (_, part) = LedoitWolf { target }.estimate(returns.view()).unwrap();
            prop_assert!((0.0..=1.0).contains(&part));
        }
        let (_, part) = (Oas {}).estimate(returns.view()).unwrap();
        prop_assert!((0.0..=1.0).contains(&part));
    }

    #[test]
    fn one_that_is_kept_is_the_one_of_all_its_rows(returns in returns(75, 4)) {
        let decay = Decay::HalfLife(20.0);
        let batch = |rows: ArrayView2<'_, f64>, estimator: Covariance| estimator.estimate(rows).unwrap();
        let ewma = Covariance::Ewma(Ewma { decay, centre: Centre::Zero });
        let (mut every, mut last, mut fading) = (
            Online::new(4, Window::All).unwrap(),
            Online::new(4, Window::Last(20)).unwrap(),
            Online::new(4, Window::Decay(decay)).unwrap(),
        );
        for (t, row) in returns.outer_iter().enumerate() {
            for kept in [&mut every, &mut last, &mut fading] {
                kept.push(row).unwrap();
            }
            if t == 0 {
                continue;
            }
            let seen = returns.slice_axis(Axis(0), (..=t).into());
            let recent = returns.slice_axis(Axis(0), ((t + 1).saturating_sub(20)..=t).into());
            prop_assert!(far(&every.covariance(1).unwrap(), &batch(seen, Covariance::default())) < 1e-15);
            prop_assert!(far(&last.covariance(1).unwrap(), &batch(recent, Covariance::default())) < 1e-15);
            prop_assert!(far(&fading.covariance(0).unwrap(), &batch(seen, ewma)) < 1e-15);
        }
    }

    #[test]
    fn the_nearest_is_nearer_than_the_clipped(entries in prop::collection::vec(-1.0..1.0_f64, 10)) {
        let mut entries = entries.into_iter();
        let mut correlations = Array2::<f64>::eye(5);
        for i in 0..5 {
            for j in 0..i {
                let value = entries.next().unwrap();
                correlations[(i, j)] = value;
                correlations[(j, i)] = value;
            }
        }
        let scale = array![1.0, 2.0, 0.5, 0.1, 3.0];
        let covariance = &correlations * &scale * scale.view().insert_axis(Axis(1));
        let (clipped, by_clip) = nearest::clipped(covariance.view(), 0.0).unwrap();
        let (higham, by_higham) = nearest::higham(covariance.view(), 1e-9, 20_000).unwrap();
        for repaired in [&clipped, &higham] {
            prop_assert!(least_eigenvalue(repaired.view()) > -1e-12);
            for (was, is) in covariance.diag().iter().zip(&repaired.diag()) {
                prop_assert!((was - is).abs() < 1e-12);
            }
        }
        prop_assert!(by_higham.distance <= by_clip.distance + 1e-6, "{:?} {:?}", by_higham, by_clip);
        if by_clip.least_eigenvalue >= 0.0 {
            prop_assert_eq!(&clipped, &covariance);
        } else {
            prop_assert!(by_clip.distance > 0.0 && by_clip.largest > 0.0);
        }
    }

    #[test]
    fn gaps_are_left_out_or_taken_by_pairs(returns in returns(40, 5), gaps in prop::collection::vec((0..40_usize, 0..5_usize), 1..20)) {
        let mut gapped = returns.clone();
        for gap in &gaps {
            gapped[*gap] = f64::NAN;
        }
        for estimator in all() {
            let message = estimator.estimate(gapped.view()).unwrap_err().to_string();
            prop_assert!(message.contains("is NaN"), "{}", message);
        }
        let complete = complete_rows(gapped.view());
        prop_assert!(complete.iter().all(|value| value.is_finite()));
        let sample = Covariance::default();
        prop_assert_eq!(
            sample.estimate_with(gapped.view(), Missing::CompleteRows).unwrap(),
            sample.estimate(complete.view()).unwrap()
        );
        let (pairs, _) = pairwise(gapped.view(), 1).unwrap();
        prop_assert!(least_eigenvalue(pairs.view()) > -1e-15);
        let (same, moved) = pairwise(returns.view(), 1).unwrap();
        prop_assert_eq!(same, sample.estimate(returns.view()).unwrap());
        prop_assert_eq!(moved, nearest::Moved::default());
        let other = Covariance::Oas(Oas {}).estimate_with(gapped.view(), Missing::Pairwise);
        prop_assert!(other.is_err());
    }
}

#[test]
fn small_universes_and_few_rows_have_covariances() {
    let wide = Array2::from_shape_fn((6, 12), |(t, a)| {
        (((t * 7 + a * 5 + t * a + t * t) % 23) as f64 - 11.0) * 0.01
    });
    for assets in [1, 2, 3, 12] {
        let returns = wide.slice_axis(Axis(1), (..assets).into());
        for estimator in all() {
            match (assets, estimator) {
                // One component of one asset is all there is; two of one are too many.
                (1, Covariance::Detoned(_) | Covariance::PrincipalComponents(_)) => {
                    assert!(estimator.estimate(returns).is_err());
                }
                _ => {
                    let covariance = estimator.estimate(returns);
                    let covariance =
                        covariance.unwrap_or_else(|error| panic!("{assets} {estimator:?}: {error}"));
                    assert!(covariance.iter().all(|value| value.is_finite()), "{assets} {estimator:?}");
                }
            }
        }
    }
}

#[test]
fn a_factor_model_is_the_sample_where_no_factor_is_left_out() {
    let returns = Array2::from_shape_fn((30, 4), |(t, a)| ((t * 31 + a * 17 + t * t * a) % 23) as f64 * 0.01);
    let sample = Covariance::default().estimate(returns.view()).unwrap();
    let whole = PrincipalComponents { factors: 4, ddof: 1 }.estimate(returns.view()).unwrap();
    assert!(far(&whole.dense(), &sample) < 1e-15);
    let model = PrincipalComponents { factors: 1, ddof: 1 }.estimate(returns.view()).unwrap();
    let dense = model.dense();
    for (own, wanted) in dense.diag().iter().zip(&sample.diag()) {
        assert!((own - wanted).abs() < 1e-15);
    }
    let weights = Array1::from(vec![0.1, 0.4, -0.2, 0.7]);
    assert!((model.variance(weights.view()) - weights.dot(&dense.dot(&weights))).abs() < 1e-16);
}

#[test]
fn parameters_out_of_their_range_are_named() {
    let returns = Array2::from_shape_fn((9, 3), |(t, a)| ((t * 5 + a * 3 + t * a) % 7) as f64 * 0.01);
    for (estimator, field) in [
        (Covariance::Sample(Sample { ddof: 9 }), "ddof: 9"),
        (Covariance::Fixed(Fixed { shrinkage: 1.1, ddof: 0 }), "shrinkage: 1.1"),
        (Covariance::Gerber(Gerber { threshold: 0.0, ..Gerber::default() }), "threshold: 0"),
        (Covariance::Ewma(Ewma { decay: Decay::HalfLife(-1.0), ..Ewma::default() }), "half_life: -1"),
        (Covariance::Denoised(Denoised { bandwidth: 0.0, ddof: 1 }), "bandwidth: 0"),
        (Covariance::Detoned(Detoned { markets: 3, ddof: 1 }), "markets: 3"),
        (Covariance::PrincipalComponents(PrincipalComponents { factors: 0, ddof: 1 }), "factors: 0"),
    ] {
        let error = estimator.estimate(returns.view()).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
    assert!(Online::new(2, Window::Last(1)).is_err());
    let mut kept = Online::new(2, Window::All).unwrap();
    assert!(kept.push(array![0.1].view()).is_err());
    assert!(kept.push(array![0.1, f64::NAN].view()).is_err());
    assert!(kept.covariance(1).is_none());
}
