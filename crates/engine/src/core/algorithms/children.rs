//! The children of a parent: how many units, at which price.

use super::plan::plan;
use super::{Core, CoreError, Kin};
use crate::output::Output;
use mts_foundation::algorithm::ChildType;
use mts_foundation::ledger::MarkKind;
use mts_foundation::num::{self, floor_to_lot};
use mts_foundation::strategy::OrderRequest;
use mts_foundation::{
    Decimal, IdempotencyKey, Instrument, Mark, Order, OrderId, OrderType, Side, TimeInForce,
};

impl Core {
    /// Sends one child for what should be released by now and is not.
    pub(super) fn send_due_child(&mut self, parent: &OrderId, output: &mut Output) -> Result<(), CoreError> {
        let Some(schedule) = self.state.algorithms.get(parent) else { return Ok(()) };
        if schedule.not_before.is_some_and(|at| self.state.now < at) {
            return Ok(());
        }
        let Some(moment) = self.moment(parent) else { return Ok(()) };
        let plan = plan(&schedule.asked.algorithm);
        let Some(instrument) = self.config.instruments.get(&schedule.asked.parent.symbol) else {
            return Ok(());
        };
        let mut released = nearest_lot(plan.released(&moment).min(moment.quantity), instrument.lot);
        if let Some(share) = plan.participation() {
            let most = num::as_written(share).and_then(|share| share.checked_mul(moment.traded));
            released = released.min(most.unwrap_or_default());
        }
        let released = released.min(moment.quantity);
        let units = floor_to_lot(released - moment.filled - moment.open, instrument.lot);
        if units <= Decimal::ZERO {
            return Ok(());
        }
        let asked = &schedule.asked.parent;
        let mark = self.state.ledger.mark_of(&asked.symbol);
        let kind = plan.child_type();
        let price = match (plan.fixed_price(), kind) {
            (Some(price), _) => Some(price),
            (None, ChildType::Market) => asked.limit_price,
            (None, kind) => {
                // Nothing is priced without a price; the next slice tries again.
                let Some(price) = mark.and_then(|mark| child_price(mark, kind, asked.side, instrument))
                else {
                    return Ok(());
                };
                Some(asked.limit_price.map_or(price, |limit| no_worse(asked.side, price, limit)))
            }
        };
        self.send_child(parent, units, price, output)
    }

    /// Sends everything that is left: at the market, or at the parent's limit.
    pub(super) fn send_rest(
        &mut self,
        parent: &OrderId,
        units: Decimal,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let schedule = self.state.algorithms.get(parent);
        let price = schedule.and_then(|schedule| {
            schedule.asked.parent.limit_price.or(plan(&schedule.asked.algorithm).fixed_price())
        });
        self.send_child(parent, units, price, output)
    }

    fn send_child(
        &mut self,
        parent: &OrderId,
        units: Decimal,
        price: Option<Decimal>,
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let Some(record) = self.state.orders.get(parent) else { return Ok(()) };
        let (fund_id, strategy_id) = (record.order.fund_id.clone(), record.order.strategy_id.clone());
        let parent_key = record.order.idempotency_key.clone();
        let Some(schedule) = self.state.algorithms.get_mut(parent) else { return Ok(()) };
        schedule.number = schedule.number.saturating_add(1);
        schedule.last_sent = Some(self.state.now);
        let key = IdempotencyKey::for_child(&parent_key, schedule.number)?;
        let asked = &schedule.asked.parent;
        let request = OrderRequest {
            quantity: units,
            order_type: if price.is_some() { OrderType::Limit } else { OrderType::Market },
            limit_price: price,
            tif: TimeInForce::Day,
            ..asked.clone()
        };
        let actor = Self::actor_of(&strategy_id)?;
        let order = self.order_of((&fund_id, &strategy_id, &actor), &key, &request, output);
        let Some(order) = order else { return Ok(()) };
        let order_id = order.order_id.clone();
        let kin = Kin { parent: Some(parent.clone()), group: None };
        self.propose_kin(order, &kin, None, false, output)?;
        let left = self.state.orders.get(&order_id).is_some_and(|record| !record.state.is_terminal());
        if !left {
            self.child_refused(parent);
        }
        Ok(())
    }

    /// Whether gate 3 knows the parent; an order that may not be worked is told.
    pub(super) fn is_repeated(&mut self, order: &Order, output: &mut Output) -> bool {
        use crate::core::KeyVerdict;
        match self.look_up_key(order) {
            KeyVerdict::New => false,
            KeyVerdict::Known => true,
            KeyVerdict::Refused(rejection) => {
                self.incident("ALGORITHM_KEY_REUSED", rejection.message, None, output);
                true
            }
        }
    }
}

/// The multiple of the lot that is nearest; a half goes up.
fn nearest_lot(units: Decimal, lot: Decimal) -> Decimal {
    floor_to_lot(units.saturating_add(lot / Decimal::TWO), lot)
}

/// The price of a child, on the tick: in the middle away from the market, at the touch towards it.
fn child_price(mark: &Mark, kind: ChildType, side: Side, instrument: &Instrument) -> Option<Decimal> {
    let buying = side.sign() > 0;
    let (price, up) = match (kind, mark.kind) {
        (ChildType::Limit, MarkKind::Quote { bid, ask }) => ((bid + ask) / Decimal::TWO, !buying),
        (ChildType::Limit, _) => (mark.price, !buying),
        _ => (mark.reference(side)?, buying),
    };
    let tick = instrument.tick;
    if tick <= Decimal::ZERO {
        return Some(price).filter(|price| *price > Decimal::ZERO);
    }
    let below = floor_to_lot(price, tick);
    let price = if up && below != price { below + tick } else { below };
    Some(price).filter(|price| *price > Decimal::ZERO)
}

/// The price that is better for the side.
fn no_worse(side: Side, price: Decimal, limit: Decimal) -> Decimal {
    if side.sign() > 0 { price.min(limit) } else { price.max(limit) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::{Symbol, Timestamp};

    #[test]
    fn children_lie_on_the_tick_and_on_the_right_side_of_it() {
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        let instrument = Instrument::us_share(Symbol::new("AAPL").unwrap());
        let quote = MarkKind::Quote { bid: d("10.00"), ask: d("10.03") };
        let mark = |kind| Mark { price: d("10.016"), kind, time: Timestamp::EPOCH, bar: 0 };
        for (kind, side, of, wanted) in [
            (ChildType::Limit, Side::Buy, quote, "10.01"),
            (ChildType::Limit, Side::Sell, quote, "10.02"),
            (ChildType::MarketableLimit, Side::Cover, quote, "10.03"),
            (ChildType::MarketableLimit, Side::Short, quote, "10"),
            (ChildType::Limit, Side::Buy, MarkKind::Close, "10.01"),
            (ChildType::MarketableLimit, Side::Buy, MarkKind::Close, "10.02"),
        ] {
            assert_eq!(child_price(&mark(of), kind, side, &instrument), Some(d(wanted)), "{kind} {side}");
        }
        assert_eq!(no_worse(Side::Buy, d("10"), d("9")), d("9"));
        assert_eq!(no_worse(Side::Sell, d("10"), d("11")), d("11"));
        assert_eq!(nearest_lot(d("149.9"), d("100")), d("100"));
        assert_eq!(nearest_lot(d("150"), d("100")), d("200"));
    }
}
