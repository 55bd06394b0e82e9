//! What fills an order, and at which price.
//!
//! Of a bar only four prices are known and not their order, so every doubt is decided against the order: a price that
//! is reached is met at the order's own price, never better, unless the bar opened beyond it; a stop-limit order that
//! triggers inside a bar can fill in that bar only at the trigger itself. A close-only bar has one price at one
//! instant, its end. Quotes and prints fill an order that comes to the market at their price, and one that rests at its
//! own.

use crate::config::{RestingFill, StopTrigger};
use crate::fees::Liquidity;
use mts_foundation::{Bar, Decimal, Order, OrderType};

/// What the rules need to know of an order; prices change with a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) buys: bool,
    pub(crate) order_type: OrderType,
    pub(crate) limit: Option<Decimal>,
    pub(crate) stop: Option<Decimal>,
    /// Its stop price was reached earlier.
    pub(crate) triggered: bool,
}

/// How an order behaves once its stop, if it has one, is out of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It waits for this stop price.
    Waiting(Decimal),
    /// It takes any price.
    Market,
    /// It takes this price or better.
    Limit(Decimal),
}

impl Terms {
    pub(crate) fn of(order: &Order) -> Self {
        Self {
            buys: order.side.sign() > 0,
            order_type: order.order_type,
            limit: order.limit_price,
            stop: order.stop_price,
            triggered: false,
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        match (self.stop, self.limit) {
            (Some(stop), _) if !self.triggered => Stage::Waiting(stop),
            (_, Some(limit)) => Stage::Limit(limit),
            (_, None) => Stage::Market,
        }
    }

    /// Whether a price is within the limit, if there is one.
    fn accepts(&self, price: Decimal) -> bool {
        self.limit.is_none_or(|limit| if self.buys { price <= limit } else { price >= limit })
    }

    /// Whether a price lies beyond the limit, to the order's advantage.
    fn is_through(&self, price: Decimal) -> bool {
        self.accepts(price) && self.limit != Some(price)
    }

    /// Whether a price reaches the stop.
    fn reaches(&self, price: Decimal, stop: Decimal) -> bool {
        if self.buys { price >= stop } else { price <= stop }
    }
}

/// What one piece of market data does to one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effect {
    /// The stop price is reached.
    pub(crate) triggers: bool,
    /// What it fills at.
    pub(crate) fill: Option<(Decimal, Liquidity)>,
}

impl Effect {
    pub(crate) const NONE: Self = Self { triggers: false, fill: None };

    fn taking(price: Decimal) -> Self {
        Self { triggers: false, fill: Some((price, Liquidity::Taker)) }
    }

    fn making(price: Decimal) -> Self {
        Self { triggers: false, fill: Some((price, Liquidity::Maker)) }
    }
}

/// The effect of a bar. `before_open` = the order was there when the bar began.
pub(crate) fn on_bar(terms: &Terms, bar: &Bar, before_open: bool) -> Effect {
    match terms.stage() {
        Stage::Market => Effect::taking(if before_open && !bar.close_only { bar.open } else { bar.close }),
        Stage::Limit(limit) => {
            if bar.close_only {
                return if terms.accepts(bar.close) { Effect::taking(bar.close) } else { Effect::NONE };
            }
            if before_open && terms.accepts(bar.open) {
                return Effect::taking(bar.open);
            }
            let (best, worst) = if terms.buys { (bar.low, bar.high) } else { (bar.high, bar.low) };
            // It came during a bar that lies wholly within its limit: it was met as a market order is.
            if terms.is_through(worst) {
                return Effect::taking(bar.close);
            }
            if terms.accepts(best) { Effect::making(limit) } else { Effect::NONE }
        }
        Stage::Waiting(stop) => {
            let price = if bar.close_only {
                terms.reaches(bar.close, stop).then_some(bar.close)
            } else if before_open && terms.reaches(bar.open, stop) {
                // The market opened beyond the stop: the gap is met at the worse price.
                Some(bar.open)
            } else {
                let (first, last) = if terms.buys { (bar.low, bar.high) } else { (bar.high, bar.low) };
                // It came during a bar that lies wholly beyond its stop: it was met as a market order is.
                let beyond = first != stop && terms.reaches(first, stop);
                terms.reaches(last, stop).then_some(if beyond { bar.close } else { stop })
            };
            let Some(price) = price else { return Effect::NONE };
            let fill = terms.accepts(price).then_some((price, Liquidity::Taker));
            Effect { triggers: true, fill }
        }
    }
}

/// Whether an order that waits for nothing would trade at this price.
pub(crate) fn takes(terms: &Terms, price: Decimal) -> bool {
    !matches!(terms.stage(), Stage::Waiting(_)) && terms.accepts(price)
}

/// The opening cross as a bar shows it: its first price, for orders whose limit takes it.
pub(crate) fn at_opening(terms: &Terms, price: Decimal) -> Effect {
    if terms.accepts(price) { Effect::taking(price) } else { Effect::NONE }
}

/// The effect of a quote. `touch` = the price this order would take, `arrives` = it meets the market for the first time.
pub(crate) fn on_quote(terms: &Terms, touch: Decimal, arrives: bool, rule: RestingFill) -> Effect {
    match terms.stage() {
        Stage::Market => Effect::taking(touch),
        Stage::Limit(_) if arrives => at_opening(terms, touch),
        Stage::Limit(limit) => {
            let fills = match rule {
                RestingFill::Touch => terms.accepts(touch),
                RestingFill::Through => terms.is_through(touch),
            };
            if fills { Effect::making(limit) } else { Effect::NONE }
        }
        Stage::Waiting(_) => Effect::NONE,
    }
}

/// The effect of a print. `quoted` = the instrument has quotes, so that orders that come to the market take those, and a
/// print only fills what rests.
pub(crate) fn on_trade(
    terms: &Terms,
    price: Decimal,
    arrives: bool,
    quoted: bool,
    rule: RestingFill,
) -> Effect {
    match terms.stage() {
        Stage::Waiting(_) => Effect::NONE,
        Stage::Market if quoted => Effect::NONE,
        Stage::Market => Effect::taking(price),
        Stage::Limit(_) => on_quote(terms, price, arrives && !quoted, rule),
    }
}

/// Whether a price of this kind triggers the order's stop.
pub(crate) fn triggers(terms: &Terms, price: Decimal) -> bool {
    matches!(terms.stage(), Stage::Waiting(stop) if terms.reaches(price, stop))
}

/// Which price a stop listens to: whether it is a print.
pub(crate) fn listens_to_prints(rule: StopTrigger, has_prints: bool) -> bool {
    rule == StopTrigger::Last && has_prints
}

#[cfg(test)]
mod tests {
    use super::*;
    use Liquidity::{Maker, Taker};
    use mts_foundation::{Interval, Side, Symbol, Timestamp};

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn bar(open: &str, high: &str, low: &str, close: &str) -> Bar {
        let mut bar = Bar::close_only(Symbol::new("X").unwrap(), Interval::DAY, d(close), Timestamp::EPOCH);
        (bar.open, bar.high, bar.low, bar.close_only) = (d(open), d(high), d(low), false);
        bar
    }

    const NOTHING: Effect = Effect::NONE;

    fn fill(price: &str, liquidity: Liquidity) -> Effect {
        Effect { triggers: false, fill: Some((d(price), liquidity)) }
    }

    fn triggered(price: Option<&str>) -> Effect {
        Effect { triggers: true, fill: price.map(|price| (d(price), Taker)) }
    }

    fn effect(order: &Order, bar: &Bar, before_open: bool, triggered: bool) -> Effect {
        on_bar(&Terms { triggered, ..Terms::of(order) }, bar, before_open)
    }

    fn order(side: Side, order_type: OrderType, limit: Option<&str>, stop: Option<&str>) -> Order {
        let mut builder = Order::builder()
            .order_id("o")
            .idempotency_key("k")
            .symbol("X")
            .side(side)
            .quantity(Decimal::TEN)
            .order_type(order_type)
            .fund_id("f")
            .strategy_id("s")
            .broker("paper")
            .actor("a")
            .created_at(Timestamp::EPOCH);
        if let Some(limit) = limit {
            builder = builder.limit_price(d(limit));
        }
        if let Some(stop) = stop {
            builder = builder.stop_price(d(stop));
        }
        builder.build().unwrap()
    }

    #[test]
    fn market_orders_meet_the_first_price_they_can() {
        let market = order(Side::Buy, OrderType::Market, None, None);
        let bar = bar("10", "12", "9", "11");
        assert_eq!(effect(&market, &bar, true, false), fill("10", Taker));
        assert_eq!(effect(&market, &bar, false, false), fill("11", Taker));
    }

    #[test]
    fn limit_orders_fill_at_the_limit_or_at_a_better_open_and_never_beyond() {
        let bar = bar("10", "12", "9", "11");
        let buy = |limit| effect(&order(Side::Buy, OrderType::Limit, Some(limit), None), &bar, true, false);
        let sell = |limit| effect(&order(Side::Sell, OrderType::Limit, Some(limit), None), &bar, true, false);
        assert_eq!(buy("9.5"), fill("9.5", Maker));
        assert_eq!(buy("10.5"), fill("10", Taker));
        assert_eq!(buy("8.99"), NOTHING);
        assert_eq!(sell("11.5"), fill("11.5", Maker));
        assert_eq!(sell("9.5"), fill("10", Taker));
        assert_eq!(sell("12.01"), NOTHING);
    }

    #[test]
    fn stops_trigger_at_the_stop_or_gap_to_the_open() {
        let bar = bar("10", "12", "9", "11");
        let buy = |stop| effect(&order(Side::Buy, OrderType::Stop, None, Some(stop)), &bar, true, false);
        assert_eq!(buy("11"), triggered(Some("11")));
        assert_eq!(buy("9.5"), triggered(Some("10")));
        assert_eq!(buy("12.5"), NOTHING);
        let stop_limit = |limit, stop, reached| {
            effect(&order(Side::Sell, OrderType::StopLimit, Some(limit), Some(stop)), &bar, true, reached)
        };
        assert_eq!(stop_limit("9.2", "9.5", false), triggered(Some("9.5")));
        assert_eq!(stop_limit("10.5", "10", false), triggered(None));
        assert_eq!(stop_limit("10.5", "10", true), fill("10.5", Maker));
    }

    #[test]
    fn an_order_that_comes_during_a_bar_gets_a_price_of_that_bar() {
        let bar = bar("10", "12", "9", "11");
        let during = |side, kind, limit, stop| effect(&order(side, kind, limit, stop), &bar, false, false);
        assert_eq!(during(Side::Buy, OrderType::Limit, Some("13"), None), fill("11", Taker));
        assert_eq!(during(Side::Buy, OrderType::Limit, Some("12"), None), fill("12", Maker));
        assert_eq!(during(Side::Sell, OrderType::Limit, Some("8"), None), fill("11", Taker));
        assert_eq!(during(Side::Buy, OrderType::Stop, None, Some("8")), triggered(Some("11")));
        assert_eq!(during(Side::Sell, OrderType::Stop, None, Some("12.5")), triggered(Some("11")));
        assert_eq!(during(Side::Buy, OrderType::Stop, None, Some("9")), triggered(Some("9")));
    }

    #[test]
    fn close_only_bars_have_one_price() {
        let close = Bar::close_only(Symbol::new("X").unwrap(), Interval::DAY, d("10"), Timestamp::EPOCH);
        let one =
            |order_type, limit, stop| effect(&order(Side::Buy, order_type, limit, stop), &close, true, false);
        assert_eq!(one(OrderType::Market, None, None), fill("10", Taker));
        assert_eq!(one(OrderType::Limit, Some("10.5"), None), fill("10", Taker));
        assert_eq!(one(OrderType::Limit, Some("9.5"), None), NOTHING);
        assert_eq!(one(OrderType::Stop, None, Some("9")), triggered(Some("10")));
    }
}
