//! Scores three instruments by momentum, ranks them, and measures a path of values.

#![allow(clippy::print_stdout, reason = "an example prints")]

use mts_foundation::sizing::Factor;
use mts_foundation::{Symbol, Timestamp, UniversePanel};
use mts_quantkit::cross_section::ranks_descending;
use mts_quantkit::statistics::SESSIONS_PER_YEAR;
use mts_quantkit::{Momentum, Performance};
use ndarray::Array2;
use std::error::Error;

/// Growth of each instrument a session.
const DRIFTS: [(&str, f64); 3] = [("SLOW", 0.0002), ("FAST", 0.0012), ("FALLING", -0.0005)];

fn main() -> Result<(), Box<dyn Error>> {
    // A panel has one row a session and one column an instrument; missing prices are NaN.
    let rows = 300_u16;
    let symbols = DRIFTS.iter().map(|(name, _)| Symbol::new(name)).collect::<Result<Vec<_>, _>>()?;
    let dates = (0..rows).map(|row| Timestamp::from_millis(i64::from(row) * 86_400_000)).collect();
    let close = Array2::from_shape_fn((rows.into(), DRIFTS.len()), |(row, column)| {
        let drift = DRIFTS.get(column).map_or(0.0, |(_, drift)| *drift);
        100.0 * (1.0 + drift).powf(row as f64)
    });
    let panel = UniversePanel::of_closes(dates, symbols, close)?;

    let momentum = Momentum::default();
    let scores = momentum.latest(&panel)?;
    println!("{} of {} sessions, {} needed", momentum.name(), panel.shape().0, momentum.warm_up());
    for ((symbol, score), rank) in panel.symbols().iter().zip(&scores).zip(ranks_descending(&scores)) {
        println!("  {symbol:8} score {score:+.3}  rank {}", rank.unwrap_or_default());
    }

    // Two years of steady gains with one bad week.
    let mut value = 1_000.0;
    let values: Vec<f64> = (0..504)
        .map(|session| {
            value *= if (250..255).contains(&session) { 0.98 } else { 1.0 + 0.0008 * f64::from(session % 3) };
            value
        })
        .collect();
    let figures = Performance::of_values(&values, SESSIONS_PER_YEAR).ok_or("no figures without values")?;
    println!(
        "a year {:.1} %, volatility {:.1} %, sharpe {:.2}, deepest fall {:.1} %",
        figures.annual_return * 100.0,
        figures.annual_volatility * 100.0,
        figures.sharpe,
        figures.max_drawdown * 100.0
    );
    Ok(())
}
