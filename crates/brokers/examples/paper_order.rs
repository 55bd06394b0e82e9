//! One order through the paper broker, without a runtime: submit it twice, let a bar fill it, read the account.

#![allow(clippy::print_stdout, reason = "an example prints")]

use mts_brokers::{PaperBroker, PaperConfig};
use mts_foundation::broker::{Broker, SimulatedBroker, SubmitOutcome};
use mts_foundation::ready::ready;
use mts_foundation::{Bar, Decimal, Interval, Order, OrderType, Side, Symbol, Timestamp};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    // The paper broker answers at once; a broker with a network would be awaited.
    let broker = PaperBroker::new(PaperConfig::default())?;
    ready(Broker::connect(&broker))??;
    let order = Order::builder()
        .order_id("o-1")
        .idempotency_key("example-2026-01-05-AAPL")
        .symbol("AAPL")
        .side(Side::Buy)
        .quantity(Decimal::TEN)
        .order_type(OrderType::Market)
        .fund_id("growth")
        .strategy_id("example")
        .broker("paper")
        .actor("example")
        .created_at(Timestamp::EPOCH)
        .build()?;
    // The same key twice is one order: the second answer is the first.
    for _ in 0..2 {
        match ready(Broker::submit(&broker, &order))? {
            SubmitOutcome::Accepted(order) => {
                println!("accepted as {}", order.broker_order_id.as_ref().ok_or("no id")?)
            }
            other => println!("{other:?}"),
        }
    }
    let close = Timestamp::from_millis(86_400_000);
    broker.on_bars(&[Bar::close_only(Symbol::new("AAPL")?, Interval::DAY, Decimal::from(200), close)]);
    let account = ready(Broker::account(&broker))??;
    println!("cash {}", account.cash.normalize());
    for position in ready(Broker::positions(&broker))?? {
        println!("{} {} at {}", position.quantity, position.symbol, position.avg_price);
    }
    Ok(())
}
