//! European options on an asset with a continuous dividend yield (Black & Scholes 1973, Merton 1973).

use crate::statistics::normal::{cumulative_probability, density};
use thiserror::Error;

/// What the holder may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// Buy at the strike.
    Call,
    /// Sell at the strike.
    Put,
}

/// A European option and its market.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct European {
    /// Price of the underlying, above 0.
    pub spot: f64,
    /// Above 0.
    pub strike: f64,
    /// Years to expiry, above 0.
    pub years: f64,
    /// Continuous interest rate a year.
    pub rate: f64,
    /// Continuous dividend yield a year.
    pub dividend_yield: f64,
    /// Call or put.
    pub kind: OptionKind,
}

/// Price and its derivatives, in the units of the arguments: theta a year, vega and rho for a change of 1.00.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Greeks {
    /// Price.
    pub price: f64,
    /// By the spot.
    pub delta: f64,
    /// Twice by the spot.
    pub gamma: f64,
    /// By the volatility.
    pub vega: f64,
    /// By the passing of time.
    pub theta: f64,
    /// By the rate.
    pub rho: f64,
    /// By spot and volatility.
    pub vanna: f64,
    /// Twice by the volatility.
    pub volga: f64,
}

/// Why there is no figure.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum OptionError {
    /// A number outside of what the model knows.
    #[error("{field} is {value}; it must be a finite number above 0")]
    NotPositive {
        /// Which one.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// A rate that is not a number.
    #[error("{field} is {value}; it must be finite")]
    NotFinite {
        /// Which one.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// No volatility gives this price.
    #[error("price is {price}; without arbitrage it is above {low} and below {high}")]
    Arbitrage {
        /// The price.
        price: f64,
        /// Price at volatility 0.
        low: f64,
        /// Price at infinite volatility.
        high: f64,
    },
}

impl European {
    fn check(&self) -> Result<(), OptionError> {
        for (field, value) in [("spot", self.spot), ("strike", self.strike), ("years", self.years)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(OptionError::NotPositive { field, value });
            }
        }
        for (field, value) in [("rate", self.rate), ("dividend_yield", self.dividend_yield)] {
            if !value.is_finite() {
                return Err(OptionError::NotFinite { field, value });
            }
        }
        Ok(())
    }

    /// Spot and strike as of today: without dividends to come, and discounted.
    fn present(&self) -> (f64, f64) {
        let spot = self.spot * (-self.dividend_yield * self.years).exp();
        (spot, self.strike * (-self.rate * self.years).exp())
    }

    /// Price and greeks at `volatility` a year.
    ///
    /// # Errors
    /// A number that is not positive or not finite.
    pub fn black_scholes(&self, volatility: f64) -> Result<Greeks, OptionError> {
        self.check()?;
        if !(volatility.is_finite() && volatility > 0.0) {
            return Err(OptionError::NotPositive { field: "volatility", value: volatility });
        }
        let sign = match self.kind {
            OptionKind::Call => 1.0,
            OptionKind::Put => -1.0,
        };
        let (spot, strike) = self.present();
        let root = self.years.sqrt();
        let deviation = volatility * root;
        let d1 = (spot / strike).ln() / deviation + deviation / 2.0;
        let d2 = d1 - deviation;
        let (inside, exercised) = (cumulative_probability(sign * d1), cumulative_probability(sign * d2));
        let vega = spot * density(d1) * root;
        let carry = sign * (self.dividend_yield * spot * inside - self.rate * strike * exercised);
        Ok(Greeks {
            price: (sign * (spot * inside - strike * exercised)).max(0.0),
            delta: sign * (spot / self.spot) * inside,
            gamma: spot / self.spot * density(d1) / (self.spot * deviation),
            vega,
            theta: carry - vega * volatility / (2.0 * self.years),
            rho: sign * strike * self.years * exercised,
            vanna: -vega * d2 / (self.spot * deviation),
            volga: vega * d1 * d2 / volatility,
        })
    }

    /// The volatility at which the model has this price: Newton's steps within a bracket that only shrinks.
    ///
    /// # Errors
    /// A number that is not positive or not finite, or a price that no volatility gives.
    pub fn implied_volatility(&self, price: f64) -> Result<f64, OptionError> {
        self.check()?;
        let (spot, strike) = self.present();
        let (low, high) = match self.kind {
            OptionKind::Call => ((spot - strike).max(0.0), spot),
            OptionKind::Put => ((strike - spot).max(0.0), strike),
        };
        if !(price > low && price < high) {
            return Err(OptionError::Arbitrage { price, low, high });
        }
        // The side out of the money has the same time value and no intrinsic part that would swallow its digits.
        let kind = if spot < strike { OptionKind::Call } else { OptionKind::Put };
        let (option, wanted) = (Self { kind, ..*self }, price - low);
        let (mut below, mut above) = (0.0_f64, 1.0 / self.years.sqrt());
        while option.black_scholes(above)?.price < wanted && above < 1e6 {
            (below, above) = (above, above * 2.0);
        }
        // Where the price bends from convex to concave (Manaster & Koehler 1982).
        let bend = (2.0 * (spot / strike).ln().abs() / self.years).sqrt();
        let mut volatility = if bend > below && bend < above { bend } else { f64::midpoint(below, above) };
        for _ in 0..200 {
            let at = option.black_scholes(volatility)?;
            if at.price < wanted {
                below = volatility;
            } else {
                above = volatility;
            }
            // In logarithms, for far out of the money the price spans hundreds of powers of ten.
            let step = (at.price / wanted).ln() * at.price / at.vega;
            let newton = volatility - step;
            let next = if newton > below && newton < above { newton } else { f64::midpoint(below, above) };
            if (next - volatility).abs() <= 1e-15 * volatility {
                return Ok(next);
            }
            volatility = next;
        }
        Ok(volatility)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(strike: f64, days: f64, kind: OptionKind) -> European {
        European { spot: 580.0, strike, years: days / 365.0, rate: 0.045, dividend_yield: 0.0, kind }
    }

    #[test]
    fn reference_prices() {
        for (strike, days, price, delta) in
            [(551.0, 90.0, 3.9421, -0.1756), (522.0, 180.0, 2.4472, -0.0891), (580.0, 90.0, 12.9970, -0.4229)]
        {
            let found = option(strike, days, OptionKind::Put).black_scholes(0.14).unwrap();
            assert!((found.price - price).abs() < 1e-4 && (found.delta - delta).abs() < 1e-4, "{found:?}");
        }
    }

    #[test]
    fn parity_slopes_and_the_way_back() {
        for strike in [300.0, 500.0, 580.0, 650.0, 900.0] {
            for volatility in [0.05, 0.14, 0.6, 2.0] {
                let call = European { dividend_yield: 0.02, ..option(strike, 200.0, OptionKind::Call) };
                let put = European { kind: OptionKind::Put, ..call };
                let price = |option: European| option.black_scholes(volatility).unwrap();
                let (at_call, at_put) = (price(call), price(put));
                let (spot, discounted) = call.present();
                assert!((at_call.price - at_put.price - spot + discounted).abs() < 1e-10);
                for (option, at) in [(call, at_call), (put, at_put)] {
                    let h = 1e-4;
                    let moved = |change: &dyn Fn(&mut European, f64)| {
                        let (mut up, mut down) = (option, option);
                        change(&mut up, h);
                        change(&mut down, -h);
                        (price(up).price - price(down).price) / (2.0 * h)
                    };
                    assert!((moved(&|option, h| option.spot += h) - at.delta).abs() < 1e-5);
                    assert!((moved(&|option, h| option.rate += h) - at.rho).abs() < 1e-2);
                    assert!((moved(&|option, h| option.years -= h) - at.theta).abs() < 1e-2);
                    if at_put.price.min(at_call.price) > 1e-3 {
                        let found = option.implied_volatility(at.price).unwrap();
                        assert!((found - volatility).abs() < 1e-8, "{found} for {volatility}");
                    }
                }
            }
        }
    }

    #[test]
    fn prices_with_arbitrage_are_refused() {
        let call = option(500.0, 90.0, OptionKind::Call);
        assert!(matches!(call.implied_volatility(580.0), Err(OptionError::Arbitrage { .. })));
        assert!(matches!(call.implied_volatility(80.0), Err(OptionError::Arbitrage { .. })));
        assert!(matches!(call.implied_volatility(f64::NAN), Err(OptionError::Arbitrage { .. })));
        let problem = call.black_scholes(0.0).unwrap_err().to_string();
        assert_eq!(problem, "volatility is 0; it must be a finite number above 0");
    }
}
