//! A day on the simulated exchange: orders rest, bars fill them, what is left expires at the close.

#![allow(clippy::print_stdout, reason = "an example prints")]

use mts_foundation::order_builder::OrderFaults;
use mts_foundation::{Bar, Decimal, Interval, Order, OrderType, Side, Symbol, Timestamp};
use mts_matching::{Exchange, ExchangeConfig, MatchEvent, Standing};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut exchange = Exchange::new(ExchangeConfig::default())?;
    let mut events = Vec::new();
    let day = |day: i64| Timestamp::from_millis(day * 86_400_000);
    for (id, limit) in [("near", 101), ("far", 90)] {
        exchange.submit(limit_order(id, limit)?, &Standing::default(), day(0), &mut events)?;
    }
    println!("{} orders rest", exchange.resting().len());

    let bar = Bar::close_only(Symbol::new("AAPL")?, Interval::DAY, Decimal::from(100), day(1));
    exchange.on_bars(&[bar], &mut events);
    exchange.on_session_close(day(1), &mut events);
    for event in &events {
        match event {
            MatchEvent::Filled { order, quantity, price, .. } => {
                println!("{}: {} {quantity} {} filled at {price}", order.order_id, order.side, order.symbol);
            }
            MatchEvent::Triggered { order, .. } => println!("{}: stop reached", order.order_id),
            MatchEvent::Expired { order, .. } => println!("{}: expired with the session", order.order_id),
            other => println!("{other:?}"),
        }
    }
    println!("{} orders rest", exchange.resting().len());
    Ok(())
}

fn limit_order(id: &str, limit: i64) -> Result<Order, OrderFaults> {
    Order::builder()
        .order_id(id)
        .idempotency_key(id)
        .symbol("AAPL")
        .side(Side::Buy)
        .quantity(Decimal::TEN)
        .order_type(OrderType::Limit)
        .limit_price(Decimal::from(limit))
        .fund_id("growth")
        .strategy_id("example")
        .broker("paper")
        .actor("example")
        .created_at(Timestamp::EPOCH)
        .build()
}
