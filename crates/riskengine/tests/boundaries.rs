//! What equals a limit passes and one step beyond is refused; a loss that reaches its limit halts.

mod common;

use common::{Priced, Setup, World, buy, d, short};
use mts_foundation::risk::{Gate, RejectCode, RiskAction, Staleness};
use mts_foundation::{Decimal, OrderType, RiskEnvelope, Symbol, VenueName};

/// Lots of a hundredth, so that a step is worth one unit of money.
fn fine() -> Setup {
    Setup::new().instruments(|instrument| instrument.lot = d("0.01"))
}

fn envelope(change: impl FnOnce(&mut RiskEnvelope)) -> World {
    fine().envelope(change).build()
}

fn holding(mut world: World, name: &str, units: &str) -> World {
    world.hold(name, units);
    world
}

/// Defines a test for each line `name: code, world, order at the limit, order one step beyond;`.
macro_rules! boundaries {
    ($($name:ident: $code:ident, $world:expr, $equal:expr, $beyond:expr;)+) => { $(
        #[test]
        fn $name() {
            let mut world: World = $world;
            assert_eq!(world.code($equal), None, "what equals the limit passes");
            assert_eq!(world.code($beyond), Some(RejectCode::$code), "one step beyond is refused");
        }
    )+ };
}

boundaries! {
    units_of_an_order_by_the_envelope: MaxOrderQuantity,
        envelope(|limits| limits.max_order_qty = Some(d("10"))), buy("A", "10"), buy("A", "10.01");
    units_of_an_order_by_the_gate_limits: MaxOrderQuantity,
        fine().limits(|limits| limits.max_order_quantity = Some(d("10"))).build(), short("A", "10"), short("A", "10.01");
    value_of_an_order: MaxOrderNotional,
        envelope(|limits| limits.max_order_notional_usd = d("1000")), buy("A", "10"), buy("A", "10.01");
    value_of_an_order_at_its_limit_price: MaxOrderNotional,
        envelope(|limits| limits.max_order_notional_usd = d("1000")), buy("A", "8").at("125"), buy("A", "8").at("125.01");
    value_of_an_order_by_the_gate_limits: MaxOrderNotional,
        fine().limits(|limits| limits.max_order_value = Some(d("1000"))).build(), buy("A", "10"), buy("A", "10.01");
    share_of_an_order: MaxOrderNotionalPct,
        fine().limits(|limits| limits.max_order_notional_pct = Some(0.01)).build(), buy("A", "10"), buy("A", "10.01");
    distance_above_the_reference: PriceCollar,
        fine().limits(|limits| limits.price_collar_pct = Some(0.05)).build(), buy("A", "1").at("105"), buy("A", "1").at("105.01");
    distance_below_the_reference: PriceCollar,
        fine().limits(|limits| limits.price_collar_pct = Some(0.05)).build(), buy("A", "1").at("95"), buy("A", "1").at("94.99");
    distance_of_a_stop_price: PriceCollar,
        fine().limits(|limits| limits.price_collar_pct = Some(0.05)).build(), buy("A", "1").stop_at("105"), buy("A", "1").stop_at("105.01");

    units_of_a_position: MaxPositionQuantity,
        holding(fine().limits(|limits| limits.max_position_quantity = Some(d("10"))).build(), "A", "4"),
        buy("A", "6"), buy("A", "6.01");
    value_of_a_position: MaxPositionUsd,
        holding(envelope(|limits| limits.max_position_usd = Some(d("1000"))), "A", "-4"), short("A", "6"), short("A", "6.01");
    value_of_a_position_by_the_gate_limits: MaxPositionUsd,
        fine().limits(|limits| limits.max_position_value = Some(d("1000"))).build(), buy("A", "10"), buy("A", "10.01");
    share_of_a_position: MaxPositionPct,
        holding(envelope(|limits| limits.max_position_pct = 0.05), "A", "20"), buy("A", "30"), buy("A", "30.01");
    gross_exposure: MaxGrossExposure,
        holding(envelope(|limits| limits.max_gross_exposure_pct = 0.5), "A", "-200"), buy("C", "300"), buy("C", "300.01");
    net_exposure: MaxNetExposure,
        holding(envelope(|limits| limits.max_net_exposure_pct = 0.5), "A", "-200"), buy("C", "700"), buy("C", "700.01");
    net_short_exposure: MaxNetExposure,
        holding(envelope(|limits| limits.max_net_exposure_pct = 0.5), "A", "200"), short("C", "700"), short("C", "700.01");
    exposure_in_money: MaxTotalExposure,
        fine().limits(|limits| limits.max_total_exposure = Some(d("1000"))).build(), buy("A", "10"), buy("A", "10.01");
    share_of_a_sector: MaxSector,
        holding(envelope(|limits| limits.max_sector_pct = 0.1), "B", "-40"), buy("A", "60"), buy("A", "60.01");
    share_of_an_asset_class: MaxAssetClass,
        holding(envelope(|limits| limits.max_asset_class_pct = 0.1), "C", "40"), buy("A", "60"), buy("A", "60.01");
    share_of_a_country: MaxCountry,
        holding(envelope(|limits| limits.max_country_pct = 0.1), "C", "40"), buy("A", "60"), buy("A", "60.01");
    cost_of_borrowing: BorrowFeeTooHigh,
        fine().borrow("A", "200", true).borrow("B", "200.01", true).build(), short("A", "1"), short("B", "1");
    cash: BuyingPower,
        holding(fine().limits(|limits| limits.buying_power = true).build(), "A", "600"), buy("B", "400"), buy("B", "400.01");
    cash_at_the_limit_price: BuyingPower,
        holding(fine().limits(|limits| limits.buying_power = true).build(), "A", "600"), buy("B", "320").at("125"), buy("B", "320").at("125.01");
}

#[test]
fn of_two_limits_on_the_same_number_the_tighter_one_holds() {
    for (by_envelope, by_gates) in [("10", "20"), ("20", "10")] {
        let setup = fine().envelope(|limits| {
            limits.max_order_qty = Some(d(by_envelope));
            limits.max_position_usd = Some(d(by_envelope) * Decimal::ONE_HUNDRED);
        });
        let setup = setup.limits(|limits| limits.max_order_quantity = Some(d(by_gates)));
        let mut world = setup
            .limits(|limits| limits.max_position_value = Some(d(by_gates) * Decimal::ONE_HUNDRED))
            .build();
        assert_eq!(world.code(buy("A", "10")), None);
        assert_eq!(world.code(buy("A", "10.01")), Some(RejectCode::MaxOrderQuantity));
        world.hold("A", "5");
        assert_eq!(world.code(buy("A", "5")), None);
        assert_eq!(world.code(buy("A", "5.01")), Some(RejectCode::MaxPositionUsd));
    }
}

#[test]
fn the_count_of_positions_and_of_open_orders_may_equal_its_limit() {
    let setup = Setup::new().limits(|limits| limits.max_positions = Some(2));
    let mut world = setup.limits(|limits| limits.max_open_orders = Some(2)).build();
    world.hold("A", "1");
    world.accept(buy("B", "1"));
    assert_eq!(world.code(buy("C", "1")), Some(RejectCode::MaxPositions), "a working order opens one");
    assert_eq!(world.code(buy("A", "1")), None, "more of what is held is no new position");
    world.accept(buy("B", "2"));
    assert_eq!(world.code(buy("A", "1")), Some(RejectCode::MaxOpenOrders));
}

#[test]
fn what_is_reserved_counts_as_an_open_order_and_as_a_position() {
    let mut world = Setup::new().limits(|limits| limits.max_open_orders = Some(2)).build();
    world.reserve(buy("A", "1"));
    assert_eq!(world.code(buy("B", "1")), None);
    world.reserve(buy("B", "1"));
    assert_eq!(world.code(buy("C", "1")), Some(RejectCode::MaxOpenOrders));

    let mut world = Setup::new().limits(|limits| limits.max_positions = Some(2)).build();
    world.hold("A", "1");
    world.reserve(buy("A", "1"));
    assert_eq!(world.code(buy("C", "1")), None, "more of what is held is reserved: no second position");
    world.reserve(buy("B", "1"));
    world.reserve(buy("B", "2"));
    assert_eq!(world.code(buy("B", "3")), None, "one position, however many orders are to open it");
    assert_eq!(world.code(buy("C", "1")), Some(RejectCode::MaxPositions));
}

#[test]
fn a_price_may_be_as_old_as_the_limit() {
    let mut world = Setup::new().limits(|limits| limits.staleness = Some(Staleness::Millis(1_000))).build();
    world.wait(1_000);
    assert_eq!(world.code(buy("A", "1")), None);
    world.wait(1);
    assert_eq!(world.code(buy("A", "1")), Some(RejectCode::StaleReferencePrice));
    let mut bars = Setup::new().limits(|limits| limits.staleness = Some(Staleness::Bars(2))).build();
    bars.ledger.next_bar();
    assert_eq!(bars.code(buy("A", "1")), None);
    bars.ledger.next_bar();
    assert_eq!(bars.code(buy("A", "1")), Some(RejectCode::StaleReferencePrice));
}

#[test]
fn a_price_that_its_feed_does_not_trust_is_stale_until_a_newer_one_comes() {
    let mut world = Setup::new().limits(|limits| limits.staleness = Some(Staleness::Millis(60_000))).build();
    let feed = VenueName::new("feed").unwrap();
    world.hold("B", "5");
    world.ledger.set_stale(&feed, &[Symbol::new("A").unwrap(), Symbol::new("B").unwrap()], world.now);
    let refused = world.refused(buy("A", "1"));
    assert_eq!(refused.code, RejectCode::StaleReferencePrice);
    assert!(refused.message.contains("feed says that its prices of A are stale"), "{}", refused.message);
    assert_eq!(world.code(buy("C", "1")), None, "it says nothing of others");
    assert_eq!(world.closing_code(common::sell("B", "5")), None, "what closes a position passes");
    world.wait(1);
    world.mark("A", "100");
    assert_eq!(world.code(buy("A", "1")), None, "a newer price is one");
    assert_eq!(world.code(buy("B", "1")), Some(RejectCode::StaleReferencePrice));
    world.ledger.set_stale(&feed, &[], world.now);
    assert_eq!(world.code(buy("B", "1")), None, "prices flow again");
    let mut careless = Setup::new().build();
    careless.ledger.set_stale(&feed, &[Symbol::new("A").unwrap()], careless.now);
    assert_eq!(careless.code(buy("A", "1")), None, "a fund without the limit asks for no fresh price");
}

#[test]
fn shares_are_of_the_present_net_asset_value() {
    let mut world = envelope(|limits| limits.max_position_pct = 0.5);
    world.hold("A", "400");
    assert_eq!(world.code(buy("C", "500.01")), Some(RejectCode::MaxPositionPct));
    world.mark("A", "110");
    assert_eq!(world.code(buy("C", "520")), None, "40 units won 10 each: half of 104,000");
    assert_eq!(world.code(buy("C", "520.01")), Some(RejectCode::MaxPositionPct));
}

#[test]
fn an_order_counts_at_the_price_of_its_type() {
    let mut world = Setup::new().instruments(|instrument| instrument.multiplier = d("10")).build();
    world.quote("A", "99", "101");
    let stop_limit = buy("A", "1").order_type(OrderType::StopLimit);
    for (order, value, why) in [
        (buy("A", "1"), "1010", "a market order to buy meets the ask"),
        (short("A", "1"), "990", "a market order to sell meets the bid"),
        (buy("A", "1").at("90"), "900", "a limit order counts at its limit"),
        (buy("A", "1").stop_at("105"), "1050", "a stop beyond the ask counts at the stop"),
        (short("A", "1").stop_at("95"), "990", "a stop below the bid counts at the bid"),
        (
            stop_limit.stop_price(d("104")).limit_price(d("106")),
            "1060",
            "a stop limit order counts at its limit",
        ),
    ] {
        let (decision, trace) = world.ask(order, false);
        assert!(decision.is_approved(), "{decision:?}");
        let outcome = trace.iter().find(|(gate, _)| *gate == Gate::OrderNotional).unwrap().1;
        assert_eq!(outcome.observed, Some(d(value)), "{why}");
    }
}

#[test]
fn a_collar_is_measured_from_the_touch() {
    let mut world = fine().limits(|limits| limits.price_collar_pct = Some(0.01)).build();
    world.quote("A", "99", "101");
    for (order, code) in [
        (buy("A", "1").at("102.01"), None),
        (buy("A", "1").at("102.02"), Some(RejectCode::PriceCollar)),
        (buy("A", "1").at("99.99"), None),
        (buy("A", "1").at("99.98"), Some(RejectCode::PriceCollar)),
        (short("A", "1").at("98.01"), None),
        (short("A", "1").at("98.00"), Some(RejectCode::PriceCollar)),
    ] {
        assert_eq!(world.code(order), code);
    }
}

#[test]
fn a_share_of_no_positive_value_refuses_in_the_first_gate_that_needs_it() {
    let mut world = Setup::new().limits(|limits| limits.max_order_notional_pct = Some(0.5)).build();
    world.hold("A", "500");
    world.flow("-100000.01");
    let rejection = world.refused(buy("B", "1"));
    assert_eq!((rejection.code, rejection.gate), (RejectCode::NavNotPositive, Gate::OrderNotional));
    assert_eq!(rejection.observed, Some(d("-0.01")));
}

/// A fund of 1,000 units of `A`, which once stood at 110: each unit of its price is 1 % of 100,000.
fn invested(setup: Setup) -> World {
    let mut world = setup.build();
    world.hold("A", "1000");
    world
}

#[test]
fn a_loss_below_its_limit_passes_and_one_that_reaches_it_refuses_and_halts() {
    let share = |change: fn(&mut RiskEnvelope)| Setup::new().envelope(change);
    let cases: [(RejectCode, Setup, &str, [&str; 2]); 5] = [
        (RejectCode::DailyLoss, share(|limits| limits.daily_loss_halt_pct = 0.03), "100", ["97.01", "97"]),
        (RejectCode::WeeklyLoss, share(|limits| limits.weekly_loss_halt_pct = 0.08), "100", ["92.01", "92"]),
        (
            RejectCode::MonthlyLoss,
            share(|limits| limits.monthly_loss_halt_pct = 0.15),
            "100",
            ["85.01", "85"],
        ),
        (
            RejectCode::DailyLoss,
            Setup::new().limits(|limits| limits.max_daily_loss = Some(d("2000"))),
            "100",
            ["98.01", "98"],
        ),
        (
            RejectCode::Drawdown,
            Setup::new().limits(|limits| limits.max_drawdown_pct = Some(0.1)),
            "110",
            ["99.01", "99"],
        ),
    ];
    for (code, setup, high, [below, reached]) in cases {
        let mut world = invested(setup);
        world.mark("A", high);
        assert!(world.mark("A", below).is_empty(), "{code}");
        let (decision, trace) = world.ask(buy("B", "1"), false);
        assert!(decision.is_approved(), "{code}: {decision:?}");
        let told = trace.iter().find(|(gate, _)| *gate == Gate::Loss).unwrap().1;
        let part = told.observed.unwrap() / told.limit.unwrap();
        assert!(
            part > d("0.99") && part < Decimal::ONE,
            "{code}: the loss nearest to its limit is told, {part}"
        );
        world.print("A", reached);
        assert_eq!(
            world.code(buy("B", "1")),
            Some(code),
            "at order time, before any mark or fill told of it"
        );
        let actions = world.mark("A", reached);
        let [RiskAction::Halted(halt)] = actions.as_slice() else { panic!("{actions:?}") };
        assert_eq!(halt.causes.iter().map(|cause| cause.code).collect::<Vec<_>>(), [code]);
        assert_eq!(world.code(buy("B", "1")), Some(RejectCode::FundHalted));
    }
}
