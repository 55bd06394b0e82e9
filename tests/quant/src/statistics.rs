//! Figures of single series, against formulas and three libraries.

use crate::data::table;
use crate::{Case, Found};
use mts_quantkit::statistics as own;
use mts_quantkit::statistics::{Bias, Compounding, OrderStatistic, SharpeError};
use serde_json::Value;
use std::path::Path;

pub(crate) fn run(file: &Value, folder: &Path) -> Result<Vec<Case>, String> {
    let name = file.get("dataset").and_then(Value::as_str).ok_or("the file has no dataset")?;
    let (header, rows) = table(&folder.join(name))?;
    let column = |name: &str| -> Result<Vec<f64>, String> {
        let place = header.iter().position(|column| column == name).ok_or(format!("no column {name}"))?;
        let texts = rows.iter().filter_map(|row| row.get(place));
        texts.map(|text| text.parse().map_err(|error| format!("{name}: {text:?}: {error}"))).collect()
    };
    let benchmark =
        column(file.get("benchmark").and_then(Value::as_str).ok_or("the file has no benchmark")?)?;
    let tolerance = file.get("tolerance_default").and_then(Value::as_f64).ok_or("no tolerance_default")?;
    let series = file.get("series").and_then(Value::as_object).ok_or("the file has no series")?;
    let mut cases = Vec::new();
    for (series, peers) in series {
        let returns = column(series)?;
        for (peer, figures) in peers.as_object().ok_or("a series is no object")? {
            for (key, wanted) in figures.as_object().ok_or("a peer is no object")? {
                let case = format!("{series}/{peer}/{key}");
                let Some(found) = figure(peer, key, &returns, &benchmark) else {
                    cases.push(Case { name: case, found: Found::NotClaimed(other_definition(key)) });
                    continue;
                };
                // JSON has no NaN: what is not defined is null, or the text None.
                let result = match wanted.as_f64() {
                    Some(wanted) if (found - wanted).abs() <= tolerance * wanted.abs().max(1.0) => Ok(()),
                    None if !found.is_finite() => Ok(()),
                    _ => Err(format!("{found} instead of {wanted}")),
                };
                cases.push(Case::new(case, result));
            }
        }
    }
    Ok(cases)
}

/// Why a key has no figure of ours.
fn other_definition(key: &str) -> &'static str {
    match key {
        "alpha" => "empyrical compounds alpha: (1 + alpha)^252 - 1",
        "ulcer_performance_index" => "quantstats divides the total return, not the annual growth",
        "treynor_ratio" => "quantstats divides the total return by beta",
        "kelly_criterion" => "quantstats' is p - q/b of the win rate, ours mean over variance",
        "recovery_factor" => "quantstats divides the sum of returns",
        "probabilistic_sharpe_ratio" => "quantstats uses unbiased moments",
        _ => "no such figure here",
    }
}

fn figure(peer: &str, key: &str, r: &[f64], benchmark: &[f64]) -> Option<f64> {
    match peer {
        "exact" => exact(key, r, benchmark),
        "empyrical" => empyrical(key, r, benchmark),
        "quantstats" => quantstats(key, r, benchmark),
        "skfolio" => skfolio(key, r),
        _ => None,
    }
}

fn exact(key: &str, r: &[f64], benchmark: &[f64]) -> Option<f64> {
    let line = own::regression(r, benchmark);
    let year = 252.0_f64;
    let trials = own::expected_max_sharpe(0.5 / year, 10.0);
    let best = || r.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(match key {
        "n" => r.len() as f64,
        "mean" => own::mean(r),
        "std_ddof1" => own::standard_deviation(r, 1),
        "total_return" => own::total_return(r),
        "cagr" => own::compound_annual_growth(r, year),
        "ann_vol" => own::volatility(r, year, 1),
        "ann_mean_arith" => own::mean(r) * year,
        "sharpe" => own::sharpe(r, year, 0.0, 1),
        "downside_dev_ann" => own::downside_deviation(r, year, 0.0),
        "sortino" => own::sortino(r, year, 0.0),
        "max_drawdown" => own::max_drawdown(r, Compounding::Compounded),
        "max_drawdown_duration_bars" => own::longest_drawdown(r) as f64,
        "calmar" => own::calmar(r, year),
        "omega_0" | "profit_factor" => own::omega(r, 0.0),
        "ulcer_index" => own::ulcer_index(r, Compounding::Compounded),
        "martin_ratio_upi" => own::ulcer_performance_index(r, year),
        "avg_drawdown_all" => own::average_drawdown(r, Compounding::Compounded),
        "pain_ratio" => {
            own::compound_annual_growth(r, year) / -own::average_drawdown(r, Compounding::Compounded)
        }
        "var95_hist_linear" => -own::value_at_risk(r, 0.95, OrderStatistic::Linear),
        "var95_lower_order" => -own::value_at_risk(r, 0.95, OrderStatistic::Lower),
        "cvar95_ru" => -own::conditional_value_at_risk(r, 0.95),
        "var95_gauss" => -own::gaussian_value_at_risk(r, 0.95, 1),
        "cvar95_gauss" => -own::gaussian_conditional_value_at_risk(r, 0.95, 1),
        "var95_cornish_fisher" => -own::cornish_fisher_value_at_risk(r, 0.95, 1),
        "skew_biased" => own::skewness(r, Bias::Biased),
        "exkurt_biased" => own::excess_kurtosis(r, Bias::Biased),
        "skew_unbiased" => own::skewness(r, Bias::Unbiased),
        "exkurt_unbiased" => own::excess_kurtosis(r, Bias::Unbiased),
        "beta" => line.beta,
        "alpha_ann_arith" => line.alpha * year,
        "r_squared" => line.r_squared,
        "correlation" => line.correlation,
        "tracking_error_ann" => own::volatility(&own::active(r, benchmark), year, 1),
        "information_ratio_ann" => own::information_ratio(r, benchmark, year),
        "treynor" => own::treynor(r, benchmark, year, 0.0),
        "m2" => own::modigliani(r, benchmark, year, 0.0),
        "psr_0" => own::probabilistic_sharpe(r, 0.0, 0.0),
        "min_trl_0_95" => own::min_track_record(r, 0.0, 0.0, 0.95).unwrap_or(f64::NAN),
        "dsr_10trials_var0_5ann" => own::probabilistic_sharpe(r, 0.0, trials),
        "dsr_benchmark_sr_daily" => trials,
        "sharpe_se_lo_iid" => own::sharpe_standard_error(r, 0.0, SharpeError::Normal) * year.sqrt(),
        "sharpe_se_mertens" => own::sharpe_standard_error(r, 0.0, SharpeError::AnyShape) * year.sqrt(),
        "sharpe_lo_autocorr_q252_lag10" => own::sharpe_autocorrelation_adjusted(r, 0.0, 252, 10),
        "kelly_mean_var" => own::growth_optimal_fraction(r, 0.0),
        "hit_rate" => own::hit_rate(r),
        "hit_rate_nonzero" => own::hit_rate(&nonzero(r)),
        "payoff" => own::payoff(r),
        "gain_to_pain" => own::gain_to_pain(r),
        "tail_ratio" => own::tail_ratio(r),
        "best" => best(),
        "worst" => -own::value_at_risk(r, 1.0, OrderStatistic::Lower),
        "autocorr1" => own::autocorrelation(r, 1),
        "up_capture_geo" => own::capture(r, benchmark, year, true),
        "down_capture_geo" => own::capture(r, benchmark, year, false),
        "cdar95" => own::conditional_value_at_risk(&own::drawdown_series(r, Compounding::Compounded), 0.95),
        _ => return None,
    })
}

fn nonzero(r: &[f64]) -> Vec<f64> {
    r.iter().copied().filter(|value| value.abs() > 0.0).collect()
}

fn empyrical(key: &str, r: &[f64], benchmark: &[f64]) -> Option<f64> {
    let same = match key {
        "cum_returns_final" => "total_return",
        "annual_return" | "cagr" => "cagr",
        "annual_volatility" => "ann_vol",
        "calmar_ratio" => "calmar",
        "omega_ratio" => "omega_0",
        "sharpe_ratio" => "sharpe",
        "sortino_ratio" => "sortino",
        "downside_risk" => "downside_dev_ann",
        "max_drawdown" | "tail_ratio" | "beta" => key,
        "value_at_risk" => "var95_hist_linear",
        "up_capture" => "up_capture_geo",
        "down_capture" => "down_capture_geo",
        "stability_of_timeseries" => return Some(own::stability(r)),
        "conditional_value_at_risk" => return Some(-own::tail_mean(r, 0.95)),
        "excess_sharpe" => return Some(own::information_ratio(r, benchmark, 1.0)),
        _ => return None,
    };
    exact(same, r, benchmark)
}

fn quantstats(key: &str, r: &[f64], benchmark: &[f64]) -> Option<f64> {
    let same = match key {
        "comp" => "total_return",
        "best" | "worst" | "sharpe" | "sortino" | "cagr" | "calmar" | "tail_ratio" | "max_drawdown" => key,
        "r_squared" | "profit_factor" => key,
        "win_rate" => "hit_rate_nonzero",
        "volatility" => "ann_vol",
        "omega" => "omega_0",
        "gain_to_pain_ratio" => "gain_to_pain",
        "skew" => "skew_unbiased",
        "kurtosis" => "exkurt_unbiased",
        "value_at_risk" => "var95_gauss",
        "conditional_value_at_risk" => "cvar95_gauss",
        "payoff_ratio" => "payoff",
        "greeks_beta" => "beta",
        "greeks_alpha" => "alpha_ann_arith",
        "expected_return" | "geometric_mean" => return Some(own::compound_annual_growth(r, 1.0)),
        "risk_return_ratio" => return Some(own::sharpe(r, 1.0, 0.0, 1)),
        _ => return None,
    };
    exact(same, r, benchmark)
}

/// Risk measures under skfolio's names, losses positive; also those of a portfolio.
pub(crate) fn skfolio(key: &str, r: &[f64]) -> Option<f64> {
    let (measure, compounding) = if let Some(name) = key.strip_suffix("_uncompounded") {
        (name, Compounding::Summed)
    } else if let Some(name) = key.strip_suffix("_uncomp") {
        (name, Compounding::Summed)
    } else {
        let name = key.strip_suffix("_compounded").or(key.strip_suffix("_comp"));
        (name.unwrap_or(key), Compounding::Compounded)
    };
    let falls = || own::drawdown_series(r, compounding);
    let centre = own::mean(r);
    Some(match measure {
        "mean" => centre,
        "mean_absolute_deviation" => own::mean_absolute_deviation(r),
        "variance" => own::variance(r, 1),
        "standard_deviation" => own::standard_deviation(r, 1),
        "semi_variance" => own::semi_deviation(r, centre, 1).powi(2),
        "semi_deviation" => own::semi_deviation(r, centre, 1),
        "first_lower_partial_moment" => own::lower_partial_moment(r, centre, 1),
        "fourth_lower_partial_moment" => own::lower_partial_moment(r, centre, 4),
        "third_central_moment" => own::central_moment(r, 3),
        "fourth_central_moment" => own::central_moment(r, 4),
        "value_at_risk" => own::value_at_risk(r, 0.95, OrderStatistic::Lower),
        "cvar" => own::conditional_value_at_risk(r, 0.95),
        "evar" => own::entropic_value_at_risk(r, 0.95),
        "entropic_risk_measure" => own::entropic_risk(r, 1.0, 0.95),
        "worst_realization" => own::value_at_risk(r, 1.0, OrderStatistic::Lower),
        "gini_mean_difference" => own::gini_mean_difference(r),
        "skew" => own::skewness(r, Bias::Biased),
        "kurtosis" => own::excess_kurtosis(r, Bias::Biased) + 3.0,
        "drawdown_at_risk" => own::value_at_risk(&falls(), 0.95, OrderStatistic::Lower),
        "cdar" => own::conditional_value_at_risk(&falls(), 0.95),
        "edar" => own::entropic_value_at_risk(&falls(), 0.95),
        "max_drawdown" => -own::max_drawdown(r, compounding),
        "average_drawdown" => -own::average_drawdown(r, compounding),
        "ulcer_index" => own::ulcer_index(r, compounding),
        _ => return None,
    })
}
