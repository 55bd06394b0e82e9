//! Covariances and means.

use crate::data::{Returns, close, matrix, numbers};
use crate::{Case, Found};
use mts_quantkit::covariance::{
    Centre, Covariance, Decay, Denoised, Detoned, EstimateError, Ewma, Fixed, Gerber, GerberStatistic,
    LedoitWolf, Nonlinear, Oas, Sample, Semi, Target, Variant, means,
};
use ndarray::{Array1, Array2, ArrayView2};
use serde_json::Value;

/// Sessions of a year, by which some peers multiply.
const YEAR: f64 = 252.0;

type Mean = fn(ArrayView2<'_, f64>) -> Result<Array1<f64>, EstimateError>;

/// What a peer makes of few rows.
pub(crate) const FEWEST_ROWS: &str = "skfolio: min_observations is the half-life, fewer rows give NaN";

pub(crate) fn check(name: &str, entry: &Value, returns: &Returns) -> Option<Case> {
    let output = entry.get("output")?;
    let tolerance = entry.get("tol").and_then(Value::as_f64)?;
    if returns.assets.len() != returns.values.ncols() {
        return Some(Case::new(name, Err("the data has other assets than the file".to_owned())));
    }
    let returns = returns.values.view();
    if name == "ew_hl60" && returns.nrows() < 60 {
        return Some(Case { name: name.to_owned(), found: fewer_rows_than_a_half_life(output, returns) });
    }
    let result = match (mean(name), covariance(name)) {
        (Some(mean), _) => of_means(mean, output, returns, tolerance),
        (_, Some((estimator, scale))) => of_covariance(name, &estimator, scale, output, returns, tolerance),
        _ => {
            let why = match name {
                "riskfolio_jlogo" => "a sparse inverse by cliques of a graph: not built",
                "riskfolio_gl" => "the graphical lasso's penalty is found by cross-validation: not built",
                _ => return None,
            };
            return Some(Case { name: name.to_owned(), found: Found::NotClaimed(why) });
        }
    };
    Some(Case::new(name, result))
}

/// skfolio answers NaN until there are as many rows as the half-life (`min_observations`); here weights are 1 in sum from the first.
fn fewer_rows_than_a_half_life(output: &Value, returns: ArrayView2<'_, f64>) -> Found {
    let nothing =
        output.get("cov").and_then(matrix).is_some_and(|wanted| wanted.iter().all(|value| value.is_nan()));
    let estimator = Covariance::Ewma(Ewma { decay: Decay::HalfLife(60.0), centre: Centre::Zero });
    let found = estimator.estimate(returns);
    if nothing && found.is_ok_and(|found| found.iter().all(|value| value.is_finite())) {
        Found::Deviates(FEWEST_ROWS)
    } else {
        Found::Fails("skfolio gives NaN, and only NaN, for fewer rows than its min_observations".to_owned())
    }
}

fn mean(name: &str) -> Option<Mean> {
    let mean: Mean = match name {
        "shrunk_mu_james_stein" => |returns| Ok(means::james_stein(returns)?.0),
        "mean_historical_compounded_252" => |returns| means::compounded(returns, YEAR),
        "ema_historical_span500_compounded" => {
            |returns| means::weighted_compounded(returns, Decay::Span(500.0), YEAR)
        }
        _ => return None,
    };
    Some(mean)
}

/// The estimator of an entry, and what the peer multiplies by.
fn covariance(name: &str) -> Option<(Covariance, f64)> {
    let gerber = |statistic| Covariance::Gerber(Gerber { threshold: 0.5, statistic });
    let ledoit_wolf = |target| Covariance::LedoitWolf(LedoitWolf { target });
    Some(match name {
        "riskfolio_hist" => (Covariance::Sample(Sample { ddof: 1 }), 1.0),
        "ledoit_wolf_identity" => (ledoit_wolf(Target::Identity), 1.0),
        "ledoit_wolf_constant_correlation" => {
            (ledoit_wolf(Target::ConstantCorrelation(Variant::PyPortfolioOpt)), 1.0)
        }
        "ledoit_wolf_constant_correlation_paper" => {
            (ledoit_wolf(Target::ConstantCorrelation(Variant::LedoitCode)), 1.0)
        }
        "ledoit_wolf_single_factor" => (ledoit_wolf(Target::SingleFactor), 1.0),
        "ledoit_wolf_nonlinear_analytical" => (Covariance::Nonlinear(Nonlinear {}), 1.0),
        "oas" => (Covariance::Oas(Oas {}), 1.0),
        "shrunk_0_1" => (Covariance::Fixed(Fixed { shrinkage: 0.1, ddof: 0 }), 1.0),
        "denoise" => (Covariance::Denoised(Denoised { bandwidth: 0.01, ddof: 1 }), 1.0),
        "detone" => (Covariance::Detoned(Detoned { markets: 1, ddof: 1 }), 1.0),
        "gerber" | "riskfolio_gerber1" => (gerber(GerberStatistic::EitherMoved), 1.0),
        "riskfolio_gerber2" => (gerber(GerberStatistic::Own), 1.0),
        "ew_hl60" => (Covariance::Ewma(Ewma { decay: Decay::HalfLife(60.0), centre: Centre::Zero }), 1.0),
        "exp_cov_span180" => {
            (Covariance::Ewma(Ewma { decay: Decay::Span(180.0), centre: Centre::SampleMean }), 1.0)
        }
        "semicov" => (Covariance::Semi(Semi { benchmark: 0.0 }), 1.0),
        _ => return None,
    })
}

fn of_means(mean: Mean, output: &Value, returns: ArrayView2<'_, f64>, tolerance: f64) -> Result<(), String> {
    let wanted = output.get("mu").and_then(numbers).ok_or("the entry has no mu")?;
    close(&mean(returns).map_err(|error| error.to_string())?, &wanted, tolerance)
}

fn of_covariance(
    name: &str,
    estimator: &Covariance,
    scale: f64,
    output: &Value,
    returns: ArrayView2<'_, f64>,
    tolerance: f64,
) -> Result<(), String> {
    let wanted = output.get("cov").and_then(matrix).ok_or("the entry has no cov")?;
    let found = estimator.estimate(returns).map_err(|error| error.to_string())? * scale;
    if found != found.t() {
        return Err("it is not symmetric".to_owned());
    }
    close(&found, &wanted, tolerance.min(tight(name)))?;
    let shrinkage = match estimator {
        Covariance::LedoitWolf(one) => one.estimate(returns),
        Covariance::Oas(one) => one.estimate(returns),
        _ => return Ok(()),
    };
    let part = shrinkage.map(|(_, part): (Array2<f64>, f64)| part).map_err(|error| error.to_string())?;
    let wanted = output.get("shrinkage").and_then(Value::as_f64).ok_or("the entry has no shrinkage")?;
    close(&[part], &[wanted], 1e-9)
}

/// Variances of daily returns are about 1e-4: what an entry allows is too much for those that are formulas.
fn tight(name: &str) -> f64 {
    match name {
        "denoise" | "detone" => 1e-10,
        // With fewer rows than assets the eigenvalues that are 0 leave the vectors of those that are not less exact.
        "ledoit_wolf_nonlinear_analytical" => 1e-9,
        _ => 1e-12,
    }
}
