//! From an order to the books: faults named all at once, one fill, one price, and what the fund is worth then.

#![allow(clippy::print_stdout, reason = "an example prints")]

use mts_foundation::ledger::MarkKind;
use mts_foundation::{
    Currency, Decimal, Fill, FundId, Instrument, InstrumentTable, Ledger, MarketCalendar, Order, OrderType,
    Side, Symbol, Timestamp,
};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    // An order cannot be built invalid, and every fault is reported at once.
    let faulty =
        Order::builder().symbol("AAPL").side(Side::Buy).quantity(-Decimal::TEN).order_type(OrderType::Limit);
    if let Err(faults) = faulty.build() {
        println!("refused, {} faults, among them:", faults.0.len());
        for fault in faults.0.iter().filter(|fault| ["quantity", "limit_price"].contains(&fault.field)) {
            println!("  {fault}");
        }
    }

    let now = Timestamp::from_millis(1_767_623_400_000);
    let order = Order::builder()
        .order_id("o-1")
        .idempotency_key("momentum-2026-01-05-AAPL")
        .symbol("AAPL")
        .side(Side::Buy)
        .quantity(Decimal::TEN)
        .order_type(OrderType::Limit)
        .limit_price(Decimal::new(20_050, 2))
        .fund_id("growth")
        .strategy_id("momentum")
        .broker("paper")
        .actor("example")
        .created_at(now)
        .build()?;
    println!(
        "order {}: {} {} {} at most {}",
        order.order_id,
        order.side,
        order.quantity,
        order.symbol,
        order.limit_price.unwrap_or_default()
    );

    // The books: cash and positions of a fund, moved by nothing but fills and flows.
    let aapl = Symbol::new("AAPL")?;
    let instruments = InstrumentTable::from_instruments([Instrument::us_share(aapl.clone())])?;
    let growth = FundId::new("growth")?;
    let mut ledger = Ledger::new();
    ledger.open_fund(growth.clone(), Currency::USD, Decimal::from(10_000))?;
    ledger.mark(&instruments, &aapl, Decimal::from(200), MarkKind::Trade, now)?;
    ledger.add_working(&instruments, &order, order.quantity)?;
    if let Some(book) = ledger.fund(&growth) {
        println!("working:  cash {} of which free {}", book.cash(), book.available_cash());
    }
    let fill = Fill::new("x-1", "o-1", "AAPL", order.side, order.quantity, Decimal::from(200), now)?;
    ledger.book_fill(&instruments, &growth, &fill)?;
    ledger.mark(&instruments, &aapl, Decimal::from(210), MarkKind::Trade, now)?;
    if let Some(book) = ledger.fund(&growth) {
        println!(
            "filled:   cash {}, {} AAPL, worth {}",
            book.cash(),
            book.positions().quantity(&aapl),
            book.nav()
        );
    }

    // Sessions of the exchange, half days included.
    let calendar = MarketCalendar::builtin("XNYS")?;
    if let Some(session) = calendar.session_on("2024-11-29".parse()?)? {
        println!("{} on {}: {} to {}", calendar.name(), session.date, session.open, session.close);
    }
    println!(
        "{} has a session on 2024-12-25: {}",
        calendar.name(),
        calendar.session_on("2024-12-25".parse()?)?.is_some()
    );
    Ok(())
}
