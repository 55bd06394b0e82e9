//! What a fill costs that is booked into a portfolio, and what the portfolio is worth: the work of ml4t-live's benchmarks of its
//! `VirtualPortfolio`.

use crate::{Fallible, per_second};
use mts_foundation::{Currency, Decimal, Fill, Side, Timestamp};
use mts_portfolio::VirtualPortfolio;
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Fills of one measurement.
const FILLS: u32 = 50_000;

/// Instruments, as in the peer's benchmark.
const INSTRUMENTS: u32 = 50;

/// Valuations of one measurement.
const VALUES: u32 = 20_000;

/// The best of so many counts.
const ROUNDS: usize = 15;

/// Fills and valuations a second.
pub(crate) struct Booked {
    fills: f64,
    values: f64,
}

fn fill(number: u32) -> Fallible<Fill> {
    let side = if (number / INSTRUMENTS).is_multiple_of(3) { Side::Sell } else { Side::Buy };
    let (quantity, price) = (Decimal::from(10 + number % 7), Decimal::from(100 + number % 13));
    let (id, symbol) = (number.to_string(), format!("S{}", number % INSTRUMENTS));
    Ok(Fill::new(&id, &id, &symbol, side, quantity, price, Timestamp::EPOCH)?)
}

fn portfolio() -> VirtualPortfolio {
    VirtualPortfolio::new(Currency::USD, Decimal::from(1_000_000_000))
}

impl Booked {
    pub(crate) fn measure() -> Fallible<Self> {
        let fills: Vec<Fill> = (0..FILLS).map(fill).collect::<Fallible<_>>()?;
        let of_fills = best(FILLS, || {
            let mut portfolio = portfolio();
            let began = Instant::now();
            for fill in &fills {
                portfolio.process_fill(fill)?;
            }
            let took = began.elapsed();
            // Whatever was bought and sold, what it is worth came out of the cash.
            Ok((took, portfolio.positions().count() == INSTRUMENTS as usize))
        })?;
        let mut held = portfolio();
        for number in INSTRUMENTS..2 * INSTRUMENTS {
            held.process_fill(&fill(number)?)?;
        }
        let values = best(VALUES, || {
            let began = Instant::now();
            let mut last = Decimal::ZERO;
            for _ in 0..VALUES {
                last = black_box(&held).account_value()?;
            }
            Ok((began.elapsed(), last == Decimal::from(1_000_000_000)))
        })?;
        Ok(Self { fills: of_fills, values })
    }

    pub(crate) fn json(&self) -> Value {
        json!([
            { "kind": "fills", "events": FILLS, "events_per_second": self.fills },
            { "kind": "values", "events": VALUES, "events_per_second": self.values },
        ])
    }

    pub(crate) fn tell(&self) {
        println!(
            "virtual portfolio of {INSTRUMENTS} instruments: {:.0} fills/s, {:.0} valuations/s",
            self.fills, self.values
        );
    }
}

/// The best rate of all rounds, each of which says how long it took and whether it came to what it must.
fn best(work: u32, round: impl Fn() -> Fallible<(Duration, bool)>) -> Fallible<f64> {
    let mut best = 0_f64;
    for _ in 0..ROUNDS {
        let (took, right) = round()?;
        if !right {
            return Err("the portfolio came to something else than it must".into());
        }
        best = best.max(per_second(u64::from(work), took));
    }
    Ok(best)
}
