//! Of the 101 formulaic alphas (Kakushadze 2016), those that need no industries and that the shared vectors know.
//!
//! The paper leaves some things open. Here the volume-weighted price of a bar is (high + low + close) / 3, as a bar has no
//! other; `adv{d}` is the mean turnover (close × volume), and where the paper compares volume with it, turnover is
//! compared; a comparison with what is missing is missing; ranks are fractions with ties shared; the place of an extreme counts from 1, the oldest row.

use super::expression::Expression;
use super::words::{
    E, close, correlation, covariance, delay, delta, high, low, maximum, mean, minimum, open, rank, returns,
    std, sum, turnover, volume,
};
use crate::operators::{CrossSection, Rolling};

fn vwap() -> E {
    (high() + low() + close()) / 3.0
}
fn adv(days: usize) -> E {
    mean(turnover(), days)
}
fn ts_rank(x: E, window: usize) -> E {
    x.rolling(Rolling::TimeRank(window))
}
fn ts_argmax(x: E, window: usize) -> E {
    x.rolling(Rolling::PlaceOfMaximum(window))
}
fn scale(x: E) -> E {
    x.across(CrossSection::Scale { to: 1.0 })
}
/// Alphas 9 and 10: follow a run of changes, else go against the change.
fn run_of_changes(rows: usize) -> E {
    let change = || delta(close(), 1);
    let falling = maximum(change(), rows).below(0.0);
    let run = minimum(change(), rows);
    run.clone().above(0.0).choose(change(), falling.choose(change(), -change())).where_there(run)
}
/// Alphas 46, 49 and 51: how the slope of ten days differs from that of the ten before.
fn bend() -> E {
    (delay(close(), 20) - delay(close(), 10)) / 10.0 - (delay(close(), 10) - close()) / 10.0
}

/// Numbers of the paper and expressions.
#[rustfmt::skip]
fn first() -> Vec<(u32, Expression)> {
    let log_volume = || volume().ln();
    vec![
        (1, rank(ts_argmax(returns().below(0.0).choose(std(returns(), 20), close()).square(), 5)) - 0.5),
        (2, -correlation(rank(delta(log_volume(), 2)), rank((close() - open()) / open()), 6)),
        (3, -correlation(rank(open()), rank(volume()), 10)),
        (4, -ts_rank(rank(low()), 9)),
        (5, rank(open() - sum(vwap(), 10) / 10.0) * -rank(close() - vwap()).abs()),
        (6, -correlation(open(), volume(), 10)),
        (7, adv(20).below(turnover()).choose(-ts_rank(delta(close(), 7).abs(), 60) * delta(close(), 7).sign(), -1.0)
            .where_there(adv(20))),
        (8, { let product = || sum(open(), 5) * sum(returns(), 5); -rank(product() - delay(product(), 10)) }),
        (9, run_of_changes(5)),
        (10, rank(run_of_changes(4))),
        (11, (rank(maximum(vwap() - close(), 3)) + rank(minimum(vwap() - close(), 3))) * rank(delta(volume(), 3))),
        (12, delta(volume(), 1).sign() * -delta(close(), 1)),
        (13, -rank(covariance(rank(close()), rank(volume()), 5))),
        (14, -rank(delta(returns(), 3)) * correlation(open(), volume(), 10)),
        (15, -sum(rank(correlation(rank(high()), rank(volume()), 3)), 3)),
        (16, -rank(covariance(rank(high()), rank(volume()), 5))),
        (17, -rank(ts_rank(close(), 10)) * rank(delta(delta(close(), 1), 1)) * rank(ts_rank(turnover() / adv(20), 5))),
        (18, -rank(std((close() - open()).abs(), 5) + (close() - open()) + correlation(close(), open(), 10))),
        (19, -((close() - delay(close(), 7)) + delta(close(), 7)).sign() * (rank(sum(returns(), 250) + 1.0) + 1.0)),
        (20, -rank(open() - delay(high(), 1)) * rank(open() - delay(close(), 1)) * rank(open() - delay(low(), 1))),
        (22, -(delta(correlation(high(), volume(), 5), 5) * rank(std(close(), 20)))),
        (23, mean(high(), 20).below(high()).choose(-delta(high(), 2), 0.0).where_there(mean(high(), 20))),
        (24, (delta(mean(close(), 100), 100) / delay(close(), 100)).at_most(0.05)
            .choose(-(close() - minimum(close(), 100)), -delta(close(), 3))
            .where_there(delta(mean(close(), 100), 100))),
        (25, rank(-returns() * adv(20) * vwap() * (high() - close()))),
        (26, -maximum(correlation(ts_rank(volume(), 5), ts_rank(high(), 5), 5), 3)),
        (28, scale(correlation(adv(20), low(), 5) + (high() + low()) / 2.0 - close())),
    ]
}

#[rustfmt::skip]
fn second() -> Vec<(u32, Expression)> {
    let yesterday = || delay(close(), 1);
    let sign = |rows: usize| (delay(close(), rows) - delay(close(), rows + 1)).sign();
    vec![
        (30, (1.0 - rank(sign(0) + sign(1) + sign(2))) * sum(volume(), 5) / sum(volume(), 20)),
        (33, rank(-(1.0 - open() / close()))),
        (34, rank((1.0 - rank(std(returns(), 2) / std(returns(), 5))) + (1.0 - rank(delta(close(), 1))))),
        (35, ts_rank(volume(), 32) * (1.0 - ts_rank(close() + high() - low(), 16)) * (1.0 - ts_rank(returns(), 32))),
        (37, rank(correlation(delay(open() - close(), 1), close(), 200)) + rank(open() - close())),
        (38, -rank(ts_rank(close(), 10)) * rank(close() / open())),
        (40, -rank(std(high(), 10)) * correlation(high(), volume(), 10)),
        (41, (high() * low()).sqrt() - vwap()),
        (42, rank(vwap() - close()) / rank(vwap() + close())),
        (43, ts_rank(turnover() / adv(20), 20) * ts_rank(-delta(close(), 7), 8)),
        (44, -correlation(high(), rank(volume()), 5)),
        (45, -(rank(sum(delay(close(), 5), 20) / 20.0) * correlation(close(), volume(), 2)
            * rank(correlation(sum(close(), 5), sum(close(), 20), 2)))),
        (46, bend().above(0.25).choose(-1.0, bend().below(0.0).choose(1.0, -(close() - yesterday())))
            .where_there(bend())),
        (49, bend().below(-0.1).choose(1.0, -(close() - yesterday())).where_there(bend())),
        (50, -maximum(rank(correlation(rank(volume()), rank(vwap()), 5)), 5)),
        (51, bend().below(-0.05).choose(1.0, -(close() - yesterday())).where_there(bend())),
        (52, (delay(minimum(low(), 5), 5) - minimum(low(), 5))
            * rank((sum(returns(), 240) - sum(returns(), 20)) / 220.0) * ts_rank(volume(), 5)),
        (53, -delta(((close() - low()) - (high() - close())) / (close() - low()), 9)),
        (54, -((low() - close()) * open().pow(5.0)) / ((low() - high()) * close().pow(5.0))),
        (55, -correlation(rank((close() - minimum(low(), 12)) / (maximum(high(), 12) - minimum(low(), 12))), rank(volume()), 6)),
        (60, -(2.0 * scale(rank(((close() - low()) - (high() - close())) / (high() - low()) * volume()))
            - scale(rank(ts_argmax(close(), 10))))),
        (83, { let range = || (high() - low()) / mean(close(), 5);
            rank(delay(range(), 2)) * rank(rank(volume())) / (range() / (vwap() - close())).finite() }),
        (101, (close() - open()) / (high() - low() + 0.001)),
    ]
}

/// Names (`f_alpha101_012` for alpha 12) and expressions.
pub(super) fn all() -> Vec<(String, Expression)> {
    let all = first().into_iter().chain(second());
    all.map(|(number, expression)| (format!("f_alpha101_{number:03}"), expression)).collect()
}
