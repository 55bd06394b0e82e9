//! What asking the gates costs the heap where the order passes: nothing (decision R11).

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{Setup, d, market};
use mts_foundation::risk::{GateTrace, RateBucket, Staleness};
use mts_foundation::{RiskMachine, Side};

#[test]
fn an_order_that_passes_allocates_nothing() {
    let rate = Some(RateBucket { per_minute: 10_000, burst: 10_000 });
    let setup = Setup::new().envelope(|envelope| {
        (envelope.max_sector_pct, envelope.max_asset_class_pct, envelope.max_country_pct) = (0.9, 0.9, 0.9);
        (envelope.max_order_qty, envelope.max_position_usd) = (Some(d("100")), Some(d("50000")));
    });
    let setup = setup.limits(|limits| {
        (limits.max_order_notional_pct, limits.price_collar_pct) = (Some(0.5), Some(0.1));
        (limits.max_drawdown_pct, limits.max_total_exposure) = (Some(0.2), Some(d("200000")));
        (limits.max_positions, limits.max_open_orders) = (Some(100), Some(1_000));
        (limits.max_orders_per_minute, limits.dedup_window_ms) = (Some(10_000), Some(10));
        (limits.max_repeated_executions, limits.repeated_execution_window_ms) = (Some(1_000), Some(1_000));
        (limits.strategy_rate, limits.symbol_rate, limits.fund_rate) = (rate, rate, rate);
        (limits.staleness, limits.buying_power) = (Some(Staleness::Millis(3_600_000)), true);
    });
    let mut world = setup.build();
    // Something is held, works and was accepted a moment ago.
    world.hold("A", "10");
    world.accept(market(Side::Buy, "B", "3"));
    world.wait(20);
    for (side, name) in [(Side::Buy, "A"), (Side::Buy, "C"), (Side::Sell, "A")] {
        let order = world.order(market(side, name, "2"));
        let counted = allocation_counter::measure(|| {
            let approved = world.machine.check(&order, &world.context(), &mut GateTrace::off());
            assert!(approved.is_approved(), "{approved:?}");
        });
        assert_eq!(counted.count_total, 0, "{side} {name}");
    }
}
