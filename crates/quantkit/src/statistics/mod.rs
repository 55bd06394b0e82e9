//! What a path of values or a series of returns says. Everything a definition may differ in is an argument.
//!
//! Returns are simple, a period each, oldest first. A figure that the data do not define (too few rows, no variation) is
//! NaN, never zero.

mod drawdown;
mod inference;
mod moments;
pub mod normal;
mod performance;
mod ratios;
mod relative;
mod tail;

pub use drawdown::{
    Compounding, average_drawdown, drawdown_series, longest_drawdown, max_drawdown, ulcer_index,
};
pub use inference::{
    SharpeError, autocorrelation, expected_max_sharpe, min_track_record, probabilistic_sharpe,
    sharpe_autocorrelation_adjusted, sharpe_standard_error,
};
pub use moments::{
    Bias, central_moment, excess_kurtosis, gini_mean_difference, lower_partial_moment, mean,
    mean_absolute_deviation, semi_deviation, skewness, standard_deviation, variance,
};
pub use performance::{Performance, SESSIONS_PER_YEAR, drawdowns};
pub use ratios::{
    calmar, compound_annual_growth, cumulative, downside_deviation, gain_to_pain, growth_optimal_fraction,
    hit_rate, omega, payoff, recovery_factor, sharpe, sortino, stability, tail_ratio, total_return,
    ulcer_performance_index, volatility,
};
pub use relative::{Regression, active, capture, information_ratio, modigliani, regression, treynor};
pub use tail::{
    OrderStatistic, conditional_value_at_risk, cornish_fisher_value_at_risk, entropic_risk,
    entropic_value_at_risk, gaussian_conditional_value_at_risk, gaussian_value_at_risk, quantile, tail_mean,
    value_at_risk,
};
