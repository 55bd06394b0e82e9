//! How much was traded, and what trading and holding cost.

use super::{PerformanceError, Valuation, add, beyond, check_order, div, mul};
use mts_foundation::num::{exact, exact_option};
use mts_foundation::{CashFlow, CashKind, Decimal, Fill, Side};
use serde::{Deserialize, Serialize};

const DAYS_OF_A_YEAR: i64 = 365;
const BASIS_POINTS: i64 = 10_000;

/// Sums over the fills and movements of a period, in the fund's currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradedMoney {
    /// Value of what was bought, short positions bought back included; positive.
    #[serde(with = "exact")]
    pub bought: Decimal,
    /// Value of what was sold, also short; positive.
    #[serde(with = "exact")]
    pub sold: Decimal,
    /// Fees of fills and others; positive = cost.
    #[serde(with = "exact")]
    pub fees: Decimal,
    /// Cost of borrowing what was sold short; positive = cost.
    #[serde(with = "exact")]
    pub borrow: Decimal,
    /// Interest; positive = paid, negative = earned.
    #[serde(with = "exact")]
    pub interest: Decimal,
}

/// Turnover and costs of a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradingCosts {
    /// Bought and sold.
    #[serde(with = "exact")]
    pub traded: Decimal,
    /// Mean of the valuations.
    #[serde(with = "exact")]
    pub average_nav: Decimal,
    /// Calendar days between the first valuation and the last.
    pub days: i64,
    /// Traded / 2 / average NAV × 365 / days: 1 = the fund is bought anew once a year.
    #[serde(with = "exact")]
    pub turnover: Decimal,
    /// Fees, borrow and interest together.
    #[serde(with = "exact")]
    pub total: Decimal,
    /// The total in hundredths of a percent of what was traded; none when nothing was.
    #[serde(with = "exact_option")]
    pub bps_of_traded: Option<Decimal>,
    /// The total in hundredths of a percent of the average NAV, of this period and not a year.
    #[serde(with = "exact")]
    pub bps_of_nav: Decimal,
    /// The parts.
    pub parts: TradedMoney,
}

impl TradedMoney {
    /// Adds a fill. `worth` is what one unit of quantity × price is in the fund's currency: the instrument's multiplier, times
    /// the rate of its currency where that is another one. Fees are the fund's currency already (decision F2).
    ///
    /// # Errors
    /// [`PerformanceError::OutOfRange`]; nothing has changed then.
    pub fn add_fill(&mut self, fill: &Fill, worth: Decimal) -> Result<(), PerformanceError> {
        let value = mul(mul(fill.quantity, fill.price, "traded value")?, worth, "traded value")?;
        self.add(fill.side, value, fill.fees)
    }

    /// Adds what was traded, in the fund's currency.
    ///
    /// # Errors
    /// [`PerformanceError::OutOfRange`]; nothing has changed then.
    pub fn add(&mut self, side: Side, value: Decimal, fees: Decimal) -> Result<(), PerformanceError> {
        let fees = add(self.fees, fees, "fees")?;
        let traded = if side.sign() > 0 { &mut self.bought } else { &mut self.sold };
        *traded = add(*traded, value, "traded value")?;
        self.fees = fees;
        Ok(())
    }

    /// Adds a movement of cash in the fund's currency, if it is a cost; others are passed over.
    ///
    /// # Errors
    /// [`PerformanceError::OutOfRange`].
    pub fn add_movement(&mut self, movement: &CashFlow) -> Result<(), PerformanceError> {
        let part = match movement.kind {
            CashKind::Fee => &mut self.fees,
            CashKind::Borrow => &mut self.borrow,
            CashKind::Interest => &mut self.interest,
            CashKind::Deposit | CashKind::Withdrawal | CashKind::Dividend | CashKind::Other => return Ok(()),
        };
        *part = part.checked_sub(movement.amount).ok_or_else(|| beyond("costs"))?;
        Ok(())
    }

    /// What the sums are against the fund's valuations over the same period. (Form N-1A of the SEC divides the smaller of
    /// purchases and sales by the average value; half of both is the same but for the growth of the fund.)
    ///
    /// # Errors
    /// [`PerformanceError`]: fewer than two valuations, out of order, not above zero on average; out of range.
    pub fn costs(&self, valuations: &[Valuation]) -> Result<TradingCosts, PerformanceError> {
        let (first, last) = check_order(valuations)?;
        let navs = valuations.iter().try_fold(Decimal::ZERO, |sum, one| sum.checked_add(one.nav));
        let average_nav = div(navs.ok_or_else(|| beyond("NAV"))?, Decimal::from(valuations.len()), "NAV")?;
        let total = add(add(self.fees, self.borrow, "costs")?, self.interest, "costs")?;
        if average_nav <= Decimal::ZERO {
            return Err(PerformanceError::NoCapital { date: last.date, base: average_nav, profit: -total });
        }
        let days = (last.date - first.date).num_days();
        let traded = add(self.bought, self.sold, "traded value")?;
        let once = div(div(traded, Decimal::TWO, "turnover")?, average_nav, "turnover")?;
        let year = div(Decimal::from(DAYS_OF_A_YEAR), Decimal::from(days), "turnover")?;
        let points = |of: Decimal| {
            mul(
                div(total, of, "costs in basis points")?,
                Decimal::from(BASIS_POINTS),
                "costs in basis points",
            )
        };
        let bps_of_traded = if traded.is_zero() { None } else { Some(points(traded)?) };
        Ok(TradingCosts {
            traded,
            average_nav,
            days,
            turnover: mul(once, year, "turnover")?,
            total,
            bps_of_traded,
            bps_of_nav: points(average_nav)?,
            parts: self.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{d, worth};
    use super::*;
    use mts_foundation::{Currency, Side, Timestamp};

    fn fill(side: Side, quantity: &str, price: &str, fees: &str) -> Fill {
        let mut fill = Fill::new("f", "o", "A", side, d(quantity), d(price), Timestamp::EPOCH).unwrap();
        fill.fees = d(fees);
        fill
    }

    fn moved(kind: CashKind, amount: &str) -> CashFlow {
        let (id, currency, time) = ("m".into(), Currency::USD, Timestamp::EPOCH);
        CashFlow { id, kind, amount: d(amount), currency, symbol: None, time }
    }

    #[test]
    fn both_sides_count_half_and_costs_are_of_what_was_traded() {
        let mut sums = TradedMoney::default();
        for (side, fees) in [(Side::Buy, "5"), (Side::Sell, "5"), (Side::Short, "-1"), (Side::Cover, "1")] {
            sums.add_fill(&fill(side, "10", "50", fees), d("10")).unwrap();
        }
        for (kind, amount) in [
            (CashKind::Fee, "-2"),
            (CashKind::Borrow, "-3"),
            (CashKind::Interest, "-7"),
            (CashKind::Interest, "2"),
            (CashKind::Deposit, "1000"),
            (CashKind::Withdrawal, "-1000"),
            (CashKind::Dividend, "9"),
            (CashKind::Other, "-9"),
        ] {
            sums.add_movement(&moved(kind, amount)).unwrap();
        }
        let parts = [sums.bought, sums.sold, sums.fees, sums.borrow, sums.interest];
        assert_eq!(parts, ["10000", "10000", "12", "3", "5"].map(d));
        // 73 days are a fifth of a year.
        let found = sums.costs(&[worth("2026-01-01", "90000"), worth("2026-03-15", "110000")]).unwrap();
        assert_eq!((found.traded, found.average_nav, found.days), (d("20000"), d("100000"), 73));
        assert_eq!((found.turnover, found.total), (d("0.5"), d("20")));
        assert_eq!((found.bps_of_traded, found.bps_of_nav), (Some(d("10")), d("2")));
    }

    #[test]
    fn nothing_traded_has_no_cost_of_trading() {
        let costs =
            TradedMoney::default().costs(&[worth("2026-01-01", "1"), worth("2026-01-02", "1")]).unwrap();
        assert_eq!((costs.bps_of_traded, costs.turnover), (None, Decimal::ZERO));
        for (navs, word) in [(["0", "0"], "must be above 0"), (["1", "-2"], "must be above 0")] {
            let found =
                TradedMoney::default().costs(&[worth("2026-01-01", navs[0]), worth("2026-01-02", navs[1])]);
            assert!(found.unwrap_err().to_string().contains(word));
        }
        assert!(TradedMoney::default().costs(&[worth("2026-01-01", "1")]).is_err());
    }

    #[test]
    fn what_leaves_the_range_changes_nothing() {
        let mut sums = TradedMoney { fees: Decimal::MAX, ..TradedMoney::default() };
        let before = sums.clone();
        assert!(sums.add_fill(&fill(Side::Buy, "1", "1", "1"), Decimal::ONE).is_err());
        assert!(sums.add_movement(&moved(CashKind::Fee, "-1")).is_err());
        assert_eq!(sums, before);
    }
}
