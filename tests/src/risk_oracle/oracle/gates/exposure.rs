//! Gates 18 to 21 and 23: everything that is held, working and reserved, and the order on top (R5).

use super::{Look, Verdict, refuse_if};
use crate::risk_oracle::oracle::{Counts, Deviation, rises, written};
use mts_foundation::risk::{RejectCode, RiskEnvelope};
use mts_foundation::{Decimal, Instrument};

impl Look<'_> {
    /// The counts with the order in them.
    fn after(&self) -> Counts {
        let (order, mut after) = (self.question.order, self.counts.clone());
        if rises(order.side) {
            after.up[self.place] += order.quantity;
        } else {
            after.down[self.place] += order.quantity;
        }
        after
    }

    fn share(&self, of: impl Fn(&RiskEnvelope) -> f64) -> Option<Decimal> {
        self.fund.setup.envelope.as_ref().map(|envelope| written(of(envelope)))
    }

    pub(super) fn position(&self) -> Verdict {
        let (after, limits, place) = (self.after(), &self.fund.setup.limits, self.place);
        let units = if self.oracle.deviates(Deviation::OwnDirectionOnly) {
            let up = rises(self.question.order.side);
            (if up { after.held[place] + after.up[place] } else { after.held[place] - after.down[place] })
                .abs()
        } else {
            after.worst(place, Decimal::ONE)
        };
        if let Some(most) = limits.max_position_quantity {
            refuse_if(units > most, RejectCode::MaxPositionQuantity)?;
        }
        let value = units * self.oracle.unit_value(place);
        let of_envelope = self.fund.setup.envelope.as_ref().and_then(|envelope| envelope.max_position_usd);
        let mut money = [of_envelope, limits.max_position_value].into_iter().flatten();
        refuse_if(money.any(|most| value > most), RejectCode::MaxPositionUsd)?;
        self.at_most_share(
            self.share(|envelope| envelope.max_position_pct),
            value,
            RejectCode::MaxPositionPct,
        )
    }

    /// Sum of the worst cases of some instruments, with the order in them.
    fn worst(&self, counts: impl Fn(&Instrument) -> bool) -> Decimal {
        let instruments = &self.oracle.instruments;
        let sum = |all: &Counts| -> Decimal {
            let some = (0..instruments.len()).filter(|place| counts(&instruments[*place]));
            some.map(|place| all.worst(place, self.oracle.unit_value(place))).sum()
        };
        if !self.oracle.deviates(Deviation::ReservedIsFrozen) {
            return sum(&self.after());
        }
        let reserved: Decimal =
            self.others().filter(|live| counts(&instruments[live.instrument])).map(|live| live.value).sum();
        let unit = self.oracle.unit_value(self.place);
        let added = self.after().worst(self.place, unit) - self.counts.worst(self.place, unit);
        let added = if counts(self.instrument) { added } else { Decimal::ZERO };
        sum(&self.oracle.count(self.fund)) + reserved + added
    }

    /// Reserved orders but for the one that is asked for.
    fn others(&self) -> impl Iterator<Item = &crate::risk_oracle::oracle::Live> {
        let own = &self.question.order.order_id;
        self.fund.reserved.iter().filter(move |live| live.order.order_id != *own)
    }

    /// Value of everything if all orders that add units fill, and if all that take units do.
    fn net(&self) -> (Decimal, Decimal) {
        let sums = |all: &Counts| {
            let (mut high, mut low) = (Decimal::ZERO, Decimal::ZERO);
            for place in 0..self.oracle.instruments.len() {
                let unit = self.oracle.unit_value(place);
                high += (all.held[place] + all.up[place]) * unit;
                low += (all.held[place] - all.down[place]) * unit;
            }
            (high, low)
        };
        if !self.oracle.deviates(Deviation::ReservedIsFrozen) {
            return sums(&self.after());
        }
        let (mut high, mut low) = sums(&self.oracle.count(self.fund));
        let own =
            (self.question.order.side, self.question.order.quantity * self.oracle.unit_value(self.place));
        for (side, value) in self.others().map(|live| (live.order.side, live.value)).chain([own]) {
            if rises(side) {
                high += value;
            } else {
                low -= value;
            }
        }
        (high, low)
    }

    pub(super) fn exposure(&self) -> Verdict {
        let gross = self.worst(|_| true);
        let share = self.share(|envelope| envelope.max_gross_exposure_pct);
        self.at_most_share(share, gross, RejectCode::MaxGrossExposure)?;
        if let Some(most) = self.fund.setup.limits.max_total_exposure {
            refuse_if(gross > most, RejectCode::MaxTotalExposure)?;
        }
        let (high, low) = self.net();
        let net = match (self.oracle.deviates(Deviation::OwnDirectionOnly), rises(self.question.order.side)) {
            (true, true) => high,
            (true, false) => -low,
            (false, _) => high.max(-low),
        };
        let share = self.share(|envelope| envelope.max_net_exposure_pct);
        self.at_most_share(share, net, RejectCode::MaxNetExposure)
    }

    pub(super) fn concentration(&self) -> Verdict {
        let own = self.instrument;
        // A concentration limit of one is off (R10).
        let share = |of: fn(&RiskEnvelope) -> f64| self.share(of).filter(|share| *share < Decimal::ONE);
        let sector = self.worst(|other| other.sector == own.sector);
        self.at_most_share(share(|envelope| envelope.max_sector_pct), sector, RejectCode::MaxSector)?;
        let class = self.worst(|other| other.asset_class == own.asset_class);
        self.at_most_share(share(|envelope| envelope.max_asset_class_pct), class, RejectCode::MaxAssetClass)?;
        let country = self.worst(|other| other.country == own.country);
        self.at_most_share(share(|envelope| envelope.max_country_pct), country, RejectCode::MaxCountry)
    }

    pub(super) fn number_of_positions(&self) -> Verdict {
        let Some(most) = self.fund.setup.limits.max_positions else { return Ok(()) };
        let after = self.after();
        let all = (0..self.oracle.instruments.len()).filter(|place| after.in_use(*place)).count();
        let held = !after.held[self.place].is_zero();
        refuse_if(!held && super::more_than(all, most), RejectCode::MaxPositions)
    }

    pub(super) fn buying_power(&self) -> Verdict {
        if !self.fund.setup.limits.buying_power || !rises(self.question.order.side) {
            return Ok(());
        }
        refuse_if(self.order_value() > self.counts.cash - self.counts.taken, RejectCode::BuyingPower)
    }
}
