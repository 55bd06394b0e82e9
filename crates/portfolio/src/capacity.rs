//! How much money a position, and a fund, can hold before its own trading moves the market.

use mts_foundation::sizing::ComputeError;
use mts_foundation::{Decimal, Symbol};

const NAME: &str = "capacity";

/// What trades of an instrument on an average day.
#[derive(Debug, Clone, PartialEq)]
pub struct Liquidity {
    /// The instrument.
    pub symbol: Symbol,
    /// Value traded on an average day, in the fund's currency: units times price.
    pub average_daily_value: Decimal,
}

/// The share of a day's trading that a position may be, and how long building it may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CapacityRule {
    fraction_of_adv: Decimal,
    days: u32,
}

impl Default for CapacityRule {
    /// One per cent of an average day, in one day.
    fn default() -> Self {
        Self { fraction_of_adv: Decimal::new(1, 2), days: 1 }
    }
}

impl CapacityRule {
    /// A rule: this share of an average day's trading (0.01 = 1 %), on so many days.
    ///
    /// # Errors
    /// [`ComputeError`] unless 0 < fraction ≤ 1 and there is a day.
    pub fn new(fraction_of_adv: Decimal, days: u32) -> Result<Self, ComputeError> {
        if fraction_of_adv <= Decimal::ZERO || fraction_of_adv > Decimal::ONE {
            let message = format!("fraction_of_adv is {fraction_of_adv}; it must be above 0 and at most 1");
            return Err(ComputeError::new(NAME, message));
        }
        if days == 0 {
            return Err(ComputeError::new(NAME, "days is 0; it must be at least 1"));
        }
        Ok(Self { fraction_of_adv, days })
    }

    /// Largest value of a position in the instrument.
    ///
    /// # Errors
    /// [`ComputeError`] beyond the range of decimals.
    pub fn position_capacity(&self, liquidity: &Liquidity) -> Result<Decimal, ComputeError> {
        let daily = liquidity.average_daily_value.max(Decimal::ZERO);
        let capacity = daily
            .checked_mul(self.fraction_of_adv)
            .and_then(|value| value.checked_mul(Decimal::from(self.days)));
        capacity.ok_or_else(|| out_of_range(&liquidity.symbol))
    }

    /// Largest weight of the instrument in a fund of this value; at least 0, and above 1 where the fund is small.
    ///
    /// # Errors
    /// [`ComputeError`] unless the value is above zero.
    pub fn position_weight(&self, liquidity: &Liquidity, nav: Decimal) -> Result<Decimal, ComputeError> {
        if nav <= Decimal::ZERO {
            return Err(ComputeError::new(
                NAME,
                format!("the fund is worth {nav}; it must be worth something"),
            ));
        }
        let capacity = self.position_capacity(liquidity)?;
        capacity.checked_div(nav).ok_or_else(|| out_of_range(&liquidity.symbol))
    }

    /// The value of a fund at which the first of its positions reaches its capacity, and which one that is: the smallest of
    /// capacity ÷ |weight|. `None` where no weight is set.
    ///
    /// # Errors
    /// [`ComputeError`] for a weight of an instrument whose trading is not known.
    pub fn fund_capacity(
        &self,
        weights: &[(Symbol, Decimal)],
        liquidity: &[Liquidity],
    ) -> Result<Option<(Decimal, Symbol)>, ComputeError> {
        let mut tightest: Option<(Decimal, Symbol)> = None;
        for (symbol, weight) in weights.iter().filter(|(_, weight)| !weight.is_zero()) {
            let known = liquidity.iter().find(|known| known.symbol == *symbol).ok_or_else(|| {
                let message = format!("what {symbol} trades a day is not known; add its average daily value");
                ComputeError::new(NAME, message)
            })?;
            let capacity = self.position_capacity(known)?;
            // A weight too small to divide by limits nothing.
            let Some(limit) = capacity.checked_div(weight.abs()) else { continue };
            if tightest.as_ref().is_none_or(|(smallest, _)| limit < *smallest) {
                tightest = Some((limit, symbol.clone()));
            }
        }
        Ok(tightest)
    }
}

fn out_of_range(symbol: &Symbol) -> ComputeError {
    ComputeError::new(NAME, format!("the capacity of {symbol} leaves the range of decimals"))
}

/// Average value traded on a day, of the last `lookback_days` of closes and volumes, oldest first.
///
/// # Errors
/// [`ComputeError`] for fewer days, for none, and beyond the range of decimals.
pub fn average_daily_value(
    symbol: &Symbol,
    days: &[(Decimal, Decimal)],
    lookback_days: usize,
) -> Result<Liquidity, ComputeError> {
    let first = days.len().checked_sub(lookback_days).filter(|_| lookback_days > 0).ok_or_else(|| {
        let message = format!(
            "{symbol} has {} days where adv_lookback_days is {lookback_days}; start the data earlier or look back less",
            days.len()
        );
        ComputeError::new(NAME, message)
    })?;
    let values = days.get(first..).unwrap_or_default().iter();
    let total = values
        .map(|(close, volume)| close.checked_mul(*volume))
        .try_fold(Decimal::ZERO, |total, value| total.checked_add(value?))
        .and_then(|total| total.checked_div(Decimal::from(lookback_days)));
    let average_daily_value = total.ok_or_else(|| out_of_range(symbol))?;
    Ok(Liquidity { symbol: symbol.clone(), average_daily_value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn symbol(name: &str) -> Symbol {
        Symbol::new(name).unwrap()
    }

    #[test]
    fn a_position_is_a_share_of_an_average_day() {
        let days: Vec<_> = (1..=30).map(|day| (d("10"), Decimal::from(day * 1_000))).collect();
        let liquidity = average_daily_value(&symbol("A"), &days, 21).unwrap();
        // The mean of days 10 to 30 is 20.
        assert_eq!(liquidity.average_daily_value, d("200000"));
        let rule = CapacityRule::default();
        assert_eq!(rule.position_capacity(&liquidity).unwrap(), d("2000"));
        assert_eq!(rule.position_weight(&liquidity, d("40000")).unwrap(), d("0.05"));
        let slow = CapacityRule::new(d("0.05"), 3).unwrap();
        assert_eq!(slow.position_capacity(&liquidity).unwrap(), d("30000"));
        for (wrong, word) in [
            (CapacityRule::new(d("0"), 1).unwrap_err(), "fraction_of_adv is 0"),
            (CapacityRule::new(d("0.1"), 0).unwrap_err(), "days is 0"),
            (
                average_daily_value(&symbol("A"), &days, 31).unwrap_err(),
                "30 days where adv_lookback_days is 31",
            ),
            (rule.position_weight(&liquidity, d("0")).unwrap_err(), "worth something"),
        ] {
            assert!(wrong.message.contains(word), "{wrong}");
        }
    }

    #[test]
    fn a_fund_is_as_large_as_its_tightest_position() {
        let liquidity = [("A", "1000000"), ("B", "50000")]
            .map(|(name, value)| Liquidity { symbol: symbol(name), average_daily_value: d(value) });
        let weights = [(symbol("A"), d("0.8")), (symbol("B"), d("-0.1")), (symbol("C"), d("0"))];
        let rule = CapacityRule::default();
        // A: 10,000 / 0.8 = 12,500; B: 500 / 0.1 = 5,000.
        assert_eq!(rule.fund_capacity(&weights, &liquidity).unwrap(), Some((d("5000"), symbol("B"))));
        assert_eq!(rule.fund_capacity(&[], &liquidity).unwrap(), None);
        let error = rule.fund_capacity(&[(symbol("C"), d("0.1"))], &liquidity).unwrap_err();
        assert!(error.message.contains("what C trades a day is not known"), "{error}");
    }
}
