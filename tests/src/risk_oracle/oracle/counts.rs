//! Counting from the lists: positions, cash, value, and what could be held if every order filled.

use super::{Fund, Live, Oracle, rises};
use mts_foundation::{Decimal, FundId, OrderId};

/// A fund, counted anew. One entry for each instrument.
#[derive(Debug, Clone)]
pub struct Counts {
    /// Signed units held.
    pub held: Vec<Decimal>,
    /// Units of working buys and covers.
    pub up: Vec<Decimal>,
    /// Units of working sells and shorts.
    pub down: Vec<Decimal>,
    /// Cash.
    pub cash: Decimal,
    /// Cash that working buys and covers would take.
    pub taken: Decimal,
    /// Cash and the value of what is held.
    pub nav: Decimal,
}

impl Counts {
    /// The larger of what could be held by buying and by selling everything, times `price`.
    pub(super) fn worst(&self, instrument: usize, price: Decimal) -> Decimal {
        let (held, up, down) = (self.held[instrument], self.up[instrument], self.down[instrument]);
        (held + up).abs().max((held - down).abs()) * price
    }

    pub(super) fn in_use(&self, instrument: usize) -> bool {
        [self.held[instrument], self.up[instrument], self.down[instrument]]
            .iter()
            .any(|units| !units.is_zero())
    }

    pub(super) fn add(&mut self, live: &Live, unit: Decimal) {
        if rises(live.order.side) {
            self.up[live.instrument] += live.left;
            self.taken += live.left * live.cost * unit;
        } else {
            self.down[live.instrument] += live.left;
        }
    }
}

impl Fund {
    /// Money that came and went since the beginning.
    pub(super) fn flowed(&self) -> Decimal {
        self.flows.iter().sum()
    }

    /// Signed units and average entry price of an instrument (F3).
    pub(super) fn entry(&self, instrument: usize) -> (Decimal, Decimal) {
        let (mut held, mut average) = (Decimal::ZERO, Decimal::ZERO);
        for trade in self.trades.iter().filter(|trade| trade.instrument == instrument) {
            let units = if rises(trade.side) { trade.units } else { -trade.units };
            let after = held + units;
            let grows = held.is_zero() || (held > Decimal::ZERO) == (units > Decimal::ZERO);
            if grows {
                average = (held.abs() * average + trade.units * trade.price) / after.abs();
            } else if !after.is_zero() && (after > Decimal::ZERO) != (held > Decimal::ZERO) {
                average = trade.price;
            }
            held = after;
        }
        (held, average)
    }
}

impl Oracle {
    /// Value of a unit of an instrument.
    pub(super) fn unit_value(&self, instrument: usize) -> Decimal {
        let mark = self.prices[instrument].map_or(Decimal::ZERO, |price| price.mark);
        mark * self.instruments[instrument].multiplier
    }

    /// Counts a fund, reserved orders not included.
    pub(super) fn count(&self, fund: &Fund) -> Counts {
        let nothing = vec![Decimal::ZERO; self.instruments.len()];
        let mut counts = Counts {
            held: nothing.clone(),
            up: nothing.clone(),
            down: nothing,
            cash: fund.setup.cash + fund.flowed(),
            taken: Decimal::ZERO,
            nav: Decimal::ZERO,
        };
        for trade in &fund.trades {
            let units = if rises(trade.side) { trade.units } else { -trade.units };
            counts.held[trade.instrument] += units;
            counts.cash -= units * trade.price * self.instruments[trade.instrument].multiplier + trade.fees;
        }
        for live in &fund.working {
            counts.add(live, self.instruments[live.instrument].multiplier);
        }
        counts.nav = counts.cash;
        for (instrument, held) in counts.held.iter().enumerate() {
            counts.nav += *held * self.unit_value(instrument);
        }
        counts
    }

    /// Counts a fund with its reserved orders, that of `but` not included.
    pub(super) fn count_reserved(&self, fund: &Fund, but: &OrderId) -> Counts {
        let mut counts = self.count(fund);
        for live in fund.reserved.iter().filter(|live| live.order.order_id != *but) {
            counts.add(live, self.instruments[live.instrument].multiplier);
        }
        counts
    }

    /// Counts a fund by its id, reserved orders not included.
    #[must_use]
    pub fn counts(&self, fund_id: &FundId) -> Option<Counts> {
        self.fund(fund_id).map(|fund| self.count(&self.funds[fund]))
    }

    /// Value of a fund.
    pub(super) fn nav(&self, fund: &Fund) -> Decimal {
        self.count(fund).nav
    }
}
