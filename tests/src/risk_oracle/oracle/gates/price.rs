//! Gates 12 to 15.

use super::{Look, Verdict, refuse_if};
use crate::risk_oracle::oracle::written;
use mts_foundation::Decimal;
use mts_foundation::risk::{RejectCode, Staleness};

impl Look<'_> {
    /// Whether the last price is too old.
    fn is_stale(&self) -> bool {
        let Some(price) = self.oracle.prices[self.place] else { return false };
        match self.fund.setup.limits.staleness {
            None => false,
            Some(Staleness::Millis(most)) => {
                self.question.now.since(price.time).as_millis() > u128::from(most)
            }
            // One bar: the price of the last batch is fresh, that of the one before is not.
            Some(Staleness::Bars(most)) => self.oracle.bars - price.bar + 1 > most,
        }
    }

    fn reference(&self) -> Option<Decimal> {
        self.oracle.reference(self.place, self.question.order.side)
    }

    pub(super) fn reference_price(&self) -> Verdict {
        if self.closing {
            return Ok(());
        }
        refuse_if(self.reference().is_none(), RejectCode::NoReferencePrice)?;
        refuse_if(self.is_stale(), RejectCode::StaleReferencePrice)
    }

    pub(super) fn quantity(&self) -> Verdict {
        let setup = &self.fund.setup;
        let of_envelope = setup.envelope.as_ref().and_then(|envelope| envelope.max_order_qty);
        let mut limits = [of_envelope, setup.limits.max_order_quantity].into_iter().flatten();
        let quantity = self.question.order.quantity;
        refuse_if(limits.any(|most| quantity > most), RejectCode::MaxOrderQuantity)
    }

    /// Value of the order.
    pub(super) fn order_value(&self) -> Decimal {
        let price = self.oracle.notional_price(self.question.order, self.place).unwrap_or_default();
        self.question.order.quantity * price * self.instrument.multiplier
    }

    pub(super) fn notional(&self) -> Verdict {
        let (setup, value) = (&self.fund.setup, self.order_value());
        let of_envelope = setup.envelope.as_ref().map(|envelope| envelope.max_order_notional_usd);
        let mut limits = [of_envelope, setup.limits.max_order_value].into_iter().flatten();
        refuse_if(limits.any(|most| value > most), RejectCode::MaxOrderNotional)?;
        let share = setup.limits.max_order_notional_pct;
        self.at_most_share(share.map(written), value, RejectCode::MaxOrderNotionalPct)
    }

    /// Refuses what is more than a share of net asset value; and everything when that is not above zero.
    pub(super) fn at_most_share(&self, share: Option<Decimal>, value: Decimal, code: RejectCode) -> Verdict {
        let Some(share) = share else { return Ok(()) };
        refuse_if(self.counts.nav <= Decimal::ZERO, RejectCode::NavNotPositive)?;
        refuse_if(value > share * self.counts.nav, code)
    }

    pub(super) fn collar(&self) -> Verdict {
        let (Some(most), Some(reference)) = (self.fund.setup.limits.price_collar_pct, self.reference())
        else {
            return Ok(());
        };
        if self.closing && self.is_stale() {
            return Ok(());
        }
        let order = self.question.order;
        let far = [order.limit_price, order.stop_price]
            .into_iter()
            .flatten()
            .any(|price| (price - reference).abs() > written(most) * reference);
        refuse_if(far, RejectCode::PriceCollar)
    }
}
