//! The classic families: momentum, reversal, volatility, beta, liquidity, range, trend. Returns are of closes; a year has 252
//! rows; the market is the mean of all assets of the panel.

use super::expression::Expression;
use super::words::{
    E, close, correlation, covariance, delay, high, log_returns, low, market, maximum, mean, open,
    population_std, returns, std, sum, trend, turnover, variance, volume,
};
use crate::operators::{Line, Rolling};

const YEAR: f64 = 252.0;

fn annual(variance: E) -> E {
    (variance * YEAR).sqrt()
}

/// The return over `long` rows that ended 21 rows ago.
fn momentum(long: usize) -> E {
    delay(close(), 21) / delay(close(), long + 21) - 1.0
}

fn reversal(rows: usize) -> E {
    -(close() / delay(close(), rows) - 1.0)
}

fn overnight() -> E {
    (open() / delay(close(), 1)).ln()
}

fn intraday() -> E {
    (close() / open()).ln()
}

/// Slope of an asset's returns on the market's.
fn beta(window: usize) -> E {
    covariance(returns(), market(returns()), window) / variance(market(returns()), window)
}

/// What the market leaves of the variance of a sample.
fn idiosyncratic(window: usize) -> E {
    let explained = beta(window).square() * variance(market(returns()), window);
    annual((variance(returns(), window) - explained).greatest(0.0))
}

/// Parkinson 1980.
fn parkinson(window: usize) -> E {
    annual(mean((high() / low()).ln().square(), window) / (4.0 * 2.0_f64.ln()))
}

/// Garman & Klass 1980.
fn garman_klass(window: usize) -> E {
    let range = 0.5 * (high() / low()).ln().square();
    annual(mean(range - (2.0 * 2.0_f64.ln() - 1.0) * intraday().square(), window))
}

/// The mean of Rogers & Satchell's (1991) variances, which knows a drift.
fn rogers_satchell(window: usize) -> E {
    let up = (high() / close()).ln() * (high() / open()).ln();
    mean(up + (low() / close()).ln() * (low() / open()).ln(), window)
}

/// Yang & Zhang 2000.
fn yang_zhang(window: usize) -> E {
    let rows = window as f64;
    let share = 0.34 / (1.34 + (rows + 1.0) / (rows - 1.0));
    let open_and_close = variance(overnight(), window) + share * variance(intraday(), window);
    annual(open_and_close + (1.0 - share) * rogers_satchell(window))
}

/// The share of days that fell less the share that rose, by the sign of the return (Da, Gurun & Warachka 2014).
fn information_discreteness(window: usize) -> E {
    let there = returns();
    let fell = mean(there.clone().below(0.0).where_there(there.clone()), window);
    let rose = mean(there.clone().above(0.0).where_there(there), window);
    (close() / delay(close(), window) - 1.0).sign() * (fell - rose)
}

/// Names and expressions, in the order of the shared vectors. `f_momentum_12_1` has parameters and is elsewhere.
pub(super) fn all() -> Vec<(&'static str, Expression)> {
    let skew = Rolling::Skew { window: 63, unbiased: true };
    let kurtosis = Rolling::Kurtosis { window: 63, unbiased: true };
    let volume_change = volume() / delay(volume(), 1) - 1.0;
    vec![
        ("f_momentum_6_1", momentum(126)),
        ("f_reversal_5", reversal(5)),
        ("f_reversal_21", reversal(21)),
        ("f_realized_vol_21", population_std(log_returns(), 21) * YEAR.sqrt()),
        ("f_downside_vol_63", annual(mean(log_returns().least(0.0).square(), 63))),
        ("f_beta_126", beta(126)),
        ("f_idio_vol_126", idiosyncratic(126)),
        // Amihud 2002, for a million of turnover.
        ("f_amihud_21", mean(returns().abs() / turnover(), 21) * 1e6),
        // Bali, Cakici & Whitelaw 2011.
        ("f_max_ret_21", maximum(returns(), 21)),
        ("f_skew_63", returns().rolling(skew)),
        ("f_kurt_63", returns().rolling(kurtosis)),
        // George & Hwang 2004.
        ("f_high_52w", close() / maximum(high(), 252)),
        ("f_dollar_volume_21", mean(turnover(), 21).ln()),
        ("f_turnover_trend", mean(volume(), 5) / mean(volume(), 63)),
        ("f_parkinson_vol_21", parkinson(21)),
        ("f_garman_klass_vol_21", garman_klass(21)),
        ("f_rogers_satchell_vol_21", annual(rogers_satchell(21))),
        ("f_yang_zhang_vol_21", yang_zhang(21)),
        ("f_sma_gap_50", close() / mean(close(), 50) - 1.0),
        ("f_zscore_price_20", (close() - mean(close(), 20)) / population_std(close(), 20)),
        (
            "f_ewma_vol_094",
            annual(log_returns().square().rolling(Rolling::ExponentialMean { alpha: 0.06, adjust: true })),
        ),
        ("f_corr_mkt_63", correlation(returns(), market(returns()), 63)),
        ("f_autocorr1_63", correlation(returns(), delay(returns(), 1), 63)),
        ("f_vol_price_corr_21", correlation(returns(), volume_change, 21)),
        ("f_overnight_21", sum(overnight(), 21)),
        ("f_intraday_21", sum(intraday(), 21)),
        ("f_gap_vol_ratio", std(overnight(), 21) / std(intraday(), 21)),
        // Of the path that the returns of the window make: it needs the close before the first of them.
        ("f_trend_r2_63", trend(close().ln(), 63, Line::Fit).where_there(delay(close(), 63))),
        ("f_info_discreteness_252", information_discreteness(252)),
    ]
}
