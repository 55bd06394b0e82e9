//! A price may be held back only if it would trip nothing (decision H7): what the machine foretells is what happens.

mod common;

use common::{Setup, World, d, symbol};
use mts_foundation::RiskMachine;
use mts_foundation::risk::RiskAction;
use proptest::prelude::*;

fn foretold(world: &World, name: &str, price: &str) -> bool {
    let context = world.context();
    world.machine.would_trip(&symbol(name), d(price), context.ledger, context.instruments)
}

fn world(holdings: &[(&str, i64)]) -> World {
    let mut world = Setup::new()
        .envelope(|envelope| {
            envelope.daily_loss_halt_pct = 0.03;
            envelope.enable_synthetic_stop = true;
            envelope.synthetic_stop_pct = 0.1;
        })
        .limits(|limits| limits.max_drawdown_pct = Some(0.05))
        .build();
    world.roll("2026-01-06");
    for (name, units) in holdings {
        if *units != 0 {
            world.hold(name, &units.to_string());
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_foretold_happens_and_nothing_else_does(
        a in -4_000_i64..4_000,
        b in -4_000_i64..4_000,
        moves in prop::collection::vec((prop::bool::ANY, 6_000_u32..14_000), 1..12),
    ) {
        let mut world = world(&[("A", a), ("B", b)]);
        for (first, cents) in moves {
            let name = if first { "A" } else { "B" };
            let price = format!("{}.{:02}", cents / 100, cents % 100);
            let told = foretold(&world, name, &price);
            let happened = world.mark(name, &price);
            prop_assert_eq!(told, !happened.is_empty(), "{} at {}: {:?}", name, price, happened);
        }
    }
}

#[test]
fn a_price_that_trips_is_let_through_once() {
    let mut world = world(&[("A", 4_000)]);
    assert!(!foretold(&world, "A", "100.5"));
    assert!(foretold(&world, "A", "80"));
    let actions = world.mark("A", "80");
    assert!(actions.iter().any(|action| matches!(action, RiskAction::Halted(_))), "{actions:?}");
    assert!(!foretold(&world, "A", "79"), "what has tripped trips no more");
    assert!(!foretold(&world, "B", "1"), "an instrument that nobody holds");
}
