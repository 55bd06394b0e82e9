//! When a bar fills an order, and at which price.
//!
//! Of a bar only four prices are known and not their order, so every doubt is decided against the order: a price that
//! is reached is met at the order's own price, never better, unless the bar opened beyond it; a stop-limit order that
//! triggers inside a bar can fill in that bar only at the trigger itself. A close-only bar has one price at one
//! instant, its end.

use mts_foundation::{Bar, Decimal, Order, OrderType};

/// What one bar does to one resting order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BarEffect {
    /// Nothing.
    None,
    /// The stop price was reached; what follows is in the field.
    Triggered {
        /// The price it fills at in the same bar.
        fill: Option<Decimal>,
    },
    /// It fills whole at this price.
    Fill(Decimal),
}

/// The effect of a bar on an order. `before_open` = the order was there when the bar began; `triggered` = its stop
/// price was reached by an earlier bar.
pub(crate) fn effect(order: &Order, bar: &Bar, before_open: bool, triggered: bool) -> BarEffect {
    let buys = order.side.sign() > 0;
    match order.order_type {
        OrderType::Market => {
            BarEffect::Fill(if before_open && !bar.close_only { bar.open } else { bar.close })
        }
        OrderType::Limit | OrderType::MarketableLimit => {
            limit(order.limit_price, bar, buys, before_open).map_or(BarEffect::None, BarEffect::Fill)
        }
        OrderType::Stop => match trigger(order.stop_price, bar, buys, before_open) {
            Some(price) => BarEffect::Triggered { fill: Some(price) },
            None => BarEffect::None,
        },
        OrderType::StopLimit if triggered => {
            limit(order.limit_price, bar, buys, before_open).map_or(BarEffect::None, BarEffect::Fill)
        }
        OrderType::StopLimit => match trigger(order.stop_price, bar, buys, before_open) {
            Some(price) => {
                let within =
                    order.limit_price.is_some_and(|limit| if buys { price <= limit } else { price >= limit });
                BarEffect::Triggered { fill: within.then_some(price) }
            }
            None => BarEffect::None,
        },
    }
}

/// The price a limit order fills at: the first price seen if that is already good enough, else the limit if the bar
/// reaches it.
fn limit(limit: Option<Decimal>, bar: &Bar, buys: bool, before_open: bool) -> Option<Decimal> {
    let limit = limit?;
    let good = |price: Decimal| if buys { price <= limit } else { price >= limit };
    if bar.close_only {
        return good(bar.close).then_some(bar.close);
    }
    if before_open && good(bar.open) {
        return Some(bar.open);
    }
    good(if buys { bar.low } else { bar.high }).then_some(limit)
}

/// The price at which a stop order becomes a market order: the open if the bar opened beyond the stop (a gap), else
/// the stop itself if the bar reaches it.
fn trigger(stop: Option<Decimal>, bar: &Bar, buys: bool, before_open: bool) -> Option<Decimal> {
    let stop = stop?;
    let reached = |price: Decimal| if buys { price >= stop } else { price <= stop };
    if bar.close_only {
        return reached(bar.close).then_some(bar.close);
    }
    if before_open && reached(bar.open) {
        return Some(bar.open);
    }
    reached(if buys { bar.high } else { bar.low }).then_some(stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::{Interval, Side, Symbol, Timestamp};

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn bar(open: &str, high: &str, low: &str, close: &str) -> Bar {
        let mut bar = Bar::close_only(Symbol::new("X").unwrap(), Interval::DAY, d(close), Timestamp::EPOCH);
        (bar.open, bar.high, bar.low, bar.close_only) = (d(open), d(high), d(low), false);
        bar
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
        assert_eq!(effect(&market, &bar, true, false), BarEffect::Fill(d("10")));
        assert_eq!(effect(&market, &bar, false, false), BarEffect::Fill(d("11")));
    }

    #[test]
    fn limit_orders_fill_at_the_limit_or_at_a_better_open_and_never_beyond() {
        let bar = bar("10", "12", "9", "11");
        let buy = |limit| effect(&order(Side::Buy, OrderType::Limit, Some(limit), None), &bar, true, false);
        let sell = |limit| effect(&order(Side::Sell, OrderType::Limit, Some(limit), None), &bar, true, false);
        assert_eq!(buy("9.5"), BarEffect::Fill(d("9.5")));
        assert_eq!(buy("10.5"), BarEffect::Fill(d("10")));
        assert_eq!(buy("8.99"), BarEffect::None);
        assert_eq!(sell("11.5"), BarEffect::Fill(d("11.5")));
        assert_eq!(sell("9.5"), BarEffect::Fill(d("10")));
        assert_eq!(sell("12.01"), BarEffect::None);
    }

    #[test]
    fn stops_trigger_at_the_stop_or_gap_to_the_open() {
        let bar = bar("10", "12", "9", "11");
        let buy = |stop| effect(&order(Side::Buy, OrderType::Stop, None, Some(stop)), &bar, true, false);
        assert_eq!(buy("11"), BarEffect::Triggered { fill: Some(d("11")) });
        assert_eq!(buy("9.5"), BarEffect::Triggered { fill: Some(d("10")) });
        assert_eq!(buy("12.5"), BarEffect::None);
        let stop_limit = |limit, stop, triggered| {
            effect(&order(Side::Sell, OrderType::StopLimit, Some(limit), Some(stop)), &bar, true, triggered)
        };
        assert_eq!(stop_limit("9.2", "9.5", false), BarEffect::Triggered { fill: Some(d("9.5")) });
        assert_eq!(stop_limit("10.5", "10", false), BarEffect::Triggered { fill: None });
        assert_eq!(stop_limit("10.5", "10", true), BarEffect::Fill(d("10.5")));
    }

    #[test]
    fn close_only_bars_have_one_price() {
        let close = Bar::close_only(Symbol::new("X").unwrap(), Interval::DAY, d("10"), Timestamp::EPOCH);
        let one =
            |order_type, limit, stop| effect(&order(Side::Buy, order_type, limit, stop), &close, true, false);
        assert_eq!(one(OrderType::Market, None, None), BarEffect::Fill(d("10")));
        assert_eq!(one(OrderType::Limit, Some("10.5"), None), BarEffect::Fill(d("10")));
        assert_eq!(one(OrderType::Limit, Some("9.5"), None), BarEffect::None);
        assert_eq!(one(OrderType::Stop, None, Some("9")), BarEffect::Triggered { fill: Some(d("10")) });
    }
}
