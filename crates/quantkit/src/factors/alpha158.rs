//! Columns of Qlib's Alpha158 (Yang et al. 2020; Microsoft, MIT), each over 5, 20 and 60 rows. Windows are full: Qlib itself
//! gives a value from the first row on, of whatever rows there are.

use super::expression::Expression;
use super::words::{
    E, close, correlation, delay, delta, high, low, maximum, mean, minimum, std, sum, trend, volume,
};
use crate::operators::{Line, Rolling};

/// Against division by zero, as in the source.
const TINY: f64 = 1e-12;

fn column(kind: &str, window: usize) -> Option<E> {
    let rows = window as f64;
    let change = || delta(close(), 1);
    let rose = || change().above(0.0).choose(change(), change().least(0.0) * 0.0);
    Some(match kind {
        "ROC" => delay(close(), window) / close(),
        "MA" => mean(close(), window) / close(),
        "STD" => std(close(), window) / close(),
        "MAX" => maximum(high(), window) / close(),
        "MIN" => minimum(low(), window) / close(),
        "QTLU" => close().rolling(Rolling::Quantile { window, quantile: 0.8 }) / close(),
        "QTLD" => close().rolling(Rolling::Quantile { window, quantile: 0.2 }) / close(),
        "RANK" => close().rolling(Rolling::TimeRank(window)),
        "RSV" => {
            let least = minimum(low(), window);
            (close() - least.clone()) / (maximum(high(), window) - least + TINY)
        }
        "IMAX" => high().rolling(Rolling::PlaceOfMaximum(window)) / rows,
        "IMIN" => low().rolling(Rolling::PlaceOfMinimum(window)) / rows,
        "CORR" => correlation(close(), (volume() + 1.0).ln(), window),
        "CORD" => {
            correlation(close() / delay(close(), 1), (volume() / delay(volume(), 1) + 1.0).ln(), window)
        }
        "CNTP" => mean(close().above(delay(close(), 1)), window),
        "SUMP" => sum(rose(), window) / (sum(change().abs(), window) + TINY),
        "VMA" => mean(volume(), window) / (volume() + TINY),
        "WVMA" => {
            let weighted = || (close() / delay(close(), 1) - 1.0).abs() * volume();
            std(weighted(), window) / (mean(weighted(), window) + TINY)
        }
        "BETA" => trend(close(), window, Line::Slope) / close(),
        "RSQR" => trend(close(), window, Line::Fit),
        "RESI" => trend(close(), window, Line::Residual) / close(),
        _ => return None,
    })
}

const KINDS: [&str; 20] = [
    "ROC", "MA", "STD", "MAX", "MIN", "QTLU", "QTLD", "RANK", "RSV", "IMAX", "IMIN", "CORR", "CORD", "CNTP",
    "SUMP", "VMA", "WVMA", "BETA", "RSQR", "RESI",
];

/// Names (`f_alpha158_roc5` for Qlib's `ROC5`) and expressions.
pub(super) fn all() -> Vec<(String, Expression)> {
    let mut all = Vec::new();
    for window in [5, 20, 60] {
        for kind in KINDS {
            if let Some(expression) = column(kind, window) {
                all.push((format!("f_alpha158_{}{window}", kind.to_lowercase()), expression));
            }
        }
    }
    all
}
